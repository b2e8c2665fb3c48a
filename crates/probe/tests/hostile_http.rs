//! HTTP servers that mean harm. Each ends inside the deadline, and costs no more memory than the bounds allow.
//!
//! All of them run one after the other in a process of their own, because the memory is the process's: the peak of its
//! resident set, which the kernel keeps and lets us set back (proc(5), `VmHWM` and `clear_refs`).

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use landfall_evidence::{Denial, HttpObservation, HttpVersion, Observed, Purpose, Seen, Vantage};
use landfall_probe::http;
use landfall_probe::net::{AddressMap, Context, Egress, Ledger, Limits, Waits};
use landfall_probe::tls::Roots;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::TcpListener;
use url::Url;

/// What one question may add to the resident set, in bytes: the body's bound of 1 MiB kept once more for its coding, two
/// windows of HTTP/2 (2 and 4 MiB at most), a brotli window of 16 MiB, and what allocators and TLS keep.
const BOUND_BYTE: u64 = 32 * 1024 * 1024;
/// The whole question's time.
const DEADLINE: Duration = Duration::from_secs(3);
/// What a busy machine may take longer. It is not a measure of speed: without a bound, none of these servers ends at all.
const GRACE: Duration = Duration::from_secs(20);

fn context() -> Context {
    let started = Instant::now();
    let limits =
        Limits { wait: Duration::from_secs(1), transfer: Duration::from_millis(700), ..Limits::default() };
    Context {
        started,
        deadline: started + DEADLINE,
        limits: Arc::new(limits),
        map: Arc::new(AddressMap::default()),
        resolvers: Arc::new([]),
        roots: Arc::new(Roots::load(&[]).expect("no file to fail on")),
        user_agent: "landfall-test/0".into(),
        ledger: Arc::new(Ledger::new(100)),
        waits: Waits::default(),
        egress: Egress::anything(),
        deadline_counts: false,
    }
}

/// The peak of this process's resident set since it was last set back, in bytes.
fn peak() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").expect("proc is mounted");
    let line = status.lines().find(|l| l.starts_with("VmHWM:")).expect("the kernel tells the peak");
    line.split_whitespace().nth(1).and_then(|n| n.parse::<u64>().ok()).expect("a number of kB") * 1024
}

fn set_back() -> u64 {
    std::fs::write("/proc/self/clear_refs", "5").expect("a process may set back its own peak");
    peak()
}

/// What a server sends first, and then again and again until the client has gone.
struct Attack {
    name: &'static str,
    version: HttpVersion,
    first: Vec<u8>,
    again: Vec<u8>,
    pause: Duration,
    /// Whether it does not wait for the request.
    early: bool,
}

fn h1(name: &'static str, first: &str, again: &str) -> Attack {
    Attack {
        name,
        version: HttpVersion::H1,
        first: first.as_bytes().to_vec(),
        again: again.as_bytes().repeat((16 * 1024 / again.len().max(1)).max(1)),
        pause: Duration::ZERO,
        early: false,
    }
}

/// A body under a content coding, whole.
fn coded(name: &'static str, coding: &str, body: &[u8]) -> Attack {
    let head = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-encoding: {coding}\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    Attack {
        name,
        version: HttpVersion::H1,
        first: [head.as_bytes(), body].concat(),
        again: Vec::new(),
        pause: Duration::ZERO,
        early: false,
    }
}

/// One frame (RFC 9113, section 4.1).
fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).expect("a frame is short").to_be_bytes();
    [&length[1..], &[kind, flags], &stream.to_be_bytes(), payload].concat()
}

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const SETTINGS: u8 = 4;
const PUSH_PROMISE: u8 = 5;
const PING: u8 = 6;
const WINDOW_UPDATE: u8 = 8;
const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;

fn h2(name: &'static str, first: Vec<u8>, again: Vec<u8>) -> Attack {
    let first = [frame(SETTINGS, 0, 0, &[]), frame(SETTINGS, 1, 0, &[]), first].concat();
    let again = if again.is_empty() { again } else { again.repeat((16 * 1024 / again.len()).max(1)) };
    Attack { name, version: HttpVersion::H2, first, again, pause: Duration::ZERO, early: false }
}

