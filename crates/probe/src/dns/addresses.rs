//! From a host to the addresses to connect to.
//!
//! A and AAAA go to every resolver at the same time, and the first resolver that has answered both with at least one
//! address settles the matter; the others are heard out in the background. The system's resolver call is asked too,
//! because it sees the hosts file and the local caches, but it decides only when no resolver knew an address: customers
//! do not have this machine's hosts file, and a race between the two would make the audit differ from run to run.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Instant;

use hickory_proto::rr::RecordType;
use landfall_evidence::{Denial, Observation, ObservationId, Observed, ProbeFault, Seen, Vantage};
use tokio::task::JoinSet;

use super::query::{Server, addresses_in, ask};
use super::{is_localhost, literal, normal, system};
use crate::connect::micros;
use crate::net::Context;

/// The addresses of a host, and how they were learnt.
#[derive(Debug)]
pub struct Addresses {
    /// The questions that were answered by the time the addresses stood.
    pub observations: Vec<Observation>,
    /// All addresses, without repetition: the families take turns, IPv4 first, each in the order of its answer.
    pub addresses: Vec<IpAddr>,
    /// The observation that a connection had to wait for: the later of A and AAAA at the resolver that settled it.
    /// `None` when nothing had to be asked, or nothing came of it.
    pub settled_by: Option<ObservationId>,
    /// From the question to the addresses, in microseconds; 0 when nothing had to be asked.
    pub took_us: u64,
    /// Why no connection can be made, when there is no address.
    pub fault: Option<ProbeFault>,
    /// The questions that were still open when the addresses stood.
    pub late: Late,
    led_to: Option<SocketAddr>,
}

impl Addresses {
    /// Where to connect: each address with `port`. A host entry of the address map names its own port, which wins.
    pub fn sockets(&self, port: u16) -> Vec<SocketAddr> {
        match self.led_to {
            Some(to) => vec![to],
            None => self.addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect(),
        }
    }

    fn known(addresses: Vec<IpAddr>, led_to: Option<SocketAddr>) -> Self {
        Self {
            observations: Vec::new(),
            addresses,
            settled_by: None,
            took_us: 0,
            fault: None,
            late: Late::default(),
            led_to,
        }
    }
}

/// Questions that were still open when the addresses stood. Dropping it abandons them.
#[derive(Debug, Default)]
pub struct Late(JoinSet<Heard>);

impl Late {
    /// Waits for the rest. Each question has its own deadline, so this ends.
    pub async fn collect(mut self) -> Vec<Observation> {
        let mut observations = Vec::new();
        while let Some(heard) = self.0.join_next().await {
            // A task that did not end well has nothing to tell.
            observations.extend(heard.map(|heard| heard.observations).unwrap_or_default());
        }
        observations
    }
}

/// What one server said of both families.
#[derive(Debug)]
struct Heard {
    /// Its place among the resolvers, from 0; `None` for the system's own call.
    place: Option<usize>,
    observations: Vec<Observation>,
}

/// Finds the addresses of `host` for a connection to `port`.
///
/// Addresses, `localhost` names (RFC 6761, section 6.3) and hosts of the address map need no question. The resolvers
/// are those of the context; when it names none, those of /etc/resolv.conf and the system's resolver call.
pub async fn addresses(ctx: &Context, host: &str, port: u16, vantage: Vantage) -> Addresses {
    let name = normal(host);
    if let Some(to) = ctx.map.host(&name, port) {
        return Addresses::known(vec![to.ip()], Some(to));
    }
    if let Some(ip) = literal(&name) {
        return Addresses::known(vec![ip], None);
    }
    if is_localhost(&name) {
        return Addresses::known(vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()], None);
    }

    let started = Instant::now();
    let mut open = ask_everybody(ctx, &name, vantage);
    let (mut heard, mut settled, mut best) = (Vec::new(), None, usize::MAX);
    // Resolvers that gave no address.
    let mut without = Vec::new();
    let mut until = None;
    loop {
        let next = match until {
            None => open.join_next().await,
            Some(until) => tokio::time::timeout_at(until, open.join_next()).await.unwrap_or(None),
        };
        let Some(next) = next else { break };
        let Ok(next) = next else { continue };
        let found = interleaved(&next.observations);
        let place = next.place.filter(|_| !found.is_empty());
        if place.is_some_and(|place| place < best) || (settled.is_none() && !found.is_empty()) {
            settled = Some((found, last_of(&next.observations)));
        }
        heard.extend(next.observations);
        without.extend(next.place.filter(|_| place.is_none()));
        best = best.min(place.unwrap_or(usize::MAX));
        if best == usize::MAX {
            continue;
        }
        if (0..best).all(|before| without.contains(&before)) {
            break;
        }
        until.get_or_insert_with(|| tokio::time::Instant::now() + ctx.limits.listed_before);
    }
    let took_us = micros(started.elapsed());
    let (addresses, settled_by) = settled.unwrap_or_default();
    Addresses {
        fault: addresses.is_empty().then(|| no_address(&name, &heard)),
        observations: heard,
        addresses,
        settled_by,
        took_us,
        late: Late(open),
        led_to: None,
    }
}

