//! Zones and what they say to a question (RFC 1034 section 4.3.2, wildcards as in RFC 4592).

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::str::FromStr;

use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{Name, RData, Record, RecordType};

use crate::world::Dns;

/// Every zone of a world.
pub(crate) struct Zones {
    zones: Vec<Zone>,
}

struct Zone {
    origin: Name,
    soa: Record,
    nodes: BTreeMap<Name, Vec<Record>>,
}

/// What the zones say to one question.
#[derive(Debug, PartialEq)]
pub(crate) enum Said {
    /// These records, CNAMEs first.
    Answer(Vec<Record>),
    /// The name exists without records of this type, perhaps after CNAMEs; with the SOA for negative caching (RFC 2308).
    NoData(Vec<Record>, Box<Record>),
    /// The name does not exist, perhaps after CNAMEs.
    NxDomain(Vec<Record>, Box<Record>),
    /// No zone of ours holds the name.
    NotOurs,
}

/// A chain of CNAMEs is followed this far; resolvers give up at about as many.
const MAX_CNAMES: usize = 8;

impl Zones {
    /// Reads the zones of a world; the error names the record.
    pub(crate) fn parse(dns: &Dns) -> Result<Self, String> {
        let zones = dns.zone.iter().map(Zone::parse).collect::<Result<_, _>>()?;
        Ok(Self { zones })
    }

    /// What the zones say. CNAMEs are followed within the zones that we hold.
    pub(crate) fn ask(&self, name: &Name, kind: RecordType) -> Said {
        let mut chain = Vec::new();
        let mut at = name.to_lowercase();
        for _ in 0..MAX_CNAMES {
            let Some(zone) = self.zone(&at) else {
                return if chain.is_empty() { Said::NotOurs } else { Said::Answer(chain) };
            };
            let Some(records) = zone.node(&at) else {
                let soa = Box::new(zone.negative());
                return if zone.is_empty_non_terminal(&at) {
                    Said::NoData(chain, soa)
                } else {
                    Said::NxDomain(chain, soa)
                };
            };
            let wanted = |r: &&Record| r.record_type() == kind || kind == RecordType::ANY;
            let found: Vec<Record> = records.iter().filter(wanted).cloned().collect();
            if !found.is_empty() {
                chain.extend(found);
                return Said::Answer(chain);
            }
            let Some(alias) = records.iter().find(|r| r.record_type() == RecordType::CNAME) else {
                return Said::NoData(chain, Box::new(zone.negative()));
            };
            chain.push(alias.clone());
            let RData::CNAME(target) = &alias.data else { return Said::Answer(chain) };
            at = target.0.to_lowercase();
        }
        Said::Answer(chain)
    }

    /// Whether some zone lies below this name, which therefore exists although no zone holds it.
    pub(crate) fn is_above_a_zone(&self, name: &Name) -> bool {
        self.zones.iter().any(|z| name.zone_of(&z.origin))
    }

    /// Addresses of every name server that the zones name: the addresses that an authoritative question goes to.
    pub(crate) fn name_servers(&self) -> Vec<IpAddr> {
        let mut addresses = Vec::new();
        for record in self.zones.iter().flat_map(|z| z.nodes.values().flatten()) {
            let RData::NS(server) = &record.data else { continue };
            for kind in [RecordType::A, RecordType::AAAA] {
                let Said::Answer(found) = self.ask(&server.0, kind) else { continue };
                addresses.extend(found.iter().filter_map(|r| r.data.ip_addr()));
            }
        }
        addresses.sort();
        addresses.dedup();
        addresses
    }

    /// The zone with the longest origin that holds the name.
    fn zone(&self, name: &Name) -> Option<&Zone> {
        self.zones.iter().filter(|z| z.origin.zone_of(name)).max_by_key(|z| z.origin.num_labels())
    }
}

impl Zone {
    fn parse(zone: &crate::world::Zone) -> Result<Self, String> {
        let wrong = |what: String| format!("zone {}: {what}", zone.origin);
        let origin = name(&zone.origin).map_err(wrong)?;
        let mut nodes: BTreeMap<Name, Vec<Record>> = BTreeMap::new();
        for line in &zone.records {
            let record = record(line).map_err(|e| wrong(format!("{line:?}: {e}")))?;
            if !origin.zone_of(&record.name) {
                return Err(wrong(format!("{line:?}: the name lies outside the zone")));
            }
            nodes.entry(record.name.clone()).or_default().push(record);
        }
        let apex = nodes.get(&origin).map(Vec::as_slice).unwrap_or_default();
        let soa = apex.iter().find(|r| r.record_type() == RecordType::SOA).cloned();
        let soa = soa.ok_or_else(|| wrong("there is no SOA record at its apex".into()))?;
        Ok(Self { origin, soa, nodes })
    }

    /// The records of a name: its own, or those of the wildcard at its closest encloser under its own name.
    fn node(&self, name: &Name) -> Option<Vec<Record>> {
        if let Some(records) = self.nodes.get(name) {
            return Some(records.clone());
        }
        if self.is_empty_non_terminal(name) {
            return None;
        }
        let mut encloser = name.base_name();
        while encloser != self.origin
            && !self.nodes.contains_key(&encloser)
            && !self.is_empty_non_terminal(&encloser)
        {
            encloser = encloser.base_name();
        }
        let wildcard = self.nodes.get(&encloser.prepend_label("*").ok()?)?;
        Some(wildcard.iter().map(|r| Record::from_rdata(name.clone(), r.ttl, r.data.clone())).collect())
    }

