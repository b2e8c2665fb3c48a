//! The delegation as the parent publishes it, copies of the zone elsewhere, and whether its servers agree.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use landfall_evidence::{DnsServerRole, HostRole, ObservationId};

use super::super::dns::message;
use super::super::{FactKey, Facts, Value};
use super::{Ids, Says, Seen, World, names_of};

/// The delegation as the parent publishes it, held against the zone's own NS set.
pub(super) fn parent(world: &World<'_>, facts: &mut Facts) {
    let (mut published, mut ids, mut words) = (BTreeSet::new(), Ids::new(), BTreeSet::new());
    let asked = || world.evidence.all_dns().filter(|(_, s)| s.question.server.role == DnsServerRole::Parent);
    for (observation, seen) in asked().filter(|(_, s)| s.question.rtype == "NS") {
        let Some(answer) = message(seen) else { continue };
        let names = names_of(answer, "NS", world.domain);
        let word = match (names.is_empty(), answer.rcode) {
            (false, 0) => "delegated",
            (_, 3) => "absent",
            (true, 0) => "empty",
            _ => continue,
        };
        words.insert(word);
        published.extend(names);
        ids.insert(observation.id.clone());
    }
    if words.len() == 1
        && let Some(word) = words.first()
    {
        facts.known(FactKey::DnsParent, "", *word, ids.clone());
    }
    facts.known_list(FactKey::DnsParentNs, "", published.iter().cloned(), ids.clone());
    let mut own = BTreeSet::new();
    for (observation, seen) in world.evidence.dns() {
        let question = &seen.question;
        if question.server.role == DnsServerRole::Authoritative
            && question.rtype == "NS"
            && question.name == world.domain
            && let Some(answer) = seen.answer.present().filter(|answer| answer.authoritative)
        {
            own.extend(names_of(answer, "NS", world.domain));
            ids.insert(observation.id.clone());
        }
    }
    if !published.is_empty() && !own.is_empty() {
        let word = if published == own {
            "same"
        } else if published.is_disjoint(&own) {
            "differs"
        } else {
            "partly"
        };
        facts.known(FactKey::DnsDelegation, "", word, ids);
    }
}

/// The name does not exist, of whatever type (RFC 1035 section 4.1.1).
const NXDOMAIN: u16 = 3;

