//! The audit as a check, and as the diagnosis behind an alert.

use std::time::Duration;

use jiff::Timestamp;
use landfall_audit::{Config, Overrides, Plan, Probe, Progress, collect, report};
use landfall_diagnosis::{Catalogue, Verdict};
use landfall_evidence::{Endpoint, EndpointSource, Expectation};
use landfall_report::{Format, Style, render};
use url::Url;

use super::judge::Said;
use super::{Probes, result};
use crate::assertion::codes_of;
use crate::model::{Assertion, AuditEndpoint, Check, HttpCheck, MonitorSpec};
use crate::result::{Audited, CheckResult, Outcome, Reason};

impl Probes {
    /// Audits what a monitor watches: the monitored URL as one of the endpoints, and what the monitor says of its target
    /// beyond it. The rate limit is left alone, for this runs while something is already wrong.
    ///
    /// # Errors
    /// In words, when there is nothing that an audit could ask (a DNS check, a port that is not the web's), or the audit
    /// cannot start.
    pub async fn diagnose(
        &self,
        spec: &MonitorSpec,
        limit: Duration,
        progress: &Progress,
    ) -> Result<Audited, String> {
        let mut plan = self.plan(spec, limit)?;
        plan.skip.insert(Probe::RateLimit);
        run(&plan, progress).await
    }

    /// Audits a URL whole, with the bounds of an audit on the command line but for the folder and its tests.
    ///
    /// # Errors
    /// In words, when the URL cannot be audited or the audit cannot start.
    pub async fn audit_whole(
        &self,
        spec: &MonitorSpec,
        limit: Duration,
        progress: &Progress,
    ) -> Result<Audited, String> {
        run(&self.plan(spec, limit)?, progress).await
    }

    fn plan(&self, spec: &MonitorSpec, limit: Duration) -> Result<Plan, String> {
        let (production, monitored) = target(spec)?;
        let said = Overrides {
            production: Some(production),
            origin: spec.audit.origin.clone(),
            skip: vec![Probe::Project, Probe::Tests],
            ..Overrides::default()
        };
        let mut plan = Plan::new(&Config::default(), &said).map_err(|error| error.to_string())?;
        plan.timeout = limit;
        plan.egress = self.config.egress.clone();
        plan.map = self.config.map.clone();
        plan.resolvers = self.config.resolvers.clone();
        plan.ca_files = self.config.ca_files.clone();
        plan.target.name = spec.name.clone();
        let mut endpoints: Vec<Endpoint> = spec.audit.endpoints.iter().map(endpoint).collect();
        if let Some(monitored) = monitored
            && !endpoints.iter().any(|e| e.path == monitored.path && e.method == monitored.method)
        {
            endpoints.insert(0, monitored);
        }
        plan.target.endpoints = endpoints;
        Ok(plan)
    }
}

async fn run(plan: &Plan, progress: &Progress) -> Result<Audited, String> {
    let evidence =
        Box::pin(collect(plan, Catalogue::embedded(), progress)).await.map_err(|error| error.to_string())?;
    let (diagnosis, report) = report(&evidence, Catalogue::embedded());
    let report = render(&report, Format::Json, &Style::default());
    Ok(Audited { evidence, diagnosis, report })
}

/// The URL that people would open to see what a check watches, where there is one.
pub(crate) fn web_url(check: &Check) -> Option<String> {
    match check {
        Check::Http(check) => Some(check.url.clone()),
        Check::Audit(check) => Some(check.url.clone()),
        Check::Tls(check) if check.port == 443 => Some(format!("https://{}/", bracketed(&check.host))),
        Check::Tls(check) => Some(format!("https://{}:{}/", bracketed(&check.host), check.port)),
        Check::Tcp(check) if check.port == 443 => Some(format!("https://{}/", bracketed(&check.host))),
        Check::Tcp(check) if check.port == 80 => Some(format!("http://{}/", bracketed(&check.host))),
        Check::Tcp(_) | Check::Dns(_) => None,
    }
}

/// The base URL to audit and the endpoint that the monitor itself asks.
fn target(spec: &MonitorSpec) -> Result<(String, Option<Endpoint>), String> {
    match &spec.check {
        Check::Http(check) => {
            let url = Url::parse(&check.url).map_err(|error| format!("the URL cannot be read: {error}"))?;
            Ok((host_of(&url)?, Some(of_http(check, &url))))
        }
        Check::Audit(check) => match Url::parse(&check.url) {
            // Whoever names a path and no endpoint means this path: it should exist, and nothing needs to be guessed.
            Ok(url) if spec.audit.endpoints.is_empty() && (url.path() != "/" || url.query().is_some()) => {
                Ok((host_of(&url)?, Some(asked("GET", &url, Vec::new()))))
            }
            _ => Ok((check.url.clone(), None)),
        },
        Check::Tls(check) => Ok((format!("https://{}:{}", bracketed(&check.host), check.port), None)),
        Check::Tcp(check) => match check.port {
            443 => Ok((format!("https://{}", bracketed(&check.host)), None)),
            80 => Ok((format!("http://{}", bracketed(&check.host)), None)),
            port => Err(format!("port {port} is not the web's, so there is nothing that an audit could ask")),
        },
        Check::Dns(_) => Err("a DNS check has no web server that an audit could ask".into()),
    }
}

