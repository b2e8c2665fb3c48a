//! The page is read by a strict parser of the exposition format, not by looking for substrings.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::{Request, StatusCode};
use landfall_store::{Id, Org, params};

use super::*;
use crate::testing::{Seen, World, start};
use crate::{Scope, Settings};

/// One sample: name and labels to value.
type Samples = BTreeMap<(String, BTreeMap<String, String>), f64>;

/// Reads a page. Panics with the line at everything that the format does not allow.
fn parse(text: &str) -> Samples {
    assert!(text.ends_with('\n'), "the last line ends with a line feed");
    let mut samples = Samples::new();
    let mut types: BTreeMap<String, String> = BTreeMap::new();
    let mut helped: BTreeSet<String> = BTreeSet::new();
    let mut current = String::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# HELP ") {
            let (name, help) = rest.split_once(' ').unwrap_or_else(|| panic!("no help: {line}"));
            assert!(!help.is_empty() && helped.insert(name.into()), "help once: {line}");
            name.clone_into(&mut current);
            continue;
        }
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let (name, kind) = rest.split_once(' ').unwrap_or_else(|| panic!("no type: {line}"));
            assert!(matches!(kind, "gauge" | "counter" | "histogram"), "{line}");
            assert_eq!(name, current, "the type follows its help: {line}");
            assert!(types.insert(name.into(), kind.into()).is_none(), "a family comes once: {line}");
            continue;
        }
        assert!(!line.starts_with('#') && !line.is_empty(), "{line:?}");
        let (name, labels, value) = sample(line);
        let kind = types.get(&current).unwrap_or_else(|| panic!("no type before {line}"));
        let family = if kind == "histogram" {
            ["_bucket", "_sum", "_count"]
                .iter()
                .find_map(|s| name.strip_suffix(s))
                .unwrap_or(&name)
                .to_owned()
        } else {
            name.clone()
        };
        assert_eq!(family, current, "samples stand together: {line}");
        assert!(kind != "counter" || name.ends_with("_total"), "{line}");
        assert!(samples.insert((name, labels), value).is_none(), "a series comes once: {line}");
    }
    samples
}

fn sample(line: &str) -> (String, BTreeMap<String, String>, f64) {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == ':';
    let end = line.find(|c| !word(c)).unwrap_or_else(|| panic!("{line}"));
    let name = &line[..end];
    assert!(!name.is_empty() && !name.starts_with(|c: char| c.is_ascii_digit()), "{line}");
    let mut labels = BTreeMap::new();
    let mut rest = line[end..].chars().peekable();
    if rest.next_if_eq(&'{').is_some() {
        loop {
            let mut label = String::new();
            while let Some(c) = rest.next_if(|c| word(*c)) {
                label.push(c);
            }
            assert!(!label.is_empty() && rest.next() == Some('=') && rest.next() == Some('"'), "{line}");
            let mut value = String::new();
            loop {
                match rest.next().unwrap_or_else(|| panic!("an open quote: {line}")) {
                    '"' => break,
                    '\\' => value.push(match rest.next() {
                        Some('n') => '\n',
                        Some(c @ ('"' | '\\')) => c,
                        other => panic!("an escape of {other:?}: {line}"),
                    }),
                    c => value.push(c),
                }
            }
            assert!(labels.insert(label, value).is_none(), "a label comes once: {line}");
            match rest.next() {
                Some(',') => {}
                Some('}') => break,
                other => panic!("{other:?}: {line}"),
            }
        }
    }
    assert_eq!(rest.next(), Some(' '), "{line}");
    let value: String = rest.collect();
    let value = match value.as_str() {
        "+Inf" => f64::INFINITY,
        text => text.parse().unwrap_or_else(|e| panic!("{e}: {line}")),
    };
    (name.to_owned(), labels, value)
}

fn labels(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
}

fn named<'a>(samples: &'a Samples, name: &str) -> Vec<(&'a BTreeMap<String, String>, f64)> {
    samples.iter().filter(|((n, _), _)| n == name).map(|((_, l), v)| (l, *v)).collect()
}

struct Made<'a> {
    external: &'a str,
    name: &'a str,
    check: &'a str,
    verdict: &'a str,
    outcome: &'a str,
    reason: Option<&'a str>,
    status: Option<i64>,
}

