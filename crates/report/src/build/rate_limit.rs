//! The rate limit under the contract's names.

use landfall_diagnosis::Diagnosis;
use landfall_evidence::{Evidence, Interval, RateLimitRun};

use crate::model::{ObservedRequest, RateLimitReport, SecondsInterval};

pub(super) fn build(evidence: &Evidence, diagnosis: &Diagnosis) -> Option<RateLimitReport> {
    let known = diagnosis.rate_limit.as_ref()?;
    let probe = evidence.rate_limit().last();
    let run = probe.and_then(|(_, seen)| seen.answer.present());
    Some(RateLimitReport {
        limit: known.limit,
        window_s: known.window_ms.map(seconds),
        burst: known.burst,
        algorithm: known.algorithm.clone(),
        hop: known.hop.clone(),
        signal: known.signal.clone(),
        confidence: f64::from(known.confidence_percent) / 100.0,
        impact: known.impact.clone(),
        recommendation: known.recommendation.clone(),
        requests_counted: known.requests_counted,
        statuses: known.statuses.clone(),
        open: known.open.clone(),
        url: probe.map(|(_, seen)| seen.url.clone()),
        own_earlier: run.map(|r| r.own_earlier),
        added: run.map(|r| r.added),
        stopped: run.map(|r| r.stopped),
        retry_after_s: run.and_then(|r| r.signal.as_ref()?.retry_after_s),
        evidence: probe.map(|(observation, _)| observation.id.clone()),
        uses: known.uses.clone(),
        slower: known.slower.clone(),
        settings: known.settings.clone(),
        observed: run.filter(|run| run.signal.is_some()).map(observed).unwrap_or_default(),
    })
}

/// The requests of a run, each with how many passed in the window before it.
pub(crate) fn observed(run: &RateLimitRun) -> Vec<ObservedRequest> {
    let fit = run.estimate.fit.as_deref().and_then(|fit| fit.period_ms).map(|period| period.likely);
    let window_us = fit.or(run.estimate.window_ms.map(|w| w.low)).map(|ms| ms.saturating_mul(1000));
    let began = run.sequence.iter().map(|step| step.at_us).min().unwrap_or(0);
    let mut passed: Vec<u64> = Vec::new();
    run.sequence
        .iter()
        .map(|step| {
            let counts = |at: &&u64| window_us.is_none_or(|window| step.at_us.saturating_sub(**at) < window);
            let counted = passed.iter().filter(counts).count() as u64 + 1;
            if !step.refused {
                passed.push(step.at_us);
            }
            let at_ms = step.at_us.saturating_sub(began) / 1000;
            ObservedRequest { at_ms, status: step.status, refused: step.refused, counted }
        })
        .collect()
}

fn seconds(ms: Interval) -> SecondsInterval {
    SecondsInterval { low: ms.low as f64 / 1e3, high: ms.high.map(|high| high as f64 / 1e3) }
}
