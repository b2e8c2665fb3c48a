//! HTTP over every version and every address, with every phase timed.
//!
//! [`survey`] asks everything that an audit wants to know of one site; [`get`] makes one exchange. A response of any
//! status is an answer. Redirects are evidence: those that stay on the host are followed and recorded hop by hop, others
//! are recorded and left alone.

mod body;
mod coding;
mod deep;
mod document;
mod exchange;
mod fetch;
mod h3;
mod interim;
mod likeness;
mod link;
mod pace;
mod sort;
mod survey;

use std::net::SocketAddr;

use http::Method;
use landfall_evidence::{
    Endpoint, Header, HttpVersion, Observation, ObservationId, ProbeFault, Purpose, Trial, Vantage,
};
use url::Url;

use crate::net::Context;

pub use coding::undo_any_coding;
pub use deep::deep;
pub(crate) use exchange::{Began, Difference, Question, Seat, Turn, response};
pub use fetch::{Certificate, End, Fetched, Hop, Request, fetch};
pub use link::Cut;
pub(crate) use link::Dial;
pub use survey::survey;

/// One name of the target, resolved.
#[derive(Debug, Clone)]
pub struct Site {
    /// Scheme, host and port. Paths of endpoints count from the root of the host.
    pub base: Url,
    /// Which part of the world it is.
    pub vantage: Vantage,
    /// Public addresses with the port to connect to, the one to ask first first.
    pub addresses: Vec<SocketAddr>,
    /// The observation that the addresses come from.
    pub after: Option<ObservationId>,
    /// How long that took, in microseconds.
    pub resolve_us: Option<u64>,
    /// What to ask, the most important first.
    pub endpoints: Vec<Endpoint>,
    /// Why there is no address, when there is none.
    pub fault: Option<ProbeFault>,
    /// How much to ask.
    pub depth: Depth,
}

/// How much a survey asks.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Depth {
    /// The endpoints, the control and the existence of routes.
    Endpoints,
    /// Also the other addresses, the other versions of HTTP, and plain HTTP.
    Full,
}

impl Site {
    /// The URL of a path and query on this site, whatever the path looks like.
    pub(crate) fn url(&self, path_and_query: &str) -> Url {
        let (path, query) =
            path_and_query.split_once('?').map_or((path_and_query, None), |(p, q)| (p, Some(q)));
        let mut url = self.base.clone();
        url.set_path(path);
        url.set_query(query);
        url.set_fragment(None);
        url
    }

    /// The question about the endpoint that matters most among those that may be asked: what parity, versions and the
    /// rate limit are measured with.
    pub(crate) fn first_question(&self, purpose: Purpose) -> Question {
        let first = self.endpoints.iter().find(|endpoint| endpoint.is_safe());
        let method =
            if first.is_some_and(|endpoint| endpoint.method == "HEAD") { Method::HEAD } else { Method::GET };
        let path = first.map_or("/", |endpoint| endpoint.path.as_str());
        Question { vantage: self.vantage, purpose, method, url: self.url(path), serial: None, trial: None }
    }
}

/// Makes one exchange on a connection of its own, with the first address that a connection can be made to.
///
/// `version: None` offers HTTP/2 and HTTP/1.1 and takes what the server chooses. The request counts against the budget
/// unless the vantage is local.
#[expect(
    clippy::too_many_arguments,
    reason = "each is a separate circumstance of one question, and none has a default"
)]
pub async fn get(
    ctx: &Context,
    url: &Url,
    addresses: &[SocketAddr],
    version: Option<HttpVersion>,
    purpose: Purpose,
    vantage: Vantage,
    after: Option<ObservationId>,
    attempt: u32,
) -> Observation {
    let question =
        Question { vantage, purpose, method: Method::GET, url: url.clone(), serial: None, trial: None };
    ask_once(ctx, &question, addresses, version, Turn { began: Began::WithConnection, after, attempt }).await
}

/// Makes a deciding observation: a path of the site asked with one difference.
///
/// Only what RFC 9110 section 9.2.1 calls safe is sent (GET, HEAD, OPTIONS); anything else, and a header that cannot be
/// sent, becomes an observation that was not asked, with the reason.
pub async fn trial(ctx: &Context, site: &Site, wanted: &TrialRequest) -> Observation {
    let plain = Method::from_bytes(wanted.method.as_bytes()).ok();
    let method = plain.filter(|m| matches!(*m, Method::GET | Method::HEAD | Method::OPTIONS));
    let question = wanted.question(site, method.clone().unwrap_or(Method::GET));
    if let Some(fault) = site.fault.clone() {
        return exchange::without_address(ctx, &question, site.after.clone(), fault);
    }
    if method.is_none() {
        let detail = format!("{} is not one of the methods that change nothing", wanted.method);
        return exchange::without_address(ctx, &question, site.after.clone(), ProbeFault::Local { detail });
    }
    // Only HTTP/1.1 has a Host header of its own, and only it upgrades a connection.
    let old = wanted.host.is_some() || wanted.headers.iter().any(|h| h.name == "upgrade");
    let version = old.then_some(HttpVersion::H1);
    let turn = Turn { began: Began::WithConnection, after: site.after.clone(), attempt: 1 };
    ask_once(ctx, &question, &site.addresses, version, turn).await
}

/// A deciding observation that is to be made.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TrialRequest {
    /// What is different, as the catalogue names it.
    pub name: String,
    /// Tells repetitions apart.
    pub serial: Option<u32>,
    /// `GET`, `HEAD` or `OPTIONS`.
    pub method: String,
    /// Path and query to ask.
    pub path: String,
    /// Path and query of the plain request that it is held against.
    pub plain: String,
    /// Headers in place of or beside the usual ones, names in lower case.
    pub headers: Vec<Header>,
    /// The Host header, when it is what differs.
    pub host: Option<String>,
}

impl TrialRequest {
    /// The question to put to a site, by this method.
    fn question(&self, site: &Site, method: Method) -> Question {
        Question {
            vantage: site.vantage,
            purpose: Purpose::Trial,
            method,
            url: site.url(&self.path),
            serial: self.serial,
            trial: Some(Box::new(Difference {
                trial: Trial { name: self.name.clone(), plain: self.plain.clone() },
                headers: self.headers.clone(),
                host: self.host.clone(),
            })),
        }
    }
}

/// One exchange on a connection of its own, with the first address that a connection can be made to.
async fn ask_once(
    ctx: &Context,
    question: &Question,
    addresses: &[SocketAddr],
    version: Option<HttpVersion>,
    turn: Turn,
) -> Observation {
    let url = &question.url;
    let mut dials = addresses.iter().filter_map(|at| Dial::to(url, *at, version));
    let Some(first) = dials.next() else {
        let detail = if addresses.is_empty() {
            format!("no address is known for {url}")
        } else {
            format!("{url} is not an http or https URL")
        };
        return exchange::without_address(ctx, question, turn.after, ProbeFault::Local { detail });
    };
    let mut seat = Seat::new(first, None);
    seat.connect(ctx).await;
    for dial in dials {
        if seat.failure().is_none() || ctx.is_over() {
            break;
        }
        seat = Seat::new(dial, None);
        seat.connect(ctx).await;
    }
    seat.ask(ctx, question, turn).await
}

pub use sort::refused_by_limiter;

#[cfg(test)]
pub(crate) mod testkit;
#[cfg(test)]
mod tests;
