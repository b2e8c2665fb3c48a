//! The deep survey of a zone, for `landfall dns`: three layers kept apart, and how each server behaves.
//!
//! *The parent's servers* say where the zone is delegated to and which key it has. *Every server of the zone*, by the
//! parent's list and by its own, at every address of both families, says what the zone holds, over UDP and over TCP, with
//! and without EDNS, and what it does with questions that it should refuse. *The recursive resolvers* say what the world
//! sees, with and without validation. All questions of a layer go out at the same time, and a server is asked as soon as
//! its address is known.
//!
//! Structure (where the zone begins, who serves it) is asked for with validation off: a zone whose signatures are broken
//! still has servers, and it is they who are to be asked.
//!
//! # Cost
//! At most [`SERVERS`] servers at [`ADDRESSES`] addresses, about twenty questions to each address, two of them over TCP.
//! An audit has no such patience; it asks [`super::zone`].

use std::collections::{BTreeMap, BTreeSet};
use std::hash::{BuildHasher as _, RandomState};
use std::net::{IpAddr, SocketAddr};

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt as _};
use hickory_proto::rr::RecordType;
use landfall_evidence::{
    Denial, DnsManner, DnsServerRole, Observation, ObservationId, Observed, Seen, Vantage,
};

use super::dnssec::{self, Keys};
use super::message::Flags;
use super::query::{Server, addresses_in, ask_keeping, ask_with, data_of, message_in};
use super::{is_localhost, literal, normal, system};
use crate::net::Context;

/// Servers of the zone that are asked. The root has 13, nobody has more for long.
const SERVERS: usize = 13;
/// Addresses of the zone's servers that are asked, over all of them.
const ADDRESSES: usize = 26;
/// Servers of the parent that are asked, each at one address of each family.
const PARENTS: usize = 3;
/// Names asked about on the way up.
const NAMES: usize = 6;
/// Aliases followed: one more than Zonemaster allows (its `CNAME_MAX_CHAIN_LENGTH` is 10), so that too many can be seen.
const ALIASES: usize = 11;
/// Servers that are asked at the same time; each gets some twenty questions at once at each of its addresses.
const SERVERS_AT_ONCE: usize = 6;
/// Mail servers whose names are looked up.
const MAIL: usize = 4;

/// How deep a survey goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// Everything.
    Whole,
    /// What resolvers and the zone's servers say of the host, to see whether they agree yet.
    Agreement,
}

/// Surveys the zone of `host`. Empty for addresses, `localhost` and hosts that the address map leads past DNS.
///
/// Every answer's signatures are computed with the keys that the same server gave, so that one stale server shows itself.
pub async fn survey(ctx: &Context, host: &str, vantage: Vantage, depth: Depth) -> Vec<Observation> {
    let host = normal(host);
    if literal(&host).is_some() || is_localhost(&host) || ctx.map.has_host(&host) || !host.contains('.') {
        return Vec::new();
    }
    let resolvers = system::resolvers(ctx);
    let Some(first) = resolvers.first().copied().map(Server::recursive) else { return Vec::new() };
    let survey = Survey { ctx, host: &host, vantage, resolver: &first, depth };
    let (world, (mut observations, zone)) =
        tokio::join!(survey.asked_of_resolvers(&resolvers), survey.structure(&resolvers));
    observations.extend(world);
    if let Some(zone) = zone {
        observations.extend(survey.around_the_zone(&zone).await);
    }
    if depth == Depth::Whole {
        observations.extend(survey.chain(&observations).await);
        observations.extend(survey.mail(&observations).await);
    }
    observations
}

/// Where the host's zone begins, and where the zone above it.
#[derive(Debug, PartialEq, Eq)]
struct Place {
    zone: String,
    parent: String,
    shown_by: Option<ObservationId>,
}

struct Survey<'a> {
    ctx: &'a Context,
    host: &'a str,
    vantage: Vantage,
    resolver: &'a Server,
    depth: Depth,
}

