//! When to send the next request, and when to stop.
//!
//! # Policy
//! 1. **Lead-in**: requests about a second apart show the usual latency, and keep the first places of a log apart from the rest.
//! 2. **Burst**: a request every tenth of a second, or as fast as answers come, until the first refusal. Without `deep` that
//!    is the end.
//! 3. **Seek**: the next request goes out when its answer tells most of the kind and of the parameters, for what it costs in
//!    time and refusals, and never sooner than Retry-After allows.
//!    While the limit is met and could not be met again with the requests that are left, a request that is likely to pass
//!    costs more: the first pass ends what can be learnt of the release.
//! 4. **Second trip**: when the period is known and neither one request nor several in a row tell much more of the kind, the limit is
//!    met once more with a pause in between: then a window, a log and a penalty let go at different times. Where only the limit is
//!    still open, the pause comes first, and the trip begins from a quiet start.
//! 5. **Drain**: several counters are likely by then, and nothing asks for a pause: on through refusals until so many come in a row
//!    that no counter has a place left, because only what passes until then is their limit. A pass right after a refusal begins it.
//! 6. **By chance**: several counters are likely, and every refusal asks for a pause. Then the limit is met again and again, with
//!    the counters' windows cut at different times: see `trip_by_chance`.
//!
//! It stops when one kind is certain and its period is known, when nothing can be learnt within the time left, and when
//! requests, refusals or time run out; the last refusals are kept for several counters. Every wait is lengthened at random, so
//! that probes do not march in step.

use std::borrow::Borrow;

use landfall_evidence::LimiterClass;

use crate::fit::{Fit, Quantity};
use crate::history::Exchange;
use crate::hypothesis::Hypothesis;
use crate::posterior::{Posterior, TIMED};
use crate::random::Random;

/// A kind with this weight is certain.
pub(crate) const CERTAIN: f64 = 0.95;
/// With this weight of one kind, what is left to find out are its figures.
const SETTLED: f64 = 0.85;
/// A period is known when its interval is narrower than this part of it.
const KNOWN: f64 = 0.06;
/// A limit is known when one value has this weight.
const LIMIT_KNOWN: f64 = 0.95;
/// Requests in a row, all at once, that a decision looks ahead.
const AHEAD: usize = 10;
/// Between two requests of a burst, in seconds, from start to start.
const SPACING: f64 = 0.1;
/// Hypotheses of each kind that a decision weighs.
const WEIGHED: usize = 48;
/// What is learnt of parameters counts this much against what is learnt of the kind.
const OF_PARAMETERS: f64 = 0.35;
/// What another trip is worth at least, in nats, when its times are chosen well.
const OF_A_TRIP: f64 = 0.15;
/// Less than this is not worth a request.
const LEAST_GAIN: f64 = 0.012;

/// Requests that go before another trip, to find the release and to be refused once more.
const PROBES: f64 = 15.0;
/// What it costs to let a met limit go that cannot be met again.
const OF_A_LOST_TRIP: f64 = 0.8;

/// Times that the limit is met once more.
const MOST_TRIPS: u32 = 6;
/// Part of the refusals that any kind may cost.
const OF_ANY_KIND: f64 = 0.6;
/// Fewer requests than this are not worth another meeting with one of several counters.
const LEAST_OF_A_TRIP: u32 = 3;
/// How far the windows of several counters are set apart, as a part of them.
const APART: f64 = 0.33;

/// So many refusals in a row mean that no counter has a place left.
const ALL_FULL: u32 = 5;

/// What a run may use.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Budget {
    /// Requests.
    pub requests: u32,
    /// Refusals among them.
    pub refusals: u32,
    /// Seconds.
    pub seconds: f64,
    /// Whether to go on after the first refusal.
    pub deep: bool,
    /// Requests of the lead-in.
    pub lead_in: u32,
}