fn bracketed(host: &str) -> String {
    if host.contains(':') && !host.starts_with('[') { format!("[{host}]") } else { host.to_owned() }
}

fn of_http(check: &HttpCheck, url: &Url) -> Endpoint {
    let statuses = check.assert.iter().filter_map(|assertion| match assertion {
        Assertion::Status { any_of } => Some(any_of),
        _ => None,
    });
    let status = statuses.flatten().filter_map(|entry| codes_of(entry).ok()).flat_map(|(from, to)| from..=to);
    asked(&check.method, url, status.collect())
}

/// The endpoint that a URL names.
fn asked(method: &str, url: &Url, status: Vec<u16>) -> Endpoint {
    Endpoint {
        method: method.to_ascii_uppercase(),
        path: url[url::Position::BeforePath..url::Position::AfterQuery].to_owned(),
        source: EndpointSource::Declared,
        core: true,
        expect: Expectation { status, ..Expectation::default() },
    }
}

/// A URL up to its path. Credentials are the monitor's own affair.
fn host_of(url: &Url) -> Result<String, String> {
    let mut base = Url::parse(&url[..url::Position::BeforePath]).map_err(|error| error.to_string())?;
    let _ = base.set_username("");
    let _ = base.set_password(None);
    Ok(base.to_string())
}

fn endpoint(declared: &AuditEndpoint) -> Endpoint {
    Endpoint {
        method: declared.method.as_deref().unwrap_or("GET").to_ascii_uppercase(),
        path: declared.path.clone(),
        source: EndpointSource::Declared,
        core: declared.core,
        expect: Expectation {
            status: declared.status.clone(),
            content_type: declared.content_type.clone(),
            json_keys: declared.json_keys.clone(),
            ..Expectation::default()
        },
    }
}

pub(super) async fn check(
    probes: &Probes,
    spec: &MonitorSpec,
    timeout: Duration,
    now: Timestamp,
) -> CheckResult {
    let audited = match probes.audit_whole(spec, timeout, &Progress::default()).await {
        Ok(audited) => audited,
        Err(why) => return CheckResult::new(now, Outcome::Inconclusive, Some(Reason::Local), why),
    };
    let summary = audited.diagnosis.summary.replace('\n', " ");
    let said = match audited.diagnosis.verdict {
        Verdict::Live => None,
        Verdict::Degraded => Some(Said::degraded(Reason::Audit, summary.clone())),
        Verdict::NotLive => Some(Said::down(Reason::Audit, summary.clone())),
        Verdict::Unknown => Some(Said::inconclusive(Reason::Audit, summary.clone())),
    };
    let mut result = result(now, said, || summary);
    if result.outcome != Outcome::Up {
        result.evidence = audited.evidence.observations.clone();
    }
    result.audit = Some(Box::new(audited));
    result
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{AuditCheck, AuditTarget};

    fn audit_of(url: &str, endpoints: Vec<AuditEndpoint>) -> (String, Option<String>) {
        let mut spec = MonitorSpec::new("a", Check::Audit(AuditCheck { url: url.into() }));
        spec.audit = AuditTarget { endpoints, ..AuditTarget::default() };
        let (base, endpoint) = target(&spec).expect("it can be audited");
        (base, endpoint.map(|e| e.path))
    }

    #[test]
    fn a_path_that_somebody_names_is_an_endpoint_and_no_guess() {
        let named = ("https://a.example/".to_owned(), Some("/health".to_owned()));
        assert_eq!(audit_of("https://a.example/health", Vec::new()), named);
        assert_eq!(audit_of("https://a.example/", Vec::new()), ("https://a.example/".into(), None));
        assert_eq!(audit_of("https://a.example:8443/?q=1", Vec::new()).1, Some("/?q=1".into()));
        // With endpoints of its own the path is where they begin.
        let own = AuditEndpoint { path: "/up".into(), ..AuditEndpoint::default() };
        assert_eq!(audit_of("https://a.example/app", vec![own]), ("https://a.example/app".into(), None));
    }
}
