//! When a monitor is checked: fixed ticks, spread by a hash, so that neither a slow check nor a restart moves them.

use std::time::Duration;

use jiff::Timestamp;
use landfall_store::Id;
use sha2::{Digest, Sha256};

/// The ticks of one monitor: `phase + k · interval` on the axis of Unix time, for every integer k.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Ticks {
    interval_us: i64,
    phase_us: i64,
}

impl Ticks {
    /// The ticks of this monitor at this interval. The phase is a hash of the id, so that a thousand monitors of one
    /// interval are spread evenly over it, and the same on every server.
    pub fn of(id: Id, interval: Duration) -> Self {
        let interval_us = i64::try_from(interval.as_micros()).unwrap_or(i64::MAX).max(1);
        let digest = Sha256::digest(id.0.as_bytes());
        let bits = u64::from_be_bytes(digest[..8].try_into().expect("a SHA-256 digest has 32 bytes"));
        // Scaled and not reduced, so that the spread is even for every interval.
        let phase = (u128::from(bits) * interval_us.unsigned_abs() as u128) >> 64;
        Self { interval_us, phase_us: i64::try_from(phase).unwrap_or(0) }
    }

    /// The latest tick at or before `at`.
    pub fn at_or_before(self, at: Timestamp) -> Timestamp {
        let k = (at.as_microsecond() - self.phase_us).div_euclid(self.interval_us);
        self.tick(k)
    }

    /// The first tick after `at`.
    pub fn after(self, at: Timestamp) -> Timestamp {
        let k = (at.as_microsecond() - self.phase_us).div_euclid(self.interval_us);
        self.tick(k.saturating_add(1))
    }

    /// The ticks after `from` and before `to`, oldest first.
    pub fn between(self, from: Timestamp, to: Timestamp) -> impl Iterator<Item = Timestamp> {
        let mut next = self.after(from);
        std::iter::from_fn(move || {
            let this = next;
            next = self.after(this);
            (this < to && next > this).then_some(this)
        })
    }

    fn tick(self, k: i64) -> Timestamp {
        let us = k.saturating_mul(self.interval_us).saturating_add(self.phase_us);
        Timestamp::from_microsecond(us).unwrap_or(Timestamp::MAX)
    }
}

/// Which part of the schedule a monitor belongs to; a server runs the parts whose leases it holds.
pub fn shard(id: Id) -> u8 {
    // The last bytes of a UUID version 7 are random (RFC 9562, section 5.7).
    id.0.as_bytes()[15] % SHARDS
}

/// Parts of the schedule.
pub const SHARDS: u8 = 16;

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn id(n: u128) -> Id {
        Id(uuid::Uuid::from_u128(n))
    }

    proptest! {
        #[test]
        fn ticks_are_an_interval_apart_and_do_not_depend_on_when_one_asks(
            n: u128, interval in 1_u64..90_000, second in 0_i64..4_000_000_000, us in 0_i64..1_000_000
        ) {
            let ticks = Ticks::of(id(n), Duration::from_secs(interval));
            let at = Timestamp::from_microsecond(second * 1_000_000 + us).expect("valid");
            let (before, after) = (ticks.at_or_before(at), ticks.after(at));
            prop_assert!(before <= at && at < after);
            prop_assert_eq!(after.as_microsecond() - before.as_microsecond(), i64::try_from(interval).expect("small") * 1_000_000);
            prop_assert_eq!(ticks.at_or_before(before), before);
            prop_assert_eq!(ticks.after(before), after);
        }

        #[test]
        fn the_ticks_between_are_those_that_were_not_run(n: u128, missed in 0_i64..50) {
            let ticks = Ticks::of(id(n), Duration::from_secs(30));
            let first = ticks.after(Timestamp::from_second(1_700_000_000).expect("valid"));
            let last = Timestamp::from_microsecond(first.as_microsecond() + (missed + 1) * 30_000_000).expect("valid");
            prop_assert_eq!(ticks.between(first, last).count() as i64, missed);
        }
    }

    #[test]
    fn a_thousand_monitors_are_spread_over_their_interval() {
        let now = Timestamp::from_second(1_700_000_000).expect("valid");
        let mut seconds = [0_u32; 60];
        for n in 0..6_000_u128 {
            let next = Ticks::of(id(n), Duration::from_secs(60)).after(now);
            let offset = next.as_second() - now.as_second();
            seconds[usize::try_from(offset).expect("positive") % 60] += 1;
        }
        // 100 a second on average; the chance of leaving these bounds is below one in a million for a fair hash.
        assert!(seconds.iter().all(|n| (50..=150).contains(n)), "{seconds:?}");
    }
}
