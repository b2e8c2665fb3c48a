//! Problems as pages, in the same dress as everything else; as `application/problem+json` when JSON is asked for.

use axum::response::{IntoResponse, Response};
use http::{HeaderMap, HeaderValue, StatusCode, header};
use maud::{Markup, html};

use super::layout::{Shell, alone, respond, sentence};
use super::parts::clean;
use crate::Problem;

/// Whether whoever asks would rather have a page than JSON: what `Accept` names first decides. A browser
/// that goes somewhere names `text/html`; a program that takes anything is served with JSON.
pub(crate) fn wants_page(headers: &HeaderMap) -> bool {
    let accept = headers.get(header::ACCEPT).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let place = |kind: &str| accept.find(kind);
    match (place("json"), place("text/html")) {
        (Some(json), Some(page)) => page < json,
        (_, page) => page.is_some(),
    }
}

/// A problem for whoever asks.
pub(crate) fn answer(shell: &Shell, headers: &HeaderMap, problem: &Problem) -> Response {
    if !wants_page(headers) {
        return problem.clone().into_response();
    }
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut response = respond(status, page(shell, problem));
    if status == StatusCode::SERVICE_UNAVAILABLE || status == StatusCode::TOO_MANY_REQUESTS {
        response.headers_mut().entry(header::RETRY_AFTER).or_insert(HeaderValue::from_static("5"));
    }
    response
}

/// The page.
pub(crate) fn page(shell: &Shell, problem: &Problem) -> Markup {
    let (title, more) = match problem.status {
        401 => ("Please sign in", ""),
        403 => (
            "That is not allowed",
            "Nothing was changed. If you should be able to do this, ask an admin of your organisation for another role.",
        ),
        404 => (
            "There is nothing here",
            "It may have been deleted, or it belongs to an organisation that you are not looking at.",
        ),
        409 => (
            "It did not fit",
            "Somebody may have changed it meanwhile. Go back, load the page again, and repeat your change.",
        ),
        413 => ("That is too much", ""),
        429 => ("Too many requests", "Wait a moment, then try again."),
        503 => (
            "The database cannot be asked",
            "Checks wait until it is back. This page says nothing about what you watch. Load it again in a moment.",
        ),
        s if s >= 500 => (
            "Something broke on our side",
            "It is in the server's log. It says nothing about what you watch.",
        ),
        _ => ("That was not understood", ""),
    };
    let body = html! {
        section.card {
            h1 { (title) }
            p.soft { "HTTP " (problem.status) ", " (problem.title) }
            p { (sentence(&clean(&problem.detail))) }
            @if !problem.errors.is_empty() {
                ul { @for error in &problem.errors { li { code { (clean(&error.field)) } ": " (clean(&error.detail)) } } }
            }
            @if !more.is_empty() { p { (more) } }
            p { a href="/" { "To the overview" } }
        }
    };
    alone(shell, title, body)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_asks_for_json_gets_it() {
        let headers = |accept: Option<&'static str>| {
            let mut headers = HeaderMap::new();
            if let Some(accept) = accept {
                headers.insert(header::ACCEPT, HeaderValue::from_static(accept));
            }
            headers
        };
        assert!(!wants_page(&headers(None)));
        assert!(wants_page(&headers(Some("text/html,application/xhtml+xml,*/*;q=0.8"))));
        assert!(!wants_page(&headers(Some("*/*"))));
        assert!(!wants_page(&headers(Some("application/json"))));
        assert!(!wants_page(&headers(Some("application/problem+json, text/html;q=0.5"))));
    }
}