async fn monitor(world: &World, org: &Org, made: &Made<'_>) -> Id {
    let id = Id::new();
    let kind = serde_json::from_str::<serde_json::Value>(made.check).expect("JSON")["kind"]
        .as_str()
        .expect("a kind")
        .to_owned();
    let spec = format!(r#"{{"name":"x","check":{}}}"#, made.check);
    world
        .run(
            "INSERT INTO monitors (id, org_id, external_id, name, kind, spec, interval_us, created_us, updated_us)
             VALUES ($1, $2, $3, $4, $5, $6, 60000000, $7, $7)",
            params![id, org.id, made.external, made.name, kind, spec, start()],
        )
        .await;
    world
        .run(
            "INSERT INTO monitor_states (monitor_id, org_id, verdict, since_us, state) VALUES ($1, $2, $3, $4, '{}')",
            params![id, org.id, made.verdict, start()],
        )
        .await;
    // An older result that says something else, the newest one, and a tick at which nothing was checked.
    let us = start().as_microsecond();
    for (scheduled, attempt, outcome, reason, status) in [
        (us - 60_000_000, 1, "up", None, Some(200)),
        (us, 1, "down", Some("timeout"), None),
        (us, 2, made.outcome, made.reason, made.status),
        (us + 60_000_000, 1, "missed", None, None),
    ] {
        world
            .run(
                "INSERT INTO results (id, org_id, monitor_id, scheduled_us, attempt, started_us, took_us, outcome, reason,
                   say, resolve_us, connect_us, tls_us, wait_us, transfer_us, status, cert_not_after_us)
                 VALUES ($1, $2, $3, $4, $5, $4, 250000, $6, $7, 'said', 1000, 2000, 3000, 4000, 5000, $8, 1800000000000000)",
                params![Id::new(), org.id, id, scheduled, attempt, outcome, reason, status],
            )
            .await;
    }
    id
}

const NASTY: &str = "a \"quoted\" \\ name\nof two lines {x=\"1\"} 5";

async fn filled(world: &World) -> (Org, Org, Id) {
    let (acme, other) = (world.org("acme").await, world.org("other").await);
    let http = r#"{"kind":"http","url":"https://user:hunter2@api.example.com/health?token=s3cr3t&x=1"}"#;
    let up = Made {
        external: "api",
        name: NASTY,
        check: http,
        verdict: "up",
        outcome: "degraded",
        reason: Some("slow"),
        status: Some(200),
    };
    let id = monitor(world, &acme, &up).await;
    let down = Made {
        external: "db",
        name: "db",
        check: r#"{"kind":"tcp","host":"db.example.com","port":5432}"#,
        verdict: "down",
        outcome: "down",
        reason: Some("connection_error"),
        status: None,
    };
    monitor(world, &acme, &down).await;
    let unsure = Made {
        external: "dns",
        name: "dns",
        check: r#"{"kind":"dns","name":"example.com"}"#,
        verdict: "inconclusive",
        outcome: "inconclusive",
        reason: Some("own_connection"),
        status: None,
    };
    monitor(world, &acme, &unsure).await;
    let theirs = Made {
        external: "theirs",
        name: "theirs",
        check: r#"{"kind":"http","url":"https://their.example"}"#,
        verdict: "up",
        outcome: "up",
        reason: None,
        status: Some(204),
    };
    monitor(world, &other, &theirs).await;
    (acme, other, id)
}

