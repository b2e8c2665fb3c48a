//! One connection to one address, of whichever HTTP version, and one exchange on it.
//!
//! Phases are measured as slices. The wait ends with the response's header block, which is the first thing that the
//! HTTP libraries show; a peer that dribbles its header block therefore spends its wait, not its transfer.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{HeaderMap, Method, Request, StatusCode, Version};
use http_body_util::{BodyExt as _, Full};
use hyper::client::conn::{http1, http2};
use hyper_util::rt::{TokioExecutor, TokioIo};
use landfall_evidence::{Denial, Header, HttpResponse, HttpVersion, Observed, Phase};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::task::JoinHandle;
use url::Url;

use super::body::Intake;
use super::{h3, interim, sort};
use crate::connect::{self, Fault, within};
use crate::net::Context;
use crate::tls::{self, Offer, Session};

/// A connection that is to be made.
#[derive(Debug, Clone)]
pub(crate) struct Dial {
    /// Host as the URL has it; IPv6 literals in brackets.
    pub(crate) host: String,
    /// The public address and port; the address map leads the packets.
    pub(crate) address: SocketAddr,
    /// Whether TLS is spoken.
    pub(crate) secure: bool,
    /// The one version to offer; `None` offers HTTP/2 and HTTP/1.1 over TLS and leaves the choice to the server.
    pub(crate) version: Option<HttpVersion>,
}

impl Dial {
    /// The connection that this URL needs, to this address and port. `None` when the URL has no host or is not HTTP.
    pub(crate) fn to(url: &Url, address: SocketAddr, version: Option<HttpVersion>) -> Option<Self> {
        let secure = match url.scheme() {
            "https" => true,
            "http" => false,
            _ => return None,
        };
        Some(Self { host: url.host_str()?.to_owned(), address, secure, version })
    }

    /// The version that is recorded as asked for while none has been negotiated.
    pub(crate) fn wanted(&self) -> HttpVersion {
        self.version.unwrap_or(if self.secure { HttpVersion::H2 } else { HttpVersion::H1 })
    }

    /// `name:port`, the ledger's key.
    pub(crate) fn place(&self) -> String {
        format!("{}:{}", self.host, self.address.port())
    }
}

/// How the connection was made.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Setup {
    pub(crate) began: Instant,
    pub(crate) ended: Instant,
    pub(crate) connect: Option<Duration>,
    pub(crate) tls: Option<Duration>,
    /// Dependent round trips, as far as it got.
    pub(crate) round_trips: u32,
}

impl Setup {
    pub(super) fn now() -> Self {
        let now = Instant::now();
        Self { began: now, ended: now, connect: None, tls: None, round_trips: 0 }
    }

    /// Ends the current phase and says how long it was.
    pub(super) fn lap(&mut self) -> Duration {
        let now = Instant::now();
        let slice = now.duration_since(self.ended);
        self.ended = now;
        slice
    }
}

/// A connection that could not be made.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    pub(crate) fault: Fault,
    pub(crate) setup: Setup,
}

/// An open connection.
pub(crate) struct Link {
    pub(crate) version: HttpVersion,
    pub(crate) setup: Setup,
    /// Whether an exchange has begun on it.
    pub(crate) used: bool,
    /// What the handshake showed; `None` in the clear and over QUIC.
    pub(crate) session: Option<Arc<Session>>,
    kind: Kind,
    _driver: Arc<Driver>,
}

enum Kind {
    H1(http1::SendRequest<Full<Bytes>>, Arc<interim::Count>),
    H2(http2::SendRequest<Full<Bytes>>, Arc<interim::Count>),
    H3(h3::Client),
}

/// The task that moves a connection's bytes; it ends with the last handle to the connection.
pub(super) struct Driver(JoinHandle<()>);

impl Driver {
    pub(super) fn spawn(work: impl Future<Output = ()> + Send + 'static) -> Arc<Self> {
        Arc::new(Self(tokio::spawn(work)))
    }
}

