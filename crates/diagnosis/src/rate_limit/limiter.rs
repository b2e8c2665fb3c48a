//! Limiters as arithmetic: requests at given times in, answers out.
//!
//! # What each kind does
//! - **Fixed window** (Flask-Limiter `fixed-window`, express-rate-limit's memory store): a counter that is set back at a boundary; the
//!   boundaries stand by the clock, or the window begins with the first request after the last one ended.
//! - **Sliding log** (Flask-Limiter `moving-window`): a place frees one window after the request that took it. Some count refused requests as
//!   well, so that a client that goes on asking stays out.
//! - **Sliding counter** (`acquire_sliding_window_entry` of the `limits` library: `floor(previous × share left) + current`; HAProxy's
//!   `http_req_rate`, configuration manual 11.1, counts refused requests too).
//! - **Token bucket** (nginx `limit_req … nodelay`): `limit` at once from a quiet start, the whole of it filled up again in one `window`.
//! - **Leaky bucket** (nginx `limit_req` with `burst` and no `nodelay`): the same bucket, whose places are waited for.
//! - **Penalty** (Cloudflare's mitigation timeout, ban lists): a fixed window whose first refusal refuses all for a fixed time.
//! - **Several counters**: fixed windows that do not know of each other, one a worker process.
//!
//! Times are whole milliseconds and all arithmetic is in whole numbers, so that one evidence file gives one report.

use std::collections::VecDeque;

use landfall_evidence::LimiterClass;

/// A limiter with every quantity given.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Limiter {
    pub(crate) class: LimiterClass,
    /// Requests that pass at once from a quiet start; of several counters, all of them together. At least 1.
    pub(crate) limit: u64,
    /// The window, or the time in which a bucket fills up whole, in milliseconds. At least 1.
    pub(crate) window_ms: u64,
    /// How long everything is refused after the trip, in milliseconds; of [`LimiterClass::Penalty`] only.
    pub(crate) penalty_ms: u64,
    /// Counters that share the requests; of [`LimiterClass::SeveralCounters`] only. At least 1.
    pub(crate) counters: u64,
    /// Where the windows are cut.
    pub(crate) cut: Cut,
    /// Whether refused requests count as well (sliding kinds).
    pub(crate) counts_refused: bool,
    /// Of several counters: whether one of them gets all requests (a kept connection) or each in turn.
    pub(crate) one_takes_all: bool,
}

/// Where windows are cut.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Cut {
    /// A boundary this many milliseconds after the use begins, and one every window before and after.
    At(u64),
    /// At the first request that finds no window open.
    FirstRequest,
}

/// What became of one request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answered {
    pub(crate) at_ms: u64,
    pub(crate) refused: bool,
    /// How long a shaping limiter held it back.
    pub(crate) delay_ms: u64,
    /// Requests that count at this moment, this one included.
    pub(crate) counted: u64,
}

impl Limiter {
    /// Whether it refuses any of the requests at these times.
    pub(crate) fn refuses_any(&self, times_ms: &[u64]) -> bool {
        let share = self.share();
        let mut states = vec![State::new(&share); self.states()];
        times_ms.iter().enumerate().any(|(place, at_ms)| {
            let turn = if self.one_takes_all { 0 } else { place % states.len() };
            states[turn].put(&share, *at_ms).refused
        })
    }

    /// What each of its counters does. Numbers may come from foreign headers; far beyond these bounds nothing changes any more.
    fn share(&self) -> Self {
        Self {
            limit: (self.limit / self.states() as u64).clamp(1, 1 << 32),
            window_ms: self.window_ms.clamp(1, 1 << 40),
            penalty_ms: self.penalty_ms.min(1 << 40),
            ..*self
        }
    }

