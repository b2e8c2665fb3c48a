//! What anybody may see: status pages, badges, robots.txt. It is answered from memory, so that a crowd costs nothing and a
//! dead database is no reason for a blank page.

mod badge;
mod cache;
mod rss;
mod status;

use std::sync::Arc;
use std::time::Duration;

use axum::extract::{Path, Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use axum::{Extension, Router};
use bytes::Bytes;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use landfall_store::{Id, StoreError};
use sha2::{Digest, Sha256};

use self::cache::{Cache, Found};
use crate::pages::{assets, errors, layout};
use crate::{App, Problem};

/// The public routes. They need no session and set no cookie.
pub fn router() -> Router<App> {
    let desk = Arc::new(Desk::default());
    Router::new()
        .route("/status/{slug}", get(page))
        .route("/status/{slug}/rss", get(feed))
        .route("/status/{slug}/json", get(json))
        .route("/badge/{file}", get(badge_svg))
        .route("/badge/{id}/shields.json", get(badge_shields))
        .route("/assets/{name}", get(assets::serve))
        .route("/favicon.ico", get(assets::favicon))
        .route("/robots.txt", get(robots))
        .layer(Extension(desk))
}

/// What is kept in memory.
#[derive(Debug, Default)]
struct Desk {
    pages: Cache<String, Rendered>,
    badges: Cache<Id, landfall_store::status::PublicBadge>,
}

/// A status page, laid out in each format.
#[derive(Debug)]
struct Rendered {
    status: landfall_store::status::PublicStatus,
    html: Body,
    rss: Body,
    json: Body,
}

/// A body with the name that it is known by.
#[derive(Debug, Clone)]
struct Body {
    bytes: Bytes,
    tag: HeaderValue,
}

impl Body {
    fn new(text: String) -> Self {
        let tag = format!("\"{}\"", hex::encode(&Sha256::digest(text.as_bytes())[..12]));
        // Hexadecimal digits and quotes are fine in a header.
        let tag = HeaderValue::from_str(&tag).unwrap_or(HeaderValue::from_static("\"\""));
        Self { bytes: Bytes::from(text), tag }
    }
}

/// How far back incidents and announcements are shown.
const PAST: Duration = Duration::from_secs(30 * 24 * 3600);

impl Rendered {
    fn new(app: &App, status: landfall_store::status::PublicStatus, read: Timestamp, failing: bool) -> Self {
        let seen = status::Seen { now: app.clock.now(), read, failing, public_url: base(app) };
        let html = Body::new(status::page(&status, &seen).into_string());
        let rss = Body::new(rss::feed(&status, &seen));
        let json = Body::new(status::json(&status, &seen).to_string());
        Self { status, html, rss, json }
    }
}

fn base(app: &App) -> String {
    app.settings.public_url.trim_end_matches('/').to_owned()
}

async fn load(app: &App, slug: String) -> Result<Option<Rendered>, StoreError> {
    let now = app.clock.now();
    let since = now.checked_sub(PAST).unwrap_or(Timestamp::UNIX_EPOCH);
    let status = app.store.public_status(&slug, now, since).await?;
    Ok(status.map(|s| Rendered::new(app, s, now, false)))
}

/// The page under a slug, from memory where it is there.
async fn rendered(app: &App, desk: &Arc<Desk>, slug: &str) -> Result<Arc<Rendered>, Problem> {
    if slug.len() > 60 || !slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-') {
        return Err(Problem::missing("status page"));
    }
    let (reader, again, name) = (app.clone(), app.clone(), slug.to_owned());
    let found = desk
        .pages
        .get(
            Arc::clone(&app.clock),
            slug.to_owned(),
            move || async move { load(&reader, name).await },
            // When reading fails the page is laid out once more, and says how old it is.
            move |old, read| Rendered::new(&again, old.status.clone(), read, true),
        )
        .await;
    match found {
        Found::Here(page) => Ok(page),
        Found::Missing => Err(Problem::missing("status page")),
        Found::Unread => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "our own database cannot be asked at the moment; this says nothing about the services shown here",
        )),
    }
}

/// Which of the kept bodies, under which type.
fn answer(body: &Body, kind: &'static str, asked: &HeaderMap) -> Response {
    let known = asked.get(header::IF_NONE_MATCH).and_then(|v| v.to_str().ok()).is_some_and(|tags| {
        tags.split(',').any(|t| t.trim().trim_start_matches("W/").as_bytes() == body.tag.as_bytes())
    });
    let mut response = if known {
        StatusCode::NOT_MODIFIED.into_response()
    } else {
        Response::new(axum::body::Body::from(body.bytes.clone()))
    };
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(kind));
    headers.insert(header::ETAG, body.tag.clone());
    headers.insert(
        header::CACHE_CONTROL,
        HeaderValue::from_static("public, max-age=5, stale-while-revalidate=30, stale-if-error=3600"),
    );
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

