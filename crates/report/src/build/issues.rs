//! Findings grouped into troubles: a person repairs a cause, not eleven findings that it explains.

use landfall_diagnosis::{Cause, Diagnosis, Finding, Severity};

use crate::model::Issue;

/// One issue for each cause that explains a finding of medium or higher severity, one for each such finding without a
/// cause, and one for each named cause without findings; worst first, in the diagnosis's order where equally bad.
pub(super) fn build(diagnosis: &Diagnosis) -> Vec<Issue> {
    let mut issues: Vec<Issue> = Vec::new();
    let worst_first = sorted(&diagnosis.findings);
    for finding in worst_first.iter().filter(|f| f.severity >= Severity::Medium) {
        let known = finding
            .cause
            .as_ref()
            .and_then(|cause| issues.iter_mut().find(|i| i.cause.as_ref() == Some(cause)));
        match known {
            Some(issue) => add(issue, finding),
            None => {
                let mut issue = Issue {
                    severity: finding.severity,
                    title: finding.title.clone(),
                    cause: finding.cause.clone(),
                    findings: Vec::new(),
                    impact: Vec::new(),
                    action: Vec::new(),
                };
                add(&mut issue, finding);
                issues.push(issue);
            }
        }
    }
    for cause in &diagnosis.causes {
        let told = issues.iter().any(|i| {
            i.cause.as_ref().is_some_and(|told| told == &cause.id || tied(diagnosis, told, &cause.id))
        });
        let by_lesser_finding = diagnosis.findings.iter().any(|f| f.cause.as_ref() == Some(&cause.id));
        if !told && !by_lesser_finding && cause.severity >= Severity::Medium {
            issues.push(of_cause(cause));
        }
    }
    issues.sort_by_key(|i| std::cmp::Reverse(i.severity));
    issues
}

fn sorted(findings: &[Finding]) -> Vec<&Finding> {
    let mut findings: Vec<&Finding> = findings.iter().collect();
    findings.sort_by_key(|f| std::cmp::Reverse(f.severity));
    findings
}

fn add(issue: &mut Issue, finding: &Finding) {
    issue.findings.push(finding.code.clone());
    for (list, text) in [(&mut issue.impact, &finding.impact), (&mut issue.action, &finding.remedy)] {
        if !text.is_empty() && !list.contains(text) {
            list.push(text.clone());
        }
    }
}

/// Two causes of one tie are one trouble.
fn tied(diagnosis: &Diagnosis, a: &str, b: &str) -> bool {
    diagnosis.ties.iter().any(|t| t.causes.iter().any(|c| c == a) && t.causes.iter().any(|c| c == b))
}

fn of_cause(cause: &Cause) -> Issue {
    Issue {
        severity: cause.severity,
        title: cause.title.clone(),
        cause: Some(cause.id.clone()),
        findings: Vec::new(),
        impact: Vec::new(),
        action: cause.remedy.clone(),
    }
}
