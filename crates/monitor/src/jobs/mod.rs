//! The server's own jobs: named, kept in the database, run by one leader, and never green without having run.
//!
//! A job's row says which tick is next. Whoever holds the lease `jobs` moves it on by a conditional update and thereby
//! owns the run, so that two servers on one database never run the same tick. A server that was down runs what it missed
//! once, and not once for every tick. A body that fails, panics or does not end in time is a failed run of that job and
//! nothing else.

mod bodies;
mod schedule;

use std::collections::{BTreeMap, HashSet};
use std::future::Future;
use std::path::PathBuf;
use std::pin::Pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use landfall_store::jobs::{self as stored, Ended, JobRow};
use landfall_store::{Id, Store, StoreError, leases};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub use bodies::{catalogue, registry};
pub use schedule::{Every, Schedule};

use crate::bus::{Bus, Happened};
use crate::clock::Clock;

/// What jobs are given to work with. Cheap to clone.
#[derive(Clone)]
pub struct Context {
    /// The database.
    pub store: Store,
    /// The time.
    pub clock: Arc<dyn Clock>,
    /// What happens, for open pages and streams.
    pub bus: Bus,
    /// What the operator set.
    pub settings: Arc<JobSettings>,
    /// Reminders of unpaid bills; `None` when billing is off.
    pub dunning: Option<Arc<dyn Work>>,
}

/// What the operator set, as far as jobs need it.
#[derive(Debug, Clone)]
pub struct JobSettings {
    /// Where people reach the server; links begin with it.
    pub public_url: String,
    /// Where the server reaches itself, for the end-to-end check: `http://127.0.0.1:8000`.
    pub self_url: Option<String>,
    /// What the store was opened with, for `pg_dump`.
    pub database: String,
    /// Where backups go; `None` makes none.
    pub backup_folder: Option<PathBuf>,
    /// Backups that are kept.
    pub backups_kept: usize,
    /// How long raw results are kept.
    pub keep_results: Duration,
    /// How long deliveries, letters and captures are kept.
    pub keep_history: Duration,
    /// How long pings are kept.
    pub keep_pings: Duration,
    /// Sessions that were idle for so long end.
    pub session_idle: Duration,
    /// Places, `HOST:PORT`, of which at least one can be reached when this server's own connection is sound.
    pub canaries: Vec<String>,
    /// Fetched every minute, so that somebody else notices when this server is gone.
    pub dead_man_url: Option<String>,
    /// Whether organisations get a summary every day.
    pub digest_daily: bool,
    /// Whether organisations get a summary every week.
    pub digest_weekly: bool,
    /// Whether organisations get an uptime report every month.
    pub report_monthly: bool,
}

impl Default for JobSettings {
    fn default() -> Self {
        let days = |n: u64| Duration::from_secs(n * 86_400);
        Self {
            public_url: "http://127.0.0.1:8000".into(),
            self_url: None,
            database: String::new(),
            backup_folder: None,
            backups_kept: 7,
            keep_results: days(14),
            keep_history: days(93),
            keep_pings: days(93),
            session_idle: days(14),
            canaries: Vec::new(),
            dead_man_url: None,
            digest_daily: false,
            digest_weekly: true,
            report_monthly: true,
        }
    }
}

/// A future of a job.
pub type Working<'a> = Pin<Box<dyn Future<Output = Result<Done, String>> + Send + 'a>>;

/// Work of another part of the server that a job does.
pub trait Work: Send + Sync {
    /// Does it.
    fn work(&self, now: Timestamp) -> Working<'_>;
}

/// What a run did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Done {
    /// It did its work.
    Worked {
        /// Items that it worked on.
        on: u64,
        /// In words, with figures.
        say: String,
    },
    /// It cannot do its work here, and why.
    Off(String),
}

impl Done {
    /// It did its work.
    pub fn on(on: impl TryInto<u64>, say: impl Into<String>) -> Self {
        Self::Worked { on: on.try_into().unwrap_or(u64::MAX), say: say.into() }
    }
}

