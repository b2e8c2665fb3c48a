//! Monitors as their organisation sees and changes them. What the watch itself does with them is in the engine.

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::accounts::beyond;
use crate::{Id, Page, Row, StoreError, Tenant, params};

/// A monitor, with what is true of it now.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorRow {
    /// Its id.
    pub id: Id,
    /// The name under which configuration files and scripts know it.
    pub external_id: String,
    /// Its name for people.
    pub name: String,
    /// `http`, `tcp`, `dns`, `tls`, `audit`.
    pub kind: String,
    /// What was declared, with secret values.
    pub spec: Json,
    /// Between two checks, in microseconds.
    pub interval_us: i64,
    /// Whether somebody paused it.
    pub paused: bool,
    /// `file` or `api`.
    pub origin: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// What the watch says, once it has looked.
    pub state: Option<MonitorState>,
}

/// What the watch says of a monitor now.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorState {
    /// `up`, `degraded`, `down`, `inconclusive`, …
    pub verdict: String,
    /// Since when.
    pub since: Timestamp,
    /// When it was last checked.
    pub last_check: Option<Timestamp>,
    /// When it was last up.
    pub last_up: Option<Timestamp>,
    /// How long the last check took, in microseconds.
    pub last_took_us: Option<i64>,
    /// What it said.
    pub say: Option<String>,
    /// Why it was not up.
    pub reason: Option<String>,
    /// The open incident that it is part of.
    pub incident: Option<Id>,
    /// The last tick that was checked or recorded as missed; the epoch when there was none.
    pub tick: Timestamp,
}

/// A monitor to be written.
#[derive(Debug, Clone)]
pub struct PutMonitor<'a> {
    /// The name under which scripts know it.
    pub external_id: &'a str,
    /// Its name for people.
    pub name: &'a str,
    /// `http`, `tcp`, `dns`, `tls`, `audit`.
    pub kind: &'a str,
    /// What was declared.
    pub spec: &'a Json,
    /// Between two checks, in microseconds.
    pub interval_us: i64,
    /// `file` or `api`.
    pub origin: &'a str,
}

/// What must be true of a row for it to be written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Expect {
    /// Nothing.
    #[default]
    Anything,
    /// It is not there yet.
    Absent,
    /// It was last changed then.
    Unchanged(Timestamp),
}

/// What a write did.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Written {
    /// It is new.
    Created,
    /// It was changed.
    Changed,
    /// It was so already.
    Same,
}

/// Which monitors a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct MonitorFilter {
    /// Only with this verdict.
    pub verdict: Option<String>,
    /// Only of this kind.
    pub kind: Option<String>,
    /// Only those whose name, external id or declaration has this text, in lower case.
    pub text: Option<String>,
}

const COLUMNS: &str = "m.id, m.external_id, m.name, m.kind, m.spec, m.interval_us, m.paused, m.origin, m.created_us, m.updated_us,
    s.verdict, s.since_us, s.last_check_us, s.last_up_us, s.last_took_us, s.last_say, s.last_reason, s.incident_id, s.tick_us";
const FROM: &str = "FROM monitors m LEFT JOIN monitor_states s ON s.monitor_id = m.id";

/// The verdict as a list shows it: a paused monitor is paused, one that was never checked is new.
const VERDICT: &str = "CASE WHEN m.paused <> 0 THEN 'paused' ELSE COALESCE(s.verdict, 'new') END";

impl MonitorRow {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let state = match row.opt_text("verdict")? {
            None => None,
            Some(verdict) => Some(MonitorState {
                verdict,
                since: row.time("since_us")?,
                last_check: row.opt_time("last_check_us")?,
                last_up: row.opt_time("last_up_us")?,
                last_took_us: row.opt_int("last_took_us")?,
                say: row.opt_text("last_say")?,
                reason: row.opt_text("last_reason")?,
                incident: row.opt_id("incident_id")?,
                tick: row.time("tick_us")?,
            }),
        };
        Ok(Self {
            id: row.id("id")?,
            external_id: row.text("external_id")?,
            name: row.text("name")?,
            kind: row.text("kind")?,
            spec: row.json("spec")?,
            interval_us: row.int("interval_us")?,
            paused: row.flag("paused")?,
            origin: row.text("origin")?,
            created: row.time("created_us")?,
            updated: row.time("updated_us")?,
            state,
        })
    }
}

