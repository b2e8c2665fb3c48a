//! Configuration as code: what a file declares, planned and applied.

use axum::extract::State;
use landfall_monitor::declare::{self, Declared};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Right;
use crate::extract::Json;
use crate::{App, Principal, Problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(plan)).routes(routes!(apply))
}

/// Plan declarations
///
/// Says what `apply` would change. Nothing is changed.
#[utoipa::path(post, path = "/declarations/plan", tag = "declarations", operation_id = "planDeclarations",
    request_body(content = Object), responses((status = 200, body = Object)))]
async fn plan(principal: Principal, Json(declared): Json<Declared>) -> Result<Json<declare::Plan>, Problem> {
    principal.require(Right::Write)?;
    let current = declare::current(&principal.tenant).await?;
    Ok(Json(declare::plan(&declared, &current)))
}

/// Apply declarations
///
/// Makes monitors, channels, windows and heartbeats be as declared. What a file owns and does not declare any more is
/// removed, and nothing else is. The same declarations again change nothing; with problems nothing is begun.
#[utoipa::path(post, path = "/declarations/apply", tag = "declarations", operation_id = "applyDeclarations",
    request_body(content = Object), responses((status = 200, body = Object)))]
async fn apply(
    State(app): State<App>,
    principal: Principal,
    Json(declared): Json<Declared>,
) -> Result<Json<declare::Plan>, Problem> {
    principal.require(Right::Write)?;
    let plan = declare::apply(&principal.tenant, &declared, &principal.name, app.clock.now()).await?;
    app.watch.nudge();
    Ok(Json(plan))
}
