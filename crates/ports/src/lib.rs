//! Ports on loopback for servers that take a number, claimed so that nobody takes one between its choice and the start of
//! its server. To bind port 0, read the number and let go is such a gap: the system hands the same number to the next
//! who asks, which is what a machine full of tests does.

use std::fs::{File, OpenOptions, Permissions};
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket};
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::sync::atomic::{AtomicU32, Ordering};

/// Below the range that systems hand out by themselves: 32768 and up on Linux (ip(7), `ip_local_port_range`), 49152 and
/// up by RFC 6335 section 6. No outgoing connection and no binding of port 0 comes here.
const FROM: u16 = 15_000;
const COUNT: u16 = 17_000;

/// Claims so far; by process and claim the search begins elsewhere, so that two seldom want the same port.
static CLAIMS: AtomicU32 = AtomicU32::new(0);

/// A port on 127.0.0.1 and ::1, TCP and UDP alike, that nobody listened on when it was claimed, and that nobody else who
/// claims gets while this value lives, in no process of this machine.
#[derive(Debug)]
pub struct Port {
    number: u16,
    // The lock lives as long as the file is open here; children do not inherit it (close on exec).
    _lock: File,
}

impl Port {
    /// Claims a free port. Errors: all 17,000 are taken (`AddrInUse`), or the folder of the locks cannot be made.
    pub fn claim() -> io::Result<Self> {
        let folder = std::env::temp_dir().join("landfall-ports");
        if !folder.is_dir() {
            std::fs::create_dir_all(&folder)?;
            // Every user of the machine claims here, as in the folder around it.
            std::fs::set_permissions(&folder, Permissions::from_mode(0o1777))?;
        }
        let claim = CLAIMS.fetch_add(1, Ordering::Relaxed).wrapping_mul(7_919);
        let first = claim.wrapping_add(std::process::id().wrapping_mul(104_729));
        let first = usize::try_from(first).map_or(0, |first| first % usize::from(COUNT));
        let all = FROM..FROM + COUNT;
        all.clone()
            .chain(all)
            .skip(first)
            .take(usize::from(COUNT))
            .find_map(|number| Self::take(&folder, number))
            .ok_or_else(|| io::Error::from(io::ErrorKind::AddrInUse))
    }

    /// Its number.
    pub fn number(&self) -> u16 {
        self.number
    }

    fn take(folder: &Path, number: u16) -> Option<Self> {
        let file = folder.join(number.to_string());
        let lock = OpenOptions::new().create(true).truncate(false).write(true).open(file).ok()?;
        lock.try_lock().ok()?;
        is_free(number).then_some(Self { number, _lock: lock })
    }
}

/// A free port that stays claimed to the end of this process: for a test, which starts few servers. Panics where
/// [`Port::claim`] fails.
pub fn claimed() -> u16 {
    let port = Port::claim().unwrap_or_else(|e| panic!("a free port on loopback: {e}"));
    let number = port.number();
    std::mem::forget(port);
    number
}

fn is_free(port: u16) -> bool {
    let v4 = IpAddr::V4(Ipv4Addr::LOCALHOST);
    let v6 = IpAddr::V6(Ipv6Addr::LOCALHOST);
    // A machine without IPv6 has no such address at all, which is not a port in use.
    let in_use = |e: &io::Error| e.kind() == io::ErrorKind::AddrInUse;
    TcpListener::bind((v4, port)).is_ok()
        && UdpSocket::bind((v4, port)).is_ok()
        && !TcpListener::bind((v6, port)).as_ref().is_err_and(in_use)
        && !UdpSocket::bind((v6, port)).as_ref().is_err_and(in_use)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    #[test]
    fn a_claimed_port_is_nobody_else_s_until_it_is_let_go() {
        let ports: Vec<Port> = (0..50).map(|_| Port::claim().expect("free")).collect();
        let numbers: BTreeSet<u16> = ports.iter().map(Port::number).collect();
        assert_eq!(numbers.len(), 50, "each its own");
        assert!(numbers.iter().all(|n| (FROM..FROM + COUNT).contains(n)));
        let folder = std::env::temp_dir().join("landfall-ports");
        let first = ports[0].number();
        assert!(Port::take(&folder, first).is_none(), "held, though nobody listens");
        drop(ports);
        let again = Port::take(&folder, first).expect("let go");
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, first)).expect("free for its server");
        drop(again);
        assert!(Port::take(&folder, first).is_none(), "somebody listens who claimed nothing");
        drop(listener);
    }
}
