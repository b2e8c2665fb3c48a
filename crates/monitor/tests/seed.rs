//! The seed's line: a monitor every five minutes alerts at the third consecutive failure, once, and says why. Real probes
//! and a real audit over the worlds of the acceptance case; only the clock is moved by hand.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landfall_audit::Progress;
use landfall_lab::{Access, Lab, LabOptions, load};
use landfall_monitor::audit::{AuditRequest, Auditor, Opinion};
use landfall_monitor::check::{BoxFuture, Checker};
use landfall_monitor::connectivity::Connectivity;
use landfall_monitor::engine::{Engine, Options, Parts};
use landfall_monitor::{Bus, CheckResult, Clock as _, ManualClock, MonitorSpec, Probes, ProbesConfig, Watch};
use landfall_notify::{Event, Message};
use landfall_probe::net::{AddressMap, Egress};
use landfall_store::testkit::TestDb;
use landfall_store::{Id, Store, json, params};
use tokio_util::sync::CancellationToken;

/// The probes of two worlds that have the same names: the broken one, and the one that it becomes when it is repaired.
struct Worlds {
    repaired: AtomicBool,
    broken: Probes,
    whole: Probes,
}

impl Worlds {
    fn now(&self) -> &Probes {
        if self.repaired.load(Ordering::SeqCst) { &self.whole } else { &self.broken }
    }
}

impl Checker for Worlds {
    fn check<'a>(&'a self, spec: &'a MonitorSpec, now: Timestamp) -> BoxFuture<'a, CheckResult> {
        self.now().check(spec, now)
    }
}

impl Auditor for Worlds {
    fn audit<'a>(
        &'a self,
        request: AuditRequest,
        progress: Progress,
    ) -> BoxFuture<'a, Result<Opinion, String>> {
        Auditor::audit(self.now(), request, progress)
    }
}

fn probes(access: &Access) -> Probes {
    let mut map = AddressMap::default();
    for entry in &access.connect_to {
        map.add(entry).expect("the lab's entries are sound");
    }
    Probes::new(ProbesConfig {
        egress: Egress::public_only(vec!["127.0.0.0/8".parse().expect("valid")]),
        map,
        resolvers: access.resolvers.clone(),
        ca_files: vec![access.ca_file.clone()],
        user_agent: String::new(),
    })
    .expect("the lab's anchor is sound")
}

