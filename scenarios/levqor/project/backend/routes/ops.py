"""For operators: which build runs since when, and whether the jobs succeed."""

import time

from flask import Blueprint, current_app, jsonify

from backend.models import measurements
from backend.utils.clock import STARTED_AT, iso, now_s

ops = Blueprint("ops", __name__, url_prefix="/ops")


@ops.get("/uptime")
def uptime():
    return jsonify(
        build=current_app.config["BUILD_ID"],
        version="1.0",
        start_time=iso(STARTED_AT),
        uptime_seconds=int(time.time() - STARTED_AT),
    )


@ops.get("/jobs")
def jobs():
    now = now_s()
    return jsonify(last_success_age_s={job: now - at for job, at in measurements.last_success().items()})
