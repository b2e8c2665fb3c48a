//! From results to the database: one transaction for a batch, with everything that follows from it.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landfall_evidence::Timings;
use landfall_store::watch::{self, NewState, ResultRow};
use landfall_store::{Id, OrgId, StoreError, Tx};
use serde::Serialize;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::board::Held;
use super::incidents::Trouble;
use super::{Checked, Inner, Missed, Work};
use crate::verdict::{Circumstances, Over, State, Transition};
use crate::{Happened, Monitor, Outcome, Snapshot};

/// Results that are written in one transaction.
const BATCH: usize = 256;

/// Pauses between two tries while the database cannot be written.
const PAUSES: [Duration; 4] =
    [Duration::from_millis(100), Duration::from_millis(500), Duration::from_secs(1), Duration::from_secs(3)];

/// Tries at one batch that the database refuses for a reason of its own; then each of its items is tried alone.
const TRIES: usize = 5;

pub(super) async fn run(inner: Arc<Inner>, mut work: mpsc::Receiver<Work>, drained: CancellationToken) {
    loop {
        let mut batch = Vec::new();
        tokio::select! {
            biased;
            n = work.recv_many(&mut batch, BATCH) => if n == 0 { return },
            // Everybody who could hand over more has ended, and nothing waits any more.
            () = drained.cancelled() => return,
        }
        inner.apply_surely(batch, &drained).await;
    }
}

/// What a transaction changed, for the board and for whoever listens.
#[derive(Default)]
pub(super) struct Applied {
    changed: HashMap<Id, Held>,
    removed: Vec<Id>,
    ended: Vec<Id>,
    told: Vec<Happened>,
    /// Incidents that are new and want a diagnosis.
    pub(super) new_incidents: Vec<(Id, OrgId)>,
}

impl Applied {
    /// Puts a monitor into an incident, or takes it out, in the transaction and in what the board will hold.
    pub(super) async fn set_incident(
        &mut self,
        tx: &mut Tx,
        monitor: Id,
        incident: Option<Id>,
    ) -> Result<(), StoreError> {
        tx.execute(
            "UPDATE monitor_states SET incident_id = $2, first_bad_id = NULL WHERE monitor_id = $1",
            landfall_store::params![monitor, incident],
        )
        .await?;
        if let Some(held) = self.changed.get_mut(&monitor) {
            (held.incident, held.first_bad) = (incident, None);
        }
        Ok(())
    }

    pub(super) fn tell(
        &mut self,
        org: OrgId,
        kind: &'static str,
        id: Id,
        what: &'static str,
        detail: serde_json::Value,
    ) {
        self.told.push(Happened { org, kind, id, what, detail });
    }
}

impl Inner {
    /// Applies a batch, however long the database is away.
    async fn apply_surely(self: &Arc<Self>, batch: Vec<Work>, drained: &CancellationToken) {
        let mut tried = 0;
        loop {
            match self.apply(&batch).await {
                Ok(applied) => return self.settle(applied),
                Err(StoreError::Conflict) if tried < TRIES => {
                    // Another server, or our own commit whose answer was lost: what is stored decides.
                    self.read_again(&batch).await;
                }
                Err(error @ (StoreError::Unreachable { .. } | StoreError::Full { .. })) => {
                    tracing::error!(%error, waiting = batch.len(), "results wait for the database");
                    if drained.is_cancelled() && tried >= TRIES {
                        tracing::error!(
                            "the server stops and the database is away: the last results are lost"
                        );
                        return;
                    }
                    self.read_again(&batch).await;
                }
                Err(error) if tried < TRIES => {
                    tracing::error!(%error, "a batch of results was refused");
                    self.read_again(&batch).await;
                }
                Err(error) if batch.len() > 1 => {
                    tracing::error!(%error, "a batch is refused; its items are tried one by one");
                    for one in batch {
                        Box::pin(self.apply_surely(vec![one], drained)).await;
                    }
                    return;
                }
                Err(error) => {
                    tracing::error!(%error, "a result cannot be stored and is dropped");
                    if let Some(Work::Checked(checked)) = batch.first() {
                        let now = self.now();
                        self.board().ended(checked.monitor, now);
                    }
                    return;
                }
            }
            tokio::time::sleep(PAUSES[tried.min(PAUSES.len() - 1)]).await;
            tried += 1;
        }
    }

    async fn apply(self: &Arc<Self>, batch: &[Work]) -> Result<Applied, StoreError> {
        let mut applied = Applied::default();
        let mut trouble = Trouble::default();
        let mut tx = self.parts.store.begin().await?;
        for work in batch {
            match work {
                Work::Checked(checked) => {
                    self.apply_checked(&mut tx, &mut applied, &mut trouble, checked).await?
                }
                Work::Missed(missed) => self.apply_missed(&mut tx, &mut applied, missed).await?,
                Work::Set(monitor) => self.apply_set(&mut tx, &mut applied, &mut trouble, *monitor).await?,
            }
        }
        self.incidents(&mut tx, &mut applied, trouble).await?;
        self.step("before-commit");
        tx.commit().await?;
        self.step("committed");
        Ok(applied)
    }

