//! This machine's own view: its resolver configuration and its resolver call.

use std::collections::BTreeSet;
use std::io::Read;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use dns_lookup::{AddrInfoHints, LookupErrorKind, SockType, getaddrinfo};
use hickory_proto::rr::RecordType;
use landfall_evidence::{
    DnsAnswer, DnsManner, DnsObservation, DnsQuestion, DnsRecord, DnsServer, DnsServerRole, DnsTransport,
    Observation, Observed, Phase, Seen, Vantage,
};
use tokio::sync::oneshot;

use super::message::rcode_name;
use super::query::by_rcode;
use crate::connect::{Fault, micros, within};
use crate::net::Context;
use crate::shell::shell_word;

const RESOLV_CONF: &str = "/etc/resolv.conf";
/// A resolver configuration is some hundred bytes.
const RESOLV_CONF_BYTE: u64 = 64 * 1024;
/// The C library asks no more than this (MAXNS, resolv.conf(5)).
const NAME_SERVERS: usize = 3;
/// Addresses kept of one call.
const ADDRESSES: usize = 64;
/// The C library's own default: 5 s for each of two tries.
const CALL: Duration = Duration::from_secs(10);

/// The recursive resolvers to ask: those given, or this machine's. Empty when the machine has no such file.
pub fn resolvers(ctx: &Context) -> Vec<SocketAddr> {
    if !ctx.resolvers.is_empty() {
        return ctx.resolvers.to_vec();
    }
    let mut text = String::new();
    match std::fs::File::open(RESOLV_CONF)
        .and_then(|file| file.take(RESOLV_CONF_BYTE).read_to_string(&mut text))
    {
        Ok(_) => name_servers(&text),
        Err(_) => Vec::new(),
    }
}

/// [`resolvers`] for callers that ask every few milliseconds: the file is read again after a while only.
pub(super) fn resolvers_kept(ctx: &Context) -> Arc<[SocketAddr]> {
    if !ctx.resolvers.is_empty() {
        return Arc::clone(&ctx.resolvers);
    }
    let mut kept = KEPT.lock().unwrap_or_else(PoisonError::into_inner);
    match &*kept {
        Some((at, resolvers)) if at.elapsed() < KEEP => Arc::clone(resolvers),
        _ => {
            let fresh: Arc<[SocketAddr]> = resolvers(ctx).into();
            *kept = Some((Instant::now(), Arc::clone(&fresh)));
            fresh
        }
    }
}

static KEPT: Mutex<Option<(Instant, Arc<[SocketAddr]>)>> = Mutex::new(None);
/// A machine that changes networks rewrites the file.
const KEEP: Duration = Duration::from_secs(10);

/// The `nameserver` lines of resolv.conf(5). Addresses with a zone (`fe80::1%eth0`) are left out: they are of no use
/// without the interface's number, and the resolver call covers them.
fn name_servers(text: &str) -> Vec<SocketAddr> {
    text.lines()
        .filter_map(|line| {
            line.trim_start().strip_prefix("nameserver")?.split_whitespace().next()?.parse::<IpAddr>().ok()
        })
        .map(|ip| SocketAddr::new(ip, 53))
        .take(NAME_SERVERS)
        .collect()
}

/// Asks the system's resolver call, which sees the hosts file and caches too. One call answers both families; each family
/// becomes an observation, so that they compare with those of other servers. It tells no TTL, which stays 0.
pub(super) async fn call(ctx: &Context, host: &str, vantage: Vantage) -> [Observation; 2] {
    let started = Instant::now();
    let outcome = within(ctx, Phase::Resolve, CALL, resolve(host)).await.and_then(|found| found);
    let took = started.elapsed();
    let observe = |rtype: RecordType| {
        let answer = match &outcome {
            Ok(found) => answer_of(host, rtype, found),
            Err(fault) => fault.clone().into_observed(),
        };
        let server = DnsServer { role: DnsServerRole::System, name: None, address: None, connected_to: None };
        let question = DnsQuestion {
            name: host.to_owned(),
            rtype: rtype.to_string(),
            server,
            transport: DnsTransport::SystemCall,
            checking_disabled: false,
            dnssec_ok: false,
            manner: DnsManner::Usual,
        };
        Observation {
            id: format!("dns/system/{rtype} {host}").into(),
            vantage,
            started_us: ctx.offset_us(started),
            took_us: micros(took),
            after: None,
            round_trips: u32::from(outcome.is_ok()),
            attempt: 1,
            by_hand: format!("getent ahosts {}", shell_word(host)),
            seen: Seen::Dns(DnsObservation { question, answer }),
        }
    };
    [observe(RecordType::A), observe(RecordType::AAAA)]
}

