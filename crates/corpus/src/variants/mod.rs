//! The same world, seen otherwise.
//!
//! A variant keeps the truth of its world and changes what a diagnosis should not hang on: headers that say nothing,
//! versions of a server, the name and address of the target, the brand of a proxy whose page says the same, how long
//! things took within their class, the day, the order of observations. Others take evidence away, as an audit that had
//! less luck, less time or no access would have less. All are pure, and the same in every run: a variant's random numbers
//! come from the world's name and the variant's number.

mod brand;
mod evidence_lost;
mod headers;
mod names;
mod prng;
mod time;

use landfall_evidence::{Evidence, Seen, Vantage};

use crate::case::{Case, Permission};
use prng::Prng;

/// Observations left out one by one, at most, in a world where something is broken.
const ONE_BY_ONE: usize = 6;
/// The same in a healthy world, where what matters is that nothing is ever named.
const ONE_BY_ONE_HEALTHY: usize = 12;

/// What a variant leaves of the evidence, and so what may be expected of a diagnosis of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// As recorded.
    Recorded,
    /// All of it, changed in what does not matter.
    Same,
    /// Without the project, the local backend and logs.
    Outside,
    /// Without anything of production.
    Inside,
    /// Without a tenth of the observations, taken at random.
    Tenth,
    /// Without one observation.
    One,
}

impl Kind {
    /// Its name in tables.
    pub fn name(self) -> &'static str {
        match self {
            Self::Recorded => "recorded",
            Self::Same => "same",
            Self::Outside => "outside",
            Self::Inside => "inside",
            Self::Tenth => "tenth",
            Self::One => "one",
        }
    }
}

/// One variant of a world, not made yet.
#[derive(Debug, Clone)]
pub struct Variant {
    /// Unique in its world: `noise-1`, `without http/edge/GET /health`.
    pub name: String,
    /// What it leaves.
    pub kind: Kind,
    change: Change,
}

#[derive(Debug, Clone, Copy)]
enum Change {
    Nothing,
    Noise(u64),
    Versions(u64),
    Hosts,
    Addresses,
    Brand(usize),
    Timing(u64),
    Day(u64),
    Order(u64),
    Status,
    Outside,
    Inside,
    Tenth(u64),
    One(usize),
}

/// The variants of a world, the recording itself first. Some of them may turn out not to apply ([`Variant::make`]).
pub fn variants(case: &Case) -> Vec<Variant> {
    let same = |name: &str, change| Variant { name: name.to_owned(), kind: Kind::Same, change };
    let mut list = vec![
        Variant { name: "recorded".to_owned(), kind: Kind::Recorded, change: Change::Nothing },
        same("versions", Change::Versions(1)),
        same("other-host", Change::Hosts),
        same("other-address", Change::Addresses),
        same("other-day", Change::Day(1)),
    ];
    // In a healthy world each of these is another chance to name something by mistake.
    for seed in 1..=if case.truth.is_healthy() { 3 } else { 1 } {
        list.push(same(&format!("noise-{seed}"), Change::Noise(seed)));
        list.push(same(&format!("timing-{seed}"), Change::Timing(seed)));
        list.push(same(&format!("order-{seed}"), Change::Order(seed)));
    }
    list.extend(
        brand::applicable(&case.evidence)
            .map(|at| same(&format!("brand-{}", brand::name(at)), Change::Brand(at))),
    );
    if case.truth.variants.contains(&Permission::Status) {
        list.push(same("status", Change::Status));
    }
    if case.truth.inside {
        list.push(Variant { name: "outside-only".to_owned(), kind: Kind::Outside, change: Change::Outside });
        list.push(Variant { name: "inside-only".to_owned(), kind: Kind::Inside, change: Change::Inside });
    }
    for seed in 1..=3 {
        list.push(Variant { name: format!("tenth-{seed}"), kind: Kind::Tenth, change: Change::Tenth(seed) });
    }
    let most = if case.truth.is_healthy() { ONE_BY_ONE_HEALTHY } else { ONE_BY_ONE };
    let observations = &case.evidence.observations;
    for at in Prng::new(&case.name, 77).positions(most, observations.len()) {
        let name = format!("without {}", observations[at].id);
        list.push(Variant { name, kind: Kind::One, change: Change::One(at) });
    }
    list
}

