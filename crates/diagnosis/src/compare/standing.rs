//! How things stand by one judgement, in the form that two judgements can be compared in.

use std::collections::BTreeSet;

use jiff::Timestamp;
use landfall_evidence::ObservationId;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Label, Severity, Verdict};

/// How things stand by one judgement.
#[derive(Debug, Clone, PartialEq)]
pub struct Standing {
    /// What was audited: the production URL, else the target's name.
    pub target: String,
    /// When the evidence was collected.
    pub at: Timestamp,
    /// The overall answer.
    pub verdict: Verdict,
    /// The catalogue that judged.
    pub catalogue: String,
    /// Kinds of source that were asked and are not merely left out: `http/edge`, `tests/run`, as [`source`] gives them.
    pub asked: BTreeSet<String>,
    /// The causes named, most likely first.
    pub causes: Vec<StandingCause>,
    /// Findings that no cause explains.
    pub findings: Vec<StandingFinding>,
    /// What can change between two audits.
    pub facts: Vec<StandingFact>,
    /// Changes of start commands that the project's history tells.
    pub history: Vec<HistoricStart>,
}

/// A named cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingCause {
    /// Its id.
    pub id: String,
    /// What it claims.
    pub title: String,
    /// The rung where it lies.
    pub rung: String,
    /// How firmly it is held.
    pub label: Label,
    /// Observations behind what speaks for it.
    pub evidence: BTreeSet<ObservationId>,
    /// Their kinds of source.
    pub rests_on: BTreeSet<String>,
}

/// A finding that no cause explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingFinding {
    /// Its code.
    pub code: String,
    /// What is the case.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
    /// Kinds of source behind it.
    pub rests_on: BTreeSet<String>,
}

/// Something that can be otherwise the next time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StandingFact {
    /// What kind of thing.
    pub aspect: Aspect,
    /// Of whom.
    pub subject: String,
    /// What it is, in words that are equal when it is equal.
    pub value: String,
    /// Whether that is as it should be; `None` when it is neither good nor bad by itself.
    pub good: Option<bool>,
    /// The observations that show it.
    pub rests_on: Vec<ObservationId>,
}

/// A change of a start command in the history.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoricStart {
    /// The command before.
    pub before: Option<String>,
    /// The command after.
    pub after: Option<String>,
    /// Abbreviated commit.
    pub commit: String,
    /// First line of its message.
    pub subject: String,
    /// When.
    pub at: Option<Timestamp>,
}

