//! The rate limit under the contract's names.

use landfall_diagnosis::Diagnosis;
use landfall_evidence::{Evidence, Interval};

use crate::model::{RateLimitReport, SecondsInterval};

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
    })
}

fn seconds(ms: Interval) -> SecondsInterval {
    SecondsInterval { low: ms.low as f64 / 1e3, high: ms.high.map(|high| high as f64 / 1e3) }
}
