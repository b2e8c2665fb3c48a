//! What the watch itself reads and writes. Nothing here is called for a request.

use jiff::Timestamp;

use crate::{Id, OrgId, Row, Store, StoreError, Tx, Value, params};

/// A monitor with its state, as the watch loads it.
#[derive(Debug, Clone, PartialEq)]
pub struct MonitorRow {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub org: OrgId,
    /// The name under which configuration files know it.
    pub external_id: String,
    /// What was declared, as JSON.
    pub spec: String,
    /// Whether somebody paused it.
    pub paused: bool,
    /// Whether it was deleted.
    pub deleted: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// What is stored of its state; `None` before the first result.
    pub state: Option<StateRow>,
}

/// The state of a monitor, as stored.
#[derive(Debug, Clone, PartialEq)]
pub struct StateRow {
    /// The state machine as JSON.
    pub state: String,
    /// The snapshot of the last good check as JSON.
    pub last_good: Option<String>,
    /// The open incident that it is part of.
    pub incident: Option<Id>,
    /// The capture of the first failing attempt of the present streak.
    pub first_bad: Option<Id>,
    /// The last tick that was checked or recorded as missed.
    pub tick: Timestamp,
    /// Counts the writes; a write names the version that it read.
    pub version: i64,
}

/// A new state, with what a list shows.
#[derive(Debug, Clone, PartialEq)]
pub struct NewState<'a> {
    /// The monitor.
    pub monitor: Id,
    /// Whose it is.
    pub org: OrgId,
    /// The verdict's word.
    pub verdict: &'a str,
    /// Since when.
    pub since: Timestamp,
    /// What is stored.
    pub row: &'a StateRow,
    /// When the last check began; `None` keeps what is there.
    pub checked: Option<Timestamp>,
    /// When it was last up or degraded; `None` keeps what is there.
    pub up: Option<Timestamp>,
    /// How long the last check took.
    pub took_us: Option<u64>,
    /// What it said.
    pub say: Option<&'a str>,
    /// Why it is not up.
    pub reason: Option<&'a str>,
}

/// One result.
#[derive(Debug, Clone, PartialEq)]
pub struct ResultRow<'a> {
    /// Its id, made once, so that writing it again changes nothing.
    pub id: Id,
    /// Whose it is.
    pub org: OrgId,
    /// The monitor.
    pub monitor: Id,
    /// The tick that it belongs to.
    pub scheduled: Timestamp,
    /// Which check of that tick it is, from 1.
    pub attempt: i64,
    /// When it began.
    pub started: Timestamp,
    /// How long it took.
    pub took_us: u64,
    /// The outcome's word; `maintenance` for one that was made in a window, `missed` for one that was not made.
    pub outcome: &'a str,
    /// The reason's word.
    pub reason: Option<&'a str>,
    /// In words.
    pub say: &'a str,
    /// Resolve, connect, TLS, wait, transfer, in microseconds.
    pub phases: [Option<u64>; 5],
    /// HTTP status.
    pub status: Option<u16>,
    /// When the certificate expires.
    pub certificate_until: Option<Timestamp>,
}

const MONITOR: &str =
    "SELECT m.id, m.org_id, m.external_id, m.spec, m.paused, m.deleted_us, m.created_us, m.updated_us,
    s.state, s.last_good, s.incident_id, s.first_bad_id, s.tick_us, s.version
    FROM monitors m LEFT JOIN monitor_states s ON s.monitor_id = m.id";

/// All monitors that are not deleted.
///
/// # Errors
/// When the database fails; likewise for all that follow.
pub async fn monitors(store: &Store) -> Result<Vec<MonitorRow>, StoreError> {
    let rows = store.query(&format!("{MONITOR} WHERE m.deleted_us IS NULL"), &[]).await?;
    rows.iter().map(monitor).collect()
}

/// Monitors that were changed or deleted since.
pub async fn monitors_since(store: &Store, since: Timestamp) -> Result<Vec<MonitorRow>, StoreError> {
    let rows = store.query(&format!("{MONITOR} WHERE m.updated_us >= $1"), params![since]).await?;
    rows.iter().map(monitor).collect()
}

