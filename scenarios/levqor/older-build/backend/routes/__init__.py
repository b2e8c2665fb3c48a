"""The HTTP surface. One blueprint a module."""

from flask import Flask

from backend.routes.billing import billing
from backend.routes.core import core
from backend.routes.ops import ops
from backend.routes.projects import projects, sessions
from backend.routes.support import support


def register_routes(app: Flask) -> None:
    app.register_blueprint(core)
    app.register_blueprint(support, url_prefix="/api/support")
    app.register_blueprint(billing)
    app.register_blueprint(sessions)
    app.register_blueprint(projects)
    app.register_blueprint(ops)
