//! Heartbeats and the server's own jobs.

use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use landfall_monitor::heartbeat::HeartbeatSpec;
use landfall_store::Id;
use serde_json::Value;

use super::After;
use super::monitors::declared;
use crate::pages::door::{Sent, Visitor, fields_of};
use crate::pages::form::{self, Values};
use crate::pages::heartbeats as draw;
use crate::pages::jobs;
use crate::problem::FieldError;
use crate::service::{self, external_id_of, heartbeats};
use crate::{App, Problem, Right};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/heartbeats", get(list).post(create))
        .route("/heartbeats/new", get(new))
        .route("/heartbeats/{external_id}", get(show).post(change))
        .route("/heartbeats/{external_id}/edit", get(edit))
        .route("/heartbeats/{external_id}/pause", post(pause))
        .route("/heartbeats/{external_id}/resume", post(resume))
        .route("/heartbeats/{external_id}/delete", post(delete))
        .route("/jobs", get(job_page))
}

/// Rows on one page.
const ROWS: u32 = 50;

async fn list(visitor: Visitor, Query(at): Query<After>) -> Result<Response, Problem> {
    let list = heartbeats::list(&visitor.app, &visitor.principal, at.page(ROWS)?).await?;
    Ok(visitor.show(draw::list_page(&visitor.shell, &list, &at.after)))
}

async fn new(visitor: Visitor) -> Result<Response, Problem> {
    visitor.principal.require(Right::Write)?;
    Ok(visitor.show(draw::form_page(&visitor.shell, None, &draw::fresh(), &[])))
}

fn read(values: &Values, stored: Option<&Value>) -> Result<HeartbeatSpec, Vec<FieldError>> {
    let filled = form::to_json(draw::FIELDS, values)?;
    declared(match stored {
        Some(stored) => form::merged(draw::FIELDS, stored, filled),
        None => filled,
    })
}

async fn create(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let errors = match read(&values, None) {
        Ok(spec) => {
            let external_id = external_id_of(&spec.name, Id::new());
            match heartbeats::put(&visitor.app, &visitor.principal, &external_id, &spec).await {
                Ok(_) => {
                    let path = format!("/heartbeats/{external_id}");
                    return Ok(visitor.done(&path, "It waits for its first ping."));
                }
                Err(problem) => fields_of(problem)?,
            }
        }
        Err(errors) => errors,
    };
    Ok(visitor.again(draw::form_page(&visitor.shell, None, &values, &errors)))
}

async fn show(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Problem> {
    let beat = heartbeats::get(&visitor.app, &visitor.principal, &name).await?;
    let pings = heartbeats::pings(&visitor.principal, &name).await?;
    Ok(visitor.show(draw::page(&visitor.shell, &beat, &pings.items)))
}

async fn edit(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Problem> {
    visitor.principal.require(Right::Write)?;
    let beat = heartbeats::get(&visitor.app, &visitor.principal, &name).await?;
    let values = form::of_json(draw::FIELDS, &beat.spec);
    Ok(visitor.show(draw::form_page(&visitor.shell, Some((&name, &beat.name)), &values, &[])))
}

async fn change(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    visitor.principal.require(Right::Write)?;
    let beat = heartbeats::get(&visitor.app, &visitor.principal, &name).await?;
    let errors = match read(&values, Some(&beat.spec)) {
        Ok(spec) => match heartbeats::put(&visitor.app, &visitor.principal, &name, &spec).await {
            Ok(_) => return Ok(visitor.done(&format!("/heartbeats/{name}"), "Saved.")),
            Err(problem) => fields_of(problem)?,
        },
        Err(errors) => errors,
    };
    Ok(visitor.again(draw::form_page(&visitor.shell, Some((&name, &beat.name)), &values, &errors)))
}

async fn pause(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    heartbeats::pause(&visitor.app, &visitor.principal, &name, true).await?;
    Ok(visitor.done(&format!("/heartbeats/{name}"), "Paused."))
}

async fn resume(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    heartbeats::pause(&visitor.app, &visitor.principal, &name, false).await?;
    Ok(visitor.done(&format!("/heartbeats/{name}"), "It waits for a ping again."))
}

async fn delete(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    heartbeats::delete(&visitor.app, &visitor.principal, &name).await?;
    Ok(visitor.done("/heartbeats", "The heartbeat is deleted."))
}

async fn job_page(visitor: Visitor) -> Result<Response, Problem> {
    let list = service::jobs::list(&visitor.app, &visitor.principal).await?;
    Ok(visitor.show(jobs::page(&visitor.shell, &list.items)))
}
