//! Inbound limits over a real socket.

use std::time::Duration;

use http::Method;
use landfall_server::Settings;
use landfall_server::limits::Quota;

use crate::world::World;

fn small(settings: &mut Settings) {
    settings.limits.address = Quota { requests: 20, window_s: 60 };
    settings.limits.principal = Quota { requests: 5, window_s: 60 };
}

#[tokio::test]
async fn a_key_is_counted_wherever_it_comes_from_and_told_what_is_left() {
    for world in World::both_with(small).await {
        let owner = world.owner().await;
        let (_, key) = world.key(&owner, &["read"]).await;
        let first = key.get("/api/v1/monitors").await.is(200);
        assert_eq!(first.header("ratelimit-policy"), Some("\"address\";q=20;w=60, \"client\";q=5;w=60"));
        assert_eq!(first.header("ratelimit"), Some("\"address\";r=18;t=6, \"client\";r=4;t=12"));
        for _ in 0..4 {
            key.get("/api/v1/monitors").await.is(200);
        }
        let refused = key.get("/api/v1/monitors").await.is(429);
        assert_eq!(refused.header("retry-after"), Some("12"));
        assert!(refused.header("ratelimit").is_some_and(|r| r.contains("\"client\";r=0;t=60")));
        owner.get("/api/v1/monitors").await.is(200);
        world.clock.advance(Duration::from_secs(12));
        key.get("/api/v1/monitors").await.is(200);
        key.get("/api/v1/monitors").await.is(429);
    }
}

#[tokio::test]
async fn a_forged_forwarded_for_changes_nothing_without_a_trusted_proxy() {
    let world = &World::both_with(small).await[0];
    let mut statuses = Vec::new();
    for n in 0..25 {
        let asker = world.stranger().with("x-forwarded-for", &format!("198.51.100.{n}"));
        statuses.push(asker.get("/api/v1/openapi.json").await.status);
    }
    assert_eq!(statuses.iter().filter(|s| **s == 200).count(), 20, "{statuses:?}");
}

#[tokio::test]
async fn behind_a_trusted_proxy_the_last_untrusted_hop_is_counted() {
    let worlds = World::both_with(|s| {
        small(s);
        s.trusted_proxies = vec!["127.0.0.0/8".parse().expect("a network")];
    })
    .await;
    let world = &worlds[0];
    // What the client wrote itself stands to the left of what the proxy added, whatever it is.
    for n in 0..20 {
        let asker = world.stranger().with("x-forwarded-for", &format!("10.0.0.{n}, 203.0.113.7"));
        asker.get("/api/v1/openapi.json").await.is(200);
    }
    world
        .stranger()
        .with("x-forwarded-for", "10.9.9.9, 203.0.113.7")
        .get("/api/v1/openapi.json")
        .await
        .is(429);
    world.stranger().with("x-forwarded-for", "203.0.113.8").get("/api/v1/openapi.json").await.is(200);
}

#[tokio::test]
async fn health_and_heartbeats_are_counted_apart_and_generously() {
    let world = &World::both_with(small).await[0];
    for _ in 0..25 {
        world.stranger().get("/api/v1/openapi.json").await;
    }
    world.stranger().get("/api/v1/openapi.json").await.is(429);
    for (path, policy) in
        [("/healthz", "health"), ("/readyz", "health"), ("/health", "health"), ("/ping/x", "ping")]
    {
        for method in [Method::GET, Method::HEAD] {
            let answer = world.stranger().send(&method, path, None).await;
            assert_ne!(answer.status, 429, "{path}");
            assert!(answer.header("ratelimit-policy").is_some_and(|p| p.contains(policy)), "{path}");
        }
    }
}

#[tokio::test]
async fn signing_in_has_a_limit_of_its_own() {
    let world = &World::both_with(|s| s.limits.auth = Quota { requests: 3, window_s: 60 }).await[0];
    let body = serde_json::json!({ "email": "x", "password": "y" });
    for _ in 0..3 {
        world.stranger().post("/api/v1/session", body.clone()).await.is(401);
    }
    world.stranger().post("/api/v1/session", body).await.is(429);
    world.stranger().get("/api/v1/session").await.is(401);
}
