//! The hosts file, other spellings of the host, and addresses that are published together.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use landfall_evidence::{DnsServerRole, HostRole, HttpResponse, ObservationId, Purpose, Vantage};

use super::super::dns::{answer_word, message};
use super::super::{FactKey, Facts, Value};
use super::{Ids, Seen, World, is_near};

/// The hosts file held against DNS.
pub(super) fn hosts_file(world: &World<'_>, seen: &Seen, facts: &mut Facts) {
    let found = world.evidence.all_dns().find(|(_, s)| s.question.server.role == DnsServerRole::HostsFile);
    let (mut there, mut ids) = (BTreeSet::new(), Ids::new());
    if let Some((observation, s)) = found {
        let Some(answer) = message(s) else { return };
        there.extend(answer.answers.iter().filter_map(|r| r.data.parse::<IpAddr>().ok()));
        ids.insert(observation.id.clone());
        if there.is_empty() {
            facts.known(FactKey::DnsHostsFile, "", "none", ids.clone());
        } else if let Some(path) = &s.question.server.name {
            facts.known(FactKey::DnsHostsPlace, "", path.as_str(), ids.clone());
        }
    }
    if there.is_empty() {
        return;
    }
    facts.known_list(FactKey::DnsHostsAddress, "", there.iter().map(ToString::to_string), ids.clone());
    let (mut dns, dns_ids) = seen.addresses(DnsServerRole::Recursive);
    let (own, own_ids) = seen.addresses(DnsServerRole::Authoritative);
    dns.extend(own);
    ids.extend(dns_ids);
    ids.extend(own_ids);
    let asked = [FactKey::DnsRecursive, FactKey::DnsAuthoritative]
        .into_iter()
        .any(|key| facts.text(key, "").is_some_and(|word| !matches!(word, "silent" | "refused" | "other")));
    let word = match (dns.is_empty(), dns.is_disjoint(&there)) {
        (false, false) => "same",
        (false, true) => "differs",
        (true, _) if asked => "alone",
        (true, _) => return,
    };
    facts.known(FactKey::DnsHostsFile, "", word, ids).symptom = word != "same";
}

/// Other spellings of the host in the project, and whether they resolve; aliases at the apex; entries past DNS.
pub(super) fn names(world: &World<'_>, facts: &mut Facts) {
    let Some((observation, snapshot)) = world.evidence.project() else { return };
    let id = || [observation.id.clone()];
    let (mut near, mut places) = (BTreeSet::new(), BTreeSet::new());
    for named in &snapshot.hosts {
        match named.role {
            HostRole::Host if is_near(&named.name, world.host) => {
                near.insert(named.name.clone());
                places.insert(named.place.clone());
            }
            HostRole::Host if named.name == world.host => {
                facts.known(FactKey::HostNamed, "", named.place.as_str(), id());
            }
            HostRole::ApexAlias => {
                facts.known(FactKey::ProjectApexAlias, "", format!("{} ({})", named.name, named.place), id());
            }
            HostRole::Override if named.name == world.host => {
                facts.known(FactKey::ProjectHostEntry, "", named.place.as_str(), id());
            }
            HostRole::Plain if named.name == world.host => {
                facts.known(FactKey::HostPlain, "", named.place.as_str(), id());
            }
            HostRole::NameServer => {}
            _ => {}
        }
    }
    // Platforms' own names and those of the audited domain tell nothing of another production name.
    let others: BTreeSet<&str> = snapshot
        .hosts
        .iter()
        .filter(|named| named.role == HostRole::Host && !named.name.starts_with("localhost"))
        .map(|named| named.name.as_str())
        .collect();
    let domains: BTreeSet<&str> = others.iter().map(|name| psl::domain_str(name).unwrap_or(name)).collect();
    if near.is_empty() && domains.len() == 1 && !domains.contains(world.domain) {
        facts.known_list(FactKey::HostOther, "", others.into_iter().map(str::to_owned), id());
    }
    let already = facts.get(FactKey::HostNear, "").and_then(|fact| fact.known());
    if let Some(Value::List(names)) = already {
        near.extend(names.iter().cloned());
    }
    facts.known_list(FactKey::HostNear, "", near.iter().cloned(), id());
    facts.known_list(FactKey::HostNearPlace, "", places, id());
    let (mut there, mut ids, mut asked) = (BTreeSet::new(), Ids::new(), false);
    for (o, s) in world.evidence.dns().filter(|(_, s)| near.contains(&s.question.name)) {
        if answer_word(s).is_some() {
            asked = true;
            ids.insert(o.id.clone());
        }
        if s.answer.present().is_some_and(|answer| answer.data_of("A").next().is_some()) {
            there.insert(s.question.name.clone());
        }
    }
    if asked {
        if there.is_empty() {
            there.insert("none".to_owned());
        }
        facts.known_list(FactKey::HostNearResolves, "", there, ids);
    }
}

