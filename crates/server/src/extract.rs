//! Reading requests: bodies, paths and queries, with an answer that says where the mistake is.

use std::time::Duration;

use axum::extract::{FromRequest, FromRequestParts, Request};
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode, header};
use jiff::Timestamp;
use landfall_store::monitors::Expect;
use landfall_store::{Id, Page};
use serde::Serialize;
use serde::de::DeserializeOwned;
use serde_json::Value;

use crate::problem::FieldError;
use crate::{App, Problem};

/// A JSON body.
///
/// 415 unless it says that it is JSON, 413 when it is too large, 422 with the place when it is not what is wanted.
#[derive(Debug, Clone)]
pub(crate) struct Json<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequest<App> for Json<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        if !is_json(request.headers()) {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send the body as JSON, with `Content-Type: application/json`",
            ));
        }
        let bytes = read(request, app).await?;
        parse(&bytes).map(Self)
    }
}

impl<T: Serialize> IntoResponse for Json<T> {
    fn into_response(self) -> Response {
        axum::Json(self.0).into_response()
    }
}

/// A JSON body that may be absent.
#[derive(Debug, Clone)]
pub(crate) struct MaybeJson<T>(pub(crate) Option<T>);

impl<T: DeserializeOwned> FromRequest<App> for MaybeJson<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, app: &App) -> Result<Self, Problem> {
        let said_json = is_json(request.headers());
        let bytes = read(request, app).await?;
        if bytes.is_empty() {
            return Ok(Self(None));
        }
        if !said_json {
            return Err(Problem::new(
                StatusCode::UNSUPPORTED_MEDIA_TYPE,
                "send the body as JSON, with `Content-Type: application/json`, or send none",
            ));
        }
        parse(&bytes).map(Self)
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let value = headers.get(header::CONTENT_TYPE).and_then(|v| v.to_str().ok()).unwrap_or_default();
    let essence = value.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    essence == "application/json" || (essence.starts_with("application/") && essence.ends_with("+json"))
}

/// How long a body may take.
const BODY_TIME: Duration = Duration::from_secs(15);

async fn read(request: Request, app: &App) -> Result<Bytes, Problem> {
    let read = tokio::time::timeout(BODY_TIME, Bytes::from_request(request, app)).await;
    let read = read.map_err(|_| {
        Problem::new(
            StatusCode::REQUEST_TIMEOUT,
            format!("the body took longer than {} s", BODY_TIME.as_secs()),
        )
    })?;
    read.map_err(|rejection| {
        if rejection.status() == StatusCode::PAYLOAD_TOO_LARGE {
            Problem::new(
                StatusCode::PAYLOAD_TOO_LARGE,
                format!("the body is larger than {} bytes", app.settings.body_byte),
            )
        } else {
            Problem::bad_request("the body ended before its announced end")
        }
    })
}

fn parse<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, Problem> {
    let invalid = |field: String, detail: String| Problem::invalid(vec![FieldError { field, detail }]);
    let mut json: Value = serde_json::from_slice(bytes).map_err(|e| invalid(String::new(), e.to_string()))?;
    if !matches!(json, Value::Object(_) | Value::Null) {
        // Rust's structures could be read from a list of their fields, too; nobody means that.
        return Err(invalid(String::new(), "the body is not a JSON object".into()));
    }
    whole_numbers(&mut json);
    serde_path_to_error::deserialize(json).map_err(|error| {
        let field = pointer(error.path());
        invalid(field, error.into_inner().to_string())
    })
}

/// In JSON 3.0 is the number 3 (JSON Schema calls it an integer, core 6.3.1), and so it is here.
fn whole_numbers(json: &mut Value) {
    match json {
        Value::Number(number) => {
            // Beyond 2^53 a double does not know its neighbours, and nothing here is that large.
            if let Some(real) =
                number.as_f64().filter(|r| number.is_f64() && r.fract() == 0.0 && r.abs() < 9e15)
            {
                *number = (real as i64).into();
            }
        }
        Value::Array(items) => items.iter_mut().for_each(whole_numbers),
        Value::Object(fields) => fields.values_mut().for_each(whole_numbers),
        Value::Null | Value::Bool(_) | Value::String(_) => {}
    }
}

