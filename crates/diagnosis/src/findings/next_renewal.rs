//! Whether the certificate in use will have a successor: what an authority looks at before it issues, as one finding.
//!
//! **Policy.** CAA and DNSSEC stand in the way of every public authority. The path of the HTTP challenge matters only where
//! the certificate is renewed by it, which cannot be seen from outside, so that such a finding says so and weighs less. Only
//! what an authority would stumble over counts: it follows redirects to the ports 80 and 443 (Let's Encrypt, "Challenge
//! types"), it takes IPv6 where there is an address and goes over to IPv4 only when the connection times out (Let's Encrypt,
//! "IPv6 support"), and a fallback page says nothing of a real token. That we were refused does not prove that an authority
//! is, which is said as well.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::Timestamp;
use landfall_evidence::{
    Certificate, Denial, DnsObservation, DoorAnswer, DoorAsk, DoorObservation, Observation, ObservationId,
    Observed, TlsHandshake, Vantage,
};
use url::Url;

use super::{codes, dns, raise, tls, with_severity};
use crate::case::Case;
use crate::facts::challenge;
use crate::words::in_words;
use crate::{Finding, Severity};

const DAY_S: i64 = 86_400;

/// The longest life of a certificate that is taken for one that a program renews by a challenge. Public certificates of
/// more are a thing of the past from March 2027 on (ballot SC-081v3).
const BY_PROGRAM_S: i64 = 100 * DAY_S;

/// Findings that mean that a validating resolver, which an authority has to use, gets no answer.
const BROKEN_CHAIN: &[&str] = &[
    codes::DNS_SIGNATURES_BROKEN.code,
    codes::DNS_DS_WITHOUT_KEY.code,
    codes::DNS_SIGNATURE_TIME.code,
    codes::DNS_SIGNATURE_INVALID.code,
    codes::DNS_UNSIGNED.code,
];

/// Something that an authority stumbles over.
struct Obstacle {
    words: String,
    proof: Vec<ObservationId>,
    /// Whether it is in the way of every validation, and not of the HTTP challenge alone.
    always: bool,
}

/// The prediction, from the findings about the parts and the looks at the path of the challenge.
pub(super) fn finding(case: &Case<'_>, others: &[Finding]) -> Option<Finding> {
    let host = case.production_name()?;
    let now = case.evidence().started_at;
    let (observation, handshake) = case.evidence().tls().find_map(|(o, seen)| {
        let of_production = o.vantage == Vantage::Edge && seen.question.host == host;
        Some((o, seen.answer.present().filter(|_| of_production)?))
    })?;
    let leaf = handshake.chain.first().filter(|leaf| leaf.not_after > now && !leaf.self_issued)?;
    let mut obstacles = Vec::new();
    obstacles.extend(records(others, handshake, leaf));
    obstacles.extend(no_answer_to_caa(case, host, handshake, leaf));
    if leaf.not_after.as_second() - leaf.not_before.as_second() <= BY_PROGRAM_S {
        obstacles.extend(challenges(case, host));
    }
    if obstacles.is_empty() {
        return None;
    }
    let words: Vec<&str> = obstacles.iter().map(|o| o.words.as_str()).collect();
    let certain = obstacles.iter().any(|o| o.always);
    let left_days = (leaf.not_after.as_second() - now.as_second()).div_euclid(DAY_S);
    let due = tls::is_due(leaf, now);
    let severity = match (certain, due) {
        (true, true) => Severity::High,
        (true, false) | (false, true) => Severity::Medium,
        (false, false) => Severity::Low,
    };
    let will = if certain { "will fail" } else { "will fail where it goes by the HTTP challenge" };
    let finding = raise(
        &codes::TLS_NEXT_RENEWAL,
        format!("The next renewal of the certificate of {host} {will}: {}", in_words(&words)),
        format!(
            "The certificate ends on {}, in {left_days} days; renewal {} {}. From then on every client refuses to connect.",
            date(leaf.not_after),
            if due { "has been due since" } else { "is due from" },
            date(tls::due_from(leaf)),
        ),
        "Mend what stands in the way, then let the renewal run once by hand (certbot renew --dry-run and its like) while the old certificate still holds.",
        std::iter::once(observation.id.clone()).chain(obstacles.into_iter().flat_map(|o| o.proof)).collect(),
    );
    Some(with_severity(finding, severity))
}

