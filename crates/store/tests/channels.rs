//! Channels belong to their organisation, on both databases.

use jiff::Timestamp;
use landfall_store::channels::{ChannelPut, MASK};
use landfall_store::testkit::TestDb;
use landfall_store::{Id, Page, Store, StoreError, Tenant, Value};
use serde_json::{Value as Json, json};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(second).expect("a valid moment")
}

async fn tenant(store: &Store, slug: &str) -> Tenant {
    let mut tx = store.begin().await.expect("begins");
    let org = Store::create_org(&mut tx, slug, slug, at(1)).await.expect("made");
    tx.commit().await.expect("kept");
    store.tenant(org.id)
}

fn put<'a>(external_id: &'a str, kind: &'a str, config: &'a Json) -> ChannelPut<'a> {
    ChannelPut { external_id, name: external_id, kind, config, enabled: true, origin: "api" }
}

#[tokio::test]
async fn putting_twice_changes_one_channel_and_keeps_its_id() {
    for db in TestDb::both().await {
        let us = tenant(&db.store, "us").await;
        let config = json!({ "url": "https://a.example/x" });
        let (first, made) = us.put_channel(&put("ops", "webhook", &config), at(10)).await.expect("made");
        assert!(made);
        let config = json!({ "url": "https://b.example/x" });
        let (second, made) = us.put_channel(&put("ops", "webhook", &config), at(20)).await.expect("put");
        assert!(!made);
        assert_eq!((second.id, second.created, second.updated), (first.id, at(10), at(20)));
        assert_eq!(second.config["url"], "https://b.example/x");
        assert_eq!(us.channels(Page::default()).await.expect("listed").len(), 1);
    }
}

#[tokio::test]
async fn a_mask_that_comes_back_keeps_the_secret_of_the_same_kind() {
    for db in TestDb::both().await {
        let us = tenant(&db.store, "us").await;
        let config = json!({ "bot_token": "1:secret", "headers": { "A": "one" }, "chat_id": "5" });
        us.put_channel(&put("tg", "telegram", &config), at(10)).await.expect("made");
        let masked = json!({ "bot_token": MASK, "headers": { "A": MASK, "B": MASK }, "chat_id": "6" });
        let (kept, _) = us.put_channel(&put("tg", "telegram", &masked), at(11)).await.expect("put");
        let wanted = json!({ "bot_token": "1:secret", "headers": { "A": "one", "B": MASK }, "chat_id": "6" });
        assert_eq!(kept.config, wanted);
        let (other, _) = us.put_channel(&put("tg", "slack", &masked), at(12)).await.expect("put");
        assert_eq!(other.config, masked, "another kind has other secrets");
        assert!(!format!("{kept:?}").contains("secret"));
    }
}

#[tokio::test]
async fn pages_follow_each_other() {
    for db in TestDb::both().await {
        let us = tenant(&db.store, "us").await;
        for n in 0..5 {
            us.put_channel(&put(&format!("c{n}"), "slack", &json!({})), at(n)).await.expect("made");
        }
        let mut seen = Vec::new();
        let mut after = None;
        loop {
            let mut page = us.channels(Page { after, limit: 2 }).await.expect("listed");
            let more = page.len() > 2;
            page.truncate(2);
            after = page.last().map(|c| c.id);
            seen.extend(page.into_iter().map(|c| c.external_id));
            if !more {
                break;
            }
        }
        assert_eq!(seen, ["c0", "c1", "c2", "c3", "c4"]);
    }
}

async fn letter(us: &Tenant, channel: Id, state: &str) -> Id {
    let id = Id::new();
    let sql = "INSERT INTO outbox (id, org_id, channel_id, key, subject, seq, payload, state, created_us, next_us, give_up_us)
         VALUES ($1, $2, $3, $1, 's', 10, $4, $5, 5, 5, 9)";
    let payload = json!({ "headline": "DOWN x" }).to_string();
    let values = [id.into(), us.id().into(), channel.into(), payload.into(), state.into()];
    us.store().execute(sql, &values).await.expect("written");
    let sql =
        "INSERT INTO deliveries (id, outbox_id, org_id, channel_id, at_us, took_us, outcome, status, say)
         VALUES ($1, $2, $3, $4, 7, 8, 'refused', 404, 'gone')";
    let values: [Value; 4] = [Id::new().into(), id.into(), us.id().into(), channel.into()];
    us.store().execute(sql, &values).await.expect("written");
    id
}

#[tokio::test]
async fn another_organisation_sees_nothing_and_changes_nothing() {
    for db in TestDb::both().await {
        let (us, them) = (tenant(&db.store, "us").await, tenant(&db.store, "them").await);
        let config = json!({ "url": "https://a.example/x", "secret": "ours" });
        let (ours, _) = us.put_channel(&put("ops", "webhook", &config), at(10)).await.expect("made");
        let dead = letter(&us, ours.id, "dead").await;

        assert!(them.channels(Page::default()).await.expect("listed").is_empty());
        assert!(them.channel_named("ops").await.expect("asked").is_none());
        assert!(them.deliveries(None, Page::default()).await.expect("listed").is_empty());
        assert!(them.deliveries(Some(ours.id), Page::default()).await.expect("listed").is_empty());
        assert!(them.outbox(None, Page::default()).await.expect("listed").is_empty());
        let missing = |e: &StoreError| matches!(e, StoreError::Missing { .. });
        assert!(missing(&them.channel(ours.id).await.expect_err("not theirs")));
        assert!(missing(&them.enable_channel(ours.id, false, at(11)).await.expect_err("not theirs")));
        assert!(missing(&them.delete_channel(ours.id).await.expect_err("not theirs")));
        assert!(missing(&them.revive_letter(dead, at(11), at(99)).await.expect_err("not theirs")));
        // The same external id is a channel of their own, and a mask of theirs does not fetch our secret.
        let masked = json!({ "url": "https://evil.example/", "secret": MASK });
        let (theirs, made) = them.put_channel(&put("ops", "webhook", &masked), at(12)).await.expect("made");
        assert!(made && theirs.id != ours.id && theirs.config["secret"] == MASK);

        assert_eq!(us.channel(ours.id).await.expect("ours"), ours, "untouched");
        let attempts = us.deliveries(Some(ours.id), Page::default()).await.expect("listed");
        assert_eq!((attempts.len(), attempts[0].headline.as_str()), (1, "DOWN x"));
        assert_eq!(us.outbox(Some("dead"), Page::default()).await.expect("listed")[0].id, dead);
        assert!(us.outbox(Some("pending"), Page::default()).await.expect("listed").is_empty());
        us.revive_letter(dead, at(11), at(99)).await.expect("ours");
        assert_eq!(us.outbox(Some("pending"), Page::default()).await.expect("listed")[0].next, at(11));
        us.enable_channel(ours.id, false, at(13)).await.expect("ours");
        assert!(!us.channel(ours.id).await.expect("ours").enabled);
        us.delete_channel(ours.id).await.expect("ours");
        assert!(us.channel(ours.id).await.is_err());
        assert_eq!(us.deliveries(None, Page::default()).await.expect("listed").len(), 1, "the log stays");
    }
}
