//! API keys.

use axum::extract::{OriginalUri, State};
use http::StatusCode;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Paged;
use super::model::{KeyView, Listing};
use crate::extract::{Json, MaybeJson, Paging, PathId, Query};
use crate::service::keys::{self, NewApiKey, Rotate};
use crate::{App, Principal, Problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, create)).routes(routes!(revoke)).routes(routes!(rotate))
}

/// Keys
#[utoipa::path(get, path = "/keys", tag = "keys", operation_id = "listKeys", params(Paging),
    responses((status = 200, body = Listing<KeyView>)))]
async fn list(
    State(app): State<App>,
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Paged<KeyView>, Problem> {
    Ok(Paged::new(keys::list(&app, &principal, paging.page()?).await?, &uri))
}

/// Make a key
///
/// The answer holds the whole key, and nothing will show it again.
#[utoipa::path(post, path = "/keys", tag = "keys", operation_id = "createKey", request_body = NewApiKey,
    responses((status = 201, body = KeyView)))]
async fn create(
    State(app): State<App>,
    principal: Principal,
    Json(asked): Json<NewApiKey>,
) -> Result<(StatusCode, Json<KeyView>), Problem> {
    Ok((StatusCode::CREATED, Json(keys::create(&app, &principal, &asked).await?)))
}

/// Revoke a key
#[utoipa::path(delete, path = "/keys/{id}", tag = "keys", operation_id = "revokeKey",
    params(("id" = String, Path, description = "The key.", format = Uuid)),
    responses((status = 204, description = "It opens nothing any more.")))]
async fn revoke(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<StatusCode, Problem> {
    keys::revoke(&app, &principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Rotate a key
///
/// Makes a successor; the old key works on for a while, so that nothing stops meanwhile.
#[utoipa::path(post, path = "/keys/{id}/rotate", tag = "keys", operation_id = "rotateKey",
    params(("id" = String, Path, description = "The key.", format = Uuid)), request_body = Option<Rotate>,
    responses((status = 201, body = KeyView), (status = 409, description = "It has a successor already, or is over.")))]
async fn rotate(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
    MaybeJson(asked): MaybeJson<Rotate>,
) -> Result<(StatusCode, Json<KeyView>), Problem> {
    let made = keys::rotate(&app, &principal, id, asked.unwrap_or_default()).await?;
    Ok((StatusCode::CREATED, Json(made)))
}
