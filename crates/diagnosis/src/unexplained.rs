//! Observations of production that nothing accounts for.
//!
//! Every answer under the public name or the platform's own name must be as it should be, be what a finding says,
//! speak for a named cause, or fall under one of the rules below. What is left blocks a green verdict: anomalies that
//! were explained away have hidden outages before.
//!
//! A finding that merely rests on an answer does not account for it: that an error page lacks its character set says
//! nothing of why there is an error.

use std::collections::BTreeSet;

use landfall_evidence::{
    Denial, DnsObservation, HttpObservation, HttpResponse, HttpVersion, Observation, ObservationId, Observed,
    Phase, Purpose, Seen, Vantage,
};

use crate::case::Case;
use crate::causes::UNKNOWN_CAUSE_DB;
use crate::findings::{self, FindingCode};
use crate::view::Grade;
use crate::{Finding, Label, Severity, Unexplained};

/// Codes of low weight that state the unexpected outcome itself. The others of their weight speak of the form of an answer,
/// of its speed, or of what could be better, whatever the answer was.
const OUTCOMES: &[FindingCode] = &[
    findings::DNS_SPREADING,
    findings::HTTP_ORIGIN_NOT_SERVED,
    findings::HTTP_CONTROL_ALIKE,
    findings::HTTP_NO_H2,
    findings::HTTP_NO_H3,
    findings::HTTP_H3_DEAD,
    findings::HTTP_RECORD_H3_DEAD,
    findings::HTTP_NO_REDIRECT,
    findings::HTTP_SOFT_404,
    findings::HTTP_MASKED_404,
    findings::HTTP_LONG_CHAIN,
    findings::PATH_NOT_THE_APP,
    findings::PATH_ORIGIN_DIFFERS,
    findings::PATH_PROXY_STATUS,
    findings::RATE_OTHER_STATUS,
    findings::RATE_HID_ANSWERS,
];

/// Whether a finding says what was unexpected about the observations that it rests on. One of medium weight or more keeps
/// the verdict from being green by itself, so that nothing is hidden behind it; the same code may weigh less where it
/// concerns one server of several, or the platform's own name.
fn states_the_outcome(finding: &Finding) -> bool {
    let code = findings::finding_codes().iter().find(|code| code.code == finding.code);
    finding.severity >= Severity::Medium
        || code.is_some_and(|code| code.severity >= Severity::Medium)
        || OUTCOMES.iter().any(|code| code.code == finding.code)
}

/// All observations that nothing accounts for, in the order of asking.
pub(crate) fn unexplained(
    case: &Case<'_>,
    findings: &[Finding],
    by_engine: &BTreeSet<ObservationId>,
) -> Vec<Unexplained> {
    let mut known: BTreeSet<&ObservationId> =
        findings.iter().filter(|f| states_the_outcome(f)).flat_map(|f| &f.evidence).collect();
    let named = case.causes.iter().filter(|c| c.label >= Label::Possible && c.score_db > UNKNOWN_CAUSE_DB);
    known.extend(named.flat_map(|c| c.evidence_for.iter().flat_map(|a| &a.evidence)));
    known.extend(by_engine);
    case.evidence()
        .observations
        .iter()
        .filter(|o| matches!(o.vantage, Vantage::Edge | Vantage::Origin) && !known.contains(&o.id))
        .filter_map(|o| Some(Unexplained { what: what(case, o, &known)?, evidence: o.id.clone() }))
        .collect()
}

