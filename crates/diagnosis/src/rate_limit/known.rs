//! What is known of a limiter, and every limiter that fits it.

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::{Alignment, Estimated, Interval, LimiterClass, RateLimitRun};

use super::limiter::{Cut, Limiter};

/// A window that is not known is taken to be at least a second and at most an hour: what rate, period and window settings of nginx
/// (`r/s`, `r/m`), Cloudflare (10 s to 1 h) and Flask-Limiter (`per second` to `per hour`) come to, days left aside.
pub(super) const WINDOW_MS: (u64, u64) = (1_000, 3_600_000);

/// A window whose ends lie further apart than by this factor is not known: figures for both ends would contradict each other.
const WIDEST: u64 = 4;

/// Whether a window is known well enough to give figures for it.
pub(super) fn is_narrow(low_ms: u64, high_ms: Option<u64>) -> bool {
    high_ms.is_some_and(|high| high <= low_ms.max(1).saturating_mul(WIDEST))
}

/// Moments at which windows are cut that are tried, at most.
const MOST_CUTS: usize = 12;

/// Whose requests one counter counts.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Keyed {
    /// Each client address has its own.
    Address,
    /// All clients share one.
    Shared,
    /// Not known.
    Unknown,
}

/// What is known of a limiter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Known {
    /// Kinds that fit, most likely first; never empty.
    pub(crate) classes: Vec<LimiterClass>,
    pub(crate) limit: Range,
    pub(crate) window_ms: Range,
    /// Whether the window was measured or stated within a factor of [`WIDEST`], and is not merely bounded by what is usual.
    pub(crate) window_known: bool,
    /// `None` when nothing was seen of it.
    pub(crate) penalty_ms: Option<Range>,
    pub(crate) counters: (u64, u64),
    pub(crate) alignment: Option<Alignment>,
    pub(crate) keyed: Keyed,
}

/// A quantity between two ends, with its likeliest value.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Range {
    pub(crate) low: u64,
    pub(crate) likely: u64,
    /// `None` when nothing bounds it from above.
    pub(crate) high: Option<u64>,
}

impl Range {
    pub(crate) fn exactly(value: u64) -> Self {
        Self { low: value, likely: value, high: Some(value) }
    }

    fn of(interval: Interval) -> Self {
        Self { low: interval.low, likely: interval.low, high: interval.high }
    }

    /// A window of which only the ends are known. People write round numbers, so the roundest one between the ends is the likeliest.
    fn of_window(interval: Interval) -> Self {
        let round = [60_000, 10_000, 5_000, 1_000].into_iter().find_map(|step| {
            let first = interval.low.div_ceil(step).saturating_mul(step);
            (first > 0 && interval.high.is_some_and(|high| first <= high)).then_some(first)
        });
        Self { low: interval.low, likely: round.unwrap_or(interval.low), high: interval.high }
    }

    fn trials(self) -> Vec<u64> {
        let mut all = vec![self.low, self.likely];
        all.extend(self.high);
        all.sort_unstable();
        all.dedup();
        all
    }

    pub(crate) fn is_exact(self) -> bool {
        self.high == Some(self.low)
    }
}

impl Known {
    /// What a run shows; `None` when it met no refusal or says nothing of the limit.
    pub(crate) fn of(run: &RateLimitRun, keyed: Keyed) -> Option<Self> {
        run.signal.as_ref()?;
        let estimate = &run.estimate;
        let fit = estimate.fit.as_deref();
        let estimated = |e: Estimated| Range {
            low: e.within.low.min(e.likely),
            likely: e.likely,
            high: e.within.high.map(|high| high.max(e.likely)),
        };
        let limit = fit.and_then(|fit| fit.limit).map(estimated).or_else(|| estimate.limit.map(Range::of))?;
        let window = fit
            .and_then(|fit| fit.period_ms)
            .map(estimated)
            .or_else(|| estimate.window_ms.map(Range::of_window));
        let mut classes = fit.map_or(&estimate.classes, |fit| &fit.set).clone();
        if classes.is_empty() {
            classes = vec![
                LimiterClass::FixedWindow,
                LimiterClass::SlidingLog,
                LimiterClass::SlidingCounter,
                LimiterClass::TokenBucket,
                LimiterClass::Penalty,
            ];
        }
        let counters = fit.and_then(|fit| fit.counters);
        // A limiter says with Retry-After how long it stays shut (RFC 9110 section 10.2.3).
        let told =
            run.signal.as_ref().and_then(|s| s.retry_after_s).map(|s| Range::exactly(s.saturating_mul(1000)));
        let unknown = Range { low: WINDOW_MS.0, likely: 60_000, high: Some(WINDOW_MS.1) };
        let known = window.is_some_and(|w| is_narrow(w.low, w.high));
        Some(Self {
            classes,
            limit: Range { low: limit.low.max(1), likely: limit.likely.max(1), ..limit },
            window_ms: window.map_or(unknown, |w| Range { low: w.low.max(1), likely: w.likely.max(1), ..w }),
            window_known: known,
            penalty_ms: fit.and_then(|fit| fit.penalty_ms).map(estimated).or(told),
            counters: counters.map_or((2, 2), |c| (c.low.max(1), c.high.unwrap_or(c.low).max(1))),
            alignment: fit.and_then(|fit| fit.alignment),
            keyed,
        })
    }