    /// Puts requests at these times, in order, to the limiter from a quiet start, and hands each one's answer on. Gives the
    /// longest stretch in which a request would have been refused, from the refusal that began it, in milliseconds.
    pub(super) fn put(&self, times_ms: &[u64], mut each: impl FnMut(usize, Answered)) -> u64 {
        let share = self.share();
        let mut states = vec![State::new(&share); self.states()];
        let mut longest = 0;
        let mut shut_since: Option<(u64, u64)> = None;
        for (place, at_ms) in times_ms.iter().enumerate() {
            let turn = if self.one_takes_all { 0 } else { place % states.len() };
            let answered = states[turn].put(&share, *at_ms);
            match (&mut shut_since, answered.refused) {
                // Where refused requests do not count, a further one changes nothing.
                (Some((_, until)), true) if self.counts_refused => {
                    *until = states[turn].free_at(&share, *at_ms);
                }
                (None, true) => shut_since = Some((*at_ms, states[turn].free_at(&share, *at_ms))),
                (Some((since, until)), false) => {
                    longest = longest.max((*until).min(*at_ms).saturating_sub(*since));
                    shut_since = None;
                }
                (Some(_), true) | (None, false) => {}
            }
            each(place, answered);
        }
        shut_since.map_or(longest, |(since, until)| longest.max(until.saturating_sub(since)))
    }

    /// What becomes of requests at these times, in order, from a quiet start.
    pub(crate) fn answer(&self, times_ms: &[u64]) -> Vec<Answered> {
        let mut answers = Vec::with_capacity(times_ms.len());
        self.put(times_ms, |_, answered| answers.push(answered));
        answers
    }

    pub(super) fn states(&self) -> usize {
        match self.class {
            // More processes than requests cannot be told apart from one a request; the bound keeps foreign numbers harmless.
            LimiterClass::SeveralCounters => usize::try_from(self.counters.clamp(1, 64)).unwrap_or(1),
            _ => 1,
        }
    }

    /// How far a moment lies behind the last boundary.
    fn since_boundary(&self, phase: u64, at_ms: u64) -> u64 {
        // Counted from one window before the use, so that a boundary inside it has a beginning to its left.
        let from = at_ms.saturating_add(self.window_ms).saturating_sub(phase % self.window_ms);
        from % self.window_ms
    }

    /// The first boundary after a moment, of windows that are cut by the clock.
    fn next_boundary(&self, at_ms: u64) -> u64 {
        let Cut::At(phase) = self.cut else { return at_ms.saturating_add(self.window_ms) };
        at_ms.saturating_add(self.window_ms - self.since_boundary(phase, at_ms))
    }

    /// The beginning of the window that this moment lies in, where a window is open from `open` on.
    fn window_start(&self, open: Option<u64>, at_ms: u64) -> u64 {
        match (self.cut, open) {
            (Cut::At(phase), _) => at_ms - self.since_boundary(phase, at_ms).min(at_ms),
            (Cut::FirstRequest, Some(start)) if at_ms < start.saturating_add(self.window_ms) => start,
            (Cut::FirstRequest, _) => at_ms,
        }
    }
}

/// What a limiter remembers of one client.
#[derive(Debug, Clone)]
enum State {
    Window {
        start: Option<u64>,
        count: u64,
        shut_until: u64,
    },
    Log(VecDeque<u64>),
    Counter {
        start: u64,
        before: u64,
        now: u64,
    },
    /// Tokens times the window's length, so that one millisecond adds `limit` of them.
    Bucket {
        level: u128,
        at: u64,
    },
}

impl State {
    fn new(limiter: &Limiter) -> Self {
        match limiter.class {
            LimiterClass::FixedWindow | LimiterClass::Penalty | LimiterClass::SeveralCounters => {
                Self::Window { start: None, count: 0, shut_until: 0 }
            }
            LimiterClass::SlidingLog => Self::Log(VecDeque::new()),
            LimiterClass::SlidingCounter => Self::Counter { start: 0, before: 0, now: 0 },
            LimiterClass::TokenBucket | LimiterClass::LeakyBucket => {
                Self::Bucket { level: u128::from(limiter.limit) * u128::from(limiter.window_ms), at: 0 }
            }
        }
    }

