//! The figures.

use std::collections::BTreeMap;

use landfall_diagnosis::{Label, Rung};
use schemars::JsonSchema;
use serde::Serialize;

use super::Judged;
use super::calibration::{Calibration, Claim, calibration};
use super::judge::{Decision, Judgement, Named};
use crate::variants::Kind;

/// What is asked of the diagnosis over some worlds. A share is 0 to 1, the mean over worlds of the share of each world's
/// variants; `None` where no world can show it.
///
/// *As seen* means the recording and its variants that keep the meaning. *One fault* means worlds with one true cause.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Figures {
    /// Worlds.
    pub scenarios: usize,
    /// Variants that were judged, recordings included.
    pub variants: usize,
    /// One fault, inside and outside evidence, as seen: the first name is right. A tie is right when it holds the true
    /// cause and otherwise only rivals that the recipe lists as inseparable by this evidence.
    pub top1: Option<f64>,
    /// The same worlds: the true cause is among the first three names (causes in order, members of ties one by one, then
    /// the first cause's rivals that are at least possible).
    pub top3: Option<f64>,
    /// One fault, as seen, worlds without inside evidence included: the first name is right.
    pub top1_all: Option<f64>,
    /// The same worlds: the true cause is among the first three names.
    pub top3_all: Option<f64>,
    /// One fault that breaks a request: with everything inside taken away, the first name (a cause or a tie) holds the
    /// true cause and has at most four members. Worlds recorded from outside count as seen.
    pub outside_only: Option<f64>,
    /// All worlds, as seen: the first broken rung is that of the recipe; in a world where none is broken, none is named.
    pub first_broken_rung: Option<f64>,
    /// Several faults at once, as seen: strict set score. 0 when a true cause is not named, else the share of the names
    /// that are right.
    pub double_faults: Option<f64>,
    /// Variants of healthy worlds that were judged, lost evidence included.
    pub healthy_variants: usize,
    /// How many of them were given any cause at all, however weakly.
    pub healthy_named: usize,
    /// Worlds with faults, as recorded, under a catalogue without their true causes: any name at likely or above. Each
    /// such name is wrong.
    pub novel_named: Option<f64>,
    /// The same, where the name is not a rival that the recipe calls inseparable from the truth either.
    pub novel_named_beyond_rivals: Option<f64>,
    /// As `novel_named`, where the catalogue does not describe the fault either, not even as a look-alike of others.
    pub unheard_named: Option<f64>,
    /// Of all names at `confirmed` (as seen, from outside, and with a tenth lost), the share that is true.
    pub confirmed_right: Option<f64>,
    /// The same at `likely`.
    pub likely_right: Option<f64>,
    /// Of the same names at any label, the expected calibration error.
    pub calibration_error: Option<f64>,
    /// Of the same names, the Brier score.
    pub brier: Option<f64>,
    /// Of the same names, the reliability table.
    pub calibration: Calibration,
    /// One fault, inside and outside evidence, with a random tenth of the observations lost: the first name is right,
    /// or the group of at most four that the rest cannot tell apart holds it.
    pub dropped_tenth_top1: Option<f64>,
    /// One fault, inside and outside evidence: percentage points of `top1` over recordings that are lost when every weight
    /// is moved one size up or down at random, on average over several such catalogues. Negative when it got better.
    pub rank_stability_loss: Option<f64>,
    /// One fault, inside and outside evidence, as seen: a single cause comes first, likely or confirmed.
    pub decided: Option<f64>,
    /// The same worlds: the answer is a tie.
    pub undecided_tie: Option<f64>,
    /// The same worlds: a single cause comes first and is only possible.
    pub undecided_possible: Option<f64>,
    /// The same worlds: nothing is named.
    pub undecided_nothing: Option<f64>,
    /// Of the decided ones, the share that is right.
    pub decided_right: Option<f64>,
    /// Variants, of all kinds, in which a cause that the recipe forbids is named at likely or above.
    pub forbidden_named: usize,
    /// What simpler ways would have reached.
    pub baselines: Baselines,
}

