//! Nobody reaches what is somebody else's, whatever they send. Driven by the API's own description, so that a route that
//! is added is tried, too.

use http::Method;
use landfall_store::params;
use serde_json::{Value as Json, json};

use crate::world::{Asker, World, http_monitor};

/// One operation of the description, with the ids of an organisation filled in.
struct Operation {
    name: String,
    method: Method,
    path: String,
    /// Whether it has to be refused to somebody who is nobody.
    guarded: bool,
    body: Option<Json>,
    /// Whether the path names one thing of one organisation.
    names: bool,
}

/// One thing of each kind in an organisation, by the first part of the path that names it.
pub(crate) async fn things(world: &World, owner: &Asker, mark: &str) -> Vec<(&'static str, String)> {
    let monitor = owner
        .put(&format!("/api/v1/monitors/by-external-id/{mark}"), http_monitor(&format!("{mark} monitor")))
        .await
        .is(201);
    let window = owner
        .put(
            &format!("/api/v1/windows/by-external-id/{mark}"),
            json!({ "name": format!("{mark} window"), "all": true, "start": "2026-11-25T22:00", "duration_min": 60 }),
        )
        .await
        .is(201);
    let report =
        owner.post("/api/v1/reports", json!({ "url": format!("https://{mark}.example/") })).await.is(202);
    let key = owner
        .post("/api/v1/keys", json!({ "name": format!("{mark} key"), "scopes": ["read"] }))
        .await
        .is(201);
    let invitation = owner
        .post("/api/v1/invitations", json!({ "role": "reader", "email": format!("{mark}@example.net") }))
        .await
        .is(201);
    let member = world.member(owner, "reader", &format!("{mark}-member@example.net")).await;
    let members = owner.get("/api/v1/members").await.is(200);
    let found = members
        .items()
        .iter()
        .find(|m| m["email"] == format!("{mark}-member@example.net"))
        .expect("a member");
    let person = found["id"].as_str().expect("an id").to_owned();
    let session =
        member.get("/api/v1/sessions").await.is(200).items()[0]["id"].as_str().expect("an id").to_owned();
    // What the watch writes.
    let store = &world.app.store;
    let org = store
        .query_opt("SELECT org_id FROM monitors WHERE id = $1", params![monitor.id()])
        .await
        .expect("answers");
    let org = org.expect("a row").text("org_id").expect("an id");
    let incident = landfall_store::Id::new();
    store
        .execute(
            "INSERT INTO incidents (id, org_id, status, title, scope, began_us, confirmed_us) VALUES ($1, $2, 'open', $3, $4, 1, 2)",
            params![incident, org.as_str(), format!("{mark} incident"), mark],
        )
        .await
        .expect("written");
    store
        .execute(
            "INSERT INTO incident_monitors (incident_id, monitor_id, org_id, joined_us) VALUES ($1, $2, $3, 1)",
            params![incident, monitor.id(), org.as_str()],
        )
        .await
        .expect("written");
    store
        .execute(
            "INSERT INTO incident_events (id, incident_id, org_id, at_us, kind, say) VALUES ($1, $2, $3, 1, 'confirmed', $4)",
            params![landfall_store::Id::new(), incident, org.as_str(), format!("{mark} event")],
        )
        .await
        .expect("written");
    store
        .execute(
            "INSERT INTO captures (id, org_id, monitor_id, incident_id, kind, at_us, body) VALUES ($1, $2, $3, $4, 'first-failure', 1, $5)",
            params![landfall_store::Id::new(), org.as_str(), monitor.id(), incident, format!("{{\"of\":\"{mark} capture\"}}")],
        )
        .await
        .expect("written");
    store
        .execute(
            "INSERT INTO results (id, org_id, monitor_id, scheduled_us, started_us, took_us, outcome, say)
             VALUES ($1, $2, $3, 1, 1, 1, 'up', $4)",
            params![landfall_store::Id::new(), org.as_str(), monitor.id(), format!("{mark} result")],
        )
        .await
        .expect("written");
    store
        .execute(
            "UPDATE reports SET evidence = $2 WHERE id = $1",
            params![report.id(), format!("{{\"of\":\"{mark} evidence\"}}")],
        )
        .await
        .expect("written");
    let channel = owner
        .put(
            &format!("/api/v1/channels/by-external-id/{mark}"),
            json!({ "name": format!("{mark} channel"), "kind": "webhook",
                    "config": { "url": format!("https://{mark}.example/hook") } }),
        )
        .await
        .is(201);
    owner
        .put(
            &format!("/api/v1/heartbeats/by-external-id/{mark}"),
            json!({ "name": format!("{mark} heartbeat"), "period_s": 3600 }),
        )
        .await
        .is(201);
    owner.send(&Method::POST, &format!("/api/v1/channels/{}/test", channel.id()), None).await.is(202);
    let letter =
        owner.get("/api/v1/outbox").await.is(200).items()[0]["id"].as_str().expect("an id").to_owned();
    store
        .execute("UPDATE outbox SET state = 'dead' WHERE id = $1", params![letter.as_str()])
        .await
        .expect("written");
    store
        .execute(
            "INSERT INTO deliveries (id, outbox_id, org_id, channel_id, at_us, took_us, outcome, say)
             VALUES ($1, $2, $3, $4, 1, 1, 'refused', $5)",
            params![
                landfall_store::Id::new(),
                letter.as_str(),
                org.as_str(),
                channel.id(),
                format!("{mark} delivery")
            ],
        )
        .await
        .expect("written");
    let page = owner
        .put(
            &format!("/api/v1/status-pages/by-slug/{mark}"),
            json!({ "title": format!("{mark} page"), "about": format!("{mark} words"), "published": false }),
        )
        .await
        .is(201);
    let announcement = owner
        .post(
            &format!("/api/v1/status-pages/{}/announcements", page.id()),
            json!({ "kind": "incident", "title": format!("{mark} announcement"), "say": format!("{mark} trouble") }),
        )
        .await
        .is(201);
    vec![
        ("monitors", monitor.id()),
        ("status-pages", page.id()),
        ("announcements", announcement.id()),
        ("slug", mark.to_owned()),
        ("windows", window.id()),
        ("reports", report.id()),
        ("keys", key.id()),
        ("invitations", invitation.id()),
        ("members", person),
        ("sessions", session),
        ("incidents", incident.to_string()),
        ("channels", channel.id()),
        ("outbox", letter),
        ("external_id", mark.to_owned()),
        // No ticket and no linked chat is made here: these name nothing, anywhere.
        ("support", landfall_store::Id::new().to_string()),
        ("provider", "telegram".into()),
        ("chat", "1".into()),
        // The jobs are the server's, not an organisation's.
        ("name", "rollups".into()),
    ]
}