    /// The image of a monitor, with what this transaction has changed of it so far.
    fn held(&self, applied: &Applied, id: Id) -> Option<(Arc<Monitor>, Held)> {
        let board = self.board();
        let entry = board.entries.get(&id)?;
        let held = applied.changed.get(&id).cloned().unwrap_or_else(|| entry.held.clone());
        Some((Arc::clone(&entry.monitor), held))
    }

    async fn apply_checked(
        &self,
        tx: &mut Tx,
        applied: &mut Applied,
        trouble: &mut Trouble,
        checked: &Checked,
    ) -> Result<(), StoreError> {
        applied.ended.push(checked.monitor);
        // Deleted while it was being checked: there is nothing to say of it any more.
        let Some((monitor, mut held)) = self.held(applied, checked.monitor) else { return Ok(()) };
        let result = &checked.result;
        let (circumstances, policy) = {
            let board = self.board();
            let circumstances = Circumstances {
                maintenance: board.window(&monitor, result.started),
                blocked_by: board.blocked_by(monitor.id, &applied.changed),
            };
            let policy = board.entries.get(&monitor.id).map(super::board::Entry::policy);
            (circumstances, policy)
        };
        let Some(policy) = policy else { return Ok(()) };
        let in_window = circumstances.maintenance.is_some();
        let outcome = if in_window { "maintenance" } else { result.outcome.word() };
        let written = watch::save_result(
            tx,
            &ResultRow {
                id: checked.id,
                org: monitor.org,
                monitor: monitor.id,
                scheduled: checked.scheduled,
                attempt: checked.attempt,
                started: result.started,
                took_us: result.took_us,
                outcome,
                reason: result.reason.map(crate::Reason::word),
                say: &result.say,
                phases: phases(&result.timings),
                status: result.status,
                certificate_until: result.snapshot.certificate_until,
            },
        )
        .await?;
        if !written || matches!(held.state.over, Some(Over::Paused)) {
            return Ok(());
        }
        let before = held.state.verdict();
        let transitions = held.state.step(policy, result.outcome, result.started, &circumstances);
        held.tick = held.tick.max(checked.scheduled);
        let good = matches!(result.outcome, Outcome::Up | Outcome::Degraded);
        for transition in &transitions {
            match transition {
                Transition::FirstFailure => {
                    let body = first_bad(checked, &monitor);
                    held.first_bad = Some(
                        watch::capture(
                            tx,
                            monitor.org,
                            Some(monitor.id),
                            None,
                            "first-bad",
                            result.started,
                            &body,
                        )
                        .await?,
                    );
                }
                Transition::FalseStart => {
                    if let Some(capture) = held.first_bad.take() {
                        tx.execute(
                            "DELETE FROM captures WHERE id = $1 AND incident_id IS NULL",
                            landfall_store::params![capture],
                        )
                        .await?;
                    }
                }
                Transition::WentDown => trouble.down(&monitor, &held, result),
                Transition::Recovered => trouble.recovered(&monitor, &held, result),
                Transition::BecameDegraded => trouble.degraded(&monitor, result),
                Transition::NoLongerDegraded => {}
            }
        }
        if good {
            held.last_good = Some(result.snapshot.clone());
        }
        let verdict = held.state.verdict();
        watch::save_state(
            tx,
            &NewState {
                monitor: monitor.id,
                org: monitor.org,
                verdict: verdict.word(),
                since: held.state.since,
                row: &held.row(),
                checked: Some(result.started),
                up: good.then_some(result.started),
                took_us: Some(result.took_us),
                say: Some(&result.say),
                reason: result.reason.map(crate::Reason::word),
            },
        )
        .await?;
        held.version += 1;
        let detail = serde_json::json!({
            "name": monitor.spec.name, "verdict": verdict.word(), "say": result.say,
            "took_us": result.took_us, "changed": before != verdict,
        });
        applied.tell(monitor.org, "monitor", monitor.id, "checked", detail);
        applied.changed.insert(monitor.id, held);
        Ok(())
    }

