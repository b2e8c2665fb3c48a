//! Everything that an audit asks one site over HTTP, in two tiers.
//!
//! The first tier decides: the endpoints, the control and the existence of routes, all at the same time over one
//! connection (HTTP/2), or a few (HTTP/1.1). The second tier compares: other addresses, other versions, plain HTTP. Its
//! connections are made while the first tier runs, for they depend on nothing that it finds, but its requests pass a
//! [`Gate`], because a limiter counts requests and not connections.

use std::collections::{BTreeSet, VecDeque};
use std::hash::{BuildHasher as _, RandomState};
use std::net::SocketAddr;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use futures_util::{StreamExt as _, stream};
use http::Method;
use landfall_evidence::{HttpVersion, Observation, ObservationId, Observed, ProbeFault, Purpose, Seen};
use tokio::sync::watch;
use url::Url;

use super::exchange::{Began, Question, Seat, Turn, response, without_address};
use super::link::Dial;
use super::pace::{Gate, Told};
use super::{Depth, Site};
use crate::connect::Fault;
use crate::net::Context;
use crate::rate_limit::signal;

/// Connections that the first tier may use where one carries one exchange at a time.
const CONNECTIONS: usize = 3;

/// Addresses that are tried before the first tier gives up.
const ADDRESSES_TRIED: usize = 3;

/// Scripts and service workers asked for at most.
const ASSETS: usize = 3;

/// Redirect targets longer than this are not followed; no server that means well sends them.
const REDIRECT_BYTE: usize = 2048;

/// The order at the gate: what decides, then what is redirected anyway, then the chains of redirects, then comparison.
mod rank {
    pub(super) const REPEAT: u8 = 0;
    pub(super) const PLAIN: u8 = 1;
    pub(super) const REDIRECT: u8 = 2;
    pub(super) const PARITY: u8 = 3;
    pub(super) const VERSION: u8 = 4;
    pub(super) const ASSET: u8 = 5;
}

/// Asks a site everything that its [`Depth`] names and returns one observation for each question, ordered by the time
/// of asking.
///
/// Ends by the audit's deadline. What was refused by a limiter is asked once more when the limiter's own wait is over;
/// the second observation's id ends in `#2` and it is linked to the refusal.
pub async fn survey(ctx: &Context, site: &Site) -> Vec<Observation> {
    let first = first_questions(site);
    let dials: Vec<_> = site.addresses.iter().filter_map(|at| Dial::to(&site.base, *at, None)).collect();
    let Some((home, others)) = dials.split_first() else {
        let why = if site.addresses.is_empty() {
            "no address is known for it"
        } else {
            "it is not an http or https URL"
        };
        let fault = site
            .fault
            .clone()
            .unwrap_or_else(|| ProbeFault::Local { detail: format!("{}: {why}", site.base) });
        return first.iter().map(|q| without_address(ctx, q, site.after.clone(), fault.clone())).collect();
    };
    let survey = Survey {
        ctx,
        site,
        home,
        others,
        gate: Gate::new(ctx.limits.in_flight),
        anchor: watch::Sender::new(None),
        state: Mutex::default(),
    };
    tokio::join!(survey.first_tier(&first), survey.second_tier());
    let mut found = survey.state.into_inner().unwrap_or_else(PoisonError::into_inner).found;
    found.sort_by(|a, b| (a.started_us, &a.id).cmp(&(b.started_us, &b.id)));
    found
}

/// The questions of the first tier: the endpoints in their order, then the control.
fn first_questions(site: &Site) -> Vec<Question> {
    let mut asked = BTreeSet::new();
    let question = |purpose, method, url| Question {
        vantage: site.vantage,
        purpose,
        method,
        url,
        serial: None,
        trial: None,
    };
    let mut questions: Vec<_> = site
        .endpoints
        .iter()
        .map(|endpoint| {
            let url = site.url(&endpoint.path);
            match endpoint.method.as_str() {
                "HEAD" => question(Purpose::Endpoint, Method::HEAD, url),
                "GET" => question(Purpose::Endpoint, Method::GET, url),
                _ => question(Purpose::RouteExistence, Method::GET, url),
            }
        })
        .filter(|q| asked.insert((q.purpose, q.method.to_string(), q.url.clone())))
        .collect();
    let control = format!("/landfall-control-{:012x}", RandomState::new().hash_one(0_u8) & 0xffff_ffff_ffff);
    questions.push(question(Purpose::Control, Method::GET, site.url(&control)));
    questions
}