/// The work of a job.
pub type Body = Arc<dyn Fn(Context) -> Working<'static> + Send + Sync>;

/// A job.
#[derive(Clone)]
pub struct Job {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub title: &'static str,
    /// When.
    pub schedule: Schedule,
    /// How long a run may take.
    pub timeout: Duration,
    /// Why it does not run here, if it does not.
    pub off: Option<String>,
    /// Its work.
    pub body: Body,
}

impl Job {
    /// A job.
    pub fn new<F, W>(
        name: &'static str,
        title: &'static str,
        schedule: Schedule,
        timeout: Duration,
        body: F,
    ) -> Self
    where
        F: Fn(Context) -> W + Send + Sync + 'static,
        W: Future<Output = Result<Done, String>> + Send + 'static,
    {
        Self {
            name,
            title,
            schedule,
            timeout,
            off: None,
            body: Arc::new(move |context| Box::pin(body(context))),
        }
    }

    /// The same, off for a reason if there is one.
    #[must_use]
    pub fn off_because(mut self, reason: Option<impl Into<String>>) -> Self {
        self.off = reason.map(Into::into);
        self
    }
}

/// How a job stands, for people and metrics.
#[derive(Debug, Clone, PartialEq)]
pub struct JobStatus {
    /// Its name.
    pub name: String,
    /// What it does.
    pub title: String,
    /// `every 15 min`, `daily 03:00 UTC`.
    pub schedule: String,
    /// `ok`, `failed`, `never-run`, `overdue`, `off`.
    pub status: &'static str,
    /// What the last run did, or why it is off.
    pub say: Option<String>,
    /// Items that the last run worked on.
    pub worked_on: Option<u64>,
    /// When it last ran.
    pub last_run: Option<Timestamp>,
    /// When it last succeeded.
    pub last_success: Option<Timestamp>,
    /// How long the last run took, in microseconds.
    pub took_us: Option<u64>,
    /// When it runs next; none while it is off.
    pub next_run: Option<Timestamp>,
    /// Whether it is running now.
    pub running: bool,
}

/// How long the leader keeps its lease without renewing it.
const LEASE: Duration = Duration::from_secs(30);
/// How often the leader looks.
const LOOK: Duration = Duration::from_secs(1);
/// How long after its timeout a run of somebody else is taken for dead.
const SLACK: Duration = Duration::from_secs(30);

/// The jobs of one server.
pub struct Jobs {
    context: Context,
    jobs: Vec<Job>,
    owner: String,
    /// Whether it is written down which jobs are off.
    told_off: AtomicBool,
    /// What this server is running now.
    active: Arc<Mutex<HashSet<&'static str>>>,
}

impl Jobs {
    /// The jobs of a server; [`registry`] makes the usual ones.
    pub fn new(context: Context, jobs: Vec<Job>) -> Self {
        Self {
            context,
            jobs,
            owner: Id::new().to_string(),
            told_off: AtomicBool::new(false),
            active: Arc::default(),
        }
    }

    /// Runs jobs as they come due until told to stop; runs that are on are then given up to ten seconds.
    pub async fn run(&self, shutdown: CancellationToken) {
        let mut running: Vec<JoinHandle<()>> = Vec::new();
        while !shutdown.is_cancelled() {
            let now = self.context.clock.now();
            match self.start_due(now).await {
                Ok(started) => running.extend(started),
                Err(error) => tracing::error!(%error, "jobs cannot be looked at"),
            }
            running.retain(|run| !run.is_finished());
            let again = now.checked_add(LOOK).unwrap_or(Timestamp::MAX);
            tokio::select! {
                () = self.context.clock.sleep_until(again) => {}
                () = shutdown.cancelled() => {}
            }
        }
        let all = futures_util::future::join_all(running);
        let _ = tokio::time::timeout(Duration::from_secs(10), all).await;
        let _ = leases::release(&self.context.store, "jobs", &self.owner).await;
    }