/// One monitor.
pub async fn monitor_of(store: &Store, id: Id) -> Result<Option<MonitorRow>, StoreError> {
    let row = store.query_opt(&format!("{MONITOR} WHERE m.id = $1"), params![id]).await?;
    row.as_ref().map(monitor).transpose()
}

/// The state of one monitor.
pub async fn state_of(tx: &mut Tx, id: Id) -> Result<Option<StateRow>, StoreError> {
    let row = tx
        .query_opt(
            "SELECT state, last_good, incident_id, first_bad_id, tick_us, version FROM monitor_states WHERE monitor_id = $1",
            params![id],
        )
        .await?;
    row.as_ref().map(state).transpose()
}

fn monitor(row: &Row) -> Result<MonitorRow, StoreError> {
    let known = row.opt_int("version")?.is_some();
    Ok(MonitorRow {
        id: row.id("id")?,
        org: row.org("org_id")?,
        external_id: row.text("external_id")?,
        spec: row.text("spec")?,
        paused: row.flag("paused")?,
        deleted: row.opt_int("deleted_us")?.is_some(),
        created: row.time("created_us")?,
        updated: row.time("updated_us")?,
        state: if known { Some(state(row)?) } else { None },
    })
}

fn state(row: &Row) -> Result<StateRow, StoreError> {
    Ok(StateRow {
        state: row.text("state")?,
        last_good: row.opt_text("last_good")?,
        incident: row.opt_id("incident_id")?,
        first_bad: row.opt_id("first_bad_id")?,
        tick: row.time("tick_us")?,
        version: row.int("version")?,
    })
}

/// Writes a result: `false` when this tick and attempt has one already.
pub async fn save_result(tx: &mut Tx, result: &ResultRow<'_>) -> Result<bool, StoreError> {
    let [resolve, connect, tls, wait, transfer] = result.phases.map(Value::from);
    let written = tx
        .execute(
            "INSERT INTO results (id, org_id, monitor_id, scheduled_us, attempt, started_us, took_us, outcome, reason, say,
               resolve_us, connect_us, tls_us, wait_us, transfer_us, status, cert_not_after_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, $17) ON CONFLICT DO NOTHING",
            &[
                result.id.into(),
                result.org.into(),
                result.monitor.into(),
                result.scheduled.into(),
                result.attempt.into(),
                result.started.into(),
                result.took_us.into(),
                result.outcome.into(),
                result.reason.into(),
                result.say.into(),
                resolve,
                connect,
                tls,
                wait,
                transfer,
                result.status.into(),
                result.certificate_until.into(),
            ],
        )
        .await?;
    Ok(written == 1)
}

/// Writes a state over the version that was read.
///
/// # Errors
/// [`StoreError::Conflict`] when somebody else wrote meanwhile.
pub async fn save_state(tx: &mut Tx, new: &NewState<'_>) -> Result<(), StoreError> {
    let row = new.row;
    let written = tx
        .execute(
            "INSERT INTO monitor_states (monitor_id, org_id, verdict, since_us, state, last_check_us, last_up_us,
               last_took_us, last_say, last_reason, last_good, incident_id, first_bad_id, tick_us, version)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, 1)
             ON CONFLICT (monitor_id) DO UPDATE SET verdict = $3, since_us = $4, state = $5,
               last_check_us = COALESCE($6, monitor_states.last_check_us), last_up_us = COALESCE($7, monitor_states.last_up_us),
               last_took_us = COALESCE($8, monitor_states.last_took_us), last_say = COALESCE($9, monitor_states.last_say),
               last_reason = CASE WHEN CAST($6 AS BIGINT) IS NULL THEN monitor_states.last_reason ELSE $10 END,
               last_good = $11, incident_id = $12, first_bad_id = $13, tick_us = $14, version = monitor_states.version + 1
             WHERE monitor_states.version = $15",
            &[
                new.monitor.into(),
                new.org.into(),
                new.verdict.into(),
                new.since.into(),
                row.state.clone().into(),
                new.checked.into(),
                new.up.into(),
                new.took_us.into(),
                new.say.into(),
                new.reason.into(),
                row.last_good.clone().into(),
                row.incident.into(),
                row.first_bad.into(),
                row.tick.into(),
                row.version.into(),
            ],
        )
        .await?;
    if written == 1 { Ok(()) } else { Err(StoreError::Conflict) }
}

