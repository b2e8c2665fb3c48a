//! A small DNS of its own on loopback: a signed root and `test.`, the zone `shop.test.` on real servers, and a validating
//! Unbound in front. No question about any name ever leaves this machine: Unbound is told of every zone by its port.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process::{Program, Server, accepts, command, on_free_ports, write};

const BIND: Program = Program { name: "named", package: "bind9" };
const NSD: Program = Program { name: "nsd", package: "nsd" };
const KNOT: Program = Program { name: "knotd", package: "knot" };
const UNBOUND: Program = Program { name: "unbound", package: "unbound" };
const KEYGEN: Program = Program { name: "dnssec-keygen", package: "bind9-utils" };
const SIGNZONE: Program = Program { name: "dnssec-signzone", package: "bind9-utils" };

/// The zone under test, and the host in it.
pub(crate) const ZONE: &str = "shop.test";
pub(crate) const HOST: &str = "api.shop.test";
/// Where the root and `test.` are served (RFC 5737).
pub(crate) const PARENT: &str = "192.0.2.1";
/// Where the name servers of the zone are.
pub(crate) const NS1: &str = "192.0.2.53";
pub(crate) const NS2: &str = "198.51.100.54";

/// Addresses at which nothing is.
const NOBODY: [&str; 2] = ["203.0.113.9", "10.1.2.3"];

/// A program that serves a zone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Nsd,
    Bind,
    Knot,
}

/// How a zone is signed.
#[derive(Debug, Clone)]
pub(crate) struct Signing {
    pub(crate) algorithm: &'static str,
    /// As dnssec-signzone has it: `now-1h`.
    pub(crate) from: &'static str,
    pub(crate) until: &'static str,
    /// Iterations of NSEC3; NSEC without.
    pub(crate) nsec3: Option<u16>,
}

impl Default for Signing {
    fn default() -> Self {
        Self { algorithm: "ECDSAP256SHA256", from: "now-1h", until: "now+30d", nsec3: None }
    }
}

/// What `test.` publishes of the zone.
#[derive(Debug, Clone)]
pub(crate) enum Ds {
    /// The DS record of the zone's key.
    Right,
    /// That of a key that the zone does not have.
    Other,
    None,
}

/// One server of the zone.
#[derive(Debug, Clone)]
pub(crate) struct Serve {
    pub(crate) kind: Kind,
    /// The zone as this server has it; `None` makes it lame.
    pub(crate) records: Option<String>,
    /// Lines for the server's own configuration of the zone.
    pub(crate) options: String,
}

/// The zone under test.
pub(crate) struct Setup {
    pub(crate) first: Serve,
    pub(crate) second: Serve,
    pub(crate) signing: Option<Signing>,
    pub(crate) ds: Ds,
    /// The delegation in `test.`, and whatever else is to stand there.
    pub(crate) delegation: String,
    /// Bytes changed in the signed zone: text to find, text to put.
    pub(crate) forged: Option<(&'static str, &'static str)>,
    /// Lines for Unbound's `server:` section.
    pub(crate) resolver: String,
}

/// The records of a zone without fault.
pub(crate) const RECORDS: &str = "\
@ SOA ns1 hostmaster 2026010101 14400 3600 604800 300
@ NS ns1
@ NS ns2
@ A 192.0.2.10
@ CAA 0 issue \"ca.test\"
ns1 A 192.0.2.53
ns2 A 198.51.100.54
api A 192.0.2.10
api AAAA 2001:db8::10
";

pub(crate) const DELEGATION: &str = "\
shop NS ns1.shop
shop NS ns2.shop
ns1.shop A 192.0.2.53
ns2.shop A 198.51.100.54
";

impl Default for Setup {
    fn default() -> Self {
        let serve = |kind| Serve { kind, records: Some(RECORDS.to_owned()), options: String::new() };
        Self {
            first: serve(Kind::Nsd),
            second: serve(Kind::Knot),
            signing: None,
            ds: Ds::None,
            delegation: DELEGATION.to_owned(),
            forged: None,
            resolver: String::new(),
        }
    }
}

impl Setup {
    /// Signed as it should be.
    pub(crate) fn signed() -> Self {
        Self { signing: Some(Signing::default()), ds: Ds::Right, ..Self::default() }
    }

    /// The same records at both servers.
    pub(crate) fn with(mut self, records: &str) -> Self {
        self.first.records = Some(records.to_owned());
        self.second.records = Some(records.to_owned());
        self
    }
}

