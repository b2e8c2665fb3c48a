"""Jobs that keep the store small and hold no personal data longer than promised."""

from backend.models import measurements
from backend.models.store import connection, transaction
from backend.utils.clock import now_s

DAY_S = 86_400
KEEP_DAYS = {"measurements": 90, "tenant_audit": 30, "closed tickets": 180}


def retention_aggregation() -> str:
    yesterday = now_s() - DAY_S
    mean = measurements.mean_since("synthetic_ms", yesterday)
    if mean is not None:
        measurements.add("synthetic_ms_daily", mean)
    return "nothing to aggregate" if mean is None else f"daily mean {mean:.0f} ms stored"


def retention_cleanup() -> str:
    dropped = measurements.drop_before(now_s() - KEEP_DAYS["measurements"] * DAY_S)
    with transaction() as store:
        audit = store.execute("DELETE FROM tenant_audit WHERE at < ?", (now_s() - KEEP_DAYS["tenant_audit"] * DAY_S,)).rowcount
    return f"{dropped} measurements and {audit} audit rows dropped"


def dsar_cleanup() -> str:
    with transaction() as store:
        gone = store.execute(
            "DELETE FROM tickets WHERE status = 'closed' AND created_at < ?", (now_s() - KEEP_DAYS["closed tickets"] * DAY_S,)
        ).rowcount
    remaining = connection().execute("SELECT count(*) FROM tickets").fetchone()[0]
    return f"{gone} closed tickets dropped, {remaining} kept"
