"""The payment provider's webhook. What it sends is believed only with a fresh and matching signature."""

import json
import logging

from flask import Blueprint, current_app, jsonify, request

from backend.billing.checkout import BadEvent, handle_event
from backend.billing.signature import BadSignature, verify
from backend.utils.clock import now_s
from backend.utils.errors import Refused

log = logging.getLogger(__name__)
stripe_webhook = Blueprint("stripe_webhook", __name__, url_prefix="/api/webhooks/stripe")


@stripe_webhook.get("/health")
def health():
    return jsonify(ok=True, service="stripe_checkout_webhook", endpoint="/api/webhooks/stripe/checkout-completed")


@stripe_webhook.route("/checkout-completed", methods=["POST"])
def checkout_completed():
    secret = current_app.config["STRIPE_WEBHOOK_SECRET"]
    if not secret:
        raise Refused(503, "WebhookNotConfigured")
    body = request.get_data()
    try:
        verify(request.headers.get("Stripe-Signature", ""), body, secret, now_s())
        event = json.loads(body)
        outcome = handle_event(event if isinstance(event, dict) else {})
    except BadSignature as error:
        log.warning("webhook refused: %s", error)
        raise Refused(400, "BadSignature") from error
    except (BadEvent, ValueError) as error:
        raise Refused(400, "BadEvent") from error
    return jsonify(status=outcome)
