//! Runs the verification procedure: the requests that prove that a repair worked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use landfall_diagnosis::{Verification, VerificationProbe};
use landfall_evidence::{HttpResponse, Observation, Observed, Purpose, Seen, Vantage};
use landfall_probe::net::Context;
use landfall_probe::{dns, http};
use serde::Serialize;
use url::Url;

/// What one verification said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Verified {
    /// What it shows.
    pub title: String,
    /// The request as a command to paste.
    pub request: String,
    /// What was expected.
    pub expect: String,
    /// How it went.
    pub outcome: Outcome,
    /// What was seen, in words.
    pub seen: String,
}

/// How a verification went.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Outcome {
    /// As expected.
    Passed,
    /// The target answered otherwise, or said no.
    Failed,
    /// We could not ask; never a pass.
    Unknown,
}

impl Verified {
    /// The outcome as a word for people.
    pub fn outcome_word(&self) -> &'static str {
        match self.outcome {
            Outcome::Passed => "passed",
            Outcome::Failed => "FAILED",
            Outcome::Unknown => "unknown",
        }
    }
}

/// Runs every verification once, in order.
pub async fn verify(ctx: &Context, checks: &[Verification]) -> Vec<Verified> {
    let mut names = Names::default();
    let mut results = Vec::with_capacity(checks.len());
    for check in checks {
        let (outcome, seen) = match &check.probe {
            VerificationProbe::Get { url, status, content_type, json_keys } => {
                let observed = names.get(ctx, url).await;
                judge(&observed, |r| mismatch(r, status, content_type.as_deref(), json_keys))
            }
            VerificationProbe::Pace { url, requests, every_ms, status } => {
                pace(ctx, &mut names, url, *requests, Duration::from_millis(*every_ms), status).await
            }
        };
        results.push(Verified {
            title: check.title.clone(),
            request: check.request.clone(),
            expect: check.expect.clone(),
            outcome,
            seen: landfall_evidence::redact_text(&seen),
        });
    }
    results
}

/// Resolves each host once, so that ten paced requests are ten requests and not ten look-ups.
#[derive(Default)]
struct Names {
    known: BTreeMap<String, Vec<SocketAddr>>,
}

impl Names {
    async fn get(&mut self, ctx: &Context, url: &str) -> Observed<HttpResponse> {
        let url = match Url::parse(url) {
            Ok(url) if url.host_str().is_some() => url,
            _ => {
                let detail = "the verification names no valid URL".to_owned();
                return Observed::Unasked(landfall_evidence::ProbeFault::Local { detail });
            }
        };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        if !self.known.contains_key(&host) {
            let port = url.port_or_known_default().unwrap_or(443);
            let found = dns::addresses(ctx, &host, port, Vantage::Edge).await;
            let sockets = found.sockets(port);
            if let Some(fault) = found.fault {
                return Observed::Unasked(fault);
            }
            self.known.insert(host.clone(), sockets);
        }
        let addresses = self.known.get(&host).map(Vec::as_slice).unwrap_or_default();
        let observation: Observation =
            http::get(ctx, &url, addresses, None, Purpose::Verification, Vantage::Edge, None, 1).await;
        match observation.seen {
            Seen::Http(seen) => seen.answer,
            _ => unreachable_kind(),
        }
    }
}

/// `http::get` returns HTTP observations only; anything else is our own fault and must not count against the target.
fn unreachable_kind() -> Observed<HttpResponse> {
    Observed::Unasked(landfall_evidence::ProbeFault::Local {
        detail: "the probe returned another kind of observation".into(),
    })
}

fn judge(
    observed: &Observed<HttpResponse>,
    mismatch: impl Fn(&HttpResponse) -> Option<String>,
) -> (Outcome, String) {
    match observed {
        Observed::Present(response) => match mismatch(response) {
            None => (Outcome::Passed, describe(response)),
            Some(why) => (Outcome::Failed, format!("{}: {why}", describe(response))),
        },
        Observed::Unasked(landfall_evidence::ProbeFault::Blocked { reason, .. }) => {
            (Outcome::Failed, reason.clone())
        }
        Observed::Unasked(_) => (Outcome::Unknown, observed.describe()),
        Observed::Denied(_) | Observed::Silent(_) => (Outcome::Failed, observed.describe()),
    }
}

fn describe(response: &HttpResponse) -> String {
    let kind = response.media_type().unwrap_or_else(|| "no content type".into());
    format!("HTTP {}, {kind}, {} bytes", response.status, response.body.byte_count)
}

fn mismatch(
    response: &HttpResponse,
    status: &[u16],
    content_type: Option<&str>,
    json_keys: &[String],
) -> Option<String> {
    if !status.contains(&response.status) {
        return Some(format!("expected HTTP {}", one_of(status)));
    }
    if let Some(wanted) = content_type
        && response.media_type().as_deref() != Some(wanted)
    {
        return Some(format!("expected {wanted}"));
    }
    if json_keys.is_empty() {
        return None;
    }
    let body = response.body.text.as_deref().unwrap_or_default();
    let Ok(serde_json::Value::Object(object)) = serde_json::from_str(body) else {
        return Some("expected a JSON object".into());
    };
    let missing: Vec<&str> =
        json_keys.iter().map(String::as_str).filter(|k| !object.contains_key(*k)).collect();
    (!missing.is_empty()).then(|| format!("the JSON lacks {}", missing.join(", ")))
}

fn one_of(status: &[u16]) -> String {
    status.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}

async fn pace(
    ctx: &Context,
    names: &mut Names,
    url: &str,
    requests: u32,
    every: Duration,
    status: &[u16],
) -> (Outcome, String) {
    let began = Instant::now();
    for n in 1..=requests {
        let due = began + every * (n - 1);
        tokio::time::sleep_until(due.into()).await;
        let observed = names.get(ctx, url).await;
        let (outcome, seen) = judge(&observed, |r| mismatch(r, status, None, &[]));
        if outcome != Outcome::Passed {
            // The first refusal answers the question; going on would only add to the limiter's count.
            return (outcome, format!("request {n} of {requests}: {seen}"));
        }
    }
    (Outcome::Passed, format!("{requests} of {requests} passed, {:.1} s apart", every.as_secs_f64()))
}
