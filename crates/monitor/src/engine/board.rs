//! The image of the database that the schedule runs on.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use landfall_store::watch::{MonitorRow, StateRow};
use landfall_store::{Id, OrgId};

use crate::schedule::{Ticks, shard};
use crate::verdict::{Over, Policy, State};
use crate::window::{Window, WindowSpec};
use crate::{Monitor, MonitorSpec, Snapshot};

/// All monitors of the parts of the schedule that this server holds, and enough of the others to know what blocks what.
#[derive(Default)]
pub(super) struct Board {
    pub(super) entries: HashMap<Id, Entry>,
    pub(super) due: BTreeSet<(Timestamp, Id)>,
    by_name: HashMap<(OrgId, String), Id>,
    pub(super) shards: BTreeSet<u8>,
    pub(super) windows: Vec<Open>,
    /// When monitors were last read.
    pub(super) read: Option<Timestamp>,
    /// The latest time that was seen; a clock that is set back shows against it.
    pub(super) seen: Option<Timestamp>,
    /// Added to the attempt of a check, so that ticks that the clock has passed twice have results of their own.
    pub(super) era: i64,
}

/// A maintenance window, ready to be asked.
pub(super) struct Open {
    pub(super) org: OrgId,
    pub(super) spec: WindowSpec,
    pub(super) window: Window,
}

/// One monitor.
pub(super) struct Entry {
    pub(super) monitor: Arc<Monitor>,
    pub(super) ticks: Ticks,
    pub(super) held: Held,
    /// When it is checked next; `None` when it is not on this server's schedule.
    pub(super) due: Option<Timestamp>,
    /// The tick that the next retry belongs to, and how many checks it had.
    pub(super) attempt: (Timestamp, i64),
    pub(super) in_flight: bool,
}

/// What the database holds of a monitor.
#[derive(Debug, Clone, Default)]
pub(super) struct Held {
    pub(super) state: State,
    pub(super) last_good: Option<Snapshot>,
    pub(super) incident: Option<Id>,
    pub(super) first_bad: Option<Id>,
    pub(super) tick: Timestamp,
    pub(super) version: i64,
}

impl Held {
    /// What a stored row says. A state of another shape (an older version's) begins anew rather than stopping the watch.
    pub(super) fn of(row: Option<&StateRow>, created: Timestamp) -> Self {
        let Some(row) = row else {
            return Self { state: State::new(created), ..Self::default() };
        };
        Self {
            state: serde_json::from_str(&row.state).unwrap_or_else(|_| State::new(created)),
            last_good: row.last_good.as_deref().and_then(|text| serde_json::from_str(text).ok()),
            incident: row.incident,
            first_bad: row.first_bad,
            tick: row.tick,
            version: row.version,
        }
    }

    /// What is to be stored.
    pub(super) fn row(&self) -> StateRow {
        StateRow {
            state: serde_json::to_string(&self.state).expect("a state can be written as JSON"),
            last_good: self
                .last_good
                .as_ref()
                .map(|s| serde_json::to_string(s).expect("a snapshot can be written as JSON")),
            incident: self.incident,
            first_bad: self.first_bad,
            tick: self.tick,
            version: self.version,
        }
    }
}

impl Entry {
    pub(super) fn policy(&self) -> Policy {
        Policy { fail_after: self.monitor.spec.fail_after, recover_after: self.monitor.spec.recover_after }
    }
}

/// A tick that lies further ahead of the clock than reading the database may take, and clocks of several servers may differ,
/// was recorded before the clock was set back.
const AHEAD: SignedDuration = SignedDuration::from_secs(12);

/// Whether a recorded tick shows that the clock was set back. What another server recorded since `now` was read is newer than
/// it as well, by as long as the reading took.
fn was_set_back(tick: Timestamp, now: Timestamp) -> bool {
    tick.duration_since(now) > AHEAD
}

/// When a monitor whose last tick was this one is due on a schedule that takes it in now. A latest tick that was not run is
/// made up for at once: the monitor is new, or nobody had it for a while. One that another server ran is not run again.
fn first_due(tick: Timestamp, now: Timestamp, ticks: &Ticks) -> Timestamp {
    if tick < ticks.at_or_before(now) { now } else { ticks.after(now.max(tick)) }
}

