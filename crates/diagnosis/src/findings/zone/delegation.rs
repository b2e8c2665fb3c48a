//! The delegation: what the zone above publishes, and whether those servers serve the zone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use landfall_evidence::{Denial, DnsServerRole, ObservationId, Observed};

use super::super::dns::{is_documentation, is_public};
use super::super::{codes, raise, with_severity};
use super::{At, Survey, graded, list, message, whose};
use crate::thresholds::NAME_SERVERS;
use crate::words::{count, in_words};
use crate::{Finding, Severity};

/// Providers at which whoever adds a zone first owns it, by the names of their servers (project can-i-take-over-dns).
const CLAIMABLE: &[(&str, &str)] = &[
    ("digitalocean.com", "DigitalOcean"),
    ("dnsmadeeasy.com", "DNS Made Easy"),
    ("dnsimple.com", "DNSimple"),
    ("he.net", "Hurricane Electric"),
    ("linode.com", "Linode"),
];

/// The delegation as the servers of the zone above publish it.
struct Published {
    servers: BTreeSet<String>,
    glue: BTreeMap<String, BTreeSet<IpAddr>>,
    seen: Vec<ObservationId>,
    /// A server of the zone above answered, and knows no delegation.
    nothing: bool,
}

pub(super) fn findings(survey: &Survey<'_>) -> Vec<Finding> {
    let parent = published(survey);
    let (own, own_seen) = own(survey);
    let mut found = Vec::new();
    found.extend(missing(survey, &parent));
    found.extend(differs(survey, &parent, &own, &own_seen));
    found.extend(lame(survey));
    let mut names = parent.servers.clone();
    names.extend(own);
    found.extend(without_address(survey, &names, &parent));
    found.extend(old_glue(survey, &parent));
    found.extend(not_public(survey, &names, &parent));
    found.extend(few(survey, &names, &parent));
    found.extend(aliases(survey, &names));
    found
}

fn published(survey: &Survey<'_>) -> Published {
    let mut all =
        Published { servers: BTreeSet::new(), glue: BTreeMap::new(), seen: Vec::new(), nothing: false };
    for (o, s) in survey.asked(DnsServerRole::Parent, survey.zone, "NS") {
        let Some(answer) = message(s) else { continue };
        let named: Vec<&str> = answer
            .answers
            .iter()
            .chain(&answer.authority)
            .filter(|r| r.rtype == "NS" && r.name == survey.zone)
            .map(|r| r.data.as_str())
            .collect();
        all.nothing |= named.is_empty() && answer.authoritative && matches!(answer.rcode, 0 | 3);
        all.seen.push(o.id.clone());
        all.servers.extend(named.iter().map(|name| (*name).to_owned()));
        for glue in answer.glue.iter().filter(|glue| named.contains(&glue.name.as_str())) {
            all.glue.entry(glue.name.clone()).or_default().extend(glue.data.parse::<IpAddr>());
        }
    }
    all
}

/// The zone's own NS set, by all of its servers together.
fn own(survey: &Survey<'_>) -> (BTreeSet<String>, Vec<ObservationId>) {
    let (mut names, mut ids) = (BTreeSet::new(), Vec::new());
    for (_, (o, s)) in survey.own(survey.zone, "NS") {
        if let Some(answer) = s.answer.present().filter(|a| a.authoritative) {
            names.extend(answer.data_of("NS").map(str::to_owned));
            ids.push(o.id.clone());
        }
    }
    (names, ids)
}

fn missing(survey: &Survey<'_>, parent: &Published) -> Option<Finding> {
    (parent.nothing && parent.servers.is_empty()).then(|| {
        raise(
            &codes::DNS_NO_DELEGATION,
            format!("The zone above does not delegate {}", survey.zone),
            "No resolver finds the way to the zone; what still works lives in caches.",
            "Have the registrar publish the zone's name servers, and look whether the registration has lapsed.",
            parent.seen.clone(),
        )
    })
}

fn differs(
    survey: &Survey<'_>,
    parent: &Published,
    own: &BTreeSet<String>,
    own_seen: &[ObservationId],
) -> Option<Finding> {
    if parent.servers.is_empty() || own.is_empty() || parent.servers == *own {
        return None;
    }
    let only_parent: Vec<&String> = parent.servers.difference(own).collect();
    let only_own: Vec<&String> = own.difference(&parent.servers).collect();
    let zone = survey.zone;
    let (title, severity) = match (only_parent.is_empty(), only_own.is_empty()) {
        _ if parent.servers.is_disjoint(own) => (
            format!(
                "The delegation of {zone} names {}, and the zone itself {}: nothing in common",
                list(&only_parent),
                list(&only_own)
            ),
            Severity::High,
        ),
        (true, _) => (
            format!("The zone {zone} names {} beside the servers of its delegation", list(&only_own)),
            Severity::Low,
        ),
        (false, true) => (
            format!("The delegation of {zone} names {}, which the zone itself does not", list(&only_parent)),
            Severity::High,
        ),
        (false, false) => (
            format!(
                "The delegation of {zone} names {} where the zone itself names {}",
                list(&only_parent),
                list(&only_own)
            ),
            Severity::High,
        ),
    };
    let finding = raise(
        &codes::DNS_DELEGATION_DIFFERS,
        title,
        "Resolvers begin with the one list and go on with the other; after a move of the zone the old servers stay in use.",
        "Enter at the registrar the name servers that the zone's provider shows today.",
        parent.seen.iter().chain(own_seen).cloned().collect(),
    );
    Some(with_severity(finding, severity))
}

