//! The server's own jobs.

use axum::extract::State;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::model::{JobRunView, JobView, Listing};
use crate::extract::{Json, PathText};
use crate::service::jobs;
use crate::{App, Principal, Problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(list)).routes(routes!(runs))
}

/// The jobs of the server
#[utoipa::path(get, path = "/jobs", tag = "jobs", operation_id = "listJobs",
    responses((status = 200, body = Listing<JobView>)))]
async fn list(State(app): State<App>, principal: Principal) -> Result<Json<Listing<JobView>>, Problem> {
    Ok(Json(jobs::list(&app, &principal).await?))
}

/// The newest runs of a job
#[utoipa::path(get, path = "/jobs/{name}/runs", tag = "jobs", operation_id = "listJobRuns",
    params(("name" = String, Path, description = "The job's name.")),
    responses((status = 200, body = Listing<JobRunView>)))]
async fn runs(
    State(app): State<App>,
    principal: Principal,
    PathText(name): PathText,
) -> Result<Json<Listing<JobRunView>>, Problem> {
    Ok(Json(jobs::runs(&app, &principal, &name).await?))
}
