//! Heartbeats and the server's own jobs.

use std::sync::Arc;

use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use axum::{Extension, Router};
use landfall_monitor::Happened;
use landfall_monitor::heartbeat::{self, HeartbeatSpec};
use landfall_monitor::jobs::{self as work, Job};
use landfall_store::Id;
use landfall_store::heartbeats::HeartbeatRow;
use serde_json::Value;

use super::After;
use super::monitors::declared;
use crate::api::model::{HeartbeatView, JobView, Listing};
use crate::pages::door::{Sent, Visitor, fields_of, id};
use crate::pages::form::{self, Values};
use crate::pages::heartbeats::{self as draw, PingRow};
use crate::pages::jobs;
use crate::problem::FieldError;
use crate::service::room::{self, Thing};
use crate::service::{self, external_id_of, listing};
use crate::{App, Problem, Right};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/heartbeats", get(list).post(create))
        .route("/heartbeats/new", get(new))
        .route("/heartbeats/{id}", get(show).post(change))
        .route("/heartbeats/{id}/edit", get(edit))
        .route("/heartbeats/{id}/pause", post(pause))
        .route("/heartbeats/{id}/resume", post(resume))
        .route("/heartbeats/{id}/delete", post(delete))
        .route("/jobs", get(job_page))
}

/// Rows on one page.
const ROWS: u32 = 50;
/// Pings that are shown of one heartbeat.
const PINGS: u32 = 50;

fn tell(visitor: &Visitor, id: Id, what: &'static str) {
    visitor.app.bus.tell(Happened {
        org: visitor.principal.tenant.id(),
        kind: "heartbeat",
        id,
        what,
        detail: serde_json::json!({ "by": visitor.principal.name }),
    });
}

async fn list(visitor: Visitor, Query(at): Query<After>) -> Result<Response, Problem> {
    visitor.principal.require(Right::Read)?;
    let page = at.page(ROWS)?;
    let rows = visitor.principal.tenant.heartbeats(page).await?;
    let list: Listing<HeartbeatView> =
        listing(rows, page, |h| h.id, |h| service::heartbeats::view(&visitor.app, &visitor.principal, &h));
    Ok(visitor.show(draw::list_page(&visitor.shell, &list, &at.after)))
}

async fn new(visitor: Visitor) -> Result<Response, Problem> {
    visitor.principal.require(Right::Write)?;
    Ok(visitor.show(draw::form_page(&visitor.shell, None, &draw::fresh(), &[])))
}

/// A declaration that is sound, or what is wrong with it.
fn sound(json: Value) -> Result<HeartbeatSpec, Vec<FieldError>> {
    let spec: HeartbeatSpec = declared(json)?;
    let errors: Vec<FieldError> = spec
        .problems()
        .into_iter()
        .map(|p| FieldError { field: format!("/{}", p.field.replace('.', "/")), detail: p.detail })
        .collect();
    if errors.is_empty() { Ok(spec) } else { Err(errors) }
}

fn read(values: &Values, stored: Option<&Value>) -> Result<HeartbeatSpec, Vec<FieldError>> {
    let filled = form::to_json(draw::FIELDS, values)?;
    sound(match stored {
        Some(stored) => form::merged(draw::FIELDS, stored, filled),
        None => filled,
    })
}

async fn create(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let tenant = &visitor.principal.tenant;
    let errors = match read(&values, None) {
        Ok(spec) => {
            match room::for_one(&visitor.app, tenant, Thing::Heartbeat).await {
                Ok(()) => {
                    let external_id = external_id_of(&spec.name, Id::new());
                    let (id, _) =
                        heartbeat::put(tenant, &external_id, &spec, "api", visitor.shell.now).await?;
                    tell(&visitor, id, "created");
                    return Ok(visitor.done(&format!("/heartbeats/{id}"), "It waits for its first ping."));
                }
                Err(problem) => fields_of(problem)?,
            }
        }
        Err(errors) => errors,
    };
    Ok(visitor.again(draw::form_page(&visitor.shell, None, &values, &errors)))
}

