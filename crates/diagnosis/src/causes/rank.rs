//! From scores to an answer: acceptance, ties, labels, rivals, and what comes after the first cause.

use std::collections::{BTreeMap, BTreeSet};

use super::condition::Truth;
use super::hypothesis::Hypothesis;
use super::ladder::ladder;
use super::score::{FactId, Scored, score};
use super::template;
use crate::catalogue::{Catalogue, Rung};
use crate::facts::{FactKey, Facts, subject_matches};
use crate::{Argument, Cause, Label, NextProbe, Rival, RungState, Tie};

/// What the unknown cause scores wherever something is wrong. A cause has to beat it to account for anything; the first name
/// may stand below it, as a guess.
pub(crate) const UNKNOWN_CAUSE_DB: i32 = 3;
/// What the unknown cause counts as where belief is shared out. It is lower than what a name has to beat: over the corpus
/// the names that just pass are right more often than a share beside the higher figure says.
const UNKNOWN_SHARE_DB: i32 = 0;
/// What the first name must score at least. It lies below the unknown cause: a guess that is marked as no more than possible,
/// with the unknown cause's share beside it, serves a person better than none. Whatever is named after the first has to
/// beat the unknown cause, or every stray sign would bring a name of its own.
const FIRST_NAME_DB: i32 = -5;
/// Rivals this close form a tie.
const TIE_DB: i32 = 5;
/// Rivals within this distance must have been told apart before a cause is confirmed.
const CLOSE_DB: i32 = 20;
/// At or below this a cause is ruled out.
const RULED_OUT_DB: i32 = -10;
/// What a deeper cause must score to stand before the one through which it shows itself.
const DEEP_DB: i32 = 8;
/// What a rival loses that an observation tells from another one: as much as a decisive sign gives, so that sizes of other
/// weights do not turn it round.
const TOLD_APART_DB: i32 = 20;
/// The weights of strong and decisive evidence.
const STRONG_DB: i32 = 10;
const DECISIVE_DB: i32 = 20;
/// Causes named at most; beyond that the picture is not one that a list of causes helps with.
const MOST_CAUSES: usize = 10;

/// The ranked causes and all that the engine found on the way.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Ranking {
    /// Accepted causes: those on the way of a request first, by score, then the independent ones.
    pub(crate) causes: Vec<Cause>,
    /// Hypotheses that fitted the place and lost by −10 decibans or more.
    pub(crate) ruled_out: Vec<Cause>,
    /// Groups among `causes` that the evidence cannot separate.
    pub(crate) ties: Vec<Tie>,
    /// The state of every rung.
    pub(crate) rungs: BTreeMap<Rung, RungState>,
    /// Which accepted cause accounts for which symptom, by the fact's key and subject.
    pub(crate) explained: BTreeMap<FactId, String>,
    /// Whether all that fails on the way of a request fails only because the question is wrong.
    pub(crate) asked_wrongly: bool,
}

impl Ranking {
    /// Causes that account for faults of the project which no answer shows, and for nothing else.
    pub(crate) fn of_defects_alone(&self) -> BTreeSet<&str> {
        let mut alone = self.accounting_for(|symptom| symptom.0 == FactKey::ProjectDefect);
        for id in self.accounting_for(|symptom| symptom.0 != FactKey::ProjectDefect) {
            alone.remove(id);
        }
        alone
    }

    /// Accepted causes that account for something seen of production, wherever they lie: a lock file that is refused lies in the
    /// project, and keeps the newest build from production.
    pub(crate) fn of_production(&self) -> BTreeSet<&str> {
        // Two clocks that differ do not say which of them is production's.
        let of_here = |key: FactKey| key == FactKey::ClockOffset || key.name().starts_with("vantage.");
        self.accounting_for(|symptom| on_path(symptom) && !of_here(symptom.0))
    }

    /// Accepted causes that account for production serving another build than the newest, or for a build that never came
    /// to serve.
    pub(crate) fn of_the_build(&self) -> BTreeSet<&str> {
        let of_build =
            |key: FactKey| matches!(key, FactKey::BuildServedIs | FactKey::BuildAsLocal | FactKey::LogDeploy);
        self.accounting_for(|symptom| of_build(symptom.0))
    }

