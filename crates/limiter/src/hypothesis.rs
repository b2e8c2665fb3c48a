//! The kinds of limiter as hypotheses: what each, with given parameters, would do with the next request.
//!
//! A hypothesis is never asked to decide what happened: whether a request was counted follows from the answer that came,
//! so that one unexplained answer costs weight and does not derail the rest.

mod likelihood;
mod reset;

use landfall_evidence::LimiterClass;

use crate::foreign::Foreign;
use crate::history::{Arrival, History};
pub(crate) use reset::Reset;

/// Chance that a request passes which the true limiter's rule would refuse: a lost update between processes.
const UNEXPLAINED_PASS: f64 = 0.003;
/// Chance of a refusal that no limiter's rule explains.
const UNEXPLAINED_REFUSAL: f64 = 0.004;

/// Chance of a refusal, unexplained answers included, where the rule refuses with this one.
fn with_unexplained(ruled: f64) -> f64 {
    UNEXPLAINED_REFUSAL + (1.0 - UNEXPLAINED_REFUSAL - UNEXPLAINED_PASS) * ruled
}

/// Chance that a request falls out of the turn in which counters take them: others' requests and a balancer's own checks come
/// between.
const OUT_OF_TURN: f64 = 0.08;

/// A limit that is never met.
const BOUNDLESS: u32 = 1_000_000;

/// Counters that one hypothesis may have.
pub(crate) const MOST_COUNTERS: usize = 4;

/// Windows whose beginning by others is a parameter of its own; then they repeat.
pub(crate) const LUCKS: usize = 8;

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
    /// Whether they take requests in turn, as behind a balancer's round robin, and not by chance.
    pub(crate) in_turn: bool,
    /// Chance that decided when others began a window or set off a penalty, for one of these after another; `0.0..1.0`.
    pub(crate) luck: [f32; LUCKS],
    /// Whether the previous window's share is rounded down (`limits`, the library below Flask-Limiter, does) or exact.
    pub(crate) rounds_down: bool,
    /// Whether what answers state of the requests left is said of this limiter, and not of another one in front or behind.
    pub(crate) told: bool,
    /// What a reset that answers state is the time of.
    pub(crate) reset: Reset,
}

impl Parameters {
    /// Requests that all counters hold together. A server may state any number as its quota.
    pub(crate) fn all_together(&self) -> u32 {
        self.limit.saturating_mul(u32::from(self.counters))
    }

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
    /// Windows begun and penalties set off so far.
    begun: usize,
    /// What others hold, as of the moment beside it.
    foreign: Foreign,
    foreign_at: f64,
}

