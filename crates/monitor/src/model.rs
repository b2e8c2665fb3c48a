//! What a monitor is: the shape in the API, in `landfall.toml` and in the store alike.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use landfall_store::{Id, OrgId};
use serde::{Deserialize, Serialize};

use crate::assertion::Written;

/// A monitor as somebody declares it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct MonitorSpec {
    /// Name for people.
    pub name: String,
    /// What is checked.
    pub check: Check,
    /// Between two checks, in seconds: 10 to 86400. 60 by default.
    #[serde(default = "interval")]
    pub interval_s: u32,
    /// How long one check may take, in milliseconds: 100 to 60000. 10000 by default.
    #[serde(default = "timeout")]
    pub timeout_ms: u32,
    /// Consecutive failures until it is down: 1 to 20. 3 by default.
    #[serde(default = "fail_after")]
    pub fail_after: u32,
    /// Consecutive successes until it is up again: 1 to 20. 2 by default.
    #[serde(default = "recover_after")]
    pub recover_after: u32,
    /// Between two checks while it is failing but not yet down, in seconds; never longer than the interval.
    /// `None` keeps to the interval.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_s: Option<u32>,
    /// Between two reminders while it is down, in seconds: 300 at least. `None` sends none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remind_s: Option<u32>,
    /// External ids of monitors that this one needs: while one of them is down, this one is blocked and says nothing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub depends_on: Vec<String>,
    /// External ids of channels that hear of it; `None` means all enabled ones.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub channels: Option<Vec<String>>,
    /// Labels for people and filters.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
    /// What else the audit behind an alert may ask.
    #[serde(default, skip_serializing_if = "AuditTarget::is_empty")]
    pub audit: AuditTarget,
    /// Whether it is shown on the public status page.
    #[serde(default)]
    pub public: bool,
}

fn interval() -> u32 {
    60
}
fn timeout() -> u32 {
    10_000
}
fn fail_after() -> u32 {
    3
}
fn recover_after() -> u32 {
    2
}

/// What an audit of a monitor's target may ask beyond the monitored URL.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditTarget {
    /// The platform's own name for the deployment.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub origin: Option<String>,
    /// The endpoints that matter, as paths; the monitored path is one of them in any case.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub endpoints: Vec<AuditEndpoint>,
}

/// An endpoint of the audit.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct AuditEndpoint {
    /// `GET` by default.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub method: Option<String>,
    /// Path and query.
    pub path: String,
    /// Whether it is the product's main function.
    pub core: bool,
    /// Statuses that are right; 2xx when empty.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub status: Vec<u16>,
    /// The media type that is right.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content_type: Option<String>,
    /// Keys that the JSON object must have.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub json_keys: Vec<String>,
}

impl AuditTarget {
    /// Whether nothing is said.
    pub fn is_empty(&self) -> bool {
        *self == Self::default()
    }
}

/// What is checked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Check {
    /// An HTTP exchange.
    Http(HttpCheck),
    /// A TCP connection.
    Tcp(TcpCheck),
    /// A DNS question.
    Dns(DnsCheck),
    /// A TLS handshake and its certificate.
    Tls(TlsCheck),
    /// The full audit.
    Audit(AuditCheck),
}

impl Check {
    /// Its word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Tcp(_) => "tcp",
            Self::Dns(_) => "dns",
            Self::Tls(_) => "tls",
            Self::Audit(_) => "audit",
        }
    }
}

/// An HTTP exchange and what must be true of it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct HttpCheck {
    /// The full URL, http or https.
    pub url: String,
    /// `GET` by default.
    #[serde(default = "get")]
    pub method: String,
    /// Headers to send. Values may hold secrets and are shown masked.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, String>,
    /// The body to send.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// Redirects that are followed, 0 to 10. 5 by default.
    #[serde(default = "redirects")]
    pub redirects: u8,
    /// What must be true; a status of 200 to 299 when no assertion speaks of the status.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub assert: Vec<Assertion>,
    /// Slower than this is degraded, in milliseconds, though not down.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded_ms: Option<u32>,
    /// Days of validity that the certificate must have left to be up; fewer is degraded, none is down. 7 by default.
    #[serde(default = "certificate_days")]
    pub certificate_days: u16,
    /// The one address family to use: 4 or 6. Both by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub family: Option<u8>,
}

fn get() -> String {
    "GET".into()
}
fn redirects() -> u8 {
    5
}
fn certificate_days() -> u16 {
    7
}

