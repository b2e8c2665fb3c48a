//! What the rate-limit probe saw and what can be inferred from it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Header, ObservationId, Observed};

/// A run of the rate-limit probe.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimitObservation {
    /// The URL whose limiter was asked for.
    pub url: String,
    /// The run.
    pub answer: Observed<RateLimitRun>,
}

/// The sequence of requests that one limiter saw from this audit, and the estimate drawn from it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimitRun {
    /// Every request of this audit to the same host, in the order sent, earlier probes included.
    pub sequence: Vec<RateStep>,
    /// How many of `sequence` the audit had sent for other reasons before this probe began.
    pub own_earlier: u32,
    /// How many this probe added.
    pub added: u32,
    /// The first refusal, if there was one.
    pub signal: Option<RateSignal>,
    /// Why the probe stopped.
    pub stopped: RateStop,
    /// What follows from the sequence and the headers.
    pub estimate: RateEstimate,
}

/// One request as the limiter saw it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateStep {
    /// When it was sent, in microseconds since the audit began.
    pub at_us: u64,
    /// Its status; `None` when no response came.
    pub status: Option<u16>,
    /// Whether the answer was the limiter's refusal.
    pub refused: bool,
    /// The observation that holds the exchange.
    pub observation: ObservationId,
}

/// How the limiter said no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateSignal {
    /// Position in the sequence, counted from 1.
    pub position: u32,
    /// 429, or 503/403 where a limiter's signature says so.
    pub status: u16,
    /// Retry-After, resolved to seconds from the answer (RFC 9110 section 10.2.3).
    pub retry_after_s: Option<u64>,
    /// Rate-limit headers of the refusal, as sent.
    pub headers: Vec<Header>,
    /// The beginning of the body, at most 512 characters.
    pub body: Option<String>,
    /// The refusal's own observation.
    pub observation: ObservationId,
}

/// Why the rate-limit probe stopped.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RateStop {
    /// The limiter had already refused one of the audit's own requests; nothing more was sent.
    AlreadyRefused,
    /// The first refusal came.
    FirstRefusal,
    /// The sequence was completed without a refusal.
    SequenceComplete,
    /// The request budget was spent.
    BudgetSpent,
    /// Time ran out.
    DeadlineSpent,
    /// The server failed or closed the connection; going on would not have been polite.
    ServerTrouble,
}

/// What follows from a run. Intervals are closed; `None` as an upper end means unbounded.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateEstimate {
    /// Requests that pass before the first refusal, from a quiet start.
    pub limit: Option<Interval>,
    /// Length of the window, or time to refill the whole limit, in milliseconds.
    pub window_ms: Option<Interval>,
    /// The kinds of limiter that fit, most likely first; empty when no limit was seen.
    pub classes: Vec<LimiterClass>,
    /// Confidence in `limit`, in percent.
    pub confidence_percent: u8,
    /// What could not be separated, and why, in words.
    pub open: Vec<String>,
}

/// A closed interval of whole numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Interval {
    /// Smallest value that fits.
    pub low: u64,
    /// Largest value that fits; `None` when nothing bounds it from above.
    pub high: Option<u64>,
}

impl Interval {
    /// The interval of one value.
    pub fn exactly(value: u64) -> Self {
        Self { low: value, high: Some(value) }
    }

    /// At least this.
    pub fn at_least(low: u64) -> Self {
        Self { low, high: None }
    }

    /// The value, when only one fits.
    pub fn exact(&self) -> Option<u64> {
        (self.high == Some(self.low)).then_some(self.low)
    }
}

impl std::fmt::Display for Interval {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self.high {
            Some(high) if high == self.low => write!(f, "{high}"),
            Some(high) => write!(f, "{}–{high}", self.low),
            None => write!(f, "≥ {}", self.low),
        }
    }
}

/// The kinds of limiter that exist.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum LimiterClass {
    /// Counter reset at a boundary.
    FixedWindow,
    /// A place frees one window after each accepted request.
    SlidingLog,
    /// The previous window's count fades out.
    SlidingCounter,
    /// Burst, then a steady refill (GCRA included).
    TokenBucket,
    /// Delay in place of refusal.
    LeakyBucket,
    /// A fixed time of refusal after the trip.
    Penalty,
}

impl std::fmt::Display for LimiterClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::FixedWindow => "fixed window",
            Self::SlidingLog => "sliding log",
            Self::SlidingCounter => "sliding counter",
            Self::TokenBucket => "token bucket",
            Self::LeakyBucket => "leaky bucket",
            Self::Penalty => "penalty time",
        })
    }
}
