//! The limit of several counters from whole trips: how many requests pass from a quiet start until one falls on a full
//! counter.
//!
//! A hypothesis of a cloud says which counter took each request. To try another limit, all of these would have to change at
//! once, so a cloud keeps whichever limit came first. Here the counters are summed out: of `n` requests that fall on `k`
//! counters by chance, none gets more than `L` with probability `n! / kⁿ · [xⁿ] (Σ_{j ≤ L} xʲ / j!)ᵏ`, which is the
//! multinomial distribution summed over all ways to share them out.

use std::sync::OnceLock;

use crate::history::History;
use crate::prior;

/// Requests in one trip, at most; a run sends fewer.
const LONGEST: usize = 160;

/// Chance of a number of passes that the counters do not explain.
const UNEXPLAINED: f64 = 1e-4;

/// How often the limit was met from a quiet start.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Trip {
    /// Requests that passed.
    pub(crate) passed: usize,
    /// Whether the next one was refused; otherwise it ended before the limit was met.
    pub(crate) refused: bool,
}

impl History {
    /// The whole trips, by windows that are between `low` and `high` seconds long. `None` where requests that passed between
    /// refusals tell more than they do.
    pub(crate) fn trips(&self, (low, high): (f64, f64)) -> Option<Vec<Trip>> {
        let at = |i: usize| self.arrival(i).at;
        let refused = |i: usize| self.exchange(i).refused;
        let mut trips = Vec::new();
        let mut last_pass = f64::NEG_INFINITY;
        let mut i = 0;
        while i < self.len() {
            if refused(i) || at(i) - last_pass < high {
                last_pass = if refused(i) { last_pass } else { at(i) };
                i += 1;
                continue;
            }
            let begin = i;
            while i < self.len() && !refused(i) && at(i) - at(begin) < low {
                last_pass = at(i);
                i += 1;
            }
            let met = i < self.len() && refused(i) && at(i) - at(begin) < low;
            trips.push(Trip { passed: i - begin, refused: met });
            if met && self.exchange(i).retry_after.is_none() {
                // Asked on through the refusals, the counters show what each of them still had.
                return None;
            }
        }
        Some(trips)
    }
}

/// Every limit of all counters together with its weight, most likely first; the weights sum to 1. Empty without a trip that met
/// the limit.
pub(crate) fn limits(trips: &[Trip]) -> Vec<(u32, f64)> {
    if !trips.iter().any(|trip| trip.refused) || trips.iter().any(|trip| trip.passed + 1 >= LONGEST) {
        return Vec::new();
    }
    let most = trips.iter().map(|trip| trip.passed).max().unwrap_or(0);
    let mut weights: Vec<(u32, f64)> = Vec::new();
    for (counters, share) in prior::COUNTERS {
        // One counter may have taken all of what passed, and nothing speaks for much more than that.
        for limit in 1..=most.max(1) {
            let spared = &spared()[counters as usize - prior::FEWEST_COUNTERS][limit - 1];
            let likelihood: f64 = trips
                .iter()
                .map(|trip| {
                    let met = spared[trip.passed] - spared[trip.passed + 1];
                    (if trip.refused { met } else { spared[trip.passed] } + UNEXPLAINED).ln()
                })
                .sum();
            weights.push((counters * limit as u32, share.ln() - (limit as f64).ln() + likelihood));
        }
    }
    weights.sort_unstable_by_key(|(total, _)| *total);
    let best = weights.iter().map(|(_, log)| *log).fold(f64::NEG_INFINITY, f64::max);
    let mut totals: Vec<(u32, f64)> = Vec::new();
    for (total, log) in weights {
        let weight = (log - best).exp();
        match totals.last_mut().filter(|last| last.0 == total) {
            Some(last) => last.1 += weight,
            None => totals.push((total, weight)),
        }
    }
    let sum: f64 = totals.iter().map(|(_, weight)| weight).sum();
    for (_, weight) in &mut totals {
        *weight /= sum;
    }
    totals.sort_by(|a, b| b.1.total_cmp(&a.1));
    totals
}

/// For each number of counters, each limit from 1 on and each number of requests from 0 on: the chance that no counter got
/// more than the limit.
fn spared() -> &'static [Vec<Vec<f64>>] {
    static TABLE: OnceLock<Vec<Vec<Vec<f64>>>> = OnceLock::new();
    TABLE.get_or_init(|| {
        let of_counters = |counters: u32| (1..LONGEST).map(|limit| none_over(counters, limit)).collect();
        prior::COUNTERS.iter().map(|(counters, _)| of_counters(*counters)).collect()
    })
}

