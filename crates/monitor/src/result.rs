//! What one check said.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::sync::Arc;

use jiff::Timestamp;
use landfall_diagnosis::Diagnosis;
use landfall_evidence::{Evidence, HttpVersion, Observation, Timings};
use landfall_probe::tls::{Judged, Session};
use serde::{Deserialize, Serialize};

/// How a check ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// Everything that was asserted is true.
    Up,
    /// It serves, with a reservation: slow, a certificate about to expire.
    Degraded,
    /// The target's side said no, said something else, or said nothing.
    Down,
    /// It cannot be told: our own side failed, a rate limit or a challenge stood between. Never counts as downtime.
    Inconclusive,
}

impl Outcome {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Down => "down",
            Self::Inconclusive => "inconclusive",
        }
    }
}

/// Why a check did not end as up; a closed set, used as a label in metrics.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// The name does not resolve: the DNS said so.
    DnsError,
    /// No resolver answered.
    DnsSilent,
    /// The connection was refused, reset or unreachable.
    ConnectionError,
    /// No answer in time, after the connection stood or while it was made.
    Timeout,
    /// The handshake failed.
    TlsError,
    /// The certificate is expired, for another name, or not trusted.
    Certificate,
    /// The certificate will expire soon.
    CertificateExpiring,
    /// The answer broke its protocol or a bound.
    Malformed,
    /// Too many redirects, or one that leads nowhere.
    Redirect,
    /// Another status than asserted.
    Status,
    /// A header is not as asserted.
    Header,
    /// The body is not as asserted.
    Body,
    /// A JSON value is not as asserted.
    Json,
    /// Slower than asserted.
    Slow,
    /// Another version than was built.
    Version,
    /// Other DNS records than asserted.
    Records,
    /// A rate limiter refused us.
    RateLimited,
    /// A bot challenge or a block page stood between.
    Challenge,
    /// The address is one that this server may not ask.
    Forbidden,
    /// This server's own connection is down.
    OwnConnection,
    /// This server could not make the check.
    Local,
    /// The audit could not tell.
    Audit,
}

impl Reason {
    /// Its word in metrics and in the store.
    pub fn word(self) -> &'static str {
        match self {
            Self::DnsError => "dns_error",
            Self::DnsSilent => "dns_silent",
            Self::ConnectionError => "connection_error",
            Self::Timeout => "timeout",
            Self::TlsError => "tls_error",
            Self::Certificate => "certificate",
            Self::CertificateExpiring => "certificate_expiring",
            Self::Malformed => "malformed",
            Self::Redirect => "redirect",
            Self::Status => "status",
            Self::Header => "header",
            Self::Body => "body",
            Self::Json => "json",
            Self::Slow => "slow",
            Self::Version => "version",
            Self::Records => "records",
            Self::RateLimited => "rate_limited",
            Self::Challenge => "challenge",
            Self::Forbidden => "forbidden",
            Self::OwnConnection => "own_connection",
            Self::Local => "local",
            Self::Audit => "audit",
        }
    }
}

/// What one check saw and says.
#[derive(Debug, Clone)]
pub struct CheckResult {
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in microseconds.
    pub took_us: u64,
    /// How it ended.
    pub outcome: Outcome,
    /// Why, unless it is up.
    pub reason: Option<Reason>,
    /// One line for people, without secrets: "HTTP 404, expected 200-299".
    pub say: String,
    /// Where the time went, over all hops of the exchange that decided.
    pub timings: Timings,
    /// HTTP status, for HTTP.
    pub status: Option<u16>,
    /// What is compared between the last good check and the first bad one.
    pub snapshot: Snapshot,
    /// What was asked and answered, masked; kept when the check did not end as up.
    pub evidence: Vec<Observation>,
    /// What metrics tell beyond the above.
    pub facts: Facts,
    /// The audit, for an audit.
    pub audit: Option<Box<Audited>>,
}

impl CheckResult {
    /// A result of which nothing is known yet but how it ended.
    pub fn new(started: Timestamp, outcome: Outcome, reason: Option<Reason>, say: impl Into<String>) -> Self {
        Self {
            started,
            took_us: 0,
            outcome,
            reason,
            say: say.into(),
            timings: Timings::default(),
            status: None,
            snapshot: Snapshot::default(),
            evidence: Vec::new(),
            facts: Facts::default(),
            audit: None,
        }
    }
}

/// A whole audit as the outcome of a check.
#[derive(Debug, Clone)]
pub struct Audited {
    /// What was seen, masked.
    pub evidence: Evidence,
    /// What it means.
    pub diagnosis: Diagnosis,
    /// The report, as `landfall audit --format json` prints it.
    pub report: String,
}

/// What one check saw that is told in metrics and not kept otherwise.
#[derive(Debug, Clone, Default)]
pub struct Facts {
    /// The address that was asked.
    pub address: Option<IpAddr>,
    /// Version of HTTP.
    pub http_version: Option<HttpVersion>,
    /// Content-Length of the last response, in bytes.
    pub content_length: Option<u64>,
    /// Last-Modified of the last response.
    pub last_modified: Option<Timestamp>,
    /// The last handshake and its chain.
    pub tls: Option<(Arc<Session>, Arc<Judged>)>,
    /// Records of a DNS answer: in the answer section, and in the authority section.
    pub dns_records: Option<(u32, u32)>,
    /// Serial of the zone, when a SOA record came.
    pub dns_serial: Option<u32>,
    /// Whether a router said that the address cannot be reached.
    pub unreachable: bool,
}

/// What is worth comparing between two checks.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct Snapshot {
    /// When.
    pub at: Option<Timestamp>,
    /// The addresses that the name had, sorted.
    pub addresses: Vec<IpAddr>,
    /// The records of a DNS check, sorted.
    pub records: Vec<String>,
    /// SHA-256 of the leaf certificate.
    pub certificate: Option<String>,
    /// Who issued it.
    pub issuer: Option<String>,
    /// When it expires.
    pub certificate_until: Option<Timestamp>,
    /// TLS version and HTTP version: "TLSv1.3", "HTTP/2".
    pub protocols: Vec<String>,
    /// HTTP status.
    pub status: Option<u16>,
    /// Headers that tell hops and versions apart, names in lower case: server, via, x-powered-by, content-type, …
    pub headers: BTreeMap<String, String>,
    /// The URLs of the redirect chain.
    pub redirects: Vec<String>,
    /// SHA-256 of the body.
    pub body: Option<String>,
    /// Bytes of the body.
    pub body_byte: Option<u64>,
    /// The version marker.
    pub version: Option<String>,
}
