//! Signing in, sessions, keys, members and invitations.

use std::time::Duration;

use http::Method;
use landfall_server::service::accounts::first_run_link;
use landfall_server::{Settings, session};
use serde_json::json;

use crate::world::{PASSWORD, World, http_monitor};

fn sign_in(email: &str, password: &str) -> serde_json::Value {
    json!({ "email": email, "password": password })
}

#[tokio::test]
async fn the_first_run_link_works_once_and_only_the_newest() {
    for world in World::both().await {
        let body = |link: &str| {
            json!({ "token": link.split_once("token=").expect("a token").1, "email": "Olga@Example.com", "name": "Olga",
                    "password": PASSWORD, "organisation": "Example" })
        };
        let older = first_run_link(&world.app).await.expect("answers").expect("no account yet");
        let link = first_run_link(&world.app).await.expect("answers").expect("no account yet");
        assert!(link.starts_with(&format!("{}/first-run?token=", world.base)), "{link}");
        let stranger = world.stranger();
        stranger.post("/api/v1/first-run", body(&older)).await.is(403);
        let mut weak = body(&link);
        weak["password"] = "short".into();
        assert_eq!(
            stranger.post("/api/v1/first-run", weak).await.is(422).body["errors"][0]["field"],
            "/password"
        );
        let made = stranger.post("/api/v1/first-run", body(&link)).await.is(201);
        let owner = world.stranger().with_cookie(&made.cookie().expect("signed in"));
        let who = owner.get("/api/v1/session").await.is(200);
        assert_eq!(who.body["name"], "olga@example.com");
        assert_eq!(who.body["role"], "owner");
        stranger.post("/api/v1/first-run", body(&link)).await.is(403);
        assert_eq!(first_run_link(&world.app).await.expect("answers"), None);
        stranger.post("/api/v1/session", sign_in("OLGA@example.com ", PASSWORD)).await.is(204);
        let kept = world.app.store.query("SELECT password FROM users", &[]).await.expect("answers");
        assert!(kept[0].text("password").expect("text").starts_with("$argon2id$v=19$m=19456,t=2,p=1$"));
    }
}

#[tokio::test]
async fn two_first_runs_at_once_make_one_account() {
    for world in World::both().await {
        let link = first_run_link(&world.app).await.expect("answers").expect("no account yet");
        let token = link.split_once("token=").expect("a token").1.to_owned();
        let tries = (0..4).map(|n| {
            let (stranger, token) = (world.stranger(), token.clone());
            async move {
                let body = json!({ "token": token, "email": format!("o{n}@example.com"), "name": "O",
                                   "password": PASSWORD, "organisation": "Example" });
                stranger.post("/api/v1/first-run", body).await.status
            }
        });
        let mut statuses = futures_util::future::join_all(tries).await;
        statuses.sort_unstable();
        assert_eq!(statuses, [201, 403, 403, 403], "{}", world.app.store.kind());
    }
}

#[tokio::test]
async fn a_wrong_password_and_an_unknown_address_are_answered_alike() {
    for world in World::both().await {
        world.owner().await;
        let stranger = world.stranger();
        let wrong =
            stranger.post("/api/v1/session", sign_in("owner@example.com", "wrong wrong wrong")).await.is(401);
        let unknown = stranger
            .post("/api/v1/session", sign_in("nobody@example.com", "wrong wrong wrong"))
            .await
            .is(401);
        assert_eq!(wrong.text, unknown.text);
        assert!(wrong.cookie().is_none());
    }
}

