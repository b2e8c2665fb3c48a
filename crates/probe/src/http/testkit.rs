//! Real servers on loopback: well-behaved ones that answer from a function, and raw ones that say what a test wants.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Request, Response, Version};
use http_body_util::Full;
use hyper::server::conn::{http1, http2};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use landfall_evidence::{
    Endpoint, EndpointSource, Expectation, HttpObservation, Observation, Observed, Seen, Vantage,
};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::{Depth, Site};
use crate::net::{AddressMap, Context, test_context};

pub(crate) const HOST: &str = "api.example.test";

/// One request as a server saw it.
#[derive(Debug, Clone)]
pub(crate) struct Got {
    pub(crate) line: String,
    pub(crate) version: Version,
    pub(crate) user_agent: String,
}

type Answer = dyn Fn(&Request<()>) -> Response<Full<Bytes>> + Send + Sync;

/// What a server answers, and what it was asked.
#[derive(Clone)]
pub(crate) struct App {
    answer: Arc<Answer>,
    log: Arc<Mutex<Vec<Got>>>,
}

impl App {
    pub(crate) fn new(
        answer: impl Fn(&Request<()>) -> Response<Full<Bytes>> + Send + Sync + 'static,
    ) -> Self {
        Self { answer: Arc::new(answer), log: Arc::default() }
    }

    pub(crate) fn log(&self) -> Vec<Got> {
        self.log.lock().expect("no panic in a handler").clone()
    }

    fn handle(&self, request: &Request<()>) -> Response<Full<Bytes>> {
        let user_agent =
            request.headers().get("user-agent").and_then(|v| v.to_str().ok()).unwrap_or_default().to_owned();
        let line = format!("{} {}", request.method(), request.uri().path());
        let got = Got { line, version: request.version(), user_agent };
        self.log.lock().expect("no panic in a handler").push(got);
        (self.answer)(request)
    }

    async fn serve<S: AsyncRead + AsyncWrite + Send + Unpin + 'static>(self, stream: S, h2: bool) {
        let service = service_fn(move |request: Request<hyper::body::Incoming>| {
            let answer = self.handle(&request.map(|_| ()));
            async move { Ok::<_, Infallible>(answer) }
        });
        // How a connection ends is the client's business.
        if h2 {
            drop(
                http2::Builder::new(TokioExecutor::new())
                    .serve_connection(TokioIo::new(stream), service)
                    .await,
            );
        } else {
            drop(http1::Builder::new().serve_connection(TokioIo::new(stream), service).await);
        }
    }
}

pub(crate) fn text(status: u16, body: &str) -> Response<Full<Bytes>> {
    let builder = Response::builder().status(status).header("content-type", "text/plain; charset=utf-8");
    builder.body(Full::new(Bytes::copy_from_slice(body.as_bytes()))).expect("valid")
}

pub(crate) fn redirect(to: &str) -> Response<Full<Bytes>> {
    Response::builder().status(302).header("location", to).body(Full::default()).expect("valid")
}

/// Serves HTTP/1.1 in the clear.
pub(crate) async fn plain(app: &App) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    let app = app.clone();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(app.clone().serve(stream, false));
        }
    });
    address
}

/// Serves over TLS, with the versions that `alpn` names, and HTTP/3 on the same port when `h3` is asked for. Without, the
/// UDP port is held and stays silent.
pub(crate) async fn secure(app: &App, alpn: &[&[u8]], h3: bool) -> SocketAddr {
    let (listener, udp) = both_ports().await;
    let address = listener.local_addr().expect("bound");
    let config = Arc::new(server_config(alpn));
    let tls = app.clone();
    tokio::spawn(async move {
        let acceptor = tokio_rustls::TlsAcceptor::from(config);
        while let Ok((stream, _)) = listener.accept().await {
            let (acceptor, app) = (acceptor.clone(), tls.clone());
            tokio::spawn(async move {
                if let Ok(stream) = acceptor.accept(stream).await {
                    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    app.serve(stream, h2).await;
                }
            });
        }
    });
    if h3 {
        tokio::spawn(serve_h3(app.clone(), quic_endpoint(udp)));
    } else {
        tokio::spawn(async move {
            let _silent = udp;
            std::future::pending::<()>().await;
        });
    }
    address
}

/// A TCP and a UDP socket of the same port.
async fn both_ports() -> (TcpListener, std::net::UdpSocket) {
    for _ in 0..50 {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        if let Ok(udp) = std::net::UdpSocket::bind(address) {
            return (listener, udp);
        }
    }
    panic!("no port is free for both TCP and UDP");
}

fn server_config(alpn: &[&[u8]]) -> rustls::ServerConfig {
    let key = KeyPair::generate().expect("key");
    let certificate =
        CertificateParams::new(vec![HOST.to_owned()]).expect("name").self_signed(&key).expect("signed");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![certificate.der().clone()], key)
        .expect("certificate");
    config.alpn_protocols = alpn.iter().map(|a| a.to_vec()).collect();
    config
}

fn quic_endpoint(udp: std::net::UdpSocket) -> quinn::Endpoint {
    let crypto = quinn::crypto::rustls::QuicServerConfig::try_from(server_config(&[b"h3"])).expect("TLS 1.3");
    let config = quinn::ServerConfig::with_crypto(Arc::new(crypto));
    let runtime = quinn::default_runtime().expect("tokio");
    quinn::Endpoint::new(quinn::EndpointConfig::default(), Some(config), udp, runtime).expect("endpoint")
}