#[tokio::test]
async fn the_page_is_right_by_the_format_and_by_the_database() {
    for world in World::both(&Settings::default()).await {
        let (_, _, id) = filled(&world).await;
        world.app.live.meters.check_began(Duration::from_millis(3));
        world.app.live.meters.check_began(Duration::from_secs(90));
        world.app.live.meters.missed(2);
        let text = render(&world.app, View::Server).await;
        let page = parse(&text);
        let target = "https://api.example.com/health?token=%5Bredacted%5D&x=1";
        let api = [("org", "acme"), ("monitor", "api"), ("name", NASTY)];
        let success = named(&page, "probe_success");
        let value = |monitor: &str| success.iter().find(|(l, _)| l["monitor"] == monitor).map(|(_, v)| *v);
        assert_eq!(value("api"), Some(1.0), "degraded serves");
        assert_eq!(value("db"), Some(0.0));
        assert_eq!(value("dns"), None, "unknown is neither");
        let first = success.iter().find(|(l, _)| l["monitor"] == "api").expect("there").0;
        for (label, value) in api {
            assert_eq!(first[label], value);
        }
        assert!(!text.contains("hunter2") && !text.contains("s3cr3t"), "{text}");
        assert!(
            first["target"].starts_with("https://api.example.com/health?"),
            "{} {target}",
            first["target"]
        );
        assert_eq!(named(&page, "probe_duration_seconds").len(), 4);
        assert!(named(&page, "probe_duration_seconds").iter().all(|(_, v)| *v == 0.25));
        let phases: Vec<(String, f64)> = named(&page, "probe_http_duration_seconds")
            .into_iter()
            .filter(|(l, _)| l["monitor"] == "api")
            .map(|(l, v)| (l["phase"].clone(), v))
            .collect();
        let expected = [
            ("connect", 0.002),
            ("processing", 0.004),
            ("resolve", 0.001),
            ("tls", 0.003),
            ("transfer", 0.005),
        ];
        assert_eq!(phases, expected.map(|(p, v)| (p.to_owned(), v)));
        assert_eq!(
            named(&page, "probe_http_status_code")
                .iter()
                .map(|(l, v)| (l["monitor"].as_str(), *v))
                .collect::<Vec<_>>(),
            [("api", 200.0), ("theirs", 204.0)]
        );
        assert!(named(&page, "probe_ssl_earliest_cert_expiry").iter().all(|(_, v)| *v == 1.8e9));
        let failures: BTreeSet<(&str, &str)> = named(&page, "probe_failure_info")
            .iter()
            .map(|(l, _)| (l["monitor"].as_str(), l["reason"].as_str()))
            .collect();
        assert_eq!(
            failures,
            BTreeSet::from([("api", "slow"), ("db", "connection_error"), ("dns", "own_connection")])
        );
        let verdicts: BTreeMap<&str, &str> = named(&page, "landfall_monitor_verdict")
            .iter()
            .map(|(l, _)| (l["monitor"].as_str(), l["verdict"].as_str()))
            .collect();
        assert_eq!(
            verdicts,
            BTreeMap::from([("api", "up"), ("db", "down"), ("dns", "inconclusive"), ("theirs", "up")])
        );
        // The histogram: cumulative, and its last bucket is its count.
        let buckets = named(&page, "landfall_schedule_lag_seconds_bucket");
        let mut by_bound: Vec<(f64, f64)> = buckets
            .iter()
            .map(|(l, v)| {
                (if l["le"] == "+Inf" { f64::INFINITY } else { l["le"].parse().expect("a number") }, *v)
            })
            .collect();
        by_bound.sort_by(|a, b| a.0.total_cmp(&b.0));
        assert!(by_bound.windows(2).all(|w| w[0].1 <= w[1].1), "{by_bound:?}");
        assert_eq!(by_bound.last(), Some(&(f64::INFINITY, 2.0)));
        assert_eq!(page[&("landfall_schedule_lag_seconds_count".into(), labels(&[]))], 2.0);
        assert!((page[&("landfall_schedule_lag_seconds_sum".into(), labels(&[]))] - 90.003).abs() < 1e-9);
        assert_eq!(page[&("landfall_missed_windows_total".into(), labels(&[]))], 2.0);
        assert_eq!(page[&("landfall_database_up".into(), labels(&[]))], 1.0);
        let build = [("version", env!("CARGO_PKG_VERSION")), ("build", world.app.live.build)];
        assert_eq!(page[&("landfall_build_info".into(), labels(&build))], 1.0);

        // A monitor that is deleted, and one that is paused, leave no series of now behind.
        world.run("UPDATE monitors SET deleted_us = 1 WHERE id = $1", params![id]).await;
        world.run("UPDATE monitors SET paused = 1 WHERE external_id = 'db'", params![]).await;
        let page = parse(&render(&world.app, View::Server).await);
        let left: BTreeSet<&str> =
            page.keys().filter_map(|(_, l)| l.get("monitor").map(String::as_str)).collect();
        assert_eq!(left, BTreeSet::from(["db", "dns", "theirs"]));
        let of_db: Vec<&(String, BTreeMap<String, String>)> =
            page.keys().filter(|(_, l)| l.get("monitor").is_some_and(|m| m == "db")).collect();
        assert_eq!(of_db.len(), 1, "{of_db:?}");
        assert_eq!(of_db[0].1["verdict"], "paused");
    }
}