#[tokio::test]
async fn guessing_waits_ever_longer_and_names_no_account() {
    for world in World::both().await {
        world.owner().await;
        let stranger = world.stranger();
        let mut seen = Vec::new();
        for email in ["owner@example.com", "nobody@example.com"] {
            let mut statuses = Vec::new();
            for _ in 0..6 {
                statuses
                    .push(stranger.post("/api/v1/session", sign_in(email, "wrong wrong wrong")).await.status);
            }
            let refused = stranger.post("/api/v1/session", sign_in(email, "wrong wrong wrong")).await.is(429);
            let wait = refused.header("retry-after").expect("a wait").to_owned();
            seen.push((statuses, wait, refused.text));
        }
        assert_eq!(seen[0], seen[1], "an account that exists is refused like one that does not");
        assert_eq!(seen[0].0, [401, 401, 401, 401, 401, 429]);
        // Even the right password has to wait, else a guesser would learn it from the answer.
        stranger.post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(429);
        world.clock.advance(Duration::from_secs(2));
        stranger.post("/api/v1/session", sign_in("owner@example.com", "wrong wrong wrong")).await.is(401);
        let refused = stranger.post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(429);
        assert_eq!(refused.header("retry-after"), Some("3"), "two seconds now, and one to be safe");
        world.clock.advance(Duration::from_secs(3));
        stranger.post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(204);
        // The right password clears the account.
        stranger.post("/api/v1/session", sign_in("owner@example.com", "wrong wrong wrong")).await.is(401);
        stranger.post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(204);
    }
}

#[tokio::test]
async fn many_guesses_at_once_count_as_many() {
    for world in World::both().await {
        world.owner().await;
        let tries = (0..20).map(|_| {
            let stranger = world.stranger();
            async move {
                stranger
                    .post("/api/v1/session", sign_in("owner@example.com", "wrong wrong wrong"))
                    .await
                    .status
            }
        });
        let statuses = futures_util::future::join_all(tries).await;
        assert_eq!(statuses.iter().filter(|s| **s == 401).count(), 5, "{statuses:?}");
    }
}

#[tokio::test]
async fn one_address_cannot_try_many_accounts_and_an_own_account_buys_nothing() {
    for world in World::both().await {
        world.owner().await;
        let stranger = world.stranger();
        let mut refused = 0;
        for n in 0..40 {
            let guess = sign_in(&format!("person{n}@example.com"), "wrong wrong wrong");
            refused += u32::from(stranger.post("/api/v1/session", guess).await.status == 429);
            if n % 5 == 0 {
                stranger.post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await;
            }
        }
        assert!(refused >= 15, "{refused}");
    }
}

#[tokio::test]
async fn sessions_are_listed_ended_and_expire() {
    for world in World::both().await {
        let owner = world.owner().await;
        let signed =
            world.stranger().post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(204);
        let cookie = signed.header("set-cookie").expect("a cookie").to_owned();
        for part in ["HttpOnly", "SameSite=Lax", "Path=/"] {
            assert!(cookie.contains(part), "{cookie}");
        }
        let second = world.stranger().with_cookie(&signed.cookie().expect("signed in"));
        let list = second.get("/api/v1/sessions").await.is(200);
        assert_eq!(list.items().len(), 2);
        assert_eq!(list.items()[0]["current"], true);
        let token = cookie.split(['=', ';']).nth(1).expect("a token").to_owned();
        let kept = world.app.store.query("SELECT token_hash FROM sessions", &[]).await.expect("answers");
        assert!(kept.iter().all(|r| r.text("token_hash").expect("text") != token), "only the hash is kept");
        assert!(kept.iter().any(|r| r.text("token_hash").expect("text") == session::hash(&token)));

        let first = list.items()[1]["id"].as_str().expect("an id").to_owned();
        second.delete(&format!("/api/v1/sessions/{first}")).await.is(204);
        owner.get("/api/v1/session").await.is(401);
        second.delete(&format!("/api/v1/sessions/{first}")).await.is(404);
        second.delete("/api/v1/session").await.is(204);
        second.get("/api/v1/session").await.is(401);

        let signed =
            world.stranger().post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(204);
        let third = world.stranger().with_cookie(&signed.cookie().expect("signed in"));
        world.clock.advance(session::IDLE - Duration::from_secs(1));
        third.get("/api/v1/session").await.is(200);
        world.clock.advance(session::IDLE - Duration::from_secs(1));
        third.get("/api/v1/session").await.is(200);
        world.clock.advance(session::IDLE);
        third.get("/api/v1/session").await.is(401);

        let signed =
            world.stranger().post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(204);
        let fourth = world.stranger().with_cookie(&signed.cookie().expect("signed in"));
        for _ in 0..5 {
            world.clock.advance(session::IDLE - Duration::from_secs(3600));
            fourth.get("/api/v1/session").await;
        }
        fourth.get("/api/v1/session").await.is(401);
        let gone = world.app.store.clean_sessions(session::IDLE, world.now()).await.expect("answers");
        assert!(gone >= 2, "{gone}");
    }
}

