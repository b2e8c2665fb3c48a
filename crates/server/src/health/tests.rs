//! Health that cannot be green over a dead database, an idle watch or a key that only exists.

use std::time::Duration;

use http::{Method, StatusCode};
use landfall_store::testkit::Postgres;
use landfall_store::{Store, params};
use serde_json::{Value, json};

use crate::Settings;
use crate::billing::BillingSettings;
use crate::support::{ModelSettings, SupportSettings, TelegramSettings, WhatsAppSettings, refresh};
use crate::testing::{World, double, nobody};

const ALL: [&str; 5] =
    ["/healthz", "/readyz", "/health", "/api/support/health", "/api/webhooks/stripe/health"];

fn paid() -> Settings {
    Settings {
        billing: BillingSettings {
            on: true,
            webhook_secrets: vec!["whsec_1".into()],
            ..BillingSettings::default()
        },
        ..Settings::default()
    }
}

fn keys(value: &Value) -> Vec<&str> {
    value.as_object().expect("an object").keys().map(String::as_str).collect()
}

#[tokio::test]
async fn a_server_that_works_answers_in_the_known_shapes() {
    for world in World::both(&paid()).await {
        for path in ALL {
            let seen = world.get(path).await;
            assert_eq!(seen.status, StatusCode::OK, "{path} {seen:?}");
            assert_eq!(seen.header("cache-control"), Some("no-store"), "{path}");
            assert_eq!(seen.header("content-type"), Some("application/json"), "{path}");
            let head = world.ask(Method::HEAD, path, &[], Vec::new()).await;
            assert_eq!((head.status, head.text.as_str()), (StatusCode::OK, ""), "{path}");
            assert_eq!(world.post(path, &[], "").await.status, StatusCode::METHOD_NOT_ALLOWED, "{path}");
        }
        let health = world.get("/health").await;
        assert_eq!(health.json(), json!({ "ok": true, "ts": crate::testing::start().as_second() }));
        assert_eq!(health.text, format!("{{\"ok\":true,\"ts\":{}}}", crate::testing::start().as_second()));
        let support = world.get("/api/support/health").await.json();
        assert_eq!(
            keys(&support)[..4],
            ["openai_configured", "status", "telegram_configured", "whatsapp_configured"]
        );
        assert_eq!(support["status"], "ok");
        assert_eq!(support["openai_configured"], false, "nothing is set");
        let stripe = world.get("/api/webhooks/stripe/health").await.json();
        assert_eq!(keys(&stripe)[..3], ["endpoint", "ok", "service"]);
        assert_eq!(stripe["endpoint"], "/api/webhooks/stripe/checkout-completed");
        assert_eq!(stripe["service"], "stripe_checkout_webhook");
        assert_eq!(stripe["last_event"], Value::Null);
        let ready = world.get("/readyz").await.json();
        assert_eq!(keys(&ready["parts"]), ["database", "watch", "draining"]);
        assert_eq!(
            world.count("SELECT count(*) AS n FROM billing_events").await,
            0,
            "proving leaves nothing behind"
        );
    }
}

