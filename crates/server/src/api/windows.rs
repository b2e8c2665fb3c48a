//! Maintenance windows.

use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use landfall_monitor::WindowSpec;
use landfall_store::monitors::Written;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Paged;
use super::model::{Listing, WindowView};
use crate::extract::{Condition, Json, Paging, PathId, PathText, Query, etag};
use crate::service::monitors::Versioned;
use crate::service::windows;
use crate::{App, Principal, Problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(get, delete)).routes(routes!(put))
}

fn answer(status: StatusCode, window: Versioned<WindowView>) -> Response {
    (status, [(header::ETAG, etag(window.version))], Json(window.value)).into_response()
}

/// Maintenance windows
#[utoipa::path(get, path = "/windows", tag = "windows", operation_id = "listWindows", params(Paging),
    responses((status = 200, body = Listing<WindowView>)))]
async fn list(
    State(app): State<App>,
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Paged<WindowView>, Problem> {
    Ok(Paged::new(windows::list(&app, &principal, paging.page()?).await?, &uri))
}

/// A maintenance window
#[utoipa::path(get, path = "/windows/{id}", tag = "windows", operation_id = "getWindow",
    params(("id" = String, Path, description = "The window.", format = Uuid)),
    responses((status = 200, body = WindowView)))]
async fn get(State(app): State<App>, principal: Principal, PathId(id): PathId) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, windows::get(&app, &principal, id).await?))
}

/// Delete a maintenance window
#[utoipa::path(delete, path = "/windows/{id}", tag = "windows", operation_id = "deleteWindow",
    params(("id" = String, Path, description = "The window.", format = Uuid)),
    responses((status = 204, description = "It opens no more."), (status = 409, description = "A file owns it.")))]
async fn delete(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<StatusCode, Problem> {
    windows::delete(&app, &principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Declare a maintenance window
#[utoipa::path(put, path = "/windows/by-external-id/{external_id}", tag = "windows", operation_id = "putWindow",
    params(("external_id" = String, Path, description = "The external id.")), request_body(content = Object),
    responses((status = 200, body = WindowView, description = "It is as declared."), (status = 201, body = WindowView),
        (status = 409, description = "A file owns it."), (status = 412, description = "It is not as the condition says.")))]
async fn put(
    State(app): State<App>,
    principal: Principal,
    PathText(external_id): PathText,
    Condition(expect): Condition,
    Json(asked): Json<WindowSpec>,
) -> Result<Response, Problem> {
    let (window, written) = windows::put(&app, &principal, &external_id, &asked, expect).await?;
    let status = if written == Written::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, window))
}
