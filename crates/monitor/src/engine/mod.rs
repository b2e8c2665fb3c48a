//! The running watch: schedule ► check ► verdict ► incident ► outbox.
//!
//! Three loops share one board in memory. The *scheduler* starts checks at their ticks. The *applier* takes their results,
//! lets the state machine step, and writes result, state, incident and letters in one transaction, so that a process that
//! is killed at any moment has either said all of it or none. The *doctor* diagnoses incidents by an audit and releases
//! their alerts. What the database holds decides; the board is only its image, and is read again after a conflict.
//!
//! A database that fails never becomes a verdict: results wait in memory, in order, until it is back.

mod apply;
mod board;
mod doctor;
mod incidents;
mod scheduler;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use landfall_store::{Id, OrgId, Store};
use tokio::sync::{Notify, Semaphore, mpsc};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::audit::Auditor;
use crate::check::Checker;
use crate::connectivity::Connectivity;
use crate::{Bus, CheckResult, Clock, Watch};

use board::Board;

/// Told of every step of the alert path after it was taken, by name. Tests end the process there.
pub type Steps = Arc<dyn Fn(&'static str) + Send + Sync>;

/// Told what the watch measures of itself.
pub type Measures = Arc<dyn Fn(Measure) + Send + Sync>;

/// What the watch measures of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Measure {
    /// A check began so much later than its tick.
    Lag(Duration),
    /// So many ticks were not checked.
    Missed(u64),
    /// A check ended.
    Checked,
    /// The scheduler went round; without this for a while, the watch is dead.
    Round(Timestamp),
}

/// How the watch behaves.
#[derive(Debug, Clone)]
pub struct Options {
    /// This server's name among several on one database.
    pub owner: String,
    /// Checks under way at the same time.
    pub in_flight: usize,
    /// Audits under way at the same time.
    pub audits: usize,
    /// How long a diagnosis may hold an alert back.
    pub diagnose_within: Duration,
    /// So many incidents within [`Self::storm_within`] are a storm, and further ones one incident.
    pub storm: usize,
    /// See [`Self::storm`].
    pub storm_within: Duration,
    /// How long the lease of a part of the schedule lasts without renewal.
    pub lease: Duration,
    /// Results that wait in memory while the database cannot be written.
    pub waiting: usize,
    /// Links in alerts begin with it.
    pub public_url: String,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            owner: Id::new().to_string(),
            in_flight: 512,
            audits: 2,
            diagnose_within: Duration::from_secs(10),
            storm: 10,
            storm_within: Duration::from_secs(30),
            lease: Duration::from_secs(15),
            waiting: 65_536,
            public_url: "http://127.0.0.1:8000".into(),
        }
    }
}

/// What the watch is made of.
#[derive(Clone)]
pub struct Parts {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// Who is told what happens.
    pub bus: Bus,
    /// The handle that others nudge.
    pub watch: Watch,
    /// Makes checks.
    pub checker: Arc<dyn Checker>,
    /// Makes audits.
    pub auditor: Arc<dyn Auditor>,
    /// The connectivity guard.
    pub connectivity: Arc<Connectivity>,
    /// How it behaves.
    pub options: Options,
    /// For tests.
    pub steps: Option<Steps>,
    /// Who is told what it measures of itself.
    pub measures: Option<Measures>,
}

/// The running watch.
pub struct Engine {
    inner: Arc<Inner>,
    results: mpsc::Receiver<Work>,
}

struct Inner {
    parts: Parts,
    board: Mutex<Board>,
    work: mpsc::Sender<Work>,
    permits: Arc<Semaphore>,
    audits: Arc<Semaphore>,
    /// The schedule changed: look before the time that was slept for.
    wake: Notify,
    tasks: TaskTracker,
    /// Incidents whose diagnosis is under way here.
    treating: Mutex<HashMap<Id, OrgId>>,
}

/// Something for the applier.
enum Work {
    Checked(Box<Checked>),
    Missed(Missed),
    /// Somebody paused, resumed or deleted a monitor.
    Set(Id),
}

/// A check that ended.
#[derive(Clone)]
struct Checked {
    id: Id,
    monitor: Id,
    scheduled: Timestamp,
    attempt: i64,
    result: CheckResult,
}

/// Ticks that passed without a check.
#[derive(Clone)]
struct Missed {
    monitor: Id,
    /// The first of them, at most [`scheduler::MISSED`], oldest first.
    ticks: Vec<Timestamp>,
    /// How many there were in all.
    count: u64,
    why: &'static str,
}

impl Engine {
    /// A watch that does nothing yet.
    pub fn new(parts: Parts) -> Self {
        let (work, results) = mpsc::channel(parts.options.waiting.max(1));
        let inner = Inner {
            permits: Arc::new(Semaphore::new(parts.options.in_flight.max(1))),
            audits: Arc::new(Semaphore::new(parts.options.audits.max(1))),
            wake: Notify::new(),
            board: Mutex::default(),
            work,
            tasks: TaskTracker::new(),
            treating: Mutex::default(),
            parts,
        };
        Self { inner: Arc::new(inner), results }
    }

    /// Runs until it is told to stop; then lets the checks that are under way end, writes their results, and gives its
    /// leases up.
    pub async fn run(self, stop: CancellationToken) {
        let Self { inner, results } = self;
        let drained = CancellationToken::new();
        let applier = tokio::spawn(apply::run(Arc::clone(&inner), results, drained.clone()));
        let doctor = tokio::spawn(doctor::run(Arc::clone(&inner), stop.clone()));
        scheduler::run(Arc::clone(&inner), stop).await;
        let _ = doctor.await;
        inner.tasks.close();
        inner.tasks.wait().await;
        drained.cancel();
        let _ = applier.await;
        inner.give_up_leases().await;
    }
}

impl Inner {
    fn board(&self) -> MutexGuard<'_, Board> {
        // A panic while the lock was held leaves an image that the database corrects.
        self.board.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn now(&self) -> Timestamp {
        self.parts.clock.now()
    }

    fn step(&self, name: &'static str) {
        if let Some(steps) = &self.parts.steps {
            steps(name);
        }
    }

    fn measure(&self, measure: Measure) {
        if let Some(measures) = &self.parts.measures {
            measures(measure);
        }
    }
}
