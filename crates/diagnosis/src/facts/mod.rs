//! Facts: small typed statements drawn from the evidence, each known or unknown with the reason.
//!
//! A fact is never made false because a question was not asked: it is then unknown, or not there at all. Subjects are
//! text: a vantage (`edge`), a vantage and a path (`edge /health`), a vantage and an address (`edge 192.0.2.1:443`),
//! a rung, or empty for the target as a whole. Rules address them by key and, if need be, by the first word of the
//! subject.

mod around;
mod asks;
mod build;
mod check;
mod clock;
mod cors;
mod counted;
mod deployed;
mod dns;
mod doors;
mod edge;
mod endpoint;
mod http;
mod key;
mod limits;
mod log;
mod page;
mod process;
mod project;
mod redirect;
mod site;
mod tests_run;
mod transport;
mod trial;
mod views;
mod writer;

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use landfall_evidence::{
    DnsServerRole, Evidence, Observation, ObservationId, Observed, ProbeFault, Seen, TestPurpose, Vantage,
};

pub use around::is_near;
pub(crate) use around::planned_for;
pub(crate) use build::{Placed, marks as build_marks, placed};
pub(crate) use cors::{GET as CORS_GET, PREFLIGHT as CORS_PREFLIGHT, why_refused};
pub(crate) use dns::turned_away;
pub(crate) use doors::challenge;
pub(crate) use edge::same_vendor;
pub(crate) use endpoint::wants_another_protocol;
pub(crate) use http::{BodyKind, Exchange, Exchanges, body_kind, is_health_path};
pub(crate) use key::FactKey;
pub(crate) use log::{came_up_after, is_stale};
pub(crate) use project::open_files;
pub(crate) use writer::Writer;

use crate::catalogue::Catalogue;

/// What a fact says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A word of the key's vocabulary, or a name.
    Text(String),
    /// A number, with the unit that the key names.
    Number(i64),
    /// Several words; never empty.
    List(Vec<String>),
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Text(text) => f.write_str(text),
            Self::Number(number) => write!(f, "{number}"),
            Self::List(items) => f.write_str(&items.join(", ")),
        }
    }
}

impl From<&str> for Value {
    fn from(text: &str) -> Self {
        Self::Text(text.to_owned())
    }
}

impl From<String> for Value {
    fn from(text: String) -> Self {
        Self::Text(text)
    }
}

impl From<i64> for Value {
    fn from(number: i64) -> Self {
        Self::Number(number)
    }
}

impl From<bool> for Value {
    fn from(yes: bool) -> Self {
        Self::Text(if yes { "yes" } else { "no" }.to_owned())
    }
}

/// Known, or unknown with the reason in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Knowledge {
    /// What is the case.
    Known(Value),
    /// Why it is not known.
    Unknown(Why),
}

/// Why something is not known.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Why {
    /// The target does not say what to ask.
    NotConfigured(String),
    /// The question was left out, blocked, or never planned.
    NotRun(String),
    /// Only the limiter ever answered.
    Limited,
    /// Nothing came back in time.
    TimedOut(String),
    /// It was asked and answered, and the answer does not decide.
    Undecided(String),
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NotConfigured(text) | Self::NotRun(text) | Self::TimedOut(text) | Self::Undecided(text) => {
                f.write_str(text)
            }
            Self::Limited => f.write_str("the rate limit refused every try"),
        }
    }
}

impl From<&ProbeFault> for Why {
    fn from(fault: &ProbeFault) -> Self {
        match fault {
            ProbeFault::NotConfigured { .. } => Self::NotConfigured(fault.to_string()),
            _ => Self::NotRun(fault.to_string()),
        }
    }
}

/// A small typed statement drawn from the evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    /// What it speaks of.
    pub(crate) key: FactKey,
    /// Of whom.
    pub(crate) subject: String,
    /// What it says.
    pub(crate) value: Knowledge,
    /// The observations behind it, sorted.
    pub(crate) evidence: Vec<ObservationId>,
    /// Whether it is a sign of trouble that a cause must account for.
    pub(crate) symptom: bool,
}

impl Fact {
    /// The value, when it is known.
    pub(crate) fn known(&self) -> Option<&Value> {
        match &self.value {
            Knowledge::Known(value) => Some(value),
            Knowledge::Unknown(_) => None,
        }
    }

    /// The value as a word, when it is known and is one.
    pub(crate) fn text(&self) -> Option<&str> {
        match self.known()? {
            Value::Text(text) => Some(text),
            _ => None,
        }
    }
}

/// All facts of one evidence file, ordered by key and subject.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Facts {
    map: BTreeMap<(FactKey, String), Fact>,
    sources: BTreeMap<ObservationId, SourceKind>,
}

