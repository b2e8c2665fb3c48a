//! Records that the project's own files give to the zone, against what DNS answers.
//!
//! A difference does not say by itself which of the two is out of date: files may never have been carried out, and a record may
//! have been changed by hand since. Together with an answer that is not the application's it says where to look.

use std::collections::BTreeSet;
use std::net::IpAddr;

use landfall_evidence::{DnsServerRole, Evidence, PlannedRecord};

use super::{Ids, World};
use crate::catalogue::Catalogue;
use crate::facts::dns::{message, served_by};
use crate::facts::{FactKey, Facts};
use crate::words::file_of;

/// What the files say of the host, held against DNS.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Planned {
    /// The word of `dns.planned`.
    pub(crate) word: &'static str,
    /// Where the record stands; for `unplanned` a neighbour's place.
    pub(crate) place: String,
    /// What it says: addresses or a name; empty where the files put it together.
    pub(crate) data: Vec<String>,
    /// What DNS has at the name itself: its alias, or its addresses.
    pub(crate) answered: Vec<String>,
    /// Families in which DNS has an address, and the files none, while they have one in the other family.
    lacks: Vec<&'static str>,
    provider: Option<String>,
    /// Observations behind it.
    pub(crate) ids: Ids,
}

pub(super) fn planned(world: &World<'_>, catalogue: &Catalogue, facts: &mut Facts) {
    let Some(planned) = compare(world.evidence, world.host, &world.zone, world.domain, catalogue) else {
        return;
    };
    let ids = || planned.ids.iter().cloned();
    facts.known(FactKey::DnsPlanned, "", planned.word, ids());
    facts.known(FactKey::DnsPlannedPlace, "", planned.place.as_str(), ids());
    facts.known_list(FactKey::DnsPlannedIs, "", planned.data.iter().cloned(), ids());
    facts.known_list(
        FactKey::DnsPlannedLacks,
        "",
        planned.lacks.iter().map(|family| (*family).to_owned()),
        ids(),
    );
    let owners = owners(world.evidence, catalogue);
    if let Some(provider) = planned.provider.as_deref().filter(|_| !owners.is_empty()) {
        let word = if owners.contains(provider_of(provider)) { "here" } else { "elsewhere" };
        facts.known(FactKey::DnsPlannedAt, "", word, ids());
        facts.known(FactKey::DnsPlannedBy, "", provider, ids());
    }
}

/// Who runs the name servers of the zone, as far as that is known.
fn owners<'a>(evidence: &Evidence, catalogue: &'a Catalogue) -> BTreeSet<&'a str> {
    served_by(evidence, catalogue).owners.into_iter().map(provider_of).collect()
}

/// One name for what the list of owners has under two, for their addresses and for their name servers.
fn provider_of(vendor: &str) -> &str {
    match vendor {
        "route53" => "aws",
        vendor => vendor,
    }
}

