//! What the engine saw on its way to a diagnosis, for those who write rules and worlds.

use std::collections::BTreeMap;

use landfall_evidence::Evidence;

use crate::catalogue::{Catalogue, Rung};
use crate::causes::rank;
use crate::facts::{Facts, Knowledge};

/// The inner state of one diagnosis.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Inspection {
    /// Every fact, by key and subject.
    pub facts: Vec<SeenFact>,
    /// The state of each rung, from registrar to dependency: `ok`, `broken`, `unknown` or `masked`.
    pub rungs: Vec<(Rung, &'static str)>,
}

/// A fact in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SeenFact {
    /// Its key: `http.outcome`.
    pub key: &'static str,
    /// Of whom it speaks; empty for the target as a whole.
    pub subject: String,
    /// What it says, or why that is not known.
    pub value: Result<String, String>,
    /// Whether a cause must account for it.
    pub symptom: bool,
    /// The accepted cause that does.
    pub explained_by: Option<String>,
}

impl Inspection {
    /// The first rung on which a request visibly breaks.
    pub fn first_broken(&self) -> Option<Rung> {
        self.rungs.iter().find(|(_, state)| *state == "broken").map(|(rung, _)| *rung)
    }
}

/// Looks into the diagnosis of this evidence.
pub fn inspect(evidence: &Evidence, catalogue: &Catalogue) -> Inspection {
    let facts = Facts::derive(evidence, catalogue);
    let ranking = rank(&facts, catalogue);
    let explained: BTreeMap<(&'static str, &str), &str> = ranking
        .explained
        .iter()
        .map(|((key, subject), cause)| ((key.name(), subject.as_str()), cause.as_str()))
        .collect();
    let seen = |fact: &crate::facts::Fact| SeenFact {
        key: fact.key.name(),
        subject: fact.subject.clone(),
        value: match &fact.value {
            Knowledge::Known(value) => Ok(value.to_string()),
            Knowledge::Unknown(why) => Err(why.to_string()),
        },
        symptom: fact.symptom,
        explained_by: explained.get(&(fact.key.name(), fact.subject.as_str())).map(|id| (*id).to_owned()),
    };
    Inspection {
        facts: facts.iter().map(seen).collect(),
        rungs: ranking.rungs.iter().map(|(rung, state)| (*rung, state.name())).collect(),
    }
}