    /// Runs what is due and waits for it: how many runs this server made.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn tick(&self, now: Timestamp) -> Result<usize, StoreError> {
        let started = self.start_due(now).await?;
        let count = started.len();
        futures_util::future::join_all(started).await;
        Ok(count)
    }

    /// Whether this server leads.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn lead(&self, now: Timestamp) -> Result<bool, StoreError> {
        leases::hold(&self.context.store, "jobs", &self.owner, now, LEASE).await
    }

    async fn start_due(&self, now: Timestamp) -> Result<Vec<JoinHandle<()>>, StoreError> {
        if !self.lead(now).await? {
            return Ok(Vec::new());
        }
        let store = &self.context.store;
        if !self.told_off.load(Ordering::Relaxed) {
            for job in &self.jobs {
                if let Some(why) = &job.off {
                    stored::set_off(store, job.name, why, now).await?;
                }
            }
            self.told_off.store(true, Ordering::Relaxed);
        }
        let mut rows: BTreeMap<String, JobRow> =
            stored::all(store).await?.into_iter().map(|r| (r.name.clone(), r)).collect();
        let mut started = Vec::new();
        for job in self.jobs.iter().filter(|job| job.off.is_none()) {
            let Some(row) = rows.remove(job.name) else {
                stored::ensure(store, job.name, job.schedule.first(now), now).await?;
                if job.schedule.first(now) > now {
                    continue;
                }
                let fresh = JobRow::fresh(job.name, now);
                started.extend(self.start(job, &fresh, now).await?);
                continue;
            };
            if row.next > now {
                // A clock that was set back must not leave a job waiting for a time that lies far ahead.
                let sane = job.schedule.next(now);
                if row.next > sane {
                    stored::move_tick(store, job.name, row.next, sane).await?;
                }
                continue;
            }
            started.extend(self.start(job, &row, now).await?);
        }
        Ok(started)
    }

    async fn start(
        &self,
        job: &Job,
        row: &JobRow,
        now: Timestamp,
    ) -> Result<Option<JoinHandle<()>>, StoreError> {
        if !self.enter(job.name) {
            return Ok(None);
        }
        let left = Leave { active: Arc::clone(&self.active), name: job.name };
        // The leader of before may be dead; its run is waited for no longer than a lease, or its own timeout.
        let foreign = row.running.as_ref().is_some_and(|(_, owner)| *owner != self.owner);
        let patience = if foreign { (job.timeout + SLACK).min(LEASE * 2) } else { job.timeout + SLACK };
        let abandoned = now.checked_sub(patience).unwrap_or(Timestamp::MIN);
        let next = job.schedule.next(now);
        let claimed =
            stored::claim(&self.context.store, job.name, row.next, next, &self.owner, now, abandoned).await?;
        let Some(run) = claimed else { return Ok(None) };
        let (job, context) = (job.clone(), self.context.clone());
        Ok(Some(tokio::spawn(async move {
            let _left = left;
            one(&job, &context, run, now).await;
        })))
    }

    fn enter(&self, name: &'static str) -> bool {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).insert(name)
    }

    /// How all jobs stand.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn list(&self, now: Timestamp) -> Result<Vec<JobStatus>, StoreError> {
        list(&self.context.store, &self.jobs, now).await
    }
}

/// How jobs stand: also on a server that does not lead.
///
/// # Errors
/// When the database fails.
pub async fn list(store: &Store, jobs: &[Job], now: Timestamp) -> Result<Vec<JobStatus>, StoreError> {
    let rows: BTreeMap<String, JobRow> =
        stored::all(store).await?.into_iter().map(|r| (r.name.clone(), r)).collect();
    Ok(jobs.iter().map(|job| status(job, rows.get(job.name), now)).collect())
}

