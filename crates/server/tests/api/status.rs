//! Status pages and announcements, checks on request, and problems for browsers.

use http::Method;
use landfall_store::params;
use serde_json::json;

use crate::world::{World, http_monitor};

#[tokio::test]
async fn a_status_page_is_declared_renamed_read_and_deleted() {
    for world in World::both().await {
        let owner = world.owner().await;
        let path = "/api/v1/status-pages/by-slug/levqor";
        let spec = json!({ "title": "Levqor", "label": "team=web" });
        let made = owner.put(path, spec.clone()).await.is(201);
        assert_eq!(made.body["published"], true);
        assert!(made.body["url"].as_str().is_some_and(|u| u.ends_with("/status/levqor")), "{}", made.text);
        let etag = made.header("etag").expect("a version").to_owned();
        let same = owner.put(path, spec.clone()).await.is(200);
        assert_eq!(same.header("etag"), Some(etag.as_str()), "the same again changes nothing");
        owner.clone().with("if-none-match", "*").put(path, spec.clone()).await.is(412);
        let changed = owner.put(path, json!({ "title": "Levqor now" })).await.is(200);
        assert_ne!(changed.header("etag"), Some(etag.as_str()));
        owner.clone().with("if-match", &etag).put(path, spec.clone()).await.is(412);
        for (slug, body, field) in [
            ("Upper", spec.clone(), "/slug"),
            ("-dash", spec.clone(), "/slug"),
            ("fine", json!({ "title": " " }), "/title"),
            ("fine", json!({ "title": "a", "label": "team" }), "/label"),
            ("fine", json!({ "title": "a", "about": "x".repeat(2001) }), "/about"),
        ] {
            let refused = owner.put(&format!("/api/v1/status-pages/by-slug/{slug}"), body).await.is(422);
            assert_eq!(refused.body["errors"][0]["field"], field, "{}", refused.text);
        }
        // The name in the URL is one for the whole server.
        let foreigner = world.foreigner().await;
        let taken = foreigner.put(path, spec.clone()).await.is(409);
        assert!(!taken.text.contains("Levqor now") && !taken.text.contains(&made.id()), "{}", taken.text);
        foreigner.get(path).await.is(404);
        owner.put("/api/v1/status-pages/by-slug/other", spec.clone()).await.is(201);
        let rename = format!("/api/v1/status-pages/{}/rename", made.id());
        owner.post(&rename, json!({ "slug": "other" })).await.is(409);
        assert_eq!(owner.post(&rename, json!({ "slug": "new" })).await.is(200).body["title"], "Levqor now");
        owner.get(path).await.is(404);
        // Keyset pages.
        let first = owner.get("/api/v1/status-pages?limit=1").await.is(200);
        let next = first.body["next"].as_str().expect("there is more").to_owned();
        let second = owner.get(&format!("/api/v1/status-pages?limit=1&after={next}")).await.is(200);
        assert_ne!(first.items()[0]["id"], second.items()[0]["id"]);
        assert!(second.body.get("next").is_none());
        owner.delete(&format!("/api/v1/status-pages/{}", made.id())).await.is(204);
        owner.get("/api/v1/status-pages/by-slug/new").await.is(404);
        let log = owner.get("/api/v1/log").await.is(200);
        assert!(log.text.contains("deleted the status page new"), "{}", log.text);
    }
}

#[tokio::test]
async fn an_announcement_goes_through_its_states_and_keeps_its_zone() {
    for world in World::both().await {
        let owner = world.owner().await;
        let page = owner.put("/api/v1/status-pages/by-slug/web", json!({ "title": "Web" })).await.is(201);
        let path = format!("/api/v1/status-pages/{}/announcements", page.id());
        let planned = owner
            .post(
                &path,
                json!({ "kind": "maintenance", "title": "Upgrade", "say": "Ten minutes.",
                        "starts": "2026-07-01T22:00", "ends": "2026-07-01T23:00", "zone": "Europe/Berlin" }),
            )
            .await
            .is(201);
        assert_eq!(planned.body["starts"], "2026-07-01T20:00:00Z");
        assert_eq!(
            (&planned.body["state"], &planned.body["zone"]),
            (&json!("scheduled"), &json!("Europe/Berlin"))
        );
        let wrong = owner
            .post(&path, json!({ "kind": "incident", "title": "a", "say": "b", "zone": "Mars/Base", "starts": "soon" }))
            .await
            .is(422);
        assert_eq!(wrong.body["errors"].as_array().map(Vec::len), Some(2), "{}", wrong.text);
        owner
            .post(
                &path,
                json!({ "kind": "incident", "title": "a", "say": "b", "ends": "2020-01-01T00:00:00Z" }),
            )
            .await
            .is(409);
        let one = format!("/api/v1/announcements/{}", planned.id());
        let update = format!("{one}/updates");
        owner.post(&update, json!({ "state": "resolved", "say": "x" })).await.is(422);
        owner.post(&update, json!({ "state": "completed", "say": "  " })).await.is(422);
        let done = owner.post(&update, json!({ "state": "completed", "say": "Done." })).await.is(200);
        assert!(done.body["closed"].is_string());
        let said: Vec<_> =
            done.body["updates"].as_array().expect("updates").iter().map(|u| u["say"].clone()).collect();
        assert_eq!(said, [json!("Done."), json!("Ten minutes.")]);
        owner.post(&path, json!({ "kind": "incident", "title": "Slow", "say": "We look." })).await.is(201);
        let list = owner.get(&format!("{path}?limit=1")).await.is(200);
        assert_eq!(list.items()[0]["title"], "Slow");
        let next = list.body["next"].as_str().expect("there is more");
        let rest = owner.get(&format!("{path}?limit=1&after={next}")).await.is(200);
        assert_eq!(rest.items()[0]["updates"].as_array().map(Vec::len), Some(2));
    }
}