async fn serve_h3(app: App, endpoint: quinn::Endpoint) {
    while let Some(incoming) = endpoint.accept().await {
        let app = app.clone();
        tokio::spawn(async move {
            let Ok(connection) = incoming.await else { return };
            let Ok(mut connection) =
                h3::server::Connection::<_, Bytes>::new(h3_quinn::Connection::new(connection)).await
            else {
                return;
            };
            while let Ok(Some(resolver)) = connection.accept().await {
                let Ok((request, mut stream)) = resolver.resolve_request().await else { continue };
                let (parts, body) = app.handle(&request).into_parts();
                let sent = stream.send_response(Response::from_parts(parts, ())).await;
                let bytes = http_body_util::BodyExt::collect(body).await.expect("in memory").to_bytes();
                if sent.is_ok() && stream.send_data(bytes).await.is_ok() {
                    let _ = stream.finish().await;
                }
            }
        });
    }
}

/// A QUIC server that answers the first request stream with `bytes` again and again.
pub(crate) async fn raw_h3(first: &'static [u8], bytes: &'static [u8]) -> SocketAddr {
    let (listener, udp) = both_ports().await;
    let address = listener.local_addr().expect("bound");
    let endpoint = quic_endpoint(udp);
    tokio::spawn(async move {
        let _port = listener;
        while let Some(incoming) = endpoint.accept().await {
            tokio::spawn(async move {
                let Ok(connection) = incoming.await else { return };
                let Ok((mut send, _receive)) = connection.accept_bi().await else { return };
                let mut open = send.write_all(first).await.is_ok();
                while open {
                    open = send.write_all(bytes).await.is_ok();
                }
            });
        }
    });
    address
}

/// A TCP server that reads one request and then does as `act` says.
pub(crate) async fn raw<F>(act: impl Fn(TcpStream) -> F + Send + 'static) -> SocketAddr
where
    F: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            tokio::spawn(act(stream));
        }
    });
    address
}

/// Reads up to the end of a request's header block; `false` when the client went away.
pub(crate) async fn read_request(stream: &mut TcpStream) -> bool {
    let (mut seen, mut buffer) = (Vec::new(), [0_u8; 1024]);
    loop {
        match stream.read(&mut buffer).await {
            Ok(n) if n > 0 => seen.extend_from_slice(&buffer[..n]),
            _ => return false,
        }
        if seen.windows(4).any(|w| w == b"\r\n\r\n") {
            return true;
        }
    }
}

/// A raw server that answers each connection's first request with `first` and then `again` until the client goes away.
pub(crate) async fn drip(first: &'static str, again: &'static str, pause: Duration) -> SocketAddr {
    raw(move |mut stream| async move {
        if !read_request(&mut stream).await || stream.write_all(first.as_bytes()).await.is_err() {
            return;
        }
        while !again.is_empty() && stream.write_all(again.as_bytes()).await.is_ok() {
            if !pause.is_zero() {
                tokio::time::sleep(pause).await;
            }
        }
    })
    .await
}

/// Lets `limit` requests pass, refuses until `wait` has passed since the refusal, and then lets `limit` pass again.
pub(crate) struct Limiter {
    limit: u32,
    wait: Duration,
    state: Mutex<(u32, Option<Instant>)>,
}

impl Limiter {
    pub(crate) fn new(limit: u32, wait: Duration) -> Self {
        Self { limit, wait, state: Mutex::new((0, None)) }
    }

    pub(crate) fn refuses(&self) -> bool {
        let mut state = self.state.lock().expect("no panic inside");
        if state.1.is_some_and(|refused| refused.elapsed() >= self.wait) {
            *state = (0, None);
        }
        if state.0 < self.limit && state.1.is_none() {
            state.0 += 1;
            return false;
        }
        state.1.get_or_insert_with(Instant::now);
        true
    }

    pub(crate) fn refusal(&self) -> Response<Full<Bytes>> {
        let mut answer = text(429, "error code: 1015");
        answer.headers_mut().insert("retry-after", self.wait.as_secs().into());
        answer
    }
}

/// A context in which each public address leads to a loopback listener.
pub(crate) fn led(entries: &[(&str, SocketAddr)]) -> Context {
    let mut map = AddressMap::default();
    for (public, real) in entries {
        map.add(&format!("{public}:{real}")).expect("valid");
    }
    Context { map: map.into(), ..test_context() }
}

pub(crate) fn endpoint(method: &str, path: &str) -> Endpoint {
    Endpoint {
        method: method.into(),
        path: path.into(),
        source: EndpointSource::Declared,
        core: false,
        expect: Expectation::default(),
    }
}

pub(crate) fn site(
    base: &str,
    vantage: Vantage,
    addresses: &[&str],
    endpoints: Vec<Endpoint>,
    depth: Depth,
) -> Site {
    let base = Url::parse(base).expect("valid");
    let port = base.port_or_known_default().expect("http or https");
    Site {
        base,
        vantage,
        addresses: addresses.iter().map(|a| SocketAddr::new(a.parse().expect("valid"), port)).collect(),
        after: Some("dns/edge".into()),
        resolve_us: Some(1_000),
        endpoints,
        fault: None,
        depth,
    }
}

pub(crate) fn http(observation: &Observation) -> &HttpObservation {
    match &observation.seen {
        Seen::Http(seen) => seen,
        other => panic!("not HTTP: {other:?}"),
    }
}

pub(crate) fn status(observation: &Observation) -> u16 {
    match &http(observation).answer {
        Observed::Present(response) => response.status,
        other => panic!("{} has no response: {other:?}", observation.id),
    }
}
