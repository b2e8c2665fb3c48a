//! Scripted HTTP/1.1 over a real socket: what a vendor's edge answers, or how a connection dies, byte by byte.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::StatusCode;
use jiff::fmt::strtime;
use regex::Regex;
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinSet;
use tokio::time::{sleep, timeout};
use tokio_rustls::TlsAcceptor;

use super::format::{Action, AnswerSpec};
use super::placeholders::Values;
use crate::error::LabError;

/// The largest head of a request that is read.
const MAX_HEAD_BYTE: usize = 64 * 1024;
/// The largest body, of a request or of an answer that is passed on.
const MAX_BODY_BYTE: usize = 4 * 1024 * 1024;
/// How long a client may take for a handshake or a request.
const PATIENCE: Duration = Duration::from_secs(30);
/// How long a connection is kept open in silence: longer than any audit waits.
const SILENCE: Duration = Duration::from_secs(180);
/// How long another server may take for an answer that is passed on: the usual limit of a proxy.
const BEHIND: Duration = Duration::from_secs(60);

/// What is done with a new connection, before any request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Handshake {
    Ok,
    Close,
    Reset,
    Silent,
    /// Answers a TLS handshake in plain HTTP, as a server on the wrong port does.
    Plain,
    /// Answers with a TLS alert (RFC 8446 section 6): 40 handshake_failure, 112 unrecognized_name.
    Alert(u8),
}

/// Reads what a recipe says about new connections.
pub(super) fn handshake(text: &str) -> Result<Handshake, String> {
    match text {
        "ok" => Ok(Handshake::Ok),
        "close" => Ok(Handshake::Close),
        "reset" => Ok(Handshake::Reset),
        "silent" => Ok(Handshake::Silent),
        "plain" => Ok(Handshake::Plain),
        other => {
            other.strip_prefix("alert:").and_then(|code| code.parse().ok()).map(Handshake::Alert).ok_or_else(
                || format!("handshake = {other:?}; use ok, close, reset, silent, plain or alert:CODE"),
            )
        }
    }
}

/// Whether an answer can be given; else what is wrong, and a text on its line.
pub(super) fn check(answer: &AnswerSpec) -> Result<(), (String, String)> {
    let patterns = answer.path.iter().chain(&answer.host).chain(answer.header.values());
    for pattern in patterns {
        if let Some(source) = pattern.strip_prefix('~') {
            Regex::new(source).map_err(|e| {
                (format!("answer: {source:?} is not a regular expression: {e}"), source.to_owned())
            })?;
        }
    }
    if !(200..=999).contains(&answer.status) {
        return Err((
            format!("answer: status = {} is none", answer.status),
            format!("status = {}", answer.status),
        ));
    }
    for (name, value) in &answer.headers {
        let texts = value.is_str() || value.as_array().is_some_and(|all| all.iter().all(toml::Value::is_str));
        if !texts || name.parse::<http::HeaderName>().is_err() {
            return Err((
                format!("answer: header {name:?} is not a field name with a text or a list of texts"),
                name.clone(),
            ));
        }
    }
    if let Some(body) = &answer.body_base64 {
        STANDARD
            .decode(body.split_whitespace().collect::<String>())
            .map_err(|e| (format!("answer: body_base64 is not base64: {e}"), "body_base64".into()))?;
    }
    Ok(())
}

/// A text to compare with.
enum Pattern {
    Exact(String),
    Matches(Regex),
}

impl Pattern {
    fn new(text: &str) -> Result<Self, LabError> {
        match text.strip_prefix('~') {
            None => Ok(Self::Exact(text.to_owned())),
            Some(source) => Regex::new(source)
                .map(Self::Matches)
                .map_err(|e| LabError::Recipe { file: "recipe".into(), problem: e.to_string() }),
        }
    }

    fn fits(&self, text: &str) -> bool {
        match self {
            Self::Exact(exact) => exact == text,
            Self::Matches(regex) => regex.is_match(text),
        }
    }
}

