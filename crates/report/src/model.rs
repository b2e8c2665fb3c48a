//! The report model: the JSON contract `landfall.report/1`.
//!
//! Keys are added, never renamed. Where a part of the diagnosis or of the evidence already has the right shape it is
//! used as it is, so that a value means the same thing in all three files.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::Timestamp;
use landfall_diagnosis::{
    Action, Cause, Component, Finding, Hop, LimitSettings, Readiness, Severity, Specification, Tie,
    Unexplained, UseImpact, Verdict, Verification,
};
use landfall_evidence::{
    Certificate, DeployConfig, DnsServer, EndpointSource, EntryFile, Evidence, Folder, GitState, Header,
    HttpVersion, Interval, LimiterClass, ObservationId, Phase, Purpose, RateStop, Scheduler, Settings,
    SettingsInventory, Stack, Target, TestPurpose, TestRun, Timings, Tool, TrustPath, Vantage,
};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The schema that this version writes.
pub const SCHEMA: &str = "landfall.report/1";

/// The explanation in plain words.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Explanation {
    /// From templates, out of the diagnosis alone.
    pub text: String,
    /// The same in other words, by a language model that the user named; shown in place of the text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rephrased: Option<String>,
    /// The model that did it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub by: Option<String>,
}

impl Explanation {
    /// What is shown.
    pub fn shown(&self) -> &str {
        self.rephrased.as_deref().unwrap_or(&self.text)
    }
}

/// One report. Built by [`build`](crate::build), laid out by [`render`](crate::render).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Report {
    /// [`SCHEMA`].
    pub schema: String,
    /// When the audit began. A report has no clock of its own, so that a replay gives the same bytes.
    pub generated_at: Timestamp,
    /// What collected the evidence.
    pub tool: Tool,
    /// What was audited.
    pub target: Target,
    /// The overall answer.
    pub verdict: Verdict,
    /// One sentence for a person.
    pub summary: String,
    /// One paragraph in plain words, beside the summary.
    #[serde(default)]
    pub explanation: Explanation,
    /// One row a component.
    pub components: Vec<Component>,
    /// What is wrong, one entry for each trouble, worst first.
    pub issues: Vec<Issue>,
    /// Named causes, most likely first.
    pub causes: Vec<Cause>,
    /// Causes that were considered and lost.
    pub ruled_out: Vec<Cause>,
    /// Groups of causes that the evidence cannot tell apart.
    pub ties: Vec<Tie>,
    /// Facts that a person should know.
    pub findings: Vec<Finding>,
    /// The way of a request, hop by hop.
    pub path: Vec<Hop>,
    /// What is known of the rate limit; `None` when nothing is.
    pub rate_limit: Option<RateLimitReport>,
    /// The checklist.
    pub readiness: Readiness,
    /// What to do, most urgent first.
    pub actions: Vec<Action>,
    /// How to prove that it worked.
    pub verification: Vec<Verification>,
    /// What was learnt of the stack.
    pub specifications: Vec<Specification>,
    /// Observations that nothing accounts for; while there are any, nothing is green.
    pub unexplained: Vec<Unexplained>,
    /// The project folder.
    pub environment: Environment,
    /// What each endpoint answered, seen from each side.
    pub health: Health,
    /// What each DNS server said.
    pub dns: DnsReport,
    /// One handshake for each address of the name.
    pub tls: Vec<TlsReport>,
    /// Runs of the project's tests.
    pub tests: Vec<TestsReport>,
    /// How long it took, and why not less.
    pub timing: Timing,
    /// The settings that shaped the audit.
    pub settings: Settings,
    /// Version of the catalogue that judged.
    pub catalogue: String,
    /// The evidence behind all of it: a reference, and the whole when it was asked for.
    pub evidence: EvidenceReport,
}

/// One trouble: the findings that one cause explains, or a finding that stands alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Issue {
    /// The worst of its findings, or of its cause where it has none.
    pub severity: Severity,
    /// What is the case.
    pub title: String,
    /// The cause that explains it, when one does.
    pub cause: Option<String>,
    /// Codes of its findings, worst first.
    pub findings: Vec<String>,
    /// Who suffers and how, one entry a finding.
    pub impact: Vec<String>,
    /// What to do, without repetitions.
    pub action: Vec<String>,
}

