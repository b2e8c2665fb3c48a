//! What a plan limits, by every way in which a thing is made; and that nothing is limited without billing.

use http::Method;
use landfall_server::Settings;
use landfall_server::billing::BillingSettings;
use landfall_store::{Value, params};
use serde_json::{Value as Json, json};

use crate::world::{PASSWORD, World, http_monitor};

fn with_billing(settings: &mut Settings) {
    settings.billing = BillingSettings { on: true, ..BillingSettings::default() };
}

fn channel() -> Json {
    json!({ "name": "Hook", "kind": "webhook", "config": { "url": "https://example.com/hook" } })
}

fn heartbeat(name: &str) -> Json {
    json!({ "name": name, "period_s": 3600 })
}

async fn count(world: &World, table: &str) -> u64 {
    let rows = world.app.store.query(&format!("SELECT count(*) AS n FROM {table}"), &[]).await.expect(table);
    rows[0].count("n").expect("a number")
}

async fn put_on(world: &World, plan: &str) {
    let values: &[Value] = params![plan];
    world.app.store.execute("UPDATE orgs SET plan = $1", values).await.expect("written");
}

#[tokio::test]
async fn the_free_plan_has_room_for_so_many_and_a_larger_one_for_more() {
    for world in World::both_with(with_billing).await {
        let owner = world.owner().await;
        for n in 0..10 {
            owner.put(&format!("/api/v1/monitors/by-external-id/m{n}"), http_monitor("M")).await.is(201);
            owner.put(&format!("/api/v1/heartbeats/by-external-id/h{n}"), heartbeat("H")).await.is(201);
        }
        for n in 0..3 {
            owner.put(&format!("/api/v1/channels/by-external-id/c{n}"), channel()).await.is(201);
        }
        let refused = owner.post("/api/v1/monitors", http_monitor("Eleventh")).await.is(402);
        let say = refused.body["detail"].as_str().expect("a text");
        assert!(say.contains("allows 10 monitors") && say.contains("billing"), "{say}");
        owner.put("/api/v1/monitors/by-external-id/more", http_monitor("Eleventh")).await.is(402);
        owner.put("/api/v1/heartbeats/by-external-id/more", heartbeat("Eleventh")).await.is(402);
        owner.put("/api/v1/channels/by-external-id/more", channel()).await.is(402);
        owner.post("/api/v1/channels", channel()).await.is(402);
        // What is there may be changed.
        owner.put("/api/v1/monitors/by-external-id/m3", http_monitor("Renamed")).await.is(200);
        owner.put("/api/v1/heartbeats/by-external-id/h3", heartbeat("Renamed")).await.is(200);
        owner.put("/api/v1/channels/by-external-id/c1", channel()).await.is(200);
        assert_eq!((count(&world, "monitors").await, count(&world, "heartbeats").await), (10, 10));
        // One that goes makes room.
        owner.delete("/api/v1/heartbeats/by-external-id/h3").await.is(204);
        owner.put("/api/v1/heartbeats/by-external-id/more", heartbeat("Eleventh")).await.is(201);
        put_on(&world, "team").await;
        owner.post("/api/v1/monitors", http_monitor("Eleventh")).await.is(201);
        owner.post("/api/v1/channels", channel()).await.is(201);
        // A plan that became smaller takes nothing away, and nothing is added.
        put_on(&world, "free").await;
        assert_eq!(count(&world, "monitors").await, 11);
        owner.post("/api/v1/monitors", http_monitor("Twelfth")).await.is(402);
    }
}

