//! Local times and cron expressions as moments, right across daylight-saving changes.
//!
//! A local time that does not exist because clocks were set forward means the first moment that does. A local time that
//! comes twice because clocks were set back means the first of the two, once.

use cronexpr::{Crontab, MakeTimestamp};
use jiff::civil::DateTime;
use jiff::tz::{AmbiguousOffset, TimeZone};
use jiff::{SignedDuration, Timestamp};

/// The moment that a local time means in a zone.
///
/// `None` beyond the years that can be told.
pub fn moment(zone: &TimeZone, local: DateTime) -> Option<Timestamp> {
    let ambiguous = zone.to_ambiguous_timestamp(local);
    match ambiguous.offset() {
        AmbiguousOffset::Unambiguous { .. } | AmbiguousOffset::Fold { .. } => ambiguous.earlier().ok(),
        AmbiguousOffset::Gap { before, .. } => {
            // With the offset of before the gap the moment lies behind the change, by as much as it lies in the gap.
            let behind = before.to_timestamp(local).ok()?;
            let look_from = behind.checked_add(SignedDuration::from_nanos(1)).ok()?;
            zone.preceding(look_from).next().map(|change| change.timestamp())
        }
    }
}

/// Finds a time zone by its IANA name.
///
/// # Errors
/// In words, with an example.
pub fn zone(name: &str) -> Result<TimeZone, String> {
    // jiff takes names without regard to case and would take "" and "local" for what they are not.
    let plain = !name.is_empty()
        && name.len() <= 64
        && name.chars().all(|c| c.is_ascii_alphanumeric() || "/_+-".contains(c));
    let found = plain.then(|| TimeZone::get(name).ok()).flatten();
    found.ok_or_else(|| {
        format!("{name:?} is not a time zone; write an IANA name such as \"Europe/Berlin\" or \"UTC\"")
    })
}

/// A cron expression of five fields in a zone.
///
/// As Vixie's cron does it, a schedule whose minute or hour begins with `*` goes by elapsed time across a change of the
/// clocks, and any other goes by the clock on the wall: what falls into the gap runs right after it, what falls into the
/// repeated hour runs once.
#[derive(Debug, Clone)]
pub struct Cron {
    /// Read as if local time were UTC, for schedules that go by the clock on the wall; else in the zone.
    tables: Vec<Crontab>,
    zone: TimeZone,
    by_wall: bool,
}

/// Tries until a wall-clock match lies after the moment asked for: matches of one gap share a moment.
const TRIES: usize = 2000;

impl Cron {
    /// Reads an expression.
    ///
    /// # Errors
    /// In words, with the place where there is one.
    pub fn parse(expression: &str, zone: &TimeZone) -> Result<Self, String> {
        let example = "a cron expression has five fields: minute hour day-of-month month day-of-week, for instance \"30 2 * * 1-5\"";
        if expression.len() > 200 {
            return Err(format!("the expression is too long; {example}"));
        }
        let expression = match expression.trim() {
            "@hourly" => "0 * * * *",
            "@daily" | "@midnight" => "0 0 * * *",
            "@weekly" => "0 0 * * 0",
            "@monthly" => "0 0 1 * *",
            "@yearly" | "@annually" => "0 0 1 1 *",
            other => other,
        };
        let fields: Vec<&str> = expression.split_whitespace().collect();
        let [minute, hour, day, month, weekday] = fields[..] else {
            return Err(format!("{expression:?} has {} fields; {example}", fields.len()));
        };
        if weekday.to_ascii_uppercase().contains('L') {
            return Err(
                "the last weekday of a month (\"5L\") is not supported; name the days, as in \"25-31\""
                    .into(),
            );
        }
        let by_wall = !minute.starts_with('*') && !hour.starts_with('*');
        let zone_name = if by_wall { "UTC" } else { zone.iana_name().unwrap_or("UTC") };
        let read = |text: &str| {
            let said = |e: cronexpr::Error| {
                // The library draws a picture over several lines; its last line is the reason.
                let text = e.to_string();
                let reason =
                    text.lines().last().unwrap_or_default().trim_start_matches([' ', '^', '-']).to_owned();
                format!("{expression:?} is not a cron expression: {reason}; {example}")
            };
            cronexpr::parse_crontab(text).map_err(said)
        };
        let mut tables = vec![read(&format!("{minute} {hour} {day} {month} {weekday} {zone_name}"))?];
        let last_day = day.split(',').any(|d| d.eq_ignore_ascii_case("L"));
        if last_day {
            // cronexpr 1.7 compares month numbers to find a month's last day, and so misses 31 December.
            let in_december = cronexpr::parse_crontab(&format!("0 0 1 {month} * UTC"))
                .and_then(|c| c.matches("2024-12-01T00:00:00Z"))
                .unwrap_or(false);
            if in_december {
                let days: Vec<&str> =
                    day.split(',').map(|d| if d.eq_ignore_ascii_case("L") { "31" } else { d }).collect();
                tables.push(read(&format!("{minute} {hour} {} 12 {weekday} {zone_name}", days.join(",")))?);
            }
        }
        let cron = Self { tables, zone: zone.clone(), by_wall };
        if cron.next(Timestamp::from_second(1_735_689_600).unwrap_or(Timestamp::UNIX_EPOCH)).is_none() {
            return Err(format!("{expression:?} never comes true: there is no such day"));
        }
        Ok(cron)
    }