/// What the simpler ways reach, over the recordings that `top1_all` counts; the diagnosis over the same beside them.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Baselines {
    /// The first failing check names the cause.
    pub first_failing_check: Option<f64>,
    /// A table of status codes names it.
    pub status_code_table: Option<f64>,
    /// The diagnosis names it.
    pub diagnosis: Option<f64>,
}

/// The figures of one layer, over worlds with one fault there; over all worlds for `healthy` and `double`.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct LayerFigures {
    /// The layer.
    pub layer: String,
    /// Worlds.
    pub scenarios: usize,
    /// As [`Figures::top1_all`].
    pub top1: Option<f64>,
    /// As [`Figures::top3_all`].
    pub top3: Option<f64>,
    /// As [`Figures::outside_only`].
    pub outside_only: Option<f64>,
    /// As [`Figures::first_broken_rung`].
    pub first_broken_rung: Option<f64>,
    /// Strict set score of all its worlds; of healthy ones the share without a name.
    pub set: Option<f64>,
    /// As [`Figures::decided`], over worlds without inside evidence as well.
    pub decided: Option<f64>,
}

/// A cause that was taken for another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Confusion {
    /// What is true.
    pub truth: String,
    /// What was named first: one cause, or a tie joined by ` | `, or nothing.
    pub named: String,
    /// The worlds where that happened in at least one variant as seen.
    pub worlds: Vec<String>,
}

/// A forbidden name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Forbidden {
    /// The world.
    pub world: String,
    /// The cause.
    pub named: String,
    /// Variants where it was named.
    pub variants: Vec<String>,
}

/// A name given in a healthy world.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct HealthyName {
    /// The world.
    pub world: String,
    /// What was named.
    pub named: String,
    /// Variants where it was named.
    pub variants: Vec<String>,
}

/// A wrong name for a cause that the rules do not know.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct NovelName {
    /// The world.
    pub world: String,
    /// What was named, with its label.
    pub named: String,
    /// Whether it is a listed rival, which this evidence cannot tell from the truth.
    pub rival: bool,
}

impl NovelName {
    pub(super) fn of(judged: &[&Judged<'_>]) -> Vec<Self> {
        let mut list = Vec::new();
        for world in judged {
            let Some(novel) = &world.novel else { continue };
            for name in novel.named.iter().filter(|n| n.label >= Label::Likely && !n.station) {
                list.push(Self {
                    world: world.case.name.clone(),
                    named: format!("{} ({})", name.id, name.label.name()),
                    rival: world.case.truth.admits(&name.id),
                });
            }
        }
        list
    }
}

/// A world that was judged wrongly as seen.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, JsonSchema)]
pub struct Miss {
    /// The world.
    pub world: String,
    /// What is true.
    pub truth: Vec<String>,
    /// What was said of it.
    pub said: String,
    /// Variants where that was said.
    pub variants: Vec<String>,
}

/// A world that is right as seen, or not asked for there, and wrong in some of the variants that another figure counts.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Weak {
    /// The figure: `outside_only`, `dropped_tenth_top1` or `rank_stability_loss`.
    pub figure: &'static str,
    /// The world.
    pub world: String,
    /// What is true.
    pub truth: Vec<String>,
    /// The share of its variants that is wrong, 0 to 1.
    pub share: f64,
    /// What was said first in those, each once.
    pub said: Vec<String>,
}

