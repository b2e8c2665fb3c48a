//! `/api/v1`: everything that the pages do, as JSON.

mod channels;
mod declarations;
mod document;
mod events;
mod heartbeats;
mod incidents;
mod jobs;
mod keys;
mod monitors;
mod organisation;
mod reports;
pub(crate) mod session;
mod status;
mod windows;

pub mod model;

use axum::extract::Extension;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderValue, header};
use utoipa_axum::router::OpenApiRouter;

use crate::App;
use crate::api::model::Listing;
use crate::extract::Json;

/// The routes below `/api/v1`.
pub(crate) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .merge(session::routes())
        .merge(keys::routes())
        .merge(monitors::routes())
        .merge(incidents::routes())
        .merge(reports::routes())
        .merge(windows::routes())
        .merge(status::routes())
        .merge(heartbeats::routes())
        .merge(jobs::routes())
        .merge(declarations::routes())
        .merge(organisation::routes())
        .merge(channels::routes())
        .merge(events::routes())
        .merge(crate::billing::api::routes())
        .merge(crate::support::api::routes())
}

/// The router of `/api/v1`, with its own description at `/api/v1/openapi.json`.
pub(crate) fn router() -> axum::Router<App> {
    let (router, openapi) = OpenApiRouter::new().nest("/api/v1", routes()).split_for_parts();
    let document = Bytes::from(document::complete(&openapi).to_string());
    let serve = move || async move { ([(header::CONTENT_TYPE, "application/json")], document) };
    router
        .route("/api/v1/openapi.json", axum::routing::get(serve))
        .layer(Extension(events::Streams::default()))
}

/// A page of a list, with a `Link` to the next one (RFC 8288).
pub(crate) struct Paged<T>(Listing<T>, String);

impl<T> Paged<T> {
    /// `uri` is the one that was asked; the link keeps its other parameters.
    pub(crate) fn new(listing: Listing<T>, uri: &http::Uri) -> Self {
        let link = listing.next.as_ref().map(|next| {
            let others = uri
                .query()
                .unwrap_or_default()
                .split('&')
                .filter(|p| !p.is_empty() && !p.starts_with("after="));
            let mut query: Vec<String> = others.map(str::to_owned).collect();
            query.push(format!("after={next}"));
            format!("<{}?{}>; rel=\"next\"", uri.path(), query.join("&"))
        });
        Self(listing, link.unwrap_or_default())
    }
}

impl<T: serde::Serialize> IntoResponse for Paged<T> {
    fn into_response(self) -> Response {
        let mut response = Json(self.0).into_response();
        if let Ok(link) = HeaderValue::from_str(&self.1)
            && !link.is_empty()
        {
            response.headers_mut().insert(header::LINK, link);
        }
        response
    }
}