    fn is_empty_non_terminal(&self, name: &Name) -> bool {
        !self.nodes.contains_key(name) && self.nodes.keys().any(|n| name.zone_of(n))
    }

    /// The SOA with the TTL of a negative answer: the smaller of its own and its MINIMUM (RFC 2308 section 3).
    fn negative(&self) -> Record {
        let mut soa = self.soa.clone();
        if let RData::SOA(data) = &soa.data {
            soa.ttl = soa.ttl.min(data.minimum);
        }
        soa
    }
}

/// The SOA that the recursive server gives for names outside every zone of the world.
pub(crate) fn root_soa() -> Record {
    let label = |text: &str| Name::from_ascii(text).expect("a literal name is valid");
    let data = SOA::new(
        label("a.root-servers.net."),
        label("nstld.verisign-grs.com."),
        2_025_111_501,
        1_800,
        900,
        604_800,
        86_400,
    );
    Record::from_rdata(Name::root(), 86_400, RData::SOA(data))
}

fn name(text: &str) -> Result<Name, String> {
    let name = Name::from_ascii(text).map_err(|e| format!("{text:?} is not a domain name: {e}"))?;
    if !name.is_fqdn() {
        return Err(format!("{text:?} does not end with a dot; every name is written in full"));
    }
    Ok(name.to_lowercase())
}

fn record(line: &str) -> Result<Record, String> {
    const FORM: &str = "a record is written NAME TTL TYPE DATA";
    let mut rest = line.trim();
    let mut word = || {
        let (word, after) = rest.split_once(char::is_whitespace)?;
        rest = after.trim_start();
        Some(word)
    };
    let (Some(owner), Some(ttl), Some(kind)) = (word(), word(), word()) else { return Err(FORM.into()) };
    let ttl = ttl.parse::<u32>().map_err(|_| format!("{ttl:?} is not a TTL in seconds; {FORM}"))?;
    let kind = RecordType::from_str(kind).map_err(|_| format!("{kind:?} is not a record type; {FORM}"))?;
    let data = RData::try_from_str(kind, rest).map_err(|e| format!("the data: {e}"))?;
    Ok(Record::from_rdata(name(owner)?, ttl, data))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn zones() -> Zones {
        let records = [
            "example.test. 3600 SOA ns.example.test. host.example.test. 1 2 3 4 300",
            "example.test. 86400 NS ns.example.test.",
            "ns.example.test. 3600 A 192.0.2.1",
            "www.example.test. 60 CNAME web.example.test.",
            "web.example.test. 60 A 192.0.2.2",
            "deep.under.example.test. 60 A 192.0.2.3",
            "*.wild.example.test. 60 A 192.0.2.4",
            "out.example.test. 60 CNAME elsewhere.test.",
            "loop.example.test. 60 CNAME loop.example.test.",
            "example.test. 60 CAA 0 issue \"pki.goog; cansignhttpexchanges=yes\"",
        ];
        let zone = crate::world::Zone {
            origin: "example.test.".into(),
            records: records.iter().map(ToString::to_string).collect(),
        };
        Zones::parse(&Dns { zone: vec![zone] }).expect("valid")
    }

    fn ask(text: &str, kind: RecordType) -> Said {
        zones().ask(&Name::from_ascii(text).expect("a name"), kind)
    }

    #[test]
    fn a_name_answers_follows_its_alias_and_matches_a_wildcard() {
        let Said::Answer(records) = ask("WWW.example.test.", RecordType::A) else { panic!("an answer") };
        assert_eq!(
            records.iter().map(Record::record_type).collect::<Vec<_>>(),
            [RecordType::CNAME, RecordType::A]
        );
        let Said::Answer(records) = ask("any.wild.example.test.", RecordType::A) else { panic!("an answer") };
        assert_eq!(records[0].name.to_string(), "any.wild.example.test.");
        let Said::Answer(records) = ask("out.example.test.", RecordType::A) else { panic!("an answer") };
        assert_eq!(records.len(), 1);
        let Said::Answer(records) = ask("loop.example.test.", RecordType::A) else { panic!("an answer") };
        assert_eq!(records.len(), MAX_CNAMES);
    }

    #[test]
    fn absence_is_told_apart() {
        assert!(matches!(ask("web.example.test.", RecordType::AAAA), Said::NoData(..)));
        assert!(matches!(ask("under.example.test.", RecordType::A), Said::NoData(..)));
        assert!(matches!(ask("none.example.test.", RecordType::A), Said::NxDomain(_, soa) if soa.ttl == 300));
        assert!(matches!(ask("elsewhere.test.", RecordType::A), Said::NotOurs));
        assert_eq!(zones().name_servers(), ["192.0.2.1".parse::<IpAddr>().expect("an address")]);
    }

    #[test]
    fn a_faulty_record_is_quoted() {
        for (line, problem) in [
            ("web.example.test. sixty A 192.0.2.2", "not a TTL"),
            ("web.example.test. 60 A 192.0.2.256", "the data"),
            ("web.example.test. 60 B 192.0.2.2", "not a record type"),
            ("web.example.test 60 A 192.0.2.2", "does not end with a dot"),
            ("web.other.test. 60 A 192.0.2.2", "outside the zone"),
            ("web.example.test. 60 A 192.0.2.2", "no SOA record"),
        ] {
            let zone = crate::world::Zone { origin: "example.test.".into(), records: vec![line.into()] };
            let error = Zones::parse(&Dns { zone: vec![zone] }).err().expect("refused");
            assert!(error.contains(problem), "{line}: {error}");
        }
    }
}
