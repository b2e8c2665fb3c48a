"""One tenant never sees another's data, and nobody without a tenant sees any."""

import json
import time

import pytest
from run import app

from backend.billing.signature import sign
from backend.models import orders, tenants

SECRET = "test-webhook-secret"


@pytest.fixture
def client(tmp_path):
    app.config.update(
        SQLITE_PATH=str(tmp_path / "store.sqlite3"),
        MIGRATE=True,
        SECRET_KEY="test-session-secret",
        STRIPE_WEBHOOK_SECRET=SECRET,
        SESSION_COOKIE_SECURE=False,
    )
    return app.test_client()


@pytest.fixture
def keys(client):
    with app.app_context():
        return {name: tenants.create(name) for name in ("alpha", "beta")}


def as_tenant(keys, name):
    return {"X-Api-Key": keys[name][1]}


def create(client, keys, name, title):
    response = client.post("/api/v1/projects", json={"name": title}, headers=as_tenant(keys, name))
    assert response.status_code == 201
    return response.get_json()["id"]


def test_a_tenant_cannot_read_another_tenants_project(client, keys):
    project = create(client, keys, "beta", "beta only")
    own = client.get(f"/api/v1/projects/{project}", headers=as_tenant(keys, "beta"))
    foreign = client.get(f"/api/v1/projects/{project}", headers=as_tenant(keys, "alpha"))
    assert own.status_code == 200
    assert foreign.status_code == 404
    assert "beta only" not in foreign.get_data(as_text=True)


def test_lists_and_counts_hold_the_callers_own_rows(client, keys):
    create(client, keys, "alpha", "one")
    for title in ("two", "three"):
        create(client, keys, "beta", title)
    body = client.get("/api/v1/projects", headers=as_tenant(keys, "alpha")).get_json()
    assert [project["name"] for project in body["projects"]] == ["one"]
    assert body["total"] == 1


def test_a_tenant_header_alone_opens_nothing(client, keys):
    create(client, keys, "alpha", "one")
    response = client.get("/api/v1/projects", headers={"X-Tenant-Id": keys["alpha"][0]})
    assert response.status_code == 401
    assert "one" not in response.get_data(as_text=True)


def test_a_tenant_header_does_not_override_the_key(client, keys):
    create(client, keys, "beta", "beta only")
    headers = as_tenant(keys, "alpha") | {"X-Tenant-Id": keys["beta"][0]}
    assert client.get("/api/v1/projects", headers=headers).get_json() == {"projects": [], "total": 0}


def test_a_wrong_key_is_refused_even_beside_a_session(client, keys):
    assert client.post("/api/v1/session", json={"key": keys["alpha"][1]}).status_code == 200
    assert client.get("/api/v1/projects").status_code == 200
    assert client.get("/api/v1/projects", headers={"X-Api-Key": "lvq_wrong"}).status_code == 401


def test_the_session_decides_the_tenant(client, keys):
    create(client, keys, "alpha", "from alpha")
    client.post("/api/v1/session", json={"key": keys["alpha"][1]})
    body = client.get("/api/v1/projects", headers={"X-Tenant-Id": keys["beta"][0]}).get_json()
    assert [project["name"] for project in body["projects"]] == ["from alpha"]


def test_a_missing_and_a_foreign_project_look_the_same(client, keys):
    project = create(client, keys, "beta", "beta only")
    headers = as_tenant(keys, "alpha") | {"X-Request-Id": "same-request"}
    foreign = client.get(f"/api/v1/projects/{project}", headers=headers)
    missing = client.get("/api/v1/projects/does-not-exist", headers=headers)
    assert (foreign.status_code, foreign.get_data()) == (missing.status_code, missing.get_data())


def checkout_event(event_id="evt_1", session_id="cs_1"):
    return json.dumps(
        {
            "id": event_id,
            "type": "checkout.session.completed",
            "data": {
                "object": {
                    "id": session_id,
                    "payment_status": "paid",
                    "customer_details": {"email": "buyer@example.test"},
                    "metadata": {"plan": "growth"},
                }
            },
        }
    ).encode()


def deliver(client, body, signature):
    return client.post("/api/webhooks/stripe/checkout-completed", data=body, headers={"Stripe-Signature": signature})


def test_unsigned_stale_and_altered_webhooks_are_refused(client):
    body, now = checkout_event(), int(time.time())
    assert deliver(client, body, "").status_code == 400
    assert deliver(client, body, sign(body, SECRET, now - 301)).status_code == 400
    assert deliver(client, body + b" ", sign(body, SECRET, now)).status_code == 400
    assert deliver(client, body, sign(body, "another secret", now)).status_code == 400
    with app.app_context():
        assert orders.count() == 0


def test_a_replayed_webhook_orders_once(client):
    body = checkout_event()
    first = deliver(client, body, sign(body, SECRET, int(time.time())))
    again = deliver(client, body, sign(body, SECRET, int(time.time())))
    assert (first.get_json(), again.get_json()) == ({"status": "ordered"}, {"status": "duplicate"})
    with app.app_context():
        assert orders.count() == 1