fn ask_everybody(ctx: &Context, name: &str, vantage: Vantage) -> JoinSet<Heard> {
    let mut open = JoinSet::new();
    for (place, address) in system::resolvers(ctx).into_iter().enumerate() {
        let (ctx, name, server) = (ctx.clone(), name.to_owned(), Server::recursive(address));
        open.spawn(async move {
            let (a, aaaa) = tokio::join!(
                ask(&ctx, &server, &name, RecordType::A, vantage, None),
                ask(&ctx, &server, &name, RecordType::AAAA, vantage, None),
            );
            Heard { place: Some(place), observations: vec![a, aaaa] }
        });
    }
    if ctx.resolvers.is_empty() {
        let (ctx, name) = (ctx.clone(), name.to_owned());
        open.spawn(async move {
            Heard { place: None, observations: system::call(&ctx, &name, vantage).await.into() }
        });
    }
    open
}

/// IPv4 and IPv6 in turn, IPv4 first, without repetition.
fn interleaved(observations: &[Observation]) -> Vec<IpAddr> {
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) =
        observations.iter().flat_map(addresses_in).partition(IpAddr::is_ipv4);
    let mut addresses = Vec::with_capacity(v4.len() + v6.len());
    for i in 0..v4.len().max(v6.len()) {
        for ip in [v4.get(i), v6.get(i)].into_iter().flatten() {
            if !addresses.contains(ip) {
                addresses.push(*ip);
            }
        }
    }
    addresses
}

fn last_of(observations: &[Observation]) -> Option<ObservationId> {
    observations.iter().max_by_key(|o| o.ended_us()).map(|o| o.id.clone())
}

/// Why there is no address, in the words of the server that knows most.
fn no_address(name: &str, heard: &[Observation]) -> ProbeFault {
    let telling = heard.iter().filter_map(|observation| match &observation.seen {
        Seen::Dns(dns) => Some((observation, &dns.answer)),
        _ => None,
    });
    // The smallest is the most telling: a response code, then an empty answer, then a denial, a silence, no question.
    let rank = |answer: &Observed<_>| match answer {
        Observed::Denied(Denial::Rcode(_)) => 0,
        Observed::Present(_) => 1,
        Observed::Denied(_) => 2,
        Observed::Silent(_) => 3,
        Observed::Unasked(_) => 4,
    };
    let Some((by, answer)) = telling.min_by_key(|(_, answer)| rank(answer)) else {
        return ProbeFault::Local { detail: format!("nobody could be asked for the address of {name}") };
    };
    let reason = match answer {
        Observed::Denied(denial @ Denial::Rcode(_)) => format!("{name} does not resolve ({denial})"),
        Observed::Present(_) => format!("{name} has no address (NOERROR, but neither A nor AAAA records)"),
        Observed::Denied(denial) => format!("{name} does not resolve (the resolver: {denial})"),
        Observed::Silent(silence) => format!("{name} does not resolve (the resolver: {silence})"),
        Observed::Unasked(fault) => format!("no resolver could be asked for {name} ({fault})"),
    };
    ProbeFault::Blocked { by: by.id.clone(), reason }
}
