//! Configuration as code: what a file declares, planned and applied.

use axum::extract::State;
use landfall_monitor::declare::{self, Declared};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::auth::Right;
use crate::extract::Json;
use crate::service::room;
use crate::{App, Principal, Problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new().routes(routes!(plan)).routes(routes!(apply))
}

/// Plan declarations
///
/// Says what `apply` would change. Nothing is changed.
#[utoipa::path(post, path = "/declarations/plan", tag = "declarations", operation_id = "planDeclarations",
    request_body(content = Object), responses((status = 200, body = Object)))]
async fn plan(
    State(app): State<App>,
    principal: Principal,
    Json(declared): Json<Declared>,
) -> Result<Json<declare::Plan>, Problem> {
    principal.require(Right::Write)?;
    let current = declare::current(&principal.tenant).await?;
    let mut plan = declare::plan(&declared, &current);
    let lacking = room::for_declarations(&app, &principal.tenant, &declared, &plan).await?;
    plan.problems.extend(lacking.into_iter().map(|detail| declare::Problem {
        line: 0,
        thing: String::new(),
        field: String::new(),
        detail,
    }));
    Ok(Json(plan))
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
    if app.settings.billing.on {
        let current = declare::current(&principal.tenant).await?;
        let plan = declare::plan(&declared, &current);
        let lacking = room::for_declarations(&app, &principal.tenant, &declared, &plan).await?;
        if !lacking.is_empty() {
            return Err(Problem::new(http::StatusCode::PAYMENT_REQUIRED, lacking.join("; ")));
        }
    }
    let plan = declare::apply(&principal.tenant, &declared, &principal.name, app.clock.now()).await?;
    app.watch.nudge();
    Ok(Json(plan))
}