/// What is known of the rate limit, under the contract's names.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct RateLimitReport {
    /// Requests that pass from a quiet start.
    pub limit: Option<Interval>,
    /// The window, or the time to refill the whole limit, in seconds.
    pub window_s: Option<SecondsInterval>,
    /// Extra requests that pass at once beyond the steady rate.
    pub burst: Option<u64>,
    /// Kinds of limiter that fit, most likely first.
    pub algorithm: Vec<LimiterClass>,
    /// Which hop answers the refusal.
    pub hop: Option<String>,
    /// How it refuses.
    pub signal: Option<String>,
    /// Confidence in the limit, 0 to 1.
    pub confidence: f64,
    /// Who would be hit, each with figures.
    pub impact: Vec<String>,
    /// What to set; `None` when nothing is wrong.
    pub recommendation: Option<String>,
    /// Requests of the audit that the limiter saw.
    pub requests_counted: u32,
    /// Statuses in the order sent.
    pub statuses: Vec<String>,
    /// What could not be separated.
    pub open: Vec<String>,
    /// The URL that was asked; `None` when the probe did not run.
    pub url: Option<String>,
    /// How many of the requests the audit had sent for other reasons.
    pub own_earlier: Option<u32>,
    /// How many the probe added.
    pub added: Option<u32>,
    /// Why the probe stopped.
    pub stopped: Option<RateStop>,
    /// Seconds that the refusal asked us to wait.
    pub retry_after_s: Option<u64>,
    /// The probe's own observation.
    pub evidence: Option<ObservationId>,
    /// Who would be hit, use by use, with the best and the worst case that fit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub uses: Vec<UseImpact>,
    /// How the uses that are hit would have to ask so as to pass under the present limit.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub slower: Vec<String>,
    /// Lines for the limiter at hand.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub settings: Option<LimitSettings>,
    /// The audit's own requests as the limiter saw them, for a drawing.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub observed: Vec<ObservedRequest>,
}

/// One request of the audit as the limiter saw it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ObservedRequest {
    /// When it was sent, in milliseconds since the first of them.
    pub at_ms: u64,
    /// Its status; `None` when no response came.
    pub status: Option<u16>,
    /// Whether the limiter refused it.
    pub refused: bool,
    /// Requests that passed in the window before it, itself included; since the first of them when the window is not known.
    pub counted: u64,
}

/// A closed interval in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct SecondsInterval {
    /// Smallest value that fits.
    pub low: f64,
    /// Largest value that fits; `None` when nothing bounds it.
    pub high: Option<f64>,
}

/// What became of a question, without its value.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// The target's side answered with the thing asked for.
    Answered,
    /// It answered no.
    Denied,
    /// Nothing came back in time.
    Silent,
    /// Our side did not ask. Says nothing about the target.
    Unasked,
}

/// The project folder, section 1 of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Environment {
    /// The working directory; `None` when no project was named.
    pub working_directory: Option<String>,
    /// Whether the folder was read.
    pub outcome: Outcome,
    /// The outcome in words.
    pub words: String,
    /// Languages, frameworks, servers and runtimes.
    pub stacks: Vec<Stack>,
    /// The file that defines the application.
    pub entry: Option<EntryFile>,
    /// Folders of source code with their file counts.
    pub folders: Vec<Folder>,
    /// Deploy configurations.
    pub deploy: Vec<DeployConfig>,
    /// Settings by name, never by value.
    pub settings: SettingsInventory,
    /// Number of routes read from the code.
    pub routes: usize,
    /// Schedulers found in the code.
    pub schedulers: Vec<Scheduler>,
    /// Version control.
    pub git: Option<GitState>,
    /// What could not be read, with the place and the reason.
    pub unread: Vec<String>,
    /// The observation behind it.
    pub evidence: Option<ObservationId>,
}

/// What the endpoints answered, section 2 of the report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Health {
    /// The sides that were asked, in the order of the columns.
    pub vantages: Vec<Vantage>,
    /// The endpoints that matter, in the target's order.
    pub endpoints: Vec<EndpointHealth>,
    /// Paths that nobody can have defined: what each side says of an unknown path.
    pub controls: Vec<EndpointHealth>,
    /// The same question at other addresses, in other HTTP versions, and without TLS; in the order asked.
    pub others: Vec<Answer>,
    /// What the diagnosis draws from the control paths, in its own words.
    pub conclusions: Vec<String>,
}

