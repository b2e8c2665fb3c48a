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