struct Rule {
    spec: AnswerSpec,
    path: Option<Pattern>,
    host: Option<Pattern>,
    header: Vec<(String, Pattern)>,
    body: Vec<u8>,
    forward: Option<SocketAddr>,
    fitted: AtomicU32,
}

/// An actor that can serve.
pub(super) struct Actor {
    rules: Vec<Rule>,
    tls: Option<Arc<ServerConfig>>,
    handshake: Handshake,
}

struct Request {
    method: String,
    target: String,
    version: String,
    /// Names in lower case.
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Request {
    fn field(&self, name: &str) -> &str {
        self.fields.iter().find(|(n, _)| n == name).map_or("", |(_, v)| v.as_str())
    }

    fn host(&self) -> String {
        let host = self.field("host");
        let name = if host.starts_with('[') { host } else { host.split(':').next().unwrap_or_default() };
        name.to_ascii_lowercase()
    }

    fn keeps_alive(&self) -> bool {
        self.version == "HTTP/1.1" && !self.field("connection").eq_ignore_ascii_case("close")
    }
}

impl Actor {
    /// An actor with these answers. `values` fills the placeholders of bodies and header fields.
    pub(super) fn new(
        answers: &[AnswerSpec],
        handshake: Handshake,
        tls: Option<Arc<ServerConfig>>,
        values: &Values,
    ) -> Result<Self, LabError> {
        let mut rules = Vec::new();
        for spec in answers {
            let mut spec = spec.clone();
            spec.body = values.fill(&spec.body);
            let body = match &spec.body_base64 {
                Some(text) => {
                    STANDARD.decode(text.split_whitespace().collect::<String>()).unwrap_or_default()
                }
                None => spec.body.clone().into_bytes(),
            };
            let header = spec
                .header
                .iter()
                .map(|(name, text)| Ok((name.to_ascii_lowercase(), Pattern::new(text)?)))
                .collect::<Result<_, LabError>>()?;
            rules.push(Rule {
                path: spec.path.as_deref().map(Pattern::new).transpose()?,
                host: spec.host.as_deref().map(Pattern::new).transpose()?,
                header,
                body,
                forward: spec
                    .forward
                    .as_ref()
                    .and_then(|name| values.ports.get(name))
                    .map(|port| ([127, 0, 0, 1], *port).into()),
                fitted: AtomicU32::new(0),
                spec,
            });
        }
        Ok(Self { rules, tls, handshake })
    }

