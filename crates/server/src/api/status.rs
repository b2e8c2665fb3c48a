//! Public status pages, and what is announced on them.

use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderValue, StatusCode, header};
use landfall_store::monitors::{Expect, Written};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Paged;
use super::model::{AnnouncementView, Listing, StatusPageView};
use crate::extract::{Condition, Json, Paging, PathId, PathText, Query, etag};
use crate::service::monitors::Versioned;
use crate::service::status::{self, AnnouncementUpdate, NewAnnouncement, StatusPageSpec};
use crate::{App, Principal, Problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list))
        .routes(routes!(get, delete))
        .routes(routes!(get_by_slug, put))
        .routes(routes!(rename))
        .routes(routes!(announcements, announce))
        .routes(routes!(announcement))
        .routes(routes!(update))
}

/// A new name in the URL.
#[derive(Debug, Clone, serde::Deserialize, utoipa::ToSchema)]
#[serde(deny_unknown_fields)]
struct Rename {
    /// 1 to 60 of `a-z`, `0-9` and `-`.
    #[schema(pattern = "^[a-z0-9][a-z0-9-]{0,59}$")]
    slug: String,
}

fn answer(status: StatusCode, page: Versioned<StatusPageView>) -> Response {
    (status, [(header::ETAG, etag(page.version))], Json(page.value)).into_response()
}

/// Status pages
#[utoipa::path(get, path = "/status-pages", tag = "status pages", operation_id = "listStatusPages", params(Paging),
    responses((status = 200, body = Listing<StatusPageView>)))]
async fn list(
    State(app): State<App>,
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Paged<StatusPageView>, Problem> {
    Ok(Paged::new(status::list(&app, &principal, paging.page()?).await?, &uri))
}

/// A status page
#[utoipa::path(get, path = "/status-pages/{id}", tag = "status pages", operation_id = "getStatusPage",
    params(("id" = String, Path, description = "The status page.", format = Uuid)),
    responses((status = 200, body = StatusPageView)))]
async fn get(State(app): State<App>, principal: Principal, PathId(id): PathId) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, status::get(&app, &principal, id).await?))
}

/// Delete a status page
///
/// Its address answers 404 from then on, and what was announced on it is gone.
#[utoipa::path(delete, path = "/status-pages/{id}", tag = "status pages", operation_id = "deleteStatusPage",
    params(("id" = String, Path, description = "The status page.", format = Uuid)),
    responses((status = 204, description = "It is gone.")))]
async fn delete(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<StatusCode, Problem> {
    status::delete(&app, &principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A status page by its name in the URL
#[utoipa::path(get, path = "/status-pages/by-slug/{slug}", tag = "status pages", operation_id = "getStatusPageBySlug",
    params(("slug" = String, Path, description = "Its name in the URL.")),
    responses((status = 200, body = StatusPageView)))]
async fn get_by_slug(
    State(app): State<App>,
    principal: Principal,
    PathText(slug): PathText,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, status::get_by_slug(&app, &principal, &slug).await?))
}

/// Declare a status page
///
/// Makes it, or changes the one with this name in the URL; the same declaration again changes nothing. The name is one for
/// the whole server: 409 when another organisation has it.
#[utoipa::path(put, path = "/status-pages/by-slug/{slug}", tag = "status pages", operation_id = "putStatusPage",
    params(("slug" = String, Path, description = "1 to 60 of a-z, 0-9 and -.", pattern = "^[a-z0-9][a-z0-9-]{0,59}$")),
    request_body = StatusPageSpec,
    responses((status = 200, body = StatusPageView, description = "It is as declared."), (status = 201, body = StatusPageView),
        (status = 409, description = "The name is taken."), (status = 412, description = "It is not as the condition says.")))]
async fn put(
    State(app): State<App>,
    principal: Principal,
    PathText(slug): PathText,
    Condition(expect): Condition,
    Json(asked): Json<StatusPageSpec>,
) -> Result<Response, Problem> {
    let (page, written) = status::put(&app, &principal, &slug, &asked, expect).await?;
    let status = if written == Written::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, page))
}

/// Give a status page another name in the URL
#[utoipa::path(post, path = "/status-pages/{id}/rename", tag = "status pages", operation_id = "renameStatusPage",
    params(("id" = String, Path, description = "The status page.", format = Uuid)),
    request_body = Rename, responses((status = 200, body = StatusPageView), (status = 409, description = "The name is taken.")))]
async fn rename(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
    Json(asked): Json<Rename>,
) -> Result<Response, Problem> {
    principal.require(crate::Right::Write)?;
    let now = status::get(&app, &principal, id).await?;
    let expect = Expect::Unchanged(now.version);
    let spec = StatusPageSpec {
        title: now.value.title,
        about: now.value.about,
        label: now.value.label,
        noindex: now.value.noindex,
        published: now.value.published,
    };
    let page = status::change(&app, &principal, id, &asked.slug, &spec, expect).await?;
    Ok(answer(StatusCode::OK, page))
}

/// What was announced on a status page, newest first
#[utoipa::path(get, path = "/status-pages/{id}/announcements", tag = "status pages", operation_id = "listAnnouncements",
    params(("id" = String, Path, description = "The status page.", format = Uuid), Paging),
    responses((status = 200, body = Listing<AnnouncementView>)))]
async fn announcements(
    principal: Principal,
    PathId(id): PathId,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Paged<AnnouncementView>, Problem> {
    Ok(Paged::new(status::announcements(&principal, id, paging.page()?).await?, &uri))
}

/// Announce something on a status page
#[utoipa::path(post, path = "/status-pages/{id}/announcements", tag = "status pages", operation_id = "announce",
    params(("id" = String, Path, description = "The status page.", format = Uuid)), request_body = NewAnnouncement,
    responses((status = 201, body = AnnouncementView), (status = 409, description = "Its end is not after its beginning.")))]
async fn announce(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
    Json(asked): Json<NewAnnouncement>,
) -> Result<Response, Problem> {
    let made = status::announce(&app, &principal, id, &asked).await?;
    let place = HeaderValue::from_str(&format!("/api/v1/announcements/{}", made.id));
    let mut response = (StatusCode::CREATED, Json(made)).into_response();
    if let Ok(place) = place {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// An announcement
#[utoipa::path(get, path = "/announcements/{id}", tag = "status pages", operation_id = "getAnnouncement",
    params(("id" = String, Path, description = "The announcement.", format = Uuid)),
    responses((status = 200, body = AnnouncementView)))]
async fn announcement(principal: Principal, PathId(id): PathId) -> Result<Json<AnnouncementView>, Problem> {
    status::announcement(&principal, id).await.map(Json)
}

/// Write more about an announcement
#[utoipa::path(post, path = "/announcements/{id}/updates", tag = "status pages", operation_id = "updateAnnouncement",
    params(("id" = String, Path, description = "The announcement.", format = Uuid)), request_body = AnnouncementUpdate,
    responses((status = 200, body = AnnouncementView)))]
async fn update(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
    Json(asked): Json<AnnouncementUpdate>,
) -> Result<Json<AnnouncementView>, Problem> {
    status::update(&app, &principal, id, &asked).await.map(Json)
}
