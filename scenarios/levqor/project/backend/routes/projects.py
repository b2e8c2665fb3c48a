"""The product itself: a tenant's projects."""

from flask import Blueprint, g, jsonify, request

from backend.models import projects as table
from backend.services.tenancy import begin_session, require_tenant
from backend.utils.errors import Refused

sessions = Blueprint("sessions", __name__, url_prefix="/api/v1")
projects = Blueprint("projects", __name__, url_prefix="/api/v1/projects")
require_tenant(projects)


@sessions.post("/session")
def log_in():
    key = request.get_json().get("key")
    if not isinstance(key, str):
        raise Refused(400, "Invalid:key")
    begin_session(key)
    return jsonify(ok=True)


@projects.get("")
def list_projects():
    limit = max(1, min(request.args.get("limit", 50, type=int), 200))
    return jsonify(projects=table.list_for(g.tenant_id, limit), total=table.count_for(g.tenant_id))


@projects.post("")
def create_project():
    name = request.get_json().get("name")
    if not isinstance(name, str) or not name.strip() or len(name) > 100:
        raise Refused(400, "Invalid:name")
    return jsonify(table.create(g.tenant_id, name.strip())), 201


@projects.get("/<project_id>")
def show_project(project_id: str):
    found = table.find(g.tenant_id, project_id)
    # Another tenant's project and one that does not exist give the same answer.
    if found is None:
        raise Refused(404, "NotFound")
    return jsonify(found)