    /// The likeliest limiter, as a drawing shows it.
    pub(super) fn likeliest(&self) -> Limiter {
        let class = self.classes[0];
        Limiter {
            class,
            limit: self.limit.likely,
            window_ms: self.window_ms.likely,
            penalty_ms: self.penalty_ms.map_or(self.window_ms.likely, |p| p.likely),
            counters: self.counters.0,
            cut: if self.alignment == Some(Alignment::FirstRequest) { Cut::FirstRequest } else { Cut::At(0) },
            counts_refused: false,
            one_takes_all: false,
        }
    }

    /// Every kind, limit and window that fits.
    fn kinds(&self) -> impl Iterator<Item = (LimiterClass, u64, u64)> + '_ {
        let unbounded = self.window_ms.high.is_none().then_some(WINDOW_MS.1.max(self.window_ms.low));
        let windows: Vec<u64> = self.window_ms.trials().into_iter().chain(unbounded).collect();
        let limits = self.limit.trials();
        self.classes.iter().flat_map(move |class| {
            let windows = windows.clone();
            limits.clone().into_iter().flat_map(move |limit| {
                windows.clone().into_iter().map(move |window_ms| (*class, limit, window_ms))
            })
        })
    }

    /// Every limiter that fits, each with the choices that make it.
    pub(super) fn trials(&self, times_ms: &[u64]) -> Vec<(Choices, Limiter)> {
        self.kinds()
            .flat_map(|(class, limit, window_ms)| {
                self.ways(class, limit, window_ms, times_ms).into_iter().map(move |(way, limiter)| {
                    (Choices { class, limit, window_ms, way, shared: false }, limiter)
                })
            })
            .collect()
    }

    /// Tells of a limiter that fits whether it surely leaves the requests at these times, which are in order, as they are. No kind
    /// looks back further than over two windows, so one whose limit is not met within two does; a leaky bucket still delays.
    pub(super) fn idle(&self, times_ms: &[u64]) -> impl Fn(&Limiter) -> bool + use<> {
        let windows: BTreeSet<u64> = self.kinds().map(|(_, _, window_ms)| window_ms).collect();
        let busiest: BTreeMap<u64, u64> = windows
            .into_iter()
            .map(|window_ms| (window_ms, most_within(times_ms, window_ms.saturating_mul(2))))
            .collect();
        move |limiter| {
            let most = busiest.get(&limiter.window_ms).copied().unwrap_or(u64::MAX);
            limiter.class != LimiterClass::LeakyBucket && limiter.limit / limiter.states() as u64 >= most
        }
    }

    /// Whether a limiter that fits refuses any of the requests at these times, which are in order.
    pub(super) fn may_refuse(&self, times_ms: &[u64]) -> bool {
        let idle = self.idle(times_ms);
        self.kinds().any(|(class, limit, window_ms)| {
            let most_counters =
                Limiter { class, limit, window_ms, counters: self.counters.1, ..self.likeliest() };
            !idle(&most_counters)
                && self.ways(class, limit, window_ms, times_ms).iter().any(|(_, l)| l.refuses_any(times_ms))
        })
    }

    /// The limiters of one kind, limit and window.
    fn ways(
        &self,
        class: LimiterClass,
        limit: u64,
        window_ms: u64,
        times_ms: &[u64],
    ) -> Vec<(usize, Limiter)> {
        let plain = Limiter { class, limit, window_ms, ..self.likeliest() };
        let clocks = || cuts(times_ms, window_ms).into_iter().map(Cut::At);
        let windows = || -> Vec<Cut> {
            match self.alignment {
                Some(Alignment::FirstRequest) => vec![Cut::FirstRequest],
                Some(Alignment::Clock) => clocks().collect(),
                None => std::iter::once(Cut::FirstRequest).chain(clocks()).collect(),
            }
        };
        let both = [false, true];
        let limiters: Vec<Limiter> = match class {
            LimiterClass::FixedWindow => windows().into_iter().map(|cut| Limiter { cut, ..plain }).collect(),
            LimiterClass::SlidingLog => {
                both.map(|counts_refused| Limiter { counts_refused, ..plain }).to_vec()
            }
            LimiterClass::SlidingCounter => clocks()
                .flat_map(|cut| both.map(|counts_refused| Limiter { cut, counts_refused, ..plain }))
                .collect(),
            LimiterClass::TokenBucket | LimiterClass::LeakyBucket => vec![plain],
            LimiterClass::Penalty => {
                let penalties = self.penalty_ms.map_or_else(|| vec![window_ms], Range::trials);
                windows()
                    .into_iter()
                    .flat_map(|cut| {
                        penalties.iter().map(move |penalty_ms| Limiter {
                            cut,
                            penalty_ms: *penalty_ms,
                            ..plain
                        })
                    })
                    .collect()
            }
            LimiterClass::SeveralCounters => {
                let mut counts = vec![self.counters.0, self.counters.1];
                counts.dedup();
                let mut all = Vec::new();
                for cut in windows() {
                    for counters in &counts {
                        all.extend(both.map(|one_takes_all| Limiter {
                            cut,
                            counters: *counters,
                            one_takes_all,
                            ..plain
                        }));
                    }
                }
                all
            }
        };
        limiters.into_iter().enumerate().collect()
    }
}