impl Budget {
    /// The usual bounds without `--deep`.
    pub const DEFAULT: Self = Self { requests: 60, refusals: 1, seconds: 90.0, deep: false, lead_in: 3 };
    /// The bounds with `--deep`.
    pub const DEEP: Self = Self { requests: 120, refusals: 25, seconds: 300.0, deep: true, lead_in: 3 };
}

/// What to do now.
#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Next {
    /// Send a request.
    Send,
    /// Ask again at this time, in seconds.
    Wait(f64),
    /// Stop.
    Stop(Stop),
}

/// Why a plan stops.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Stop {
    /// One kind is certain, and its period known.
    Certain,
    /// The first refusal came, and the plan is not to go on after it.
    FirstRefusal,
    /// No request within the time left would tell the remaining kinds apart.
    NothingToLearn,
    /// Requests are used up.
    Requests,
    /// Refusals are used up.
    Refusals,
    /// Time is used up.
    Time,
    /// Retry-After asks for more time than is left.
    AskedToWait,
}

#[derive(Debug, Clone, Copy, PartialEq)]
enum Stage {
    LeadIn,
    Burst,
    Seek,
    /// About to send the first part of another trip, with this pause after it.
    Again(f64),
    /// Between the parts of another trip, until then.
    Pause(f64),
    /// On through refusals until all counters are full, so many refusals in a row so far.
    Drain(u32),
}

/// A run: the posterior and the stage that it is in.
#[derive(Debug, Clone)]
pub struct Plan {
    posterior: Posterior,
    budget: Budget,
    /// All other times count from here, so that where a window is cut and how long it is depend little on each other.
    began: f64,
    stage: Stage,
    sent: u32,
    refused: u32,
    trips: u32,
    /// Not to send before this, because Retry-After says so.
    not_before: f64,
    /// The decision that stands until the next answer.
    decided: Option<Result<f64, Stop>>,
    random: Random,
}

impl Plan {
    /// A run that begins at `began`, in seconds of the same clock as the exchanges.
    pub fn new(budget: Budget, began: f64, seed: u64) -> Self {
        Self {
            posterior: Posterior::new(seed),
            budget,
            began,
            stage: Stage::LeadIn,
            sent: 0,
            refused: 0,
            trips: 0,
            not_before: f64::NEG_INFINITY,
            decided: None,
            random: Random::new(seed ^ 0x5eed),
        }
    }

    /// Takes an exchange into account that was made for other reasons, before the run.
    pub fn recall(&mut self, exchange: Exchange) {
        self.note(exchange.since(self.began));
    }

    /// Takes the answer to a request of this run into account.
    pub fn observe(&mut self, exchange: Exchange) {
        let exchange = exchange.since(self.began);
        self.sent += 1;
        self.refused += u32::from(exchange.refused);
        self.note(exchange);
        self.stage = match self.stage {
            Stage::Drain(row) if exchange.retry_after.is_none() => {
                let row = if exchange.refused { row + 1 } else { 0 };
                let go_on = row < ALL_FULL && self.refused + 1 < self.budget.refusals;
                if go_on { Stage::Drain(row) } else { Stage::Seek }
            }
            _ if self.may_drain(&exchange) => Stage::Drain(u32::from(exchange.refused)),
            _ if exchange.refused => Stage::Seek,
            Stage::LeadIn if self.sent >= self.budget.lead_in => Stage::Burst,
            Stage::Again(pause) => Stage::Pause(exchange.sent + pause),
            Stage::Pause(_) => Stage::Burst,
            stage => stage,
        };
    }

    fn note(&mut self, exchange: Exchange) {
        if let Some(wait) = exchange.retry_after.filter(|_| exchange.refused) {
            self.not_before = self.not_before.max(exchange.answered + wait);
        }
        self.posterior.observe(exchange);
        self.decided = None;
    }

    /// Believes what the server states of its limit, until answers speak against it. Only before the first refusal.
    pub fn state(&mut self, quota: u32, window: Option<f64>) {
        self.posterior.state(quota, window);
        self.decided = None;
    }