async fn until(store: &Store, what: &str, sql: &str, done: impl Fn(i64) -> bool) {
    let began = Instant::now();
    loop {
        let n = store.query(sql, &[]).await.expect("answers")[0].int("n").expect("a count");
        if done(n) {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(120), "waited in vain for {what}: {n}");
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
}

#[test]
fn the_seeds_line() {
    // An audit is one deep future, and a debug build's frames are large.
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .thread_stack_size(8 * 1024 * 1024)
        .enable_all()
        .build()
        .expect("a runtime");
    runtime.block_on(story());
}

async fn story() {
    let options = LabOptions::default();
    let broken = Lab::up(&load("levqor-undeployed").expect("a world"), &options).await.expect("it stands");
    let whole = Lab::up(&load("levqor-deployed").expect("a world"), &options).await.expect("it stands");
    let db = TestDb::sqlite().await;
    // Certificates of the lab are valid now, so the clock that is moved begins now.
    let clock = ManualClock::at(Timestamp::now());
    let mut tx = db.store.begin().await.expect("begins");
    let org = Store::create_org(&mut tx, "levqor", "Levqor", clock.now()).await.expect("made");
    tx.execute(
        "INSERT INTO channels (id, org_id, external_id, name, kind, config, created_us, updated_us) VALUES ($1, $2, 'ops', 'Ops', 'webhook', '{}', 0, 0)",
        params![Id::new(), org.id],
    )
    .await
    .expect("made");
    let origin = broken.access().origin.as_ref().expect("it is known in this world").to_string();
    let spec: MonitorSpec = serde_json::from_value(serde_json::json!({
        "name": "Levqor API", "interval_s": 300,
        "check": { "kind": "http", "url": broken.access().production.join("/health").expect("a URL") },
        "audit": { "origin": origin },
    }))
    .expect("a monitor");
    assert_eq!(spec.problems(), [], "it is what the API would take");
    tx.execute(
        "INSERT INTO monitors (id, org_id, external_id, name, kind, spec, interval_us, created_us, updated_us)
         VALUES ($1, $2, 'api', 'Levqor API', 'http', $3, 300000000, $4, $4)",
        &[Id::new().into(), org.id.into(), json(&spec), clock.now().into()],
    )
    .await
    .expect("made");
    tx.commit().await.expect("made");

    let worlds = Arc::new(Worlds {
        repaired: AtomicBool::new(false),
        broken: probes(broken.access()),
        whole: probes(whole.access()),
    });
    let stop = CancellationToken::new();
    let engine = Engine::new(Parts {
        store: db.store.clone(),
        clock: Arc::new(clock.clone()),
        bus: Bus::default(),
        watch: Watch::default(),
        checker: worlds.clone(),
        auditor: worlds.clone(),
        connectivity: Arc::new(Connectivity::new(Vec::new())),
        options: Options::default(),
        steps: None,
        measures: None,
    });
    let running = tokio::spawn(engine.run(stop.clone()));
    let letters = async || -> Vec<Message> {
        let rows = db
            .store
            .query("SELECT payload FROM outbox ORDER BY created_us, seq", &[])
            .await
            .expect("answers");
        rows.iter().map(|r| r.json("payload").expect("a message")).collect()
    };
    let results = "SELECT count(*) AS n FROM results";
    until(&db.store, "the first check", results, |n| n == 1).await;
    for n in 2..=3 {
        assert!(letters().await.is_empty(), "nothing is said before the third failure");
        clock.advance(Duration::from_secs(300));
        until(&db.store, "the next check", results, |r| r == n).await;
    }
    until(&db.store, "the alert", "SELECT count(*) AS n FROM outbox", |n| n == 1).await;
    let alert = letters().await.remove(0);
    let cause = alert.cause.as_ref().expect("the alert says why");
    assert_eq!((alert.event, cause.id.as_str()), (Event::Down, "never-deployed"), "{alert:#?}");
    assert!(cause.confidence >= 0.9, "{cause:?}");
    assert!(!cause.proof.is_empty() && !alert.actions.is_empty(), "{alert:#?}");
    assert!(alert.headline.starts_with("DOWN api.levqor.ai:"), "{}", alert.headline);
    let kept =
        db.store.query("SELECT body FROM captures WHERE kind = 'first-bad'", &[]).await.expect("answers");
    let kept = kept[0].text("body").expect("text");
    assert!(
        kept.contains("404") && kept.contains("Not Found"),
        "the first failure's exchange is kept: {kept}"
    );
    let report = db.store.query("SELECT report FROM reports", &[]).await.expect("answers");
    let report: serde_json::Value = report[0].json("report").expect("a report");
    assert_eq!(report["schema"], "landfall.report/1");
    assert_eq!(report["causes"][0]["id"], "never-deployed");

    for n in 4..=5 {
        clock.advance(Duration::from_secs(300));
        until(&db.store, "the next check", results, |r| r == n).await;
    }
    assert_eq!(letters().await.len(), 1, "it is said once");

    worlds.repaired.store(true, Ordering::SeqCst);
    for n in 6..=7 {
        clock.advance(Duration::from_secs(300));
        until(&db.store, "the next check", results, |r| r == n).await;
    }
    until(&db.store, "the all-clear", "SELECT count(*) AS n FROM outbox", |n| n == 2).await;
    let up = letters().await.remove(1);
    assert_eq!((up.event, up.headline.as_str()), (Event::Up, "UP api.levqor.ai"));

    stop.cancel();
    running.await.expect("it ends");
    broken.down().await;
    whole.down().await;
}