impl Variant {
    /// The variant's evidence; `None` where the world has nothing that it would change.
    pub fn make(&self, case: &Case) -> Option<Evidence> {
        let evidence = &case.evidence;
        let prng = |number| Prng::new(&case.name, number);
        match self.change {
            Change::Nothing => Some(evidence.clone()),
            Change::Noise(seed) => headers::noise(evidence, &mut prng(100 + seed)),
            Change::Versions(seed) => names::versions(evidence, &mut prng(200 + seed)),
            Change::Hosts => names::hosts(evidence),
            Change::Addresses => names::addresses(evidence),
            Change::Brand(at) => brand::apply(evidence, at),
            Change::Timing(seed) => Some(time::timing(evidence, &mut prng(300 + seed))),
            Change::Day(seed) => time::day(evidence, &mut prng(400 + seed)),
            Change::Order(seed) => {
                let mut other = evidence.clone();
                prng(500 + seed).shuffle(&mut other.observations);
                Some(other)
            }
            Change::Status => brand::status(evidence),
            Change::Outside => evidence_lost::outside_only(evidence),
            Change::Inside => evidence_lost::inside_only(evidence),
            Change::Tenth(seed) => Some(evidence_lost::without_a_tenth(evidence, &mut prng(600 + seed))),
            Change::One(at) => Some(evidence_lost::without(evidence, &[at])),
        }
    }
}

/// Whether an observation is of the project, the local backend or a log, which an outsider has not.
pub(crate) fn is_inside(observation: &landfall_evidence::Observation) -> bool {
    matches!(observation.vantage, Vantage::Workspace | Vantage::Local)
        || matches!(observation.seen, Seen::Project(_) | Seen::Tests(_))
}

/// The evidence after a change of its text. Text is the one place where a name stands everywhere at once: in URLs, records,
/// certificates, headers, bodies, commands, and in fields that this crate does not know.
fn rewritten(evidence: &Evidence, rewrite: impl FnOnce(String) -> String) -> Option<Evidence> {
    let before =
        serde_json::to_string(evidence).expect("evidence has string keys only, so it always serialises");
    let after = rewrite(before.clone());
    if after == before {
        return None;
    }
    // A rewriting that no longer reads as evidence is a fault of ours, and then there is no such variant.
    serde_json::from_str(&after).ok()
}

#[cfg(test)]
pub(crate) mod testkit {
    use super::*;
    use crate::case::{Half, Truth};

    /// A recorded world whose host and addresses are those of a recipe.
    pub(crate) fn case() -> Case {
        let text = include_str!("../../../../scenarios/levqor-undeployed/evidence.json");
        Case {
            name: "platform/levqor-undeployed".to_owned(),
            layer: "platform".to_owned(),
            title: "nothing is deployed".to_owned(),
            path: std::path::PathBuf::new(),
            truth: Truth {
                causes: vec!["never-deployed".to_owned(), "tests-cannot-import-project".to_owned()],
                rivals: Vec::new(),
                never: vec!["domain-not-attached".to_owned()],
                broken: Some(landfall_diagnosis::Rung::Platform),
                half: Half::Tuned,
                inside: true,
                visible: true,
                variants: Vec::new(),
            },
            evidence: Evidence::from_json(text).expect("evidence of this version"),
        }
    }

    /// A recorded world where all is well.
    pub(crate) fn healthy() -> Case {
        let text = include_str!("../../../../scenarios/levqor-deployed/evidence.json");
        let mut case = case();
        case.name = "healthy/levqor-deployed".to_owned();
        case.layer = "healthy".to_owned();
        case.title = "all is well".to_owned();
        case.truth.causes.clear();
        case.truth.never.clear();
        case.truth.broken = None;
        case.evidence = Evidence::from_json(text).expect("evidence of this version");
        case
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use landfall_diagnosis::{Catalogue, diagnose};

    use super::*;

    #[test]
    fn every_variant_is_the_same_in_every_run_and_unlike_the_recording() {
        let case = testkit::case();
        let mut names = BTreeSet::new();
        for variant in variants(&case) {
            assert!(names.insert(variant.name.clone()), "{} twice", variant.name);
            let once = variant.make(&case);
            assert_eq!(once, variant.make(&case), "{}", variant.name);
            let Some(once) = once else { continue };
            assert_eq!(once == case.evidence, variant.kind == Kind::Recorded, "{}", variant.name);
        }
        assert!(names.len() > 15, "{names:?}");
        assert!(variants(&testkit::healthy()).len() > 25, "a healthy world has more of them");
    }

    #[test]
    fn variants_that_keep_the_meaning_keep_the_diagnosis_of_a_plain_world() {
        let case = testkit::case();
        let named = |evidence: &Evidence| {
            let diagnosis = diagnose(evidence, Catalogue::embedded());
            diagnosis.causes.iter().map(|c| (c.id.clone(), c.label)).collect::<Vec<_>>()
        };
        let before = named(&case.evidence);
        assert!(before.iter().any(|(id, _)| id == "never-deployed"), "{before:?}");
        for variant in variants(&case).iter().filter(|v| v.kind == Kind::Same) {
            if let Some(evidence) = variant.make(&case) {
                assert_eq!(named(&evidence), before, "{}", variant.name);
            }
        }
    }
}
