//! From evidence to judgement: facts, signatures, causes, findings, path, readiness, actions, verification.
//!
//! Pure: no I/O, no clock, no randomness. The same evidence gives the same diagnosis, byte for byte.

#[cfg(test)]
mod acceptance;
mod actions;
mod agreement;
mod attribution;
#[cfg(test)]
mod captures_tests;
mod case;
mod catalogue;
mod causes;
mod claims;
mod compare;
mod components;
mod deploy_config;
mod diagnose;
mod explain;
mod facts;
pub mod fields;
mod findings;
mod inspect;
mod lines;
mod marker;
mod model;
mod owners;
mod path;
mod rate_limit;
mod readiness;
mod signatures;
mod specifications;
mod story;
#[cfg(test)]
mod testkit;
#[cfg(test)]
mod testworld;
mod thresholds;
mod unexplained;
mod verdict;
mod verification;
mod view;
mod watch;
mod words;

pub use agreement::{Agreement, OwnServers, agreement};
pub use catalogue::{Catalogue, CatalogueError, Discriminator, Fault, Layer, NotObservable, Rung, Sources};
pub use causes::{Hypothesis, Question, questions};
pub use claims::{ClaimError, Claims, Grade, GradedClaim, claims_json_schema, grade};
pub use compare::{
    Aspect, COMPARISON_SCHEMA, Change, ComparedFinding, Comparison, Direction, HistoricStart, NamedCause,
    NewCause, SameCause, Standing, StandingCause, StandingFact, StandingFinding, compare, source,
};
pub use diagnose::diagnose;
pub use explain::{Page, Section, explain};
pub use facts::is_near;
pub use findings::{FindingCode, finding_codes};
pub use inspect::{Inspection, SeenFact, inspect};
pub use lines::{LineRole, LogLine};
pub use model::*;
pub use owners::{Owner, OwnerRole};
pub use rate_limit::{Hit, LimitSettings, UseImpact, UseOutcome, UseRequest};
pub use signatures::{Meaning, Signature, SignatureHop};
pub use thresholds::{THRESHOLDS, Threshold};
pub use watch::{Answer, Answers, Leaf, Leaves, answers, leaves};
