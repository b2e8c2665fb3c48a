//! What DNS says of the production name, server by server.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use landfall_evidence::{
    Denial, DnsAnswer, DnsManner, DnsObservation, DnsServer, DnsServerRole, Evidence, Observation,
    ObservationId, Observed, Vantage,
};

use super::{codes, raise, with_severity};
use crate::case::Case;
use crate::facts::{planned_for, turned_away};
use crate::words::{count, in_words};
use crate::{Finding, Severity};

/// A day: the longest time for which an address that may have to move should be remembered.
const LONG_TTL_S: u32 = 86_400;

type Seen<'a> = (&'a Observation, &'a DnsObservation);

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let Some(host) = case.production_name() else { return Vec::new() };
    let name = Name::new(case, host);
    let mut found = Vec::new();
    found.extend(existence(&name));
    found.extend(planned(case, host));
    found.extend(failing_resolvers(&name, case.evidence()));
    // A deep survey asks every address and knows the zone's name; one finding for one fault.
    if !super::zone::is_deep(case) {
        found.extend(lame_servers(case));
    }
    found.extend(authoritative_differ(&name));
    found.extend(recursive_differ(case, &name));
    found.extend(private_addresses(case, &name));
    found.extend(no_ipv6(&name));
    found.extend(long_ttl(&name));
    found.extend(caa(case));
    found
}

/// What the project's own files give to the zone, where the zone has it otherwise.
fn planned(case: &Case<'_>, host: &str) -> Option<Finding> {
    let planned = planned_for(case.evidence(), case.catalogue())?;
    let (place, says) = (&planned.place, in_words(&planned.data));
    let answered = in_words(&planned.answered);
    let (severity, title) = match planned.word {
        "absent" => {
            (Severity::Medium, format!("{place} gives the zone a record for {host}, and the zone has none"))
        }
        "doubled" => (
            Severity::Medium,
            format!("{place} gives the zone a record for {says}: the zone's name stands there twice"),
        ),
        "more" => (
            Severity::Low,
            format!("{host} has more addresses than {place} gives it ({answered}; there {says})"),
        ),
        "fewer" => (
            Severity::Low,
            format!("{host} has fewer addresses than {place} gives it ({answered}; there {says})"),
        ),
        "other-address" | "other-alias" => {
            (Severity::Low, format!("{host} leads to {answered}, and {place} says {says}"))
        }
        _ => return None,
    };
    let finding = raise(
        &codes::DNS_PLANNED,
        title,
        "The next run of the tool that reads that file changes where clients are sent, or the last one never reached the zone.",
        format!(
            "Look at what the tool would change, and carry it out, or write there what the zone has ({place})."
        ),
        planned.ids.into_iter().collect(),
    );
    Some(with_severity(finding, severity))
}

/// The address questions for one name.
struct Name<'a> {
    host: &'a str,
    questions: Vec<Seen<'a>>,
}

impl<'a> Name<'a> {
    fn new(case: &Case<'a>, host: &'a str) -> Self {
        let address = |seen: &DnsObservation| {
            seen.question.name == host && matches!(seen.question.rtype.as_str(), "A" | "AAAA")
        };
        let evidence = case.evidence();
        let mut questions: Vec<Seen<'a>> = evidence.dns().filter(|(_, seen)| address(seen)).collect();
        if super::zone::is_deep(case) {
            // The survey asks for signatures too, and reaches servers to which broken DNSSEC or a lame delegation bars the
            // plain way.
            questions.extend(evidence.all_dns().filter(|(_, seen)| {
                let q = &seen.question;
                let survey = q.dnssec_ok && !q.checking_disabled && q.manner == DnsManner::Usual;
                let role = matches!(q.server.role, DnsServerRole::Recursive | DnsServerRole::Authoritative);
                // A referral is no answer.
                let refers =
                    |a: &DnsAnswer| q.server.role == DnsServerRole::Authoritative && !a.authoritative;
                survey && role && address(seen) && !seen.answer.present().is_some_and(refers)
            }));
        }
        Self { host, questions }
    }

