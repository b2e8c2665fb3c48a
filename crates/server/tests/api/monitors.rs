//! Monitors by the API.

use serde_json::{Value as Json, json};

use crate::world::{World, http_monitor};

#[tokio::test]
async fn a_monitor_is_declared_read_changed_and_deleted() {
    for world in World::both().await {
        let owner = world.owner().await;
        let path = "/api/v1/monitors/by-external-id/web";
        let made = owner.put(path, http_monitor("Web")).await.is(201);
        assert_eq!(made.body["verdict"], "new");
        assert_eq!(made.body["target"], "https://example.com/health");
        let again = owner.put(path, http_monitor("Web")).await.is(200);
        assert_eq!(again.header("etag"), made.header("etag"), "the same declaration changes nothing");
        let tag = made.header("etag").expect("a tag").to_owned();
        let changed = owner.clone().with("if-match", &tag).put(path, http_monitor("Website")).await.is(200);
        assert_eq!(changed.body["name"], "Website");
        assert_eq!(changed.id(), made.id(), "a rename keeps the id");
        owner.clone().with("if-match", &tag).put(path, http_monitor("Late")).await.is(412);
        owner.clone().with("if-none-match", "*").put(path, http_monitor("Late")).await.is(412);

        let one = format!("/api/v1/monitors/{}", made.id());
        let paused = owner.patch(&one, json!({ "paused": true })).await.is(200);
        assert_eq!(paused.body["verdict"], "paused");
        assert_eq!(owner.get("/api/v1/monitors?verdict=paused").await.is(200).items().len(), 1);
        assert_eq!(owner.get("/api/v1/monitors?verdict=up").await.is(200).items().len(), 0);
        assert_eq!(owner.get("/api/v1/monitors?q=EBS").await.is(200).items().len(), 1);
        assert_eq!(owner.get("/api/v1/monitors?q=%25").await.is(200).items().len(), 0);
        for below in ["results", "uptime", "buckets?width=day"] {
            owner.get(&format!("{one}/{below}")).await.is(200);
        }
        owner.delete(&one).await.is(204);
        owner.get(&one).await.is(404);
        owner.delete(&one).await.is(404);
        owner.put(path, http_monitor("Web")).await.is(201);
        let log = owner.get("/api/v1/log").await.is(200);
        let said: Vec<&str> = log.items().iter().filter_map(|l| l["say"].as_str()).collect();
        assert_eq!(said[0], "created the monitor Web");
        assert_eq!(said[1], "deleted the monitor Website");
    }
}

#[tokio::test]
async fn pages_follow_one_another_without_gap_or_repetition() {
    for world in World::both().await {
        let owner = world.owner().await;
        for n in 0..7 {
            owner.post("/api/v1/monitors", http_monitor(&format!("m{n}"))).await.is(201);
        }
        let (mut path, mut seen) = ("/api/v1/monitors?limit=3".to_owned(), Vec::new());
        loop {
            let page = owner.get(&path).await.is(200);
            seen.extend(page.items().iter().map(|m| m["name"].as_str().expect("a name").to_owned()));
            let Some(link) = page.header("link") else { break };
            assert!(page.body["next"].is_string());
            path = link.trim_start_matches('<').split('>').next().expect("a target").to_owned();
        }
        assert_eq!(seen, ["m0", "m1", "m2", "m3", "m4", "m5", "m6"]);
    }
}

#[tokio::test]
async fn secret_values_are_never_shown_and_survive_being_sent_back() {
    let world = World::sqlite().await;
    let owner = world.owner().await;
    let path = "/api/v1/monitors/by-external-id/api";
    let mut spec = http_monitor("API");
    spec["check"]["url"] = "https://user:hunter2@example.com/".into();
    spec["check"]["headers"] = json!({ "Authorization": "Bearer hunter2" });
    spec["check"]["body"] = "token=hunter2".into();
    owner.put(path, spec).await.is(201);
    let read = owner.get(path).await.is(200);
    assert!(!read.text.contains("hunter2"), "{}", read.text);
    let mut back: Json = read.body["spec"].clone();
    back["name"] = "API 2".into();
    owner.put(path, back).await.is(200);
    let kept = world.app.store.query("SELECT spec FROM monitors", &[]).await.expect("answers");
    let kept = kept[0].text("spec").expect("a text");
    assert_eq!(kept.matches("hunter2").count(), 3, "{kept}");
    let mut fresh = http_monitor("New");
    fresh["check"]["headers"] = json!({ "X-Key": "[redacted]" });
    let refused = owner.put("/api/v1/monitors/by-external-id/new", fresh).await.is(422);
    assert_eq!(refused.body["errors"][0]["field"], "/check/headers/X-Key");
}

#[tokio::test]
async fn what_is_wrong_with_a_declaration_is_said_with_its_place() {
    let world = World::sqlite().await;
    let owner = world.owner().await;
    let cases = [
        (json!({ "name": "x", "check": { "kind": "http" } }), "/check"),
        (json!({ "name": "x", "check": { "kind": "http", "url": "ftp://x" } }), "/check/url"),
        (json!({ "name": "", "interval_s": 600, "check": { "kind": "audit", "url": "https://x" } }), "/name"),
        (
            json!({ "name": "x", "interval_s": 1, "check": { "kind": "audit", "url": "https://x" } }),
            "/interval_s",
        ),
        (
            json!({ "name": "x", "interval_s": 600, "timeout_ms": 1, "check": { "kind": "audit", "url": "https://x" } }),
            "/timeout_ms",
        ),
        (json!({ "name": 5, "interval_s": 600, "check": { "kind": "audit", "url": "https://x" } }), "/name"),
        (json!([]), ""),
    ];
    for (spec, field) in cases {
        let answer = owner.post("/api/v1/monitors", spec.clone()).await.is(422);
        assert_eq!(answer.body["errors"][0]["field"], field, "{spec}: {}", answer.text);
    }
}

#[tokio::test]
async fn uptime_is_known_before_the_first_hour_is_summed_up() {
    for world in World::both().await {
        let owner = world.owner().await;
        let made = owner.put("/api/v1/monitors/by-external-id/web", http_monitor("Web")).await.is(201);
        let path = format!("/api/v1/monitors/{}", made.id());
        assert!(owner.get(&path).await.is(200).body.get("uptime_24h").is_none());
        let store = &world.app.store;
        let org = store.orgs().await.expect("answers")[0].id;
        let hour_us = 3_600_000_000;
        let now_us = world.now().as_microsecond().div_euclid(hour_us) * hour_us;
        let sum = async |grain: &str, from_us: i64, up: i64, down: i64| {
            store
                .execute(
                    "INSERT INTO rollups (monitor_id, org_id, grain, bucket_us, up, down) VALUES ($1, $2, $3, $4, $5, $6)",
                    landfall_store::params![made.id(), org, grain, from_us, up, down],
                )
                .await
                .expect("written");
        };
        sum("minute", now_us - hour_us, 1, 0).await;
        sum("minute", now_us, 1, 2).await;
        assert_eq!(owner.get(&path).await.is(200).body["uptime_24h"], 0.5);
        assert_eq!(owner.get(&format!("{path}/uptime")).await.is(200).body["day"], 0.5);
        // The hour takes the place of its minutes, and those after it are still counted.
        sum("hour", now_us - hour_us, 1, 0).await;
        assert_eq!(owner.get(&path).await.is(200).body["uptime_24h"], 0.5);
        let list = owner.get("/api/v1/monitors").await.is(200);
        assert_eq!(list.items()[0]["uptime_24h"], 0.5);
    }
}
