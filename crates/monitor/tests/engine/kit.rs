//! A watch over made-up services, on a clock that stands still until it is moved.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use futures_util::future::BoxFuture;
use jiff::Timestamp;
use landfall_audit::Progress;
use landfall_evidence::Timings;
use landfall_monitor::audit::{AuditRequest, Auditor, Opinion};
use landfall_monitor::check::Checker;
use landfall_monitor::connectivity::Connectivity;
use landfall_monitor::engine::{Engine, Options, Parts, Steps};
use landfall_monitor::{
    Bus, Check, CheckResult, Clock, HttpCheck, ManualClock, MonitorSpec, Outcome, Reason, Snapshot, Watch,
};
use landfall_notify::{CauseRef, Message};
use landfall_store::{Id, OrgId, Row, Store, Value, json, params};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

/// How long a test waits for something that must come; far beyond what any machine needs.
const PATIENCE: Duration = Duration::from_secs(60);

/// When the tests begin: a moment like any other.
pub(crate) fn start() -> Timestamp {
    "2026-03-02T10:00:00Z".parse().expect("valid")
}

/// Services by host: what a check of them says.
#[derive(Clone, Default)]
pub(crate) struct Services {
    said: Arc<Mutex<HashMap<String, Outcome>>>,
    reason: Arc<Mutex<HashMap<String, Reason>>>,
    pub(crate) checks: Arc<AtomicUsize>,
}

impl Services {
    pub(crate) fn set(&self, host: &str, outcome: Outcome) {
        self.said.lock().expect("not poisoned").insert(host.to_owned(), outcome);
    }

    pub(crate) fn because(&self, host: &str, reason: Reason) {
        self.reason.lock().expect("not poisoned").insert(host.to_owned(), reason);
    }

    fn of(&self, host: &str) -> Outcome {
        let said = self.said.lock().expect("not poisoned");
        said.get(host).or_else(|| said.get("*")).copied().unwrap_or(Outcome::Up)
    }
}

impl Checker for Services {
    fn check<'a>(&'a self, spec: &'a MonitorSpec, now: Timestamp) -> BoxFuture<'a, CheckResult> {
        Box::pin(async move {
            self.checks.fetch_add(1, Ordering::SeqCst);
            let Check::Http(check) = &spec.check else { panic!("only HTTP here") };
            let host = url::Url::parse(&check.url).expect("valid").host_str().expect("a host").to_owned();
            let outcome = self.of(&host);
            let reason =
                self.reason.lock().expect("not poisoned").get(&host).copied().unwrap_or(Reason::Status);
            let (status, say) = match outcome {
                Outcome::Up => (200, "HTTP 200"),
                Outcome::Degraded => (200, "HTTP 200, slow"),
                Outcome::Down => (404, "HTTP 404, expected 200-299"),
                Outcome::Inconclusive => (429, "HTTP 429"),
            };
            CheckResult {
                started: now,
                took_us: 12_000,
                outcome,
                reason: (outcome != Outcome::Up).then_some(reason),
                say: say.into(),
                // A time-out of our own connection is one in which nothing ever stood.
                timings: Timings {
                    wait_us: (reason != Reason::Timeout).then_some(9_000),
                    ..Timings::default()
                },
                status: Some(status),
                snapshot: Snapshot { at: Some(now), status: Some(status), ..Snapshot::default() },
                evidence: Vec::new(),
                audit: None,
                facts: landfall_monitor::Facts::default(),
            }
        })
    }
}

/// An auditor that names a cause by host, as soon as it is let.
#[derive(Clone, Default)]
pub(crate) struct Oracle {
    pub(crate) causes: Arc<Mutex<HashMap<String, String>>>,
    /// While set, audits wait.
    pub(crate) held: Arc<Mutex<bool>>,
    pub(crate) go: Arc<Notify>,
    pub(crate) asked: Arc<AtomicUsize>,
}

