//! Ports: free ones for servers that take a number, closed ones, and ones behind which nobody accepts.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::time::Duration;

use socket2::{Domain, SockAddr, Socket, Type};

/// Ports that were free a moment ago on 127.0.0.1 and ::1, for TCP and UDP alike. Somebody else may take one before the
/// server does, so whoever hands them to a server tries again with new ones (see `process::start`).
pub(crate) fn free<const N: usize>() -> [u16; N] {
    // All stay held until the last one is found, so that no number comes twice.
    let mut held = Vec::new();
    std::array::from_fn(|_| {
        for _ in 0..100 {
            let tcp = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback has a free port");
            let port = tcp.local_addr().expect("it is bound").port();
            let rest = (
                TcpListener::bind((Ipv6Addr::LOCALHOST, port)),
                UdpSocket::bind((Ipv4Addr::LOCALHOST, port)),
                UdpSocket::bind((Ipv6Addr::LOCALHOST, port)),
            );
            if let (Ok(tcp6), Ok(udp), Ok(udp6)) = rest {
                held.push((tcp, tcp6, udp, udp6));
                return port;
            }
        }
        panic!("no port is free on both 127.0.0.1 and ::1; the tests need IPv6 on loopback");
    })
}

/// A port that refuses connections for as long as this value lives: bound, so that nobody else gets it, and not listening.
pub(crate) struct Closed(Socket);

impl Closed {
    pub(crate) fn new() -> Self {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        socket.bind(&any.into()).expect("loopback has a free port");
        Self(socket)
    }

    pub(crate) fn address(&self) -> SocketAddr {
        address(&self.0)
    }
}

/// A port whose accept queue is full: a SYN gets no answer, as from a firewall that drops it.
pub(crate) struct Full {
    listener: Socket,
    _queue: Vec<TcpStream>,
}

impl Full {
    pub(crate) fn new() -> Self {
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).expect("a socket");
        let any: SocketAddr = (Ipv4Addr::LOCALHOST, 0).into();
        listener.bind(&SockAddr::from(any)).expect("loopback has a free port");
        listener.listen(0).expect("it listens");
        let to = address(&listener);
        let mut queue = Vec::new();
        // Linux lets one connection more than the backlog into the queue; then it drops SYNs.
        while let Ok(waiting) = TcpStream::connect_timeout(&to, Duration::from_millis(500)) {
            queue.push(waiting);
            assert!(queue.len() < 64, "the accept queue never fills");
        }
        Self { listener, _queue: queue }
    }

    pub(crate) fn address(&self) -> SocketAddr {
        address(&self.listener)
    }
}

fn address(socket: &Socket) -> SocketAddr {
    socket.local_addr().expect("it is bound").as_socket().expect("it is an IP socket")
}
