//! What the two usual ways of naming a cause would have said: for comparison, and written as well as they can be.
//!
//! Both read the evidence alone, know nothing of the engine, and give one name or none.

use landfall_evidence::{
    Denial, DnsServerRole, Evidence, HttpResponse, Observed, Purpose, TestPurpose, TrustRefusal, TrustResult,
    Vantage,
};

/// **First failing check.** Name, port, certificate, status, tests, in the order in which a person or a monitor with
/// several checks goes through them; the first that fails gives the name of what most often makes it fail.
pub fn first_failing_check(evidence: &Evidence) -> Option<&'static str> {
    name_check(evidence)
        .or_else(|| port_check(evidence))
        .or_else(|| certificate_check(evidence))
        .or_else(|| status_code_table(evidence))
        .or_else(|| tests_check(evidence))
}

/// **Status-code table.** The status of the first endpoint that does not answer as declared, and the cause that most
/// often stands behind it.
pub fn status_code_table(evidence: &Evidence) -> Option<&'static str> {
    for endpoint in evidence.target.endpoints.iter().filter(|e| e.is_safe()) {
        let Some((_, seen)) = evidence.http_at(Vantage::Edge, Purpose::Endpoint, &endpoint.path) else {
            continue;
        };
        match &seen.answer {
            Observed::Present(response) if endpoint.expect.accepts_status(response.status) => {}
            Observed::Present(response) => return by_status(response),
            Observed::Silent(_) => return Some("firewall-drops-packets"),
            Observed::Denied(Denial::Refused) => return Some("port-refused"),
            Observed::Denied(_) | Observed::Unasked(_) => {}
        }
    }
    None
}

fn by_status(response: &HttpResponse) -> Option<&'static str> {
    Some(match response.status {
        301 | 302 | 307 | 308 => "edge-redirect-loop",
        401 => "edge-access-login-wall",
        403 => "edge-waf-blocks",
        404 => "never-deployed",
        405 => "method-not-allowed",
        413 | 431 => "edge-body-or-header-limit",
        429 => "edge-rate-limit",
        500 => "unhandled-exception",
        502 | 521 => "edge-origin-refused",
        503 => "process-crash-loop",
        504 | 522 => "edge-origin-timeout",
        520 => "edge-origin-bad-response",
        523 | 530 => "edge-origin-unresolvable",
        524 => "origin-slow-response",
        525 => "edge-origin-tls-handshake-fails",
        526 => "edge-origin-cert-invalid",
        _ => return None,
    })
}

fn name_check(evidence: &Evidence) -> Option<&'static str> {
    let host = evidence.target.production.as_ref()?.host_str()?;
    let mut addresses = 0;
    let mut asked = false;
    for (_, seen) in evidence.dns().filter(|(_, s)| s.question.server.role != DnsServerRole::Authoritative) {
        if seen.question.name != host || !matches!(seen.question.rtype.as_str(), "A" | "AAAA") {
            continue;
        }
        match &seen.answer {
            Observed::Present(answer) => {
                asked = true;
                addresses += answer.data_of("A").chain(answer.data_of("AAAA")).count();
            }
            Observed::Denied(Denial::Rcode(answer)) => match answer.rcode {
                3 => return Some("record-missing"),
                2 => return Some("delegation-lame"),
                _ => asked = true,
            },
            _ => {}
        }
    }
    (asked && addresses == 0).then_some("record-type-missing")
}

fn port_check(evidence: &Evidence) -> Option<&'static str> {
    for (observation, seen) in evidence.http() {
        if observation.vantage != Vantage::Edge || seen.request.purpose != Purpose::Endpoint {
            continue;
        }
        match &seen.answer {
            Observed::Denied(Denial::Refused) => return Some("port-refused"),
            Observed::Denied(Denial::Unreachable { .. }) => return Some("provider-or-region-outage"),
            Observed::Silent(silence) if silence.phase == landfall_evidence::Phase::Connect => {
                return Some("firewall-drops-packets");
            }
            _ => return None,
        }
    }
    None
}

