"""One connection for each request or job, opened when it is first needed."""

import os
import sqlite3
from contextlib import contextmanager

from flask import Flask, current_app, g

from backend.models.schema import migrate


def connection() -> sqlite3.Connection:
    if "store" not in g:
        path = current_app.config["SQLITE_PATH"]
        os.makedirs(os.path.dirname(os.path.abspath(path)), exist_ok=True)
        opened = sqlite3.connect(path, timeout=5, isolation_level=None)
        opened.row_factory = sqlite3.Row
        opened.execute("PRAGMA foreign_keys = ON")
        g.store = opened
        if current_app.config["MIGRATE"]:
            migrate(opened)
    return g.store


@contextmanager
def transaction():
    store = connection()
    store.execute("BEGIN IMMEDIATE")
    try:
        yield store
        store.execute("COMMIT")
    except BaseException:
        store.execute("ROLLBACK")
        raise


def install(app: Flask) -> None:
    @app.teardown_appcontext
    def close(_error) -> None:
        opened = g.pop("store", None)
        if opened is not None:
            opened.close()