/// A body that the operation would take, so that a refusal is not one of the body.
fn body_for(operation: &str, mark: &str) -> Option<Json> {
    Some(match operation {
        "createMonitor" | "putMonitor" => http_monitor("stolen"),
        "changeMonitor" => json!({ "paused": true }),
        "commentIncident" => json!({ "say": "stolen" }),
        "startAudit" => json!({ "url": "https://stolen.example/" }),
        "putWindow" => {
            json!({ "name": "stolen", "all": true, "start": "2026-11-25T22:00", "duration_min": 60 })
        }
        "putStatusPage" => json!({ "title": "stolen", "published": true }),
        "renameStatusPage" => json!({ "slug": "stolen" }),
        "announce" => json!({ "kind": "maintenance", "title": "stolen", "say": "stolen" }),
        "updateAnnouncement" => json!({ "state": "resolved", "say": "stolen" }),
        "createKey" => json!({ "name": "stolen", "scopes": ["read"] }),
        "rotateKey" => json!({ "overlap_s": 60 }),
        "invite" => json!({ "role": "reader" }),
        "changeMember" => json!({ "role": "admin" }),
        "changeOrganisation" => json!({ "name": "stolen" }),
        "switchOrganisation" => json!({ "organisation": mark }),
        "changePassword" => json!({ "current": "wrong wrong wrong", "new": "stolen stolen stolen" }),
        "signIn" => json!({ "email": "nobody@example.net", "password": "wrong wrong wrong" }),
        "createChannel" | "putChannel" => {
            json!({ "name": "stolen", "kind": "webhook", "config": { "url": "https://stolen.example/hook" } })
        }
        "changeChannel" => json!({ "enabled": false }),
        "putHeartbeat" => json!({ "name": "stolen", "period_s": 3600 }),
        "startCheckout" => json!({ "plan": "team" }),
        "askSupport" => json!({ "message": "why is it down?" }),
        "escalate" => json!({ "message": "stolen", "email": "stolen@example.net" }),
        "makeBotCode" => json!({}),
        "planDeclarations" | "applyDeclarations" => json!({ "monitors": {} }),
        _ => return None,
    })
}

