//! What an audit is doing right now, for whoever wants to show it.

use std::sync::Arc;
use std::time::Duration;

/// A step of an audit that a person would recognise.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    /// Reading the project folder.
    Project,
    /// The start of the application, with `--start`.
    Start,
    /// Running its tests.
    Tests,
    /// DNS, TLS and HTTP of production.
    Production,
    /// The platform's own name.
    Origin,
    /// The local backend.
    Local,
    /// The observations that decide between causes, by their round, counted from 1.
    Deciding(usize),
    /// The rate-limit sequence.
    RateLimit,
}

impl std::fmt::Display for Step {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Deciding(_) => "what decides",
            Self::Project => "project folder",
            Self::Start => "start of the application",
            Self::Tests => "tests",
            Self::Production => "production",
            Self::Origin => "origin",
            Self::Local => "local backend",
            Self::RateLimit => "rate limit",
        })
    }
}

/// Something that happened in an audit.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Event {
    /// A step began.
    Begin(Step),
    /// A step ended.
    End(Step),
    /// Questions are held back for this long, because a rate limit asked for it.
    Wait(Duration),
    /// What the search for the rate limit is doing.
    Limit(landfall_probe::rate_limit::Moment),
}

/// Where events go. Cloning is cheap; the default goes nowhere.
#[derive(Clone, Default)]
pub struct Progress {
    sink: Option<Arc<dyn Fn(Event) + Send + Sync>>,
}

impl Progress {
    /// Sends every event to `sink`, which must return quickly.
    pub fn to(sink: impl Fn(Event) + Send + Sync + 'static) -> Self {
        Self { sink: Some(Arc::new(sink)) }
    }

    pub(crate) fn begin(&self, step: Step) {
        if let Some(sink) = &self.sink {
            sink(Event::Begin(step));
        }
    }

    pub(crate) fn wait(&self, wait: Duration) {
        if let Some(sink) = &self.sink {
            sink(Event::Wait(wait));
        }
    }

    pub(crate) fn limit(&self, moment: landfall_probe::rate_limit::Moment) {
        if let Some(sink) = &self.sink {
            sink(Event::Limit(moment));
        }
    }

    pub(crate) fn end(&self, step: Step) {
        if let Some(sink) = &self.sink {
            sink(Event::End(step));
        }
    }
}

impl std::fmt::Debug for Progress {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Progress").field("shown", &self.sink.is_some()).finish()
    }
}
