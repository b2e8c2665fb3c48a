//! How often the diagnosis is right.
//!
//! Every world of a corpus is replayed in all its variants, and each diagnosis is held against what is true in that world.
//! Two things are kept apart throughout: worlds that were looked at while the rules were written, and those that were set
//! aside; the figures stand for each half and for both together.
//!
//! **Each world counts once.** Variants of one world resemble each other, so a figure is the mean over worlds of the share
//! of a world's variants that are right. Counts (variants, healthy names) are plain counts.
//!
//! What each figure means stands at [`Figures`].

mod baselines;
mod calibration;
mod figures;
mod gates;
mod judge;
mod text;

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use landfall_diagnosis::{Catalogue, diagnose};
use schemars::JsonSchema;
use serde::Serialize;

use crate::case::{Case, Corpus, Half};
use crate::variants::{Kind, variants};

pub use baselines::{first_failing_check, status_code_table};
pub use calibration::{Bin, Calibration};
pub use figures::{
    Baselines, Confusion, Figures, Forbidden, HealthyName, LayerFigures, Miss, NovelName, Weak,
};
pub use gates::{Gates, GatesError, MissedGate};
pub use judge::{Decision, Judgement, Named, judge};

/// Catalogues with moved weights that each recording is judged with.
const PERTURBATIONS: u64 = 3;

/// The score of a corpus.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Score {
    /// `landfall.score/1`.
    pub schema: &'static str,
    /// The catalogue that judged.
    pub catalogue: String,
    /// Both halves together, under the score's own keys.
    #[serde(flatten)]
    pub all: Figures,
    /// Each half for itself.
    pub halves: Halves,
    /// Layer by layer, in the order of a request's way; worlds that are healthy or hold two faults last.
    pub layers: Vec<LayerFigures>,
    /// What was named in place of the truth, in worlds with one fault; commonest first.
    pub confusion: Vec<Confusion>,
    /// Names at likely or above that a recipe forbids.
    pub forbidden: Vec<Forbidden>,
    /// Names given in healthy worlds.
    pub healthy_names: Vec<HealthyName>,
    /// Names given at likely or above where the true cause was taken out of the rules.
    pub novel_names: Vec<NovelName>,
    /// Recordings and variants that keep the meaning and were judged wrongly.
    pub misses: Vec<Miss>,
    /// Worlds that a figure over other variants counts as wrong: seen from outside, with a tenth lost, with moved weights.
    pub weak: Vec<Weak>,
    /// Recipes without a recording, which are not scored.
    pub unrecorded: Vec<String>,
}

/// Worlds by how they came to be.
#[derive(Debug, Clone, PartialEq, Serialize, JsonSchema)]
pub struct Halves {
    /// Written beside the rules.
    pub tuned: Figures,
    /// Written from the catalogue's text alone.
    pub aside: Figures,
}

/// One world, judged in all its variants.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) case: &'a Case,
    /// Variant, kind, judgement.
    pub(crate) variants: Vec<(String, Kind, Judgement)>,
    /// The recording under a catalogue that has never heard of the true causes; `None` in a healthy world.
    pub(crate) novel: Option<Judgement>,
    /// The same where the catalogue does not even describe them as look-alikes.
    pub(crate) unheard: Option<Judgement>,
    /// The recording under each catalogue with moved weights; empty in a healthy world.
    pub(crate) perturbed: Vec<Judgement>,
    /// What the first failing check would have said.
    pub(crate) first_failing: Option<&'static str>,
    /// What a table of status codes would have said.
    pub(crate) by_status: Option<&'static str>,
}

/// Scores a corpus on `threads` threads. The result does not depend on their number.
pub fn score(corpus: &Corpus, catalogue: &Catalogue, threads: usize) -> Score {
    let moved: Vec<Catalogue> = (1..=PERTURBATIONS).map(|seed| catalogue.perturbed(seed)).collect();
    let judged = in_parallel(&corpus.cases, threads, |case| judge_world(case, catalogue, &moved));
    let of = |half: Half| judged.iter().filter(|j| j.case.truth.half == half).collect::<Vec<_>>();
    let all: Vec<&Judged<'_>> = judged.iter().collect();
    Score {
        schema: "landfall.score/1",
        catalogue: catalogue.hash().to_owned(),
        all: Figures::of(&all),
        halves: Halves { tuned: Figures::of(&of(Half::Tuned)), aside: Figures::of(&of(Half::Aside)) },
        layers: LayerFigures::of(&all),
        confusion: Confusion::of(&all),
        forbidden: Forbidden::of(&all),
        healthy_names: HealthyName::of(&all),
        novel_names: NovelName::of(&all),
        misses: Miss::of(&all),
        weak: Weak::of(&all),
        unrecorded: corpus.unrecorded.clone(),
    }
}

