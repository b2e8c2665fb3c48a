//! The executive summary: one row a component, in a fixed order.

use std::collections::BTreeSet;
use std::net::IpAddr;

use landfall_evidence::{ObservationId, Observed, TestPurpose, Vantage};

use crate::attribution::vendor_name;
use crate::case::Case;
use crate::facts::turned_away;
use crate::findings::{self, TestOutcome, trusted_stores};
use crate::owners::OwnerRole;
use crate::rate_limit::{limit_in_words, refused_uses, run};
use crate::view::{Grade, Reading, faults_in_words};
use crate::words::{all_of, count, lower_first};
use crate::{Component, Finding, Severity, Status, Verdict};

/// All six rows.
pub(crate) fn components(case: &Case<'_>, findings: &[Finding], verdict: Verdict) -> Vec<Component> {
    vec![
        local(case, findings),
        production(case, findings, verdict),
        dns(case, findings),
        tls(case, findings),
        rate_limit(case, findings),
        tests(case, findings),
    ]
}

fn row(
    id: &str,
    name: &str,
    status: Status,
    severity: Option<Severity>,
    headline: impl Into<String>,
) -> Component {
    Component { id: id.into(), name: name.into(), status, severity, headline: headline.into() }
}

/// The state of a set of endpoints and the words for it. Unknown as soon as one was not seen and none was bad.
pub(crate) fn endpoints(readings: &[&Reading<'_>]) -> (Status, String) {
    let total = readings.len();
    let good = readings.iter().filter(|r| r.is_good()).count();
    let bad: Vec<&Reading<'_>> = readings.iter().copied().filter(|r| r.fault().is_some()).collect();
    let unseen = readings.iter().find_map(|r| match &r.grade {
        Grade::Unseen(why) => Some((&r.endpoint.path, why)),
        _ => None,
    });
    if total == 0 {
        return (Status::Unknown, "no endpoint is known".into());
    }
    if !bad.is_empty() {
        let status = if good == 0 { Status::Fail } else { Status::Warn };
        return (status, faults_in_words(&bad, total));
    }
    match unseen {
        None if total == 1 => (Status::Ok, format!("{} answers as it should", readings[0].endpoint.path)),
        None => (Status::Ok, format!("{} answer as they should", all_of(total, "endpoint"))),
        Some((_, why)) if good == 0 => (Status::Unknown, why.clone()),
        Some((path, why)) => {
            (Status::Unknown, format!("{good} of {} good; {path}: {why}", count(total, "endpoint")))
        }
    }
}

fn worst(findings: &[Finding], areas: &[&str]) -> Option<Severity> {
    findings.iter().filter(|f| areas.iter().any(|area| f.code.starts_with(area))).map(|f| f.severity).max()
}

fn worst_title<'f>(findings: &'f [Finding], area: &str) -> Option<&'f Finding> {
    findings.iter().filter(|f| f.code.starts_with(area)).max_by_key(|f| f.severity)
}

fn local(case: &Case<'_>, findings: &[Finding]) -> Component {
    const NAME: &str = "Local backend";
    if case.evidence().target.local.is_none() {
        return row("local", NAME, Status::Unknown, None, "not asked: no local backend is known");
    }
    let (status, headline) = endpoints(&case.view.readings(Vantage::Local));
    let severity = match status {
        Status::Fail | Status::Warn => worst(findings, &["LF-LOCAL-"]),
        _ => None,
    };
    row("local", NAME, status, severity, headline)
}

fn production(case: &Case<'_>, findings: &[Finding], verdict: Verdict) -> Component {
    const NAME: &str = "Production API";
    let found =
        worst(findings, &["LF-HTTP-", "LF-PATH-", "LF-DNS-", "LF-TLS-"]).filter(|s| *s >= Severity::Medium);
    // The row names the cause, so it carries the cause's weight; how production looks is the findings' to say.
    let severity = found.max(case.main_cause().map(|cause| cause.severity));
    let (_, seen) = endpoints(&case.view.readings(Vantage::Edge));
    match verdict {
        Verdict::Live => row("production", NAME, Status::Ok, None, seen),
        Verdict::Unknown => row("production", NAME, Status::Unknown, None, seen),
        Verdict::NotLive => row(
            "production",
            NAME,
            Status::Fail,
            severity.or(Some(Severity::Critical)),
            headline(case).unwrap_or(seen),
        ),
        Verdict::Degraded => {
            let status = if found >= Some(Severity::High) { Status::Fail } else { Status::Warn };
            row("production", NAME, status, severity.or(Some(Severity::Low)), headline(case).unwrap_or(seen))
        }
    }
}