#[tokio::test]
async fn behind_https_the_cookie_is_for_this_host_only() {
    let worlds = World::both_with(|s: &mut Settings| s.public_url = "https://watch.example.com".into()).await;
    for world in worlds {
        world.owner().await;
        let signed =
            world.stranger().post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(204);
        let cookie = signed.header("set-cookie").expect("a cookie");
        assert!(cookie.starts_with("__Host-landfall=") && cookie.contains("; Secure"), "{cookie}");
        assert!(signed.header("strict-transport-security").is_some());
        // The plain name, which a neighbouring host could set, opens nothing.
        let plain = signed.cookie().expect("a pair").replace("__Host-landfall", "landfall");
        world.stranger().with_cookie(&plain).get("/api/v1/session").await.is(401);
    }
}

#[tokio::test]
async fn signing_in_changes_the_token_and_a_new_password_ends_all_sessions() {
    for world in World::both().await {
        let owner = world.owner().await;
        let again = owner.post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(204);
        owner.get("/api/v1/session").await.is(401);
        let owner = world.stranger().with_cookie(&again.cookie().expect("signed in"));
        let other =
            world.stranger().post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(204);
        let other = world.stranger().with_cookie(&other.cookie().expect("signed in"));

        let path = "/api/v1/session/password";
        let new = "another long enough password";
        owner.put(path, json!({ "current": "not the one it is", "new": new })).await.is(401);
        owner.put(path, json!({ "current": PASSWORD, "new": "short" })).await.is(422);
        let changed = owner.put(path, json!({ "current": PASSWORD, "new": new })).await.is(204);
        other.get("/api/v1/session").await.is(401);
        owner.get("/api/v1/session").await.is(401);
        world
            .stranger()
            .with_cookie(&changed.cookie().expect("a fresh one"))
            .get("/api/v1/session")
            .await
            .is(200);
        world.stranger().post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(401);
        world.stranger().post("/api/v1/session", sign_in("owner@example.com", new)).await.is(204);
    }
}

#[tokio::test]
async fn a_page_of_another_site_changes_nothing() {
    for world in World::both().await {
        let owner = world.owner().await;
        let cookie = owner.headers["cookie"].to_str().expect("text").to_owned();
        let bare = world.stranger().with("cookie", &cookie);
        let forged = [
            bare.clone().with("sec-fetch-site", "cross-site"),
            bare.clone().with("sec-fetch-site", "same-site"),
            bare.clone().with("origin", "https://evil.example"),
            bare.clone().with("origin", "null"),
            bare.clone(),
            bare.clone().with("x-csrf-token", "guess"),
        ];
        for asker in &forged {
            asker.post("/api/v1/monitors", http_monitor("Forged")).await.is(403);
            asker.delete("/api/v1/session").await.is(403);
            // Reading is no change; a browser does not show the answer to another site.
            asker.get("/api/v1/monitors").await.is(200);
        }
        let evil = world.stranger().with("origin", "https://evil.example");
        evil.post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(403);
        assert_eq!(owner.get("/api/v1/monitors").await.is(200).items().len(), 0);

        bare.clone().with("origin", &world.base).post("/api/v1/monitors", http_monitor("A")).await.is(201);
        let token =
            bare.get("/api/v1/session").await.is(200).body["csrf"].as_str().expect("a token").to_owned();
        bare.clone().with("x-csrf-token", &token).post("/api/v1/monitors", http_monitor("B")).await.is(201);
        let other =
            world.stranger().post("/api/v1/session", sign_in("owner@example.com", PASSWORD)).await.is(204);
        let other = world.stranger().with("cookie", &other.cookie().expect("signed in"));
        other.with("x-csrf-token", &token).post("/api/v1/monitors", http_monitor("C")).await.is(403);
    }
}

