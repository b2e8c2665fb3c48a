"""Jobs that tell people what happened."""

import os

from backend.models import measurements, orders, tickets
from backend.models.store import connection
from backend.services import notify
from backend.utils.clock import day_of, now_s

DAY_S = 86_400


def cost_collector() -> str:
    size = os.path.getsize(connection().execute("PRAGMA database_list").fetchone()["file"])
    measurements.add("store_byte", size)
    return f"the store has {size} bytes"


def cost_prediction() -> str:
    sizes = measurements.values_since("store_byte", now_s() - 28 * DAY_S)
    if len(sizes) < 2:
        return "too few days to predict from"
    growth = (sizes[-1] - sizes[0]) / (len(sizes) - 1)
    return f"the store grows by {growth:.0f} bytes a day"


def daily_ops_summary() -> str:
    text = f"{day_of(now_s())}: {orders.count_since(now_s() - DAY_S)} orders, {tickets.counts().get('open', 0)} open tickets"
    notify.operations(text)
    return text


def weekly_pulse() -> str:
    text = f"{orders.count_since(now_s() - 7 * DAY_S)} orders this week, {orders.count()} in all"
    notify.operations(text)
    return text


def governance_report() -> str:
    refused = connection().execute(
        "SELECT count(*) FROM tenant_audit WHERE tenant_id IS NULL AND at >= ?", (now_s() - 7 * DAY_S,)
    ).fetchone()[0]
    return f"{refused} requests without a valid tenant in 7 days"


def weekly_intelligence() -> str:
    stale = [job for job, at in measurements.last_success().items() if at < now_s() - 8 * DAY_S]
    return f"jobs without a success in 8 days: {', '.join(sorted(stale)) or 'none'}"