/// Keeps evidence.
pub async fn capture(
    tx: &mut Tx,
    org: OrgId,
    monitor: Option<Id>,
    incident: Option<Id>,
    kind: &str,
    at: Timestamp,
    body: &str,
) -> Result<Id, StoreError> {
    let id = Id::new();
    tx.execute(
        "INSERT INTO captures (id, org_id, monitor_id, incident_id, kind, at_us, body) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![id, org, monitor, incident, kind, at, body],
    )
    .await?;
    Ok(id)
}

/// An open incident, as far as the watch needs it.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentRow {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub org: OrgId,
    /// `confirming`, `open`, `resolved`.
    pub status: String,
    /// Its severity.
    pub severity: String,
    /// Its title.
    pub title: String,
    /// What joins monitors to it.
    pub scope: String,
    /// `diagnosing`, `known`, `unknown`, or why there is none.
    pub diagnosis: String,
    /// The cause, as JSON of a cause reference.
    pub cause_id: Option<String>,
    /// The first failing check.
    pub began: Timestamp,
    /// When it was confirmed.
    pub confirmed: Timestamp,
    /// When the alert is due at the latest.
    pub alert_due: Option<Timestamp>,
    /// When the alert was written.
    pub alerted: Option<Timestamp>,
    /// When it was over.
    pub resolved: Option<Timestamp>,
}

const INCIDENT: &str =
    "SELECT id, org_id, status, severity, title, scope, diagnosis, cause_id, began_us, confirmed_us,
    alert_due_us, alerted_us, resolved_us FROM incidents";

fn incident(row: &Row) -> Result<IncidentRow, StoreError> {
    Ok(IncidentRow {
        id: row.id("id")?,
        org: row.org("org_id")?,
        status: row.text("status")?,
        severity: row.text("severity")?,
        title: row.text("title")?,
        scope: row.text("scope")?,
        diagnosis: row.text("diagnosis")?,
        cause_id: row.opt_text("cause_id")?,
        began: row.time("began_us")?,
        confirmed: row.time("confirmed_us")?,
        alert_due: row.opt_time("alert_due_us")?,
        alerted: row.opt_time("alerted_us")?,
        resolved: row.opt_time("resolved_us")?,
    })
}

/// One incident, locked until the transaction ends.
pub async fn incident_locked(store: &Store, tx: &mut Tx, id: Id) -> Result<Option<IncidentRow>, StoreError> {
    let row = tx.query_opt(&format!("{INCIDENT} WHERE id = $1 {}", store.for_update()), params![id]).await?;
    row.as_ref().map(incident).transpose()
}

/// The open incident of a scope, locked, or a new one: the second value says whether it is new.
pub async fn open_incident(
    store: &Store,
    tx: &mut Tx,
    new: &IncidentRow,
) -> Result<(IncidentRow, bool), StoreError> {
    // Whoever loses the race for the scope waits in the first statement and finds the winner's row in the second.
    let written = tx
        .execute(
            "INSERT INTO incidents (id, org_id, status, severity, title, scope, diagnosis, began_us, confirmed_us, alert_due_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
             ON CONFLICT (org_id, scope) WHERE resolved_us IS NULL DO NOTHING",
            &[
                new.id.into(),
                new.org.into(),
                new.status.clone().into(),
                new.severity.clone().into(),
                new.title.clone().into(),
                new.scope.clone().into(),
                new.diagnosis.clone().into(),
                new.began.into(),
                new.confirmed.into(),
                new.alert_due.into(),
            ],
        )
        .await?;
    if written == 1 {
        return Ok((new.clone(), true));
    }
    let row = tx
        .query_opt(
            &format!(
                "{INCIDENT} WHERE org_id = $1 AND scope = $2 AND resolved_us IS NULL {}",
                store.for_update()
            ),
            params![new.org, &new.scope],
        )
        .await?;
    // It may have been resolved between the two statements; the whole step is then tried again.
    Ok((incident(row.as_ref().ok_or(StoreError::Conflict)?)?, false))
}

