//! What stands around the zone: delegation and its parent, copies elsewhere, controls, signatures, caches, the hosts file
//! and the registry.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr};

use landfall_evidence::{
    DnsAnswer, DnsObservation, DnsServerRole, Evidence, HostRole, HttpResponse, Observation, ObservationId,
    Observed, Purpose, Vantage,
};

use super::dns::{answer_word, message};
use super::{Exchanges, FactKey, Facts, Why, why_absent};
use crate::causes::edit_distance;
use crate::signatures::SignatureHop;

/// A registration that ends within so many days is worth a word.
const SECONDS_A_DAY: i64 = 86_400;
/// The control's label begins so (the probe's choice).
const CONTROL: &str = "landfall-";
/// Letters in which a misspelt host differs at most.
const NEAR_LETTERS: usize = 2;

/// Whether one host is almost another: at most two letters apart, and not the same.
pub fn is_near(one: &str, other: &str) -> bool {
    one != other && one.len() <= 253 && other.len() <= 253 && edit_distance(one, other) <= NEAR_LETTERS
}

pub(super) fn derive(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    parked(exchanges, facts);
    hosted(exchanges, facts);
    let host = evidence.target.production.as_ref().and_then(|url| url.domain()).map(str::to_ascii_lowercase);
    let Some(host) = host else { return };
    let domain = psl::domain_str(&host).unwrap_or(&host).to_owned();
    let world = World { evidence, host: &host, domain: &domain, zone: zone_of(evidence, &host, &domain) };
    facts.known(FactKey::TargetDomain, "", domain.as_str(), []);
    facts.known(FactKey::DnsApex, "", world.host == world.zone, []);
    let seen = Seen::collect(&world);
    parent(&world, facts);
    copies(&world, &seen, facts);
    agreement(&world, &seen, facts);
    controls(&world, &seen, facts);
    classes(&seen, facts);
    differences(&world, &seen, facts);
    signatures(&world, facts);
    caa(&world, facts);
    hosts_file(&world, &seen, facts);
    names(&world, facts);
    registry(&world, facts);
    mixed(&world, facts);
}

struct World<'a> {
    evidence: &'a Evidence,
    host: &'a str,
    /// The registered domain.
    domain: &'a str,
    /// The zone that holds the host, as far as it is known; else the registered domain.
    zone: String,
}

/// The longest name on the way up from the host that has a SOA of its own.
fn zone_of(evidence: &Evidence, host: &str, domain: &str) -> String {
    let above = |name: &str| host == name || host.ends_with(&format!(".{name}"));
    let found = evidence.all_dns().filter_map(|(_, seen)| message(seen)).flat_map(|answer| {
        answer.answers.iter().chain(&answer.authority).filter(|r| r.rtype == "SOA" && above(&r.name))
    });
    found
        .map(|record| record.name.as_str())
        .filter(|name| name.len() >= domain.len())
        .max_by_key(|name| name.len())
        .unwrap_or(domain)
        .to_owned()
}

type Ids = BTreeSet<ObservationId>;

/// What one server says of the host.
#[derive(Default, Debug)]
struct Says {
    words: BTreeSet<&'static str>,
    families: BTreeSet<String>,
    addresses: BTreeSet<IpAddr>,
    aliases: BTreeSet<String>,
    /// Smallest time to live of the address records, first and last time of asking.
    ttls: Vec<u32>,
    /// That of the SOA of a negative answer, which is how long it may be kept (RFC 2308 section 5).
    negative_ttls: Vec<u32>,
    /// Whether a negative answer came with the SOA of the host's own zone.
    own_soa: bool,
    /// Whether the server says that it speaks with authority.
    authority: bool,
    ids: Ids,
}

impl Says {
    /// One word, as of [`super::dns`]: an address decides, emptiness takes both families.
    fn word(&self) -> Option<&'static str> {
        super::dns::DECIDING
            .into_iter()
            .find(|word| self.words.contains(word))
            .or_else(|| (self.families.len() == 2).then_some("nodata"))
    }
}

/// What every server says of the host, by role and server.
struct Seen(BTreeMap<(DnsServerRole, String), Says>);