/// A question to one server.
type Wish = (String, RecordType, Flags);

/// With signatures.
const SIGNED: Flags =
    Flags { checking_disabled: false, dnssec_ok: true, glue: false, manner: DnsManner::Usual };
/// Without validation, signatures or anything else: for finding one's way.
const STRUCTURE: Flags =
    Flags { checking_disabled: true, dnssec_ok: false, glue: false, manner: DnsManner::Usual };

impl Survey<'_> {
    /// What every resolver says of the host, and of its addresses without validation.
    async fn asked_of_resolvers(&self, resolvers: &[SocketAddr]) -> Vec<Observation> {
        let unchecked = Flags { checking_disabled: true, ..SIGNED };
        let mut wishes = vec![(RecordType::A, SIGNED), (RecordType::AAAA, SIGNED)];
        if self.depth == Depth::Whole {
            wishes.extend([
                (RecordType::HTTPS, SIGNED),
                (RecordType::MX, SIGNED),
                (RecordType::A, unchecked),
                (RecordType::AAAA, unchecked),
            ]);
        }
        let wishes = &wishes;
        join_all(resolvers.iter().flat_map(|at| {
            wishes.iter().map(move |(rtype, flags)| async move {
                ask_with(self.ctx, &Server::recursive(*at), self.host, *rtype, *flags, self.vantage, None)
                    .await
            })
        }))
        .await
    }

    /// Finds the zone and its parent by the SOA records on the way up. The first resolver that shows a zone is believed.
    async fn structure(&self, resolvers: &[SocketAddr]) -> (Vec<Observation>, Option<Place>) {
        let names = upward(self.host);
        let mut observations = Vec::new();
        for at in resolvers {
            let resolver = Server::recursive(*at);
            let answers = join_all(names.iter().map(|name| {
                ask_with(self.ctx, &resolver, name, RecordType::SOA, STRUCTURE, Vantage::ThirdParty, None)
            }))
            .await;
            let place = place(self.host, &answers);
            observations.extend(answers);
            if place.is_some() {
                return (observations, place);
            }
        }
        // Nobody could say, so the zone is taken to begin where the registry ends.
        let registered = psl::domain_str(self.host).and_then(|zone| {
            Some(Place { zone: zone.to_owned(), parent: zone.split_once('.')?.1.to_owned(), shown_by: None })
        });
        (observations, registered)
    }

    /// The delegation, then every server that it or the zone itself names.
    async fn around_the_zone(&self, place: &Place) -> Vec<Observation> {
        let (zone, after) = (place.zone.as_str(), place.shown_by.clone());
        let own =
            ask_with(self.ctx, self.resolver, zone, RecordType::NS, STRUCTURE, Vantage::ThirdParty, after);
        let (mut observations, own) = tokio::join!(self.parent(place), own);
        let mut servers: BTreeMap<String, BTreeSet<IpAddr>> = BTreeMap::new();
        for observation in &observations {
            let of_parent = matches!(&observation.seen, Seen::Dns(dns) if dns.question.server.role == DnsServerRole::Parent);
            let Some(answer) = message_in(observation).filter(|_| of_parent) else { continue };
            for record in answer.answers.iter().chain(&answer.authority) {
                if record.rtype == "NS" && record.name == zone {
                    let glue = answer.glue.iter().filter(|glue| glue.name == record.data);
                    let glue = glue.filter_map(|glue| glue.data.parse::<IpAddr>().ok());
                    servers.entry(record.data.clone()).or_default().extend(glue.take(ADDRESSES));
                }
            }
        }
        for name in data_of(&own, RecordType::NS) {
            servers.entry(name).or_default();
        }
        let after = own.id.clone();
        observations.push(own);
        let known: BTreeSet<String> = servers.keys().cloned().collect();
        let asked = self.servers(servers, zone, after.clone()).await;
        // Servers that only the zone's own servers name: a resolver believes the child once it has asked it.
        let of_zone = asked.iter().filter(|o| matches!(&o.seen, Seen::Dns(dns) if dns.question.name == zone));
        let more: BTreeSet<String> = of_zone.flat_map(|seen| data_of(seen, RecordType::NS)).collect();
        let more: BTreeMap<_, _> =
            more.difference(&known).map(|name| (name.clone(), BTreeSet::new())).collect();
        observations.extend(asked);
        if !more.is_empty() {
            observations.extend(self.servers(more, zone, after).await);
        }
        observations
    }

    /// The zone's NS and DS records, and the keys over the latter, at the servers of the zone above.
    async fn parent(&self, place: &Place) -> Vec<Observation> {
        let Place { zone, parent, shown_by } = place;
        let ctx = self.ctx;
        let named = ask_with(
            ctx,
            self.resolver,
            parent,
            RecordType::NS,
            STRUCTURE,
            Vantage::ThirdParty,
            shown_by.clone(),
        );
        let named = named.await;
        let servers: BTreeSet<String> = data_of(&named, RecordType::NS).into_iter().collect();
        let asked = servers
            .iter()
            .take(PARENTS)
            .flat_map(|name| [RecordType::A, RecordType::AAAA].into_iter().map(move |family| (name, family)));
        let after = &named.id;
        let asked = asked.map(|(name, family)| async move {
            let after = Some(after.clone());
            let found =
                ask_with(ctx, self.resolver, name, family, STRUCTURE, Vantage::ThirdParty, after).await;
            let address = addresses_in(&found).into_iter().min();
            let Some(address) = address else { return vec![found] };
            let server = Server::parent(name, address);
            let referral = Flags { glue: true, ..SIGNED };
            let wishes = vec![
                (zone.clone(), RecordType::NS, referral),
                (zone.clone(), RecordType::DS, SIGNED),
                (parent.clone(), RecordType::DNSKEY, SIGNED),
            ];
            let mut seen = self.checked(&server, wishes, Some(found.id.clone())).await;
            seen.push(found);
            seen
        });
        let mut observations: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
        observations.push(named);
        observations
    }

    /// Looks up the addresses of the servers and asks each at each of them. `servers` holds the glue that is known.
    async fn servers(
        &self,
        servers: BTreeMap<String, BTreeSet<IpAddr>>,
        zone: &str,
        after: ObservationId,
    ) -> Vec<Observation> {
        let share = (ADDRESSES / servers.len().clamp(1, SERVERS)).max(2);
        let (wishes, after) = (&self.wishes(zone), &after);
        // A stream over all servers keeps the number of open questions bounded whatever their number.
        let asked = stream::iter(servers.into_iter().take(SERVERS)).map(|(name, glue)| async move {
            let look = |family| {
                let after = Some(after.clone());
                ask_with(self.ctx, self.resolver, &name, family, STRUCTURE, Vantage::ThirdParty, after)
            };
            let (v4, v6) = tokio::join!(look(RecordType::A), look(RecordType::AAAA));
            let mut addresses: BTreeSet<IpAddr> = addresses_in(&v4).into_iter().collect();
            addresses.extend(addresses_in(&v6));
            // Resolvers are led by the glue, so what is there is as much a server of the zone as what its name says.
            addresses.extend(glue);
            let after = &v4.id;
            let name = name.as_str();
            let asked = addresses.into_iter().take(share).map(|address| async move {
                let server = Server::authoritative(name, address);
                self.checked(&server, wishes.clone(), Some(after.clone())).await
            });
            let mut observations: Vec<_> = join_all(asked).await.into_iter().flatten().collect();
            observations.extend([v4, v6]);
            observations
        });
        asked.buffer_unordered(SERVERS_AT_ONCE).collect::<Vec<_>>().await.into_iter().flatten().collect()
    }

    /// What a server of the zone is asked.
    fn wishes(&self, zone: &str) -> Vec<Wish> {
        let mut wishes = Vec::new();
        let mut ask = |name: &str, rtype, flags| {
            let wish = (name.to_owned(), rtype, flags);
            if !wishes.contains(&wish) {
                wishes.push(wish);
            }
        };
        for rtype in [RecordType::A, RecordType::AAAA] {
            ask(self.host, rtype, SIGNED);
        }
        ask(zone, RecordType::SOA, SIGNED);
        if self.depth == Depth::Agreement {
            return wishes;
        }
        for rtype in [RecordType::CNAME, RecordType::HTTPS, RecordType::MX, RecordType::TXT] {
            ask(self.host, rtype, SIGNED);
        }
        for rtype in [RecordType::NS, RecordType::DNSKEY, RecordType::NSEC3PARAM, RecordType::CNAME] {
            ask(zone, rtype, SIGNED);
        }
        let mut name = self.host;
        loop {
            ask(name, RecordType::CAA, SIGNED);
            match name.split_once('.') {
                Some((_, above)) if name != zone && above.ends_with(zone) => name = above,
                _ => break,
            }
        }
        // Beside the host, where a wildcard would answer for it; below the zone where the host is the zone itself.
        let beside =
            if self.host == zone { zone } else { self.host.split_once('.').map_or(zone, |(_, rest)| rest) };
        let random = RandomState::new().hash_one(self.host) & 0xff_ffff_ffff;
        ask(&format!("landfall-{random:010x}.{beside}"), RecordType::A, SIGNED);
        let with = |manner| Flags { manner, ..Flags::default() };
        for manner in [DnsManner::Tcp, DnsManner::NoEdns, DnsManner::FutureEdns, DnsManner::MixedCase] {
            ask(zone, RecordType::SOA, with(manner));
        }
        ask(zone, RecordType::AXFR, with(DnsManner::Transfer));
        ask(".", RecordType::NS, with(DnsManner::Recursion));
        wishes
    }

    /// Puts the questions to one server at the same time and computes the signatures of its answers with the keys that it
    /// gave. A server that is silent costs its time-out once, because all questions wait at the same time.
    async fn checked(
        &self,
        server: &Server,
        wishes: Vec<Wish>,
        after: Option<ObservationId>,
    ) -> Vec<Observation> {
        let put = |(name, rtype, flags): Wish| {
            let after = after.clone();
            async move { ask_keeping(self.ctx, server, &name, rtype, flags, self.vantage, after).await }
        };
        let mut answers = join_all(wishes.into_iter().map(put)).await;
        let keys = answers.iter().find_map(|(seen, bytes)| match &seen.seen {
            Seen::Dns(dns) if dns.question.rtype == "DNSKEY" => Keys::of(bytes),
            _ => None,
        });
        if keys.is_some() {
            for (seen, bytes) in &mut answers {
                let Seen::Dns(dns) = &mut seen.seen else { continue };
                let signed = dns.question.dnssec_ok;
                if let (true, Observed::Present(answer)) = (signed, &mut dns.answer) {
                    answer.signing = dnssec::signing(bytes, keys.as_ref());
                } else if let (true, Observed::Denied(Denial::Rcode(answer))) = (signed, &mut dns.answer) {
                    answer.signing = dnssec::signing(bytes, keys.as_ref());
                }
            }
        }
        answers.into_iter().map(|(seen, _)| seen).collect()
    }

    /// Follows the host's aliases one by one: a resolver that meets a loop says only that it failed.
    async fn chain(&self, seen: &[Observation]) -> Vec<Observation> {
        let mut at = seen.iter().find_map(|observation| match &observation.seen {
            Seen::Dns(dns) if dns.question.name == self.host => Some((
                message_in(observation)?
                    .answers
                    .iter()
                    .find(|r| r.rtype == "CNAME" && r.name == self.host)
                    .map(|r| r.data.clone())?,
                observation.id.clone(),
            )),
            _ => None,
        });
        let (mut met, mut observations) = (BTreeSet::from([self.host.to_owned()]), Vec::new());
        while let Some((name, after)) = at.take() {
            if !met.insert(name.clone()) || met.len() > ALIASES + 1 {
                break;
            }
            let ask = ask_with(
                self.ctx,
                self.resolver,
                &name,
                RecordType::CNAME,
                STRUCTURE,
                Vantage::ThirdParty,
                Some(after),
            );
            let found = ask.await;
            at = data_of(&found, RecordType::CNAME).into_iter().next().map(|next| (next, found.id.clone()));
            observations.push(found);
        }
        observations
    }

    /// Whether the host's mail servers are names of their own (RFC 2181, section 10.3).
    async fn mail(&self, seen: &[Observation]) -> Vec<Observation> {
        let of_host =
            seen.iter().filter(|o| matches!(&o.seen, Seen::Dns(dns) if dns.question.name == self.host));
        let servers: BTreeSet<String> = of_host
            .flat_map(|seen| data_of(seen, RecordType::MX))
            .filter_map(|data| Some(data.split_once(' ')?.1.to_owned()))
            .filter(|name| name != ".")
            .collect();
        join_all(servers.iter().take(MAIL).map(|name| {
            ask_with(self.ctx, self.resolver, name, RecordType::CNAME, STRUCTURE, Vantage::ThirdParty, None)
        }))
        .await
    }
}