#[tokio::test]
async fn the_outbox_and_the_jobs_are_there_with_their_ages() {
    for world in World::both(&Settings::default()).await {
        let org = world.org("acme").await;
        let page = parse(&render(&world.app, View::Server).await);
        assert_eq!(page[&("landfall_outbox_pending".into(), labels(&[]))], 0.0);
        assert_eq!(page[&("landfall_outbox_oldest_seconds".into(), labels(&[]))], 0.0);
        world
            .run(
                "INSERT INTO outbox (id, org_id, key, subject, seq, payload, created_us, next_us, give_up_us)
                 VALUES ($1, $2, 'k', 's', 1, '{}', $3, $3, $3)",
                params![Id::new(), org.id, start()],
            )
            .await;
        // The table of jobs may be of another step: it is asked what it has.
        let there = world.app.store.query("SELECT name FROM jobs LIMIT 1", params![]).await.is_ok();
        if !there {
            world
                .run("CREATE TABLE jobs (name TEXT PRIMARY KEY, next_us BIGINT, first_seen_us BIGINT, last_run_us BIGINT, last_success_us BIGINT)", params![])
                .await;
        }
        world
            .run(
                "INSERT INTO jobs (name, next_us, first_seen_us, last_run_us, last_success_us) VALUES ('rollup', 0, 0, 7000000, 5000000)",
                params![],
            )
            .await;
        world.clock.advance(Duration::from_secs(90));
        let page = parse(&render(&world.app, View::Server).await);
        assert_eq!(page[&("landfall_outbox_pending".into(), labels(&[]))], 1.0);
        assert_eq!(page[&("landfall_outbox_oldest_seconds".into(), labels(&[]))], 90.0);
        let rollup = labels(&[("job", "rollup")]);
        assert_eq!(page[&("landfall_job_last_success_timestamp_seconds".into(), rollup.clone())], 5.0);
        assert_eq!(page[&("landfall_job_last_run_timestamp_seconds".into(), rollup)], 7.0);
    }
}

async fn scrape(world: &World, peer: &str, headers: &[(&str, &str)], who: Option<crate::Principal>) -> Seen {
    let mut request = Request::builder().uri("/metrics");
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let mut request = request.body(Body::empty()).expect("a request");
    request.extensions_mut().insert(ConnectInfo::<SocketAddr>(peer.parse().expect("an address")));
    if let Some(who) = who {
        request.extensions_mut().insert(who);
    }
    world.send(request).await
}

#[tokio::test]
async fn a_stranger_sees_nothing_and_an_organisation_only_its_own() {
    let world = World::sqlite(Settings::default()).await;
    let (acme, ..) = filled(&world).await;
    let local = scrape(&world, "127.0.0.1:5000", &[], None).await;
    assert_eq!(local.status, StatusCode::OK);
    assert_eq!(local.header("content-type"), Some("text/plain; version=0.0.4; charset=utf-8"));
    assert_eq!(scrape(&world, "[::ffff:127.0.0.1]:5000", &[], None).await.status, StatusCode::OK);
    assert_eq!(scrape(&world, "192.0.2.1:5000", &[], None).await.status, StatusCode::UNAUTHORIZED);
    // Whoever comes through a proxy on this machine is not of this machine.
    for header in ["x-forwarded-for", "forwarded", "x-real-ip", "via"] {
        let seen = scrape(&world, "127.0.0.1:5000", &[(header, "127.0.0.1")], None).await;
        assert_eq!(seen.status, StatusCode::UNAUTHORIZED, "{header}");
    }
    let without = world.get("/metrics").await;
    assert_eq!(without.status, StatusCode::UNAUTHORIZED, "an unknown peer is a stranger");
    let reader = world.key(&acme, &[Scope::Read]);
    assert_eq!(scrape(&world, "192.0.2.1:5000", &[], Some(reader)).await.status, StatusCode::FORBIDDEN);
    let key = world.key(&acme, &[Scope::Metrics]);
    let seen = scrape(&world, "192.0.2.1:5000", &[], Some(key)).await;
    assert_eq!(seen.status, StatusCode::OK);
    let page = parse(&seen.text);
    let monitors: BTreeSet<&str> =
        page.keys().filter_map(|(_, l)| l.get("monitor").map(String::as_str)).collect();
    assert_eq!(monitors, BTreeSet::from(["api", "db", "dns"]));
    assert!(
        !page.keys().any(|(name, _)| name.contains("build_info") || name.contains("schedule")),
        "the server's own is not theirs"
    );
}