    fn accounting_for(&self, such: impl Fn(&FactId) -> bool) -> BTreeSet<&str> {
        self.explained.iter().filter(|(symptom, _)| such(symptom)).map(|(_, id)| id.as_str()).collect()
    }
}

struct Candidate<'a> {
    hypothesis: &'a Hypothesis,
    scored: Scored,
    explains: BTreeSet<FactId>,
}

/// Ranks the causes that the facts speak for.
pub(crate) fn rank(facts: &Facts, catalogue: &Catalogue) -> Ranking {
    let fitting: Vec<&Hypothesis> =
        catalogue.causes().filter(|h| matches!(h.requires.ask(facts), Truth::True(_))).collect();
    let context = Context { facts, catalogue, fitting: &fitting };
    let mut ranking = Ranking {
        causes: Vec::new(),
        ruled_out: Vec::new(),
        ties: Vec::new(),
        rungs: ladder(facts),
        explained: BTreeMap::new(),
        asked_wrongly: false,
    };
    let mut lost: BTreeMap<String, Cause> = BTreeMap::new();

    while ranking.causes.len() < MOST_CAUSES {
        let candidates = context.candidates(&ranking);
        let least = if ranking.causes.is_empty() { FIRST_NAME_DB } else { UNKNOWN_CAUSE_DB + 1 };
        let is_named = |c: &&Candidate<'_>| c.scored.score_db >= least && !c.scored.evidence_for.is_empty();
        let Some(top) = candidates.iter().find(is_named) else { break };
        let rivals: Vec<&Candidate<'_>> =
            candidates.iter().filter(|c| !c.explains.is_disjoint(&top.explains)).collect();
        let total = rivals.iter().map(|c| odds(c.scored.score_db)).sum::<f64>() + odds(UNKNOWN_SHARE_DB);
        let share = |c: &Candidate<'_>| ((odds(c.scored.score_db) / total * 100.0).round() / 100.0).min(0.99);
        // A guess below the unknown cause stands alone, but for another of the very same score; whatever comes after it would
        // be a guess as well.
        let near = if top.scored.score_db > UNKNOWN_CAUSE_DB {
            (top.scored.score_db - TIE_DB).max(UNKNOWN_CAUSE_DB + 1)
        } else {
            top.scored.score_db
        };
        let tied: Vec<&Candidate<'_>> =
            rivals.iter().copied().filter(|c| is_named(c) && c.scored.score_db >= near).collect();
        for member in &tied {
            ranking.causes.push(context.cause(member, share(member), &rivals));
        }
        if tied.len() > 1 {
            ranking.ties.push(Tie {
                causes: tied.iter().map(|c| c.hypothesis.id.clone()).collect(),
                confidence: (tied.iter().map(|c| share(c)).sum::<f64>() * 100.0).round() / 100.0,
                separate: context.separating_probe(&tied),
            });
        }
        for rival in rivals.iter().filter(|c| is_ruled_out(&c.scored)) {
            lost.entry(rival.hypothesis.id.clone())
                .or_insert_with(|| context.cause(rival, share(rival), &[]));
        }
        // A guess below the unknown cause accounts for nothing: what it was made of stays unexplained.
        for member in tied.into_iter().filter(|c| c.scored.score_db > UNKNOWN_CAUSE_DB) {
            for symptom in &member.explains {
                ranking.explained.entry(symptom.clone()).or_insert_with(|| member.hypothesis.id.clone());
            }
        }
    }
    context.contribute(&mut ranking);
    for mentioned in context.mentioned() {
        if is_ruled_out(&mentioned.scored) {
            lost.entry(mentioned.hypothesis.id.clone())
                .or_insert_with(|| context.cause(&mentioned, 0.0, &[]));
        }
    }
    lost.retain(|id, _| ranking.causes.iter().all(|cause| &cause.id != id));
    ranking.ruled_out = lost.into_values().collect();
    ranking.ruled_out.sort_by(|a, b| b.score_db.cmp(&a.score_db).then_with(|| a.id.cmp(&b.id)));
    // Causes beside the way of a request come last, whatever their score: the way is what the audit is about. What a
    // cause explains decides, not where it lies: a change that was never pushed lies in the project and stops a route.
    let main: BTreeSet<String> =
        ranking.explained.iter().filter(|(symptom, _)| on_path(symptom)).map(|(_, id)| id.clone()).collect();
    let tied_to_main = |id: &str| {
        ranking
            .ties
            .iter()
            .any(|t| t.causes.iter().any(|c| c == id) && t.causes.iter().any(|c| main.contains(c)))
    };
    let aside: BTreeSet<String> = ranking
        .causes
        .iter()
        .map(|cause| cause.id.clone())
        .filter(|id| !main.contains(id) && !tied_to_main(id))
        .collect();
    // One that says only how the application is run, and is not proven to be more, comes behind those that make a request
    // fail.
    let only_run: BTreeSet<String> = ranking
        .causes
        .iter()
        .filter(|cause| cause.label < Label::Confirmed)
        .map(|cause| cause.id.clone())
        .filter(|id| {
            let mut of =
                ranking.explained.iter().filter(|(_, by)| *by == id).map(|(symptom, _)| symptom).peekable();
            of.peek().is_some() && of.all(|(key, _)| *key == FactKey::SiteDevServer)
        })
        .collect();
    ranking.causes.sort_by_key(|cause| (aside.contains(&cause.id), only_run.contains(&cause.id)));
    ranking.asked_wrongly = asked_wrongly(&ranking, facts, catalogue);
    // What a hop answers may be wrong although it answers; who holds for the cause of a failing request says so.
    let breaks = ranking
        .causes
        .iter()
        .filter(|cause| cause.label >= Label::Likely && main.contains(&cause.id))
        .filter_map(|cause| catalogue.cause(&cause.id)?.breaks);
    let breaks: Vec<Rung> = breaks.collect();
    ranking.rungs.extend(breaks.into_iter().map(|rung| (rung, RungState::Broken)));
    ranking
}

