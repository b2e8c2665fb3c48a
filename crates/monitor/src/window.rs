//! Maintenance windows: when trouble is expected, and of what.
//!
//! Times are local times of a zone. A window whose start does not exist on a day because clocks are set forward opens at
//! the first moment that does; one whose start comes twice opens once, the first time. How long it stays open is elapsed
//! time, so that two hours of work are two hours on every day of the year.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Date, DateTime, Time, Weekday};
use jiff::tz::TimeZone;
use serde::{Deserialize, Serialize};

use crate::calendar::{self, Cron};

/// A maintenance window as somebody declares it, in the API and in `landfall.toml` alike.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct WindowSpec {
    /// Name for people.
    pub name: String,
    /// Whether it is for all monitors.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub all: bool,
    /// External ids of the monitors that it is for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<String>,
    /// It is for every monitor that carries all of these labels.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// How it comes again. `once` by default.
    #[serde(default)]
    pub repeat: Repeat,
    /// When it opens: `2026-11-25T22:00` (local) or `2026-11-25T22:00:00Z` for `once`, `22:00` for daily, weekly and
    /// monthly; absent for cron.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub start: Option<String>,
    /// When it closes, for `once`; else say `duration_min`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub end: Option<String>,
    /// How long it stays open, in minutes: 1 to 44640 (31 days).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub duration_min: Option<u32>,
    /// The days of `weekly`: `mon`, `tue`, `wed`, `thu`, `fri`, `sat`, `sun`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days: Vec<Day>,
    /// The days of `monthly`: 1 to 31, or -1 for the last day, -2 for the one before. A month that lacks the day is left
    /// out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub days_of_month: Vec<i8>,
    /// The expression of `cron`: each of its times opens the window.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// The IANA time zone of all these times. `UTC` by default.
    #[serde(default = "utc")]
    pub zone: String,
    /// The first local date on which it may open, `2026-01-01`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
    /// The last local date on which it may open.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub last: Option<String>,
}

fn utc() -> String {
    "UTC".into()
}

/// How a window comes again.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Repeat {
    /// Not at all.
    #[default]
    Once,
    /// Every day.
    Daily,
    /// On some days of the week.
    Weekly,
    /// On some days of the month.
    Monthly,
    /// At the times of a cron expression.
    Cron,
}

/// A day of the week.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Day {
    /// Monday.
    Mon,
    /// Tuesday.
    Tue,
    /// Wednesday.
    Wed,
    /// Thursday.
    Thu,
    /// Friday.
    Fri,
    /// Saturday.
    Sat,
    /// Sunday.
    Sun,
}

impl Day {
    /// The same day in the calendar library's words.
    pub fn weekday(self) -> Weekday {
        match self {
            Self::Mon => Weekday::Monday,
            Self::Tue => Weekday::Tuesday,
            Self::Wed => Weekday::Wednesday,
            Self::Thu => Weekday::Thursday,
            Self::Fri => Weekday::Friday,
            Self::Sat => Weekday::Saturday,
            Self::Sun => Weekday::Sunday,
        }
    }
}

/// One thing that is wrong with a specification.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SpecProblem {
    /// The key.
    pub field: String,
    /// What is wrong with it, and what would be right.
    pub detail: String,
}

impl SpecProblem {
    /// Something wrong with a key.
    pub fn new(field: impl Into<String>, detail: impl Into<String>) -> Self {
        Self { field: field.into(), detail: detail.into() }
    }
}

/// A window, read and ready to be asked. Make one with [`WindowSpec::compile`].
#[derive(Debug, Clone)]
pub struct Window {
    rule: Rule,
    zone: TimeZone,
    length: Duration,
    first: Option<Date>,
    last: Option<Date>,
}

#[derive(Debug, Clone)]
enum Rule {
    Once(Timestamp),
    Days { time: Time, days: Days },
    Cron(Cron),
}

#[derive(Debug, Clone)]
enum Days {
    All,
    Week(Vec<Weekday>),
    Month(Vec<i8>),
}

/// Days looked at for the next opening: more than eight years, so that even 29 February in a century's first year is found.
const HORIZON_DAYS: u32 = 3000;
/// Openings that are joined when they touch; a window that is open for longer than that has no foreseeable end.
const JOINED: usize = 400;
/// The longest window, in minutes: 31 days.
const LONGEST_MIN: u32 = 44_640;

