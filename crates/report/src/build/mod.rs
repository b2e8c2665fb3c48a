//! From evidence and diagnosis to the report model.
//!
//! Nothing is judged here. What is computed is arithmetic on what was seen (days left, sums of time, equal shapes) and
//! the grouping of rows; every verdict is copied from the diagnosis.

mod dns;
mod environment;
mod health;
mod issues;
mod rate_limit;
mod tests_run;
mod timing;
mod tls;

pub(crate) use self::rate_limit::observed;

use landfall_diagnosis::Diagnosis;
use landfall_evidence::{Evidence, Observed};
use sha2::{Digest, Sha256};

use crate::model::{EvidenceReport, Explanation, Outcome, Report, SCHEMA};

/// Builds the report of one diagnosis. The evidence must be the one that was diagnosed.
pub fn build(evidence: &Evidence, diagnosis: &Diagnosis) -> Report {
    Report {
        schema: SCHEMA.to_owned(),
        generated_at: evidence.started_at,
        tool: evidence.tool.clone(),
        target: evidence.target.clone(),
        verdict: diagnosis.verdict,
        summary: diagnosis.summary.clone(),
        explanation: Explanation { text: diagnosis.explanation.clone(), rephrased: None, by: None },
        components: diagnosis.components.clone(),
        issues: issues::build(diagnosis),
        causes: diagnosis.causes.clone(),
        ruled_out: diagnosis.ruled_out.clone(),
        ties: diagnosis.ties.clone(),
        findings: diagnosis.findings.clone(),
        path: diagnosis.path.clone(),
        rate_limit: rate_limit::build(evidence, diagnosis),
        readiness: diagnosis.readiness.clone(),
        actions: diagnosis.actions.clone(),
        verification: diagnosis.verification.clone(),
        specifications: diagnosis.specifications.clone(),
        unexplained: diagnosis.unexplained.clone(),
        environment: environment::build(evidence),
        health: health::build(evidence, diagnosis),
        dns: dns::build(evidence, diagnosis),
        tls: tls::build(evidence),
        tests: tests_run::build(evidence, diagnosis),
        timing: timing::build(evidence),
        settings: evidence.settings.clone(),
        catalogue: diagnosis.catalogue.clone(),
        evidence: EvidenceReport {
            schema: evidence.schema.clone(),
            sha256: hex(&Sha256::digest(evidence.to_json().as_bytes())),
            observations: evidence.observations.len(),
            whole: None,
        },
    }
}

/// The outcome of a question without its value.
fn outcome<T>(answer: &Observed<T>) -> Outcome {
    match answer {
        Observed::Present(_) => Outcome::Answered,
        Observed::Denied(_) => Outcome::Denied,
        Observed::Silent(_) => Outcome::Silent,
        Observed::Unasked(_) => Outcome::Unasked,
    }
}

/// Bytes in lower-case hexadecimal.
pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02x}")).collect()
}