/// Whether everything that was seen to fail on the way is laid, at likely or above, to causes that leave the way as it is.
fn asked_wrongly(ranking: &Ranking, facts: &Facts, catalogue: &Catalogue) -> bool {
    let harmless = |id: &String| {
        let sure = ranking.causes.iter().any(|cause| &cause.id == id && cause.label >= Label::Likely);
        sure && catalogue.cause(id).is_some_and(|hypothesis| hypothesis.asks_wrongly)
    };
    let mut failing =
        facts.symptoms().map(|fact| (fact.key, fact.subject.clone())).filter(on_path).peekable();
    failing.peek().is_some() && failing.all(|symptom| ranking.explained.get(&symptom).is_some_and(harmless))
}

/// Every hypothesis that accounts for a symptom, with its share among those that account for the same ones (0 to 1), best
/// first.
pub(super) fn contenders(facts: &Facts, catalogue: &Catalogue) -> Vec<(String, f64)> {
    let fitting: Vec<&Hypothesis> =
        catalogue.causes().filter(|h| matches!(h.requires.ask(facts), Truth::True(_))).collect();
    let context = Context { facts, catalogue, fitting: &fitting };
    let candidates = context.candidates(&Ranking {
        causes: Vec::new(),
        ruled_out: Vec::new(),
        ties: Vec::new(),
        rungs: BTreeMap::new(),
        explained: BTreeMap::new(),
        asked_wrongly: false,
    });
    candidates
        .iter()
        .map(|candidate| {
            let rivals = candidates.iter().filter(|c| !c.explains.is_disjoint(&candidate.explains));
            let total = rivals.map(|c| odds(c.scored.score_db)).sum::<f64>() + odds(UNKNOWN_SHARE_DB);
            (candidate.hypothesis.id.clone(), odds(candidate.scored.score_db) / total)
        })
        .collect()
}

/// Whether a symptom was seen on the way of a request to production.
fn on_path((key, subject): &FactId) -> bool {
    let beside = ["tests.", "limit.", "local."].iter().any(|group| key.name().starts_with(group));
    !beside && *key != FactKey::ProjectDefect && !subject_matches(subject, "local")
}

fn odds(score_db: i32) -> f64 {
    10_f64.powf(f64::from(score_db) / 10.0)
}

struct Context<'a> {
    facts: &'a Facts,
    catalogue: &'a Catalogue,
    fitting: &'a [&'a Hypothesis],
}

