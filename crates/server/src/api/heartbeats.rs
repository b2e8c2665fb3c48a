//! Heartbeats.

use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use landfall_monitor::heartbeat::HeartbeatSpec;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Paged;
use super::model::{FlipView, HeartbeatView, Listing, PingKeyView, PingView};
use crate::extract::{Json, Paging, PathText, Query};
use crate::service::heartbeats;
use crate::{App, Principal, Problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, put, delete))
        .routes(routes!(pause))
        .routes(routes!(resume))
        .routes(routes!(pings))
        .routes(routes!(flips))
        .routes(routes!(ping_key, rotate_ping_key))
}

/// Heartbeats
#[utoipa::path(get, path = "/heartbeats", tag = "heartbeats", operation_id = "listHeartbeats", params(Paging),
    responses((status = 200, body = Listing<HeartbeatView>)))]
async fn list(
    State(app): State<App>,
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Paged<HeartbeatView>, Problem> {
    Ok(Paged::new(heartbeats::list(&app, &principal, paging.page()?).await?, &uri))
}

/// A heartbeat
#[utoipa::path(get, path = "/heartbeats/by-external-id/{external_id}", tag = "heartbeats", operation_id = "getHeartbeat",
    params(("external_id" = String, Path, description = "The external id.")),
    responses((status = 200, body = HeartbeatView)))]
async fn get(
    State(app): State<App>,
    principal: Principal,
    PathText(external_id): PathText,
) -> Result<Json<HeartbeatView>, Problem> {
    Ok(Json(heartbeats::get(&app, &principal, &external_id).await?))
}

/// Declare a heartbeat
#[utoipa::path(put, path = "/heartbeats/by-external-id/{external_id}", tag = "heartbeats", operation_id = "putHeartbeat",
    params(("external_id" = String, Path, description = "The external id.")), request_body(content = Object),
    responses((status = 200, body = HeartbeatView, description = "It is as declared."), (status = 201, body = HeartbeatView),
        (status = 409, description = "A file owns it.")))]
async fn put(
    State(app): State<App>,
    principal: Principal,
    PathText(external_id): PathText,
    Json(spec): Json<HeartbeatSpec>,
) -> Result<Response, Problem> {
    let (view, made) = heartbeats::put(&app, &principal, &external_id, &spec).await?;
    Ok((if made { StatusCode::CREATED } else { StatusCode::OK }, Json(view)).into_response())
}

/// Delete a heartbeat
#[utoipa::path(delete, path = "/heartbeats/by-external-id/{external_id}", tag = "heartbeats", operation_id = "deleteHeartbeat",
    params(("external_id" = String, Path, description = "The external id.")),
    responses((status = 204, description = "It is gone, with its history."), (status = 409, description = "A file owns it.")))]
async fn delete(
    State(app): State<App>,
    principal: Principal,
    PathText(external_id): PathText,
) -> Result<StatusCode, Problem> {
    heartbeats::delete(&app, &principal, &external_id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Pause a heartbeat
#[utoipa::path(post, path = "/heartbeats/by-external-id/{external_id}/pause", tag = "heartbeats", operation_id = "pauseHeartbeat",
    params(("external_id" = String, Path, description = "The external id.")),
    responses((status = 200, body = HeartbeatView)))]
async fn pause(
    State(app): State<App>,
    principal: Principal,
    PathText(external_id): PathText,
) -> Result<Json<HeartbeatView>, Problem> {
    Ok(Json(heartbeats::pause(&app, &principal, &external_id, true).await?))
}

/// Resume a heartbeat
#[utoipa::path(post, path = "/heartbeats/by-external-id/{external_id}/resume", tag = "heartbeats", operation_id = "resumeHeartbeat",
    params(("external_id" = String, Path, description = "The external id.")),
    responses((status = 200, body = HeartbeatView), (status = 409, description = "It is not paused.")))]
async fn resume(
    State(app): State<App>,
    principal: Principal,
    PathText(external_id): PathText,
) -> Result<Json<HeartbeatView>, Problem> {
    Ok(Json(heartbeats::pause(&app, &principal, &external_id, false).await?))
}

/// The newest pings of a heartbeat
#[utoipa::path(get, path = "/heartbeats/by-external-id/{external_id}/pings", tag = "heartbeats", operation_id = "listPings",
    params(("external_id" = String, Path, description = "The external id.")),
    responses((status = 200, body = Listing<PingView>)))]
async fn pings(
    principal: Principal,
    PathText(external_id): PathText,
) -> Result<Json<Listing<PingView>>, Problem> {
    Ok(Json(heartbeats::pings(&principal, &external_id).await?))
}

/// The newest changes of a heartbeat's status
#[utoipa::path(get, path = "/heartbeats/by-external-id/{external_id}/flips", tag = "heartbeats", operation_id = "listFlips",
    params(("external_id" = String, Path, description = "The external id.")),
    responses((status = 200, body = Listing<FlipView>)))]
async fn flips(
    principal: Principal,
    PathText(external_id): PathText,
) -> Result<Json<Listing<FlipView>>, Problem> {
    Ok(Json(heartbeats::flips(&principal, &external_id).await?))
}

/// The key of ping URLs by slug
#[utoipa::path(get, path = "/ping-key", tag = "heartbeats", operation_id = "getPingKey",
    responses((status = 200, body = PingKeyView)))]
async fn ping_key(State(app): State<App>, principal: Principal) -> Result<Json<PingKeyView>, Problem> {
    Ok(Json(PingKeyView { key: heartbeats::ping_key(&app, &principal).await? }))
}

/// Replace the key of ping URLs by slug
#[utoipa::path(post, path = "/ping-key", tag = "heartbeats", operation_id = "rotatePingKey",
    responses((status = 200, body = PingKeyView, description = "The new one; the old one no longer works.")))]
async fn rotate_ping_key(State(app): State<App>, principal: Principal) -> Result<Json<PingKeyView>, Problem> {
    Ok(Json(PingKeyView { key: heartbeats::rotate_ping_key(&app, &principal).await? }))
}