impl Tenant {
    /// Monitors in the order of their making, one more than asked when there is a next page.
    ///
    /// # Errors
    /// When the database fails; likewise for all that follow.
    pub async fn monitors(&self, filter: &MonitorFilter, page: Page) -> Result<Vec<MonitorRow>, StoreError> {
        // `strpos` and `instr` differ between the dialects; LIKE with an escape is common to both.
        let text = filter.text.as_deref().map_or_else(|| "%".to_owned(), |t| format!("%{}%", like(t)));
        let rows = self
            .store
            .query(
                &format!(
                    "SELECT {COLUMNS} {FROM} WHERE m.org_id = $1 AND m.deleted_us IS NULL AND m.id > $2
                     AND ($3 = '' OR {VERDICT} = $3) AND ($4 = '' OR m.kind = $4)
                     AND ($5 = '%' OR lower(m.name) LIKE $5 ESCAPE '!' OR lower(m.external_id) LIKE $5 ESCAPE '!')
                     ORDER BY m.id LIMIT $6"
                ),
                params![
                    self.org,
                    beyond(page),
                    filter.verdict.clone().unwrap_or_default(),
                    filter.kind.clone().unwrap_or_default(),
                    text,
                    page.fetch()
                ],
            )
            .await?;
        rows.iter().map(MonitorRow::of).collect()
    }

    /// How many monitors there are, by verdict.
    pub async fn monitor_counts(&self) -> Result<Vec<(String, u64)>, StoreError> {
        let rows = self
            .store
            .query(
                &format!(
                    "SELECT {VERDICT} AS verdict, count(*) AS n {FROM}
                     WHERE m.org_id = $1 AND m.deleted_us IS NULL GROUP BY 1 ORDER BY 1"
                ),
                params![self.org],
            )
            .await?;
        rows.iter().map(|r| Ok((r.text("verdict")?, r.count("n")?))).collect()
    }

    /// One monitor by its id.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the organisation has none.
    pub async fn monitor(&self, id: Id) -> Result<MonitorRow, StoreError> {
        let row = self
            .store
            .query_opt(
                &format!(
                    "SELECT {COLUMNS} {FROM} WHERE m.org_id = $1 AND m.id = $2 AND m.deleted_us IS NULL"
                ),
                params![self.org, id],
            )
            .await?;
        row.as_ref().map(MonitorRow::of).transpose()?.ok_or(StoreError::Missing { what: "monitor" })
    }

    /// One monitor by its external id.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the organisation has none.
    pub async fn monitor_by_external_id(&self, external_id: &str) -> Result<MonitorRow, StoreError> {
        let row = self
            .store
            .query_opt(
                &format!(
                    "SELECT {COLUMNS} {FROM} WHERE m.org_id = $1 AND m.external_id = $2 AND m.deleted_us IS NULL"
                ),
                params![self.org, external_id],
            )
            .await?;
        row.as_ref().map(MonitorRow::of).transpose()?.ok_or(StoreError::Missing { what: "monitor" })
    }

    /// Which of these external ids no monitor has.
    pub async fn unknown_monitors(&self, external_ids: &[String]) -> Result<Vec<String>, StoreError> {
        let mut unknown = Vec::new();
        for id in external_ids {
            let row = self
                .store
                .query_opt(
                    "SELECT id FROM monitors WHERE org_id = $1 AND external_id = $2 AND deleted_us IS NULL",
                    params![self.org, id.as_str()],
                )
                .await?;
            if row.is_none() {
                unknown.push(id.clone());
            }
        }
        Ok(unknown)
    }