    /// The questions that brought at least one address, with the addresses.
    fn with_addresses(&self) -> impl Iterator<Item = (Seen<'a>, BTreeSet<IpAddr>)> {
        self.questions.iter().filter_map(|seen| {
            let addresses = addresses(seen.1.answer.present()?);
            (!addresses.is_empty()).then_some((*seen, addresses))
        })
    }

    fn resolves(&self) -> bool {
        self.with_addresses().next().is_some()
    }
}

/// The addresses in an answer.
fn addresses(answer: &DnsAnswer) -> BTreeSet<IpAddr> {
    answer.data_of("A").chain(answer.data_of("AAAA")).filter_map(|text| text.parse().ok()).collect()
}

fn ids(seen: &[Seen<'_>]) -> Vec<ObservationId> {
    seen.iter().map(|(o, _)| o.id.clone()).collect()
}

fn server(server: &DnsServer) -> String {
    match (&server.name, server.address, server.role) {
        (Some(name), ..) => name.clone(),
        (None, Some(address), _) => address.ip().to_string(),
        (None, None, DnsServerRole::System) => "this machine's resolver".into(),
        (None, None, _) => "a server without a name".into(),
    }
}

fn rcode(seen: &DnsObservation) -> Option<&DnsAnswer> {
    match seen.answer.denied()? {
        Denial::Rcode(answer) => Some(answer),
        _ => None,
    }
}

/// No such name, an alias of no such name, or a name without an address. A name that resolves anywhere exists.
fn existence(name: &Name<'_>) -> Option<Finding> {
    if name.resolves() {
        return None;
    }
    let nxdomain: Vec<Seen<'_>> =
        name.questions.iter().copied().filter(|(_, s)| rcode(s).is_some_and(|a| a.rcode == 3)).collect();
    if let Some((_, first)) = nxdomain.first() {
        let alias = rcode(first).and_then(|answer| answer.data_of("CNAME").last());
        return Some(match alias {
            Some(target) => raise(
                &codes::DNS_DANGLING_CNAME,
                format!("{} is an alias of {target}, which does not exist", name.host),
                "No client can find production. At some providers a stranger can claim the missing name.",
                format!(
                    "Point the CNAME at a name that the platform gives out today, or create {target} again."
                ),
                ids(&nxdomain),
            ),
            None => raise(
                &codes::DNS_NO_SUCH_NAME,
                format!("{} does not exist", name.host),
                "No client can find production.",
                format!("Create the record for {} in the zone that the delegation leads to.", name.host),
                ids(&nxdomain),
            ),
        });
    }
    let empty: Vec<Seen<'_>> =
        name.questions.iter().copied().filter(|(_, s)| s.answer.present().is_some()).collect();
    let asked = |rtype: &str| empty.iter().any(|(_, s)| s.question.rtype == rtype);
    (asked("A") && asked("AAAA")).then(|| {
        raise(
            &codes::DNS_NO_ADDRESS,
            format!("{} exists but has no address", name.host),
            "No client can connect to production.",
            "Create the A and AAAA (or CNAME) record that the platform shows for the domain.",
            ids(&empty),
        )
    })
}

/// Resolvers that answer with a failure. An extended error that speaks of signatures is a finding of its own.
fn failing_resolvers(name: &Name<'_>, evidence: &Evidence) -> Vec<Finding> {
    let failing: Vec<(Seen<'_>, &DnsAnswer)> = name
        .questions
        .iter()
        .filter(|(_, s)| s.question.server.role != DnsServerRole::Authoritative)
        .filter_map(|seen| Some((*seen, rcode(seen.1)?)))
        .filter(|(_, answer)| answer.rcode != 3 || name.resolves())
        .collect();
    let signatures = |answer: &DnsAnswer| answer.extended_errors.iter().any(|e| (6..=12).contains(&e.code));
    let (bogus, other): (Vec<_>, Vec<_>) = failing.into_iter().partition(|(_, answer)| signatures(answer));
    let mut found = Vec::new();
    let words = |items: &[(Seen<'_>, &DnsAnswer)]| {
        let texts: BTreeSet<String> = items
            .iter()
            .map(|((_, s), answer)| {
                let extended: Vec<String> = answer
                    .extended_errors
                    .iter()
                    .map(|e| format!("{} {}", e.code, e.text).trim().to_owned())
                    .collect();
                let extended = if extended.is_empty() {
                    String::new()
                } else {
                    format!(" (extended error {})", extended.join(", "))
                };
                format!("{} says {}{extended}", server(&s.question.server), answer.rcode_name)
            })
            .collect();
        in_words(&texts.into_iter().collect::<Vec<_>>())
    };
    let all = |items: &[(Seen<'_>, &DnsAnswer)]| items.iter().map(|((o, _), _)| o.id.clone()).collect();
    if !bogus.is_empty() {
        found.push(raise(
            &codes::DNS_SIGNATURES_BROKEN,
            format!("DNSSEC of {} does not hold: {}", name.host, words(&bogus)),
            "Users of validating resolvers cannot resolve the name at all.",
            "Remove the DS record at the registrar, or publish the key and signatures that it asks for.",
            all(&bogus),
        ));
    }
    if !other.is_empty() {
        // Where resolvers turn this machine away whatever it asks, nothing was learnt of production's own name.
        let away = turned_away(evidence);
        let finding = raise(
            &codes::DNS_RESOLVER_FAILS,
            format!("{} for {}", words(&other), name.host),
            if name.resolves() {
                "Users of that resolver cannot reach production, or not yet."
            } else if away {
                "It refuses this machine whatever it is asked, so nothing is known of production from here."
            } else {
                "No client behind that resolver can find production."
            },
            "Ask the zone's servers directly, and again with checking disabled, to see whether the zone or the resolver is at fault.",
            all(&other),
        );
        let of_production = !name.resolves() && !away;
        found.push(if of_production { with_severity(finding, Severity::Critical) } else { finding });
    }
    found
}

/// Servers of the zone that refuse, answer without authority, or do not answer.
fn lame_servers(case: &Case<'_>) -> Option<Finding> {
    let host = case.production_name()?;
    let mut by_server: BTreeMap<String, Vec<Seen<'_>>> = BTreeMap::new();
    for seen in case.evidence().dns() {
        let question = &seen.1.question;
        let of_the_host = question.name == host || host.ends_with(&format!(".{}", question.name));
        // Servers of a parent zone, asked on the way down, refer without authority as they should.
        let of_the_zone =
            question.server.role == DnsServerRole::Authoritative && seen.0.vantage != Vantage::ThirdParty;
        if of_the_zone && of_the_host {
            by_server.entry(server(&question.server)).or_default().push(seen);
        }
    }
    let mut lame = Vec::new();
    let mut evidence = Vec::new();
    for (name, seen) in &by_server {
        let asked: Vec<&Seen<'_>> = seen.iter().filter(|(_, s)| s.answer.was_asked()).collect();
        let bad = |s: &DnsObservation| match &s.answer {
            Observed::Present(answer) => !answer.authoritative && answer.answers.is_empty(),
            Observed::Denied(Denial::Rcode(answer)) => answer.rcode != 3,
            Observed::Denied(_) => true,
            Observed::Silent(_) => case.view.vantage_is_sane(),
            Observed::Unasked(_) => false,
        };
        // One answer with authority shows that the server has the zone; what else went wrong there is not lameness.
        if !asked.is_empty() && asked.iter().all(|(_, s)| bad(s)) {
            let why = match &asked[0].1.answer {
                Observed::Present(_) => "answers without authority".to_owned(),
                other => other.describe(),
            };
            lame.push(format!("{name} ({why})"));
            evidence.extend(asked.iter().map(|(o, _)| o.id.clone()));
        }
    }
    if lame.is_empty() {
        return None;
    }
    let all = lame.len() == by_server.len();
    let title = format!(
        "{} of {} does not serve the zone: {}",
        lame.len(),
        count(by_server.len(), "name server"),
        in_words(&lame)
    );
    let finding = raise(
        &codes::DNS_LAME,
        title,
        if all {
            "No server of the zone answers; the name lives only as long as caches do."
        } else {
            "A part of all lookups waits or fails."
        },
        "Remove the server from the NS set at the registrar, or add the zone at that provider again.",
        evidence,
    );
    Some(if all { with_severity(finding, Severity::High) } else { finding })
}

fn authoritative_differ(name: &Name<'_>) -> Option<Finding> {
    for rtype in ["A", "AAAA"] {
        let mut sets: BTreeMap<BTreeSet<IpAddr>, Vec<Seen<'_>>> = BTreeMap::new();
        for seen in &name.questions {
            let question = &seen.1.question;
            if question.server.role == DnsServerRole::Authoritative
                && question.rtype == rtype
                && let Some(answer) = seen.1.answer.present().filter(|a| a.authoritative)
            {
                sets.entry(addresses(answer)).or_default().push(*seen);
            }
        }
        if sets.len() > 1 {
            let words: Vec<String> = sets
                .iter()
                .map(|(set, seen)| {
                    format!("{} gives {}", server(&seen[0].1.question.server), set_in_words(set))
                })
                .collect();
            return Some(raise(
                &codes::DNS_AUTHORITATIVE_DIFFER,
                format!("The zone's own servers disagree on {} {rtype}: {}", name.host, in_words(&words)),
                "Which place a client reaches depends on the server that its resolver happens to ask.",
                "Find the server that missed the last change (compare the SOA serials) and have it transfer the zone.",
                sets.values().flatten().map(|(o, _)| o.id.clone()).collect(),
            ));
        }
    }
    None
}

fn set_in_words(set: &BTreeSet<IpAddr>) -> String {
    if set.is_empty() {
        return "no address".into();
    }
    in_words(&set.iter().map(ToString::to_string).collect::<Vec<_>>())
}

/// A resolver whose addresses share nothing with the zone's own, and belong to somebody else.
fn recursive_differ(case: &Case<'_>, name: &Name<'_>) -> Option<Finding> {
    let mut own: BTreeMap<&str, BTreeSet<IpAddr>> = BTreeMap::new();
    let mut evidence = Vec::new();
    for ((o, seen), set) in name.with_addresses() {
        if seen.question.server.role == DnsServerRole::Authoritative {
            own.entry(&seen.question.rtype).or_default().extend(set);
            evidence.push(o.id.clone());
        }
    }
    let owner = |address: &IpAddr| case.catalogue().owner_of_address(*address).map(|o| o.vendor.as_str());
    let mut different = Vec::new();
    for ((o, seen), set) in name.with_addresses() {
        let Some(own) = own.get(seen.question.rtype.as_str()) else { continue };
        let same_owner =
            || set.iter().all(|a| owner(a).is_some_and(|v| own.iter().any(|b| owner(b) == Some(v))));
        if seen.question.server.role != DnsServerRole::Authoritative && set.is_disjoint(own) && !same_owner()
        {
            different.push(format!(
                "{} gives {}, the zone's own server {}",
                server(&seen.question.server),
                set_in_words(&set),
                set_in_words(own)
            ));
            evidence.push(o.id.clone());
        }
    }
    (!different.is_empty()).then(|| {
        raise(
            &codes::DNS_RECURSIVE_DIFFERS,
            format!("A resolver sees another {}: {}", name.host, in_words(&different)),
            "Its users reach another place than the zone says, at least until the old record's TTL has run out.",
            "Wait for the TTL of the old record; if the difference stays, look for a second zone, a hosts file entry or a filtering resolver.",
            evidence,
        )
    })
}

fn private_addresses(case: &Case<'_>, name: &Name<'_>) -> Option<Finding> {
    let mapped = case.evidence().settings.mapped;
    let mut wrong = BTreeSet::new();
    let mut evidence = Vec::new();
    for ((o, seen), set) in name.with_addresses() {
        // The system call reads the hosts file, which says nothing of public DNS.
        if seen.question.server.role == DnsServerRole::System {
            continue;
        }
        let bad: Vec<IpAddr> =
            set.into_iter().filter(|a| !(is_public(*a) || mapped && is_documentation(*a))).collect();
        if !bad.is_empty() {
            wrong.extend(bad);
            evidence.push(o.id.clone());
        }
    }
    (!wrong.is_empty()).then(|| {
        raise(
            &codes::DNS_PRIVATE_ADDRESS,
            format!(
                "{} leads to {}, which is not reachable from the Internet",
                name.host,
                set_in_words(&wrong)
            ),
            "Clients outside that network cannot connect.",
            "Publish the public address that the platform shows for the domain.",
            evidence,
        )
    })
}

/// Whether an address is reachable from the Internet at large (RFC 6890 and its registries).
pub(super) fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => {
            let [a, b, ..] = v4.octets();
            !(v4.is_private()
                || v4.is_loopback()
                || v4.is_link_local()
                || v4.is_multicast()
                || a == 0
                || a >= 240
                || (a == 100 && (64..128).contains(&b))
                || is_documentation(address))
        }
        IpAddr::V6(v6) => match v6.to_ipv4_mapped() {
            Some(v4) => is_public(IpAddr::V4(v4)),
            None => (v6.segments()[0] & 0xe000) == 0x2000 && !is_documentation(address),
        },
    }
}

pub(super) fn is_documentation(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(v4) => matches!(v4.octets(), [192, 0, 2, _] | [198, 51, 100, _] | [203, 0, 113, _]),
        IpAddr::V6(v6) => v6.segments()[0] == 0x2001 && v6.segments()[1] == 0x0db8,
    }
}

fn no_ipv6(name: &Name<'_>) -> Option<Finding> {
    let has = |rtype: &str| name.with_addresses().any(|((_, s), _)| s.question.rtype == rtype);
    let empty: Vec<Seen<'_>> = name
        .questions
        .iter()
        .copied()
        .filter(|(_, s)| s.question.rtype == "AAAA" && s.answer.present().is_some())
        .collect();
    (has("A") && !has("AAAA") && !empty.is_empty()).then(|| {
        raise(
            &codes::DNS_NO_IPV6,
            format!("{} has no IPv6 address", name.host),
            "Clients on IPv6-only networks need a translator.",
            "Add the AAAA record that the platform or edge offers.",
            ids(&empty),
        )
    })
}

fn long_ttl(name: &Name<'_>) -> Option<Finding> {
    let mut longest = 0;
    let mut evidence = Vec::new();
    for (o, seen) in &name.questions {
        let Some(answer) = seen.answer.present() else { continue };
        let ttl = answer
            .answers
            .iter()
            .filter(|r| matches!(r.rtype.as_str(), "A" | "AAAA" | "CNAME"))
            .map(|r| r.ttl_s)
            .max();
        if let Some(ttl) = ttl.filter(|ttl| *ttl > LONG_TTL_S) {
            longest = longest.max(ttl);
            evidence.push(o.id.clone());
        }
    }
    (!evidence.is_empty()).then(|| {
        raise(
            &codes::DNS_LONG_TTL,
            format!(
                "The records of {} are remembered for {:.1} days",
                name.host,
                f64::from(longest) / 86_400.0
            ),
            "After a move, clients reach the old place for that long.",
            "Set the TTL to an hour or less well before any move.",
            evidence,
        )
    })
}

/// The nearest CAA set on the way up the tree (RFC 8659 section 3), held against the present certificate's issuer.
fn caa(case: &Case<'_>) -> Option<Finding> {
    let host = case.production_name()?;
    let mut sets: Vec<(&str, Vec<String>, ObservationId)> = Vec::new();
    for (o, seen) in case.evidence().dns() {
        let question = &seen.question;
        let on_the_way = question.name == host || host.ends_with(&format!(".{}", question.name));
        if question.rtype == "CAA"
            && on_the_way
            && let Some(answer) = seen.answer.present()
        {
            sets.push((&question.name, answer.data_of("CAA").map(str::to_owned).collect(), o.id.clone()));
        }
    }
    let nearest = sets.iter().filter(|(_, set, _)| !set.is_empty()).max_by_key(|(name, ..)| name.len());
    let Some((name, set, id)) = nearest else {
        return (!sets.is_empty()).then(|| {
            raise(
                &codes::DNS_NO_CAA,
                format!("No CAA record limits who may issue certificates for {host}"),
                "Every public authority may issue for it.",
                "Add a CAA record that names the authority in use.",
                sets.iter().map(|(.., id)| id.clone()).collect(),
            )
        });
    };
    let (tls, leaf) = case.evidence().tls().find_map(|(o, seen)| {
        let of_production = seen.question.host == host;
        Some((o, seen.answer.present().filter(|_| of_production)?.chain.first()?))
    })?;
    let domains = authority_domains(leaf.issuer_organisation.as_deref()?)?;
    let allowed: Vec<&str> = set.iter().filter_map(|data| issue_domain(data)).collect();
    let forbids = !allowed.is_empty() && !allowed.iter().any(|a| domains.contains(a));
    forbids.then(|| {
        raise(
            &codes::DNS_CAA_FORBIDS_ISSUER,
            format!(
                "CAA at {name} allows {}, but {} issued the certificate in use",
                in_words(&allowed),
                leaf.issuer_organisation.as_deref().unwrap_or(&leaf.issuer)
            ),
            "What is served works; the next renewal at the same authority will be refused.",
            format!("Add a CAA record with issue \"{}\", or renew elsewhere.", domains[0]),
            vec![id.clone(), tls.id.clone()],
        )
    })
}

/// The domain of an `issue` property in presentation form: `0 issue "pki.goog; validationmethods=dns-01"`.
fn issue_domain(data: &str) -> Option<&str> {
    let rest = data.split_once(' ')?.1.trim_start();
    let value = rest.strip_prefix("issue ")?.trim().trim_matches('"');
    Some(value.split(';').next().unwrap_or(value).trim())
}

/// The CAA domains of well-known authorities, by the organisation in their certificates (each one's own CPS).
pub(super) fn authority_domains(organisation: &str) -> Option<&'static [&'static str]> {
    let organisation = organisation.to_ascii_lowercase();
    let known: &[(&str, &[&str])] = &[
        ("google trust services", &["pki.goog"]),
        ("let's encrypt", &["letsencrypt.org"]),
        ("digicert", &["digicert.com", "www.digicert.com"]),
        ("sectigo", &["sectigo.com", "comodoca.com"]),
        ("globalsign", &["globalsign.com"]),
        ("amazon", &["amazon.com", "amazontrust.com", "awstrust.com", "amazonaws.com"]),
        ("zerossl", &["sectigo.com"]),
    ];
    known.iter().find(|(name, _)| organisation.contains(name)).map(|(_, domains)| *domains)
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{DnsRecord, ExtendedError, Phase, Silence};

    use super::*;
    use crate::testworld::{HOST, V4, deployed, dns_answer};

    fn is_address(seen: &DnsObservation) -> bool {
        seen.question.name == HOST && matches!(seen.question.rtype.as_str(), "A" | "AAAA")
    }

    fn authoritative(seen: &DnsObservation) -> bool {
        seen.question.server.role == DnsServerRole::Authoritative
    }

    fn denied(rcode: u16, answers: Vec<DnsRecord>, extended: &[u16]) -> Observed<DnsAnswer> {
        let mut answer = dns_answer(rcode, false, answers);
        answer.extended_errors =
            extended.iter().map(|code| ExtendedError { code: *code, text: String::new() }).collect();
        Observed::Denied(Denial::Rcode(Box::new(answer)))
    }

    fn record(rtype: &str, data: &str) -> DnsRecord {
        DnsRecord { name: HOST.into(), rtype: rtype.into(), ttl_s: 300, data: data.into() }
    }

    fn replace(seen: &mut DnsObservation, rtype: &str, data: &[&str]) {
        if let Observed::Present(answer) = &mut seen.answer
            && seen.question.rtype == rtype
        {
            answer.answers = data.iter().map(|d| record(rtype, d)).collect();
        }
    }

    type Case = (&'static str, &'static [(&'static str, Severity)], fn(&mut DnsObservation));

    #[test]
    fn each_dns_rule_fires_on_its_own_fault_alone() {
        let cases: &[Case] = &[
            ("healthy", &[], |_| {}),
            ("NXDOMAIN", &[("LF-DNS-001", Severity::Critical)], |s| {
                if is_address(s) {
                    s.answer = denied(3, Vec::new(), &[]);
                }
            }),
            ("a dangling alias", &[("LF-DNS-013", Severity::Critical)], |s| {
                if is_address(s) {
                    s.answer = denied(3, vec![record("CNAME", "gone.replit.app")], &[]);
                }
            }),
            ("no address", &[("LF-DNS-002", Severity::Critical)], |s| {
                replace(s, "A", &[]);
                replace(s, "AAAA", &[]);
            }),
            ("one resolver fails", &[("LF-DNS-003", Severity::High)], |s| {
                if is_address(s) && !authoritative(s) {
                    s.answer = denied(2, Vec::new(), &[22]);
                }
            }),
            ("broken DNSSEC", &[("LF-DNS-012", Severity::Critical)], |s| {
                if is_address(s) && !authoritative(s) {
                    s.answer = denied(2, Vec::new(), &[9]);
                }
            }),
            ("a stale resolver", &[("LF-DNS-004", Severity::Medium)], |s| {
                if !authoritative(s) {
                    replace(s, "A", &["44.33.22.11"]);
                }
            }),
            ("another of the same CDN's addresses", &[], |s| {
                if !authoritative(s) {
                    replace(s, "A", &["104.21.99.99"]);
                }
            }),
            ("no IPv6", &[("LF-DNS-007", Severity::Info)], |s| replace(s, "AAAA", &[])),
            ("no CAA", &[("LF-DNS-008", Severity::Info)], |s| replace(s, "CAA", &[])),
            ("CAA without the issuer", &[("LF-DNS-009", Severity::Medium)], |s| {
                replace(s, "CAA", &["0 issue \"digicert.com\""]);
            }),
            ("a private address", &[("LF-DNS-010", Severity::High)], |s| replace(s, "A", &["10.0.0.7"])),
            ("a long TTL", &[("LF-DNS-011", Severity::Low)], |s| {
                if let (true, Observed::Present(answer)) = (is_address(s), &mut s.answer) {
                    answer.answers.iter_mut().for_each(|r| r.ttl_s = 200_000);
                }
            }),
            ("a lame server", &[("LF-DNS-006", Severity::High)], |s| {
                if authoritative(s) {
                    s.answer = denied(5, Vec::new(), &[]);
                }
            }),
            ("a silent server", &[("LF-DNS-006", Severity::High)], |s| {
                if authoritative(s) {
                    s.answer = Observed::Silent(Silence { phase: Phase::Wait, waited_us: 1 });
                }
            }),
        ];
        for (name, want, edit) in cases {
            let diagnosis = deployed().edit_dns(edit).diagnose();
            let got: Vec<(&str, Severity)> = diagnosis
                .findings
                .iter()
                .filter(|f| f.code.starts_with("LF-DNS-"))
                .map(|f| (f.code.as_str(), f.severity))
                .collect();
            assert_eq!(&got, want, "{name}");
        }
    }

    #[test]
    fn servers_of_one_zone_are_compared_with_each_other() {
        let mut world = deployed();
        let mut other = world
            .0
            .dns()
            .find(|(_, s)| authoritative(s) && s.question.rtype == "A")
            .expect("asked")
            .1
            .clone();
        other.question.server.name = Some("rob.ns.cloudflare.com".into());
        let agreeing = other.clone();
        replace(&mut other, "A", &[V4]);
        world.push("dns/rob/A", Vantage::Edge, landfall_evidence::Seen::Dns(other));
        let found = world.findings("LF-DNS-005");
        assert_eq!(found.len(), 1);
        assert!(found[0].title.contains("rob.ns.cloudflare.com gives 104.21.14.105"), "{}", found[0].title);

        let mut world = deployed();
        world.push("dns/rob/A", Vantage::Edge, landfall_evidence::Seen::Dns(agreeing));
        assert!(world.findings("LF-DNS-005").is_empty());
    }

    #[test]
    fn a_name_above_need_not_exist() {
        let mut world = deployed();
        let server = world.0.dns().find(|(_, s)| !authoritative(s)).expect("asked").1.question.server.clone();
        let seen = crate::testworld::dns_seen(&server, "none.levqor.ai", "CAA", denied(3, Vec::new(), &[]));
        world.push("dns/none", Vantage::Edge, landfall_evidence::Seen::Dns(seen));
        let diagnosis = world.diagnose();
        assert_eq!(diagnosis.verdict, crate::Verdict::Live, "{:?}", diagnosis.unexplained);
    }

    #[test]
    fn public_addresses_are_told_from_the_others() {
        let cases = [
            ("104.21.14.105", true),
            ("8.8.8.8", true),
            ("10.1.2.3", false),
            ("100.64.0.1", false),
            ("100.128.0.1", true),
            ("127.0.0.1", false),
            ("169.254.1.1", false),
            ("172.32.0.1", true),
            ("203.0.113.9", false),
            ("255.255.255.255", false),
            ("2606:4700:3032::ac43:9ea4", true),
            ("fd00::1", false),
            ("fe80::1", false),
            ("::1", false),
            ("2001:db8::1", false),
            ("::ffff:10.0.0.1", false),
        ];
        for (text, want) in cases {
            assert_eq!(is_public(text.parse().expect("an address")), want, "{text}");
        }
    }

    #[test]
    fn the_issue_property_is_read_in_presentation_form() {
        let cases = [
            ("0 issue \"pki.goog; cansignhttpexchanges=yes\"", Some("pki.goog")),
            ("128 issue \"letsencrypt.org\"", Some("letsencrypt.org")),
            ("0 issue \";\"", Some("")),
            ("0 issuewild \"pki.goog\"", None),
            ("0 iodef \"mailto:a@example.test\"", None),
            ("nonsense", None),
        ];
        for (data, want) in cases {
            assert_eq!(issue_domain(data), want, "{data}");
        }
    }

    /// A resolver of another network refuses whatever it is asked: that is no word on production. A REFUSED for names of
    /// one domain may be that of its own servers, passed on.
    #[test]
    fn a_resolver_that_turns_this_machine_away_says_nothing_of_production() {
        use crate::testkit::{World, negative};
        let refused =
            |ede: &[u16]| Observed::Denied(Denial::Rcode(Box::new(negative(5, "REFUSED", None, false, ede))));
        let told = |names: &[&str], ede: &[u16]| {
            let mut world = World::new("https://api.example.test/");
            for name in names {
                for rtype in ["A", "AAAA"] {
                    world.dns_outcome(DnsServerRole::Recursive, "10.0.0.53", name, rtype, refused(ede));
                }
            }
            crate::diagnose(&world.build(), crate::Catalogue::embedded())
        };
        let one = told(&["api.example.test"], &[]);
        assert_eq!(one.verdict, crate::Verdict::NotLive);
        for away in
            [told(&["api.example.test", "api-x1.platform.example"], &[]), told(&["api.example.test"], &[18])]
        {
            assert_eq!(away.verdict, crate::Verdict::Unknown, "{}", away.summary);
            assert_eq!(away.causes.first().map(|c| c.id.as_str()), Some("probe-vantage-broken"));
        }
    }
}