/// What is odd about an observation; `None` when it is as it should be or a rule explains it.
fn what(case: &Case<'_>, observation: &Observation, known: &BTreeSet<&ObservationId>) -> Option<String> {
    let name = observation.vantage;
    match &observation.seen {
        Seen::Http(seen) => http(case, observation, seen, known).map(|odd| {
            format!(
                "{} {} ({name}, {}): {odd}",
                seen.request.method,
                seen.request.path,
                purpose(seen.request.purpose)
            )
        }),
        Seen::Tls(seen) => match &seen.answer {
            Observed::Denied(_) => Some(seen.answer.describe()),
            Observed::Silent(_) if case.view.vantage_is_sane() => Some(seen.answer.describe()),
            _ => None,
        }
        .map(|odd| format!("TLS with {} at {} ({name}): {odd}", seen.question.host, seen.question.address)),
        // What the parent, a copy elsewhere or a question with special flags says is circumstance, and so are the controls.
        Seen::Dns(seen) if !seen.question.is_plain() || !is_of_the_domain(case, &seen.question.name) => None,
        Seen::Dns(seen) => match &seen.answer {
            // A missing name is odd only for the names that are used; those above it need not exist.
            Observed::Denied(Denial::Rcode(answer))
                if answer.rcode == 3 && !is_used(case, &seen.question.name) =>
            {
                None
            }
            // That a name does not exist holds for all of its types (RFC 2308, section 5).
            Observed::Denied(Denial::Rcode(answer))
                if answer.rcode == 3 && is_known_to_be_missing(case, &seen.question.name, known) =>
            {
                None
            }
            // One server's silence is a finding when it is the whole server's; a lost datagram is not.
            Observed::Denied(Denial::Rcode(answer)) => Some(answer.rcode_name.clone()),
            _ => None,
        }
        .map(|odd| format!("DNS {} {} ({name}): {odd}", seen.question.name, seen.question.rtype)),
        // A look at a door follows from something that is odd already.
        Seen::RateLimit(_)
        | Seen::Rdap(_)
        | Seen::TlsSurvey(_)
        | Seen::Project(_)
        | Seen::Tests(_)
        | Seen::Door(_)
        | Seen::Log(_) => None,
    }
}

/// Whether a cause or a finding rests on an answer by which the same name does not exist.
fn is_known_to_be_missing(case: &Case<'_>, name: &str, known: &BTreeSet<&ObservationId>) -> bool {
    let denied = |seen: &DnsObservation| matches!(&seen.answer, Observed::Denied(Denial::Rcode(answer)) if answer.rcode == 3);
    let mut same = case.evidence().dns().filter(|(_, seen)| seen.question.name == name && denied(seen));
    same.any(|(observation, _)| known.contains(&observation.id))
}

/// Whether a name lies in the registered domain of a host of the target, and is no control.
fn is_of_the_domain(case: &Case<'_>, name: &str) -> bool {
    let target = &case.evidence().target;
    let hosts = [&target.production, &target.origin].into_iter().flatten().filter_map(|url| url.host_str());
    let inside = |domain: &str| name == domain || name.ends_with(&format!(".{domain}"));
    hosts.filter_map(psl::domain_str).any(inside) && !name.starts_with("landfall-")
}

fn is_used(case: &Case<'_>, name: &str) -> bool {
    let target = &case.evidence().target;
    [&target.production, &target.origin].into_iter().flatten().any(|url| url.host_str() == Some(name))
}

fn http(
    case: &Case<'_>,
    observation: &Observation,
    seen: &HttpObservation,
    known: &BTreeSet<&ObservationId>,
) -> Option<String> {
    let request = &seen.request;
    match &seen.answer {
        // A trial asks what no client asks; its answer is for the causes to judge.
        _ if request.purpose == Purpose::Trial => None,
        Observed::Unasked(_) => None,
        Observed::Silent(_) if !case.view.vantage_is_sane() => None,
        // Nothing on port 80 is a choice; so is a version that is not offered.
        Observed::Denied(Denial::Refused) if request.purpose == Purpose::PlainHttp => None,
        Observed::Silent(silence)
            if request.purpose == Purpose::PlainHttp && silence.phase == Phase::Connect =>
        {
            None
        }
        Observed::Denied(Denial::VersionNotOffered { .. }) => None,
        // Without an announcement nobody is invited to UDP, so that nothing answers there is not odd.
        Observed::Denied(_) | Observed::Silent(_)
            if request.purpose == Purpose::Version
                && request.version == HttpVersion::H3
                && !announces_h3(case) =>
        {
            None
        }
        Observed::Denied(_) | Observed::Silent(_) => Some(seen.answer.describe()),
        Observed::Present(response) => odd_response(case, observation, seen, response, known),
    }
}

fn announces_h3(case: &Case<'_>) -> bool {
    case.evidence().http().any(|(o, seen)| {
        o.vantage == Vantage::Edge
            && seen
                .answer
                .present()
                .and_then(|r| r.header("alt-svc"))
                .is_some_and(|value| value.contains("h3"))
    })
}

