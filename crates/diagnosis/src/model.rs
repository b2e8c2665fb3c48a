//! What a diagnosis says. These types are the judgement, complete; the report only lays them out.

use std::collections::BTreeMap;

use landfall_evidence::{Interval, LimiterClass, ObservationId};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{LimitSettings, UseImpact};

/// The diagnosis of one evidence file.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Diagnosis {
    /// The overall answer.
    pub verdict: Verdict,
    /// One sentence for a person.
    pub summary: String,
    /// One paragraph in plain words, beside the summary: why, how sure, what to do first.
    #[serde(default)]
    pub explanation: String,
    /// One row a component.
    pub components: Vec<Component>,
    /// Named causes, most likely first. Causes on independent axes (tests, rate limit) follow the main one.
    pub causes: Vec<Cause>,
    /// Causes that were considered and lost, with why; most interesting first.
    pub ruled_out: Vec<Cause>,
    /// Groups of causes that the evidence cannot tell apart.
    pub ties: Vec<Tie>,
    /// Facts that a person should know.
    pub findings: Vec<Finding>,
    /// The way of a request, hop by hop.
    pub path: Vec<Hop>,
    /// The state of every rung of the ladder, by the rung's name: `registrar`, `delegation`, … `dependency`.
    #[serde(default)]
    pub rungs: BTreeMap<String, RungState>,
    /// The first rung, in the order in which a request climbs them, that was seen broken. What lies behind it cannot be
    /// judged from outside until it is mended.
    #[serde(default)]
    pub first_broken: Option<String>,
    /// What is known of the rate limit; `None` when it was not probed.
    pub rate_limit: Option<RateLimit>,
    /// The checklist.
    pub readiness: Readiness,
    /// What to do, most urgent first.
    pub actions: Vec<Action>,
    /// How to prove that it worked.
    pub verification: Vec<Verification>,
    /// What was learnt of the stack.
    pub specifications: Vec<Specification>,
    /// Observations that no cause and no finding accounts for. While there are any, nothing is green.
    pub unexplained: Vec<Unexplained>,
    /// Version of the catalogue that was used: a hash over its files.
    pub catalogue: String,
}

/// State of one rung of the ladder.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum RungState {
    /// Seen working.
    Ok,
    /// Seen failing.
    Broken,
    /// Not seen, or hidden by a rung before it.
    Unknown,
    /// A cache or a fallback answered in its place.
    Masked,
}

impl RungState {
    /// Its name.
    pub fn name(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Broken => "broken",
            Self::Unknown => "unknown",
            Self::Masked => "masked",
        }
    }
}

/// The overall answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Verdict {
    /// Production serves the application, and nothing observed speaks against it.
    Live,
    /// Production serves the application, but something is wrong with it.
    Degraded,
    /// Production does not serve the application.
    NotLive,
    /// The evidence does not decide.
    Unknown,
}

/// How bad a finding or component is. Not how sure we are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Severity {
    /// Worth knowing.
    Info,
    /// A nuisance or a blind spot.
    Low,
    /// Some clients or paths suffer.
    Medium,
    /// A main function is down or about to be.
    High,
    /// Nothing is served.
    Critical,
}

/// State of a component, a hop or a check.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Status {
    /// Seen working.
    Ok,
    /// Working, with a reservation.
    Warn,
    /// Seen failing.
    Fail,
    /// Could not be seen; never a pass.
    Unknown,
}

/// One row of the executive summary.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Component {
    /// Stable id: `local`, `production`, `dns`, `tls`, `rate-limit`, `tests`.
    pub id: String,
    /// For people: "Production API".
    pub name: String,
    /// Its state.
    pub status: Status,
    /// How bad it is; `None` when it is fine.
    pub severity: Option<Severity>,
    /// A few words: "not deployed".
    pub headline: String,
}

/// How firmly a cause is held.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Label {
    /// Score at most −10 decibans, with something against it.
    RuledOut,
    /// Considered, without enough to say either way.
    NotAssessed,
    /// Something speaks for it, and it is named or scores above zero.
    Possible,
    /// Ahead of its rivals, with a sign that speaks for it in particular.
    Likely,
    /// Far ahead, from two independent kinds of source, and a discriminator against every close rival was observed.
    Confirmed,
}

impl Label {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirmed => "confirmed",
            Self::Likely => "likely",
            Self::Possible => "possible",
            Self::NotAssessed => "not assessed",
            Self::RuledOut => "ruled out",
        }
    }
}