/// How a job stands. It is `ok` only if its last run was good and is no older than the schedule and the time that a run
/// may take allow.
fn status(job: &Job, row: Option<&JobRow>, now: Timestamp) -> JobStatus {
    let off = job
        .off
        .clone()
        .or_else(|| row.filter(|r| r.last_outcome.as_deref() == Some("off")).and_then(|r| r.say.clone()));
    let patience = job.timeout + Duration::from_secs(60);
    let late = |from: Timestamp| {
        let due = job.schedule.next(from);
        due.checked_add(patience).is_ok_and(|limit| now > limit)
    };
    let word = match row {
        _ if off.is_some() => "off",
        None => "never-run",
        Some(row) => match (row.last_outcome.as_deref(), row.last_success) {
            (Some("ok"), Some(success)) if late(success) => "overdue",
            (Some("ok"), Some(_)) => "ok",
            (Some(_), _) => "failed",
            (None, _) if late(row.first_seen) => "overdue",
            (None, _) => "never-run",
        },
    };
    JobStatus {
        name: job.name.to_owned(),
        title: job.title.to_owned(),
        schedule: job.schedule.to_string(),
        status: word,
        next_run: if off.is_some() { None } else { row.map(|r| r.next) },
        say: off.or_else(|| row.and_then(|r| r.say.clone())),
        worked_on: row.and_then(|r| r.worked_on),
        last_run: row.and_then(|r| r.last_run),
        last_success: row.and_then(|r| r.last_success),
        took_us: row.and_then(|r| r.took_us),
        running: row.is_some_and(|r| r.running.is_some()),
    }
}

/// Takes a job off the list of those that are on, whatever happens.
struct Leave {
    active: Arc<Mutex<HashSet<&'static str>>>,
    name: &'static str,
}

impl Drop for Leave {
    fn drop(&mut self) {
        self.active.lock().unwrap_or_else(PoisonError::into_inner).remove(self.name);
    }
}

async fn one(job: &Job, context: &Context, run: Id, started: Timestamp) {
    tell(context, job, run, "started", serde_json::json!({ "name": job.name })).await;
    // A task of its own: a panic ends there.
    let mut task = tokio::spawn((job.body)(context.clone()));
    let failed = |say: String| Ended { outcome: "failed", say, worked_on: 0 };
    let ended = match tokio::time::timeout(job.timeout, &mut task).await {
        Ok(Ok(Ok(Done::Worked { on, say }))) => Ended { outcome: "ok", say, worked_on: on },
        Ok(Ok(Ok(Done::Off(reason)))) => Ended { outcome: "off", say: reason, worked_on: 0 },
        Ok(Ok(Err(problem))) => failed(problem),
        Ok(Err(_)) => failed("the job broke off in the middle (a panic; the log has it)".into()),
        Err(_) => {
            task.abort();
            failed(format!("it did not end within {} s", job.timeout.as_secs()))
        }
    };
    if ended.outcome == "failed" {
        tracing::error!(job = job.name, say = %ended.say, "a job failed");
    }
    let now = context.clock.now();
    match stored::finish(&context.store, job.name, run, started, now, &ended).await {
        Ok(true) => {}
        Ok(false) => tracing::warn!(job = job.name, "another server took this run for dead"),
        Err(error) => tracing::error!(job = job.name, %error, "the end of a run cannot be written"),
    }
    let detail = serde_json::json!({ "name": job.name, "outcome": ended.outcome, "say": ended.say });
    tell(context, job, run, "ended", detail).await;
}

/// Jobs belong to the operator, whose organisation is the oldest one.
async fn tell(context: &Context, job: &Job, run: Id, what: &'static str, detail: serde_json::Value) {
    let Ok(orgs) = context.store.orgs().await else { return };
    if let Some(org) = orgs.first() {
        tracing::debug!(job = job.name, what, "job");
        context.bus.tell(Happened { org: org.id, kind: "job", id: run, what, detail });
    }
}

/// What a failure of the database says in a job's outcome.
fn words(error: StoreError) -> String {
    error.to_string()
}

#[cfg(test)]
mod tests;