impl Default for State {
    fn default() -> Self {
        Self {
            start: [f64::NEG_INFINITY; MOST_COUNTERS],
            count: [0; MOST_COUNTERS],
            previous: 0,
            full_at: f64::NEG_INFINITY,
            until: f64::NEG_INFINITY,
            begun: 0,
            foreign: Foreign::NONE,
            foreign_at: f64::NEG_INFINITY,
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

    /// Chance of a refusal if a request arrives exactly at `at` as exchange number `i`. `foreign` is what others hold then, where
    /// that was reckoned already.
    fn refuses(&self, history: &History, i: usize, at: f64, foreign: Option<&Foreign>) -> f64 {
        let (of, state) = (&self.of, &self.state);
        match self.class {
            // Asked one at a time, its queue never grows long enough to refuse; the delay is what shows it.
            LimiterClass::LeakyBucket => 0.0,
            LimiterClass::SeveralCounters => {
                let counters = usize::from(of.counters);
                let full = (0..counters).filter(|w| self.window(at, *w).1 >= of.limit);
                full.map(|w| self.chance_of_counter(i, w)).sum()
            }
            LimiterClass::Penalty if at < state.until => 1.0,
            _ => match self.room(history, i, at) {
                0 => 1.0,
                _ if of.others == 0.0 => 0.0,
                room => foreign.map_or_else(|| self.foreign(at).at_least(room), |f| f.at_least(room)),
            },
        }
    }

    /// Places that our own requests leave to others and the next; those of a log as far as the next needs one.
    fn room(&self, history: &History, i: usize, at: f64) -> u32 {
        if self.class == LimiterClass::SlidingLog && self.of.others == 0.0 {
            // Times are in order, so one of them tells whether all places are taken.
            let (log, limit) = (history.before(i, self.of.counts_refused), self.of.limit as usize);
            return u32::from(log.len() < limit || log[log.len() - limit] <= at - self.of.period);
        }
        // One more has to fit as a whole.
        (self.places(history, i, at, 0) + 1e-9).max(0.0) as u32
    }

    /// Places that our own requests leave, of counter `w` where there are several.
    fn places(&self, history: &History, i: usize, at: f64, w: usize) -> f64 {
        let (of, limit) = (&self.of, f64::from(self.of.limit));
        match self.class {
            LimiterClass::SlidingLog => {
                let log = history.before(i, of.counts_refused);
                limit + log.partition_point(|t| *t <= at - of.period) as f64 - log.len() as f64
            }
            LimiterClass::SlidingCounter => limit - self.weighed(at),
            LimiterClass::TokenBucket => limit - (self.state.full_at - at).max(0.0) / of.place(),
            _ => limit - f64::from(self.window(at, w).1),
        }
    }

    /// What others hold at `at`.
    fn foreign(&self, at: f64) -> Foreign {
        let (of, state) = (&self.of, &self.state);
        let passed = at - state.foreign_at;
        let first = passed == f64::INFINITY;
        match self.class {
            LimiterClass::FixedWindow | LimiterClass::Penalty => {
                let start = self.window(at, 0).0;
                if first || start > state.start[0] {
                    Foreign::NONE.and(of.others * (at - start).clamp(0.0, of.period))
                } else {
                    state.foreign.and(of.others * passed)
                }
            }
            LimiterClass::TokenBucket => {
                let used = (of.others * of.place()).min(0.9);
                if first {
                    // What a queue that is busy for this part of the time holds on average.
                    return Foreign::NONE.and(0.5 * used / (1.0 - used) + 0.5 * used);
                }
                let free = (at - state.full_at.max(state.foreign_at)).max(0.0);
                if free > 4.0 * of.period {
                    return Foreign::NONE.and(0.5 * used / (1.0 - used) + 0.5 * used);
                }
                state.foreign.and(of.others * passed).less(free / of.place())
            }
            _ if first || passed >= of.period => Foreign::NONE.and(of.others * of.period),
            _ => state.foreign.thinned(1.0 - passed / of.period).and(of.others * passed),
        }
    }

    /// Chance that counter `w` takes exchange `i`, by who took the one before.
    fn chance_of_counter(&self, i: usize, w: usize) -> f64 {
        let counters = usize::from(self.of.counters);
        let last = i.checked_sub(1).and_then(|last| self.taken_by.get(last)).filter(|_| self.of.in_turn);
        match last {
            None => 1.0 / counters as f64,
            Some(last) if (usize::from(*last) + 1) % counters == w => 1.0 - OUT_OF_TURN,
            Some(_) => OUT_OF_TURN / (counters - 1) as f64,
        }
    }

    /// Whether counter `w` is full at `at`.
    fn counter_is_full(&self, at: f64, w: usize) -> bool {
        self.window(at, w).1 >= self.of.limit
    }

    /// Start and count of the window that a request at `at` falls into.
    fn window(&self, at: f64, w: usize) -> (f64, u32) {
        let (start, count) = (self.state.start[w], self.state.count[w]);
        if self.of.by_clock {
            let current = self.boundary_before(at);
            if current > start + self.of.period * 0.5 { (current, 0) } else { (start, count) }
        } else if at < start + self.of.period {
            (start, count)
        } else if self.of.others > 0.0 {
            (self.begun_by_others(at, (start + self.of.period).max(self.state.until)), 0)
        } else {
            (at, 0)
        }
    }

    /// When the window that a request at `at` falls into was begun, by others perhaps; the one before ended at `end`.
    fn begun_by_others(&self, at: f64, end: f64) -> f64 {
        let luck = self.luck();
        let (period, pause) = (self.of.period, 1.0 / self.of.others);
        if at - end > period + pause {
            // Long ago: anywhere within the turn of a window and the pause after it.
            return at - (luck * (period + pause) - pause).max(0.0);
        }
        let begin = end - luck.ln() * pause;
        let begin = if begin + period <= at { begin + period - (1.0 - luck).ln() * pause } else { begin };
        begin.min(at)
    }

    fn luck(&self) -> f64 {
        f64::from(self.of.luck[self.state.begun % LUCKS]).clamp(1e-6, 1.0 - 1e-6)
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
        self.chance_given(history, i, arrival, None)
    }

    /// The same where it was reckoned already what others hold at the arrival.
    fn chance_given(&self, history: &History, i: usize, arrival: Arrival, foreign: Option<&Foreign>) -> f64 {
        let (early, late) = arrival.ends();
        // What others hold changes little within the spread, and takes time to reckon.
        let reckoned;
        let foreign = match foreign {
            _ if self.of.others == 0.0 || !self.is_same_window(early, late) => None,
            Some(foreign) => Some(foreign),
            None => {
                reckoned = self.foreign(arrival.at);
                Some(&reckoned)
            }
        };
        with_unexplained(arrival.mean(|at| self.refuses(history, i, at, foreign)))
    }

    /// Whether the same window and penalty hold at both ends of a stretch.
    fn is_same_window(&self, early: f64, late: f64) -> bool {
        self.window(early, 0).0 == self.window(late, 0).0
            && (early < self.state.until) == (late < self.state.until)
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
        let foreign = self.foreign_at(history, i);
        self.take_given(history, i, pick, foreign);
    }

    /// What others hold when exchange `i` arrives; `None` where there are none.
    fn foreign_at(&self, history: &History, i: usize) -> Option<Foreign> {
        (self.of.others > 0.0).then(|| self.foreign(history.arrival(i).at))
    }

    /// The same where it was reckoned already what others hold at the arrival.
    fn take_given(
        &mut self,
        history: &History,
        i: usize,
        pick: impl FnOnce() -> f64,
        foreign: Option<Foreign>,
    ) {
        let (at, refused) = (history.arrival(i).at, history.exchange(i).refused);
        let of_others = foreign.map(|foreign| self.of_others_after(history, i, at, refused, foreign));
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
                    // Empty: what others took counts as ours from here on.
                    let room = self.room(history, i, at);
                    self.state.full_at = self.state.full_at.max(at) + f64::from(room) * self.of.place();
                }
            }
            LimiterClass::LeakyBucket => {
                if !refused {
                    let sent = history.exchange(i).sent + history.base() / 2.0;
                    self.state.full_at = self.state.full_at.max(sent) + self.of.place();
                }
            }
            LimiterClass::Penalty => {
                // A refusal that no rule explains sets nothing off, or it would explain those that follow.
                let tripped = self.of.others > 0.0 || self.room(history, i, at) == 0;
                if refused && tripped && at >= self.state.until {
                    self.state.until = self.set_off(history, i, at) + self.of.penalty;
                    self.state.begun += 1;
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
                    None => self.choose_counter(history, i, pick()),
                };
                self.count_in_window(at, refused, w);
            }
        }
        if let Some(foreign) = of_others {
            (self.state.foreign, self.state.foreign_at) = (foreign, at);
        }
    }

    /// What others hold once the answer to exchange `i` is known.
    fn of_others_after(
        &self,
        history: &History,
        i: usize,
        at: f64,
        refused: bool,
        foreign: Foreign,
    ) -> Foreign {
        let room = self.room(history, i, at);
        if let Some(theirs) = self.told_of_others(history, i, at) {
            return Foreign::full(theirs);
        }
        match (refused, self.class) {
            (false, _) => foreign.below(room),
            // Counted as ours, or gone with the window.
            (true, LimiterClass::TokenBucket | LimiterClass::Penalty) => Foreign::NONE,
            (true, _) => Foreign::full(room),
        }
    }

    /// When the penalty began that a refusal at `at` shows: with that request, or with one of others since the last answer.
    fn set_off(&self, history: &History, i: usize, at: f64) -> f64 {
        let last = history.before(i, false).last().copied().unwrap_or(at).max(self.state.until);
        if self.of.others == 0.0 || self.room(history, i, at) == 0 || at <= last {
            return at;
        }
        let pause = 1.0 / self.of.others;
        at - (self.luck() * (at - last + pause) - pause).max(0.0)
    }

    /// The counter that took exchange `i`, drawn by how well each explains the answer and what it states.
    fn choose_counter(&mut self, history: &History, i: usize, pick: f64) -> usize {
        let counters = usize::from(self.of.counters);
        let weights: [f64; MOST_COUNTERS] = std::array::from_fn(|w| match w {
            _ if w < counters => self.chance_of_counter(i, w) * self.of_counter(history, i, w),
            _ => 0.0,
        });
        let mut left = pick * weights.iter().sum::<f64>();
        let drawn = weights[..counters].iter().position(|weight| {
            left -= weight;
            left < 0.0
        });
        let w = drawn.unwrap_or(counters - 1);
        self.taken_by.push(w as u8);
        w
    }

    fn count_in_window(&mut self, at: f64, refused: bool, w: usize) {
        let (start, count) = self.window(at, w);
        // A refusal means a full window, so it began earlier; only what passes begins one, or what others send.
        if !refused || self.of.others > 0.0 {
            self.state.begun += usize::from(start > self.state.start[w]);
            self.state.start[w] = start;
            self.state.count[w] = count + u32::from(!refused);
        }
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
        let full = count >= self.of.limit
            || (self.of.others > 0.0 && self.foreign(at).at_least(self.of.limit - count) > 0.5);
        if full { start + self.of.period } else { at }
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