/// One endpoint, seen from each side.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EndpointHealth {
    /// The method that clients use.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Where the endpoint is known from; `None` for a control path.
    pub source: Option<EndpointSource>,
    /// Whether this is the product's main function.
    pub core: bool,
    /// One answer a side, in the order of [`Health::vantages`]; a side that was never considered has none.
    pub answers: Vec<Answer>,
}

impl EndpointHealth {
    /// The answer from one side.
    pub fn from(&self, vantage: Vantage) -> Option<&Answer> {
        self.answers.iter().find(|a| a.vantage == vantage)
    }
}

/// One exchange, as the report shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Answer {
    /// The observation behind it.
    pub evidence: ObservationId,
    /// The side that was asked.
    pub vantage: Vantage,
    /// Why it was asked.
    pub purpose: Purpose,
    /// The method that was sent.
    pub method: String,
    /// The full URL.
    pub url: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The outcome in words: "HTTP 404", "connection refused".
    pub words: String,
    /// Status code.
    pub status: Option<u16>,
    /// Reason phrase of the status (RFC 9110 section 15), for people.
    pub reason: Option<String>,
    /// The version of the answer.
    pub version: Option<HttpVersion>,
    /// The version asked for.
    pub asked_version: HttpVersion,
    /// The public address.
    pub address: Option<SocketAddr>,
    /// Where the packets really went when an address map led them elsewhere.
    pub connected_to: Option<SocketAddr>,
    /// All header fields as received.
    pub headers: Vec<Header>,
    /// Media type.
    pub media_type: Option<String>,
    /// Where a 3xx leads.
    pub redirect_to: Option<String>,
    /// The body.
    pub body: Option<BodyReport>,
    /// Whether the answer meets what the target declares of the endpoint; `None` when nothing was declared or seen.
    pub as_declared: Option<bool>,
    /// Whether the body is JSON of the same shape (same keys, same types) as the local backend's; `None` when either
    /// side has no complete JSON to compare.
    pub same_shape_as_local: Option<bool>,
    /// Slices of time.
    pub timings: Timings,
    /// From the question to the outcome, in microseconds.
    pub took_us: u64,
    /// Whether this answer is the rate limiter's refusal and so says nothing of the endpoint.
    pub fell_to_limiter: bool,
    /// Earlier attempts at the same question that this one replaces.
    pub earlier: Vec<EarlierAttempt>,
}

/// An attempt that was repeated.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EarlierAttempt {
    /// Its observation.
    pub evidence: ObservationId,
    /// Its outcome in words.
    pub words: String,
    /// Whether it fell to the rate limiter.
    pub fell_to_limiter: bool,
}

/// A response body, as the report shows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BodyReport {
    /// Bytes read.
    pub byte_count: u64,
    /// Whether the end was seen.
    pub complete: bool,
    /// Why it is not complete.
    pub cut: Option<String>,
    /// Its beginning as text; `None` when it is not text.
    pub text: Option<String>,
    /// Whether all of it parses as JSON.
    pub is_json: bool,
    /// SHA-256 of the bytes read, hexadecimal.
    pub sha256: String,
}

/// What DNS says, section 3 of the report.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsReport {
    /// The public host name.
    pub name: Option<String>,
    /// Addresses by family, in the order first seen.
    pub families: Vec<Family>,
    /// The address that the first answered request to production used.
    pub used: Option<SocketAddr>,
    /// HTTP versions that were tried at the edge, with what became of them.
    pub http_versions: Vec<VersionReport>,
    /// The zone's nameservers.
    pub nameservers: Vec<Nameserver>,
    /// What each server said.
    pub servers: Vec<ServerAnswers>,
}

/// The addresses of one family.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Family {
    /// `IPv4` or `IPv6`.
    pub family: String,
    /// The addresses as text; empty when a server said that there are none.
    pub addresses: Vec<String>,
    /// The outcome in words when there is no address.
    pub words: String,
}

/// One HTTP version at the edge.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionReport {
    /// The version asked for.
    pub asked: HttpVersion,
    /// What became of it.
    pub outcome: Outcome,
    /// In words: "HTTP 404", "no answer in tls after 5.0 s".
    pub words: String,
    /// The observation behind it.
    pub evidence: ObservationId,
}

