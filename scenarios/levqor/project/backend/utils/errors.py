"""Errors: JSON for clients of the API, Flask's own pages elsewhere. A status is never rewritten into another."""

import logging

from flask import Flask, g, jsonify, request
from werkzeug.exceptions import HTTPException, InternalServerError

log = logging.getLogger(__name__)


class Refused(Exception):
    """A request that is understood and turned down, with a reason that is safe to show."""

    def __init__(self, status: int, kind: str) -> None:
        super().__init__(kind)
        self.status = status
        self.kind = kind


def error_body(kind: str, status: int):
    return jsonify(error={"type": kind, "status": status, "correlation_id": g.get("request_id", "-")})


def install_error_handlers(app: Flask) -> None:
    @app.errorhandler(Refused)
    def refused(error: Refused):
        return error_body(error.kind, error.status), error.status

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException):
        if not request.path.startswith("/api/"):
            return error
        response = error_body(type(error).__name__, error.code)
        response.status_code = error.code
        allowed = getattr(error, "valid_methods", None)
        if allowed:
            response.headers["Allow"] = ", ".join(sorted(allowed))
        return response

    @app.errorhandler(Exception)
    def unexpected(error: Exception):
        log.exception("unhandled error in %s %s (request %s)", request.method, request.path, g.get("request_id"))
        return http_error(InternalServerError(original_exception=error))
