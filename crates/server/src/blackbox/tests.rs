use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};

use axum::body::Body;
use axum::extract::ConnectInfo;
use http::Request;
use http_body_util::BodyExt as _;
use landfall_monitor::{Bus, SystemClock, Watch};
use landfall_probe::net::Egress;
use landfall_store::testkit::TestDb;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tower::ServiceExt as _;

use super::*;
use crate::settings::Settings;

struct Server {
    router: Router,
    _db: TestDb,
}

/// The server with loopback allowed or not.
async fn server(allow_loopback: bool) -> Server {
    let db = TestDb::sqlite().await;
    let allow_egress =
        if allow_loopback { vec!["127.0.0.0/8".parse().expect("a block")] } else { Vec::new() };
    let app = App {
        store: db.store.clone(),
        clock: Arc::new(SystemClock),
        bus: Bus::default(),
        watch: Watch::default(),
        settings: Arc::new(Settings { allow_egress, ..Settings::default() }),
        live: Arc::new(crate::live::Liveness::new(jiff::Timestamp::UNIX_EPOCH)),
    };
    Server { router: router().with_state(app), _db: db }
}

impl Server {
    async fn get(&self, query: &str, timeout: Option<&str>) -> (StatusCode, String) {
        let mut request = Request::get(format!("/probe?{query}"));
        if let Some(timeout) = timeout {
            request = request.header("X-Prometheus-Scrape-Timeout-Seconds", timeout);
        }
        let mut request = request.body(Body::empty()).expect("valid");
        request.extensions_mut().insert(ConnectInfo(SocketAddr::from(([127, 0, 0, 1], 9))));
        let response = self.router.clone().oneshot(request).await.expect("it answers");
        let status = response.status();
        let bytes = response.into_body().collect().await.expect("in memory").to_bytes();
        (status, String::from_utf8(bytes.to_vec()).expect("text"))
    }
}

/// A web server that answers everything alike, and tells the last request's host.
async fn web(status: &'static str) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut buffer = [0; 4096];
            let n = stream.read(&mut buffer).await.unwrap_or(0);
            let text = String::from_utf8_lossy(&buffer[..n]).into_owned();
            let host = text.lines().find(|l| l.starts_with("host: ")).unwrap_or_default().to_owned();
            let answer = format!(
                "HTTP/1.1 {status}\r\nserver: {host}\r\nlast-modified: Sun, 06 Nov 1994 08:49:37 GMT\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok"
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    address
}

/// The names of all metrics in a page.
fn names(page: &str) -> BTreeSet<String> {
    let lines = page.lines().filter(|line| !line.starts_with('#') && !line.is_empty());
    lines.filter_map(|line| line.split(['{', ' ']).next().map(str::to_owned)).collect()
}

fn value(page: &str, series: &str) -> Option<f64> {
    page.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' ')?.parse().ok())
}

