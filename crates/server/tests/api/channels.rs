//! Channels by the API.

use http::Method;
use serde_json::json;

use crate::world::World;

#[tokio::test]
async fn a_channel_is_declared_tested_and_deleted_and_shows_no_secret() {
    for world in World::both().await {
        let owner = world.owner().await;
        let path = "/api/v1/channels/by-external-id/chat";
        let spec = json!({ "name": "Chat", "kind": "telegram", "config": { "bot_token": "12345678:hunter2hunter2hunter2hunter2hunter2", "chat_id": "42" } });
        let made = owner.put(path, spec).await.is(201);
        assert!(!made.text.contains("hunter2"), "{}", made.text);
        let mut back = json!({ "name": "Chat 2", "kind": "telegram", "config": made.body["config"] });
        owner.put(path, back.clone()).await.is(200);
        let kept = world.app.store.query("SELECT config FROM channels", &[]).await.expect("answers");
        assert!(
            kept[0].text("config").expect("text").contains("hunter2"),
            "a mask that comes back keeps the secret"
        );
        back["kind"] = "carrier-pigeon".into();
        let refused = owner.put(path, back).await.is(422);
        assert_eq!(refused.body["errors"][0]["field"], "/kind");

        let one = format!("/api/v1/channels/{}", made.id());
        owner.send(&Method::POST, &format!("{one}/test"), None).await.is(202);
        owner.send(&Method::POST, &format!("{one}/test"), None).await.is(202);
        let letters = owner.get("/api/v1/outbox?state=pending").await.is(200);
        assert_eq!(letters.items().len(), 2, "each test is a letter of its own");
        assert_eq!(letters.items()[0]["headline"], "Test of the channel Chat 2: it works");
        let id = letters.items()[0]["id"].as_str().expect("an id");
        owner.send(&Method::POST, &format!("/api/v1/outbox/{id}/retry"), None).await.is(404);
        world.app.store.execute("UPDATE outbox SET state = 'dead'", &[]).await.expect("written");
        owner.send(&Method::POST, &format!("/api/v1/outbox/{id}/retry"), None).await.is(202);
        assert_eq!(owner.get("/api/v1/outbox?state=pending").await.is(200).items().len(), 1);

        owner.patch(&one, json!({ "enabled": false })).await.is(200);
        owner.send(&Method::POST, &format!("{one}/test"), None).await.is(409);
        owner.delete(&one).await.is(204);
        owner.get(&one).await.is(404);
        let log = owner.get("/api/v1/log").await.is(200);
        assert_eq!(log.items()[0]["say"], "deleted the channel Chat 2");
        assert!(!log.text.contains("hunter2"));
    }
}
