//! The audit behind an alert, and the audit that somebody asks for: the same engine as on the command line.

use std::path::PathBuf;
use std::time::Duration;

use futures_util::future::BoxFuture;
use landfall_audit::{Overrides, Plan, Probe, Progress};
use landfall_diagnosis::{Catalogue, Label};
use landfall_evidence::{Endpoint, EndpointSource, Expectation};
use landfall_notify::CauseRef;
use landfall_report::Report;
use url::Url;

use crate::model::{Assertion, AuditTarget, Check, MonitorSpec};

/// What is to be audited.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRequest {
    /// The production URL, without path.
    pub production: Url,
    /// The platform's own name, when it is known.
    pub origin: Option<Url>,
    /// The endpoints that matter; empty lets the audit guess.
    pub endpoints: Vec<Endpoint>,
    /// When it must be over.
    pub within: Duration,
    /// Whether the rate limit is probed as well, which needs further requests.
    pub rate_limit: bool,
}

/// What an audit gave.
#[derive(Debug, Clone, PartialEq)]
pub struct Audited {
    /// `live`, `degraded`, `not-live`, `unknown`.
    pub verdict: String,
    /// One sentence.
    pub summary: String,
    /// The first cause, if one was named.
    pub cause: Option<CauseRef>,
    /// The severity's word of the first cause.
    pub severity: Option<String>,
    /// Rivals that were not ruled out, each with what would separate it.
    pub rivals: Vec<String>,
    /// What to do first.
    pub actions: Vec<String>,
    /// The report, `landfall.report/1`.
    pub report: String,
    /// The evidence, `landfall.evidence/1`.
    pub evidence: String,
}

/// Makes audits. The watch knows no other way to a diagnosis, so that tests can put one in its place.
pub trait Auditor: Send + Sync + 'static {
    /// Audits within the request's deadline.
    ///
    /// # Errors
    /// In words, when it could not be made.
    fn audit<'a>(
        &'a self,
        request: AuditRequest,
        progress: Progress,
    ) -> BoxFuture<'a, Result<Audited, String>>;
}

impl AuditRequest {
    /// The audit of what a monitor watches; `None` for a monitor that watches no HTTP service.
    pub fn of(spec: &MonitorSpec, within: Duration) -> Option<Self> {
        let (url, expect) = match &spec.check {
            Check::Http(check) => (check.url.as_str(), expectation(&check.assert)),
            Check::Audit(check) => (check.url.as_str(), Expectation::default()),
            Check::Tls(check) => {
                let url = format!("https://{}:{}/", check.host, check.port);
                return Self::parts(&url, Expectation::default(), &spec.audit, within);
            }
            Check::Dns(check) => {
                let url = format!("https://{}/", check.name.trim_end_matches('.'));
                return Self::parts(&url, Expectation::default(), &spec.audit, within);
            }
            Check::Tcp(_) => return None,
        };
        Self::parts(url, expect, &spec.audit, within)
    }

    /// The audit of a URL that somebody typed.
    ///
    /// # Errors
    /// When it is no URL of an HTTP service.
    pub fn asked(url: &str, target: &AuditTarget, within: Duration) -> Result<Self, String> {
        let base = landfall_audit::parse_base_url(url)?;
        Self::parts(base.as_str(), Expectation::default(), target, within)
            .map(|request| Self { rate_limit: true, ..request })
            .ok_or_else(|| format!("{url:?} is not an http or https URL"))
    }

    fn parts(url: &str, expect: Expectation, target: &AuditTarget, within: Duration) -> Option<Self> {
        let url = Url::parse(url).ok().filter(|u| matches!(u.scheme(), "http" | "https"))?;
        let path = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        let mut production = url;
        production.set_path("/");
        production.set_query(None);
        production.set_fragment(None);
        // Credentials in a URL belong to the check that declared them.
        let _ = production.set_username("");
        let _ = production.set_password(None);
        let mut endpoints: Vec<Endpoint> = target.endpoints.iter().map(endpoint).collect();
        let known = endpoints.iter().any(|e| e.path == path);
        if path != "/" && !known {
            let first = Endpoint {
                method: "GET".into(),
                path,
                source: EndpointSource::Declared,
                core: false,
                expect,
            };
            endpoints.insert(0, first);
        }
        let origin = target.origin.as_deref().and_then(|o| landfall_audit::parse_base_url(o).ok());
        Some(Self { production, origin, endpoints, within, rate_limit: false })
    }
}