struct Survey<'a> {
    ctx: &'a Context,
    site: &'a Site,
    /// The first address, and the others.
    home: &'a Dial,
    others: &'a [Dial],
    gate: Gate,
    /// What the first tier found out about the connection, once it has one or has given up.
    anchor: watch::Sender<Option<Anchor>>,
    state: Mutex<State>,
}

#[derive(Default)]
struct State {
    found: Vec<Observation>,
    /// URLs that are asked already, so that a loop of redirects ends.
    visited: BTreeSet<String>,
    /// Scripts asked for so far.
    assets: usize,
    /// The answer that came last.
    last: Option<ObservationId>,
}

/// The address and version of the first tier; no version when no connection could be made.
#[derive(Debug, Clone)]
struct Anchor {
    dial: Dial,
    version: Option<HttpVersion>,
}

impl Survey<'_> {
    async fn first_tier(&self, questions: &[Question]) {
        self.state()
            .visited
            .extend(questions.iter().filter(|q| q.purpose == Purpose::Endpoint).map(|q| q.url.to_string()));
        let queue = Mutex::new(questions.iter().collect());
        let helpers = join_all((1..CONNECTIONS.min(questions.len())).map(|_| self.help(&queue)));
        let (home, _) = tokio::join!(self.lead(&queue), helpers);
        let answered = self.state().found.clone();
        let last = self.state().last.clone();
        self.gate.open(last);
        let Some(home) = home else { return };
        // Repetitions and redirects start from what the first tier saw, each on its own.
        let next: Vec<_> = answered
            .iter()
            .filter_map(|seen| {
                Some(self.then(questions.iter().find(|q| asks(q, seen))?, seen, home.beside()))
            })
            .collect();
        // A server that serves one connection at a time must not wait for one that is done with.
        drop(home);
        join_all(next).await;
    }

    /// Makes the first connection, tells the others of it, and asks. Returns the seat, for what comes later.
    async fn lead(&self, queue: &Mutex<VecDeque<&Question>>) -> Option<Seat> {
        let mut seat = self.first_seat().await;
        let version = seat.link().map(|link| link.version);
        let anchor = Anchor { dial: seat.dial.clone(), version };
        self.anchor.send_replace(Some(anchor));
        let Some(began) = seat.link().map(|link| link.setup.began) else {
            // Every question meets the same closed door, and each of them says so.
            let questions = std::mem::take(&mut *lock(queue));
            if let Some(failure) = seat.failure() {
                for question in questions {
                    self.record(seat.failed(self.ctx, question, &self.first_turn(), failure), Instant::now());
                }
            }
            return None;
        };
        if version == Some(HttpVersion::H1) {
            self.work(&mut seat, queue, began).await;
            return Some(seat);
        }
        // The questions were there when the connection was begun and have waited for it like the one that opened it.
        let questions = std::mem::take(&mut *lock(queue));
        let at_once = self.ctx.limits.in_flight.max(1);
        let spare = seat.beside();
        let mut opener = Some(seat);
        let seats: Vec<_> =
            questions.iter().map(|_| opener.take().unwrap_or_else(|| spare.beside())).collect();
        stream::iter(questions.into_iter().zip(seats).enumerate())
            .for_each_concurrent(at_once, |(i, (question, mut seat))| async move {
                let turn = if i < at_once {
                    Turn { began: Began::At(began), after: self.site.after.clone(), attempt: 1 }
                } else {
                    Turn { began: Began::At(Instant::now()), after: self.state().last.clone(), attempt: 1 }
                };
                let sent = Instant::now();
                self.record(seat.ask(self.ctx, question, turn).await, sent);
            })
            .await;
        Some(spare)
    }

    /// The first connection that can be made; a seat with the first address's failure when none can.
    async fn first_seat(&self) -> Seat {
        let mut home = Seat::new(self.home.clone(), self.site.resolve_us);
        home.connect(self.ctx).await;
        let is_silent = |seat: &Seat| seat.failure().is_some_and(|f| matches!(f.fault, Fault::Silent(_)));
        let mut silences = u32::from(is_silent(&home));
        for dial in self.others.iter().take(ADDRESSES_TRIED - 1) {
            let Some(failure) = home.failure() else { break };
            if silences > 1 || self.ctx.is_over() {
                break;
            }
            let mut seat = Seat::new(dial.clone(), self.site.resolve_us);
            seat.connect(self.ctx).await;
            if seat.link().is_none() {
                silences += u32::from(is_silent(&seat));
                continue;
            }
            if self.site.depth == Depth::Full {
                // The parity questions of the other addresses speak for themselves; this one has become a parity question.
                let question = self.site.first_question(Purpose::AddressParity);
                self.keep(home.failed(self.ctx, &question, &self.first_turn(), failure));
            }
            return seat;
        }
        home
    }

    /// A question that waited for nothing but its address.
    fn first_turn(&self) -> Turn {
        Turn { began: Began::WithConnection, after: self.site.after.clone(), attempt: 1 }
    }

    /// A further connection of the first tier, where the first one carries one exchange at a time.
    async fn help(&self, queue: &Mutex<VecDeque<&Question>>) {
        let started = Instant::now();
        let anchor = self.anchored().await;
        if anchor.version != Some(HttpVersion::H1) || lock(queue).is_empty() {
            return;
        }
        let mut seat = Seat::new(anchor.dial, self.site.resolve_us);
        seat.connect(self.ctx).await;
        if seat.link().is_some() {
            self.work(&mut seat, queue, started).await;
        }
    }

    /// Asks one question after the other on one connection until none is left.
    async fn work(&self, seat: &mut Seat, queue: &Mutex<VecDeque<&Question>>, began: Instant) {
        let mut turn = Turn { began: Began::At(began), after: self.site.after.clone(), attempt: 1 };
        loop {
            let Some(question) = lock(queue).pop_front() else { break };
            let sent = Instant::now();
            let observation = seat.ask(self.ctx, question, turn).await;
            turn = Turn { began: Began::At(Instant::now()), after: Some(observation.id.clone()), attempt: 1 };
            self.record(observation, sent);
        }
    }

    /// What follows from one answer of the first tier: a repetition when a limiter refused it, and the redirects that
    /// stay on the host.
    async fn then(&self, question: &Question, seen: &Observation, mut seat: Seat) {
        let mut seen = seen.clone();
        if refused(&seen) {
            match self.repeat(question, &seen, &mut seat, rank::REPEAT).await {
                Some(again) => seen = again,
                None => return,
            }
        }
        if question.purpose == Purpose::Endpoint {
            if self.site.depth == Depth::Full {
                self.assets(question, &seen, &seat).await;
            }
            self.follow(question, seen, seat).await;
        }
    }

    /// Asks for the scripts that an endpoint's page loads from its own host and for the service worker that it registers:
    /// where a page calls, and what browsers keep of it, stands in those.
    async fn assets(&self, question: &Question, seen: &Observation, seat: &Seat) {
        let page =
            response(seen).filter(|r| r.status == 200 && r.media_type().as_deref() == Some("text/html"));
        let Some(text) = page.and_then(|r| r.body.text.as_deref()) else { return };
        let mut seat = seat.beside();
        for target in assets_of(text) {
            let Ok(mut url) = question.url.join(target) else { continue };
            url.set_fragment(None);
            let own = url.origin() == question.url.origin() && url.as_str().len() <= REDIRECT_BYTE;
            {
                let mut state = self.state();
                if !own || state.assets >= ASSETS || !state.visited.insert(url.to_string()) {
                    continue;
                }
                state.assets += 1;
            }
            let asset = Question { purpose: Purpose::Asset, method: Method::GET, url, ..question.clone() };
            let ready = Some((seen.id.clone(), Instant::now()));
            self.through_gate(&asset, &mut seat, rank::ASSET, ready).await;
        }
    }

    /// Asks again once the limiter's wait is over. `None` when the wait cannot be made: the refusal then stands.
    async fn repeat(
        &self,
        question: &Question,
        refusal: &Observation,
        seat: &mut Seat,
        rank: u8,
    ) -> Option<Observation> {
        let pass = self.gate.enter(self.ctx, rank).await.ok()?;
        let turn = Turn { began: Began::At(Instant::now()), after: Some(refusal.id.clone()), attempt: 2 };
        let sent = Instant::now();
        let observation = seat.ask(self.ctx, question, turn).await;
        self.gate.leave(pass, &observation.id, told(&observation), sent);
        self.keep(observation.clone());
        Some(observation)
    }

    /// Follows redirects that stay on the host, each hop an observation of its own. Ends at an answer, at another host,
    /// at a URL that was asked already (a loop shows as a hop whose target is an earlier URL), or at the limit.
    async fn follow(&self, question: &Question, mut seen: Observation, mut seat: Seat) {
        for _ in 0..self.ctx.limits.redirects {
            let Some(url) =
                response(&seen).and_then(|r| same_host(&self.site.base, r.redirect_to.as_deref()?))
            else {
                return;
            };
            if !self.state().visited.insert(url.to_string()) {
                return;
            }
            let Some(dial) = Dial::to(&url, self.near(&url, seat.dial.address), None) else { return };
            if (dial.secure, dial.address) != (seat.dial.secure, seat.dial.address) {
                seat = Seat::new(dial, None);
            }
            let hop = Question { purpose: Purpose::Redirect, url, ..question.clone() };
            let ready = Some((seen.id.clone(), Instant::now()));
            seen = self.through_gate(&hop, &mut seat, rank::REDIRECT, ready).await;
        }
    }

    /// Comparison: other addresses, other versions, plain HTTP.
    ///
    /// One request at another address in another version answers two questions at once when it is answered as the first
    /// address was, which spares a request each; only where it is not are the two asked apart.
    async fn second_tier(&self) {
        if self.site.depth == Depth::Endpoints {
            return;
        }
        if self.site.base.scheme() != "https" {
            join_all(self.others.iter().map(|dial| self.parity(dial))).await;
            return;
        }
        let spread = self.others.iter().zip([HttpVersion::H1, HttpVersion::H3]);
        let both = join_all(spread.map(|(dial, version)| self.parity_and_version(dial, version)));
        let addresses = join_all(self.others.iter().skip(2).map(|dial| self.parity(dial)));
        let alone = [HttpVersion::H1, HttpVersion::H3].into_iter().skip(self.others.len());
        let versions = join_all(alone.chain([HttpVersion::H2]).map(|version| self.version(version)));
        tokio::join!(both, addresses, versions, self.plain_http());
    }

    /// Asks another address in another version than the first tier's. When the answer is not as at home, the address and
    /// the version are asked apart, so that it can be told which of them makes the difference.
    async fn parity_and_version(&self, dial: &Dial, version: HttpVersion) {
        let mut seat = Seat::new(Dial { version: Some(version), ..dial.clone() }, self.site.resolve_us);
        seat.connect(self.ctx).await;
        let anchor = self.anchored().await;
        if anchor.version != Some(HttpVersion::H2) || anchor.dial.address == dial.address {
            // There is nothing at home to hold one answer to both questions against.
            drop(seat);
            tokio::join!(self.parity(dial), self.version(version));
            return;
        }
        let seen = self.compare(&self.site.first_question(Purpose::Version), seat, rank::VERSION).await;
        if !self.as_at_home(&seen) && !self.parity(dial).await.is_some_and(|parity| self.as_at_home(&parity))
        {
            self.version(version).await;
        }
    }

    /// The first endpoint at another address. `None` when that address has become the first one, because the first could
    /// not be reached.
    async fn parity(&self, dial: &Dial) -> Option<Observation> {
        let mut seat = Seat::new(dial.clone(), self.site.resolve_us);
        seat.connect(self.ctx).await;
        if self.anchored().await.dial.address == seat.dial.address {
            return None;
        }
        Some(self.compare(&self.site.first_question(Purpose::AddressParity), seat, rank::PARITY).await)
    }

    /// Whether an answer has the status and the media type that the first tier got for the same question. A question that
    /// was never put, or to which home has no answer, is no difference.
    fn as_at_home(&self, seen: &Observation) -> bool {
        let Seen::Http(http) = &seen.seen else { return true };
        let Some(answer) = response(seen).filter(|_| !refused(seen)) else {
            return !http.answer.was_asked() || refused(seen);
        };
        let state = self.state();
        let home = state.found.iter().rev().find(|o| match &o.seen {
            Seen::Http(at_home) => {
                at_home.request.purpose == Purpose::Endpoint
                    && at_home.request.url == http.request.url
                    && !refused(o)
            }
            _ => false,
        });
        let home = home.and_then(response);
        home.is_none_or(|home| (home.status, home.media_type()) == (answer.status, answer.media_type()))
    }

    /// Where a URL of this host is found: at an address already used, unless it names another port.
    fn near(&self, url: &Url, used: SocketAddr) -> SocketAddr {
        match url.port_or_known_default() {
            // A chain that came by way of the other scheme's port goes back to the one that the target names.
            port if port == self.site.base.port_or_known_default() => {
                SocketAddr::new(used.ip(), self.home.address.port())
            }
            Some(port) => {
                let mapped = url.host_str().and_then(|host| self.ctx.map.host(host, port));
                mapped.unwrap_or_else(|| SocketAddr::new(used.ip(), port))
            }
            None => used,
        }
    }

    async fn version(&self, version: HttpVersion) {
        let mut seat = Seat::new(Dial { version: Some(version), ..self.home.clone() }, self.site.resolve_us);
        // The first tier most often speaks HTTP/2, so that one is asked for only when it has turned out otherwise.
        if version != HttpVersion::H2 {
            seat.connect(self.ctx).await;
        }
        let anchor = self.anchored().await;
        if anchor.version == Some(version) || (anchor.version.is_none() && version == HttpVersion::H2) {
            return;
        }
        if anchor.dial.address != seat.dial.address {
            seat = Seat::new(Dial { version: Some(version), ..anchor.dial }, None);
        }
        if seat.link().is_none() && seat.failure().is_none() {
            seat.connect(self.ctx).await;
        }
        self.compare(&self.site.first_question(Purpose::Version), seat, rank::VERSION).await;
    }

    async fn plain_http(&self) {
        let mut question = self.site.first_question(Purpose::PlainHttp);
        // `https` to `http` and the default port are changes that every URL with a host allows.
        if question.url.set_scheme("http").is_err() || question.url.set_port(None).is_err() {
            return;
        }
        let Some(dial) = Dial::to(&question.url, self.near(&question.url, self.home.address), None) else {
            return;
        };
        let mut seat = Seat::new(dial, self.site.resolve_us);
        seat.connect(self.ctx).await;
        self.compare(&question, seat, rank::PLAIN).await;
    }

    /// Puts a question of the second tier, whose connection has been tried already.
    async fn compare(&self, question: &Question, mut seat: Seat, rank: u8) -> Observation {
        if let Some(failure) = seat.failure() {
            let failed = seat.failed(self.ctx, question, &self.first_turn(), failure);
            self.keep(failed.clone());
            return failed;
        }
        let seen = self.through_gate(question, &mut seat, rank, None).await;
        if refused(&seen) {
            self.repeat(question, &seen, &mut seat, rank).await.unwrap_or(seen)
        } else {
            seen
        }
    }

    /// Puts a question when the gate lets it through. `ready` names the answer that it follows from and since when; a
    /// question without one follows from its address.
    ///
    /// A question that had to wait for the gate began when it was let through, after the answer that let it through;
    /// its connection had been made long before, and its set-up shows in the timings but not in the observation's time.
    /// One that found the gate open began with what it had really waited for.
    async fn through_gate(
        &self,
        question: &Question,
        seat: &mut Seat,
        rank: u8,
        ready: Option<(ObservationId, Instant)>,
    ) -> Observation {
        let own = match ready {
            Some((id, at)) => Turn { began: Began::At(at), after: Some(id), attempt: 1 },
            None => self.first_turn(),
        };
        let observation = match self.gate.enter(self.ctx, rank).await {
            Err(fault) => seat.unsent(self.ctx, question, &own, fault),
            Ok(pass) => {
                let turn = match &pass.released {
                    Some((by, at)) => Turn { began: Began::At(*at), after: Some(by.clone()), attempt: 1 },
                    None => own,
                };
                let sent = Instant::now();
                let observation = seat.ask(self.ctx, question, turn).await;
                self.gate.leave(pass, &observation.id, told(&observation), sent);
                observation
            }
        };
        self.keep(observation.clone());
        observation
    }

    /// Waits until the first tier has its connection, or has none.
    async fn anchored(&self) -> Anchor {
        let mut anchor = self.anchor.subscribe();
        let known = anchor.wait_for(Option::is_some).await.ok().and_then(|anchor| anchor.clone());
        known.expect("the sender lives as long as the survey, and waits end on a value only")
    }

    /// Keeps an observation of the first tier.
    fn record(&self, observation: Observation, sent: Instant) {
        self.gate.note(&observation.id, told(&observation), sent);
        self.state().last = Some(observation.id.clone());
        self.keep(observation);
    }

    fn keep(&self, observation: Observation) {
        self.state().found.push(observation);
    }

    fn state(&self) -> MutexGuard<'_, State> {
        lock(&self.state)
    }
}

