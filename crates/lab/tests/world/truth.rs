//! Each world really has the fault that it says it has, with the real backend behind it.

use http::Version;
use landfall_lab::{Access, load};

use crate::clients::{Answer, EDGE, HOST, get, plain, request, up};

const OWN_NAME: &str = "levqor-backend.replit.app";

async fn edge(access: &Access, path: &str) -> Answer {
    get(access, EDGE, Version::HTTP_2, HOST, path).await
}

async fn origin(access: &Access, path: &str) -> Answer {
    get(access, "34.111.179.208", Version::HTTP_2, OWN_NAME, path).await
}

fn is_the_platforms_404(answer: &Answer) -> bool {
    answer.status == 404 && answer.body == "Not Found" && !answer.headers.contains_key("x-build-id")
}

#[tokio::test]
async fn the_local_backend_answers_as_in_the_report() {
    let lab = up(&load("levqor-undeployed").expect("exists")).await;
    let access = lab.access();
    let local = access.local.as_ref().expect("it runs");
    let to = local.socket_addrs(|| None).expect("an address")[0];
    let at = |path: &'static str| async move { plain(to, "localhost", path).await };
    let health = at("/health").await;
    assert_eq!((health.status, health.header("content-type")), (200, "application/json"));
    let body: serde_json::Value = serde_json::from_str(&health.body).expect("JSON");
    assert!(
        body["ok"] == true && body["ts"].is_i64() && body.as_object().is_some_and(|o| o.len() == 2),
        "{body}"
    );
    let support: serde_json::Value =
        serde_json::from_str(&at("/api/support/health").await.body).expect("JSON");
    let expected = serde_json::json!({"openai_configured": true, "status": "ok", "telegram_configured": true, "whatsapp_configured": false});
    assert_eq!(support, expected);
    let webhook: serde_json::Value =
        serde_json::from_str(&at("/api/webhooks/stripe/health").await.body).expect("JSON");
    let expected = serde_json::json!({
        "endpoint": "/api/webhooks/stripe/checkout-completed", "ok": true, "service": "stripe_checkout_webhook",
    });
    assert_eq!(webhook, expected);
    assert_eq!(at("/api/webhooks/stripe/checkout-completed").await.status, 405);
    assert_eq!(at("/api/v1/projects").await.status, 401);
    let missing = at("/no-such-path").await;
    assert!(
        missing.status == 404 && missing.body.starts_with("<!doctype html>"),
        "Flask's own page: {missing:?}"
    );

    let config = std::fs::read_to_string(&access.config).expect("landfall.toml");
    assert!(config.contains(&format!("local = \"http://{to}\"")), "{config}");
    assert!(is_the_platforms_404(&edge(access, "/health").await));
    assert!(is_the_platforms_404(&origin(access, "/health").await));
    lab.down().await;
}

#[tokio::test]
async fn unbound_is_the_same_404_outside_and_the_application_under_its_own_name() {
    let lab = up(&load("levqor-host-unbound").expect("exists")).await;
    assert!(is_the_platforms_404(&edge(lab.access(), "/health").await));
    let health = origin(lab.access(), "/health").await;
    assert_eq!((health.status, health.header("via")), (200, "1.1 google"));
    assert!(health.headers.contains_key("x-build-id") && health.body.contains("\"ok\":true"), "{health:?}");
    lab.down().await;
}

#[tokio::test]
async fn an_unknown_origin_is_nowhere_in_what_the_audit_is_given() {
    let lab = up(&load("levqor-origin-unknown").expect("exists")).await;
    let access = lab.access();
    assert!(access.origin.is_none());
    let found = std::process::Command::new("grep")
        .args(["-rlI", "replit.app"])
        .arg(access.project.as_ref().expect("a folder"))
        .output();
    assert_eq!(String::from_utf8_lossy(&found.expect("grep runs").stdout), "");
    assert!(is_the_platforms_404(&edge(access, "/health").await));
    lab.down().await;
}

