"""The payment provider's webhook signature: `t=SECONDS,v1=HEX` over `SECONDS.BODY`, HMAC-SHA256."""

import hashlib
import hmac

TOLERANCE_S = 300


class BadSignature(Exception):
    """The header is missing, stale or does not belong to this body."""


def sign(body: bytes, secret: str, at_s: int) -> str:
    digest = hmac.new(secret.encode(), f"{at_s}.".encode() + body, hashlib.sha256).hexdigest()
    return f"t={at_s},v1={digest}"


def verify(header: str, body: bytes, secret: str, now_s: int) -> None:
    pairs = [part.strip().split("=", 1) for part in header.split(",") if "=" in part]
    stamps = [value for name, value in pairs if name == "t" and value.isascii() and value.isdigit()]
    if len(stamps) != 1:
        raise BadSignature("no time stamp")
    if abs(now_s - int(stamps[0])) > TOLERANCE_S:
        raise BadSignature("stale")
    expected = hmac.new(secret.encode(), f"{stamps[0]}.".encode() + body, hashlib.sha256).hexdigest()
    # While a secret is rotated the provider sends one v1 for each secret; any of them is enough.
    if not any(hmac.compare_digest(expected.encode(), value.encode()) for name, value in pairs if name == "v1"):
        raise BadSignature("no matching signature")
