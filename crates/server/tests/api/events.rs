//! The stream of events.

use futures_util::StreamExt as _;
use http::Method;
use landfall_monitor::Happened;
use serde_json::json;

use crate::world::{Asker, World, http_monitor};

/// An open stream.
struct Reading {
    parts: futures_util::stream::BoxStream<'static, reqwest::Result<bytes::Bytes>>,
    text: String,
}

impl Reading {
    async fn of(asker: &Asker) -> Self {
        let response = asker.open(&Method::GET, "/api/v1/events").await;
        assert_eq!(response.status(), 200);
        assert_eq!(response.headers()["content-type"], "text/event-stream");
        let mut reading = Self { parts: response.bytes_stream().boxed(), text: String::new() };
        reading.until("listening").await;
        reading
    }

    /// Reads until it has said this; what it has said so far, and nothing if it ends before.
    async fn until(&mut self, word: &str) -> Option<&str> {
        while !self.text.contains(word) {
            let part = self.parts.next().await?.ok()?;
            self.text.push_str(&String::from_utf8_lossy(&part));
        }
        Some(&self.text)
    }
}

#[tokio::test]
async fn a_stream_tells_what_happens_at_home_and_nothing_else() {
    for world in World::both().await {
        let owner = world.owner().await;
        let foreigner = world.foreigner().await;
        let mut ours = Reading::of(&owner).await;
        let mut theirs = Reading::of(&foreigner).await;
        owner.post("/api/v1/monitors", http_monitor("secret")).await.is(201);
        let made = foreigner.post("/api/v1/monitors", http_monitor("Theirs")).await.is(201);
        let said = theirs.until("created").await.expect("told").to_owned();
        assert!(said.contains("event: monitor\n") && said.contains(&made.id()), "{said}");
        assert!(!said.contains("owner@example.com"), "{said}");
        let said = ours.until("created").await.expect("told");
        assert!(said.contains("owner@example.com") && !said.contains(&made.id()), "{said}");
    }
}

#[tokio::test]
async fn a_reader_that_is_too_slow_is_told_how_much_it_missed() {
    let world = World::sqlite().await;
    let owner = world.owner().await;
    let made = owner.post("/api/v1/monitors", http_monitor("A")).await.is(201);
    let mut reading = Reading::of(&owner).await;
    let org = world.app.store.orgs().await.expect("answers")[0].id;
    // All at once, so that the stream has no turn in between: this is one thread.
    for _ in 0..3000 {
        world.app.bus.tell(Happened {
            org,
            kind: "monitor",
            id: made.id().parse().expect("an id"),
            what: "checked",
            detail: json!({}),
        });
    }
    let said = reading.until("event: lag").await.expect("told");
    assert!(said.contains("\"missed\":"), "{said}");
}

#[tokio::test]
async fn streams_are_bounded_and_counted_down_when_they_end() {
    let world = World::sqlite().await;
    let owner = world.owner().await;
    let (_, key) = world.key(&owner, &["read"]).await;
    let mut open = Vec::new();
    for _ in 0..10 {
        open.push(Reading::of(&key).await);
    }
    key.get("/api/v1/events").await.is(429);
    drop(Reading::of(&owner).await);
    drop(open);
    // The server sees that a reader is gone when it writes next.
    let org = world.app.store.orgs().await.expect("answers")[0].id;
    loop {
        world.app.bus.tell(Happened {
            org,
            kind: "job",
            id: landfall_store::Id::new(),
            what: "ran",
            detail: json!({}),
        });
        tokio::task::yield_now().await;
        let answer = key.open(&Method::GET, "/api/v1/events").await;
        if answer.status() == 200 {
            break;
        }
    }
}

#[tokio::test]
async fn a_stream_refuses_who_may_not_read() {
    let world = World::sqlite().await;
    let owner = world.owner().await;
    let (_, metrics) = world.key(&owner, &["metrics"]).await;
    metrics.get("/api/v1/events").await.is(403);
    world.stranger().get("/api/v1/events").await.is(401);
    owner.clone().with("accept", "application/json").get("/api/v1/events").await.is(406);
}

#[tokio::test]
async fn a_reader_is_not_told_the_secret_of_a_ping_url() {
    for world in World::both().await {
        let owner = world.owner().await;
        let reader = world.member(&owner, "reader", "reader@example.com").await;
        let path = "/api/v1/heartbeats/by-external-id/nightly";
        let made = owner.put(path, json!({ "name": "Nightly", "period_s": 3600 })).await.is(201);
        let secret = made.id();
        let mut theirs = Reading::of(&reader).await;
        let mut ours = Reading::of(&owner).await;
        let org = world.app.store.orgs().await.expect("answers")[0].id;
        world.app.bus.tell(Happened {
            org,
            kind: "heartbeat",
            id: secret.parse().expect("an id"),
            what: "ping",
            detail: json!({}),
        });
        assert!(ours.until("ping").await.expect("told").contains(&secret));
        assert!(!theirs.until("ping").await.expect("told").contains(&secret));
    }
}

#[tokio::test]
async fn the_steps_of_an_audit_are_told_as_they_are_taken() {
    let world = World::sqlite().await;
    let owner = world.owner().await;
    let report = owner.post("/api/v1/reports", json!({ "url": "https://example.com/" })).await.is(202);
    let org = world.app.store.orgs().await.expect("answers")[0].id;
    let mut reading = Reading::of(&owner).await;
    for (event, step) in [("begin", "DNS of example.com"), ("end", "DNS of example.com"), ("wait", "5 s")] {
        world.app.bus.tell(Happened {
            org,
            kind: "report",
            id: report.id().parse().expect("an id"),
            what: "progress",
            detail: json!({ "event": event, "step": step }),
        });
    }
    let said = reading.until("\"wait\"").await.expect("told").to_owned();
    let of = |event: &str| {
        let data = said.lines().filter_map(|l| l.strip_prefix("data: "));
        let data = data.filter_map(|d| serde_json::from_str::<serde_json::Value>(d).ok());
        data.filter(|d| d["detail"]["event"] == event)
            .map(|d| (d["id"].clone(), d["detail"]["step"].clone()))
            .collect::<Vec<_>>()
    };
    assert_eq!(of("begin"), [(json!(report.id()), json!("DNS of example.com"))], "{said}");
    assert_eq!(of("end").len(), 1, "{said}");
    assert_eq!(of("wait"), [(json!(report.id()), json!("5 s"))], "{said}");
}
