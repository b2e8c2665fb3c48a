//! From what was observed to how the check ended: pure, so that every case can be tried.
//!
//! A no and a silence of the target's side are down. What failed on this side, and what stood between the two (a
//! limiter, a challenge), is inconclusive and never counts against the target.

use landfall_diagnosis::{Catalogue, Meaning};
use landfall_evidence::{Denial, DnsAnswer, HttpResponse, Observed, Phase, ProbeFault, Silence};
use landfall_probe::http;

use crate::result::{Outcome, Reason};

/// How a check ended, with the line for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Said {
    pub(crate) outcome: Outcome,
    pub(crate) reason: Reason,
    pub(crate) say: String,
}

impl Said {
    pub(crate) fn down(reason: Reason, say: impl Into<String>) -> Self {
        Self { outcome: Outcome::Down, reason, say: say.into() }
    }

    pub(crate) fn degraded(reason: Reason, say: impl Into<String>) -> Self {
        Self { outcome: Outcome::Degraded, reason, say: say.into() }
    }

    pub(crate) fn inconclusive(reason: Reason, say: impl Into<String>) -> Self {
        Self { outcome: Outcome::Inconclusive, reason, say: say.into() }
    }
}

/// What an exchange without an answer means; `None` when there is one. `whom` names the peer.
pub(crate) fn fault<T>(answer: &Observed<T>, whom: &str) -> Option<Said> {
    Some(match answer {
        Observed::Present(_) => return None,
        Observed::Denied(denial) => denied(denial, whom),
        Observed::Silent(silence) => silent(*silence, whom),
        Observed::Unasked(fault) => unasked(fault),
    })
}

fn denied(denial: &Denial, whom: &str) -> Said {
    let say = format!("{whom}: {denial}");
    let reason = match denial {
        Denial::Malformed { phase: Phase::Resolve, .. } => {
            return Said::inconclusive(
                Reason::DnsSilent,
                format!("the resolver's answer for {whom} cannot be read"),
            );
        }
        Denial::Rcode(answer) => return rcode(answer, whom),
        Denial::Refused | Denial::Unreachable { .. } | Denial::Reset { .. } | Denial::Closed { .. } => {
            Reason::ConnectionError
        }
        Denial::TlsAlert { .. } | Denial::NotTls { .. } | Denial::VersionNotOffered { .. } => {
            Reason::TlsError
        }
        Denial::Malformed { phase: Phase::Tls, .. } => Reason::TlsError,
        Denial::Malformed { .. } | Denial::TooLarge { .. } => Reason::Malformed,
    };
    Said::down(reason, say)
}

fn silent(silence: Silence, whom: &str) -> Said {
    match silence.phase {
        Phase::Resolve => Said::inconclusive(Reason::DnsSilent, format!("no resolver answered for {whom}")),
        _ if silence.waited_us == 0 => Said::down(
            Reason::Timeout,
            format!("{whom}: the time was used up before the {} phase", silence.phase),
        ),
        _ => Said::down(Reason::Timeout, format!("{whom}: {silence}")),
    }
}

fn unasked(fault: &ProbeFault) -> Said {
    let reason = match fault {
        ProbeFault::Forbidden { .. } => Reason::Forbidden,
        ProbeFault::NoRoute { .. } => Reason::OwnConnection,
        ProbeFault::NotConfigured { .. }
        | ProbeFault::Skipped
        | ProbeFault::Blocked { .. }
        | ProbeFault::BudgetSpent { .. }
        | ProbeFault::DeadlineSpent
        | ProbeFault::Local { .. } => Reason::Local,
    };
    Said::inconclusive(reason, fault.to_string())
}

/// NXDOMAIN and SERVFAIL tell of the name's own servers; any other code tells of the resolver.
fn rcode(answer: &DnsAnswer, name: &str) -> Said {
    let code = &answer.rcode_name;
    match answer.rcode {
        0 => Said::down(Reason::DnsError, format!("{name} has no such records")),
        2 | 3 => Said::down(Reason::DnsError, format!("{name} does not resolve ({code})")),
        _ => Said::inconclusive(
            Reason::DnsSilent,
            format!("the resolvers refuse to answer for {name} ({code})"),
        ),
    }
}

