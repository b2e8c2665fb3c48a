//! Real listeners on loopback for the checks: web servers that say what a test wants, and a resolver.

use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, MX, SOA, TXT};
use hickory_proto::rr::{Name, RData, Record, RecordType};
use jiff::Timestamp;
use landfall_probe::net::{AddressMap, Egress};
use rcgen::{BasicConstraints, CertificateParams, IsCa, Issuer, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, UdpSocket};

use super::{Checker as _, Probes, ProbesConfig};
use crate::model::MonitorSpec;
use crate::result::CheckResult;

/// A web server: one request a connection, answered with what a function gives.
pub(crate) struct Web {
    pub(crate) address: SocketAddr,
    log: Arc<Mutex<Vec<String>>>,
}

impl Web {
    /// Whole requests, as they came.
    pub(crate) fn log(&self) -> Vec<String> {
        self.log.lock().expect("no panic").clone()
    }
}

/// A response with its length and the connection closed after it.
pub(crate) fn answer(status: &str, headers: &str, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n{headers}\r\n{body}", body.len())
}

/// Reads a request with its body, answers it, and lets go.
async fn speak<S: AsyncRead + AsyncWrite + Unpin>(
    mut stream: S,
    log: &Mutex<Vec<String>>,
    reply: &(dyn Fn(&str) -> Option<String> + Send + Sync),
) {
    let (mut seen, mut buffer) = (Vec::new(), [0_u8; 4096]);
    let request = loop {
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => seen.extend_from_slice(&buffer[..n]),
            _ => return,
        }
        let text = String::from_utf8_lossy(&seen).into_owned();
        let Some((head, body)) = text.split_once("\r\n\r\n") else { continue };
        let length = head
            .lines()
            .find_map(|line| line.to_ascii_lowercase().strip_prefix("content-length: ")?.parse().ok());
        if body.len() >= length.unwrap_or(0) {
            break text;
        }
    };
    log.lock().expect("no panic").push(request.clone());
    match reply(&request) {
        Some(text) => {
            let _ = stream.write_all(text.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
        // Says nothing until the client goes away.
        None => while stream.read(&mut buffer).await.is_ok_and(|n| n > 0) {},
    }
}

/// A web server in the clear. `None` from `reply` is silence.
pub(crate) async fn web(reply: impl Fn(&str) -> Option<String> + Send + Sync + 'static) -> Web {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let (address, log) = (listener.local_addr().expect("bound"), Arc::<Mutex<Vec<String>>>::default());
    let (kept, reply) = (Arc::clone(&log), Arc::new(reply));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (log, reply) = (Arc::clone(&kept), Arc::clone(&reply));
            tokio::spawn(async move { speak(stream, &log, &*reply).await });
        }
    });
    Web { address, log }
}

/// An authority of the test's own, as a file to trust.
pub(crate) struct Authority {
    issuer: Issuer<'static, KeyPair>,
    file: tempfile::NamedTempFile,
}

impl Authority {
    pub(crate) fn new() -> Self {
        let mut params = CertificateParams::default();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(rcgen::DnType::OrganizationName, "Test Authority");
        let key = KeyPair::generate().expect("key");
        let root = params.self_signed(&key).expect("signed");
        let file = tempfile::NamedTempFile::new().expect("temporary file");
        std::fs::write(file.path(), root.pem()).expect("writable");
        Self { issuer: Issuer::new(params, key), file }
    }

    pub(crate) fn path(&self) -> PathBuf {
        self.file.path().to_owned()
    }

    /// A server configuration with a certificate for `name`, valid from and until so many days from now.
    pub(crate) fn server(&self, name: &str, from_day: i64, until_day: i64) -> rustls::ServerConfig {
        let mut params = CertificateParams::new(vec![name.to_owned()]).expect("a name");
        let day = |n: i64| {
            let at = jiff::Zoned::now().checked_add(jiff::Span::new().days(n)).expect("near");
            rcgen::date_time_ymd(at.year().into(), at.month().unsigned_abs(), at.day().unsigned_abs())
        };
        (params.not_before, params.not_after) = (day(from_day), day(until_day));
        let key = KeyPair::generate().expect("key");
        let leaf = params.signed_by(&key, &self.issuer).expect("signed");
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(
                vec![leaf.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
            )
            .expect("certificate")
    }
}

/// A web server over TLS, HTTP/1.1.
pub(crate) async fn secure(
    config: rustls::ServerConfig,
    reply: impl Fn(&str) -> Option<String> + Send + Sync + 'static,
) -> Web {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let (address, log) = (listener.local_addr().expect("bound"), Arc::<Mutex<Vec<String>>>::default());
    let (kept, reply) = (Arc::clone(&log), Arc::new(reply));
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (log, reply, acceptor) = (Arc::clone(&kept), Arc::clone(&reply), acceptor.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    speak(stream, &log, &*reply).await;
                }
            });
        }
    });
    Web { address, log }
}

/// What a resolver says to one question, the n-th of it.
pub(crate) enum Reply {
    Data(Vec<RData>),
    Code(ResponseCode),
    Silence,
}