impl Figures {
    pub(super) fn of(judged: &[&Judged<'_>]) -> Self {
        let single: Vec<&Judged<'_>> = judged.iter().filter(|j| j.is_single()).copied().collect();
        let whole: Vec<&Judged<'_>> = single.iter().filter(|j| j.case.truth.inside).copied().collect();
        let double: Vec<&Judged<'_>> =
            judged.iter().filter(|j| j.case.truth.causes.len() > 1).copied().collect();
        let ill: Vec<&Judged<'_>> = judged.iter().filter(|j| !j.case.truth.is_healthy()).copied().collect();
        let healthy = || judged.iter().filter(|j| j.case.truth.is_healthy()).flat_map(|j| &j.variants);
        let (claims, by_label) = claims(judged);
        let calibration = calibration(&claims);
        let decided = |decision| mean(&whole, |j| j.share(as_seen, |v| v.decision == decision));
        // A station on the true cause's way is a true name, if not the deepest.
        let likely = |judgement: &Judgement, counts: &dyn Fn(&str) -> bool| {
            let wrong = |n: &&Named| n.label >= Label::Likely && !n.station && counts(&n.id);
            share_of(judgement.named.iter().any(|n| wrong(&n)))
        };
        let novel = |counts: &dyn Fn(&Judged<'_>, &str) -> bool| {
            mean(&ill, |j| Some(likely(j.novel.as_ref()?, &|id| counts(j, id))))
        };
        Self {
            scenarios: judged.len(),
            variants: judged.iter().map(|j| j.variants.len()).sum(),
            top1: mean(&whole, |j| j.share(as_seen, |v| v.top1)),
            top3: mean(&whole, |j| j.share(as_seen, |v| v.top3)),
            top1_all: mean(&single, |j| j.share(as_seen, |v| v.top1)),
            top3_all: mean(&single, |j| j.share(as_seen, |v| v.top3)),
            outside_only: mean(&single, |j| j.outside()),
            first_broken_rung: mean(judged, |j| j.share(as_seen, |v| v.rung_right)),
            double_faults: mean(&double, |j| j.set()),
            healthy_variants: healthy().count(),
            healthy_named: healthy().filter(|(_, _, v)| !v.named.is_empty()).count(),
            novel_named: novel(&|_, _| true),
            unheard_named: mean(&ill, |j| Some(likely(j.unheard.as_ref()?, &|_| true))),
            novel_named_beyond_rivals: novel(&|j, id| !j.case.truth.admits(id)),
            confirmed_right: right_at(&by_label, Label::Confirmed),
            likely_right: right_at(&by_label, Label::Likely),
            calibration_error: calibration.error,
            brier: calibration.brier,
            calibration,
            dropped_tenth_top1: mean(&whole, |j| j.share(|kind| kind == Kind::Tenth, found_in_part)),
            rank_stability_loss: mean(&whole, |j| {
                let plain = j.share(|kind| kind == Kind::Recorded, |v| v.top1)?;
                let moved = ratio(j.perturbed.iter().filter(|v| v.top1).count(), j.perturbed.len())?;
                Some(plain - moved)
            })
            .map(|loss| rounded(loss * 100.0)),
            decided: decided(Decision::Decided),
            undecided_tie: decided(Decision::Tie),
            undecided_possible: decided(Decision::Possible),
            undecided_nothing: decided(Decision::Nothing),
            decided_right: mean(&whole, |j| {
                let decided = |v: &Judgement| v.decision == Decision::Decided;
                let seen = || j.variants.iter().filter(|(_, kind, v)| as_seen(*kind) && decided(v));
                ratio(seen().filter(|(_, _, v)| v.top1).count(), seen().count())
            }),
            forbidden_named: judged
                .iter()
                .flat_map(|j| &j.variants)
                .filter(|(_, _, v)| !v.forbidden.is_empty())
                .count(),
            baselines: Baselines {
                first_failing_check: mean(&single, |j| {
                    Some(share_of(j.first_failing.is_some_and(|id| j.case.truth.holds(id))))
                }),
                status_code_table: mean(&single, |j| {
                    Some(share_of(j.by_status.is_some_and(|id| j.case.truth.holds(id))))
                }),
                diagnosis: mean(&single, |j| j.share(|kind| kind == Kind::Recorded, |v| v.top1)),
            },
        }
    }
}

impl Judged<'_> {
    fn is_single(&self) -> bool {
        self.case.truth.causes.len() == 1
    }

    /// The share of this world's variants of some kinds for which something holds; `None` when there is none.
    fn share(&self, kinds: impl Fn(Kind) -> bool, holds: impl Fn(&Judgement) -> bool) -> Option<f64> {
        let chosen = || self.variants.iter().filter(|(_, kind, _)| kinds(*kind));
        ratio(chosen().filter(|(_, _, v)| holds(v)).count(), chosen().count())
    }