#[tokio::test]
async fn a_stale_build_answers_with_its_own_json_404() {
    let lab = up(&load("levqor-stale-build").expect("exists")).await;
    assert_eq!(edge(lab.access(), "/health").await.status, 200);
    for answer in [
        edge(lab.access(), "/api/webhooks/stripe/health").await,
        origin(lab.access(), "/api/webhooks/stripe/health").await,
    ] {
        assert_eq!((answer.status, answer.header("content-type")), (404, "application/json"));
        let body: serde_json::Value = serde_json::from_str(&answer.body).expect("JSON");
        assert_eq!((&body["error"]["type"], &body["error"]["status"]), (&"NotFound".into(), &404.into()));
        assert!(
            body["error"]["correlation_id"].is_string() && answer.headers.contains_key("x-build-id"),
            "{answer:?}"
        );
    }
    lab.down().await;
}

#[tokio::test]
async fn the_wrong_app_is_html_everywhere() {
    let lab = up(&load("levqor-wrong-app").expect("exists")).await;
    for path in ["/health", "/no-such-path-at-all"] {
        let answer = edge(lab.access(), path).await;
        assert_eq!((answer.status, answer.header("content-type")), (200, "text/html; charset=utf-8"));
        assert!(answer.body.contains("/_next/static/") && answer.header("x-powered-by") == "Next.js");
    }
    assert_eq!(origin(lab.access(), "/health").await.header("content-type"), "application/json");
    lab.down().await;
}

#[tokio::test]
async fn hollow_green_is_green_but_for_the_core_route() {
    let lab = up(&load("levqor-hollow-green").expect("exists")).await;
    for path in ["/health", "/api/support/health", "/api/webhooks/stripe/health"] {
        assert_eq!(edge(lab.access(), path).await.status, 200, "{path}");
    }
    for answer in
        [edge(lab.access(), "/api/v1/projects").await, origin(lab.access(), "/api/v1/projects").await]
    {
        assert_eq!((answer.status, answer.header("content-type")), (500, "application/json"), "{answer:?}");
        assert!(!answer.body.contains("sqlite") && !answer.body.contains("no such table"), "{answer:?}");
    }
    lab.down().await;
}

#[tokio::test]
async fn deployed_serves_the_application_over_every_version() {
    let lab = up(&load("levqor-deployed").expect("exists")).await;
    let access = lab.access();
    for version in [Version::HTTP_11, Version::HTTP_2, Version::HTTP_3] {
        let health = get(access, EDGE, version, HOST, "/health").await;
        assert_eq!(
            (health.status, health.header("server"), health.header("via")),
            (200, "cloudflare", "1.1 google"),
            "{version:?}"
        );
        assert!(
            health.body.contains("\"ok\":true") && health.headers.contains_key("x-request-id"),
            "{health:?}"
        );
    }
    assert_eq!(edge(access, "/api/webhooks/stripe/health").await.status, 200);
    assert_eq!(edge(access, "/api/v1/projects").await.status, 401);
    let unsigned =
        request(access, EDGE, Version::HTTP_2, "POST", HOST, "/api/webhooks/stripe/checkout-completed").await;
    assert_eq!(unsigned.status, 400, "{unsigned:?}");
    // A monitor's pace and a verification pass.
    for _ in 0..40 {
        assert_eq!(edge(access, "/health").await.status, 200);
    }
    lab.down().await;
}

/// Plain pytest fails to import the project until a conftest.py stands at the root, and then passes.
#[tokio::test]
async fn the_tests_fail_to_import_until_they_are_repaired() {
    for (name, imports) in [("levqor-undeployed", false), ("levqor-undeployed-tests-fixed", true)] {
        let mut scenario = load(name).expect("exists");
        scenario.world.local.running = false;
        let lab = up(&scenario).await;
        let folder = lab.access().project.as_ref().expect("a folder");
        let output = tokio::process::Command::new(folder.join(".venv/bin/pytest"))
            .args(["tests/", "--tb=short", "-q", "-p", "no:cacheprovider"])
            .env_remove("PYTHONPATH")
            .current_dir(folder)
            .output()
            .await
            .expect("pytest runs");
        let text = String::from_utf8_lossy(&output.stdout);
        assert_eq!(output.status.success(), imports, "{name}: {text}");
        assert_eq!(text.contains("ModuleNotFoundError: No module named 'run'"), !imports, "{name}: {text}");
        lab.down().await;
    }
}