#[tokio::test]
async fn a_probe_tells_success_and_failure_with_its_reason() {
    let server = server(true).await;
    let (good, bad) = (web("200 OK").await, web("500 Oops").await);
    let (status, page) = server.get(&format!("module=http_2xx&target=http://{good}/"), Some("5")).await;
    assert_eq!(status, StatusCode::OK);
    assert_eq!(value(&page, "probe_success"), Some(1.0), "{page}");
    assert_eq!(value(&page, "probe_http_status_code"), Some(200.0));
    assert_eq!(value(&page, "probe_http_version"), Some(1.1));
    assert_eq!(value(&page, "probe_ip_protocol"), Some(4.0));
    assert_eq!(value(&page, "probe_timeout_seconds"), Some(4.5));
    assert_eq!(value(&page, "probe_http_content_length"), Some(2.0));
    assert_eq!(value(&page, "probe_http_last_modified_timestamp_seconds"), Some(784_111_777.0));
    // What the exporter itself says of 127.0.0.1.
    assert_eq!(value(&page, "probe_ip_addr_hash"), Some(3_668_918_509.0));
    assert!(!page.contains("probe_failure_info"));
    for phase in ["resolve", "connect", "tls", "processing", "transfer"] {
        let series = format!("probe_http_duration_seconds{{phase=\"{phase}\"}}");
        assert!(value(&page, &series).is_some(), "{phase}");
    }
    // Every family has its help and its type once, and all its samples behind them.
    let types: Vec<_> = page.lines().filter(|l| l.starts_with("# TYPE ")).collect();
    assert_eq!(types.len(), types.iter().collect::<BTreeSet<_>>().len());
    assert_eq!(types.len(), names(&page).len());

    let (_, page) = server.get(&format!("target={bad}"), None).await;
    assert_eq!(
        value(&page, "probe_success"),
        Some(0.0),
        "http_2xx is the module that is meant, http the scheme"
    );
    assert_eq!(value(&page, "probe_failure_info{reason=\"status\"}"), Some(1.0), "{page}");
    assert_eq!(value(&page, "probe_http_status_code"), Some(500.0));
}

#[tokio::test]
async fn what_is_asked_wrongly_is_said() {
    let server = server(true).await;
    for (query, timeout, says) in [
        ("module=http_2xx", None, "Target parameter is missing"),
        ("target=&module=http_2xx", None, "Target parameter is missing"),
        ("target=a.test&module=nope", None, "Unknown module \"nope\""),
        ("target=a.test&module=tcp_connect", None, "is not HOST:PORT"),
        ("target=a.test:99999&module=tls_connect", None, "is not HOST:PORT"),
        ("target=ftp://a.test/&module=http_2xx", None, "the scheme ftp cannot be asked"),
        ("target=a.test&module=dns_udp", None, "give ADDR or ADDR:PORT"),
        ("target=a.test", Some("soon"), "Failed to parse timeout"),
        ("target=a.test", Some("NaN"), "Failed to parse timeout"),
        ("target=a.test", Some("-1"), "Failed to parse timeout"),
    ] {
        let (status, text) = server.get(query, timeout).await;
        assert_eq!(status, StatusCode::BAD_REQUEST, "{query}");
        assert!(text.contains(says), "{query}: {text}");
    }
}

#[tokio::test]
async fn without_leave_nothing_private_is_probed() {
    let server = server(false).await;
    let target = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let at = target.local_addr().expect("bound");
    for query in [
        format!("module=http_2xx&target=http://{at}/"),
        format!("module=http_2xx&target=http://{at}/&hostname=api.example.test"),
        format!("module=http_post_2xx&target=2130706433:{}", at.port()),
        format!("module=tcp_connect&target={at}"),
        format!("module=tls_connect&target={at}"),
        format!("module=tls_connect&target=0x7f.1:{}&hostname=api.example.test", at.port()),
        format!("module=dns_udp&target={at}"),
        "module=http_2xx&target=http://169.254.169.254/latest/meta-data/".to_owned(),
    ] {
        let (status, page) = server.get(&query, Some("3")).await;
        assert_eq!(status, StatusCode::OK);
        assert_eq!(value(&page, "probe_success"), Some(0.0), "{query}");
        assert_eq!(value(&page, "probe_failure_info{reason=\"forbidden\"}"), Some(1.0), "{query}: {page}");
    }
    let connected = tokio::time::timeout(Duration::ZERO, target.accept()).await;
    assert!(connected.is_err(), "nobody came");
}

#[tokio::test]
async fn the_hostname_goes_into_the_request_and_debug_tells_what_happened() {
    let server = server(true).await;
    let at = web("404 Not Found").await;
    let query = format!("module=http_2xx&target=http://{at}/x&hostname=api.example.test&debug=true");
    let (_, page) = server.get(&query, None).await;
    assert!(page.starts_with("Logs for the probe:\ndown after "), "{page}");
    assert!(
        page.contains("HTTP 404") && page.contains("Metrics that would have been returned:\n# HELP"),
        "{page}"
    );
    assert!(page.contains("Module configuration:"), "{page}");
    assert!(page.contains(&format!("http://api.example.test:{}/x", at.port())), "{page}");
}