#[tokio::test]
async fn keys_are_shown_once_rotated_without_a_gap_and_revoked_at_once() {
    for world in World::both().await {
        let owner = world.owner().await;
        let (id, old) = world.key(&owner, &["write"]).await;
        let path = "/api/v1/monitors";
        old.post(path, http_monitor("A")).await.is(201);
        let list = owner.get("/api/v1/keys").await.is(200);
        assert!(list.items()[0].get("key").is_none());
        assert_eq!(list.items()[0]["status"], "active");
        assert!(list.items()[0]["last_used"].is_string());
        let whole =
            old.headers["authorization"].to_str().expect("text").trim_start_matches("Bearer ").to_owned();
        assert!(whole.starts_with(list.items()[0]["prefix"].as_str().expect("a prefix")));
        let kept = world.app.store.query("SELECT * FROM api_keys", &[]).await.expect("answers");
        assert!(!format!("{kept:?}").contains(&whole), "only the hash is kept");

        let rotated =
            owner.post(&format!("/api/v1/keys/{id}/rotate"), json!({ "overlap_s": 3600 })).await.is(201);
        let new = world.stranger().with_key(rotated.body["key"].as_str().expect("a key"));
        for key in [&old, &new] {
            key.get(path).await.is(200);
        }
        owner.post(&format!("/api/v1/keys/{id}/rotate"), json!({})).await.is(409);
        world.clock.advance(Duration::from_secs(3600));
        old.get(path).await.is(401);
        new.get(path).await.is(200);
        owner.delete(&format!("/api/v1/keys/{}", rotated.id())).await.is(204);
        new.get(path).await.is(401);
        owner.post(&format!("/api/v1/keys/{}/rotate", rotated.id()), json!({})).await.is(409);
        // A key that does not work is not made up for by a cookie.
        owner.clone().with_key(&whole).get(path).await.is(401);
        let log = owner.get("/api/v1/log").await.is(200);
        assert!(!log.text.contains(&whole[12..]), "no secret in the log");

        let body = json!({ "name": "short", "scopes": ["read"], "expires_days": 1 });
        let short = owner.post("/api/v1/keys", body).await.is(201);
        let short = world.stranger().with_key(short.body["key"].as_str().expect("a key"));
        short.get(path).await.is(200);
        world.clock.advance(Duration::from_secs(24 * 3600));
        short.get(path).await.is(401);
    }
}

#[tokio::test]
async fn a_key_does_what_its_scope_says_and_no_more() {
    for world in World::both().await {
        let owner = world.owner().await;
        let (_, read) = world.key(&owner, &["read"]).await;
        let (_, write) = world.key(&owner, &["write"]).await;
        let (_, admin) = world.key(&owner, &["admin"]).await;
        let (_, metrics) = world.key(&owner, &["metrics"]).await;
        let monitor = || http_monitor("A");
        metrics.get("/api/v1/monitors").await.is(403);
        read.get("/api/v1/monitors").await.is(200);
        read.post("/api/v1/monitors", monitor()).await.is(403);
        write.post("/api/v1/monitors", monitor()).await.is(201);
        write.get("/api/v1/monitors").await.is(200);
        for small in [&metrics, &read, &write] {
            small.get("/api/v1/keys").await.is(403);
            small.post("/api/v1/keys", json!({ "name": "more", "scopes": ["admin"] })).await.is(403);
            small.get("/api/v1/log").await.is(403);
        }
        admin.get("/api/v1/log").await.is(200);
        admin.post("/api/v1/invitations", json!({ "role": "owner" })).await.is(403);
        admin.get("/api/v1/sessions").await.is(403);
        admin.post("/api/v1/keys", json!({ "name": "none", "scopes": [] })).await.is(422);
    }
}

