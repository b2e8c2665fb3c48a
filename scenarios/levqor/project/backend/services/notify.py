"""Messages to the people who run the service. A channel that is not configured is skipped, a failing one is logged."""

import json
import logging
import os
import urllib.error
import urllib.request

log = logging.getLogger(__name__)
TIMEOUT_S = 10


def telegram_configured() -> bool:
    return bool(os.environ.get("TELEGRAM_BOT_TOKEN") and os.environ.get("TELEGRAM_CHAT_ID"))


def whatsapp_configured() -> bool:
    return bool(os.environ.get("WHATSAPP_API_URL", "") and os.environ.get("WHATSAPP_ACCESS_TOKEN", ""))


def _post(url: str, body: dict, headers: dict[str, str] | None = None) -> bool:
    request = urllib.request.Request(
        url, data=json.dumps(body).encode(), headers={"Content-Type": "application/json"} | (headers or {})
    )
    try:
        with urllib.request.urlopen(request, timeout=TIMEOUT_S) as response:
            return 200 <= response.status < 300
    except (urllib.error.URLError, TimeoutError) as error:
        # The URL carries the bot's token, so only the kind of failure is logged.
        log.warning("a notification was not delivered: %s", type(error).__name__)
        return False


def operations(text: str) -> bool:
    if os.environ.get("NOTIFICATIONS_ENABLED", "false").lower() != "true":
        return False
    sent = False
    if telegram_configured():
        token, chat = os.environ["TELEGRAM_BOT_TOKEN"], os.environ["TELEGRAM_CHAT_ID"]
        sent |= _post(f"https://api.telegram.org/bot{token}/sendMessage", {"chat_id": chat, "text": text})
    if whatsapp_configured():
        sent |= _post(
            os.environ.get("WHATSAPP_API_URL", ""),
            {"to": os.environ.get("WHATSAPP_ADMIN_PHONE", ""), "type": "text", "text": {"body": text}},
            {"Authorization": "Bearer " + os.environ.get("WHATSAPP_ACCESS_TOKEN", "")},
        )
    return sent
