//! What a report says of a rate limit's impact: the contract's own types.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// Whether a use meets the limit.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Hit {
    /// Not even the least favourable limiter that fits refuses anything.
    Never,
    /// What is known leaves it open.
    Perhaps,
    /// Every limiter that fits refuses something.
    Always,
}

impl std::fmt::Display for Hit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Never => "never",
            Self::Perhaps => "perhaps",
            Self::Always => "always",
        })
    }
}

/// What becomes of one way of using the API under the limit that was found.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UseImpact {
    /// The use.
    pub name: String,
    /// Whether the API has to stand it; the others are told for information.
    pub must_pass: bool,
    /// Whether it is refused.
    pub hit: Hit,
    /// Requests that were looked at, of all addresses together.
    pub requests: u64,
    /// The stretch in which they come, in milliseconds.
    pub span_ms: u64,
    /// Whether the use goes on after that stretch.
    pub endless: bool,
    /// The case with the fewest refusals that fits what is known.
    pub best: UseOutcome,
    /// The case with the most.
    pub worst: UseOutcome,
    /// What decides, where `hit` is `perhaps`.
    pub open: Vec<String>,
    /// The same in one line.
    pub words: String,
    /// The first requests that one counter sees under the likeliest limiter, for a drawing.
    pub drawn: Vec<UseRequest>,
}

/// How a use fares in one case.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UseOutcome {
    /// Requests refused.
    pub refused: u64,
    /// Place of the first refused request among those of one counter, from 1.
    pub first_refused: Option<u64>,
    /// When it comes, in milliseconds from the beginning of the use.
    pub first_refused_ms: Option<u64>,
    /// The longest stretch in which a request would be refused, in milliseconds.
    pub shut_ms: u64,
    /// The longest that a shaping limiter holds a request back, in milliseconds.
    pub delay_ms: u64,
}

/// One request of a use under the likeliest limiter.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UseRequest {
    /// When, in milliseconds from the beginning of the use.
    pub at_ms: u64,
    /// Requests that count at this moment, this one included.
    pub counted: u64,
    /// Whether it is refused.
    pub refused: bool,
    /// How long it is held back, in milliseconds.
    pub delay_ms: u64,
}

/// Settings for the limiter at hand that let the uses through.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LimitSettings {
    /// The limiter: `nginx`, `HAProxy`, `Flask-Limiter`, `express-rate-limit`, `Cloudflare`.
    pub limiter: String,
    /// Where the lines belong.
    pub place: String,
    /// The lines.
    pub lines: Vec<String>,
}
