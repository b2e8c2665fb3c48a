//! The score of one hypothesis: a prior and the sum over its evidence groups, in integer decibans.

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::ObservationId;

use super::condition::Truth;
use super::hypothesis::{Evidence, Hypothesis};
use super::template;
use crate::Argument;
use crate::facts::{Fact, FactKey, Facts, SourceKind};

/// What one observation can give at most.
const OBSERVATION_CAP_DB: i32 = 20;
/// What one kind of source can give at most.
const SOURCE_CAP_DB: i32 = 30;

/// Names a fact: its key and subject.
pub(crate) type FactId = (FactKey, String);

/// A hypothesis weighed against the facts.
#[derive(Debug, Clone)]
pub(super) struct Scored {
    pub(super) score_db: i32,
    pub(super) evidence_for: Vec<Argument>,
    pub(super) against: Vec<Argument>,
    pub(super) not_known: Vec<String>,
    /// Kinds of source behind what speaks for it.
    pub(super) kinds: BTreeSet<SourceKind>,
    /// For each look-alike that evidence of this hypothesis tells apart: whether any of that evidence was seen. Its mere
    /// absence does not tell the two apart; where it does, the files have a rule of its own for it.
    pub(super) separated: BTreeMap<String, bool>,
    /// Look-alikes against which something that was seen speaks for this one, with what it says.
    pub(super) beats: BTreeMap<String, String>,
    /// Look-alikes for which something that was seen speaks against this one, with what it says.
    pub(super) loses_to: BTreeMap<String, String>,
}

struct Item<'a> {
    rule: &'a Evidence,
    by: Vec<&'a Fact>,
}

/// Weighs a hypothesis. What rests only on symptoms that an accepted cause has taken gives nothing for it.
pub(super) fn score(hypothesis: &Hypothesis, facts: &Facts, taken: &BTreeMap<FactId, String>) -> Scored {
    let mut best: BTreeMap<(&str, bool), Item<'_>> = BTreeMap::new();
    let mut not_known = Vec::new();
    let mut separated: BTreeMap<String, bool> = BTreeMap::new();
    let (mut beats, mut loses_to) = (BTreeMap::new(), BTreeMap::new());
    for rule in &hypothesis.evidence {
        let truth = rule.condition.ask(facts);
        if let Truth::True(by) = &truth
            && !(rule.weight_db > 0 && is_taken(by, taken))
        {
            let side = if rule.weight_db > 0 { &mut beats } else { &mut loses_to };
            for other in &rule.separates {
                side.entry(other.clone()).or_insert_with(|| template::fill(&rule.say, facts, by));
            }
        }
        for other in &rule.separates {
            *separated.entry(other.clone()).or_default() |= matches!(truth, Truth::True(_));
        }
        match truth {
            Truth::True(by) => {
                if rule.weight_db > 0 && is_taken(&by, taken) {
                    continue;
                }
                let slot = (rule.group.as_str(), rule.weight_db > 0);
                if best.get(&slot).is_none_or(|so_far| rule.weight_db.abs() > so_far.rule.weight_db.abs()) {
                    best.insert(slot, Item { rule, by });
                }
            }
            Truth::False(_) => {}
            Truth::Unknown(reasons) => {
                if let Some(open) = &rule.open {
                    let reasons: Vec<String> = reasons.into_iter().collect();
                    let line = format!("{}: {}", template::fill(open, facts, &[]), reasons.join("; "));
                    if !not_known.contains(&line) {
                        not_known.push(line);
                    }
                }
            }
        }
    }
    let (evidence_for, against): (Vec<_>, Vec<_>) =
        best.into_values().partition(|item| item.rule.weight_db > 0);
    let kinds = evidence_for.iter().flat_map(|item| kinds_of(item, facts)).collect();
    let score_db = hypothesis.prior_db + capped(&evidence_for, facts) - capped(&against, facts);
    Scored {
        score_db,
        evidence_for: arguments(&evidence_for, facts),
        against: arguments(&against, facts),
        not_known,
        kinds,
        separated,
        beats,
        loses_to,
    }
}

fn is_taken(by: &[&Fact], taken: &BTreeMap<FactId, String>) -> bool {
    let mut symptoms = by.iter().filter(|fact| fact.symptom).peekable();
    symptoms.peek().is_some() && symptoms.all(|fact| taken.contains_key(&(fact.key, fact.subject.clone())))
}

fn observations(item: &Item<'_>) -> BTreeSet<ObservationId> {
    item.by.iter().flat_map(|fact| fact.evidence.iter().cloned()).collect()
}

fn kinds_of(item: &Item<'_>, facts: &Facts) -> BTreeSet<SourceKind> {
    observations(item).iter().filter_map(|id| facts.source(id)).collect()
}

