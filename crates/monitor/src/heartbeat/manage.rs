//! What people and configuration files do with heartbeats.

use jiff::Timestamp;
use landfall_store::heartbeats::{self, HeartbeatRow, NewHeartbeat};
use landfall_store::{Id, StoreError, Tenant, Tx, json, params};

use super::core::State;
use super::spec::HeartbeatSpec;
use crate::incident::note;

/// Makes a heartbeat or changes what is declared of it; state, id and history stay, and the deadline is computed anew.
/// `true` when it was made. The specification must be sound ([`HeartbeatSpec::problems`]).
///
/// # Errors
/// When the database fails; likewise for all that follow.
pub async fn put(
    tenant: &Tenant,
    external_id: &str,
    spec: &HeartbeatSpec,
    origin: &str,
    now: Timestamp,
) -> Result<(Id, bool), StoreError> {
    let state = State::new(now);
    let alert_after =
        spec.schedule().ok().and_then(|schedule| state.deadline(spec, &schedule)).map(|deadline| deadline.at);
    let new = NewHeartbeat {
        external_id: external_id.to_owned(),
        slug: spec.slug.clone().unwrap_or_else(|| slug_of(external_id)),
        name: spec.name.clone(),
        spec: text(spec),
        origin: origin.to_owned(),
        state: text(&state),
        alert_after,
    };
    let mut tx = tenant.store().begin().await?;
    let (id, made) = tenant.put_heartbeat(&mut tx, &new, now).await?;
    if !made {
        for mut row in heartbeats::lock(tenant.store(), &mut tx, &[id]).await? {
            let state = state_of(&row)?;
            write_state(&mut row, &state, spec);
            heartbeats::save(&mut tx, &row).await?;
        }
    }
    tx.commit().await?;
    Ok((id, made))
}

/// Pauses a heartbeat; an open incident of it is over. `false` when it is paused already.
pub async fn pause(tenant: &Tenant, id: Id, now: Timestamp) -> Result<bool, StoreError> {
    change(tenant, id, now, |state| {
        let was = state.status != super::core::Status::Paused;
        state.pause();
        was
    })
    .await
}

/// Resumes a heartbeat as new. `false` when it is not paused.
pub async fn resume(tenant: &Tenant, id: Id, now: Timestamp) -> Result<bool, StoreError> {
    change(tenant, id, now, |state| state.resume(now)).await
}

/// Removes a heartbeat with its history; an open incident of it is over.
pub async fn delete(tenant: &Tenant, id: Id, now: Timestamp) -> Result<(), StoreError> {
    tenant.heartbeat(id).await?;
    let mut tx = tenant.store().begin().await?;
    for row in heartbeats::lock(tenant.store(), &mut tx, &[id]).await? {
        close(&mut tx, &row, now, "the heartbeat was removed").await?;
    }
    tenant.delete_heartbeat(&mut tx, id).await?;
    tx.commit().await
}

async fn change(
    tenant: &Tenant,
    id: Id,
    now: Timestamp,
    how: impl FnOnce(&mut State) -> bool,
) -> Result<bool, StoreError> {
    // That it belongs to the organisation is asked here; the lock goes by id alone.
    tenant.heartbeat(id).await?;
    let mut tx = tenant.store().begin().await?;
    let rows = heartbeats::lock(tenant.store(), &mut tx, &[id]).await?;
    let mut row = rows.into_iter().next().ok_or(StoreError::Missing { what: "heartbeat" })?;
    let spec = spec_of(&row)?;
    let mut state = state_of(&row)?;
    let changed = how(&mut state);
    if changed {
        close(&mut tx, &row, now, "the heartbeat was paused").await?;
        row.incident = None;
        write_state(&mut row, &state, &spec);
        heartbeats::save(&mut tx, &row).await?;
    }
    tx.commit().await?;
    Ok(changed)
}

async fn close(tx: &mut Tx, row: &HeartbeatRow, now: Timestamp, say: &str) -> Result<(), StoreError> {
    let Some(incident) = row.incident else { return Ok(()) };
    let changed = tx
        .execute(
            "UPDATE incidents SET status = 'resolved', resolved_us = $3, version = version + 1
             WHERE id = $1 AND org_id = $2 AND resolved_us IS NULL",
            params![incident, row.org, now],
        )
        .await?;
    if changed == 1 {
        note(tx, row.org, incident, now, "resolved", None, say).await?;
    }
    Ok(())
}

/// The specification of a stored heartbeat.
pub(super) fn spec_of(row: &HeartbeatRow) -> Result<HeartbeatSpec, StoreError> {
    serde_json::from_str(&row.spec).map_err(|e| broken("spec", &e))
}

/// The state of a stored heartbeat.
pub(super) fn state_of(row: &HeartbeatRow) -> Result<State, StoreError> {
    serde_json::from_str(&row.state).map_err(|e| broken("state", &e))
}

/// Puts a state into a row, with everything that is computed from it.
pub(super) fn write_state(row: &mut HeartbeatRow, state: &State, spec: &HeartbeatSpec) {
    row.status = state.status.word().to_owned();
    row.last_ping = state.last_ping;
    row.alert_after =
        spec.schedule().ok().and_then(|schedule| state.deadline(spec, &schedule)).map(|deadline| deadline.at);
    row.state = text(state);
}

fn broken(column: &str, error: &serde_json::Error) -> StoreError {
    StoreError::Column { column: column.to_owned(), problem: format!("holds JSON of another shape: {error}") }
}

fn text<T: serde::Serialize>(value: &T) -> String {
    match json(value) {
        landfall_store::Value::Text(text) => text,
        _ => String::new(),
    }
}

/// A slug out of an external id, which may hold more kinds of characters.
pub(super) fn slug_of(external_id: &str) -> String {
    let plain = |c: char| if c.is_ascii_alphanumeric() || c == '_' { c.to_ascii_lowercase() } else { '-' };
    external_id.chars().map(plain).take(100).collect()
}