/// What the call found.
enum Found {
    Addresses(BTreeSet<IpAddr>),
    NoSuchName,
}

async fn resolve(host: &str) -> Result<Found, Fault> {
    let (send, receive) = oneshot::channel();
    let host = host.to_owned();
    // A thread of its own and not one of the runtime's: the call cannot be called off, and the runtime would wait for it
    // at the end.
    std::thread::Builder::new()
        .name("getaddrinfo".to_owned())
        .spawn(move || {
            // Nobody listens any more after the deadline, and then the answer is of no use.
            let _ = send.send(resolve_blocking(&host));
        })
        .map_err(|error| Fault::local(format!("cannot start a thread for getaddrinfo: {error}")))?;
    receive.await.unwrap_or_else(|_| Err(Fault::local("the resolver call ended without an answer")))
}

fn resolve_blocking(host: &str) -> Result<Found, Fault> {
    let hints = AddrInfoHints { socktype: SockType::Stream.into(), ..AddrInfoHints::default() };
    match getaddrinfo(Some(host), None, Some(hints)) {
        Ok(found) => Ok(Found::Addresses(
            found.filter_map(Result::ok).map(|i| i.sockaddr.ip()).take(ADDRESSES).collect(),
        )),
        Err(error) => match error.kind() {
            LookupErrorKind::NoName => Ok(Found::NoSuchName),
            LookupErrorKind::NoData => Ok(Found::Addresses(BTreeSet::new())),
            // "Try again" is a SERVFAIL, a dead resolver or no network at all; the call does not tell which, so it says
            // nothing of the target. The same question put to the resolvers directly does.
            kind => Err(Fault::local(format!("getaddrinfo failed ({kind:?}, code {})", error.error_num()))),
        },
    }
}

fn answer_of(host: &str, rtype: RecordType, found: &Found) -> Observed<DnsAnswer> {
    let (rcode, addresses) = match found {
        Found::Addresses(addresses) => (0, addresses.iter().copied().collect()),
        Found::NoSuchName => (3, Vec::new()),
    };
    let of_family = addresses.into_iter().filter(|ip| ip.is_ipv4() == (rtype == RecordType::A));
    by_rcode(DnsAnswer {
        rcode,
        rcode_name: rcode_name(rcode),
        authoritative: false,
        recursion_available: false,
        authentic_data: false,
        truncated: false,
        answers: of_family
            .map(|ip| DnsRecord {
                name: host.to_owned(),
                rtype: rtype.to_string(),
                ttl_s: 0,
                data: ip.to_string(),
            })
            .collect(),
        authority: Vec::new(),
        extended_errors: Vec::new(),
        glue: Vec::new(),
        signing: None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::test_context;

    #[test]
    fn name_servers_are_read_as_the_c_library_reads_them() {
        let text = "# comment\nsearch example.test\nnameserver 192.0.2.53\n  nameserver 2001:db8::53 # second\n\
                    nameserver fe80::1%eth0\nnameservers 192.0.2.1\nnameserver nonsense\nnameserver 192.0.2.54\n\
                    nameserver 192.0.2.55\n";
        let expected = ["192.0.2.53:53", "[2001:db8::53]:53", "192.0.2.54:53"];
        assert_eq!(name_servers(text), expected.map(|a| a.parse::<SocketAddr>().expect("valid")));
    }

    #[tokio::test]
    async fn the_call_sees_the_hosts_file() {
        let observations = call(&test_context(), "localhost", Vantage::Local).await;
        let data: Vec<_> = observations.iter().flat_map(super::super::query::addresses_in).collect();
        assert!(data.iter().any(IpAddr::is_loopback), "{observations:?}");
        assert_eq!(observations[0].id.0, "dns/system/A localhost");
    }

    #[test]
    fn a_name_that_the_machine_does_not_know_is_a_denial() {
        let answer = answer_of("gone.example.test", RecordType::A, &Found::NoSuchName);
        assert_eq!(answer.denied().map(ToString::to_string).as_deref(), Some("NXDOMAIN"));
        let empty = answer_of("empty.example.test", RecordType::AAAA, &Found::Addresses(BTreeSet::new()));
        assert_eq!(empty.present().map(|a| a.answers.len()), Some(0));
    }
}