impl Oracle {
    pub(crate) fn hold(&self) {
        *self.held.lock().expect("not poisoned") = true;
    }

    pub(crate) fn release(&self) {
        *self.held.lock().expect("not poisoned") = false;
        self.go.notify_waiters();
    }
}

impl Auditor for Oracle {
    fn audit<'a>(&'a self, request: AuditRequest, _: Progress) -> BoxFuture<'a, Result<Opinion, String>> {
        Box::pin(async move {
            self.asked.fetch_add(1, Ordering::SeqCst);
            loop {
                let go = self.go.notified();
                if !*self.held.lock().expect("not poisoned") {
                    break;
                }
                go.await;
            }
            let Check::Http(check) = &request.spec.check else { panic!("only HTTP here") };
            let host = url::Url::parse(&check.url).expect("valid").host_str().expect("a host").to_owned();
            let cause = self.causes.lock().expect("not poisoned").get(&host).cloned();
            Ok(Opinion {
                verdict: "not-live".into(),
                summary: format!("{host} does not serve the application"),
                severity: cause.as_ref().map(|_| "critical".into()),
                cause: cause.map(|id| CauseRef {
                    title: format!("the cause {id}"),
                    id,
                    label: "confirmed".into(),
                    confidence: 0.97,
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

/// A watch and everything around it.
pub(crate) struct World {
    pub(crate) store: Store,
    pub(crate) clock: ManualClock,
    pub(crate) services: Services,
    pub(crate) oracle: Oracle,
    pub(crate) watch: Watch,
    pub(crate) org: OrgId,
    running: Option<(CancellationToken, tokio::task::JoinHandle<()>)>,
}

impl World {
    /// A world with one organisation, one channel and a running watch.
    pub(crate) async fn new(store: &Store) -> Self {
        let mut world = Self::asleep(store).await;
        world.wake(Options::default());
        world
    }

    /// The same, with the watch not running yet.
    pub(crate) async fn asleep(store: &Store) -> Self {
        let mut tx = store.begin().await.expect("begins");
        let org = Store::create_org(&mut tx, "acme", "Acme", start()).await.expect("made");
        tx.execute(
            "INSERT INTO channels (id, org_id, external_id, name, kind, config, created_us, updated_us) VALUES ($1, $2, 'ops', 'Ops', 'webhook', '{}', $3, $3)",
            params![Id::new(), org.id, start()],
        )
        .await
        .expect("made");
        tx.commit().await.expect("made");
        Self {
            store: store.clone(),
            clock: ManualClock::at(start()),
            services: Services::default(),
            oracle: Oracle::default(),
            watch: Watch::default(),
            org: org.id,
            running: None,
        }
    }

    pub(crate) fn parts(&self, options: Options, steps: Option<Steps>) -> Parts {
        Parts {
            store: self.store.clone(),
            clock: Arc::new(self.clock.clone()),
            bus: Bus::default(),
            watch: self.watch.clone(),
            checker: Arc::new(self.services.clone()),
            auditor: Arc::new(self.oracle.clone()),
            connectivity: Arc::new(Connectivity::new(Vec::new())),
            options,
            steps,
            measures: None,
        }
    }

    pub(crate) fn wake(&mut self, options: Options) {
        let stop = CancellationToken::new();
        let engine = Engine::new(self.parts(options, None));
        self.running = Some((stop.clone(), tokio::spawn(engine.run(stop))));
    }

    /// Stops the watch as an operator would.
    pub(crate) async fn sleep(&mut self) {
        let (stop, running) = self.running.take().expect("it runs");
        stop.cancel();
        running.await.expect("it ends");
    }

    pub(crate) async fn monitor(&self, name: &str, change: impl FnOnce(&mut MonitorSpec)) -> Id {
        let id = self.monitor_quietly(name, change).await;
        self.watch.nudge();
        id
    }

    pub(crate) async fn monitor_quietly(&self, name: &str, change: impl FnOnce(&mut MonitorSpec)) -> Id {
        let spec = spec(name, change);
        let id = Id::new();
        let now = self.clock.now();
        self.store
            .execute(
                "INSERT INTO monitors (id, org_id, external_id, name, kind, spec, interval_us, created_us, updated_us)
                 VALUES ($1, $2, $3, $3, 'http', $4, $5, $6, $6)",
                &[id.into(), self.org.into(), name.into(), json(&spec), (i64::from(spec.interval_s) * 1_000_000).into(), now.into()],
            )
            .await
            .expect("made");
        id
    }

    /// Waits until the monitor has so many results of its own.
    pub(crate) async fn results(&self, monitor: Id, count: i64) {
        self.until(
            &format!("{count} results"),
            "SELECT count(*) AS n FROM results WHERE monitor_id = $1 AND outcome <> 'missed'",
            params![monitor],
            |rows| rows[0].int("n").expect("a count") >= count,
        )
        .await;
    }

    /// Moves the clock on by the interval, so often, and waits for the result each time.
    pub(crate) async fn ticks(&self, monitor: Id, interval: u64, times: usize) {
        for _ in 0..times {
            let done = self
                .count(
                    "SELECT count(*) AS n FROM results WHERE monitor_id = $1 AND outcome <> 'missed'",
                    params![monitor],
                )
                .await;
            self.clock.advance(Duration::from_secs(interval));
            self.results(monitor, done + 1).await;
        }
    }

    pub(crate) async fn count(&self, sql: &str, values: &[Value]) -> i64 {
        self.store.query(sql, values).await.expect("answers")[0].int("n").expect("a count")
    }

    pub(crate) async fn until(
        &self,
        what: &str,
        sql: &str,
        values: &[Value],
        done: impl Fn(&[Row]) -> bool,
    ) -> Vec<Row> {
        let began = Instant::now();
        loop {
            let rows = self.store.query(sql, values).await.unwrap_or_default();
            if !rows.is_empty() && done(&rows) {
                return rows;
            }
            assert!(began.elapsed() < PATIENCE, "waited in vain for {what}; last seen: {rows:?}");
            tokio::time::sleep(Duration::from_millis(15)).await;
        }
    }

    /// Waits until there are so many letters, and gives their messages in the order written.
    pub(crate) async fn letters(&self, count: usize) -> Vec<Message> {
        self.until("letters", "SELECT count(*) AS n FROM outbox", &[], |rows| {
            rows[0].int("n").expect("a count") >= count as i64
        })
        .await;
        self.letters_now().await
    }

    pub(crate) async fn letters_now(&self) -> Vec<Message> {
        let rows = self
            .store
            .query("SELECT payload FROM outbox ORDER BY created_us, seq, id", &[])
            .await
            .expect("answers");
        rows.iter().map(|r| r.json("payload").expect("a message")).collect()
    }

    pub(crate) async fn verdict(&self, monitor: Id, verdict: &str) {
        let wanted = verdict.to_owned();
        self.until(
            &format!("the verdict {verdict}"),
            "SELECT verdict FROM monitor_states WHERE monitor_id = $1",
            params![monitor],
            move |rows| rows[0].text("verdict").expect("a verdict") == wanted,
        )
        .await;
    }
}

/// A monitor every five minutes.
pub(crate) fn spec(name: &str, change: impl FnOnce(&mut MonitorSpec)) -> MonitorSpec {
    let check: HttpCheck =
        serde_json::from_value(serde_json::json!({ "url": format!("https://{name}.example.test/health") }))
            .expect("valid");
    let mut spec: MonitorSpec = serde_json::from_value(serde_json::json!({
        "name": name, "interval_s": 300,
        "check": { "kind": "tcp", "host": "placeholder.example.test", "port": 1 },
    }))
    .expect("valid");
    spec.check = Check::Http(check);
    change(&mut spec);
    spec
}
