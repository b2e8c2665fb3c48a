//! An HTTP server of a test's own.

use std::collections::VecDeque;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http_body_util::{BodyExt as _, Full};
use hyper::body::Incoming;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair, KeyUsagePurpose};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::Notify;

/// A request as it came.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Recorded {
    /// `POST`.
    pub method: String,
    /// With its query.
    pub path: String,
    /// Names in lower case, in their order.
    pub headers: Vec<(String, String)>,
    /// As text.
    pub body: String,
}

impl Recorded {
    /// The first header of a name in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(n, _)| n == name).map(|(_, v)| v.as_str())
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> serde_json::Value {
        serde_json::from_str(&self.body).unwrap_or_default()
    }
}

/// What a receiver answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    /// Status.
    pub status: u16,
    /// Headers.
    pub headers: Vec<(String, String)>,
    /// Body.
    pub body: String,
}

impl Reply {
    /// A status with a body.
    pub fn new(status: u16, body: impl Into<String>) -> Self {
        Self { status, headers: Vec::new(), body: body.into() }
    }

    /// The same with another header.
    #[must_use]
    pub fn with(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }
}

/// A failure on demand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Fault {
    /// Another answer than the protocol's.
    Reply(Reply),
    /// No answer, ever.
    Hang,
    /// The connection is closed without one.
    Close,
    /// A body that never ends.
    Endless,
}

/// How a receiver answers a request that follows its protocol, or what is wrong with the request and what it answers then.
pub type Protocol = Arc<dyn Fn(&Recorded) -> Result<Reply, (Reply, String)> + Send + Sync>;

/// A receiver on loopback. It ends with the test's runtime.
#[derive(Clone)]
pub struct Receiver {
    /// `http://127.0.0.1:PORT`, or `https://localhost:PORT` with TLS.
    pub base: String,
    /// Its port.
    pub port: u16,
    shared: Arc<Shared>,
}

struct Shared {
    protocol: Protocol,
    state: Mutex<State>,
    came: Notify,
}

#[derive(Default)]
struct State {
    recorded: Vec<Recorded>,
    broken: Vec<String>,
    next: VecDeque<Fault>,
    always: Option<Fault>,
}

impl Receiver {
    /// One that takes everything with a 200.
    pub async fn start() -> Self {
        Self::speaking(Arc::new(|_| Ok(Reply::new(200, "")))).await
    }

    /// One that speaks a protocol.
    pub async fn speaking(protocol: Protocol) -> Self {
        Self::listen(protocol, None).await
    }

    /// One that speaks a protocol over TLS, as `localhost`.
    pub async fn over_tls(protocol: Protocol, authority: &Authority) -> Self {
        let (chain, key, _, _) = authority.leaf(&["localhost"]);
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ServerConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(chain, key)
            .expect("a certificate of ours");
        Self::listen(protocol, Some(tokio_rustls::TlsAcceptor::from(Arc::new(config)))).await
    }

    async fn listen(protocol: Protocol, tls: Option<tokio_rustls::TlsAcceptor>) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let port = listener.local_addr().expect("bound").port();
        let base = match tls {
            Some(_) => format!("https://localhost:{port}"),
            None => format!("http://127.0.0.1:{port}"),
        };
        let shared = Arc::new(Shared { protocol, state: Mutex::default(), came: Notify::new() });
        let serving = Arc::clone(&shared);
        tokio::spawn(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let (shared, tls) = (Arc::clone(&serving), tls.clone());
                tokio::spawn(async move {
                    match tls {
                        None => serve(stream, shared).await,
                        Some(tls) => {
                            if let Ok(stream) = tls.accept(stream).await {
                                serve(stream, shared).await;
                            }
                        }
                    }
                });
            }
        });
        Self { base, port, shared }
    }

    /// The next request meets this.
    pub fn fault(&self, fault: Fault) {
        self.state().next.push_back(fault);
    }

    /// Every request meets this, until [`Self::heal`].
    pub fn break_down(&self, fault: Fault) {
        self.state().always = Some(fault);
    }

    /// From now on everything works.
    pub fn heal(&self) {
        let mut state = self.state();
        state.always = None;
        state.next.clear();
    }

    /// What came, those that met a fault included.
    pub fn requests(&self) -> Vec<Recorded> {
        self.state().recorded.clone()
    }

    /// Values of `Idempotency-Key` in the order of their first coming.
    pub fn keys(&self) -> Vec<String> {
        let mut keys: Vec<String> = Vec::new();
        for request in self.requests() {
            let key = request.header("idempotency-key").unwrap_or_default().to_owned();
            if !keys.contains(&key) {
                keys.push(key);
            }
        }
        keys
    }

    /// Waits until so many requests have come.
    pub async fn received(&self, count: usize) {
        loop {
            let came = self.shared.came.notified();
            if self.state().recorded.len() >= count {
                return;
            }
            came.await;
        }
    }

    /// Fails the test when a request broke the protocol.
    pub fn assert_followed(&self) {
        let broken = self.state().broken.clone();
        assert!(broken.is_empty(), "the protocol was not followed: {broken:#?}\n{:#?}", self.requests());
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        self.shared.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn serve<S: AsyncRead + AsyncWrite + Unpin + Send + 'static>(stream: S, shared: Arc<Shared>) {
    let service = service_fn(move |request| answer(request, Arc::clone(&shared)));
    // A connection that ends badly is what some tests are about.
    let _ = hyper::server::conn::http1::Builder::new().serve_connection(TokioIo::new(stream), service).await;
}