#[tokio::test]
async fn a_monitor_is_published_and_hidden_and_checked_on_request() {
    for world in World::both().await {
        let owner = world.owner().await;
        let made = owner.put("/api/v1/monitors/by-external-id/web", http_monitor("Web")).await.is(201);
        let path = format!("/api/v1/monitors/{}", made.id());
        let public = owner.patch(&path, json!({ "public": true })).await.is(200);
        assert_eq!(public.body["spec"]["public"], true);
        let hidden = owner.patch(&path, json!({ "public": false, "paused": true })).await.is(200);
        assert_eq!(
            (hidden.body["paused"].as_bool(), hidden.body["spec"]["public"].as_bool().unwrap_or(false)),
            (Some(true), false)
        );
        let check = format!("{path}/check");
        owner.send(&Method::POST, &check, None).await.is(409);
        owner.patch(&path, json!({ "paused": false })).await.is(200);
        let store = &world.app.store;
        let asked = async || {
            store.query("SELECT monitor_id, asked_us FROM check_requests", &[]).await.expect("answers").len()
        };
        assert_eq!(asked().await, 0);
        let said = owner.send(&Method::POST, &check, None).await.is(202);
        assert_eq!(said.body["monitor"], json!(made.id()));
        owner.send(&Method::POST, "/api/v1/monitors/by-external-id/web/check", None).await.is(202);
        assert_eq!(asked().await, 1, "one request waits, however often it is asked for");
        let reader = world.member(&owner, "reader", "reader@example.com").await;
        reader.send(&Method::POST, &check, None).await.is(403);
        // What a file declares is published there.
        store
            .execute("UPDATE monitors SET origin = 'file' WHERE id = $1", params![made.id()])
            .await
            .expect("written");
        owner.patch(&path, json!({ "public": true })).await.is(409);
    }
}

#[tokio::test]
async fn browsers_get_pages_and_programs_get_problems() {
    let world = World::sqlite().await;
    let browser = world.stranger().with("accept", "text/html,application/xhtml+xml,*/*;q=0.8");
    let page = browser.get("/no/such/page").await;
    let kind = |a: &crate::world::Answer| a.header("content-type").unwrap_or_default().to_owned();
    assert_eq!((page.status, kind(&page).as_str()), (404, "text/html; charset=utf-8"), "{}", page.text);
    assert!(page.text.contains("There is nothing here"), "{}", page.text);
    assert_eq!(page.header("x-content-type-options"), Some("nosniff"));
    assert!(page.header("x-request-id").is_some());
    let policies = page.headers.get_all("content-security-policy").iter().count();
    assert_eq!(policies, 1, "a page's policy, and not also that of an answer to a program");
    assert!(page.header("content-security-policy").is_some_and(|p| p.contains("style-src 'self'")));
    world.stranger().get("/no/such/page").await.is(404);
    browser.get("/api/v1/no/such").await.is(404);
    browser.get("/health/no/such").await.is(404);
    let wrong = browser.send(&Method::DELETE, "/no/such/page", None).await;
    assert!(wrong.status == 404 || wrong.status == 405, "{}", wrong.text);
    // Too many requests: a page for a browser, with the time to wait.
    let world =
        World::on(landfall_store::testkit::TestDb::sqlite().await, &|s: &mut landfall_server::Settings| {
            s.limits.address.requests = 1;
        })
        .await;
    let browser = world.stranger().with("accept", "text/html");
    let mut last = browser.get("/no/such/page").await;
    for _ in 0..50 {
        if last.status == 429 {
            break;
        }
        last = browser.get("/no/such/page").await;
    }
    assert_eq!((last.status, kind(&last).as_str()), (429, "text/html; charset=utf-8"), "{}", last.text);
    assert!(last.header("retry-after").is_some() && last.text.contains("Too many requests"), "{}", last.text);
}