fn judge_world<'a>(case: &'a Case, catalogue: &Catalogue, moved: &[Catalogue]) -> Judged<'a> {
    let truth = &case.truth;
    let judged = variants(case)
        .into_iter()
        .filter_map(|variant| {
            let evidence = variant.make(case)?;
            let judgement = judge(&diagnose(&evidence, catalogue), truth, catalogue);
            Some((variant.name, variant.kind, judgement))
        })
        .collect();
    let ids: Vec<&str> = truth.causes.iter().map(String::as_str).collect();
    let ill = !truth.is_healthy();
    Judged {
        case,
        variants: judged,
        novel: ill.then(|| judge(&diagnose(&case.evidence, &catalogue.without(&ids)), truth, catalogue)),
        unheard: ill
            .then(|| judge(&diagnose(&case.evidence, &catalogue.without_mention(&ids)), truth, catalogue)),
        perturbed: moved
            .iter()
            .filter(|_| ill)
            .map(|other| judge(&diagnose(&case.evidence, other), truth, catalogue))
            .collect(),
        first_failing: first_failing_check(&case.evidence),
        by_status: status_code_table(&case.evidence),
    }
}

/// The results in the order of the items, whichever thread made them.
fn in_parallel<'a, T: Sync, R: Send>(
    items: &'a [T],
    threads: usize,
    work: impl Fn(&'a T) -> R + Sync,
) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let done: Mutex<Vec<(usize, R)>> = Mutex::new(Vec::with_capacity(items.len()));
    std::thread::scope(|scope| {
        for _ in 0..threads.clamp(1, items.len().max(1)) {
            scope.spawn(|| {
                while let Some((at, item)) = {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    items.get(at).map(|item| (at, item))
                } {
                    let result = work(item);
                    done.lock().unwrap_or_else(PoisonError::into_inner).push((at, result));
                }
            });
        }
    });
    let mut results = done.into_inner().unwrap_or_else(PoisonError::into_inner);
    results.sort_by_key(|(at, _)| *at);
    results.into_iter().map(|(_, result)| result).collect()
}

impl Score {
    /// The score as indented JSON with a final newline.
    pub fn to_json(&self) -> String {
        let mut text = serde_json::to_string_pretty(self)
            .expect("a score has string keys only, so it always serialises");
        text.push('\n');
        text
    }

    /// The JSON Schema of [`Score::to_json`], as checked in at `docs/schema/score.json`.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Self).to_value()
    }

    /// The score for a terminal: the figures of both halves, the layers, and what went wrong.
    pub fn to_text(&self) -> String {
        text::whole(self)
    }

    /// Only what went wrong, one world a line.
    pub fn failing_to_text(&self) -> String {
        text::failing(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::variants::testkit;

    #[test]
    fn results_come_in_order_whatever_the_number_of_threads() {
        let items: Vec<u32> = (0..100).collect();
        for threads in [0, 1, 2, 7, 1000] {
            assert_eq!(
                in_parallel(&items, threads, |n| n * 2),
                items.iter().map(|n| n * 2).collect::<Vec<_>>()
            );
        }
        assert_eq!(in_parallel(&[] as &[u32], 2, |n| *n), [] as [u32; 0]);
    }

    #[test]
    fn one_thread_and_two_give_the_same_score() {
        let corpus =
            Corpus { cases: vec![testkit::case(), testkit::healthy()], unrecorded: vec!["a/b".to_owned()] };
        let one = score(&corpus, Catalogue::embedded(), 1);
        assert_eq!(one, score(&corpus, Catalogue::embedded(), 2));
        assert_eq!(one.all.scenarios, 2);
        assert!(one.all.variants > 40);
        assert_eq!(one.unrecorded, ["a/b"]);
        let json: serde_json::Value = serde_json::from_str(&one.to_json()).expect("JSON");
        let keys = [
            "scenarios",
            "variants",
            "top1",
            "top3",
            "outside_only",
            "first_broken_rung",
            "double_faults",
            "healthy_variants",
            "healthy_named",
            "novel_named",
            "confirmed_right",
            "likely_right",
            "calibration_error",
            "brier",
            "dropped_tenth_top1",
            "rank_stability_loss",
            "baselines",
            "halves",
            "layers",
            "confusion",
        ];
        for key in keys {
            assert!(json.get(key).is_some(), "{key} is missing");
        }
    }
}