    /// Brings the memory to this moment.
    fn advance(&mut self, limiter: &Limiter, at_ms: u64) {
        let window = limiter.window_ms;
        match self {
            Self::Window { start, count, shut_until } => {
                let now = limiter.window_start(*start, at_ms);
                if *start != Some(now) {
                    (*start, *count) = (Some(now), 0);
                }
                // Once the time is over, an edge counts anew.
                if *shut_until > 0 && at_ms >= *shut_until {
                    (*shut_until, *count) = (0, 0);
                }
            }
            Self::Log(taken) => {
                while taken.front().is_some_and(|first| first.saturating_add(window) <= at_ms) {
                    taken.pop_front();
                }
            }
            Self::Counter { start, before, now } => {
                let begins = Limiter { cut: sliding_cut(limiter.cut), ..*limiter }.window_start(None, at_ms);
                // A window that began before the use is cut off at its beginning, so the first step may be a shorter one.
                match begins.saturating_sub(*start).div_ceil(window) {
                    0 => {}
                    1 => (*before, *now) = (*now, 0),
                    _ => (*before, *now) = (0, 0),
                }
                *start = begins;
            }
            Self::Bucket { level, at } => {
                let passed = u128::from(at_ms.saturating_sub(*at));
                let full = u128::from(limiter.limit) * u128::from(window);
                *level = (*level + passed * u128::from(limiter.limit)).min(full);
                *at = at_ms;
            }
        }
    }

    /// Requests that count at this moment, which the memory was brought to.
    fn counted(&self, limiter: &Limiter, at_ms: u64) -> u64 {
        match self {
            Self::Window { count, shut_until, .. } if *shut_until > at_ms => limiter.limit.max(*count),
            Self::Window { count, .. } => *count,
            Self::Log(taken) => taken.len() as u64,
            Self::Counter { start, before, now } => {
                let into = at_ms.saturating_sub(*start).min(limiter.window_ms);
                share_of(*before, limiter.window_ms - into, limiter.window_ms).saturating_add(*now)
            }
            Self::Bucket { level, .. } => {
                let tokens = match u64::try_from(*level) {
                    Ok(level) => level / limiter.window_ms,
                    Err(_) => u64::try_from(*level / u128::from(limiter.window_ms)).unwrap_or(u64::MAX),
                };
                limiter.limit - tokens.min(limiter.limit)
            }
        }
    }

    fn put(&mut self, limiter: &Limiter, at_ms: u64) -> Answered {
        self.advance(limiter, at_ms);
        let counted = self.counted(limiter, at_ms).saturating_add(1);
        let refused = counted > limiter.limit;
        let mut delay_ms = 0;
        match self {
            Self::Window { count, shut_until, .. } => {
                if !refused {
                    *count += 1;
                } else if limiter.class == LimiterClass::Penalty && *shut_until == 0 {
                    *shut_until = at_ms.saturating_add(limiter.penalty_ms.max(1));
                }
            }
            Self::Log(taken) => {
                if !refused || limiter.counts_refused {
                    taken.push_back(at_ms);
                }
            }
            Self::Counter { now, .. } => {
                if !refused || limiter.counts_refused {
                    *now += 1;
                }
            }
            Self::Bucket { level, .. } => {
                let window = u128::from(limiter.window_ms);
                if !refused {
                    if limiter.class == LimiterClass::LeakyBucket {
                        // What was taken before has to drip away first.
                        let owed = u128::from(limiter.limit) * window - *level;
                        delay_ms = u64::try_from(owed / u128::from(limiter.limit)).unwrap_or(u64::MAX);
                    }
                    *level -= window;
                }
            }
        }
        Answered { at_ms, refused, delay_ms, counted }
    }