impl<'a> Context<'a> {
    /// Hypotheses that fit and account for a symptom that nothing accounts for yet, best first.
    fn candidates(&self, ranking: &Ranking) -> Vec<Candidate<'a>> {
        let open: Vec<FactId> = self
            .facts
            .symptoms()
            .map(|fact| (fact.key, fact.subject.clone()))
            .filter(|id| !ranking.explained.contains_key(id))
            .collect();
        let mut found: Vec<Candidate<'a>> = self
            .fitting
            .iter()
            .filter(|h| ranking.causes.iter().all(|cause| cause.id != h.id))
            .filter_map(|h| {
                let explains = self.explained_by(h, &open);
                (!explains.is_empty()).then(|| Candidate {
                    hypothesis: h,
                    scored: score(h, self.facts, &ranking.explained),
                    explains,
                })
            })
            .collect();
        tell_apart(&mut found);
        self.deepest_first(&mut found);
        found.sort_by(|a, b| {
            let order = |c: &Candidate<'_>| {
                (-c.scored.score_db, std::cmp::Reverse(c.hypothesis.prior_db), c.hypothesis.rung)
            };
            order(a).cmp(&order(b)).then_with(|| a.hypothesis.id.cmp(&b.hypothesis.id))
        });
        found
    }

    fn explained_by(&self, hypothesis: &Hypothesis, open: &[FactId]) -> BTreeSet<FactId> {
        let covered = |id: &&FactId| {
            let fact = self.facts.get(id.0, &id.1);
            fact.is_some_and(|fact| hypothesis.explains.iter().any(|pattern| pattern.covers(fact)))
        };
        open.iter().filter(covered).cloned().collect()
    }

    fn cause(&self, candidate: &Candidate<'_>, confidence: f64, rivals: &[&Candidate<'_>]) -> Cause {
        let h = candidate.hypothesis;
        let fill = |text: &String| template::fill(text, self.facts, &[]);
        let platform = self.facts.text(FactKey::PlatformName, "");
        let listed = self.rivals(candidate, rivals);
        let label = match label(candidate, rivals, &listed) {
            sure if sure >= Label::Likely && self.has_unassessed_look_alike(candidate) => Label::Possible,
            // Whatever is named is possible; how little speaks for it is in its share.
            Label::NotAssessed if candidate.scored.against.is_empty() => Label::Possible,
            label => label,
        };
        Cause {
            id: h.id.clone(),
            title: h.title.clone(),
            rung: h.rung.name().to_owned(),
            label,
            confidence,
            score_db: candidate.scored.score_db,
            severity: h.severity,
            evidence_for: candidate.scored.evidence_for.clone(),
            against: candidate.scored.against.clone(),
            not_known: candidate.scored.not_known.clone(),
            rivals: listed,
            next_probe: if label == Label::Confirmed || label == Label::RuledOut {
                None
            } else {
                self.open_probe(h)
            },
            contributing: Vec::new(),
            remedy: h.remedy_for(platform.and_then(remedy_platform)).iter().map(fill).collect(),
            verify: h.verify.iter().map(fill).collect(),
        }
    }

    /// Where something seen from inside speaks for a deeper cause in particular, the shallower one through which it shows itself is no rival
    /// but a station on its way, and comes after it.
    fn deepest_first(&self, candidates: &mut [Candidate<'_>]) {
        let deep: Vec<(String, i32, BTreeSet<FactId>)> = candidates
            .iter()
            .filter(|c| c.scored.score_db >= DEEP_DB && is_specific(&c.scored))
            .filter(|c| c.scored.kinds.iter().any(|kind| kind.is_inside()))
            .map(|c| (c.hypothesis.id.clone(), c.scored.score_db, c.explains.clone()))
            .collect();
        for station in candidates.iter_mut() {
            let own = station.hypothesis.id.clone();
            let above = deep
                .iter()
                .filter(|(id, _, explains)| {
                    self.catalogue.leads_to(id, &own) && !explains.is_disjoint(&station.explains)
                })
                .max_by_key(|(_, score, _)| *score);
            let Some((id, score, _)) = above else { continue };
            let most = score - TIE_DB - 1;
            if station.scored.score_db > most {
                station.scored.against.push(Argument {
                    say: format!("it is on the way of {id}, which goes deeper"),
                    weight_db: most - station.scored.score_db,
                    evidence: Vec::new(),
                });
                station.scored.score_db = most;
            }
        }
    }

    /// Whether the fault catalogue describes a look-alike that no rule here can weigh, and that nothing seen tells apart.
    /// Then the signs may be that one's as well as this one's, and the name is no more than possible.
    fn has_unassessed_look_alike(&self, candidate: &Candidate<'_>) -> bool {
        let own = candidate.hypothesis.id.as_str();
        let told_apart = |other: &str| candidate.scored.beats.contains_key(other);
        let named =
            self.catalogue.fault(own).into_iter().flat_map(|f| &f.discriminators).map(|d| d.vs.as_str());
        let naming = self
            .catalogue
            .faults()
            .filter(|f| f.discriminators.iter().any(|d| d.vs == own))
            .map(|f| f.id.as_str());
        named.chain(naming).any(|other| self.catalogue.cause(other).is_none() && !told_apart(other))
    }

    /// The hypothesis's own probe, unless that observation was made.
    fn open_probe(&self, h: &Hypothesis) -> Option<NextProbe> {
        let probe = h.probe.as_ref()?;
        if !matches!(probe.done.ask(self.facts), Truth::Unknown(_) | Truth::False(_)) {
            return None;
        }
        let fill = |text: &String| template::fill(text, self.facts, &[]);
        Some(NextProbe {
            ask: fill(&probe.ask),
            how: fill(&probe.how),
            means: probe.means.iter().map(fill).collect(),
        })
    }

    /// The observation that would separate a tie: a member's own probe, else the test that the fault catalogue gives.
    fn separating_probe(&self, tied: &[&Candidate<'_>]) -> NextProbe {
        if let Some(probe) = tied.iter().find_map(|c| self.open_probe(c.hypothesis)) {
            return probe;
        }
        for (a, b) in pairs(tied) {
            let test = self
                .catalogue
                .fault(&a.hypothesis.id)
                .and_then(|fault| fault.discriminators.iter().find(|d| d.vs == b.hypothesis.id));
            if let Some(test) = test {
                return NextProbe {
                    ask: format!("what tells {} from {}", a.hypothesis.id, b.hypothesis.id),
                    how: format!("by hand: {}", test.test),
                    means: Vec::new(),
                };
            }
        }
        NextProbe {
            ask: "what the server's own log says of one of these requests".to_owned(),
            how: "by hand: open the log of the hop marked as broken at the time of the audit".to_owned(),
            means: Vec::new(),
        }
    }

    /// Look-alikes of a cause: those that compete with it, those that the fault catalogue names, and those that a
    /// circumstance brings to mind.
    fn rivals(&self, candidate: &Candidate<'_>, competing: &[&Candidate<'_>]) -> Vec<Rival> {
        let h = candidate.hypothesis;
        let mut ids: BTreeSet<&str> = competing.iter().map(|c| c.hypothesis.id.as_str()).collect();
        let fault = self.catalogue.fault(&h.id);
        ids.extend(fault.iter().flat_map(|f| &f.discriminators).map(|d| d.vs.as_str()));
        // Whatever an observation here told it apart from is worth naming, and so is what nothing can tell it from.
        ids.extend(candidate.scored.separated.iter().filter(|(_, seen)| **seen).map(|(id, _)| id.as_str()));
        ids.extend(h.unseparated.iter().map(String::as_str));
        if matches!(h.rung, Rung::Platform | Rung::Process | Rung::EdgeOrigin) {
            ids.extend(self.mentioned_ids());
        }
        ids.remove(h.id.as_str());
        let mut found: Vec<(i32, Rival)> = ids
            .into_iter()
            .filter_map(|id| self.catalogue.cause(id))
            .map(|other| self.rival(candidate, other, competing))
            .collect();
        found.sort_by(|(a, left), (b, right)| b.cmp(a).then_with(|| left.id.cmp(&right.id)));
        found.into_iter().map(|(_, rival)| rival).collect()
    }

    fn rival(
        &self,
        candidate: &Candidate<'_>,
        other: &Hypothesis,
        competing: &[&Candidate<'_>],
    ) -> (i32, Rival) {
        let h = candidate.hypothesis;
        let competitor = competing.iter().find(|c| c.hypothesis.id == other.id);
        let scored =
            competitor.map_or_else(|| score(other, self.facts, &BTreeMap::new()), |c| c.scored.clone());
        let fits = other.requires.ask(self.facts);
        let mut told_apart = candidate.scored.separated.get(&other.id).copied().unwrap_or(false)
            || scored.separated.get(&h.id).copied().unwrap_or(false);
        let mut value = scored.score_db;
        let mentioned = self.mentioned_ids().any(|id| id == other.id);
        let why = match (&fits, scored.against.first()) {
            (Truth::False(_), Some(against)) if mentioned => {
                told_apart = true;
                value = value.min(RULED_OUT_DB);
                against.say.clone()
            }
            (Truth::False(by), _) => {
                told_apart = true;
                value = value.min(RULED_OUT_DB);
                let seen: Vec<String> = by
                    .iter()
                    .filter(|fact| !subject_matches(&fact.subject, "local"))
                    .filter_map(|fact| {
                        let at = if fact.subject.is_empty() {
                            String::new()
                        } else {
                            format!(" ({})", fact.subject)
                        };
                        Some(format!("{}{at}: {}", fact.key, fact.known()?))
                    })
                    .take(1)
                    .collect();
                if seen.is_empty() {
                    "its signs were looked for and are not there".to_owned()
                } else {
                    format!("its signs were looked for and are not there ({})", seen.join(", "))
                }
            }
            (Truth::Unknown(reasons), _) => {
                let reasons: Vec<&str> = reasons.iter().map(String::as_str).collect();
                reasons.join("; ")
            }
            (Truth::True(_), Some(against)) => against.say.clone(),
            (Truth::True(_), None) => match (told_apart, scored.not_known.first()) {
                (false, Some(open)) => format!("not separated; not known is {open}"),
                (false, None) => {
                    format!("not separated by the evidence at hand; {}", self.test_between(h, other))
                }
                (true, _) => "fewer of the signs speak for it".to_owned(),
            },
        };
        let label = match fits {
            Truth::Unknown(_) => Label::NotAssessed,
            Truth::False(_) => Label::RuledOut,
            Truth::True(_) => plain_label(value, !scored.against.is_empty()),
        };
        // What an observation has ruled out needs no other observation to be told apart.
        let separated = told_apart || label == Label::RuledOut;
        (value, Rival { id: other.id.clone(), title: other.title.clone(), label, why, separated })
    }

    fn test_between(&self, h: &Hypothesis, other: &Hypothesis) -> String {
        let find = |from: &str, vs: &str| {
            let fault = self.catalogue.fault(from)?;
            Some(fault.discriminators.iter().find(|d| d.vs == vs)?.test.clone())
        };
        match find(&other.id, &h.id).or_else(|| find(&h.id, &other.id)) {
            Some(test) => format!("to tell: {test}"),
            None => "fewer of the signs speak for it".to_owned(),
        }
    }

    fn mentioned_ids(&self) -> impl Iterator<Item = &'a str> {
        self.catalogue
            .causes()
            .filter(|h| h.mention.as_ref().is_some_and(|c| matches!(c.ask(self.facts), Truth::True(_))))
            .map(|h| h.id.as_str())
    }

    fn mentioned(&self) -> Vec<Candidate<'a>> {
        self.mentioned_ids()
            .filter_map(|id| self.catalogue.cause(id))
            .map(|hypothesis| Candidate {
                hypothesis,
                scored: score(hypothesis, self.facts, &BTreeMap::new()),
                explains: BTreeSet::new(),
            })
            .collect()
    }

    fn contribute(&self, ranking: &mut Ranking) {
        for item in self.catalogue.causes().flat_map(|h| &h.contributes) {
            if let Truth::True(by) = item.condition.ask(self.facts) {
                let text = template::fill(&item.say, self.facts, &by);
                for cause in ranking.causes.iter_mut().filter(|cause| item.to.contains(&cause.id)) {
                    cause.contributing.push(text.clone());
                }
            }
        }
    }
}

