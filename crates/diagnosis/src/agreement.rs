//! Whether everybody who was asked sees the same addresses of a name, and if not, until when: for `landfall dns --watch`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::{SignedDuration, Timestamp};
use landfall_evidence::{
    Denial, DnsAnswer, DnsManner, DnsServer, DnsServerRole, Evidence, Observation, Observed,
};

/// What everybody who was asked says of one name.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Agreement {
    /// What each server and resolver says, by who and record type: addresses, or the first alias's target. An answer without
    /// either is an empty set; who gave no answer is not in it.
    pub said: BTreeMap<(String, String), BTreeSet<String>>,
    /// Resolvers that say something else than the zone's servers, and when what they remember ends at the latest.
    pub late: BTreeMap<String, Timestamp>,
    /// How the zone's own servers stand to each other.
    pub zone: OwnServers,
    /// Servers of the zone that gave no answer about the name from the zone, by who, with what came instead.
    pub without_answer: BTreeMap<String, String>,
}

/// How a zone's own servers stand to each other. A refusal is no second opinion: only answers agree or differ.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum OwnServers {
    /// None of them answered.
    #[default]
    Unheard,
    /// Those that answered say different things.
    Differ,
    /// All that answered say the same.
    Agree,
}

impl Agreement {
    /// Whether all is as the zone says.
    pub fn is_whole(&self) -> bool {
        self.zone == OwnServers::Agree && self.late.is_empty()
    }

    /// When the last of those asked sees what the zone says now; `None` when nobody is late.
    pub fn by(&self) -> Option<Timestamp> {
        self.late.values().max().copied()
    }
}

/// Reads the answers of one round. Balancers hand out parts of a set, so that a resolver differs only when its answer has
/// nothing in common with that of the zone.
pub fn agreement(evidence: &Evidence, host: &str) -> Agreement {
    let mut found = Agreement { zone: OwnServers::Agree, ..Agreement::default() };
    for rtype in ["A", "AAAA"] {
        let mut own = BTreeSet::new();
        let mut theirs = Vec::new();
        for (o, s) in evidence.all_dns() {
            let q = &s.question;
            let usual = !q.checking_disabled && q.manner == DnsManner::Usual;
            if !usual || q.name != host || q.rtype != rtype {
                continue;
            }
            let Some(answer) = message(&s.answer) else {
                if q.server.role == DnsServerRole::Authoritative {
                    found.without_answer.insert(who(&q.server), instead(&s.answer));
                }
                continue;
            };
            let says = says(answer, host);
            match q.server.role {
                DnsServerRole::Authoritative if answer.authoritative => {
                    own.insert(says.clone());
                }
                DnsServerRole::Authoritative => {
                    let instead = "answers, but not as a server of the zone".to_owned();
                    found.without_answer.insert(who(&q.server), instead);
                    continue;
                }
                DnsServerRole::Recursive => theirs.push((o, answer, who(&q.server), says.clone())),
                _ => continue,
            }
            found.said.insert((who(&q.server), rtype.to_owned()), says);
        }
        found.zone = match (own.len(), found.zone) {
            (0, _) | (1, OwnServers::Unheard) => OwnServers::Unheard,
            (1, before) => before,
            _ => OwnServers::Differ,
        };
        let Some(own) = own.pop_first().filter(|_| own.is_empty()) else { continue };
        for (o, answer, who, says) in theirs {
            if says == own || !says.is_disjoint(&own) {
                continue;
            }
            if let Some(end) = ends(evidence.started_at, o, answer) {
                let latest = found.late.entry(who).or_insert(end);
                *latest = end.max(*latest);
            }
        }
    }
    found
}

fn who(server: &DnsServer) -> String {
    match (&server.name, server.address) {
        (Some(name), Some(address)) => format!("{name} ({})", address.ip()),
        (None, Some(address)) => address.to_string(),
        (Some(name), None) => name.clone(),
        (None, None) => "this machine's resolver".to_owned(),
    }
}

/// What came in place of an answer, the same in every round for the same reason.
fn instead(answer: &Observed<DnsAnswer>) -> String {
    match answer {
        // How long it was waited for differs from round to round.
        Observed::Silent(_) => "does not answer".to_owned(),
        other => other.describe(),
    }
}

fn message(answer: &Observed<DnsAnswer>) -> Option<&DnsAnswer> {
    let answer = match answer {
        Observed::Present(answer) => answer,
        Observed::Denied(Denial::Rcode(answer)) => answer,
        _ => return None,
    };
    matches!(answer.rcode, 0 | 3).then_some(answer)
}

/// Where the name's first alias leads, or its addresses.
pub(crate) fn says(answer: &DnsAnswer, host: &str) -> BTreeSet<String> {
    match answer.answers.iter().find(|r| r.rtype == "CNAME" && r.name == host) {
        Some(alias) => BTreeSet::from([alias.data.clone()]),
        None => answer.data_of("A").chain(answer.data_of("AAAA")).map(str::to_owned).collect(),
    }
}

/// When an answer ends at the latest: the TTL of what it holds, or of the SOA record by which its emptiness is remembered
/// (RFC 2308, section 5).
pub(crate) fn ends(started_at: Timestamp, o: &Observation, answer: &DnsAnswer) -> Option<Timestamp> {
    let held = answer.answers.iter().filter(|r| matches!(r.rtype.as_str(), "A" | "AAAA" | "CNAME"));
    let ttl = match held.map(|r| r.ttl_s).max() {
        Some(ttl) => ttl,
        None => answer.authority.iter().find(|r| r.rtype == "SOA")?.ttl_s,
    };
    let ended_us = i64::try_from(o.started_us.saturating_add(o.took_us)).ok()?;
    let after = SignedDuration::from_micros(ended_us) + SignedDuration::from_secs(i64::from(ttl));
    started_at.checked_add(after).ok()
}
