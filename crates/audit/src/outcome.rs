//! From evidence to report, and from report to exit status.

use std::str::FromStr;

use landfall_diagnosis::{Catalogue, Comparison, Diagnosis, Grade, GradedClaim, Severity, Verdict, diagnose};
use landfall_evidence::Evidence;
use landfall_report::Report;

use crate::plan::PlanError;
use crate::verify::{Outcome, Verified};

/// Diagnoses evidence and lays the result out. Pure: the same evidence gives the same report.
pub fn report(evidence: &Evidence, catalogue: &Catalogue) -> (Diagnosis, Report) {
    let diagnosis = diagnose(evidence, catalogue);
    let report = landfall_report::build(evidence, &diagnosis);
    (diagnosis, report)
}

/// The severity from which on an audit fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum FailOn {
    /// This severity or worse.
    From(Severity),
    /// Nothing makes it fail.
    Never,
}

impl FromStr for FailOn {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        Ok(match text {
            "critical" => Self::From(Severity::Critical),
            "high" => Self::From(Severity::High),
            "medium" => Self::From(Severity::Medium),
            "low" => Self::From(Severity::Low),
            "never" => Self::Never,
            _ => {
                return Err(PlanError(format!(
                    "--fail-on: {text:?} is not one of critical, high, medium, low, never"
                )));
            }
        })
    }
}

/// Exit statuses; scripts rely on them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// Nothing at or above `--fail-on`, and production was seen.
    Clean = 0,
    /// Something at or above `--fail-on`.
    Failing = 1,
    /// The call was wrong: usage or configuration.
    Usage = 2,
    /// The audit could not run, or could verify nothing.
    Nothing = 3,
}

impl ExitStatus {
    /// The status of a verification: a single failure fails it, and what could not be asked is never a pass.
    pub fn of_verified(results: &[Verified]) -> Self {
        let any = |outcome| results.iter().any(|r| r.outcome == outcome);
        match (any(Outcome::Failed), any(Outcome::Unknown)) {
            (true, _) => Self::Failing,
            (false, true) => Self::Nothing,
            (false, false) => Self::Clean,
        }
    }

    /// The status of graded claims: one that is refuted fails them. An untested claim is no failure: it says so itself.
    pub fn of_claims(graded: &[GradedClaim]) -> Self {
        let refuted = graded.iter().any(|claim| claim.grade == Grade::Refuted);
        if refuted { Self::Failing } else { Self::Clean }
    }

    /// The status of a comparison: something that got worse fails it.
    pub fn of_comparison(found: &Comparison) -> Self {
        if found.worse { Self::Failing } else { Self::Clean }
    }

    /// The status of an audit. An unknown verdict with nothing bad found is [`Self::Nothing`]: nothing verified is not fine.
    pub fn of(diagnosis: &Diagnosis, fail_on: FailOn) -> Self {
        let worst = diagnosis
            .findings
            .iter()
            .map(|f| f.severity)
            .chain(diagnosis.causes.iter().map(|c| c.severity))
            .max();
        match (fail_on, worst) {
            (FailOn::From(threshold), Some(worst)) if worst >= threshold => Self::Failing,
            _ if diagnosis.verdict == Verdict::Unknown => Self::Nothing,
            _ => Self::Clean,
        }
    }
}