/// A ranked hypothesis.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Cause {
    /// Stable id, one of `catalogue/faults.toml`.
    pub id: String,
    /// What it claims.
    pub title: String,
    /// The rung of the ladder: `platform`, `tls`, …
    pub rung: String,
    /// How firmly it is held.
    pub label: Label,
    /// Share of belief among the causes at hand, 0 to 1, the unknown cause included. Rounded to two decimals.
    pub confidence: f64,
    /// Its score in decibans.
    pub score_db: i32,
    /// How bad it is.
    pub severity: Severity,
    /// What speaks for it.
    #[serde(rename = "for")]
    pub evidence_for: Vec<Argument>,
    /// What speaks against it.
    pub against: Vec<Argument>,
    /// What would bear on it and is not known, with the reason.
    pub not_known: Vec<String>,
    /// Look-alikes and why they lost.
    pub rivals: Vec<Rival>,
    /// The observation that would decide, when it was not made.
    pub next_probe: Option<NextProbe>,
    /// Circumstances that add to it without being it.
    pub contributing: Vec<String>,
    /// What to do, for the platform at hand.
    pub remedy: Vec<String>,
    /// How to see that it worked.
    pub verify: Vec<String>,
}

/// One piece of evidence in an argument.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Argument {
    /// In words, with the values seen.
    pub say: String,
    /// Its weight in decibans; negative speaks against.
    pub weight_db: i32,
    /// The observations behind it.
    pub evidence: Vec<ObservationId>,
}

/// A look-alike that was considered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Rival {
    /// Its id.
    pub id: String,
    /// What it claims.
    pub title: String,
    /// Where it stands.
    pub label: Label,
    /// Why it lost, or what would separate it.
    pub why: String,
    /// Whether the observation that separates the two was made.
    pub separated: bool,
}

/// An observation that would decide between causes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NextProbe {
    /// What to ask.
    pub ask: String,
    /// How to let Landfall ask it, or a command to ask it by hand.
    pub how: String,
    /// What each answer would mean.
    pub means: Vec<String>,
}

/// Causes that the evidence cannot tell apart.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Tie {
    /// Their ids, most likely first.
    pub causes: Vec<String>,
    /// Their shares together, 0 to 1.
    pub confidence: f64,
    /// The observation that would separate them.
    pub separate: NextProbe,
}

/// A fact that a person should know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Finding {
    /// Stable code: `LF-TLS-012`.
    pub code: String,
    /// How bad it is.
    pub severity: Severity,
    /// What is the case.
    pub title: String,
    /// Who suffers and how.
    pub impact: String,
    /// What to do.
    pub remedy: String,
    /// The observations behind it.
    pub evidence: Vec<ObservationId>,
    /// The cause that explains it, when one does.
    pub cause: Option<String>,
}

/// One hop of the way.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Hop {
    /// What it is.
    pub hop: HopKind,
    /// Who runs it: `Cloudflare`.
    pub vendor: Option<String>,
    /// Its address, when one was used.
    pub address: Option<String>,
    /// Its state.
    pub state: HopState,
    /// What proves it, each with its weight: `header cf-ray (strong)`.
    pub proof: Vec<String>,
    /// How surely it is run by that vendor; `None` where no vendor is named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certainty: Option<Certainty>,
    /// What this hop keeps from being seen, and what its marks do not prove.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hides: Vec<String>,
}

impl Hop {
    /// Everything that is told of it, one line each: the proof, how sure it makes, and what stays hidden.
    pub fn told(&self) -> Vec<String> {
        let mut told = self.proof.clone();
        told.extend(self.certainty.as_ref().map(|certainty| match certainty.kinds.as_slice() {
            [] => format!("{}: nothing that was seen on the way names it", certainty.level.name()),
            kinds => format!("{} by {}", certainty.level.name(), kinds.join(" and ")),
        }));
        told.extend(self.hides.iter().map(|what| format!("not seen from here: {what}")));
        told
    }
}

/// How surely a hop is run by the vendor that is named.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certainty {
    /// The level.
    pub level: Sure,
    /// The kinds of proof that agree: `header`, `address`, `alias`, `certificate`, `body`.
    pub kinds: Vec<String>,
}

/// Levels of certainty about a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Sure {
    /// Something hints at it.
    Possible,
    /// One strong sign, or two that are none by themselves.
    Likely,
    /// Two kinds of proof, at least one of them strong. An origin can send any header, so a header alone is never enough.
    Certain,
}

impl Sure {
    /// The word for it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Possible => "possible",
            Self::Likely => "likely",
            Self::Certain => "certain",
        }
    }
}

/// The kinds of hop, in the order of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HopKind {
    /// Where the audit ran.
    Client,
    /// CDN or WAF.
    Edge,
    /// The hosting platform's router.
    Platform,
    /// A load balancer or reverse proxy.
    Balancer,
    /// The server in front of the application.
    Origin,
    /// The application itself.
    App,
}

