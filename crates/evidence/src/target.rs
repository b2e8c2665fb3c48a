//! What is audited.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

/// What is audited: one backend, under the names by which it can be reached.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Target {
    /// A name for people, by default the host of the production URL.
    pub name: String,
    /// The public base URL.
    pub production: Option<Url>,
    /// The deployment under the platform's own name, which needs neither the custom domain nor the edge.
    pub origin: Option<Url>,
    /// The CDN, WAF or proxy that production is meant to stand behind, by its name in the catalogue: `cloudflare`.
    /// `None` when nothing says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub edge: Option<String>,
    /// The backend on this machine.
    pub local: Option<Url>,
    /// The project folder, as a path.
    pub project: Option<String>,
    /// The pages from which browsers call production, as origins (RFC 6454): a cross-origin call is asked as from each.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub frontends: Vec<Url>,
    /// The endpoints that matter, in order of importance.
    pub endpoints: Vec<Endpoint>,
    /// How the API is used, as declared: each use is held against the rate limit that was found.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<UsageProfile>,
}

/// A way of using an API, as a rate limiter sees it: visits of some requests each, which recur.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct UsageProfile {
    /// A name for people: "an uptime monitor that asks every 30 s".
    pub name: String,
    /// Requests of one visit.
    pub requests: u32,
    /// From one request of a visit to the next, in milliseconds; 0 sends them all at once.
    pub spacing_ms: u64,
    /// From the beginning of one visit to that of the next, in milliseconds; `None` when there is one visit only.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub every_ms: Option<u64>,
    /// How many visits; `None` goes on for ever, where visits recur.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub times: Option<u32>,
    /// Client addresses from which all of this comes at the same time.
    pub addresses: u32,
    /// People (or programs) behind each address who all do this.
    pub people: u32,
    /// How long after the one before each of them begins, in milliseconds.
    pub stagger_ms: u64,
    /// Whether the API has to stand this use. The others are told for information.
    pub must_pass: bool,
}

/// One endpoint that matters.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Endpoint {
    /// The method that clients use. Anything but GET and HEAD is only asked whether it exists, with a GET.
    pub method: String,
    /// Path and query, beginning with a slash.
    pub path: String,
    /// Where it is known from.
    pub source: EndpointSource,
    /// Whether this is the product's main function and not merely a health route.
    pub core: bool,
    /// What a good answer looks like.
    pub expect: Expectation,
}

impl Endpoint {
    /// Whether the audit may send this request itself (GET and HEAD are idempotent and safe, RFC 9110 section 9.2.1).
    pub fn is_safe(&self) -> bool {
        matches!(self.method.as_str(), "GET" | "HEAD")
    }
}

/// Where an endpoint is known from.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum EndpointSource {
    /// landfall.toml or the command line.
    Declared,
    /// Read from the project's code.
    Discovered,
    /// A usual path; that it does not exist is no fault.
    Guessed,
}

/// What a good answer looks like. Empty fields ask nothing.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Expectation {
    /// Acceptable statuses; empty means 200 to 299.
    pub status: Vec<u16>,
    /// Media type, for instance `application/json`.
    pub content_type: Option<String>,
    /// Keys that a JSON object must have at its top.
    pub json_keys: Vec<String>,
    /// Within how many milliseconds the whole answer must be there; `None` asks nothing beyond the audit's own limits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub within_ms: Option<u64>,
}

impl Expectation {
    /// Whether a status is acceptable.
    pub fn accepts_status(&self, status: u16) -> bool {
        if self.status.is_empty() { (200..300).contains(&status) } else { self.status.contains(&status) }
    }
}
