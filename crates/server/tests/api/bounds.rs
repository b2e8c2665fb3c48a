//! Bounds and refusals that hold for every route.

use http::Method;
use landfall_server::Settings;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::world::{World, http_monitor};

#[tokio::test]
async fn refusals_are_problems_with_what_a_client_needs() {
    let world = World::sqlite().await;
    let owner = world.owner().await;
    let missing = owner.get("/api/v1/nothing").await.is(404);
    for name in ["x-request-id", "x-content-type-options", "content-security-policy", "ratelimit"] {
        assert!(missing.header(name).is_some(), "{name}");
    }
    let wrong = owner.send(&Method::DELETE, "/api/v1/monitors", None).await.is(405);
    let allow = wrong.header("allow").expect("the methods that it takes");
    assert!(allow.contains("GET") && allow.contains("POST") && allow.contains("HEAD"), "{allow}");
    owner.clone().with("accept", "text/html").get("/api/v1/monitors").await.is(406);
    owner.clone().with("accept", "application/json;q=0").get("/api/v1/monitors").await.is(406);
    owner.clone().with("accept", "text/html, */*;q=0.1").get("/api/v1/monitors").await.is(200);
    owner.get("/api/v1/monitors?limit=0").await.is(400);
    owner.get("/api/v1/monitors?limit=501").await.is(400);
    owner.get("/api/v1/monitors?verdikt=up").await.is(400);
    owner.get("/api/v1/monitors?after=x").await.is(400);
    owner.get("/api/v1/monitors/not-an-id").await.is(404);
    let unauthenticated = world.stranger().get("/api/v1/monitors").await.is(401);
    assert_eq!(unauthenticated.header("www-authenticate"), Some("Bearer"));
}

/// Sends bytes as they are and reads until the server hangs up or has said `until`.
async fn raw(world: &World, request: &str, until: &str) -> String {
    let address = world.base.trim_start_matches("http://");
    let mut socket = tokio::net::TcpStream::connect(address).await.expect("connects");
    socket.write_all(request.as_bytes()).await.expect("written");
    let mut said = Vec::new();
    let mut part = [0; 4096];
    while !String::from_utf8_lossy(&said).contains(until) {
        match socket.read(&mut part).await {
            Ok(0) | Err(_) => break,
            Ok(n) => said.extend_from_slice(&part[..n]),
        }
    }
    String::from_utf8_lossy(&said).into_owned()
}

#[tokio::test]
async fn bodies_are_bounded_typed_and_read_with_a_place_for_each_mistake() {
    let world = &World::both_with(|s: &mut Settings| s.body_byte = 2000).await[0];
    let owner = world.owner().await;
    let mut large = http_monitor("Large");
    large["check"]["body"] = "x".repeat(3000).into();
    owner.post("/api/v1/monitors", large).await.is(413);
    let cookie = owner.headers["cookie"].to_str().expect("text").to_owned();
    let send = |kind: &str, body: &str| {
        format!(
            "POST /api/v1/monitors HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\nsec-fetch-site: same-origin\r\n\
             connection: close\r\n{kind}content-length: {}\r\n\r\n{body}",
            body.len()
        )
    };
    let json = "content-type: application/json\r\n";
    for (request, expected) in [
        (send("", "{}"), "HTTP/1.1 415"),
        (send("content-type: text/plain\r\n", "{}"), "HTTP/1.1 415"),
        (send("content-type: application/x-www-form-urlencoded\r\n", "name=x"), "HTTP/1.1 415"),
        (send(json, ""), "HTTP/1.1 422"),
        (send(json, "{\"name\": "), "HTTP/1.1 422"),
        (send(json, "{} {}"), "HTTP/1.1 422"),
        (send(json, "\u{0}"), "HTTP/1.1 422"),
        (send(json, &"[".repeat(1500)), "HTTP/1.1 422"),
    ] {
        let said = raw(world, &request, "\"detail\"").await;
        assert!(said.starts_with(expected), "{request}\n{said}");
        assert!(said.contains("application/problem+json"), "{said}");
    }
    let place = owner
        .post(
            "/api/v1/monitors",
            json!({ "name": "x", "labels": { "a/b": 5 }, "check": { "kind": "audit", "url": "https://x" } }),
        )
        .await
        .is(422);
    assert_eq!(place.body["errors"][0]["field"], "/labels/a~1b");
}

#[tokio::test]
async fn a_handler_that_takes_too_long_is_given_up() {
    let world =
        &World::both_with(|s: &mut Settings| s.request_timeout = std::time::Duration::from_millis(300)).await
            [0];
    let owner = world.owner().await;
    let cookie = owner.headers["cookie"].to_str().expect("text");
    // The body never comes.
    let request = format!(
        "POST /api/v1/monitors HTTP/1.1\r\nhost: x\r\ncookie: {cookie}\r\nsec-fetch-site: same-origin\r\n\
         content-type: application/json\r\ncontent-length: 10\r\n\r\n{{"
    );
    let said = raw(world, &request, "given up").await;
    assert!(said.starts_with("HTTP/1.1 503"), "{said}");
}

#[tokio::test]
async fn a_database_that_is_gone_is_a_503_that_says_nothing_of_it() {
    let server = landfall_store::testkit::Postgres::start();
    server.psql("postgres", "CREATE DATABASE gone");
    let store = landfall_store::Store::open(&server.url("gone")).await.expect("opens");
    let mut world = World::sqlite().await;
    world = world.with_store(store).await;
    let owner = world.owner().await;
    server.stop();
    let failed = owner.get("/api/v1/monitors").await.is(503);
    assert!(failed.header("retry-after").is_some());
    for word in ["postgres", "127.0.0.1", "sql", "gone"] {
        assert!(!failed.text.to_lowercase().contains(word), "{word}: {}", failed.text);
    }
    server.run();
    owner.get("/api/v1/monitors").await.is(200);
}

#[tokio::test]
async fn the_description_is_complete() {
    let world = World::sqlite().await;
    let document = world.stranger().get("/api/v1/openapi.json").await.is(200);
    assert_eq!(document.body["openapi"], "3.1.0");
    assert!(document.body["components"]["securitySchemes"]["key"].is_object());
    // Every reference leads somewhere.
    let mut rest = document.text.as_str();
    while let Some(at) = rest.find("\"$ref\":\"#/") {
        let reference = rest[at + 9..].split('"').next().expect("it ends");
        assert!(document.body.pointer(reference).is_some(), "{reference}");
        rest = &rest[at + 10..];
    }
    for (path, item) in document.body["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let what = format!("{method} {path}");
            assert!(operation["summary"].as_str().is_some_and(|s| !s.is_empty()), "{what} has no summary");
            let responses = operation["responses"].as_object().expect("responses");
            assert!(responses.keys().any(|s| s.starts_with('2')), "{what}");
            for (status, response) in responses {
                assert!(response["description"].as_str().is_some_and(|d| !d.is_empty()), "{what} {status}");
                if status.starts_with(['4', '5']) {
                    assert!(response["content"]["application/problem+json"].is_object(), "{what} {status}");
                }
            }
        }
    }
}