fn date(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d").to_string()
}

/// Whether a public authority issued it, which is bound to CAA and DNSSEC: by the stores, or by its name.
fn is_public(handshake: &TlsHandshake, leaf: &Certificate) -> bool {
    let known =
        leaf.issuer_organisation.as_deref().is_some_and(|name| dns::authority_domains(name).is_some());
    known || tls::trusted_stores(handshake).iter().any(|store| !tls::is_callers_store(store))
}

/// What other findings have shown about CAA and DNSSEC.
fn records(others: &[Finding], handshake: &TlsHandshake, leaf: &Certificate) -> Vec<Obstacle> {
    if !is_public(handshake, leaf) {
        return Vec::new();
    }
    let part = |finding: &Finding, what: &str| Obstacle {
        words: format!("{what} ({})", finding.title),
        proof: finding.evidence.clone(),
        always: true,
    };
    let caa = others.iter().find(|f| f.code == codes::DNS_CAA_FORBIDS_ISSUER.code);
    // A fault of one server of several weighs less: an authority that comes to another one passes.
    let chain =
        others.iter().find(|f| f.severity == Severity::Critical && BROKEN_CHAIN.contains(&f.code.as_str()));
    let caa = caa.map(|finding| part(finding, "CAA forbids it"));
    caa.into_iter().chain(chain.map(|finding| part(finding, "DNSSEC is broken"))).collect()
}

/// A question for CAA that everybody fails, in a zone whose addresses are answered: old servers do that. Let's Encrypt takes
/// a failure for a no (its announcement "CAA SERVFAIL changes"); others may take it for a yes where the zone is not signed
/// (Baseline Requirements, section 3.2.2.8).
fn no_answer_to_caa(
    case: &Case<'_>,
    host: &str,
    handshake: &TlsHandshake,
    leaf: &Certificate,
) -> Option<Obstacle> {
    if !is_public(handshake, leaf) || !case.view.vantage_is_sane() {
        return None;
    }
    let dns = || case.evidence().dns().filter(|(_, seen)| seen.answer.was_asked());
    let resolves = dns().any(|(_, seen)| {
        seen.question.name == host
            && matches!(seen.question.rtype.as_str(), "A" | "AAAA")
            && seen.answer.present().is_some()
    });
    let mut by_name: BTreeMap<&str, Vec<(&Observation, &DnsObservation)>> = BTreeMap::new();
    for (o, seen) in dns().filter(|(_, seen)| seen.question.rtype == "CAA") {
        let name = seen.question.name.as_str();
        if name == host || host.ends_with(&format!(".{name}")) {
            by_name.entry(name).or_default().push((o, seen));
        }
    }
    // FORMERR, SERVFAIL, NOTIMP, REFUSED. That one question was lost says nothing.
    let refuses = |seen: &DnsObservation| match &seen.answer {
        Observed::Denied(Denial::Rcode(answer)) => matches!(answer.rcode, 1 | 2 | 4 | 5),
        _ => false,
    };
    let fails = |seen: &DnsObservation| refuses(seen) || matches!(seen.answer, Observed::Silent(_));
    let (name, asked) = by_name.into_iter().find(|(_, asked)| {
        asked.iter().all(|(_, seen)| fails(seen)) && asked.iter().any(|(_, seen)| refuses(seen))
    })?;
    let (_, first) = asked.iter().find(|(_, seen)| refuses(seen))?;
    resolves.then(|| Obstacle {
        words: format!(
            "nobody answers for CAA of {name} ({}), which Let's Encrypt for one takes for a no",
            first.answer.describe()
        ),
        proof: asked.iter().map(|(o, _)| o.id.clone()).collect(),
        always: true,
    })
}

