//! Two judgements of one target, held against each other: what is gone, what is new, what changed, and which change
//! explains what is new.
//!
//! What was not asked the second time is neither mended nor broken: it is *not seen now*. A change explains a new cause
//! when it is one that somebody makes (a record, a certificate, a start command, a commit) and bears on the rung where the
//! cause lies; among those, a change that the cause's own evidence rests on comes first, and the particular before the
//! general. Where no such change was observed, that is said, and nothing is made up.

mod standing;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

pub use standing::{Aspect, HistoricStart, Standing, StandingCause, StandingFact, StandingFinding, source};

use crate::{Label, Severity, Verdict};

/// The schema of a comparison as JSON.
pub const COMPARISON_SCHEMA: &str = "landfall.comparison/1";

/// Changes that are shown as an explanation of one cause at most.
const MOST_REASONS: usize = 3;

/// Two judgements held against each other.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Comparison {
    /// [`COMPARISON_SCHEMA`].
    pub schema: String,
    /// What was audited, by the later judgement.
    pub target: String,
    /// When the earlier evidence was collected.
    pub old_at: Timestamp,
    /// When the later evidence was collected.
    pub new_at: Timestamp,
    /// What speaks against comparing the two at all, in words: other targets, the wrong order.
    pub reservations: Vec<String>,
    /// The verdict before.
    pub old_verdict: Verdict,
    /// The verdict now.
    pub new_verdict: Verdict,
    /// Whether anything is worse: a new cause, a worse verdict, a new finding of weight, or something seen good before and
    /// bad now.
    pub worse: bool,
    /// Causes that are named now and were not before.
    pub new_causes: Vec<NewCause>,
    /// Causes that were named before and, although what they rest on was asked again, are not now.
    pub fixed_causes: Vec<NamedCause>,
    /// Causes that were named before and rest on nothing that was asked this time.
    pub unseen_causes: Vec<NamedCause>,
    /// Causes that are named in both.
    pub same_causes: Vec<SameCause>,
    /// Findings without a cause that are new.
    pub new_findings: Vec<ComparedFinding>,
    /// Findings without a cause that are gone, although what they rest on was asked again.
    pub gone_findings: Vec<ComparedFinding>,
    /// What is otherwise than before.
    pub changes: Vec<Change>,
    /// What was seen before and not this time, by its subject.
    pub not_seen_now: Vec<String>,
}

impl Comparison {
    /// The JSON Schema of a comparison, as checked in at `docs/schema/comparison.json`.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }
}

/// A cause by its name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedCause {
    /// Its id.
    pub id: String,
    /// What it claims.
    pub title: String,
    /// How firmly it is, or was, held.
    pub label: Label,
}

/// A cause that is new, with what explains it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NewCause {
    /// The cause.
    #[serde(flatten)]
    pub cause: NamedCause,
    /// Positions in [`Comparison::changes`] of the changes that explain it, the best first; empty when none was observed.
    pub because: Vec<usize>,
    /// Positions in [`Comparison::changes`] of what is worse and that its evidence rests on.
    pub shows_in: Vec<usize>,
    /// The same in words.
    pub say: String,
}

/// A cause that is named in both.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SameCause {
    /// The cause as it stands now.
    #[serde(flatten)]
    pub cause: NamedCause,
    /// How firmly it was held before.
    pub label_before: Label,
}

/// A finding that is on one side only.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ComparedFinding {
    /// Its code.
    pub code: String,
    /// What is the case.
    pub title: String,
    /// How bad it is.
    pub severity: Severity,
}

/// Something that is otherwise than before.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Change {
    /// What kind of thing.
    pub aspect: Aspect,
    /// Of whom, for people: "GET /health at the edge".
    pub subject: String,
    /// What it was; `None` when it was not there or not seen.
    pub before: Option<String>,
    /// What it is; `None` when it is not there.
    pub after: Option<String>,
    /// Whether that is for the better or the worse.
    pub direction: Direction,
    /// Where the change was made, when the history tells: "in commit 7fb83ca (Bind the port), 2025-11-15".
    pub made: Option<String>,
}

/// Which way something changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Direction {
    /// It was bad and is good.
    Better,
    /// It was good and is bad.
    Worse,
    /// It is otherwise, and that alone is neither.
    Neither,
}

