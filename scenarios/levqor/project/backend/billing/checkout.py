"""A finished checkout becomes an order, once, however often the provider tells us about it."""

import logging

from backend.models import orders
from backend.services import notify

log = logging.getLogger(__name__)


class BadEvent(Exception):
    """A signed event that lacks what an order needs."""


def handle_event(event: dict) -> str:
    """Returns what was done: `received` (not ours), `unpaid`, `duplicate` or `ordered`."""
    if event.get("type") != "checkout.session.completed":
        return "received"
    session = (event.get("data") or {}).get("object") or {}
    details = session.get("customer_details") or {}
    email = session.get("customer_email") or details.get("email")
    if not event.get("id") or not session.get("id") or not email:
        raise BadEvent("event id, session id and an e-mail address are needed")
    # Delayed payment methods complete the session before the money is there; a later event reports the payment.
    if session.get("payment_status") == "unpaid":
        return "unpaid"
    tier = str((session.get("metadata") or {}).get("plan", "unknown")).upper()
    if not orders.record_checkout(event["id"], event["type"], session["id"], email, tier):
        return "duplicate"
    log.info("order %s (%s) stored", session["id"], tier)
    notify.operations(f"New order: {tier}")
    return "ordered"
