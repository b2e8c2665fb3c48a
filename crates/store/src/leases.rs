//! Who may do a thing alone. A lease passes on when its holder stops renewing it.

use std::time::Duration;

use jiff::Timestamp;

use crate::{Store, StoreError, params};

/// Takes or renews a lease: `true` when `owner` holds it until `now + hold`.
///
/// # Errors
/// When the database fails; the lease must then be taken for lost.
pub async fn hold(
    store: &Store,
    name: &str,
    owner: &str,
    now: Timestamp,
    hold: Duration,
) -> Result<bool, StoreError> {
    let until = until(now, hold);
    let mut tx = store.begin().await?;
    let rows = tx
        .query(
            "INSERT INTO leases (name, owner, until_us) VALUES ($1, $2, $3)
             ON CONFLICT (name) DO UPDATE SET owner = $2, until_us = $3
             WHERE leases.owner = $2 OR leases.until_us <= $4 RETURNING owner",
            params![name, owner, until, now],
        )
        .await?;
    tx.commit().await?;
    Ok(!rows.is_empty())
}

/// Gives a lease up, if `owner` holds it.
///
/// # Errors
/// When the database fails.
pub async fn release(store: &Store, name: &str, owner: &str) -> Result<(), StoreError> {
    store.execute("DELETE FROM leases WHERE name = $1 AND owner = $2", params![name, owner]).await?;
    Ok(())
}

/// Who holds which leases whose names begin with `prefix`, and until when.
///
/// # Errors
/// When the database fails.
pub async fn held(store: &Store, prefix: &str) -> Result<Vec<(String, String, Timestamp)>, StoreError> {
    let rows = store
        .query(
            "SELECT name, owner, until_us FROM leases WHERE substr(name, 1, length($1)) = $1 ORDER BY name",
            params![prefix],
        )
        .await?;
    rows.iter().map(|r| Ok((r.text("name")?, r.text("owner")?, r.time("until_us")?))).collect()
}

fn until(now: Timestamp, hold: Duration) -> Timestamp {
    now.checked_add(hold).unwrap_or(Timestamp::MAX)
}