/// A panic elsewhere leaves observations that are still true.
fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn asks(question: &Question, seen: &Observation) -> bool {
    match &seen.seen {
        Seen::Http(http) => {
            let request = &http.request;
            request.purpose == question.purpose
                && request.method == question.method.as_str()
                && request.url == question.url.as_str()
        }
        _ => false,
    }
}

/// Whether the gate closes on this answer. A 403 is an answer to the question, whoever gave it, and is not waited for.
fn refused(observation: &Observation) -> bool {
    response(observation).and_then(signal::refusal).is_some_and(|refusal| matches!(refusal.status, 429 | 503))
}

fn told(observation: &Observation) -> Told {
    let Seen::Http(seen) = &observation.seen else { return Told::Nothing };
    match &seen.answer {
        Observed::Present(response) => match signal::refusal(response) {
            Some(refusal) if refused(observation) => {
                Told::Refused(refusal.retry_after_s.map(Duration::from_secs))
            }
            _ if seen.request.purpose == Purpose::PlainHttp => Told::Aside,
            _ => Told::Passed,
        },
        _ => Told::Nothing,
    }
}

/// What a page registers as its service worker and loads as scripts, as written there, the worker first.
fn assets_of(html: &str) -> Vec<&str> {
    let quoted = |text: &'_ str| -> Option<std::ops::Range<usize>> {
        let start = text.len() - text.trim_start().len();
        let mark = text[start..].chars().next()?;
        if matches!(mark, '"' | '\'' | '`') {
            let from = start + mark.len_utf8();
            let length = text[from..].find(mark)?;
            Some(from..from + length)
        } else {
            // An attribute's value may stand without quotes (HTML, section 13.1.2.3).
            let end =
                text[start..].find(|c: char| c.is_whitespace() || c == '>').unwrap_or(text.len() - start);
            Some(start..start + end)
        }
    };
    let mut found = Vec::new();
    let lower = html.to_ascii_lowercase();
    for (at, word) in lower.match_indices("serviceworker.register(") {
        let rest = &html[at + word.len()..];
        found.extend(quoted(rest).map(|range| &rest[range]).filter(|target| !target.is_empty()));
    }
    for (at, _) in lower.match_indices("<script") {
        let end = lower[at..].find('>').map_or(lower.len(), |length| at + length);
        if let Some(src) = lower[at..end].find("src=") {
            let rest = &html[at + src + 4..end];
            found.extend(quoted(rest).map(|range| &rest[range]).filter(|target| !target.is_empty()));
        }
    }
    found
}