/// A literal field with a new name (RFC 7541, section 6.2.1): `kind` 0x40 puts it into the table, 0x00 does not.
fn field(kind: u8, name: &[u8], value: &[u8]) -> Vec<u8> {
    let mut out = vec![kind];
    for text in [name, value] {
        // Lengths of 127 and more go on in groups of seven bits (section 5.1).
        let mut left = text.len();
        if left < 127 {
            out.push(left as u8);
        } else {
            out.push(127);
            left -= 127;
            while left >= 128 {
                out.push((left % 128) as u8 | 0x80);
                left /= 128;
            }
            out.push(left as u8);
        }
        out.extend_from_slice(text);
    }
    out
}

/// `:status: 200` (RFC 7541, appendix A, index 8).
const OK: &[u8] = &[0x88];

fn attacks() -> Vec<Attack> {
    let head = "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n";
    let chunked = format!("{head}transfer-encoding: chunked\r\n\r\n");
    let kib = "x".repeat(1024);
    let drip = |name, first: &str, again: &str| Attack {
        again: again.as_bytes().to_vec(),
        pause: Duration::from_millis(20),
        ..h1(name, first, again)
    };
    let mut all = vec![
        h1("endless chunks", &chunked, &format!("400\r\n{kib}\r\n")),
        h1("an endless chunk extension", &format!("{chunked}1;"), &kib),
        h1("an endless chunk length", &chunked, "0000000000000000"),
        h1("endless trailers", &format!("{chunked}1\r\nx\r\n0\r\n"), "trailer: value\r\n"),
        h1("endless interim responses", "", "HTTP/1.1 103 Early Hints\r\nlink: </a.css>\r\n\r\n"),
        h1("endless small headers", "HTTP/1.1 200 OK\r\n", "a: b\r\n"),
        h1("one endless header", "HTTP/1.1 200 OK\r\nset-cookie: ", &kib),
        h1("an endless status line", "HTTP/1.1 200 ", &kib),
        h1("a length without an end", &format!("{head}content-length: 99999999999999\r\n\r\n"), &kib),
        h1("two lengths", &format!("{head}content-length: 1\r\ncontent-length: 2\r\n\r\n"), &kib),
        drip("a dripping header", "HTTP/1.1 200 OK\r\nx: ", "y"),
        drip("a dripping body", &format!("{head}content-length: 100000\r\n\r\n"), "z"),
        drip("dripping interim responses", "", "HTTP/1.1 100 Continue\r\n\r\n"),
        drip("no byte at all", "", ""),
    ];
    all.push(coded("a gzip bomb", "gzip", &gzip_bomb()));
    all.push(coded("a zstd bomb", "zstd", &zstd_bomb(0x68)));
    all.push(coded("a zstd window of 64 MiB", "zstd", &zstd_bomb(0x80)));
    all.push(coded("noise as brotli", "br", &noise(900_000)));

    let begun = frame(HEADERS, END_HEADERS, 1, OK);
    let fields = field(0, b"name", b"value");
    let unfinished = |payload: &[u8]| frame(HEADERS, 0, 1, payload);
    let interim = frame(HEADERS, END_HEADERS, 1, &field(0, b":status", b"103"));
    all.push(Attack {
        early: true,
        ..h2("interim responses ahead of the request", Vec::new(), interim.clone())
    });
    all.extend([
        h2("CONTINUATION without end", unfinished(OK), frame(CONTINUATION, 0, 1, &fields.repeat(64))),
        h2("empty CONTINUATION without end", unfinished(OK), frame(CONTINUATION, 0, 1, &[])),
        // One entry of about 4 kB in the table, then named again by one byte each (index 62).
        h2(
            "a table entry named 16 000 times",
            frame(
                HEADERS,
                END_HEADERS,
                1,
                &[OK, &field(0x40, b"x", &[b'v'; 3900]), &[0xbe; 12_000]].concat(),
            ),
            Vec::new(),
        ),
        h2(
            "a table entry named without end",
            unfinished(&[OK, &field(0x40, b"x", &[b'v'; 3900])].concat()),
            frame(CONTINUATION, 0, 1, &[0xbe; 16_000]),
        ),
        // Dynamic table size update to 2^31 (RFC 7541, section 6.3).
        h2(
            "a table larger than allowed",
            frame(HEADERS, END_HEADERS, 1, &[0x3f, 0xe1, 0xff, 0xff, 0xff, 0x07, 0x88]),
            Vec::new(),
        ),
        h2("resets", Vec::new(), frame(RST_STREAM, 0, 1, &8_u32.to_be_bytes())),
        h2(
            "pushes taken back at once",
            Vec::new(),
            [
                frame(
                    PUSH_PROMISE,
                    END_HEADERS,
                    1,
                    &[&2_u32.to_be_bytes()[..], &[0x82, 0x87, 0x84]].concat(),
                ),
                frame(RST_STREAM, 0, 2, &8_u32.to_be_bytes()),
            ]
            .concat(),
        ),
        h2("pings", Vec::new(), frame(PING, 0, 0, &[7; 8])),
        h2("settings", Vec::new(), frame(SETTINGS, 0, 0, &[0, 4, 0, 1, 0, 0])),
        h2("window updates", Vec::new(), frame(WINDOW_UPDATE, 0, 0, &1_u32.to_be_bytes())),
        h2("empty data", begun.clone(), frame(DATA, 0, 1, &[])),
        h2("padding alone", begun.clone(), frame(DATA, 8, 1, &[&[255][..], &[0; 255]].concat())),
        h2("data past every window", begun.clone(), frame(DATA, 0, 1, &[0; 16_000])),
        h2("interim responses over HTTP/2", Vec::new(), interim),
        h2("frames of unknown kinds", begun.clone(), frame(0xbb, 0, 1, &[1; 1000])),
        h2(
            "a frame longer than allowed",
            begun,
            [&[0xff, 0xff, 0xff, DATA, 0, 0, 0, 0, 1][..], &[0; 8000]].concat(),
        ),
    ]);
    all
}

