"""Time, in one place, so that tests and jobs agree on it."""

import time
from datetime import datetime, timezone

STARTED_AT = time.time()


def now_s() -> int:
    return int(time.time())


def iso(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, tz=timezone.utc).isoformat(timespec="seconds")


def day_of(epoch_s: float) -> str:
    return datetime.fromtimestamp(epoch_s, tz=timezone.utc).date().isoformat()
