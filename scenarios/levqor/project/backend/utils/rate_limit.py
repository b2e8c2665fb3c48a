"""A sliding window per client and worker process, for the routes that cost something.

Health routes and provider webhooks are left out: a monitor must not be locked out by its own questions, and a provider
retries what it is refused.
"""

import threading
import time
from collections import OrderedDict, deque

from flask import Flask, request

from backend.utils.errors import error_body

LIMITED_PREFIXES = ("/api/v1/", "/api/support/escalate", "/api/support/tickets")
MAX_CLIENTS = 10_000


class RateLimiter:
    def __init__(self, limit: int, window_s: float, clock=time.monotonic) -> None:
        self.limit = limit
        self.window_s = window_s
        self._clock = clock
        self._hits: OrderedDict[str, deque[float]] = OrderedDict()
        self._lock = threading.Lock()

    def take(self, client: str) -> tuple[bool, int, int]:
        """Whether the request may pass, what remains, and the seconds until the oldest hit leaves the window."""
        now = self._clock()
        with self._lock:
            hits = self._hits.setdefault(client, deque())
            self._hits.move_to_end(client)
            while hits and hits[0] <= now - self.window_s:
                hits.popleft()
            allowed = len(hits) < self.limit
            if allowed:
                hits.append(now)
            while len(self._hits) > MAX_CLIENTS:
                self._hits.popitem(last=False)
            reset_s = int(hits[0] + self.window_s - now) + 1 if hits else 0
            return allowed, self.limit - len(hits), reset_s


def install_rate_limit(app: Flask, limiter: RateLimiter) -> None:
    @app.before_request
    def limit():
        if not request.path.startswith(LIMITED_PREFIXES):
            return None
        allowed, remaining, reset_s = limiter.take(request.remote_addr or "unknown")
        if allowed:
            return None
        response = error_body("RateLimited", 429)
        response.status_code = 429
        response.headers["Retry-After"] = str(reset_s)
        response.headers["X-RateLimit-Limit"] = str(limiter.limit)
        response.headers["X-RateLimit-Remaining"] = str(remaining)
        response.headers["X-RateLimit-Reset"] = str(reset_s)
        return response
