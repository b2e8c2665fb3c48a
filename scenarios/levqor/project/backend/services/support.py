"""Answers from the knowledge base, and a ticket when a person has to help."""

import os
import re

from backend.models import tickets
from backend.services import notify

ESCALATE = re.compile(r"\b(refund|charged twice|delete my (account|data)|cancel|lawyer|human)\b", re.IGNORECASE)
ANSWERS = (
    (re.compile(r"\b(price|plan|cost)", re.IGNORECASE), "Plans and prices are listed at /api/billing/plans."),
    (re.compile(r"\b(api|key|token)\b", re.IGNORECASE), "Send your key in the X-Api-Key header. We never ask you for it."),
    (re.compile(r"\b(down|error|broken)\b", re.IGNORECASE), "Please tell us the X-Request-Id of the answer that you received."),
)
FALLBACK = "I do not know that yet. Shall I pass it to a person?"


def openai_configured() -> bool:
    return bool(os.environ.get("OPENAI_API_KEY"))


def configuration() -> dict:
    return {
        "status": "ok",
        "openai_configured": openai_configured(),
        "telegram_configured": notify.telegram_configured(),
        "whatsapp_configured": notify.whatsapp_configured(),
    }


def reply(message: str) -> dict:
    answer = next((text for pattern, text in ANSWERS if pattern.search(message)), FALLBACK)
    return {"reply": answer, "escalationSuggested": answer == FALLBACK or bool(ESCALATE.search(message))}


def escalate(email: str, message: str) -> str:
    ticket_id = tickets.create(email, message)
    notify.operations(f"New support ticket {ticket_id}")
    return ticket_id