    /// Counts a request that asked something else of the server, whose answer tells nothing of this limit.
    pub fn spend(&mut self) {
        self.sent += 1;
        self.decided = None;
    }

    /// Chance that a request sent at `now` would be refused.
    pub fn chance_of_refusal(&self, now: f64) -> f64 {
        let arrival = self.posterior.history.expected(now - self.began);
        let chance = |(weight, kind): (f64, Vec<&Hypothesis>)| {
            let sum: f64 = kind.iter().map(|h| self.posterior.chance_of_refusal(h, arrival)).sum();
            weight * sum / kind.len().max(1) as f64
        };
        self.posterior.sample(WEIGHED).into_iter().map(chance).sum()
    }

    /// Whether a refusal was met, in this run or before it.
    pub fn was_refused(&self) -> bool {
        self.refused_at_all()
    }

    /// Requests and refusals of this run so far.
    pub fn used(&self) -> (u32, u32) {
        (self.sent, self.refused)
    }

    /// What is believed now.
    pub fn fit(&self) -> Fit {
        self.posterior.fit()
    }

    /// What to do at `now`.
    pub fn next(&mut self, now: f64) -> Next {
        let now = now - self.began;
        let decided = match self.decided {
            Some(decided) => decided,
            None => self.decide(now),
        };
        self.decided = Some(decided);
        match decided {
            Err(stop) => Next::Stop(stop),
            Ok(at) if at > now => Next::Wait(self.began + at),
            Ok(_) => Next::Send,
        }
    }

    fn decide(&mut self, now: f64) -> Result<f64, Stop> {
        let end = self.budget.seconds;
        if !self.budget.deep && self.refused_at_all() {
            return Err(Stop::FirstRefusal);
        }
        if self.sent >= self.budget.requests {
            return Err(Stop::Requests);
        }
        if self.refused >= self.budget.refusals || self.rest_is_for_several() {
            return Err(Stop::Refusals);
        }
        if now >= end {
            return Err(Stop::Time);
        }
        if self.not_before >= end {
            return Err(Stop::AskedToWait);
        }
        let soonest = self.soonest(now);
        let at = match self.stage {
            Stage::LeadIn if self.sent == 0 => now,
            Stage::LeadIn => self.last_sent(now) + self.random.between(0.9, 1.15),
            Stage::Burst if self.shaping_is_plain() => return Err(Stop::Certain),
            Stage::Burst | Stage::Again(_) | Stage::Drain(_) => soonest,
            Stage::Pause(until) => until,
            Stage::Seek => return self.seek(now, end),
        };
        let at = at.max(soonest);
        if at < end { Ok(at) } else { Err(Stop::Time) }
    }

    /// Whether the refusals that are left are kept for several counters, of whose limit each tells only a part by chance.
    fn rest_is_for_several(&self) -> bool {
        f64::from(self.refused) >= OF_ANY_KIND * f64::from(self.budget.refusals)
            && self.posterior.fit().best().0 != LimiterClass::SeveralCounters
    }

    /// Whether to go on through refusals: of several counters only what passes until the last is full tells their limit.
    fn may_drain(&self, exchange: &Exchange) -> bool {
        if exchange.retry_after.is_some() || !self.budget.deep {
            return false;
        }
        let met_again = exchange.refused && self.trips > 0 && self.stage != Stage::Seek;
        if !met_again && !self.passed_right_after_a_refusal() {
            return false;
        }
        let fit = self.posterior.fit();
        fit.best().0 == LimiterClass::SeveralCounters
            && fit.limit_share <= LIMIT_KNOWN
            && self.refused + ALL_FULL < self.budget.refusals
    }

    /// Whether the last answer was a pass where the one before it, in the same burst, was a refusal.
    fn passed_right_after_a_refusal(&self) -> bool {
        let [.., before, last] = self.posterior.history.exchanges() else { return false };
        let at_once = last.sent - before.sent < 2.0 * SPACING.max(before.latency());
        at_once && before.refused && !last.refused
    }