    /// The first moment after a refusal at `at_ms` at which a request would pass, when none comes before it.
    fn free_at(&self, limiter: &Limiter, at_ms: u64) -> u64 {
        let (limit, window) = (limiter.limit, limiter.window_ms);
        match self {
            Self::Log(taken) => {
                let over =
                    (taken.len() as u64).checked_sub(limit).and_then(|over| usize::try_from(over).ok());
                let frees = over.and_then(|over| taken.get(over)).map(|at| at.saturating_add(window));
                frees.unwrap_or(at_ms)
            }
            Self::Window { shut_until, .. } if *shut_until > at_ms => *shut_until,
            Self::Window { start, .. } => match limiter.cut {
                Cut::At(_) => limiter.next_boundary(at_ms),
                Cut::FirstRequest => start.unwrap_or(at_ms).saturating_add(window),
            },
            Self::Counter { start, before, now } => {
                // The first moment of a window at which what is left of the one before, and what is counted in it, are under
                // the limit: `before × (window − into) < (limit − now) × window`.
                let fades = |before: u64, now: u64| {
                    let room = u128::from(limit.checked_sub(now).filter(|room| *room > 0)?);
                    if before == 0 {
                        return Some(0);
                    }
                    let left = (room * u128::from(window)).div_ceil(u128::from(before)) - 1;
                    Some(window.saturating_sub(u64::try_from(left).unwrap_or(u64::MAX)))
                };
                let next = Limiter { cut: sliding_cut(limiter.cut), ..*limiter }.next_boundary(at_ms);
                let here = fades(*before, *now).map(|into| start.saturating_add(into));
                if let Some(here) = here.filter(|at| *at < next) {
                    return here.max(at_ms);
                }
                let then = fades(*now, 0).unwrap_or(window).min(window);
                next.saturating_add(then)
            }
            Self::Bucket { level, .. } => {
                let lacks = u128::from(window).saturating_sub(*level);
                let passes = lacks.div_ceil(u128::from(limit));
                at_ms.saturating_add(u64::try_from(passes).unwrap_or(u64::MAX))
            }
        }
    }
}

/// The whole part of `a × b / by`.
fn share_of(a: u64, b: u64, by: u64) -> u64 {
    // Foreign numbers may be large; the usual ones need no division of 128 bits, which takes many times longer.
    match a.checked_mul(b) {
        Some(product) => product / by,
        None => u64::try_from(u128::from(a) * u128::from(b) / u128::from(by)).unwrap_or(u64::MAX),
    }
}

