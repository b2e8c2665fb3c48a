//! `kill -9` at every step of the alert path: nothing is lost, and nothing is doubled at an idempotent receiver.
//!
//! The watch and the outbox worker run in a child process that kills itself at a named step, or is killed while the
//! receiver holds its request. A second process takes over on the same database, as after a restart.

use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture as Boxed;
use jiff::Timestamp;
use landfall_audit::Progress;
use landfall_evidence::Timings;
use landfall_monitor::audit::{AuditRequest, Auditor, Opinion};
use landfall_monitor::check::{BoxFuture, Checker};
use landfall_monitor::connectivity::Connectivity;
use landfall_monitor::engine::{Engine, Options, Parts, Steps};
use landfall_monitor::{
    Bus, CheckResult, Clock, Facts, MonitorSpec, Outcome, Reason, Snapshot, SystemClock, Watch,
};
use landfall_notify::testkit::{Fault, Receiver, loopback_only};
use landfall_notify::{CauseRef, Outbound, OutboundSettings, Worker};
use landfall_store::testkit::TestDb;
use landfall_store::{Id, Store, json, params};
use tokio_util::sync::CancellationToken;

/// Steps at which the child ends itself.
const STEPS: [&str; 6] =
    ["before-commit", "committed", "diagnosing", "diagnosed", "before-alert-commit", "alerted"];

/// A clock that is ahead: leases of the process that is gone have run out, as they have after a minute of waiting.
struct Ahead(Duration);

impl Clock for Ahead {
    fn now(&self) -> Timestamp {
        Timestamp::now().checked_add(self.0).expect("in range")
    }

    fn sleep_until(&self, until: Timestamp) -> Boxed<'_, ()> {
        Box::pin(async move { SystemClock.sleep_until(until.checked_sub(self.0).expect("in range")).await })
    }
}

struct Down;

impl Checker for Down {
    fn check<'a>(&'a self, _: &'a MonitorSpec, now: Timestamp) -> BoxFuture<'a, CheckResult> {
        Box::pin(async move {
            CheckResult {
                started: now,
                took_us: 1_000,
                outcome: Outcome::Down,
                reason: Some(Reason::Status),
                say: "HTTP 404, expected 200-299".into(),
                timings: Timings::default(),
                status: Some(404),
                snapshot: Snapshot::default(),
                evidence: Vec::new(),
                audit: None,
                facts: Facts::default(),
            }
        })
    }
}

struct Oracle;

impl Auditor for Oracle {
    fn audit<'a>(&'a self, _: AuditRequest, _: Progress) -> BoxFuture<'a, Result<Opinion, String>> {
        Box::pin(async move {
            Ok(Opinion {
                verdict: "not-live".into(),
                summary: "it does not serve the application".into(),
                severity: Some("critical".into()),
                cause: Some(CauseRef {
                    id: "never-deployed".into(),
                    title: "The application was never deployed".into(),
                    label: "confirmed".into(),
                    confidence: 0.99,
                    rung: "platform".into(),
                    proof: vec!["404 of 9 bytes".into()],
                }),
                rivals: Vec::new(),
                actions: vec!["Deploy it".into()],
                report: "{}".into(),
                evidence: "{}".into(),
            })
        })
    }
}

/// The child: a watch and a worker on the database that it is told, until it is killed.
#[tokio::test(flavor = "multi_thread")]
#[ignore = "the other half of the tests below, which start it as a process of its own"]
async fn victim() {
    let place = std::env::var("LANDFALL_TEST_DATABASE").expect("the parent says where");
    let at = std::env::var("LANDFALL_TEST_KILL_AT").unwrap_or_default();
    let ahead: u64 = std::env::var("LANDFALL_TEST_AHEAD_S").ok().and_then(|s| s.parse().ok()).unwrap_or(0);
    let store = Store::open(&place).await.expect("opens");
    let clock: Arc<dyn Clock> = Arc::new(Ahead(Duration::from_secs(ahead)));
    let steps: Steps = Arc::new(move |step| {
        if step == at {
            let me = std::process::id().to_string();
            let _ = Command::new("kill").args(["-9", &me]).status();
            // The signal is on its way; nothing more may happen here.
            loop {
                std::thread::park();
            }
        }
    });
    let outbound = Outbound::new(loopback_only(), OutboundSettings::default()).expect("built");
    let now = Arc::clone(&clock);
    let worker = Worker::new(store.clone(), Arc::new(move || now.now()), outbound, &Id::new().to_string());
    let engine = Engine::new(Parts {
        store,
        clock,
        bus: Bus::default(),
        watch: Watch::default(),
        checker: Arc::new(Down),
        auditor: Arc::new(Oracle),
        connectivity: Arc::new(Connectivity::new(Vec::new())),
        options: Options::default(),
        steps: Some(steps),
        measures: None,
    });
    tokio::spawn(async move { worker.run(std::future::pending()).await });
    engine.run(CancellationToken::new()).await;
}

/// A process that is ended with the test, whatever becomes of it.
struct Process(Child);