/// The sum of absolute weights under both caps. Items that rest on the very same observations share one observation's
/// cap; items that rest on one kind of source alone share that kind's.
fn capped(items: &[Item<'_>], facts: &Facts) -> i32 {
    let mut by_observation: BTreeMap<BTreeSet<ObservationId>, (BTreeSet<SourceKind>, i32)> = BTreeMap::new();
    for item in items {
        let slot = by_observation.entry(observations(item)).or_insert_with(|| (kinds_of(item, facts), 0));
        slot.1 = (slot.1 + item.rule.weight_db.abs()).min(OBSERVATION_CAP_DB);
    }
    let mut by_kind: BTreeMap<BTreeSet<SourceKind>, i32> = BTreeMap::new();
    for (kinds, weight) in by_observation.into_values() {
        *by_kind.entry(kinds).or_default() += weight;
    }
    by_kind
        .into_iter()
        .map(|(kinds, weight)| if kinds.len() == 1 { weight.min(SOURCE_CAP_DB) } else { weight })
        .sum()
}

fn arguments(items: &[Item<'_>], facts: &Facts) -> Vec<Argument> {
    let mut arguments: Vec<Argument> = items
        .iter()
        .map(|item| Argument {
            say: template::fill(&item.rule.say, facts, &item.by),
            weight_db: item.rule.weight_db,
            evidence: observations(item).into_iter().collect(),
        })
        .collect();
    arguments.sort_by_key(|argument| (-argument.weight_db.abs(), argument.say.clone()));
    arguments
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{Purpose, Vantage};

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::causes::read_hypotheses;
    use crate::testkit::{World, response};

    /// Facts that know three observations: two of the edge, one of the origin.
    fn facts() -> Facts {
        let mut world = World::new("https://api.example.test");
        for (vantage, path) in [(Vantage::Edge, "/a"), (Vantage::Edge, "/b"), (Vantage::Origin, "/a")] {
            world.http(vantage, Purpose::RateLimit, path, response(200).build());
        }
        Facts::derive(&world.build(), Catalogue::embedded())
    }

    fn weigh(items: &str, facts: &Facts, taken: &BTreeMap<FactId, String>) -> Scored {
        let text = format!(
            "[[hypothesis]]\nid = \"port-refused\"\nprior = \"usual\"\nexplains = [\"tcp.state\"]\nevidence = [{items}]\nverify = [\"v\"]\nremedy.generic = [\"r\"]\n"
        );
        let faults = Catalogue::embedded().faults().map(|f| (f.id.clone(), f.clone())).collect();
        let mut errors = Vec::new();
        let hypotheses = read_hypotheses(&[("test.toml", &text)], &faults, &mut errors);
        assert!(errors.is_empty(), "{errors:?}");
        score(&hypotheses["port-refused"], facts, taken)
    }

    fn item(group: &str, key: &str, word: &str, weight: &str) -> String {
        format!(
            "{{ group = \"{group}\", if = {{ fact = \"{key}\", is = \"{word}\" }}, weight = \"{weight}\", say = \"{group} {weight}\" }}, "
        )
    }

    const EDGE_A: &str = "http/edge/RateLimit /a";
    const EDGE_B: &str = "http/edge/RateLimit /b";
    const ORIGIN_A: &str = "http/origin/RateLimit /a";

    #[test]
    fn a_group_counts_its_strongest_item_for_each_sign() {
        let mut facts = facts();
        facts.known(FactKey::ConfigServer, "", "gunicorn", [EDGE_A.into()]);
        facts.known(FactKey::ConfigBind, "", "here", [EDGE_B.into()]);
        let both =
            item("g", "config.server", "gunicorn", "weak") + &item("g", "config.bind", "here", "strong");
        let scored = weigh(&both, &facts, &BTreeMap::new());
        assert_eq!(scored.score_db, -10 + 10);
        assert_eq!(scored.evidence_for.len(), 1);
        let mixed = both + &item("g", "config.server", "gunicorn", "-medium");
        assert_eq!(weigh(&mixed, &facts, &BTreeMap::new()).score_db, -10 + 10 - 5);
    }

    #[test]
    fn one_observation_and_one_kind_of_source_give_only_so_much() {
        let mut facts = facts();
        facts.known(FactKey::ConfigServer, "", "x", [EDGE_A.into()]);
        facts.known(FactKey::ConfigBind, "", "x", [EDGE_A.into()]);
        facts.known(FactKey::ConfigPort, "", "x", [EDGE_B.into()]);
        facts.known(FactKey::ConfigStart, "", "x", [ORIGIN_A.into()]);
        let a = item("a", "config.server", "x", "decisive");
        let b = item("b", "config.bind", "x", "decisive");
        let c = item("c", "config.port", "x", "decisive");
        let d = item("d", "config.start", "x", "decisive");
        let none = BTreeMap::new();
        assert_eq!(weigh(&(a.clone() + &b), &facts, &none).score_db, -10 + 20, "one observation");
        assert_eq!(
            weigh(&(a.clone() + &c), &facts, &none).score_db,
            -10 + 30,
            "two observations of one kind"
        );
        let scored = weigh(&(a + &c + &d), &facts, &none);
        assert_eq!(scored.score_db, -10 + 50, "two kinds");
        assert_eq!(scored.kinds.len(), 2);
    }

    #[test]
    fn what_is_not_known_weighs_nothing_and_is_listed() {
        let facts = facts();
        let open = "{ group = \"g\", if = { not = { fact = \"config.bind\", is = \"x\" } }, weight = \"decisive\", say = \"s\", open = \"where it binds\" }, ";
        let scored = weigh(open, &facts, &BTreeMap::new());
        assert_eq!(scored.score_db, -10);
        assert_eq!(scored.not_known, ["where it binds: the project folder was not read"]);
    }

    #[test]
    fn symptoms_that_a_cause_has_taken_speak_for_no_other() {
        let mut facts = facts();
        facts.known(FactKey::TcpState, "edge", "refused", [EDGE_A.into()]).symptom = true;
        let items = item("g", "tcp.state", "refused", "decisive");
        assert_eq!(weigh(&items, &facts, &BTreeMap::new()).score_db, 10);
        let taken = BTreeMap::from([((FactKey::TcpState, "edge".to_owned()), "another".to_owned())]);
        assert_eq!(weigh(&items, &facts, &taken).score_db, -10);
    }
}