/// How many incidents of an organisation were confirmed since, and are not over.
pub async fn confirmed_since(tx: &mut Tx, org: OrgId, since: Timestamp) -> Result<Vec<Id>, StoreError> {
    let rows = tx
        .query(
            "SELECT id FROM incidents WHERE org_id = $1 AND resolved_us IS NULL AND confirmed_us >= $2 ORDER BY id",
            params![org, since],
        )
        .await?;
    rows.iter().map(|r| r.id("id")).collect()
}

/// Incidents whose alert is due and was not written.
pub async fn alerts_due(store: &Store, now: Timestamp) -> Result<Vec<Id>, StoreError> {
    let rows = store
        .query(
            "SELECT id FROM incidents WHERE alerted_us IS NULL AND resolved_us IS NULL AND alert_due_us <= $1
             ORDER BY alert_due_us LIMIT 64",
            params![now],
        )
        .await?;
    rows.iter().map(|r| r.id("id")).collect()
}

/// Incidents that still wait for their diagnosis.
pub async fn undiagnosed(store: &Store) -> Result<Vec<Id>, StoreError> {
    let rows = store
        .query(
            "SELECT id FROM incidents WHERE diagnosis = 'diagnosing' AND resolved_us IS NULL ORDER BY id LIMIT 256",
            &[],
        )
        .await?;
    rows.iter().map(|r| r.id("id")).collect()
}

/// Puts a monitor into an incident: `false` when it is in it already.
pub async fn join_incident(
    tx: &mut Tx,
    org: OrgId,
    incident: Id,
    monitor: Id,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let changed = tx
        .execute(
            "INSERT INTO incident_monitors (incident_id, monitor_id, org_id, joined_us) VALUES ($1, $2, $3, $4)
             ON CONFLICT (incident_id, monitor_id) DO UPDATE SET left_us = NULL WHERE incident_monitors.left_us IS NOT NULL",
            params![incident, monitor, org, now],
        )
        .await?;
    Ok(changed == 1)
}

/// Takes a monitor out of an incident: how many are still in it.
pub async fn leave_incident(
    tx: &mut Tx,
    incident: Id,
    monitor: Id,
    now: Timestamp,
) -> Result<u64, StoreError> {
    tx.execute(
        "UPDATE incident_monitors SET left_us = $3 WHERE incident_id = $1 AND monitor_id = $2 AND left_us IS NULL",
        params![incident, monitor, now],
    )
    .await?;
    let row = tx
        .query_opt(
            "SELECT count(*) AS n FROM incident_monitors WHERE incident_id = $1 AND left_us IS NULL",
            params![incident],
        )
        .await?;
    row.map_or(Ok(0), |r| r.count("n"))
}

/// Monitors of an incident: id, specification, what its last check said; those that are still in it first.
pub async fn incident_members(
    tx: &mut Tx,
    incident: Id,
    limit: i64,
) -> Result<Vec<(Id, String, Option<String>)>, StoreError> {
    let rows = tx
        .query(
            "SELECT m.id, m.spec, s.last_say FROM incident_monitors i JOIN monitors m ON m.id = i.monitor_id
             LEFT JOIN monitor_states s ON s.monitor_id = m.id
             WHERE i.incident_id = $1 ORDER BY CASE WHEN i.left_us IS NULL THEN 0 ELSE 1 END, i.joined_us, m.id LIMIT $2",
            params![incident, limit],
        )
        .await?;
    rows.iter().map(|r| Ok((r.id("id")?, r.text("spec")?, r.opt_text("last_say")?))).collect()
}

/// How many monitors an incident has ever had.
pub async fn incident_size(tx: &mut Tx, incident: Id) -> Result<u64, StoreError> {
    let row = tx
        .query_opt("SELECT count(*) AS n FROM incident_monitors WHERE incident_id = $1", params![incident])
        .await?;
    row.map_or(Ok(0), |r| r.count("n"))
}

/// An audit that somebody asked for.
#[derive(Debug, Clone, PartialEq)]
pub struct QueuedReport {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub org: OrgId,
    /// The production URL.
    pub target: String,
    /// The monitor that it was asked for.
    pub monitor: Option<Id>,
}