/// The target of a redirect, when it stays on the host that the target names: the same host, on the same port or on the
/// default port of either scheme.
fn same_host(base: &Url, target: &str) -> Option<Url> {
    if target.len() > REDIRECT_BYTE {
        return None;
    }
    let mut url = Url::parse(target).ok()?;
    url.set_fragment(None);
    let named = url.host() == base.host() && url.username().is_empty() && url.password().is_none();
    let port = url.port().is_none() || url.port_or_known_default() == base.port_or_known_default();
    (named && port && matches!(url.scheme(), "http" | "https")).then_some(url)
}

#[cfg(test)]
mod tests {
    use super::assets_of;

    #[test]
    fn scripts_and_workers_of_a_page() {
        let page = "<!doctype html><SCRIPT type=module src=/assets/a.js></SCRIPT><script src='b.js' defer></script>\
                    <script>navigator.serviceWorker.register( \"/sw.js\", {scope: '/'})</script><script>x</script>";
        assert_eq!(assets_of(page), ["/sw.js", "/assets/a.js", "b.js"]);
        for cut in
            ["<script src=", "<script src=\"/a", "serviceWorker.register(", "<script>é", "<script src='", ""]
        {
            assert!(assets_of(cut).is_empty(), "{cut}");
        }
    }
}