impl Drop for Driver {
    fn drop(&mut self) {
        self.0.abort();
    }
}

/// What came of one exchange.
pub(crate) struct Outcome {
    pub(crate) answer: Observed<HttpResponse>,
    pub(crate) wait: Option<Duration>,
    pub(crate) transfer: Option<Duration>,
    pub(crate) ended: Instant,
    /// Why the end of the body was not seen.
    pub(crate) cut: Option<Cut>,
}

/// Why the end of a body was not seen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cut {
    /// It is longer than our bound, in bytes.
    Bound(usize),
    /// The peer stopped short, in the words of the library, after so many bytes.
    Short(u64, String),
    /// It took longer than this.
    Slow(Duration),
    /// The audit's deadline passed.
    Deadline,
}

impl std::fmt::Display for Cut {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Bound(limit) => write!(f, "cut at the bound of {limit} bytes"),
            Self::Short(count, error) => write!(f, "the peer stopped short after {count} bytes: {error}"),
            Self::Slow(allowed) => write!(f, "not complete after {:.1} s", allowed.as_secs_f64()),
            Self::Deadline => f.write_str("the audit's deadline passed"),
        }
    }
}

/// Makes the connection: TCP and TLS, or QUIC for HTTP/3.
pub(crate) async fn open(ctx: &Context, dial: &Dial) -> Result<Link, Box<Failure>> {
    let mut setup = Setup::now();
    let opened = match (dial.version, dial.secure) {
        (Some(HttpVersion::H3), true) => open_quic(ctx, dial, &mut setup).await,
        (Some(version @ (HttpVersion::H2 | HttpVersion::H3)), false) => Err(Fault::local(format!(
            "{version} is only asked for over TLS or QUIC, and this URL is plain http"
        ))),
        _ => open_tcp(ctx, dial, &mut setup).await,
    };
    match opened {
        Ok(Opened { version, kind, driver, session }) => {
            Ok(Link { version, setup, used: false, session, kind, _driver: driver })
        }
        Err(fault) => {
            setup.ended = Instant::now();
            Err(Box::new(Failure { fault, setup }))
        }
    }
}

struct Opened {
    version: HttpVersion,
    kind: Kind,
    driver: Arc<Driver>,
    session: Option<Arc<Session>>,
}

async fn open_quic(ctx: &Context, dial: &Dial, setup: &mut Setup) -> Result<Opened, Fault> {
    let (client, driver) = h3::open(ctx, &dial.host, dial.address).await.inspect_err(|fault| {
        setup.round_trips = u32::from(matches!(fault, Fault::Denied(_)));
    })?;
    setup.tls = Some(setup.lap());
    setup.round_trips = 1;
    Ok(Opened { version: HttpVersion::H3, kind: Kind::H3(client), driver, session: None })
}

async fn open_tcp(ctx: &Context, dial: &Dial, setup: &mut Setup) -> Result<Opened, Fault> {
    let stream = connect::tcp(ctx, &dial.host, dial.address).await.inspect_err(|fault| {
        setup.round_trips = u32::from(matches!(fault, Fault::Denied(_)));
    })?;
    setup.connect = Some(setup.lap());
    setup.round_trips = 1;
    if !dial.secure {
        return shake_h1(ctx, stream).await;
    }
    // Asked for HTTP/2, both are offered all the same: what a server chooses instead says more than its alert.
    let offer = if dial.version == Some(HttpVersion::H1) { Offer::Http1 } else { Offer::Http };
    let config = ctx.roots.config(offer);
    let stream = match tls::upgrade(ctx, &dial.host, stream, config).await {
        Ok(stream) => stream,
        Err(fault) => {
            setup.round_trips += u32::from(matches!(fault, Fault::Denied(_)));
            return Err(no_common_protocol(fault));
        }
    };
    setup.tls = Some(setup.lap());
    let session = Session::of(stream.get_ref().1);
    setup.round_trips += session.round_trips();
    let chosen = session.alpn().map(str::to_owned);
    let got = if chosen.as_deref() == Some("h2") { HttpVersion::H2 } else { HttpVersion::H1 };
    if dial.version.is_some_and(|wanted| wanted != got) {
        return Err(Fault::Denied(Denial::VersionNotOffered { chosen }));
    }
    let opened =
        if got == HttpVersion::H2 { shake_h2(ctx, stream).await } else { shake_h1(ctx, stream).await };
    opened.map(|opened| Opened { session: Some(Arc::new(session)), ..opened })
}

