//! The limit of several counters from the whole history, whoever took each request.
//!
//! A hypothesis of a cloud says which counter took each request. To try another limit, all of these would have to change at
//! once, so a cloud keeps whichever limit came first. Here the counters are summed out: every way in which the requests can
//! have fallen on them is followed with its chance (a forward filter; equal counters are interchangeable, so a way is their
//! windows in order). Counters whose windows are cut at different times tell most: what passes while one is full already and
//! another begins anew belongs to two windows, and only their sum has to fit.

use crate::history::History;
use crate::hypothesis::MOST_COUNTERS;
use crate::prior;

/// Chance of an answer that the counters do not explain.
const UNEXPLAINED: f64 = 1e-4;
/// Ways less likely than this beside the likeliest are followed no further.
const UNLIKELY: f64 = 1e-6;
/// Ways that are followed at most.
const MOST_WAYS: usize = 400;
/// A limit is given up when its likelihood is lower by this logarithm than that of the best.
const GIVEN_UP: f64 = 16.0;
/// Limits of one counter that are tried at most.
const LARGEST: u32 = 200;

/// The window of one counter, if it began.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Window {
    /// The exchange that began it.
    begun_by: u32,
    /// Requests that it holds.
    count: u32,
}

/// Who holds what: a window for each counter, in order.
type Way = [Option<Window>; MOST_COUNTERS];

/// One limit of so many counters that are renewed after so many seconds, with the ways that explain the history.
#[derive(Debug, Clone)]
struct Filter {
    counters: u32,
    limit: u32,
    period: f64,
    ways: Vec<(Way, f64)>,
    log_likelihood: f64,
}

/// What the whole history says of several counters, kept from one answer to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Counters {
    filters: Vec<Filter>,
    /// Exchanges taken into account.
    seen: usize,
    /// Periods that are tried.
    periods: Vec<f64>,
}

impl Counters {
    /// Every limit of all counters together with its weight, most likely first; the weights sum to 1. Empty where nothing was
    /// refused. `periods` are those that are believed, in order; those of before are kept while they lie among them.
    pub(crate) fn limits(&mut self, history: &History, periods: &[f64]) -> Vec<(u32, f64)> {
        if history.first_refused().is_none() || (periods.is_empty() && self.filters.is_empty()) {
            return Vec::new();
        }
        if !self.still_holds(periods) {
            self.begin(history, periods);
        }
        while self.seen < history.len() {
            for filter in &mut self.filters {
                filter.take(history, self.seen);
            }
            self.seen += 1;
            let best = self.best();
            self.filters.retain(|filter| filter.log_likelihood > best - GIVEN_UP);
        }
        self.totals()
    }

    /// Chance that some window is still open at `at`; 1 where nothing is known of them.
    pub(crate) fn chance_of_open(&self, history: &History, at: f64) -> f64 {
        let best = self.best();
        let (mut open, mut all) = (0.0, 0.0);
        for filter in &self.filters {
            let weight = (filter.log_likelihood - best).exp();
            all += weight;
            open += weight * filter.chance_of_open(history, at);
        }
        if all > 0.0 { open / all } else { 1.0 }
    }

    /// Whether the periods that are tried are those that are believed, near enough.
    fn still_holds(&self, periods: &[f64]) -> bool {
        let width = |of: &[f64]| match of {
            [first, .., last] => last / first - 1.0,
            _ => 0.0,
        };
        let (Some(first), Some(last)) = (periods.first(), periods.last()) else { return true };
        let within = self.periods.iter().any(|p| (first * 0.998..=last * 1.002).contains(p));
        within && width(&self.periods) <= 2.0 * width(periods) + 0.004
    }

    fn begin(&mut self, history: &History, periods: &[f64]) {
        self.periods = periods.to_vec();
        self.seen = 0;
        self.filters.clear();
        for period in periods {
            // The counter that refused had taken all that it holds within one window.
            let most = history.most_of_a_counter(*period).min(LARGEST);
            for (counters, share) in prior::COUNTERS {
                self.filters.extend((1..=most).map(|limit| Filter::new(counters, limit, *period, share)));
            }
        }
    }

    fn best(&self) -> f64 {
        self.filters.iter().map(|filter| filter.log_likelihood).fold(f64::NEG_INFINITY, f64::max)
    }

