//! Heartbeats over both databases: nothing acknowledged is lost, silence is noticed once, people hear of it.

use std::time::{Duration, Instant};

use jiff::Timestamp;
use landfall_monitor::Bus;
use landfall_monitor::heartbeat::{self, Action, Answer, HeartbeatSpec, Ingest, Ping, Whom};
use landfall_store::testkit::{Postgres, TestDb};
use landfall_store::{Id, Store, Tenant, params};
use uuid::Uuid;

const BASE: &str = "https://watch.example.com/";

fn t(second: i64) -> Timestamp {
    Timestamp::from_second(1_790_000_000 + second).expect("a moment")
}

async fn tenant(store: &Store) -> Tenant {
    let mut tx = store.begin().await.expect("begin");
    let org =
        Store::create_org(&mut tx, &format!("o{}", Id::new().0.simple()), "Org", t(0)).await.expect("org");
    tx.commit().await.expect("commit");
    store.tenant(org.id)
}

async fn channel(tenant: &Tenant, external_id: &str, enabled: bool) {
    let sql =
        "INSERT INTO channels (id, org_id, external_id, name, kind, config, enabled, created_us, updated_us)
               VALUES ($1, $2, $3, $3, 'webhook', '{}', $4, 0, 0)";
    tenant
        .store()
        .execute(sql, params![Id::new(), tenant.id(), external_id, enabled])
        .await
        .expect("a channel");
}

fn spec() -> HeartbeatSpec {
    HeartbeatSpec { period_s: Some(3600), grace_s: 600, ..HeartbeatSpec::named("nightly") }
}

fn ping(id: Id, action: Action, at: Timestamp) -> Ping {
    Ping {
        whom: Whom::Id(id.0),
        action,
        method: "POST".into(),
        rid: None,
        body: String::new(),
        agent: Some("curl/8".into()),
        address: Some("192.0.2.1".into()),
        at,
    }
}

fn start(store: &Store) -> Ingest {
    Ingest::start(store.clone(), Bus::default(), BASE.into()).0
}

async fn letters(store: &Store) -> Vec<(String, String)> {
    let rows = store.query("SELECT key, payload FROM outbox ORDER BY id", &[]).await.expect("rows");
    rows.iter().map(|r| (r.text("key").expect("key"), r.text("payload").expect("payload"))).collect()
}

#[tokio::test]
async fn silence_opens_an_incident_once_and_a_ping_resolves_it() {
    for db in TestDb::both().await {
        let store = &db.store;
        let tenant = tenant(store).await;
        channel(&tenant, "ops", true).await;
        channel(&tenant, "off", false).await;
        channel(&tenant, "other", true).await;
        let wanted = HeartbeatSpec { channels: Some(vec!["ops".into(), "off".into()]), ..spec() };
        let (id, made) = heartbeat::put(&tenant, "nightly", &wanted, "api", t(0)).await.expect("made");
        assert!(made);
        let ingest = start(store);
        assert_eq!(ingest.ping(ping(id, Action::Success, t(10))).await, Answer::Ok);
        assert_eq!(letters(store).await, [], "new to up is no news");
        assert_eq!(heartbeat::sweep(store, t(4210), BASE).await.expect("sweep").flips.len(), 0, "not yet");

        // Two servers sweep at the same time.
        let (a, b) =
            tokio::join!(heartbeat::sweep(store, t(9000), BASE), heartbeat::sweep(store, t(9000), BASE));
        let (a, b) = (a.expect("sweep"), b.expect("sweep"));
        assert_eq!(a.flips.len() + b.flips.len(), 1, "{}", store.kind());
        let row = tenant.heartbeat(id).await.expect("there");
        assert_eq!((row.status.as_str(), row.alert_after), ("down", None));
        let flips = tenant.heartbeat_flips(id, 10).await.expect("flips");
        assert_eq!(flips[0].at, t(4210), "the deadline, not the moment of the sweep");
        assert_eq!((flips.len(), flips[0].reason.as_str()), (2, "timeout"));
        let sent = letters(store).await;
        assert_eq!(sent.len(), 1, "only the enabled channel that was asked for: {sent:?}");
        assert!(sent[0].1.contains("DOWN heartbeat nightly is overdue"), "{}", sent[0].1);
        assert!(!sent[0].1.contains(&id.to_string()), "the secret of the ping URL is in no letter");
        let incident = row.incident.expect("an incident");
        assert!(sent[0].1.contains(&format!("https://watch.example.com/incidents/{incident}")));

        assert_eq!(ingest.ping(ping(id, Action::Success, t(9100))).await, Answer::Ok);
        assert_eq!(tenant.heartbeat(id).await.expect("there").incident, None);
        let over = store
            .query_opt("SELECT status, began_us, resolved_us FROM incidents WHERE id = $1", params![incident])
            .await
            .expect("query")
            .expect("the incident");
        assert_eq!(over.text("status").expect("status"), "resolved");
        assert_eq!(
            (over.time("began_us").expect("t"), over.time("resolved_us").expect("t")),
            (t(4210), t(9100))
        );
        let sent = letters(store).await;
        assert_eq!(sent.len(), 2);
        assert!(sent[1].1.contains("UP heartbeat nightly is back"));
        let kinds = store
            .query(
                "SELECT kind FROM incident_events WHERE incident_id = $1 ORDER BY at_us, id",
                params![incident],
            )
            .await
            .expect("events");
        let kinds: Vec<String> = kinds.iter().map(|r| r.text("kind").expect("kind")).collect();
        assert_eq!(kinds, ["confirmed", "alerted", "resolved"]);
    }
}