    /// Makes a monitor or changes the one with the same external id. The same declaration again changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is not as expected.
    pub async fn put_monitor(
        &self,
        put: &PutMonitor<'_>,
        expect: Expect,
        actor: &str,
        now: Timestamp,
    ) -> Result<(Id, Written), StoreError> {
        let mut tx = self.store.begin().await?;
        let sql = format!(
            "SELECT id, name, spec, origin, updated_us FROM monitors WHERE org_id = $1 AND external_id = $2 {}",
            self.store.for_update()
        );
        let found = tx.query_opt(&sql, params![self.org, put.external_id]).await?;
        let (id, written) = match found {
            None if matches!(expect, Expect::Unchanged(_)) => return Err(StoreError::Conflict),
            None => {
                let id = Id::new();
                tx.execute(
                    "INSERT INTO monitors (id, org_id, external_id, name, kind, spec, interval_us, origin, created_us, updated_us)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)",
                    params![
                        id,
                        self.org,
                        put.external_id,
                        put.name,
                        put.kind,
                        crate::json(put.spec),
                        put.interval_us,
                        put.origin,
                        now
                    ],
                )
                .await?;
                (id, Written::Created)
            }
            Some(row) => {
                if expect == Expect::Absent {
                    return Err(StoreError::Conflict);
                }
                if let Expect::Unchanged(at) = expect
                    && row.time("updated_us")? != at
                {
                    return Err(StoreError::Conflict);
                }
                let id = row.id("id")?;
                let before: Json = row.json("spec")?;
                if before == *put.spec && row.text("origin")? == put.origin {
                    (id, Written::Same)
                } else {
                    tx.execute(
                        "UPDATE monitors SET name = $3, kind = $4, spec = $5, interval_us = $6, origin = $7, updated_us = $8
                         WHERE org_id = $1 AND id = $2",
                        params![
                            self.org,
                            id,
                            put.name,
                            put.kind,
                            crate::json(put.spec),
                            put.interval_us,
                            put.origin,
                            later(row.time("updated_us")?, now)
                        ],
                    )
                    .await?;
                    (id, Written::Changed)
                }
            }
        };
        let action = match written {
            Written::Created => "created",
            Written::Changed => "changed",
            Written::Same => return Ok((id, written)),
        };
        let say = format!("{action} the monitor {}", put.name);
        self.note(&mut tx, actor, action, "monitor", Some(id), &say, now).await?;
        tx.commit().await?;
        Ok((id, written))
    }

    /// Pauses or resumes a monitor: whether that changed anything.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub async fn pause_monitor(
        &self,
        id: Id,
        paused: bool,
        actor: &str,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let mut tx = self.store.begin().await?;
        let sql = format!(
            "SELECT name, paused, updated_us FROM monitors WHERE org_id = $1 AND id = $2 AND deleted_us IS NULL {}",
            self.store.for_update()
        );
        let row = tx
            .query_opt(&sql, params![self.org, id])
            .await?
            .ok_or(StoreError::Missing { what: "monitor" })?;
        if row.flag("paused")? == paused {
            return Ok(false);
        }
        tx.execute(
            "UPDATE monitors SET paused = $3, updated_us = $4 WHERE org_id = $1 AND id = $2",
            params![self.org, id, paused, later(row.time("updated_us")?, now)],
        )
        .await?;
        let action = if paused { "paused" } else { "resumed" };
        let say = format!("{action} the monitor {}", row.text("name")?);
        self.note(&mut tx, actor, action, "monitor", Some(id), &say, now).await?;
        tx.commit().await?;
        Ok(true)
    }

    /// Deletes a monitor. Its history stays until retention takes it; its external id is free again at once.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub async fn delete_monitor(&self, id: Id, actor: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        let row = tx
            .query_opt(
                "UPDATE monitors SET deleted_us = $3, updated_us = $3, external_id = external_id || ' deleted ' || id
                 WHERE org_id = $1 AND id = $2 AND deleted_us IS NULL RETURNING name",
                params![self.org, id, now],
            )
            .await?
            .ok_or(StoreError::Missing { what: "monitor" })?;
        let say = format!("deleted the monitor {}", row.text("name")?);
        self.note(&mut tx, actor, "deleted", "monitor", Some(id), &say, now).await?;
        tx.commit().await
    }

    /// Asks for a check of a monitor before its next tick. Asking again before it was made changes nothing.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub async fn request_check(&self, id: Id, now: Timestamp) -> Result<(), StoreError> {
        let sql = "INSERT INTO check_requests (monitor_id, org_id, asked_us)
             SELECT id, org_id, CAST($3 AS BIGINT) FROM monitors WHERE org_id = $1 AND id = $2 AND deleted_us IS NULL
             ON CONFLICT (monitor_id) DO UPDATE SET org_id = excluded.org_id";
        let asked = self.store.execute(sql, params![self.org, id, now]).await?;
        if asked == 0 { Err(StoreError::Missing { what: "monitor" }) } else { Ok(()) }
    }
}

/// The time of a change, which is the version of the row: always beyond the one before, even within one microsecond or
/// after the clock was set back.
pub(crate) fn later(before: Timestamp, now: Timestamp) -> Timestamp {
    let next = before.checked_add(std::time::Duration::from_micros(1)).unwrap_or(Timestamp::MAX);
    now.max(next)
}

/// A text in which `%`, `_` and the escape character stand for themselves.
pub(crate) fn like(text: &str) -> String {
    text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_")
}
