//! Starts checks at their ticks, keeps the board in step with the database, and holds leases.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landfall_evidence::Timings;
use landfall_store::watch;
use landfall_store::{Id, StoreError, leases};
use tokio_util::sync::CancellationToken;

use super::board::{Board, Open};
use super::{Checked, Inner, Measure, Missed, Work};
use crate::connectivity::Connected;
use crate::difference::own_side;
use crate::schedule::SHARDS;
use crate::window::WindowSpec;
use crate::{CheckResult, Facts, Outcome, Reason, Snapshot};

/// Between two looks at what changed in the database.
const READ: Duration = Duration::from_secs(5);

/// How long such a look may take. One that takes longer is given up and tried again.
const READ_WITHIN: Duration = Duration::from_secs(10);

/// Changes are looked for from a little before the last look, since clocks of several servers differ.
const OVERLAP: Duration = Duration::from_secs(30);

/// Missed ticks of one monitor that get a row of their own; beyond that their number is said.
pub(super) const MISSED: usize = 120;

/// A clock that goes back by more than this was set.
const SET_BACK: Duration = Duration::from_secs(2);

/// A request for a check that no server took for so long is dropped: its monitor is paused or gone.
const REQUEST: Duration = Duration::from_secs(300);

/// What a check may take beyond the monitor's timeout before it is given up on.
const GRACE: Duration = Duration::from_secs(5);