/// Holds the files' records for a host against what the zone's servers answer, or resolvers where those were not asked. `None`
/// where the files have no record of the zone.
pub(crate) fn compare(
    evidence: &Evidence,
    host: &str,
    zone: &str,
    domain: &str,
    catalogue: &Catalogue,
) -> Option<Planned> {
    let (project, snapshot) = evidence.project()?;
    if snapshot.records.is_empty() {
        return None;
    }
    let mut of_host = of_host(&snapshot.records, host, zone, domain);
    // Files of a provider that was left stand beside those of the present one.
    let owners = owners(evidence, catalogue);
    let is_here =
        |record: &PlannedRecord| record.provider.as_deref().is_some_and(|p| owners.contains(provider_of(p)));
    if of_host.iter().any(|record| is_here(record)) {
        of_host.retain(|record| is_here(record));
    }
    let neighbour = || {
        let below = |name: &str| name == domain || name.ends_with(&format!(".{domain}"));
        snapshot.records.iter().find(|record| record.zone.is_some() && below(&record.name))
    };
    let doubled = || {
        let twice = [zone, domain].map(|zone| format!("{host}.{zone}"));
        snapshot.records.iter().find(|record| twice.contains(&record.name))
    };
    let mut seen = [DnsServerRole::Authoritative, DnsServerRole::Recursive, DnsServerRole::System]
        .into_iter()
        .map(|role| answers(evidence, host, role))
        .find(|answers| answers.is_there || answers.is_absent)?;
    seen.ids.insert(project.id.clone());
    let answered = match &seen.alias {
        Some(alias) => vec![alias.clone()],
        None => seen.addresses.iter().map(ToString::to_string).collect(),
    };
    let with = |word, record: &PlannedRecord, data: Vec<String>, lacks| Planned {
        word,
        place: record.place.clone(),
        data,
        answered: answered.clone(),
        lacks,
        provider: record.provider.clone(),
        ids: seen.ids.clone(),
    };
    let Some(first) = of_host.first() else {
        return match doubled() {
            Some(record) => Some(with("doubled", record, vec![record.name.clone()], Vec::new())),
            None => neighbour().map(|record| with("unplanned", record, Vec::new(), Vec::new())),
        };
    };
    let data: Vec<String> = of_host.iter().flat_map(|record| record.data.iter().cloned()).collect();
    let lacks = [("IPv4", "A", false), ("IPv6", "AAAA", true)].into_iter().filter(|(_, rtype, six)| {
        let addresses_only = of_host.iter().all(|record| matches!(record.rtype.as_str(), "A" | "AAAA"));
        addresses_only
            && seen.alias.is_none()
            && of_host.iter().all(|record| record.rtype != *rtype && !record.proxied)
            && seen.addresses.iter().any(|address| address.is_ipv6() == *six)
    });
    let lacks: Vec<&str> = lacks.map(|(family, ..)| family).collect();
    Some(with(word(&of_host, &seen, host == zone, catalogue), first, data, lacks))
}

/// What the servers of one role say of the host itself.
#[derive(Default)]
struct Answers {
    is_there: bool,
    is_absent: bool,
    alias: Option<String>,
    addresses: BTreeSet<IpAddr>,
    ids: Ids,
}

fn answers(evidence: &Evidence, host: &str, role: DnsServerRole) -> Answers {
    let mut all = Answers::default();
    let mut empty = BTreeSet::new();
    let asked = evidence.dns().filter(|(_, seen)| {
        seen.question.server.role == role
            && seen.question.name == host
            && matches!(seen.question.rtype.as_str(), "A" | "AAAA")
    });
    for (observation, seen) in asked {
        let Some(answer) = message(seen) else { continue };
        // A server of the zone that does not speak for it says nothing of what is in it.
        if role == DnsServerRole::Authoritative && !answer.authoritative {
            continue;
        }
        let own = || answer.answers.iter().filter(|record| record.name == host);
        let alias = own().find(|record| record.rtype == "CNAME").map(|record| bare(&record.data));
        let addresses: Vec<IpAddr> = own()
            .filter(|record| record.rtype != "CNAME")
            .filter_map(|record| record.data.parse().ok())
            .collect();
        if alias.is_some() || !addresses.is_empty() {
            all.is_there = true;
        } else if answer.rcode == 3 {
            all.is_absent = true;
        } else if answer.rcode == 0 {
            empty.insert(seen.question.rtype.clone());
        } else {
            continue;
        }
        all.alias = all.alias.or(alias);
        all.addresses.extend(addresses);
        all.ids.insert(observation.id.clone());
    }
    all.is_absent |= empty.len() == 2;
    all.is_absent &= !all.is_there;
    all
}

fn bare(name: &str) -> String {
    name.trim_end_matches('.').to_ascii_lowercase()
}

/// The records of a host: its own, else those of a wildcard beside it (RFC 4592).
fn of_host<'a>(records: &'a [PlannedRecord], host: &str, zone: &str, domain: &str) -> Vec<&'a PlannedRecord> {
    let named = |name: &str| -> Vec<&'a PlannedRecord> {
        let relative = |zone: &str| match name.strip_suffix(zone) {
            Some("") => Some("@"),
            Some(rest) => rest.strip_suffix('.'),
            None => None,
        };
        let is_of = |record: &&PlannedRecord| match &record.zone {
            Some(_) => record.name == name,
            None => {
                record.name == name
                    || [zone, domain].iter().any(|zone| relative(zone) == Some(record.name.as_str()))
            }
        };
        records.iter().filter(is_of).collect()
    };
    let own = named(host);
    match host.split_once('.') {
        Some((_, rest)) if own.is_empty() && host != zone => named(&format!("*.{rest}")),
        _ => own,
    }
}

