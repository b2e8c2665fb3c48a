//! The kinds of limiter as hypotheses: what each, with given parameters, would do with the next request.
//!
//! A hypothesis is never asked to decide what happened: whether a request was counted follows from the answer that came,
//! so that one unexplained answer costs weight and does not derail the rest.

use landfall_evidence::LimiterClass;

use crate::history::{Arrival, History};
use crate::prior;

/// Chance that a request passes which the true limiter's rule would refuse: a lost update between processes.
const UNEXPLAINED_PASS: f64 = 0.003;
/// Chance of a refusal that no limiter's rule explains.
const UNEXPLAINED_REFUSAL: f64 = 0.004;

/// A limit that is never met.
const BOUNDLESS: u32 = 1_000_000;

/// Counters that one hypothesis may have.
pub(crate) const MOST_COUNTERS: usize = 4;

/// Parameters. Times are in seconds.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct Parameters {
    /// Requests in a window, or the size of a bucket; of each counter where there are several.
    pub(crate) limit: u32,
    /// Window, or time in which a bucket fills up. Of a penalty the window in which requests are counted.
    pub(crate) period: f64,
    /// Where windows are cut, when the clock cuts them: any boundary. In units of the client's clock.
    pub(crate) phase: f64,
    /// Whether windows are cut by the clock and not begun by a request.
    pub(crate) by_clock: bool,
    /// Whether refused requests count as well.
    pub(crate) counts_refused: bool,
    /// How long everything is refused after a trip.
    pub(crate) penalty: f64,
    /// Requests per second by others on the same quota.
    pub(crate) others: f64,
    /// Counters that do not know of each other.
    pub(crate) counters: u8,
    /// Whether the previous window's share is rounded down (`limits`, the library below Flask-Limiter, does) or exact.
    pub(crate) rounds_down: bool,
}

impl Parameters {
    /// Time in which one place of a bucket refills.
    pub(crate) fn place(&self) -> f64 {
        self.period / f64::from(self.limit.max(1))
    }
}

/// What a limiter remembers.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(crate) struct State {
    /// Start of the present window; of each counter where there are several.
    start: [f64; MOST_COUNTERS],
    count: [u32; MOST_COUNTERS],
    /// Requests in the window before.
    previous: u32,
    /// When the bucket is full again, or the queue empty.
    full_at: f64,
    /// End of the penalty.
    until: f64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            start: [f64::NEG_INFINITY; MOST_COUNTERS],
            count: [0; MOST_COUNTERS],
            previous: 0,
            full_at: f64::NEG_INFINITY,
            until: f64::NEG_INFINITY,
        }
    }
}

/// A limiter of a kind with its parameters and what it remembers of the history so far.
#[derive(Debug, Clone)]
pub(crate) struct Hypothesis {
    pub(crate) class: LimiterClass,
    pub(crate) of: Parameters,
    pub(crate) state: State,
    /// Which counter took each request; empty unless there are several.
    pub(crate) taken_by: Vec<u8>,
}

impl Hypothesis {
    pub(crate) fn new(class: LimiterClass, of: Parameters) -> Self {
        Self { class, of, state: State::default(), taken_by: Vec::new() }
    }

    /// Chance of a refusal if a request arrives exactly at `at` as exchange number `i`.
    fn refuses(&self, history: &History, i: usize, at: f64) -> f64 {
        let (of, state) = (&self.of, &self.state);
        match self.class {
            LimiterClass::FixedWindow => {
                let (start, count) = self.window(at, 0);
                self.full(count, at - start.max(at - of.period))
            }
            LimiterClass::SlidingLog => {
                let log = history.before(i, of.counts_refused);
                let limit = of.limit as usize;
                if of.others == 0.0 {
                    return f64::from(limit <= log.len() && log[log.len() - limit] > at - of.period);
                }
                let within = log.len() - log.partition_point(|t| *t <= at - of.period);
                self.full(within as u32, of.period)
            }
            LimiterClass::SlidingCounter => self.full_of(self.weighed(at), of.period),
            LimiterClass::TokenBucket => {
                let used = (state.full_at - at).max(0.0) / of.place();
                self.full_of(used, of.period)
            }
            // Asked one at a time, its queue never grows long enough to refuse; the delay is what shows it.
            LimiterClass::LeakyBucket => 0.0,
            LimiterClass::Penalty => {
                if at < state.until {
                    return 1.0;
                }
                let (start, count) = self.window(at, 0);
                self.full(count, at - start.max(at - of.period))
            }
            LimiterClass::SeveralCounters => {
                let counters = usize::from(of.counters);
                let full = (0..counters).filter(|w| self.window(at, *w).1 >= of.limit).count();
                full as f64 / counters as f64
            }
        }
    }

