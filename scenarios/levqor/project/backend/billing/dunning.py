"""Reminders after a failed payment: on day 1, 7 and 14, until it succeeds."""

from backend.models.store import connection, transaction
from backend.services import notify
from backend.utils.clock import now_s

STEP_DAYS = (1, 7, 14)


def payment_failed(email: str) -> None:
    with transaction() as store:
        for step, days in enumerate(STEP_DAYS, start=1):
            store.execute(
                "INSERT OR IGNORE INTO dunning (email, step, due_at) VALUES (?, ?, ?)", (email, step, now_s() + days * 86_400)
            )


def payment_succeeded(email: str) -> None:
    with transaction() as store:
        store.execute("DELETE FROM dunning WHERE email = ? AND sent_at IS NULL", (email,))


def send_due() -> int:
    due = connection().execute("SELECT email, step FROM dunning WHERE sent_at IS NULL AND due_at <= ?", (now_s(),)).fetchall()
    for row in due:
        notify.operations(f"Payment reminder {row['step']} is due for one customer")
        with transaction() as store:
            store.execute("UPDATE dunning SET sent_at = ? WHERE email = ? AND step = ?", (now_s(), row["email"], row["step"]))
    return len(due)