/// Copies of the zone at servers that are expected to hold it and to which nobody is sent.
pub(super) fn copies(world: &World<'_>, seen: &Seen, facts: &mut Facts) {
    let mut delegated: BTreeSet<String> = BTreeSet::new();
    let mut delegated_at: BTreeSet<IpAddr> = BTreeSet::new();
    for (_, s) in world.evidence.dns() {
        if s.question.server.role == DnsServerRole::Authoritative {
            delegated.extend(s.question.server.name.clone());
            delegated_at.extend(s.question.server.address.map(|a| a.ip()));
        }
    }
    for key in [FactKey::DnsParentNs, FactKey::DnsNs] {
        if let Some(Value::List(names)) = facts.get(key, "").and_then(|f| f.known()) {
            delegated.extend(names.iter().cloned());
        }
    }
    let mut foreign: BTreeMap<String, Ids> = BTreeMap::new();
    let (mut holders, mut holding, mut addresses) = (BTreeSet::new(), Ids::new(), BTreeSet::new());
    let mut absent = Ids::new();
    let mut empty: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (observation, s) in world.evidence.all_dns() {
        let server = &s.question.server;
        let (DnsServerRole::Expected, Some(name), Some(at)) = (server.role, &server.name, server.address)
        else {
            continue;
        };
        if delegated.contains(name) || delegated_at.contains(&at.ip()) {
            continue;
        }
        foreign.entry(name.clone()).or_default().insert(observation.id.clone());
        let Some(answer) = message(s).filter(|answer| answer.authoritative) else { continue };
        if s.question.name == world.host && matches!(s.question.rtype.as_str(), "A" | "AAAA") {
            let found: BTreeSet<IpAddr> =
                answer.data_of(&s.question.rtype).filter_map(|d| d.parse().ok()).collect();
            if found.is_empty() && answer.data_of("CNAME").next().is_none() {
                // That it has no address of one family says nothing of the other.
                let families = empty.entry(name.clone()).or_default();
                families.insert(s.question.rtype.clone());
                if answer.rcode == NXDOMAIN || families.len() == 2 {
                    absent.insert(observation.id.clone());
                }
            } else {
                holders.insert(name.clone());
                holding.insert(observation.id.clone());
                addresses.extend(found);
            }
        }
    }
    // Servers that the project names and nobody asked: whether they hold the name is not known.
    if let Some((observation, snapshot)) = world.evidence.project().filter(|_| foreign.is_empty()) {
        let named = snapshot.hosts.iter().filter(|host| host.role == HostRole::NameServer);
        for host in named.filter(|host| !delegated.contains(&host.name)) {
            foreign.entry(host.name.clone()).or_default().insert(observation.id.clone());
        }
    }
    if foreign.is_empty() {
        return;
    }
    let all_ids: Ids = foreign.values().flatten().cloned().collect();
    let project = world.evidence.project();
    let places = foreign.keys().map(|name| {
        let hosts = project.iter().flat_map(|(_, snapshot)| &snapshot.hosts);
        let place = hosts
            .filter(|h| h.role == HostRole::NameServer && h.name == *name)
            .map(|h| h.place.as_str())
            .next();
        place.map_or("target", |place| {
            let file = crate::words::file_of(place).to_ascii_lowercase();
            let prose = [".md", ".rst", ".txt", ".adoc"].iter().any(|end| file.ends_with(end));
            if prose { "document" } else { "infrastructure" }
        })
    });
    let places: BTreeSet<&str> = places.collect();
    if let Some(place) = places.first() {
        facts.known(FactKey::DnsElsewherePlace, "", *place, all_ids.clone());
    }
    facts.known_list(FactKey::DnsElsewhere, "", foreign.into_keys(), all_ids);
    facts.known_list(FactKey::DnsCopyAt, "", holders.clone(), holding.clone());
    let (own, own_ids) = seen.addresses(DnsServerRole::Authoritative);
    let says = facts.text(FactKey::DnsAuthoritative, "").map(str::to_owned);
    let mut ids = holding;
    ids.extend(own_ids);
    if holders.is_empty() {
        if !absent.is_empty() {
            facts.known(FactKey::DnsCopy, "", "absent", absent);
        }
        return;
    }
    let word =
        match says.as_deref() {
            Some("ok" | "mixed") if !own.is_empty() && !addresses.is_empty() => {
                if own.is_disjoint(&addresses) { "differs" } else { "same" }
            }
            Some(
                "nxdomain" | "nodata" | "refused" | "not-authoritative" | "servfail" | "silent" | "dangling",
            ) => "better",
            None if facts.text(FactKey::DnsZone, "") == Some("absent") => "better",
            None if facts.text(FactKey::DnsParent, "").is_some_and(|word| word != "delegated") => "better",
            _ => return,
        };
    facts.known(FactKey::DnsCopy, "", word, ids.clone());
    let serial = |role: DnsServerRole| {
        let asked = world.evidence.dns_of(role).filter(|(_, s)| s.question.rtype == "SOA");
        let own = asked.filter(|(_, s)| {
            role != DnsServerRole::Expected
                || s.question.server.name.as_ref().is_some_and(|n| holders.contains(n))
        });
        own.filter_map(|(_, s)| {
            s.answer.present()?.data_of("SOA").next()?.split(' ').nth(2)?.parse::<u32>().ok()
        })
        .max()
    };
    if let (Some(there), Some(here)) = (serial(DnsServerRole::Expected), serial(DnsServerRole::Authoritative))
    {
        // Serials count around (RFC 1982 section 3.2).
        let ahead = there.wrapping_sub(here);
        // Providers count a zone that was just made from one, and a zone of years by dates or seconds.
        facts.known(FactKey::DnsYoung, "", here <= YOUNG_SERIAL && there >= OLD_SERIAL, ids.clone());
        facts.known(FactKey::DnsCopyNewer, "", ahead != 0 && ahead < 1 << 31, ids.clone());
        if let (Some(Edited::OnDate(then)), Some(Edited::OnDate(now)))
        | (Some(Edited::OnDay(then)), Some(Edited::OnDay(now))) = (Edited::of(there), Edited::of(here))
        {
            facts.known(FactKey::DnsCopyOlder, "", then < now, ids);
        }
    }
    more(world, &holders, facts);
}