/// A nameserver of the zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Nameserver {
    /// Its name.
    pub name: String,
    /// Who runs it, when the diagnosis knows.
    pub owner: Option<String>,
}

/// Everything that one DNS server said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerAnswers {
    /// The server.
    pub server: DnsServer,
    /// One row a record; one row for a question without records.
    pub rows: Vec<DnsRow>,
}

/// One row of a server's table.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsRow {
    /// The name asked for, or the owner of the record.
    pub name: String,
    /// The type asked for, or the record's.
    pub rtype: String,
    /// What became of the question.
    pub outcome: Outcome,
    /// The response code, or the outcome in words.
    pub words: String,
    /// Whether the server spoke with authority (AA).
    pub authoritative: bool,
    /// Remaining time to live, in seconds.
    pub ttl_s: Option<u32>,
    /// The record's data; `None` for an answer without records.
    pub data: Option<String>,
    /// Extended DNS errors (RFC 8914) in words.
    pub extended_errors: Vec<String>,
    /// The observation behind it.
    pub evidence: ObservationId,
}

/// One handshake, section 4 of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsReport {
    /// The observation behind it.
    pub evidence: ObservationId,
    /// The side that was asked.
    pub vantage: Vantage,
    /// The name asked for.
    pub host: String,
    /// The public address.
    pub address: SocketAddr,
    /// Where the packets really went when an address map led them elsewhere.
    pub connected_to: Option<SocketAddr>,
    /// What became of it.
    pub outcome: Outcome,
    /// The outcome in words.
    pub words: String,
    /// Protocol version.
    pub version: Option<String>,
    /// Cipher suite.
    pub cipher_suite: Option<String>,
    /// Key exchange group.
    pub group: Option<String>,
    /// The protocol that the server chose by ALPN.
    pub alpn: Option<String>,
    /// Whether the leaf covers the host.
    pub name_matches: Option<bool>,
    /// The chain in the order sent.
    pub chain: Vec<CertificateReport>,
    /// Certificates that were sent but could not be parsed, one line each.
    pub unparsed: Vec<String>,
    /// The verdict of each root store.
    pub trust: Vec<TrustPath>,
    /// An earlier handshake that showed exactly this chain and trust, so that it need not be shown twice.
    pub same_as: Option<ObservationId>,
}

/// A certificate with its age at the time of the audit.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateReport {
    /// The certificate as sent.
    pub certificate: Certificate,
    /// Whole days from the start of the audit to `not_after`; negative when it has passed.
    pub days_left: i64,
    /// Whole days from `not_before` to `not_after`.
    pub lifetime_days: i64,
    /// Share of the lifetime that is left, in percent, 0 when it has passed.
    pub left_percent: u8,
}

/// One test run, section 6 of the report.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TestsReport {
    /// The observation behind it.
    pub evidence: ObservationId,
    /// The command as a person would type it.
    pub command: String,
    /// Why this run was made.
    pub purpose: TestPurpose,
    /// What became of it.
    pub outcome: Outcome,
    /// The outcome in words: "exit status 2", "not asked: …".
    pub words: String,
    /// The run, with counts, collection errors and the end of the output.
    pub run: Option<TestRun>,
    /// In microseconds.
    pub took_us: u64,
    /// What the diagnosis says of this run: causes and findings that rest on it, in words.
    pub because: Vec<String>,
    /// What to do about it, from the findings that rest on it.
    pub remedy: Vec<String>,
}

/// How long the audit took, and why not less.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Timing {
    /// Wall time of the audit, in milliseconds.
    pub total_ms: f64,
    /// The longest chain of questions each of which had to wait for the one before.
    pub critical_path: Vec<Step>,
    /// Sum of its steps and of the waits between them, in milliseconds.
    pub critical_path_ms: f64,
    /// Dependent round trips on it: with the link's round-trip time, the physical floor.
    pub round_trips: u32,
    /// HTTP requests sent.
    pub requests_sent: u32,
    /// The same by host and port.
    pub requests_by_host: BTreeMap<String, u32>,
    /// Every observation with its place in time.
    pub observations: Vec<Bar>,
}