/// State of a hop.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HopState {
    /// It passed the request on, or answered as it should.
    Ok,
    /// The first hop that did not.
    Broken,
    /// Behind the broken one: the request never came here.
    NotReached,
    /// Hidden by a hop before it.
    Unknown,
}

/// What is known of the rate limit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimit {
    /// Requests that pass from a quiet start.
    pub limit: Option<Interval>,
    /// Window in seconds, rounded to thousandths in the source interval (milliseconds).
    pub window_ms: Option<Interval>,
    /// Extra requests that pass at once beyond the steady rate, when known.
    pub burst: Option<u64>,
    /// Kinds of limiter that fit.
    pub algorithm: Vec<LimiterClass>,
    /// Which hop answers the refusal, with its vendor: `edge (Cloudflare)`.
    pub hop: Option<String>,
    /// How it refuses: "HTTP 429 with Retry-After: 10".
    pub signal: Option<String>,
    /// Confidence in the limit, 0 to 100.
    pub confidence_percent: u8,
    /// Requests that the audit had sent to that host, all counted.
    pub requests_counted: u32,
    /// Statuses in the order sent.
    pub statuses: Vec<String>,
    /// Who would be hit, each with figures.
    pub impact: Vec<String>,
    /// What to set, with figures; `None` when nothing is wrong.
    pub recommendation: Option<String>,
    /// What could not be separated.
    pub open: Vec<String>,
    /// Who would be hit, use by use, with the best and the worst case that fit. Empty when no refusal was seen.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<UseImpact>,
    /// How the uses that are hit would have to ask so as to pass under the present limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slower: Vec<String>,
    /// Lines for the limiter at hand; `None` when nothing is wrong or its settings are not known to us.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<LimitSettings>,
}

/// The readiness checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Readiness {
    /// Checks passed.
    pub passed: u32,
    /// Checks that apply.
    pub total: u32,
    /// Checks that could not be decided; counted in `total`, never in `passed`.
    pub unknown: u32,
    /// The checks.
    pub checks: Vec<Check>,
}

/// One line of the checklist.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Check {
    /// Stable id: `production-deployed`.
    pub id: String,
    /// For people.
    pub title: String,
    /// `Ok`, `Fail` or `Unknown`.
    pub status: Status,
    /// Why.
    pub note: String,
    /// The observations behind it.
    pub evidence: Vec<ObservationId>,
}

/// Urgency of an action.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum Priority {
    /// Blocks the main traffic: now.
    P0,
    /// A main function elsewhere, or it will break within 14 days.
    P1,
    /// The rest.
    P2,
}

/// What to do.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Action {
    /// How urgent.
    pub priority: Priority,
    /// In the imperative.
    pub title: String,
    /// Steps.
    pub steps: Vec<String>,
    /// Commands to paste.
    pub commands: Vec<String>,
    /// Ids of the checks that it clears by itself.
    pub clears: Vec<String>,
    /// Whether Landfall tried it, and how that went.
    pub tried: Tried,
    /// The cause or finding that calls for it.
    pub because: String,
}

/// Whether a remedy was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum Tried {
    /// It worked.
    Works {
        /// What was seen: "9 tests collected with the path fixed".
        seen: String,
    },
    /// It did not.
    Fails {
        /// What was seen.
        seen: String,
    },
    /// It was not tried.
    NotTried,
}

/// A request that proves a repair.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Verification {
    /// What it shows.
    pub title: String,
    /// The request as a command to paste.
    pub request: String,
    /// What to expect, for people.
    pub expect: String,
    /// The same for `landfall verify`.
    pub probe: VerificationProbe,
}

/// A verification as the program runs it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum VerificationProbe {
    /// One GET.
    Get {
        /// The URL.
        url: String,
        /// Acceptable statuses.
        status: Vec<u16>,
        /// Media type that the answer must have.
        content_type: Option<String>,
        /// Keys that a JSON object must have at its top.
        json_keys: Vec<String>,
    },
    /// Several GETs at a fixed pace, none of which may be refused.
    Pace {
        /// The URL.
        url: String,
        /// How many.
        requests: u32,
        /// Milliseconds from one to the next.
        every_ms: u64,
        /// Acceptable statuses.
        status: Vec<u16>,
    },
}

/// One thing learnt of the stack.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Specification {
    /// Group: `backend`, `edge`, `monitoring`.
    pub group: String,
    /// What: `Framework`.
    pub name: String,
    /// Its value: `Flask 3.0.0`; "not known: …" with the reason otherwise.
    pub value: String,
    /// The observations behind it.
    pub evidence: Vec<ObservationId>,
}

/// An observation that nothing accounts for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Unexplained {
    /// What was seen.
    pub what: String,
    /// Where.
    pub evidence: ObservationId,
}
