//! What is audited.

use regex::{Regex, RegexBuilder};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use url::Url;

use crate::http::Body;

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
    /// A check that the configuration of a monitor in the project makes.
    Monitored,
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
    /// What its text has to say. At most 16.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub says: Vec<Says>,
}

/// Something that the text of a good answer says, or does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Says {
    /// This text, letter for letter.
    Text(String),
    /// Not this text.
    Not(String),
    /// Something that this regular expression matches.
    Pattern(String),
    /// JSON with this value, as text, at a path of keys: `["status", "ok"]`, `["db.state", "up"]`.
    Json(String, String),
}

/// Bytes of a body's text below which surely all of it was kept: of longer ones the first 16 KiB are, up to a character's end.
const KEPT_BYTES: usize = 16 * 1024 - 3;

/// Memory that a pattern of a monitor may take when it is compiled; theirs are a line long.
const PATTERN_BYTES: usize = 1 << 18;

impl Says {
    /// Whether a body says so. `None` where that cannot be told: it is cut short of our bound, no text, or the pattern
    /// is none.
    pub fn holds(&self, body: &Body) -> Option<bool> {
        let text = body.text.as_deref()?;
        // What is kept is the beginning of a long text: what it has is there, and what it lacks may follow.
        let whole = body.complete && text.len() < KEPT_BYTES;
        let told = |there: bool| if there || whole { Some(there) } else { None };
        match self {
            Self::Text(wanted) => told(text.contains(wanted.as_str())),
            Self::Not(unwanted) => told(text.contains(unwanted.as_str())).map(|there| !there),
            Self::Pattern(pattern) => told(Self::compiled(pattern, false)?.is_match(text)),
            Self::Json(path, value) => match body.json() {
                Some(json) => Some(Self::value(json, path).is_some_and(|found| found == *value)),
                None if whole => Some(false),
                None => None,
            },
        }
    }

    /// A pattern ready to be matched, within bounds of memory; `None` when it is none.
    pub fn compiled(pattern: &str, any_case: bool) -> Option<Regex> {
        RegexBuilder::new(pattern).case_insensitive(any_case).size_limit(PATTERN_BYTES).build().ok()
    }

    /// The value at a path of keys, as text; `None` for what is not there, an object or a list.
    pub fn value(json: &serde_json::Value, path: &str) -> Option<String> {
        let found = path.split('.').try_fold(json, |json, key| json.get(key))?;
        match found {
            serde_json::Value::String(text) => Some(text.clone()),
            serde_json::Value::Array(_) | serde_json::Value::Object(_) => None,
            other => Some(other.to_string()),
        }
    }
}

impl std::fmt::Display for Says {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Text(text) => write!(f, "`{text}`"),
            Self::Not(text) => write!(f, "no `{text}`"),
            Self::Pattern(pattern) => write!(f, "`{pattern}` (a pattern)"),
            Self::Json(path, value) => write!(f, "{path} = {value}"),
        }
    }
}

impl Expectation {
    /// What it asks the text to say and a body does not.
    pub fn unsaid<'a>(&'a self, body: &'a Body) -> impl Iterator<Item = &'a Says> + 'a {
        self.says.iter().filter(|says| says.holds(body) == Some(false))
    }

    /// Whether a status is acceptable.
    pub fn accepts_status(&self, status: u16) -> bool {
        if self.status.is_empty() { (200..300).contains(&status) } else { self.status.contains(&status) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn body(text: &str) -> Body {
        serde_json::from_value(serde_json::json!({
            "byte_count": text.len(), "complete": true, "cut": null, "text": text, "sha256": "",
        }))
        .expect("a body")
    }

    #[test]
    fn what_a_text_says_and_what_cannot_be_told() {
        let ok = body(r#"{"status": "ok", "db": {"up": true}}"#);
        let holds = |says: Says, body: &Body| says.holds(body);
        assert_eq!(holds(Says::Text("ok".into()), &ok), Some(true));
        assert_eq!(holds(Says::Text("\"status\":\"ok\"".into()), &ok), Some(false), "letter for letter");
        assert_eq!(holds(Says::Not("error".into()), &ok), Some(true));
        assert_eq!(holds(Says::Pattern("(?i)OK".into()), &ok), Some(true));
        assert_eq!(holds(Says::Pattern("(".into()), &ok), None, "that is no pattern");
        assert_eq!(holds(Says::Json("status".into(), "ok".into()), &ok), Some(true));
        assert_eq!(holds(Says::Json("db.up".into(), "true".into()), &ok), Some(true));
        assert_eq!(holds(Says::Json("db".into(), "up".into()), &ok), Some(false));
        assert_eq!(holds(Says::Json("status".into(), "ok".into()), &body("OK")), Some(false));

        let cut = Body { complete: false, ..body("{\"status\": \"o") };
        assert_eq!(holds(Says::Text("status".into()), &cut), Some(true));
        for open in [Says::Text("ok".into()), Says::Not("x".into()), Says::Json("status".into(), "ok".into())]
        {
            assert_eq!(open.holds(&cut), None, "{open}");
        }
        let long = body(&"x".repeat(20_000));
        assert_eq!(holds(Says::Text("ok".into()), &long), None);
        let bytes = Body { text: None, ..ok.clone() };
        assert_eq!(holds(Says::Text("ok".into()), &bytes), None);

        let expect = Expectation {
            says: vec![Says::Text("ok".into()), Says::Json("status".into(), "up".into())],
            ..Expectation::default()
        };
        let unsaid: Vec<String> = expect.unsaid(&ok).map(ToString::to_string).collect();
        assert_eq!(unsaid, ["status = up"]);
    }
}
