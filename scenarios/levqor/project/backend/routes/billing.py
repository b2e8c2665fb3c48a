"""Plans for everybody; payment outcomes from our own systems."""

import hmac
import os

from flask import Blueprint, jsonify, request

from backend.billing import dunning
from backend.billing.plans import catalogue
from backend.utils.clock import iso, now_s
from backend.utils.errors import Refused

billing = Blueprint("billing", __name__, url_prefix="/api/billing")


@billing.get("/plans")
def plans():
    return jsonify(plans=catalogue())


@billing.get("/health")
def health():
    key, webhook = bool(os.environ.get("STRIPE_SECRET_KEY")), bool(os.environ.get("STRIPE_WEBHOOK_SECRET"))
    return jsonify(
        healthy=key and webhook, stripe_key_configured=key, webhook_secret_configured=webhook, timestamp=iso(now_s())
    )


@billing.post("/internal/<outcome>")
def payment_outcome(outcome: str):
    secret = os.environ.get("INTERNAL_SECRET")
    if not secret or not hmac.compare_digest(secret.encode(), request.headers.get("X-Internal-Secret", "").encode()):
        raise Refused(403, "Forbidden")
    email = request.get_json().get("email")
    if not isinstance(email, str) or "@" not in email:
        raise Refused(400, "Invalid:email")
    if outcome == "payment-failed":
        dunning.payment_failed(email)
    elif outcome == "payment-succeeded":
        dunning.payment_succeeded(email)
    else:
        raise Refused(404, "NotFound")
    return jsonify(status="recorded")
