//! Limiters of every kind in virtual time, with a network in between, to measure the estimator against.
//!
//! Written from the descriptions of real limiters and not from the hypotheses: a simulated limiter decides by itself, has
//! others' requests really arrive in it, and knows nothing of weights.

use std::collections::VecDeque;

use landfall_evidence::LimiterClass;

use crate::counters;
use crate::fit::Fit;
use crate::history::{Exchange, History, StatedReset};
use crate::plan::{Budget, Next, Plan, Stop};
use crate::random::Random;

/// How answers state when a quota is renewed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Resets {
    /// Not at all.
    Never,
    /// Seconds from now, rounded up: express-rate-limit with the drafts' fields, @fastify/rate-limit, throttled.
    Seconds,
    /// The epoch, rounded up: Flask-Limiter, express-rate-limit with its legacy fields.
    Epoch,
    /// The epoch, on refusals only: Laravel.
    OfRefusals,
    /// The length of the window, whatever is left of it.
    Whole,
    /// Numbers that mean something else.
    Nonsense,
}

/// A limiter as somebody configured it. Times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Configuration {
    /// Its kind.
    pub class: LimiterClass,
    /// Requests in a window, or the size of a bucket; of each counter where there are several.
    pub limit: u32,
    /// Window, or time in which a bucket fills.
    pub period: f64,
    /// Time of refusal after a trip, for a penalty.
    pub penalty: f64,
    /// Whether the clock cuts the windows.
    pub by_clock: bool,
    /// Whether refused requests count.
    pub counts_refused: bool,
    /// Whether the previous window's share is rounded down.
    pub rounds_down: bool,
    /// Counters that do not know of each other.
    pub counters: usize,
    /// Whether they take requests in turn, as behind a balancer's round robin, and not by chance.
    pub in_turn: bool,
    /// Whether refusals carry Retry-After.
    pub tells: bool,
    /// Whether answers state the limit and how many requests are left.
    pub states: bool,
    /// How answers that state the limit also state when it is renewed.
    pub resets: Resets,
    /// Requests per second by others.
    pub others: f64,
    /// Round trip without any wait.
    pub round_trip: f64,
    /// Mean of the random delay on each way.
    pub jitter: f64,
}

/// Periods as people write them down. Most limits are per second, per ten seconds and per minute; longer ones are rarer.
const SHORT: [f64; 9] = [1.0, 2.0, 5.0, 10.0, 10.0, 15.0, 30.0, 60.0, 60.0];
const LONG: [f64; 5] = [120.0, 300.0, 600.0, 900.0, 3600.0];
/// Share of limiters with a period above a minute.
const SHARE_OF_LONG: f64 = 0.12;
/// Share of periods that are not round figures.
const SHARE_OF_ODD: f64 = 0.25;

/// Share of those limiters with Retry-After that also state the limit and how much of it is left: express-rate-limit,
/// Flask-Limiter, @fastify/rate-limit and Laravel's throttle do; Django REST framework and rack-attack send Retry-After alone.
const SHARE_THAT_STATES: f64 = 0.6;

/// How many of a hundred limiters that state what is left state the reset in which way.
const RESETS: [(Resets, usize); 6] = [
    (Resets::Seconds, 40),
    (Resets::Epoch, 35),
    (Resets::OfRefusals, 10),
    (Resets::Never, 7),
    (Resets::Whole, 4),
    (Resets::Nonsense, 4),
];

/// What of a limiter a client can meet that sends ten requests a second, one after the other.
const FASTEST: f64 = 10.0;

impl Configuration {
    /// A limiter at random, out of all kinds, limits of 2 to 60 and periods of a second to an hour, that ten requests a
    /// second can meet; a quarter of them is used by others too.
    pub fn random(random: &mut Random) -> Self {
        // Drawn once, so that those that cannot be met, which are short ones, do not leave more of other kinds and periods.
        let (class, long) = Self::kind(random);
        loop {
            let drawn = Self::of_kind(class, long, random);
            if drawn.can_be_met() {
                return drawn.with_resets(random);
            }
        }
    }