/// The world, up.
pub(crate) struct World {
    pub(crate) resolver: SocketAddr,
    pub(crate) parent: SocketAddr,
    pub(crate) first: SocketAddr,
    pub(crate) second: SocketAddr,
    /// The root's DNSKEY record, as trust anchor.
    pub(crate) anchor: PathBuf,
    folder: tempfile::TempDir,
    _servers: Vec<Server>,
}

impl World {
    pub(crate) fn up(setup: &Setup) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let place = folder.path();
        let mut ds = None;
        let mut zone = |serve: &Serve, name: &str| {
            serve.records.as_ref().map(|records| {
                let place = made(place, name);
                let text = format!("$ORIGIN {ZONE}.\n$TTL 300\n{records}");
                match &setup.signing {
                    None => write(&place, "zone", &text).into(),
                    Some(how) => {
                        let (signed, record) =
                            sign(&place, &keys(folder.path(), ZONE, how), ZONE, &text, how);
                        ds.get_or_insert(record);
                        if let Some((from, to)) = setup.forged {
                            let text = std::fs::read_to_string(&signed).expect("it was written");
                            assert!(text.contains(from), "{from} is in the zone:\n{text}");
                            std::fs::write(&signed, text.replace(from, to)).expect("it can be written");
                        }
                        signed
                    }
                }
            })
        };
        let (one, two) = (zone(&setup.first, "first"), zone(&setup.second, "second"));
        let ds = match setup.ds {
            Ds::None => String::new(),
            Ds::Right => ds.expect("the zone is signed"),
            Ds::Other => {
                let how = Signing::default();
                let place = made(place, "other");
                let text = format!("$ORIGIN {ZONE}.\n$TTL 300\n{RECORDS}");
                sign(&place, &keys(&place, ZONE, &how), ZONE, &text, &how).1
            }
        };
        let (parent, anchor, above) = parent(place, &format!("{}{ds}\n", setup.delegation));
        // `PARENT` in the options of a server is the port of the root's server.
        let options = |serve: &Serve| serve.options.replace("PARENT", &parent.port().to_string());
        let (first, server) = serve(place, "first", setup.first.kind, &[(ZONE, one)], &options(&setup.first));
        let mut servers = vec![above, server];
        let (second, server) =
            serve(place, "second", setup.second.kind, &[(ZONE, two)], &options(&setup.second));
        servers.push(server);
        let (resolver, server) = unbound(place, &anchor, parent, [first, second], &setup.resolver);
        servers.push(server);
        Self { resolver, parent, first, second, anchor, folder, _servers: servers }
    }

    /// Address map entries that lead the public addresses to the servers, and those at which nobody is to a port of this
    /// machine at which nobody is: nothing leaves it.
    pub(crate) fn map(&self) -> Vec<String> {
        let nobody: SocketAddr = (Ipv4Addr::LOCALHOST, 9).into();
        let led = [(PARENT, self.parent), (NS1, self.first), (NS2, self.second)];
        led.into_iter()
            .chain(NOBODY.map(|address| (address, nobody)))
            .map(|(public, real)| format!("{public}:53:{}:{}", real.ip(), real.port()))
            .collect()
    }

    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }
}

fn made(folder: &Path, name: &str) -> PathBuf {
    let folder = folder.join(name);
    std::fs::create_dir_all(&folder).expect("a folder is made");
    folder
}

/// A key of the zone, made once a folder.
fn keys(folder: &Path, zone: &str, how: &Signing) -> PathBuf {
    let place = folder.join(format!("keys-{zone}"));
    if !place.exists() {
        let place = made(folder, &format!("keys-{zone}"));
        let mut keygen = command(KEYGEN);
        keygen.arg("-q").arg("-K").arg(&place).args(["-a", how.algorithm, "-f", "KSK"]);
        if how.algorithm.starts_with("RSA") {
            keygen.args(["-b", "1024"]);
        }
        run(keygen.arg(zone), KEYGEN);
    }
    place
}

/// Signs with one key; gives the file and the DS record.
fn sign(folder: &Path, keys: &Path, zone: &str, text: &str, how: &Signing) -> (PathBuf, String) {
    let plain = write(folder, "plain", text);
    let signed = folder.join("signed");
    let mut signzone = command(SIGNZONE);
    // One key for everything (-z), and no verification afterwards (-P): some zones are broken on purpose.
    signzone
        .current_dir(folder)
        .args(["-S", "-z", "-P", "-O", "full", "-o", zone, "-s", how.from, "-e", how.until]);
    if let Some(iterations) = how.nsec3 {
        signzone.args(["-3", "-", "-H", &iterations.to_string()]);
    }
    run(signzone.arg("-K").arg(keys).arg("-f").arg(&signed).arg(plain), SIGNZONE);
    let ds = std::fs::read_to_string(folder.join(format!("dsset-{}.", zone.trim_end_matches('.'))))
        .expect("the DS record is written");
    (signed, ds)
}