#[test]
fn a_page_of_many_monitors_keeps_families_together_and_labels_apart() {
    let sample = |value| vec![Sample::new("probe_success", "Help", value)];
    let (a, b) = ([("monitor", "a\"b\\c\n".to_owned())], [("monitor", "b".to_owned())]);
    let page = exposition([(&a[..], sample(1.0)), (&b[..], sample(0.0))]);
    let expected = "# HELP probe_success Help\n# TYPE probe_success gauge\n\
                    probe_success{monitor=\"a\\\"b\\\\c\\n\"} 1\nprobe_success{monitor=\"b\"} 0\n";
    assert_eq!(page, expected);
}

/// A process that ends with the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

async fn answers(port: u16) -> bool {
    for _ in 0..400 {
        if TcpStream::connect(("127.0.0.1", port)).await.is_ok() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(25)).await;
    }
    false
}

/// Names that Debian's exporter gives and we do not, each with its reason.
const LEFT_OUT: &[(&str, &str)] = &[(
    "probe_dns_additional_rrs",
    "the additional section holds nothing but EDNS and addresses that nobody asked for; it is not read",
)];

/// Names that we give beyond the exporter's.
const OURS: &[&str] = &[
    "probe_failure_info",
    // Of younger versions of the exporter than Debian's.
    "probe_timeout_seconds",
    "probe_tls_cipher_info",
];

#[tokio::test]
async fn every_metric_of_the_real_exporter_is_there() {
    const EXPORTER: &str = "/usr/bin/prometheus-blackbox-exporter";
    if !std::path::Path::new(EXPORTER).exists() {
        eprintln!("skipped: {EXPORTER} is not installed (Debian: prometheus-blackbox-exporter)");
        return;
    }
    let folder = tempfile::tempdir().expect("temporary folder");
    let config = folder.path().join("blackbox.yml");
    let modules = "modules:\n  http_2xx: {prober: http, http: {preferred_ip_protocol: ip4}}\n  \
                   tcp_connect: {prober: tcp}\n  \
                   tls_connect: {prober: tcp, tcp: {tls: true, tls_config: {insecure_skip_verify: true}}}\n  \
                   dns_udp: {prober: dns, dns: {query_name: example.test, query_type: A, transport_protocol: udp}}\n  \
                   https_any: {prober: http, http: {preferred_ip_protocol: ip4, tls_config: {insecure_skip_verify: true}}}\n";
    std::fs::write(&config, modules).expect("writable");
    let port = landfall_ports::claimed();
    let child = Command::new(EXPORTER)
        .arg(format!("--config.file={}", config.display()))
        .arg(format!("--web.listen-address=127.0.0.1:{port}"))
        .stderr(Stdio::null())
        .stdout(Stdio::null())
        .spawn()
        .expect("it is installed");
    let _exporter = Running(child);
    assert!(answers(port).await, "the exporter listens");

    let (good, secure) = (web("200 OK").await, secure_web().await);
    let dns = dns_server().await;
    let ours = trusting(&secure.root).await;
    for (module, theirs_module, target, query) in [
        ("http_2xx", "http_2xx", format!("http://{good}/"), ""),
        ("http_2xx", "http_2xx", "http://127.0.0.1:1/".to_owned(), ""),
        ("http_2xx", "https_any", format!("https://{}/", secure.address), ""),
        ("tcp_connect", "tcp_connect", good.to_string(), ""),
        ("tls_connect", "tls_connect", secure.address.to_string(), ""),
        ("dns_udp", "dns_udp", dns.to_string(), "&query_name=example.test&query_type=A"),
    ] {
        let theirs = fetch(port, &format!("/probe?module={theirs_module}&target={target}")).await;
        let (_, mine) = ours.get(&format!("module={module}&target={target}{query}"), Some("5")).await;
        assert_eq!(
            value(&mine, "probe_success"),
            value(&theirs, "probe_success"),
            "{module} {target}: {mine}"
        );
        let (theirs_names, mine_names) = (names(&theirs), names(&mine));
        assert!(theirs_names.len() >= 6, "{theirs}");
        let missing: Vec<_> = theirs_names
            .difference(&mine_names)
            .filter(|name| !LEFT_OUT.iter().any(|(left_out, _)| left_out == name))
            .collect();
        assert!(missing.is_empty(), "{module} {target}: missing {missing:?}");
        let more: Vec<_> =
            mine_names.difference(&theirs_names).filter(|name| !OURS.contains(&name.as_str())).collect();
        assert!(more.is_empty(), "{module} {target}: {more:?} are no names of the exporter");
        // The same series, not only the same families.
        for series in ["probe_http_duration_seconds", "probe_dns_duration_seconds"] {
            let phases = |page: &str| -> BTreeSet<String> {
                let lines = page.lines().filter(|line| line.starts_with(series));
                lines.filter_map(|line| line.split(' ').next().map(str::to_owned)).collect()
            };
            assert_eq!(phases(&mine), phases(&theirs), "{module} {target}");
        }
        for series in [
            "probe_ip_addr_hash",
            "probe_ip_protocol",
            "probe_http_status_code",
            "probe_http_ssl",
            "probe_http_version",
            "probe_http_content_length",
            "probe_http_uncompressed_body_length",
            "probe_http_last_modified_timestamp_seconds",
            "probe_ssl_earliest_cert_expiry",
            "probe_dns_answer_rrs",
            "probe_dns_query_succeeded",
        ] {
            assert_eq!(value(&mine, series), value(&theirs, series), "{series} of {module} {target}");
        }
    }
}