    /// The same without asking whether it can be met.
    pub fn any(random: &mut Random) -> Self {
        let (class, long) = Self::kind(random);
        Self::of_kind(class, long, random).with_resets(random)
    }

    fn with_resets(self, random: &mut Random) -> Self {
        let mut left = random.below(100);
        let drawn = RESETS.iter().find(|(_, share)| {
            let within = left < *share;
            left = left.saturating_sub(*share);
            within
        });
        let resets = drawn.filter(|_| self.states).map_or(Resets::Never, |(resets, _)| *resets);
        Self { resets, ..self }
    }

    fn kind(random: &mut Random) -> (LimiterClass, bool) {
        (LimiterClass::ALL[random.below(LimiterClass::ALL.len())], random.chance(SHARE_OF_LONG))
    }

    fn of_kind(class: LimiterClass, long: bool, random: &mut Random) -> Self {
        use LimiterClass::*;
        let period = |long: bool, random: &mut Random| match (long, random.chance(SHARE_OF_ODD)) {
            (true, false) => LONG[random.below(LONG.len())],
            (true, true) => random.log_between(61.0, 3600.0),
            (false, false) => SHORT[random.below(SHORT.len())],
            (false, true) => random.log_between(1.0, 60.0),
        };
        let counters = if class == SeveralCounters { 2 + usize::from(random.chance(0.25)) } else { 1 };
        let total = random.log_between(2.0, 60.5).floor();
        let limit = ((total / counters as f64) as u32).max(1);
        // A long penalty after a short window, or a short one after a long window.
        let of_penalty = class == Penalty && random.chance(0.5);
        let (own, penalty) = (period(long && !of_penalty, random), period(long && of_penalty, random));
        let round_trip = random.log_between(0.005, 0.2);
        let tells = random.chance(0.4);
        // Edges and queues state nothing.
        let states = tells && !matches!(class, LeakyBucket | Penalty) && random.chance(SHARE_THAT_STATES);
        let quiet = matches!(class, LeakyBucket | SeveralCounters) || !random.chance(0.35);
        Self {
            class,
            limit,
            period: own,
            penalty: if class == Penalty { penalty } else { 0.0 },
            by_clock: random.chance(0.5),
            counts_refused: random.chance(0.3),
            rounds_down: random.chance(0.5),
            counters,
            in_turn: false,
            tells,
            states,
            resets: Resets::Never,
            others: if quiet { 0.0 } else { random.log_between(0.03, 0.4) * f64::from(limit) / own },
            round_trip,
            jitter: round_trip * random.between(0.01, 0.08) + 0.0005,
        }
    }

    /// Requests that pass from a quiet start.
    pub fn total(&self) -> u32 {
        self.limit * self.counters as u32
    }

    /// Whether a client that sends at most ten requests a second ever meets it, with some room.
    pub fn can_be_met(&self) -> bool {
        let spacing = (1.0 / FASTEST).max(self.round_trip) * 1.15 + 2.0 * self.jitter;
        let burst = f64::from(self.total() + 3) * spacing;
        match self.class {
            // Slow enough to be felt, and not so slow that clients give up on it.
            LimiterClass::LeakyBucket => {
                (1.5 * spacing + 0.05..30.0).contains(&(self.period / f64::from(self.limit)))
            }
            // Half of the period, so that not every window is cut before it is full.
            _ => burst < 0.5 * self.period,
        }
    }

    /// The period that a client can see: of a penalty the penalty, of a queue the time between two releases.
    pub fn visible_period(&self) -> f64 {
        match self.class {
            LimiterClass::Penalty => self.penalty,
            LimiterClass::LeakyBucket => self.period / f64::from(self.limit),
            _ => self.period,
        }
    }
}

/// What a limiter does with one request.
struct Verdict {
    passes: bool,
    delay: f64,
    retry_after: Option<f64>,
    left: Option<u32>,
    /// Seconds until the quota is renewed, as the server means it.
    renewed: f64,
}