#[tokio::test]
async fn a_monitor_is_checked_as_often_as_the_plan_says() {
    for world in World::both_with(with_billing).await {
        let owner = world.owner().await;
        let path = "/api/v1/monitors/by-external-id/m";
        let every = |s: u32| {
            let mut spec = http_monitor("M");
            spec["interval_s"] = s.into();
            spec
        };
        let refused = owner.put(path, every(59)).await.is(402);
        assert!(
            refused.body["detail"].as_str().is_some_and(|d| d.contains("every 60 s")),
            "{}",
            refused.text
        );
        put_on(&world, "team").await;
        owner.put(path, every(30)).await.is(201);
        put_on(&world, "free").await;
        let mut renamed = every(30);
        renamed["name"] = "Renamed".into();
        owner.put(path, renamed).await.is(200);
        owner.put(path, every(29)).await.is(402);
        owner.put(path, every(60)).await.is(200);
        owner.put(path, every(30)).await.is(402);
    }
}

#[tokio::test]
async fn declarations_are_limited_as_a_whole() {
    for world in World::both_with(with_billing).await {
        let owner = world.owner().await;
        let monitors = |ids: std::ops::Range<u32>| {
            let all: serde_json::Map<String, Json> =
                ids.map(|n| (format!("m{n}"), http_monitor("M"))).collect();
            json!({ "monitors": all })
        };
        owner.post("/api/v1/declarations/apply", monitors(0..10)).await.is(200);
        let plan = owner.post("/api/v1/declarations/plan", monitors(0..11)).await.is(200);
        let said = plan.body["problems"][0]["detail"].as_str().expect("a problem");
        assert!(said.contains("allows 10 monitors, and there would be 11"), "{said}");
        owner.post("/api/v1/declarations/apply", monitors(0..11)).await.is(402);
        let live = "monitors WHERE deleted_us IS NULL";
        assert_eq!(count(&world, live).await, 10);
        // Ten others in place of these ten are ten.
        owner.post("/api/v1/declarations/apply", monitors(10..20)).await.is(200);
        assert_eq!(count(&world, live).await, 10);
        let mut fast = monitors(10..20);
        fast["monitors"]["m15"]["interval_s"] = 20.into();
        let refused = owner.post("/api/v1/declarations/apply", fast).await.is(402);
        assert!(refused.body["detail"].as_str().is_some_and(|d| d.contains("monitor \"m15\"")));
    }
}

#[tokio::test]
async fn an_invitation_counts_as_the_member_that_it_will_be() {
    for world in World::both_with(with_billing).await {
        let owner = world.owner().await;
        let invited = owner.post("/api/v1/invitations", json!({ "role": "reader" })).await.is(201);
        owner.post("/api/v1/invitations", json!({ "role": "reader" })).await.is(402);
        // One that was made when the plan had room, and is used when it has none.
        put_on(&world, "team").await;
        let late = owner.post("/api/v1/invitations", json!({ "role": "reader" })).await.is(201);
        put_on(&world, "free").await;
        let join = async |answer: &crate::world::Answer, email: &str| {
            let link = answer.body["link"].as_str().expect("a link");
            let token = link.split_once("token=").expect("a token").1;
            let body = json!({ "token": token, "email": email, "name": "N", "password": PASSWORD });
            world.stranger().post("/api/v1/invitations/accept", body).await
        };
        join(&invited, "a@example.com").await.is(201);
        join(&late, "b@example.com").await.is(402);
        put_on(&world, "team").await;
        join(&late, "b@example.com").await.is(201);
    }
}

#[tokio::test]
async fn audits_by_hand_are_counted_for_a_day() {
    for world in World::both_with(with_billing).await {
        let owner = world.owner().await;
        for _ in 0..20 {
            owner.post("/api/v1/reports", json!({ "url": "https://example.com/" })).await.is(202);
            world.app.store.execute("UPDATE reports SET status = 'done'", &[]).await.expect("written");
        }
        let refused = owner.post("/api/v1/reports", json!({ "url": "https://example.com/" })).await.is(402);
        assert!(refused.body["detail"].as_str().is_some_and(|d| d.contains("20 audits in 24 hours")));
        world.clock.advance(std::time::Duration::from_secs(24 * 3600 + 1));
        owner.post("/api/v1/reports", json!({ "url": "https://example.com/" })).await.is(202);
    }
}

