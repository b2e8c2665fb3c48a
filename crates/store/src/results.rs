//! Results and their sums, read by the organisation that they belong to.

use std::collections::HashMap;

use jiff::Timestamp;

use crate::{Id, Page, Row, StoreError, Tenant, params};

/// One result.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultRow {
    /// Its id.
    pub id: Id,
    /// The tick that it belongs to.
    pub scheduled: Timestamp,
    /// Which try of the tick it was.
    pub attempt: i64,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in microseconds.
    pub took_us: i64,
    /// `up`, `degraded`, `down`, `inconclusive`, `missed`.
    pub outcome: String,
    /// Why it was not up.
    pub reason: Option<String>,
    /// In words.
    pub say: String,
    /// HTTP status.
    pub status: Option<i64>,
    /// Phases in microseconds: resolve, connect, tls, wait, transfer.
    pub phases_us: [Option<i64>; 5],
}

/// Sums over the results of one minute, hour or day.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Bucket {
    /// When it begins.
    pub from: Timestamp,
    /// Results by outcome.
    pub up: u64,
    /// Slow or otherwise degraded.
    pub degraded: u64,
    /// Failed.
    pub down: u64,
    /// Could not be told.
    pub inconclusive: u64,
    /// In a maintenance window.
    pub maintenance: u64,
    /// Not checked.
    pub missed: u64,
    /// Sum of durations in microseconds, over [`Self::took_count`] results.
    pub took_sum_us: u64,
    /// How many results the sum is over.
    pub took_count: u64,
    /// The longest, in microseconds.
    pub took_max_us: u64,
}

impl Bucket {
    /// Share up or degraded among conclusive results; `None` when there was none.
    pub fn uptime(&self) -> Option<f64> {
        let good = self.up + self.degraded;
        let all = good + self.down;
        (all > 0).then(|| good as f64 / all as f64)
    }

    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            from: row.time("bucket_us")?,
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

/// The width of a bucket.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Grain {
    /// A minute.
    Minute,
    /// An hour.
    Hour,
    /// A day, in UTC.
    Day,
}

impl Grain {
    /// Its word in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::Minute => "minute",
            Self::Hour => "hour",
            Self::Day => "day",
        }
    }
}

impl ResultRow {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id("id")?,
            scheduled: row.time("scheduled_us")?,
            attempt: row.int("attempt")?,
            started: row.time("started_us")?,
            took_us: row.int("took_us")?,
            outcome: row.text("outcome")?,
            reason: row.opt_text("reason")?,
            say: row.text("say")?,
            status: row.opt_int("status")?,
            phases_us: [
                row.opt_int("resolve_us")?,
                row.opt_int("connect_us")?,
                row.opt_int("tls_us")?,
                row.opt_int("wait_us")?,
                row.opt_int("transfer_us")?,
            ],
        })
    }
}

const COLUMNS: &str = "id, scheduled_us, attempt, started_us, took_us, outcome, reason, say, status,
    resolve_us, connect_us, tls_us, wait_us, transfer_us";
const SUMS: &str =
    "bucket_us, up, degraded, down, inconclusive, maintenance, missed, took_sum_us, took_count, took_max_us";

impl Tenant {
    /// Results of a monitor, newest first. The keyset is the tick and the attempt, by the result's id.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when `after` is no result of this monitor; otherwise when the database fails, and
    /// likewise for all that follow.
    pub async fn results(&self, monitor: Id, page: Page) -> Result<Vec<ResultRow>, StoreError> {
        // The order is that of the unique index, so that a page reads its own rows only.
        let rows = match page.after {
            None => {
                self.store
                    .query(
                        &format!(
                            "SELECT {COLUMNS} FROM results WHERE org_id = $1 AND monitor_id = $2
                             ORDER BY scheduled_us DESC, attempt DESC LIMIT $3"
                        ),
                        params![self.org, monitor, page.fetch()],
                    )
                    .await?
            }
            Some(after) => {
                let last = self
                    .store
                    .query_opt(
                        "SELECT scheduled_us, attempt FROM results WHERE id = $1 AND org_id = $2 AND monitor_id = $3",
                        params![after, self.org, monitor],
                    )
                    .await?
                    .ok_or(StoreError::Missing { what: "result" })?;
                self.store
                    .query(
                        &format!(
                            "SELECT {COLUMNS} FROM results WHERE org_id = $1 AND monitor_id = $2
                             AND (scheduled_us < $3 OR (scheduled_us = $3 AND attempt < $4))
                             ORDER BY scheduled_us DESC, attempt DESC LIMIT $5"
                        ),
                        params![
                            self.org,
                            monitor,
                            last.int("scheduled_us")?,
                            last.int("attempt")?,
                            page.fetch()
                        ],
                    )
                    .await?
            }
        };
        rows.iter().map(ResultRow::of).collect()
    }