async fn fetch(port: u16, path: &str) -> String {
    let mut stream = TcpStream::connect(("127.0.0.1", port)).await.expect("it listens");
    let request = format!("GET {path} HTTP/1.0\r\nhost: localhost\r\n\r\n");
    stream.write_all(request.as_bytes()).await.expect("sent");
    let mut text = String::new();
    stream.read_to_string(&mut text).await.expect("answered");
    text.split_once("\r\n\r\n").expect("a response").1.to_owned()
}

struct Secure {
    address: SocketAddr,
    root: tempfile::NamedTempFile,
}

/// A web server over TLS whose certificate, for its address, vouches for itself.
async fn secure_web() -> Secure {
    let key = rcgen::KeyPair::generate().expect("key");
    let params =
        rcgen::CertificateParams::new(vec!["127.0.0.1".to_owned(), "a.test".to_owned()]).expect("names");
    let mut authority = rcgen::CertificateParams::default();
    authority.is_ca = rcgen::IsCa::Ca(rcgen::BasicConstraints::Unconstrained);
    authority.distinguished_name.push(rcgen::DnType::CommonName, "root");
    let root_key = rcgen::KeyPair::generate().expect("key");
    let root = tempfile::NamedTempFile::new().expect("temporary file");
    std::fs::write(root.path(), authority.self_signed(&root_key).expect("signed").pem()).expect("writable");
    let issuer = rcgen::Issuer::new(authority, root_key);
    let leaf = params.signed_by(&key, &issuer).expect("signed");
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key.serialize_der());
    let config =
        rustls::ServerConfig::builder_with_provider(Arc::new(rustls::crypto::aws_lc_rs::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![leaf.der().clone()], key.into())
            .expect("certificate");
    let acceptor = tokio_rustls::TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let Ok(mut stream) = acceptor.accept(stream).await else { continue };
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nok";
            let _ = stream.write_all(answer.as_bytes()).await;
            let _ = stream.shutdown().await;
        }
    });
    Secure { address, root }
}