impl WindowSpec {
    /// Whether it is for a monitor of this external id and these labels.
    pub fn applies(&self, external_id: &str, labels: &BTreeMap<String, String>) -> bool {
        self.all
            || self.monitors.iter().any(|m| m == external_id)
            || (!self.labels.is_empty() && self.labels.iter().all(|(k, v)| labels.get(k) == Some(v)))
    }

    /// Whether it is open. A specification that is not sound is never open: nothing is kept quiet by mistake.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.compile().is_ok_and(|w| w.is_open(now))
    }

    /// Until when it is open, if it is. [`Timestamp::MAX`] when no end is in sight.
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        self.compile().ok()?.open_until(now)
    }

    /// When it opens next, after it has closed if it is open now.
    pub fn next_open(&self, now: Timestamp) -> Option<Timestamp> {
        self.compile().ok()?.next_open(now)
    }

    /// Everything that is wrong with it, by key. Empty when it is sound.
    pub fn problems(&self) -> Vec<SpecProblem> {
        self.compile().err().unwrap_or_default()
    }

    /// Reads it.
    ///
    /// # Errors
    /// With everything that is wrong, by key.
    pub fn compile(&self) -> Result<Window, Vec<SpecProblem>> {
        let mut found = Vec::new();
        let mut wrong = |field: &str, detail: String| found.push(SpecProblem::new(field, detail));
        if self.name.trim().is_empty() || self.name.chars().count() > 200 {
            wrong("name", "give it a name of 1 to 200 characters".into());
        }
        if !self.all && self.monitors.is_empty() && self.labels.is_empty() {
            wrong(
                "monitors",
                "say what it is for: `all = true`, `monitors = [\"…\"]` or `labels = { … }`".into(),
            );
        }
        if self.all && (!self.monitors.is_empty() || !self.labels.is_empty()) {
            wrong(
                "all",
                "it is for all monitors already; leave out `monitors` and `labels`, or `all`".into(),
            );
        }
        let zone = calendar::zone(&self.zone).map_err(|e| wrong("zone", e)).ok();
        let first = self.first.as_deref().and_then(|d| date("first", d, &mut wrong));
        let last = self.last.as_deref().and_then(|d| date("last", d, &mut wrong));
        if let (Some(first), Some(last)) = (first, last)
            && first > last
        {
            wrong("last", format!("it lies before `first` ({first})"));
        }
        for (field, given, fits) in [
            ("days", !self.days.is_empty(), self.repeat == Repeat::Weekly),
            ("days_of_month", !self.days_of_month.is_empty(), self.repeat == Repeat::Monthly),
            ("cron", self.cron.is_some(), self.repeat == Repeat::Cron),
            ("end", self.end.is_some(), self.repeat == Repeat::Once),
            ("first", self.first.is_some(), self.repeat != Repeat::Once),
            ("last", self.last.is_some(), self.repeat != Repeat::Once),
            ("start", self.start.is_some(), self.repeat != Repeat::Cron),
        ] {
            if given && !fits {
                let with = match field {
                    "days" => "repeat = \"weekly\"",
                    "days_of_month" => "repeat = \"monthly\"",
                    "cron" => "repeat = \"cron\"",
                    "end" => "repeat = \"once\"; elsewhere say duration_min",
                    "start" => "any other repeat; a cron expression says itself when it opens",
                    _ => "a repeat that comes again",
                };
                wrong(field, format!("it goes only with {with}"));
            }
        }
        if let Some(minutes) = self.duration_min
            && !(1..=LONGEST_MIN).contains(&minutes)
        {
            wrong("duration_min", format!("{minutes} is not from 1 to {LONGEST_MIN} (31 days)"));
        }
        let mut length = self.duration_min.map(|m| Duration::from_secs(u64::from(m) * 60));
        let rule = match (self.repeat, zone.as_ref()) {
            (_, None) => None,
            (Repeat::Once, Some(zone)) => {
                let example = "write it as \"2026-11-25T22:00\", in the window's zone";
                let start = match self.start.as_deref() {
                    None => {
                        wrong("start", format!("it is missing; {example}"));
                        None
                    }
                    Some(text) => instant(zone, text).or_else(|| {
                        wrong("start", format!("{text:?} is not a date and time; {example}"));
                        None
                    }),
                };
                match (self.end.as_deref(), self.duration_min) {
                    (Some(_), Some(_)) => wrong("end", "say either `end` or `duration_min`".into()),
                    (None, None) => wrong("duration_min", "say how long: `duration_min`, or `end`".into()),
                    (None, Some(_)) => {}
                    (Some(text), None) => match (instant(zone, text), start) {
                        (None, _) => wrong("end", format!("{text:?} is not a date and time; {example}")),
                        (Some(_), None) => {}
                        (Some(end), Some(start)) => {
                            let long = Duration::try_from(end.duration_since(start)).unwrap_or_default();
                            if long.is_zero() {
                                wrong("end", "it does not lie after `start`".into());
                            } else if long > Duration::from_secs(u64::from(LONGEST_MIN) * 60) {
                                wrong("end", "it lies more than 31 days after `start`".into());
                            } else {
                                length = Some(long);
                            }
                        }
                    },
                }
                start.map(Rule::Once)
            }
            (Repeat::Cron, Some(zone)) => match self.cron.as_deref() {
                None => {
                    wrong("cron", "the expression is missing: cron = \"0 22 * * fri\"".into());
                    None
                }
                Some(text) => Cron::parse(text, zone).map_err(|e| wrong("cron", e)).ok().map(Rule::Cron),
            },
            (repeat, Some(_)) => {
                let example = "write it as \"22:00\"";
                let time = match self.start.as_deref() {
                    None => {
                        wrong("start", format!("it is missing; {example}"));
                        None
                    }
                    Some(text) => clock(text).or_else(|| {
                        wrong("start", format!("{text:?} is not a time of day; {example}"));
                        None
                    }),
                };
                let days = match repeat {
                    Repeat::Weekly => {
                        if self.days.is_empty() {
                            wrong("days", "say on which: days = [\"mon\", \"thu\"]".into());
                        }
                        Days::Week(self.days.iter().map(|d| d.weekday()).collect())
                    }
                    Repeat::Monthly => {
                        if self.days_of_month.is_empty() {
                            wrong(
                                "days_of_month",
                                "say on which: days_of_month = [1] (-1 is the last)".into(),
                            );
                        }
                        if let Some(day) =
                            self.days_of_month.iter().find(|d| !matches!(**d, 1..=31 | -31..=-1))
                        {
                            wrong(
                                "days_of_month",
                                format!("{day} is not from 1 to 31, or -1 to -31 from the end"),
                            );
                        }
                        Days::Month(self.days_of_month.clone())
                    }
                    _ => Days::All,
                };
                time.map(|time| Rule::Days { time, days })
            }
        };
        if self.repeat != Repeat::Once && self.duration_min.is_none() {
            wrong("duration_min", "say how long it stays open, in minutes".into());
        }
        match (found.is_empty(), rule, zone, length) {
            (true, Some(rule), Some(zone), Some(length)) => Ok(Window { rule, zone, length, first, last }),
            (true, ..) => Err(vec![SpecProblem::new("repeat", "it never opens")]),
            _ => Err(found),
        }
    }
}