#[tokio::test]
async fn an_invitation_works_once_and_gives_its_role() {
    for world in World::both().await {
        let owner = world.owner().await;
        let invited = owner
            .post("/api/v1/invitations", json!({ "role": "reader", "email": "r@example.com" }))
            .await
            .is(201);
        let link = invited.body["link"].as_str().expect("a link").to_owned();
        assert!(owner.get("/api/v1/invitations").await.is(200).items()[0].get("link").is_none());
        let token = link.split_once("token=").expect("a token").1.to_owned();
        let kept = world.app.store.query("SELECT token_hash FROM invitations", &[]).await.expect("answers");
        assert_eq!(kept[0].text("token_hash").expect("text"), session::hash(&token));
        let join = |email: &str, password: &str| json!({ "token": token, "email": email, "name": "Rita", "password": password });
        let stranger = world.stranger();
        let path = "/api/v1/invitations/accept";
        // Somebody who has an account proves it; the invitation is not used up by a wrong guess.
        stranger.post(path, join("owner@example.com", "wrong wrong wrong")).await.is(401);
        stranger.post(path, join("owner@example.com", PASSWORD)).await.is(409);
        let joined = stranger.post(path, join("r@example.com", PASSWORD)).await.is(201);
        stranger.post(path, join("s@example.com", PASSWORD)).await.is(404);
        let reader = world.stranger().with_cookie(&joined.cookie().expect("signed in"));
        assert_eq!(reader.get("/api/v1/session").await.is(200).body["role"], "reader");
        reader.get("/api/v1/monitors").await.is(200);
        reader.post("/api/v1/monitors", http_monitor("A")).await.is(403);
        reader.post("/api/v1/invitations", json!({ "role": "reader" })).await.is(403);

        let late =
            owner.post("/api/v1/invitations", json!({ "role": "editor", "expires_days": 1 })).await.is(201);
        let taken = owner.post("/api/v1/invitations", json!({ "role": "editor" })).await.is(201);
        owner.delete(&format!("/api/v1/invitations/{}", taken.id())).await.is(204);
        world.clock.advance(Duration::from_secs(24 * 3600));
        for invitation in [late, taken] {
            let token = invitation.body["link"]
                .as_str()
                .expect("a link")
                .split_once("token=")
                .expect("a token")
                .1
                .to_owned();
            let body = json!({ "token": token, "email": "e@example.com", "name": "E", "password": PASSWORD });
            stranger.post(path, body).await.is(404);
        }
    }
}