async fn show(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Problem> {
    // Whoever knows the id may ping; readers see a heartbeat in the list only.
    visitor.principal.require(Right::Write)?;
    let tenant = &visitor.principal.tenant;
    let id = id(&name, "heartbeat")?;
    let row = tenant.heartbeat(id).await?;
    let pings = tenant.heartbeat_pings(id, None, PINGS).await?;
    let pings: Vec<PingRow> = pings
        .into_iter()
        .map(|p| PingRow {
            at: p.at,
            kind: p.kind,
            from: match (p.address, p.agent) {
                (Some(address), Some(agent)) => format!("{} from {address}, {agent}", p.method),
                (Some(address), None) => format!("{} from {address}", p.method),
                _ => p.method,
            },
            took_ms: p.duration_us.map(|us| us as f64 / 1000.0),
            exit: p.exit_status.map(i64::from),
            body: p.body.unwrap_or_default(),
        })
        .collect();
    let view = service::heartbeats::view(&visitor.app, &visitor.principal, &row);
    Ok(visitor.show(draw::page(&visitor.shell, &id.to_string(), &view, &pings)))
}

fn stored(row: &HeartbeatRow) -> Value {
    serde_json::from_str(&row.spec).unwrap_or(Value::Null)
}

fn not_of_a_file(row: &HeartbeatRow) -> Result<(), Problem> {
    if row.origin == "file" {
        return Err(Problem::conflict(
            "a configuration file owns this heartbeat; change it there, and apply it",
        ));
    }
    Ok(())
}

async fn edit(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Problem> {
    visitor.principal.require(Right::Write)?;
    let row = visitor.principal.tenant.heartbeat(id(&name, "heartbeat")?).await?;
    not_of_a_file(&row)?;
    let values = form::of_json(draw::FIELDS, &stored(&row));
    Ok(visitor.show(draw::form_page(&visitor.shell, Some((&name, &row.name)), &values, &[])))
}

async fn change(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let tenant = &visitor.principal.tenant;
    let row = tenant.heartbeat(id(&name, "heartbeat")?).await?;
    not_of_a_file(&row)?;
    match read(&values, Some(&stored(&row))) {
        Ok(spec) => {
            heartbeat::put(tenant, &row.external_id, &spec, "api", visitor.shell.now).await?;
            tell(&visitor, row.id, "changed");
            Ok(visitor.done(&format!("/heartbeats/{}", row.id), "Saved."))
        }
        Err(errors) => {
            Ok(visitor.again(draw::form_page(&visitor.shell, Some((&name, &row.name)), &values, &errors)))
        }
    }
}

async fn pause(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    visitor.principal.require(Right::Write)?;
    let id = id(&name, "heartbeat")?;
    heartbeat::pause(&visitor.principal.tenant, id, visitor.shell.now).await?;
    tell(&visitor, id, "paused");
    Ok(visitor.done(&format!("/heartbeats/{id}"), "Paused."))
}

async fn resume(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    visitor.principal.require(Right::Write)?;
    let id = id(&name, "heartbeat")?;
    heartbeat::resume(&visitor.principal.tenant, id, visitor.shell.now).await?;
    tell(&visitor, id, "resumed");
    Ok(visitor.done(&format!("/heartbeats/{id}"), "It waits for a ping again."))
}

async fn delete(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    visitor.principal.require(Right::Write)?;
    let id = id(&name, "heartbeat")?;
    not_of_a_file(&visitor.principal.tenant.heartbeat(id).await?)?;
    heartbeat::delete(&visitor.principal.tenant, id, visitor.shell.now).await?;
    tell(&visitor, id, "deleted");
    Ok(visitor.done("/heartbeats", "The heartbeat is deleted."))
}

/// The jobs that this server knows; whoever starts them lays their list over the router as an extension.
pub(crate) type Known = Arc<Vec<Job>>;

async fn job_page(visitor: Visitor, known: Option<Extension<Known>>) -> Result<Response, Problem> {
    visitor.principal.require(Right::Read)?;
    let Some(Extension(known)) = known else {
        return Err(Problem::new(http::StatusCode::SERVICE_UNAVAILABLE, "no jobs run in this server"));
    };
    let rows = work::list(&visitor.app.store, &known, visitor.shell.now).await?;
    let rows: Vec<JobView> = rows
        .into_iter()
        .map(|j| JobView {
            name: j.name,
            title: j.title,
            schedule: j.schedule,
            status: j.status.to_owned(),
            say: j.say,
            worked_on: j.worked_on,
            last_run: j.last_run,
            last_success: j.last_success,
            took_ms: j.took_us.map(|us| us as f64 / 1000.0),
            next_run: j.next_run,
        })
        .collect();
    Ok(visitor.show(jobs::page(&visitor.shell, &rows)))
}