/// What a copy has of the usual names beside the host, and the delegated zone lacks.
fn more(world: &World<'_>, holders: &BTreeSet<String>, facts: &mut Facts) {
    let (mut here, mut there) = (BTreeMap::new(), BTreeMap::new());
    let mut ids = Ids::new();
    for (observation, s) in world.evidence.all_dns() {
        let (name, rtype) = (s.question.name.as_str(), s.question.rtype.as_str());
        let of = match s.question.server.role {
            DnsServerRole::Authoritative => &mut here,
            DnsServerRole::Expected
                if s.question.server.name.as_ref().is_some_and(|n| holders.contains(n)) =>
            {
                &mut there
            }
            _ => continue,
        };
        if name != world.host
            && world.is_usual(name, rtype)
            && let Some(answer) = message(s).filter(|answer| answer.authoritative)
        {
            *of.entry((name, rtype)).or_insert(false) |= !answer.answers.is_empty();
            ids.insert(observation.id.clone());
        }
    }
    let both: Vec<_> = there.iter().filter_map(|(what, has)| Some((what, *has, *here.get(what)?))).collect();
    if both.is_empty() {
        return;
    }
    let mut more: Vec<String> = both
        .iter()
        .filter(|(_, there, here)| *there && !here)
        .map(|((name, rtype), ..)| format!("{name} {rtype}"))
        .collect();
    if more.is_empty() {
        more.push("none".to_owned());
    }
    facts.known_list(FactKey::DnsCopyMore, "", more, ids);
}

/// When a zone was edited last, by a serial that counts so.
#[derive(Debug, PartialEq, Eq)]
enum Edited {
    /// The date, `YYYYMMDD`, of a serial that ends in the number of the edit (RFC 1912 section 2.2).
    OnDate(u32),
    /// The day since 1970 of a serial in seconds, as several providers and tools write.
    OnDay(u32),
}

impl Edited {
    fn of(serial: u32) -> Option<Self> {
        let (year, month, day) = (serial / 1_000_000, serial / 10_000 % 100, serial / 100 % 100);
        if (1990..2100).contains(&year) && (1..=12).contains(&month) && (1..=31).contains(&day) {
            return Some(Self::OnDate(serial / 100));
        }
        // Of this century and before the dates begin (1,990,010,100 would be the year 2033).
        (946_684_800..1_990_000_000).contains(&serial).then_some(Self::OnDay(serial / 86_400))
    }
}

/// Up to this serial a zone has hardly been edited.
const YOUNG_SERIAL: u32 = 10;

/// From this serial on it counts dates or seconds, or very many edits.
const OLD_SERIAL: u32 = 1_000_000;

