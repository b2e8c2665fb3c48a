//! When jobs run.

use std::fmt;
use std::time::Duration;

use jiff::Timestamp;
use jiff::civil::{Time, Weekday};
use jiff::tz::TimeZone;

use crate::calendar;

/// When a job runs.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// Every so often, aligned to the epoch so that all servers mean the same ticks.
    Every(Duration),
    /// At a local time.
    At {
        /// On which days.
        on: Every,
        /// The time of day.
        time: Time,
        /// In which zone.
        zone: TimeZone,
    },
}

/// On which days.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Every {
    /// Each.
    Day,
    /// One of the week.
    Week(Weekday),
    /// The first of the month.
    Month,
}

impl Schedule {
    /// Every so many seconds.
    pub fn seconds(n: u64) -> Self {
        Self::Every(Duration::from_secs(n.max(1)))
    }

    /// At a time of day in UTC.
    pub fn utc(on: Every, hour: i8, minute: i8) -> Self {
        Self::At { on, time: Time::new(hour, minute, 0, 0).unwrap_or(Time::MIN), zone: TimeZone::UTC }
    }

    /// The first tick of a job that nobody knew before: at once for what runs often, else when it comes.
    pub fn first(&self, now: Timestamp) -> Timestamp {
        match self {
            Self::Every(_) => now,
            Self::At { .. } => self.next(now),
        }
    }

    /// The first tick after a moment.
    pub fn next(&self, after: Timestamp) -> Timestamp {
        match self {
            Self::Every(period) => {
                let period = i64::try_from(period.as_micros()).unwrap_or(i64::MAX).max(1);
                let us = after.as_microsecond();
                let next = us.saturating_sub(us.rem_euclid(period)).saturating_add(period);
                Timestamp::from_microsecond(next).unwrap_or(Timestamp::MAX)
            }
            Self::At { on, time, zone } => {
                let mut date = zone.to_datetime(after).date().yesterday().unwrap_or(jiff::civil::Date::MIN);
                for _ in 0..70 {
                    let fits = match on {
                        Every::Day => true,
                        Every::Week(day) => date.weekday() == *day,
                        Every::Month => date.day() == 1,
                    };
                    if fits
                        && let Some(at) = calendar::moment(zone, date.to_datetime(*time))
                        && at > after
                    {
                        return at;
                    }
                    let Ok(tomorrow) = date.tomorrow() else { break };
                    date = tomorrow;
                }
                Timestamp::MAX
            }
        }
    }
}

impl fmt::Display for Schedule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Every(period) => match period.as_secs() {
                s if s % 86_400 == 0 => write!(f, "every {} d", s / 86_400),
                s if s % 3600 == 0 => write!(f, "every {} h", s / 3600),
                s if s % 60 == 0 => write!(f, "every {} min", s / 60),
                s => write!(f, "every {s} s"),
            },
            Self::At { on, time, zone } => {
                match on {
                    Every::Day => write!(f, "daily")?,
                    Every::Week(day) => write!(f, "weekly on {day:?}")?,
                    Every::Month => write!(f, "monthly on the 1st")?,
                }
                write!(f, " {:02}:{:02} {}", time.hour(), time.minute(), zone.iana_name().unwrap_or("UTC"))
            }
        }
    }
}
