//! What the recursive and the authoritative servers say of a host and its zone.
//!
//! Three rounds, each a single round trip when all goes well: the records of the host and of every name above it, which
//! shows the zone cut; the addresses of the zone's servers; the same records from each of those servers, without
//! recursion. A round's questions are all asked at the same time, and a server is asked as soon as its own address is
//! known.

use futures_util::future::join_all;
use hickory_proto::rr::RecordType;
use landfall_evidence::{Observation, ObservationId, Seen, Vantage};
use std::collections::BTreeSet;

use super::query::{Server, addresses_in, ask, data_of};
use super::{is_localhost, literal, normal, system};
use crate::net::Context;

/// Names asked about: the host and at most three above it.
const NAMES: usize = 4;
/// Servers of the zone whose addresses are looked up.
const SERVERS: usize = 4;
/// Addresses of the zone's servers that are asked, over all of them.
const SERVER_ADDRESSES: usize = 8;

/// Surveys the zone of `host`. At most 13 questions to a resolver, 8 for the servers' addresses and 48 to those servers.
///
/// Resolvers are tried in order until one shows the zone. CAA is asked for every name from the host up to the zone and
/// beyond, which is the tree that a certificate authority climbs (RFC 8659, section 3). Empty for addresses, `localhost`,
/// names of one label, and hosts that the address map leads past DNS. A zone that is itself a registry's (an ICANN public
/// suffix) is not surveyed: those servers are not the target's.
pub async fn zone(ctx: &Context, host: &str, vantage: Vantage) -> Vec<Observation> {
    let host = normal(host);
    if literal(&host).is_some() || is_localhost(&host) || ctx.map.has_host(&host) {
        return Vec::new();
    }
    let names = names_upward(&host);
    let mut observations = Vec::new();
    for resolver in system::resolvers(ctx) {
        let resolver = Server::recursive(resolver);
        let answers = from_resolver(ctx, &resolver, &names, vantage).await;
        let cut = zone_cut(&names, &answers);
        observations.extend(answers);
        if let Some(cut) = cut {
            observations.extend(from_servers(ctx, &resolver, &host, &cut, vantage).await);
            break;
        }
    }
    observations
}

/// The zone that holds the host.
#[derive(Debug, PartialEq, Eq)]
struct Cut {
    zone: String,
    /// Names of its servers, sorted.
    servers: Vec<String>,
    /// The observation that named them.
    shown_by: ObservationId,
}

/// The host and the names above it, longest first, as long as they are no registry's.
fn names_upward(host: &str) -> Vec<String> {
    let mut names = Vec::new();
    let mut next = Some(host);
    while let Some(name) = next.filter(|name| name.contains('.') && !is_registry(name)) {
        names.push(name.to_owned());
        next = name.split_once('.').map(|(_, parent)| parent);
    }
    if names.len() > NAMES {
        // Zone cuts are mostly near the registry, so the names in the middle can best be spared.
        names.drain(1..names.len() - (NAMES - 1));
    }
    names
}

/// Whether the name is a public suffix that ICANN's registries run. Private suffixes (a platform's domain) are zones of
/// interest: the platform's servers answer for the host.
fn is_registry(name: &str) -> bool {
    psl::suffix(name.as_bytes())
        .is_some_and(|suffix| suffix.as_bytes() == name.as_bytes() && suffix.typ() == Some(psl::Type::Icann))
}

async fn from_resolver(
    ctx: &Context,
    resolver: &Server,
    names: &[String],
    vantage: Vantage,
) -> Vec<Observation> {
    let alias = names.first().map(|host| (host, RecordType::CNAME));
    let rest = names.iter().flat_map(|name| {
        [RecordType::NS, RecordType::SOA, RecordType::CAA].into_iter().map(move |rtype| (name, rtype))
    });
    join_all(
        alias.into_iter().chain(rest).map(|(name, rtype)| ask(ctx, resolver, name, rtype, vantage, None)),
    )
    .await
}

/// The longest name that has a SOA record of its own, or failing that NS records, and whose servers are known.
fn zone_cut(names: &[String], answers: &[Observation]) -> Option<Cut> {
    let owned = |name: &str, rtype: RecordType| {
        answers.iter().find(|observation| match &observation.seen {
            Seen::Dns(dns) => {
                let rtype = rtype.to_string();
                dns.question.name == *name
                    && dns.question.rtype == rtype
                    && dns
                        .answer
                        .present()
                        .is_some_and(|a| a.answers.iter().any(|r| r.name == *name && r.rtype == rtype))
            }
            _ => false,
        })
    };
    let apex = names.iter().find(|name| owned(name, RecordType::SOA).is_some());
    let zone = apex.or_else(|| names.iter().find(|name| owned(name, RecordType::NS).is_some()))?;
    let shown_by = owned(zone, RecordType::NS)?;
    let servers: BTreeSet<String> = data_of(shown_by, RecordType::NS).into_iter().collect();
    let servers = servers.into_iter().take(SERVERS).collect();
    Some(Cut { zone: zone.clone(), servers, shown_by: shown_by.id.clone() })
}

async fn from_servers(
    ctx: &Context,
    resolver: &Server,
    host: &str,
    cut: &Cut,
    vantage: Vantage,
) -> Vec<Observation> {
    // Each server gets an equal share of the addresses, each family half of it.
    let share = (SERVER_ADDRESSES / cut.servers.len().max(1)).max(2);
    let families = cut.servers.iter().flat_map(|server| {
        [(server, RecordType::A, share.div_ceil(2)), (server, RecordType::AAAA, share / 2)]
    });
    let asked = families.map(|(server, family, limit)| async move {
        let found = ask(ctx, resolver, server, family, Vantage::ThirdParty, Some(cut.shown_by.clone())).await;
        let addresses: BTreeSet<_> = addresses_in(&found).into_iter().collect();
        let questions = addresses.into_iter().take(limit).flat_map(|address| {
            let after = found.id.clone();
            records(host, &cut.zone).map(move |(name, rtype)| {
                let (server, after) = (Server::authoritative(server, address), Some(after.clone()));
                async move { ask(ctx, &server, name, rtype, vantage, after).await }
            })
        });
        let mut observations = join_all(questions).await;
        observations.insert(0, found);
        observations
    });
    join_all(asked).await.into_iter().flatten().collect()
}

/// What every server of the zone is asked.
fn records<'a>(host: &'a str, zone: &'a str) -> [(&'a str, RecordType); 6] {
    [
        (host, RecordType::A),
        (host, RecordType::AAAA),
        (host, RecordType::CNAME),
        (zone, RecordType::NS),
        (zone, RecordType::SOA),
        (zone, RecordType::CAA),
    ]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_go_up_to_the_registry() {
        for (host, expected) in [
            ("api.example.com", vec!["api.example.com", "example.com"]),
            ("example.co.uk", vec!["example.co.uk"]),
            ("com", vec![]),
            ("co.uk", vec![]),
            ("intranet", vec![]),
            // A platform's domain is a public suffix of the private kind, and a zone of interest.
            ("app.up.railway.app", vec!["app.up.railway.app", "up.railway.app", "railway.app"]),
            (
                "a.b.c.d.example.com",
                vec!["a.b.c.d.example.com", "c.d.example.com", "d.example.com", "example.com"],
            ),
        ] {
            assert_eq!(names_upward(host), expected, "{host}");
        }
    }
}