/// One step of the critical path.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct Step {
    /// For people: `GET /health, edge, HTTP/2`.
    pub label: String,
    /// Milliseconds since the audit began.
    pub start_ms: f64,
    /// Length in milliseconds.
    pub took_ms: f64,
    /// Milliseconds that passed between the end of the step before and this start.
    pub waited_ms: f64,
    /// Dependent round trips inside.
    pub round_trips: u32,
    /// The observation behind it.
    pub evidence: ObservationId,
}

/// One observation in time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Bar {
    /// The observation.
    pub evidence: ObservationId,
    /// What kind of question it was.
    pub kind: Kind,
    /// The side that was asked.
    pub vantage: Vantage,
    /// For people.
    pub label: String,
    /// What became of it.
    pub outcome: Outcome,
    /// The outcome in words.
    pub words: String,
    /// Microseconds since the audit began.
    pub started_us: u64,
    /// Length in microseconds.
    pub took_us: u64,
    /// Its phases, in order, where they are known.
    pub slices: Vec<Slice>,
    /// Whether it lies on the critical path.
    pub critical: bool,
    /// A command that repeats the question by hand.
    pub by_hand: String,
}

/// One phase of an observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Slice {
    /// The phase.
    pub phase: Phase,
    /// Length in microseconds.
    pub took_us: u64,
}

/// The kinds of observation.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// A DNS question.
    Dns,
    /// A registry's record.
    Rdap,
    /// A TLS handshake.
    Tls,
    /// An HTTP request.
    Http,
    /// The rate-limit probe.
    RateLimit,
    /// The reading of the project folder.
    Project,
    /// A test run.
    Tests,
    /// The reading of a log file.
    Log,
}

/// Which evidence the report was made of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EvidenceReport {
    /// Its schema.
    pub schema: String,
    /// SHA-256 over the saved evidence file (`Evidence::to_json`), hexadecimal: two reports with the same digest were
    /// made of the same evidence.
    pub sha256: String,
    /// Number of observations in it.
    pub observations: usize,
    /// The whole, with `--with-evidence`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub whole: Option<Box<Evidence>>,
}

impl Report {
    /// The report with the whole evidence inside (`--with-evidence`).
    #[must_use]
    pub fn with_evidence(mut self, evidence: &Evidence) -> Self {
        self.evidence.whole = Some(Box::new(evidence.clone()));
        self
    }

    /// Reads a report that the JSON renderer wrote.
    ///
    /// # Errors
    /// When the text is not JSON, is not a report, or has a schema of another major version.
    pub fn from_json(text: &str) -> Result<Self, LoadError> {
        #[derive(Deserialize)]
        struct Head {
            schema: Option<String>,
        }
        let head: Head = serde_json::from_str(text).map_err(LoadError::NotJson)?;
        match head.schema.as_deref() {
            Some(SCHEMA) => serde_json::from_str(text).map_err(LoadError::NotJson),
            found => Err(LoadError::Schema { found: found.unwrap_or("none").to_owned() }),
        }
    }

    /// The JSON Schema of a report.
    pub fn json_schema() -> serde_json::Value {
        schemars::schema_for!(Report).to_value()
    }

    /// The component with a stable id (`local`, `production`, `dns`, `tls`, `rate-limit`, `tests`).
    pub fn component(&self, id: &str) -> Option<&Component> {
        self.components.iter().find(|c| c.id == id)
    }

    /// Findings that rest on observations of one kind, in the report's order.
    pub fn findings_about(&self, kind: Kind) -> impl Iterator<Item = &Finding> {
        self.findings.iter().filter(move |f| {
            self.timing.observations.iter().any(|o| o.kind == kind && f.evidence.contains(&o.evidence))
        })
    }

    /// The title of a check, or its id where there is no such check.
    pub fn check_title<'a>(&'a self, id: &'a str) -> &'a str {
        self.readiness.checks.iter().find(|c| c.id == id).map_or(id, |c| c.title.as_str())
    }
}

/// Why a report file could not be read.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// It is not the JSON of a report.
    #[error("the file is not a Landfall report: {0}; write one with `landfall audit --format json`")]
    NotJson(serde_json::Error),
    /// It was written by another major version.
    #[error("the report has schema {found:?}; this version of landfall reads {SCHEMA:?}")]
    Schema {
        /// What the file says.
        found: String,
    },
}
