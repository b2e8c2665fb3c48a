"""A conftest.py at the root puts this folder on the import path, so that `from run import app` works under plain pytest."""
