"""Jobs that watch the service itself."""

import os
import statistics
import time
import urllib.error
import urllib.request

from backend.models import measurements
from backend.models.store import connection
from backend.services import notify
from backend.utils.clock import now_s

SLO_LATENCY_MS = 800
CHECKED_PATHS = ("/health", "/api/support/health", "/api/webhooks/stripe/health", "/api/billing/plans")


def slo_watchdog() -> str:
    mean = measurements.mean_since("synthetic_ms", now_s() - 3_600)
    if mean is None:
        return "no measurements in the last hour"
    if mean > SLO_LATENCY_MS:
        notify.operations(f"Mean latency of the last hour is {mean:.0f} ms, the objective is {SLO_LATENCY_MS} ms")
    return f"mean {mean:.0f} ms"


def status_health_check() -> str:
    started = time.monotonic()
    connection().execute("SELECT count(*) FROM tenants").fetchone()
    measurements.add("store_ms", (time.monotonic() - started) * 1_000)
    return "the store answers"


def alert_checks() -> str:
    failures = len(measurements.values_since("synthetic_failed", now_s() - 900))
    if failures >= 3:
        notify.operations(f"{failures} synthetic checks failed within 15 minutes")
    return f"{failures} failures"


def intelligence_monitor() -> str:
    values = measurements.values_since("synthetic_ms", now_s() - 86_400)
    if len(values) < 10:
        return "too few measurements to judge"
    mean, deviation = statistics.fmean(values[:-1]), statistics.pstdev(values[:-1])
    unusual = values[-1] > mean + 2 * deviation
    return f"latest {values[-1]:.0f} ms is {'unusual' if unusual else 'usual'}"


def synthetic_checks() -> str:
    base = os.environ.get("PUBLIC_BASE_URL", "")
    if not base:
        return "PUBLIC_BASE_URL is not set, nothing was asked"
    failed = []
    for path in CHECKED_PATHS:
        started = time.monotonic()
        try:
            with urllib.request.urlopen(base.rstrip("/") + path, timeout=10) as response:
                good = response.status == 200
        except (urllib.error.URLError, TimeoutError):
            good = False
        measurements.add("synthetic_ms", (time.monotonic() - started) * 1_000)
        if not good:
            failed.append(path)
            measurements.add("synthetic_failed", 1)
    return f"failed: {', '.join(failed)}" if failed else f"{len(CHECKED_PATHS)} paths answer"


def scaling_check() -> str:
    load = os.getloadavg()[0] / (os.cpu_count() or 1)
    measurements.add("load_per_cpu", load)
    return f"load per processor {load:.2f}"
