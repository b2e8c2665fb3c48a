//! The edge: what Cloudflare looks like to a client, in front of the platform's router.

mod headers;
mod limiter;
mod quic;

use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use http::{HeaderValue, Request, StatusCode, Version, header};
use tokio::time::Instant;

use crate::forward::{NoAnswer, forward};
use crate::serve::{Answer, Handler, for_method, host, text, to_https};
use headers::Dressing;
use limiter::FixedWindow;

pub(crate) use quic::serve as serve_quic;

/// One request that the edge answered over TLS or QUIC.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EdgeRequest {
    /// Milliseconds since the edge was built.
    pub at_ms: u64,
    /// The client's address on loopback.
    pub client: IpAddr,
    /// Method and path.
    pub request: String,
    /// HTTP version it came over.
    pub version: Version,
    /// Status it got.
    pub status: u16,
}

/// The edge, apart from its listeners. It forwards to one platform.
pub(crate) struct Edge {
    hosts: Vec<String>,
    limiter: Option<FixedWindow>,
    platform: SocketAddr,
    dressing: Dressing,
    started: Instant,
    log: Mutex<Vec<EdgeRequest>>,
}

/// Requests kept in the log at most.
const MAX_LOG: usize = 10_000;

impl Edge {
    pub(crate) fn new(edge: &crate::world::Edge, platform: SocketAddr) -> Arc<Self> {
        Arc::new(Self {
            hosts: edge.hosts.iter().map(|h| h.to_ascii_lowercase()).collect(),
            limiter: edge.limiter.map(FixedWindow::new),
            platform,
            dressing: Dressing::new(&edge.colo),
            started: Instant::now(),
            log: Mutex::default(),
        })
    }

    /// The handler of its TLS listeners.
    pub(crate) fn over_tls(self: &Arc<Self>) -> Handler {
        let edge = Arc::clone(self);
        Arc::new(move |request, client| {
            let edge = Arc::clone(&edge);
            Box::pin(async move { edge.answer(request, client).await })
        })
    }

    /// The handler of its listeners on port 80: always https, before any rule is counted.
    pub(crate) fn in_the_clear(self: &Arc<Self>) -> Handler {
        let edge = Arc::clone(self);
        Arc::new(move |request, _| {
            let answer = edge.dressing.own(to_https(&request, "cloudflare"));
            Box::pin(std::future::ready(for_method(request.method() == http::Method::HEAD, answer)))
        })
    }

    /// Every request so far, in the order answered.
    pub(crate) fn log(&self) -> Vec<EdgeRequest> {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Answers one request of any version.
    async fn answer(&self, request: Request<Bytes>, client: IpAddr) -> Answer {
        let at_ms = u64::try_from(self.started.elapsed().as_millis()).unwrap_or(u64::MAX);
        let (version, head) = (request.version(), request.method() == http::Method::HEAD);
        let line = format!("{} {}", request.method(), request.uri().path());
        let answer = for_method(head, self.decide(request, client).await);
        let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
        if log.len() < MAX_LOG {
            log.push(EdgeRequest { at_ms, client, request: line, version, status: answer.status().as_u16() });
        }
        answer
    }

    async fn decide(&self, mut request: Request<Bytes>, client: IpAddr) -> Answer {
        if !host(&request).is_some_and(|h| self.hosts.contains(&h)) {
            return self.dressing.own(text(StatusCode::CONFLICT, "error code: 1001"));
        }
        if let Some(Err(wait)) = self.limiter.as_ref().map(|l| l.take(client)) {
            return self.dressing.refusal(wait);
        }
        let ray = self.dressing.ray();
        self.dressing.mark_request(&mut request, client, &ray);
        match forward(self.platform, request).await {
            Ok(answer) => self.dressing.passed_on(answer, ray),
            Err(why) => self.dressing.own(no_answer(why)),
        }
    }
}

/// The edge's own page for an origin that gave no response; clients that are no browser get one line of text.
fn no_answer(why: NoAnswer) -> Answer {
    let (status, body) = match why {
        NoAnswer::Refused => (521, "error code: 521"),
        NoAnswer::ConnectTimeout => (522, "error code: 522"),
        NoAnswer::ReadTimeout => (524, "error code: 524"),
        NoAnswer::Bad => (520, "error code: 520"),
    };
    let mut answer = text(StatusCode::from_u16(status).expect("520 to 524 are valid statuses"), body);
    answer.headers_mut().insert(header::CONTENT_TYPE, HeaderValue::from_static(headers::OWN_TEXT));
    answer
}