/// Addresses of one family that are published together, some of which serve while others do not.
pub(super) fn mixed(world: &World<'_>, facts: &mut Facts) {
    let together: BTreeSet<IpAddr> = world
        .evidence
        .dns()
        .filter(|(_, s)| s.question.name == world.host && s.question.rtype == "A")
        .filter_map(|(_, s)| s.answer.present())
        .map(|answer| answer.data_of("A").filter_map(|d| d.parse().ok()).collect::<BTreeSet<IpAddr>>())
        .find(|set| set.len() > 1)
        .unwrap_or_default();
    if together.len() < 2 {
        return;
    }
    let mut states: BTreeMap<IpAddr, BTreeSet<&'static str>> = BTreeMap::new();
    let mut ids = Ids::new();
    let outcomes =
        facts.at(FactKey::TcpOutcome, Some("edge")).chain(facts.at(FactKey::TlsVerify, Some("edge")));
    let mut noted: Vec<(IpAddr, &'static str, Vec<ObservationId>)> = Vec::new();
    for fact in outcomes {
        let Some(address) =
            fact.subject.strip_prefix("edge ").and_then(|a| a.parse::<std::net::SocketAddr>().ok())
        else {
            continue;
        };
        let word = match (fact.key, fact.text()) {
            (_, Some("ok")) => "good",
            (FactKey::TcpOutcome, Some("no-route")) | (_, None) => continue,
            _ => "bad",
        };
        noted.push((address.ip(), word, fact.evidence.clone()));
    }
    // Answers count only against each other: the same path at another address of the set.
    let mut by_path: BTreeMap<&str, Vec<(IpAddr, &HttpResponse, ObservationId)>> = BTreeMap::new();
    for (observation, s) in world.evidence.http().filter(|(o, _)| o.vantage == Vantage::Edge) {
        if matches!(s.request.purpose, Purpose::Endpoint | Purpose::AddressParity)
            && let (Some(address), Some(response)) = (s.request.address, s.answer.present())
            && response.status != 429
            && together.contains(&address.ip())
        {
            let slot = by_path.entry(s.request.path.as_str()).or_default();
            slot.push((address.ip(), response, observation.id.clone()));
        }
    }
    let json = |response: &HttpResponse| response.media_type().is_some_and(|media| media.contains("json"));
    for answers in by_path.values() {
        let several: BTreeSet<IpAddr> = answers.iter().map(|(ip, ..)| *ip).collect();
        if several.len() < 2 {
            continue;
        }
        let serves = |response: &HttpResponse| response.status < 400;
        let any = answers.iter().any(|(_, response, _)| serves(response));
        let any_json = answers.iter().any(|(_, response, _)| serves(response) && json(response));
        for (ip, response, id) in answers {
            let good = serves(response) && (!any_json || json(response));
            if any {
                noted.push((*ip, if good { "good" } else { "bad" }, vec![id.clone()]));
            }
        }
    }
    for (ip, word, by) in noted.into_iter().filter(|(ip, ..)| together.contains(ip)) {
        states.entry(ip).or_default().insert(word);
        ids.extend(by);
    }
    if states.len() < 2 {
        return;
    }
    let bad: BTreeSet<IpAddr> =
        states.iter().filter(|(_, words)| words.contains("bad")).map(|(ip, _)| *ip).collect();
    let word = match (bad.len(), states.len()) {
        (0, _) => "alike",
        (bad, all) if bad < all => "mixed",
        _ => "failing",
    };
    facts.known_list(FactKey::AddressBad, "", bad.iter().map(ToString::to_string), ids.clone());
    facts.known(FactKey::AddressStates, "", word, ids).symptom = word == "mixed";
}
