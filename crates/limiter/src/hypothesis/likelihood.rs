//! How likely an answer is by a hypothesis: what passed, how long it took, and what its headers say.

use landfall_evidence::LimiterClass;

use super::{Hypothesis, with_unexplained};
use crate::foreign::Foreign;
use crate::history::History;
use crate::prior;

/// Chance that a queue refuses somebody who asks one at a time.
const REFUSED_BY_A_QUEUE: f64 = 1e-9;

/// One over the chance of a number of requests left of which nothing is known.
const ANY_NUMBER: f64 = 64.0;

impl Hypothesis {
    /// Log-likelihood of the answer to exchange `i`, before it is remembered.
    pub(crate) fn log_likelihood(&self, history: &History, i: usize) -> f64 {
        let (answer, more) = self.likelihood(history, i, self.foreign_at(history, i).as_ref());
        answer.ln() + more + self.of_the_date(history, i)
    }

    /// Weighs the answer to exchange `i` and remembers it. Returns the chance of the answer, and the logarithm of what else the
    /// exchange says but for its date.
    pub(crate) fn pass(&mut self, history: &History, i: usize, pick: impl FnOnce() -> f64) -> (f64, f64) {
        let foreign = self.foreign_at(history, i);
        let weighed = self.likelihood(history, i, foreign.as_ref());
        self.take_given(history, i, pick, foreign);
        weighed
    }

    /// Weighs the answer to exchange `i` as long as nobody says who took it, and remembers that counter `by` did.
    pub(crate) fn foresee(&mut self, history: &History, i: usize, by: u8) -> (f64, f64) {
        let weighed = self.likelihood(history, i, None);
        self.taken_by.push(by);
        self.take_given(history, i, || 0.5, None);
        weighed
    }

    /// The chance of the answer, and the logarithm of what else the exchange says but for its date.
    fn likelihood(&self, history: &History, i: usize, foreign: Option<&Foreign>) -> (f64, f64) {
        let exchange = history.exchange(i);
        let arrival = history.arrival(i);
        let more = self.of_the_delay(history, i) + self.of_the_wait(history, i);
        if self.class == LimiterClass::SeveralCounters {
            let counters = usize::from(self.of.counters);
            match self.taken_by.get(i) {
                Some(w) => {
                    // Beside a choice by chance, of which every one is as likely.
                    let w = usize::from(*w);
                    let chosen = counters as f64 * self.chance_of_counter(i, w);
                    return (chosen * self.of_counter(history, i, w), more);
                }
                None if exchange.left.is_some() || exchange.reset.is_some() => {
                    let of = |w| self.chance_of_counter(i, w) * self.of_counter(history, i, w);
                    return ((0..counters).map(of).sum(), more);
                }
                None => {}
            }
        }
        let refusal = match self.class {
            // Nobody who asks one at a time is refused by a queue. A server that is merely slow delays as a queue does, and its
            // limiter's refusals must outweigh what that seems to say.
            LimiterClass::LeakyBucket => REFUSED_BY_A_QUEUE,
            _ => self.chance_given(history, i, arrival, foreign),
        };
        let answer = if exchange.refused { refusal } else { 1.0 - refusal };
        let stated = self.of_what_is_left(history, i, 0, foreign) * self.of_the_reset(history, i, 0);
        (answer * stated, more)
    }

    /// The chance of the answer to exchange `i`, and of what it states to be left, if counter `w` took it.
    pub(super) fn of_counter(&self, history: &History, i: usize, w: usize) -> f64 {
        let refusal = with_unexplained(f64::from(self.counter_is_full(history.arrival(i).at, w)));
        let answer = if history.exchange(i).refused { refusal } else { 1.0 - refusal };
        answer * self.of_what_is_left(history, i, w, None) * self.of_the_reset(history, i, w)
    }