impl Window {
    /// Whether it is open.
    pub fn is_open(&self, now: Timestamp) -> bool {
        self.covering(now).is_some()
    }

    /// Until when it is open, if it is: openings that touch are one. [`Timestamp::MAX`] when no end is in sight.
    pub fn open_until(&self, now: Timestamp) -> Option<Timestamp> {
        let mut start = self.covering(now)?;
        let mut until = self.end(start);
        for _ in 0..JOINED {
            match self.next_start(start) {
                Some(next) if next <= until => {
                    start = next;
                    until = until.max(self.end(next));
                }
                _ => return Some(until),
            }
        }
        Some(Timestamp::MAX)
    }

    /// When it opens next, after it has closed if it is open now.
    pub fn next_open(&self, now: Timestamp) -> Option<Timestamp> {
        match self.open_until(now) {
            None => self.next_start(now),
            Some(until) if until == Timestamp::MAX => None,
            // The last moment inside; an opening right at the end would have been joined.
            Some(until) => self.next_start(until),
        }
    }

    /// The first opening that covers a moment; the moment of its end is no longer part of it.
    fn covering(&self, now: Timestamp) -> Option<Timestamp> {
        let before = now.checked_sub(self.length).ok()?;
        self.next_start(before).filter(|start| *start <= now)
    }

