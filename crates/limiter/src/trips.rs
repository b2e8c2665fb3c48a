//! The limit of several counters from whole trips: which requests pass and which are refused from a quiet start on, within
//! one window.
//!
//! A hypothesis of a cloud says which counter took each request. To try another limit, all of these would have to change at
//! once, so a cloud keeps whichever limit came first. Here the counters are summed out: every way in which the requests can
//! have fallen on them is followed with its chance (a forward filter; equal counters are interchangeable, so a state is their
//! counts in order).

use std::collections::HashMap;

use crate::history::History;
use crate::hypothesis::MOST_COUNTERS;
use crate::prior;

/// Chance of an answer that the counters do not explain.
const UNEXPLAINED: f64 = 1e-4;

/// Ways less likely than this are followed no further.
const UNLIKELY: f64 = 1e-7;

/// Passes in one trip, at most; a run sends fewer.
const LONGEST: usize = 200;

/// The answers to one trip in order; `true` for a request that passed.
type Trip = Vec<bool>;

impl History {
    /// The whole trips, by windows that are between `low` and `high` seconds long: what came within one window after
    /// everything of before was over.
    pub(crate) fn trips(&self, (low, high): (f64, f64)) -> Vec<Trip> {
        let at = |i: usize| self.arrival(i).at;
        let mut trips: Vec<Trip> = Vec::new();
        let mut begun = None;
        let mut last_pass = f64::NEG_INFINITY;
        for i in 0..self.len() {
            let passed = !self.exchange(i).refused;
            // A window begins with a request that passes.
            if passed && at(i) - last_pass >= high {
                begun = Some(at(i));
                trips.push(Vec::new());
            }
            if let (true, Some(trip)) = (begun.is_some_and(|begun| at(i) - begun < low), trips.last_mut()) {
                trip.push(passed);
            }
            if passed {
                last_pass = at(i);
            }
        }
        trips
    }
}

/// What whole trips say, kept from one answer to the next.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trips {
    /// Of trips that are over: for the counters and limits of [`candidates`], the logarithm of their likelihood.
    over: HashMap<Trip, HashMap<(u32, u32), f64>>,
}

impl Trips {
    /// Every limit of all counters together with its weight, most likely first; the weights sum to 1. Empty when no trip met
    /// the limit.
    pub(crate) fn limits(&mut self, trips: &[Trip]) -> Vec<(u32, f64)> {
        let passes = |trip: &Trip| trip.iter().filter(|passed| **passed).count();
        let first_refusal = |trip: &Trip| trip.iter().position(|passed| !passed);
        let most = trips.iter().map(passes).max().unwrap_or(0);
        let Some(limit_at_most) = trips.iter().filter_map(first_refusal).max().filter(|_| most < LONGEST)
        else {
            return Vec::new();
        };
        let mut totals: HashMap<u32, f64> = HashMap::new();
        let mut all: Vec<(u32, f64)> = Vec::new();
        for (counters, share) in prior::COUNTERS {
            // All of what passed fitted in; and the counter that refused first had not more than passed until then.
            for limit in (most as u32).div_ceil(counters).max(1)..=limit_at_most as u32 {
                let mut sum = share.ln() - f64::from(limit).ln();
                for (nth, trip) in trips.iter().enumerate() {
                    sum += if nth + 1 == trips.len() {
                        log_likelihood(trip, counters, limit)
                    } else {
                        let known = self.over.entry(trip.clone()).or_default();
                        *known
                            .entry((counters, limit))
                            .or_insert_with(|| log_likelihood(trip, counters, limit))
                    };
                }
                all.push((counters * limit, sum));
            }
        }
        let best = all.iter().map(|(_, log)| *log).fold(f64::NEG_INFINITY, f64::max);
        for (total, log) in all {
            *totals.entry(total).or_default() += (log - best).exp();
        }
        let sum: f64 = totals.values().sum();
        let mut totals: Vec<(u32, f64)> = totals.into_iter().map(|(total, w)| (total, w / sum)).collect();
        totals.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        totals
    }
}

