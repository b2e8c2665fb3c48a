//! The run that finds out what limiter there is, and not only that there is one.
//!
//! # Policy
//! When to send and when to stop is decided by [`landfall_limiter::Plan`]; this module sends, reads and keeps to what
//! politeness asks for, whatever the plan says:
//! - one host, which the user named; one safe question (GET, or HEAD where the endpoint is declared so), one at a time;
//!   in a deep run each over a connection of its own;
//! - never before Retry-After allows, never more requests, refusals or time than the bounds;
//! - the run ends at a challenge page, at a server error that is no limiter's, at a connection that is refused or cut, and
//!   after the first refusal unless it was told to go on;
//! - 503 and 403 without a limiter's headers count as refusals only right after answers to the same question, and when
//!   several come in a row with no answer in between, the server is taken to be in trouble.
//!
//! After the first refusal a deep run asks once with HEAD and once for another path, where no Retry-After forbids it and
//! a release within the next moment is unlikely: whether these are refused too shows what the limiter counts.

use std::time::{Duration, Instant, SystemTime};

use http::Method;
use jiff::Timestamp;
use landfall_evidence::{
    Observation, ObservationId, Observed, ProbeFault, Purpose, RateBudget, RateLimitRun, RateSignal,
    RateStep, RateStop, ScopeAnswer, ScopeChange, Seen,
};
use landfall_limiter::{Budget, Exchange, Next, Plan, StatedReset, Stop};

use super::headers::{self, Stated};
use super::{Line, count, fit, infer, signal, whole};
use crate::http::{Began, Question, Seat, Site, Turn, response};
use crate::net::{Context, Refusal};

/// What a run may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Bounds {
    /// Requests.
    pub requests: u32,
    /// Refusals among them; without `deep` the first one ends the run.
    pub refusals: u32,
    /// Time.
    pub time: Duration,
    /// Whether to go on after the first refusal.
    pub deep: bool,
}

impl Bounds {
    /// Stops at the first refusal: at most 60 requests and 90 s.
    pub const DEFAULT: Self = Self::of(Budget::DEFAULT);
    /// Goes on: at most 120 requests, 25 refusals and 300 s.
    pub const DEEP: Self = Self::of(Budget::DEEP);

    /// What the estimator's own budget allows; its lead-in is not a bound.
    const fn of(budget: Budget) -> Self {
        let Budget { requests, refusals, seconds, deep, lead_in: _ } = budget;
        Self { requests, refusals, time: Duration::from_secs(seconds as u64), deep }
    }
}

/// What a run is doing, for a person who waits for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Moment {
    /// Requests sent.
    pub sent: u32,
    /// Refusals among them.
    pub refused: u32,
    /// The next request goes out after this time.
    pub wait: Duration,
}

/// Bare refusals in a row, with no answer in between, after which the server is taken to be in trouble.
const BARE_IN_A_ROW: u32 = 6;
/// A bare refusal counts as one when the same question was answered at most this long before, or a refusal is known.
const JUST_BEFORE: f64 = 3.0;
/// Waits are cut into pieces of this length, so that a person sees them pass.
const PIECE: Duration = Duration::from_secs(1);

/// Runs the probe over a line of [`super::connect`]. Returns an observation for each request, and one named
/// `rate-limit/{vantage}` that holds the run.
pub async fn discover(
    ctx: &Context,
    site: &Site,
    line: Line,
    after: Option<ObservationId>,
    bounds: Bounds,
    told: &(dyn Fn(Moment) + Send + Sync),
) -> Vec<Observation> {
    let question = question(site);
    let url = question.url.to_string();
    let began = Instant::now();
    let Some(seat) = line.0 else {
        let fault = site.fault.clone().unwrap_or(ProbeFault::DeadlineSpent);
        return vec![whole(ctx, site.vantage, url, after, (began, began), Observed::Unasked(fault))];
    };
    if let Some(failure) = seat.failure() {
        // Nothing was learnt of any limiter; the connection's own failure is told as what it is.
        let turn = Turn { began: Began::At(began), after: after.clone(), attempt: 1 };
        let failed = seat.failed(ctx, &question, &turn, failure);
        let ended = Instant::now();
        let run = Run::new(ctx, site, seat, bounds, after);
        let ended_run = run.describe(RateStop::ServerTrouble, None);
        let told = whole(ctx, site.vantage, url, Some(failed.id.clone()), (began, ended), ended_run);
        return vec![failed, told];
    }
    let mut run = Run::new(ctx, site, seat, bounds, after.clone());
    let (stop, planned) = run.go(told).await;
    let ended = if run.observations.is_empty() { began } else { Instant::now() };
    let answer = run.describe(stop, planned);
    let mut all = run.observations;
    all.push(whole(ctx, site.vantage, url, after, (began, ended), answer));
    all
}

