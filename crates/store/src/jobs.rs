//! The server's own jobs: when they are next, what became of them, what they remember, and the bounded deletes and lists
//! that their work needs. Nothing here is ever called for a request but the lists.

use std::time::Duration;

use jiff::Timestamp;

use crate::{Id, OrgId, Row, Store, StoreError, Tx, params};

/// A job as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRow {
    /// Its name.
    pub name: String,
    /// The tick that is next.
    pub next: Timestamp,
    /// When a server first knew of it.
    pub first_seen: Timestamp,
    /// Since when it has been running, and by whom.
    pub running: Option<(Timestamp, String)>,
    /// When the last run began.
    pub last_run: Option<Timestamp>,
    /// `ok`, `failed`, `off`.
    pub last_outcome: Option<String>,
    /// When the last good run began.
    pub last_success: Option<Timestamp>,
    /// How long the last run took, in microseconds.
    pub took_us: Option<u64>,
    /// What it said.
    pub say: Option<String>,
    /// Items that it worked on.
    pub worked_on: Option<u64>,
}

impl JobRow {
    /// One that was just made known, with its first tick now.
    pub fn fresh(name: &str, now: Timestamp) -> Self {
        Self {
            name: name.to_owned(),
            next: now,
            first_seen: now,
            running: None,
            last_run: None,
            last_outcome: None,
            last_success: None,
            took_us: None,
            say: None,
            worked_on: None,
        }
    }
}

/// A run of a job.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JobRun {
    /// Its id.
    pub id: Id,
    /// The job.
    pub name: String,
    /// The tick that it belongs to.
    pub scheduled: Timestamp,
    /// When it began.
    pub started: Timestamp,
    /// When it ended.
    pub ended: Option<Timestamp>,
    /// `running`, `ok`, `failed`, `off`.
    pub outcome: String,
    /// What it said.
    pub say: Option<String>,
    /// Items that it worked on.
    pub worked_on: Option<u64>,
    /// The server that ran it.
    pub owner: String,
}

/// How a run ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// `ok`, `failed`, `off`.
    pub outcome: &'static str,
    /// In words.
    pub say: String,
    /// Items that it worked on.
    pub worked_on: u64,
}

fn opt_count(row: &Row, name: &str) -> Result<Option<u64>, StoreError> {
    Ok(row.opt_int(name)?.and_then(|v| u64::try_from(v).ok()))
}

/// All jobs that a server ever knew, by name.
///
/// # Errors
/// When the database fails; likewise for all that follow.
pub async fn all(store: &Store) -> Result<Vec<JobRow>, StoreError> {
    let rows = store
        .query(
            "SELECT name, next_us, first_seen_us, running_us, running_by, last_run_us, last_outcome, last_success_us,
                    took_us, say, worked_on FROM jobs ORDER BY name",
            &[],
        )
        .await?;
    rows.iter()
        .map(|r| {
            Ok(JobRow {
                name: r.text("name")?,
                next: r.time("next_us")?,
                first_seen: r.time("first_seen_us")?,
                running: r.opt_time("running_us")?.zip(r.opt_text("running_by")?),
                last_run: r.opt_time("last_run_us")?,
                last_outcome: r.opt_text("last_outcome")?,
                last_success: r.opt_time("last_success_us")?,
                took_us: opt_count(r, "took_us")?,
                say: r.opt_text("say")?,
                worked_on: opt_count(r, "worked_on")?,
            })
        })
        .collect()
}

/// Makes a job known, with its first tick; one that is known stays as it is.
pub async fn ensure(store: &Store, name: &str, next: Timestamp, now: Timestamp) -> Result<(), StoreError> {
    store
        .execute(
            "INSERT INTO jobs (name, next_us, first_seen_us) VALUES ($1, $2, $3) ON CONFLICT (name) DO NOTHING",
            params![name, next, now],
        )
        .await?;
    Ok(())
}

/// Writes down that a job does not run here, and why; whoever asks for the jobs reads it there.
pub async fn set_off(store: &Store, name: &str, why: &str, now: Timestamp) -> Result<(), StoreError> {
    store
        .execute(
            "INSERT INTO jobs (name, next_us, first_seen_us, last_outcome, say) VALUES ($1, $2, $2, 'off', $3)
             ON CONFLICT (name) DO UPDATE SET last_outcome = 'off', say = $3, next_us = $2",
            params![name, now, why],
        )
        .await?;
    Ok(())
}

/// Moves a job's next tick, if it still is what was read: for clocks that were set back.
pub async fn move_tick(store: &Store, name: &str, from: Timestamp, to: Timestamp) -> Result<(), StoreError> {
    store
        .execute("UPDATE jobs SET next_us = $3 WHERE name = $1 AND next_us = $2", params![name, from, to])
        .await?;
    Ok(())
}

