//! Controls beside the host, kinds of addresses, and resolvers held against the zone's own servers.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv4Addr};

use landfall_evidence::{DnsObservation, DnsServerRole, Observation};

use super::super::dns::{answer_word, message};
use super::super::{FactKey, Facts};
use super::{CONTROL, Ids, Says, Seen, World};

/// Addresses, aliases, observations and words of several answers.
type Found = (BTreeSet<IpAddr>, BTreeSet<String>, Ids, BTreeSet<&'static str>);

/// The random name beside the host, the twin, the doubled name, and what else a name without addresses has.
pub(super) fn controls(world: &World<'_>, seen: &Seen, facts: &mut Facts) {
    let plain = |wanted: &dyn Fn(&str) -> bool, rtypes: &[&str]| -> Vec<(&Observation, &DnsObservation)> {
        world
            .evidence
            .dns()
            .filter(|(_, s)| {
                s.question.server.role != DnsServerRole::System
                    && wanted(&s.question.name)
                    && rtypes.contains(&s.question.rtype.as_str())
            })
            .collect()
    };
    let addresses = |asked: &[(&Observation, &DnsObservation)]| {
        let mut found: Found = (BTreeSet::new(), BTreeSet::new(), Ids::new(), BTreeSet::new());
        for (observation, s) in asked {
            let Some(word) = answer_word(s) else { continue };
            found.2.insert(observation.id.clone());
            found.3.insert(word);
            let Some(answer) = message(s) else { continue };
            found.0.extend(
                answer.data_of("A").chain(answer.data_of("AAAA")).filter_map(|d| d.parse::<IpAddr>().ok()),
            );
            found.1.extend(answer.data_of("CNAME").map(str::to_owned));
        }
        found
    };
    let word_of = |words: &BTreeSet<&'static str>, some: bool| match words {
        _ if some => Some("ok"),
        words if words.contains("nxdomain") => Some("nxdomain"),
        words if words.contains("dangling") => Some("dangling"),
        words if words.iter().all(|w| *w == "nodata") && !words.is_empty() => Some("nodata"),
        words if words.contains("servfail") => Some("servfail"),
        _ => None,
    };

    let random = |name: &str| name.starts_with(CONTROL);
    let (beside, aliases, ids, words) = addresses(&plain(&random, &["A", "AAAA"]));
    let mut own: BTreeSet<IpAddr> = BTreeSet::new();
    let mut own_aliases: BTreeSet<String> = BTreeSet::new();
    // What the zone's own servers say goes before what resolvers make of it.
    for role in [DnsServerRole::Authoritative, DnsServerRole::Recursive] {
        if !own.is_empty() || !own_aliases.is_empty() {
            break;
        }
        for (_, says) in seen.of(role) {
            own.extend(&says.addresses);
            own_aliases.extend(says.aliases.iter().cloned());
        }
    }
    // A resolver that hides all names of a domain shows nothing of its records.
    let hidden = !beside.is_empty() && beside.iter().all(is_sinkhole) && !own.iter().all(is_sinkhole);
    match word_of(&words, !beside.is_empty() || !aliases.is_empty()).filter(|_| !hidden) {
        Some("ok" | "dangling") if own.is_empty() && own_aliases.is_empty() => {
            facts.known(FactKey::DnsWildcard, "", "other", ids);
        }
        Some("ok" | "dangling") => {
            let same = !own.is_disjoint(&beside) || !own_aliases.is_disjoint(&aliases);
            facts.known(FactKey::DnsWildcard, "", if same { "same" } else { "other" }, ids);
        }
        Some("nxdomain" | "nodata") => {
            facts.known(FactKey::DnsWildcard, "", "none", ids);
        }
        _ => {}
    }

    let twin = if world.host == world.domain {
        Some(format!("www.{}", world.domain))
    } else {
        (world.host.strip_prefix("www.") == Some(world.domain)).then(|| world.domain.to_owned())
    };
    if let Some(twin) = twin {
        facts.known(FactKey::DnsTwinName, "", twin.as_str(), []);
        let (found, aliases, ids, words) = addresses(&plain(&|name| name == twin, &["A", "AAAA"]));
        if let Some(word) = word_of(&words, !found.is_empty()) {
            facts.known(FactKey::DnsTwin, "", word, ids.clone());
            facts.known_list(FactKey::DnsTwinAlias, "", aliases, ids);
        }
    }

    let doubled = format!("{}.{}", world.host, world.zone);
    let (found, aliases, ids, words) = addresses(&plain(&|name| name == doubled, &["A"]));
    // Where a wildcard answers for any name, the doubled one says nothing.
    let wildcard = facts.text(FactKey::DnsWildcard, "").is_some_and(|word| word != "none");
    if let Some(word) = word_of(&words, !found.is_empty() || !aliases.is_empty()).filter(|_| !wildcard) {
        let there = matches!(word, "ok" | "dangling");
        facts.known(FactKey::DnsDoubled, "", if there { "there" } else { "absent" }, ids);
        facts.known(FactKey::DnsDoubledName, "", doubled.as_str(), []);
    }

    let mut others = (BTreeSet::new(), Ids::new(), false);
    for (observation, s) in plain(&|name| name == world.host, &["TXT", "MX"]) {
        if let Some(answer) = s.answer.present() {
            others.2 = true;
            others.1.insert(observation.id.clone());
            if answer.data_of(&s.question.rtype).next().is_some() {
                others.0.insert(s.question.rtype.clone());
            }
        }
    }
    if others.2 && others.0.is_empty() {
        others.0.insert("none".to_owned());
    }
    facts.known_list(FactKey::DnsOtherRecords, "", others.0, others.1);

    // The delegated zone without anything but itself: neither the domain nor `www` has an address, and no mail.
    let bare: Vec<_> = world
        .evidence
        .dns()
        .filter(|(_, s)| {
            s.question.server.role == DnsServerRole::Authoritative
                && world.is_usual(&s.question.name, &s.question.rtype)
        })
        .filter_map(|(observation, s)| Some((observation, s, message(s).filter(|a| a.authoritative)?)))
        .collect();
    let asked: BTreeSet<(&str, &str)> =
        bare.iter().map(|(_, s, _)| (s.question.name.as_str(), s.question.rtype.as_str())).collect();
    if asked.len() >= 3 {
        let nothing = bare.iter().all(|(_, _, answer)| answer.answers.is_empty());
        let ids: Ids = bare.iter().map(|(observation, ..)| observation.id.clone()).collect();
        facts.known(FactKey::DnsBare, "", nothing, ids);
    }
}