/// The stated policy with the smallest quota.
fn tightest(stated: &[Stated]) -> Option<&Stated> {
    stated.iter().filter(|s| s.quota.is_some()).min_by_key(|s| s.quota)
}

/// The reset of a policy, as the estimator takes it.
fn stated_reset(stated: &Stated) -> Option<StatedReset> {
    match (stated.reset_at_ms, stated.reset_ms) {
        (Some(at), _) => Some(StatedReset::At(at as f64 / 1e3)),
        (None, Some(after)) => Some(StatedReset::In(after as f64 / 1e3)),
        (None, None) => None,
    }
}

/// The question: the path of the URL where it has one, else that of the endpoint that matters most.
fn question(site: &Site) -> Question {
    let mut question = site.first_question(Purpose::RateLimit);
    if site.base.path() != "/" {
        question.url = site.url(site.base.path());
        question.method = Method::GET;
    }
    question
}

struct Run<'a> {
    ctx: &'a Context,
    site: &'a Site,
    seat: Seat,
    bounds: Bounds,
    plan: Plan,
    observations: Vec<Observation>,
    steps: Vec<RateStep>,
    signal: Option<RateSignal>,
    stated: Vec<Stated>,
    left: Vec<u32>,
    scope: Vec<ScopeAnswer>,
    after: Option<ObservationId>,
    serial: u32,
    began: f64,
    last_answer: Option<f64>,
    bare_in_a_row: u32,
    own_earlier: usize,
}

/// What one request brought.
enum Came {
    /// A response, with what a limiter said when it refused.
    Answer { exchange: Exchange, refusal: Option<Refusal> },
    /// Something that ends the run.
    End(RateStop),
}

