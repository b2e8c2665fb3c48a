//! One question put over HTTP, and the observation that it becomes.

use std::borrow::Cow;
use std::time::Instant;

use bytes::Bytes;
use http::Method;
use landfall_evidence::{
    Denial, Header, HttpObservation, HttpRequest, HttpResponse, HttpVersion, Observation, ObservationId,
    Observed, Phase, ProbeFault, Purpose, Seen, Timings, Trial, Vantage,
};
use url::Url;

use super::link::{self, Dial, Failure, Link, Outcome};
use crate::connect::micros;
use crate::net::Context;
use crate::rate_limit::signal;
use crate::shell::shell_word;

/// One request that is to be sent, whatever connection it goes over.
#[derive(Debug, Clone)]
pub(crate) struct Question {
    pub(crate) vantage: Vantage,
    pub(crate) purpose: Purpose,
    pub(crate) method: Method,
    pub(crate) url: Url,
    /// Names it among others of the same purpose, method and path.
    pub(crate) serial: Option<u32>,
    /// What is different about it, for a trial.
    pub(crate) trial: Option<Box<Difference>>,
}

/// In what a trial differs from the plain request.
#[derive(Debug, Clone)]
pub(crate) struct Difference {
    pub(crate) trial: Trial,
    /// Headers in place of or beside the usual ones, names in lower case.
    pub(crate) headers: Vec<Header>,
    /// The Host header in place of the URL's own authority. Only HTTP/1.1 carries it apart from the URL.
    pub(crate) host: Option<String>,
}

impl Question {
    /// The URL's path and query.
    pub(crate) fn path(&self) -> &str {
        &self.url[url::Position::BeforePath..url::Position::AfterQuery]
    }

    /// Stable from run to run for the same question: nothing random, no time.
    pub(super) fn id(&self, dial: &Dial, version: HttpVersion, attempt: u32) -> ObservationId {
        let line = || format!("{} {}", self.method, self.path());
        let what = match self.purpose {
            Purpose::Endpoint | Purpose::AddressParity | Purpose::Version => line(),
            Purpose::Control => "control".to_owned(),
            Purpose::RouteExistence => format!("route-existence {}", line()),
            Purpose::PlainHttp => format!("plain-http {}", line()),
            Purpose::Redirect => {
                format!("redirect {} {}", self.method, &self.url[..url::Position::AfterQuery])
            }
            Purpose::Asset => format!("asset {}", line()),
            Purpose::RateLimit => "rate-limit".to_owned(),
            Purpose::Verification => format!("verification {}", line()),
            Purpose::Trial => {
                let name = self.trial.as_ref().map_or("", |d| d.trial.name.as_str());
                match &self.trial {
                    // Their paths are made up anew for each run.
                    Some(d) if matches!(name, "bust" | "error-form") => {
                        format!("trial {name} {} {}", self.method, d.trial.plain)
                    }
                    _ => format!("trial {name} {}", line()),
                }
            }
        };
        let serial = self.serial.map(|n| format!(" {n}")).unwrap_or_default();
        let again = if attempt > 1 { format!("#{attempt}") } else { String::new() };
        format!("http/{}/{what}{serial}/{version}/{}{again}", self.vantage, dial.address.ip()).into()
    }

    fn headers(&self, ctx: &Context, dial: &Dial, version: HttpVersion) -> Vec<Header> {
        let header = |name: &str, value: &str| Header { name: name.to_owned(), value: value.to_owned() };
        let authority = &self.url[url::Position::BeforeHost..url::Position::AfterPort];
        debug_assert!(authority.starts_with(&dial.host));
        let difference = self.trial.as_deref();
        let host = difference.and_then(|d| d.host.as_deref()).unwrap_or(authority);
        let host = (version == HttpVersion::H1).then(|| header("host", host));
        let rest = [
            header("user-agent", &ctx.user_agent),
            header("accept", "*/*"),
            // The bytes are compared and shown as they are, so no coding is asked for.
            header("accept-encoding", "identity"),
        ];
        let own = difference.map(|d| d.headers.clone()).unwrap_or_default();
        let rest = rest.into_iter().filter(|h| own.iter().all(|o| o.name != h.name));
        let mut all: Vec<Header> = host.into_iter().chain(rest).collect();
        all.extend(own);
        all
    }

