//! Incidents: reading them, acknowledging them, and adding words to them.

use landfall_monitor::incident;
use landfall_store::incidents::{IncidentFilter, IncidentMonitorRow, IncidentRow};
use landfall_store::{Id, Page};

use super::{listing, no_errors, tell, wrong};
use crate::api::model::{
    CaptureView, ChangeView, IncidentCause, IncidentMonitor, IncidentView, Listing, TimelineEntry,
};
use crate::auth::Right;
use crate::{App, Principal, Problem};

/// Incidents, newest first.
///
/// # Errors
/// 403 without the right.
pub async fn list(
    principal: &Principal,
    status: Option<&str>,
    monitor: Option<Id>,
    page: Page,
) -> Result<Listing<IncidentView>, Problem> {
    principal.require(Right::Read)?;
    let filter = IncidentFilter { status: status.map(str::to_owned), monitor };
    let rows = principal.tenant.incidents(&filter, page).await?;
    let ids: Vec<Id> = rows.iter().map(|i| i.id).collect();
    let mut monitors = principal.tenant.incident_monitors(&ids).await?;
    Ok(listing(
        rows,
        page,
        |i| i.id,
        |i| {
            let part = monitors.remove(&i.id).unwrap_or_default();
            view(i, part, Vec::new())
        },
    ))
}

/// One incident with its timeline.
///
/// # Errors
/// 403 without the right; 404.
pub async fn get(principal: &Principal, id: Id) -> Result<IncidentView, Problem> {
    principal.require(Right::Read)?;
    let tenant = &principal.tenant;
    let row = tenant.incident(id).await?;
    let monitors = tenant.incident_monitors(&[id]).await?.remove(&id).unwrap_or_default();
    let events = tenant.incident_events(id).await?;
    let timeline = events
        .into_iter()
        .map(|e| TimelineEntry { at: e.at, kind: e.kind, actor: e.actor, say: e.say })
        .collect();
    Ok(view(row, monitors, timeline))
}

/// The evidence that was kept of an incident: of the first failing attempt, of the last good check.
///
/// # Errors
/// 403 without the right; 404.
pub async fn captures(principal: &Principal, id: Id) -> Result<Vec<CaptureView>, Problem> {
    principal.require(Right::Read)?;
    principal.tenant.incident(id).await?;
    let rows = principal.tenant.captures(id).await?;
    let view = |c: landfall_store::results::Capture| CaptureView {
        id: c.id.to_string(),
        monitor: c.monitor.map(|m| m.to_string()),
        kind: c.kind,
        at: c.at,
        body: c.body,
    };
    Ok(rows.into_iter().map(view).collect())
}

/// Acknowledges an incident; one that is acknowledged already, or over, stays as it is.
///
/// # Errors
/// 403 without the right; 404.
pub async fn acknowledge(app: &App, principal: &Principal, id: Id) -> Result<IncidentView, Problem> {
    principal.require(Right::Write)?;
    let org = principal.tenant.id();
    if incident::acknowledge(&app.store, org, id, &principal.name, app.clock.now()).await? {
        tell(app, org, "incident", id, "acknowledged", &principal.name);
        app.watch.nudge();
    }
    get(principal, id).await
}

/// Adds somebody's words.
///
/// # Errors
/// 403 without the right; 404; 422.
pub async fn comment(app: &App, principal: &Principal, id: Id, say: &str) -> Result<IncidentView, Problem> {
    principal.require(Right::Write)?;
    let say = say.trim();
    let count = say.chars().count();
    let mut errors = Vec::new();
    if !(1..=4000).contains(&count) {
        errors.push(wrong("/say", format!("has {count} characters; 1 to 4000 are taken")));
    }
    if say.chars().any(|c| c.is_control() && c != '\n') {
        errors.push(wrong("/say", "has control characters other than line breaks"));
    }
    no_errors(errors)?;
    let org = principal.tenant.id();
    incident::comment(&app.store, org, id, &principal.name, say, app.clock.now()).await?;
    tell(app, org, "incident", id, "comment", &principal.name);
    get(principal, id).await
}

fn view(row: IncidentRow, monitors: Vec<IncidentMonitorRow>, timeline: Vec<TimelineEntry>) -> IncidentView {
    let (acknowledged, acknowledged_by) = row.acknowledged.unzip();
    IncidentView {
        id: row.id.to_string(),
        status: row.status,
        severity: row.severity,
        title: row.title,
        cause: row.cause.map(|(id, title, label, confidence)| IncidentCause { id, title, label, confidence }),
        diagnosis: row.diagnosis,
        report: row.report.map(|r| r.to_string()),
        difference: row
            .difference
            .and_then(|d| serde_json::from_value::<Vec<ChangeView>>(d).ok())
            .unwrap_or_default(),
        monitors: monitors
            .into_iter()
            .map(|m| IncidentMonitor {
                id: m.monitor.to_string(),
                name: m.name,
                joined: m.joined,
                left: m.left,
            })
            .collect(),
        began: row.began,
        confirmed: row.confirmed,
        alerted: row.alerted,
        acknowledged,
        acknowledged_by,
        resolved: row.resolved,
        timeline,
    }
}