    fn totals(&self) -> Vec<(u32, f64)> {
        let best = self.best();
        let weighed =
            self.filters.iter().map(|of| (of.counters * of.limit, (of.log_likelihood - best).exp()));
        let mut totals = by_limit(weighed);
        let sum: f64 = totals.iter().map(|(_, weight)| weight).sum();
        totals.iter_mut().for_each(|(_, weight)| *weight /= sum);
        totals
    }
}

/// Each limit once with the sum of its weights, most likely first.
pub(crate) fn by_limit(weighed: impl Iterator<Item = (u32, f64)>) -> Vec<(u32, f64)> {
    let mut limits: Vec<(u32, f64)> = Vec::new();
    for (limit, weight) in weighed {
        match limits.iter_mut().find(|(of, _)| *of == limit) {
            Some((_, sum)) => *sum += weight,
            None => limits.push((limit, weight)),
        }
    }
    limits.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    limits
}

/// The likeliest limit of so many counters with this period, all together; `None` where nothing was refused.
pub(crate) fn likeliest_limit(history: &History, counters: u32, period: f64) -> Option<u32> {
    history.first_refused()?;
    let most = history.most_of_a_counter(period).min(LARGEST);
    let weighed = (1..=most).map(|limit| {
        let mut filter = Filter::new(counters, limit, period, 1.0);
        (0..history.len()).for_each(|i| filter.take(history, i));
        filter
    });
    let likeliest = weighed.max_by(|a, b| a.log_likelihood.total_cmp(&b.log_likelihood))?;
    Some(counters * likeliest.limit)
}

impl History {
    /// Requests that passed within one period before a refusal, the fewest over all refusals: no counter holds more.
    fn most_of_a_counter(&self, period: f64) -> u32 {
        let refused = (0..self.len()).filter(|i| self.exchange(*i).refused);
        let within = refused.map(|i| {
            let (passed, from) = (self.before(i, false), self.arrival(i).at - 1.01 * period);
            passed.len() - passed.partition_point(|at| *at < from)
        });
        within.filter(|passed| *passed > 0).min().unwrap_or(0) as u32
    }
}

impl Filter {
    /// Before the first exchange, with this share of all that have several counters.
    fn new(counters: u32, limit: u32, period: f64, share: f64) -> Self {
        let ways = vec![([None; MOST_COUNTERS], 1.0)];
        Self { counters, limit, period, ways, log_likelihood: share.ln() - f64::from(limit).ln() }
    }