/// Alert 120 says that the two sides have no version in common (RFC 7301, section 3.2).
fn no_common_protocol(fault: Fault) -> Fault {
    match fault {
        Fault::Denied(Denial::TlsAlert { code: 120, .. }) => {
            Fault::Denied(Denial::VersionNotOffered { chosen: None })
        }
        other => other,
    }
}

async fn shake_h1<S>(ctx: &Context, stream: S) -> Result<Opened, Fault>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    // The bound in bytes is to be the one that is met; fields are counted once they are parsed. The shortest field is four
    // bytes, and the library's map holds at most 32768. It takes 64 bytes of memory for each, which an audit can afford
    // and a server that makes a thousand checks a second cannot.
    let most = if ctx.deadline_counts { 1024 } else { 16_384 };
    let slots = (ctx.limits.header_byte / 4).min(most).max(ctx.limits.header_count);
    let (stream, interim) = interim::Counted::h1(stream);
    let (sender, connection) = http1::Builder::new()
        .max_headers(slots)
        .max_header_size(ctx.limits.header_byte)
        // The read buffer must hold a whole header block; the library accepts nothing under 8 KiB.
        .max_buf_size(ctx.limits.header_byte.max(8 * 1024))
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| sort::hyper(&error, Phase::Wait, ctx.limits.header_byte))?;
    // The driver's error reaches the exchange through the sender.
    let driver = Driver::spawn(async move { drop(connection.await) });
    Ok(Opened { version: HttpVersion::H1, kind: Kind::H1(sender, interim), driver, session: None })
}

async fn shake_h2<S>(ctx: &Context, stream: S) -> Result<Opened, Fault>
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
{
    let window = u32::try_from(ctx.limits.body_byte).unwrap_or(u32::MAX).clamp(64 * 1024, 2 * 1024 * 1024);
    let (stream, interim) = interim::Counted::h2(stream);
    let (sender, connection) = http2::Builder::new(TokioExecutor::new())
        // Past its own bound the library answers as to any malformed block, so that bound is set wide, and the real one
        // is checked on the parsed fields.
        .max_header_list_size(u32::try_from(ctx.limits.header_byte).unwrap_or(u32::MAX).saturating_mul(4))
        .initial_stream_window_size(window)
        .initial_connection_window_size(window * 2)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|error| sort::hyper(&error, Phase::Wait, ctx.limits.header_byte))?;
    let driver = Driver::spawn(async move { drop(connection.await) });
    Ok(Opened { version: HttpVersion::H2, kind: Kind::H2(sender, interim), driver, session: None })
}

impl Link {
    /// A second handle to the same connection, where the version can carry several exchanges at once.
    pub(crate) fn share(&self) -> Option<Self> {
        let kind = match &self.kind {
            Kind::H1(..) => return None,
            Kind::H2(sender, interim) => Kind::H2(sender.clone(), Arc::clone(interim)),
            Kind::H3(client) => Kind::H3(client.clone()),
        };
        Some(Self {
            version: self.version,
            setup: self.setup,
            used: true,
            session: self.session.clone(),
            kind,
            _driver: Arc::clone(&self._driver),
        })
    }

    /// Whether the peer still holds the connection open, as far as this side has noticed.
    pub(crate) async fn is_usable(&mut self) -> bool {
        // A connection that is neither ready nor closed soon after its last answer is of no use either.
        let patience = Duration::from_secs(1);
        match &mut self.kind {
            Kind::H1(sender, _) => matches!(tokio::time::timeout(patience, sender.ready()).await, Ok(Ok(()))),
            Kind::H2(sender, _) => matches!(tokio::time::timeout(patience, sender.ready()).await, Ok(Ok(()))),
            Kind::H3(client) => client.is_open(),
        }
    }