    fn end(&self, start: Timestamp) -> Timestamp {
        start.checked_add(self.length).unwrap_or(Timestamp::MAX)
    }

    fn next_start(&self, after: Timestamp) -> Option<Timestamp> {
        match &self.rule {
            Rule::Once(at) => (*at > after).then_some(*at),
            Rule::Cron(cron) => {
                let mut after = after;
                if let Some(first) = self.first {
                    let earliest = calendar::moment(&self.zone, first.at(0, 0, 0, 0))?;
                    // A time at the very start of the first day counts.
                    let before = earliest.checked_sub(Duration::from_nanos(1)).ok()?;
                    after = after.max(before);
                }
                let start = cron.next(after)?;
                let on = self.zone.to_datetime(start).date();
                self.last.is_none_or(|last| on <= last).then_some(start)
            }
            Rule::Days { time, days } => {
                let mut date = self.zone.to_datetime(after).date().yesterday().ok()?;
                if let Some(first) = self.first {
                    date = date.max(first);
                }
                for _ in 0..HORIZON_DAYS {
                    if self.last.is_some_and(|last| date > last) {
                        return None;
                    }
                    if days.include(date) {
                        let start = calendar::moment(&self.zone, date.to_datetime(*time))?;
                        if start > after {
                            return Some(start);
                        }
                    }
                    date = date.tomorrow().ok()?;
                }
                None
            }
        }
    }
}

impl Days {
    fn include(&self, date: Date) -> bool {
        match self {
            Self::All => true,
            Self::Week(days) => days.contains(&date.weekday()),
            Self::Month(days) => {
                let from_end = date.day() - date.days_in_month() - 1;
                days.iter().any(|d| *d == date.day() || *d == from_end)
            }
        }
    }
}

fn date(field: &str, text: &str, wrong: &mut impl FnMut(&str, String)) -> Option<Date> {
    match text.parse() {
        Ok(date) if text.len() == 10 => Some(date),
        _ => {
            wrong(field, format!("{text:?} is not a date; write it as \"2026-11-25\""));
            None
        }
    }
}

/// A time of day: `22:00` or `22:00:30`.
fn clock(text: &str) -> Option<Time> {
    let digits = |c: char| c.is_ascii_digit() || c == ':';
    if !matches!(text.len(), 5 | 8) || !text.chars().all(digits) {
        return None;
    }
    text.parse().ok()
}

