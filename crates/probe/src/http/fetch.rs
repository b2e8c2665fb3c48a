//! A general HTTP exchange for checks: any method, headers and body, redirects followed across hosts.
//!
//! Unlike the survey of an audit, a fetch behaves as a careful client: a certificate that a client would refuse ends it
//! before anything is sent, because the headers may hold secrets; credentials do not follow a redirect to another
//! origin; and every hop is resolved and held to what may be connected to anew.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use landfall_evidence::{
    DnsAnswer, Header, HttpObservation, HttpRequest, HttpResponse, HttpVersion, Observation, Observed, Phase,
    ProbeFault, Purpose, Seen, Silence, Timings, Vantage,
};
use url::Url;

use super::exchange::Question;
use super::link::{self, Cut, Dial};
use crate::connect::micros;
use crate::dns::{self, Family};
use crate::net::Context;
use crate::tls::{self, Judged, Problem, Session};

/// Addresses of one name that are tried.
const ADDRESSES: usize = 3;

/// Headers of the caller that are no credentials and go along to another origin.
const HARMLESS: &[&str] = &["accept", "accept-language", "cache-control", "user-agent"];

/// What is to be fetched.
#[derive(Debug, Clone)]
pub struct Request {
    /// The method.
    pub method: Method,
    /// The full URL, http or https. Credentials in it are not sent.
    pub url: Url,
    /// Headers to send, names in lower case; they win over the ones that are sent by default.
    pub headers: Vec<Header>,
    /// The body to send.
    pub body: Bytes,
    /// Redirects that are followed.
    pub redirects: u8,
    /// The one family of addresses to use.
    pub family: Option<Family>,
    /// The host to connect to in place of the URL's, whose name goes into `host` and into the handshake all the same.
    pub connect_to: Option<String>,
}

/// What became of a fetch.
#[derive(Debug)]
pub struct Fetched {
    /// Every exchange in order; at least one.
    pub hops: Vec<Hop>,
    /// How it ended.
    pub end: End,
}

/// How a fetch ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum End {
    /// With the last hop's outcome.
    Hop,
    /// More redirects than are followed.
    TooManyRedirects,
    /// A redirect to where it came from.
    Loop,
    /// A redirect that cannot be followed; says why.
    Nowhere(String),
}

/// One exchange.
#[derive(Debug)]
pub struct Hop {
    /// The method.
    pub method: Method,
    /// The URL.
    pub url: Url,
    /// The addresses of its host.
    pub addresses: Vec<IpAddr>,
    /// The address that was asked last.
    pub address: Option<SocketAddr>,
    /// Why the host has no address; nothing was connected to then.
    pub unresolved: Option<Observed<DnsAnswer>>,
    /// What was shown in the handshake.
    pub certificate: Option<Certificate>,
    /// The response, or what came instead.
    pub answer: Observed<HttpResponse>,
    /// Why the end of the body was not seen.
    pub cut: Option<Cut>,
    /// Where the time went.
    pub timings: Timings,
    version: HttpVersion,
    dns: Vec<Observation>,
    started: Instant,
    took: Duration,
    round_trips: u32,
}

/// A chain as shown on one connection.
#[derive(Debug, Clone)]
pub struct Certificate {
    /// The handshake.
    pub session: Arc<Session>,
    /// Its chain, judged.
    pub judged: Arc<Judged>,
    /// Why a client would refuse it; nothing was sent then.
    pub problem: Option<Problem>,
}

impl Fetched {
    /// The exchange that decided.
    pub fn last(&self) -> &Hop {
        self.hops.last().expect("a fetch has at least one hop")
    }

    /// The time of all hops, phase by phase.
    pub fn timings(&self) -> Timings {
        let sum = |phase: fn(&Timings) -> Option<u64>| {
            self.hops.iter().filter_map(|hop| phase(&hop.timings)).reduce(u64::saturating_add)
        };
        Timings {
            resolve_us: sum(|t| t.resolve_us),
            connect_us: sum(|t| t.connect_us),
            tls_us: sum(|t| t.tls_us),
            wait_us: sum(|t| t.wait_us),
            transfer_us: sum(|t| t.transfer_us),
        }
    }