/// What kind of addresses each side gives.
pub(super) fn classes(seen: &Seen, facts: &mut Facts) {
    for (role, name) in [
        (DnsServerRole::Recursive, "recursive"),
        (DnsServerRole::Authoritative, "authoritative"),
        (DnsServerRole::System, "system"),
    ] {
        let (addresses, ids) = seen.addresses(role);
        let words: BTreeSet<&str> = addresses.iter().map(|ip| class(*ip)).collect();
        if let Some(first) = words.first() {
            let word = if words.len() == 1 { first } else { "several" };
            facts.known(FactKey::DnsClass, name, word, ids);
        }
    }
}

/// The class of an address (RFC 6890). Documentation addresses count as any other: the lab's worlds are built from them.
fn class(address: IpAddr) -> &'static str {
    match address {
        IpAddr::V4(v4) if v4.is_unspecified() || v4.octets()[0] == 0 => "unspecified",
        IpAddr::V4(v4) if v4.is_loopback() => "loopback",
        IpAddr::V4(v4) if v4.is_private() => "private",
        IpAddr::V4(v4) if v4.is_link_local() => "link-local",
        IpAddr::V4(v4) if v4.octets()[0] == 100 && (v4.octets()[1] & 0xc0) == 64 => "shared",
        IpAddr::V6(v6) if v6.is_unspecified() => "unspecified",
        IpAddr::V6(v6) if v6.is_loopback() => "loopback",
        IpAddr::V6(v6) if v6.is_unique_local() => "private",
        IpAddr::V6(v6) if v6.is_unicast_link_local() => "link-local",
        _ => "global",
    }
}

/// Addresses by which filters answer for names that they hide: none at all, this machine's own, or that of a page which says so
/// (Cisco Umbrella's block pages, FortiGuard's portal, sinkhole.paloaltonetworks.com, AdGuard DNS).
fn is_sinkhole(address: &IpAddr) -> bool {
    const BLOCK_PAGES: &[Ipv4Addr] = &[
        Ipv4Addr::new(146, 112, 61, 104),
        Ipv4Addr::new(146, 112, 61, 105),
        Ipv4Addr::new(146, 112, 61, 106),
        Ipv4Addr::new(146, 112, 61, 107),
        Ipv4Addr::new(146, 112, 61, 108),
        Ipv4Addr::new(146, 112, 61, 109),
        Ipv4Addr::new(146, 112, 61, 110),
        Ipv4Addr::new(208, 91, 112, 55),
        Ipv4Addr::new(72, 5, 65, 111),
        Ipv4Addr::new(94, 140, 14, 33),
        Ipv4Addr::new(94, 140, 14, 35),
    ];
    matches!(address, IpAddr::V4(v4) if BLOCK_PAGES.contains(v4))
        || matches!(class(*address), "unspecified")
        || matches!(address, IpAddr::V4(v4) if *v4 == Ipv4Addr::LOCALHOST)
}

