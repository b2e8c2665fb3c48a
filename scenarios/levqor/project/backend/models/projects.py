"""Projects. Every statement names the tenant, so that a forgotten filter is a missing argument and not a leak."""

import uuid

from backend.models.store import connection, transaction
from backend.utils.clock import iso, now_s


def _public(row) -> dict:
    return {"id": row["id"], "name": row["name"], "created_at": iso(row["created_at"])}


def list_for(tenant_id: str, limit: int) -> list[dict]:
    rows = connection().execute(
        "SELECT id, name, created_at FROM projects WHERE tenant_id = ? ORDER BY created_at, id LIMIT ?", (tenant_id, limit)
    )
    return [_public(row) for row in rows]


def count_for(tenant_id: str) -> int:
    return connection().execute("SELECT count(*) FROM projects WHERE tenant_id = ?", (tenant_id,)).fetchone()[0]


def find(tenant_id: str, project_id: str) -> dict | None:
    row = connection().execute(
        "SELECT id, name, created_at FROM projects WHERE tenant_id = ? AND id = ?", (tenant_id, project_id)
    ).fetchone()
    return _public(row) if row else None


def create(tenant_id: str, name: str) -> dict:
    project_id = uuid.uuid4().hex
    with transaction() as store:
        store.execute("INSERT INTO projects VALUES (?, ?, ?, ?)", (project_id, tenant_id, name, now_s()))
    return find(tenant_id, project_id)