/// A limiter at work.
struct Limiter {
    of: Configuration,
    /// Begin of the present window of each counter, and its count.
    windows: Vec<(f64, u32)>,
    before: u32,
    log: VecDeque<f64>,
    tokens: f64,
    at: f64,
    queue_free: f64,
    until: f64,
    /// Where the clock cuts windows.
    offset: f64,
    /// The counter whose turn it is.
    turn: usize,
}

impl Limiter {
    fn new(of: Configuration, offset: f64) -> Self {
        Self {
            of,
            windows: vec![(f64::NEG_INFINITY, 0); of.counters],
            before: 0,
            log: VecDeque::new(),
            tokens: f64::from(of.limit),
            at: 0.0,
            queue_free: 0.0,
            until: f64::NEG_INFINITY,
            offset,
            turn: 0,
        }
    }

    fn request(&mut self, at: f64, random: &mut Random) -> Verdict {
        let of = self.of;
        let w = match of.class {
            LimiterClass::SeveralCounters if of.in_turn => self.turn,
            LimiterClass::SeveralCounters => random.below(of.counters),
            _ => 0,
        };
        self.turn = (w + 1) % of.counters;
        let (passes, wait) = match of.class {
            LimiterClass::FixedWindow | LimiterClass::SeveralCounters => self.fixed(at, w),
            LimiterClass::SlidingLog => self.log(at),
            LimiterClass::SlidingCounter => self.sliding(at),
            LimiterClass::TokenBucket => {
                let rate = f64::from(of.limit) / of.period;
                self.tokens = (self.tokens + (at - self.at) * rate).min(f64::from(of.limit));
                self.at = at;
                let passes = self.tokens >= 1.0;
                if passes {
                    self.tokens -= 1.0;
                }
                (passes, (1.0 - self.tokens) / rate)
            }
            LimiterClass::Penalty => {
                if at < self.until {
                    (false, self.until - at)
                } else {
                    let (passes, _) = self.fixed(at, 0);
                    if !passes {
                        self.until = at + of.penalty;
                        self.windows[0] = (f64::NEG_INFINITY, 0);
                    }
                    (passes, of.penalty)
                }
            }
            LimiterClass::LeakyBucket => {
                let release = self.queue_free.max(at);
                self.queue_free = release + of.period / f64::from(of.limit);
                return Verdict {
                    passes: true,
                    delay: release - at,
                    retry_after: None,
                    left: None,
                    renewed: 0.0,
                };
            }
        };
        let retry_after = (!passes && of.tells).then(|| wait.ceil().max(1.0));
        let left = of.states.then(|| if passes { self.left(at, w) } else { 0 });
        Verdict { passes, delay: 0.0, retry_after, left, renewed: self.renewed(at, w) }
    }

    /// Seconds until the quota is renewed, right after a request was counted.
    fn renewed(&self, at: f64, w: usize) -> f64 {
        let (period, (begun, _)) = (self.of.period, self.windows[w]);
        let left = begun + period - at;
        match self.of.class {
            // Flask-Limiter's moving window: until the oldest entry leaves.
            LimiterClass::SlidingLog => self.log.front().map_or(0.0, |first| first + period - at),
            // Its sliding counter: until the previous window weighs one less. Upstash: until the window ends.
            LimiterClass::SlidingCounter if self.of.rounds_down && self.before > 0 => {
                left % (period / f64::from(self.before))
            }
            // throttled and redis-cell: until the bucket is full. Upstash: until the next token.
            LimiterClass::TokenBucket => {
                let missing = f64::from(self.of.limit) - self.tokens;
                let missing = if self.of.rounds_down { 1.0 - self.tokens.fract() } else { missing };
                missing * period / f64::from(self.of.limit)
            }
            _ => left,
        }
    }

