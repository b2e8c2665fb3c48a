//! TCP connections, and the sorting of everything that can go wrong on a socket.

use std::future::Future;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::{Duration, Instant};

use landfall_evidence::{Denial, Observed, Phase, ProbeFault, Silence};
use tokio::net::TcpStream;

use crate::net::Context;

/// Why an exchange ended without its answer: the three outcomes of [`Observed`] that are not `Present`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Fault {
    /// The target's side said no.
    Denied(Denial),
    /// Nothing came back in time.
    Silent(Silence),
    /// Our side could not ask.
    Unasked(ProbeFault),
}

impl Fault {
    /// The outcome as an observation holds it.
    pub(crate) fn into_observed<T>(self) -> Observed<T> {
        match self {
            Self::Denied(denial) => Observed::Denied(denial),
            Self::Silent(silence) => Observed::Silent(silence),
            Self::Unasked(fault) => Observed::Unasked(fault),
        }
    }

    /// A silence of `waited` in `phase`.
    pub(crate) fn silent(phase: Phase, waited: Duration) -> Self {
        Self::Silent(Silence { phase, waited_us: micros(waited) })
    }

    /// A fault of our own.
    pub(crate) fn local(detail: impl Into<String>) -> Self {
        Self::Unasked(ProbeFault::Local { detail: detail.into() })
    }

    /// Sorts an error of the operating system. `to` is where the packets really went, `since` when the phase began.
    ///
    /// ENETUNREACH and EHOSTUNREACH come both from our own routing table and from a router's ICMP message. The two are
    /// told apart by the routing table itself, which a connected UDP socket consults without sending anything.
    pub(crate) fn from_io(error: &io::Error, phase: Phase, to: SocketAddr, since: Instant) -> Self {
        use io::ErrorKind as Kind;
        match error.kind() {
            Kind::ConnectionRefused => Self::Denied(Denial::Refused),
            Kind::ConnectionReset | Kind::ConnectionAborted => Self::Denied(Denial::Reset { phase }),
            Kind::UnexpectedEof | Kind::BrokenPipe | Kind::NotConnected | Kind::WriteZero => {
                Self::Denied(Denial::Closed { phase })
            }
            Kind::TimedOut => Self::silent(phase, since.elapsed()),
            Kind::NetworkUnreachable | Kind::HostUnreachable if has_route(to) => {
                Self::Denied(Denial::Unreachable { detail: error.to_string() })
            }
            Kind::NetworkUnreachable | Kind::HostUnreachable | Kind::AddrNotAvailable => Self::no_route(to),
            _ if rustix::io::Errno::from_io_error(error) == Some(rustix::io::Errno::AFNOSUPPORT) => {
                Self::no_route(to)
            }
            _ => Self::local(error.to_string()),
        }
    }

    fn no_route(to: SocketAddr) -> Self {
        let family = if to.is_ipv4() { "IPv4" } else { "IPv6" };
        Self::Unasked(ProbeFault::NoRoute { family: family.to_owned() })
    }
}

/// Runs one phase within its limit and the audit's deadline.
///
/// # Errors
/// [`Fault::Silent`] when the phase's own limit passed. When the audit's deadline cut the phase short, the target was
/// not given its time, so that is [`ProbeFault::DeadlineSpent`] and not a silence.
pub(crate) async fn within<T>(
    ctx: &Context,
    phase: Phase,
    limit: Duration,
    work: impl Future<Output = T>,
) -> Result<T, Fault> {
    let allowed = ctx.within(limit);
    if allowed.is_zero() {
        return Err(if ctx.deadline_counts {
            Fault::silent(phase, Duration::ZERO)
        } else {
            Fault::Unasked(ProbeFault::DeadlineSpent)
        });
    }
    match tokio::time::timeout(allowed, work).await {
        Ok(value) => Ok(value),
        Err(_) if ctx.deadline_counts => Err(Fault::silent(phase, allowed)),
        Err(_) if allowed < limit => Err(Fault::Unasked(ProbeFault::DeadlineSpent)),
        Err(_) => Err(Fault::silent(phase, limit)),
    }
}

/// Refuses an address that may not be asked. `host` is what the address was found for.
///
/// Called with the very address that is connected to next, so nothing can change between the question and the act.
pub(crate) fn guard(ctx: &Context, host: &str, address: SocketAddr) -> Result<(), Fault> {
    ctx.egress.allows(address.ip()).or_else(|why| {
        // Where the address map leads is the operator's own word.
        if ctx.map.diverted(address).is_some() || ctx.map.leads(host, address) {
            return Ok(());
        }
        Err(Fault::Unasked(ProbeFault::Forbidden { address: address.ip(), why }))
    })
}