/// Kinds of source that are independent of each other: a claim that rests on two of them is firmer than on one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum SourceKind {
    /// The public name.
    Edge,
    /// The platform's own name.
    Origin,
    /// The backend on this machine.
    Local,
    /// The system's or another recursive resolver.
    Resolver,
    /// The zone's own servers.
    Authoritative,
    /// Servers of the zone above, and servers to which nobody is sent.
    Delegation,
    /// The registry.
    Registry,
    /// Files of this machine.
    Machine,
    /// A handshake made for its own sake.
    Handshake,
    /// A further look at an address whose ordinary way in failed.
    Door,
    /// The project folder.
    Project,
    /// The tests as declared.
    Tests,
    /// The tests with a remedy.
    TestsRemedied,
    /// The rate-limit probe.
    RateLimit,
    /// A log file of the deployment.
    Log,
}

impl SourceKind {
    /// Whether it looks behind what an outsider can see.
    pub(crate) fn is_inside(self) -> bool {
        matches!(self, Self::Local | Self::Project | Self::Log | Self::Tests | Self::TestsRemedied)
    }
}

impl Facts {
    /// Draws all facts from the evidence. The order of the observations plays no part.
    pub(crate) fn derive(evidence: &Evidence, catalogue: &Catalogue) -> Self {
        let mut facts = Self::default();
        for observation in &evidence.observations {
            facts.sources.insert(observation.id.clone(), source_kind(observation));
        }
        let exchanges = Exchanges::collect(evidence, catalogue);
        project::derive(evidence, &exchanges, &mut facts);
        tests_run::derive(evidence, &mut facts);
        dns::derive(evidence, catalogue, &mut facts);
        transport::derive(evidence, catalogue, &exchanges, &mut facts);
        doors::derive(evidence, catalogue, &exchanges, &mut facts);
        http::derive(&exchanges, &mut facts);
        endpoint::derive(evidence, &exchanges, &mut facts);
        edge::derive(&exchanges, &mut facts);
        redirect::derive(evidence, &exchanges, &mut facts);
        page::derive(evidence, &exchanges, &mut facts);
        check::derive(evidence, &exchanges, &mut facts);
        site::derive(evidence, catalogue, &exchanges, &mut facts);
        around::derive(evidence, catalogue, &exchanges, &mut facts);
        edge::compare(evidence, catalogue, &exchanges, &mut facts);
        limits::derive(evidence, catalogue, &exchanges, &mut facts);
        log::derive(evidence, catalogue, &exchanges, &mut facts);
        project::faults_that_nothing_shows(&mut facts);
        process::derive(&exchanges, &mut facts);
        clock::derive(evidence, &exchanges, &mut facts);
        trial::derive(&exchanges, &mut facts);
        build::derive(evidence, &exchanges, &mut facts);
        deployed::derive(evidence, catalogue, &exchanges, &mut facts);
        cors::derive(&exchanges, &mut facts);
        views::split_that_matters(evidence, &mut facts);
        facts
    }

    /// A fact, if it was drawn at all.
    pub(crate) fn get(&self, key: FactKey, subject: &str) -> Option<&Fact> {
        self.map.get(&(key, subject.to_owned()))
    }

    /// The word that a fact says, when it is known.
    pub(crate) fn text(&self, key: FactKey, subject: &str) -> Option<&str> {
        self.get(key, subject)?.text()
    }

    /// The number that a fact of this subject holds.
    pub(crate) fn number(&self, key: FactKey, subject: &str) -> Option<i64> {
        match self.get(key, subject)?.known()? {
            Value::Number(number) => Some(*number),
            _ => None,
        }
    }

    /// Whether a fact says this word; `None` when it is not known.
    pub(crate) fn is(&self, key: FactKey, subject: &str, word: &str) -> Option<bool> {
        Some(self.text(key, subject)? == word)
    }

    /// All facts of one key, by subject.
    pub(crate) fn of(&self, key: FactKey) -> impl Iterator<Item = &Fact> {
        self.map.range((key, String::new())..).take_while(move |((k, _), _)| *k == key).map(|(_, fact)| fact)
    }

    /// Facts of one key whose subject is `at`, or begins with the word `at`.
    pub(crate) fn at<'a>(&'a self, key: FactKey, at: Option<&'a str>) -> impl Iterator<Item = &'a Fact> {
        self.of(key).filter(move |fact| at.is_none_or(|at| subject_matches(&fact.subject, at)))
    }

    /// All facts.
    pub(crate) fn iter(&self) -> impl Iterator<Item = &Fact> {
        self.map.values()
    }

    /// Signs of trouble, which causes have to account for.
    pub(crate) fn symptoms(&self) -> impl Iterator<Item = &Fact> {
        self.iter().filter(|fact| fact.symptom)
    }