    /// All that was asked and answered, as evidence; what the caller sent is not in it. `keep` bytes of each body are
    /// kept at most.
    pub fn observations(&self, ctx: &Context, keep: usize) -> Vec<Observation> {
        let mut all = Vec::new();
        for (i, hop) in self.hops.iter().enumerate() {
            hop.observe(ctx, i, keep, &mut all);
        }
        all
    }
}

/// Fetches. `now` is the time that certificates are held against.
pub async fn fetch(ctx: &Context, request: Request, now: Timestamp) -> Fetched {
    let mut left = request.redirects;
    let mut next = request;
    let mut hops: Vec<Hop> = Vec::new();
    // Credentials are for the origin that they were given for, and do not come back after an excursion.
    let home = next.url.origin();
    loop {
        let hop = one(ctx, &next, now).await;
        let target = hop.answer.present().filter(|_| next.redirects > 0).and_then(location);
        hops.push(hop);
        let ended = |hops, end| Fetched { hops, end };
        let Some((status, location)) = target else { return ended(hops, End::Hop) };
        if left == 0 {
            return ended(hops, End::TooManyRedirects);
        }
        left -= 1;
        let url = match follow(&next.url, &location) {
            Ok(url) => url,
            Err(why) => return ended(hops, End::Nowhere(why)),
        };
        redirect(&mut next, status);
        if url.origin() != home {
            next.headers.retain(|h| HARMLESS.contains(&h.name.as_str()) || h.name == "content-type");
        }
        if !next.body.is_empty() && next.url.scheme() == "https" && url.scheme() == "http" {
            return ended(
                hops,
                End::Nowhere(
                    "the redirect leads from https to http, and the body is not sent in the clear".into(),
                ),
            );
        }
        if next.url.host() != url.host() {
            next.connect_to = None;
        }
        next.url = url;
        if hops.iter().any(|hop| hop.url == next.url && hop.method == next.method) {
            return ended(hops, End::Loop);
        }
    }
}

/// The status and the location of a redirect. 300 and 304 are none (RFC 9110, section 15.4).
fn location(response: &HttpResponse) -> Option<(u16, String)> {
    let redirects = matches!(response.status, 301 | 302 | 303 | 307 | 308);
    redirects.then(|| response.header("location")).flatten().map(|to| (response.status, to.to_owned()))
}

/// The URL of a redirect. A fragment is for the browser; credentials in it would be the server's and not ours.
fn follow(from: &Url, location: &str) -> Result<Url, String> {
    let mut url = from
        .join(location)
        .map_err(|error| format!("the location of the redirect is not a URL ({error})"))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(format!("the redirect leads to a {} URL", url.scheme()));
    }
    url.set_fragment(None);
    // Both fail only for URLs without a host.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    Ok(url)
}

/// What becomes of method and body (RFC 9110, section 15.4): 303 makes a GET of everything but HEAD; 301 and 302 make a
/// GET of a POST, as every client does; 307 and 308 change nothing.
fn redirect(request: &mut Request, status: u16) {
    let becomes_get = match status {
        303 => request.method != Method::HEAD,
        301 | 302 => request.method == Method::POST,
        _ => false,
    };
    if becomes_get {
        request.method = Method::GET;
        request.body = Bytes::new();
        request.headers.retain(|h| !h.name.starts_with("content-"));
    }
}

