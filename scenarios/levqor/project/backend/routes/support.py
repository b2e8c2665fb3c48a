"""Support: answers, escalation, and whether its channels are configured. The prefix is given at registration."""

import hmac
import os

from flask import Blueprint, jsonify, request

from backend.models import tickets
from backend.services import support as desk
from backend.utils.errors import Refused

support = Blueprint("support", __name__)


def _text(body: dict, field: str, limit: int) -> str:
    value = body.get(field)
    if not isinstance(value, str) or not value.strip() or len(value) > limit:
        raise Refused(400, f"Invalid:{field}")
    return value.strip()


@support.get("/health")
def health():
    return jsonify(desk.configuration())


@support.post("/public")
def public():
    return jsonify(desk.reply(_text(request.get_json(), "message", 2_000)))


@support.post("/escalate")
def escalate():
    body = request.get_json()
    ticket_id = desk.escalate(_text(body, "email", 254), _text(body, "message", 4_000))
    return jsonify(status="created", ticketId=ticket_id), 201


@support.get("/tickets")
def list_tickets():
    secret = os.environ.get("INTERNAL_SECRET")
    given = request.headers.get("X-Internal-Secret", "")
    # Without a configured secret nobody gets in; a default would be readable by anyone who reads this file.
    if not secret or not hmac.compare_digest(secret.encode(), given.encode()):
        raise Refused(403, "Forbidden")
    limit = min(request.args.get("limit", 50, type=int), 200)
    listed = tickets.recent(max(limit, 1), request.args.get("status"))
    return jsonify(tickets=listed, count=len(listed), stats=tickets.counts())
