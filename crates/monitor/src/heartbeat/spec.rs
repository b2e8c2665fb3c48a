//! What a heartbeat is: the shape in the API and in `landfall.toml`.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::calendar::{self, Cron};
use crate::window::SpecProblem;

/// A heartbeat as somebody declares it: a job elsewhere that says when it has run, and how often it should.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HeartbeatSpec {
    /// Name for people.
    pub name: String,
    /// The name in ping URLs with a key: `a-z`, `0-9`, `_` and `-`. The external id by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub slug: Option<String>,
    /// Between two pings, in seconds: 60 to 31536000. A day by default; not with `cron`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub period_s: Option<u32>,
    /// When the job runs, as a cron expression of five fields.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub cron: Option<String>,
    /// The IANA time zone of `cron`. `UTC` by default.
    #[serde(default = "utc")]
    pub zone: String,
    /// How much later than due it may come, in seconds: 60 to 31536000. An hour by default.
    #[serde(default = "hour")]
    pub grace_s: u32,
    /// How long a run may take from its start ping, in seconds: 1 to 31536000. Without it a run must end within the grace
    /// time; with it a run that started in time is waited for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_duration_s: Option<u32>,
    /// One that was never pinged is down so many seconds after it was made: 60 to 31536000. Without it, it stays new.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_new_s: Option<u32>,
    /// Whether only POST counts: links that are followed by previews and scanners then do no harm.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub post_only: bool,
    /// Whether a paused one stays paused until somebody resumes it; else the next ping does.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub manual_resume: bool,
    /// What the body says decides, and not the URL.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub filter: Option<BodyFilter>,
    /// External ids of channels that hear of it; `None` means all enabled ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Between two reminders while it is down and nobody has acknowledged, in seconds: 300 to 2592000. None without it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_s: Option<u32>,
    /// Labels for people, filters and maintenance windows.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

fn utc() -> String {
    "UTC".into()
}
fn hour() -> u32 {
    3600
}

/// Words in a ping's body that decide what it means; upper and lower case differ.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct BodyFilter {
    /// Any of these is a failure; looked for first.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub failure: Vec<String>,
    /// Any of these is a success.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub success: Vec<String>,
    /// Any of these is a start.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub start: Vec<String>,
    /// What it is when no word is found.
    pub otherwise: Otherwise,
}

/// What a ping means in which no word was found.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Otherwise {
    /// A failure: the job said something unexpected.
    #[default]
    Fail,
    /// Nothing.
    Ignore,
}

/// When pings are expected, read and ready to be asked.
#[derive(Debug, Clone)]
pub enum Schedule {
    /// So long after the last one.
    Every(Duration),
    /// At the times of a cron expression.
    Cron(Cron),
}

/// A year, in seconds: the longest of all times here.
const YEAR_S: u32 = 31_536_000;
const DAY_S: u32 = 86_400;

impl HeartbeatSpec {
    /// One that is only named: daily, with an hour of grace.
    pub fn named(name: impl Into<String>) -> Self {
        Self {
            name: name.into(),
            slug: None,
            period_s: None,
            cron: None,
            zone: utc(),
            grace_s: hour(),
            max_duration_s: None,
            alert_new_s: None,
            post_only: false,
            manual_resume: false,
            filter: None,
            channels: None,
            remind_s: None,
            labels: BTreeMap::new(),
        }
    }

    /// When pings are expected.
    ///
    /// # Errors
    /// In words, when the expression or the zone is not sound.
    pub fn schedule(&self) -> Result<Schedule, String> {
        match &self.cron {
            Some(text) => Ok(Schedule::Cron(Cron::parse(text, &calendar::zone(&self.zone)?)?)),
            None => Ok(Schedule::Every(Duration::from_secs(self.period_s.unwrap_or(DAY_S).into()))),
        }
    }

    /// How much later than due it may come.
    pub fn grace(&self) -> Duration {
        Duration::from_secs(self.grace_s.into())
    }

    /// How long a run may take, when it is said apart from the grace time.
    pub fn max_duration(&self) -> Option<Duration> {
        self.max_duration_s.map(|s| Duration::from_secs(s.into()))
    }

    /// Everything that is wrong with it, by key.
    pub fn problems(&self) -> Vec<SpecProblem> {
        let mut found = Vec::new();
        let mut wrong = |field: &str, detail: String| found.push(SpecProblem::new(field, detail));
        if self.name.trim().is_empty() || self.name.chars().count() > 200 {
            wrong("name", "give it a name of 1 to 200 characters".into());
        }
        if let Some(slug) = &self.slug
            && !is_slug(slug)
        {
            wrong("slug", format!("{slug:?} is not a slug; use 1 to 100 of a-z, 0-9, _ and -"));
        }
        if self.cron.is_some() && self.period_s.is_some() {
            wrong("period_s", "say either `period_s` or `cron`".into());
        }
        if self.cron.is_none() && self.zone != "UTC" {
            wrong("zone", "a zone goes only with `cron`".into());
        }
        for (field, value, least) in [
            ("period_s", self.period_s, 60),
            ("grace_s", Some(self.grace_s), 60),
            ("max_duration_s", self.max_duration_s, 1),
            ("alert_new_s", self.alert_new_s, 60),
        ] {
            if let Some(value) = value
                && !(least..=YEAR_S).contains(&value)
            {
                wrong(field, format!("{value} is not from {least} to {YEAR_S} seconds (a year)"));
            }
        }
        if let Some(remind) = self.remind_s
            && !(300..=30 * 86_400).contains(&remind)
        {
            wrong("remind_s", format!("{remind} is not from 300 to 2592000 seconds (30 days)"));
        }
        if let Some(text) = &self.cron {
            match calendar::zone(&self.zone) {
                Err(problem) => wrong("zone", problem),
                Ok(zone) => {
                    if let Err(problem) = Cron::parse(text, &zone) {
                        wrong("cron", problem);
                    }
                }
            }
        }
        if let Some(filter) = &self.filter {
            let words = || filter.failure.iter().chain(&filter.success).chain(&filter.start);
            if words().next().is_none() {
                wrong("filter", "it names no word".into());
            }
            if words().any(|w| w.is_empty() || w.len() > 200) || words().count() > 50 {
                wrong("filter", "at most 50 words of 1 to 200 bytes each".into());
            }
        }
        if self.labels.len() > 50
            || self.labels.iter().any(|(k, v)| k.is_empty() || k.len() > 100 || v.len() > 200)
        {
            wrong("labels", "at most 50 labels, names of 1 to 100 bytes, values of at most 200".into());
        }
        found
    }
}

impl Schedule {
    /// When the next ping is due after one that came at `last`.
    pub fn due(&self, last: Timestamp) -> Option<Timestamp> {
        match self {
            Self::Every(period) => last.checked_add(*period).ok(),
            Self::Cron(cron) => cron.next(last),
        }
    }
}

/// Whether a text may stand in a ping URL as a slug.
pub fn is_slug(text: &str) -> bool {
    (1..=100).contains(&text.len())
        && text.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_' || b == b'-')
}