/// Logarithm of the likelihood of a trip by so many counters of this limit, each of which takes a request by chance.
fn log_likelihood(trip: &Trip, counters: u32, limit: u32) -> f64 {
    let counters = counters as usize;
    let chance = 1.0 / counters as f64;
    let mut ways: Vec<([u32; MOST_COUNTERS], f64)> = vec![([0; MOST_COUNTERS], 1.0)];
    let mut sum = 0.0;
    for passed in trip {
        let mut next: Vec<([u32; MOST_COUNTERS], f64)> = Vec::with_capacity(ways.len() + counters);
        for (counts, weight) in &ways {
            if !passed {
                let full = counts[..counters].iter().filter(|count| **count >= limit).count();
                if full > 0 {
                    next.push((*counts, weight * full as f64 * chance));
                }
                continue;
            }
            for w in 0..counters {
                if counts[w] < limit {
                    let mut counts = *counts;
                    counts[w] += 1;
                    counts[..counters].sort_unstable();
                    next.push((counts, weight * chance));
                }
            }
        }
        next.sort_unstable_by_key(|(counts, _)| *counts);
        next.dedup_by(|next, kept| {
            let same = next.0 == kept.0;
            kept.1 += if same { next.1 } else { 0.0 };
            same
        });
        let explained: f64 = next.iter().map(|(_, weight)| weight).sum();
        sum += (explained + UNEXPLAINED).ln();
        if explained > 0.0 {
            next.retain(|(_, weight)| *weight > UNLIKELY * explained);
            for (_, weight) in &mut next {
                *weight /= explained;
            }
            ways = next;
        }
    }
    sum
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Exchange;
    use crate::random::Random;

    /// The answers until so many refusals, counted one by one.
    fn meet(counters: usize, limit: u32, refusals: usize, random: &mut Random) -> Trip {
        let mut counts = vec![0; counters];
        let mut trip = Trip::new();
        while trip.iter().filter(|passed| !**passed).count() < refusals {
            let w = random.below(counters);
            trip.push(counts[w] < limit);
            counts[w] += u32::from(counts[w] < limit);
        }
        trip
    }

    #[test]
    fn the_likelihood_of_a_trip_is_how_often_it_comes() {
        // By hand: of two requests on two counters of one place each, the second passes half of the time, and then all are
        // refused.
        let chance = |trip: &[bool]| log_likelihood(&trip.to_vec(), 2, 1).exp();
        for (trip, wanted) in [
            (&[true][..], 1.0),
            (&[true, true], 0.5),
            (&[true, false], 0.5),
            (&[true, false, true], 0.25),
            (&[true, true, false, false], 0.5),
        ] {
            assert!((chance(trip) - wanted).abs() < 5.0 * UNEXPLAINED, "{trip:?}: {}", chance(trip));
        }
        let mut random = Random::new(5);
        for (counters, limit) in [(2, 7), (3, 4), (4, 3)] {
            let mut counted: HashMap<Trip, u32> = HashMap::new();
            for _ in 0..20_000 {
                *counted.entry(meet(counters, limit, 2, &mut random)).or_default() += 1;
            }
            let mut common: Vec<_> = counted.into_iter().collect();
            common.sort_by_key(|(_, count)| std::cmp::Reverse(*count));
            for (trip, count) in &common[..5] {
                let (share, said) =
                    (f64::from(*count) / 20_000.0, log_likelihood(trip, counters as u32, limit).exp());
                // Four standard deviations of a share of 20 000.
                assert!((share - said).abs() < 0.015, "{counters} x {limit} {trip:?}: {share} {said}");
            }
        }
    }

    #[test]
    fn many_trips_tell_the_limit_and_few_say_how_little_they_tell() {
        let mut random = Random::new(11);
        for (counters, limit) in [(2, 3), (2, 10), (3, 5)] {
            let trips: Vec<Trip> = (0..400).map(|_| meet(counters, limit, 1, &mut random)).collect();
            let all = Trips::default().limits(&trips);
            assert_eq!(all[0].0, limit * counters as u32, "{counters} x {limit}: {:?}", &all[..3]);
            assert!(all[0].1 > 0.95, "{:?}", &all[..3]);
            let few = Trips::default().limits(&trips[..2]);
            assert!(few[0].1 < 0.8, "{:?}", &few[..3]);
            // Asked on through many refusals, one trip is enough.
            let drained = Trips::default().limits(&[meet(counters, limit, 30, &mut random)]);
            assert_eq!(drained[0].0, limit * counters as u32, "{:?}", &drained[..2]);
            assert!(drained[0].1 > 0.95, "{:?}", &drained[..2]);
        }
        assert!(Trips::default().limits(&[vec![true; 4]]).is_empty());
    }

    #[test]
    fn a_trip_begins_from_quiet_and_ends_with_the_window() {
        let mut history = History::default();
        for (at, refused) in [
            (0.0, false),
            (1.0, false),
            (1.1, true),
            // Too soon after the last pass: a counter may hold some of it still.
            (10.5, false),
            (10.6, true),
            (25.0, false),
            (25.1, true),
            (25.2, false),
            (25.3, true),
            (34.9, false),
            (60.0, false),
        ] {
            history.push(Exchange {
                sent: at,
                answered: at + 0.01,
                refused,
                retry_after: None,
                date: None,
                left: None,
                reset: None,
            });
        }
        let (passed, refused) = (true, false);
        let wanted = [vec![passed, passed, refused], vec![passed, refused, passed, refused], vec![passed]];
        assert_eq!(history.trips((9.5, 10.0)), wanted);
    }
}
