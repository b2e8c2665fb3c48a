"""The root and the liveness route. Neither touches the store: they say that a process answers, and which build it is."""

from flask import Blueprint, current_app, jsonify

from backend.utils.clock import now_s

core = Blueprint("core", __name__)


@core.get("/")
def root():
    return jsonify(ok=True, service="levqor-backend", version="1.0", build=current_app.config["BUILD_ID"])


@core.get("/health")
def health():
    return jsonify(ok=True, ts=now_s())