/// About 400 kB that become 400 MB.
fn gzip_bomb() -> Vec<u8> {
    use std::io::Write as _;
    let mut bomb = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::best());
    let zeros = vec![0; 1024 * 1024];
    for _ in 0..400 {
        bomb.write_all(&zeros).expect("in memory");
    }
    bomb.finish().expect("in memory")
}

/// Blocks of four bytes that become 128 KiB each (RFC 8878, section 3.1.1.2.2), 25 GB in all.
fn zstd_bomb(window: u8) -> Vec<u8> {
    let block = (131_072_u32 << 3 | 1 << 1).to_le_bytes();
    let mut out = vec![0x28, 0xb5, 0x2f, 0xfd, 0x00, window];
    for _ in 0..200_000 {
        out.extend_from_slice(&block[..3]);
        out.push(0);
    }
    out
}

/// Bytes without a pattern, the same in every run (xorshift, Marsaglia 2003).
fn noise(length: usize) -> Vec<u8> {
    let mut state = 0x9e37_79b9_u32;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 17;
        state ^= state << 5;
        (state >> 24) as u8
    };
    (0..length).map(|_| next()).collect()
}

/// Reads until the request has begun. An answer ahead of it is another fault: over HTTP/2 its stream is still idle then, and
/// the frame an error of the connection (RFC 9113, section 5.1). What comes first over HTTP/2 is the preface and SETTINGS.
async fn asked<S: AsyncRead + Unpin>(stream: &mut S, attack: &Attack) -> std::io::Result<()> {
    if attack.early || attack.version != HttpVersion::H2 {
        return stream.read(&mut [0; 4096]).await.map(drop);
    }
    stream.read_exact(&mut [0; 24]).await?;
    loop {
        let mut head = [0; 9];
        stream.read_exact(&mut head).await?;
        let [a, b, c, kind, ..] = head;
        stream.read_exact(&mut vec![0; u32::from_be_bytes([0, a, b, c]) as usize]).await?;
        if kind == HEADERS {
            return Ok(());
        }
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin>(mut stream: S, attack: Arc<Attack>) {
    let mut request = vec![0; 4096];
    if asked(&mut stream, &attack).await.is_err() || stream.write_all(&attack.first).await.is_err() {
        return;
    }
    let _ = stream.flush().await;
    if attack.again.is_empty() {
        // Held open without a further word until the client goes.
        while stream.read(&mut request).await.is_ok_and(|n| n > 0) {}
        return;
    }
    while stream.write_all(&attack.again).await.is_ok() && stream.flush().await.is_ok() {
        if !attack.pause.is_zero() {
            tokio::time::sleep(attack.pause).await;
        }
    }
}

async fn listen(attack: Arc<Attack>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let tls = (attack.version == HttpVersion::H2).then(acceptor);
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let (attack, tls) = (Arc::clone(&attack), tls.clone());
            tokio::spawn(async move {
                match tls {
                    None => serve(stream, attack).await,
                    Some(tls) => {
                        if let Ok(stream) = tls.accept(stream).await {
                            serve(stream, attack).await;
                        }
                    }
                }
            });
        }
    });
    address
}

