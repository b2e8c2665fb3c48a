//! Checks of the connection alone: TCP and TLS.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landfall_evidence::{Denial, Observed, Timings};
use landfall_probe::dns::{Found, lookup};
use landfall_probe::net::Context;
use landfall_probe::{tcp as probe_tcp, tls as probe_tls};

use super::judge::{self, Said};
use super::{Probes, expiring, masked, micros, result, show_certificate, sorted};
use crate::model::{TcpCheck, TlsCheck};
use crate::result::{CheckResult, Outcome, Reason};

/// Addresses of one name that are tried.
const ADDRESSES: usize = 3;

/// A host without brackets and in the one spelling that resolvers and the address guard agree on: `0x7f.1` is 127.0.0.1
/// for a URL and for the C library, so it is here.
pub(crate) fn plain_host(host: &str) -> String {
    match url::Host::parse(host) {
        Ok(url::Host::Ipv6(ip)) => ip.to_string(),
        Ok(host) => host.to_string(),
        Err(_) => host.to_owned(),
    }
}

/// Looks the host up. Half of the time is left for the target.
pub(super) async fn resolve(ctx: &Context, host: &str, port: u16) -> Found {
    let left = ctx.deadline.saturating_duration_since(Instant::now());
    let ctx = Context { deadline: Instant::now() + left / 2, ..ctx.clone() };
    lookup(&ctx, host, port, None).await
}

/// The time for one of several addresses.
fn share(ctx: &Context, rest: usize) -> Context {
    let left = ctx.deadline.saturating_duration_since(Instant::now());
    let share = left / u32::try_from(rest.max(1)).unwrap_or(1);
    Context { deadline: Instant::now() + share, ..ctx.clone() }
}

pub(super) async fn tcp(probes: &Probes, check: &TcpCheck, timeout: Duration, now: Timestamp) -> CheckResult {
    let ctx = probes.context(timeout);
    let host = plain_host(&check.host);
    let found = resolve(&ctx, &host, check.port).await;
    let mut timings = Timings { resolve_us: found.took_us(), ..Timings::default() };
    let sockets: Vec<SocketAddr> = found.sockets(check.port).into_iter().take(ADDRESSES).collect();
    let mut said = found.none.as_ref().map(|none| judge::name(none, &host));
    let (mut address, mut unreachable, mut stood) = (None, false, None);
    for (i, socket) in sockets.iter().enumerate() {
        let answer = probe_tcp::connect(&share(&ctx, sockets.len() - i), &host, *socket).await;
        unreachable = matches!(answer, Observed::Denied(Denial::Unreachable { .. }));
        if let Observed::Present(took) = answer {
            timings.connect_us = Some(micros(took));
            (address, stood, said) = (Some(*socket), Some(took), None);
            break;
        }
        let fresh = judge::fault(&answer, &socket.to_string());
        // A no says more than a question that could not be put.
        if said.as_ref().is_none_or(|before| before.outcome != Outcome::Down) {
            (said, address) = (fresh, Some(*socket));
        }
    }
    if let (None, Some(took), Some(limit)) = (&said, stood, check.degraded_ms)
        && took > Duration::from_millis(limit.into())
    {
        let say = format!("connected in {} ms; slower than {limit} ms", took.as_millis());
        said = Some(Said::degraded(Reason::Slow, say));
    }
    let mut result = result(now, said, || {
        let took = stood.unwrap_or_default().as_secs_f64() * 1e3;
        format!("connected to {}:{} in {took:.1} ms", host, check.port)
    });
    result.timings = timings;
    result.facts.address = address.map(|a| a.ip());
    result.facts.unreachable = unreachable && result.outcome == Outcome::Down;
    result.snapshot.addresses = sorted(found.addresses);
    if result.outcome != Outcome::Up {
        result.evidence = masked(found.observations, &[]);
    }
    result
}

pub(super) async fn tls(
    probes: &Probes,
    check: &TlsCheck,
    connect_to: Option<&str>,
    timeout: Duration,
    now: Timestamp,
) -> CheckResult {
    let ctx = probes.context(timeout);
    let host = plain_host(&check.host);
    let found = resolve(&ctx, &connect_to.map_or_else(|| host.clone(), plain_host), check.port).await;
    let mut timings = Timings { resolve_us: found.took_us(), ..Timings::default() };
    let sockets: Vec<SocketAddr> = found.sockets(check.port).into_iter().take(ADDRESSES).collect();
    let mut said = found.none.as_ref().map(|none| judge::name(none, &host));
    let mut looks = Vec::new();
    let mut shown = None;
    for (i, socket) in sockets.iter().enumerate() {
        let look = probe_tls::look(&share(&ctx, sockets.len() - i), &host, *socket).await;
        let session = look.answer.present().cloned();
        let fresh = judge::fault(&look.answer, &socket.to_string());
        looks.push(look);
        if let Some(session) = session {
            (shown, said) = (Some(session), None);
            break;
        }
        if said.as_ref().is_none_or(|before| before.outcome != Outcome::Down) {
            said = fresh;
        }
    }
    let mut facts = crate::result::Facts::default();
    let mut snapshot = crate::result::Snapshot::default();
    if let Some(session) = shown {
        let judged = session.judged(&ctx.roots, now);
        said = match judged.problem(&host, now) {
            Some(problem) => Some(Said::down(Reason::Certificate, problem.say)),
            None => expiring(&judged, check.certificate_days, now),
        };
        snapshot.protocols = vec![session.version()];
        show_certificate(&mut snapshot, &judged);
        facts.tls = Some((session, judged));
    }
    if let Some(look) = looks.last() {
        facts.address = Some(look.address.ip());
        facts.unreachable = matches!(look.answer, Observed::Denied(Denial::Unreachable { .. }));
        timings.connect_us = look.connect.map(micros);
        timings.tls_us =
            look.answer.present().map(|_| micros(look.took.saturating_sub(look.connect.unwrap_or_default())));
    }
    let mut result = result(now, said, || {
        let until =
            snapshot.certificate_until.map(|at| at.strftime("%Y-%m-%d").to_string()).unwrap_or_default();
        format!("{}, certificate until {until}", snapshot.protocols.join(""))
    });
    snapshot.addresses = sorted(found.addresses);
    (result.timings, result.facts, result.snapshot) = (timings, facts, snapshot);
    if result.outcome != Outcome::Up {
        let mut evidence = found.observations;
        let after = evidence.last().map(|o| o.id.clone());
        evidence.extend(looks.iter().map(|look| look.observation(&ctx, &host, after.clone(), now)));
        result.evidence = masked(evidence, &[]);
    }
    result
}