/// Servers that do not speak for the zone although the delegation or the zone names them.
fn lame(survey: &Survey<'_>) -> Vec<Finding> {
    let all = survey.servers();
    let sane = survey.case.view.vantage_is_sane();
    let (mut bad, mut words, mut ids) = (BTreeSet::new(), Vec::new(), Vec::new());
    let mut claimable = BTreeMap::new();
    for (at, (o, s)) in survey.own(survey.zone, "SOA") {
        let why = match &s.answer {
            Observed::Present(answer) if answer.authoritative && answer.data_of("SOA").next().is_some() => {
                continue;
            }
            Observed::Present(answer) if answer.authoritative => "has no SOA record of it".to_owned(),
            Observed::Present(_) => "answers without authority".to_owned(),
            Observed::Silent(_) if !sane => continue,
            Observed::Unasked(_) => continue,
            other => other.describe(),
        };
        if let Observed::Denied(Denial::Rcode(answer)) = &s.answer
            && matches!(answer.rcode, 2 | 5)
            && let Some(name) = &s.question.server.name
            && let Some((_, provider)) =
                CLAIMABLE.iter().find(|(suffix, _)| name.ends_with(&format!(".{suffix}")))
        {
            claimable.insert(*provider, o.id.clone());
        }
        words.push(format!("{at} {why}"));
        bad.insert(at);
        ids.push(o.id.clone());
    }
    if bad.is_empty() {
        return Vec::new();
    }
    let everyone = bad.len() >= all.len();
    let finding = raise(
        &codes::DNS_LAME,
        format!("{}: {}", not_serving(survey.zone, bad.len(), all.len()), in_words(&words)),
        if everyone {
            "No server of the zone answers; the name lives only as long as caches do."
        } else {
            "A part of all lookups waits or fails."
        },
        "Remove the server from the NS set at the registrar, or add the zone at that provider again.",
        ids,
    );
    let mut found = vec![with_severity(finding, if everyone { Severity::Critical } else { Severity::High })];
    if !claimable.is_empty() {
        found.push(raise(
            &codes::DNS_DANGLING_NS,
            format!(
                "The delegation of {} leads to {}, which does not have the zone and gives it to whoever adds it",
                survey.zone,
                list(claimable.keys())
            ),
            "A stranger who adds the zone there answers for a part of all lookups.",
            "Add the zone at that provider at once, or remove its servers from the delegation.",
            claimable.into_values().collect(),
        ));
    }
    found
}

/// "1 of 2 server addresses of site.test does not serve the zone".
fn not_serving(zone: &str, bad: usize, all: usize) -> String {
    match (bad, all) {
        (1, ..=1) => format!("The one server address of {zone} does not serve the zone"),
        (1, all) => format!("1 of {all} server addresses of {zone} does not serve the zone"),
        (bad, all) if bad >= all => format!("None of the {all} server addresses of {zone} serves the zone"),
        (bad, all) => format!("{bad} of {all} server addresses of {zone} do not serve the zone"),
    }
}

fn without_address(survey: &Survey<'_>, names: &BTreeSet<String>, parent: &Published) -> Option<Finding> {
    let (mut bad, mut ids) = (Vec::new(), Vec::new());
    for name in names.iter().filter(|name| !parent.glue.contains_key(*name)) {
        if let Some((addresses, seen)) = survey.addresses_of(name)
            && addresses.is_empty()
        {
            bad.push(name.as_str());
            ids.extend(seen);
        }
    }
    (!bad.is_empty()).then(|| {
        let finding = raise(
            &codes::DNS_NS_NO_ADDRESS,
            format!(
                "{} of {} of {} has no address: {}",
                bad.len(),
                count(names.len(), "name server"),
                survey.zone,
                in_words(&bad)
            ),
            "Lookups that are sent there fail or wait.",
            "Create the server's address records, or take it out of the NS set.",
            ids,
        );
        if bad.len() == names.len() { with_severity(finding, Severity::Critical) } else { finding }
    })
}