    /// Requests that are left right after one passed.
    fn left(&self, at: f64, w: usize) -> u32 {
        let limit = f64::from(self.of.limit);
        let (begun, count) = self.windows[w];
        let left = match self.of.class {
            LimiterClass::SlidingLog => limit - self.log.len() as f64,
            LimiterClass::TokenBucket => self.tokens,
            LimiterClass::SlidingCounter => {
                let share = f64::from(self.before) * (1.0 - (at - begun) / self.of.period);
                limit - f64::from(count) - if self.of.rounds_down { share.floor() } else { share }
            }
            _ => limit - f64::from(count),
        };
        (left + 1e-9).max(0.0) as u32
    }

    fn boundary(&self, at: f64) -> f64 {
        self.offset + ((at - self.offset) / self.of.period).floor() * self.of.period
    }

    fn fixed(&mut self, at: f64, w: usize) -> (bool, f64) {
        let (begun, count) = self.windows[w];
        if at >= begun + self.of.period {
            let begin = if self.of.by_clock && self.of.class == LimiterClass::FixedWindow {
                self.boundary(at)
            } else {
                at
            };
            self.windows[w] = (begin, 1);
            return (true, 0.0);
        }
        if count >= self.of.limit {
            return (false, begun + self.of.period - at);
        }
        self.windows[w].1 += 1;
        (true, 0.0)
    }

    fn log(&mut self, at: f64) -> (bool, f64) {
        while self.log.front().is_some_and(|first| *first <= at - self.of.period) {
            self.log.pop_front();
        }
        let passes = self.log.len() < self.of.limit as usize;
        let first = self.log.front().copied().unwrap_or(at);
        if passes || self.of.counts_refused {
            self.log.push_back(at);
        }
        let back = self.log.len().saturating_sub(self.of.limit as usize);
        let oldest =
            if self.of.counts_refused { self.log.get(back).copied().unwrap_or(first) } else { first };
        (passes, oldest + self.of.period - at)
    }

    fn sliding(&mut self, at: f64) -> (bool, f64) {
        let period = self.of.period;
        let (begun, count) = self.windows[0];
        if begun == f64::NEG_INFINITY {
            self.windows[0] = (if self.of.by_clock { self.boundary(at) } else { at }, 0);
        } else if at >= begun + period {
            let gone = ((at - begun) / period).floor();
            self.before = if gone < 2.0 { count } else { 0 };
            let begin = if gone < 2.0 || self.of.by_clock { begun + gone * period } else { at };
            self.windows[0] = (begin, 0);
        }
        let (begun, count) = self.windows[0];
        let share = f64::from(self.before) * (1.0 - (at - begun) / period);
        let share = if self.of.rounds_down { share.floor() } else { share };
        let passes = share + f64::from(count) + 1.0 <= f64::from(self.of.limit) + 1e-12;
        if passes || self.of.counts_refused {
            self.windows[0].1 += 1;
        }
        (passes, begun + period - at)
    }
}

/// What became of one run.
#[derive(Debug, Clone)]
pub struct Outcome {
    /// The limiter that was met.
    pub truth: Configuration,
    /// What was believed in the end.
    pub fit: Fit,
    /// Why it ended.
    pub stop: Stop,
    /// Requests sent.
    pub requests: u32,
    /// Refusals among them.
    pub refusals: u32,
    /// Seconds that it took.
    pub seconds: f64,
    /// Requests sent sooner than a Retry-After allowed. There must be none.
    pub impolite: u32,
    /// Every exchange.
    pub exchanges: Vec<Exchange>,
    /// The limit that somebody would name who knows everything of this limiter but that.
    pub knowable: Option<u32>,
}

/// Limits of one counter that [`knowable_limit`] tries.
const TRIED: u32 = 200;

