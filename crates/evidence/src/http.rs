//! HTTP requests and responses, whole.

use std::net::SocketAddr;
use std::sync::OnceLock;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Observed, Phase};

/// One HTTP request and what came of it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpObservation {
    /// The request.
    pub request: HttpRequest,
    /// The response, of any status, or what came instead.
    pub answer: Observed<HttpResponse>,
    /// How long each phase took, as far as the exchange got.
    pub timings: Timings,
}

/// A request as sent.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpRequest {
    /// `GET` or `HEAD`, and `OPTIONS` in a trial; the audit sends nothing else.
    pub method: String,
    /// The full URL.
    pub url: String,
    /// Its path and query, as asked: `/health`.
    pub path: String,
    /// The version asked for.
    pub version: HttpVersion,
    /// The public address and port; `None` when the exchange ended before an address was known.
    pub address: Option<SocketAddr>,
    /// Where the packets really went when an address map led them elsewhere.
    pub connected_to: Option<SocketAddr>,
    /// Why it was sent.
    pub purpose: Purpose,
    /// Which trial it is, when its purpose is [`Purpose::Trial`].
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trial: Option<Trial>,
    /// Headers sent, in order.
    pub headers: Vec<Header>,
}

/// HTTP versions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub enum HttpVersion {
    /// HTTP/1.0, only ever seen in responses.
    #[serde(rename = "HTTP/1.0")]
    H10,
    /// HTTP/1.1.
    #[serde(rename = "HTTP/1.1")]
    H1,
    /// HTTP/2 (over TLS, by ALPN).
    #[serde(rename = "HTTP/2")]
    H2,
    /// HTTP/3 (over QUIC).
    #[serde(rename = "HTTP/3")]
    H3,
}

impl std::fmt::Display for HttpVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::H10 => "HTTP/1.0",
            Self::H1 => "HTTP/1.1",
            Self::H2 => "HTTP/2",
            Self::H3 => "HTTP/3",
        })
    }
}

/// Why a request was sent. Each purpose is a different question, though the bytes may be alike.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Purpose {
    /// An endpoint that the target names (or that was found or guessed).
    Endpoint,
    /// A path that nobody can have defined: shows what the answering hop says of unknown paths.
    Control,
    /// A GET on a path declared for POST: 405 shows that the route exists, with no side effect.
    RouteExistence,
    /// The first endpoint again, at another address of the name.
    AddressParity,
    /// The first endpoint again, in another HTTP version.
    Version,
    /// The first endpoint over plain HTTP on port 80.
    PlainHttp,
    /// The target of a redirect that stays on the same host, followed and recorded hop by hop.
    Redirect,
    /// A script that the page of an endpoint loads from its own host, or a service worker that it registers.
    Asset,
    /// A request of the rate-limit probe.
    RateLimit,
    /// A request of the verification procedure.
    Verification,
    /// A deciding observation: a path asked in another way, because rival causes expect different answers to it.
    Trial,
}

/// A request that differs from the plain one in one respect, so that the difference of the answers decides something.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
pub struct Trial {
    /// What is different, as the catalogue names it: `head`, `slash`, `bust`.
    pub name: String,
    /// Path and query of the plain request that the answer is held against.
    pub plain: String,
}

/// A response as received.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HttpResponse {
    /// The version it came in.
    pub version: HttpVersion,
    /// Status code.
    pub status: u16,
    /// All header fields in the order received, names in lower case. Secrets are masked on the way out.
    pub headers: Vec<Header>,
    /// The body, up to a bound.
    pub body: Body,
    /// The absolute URL of `location` on a 3xx. Never followed without being recorded as a request of its own.
    pub redirect_to: Option<String>,
}

impl HttpResponse {
    /// The first value of a header; `name` in lower case.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|h| h.name == name).map(|h| h.value.as_str())
    }

    /// The media type without its parameters, in lower case: `application/json`.
    pub fn media_type(&self) -> Option<String> {
        let value = self.header("content-type")?;
        Some(value.split(';').next().unwrap_or(value).trim().to_ascii_lowercase())
    }
}

/// What an OpenAPI document names, and no more of it (spec.openapis.org/oas; version 2.0 was called Swagger).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServedDocument {
    /// The version of the format: `3.1.0`, `2.0`.
    pub format: String,
    /// `info.version`: the version of the API, by its own word.
    pub version: Option<String>,
    /// The path under which all others lie: that of the first server's URL, or `basePath`. Empty without one.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub base: String,
    /// `METHOD /path` as the document has them, without the base, in order. At most 1,000.
    pub operations: Vec<String>,
    /// Whether there were more.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub more: bool,
}

/// One header field.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Header {
    /// Name in lower case.
    pub name: String,
    /// Value; bytes that are not UTF-8 are replaced by U+FFFD.
    pub value: String,
}

