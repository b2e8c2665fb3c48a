//! One question, one outcome, with where and when.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    DnsObservation, DoorObservation, HttpObservation, LogObservation, ProjectObservation,
    RateLimitObservation, RdapObservation, TestsObservation, TlsObservation, TlsSurveyObservation,
};

/// Names an observation inside one evidence file, readable by a person: `http/edge/GET /health/h2/104.21.14.105`.
///
/// Stable from run to run for the same question; a repeated question carries `#2`, `#3` at the end.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(transparent)]
pub struct ObservationId(pub String);

impl std::fmt::Display for ObservationId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl From<String> for ObservationId {
    fn from(text: String) -> Self {
        Self(text)
    }
}

impl From<&str> for ObservationId {
    fn from(text: &str) -> Self {
        Self(text.to_owned())
    }
}

/// Which part of the world an observation speaks of. Workspace evidence is never production evidence.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Vantage {
    /// The project folder: files, history, the test run. Also log files, which lie on this machine whatever they speak of.
    Workspace,
    /// The backend that runs on this machine.
    Local,
    /// The deployment under the platform's own name, past the custom domain and the edge.
    Origin,
    /// The public name, as a customer reaches it.
    Edge,
    /// Somebody else's service: a recursive resolver, a parent zone's server.
    ThirdParty,
}

impl std::fmt::Display for Vantage {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Workspace => "workspace",
            Self::Local => "local",
            Self::Origin => "origin",
            Self::Edge => "edge",
            Self::ThirdParty => "third-party",
        })
    }
}

/// One question and what became of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Observation {
    /// Its name inside this evidence.
    pub id: ObservationId,
    /// Which part of the world it speaks of.
    pub vantage: Vantage,
    /// When the question was put, in microseconds since [`Evidence::started_at`](crate::Evidence::started_at).
    pub started_us: u64,
    /// From the question to its outcome, in microseconds.
    pub took_us: u64,
    /// The observation whose outcome this question had to wait for; `None` when it waited for nothing.
    /// Following these links back from the last observation gives the critical path.
    pub after: Option<ObservationId>,
    /// Dependent round trips on the network inside `took_us` (TCP 1, TLS 1.3 1, request 1, …); 0 for files and processes.
    /// Together with the link's round-trip time this gives the physical floor.
    pub round_trips: u32,
    /// 1 for the first time this question was put, 2 for a repetition after a rate limit, and so on.
    pub attempt: u32,
    /// A command that repeats the question by hand.
    pub by_hand: String,
    /// The question and its outcome.
    pub seen: Seen,
}

impl Observation {
    /// When the outcome was in, in microseconds since the audit began.
    pub fn ended_us(&self) -> u64 {
        self.started_us.saturating_add(self.took_us)
    }
}

/// The question and its outcome, by kind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Seen {
    /// A DNS query, or a call of the system's resolver.
    Dns(DnsObservation),
    /// A TLS handshake made for its own sake.
    Tls(TlsObservation),
    /// A survey of what a TLS endpoint accepts.
    TlsSurvey(TlsSurveyObservation),
    /// A registry's record of the domain.
    Rdap(RdapObservation),
    /// An HTTP request.
    Http(HttpObservation),
    /// The rate-limit probe's run.
    RateLimit(RateLimitObservation),
    /// The reading of the project folder.
    Project(ProjectObservation),
    /// A run of the project's tests.
    Tests(TestsObservation),
    /// A look at a door that would not open.
    Door(DoorObservation),
    /// The reading of a log file of the deployment.
    Log(LogObservation),
}

impl Seen {
    /// Whether the question was put at all; `false` means that the observation says nothing of the target.
    pub fn was_asked(&self) -> bool {
        match self {
            Self::Dns(seen) => seen.answer.was_asked(),
            Self::Tls(seen) => seen.answer.was_asked(),
            Self::TlsSurvey(seen) => seen.answer.was_asked(),
            Self::Rdap(seen) => seen.answer.was_asked(),
            Self::Http(seen) => seen.answer.was_asked(),
            Self::RateLimit(seen) => seen.answer.was_asked(),
            Self::Project(seen) => seen.answer.was_asked(),
            Self::Tests(seen) => seen.answer.was_asked(),
            Self::Door(seen) => seen.answer.was_asked(),
            Self::Log(seen) => seen.answer.was_asked(),
        }
    }
}