impl<'a> Run<'a> {
    fn new(
        ctx: &'a Context,
        site: &'a Site,
        seat: Seat,
        bounds: Bounds,
        after: Option<ObservationId>,
    ) -> Self {
        let began = seconds(ctx.offset_us(Instant::now()));
        let budget = Budget {
            requests: bounds.requests,
            refusals: bounds.refusals,
            seconds: bounds.time.as_secs_f64(),
            deep: bounds.deep,
            ..Budget::DEFAULT
        };
        let seed =
            SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).map_or(1, |d| d.as_nanos() as u64);
        let mut plan = Plan::new(budget, began, seed);
        let earlier = ctx.ledger.history(&seat.dial.place());
        let mut steps = Vec::new();
        for sent in &earlier {
            steps.push(RateStep {
                at_us: sent.at_us,
                status: sent.status,
                refused: sent.refusal.is_some(),
                observation: sent.observation.clone(),
            });
            if let Some(answered_us) = sent.answered_us {
                plan.recall(Exchange {
                    sent: seconds(sent.at_us),
                    answered: seconds(answered_us),
                    refused: sent.refusal.is_some(),
                    retry_after: sent.refusal.as_ref().and_then(|r| r.retry_after_s).map(|s| s as f64),
                    date: None,
                    // Requests that were in flight together state what is left in another order than they were sent in.
                    left: None,
                    reset: None,
                });
            }
        }
        Self {
            ctx,
            site,
            seat,
            bounds,
            plan,
            observations: Vec::new(),
            own_earlier: steps.len(),
            steps,
            signal: None,
            stated: Vec::new(),
            left: Vec::new(),
            scope: Vec::new(),
            after,
            serial: 0,
            began,
            last_answer: None,
            bare_in_a_row: 0,
        }
    }

    fn now(&self) -> f64 {
        seconds(self.ctx.offset_us(Instant::now()))
    }

    async fn go(&mut self, told: &(dyn Fn(Moment) + Send + Sync)) -> (RateStop, Option<Stop>) {
        loop {
            if self.ctx.is_over() {
                return (RateStop::DeadlineSpent, Some(Stop::Time));
            }
            match self.plan.next(self.now()) {
                Next::Stop(stop) => return (stopped(stop, self.plan.was_refused()), Some(stop)),
                Next::Wait(until) => {
                    // A server may ask for a time that no clock holds; that too is waited for in pieces.
                    let wait =
                        Duration::try_from_secs_f64((until - self.now()).max(0.0)).unwrap_or(Duration::MAX);
                    let (sent, refused) = self.plan.used();
                    told(Moment { sent, refused, wait });
                    tokio::time::sleep(wait.min(PIECE)).await;
                }
                Next::Send => match self.ask(question(self.site)).await {
                    Came::End(stop) => return (stop, None),
                    Came::Answer { exchange, refusal } => {
                        let first = refusal.is_some() && !self.plan.was_refused();
                        let told_to_wait = exchange.retry_after.is_some();
                        self.plan.observe(exchange);
                        let sure = first && self.bounds.deep && !told_to_wait;
                        if sure && let Some(stop) = self.ask_scope().await {
                            return (stop, None);
                        }
                    }
                },
            }
        }
    }

    /// Sends one request and reads what came.
    async fn ask(&mut self, mut question: Question) -> Came {
        self.serial += 1;
        question.serial = Some(self.serial);
        let turn = Turn { began: Began::At(Instant::now()), after: self.after.clone(), attempt: 1 };
        let observation = self.seat.ask(self.ctx, &question, turn).await;
        if self.bounds.deep {
            // A connection that is kept leads to one worker process for ever, and hides that others count for themselves.
            self.seat.let_go();
        }
        if !observation.seen.was_asked() {
            return Came::End(match &observation.seen {
                Seen::Http(seen) => match &seen.answer {
                    Observed::Unasked(ProbeFault::BudgetSpent { .. }) => RateStop::BudgetSpent,
                    _ => RateStop::DeadlineSpent,
                },
                _ => RateStop::ServerTrouble,
            });
        }
        let came = self.read(&observation);
        self.after = Some(observation.id.clone());
        self.observations.push(observation);
        came
    }

    fn read(&mut self, observation: &Observation) -> Came {
        let history = self.ctx.ledger.history(&self.seat.dial.place());
        let sent = history.iter().rev().find(|sent| sent.observation == observation.id);
        let at_us = sent.map_or(observation.started_us, |sent| sent.at_us);
        let step = |status, refused| RateStep { at_us, status, refused, observation: observation.id.clone() };
        let (Some(response), Some(answered_us)) = (response(observation), sent.and_then(|s| s.answered_us))
        else {
            self.steps.push(step(None, false));
            // Who cuts the line after having refused bans; who does so before is in trouble.
            let banned = self.plan.was_refused();
            return Came::End(if banned { RateStop::Banned } else { RateStop::ServerTrouble });
        };
        let now = seconds(answered_us);
        let clear = sent.and_then(|sent| sent.refusal.clone());
        let before = self.plan.was_refused() || self.last_answer.is_some_and(|at| now - at < JUST_BEFORE);
        let bare = clear.is_none().then(|| signal::bare_refusal(response, before)).flatten();
        self.bare_in_a_row = if bare.is_some() { self.bare_in_a_row + 1 } else { 0 };
        let refusal = clear.or(bare);
        self.steps.push(step(Some(response.status), refusal.is_some()));
        if signal::is_challenge(response) {
            return Came::End(RateStop::Challenged);
        }
        if self.bare_in_a_row > BARE_IN_A_ROW || (refusal.is_none() && response.status >= 500) {
            return Came::End(RateStop::ServerTrouble);
        }
        let told_at = signal::told_at(response);
        let stated = headers::stated(&response.headers, told_at);
        let left = tightest(&stated).and_then(|stated| stated.remaining).and_then(|n| u32::try_from(n).ok());
        let reset = tightest(&stated).and_then(stated_reset);
        self.left.extend(left);
        if !stated.is_empty() {
            self.believe(&stated);
            self.stated = stated;
        }
        if refusal.is_none() {
            self.last_answer = Some(now);
        }
        if let Some(refusal) = &refusal
            && self.signal.is_none()
        {
            self.signal = Some(RateSignal {
                position: count(self.steps.len()),
                status: refusal.status,
                retry_after_s: refusal.retry_after_s,
                headers: signal::limit_headers(response),
                body: refusal.body.clone(),
                observation: observation.id.clone(),
            });
        }
        let exchange = Exchange {
            sent: seconds(at_us),
            answered: now,
            refused: refusal.is_some(),
            retry_after: refusal.as_ref().and_then(|r| r.retry_after_s).map(|s| s as f64),
            date: response
                .header("date")
                .and_then(headers::http_date)
                .map(Timestamp::as_second)
                .map(|s| s as f64),
            left,
            reset,
        };
        Came::Answer { exchange, refusal }
    }

    /// Takes the tightest stated policy as what is most likely.
    fn believe(&mut self, stated: &[Stated]) {
        let Some(tightest) = tightest(stated) else { return };
        if let Some(quota) = tightest.quota.and_then(|q| u32::try_from(q).ok()) {
            self.plan.state(quota, tightest.window_s.map(|s| s as f64));
        }
    }

    /// Asks with another method and for another path, while the limit is used up.
    async fn ask_scope(&mut self) -> Option<RateStop> {
        let plain = question(self.site);
        let other = self
            .site
            .endpoints
            .iter()
            .find(|e| e.is_safe() && e.path != plain.path())
            .map(|e| e.path.clone());
        let other = other.or_else(|| (plain.path() != "/").then(|| "/".to_owned()));
        let mut changed = Vec::new();
        if plain.method == Method::GET {
            changed.push((
                ScopeChange::Method("HEAD".to_owned()),
                Question { method: Method::HEAD, ..plain.clone() },
            ));
        }
        if let Some(path) = other {
            changed.push((ScopeChange::Path(path.clone()), Question { url: self.site.url(&path), ..plain }));
        }
        for (change, question) in changed {
            let (sent, refused) = self.plan.used();
            let room = sent + 8 < self.bounds.requests && refused + 3 < self.bounds.refusals;
            // If a place may have become free by now, an answer would say nothing of the scope.
            if !room || self.plan.chance_of_refusal(self.now() + 0.15) < 0.7 {
                return None;
            }
            tokio::time::sleep(Duration::from_millis(110)).await;
            match self.ask(question).await {
                Came::End(stop) => return Some(stop),
                Came::Answer { exchange, refusal } => {
                    let observation = self.after.clone().unwrap_or_else(|| "".into());
                    self.scope.push(ScopeAnswer {
                        changed: change,
                        refused: Some(refusal.is_some()),
                        observation,
                    });
                    if refusal.is_some() {
                        // The same limiter counted it, or would have.
                        self.plan.observe(exchange);
                    } else {
                        self.plan.spend();
                    }
                    if exchange.retry_after.is_some() {
                        return None;
                    }
                }
            }
        }
        None
    }

    /// The run as evidence.
    fn describe(&self, stopped: RateStop, planned: Option<Stop>) -> Observed<RateLimitRun> {
        let (sent, refusals) = self.plan.used();
        let found = self.plan.fit();
        let refused = self.plan.was_refused();
        let milliseconds = |time: f64| (time * 1000.0).max(0.0).round() as u64;
        let around = fit::Around {
            deep: self.bounds.deep,
            stop: planned,
            refused,
            stated: self.stated.clone(),
            left: self.left.clone(),
            scope: self.scope.clone(),
            budget: RateBudget {
                requests: self.bounds.requests,
                refusals: self.bounds.refusals,
                time_ms: u64::try_from(self.bounds.time.as_millis()).unwrap_or(u64::MAX),
            },
            used: RateBudget {
                requests: sent,
                refusals,
                time_ms: if sent == 0 { 0 } else { milliseconds(self.now() - self.began) },
            },
        };
        let mut estimate = fit::estimate(&found, fit::evidence(&found, around));
        if !refused {
            // Without a refusal a limit is known from below, or by what the server states.
            let counted = infer::infer(&self.steps, None, &self.stated);
            let shaped = !estimate.classes.is_empty();
            estimate.limit = counted.limit;
            estimate.confidence_percent = counted.confidence_percent;
            estimate.open = if shaped {
                vec!["answers are delayed and not refused, so only the pace is known".to_owned()]
            } else {
                estimate.window_ms = counted.window_ms;
                counted.open
            };
        }
        fit::tell_of_several(&mut estimate, &found, &self.left, refused);
        Observed::Present(RateLimitRun {
            own_earlier: count(self.own_earlier),
            added: count(self.steps.len() - self.own_earlier),
            sequence: self.steps.clone(),
            signal: self.signal.clone(),
            stopped,
            estimate,
        })
    }
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

fn stopped(stop: Stop, refused: bool) -> RateStop {
    match stop {
        Stop::Certain => RateStop::Certain,
        Stop::FirstRefusal => RateStop::FirstRefusal,
        Stop::NothingToLearn => RateStop::NothingToLearn,
        Stop::Requests if refused => RateStop::BudgetSpent,
        Stop::Requests => RateStop::SequenceComplete,
        Stop::Refusals => RateStop::RefusalsSpent,
        Stop::Time => RateStop::DeadlineSpent,
        Stop::AskedToWait => RateStop::AskedToWait,
    }
}