/// A response body.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Body {
    /// Bytes read.
    pub byte_count: u64,
    /// Whether the end was seen within our bound; `false` when it was cut at the bound or the peer stopped short.
    pub complete: bool,
    /// Why it is not complete, in words.
    pub cut: Option<String>,
    /// The beginning as text, at most 16 KiB; `None` when it is not text.
    pub text: Option<String>,
    /// SHA-256 of the bytes read, hexadecimal, taken before anything is masked.
    pub sha256: String,
    /// The first four bytes, hexadecimal, where the body names a content coding or is not text: they show whether a
    /// named coding was really applied, or one that nobody named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub opening: Option<Box<str>>,
    /// A hash of the words of the first 500 000 bytes of a text, 64 bits as 16 hexadecimal digits: texts that are nearly
    /// alike differ in few bits. `None` when the body is no text or has too few words for it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub simhash: Option<Box<str>>,
    /// The OpenAPI document that it is; `None` when it is none, or was not complete.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub document: Option<Box<ServedDocument>>,
    /// What came out when the named content coding was undone; `None` when none was named.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub decoded: Option<Box<Decoded>>,
    /// What [`Body::json`] found.
    #[serde(skip)]
    pub read: ReadOnce,
}

impl Body {
    /// The text as JSON (RFC 8259), where all of it is one value. It is read once; who changes the text afterwards
    /// changes a clone, which reads anew.
    pub fn json(&self) -> Option<&serde_json::Value> {
        self.read.0.get_or_init(|| serde_json::from_str(self.text.as_deref()?).ok()).as_deref()
    }
}

/// The value that a body's text was read as. Of a body it says nothing that the text does not say: it is equal to any
/// other, and a clone has not read yet.
#[derive(Debug, Default)]
pub struct ReadOnce(OnceLock<Option<Box<serde_json::Value>>>);

impl Clone for ReadOnce {
    fn clone(&self) -> Self {
        Self::default()
    }
}

impl PartialEq for ReadOnce {
    fn eq(&self, _: &Self) -> bool {
        true
    }
}

impl Eq for ReadOnce {}

/// A body with its content coding (RFC 9110, section 8.4) undone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Decoded {
    /// The coding as the response names it: `gzip`, `br`.
    pub coding: String,
    /// Bytes that came out, up to our bound.
    pub byte_count: u64,
    /// SHA-256 of those bytes, hexadecimal.
    pub sha256: String,
    /// Why it could not be undone to the end, in words; `None` when it could.
    pub problem: Option<String>,
    /// Whether the coded bytes themselves are to blame, and not our bound, a body that was cut, or a coding that we do
    /// not know.
    pub broken: bool,
}

/// Slices of time, in microseconds, each counted from the end of the one before; `None` when the phase did not happen
/// (a connection used again has no connect and no tls) or was not finished.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Timings {
    /// Name to addresses.
    pub resolve_us: Option<u64>,
    /// TCP connect.
    pub connect_us: Option<u64>,
    /// TLS handshake; for HTTP/3 the QUIC handshake.
    pub tls_us: Option<u64>,
    /// Request to first byte.
    pub wait_us: Option<u64>,
    /// First byte to last.
    pub transfer_us: Option<u64>,
}

impl Timings {
    /// The phases that happened, in order, with their lengths in microseconds.
    pub fn slices(&self) -> impl Iterator<Item = (Phase, u64)> {
        [
            (Phase::Resolve, self.resolve_us),
            (Phase::Connect, self.connect_us),
            (Phase::Tls, self.tls_us),
            (Phase::Wait, self.wait_us),
            (Phase::Transfer, self.transfer_us),
        ]
        .into_iter()
        .filter_map(|(phase, us)| Some((phase, us?)))
    }

    /// The sum of all phases, in microseconds.
    pub fn total_us(&self) -> u64 {
        self.slices().map(|(_, us)| us).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Body {
        Body {
            byte_count: text.len() as u64,
            complete: true,
            cut: None,
            text: Some(text.to_owned()),
            sha256: String::new(),
            opening: None,
            simhash: None,
            document: None,
            decoded: None,
            read: ReadOnce::default(),
        }
    }

    #[test]
    fn a_body_is_read_as_json_once_and_a_clone_anew() {
        let first = body(r#"{"ok":true}"#);
        let value = first.json().expect("it is JSON");
        assert_eq!(value["ok"], serde_json::Value::Bool(true));
        assert!(std::ptr::eq(value, first.json().expect("it is JSON")), "the same value, not read again");

        let mut changed = first.clone();
        assert_eq!(changed, first, "what was read is no part of what a body says");
        changed.text = Some("no longer".to_owned());
        assert_eq!(changed.json(), None);
    }

    #[test]
    fn text_with_more_behind_the_value_or_cut_is_no_json() {
        assert_eq!(body(r#"{"ok":true} and more"#).json(), None);
        assert_eq!(body(r#"[1,2"#).json(), None);
        assert_eq!(Body { text: None, ..body("1") }.json(), None);
    }
}