    /// A curl command that puts the same question to the same address.
    pub(super) fn by_hand(&self, ctx: &Context, dial: &Dial, version: HttpVersion) -> String {
        let mut words: Vec<Cow<'_, str>> = vec!["curl".into(), "-sS".into()];
        words.push(if self.method == Method::HEAD { "-I" } else { "-i" }.into());
        if !matches!(self.method, Method::GET | Method::HEAD) {
            words.push("-X".into());
            words.push(self.method.as_str().into());
        }
        if dial.secure {
            // The probe looks past a bad chain, so the repetition has to as well.
            words.push("-k".into());
            words.push(
                match version {
                    HttpVersion::H3 => "--http3-only",
                    HttpVersion::H2 => "--http2",
                    HttpVersion::H1 | HttpVersion::H10 => "--http1.1",
                }
                .into(),
            );
        }
        let (host, port, address) = (&dial.host, dial.address.port(), dial.address);
        if let Some(real) = ctx.map.diverted(address) {
            words.push("--connect-to".into());
            words.push(format!("{host}:{port}:{real}").into());
        } else if host.trim_matches(['[', ']']) != address.ip().to_string() {
            let bracketed =
                if address.is_ipv6() { format!("[{}]", address.ip()) } else { address.ip().to_string() };
            words.push("--resolve".into());
            words.push(format!("{host}:{port}:{bracketed}").into());
        }
        if let Some(difference) = &self.trial {
            let host = difference.host.iter().map(|host| format!("host: {host}"));
            let own = difference.headers.iter().map(|h| format!("{}: {}", h.name, h.value));
            for line in host.chain(own) {
                words.push("-H".into());
                words.push(line.into());
            }
        }
        words.push(self.url[..url::Position::AfterQuery].into());
        let words: Vec<_> = words.iter().map(|word| shell_word(word)).collect();
        words.join(" ")
    }
}

/// From when a question counts as begun.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Began {
    /// From the making of its connection; from now when that connection has been used before.
    WithConnection,
    /// From this moment. A connection that was made earlier lies outside the observation's time, and a connection that
    /// is shared with the question that opened it lies inside.
    At(Instant),
}

/// The circumstances of one asking.
#[derive(Debug, Clone)]
pub(crate) struct Turn {
    pub(crate) began: Began,
    pub(crate) after: Option<ObservationId>,
    pub(crate) attempt: u32,
}

/// A connection's place: it is made when it is needed, and made again when the peer has closed it.
pub(crate) struct Seat {
    pub(crate) dial: Dial,
    resolve_us: Option<u64>,
    held: Held,
}

enum Held {
    Nothing,
    Open(Box<Link>),
    Failed(Box<Failure>),
}

impl Seat {
    /// A place with no connection yet. `resolve_us` goes to the first exchange.
    pub(crate) fn new(dial: Dial, resolve_us: Option<u64>) -> Self {
        Self { dial, resolve_us, held: Held::Nothing }
    }

    /// Makes the connection now.
    pub(crate) async fn connect(&mut self, ctx: &Context) {
        self.held = match link::open(ctx, &self.dial).await {
            Ok(link) => Held::Open(Box::new(link)),
            Err(failure) => Held::Failed(failure),
        };
    }

    /// Gives the connection up, so that the next question makes its own.
    pub(crate) fn let_go(&mut self) {
        if matches!(self.held, Held::Open(_)) {
            self.held = Held::Nothing;
        }
    }

    /// Why the connection could not be made.
    pub(crate) fn failure(&self) -> Option<&Failure> {
        match &self.held {
            Held::Failed(failure) => Some(failure),
            _ => None,
        }
    }

    /// The connection, while one is held.
    pub(crate) fn link(&self) -> Option<&Link> {
        match &self.held {
            Held::Open(link) => Some(link),
            _ => None,
        }
    }

    /// A seat on the same connection, or one without a connection where the version cannot carry two exchanges.
    pub(crate) fn beside(&self) -> Self {
        let shared = self.link().and_then(Link::share);
        let held = shared.map_or(Held::Nothing, |link| Held::Open(Box::new(link)));
        Self { dial: self.dial.clone(), resolve_us: None, held }
    }