/// Holds two judgements against each other. Pure: the same two give the same comparison.
pub fn compare(old: &Standing, new: &Standing) -> Comparison {
    let (changes, not_seen_now) = changes(old, new);
    let before: BTreeMap<&str, &StandingCause> = old.causes.iter().map(|c| (c.id.as_str(), c)).collect();
    let now: BTreeSet<&str> = new.causes.iter().map(|c| c.id.as_str()).collect();
    let gone = |seen: bool| -> Vec<NamedCause> {
        let lost = old.causes.iter().filter(|c| !now.contains(c.id.as_str()));
        lost.filter(|c| new.asked_again(&c.rests_on) == seen).map(NamedCause::of).collect()
    };
    let new_causes: Vec<NewCause> = new
        .causes
        .iter()
        .filter(|cause| !before.contains_key(cause.id.as_str()))
        .map(|cause| explained(cause, new, &changes))
        .collect();
    let only = |side: &Standing, other: &Standing| -> Vec<ComparedFinding> {
        let alone = side.findings.iter().filter(|f| other.findings.iter().all(|o| o.code != f.code));
        // Neither a look that was not taken before makes a finding new, nor one that is not taken now makes it gone.
        alone.filter(|f| other.asked_again(&f.rests_on)).map(ComparedFinding::of).collect()
    };
    let new_findings = only(new, old);
    let worse_verdict = matches!((rank(old.verdict), rank(new.verdict)), (Some(old), Some(new)) if new > old);
    Comparison {
        schema: COMPARISON_SCHEMA.to_owned(),
        target: new.target.clone(),
        old_at: old.at,
        new_at: new.at,
        reservations: reservations(old, new),
        old_verdict: old.verdict,
        new_verdict: new.verdict,
        worse: worse_verdict
            || !new_causes.is_empty()
            || new_findings.iter().any(|f| f.severity >= Severity::Medium)
            || changes.iter().any(|change| change.direction == Direction::Worse),
        new_causes,
        fixed_causes: gone(true),
        unseen_causes: gone(false),
        same_causes: new
            .causes
            .iter()
            .filter_map(|cause| {
                let label_before = before.get(cause.id.as_str())?.label;
                Some(SameCause { cause: NamedCause::of(cause), label_before })
            })
            .collect(),
        gone_findings: only(old, new),
        new_findings,
        changes,
        not_seen_now,
    }
}

/// How bad a verdict is; not knowing has no place among them.
fn rank(verdict: Verdict) -> Option<u8> {
    match verdict {
        Verdict::Live => Some(0),
        Verdict::Degraded => Some(1),
        Verdict::NotLive => Some(2),
        Verdict::Unknown => None,
    }
}

fn reservations(old: &Standing, new: &Standing) -> Vec<String> {
    let mut list = Vec::new();
    if old.target != new.target {
        list.push(format!("the two are audits of different targets: {} and {}", old.target, new.target));
    }
    if old.at > new.at {
        list.push("the first file is the later one; give the earlier one first".to_owned());
    }
    if old.catalogue != new.catalogue {
        list.push(
            "the two were judged by different catalogues, so a cause may be new to the catalogue only; compare evidence \
             files to judge both by this one"
                .to_owned(),
        );
    }
    list
}

fn changes(old: &Standing, new: &Standing) -> (Vec<Change>, Vec<String>) {
    let index = |side: &Standing| -> BTreeMap<(Aspect, String), StandingFact> {
        side.facts.iter().map(|f| ((f.aspect, f.subject.clone()), f.clone())).collect()
    };
    let (before, after) = (index(old), index(new));
    let mut changes = Vec::new();
    let mut not_seen = Vec::new();
    let keys: BTreeSet<&(Aspect, String)> = before.keys().chain(after.keys()).collect();
    for key in keys {
        let (was, is) = (before.get(key), after.get(key));
        let (aspect, subject) = key;
        match (was, is) {
            (Some(was), None) if !new.looked_for(*aspect, &was.rests_on) => {
                not_seen.push(format!("{}: {subject}", aspect.in_words()));
                continue;
            }
            // Not looked at before: what is there now need not be new.
            (None, Some(is)) if !old.looked_for(*aspect, &is.rests_on) => continue,
            _ => {}
        }
        let (value_before, value_after) = (was.map(|f| f.value.clone()), is.map(|f| f.value.clone()));
        if value_before == value_after {
            continue;
        }
        let direction = match (was.and_then(|f| f.good), is.and_then(|f| f.good)) {
            (Some(false), Some(true)) => Direction::Better,
            (Some(true), Some(false)) => Direction::Worse,
            _ => Direction::Neither,
        };
        let made = (*aspect == Aspect::Start)
            .then(|| new.made_by(value_before.as_deref(), value_after.as_deref()))
            .flatten();
        changes.push(Change {
            aspect: *aspect,
            subject: subject.clone(),
            before: value_before,
            after: value_after,
            direction,
            made,
        });
    }
    (changes, not_seen)
}

