//! The overall answer and the sentence that goes with it.
//!
//! Green has three conditions: every endpoint that counts was seen good, nothing observed of production speaks against
//! it, and nothing observed stands unexplained. Faults beside production (tests, limits, the project) do not touch it.

use landfall_evidence::Vantage;

use crate::case::Case;
use crate::findings::concerns_production;
use crate::view::{Grade, Reading, faults_in_words, why_unseen};
use crate::words::{all_of, count, either, lower_first};
use crate::{Finding, Label, Severity, Unexplained, Verdict};

/// The overall answer.
pub(crate) fn verdict(case: &Case<'_>, findings: &[Finding], unexplained: &[Unexplained]) -> Verdict {
    if case.production().is_none() {
        return Verdict::Unknown;
    }
    let worst = findings.iter().filter(|f| concerns_production(f)).map(|f| f.severity).max();
    if worst == Some(Severity::Critical) {
        return Verdict::NotLive;
    }
    let readings = case.view.readings(Vantage::Edge);
    let bad = readings.iter().filter(|r| r.fault().is_some()).count();
    let unseen =
        readings.iter().filter(|r| matches!(r.grade, Grade::Unseen(_)) && r.endpoint.is_safe()).count();
    if !case.view.serves(Vantage::Edge) {
        // With most of the answers hidden, one bad one does not speak for all.
        return if bad > 0 && bad >= unseen { Verdict::NotLive } else { Verdict::Unknown };
    }
    // A cause that is no more than possible still has signs of trouble behind it, which nothing else accounts for.
    let caused = case.main_cause().is_some_and(|c| c.severity >= Severity::Medium);
    if bad > 0 || worst >= Some(Severity::Medium) || caused || !unexplained.is_empty() {
        return Verdict::Degraded;
    }
    if unseen > 0 { Verdict::Unknown } else { Verdict::Live }
}

/// One sentence for a person, the cause included.
pub(crate) fn summary(
    case: &Case<'_>,
    verdict: Verdict,
    findings: &[Finding],
    unexplained: &[Unexplained],
) -> String {
    let host = case.production().and_then(|url| url.host_str()).unwrap_or("production");
    let readings = case.view.readings(Vantage::Edge);
    let good = readings.iter().filter(|r| r.is_good()).count();
    match verdict {
        Verdict::Live => {
            let beside =
                findings.iter().filter(|f| f.severity >= Severity::Medium && !concerns_production(f)).count();
            let rest = if beside == 0 {
                String::new()
            } else {
                format!("; {} beside it to mend", count(beside, "issue"))
            };
            format!("{host} serves the application: {}{rest}.", all_good(good))
        }
        Verdict::NotLive => format!("{host} does not serve the application: {}.", reason(case, findings)),
        Verdict::Degraded => {
            let why = if case.main_cause().is_none() && readings.iter().all(|r| r.fault().is_none()) {
                odd_or_worst(findings, unexplained)
            } else {
                reason(case, findings)
            };
            format!("{host} serves the application, but not as it should: {why}.")
        }
        Verdict::Unknown if case.production().is_none() => {
            "Nothing is known of production: no production URL was given.".into()
        }
        Verdict::Unknown if good > 0 => {
            format!(
                "{host} answers {good} of {} as it should; the others could not be seen ({}).",
                count(readings.len(), "endpoint"),
                why_unseen(&readings).unwrap_or_else(|| "no endpoint is known".into())
            )
        }
        Verdict::Unknown => {
            let why = case.why_blind().map(|cause| lower_first(&cause.title)).or(why_unseen(&readings));
            format!(
                "Nothing could be verified of {host}: {}.",
                why.unwrap_or_else(|| "no endpoint is known".into())
            )
        }
    }
}

fn all_good(good: usize) -> String {
    match good {
        1 => "its endpoint answers as it should".into(),
        n => format!("{} answer as they should", all_of(n, "endpoint")),
    }
}

fn reason(case: &Case<'_>, findings: &[Finding]) -> String {
    let symptom = {
        let readings = case.view.readings(Vantage::Edge);
        let bad: Vec<&Reading<'_>> = readings.iter().copied().filter(|r| r.fault().is_some()).collect();
        if bad.is_empty() {
            let weighty = findings.iter().find(|f| concerns_production(f) && f.severity >= Severity::Medium);
            weighty.map(|f| f.title.clone())
        } else {
            Some(faults_in_words(&bad, readings.len()))
        }
    };
    let after = symptom.as_ref().map(|s| format!("; {s}")).unwrap_or_default();
    let before = symptom.as_ref().map(|s| format!("{s}; ")).unwrap_or_default();
    let Some(cause) = case.main_cause() else {
        return format!("{before}the cause is not known");
    };
    let percent = |share: f64| format!("{:.0} %", share * 100.0);
    match case.tie_of(&cause.id) {
        Some(tie) => {
            let titles: Vec<String> =
                tie.causes.iter().map(|id| lower_first(case.cause(id).map_or(id, |c| &c.title))).collect();
            format!(
                "{before}one of {} causes that this evidence cannot tell apart ({} together): {}",
                titles.len(),
                percent(tie.confidence),
                either(&titles.iter().map(String::as_str).collect::<Vec<_>>())
            )
        }
        None => {
            let label = match cause.label {
                Label::Confirmed => "confirmed",
                Label::Likely => "likely",
                Label::Possible | Label::NotAssessed | Label::RuledOut => "possible",
            };
            format!("{} ({label}, {}){after}", cause.title, percent(cause.confidence))
        }
    }
}

fn odd_or_worst(findings: &[Finding], unexplained: &[Unexplained]) -> String {
    let worst = findings.iter().find(|f| concerns_production(f) && f.severity >= Severity::Medium);
    match (worst, unexplained) {
        (Some(finding), _) => finding.title.clone(),
        (None, [one]) => format!("one observation is unexplained ({})", one.what),
        (None, all) => format!("{} observations are unexplained", all.len()),
    }
}