    /// Serves until the future is dropped, which ends every connection.
    pub(super) async fn serve(self: Arc<Self>, listeners: Vec<TcpListener>) {
        let mut all = JoinSet::new();
        for listener in listeners {
            let actor = Arc::clone(&self);
            all.spawn(async move { actor.accept(listener).await });
        }
        while all.join_next().await.is_some() {}
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        let mut connections = JoinSet::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => if let Ok((stream, _)) = accepted {
                    let _ = stream.set_nodelay(true);
                    let actor = Arc::clone(&self);
                    connections.spawn(async move { actor.connection(stream).await });
                },
                Some(_) = connections.join_next() => {}
            }
        }
    }

    async fn connection(&self, mut stream: TcpStream) {
        match self.handshake {
            Handshake::Ok => {}
            Handshake::Close => {
                // The client's first bytes are read, so that the end is a FIN and not a reset over unread data.
                let _ = timeout(PATIENCE, stream.read(&mut [0; 4_096])).await;
                return;
            }
            Handshake::Reset => return reset(&stream),
            Handshake::Silent => return until_gone(&mut stream).await,
            Handshake::Plain => {
                let _ = timeout(PATIENCE, stream.read(&mut [0; 4_096])).await;
                let _ = stream.write_all(b"HTTP/1.1 400 Bad Request\r\ncontent-length: 11\r\nconnection: close\r\n\r\nBad Request").await;
                return;
            }
            Handshake::Alert(code) => {
                let _ = timeout(PATIENCE, stream.read(&mut [0; 16_384])).await;
                // A fatal alert in one record (RFC 8446 sections 5.1 and 6).
                let _ = stream.write_all(&[21, 3, 3, 0, 2, 2, code]).await;
                return;
            }
        }
        match &self.tls {
            None => {
                if self.requests(&mut stream).await == End::Reset {
                    reset(&stream);
                }
            }
            Some(config) => {
                let acceptor = TlsAcceptor::from(Arc::clone(config));
                let Ok(Ok(mut stream)) = timeout(PATIENCE, acceptor.accept(stream)).await else { return };
                match self.requests(&mut stream).await {
                    End::Reset => reset(stream.get_ref().0),
                    // Without close_notify, as connections end that somebody cuts.
                    End::Cut => {}
                    End::Over => {
                        let _ = timeout(PATIENCE, stream.shutdown()).await;
                    }
                }
            }
        }
    }

    async fn requests<S: AsyncRead + AsyncWrite + Unpin + Send>(&self, stream: &mut S) -> End {
        let mut buffer = Vec::new();
        loop {
            let Ok(Some(request)) = timeout(PATIENCE, read_request(stream, &mut buffer)).await else {
                return End::Over;
            };
            let keep = request.keeps_alive();
            match self.answer(stream, &request).await {
                Some(end) => return end,
                None if keep => {}
                None => return End::Over,
            }
        }
    }

    /// `None`: an answer was given, and the connection may go on.
    async fn answer<S: AsyncRead + AsyncWrite + Unpin + Send>(
        &self,
        stream: &mut S,
        request: &Request,
    ) -> Option<End> {
        for rule in self.rules.iter().filter(|rule| rule.fits(request)) {
            sleep(Duration::from_millis(rule.spec.delay_ms)).await;
            let message = match rule.forward {
                None => rule.message(request),
                Some(to) => match forward(to, request).await {
                    Some(behind) => rule.over(request, behind),
                    // Nobody answers there: the next answer that fits says so.
                    None => continue,
                },
            };
            return rule.act(stream, request, message).await;
        }
        let plain = Message {
            status: 404,
            reason: "Not Found".into(),
            fields: vec![("content-type".into(), "text/plain".into())],
            body: b"not found\n".to_vec(),
        };
        let bytes = [plain.head(request, true), plain.body_for(request)].concat();
        if stream.write_all(&bytes).await.is_err() { Some(End::Over) } else { None }
    }
}

/// How a connection ends.
#[derive(Debug, PartialEq, Eq)]
enum End {
    Over,
    Cut,
    Reset,
}