fn refuse(app: &App, headers: &HeaderMap, problem: &Problem) -> Response {
    errors::answer(&crate::pages::stranger(app, headers), headers, problem)
}

async fn page(
    State(app): State<App>,
    Extension(desk): Extension<Arc<Desk>>,
    Path(slug): Path<String>,
    asked: HeaderMap,
) -> Response {
    match rendered(&app, &desk, &slug).await {
        Ok(found) => {
            let mut response = answer(&found.html, "text/html; charset=utf-8", &asked);
            layout::guard(response.headers_mut(), layout::POLICY);
            if found.status.page.noindex {
                response.headers_mut().insert("x-robots-tag", HeaderValue::from_static("noindex"));
            }
            response
        }
        Err(problem) => refuse(&app, &asked, &problem),
    }
}

async fn feed(
    State(app): State<App>,
    Extension(desk): Extension<Arc<Desk>>,
    Path(slug): Path<String>,
    asked: HeaderMap,
) -> Response {
    match rendered(&app, &desk, &slug).await {
        Ok(found) => answer(&found.rss, "application/rss+xml; charset=utf-8", &asked),
        Err(problem) => refuse(&app, &asked, &problem),
    }
}

async fn json(
    State(app): State<App>,
    Extension(desk): Extension<Arc<Desk>>,
    Path(slug): Path<String>,
    asked: HeaderMap,
) -> Response {
    match rendered(&app, &desk, &slug).await {
        Ok(found) => {
            let mut response = answer(&found.json, "application/json", &asked);
            // It holds nothing that is not public, so scripts of other sites may read it.
            response.headers_mut().insert(header::ACCESS_CONTROL_ALLOW_ORIGIN, HeaderValue::from_static("*"));
            response
        }
        Err(problem) => problem.into_response(),
    }
}

/// What a badge shows.
#[derive(Debug, Default, serde::Deserialize)]
struct Show {
    /// `24h`, `7d`, `30d` or `90d` for the uptime; absent for the status.
    #[serde(default)]
    uptime: Option<String>,
}

async fn find_badge(app: &App, desk: &Arc<Desk>, id: &str, show: &Show) -> Result<badge::Badge, Problem> {
    let id: Id = id.parse().map_err(|_| Problem::missing("badge"))?;
    let reader = app.clone();
    let found = desk
        .badges
        .get(
            Arc::clone(&app.clock),
            id,
            move || async move { reader.store.public_badge(id, reader.clock.now()).await },
            |old, _| old.clone(),
        )
        .await;
    match found {
        Found::Here(known) => badge::of(&known, show.uptime.as_deref()),
        Found::Missing => Err(Problem::missing("badge")),
        Found::Unread => {
            Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "the database cannot be asked at the moment"))
        }
    }
}

async fn badge_svg(
    State(app): State<App>,
    Extension(desk): Extension<Arc<Desk>>,
    Path(file): Path<String>,
    Query(show): Query<Show>,
    asked: HeaderMap,
) -> Response {
    let Some(id) = file.strip_suffix(".svg") else { return Problem::missing("badge").into_response() };
    match find_badge(&app, &desk, id, &show).await {
        Ok(badge) => answer(&Body::new(badge.svg()), "image/svg+xml", &asked),
        Err(problem) => problem.into_response(),
    }
}

async fn badge_shields(
    State(app): State<App>,
    Extension(desk): Extension<Arc<Desk>>,
    Path(id): Path<String>,
    Query(show): Query<Show>,
    asked: HeaderMap,
) -> Response {
    match find_badge(&app, &desk, &id, &show).await {
        Ok(badge) => answer(&Body::new(badge.shields().to_string()), "application/json", &asked),
        Err(problem) => problem.into_response(),
    }
}

/// Only status pages are for search engines, and each says for itself whether it wants to be found.
async fn robots() -> Response {
    let text = "User-agent: *\nAllow: /status/\nAllow: /assets/\nDisallow: /\n";
    (
        [
            (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
            (header::CACHE_CONTROL, "public, max-age=86400"),
        ],
        text,
    )
        .into_response()
}

#[cfg(test)]
mod tests;

/// Status pages to be looked at.
#[cfg(test)]
pub(crate) use tests::samples;