/// How the argument begins that one rival loses to another, before the winner's name and what told them apart.
const TOLD_APART: &str = "told apart from ";

/// What told two rivals apart, without the name of the one that won; any other argument as it stands.
pub(crate) fn what_told_apart(say: &str) -> &str {
    say.strip_prefix(TOLD_APART).and_then(|rest| rest.split_once(": ")).map_or(say, |(_, say)| say)
}

/// Where an observation tells two rivals apart, the one that it speaks against loses a fixed amount, however the sizes of
/// single weights fall. Nothing is lost where observations speak for both.
fn tell_apart(candidates: &mut [Candidate<'_>]) {
    let mut lost: Vec<Option<Argument>> = vec![None; candidates.len()];
    for winner in candidates.iter().filter(|c| c.scored.score_db >= FIRST_NAME_DB) {
        for (at, loser) in candidates.iter().enumerate() {
            let (first, second) = (&winner.hypothesis.id, &loser.hypothesis.id);
            if first == second || winner.explains.is_disjoint(&loser.explains) || lost[at].is_some() {
                continue;
            }
            let between = |a: &Scored, a_id: &str, b: &Scored, b_id: &str| {
                a.beats.get(b_id).or_else(|| b.loses_to.get(a_id)).cloned()
            };
            let (Some(say), None) = (
                between(&winner.scored, first, &loser.scored, second),
                between(&loser.scored, second, &winner.scored, first),
            ) else {
                continue;
            };
            lost[at] = Some(Argument {
                say: format!("{TOLD_APART}{first}: {say}"),
                weight_db: -TOLD_APART_DB,
                evidence: Vec::new(),
            });
        }
    }
    for (candidate, argument) in candidates.iter_mut().zip(lost) {
        if let Some(argument) = argument {
            candidate.scored.score_db += argument.weight_db;
            candidate.scored.against.push(argument);
        }
    }
}

fn pairs<'b, 'a>(
    tied: &'b [&'b Candidate<'a>],
) -> impl Iterator<Item = (&'b Candidate<'a>, &'b Candidate<'a>)> {
    tied.iter().flat_map(move |a| tied.iter().map(move |b| (*a, *b)))
}

/// The label of a hypothesis that is not ahead. A low prior alone rules nothing out: that takes something against it.
fn plain_label(score_db: i32, has_against: bool) -> Label {
    match score_db {
        i32::MIN..=RULED_OUT_DB if has_against => Label::RuledOut,
        1.. => Label::Possible,
        _ => Label::NotAssessed,
    }
}

fn is_ruled_out(scored: &Scored) -> bool {
    plain_label(scored.score_db, !scored.against.is_empty()) == Label::RuledOut
}

fn label(candidate: &Candidate<'_>, rivals: &[&Candidate<'_>], listed: &[Rival]) -> Label {
    let own = candidate.scored.score_db;
    let others = rivals.iter().filter(|c| c.hypothesis.id != candidate.hypothesis.id);
    let next = others.clone().map(|c| c.scored.score_db).max().unwrap_or(i32::MIN).max(UNKNOWN_CAUSE_DB);
    let margin = own - next;
    let told_apart = others
        .filter(|c| own - c.scored.score_db < CLOSE_DB)
        .all(|c| listed.iter().any(|rival| rival.id == c.hypothesis.id && rival.separated));
    if own >= 20 && margin >= 10 && told_apart && candidate.scored.kinds.len() >= 2 {
        Label::Confirmed
    } else if own >= 10 && margin > TIE_DB && is_specific(&candidate.scored) {
        Label::Likely
    } else {
        plain_label(own, !candidate.scored.against.is_empty())
    }
}

/// Whether something speaks for this cause in particular: a decisive sign, two strong ones,
/// or a strong one beside something that tells it from a look-alike. Signs
/// that fit many causes add up as well, and where the true cause is one that nobody has described they would carry a
/// wrong name to the top.
fn is_specific(scored: &Scored) -> bool {
    let strong = scored.evidence_for.iter().filter(|argument| argument.weight_db >= STRONG_DB).count();
    let decisive = scored.evidence_for.iter().any(|argument| argument.weight_db >= DECISIVE_DB);
    decisive || strong >= 2 || (strong == 1 && !scored.beats.is_empty())
}

/// The name under which remedies know a platform.
fn remedy_platform(vendor: &str) -> Option<&str> {
    match vendor {
        "fly-io" | "fly" => Some("fly"),
        "replit" | "heroku" | "render" | "railway" | "vercel" => Some(vendor),
        _ => None,
    }
}