/// A recursive resolver. `reply` gets the name, the type and how many questions came before.
pub(crate) async fn resolver(
    reply: impl Fn(&str, RecordType, usize) -> Reply + Send + Sync + 'static,
) -> SocketAddr {
    let socket = UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let address = socket.local_addr().expect("bound");
    let count = AtomicUsize::new(0);
    tokio::spawn(async move {
        let mut buffer = [0; 2048];
        while let Ok((length, from)) = socket.recv_from(&mut buffer).await {
            let query = Message::from_vec(&buffer[..length]).expect("well-formed");
            let asked = query.queries.first().expect("one question").clone();
            let name = asked.name.to_ascii().trim_end_matches('.').to_ascii_lowercase();
            let mut message = Message::response(query.metadata.id, query.metadata.op_code);
            message.add_queries(query.queries.clone());
            match reply(&name, asked.query_type, count.fetch_add(1, Ordering::SeqCst)) {
                Reply::Silence => continue,
                Reply::Code(code) => message.metadata.response_code = code,
                Reply::Data(data) => {
                    let owner = asked.name.clone();
                    message.add_answers(data.into_iter().map(|d| Record::from_rdata(owner.clone(), 60, d)));
                }
            }
            let _ = socket.send_to(&message.to_vec().expect("encodes"), from).await;
        }
    });
    address
}

/// The address record of an address.
pub(crate) fn record(ip: IpAddr) -> RData {
    match ip {
        IpAddr::V4(ip) => RData::A(A(ip)),
        IpAddr::V6(ip) => RData::AAAA(AAAA(ip)),
    }
}

/// A resolver that knows these addresses and no others.
pub(crate) async fn knows(names: &[(&str, &str)]) -> SocketAddr {
    let known: Vec<(String, IpAddr)> =
        names.iter().map(|(name, ip)| ((*name).to_owned(), ip.parse().expect("an address"))).collect();
    resolver(move |name, rtype, _| {
        let of_name: Vec<IpAddr> = known.iter().filter(|(n, _)| n == name).map(|(_, ip)| *ip).collect();
        if of_name.is_empty() {
            return Reply::Code(ResponseCode::NXDomain);
        }
        let fits = |ip: &&IpAddr| ip.is_ipv4() == (rtype == RecordType::A);
        Reply::Data(of_name.iter().filter(fits).map(|ip| record(*ip)).collect())
    })
    .await
}

/// Data of the other types, for DNS checks.
pub(crate) fn data(rtype: RecordType) -> Vec<RData> {
    let name = |text: &str| Name::from_ascii(text).expect("a name");
    match rtype {
        RecordType::A => vec![record([192, 0, 2, 1].into()), record([192, 0, 2, 2].into())],
        RecordType::CNAME => vec![RData::CNAME(CNAME(name("App.Host.test.")))],
        RecordType::TXT => vec![RData::TXT(TXT::new(vec!["v=spf1 -all".into()]))],
        RecordType::MX => vec![RData::MX(MX::new(10, name("mail.example.test.")))],
        RecordType::SOA => {
            vec![RData::SOA(SOA::new(name("ns.example.test."), name("root.example.test."), 2026, 1, 1, 1, 1))]
        }
        _ => Vec::new(),
    }
}

/// What the tests vary of the probes.
#[derive(Default)]
pub(crate) struct World {
    pub(crate) map: Vec<String>,
    pub(crate) resolvers: Vec<SocketAddr>,
    pub(crate) ca_files: Vec<PathBuf>,
    pub(crate) egress: Egress,
}

impl World {
    /// A host that leads to a listener, as the operator's own map.
    pub(crate) fn led(mut self, host: &str, port: u16, to: SocketAddr) -> Self {
        self.map.push(format!("{host}:{port}:{to}"));
        self
    }

    pub(crate) fn probes(self) -> Probes {
        let mut map = AddressMap::default();
        for entry in &self.map {
            map.add(entry).expect("valid");
        }
        let (resolvers, ca_files) = (self.resolvers, self.ca_files);
        Probes::new(ProbesConfig { egress: self.egress, map, resolvers, ca_files, user_agent: String::new() })
            .expect("the files are good")
    }
}

/// A monitor with this check, which must be valid.
pub(crate) fn spec(check: serde_json::Value) -> MonitorSpec {
    let spec: MonitorSpec = serde_json::from_value(
        serde_json::json!({ "name": "test", "interval_s": 300, "timeout_ms": 5000, "check": check }),
    )
    .expect("a monitor");
    assert_eq!(spec.problems(), []);
    spec
}

/// The spec with another timeout.
pub(crate) fn within(mut spec: MonitorSpec, timeout_ms: u32) -> MonitorSpec {
    spec.timeout_ms = timeout_ms;
    spec
}

pub(crate) async fn run(probes: &Probes, spec: &MonitorSpec) -> CheckResult {
    let result = probes.check(spec, Timestamp::now()).await;
    assert!(!result.say.is_empty() && !result.say.contains('\n'), "{}", result.say);
    assert_eq!(result.reason.is_none(), result.outcome == crate::Outcome::Up, "{}", result.say);
    if result.outcome == crate::Outcome::Up {
        assert!(result.evidence.is_empty());
    }
    assert!(result.snapshot.at.is_some());
    result
}
