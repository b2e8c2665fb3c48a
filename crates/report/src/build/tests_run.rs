//! Section 6: the runs of the project's tests.

use landfall_diagnosis::Diagnosis;
use landfall_evidence::{Evidence, Exit, ObservationId, Observed, TestRun};

use super::outcome;
use crate::model::TestsReport;
use crate::words;

pub(super) fn build(evidence: &Evidence, diagnosis: &Diagnosis) -> Vec<TestsReport> {
    evidence
        .tests()
        .map(|(observation, tests)| TestsReport {
            evidence: observation.id.clone(),
            command: tests.command.clone(),
            purpose: tests.purpose.clone(),
            outcome: outcome(&tests.answer),
            words: match &tests.answer {
                Observed::Present(run) => ended(run),
                other => other.describe(),
            },
            run: tests.answer.present().cloned(),
            took_us: observation.took_us,
            because: because(diagnosis, &observation.id),
            remedy: remedy(diagnosis, &observation.id),
        })
        .collect()
}

fn ended(run: &TestRun) -> String {
    match run.exit {
        Exit::Code { code } => format!("exit status {code}"),
        Exit::Signal { signal } => format!("ended by signal {signal}"),
        Exit::TimedOut { limit_us } => format!("stopped at the time limit of {}", words::span_us(limit_us)),
    }
}

fn because(diagnosis: &Diagnosis, id: &ObservationId) -> Vec<String> {
    let causes = diagnosis
        .causes
        .iter()
        .filter(|c| c.evidence_for.iter().any(|a| a.evidence.contains(id)))
        .map(|c| format!("{} ({}, {})", c.title, c.id, words::label(c.label)));
    let findings = diagnosis
        .findings
        .iter()
        .filter(|f| f.evidence.contains(id))
        .map(|f| format!("{} ({})", f.title, f.code));
    causes.chain(findings).collect()
}

fn remedy(diagnosis: &Diagnosis, id: &ObservationId) -> Vec<String> {
    let mut remedies: Vec<String> = Vec::new();
    for finding in diagnosis.findings.iter().filter(|f| f.evidence.contains(id) && !f.remedy.is_empty()) {
        if !remedies.contains(&finding.remedy) {
            remedies.push(finding.remedy.clone());
        }
    }
    remedies
}