pub(super) async fn run(inner: Arc<Inner>, stop: CancellationToken) {
    let mut next_read = inner.now();
    // Ticks do not wait for the database: checks begin while it is being read, however long it takes.
    let mut reading: Option<Pin<Box<dyn Future<Output = ()> + Send>>> = None;
    loop {
        let now = inner.now();
        inner.measure(Measure::Round(now));
        inner.notice_clock(now);
        // A clock that was set back must not keep the board from being read.
        let wanted = now >= next_read || next_read.duration_since(now).unsigned_abs() > READ;
        if wanted && reading.is_none() {
            let inner = Arc::clone(&inner);
            reading = Some(Box::pin(async move { inner.read_within(now).await }));
            next_read = later(now, READ);
        }
        inner.start_due(inner.now());
        let due = inner.board().due.first().map(|(due, _)| *due);
        let next =
            if reading.is_some() { due } else { Some(due.map_or(next_read, |due| due.min(next_read))) };
        let sleep = async {
            match next {
                Some(next) => inner.parts.clock.sleep_until(next).await,
                None => std::future::pending().await,
            }
        };
        let read = async {
            match &mut reading {
                Some(reading) => reading.await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            () = stop.cancelled() => break,
            () = inner.parts.watch.nudged() => next_read = inner.now(),
            () = inner.wake.notified() => {}
            () = read => reading = None,
            () = sleep => {}
        }
    }
    if let Some(reading) = reading {
        // It may be taking leases, which are to be given up by name, and requests for checks, which nobody else makes then.
        reading.await;
        inner.start_due(inner.now());
    }
}

pub(super) fn later(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_add(by).unwrap_or(Timestamp::MAX)
}

impl Inner {
    /// A clock that was set back leads ticks past a second time; one that was set forward skips some, which are missed.
    fn notice_clock(&self, now: Timestamp) {
        let mut board = self.board();
        let back =
            board.seen.is_some_and(|seen| seen.duration_since(now) > SET_BACK.try_into().unwrap_or_default());
        board.seen = Some(now);
        if !back {
            return;
        }
        board.era += 1_000;
        tracing::warn!(%now, "the clock was set back; ticks are counted anew from here");
        let moved: Vec<(Id, Timestamp)> = board
            .entries
            .iter()
            .filter(|(_, entry)| entry.due.is_some())
            .map(|(id, entry)| (*id, entry.ticks.after(now)))
            .collect();
        for (id, due) in moved {
            board.set_due(id, Some(due));
            if let Some(entry) = board.entries.get_mut(&id) {
                // What lies after now was never checked on this reading of the clock.
                entry.attempt = (Timestamp::UNIX_EPOCH, 0);
                entry.held.tick = entry.held.tick.min(now);
            }
        }
    }

    async fn read_within(&self, now: Timestamp) {
        match tokio::time::timeout(READ_WITHIN, self.read(now)).await {
            Ok(Ok(())) => {}
            Ok(Err(error)) => {
                tracing::warn!(%error, "the database cannot be read; the schedule goes on as it was");
            }
            Err(_) => tracing::warn!("the database does not answer; the schedule goes on as it was"),
        }
    }

    /// Renews leases and reads what changed.
    async fn read(&self, now: Timestamp) -> Result<(), StoreError> {
        let store = &self.parts.store;
        let gained = self.share(now).await?;
        let since = self.board().read;
        let rows = match since {
            Some(since) if !gained => {
                watch::monitors_since(store, since.checked_sub(OVERLAP).unwrap_or(Timestamp::MIN)).await?
            }
            _ => watch::monitors(store).await?,
        };
        let windows = watch::windows(store).await?;
        let mut set = Vec::new();
        {
            let mut board = self.board();
            board.windows = windows.into_iter().filter_map(open).collect();
            for row in &rows {
                let before = board.entries.get(&row.id);
                let paused = before.is_some_and(|e| e.monitor.paused);
                let shown = before.and_then(|e| e.held.state.over.clone());
                let newer = before.is_none_or(|e| e.monitor.updated < row.updated);
                let over = matches!(shown, Some(crate::verdict::Over::Paused));
                if row.deleted && before.is_some() || (newer && (row.paused != paused || row.paused != over))
                {
                    set.push(row.id);
                }
                if !row.deleted {
                    board.take(row, now);
                }
            }
            board.read = Some(now);
        }
        for id in set {
            let _ = self.work.send(Work::Set(id)).await;
        }
        self.take_requests(now).await
    }

    /// Checks that somebody asked for: they are due now. One whose monitor is being checked waits for that check to end,
    /// since that may have begun before the repair that is to be seen; one that nobody could make is dropped.
    async fn take_requests(&self, now: Timestamp) -> Result<(), StoreError> {
        let store = &self.parts.store;
        for (id, asked) in watch::check_requests(store).await? {
            let found = {
                let board = self.board();
                board
                    .entries
                    .get(&id)
                    .filter(|e| e.due.is_some())
                    .map(|e| (e.in_flight, e.attempt, e.held.tick, e.ticks))
            };
            let Some((in_flight, attempt, held, ticks)) = found else {
                let old = now.duration_since(asked).unsigned_abs() > REQUEST;
                if old {
                    watch::take_check_request(store, id, asked).await?;
                }
                continue;
            };
            if in_flight || !watch::take_check_request(store, id, asked).await? {
                continue;
            }
            let tick = ticks.at_or_before(now);
            // After a start nothing is known of the attempts of this tick but what is stored.
            let stored = if attempt.0 < tick && held >= tick {
                watch::last_attempt(store, id, tick).await?
            } else {
                0
            };
            let mut board = self.board();
            if let Some(entry) = board.entries.get_mut(&id).filter(|e| stored > 0 && e.attempt.0 < tick) {
                entry.attempt = (tick, stored);
            }
            board.set_due(id, Some(now));
        }
        Ok(())
    }

    /// Takes this server's share of the schedule: `true` when it gained a part.
    async fn share(&self, now: Timestamp) -> Result<bool, StoreError> {
        let (store, options) = (&self.parts.store, &self.parts.options);
        let alive = now.checked_sub(options.lease).unwrap_or(Timestamp::MIN);
        let servers = watch::servers(store, &options.owner, now, alive).await?;
        let fair = usize::from(SHARDS).div_ceil(servers.len().max(1));
        let mut mine: std::collections::BTreeSet<u8> = std::collections::BTreeSet::new();
        let held = self.board().shards.clone();
        // Those that are held already come first, so that parts stay where they are.
        let order = held.iter().copied().chain((0..SHARDS).filter(|s| !held.contains(s)));
        for shard in order {
            let name = format!("shard/{shard:02}");
            if mine.len() >= fair {
                if held.contains(&shard) {
                    leases::release(store, &name, &options.owner).await?;
                }
                continue;
            }
            if leases::hold(store, &name, &options.owner, now, options.lease).await? {
                mine.insert(shard);
            }
        }
        let gained = mine.difference(&held).next().is_some();
        let mut board = self.board();
        if board.shards != mine {
            board.shards = mine;
            let lost: Vec<Id> = board
                .entries
                .iter()
                .filter(|(id, entry)| {
                    entry.due.is_some() && !board.shards.contains(&crate::schedule::shard(**id))
                })
                .map(|(id, _)| *id)
                .collect();
            for id in lost {
                board.set_due(id, None);
            }
        }
        Ok(gained)
    }

    pub(super) async fn give_up_leases(&self) {
        // Whoever takes over counts the servers to know its share.
        let _ = watch::server_gone(&self.parts.store, &self.parts.options.owner).await;
        let shards = std::mem::take(&mut self.board().shards);
        for shard in shards {
            // What cannot be given up runs out by itself.
            let _ =
                leases::release(&self.parts.store, &format!("shard/{shard:02}"), &self.parts.options.owner)
                    .await;
        }
    }

    fn start_due(self: &Arc<Self>, now: Timestamp) {
        let mut missed = Vec::new();
        let mut start = Vec::new();
        {
            let mut board = self.board();
            while let Some((due, id)) = board.due.first().copied().filter(|(due, _)| *due <= now) {
                board.due.remove(&(due, id));
                let era = board.era;
                let Some(entry) = board.entries.get_mut(&id) else { continue };
                entry.due = None;
                let tick = entry.ticks.at_or_before(now);
                let next = entry.ticks.after(now);
                if entry.in_flight {
                    // The check before is still under way, so this tick has none of its own.
                    if tick > entry.attempt.0 {
                        entry.attempt = (tick, 0);
                        missed.push(Missed {
                            monitor: id,
                            ticks: vec![tick],
                            count: 1,
                            why: "the check before it was still under way",
                        });
                    }
                    board.set_due(id, Some(next));
                    continue;
                }
                let known = entry.held.tick.max(entry.attempt.0);
                if known > Timestamp::UNIX_EPOCH && known < tick {
                    let mut ticks = entry.ticks.between(known, tick);
                    let first: Vec<Timestamp> = ticks.by_ref().take(MISSED).collect();
                    let count = first.len() as u64 + ticks.count() as u64;
                    if count > 0 {
                        missed.push(Missed {
                            monitor: id,
                            ticks: first,
                            count,
                            why: "nobody was there to check",
                        });
                    }
                }
                let attempt = if entry.attempt.0 == tick { entry.attempt.1 + 1 } else { era + 1 };
                entry.attempt = (tick, attempt);
                entry.in_flight = true;
                start.push((Arc::clone(&entry.monitor), tick, due, attempt));
                board.set_due(id, Some(next));
            }
        }
        for missed in missed {
            self.measure(Measure::Missed(missed.count));
            self.hand_over(Work::Missed(missed));
        }
        for (monitor, tick, due, attempt) in start {
            let inner = Arc::clone(self);
            self.tasks.spawn(async move {
                let Ok(_permit) = Arc::clone(&inner.permits).acquire_owned().await else { return };
                let started = inner.now();
                let lag = Duration::try_from(started.duration_since(due)).unwrap_or_default();
                inner.measure(Measure::Lag(lag));
                let result = inner.check(&monitor, started).await;
                inner.measure(Measure::Checked);
                let checked =
                    Checked { id: Id::new(), monitor: monitor.id, scheduled: tick, attempt, result };
                // The next tick waits for this check, and not for the database.
                if let Some(entry) = inner.board().entries.get_mut(&monitor.id) {
                    entry.in_flight = false;
                }
                inner.hand_over(Work::Checked(Box::new(checked)));
            });
        }
    }

    /// Gives work to the applier. When more waits than memory should hold, it is dropped: the tick stays unaccounted for
    /// and is recorded as missed once the database can be written again.
    fn hand_over(&self, work: Work) {
        let Err(refused) = self.work.try_send(work) else { return };
        if let Work::Checked(checked) = refused.into_inner() {
            let mut board = self.board();
            if let Some(entry) = board.entries.get_mut(&checked.monitor) {
                entry.attempt = (entry.held.tick, 0);
            }
        }
        tracing::error!("too many results wait for the database; one was dropped");
    }

    async fn check(&self, monitor: &crate::Monitor, started: Timestamp) -> CheckResult {
        let limit = monitor.spec.timeout() + GRACE;
        let checking = self.parts.checker.check(&monitor.spec, started);
        let mut result = match tokio::time::timeout(limit, checking).await {
            Ok(result) => result,
            Err(_) => given_up(started, limit),
        };
        let host = super::incidents::host(&monitor.spec);
        if result.outcome == Outcome::Down && own_side(&result) {
            if let Connected::No(why) = self.parts.connectivity.check(&host, self.now()).await {
                result.say = format!("{}, but this server itself seems to be cut off: {why}", result.say);
                result.outcome = Outcome::Inconclusive;
                result.reason = Some(Reason::OwnConnection);
            }
        } else if result.outcome != Outcome::Inconclusive {
            self.parts.connectivity.heard(&host, started);
        }
        result
    }
}

/// A stored window, ready to be asked. One that is not sound is said and never open: nothing is kept quiet by mistake.
fn open((org, name, spec): (landfall_store::OrgId, String, String)) -> Option<Open> {
    let spec: WindowSpec = match serde_json::from_str(&spec) {
        Ok(spec) => spec,
        Err(error) => {
            tracing::error!(window = name, %error, "a stored window cannot be understood and is ignored");
            return None;
        }
    };
    match spec.compile() {
        Ok(window) => Some(Open { org, spec, window }),
        Err(problems) => {
            tracing::error!(window = name, ?problems, "a stored window is not sound and is ignored");
            None
        }
    }
}

/// A probe that does not keep its deadline is our fault and nobody else's.
fn given_up(started: Timestamp, limit: Duration) -> CheckResult {
    CheckResult {
        started,
        took_us: u64::try_from(limit.as_micros()).unwrap_or(u64::MAX),
        outcome: Outcome::Inconclusive,
        reason: Some(Reason::Local),
        say: format!("the check did not return within {} s", limit.as_secs()),
        timings: Timings::default(),
        status: None,
        snapshot: Snapshot::default(),
        evidence: Vec::new(),
        audit: None,
        facts: Facts::default(),
    }
}

impl Board {
    /// After a result: the retry, if there is to be one, comes before the next tick.
    pub(super) fn ended(&mut self, monitor: Id, now: Timestamp) {
        let Some(entry) = self.entries.get(&monitor).filter(|e| !e.in_flight) else { return };
        let retry = entry.monitor.spec.retry_s.map(|s| Duration::from_secs(s.into()));
        let Some(retry) = retry.filter(|_| entry.held.state.is_failing()) else { return };
        let at = later(now, retry);
        if entry.due.is_some_and(|due| at < due) {
            self.set_due(monitor, Some(at));
        }
    }
}
