"""Orders, and the provider's events that made them."""

from backend.models.store import connection, transaction
from backend.utils.clock import now_s


def record_checkout(event_id: str, event_type: str, session_id: str, email: str, tier: str) -> bool:
    """Stores the event and its order together. `False` when this event or this session was stored before."""
    with transaction() as store:
        fresh = store.execute(
            "INSERT OR IGNORE INTO stripe_events VALUES (?, ?, ?)", (event_id, event_type, now_s())
        ).rowcount
        if not fresh:
            return False
        return (
            store.execute(
                "INSERT OR IGNORE INTO orders VALUES (?, ?, ?, 'NEW', ?)", (session_id, email, tier, now_s())
            ).rowcount
            == 1
        )


def count(status: str | None = None) -> int:
    if status is None:
        return connection().execute("SELECT count(*) FROM orders").fetchone()[0]
    return connection().execute("SELECT count(*) FROM orders WHERE status = ?", (status,)).fetchone()[0]


def count_since(epoch_s: int) -> int:
    return connection().execute("SELECT count(*) FROM orders WHERE created_at >= ?", (epoch_s,)).fetchone()[0]