/// The likeliest limit by what passed and how long refusals ask to wait, of all counters together, for somebody who knows the
/// kind, its times, the number of counters, and when each request arrived: hardly any estimator is right more often on the
/// same exchanges, where they state nothing of what is left and nobody else sends. Of the limits that explain every answer the
/// smallest, because small limits are commoner.
fn knowable_limit(
    truth: Configuration,
    offset: f64,
    began: f64,
    arrivals: &[f64],
    exchanges: &[Exchange],
) -> Option<u32> {
    if truth.class == LimiterClass::SeveralCounters && !truth.in_turn {
        let mut history = History::default();
        exchanges.iter().for_each(|exchange| history.push(exchange.since(began)));
        return counters::likeliest_limit(&history, truth.counters as u32, truth.period);
    }
    let explains = |limit: &u32| {
        let mut limiter = Limiter::new(Configuration { limit: *limit, ..truth }, offset);
        limiter.at = began;
        let mut unused = Random::new(0);
        arrivals
            .iter()
            .zip(exchanges)
            .all(|(at, said)| limiter.request(*at, &mut unused).passes != said.refused)
    };
    (1..=TRIED).find(explains).map(|limit| limit * truth.counters as u32)
}

/// Runs a plan against a limiter.
pub fn run(truth: Configuration, budget: Budget, seed: u64) -> Outcome {
    let mut random = Random::new(seed);
    let mut now = random.between(1000.0, 2000.0);
    // The server's clock, and where whole multiples of the period lie on ours.
    let ahead = random.between(1.7e9, 1.8e9);
    let mut limiter = Limiter::new(truth, -(ahead % truth.period));
    limiter.at = now;
    let way_there = random.between(0.35, 0.65);
    let mut next_other = now - 2.0 * truth.period.min(600.0);
    let began = now;
    let mut plan = Plan::new(budget, now, seed ^ 0xabcd);
    let (mut exchanges, mut arrivals, mut impolite, mut not_before) =
        (Vec::new(), Vec::new(), 0, f64::NEG_INFINITY);
    let stop = loop {
        match plan.next(now) {
            Next::Stop(stop) => break stop,
            Next::Wait(until) => now = until.max(now + 1e-6) + random.exponential(0.0005),
            Next::Send => {
                impolite += u32::from(now < not_before);
                let spike = if random.chance(0.02) { random.between(0.02, 0.25) } else { 0.0 };
                let arrives = now + truth.round_trip * way_there + random.exponential(truth.jitter) + spike;
                if truth.others > 0.0 {
                    while next_other < arrives {
                        limiter.request(next_other, &mut random);
                        next_other += random.exponential(1.0 / truth.others);
                    }
                }
                let verdict = limiter.request(arrives, &mut random);
                let leaves = arrives + verdict.delay;
                let answered =
                    leaves + truth.round_trip * (1.0 - way_there) + random.exponential(truth.jitter);
                let renewed = leaves + verdict.renewed;
                let reset = match truth.resets {
                    Resets::Never => None,
                    Resets::OfRefusals if verdict.passes => None,
                    Resets::Seconds => Some(StatedReset::In(verdict.renewed.max(0.0).ceil())),
                    Resets::Epoch | Resets::OfRefusals => Some(StatedReset::At((renewed + ahead).ceil())),
                    Resets::Whole => Some(StatedReset::In(truth.period.ceil())),
                    Resets::Nonsense => Some(StatedReset::In((exchanges.len() * 7919 % 97) as f64)),
                };
                let exchange = Exchange {
                    sent: now,
                    answered,
                    refused: !verdict.passes,
                    retry_after: verdict.retry_after,
                    date: Some((leaves + ahead).floor()),
                    left: verdict.left,
                    reset,
                };
                if truth.states {
                    plan.state(truth.limit, None);
                }
                if let Some(wait) = verdict.retry_after {
                    not_before = not_before.max(answered + wait);
                }
                arrivals.push(arrives);
                exchanges.push(exchange);
                plan.observe(exchange);
                now = answered;
            }
        }
    };
    let (requests, refusals) = plan.used();
    let knowable = knowable_limit(truth, limiter.offset, began, &arrivals, &exchanges);
    Outcome {
        truth,
        fit: plan.fit(),
        stop,
        requests,
        refusals,
        seconds: now - began,
        impolite,
        exchanges,
        knowable,
    }
}
