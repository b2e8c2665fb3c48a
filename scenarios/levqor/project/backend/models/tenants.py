"""Tenants and the keys that speak for them. Keys are stored as hashes only."""

import hashlib
import secrets
import uuid

from backend.models.store import connection, transaction
from backend.utils.clock import now_s


def hash_key(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()


def create(name: str, plan: str = "starter") -> tuple[str, str]:
    """Creates a tenant; returns its id and the only copy of its key."""
    tenant_id, key = str(uuid.uuid4()), "lvq_" + secrets.token_urlsafe(24)
    with transaction() as store:
        store.execute("INSERT INTO tenants VALUES (?, ?, ?, ?)", (tenant_id, name, plan, now_s()))
        store.execute("INSERT INTO api_keys VALUES (?, ?, ?)", (hash_key(key), tenant_id, now_s()))
    return tenant_id, key


def by_key(key: str) -> str | None:
    row = connection().execute("SELECT tenant_id FROM api_keys WHERE key_hash = ?", (hash_key(key),)).fetchone()
    return row["tenant_id"] if row else None


def exists(tenant_id: str) -> bool:
    return connection().execute("SELECT 1 FROM tenants WHERE id = ?", (tenant_id,)).fetchone() is not None


def record_access(tenant_id: str | None, method: str, path: str) -> None:
    connection().execute("INSERT INTO tenant_audit VALUES (?, ?, ?, ?)", (now_s(), tenant_id, method, path))