fn run(command: &mut std::process::Command, program: Program) {
    let output = command.output().unwrap_or_else(|e| {
        panic!("{} cannot be run ({e}); apt-get install {}", program.name, program.package)
    });
    let said = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{}: {said}", program.name);
}

/// The root and `test.`, both signed, on one NSD.
fn parent(folder: &Path, delegation: &str) -> (SocketAddr, PathBuf, Server) {
    let how = Signing::default();
    let soa = "SOA ns.test. hostmaster.test. 1 14400 3600 604800 300";
    let test = format!("$ORIGIN test.\n$TTL 300\n@ {soa}\n@ NS ns.test.\nns A {PARENT}\n{delegation}");
    let (test, ds) = sign(&made(folder, "test"), &keys(folder, "test", &how), "test", &test, &how);
    let root = format!(
        "$ORIGIN .\n$TTL 300\n@ {soa}\n@ NS ns.test.\ntest. NS ns.test.\nns.test. A {PARENT}\n{ds}\n"
    );
    let keys = keys(folder, ".", &how);
    let (root, _) = sign(&made(folder, "root"), &keys, ".", &root, &how);
    let public = std::fs::read_dir(&keys)
        .expect("keys")
        .flatten()
        .find(|f| f.path().extension().is_some_and(|e| e == "key"));
    let (at, server) = serve(folder, "parent", Kind::Nsd, &[(".", Some(root)), ("test", Some(test))], "");
    (at, public.expect("a public key").path(), server)
}

/// A server with zones; a zone without a file is not there.
fn serve(
    folder: &Path,
    name: &str,
    kind: Kind,
    zones: &[(&str, Option<PathBuf>)],
    options: &str,
) -> (SocketAddr, Server) {
    let place = made(folder, &format!("{name}-server"));
    let held: Vec<(&str, String)> =
        zones.iter().filter_map(|(zone, file)| Some((*zone, file.as_ref()?.display().to_string()))).collect();
    on_free_ports(|[port]| {
        let (program, command) = match kind {
            Kind::Nsd => (NSD, nsd(&place, port, &held, options)),
            Kind::Bind => (BIND, bind(&place, port, &held, options)),
            Kind::Knot => (KNOT, knot(&place, port, &held, options)),
        };
        let at = (Ipv4Addr::LOCALHOST, port).into();
        let zone = held.first().map(|(zone, _)| *zone);
        let server = Server::start(program, command, place.join("log"), |_| accepts(at) && knows(at, zone))?;
        Ok((at, server))
    })
}

fn nsd(place: &Path, port: u16, zones: &[(&str, String)], options: &str) -> std::process::Command {
    let here = place.display();
    let mut text = format!(
        "server:\n  ip-address: 127.0.0.1@{port}\n  port: {port}\n  username: \"\"\n  chroot: \"\"\n  zonesdir: \"{here}\"\n\
         \x20 database: \"\"\n  pidfile: \"\"\n  xfrdfile: \"{here}/xfrd.state\"\n  xfrdir: \"{here}\"\n  zonelistfile: \"{here}/zone.list\"\n\
         \x20 server-count: 1\n  do-ip6: no\n  rrl-ratelimit: 0\nremote-control:\n  control-enable: no\n"
    );
    for (zone, file) in zones {
        text.push_str(&format!("zone:\n  name: {zone}\n  zonefile: {file}\n{options}\n"));
    }
    let mut nsd = command(NSD);
    nsd.args(["-d", "-c", &write(place, "conf", &text)]);
    nsd
}