/// Why a name has no address, asked of the server's own resolvers.
pub(crate) fn name(none: &Observed<DnsAnswer>, name: &str) -> Said {
    match none {
        Observed::Present(_) => Said::down(Reason::DnsError, format!("{name} has no address")),
        Observed::Denied(Denial::Rcode(answer)) => rcode(answer, name),
        Observed::Denied(denial) => {
            Said::inconclusive(Reason::DnsSilent, format!("no resolver answered for {name} ({denial})"))
        }
        Observed::Silent(_) => {
            Said::inconclusive(Reason::DnsSilent, format!("no resolver answered for {name}"))
        }
        Observed::Unasked(fault) => unasked(fault),
    }
}

/// What a DNS server that the monitor names says: there, the server itself is what is watched.
pub(crate) fn server<T>(answer: &Observed<T>, name: &str, at: &str) -> Option<Said> {
    Some(match answer {
        Observed::Denied(Denial::Rcode(answer)) => {
            Said::down(Reason::DnsError, format!("{at} says {} for {name}", answer.rcode_name))
        }
        Observed::Denied(Denial::Malformed { detail, .. }) => {
            Said::down(Reason::Malformed, format!("the answer of {at} for {name} cannot be read: {detail}"))
        }
        Observed::Silent(silence) => {
            let seconds = silence.waited_us as f64 / 1e6;
            Said::down(Reason::Timeout, format!("{at} did not answer for {name} within {seconds:.1} s"))
        }
        other => return fault(other, at),
    })
}

/// What stood between us and the target, if the response is the word of a limiter or a challenge and not the target's.
pub(crate) fn between(catalogue: &Catalogue, response: &HttpResponse) -> Option<Said> {
    /// Below this the catalogue itself is in doubt.
    const SURE: u8 = 60;
    let status = response.status;
    if http::refused_by_limiter(response) {
        let wait = response.header("retry-after").map(|wait| format!("; it asks to wait {wait}"));
        let wait = wait.filter(|text| text.len() < 60).unwrap_or_default();
        return Some(Said::inconclusive(
            Reason::RateLimited,
            format!("HTTP {status}: a rate limiter refused the check{wait}"),
        ));
    }
    let (signature, weight) = catalogue.most_likely(response)?;
    let (reason, what) = match signature.meaning {
        Meaning::WafChallenge => (Reason::Challenge, "a bot challenge"),
        Meaning::WafBlocked => (Reason::Challenge, "a block page"),
        Meaning::RateLimited => (Reason::RateLimited, "a rate limiter's page"),
        _ => return None,
    };
    let say = format!("HTTP {status}: {what} of {} answered in place of the target", signature.vendor);
    (weight >= SURE).then(|| Said::inconclusive(reason, say))
}

