//! What this process knows of itself. Handlers read it without asking anybody.

use std::sync::atomic::{AtomicBool, AtomicI64, Ordering::Relaxed};
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use landfall_monitor::Meters;
use landfall_store::Id;

/// The state of the process. One for each server, shared by its handlers and its background work.
#[derive(Debug)]
pub struct Liveness {
    /// The version that was built: `0.1.0`.
    pub version: &'static str,
    /// The build: a commit, when the build was told one, else `unknown`. Never a constant that claims more.
    pub build: &'static str,
    /// This server among others on the same database.
    pub server: String,
    /// When the process started, by the injected clock.
    pub started: Timestamp,
    /// What the watch counts.
    pub meters: Arc<Meters>,
    /// Rung when an answer to a chat is owed.
    pub(crate) replies: tokio::sync::Notify,
    watch_us: AtomicI64,
    draining: AtomicBool,
    providers: Mutex<Providers>,
    /// The last answers of the database, so that a flood of health requests does not become a flood of questions.
    pub(crate) evidence: tokio::sync::Mutex<crate::health::Evidence>,
}

/// What was learnt of the services that support relies on.
#[derive(Debug, Clone, Default)]
pub(crate) struct Providers {
    pub(crate) openai: ProviderState,
    pub(crate) telegram: ProviderState,
    pub(crate) whatsapp: ProviderState,
}

/// What was learnt of one service by calling it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct ProviderState {
    /// When a call last worked.
    pub success: Option<Timestamp>,
    /// When a call last failed, and how, without secrets.
    pub error: Option<(Timestamp, String)>,
}

impl ProviderState {
    /// Whether the last call worked. Without any call nothing is known, and that is not a yes.
    pub fn works(&self) -> bool {
        match (self.success, &self.error) {
            (Some(success), Some((error, _))) => success >= *error,
            (Some(_), None) => true,
            (None, _) => false,
        }
    }

    /// Notes how a call ended.
    pub fn note(&mut self, ended: Result<(), String>, now: Timestamp) {
        match ended {
            Ok(()) => self.success = Some(now),
            Err(say) => self.error = Some((now, say)),
        }
    }
}

/// Nothing has ticked yet.
const NEVER: i64 = i64::MIN;

impl Liveness {
    /// A process that has just started.
    pub fn new(now: Timestamp) -> Self {
        Self {
            version: env!("CARGO_PKG_VERSION"),
            build: option_env!("LANDFALL_BUILD").unwrap_or("unknown"),
            server: Id::new().to_string(),
            started: now,
            meters: Arc::default(),
            replies: tokio::sync::Notify::new(),
            watch_us: AtomicI64::new(NEVER),
            draining: AtomicBool::new(false),
            providers: Mutex::default(),
            evidence: tokio::sync::Mutex::default(),
        }
    }

    /// The watch has gone round: called by its loop each time, at least every ten seconds, work or none.
    pub fn watch_ticked(&self, now: Timestamp) {
        self.watch_us.store(now.as_microsecond(), Relaxed);
    }

    /// When the watch last went round.
    pub fn watch_tick(&self) -> Option<Timestamp> {
        let us = self.watch_us.load(Relaxed);
        (us != NEVER).then(|| Timestamp::from_microsecond(us).ok()).flatten()
    }

    /// The process is about to stop: it finishes what it has and wants nothing new.
    pub fn drain(&self) {
        self.draining.store(true, Relaxed);
    }

    /// Whether it is about to stop.
    pub fn draining(&self) -> bool {
        self.draining.load(Relaxed)
    }

    pub(crate) fn providers(&self) -> Providers {
        self.providers.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn note_providers(&self, note: impl FnOnce(&mut Providers)) {
        note(&mut self.providers.lock().unwrap_or_else(PoisonError::into_inner));
    }
}