    fn outside(&self) -> Option<f64> {
        let seen = self.said_outside();
        ratio(seen.iter().filter(|v| v.in_small_group).count(), seen.len())
    }

    /// What is said to an outsider, where something wrong is to be seen from outside.
    fn said_outside(&self) -> Vec<&Judgement> {
        let of = |kinds: fn(Kind) -> bool| -> Vec<&Judgement> {
            self.variants.iter().filter(|(_, kind, _)| kinds(*kind)).map(|(_, _, v)| v).collect()
        };
        if self.case.truth.broken.is_none() || !self.case.truth.visible {
            return Vec::new();
        }
        if self.case.truth.inside {
            let stripped = of(|kind| kind == Kind::Outside);
            if !stripped.is_empty() {
                return stripped;
            }
        }
        // A recording without anything inside is itself what an outsider sees.
        of(as_seen)
    }

    fn set(&self) -> Option<f64> {
        let sets: Vec<f64> =
            self.variants.iter().filter(|(_, kind, _)| as_seen(*kind)).map(|(_, _, v)| v.set).collect();
        (!sets.is_empty()).then(|| sets.iter().sum::<f64>() / sets.len() as f64)
    }
}

/// What counts as found where a tenth of the evidence is lost: a group may be left that the lost part would have separated.
fn found_in_part(judgement: &Judgement) -> bool {
    judgement.top1 || judgement.in_small_group
}

fn as_seen(kind: Kind) -> bool {
    matches!(kind, Kind::Recorded | Kind::Same)
}

/// Names from evidence that an audit may well end with; what is left by taking single observations away, or production as
/// a whole, is asked only that nothing forbidden is said of it.
fn counts_for_labels(kind: Kind) -> bool {
    as_seen(kind) || matches!(kind, Kind::Outside | Kind::Tenth)
}

type ByLabel = BTreeMap<Label, (f64, f64)>;