#[tokio::test]
async fn keys_and_slugs_find_make_and_refuse() {
    for db in TestDb::both().await {
        let tenant = tenant(&db.store).await;
        let stranger = self::tenant(&db.store).await;
        let key = tenant.ping_key(t(0)).await.expect("key");
        assert_eq!(tenant.ping_key(t(1)).await.expect("key"), key, "the same one");
        let ingest = start(&db.store);
        let by = |key: &str, slug: &str, create| Ping {
            whom: Whom::Slug { key: key.into(), slug: slug.into(), create },
            ..ping(Id::new(), Action::Success, t(5))
        };
        assert_eq!(ingest.ping(by("nokey", "a", true)).await, Answer::Missing);
        assert_eq!(ingest.ping(by(&key, "a", false)).await, Answer::Missing);
        assert_eq!(ingest.ping(by(&key, "a", true)).await, Answer::Created);
        assert_eq!(ingest.ping(by(&key, "a", true)).await, Answer::Ok);
        assert_eq!(ingest.ping(ping(Id::new(), Action::Success, t(5))).await, Answer::Missing);
        let twin = HeartbeatSpec { slug: Some("a".into()), ..spec() };
        heartbeat::put(&tenant, "twin", &twin, "api", t(6)).await.expect("made");
        assert_eq!(ingest.ping(by(&key, "a", true)).await, Answer::Ambiguous);
        // The external id that a new one would get is taken by one of another slug.
        heartbeat::put(&tenant, "b", &HeartbeatSpec { slug: Some("c".into()), ..spec() }, "api", t(6))
            .await
            .expect("made");
        assert_eq!(ingest.ping(by(&key, "b", true)).await, Answer::Created);
        assert_eq!(tenant.heartbeat_count().await.expect("count"), 4);
        assert_eq!(stranger.heartbeat_count().await.expect("count"), 0);
        let id = tenant.heartbeat_by_external_id("a").await.expect("there").id;
        assert!(
            stranger.heartbeat(id).await.is_err() && heartbeat::pause(&stranger, id, t(7)).await.is_err()
        );
        assert!(heartbeat::delete(&stranger, id, t(7)).await.is_err());
        let rotated = tenant.rotate_ping_key(t(8)).await.expect("key");
        assert_ne!(rotated, key);
        assert_eq!(ingest.ping(by(&key, "c", false)).await, Answer::Missing);
        assert_eq!(ingest.ping(by(&rotated, "c", false)).await, Answer::Ok);
    }
}