/// Each resolver held against the zone's own servers.
pub(super) fn differences(world: &World<'_>, seen: &Seen, facts: &mut Facts) {
    let (own, own_ids) = seen.addresses(DnsServerRole::Authoritative);
    let authoritative = facts.text(FactKey::DnsAuthoritative, "").map(str::to_owned);
    let own_ttl = seen.of(DnsServerRole::Authoritative).flat_map(|(_, says)| says.ttls.iter().copied()).max();
    if let Some(ttl) = own_ttl {
        facts.known(FactKey::DnsTtl, "", i64::from(ttl), own_ids.clone());
    }
    for (who, says) in seen.of(DnsServerRole::Recursive) {
        let Some(word) = says.word() else { continue };
        let mut ids = says.ids.clone();
        ids.extend(own_ids.iter().cloned());
        let sinkhole = !says.addresses.is_empty() && says.addresses.iter().all(is_sinkhole);
        let difference = match (word, authoritative.as_deref()) {
            ("ok", Some("ok" | "mixed")) if !own.is_empty() && says.addresses.is_disjoint(&own) => {
                if sinkhole && !own.iter().all(is_sinkhole) { "sinkhole" } else { "other-address" }
            }
            ("ok", Some("ok" | "mixed")) => "same",
            ("ok", Some("nxdomain" | "nodata")) => "more",
            ("nxdomain", Some("ok" | "mixed")) => "absent",
            ("nodata", Some("ok" | "mixed")) if !own.is_empty() => "empty",
            ("servfail" | "refused", Some("ok" | "mixed")) => "fails",
            (a, Some(b)) if a == b => "same",
            _ => continue,
        };
        // A resolver that keeps back what the zone's own servers give is trouble for whoever asks it, though others resolve.
        // One server of the zone that gives the addresses is enough: the rest may be unreachable from here.
        let kept_back = matches!(difference, "absent" | "sinkhole" | "empty") && !own.is_empty();
        facts.known(FactKey::DnsDifference, who.as_str(), difference, ids.clone()).symptom = kept_back;
        if difference == "same" || difference == "fails" {
            continue;
        }
        // A cached answer counts down and is nobody's own; an answer made on the spot stands still or claims authority.
        let (ttls, full) = if says.addresses.is_empty() {
            (&says.negative_ttls, None)
        } else {
            (&says.ttls, own_ttl.filter(|_| difference == "other-address"))
        };
        let (first, last) = (ttls.first(), ttls.last());
        if let (Some(first), Some(last)) = (first, last) {
            facts.known(FactKey::DnsTtlLeft, who.as_str(), i64::from(*last), says.ids.clone());
            let word = if last < first {
                Some("down")
            } else if ttls.len() > 1 {
                Some("still")
            } else {
                full.filter(|full| last < full).map(|_| "down")
            };
            if let Some(word) = word {
                facts.known(FactKey::DnsTtlRuns, who.as_str(), word, says.ids.clone());
            }
        }
        facts.known(FactKey::DnsResolverOwn, who.as_str(), says.authority, says.ids.clone());
        if says.addresses.is_empty() {
            let word = if says.own_soa { "zone" } else { "none" };
            facts.known(FactKey::DnsNegativeSoa, who.as_str(), word, says.ids.clone());
        }
        let runs = facts.text(FactKey::DnsTtlRuns, who).map(str::to_owned);
        let made_here = says.authority || runs.as_deref() == Some("still");
        // A zone of the same name that stands inside (an Active Directory's, say) denies what the public one has.
        let denied_here = matches!(difference, "absent" | "empty") && says.authority && says.own_soa;
        if (matches!(difference, "other-address" | "more") && made_here) || denied_here {
            // What is audited from here is not what the public sees. Whether that does harm shows at the addresses.
            facts.known(FactKey::DnsSplit, who.as_str(), "yes", ids);
        }
    }
    // Resolvers held against each other, where no server of the zone could be asked.
    let answered: Vec<(&String, &Says)> =
        seen.of(DnsServerRole::Recursive).filter(|(_, says)| says.word().is_some()).collect();
    if answered.len() > 1 {
        let words: BTreeSet<_> = answered.iter().filter_map(|(_, says)| says.word()).collect();
        let with: Vec<_> = answered.iter().filter(|(_, says)| !says.addresses.is_empty()).collect();
        let apart = with.iter().any(|(_, a)| with.iter().any(|(_, b)| a.addresses.is_disjoint(&b.addresses)));
        let ids: Ids = answered.iter().flat_map(|(_, says)| says.ids.iter().cloned()).collect();
        facts.known(FactKey::DnsResolversAgree, "", words.len() == 1 && !apart, ids);
    }
    let origin =
        world.evidence.target.origin.as_ref().and_then(|url| url.domain()).map(str::to_ascii_lowercase);
    if let Some(origin) = origin.filter(|origin| origin != world.host) {
        let (mut theirs, mut ids) = (BTreeSet::new(), Ids::new());
        for (observation, s) in world.evidence.dns().filter(|(_, s)| s.question.name == origin) {
            let Some(answer) = s.answer.present() else { continue };
            theirs.extend(
                answer.data_of("A").chain(answer.data_of("AAAA")).filter_map(|d| d.parse::<IpAddr>().ok()),
            );
            ids.insert(observation.id.clone());
        }
        let (mut here, more) = seen.addresses(DnsServerRole::Recursive);
        here.extend(&own);
        ids.extend(more);
        if !theirs.is_empty() && !here.is_empty() {
            facts.known(FactKey::DnsAsOrigin, "", !here.is_disjoint(&theirs), ids);
        }
    }
}
