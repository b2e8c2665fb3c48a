//! What a ping means and what becomes of a heartbeat: pure, without database or clock.
//!
//! The model is that of Healthchecks (healthchecks.io/docs/http_api, configuring_checks), with these differences: every
//! run that carries an id is timed, not only the newest; a run may be given a time of its own, apart from the grace time;
//! and one that was never pinged can be made to alert.

use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::spec::{HeartbeatSpec, Otherwise, Schedule};

/// What a heartbeat is, as it is kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Status {
    /// Never pinged yet.
    New,
    /// In order.
    Up,
    /// Overdue, or it reported a failure.
    Down,
    /// Somebody paused it.
    Paused,
}

impl Status {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::New => "new",
            Self::Up => "up",
            Self::Down => "down",
            Self::Paused => "paused",
        }
    }
}

/// A run that began and has not ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// Its id, when the pings carry one.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rid: Option<Uuid>,
    /// When it began.
    pub started: Timestamp,
}

/// Runs that are timed at once; of more, the oldest is let go.
pub const RUNS: usize = 50;

/// Everything that is remembered of a heartbeat.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct State {
    /// What it is.
    pub status: Status,
    /// When it was made, or resumed: a new one's deadline counts from here.
    pub since: Timestamp,
    /// The last ping that told of success or failure.
    #[serde(default)]
    pub last_ping: Option<Timestamp>,
    /// The last start.
    #[serde(default)]
    pub last_start: Option<Timestamp>,
    /// How long the last run took, in microseconds.
    #[serde(default)]
    pub last_duration_us: Option<u64>,
    /// Runs that are on.
    #[serde(default)]
    pub runs: Vec<Run>,
}

/// What the URL of a ping says.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// The plain URL.
    Success,
    /// `/start`.
    Start,
    /// `/fail`.
    Fail,
    /// `/log`.
    Log,
    /// `/0` to `/255`.
    Exit(u8),
}

/// What a ping is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Kind {
    /// A run began.
    Start,
    /// A run ended well.
    Success,
    /// A run failed.
    Fail,
    /// Only to be kept.
    Log,
    /// Kept, and without effect: the wrong method, no word of the filter, paused.
    Ignored,
}

impl Kind {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Start => "start",
            Self::Success => "success",
            Self::Fail => "fail",
            Self::Log => "log",
            Self::Ignored => "ignored",
        }
    }
}

/// A change of status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Flip {
    /// The status before.
    pub before: Status,
    /// The status after.
    pub after: Status,
    /// When: for a deadline the deadline itself.
    pub at: Timestamp,
    /// Why.
    pub why: Why,
}

/// Why a status changed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// Nothing came in time.
    Overdue,
    /// A run took longer than it may.
    RunTooLong,
    /// It was never pinged at all.
    NeverPinged,
    /// A ping reported a failure.
    Failed,
    /// A ping reported success.
    Pinged,
}

impl Why {
    /// Its word in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::Overdue => "timeout",
            Self::RunTooLong => "run-too-long",
            Self::NeverPinged => "never-pinged",
            Self::Failed => "fail",
            Self::Pinged => "ping",
        }
    }
}

impl Flip {
    /// Whether anybody is told: becoming up out of new or paused is no news.
    pub fn is_news(&self) -> bool {
        match self.after {
            Status::Down => true,
            Status::Up => self.before == Status::Down,
            Status::New | Status::Paused => false,
        }
    }
}

/// When it will be down unless something comes, and why it would be.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Deadline {
    /// When.
    pub at: Timestamp,
    /// Why.
    pub why: Why,
}

/// Durations beyond this are not shown: the start belongs to some other run.
const LONGEST: Duration = Duration::from_secs(72 * 3600);

impl State {
    /// One that was just made.
    pub fn new(now: Timestamp) -> Self {
        Self {
            status: Status::New,
            since: now,
            last_ping: None,
            last_start: None,
            last_duration_us: None,
            runs: Vec::new(),
        }
    }