/// Glue is compared in the families that it has: its absence in one is no lie.
fn old_glue(survey: &Survey<'_>, parent: &Published) -> Option<Finding> {
    let (mut words, mut ids) = (Vec::new(), parent.seen.clone());
    for (name, glue) in parent.glue.iter().filter(|(name, _)| survey.holds(name)) {
        let Some((own, seen)) = own_addresses(survey, name) else { continue };
        let of = |set: &BTreeSet<IpAddr>, v4: bool| -> BTreeSet<IpAddr> {
            set.iter().copied().filter(|ip| ip.is_ipv4() == v4).collect()
        };
        let wrong =
            [true, false].into_iter().any(|v4| !of(glue, v4).is_empty() && of(glue, v4) != of(&own, v4));
        if wrong {
            words.push(format!("{name} is {} in the delegation and {} in the zone", list(glue), list(&own)));
            ids.extend(seen);
        }
    }
    (!words.is_empty()).then(|| {
        raise(
            &codes::DNS_GLUE_DIFFERS,
            format!("The glue of {} is out of date: {}", survey.zone, in_words(&words)),
            "Resolvers begin at the address in the glue; if nothing answers there, lookups wait or fail.",
            "Change the host object of the name server at the registrar; changing the zone does not change it.",
            ids,
        )
    })
}

/// The addresses of a server's name. An answer that holds no address is no reason to doubt the glue.
fn own_addresses(survey: &Survey<'_>, name: &str) -> Option<(BTreeSet<IpAddr>, Vec<ObservationId>)> {
    survey.addresses_of(name).filter(|(addresses, _)| !addresses.is_empty())
}

fn not_public(survey: &Survey<'_>, names: &BTreeSet<String>, parent: &Published) -> Option<Finding> {
    let mapped = survey.case.evidence().settings.mapped;
    let (mut words, mut ids) = (Vec::new(), Vec::new());
    for name in names {
        let (mut all, seen) = survey.addresses_of(name).unwrap_or_default();
        all.extend(parent.glue.get(name).into_iter().flatten());
        let bad: Vec<IpAddr> =
            all.into_iter().filter(|ip| !(is_public(*ip) || mapped && is_documentation(*ip))).collect();
        if !bad.is_empty() {
            words.push(format!("{name} is {}", list(bad)));
            ids.extend(seen);
            ids.extend(parent.seen.iter().cloned());
        }
    }
    ids.dedup();
    (!words.is_empty()).then(|| {
        raise(
            &codes::DNS_NS_PRIVATE,
            format!(
                "Name servers of {} are at addresses that are not public: {}",
                survey.zone,
                in_words(&words)
            ),
            "No resolver outside that network can ask them.",
            "Give the name server its public address, or take it out of the NS set.",
            ids,
        )
    })
}

fn few(survey: &Survey<'_>, names: &BTreeSet<String>, parent: &Published) -> Option<Finding> {
    let least = usize::try_from(survey.limit(&NAME_SERVERS)).unwrap_or(usize::MAX);
    let mut by_name: BTreeMap<&String, BTreeSet<IpAddr>> = BTreeMap::new();
    for name in names {
        let mut all = survey.addresses_of(name).unwrap_or_default().0;
        all.extend(parent.glue.get(name).into_iter().flatten());
        by_name.insert(name, all);
    }
    let addresses: BTreeSet<IpAddr> = by_name.values().flatten().copied().collect();
    let placed = by_name.values().filter(|set| !set.is_empty()).count();
    let what = if !names.is_empty() && names.len() < least {
        format!("{} has {}, {}", survey.zone, count(names.len(), "name server"), list(names))
    } else if placed > 1 && addresses.len() == 1 {
        format!("The {placed} name servers of {} share one address, {}", survey.zone, list(&addresses))
    } else {
        return None;
    };
    Some(raise(
        &codes::DNS_FEW_SERVERS,
        format!("{what} {}", survey.source(&NAME_SERVERS)),
        "One machine or one network that is down takes the whole zone with it.",
        "Let a second server on another network serve the zone.",
        parent.seen.clone(),
    ))
}

fn aliases(survey: &Survey<'_>, names: &BTreeSet<String>) -> Option<Finding> {
    let (mut bad, mut ids) = (BTreeSet::new(), Vec::new());
    for (o, s) in &survey.all {
        if names.contains(&s.question.name)
            && s.question.server.role == DnsServerRole::Recursive
            && let Some(answer) = message(s)
            && answer.answers.iter().any(|r| r.rtype == "CNAME" && r.name == s.question.name)
        {
            bad.insert(s.question.name.as_str());
            ids.push(o.id.clone());
        }
    }
    (!bad.is_empty()).then(|| {
        raise(
            &codes::DNS_NS_ALIAS,
            format!("The NS set of {} names an alias: {}", survey.zone, list(bad)),
            "A name server must have its address under its own name; many resolvers do not follow the alias.",
            "Name the server by the name that holds its address records.",
            ids,
        )
    })
}

/// Every server, for findings that are raised per server.
pub(super) fn per_server(survey: &Survey<'_>, finding: Finding, bad: &BTreeSet<At>) -> Finding {
    let all = survey.speaking().len().max(1);
    let title = format!("{}: {}", finding.title, whose(bad, all));
    graded(Finding { title, ..finding }, bad, all)
}
