//! Listeners on loopback, always on a port that the system chooses.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use tokio::net::TcpListener;

use crate::error::LabError;

/// The loopback address that stands in for `public`: of the same family, or IPv4 on a machine without IPv6.
pub(crate) async fn loopback_for(public: IpAddr) -> IpAddr {
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    if public.is_ipv6() && TcpListener::bind((v6, 0)).await.is_ok() {
        v6
    } else {
        IpAddr::V4(Ipv4Addr::LOCALHOST)
    }
}

/// A TCP listener on any port.
pub(crate) async fn tcp(ip: IpAddr, what: &'static str) -> Result<TcpListener, LabError> {
    TcpListener::bind((ip, 0)).await.map_err(|source| LabError::Listen { what, source })
}

/// How often a port that is free for TCP but taken for UDP is given back for another one.
const PAIR_TRIES: usize = 64;

/// A TCP listener and a UDP socket on one port: HTTP/3 is offered on the port of HTTP/2, and DNS answers on both.
pub(crate) async fn tcp_and_udp(
    ip: IpAddr,
    what: &'static str,
) -> Result<(TcpListener, UdpSocket), LabError> {
    let fail = |source| LabError::Listen { what, source };
    let mut last = io::Error::from(io::ErrorKind::AddrInUse);
    for _ in 0..PAIR_TRIES {
        let tcp = tcp(ip, what).await?;
        match UdpSocket::bind(tcp.local_addr().map_err(fail)?) {
            Ok(udp) => {
                udp.set_nonblocking(true).map_err(fail)?;
                return Ok((tcp, udp));
            }
            Err(error) => last = error,
        }
    }
    Err(fail(last))
}

/// A port that refuses connections for as long as the value lives: bound, and never listening.
pub(crate) struct Refusing {
    /// Where connections are refused.
    pub(crate) address: SocketAddr,
    _held: tokio::net::TcpSocket,
}

/// Holds a port on which nothing listens.
pub(crate) fn refusing(what: &'static str) -> Result<Refusing, LabError> {
    let fail = |source| LabError::Listen { what, source };
    let held = tokio::net::TcpSocket::new_v4().map_err(fail)?;
    held.bind((Ipv4Addr::LOCALHOST, 0).into()).map_err(fail)?;
    Ok(Refusing { address: held.local_addr().map_err(fail)?, _held: held })
}