#[tokio::test]
async fn without_billing_nothing_is_limited() {
    for world in World::both().await {
        let owner = world.owner().await;
        for n in 0..12 {
            let mut fast = http_monitor("M");
            fast["interval_s"] = 10.into();
            owner.put(&format!("/api/v1/monitors/by-external-id/m{n}"), fast).await.is(201);
            owner.put(&format!("/api/v1/heartbeats/by-external-id/h{n}"), heartbeat("H")).await.is(201);
            owner.put(&format!("/api/v1/channels/by-external-id/c{n}"), channel()).await.is(201);
            owner.post("/api/v1/invitations", json!({ "role": "reader" })).await.is(201);
        }
    }
}

#[tokio::test]
async fn an_invitation_is_mailed_where_there_is_a_mail_server_and_shown_where_there_is_none() {
    for mail in [true, false] {
        for world in World::both_with(|s| s.mail = mail).await {
            let owner = world.owner().await;
            let asked = json!({ "role": "editor", "email": "new@example.com" });
            let made = owner.post("/api/v1/invitations", asked).await.is(201);
            let letters = world
                .app
                .store
                .query("SELECT channel_id, payload, state FROM outbox", &[])
                .await
                .expect("letters");
            if !mail {
                assert!(made.body["link"].is_string() && made.body.get("mailed").is_none(), "{}", made.text);
                assert_eq!(letters.len(), 0);
                continue;
            }
            assert!(made.body.get("link").is_none() && made.body["mailed"] == true, "{}", made.text);
            assert_eq!(letters.len(), 1);
            let payload: Json = letters[0].json("payload").expect("JSON");
            assert_eq!(payload["to"], json!(["new@example.com"]));
            let headline = payload["headline"].as_str().expect("a headline");
            assert_eq!(headline, "owner@example.com invites you to Example as editor");
            // The link in the mail works, and stands in nothing that the API tells.
            let link = payload["link"].as_str().expect("a link");
            let token = link.split_once("/join?token=").expect("a token").1;
            for path in ["/api/v1/invitations", "/api/v1/outbox", "/api/v1/log"] {
                assert!(!owner.get(path).await.is(200).text.contains(token), "{path}");
            }
            let body =
                json!({ "token": token, "email": "new@example.com", "name": "N", "password": PASSWORD });
            world.stranger().post("/api/v1/invitations/accept", body).await.is(201);
            // Without an address there is nobody to mail it to.
            let plain =
                owner.send(&Method::POST, "/api/v1/invitations", Some(&json!({ "role": "reader" }))).await;
            assert!(plain.is(201).body["link"].is_string());
        }
    }
}

#[tokio::test]
async fn events_that_need_a_person_are_shown_to_owners_of_the_first_organisation_alone() {
    for world in World::both_with(with_billing).await {
        let owner = world.owner().await;
        let path = "/api/v1/billing/events";
        assert!(owner.get(path).await.is(200).items().is_empty());
        for (id, outcome) in [("evt_1", "unassigned"), ("evt_2", "applied"), ("evt_3", "unreadable")] {
            let sql =
                "INSERT INTO billing_events (id, kind, created_us, received_us, livemode, outcome, say, body)
                       VALUES ($1, 'invoice.paid', 0, 0, 0, $2, 'why', '{\"secret\":1}')";
            world.app.store.execute(sql, params![id, outcome]).await.expect("written");
        }
        let seen = owner.get(path).await.is(200);
        let ids: Vec<_> = seen.items().iter().map(|e| e["id"].as_str().expect("an id")).collect();
        assert_eq!(ids, ["evt_1", "evt_3"]);
        assert!(!seen.text.contains("secret"));
        put_on(&world, "team").await;
        let admin = world.member(&owner, "admin", "admin@example.com").await;
        admin.get(path).await.is(403);
        world.key(&owner, &["admin"]).await.1.get(path).await.is(403);
        world.foreigner().await.get(path).await.is(403);
        world.stranger().get(path).await.is(401);
    }
}
