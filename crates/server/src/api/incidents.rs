//! Incidents.

use axum::extract::{OriginalUri, State};
use landfall_store::Id;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Paged;
use super::model::{CaptureView, IncidentView, Listing};
use crate::extract::{Json, PathId, Query, page};
use crate::service::incidents;
use crate::{App, Principal, Problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get))
        .routes(routes!(acknowledge))
        .routes(routes!(comment))
        .routes(routes!(captures))
}

/// Which incidents are shown.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct IncidentQuery {
    /// `next` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    after: Option<Id>,
    /// How many items, 1 to 500; 50 by default.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only with this status: `confirming`, `open`, `resolved`.
    status: Option<String>,
    /// Only those that this monitor is or was part of.
    #[param(value_type = Option<String>, format = Uuid)]
    monitor: Option<Id>,
}

/// Somebody's words.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct Comment {
    /// The words, in plain text.
    #[schema(min_length = 1, max_length = 4000)]
    say: String,
}

/// Incidents, newest first
#[utoipa::path(get, path = "/incidents", tag = "incidents", operation_id = "listIncidents", params(IncidentQuery),
    responses((status = 200, body = Listing<IncidentView>)))]
async fn list(
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<IncidentQuery>,
) -> Result<Paged<IncidentView>, Problem> {
    let page = page(query.after, query.limit)?;
    let listing = incidents::list(&principal, query.status.as_deref(), query.monitor, page).await?;
    Ok(Paged::new(listing, &uri))
}

/// An incident with its timeline
#[utoipa::path(get, path = "/incidents/{id}", tag = "incidents", operation_id = "getIncident",
    params(("id" = String, Path, description = "The incident.", format = Uuid)),
    responses((status = 200, body = IncidentView)))]
async fn get(principal: Principal, PathId(id): PathId) -> Result<Json<IncidentView>, Problem> {
    incidents::get(&principal, id).await.map(Json)
}

/// Acknowledge an incident
///
/// Reminders stop. Once is enough: again changes nothing.
#[utoipa::path(post, path = "/incidents/{id}/acknowledge", tag = "incidents", operation_id = "acknowledgeIncident",
    params(("id" = String, Path, description = "The incident.", format = Uuid)),
    responses((status = 200, body = IncidentView)))]
async fn acknowledge(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<Json<IncidentView>, Problem> {
    incidents::acknowledge(&app, &principal, id).await.map(Json)
}

/// Add words to an incident
#[utoipa::path(post, path = "/incidents/{id}/comments", tag = "incidents", operation_id = "commentIncident",
    params(("id" = String, Path, description = "The incident.", format = Uuid)), request_body = Comment,
    responses((status = 200, body = IncidentView)))]
async fn comment(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
    Json(asked): Json<Comment>,
) -> Result<Json<IncidentView>, Problem> {
    incidents::comment(&app, &principal, id, &asked.say).await.map(Json)
}

/// The evidence that was kept of an incident
#[utoipa::path(get, path = "/incidents/{id}/captures", tag = "incidents", operation_id = "listCaptures",
    params(("id" = String, Path, description = "The incident.", format = Uuid)),
    responses((status = 200, body = Listing<CaptureView>)))]
async fn captures(principal: Principal, PathId(id): PathId) -> Result<Json<Listing<CaptureView>>, Problem> {
    let items = incidents::captures(&principal, id).await?;
    Ok(Json(Listing { items, next: None }))
}
