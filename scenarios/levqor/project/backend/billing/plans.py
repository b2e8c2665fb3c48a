"""What is sold. Amounts are in cents, as the payment provider counts them."""

from dataclasses import asdict, dataclass


@dataclass(frozen=True)
class Plan:
    id: str
    name: str
    month_cent: int
    projects: int


PLANS = (
    Plan("starter", "Starter", 1900, 3),
    Plan("growth", "Growth", 4900, 15),
    Plan("business", "Business", 14900, 100),
)


def catalogue() -> list[dict]:
    return [asdict(plan) for plan in PLANS]


def project_limit(plan_id: str) -> int:
    return next((plan.projects for plan in PLANS if plan.id == plan_id), 0)
