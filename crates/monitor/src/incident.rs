//! Incidents: what people do with them. What the watch itself does with them is in `engine`.

use jiff::Timestamp;
use landfall_store::{Id, OrgId, Store, StoreError, Tx, params};

/// Writes one line into an incident's timeline.
///
/// # Errors
/// When the database fails.
pub async fn note(
    tx: &mut Tx,
    org: OrgId,
    incident: Id,
    at: Timestamp,
    kind: &str,
    actor: Option<&str>,
    say: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO incident_events (id, incident_id, org_id, at_us, kind, actor, say) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![Id::new(), incident, org, at, kind, actor, say],
    )
    .await?;
    Ok(())
}

/// Acknowledges an incident: reminders stop, and the timeline says who it was. `false` when it was acknowledged already
/// or is over; that is no error.
///
/// # Errors
/// [`StoreError::Missing`] when the organisation has no such incident.
pub async fn acknowledge(
    store: &Store,
    org: OrgId,
    incident: Id,
    actor: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let mut tx = store.begin().await?;
    let changed = acknowledge_in(&mut tx, org, incident, actor, now).await?;
    tx.commit().await?;
    Ok(changed)
}

/// [`acknowledge`] in a transaction of the caller's.
///
/// # Errors
/// As there.
pub async fn acknowledge_in(
    tx: &mut Tx,
    org: OrgId,
    incident: Id,
    actor: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let known = tx
        .query_opt("SELECT id FROM incidents WHERE id = $1 AND org_id = $2", params![incident, org])
        .await?;
    if known.is_none() {
        return Err(StoreError::Missing { what: "incident" });
    }
    let changed = tx
        .execute(
            "UPDATE incidents SET acked_us = $3, acked_by = $4, version = version + 1
             WHERE id = $1 AND org_id = $2 AND acked_us IS NULL AND resolved_us IS NULL",
            params![incident, org, now, actor],
        )
        .await?;
    if changed == 1 {
        note(tx, org, incident, now, "acknowledged", Some(actor), &format!("{actor} acknowledged it"))
            .await?;
    }
    Ok(changed == 1)
}

/// Adds somebody's words to an incident's timeline.
///
/// # Errors
/// [`StoreError::Missing`] when the organisation has no such incident.
pub async fn comment(
    store: &Store,
    org: OrgId,
    incident: Id,
    actor: &str,
    say: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    let known = tx
        .query_opt("SELECT id FROM incidents WHERE id = $1 AND org_id = $2", params![incident, org])
        .await?;
    if known.is_none() {
        return Err(StoreError::Missing { what: "incident" });
    }
    note(&mut tx, org, incident, now, "comment", Some(actor), say).await?;
    tx.commit().await
}
