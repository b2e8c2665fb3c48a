//! Who wrote a response: the application, or a hop before it.
//!
//! A status says nothing of it. What does: a signature, the local backend's own answers (a 404 that looks like the one
//! that the application gives here, or does not), header fields that the application sets here, and the shape of JSON.
//! Where the signs disagree, or where the same bytes are known from two kinds of hop and nothing tells them apart, the
//! writer stays unknown.

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::HttpResponse;
use serde_json::Value as Json;

use crate::signatures::{Meaning, Reading, SignatureHop};

/// Below this a signature needs a second sign.
const SURE_PERCENT: u8 = 60;
/// From here on a signature stands alone, even against a look-alike with the same bytes.
const CERTAIN_PERCENT: u8 = 90;
/// JSON deeper or wider than this is not compared further.
const SHAPE_LIMIT: usize = 256;

/// Who wrote a response.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Writer {
    /// CDN or WAF.
    Edge,
    /// The hosting platform's router.
    Platform,
    /// A load balancer.
    Balancer,
    /// A web server before the application.
    Server,
    /// The application, its framework or its server program.
    App,
}

impl Writer {
    /// The word that facts use.
    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Platform => "platform",
            Self::Balancer => "balancer",
            Self::Server => "server",
            Self::App => "app",
        }
    }
}

impl From<SignatureHop> for Writer {
    fn from(hop: SignatureHop) -> Self {
        match hop {
            SignatureHop::Edge => Self::Edge,
            SignatureHop::Platform => Self::Platform,
            SignatureHop::Balancer => Self::Balancer,
            SignatureHop::Server => Self::Server,
            SignatureHop::Framework | SignatureHop::Runtime => Self::App,
        }
    }
}

/// How the application looks where we know that it is the application: at the local backend.
#[derive(Debug, Clone, Default)]
pub(super) struct Reference {
    /// Shapes of the local answers by path; the control has the path `None`.
    pub(super) shapes: BTreeMap<Option<String>, Shape>,
    /// Header fields that the application sets and that hops before it do not.
    pub(super) headers: BTreeSet<String>,
}

/// What an answer looks like, without what changes from one request to the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Shape {
    /// Status.
    pub(crate) status: u16,
    /// The form of its body.
    pub(crate) form: Form,
}

/// The form of a body.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Form {
    /// Nothing.
    Empty,
    /// Paths and kinds of a JSON value.
    Json(BTreeSet<String>),
    /// Text or HTML as it is, white space folded.
    Text(String),
    /// Bytes, by hash.
    Binary(String),
}

/// The JSON object or array that a body is.
pub(crate) fn structure(response: &HttpResponse) -> Option<&Json> {
    response.body.json().filter(|json| json.is_object() || json.is_array())
}

impl Shape {
    pub(crate) fn of(response: &HttpResponse) -> Self {
        let body = &response.body;
        let form = match body.text.as_deref() {
            _ if body.byte_count == 0 => Form::Empty,
            None => Form::Binary(body.sha256.clone()),
            Some(text) => match structure(response) {
                Some(json) => {
                    let mut paths = BTreeSet::new();
                    json_shape(json, String::new(), &mut paths);
                    Form::Json(paths)
                }
                None => Form::Text(text.split_whitespace().collect::<Vec<_>>().join(" ")),
            },
        };
        Self { status: response.status, form }
    }
}

fn json_shape(json: &Json, path: String, paths: &mut BTreeSet<String>) {
    if paths.len() >= SHAPE_LIMIT {
        return;
    }
    let kind = match json {
        Json::Null => "null",
        Json::Bool(_) => "bool",
        Json::Number(_) => "number",
        Json::String(_) => "string",
        Json::Array(items) => {
            if let Some(first) = items.first() {
                json_shape(first, format!("{path}[]"), paths);
            }
            "array"
        }
        Json::Object(fields) => {
            for (name, value) in fields {
                json_shape(value, format!("{path}.{name}"), paths);
            }
            "object"
        }
    };
    paths.insert(format!("{path}:{kind}"));
}

