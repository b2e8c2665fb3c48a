"""Who is asking. The session or the key decides the tenant; a header that names one is never believed."""

import click
from flask import Blueprint, current_app, g, request, session
from flask.cli import AppGroup

from backend.models import tenants
from backend.utils.errors import Refused

tenants_cli = AppGroup("tenants", help="Administer tenants.")


@tenants_cli.command("add")
@click.argument("name")
@click.option("--plan", default="starter")
def add_tenant(name: str, plan: str) -> None:
    """Create a tenant and print its key, once."""
    tenant_id, key = tenants.create(name, plan)
    click.echo(f"{tenant_id} {key}")


def identify() -> str | None:
    key = request.headers.get("X-Api-Key")
    if key is not None:
        # A wrong key is refused even when a valid session comes with it: the caller meant the key.
        return tenants.by_key(key)
    if current_app.config["SECRET_KEY"] is None:
        return None
    tenant_id = session.get("tenant_id")
    return tenant_id if tenant_id and tenants.exists(tenant_id) else None


def require_tenant(blueprint: Blueprint) -> None:
    @blueprint.before_request
    def check() -> None:
        g.tenant_id = identify()
        tenants.record_access(g.tenant_id, request.method, request.path)
        if g.tenant_id is None:
            raise Refused(401, "Unauthenticated")


def begin_session(key: str) -> str:
    if current_app.config["SECRET_KEY"] is None:
        raise Refused(503, "SessionsNotConfigured")
    tenant_id = tenants.by_key(key)
    if tenant_id is None:
        raise Refused(401, "Unauthenticated")
    session.clear()
    session["tenant_id"] = tenant_id
    return tenant_id
