//! Monitors.

use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use jiff::Timestamp;
use landfall_monitor::MonitorSpec;
use landfall_store::Id;
use landfall_store::monitors::Written;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Paged;
use super::model::{BucketView, CheckAskedView, Listing, MonitorView, ResultView, UptimeView};
use crate::extract::{Condition, Json, Paging, PathId, PathText, Query, etag, page};
use crate::service::monitors::{self, Filter, Versioned, Width};
use crate::{App, Principal, Problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, change, delete))
        .routes(routes!(get_external, put))
        .routes(routes!(results))
        .routes(routes!(buckets))
        .routes(routes!(uptime))
        .routes(routes!(check))
        .routes(routes!(check_external))
}

/// Which monitors are shown.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct MonitorQuery {
    /// `next` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    after: Option<Id>,
    /// How many items, 1 to 500; 50 by default.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only with this verdict.
    verdict: Option<String>,
    /// Only of this kind: `http`, `tcp`, `dns`, `tls`, `audit`.
    kind: Option<String>,
    /// Only those with this text in their name or external id.
    q: Option<String>,
}

/// Which sums are shown.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct BucketQuery {
    /// How wide one is.
    #[param(inline)]
    width: Width,
    /// From when on; the last 60 minutes, 48 hours or 90 days when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    from: Option<Timestamp>,
    /// Until when; now when absent.
    #[param(value_type = Option<String>, format = DateTime)]
    until: Option<Timestamp>,
}

/// What may be changed of a monitor without declaring it anew.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MonitorChange {
    /// Whether it is paused.
    #[serde(default)]
    paused: Option<bool>,
    /// Whether status pages and badges show it.
    #[serde(default)]
    public: Option<bool>,
}

fn answer(status: StatusCode, monitor: Versioned<MonitorView>) -> Response {
    (status, [(header::ETAG, etag(monitor.version))], Json(monitor.value)).into_response()
}

/// Monitors
#[utoipa::path(get, path = "/monitors", tag = "monitors", operation_id = "listMonitors", params(MonitorQuery),
    responses((status = 200, body = Listing<MonitorView>)))]
async fn list(
    State(app): State<App>,
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<MonitorQuery>,
) -> Result<Paged<MonitorView>, Problem> {
    let filter = Filter { verdict: query.verdict, kind: query.kind, text: query.q };
    let page = page(query.after, query.limit)?;
    Ok(Paged::new(monitors::list(&app, &principal, &filter, page).await?, &uri))
}

/// Make a monitor
///
/// Its external id is made from its name; to choose it, and to be able to repeat the call, PUT it.
#[utoipa::path(post, path = "/monitors", tag = "monitors", operation_id = "createMonitor",
    request_body(content = Object), responses((status = 201, body = MonitorView)))]
async fn create(
    State(app): State<App>,
    principal: Principal,
    Json(spec): Json<MonitorSpec>,
) -> Result<Response, Problem> {
    let made = monitors::create(&app, &principal, spec).await?;
    let place = format!("/api/v1/monitors/{}", made.value.id);
    let mut response = answer(StatusCode::CREATED, made);
    if let Ok(place) = http::HeaderValue::from_str(&place) {
        response.headers_mut().insert(header::LOCATION, place);
    }
    Ok(response)
}

/// A monitor
#[utoipa::path(get, path = "/monitors/{id}", tag = "monitors", operation_id = "getMonitor",
    params(("id" = String, Path, description = "The monitor.", format = Uuid)),
    responses((status = 200, body = MonitorView)))]
async fn get(State(app): State<App>, principal: Principal, PathId(id): PathId) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, monitors::get(&app, &principal, id).await?))
}

/// Pause, resume, publish or hide a monitor
///
/// What is absent stays as it is. A published monitor is shown, by name and state alone, on the organisation's status pages.
#[utoipa::path(patch, path = "/monitors/{id}", tag = "monitors", operation_id = "changeMonitor",
    params(("id" = String, Path, description = "The monitor.", format = Uuid)),
    request_body = MonitorChange,
    responses((status = 200, body = MonitorView), (status = 409, description = "A file owns it.")))]
async fn change(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
    Json(asked): Json<MonitorChange>,
) -> Result<Response, Problem> {
    principal.require(crate::Right::Write)?;
    let mut now = monitors::get(&app, &principal, id).await?;
    if let Some(public) = asked.public {
        now = monitors::publish(&app, &principal, id, public).await?;
    }
    if let Some(paused) = asked.paused {
        now = monitors::pause(&app, &principal, id, paused).await?;
    }
    Ok(answer(StatusCode::OK, now))
}

/// Delete a monitor
#[utoipa::path(delete, path = "/monitors/{id}", tag = "monitors", operation_id = "deleteMonitor",
    params(("id" = String, Path, description = "The monitor.", format = Uuid)),
    responses((status = 204, description = "It is checked no longer."), (status = 409, description = "A file owns it.")))]