#[tokio::test]
async fn pings_are_kept_with_what_they_said_and_pruned() {
    for db in TestDb::both().await {
        let tenant = tenant(&db.store).await;
        let (id, _) = heartbeat::put(&tenant, "n", &spec(), "api", t(0)).await.expect("made");
        let ingest = start(&db.store);
        let rid = Uuid::from_u128(7);
        let begin = Ping { rid: Some(rid), ..ping(id, Action::Start, t(1)) };
        let end = Ping { rid: Some(rid), body: "boom\0bang".into(), ..ping(id, Action::Exit(3), t(31)) };
        assert_eq!(ingest.ping(begin).await, Answer::Ok);
        assert_eq!(ingest.ping(end).await, Answer::Ok);
        let kept = tenant.heartbeat_pings(id, None, 10).await.expect("pings");
        assert_eq!(
            (kept[0].kind.as_str(), kept[0].exit_status, kept[0].duration_us),
            ("fail", Some(3), Some(30_000_000))
        );
        assert_eq!(kept[0].body.as_deref(), Some("boom\u{fffd}bang"));
        assert_eq!((kept[1].kind.as_str(), kept[1].n), ("start", 1));
        let mut all = Vec::new();
        for i in 0..350 {
            all.push(ingest.ping(ping(id, Action::Log, t(100 + i))));
        }
        assert!(futures_util::future::join_all(all).await.iter().all(|a| *a == Answer::Ok));
        let kept = tenant.heartbeat_pings(id, None, 500).await.expect("pings");
        assert_eq!(kept[0].n, 352);
        assert!((100..200).contains(&kept.len()), "{} are kept", kept.len());
        heartbeat::delete(&tenant, id, t(900)).await.expect("gone");
        assert_eq!(tenant.heartbeat_pings(id, None, 500).await.expect("pings"), []);
    }
}

#[tokio::test]
async fn a_change_of_the_declaration_keeps_id_and_history_and_moves_the_deadline() {
    for db in TestDb::both().await {
        let tenant = tenant(&db.store).await;
        let (id, _) = heartbeat::put(&tenant, "n", &spec(), "file", t(0)).await.expect("made");
        let ingest = start(&db.store);
        ingest.ping(ping(id, Action::Success, t(10))).await;
        let changed = HeartbeatSpec { period_s: Some(60), name: "renamed".into(), ..spec() };
        assert_eq!(heartbeat::put(&tenant, "n", &changed, "file", t(20)).await.expect("put"), (id, false));
        let row = tenant.heartbeat(id).await.expect("there");
        assert_eq!((row.name.as_str(), row.status.as_str(), row.pings), ("renamed", "up", 1));
        assert_eq!(row.alert_after, Some(t(10 + 60 + 600)));
        assert!(heartbeat::pause(&tenant, id, t(30)).await.expect("pause"));
        assert!(!heartbeat::pause(&tenant, id, t(30)).await.expect("pause"), "paused already");
        assert_eq!(heartbeat::sweep(&db.store, t(99_999), BASE).await.expect("sweep").flips.len(), 0);
        assert!(heartbeat::resume(&tenant, id, t(40)).await.expect("resume"));
        assert!(!heartbeat::resume(&tenant, id, t(40)).await.expect("resume"));
        assert_eq!(tenant.heartbeat(id).await.expect("there").status, "new");
    }
}