/// An answer before it is bytes.
struct Message {
    status: u16,
    reason: String,
    fields: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Message {
    /// Status line and fields. Length and date are added where nobody gave them.
    fn head(&self, request: &Request, date: bool) -> Vec<u8> {
        let has = |name: &str| self.fields.iter().any(|(n, _)| n.eq_ignore_ascii_case(name));
        let mut head = format!("HTTP/1.1 {} {}\r\n", self.status, self.reason);
        if date && !has("date") {
            head.push_str(&format!("date: {}\r\n", http_date(0)));
        }
        for (name, value) in &self.fields {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let bodiless = self.status == 204 || self.status == 304;
        if !bodiless && !has("content-length") && !has("transfer-encoding") {
            head.push_str(&format!("content-length: {}\r\n", self.body.len()));
        }
        if !request.keeps_alive() && !has("connection") {
            head.push_str("connection: close\r\n");
        }
        head.push_str("\r\n");
        head.into_bytes()
    }

    fn body_for(&self, request: &Request) -> Vec<u8> {
        if request.method == "HEAD" || self.status == 204 || self.status == 304 {
            return Vec::new();
        }
        let chunked = self
            .fields
            .iter()
            .any(|(n, v)| n.eq_ignore_ascii_case("transfer-encoding") && v.eq_ignore_ascii_case("chunked"));
        if chunked {
            let mut framed = format!("{:x}\r\n", self.body.len()).into_bytes();
            framed.extend_from_slice(&self.body);
            framed.extend_from_slice(if self.body.is_empty() { b"\r\n" } else { b"\r\n0\r\n\r\n" });
            return framed;
        }
        self.body.clone()
    }
}

impl Rule {
    fn fits(&self, request: &Request) -> bool {
        let spec = &self.spec;
        let path = |pattern: &Pattern| {
            pattern.fits(&request.target)
                || matches!(pattern, Pattern::Exact(p) if request.target.split('?').next() == Some(p))
        };
        let fits = spec.method.as_ref().is_none_or(|m| m.eq_ignore_ascii_case(&request.method))
            && self.path.as_ref().is_none_or(path)
            && self.host.as_ref().is_none_or(|p| p.fits(&request.host()))
            && self.header.iter().all(|(name, p)| p.fits(request.field(name)));
        if !fits {
            return false;
        }
        let nth = self.fitted.fetch_add(1, Ordering::Relaxed) + 1;
        (spec.nth.is_empty() || spec.nth.contains(&nth)) && spec.times.is_none_or(|times| nth <= times)
    }

    fn own_fields(&self, request: &Request) -> Vec<(String, String)> {
        let fill = |text: &str| fill(text, request);
        let values = |value: &toml::Value| -> Vec<String> {
            match value {
                toml::Value::Array(all) => all.iter().filter_map(|v| v.as_str().map(fill)).collect(),
                other => other.as_str().map(fill).into_iter().collect(),
            }
        };
        let of = |(name, value): (&String, &toml::Value)| {
            values(value).into_iter().map(|v| (name.clone(), v)).collect::<Vec<_>>()
        };
        self.spec.headers.iter().flat_map(of).collect()
    }

    fn message(&self, request: &Request) -> Message {
        let body = match &self.spec.body_base64 {
            Some(_) => self.body.clone(),
            None => fill(&self.spec.body, request).into_bytes(),
        };
        let usual = StatusCode::from_u16(self.spec.status).ok().and_then(|s| s.canonical_reason());
        let reason = self.spec.reason.clone().unwrap_or_else(|| usual.unwrap_or_default().to_owned());
        Message { status: self.spec.status, reason, fields: self.own_fields(request), body }
    }

    /// The answer of another server with this rule's fields put over it.
    fn over(&self, request: &Request, mut behind: Message) -> Message {
        let own = self.own_fields(request);
        behind.fields.retain(|(name, _)| !own.iter().any(|(n, _)| n.eq_ignore_ascii_case(name)));
        behind.fields.extend(own);
        behind
    }

    async fn act<S: AsyncWrite + AsyncRead + Unpin + Send>(
        &self,
        stream: &mut S,
        request: &Request,
        message: Message,
    ) -> Option<End> {
        let gone = |wrote: std::io::Result<()>| if wrote.is_err() { Some(End::Over) } else { None };
        match self.spec.action {
            Action::Answer => {
                let body = message.body_for(request);
                let head = message.head(request, self.spec.date);
                if self.spec.delay_body_ms > 0 && !body.is_empty() {
                    if stream.write_all(&head).await.is_err() || stream.flush().await.is_err() {
                        return Some(End::Over);
                    }
                    sleep(Duration::from_millis(self.spec.delay_body_ms)).await;
                    return gone(write(stream, &body).await);
                }
                gone(write(stream, &[head, body].concat()).await)
            }
            Action::Reset => Some(End::Reset),
            Action::Close => Some(End::Over),
            Action::Silent => {
                until_gone(stream).await;
                Some(End::Over)
            }
            Action::Garbage => {
                let noise: &[u8] =
                    if message.body.is_empty() { b"\x00\x01\x02 not http\r\n\r\n" } else { &message.body };
                let _ = write(stream, noise).await;
                Some(End::Over)
            }
            Action::Cut => {
                let at = self.spec.cut_at.unwrap_or(message.body.len() / 2).min(message.body.len());
                let head = message.head(request, self.spec.date);
                let _ = write(stream, &[&head[..], &message.body[..at]].concat()).await;
                Some(End::Cut)
            }
        }
    }
}

async fn write<S: AsyncWrite + Unpin>(stream: &mut S, bytes: &[u8]) -> std::io::Result<()> {
    match timeout(PATIENCE, async {
        stream.write_all(bytes).await?;
        stream.flush().await
    })
    .await
    {
        Ok(done) => done,
        Err(_) => Err(std::io::ErrorKind::TimedOut.into()),
    }
}

/// Waits in silence until the client leaves.
async fn until_gone<S: AsyncRead + Unpin>(stream: &mut S) {
    let mut ignored = [0; 4_096];
    let _ =
        timeout(SILENCE, async { while matches!(stream.read(&mut ignored).await, Ok(n) if n > 0) {} }).await;
}

/// The next close sends RST and not FIN.
fn reset(stream: &TcpStream) {
    let _ = socket2::SockRef::from(stream).set_linger(Some(Duration::ZERO));
}

/// `{host}`, `{path}` and `{date:SECONDS}` in a text.
fn fill(text: &str, request: &Request) -> String {
    let mut text = text.replace("{host}", &request.host()).replace("{path}", &request.target);
    while let Some(from) = text.find("{date:") {
        let Some(len) = text[from..].find('}') else { break };
        let Ok(seconds) = text[from + 6..from + len].parse::<i64>() else { break };
        text.replace_range(from..=from + len, &http_date(seconds));
    }
    text
}

/// The HTTP date (RFC 9110 section 5.6.7) some seconds from now.
fn http_date(seconds: i64) -> String {
    let now = jiff::Timestamp::now();
    let at = now.checked_add(jiff::SignedDuration::from_secs(seconds)).unwrap_or(now);
    strtime::format("%a, %d %b %Y %H:%M:%S GMT", &at.to_zoned(jiff::tz::TimeZone::UTC)).unwrap_or_default()
}

/// One request; `None` when the client left or sent something else.
async fn read_request<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<Request> {
    let end = read_head(stream, buffer).await?;
    let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
    buffer.drain(..end + 4);
    let (first, fields) = split_head(&head);
    let mut words = first.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let mut request = Request {
        method: method.to_owned(),
        target: target.to_owned(),
        version: version.to_owned(),
        fields,
        body: Vec::new(),
    };
    let len: usize = request.field("content-length").parse().unwrap_or(0);
    if len > MAX_BODY_BYTE {
        return None;
    }
    while buffer.len() < len {
        if stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
    request.body = buffer.drain(..len).collect();
    Some(request)
}

/// Reads until the empty line; where it begins.
async fn read_head<S: AsyncRead + Unpin>(stream: &mut S, buffer: &mut Vec<u8>) -> Option<usize> {
    loop {
        if let Some(end) = buffer.windows(4).position(|w| w == b"\r\n\r\n") {
            return Some(end);
        }
        if buffer.len() > MAX_HEAD_BYTE || stream.read_buf(buffer).await.ok()? == 0 {
            return None;
        }
    }
}

fn split_head(head: &str) -> (String, Vec<(String, String)>) {
    let mut lines = head.split("\r\n");
    let first = lines.next().unwrap_or_default().to_owned();
    let fields = lines.filter_map(|line| line.split_once(':'));
    let fields = fields.map(|(n, v)| (n.trim().to_ascii_lowercase(), v.trim().to_owned())).collect();
    (first, fields)
}

/// Passes a request on and reads the whole answer; `None` when nobody answers.
async fn forward(to: SocketAddr, request: &Request) -> Option<Message> {
    timeout(BEHIND, async {
        let mut stream = TcpStream::connect(to).await.ok()?;
        let mut head = format!("{} {} HTTP/1.1\r\n", request.method, request.target);
        for (name, value) in &request.fields {
            if !["connection", "accept-encoding", "content-length"].contains(&name.as_str()) {
                head.push_str(&format!("{name}: {value}\r\n"));
            }
        }
        head.push_str(&format!(
            "x-forwarded-for: 127.0.0.1\r\nx-forwarded-proto: https\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
            request.body.len()
        ));
        stream.write_all(head.as_bytes()).await.ok()?;
        stream.write_all(&request.body).await.ok()?;
        let mut buffer = Vec::new();
        let end = read_head(&mut stream, &mut buffer).await?;
        let (first, mut fields) = split_head(&String::from_utf8_lossy(&buffer[..end]));
        let mut body = buffer.split_off(end + 4);
        let get = |fields: &[(String, String)], name: &str| {
            fields.iter().find(|(n, _)| n == name).map(|(_, v)| v.clone())
        };
        let length: Option<usize> = get(&fields, "content-length").and_then(|v| v.parse().ok());
        let wanted = if request.method == "HEAD" { Some(0) } else { length };
        while body.len() < wanted.unwrap_or(MAX_BODY_BYTE) {
            match stream.read_buf(&mut body).await {
                Ok(0) => break,
                Ok(_) => {}
                // An answer that breaks off is none.
                Err(_) => return None,
            }
        }
        if wanted.is_some_and(|wanted| body.len() < wanted) {
            return None;
        }
        if get(&fields, "transfer-encoding").is_some_and(|v| v.eq_ignore_ascii_case("chunked")) {
            body = unchunked(&body)?;
        }
        let keep_length = request.method == "HEAD";
        fields.retain(|(name, _)| {
            !["connection", "keep-alive", "transfer-encoding"].contains(&name.as_str())
                && (keep_length || name != "content-length")
        });
        let mut words = first.splitn(3, ' ');
        let status = words.nth(1)?.parse().ok()?;
        Some(Message { status, reason: words.next().unwrap_or_default().to_owned(), fields, body })
    })
    .await
    .ok()?
}

/// Takes the chunks apart (RFC 9112 section 7.1); `None` when they break off.
fn unchunked(mut bytes: &[u8]) -> Option<Vec<u8>> {
    let mut whole = Vec::new();
    loop {
        let end = bytes.windows(2).position(|w| w == b"\r\n")?;
        let size = std::str::from_utf8(&bytes[..end]).ok()?.split(';').next()?.trim().to_owned();
        let size = usize::from_str_radix(&size, 16).ok()?;
        bytes = &bytes[end + 2..];
        if size == 0 {
            return Some(whole);
        }
        whole.extend_from_slice(bytes.get(..size)?);
        bytes = bytes.get(size + 2..)?;
    }
}

/// Listens on both loopback addresses.
pub(super) async fn listen(port: u16) -> Result<Vec<TcpListener>, LabError> {
    let fail = |source| LabError::Listen { what: "actor", source };
    let v4 = TcpListener::bind(("127.0.0.1", port)).await.map_err(fail)?;
    // A machine without IPv6 has no second address to listen on.
    let v6 = TcpListener::bind(("::1", port)).await.ok();
    Ok(std::iter::once(v4).chain(v6).collect())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    fn fields_of(text: &str) -> BTreeMap<String, String> {
        split_head(text).1.into_iter().collect()
    }

    fn values(ports: BTreeMap<String, u16>) -> Values {
        Values { dir: "/w".into(), ca: "/w/ca".into(), ports, certificates: BTreeMap::new() }
    }

    async fn up(answers: &str, ports: BTreeMap<String, u16>) -> (JoinSet<()>, SocketAddr) {
        #[derive(serde::Deserialize)]
        struct Answers {
            answer: Vec<AnswerSpec>,
        }
        let answers: Answers = toml::from_str(answers).expect("answers");
        for answer in &answers.answer {
            check(answer).expect("valid");
        }
        let actor = Actor::new(&answers.answer, Handshake::Ok, None, &values(ports)).expect("made");
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("listens");
        let address = listener.local_addr().expect("bound");
        let mut tasks = JoinSet::new();
        tasks.spawn(Arc::new(actor).serve(vec![listener]));
        (tasks, address)
    }

    async fn ask(to: SocketAddr, request: &str) -> std::io::Result<String> {
        let mut stream = TcpStream::connect(to).await?;
        stream.write_all(request.as_bytes()).await?;
        let mut text = String::new();
        timeout(Duration::from_secs(5), stream.read_to_string(&mut text))
            .await
            .map_err(std::io::Error::from)??;
        Ok(text)
    }

    #[tokio::test]
    async fn the_first_answer_that_fits_wins_and_counts_are_kept() {
        let (_tasks, at) = up(
            "[[answer]]\npath = \"/once\"\ntimes = 1\nbody = \"first\"\n\
             [[answer]]\npath = \"/once\"\nstatus = 503\nheaders = { x-a = [\"1\", \"2\"], location = \"https://{host}{path}\" }\n\
             [[answer]]\npath = \"/reset\"\naction = \"reset\"\n\
             [[answer]]\npath = \"/cut\"\naction = \"cut\"\nbody = \"0123456789\"\n\
             [[answer]]\npath = \"~^/api/\"\nheader = { authorization = \"~^Bearer \" }\nbody_base64 = \"//4=\"\n",
            BTreeMap::new(),
        )
        .await;
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a.test:81\r\nConnection: close\r\n\r\n");
        assert!(ask(at, &get("/once")).await.expect("answered").ends_with("first"));
        let second = ask(at, &get("/once?x=1")).await.expect("answered");
        assert!(second.starts_with("HTTP/1.1 503 Service Unavailable\r\n"), "{second}");
        assert!(second.contains("x-a: 1\r\nx-a: 2\r\n"), "{second}");
        assert_eq!(fields_of(&second)["location"], "https://a.test/once?x=1");
        assert_eq!(fields_of(&second)["content-length"], "0");
        let error = ask(at, &get("/reset")).await.expect_err("reset");
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
        let cut = ask(at, &get("/cut")).await.expect("something");
        assert!(cut.contains("content-length: 10") && cut.ends_with("01234"), "{cut}");
        assert!(ask(at, &get("/api/x")).await.expect("answered").starts_with("HTTP/1.1 404"));
    }

    #[tokio::test]
    async fn a_request_is_passed_on_and_a_dead_server_behind_falls_through() {
        let (_behind, app) =
            up("[[answer]]\nbody = \"from behind\"\nheaders = { server = \"app\" }\n", BTreeMap::new()).await;
        let dead = landfall_ports::claimed();
        let ports = [("app".to_owned(), app.port()), ("dead".to_owned(), dead)].into();
        let (_tasks, at) = up(
            "[[answer]]\npath = \"/\"\nforward = \"app\"\nheaders = { server = \"edge\" }\n\
             [[answer]]\nforward = \"dead\"\n[[answer]]\nstatus = 521\nbody = \"error code: 521\"\n",
            ports,
        )
        .await;
        let get = |path: &str| format!("GET {path} HTTP/1.1\r\nHost: a.test\r\nConnection: close\r\n\r\n");
        let whole = ask(at, &get("/")).await.expect("answered");
        assert!(
            whole.ends_with("from behind")
                && whole.contains("server: edge")
                && !whole.contains("server: app")
        );
        assert!(ask(at, &get("/x")).await.expect("answered").ends_with("error code: 521"));
    }
}
