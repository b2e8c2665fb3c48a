//! What the watch measures of itself. Counting costs an atomic addition, so it is done at every check.

use std::sync::atomic::{AtomicU64, Ordering::Relaxed};
use std::time::Duration;

/// Upper bounds of the buckets, in microseconds. From a millisecond, which a busy runtime takes to wake a task, to a
/// minute, beyond which a schedule is not late but lost.
const BOUNDS_US: [u64; 16] = [
    1_000, 2_500, 5_000, 10_000, 25_000, 50_000, 100_000, 250_000, 500_000, 1_000_000, 2_500_000, 5_000_000,
    10_000_000, 20_000_000, 30_000_000, 60_000_000,
];

/// A histogram of durations with fixed buckets.
#[derive(Debug, Default)]
pub struct Histogram {
    // One for each bound, and one for everything above the last.
    buckets: [AtomicU64; BOUNDS_US.len() + 1],
    sum_us: AtomicU64,
}

/// A histogram as it was at one moment.
#[derive(Debug, Clone, PartialEq)]
pub struct HistogramReading {
    /// Upper bound in seconds and the number of values at or below it; the bounds grow and so do the numbers.
    pub cumulative: Vec<(f64, u64)>,
    /// All values, those above the last bound too.
    pub count: u64,
    /// Their sum, in seconds.
    pub sum_s: f64,
}

impl Histogram {
    /// Counts one value.
    pub fn observe(&self, value: Duration) {
        let us = u64::try_from(value.as_micros()).unwrap_or(u64::MAX);
        let place = BOUNDS_US.partition_point(|bound| *bound < us);
        self.buckets[place].fetch_add(1, Relaxed);
        self.sum_us.fetch_add(us, Relaxed);
    }

    /// Reads it. The count is the sum of the buckets that were read, so that the last bucket and the count agree even
    /// while others count.
    pub fn read(&self) -> HistogramReading {
        let mut so_far = 0;
        let mut cumulative = Vec::with_capacity(BOUNDS_US.len());
        for (bound, bucket) in BOUNDS_US.iter().zip(&self.buckets) {
            so_far += bucket.load(Relaxed);
            cumulative.push((*bound as f64 / 1e6, so_far));
        }
        so_far += self.buckets[BOUNDS_US.len()].load(Relaxed);
        HistogramReading { cumulative, count: so_far, sum_s: self.sum_us.load(Relaxed) as f64 / 1e6 }
    }
}

/// The meters of one process.
#[derive(Debug, Default)]
pub struct Meters {
    /// From the moment at which a check was due to the moment at which it began.
    pub schedule_lag: Histogram,
    missed: AtomicU64,
    checks: AtomicU64,
}

impl Meters {
    /// Counts a check that began `lag` after it was due.
    pub fn check_began(&self, lag: Duration) {
        self.checks.fetch_add(1, Relaxed);
        self.schedule_lag.observe(lag);
    }

    /// Counts ticks at which nothing was checked.
    pub fn missed(&self, ticks: u64) {
        self.missed.fetch_add(ticks, Relaxed);
    }

    /// Checks that were begun since the process started.
    pub fn checks_total(&self) -> u64 {
        self.checks.load(Relaxed)
    }

    /// Ticks that were missed since the process started.
    pub fn missed_total(&self) -> u64 {
        self.missed.load(Relaxed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_in_the_bucket_whose_bound_it_reaches_and_in_all_above() {
        let histogram = Histogram::default();
        for ms in [0, 1, 2, 1_000, 61_000] {
            histogram.observe(Duration::from_millis(ms));
        }
        let read = histogram.read();
        let at = |bound: f64| read.cumulative.iter().find(|(b, _)| *b == bound).map(|(_, n)| *n);
        assert_eq!(at(0.001), Some(2), "0 and 1 ms: a bound is inclusive");
        assert_eq!(at(0.0025), Some(3));
        assert_eq!(at(0.5), Some(3));
        assert_eq!(at(1.0), Some(4));
        assert_eq!(at(60.0), Some(4), "61 s is only in the count");
        assert_eq!(read.count, 5);
        assert!((read.sum_s - 62.003).abs() < 1e-9, "{}", read.sum_s);
    }

    #[test]
    fn counts_from_many_threads_are_all_there() {
        let meters = Meters::default();
        std::thread::scope(|scope| {
            for _ in 0..4 {
                scope.spawn(|| (0..1000).for_each(|us| meters.check_began(Duration::from_micros(us))));
            }
        });
        meters.missed(3);
        assert_eq!((meters.checks_total(), meters.missed_total()), (4000, 3));
        assert_eq!(meters.schedule_lag.read().count, 4000);
    }
}
