//! Ports for servers that take a number, a closed one, and one behind which packets are dropped.

use std::collections::BTreeMap;
use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::time::Duration;

use landfall_ports::Port;
use tokio::net::{TcpSocket, TcpStream};

use crate::error::LabError;

/// A free port on 127.0.0.1 and ::1, TCP and UDP alike, for each name; nobody else's while its value lives.
pub(super) fn choose(names: impl Iterator<Item = String>) -> Result<BTreeMap<String, Port>, LabError> {
    let fail = |source| LabError::Listen { what: "recipe's servers", source };
    names.map(|name| Ok((name, Port::claim().map_err(fail)?))).collect()
}

/// A port that is held and never listens: connections to it are refused. Its UDP port is not held, so that a question
/// there is refused as well.
pub(super) struct Closed {
    pub(super) address: SocketAddr,
    _held: TcpSocket,
}

/// Holds a closed port on a loopback address.
pub(super) fn closed(ip: IpAddr) -> Result<Closed, LabError> {
    let fail = |source| LabError::Listen { what: "closed port", source };
    let held = if ip.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }.map_err(fail)?;
    held.bind((ip, 0).into()).map_err(fail)?;
    Ok(Closed { address: held.local_addr().map_err(fail)?, _held: held })
}

/// A port whose accept queue is full: a SYN gets no answer, as from a firewall that drops it. Its UDP port is bound and
/// never read, so that a question there gets no answer either.
pub(super) struct Silent {
    pub(super) address: SocketAddr,
    _listener: tokio::net::TcpListener,
    _queue: Vec<TcpStream>,
    _udp: UdpSocket,
}

/// How long a connection to a full queue is given before it counts as dropped; on loopback an answer takes microseconds.
const DROPPED: Duration = Duration::from_millis(300);
/// Linux lets one connection more than the backlog into the queue; far more means that the queue never fills.
const MAX_QUEUE: usize = 64;

/// Holds a silent port on a loopback address.
pub(super) async fn silent(ip: IpAddr) -> Result<Silent, LabError> {
    let fail = |source| LabError::Listen { what: "silent port", source };
    let socket = if ip.is_ipv6() { TcpSocket::new_v6() } else { TcpSocket::new_v4() }.map_err(fail)?;
    socket.bind((ip, 0).into()).map_err(fail)?;
    let address = socket.local_addr().map_err(fail)?;
    let udp = UdpSocket::bind(address).map_err(fail)?;
    let listener = socket.listen(0).map_err(fail)?;
    let mut queue = Vec::new();
    while let Ok(Ok(waiting)) = tokio::time::timeout(DROPPED, TcpStream::connect(address)).await {
        queue.push(waiting);
        if queue.len() > MAX_QUEUE {
            return Err(fail(io::Error::other("the accept queue never fills on this system")));
        }
    }
    Ok(Silent { address, _listener: listener, _queue: queue, _udp: udp })
}

/// Whether something listens on a TCP port of loopback, as the system's own table has it: asking by a connection would
/// leave its mark in the server's log. Without such a table a connection is tried.
pub(super) fn listens(port: u16) -> bool {
    let table = |file: &str| std::fs::read_to_string(file).ok();
    let Some(v4) = table("/proc/net/tcp") else {
        let at = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        return std::net::TcpStream::connect_timeout(&at, Duration::from_secs(1)).is_ok();
    };
    let v6 = table("/proc/net/tcp6").unwrap_or_default();
    // Columns: number, local address as HEX:HEXPORT, remote address, state; 0A is LISTEN (Linux, net/tcp_states.h).
    let wanted = format!(":{port:04X}");
    v4.lines().chain(v6.lines()).any(|line| {
        let mut words = line.split_whitespace().skip(1);
        words.next().is_some_and(|local| local.ends_with(&wanted)) && words.nth(1) == Some("0A")
    })
}

#[cfg(test)]
mod tests {
    use std::net::Ipv6Addr;

    use super::*;

    #[tokio::test]
    async fn closed_refuses_silent_drops_and_the_table_tells_who_listens() {
        for ip in [IpAddr::from(Ipv4Addr::LOCALHOST), IpAddr::from(Ipv6Addr::LOCALHOST)] {
            let closed = closed(ip).expect("held");
            let error = TcpStream::connect(closed.address).await.expect_err("nobody listens");
            assert_eq!(error.kind(), io::ErrorKind::ConnectionRefused);
            assert!(!listens(closed.address.port()));
            let silent = silent(ip).await.expect("held");
            let answer =
                tokio::time::timeout(Duration::from_millis(700), TcpStream::connect(silent.address)).await;
            assert!(answer.is_err(), "{answer:?}");
            assert!(listens(silent.address.port()));
        }
    }
}