/// Claims a tick: the run's id, or `None` when another server was faster or a run is still on. A run of before
/// `abandoned_before` is taken for dead and closed as failed.
pub async fn claim(
    store: &Store,
    name: &str,
    tick: Timestamp,
    next: Timestamp,
    owner: &str,
    now: Timestamp,
    abandoned_before: Timestamp,
) -> Result<Option<Id>, StoreError> {
    let run = Id::new();
    let mut tx = store.begin().await?;
    let changed = tx
        .execute(
            "UPDATE jobs SET next_us = $3, running_us = $4, running_by = $5, run_id = $6
             WHERE name = $1 AND next_us = $2 AND (running_us IS NULL OR running_us < $7)",
            params![name, tick, next, now, owner, run, abandoned_before],
        )
        .await?;
    if changed == 0 {
        return Ok(None);
    }
    tx.execute(
        "UPDATE job_runs SET outcome = 'failed', ended_us = $2, say = 'the server stopped during this run'
         WHERE name = $1 AND outcome = 'running'",
        params![name, now],
    )
    .await?;
    tx.execute(
        "INSERT INTO job_runs (id, name, scheduled_us, started_us, outcome, owner) VALUES ($1, $2, $3, $4, 'running', $5)",
        params![run, name, tick, now, owner],
    )
    .await?;
    tx.commit().await?;
    Ok(Some(run))
}

/// Writes down how a run ended. `false` when the run had been taken for dead meanwhile: it then counts for nothing.
pub async fn finish(
    store: &Store,
    name: &str,
    run: Id,
    started: Timestamp,
    now: Timestamp,
    ended: &Ended,
) -> Result<bool, StoreError> {
    let took = u64::try_from(now.duration_since(started).as_micros()).unwrap_or(0);
    let success = (ended.outcome == "ok").then_some(started);
    let mut tx = store.begin().await?;
    let changed = tx
        .execute(
            "UPDATE jobs SET running_us = NULL, running_by = NULL, run_id = NULL, last_run_us = $3, last_outcome = $4,
                    last_success_us = COALESCE($5, last_success_us), took_us = $6, say = $7, worked_on = $8
             WHERE name = $1 AND run_id = $2",
            params![name, run, started, ended.outcome, success, took, ended.say.as_str(), ended.worked_on],
        )
        .await?;
    if changed == 0 {
        return Ok(false);
    }
    tx.execute(
        "UPDATE job_runs SET ended_us = $2, outcome = $3, say = $4, worked_on = $5 WHERE id = $1",
        params![run, now, ended.outcome, ended.say.as_str(), ended.worked_on],
    )
    .await?;
    tx.commit().await?;
    Ok(true)
}

/// The newest runs of a job, newest first.
pub async fn runs(store: &Store, name: &str, limit: u32) -> Result<Vec<JobRun>, StoreError> {
    let rows = store
        .query(
            "SELECT id, name, scheduled_us, started_us, ended_us, outcome, say, worked_on, owner FROM job_runs
             WHERE name = $1 ORDER BY started_us DESC, id DESC LIMIT $2",
            params![name, limit],
        )
        .await?;
    rows.iter()
        .map(|r| {
            Ok(JobRun {
                id: r.id("id")?,
                name: r.text("name")?,
                scheduled: r.time("scheduled_us")?,
                started: r.time("started_us")?,
                ended: r.opt_time("ended_us")?,
                outcome: r.text("outcome")?,
                say: r.opt_text("say")?,
                worked_on: opt_count(r, "worked_on")?,
                owner: r.text("owner")?,
            })
        })
        .collect()
}

/// What a job remembers under a key.
pub async fn recall(store: &Store, job: &str, key: &str) -> Result<Option<String>, StoreError> {
    let row = store
        .query_opt("SELECT value FROM job_memory WHERE job = $1 AND key = $2", params![job, key])
        .await?;
    row.map(|r| r.text("value")).transpose()
}

/// Everything that a job remembers, by key.
pub async fn recall_all(store: &Store, job: &str) -> Result<Vec<(String, String)>, StoreError> {
    let rows =
        store.query("SELECT key, value FROM job_memory WHERE job = $1 ORDER BY key", params![job]).await?;
    rows.iter().map(|r| Ok((r.text("key")?, r.text("value")?))).collect()
}

