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
    /// Only one kind of limiter was left with 95 % or more.
    Certain,
    /// Several kinds fit, and no request within the time left would have told them apart.
    NothingToLearn,
    /// The most refusals that the probe allows itself were met.
    RefusalsSpent,
    /// Connections were refused or cut after the limiter had refused: the sign of a ban.
    Banned,
    /// A challenge page came, which programs are not meant to pass.
    Challenged,
    /// The wait that the limiter asked for (Retry-After) is longer than the time left.
    AskedToWait,
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
    /// What the inference over the whole sequence found; `None` in evidence of before it was kept.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fit: Option<Box<RateFit>>,
}

/// What the sequence says of the limiter, as weights of evidence over the kinds of limiter that exist.
///
/// Everything here follows from the requests and their answers alone; nothing is a judgement of the limiter.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateFit {
    /// Whether the probe went on after the first refusal.
    pub deep: bool,
    /// Every kind with at least one part in a thousand, most likely first.
    pub weights: Vec<ClassWeight>,
    /// The kinds that together hold nearly all of the weight: the honest answer to "which one?".
    pub set: Vec<LimiterClass>,
    /// Requests that pass from a quiet start before the first refusal. For a bucket its burst, for several counters all of
    /// them together.
    pub limit: Option<Estimated>,
    /// Length of the window in milliseconds; for a bucket the time in which it fills up whole; for a penalty the window in
    /// which requests are counted.
    pub period_ms: Option<Estimated>,
    /// Time until one more request passes once the limit is used up, in milliseconds. Only for kinds that release places one
    /// by one.
    pub place_ms: Option<Estimated>,
    /// How long everything is refused after the trip, in milliseconds, when a penalty is possible.
    pub penalty_ms: Option<Estimated>,
    /// Steady delay of shaped answers in milliseconds beyond the usual round trip.
    pub shaped_ms: Option<Estimated>,
    /// Counters that share the traffic (worker processes, or instances behind a balancer), when that is most likely.
    pub counters: Option<Interval>,
    /// Whether windows are cut by the clock or begin with a client's first request; `None` when it could not be told or the
    /// most likely kind has no windows.
    pub alignment: Option<Alignment>,
    /// Chance, in thousandths, that others use the same quota.
    pub others_permille: u16,
    /// The policies that the server states in its headers, as read.
    pub stated: Vec<StatedLimit>,
    /// What the limiter counts: the probe's questions after a trip and before the release.
    pub scope: Vec<ScopeAnswer>,
    /// Kinds that the budget did not separate, each group with the reason.
    pub unseparated: Vec<Unseparated>,
    /// What the probe allowed itself.
    pub budget: RateBudget,
    /// What it used of that.
    pub used: RateBudget,
}

/// The weight of one kind of limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ClassWeight {
    /// The kind.
    pub class: LimiterClass,
    /// Its share of the evidence, in thousandths.
    pub permille: u16,
}

/// A quantity with the interval that holds 95 % of its weight.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Estimated {
    /// The most likely value.
    pub likely: u64,
    /// The middle 95 %.
    pub within: Interval,
}

/// What cuts a fixed window.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Alignment {
    /// The server's clock: whole minutes, whole seconds.
    Clock,
    /// The client's first request.
    FirstRequest,
}

/// A policy that a server states in its headers.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StatedLimit {
    /// Its name, where the spelling has names.
    pub name: Option<String>,
    /// The field that said it, in lower case.
    pub field: String,
    /// Requests in a window.
    pub quota: Option<u64>,
    /// The window, in milliseconds.
    pub window_ms: Option<u64>,
    /// Requests left, on the last answer that said so.
    pub remaining: Option<u64>,
    /// Until the quota is renewed, in milliseconds, on the last answer that said so.
    pub reset_ms: Option<u64>,
    /// Whether the answers agreed with it; `None` when it was not tested.
    pub holds: Option<bool>,
}

/// One question on what the limiter counts, put after a trip and before the release.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ScopeAnswer {
    /// What was changed in the request.
    pub changed: ScopeChange,
    /// Whether it was refused too; `None` when no response came.
    pub refused: Option<bool>,
    /// The observation that holds the exchange.
    pub observation: ObservationId,
}

/// What was different in a question on the limiter's scope.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum ScopeChange {
    /// Another path of the same host.
    Path(String),
    /// Another method on the same path.
    Method(String),
}

/// Kinds of limiter that the probe could not separate.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unseparated {
    /// The kinds.
    pub classes: Vec<LimiterClass>,
    /// Why not.
    pub why: UnseparatedWhy,
}

/// Why kinds of limiter stayed together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum UnseparatedWhy {
    /// The probe stops at the first refusal, and everything that would tell them apart comes after it.
    StoppedAtFirstRefusal,
    /// No refusal came, so nothing is known of the release.
    NotReached,
    /// The next release, or the wait that the limiter asked for, lies beyond the time left.
    ReleaseBeyondTime,
    /// Requests or refusals were spent before the question was settled.
    BudgetSpent,
    /// Fewer requests are left than another refusal takes.
    RequestsShort,
    /// A penalty as long as the window looks like the window.
    PenaltyEqualsWindow,
    /// The burst took so little of the window that all its places free at once.
    BurstShort,
    /// Requests of others on the same quota blur the releases.
    OthersTraffic,
}

/// Bounds of a run, or what it used of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateBudget {
    /// Requests.
    pub requests: u32,
    /// Refusals among them.
    pub refusals: u32,
    /// Time in milliseconds.
    pub time_ms: u64,
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
    /// Several counters that do not know of each other: worker processes, or instances behind a balancer.
    SeveralCounters,
}

impl LimiterClass {
    /// Every kind, in the order of their declaration.
    pub const ALL: [Self; 7] = [
        Self::FixedWindow,
        Self::SlidingLog,
        Self::SlidingCounter,
        Self::TokenBucket,
        Self::LeakyBucket,
        Self::Penalty,
        Self::SeveralCounters,
    ];
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
            Self::SeveralCounters => "several counters",
        })
    }
}