/// What an authority meets at the path of its challenge, address by address.
fn challenges(case: &Case<'_>, host: &str) -> Vec<Obstacle> {
    let looks: Vec<_> = case
        .evidence()
        .doors()
        .filter(|(o, door)| o.vantage == Vantage::Edge && door.question.ask == DoorAsk::Challenge)
        .collect();
    let six = looks.iter().any(|(_, door)| door.question.address.is_ipv6());
    let mut found: Vec<Obstacle> = Vec::new();
    // Where there is IPv6, nobody comes to the addresses of IPv4 unless a connection times out.
    for (o, door) in looks.iter().filter(|(_, door)| !six || door.question.address.is_ipv6()) {
        let Some(words) = obstacle(case, host, door) else { continue };
        found.push(Obstacle { words, proof: vec![o.id.clone()], always: false });
    }
    found
}

fn obstacle(case: &Case<'_>, host: &str, door: &DoorObservation) -> Option<String> {
    let at = over(door.question.address);
    let status = match &door.answer {
        Observed::Present(DoorAnswer::Http { response }) => response.status.to_string(),
        other => other.describe(),
    };
    match challenge(case.view.catalogue, door)? {
        "blocked" => {
            Some(format!("the path of the challenge is closed {at} ({status}, to this audit at least)"))
        }
        "elsewhere" => {
            Some(format!("the path of the challenge leads to somebody else's server {at} ({status})"))
        }
        "failing" => Some(format!("the path of the challenge fails {at} ({status})")),
        "refused" => Some(format!("port 80 refuses connections {at}")),
        // Over IPv6 the authority would go over to IPv4; whether this machine is at fault is for its own checks.
        "silent" if door.question.address.is_ipv4() && case.view.vantage_is_sane() => {
            Some(format!("port 80 does not answer {at}"))
        }
        "redirected" => {
            let Observed::Present(DoorAnswer::Http { response }) = &door.answer else { return None };
            let base = Url::parse(door.question.url.as_deref()?).ok()?;
            let to = base.join(response.redirect_to.as_deref()?).ok()?;
            let port = to.port_or_known_default();
            if !matches!(to.scheme(), "http" | "https") || !matches!(port, Some(80 | 443)) {
                Some(format!(
                    "the path of the challenge is redirected to {to} {at}, which an authority does not follow"
                ))
            } else if to.host_str().is_some_and(|other| !other.eq_ignore_ascii_case(host))
                && !to.path().starts_with("/.well-known/acme-challenge/")
            {
                Some(format!("the path of the challenge is redirected away from it, to {to}, {at}"))
            } else {
                None
            }
        }
        _ => None,
    }
}