fn odd_response(
    case: &Case<'_>,
    observation: &Observation,
    seen: &HttpObservation,
    response: &HttpResponse,
    known: &BTreeSet<&ObservationId>,
) -> Option<String> {
    let status = response.status;
    let odd = || Some(format!("answered {status}"));
    if case.view.is_refusal(&observation.id) {
        return if refusal_is_explained(case, observation, seen) { None } else { odd() };
    }
    let same_as_known = || {
        // The same status on the same path, on another address or in another version, is the same fact again.
        case.view.exchanges.at(observation.vantage, Purpose::Endpoint, &seen.request.path).is_some_and(
            |first| {
                let id = &first.observation.id;
                let good = || {
                    case.view.readings(observation.vantage).iter().any(|r| r.id() == Some(id) && r.is_good())
                };
                first.response().is_some_and(|r| r.status == status) && (known.contains(id) || good())
            },
        )
    };
    match seen.request.purpose {
        // That an unknown path does not exist is what should be said of it; 401 and 403 say even less.
        Purpose::Control if (400..500).contains(&status) => None,
        Purpose::Control => odd(),
        Purpose::PlainHttp if (300..400).contains(&status) => None,
        Purpose::Endpoint | Purpose::RouteExistence => {
            let graded = case.view.readings(observation.vantage).into_iter().find(|r| {
                r.endpoint.path == seen.request.path
                    && r.at.is_some_and(|(_, s)| s.request.purpose == seen.request.purpose)
            });
            match graded.map(|r| (&r.grade, r.id() == Some(&observation.id))) {
                Some((Grade::Good | Grade::Unseen(_), true)) => None,
                // An earlier attempt that a later, good one replaced: an answer that changes by itself is odd.
                Some((_, false)) if (200..300).contains(&status) || same_as_known() => None,
                Some(_) => odd(),
                // A guessed path that does not count.
                None if matches!(status, 200..=399 | 401 | 403 | 404 | 405 | 410) => None,
                None => odd(),
            }
        }
        // Where a redirect led is told by the endpoint that was redirected.
        Purpose::Redirect if status < 400 => None,
        _ if (200..300).contains(&status) || same_as_known() => None,
        _ => odd(),
    }
}

/// A refusal is explained when the limiter was measured, or when the same question succeeded later.
fn refusal_is_explained(case: &Case<'_>, observation: &Observation, seen: &HttpObservation) -> bool {
    let measured = case.evidence().rate_limit().any(|(o, limit)| {
        o.vantage == observation.vantage && limit.answer.present().is_some_and(|run| run.signal.is_some())
    });
    let request = &seen.request;
    measured
        || case.evidence().http_of(observation.vantage, request.purpose).any(|(later, other)| {
            other.request.path == request.path
                && later.attempt > observation.attempt
                && other.answer.present().is_some()
                && !case.view.is_refusal(&later.id)
        })
}

fn purpose(purpose: Purpose) -> &'static str {
    match purpose {
        Purpose::Endpoint => "endpoint",
        Purpose::Control => "unknown path",
        Purpose::RouteExistence => "does the route exist",
        Purpose::AddressParity => "another address",
        Purpose::Version => "another version",
        Purpose::PlainHttp => "plain HTTP",
        Purpose::Redirect => "redirect followed",
        Purpose::RateLimit => "rate limit",
        Purpose::Verification => "verification",
        Purpose::Asset => "asset",
        Purpose::Trial => "trial",
    }
}

#[cfg(test)]
mod tests {
    use landfall_evidence::Silence;

    use super::*;
    use crate::Verdict;
    use crate::catalogue::Catalogue;
    use crate::testkit::response;
    use crate::testworld::{World, deployed, refusal, undeployed};
    use crate::view::View;

    fn odd(world: &World) -> Vec<String> {
        world.diagnose().unexplained.into_iter().map(|u| u.what).collect()
    }

    fn silence() -> Observed<HttpResponse> {
        Observed::Silent(Silence { phase: Phase::Connect, waited_us: 1_000_000 })
    }

    type Edit = fn(&mut HttpObservation);

    #[test]
    fn what_is_expected_or_reported_is_not_odd() {
        let cases: &[(&str, Edit)] = &[
            ("healthy", |_| {}),
            ("an unknown path that asks for credentials", |s| status(s, Purpose::Control, 401)),
            ("port 80 is closed", |s| answer(s, Purpose::PlainHttp, Observed::Denied(Denial::Refused))),
            ("port 80 is filtered", |s| answer(s, Purpose::PlainHttp, silence())),
            ("a version is not offered", |s| {
                answer(s, Purpose::Version, Observed::Denied(Denial::VersionNotOffered { chosen: None }))
            }),
            ("HTTP/3 is announced and dead: a finding", |s| {
                if s.request.version == HttpVersion::H3 {
                    s.answer = silence();
                }
            }),
            ("other addresses fail: a finding", |s| status(s, Purpose::AddressParity, 503)),
        ];
        for (name, edit) in cases {
            assert_eq!(odd(&deployed().edit_http(edit)), Vec::<String>::new(), "{name}");
        }
        assert_eq!(
            odd(&undeployed()),
            Vec::<String>::new(),
            "the cause and its findings account for everything"
        );
    }