impl Board {
    /// Takes a monitor in, as it is in the database now.
    pub(super) fn take(&mut self, row: &MonitorRow, now: Timestamp) {
        if row.deleted {
            self.remove(row.id);
            return;
        }
        let spec: MonitorSpec = match serde_json::from_str(&row.spec) {
            Ok(spec) => spec,
            Err(error) => {
                tracing::error!(monitor = %row.id, %error, "a stored monitor cannot be understood and is not checked");
                self.remove(row.id);
                return;
            }
        };
        let ticks = Ticks::of(row.id, spec.interval());
        let monitor = Arc::new(Monitor {
            id: row.id,
            org: row.org,
            external_id: row.external_id.clone(),
            spec,
            paused: row.paused,
            created: row.created,
            updated: row.updated,
        });
        let old = self.entries.remove(&row.id);
        if let Some(old) = &old {
            if let Some(due) = old.due {
                self.due.remove(&(due, row.id));
            }
            self.by_name.remove(&(old.monitor.org, old.monitor.external_id.clone()));
        }
        let mut held = match &old {
            // What was applied here is at least as new as what was read a moment ago.
            Some(old) if row.state.as_ref().is_none_or(|s| s.version <= old.held.version) => old.held.clone(),
            _ => Held::of(row.state.as_ref(), row.created),
        };
        if was_set_back(held.tick, now) {
            // The clock stands behind what was recorded: it was set back while nobody watched it.
            held.tick = now;
            self.era = self.era.max((now.as_second().rem_euclid(1_000_000) + 1) * 1_000);
        }
        let resumed = !row.paused && old.as_ref().is_some_and(|o| o.monitor.paused);
        if resumed {
            // What passed while it was paused was not missed; the first check is made at once.
            held.tick = ticks.at_or_before(now);
        }
        let mine = self.shards.contains(&shard(row.id));
        let due = (mine && !row.paused).then(|| {
            match old.as_ref().and_then(|o| o.due).filter(|_| old.as_ref().is_some_and(|o| o.ticks == ticks))
            {
                Some(due) => due,
                None if resumed => now,
                None => first_due(held.tick, now, &ticks),
            }
        });
        if let Some(due) = due {
            self.due.insert((due, row.id));
        }
        self.by_name.insert((row.org, row.external_id.clone()), row.id);
        let (attempt, in_flight) =
            old.map_or(((Timestamp::UNIX_EPOCH, 0), false), |o| (o.attempt, o.in_flight));
        self.entries.insert(row.id, Entry { monitor, ticks, held, due, attempt, in_flight });
    }

    /// Forgets a monitor.
    pub(super) fn remove(&mut self, id: Id) {
        if let Some(old) = self.entries.remove(&id) {
            if let Some(due) = old.due {
                self.due.remove(&(due, id));
            }
            self.by_name.remove(&(old.monitor.org, old.monitor.external_id.clone()));
        }
    }

    /// Moves the next check of a monitor.
    pub(super) fn set_due(&mut self, id: Id, due: Option<Timestamp>) {
        let Some(entry) = self.entries.get_mut(&id) else { return };
        if let Some(old) = entry.due.take() {
            self.due.remove(&(old, id));
        }
        entry.due = due;
        if let Some(due) = due {
            self.due.insert((due, id));
        }
    }

    /// The name of a monitor that this one needs and that is failing, directly or by what it needs itself.
    pub(super) fn blocked_by(&self, id: Id, changed: &HashMap<Id, Held>) -> Option<String> {
        let entry = self.entries.get(&id)?;
        let mut waiting: Vec<Id> = self.needs(entry).collect();
        let mut visited = BTreeSet::from([id]);
        while let Some(next) = waiting.pop() {
            // A circle of needs blocks nobody.
            if !visited.insert(next) {
                continue;
            }
            let Some(needed) = self.entries.get(&next) else { continue };
            let state = changed.get(&next).map_or(&needed.held.state, |held| &held.state);
            let excused = needed.monitor.paused || matches!(state.over, Some(Over::Paused));
            if !excused && state.blocks() {
                return Some(needed.monitor.spec.name.clone());
            }
            waiting.extend(self.needs(needed));
        }
        None
    }

    fn needs<'a>(&'a self, entry: &'a Entry) -> impl Iterator<Item = Id> + 'a {
        let org = entry.monitor.org;
        entry
            .monitor
            .spec
            .depends_on
            .iter()
            .filter_map(move |name| self.by_name.get(&(org, name.clone())).copied())
    }

    /// The maintenance window that is open for a monitor.
    pub(super) fn window(&self, monitor: &Monitor, at: Timestamp) -> Option<String> {
        self.windows
            .iter()
            .filter(|w| w.org == monitor.org && w.spec.applies(&monitor.external_id, &monitor.spec.labels))
            .find(|w| w.window.is_open(at))
            .map(|w| w.spec.name.clone())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tick_that_another_server_recorded_meanwhile_is_not_checked_again() {
        let ticks = Ticks::of(Id::new(), std::time::Duration::from_secs(10));
        let tick = ticks.at_or_before("2026-11-26T12:00:00Z".parse().expect("a time"));
        // This server read its clock, then the database; another one checked in between.
        let now = tick.checked_sub(SignedDuration::from_millis(300)).expect("a time");
        assert!(!was_set_back(tick, now));
        assert_eq!(first_due(tick, now, &ticks).duration_since(tick), SignedDuration::from_secs(10));
        // One that nobody checked is made up for at once.
        let late = tick.checked_add(SignedDuration::from_secs(25)).expect("a time");
        assert_eq!(first_due(tick, late, &ticks), late);
        assert!(was_set_back(tick, tick.checked_sub(SignedDuration::from_hours(2)).expect("a time")));
    }
}
