//! Section 3: what each DNS server said.

use std::net::SocketAddr;

use landfall_diagnosis::Diagnosis;
use landfall_evidence::{
    Denial, DnsAnswer, DnsObservation, Evidence, ExtendedError, Observation, Observed, Purpose, Vantage,
};

use super::outcome;
use crate::model::{DnsReport, DnsRow, Family, Nameserver, Outcome, ServerAnswers, VersionReport};

pub(super) fn build(evidence: &Evidence, diagnosis: &Diagnosis) -> DnsReport {
    let name = evidence.target.production.as_ref().and_then(|url| url.host_str()).map(str::to_owned);
    let families = match &name {
        Some(name) => [("IPv4", "A"), ("IPv6", "AAAA")]
            .into_iter()
            .filter_map(|(f, t)| family(evidence, name, f, t))
            .collect(),
        None => Vec::new(),
    };
    DnsReport {
        families,
        used: used(evidence),
        http_versions: versions(evidence),
        nameservers: nameservers(evidence, diagnosis),
        servers: servers(evidence),
        name,
    }
}

fn family(evidence: &Evidence, name: &str, family: &str, rtype: &str) -> Option<Family> {
    let asked: Vec<&DnsObservation> = evidence
        .dns()
        .map(|(_, d)| d)
        .filter(|d| d.question.name == name && d.question.rtype == rtype)
        .collect();
    let mut addresses: Vec<String> = Vec::new();
    for answer in asked.iter().filter_map(|d| d.answer.present()) {
        for data in answer.data_of(rtype) {
            if !addresses.iter().any(|a| a == data) {
                addresses.push(data.to_owned());
            }
        }
    }
    // The best answer speaks for the family: a server's no outweighs another server's silence.
    let best = asked.iter().min_by_key(|d| outcome(&d.answer) as u8)?;
    let words = if addresses.is_empty() { words(&best.answer) } else { String::new() };
    Some(Family { family: family.to_owned(), addresses, words })
}

/// The response code, NODATA for an empty NOERROR (RFC 2308 section 2.2), or what came instead.
fn words(answer: &Observed<DnsAnswer>) -> String {
    match answer {
        Observed::Present(a) if a.answers.is_empty() => "NODATA".to_owned(),
        Observed::Present(a) => a.rcode_name.clone(),
        other => other.describe(),
    }
}

fn used(evidence: &Evidence) -> Option<SocketAddr> {
    evidence
        .http_of(Vantage::Edge, Purpose::Endpoint)
        .find(|(_, seen)| seen.answer.present().is_some())
        .and_then(|(_, seen)| seen.request.address)
}

fn versions(evidence: &Evidence) -> Vec<VersionReport> {
    let mut versions: Vec<VersionReport> = Vec::new();
    for (observation, seen) in evidence.http().filter(|(o, _)| o.vantage == Vantage::Edge) {
        if !matches!(seen.request.purpose, Purpose::Endpoint | Purpose::Version) {
            continue;
        }
        let row = VersionReport {
            asked: seen.request.version,
            outcome: outcome(&seen.answer),
            words: match &seen.answer {
                Observed::Present(r) if r.version != seen.request.version => {
                    format!("answered in {}", r.version)
                }
                Observed::Present(_) => "spoken".to_owned(),
                other => other.describe(),
            },
            evidence: observation.id.clone(),
        };
        match versions.iter_mut().find(|v| v.asked == row.asked) {
            Some(known) if known.outcome != Outcome::Answered && row.outcome == Outcome::Answered => {
                *known = row
            }
            Some(_) => {}
            None => versions.push(row),
        }
    }
    versions.sort_by_key(|v| v.asked);
    versions
}

fn nameservers(evidence: &Evidence, diagnosis: &Diagnosis) -> Vec<Nameserver> {
    let mut names: Vec<&str> = Vec::new();
    for answer in
        evidence.dns().filter(|(_, d)| d.question.rtype == "NS").filter_map(|(_, d)| d.answer.present())
    {
        for data in answer.data_of("NS") {
            if !names.contains(&data) {
                names.push(data);
            }
        }
    }
    names.sort_unstable();
    names
        .into_iter()
        .map(|name| Nameserver { name: name.to_owned(), owner: owner(diagnosis, name) })
        .collect()
}

/// Who runs a nameserver is the catalogue's knowledge, which the diagnosis hands on as a specification: either of one
/// server by its name, or of the zone's DNS as a whole.
fn owner(diagnosis: &Diagnosis, nameserver: &str) -> Option<String> {
    let of_server = format!("nameserver {nameserver}");
    let by_name = |wanted: &[&str]| {
        diagnosis
            .specifications
            .iter()
            .find(|s| wanted.contains(&s.name.to_lowercase().as_str()) && !s.value.starts_with("not known"))
            .map(|s| s.value.clone())
    };
    by_name(&[&of_server]).or_else(|| by_name(&["nameservers", "dns provider", "dns operator"]))
}

fn servers(evidence: &Evidence) -> Vec<ServerAnswers> {
    let mut servers: Vec<ServerAnswers> = Vec::new();
    for (observation, dns) in evidence.dns() {
        let rows = rows(observation, dns);
        match servers.iter_mut().find(|s| s.server == dns.question.server) {
            Some(known) => known.rows.extend(rows),
            None => servers.push(ServerAnswers { server: dns.question.server.clone(), rows }),
        }
    }
    servers.sort_by(|a, b| {
        (a.server.role, &a.server.name, a.server.address).cmp(&(
            b.server.role,
            &b.server.name,
            b.server.address,
        ))
    });
    servers
}

fn rows(observation: &Observation, dns: &DnsObservation) -> Vec<DnsRow> {
    let answer = match &dns.answer {
        Observed::Present(answer) => Some(answer),
        Observed::Denied(Denial::Rcode(answer)) => Some(&**answer),
        _ => None,
    };
    let row = |name: &str, rtype: &str| DnsRow {
        name: name.to_owned(),
        rtype: rtype.to_owned(),
        outcome: outcome(&dns.answer),
        words: words(&dns.answer),
        authoritative: answer.is_some_and(|a| a.authoritative),
        ttl_s: None,
        data: None,
        extended_errors: answer.map(|a| a.extended_errors.iter().map(extended).collect()).unwrap_or_default(),
        evidence: observation.id.clone(),
    };
    let records = answer.map(|a| a.answers.as_slice()).unwrap_or_default();
    if records.is_empty() {
        return vec![row(&dns.question.name, &dns.question.rtype)];
    }
    records
        .iter()
        .map(|record| DnsRow {
            ttl_s: Some(record.ttl_s),
            data: Some(record.data.clone()),
            ..row(&record.name, &record.rtype)
        })
        .collect()
}

fn extended(error: &ExtendedError) -> String {
    if error.text.is_empty() {
        format!("EDE {}", error.code)
    } else {
        format!("EDE {}: {}", error.code, error.text)
    }
}