/// Whether the zone's own servers say the same, and count the same version of the zone.
pub(super) fn agreement(world: &World<'_>, seen: &Seen, facts: &mut Facts) {
    let mut serials: BTreeMap<String, (String, ObservationId)> = BTreeMap::new();
    for (observation, s) in world.evidence.dns() {
        let server = &s.question.server;
        if server.role == DnsServerRole::Authoritative
            && s.question.rtype == "SOA"
            && let Some(answer) = s.answer.present().filter(|answer| answer.authoritative)
            && let Some(serial) = answer
                .answers
                .iter()
                .find(|r| r.rtype == "SOA" && r.name == s.question.name)
                .and_then(|r| r.data.split(' ').nth(2))
        {
            let who = format!("{} {:?}", server.name.clone().unwrap_or_default(), server.address);
            serials.insert(who, (serial.to_owned(), observation.id.clone()));
        }
    }
    let distinct: BTreeSet<&String> = serials.values().map(|(serial, _)| serial).collect();
    if serials.len() > 1 {
        let ids: Ids = serials.values().map(|(_, id)| id.clone()).collect();
        facts.known(FactKey::DnsSerials, "", if distinct.len() == 1 { "same" } else { "differ" }, ids);
    }
    let own: Vec<&Says> = seen
        .of(DnsServerRole::Authoritative)
        .map(|(_, says)| says)
        .filter(|says| matches!(says.word(), Some("ok" | "nxdomain" | "nodata" | "dangling")))
        .collect();
    if own.len() < 2 {
        return;
    }
    let ids: Ids = own.iter().flat_map(|says| says.ids.iter().cloned()).collect();
    let words: BTreeSet<_> = own.iter().filter_map(|says| says.word()).collect();
    let with: Vec<&&Says> = own.iter().filter(|says| !says.addresses.is_empty()).collect();
    let apart = with.iter().any(|a| with.iter().any(|b| a.addresses.is_disjoint(&b.addresses)));
    let aliases: BTreeSet<_> = own.iter().map(|says| &says.aliases).collect();
    let differ = words.len() > 1 || apart || (with.is_empty() && aliases.len() > 1);
    // Servers that choose an address by place count one version of the zone; what differs in both is two zones.
    let trouble = differ && (distinct.len() > 1 || words.len() > 1);
    facts.known(FactKey::DnsServersAgree, "", !differ, ids).symptom = trouble;
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{
        Denial, DnsAnswer, DnsRecord, DnsServer, DnsServerRole, Observed, Seen, Vantage,
    };

    use super::Edited;
    use crate::Catalogue;
    use crate::facts::{FactKey, Facts, Value};
    use crate::testworld::{HOST, World, deployed, dns_answer, dns_seen};

    #[test]
    fn serials_are_held_against_each_other_where_they_count_alike() {
        assert_eq!(Edited::of(2_026_112_503), Some(Edited::OnDate(20_261_125)));
        assert_eq!(Edited::of(1_764_150_000), Some(Edited::OnDay(20_418)));
        for other in [1, 7, 2_388_104_411, 2_026_990_101, 0] {
            assert_eq!(Edited::of(other), None, "{other}");
        }
    }

    /// What a server says of the host, of the version of the zone and of its usual names.
    fn says(world: &mut World, role: DnsServerRole, has_host: bool, serial: u32, mail: bool) {
        let zone = HOST.split_once('.').expect("below a zone").1;
        let (name, ip) = match role {
            DnsServerRole::Expected => ("ns1.former.test", "192.0.2.91"),
            _ => ("ns1.present.test", "192.0.2.92"),
        };
        let address = Some(format!("{ip}:53").parse().expect("an address"));
        let server = DnsServer { role, name: Some(name.into()), address, connected_to: None };
        let record = |name: &str, rtype: &str, data: &str| DnsRecord {
            name: name.into(),
            rtype: rtype.into(),
            ttl_s: 300,
            data: data.into(),
        };
        let records = |list| Observed::Present(dns_answer(0, true, list));
        let absent = || -> Observed<DnsAnswer> {
            Observed::Denied(Denial::Rcode(Box::new(dns_answer(3, true, Vec::new()))))
        };
        let host = |rtype, data| if has_host { records(vec![record(HOST, rtype, data)]) } else { absent() };
        let soa = format!("{name} hostmaster.{zone} {serial} 3600 600 86400 60");
        let mx = if mail { vec![record(zone, "MX", "10 mail.example.test")] } else { Vec::new() };
        for (asked, rtype, answer) in [
            (HOST, "A", host("A", "203.0.113.7")),
            (HOST, "AAAA", if has_host { records(Vec::new()) } else { absent() }),
            (zone, "SOA", records(vec![record(zone, "SOA", &soa)])),
            (zone, "A", records(vec![record(zone, "A", "203.0.113.8")])),
            (zone, "MX", records(mx)),
        ] {
            let seen = dns_seen(&server, asked, rtype, answer);
            world.push(&format!("copy/{role:?}/{rtype} {asked}"), Vantage::Edge, Seen::Dns(seen));
        }
    }

    fn facts(serial_there: u32, mail_here: bool) -> Facts {
        let mut world = deployed()
            .without(|o| matches!(&o.seen, Seen::Dns(s) if s.question.server.role != DnsServerRole::System));
        says(&mut world, DnsServerRole::Authoritative, false, 2_026_110_901, mail_here);
        says(&mut world, DnsServerRole::Expected, true, serial_there, true);
        Facts::derive(&world.0, Catalogue::embedded())
    }

    #[test]
    fn a_copy_is_held_against_the_delegated_zone() {
        let zone = HOST.split_once('.').expect("below a zone").1;
        let more = |facts: &Facts| match facts.get(FactKey::DnsCopyMore, "").and_then(|f| f.known()) {
            Some(Value::List(list)) => list.join(", "),
            other => panic!("{other:?}"),
        };
        let left = facts(2_026_090_302, false);
        assert_eq!(left.text(FactKey::DnsCopy, ""), Some("better"));
        assert_eq!(left.is(FactKey::DnsCopyOlder, "", "yes"), Some(true));
        assert_eq!(more(&left), format!("{zone} MX"));

        let edited = facts(2_026_112_501, true);
        assert_eq!(edited.is(FactKey::DnsCopyOlder, "", "yes"), Some(false));
        assert_eq!(more(&edited), "none");
        // A count of edits is no date.
        assert_eq!(facts(7, true).get(FactKey::DnsCopyOlder, "").map(|f| f.known().is_some()), None);
    }
}
