//! What a deep survey of the zone shows (`landfall dns`): the delegation, the records at every server, signatures, how servers
//! behave, and until when caches remember.
//!
//! Whether a fault is at one server or at all of them is part of every finding: what all servers say is what everybody
//! sees, what one says is what some users see some of the time, one step less severe. Severities follow Zonemaster's levels:
//! ERROR is high, WARNING medium, NOTICE low, INFO info; critical is what makes the name unusable. A server that was
//! not asked, or was silent while our own connection is in doubt, is left out and never counted as good.

mod behaviour;
mod caches;
mod delegation;
mod records;
mod signing;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use landfall_evidence::{
    Denial, DnsAnswer, DnsManner, DnsObservation, DnsRecord, DnsServer, DnsServerRole, Observation,
    ObservationId, Observed,
};

use super::with_severity;
use crate::case::Case;
use crate::thresholds::Threshold;
use crate::words::{count, in_words};
use crate::{Finding, Severity};

type Seen<'a> = (&'a Observation, &'a DnsObservation);

/// What follows from a deep survey. Nothing when there was none.
pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let Some(survey) = Survey::of(case) else { return Vec::new() };
    let mut found = delegation::findings(&survey);
    found.extend(records::findings(&survey));
    found.extend(signing::findings(&survey));
    found.extend(behaviour::findings(&survey));
    found.extend(caches::findings(&survey));
    found
}

/// Whether the evidence holds a deep survey: only there are servers asked in unusual manners.
pub(super) fn is_deep(case: &Case<'_>) -> bool {
    case.evidence().all_dns().any(|(_, seen)| seen.question.manner != DnsManner::Usual)
}

/// The observations of a deep survey.
struct Survey<'a> {
    case: &'a Case<'a>,
    host: &'a str,
    zone: &'a str,
    all: Vec<Seen<'a>>,
}

/// One server of the zone at one address.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
struct At(String);

impl std::fmt::Display for At {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

impl At {
    fn of(server: &DnsServer) -> Self {
        Self(match (&server.name, server.address) {
            (Some(name), Some(address)) => format!("{name} ({})", address.ip()),
            (Some(name), None) => name.clone(),
            (None, Some(address)) => address.ip().to_string(),
            (None, None) => "this machine's resolver".to_owned(),
        })
    }
}

impl<'a> Survey<'a> {
    fn of(case: &'a Case<'a>) -> Option<Self> {
        let host = case.production_name()?;
        let all: Vec<Seen<'a>> = case.evidence().all_dns().collect();
        // The question over TCP is for the zone itself, at every server.
        let zone = all.iter().find(|(_, s)| s.question.manner == DnsManner::Tcp)?.1.question.name.as_str();
        Some(Self { case, host, zone, all })
    }

    /// Whether a name lies in the zone.
    fn holds(&self, name: &str) -> bool {
        name == self.zone || name.ends_with(&format!(".{}", self.zone))
    }

    /// Signed questions to one kind of server.
    fn asked(&self, role: DnsServerRole, name: &str, rtype: &str) -> impl Iterator<Item = Seen<'a>> {
        self.all.iter().copied().filter(move |(_, s)| {
            let q = &s.question;
            q.server.role == role
                && q.dnssec_ok
                && !q.checking_disabled
                && q.manner == DnsManner::Usual
                && q.name == name
                && q.rtype == rtype
        })
    }

    /// What the zone's servers were asked, with the server.
    fn own(&self, name: &str, rtype: &str) -> impl Iterator<Item = (At, Seen<'a>)> {
        self.asked(DnsServerRole::Authoritative, name, rtype)
            .map(|seen| (At::of(&seen.1.question.server), seen))
    }

    /// Every server of the zone at every address that was asked.
    fn servers(&self) -> BTreeSet<At> {
        self.own(self.zone, "SOA").map(|(at, _)| at).collect()
    }

    /// Servers that speak for the zone: they gave its SOA record with authority.
    fn speaking(&self) -> BTreeSet<At> {
        self.own(self.zone, "SOA")
            .filter(|(_, (_, s))| {
                s.answer.present().is_some_and(|a| a.authoritative && a.data_of("SOA").next().is_some())
            })
            .map(|(at, _)| at)
            .collect()
    }