    /// Follows every way through exchange `i`.
    fn take(&mut self, history: &History, i: usize) {
        let counters = self.counters as usize;
        let chance = 1.0 / self.counters as f64;
        let refused = history.exchange(i).refused;
        let mut next: Vec<(Way, f64)> = Vec::with_capacity(self.ways.len() * (counters + 1));
        for (way, weight) in &self.ways {
            for (way, weight) in self.renewed(history, i, *way, *weight) {
                for w in 0..counters {
                    let is_full = way[w].is_some_and(|window| window.count >= self.limit);
                    if refused && is_full {
                        next.push((way, weight * chance * self.of_the_wait(history, i, way[w])));
                    } else if !refused && !is_full {
                        let window = way[w].unwrap_or(Window { begun_by: i as u32, count: 0 });
                        let mut way = way;
                        way[w] = Some(Window { count: window.count + 1, ..window });
                        way[..counters].sort_unstable();
                        next.push((way, weight * chance));
                    }
                }
            }
        }
        next.sort_unstable_by_key(|(way, _)| *way);
        next.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        let explained: f64 = next.iter().map(|(_, weight)| weight).sum();
        self.log_likelihood += (explained + UNEXPLAINED).ln();
        if explained <= 0.0 {
            return;
        }
        let most = next.iter().map(|(_, weight)| *weight).fold(0.0, f64::max);
        next.retain(|(_, weight)| *weight > UNLIKELY * most);
        if next.len() > MOST_WAYS {
            next.select_nth_unstable_by(MOST_WAYS, |a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            next.truncate(MOST_WAYS);
        }
        let kept: f64 = next.iter().map(|(_, weight)| weight).sum();
        next.iter_mut().for_each(|(_, weight)| *weight /= kept);
        self.ways = next;
    }

    fn chance_of_open(&self, history: &History, at: f64) -> f64 {
        let is_open = |window: &Window| Self::begin(history, *window) + self.period > at;
        let open = self.ways.iter().filter(|(way, _)| way.iter().flatten().any(is_open));
        open.map(|(_, weight)| weight).sum()
    }

    /// When a window began.
    fn begin(history: &History, window: Window) -> f64 {
        history.arrival(window.begun_by as usize).at
    }

    /// The way without the windows that are over when exchange `i` arrives. Where that cannot be told of one, with it and without.
    fn renewed(
        &self,
        history: &History,
        i: usize,
        way: Way,
        weight: f64,
    ) -> impl Iterator<Item = (Way, f64)> + use<> {
        let arrival = history.arrival(i);
        let (mut without, mut with) = (way, way);
        for w in 0..self.counters as usize {
            let Some(window) = way[w] else { continue };
            let over = arrival.at - Self::begin(history, window) - self.period;
            let unsure = 0.8 * (arrival.spread + history.arrival(window.begun_by as usize).spread);
            if over >= -unsure {
                without[w] = None;
            }
            if over >= unsure {
                with[w] = None;
            }
        }
        without[..self.counters as usize].sort_unstable();
        with[..self.counters as usize].sort_unstable();
        let sure = without == with;
        let weight = if sure { weight } else { 0.5 * weight };
        std::iter::once((without, weight)).chain((!sure).then_some((with, weight)))
    }

    /// The density of what Retry-After says, if the counter of this window refused.
    fn of_the_wait(&self, history: &History, i: usize, window: Option<Window>) -> f64 {
        let (Some(told), Some(window)) = (history.exchange(i).retry_after, window) else { return 1.0 };
        // Whole seconds, rounded in either direction.
        let near = |time: f64| if (time - told).abs() <= 1.05 { 0.5 } else { 0.0 };
        let left = Self::begin(history, window) + self.period - history.arrival(i).at;
        0.85 * near(left) + 0.1 * near(self.period) + 0.05 * 0.12 / (told + 1.0)
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashMap;

    use super::*;
    use crate::history::Exchange;
    use crate::random::Random;

    fn exchange(sent: f64, refused: bool, retry_after: Option<f64>) -> Exchange {
        Exchange { sent, answered: sent + 0.01, refused, retry_after, date: None, left: None, reset: None }
    }

    /// Counters at work.
    struct Real {
        windows: Vec<(f64, u32)>,
        limit: u32,
        period: f64,
        tells: bool,
    }

    impl Real {
        fn new(counters: usize, limit: u32, period: f64, tells: bool) -> Self {
            Self { windows: vec![(f64::NEG_INFINITY, 0); counters], limit, period, tells }
        }

        fn answer(&mut self, at: f64, random: &mut Random) -> Exchange {
            let w = random.below(self.windows.len());
            let (begun, count) = &mut self.windows[w];
            if at + 0.005 >= *begun + self.period {
                (*begun, *count) = (at + 0.005, 0);
            }
            let refused = *count >= self.limit;
            *count += u32::from(!refused);
            let wait = (*begun + self.period - at).ceil();
            exchange(at, refused, (refused && self.tells).then_some(wait))
        }
    }

    fn log_likelihood(counters: u32, limit: u32, history: &History) -> f64 {
        let mut filter = Filter { log_likelihood: 0.0, ..Filter::new(counters, limit, 10.0, 1.0) };
        (0..history.len()).for_each(|i| filter.take(history, i));
        filter.log_likelihood
    }

    fn history(exchanges: impl IntoIterator<Item = Exchange>) -> History {
        let mut history = History::default();
        exchanges.into_iter().for_each(|exchange| history.push(exchange));
        history
    }

    /// Answers one after the other in the same window.
    fn in_a_row(passed: &[bool]) -> History {
        let at = |n: usize| 0.1 * n as f64;
        history(passed.iter().enumerate().map(|(n, passed)| exchange(at(n), !passed, None)))
    }

    #[test]
    fn the_likelihood_of_answers_is_how_often_they_come() {
        // By hand: of two requests on two counters of one place each, the second passes half of the time, and then all are
        // refused.
        for (passed, wanted) in [
            (&[true][..], 1.0),
            (&[true, true], 0.5),
            (&[true, false], 0.5),
            (&[true, false, true], 0.25),
            (&[true, true, false, false], 0.5),
        ] {
            let chance = log_likelihood(2, 1, &in_a_row(passed)).exp();
            assert!((chance - wanted).abs() < 5.0 * UNEXPLAINED, "{passed:?}: {chance}");
        }
        let mut random = Random::new(5);
        for (counters, limit) in [(2, 7), (3, 4), (4, 3)] {
            let mut counted: HashMap<Vec<bool>, u32> = HashMap::new();
            for _ in 0..20_000 {
                let mut real = Real::new(counters, limit, 1000.0, false);
                let mut passed: Vec<bool> = Vec::new();
                while passed.iter().filter(|passed| !**passed).count() < 2 {
                    passed.push(!real.answer(0.1 * passed.len() as f64, &mut random).refused);
                }
                *counted.entry(passed).or_default() += 1;
            }
            let mut common: Vec<_> = counted.into_iter().collect();
            common.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            for (passed, count) in &common[..5] {
                let said = log_likelihood(counters as u32, limit, &in_a_row(passed)).exp();
                let share = f64::from(*count) / 20_000.0;
                // Four standard deviations of a share of 20 000.
                assert!((share - said).abs() < 0.015, "{counters} x {limit} {passed:?}: {share} {said}");
            }
        }
    }

    /// Bursts until the first refusal, each as soon as Retry-After allows; the windows set apart by so much after the first.
    fn bursts(counters: usize, limit: u32, apart: f64, requests: usize, random: &mut Random) -> History {
        let mut real = Real::new(counters, limit, 10.0, true);
        let mut history = History::default();
        let mut at = 0.0;
        for n in 0..requests {
            let exchange = real.answer(at, random);
            history.push(exchange);
            at += exchange.retry_after.map_or(0.1, |wait| wait + 0.05);
            at += if n == 0 { apart } else { 0.0 };
        }
        history
    }

    #[test]
    fn windows_that_are_cut_apart_tell_the_limit_sooner() {
        let right = |apart: f64, requests: usize| {
            (0..40)
                .filter(|seed| {
                    let history = bursts(2, 10, apart, requests, &mut Random::new(*seed));
                    let limits = Counters::default().limits(&history, &[10.0]);
                    let sum: f64 = limits.iter().map(|(_, weight)| weight).sum();
                    assert!((sum - 1.0).abs() < 1e-9 && limits.is_sorted_by(|a, b| a.1 >= b.1), "{limits:?}");
                    limits[0].0 == 20
                })
                .count()
        };
        let both = |apart: f64| right(apart, 40) + right(apart, 60);
        let (together, apart) = (both(0.0), both(3.3));
        assert!(apart >= 45 && together + 10 < apart, "{together} and {apart} of 80");
        let enough = right(3.3, 100);
        assert!(enough >= 36, "{enough} of 40");
    }

    #[test]
    fn where_nothing_asks_for_a_pause_one_window_is_enough() {
        let mut random = Random::new(11);
        for (counters, limit) in [(2, 3), (2, 10), (3, 5)] {
            let mut real = Real::new(counters, limit, 10.0, false);
            let full = history((0..70).map(|n| real.answer(0.1 * f64::from(n), &mut random)));
            let limits = Counters::default().limits(&full, &[10.0]);
            assert_eq!(limits[0].0, limit * counters as u32, "{counters} x {limit}: {limits:?}");
            assert!(limits[0].1 > 0.95, "{limits:?}");
            // Asked no further than the first refusal, much is possible.
            let first = full.first_refused().expect("a refusal");
            let met = history((0..=first).map(|i| *full.exchange(i)));
            let limits = Counters::default().limits(&met, &[10.0]);
            assert!(limits[0].1 < 0.8, "{limits:?}");
        }
        assert!(Counters::default().limits(&in_a_row(&[true; 4]), &[10.0]).is_empty());
    }

    #[test]
    fn windows_are_open_until_the_last_of_them_is_over() {
        let mut random = Random::new(3);
        let mut real = Real::new(2, 5, 10.0, true);
        let mut told = history([real.answer(0.0, &mut random)]);
        for n in 0..12 {
            told.push(real.answer(4.0 + 0.1 * f64::from(n), &mut random));
        }
        let mut counters = Counters::default();
        assert!(counters.chance_of_open(&told, 8.0) == 1.0, "nothing is known yet");
        counters.limits(&told, &[10.0]);
        assert!(counters.chance_of_open(&told, 9.0) > 0.99);
        assert!(counters.chance_of_open(&told, 12.0) > 0.9, "the second began after four seconds");
        assert!(counters.chance_of_open(&told, 16.0) < 0.01);
    }
}