    /// Whether counter `w` is full at `at`.
    fn counter_is_full(&self, at: f64, w: usize) -> bool {
        self.window(at, w).1 >= self.of.limit
    }

    /// Chance that the limit is used up when `count` requests of ours are in, and others had `time` to send theirs.
    fn full(&self, count: u32, time: f64) -> f64 {
        self.full_of(f64::from(count), time)
    }

    fn full_of(&self, used: f64, time: f64) -> f64 {
        let left = f64::from(self.of.limit) - used;
        // One more has to fit.
        if left < 1.0 - 1e-9 {
            return 1.0;
        }
        if self.of.others == 0.0 {
            return 0.0;
        }
        let mean = self.of.others * if time.is_finite() { time.clamp(0.0, self.of.period) } else { 0.0 };
        at_least(left.floor() as u32, mean)
    }

    /// Start and count of the window that a request at `at` falls into.
    fn window(&self, at: f64, w: usize) -> (f64, u32) {
        let (start, count) = (self.state.start[w], self.state.count[w]);
        if self.of.by_clock {
            let current = self.boundary_before(at);
            if current > start + self.of.period * 0.5 { (current, 0) } else { (start, count) }
        } else if at >= start + self.of.period {
            (at, 0)
        } else {
            (start, count)
        }
    }

    fn boundary_before(&self, at: f64) -> f64 {
        self.of.phase + ((at - self.of.phase) / self.of.period).floor() * self.of.period
    }

    /// Start of the window, its count and the previous one's, for windows that follow each other without a gap.
    fn sliding(&self, at: f64) -> (f64, u32, u32) {
        let (start, period) = (self.state.start[0], self.of.period);
        if start == f64::NEG_INFINITY {
            return (if self.of.by_clock { self.boundary_before(at) } else { at }, 0, 0);
        }
        let passed = ((at - start) / period).floor();
        if passed < 1.0 {
            (start, self.state.count[0], self.state.previous)
        } else if passed < 2.0 {
            (start + period, 0, self.state.count[0])
        } else if self.of.by_clock {
            (start + passed * period, 0, 0)
        } else {
            (at, 0, 0)
        }
    }

    /// Delay that shaping adds to a request that arrives at `at`.
    pub(crate) fn delay(&self, at: f64) -> f64 {
        if self.class == LimiterClass::LeakyBucket { (self.state.full_at - at).max(0.0) } else { 0.0 }
    }

    /// Chance of a refusal at an arrival that is known up to its spread, unexplained answers included.
    pub(crate) fn chance_of_refusal(&self, history: &History, i: usize, arrival: Arrival) -> f64 {
        let Arrival { at, spread } = arrival;
        let middle = self.refuses(history, i, at);
        let early = self.refuses(history, i, at - 0.8 * spread);
        let late = self.refuses(history, i, at + 0.8 * spread);
        let ruled = 0.4 * middle + 0.3 * (early + late);
        UNEXPLAINED_REFUSAL + (1.0 - UNEXPLAINED_REFUSAL - UNEXPLAINED_PASS) * ruled
    }

    /// The limit that explains a refusal of exchange `first`, the first one that was refused, with the other parameters as they
    /// are; of a bucket with the same time for a place. `None` where that does not follow from the rest.
    pub(crate) fn implied_limit(&self, history: &History, first: usize) -> Option<u32> {
        if self.of.others > 0.0 {
            return None;
        }
        let place = self.of.place();
        let mut free = Self::new(self.class, self.of);
        free.of.limit = BOUNDLESS;
        free.of.period = if self.class == LimiterClass::TokenBucket {
            place * f64::from(BOUNDLESS)
        } else {
            self.of.period
        };
        for i in 0..first {
            free.take(history, i, || 0.5);
        }
        let at = history.arrival(first).at;
        let used = match self.class {
            LimiterClass::FixedWindow | LimiterClass::Penalty => f64::from(free.window(at, 0).1),
            LimiterClass::SlidingLog => {
                let log = history.before(first, self.of.counts_refused);
                (log.len() - log.partition_point(|t| *t <= at - self.of.period)) as f64
            }
            LimiterClass::SlidingCounter => free.weighed(at),
            LimiterClass::TokenBucket => (free.state.full_at - at).max(0.0) / place,
            LimiterClass::LeakyBucket | LimiterClass::SeveralCounters => return None,
        };
        Some((used - 1e-6).ceil().max(1.0) as u32)
    }