    /// Puts the question and waits for its outcome. Charges the budget unless the question is local, and keeps the ledger.
    pub(crate) async fn ask(&mut self, ctx: &Context, question: &Question, turn: Turn) -> Observation {
        if ctx.is_over() {
            return self.unsent(ctx, question, &turn, ProbeFault::DeadlineSpent);
        }
        let asked_at = Instant::now();
        let mut link = match self.usable().await {
            Some(link) => link,
            None => {
                if !matches!(self.held, Held::Failed(_)) {
                    self.connect(ctx).await;
                }
                match std::mem::replace(&mut self.held, Held::Nothing) {
                    Held::Open(link) => link,
                    Held::Failed(failure) => {
                        let observation = self.failed(ctx, question, &turn, &failure);
                        self.held = Held::Failed(failure);
                        return observation;
                    }
                    Held::Nothing => return self.unsent(ctx, question, &turn, ProbeFault::DeadlineSpent),
                }
            }
        };
        let fresh = !link.used;
        let began = match turn.began {
            Began::At(at) => at,
            Began::WithConnection if fresh => link.setup.began,
            Began::WithConnection => asked_at,
        };
        if !ctx.ledger.charge(question.vantage) {
            self.held = Held::Open(link);
            return self.unsent(
                ctx,
                question,
                &turn,
                ProbeFault::BudgetSpent { budget: ctx.ledger.share(question.vantage) },
            );
        }
        let id = question.id(&self.dial, link.version, turn.attempt);
        let place = self.dial.place();
        ctx.ledger.sent(&place, ctx.offset_us(Instant::now()), &id);
        let idle = link.setup.ended.elapsed() > IDLE || (!fresh && link.version == HttpVersion::H1);
        let headers = question.headers(ctx, &self.dial, link.version);
        let mut outcome = link.exchange(ctx, &question.method, &question.url, &headers, Bytes::new()).await;
        if idle && closed_while_idle(&outcome) && ctx.ledger.charge(question.vantage) {
            // The peer let go of an idle connection as the request went out and never saw it (RFC 9112, section 9.3.1
            // allows a safe request to be sent again by itself). The ledger holds it once, for the limiter saw it once.
            if let Ok(again) = link::open(ctx, &self.dial).await {
                link = Box::new(again);
                outcome = link.exchange(ctx, &question.method, &question.url, &headers, Bytes::new()).await;
            }
        }
        if let Observed::Present(response) = &outcome.answer {
            ctx.ledger.answered(&place, &id, response.status, ctx.offset_us(Instant::now()));
            ctx.ledger.limits(&place, &id, signal::limit_headers(response), signal::refusal(response));
        }
        let version = link.version;
        let observation =
            self.observation(ctx, question, &turn, &link, Asked { id, fresh, began, headers }, outcome);
        // A body that was not read to its end leaves an HTTP/1.1 connection in the middle of a message.
        let whole = matches!(&observation.seen, Seen::Http(seen) if seen.answer.present().is_some_and(|r| r.body.complete));
        if whole || version != HttpVersion::H1 {
            self.held = Held::Open(link);
        }
        observation
    }

    async fn usable(&mut self) -> Option<Box<Link>> {
        match std::mem::replace(&mut self.held, Held::Nothing) {
            Held::Open(mut link) => link.is_usable().await.then_some(link),
            other => {
                self.held = other;
                None
            }
        }
    }

    fn observation(
        &self,
        ctx: &Context,
        question: &Question,
        turn: &Turn,
        link: &Link,
        asked: Asked,
        outcome: Outcome,
    ) -> Observation {
        let setup = link.setup;
        let timings = Timings {
            resolve_us: self.resolve_us.filter(|_| asked.fresh),
            connect_us: setup.connect.filter(|_| asked.fresh).map(micros),
            tls_us: setup.tls.filter(|_| asked.fresh).map(micros),
            wait_us: outcome.wait.map(micros),
            transfer_us: outcome.transfer.map(micros),
        };
        // Only what lies inside the observation's own time counts as its round trips.
        let inside = if setup.began >= asked.began { setup.round_trips } else { 0 };
        Observation {
            id: asked.id,
            vantage: question.vantage,
            started_us: ctx.offset_us(asked.began),
            took_us: micros(outcome.ended.saturating_duration_since(asked.began)),
            after: turn.after.clone(),
            round_trips: inside + 1,
            attempt: turn.attempt,
            by_hand: question.by_hand(ctx, &self.dial, link.version),
            seen: Seen::Http(HttpObservation {
                request: self.request(ctx, question, link.version, asked.headers),
                answer: outcome.answer,
                timings,
            }),
        }
    }

