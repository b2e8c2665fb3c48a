//! What the reset that an answer states says of a hypothesis.
//!
//! # What servers send
//! | server | limiter | reset |
//! |---|---|---|
//! | express-rate-limit (`source/headers.ts`, `source/memory-store.ts`) | window from the first request | its end: seconds rounded up (the drafts' fields), or the epoch rounded up (legacy) |
//! | @fastify/rate-limit (`index.js`, `store/LocalStore.js`) | window from the first request | its end: seconds rounded up |
//! | Flask-Limiter (`_extension.py`, `reset_at`) over `limits` (`strategies.py`, `get_window_stats`) | fixed window | its end: the next whole second of the epoch |
//! | | moving window | when the oldest entry leaves, the same way |
//! | | sliding window counter | when the previous window's weight falls by one, or the window ends |
//! | Laravel (`ThrottleRequests.php`) | window from the first request | its end, as an epoch, on refusals only |
//! | rate-limiter-flexible (`RateLimiterRes.js`; its wiki's middleware) | window from the first request | its end as a date |
//! | @upstash/ratelimit (`single.ts`) | sliding counter, token bucket | end of the window; the next refill |
//! | throttled, redis-cell, rocket_governor | GCRA | when the bucket is full again |
//!
//! Some send the whole window whatever is left of it, and some speak of another limiter. Which of these a server means is part of a
//! hypothesis, so that a value which fits none of them is set aside once and not held against every kind anew.

use landfall_evidence::LimiterClass;

use super::Hypothesis;
use crate::history::{History, Told};

/// What a stated reset is the time of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reset {
    /// Nothing of this limiter.
    Other,
    /// The next time at which there is more room than now.
    Soonest(Rounding),
    /// When all places are free, if nothing more is sent.
    Full(Rounding),
    /// One whole period from now.
    Whole,
}

/// How a time was made a whole number of seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Rounding {
    Up,
    Nearest,
    Down,
}

/// Every meaning with its share.
const MEANINGS: [(Reset, f64); 8] = [
    (Reset::Soonest(Rounding::Up), 0.35),
    (Reset::Full(Rounding::Up), 0.2),
    (Reset::Other, 0.2),
    (Reset::Soonest(Rounding::Down), 0.05),
    (Reset::Full(Rounding::Down), 0.05),
    (Reset::Soonest(Rounding::Nearest), 0.05),
    (Reset::Full(Rounding::Nearest), 0.05),
    (Reset::Whole, 0.05),
];

impl Reset {
    /// The meaning at this place of all shares in a row, `0.0..1.0`.
    pub(crate) fn at(place: f64) -> Self {
        let mut left = place;
        let found = MEANINGS.iter().find(|(_, share)| {
            left -= share;
            left < 0.0
        });
        found.map_or(Self::Other, |(meaning, _)| *meaning)
    }

    /// Its share.
    pub(crate) fn share(self) -> f64 {
        MEANINGS.iter().find(|(meaning, _)| *meaning == self).map_or(0.0, |(_, share)| *share)
    }

    /// How much later than said the time may lie when it was rounded so, against rounding up.
    fn later(self) -> f64 {
        match self {
            Self::Soonest(Rounding::Down) | Self::Full(Rounding::Down) => 1.0,
            Self::Soonest(Rounding::Nearest) | Self::Full(Rounding::Nearest) => 0.5,
            _ => 0.0,
        }
    }
}

impl Hypothesis {
    /// The chance of the reset that exchange `i` states if counter `w` took it; 1 where it states none, or one that says again
    /// what Retry-After says.
    pub(super) fn of_the_reset(&self, history: &History, i: usize, w: usize) -> f64 {
        let Some(told) = history.told(i).filter(|told| !told.says_the_wait) else { return 1.0 };
        // A number of seconds of which nothing is known: the longer, the less likely each.
        let anything = 0.12 / (told.remaining.max(0.0) + 1.0);
        let arrival = history.arrival(i);
        let Some(end) = self.reset_at(history, i, arrival.at, w) else {
            // Of another limiter, or always the same: most often as before.
            return match told.as_before {
                Some(true) => 0.7 + 0.3 * anything,
                Some(false) => 0.3 * anything,
                None => anything,
            };
        };
        // What others sent may move the end of a log. That costs what any misfit costs, or others would be believed in wherever a
        // reset means nothing.
        let near = f64::from(told.fits(end, self.of.reset.later(), 0.03 + 1.5 * arrival.spread));
        0.9 * near + 0.1 * anything
    }

    /// The time that a reset means which is stated to a request that arrives at `at` as exchange `i`; `None` where it means nothing of
    /// this limiter.
    fn reset_at(&self, history: &History, i: usize, at: f64, w: usize) -> Option<f64> {
        let (of, refused) = (&self.of, history.exchange(i).refused);
        let soonest = match of.reset {
            Reset::Other => return None,
            Reset::Whole if self.class != LimiterClass::LeakyBucket => return Some(at + of.period),
            Reset::Soonest(_) => true,
            Reset::Full(_) | Reset::Whole => false,
        };
        let counted = !refused || of.counts_refused;
        Some(match self.class {
            LimiterClass::LeakyBucket => return None,
            // A window that others began is a parameter of the hypothesis.
            LimiterClass::FixedWindow | LimiterClass::SeveralCounters => self.window(at, w).0 + of.period,
            LimiterClass::Penalty if at < self.state.until => self.state.until,
            LimiterClass::Penalty if refused => self.set_off(history, i, at) + of.penalty,
            LimiterClass::Penalty => self.window(at, w).0 + of.period,
            LimiterClass::SlidingLog => {
                let log = history.before(i, of.counts_refused);
                let oldest = log.get(log.partition_point(|t| *t <= at - of.period)).copied().unwrap_or(at);
                let newest = if counted { at } else { log.last().copied().unwrap_or(at) };
                (if soonest { oldest } else { newest }) + of.period
            }
            LimiterClass::SlidingCounter => {
                let (start, _, previous) = self.sliding(at);
                let left = start + of.period - at;
                // The previous window's weight falls by one in this time.
                let step = of.period / f64::from(previous.max(1));
                at + if soonest { left % step } else { left }
            }
            LimiterClass::TokenBucket => {
                let full_at = self.state.full_at.max(at) + if refused { 0.0 } else { of.place() };
                let used = (full_at - at) / of.place();
                let more = used - (used - 1e-6).ceil() + 1.0;
                // A refused request waits for the place that it asked for, which is the next one too.
                if soonest { at + more * of.place() } else { full_at }
            }
        })
    }
}

impl Told {
    /// Whether the time that is told can be `end`, within `slack`, where it may lie `later` than if it was rounded up.
    fn fits(&self, end: f64, later: f64, slack: f64) -> bool {
        let (low, high) = self.end;
        (low + later - slack..=high + later + slack).contains(&end)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_of_meanings_are_a_whole() {
        let sum: f64 = MEANINGS.iter().map(|(_, share)| share).sum();
        assert!((sum - 1.0).abs() < 1e-9, "{sum}");
        let drawn = (0..20).filter(|n| Reset::at((f64::from(*n) + 0.5) / 20.0) == Reset::Other).count();
        assert_eq!(drawn, 4);
    }
}