/// The same for one number of counters and one limit: a convolution for each counter, in binomial shares so that nothing
/// overflows.
fn none_over(counters: u32, limit: usize) -> Vec<f64> {
    // With one counter: all of them fall on it.
    let mut spared: Vec<f64> = (0..LONGEST).map(|n| f64::from(u8::from(n <= limit))).collect();
    for already in 1..counters {
        // Of n requests each falls on the new counter with this chance, and otherwise on those of before.
        let chance = 1.0 / f64::from(already + 1);
        spared = (0..LONGEST)
            .map(|n| {
                let mut sum = 0.0;
                // Chance that j of n fall on the new one, beginning with none.
                let mut share = (1.0 - chance).powi(n as i32);
                for j in 0..=limit.min(n) {
                    sum += share * spared[n - j];
                    share *= (n - j) as f64 / (j + 1) as f64 * chance / (1.0 - chance);
                }
                sum
            })
            .collect();
    }
    spared
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Exchange;
    use crate::random::Random;

    /// Passes until a request falls on a full counter, counted one by one.
    fn meet(counters: usize, limit: u32, random: &mut Random) -> usize {
        let mut counts = vec![0; counters];
        for passed in 0.. {
            let w = random.below(counters);
            if counts[w] == limit {
                return passed;
            }
            counts[w] += 1;
        }
        unreachable!("the counters fill up")
    }

    #[test]
    fn the_chance_that_no_counter_is_full_is_that_of_counting() {
        let mut random = Random::new(5);
        for (counters, limit) in [(2, 1), (2, 7), (3, 4), (4, 3)] {
            let runs = 20_000;
            let met: Vec<usize> = (0..runs).map(|_| meet(counters as usize, limit, &mut random)).collect();
            let spared = none_over(counters, limit as usize);
            for n in 0..=(counters * limit) as usize + 1 {
                let counted = met.iter().filter(|passed| **passed >= n).count() as f64 / f64::from(runs);
                // Four standard deviations of a share of 20 000.
                assert!(
                    (spared[n] - counted).abs() < 0.015,
                    "{counters} x {limit}, {n}: {} {counted}",
                    spared[n]
                );
            }
        }
        // By hand: of two requests on two counters of one place each, the second passes half of the time.
        assert_eq!(none_over(2, 1)[..4], [1.0, 1.0, 0.5, 0.0]);
    }

    #[test]
    fn many_trips_tell_the_limit_and_few_say_how_little_they_tell() {
        let mut random = Random::new(11);
        for (counters, limit) in [(2, 3), (2, 10), (3, 5)] {
            let trips: Vec<Trip> = (0..400)
                .map(|_| Trip { passed: meet(counters, limit, &mut random), refused: true })
                .collect();
            let all = limits(&trips);
            assert_eq!(all[0].0, limit * counters as u32, "{counters} x {limit}: {:?}", &all[..3]);
            assert!(all[0].1 > 0.95, "{:?}", &all[..3]);
            let few = limits(&trips[..2]);
            assert!(few[0].1 < 0.8, "{:?}", &few[..3]);
        }
        assert!(limits(&[Trip { passed: 4, refused: false }]).is_empty());
    }

    #[test]
    fn a_trip_begins_from_quiet_and_ends_at_a_refusal() {
        let exchange = |at: f64, refused: bool| Exchange {
            sent: at,
            answered: at + 0.01,
            refused,
            retry_after: refused.then_some(10.0),
            date: None,
        };
        let mut history = History::default();
        for (at, refused) in [
            (0.0, false),
            (1.0, false),
            (1.1, true),
            // Too soon after the last pass: a counter may hold some of it still.
            (10.5, false),
            (10.6, true),
            (25.0, false),
            (25.1, false),
            (25.2, false),
            (25.3, true),
            (60.0, false),
        ] {
            history.push(exchange(at, refused));
        }
        let trip = |passed, refused| Trip { passed, refused };
        assert_eq!(history.trips((9.5, 10.0)), Some(vec![trip(2, true), trip(3, true), trip(1, false)]));
        history.push(Exchange { retry_after: None, ..exchange(60.1, true) });
        assert_eq!(history.trips((9.5, 10.0)), None);
    }
}