async fn one(ctx: &Context, request: &Request, now: Timestamp) -> Hop {
    let url = &request.url;
    let host = url.host_str().unwrap_or_default();
    let port = url.port_or_known_default().unwrap_or(443);
    let started = Instant::now();
    // Half of the time is left for the target, so that a slow resolver does not count against it.
    let half = ctx.deadline.saturating_duration_since(started) / 2;
    let asking = Context { deadline: started + half, ..ctx.clone() };
    let to = request.connect_to.as_deref().unwrap_or(host);
    let found = dns::lookup(&asking, to, port, request.family).await;
    let sockets: Vec<_> = found.sockets(port).into_iter().take(ADDRESSES).collect();
    let mut hop = Hop {
        method: request.method.clone(),
        url: url.clone(),
        address: None,
        unresolved: found.none,
        certificate: None,
        answer: Observed::Unasked(ProbeFault::Local { detail: "there is no address to connect to".into() }),
        cut: None,
        timings: Timings { resolve_us: found.took.map(micros), ..Timings::default() },
        version: if url.scheme() == "https" { HttpVersion::H2 } else { HttpVersion::H1 },
        addresses: found.addresses,
        dns: found.observations,
        started,
        took: started.elapsed(),
        round_trips: 0,
    };
    let mut failed: Option<(Failing, Box<link::Failure>, SocketAddr)> = None;
    let mut opened = None;
    for (i, address) in sockets.iter().enumerate() {
        let Some(dial) = Dial::to(url, *address, None) else { break };
        let rest = sockets.len() - i;
        let link = if rest > 1 {
            // Each address gets its share of the time, so that one that says nothing does not use it up.
            let share =
                ctx.deadline.saturating_duration_since(Instant::now()) / u32::try_from(rest).unwrap_or(1);
            let ctx = Context { deadline: Instant::now() + share, ..ctx.clone() };
            link::open(&ctx, &dial).await
        } else {
            link::open(ctx, &dial).await
        };
        match link {
            Ok(link) => {
                opened = Some((link, dial));
                break;
            }
            Err(failure) => {
                let failing = Failing::of(&failure);
                if failed.as_ref().is_none_or(|(before, ..)| failing < *before) {
                    failed = Some((failing, failure, *address));
                }
            }
        }
    }
    let Some((mut link, dial)) = opened else {
        if let Some((_, failure, address)) = failed {
            hop.address = Some(address);
            hop.timings.connect_us = failure.setup.connect.map(micros);
            hop.timings.tls_us = failure.setup.tls.map(micros);
            hop.round_trips = failure.setup.round_trips;
            hop.answer = failure.fault.into_observed();
        }
        hop.took = started.elapsed();
        return hop;
    };
    hop.address = Some(dial.address);
    hop.version = link.version;
    hop.timings.connect_us = link.setup.connect.map(micros);
    hop.timings.tls_us = link.setup.tls.map(micros);
    hop.round_trips = link.setup.round_trips;
    if let Some(session) = link.session.clone() {
        let judged = session.judged(&ctx.roots, now);
        let problem = judged.problem(host, now);
        let refused = problem.clone();
        hop.certificate = Some(Certificate { session, judged, problem });
        if let Some(problem) = refused {
            hop.answer = Observed::Unasked(ProbeFault::Blocked {
                by: format!("tls/{}/{}", Vantage::Edge, dial.address).into(),
                reason: problem.say,
            });
            hop.took = started.elapsed();
            return hop;
        }
    }
    let headers = headers(ctx, request, link.version);
    let outcome = link.exchange(ctx, &request.method, url, &headers, request.body.clone()).await;
    hop.round_trips += 1;
    hop.timings.wait_us = outcome.wait.map(micros);
    hop.timings.transfer_us = outcome.transfer.map(micros);
    hop.cut = outcome.cut;
    hop.answer = outcome.answer;
    hop.took = started.elapsed();
    hop
}

/// How much a failure to connect tells of the target; the smaller the more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Failing {
    Forbidden,
    Denied,
    Silent,
    Unasked,
}

