//! Sums over results by minute, hour and day.
//!
//! A bucket is always computed anew from the results themselves, so doing it twice changes nothing, and a result that
//! arrives late only has its bucket computed once more.

use std::collections::BTreeMap;

use jiff::Timestamp;

use crate::{Id, OrgId, Row, Store, StoreError, Tx, params};

/// The length of buckets.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Grain {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

impl Grain {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }

    /// Its length in microseconds.
    pub fn us(self) -> i64 {
        match self {
            Self::Minute => 60_000_000,
            Self::Hour => 3_600_000_000,
            Self::Day => 86_400_000_000,
        }
    }

    /// The bucket that a moment lies in.
    pub fn bucket(self, at: Timestamp) -> Timestamp {
        let us = at.as_microsecond();
        Timestamp::from_microsecond(us - us.rem_euclid(self.us())).unwrap_or(at)
    }
}

/// Sums.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sums {
    /// Results that were up.
    pub up: u64,
    /// Degraded.
    pub degraded: u64,
    /// Down.
    pub down: u64,
    /// That could not be told.
    pub inconclusive: u64,
    /// In a maintenance window, whatever they said.
    pub maintenance: u64,
    /// Ticks at which nothing was checked.
    pub missed: u64,
    /// The sum of their durations, in microseconds.
    pub took_sum_us: u64,
    /// How many durations that are.
    pub took_count: u64,
    /// The longest of them.
    pub took_max_us: u64,
}

impl Sums {
    /// Share up or degraded among conclusive results, 0 to 1; none without a conclusive result.
    pub fn uptime(&self) -> Option<f64> {
        let good = self.up + self.degraded;
        let all = good + self.down;
        (all > 0).then(|| good as f64 / all as f64)
    }

    /// Adds a result.
    pub fn add(&mut self, outcome: &str, took_us: u64, in_maintenance: bool) {
        match outcome {
            _ if in_maintenance => self.maintenance += 1,
            "up" => self.up += 1,
            "degraded" => self.degraded += 1,
            "down" => self.down += 1,
            "missed" => self.missed += 1,
            _ => self.inconclusive += 1,
        }
        if matches!(outcome, "up" | "degraded") && !in_maintenance {
            self.took_sum_us += took_us;
            self.took_count += 1;
            self.took_max_us = self.took_max_us.max(took_us);
        }
    }

    /// Adds other sums.
    pub fn merge(&mut self, other: &Self) {
        self.up += other.up;
        self.degraded += other.degraded;
        self.down += other.down;
        self.inconclusive += other.inconclusive;
        self.maintenance += other.maintenance;
        self.missed += other.missed;
        self.took_sum_us += other.took_sum_us;
        self.took_count += other.took_count;
        self.took_max_us = self.took_max_us.max(other.took_max_us);
    }

    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            up: row.count("up")?,
            degraded: row.count("degraded")?,
            down: row.count("down")?,
            inconclusive: row.count("inconclusive")?,
            maintenance: row.count("maintenance")?,
            missed: row.count("missed")?,
            took_sum_us: row.count("took_sum_us")?,
            took_count: row.count("took_count")?,
            took_max_us: row.count("took_max_us")?,
        })
    }
}

/// A bucket of a monitor that results fell into.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Touched {
    /// The monitor.
    pub monitor: Id,
    /// Whose it is.
    pub org: OrgId,
    /// When the bucket begins.
    pub bucket: Timestamp,
}

/// The newest result's id; ids sort by the time of writing.
///
/// # Errors
/// When the database fails; likewise for all that follow.
pub async fn newest_result(store: &Store) -> Result<Option<Id>, StoreError> {
    let row = store.query_opt("SELECT max(id) AS id FROM results", &[]).await?;
    row.map_or(Ok(None), |r| r.opt_id("id"))
}

/// Buckets into which results fell whose ids lie in `(after, until]`, of results at or after `oldest`.
pub async fn touched(
    store: &Store,
    grain: Grain,
    after: &str,
    until: Id,
    oldest: Timestamp,
) -> Result<Vec<Touched>, StoreError> {
    let rows = store
        .query(
            "SELECT DISTINCT monitor_id, org_id, (scheduled_us / $1) * $1 AS bucket_us FROM results
             WHERE id > $2 AND id <= $3 AND scheduled_us >= $4 ORDER BY monitor_id, bucket_us",
            params![grain.us(), after, until, oldest],
        )
        .await?;
    rows.iter()
        .map(|r| {
            Ok(Touched { monitor: r.id("monitor_id")?, org: r.org("org_id")?, bucket: r.time("bucket_us")? })
        })
        .collect()
}

