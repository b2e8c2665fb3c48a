//! Audits: asking for one, reading its report and the evidence behind it.

use http::StatusCode;
use landfall_store::reports::ReportRow;
use landfall_store::{Id, Page};
use serde_json::Value as Json;

use super::monitors::web_url;
use super::{listing, room, tell, wrong};
use crate::api::model::{Listing, ReportView};
use crate::auth::Right;
use crate::{App, Principal, Problem};

/// Audits of one organisation that may wait or run at the same time.
const WAITING: u64 = 20;

/// What is to be audited.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// What a monitor watches.
    Monitor(Id),
    /// A production URL.
    Url(String),
}

/// Audits, newest first.
///
/// # Errors
/// 403 without the right.
pub async fn list(
    principal: &Principal,
    monitor: Option<Id>,
    page: Page,
) -> Result<Listing<ReportView>, Problem> {
    principal.require(Right::Read)?;
    let rows = principal.tenant.reports(monitor, page).await?;
    Ok(listing(rows, page, |r| r.id, |r| view(r, None)))
}

/// One audit with its report.
///
/// # Errors
/// 403 without the right; 404.
pub async fn get(principal: &Principal, id: Id) -> Result<ReportView, Problem> {
    principal.require(Right::Read)?;
    let (row, report) = principal.tenant.report(id).await?;
    Ok(view(row, report))
}

/// The masked evidence that a report was made from, as JSON text: `landfall diagnose` reads it.
///
/// # Errors
/// 403 without the right; 404, also while there is none yet.
pub async fn evidence(principal: &Principal, id: Id) -> Result<String, Problem> {
    principal.require(Right::Read)?;
    Ok(principal.tenant.evidence(id).await?)
}

/// Queues an audit; the watch makes it at once.
///
/// # Errors
/// 403 without the right; 404 for a monitor that is not there; 409 for one that has no URL; 422; 429 when many wait.
pub async fn start(app: &App, principal: &Principal, subject: &Subject) -> Result<ReportView, Problem> {
    principal.require(Right::Write)?;
    let tenant = &principal.tenant;
    let (target, monitor) = match subject {
        Subject::Url(url) => {
            let url = web_url(url).map_err(|e| Problem::invalid(vec![wrong("/url", e)]))?;
            (url.to_string(), None)
        }
        Subject::Monitor(id) => {
            let row = tenant.monitor(*id).await?;
            let check = &row.spec["check"];
            let url = match check["kind"].as_str() {
                Some("http" | "audit") => check["url"].as_str().map(str::to_owned),
                Some("tls") => check["host"].as_str().map(|host| {
                    let port = check["port"].as_u64().unwrap_or(443);
                    if port == 443 { format!("https://{host}/") } else { format!("https://{host}:{port}/") }
                }),
                _ => None,
            };
            let url = url.ok_or_else(|| {
                Problem::conflict(
                    "an audit asks a website, and this monitor watches none; give a URL instead",
                )
            })?;
            (url, Some(*id))
        }
    };
    if tenant.reports_waiting().await? >= WAITING {
        return Err(Problem::new(
            StatusCode::TOO_MANY_REQUESTS,
            format!(
                "{WAITING} audits of this organisation wait or run already; try again when some are done"
            ),
        )
        .with_header(http::header::RETRY_AFTER, http::HeaderValue::from_static("30")));
    }
    room::for_audit(app, tenant).await?;
    let id = tenant.queue_report(&target, &shown(&target), monitor, &principal.name, app.clock.now()).await?;
    tell(app, tenant.id(), "report", id, "queued", &principal.name);
    app.watch.nudge();
    get(principal, id).await
}

fn view(row: ReportRow, report: Option<Json>) -> ReportView {
    ReportView {
        id: row.id.to_string(),
        status: row.status,
        target: shown(&row.target),
        monitor: row.monitor.map(|m| m.to_string()),
        incident: row.incident.map(|i| i.to_string()),
        created: row.created,
        ended: row.ended,
        verdict: row.verdict,
        summary: row.summary,
        cause: row.cause,
        problem: row.problem,
        report,
    }
}

/// A target as it may be shown.
fn shown(target: &str) -> String {
    url::Url::parse(target).map_or_else(
        // The audit behind an incident may be of a bare name.
        |_| landfall_evidence::redact_text(target).to_string(),
        |url| landfall_evidence::redact_url(&url).to_string(),
    )
}
