"""What is stored. One SQLite file; every statement lives in this package."""