    /// Sends one request and reads its response, each within its limit.
    pub(crate) async fn exchange(
        &mut self,
        ctx: &Context,
        method: &Method,
        url: &Url,
        headers: &[Header],
        body: Bytes,
    ) -> Outcome {
        self.used = true;
        let began = Instant::now();
        let head = match request(self.version, method, url, headers, body) {
            Ok(request) => {
                within(ctx, Phase::Wait, ctx.limits.wait, self.head(ctx, request)).await.and_then(|head| head)
            }
            Err(error) => Err(Fault::local(format!("the request cannot be built: {error}"))),
        };
        let answered = Instant::now();
        let (parts, incoming) = match head {
            Ok(head) => head,
            Err(fault) => {
                return Outcome {
                    answer: fault.into_observed(),
                    wait: None,
                    transfer: None,
                    ended: answered,
                    cut: None,
                };
            }
        };
        let wait = Some(answered.duration_since(began));
        let headers = match fields(ctx, &parts.headers) {
            Ok(headers) => headers,
            Err(denial) => {
                let answer = Observed::Denied(denial);
                return Outcome { answer, wait, transfer: None, ended: answered, cut: None };
            }
        };
        let coding: Vec<&str> =
            headers.iter().filter(|h| h.name == "content-encoding").map(|h| h.value.as_str()).collect();
        let coding = coding.join(", ");
        let encoded = !coding.is_empty() && !coding.eq_ignore_ascii_case("identity");
        let mut intake = Intake::new(ctx.limits.body_byte, ctx.limits.body_kept_byte);
        // A server that makes a thousand checks a second has no use for any of these.
        if !ctx.deadline_counts {
            intake = intake.with_likeness();
            let media = headers.iter().find(|h| h.name == "content-type").map_or("", |h| h.value.as_str());
            if parts.status == StatusCode::OK && !encoded && media.to_ascii_lowercase().contains("json") {
                intake = intake.with_document();
            }
            if encoded && method != Method::HEAD && parts.status != StatusCode::NOT_MODIFIED {
                intake = intake.with_coding(coding);
            }
        }
        let (intake, cut) = read(ctx, incoming, method, intake).await;
        let ended = Instant::now();
        let response = HttpResponse {
            version: version(parts.version),
            status: parts.status.as_u16(),
            redirect_to: redirect(parts.status, &headers, url),
            headers,
            body: intake.finish(cut.as_ref().map(Cut::to_string), encoded),
        };
        let transfer = Some(ended.duration_since(answered));
        Outcome { answer: Observed::Present(response), wait, transfer, ended, cut }
    }

    async fn head(
        &mut self,
        ctx: &Context,
        mut request: Request<Full<Bytes>>,
    ) -> Result<(Parts, Incoming), Fault> {
        let limit = ctx.limits.header_byte;
        let (response, too_many) = match &mut self.kind {
            Kind::H1(sender, interim) => {
                let _awaiting = interim.begin_h1(&mut request);
                (sender.send_request(request).await, interim.exceeded())
            }
            Kind::H2(sender, interim) => {
                let _awaiting = interim.begin_h2();
                (sender.send_request(request).await, interim.exceeded())
            }
            Kind::H3(client) => {
                let (response, stream) = client.send(request, limit).await?;
                return Ok((Parts::of(&response), Incoming::H3(Box::new(stream))));
            }
        };
        let response = response.map_err(|error| match too_many {
            true => interim::too_many(),
            false => sort::hyper(&error, Phase::Wait, limit),
        })?;
        Ok((Parts::of(&response), Incoming::Hyper(response.into_body())))
    }
}

struct Parts {
    status: StatusCode,
    version: Version,
    headers: HeaderMap,
}

