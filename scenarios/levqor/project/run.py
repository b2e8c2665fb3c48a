"""The Levqor backend: `gunicorn run:app` serves it, `flask --app run` administers it."""

import logging
import os

from flask import Flask
from werkzeug.middleware.proxy_fix import ProxyFix

from backend.models import store
from backend.routes import register_routes
from backend.services.scheduler import start_scheduler
from backend.services.tenancy import tenants_cli
from backend.utils.dotenv import load_dotenv
from backend.utils.envelope import install_envelope
from backend.utils.errors import install_error_handlers
from backend.utils.rate_limit import RateLimiter, install_rate_limit

HERE = os.path.dirname(os.path.abspath(__file__))


def create_app() -> Flask:
    load_dotenv(os.path.join(HERE, ".env"))
    app = Flask(__name__, static_folder=None)
    app.config.update(
        SECRET_KEY=os.environ.get("SESSION_SECRET"),
        SESSION_COOKIE_SECURE=True,
        SESSION_COOKIE_SAMESITE="Lax",
        MAX_CONTENT_LENGTH=int(os.environ.get("MAX_CONTENT_LENGTH", "524288")),
        BUILD_ID=os.environ.get("BUILD_ID", "dev"),
        SQLITE_PATH=os.environ.get("SQLITE_PATH", os.path.join(app.instance_path, "levqor.sqlite3")),
        MIGRATE=os.environ.get("RW_MIGRATIONS_ENABLED", "true").lower() == "true",
        STRIPE_WEBHOOK_SECRET=os.environ.get("STRIPE_WEBHOOK_SECRET"),
    )
    # The client's address comes from the last hops that we run ourselves, never from a header that anybody can send.
    hops = int(os.environ.get("TRUSTED_HOPS", "0"))
    if hops:
        app.wsgi_app = ProxyFix(app.wsgi_app, x_for=hops, x_proto=hops)

    store.install(app)
    install_envelope(app)
    install_error_handlers(app)
    install_rate_limit(app, RateLimiter(limit=int(os.environ.get("RATE_BURST", "60")), window_s=60))
    register_routes(app)
    app.cli.add_command(tenants_cli)
    return app


logging.basicConfig(level=os.environ.get("LOG_LEVEL", "INFO"), format="%(asctime)s %(levelname)s %(name)s: %(message)s")
app = create_app()

if os.environ.get("RUN_SCHEDULER", "0") == "1":
    start_scheduler(app)

if __name__ == "__main__":
    app.run(host="127.0.0.1", port=int(os.environ.get("PORT", "8000")))