fn bind(place: &Path, port: u16, zones: &[(&str, String)], options: &str) -> std::process::Command {
    let here = place.display();
    // `options` stand among the server's own, which know more than those of a zone.
    let mut options = options.to_owned();
    // BIND 9.18 hands zones out to everybody unless told otherwise.
    for (word, usual) in [("recursion", "recursion no;"), ("allow-transfer", "allow-transfer { none; };")] {
        if !options.contains(word) {
            options.push_str(usual);
        }
    }
    let mut text = format!(
        "options {{ directory \"{here}\"; listen-on port {port} {{ 127.0.0.1; }}; listen-on-v6 {{ none; }};\n\
         dnssec-validation no; empty-zones-enable no; notify no; pid-file none; session-keyfile none; {options} }};\ncontrols {{ }};\n"
    );
    for (zone, file) in zones {
        text.push_str(&format!("zone \"{zone}\" {{ type primary; file \"{file}\"; }};\n"));
    }
    let mut named = command(BIND);
    named.args(["-g", "-4", "-n", "1", "-c", &write(place, "conf", &text)]);
    named
}

fn knot(place: &Path, port: u16, zones: &[(&str, String)], options: &str) -> std::process::Command {
    let here = place.display();
    let mut text = format!(
        "server:\n    rundir: \"{here}\"\n    listen: 127.0.0.1@{port}\n    udp-workers: 1\n    tcp-workers: 1\n    background-workers: 1\n\
         database:\n    storage: \"{here}\"\nlog:\n  - target: stderr\n    any: info\nzone:\n"
    );
    for (zone, file) in zones {
        text.push_str(&format!(
            "  - domain: {zone}\n    file: \"{file}\"\n    zonefile-sync: -1\n{options}\n"
        ));
    }
    let mut knotd = command(KNOT);
    knotd.args(["-c", &write(place, "conf", &text)]);
    knotd
}

/// Unbound, validating from the root's key down.
fn unbound(
    folder: &Path,
    anchor: &Path,
    parent: SocketAddr,
    zone: [SocketAddr; 2],
    options: &str,
) -> (SocketAddr, Server) {
    let place = made(folder, "resolver");
    let here = place.display();
    let stub = |name: &str, to: &[SocketAddr]| {
        let to: String = to.iter().map(|at| format!("  stub-addr: {}@{}\n", at.ip(), at.port())).collect();
        format!("stub-zone:\n  name: \"{name}\"\n{to}")
    };
    let stubs = [stub(".", &[parent]), stub("test", &[parent]), stub(ZONE, &zone)].concat();
    on_free_ports(|[port]| {
        let text = format!(
            "server:\n  directory: \"{here}\"\n  interface: 127.0.0.1@{port}\n  port: {port}\n  do-daemonize: no\n  chroot: \"\"\n  username: \"\"\n\
             \x20 pidfile: \"\"\n  use-syslog: no\n  num-threads: 1\n  do-not-query-localhost: no\n  local-zone: \"test.\" nodefault\n  do-ip6: no\n\
             \x20 trust-anchor-file: \"{}\"\n  module-config: \"validator iterator\"\n  ede: yes\n  val-log-level: 2\n  access-control: 127.0.0.0/8 allow\n\
             \x20 root-hints: \"\"\n  outbound-msg-retry: 3\n  infra-cache-max-rtt: 1000\n{options}\nremote-control:\n  control-enable: no\n{stubs}",
            anchor.display()
        );
        let mut unbound = command(UNBOUND);
        unbound.args(["-d", "-p", "-c", &write(&place, "conf", &text)]);
        let at = (Ipv4Addr::LOCALHOST, port).into();
        let server =
            Server::start(UNBOUND, unbound, place.join("log"), |_| accepts(at) && knows(at, Some("test")))?;
        Ok((at, server))
    })
}

/// Whether the server answers the SOA question for the zone; any answer will do where there is no zone.
fn knows(server: SocketAddr, zone: Option<&str>) -> bool {
    let mut query = vec![0x4c, 0x46, 0x01, 0x00, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in zone.unwrap_or(".").split('.').filter(|label| !label.is_empty()) {
        query.push(u8::try_from(label.len()).expect("short"));
        query.extend(label.as_bytes());
    }
    query.extend([0, 0, 6, 0, 1]);
    let ask = || -> std::io::Result<Vec<u8>> {
        let socket = UdpSocket::bind((IpAddr::from(Ipv4Addr::LOCALHOST), 0))?;
        socket.set_read_timeout(Some(Duration::from_millis(500)))?;
        socket.send_to(&query, server)?;
        let mut answer = vec![0; 4096];
        let length = socket.recv(&mut answer)?;
        answer.truncate(length);
        Ok(answer)
    };
    // RFC 1035 section 4.1.1: the response code is the low half of the fourth byte, the answer count bytes 6 and 7.
    ask().is_ok_and(|answer| zone.is_none() || answer.len() > 12 && answer[3] & 0x0f == 0 && answer[7] > 0)
}