/// The main cause in a few words.
fn headline(case: &Case<'_>) -> Option<String> {
    let cause = case.main_cause()?;
    let short = |id: &str, title: &str| {
        match id {
            "never-deployed" => "not deployed",
            "domain-not-attached" => "custom domain not attached",
            "domain-attached-to-other-app" => "another application answers",
            "deploy-failed-old-build-live" => "an older build is live",
            "health-check-too-shallow" => "main function fails behind a green health check",
            _ => return lower_first(title),
        }
        .to_owned()
    };
    match case.tie_of(&cause.id) {
        Some(tie) => {
            let names: Vec<String> = tie
                .causes
                .iter()
                .map(|id| short(id, case.cause(id).map_or(id.as_str(), |c| &c.title)))
                .collect();
            Some(names.join(", or "))
        }
        None => Some(short(&cause.id, &cause.title)),
    }
}

/// The addresses of the production name that any server gave.
fn addresses(case: &Case<'_>) -> BTreeSet<IpAddr> {
    let Some(host) = case.production_name() else { return BTreeSet::new() };
    case.evidence()
        .dns()
        .filter(|(_, seen)| seen.question.name == host)
        .filter_map(|(_, seen)| seen.answer.present())
        .flat_map(|answer| answer.data_of("A").chain(answer.data_of("AAAA")).filter_map(|a| a.parse().ok()))
        .collect()
}

/// The observations that gave the production name an address.
pub(crate) fn address_evidence(case: &Case<'_>) -> Vec<ObservationId> {
    let Some(host) = case.production_name() else { return Vec::new() };
    case.evidence()
        .dns()
        .filter(|(_, seen)| {
            seen.question.name == host && matches!(seen.question.rtype.as_str(), "A" | "AAAA")
        })
        .filter(|(_, seen)| seen.answer.present().is_some_and(|a| !a.answers.is_empty()))
        .map(|(o, _)| o.id.clone())
        .collect()
}

/// The owner of the production name's addresses, when they all have one and it is a CDN or WAF.
pub(crate) fn edge_vendor<'a>(case: &Case<'a>) -> Option<&'a str> {
    let addresses = addresses(case);
    let mut owners = addresses.iter().map(|a| case.catalogue().owner_of_address(*a));
    let first = owners.next()??;
    (first.role == OwnerRole::Edge && owners.all(|o| o.is_some_and(|o| o.vendor == first.vendor)))
        .then_some(&first.vendor)
}

pub(crate) fn dns(case: &Case<'_>, findings: &[Finding]) -> Component {
    const NAME: &str = "DNS resolution";
    if case.production().is_none() {
        return row("dns", NAME, Status::Unknown, None, "not asked: no production URL is known");
    }
    if case.production_name().is_none() {
        return row("dns", NAME, Status::Unknown, None, "not asked: the production URL names an address");
    }
    if let Some(finding) = worst_title(findings, "LF-DNS-").filter(|f| f.severity >= Severity::Medium) {
        if turned_away(case.evidence()) {
            // The resolver's word on who asks, and none on the name.
            return row("dns", NAME, Status::Unknown, None, finding.title.clone());
        }
        let status = if finding.severity >= Severity::High { Status::Fail } else { Status::Warn };
        return row("dns", NAME, status, Some(finding.severity), finding.title.clone());
    }
    let found = addresses(case);
    if found.is_empty() {
        let host = case.production_name();
        let why = case
            .evidence()
            .dns()
            .find(|(_, seen)| Some(seen.question.name.as_str()) == host)
            .map_or_else(|| "not asked".to_owned(), |(_, seen)| seen.answer.describe());
        return row("dns", NAME, Status::Unknown, None, why);
    }
    let (v4, v6): (Vec<&IpAddr>, Vec<&IpAddr>) = found.iter().partition(|a| a.is_ipv4());
    let owner = edge_vendor(case).map(|v| format!(", {}", vendor_name(v))).unwrap_or_default();
    row("dns", NAME, Status::Ok, None, format!("{} IPv4 and {} IPv6 addresses{owner}", v4.len(), v6.len()))
}