    /// Pauses it: nothing is expected any more.
    pub fn pause(&mut self) {
        self.status = Status::Paused;
        self.runs.clear();
        self.last_start = None;
    }

    /// Resumes it: as new, with its deadline counting from now. `false` when it is not paused.
    pub fn resume(&mut self, now: Timestamp) -> bool {
        if self.status != Status::Paused {
            return false;
        }
        *self = Self::new(now);
        true
    }

    /// When the next ping is due, without any grace; only while it is up.
    pub fn due(&self, schedule: &Schedule) -> Option<Timestamp> {
        match (self.status, self.last_ping) {
            (Status::Up, Some(last)) => schedule.due(last),
            _ => None,
        }
    }

    /// When it will be down unless something comes. `None` when it cannot be: down already, paused, new without a limit.
    pub fn deadline(&self, spec: &HeartbeatSpec, schedule: &Schedule) -> Option<Deadline> {
        if self.status == Status::Down {
            return None;
        }
        let after = |from: Timestamp, by: Duration| from.checked_add(by).unwrap_or(Timestamp::MAX);
        let run_time = spec.max_duration().unwrap_or_else(|| spec.grace());
        let hung = self
            .runs
            .iter()
            .map(|run| Deadline { at: after(run.started, run_time), why: Why::RunTooLong })
            .min_by_key(|d| d.at);
        // A run with a time of its own that began since the last ping is the answer to what was due.
        let answered = spec.max_duration_s.is_some()
            && self.runs.iter().any(|run| self.last_ping.is_none_or(|last| run.started >= last));
        let overdue = match self.status {
            Status::Up if !answered => {
                self.due(schedule).map(|due| Deadline { at: after(due, spec.grace()), why: Why::Overdue })
            }
            Status::New if self.runs.is_empty() => spec.alert_new_s.map(|s| Deadline {
                at: after(self.since, Duration::from_secs(s.into())),
                why: Why::NeverPinged,
            }),
            _ => None,
        };
        [overdue, hung].into_iter().flatten().min_by_key(|d| d.at)
    }

    /// What is shown: `new`, `up`, `late`, `started`, `down`, `paused`.
    pub fn shown(&self, spec: &HeartbeatSpec, schedule: &Schedule, now: Timestamp) -> &'static str {
        if self.status == Status::Down || self.deadline(spec, schedule).is_some_and(|d| d.at < now) {
            return "down";
        }
        if !self.runs.is_empty() {
            return "started";
        }
        match self.status {
            Status::Up if self.due(schedule).is_some_and(|due| due < now) => "late",
            status => status.word(),
        }
    }

    /// The deadline has passed: what changes. Runs that were let hang are reported once, and no longer waited for.
    pub fn expire(&mut self, spec: &HeartbeatSpec, schedule: &Schedule, now: Timestamp) -> Option<Flip> {
        let deadline = self.deadline(spec, schedule).filter(|d| d.at < now)?;
        let run_time = spec.max_duration().unwrap_or_else(|| spec.grace());
        self.runs.retain(|run| run.started.checked_add(run_time).is_ok_and(|end| end >= now));
        let before = std::mem::replace(&mut self.status, Status::Down);
        Some(Flip { before, after: Status::Down, at: deadline.at, why: deadline.why })
    }

    /// A ping: what changes, and how long the run took that it ended.
    pub fn apply(&mut self, kind: Kind, rid: Option<Uuid>, now: Timestamp) -> (Option<Flip>, Option<u64>) {
        let (after, why) = match kind {
            Kind::Log | Kind::Ignored => return (None, None),
            Kind::Start => {
                self.last_start = Some(now);
                self.runs.retain(|run| run.rid != rid);
                self.runs.push(Run { rid, started: now });
                if self.runs.len() > RUNS {
                    self.runs.remove(0);
                }
                return (None, None);
            }
            Kind::Success => (Status::Up, Why::Pinged),
            Kind::Fail => (Status::Down, Why::Failed),
        };
        self.last_ping = Some(now);
        self.last_duration_us = None;
        let mut took = None;
        match self.runs.iter().position(|run| run.rid == rid) {
            Some(place) => {
                let run = self.runs.remove(place);
                // A clock that was set back makes no duration.
                let elapsed = Duration::try_from(now.duration_since(run.started)).ok();
                took = elapsed.filter(|d| *d <= LONGEST).and_then(|d| u64::try_from(d.as_micros()).ok());
                self.last_duration_us = took;
            }
            // Without an id it may be the end of any of them; with an unknown one the others go on.
            None if rid.is_none() => self.runs.clear(),
            None => {}
        }
        let before = std::mem::replace(&mut self.status, after);
        let flip = (before != after).then_some(Flip { before, after, at: now, why });
        (flip, took)
    }
}