#[tokio::test]
async fn somebody_in_two_organisations_sees_one_at_a_time() {
    for world in World::both().await {
        let owner = world.owner().await;
        let foreigner = world.foreigner().await;
        foreigner.post("/api/v1/monitors", http_monitor("Theirs")).await.is(201);
        owner.post("/api/v1/monitors", http_monitor("Ours")).await.is(201);
        let invited = foreigner.post("/api/v1/invitations", json!({ "role": "reader" })).await.is(201);
        let token = invited.body["link"]
            .as_str()
            .expect("a link")
            .split_once("token=")
            .expect("a token")
            .1
            .to_owned();
        let body = json!({ "token": token, "email": "owner@example.com", "password": PASSWORD });
        let joined = world.stranger().post("/api/v1/invitations/accept", body).await.is(201);
        let both = world.stranger().with_cookie(&joined.cookie().expect("signed in"));
        let who = both.get("/api/v1/session").await.is(200);
        assert_eq!(who.body["organisations"].as_array().expect("a list").len(), 2);
        assert_eq!(both.get("/api/v1/monitors").await.is(200).items()[0]["name"], "Theirs");
        both.post("/api/v1/monitors", http_monitor("No")).await.is(403);
        let ours = owner.get("/api/v1/session").await.is(200).body["organisation"].clone();
        both.patch("/api/v1/session", json!({ "organisation": ours })).await.is(204);
        assert_eq!(both.get("/api/v1/monitors").await.is(200).items()[0]["name"], "Ours");
        let theirs = foreigner.get("/api/v1/session").await.is(200).body["organisation"].clone();
        let me = who.body["name"].clone();
        let members = foreigner.get("/api/v1/members").await.is(200);
        let id = members.items().iter().find(|m| m["email"] == me).expect("a member")["id"]
            .as_str()
            .expect("an id")
            .to_owned();
        both.patch("/api/v1/session", json!({ "organisation": theirs })).await.is(204);
        foreigner.delete(&format!("/api/v1/members/{id}")).await.is(204);
        both.get("/api/v1/monitors").await.is(401);
        owner.patch("/api/v1/session", json!({ "organisation": theirs })).await.is(404);
    }
}

#[tokio::test]
async fn the_last_owner_stays_and_only_owners_make_owners() {
    for world in World::both().await {
        let owner = world.owner().await;
        let admin = world.member(&owner, "admin", "a@example.com").await;
        let members = owner.get("/api/v1/members").await.is(200);
        let id = |email: &str| {
            let member = members.items().iter().find(|m| m["email"] == email).expect("a member");
            format!("/api/v1/members/{}", member["id"].as_str().expect("an id"))
        };
        let (first, second) = (id("owner@example.com"), id("a@example.com"));
        owner.delete(&first).await.is(409);
        owner.patch(&first, json!({ "role": "reader" })).await.is(409);
        admin.patch(&second, json!({ "role": "owner" })).await.is(403);
        admin.patch(&first, json!({ "role": "reader" })).await.is(403);
        admin.delete(&first).await.is(403);
        owner.patch(&second, json!({ "role": "owner" })).await.is(200);
        // Both leave at once: one of them stays.
        let (a, b) = tokio::join!(owner.delete(&first), admin.delete(&second));
        let mut statuses = [a.status, b.status];
        statuses.sort_unstable();
        assert_eq!(statuses, [204, 409], "{} {}", a.text, b.text);
        let left = world
            .app
            .store
            .query("SELECT user_id FROM members WHERE role = 'owner'", &[])
            .await
            .expect("answers");
        assert_eq!(left.len(), 1);
    }
}

#[tokio::test]
async fn registration_is_closed_unless_the_operator_opens_it() {
    let body = json!({ "email": "n@example.com", "name": "N", "password": PASSWORD, "organisation": "New" });
    for world in World::both().await {
        world.stranger().post("/api/v1/registration", body.clone()).await.is(403);
    }
    for world in World::both_with(|s: &mut Settings| s.open_registration = true).await {
        world.owner().await;
        let made = world.stranger().post("/api/v1/registration", body.clone()).await.is(201);
        let new = world.stranger().with_cookie(&made.cookie().expect("signed in"));
        assert_eq!(new.get("/api/v1/members").await.is(200).items().len(), 1, "an organisation of their own");
        let mut wrong = body.clone();
        wrong["password"] = "wrong wrong wrong".into();
        world.stranger().post("/api/v1/registration", wrong).await.is(401);
    }
}

#[tokio::test]
async fn a_head_request_is_answered_like_a_get_without_its_body() {
    let world = World::sqlite().await;
    let owner = world.owner().await;
    let head = owner.send(&Method::HEAD, "/api/v1/monitors", None).await;
    assert_eq!((head.status, head.text.as_str()), (200, ""));
}
