//! What stands around the zone: delegation and its parent, copies elsewhere, controls, signatures, caches, the hosts file
//! and the registry.

mod controls;
mod delegation;
mod names;
mod planned;
mod registry;
mod signing;

use planned::{Planned, compare};
use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use landfall_evidence::{DnsAnswer, DnsServerRole, Evidence, ObservationId};

use super::dns::{answer_word, message};
use super::{Exchanges, FactKey, Facts};
use crate::catalogue::Catalogue;
use crate::causes::edit_distance;

const SECONDS_A_DAY: i64 = 86_400;
/// The control's label begins so (the probe's choice).
const CONTROL: &str = "landfall-";
/// Letters in which a misspelt host differs at most.
const NEAR_LETTERS: usize = 2;

/// Whether one host is almost another: at most two letters apart, and not the same.
pub fn is_near(one: &str, other: &str) -> bool {
    one != other && one.len() <= 253 && other.len() <= 253 && edit_distance(one, other) <= NEAR_LETTERS
}

/// What the project's files say of the production host, held against DNS; `None` where they say nothing of its zone.
pub(crate) fn planned_for(evidence: &Evidence, catalogue: &Catalogue) -> Option<Planned> {
    let host = evidence.target.production.as_ref()?.domain()?.to_ascii_lowercase();
    let domain = psl::domain_str(&host).unwrap_or(&host);
    compare(evidence, &host, &zone_of(evidence, &host, domain), domain, catalogue)
}

pub(super) fn derive(
    evidence: &Evidence,
    catalogue: &Catalogue,
    exchanges: &Exchanges<'_>,
    facts: &mut Facts,
) {
    registry::parked(evidence, exchanges, facts);
    registry::hosted(exchanges, facts);
    let host = evidence.target.production.as_ref().and_then(|url| url.domain()).map(str::to_ascii_lowercase);
    let Some(host) = host else { return };
    let domain = psl::domain_str(&host).unwrap_or(&host).to_owned();
    let world = World { evidence, host: &host, domain: &domain, zone: zone_of(evidence, &host, &domain) };
    facts.known(FactKey::TargetDomain, "", domain.as_str(), []);
    facts.known(FactKey::DnsApex, "", world.host == world.zone, []);
    let seen = Seen::collect(&world);
    delegation::parent(&world, facts);
    delegation::copies(&world, &seen, facts);
    delegation::agreement(&world, &seen, facts);
    controls::controls(&world, &seen, facts);
    controls::classes(&seen, facts);
    controls::differences(&world, &seen, facts);
    signing::signatures(&world, facts);
    signing::caa(&world, facts);
    names::hosts_file(&world, &seen, facts);
    names::names(&world, facts);
    registry::registry(&world, facts);
    names::mixed(&world, facts);
    planned::planned(&world, catalogue, facts);
}

struct World<'a> {
    evidence: &'a Evidence,
    host: &'a str,
    /// The registered domain.
    domain: &'a str,
    /// The zone that holds the host, as far as it is known; else the registered domain.
    zone: String,
}

impl World<'_> {
    /// Whether a question is one of those that show whether the rest of a zone is there: an address, mail and texts of the domain, and an
    /// address of its `www`.
    fn is_usual(&self, name: &str, rtype: &str) -> bool {
        let www = name.strip_prefix("www.") == Some(self.domain);
        (name == self.domain && matches!(rtype, "A" | "MX" | "TXT")) || (www && rtype == "A")
    }
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
