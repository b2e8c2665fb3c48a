"""Jobs about customers and what they bought."""

from backend.billing import dunning
from backend.billing.plans import project_limit
from backend.models import orders
from backend.models.store import connection
from backend.utils.clock import now_s


def billing_dunning() -> str:
    return f"{dunning.send_due()} reminders sent"


def growth_retention() -> str:
    week_ago = now_s() - 7 * 86_400
    active = connection().execute("SELECT count(DISTINCT tenant_id) FROM tenant_audit WHERE at >= ?", (week_ago,)).fetchone()[0]
    return f"{active} tenants active in 7 days"


def _at_their_limit() -> list[str]:
    rows = connection().execute(
        "SELECT t.id, t.plan, count(p.id) AS used FROM tenants t LEFT JOIN projects p ON p.tenant_id = t.id GROUP BY t.id"
    )
    return [row["id"] for row in rows if row["used"] >= project_limit(row["plan"])]


def expansion_verifier() -> str:
    unknown = connection().execute("SELECT count(*) FROM orders WHERE tier = 'UNKNOWN'").fetchone()[0]
    return f"{unknown} orders without a known plan, {orders.count('NEW')} not fulfilled"


def expansion_monitor() -> str:
    return f"{len(_at_their_limit())} tenants have reached their project limit"