    #[test]
    fn what_nobody_reports_is_odd() {
        let cases: &[(&str, Edit)] = &[
            ("another version answers otherwise", |s| status(s, Purpose::Version, 502)),
            ("another version breaks off", |s| {
                answer(s, Purpose::Version, Observed::Denied(Denial::Reset { phase: Phase::Wait }));
            }),
            ("the paced requests answer otherwise", |s| status(s, Purpose::RateLimit, 500)),
        ];
        for (name, edit) in cases {
            let world = deployed().edit_http(edit);
            // A cause may speak for it; then it is no more odd, and no more green either.
            let diagnosis = world.diagnose();
            let found = diagnosis.findings.iter().any(|f| f.severity >= Severity::Medium);
            assert!(!odd(&world).is_empty() || !diagnosis.causes.is_empty() || found, "{name}");
            assert_eq!(world.diagnose().verdict, Verdict::Degraded, "{name}: nothing is green over it");
        }
    }

    #[test]
    fn a_finding_about_the_form_of_an_answer_does_not_explain_it() {
        let world = deployed().edit_http(|s| status(s, Purpose::Version, 502));
        let catalogue = Catalogue::embedded();
        let case = Case::without_causes(View::new(&world.0, catalogue));
        let none = unexplained(&case, &[], &BTreeSet::new());
        let odd = &none.first().expect("a 502 in another version is odd").evidence;
        let about = |code: &FindingCode, severity| Finding {
            code: code.code.to_owned(),
            severity,
            title: String::new(),
            impact: String::new(),
            remedy: String::new(),
            evidence: vec![odd.clone()],
            cause: None,
        };
        let left =
            |finding| unexplained(&case, &[finding], &BTreeSet::new()).iter().any(|u| u.evidence == *odd);
        for code in [&findings::HTTP_ERROR_FORM, &findings::HTTP_NO_CHARSET, &findings::HTTP_SLOW] {
            assert!(left(about(code, code.severity)), "{}: the form is not the failure", code.code);
        }
        assert!(!left(about(&findings::HTTP_RECORD_H3_DEAD, Severity::Low)), "that is the failure");
        // One server of several, or the platform's own name: the same statement with less weight.
        assert!(!left(about(&findings::HTTP_VERSION_FAILS, Severity::Low)));
        assert!(!left(about(&findings::HTTP_ERROR_FORM, Severity::Medium)), "not green by itself");
    }

    #[test]
    fn a_refusal_is_explained_by_a_measured_limiter_or_by_a_later_success() {
        let refused =
            |world: World| world.edit_http(|s| answer(s, Purpose::Version, Observed::Present(refusal())));
        assert_eq!(odd(&refused(undeployed())), Vec::<String>::new(), "the limiter was measured");
        let mut repeated = refused(deployed());
        let named = repeated.diagnose().causes.iter().any(|c| c.rung == "rate-limit");
        assert!(
            named || !odd(&repeated).is_empty(),
            "not measured: a named cause or an open question, {:?}",
            odd(&repeated)
        );
        for version in ["a", "b"] {
            let good = Observed::Present(
                response(200)
                    .header("content-type", "application/json")
                    .body(r#"{"ok":true,"ts":1}"#)
                    .build(),
            );
            let id = repeated.http(Vantage::Edge, Purpose::Version, "/health", good);
            if let Some(last) = repeated.0.observations.last_mut() {
                last.id = format!("{id} {version}").into();
                last.attempt = 2;
            }
        }
        assert_eq!(odd(&repeated), Vec::<String>::new());
    }

    fn status(seen: &mut HttpObservation, purpose: Purpose, status: u16) {
        if let (true, Observed::Present(r)) = (seen.request.purpose == purpose, &mut seen.answer) {
            r.status = status;
        }
    }

    fn answer(seen: &mut HttpObservation, purpose: Purpose, answer: Observed<HttpResponse>) {
        if seen.request.purpose == purpose {
            seen.answer = answer;
        }
    }
}
