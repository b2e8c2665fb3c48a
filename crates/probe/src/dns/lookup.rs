//! Names for checks: as few questions as will do, because they are put every few seconds for ever.
//!
//! The resolvers are asked one after the other: the next one when the one before has no answer, or has not answered for
//! a moment. What the first of them says for certain (addresses, or that there are none) is taken. The system's resolver
//! call, which sees the hosts file and search domains, is asked only when the resolvers know no such name.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use futures_util::future::{Either, select};
use futures_util::stream::{FuturesUnordered, StreamExt as _};
use hickory_proto::rr::RecordType;
use landfall_evidence::{Denial, DnsAnswer, Observation, Observed, ProbeFault, Seen, Vantage};

use super::query::{Server, addresses_in, ask};
use super::{is_localhost, literal, normal, system};
use crate::connect::micros;
use crate::net::Context;

/// How long a resolver is waited for before the next one is asked as well.
const HEDGE: Duration = Duration::from_millis(400);

/// One family of addresses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Family {
    /// IPv4.
    V4,
    /// IPv6.
    V6,
}

impl Family {
    fn holds(self, ip: &IpAddr) -> bool {
        ip.is_ipv4() == (self == Self::V4)
    }
}

/// What a look-up found.
#[derive(Debug)]
pub struct Found {
    /// All addresses, without repetition, in the order to try them: the families take turns, IPv4 first.
    pub addresses: Vec<IpAddr>,
    /// Why there is none. `Present` with no records is a name that exists and has no address.
    pub none: Option<Observed<DnsAnswer>>,
    /// What was asked.
    pub observations: Vec<Observation>,
    /// How long it took; `None` when nothing had to be asked.
    pub took: Option<Duration>,
    led_to: Option<SocketAddr>,
}

impl Found {
    /// Where to connect: each address with `port`. A host entry of the address map names its own port, which wins.
    pub fn sockets(&self, port: u16) -> Vec<SocketAddr> {
        match self.led_to {
            Some(to) => vec![to],
            None => self.addresses.iter().map(|ip| SocketAddr::new(*ip, port)).collect(),
        }
    }

    fn known(addresses: Vec<IpAddr>, led_to: Option<SocketAddr>) -> Self {
        Self { addresses, none: None, observations: Vec::new(), took: None, led_to }
    }
}

/// Finds the addresses of `host`, of one family or of both.
pub async fn lookup(ctx: &Context, host: &str, port: u16, family: Option<Family>) -> Found {
    let name = normal(host);
    let fits = |ip: &IpAddr| family.is_none_or(|family| family.holds(ip));
    if let Some(to) = ctx.map.host(&name, port) {
        return Found::known(vec![to.ip()], Some(to));
    }
    let fixed = match literal(&name) {
        Some(ip) => vec![ip],
        None if is_localhost(&name) => vec![Ipv4Addr::LOCALHOST.into(), Ipv6Addr::LOCALHOST.into()],
        None => Vec::new(),
    };
    if !fixed.is_empty() {
        let addresses: Vec<_> = fixed.into_iter().filter(fits).collect();
        let mut found = Found::known(addresses, None);
        if found.addresses.is_empty() {
            let detail = format!("{name} is not of the address family that was asked for");
            found.none = Some(Observed::Unasked(ProbeFault::Local { detail }));
        }
        return found;
    }

    let started = Instant::now();
    let resolvers = system::resolvers_kept(ctx);
    let mut waiting = resolvers.iter().map(|at| Server::recursive(*at));
    let mut open = FuturesUnordered::new();
    let mut observations = Vec::new();
    let mut verdicts = Vec::new();
    loop {
        if open.is_empty() {
            let Some(server) = waiting.next() else { break };
            open.push(ask_families(ctx, server, &name, family));
        }
        let answered = if waiting.len() == 0 {
            open.next().await
        } else {
            let hedge = std::pin::pin!(tokio::time::sleep(HEDGE));
            match select(open.next(), hedge).await {
                Either::Left((answered, _)) => answered,
                Either::Right(_) => {
                    open.extend(waiting.next().map(|server| ask_families(ctx, server, &name, family)));
                    continue;
                }
            }
        };
        let Some(heard) = answered else { continue };
        let verdict = verdict(&heard);
        observations.extend(heard);
        let certain = rank(&verdict) <= CERTAIN;
        verdicts.push(verdict);
        if certain {
            break;
        }
    }
    drop(open);
    let mut addresses = interleaved(&observations, fits);
    if addresses.is_empty() && ctx.resolvers.is_empty() && verdicts.iter().all(is_nxdomain) {
        let said = system::call(ctx, &name, Vantage::Edge).await;
        addresses = interleaved(&said, fits);
        if !addresses.is_empty() || resolvers.is_empty() {
            verdicts.push(verdict(&said));
            observations.extend(said);
        }
    }
    let none = addresses.is_empty().then(|| {
        verdicts.into_iter().min_by_key(rank).unwrap_or_else(|| {
            let detail = format!("nobody could be asked for the address of {name}");
            Observed::Unasked(ProbeFault::Local { detail })
        })
    });
    Found { addresses, none, observations, took: Some(started.elapsed()), led_to: None }
}

