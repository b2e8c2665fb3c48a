//! Health, metrics, billing and support over a real socket, with real sessions and keys.

use std::time::Duration;

use landfall_server::billing::BillingSettings;
use serde_json::json;

use crate::world::{World, http_monitor};

#[tokio::test]
async fn health_and_metrics_hold_behind_the_whole_router() {
    for world in World::both().await {
        let stranger = world.stranger();
        assert_eq!(stranger.get("/healthz").await.is(200).body["ok"], true);
        // The watch has not gone round in this world, and that is said.
        let health = stranger.get("/health").await;
        assert_eq!((health.status, &health.body["failed"]), (503, &json!(["watch"])));
        world.app.live.watch_ticked(world.now());
        assert_eq!(
            stranger.get("/health").await.is(200).body,
            json!({ "ok": true, "ts": world.now().as_second() })
        );
        assert_eq!(stranger.get("/readyz").await.is(200).header("cache-control"), Some("no-store"));
        assert_eq!(stranger.get("/api/support/health").await.is(200).body["status"], "ok");
        assert_eq!(stranger.get("/api/webhooks/stripe/health").await.status, 503);

        let owner = world.owner().await;
        owner.put("/api/v1/monitors/by-external-id/api", http_monitor("API")).await.is(201);
        let page = stranger.get("/metrics").await.is(200);
        assert!(
            page.text.contains("landfall_monitor_verdict{org=\"example")
                && page.text.contains(",monitor=\"api\""),
            "{}",
            page.text
        );
        // Through a proxy nobody is of this machine; a key reads its own and only with its scope.
        let proxied = world.stranger().with("x-forwarded-for", "127.0.0.1");
        proxied.get("/metrics").await.is(401);
        let (_, reading) = world.key(&owner, &["read"]).await;
        reading.get("/metrics").await.is(403);
        let (_, metrics) = world.key(&owner, &["metrics"]).await;
        let own = metrics.get("/metrics").await.is(200);
        assert!(
            own.text.contains("landfall_monitor_verdict{monitor=\"api\"")
                && !own.text.contains("landfall_build_info"),
            "{}",
            own.text
        );
        world.stranger().with_key("lf_nonsense").get("/metrics").await.is(401);
    }
}

#[tokio::test]
async fn support_and_billing_ask_who_one_is_and_keep_organisations_apart() {
    for world in World::both().await {
        let owner = world.owner().await;
        let foreigner = world.foreigner().await;
        let chat = json!({ "message": "why is it down?" });
        world.stranger().post("/api/v1/support/chat", chat.clone()).await.is(401);
        let answer = owner.post("/api/v1/support/chat", chat.clone()).await.is(200);
        assert_eq!(answer.body["answered_by"], "rules");
        let conversation = answer.body["conversationId"].clone();
        let follow = json!({ "message": "why?", "conversationId": conversation });
        owner.post("/api/v1/support/chat", follow.clone()).await.is(200);
        foreigner.post("/api/v1/support/chat", follow).await.is(404);
        let streamed = owner.clone().with("accept", "text/event-stream");
        let seen =
            streamed.post("/api/v1/support/chat", json!({ "message": "why?", "stream": true })).await.is(200);
        assert!(seen.text.starts_with("event: done\n"), "{}", seen.text);

        let ticket =
            owner.post("/api/v1/support/escalate", json!({ "message": "please help" })).await.is(201);
        let path = format!("/api/v1/support/tickets/{}", ticket.body["ticketId"].as_str().expect("an id"));
        owner.get(&path).await.is(200);
        foreigner.get(&path).await.is(404);
        foreigner.post(&format!("{path}/close"), json!({})).await.is(404);
        assert!(foreigner.get("/api/v1/support/tickets").await.is(200).items().is_empty());
        let reader = world.member(&owner, "reader", "reader@example.com").await;
        reader.post(&format!("{path}/close"), json!({})).await.is(403);
        assert_eq!(reader.get("/api/v1/support/tickets").await.is(200).items().len(), 1);
        owner.post(&format!("{path}/close"), json!({})).await.is(200);

        // Without billing everything is included, and there is nothing to buy.
        let billing = owner.get("/api/v1/billing").await.is(200);
        assert_eq!((&billing.body["on"], &billing.body["plan"]), (&json!(false), &json!("free")));
        owner.post("/api/v1/billing/checkout", json!({ "plan": "team" })).await.is(404);
        reader.get("/api/v1/billing").await.is(403);
        reader.post("/api/v1/billing/checkout", json!({ "plan": "team" })).await.is(403);
        let (_, admin_key) = world.key(&owner, &["admin"]).await;
        admin_key.post("/api/v1/billing/checkout", json!({ "plan": "team" })).await.is(403);
        // A page of somebody else cannot make a browser buy.
        let forged = owner.clone().with("sec-fetch-site", "cross-site");
        forged.post("/api/v1/billing/portal", json!({})).await.is(403);
    }
}

#[tokio::test]
async fn webhooks_need_no_session_and_believe_none() {
    let on = |settings: &mut landfall_server::Settings| {
        settings.billing = BillingSettings {
            on: true,
            webhook_secrets: vec!["whsec_1".into()],
            ..BillingSettings::default()
        };
    };
    for world in World::both_with(on).await {
        let owner = world.owner().await;
        let event = json!({ "id": "evt_1", "type": "x", "created": 1, "data": { "object": {} } });
        for path in ["/api/webhooks/stripe/checkout-completed", "/api/webhooks/stripe"] {
            world.stranger().post(path, event.clone()).await.is(400);
            owner.post(path, event.clone()).await.is(400);
            owner.get(path).await.is(405);
        }
        owner.post("/api/support/telegram", json!({})).await.is(404);
        world.clock.advance(Duration::from_secs(10));
        world.app.live.watch_ticked(world.now());
        let health = world.stranger().get("/api/webhooks/stripe/health").await.is(200);
        assert_eq!((&health.body["ok"], &health.body["last_event"]), (&json!(true), &json!(null)));
    }
}