    async fn apply_missed(
        &self,
        tx: &mut Tx,
        applied: &mut Applied,
        missed: &Missed,
    ) -> Result<(), StoreError> {
        let Some((monitor, mut held)) = self.held(applied, missed.monitor) else { return Ok(()) };
        let rest = missed.count.saturating_sub(missed.ticks.len() as u64);
        for (n, tick) in missed.ticks.iter().enumerate() {
            let last = n + 1 == missed.ticks.len();
            let say = if last && rest > 0 {
                format!("not checked ({}), nor at the {rest} ticks after it", missed.why)
            } else {
                format!("not checked: {}", missed.why)
            };
            watch::save_result(
                tx,
                &ResultRow {
                    id: Id::new(),
                    org: monitor.org,
                    monitor: monitor.id,
                    scheduled: *tick,
                    attempt: 0,
                    started: *tick,
                    took_us: 0,
                    outcome: "missed",
                    reason: Some("missed_window"),
                    say: &say,
                    phases: [None; 5],
                    status: None,
                    certificate_until: None,
                },
            )
            .await?;
            held.tick = held.tick.max(*tick);
        }
        self.save_plain(tx, &monitor, &mut held).await?;
        applied.changed.insert(monitor.id, held);
        Ok(())
    }

    async fn apply_set(
        &self,
        tx: &mut Tx,
        applied: &mut Applied,
        trouble: &mut Trouble,
        id: Id,
    ) -> Result<(), StoreError> {
        let Some((monitor, mut held)) = self.held(applied, id) else { return Ok(()) };
        let row = tx
            .query_opt("SELECT paused, deleted_us FROM monitors WHERE id = $1", landfall_store::params![id])
            .await?;
        let (paused, deleted) = match &row {
            Some(row) => (row.flag("paused")?, row.opt_int("deleted_us")?.is_some()),
            None => (false, true),
        };
        let was_paused = matches!(held.state.over, Some(Over::Paused));
        let now = self.now();
        if deleted || (paused && !was_paused) {
            trouble.left(
                &monitor,
                &held,
                if deleted { "the monitor was deleted" } else { "the monitor was paused" },
            );
            held.state = State { over: Some(Over::Paused), ..State::new(now) };
        } else if !paused && was_paused {
            held.state = State::new(now);
            held.tick = now;
        } else {
            return Ok(());
        }
        self.save_plain(tx, &monitor, &mut held).await?;
        if deleted {
            applied.removed.push(id);
        }
        applied.changed.insert(id, held);
        Ok(())
    }

    async fn save_plain(&self, tx: &mut Tx, monitor: &Monitor, held: &mut Held) -> Result<(), StoreError> {
        watch::save_state(
            tx,
            &NewState {
                monitor: monitor.id,
                org: monitor.org,
                verdict: held.state.verdict().word(),
                since: held.state.since,
                row: &held.row(),
                checked: None,
                up: None,
                took_us: None,
                say: None,
                reason: None,
            },
        )
        .await?;
        held.version += 1;
        Ok(())
    }

    /// After the commit: the board follows, the next checks are set, and everybody is told.
    fn settle(self: &Arc<Self>, applied: Applied) {
        let now = self.now();
        {
            let mut board = self.board();
            for (id, held) in applied.changed {
                if let Some(entry) = board.entries.get_mut(&id) {
                    entry.held = held;
                }
            }
            for id in applied.removed {
                board.remove(id);
            }
            for id in applied.ended {
                board.ended(id, now);
            }
        }
        // A retry may come before the time that the scheduler sleeps until.
        self.wake.notify_one();
        for happened in applied.told {
            self.parts.bus.tell(happened);
        }
        for (incident, org) in applied.new_incidents {
            self.treat(incident, org);
        }
    }

    /// Reads the monitors of a batch again: somebody else changed them, or a commit of ours may have happened after all.
    async fn read_again(&self, batch: &[Work]) {
        for work in batch {
            let id = match work {
                Work::Checked(checked) => checked.monitor,
                Work::Missed(missed) => missed.monitor,
                Work::Set(id) => *id,
            };
            let Ok(Some(row)) = watch::monitor_of(&self.parts.store, id).await else { continue };
            let mut board = self.board();
            if let Some(entry) = board.entries.get_mut(&id) {
                entry.held = Held::of(row.state.as_ref(), row.created);
            }
        }
    }
}

/// What is kept of the first failing attempt.
#[derive(Serialize)]
struct FirstBad<'a> {
    schema: &'static str,
    monitor: &'a str,
    say: &'a str,
    outcome: Outcome,
    scheduled: Timestamp,
    started: Timestamp,
    took_us: u64,
    snapshot: &'a Snapshot,
    evidence: &'a [landfall_evidence::Observation],
}

fn first_bad(checked: &Checked, monitor: &Monitor) -> String {
    let result = &checked.result;
    serde_json::to_string(&FirstBad {
        schema: "landfall.capture/1",
        monitor: &monitor.spec.name,
        say: &result.say,
        outcome: result.outcome,
        scheduled: checked.scheduled,
        started: result.started,
        took_us: result.took_us,
        snapshot: &result.snapshot,
        evidence: &result.evidence,
    })
    .expect("a capture can be written as JSON")
}

fn phases(timings: &Timings) -> [Option<u64>; 5] {
    [timings.resolve_us, timings.connect_us, timings.tls_us, timings.wait_us, timings.transfer_us]
}