async fn ask_families(ctx: &Context, server: Server, name: &str, family: Option<Family>) -> Vec<Observation> {
    let put = |rtype| ask(ctx, &server, name, rtype, Vantage::Edge, None);
    match family {
        Some(Family::V4) => vec![put(RecordType::A).await],
        Some(Family::V6) => vec![put(RecordType::AAAA).await],
        None => {
            let (a, aaaa) = tokio::join!(put(RecordType::A), put(RecordType::AAAA));
            vec![a, aaaa]
        }
    }
}

/// Asks one server, or the resolvers in turn, one question. `named` is a server that somebody else than the operator
/// chose. The last observation holds the answer; there is none only when there is no resolver.
pub async fn question(
    ctx: &Context,
    named: Option<SocketAddr>,
    name: &str,
    rtype: &str,
) -> Result<Vec<Observation>, ProbeFault> {
    let fault = |detail: String| ProbeFault::Local { detail };
    let rtype: RecordType =
        rtype.to_ascii_uppercase().parse().map_err(|_| fault(format!("{rtype} is not a record type")))?;
    // The root is written as a dot, which is also the end of every other name.
    let name = if name == "." { ".".to_owned() } else { normal(name) };
    let servers: Vec<_> = match named {
        Some(at) => vec![Server::named(at)],
        None => system::resolvers_kept(ctx).iter().map(|at| Server::recursive(*at)).collect(),
    };
    let mut observations = Vec::new();
    for server in servers {
        let seen = ask(ctx, &server, &name, rtype, Vantage::Edge, None).await;
        let certain = rank(&verdict(std::slice::from_ref(&seen))) <= CERTAIN;
        observations.push(seen);
        if certain {
            return Ok(observations);
        }
    }
    // The most telling one last.
    observations.sort_by_key(|o| std::cmp::Reverse(rank(&verdict(std::slice::from_ref(o)))));
    if observations.is_empty() {
        Err(fault("this machine knows no resolver".into()))
    } else {
        Ok(observations)
    }
}

/// The families in turn, IPv4 first, without repetition.
fn interleaved(observations: &[Observation], fits: impl Fn(&IpAddr) -> bool) -> Vec<IpAddr> {
    let (v4, v6): (Vec<IpAddr>, Vec<IpAddr>) =
        observations.iter().flat_map(addresses_in).filter(fits).partition(IpAddr::is_ipv4);
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

/// What one server says of a name in all: an address if it gave one, else the worse of its answers.
fn verdict(heard: &[Observation]) -> Observed<DnsAnswer> {
    let answers = heard.iter().filter_map(|observation| match &observation.seen {
        Seen::Dns(dns) => Some(&dns.answer),
        _ => None,
    });
    let has_data = |answer: &Observed<DnsAnswer>| answer.present().is_some_and(|a| !a.answers.is_empty());
    // Without an address, a family that was not answered leaves the matter open.
    let weight = |answer: &&Observed<DnsAnswer>| match answer {
        answer if has_data(answer) => 100,
        answer if is_nxdomain(answer) => 99,
        answer => rank(answer),
    };
    answers
        .max_by_key(weight)
        .cloned()
        .unwrap_or_else(|| Observed::Unasked(ProbeFault::Local { detail: "nobody was asked".into() }))
}

/// Up to here the name's own servers have spoken.
const CERTAIN: u8 = 1;

/// How much an answer tells of a name: the smaller the more.
fn rank(answer: &Observed<DnsAnswer>) -> u8 {
    match answer {
        Observed::Present(_) => 0,
        answer if is_nxdomain(answer) => 1,
        // SERVFAIL: the resolver tried and the name's servers failed it.
        Observed::Denied(Denial::Rcode(answer)) if answer.rcode == 2 => 2,
        Observed::Silent(_) => 3,
        Observed::Denied(_) => 4,
        Observed::Unasked(_) => 5,
    }
}

fn is_nxdomain(answer: &Observed<DnsAnswer>) -> bool {
    matches!(answer, Observed::Denied(Denial::Rcode(answer)) if answer.rcode == 3)
}

impl Found {
    /// [`Self::took`] in microseconds.
    pub fn took_us(&self) -> Option<u64> {
        self.took.map(micros)
    }
}