/// Counters that fade have their boundaries by the clock.
fn sliding_cut(cut: Cut) -> Cut {
    match cut {
        Cut::At(phase) => Cut::At(phase),
        Cut::FirstRequest => Cut::At(0),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    pub(crate) fn of(class: LimiterClass, limit: u64, window_ms: u64) -> Limiter {
        Limiter {
            class,
            limit,
            window_ms,
            penalty_ms: 0,
            counters: 1,
            cut: Cut::At(0),
            counts_refused: false,
            one_takes_all: false,
        }
    }

    fn pattern(limiter: &Limiter, times: &[u64]) -> String {
        limiter.answer(times).iter().map(|r| if r.refused { 'x' } else { '.' }).collect()
    }

    const SECONDS: [u64; 14] =
        [0, 1000, 2000, 3000, 4000, 5000, 6000, 7000, 8000, 9000, 10_000, 11_000, 12_000, 13_000];

    #[test]
    fn each_kind_refuses_where_its_definition_says() {
        use LimiterClass::*;
        // One request a second against 5 in 10 s.
        for (limiter, want) in [
            (of(FixedWindow, 5, 10_000), ".....xxxxx...."),
            (Limiter { cut: Cut::At(3000), ..of(FixedWindow, 5, 10_000) }, "........xxxxx."),
            (Limiter { cut: Cut::FirstRequest, ..of(FixedWindow, 5, 10_000) }, ".....xxxxx...."),
            (of(SlidingLog, 5, 10_000), ".....xxxxx...."),
            (Limiter { counts_refused: true, ..of(SlidingLog, 5, 10_000) }, ".....xxxxxxxxx"),
            (of(SlidingCounter, 5, 10_000), ".....xxxxxx.x."),
            (of(TokenBucket, 5, 10_000), ".........x.x.x"),
            (Limiter { penalty_ms: 3000, ..of(Penalty, 5, 10_000) }, ".....xxx......"),
            (Limiter { counters: 2, ..of(SeveralCounters, 10, 10_000) }, ".............."),
            (
                Limiter { counters: 2, one_takes_all: true, ..of(SeveralCounters, 10, 10_000) },
                ".....xxxxx....",
            ),
        ] {
            assert_eq!(pattern(&limiter, &SECONDS), want, "{limiter:?}");
        }
    }

    #[test]
    fn nginx_with_a_burst_of_20_at_ten_a_second_takes_21_and_then_one_a_tenth() {
        // rate=10r/s burst=20 nodelay: 21 at once, and each place comes back in 100 ms.
        let bucket = of(LimiterClass::TokenBucket, 21, 2100);
        let mut times = vec![0; 25];
        times.extend([100, 150, 200, 300]);
        assert_eq!(pattern(&bucket, &times), format!("{}xxxx.x..", ".".repeat(21)));
        let shaped = Limiter { class: LimiterClass::LeakyBucket, ..bucket };
        let answers = shaped.answer(&[0; 22]);
        let delays: Vec<u64> = answers.iter().map(|r| r.delay_ms).collect();
        assert_eq!(delays[..4], [0, 100, 200, 300]);
        let refused = answers.iter().filter(|r| r.refused).count();
        assert_eq!((delays.iter().max(), refused), (Some(&2000), 1));
    }

    #[test]
    fn how_long_it_stays_shut_is_until_the_next_request_could_pass() {
        use LimiterClass::*;
        let at_once = [0; 6];
        for (limiter, want) in [
            (of(FixedWindow, 5, 10_000), 10_000),
            (Limiter { cut: Cut::At(4000), ..of(FixedWindow, 5, 10_000) }, 4000),
            (of(SlidingLog, 5, 10_000), 10_000),
            // Five fade to four a fifth into the next window.
            (of(SlidingCounter, 5, 10_000), 10_001),
            (of(TokenBucket, 5, 10_000), 2000),
            (Limiter { penalty_ms: 60_000, ..of(Penalty, 5, 10_000) }, 60_000),
        ] {
            assert_eq!(limiter.put(&at_once, |_, _| {}), want, "{limiter:?}");
        }
    }

    #[test]
    fn a_window_in_which_nothing_was_counted_leaves_nothing_to_the_next() {
        let limiter = of(LimiterClass::SlidingCounter, 1, 1000);
        let state = State::Counter { start: 1000, before: 1, now: 0 };
        // Refused at the very beginning of the second window; the third is free from its beginning on.
        assert_eq!(state.free_at(&limiter, 1000), 1001, "one request fades at once");
        let full = State::Counter { start: 1000, before: 2000, now: 0 };
        assert_eq!(full.free_at(&limiter, 1000), 2000);
    }

    proptest! {
        /// The moment that is reckoned is the one that a search finds, and nothing passes before it.
        #[test]
        fn the_moment_of_the_next_pass_is_the_one_that_a_search_finds(
            class in prop::sample::select(LimiterClass::ALL.to_vec()),
            limit in 1_u64..6,
            window_ms in 1_u64..40,
            phase in 0_u64..40,
            by_clock in any::<bool>(),
            counts_refused in any::<bool>(),
            penalty_ms in 0_u64..60,
            gaps in prop::collection::vec(0_u64..15, 1..40),
        ) {
            let cut = if by_clock { Cut::At(phase) } else { Cut::FirstRequest };
            let limiter = Limiter { limit, cut, counts_refused, penalty_ms, ..of(class, limit, window_ms) };
            let mut state = State::new(&limiter);
            let mut at = 0;
            for gap in gaps {
                at += gap;
                if !state.put(&limiter, at).refused {
                    continue;
                }
                let passes = |at: &u64| {
                    let mut then = state.clone();
                    then.advance(&limiter, *at);
                    then.counted(&limiter, *at) < limiter.limit
                };
                let most = at + 3 * window_ms + penalty_ms + 1;
                prop_assert_eq!(Some(state.free_at(&limiter, at)), (at..=most).find(passes), "{:?} at {}", state, at);
            }
        }
    }

    #[test]
    fn numbers_from_foreign_headers_do_no_harm() {
        for class in LimiterClass::ALL {
            let huge = Limiter { penalty_ms: u64::MAX, counters: u64::MAX, ..of(class, u64::MAX, u64::MAX) };
            assert!(!huge.answer(&[0, 1, u64::MAX]).iter().any(|r| r.refused), "{class}");
            let tiny = Limiter { penalty_ms: u64::MAX, counters: u64::MAX, ..of(class, 1, 1) };
            tiny.answer(&[0, 0, 1, u64::MAX - 1, u64::MAX]);
        }
    }
}