/// Claims one queued audit. One that was left running by a server that is gone is claimed again.
pub async fn claim_report(
    store: &Store,
    now: Timestamp,
    stale: Timestamp,
) -> Result<Option<QueuedReport>, StoreError> {
    let mut tx = store.begin().await?;
    let rows = tx
        .query(
            &format!(
                "UPDATE reports SET status = 'running', started_us = $1 WHERE id IN (
                   SELECT id FROM reports WHERE status = 'queued' OR (status = 'running' AND started_us < $2)
                   ORDER BY id LIMIT 1 {}) RETURNING id, org_id, target, monitor_id",
                store.skip_locked()
            ),
            params![now, stale],
        )
        .await?;
    tx.commit().await?;
    let Some(row) = rows.first() else { return Ok(None) };
    Ok(Some(QueuedReport {
        id: row.id("id")?,
        org: row.org("org_id")?,
        target: row.text("target")?,
        monitor: row.opt_id("monitor_id")?,
    }))
}

/// Organisation of an incident, for code that has only its id.
pub async fn incident_org(store: &Store, id: Id) -> Result<Option<OrgId>, StoreError> {
    let row = store.query_opt("SELECT org_id FROM incidents WHERE id = $1", params![id]).await?;
    row.as_ref().map(|r| r.org("org_id")).transpose()
}

/// The name of an organisation.
pub async fn org_name(tx: &mut Tx, org: OrgId) -> Result<String, StoreError> {
    let row = tx.query_opt("SELECT name FROM orgs WHERE id = $1", params![org]).await?;
    row.ok_or(StoreError::Missing { what: "organisation" })?.text("name")
}

/// Maintenance windows of all organisations: organisation, name, specification.
pub async fn windows(store: &Store) -> Result<Vec<(OrgId, String, String)>, StoreError> {
    let rows = store.query("SELECT org_id, name, spec FROM windows ORDER BY id", &[]).await?;
    rows.iter().map(|r| Ok((r.org("org_id")?, r.text("name")?, r.text("spec")?))).collect()
}

/// Says that this server is alive, and gives the ids of those that were seen since `alive`.
pub async fn servers(
    store: &Store,
    me: &str,
    now: Timestamp,
    alive: Timestamp,
) -> Result<Vec<String>, StoreError> {
    let mut tx = store.begin().await?;
    tx.execute(
        "INSERT INTO servers (id, seen_us) VALUES ($1, $2) ON CONFLICT (id) DO UPDATE SET seen_us = $2",
        params![me, now],
    )
    .await?;
    tx.execute("DELETE FROM servers WHERE seen_us < $1", params![alive]).await?;
    let rows = tx.query("SELECT id FROM servers ORDER BY id", &[]).await?;
    tx.commit().await?;
    rows.iter().map(|r| r.text("id")).collect()
}

/// Checks that were asked for and not yet made, oldest first.
///
/// # Errors
/// When the database fails.
pub async fn check_requests(store: &Store) -> Result<Vec<(Id, Timestamp)>, StoreError> {
    let rows = store
        .query(
            "SELECT monitor_id, asked_us FROM check_requests ORDER BY asked_us, monitor_id LIMIT 1000",
            &[],
        )
        .await?;
    rows.iter().map(|r| Ok((r.id("monitor_id")?, r.time("asked_us")?))).collect()
}

/// Takes a request for a check away: `false` when another server has it already.
///
/// # Errors
/// When the database fails.
pub async fn take_check_request(store: &Store, monitor: Id, asked: Timestamp) -> Result<bool, StoreError> {
    let sql = "DELETE FROM check_requests WHERE monitor_id = $1 AND asked_us = $2";
    Ok(store.execute(sql, params![monitor, asked]).await? > 0)
}

/// The last attempt that was written for a tick of a monitor; zero when there is none.
///
/// # Errors
/// When the database fails.
pub async fn last_attempt(store: &Store, monitor: Id, tick: Timestamp) -> Result<i64, StoreError> {
    let sql =
        "SELECT COALESCE(max(attempt), 0) AS n FROM results WHERE monitor_id = $1 AND scheduled_us = $2";
    store.query_opt(sql, params![monitor, tick]).await?.map_or(Ok(0), |r| r.int("n"))
}

/// Says that this server is gone, so that the others take its share at once.
///
/// # Errors
/// When the database fails; the others then wait until it was not seen for a while.
pub async fn server_gone(store: &Store, me: &str) -> Result<(), StoreError> {
    store.execute("DELETE FROM servers WHERE id = $1", params![me]).await?;
    Ok(())
}
