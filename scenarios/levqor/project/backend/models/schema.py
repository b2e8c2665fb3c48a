"""The schema, applied in order. `PRAGMA user_version` counts the steps that a file already has."""

import sqlite3

STEPS = [
    """
    CREATE TABLE tenants (id TEXT PRIMARY KEY, name TEXT NOT NULL UNIQUE, plan TEXT NOT NULL, created_at INTEGER NOT NULL);
    CREATE TABLE api_keys (
        key_hash TEXT PRIMARY KEY, tenant_id TEXT NOT NULL REFERENCES tenants(id), created_at INTEGER NOT NULL
    );
    CREATE TABLE projects (
        id TEXT PRIMARY KEY, tenant_id TEXT NOT NULL REFERENCES tenants(id), name TEXT NOT NULL, created_at INTEGER NOT NULL
    );
    CREATE INDEX projects_by_tenant ON projects (tenant_id, created_at);
    CREATE TABLE tenant_audit (at INTEGER NOT NULL, tenant_id TEXT, method TEXT NOT NULL, path TEXT NOT NULL);
    """,
    """
    CREATE TABLE stripe_events (event_id TEXT PRIMARY KEY, type TEXT NOT NULL, received_at INTEGER NOT NULL);
    CREATE TABLE orders (
        session_id TEXT PRIMARY KEY, email TEXT NOT NULL, tier TEXT NOT NULL, status TEXT NOT NULL, created_at INTEGER NOT NULL
    );
    CREATE TABLE dunning (email TEXT NOT NULL, step INTEGER NOT NULL, due_at INTEGER NOT NULL, sent_at INTEGER,
        PRIMARY KEY (email, step));
    """,
    """
    CREATE TABLE tickets (id TEXT PRIMARY KEY, email TEXT NOT NULL, message TEXT NOT NULL, status TEXT NOT NULL,
        created_at INTEGER NOT NULL);
    CREATE TABLE measurements (name TEXT NOT NULL, at INTEGER NOT NULL, value REAL NOT NULL);
    CREATE INDEX measurements_by_name ON measurements (name, at);
    CREATE TABLE job_runs (job TEXT NOT NULL, at INTEGER NOT NULL, ok INTEGER NOT NULL, note TEXT NOT NULL);
    """,
]


def migrate(connection: sqlite3.Connection) -> None:
    # BEGIN IMMEDIATE lets one worker migrate while the others wait, instead of all of them creating the same table.
    connection.execute("BEGIN IMMEDIATE")
    try:
        (done,) = connection.execute("PRAGMA user_version").fetchone()
        for step in STEPS[done:]:
            for statement in step.split(";"):
                if statement.strip():
                    connection.execute(statement)
        connection.execute(f"PRAGMA user_version = {len(STEPS)}")
        connection.execute("COMMIT")
    except BaseException:
        connection.execute("ROLLBACK")
        raise