/// Whether a good status may still be a challenge's, so that it is worth a look into the catalogue.
pub(crate) fn may_be_challenge(response: &HttpResponse) -> bool {
    // AWS WAF challenges with 202, the others say so in a header of their own.
    response.status == 202
        || response
            .headers
            .iter()
            .any(|h| matches!(h.name.as_str(), "cf-mitigated" | "x-vercel-mitigated" | "x-amzn-waf-action"))
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{Body, Header, HttpVersion, ReadOnce};

    use super::*;

    fn answer(rcode: u16, name: &str) -> DnsAnswer {
        DnsAnswer {
            rcode,
            rcode_name: name.into(),
            authoritative: false,
            recursion_available: true,
            authentic_data: false,
            truncated: false,
            answers: Vec::new(),
            authority: Vec::new(),
            extended_errors: Vec::new(),
            glue: Vec::new(),
            signing: None,
        }
    }

    fn code(rcode: u16, name: &str) -> Observed<DnsAnswer> {
        Observed::Denied(Denial::Rcode(Box::new(answer(rcode, name))))
    }

    #[test]
    fn every_fault_of_an_exchange_has_its_outcome_and_reason() {
        use Outcome::{Down, Inconclusive};
        let phases = [Phase::Connect, Phase::Tls, Phase::Wait, Phase::Transfer, Phase::Run];
        let mut cases: Vec<(Observed<()>, Outcome, Reason)> = vec![
            (Observed::Denied(Denial::Refused), Down, Reason::ConnectionError),
            (Observed::Denied(Denial::Unreachable { detail: "x".into() }), Down, Reason::ConnectionError),
            (
                Observed::Denied(Denial::TlsAlert { code: 40, name: "handshake_failure".into() }),
                Down,
                Reason::TlsError,
            ),
            (Observed::Denied(Denial::NotTls { first_bytes: "SSH".into() }), Down, Reason::TlsError),
            (Observed::Denied(Denial::VersionNotOffered { chosen: None }), Down, Reason::TlsError),
            (
                Observed::Denied(Denial::TooLarge { what: "headers".into(), limit: 9 }),
                Down,
                Reason::Malformed,
            ),
            (
                Observed::Denied(Denial::Malformed { phase: Phase::Resolve, detail: "x".into() }),
                Inconclusive,
                Reason::DnsSilent,
            ),
            (
                Observed::Silent(Silence { phase: Phase::Resolve, waited_us: 1 }),
                Inconclusive,
                Reason::DnsSilent,
            ),
            (Observed::Silent(Silence { phase: Phase::Connect, waited_us: 0 }), Down, Reason::Timeout),
            (
                Observed::Unasked(ProbeFault::NotConfigured { what: "a".into(), mend: "b".into() }),
                Inconclusive,
                Reason::Local,
            ),
            (Observed::Unasked(ProbeFault::Skipped), Inconclusive, Reason::Local),
            (
                Observed::Unasked(ProbeFault::Blocked { by: "x".into(), reason: "y".into() }),
                Inconclusive,
                Reason::Local,
            ),
            (Observed::Unasked(ProbeFault::BudgetSpent { budget: 1 }), Inconclusive, Reason::Local),
            (Observed::Unasked(ProbeFault::DeadlineSpent), Inconclusive, Reason::Local),
            (
                Observed::Unasked(ProbeFault::NoRoute { family: "IPv6".into() }),
                Inconclusive,
                Reason::OwnConnection,
            ),
            (
                Observed::Unasked(ProbeFault::Forbidden {
                    address: [10, 0, 0, 1].into(),
                    why: "private (RFC 1918)".into(),
                }),
                Inconclusive,
                Reason::Forbidden,
            ),
            (Observed::Unasked(ProbeFault::Local { detail: "x".into() }), Inconclusive, Reason::Local),
        ];
        for phase in phases {
            let malformed = if phase == Phase::Tls { Reason::TlsError } else { Reason::Malformed };
            cases.push((Observed::Denied(Denial::Reset { phase }), Down, Reason::ConnectionError));
            cases.push((Observed::Denied(Denial::Closed { phase }), Down, Reason::ConnectionError));
            cases.push((Observed::Denied(Denial::Malformed { phase, detail: "x".into() }), Down, malformed));
            cases.push((Observed::Silent(Silence { phase, waited_us: 1 }), Down, Reason::Timeout));
        }
        for (observed, outcome, reason) in cases {
            let said = fault(&observed, "api.example.test").expect("no answer");
            assert_eq!((said.outcome, said.reason), (outcome, reason), "{observed:?}");
            assert!(!said.say.is_empty() && !said.say.contains('\n'));
        }
        assert_eq!(fault(&Observed::Present(()), "x"), None);
    }

    #[test]
    fn a_name_that_does_not_resolve_is_down_and_a_resolver_that_does_not_answer_is_not() {
        use Outcome::{Down, Inconclusive};
        for (observed, outcome, reason, says) in [
            (Observed::Present(answer(0, "NOERROR")), Down, Reason::DnsError, "has no address"),
            (code(3, "NXDOMAIN"), Down, Reason::DnsError, "NXDOMAIN"),
            (code(2, "SERVFAIL"), Down, Reason::DnsError, "SERVFAIL"),
            (code(5, "REFUSED"), Inconclusive, Reason::DnsSilent, "REFUSED"),
            (code(4, "NOTIMP"), Inconclusive, Reason::DnsSilent, "NOTIMP"),
            (Observed::Denied(Denial::Refused), Inconclusive, Reason::DnsSilent, "connection refused"),
            (
                Observed::Silent(Silence { phase: Phase::Resolve, waited_us: 3_000_000 }),
                Inconclusive,
                Reason::DnsSilent,
                "no resolver answered",
            ),
            (
                Observed::Unasked(ProbeFault::NoRoute { family: "IPv4".into() }),
                Inconclusive,
                Reason::OwnConnection,
                "no IPv4 route",
            ),
        ] {
            let said = name(&observed, "api.example.test");
            assert_eq!((said.outcome, said.reason), (outcome, reason), "{observed:?}");
            assert!(said.say.contains(says), "{}", said.say);
        }
    }

    #[test]
    fn a_server_that_is_watched_itself_is_down_when_it_refuses_or_says_nothing() {
        let silence = Silence { phase: Phase::Resolve, waited_us: 3_000_000 };
        for (observed, reason) in [
            (code(5, "REFUSED"), Reason::DnsError),
            (Observed::Denied(Denial::Refused), Reason::ConnectionError),
            (Observed::Silent(silence), Reason::Timeout),
            (
                Observed::Denied(Denial::Malformed { phase: Phase::Resolve, detail: "x".into() }),
                Reason::Malformed,
            ),
        ] {
            let said = server(&observed, "a.example.test", "192.0.2.53:53").expect("no answer");
            assert_eq!((said.outcome, said.reason), (Outcome::Down, reason));
        }
        let forbidden = Observed::<()>::Unasked(ProbeFault::Forbidden {
            address: [10, 0, 0, 1].into(),
            why: "private".into(),
        });
        assert_eq!(server(&forbidden, "a", "10.0.0.1:53").map(|s| s.reason), Some(Reason::Forbidden));
        assert_eq!(server(&Observed::Present(()), "a", "b"), None);
    }

    fn response(status: u16, headers: &[(&str, &str)], body: &str) -> HttpResponse {
        HttpResponse {
            version: HttpVersion::H2,
            status,
            headers: headers.iter().map(|(n, v)| Header { name: (*n).into(), value: (*v).into() }).collect(),
            body: Body {
                byte_count: body.len() as u64,
                complete: true,
                cut: None,
                text: Some(body.into()),
                sha256: String::new(),
                opening: None,
                simhash: None,
                document: None,
                decoded: None,
                read: ReadOnce::default(),
            },
            redirect_to: None,
        }
    }

    #[test]
    fn what_stands_between_is_no_word_of_the_target() {
        let catalogue = Catalogue::embedded();
        let reason = |r: &HttpResponse| between(catalogue, r).map(|said| (said.outcome, said.reason));
        let limited = Some((Outcome::Inconclusive, Reason::RateLimited));
        let challenge = Some((Outcome::Inconclusive, Reason::Challenge));
        assert_eq!(reason(&response(429, &[], "")), limited);
        assert_eq!(reason(&response(503, &[("retry-after", "5")], "")), None, "maintenance says that too");
        assert_eq!(
            reason(&response(503, &[("retry-after", "5"), ("x-ratelimit-remaining", "0")], "")),
            limited
        );
        let cloudflare =
            [("server", "cloudflare"), ("cf-mitigated", "challenge"), ("content-type", "text/html")];
        assert_eq!(reason(&response(403, &cloudflare, "<title>Just a moment...</title>")), challenge);
        assert!(may_be_challenge(&response(200, &cloudflare, "")));
        assert_eq!(reason(&response(404, &[("content-type", "text/plain")], "Not Found")), None);
        assert_eq!(reason(&response(500, &[], "boom")), None);
        assert!(!may_be_challenge(&response(200, &[("server", "nginx")], "")));
    }
}