/// Remembers something, in the transaction that makes it true.
pub async fn remember(tx: &mut Tx, job: &str, key: &str, value: &str) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO job_memory (job, key, value) VALUES ($1, $2, $3) ON CONFLICT (job, key) DO UPDATE SET value = $3",
        params![job, key, value],
    )
    .await?;
    Ok(())
}

/// Forgets something.
pub async fn forget(store: &Store, job: &str, key: &str) -> Result<(), StoreError> {
    store.execute("DELETE FROM job_memory WHERE job = $1 AND key = $2", params![job, key]).await?;
    Ok(())
}

/// A monitor as jobs look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct WatchedMonitor {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub org: OrgId,
    /// The name under which configuration files know it.
    pub external_id: String,
    /// Its name for people.
    pub name: String,
    /// What was declared, as JSON.
    pub spec: String,
    /// Snapshot of the last good check, as JSON.
    pub last_good: Option<String>,
    /// What is true of it now; `None` before the first check.
    pub verdict: Option<String>,
    /// Since when.
    pub since: Option<Timestamp>,
}

/// All monitors that are not removed, by id: a page after an id.
pub async fn monitors(
    store: &Store,
    after: Option<Id>,
    limit: u32,
) -> Result<Vec<WatchedMonitor>, StoreError> {
    let rows = store
        .query(
            "SELECT m.id, m.org_id, m.external_id, m.name, m.spec, s.last_good, s.verdict, s.since_us
             FROM monitors m LEFT JOIN monitor_states s ON s.monitor_id = m.id
             WHERE m.deleted_us IS NULL AND m.id > $1 ORDER BY m.id LIMIT $2",
            params![after.map_or_else(String::new, |id| id.to_string()), limit],
        )
        .await?;
    rows.iter()
        .map(|r| {
            Ok(WatchedMonitor {
                id: r.id("id")?,
                org: r.org("org_id")?,
                external_id: r.text("external_id")?,
                name: r.text("name")?,
                spec: r.text("spec")?,
                last_good: r.opt_text("last_good")?,
                verdict: r.opt_text("verdict")?,
                since: r.opt_time("since_us")?,
            })
        })
        .collect()
}

/// The end of validity of the certificate that each monitor saw last, by monitor, from results since a moment.
pub async fn certificates(store: &Store, since: Timestamp) -> Result<Vec<(Id, Timestamp)>, StoreError> {
    let rows = store
        .query(
            "SELECT r.monitor_id, max(r.cert_not_after_us) AS until_us FROM results r
             JOIN (SELECT monitor_id, max(scheduled_us) AS at_us FROM results
                   WHERE cert_not_after_us IS NOT NULL AND scheduled_us >= $1 GROUP BY monitor_id) newest
               ON newest.monitor_id = r.monitor_id AND newest.at_us = r.scheduled_us
             WHERE r.cert_not_after_us IS NOT NULL GROUP BY r.monitor_id ORDER BY r.monitor_id",
            params![since],
        )
        .await?;
    rows.iter().map(|r| Ok((r.id("monitor_id")?, r.time("until_us")?))).collect()
}

/// An incident that is open, was alerted and is not acknowledged, as reminders look at it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIncident {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub org: OrgId,
    /// Its title.
    pub title: String,
    /// Its severity.
    pub severity: String,
    /// When the first failing check was made.
    pub began: Timestamp,
    /// When people were last told: the alert, or the last reminder.
    pub told: Timestamp,
    /// Its monitors that are still part of it.
    pub monitors: Vec<Id>,
}

/// Incidents that are open, alerted and not acknowledged.
pub async fn unacknowledged(store: &Store) -> Result<Vec<OpenIncident>, StoreError> {
    let rows = store
        .query(
            "SELECT i.id, i.org_id, i.title, i.severity, i.began_us, COALESCE(i.reminded_us, i.alerted_us) AS told_us,
                    im.monitor_id
             FROM incidents i JOIN incident_monitors im ON im.incident_id = i.id AND im.left_us IS NULL
             WHERE i.resolved_us IS NULL AND i.acked_us IS NULL AND i.alerted_us IS NOT NULL
             ORDER BY i.id, im.joined_us, im.monitor_id",
            &[],
        )
        .await?;
    let mut found: Vec<OpenIncident> = Vec::new();
    for r in &rows {
        let (id, monitor) = (r.id("id")?, r.id("monitor_id")?);
        match found.last_mut().filter(|i| i.id == id) {
            Some(incident) => incident.monitors.push(monitor),
            None => found.push(OpenIncident {
                id,
                org: r.org("org_id")?,
                title: r.text("title")?,
                severity: r.text("severity")?,
                began: r.time("began_us")?,
                told: r.time("told_us")?,
                monitors: vec![monitor],
            }),
        }
    }
    Ok(found)
}