fn endpoint(declared: &crate::model::AuditEndpoint) -> Endpoint {
    Endpoint {
        method: declared.method.clone().unwrap_or_else(|| "GET".into()),
        path: declared.path.clone(),
        source: EndpointSource::Declared,
        core: declared.core,
        expect: Expectation {
            status: declared.status.clone(),
            content_type: declared.content_type.clone(),
            json_keys: declared.json_keys.clone(),
        },
    }
}

/// What the assertions of a monitor say in the audit's words.
fn expectation(assertions: &[Assertion]) -> Expectation {
    let mut expect = Expectation::default();
    for assertion in assertions {
        match assertion {
            Assertion::Status { any_of } => {
                expect.status = any_of.iter().filter_map(|s| s.parse().ok()).collect()
            }
            Assertion::Json { path, .. } => {
                let key =
                    path.strip_prefix("$.").filter(|k| k.chars().all(|c| c.is_alphanumeric() || c == '_'));
                expect.json_keys.extend(key.map(str::to_owned));
            }
            _ => {}
        }
    }
    expect
}

/// The real auditor.
#[derive(Debug, Clone, Default)]
pub struct LiveAuditor {
    /// Recursive resolvers, `ADDR[:PORT]`; empty means the system's.
    pub resolvers: Vec<String>,
    /// Address map entries, as of `--connect-to`.
    pub connect_to: Vec<String>,
    /// Extra roots.
    pub ca_files: Vec<PathBuf>,
}

/// Requests that an audit of the server may send to production and origin together.
const BUDGET: u32 = 40;

impl Auditor for LiveAuditor {
    fn audit<'a>(
        &'a self,
        request: AuditRequest,
        progress: Progress,
    ) -> BoxFuture<'a, Result<Audited, String>> {
        Box::pin(async move {
            let mut skip = vec![Probe::Project, Probe::Tests, Probe::Local];
            if !request.rate_limit {
                skip.push(Probe::RateLimit);
            }
            let said = Overrides {
                production: Some(request.production.to_string()),
                origin: request.origin.as_ref().map(Url::to_string),
                skip,
                resolvers: self.resolvers.clone(),
                connect_to: self.connect_to.clone(),
                ca_files: self.ca_files.clone(),
                timeout: Some(request.within),
                budget: Some(BUDGET),
                ..Overrides::default()
            };
            let mut plan = Plan::new(&landfall_audit::Config::default(), &said).map_err(|e| e.to_string())?;
            plan.target.endpoints = request.endpoints;
            let evidence = landfall_audit::collect(&plan, &progress).await.map_err(|e| e.to_string())?;
            // Judging takes some milliseconds of processor time, which the checks beside it should not wait for.
            tokio::task::spawn_blocking(move || {
                let (_, report) = landfall_audit::report(&evidence, Catalogue::embedded());
                audited(&report, evidence.to_json())
            })
            .await
            .map_err(|e| format!("judging the evidence failed: {e}"))
        })
    }
}

/// The part of a report that an alert carries.
fn audited(report: &Report, evidence: String) -> Audited {
    let first =
        report.causes.iter().find(|c| matches!(c.label, Label::Confirmed | Label::Likely | Label::Possible));
    let cause = first.map(|c| CauseRef {
        id: c.id.clone(),
        title: c.title.clone(),
        label: word(&c.label),
        confidence: c.confidence,
        rung: c.rung.clone(),
        proof: c.evidence_for.iter().take(4).map(|a| a.say.clone()).collect(),
    });
    let mut rivals = Vec::new();
    if let Some(first) = first {
        rivals.extend(
            first.rivals.iter().filter(|r| !r.separated).take(3).map(|r| format!("{}: {}", r.title, r.why)),
        );
    }
    for tie in &report.ties {
        rivals.push(format!(
            "{} cannot be told apart; {} would: {}",
            tie.causes.join(" and "),
            tie.separate.ask,
            tie.separate.how
        ));
    }
    let actions = report.actions.iter().take(3).map(|a| a.title.clone()).collect();
    Audited {
        verdict: word(&report.verdict),
        summary: report.summary.clone(),
        severity: first.map(|c| word(&c.severity)),
        cause,
        rivals,
        actions,
        report: serde_json::to_string(report).expect("a report can be written as JSON"),
        evidence,
    }
}

/// A value of a closed set by its word in JSON.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