/// The host and every name above it, the root at the end.
fn upward(host: &str) -> Vec<String> {
    let mut names: Vec<String> =
        std::iter::successors(Some(host), |name| name.split_once('.').map(|(_, above)| above))
            .map(str::to_owned)
            .collect();
    if names.len() > NAMES {
        // Zone cuts are mostly near the registry, so the names in the middle can best be spared.
        names.drain(1..names.len() - (NAMES - 1));
    }
    names.push(".".to_owned());
    names
}

/// The longest name upwards that is a zone by the SOA record that it has or that a negative answer shows, and the next one.
fn place(host: &str, answers: &[Observation]) -> Option<Place> {
    let within = |name: &str, zone: &str| zone == "." || name == zone || name.ends_with(&format!(".{zone}"));
    let mut zones: BTreeMap<String, ObservationId> = BTreeMap::new();
    let mut failed = BTreeSet::new();
    for observation in answers {
        let Seen::Dns(dns) = &observation.seen else { continue };
        let answer = message_in(observation).filter(|answer| matches!(answer.rcode, 0 | 3));
        let Some(answer) = answer else {
            failed.insert(dns.question.name.as_str());
            continue;
        };
        // After an alias the record is that of another zone.
        let soa = answer.answers.iter().chain(&answer.authority).filter(|r| r.rtype == "SOA");
        for record in soa.filter(|r| within(&dns.question.name, &r.name) && within(host, &r.name)) {
            zones.entry(record.name.clone()).or_insert_with(|| observation.id.clone());
        }
    }
    let depth = |name: &str| if name == "." { 0 } else { name.split('.').count() };
    let mut found: Vec<(String, ObservationId)> = zones.into_iter().collect();
    found.sort_by_key(|(name, _)| std::cmp::Reverse(depth(name)));
    let mut found = found.into_iter();
    let (zone, shown_by) = found.next().filter(|(zone, _)| zone != ".")?;
    let above = zone.split_once('.').map_or(".", |(_, above)| above).to_owned();
    // Where names below it could not be asked for, there is a zone below that is not served: the registered domain, most
    // likely.
    if let Some(domain) = psl::domain_str(host)
        && failed.contains(domain)
        && depth(domain) > depth(&zone)
    {
        return Some(Place { zone: domain.to_owned(), parent: zone, shown_by: Some(shown_by) });
    }
    let parent = found.next().map_or(above, |(name, _)| name);
    Some(Place { zone, parent, shown_by: Some(shown_by) })
}
