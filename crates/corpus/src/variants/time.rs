//! Other lengths of time within their class, and another day.

use std::sync::LazyLock;

use jiff::civil::Date;
use jiff::{Span, ToSpan};
use landfall_evidence::{Evidence, Seen, Timings};
use regex::{Captures, Regex};

use super::prng::Prng;
use super::rewritten;

/// Bounds between lengths of time that may mean something to a rule, in microseconds: an instant answer, a human wait, the
/// usual timeouts of proxies with the width that the facts give them. No length is moved over one of them.
const BOUNDS_US: &[u64] = &[
    1_000,
    10_000,
    50_000,
    100_000,
    200_000,
    300_000,
    500_000,
    1_000_000,
    2_000_000,
    3_000_000,
    4_500_000,
    5_500_000,
    9_000_000,
    11_000_000,
    14_000_000,
    16_000_000,
    25_000_000,
    28_800_000,
    31_200_000,
    57_900_000,
    62_100_000,
    116_100_000,
    123_900_000,
];

/// Every length longer or shorter: all by one factor, each by a little of its own.
pub(super) fn timing(evidence: &Evidence, prng: &mut Prng) -> Evidence {
    let mut other = evidence.clone();
    let factor = prng.between(0.7, 1.4);
    for observation in &mut other.observations {
        observation.took_us = moved(observation.took_us, factor * prng.between(0.93, 1.07));
        if let Seen::Http(seen) = &mut observation.seen {
            let mut slice = |us: Option<u64>| us.map(|us| moved(us, factor * prng.between(0.93, 1.07)));
            seen.timings = Timings {
                resolve_us: slice(seen.timings.resolve_us),
                connect_us: slice(seen.timings.connect_us),
                tls_us: slice(seen.timings.tls_us),
                wait_us: slice(seen.timings.wait_us),
                transfer_us: slice(seen.timings.transfer_us),
            };
        }
    }
    other.took_us = moved(evidence.took_us, factor);
    other
}

/// A length times a factor, but not over a bound.
fn moved(us: u64, factor: f64) -> u64 {
    let place = |us: u64| BOUNDS_US.partition_point(|bound| *bound <= us);
    // Lengths are far below 2^52 microseconds, so the product is exact enough and cannot overflow.
    let target = (us as f64 * factor).round() as u64;
    let low = place(us).checked_sub(1).map_or(0, |at| BOUNDS_US[at]);
    let high = BOUNDS_US.get(place(us)).map_or(u64::MAX, |bound| bound - 1);
    target.clamp(low, high)
}

/// A day as ISO 8601 and many logs write it, as HTTP writes it, as web servers log it, and as DNSSEC signatures have it
/// (RFC 4034 section 3.2).
static DAY: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"(?x)
        \b(?P<y1>20\d\d)-(?P<m1>\d\d)-(?P<d1>\d\d)
        | \b(?P<d2>\d\d)(?P<s2>[\ /-])(?P<n2>Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec)(?P<t2>[\ /-])(?P<y2>20\d\d)\b
        | \b(?P<y3>20\d\d)(?P<m3>\d\d)(?P<d3>\d\d)(?P<r3>\d{6})\b",
    )
    .expect("a literal pattern")
});

const MONTHS: [&str; 12] =
    ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"];

/// The whole evidence some whole weeks later or earlier, so that weekdays and times of day stay as they were. `None` when
/// no day is named, which evidence never does.
pub(super) fn day(evidence: &Evidence, prng: &mut Prng) -> Option<Evidence> {
    let weeks = match i64::try_from(prng.below(120)).expect("a small number") - 60 {
        0 => 1,
        weeks => weeks,
    };
    rewritten(evidence, |text| shifted(&text, weeks.weeks()))
}

fn shifted(text: &str, by: Span) -> String {
    let number =
        |found: &Captures<'_>, name: &str| found.name(name).and_then(|m| m.as_str().parse::<i16>().ok());
    let later = |year: i16, month: i16, day: i16| -> Option<Date> {
        let date = Date::new(year, i8::try_from(month).ok()?, i8::try_from(day).ok()?).ok()?;
        date.checked_add(by).ok()
    };
    let replace = |found: &Captures<'_>| -> Option<String> {
        if let Some(year) = number(found, "y1") {
            let date = later(year, number(found, "m1")?, number(found, "d1")?)?;
            return Some(date.strftime("%Y-%m-%d").to_string());
        }
        if let Some(year) = number(found, "y2") {
            let month = MONTHS.iter().position(|name| *name == &found["n2"])? + 1;
            let date = later(year, i16::try_from(month).ok()?, number(found, "d2")?)?;
            let month = MONTHS[usize::try_from(date.month()).ok()? - 1];
            return Some(format!("{:02}{}{month}{}{}", date.day(), &found["s2"], &found["t2"], date.year()));
        }
        let date = later(number(found, "y3")?, number(found, "m3")?, number(found, "d3")?)?;
        Some(format!("{}{}", date.strftime("%Y%m%d"), &found["r3"]))
    };
    DAY.replace_all(text, |found: &Captures<'_>| replace(found).unwrap_or_else(|| found[0].to_owned()))
        .into_owned()
}

#[cfg(test)]
mod tests {
    use super::super::testkit;
    use super::*;

    #[test]
    fn lengths_move_and_cross_no_bound() {
        assert_eq!(moved(40_000, 1.4), 49_999);
        assert_eq!(moved(60_000, 0.7), 50_000);
        assert_eq!(moved(60_000, 1.1), 66_000);
        assert_eq!(moved(30_000_000, 1.4), 31_199_999);
        assert_eq!(moved(0, 1.4), 0);
        let before = testkit::case().evidence;
        let after = timing(&before, &mut Prng::new("x", 1));
        let differing =
            before.observations.iter().zip(&after.observations).filter(|(a, b)| a.took_us != b.took_us);
        assert!(differing.count() * 2 > before.observations.len());
    }

    #[test]
    fn every_way_of_writing_a_day_is_moved_by_the_same_weeks() {
        let two = 2.weeks();
        assert_eq!(shifted("2026-11-25T20:00:00Z", two), "2026-12-09T20:00:00Z");
        assert_eq!(shifted("Wed, 25 Nov 2026 20:00:00 GMT", two), "Wed, 09 Dec 2026 20:00:00 GMT");
        assert_eq!(shifted("[25/Nov/2026:20:00:00 +0000]", two), "[09/Dec/2026:20:00:00 +0000]");
        assert_eq!(
            shifted("A 13 3 300 20261231000000 20261125000000", two),
            "A 13 3 300 20270114000000 20261209000000"
        );
        assert_eq!(
            shifted("2026-13-45 is no day, 192.0.2.10 neither", two),
            "2026-13-45 is no day, 192.0.2.10 neither"
        );
    }

    #[test]
    fn a_certificate_has_as_many_days_left_on_another_day() {
        let before = testkit::case().evidence;
        let after = day(&before, &mut Prng::new("x", 1)).expect("days are named");
        let left = |evidence: &Evidence| {
            let (_, seen) = evidence.tls().next().expect("a handshake");
            let leaf = &seen.answer.present().expect("an answer").chain[0];
            (leaf.not_after.as_second() - evidence.started_at.as_second()) / 86_400
        };
        assert_ne!(before.started_at, after.started_at);
        assert_eq!(left(&before), left(&after));
    }
}