impl Parts {
    fn of<B>(response: &http::Response<B>) -> Self {
        Self { status: response.status(), version: response.version(), headers: response.headers().clone() }
    }
}

enum Incoming {
    Hyper(hyper::body::Incoming),
    H3(Box<h3::Stream>),
}

impl Incoming {
    /// The next bytes of the body; `None` at its end. Trailers are passed over.
    async fn chunk(&mut self) -> Result<Option<Bytes>, String> {
        match self {
            Self::Hyper(body) => loop {
                match body.frame().await {
                    None => return Ok(None),
                    Some(Ok(frame)) => {
                        if let Ok(data) = frame.into_data() {
                            return Ok(Some(data));
                        }
                    }
                    Some(Err(error)) => return Err(sort::words(&error)),
                }
            },
            Self::H3(stream) => stream.chunk().await,
        }
    }
}

/// Reads the body within its bound and its time. The second value says why the end was not seen.
async fn read(
    ctx: &Context,
    mut incoming: Incoming,
    method: &Method,
    mut intake: Intake,
) -> (Intake, Option<Cut>) {
    if method == Method::HEAD {
        return (intake, None);
    }
    let allowed = ctx.within(ctx.limits.transfer);
    let end = tokio::time::Instant::now() + allowed;
    let cut = loop {
        match tokio::time::timeout_at(end, incoming.chunk()).await {
            Ok(Ok(None)) => break None,
            Ok(Ok(Some(bytes))) => {
                if !intake.take(&bytes) {
                    break Some(Cut::Bound(ctx.limits.body_byte));
                }
            }
            Ok(Err(error)) => {
                break Some(Cut::Short(intake.count(), error));
            }
            Err(_) if allowed < ctx.limits.transfer && !ctx.deadline_counts => break Some(Cut::Deadline),
            Err(_) => break Some(Cut::Slow(allowed)),
        }
    };
    (intake, cut)
}

/// HTTP/1.1 has the path in its request line and the authority in `host` (RFC 9112, section 3.2); the later versions
/// take both from the URL.
fn request(
    version: HttpVersion,
    method: &Method,
    url: &Url,
    headers: &[Header],
    body: Bytes,
) -> Result<Request<Full<Bytes>>, http::Error> {
    let uri = if version == HttpVersion::H1 {
        &url[url::Position::BeforePath..url::Position::AfterQuery]
    } else {
        &url[..url::Position::AfterQuery]
    };
    let mut builder = Request::builder().method(method).uri(uri);
    for header in headers {
        builder = builder.header(&header.name, &header.value);
    }
    builder.body(Full::new(body))
}

/// The fields as evidence, inside both bounds. The library's map groups repeated names and keeps the order otherwise.
fn fields(ctx: &Context, map: &HeaderMap) -> Result<Vec<Header>, Denial> {
    if map.len() > ctx.limits.header_count {
        return Err(Denial::TooLarge {
            what: "header count".to_owned(),
            limit: ctx.limits.header_count as u64,
        });
    }
    let byte_count: usize = map.iter().map(|(name, value)| name.as_str().len() + value.len()).sum();
    if byte_count > ctx.limits.header_byte {
        return Err(sort::headers_too_large(ctx.limits.header_byte));
    }
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Ok(map
        .iter()
        .map(|(name, value)| Header { name: name.as_str().to_owned(), value: text(value.as_bytes()) })
        .collect())
}

fn version(version: Version) -> HttpVersion {
    match version {
        Version::HTTP_3 => HttpVersion::H3,
        Version::HTTP_2 => HttpVersion::H2,
        Version::HTTP_11 => HttpVersion::H1,
        _ => HttpVersion::H10,
    }
}

/// The target of a 3xx with a Location, made absolute (RFC 9110, section 10.2.2).
fn redirect(status: StatusCode, headers: &[Header], asked: &Url) -> Option<String> {
    let location = headers.iter().find(|h| h.name == "location").filter(|_| status.is_redirection())?;
    asked.join(&location.value).ok().map(String::from)
}