    /// What a sliding counter has in it at `at`.
    fn weighed(&self, at: f64) -> f64 {
        let (start, count, previous) = self.sliding(at);
        let share = f64::from(previous) * (1.0 - (at - start) / self.of.period).clamp(0.0, 1.0);
        (if self.of.rounds_down { share.floor() } else { share }) + f64::from(count)
    }

    /// Remembers exchange `i`, whose answer is known. `pick` chooses among counters, in `0.0..1.0`.
    pub(crate) fn take(&mut self, history: &History, i: usize, pick: impl FnOnce() -> f64) {
        let (at, refused) = (history.arrival(i).at, history.exchange(i).refused);
        match self.class {
            LimiterClass::FixedWindow => self.count_in_window(at, refused, 0),
            LimiterClass::SlidingLog => {}
            LimiterClass::SlidingCounter => {
                let (start, count, previous) = self.sliding(at);
                self.state.start[0] = start;
                self.state.previous = previous;
                self.state.count[0] = count + u32::from(!refused || self.of.counts_refused);
            }
            LimiterClass::TokenBucket => {
                if !refused {
                    self.state.full_at = self.state.full_at.max(at) + self.of.place();
                } else if self.of.others > 0.0 {
                    // Full by the others' doing: our share of it is unknown, but the next place is one refill away.
                    let least = at + self.of.period - self.of.place();
                    self.state.full_at = self.state.full_at.max(least);
                }
            }
            LimiterClass::LeakyBucket => {
                if !refused {
                    let sent = history.exchange(i).sent + history.base() / 2.0;
                    self.state.full_at = self.state.full_at.max(sent) + self.of.place();
                }
            }
            LimiterClass::Penalty => {
                if refused && at >= self.state.until {
                    self.state.until = at + self.of.penalty;
                    self.state.count[0] = 0;
                    self.state.start[0] = f64::NEG_INFINITY;
                } else if !refused {
                    self.state.until = self.state.until.min(at);
                    self.count_in_window(at, refused, 0);
                }
            }
            LimiterClass::SeveralCounters => {
                let w = match self.taken_by.get(i) {
                    Some(w) => usize::from(*w),
                    None => self.choose_counter(at, refused, pick()),
                };
                self.count_in_window(at, refused, w);
            }
        }
    }

    /// The counter that took a request with this answer, drawn among those that explain it.
    fn choose_counter(&mut self, at: f64, refused: bool, pick: f64) -> usize {
        let counters = usize::from(self.of.counters);
        let explains = |w: &usize| self.counter_is_full(at, *w) == refused;
        let fitting = (0..counters).filter(explains).count();
        let nth = |n: usize| ((pick * n as f64) as usize).min(n.saturating_sub(1));
        let w = if fitting == 0 {
            nth(counters)
        } else {
            (0..counters).filter(explains).nth(nth(fitting)).unwrap_or(0)
        };
        self.taken_by.push(w as u8);
        w
    }

    fn count_in_window(&mut self, at: f64, refused: bool, w: usize) {
        let (start, count) = self.window(at, w);
        // A refusal means a full window, so it began earlier; only what passes begins one.
        if !refused {
            self.state.start[w] = start;
            self.state.count[w] = count + 1;
        }
    }

    /// Log-likelihood of the answer to exchange `i`, before it is remembered.
    pub(crate) fn log_likelihood(&self, history: &History, i: usize) -> f64 {
        let exchange = history.exchange(i);
        let arrival = history.arrival(i);
        let refusal = match self.taken_by.get(i) {
            Some(w) => {
                let full = f64::from(self.counter_is_full(arrival.at, usize::from(*w)));
                UNEXPLAINED_REFUSAL + (1.0 - UNEXPLAINED_REFUSAL - UNEXPLAINED_PASS) * full
            }
            None => self.chance_of_refusal(history, i, arrival),
        };
        let answer = if exchange.refused { refusal } else { 1.0 - refusal };
        answer.ln()
            + self.of_the_delay(history, i)
            + self.of_the_wait(history, i)
            + self.of_the_date(history, i)
    }

    /// Whether an answer may be likelier than certain, because it is weighed against other kinds.
    pub(crate) fn can_gain(&self) -> bool {
        self.class == LimiterClass::LeakyBucket || self.of.by_clock
    }

    /// What `Date` adds to the knowledge of where the clock cuts windows.
    fn of_the_date(&self, history: &History, i: usize) -> f64 {
        if !self.of.by_clock || history.exchange(i).date.is_none() {
            return 0.0;
        }
        let before = i.checked_sub(1).and_then(|i| history.clock_after(i));
        prior::of_phase(&self.of, history.clock_after(i)) - prior::of_phase(&self.of, before)
    }