fn certificate_check(evidence: &Evidence) -> Option<&'static str> {
    for (observation, seen) in evidence.tls() {
        if observation.vantage != Vantage::Edge {
            continue;
        }
        match &seen.answer {
            Observed::Present(handshake) => {
                let trusted =
                    |t: &&landfall_evidence::TrustPath| matches!(t.result, TrustResult::Trusted { .. });
                let refusal = handshake.trust.iter().find_map(|t| match &t.result {
                    TrustResult::Refused { reason, .. } => Some(*reason),
                    TrustResult::Trusted { .. } => None,
                });
                if !handshake.name_matches {
                    return Some("cert-name-mismatch");
                }
                if handshake.trust.iter().find(trusted).is_none() {
                    return match refusal? {
                        TrustRefusal::Expired => Some("cert-expired"),
                        TrustRefusal::NotYetValid => Some("cert-not-yet-valid"),
                        TrustRefusal::UnknownIssuer | TrustRefusal::SelfSigned => Some("cert-self-signed"),
                        TrustRefusal::IncompleteChain => Some("cert-chain-incomplete"),
                        TrustRefusal::NameMismatch => Some("cert-name-mismatch"),
                        TrustRefusal::Other => None,
                    };
                }
            }
            Observed::Denied(Denial::TlsAlert { .. }) => return Some("tls-sni-unknown"),
            Observed::Denied(Denial::NotTls { .. }) => return Some("tls-port-speaks-plain-http"),
            _ => {}
        }
    }
    None
}

fn tests_check(evidence: &Evidence) -> Option<&'static str> {
    let (_, seen) = evidence.tests().find(|(_, seen)| seen.purpose == TestPurpose::AsDeclared)?;
    let run = seen.answer.present()?;
    if !run.collection_errors.is_empty() {
        return Some("tests-cannot-import-project");
    }
    match run.counts {
        Some(counts) if counts.failed > 0 => Some("tests-fail-for-real"),
        Some(counts) if counts.collected == 0 => Some("tests-not-run"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use landfall_diagnosis::Catalogue;

    use super::*;
    use crate::variants::testkit;

    #[test]
    fn both_name_something_in_a_broken_world_and_nothing_in_a_whole_one() {
        let broken = testkit::case().evidence;
        assert_eq!(status_code_table(&broken), Some("never-deployed"), "404 is what it shows");
        assert_eq!(first_failing_check(&broken), Some("never-deployed"));
        let whole = testkit::healthy().evidence;
        assert_eq!(status_code_table(&whole), None);
        assert_eq!(first_failing_check(&whole), None);
    }

    #[test]
    fn every_name_is_a_fault_of_the_catalogue() {
        let mut response =
            testkit::case().evidence.http().find_map(|(_, s)| s.answer.present().cloned()).expect("one");
        let mut names = 0;
        for status in 300..600 {
            response.status = status;
            if let Some(name) = by_status(&response) {
                assert!(Catalogue::embedded().fault(name).is_some(), "{name}");
                names += 1;
            }
        }
        assert!(names > 15);
    }

    #[test]
    fn the_name_comes_before_the_status() {
        let mut evidence = testkit::case().evidence;
        let host = evidence.target.production.as_ref().and_then(|u| u.host_str()).expect("a host").to_owned();
        for observation in &mut evidence.observations {
            if let landfall_evidence::Seen::Dns(seen) = &mut observation.seen
                && seen.question.name == host
                && let Observed::Present(answer) = seen.answer.clone()
            {
                let answer =
                    landfall_evidence::DnsAnswer { rcode: 3, rcode_name: "NXDOMAIN".to_owned(), ..answer };
                seen.answer = Observed::Denied(Denial::Rcode(Box::new(answer)));
            }
        }
        assert_eq!(first_failing_check(&evidence), Some("record-missing"));
    }
}