async fn delete(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<StatusCode, Problem> {
    monitors::delete(&app, &principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// A monitor by its external id
#[utoipa::path(get, path = "/monitors/by-external-id/{external_id}", tag = "monitors", operation_id = "getMonitorByExternalId",
    params(("external_id" = String, Path, description = "The external id.")),
    responses((status = 200, body = MonitorView)))]
async fn get_external(
    State(app): State<App>,
    principal: Principal,
    PathText(external_id): PathText,
) -> Result<Response, Problem> {
    Ok(answer(StatusCode::OK, monitors::get_by_external_id(&app, &principal, &external_id).await?))
}

/// Declare a monitor
///
/// Makes it, or changes the one with this external id; the same declaration again changes nothing. `If-Match` with the
/// `ETag` that was read keeps two people from overwriting each other, `If-None-Match: *` makes only.
#[utoipa::path(put, path = "/monitors/by-external-id/{external_id}", tag = "monitors", operation_id = "putMonitor",
    params(("external_id" = String, Path, description = "The external id.")), request_body(content = Object),
    responses((status = 200, body = MonitorView, description = "It is as declared."), (status = 201, body = MonitorView),
        (status = 409, description = "A file owns it."), (status = 412, description = "It is not as the condition says.")))]
async fn put(
    State(app): State<App>,
    principal: Principal,
    PathText(external_id): PathText,
    Condition(expect): Condition,
    Json(spec): Json<MonitorSpec>,
) -> Result<Response, Problem> {
    let (monitor, written) = monitors::put(&app, &principal, &external_id, spec, expect).await?;
    let status = if written == Written::Created { StatusCode::CREATED } else { StatusCode::OK };
    Ok(answer(status, monitor))
}

/// Results of a monitor, newest first
#[utoipa::path(get, path = "/monitors/{id}/results", tag = "monitors", operation_id = "listResults",
    params(("id" = String, Path, description = "The monitor.", format = Uuid), Paging),
    responses((status = 200, body = Listing<ResultView>)))]
async fn results(
    principal: Principal,
    PathId(id): PathId,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Paged<ResultView>, Problem> {
    Ok(Paged::new(monitors::results(&principal, id, paging.page()?).await?, &uri))
}

/// Sums over the results of a monitor, oldest first
#[utoipa::path(get, path = "/monitors/{id}/buckets", tag = "monitors", operation_id = "listBuckets",
    params(("id" = String, Path, description = "The monitor.", format = Uuid), BucketQuery),
    responses((status = 200, body = Listing<BucketView>)))]
async fn buckets(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
    Query(query): Query<BucketQuery>,
) -> Result<Json<Listing<BucketView>>, Problem> {
    let items = monitors::buckets(&app, &principal, id, query.width, query.from, query.until).await?;
    Ok(Json(Listing { items, next: None }))
}

/// Uptime of a monitor
#[utoipa::path(get, path = "/monitors/{id}/uptime", tag = "monitors", operation_id = "getUptime",
    params(("id" = String, Path, description = "The monitor.", format = Uuid)),
    responses((status = 200, body = UptimeView)))]
async fn uptime(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<Json<UptimeView>, Problem> {
    monitors::uptime(&app, &principal, id).await.map(Json)
}

/// Check a monitor now
///
/// The check is made within seconds by whichever server watches the monitor, and counts like any other; its result appears in
/// the list of results and as an event. Asking again before that changes nothing.
#[utoipa::path(post, path = "/monitors/{id}/check", tag = "monitors", operation_id = "checkMonitor",
    params(("id" = String, Path, description = "The monitor.", format = Uuid)),
    responses((status = 202, body = CheckAskedView), (status = 409, description = "It is paused.")))]
async fn check(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<(StatusCode, Json<CheckAskedView>), Problem> {
    Ok((StatusCode::ACCEPTED, Json(monitors::check_now(&app, &principal, id).await?)))
}

/// Check a monitor now, by its external id
#[utoipa::path(post, path = "/monitors/by-external-id/{external_id}/check", tag = "monitors",
    operation_id = "checkMonitorByExternalId",
    params(("external_id" = String, Path, description = "The external id.")),
    responses((status = 202, body = CheckAskedView), (status = 409, description = "It is paused.")))]
async fn check_external(
    State(app): State<App>,
    principal: Principal,
    PathText(external_id): PathText,
) -> Result<(StatusCode, Json<CheckAskedView>), Problem> {
    principal.require(crate::Right::Write)?;
    let row = principal.tenant.monitor_by_external_id(&external_id).await?;
    Ok((StatusCode::ACCEPTED, Json(monitors::check_now(&app, &principal, row.id).await?)))
}