/// A JSON pointer (RFC 6901) to where the mistake is.
fn pointer(path: &serde_path_to_error::Path) -> String {
    use serde_path_to_error::Segment;
    let mut text = String::new();
    for segment in path {
        let key = match segment {
            Segment::Seq { index } => index.to_string(),
            Segment::Map { key } => key.clone(),
            // A variant is no place in the text.
            Segment::Enum { .. } | Segment::Unknown => continue,
        };
        text.push('/');
        text.push_str(&key.replace('~', "~0").replace('/', "~1"));
    }
    text
}

/// An id in a path. What is no id names nothing, so it is not found.
#[derive(Debug, Clone, Copy)]
pub(crate) struct PathId(pub(crate) Id);

impl FromRequestParts<App> for PathId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let PathText(text) = PathText::from_request_parts(parts, app).await?;
        text.parse().map(Self).map_err(|_| Problem::missing("id"))
    }
}

/// The one parameter of a path, as text.
#[derive(Debug, Clone)]
pub(crate) struct PathText(pub(crate) String);

impl FromRequestParts<App> for PathText {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        let axum::extract::Path(text) = axum::extract::Path::<String>::from_request_parts(parts, app)
            .await
            .map_err(|_| Problem::missing("path"))?;
        Ok(Self(text))
    }
}

/// A query string; unknown parameters are refused, so that a misspelt filter does not silently show everything.
#[derive(Debug, Clone)]
pub(crate) struct Query<T>(pub(crate) T);

impl<T: DeserializeOwned> FromRequestParts<App> for Query<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        match axum::extract::Query::<T>::from_request_parts(parts, app).await {
            Ok(axum::extract::Query(query)) => Ok(Self(query)),
            Err(rejection) => {
                let text = rejection.body_text();
                let detail = text.rsplit_once("query string: ").map_or(text.as_str(), |(_, d)| d);
                Err(Problem::bad_request(format!("the query cannot be used: {detail}")))
            }
        }
    }
}

/// Which page of a list is wanted.
#[derive(Debug, Clone, Default, serde::Deserialize, utoipa::IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct Paging {
    /// `next` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    pub(crate) after: Option<Id>,
    /// How many items, 1 to 500; 50 by default.
    #[param(minimum = 1, maximum = 500)]
    pub(crate) limit: Option<u32>,
}

impl Paging {
    pub(crate) fn page(&self) -> Result<Page, Problem> {
        page(self.after, self.limit)
    }
}

/// A page of these parameters.
pub(crate) fn page(after: Option<Id>, limit: Option<u32>) -> Result<Page, Problem> {
    let limit = limit.unwrap_or(Page::default().limit);
    if !(1..=500).contains(&limit) {
        return Err(Problem::bad_request(format!(
            "the query cannot be used: limit is {limit}; 1 to 500 are possible"
        )));
    }
    Ok(Page { after, limit })
}

/// The condition of a write (RFC 9110, section 13.1).
pub(crate) struct Condition(pub(crate) Expect);

impl FromRequestParts<App> for Condition {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &App) -> Result<Self, Problem> {
        let text = |name| parts.headers.get(name).map(|v: &HeaderValue| v.to_str().unwrap_or("?").trim());
        if let Some(tag) = text(header::IF_MATCH) {
            if tag == "*" {
                // Any version will do, as long as there is one; no row was ever changed at the end of time.
                return Err(Problem::bad_request("If-Match takes the ETag of the version that was read"));
            }
            let version =
                tag.trim_matches('"').parse::<i64>().ok().and_then(|us| Timestamp::from_microsecond(us).ok());
            // A tag that is none of ours matches nothing.
            return Ok(Self(Expect::Unchanged(version.unwrap_or(Timestamp::MIN))));
        }
        match text(header::IF_NONE_MATCH) {
            Some("*") => Ok(Self(Expect::Absent)),
            Some(_) => Err(Problem::bad_request("for a write, If-None-Match takes only *")),
            None => Ok(Self(Expect::Anything)),
        }
    }
}

/// The `ETag` of a version.
pub(crate) fn etag(version: Timestamp) -> HeaderValue {
    HeaderValue::from_str(&format!("\"{}\"", version.as_microsecond())).expect("digits and quotes")
}