    /// The observation of a question whose connection could not be made.
    pub(crate) fn failed(
        &self,
        ctx: &Context,
        question: &Question,
        turn: &Turn,
        failure: &Failure,
    ) -> Observation {
        let setup = failure.setup;
        let began = match turn.began {
            Began::At(at) => at,
            Began::WithConnection => setup.began,
        };
        let timings = Timings {
            resolve_us: self.resolve_us,
            connect_us: setup.connect.map(micros),
            tls_us: setup.tls.map(micros),
            ..Timings::default()
        };
        let took_us = micros(setup.ended.saturating_duration_since(began));
        let answer = failure.fault.clone().into_observed();
        self.unanswered(
            ctx,
            question,
            turn,
            (ctx.offset_us(began), took_us, setup.round_trips),
            answer,
            timings,
        )
    }

    /// The observation of a question that was not put.
    pub(crate) fn unsent(
        &self,
        ctx: &Context,
        question: &Question,
        turn: &Turn,
        fault: ProbeFault,
    ) -> Observation {
        let now = ctx.offset_us(Instant::now());
        self.unanswered(ctx, question, turn, (now, 0, 0), Observed::Unasked(fault), Timings::default())
    }

    fn unanswered(
        &self,
        ctx: &Context,
        question: &Question,
        turn: &Turn,
        (started_us, took_us, round_trips): (u64, u64, u32),
        answer: Observed<HttpResponse>,
        timings: Timings,
    ) -> Observation {
        let version = self.dial.wanted();
        let headers = question.headers(ctx, &self.dial, version);
        Observation {
            id: question.id(&self.dial, version, turn.attempt),
            vantage: question.vantage,
            started_us,
            took_us,
            after: turn.after.clone(),
            round_trips,
            attempt: turn.attempt,
            by_hand: question.by_hand(ctx, &self.dial, version),
            seen: Seen::Http(HttpObservation {
                request: self.request(ctx, question, version, headers),
                answer,
                timings,
            }),
        }
    }

    fn request(
        &self,
        ctx: &Context,
        question: &Question,
        version: HttpVersion,
        headers: Vec<Header>,
    ) -> HttpRequest {
        HttpRequest {
            method: question.method.to_string(),
            url: question.url.to_string(),
            path: question.path().to_owned(),
            version,
            address: Some(self.dial.address),
            connected_to: ctx.map.diverted(self.dial.address),
            purpose: question.purpose,
            trial: question.trial.as_ref().map(|d| d.trial.clone()),
            headers,
        }
    }
}

/// The observation of a question for which there was no address to connect to.
pub(crate) fn without_address(
    ctx: &Context,
    question: &Question,
    after: Option<ObservationId>,
    fault: ProbeFault,
) -> Observation {
    let version = if question.url.scheme() == "https" { HttpVersion::H2 } else { HttpVersion::H1 };
    let url = &question.url[..url::Position::AfterQuery];
    let what = if question.purpose == Purpose::Control {
        "control".to_owned()
    } else {
        format!("{} {}", question.method, question.path())
    };
    Observation {
        id: format!("http/{}/{what}/{version}", question.vantage).into(),
        vantage: question.vantage,
        started_us: ctx.offset_us(Instant::now()),
        took_us: 0,
        after,
        round_trips: 0,
        attempt: 1,
        by_hand: format!("curl -sS -i {}", shell_word(url)),
        seen: Seen::Http(HttpObservation {
            request: HttpRequest {
                method: question.method.to_string(),
                url: question.url.to_string(),
                path: question.path().to_owned(),
                version,
                address: None,
                connected_to: None,
                purpose: question.purpose,
                trial: question.trial.as_ref().map(|d| d.trial.clone()),
                headers: Vec::new(),
            },
            answer: Observed::Unasked(fault),
            timings: Timings::default(),
        }),
    }
}

struct Asked {
    id: ObservationId,
    fresh: bool,
    began: Instant,
    headers: Vec<Header>,
}

/// A connection that has been idle for this long may have been closed without our noticing yet.
const IDLE: std::time::Duration = std::time::Duration::from_millis(500);

fn closed_while_idle(outcome: &Outcome) -> bool {
    matches!(
        outcome.answer,
        Observed::Denied(Denial::Closed { phase: Phase::Wait } | Denial::Reset { phase: Phase::Wait })
    )
}

/// The response inside an observation, if there is one.
pub(crate) fn response(observation: &Observation) -> Option<&HttpResponse> {
    match &observation.seen {
        Seen::Http(seen) => seen.answer.present(),
        _ => None,
    }
}
