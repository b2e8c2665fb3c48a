//! Silence is noticed here: heartbeats whose deadline has passed.

use std::collections::HashMap;
use std::time::Duration;

use jiff::Timestamp;
use landfall_store::heartbeats::{self, FlipRow};
use landfall_store::{Id, OrgId, Store, StoreError, Tx};

use super::core::Flip;
use super::incident::told;
use super::manage::{spec_of, state_of, write_state};
use crate::window::WindowSpec;

/// What a sweep did.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Swept {
    /// Heartbeats that went down, with their organisation and the change.
    pub flips: Vec<(OrgId, Id, Flip)>,
    /// Heartbeats whose alert waits for the end of a maintenance window.
    pub postponed: usize,
    /// Heartbeats that could not be read; looked at again in an hour.
    pub broken: usize,
}

/// Heartbeats taken from the index at once, and how often at most.
const BATCH: u32 = 200;
const ROUNDS: usize = 100;

/// Takes down every heartbeat whose deadline has passed, opens its incident and writes the letters, each in one
/// transaction. Two servers may do this at the same time: a row is locked, and the second finds nothing left to do.
///
/// # Errors
/// When the database fails; what was done until then stays done.
pub async fn sweep(store: &Store, now: Timestamp, base: &str) -> Result<Swept, StoreError> {
    let mut swept = Swept::default();
    for _ in 0..ROUNDS {
        let due = heartbeats::due(store, now, BATCH).await?;
        for id in &due {
            one(store, *id, now, base, &mut swept).await?;
        }
        if due.len() < BATCH as usize {
            break;
        }
    }
    Ok(swept)
}

async fn one(store: &Store, id: Id, now: Timestamp, base: &str, swept: &mut Swept) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    let Some(mut row) = heartbeats::lock(store, &mut tx, &[id]).await?.into_iter().next() else {
        return Ok(());
    };
    if row.alert_after.is_none_or(|at| at >= now) {
        return Ok(());
    }
    let read = spec_of(&row).and_then(|spec| Ok((state_of(&row)?, spec.schedule().map_err(broken)?, spec)));
    let (mut state, schedule, spec) = match read {
        Ok(read) => read,
        Err(error) => {
            // One row that cannot be read must not be met again at every turn, nor hide the others.
            tracing::error!(heartbeat = %row.external_id, %error, "a heartbeat cannot be judged");
            row.alert_after = now.checked_add(Duration::from_secs(3600)).ok();
            heartbeats::save(&mut tx, &row).await?;
            swept.broken += 1;
            return tx.commit().await;
        }
    };
    if let Some(until) = maintenance(&mut tx, row.org, &row.external_id, &spec.labels, now).await? {
        row.alert_after = Some(until);
        heartbeats::save(&mut tx, &row).await?;
        swept.postponed += 1;
        return tx.commit().await;
    }
    let flip = state.expire(&spec, &schedule, now);
    write_state(&mut row, &state, &spec);
    if let Some(flip) = flip {
        let kept = FlipRow {
            id: Id::new(),
            heartbeat: row.id,
            at: flip.at,
            before: flip.before.word().to_owned(),
            after: flip.after.word().to_owned(),
            reason: flip.why.word().to_owned(),
        };
        heartbeats::insert_flip(&mut tx, row.org, &kept).await?;
        told(&mut tx, &mut row, &spec, &flip, now, base).await?;
    }
    heartbeats::save(&mut tx, &row).await?;
    tx.commit().await?;
    if let Some(flip) = flip {
        swept.flips.push((row.org, row.id, flip));
    }
    Ok(())
}

/// Until when maintenance keeps a heartbeat quiet, if it does.
async fn maintenance(
    tx: &mut Tx,
    org: OrgId,
    external_id: &str,
    labels: &std::collections::BTreeMap<String, String>,
    now: Timestamp,
) -> Result<Option<Timestamp>, StoreError> {
    let mut until = None;
    for text in heartbeats::window_specs(tx, org).await? {
        let Ok(spec) = serde_json::from_str::<WindowSpec>(&text) else { continue };
        if spec.applies(external_id, labels) {
            until = until.max(spec.open_until(now));
        }
    }
    Ok(until)
}

fn broken(problem: String) -> StoreError {
    StoreError::Column { column: "spec".into(), problem }
}

/// Changes by organisation, for whoever tells them.
impl Swept {
    /// How many heartbeats went down in each organisation.
    pub fn by_org(&self) -> HashMap<OrgId, usize> {
        let mut counts = HashMap::new();
        for (org, ..) in &self.flips {
            *counts.entry(*org).or_default() += 1;
        }
        counts
    }
}
