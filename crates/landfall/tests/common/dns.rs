//! Name servers: the zone example.test, served by BIND alone, or by NSD with BIND as the recursive server in front.
//!
//! BIND holds a root zone of its own in which nothing but example.test is delegated, so that no question about any name
//! ever leaves this machine.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::Path;
use std::time::Duration;

use super::process::{Program, Server, accepts, command, on_free_ports, write};

const BIND: Program = Program { name: "named", package: "bind9" };
const NSD: Program = Program { name: "nsd", package: "nsd" };

/// The zone's only server, at a documentation address (RFC 5737).
pub(crate) const SERVER: &str = "192.0.2.53";
/// What api.example.test resolves to (RFC 5737, RFC 3849).
pub(crate) const API: &str = "192.0.2.10";
pub(crate) const API6: &str = "2001:db8::10";

/// Which records the zone has.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Records {
    /// api.example.test over both families, and app.example.test, which leads to the same server.
    Both,
    /// api.example.test over IPv4 alone.
    V4,
    /// No api.example.test; another host is there.
    NoApi,
    /// No api.example.test; it was made with the zone's name appended to its own.
    Doubled,
    /// api.example.test is an alias of a name that does not exist.
    Dangling,
    /// api.example.test is an alias of an alias of itself.
    Loop,
    /// api.example.test is an alias of a name in a zone of somebody else, as platforms want it.
    Alias,
}

/// The zone, served.
pub(crate) struct Zone {
    /// The recursive server, for `--resolver`.
    pub(crate) resolver: SocketAddr,
    /// The server that has authority, for `--connect-to`.
    pub(crate) authority: SocketAddr,
    servers: Vec<Server>,
}

impl Zone {
    /// BIND alone: recursive and authoritative.
    pub(crate) fn bind(folder: &Path, records: Records) -> Self {
        let zone = "type primary; file \"example.test.zone\";";
        let (resolver, server) = bind(folder, zone, records);
        Self { resolver, authority: resolver, servers: vec![server] }
    }

    /// NSD with the zone, and BIND, which has to ask it.
    pub(crate) fn nsd(folder: &Path, records: Records) -> Self {
        let (authority, nsd) = nsd(folder, records);
        let zone = format!(
            "type forward; forward only; forwarders {{ {} port {}; }};",
            authority.ip(),
            authority.port()
        );
        let (resolver, bind) = bind(folder, &zone, records);
        Self { resolver, authority, servers: vec![bind, nsd] }
    }

    /// Ends the server that has authority; the recursive one stays.
    pub(crate) fn lose_authority(&mut self) {
        assert_eq!(self.servers.len(), 2, "the two are one server here");
        self.servers.truncate(1);
    }
}

fn bind(folder: &Path, zone: &str, records: Records) -> (SocketAddr, Server) {
    let folder = made(folder, "bind");
    write(&folder, "example.test.zone", &master_file(records));
    write(
        &folder,
        "root.zone",
        &format!(
            "$TTL 300\n. SOA ns.root-servers.test. hostmaster.root-servers.test. 1 3600 600 86400 60\n\
             . NS ns.root-servers.test.\nns.root-servers.test. A 192.0.2.1\n\
             example.test. NS ns1.example.test.\nns1.example.test. A {SERVER}\n\
             platform.test. NS ns1.example.test.\n"
        ),
    );
    write(
        &folder,
        "platform.test.zone",
        &format!(
            "$ORIGIN platform.test.\n$TTL 300\n@ SOA ns1.example.test. hostmaster.platform.test. 1 3600 600 86400 60\n\
             @ NS ns1.example.test.\napp A {API}\napp AAAA {API6}\n"
        ),
    );
    on_free_ports(|[port]| {
        let place = folder.display();
        let config = write(
            &folder,
            "named.conf",
            &format!(
                "options {{ directory \"{place}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
                 recursion yes; allow-query {{ any; }}; allow-recursion {{ any; }}; dnssec-validation no;\n\
                 empty-zones-enable no; notify no; pid-file none; session-keyfile none; }};\n\
                 controls {{ }};\n\
                 zone \".\" {{ type primary; file \"root.zone\"; }};\n\
                 zone \"platform.test\" {{ type primary; file \"platform.test.zone\"; }};\n\
                 zone \"example.test\" {{ {zone} }};\n"
            ),
        );
        let mut named = command(BIND);
        named.args(["-g", "-4", "-n", "1", "-c", &config]);
        let at = (Ipv4Addr::LOCALHOST, port).into();
        let server = Server::start(BIND, named, folder.join("log"), |_| accepts(at) && knows_zone(at))?;
        Ok((at, server))
    })
}

fn nsd(folder: &Path, records: Records) -> (SocketAddr, Server) {
    let folder = made(folder, "nsd");
    write(&folder, "example.test.zone", &master_file(records));
    on_free_ports(|[port]| {
        let place = folder.display();
        let config = write(
            &folder,
            "nsd.conf",
            &format!(
                "server:\n  ip-address: 127.0.0.1@{port}\n  port: {port}\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{place}\"\n\
                 \x20 database: \"\"\n  pidfile: \"\"\n  xfrdfile: \"{place}/xfrd.state\"\n  xfrdir: \"{place}\"\n  zonelistfile: \"{place}/zone.list\"\n\
                 \x20 server-count: 1\n  do-ip6: no\n  rrl-ratelimit: 0\n\
                 remote-control:\n  control-enable: no\n\
                 zone:\n  name: example.test\n  zonefile: example.test.zone\n"
            ),
        );
        let mut nsd = command(NSD);
        nsd.args(["-d", "-c", &config]);
        let at = (Ipv4Addr::LOCALHOST, port).into();
        let server = Server::start(NSD, nsd, folder.join("log"), |_| accepts(at) && knows_zone(at))?;
        Ok((at, server))
    })
}

fn made(folder: &Path, name: &str) -> std::path::PathBuf {
    let folder = folder.join(name);
    std::fs::create_dir(&folder).expect("a folder is made");
    folder
}

fn master_file(records: Records) -> String {
    let api = match records {
        Records::Both => format!("api A {API}\napi AAAA {API6}\napp A {API}\n"),
        Records::V4 => format!("api A {API}\n"),
        Records::NoApi => "www A 192.0.2.20\n".to_owned(),
        Records::Doubled => "api.example.test A 192.0.2.77\n".to_owned(),
        Records::Dangling => "api CNAME gone\n".to_owned(),
        Records::Alias => "api CNAME app.platform.test.\n".to_owned(),
        Records::Loop => "api CNAME again\nagain CNAME api\n".to_owned(),
    };
    format!(
        "$ORIGIN example.test.\n$TTL 300\n@ SOA ns1 hostmaster 2026010101 3600 600 86400 60\n@ NS ns1\nns1 A {SERVER}\n{api}"
    )
}

/// Whether the server answers the SOA of the zone: it may listen before its zones are loaded.
fn knows_zone(server: SocketAddr) -> bool {
    let mut query = vec![0x4c, 0x46, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    query.extend(b"\x07example\x04test\x00\x00\x06\x00\x01");
    let ask = || -> std::io::Result<Vec<u8>> {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        socket.send_to(&query, server)?;
        let mut answer = vec![0; 512];
        let length = socket.recv(&mut answer)?;
        answer.truncate(length);
        Ok(answer)
    };
    // RFC 1035 section 4.1.1: the response code is the low half of the fourth byte, the answer count bytes 6 and 7.
    ask().is_ok_and(|answer| answer.len() > 12 && answer[3] & 0x0f == 0 && answer[7] > 0)
}