/// Connects to `address` of `host`, led by the address map, within the connect limit. Nagle's algorithm is off, because
/// requests are small and every one is waited for.
pub(crate) async fn tcp(ctx: &Context, host: &str, address: SocketAddr) -> Result<TcpStream, Fault> {
    guard(ctx, host, address)?;
    let real = ctx.map.address(address);
    let since = Instant::now();
    let stream = within(ctx, Phase::Connect, ctx.limits.connect, TcpStream::connect(real))
        .await?
        .map_err(|error| Fault::from_io(&error, Phase::Connect, real, since))?;
    stream.set_nodelay(true).map_err(|error| Fault::from_io(&error, Phase::Connect, real, since))?;
    Ok(stream)
}

/// A duration in whole microseconds.
pub(crate) fn micros(duration: Duration) -> u64 {
    u64::try_from(duration.as_micros()).unwrap_or(u64::MAX)
}

/// Whether this machine's routing table has a way to the address. Sends nothing.
fn has_route(to: SocketAddr) -> bool {
    let any: SocketAddr =
        if to.is_ipv4() { (Ipv4Addr::UNSPECIFIED, 0).into() } else { (Ipv6Addr::UNSPECIFIED, 0).into() };
    std::net::UdpSocket::bind(any).and_then(|socket| socket.connect(to)).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::test_context;

    fn sorted(kind: io::ErrorKind) -> Fault {
        Fault::from_io(&kind.into(), Phase::Wait, ([127, 0, 0, 1], 9).into(), Instant::now())
    }

    #[test]
    fn errors_of_the_system_are_sorted_by_who_is_at_fault() {
        assert_eq!(sorted(io::ErrorKind::ConnectionRefused), Fault::Denied(Denial::Refused));
        assert_eq!(
            sorted(io::ErrorKind::ConnectionReset),
            Fault::Denied(Denial::Reset { phase: Phase::Wait })
        );
        assert_eq!(
            sorted(io::ErrorKind::UnexpectedEof),
            Fault::Denied(Denial::Closed { phase: Phase::Wait })
        );
        assert!(matches!(sorted(io::ErrorKind::TimedOut), Fault::Silent(Silence { phase: Phase::Wait, .. })));
        assert!(matches!(sorted(io::ErrorKind::PermissionDenied), Fault::Unasked(ProbeFault::Local { .. })));
        // Loopback always has a route, so this can only have been a router's word.
        assert!(matches!(sorted(io::ErrorKind::HostUnreachable), Fault::Denied(Denial::Unreachable { .. })));
        let no_family = io::Error::from_raw_os_error(rustix::io::Errno::AFNOSUPPORT.raw_os_error());
        let fault =
            Fault::from_io(&no_family, Phase::Connect, "[::1]:9".parse().expect("valid"), Instant::now());
        assert_eq!(fault, Fault::Unasked(ProbeFault::NoRoute { family: "IPv6".into() }));
    }

    #[tokio::test]
    async fn a_closed_port_refuses() {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
        let address = listener.local_addr().expect("bound");
        drop(listener);
        let fault = tcp(&test_context(), "127.0.0.1", address).await.expect_err("nothing listens");
        assert_eq!(fault, Fault::Denied(Denial::Refused));
    }

    #[tokio::test]
    async fn the_map_leads_the_connection() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let mut ctx = test_context();
        let mut map = crate::net::AddressMap::default();
        map.add(&format!("192.0.2.1:443:127.0.0.1:{port}")).expect("valid");
        ctx.map = map.into();
        let stream =
            tcp(&ctx, "192.0.2.1", "192.0.2.1:443".parse().expect("valid")).await.expect("led to loopback");
        assert_eq!(stream.peer_addr().expect("connected").port(), port);
    }

    #[tokio::test(start_paused = true)]
    async fn a_phase_that_runs_out_is_silent_and_a_spent_deadline_is_ours() {
        let mut ctx = test_context();
        let limit = Duration::from_secs(1);
        let fault =
            within(&ctx, Phase::Tls, limit, std::future::pending::<()>()).await.expect_err("never ends");
        assert_eq!(fault, Fault::silent(Phase::Tls, limit));

        ctx.deadline = Instant::now();
        let fault = within(&ctx, Phase::Tls, limit, std::future::pending::<()>()).await.expect_err("no time");
        assert_eq!(fault, Fault::Unasked(ProbeFault::DeadlineSpent));
    }
}