fn explained(cause: &StandingCause, new: &Standing, changes: &[Change]) -> NewCause {
    let rests = |change: &Change| {
        let fact = new.facts.iter().find(|f| f.aspect == change.aspect && f.subject == change.subject);
        fact.is_some_and(|fact| fact.rests_on.iter().any(|id| cause.evidence.contains(id)))
    };
    let mut reasons: Vec<(bool, u8, usize)> = changes
        .iter()
        .enumerate()
        .filter(|(_, change)| change.aspect.bears_on(&cause.rung))
        .map(|(at, change)| (!rests(change), change.aspect.generality(), at))
        .collect();
    reasons.sort_unstable();
    let because: Vec<usize> = reasons.into_iter().map(|(_, _, at)| at).take(MOST_REASONS).collect();
    let shows_in: Vec<usize> = changes
        .iter()
        .enumerate()
        .filter(|(_, change)| {
            change.direction == Direction::Worse && !change.aspect.is_made() && rests(change)
        })
        .map(|(at, _)| at)
        .collect();
    let effect = match shows_in.as_slice() {
        [] => None,
        [one] => Some(changes[*one].in_words()),
        [one, rest @ ..] => Some(format!("{}, and {} more like it", changes[*one].in_words(), rest.len())),
    };
    let say = match (because.first(), effect) {
        (Some(first), Some(effect)) => format!("{}; since then {effect}", changes[*first].in_words()),
        (Some(first), None) => format!("{}; it is named since then", changes[*first].in_words()),
        (None, Some(effect)) => format!("{effect}; no change that would explain it was observed"),
        (None, None) => "no change that would explain it was observed".to_owned(),
    };
    NewCause { cause: NamedCause::of(cause), because, shows_in, say }
}

impl NamedCause {
    fn of(cause: &StandingCause) -> Self {
        Self { id: cause.id.clone(), title: cause.title.clone(), label: cause.label }
    }
}

impl ComparedFinding {
    fn of(finding: &StandingFinding) -> Self {
        Self { code: finding.code.clone(), title: finding.title.clone(), severity: finding.severity }
    }
}