#[tokio::test]
async fn maintenance_waits_with_the_alert_and_does_not_forget_it() {
    for db in TestDb::both().await {
        let tenant = tenant(&db.store).await;
        let (id, _) = heartbeat::put(&tenant, "n", &spec(), "api", t(0)).await.expect("made");
        start(&db.store).ping(ping(id, Action::Success, t(0))).await;
        let window = format!(r#"{{"name":"w","monitors":["n"],"start":"{}","duration_min":100}}"#, t(4000));
        let sql = "INSERT INTO windows (id, org_id, external_id, name, spec, created_us, updated_us) VALUES ($1, $2, 'w', 'w', $3, 0, 0)";
        db.store.execute(sql, params![Id::new(), tenant.id(), window]).await.expect("a window");
        let swept = heartbeat::sweep(&db.store, t(5000), BASE).await.expect("sweep");
        assert_eq!((swept.flips.len(), swept.postponed), (0, 1));
        let swept = heartbeat::sweep(&db.store, t(10_001), BASE).await.expect("sweep");
        assert_eq!((swept.flips.len(), swept.postponed), (1, 0), "when the window has closed");
    }
}

#[tokio::test]
async fn one_that_cannot_be_read_hides_no_other() {
    for db in TestDb::both().await {
        let tenant = tenant(&db.store).await;
        let ingest = start(&db.store);
        let (bad, _) = heartbeat::put(&tenant, "bad", &spec(), "api", t(0)).await.expect("made");
        let (good, _) = heartbeat::put(&tenant, "good", &spec(), "api", t(0)).await.expect("made");
        for id in [bad, good] {
            ingest.ping(ping(id, Action::Success, t(0))).await;
        }
        let sql = "UPDATE heartbeats SET spec = '{\"name\":1}' WHERE id = $1";
        db.store.execute(sql, params![bad]).await.expect("spoiled");
        let swept = heartbeat::sweep(&db.store, t(9000), BASE).await.expect("sweep");
        assert_eq!((swept.flips.len(), swept.broken), (1, 1));
        let (a, b) = tokio::join!(
            ingest.ping(ping(bad, Action::Success, t(9001))),
            ingest.ping(ping(good, Action::Success, t(9001)))
        );
        assert_eq!((a, b), (Answer::Unavailable, Answer::Ok));
    }
}

/// Prints how many pings a second become durable; what is asserted is that each answered one is there.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_answered_ping_is_in_the_database() {
    for db in TestDb::both().await {
        let tenant = tenant(&db.store).await;
        let mut ids = Vec::new();
        for i in 0..50 {
            ids.push(heartbeat::put(&tenant, &format!("n{i}"), &spec(), "api", t(0)).await.expect("made").0);
        }
        let ingest = start(&db.store);
        let began = Instant::now();
        let mut clients = Vec::new();
        for client in 0..200usize {
            let (ingest, ids) = (ingest.clone(), ids.clone());
            clients.push(tokio::spawn(async move {
                let mut done = 0u64;
                for round in 0..20usize {
                    let id = ids[(client + round) % ids.len()];
                    done += u64::from(
                        ingest.ping(ping(id, Action::Success, t(1 + round as i64))).await == Answer::Ok,
                    );
                }
                done
            }));
        }
        let mut answered = 0;
        for client in clients {
            answered += client.await.expect("no client panics");
        }
        let rate = answered as f64 / began.elapsed().as_secs_f64();
        println!("{}: {rate:.0} durable pings a second ({answered})", db.store.kind());
        let sum = db
            .store
            .query_opt("SELECT CAST(sum(pings) AS BIGINT) AS n FROM heartbeats", &[])
            .await
            .expect("query")
            .expect("a row");
        assert_eq!(sum.count("n").expect("n"), answered);
        assert_eq!(answered, 4000);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_database_that_is_gone_never_gives_an_ok() {
    let server = Postgres::start();
    server.psql("postgres", "CREATE DATABASE beats");
    let store = Store::open(&server.url("beats")).await.expect("opens");
    let tenant = tenant(&store).await;
    let (id, _) = heartbeat::put(&tenant, "n", &spec(), "api", t(0)).await.expect("made");
    let ingest = start(&store);
    assert_eq!(ingest.ping(ping(id, Action::Success, t(1))).await, Answer::Ok);
    server.stop();
    assert_eq!(ingest.ping(ping(id, Action::Success, t(2))).await, Answer::Unavailable);
    server.run();
    let patience = Instant::now() + Duration::from_secs(60);
    let mut second = 3;
    while ingest.ping(ping(id, Action::Success, t(second))).await != Answer::Ok {
        assert!(Instant::now() < patience, "it never comes back");
        second += 1;
    }
    assert_eq!(tenant.heartbeat(id).await.expect("there").last_ping, Some(t(second)));
    assert_eq!(tenant.heartbeat(id).await.expect("there").pings, 2, "the refused ones are not in it");
}

#[tokio::test]
async fn a_ping_makes_no_heartbeat_that_the_plan_has_no_room_for() {
    for db in TestDb::both().await {
        let store = &db.store;
        let tenant = tenant(store).await;
        let key = tenant.ping_key(t(0)).await.expect("a key");
        let room: heartbeat::Room = std::sync::Arc::new(|plan| if plan == "free" { 2 } else { 3 });
        let ingest = Ingest::start_within(store.clone(), Bus::default(), BASE.into(), room).0;
        let by_slug = |slug: &str| Ping {
            whom: Whom::Slug { key: key.clone(), slug: slug.into(), create: true },
            ..ping(Id::new(), Action::Success, t(1))
        };
        assert_eq!(ingest.ping(by_slug("one")).await, Answer::Created);
        assert_eq!(ingest.ping(by_slug("two")).await, Answer::Created);
        assert_eq!(ingest.ping(by_slug("three")).await, Answer::TooMany);
        assert_eq!(ingest.ping(by_slug("two")).await, Answer::Ok, "what is there goes on");
        store.execute("UPDATE orgs SET plan = 'team'", &[]).await.expect("written");
        assert_eq!(ingest.ping(by_slug("three")).await, Answer::Created);
        assert_eq!(ingest.ping(by_slug("four")).await, Answer::TooMany);
    }
}