type Body = http_body_util::combinators::UnsyncBoxBody<Bytes, io::Error>;

async fn answer(request: Request<Incoming>, shared: Arc<Shared>) -> Result<Response<Body>, io::Error> {
    let (head, body) = request.into_parts();
    let body = body.collect().await.map_err(io::Error::other)?.to_bytes();
    let recorded = Recorded {
        method: head.method.to_string(),
        path: head.uri.path_and_query().map(ToString::to_string).unwrap_or_default(),
        headers: head
            .headers
            .iter()
            .map(|(n, v)| (n.to_string(), String::from_utf8_lossy(v.as_bytes()).into_owned()))
            .collect(),
        body: String::from_utf8_lossy(&body).into_owned(),
    };
    let judged = (shared.protocol)(&recorded);
    let fault = {
        let mut state = shared.state.lock().unwrap_or_else(PoisonError::into_inner);
        let fault = state.next.pop_front().or_else(|| state.always.clone());
        if let Err((_, broken)) = &judged {
            state.broken.push(broken.clone());
        }
        state.recorded.push(recorded);
        fault
    };
    shared.came.notify_waiters();
    let reply = match fault {
        None => judged.unwrap_or_else(|(reply, _)| reply),
        Some(Fault::Reply(reply)) => reply,
        Some(Fault::Hang) => std::future::pending().await,
        Some(Fault::Close) => return Err(io::Error::other("closed on demand")),
        Some(Fault::Endless) => {
            let chunks = futures_util::stream::repeat_with(|| {
                Ok(hyper::body::Frame::data(Bytes::from_static(&[b'x'; 4096])))
            });
            return Ok(Response::new(http_body_util::StreamBody::new(chunks).boxed_unsync()));
        }
    };
    let mut response = Response::builder().status(reply.status);
    for (name, value) in reply.headers {
        response = response.header(name, value);
    }
    let body = Full::new(Bytes::from(reply.body)).map_err(|never| match never {}).boxed_unsync();
    response.body(body).map_err(io::Error::other)
}

/// A certificate authority of a test's own.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
}

impl Authority {
    /// A new one.
    pub fn new() -> Self {
        let mut params = CertificateParams::default();
        params.distinguished_name.push(rcgen::DnType::CommonName, "Landfall Test Root");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key is made");
        Self { issuer: CertifiedIssuer::self_signed(params, key).expect("the root signs itself") }
    }

    /// The root, for [`OutboundSettings::extra_roots`](crate::OutboundSettings::extra_roots).
    pub fn root(&self) -> CertificateDer<'static> {
        self.issuer.der().clone()
    }

    /// A certificate for names or addresses: chain and key, and both as PEM.
    pub fn leaf(
        &self,
        names: &[&str],
    ) -> (Vec<CertificateDer<'static>>, PrivateKeyDer<'static>, String, String) {
        let names: Vec<String> = names.iter().map(|n| (*n).to_owned()).collect();
        let mut params = CertificateParams::new(names).expect("names");
        params.use_authority_key_identifier_extension = true;
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        let key = KeyPair::generate().expect("a key is made");
        let leaf = params.signed_by(&key, &self.issuer).expect("the root signs");
        let der = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(key.serialize_der()));
        (vec![leaf.der().clone()], der, leaf.pem(), key.serialize_pem())
    }
}

impl Default for Authority {
    fn default() -> Self {
        Self::new()
    }
}