/// One assertion on a response.
///
/// Written flat: `{ "on": "header", "name": "server", "contains": "nginx" }`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(try_from = "Written", into = "Written")]
pub enum Assertion {
    /// The status is one of these: `"200"`, `"200-299"`.
    Status {
        /// Codes and ranges.
        any_of: Vec<String>,
    },
    /// A response header.
    Header {
        /// Its name.
        name: String,
        /// What must hold of its value (of any of its values, if it came more than once).
        is: Comparison,
    },
    /// The body as text.
    Body {
        /// What must hold of it.
        is: Comparison,
    },
    /// A value in a JSON body, by a JSONPath (RFC 9535).
    Json {
        /// The path: `$.status`.
        path: String,
        /// What must hold of the first value found, as text for strings and as JSON for everything else.
        is: Comparison,
    },
    /// The whole exchange took at most so long; more is down (use `degraded_ms` for a softer limit).
    Time {
        /// In milliseconds.
        max_ms: u32,
    },
    /// The version marker: a header or a JSON path must have this value, or that of the last deployment.
    Version {
        /// The header that carries it.
        header: Option<String>,
        /// The JSONPath that leads to it.
        path: Option<String>,
        /// The value that was built; `None` only records it, so that a change is seen.
        expect: Option<String>,
    },
}

/// How a text is compared. Exactly one key is given.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Comparison {
    /// Equal.
    Equals(String),
    /// Different, or absent.
    NotEquals(String),
    /// Contains this text.
    Contains(String),
    /// Does not contain this text.
    NotContains(String),
    /// Matches this regular expression somewhere.
    Matches(String),
    /// Does not match it.
    NotMatches(String),
    /// Is a number of at least this.
    AtLeast(f64),
    /// Is a number of at most this.
    AtMost(f64),
    /// Is there (`true`) or is not (`false`).
    Exists(bool),
}

/// A TCP connection.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TcpCheck {
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
    /// Slower than this is degraded, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded_ms: Option<u32>,
}

/// A DNS question.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct DnsCheck {
    /// The name asked for.
    pub name: String,
    /// Its type: `A`, `AAAA`, `CNAME`, `NS`, `SOA`, `CAA`, `TXT`, `MX`. `A` by default.
    #[serde(default = "rtype")]
    pub rtype: String,
    /// The server to ask, `ADDR[:PORT]`; the server's own resolvers by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub server: Option<String>,
    /// Values that must be among the answers, all of them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub contains: Vec<String>,
    /// The answers must be exactly these, in any order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub exactly: Vec<String>,
    /// Slower than this is degraded, in milliseconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub degraded_ms: Option<u32>,
}

fn rtype() -> String {
    "A".into()
}

/// A TLS handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TlsCheck {
    /// Host name: sent as SNI and held against the certificate.
    pub host: String,
    /// Port. 443 by default.
    #[serde(default = "https")]
    pub port: u16,
    /// Days of validity that must be left; fewer is degraded, none is down. 14 by default.
    #[serde(default = "tls_days")]
    pub certificate_days: u16,
}

fn https() -> u16 {
    443
}
fn tls_days() -> u16 {
    14
}

/// The full audit as a check: live is up, degraded is degraded, not-live is down, unknown is inconclusive.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct AuditCheck {
    /// The production URL.
    pub url: String,
}

/// A monitor as the store holds it.
#[derive(Debug, Clone, PartialEq)]
pub struct Monitor {
    /// Its id.
    pub id: Id,
    /// Whose it is.
    pub org: OrgId,
    /// The name under which configuration files know it.
    pub external_id: String,
    /// What was declared.
    pub spec: MonitorSpec,
    /// Whether somebody paused it.
    pub paused: bool,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

impl MonitorSpec {
    /// A monitor with nothing but a name and a check; everything else as by default.
    pub fn new(name: impl Into<String>, check: Check) -> Self {
        Self {
            name: name.into(),
            check,
            interval_s: interval(),
            timeout_ms: timeout(),
            fail_after: fail_after(),
            recover_after: recover_after(),
            retry_s: None,
            remind_s: None,
            depends_on: Vec::new(),
            channels: None,
            labels: BTreeMap::new(),
            audit: AuditTarget::default(),
            public: false,
        }
    }

    /// The interval.
    pub fn interval(&self) -> Duration {
        Duration::from_secs(self.interval_s.into())
    }

    /// The timeout of one check.
    pub fn timeout(&self) -> Duration {
        Duration::from_millis(self.timeout_ms.into())
    }
}