    /// Buckets of a monitor that begin in `from..until`, oldest first, at most `limit`.
    pub async fn buckets(
        &self,
        monitor: Id,
        grain: Grain,
        from: Timestamp,
        until: Timestamp,
        limit: u32,
    ) -> Result<Vec<Bucket>, StoreError> {
        let rows = self
            .store
            .query(
                &format!(
                    "SELECT {SUMS} FROM rollups WHERE org_id = $1 AND monitor_id = $2 AND grain = $3
                     AND bucket_us >= $4 AND bucket_us < $5 ORDER BY bucket_us LIMIT $6"
                ),
                params![self.org, monitor, grain.word(), from, until, limit],
            )
            .await?;
        rows.iter().map(Bucket::of).collect()
    }

    /// The sum over all buckets of a monitor that begin in `from..until`.
    pub async fn bucket_sum(
        &self,
        monitor: Id,
        grain: Grain,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<Bucket, StoreError> {
        let mut sums = self.sums("AND monitor_id = $5", grain, from, until, Some(monitor)).await?;
        Ok(sums.remove(&monitor).unwrap_or(Bucket { from, ..Bucket::default() }))
    }

    /// The sums of all monitors of the organisation over buckets that begin in `from..until`.
    pub async fn bucket_sums(
        &self,
        grain: Grain,
        from: Timestamp,
        until: Timestamp,
    ) -> Result<HashMap<Id, Bucket>, StoreError> {
        self.sums("", grain, from, until, None).await
    }

    async fn sums(
        &self,
        which: &str,
        grain: Grain,
        from: Timestamp,
        until: Timestamp,
        monitor: Option<Id>,
    ) -> Result<HashMap<Id, Bucket>, StoreError> {
        let sum = |c: &str| format!("CAST(sum({c}) AS BIGINT) AS {c}");
        let sums =
            ["up", "degraded", "down", "inconclusive", "maintenance", "missed", "took_sum_us", "took_count"]
                .map(sum)
                .join(", ");
        let mut params = params![self.org, grain.word(), from, until].to_vec();
        params.extend(monitor.map(Into::into));
        let rows = self
            .store
            .query(
                &format!(
                    "SELECT monitor_id, min(bucket_us) AS bucket_us, {sums}, max(took_max_us) AS took_max_us FROM rollups
                     WHERE org_id = $1 AND grain = $2 AND bucket_us >= $3 AND bucket_us < $4 {which} GROUP BY monitor_id"
                ),
                &params,
            )
            .await?;
        rows.iter().map(|r| Ok((r.id("monitor_id")?, Bucket::of(r)?))).collect()
    }

    /// Uptime of each monitor over the hours since `from`, for those between two ids (a page of a list).
    pub async fn uptimes(
        &self,
        first: Id,
        last: Id,
        from: Timestamp,
    ) -> Result<HashMap<Id, f64>, StoreError> {
        let rows = self
            .store
            .query(
                // Minutes stand in where the hours do not reach yet: a young monitor, or an hour that was not summed up.
                "SELECT r.monitor_id, CAST(sum(r.up + r.degraded) AS BIGINT) AS good,
                        CAST(sum(r.up + r.degraded + r.down) AS BIGINT) AS told
                 FROM rollups r
                 LEFT JOIN (SELECT monitor_id, max(bucket_us) + 3600000000 AS until_us FROM rollups
                            WHERE org_id = $1 AND grain = 'hour' AND monitor_id >= $3 AND monitor_id <= $4
                            GROUP BY monitor_id) h ON h.monitor_id = r.monitor_id
                 WHERE r.org_id = $1 AND r.bucket_us >= $2 AND r.monitor_id >= $3 AND r.monitor_id <= $4
                   AND (r.grain = 'hour' OR (r.grain = 'minute' AND r.bucket_us >= COALESCE(h.until_us, 0)))
                 GROUP BY r.monitor_id",
                params![self.org, from, first, last],
            )
            .await?;
        let mut found = HashMap::new();
        for row in &rows {
            let told = row.count("told")?;
            if told > 0 {
                found.insert(row.id("monitor_id")?, row.count("good")? as f64 / told as f64);
            }
        }
        Ok(found)
    }

    /// A kept capture of an incident, by its kind: `first-failure`, `last-good`, …
    pub async fn captures(&self, incident: Id) -> Result<Vec<Capture>, StoreError> {
        let rows = self
            .store
            .query(
                "SELECT id, monitor_id, kind, at_us, body FROM captures WHERE org_id = $1 AND incident_id = $2
                 ORDER BY at_us, id LIMIT 100",
                params![self.org, incident],
            )
            .await?;
        rows.iter()
            .map(|r| {
                Ok(Capture {
                    id: r.id("id")?,
                    monitor: r.opt_id("monitor_id")?,
                    kind: r.text("kind")?,
                    at: r.time("at_us")?,
                    body: r.json("body")?,
                })
            })
            .collect()
    }
}

/// Kept evidence.
#[derive(Debug, Clone, PartialEq)]
pub struct Capture {
    /// Its id.
    pub id: Id,
    /// The monitor that it is of.
    pub monitor: Option<Id>,
    /// What it is of.
    pub kind: String,
    /// When it was taken.
    pub at: Timestamp,
    /// What was seen, masked.
    pub body: serde_json::Value,
}