macro_rules! aspects {
    ($($variant:ident $words:literal $generality:literal [$($rung:literal),*] $doc:literal,)*) => {
        /// Kinds of things that change.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "kebab-case")]
        pub enum Aspect { $(#[doc = $doc] $variant,)* }

        impl Aspect {
            /// For people, with the article.
            pub fn in_words(self) -> &'static str {
                match self { $(Self::$variant => $words,)* }
            }

            /// 0 for the most particular; a commit can hold anything.
            pub(super) fn generality(self) -> u8 {
                match self { $(Self::$variant => $generality,)* }
            }

            /// Whether a change of it can be why something on a rung broke.
            pub(super) fn bears_on(self, rung: &str) -> bool {
                let rungs: &[&str] = match self { $(Self::$variant => &[$($rung),*],)* };
                rungs.contains(&rung)
            }

            /// Whether it is something that people or machines set, and not merely what follows from it.
            pub(super) fn is_made(self) -> bool {
                let rungs: &[&str] = match self { $(Self::$variant => &[$($rung),*],)* };
                !rungs.is_empty()
            }
        }
    };
}

aspects! {
    Endpoint "the answer" 0 [] "Status and kind of an endpoint's answer, from one side.",
    Tests "the test run" 0 [] "How the tests end.",
    Trust "the trust in the certificate" 0 [] "Whether a root store trusts the chain and the name fits.",
    Certificate "the certificate" 0 ["tls", "edge"] "Issuer, serial number and validity of the leaf.",
    Addresses "the addresses" 1 ["registrar", "delegation", "zone", "resolver", "route", "tcp", "tls", "edge", "platform"] "Addresses of the public name, by family.",
    Nameservers "the nameservers" 1 ["registrar", "delegation", "zone", "resolver"] "The zone's nameservers.",
    Way "the way of a request" 2 ["tls", "edge", "edge-origin", "platform"] "Whose hops a request passes.",
    Build "the build served" 1 ["edge", "platform", "process", "app", "dependency"] "What an answer says of the build that gave it.",
    Start "the start command" 0 ["edge-origin", "platform", "process", "app", "project"] "The command that starts production.",
    Ports "the port map" 0 ["edge-origin", "platform", "process"] "Ports of the deploy configuration.",
    HealthPath "the platform's health path" 0 ["platform", "process"] "The path that the platform's own check asks.",
    Variables "the variables that the deploy configuration sets" 1 ["platform", "process", "app", "dependency"] "Names only.",
    SettingsRead "the settings that the code reads" 1 ["process", "app", "dependency", "project"] "Names only.",
    SettingsPresent "the settings that are present here" 1 ["process", "app", "dependency", "project"] "Names only.",
    Limiter "the rate limit" 0 ["rate-limit"] "Limit, window and hop.",
    Branch "the branch" 2 ["platform", "process", "app", "project"] "The branch checked out.",
    Unpushed "what is not committed or not pushed" 2 ["platform", "app", "project"] "Counts.",
    Commit "the commit checked out" 3 ["platform", "process", "app", "dependency", "project"] "The head of version control.",
}

/// The kind of source of an observation: the first two steps of its id, `http/edge`.
pub fn source(id: &ObservationId) -> String {
    let id = id.0.split('#').next().unwrap_or_default();
    id.splitn(3, '/').take(2).collect::<Vec<_>>().join("/")
}

impl Standing {
    /// Whether any of some kinds of source was asked.
    pub(super) fn asked_again(&self, sources: &BTreeSet<String>) -> bool {
        sources.is_empty() || sources.iter().any(|source| self.asked.contains(source))
    }

    /// Whether a thing would have been seen here if it were there. An answer needs the very question, which need not have
    /// been put although others of its kind were.
    pub(super) fn looked_for(&self, aspect: Aspect, by: &[ObservationId]) -> bool {
        let sources: BTreeSet<String> = by.iter().map(source).collect();
        match aspect {
            Aspect::Endpoint | Aspect::Build => false,
            _ => self.asked_again(&sources),
        }
    }

    /// The commit that made a change of the start command, in words.
    pub(super) fn made_by(&self, before: Option<&str>, after: Option<&str>) -> Option<String> {
        let change = self.history.iter().find(|change| {
            change.after.as_deref() == after && (before.is_none() || change.before.as_deref() == before)
        })?;
        let day = change.at.map(|at| format!(", {}", at.strftime("%Y-%m-%d"))).unwrap_or_default();
        Some(format!("in commit {} ({}){day}", change.commit, change.subject))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Rung;

    #[test]
    fn the_source_of_an_observation_is_the_beginning_of_its_id() {
        let of = |id: &str| source(&id.into());
        assert_eq!(of("http/edge/GET /health/HTTP/2/192.0.2.1"), "http/edge");
        assert_eq!(of("tests/run#2"), "tests/run");
        assert_eq!(of("rate-limit/edge"), "rate-limit/edge");
        assert_eq!(of("odd"), "odd");
    }

    #[test]
    fn aspects_bear_on_rungs_that_exist() {
        let all = [
            Aspect::Certificate,
            Aspect::Addresses,
            Aspect::Nameservers,
            Aspect::Way,
            Aspect::Build,
            Aspect::Start,
            Aspect::Ports,
            Aspect::HealthPath,
            Aspect::Variables,
            Aspect::SettingsRead,
            Aspect::SettingsPresent,
            Aspect::Limiter,
            Aspect::Branch,
            Aspect::Unpushed,
            Aspect::Commit,
        ];
        for aspect in all {
            assert!(Rung::ALL.iter().any(|rung| aspect.bears_on(rung.name())), "{aspect:?}");
            assert!(aspect.is_made());
        }
        assert!(!Aspect::Endpoint.is_made() && !Aspect::Tests.is_made());
        assert!(Aspect::Start.generality() < Aspect::Commit.generality());
    }
}