    /// What the latency says. Kinds that do not delay all say the same, so only shaping is weighed.
    fn of_the_delay(&self, history: &History, i: usize) -> f64 {
        if self.class != LimiterClass::LeakyBucket || i == 0 {
            return 0.0;
        }
        let exchange = history.exchange(i);
        let excess = exchange.latency() - history.base();
        let delay = self.delay(exchange.sent + history.base() / 2.0);
        let scale = 0.004 + 0.1 * history.base();
        // A delay that jitter could be says nothing either way.
        if delay < 4.0 * scale {
            return 0.0;
        }
        let density = |e: f64, scale: f64| {
            let near = (-(e.abs() - 2.0 * scale).max(0.0) / scale).exp() / (6.0 * scale);
            // Anything may take long once in a while.
            0.95 * near + 0.05 / (1.0 + e.abs()).powi(2)
        };
        let ours = density(excess - delay, scale + 0.01 * delay);
        (ours / density(excess, scale)).ln().clamp(-6.0, 9.0)
    }

    /// What Retry-After says: the time to the next place, to the end of everything, or always the same.
    fn of_the_wait(&self, history: &History, i: usize) -> f64 {
        let exchange = history.exchange(i);
        let Some(told) = exchange.retry_after.filter(|_| exchange.refused) else { return 0.0 };
        let at = history.arrival(i).at;
        // Whole seconds, rounded in either direction.
        let near = |time: f64| if (time - told).abs() <= 1.05 { 0.5 } else { 0.0 };
        let next = self.release_after(history, i, at) - at;
        let all = match self.class {
            LimiterClass::SlidingLog => self.of.period,
            LimiterClass::TokenBucket => self.state.full_at - at,
            LimiterClass::Penalty => self.of.penalty,
            _ => next,
        };
        let constant = if self.class == LimiterClass::Penalty { self.of.penalty } else { self.of.period };
        let anything = 0.12 / (told + 1.0);
        (0.5 * near(next) + 0.2 * near(all) + 0.1 * near(constant) + 0.2 * anything).max(1e-6).ln()
    }

    /// The first moment from `at` at which a request would pass if nothing else were sent; `at` itself when it would now.
    pub(crate) fn release_after(&self, history: &History, i: usize, at: f64) -> f64 {
        let (of, state) = (&self.of, &self.state);
        let release = match self.class {
            LimiterClass::FixedWindow => self.window_end(at, 0),
            LimiterClass::SlidingLog => {
                let log = history.before(i, of.counts_refused);
                let limit = of.limit as usize;
                if limit <= log.len() { log[log.len() - limit] + of.period } else { at }
            }
            LimiterClass::SlidingCounter => self.sliding_release(at),
            LimiterClass::TokenBucket => state.full_at - of.period + of.place(),
            LimiterClass::LeakyBucket => at,
            LimiterClass::Penalty if at < state.until => state.until,
            // Not tripped yet: the next request trips it if the window is full.
            LimiterClass::Penalty if self.window(at, 0).1 >= of.limit => at + of.penalty,
            LimiterClass::Penalty => at,
            LimiterClass::SeveralCounters => {
                (0..usize::from(of.counters)).map(|w| self.window_end(at, w)).fold(f64::INFINITY, f64::min)
            }
        };
        release.max(at)
    }

    fn window_end(&self, at: f64, w: usize) -> f64 {
        let (start, count) = self.window(at, w);
        if count >= self.of.limit { start + self.of.period } else { at }
    }

    fn sliding_release(&self, at: f64) -> f64 {
        let (start, count, previous) = self.sliding(at);
        let (limit, period) = (f64::from(self.of.limit), self.of.period);
        let room = |previous: f64, count: f64| {
            // The share of the window that has to go by until one more fits.
            let allowed = limit - count - 1.0 + if self.of.rounds_down { 1.0 - 1e-9 } else { 0.0 };
            if allowed < 0.0 { None } else { Some((1.0 - allowed / previous.max(1e-9)).max(0.0)) }
        };
        match room(f64::from(previous), f64::from(count)) {
            Some(share) if share <= 1.0 => start + share * period,
            _ => start + period + room(f64::from(count), 0.0).unwrap_or(1.0) * period,
        }
    }
}

/// Chance that a Poisson variable of this mean is at least `n`.
fn at_least(n: u32, mean: f64) -> f64 {
    if n == 0 {
        return 1.0;
    }
    if mean <= 0.0 || f64::from(n) > mean + 8.0 * mean.sqrt() + 8.0 {
        return 0.0;
    }
    let mut term = (-mean).exp();
    let mut below = term;
    for k in 1..n {
        term *= mean / f64::from(k);
        below += term;
    }
    (1.0 - below).max(0.0)
}