/// Header fields that any server, proxy or edge may set; they say nothing of the application.
const COMMON_HEADERS: &[&str] = &[
    "accept-ranges",
    "age",
    "allow",
    "alt-svc",
    "cache-control",
    "cf-cache-status",
    "cf-ray",
    "connection",
    "content-encoding",
    "content-language",
    "content-length",
    "content-type",
    "date",
    "etag",
    "expires",
    "keep-alive",
    "last-modified",
    "location",
    "nel",
    "pragma",
    "priority",
    "report-to",
    "retry-after",
    "server",
    "server-timing",
    "strict-transport-security",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "x-cache",
    "x-cloud-trace-context",
    "x-content-type-options",
    "x-served-by",
];

/// The header fields of a response that an application may have set itself.
pub(super) fn own_headers(response: &HttpResponse) -> BTreeSet<String> {
    let common = |name: &str| {
        COMMON_HEADERS.contains(&name) || name.starts_with("cf-") || name.starts_with("x-vercel-")
    };
    response.headers.iter().map(|h| h.name.clone()).filter(|name| !common(name)).collect()
}

/// The judgement on one response: the writer, or why it is not known.
pub(super) fn judge(
    response: &HttpResponse,
    reading: &Reading<'_>,
    path: Option<&str>,
    reference: &Reference,
) -> Result<Writer, String> {
    // Cloudflare sets this header on errors that it makes itself, and on no others (its documentation of error headers).
    if response.header("cf-error-type").is_some() {
        return Ok(Writer::Edge);
    }
    let shape = Shape::of(response);
    let key = path.map(str::to_owned);
    let like_local = reference.shapes.get(&key).is_some_and(|local| *local == shape)
        || (response.status >= 400 && reference.shapes.values().any(|local| *local == shape));
    let own = own_headers(response);
    let app_headers: BTreeSet<&String> = own.intersection(&reference.headers).collect();
    let unlike_local = response.status == 404
        && reference.shapes.get(&None).is_some_and(|local| local.status == 404 && *local != shape);

    if let Some(best) = reading
        .best()
        .filter(|m| m.weight_percent >= SURE_PERCENT && m.signature.meaning != Meaning::RateLimited)
    {
        let writer = Writer::from(best.signature.hop);
        let certain = best.weight_percent >= CERTAIN_PERCENT || best.tier == 3;
        if writer == Writer::App {
            // A generic framework answer that is not what this application answers here comes from somebody else's.
            let other_bytes = reading.same_bytes();
            return match other_bytes.first() {
                _ if like_local || !app_headers.is_empty() => Ok(Writer::App),
                Some(rival) if unlike_local => Ok(Writer::from(rival.signature.hop)),
                None if certain => Ok(Writer::App),
                _ => Err(format!("{} is known from more than one kind of hop", best.signature.id)),
            };
        }
        if certain && !like_local {
            return Ok(writer);
        }
        return match (
            like_local,
            unlike_local,
            reading.same_bytes().iter().any(|m| m.signature.hop.is_application()),
        ) {
            (true, _, _) => {
                Err(format!("{} and the application here give the same bytes", best.signature.id))
            }
            (false, true, _) | (false, false, false) if app_headers.is_empty() => Ok(writer),
            (false, _, _) if !app_headers.is_empty() => Ok(Writer::App),
            _ => Err(format!("the bytes of {} are also those of a framework", best.signature.id)),
        };
    }
    if like_local && !matches!(shape.form, Form::Empty) {
        return Ok(Writer::App);
    }
    if !app_headers.is_empty() {
        return Ok(Writer::App);
    }
    if reading.markers.iter().any(|m| m.signature.hop.is_application()) {
        return Ok(Writer::App);
    }
    Err("no sign tells who wrote this answer".to_owned())
}
