//! Audits.

use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use http::{StatusCode, header};
use landfall_store::Id;
use serde::Deserialize;
use utoipa::IntoParams;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Paged;
use super::model::{Listing, ReportView};
use crate::extract::{Json, PathId, Query, page};
use crate::problem::FieldError;
use crate::service::reports::{self, Subject};
use crate::{App, Principal, Problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list, start)).routes(routes!(get)).routes(routes!(evidence))
}

/// Which audits are shown.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct ReportQuery {
    /// `next` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    after: Option<Id>,
    /// How many items, 1 to 500; 50 by default.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only those that were made for this monitor.
    #[param(value_type = Option<String>, format = Uuid)]
    monitor: Option<Id>,
}

/// What is to be audited: exactly one of the two.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct NewReport {
    /// A production URL.
    #[serde(default)]
    url: Option<String>,
    /// A monitor; its URL is audited.
    #[serde(default)]
    monitor: Option<Id>,
}

/// Audits, newest first
#[utoipa::path(get, path = "/reports", tag = "reports", operation_id = "listReports", params(ReportQuery),
    responses((status = 200, body = Listing<ReportView>)))]
async fn list(
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<ReportQuery>,
) -> Result<Paged<ReportView>, Problem> {
    let page = page(query.after, query.limit)?;
    Ok(Paged::new(reports::list(&principal, query.monitor, page).await?, &uri))
}

/// Audit now
///
/// The audit is queued and begins at once; the stream of events tells how it goes on.
#[utoipa::path(post, path = "/reports", tag = "reports", operation_id = "startAudit", request_body(content = Object),
    responses((status = 202, body = ReportView), (status = 409, description = "The monitor watches no website.")))]
async fn start(
    State(app): State<App>,
    principal: Principal,
    Json(asked): Json<NewReport>,
) -> Result<(StatusCode, Json<ReportView>), Problem> {
    let subject = match (asked.url, asked.monitor) {
        (Some(url), None) => Subject::Url(url),
        (None, Some(monitor)) => Subject::Monitor(monitor),
        _ => {
            let detail = "give exactly one of url and monitor".to_owned();
            return Err(Problem::invalid(vec![FieldError { field: String::new(), detail }]));
        }
    };
    Ok((StatusCode::ACCEPTED, Json(reports::start(&app, &principal, &subject).await?)))
}

/// An audit with its report
#[utoipa::path(get, path = "/reports/{id}", tag = "reports", operation_id = "getReport",
    params(("id" = String, Path, description = "The audit.", format = Uuid)),
    responses((status = 200, body = ReportView)))]
async fn get(principal: Principal, PathId(id): PathId) -> Result<Json<ReportView>, Problem> {
    reports::get(&principal, id).await.map(Json)
}

/// The evidence that a report was made from
///
/// Masked; `landfall diagnose` makes the same report of it again.
#[utoipa::path(get, path = "/reports/{id}/evidence", tag = "reports", operation_id = "getEvidence",
    params(("id" = String, Path, description = "The audit.", format = Uuid)),
    responses((status = 200, body = Object)))]
async fn evidence(principal: Principal, PathId(id): PathId) -> Result<Response, Problem> {
    let text = reports::evidence(&principal, id).await?;
    Ok(([(header::CONTENT_TYPE, "application/json")], text).into_response())
}