#[tokio::test]
async fn a_dead_database_is_said_by_every_route_but_liveness() {
    let server = Postgres::start();
    server.psql("postgres", "CREATE DATABASE health");
    let store = Store::open(&server.url("health")).await.expect("it opens");
    let world = World::on(store, paid());
    for path in ALL {
        assert_eq!(world.get(path).await.status, StatusCode::OK, "{path}");
    }
    server.stop();
    // What was true a moment ago speaks for a moment only.
    world.clock.advance(Duration::from_secs(6));
    assert_eq!(world.get("/healthz").await.status, StatusCode::OK, "the process is alive");
    let ready = world.get("/readyz").await;
    assert_eq!(ready.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(ready.json()["failed"], json!(["database"]));
    assert_eq!(ready.json()["parts"]["watch"]["ok"], true, "each part has evidence of its own");
    let health = world.get("/health").await;
    assert_eq!((health.status, &health.json()["ok"]), (StatusCode::SERVICE_UNAVAILABLE, &Value::Bool(false)));
    let support = world.get("/api/support/health").await;
    assert_eq!(
        (support.status, &support.json()["status"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("failed"))
    );
    let stripe = world.get("/api/webhooks/stripe/health").await;
    assert_eq!((stripe.status, &stripe.json()["ok"]), (StatusCode::SERVICE_UNAVAILABLE, &Value::Bool(false)));
    for path in ALL {
        let text = world.get(path).await.text;
        assert!(!text.contains("postgres://") && !text.contains(&server.port.to_string()), "{path} {text}");
    }
    let metrics = crate::metrics::render(&world.app, crate::metrics::View::Server).await;
    assert!(metrics.contains("landfall_database_up 0\n"), "{metrics}");
    // It comes back, and so does the truth.
    server.run();
    world.clock.advance(Duration::from_secs(6));
    for path in ALL {
        // Connections of before are found dead one by one.
        for _ in 0..32 {
            if world.get(path).await.status == StatusCode::OK {
                break;
            }
            world.clock.advance(Duration::from_secs(6));
            world.app.live.watch_ticked(landfall_monitor::Clock::now(&world.clock));
        }
        assert_eq!(world.get(path).await.status, StatusCode::OK, "{path}");
    }
}

#[tokio::test]
async fn a_database_that_takes_no_writes_is_ready_to_be_read_but_does_not_function() {
    let world = World::sqlite(paid()).await;
    let mut tx = world.app.store.begin().await.expect("begin");
    tx.query("PRAGMA query_only = ON", params![]).await.expect("read only from now on");
    drop(tx);
    assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
    let health = world.get("/health").await;
    assert_eq!(health.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(health.json()["failed"], json!(["writes"]));
    let stripe = world.get("/api/webhooks/stripe/health").await;
    assert_eq!(stripe.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(
        stripe.json()["reason"].as_str().expect("a reason").starts_with("events cannot be stored"),
        "{stripe:?}"
    );
}

#[tokio::test]
async fn a_database_that_hangs_does_not_hang_the_answer() {
    let world = World::sqlite(paid()).await;
    // Somebody holds the one writer for as long as this lives.
    let _held = world.app.store.begin().await.expect("begin");
    let asked = tokio::time::timeout(super::DEADLINE + Duration::from_secs(8), async {
        (
            world.get("/health").await,
            world.get("/api/webhooks/stripe/health").await,
            world.get("/healthz").await,
        )
    });
    let (health, stripe, live) = asked.await.expect("all three answered");
    assert_eq!(health.json()["failed"], json!(["writes"]));
    assert_eq!(stripe.status, StatusCode::SERVICE_UNAVAILABLE);
    assert_eq!(live.status, StatusCode::OK);
}

#[tokio::test]
async fn another_schema_an_idle_watch_and_a_process_that_stops_are_not_ready() {
    for world in World::both(&Settings::default()).await {
        world
            .run("INSERT INTO schema_steps (step, name, at_us) VALUES (9999, 'of tomorrow', 0)", params![])
            .await;
        let ready = world.get("/readyz").await.json();
        assert_eq!(ready["failed"], json!(["database"]));
        assert!(ready["parts"]["database"]["say"].as_str().expect("words").contains("9999"), "{ready}");
        world.run("DELETE FROM schema_steps WHERE step = 9999", params![]).await;
        world.clock.advance(Duration::from_secs(59));
        assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
        world.clock.advance(Duration::from_secs(1));
        assert_eq!(world.get("/readyz").await.json()["failed"], json!(["watch"]));
        assert_eq!(world.get("/health").await.json()["failed"], json!(["watch"]));
        world.app.live.watch_ticked(landfall_monitor::Clock::now(&world.clock));
        assert_eq!(world.get("/readyz").await.status, StatusCode::OK);
        world.app.live.drain();
        assert_eq!(world.get("/readyz").await.json()["failed"], json!(["draining"]));
        assert_eq!(world.get("/healthz").await.status, StatusCode::OK);
    }
}

#[tokio::test]
async fn the_webhook_is_not_ok_without_billing_or_without_a_secret() {
    let off = World::sqlite(Settings::default()).await;
    let seen = off.get("/api/webhooks/stripe/health").await;
    assert_eq!(
        (seen.status, &seen.json()["reason"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("billing is off"))
    );
    let mut settings = paid();
    settings.billing.webhook_secrets.clear();
    let bare = World::sqlite(settings).await;
    let seen = bare.get("/api/webhooks/stripe/health").await;
    assert_eq!(seen.status, StatusCode::SERVICE_UNAVAILABLE);
    assert!(seen.json()["reason"].as_str().expect("a reason").contains("no signing secret"), "{seen:?}");
}

fn support(openai: &str, telegram: &str, whatsapp: &str) -> Settings {
    Settings {
        support: SupportSettings {
            model: Some(ModelSettings {
                api_base: format!("{openai}/v1"),
                api_key: "sk-real".into(),
                model: "small-1".into(),
                max_tokens: 300,
                deadline: Duration::from_secs(5),
            }),
            telegram: Some(TelegramSettings {
                api_base: telegram.into(),
                token: "123456:real".into(),
                webhook_secret: "hook".into(),
            }),
            whatsapp: Some(WhatsAppSettings {
                api_base: format!("{whatsapp}/v23.0"),
                phone_number_id: "15550001".into(),
                token: "EAA-real".into(),
                app_secret: "app".into(),
                verify_token: "word".into(),
            }),
            mail_to: None,
        },
        ..Settings::default()
    }
}

#[tokio::test]
async fn configured_means_that_a_real_call_worked_and_not_that_a_key_is_set() {
    let good = double(|method, path, headers, _| {
        let bearer = headers.get("authorization").and_then(|v| v.to_str().ok()).unwrap_or("");
        match (method, path, bearer) {
            ("GET", "/v1/models", "Bearer sk-real") => {
                (200, json!({ "object": "list", "data": [{ "id": "small-1" }] }).to_string())
            }
            ("GET", "/bot123456:real/getMe", _) => {
                (200, json!({ "ok": true, "result": { "id": 1, "is_bot": true } }).to_string())
            }
            ("GET", "/v23.0/15550001?fields=id,display_phone_number", "Bearer EAA-real") => {
                (200, json!({ "id": "15550001", "display_phone_number": "+1 555 0001" }).to_string())
            }
            _ => (401, json!({ "ok": false, "error_code": 401 }).to_string()),
        }
    })
    .await;
    let world = World::sqlite(support(&good.0, &good.0, &good.0)).await;
    // Nothing was called yet, so nothing is known, and that is not a yes.
    let before = world.get("/api/support/health").await;
    assert_eq!(
        (before.status, &before.json()["status"]),
        (StatusCode::SERVICE_UNAVAILABLE, &json!("unknown"))
    );
    assert_eq!(before.json()["openai_configured"], false);
    assert!(good.1.lock().expect("asked").is_empty(), "a request for health calls nobody");
    assert_eq!(refresh(&world.app).await, (3, 3));
    let after = world.get("/api/support/health").await;
    assert_eq!((after.status, &after.json()["status"]), (StatusCode::OK, &json!("ok")), "{after:?}");
    for name in ["openai", "telegram", "whatsapp"] {
        assert_eq!(after.json()[format!("{name}_configured")], true, "{name}");
        assert_eq!(after.json()[name]["last_success"], "2026-03-02T09:00:00Z", "{name}");
    }
    assert_eq!(good.1.lock().expect("asked").len(), 3);

    // Keys are there, and none of them works: a revoked key, a service that is gone, an answer that is none.
    let revoked =
        double(|_, _, _, _| (401, json!({ "error": { "message": "sk-real is revoked" } }).to_string())).await;
    let odd = double(|_, _, _, _| (200, "<html>hello</html>".into())).await;
    let bad = World::sqlite(support(&revoked.0, &nobody(), &odd.0)).await;
    assert_eq!(refresh(&bad.app).await, (0, 3));
    let seen = bad.get("/api/support/health").await;
    assert_eq!((seen.status, &seen.json()["status"]), (StatusCode::SERVICE_UNAVAILABLE, &json!("degraded")));
    let json = seen.json();
    assert_eq!(json["openai"]["last_error"], "HTTP 401 to the list of models");
    assert_eq!(json["telegram"]["last_error"], "the connection could not be made");
    assert_eq!(json["whatsapp"]["last_error"], "the answer is about another phone number");
    for name in ["openai", "telegram", "whatsapp"] {
        assert_eq!(json[format!("{name}_configured")], false, "{name}");
        assert_eq!(json[name]["set"], true, "{name}");
    }
    for secret in ["sk-real", "123456:real", "EAA-real"] {
        assert!(!seen.text.contains(secret), "{secret}: {}", seen.text);
    }
}
