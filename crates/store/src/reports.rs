//! Audits, asked for and read by the organisation that they belong to.

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::accounts::before;
use crate::{Id, OrgId, Page, Row, StoreError, Tenant, Tx, params};

/// An audit, without its report and evidence.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReportRow {
    /// Its id.
    pub id: Id,
    /// `queued`, `running`, `done`, `failed`.
    pub status: String,
    /// The production URL.
    pub target: String,
    /// The monitor that it was made for.
    pub monitor: Option<Id>,
    /// The incident that it was made for.
    pub incident: Option<Id>,
    /// When it was asked for.
    pub created: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// `live`, `degraded`, `not-live`, `unknown`.
    pub verdict: Option<String>,
    /// One sentence.
    pub summary: Option<String>,
    /// The first cause.
    pub cause: Option<String>,
    /// Why there is no report.
    pub problem: Option<String>,
}

const COLUMNS: &str =
    "id, status, target, monitor_id, incident_id, created_us, ended_us, verdict, summary, cause_id, problem";

impl ReportRow {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id("id")?,
            status: row.text("status")?,
            target: row.text("target")?,
            monitor: row.opt_id("monitor_id")?,
            incident: row.opt_id("incident_id")?,
            created: row.time("created_us")?,
            ended: row.opt_time("ended_us")?,
            verdict: row.opt_text("verdict")?,
            summary: row.opt_text("summary")?,
            cause: row.opt_text("cause_id")?,
            problem: row.opt_text("problem")?,
        })
    }
}

// The watch's own audits belong to an incident.
const AUDITS_SINCE: &str =
    "SELECT count(*) AS n FROM reports WHERE org_id = $1 AND incident_id IS NULL AND created_us >= $2";

/// How many audits were asked for since a moment, within a transaction that is about to add one.
///
/// # Errors
/// When the database fails.
pub async fn audits_since(tx: &mut Tx, org: OrgId, since: Timestamp) -> Result<u64, StoreError> {
    let row = tx.query_opt(AUDITS_SINCE, params![org, since]).await?;
    row.map_or(Ok(0), |r| r.count("n"))
}

impl Tenant {
    /// Audits, newest first.
    ///
    /// # Errors
    /// When the database fails; likewise for all that follow.
    pub async fn reports(&self, monitor: Option<Id>, page: Page) -> Result<Vec<ReportRow>, StoreError> {
        let rows = self
            .store
            .query(
                &format!(
                    "SELECT {COLUMNS} FROM reports WHERE org_id = $1 AND id < $2 AND ($3 = '' OR monitor_id = $3)
                     ORDER BY id DESC LIMIT $4"
                ),
                params![
                    self.org,
                    before(page),
                    monitor.map_or_else(String::new, |m| m.to_string()),
                    page.fetch()
                ],
            )
            .await?;
        rows.iter().map(ReportRow::of).collect()
    }

    /// One audit and its report.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the organisation has none.
    pub async fn report(&self, id: Id) -> Result<(ReportRow, Option<Json>), StoreError> {
        let row = self
            .store
            .query_opt(
                &format!("SELECT {COLUMNS}, report FROM reports WHERE org_id = $1 AND id = $2"),
                params![self.org, id],
            )
            .await?
            .ok_or(StoreError::Missing { what: "report" })?;
        Ok((ReportRow::of(&row)?, row.opt_json("report")?))
    }

    /// The masked evidence that a report was made from, as JSON text.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is no such report, or none yet.
    pub async fn evidence(&self, id: Id) -> Result<String, StoreError> {
        self.store
            .query_opt(
                "SELECT evidence FROM reports WHERE org_id = $1 AND id = $2 AND evidence IS NOT NULL",
                params![self.org, id],
            )
            .await?
            .ok_or(StoreError::Missing { what: "evidence" })?
            .text("evidence")
    }

    /// How many audits of the organisation wait or run.
    pub async fn reports_waiting(&self) -> Result<u64, StoreError> {
        self.store
            .query_opt(
                "SELECT count(*) AS n FROM reports WHERE org_id = $1 AND status IN ('queued', 'running')",
                params![self.org],
            )
            .await?
            .ok_or(StoreError::Conflict)?
            .count("n")
    }

    /// How many audits were asked for by people and keys since a moment, for the plan's limit.
    pub async fn audits_since(&self, since: Timestamp) -> Result<u64, StoreError> {
        let row = self.store.query_opt(AUDITS_SINCE, params![self.org, since]).await?;
        row.map_or(Ok(0), |r| r.count("n"))
    }

    /// Queues an audit; the watch makes it. `shown` is the target as the audit log may have it.
    pub async fn queue_report(
        &self,
        target: &str,
        shown: &str,
        monitor: Option<Id>,
        actor: &str,
        now: Timestamp,
    ) -> Result<Id, StoreError> {
        let id = Id::new();
        let mut tx = self.store.begin().await?;
        tx.execute(
            "INSERT INTO reports (id, org_id, monitor_id, status, target, requested_by, created_us)
             VALUES ($1, $2, $3, 'queued', $4, $5, $6)",
            params![id, self.org, monitor, target, actor, now],
        )
        .await?;
        self.note(
            &mut tx,
            actor,
            "created",
            "report",
            Some(id),
            &format!("asked for an audit of {shown}"),
            now,
        )
        .await?;
        tx.commit().await?;
        Ok(id)
    }
}
