//! Incidents and audits.

use axum::Router;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use http::{HeaderValue, header};
use landfall_report::{Format, Report, Style, render};
use serde::Deserialize;

use super::{After, page};
use crate::pages::door::{Sent, Visitor, go, id};
use crate::pages::layout::guard;
use crate::pages::{incidents, judgement, reports};
use crate::service;
use crate::service::reports::Subject;
use crate::{App, Problem};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/incidents", get(list))
        .route("/incidents/{id}", get(show))
        .route("/incidents/{id}/acknowledge", post(acknowledge))
        .route("/incidents/{id}/comments", post(comment))
        .route("/reports", get(report_list).post(start))
        .route("/reports/{id}", get(report))
        .route("/reports/{id}/full", get(full))
        .route("/reports/{id}/download/{format}", get(download))
}

/// Rows on one page.
const ROWS: u32 = 50;

#[derive(Debug, Default, Deserialize)]
struct Wanted {
    #[serde(default)]
    status: String,
    #[serde(default)]
    after: String,
}

async fn list(visitor: Visitor, Query(wanted): Query<Wanted>) -> Result<Response, Problem> {
    let status = match wanted.status.as_str() {
        "" => None,
        word @ ("open" | "confirming" | "resolved") => Some(word),
        _ => return Err(Problem::missing("list")),
    };
    let at = page(&wanted.after, ROWS)?;
    let list = service::incidents::list(&visitor.principal, status, None, at).await?;
    Ok(visitor.show(incidents::list_page(&visitor.shell, &list, &wanted.status, &wanted.after)))
}

async fn show(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Problem> {
    let incident = service::incidents::get(&visitor.principal, id(&name, "incident")?).await?;
    let report = match &incident.report {
        None => None,
        Some(report) => match service::reports::get(&visitor.principal, id(report, "audit")?).await {
            Ok(view) => judgement::read(view.report.as_ref()),
            // Retention takes reports before it takes incidents.
            Err(problem) if problem.status == 404 => None,
            Err(problem) => return Err(problem),
        },
    };
    Ok(visitor.show(incidents::page(&visitor.shell, &incident, report.as_ref())))
}

async fn acknowledge(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    let id = id(&name, "incident")?;
    service::incidents::acknowledge(&visitor.app, &visitor.principal, id).await?;
    Ok(visitor.done(
        &format!("/incidents/{id}"),
        "Acknowledged: no more reminders, and everybody sees that it is you.",
    ))
}

async fn comment(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    let id = id(&name, "incident")?;
    let say = values.get("say").replace("\r\n", "\n");
    service::incidents::comment(&visitor.app, &visitor.principal, id, &say).await?;
    Ok(visitor.done(&format!("/incidents/{id}"), "It is in the timeline."))
}

async fn report_list(visitor: Visitor, Query(at): Query<After>) -> Result<Response, Problem> {
    let list = service::reports::list(&visitor.principal, None, at.page(ROWS)?).await?;
    Ok(visitor.show(reports::list_page(&visitor.shell, &list, &at.after)))
}

async fn start(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    let url = values.get("url").to_owned();
    match service::reports::start(&visitor.app, &visitor.principal, &Subject::Url(url)).await {
        Ok(report) => Ok(go(&format!("/reports/{}", report.id))),
        Err(problem) if problem.status == 422 => {
            let say = problem.errors.first().map_or(problem.detail.as_str(), |e| e.detail.as_str());
            let mut shell = visitor.shell.clone();
            shell.flash = Some(crate::pages::layout::Flash {
                tone: crate::pages::parts::Tone::Bad,
                say: format!("That URL cannot be audited: {say}"),
            });
            Ok(visitor.again(crate::pages::overview::add_page(&shell, values.get("url"))))
        }
        Err(problem) => Err(problem),
    }
}

async fn report(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Problem> {
    let view = service::reports::get(&visitor.principal, id(&name, "audit")?).await?;
    let report = judgement::read(view.report.as_ref());
    Ok(visitor.show(reports::page(&visitor.shell, &view, report.as_ref())))
}

async fn whole(visitor: &Visitor, name: &str) -> Result<Report, Problem> {
    let view = service::reports::get(&visitor.principal, id(name, "audit")?).await?;
    judgement::read(view.report.as_ref()).ok_or_else(|| Problem::missing("report"))
}

/// The report as the command line writes it, in a sandbox of its own.
async fn full(visitor: Visitor, Path(name): Path<String>) -> Result<Response, Problem> {
    let report = whole(&visitor, &name).await?;
    let mut response = render(&report, Format::Html, &Style::default()).into_response();
    let headers = response.headers_mut();
    guard(headers, reports::SANDBOX);
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    Ok(response)
}

async fn download(
    visitor: Visitor,
    Path((name, format)): Path<(String, String)>,
) -> Result<Response, Problem> {
    let (format, kind, extension) = match format.as_str() {
        "json" => (Format::Json, "application/json", "json"),
        "markdown" => (Format::Markdown, "text/markdown; charset=utf-8", "md"),
        _ => return Err(Problem::missing("format")),
    };
    let report = whole(&visitor, &name).await?;
    let mut response = render(&report, format, &Style::default()).into_response();
    let headers = response.headers_mut();
    let file = format!("attachment; filename=\"landfall-{name}.{extension}\"");
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("private, no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    if let Ok(file) = HeaderValue::from_str(&file) {
        headers.insert(header::CONTENT_DISPOSITION, file);
    }
    Ok(response)
}
