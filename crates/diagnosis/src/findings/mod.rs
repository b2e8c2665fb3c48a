//! Facts that a person should know, each with its code, its proof and, where there is one, the cause behind it.
//!
//! A finding states a symptom once: one a vantage with all its paths, never one a path. What a cause explains carries
//! its id, so that a report can fold it under that cause.

mod codes;
mod cors;
mod delivery;
mod dns;
mod headers;
mod http;
#[cfg(test)]
mod http_tests;
mod local;
mod log;
mod next_renewal;
mod observatory;
mod path;
mod project;
mod project_signs;
mod rate_limit;
#[cfg(test)]
mod rate_limit_tests;
mod registered;
mod security;
mod started;
mod tests_run;
mod tls;
mod tls_survey;
mod transport;
mod zone;

use std::cmp::Reverse;

use landfall_evidence::ObservationId;

pub(crate) use codes::*;
pub use codes::{FindingCode, finding_codes};
pub(crate) use registered::missing as unregistered_routes;
pub(crate) use security::headers_in_words;
pub(crate) use tests_run::{
    TestOutcome, declared as declared_tests, error_in_words, folder, outcome as test_outcome,
    remedied as remedied_tests,
};
pub(crate) use tls::trusted_stores;

use crate::case::Case;
use crate::{Finding, Label, Severity};

/// All findings, worst first; among equals in the order of the table of codes.
pub(crate) fn collect(case: &Case<'_>) -> Vec<Finding> {
    let mut findings = Vec::new();
    findings.extend(dns::findings(case));
    // A resolver's extended error and the answer without validation say the same; once is enough.
    let broken = |f: &Finding| f.code == DNS_SIGNATURES_BROKEN.code;
    let said = findings.iter().any(broken);
    findings.extend(zone::findings(case).into_iter().filter(|f| !(said && broken(f))));
    findings.extend(tls::findings(case));
    findings.extend(tls_survey::findings(case));
    findings.extend(next_renewal::finding(case, &findings));
    findings.extend(http::findings(case));
    findings.extend(transport::findings(case));
    findings.extend(headers::findings(case));
    findings.extend(delivery::findings(case));
    findings.extend(cors::findings(case));
    findings.extend(security::findings(case));
    findings.extend(path::findings(case));
    findings.extend(rate_limit::findings(case));
    findings.extend(tests_run::findings(case));
    findings.extend(local::findings(case));
    findings.extend(log::findings(case));
    findings.extend(started::findings(case));
    findings.extend(project::findings(case));
    findings.extend(project_signs::findings(case));
    findings.extend(registered::findings(case));
    for finding in &mut findings {
        attribute(finding, case);
    }
    findings.sort_by_key(|f| (Reverse(f.severity), position(&f.code)));
    findings
}

/// Whether a finding speaks of production's way, and not of tests, limits, the project or the local backend.
pub(crate) fn concerns_production(finding: &Finding) -> bool {
    ["LF-DNS-", "LF-TLS-", "LF-HTTP-", "LF-PATH-"].iter().any(|area| finding.code.starts_with(area))
}

/// A finding of a code with that code's own severity.
fn raise(
    code: &FindingCode,
    title: impl Into<String>,
    impact: impl Into<String>,
    remedy: impl Into<String>,
    evidence: Vec<ObservationId>,
) -> Finding {
    Finding {
        code: code.code.to_owned(),
        severity: code.severity,
        title: title.into(),
        impact: impact.into(),
        remedy: remedy.into(),
        evidence,
        cause: None,
    }
}

fn with_severity(mut finding: Finding, severity: Severity) -> Finding {
    finding.severity = severity;
    finding
}

/// Links a finding to the first ranked cause that rests on one of the same observations and stands on the same side:
/// a cause on the request's way for a finding of production, one beside it for the others.
fn attribute(finding: &mut Finding, case: &Case<'_>) {
    if finding.severity < Severity::Low {
        return;
    }
    let of_production = concerns_production(finding);
    let explaining = case.causes.iter().find(|cause| {
        cause.label >= Label::Possible
            && case.is_on_path(cause) == of_production
            && cause.evidence_for.iter().any(|a| a.evidence.iter().any(|id| finding.evidence.contains(id)))
    });
    let Some(cause) = explaining else { return };
    finding.cause = Some(cause.id.clone());
    if cause.label >= Label::Likely && finding.code == HTTP_NOT_SERVED.code && !case.in_a_tie(&cause.id) {
        let symptom = finding.title.strip_prefix(http::FAILS).unwrap_or(&finding.title);
        finding.title = format!("{}: {symptom}", cause.title);
        if !cause.remedy.is_empty() {
            finding.remedy = cause
                .remedy
                .iter()
                .map(|step| format!("{}.", step.trim_end_matches('.')))
                .collect::<Vec<_>>()
                .join(" ");
        }
    }
}

fn position(code: &str) -> usize {
    finding_codes().iter().position(|c| c.code == code).unwrap_or(usize::MAX)
}
