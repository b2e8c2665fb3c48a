//! The audit behind an alert, and the audit that somebody asks for: the same engine as on the command line.

use std::time::Duration;

use landfall_audit::Progress;
use landfall_diagnosis::{Diagnosis, Label};
use landfall_notify::CauseRef;

use crate::check::{BoxFuture, Probes};
use crate::model::{AuditCheck, AuditTarget, Check, MonitorSpec};
use crate::result::Audited;

/// What is to be audited.
#[derive(Debug, Clone, PartialEq)]
pub struct AuditRequest {
    /// What is watched, and what else is known of it.
    pub spec: MonitorSpec,
    /// When it must be over.
    pub within: Duration,
    /// Whether everything is asked, the rate limit among it; else what a diagnosis in a hurry needs.
    pub whole: bool,
}

impl AuditRequest {
    /// The audit of a URL that somebody typed.
    ///
    /// # Errors
    /// When it is no URL of an HTTP service.
    pub fn asked(url: &str, audit: AuditTarget, within: Duration) -> Result<Self, String> {
        let url = landfall_audit::parse_base_url(url)?;
        let name = url.host_str().unwrap_or("backend").to_owned();
        let mut spec = MonitorSpec::new(name, Check::Audit(AuditCheck { url: url.to_string() }));
        spec.audit = audit;
        Ok(Self { spec, within, whole: true })
    }
}

/// What an audit says, as far as an alert carries it and the store keeps it.
#[derive(Debug, Clone, PartialEq)]
pub struct Opinion {
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
    ) -> BoxFuture<'a, Result<Opinion, String>>;
}

impl Auditor for Probes {
    fn audit<'a>(
        &'a self,
        request: AuditRequest,
        progress: Progress,
    ) -> BoxFuture<'a, Result<Opinion, String>> {
        Box::pin(async move {
            let audited = if request.whole {
                self.audit_whole(&request.spec, request.within, &progress).await?
            } else {
                self.diagnose(&request.spec, request.within, &progress).await?
            };
            Ok(Opinion::of(audited))
        })
    }
}

impl Opinion {
    /// The part of an audit that an alert carries.
    pub fn of(audited: Audited) -> Self {
        let Diagnosis { verdict, summary, causes, ties, actions, .. } = &audited.diagnosis;
        let first =
            causes.iter().find(|c| matches!(c.label, Label::Confirmed | Label::Likely | Label::Possible));
        let cause = first.map(|c| CauseRef {
            id: c.id.clone(),
            title: c.title.clone(),
            label: word(&c.label),
            confidence: c.confidence,
            rung: c.rung.clone(),
            proof: c.evidence_for.iter().take(4).map(|a| a.say.clone()).collect(),
        });
        let mut rivals: Vec<String> = first
            .into_iter()
            .flat_map(|c| c.rivals.iter().filter(|r| !r.separated).take(3))
            .map(|r| format!("{}: {}", r.title, r.why))
            .collect();
        rivals.extend(ties.iter().map(|tie| {
            let separate = &tie.separate;
            format!(
                "{} cannot be told apart yet; {} would separate them: {}",
                tie.causes.join(" and "),
                separate.ask,
                separate.how
            )
        }));
        Self {
            verdict: word(verdict),
            summary: summary.clone(),
            severity: first.map(|c| word(&c.severity)),
            cause,
            rivals,
            actions: actions.iter().take(3).map(|a| a.title.clone()).collect(),
            report: audited.report,
            evidence: audited.evidence.to_json(),
        }
    }
}

/// A value of a closed set by its word in JSON.
fn word<T: serde::Serialize>(value: &T) -> String {
    match serde_json::to_value(value) {
        Ok(serde_json::Value::String(word)) => word,
        _ => String::new(),
    }
}