    /// The chance of what the answer to exchange `i` states to be left; 1 where it states nothing.
    fn of_what_is_left(&self, history: &History, i: usize, w: usize, foreign: Option<&Foreign>) -> f64 {
        let exchange = history.exchange(i);
        let Some(left) = exchange.left else { return 1.0 };
        let anything = 1.0 / ANY_NUMBER;
        if !self.of.told || self.class == LimiterClass::LeakyBucket {
            // Said of another limiter, which knows of the same requests: most often one less than before.
            return match history.left_before(i) {
                Some(before) if left == before.saturating_sub(1) => 0.7 + 0.3 * anything,
                Some(_) => 0.3 * anything,
                None => anything,
            };
        }
        let near = |by: f64| match by.abs() {
            by if by < 0.5 => 0.8,
            by if by < 1.5 => 0.08,
            _ => 0.0,
        };
        let fits = |at: f64| {
            if exchange.refused {
                return near(f64::from(left));
            }
            let by = self.places(history, i, at, w) - 1.0 - f64::from(left);
            match foreign {
                None => near((by + 1e-9).floor()),
                Some(_) if by < -1.5 => 0.0,
                Some(foreign) => {
                    let theirs = |n: f64| {
                        let n = n.round().max(0.0) as u32;
                        foreign.at_least(n) - foreign.at_least(n.saturating_add(1))
                    };
                    0.8 * theirs(by) + 0.08 * (theirs(by - 1.0) + theirs(by + 1.0))
                }
            }
        };
        let arrival = history.arrival(i);
        let (early, late) = arrival.ends();
        let same_window = self.window(early, w).0 == self.window(late, w).0;
        let fit = if same_window { fits(arrival.at) } else { arrival.mean(fits) };
        fit + 0.04 * anything
    }

    /// Places that others hold, where exchange `i` states what is left and that is said of this limiter.
    pub(super) fn told_of_others(&self, history: &History, i: usize, at: f64) -> Option<u32> {
        let exchange = history.exchange(i);
        let left = exchange.left.filter(|_| self.of.told && !exchange.refused)?;
        let theirs = self.places(history, i, at, 0) - 1.0 - f64::from(left);
        (theirs > -0.5).then_some(theirs.round() as u32)
    }

    /// Whether what an exchange says besides its answer may make a hypothesis likelier, because it is weighed against other kinds.
    pub(crate) fn can_gain(&self) -> bool {
        self.class == LimiterClass::LeakyBucket
    }

    /// What all dates before exchange `newest` say together: each adds what it narrows, so that is what was known in the end.
    pub(crate) fn of_the_dates(&self, history: &History, newest: usize) -> f64 {
        match newest.checked_sub(1) {
            Some(last) if self.of.by_clock => prior::of_phase(&self.of, history.clock_after(last)),
            _ => 0.0,
        }
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
        let next = match self.class {
            LimiterClass::Penalty if self.of.others > 0.0 && at >= self.state.until => {
                self.set_off(history, i, at) + self.of.penalty - at
            }
            // Refused, so others filled what we left of it.
            LimiterClass::FixedWindow if self.of.others > 0.0 => self.window(at, 0).0 + self.of.period - at,
            _ => self.release_after(history, i, at) - at,
        };
        let all = match self.class {
            LimiterClass::SlidingLog => self.of.period,
            LimiterClass::TokenBucket => self.state.full_at - at,
            LimiterClass::Penalty => self.of.penalty,
            // Some tell when the window ends, though a place may be free before.
            LimiterClass::SlidingCounter => self.sliding(at).0 + self.of.period - at,
            // Of the counter that refused, which is any that is full.
            LimiterClass::SeveralCounters => (0..usize::from(self.of.counters))
                .filter(|w| self.counter_is_full(at, *w))
                .map(|w| self.window_end(at, w) - at)
                .min_by(|a, b| (a - told).abs().total_cmp(&(b - told).abs()))
                .unwrap_or(next),
            _ => next,
        };
        let next = if self.class == LimiterClass::SeveralCounters { all } else { next };
        // Where refused requests count, the wait may be reckoned with this one or without it.
        let with_it = match self.class {
            LimiterClass::SlidingLog if self.of.counts_refused => self.release_after(history, i + 1, at) - at,
            _ => next,
        };
        let constant = if self.class == LimiterClass::Penalty { self.of.penalty } else { self.of.period };
        let anything = 0.12 / (told + 1.0);
        // The place that frees first may be another's, taken at any time.
        let another = match self.class {
            _ if self.of.others == 0.0 => 0.0,
            LimiterClass::SlidingLog if told <= self.of.period + 1.0 => 0.3 / (self.of.period + 1.0),
            LimiterClass::TokenBucket if told <= self.of.place() + 1.0 => 0.5 / (self.of.place() + 1.0),
            _ => 0.0,
        };
        (another
            + 0.25 * (near(next) + near(with_it))
            + 0.2 * near(all)
            + 0.1 * near(constant)
            + 0.2 * anything)
            .max(1e-6)
            .ln()
    }
}