fn over(address: SocketAddr) -> String {
    format!("over {} ({})", if address.is_ipv6() { "IPv6" } else { "IPv4" }, address.ip())
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use landfall_evidence::{DnsRecord, DoorQuestion, HttpResponse, Phase, Seen, Silence};

    use super::*;
    use crate::testkit::response;
    use crate::testworld::{HOST, V4, V6, World, deployed, dns_answer, now};

    fn look(world: &mut World, address: &str, answer: Observed<HttpResponse>) {
        let ip: std::net::IpAddr = address.parse().expect("valid");
        let question = DoorQuestion {
            ask: DoorAsk::Challenge,
            host: HOST.into(),
            url: Some(format!("http://{HOST}/.well-known/acme-challenge/landfall-probe")),
            address: SocketAddr::new(ip, 80),
            connected_to: None,
        };
        let answer = answer.map(|response| DoorAnswer::Http { response: Box::new(response) });
        let seen = Seen::Door(DoorObservation { question, answer });
        world.push(&format!("door/edge/challenge/{address}"), Vantage::Edge, seen);
    }

    fn redirect(to: &str) -> Observed<HttpResponse> {
        let mut answer = response(301).header("location", to).build();
        answer.redirect_to = Some(to.to_owned());
        Observed::Present(answer)
    }

    fn status(status: u16) -> Observed<HttpResponse> {
        Observed::Present(response(status).build())
    }

    fn told(world: &World) -> Option<(Severity, String)> {
        world.findings(codes::TLS_NEXT_RENEWAL.code).pop().map(|f| (f.severity, f.title))
    }

    /// Only CAA that allows another authority than the one of the leaf.
    fn other_authority(world: World) -> World {
        world.edit_dns(|s| {
            if s.question.rtype == "CAA"
                && let Observed::Present(answer) = &mut s.answer
            {
                let (name, data) = (s.question.name.clone(), "0 issue \"letsencrypt.org\"".into());
                answer.answers = vec![DnsRecord { name, rtype: "CAA".into(), ttl_s: 300, data }];
            }
        })
    }

    #[test]
    fn a_world_that_is_well_has_no_obstacle() {
        assert_eq!(told(&deployed()), None);
        let silent = Observed::Silent(Silence { phase: Phase::Connect, waited_us: 3_500_000 });
        for (address, answer) in [
            (V4, status(404)),
            (V4, redirect(&format!("https://{HOST}/.well-known/acme-challenge/landfall-probe"))),
            (V4, redirect("http://acme.levqor.ai/.well-known/acme-challenge/landfall-probe")),
            (V4, status(200)),
            // Let's Encrypt goes over to IPv4.
            (V6, silent),
            (V4, Observed::Unasked(landfall_evidence::ProbeFault::DeadlineSpent)),
        ] {
            let mut world = deployed();
            let said = answer.describe();
            look(&mut world, address, answer);
            assert_eq!(told(&world), None, "{address}: {said}");
        }
    }

    #[test]
    fn records_stand_in_the_way_of_every_renewal() {
        let (severity, title) = told(&other_authority(deployed())).expect("found");
        assert_eq!(severity, Severity::Medium);
        assert!(title.contains("will fail: CAA forbids it"), "{title}");
        let due = other_authority(deployed()).edit_tls(|handshake| {
            handshake.chain[0].not_before = now() - SignedDuration::from_hours(75 * 24);
            handshake.chain[0].not_after = now() + SignedDuration::from_hours(15 * 24);
        });
        let found = due.findings(codes::TLS_NEXT_RENEWAL.code).pop().expect("found");
        assert_eq!(found.severity, Severity::High, "renewal is due");
        assert!(
            found.impact.starts_with(
                "The certificate ends on 2025-11-30, in 15 days; renewal has been due since 2025-10-31."
            ),
            "{}",
            found.impact
        );
        // A private authority is bound by neither.
        let private = other_authority(deployed()).edit_tls(|handshake| {
            handshake.chain[0].issuer_organisation = Some("Our own".into());
            handshake.trust.clear();
        });
        assert_eq!(told(&private), None);

        let unanswered = deployed().edit_dns(|s| {
            if s.question.rtype == "CAA" {
                s.answer = Observed::Denied(Denial::Rcode(Box::new(dns_answer(2, false, Vec::new()))));
            }
        });
        let (_, title) = told(&unanswered).expect("found");
        assert!(title.contains("nobody answers for CAA of levqor.ai (SERVFAIL)"), "{title}");
    }

    #[test]
    fn the_path_of_the_challenge_counts_where_the_authority_comes() {
        let refused = || Observed::Denied(Denial::Refused);
        for (looks, want) in [
            (vec![(V4, status(403))], "is closed over IPv4 (104.21.14.105) (403, to this audit at least)"),
            (vec![(V4, status(502))], "fails over IPv4"),
            (vec![(V4, refused())], "port 80 refuses connections over IPv4"),
            (vec![(V4, status(404)), (V6, refused())], "port 80 refuses connections over IPv6"),
            (
                vec![(V4, redirect("https://login.levqor.ai/"))],
                "redirected away from it, to https://login.levqor.ai/",
            ),
            (vec![(V4, redirect("http://api.levqor.ai:8080/x"))], "which an authority does not follow"),
        ] {
            let mut world = deployed();
            for (address, answer) in looks {
                look(&mut world, address, answer);
            }
            let (severity, title) = told(&world).expect(want);
            assert!(
                title.contains("will fail where it goes by the HTTP challenge") && title.contains(want),
                "{title}"
            );
            assert_eq!(severity, Severity::Low);
        }
        // Over IPv6 it is free, so nobody comes to IPv4; and certificates of a year are renewed in other ways.
        let mut six = deployed();
        look(&mut six, V4, refused());
        look(&mut six, V6, status(404));
        assert_eq!(told(&six), None);
        let mut long = deployed().edit_tls(|handshake| {
            handshake.chain[0].not_before = now() - SignedDuration::from_hours(100 * 24);
            handshake.chain[0].not_after = now() + SignedDuration::from_hours(250 * 24);
        });
        look(&mut long, V4, refused());
        assert_eq!(told(&long), None);
    }
}