    /// The kind of source behind an observation.
    pub(crate) fn source(&self, id: &ObservationId) -> Option<SourceKind> {
        self.sources.get(id).copied()
    }

    /// Records a known fact. Evidence is sorted here, so that facts do not depend on the order of observations.
    pub(crate) fn known(
        &mut self,
        key: FactKey,
        subject: impl Into<String>,
        value: impl Into<Value>,
        evidence: impl IntoIterator<Item = ObservationId>,
    ) -> &mut Fact {
        self.put(key, subject.into(), Knowledge::Known(value.into()), evidence)
    }

    /// Records a list, if it has any items.
    pub(crate) fn known_list(
        &mut self,
        key: FactKey,
        subject: impl Into<String>,
        items: impl IntoIterator<Item = String>,
        evidence: impl IntoIterator<Item = ObservationId>,
    ) {
        let items: BTreeSet<String> = items.into_iter().collect();
        if !items.is_empty() {
            self.put(
                key,
                subject.into(),
                Knowledge::Known(Value::List(items.into_iter().collect())),
                evidence,
            );
        }
    }

    /// Whether the public name is answered by an application, and every endpoint asked there as it should.
    pub(crate) fn all_is_well(&self) -> bool {
        let at_edge = |key| self.at(key, Some("edge"));
        at_edge(FactKey::SiteKind).any(|fact| fact.text() == Some("application"))
            && at_edge(FactKey::EndpointOutcome).all(|fact| fact.text() == Some("ok"))
    }

    /// Marks a fact as a sign of trouble.
    pub(crate) fn mark_symptom(&mut self, key: FactKey, subject: &str) {
        if let Some(fact) = self.map.get_mut(&(key, subject.to_owned())) {
            fact.symptom = true;
        }
    }

    /// Records that something is not known.
    pub(crate) fn unknown(
        &mut self,
        key: FactKey,
        subject: impl Into<String>,
        why: Why,
        evidence: impl IntoIterator<Item = ObservationId>,
    ) {
        self.put(key, subject.into(), Knowledge::Unknown(why), evidence);
    }

    fn put(
        &mut self,
        key: FactKey,
        subject: String,
        value: Knowledge,
        evidence: impl IntoIterator<Item = ObservationId>,
    ) -> &mut Fact {
        let mut evidence: BTreeSet<ObservationId> = evidence.into_iter().collect();
        // A run names the observations that it is made of, and one of them may be lost: what is not there is not cited.
        if !self.sources.is_empty() {
            evidence.retain(|id| self.sources.contains_key(id));
        }
        let fact = Fact {
            key,
            subject: subject.clone(),
            value,
            evidence: evidence.into_iter().collect(),
            symptom: false,
        };
        let slot = self.map.entry((key, subject)).or_insert_with(|| fact.clone());
        *slot = fact;
        slot
    }
}

/// Whether a subject is `at`, or begins with it as a whole word.
pub(crate) fn subject_matches(subject: &str, at: &str) -> bool {
    subject.strip_prefix(at).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
}

fn source_kind(observation: &Observation) -> SourceKind {
    match &observation.seen {
        Seen::Dns(seen) if seen.question.server.role == DnsServerRole::Authoritative => {
            SourceKind::Authoritative
        }
        Seen::Dns(seen) => match seen.question.server.role {
            DnsServerRole::Parent | DnsServerRole::Expected => SourceKind::Delegation,
            DnsServerRole::HostsFile => SourceKind::Machine,
            _ => SourceKind::Resolver,
        },
        Seen::Rdap(_) => SourceKind::Registry,
        Seen::Tls(_) | Seen::TlsSurvey(_) => SourceKind::Handshake,
        Seen::Http(_) => match observation.vantage {
            Vantage::Local | Vantage::Workspace => SourceKind::Local,
            Vantage::Origin => SourceKind::Origin,
            Vantage::Edge | Vantage::ThirdParty => SourceKind::Edge,
        },
        Seen::RateLimit(_) => SourceKind::RateLimit,
        Seen::Project(_) => SourceKind::Project,
        Seen::Log(_) => SourceKind::Log,
        Seen::Tests(seen) => match seen.purpose {
            TestPurpose::AsDeclared => SourceKind::Tests,
            TestPurpose::Remedy { .. } => SourceKind::TestsRemedied,
        },
        Seen::Door(_) => SourceKind::Door,
    }
}

/// Why an outcome that is not present leaves a fact unknown.
pub(crate) fn why_absent<T>(outcome: &Observed<T>) -> Why {
    match outcome {
        Observed::Unasked(fault) => Why::from(fault),
        Observed::Silent(silence) => Why::TimedOut(silence.to_string()),
        Observed::Present(_) | Observed::Denied(_) => Why::Undecided(outcome.describe()),
    }
}