async fn operations(world: &World, things: &[(&'static str, String)], mark: &str) -> Vec<Operation> {
    let document = world.stranger().get("/api/v1/openapi.json").await.is(200).body;
    let mut operations = Vec::new();
    for (template, item) in document["paths"].as_object().expect("paths") {
        for (method, operation) in item.as_object().expect("operations") {
            let name = operation["operationId"].as_str().expect("an operation has an id").to_owned();
            let mut path = template.clone();
            let mut names = false;
            while let Some(start) = path.find('{') {
                let end = path.find('}').expect("a parameter ends");
                let parameter = path[start + 1..end].to_owned();
                let kind = template.split('/').nth(3).expect("a kind");
                let key = if parameter == "id" { kind } else { &parameter };
                let id = things.iter().find(|(k, _)| *k == key);
                let (_, id) = id
                    .unwrap_or_else(|| panic!("{template}: the test makes nothing that {key} names; add it"));
                path.replace_range(start..=end, id);
                names = true;
            }
            let required =
                operation["requestBody"]["required"] == true || operation["requestBody"].is_object();
            let body = body_for(&name, mark);
            let guarded = operation.get("security") != Some(&json!([]));
            assert!(!required || body.is_some() || !guarded, "{name} takes a body; add one to the test");
            if name == "getBuckets" || name == "listBuckets" {
                path.push_str("?width=day");
            }
            operations.push(Operation {
                guarded,
                method: Method::from_bytes(method.to_uppercase().as_bytes()).expect("a method"),
                path,
                names,
                body,
                name,
            });
        }
    }
    assert!(operations.len() >= 40, "{}", operations.len());
    operations
}

/// Everything that an organisation has, as its owner reads it and as the tables hold it.
async fn whole(world: &World) -> String {
    let mut text = String::new();
    for table in [
        "orgs",
        "monitors",
        "windows",
        "reports",
        "members",
        "invitations",
        "incidents",
        "incident_events",
        "captures",
        "results",
        "channels",
        "outbox",
        "users",
        "status_pages",
        "status_posts",
        "status_updates",
    ] {
        let key = if table == "members" { "user_id" } else { "id" };
        let rows = world
            .app
            .store
            .query(&format!("SELECT * FROM {table} ORDER BY {key}"), &[])
            .await
            .expect("answers");
        text.push_str(&format!("{table}: {rows:?}\n"));
    }
    // The time of last use changes with every call.
    let keys = world
        .app
        .store
        .query("SELECT id, expires_us, revoked_us, successor_id FROM api_keys ORDER BY id", &[]);
    text.push_str(&format!("{:?}", keys.await.expect("answers")));
    text
}

#[tokio::test]
async fn every_route_refuses_strangers_revoked_keys_and_foreigners() {
    for world in World::both_with(|s| s.limits.principal.requests = 100_000).await {
        let owner = world.owner().await;
        let foreigner = world.foreigner().await;
        let ours = things(&world, &owner, "secret").await;
        let (revoked_id, revoked) = world.key(&owner, &["admin"]).await;
        owner.delete(&format!("/api/v1/keys/{revoked_id}")).await.is(204);
        let (_, foreign_key) = world.key(&foreigner, &["admin"]).await;
        let org =
            owner.get("/api/v1/organisation").await.is(200).body["id"].as_str().expect("an id").to_owned();
        let before = whole(&world).await;

        let spoofs = |asker: &Asker| {
            asker
                .clone()
                .with("x-tenant-id", &org)
                .with("x-org-id", &org)
                .with("x-organisation", &org)
                .with("x-user-id", &org)
                .with("x-forwarded-user", "owner@example.com")
                .with("x-api-key", "owner@example.com")
                .with("x-http-method-override", "GET")
        };
        let strangers = [
            ("a stranger", world.stranger()),
            ("a stranger with headers", spoofs(&world.stranger())),
            ("a revoked key", revoked.clone()),
            ("a revoked key with headers", spoofs(&revoked)),
            (
                "a made-up key",
                world.stranger().with_key("lf_00000000_AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ),
            (
                "a made-up session",
                world.stranger().with_cookie("landfall=AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA"),
            ),
        ];
        for operation in operations(&world, &ours, "secret").await.iter().filter(|o| o.guarded) {
            for (who, asker) in &strangers {
                let answer = asker.send(&operation.method, &operation.path, operation.body.as_ref()).await;
                assert_eq!(answer.status, 401, "{who}: {}: {}", operation.name, answer.text);
                assert!(!answer.text.contains("secret"), "{who}: {}: {}", operation.name, answer.text);
            }
        }
        assert_eq!(whole(&world).await, before, "nothing changed");

        // A foreigner may do as they please at home, and sees nothing of ours from there.
        for (who, asker) in [("a foreign owner", spoofs(&foreigner)), ("a foreign key", spoofs(&foreign_key))]
        {
            for operation in operations(&world, &ours, "secret").await.iter().filter(|o| o.guarded) {
                // These end or change the foreigner's own session, or never end.
                if matches!(operation.name.as_str(), "signOut" | "changePassword" | "events") {
                    continue;
                }
                let answer = asker.send(&operation.method, &operation.path, operation.body.as_ref()).await;
                let what = format!("{who}: {}: {} {}", operation.name, answer.status, answer.text);
                // A PUT under a name of ours makes a thing of their own under that name.
                let own_name = matches!(
                    operation.name.as_str(),
                    "putMonitor" | "putWindow" | "putChannel" | "putHeartbeat"
                );
                let servers = operation.name == "listJobRuns";
                // A name in public URLs is one for the whole server, and taken is all that is said of it.
                if operation.name == "putStatusPage" {
                    assert!(answer.status == 409 && answer.body["errors"][0]["field"] == "/slug", "{what}");
                } else if operation.names && !own_name && !servers {
                    let by_own_name = operation.path.contains("by-external-id") && answer.status < 300;
                    assert!(answer.status == 404 || answer.status == 403 || by_own_name, "{what}");
                }
                // The one word that they said themselves, and what is made of it.
                let text =
                    answer.text.replace("\"external_id\":\"secret\"", "").replace("\"slug\":\"secret\"", "");
                assert!(!text.contains("secret"), "{what}");
                assert!(!answer.text.contains(&org), "{what}");
            }
        }
        // Ours is as it was, whatever the foreigners made at home.
        for kind in [
            "monitors",
            "windows",
            "reports",
            "members",
            "keys",
            "invitations",
            "incidents",
            "channels",
            "deliveries",
            "outbox",
            "status-pages",
        ] {
            let list = owner.get(&format!("/api/v1/{kind}")).await.is(200);
            assert!(!list.text.contains("stolen"), "{kind}: {}", list.text);
        }
        for kind in ["monitors", "heartbeats"] {
            let one = owner.get(&format!("/api/v1/{kind}/by-external-id/secret")).await.is(200);
            assert!(one.body["name"].as_str().is_some_and(|n| n.starts_with("secret ")), "{}", one.text);
        }
        for line in before.lines() {
            let table = line.split(':').next().unwrap_or_default();
            if matches!(
                table,
                "status_pages"
                    | "status_posts"
                    | "status_updates"
                    | "deliveries"
                    | "incidents"
                    | "incident_events"
                    | "captures"
                    | "results"
            ) {
                assert!(whole(&world).await.contains(line), "{table} is as it was");
            }
        }
    }
}

#[tokio::test]
async fn a_reader_reads_and_changes_nothing() {
    for world in World::both_with(|s| s.limits.principal.requests = 100_000).await {
        let owner = world.owner().await;
        let ours = things(&world, &owner, "secret").await;
        let reader = world.member(&owner, "reader", "reader@example.com").await;
        let (_, key) = world.key(&owner, &["read"]).await;
        let before = whole(&world).await;
        // A reader's own session is theirs to end and to change.
        let mut wrong = Vec::new();
        let own = [
            "signOut",
            "changePassword",
            "switchOrganisation",
            "events",
            "endSession",
            "askSupport",
            "escalate",
            "planDeclarations",
        ];
        for operation in operations(&world, &ours, "secret").await.iter().filter(|o| o.guarded) {
            if own.contains(&operation.name.as_str()) {
                continue;
            }
            for (who, asker) in [("a reader", &reader), ("a key that reads", &key)] {
                let answer = asker.send(&operation.method, &operation.path, operation.body.as_ref()).await;
                let what = format!("{who}: {}: {} {}", operation.name, answer.status, answer.text);
                // No ticket is made here; whether there is one is told to nobody who may not read it.
                let nothing = operation.path.contains("/support/");
                let fine = match operation.method {
                    Method::GET => matches!(answer.status, 200 | 403) || (nothing && answer.status == 404),
                    _ => answer.status == 403 || (nothing && answer.status == 404),
                };
                if !fine {
                    wrong.push(what);
                }
            }
        }
        assert!(wrong.is_empty(), "{wrong:#?}");
        assert_eq!(whole(&world).await, before, "nothing changed");
    }
}

#[tokio::test]
async fn what_is_not_there_and_what_is_somebody_elses_are_answered_alike() {
    for world in World::both().await {
        let owner = world.owner().await;
        let foreigner = world.foreigner().await;
        let ours = things(&world, &owner, "secret").await;
        let none = landfall_store::Id::new().to_string();
        for (kind, id) in ours.iter().filter(|(k, _)| !matches!(*k, "external_id" | "slug")) {
            for method in [Method::GET, Method::DELETE] {
                let theirs = foreigner.send(&method, &format!("/api/v1/{kind}/{id}"), None).await;
                let nothing = foreigner.send(&method, &format!("/api/v1/{kind}/{none}"), None).await;
                assert_eq!((theirs.status, &theirs.text), (nothing.status, &nothing.text), "{method} {kind}");
            }
        }
        // A filter by an id of somebody else finds nothing; a page that begins at one begins nowhere of theirs.
        let id = |kind: &str| ours.iter().find(|(k, _)| *k == kind).expect("made").1.clone();
        let empty = |list: crate::world::Answer| assert_eq!(list.is(200).items().len(), 0);
        empty(foreigner.get(&format!("/api/v1/incidents?monitor={}", id("monitors"))).await);
        empty(foreigner.get(&format!("/api/v1/reports?monitor={}", id("monitors"))).await);
        empty(foreigner.get(&format!("/api/v1/deliveries?channel={}", id("channels"))).await);
        for kind in [
            "monitors",
            "windows",
            "incidents",
            "reports",
            "channels",
            "deliveries",
            "outbox",
            "invitations",
            "keys",
            "status-pages",
        ] {
            empty(foreigner.get(&format!("/api/v1/{kind}")).await);
        }
        empty(foreigner.get(&format!("/api/v1/monitors?after={}", id("monitors"))).await);
        foreigner.post("/api/v1/reports", json!({ "monitor": id("monitors") })).await.is(404);
        // A dependency on a monitor of somebody else is one on none.
        let mut spec = http_monitor("Curious");
        spec["depends_on"] = json!(["secret"]);
        let refused = foreigner.post("/api/v1/monitors", spec.clone()).await.is(409);
        spec["depends_on"] = json!(["nothing"]);
        let nothing = foreigner.post("/api/v1/monitors", spec).await.is(409);
        assert_eq!(refused.text.replace("secret", "nothing"), nothing.text);
        // The same external id in both organisations is two things.
        foreigner.put("/api/v1/monitors/by-external-id/secret", http_monitor("Theirs")).await.is(201);
        assert_eq!(
            owner.get("/api/v1/monitors/by-external-id/secret").await.is(200).body["name"],
            "secret monitor"
        );
    }
}

#[tokio::test]
async fn an_incident_is_read_acknowledged_and_commented() {
    for world in World::both().await {
        let owner = world.owner().await;
        let ours = things(&world, &owner, "web").await;
        let id = &ours.iter().find(|(k, _)| *k == "incidents").expect("made").1;
        let path = format!("/api/v1/incidents/{id}");
        let list = owner.get("/api/v1/incidents?status=open").await.is(200);
        assert_eq!(list.items()[0]["monitors"][0]["name"], "web monitor");
        assert!(list.items()[0].get("timeline").is_none());
        let acked = owner.send(&Method::POST, &format!("{path}/acknowledge"), None).await.is(200);
        assert_eq!(acked.body["acknowledged_by"], "owner@example.com");
        owner.send(&Method::POST, &format!("{path}/acknowledge"), None).await.is(200);
        owner.post(&format!("{path}/comments"), json!({ "say": "  looking into it  " })).await.is(200);
        owner.post(&format!("{path}/comments"), json!({ "say": "   " })).await.is(422);
        let one = owner.get(&path).await.is(200);
        let said: Vec<&str> = one.body["timeline"]
            .as_array()
            .expect("events")
            .iter()
            .filter_map(|e| e["say"].as_str())
            .collect();
        assert_eq!(said, ["web event", "owner@example.com acknowledged it", "looking into it"]);
        assert_eq!(
            owner.get(&format!("{path}/captures")).await.is(200).items()[0]["body"]["of"],
            "web capture"
        );
    }
}

#[tokio::test]
async fn an_audit_is_queued_for_the_watch_with_its_target() {
    for world in World::both().await {
        let owner = world.owner().await;
        let monitor = owner.post("/api/v1/monitors", http_monitor("Web")).await.is(201);
        let started = owner.post("/api/v1/reports", json!({ "monitor": monitor.id() })).await.is(202);
        assert_eq!(started.body["status"], "queued");
        assert_eq!(started.body["target"], "https://example.com/health");
        owner.post("/api/v1/reports", json!({ "url": "ftp://example.com" })).await.is(422);
        owner.post("/api/v1/reports", json!({})).await.is(422);
        let rows = world
            .app
            .store
            .query("SELECT status, monitor_id, requested_by FROM reports", &[])
            .await
            .expect("answers");
        assert_eq!(rows.len(), 1);
        assert_eq!(rows[0].text("requested_by").expect("text"), "owner@example.com");
        owner.get(&format!("/api/v1/reports/{}/evidence", started.id())).await.is(404);
        for _ in 0..19 {
            owner.post("/api/v1/reports", json!({ "url": "https://example.com/" })).await.is(202);
        }
        let full = owner.post("/api/v1/reports", json!({ "url": "https://example.com/" })).await.is(429);
        assert!(full.header("retry-after").is_some());
    }
}