/// A moment: with an offset as it stands, without one in the zone.
fn instant(zone: &TimeZone, text: &str) -> Option<Timestamp> {
    if !text.contains(['T', 't', ' ']) {
        return None;
    }
    if let Ok(at) = text.parse::<Timestamp>() {
        return Some(at);
    }
    calendar::moment(zone, text.parse::<DateTime>().ok()?)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn window(toml_text: &str) -> WindowSpec {
        let spec: WindowSpec =
            toml::from_str(&format!("name = \"w\"\nall = true\n{toml_text}")).expect("a window");
        assert_eq!(spec.problems(), [], "{toml_text}");
        spec
    }

    #[test]
    fn once_is_open_from_its_start_until_before_its_end() {
        let w = window("start = \"2026-11-25T22:00\"\nduration_min = 90\nzone = \"Europe/Berlin\"");
        assert!(!w.is_open(at("2026-11-25T20:59:59Z")));
        assert!(w.is_open(at("2026-11-25T21:00:00Z")));
        assert!(w.is_open(at("2026-11-25T22:29:59Z")));
        assert!(!w.is_open(at("2026-11-25T22:30:00Z")));
        assert_eq!(w.open_until(at("2026-11-25T21:10:00Z")), Some(at("2026-11-25T22:30:00Z")));
        assert_eq!(w.next_open(at("2026-11-01T00:00:00Z")), Some(at("2026-11-25T21:00:00Z")));
        assert_eq!(w.next_open(at("2026-11-25T21:00:00Z")), None);
        let with_end = window("start = \"2026-11-25T22:00:00Z\"\nend = \"2026-11-26T01:00:00Z\"");
        assert!(
            with_end.is_open(at("2026-11-26T00:59:59Z")) && !with_end.is_open(at("2026-11-26T01:00:00Z"))
        );
    }

    #[test]
    fn a_start_in_the_gap_opens_right_after_it_and_a_repeated_one_opens_once() {
        // Zone, local start, day before the change, first opening then, the one after.
        for (zone, start, from, first, second) in [
            (
                "Europe/Berlin",
                "02:30",
                "2026-03-28T12:00:00Z",
                "2026-03-29T01:00:00Z",
                "2026-03-30T00:30:00Z",
            ),
            (
                "America/New_York",
                "02:30",
                "2026-03-07T12:00:00Z",
                "2026-03-08T07:00:00Z",
                "2026-03-09T06:30:00Z",
            ),
            (
                "Australia/Lord_Howe",
                "02:15",
                "2026-10-03T00:00:00Z",
                "2026-10-03T15:30:00Z",
                "2026-10-04T15:15:00Z",
            ),
            (
                "America/Santiago",
                "00:00",
                "2026-09-05T12:00:00Z",
                "2026-09-06T04:00:00Z",
                "2026-09-07T03:00:00Z",
            ),
            // Set back: the first of the two, and no second one.
            (
                "Europe/Berlin",
                "02:30",
                "2026-10-24T12:00:00Z",
                "2026-10-25T00:30:00Z",
                "2026-10-26T01:30:00Z",
            ),
            (
                "America/New_York",
                "01:30",
                "2026-10-31T12:00:00Z",
                "2026-11-01T05:30:00Z",
                "2026-11-02T06:30:00Z",
            ),
            (
                "Europe/London",
                "01:15",
                "2026-10-24T12:00:00Z",
                "2026-10-25T00:15:00Z",
                "2026-10-26T01:15:00Z",
            ),
            (
                "Australia/Lord_Howe",
                "01:45",
                "2026-04-04T00:00:00Z",
                "2026-04-04T14:45:00Z",
                "2026-04-05T15:15:00Z",
            ),
            // No change at all.
            (
                "Asia/Kathmandu",
                "02:30",
                "2026-03-28T12:00:00Z",
                "2026-03-28T20:45:00Z",
                "2026-03-29T20:45:00Z",
            ),
        ] {
            let w = window(&format!(
                "repeat = \"daily\"\nstart = \"{start}\"\nduration_min = 20\nzone = \"{zone}\""
            ));
            assert_eq!(w.next_open(at(from)), Some(at(first)), "{zone} {start}");
            assert!(w.is_open(at(first)), "{zone}");
            assert_eq!(w.next_open(at(first)), Some(at(second)), "{zone} {start}");
        }
    }

    #[test]
    fn two_hours_are_two_hours_when_the_clocks_change_inside() {
        let w = window("repeat = \"daily\"\nstart = \"01:30\"\nduration_min = 120\nzone = \"Europe/Berlin\"");
        assert_eq!(w.open_until(at("2026-03-29T00:30:00Z")), Some(at("2026-03-29T02:30:00Z")));
        assert_eq!(w.open_until(at("2026-10-24T23:30:00Z")), Some(at("2026-10-25T01:30:00Z")));
    }

    #[test]
    fn weekly_and_monthly_go_by_the_local_calendar() {
        let w = window(
            "repeat = \"weekly\"\ndays = [\"mon\", \"thu\"]\nstart = \"00:30\"\nduration_min = 30\nzone = \"Asia/Tokyo\"",
        );
        // Thursday 00:30 in Tokyo is Wednesday in UTC.
        assert_eq!(w.next_open(at("2026-11-24T00:00:00Z")), Some(at("2026-11-25T15:30:00Z")));
        assert_eq!(w.next_open(at("2026-11-25T16:00:00Z")), Some(at("2026-11-29T15:30:00Z")));
        let last =
            window("repeat = \"monthly\"\ndays_of_month = [-1]\nstart = \"23:00\"\nduration_min = 120");
        assert_eq!(last.next_open(at("2028-02-01T00:00:00Z")), Some(at("2028-02-29T23:00:00Z")));
        assert!(last.is_open(at("2028-03-01T00:59:00Z")));
        let long = window("repeat = \"monthly\"\ndays_of_month = [31]\nstart = \"12:00\"\nduration_min = 1");
        assert_eq!(long.next_open(at("2026-01-31T13:00:00Z")), Some(at("2026-03-31T12:00:00Z")));
    }

    #[test]
    fn first_and_last_date_bound_it() {
        let w = window(
            "repeat = \"daily\"\nstart = \"23:00\"\nduration_min = 120\nfirst = \"2026-02-01\"\nlast = \"2026-02-02\"",
        );
        assert_eq!(w.next_open(at("2026-01-01T00:00:00Z")), Some(at("2026-02-01T23:00:00Z")));
        assert!(w.is_open(at("2026-02-03T00:30:00Z")), "what opened on the last date stays open");
        assert_eq!(w.next_open(at("2026-02-02T23:00:00Z")), None);
        let cron = window(
            "repeat = \"cron\"\ncron = \"0 0 * * *\"\nduration_min = 5\nfirst = \"2026-02-01\"\nlast = \"2026-02-01\"",
        );
        assert_eq!(cron.next_open(at("2026-01-01T00:00:00Z")), Some(at("2026-02-01T00:00:00Z")));
        assert_eq!(cron.next_open(at("2026-02-01T00:00:00Z")), None);
    }

    #[test]
    fn openings_that_touch_are_one_and_an_endless_chain_has_no_end() {
        let w = window("repeat = \"cron\"\ncron = \"0 1,2 * * *\"\nduration_min = 60");
        assert_eq!(w.open_until(at("2026-02-01T01:10:00Z")), Some(at("2026-02-01T03:00:00Z")));
        assert_eq!(w.next_open(at("2026-02-01T01:10:00Z")), Some(at("2026-02-02T01:00:00Z")));
        let always = window("repeat = \"daily\"\nstart = \"00:00\"\nduration_min = 1440");
        assert_eq!(always.open_until(at("2026-02-01T01:10:00Z")), Some(Timestamp::MAX));
        assert_eq!(always.next_open(at("2026-02-01T01:10:00Z")), None);
    }

    #[test]
    fn everything_that_is_wrong_is_told_at_once_and_opens_nothing() {
        let spec: WindowSpec = toml::from_str(
            "name = \"\"\nrepeat = \"weekly\"\nstart = \"25:00\"\ncron = \"* * * * *\"\nzone = \"Mars/Base\"\nfirst = \"soon\"\nduration_min = 0",
        )
        .expect("the shape is right");
        let fields: Vec<String> = spec.problems().into_iter().map(|p| p.field).collect();
        assert_eq!(fields, ["name", "monitors", "zone", "first", "cron", "duration_min"]);
        assert!(!spec.is_open(at("2026-02-01T00:00:00Z")));
        for (text, field) in [
            ("repeat = \"daily\"\nstart = \"9:00\"\nduration_min = 5", "start"),
            ("start = \"2026-02-30T10:00\"\nduration_min = 5", "start"),
            ("start = \"2026-02-20T10:00\"", "duration_min"),
            ("start = \"2026-02-20T10:00\"\nend = \"2026-02-20T09:00\"", "end"),
            ("start = \"2026-02-20T10:00\"\nend = \"2027-02-20T09:00\"", "end"),
            (
                "repeat = \"monthly\"\nstart = \"10:00\"\nduration_min = 5\ndays_of_month = [0]",
                "days_of_month",
            ),
            ("repeat = \"cron\"\ncron = \"99 * * * *\"\nduration_min = 5", "cron"),
            ("repeat = \"weekly\"\nstart = \"10:00\"\nduration_min = 5", "days"),
            ("repeat = \"daily\"\nstart = \"10:00\"", "duration_min"),
        ] {
            let spec: WindowSpec =
                toml::from_str(&format!("name = \"w\"\nall = true\n{text}")).expect("a shape");
            assert!(spec.problems().iter().any(|p| p.field == field), "{text}: {:?}", spec.problems());
        }
        assert!(toml::from_str::<WindowSpec>("name = \"w\"\nall = true\nstrat = \"10:00\"").is_err());
    }

    #[test]
    fn it_applies_by_name_and_by_all_of_its_labels() {
        let labels = |pairs: &[(&str, &str)]| -> BTreeMap<String, String> {
            pairs.iter().map(|(k, v)| ((*k).to_owned(), (*v).to_owned())).collect()
        };
        let spec = WindowSpec {
            monitors: vec!["api".into()],
            labels: labels(&[("team", "core"), ("env", "prod")]),
            ..WindowSpec::default()
        };
        assert!(spec.applies("api", &labels(&[])));
        assert!(!spec.applies("web", &labels(&[("team", "core")])));
        assert!(spec.applies("web", &labels(&[("team", "core"), ("env", "prod"), ("x", "y")])));
        assert!(WindowSpec { all: true, ..WindowSpec::default() }.applies("anything", &labels(&[])));
        assert!(!WindowSpec::default().applies("api", &labels(&[])), "no labels is not all labels");
    }

    fn any_window() -> impl Strategy<Value = WindowSpec> {
        let zones = prop::sample::select(vec![
            "UTC",
            "Europe/Berlin",
            "America/New_York",
            "Australia/Lord_Howe",
            "America/Santiago",
            "Asia/Kathmandu",
            "Africa/Casablanca",
            "Pacific/Apia",
            "America/St_Johns",
        ]);
        (zones, 0..24u8, 0..60u8, 1..2000u32, 0..3u8).prop_map(|(zone, hour, minute, long, kind)| {
            let mut spec = WindowSpec {
                name: "w".into(),
                all: true,
                start: Some(format!("{hour:02}:{minute:02}")),
                duration_min: Some(long),
                zone: zone.into(),
                ..WindowSpec::default()
            };
            match kind {
                0 => spec.repeat = Repeat::Daily,
                1 => {
                    spec.repeat = Repeat::Weekly;
                    spec.days = vec![Day::Sun, Day::Wed];
                }
                _ => {
                    spec.repeat = Repeat::Cron;
                    spec.start = None;
                    spec.cron = Some(format!("{minute} {hour} * * *"));
                }
            }
            spec
        })
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

        /// What the three questions say fits together, at any moment, also around changes of the clocks.
        #[test]
        fn the_three_questions_agree(spec in any_window(), second in 1_767_225_600i64..1_830_297_600) {
            let w = spec.compile().expect("sound");
            let now = Timestamp::from_second(second).expect("a moment");
            let just_before = |t: Timestamp| t.checked_sub(Duration::from_millis(1)).expect("a moment");
            match w.open_until(now) {
                None => prop_assert!(!w.is_open(now)),
                Some(until) if until == Timestamp::MAX => prop_assert!(w.is_open(now)),
                Some(until) => {
                    prop_assert!(w.is_open(now) && until > now);
                    prop_assert!(w.is_open(just_before(until)) && !w.is_open(until));
                }
            }
            if let Some(next) = w.next_open(now) {
                prop_assert!(next > now && w.is_open(next) && !w.is_open(just_before(next)));
            }
        }

        /// Every day has one opening, whatever the clocks do: at the declared time of day, or at the end of the gap.
        #[test]
        fn daily_opens_once_a_day(hour in 0..24i8, minute in 0..60i8, zone in prop::sample::select(vec![
            "Europe/Berlin", "America/New_York", "Australia/Lord_Howe", "America/Santiago", "UTC",
        ])) {
            let spec = WindowSpec {
                name: "w".into(), all: true, repeat: Repeat::Daily, start: Some(format!("{hour:02}:{minute:02}")),
                duration_min: Some(1), zone: zone.into(), ..WindowSpec::default()
            };
            let (w, tz) = (spec.compile().expect("sound"), calendar::zone(zone).expect("a zone"));
            let from = calendar::moment(&tz, jiff::civil::date(2026, 1, 1).at(0, 0, 0, 0)).expect("a moment");
            let mut now = from.checked_sub(Duration::from_secs(1)).expect("a moment");
            for day in 0..365 {
                now = w.next_start(now).expect("it opens every day");
                let wanted = jiff::civil::date(2026, 1, 1).checked_add(jiff::Span::new().days(day)).expect("a date");
                let local = tz.to_datetime(now);
                prop_assert_eq!(local.date(), wanted);
                let told = Time::new(hour, minute, 0, 0).expect("a time");
                let gap = tz.to_ambiguous_timestamp(wanted.to_datetime(told)).offset();
                let in_gap = matches!(gap, jiff::tz::AmbiguousOffset::Gap { .. });
                prop_assert!(in_gap || local.time() == told, "{} for {}", local, told);
            }
        }
    }
}