impl Seen {
    fn collect(world: &World<'_>) -> Self {
        let mut all: BTreeMap<(DnsServerRole, String), Says> = BTreeMap::new();
        let mut asked: Vec<_> = world
            .evidence
            .all_dns()
            .filter(|(_, s)| {
                s.question.name == world.host && matches!(s.question.rtype.as_str(), "A" | "AAAA")
            })
            .filter(|(_, s)| !s.question.checking_disabled && !s.question.dnssec_ok)
            .collect();
        asked.sort_by_key(|(observation, _)| (observation.attempt, &observation.id));
        for (observation, seen) in asked {
            let server = &seen.question.server;
            let who = match (&server.name, server.address) {
                (Some(name), Some(address)) => format!("{name} ({})", address.ip()),
                (Some(name), None) => name.clone(),
                (None, Some(address)) => address.to_string(),
                (None, None) => "system".to_owned(),
            };
            let says = all.entry((server.role, who)).or_default();
            says.ids.insert(observation.id.clone());
            let Some(word) = answer_word(seen) else { continue };
            says.words.insert(word);
            says.families.insert(seen.question.rtype.clone());
            let Some(answer) = message(seen) else { continue };
            says.authority |= answer.authoritative;
            says.aliases.extend(answer.data_of("CNAME").map(str::to_owned));
            let own: Vec<_> =
                answer.answers.iter().filter(|r| matches!(r.rtype.as_str(), "A" | "AAAA")).collect();
            says.addresses.extend(own.iter().filter_map(|r| r.data.parse::<IpAddr>().ok()));
            if seen.question.rtype == "A" {
                says.ttls.extend(own.iter().map(|r| r.ttl_s).min());
            }
            let soa = answer.authority.iter().find(|r| r.rtype == "SOA");
            if let Some(soa) = soa.filter(|_| own.is_empty()) {
                if seen.question.rtype == "A" {
                    says.negative_ttls.push(soa.ttl_s);
                }
                says.own_soa |= soa.name == world.zone || soa.name.ends_with(&format!(".{}", world.domain));
            }
        }
        Self(all)
    }

    fn of(&self, role: DnsServerRole) -> impl Iterator<Item = (&String, &Says)> {
        self.0.iter().filter(move |((r, _), _)| *r == role).map(|((_, who), says)| (who, says))
    }

    fn addresses(&self, role: DnsServerRole) -> (BTreeSet<IpAddr>, Ids) {
        let with = || self.of(role).filter(|(_, says)| !says.addresses.is_empty());
        let addresses = with().flat_map(|(_, says)| says.addresses.iter().copied()).collect();
        (addresses, with().flat_map(|(_, says)| says.ids.iter().cloned()).collect())
    }
}

fn names_of(answer: &DnsAnswer, rtype: &str, owner: &str) -> BTreeSet<String> {
    let records = answer.answers.iter().chain(&answer.authority);
    records.filter(|r| r.rtype == rtype && r.name == owner).map(|r| r.data.clone()).collect()
}

/// The delegation as the parent publishes it, held against the zone's own NS set.
fn parent(world: &World<'_>, facts: &mut Facts) {
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

/// Copies of the zone at servers that are expected to hold it and to which nobody is sent.
fn copies(world: &World<'_>, seen: &Seen, facts: &mut Facts) {
    let mut delegated: BTreeSet<String> = BTreeSet::new();
    let mut delegated_at: BTreeSet<IpAddr> = BTreeSet::new();
    for (_, s) in world.evidence.dns() {
        if s.question.server.role == DnsServerRole::Authoritative {
            delegated.extend(s.question.server.name.clone());
            delegated_at.extend(s.question.server.address.map(|a| a.ip()));
        }
    }
    for key in [FactKey::DnsParentNs, FactKey::DnsNs] {
        if let Some(super::Value::List(names)) = facts.get(key, "").and_then(|f| f.known()) {
            delegated.extend(names.iter().cloned());
        }
    }
    let mut foreign: BTreeMap<String, Ids> = BTreeMap::new();
    let (mut holders, mut holding, mut addresses) = (BTreeSet::new(), Ids::new(), BTreeSet::new());
    let mut absent = Ids::new();
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
                absent.insert(observation.id.clone());
            } else {
                holders.insert(name.clone());
                holding.insert(observation.id.clone());
                addresses.extend(found);
            }
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
            let file = place.rsplit_once(':').map_or(place, |(file, _)| file).to_ascii_lowercase();
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
        facts.known(FactKey::DnsCopyNewer, "", ahead != 0 && ahead < 1 << 31, ids);
    }
}

/// Up to this serial a zone has hardly been edited.
const YOUNG_SERIAL: u32 = 10;
/// From this serial on it counts dates or seconds, or very many edits.
const OLD_SERIAL: u32 = 1_000_000;