/// What a ping is, by its URL, its method and its body, and by what the heartbeat is.
pub fn classify(spec: &HeartbeatSpec, status: Status, action: Action, method: &str, body: &str) -> Kind {
    let said = match action {
        Action::Success | Action::Exit(0) => Kind::Success,
        Action::Start => Kind::Start,
        Action::Fail | Action::Exit(_) => Kind::Fail,
        Action::Log => Kind::Log,
    };
    if said == Kind::Log {
        return said;
    }
    if spec.post_only && method != "POST" {
        return Kind::Ignored;
    }
    let kind = match &spec.filter {
        // An exit status is what the job itself reports; no word in its output is better.
        Some(filter) if !matches!(action, Action::Exit(1..)) => {
            let has = |words: &[String]| words.iter().any(|w| !w.is_empty() && body.contains(w.as_str()));
            if has(&filter.failure) {
                Kind::Fail
            } else if has(&filter.success) {
                Kind::Success
            } else if has(&filter.start) {
                Kind::Start
            } else {
                match filter.otherwise {
                    Otherwise::Fail => Kind::Fail,
                    Otherwise::Ignore => Kind::Ignored,
                }
            }
        }
        _ => said,
    };
    if status == Status::Paused && spec.manual_resume { Kind::Ignored } else { kind }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::heartbeat::spec::BodyFilter;

    fn at(text: &str) -> Timestamp {
        text.parse().expect("a moment")
    }

    fn later(from: Timestamp, seconds: u64) -> Timestamp {
        from.checked_add(Duration::from_secs(seconds)).expect("a moment")
    }

    struct Beat {
        spec: HeartbeatSpec,
        state: State,
    }

    const T0: i64 = 1_790_000_000;

    impl Beat {
        fn new(change: impl FnOnce(&mut HeartbeatSpec)) -> Self {
            let mut spec = HeartbeatSpec { period_s: Some(3600), grace_s: 600, ..HeartbeatSpec::named("b") };
            change(&mut spec);
            assert_eq!(spec.problems(), []);
            Self { spec, state: State::new(t(0)) }
        }

        fn ping(&mut self, second: u64, action: Action, rid: Option<u128>) -> Option<Flip> {
            let kind = classify(&self.spec, self.state.status, action, "GET", "");
            self.state.apply(kind, rid.map(Uuid::from_u128), t(second)).0
        }

        fn deadline(&self) -> Option<(i64, Why)> {
            let schedule = self.spec.schedule().expect("sound");
            self.state.deadline(&self.spec, &schedule).map(|d| (d.at.as_second() - T0, d.why))
        }

        fn shown(&self, second: u64) -> &'static str {
            self.state.shown(&self.spec, &self.spec.schedule().expect("sound"), t(second))
        }

        fn expire(&mut self, second: u64) -> Option<Flip> {
            let schedule = self.spec.schedule().expect("sound");
            self.state.expire(&self.spec, &schedule, t(second))
        }
    }

    fn t(second: u64) -> Timestamp {
        later(Timestamp::from_second(T0).expect("a moment"), second)
    }

    #[test]
    fn it_is_up_then_late_then_down_and_the_flip_carries_the_deadline() {
        let mut b = Beat::new(|_| ());
        assert_eq!((b.shown(0), b.deadline()), ("new", None));
        let first = b.ping(10, Action::Success, None).expect("new to up is a flip");
        assert!(!first.is_news(), "but no news");
        assert_eq!(b.deadline(), Some((10 + 3600 + 600, Why::Overdue)));
        assert_eq!(
            (b.shown(3610), b.shown(3611), b.shown(4210), b.shown(4211)),
            ("up", "late", "late", "down")
        );
        assert_eq!(b.expire(4210), None);
        let flip = b.expire(9000).expect("overdue");
        assert_eq!(
            (flip.before, flip.after, flip.at, flip.why),
            (Status::Up, Status::Down, t(4210), Why::Overdue)
        );
        assert_eq!(b.expire(9001), None, "once");
        let back = b.ping(9100, Action::Success, None).expect("up again");
        assert!(back.is_news() && back.after == Status::Up);
    }

    #[test]
    fn a_reported_failure_is_down_at_once_and_exit_statuses_are_verdicts() {
        let mut b = Beat::new(|_| ());
        let flip = b.ping(1, Action::Fail, None).expect("new to down");
        assert!(flip.is_news() && flip.why == Why::Failed);
        assert_eq!(b.ping(2, Action::Exit(3), None), None, "still down");
        assert_eq!(b.ping(3, Action::Exit(0), None).map(|f| f.after), Some(Status::Up));
        assert_eq!(b.ping(4, Action::Exit(255), None).map(|f| f.after), Some(Status::Down));
        let before = b.state.clone();
        assert_eq!(b.ping(5, Action::Log, None), None);
        assert_eq!(b.state, before, "a log entry changes nothing");
    }

    #[test]
    fn a_start_leaves_status_and_last_ping_and_must_be_followed_by_an_end() {
        let mut b = Beat::new(|_| ());
        b.ping(0, Action::Success, None);
        b.ping(3500, Action::Start, None);
        assert_eq!(b.state.last_ping, Some(t(0)));
        // Without a time of its own the grace is the run time, or what is due if that is sooner.
        assert_eq!(b.deadline(), Some((3500 + 600, Why::RunTooLong)));
        assert_eq!(b.shown(3600), "started");
        b.ping(3700, Action::Success, None);
        assert_eq!(b.state.last_duration_us, Some(200_000_000));
        assert_eq!(b.deadline(), Some((3700 + 4200, Why::Overdue)));
        // A new one that only ever starts goes down too.
        let mut fresh = Beat::new(|_| ());
        fresh.ping(5, Action::Start, None);
        assert_eq!(fresh.expire(606).map(|f| (f.before, f.at)), Some((Status::New, t(605))));
    }

    #[test]
    fn a_run_with_a_time_of_its_own_is_waited_for() {
        let mut b = Beat::new(|s| s.max_duration_s = Some(3 * 3600));
        b.ping(0, Action::Success, None);
        b.ping(3600, Action::Start, Some(1));
        assert_eq!(b.deadline(), Some((3600 + 3 * 3600, Why::RunTooLong)), "not down after the grace time");
        b.ping(10_000, Action::Success, Some(1));
        assert_eq!(b.deadline(), Some((10_000 + 4200, Why::Overdue)));
        // A time shorter than the grace is kept to as well.
        let mut short = Beat::new(|s| s.max_duration_s = Some(30));
        short.ping(0, Action::Start, None);
        assert_eq!(short.deadline(), Some((30, Why::RunTooLong)));
    }

    #[test]
    fn all_runs_at_once_are_timed_by_their_ids() {
        let mut b = Beat::new(|_| ());
        b.ping(0, Action::Start, Some(1));
        b.ping(10, Action::Start, Some(2));
        b.ping(20, Action::Success, Some(1));
        assert_eq!(b.state.last_duration_us, Some(20_000_000));
        assert_eq!(b.state.runs.len(), 1, "the other one goes on");
        b.ping(25, Action::Fail, Some(9));
        assert_eq!((b.state.last_duration_us, b.state.runs.len()), (None, 1), "an unknown id ends none");
        b.ping(30, Action::Success, Some(2));
        assert_eq!(b.state.last_duration_us, Some(20_000_000));
        // Without an id: its own start, else all of them.
        b.ping(40, Action::Start, None);
        b.ping(41, Action::Start, Some(3));
        b.ping(45, Action::Success, None);
        assert_eq!((b.state.last_duration_us, b.state.runs.len()), (Some(5_000_000), 1));
        b.ping(46, Action::Success, None);
        assert_eq!((b.state.last_duration_us, b.state.runs.len()), (None, 0));
    }

    #[test]
    fn a_run_that_hangs_is_reported_once() {
        let mut b = Beat::new(|_| ());
        b.ping(0, Action::Success, None);
        b.ping(1, Action::Start, Some(1));
        assert!(b.expire(700).is_some());
        b.ping(800, Action::Success, Some(2));
        assert_eq!(b.state.status, Status::Up);
        assert_eq!(b.deadline(), Some((800 + 4200, Why::Overdue)), "the lost run is no longer waited for");
    }

    #[test]
    fn runs_are_bounded_and_long_durations_are_not_shown() {
        let mut b = Beat::new(|_| ());
        for i in 0..200u64 {
            b.ping(i, Action::Start, Some(u128::from(i)));
        }
        assert_eq!(b.state.runs.len(), RUNS);
        let mut long = Beat::new(|s| s.max_duration_s = Some(31_536_000));
        long.ping(0, Action::Start, None);
        long.ping(72 * 3600 + 1, Action::Success, None);
        assert_eq!(long.state.last_duration_us, None);
        let mut back = Beat::new(|_| ());
        back.ping(100, Action::Start, None);
        back.ping(50, Action::Success, None);
        assert_eq!(back.state.last_duration_us, None, "a clock that was set back");
    }

    #[test]
    fn one_that_was_never_pinged_can_be_made_to_alert() {
        let mut b = Beat::new(|s| s.alert_new_s = Some(900));
        assert_eq!(b.deadline(), Some((900, Why::NeverPinged)));
        let flip = b.expire(901).expect("it never came");
        assert!(flip.is_news() && flip.before == Status::New);
        let mut quiet = Beat::new(|_| ());
        assert_eq!(quiet.expire(10_000_000), None);
    }

    #[test]
    fn pause_and_resume() {
        let mut b = Beat::new(|s| s.alert_new_s = Some(900));
        b.ping(0, Action::Success, None);
        b.ping(1, Action::Start, None);
        b.state.pause();
        assert_eq!((b.shown(99_999_999), b.deadline()), ("paused", None));
        let flip = b.ping(2, Action::Success, None).expect("a ping resumes it");
        assert!(!flip.is_news());
        assert!(!b.state.resume(t(3)), "it is not paused");
        b.state.pause();
        assert!(b.state.resume(t(100)));
        assert_eq!((b.shown(100), b.deadline()), ("new", Some((1000, Why::NeverPinged))));
        let mut manual = Beat::new(|s| s.manual_resume = true);
        manual.state.pause();
        assert_eq!(manual.ping(1, Action::Success, None), None);
        assert_eq!(manual.ping(1, Action::Fail, None), None);
        assert_eq!(manual.state.status, Status::Paused);
    }

    #[test]
    fn the_method_and_the_words_of_the_body_decide_when_asked_to() {
        let mut spec = HeartbeatSpec { post_only: true, ..HeartbeatSpec::named("b") };
        assert_eq!(classify(&spec, Status::Up, Action::Success, "GET", ""), Kind::Ignored);
        assert_eq!(classify(&spec, Status::Up, Action::Success, "HEAD", ""), Kind::Ignored);
        assert_eq!(classify(&spec, Status::Up, Action::Success, "POST", ""), Kind::Success);
        spec.post_only = false;
        spec.filter = Some(BodyFilter {
            failure: vec!["FAILED".into()],
            success: vec!["done".into()],
            start: vec!["begin".into()],
            otherwise: Otherwise::Fail,
        });
        let kind = |spec: &HeartbeatSpec, action, body| classify(spec, Status::Up, action, "POST", body);
        assert_eq!(kind(&spec, Action::Success, "done but FAILED"), Kind::Fail);
        assert_eq!(kind(&spec, Action::Fail, "begin, done"), Kind::Success, "words override the URL");
        assert_eq!(kind(&spec, Action::Success, "we begin"), Kind::Start);
        assert_eq!(kind(&spec, Action::Success, "Done"), Kind::Fail, "case matters");
        assert_eq!(kind(&spec, Action::Exit(2), "done"), Kind::Fail, "an exit status is not overridden");
        assert_eq!(kind(&spec, Action::Log, "FAILED"), Kind::Log);
        spec.filter.as_mut().expect("set").otherwise = Otherwise::Ignore;
        assert_eq!(kind(&spec, Action::Success, "nothing"), Kind::Ignored);
    }

    #[test]
    fn cron_is_due_by_local_time_across_both_changes_of_the_clocks() {
        let spec = HeartbeatSpec {
            cron: Some("30 2 * * *".into()),
            zone: "Europe/Berlin".into(),
            grace_s: 600,
            ..HeartbeatSpec::named("b")
        };
        let schedule = spec.schedule().expect("sound");
        let due = |ping: &str| {
            let mut state = State::new(at(ping));
            state.apply(Kind::Success, None, at(ping));
            (state.due(&schedule), state.deadline(&spec, &schedule).map(|d| d.at))
        };
        // The night in which 02:30 does not exist: cron runs it right after the gap, at 03:00 local.
        assert_eq!(due("2026-03-28T01:30:05Z").0, Some(at("2026-03-29T01:00:00Z")));
        assert_eq!(due("2026-03-28T01:30:05Z").1, Some(at("2026-03-29T01:10:00Z")));
        assert_eq!(due("2026-03-29T01:00:05Z").0, Some(at("2026-03-30T00:30:00Z")));
        // The night in which it comes twice: once.
        assert_eq!(due("2026-10-24T00:30:05Z").0, Some(at("2026-10-25T00:30:00Z")));
        assert_eq!(due("2026-10-25T00:30:05Z").0, Some(at("2026-10-26T01:30:00Z")));
    }

    #[test]
    fn the_state_survives_the_store() {
        let mut b = Beat::new(|_| ());
        b.ping(1, Action::Start, Some(7));
        let text = serde_json::to_string(&b.state).expect("JSON");
        assert_eq!(serde_json::from_str::<State>(&text).expect("the same"), b.state);
    }

    proptest! {
        /// Whatever comes in whatever order: no panic, bounded memory, flips change something, and a deadline exists
        /// exactly where one can.
        #[test]
        fn any_order_of_pings_keeps_the_rules(steps in prop::collection::vec((0..7u8, 0..4u128, 1..5000u64), 1..120)) {
            let mut b = Beat::new(|s| s.max_duration_s = Some(1800));
            let mut now = 0;
            for (what, rid, wait) in steps {
                now += wait;
                let before = b.state.status;
                let rid = (rid > 0).then_some(rid);
                let flip = match what {
                    0 => b.ping(now, Action::Success, rid),
                    1 => b.ping(now, Action::Fail, rid),
                    2 => b.ping(now, Action::Start, rid),
                    3 => b.ping(now, Action::Log, rid),
                    4 => { b.state.pause(); None }
                    5 => { b.state.resume(t(now)); None }
                    _ => b.expire(now),
                };
                if let Some(flip) = flip {
                    prop_assert!(flip.before == before && flip.after == b.state.status && flip.before != flip.after);
                    prop_assert!(flip.at <= t(now));
                }
                prop_assert!(b.state.runs.len() <= RUNS);
                match b.state.status {
                    Status::Down => prop_assert_eq!(b.deadline(), None),
                    Status::Up => prop_assert!(b.deadline().is_some()),
                    Status::New | Status::Paused => prop_assert_eq!(b.deadline().is_some(), !b.state.runs.is_empty()),
                }
                b.expire(now);
                prop_assert!(b.expire(now).is_none(), "an expired one does not expire again");
            }
        }
    }
}