impl Failing {
    fn of(failure: &link::Failure) -> Self {
        use crate::connect::Fault;
        match &failure.fault {
            Fault::Unasked(ProbeFault::Forbidden { .. }) => Self::Forbidden,
            Fault::Denied(_) => Self::Denied,
            Fault::Silent(Silence { phase: Phase::Resolve, .. }) | Fault::Unasked(_) => Self::Unasked,
            Fault::Silent(_) => Self::Silent,
        }
    }
}

fn headers(ctx: &Context, request: &Request, version: HttpVersion) -> Vec<Header> {
    let given = |name: &str| request.headers.iter().any(|h| h.name == name);
    let mut headers = Vec::with_capacity(request.headers.len() + 5);
    let mut add =
        |name: &str, value: &str| headers.push(Header { name: name.to_owned(), value: value.to_owned() });
    if version == HttpVersion::H1 {
        add("host", &request.url[url::Position::BeforeHost..url::Position::AfterPort]);
    }
    for (name, value) in
        [("user-agent", &*ctx.user_agent), ("accept", "*/*"), ("accept-encoding", "identity")]
    {
        if !given(name) {
            add(name, value);
        }
    }
    // A method that usually has a body says that it has none (RFC 9110, section 8.6).
    if request.body.is_empty() && matches!(request.method, Method::POST | Method::PUT | Method::PATCH) {
        add("content-length", "0");
    }
    headers.extend(request.headers.iter().cloned());
    headers
}

impl Hop {
    fn observe(&self, ctx: &Context, i: usize, keep: usize, all: &mut Vec<Observation>) {
        let before = all.last().map(|o| o.id.clone());
        all.extend(self.dns.iter().cloned());
        let host = self.url.host_str().unwrap_or_default();
        if let (Some(certificate), Some(address)) = (&self.certificate, self.address)
            && certificate.problem.is_some()
        {
            let took = Duration::from_micros(
                self.timings.connect_us.unwrap_or_default() + self.timings.tls_us.unwrap_or_default(),
            );
            let answer = Observed::Present(certificate.judged.handshake(&certificate.session, host));
            let times = (self.started, took);
            let after = before.clone();
            all.push(tls::observation(
                ctx,
                host,
                address,
                Vantage::Edge,
                after,
                times,
                self.round_trips,
                answer,
            ));
        }
        let purpose = if i == 0 { Purpose::Endpoint } else { Purpose::Redirect };
        let question = Question {
            vantage: Vantage::Edge,
            purpose,
            method: self.method.clone(),
            url: self.url.clone(),
            serial: None,
            trial: None,
        };
        let mut answer = self.answer.clone();
        if let Observed::Present(response) = &mut answer
            && let Some(text) = &mut response.body.text
            && text.len() > keep
        {
            let end = (0..=keep).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0);
            text.truncate(end);
        }
        let dial = self.address.and_then(|address| Dial::to(&self.url, address, None));
        let (id, by_hand) = match &dial {
            Some(dial) => (question.id(dial, self.version, 1), question.by_hand(ctx, dial, self.version)),
            None => {
                let id =
                    format!("http/{}/{} {}/{}", Vantage::Edge, self.method, question.path(), self.version);
                let url = &self.url[..url::Position::AfterQuery];
                (id.into(), format!("curl -sS -i {}", crate::shell_word(url)))
            }
        };
        all.push(Observation {
            id,
            vantage: Vantage::Edge,
            started_us: ctx.offset_us(self.started),
            took_us: micros(self.took),
            after: before,
            round_trips: self.round_trips,
            attempt: 1,
            by_hand,
            seen: Seen::Http(HttpObservation {
                request: HttpRequest {
                    method: self.method.to_string(),
                    url: self.url.to_string(),
                    path: question.path().to_owned(),
                    version: self.version,
                    address: self.address,
                    connected_to: self.address.and_then(|address| ctx.map.diverted(address)),
                    purpose,
                    trial: None,
                    // What the caller sends may be secret, so none of it is kept.
                    headers: Vec::new(),
                },
                answer,
                timings: self.timings,
            }),
        });
    }
}
