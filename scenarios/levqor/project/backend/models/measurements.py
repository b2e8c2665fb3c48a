"""Numbers over time: latencies, error counts, costs. Jobs read and thin them."""

from backend.models.store import connection
from backend.utils.clock import now_s


def add(name: str, value: float) -> None:
    connection().execute("INSERT INTO measurements VALUES (?, ?, ?)", (name, now_s(), value))


def mean_since(name: str, epoch_s: int) -> float | None:
    return connection().execute("SELECT avg(value) FROM measurements WHERE name = ? AND at >= ?", (name, epoch_s)).fetchone()[0]


def values_since(name: str, epoch_s: int) -> list[float]:
    rows = connection().execute("SELECT value FROM measurements WHERE name = ? AND at >= ? ORDER BY at", (name, epoch_s))
    return [row[0] for row in rows]


def drop_before(epoch_s: int) -> int:
    return connection().execute("DELETE FROM measurements WHERE at < ?", (epoch_s,)).rowcount


def record_run(job: str, ok: bool, note: str) -> None:
    connection().execute("INSERT INTO job_runs VALUES (?, ?, ?, ?)", (job, now_s(), int(ok), note[:200]))


def last_success() -> dict[str, int]:
    return dict(connection().execute("SELECT job, max(at) FROM job_runs WHERE ok = 1 GROUP BY job").fetchall())