    fn refused_at_all(&self) -> bool {
        self.posterior.history.exchanges().iter().any(|exchange| exchange.refused)
    }

    fn last_sent(&self, now: f64) -> f64 {
        self.posterior.history.exchanges().last().map_or(now, |exchange| exchange.sent)
    }

    /// The soonest that politeness allows.
    fn soonest(&mut self, now: f64) -> f64 {
        let spaced = self.last_sent(now - 1.0) + SPACING * self.random.between(1.0, 1.15);
        now.max(spaced).max(self.not_before + self.random.between(0.02, 0.1))
    }

    fn shaping_is_plain(&self) -> bool {
        let fit = self.posterior.fit();
        fit.best().0 == LimiterClass::LeakyBucket
            && fit.best().1 >= CERTAIN
            && fit.place.is_some_and(|place| place.relative_width() < 2.0 * KNOWN)
    }

    /// What the best kind releases by: its period, or its penalty.
    fn timing(fit: &Fit) -> Option<Quantity> {
        match fit.best().0 {
            LimiterClass::Penalty => fit.penalty,
            LimiterClass::LeakyBucket => fit.place,
            _ => fit.period,
        }
    }

    fn seek(&mut self, now: f64, end: f64) -> Result<f64, Stop> {
        let fit = self.posterior.fit();
        let timing = Self::timing(&fit);
        let counted = fit.best().0 == LimiterClass::LeakyBucket || fit.limit_share > LIMIT_KNOWN;
        let known = counted && timing.is_some_and(|t| t.relative_width() < KNOWN);
        if fit.best().1 >= CERTAIN && known {
            return Err(Stop::Certain);
        }
        let soonest = self.soonest(now);
        if soonest >= end {
            return Err(Stop::Time);
        }
        if self.only_trips_tell(&fit) {
            return self.second_trip(&fit, soonest, end);
        }
        let single = self.most_telling(soonest, end, self.last_chance(&fit));
        let several = self.several_at_once(soonest).filter(|gain| *gain >= LEAST_GAIN);
        let passes = self.posterior.history.exchanges().last().is_some_and(|last| !last.refused);
        let timed = timing.is_some_and(|t| t.relative_width() < TIMED);
        let little =
            single.is_none_or(|(_, gain)| gain < OF_A_TRIP) && several.is_none_or(|gain| gain < OF_A_TRIP);
        if little && passes && timed && fit.limit_share > LIMIT_KNOWN {
            // What is left is the kind, and kinds part where the places of one trip are taken at different times.
            if let Ok(at) = self.second_trip(&fit, soonest, end) {
                return Ok(at);
            }
        }
        match (single, several) {
            (Some((at, gain)), Some(ahead)) => Ok(if ahead > 1.3 * gain { soonest } else { at }),
            (Some((at, _)), None) => Ok(at),
            (None, Some(_)) => Ok(soonest),
            (None, None) => self.second_trip(&fit, soonest, end),
        }
    }

    /// What is learnt from some number of requests in a row from now on, of which all but the last pass. A window lets
    /// many through where a log or a bucket lets few, which a single request does not show.
    fn several_at_once(&mut self, soonest: f64) -> Option<f64> {
        let mut history = self.posterior.history.clone();
        let mut sample: Vec<(f64, Vec<Hypothesis>)> = self
            .posterior
            .sample(WEIGHED / 2)
            .into_iter()
            .filter(|(weight, _)| *weight > 0.003)
            .map(|(weight, kind)| (weight, kind.into_iter().cloned().collect()))
            .collect();
        let base = history.base();
        let room = (self.budget.requests - self.sent) as usize;
        let (mut best, mut at, mut all_pass) = (None, soonest, 1.0);
        for ahead in 0..AHEAD.min(room) {
            let arrival = history.expected(at);
            let i = history.len();
            let (mut gain, refused) = gain(&sample, |h| h.chance_of_refusal(&history, i, arrival));
            gain = gain * all_pass - 0.006 * ahead as f64;
            if ahead > 0 && best.is_none_or(|best| gain > best) {
                best = Some(gain);
            }
            all_pass *= 1.0 - refused;
            if all_pass < 0.3 {
                break;
            }
            let passed = Exchange {
                sent: at,
                answered: at + base,
                refused: false,
                retry_after: None,
                date: None,
                left: None,
                reset: None,
            };
            history.push(passed);
            for (_, kind) in &mut sample {
                for hypothesis in kind {
                    hypothesis.take(&history, i, || self.random.unit());
                }
            }
            at += (1.08 * SPACING).max(base);
        }
        best
    }

