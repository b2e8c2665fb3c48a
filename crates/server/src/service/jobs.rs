//! The server's own jobs.

use landfall_monitor::jobs;
use landfall_store::jobs as stored;

use crate::api::model::{JobRunView, JobView, Listing};
use crate::auth::Right;
use crate::{App, Principal, Problem};

/// How all jobs stand.
///
/// # Errors
/// 403 for those who are not of the operator's organisation, which is the oldest one.
pub async fn list(app: &App, principal: &Principal) -> Result<Listing<JobView>, Problem> {
    operator(app, principal).await?;
    let list = jobs::list(&app.store, &jobs::catalogue(), app.clock.now()).await?;
    let view = |j: jobs::JobStatus| JobView {
        name: j.name,
        title: j.title,
        schedule: j.schedule,
        status: j.status.to_owned(),
        say: j.say,
        worked_on: j.worked_on,
        last_run: j.last_run,
        last_success: j.last_success,
        took_ms: j.took_us.map(|us| us as f64 / 1000.0),
        next_run: j.next_run,
    };
    Ok(Listing { items: list.into_iter().map(view).collect(), next: None })
}

/// The newest runs of a job, newest first.
///
/// # Errors
/// 403 as [`list`].
pub async fn runs(app: &App, principal: &Principal, name: &str) -> Result<Listing<JobRunView>, Problem> {
    operator(app, principal).await?;
    let runs = stored::runs(&app.store, name, 50).await?;
    let view = |r: stored::JobRun| JobRunView {
        scheduled: r.scheduled,
        started: r.started,
        ended: r.ended,
        outcome: r.outcome,
        say: r.say,
        worked_on: r.worked_on,
    };
    Ok(Listing { items: runs.into_iter().map(view).collect(), next: None })
}

/// Nothing for a member of the first organisation, whose people run the server.
///
/// # Errors
/// 403 for everybody else.
pub(crate) async fn operator(app: &App, principal: &Principal) -> Result<(), Problem> {
    principal.require(Right::Read)?;
    if app.store.oldest_org().await? == Some(principal.tenant.id()) {
        return Ok(());
    }
    Err(Problem::forbidden("this is of the server as a whole, and its operator's"))
}