impl Process {
    fn start(place: &str, kill_at: &str, ahead_s: u64) -> Self {
        let child = Command::new(std::env::current_exe().expect("this test"))
            .args(["--ignored", "--exact", "victim"])
            .env("LANDFALL_TEST_DATABASE", place)
            .env("LANDFALL_TEST_KILL_AT", kill_at)
            .env("LANDFALL_TEST_AHEAD_S", ahead_s.to_string())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("it starts");
        Self(child)
    }

    async fn ended(&mut self) {
        let began = Instant::now();
        while self.0.try_wait().expect("it can be waited for").is_none() {
            assert!(began.elapsed() < Duration::from_secs(60), "it did not reach the step at which it ends");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// One organisation, one monitor that is down at its first failure, one webhook.
async fn prepared(store: &Store, receiver: &Receiver) {
    let mut tx = store.begin().await.expect("begins");
    let org = Store::create_org(&mut tx, "acme", "Acme", Timestamp::now()).await.expect("made");
    let config = serde_json::json!({ "kind": "webhook", "url": format!("{}/hook", receiver.base), "secret": "a-secret-of-enough-length" });
    tx.execute(
        "INSERT INTO channels (id, org_id, external_id, name, kind, config, created_us, updated_us) VALUES ($1, $2, 'ops', 'Ops', 'webhook', $3, 0, 0)",
        params![Id::new(), org.id, config.to_string()],
    )
    .await
    .expect("made");
    let spec: MonitorSpec = serde_json::from_value(serde_json::json!({
        "name": "API", "interval_s": 10, "fail_after": 1, "check": { "kind": "http", "url": "https://api.example.test/" },
    }))
    .expect("a monitor");
    tx.execute(
        "INSERT INTO monitors (id, org_id, external_id, name, kind, spec, interval_us, created_us, updated_us)
         VALUES ($1, $2, 'api', 'API', 'http', $3, 10000000, $4, $4)",
        &[Id::new().into(), org.id.into(), json(&spec), Timestamp::now().into()],
    )
    .await
    .expect("made");
    tx.commit().await.expect("made");
}

/// After the second process has had its time: told once, with the cause, and the database agrees. Where the first one died
/// before the diagnosis, the alert is overdue by the time of the second: it then goes at once, and the cause follows.
async fn told_once(store: &Store, receiver: &Receiver, case: &str) {
    let count = async |sql: &str| store.query(sql, &[]).await.expect("answers")[0].int("n").expect("a count");
    let began = Instant::now();
    loop {
        let known = count("SELECT count(*) AS n FROM incidents WHERE diagnosis = 'known'").await;
        let waiting = count("SELECT count(*) AS n FROM outbox WHERE state <> 'delivered'").await;
        let written = count("SELECT count(*) AS n FROM outbox").await;
        if known == 1 && waiting == 0 && written >= 1 {
            break;
        }
        assert!(
            began.elapsed() < Duration::from_secs(90),
            "{case}: known {known}, waiting {waiting}, written {written}"
        );
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    let (mut down, mut cause) = (Vec::new(), Vec::new());
    for request in receiver.requests() {
        let key = request.header("idempotency-key").expect("every message has one").to_owned();
        let names_it = request.json().to_string().contains("never-deployed");
        let kind = if key.contains("/down/") { &mut down } else { &mut cause };
        if !kind.iter().any(|(k, _)| *k == key) {
            kind.push((key, names_it));
        }
    }
    assert_eq!(down.len(), 1, "{case}: one alert under one key: {down:?}");
    assert!(cause.len() <= 1, "{case}: and at most one cause that follows: {cause:?}");
    assert_eq!(cause.is_empty(), down[0].1, "{case}: the cause is told once: {down:?} {cause:?}");
    assert!(cause.iter().all(|(_, names_it)| *names_it), "{case}: {cause:?}");
    assert_eq!(count("SELECT count(*) AS n FROM incidents").await, 1, "{case}: one incident");
    let twice = "SELECT count(*) AS n FROM (SELECT 1 FROM results GROUP BY monitor_id, scheduled_us, attempt HAVING count(*) > 1) t";
    assert_eq!(count(twice).await, 0, "{case}: no result twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_at_every_step_of_the_watch() {
    for step in STEPS {
        for db in TestDb::both().await {
            let case = format!("{step} on {}", db.store.kind());
            let receiver = Receiver::start().await;
            prepared(&db.store, &receiver).await;
            Process::start(&db.place, step, 0).ended().await;
            let _second = Process::start(&db.place, "", 120);
            told_once(&db.store, &receiver, &case).await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_while_the_receiver_holds_the_message_and_after_it_took_it() {
    for db in TestDb::both().await {
        let case = format!("in the middle of sending on {}", db.store.kind());
        let receiver = Receiver::start().await;
        prepared(&db.store, &receiver).await;
        // The first request is never answered: the receiver has the message, and the sender does not know.
        receiver.fault(Fault::Hang);
        let mut first = Process::start(&db.place, "", 0);
        receiver.received(1).await;
        first.0.kill().expect("killed");
        first.ended().await;
        let _second = Process::start(&db.place, "", 120);
        receiver.received(2).await;
        told_once(&db.store, &receiver, &case).await;
        let keys: Vec<_> =
            receiver.requests().iter().map(|r| r.header("idempotency-key").map(str::to_owned)).collect();
        assert!(keys.iter().all(|k| *k == keys[0]), "{case}: sent again under the same key: {keys:?}");
    }
}