/// Every name of some worlds with its weight, and right and whole weight by label.
fn claims(judged: &[&Judged<'_>]) -> (Vec<Claim>, ByLabel) {
    let mut claims = Vec::new();
    let mut by_label = ByLabel::new();
    for world in judged {
        let counted = || world.variants.iter().filter(|(_, kind, _)| counts_for_labels(*kind));
        let weight = 1.0 / counted().count().max(1) as f64;
        for named in counted().flat_map(|(_, _, v)| &v.named) {
            claims.push(Claim { confidence: named.confidence, right: named.right, weight });
            let slot = by_label.entry(named.label).or_default();
            slot.0 += if named.right { weight } else { 0.0 };
            slot.1 += weight;
        }
    }
    (claims, by_label)
}

fn right_at(by_label: &ByLabel, label: Label) -> Option<f64> {
    by_label.get(&label).map(|(right, all)| rounded(right / all))
}

fn mean(judged: &[&Judged<'_>], value: impl Fn(&Judged<'_>) -> Option<f64>) -> Option<f64> {
    let values: Vec<f64> = judged.iter().filter_map(|j| value(j)).collect();
    (!values.is_empty()).then(|| rounded(values.iter().sum::<f64>() / values.len() as f64))
}

fn ratio(part: usize, whole: usize) -> Option<f64> {
    (whole > 0).then(|| part as f64 / whole as f64)
}

fn share_of(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// Four decimals: more than a corpus of this size can tell apart.
pub(super) fn rounded(value: f64) -> f64 {
    (value * 10_000.0).round() / 10_000.0
}

impl LayerFigures {
    pub(super) fn of(judged: &[&Judged<'_>]) -> Vec<Self> {
        let mut by_layer: BTreeMap<(usize, &str), Vec<&Judged<'_>>> = BTreeMap::new();
        for world in judged {
            let layer = world.case.layer.as_str();
            let place = Rung::ALL.iter().position(|rung| rung.name() == layer).unwrap_or(Rung::ALL.len());
            by_layer.entry((place, layer)).or_default().push(world);
        }
        let figures = |((_, layer), all): ((usize, &str), Vec<&Judged<'_>>)| {
            let single: Vec<&Judged<'_>> = all.iter().filter(|j| j.is_single()).copied().collect();
            Self {
                layer: layer.to_owned(),
                scenarios: all.len(),
                top1: mean(&single, |j| j.share(as_seen, |v| v.top1)),
                top3: mean(&single, |j| j.share(as_seen, |v| v.top3)),
                outside_only: mean(&single, |j| j.outside()),
                first_broken_rung: mean(&all, |j| j.share(as_seen, |v| v.rung_right)),
                set: mean(&all, |j| j.set()),
                decided: mean(&single, |j| j.share(as_seen, |v| v.decision == Decision::Decided)),
            }
        };
        by_layer.into_iter().map(figures).collect()
    }
}

/// Variants by what was said in them, in the order of their first.
fn said<K: PartialEq>(
    world: &Judged<'_>,
    say: impl Fn(Kind, &Judgement) -> Option<K>,
) -> Vec<(K, Vec<String>)> {
    let mut found: Vec<(K, Vec<String>)> = Vec::new();
    for (name, kind, judgement) in &world.variants {
        let Some(key) = say(*kind, judgement) else { continue };
        match found.iter_mut().find(|(known, _)| *known == key) {
            Some((_, variants)) => variants.push(name.clone()),
            None => found.push((key, vec![name.clone()])),
        }
    }
    found
}

fn first_in_words(judgement: &Judgement) -> String {
    if judgement.first.is_empty() { "nothing".to_owned() } else { judgement.first.join(" | ") }
}

impl Confusion {
    pub(super) fn of(judged: &[&Judged<'_>]) -> Vec<Self> {
        let mut pairs: BTreeMap<(String, String), Vec<String>> = BTreeMap::new();
        for world in judged.iter().filter(|j| j.is_single()) {
            let wrong = said(world, |kind, v| (as_seen(kind) && !v.top1).then(|| first_in_words(v)));
            for (named, _) in wrong {
                pairs
                    .entry((world.case.truth.causes[0].clone(), named))
                    .or_default()
                    .push(world.case.name.clone());
            }
        }
        let mut list: Vec<Self> =
            pairs.into_iter().map(|((truth, named), worlds)| Self { truth, named, worlds }).collect();
        list.sort_by_key(|pair| std::cmp::Reverse(pair.worlds.len()));
        list
    }
}

impl Forbidden {
    pub(super) fn of(judged: &[&Judged<'_>]) -> Vec<Self> {
        let mut list = Vec::new();
        for world in judged {
            for id in &world.case.truth.never {
                for ((), variants) in said(world, |_, v| v.forbidden.contains(id).then_some(())) {
                    list.push(Self { world: world.case.name.clone(), named: id.clone(), variants });
                }
            }
        }
        list
    }
}

impl HealthyName {
    pub(super) fn of(judged: &[&Judged<'_>]) -> Vec<Self> {
        let mut list = Vec::new();
        for world in judged.iter().filter(|j| j.case.truth.is_healthy()) {
            let names = |v: &Judgement| v.named.iter().map(|n| n.id.as_str()).collect::<Vec<_>>().join(", ");
            for (named, variants) in said(world, |_, v| (!v.named.is_empty()).then(|| names(v))) {
                list.push(Self { world: world.case.name.clone(), named, variants });
            }
        }
        list
    }
}

impl Miss {
    pub(super) fn of(judged: &[&Judged<'_>]) -> Vec<Self> {
        let mut list = Vec::new();
        for world in judged.iter().filter(|j| !j.case.truth.is_healthy()) {
            let single = world.is_single();
            let wrong = said(world, |kind, v| {
                let name_wrong = if single { !v.top1 } else { v.set < 1.0 };
                if !as_seen(kind) || (!name_wrong && v.rung_right) {
                    return None;
                }
                let names: Vec<String> =
                    v.named.iter().map(|n| format!("{} ({})", n.id, n.label.name())).collect();
                let names = if names.is_empty() { "nothing".to_owned() } else { names.join(", ") };
                let rung = match (v.rung_right, v.rung) {
                    (true, _) => String::new(),
                    (false, Some(rung)) => format!("; first broken rung {rung}"),
                    (false, None) => "; no broken rung".to_owned(),
                };
                Some(format!("{names}{rung}"))
            });
            for (said, variants) in wrong {
                list.push(Self {
                    world: world.case.name.clone(),
                    truth: world.case.truth.causes.clone(),
                    said,
                    variants,
                });
            }
        }
        list
    }
}

impl Weak {
    pub(super) fn of(judged: &[&Judged<'_>]) -> Vec<Self> {
        let mut list = Vec::new();
        for world in judged.iter().filter(|j| j.is_single()) {
            let mut add = |figure, all: &[&Judgement], is_right: fn(&Judgement) -> bool| {
                let wrong: Vec<&&Judgement> = all.iter().filter(|v| !is_right(v)).collect();
                if wrong.is_empty() {
                    return;
                }
                let mut said: Vec<String> = wrong.iter().map(|v| first_in_words(v)).collect();
                said.sort();
                said.dedup();
                list.push(Self {
                    figure,
                    world: world.case.name.clone(),
                    truth: world.case.truth.causes.clone(),
                    share: rounded(wrong.len() as f64 / all.len() as f64),
                    said,
                });
            };
            let of = |wanted: Kind| -> Vec<&Judgement> {
                world.variants.iter().filter(|(_, kind, _)| *kind == wanted).map(|(_, _, v)| v).collect()
            };
            add("outside_only", &world.said_outside(), |v| v.in_small_group);
            let right_as_seen = of(Kind::Recorded).iter().all(|v| v.top1);
            if world.case.truth.inside && right_as_seen {
                add("dropped_tenth_top1", &of(Kind::Tenth), found_in_part);
                add("rank_stability_loss", &world.perturbed.iter().collect::<Vec<_>>(), |v| v.top1);
            }
        }
        list.sort_by_key(|weak| weak.figure);
        list
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Case;
    use crate::score::judge::Named;
    use crate::variants::testkit;

    fn judgement(named: &[(&str, Label, f64, bool)], top1: bool) -> Judgement {
        Judgement {
            first: named.first().map(|n| n.0.to_owned()).into_iter().collect(),
            top1,
            top3: top1,
            in_small_group: top1,
            rung_right: top1,
            rung: None,
            set: if top1 { 1.0 } else { 0.0 },
            named: named
                .iter()
                .map(|(id, label, confidence, right)| Named {
                    id: (*id).to_owned(),
                    label: *label,
                    confidence: *confidence,
                    right: *right,
                    station: false,
                })
                .collect(),
            decision: if named.is_empty() { Decision::Nothing } else { Decision::Decided },
            forbidden: Vec::new(),
        }
    }

    fn world(name: &str, causes: &[&str], inside: bool) -> Case {
        let mut case = testkit::case();
        case.name = name.to_owned();
        case.layer = name.split('/').next().unwrap_or_default().to_owned();
        case.truth.causes = causes.iter().map(|id| (*id).to_owned()).collect();
        case.truth.inside = inside;
        case
    }

    fn judged<'a>(case: &'a Case, variants: &[(&str, Kind, Judgement)]) -> Judged<'a> {
        Judged {
            case,
            variants: variants.iter().map(|(n, k, j)| ((*n).to_owned(), *k, j.clone())).collect(),
            novel: None,
            unheard: None,
            perturbed: Vec::new(),
            first_failing: None,
            by_status: None,
        }
    }

    const SURE: &[(&str, Label, f64, bool)] = &[("cert-expired", Label::Confirmed, 0.9, true)];
    const WRONG: &[(&str, Label, f64, bool)] = &[("port-refused", Label::Likely, 0.8, false)];

    #[test]
    fn each_world_counts_once_however_many_variants_it_has() {
        let (a, b) = (world("tls/a", &["cert-expired"], true), world("tls/b", &["cert-expired"], true));
        let right = judgement(SURE, true);
        let wrong = judgement(WRONG, false);
        let many: Vec<(&str, Kind, Judgement)> = vec![
            ("recorded", Kind::Recorded, right.clone()),
            ("x", Kind::Same, right.clone()),
            ("y", Kind::Same, right.clone()),
            ("z", Kind::Same, wrong.clone()),
            ("tenth", Kind::Tenth, wrong.clone()),
        ];
        let (a, b) = (judged(&a, &many), judged(&b, &[("recorded", Kind::Recorded, wrong)]));
        let figures = Figures::of(&[&a, &b]);
        assert_eq!((figures.scenarios, figures.variants), (2, 6));
        assert_eq!(figures.top1, Some(0.375), "the mean of 3/4 and 0");
        assert_eq!(figures.dropped_tenth_top1, Some(0.0), "only one world has such a variant");
        assert_eq!(figures.confirmed_right, Some(1.0));
        assert_eq!(figures.likely_right, Some(0.0));
        assert_eq!(figures.double_faults, None, "no world shows it");
        let layers = LayerFigures::of(&[&a, &b]);
        assert_eq!((layers.len(), layers[0].layer.as_str(), layers[0].top1), (1, "tls", Some(0.375)));
        let confusion = Confusion::of(&[&a, &b]);
        assert_eq!((confusion[0].named.as_str(), confusion[0].worlds.len()), ("port-refused", 2));
        let misses = Miss::of(&[&a, &b]);
        assert_eq!(misses.len(), 2);
        assert_eq!(misses[0].variants, ["z"]);
    }

    #[test]
    fn what_an_outsider_sees_comes_from_the_right_variants() {
        let (inside, outside) =
            (world("tls/a", &["cert-expired"], true), world("tls/b", &["cert-expired"], false));
        let right = judgement(SURE, true);
        let wrong = judgement(WRONG, false);
        let a = judged(
            &inside,
            &[("recorded", Kind::Recorded, right.clone()), ("outside", Kind::Outside, wrong)],
        );
        let b = judged(&outside, &[("recorded", Kind::Recorded, right)]);
        let figures = Figures::of(&[&a, &b]);
        assert_eq!(figures.outside_only, Some(0.5));
        assert_eq!((figures.top1, figures.top1_all), (Some(1.0), Some(1.0)));
        assert_eq!(Figures::of(&[&b]).top1, None, "it has nothing inside");
        let mut nothing_broken = world("project/c", &["tests-not-run"], true);
        nothing_broken.truth.broken = None;
        let c = judged(&nothing_broken, &[("outside", Kind::Outside, judgement(&[], false))]);
        assert_eq!(Figures::of(&[&c]).outside_only, None, "an outsider cannot see it");
    }

    #[test]
    fn healthy_worlds_count_every_name() {
        let healthy = world("healthy/a", &[], true);
        let named = judgement(&[("port-refused", Label::Possible, 0.3, false)], false);
        let a = judged(
            &healthy,
            &[("recorded", Kind::Recorded, judgement(&[], false)), ("one", Kind::One, named)],
        );
        let figures = Figures::of(&[&a]);
        assert_eq!((figures.healthy_variants, figures.healthy_named), (2, 1));
        assert_eq!(figures.top1_all, None);
        let names = HealthyName::of(&[&a]);
        assert_eq!(
            (names[0].named.as_str(), names[0].variants.as_slice()),
            ("port-refused", &["one".to_owned()][..])
        );
    }

    #[test]
    fn unknown_causes_and_moved_weights_are_counted() {
        let case = world("tls/a", &["cert-expired"], true);
        let mut a = judged(&case, &[("recorded", Kind::Recorded, judgement(SURE, true))]);
        a.perturbed = vec![true, true, true, false].into_iter().map(|right| judgement(SURE, right)).collect();
        a.novel = Some(judgement(WRONG, false));
        let figures = Figures::of(&[&a]);
        assert_eq!(figures.rank_stability_loss, Some(25.0));
        assert_eq!((figures.novel_named, figures.novel_named_beyond_rivals), (Some(1.0), Some(1.0)));
        let mut with_rival = world("tls/a", &["cert-expired"], true);
        with_rival.truth.rivals = vec!["port-refused".to_owned()];
        let b = Judged { case: &with_rival, ..a };
        let figures = Figures::of(&[&b]);
        assert_eq!((figures.novel_named, figures.novel_named_beyond_rivals), (Some(1.0), Some(0.0)));
    }
}