    /// The first time of the schedule after a moment. `None` when there is none in the next four years.
    pub fn next(&self, after: Timestamp) -> Option<Timestamp> {
        if !self.by_wall {
            return self.earliest(after);
        }
        // From a little earlier on the wall: the clock may have been set back meanwhile.
        let wall = self.zone.to_datetime(after).checked_sub(SignedDuration::from_hours(25)).ok()?;
        let mut at = TimeZone::UTC.to_timestamp(wall).ok()?;
        for _ in 0..TRIES {
            at = self.earliest(at)?;
            let found = moment(&self.zone, TimeZone::UTC.to_datetime(at))?;
            if found > after {
                return Some(found);
            }
        }
        None
    }

    fn earliest(&self, after: Timestamp) -> Option<Timestamp> {
        let next = |table: &Crontab| table.find_next(MakeTimestamp(after)).ok().map(|z| z.timestamp());
        self.tables.iter().filter_map(next).min()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn next(expression: &str, zone_name: &str, after: &str) -> String {
        let zone = zone(zone_name).expect("a zone");
        let cron = Cron::parse(expression, &zone).expect("an expression");
        cron.next(at(after)).expect("a next time").to_string()
    }

    #[test]
    fn a_time_in_the_gap_is_the_first_moment_after_it() {
        let berlin = zone("Europe/Berlin").expect("known");
        // 2026-03-29: 02:00 becomes 03:00 (01:00Z).
        let local = |t: &str| t.parse::<DateTime>().expect("a local time");
        for inside in ["2026-03-29T02:00", "2026-03-29T02:30", "2026-03-29T02:59:59"] {
            assert_eq!(moment(&berlin, local(inside)), Some(at("2026-03-29T01:00:00Z")), "{inside}");
        }
        assert_eq!(moment(&berlin, local("2026-03-29T01:59:59")), Some(at("2026-03-29T00:59:59Z")));
        assert_eq!(moment(&berlin, local("2026-03-29T03:00")), Some(at("2026-03-29T01:00:00Z")));
        // The repeated hour: the first time.
        assert_eq!(moment(&berlin, local("2026-10-25T02:30")), Some(at("2026-10-25T00:30:00Z")));
        // Half an hour only, and a whole day that a country left out.
        let howe = zone("Australia/Lord_Howe").expect("known");
        assert_eq!(moment(&howe, local("2026-10-04T02:15")), Some(at("2026-10-03T15:30:00Z")));
        let apia = zone("Pacific/Apia").expect("known");
        assert_eq!(moment(&apia, local("2011-12-30T12:00")), Some(at("2011-12-30T10:00:00Z")));
    }

    #[test]
    fn cron_by_the_wall_runs_once_across_both_changes() {
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-03-28T12:00:00Z"), "2026-03-29T01:00:00Z");
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-03-29T01:00:00Z"), "2026-03-30T00:30:00Z");
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-10-24T12:00:00Z"), "2026-10-25T00:30:00Z");
        // Not again when 02:30 comes a second time.
        assert_eq!(next("30 2 * * *", "Europe/Berlin", "2026-10-25T00:30:00Z"), "2026-10-26T01:30:00Z");
        assert_eq!(next("30 1 * * *", "America/New_York", "2026-11-01T05:31:00Z"), "2026-11-02T06:30:00Z");
    }

    #[test]
    fn cron_with_a_star_goes_by_elapsed_time() {
        assert_eq!(next("*/15 * * * *", "Europe/Berlin", "2026-10-25T00:45:00Z"), "2026-10-25T01:00:00Z");
        assert_eq!(next("*/15 * * * *", "Europe/Berlin", "2026-10-25T01:00:00Z"), "2026-10-25T01:15:00Z");
        assert_eq!(next("0 * * * *", "Europe/Berlin", "2026-03-29T00:00:00Z"), "2026-03-29T01:00:00Z");
    }

    #[test]
    fn the_last_day_of_the_month_exists_in_december_too() {
        assert_eq!(next("0 6 L * *", "UTC", "2026-11-30T06:00:00Z"), "2026-12-31T06:00:00Z");
        assert_eq!(next("0 6 L * *", "UTC", "2026-12-31T06:00:00Z"), "2027-01-31T06:00:00Z");
        assert_eq!(next("0 6 L 1-6 *", "UTC", "2026-06-30T06:00:00Z"), "2027-01-31T06:00:00Z");
    }

    #[test]
    fn what_is_no_expression_is_told_why() {
        let refuse = |e: &str| Cron::parse(e, &TimeZone::UTC).expect_err("refused");
        assert!(refuse("* * * *").contains("has 4 fields"), "{}", refuse("* * * *"));
        for wrong in ["61 * * * *", "a b c d e", "* * * * * *", "", "*/0 * * * *", "0 0 30 2 *", "0 0 * * 5L"]
        {
            assert!(!refuse(wrong).contains('\n'), "{wrong}: {}", refuse(wrong));
        }
        assert!(refuse(&"1,".repeat(500)).contains("too long"));
        assert!(zone("Europe/Atlantis").is_err() && zone("../../etc/passwd").is_err() && zone("").is_err());
    }
}
