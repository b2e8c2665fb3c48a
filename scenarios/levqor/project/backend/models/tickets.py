"""Support tickets."""

import secrets

from backend.models.store import connection, transaction
from backend.utils.clock import iso, now_s


def create(email: str, message: str) -> str:
    ticket_id = secrets.token_hex(4)
    with transaction() as store:
        store.execute("INSERT INTO tickets VALUES (?, ?, ?, 'open', ?)", (ticket_id, email, message, now_s()))
    return ticket_id


def recent(limit: int, status: str | None) -> list[dict]:
    rows = connection().execute(
        "SELECT id, email, message, status, created_at FROM tickets WHERE (?1 IS NULL OR status = ?1)"
        " ORDER BY created_at DESC LIMIT ?2",
        (status, limit),
    )
    return [dict(row) | {"created_at": iso(row["created_at"])} for row in rows]


def counts() -> dict[str, int]:
    return dict(connection().execute("SELECT status, count(*) FROM tickets GROUP BY status").fetchall())
