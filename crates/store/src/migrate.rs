//! The schema, step by step. The same texts run on both databases; a step is never changed once it has been released.

use crate::value::Value;
use crate::{Store, StoreError, params};

/// Steps in order: number, name, SQL.
const STEPS: &[(i64, &str, &str)] = &[
    (1, "core", include_str!("../migrations/0001_core.sql")),
    (2, "notify", include_str!("../migrations/0002_notify.sql")),
    (3, "accounts", include_str!("../migrations/0003_accounts.sql")),
    (4, "heartbeats and jobs", include_str!("../migrations/0004_heartbeats_jobs.sql")),
    (5, "billing and support", include_str!("../migrations/0005_billing_support.sql")),
    (6, "pages", include_str!("../migrations/0006_pages.sql")),
    (7, "requests", include_str!("../migrations/0007_requests.sql")),
];

impl Store {
    /// The newest step of the schema that the database has, and the newest that this version knows. Reads the database.
    ///
    /// # Errors
    /// When it does not answer.
    pub async fn levels(&self) -> Result<(i64, i64), StoreError> {
        let known = STEPS.iter().map(|s| s.0).max().unwrap_or(0);
        let row = self.query_opt("SELECT max(step) AS step FROM schema_steps", params![]).await?;
        Ok((row.map(|r| r.opt_int("step")).transpose()?.flatten().unwrap_or(0), known))
    }
}

pub(crate) async fn run(store: &Store) -> Result<(), StoreError> {
    let mut tx = store.begin().await?;
    if store.kind() == "PostgreSQL" {
        // Two servers that start together take turns: the second finds the work done.
        tx.query("SELECT pg_advisory_xact_lock(7316045129)::text AS locked", &[]).await?;
    }
    tx.batch("CREATE TABLE IF NOT EXISTS schema_steps (step BIGINT PRIMARY KEY, name TEXT NOT NULL, at_us BIGINT NOT NULL)")
        .await?;
    let done = tx.query("SELECT step FROM schema_steps", &[]).await?;
    let done: Vec<i64> = done.iter().map(|r| r.int("step")).collect::<Result<_, _>>()?;
    let known = STEPS.iter().map(|s| s.0).max().unwrap_or(0);
    if let Some(found) = done.iter().copied().filter(|d| *d > known).max() {
        return Err(StoreError::Newer { found, known });
    }
    for (step, name, sql) in STEPS.iter().filter(|s| !done.contains(&s.0)) {
        tx.batch(sql).await?;
        tx.execute(
            "INSERT INTO schema_steps (step, name, at_us) VALUES ($1, $2, $3)",
            params![*step, *name, Value::from(jiff::Timestamp::now())],
        )
        .await?;
    }
    tx.commit().await
}
