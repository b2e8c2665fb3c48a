//! How likely an answer is by a hypothesis: what passed, how long it took, and what its headers say.

use landfall_evidence::LimiterClass;

use super::{Hypothesis, UNEXPLAINED_PASS, UNEXPLAINED_REFUSAL};
use crate::history::History;
use crate::prior;

/// Chance that a queue refuses somebody who asks one at a time.
const REFUSED_BY_A_QUEUE: f64 = 1e-9;

impl Hypothesis {
    /// Log-likelihood of the answer to exchange `i`, before it is remembered.
    pub(crate) fn log_likelihood(&self, history: &History, i: usize) -> f64 {
        let exchange = history.exchange(i);
        let arrival = history.arrival(i);
        let refusal = match self.taken_by.get(i) {
            Some(w) => {
                let full = f64::from(self.counter_is_full(arrival.at, usize::from(*w)));
                UNEXPLAINED_REFUSAL + (1.0 - UNEXPLAINED_REFUSAL - UNEXPLAINED_PASS) * full
            }
            // Nobody who asks one at a time is refused by a queue. A server that is merely slow delays as a queue does, and its
            // limiter's refusals must outweigh what that seems to say.
            None if self.class == LimiterClass::LeakyBucket => REFUSED_BY_A_QUEUE,
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