/// An incident of a heartbeat that is open, was alerted and is not acknowledged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenBeat {
    /// The incident; no monitor is part of it.
    pub incident: OpenIncident,
    /// The heartbeat by the name under which configuration files know it. Its id is a secret, and no message holds it.
    pub external_id: String,
    /// Its name in ping URLs with a key.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// What was declared, as JSON.
    pub spec: String,
}

/// Incidents of heartbeats that are open, alerted and not acknowledged.
///
/// # Errors
/// When the database fails.
pub async fn unacknowledged_beats(store: &Store) -> Result<Vec<OpenBeat>, StoreError> {
    let rows = store
        .query(
            "SELECT i.id, i.org_id, i.title, i.severity, i.began_us, COALESCE(i.reminded_us, i.alerted_us) AS told_us,
                    h.external_id, h.slug, h.name, h.spec
             FROM incidents i JOIN heartbeats h ON h.incident_id = i.id AND h.org_id = i.org_id
             WHERE i.resolved_us IS NULL AND i.acked_us IS NULL AND i.alerted_us IS NOT NULL
             ORDER BY i.id, h.id LIMIT 10000",
            &[],
        )
        .await?;
    rows.iter()
        .map(|r| {
            Ok(OpenBeat {
                incident: OpenIncident {
                    id: r.id("id")?,
                    org: r.org("org_id")?,
                    title: r.text("title")?,
                    severity: r.text("severity")?,
                    began: r.time("began_us")?,
                    told: r.time("told_us")?,
                    monitors: Vec::new(),
                },
                external_id: r.text("external_id")?,
                slug: r.text("slug")?,
                name: r.text("name")?,
                spec: r.text("spec")?,
            })
        })
        .collect()
}

/// Notes that people were reminded, if the incident still is as it was read. `false` when it is not.
pub async fn reminded(tx: &mut Tx, incident: &OpenIncident, now: Timestamp) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            "UPDATE incidents SET reminded_us = $3, version = version + 1
             WHERE id = $1 AND COALESCE(reminded_us, alerted_us) = $2 AND acked_us IS NULL AND resolved_us IS NULL",
            params![incident.id, incident.told, now],
        )
        .await?;
    Ok(changed == 1)
}

/// Incidents of an organisation in a span: opened, resolved, and open at its end.
pub async fn incident_counts(
    store: &Store,
    org: OrgId,
    from: Timestamp,
    to: Timestamp,
) -> Result<(u64, u64, u64), StoreError> {
    let row = store
        .query_opt(
            "SELECT CAST(COALESCE(sum(CASE WHEN confirmed_us >= $2 AND confirmed_us < $3 THEN 1 ELSE 0 END), 0) AS BIGINT) AS opened,
                    CAST(COALESCE(sum(CASE WHEN resolved_us >= $2 AND resolved_us < $3 THEN 1 ELSE 0 END), 0) AS BIGINT) AS closed,
                    CAST(COALESCE(sum(CASE WHEN confirmed_us < $3 AND (resolved_us IS NULL OR resolved_us >= $3) THEN 1 ELSE 0 END), 0) AS BIGINT) AS open
             FROM incidents WHERE org_id = $1",
            params![org, from, to],
        )
        .await?;
    let Some(row) = row else { return Ok((0, 0, 0)) };
    Ok((row.count("opened")?, row.count("closed")?, row.count("open")?))
}

/// Letters whose lease has run out are free again: how many.
pub async fn release_letters(store: &Store, now: Timestamp) -> Result<u64, StoreError> {
    store
        .execute(
            "UPDATE outbox SET lease_owner = NULL, lease_until_us = NULL
             WHERE state = 'pending' AND lease_until_us IS NOT NULL AND lease_until_us <= $1",
            params![now],
        )
        .await
}

/// The outbox: letters that wait, and since when the oldest one is due that nobody holds.
pub async fn outbox(store: &Store, now: Timestamp) -> Result<(u64, Option<Timestamp>), StoreError> {
    let row = store
        .query_opt(
            "SELECT count(*) AS waiting,
                    min(CASE WHEN next_us <= $1 AND (lease_until_us IS NULL OR lease_until_us <= $1) THEN next_us END) AS due_us
             FROM outbox WHERE state = 'pending'",
            params![now],
        )
        .await?;
    let Some(row) = row else { return Ok((0, None)) };
    Ok((row.count("waiting")?, row.opt_time("due_us")?))
}