fn acceptor() -> tokio_rustls::TlsAcceptor {
    let key = rcgen::KeyPair::generate().expect("key");
    let names = vec!["api.example.test".to_owned()];
    let certificate = rcgen::CertificateParams::new(names).expect("name").self_signed(&key).expect("signed");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(
            vec![certificate.der().clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .expect("certificate");
    config.alpn_protocols = vec![b"h2".to_vec()];
    tokio_rustls::TlsAcceptor::from(Arc::new(config))
}

async fn ask(attack: Arc<Attack>) -> HttpObservation {
    let address = listen(Arc::clone(&attack)).await;
    let scheme = if attack.version == HttpVersion::H2 { "https" } else { "http" };
    let url = Url::parse(&format!("{scheme}://api.example.test:{}/", address.port())).expect("valid");
    let ctx = context();
    let version = Some(attack.version);
    let seen = http::get(&ctx, &url, &[address], version, Purpose::Endpoint, Vantage::Edge, None, 1).await;
    match seen.seen {
        Seen::Http(seen) => seen,
        other => panic!("not HTTP: {other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_attack_ends_inside_its_deadline_and_its_memory() {
    // What is loaded once (roots, tables of the TLS library) is not an attack's doing.
    for version in [HttpVersion::H1, HttpVersion::H2] {
        let warm = Attack { version, ..h1("warm", "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "") };
        drop(ask(Arc::new(warm)).await);
    }
    let attacks = attacks();
    assert!(attacks.len() >= 30, "{}", attacks.len());
    let mut told = Vec::new();
    for attack in attacks.into_iter().map(Arc::new) {
        let name = attack.name;
        let before = set_back();
        let began = Instant::now();
        let seen = tokio::time::timeout(DEADLINE + GRACE, ask(attack)).await;
        let seen = seen.unwrap_or_else(|_| panic!("{name}: not over {:?} after its deadline", GRACE));
        let took = began.elapsed();
        let grown = peak().saturating_sub(before);
        assert!(grown < BOUND_BYTE, "{name}: {grown} bytes more than before, the bound is {BOUND_BYTE}");
        told.push(format!("{name}: {} ms, {} KiB, {}", took.as_millis(), grown / 1024, outcome(&seen)));
        check(name, &seen);
    }
    println!("{}", told.join("\n"));
}

fn outcome(seen: &HttpObservation) -> String {
    match &seen.answer {
        Observed::Present(response) => {
            let body = &response.body;
            let decoded = body.decoded.as_ref().and_then(|d| d.problem.clone()).unwrap_or_default();
            format!(
                "{} with {} bytes, {} {decoded}",
                response.status,
                body.byte_count,
                body.cut.clone().unwrap_or_default()
            )
        }
        other => other.describe(),
    }
}

/// What came of an attack is told as what it is: an answer that was cut, a denial, or a silence; never a fault of ours.
fn check(name: &str, seen: &HttpObservation) {
    assert!(seen.answer.was_asked(), "{name}: {:?}", seen.answer);
    if name == "interim responses over HTTP/2" {
        let bounded = Denial::TooLarge { what: "interim responses".to_owned(), limit: 100 };
        assert_eq!(seen.answer, Observed::Denied(bounded), "{name}");
    }
    match &seen.answer {
        Observed::Present(response) => {
            let body = &response.body;
            assert!(body.byte_count <= 1024 * 1024, "{name}: {} bytes were read", body.byte_count);
            assert!(
                body.cut.is_some() || body.decoded.as_ref().is_some_and(|d| d.problem.is_some()),
                "{name}: {body:?}"
            );
        }
        Observed::Denied(
            Denial::Malformed { .. } | Denial::TooLarge { .. } | Denial::Closed { .. } | Denial::Reset { .. },
        )
        | Observed::Silent(_) => {}
        other => panic!("{name}: {other:?}"),
    }
}