    /// Questions to the zone's servers in one manner.
    fn in_manner(&self, manner: DnsManner) -> impl Iterator<Item = (At, Seen<'a>)> {
        self.all
            .iter()
            .copied()
            .filter(move |(_, s)| {
                s.question.manner == manner && s.question.server.role == DnsServerRole::Authoritative
            })
            .map(|seen| (At::of(&seen.1.question.server), seen))
    }

    /// The addresses that resolvers give for a name, validation aside, with what shows them. `None` when a family was not
    /// answered, so that nothing is known.
    fn addresses_of(&self, name: &str) -> Option<(BTreeSet<IpAddr>, Vec<ObservationId>)> {
        let mut families = BTreeSet::new();
        let (mut found, mut ids) = (BTreeSet::new(), Vec::new());
        for (o, s) in &self.all {
            let q = &s.question;
            let fits = q.server.role == DnsServerRole::Recursive && q.name == name;
            if !fits || !matches!(q.rtype.as_str(), "A" | "AAAA") {
                continue;
            }
            if let Some(answer) = message(s).filter(|a| matches!(a.rcode, 0 | 3)) {
                families.insert(q.rtype.clone());
                found.extend(addresses(answer));
                ids.push(o.id.clone());
            }
        }
        (families.len() == 2).then_some((found, ids))
    }

    fn limit(&self, threshold: &Threshold) -> u64 {
        threshold.of(&self.case.evidence().settings.thresholds)
    }

    fn source(&self, threshold: &Threshold) -> String {
        threshold.words(&self.case.evidence().settings.thresholds)
    }
}

/// The message in an answer, be it a yes or a no.
fn message(seen: &DnsObservation) -> Option<&DnsAnswer> {
    match &seen.answer {
        Observed::Present(answer) => Some(answer),
        Observed::Denied(Denial::Rcode(answer)) => Some(answer),
        _ => None,
    }
}

/// The addresses in an answer.
fn addresses(answer: &DnsAnswer) -> BTreeSet<IpAddr> {
    answer.data_of("A").chain(answer.data_of("AAAA")).filter_map(|text| text.parse().ok()).collect()
}

/// Data of the records of one name and type in the answer section.
fn data<'a>(answer: &'a DnsAnswer, name: &'a str, rtype: &'a str) -> impl Iterator<Item = &'a DnsRecord> {
    answer.answers.iter().filter(move |r| r.name == name && r.rtype == rtype)
}

/// "all 3 servers", "ns1.example (192.0.2.1), 1 of 3 servers".
fn whose(bad: &BTreeSet<At>, all: usize) -> String {
    let names: Vec<String> = bad.iter().map(ToString::to_string).collect();
    match (bad.len(), all) {
        (1, 1) => names[0].clone(),
        (bad, all) if bad >= all => {
            format!("all {}", count(all, "server address").replace("addresss", "addresses"))
        }
        (bad, all) => format!("{}, {bad} of {all} server addresses", in_words(&names)),
    }
}

/// A fault of some servers weighs one step less than one of all of them.
fn graded(finding: Finding, bad: &BTreeSet<At>, all: usize) -> Finding {
    if bad.len() >= all {
        return finding;
    }
    let lower = match finding.severity {
        Severity::Critical => Severity::High,
        Severity::High => Severity::Medium,
        Severity::Medium => Severity::Low,
        Severity::Low | Severity::Info => Severity::Info,
    };
    with_severity(finding, lower)
}

/// Servers by what they say, the answers as text.
fn by_answer<T: Ord>(
    answers: impl Iterator<Item = (At, ObservationId, T)>,
) -> (BTreeMap<T, BTreeSet<At>>, Vec<ObservationId>) {
    let (mut sets, mut ids) = (BTreeMap::<T, BTreeSet<At>>::new(), Vec::new());
    for (at, id, value) in answers {
        sets.entry(value).or_default().insert(at);
        ids.push(id);
    }
    (sets, ids)
}

fn list<T: ToString>(items: impl IntoIterator<Item = T>) -> String {
    let texts: Vec<String> = items.into_iter().map(|i| i.to_string()).collect();
    if texts.is_empty() { "nothing".to_owned() } else { in_words(&texts) }
}