fn word(records: &[&PlannedRecord], seen: &Answers, is_apex: bool, catalogue: &Catalogue) -> &'static str {
    if seen.is_absent {
        return "absent";
    }
    // Environments are kept apart by conditions that nothing here carries out: which of two files counts is not known.
    let files: BTreeSet<(&str, &str)> =
        records.iter().map(|r| (file_of(&r.place), r.rtype.as_str())).collect();
    let types: BTreeSet<&str> = records.iter().map(|r| r.rtype.as_str()).collect();
    if files.len() > types.len() || records.iter().any(|record| record.data.is_empty()) {
        return "open";
    }
    if records.iter().any(|record| record.proxied) {
        let at_edge = !seen.addresses.is_empty()
            && seen.addresses.iter().all(|address| {
                catalogue.owner_of_address(*address).is_some_and(|owner| owner.vendor == "cloudflare")
            });
        return if at_edge { "same" } else { "open" };
    }
    let alias = records.iter().find(|record| matches!(record.rtype.as_str(), "CNAME" | "ALIAS"));
    if let Some(record) = alias {
        // At a zone's own name, and with a provider's own kind of alias, addresses are given in its place.
        return match &seen.alias {
            Some(alias) if record.data.iter().any(|data| data == alias) => "same",
            Some(_) => "other-alias",
            None if is_apex
                || record.rtype == "ALIAS"
                || record.provider.as_deref() == Some("cloudflare") =>
            {
                "open"
            }
            None => "other-address",
        };
    }
    if seen.alias.is_some() {
        return "other-alias";
    }
    let wanted: BTreeSet<IpAddr> =
        records.iter().flat_map(|record| &record.data).filter_map(|data| data.parse().ok()).collect();
    // What the files do not speak of is told apart (`dns.planned_lacks`).
    let answered: BTreeSet<IpAddr> = seen
        .addresses
        .iter()
        .copied()
        .filter(|address| records.iter().any(|record| (record.rtype == "AAAA") == address.is_ipv6()))
        .collect();
    if wanted == answered {
        "same"
    } else if wanted.is_disjoint(&answered) {
        "other-address"
    } else if answered.is_subset(&wanted) {
        "fewer"
    } else {
        "more"
    }
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{Denial, DnsAnswer, Observed, ProjectSnapshot};

    use super::*;
    use crate::testkit::{World as Made, negative, records};

    const HOST: &str = "api.example.test";

    fn record(name: &str, rtype: &str, data: &[&str]) -> PlannedRecord {
        PlannedRecord {
            name: name.to_owned(),
            zone: Some("example.test".to_owned()),
            rtype: rtype.to_owned(),
            data: data.iter().map(|data| (*data).to_owned()).collect(),
            proxied: false,
            provider: None,
            place: "dns.tf:3".to_owned(),
        }
    }

    fn word_of(planned: &[PlannedRecord], answer: DnsAnswer) -> Option<&'static str> {
        let mut made = Made::new(&format!("https://{HOST}"));
        made.project(ProjectSnapshot { records: planned.to_vec(), ..ProjectSnapshot::default() });
        let outcome = match answer.rcode {
            0 => Observed::Present(answer),
            _ => Observed::Denied(Denial::Rcode(Box::new(answer))),
        };
        made.dns_outcome(DnsServerRole::Authoritative, "ns1.example.test", HOST, "A", outcome);
        let evidence = made.build();
        compare(&evidence, HOST, "example.test", "example.test", Catalogue::embedded())
            .map(|planned| planned.word)
    }

    fn address(data: &[&str]) -> DnsAnswer {
        records(HOST, "A", data, true)
    }

    #[test]
    fn what_files_and_zone_say_is_held_together() {
        for (planned, answer, want) in [
            (record(HOST, "A", &["192.0.2.1"]), address(&["192.0.2.1"]), Some("same")),
            (record(HOST, "A", &["192.0.2.1"]), address(&["192.0.2.2"]), Some("other-address")),
            (record(HOST, "A", &["192.0.2.1"]), address(&["192.0.2.1", "192.0.2.2"]), Some("more")),
            (record(HOST, "A", &["192.0.2.1", "192.0.2.2"]), address(&["192.0.2.1"]), Some("fewer")),
            (record(HOST, "A", &[]), address(&["192.0.2.1"]), Some("open")),
            (
                record(HOST, "CNAME", &["a.fly.dev"]),
                records(HOST, "CNAME", &["A.fly.dev."], true),
                Some("same"),
            ),
            (
                record(HOST, "CNAME", &["a.fly.dev"]),
                records(HOST, "CNAME", &["b.fly.dev."], true),
                Some("other-alias"),
            ),
            (record(HOST, "CNAME", &["a.fly.dev"]), address(&["192.0.2.1"]), Some("other-address")),
            (record(HOST, "ALIAS", &["a.fly.dev"]), address(&["192.0.2.1"]), Some("open")),
            (
                record(HOST, "A", &["192.0.2.1"]),
                records(HOST, "CNAME", &["b.fly.dev."], true),
                Some("other-alias"),
            ),
            (record("*.example.test", "A", &["192.0.2.1"]), address(&["192.0.2.1"]), Some("same")),
            (record("www.example.test", "A", &["192.0.2.1"]), address(&["192.0.2.1"]), Some("unplanned")),
            (
                record("api.example.test.example.test", "A", &["192.0.2.1"]),
                address(&["192.0.2.1"]),
                Some("doubled"),
            ),
            (record("api.other.test", "A", &["192.0.2.1"]), address(&["192.0.2.1"]), None),
        ] {
            assert_eq!(word_of(std::slice::from_ref(&planned), answer), want, "{planned:?}");
        }
        let unknown_zone = PlannedRecord { zone: None, ..record("api", "A", &["192.0.2.1"]) };
        assert_eq!(word_of(&[unknown_zone], address(&["192.0.2.9"])), Some("other-address"));
        let no = negative(3, "NXDOMAIN", Some("example.test"), true, &[]);
        assert_eq!(word_of(&[record(HOST, "A", &["192.0.2.1"])], no), Some("absent"));
    }

    #[test]
    fn files_of_a_provider_that_was_left_do_not_count_beside_those_of_the_present_one() {
        let by = |provider: &str, data: &str| PlannedRecord {
            provider: Some(provider.to_owned()),
            place: format!("{provider}/dns.tf:3"),
            ..record(HOST, "A", &[data])
        };
        let mut made = Made::new(&format!("https://{HOST}"));
        let planned = vec![by("digitalocean", "203.0.113.9"), by("aws", "192.0.2.1")];
        made.project(ProjectSnapshot { records: planned, ..ProjectSnapshot::default() });
        let names = records("example.test", "NS", &["ns-1.awsdns-01.com"], true);
        made.dns_outcome(DnsServerRole::Authoritative, "ns1", "example.test", "NS", Observed::Present(names));
        made.dns_outcome(
            DnsServerRole::Authoritative,
            "ns1",
            HOST,
            "A",
            Observed::Present(address(&["192.0.2.1"])),
        );
        let found = compare(&made.build(), HOST, "example.test", "example.test", Catalogue::embedded());
        assert_eq!(
            found.map(|planned| (planned.word, planned.place)),
            Some(("same", "aws/dns.tf:3".to_owned()))
        );
    }

    /// Two environments in one folder give one name twice, and nothing here says which of them is production.
    #[test]
    fn a_name_that_two_files_give_differently_is_left_open() {
        let other = PlannedRecord { place: "staging.tf:3".to_owned(), ..record(HOST, "A", &["192.0.2.7"]) };
        assert_eq!(
            word_of(&[record(HOST, "A", &["192.0.2.1"]), other], address(&["192.0.2.9"])),
            Some("open")
        );
    }
}
