//! The router: the API, the other doors, and what holds for every route.
//!
//! From the outside in: an id and a log line for each request (path only: a query may hold a token), panics become 500,
//! nothing takes longer than the operator allows, headers that keep browsers from guessing and framing; then the limits;
//! then, for the API, what the client accepts.

use std::panic::AssertUnwindSafe;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse as _, Response};
use futures_util::FutureExt as _;
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header};
use landfall_store::Id;
use tracing::Instrument as _;

use crate::limits::{self, Limiter};
use crate::{App, Problem, api};

/// Everything that the API answers. For the pages and the other doors beside it, see [`with_doors`].
pub fn router(app: App) -> axum::Router {
    with_doors(app, doors())
}

/// The doors that other programs use: health, metrics, and the webhooks of billing and of the bots.
pub fn doors() -> axum::Router<App> {
    axum::Router::new()
        .merge(crate::health::router())
        .merge(crate::metrics::router())
        .merge(crate::billing::router())
        .merge(crate::support::router())
}

/// The API with other doors beside it: pages, public pages, pings, health, metrics, webhooks. Limits, security headers,
/// time bounds and request ids hold for them too. `doors` must have no fallback of its own: the one here answers what
/// nobody else does with 404, and two fallbacks cannot be merged. Problems reach browsers as pages, programs as
/// problem+json.
pub fn with_doors(app: App, doors: axum::Router<App>) -> axum::Router {
    let limiter = Arc::new(Limiter::new(app.settings.limits));
    let (gate, around) = (app.clone(), app.clone());
    axum::Router::new()
        .fallback(|| async { Problem::missing("page").into_response() })
        .merge(doors)
        .merge(api::router())
        .method_not_allowed_fallback(|| async {
            Problem::new(
                StatusCode::METHOD_NOT_ALLOWED,
                "this path does not take this method; Allow names those it takes",
            )
        })
        .layer(middleware::from_fn(acceptable))
        .layer(DefaultBodyLimit::max(app.settings.body_byte))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            limits::gate(gate.clone(), Arc::clone(&limiter), request, next)
        }))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            surround(around.clone(), request, next)
        }))
        .layer(middleware::from_fn(crate::pages::dress))
        .with_state(app)
}

const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

async fn surround(app: App, request: Request, next: Next) -> Response {
    // The server's own id, whatever the client calls the request: a log is only as good as its ids are unique.
    let id = Id::new().to_string();
    let (method, path) = (request.method().clone(), request.uri().path().to_owned());
    let span = tracing::info_span!("request", %id, %method, path = %path);
    let started = std::time::Instant::now();
    let limit = app.settings.request_timeout;
    let answered = async {
        match tokio::time::timeout(limit, AssertUnwindSafe(next.run(request)).catch_unwind()).await {
            Ok(Ok(response)) => response,
            Ok(Err(_)) => {
                tracing::error!("a handler panicked");
                Problem::new(
                    StatusCode::INTERNAL_SERVER_ERROR,
                    format!("this is a fault of the server; its log has more under the request {id}"),
                )
                .into_response()
            }
            Err(_) => Problem::new(
                StatusCode::SERVICE_UNAVAILABLE,
                format!("this took longer than {} s and was given up; try again", limit.as_secs()),
            )
            .into_response(),
        }
    };
    let mut response = answered.instrument(span.clone()).await;
    let status = response.status().as_u16();
    span.in_scope(|| {
        let took_ms = started.elapsed().as_millis();
        if status >= 500 {
            tracing::warn!(status, took_ms, "answered");
        } else {
            tracing::debug!(status, took_ms, "answered");
        }
    });
    harden(&app, &path, response.headers_mut());
    if let Ok(id) = HeaderValue::from_str(&id) {
        response.headers_mut().insert(REQUEST_ID, id);
    }
    response
}

/// Headers of OWASP's REST Security and HTTP Headers cheat sheets. A page that needs another policy has set it already.
fn harden(app: &App, path: &str, headers: &mut HeaderMap) {
    let mut unless_set = |name: HeaderName, value: &'static str| {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    };
    unless_set(header::X_CONTENT_TYPE_OPTIONS, "nosniff");
    unless_set(header::X_FRAME_OPTIONS, "DENY");
    unless_set(header::REFERRER_POLICY, "no-referrer");
    unless_set(
        header::CONTENT_SECURITY_POLICY,
        "default-src 'none'; frame-ancestors 'none'; base-uri 'none'",
    );
    unless_set(HeaderName::from_static("cross-origin-opener-policy"), "same-origin");
    if path.starts_with("/api/") {
        unless_set(header::CACHE_CONTROL, "no-store");
    }
    if app.settings.public_url.starts_with("https://") {
        unless_set(header::STRICT_TRANSPORT_SECURITY, "max-age=31536000");
    }
}

/// 406 for a client of the API that takes neither JSON nor what the route streams (RFC 9110, section 12.5.1).
async fn acceptable(request: Request, next: Next) -> Response {
    if request.uri().path().starts_with("/api/v1/") && !accepts(request.headers(), request.uri().path()) {
        return Problem::new(
            StatusCode::NOT_ACCEPTABLE,
            "the API answers in application/json; send an Accept header that takes it, or none",
        )
        .into_response();
    }
    next.run(request).await
}

fn accepts(headers: &HeaderMap, path: &str) -> bool {
    let mut said =
        headers.get_all(header::ACCEPT).iter().flat_map(|v| v.to_str().unwrap_or("").split(',')).peekable();
    if said.peek().is_none() {
        return true;
    }
    let stream = path == "/api/v1/events";
    // An answer of the support chat comes in either form.
    let either = path == "/api/v1/support/chat";
    said.any(|range| {
        let mut parts = range.split(';').map(|p| p.trim().to_ascii_lowercase());
        let media = parts.next().unwrap_or_default();
        let refused =
            parts.any(|p| p.strip_prefix("q=").is_some_and(|q| q.parse::<f32>().is_ok_and(|q| q == 0.0)));
        let fits = match media.as_str() {
            "*/*" | "" => true,
            "application/*" | "application/json" => !stream,
            "text/*" | "text/event-stream" => stream || either,
            _ => false,
        };
        fits && !refused
    })
}