/// Whether the zone's own servers say the same, and count the same version of the zone.
fn agreement(world: &World<'_>, seen: &Seen, facts: &mut Facts) {
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

/// Addresses, aliases, observations and words of several answers.
type Found = (BTreeSet<IpAddr>, BTreeSet<String>, Ids, BTreeSet<&'static str>);

/// The random name beside the host, the twin, the doubled name, and what else a name without addresses has.
fn controls(world: &World<'_>, seen: &Seen, facts: &mut Facts) {
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
    let www = format!("www.{}", world.domain);
    let bare: Vec<_> = world
        .evidence
        .dns()
        .filter(|(_, s)| {
            s.question.server.role == DnsServerRole::Authoritative
                && ((s.question.name == world.domain
                    && matches!(s.question.rtype.as_str(), "A" | "MX" | "TXT"))
                    || (s.question.name == www && s.question.rtype == "A"))
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
fn classes(seen: &Seen, facts: &mut Facts) {
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
fn differences(world: &World<'_>, seen: &Seen, facts: &mut Facts) {
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
        let kept_back =
            matches!(difference, "absent" | "sinkhole" | "empty") && authoritative.as_deref() == Some("ok");
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
        if matches!(difference, "other-address" | "more")
            && (says.authority || runs.as_deref() == Some("still"))
        {
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

/// Without validation; keys against DS records; dates of signatures.
fn signatures(world: &World<'_>, facts: &mut Facts) {
    let now = world.evidence.started_at.strftime("%Y%m%d%H%M%S").to_string();
    let (mut dates, mut date_ids) = (BTreeSet::new(), Ids::new());
    let (mut ds, mut keys, mut key_ids) = (BTreeSet::new(), BTreeSet::new(), Ids::new());
    let (mut keys_asked, mut published) = (false, false);
    let (mut unchecked, mut unchecked_ids) = (BTreeSet::new(), Ids::new());
    let mut ends = BTreeSet::new();
    for (observation, s) in world.evidence.all_dns() {
        let question = &s.question;
        if question.checking_disabled
            && question.name == world.host
            && question.rtype == "A"
            && let Some(word) = answer_word(s)
        {
            unchecked.insert(word);
            unchecked_ids.insert(observation.id.clone());
        }
        let Some(answer) = s.answer.present() else { continue };
        for record in answer.answers.iter().chain(&answer.authority) {
            let words: Vec<&str> = record.data.split(' ').collect();
            match record.rtype.as_str() {
                "RRSIG" if words.len() >= 8 && words[4].len() == 14 && words[5].len() == 14 => {
                    // Fourteen digits of the same form compare as the times that they stand for.
                    let word = if words[4] < now.as_str() {
                        "expired"
                    } else if words[5] > now.as_str() {
                        "future"
                    } else {
                        "valid"
                    };
                    dates.insert(word);
                    ends.insert(words[4].to_owned());
                    date_ids.insert(observation.id.clone());
                }
                "DS" if record.name == world.zone || record.name == world.domain => {
                    published = true;
                    ds.extend(words.first().zip(words.get(1)).map(|(tag, alg)| format!("{tag} {alg}")));
                    key_ids.insert(observation.id.clone());
                }
                "DNSKEY" if record.name == world.zone => {
                    let tag = record.data.rsplit("key id = ").next().unwrap_or_default();
                    keys.extend(words.get(2).map(|alg| format!("{tag} {alg}")));
                    key_ids.insert(observation.id.clone());
                }
                _ => {}
            }
        }
        keys_asked |= question.rtype == "DNSKEY" && question.name == world.zone;
    }
    let checked = ["ok", "nxdomain", "nodata", "servfail", "refused", "silent", "dangling", "loop", "other"];
    if let Some(word) = checked.into_iter().find(|word| unchecked.contains(word)) {
        facts.known(FactKey::DnsUnchecked, "", word, unchecked_ids);
    }
    let dated = ["expired", "future", "valid"].into_iter().find(|word| dates.contains(word));
    if let Some(word) = dated {
        facts.known(FactKey::DnsSignatures, "", word, date_ids.clone());
        facts.known_list(FactKey::DnsSignaturesEnd, "", ends.into_iter().take(1), date_ids.clone());
    }
    if published && keys_asked {
        let word = if !ds.is_disjoint(&keys) {
            "match"
        } else if keys.is_empty() {
            "no-keys"
        } else {
            "mismatch"
        };
        facts.known(FactKey::DnsKeys, "", word, key_ids.clone());
    } else if keys_asked && !keys.is_empty() {
        facts.known(FactKey::DnsKeys, "", "no-ds", key_ids.clone());
    }
    // What validating resolvers see of a zone whose parent says that it is signed, whether ours validates or not.
    if published {
        let keys = facts.text(FactKey::DnsKeys, "").map(str::to_owned);
        let mut ids = key_ids;
        ids.extend(date_ids);
        let word = match (keys.as_deref(), dated) {
            (Some("mismatch" | "no-keys"), _) => "broken",
            (_, Some(word @ ("expired" | "future"))) => word,
            (Some("match"), Some("valid")) => "ok",
            _ => return,
        };
        facts.known(FactKey::DnsSecurity, "", word, ids).symptom = word != "ok";
    }
}

/// The authorities that platforms and the usual programs get certificates from, by their CAA domains (each one's own CPS).
const USUAL_AUTHORITIES: &[&str] =
    &["letsencrypt.org", "pki.goog", "sectigo.com", "zerossl.com", "ssl.com", "amazonaws.com", "amazon.com"];

/// The CAA set that counts for the host: that of the nearest name upwards (RFC 8659 section 3).
fn caa(world: &World<'_>, facts: &mut Facts) {
    let mut sets: BTreeMap<&str, (BTreeSet<String>, Ids)> = BTreeMap::new();
    let (mut failed, mut asked) = (Ids::new(), Ids::new());
    for (observation, s) in world.evidence.dns() {
        let name = s.question.name.as_str();
        if s.question.rtype != "CAA" || !(world.host == name || world.host.ends_with(&format!(".{name}"))) {
            continue;
        }
        match (s.answer.present(), message(s)) {
            (Some(answer), _) => {
                asked.insert(observation.id.clone());
                let issuers: BTreeSet<String> = answer.data_of("CAA").filter_map(issuer).collect();
                let tagged = answer.data_of("CAA").any(|data| data.contains(" issue "));
                if tagged {
                    let slot = sets.entry(name).or_default();
                    slot.0.extend(issuers);
                    slot.1.insert(observation.id.clone());
                }
            }
            (None, Some(answer)) if answer.rcode == 2 => {
                failed.insert(observation.id.clone());
            }
            _ => {}
        }
    }
    let Some((name, (issuers, ids))) = sets.into_iter().max_by_key(|(name, _)| name.len()) else {
        if !failed.is_empty() {
            facts.known(FactKey::DnsCaa, "", "fails", failed);
        } else if !asked.is_empty() {
            facts.known(FactKey::DnsCaa, "", "none", asked);
        }
        return;
    };
    let word = if issuers.is_empty() {
        "nobody"
    } else if issuers.iter().any(|issuer| USUAL_AUTHORITIES.contains(&issuer.as_str())) {
        "usual"
    } else {
        "others"
    };
    facts.known(FactKey::DnsCaa, "", word, ids.clone());
    facts.known(FactKey::DnsCaaName, "", name, ids.clone());
    facts.known_list(FactKey::DnsCaaIssuers, "", issuers, ids);
}

/// The domain of an `issue` property; `None` for one that allows nobody and for other properties.
fn issuer(data: &str) -> Option<String> {
    let value = data.split_once(" issue ")?.1.trim().trim_matches('"');
    let domain = value.split(';').next().unwrap_or_default().trim();
    (!domain.is_empty()).then(|| domain.to_ascii_lowercase())
}

/// The hosts file held against DNS.
fn hosts_file(world: &World<'_>, seen: &Seen, facts: &mut Facts) {
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
fn names(world: &World<'_>, facts: &mut Facts) {
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
            HostRole::NameServer => {}
            _ => {}
        }
    }
    let already = facts.get(FactKey::HostNear, "").and_then(|fact| fact.known());
    if let Some(super::Value::List(names)) = already {
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

/// The registry's record.
fn registry(world: &World<'_>, facts: &mut Facts) {
    let Some((observation, seen)) = world.evidence.rdap().find(|(_, seen)| seen.domain == world.domain)
    else {
        let why = Why::NotConfigured(
            "the registry was not asked (set rdap under [dns] in landfall.toml to ask it)".to_owned(),
        );
        facts.unknown(FactKey::RdapState, "", why, []);
        return;
    };
    let id = || [observation.id.clone()];
    let record = match &seen.answer {
        Observed::Present(record) => record,
        other => {
            facts.unknown(FactKey::RdapState, "", why_absent(other), id());
            return;
        }
    };
    let now = world.evidence.started_at.as_second();
    let days = record.expires.map(|end| (end.as_second() - now).div_euclid(SECONDS_A_DAY));
    if let Some(days) = days {
        facts.known(FactKey::RdapDaysLeft, "", days, id());
    }
    // RDAP writes the status values of EPP in words (RFC 8056); some services write EPP's own form all the same.
    let status: Vec<String> =
        record.status.iter().map(|s| s.to_ascii_lowercase().replace([' ', '-', '_'], "")).collect();
    let has = |words: &[&str]| status.iter().any(|s| words.contains(&s.as_str()));
    let state = if !record.registered {
        "absent"
    } else if has(&["redemptionperiod", "pendingdelete", "pendingrestore"]) {
        "lapsed"
    } else if days.is_some_and(|days| days < 0) {
        "expired"
    } else if has(&["clienthold", "serverhold"]) {
        "hold"
    } else {
        "active"
    };
    facts.known(FactKey::RdapState, "", state, id()).symptom = matches!(state, "lapsed" | "expired" | "hold");
    facts.known_list(FactKey::RdapStatus, "", record.status.iter().cloned(), id());
    if let Some(changed) = record.changed {
        facts.known(FactKey::RdapChanged, "", (now - changed.as_second()).div_euclid(SECONDS_A_DAY), id());
    }
    if record.registered {
        let listed: BTreeSet<&String> = record.name_servers.iter().collect();
        let published = match facts.get(FactKey::DnsParentNs, "").and_then(|fact| fact.known()) {
            Some(super::Value::List(names)) => names.iter().cloned().collect(),
            _ => BTreeSet::new(),
        };
        let word = if listed.is_empty() {
            "none"
        } else if published.is_empty() {
            "listed"
        } else if listed.iter().any(|name| published.contains(*name)) {
            "as-parent"
        } else {
            "differs"
        };
        facts.known(FactKey::RdapServers, "", word, id());
    }
}

/// Addresses of one family that are published together, some of which serve while others do not.
fn mixed(world: &World<'_>, facts: &mut Facts) {
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

/// Whether the answers at a vantage bear the mark of a hosting platform or an edge, which a host of one's own lacks.
fn hosted(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    for vantage in [Vantage::Edge, Vantage::Origin] {
        let (mut marked, mut plain) = (Ids::new(), Ids::new());
        for x in exchanges.site(vantage).filter(|x| x.response().is_some()) {
            let mut signs = x.reading.writers.iter().chain(&x.reading.markers);
            let vendor =
                signs.any(|m| matches!(m.signature.hop, SignatureHop::Platform | SignatureHop::Edge));
            if vendor { &mut marked } else { &mut plain }.insert(x.id());
        }
        if !marked.is_empty() {
            facts.known(FactKey::SiteHosted, vantage.to_string(), "yes", marked);
        } else if !plain.is_empty() {
            facts.known(FactKey::SiteHosted, vantage.to_string(), "no", plain);
        }
    }
}

/// Words of pages that registrars and dealers put in the place of a site. Each is a phrase that such pages have and
/// applications do not.
const PARKED: &[&str] = &[
    "this domain is parked",
    "domain is parked",
    "parked domain",
    "parked free",
    "parking page",
    "domain parking",
    "this domain is for sale",
    "domain is for sale",
    "domain may be for sale",
    "domain name is for sale",
    "buy this domain",
    "make an offer on this domain",
    "this domain has been registered",
    "this domain name has been registered",
    "domain was recently registered",
    "future home of something quite cool",
    "sedoparking",
    "parkingcrew",
    "bodis.com",
    "hugedomains.com",
    "afternic.com",
    "dan.com/buy-domain",
];
/// Words that such pages have too, and that others may have: they count only where every path gets the same page.
const PERHAPS_PARKED: &[&str] =
    &["coming soon", "under construction", "parked", "for sale", "website is almost here"];

/// Whether the public name shows a page of a registrar or a dealer.
fn parked(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let uniform = facts.is(FactKey::SiteUniform, "edge", "yes") == Some(true);
    let (mut yes, mut no) = (Ids::new(), Ids::new());
    let says = |response: &HttpResponse, words: &[&str]| {
        let html = response.media_type().is_none_or(|media| media.contains("html"));
        let text = response.body.text.as_deref().unwrap_or_default().to_ascii_lowercase();
        let to =
            response.redirect_to.as_ref().map(|url| url.to_string().to_ascii_lowercase()).unwrap_or_default();
        html && words.iter().any(|word| text.contains(word) || to.contains(word))
    };
    for x in exchanges.all.iter().filter(|x| x.vantage == Vantage::Edge) {
        let Some(response) = x.response() else { continue };
        if !matches!(x.purpose, Purpose::Endpoint | Purpose::Control | Purpose::PlainHttp) {
            continue;
        }
        if says(response, PARKED) || (uniform && says(response, PERHAPS_PARKED)) {
            yes.insert(x.id());
        } else {
            no.insert(x.id());
        }
    }
    if !yes.is_empty() {
        facts.known(FactKey::SiteParked, "edge", "yes", yes).symptom = true;
    } else if !no.is_empty() {
        facts.known(FactKey::SiteParked, "edge", "no", no);
    }
}
