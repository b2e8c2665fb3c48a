//! The router: the API, the slots of the other doors, and what holds for every route.

use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Request};
use axum::middleware::{self, Next};
use axum::response::IntoResponse as _;
use http::StatusCode;

use crate::limits::{self, Limiter};
use crate::{App, Problem, api};

/// Everything that the server answers.
pub fn router(app: App) -> axum::Router {
    let limiter = Arc::new(Limiter::new(app.settings.limits));
    let (api, _) = api::router();
    let state = app.clone();
    axum::Router::new()
        .merge(api)
        .merge(crate::health::router())
        .merge(crate::metrics::router())
        .merge(crate::billing::router())
        .merge(crate::support::router())
        .fallback(|| async { Problem::missing("page").into_response() })
        .method_not_allowed_fallback(|| async {
            Problem::new(StatusCode::METHOD_NOT_ALLOWED, "this path does not take this method")
                .into_response()
        })
        .layer(DefaultBodyLimit::max(app.settings.body_byte))
        .layer(middleware::from_fn(move |request: Request, next: Next| {
            limits::gate(state.clone(), Arc::clone(&limiter), request, next)
        }))
        .with_state(app)
}