pub(crate) fn tls(case: &Case<'_>, findings: &[Finding]) -> Component {
    const NAME: &str = "TLS certificate";
    let Some(url) = case.production() else {
        return row("tls", NAME, Status::Unknown, None, "not asked: no production URL is known");
    };
    if url.scheme() != "https" {
        let severity = worst(findings, &["LF-TLS-017"]);
        let status = if severity.is_some() { Status::Warn } else { Status::Unknown };
        return row("tls", NAME, status, severity, "not used: production is reached over plain HTTP");
    }
    if let Some(finding) = worst_title(findings, "LF-TLS-").filter(|f| f.severity >= Severity::Medium) {
        let status = if finding.severity >= Severity::High { Status::Fail } else { Status::Warn };
        return row("tls", NAME, status, Some(finding.severity), finding.title.clone());
    }
    let mut seen = case.evidence().tls().filter(|(o, _)| o.vantage == Vantage::Edge).peekable();
    let first = seen.peek().map(|(_, s)| s.answer.describe());
    let Some(handshake) = seen.find_map(|(_, s)| s.answer.present()) else {
        return row("tls", NAME, Status::Unknown, None, first.unwrap_or_else(|| "not asked".into()));
    };
    let Some(leaf) = handshake.chain.first() else {
        return row("tls", NAME, Status::Unknown, None, "no certificate could be read");
    };
    if trusted_stores(handshake).is_empty() {
        return row("tls", NAME, Status::Unknown, None, "trust was not judged");
    }
    let left_days = (leaf.not_after.as_second() - case.evidence().started_at.as_second()).div_euclid(86_400);
    let until = leaf.not_after.strftime("%Y-%m-%d");
    row(
        "tls",
        NAME,
        Status::Ok,
        None,
        format!("valid until {until}, {} left", count(left_days.max(0) as usize, "day")),
    )
}

fn rate_limit(case: &Case<'_>, findings: &[Finding]) -> Component {
    const NAME: &str = "Rate limiting";
    let Some((_, run)) = run(case) else {
        let why = case
            .evidence()
            .rate_limit()
            .next()
            .map_or_else(|| "not asked".to_owned(), |(_, seen)| seen.answer.describe());
        return row("rate-limit", NAME, Status::Unknown, None, why);
    };
    if run.signal.is_none() {
        let answered = run.sequence.iter().filter(|s| s.status.is_some()).count();
        return if answered == 0 {
            row("rate-limit", NAME, Status::Unknown, None, "no request was answered")
        } else {
            row("rate-limit", NAME, Status::Ok, None, format!("{}, none refused", count(answered, "request")))
        };
    }
    let Some(limit) = limit_in_words(run) else {
        return row("rate-limit", NAME, Status::Unknown, None, "a limit was met and could not be measured");
    };
    if refused_uses(case, run).is_empty() {
        let harms =
            findings.iter().find(|f| f.code.starts_with("LF-RATE-") && f.severity >= Severity::Medium);
        return match harms {
            Some(harm) => {
                row("rate-limit", NAME, Status::Warn, Some(harm.severity), format!("{limit}: {}", harm.title))
            }
            None => row("rate-limit", NAME, Status::Ok, None, limit),
        };
    }
    row(
        "rate-limit",
        NAME,
        Status::Warn,
        worst(findings, &["LF-RATE-"]),
        format!("{limit}: too low for ordinary clients"),
    )
}

fn tests(case: &Case<'_>, findings: &[Finding]) -> Component {
    const NAME: &str = "Test suite";
    let Some((_, _, run)) = findings::declared_tests(case) else {
        let asked = case.evidence().tests().find(|(_, seen)| seen.purpose == TestPurpose::AsDeclared);
        let why = match (asked, &case.evidence().target.project) {
            (Some((_, seen)), _) if !matches!(seen.answer, Observed::Present(_)) => seen.answer.describe(),
            (_, None) => "not asked: no project folder is known".into(),
            _ => "not asked".into(),
        };
        return row("tests", NAME, Status::Unknown, None, why);
    };
    let outcome = findings::test_outcome(run);
    let severity = worst(findings, &["LF-TEST-"]);
    let headline = match outcome {
        TestOutcome::Passed => {
            let passed = run.counts.map_or(0, |c| c.passed) as usize;
            return row("tests", NAME, Status::Ok, None, format!("{} passed", count(passed, "test")));
        }
        TestOutcome::Uncollected => "import errors: the tests cannot be loaded".to_owned(),
        TestOutcome::Failed { failed, collected } => format!("{failed} of {} fail", count(collected, "test")),
        TestOutcome::NoneRan => "no test ran".into(),
        TestOutcome::Stopped => "the run did not end by itself".into(),
        TestOutcome::Broken { code } => format!("the command ended with exit status {code}"),
    };
    row("tests", NAME, Status::Fail, severity, headline)
}