/// Computes all buckets anew into which results fell whose ids lie in `(after, until]`, in one statement and without
/// regard to maintenance: how many.
pub async fn recompute(
    store: &Store,
    grain: Grain,
    after: &str,
    until: Id,
    oldest: Timestamp,
) -> Result<u64, StoreError> {
    store
        .execute(
            "INSERT INTO rollups (monitor_id, org_id, grain, bucket_us, up, degraded, down, inconclusive, maintenance,
                                  missed, took_sum_us, took_count, took_max_us)
             SELECT r.monitor_id, r.org_id, CAST($5 AS TEXT), t.bucket_us,
                    CAST(sum(CASE WHEN r.outcome = 'up' THEN 1 ELSE 0 END) AS BIGINT),
                    CAST(sum(CASE WHEN r.outcome = 'degraded' THEN 1 ELSE 0 END) AS BIGINT),
                    CAST(sum(CASE WHEN r.outcome = 'down' THEN 1 ELSE 0 END) AS BIGINT),
                    CAST(sum(CASE WHEN r.outcome NOT IN ('up', 'degraded', 'down', 'missed') THEN 1 ELSE 0 END) AS BIGINT),
                    0,
                    CAST(sum(CASE WHEN r.outcome = 'missed' THEN 1 ELSE 0 END) AS BIGINT),
                    CAST(sum(CASE WHEN r.outcome IN ('up', 'degraded') THEN r.took_us ELSE 0 END) AS BIGINT),
                    CAST(sum(CASE WHEN r.outcome IN ('up', 'degraded') THEN 1 ELSE 0 END) AS BIGINT),
                    CAST(max(CASE WHEN r.outcome IN ('up', 'degraded') THEN r.took_us ELSE 0 END) AS BIGINT)
             FROM results r
             JOIN (SELECT DISTINCT monitor_id, (scheduled_us / $1) * $1 AS bucket_us FROM results
                   WHERE id > $2 AND id <= $3 AND scheduled_us >= $4) t
               ON t.monitor_id = r.monitor_id AND r.scheduled_us >= t.bucket_us AND r.scheduled_us < t.bucket_us + $1
             WHERE 1 = 1
             GROUP BY r.monitor_id, r.org_id, t.bucket_us
             ON CONFLICT (monitor_id, grain, bucket_us) DO UPDATE SET
                up = excluded.up, degraded = excluded.degraded, down = excluded.down,
                inconclusive = excluded.inconclusive, maintenance = excluded.maintenance, missed = excluded.missed,
                took_sum_us = excluded.took_sum_us, took_count = excluded.took_count, took_max_us = excluded.took_max_us",
            params![grain.us(), after, until, oldest, grain.word()],
        )
        .await
}

/// Computes one bucket anew, counting apart what falls into maintenance.
pub async fn recompute_one(
    store: &Store,
    grain: Grain,
    touched: &Touched,
    in_maintenance: &(dyn Fn(Timestamp) -> bool + Sync),
) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    let from = touched.bucket.as_microsecond();
    let rows = tx
        .query(
            "SELECT scheduled_us, outcome, took_us FROM results
             WHERE monitor_id = $1 AND org_id = $2 AND scheduled_us >= $3 AND scheduled_us < $4",
            params![touched.monitor, touched.org, from, from + grain.us()],
        )
        .await?;
    let mut sums = Sums::default();
    for row in &rows {
        let at = row.time("scheduled_us")?;
        sums.add(&row.text("outcome")?, row.count("took_us")?, in_maintenance(at));
    }
    write(&mut tx, grain, touched, &sums).await?;
    tx.commit().await
}

async fn write(tx: &mut Tx, grain: Grain, touched: &Touched, sums: &Sums) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO rollups (monitor_id, org_id, grain, bucket_us, up, degraded, down, inconclusive, maintenance,
                              missed, took_sum_us, took_count, took_max_us)
         VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)
         ON CONFLICT (monitor_id, grain, bucket_us) DO UPDATE SET
            up = excluded.up, degraded = excluded.degraded, down = excluded.down,
            inconclusive = excluded.inconclusive, maintenance = excluded.maintenance, missed = excluded.missed,
            took_sum_us = excluded.took_sum_us, took_count = excluded.took_count, took_max_us = excluded.took_max_us",
        params![
            touched.monitor,
            touched.org,
            grain.word(),
            touched.bucket,
            sums.up,
            sums.degraded,
            sums.down,
            sums.inconclusive,
            sums.maintenance,
            sums.missed,
            sums.took_sum_us,
            sums.took_count,
            sums.took_max_us
        ],
    )
    .await?;
    Ok(())
}

/// Sums over a span of buckets, by monitor, of one organisation; for the server's own work.
pub async fn sums(
    store: &Store,
    org: OrgId,
    grain: Grain,
    from: Timestamp,
    to: Timestamp,
) -> Result<BTreeMap<Id, Sums>, StoreError> {
    let rows = store
        .query(
            "SELECT monitor_id, CAST(sum(up) AS BIGINT) AS up, CAST(sum(degraded) AS BIGINT) AS degraded,
                    CAST(sum(down) AS BIGINT) AS down, CAST(sum(inconclusive) AS BIGINT) AS inconclusive,
                    CAST(sum(maintenance) AS BIGINT) AS maintenance, CAST(sum(missed) AS BIGINT) AS missed,
                    CAST(sum(took_sum_us) AS BIGINT) AS took_sum_us, CAST(sum(took_count) AS BIGINT) AS took_count,
                    CAST(max(took_max_us) AS BIGINT) AS took_max_us
             FROM rollups WHERE org_id = $1 AND grain = $2 AND bucket_us >= $3 AND bucket_us < $4 GROUP BY monitor_id",
            params![org, grain.word(), from, to],
        )
        .await?;
    rows.iter().map(|r| Ok((r.id("monitor_id")?, Sums::of(r)?))).collect()
}

/// Organisations that have maintenance windows, with the windows' specifications as JSON.
pub async fn windows(store: &Store) -> Result<Vec<(OrgId, String)>, StoreError> {
    let rows = store.query("SELECT org_id, spec FROM windows ORDER BY org_id, id", &[]).await?;
    rows.iter().map(|r| Ok((r.org("org_id")?, r.text("spec")?))).collect()
}

/// Removes at most `limit` buckets of a grain that begin before a moment.
pub async fn remove_aged(
    store: &Store,
    grain: Grain,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let sql = match store.kind() {
        "SQLite" => {
            "DELETE FROM rollups WHERE rowid IN (SELECT rowid FROM rollups WHERE grain = $1 AND bucket_us < $2 LIMIT $3)"
        }
        _ => {
            "DELETE FROM rollups WHERE ctid IN (SELECT ctid FROM rollups WHERE grain = $1 AND bucket_us < $2 LIMIT $3)"
        }
    };
    store.execute(sql, params![grain.word(), before, limit]).await
}