    /// Whether only the limit of several counters is open, and each refusal asks for a pause: then nothing but whole trips
    /// from a quiet start tells more of it.
    fn only_trips_tell(&self, fit: &Fit) -> bool {
        let told = self.posterior.history.exchanges().iter().rev().find(|exchange| exchange.refused);
        fit.best().0 == LimiterClass::SeveralCounters
            && fit.best().1 >= SETTLED
            && fit.limit_share <= LIMIT_KNOWN
            && fit.period.is_some_and(|period| period.relative_width() < TIMED)
            && told.is_some_and(|last| last.retry_after.is_some())
    }

    /// Whether the limit is met now and cannot be met again with the requests that are left: the first pass ends what can be
    /// learnt of its release.
    fn last_chance(&self, fit: &Fit) -> bool {
        let met = self.posterior.history.exchanges().last().is_some_and(|last| last.refused);
        let left = f64::from(self.budget.requests - self.sent);
        met && self.refused < self.budget.refusals - 2
            && fit.limit.is_some_and(|limit| limit.likely + PROBES > left)
    }

    /// Meets the limit once more, in two parts; from a quiet start where only the limit is open.
    fn second_trip(&mut self, fit: &Fit, soonest: f64, end: f64) -> Result<f64, Stop> {
        let (Some(limit), Some(period)) = (fit.limit, Self::timing(fit)) else {
            return Err(Stop::NothingToLearn);
        };
        if self.only_trips_tell(fit) {
            return self.trip_by_chance(period, soonest);
        }
        let requests = f64::from(self.budget.requests - self.sent);
        let longest = limit.likely;
        if self.trips >= MOST_TRIPS || longest + 4.0 > requests || self.refused + 3 > self.budget.refusals {
            return Err(Stop::NothingToLearn);
        }
        if fit.best().1 >= SETTLED && fit.limit_share <= LIMIT_KNOWN {
            // Only how much is let through is still open: from a quiet start that shows at once.
            let quiet = if fit.best().0 == LimiterClass::SlidingCounter { 2.1 } else { 1.2 };
            let last = self.last_sent(soonest);
            let until = soonest.max(last + quiet * period.high.min(1.5 * period.likely));
            if until + longest * SPACING < end {
                self.trips += 1;
                self.stage = Stage::Pause(until);
                return Ok(until);
            }
        }
        if soonest + 1.4 * period.likely + limit.likely * SPACING >= end {
            return Err(Stop::NothingToLearn);
        }
        self.trips += 1;
        // Long enough for every kind that is still possible to show where it counts from.
        let longest =
            [fit.period, fit.penalty].into_iter().flatten().map(|t| t.likely).fold(period.likely, f64::max);
        let longest = if longest < 4.0 * period.likely { longest } else { period.likely };
        let pause = (0.35 * longest).min((end - soonest) / 4.0);
        self.stage = Stage::Again(pause);
        Ok(soonest)
    }

