//! The evidence of one audit: one value, saved and replayed whole.

use std::collections::BTreeMap;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{
    DnsObservation, DnsServerRole, DoorObservation, HttpObservation, LogObservation, Observation,
    ObservationId, ProjectSnapshot, Purpose, RateLimitObservation, RdapObservation, Seen, Target,
    TestsObservation, TlsObservation, TlsSurveyObservation, Vantage,
};

/// The schema that this version writes. A reader accepts the same major number.
pub const SCHEMA: &str = "landfall.evidence/1";

/// Everything that one audit saw.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Evidence {
    /// [`SCHEMA`].
    pub schema: String,
    /// What wrote it.
    pub tool: Tool,
    /// What was audited.
    pub target: Target,
    /// When the audit began, by this machine's clock.
    pub started_at: Timestamp,
    /// Wall time of the whole audit, in microseconds.
    pub took_us: u64,
    /// The settings that shaped it.
    pub settings: Settings,
    /// Requests sent.
    pub requests: Requests,
    /// What was asked and what came back, ordered by the time of asking.
    pub observations: Vec<Observation>,
}

/// What wrote an evidence file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Tool {
    /// `landfall`.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// The settings that shaped an audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Settings {
    /// Deadline of the audit, in milliseconds.
    pub timeout_ms: u64,
    /// HTTP requests allowed to production and origin together.
    pub budget: u32,
    /// Probes left out by name.
    pub skipped: Vec<String>,
    /// Resolvers given by the caller; empty means the system's.
    pub resolvers: Vec<String>,
    /// Whether an address map led names or addresses elsewhere, so that addresses and packets differ.
    pub mapped: bool,
    /// The User-Agent that every HTTP request carried.
    pub user_agent: String,
    /// Names of this machine's proxy variables that are set, never their values. The audit itself asks without a proxy.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub proxy_variables: Vec<String>,
    /// Thresholds of findings that the caller set, by name; those not named keep their own number.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub thresholds: BTreeMap<String, u64>,
}

/// HTTP requests sent by an audit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Requests {
    /// All of them.
    pub total: u32,
    /// By host name and port.
    pub by_host: BTreeMap<String, u32>,
}

/// Why an evidence file could not be used.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not JSON, or it ends too early.
    #[error("the evidence is not complete JSON: {detail} (line {line}, column {column})")]
    Syntax {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The parser's words.
        detail: String,
    },
    /// It is JSON, but not evidence.
    #[error("the file is JSON but not Landfall evidence: {detail} (line {line}, column {column})")]
    Shape {
        /// Line, from 1.
        line: usize,
        /// Column, from 1.
        column: usize,
        /// The parser's words.
        detail: String,
    },
    /// It was written by another major version.
    #[error("the evidence has schema {found:?}; this version of landfall reads {expected:?}")]
    Schema {
        /// What the file says.
        found: String,
        /// What we read.
        expected: String,
    },
}

impl Evidence {
    /// Reads a saved evidence file.
    ///
    /// # Errors
    /// With line and column when the text is cut, is not JSON, is other JSON, or has another schema.
    pub fn from_json(text: &str) -> Result<Self, LoadError> {
        #[derive(Deserialize)]
        struct Head {
            schema: Option<String>,
        }
        let syntax = |e: serde_json::Error| {
            let detail = e.to_string();
            let detail = detail.split(" at line ").next().unwrap_or_default().to_owned();
            if e.is_data() {
                LoadError::Shape { line: e.line(), column: e.column(), detail }
            } else {
                LoadError::Syntax { line: e.line(), column: e.column(), detail }
            }
        };
        let head: Head = serde_json::from_str(text).map_err(syntax)?;
        match head.schema.as_deref() {
            Some(SCHEMA) => serde_json::from_str(text).map_err(syntax),
            found => Err(LoadError::Schema {
                found: found.unwrap_or("none").to_owned(),
                expected: SCHEMA.to_owned(),
            }),
        }
    }