/// The most of these moments, which are in order, that lie within a stretch of this length.
fn most_within(times_ms: &[u64], span_ms: u64) -> u64 {
    let mut from = 0;
    let mut most = 0;
    for (at, time) in times_ms.iter().enumerate() {
        while times_ms[from].saturating_add(span_ms) <= *time {
            from += 1;
        }
        most = most.max(at - from + 1);
    }
    most as u64
}

/// Moments at which a window may be cut that make a difference: at the start, and right at or after a request.
fn cuts(times_ms: &[u64], window_ms: u64) -> Vec<u64> {
    let mut all: Vec<u64> =
        times_ms.iter().flat_map(|at| [at % window_ms, at.saturating_add(1) % window_ms]).collect();
    all.push(0);
    all.sort_unstable();
    all.dedup();
    let step = all.len().div_ceil(MOST_CUTS);
    all.into_iter().step_by(step).collect()
}

/// What one trial assumes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Choices {
    pub(super) class: LimiterClass,
    pub(super) limit: u64,
    pub(super) window_ms: u64,
    pub(super) way: usize,
    pub(super) shared: bool,
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::impact::tests::known;
    use super::*;

    proptest! {
        /// What is left out because it cannot refuse does not.
        #[test]
        fn who_may_refuse_is_found_as_by_trying_all(
            classes in prop::collection::vec(prop::sample::select(LimiterClass::ALL.to_vec()), 1..4),
            limit in 1_u64..12,
            more in 0_u64..4,
            window_ms in 1_u64..50,
            gaps in prop::collection::vec(0_u64..20, 1..40),
        ) {
            let limit = Range { low: limit, likely: limit, high: Some(limit + more) };
            let known = known(&classes, limit, Some(Range::exactly(window_ms)), Keyed::Address);
            let times: Vec<u64> = gaps.iter().scan(0, |at, gap| { *at += gap; Some(*at) }).collect();
            let trials = known.trials(&times);
            let all = trials.iter().any(|(_, limiter)| limiter.refuses_any(&times));
            prop_assert_eq!(known.may_refuse(&times), all);
            let idle = known.idle(&times);
            for (_, limiter) in trials.iter().filter(|(_, limiter)| idle(limiter)) {
                let shut = limiter.put(&times, |_, answered| assert!(!answered.refused && answered.delay_ms == 0));
                prop_assert_eq!(shut, 0);
            }
        }
    }

    #[test]
    fn ends_within_a_factor_of_four_make_a_window_known() {
        for (low, high, narrow) in [
            (2500, Some(10_000), true),
            (10_000, Some(10_000), true),
            (2499, Some(10_000), false),
            (0, Some(10_000), false),
            (10_000, None, false),
            (u64::MAX, Some(u64::MAX), true),
        ] {
            assert_eq!(is_narrow(low, high), narrow, "{low} {high:?}");
        }
    }

    #[test]
    fn a_window_between_two_ends_is_taken_to_be_round() {
        for (low, high, likely) in [
            (9_000, Some(10_020), 10_000),
            (55_000, Some(61_000), 60_000),
            (1_200, Some(1_900), 1_200),
            (9_000, None, 9_000),
        ] {
            assert_eq!(Range::of_window(Interval { low, high }).likely, likely);
        }
    }
}