impl Change {
    /// The change as a clause: "the start command of .replit changed from … to … in commit …".
    pub fn in_words(&self) -> String {
        let what = format!("{} ({})", self.aspect.in_words(), self.subject);
        let what = if self.subject.is_empty() { self.aspect.in_words().to_owned() } else { what };
        let made = self.made.as_ref().map(|made| format!(" {made}")).unwrap_or_default();
        match (&self.before, &self.after) {
            (Some(before), Some(after)) => format!("{what} changed from {before} to {after}{made}"),
            (None, Some(after)) => format!("{what} is new: {after}{made}"),
            (Some(before), None) => format!("{what} is gone, it was {before}{made}"),
            (None, None) => what,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn standing(at: &str) -> Standing {
        Standing {
            target: "https://api.example.test".to_owned(),
            at: at.parse().expect("a time"),
            verdict: Verdict::Live,
            catalogue: "c".to_owned(),
            asked: ["http/edge", "project/read", "tls/edge"].map(str::to_owned).into(),
            causes: Vec::new(),
            findings: Vec::new(),
            facts: vec![
                fact(Aspect::Endpoint, "GET /health at the edge", "200", Some(true), "http/edge/GET /health"),
                fact(Aspect::Start, ".replit", "gunicorn --bind 0.0.0.0:5000 run:app", None, "project/read"),
                fact(Aspect::Commit, "", "1328493", None, "project/read"),
                fact(
                    Aspect::Certificate,
                    "the edge",
                    "R11, until 2027-01-01",
                    None,
                    "tls/edge/192.0.2.1:443",
                ),
            ],
            history: Vec::new(),
        }
    }

    fn fact(aspect: Aspect, subject: &str, value: &str, good: Option<bool>, id: &str) -> StandingFact {
        StandingFact {
            aspect,
            subject: subject.to_owned(),
            value: value.to_owned(),
            good,
            rests_on: vec![id.into()],
        }
    }

    fn cause(id: &str, rung: &str, evidence: &[&str]) -> StandingCause {
        StandingCause {
            id: id.to_owned(),
            title: format!("it is {id}"),
            rung: rung.to_owned(),
            label: Label::Likely,
            evidence: evidence.iter().map(|id| (*id).into()).collect(),
            rests_on: evidence.iter().map(|id| standing::source(&(*id).into())).collect(),
        }
    }

    fn set(standing: &mut Standing, aspect: Aspect, value: &str, good: Option<bool>) {
        let fact = standing.facts.iter_mut().find(|f| f.aspect == aspect).expect("there");
        (fact.value, fact.good) = (value.to_owned(), good);
    }

    #[test]
    fn nothing_changed_is_nothing_worse() {
        let same = compare(&standing("2026-01-01T00:00:00Z"), &standing("2026-01-02T00:00:00Z"));
        assert!(!same.worse);
        assert!(same.changes.is_empty() && same.new_causes.is_empty() && same.reservations.is_empty());
    }

    #[test]
    fn a_new_cause_is_explained_by_the_change_that_it_rests_on() {
        let old = standing("2026-01-01T00:00:00Z");
        let mut new = standing("2026-01-02T00:00:00Z");
        new.verdict = Verdict::NotLive;
        set(&mut new, Aspect::Endpoint, "502", Some(false));
        set(&mut new, Aspect::Start, "gunicorn --bind 127.0.0.1:5000 run:app", None);
        set(&mut new, Aspect::Commit, "7fb83ca", None);
        set(&mut new, Aspect::Certificate, "R12, until 2027-04-01", None);
        new.history.push(HistoricStart {
            before: Some("gunicorn --bind 0.0.0.0:5000 run:app".to_owned()),
            after: Some("gunicorn --bind 127.0.0.1:5000 run:app".to_owned()),
            commit: "7fb83ca".to_owned(),
            subject: "Listen on this machine".to_owned(),
            at: Some("2026-01-01T12:00:00Z".parse().expect("a time")),
        });
        new.causes.push(cause("bind-loopback-only", "process", &["http/edge/GET /health", "project/read"]));
        let found = compare(&old, &new);
        assert!(found.worse);
        let [named] = found.new_causes.as_slice() else { panic!("{found:?}") };
        assert_eq!(
            named.say,
            "the start command (.replit) changed from gunicorn --bind 0.0.0.0:5000 run:app to gunicorn --bind \
             127.0.0.1:5000 run:app in commit 7fb83ca (Listen on this machine), 2026-01-01; since then the answer (GET \
             /health at the edge) changed from 200 to 502"
        );
        let aspects: Vec<Aspect> = named.because.iter().map(|at| found.changes[*at].aspect).collect();
        assert_eq!(aspects, [Aspect::Start, Aspect::Commit], "the certificate does not bear on a process");
    }

    #[test]
    fn where_no_change_explains_it_none_is_made_up() {
        let old = standing("2026-01-01T00:00:00Z");
        let mut new = standing("2026-01-02T00:00:00Z");
        set(&mut new, Aspect::Endpoint, "502", Some(false));
        new.causes.push(cause("process-crash-loop", "process", &["http/edge/GET /health"]));
        let found = compare(&old, &new);
        assert!(found.new_causes[0].because.is_empty());
        assert_eq!(
            found.new_causes[0].say,
            "the answer (GET /health at the edge) changed from 200 to 502; no change that would explain it was observed"
        );
    }

    #[test]
    fn a_cause_is_gone_only_where_its_place_was_asked_again() {
        let mut old = standing("2026-01-01T00:00:00Z");
        old.causes.push(cause("tests-not-run", "project", &["tests/run"]));
        old.causes.push(cause("never-deployed", "platform", &["http/edge/GET /health"]));
        let found = compare(&old, &standing("2026-01-02T00:00:00Z"));
        assert_eq!(found.fixed_causes.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["never-deployed"]);
        assert_eq!(found.unseen_causes.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ["tests-not-run"]);
        assert!(!found.worse);
    }

    #[test]
    fn what_was_not_asked_is_neither_new_nor_gone() {
        let old = standing("2026-01-01T00:00:00Z");
        let mut new = standing("2026-01-02T00:00:00Z");
        new.asked = ["http/edge".to_owned()].into();
        new.facts.retain(|f| f.aspect == Aspect::Endpoint);
        let found = compare(&old, &new);
        assert!(found.changes.is_empty(), "{:?}", found.changes);
        assert_eq!(found.not_seen_now.len(), 3);
        assert!(!found.worse);
        let back = compare(&new, &old);
        assert!(back.changes.is_empty(), "seen for the first time is not new");
    }

    #[test]
    fn other_targets_and_the_wrong_order_are_said() {
        let mut other = standing("2025-01-01T00:00:00Z");
        other.target = "https://www.example.test".to_owned();
        let found = compare(&standing("2026-01-01T00:00:00Z"), &other);
        assert_eq!(found.reservations.len(), 2);
        assert!(found.reservations[1].contains("give the earlier one first"));
    }

    #[test]
    fn a_verdict_that_is_not_known_is_not_worse() {
        let mut new = standing("2026-01-02T00:00:00Z");
        new.verdict = Verdict::Unknown;
        assert!(!compare(&standing("2026-01-01T00:00:00Z"), &new).worse);
        new.verdict = Verdict::Degraded;
        assert!(compare(&standing("2026-01-01T00:00:00Z"), &new).worse);
    }
}