/// Tables from which rows are removed by age: name, key columns, time column, further condition.
const AGED: &[(&str, &str, &str, &str)] = &[
    ("results", "id", "scheduled_us", ""),
    ("deliveries", "id", "at_us", ""),
    ("outbox", "id", "created_us", "AND state <> 'pending'"),
    ("job_runs", "id", "started_us", ""),
    ("captures", "id", "at_us", "AND incident_id IS NULL"),
    ("heartbeat_flips", "id", "at_us", ""),
    // What needs a person stays until one has looked at it.
    ("billing_events", "id", "received_us", "AND outcome NOT IN ('unassigned', 'unreadable')"),
    ("bot_updates", "provider, update_id", "at_us", "AND (reply_state IS NULL OR reply_state <> 'pending')"),
    ("support_messages", "id", "at_us", ""),
    (
        "support_conversations",
        "id",
        "updated_us",
        "AND NOT EXISTS (SELECT 1 FROM support_messages m WHERE m.conversation_id = support_conversations.id)",
    ),
];

/// Removes at most `limit` rows of a table that are older than a moment: how many. Unknown tables have none.
pub async fn remove_aged(
    store: &Store,
    table: &str,
    before: Timestamp,
    limit: u32,
) -> Result<u64, StoreError> {
    let Some((table, key, time, more)) = AGED.iter().find(|a| a.0 == table) else { return Ok(0) };
    let sql = format!(
        "DELETE FROM {table} WHERE ({key}) IN (SELECT {key} FROM {table} WHERE {time} < $1 {more} ORDER BY {time} LIMIT $2)"
    );
    store.execute(&sql, params![before, limit]).await
}

/// Removes at most `limit` pings that are older than a moment.
pub async fn remove_aged_pings(store: &Store, before: Timestamp, limit: u32) -> Result<u64, StoreError> {
    let rows = store
        .query(
            "SELECT heartbeat_id, max(n) AS newest FROM heartbeat_pings WHERE at_us < $1 GROUP BY heartbeat_id LIMIT $2",
            params![before, limit],
        )
        .await?;
    let mut gone = 0;
    for row in &rows {
        gone += store
            .execute(
                "DELETE FROM heartbeat_pings WHERE heartbeat_id = $1 AND n <= $2 AND at_us < $3",
                params![row.id("heartbeat_id")?, row.count("newest")?, before],
            )
            .await?;
    }
    Ok(gone)
}

/// Keeps what the public may see of an organisation.
pub async fn write_status(store: &Store, org: OrgId, body: &str, now: Timestamp) -> Result<(), StoreError> {
    store
        .execute(
            "INSERT INTO status_cache (org_id, body, at_us) VALUES ($1, $2, $3)
             ON CONFLICT (org_id) DO UPDATE SET body = $2, at_us = $3",
            params![org, body, now],
        )
        .await?;
    Ok(())
}

/// What the public may see of an organisation, and as of when.
pub async fn read_status(store: &Store, org: OrgId) -> Result<Option<(String, Timestamp)>, StoreError> {
    let row = store.query_opt("SELECT body, at_us FROM status_cache WHERE org_id = $1", params![org]).await?;
    row.map(|r| Ok((r.text("body")?, r.time("at_us")?))).transpose()
}

/// Organisations that have something in the status cache.
pub async fn status_orgs(store: &Store) -> Result<Vec<OrgId>, StoreError> {
    let rows = store.query("SELECT org_id FROM status_cache ORDER BY org_id", &[]).await?;
    rows.iter().map(|r| r.org("org_id")).collect()
}

/// Removes what the public may see of an organisation.
pub async fn drop_status(store: &Store, org: OrgId) -> Result<(), StoreError> {
    store.execute("DELETE FROM status_cache WHERE org_id = $1", params![org]).await?;
    Ok(())
}

/// Writes a value and reads it back through another connection: whether the database keeps what it is given.
pub async fn canary(store: &Store, value: &str) -> Result<bool, StoreError> {
    let mut tx = store.begin().await?;
    remember(&mut tx, "synthetic-checks", "canary", value).await?;
    tx.commit().await?;
    Ok(recall(store, "synthetic-checks", "canary").await?.as_deref() == Some(value))
}

/// Keeps a capture of a monitor that belongs to no incident.
pub async fn capture(
    tx: &mut Tx,
    org: OrgId,
    monitor: Id,
    kind: &str,
    at: Timestamp,
    body: &str,
) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO captures (id, org_id, monitor_id, kind, at_us, body) VALUES ($1, $2, $3, $4, $5, $6)",
        params![Id::new(), org, monitor, kind, at, body],
    )
    .await?;
    Ok(())
}

/// A span before a moment, for bounds.
pub fn before(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_sub(by).unwrap_or(Timestamp::MIN)
}