    /// Meets the limit of one of several counters once more, each refusal of which asks for a pause. Where their windows end at
    /// different times one begins anew while another still counts, and what passes in all of their windows together varies
    /// less by chance than what passes in one trip. So the windows are set apart where all are over, by a pause after the
    /// first request, and kept apart by going on as soon as Retry-After allows.
    fn trip_by_chance(&mut self, period: Quantity, soonest: f64) -> Result<f64, Stop> {
        if self.budget.requests - self.sent < LEAST_OF_A_TRIP {
            return Err(Stop::NothingToLearn);
        }
        let all_over = self.posterior.counters.chance_of_open(&self.posterior.history, soonest) < 0.5;
        self.stage = if all_over { Stage::Again(APART * period.likely) } else { Stage::Burst };
        Ok(soonest)
    }

    /// The time to send at whose answer tells most, and what that is worth.
    fn most_telling(&mut self, soonest: f64, end: f64, last_chance: bool) -> Option<(f64, f64)> {
        let history = &self.posterior.history;
        let i = history.len();
        let way = history.base() / 2.0;
        let sample: Vec<(f64, Vec<&Hypothesis>)> =
            self.posterior.sample(WEIGHED).into_iter().filter(|(weight, _)| *weight > 0.003).collect();
        let mut times = vec![soonest, soonest + 0.5, soonest + 1.0];
        for (_, kind) in &sample {
            let mut releases: Vec<f64> =
                kind.iter().map(|h| h.release_after(history, i, soonest + way) - way).collect();
            releases.sort_by(f64::total_cmp);
            let margin = 2.0 * history.expected(0.0).spread;
            for share in [0.04, 0.2, 0.35, 0.5, 0.65, 0.8, 0.96] {
                let release = releases[((releases.len() - 1) as f64 * share) as usize];
                times.extend([release - margin, release + margin, release + 0.05 * (release - soonest)]);
            }
        }
        times.retain(|at| *at >= soonest && *at < end);
        times.sort_by(f64::total_cmp);
        times.dedup_by(|a, b| *a - *b < 0.01);
        let left = (end - soonest).max(1e-9);
        let used = f64::from(self.refused);
        let score = |at: f64| {
            let arrival = history.expected(at);
            let (gain, refused) = gain(&sample, |h| self.posterior.chance_of_refusal(h, arrival));
            let lost = if last_chance { OF_A_LOST_TRIP * (1.0 - refused) } else { 0.0 };
            let cost = 0.028 * (1.0 + used / 6.0) * refused + 0.25 * (at - soonest) / left + lost;
            (gain, gain - cost, refused)
        };
        let scored = times.into_iter().map(|at| (at, score(at)));
        // Waiting costs nothing when nothing can be learnt sooner.
        let telling = scored.filter(|(_, (gain, _, refused))| *gain >= LEAST_GAIN + 0.004 * used * refused);
        telling.max_by(|a, b| a.1.1.total_cmp(&b.1.1)).map(|(at, (gain, ..))| (at, gain))
    }
}

/// What the answer to a request tells, in nats, of the kind and to a smaller part of the parameters; and the chance of a
/// refusal. `refusal` is that chance by one hypothesis.
fn gain<H: Borrow<Hypothesis>>(sample: &[(f64, Vec<H>)], refusal: impl Fn(&Hypothesis) -> f64) -> (f64, f64) {
    let (mut of_kind, mut of_all, mut overall, mut total) = (0.0, 0.0, 0.0, 0.0);
    for (weight, kind) in sample {
        let (mut mean, mut entropy) = (0.0, 0.0);
        for hypothesis in kind {
            let refusal = refusal(hypothesis.borrow());
            mean += refusal;
            entropy += uncertainty(refusal);
        }
        let count = kind.len() as f64;
        of_kind += weight * uncertainty(mean / count);
        of_all += weight * entropy / count;
        overall += weight * mean / count;
        total += weight;
    }
    let whole = uncertainty(overall / total);
    ((whole - of_kind / total) + OF_PARAMETERS * (of_kind - of_all) / total, overall / total)
}

/// Entropy of a yes or no, in nats.
fn uncertainty(p: f64) -> f64 {
    let part = |p: f64| if p <= 0.0 { 0.0 } else { -p * p.ln() };
    part(p) + part(1.0 - p)
}