/// The server with loopback allowed and a root that it trusts.
async fn trusting(root: &tempfile::NamedTempFile) -> Server {
    let plain = server(true).await;
    let config = ProbesConfig {
        egress: Egress::public_only(vec!["127.0.0.0/8".parse().expect("a block")]),
        ca_files: vec![root.path().to_owned()],
        ..ProbesConfig::default()
    };
    let app = App {
        store: plain._db.store.clone(),
        clock: Arc::new(SystemClock),
        bus: Bus::default(),
        watch: Watch::default(),
        settings: Arc::new(Settings::default()),
        live: Arc::new(crate::live::Liveness::new(jiff::Timestamp::UNIX_EPOCH)),
    };
    let probes = Arc::new(Probes::new(config).expect("the file is good"));
    Server { router: router_with(probes).with_state(app), _db: plain._db }
}

/// A DNS server that gives one address for everything: the question again, with an answer behind it.
async fn dns_server() -> SocketAddr {
    let socket = tokio::net::UdpSocket::bind("127.0.0.1:0").await.expect("loopback");
    let address = socket.local_addr().expect("bound");
    tokio::spawn(async move {
        let mut buffer = [0; 1024];
        while let Ok((_, from)) = socket.recv_from(&mut buffer).await {
            // Header (RFC 1035, section 4.1.1): a response, one question, one answer, nothing else.
            let end = 12 + buffer[12..].iter().position(|b| *b == 0).expect("a name ends") + 5;
            let mut answer = buffer[..end].to_vec();
            answer[2..12].copy_from_slice(&[0x81, 0x80, 0, 1, 0, 1, 0, 0, 0, 0]);
            answer.extend([0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1]);
            let _ = socket.send_to(&answer, from).await;
        }
    });
    address
}

#[tokio::test]
async fn only_trusted_addresses_and_keys_for_metrics_get_a_probe() {
    use crate::testing::World;
    use crate::{Scope, session};
    use landfall_store::accounts::NewKey;
    for world in World::both(&Settings::default()).await {
        let org = world.org("acme").await;
        let mut keys = Vec::new();
        for (name, scopes) in [("m", Scope::Metrics), ("r", Scope::Read)] {
            let (key, now) = (session::new_token(), world.app.clock.now());
            let hash = session::hash(&key);
            let scopes = [scopes.word().to_owned()];
            let new = NewKey { name, prefix: "p", secret_hash: &hash, scopes: &scopes, expires: None };
            world.app.store.tenant(org.id).create_key(&new, "me", now).await.expect("a key");
            keys.push(key);
        }
        let router = router().with_state(world.app.clone());
        let ask = async |peer: [u8; 4], headers: &[(&str, String)]| {
            let mut request = Request::get("/probe?target=");
            for (name, value) in headers {
                request = request.header(*name, value);
            }
            let mut request = request.body(Body::empty()).expect("valid");
            request.extensions_mut().insert(ConnectInfo(SocketAddr::from((peer, 9))));
            router.clone().oneshot(request).await.expect("it answers").status().as_u16()
        };
        let key = |n: usize| ("authorization", format!("Bearer {}", keys[n]));
        // 400 is the probe's own answer: it has no target.
        assert_eq!(ask([127, 0, 0, 1], &[]).await, 400);
        assert_eq!(ask([203, 0, 113, 7], &[]).await, 401);
        assert_eq!(ask([127, 0, 0, 1], &[("x-forwarded-for", "203.0.113.7".into())]).await, 401);
        assert_eq!(ask([203, 0, 113, 7], &[("x-forwarded-for", "127.0.0.1".into())]).await, 401);
        assert_eq!(ask([203, 0, 113, 7], &[key(0)]).await, 400);
        assert_eq!(ask([203, 0, 113, 7], &[key(1)]).await, 403);
        assert_eq!(ask([127, 0, 0, 1], &[key(1)]).await, 403, "a key that may not is not made up for");
    }
}