    /// The evidence as indented JSON with a final newline.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("evidence has string keys only, so it always serialises");
        text.push('\n');
        text
    }

    /// The JSON Schema of an evidence file.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Evidence).to_value()
    }

    /// An observation by its id.
    pub fn find(&self, id: &ObservationId) -> Option<&Observation> {
        self.observations.iter().find(|o| &o.id == id)
    }

    /// The plain DNS observations, in order: what resolvers and the zone's own servers say of the world. What the parent,
    /// a server that nobody is sent to, or the hosts file says, and what was asked with special flags, is in
    /// [`Self::all_dns`] alone.
    pub fn dns(&self) -> impl Iterator<Item = (&Observation, &DnsObservation)> {
        self.all_dns().filter(|(_, seen)| seen.question.is_plain())
    }

    /// All DNS observations, in order.
    pub fn all_dns(&self) -> impl Iterator<Item = (&Observation, &DnsObservation)> {
        self.observations.iter().filter_map(|o| match &o.seen {
            Seen::Dns(seen) => Some((o, seen)),
            _ => None,
        })
    }

    /// DNS observations of servers of one kind, without special flags, in order.
    pub fn dns_of(&self, role: DnsServerRole) -> impl Iterator<Item = (&Observation, &DnsObservation)> {
        self.all_dns().filter(move |(_, seen)| {
            let question = &seen.question;
            question.server.role == role && !question.checking_disabled && !question.dnssec_ok
        })
    }

    /// What registries say of the registered domain, in order.
    pub fn rdap(&self) -> impl Iterator<Item = (&Observation, &RdapObservation)> {
        self.observations.iter().filter_map(|o| match &o.seen {
            Seen::Rdap(seen) => Some((o, seen)),
            _ => None,
        })
    }

    /// All TLS observations, in order.
    pub fn tls(&self) -> impl Iterator<Item = (&Observation, &TlsObservation)> {
        self.observations.iter().filter_map(|o| match &o.seen {
            Seen::Tls(seen) => Some((o, seen)),
            _ => None,
        })
    }

    /// Surveys of TLS endpoints, in order.
    pub fn tls_surveys(&self) -> impl Iterator<Item = (&Observation, &TlsSurveyObservation)> {
        self.observations.iter().filter_map(|o| match &o.seen {
            Seen::TlsSurvey(seen) => Some((o, seen)),
            _ => None,
        })
    }

    /// All HTTP observations but the trials, in order. A trial asks in an odd way on purpose, so what it gets must not be
    /// taken for what a client gets.
    pub fn http(&self) -> impl Iterator<Item = (&Observation, &HttpObservation)> {
        self.all_http().filter(|(_, seen)| seen.request.purpose != Purpose::Trial)
    }

    /// The deciding observations over HTTP, in order.
    pub fn trials(&self) -> impl Iterator<Item = (&Observation, &HttpObservation)> {
        self.all_http().filter(|(_, seen)| seen.request.purpose == Purpose::Trial)
    }

    fn all_http(&self) -> impl Iterator<Item = (&Observation, &HttpObservation)> {
        self.observations.iter().filter_map(|o| match &o.seen {
            Seen::Http(seen) => Some((o, seen)),
            _ => None,
        })
    }

    /// HTTP observations of one vantage and purpose.
    pub fn http_of(
        &self,
        vantage: Vantage,
        purpose: Purpose,
    ) -> impl Iterator<Item = (&Observation, &HttpObservation)> {
        self.http().filter(move |(o, seen)| o.vantage == vantage && seen.request.purpose == purpose)
    }

    /// The last attempt at one path from one vantage for one purpose: a repetition after a rate limit replaces the
    /// refusal that it repeats.
    pub fn http_at(
        &self,
        vantage: Vantage,
        purpose: Purpose,
        path: &str,
    ) -> Option<(&Observation, &HttpObservation)> {
        self.http_of(vantage, purpose)
            .filter(|(_, seen)| seen.request.path == path)
            .max_by_key(|(o, _)| o.attempt)
    }

    /// Looks at doors that would not open, in order.
    pub fn doors(&self) -> impl Iterator<Item = (&Observation, &DoorObservation)> {
        self.observations.iter().filter_map(|o| match &o.seen {
            Seen::Door(seen) => Some((o, seen)),
            _ => None,
        })
    }

    /// The rate-limit probe's runs.
    pub fn rate_limit(&self) -> impl Iterator<Item = (&Observation, &RateLimitObservation)> {
        self.observations.iter().filter_map(|o| match &o.seen {
            Seen::RateLimit(seen) => Some((o, seen)),
            _ => None,
        })
    }

    /// Test runs, in order.
    pub fn tests(&self) -> impl Iterator<Item = (&Observation, &TestsObservation)> {
        self.observations.iter().filter_map(|o| match &o.seen {
            Seen::Tests(seen) => Some((o, seen)),
            _ => None,
        })
    }

    /// Log files, in order.
    pub fn logs(&self) -> impl Iterator<Item = (&Observation, &LogObservation)> {
        self.observations.iter().filter_map(|o| match &o.seen {
            Seen::Log(seen) => Some((o, seen)),
            _ => None,
        })
    }

    /// The project folder as read, when it could be read.
    pub fn project(&self) -> Option<(&Observation, &ProjectSnapshot)> {
        self.observations.iter().find_map(|o| match &o.seen {
            Seen::Project(seen) => Some((o, &**seen.answer.present()?)),
            _ => None,
        })
    }

    /// The chain of observations, each of which had to wait for the one before it, that ended last on the network:
    /// the audit's critical path. First to last; empty when nothing was asked over the network.
    pub fn critical_path(&self) -> Vec<&Observation> {
        let networked = |o: &&Observation| {
            !matches!(o.seen, Seen::Project(_) | Seen::Tests(_) | Seen::Log(_))
                && o.vantage != Vantage::Workspace
        };
        let mut path = Vec::new();
        let mut next = self.observations.iter().filter(networked).max_by_key(|o| o.ended_us());
        while let Some(step) = next {
            path.push(step);
            // A file can name a cycle; a chain cannot be longer than the list that it is taken from.
            if path.len() > self.observations.len() {
                break;
            }
            next = step.after.as_ref().and_then(|id| self.find(id));
        }
        path.reverse();
        path
    }
}
