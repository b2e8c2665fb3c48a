//! Runs the verification procedure: the requests that prove that a repair worked.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use landfall_diagnosis::{Verification, VerificationProbe};
use landfall_evidence::{Denial, HttpResponse, Observation, Observed, ProbeFault, Purpose, Seen, Vantage};
use landfall_probe::net::Context;
use landfall_probe::{dns, http};
use serde::Serialize;

use url::Url;

use crate::plan::{DEFAULT_TIMEOUT, Plan, PlanError};
use crate::run::context;

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

/// Pause between two rounds: long enough for a ten-second rate-limit window to pass between them.
const PAUSE: Duration = Duration::from_secs(12);

/// Runs the verifications until all pass or `wait` is over; without `wait`, once. `again` is told the results of a round
/// that is to be repeated, and the pause before the next.
///
/// # Errors
/// When a root certificate file of the plan cannot be read.
pub async fn verify_until(
    plan: &Plan,
    checks: &[Verification],
    wait: Option<Duration>,
    again: impl Fn(&[Verified], Duration),
) -> Result<Vec<Verified>, PlanError> {
    let until = wait.map(|wait| Instant::now() + wait);
    // A round has a pace of its own, which a short deadline for an audit must not cut.
    let plan = Plan { timeout: plan.timeout.max(DEFAULT_TIMEOUT), ..plan.clone() };
    loop {
        let results = verify(&context(&plan, Instant::now())?, checks).await;
        let passed = results.iter().all(|r| r.outcome == Outcome::Passed);
        if passed || until.is_none_or(|until| Instant::now() + PAUSE >= until) {
            return Ok(results);
        }
        again(&results, PAUSE);
        tokio::time::sleep(PAUSE).await;
    }
}

/// Runs every verification once, in order.
async fn verify(ctx: &Context, checks: &[Verification]) -> Vec<Verified> {
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
    known: BTreeMap<(String, u16), Vec<SocketAddr>>,
}

impl Names {
    async fn get(&mut self, ctx: &Context, url: &str) -> Observed<HttpResponse> {
        let url = match Url::parse(url) {
            Ok(url) if url.host_str().is_some() => url,
            _ => {
                let detail = "the verification names no valid URL".to_owned();
                return Observed::Unasked(ProbeFault::Local { detail });
            }
        };
        let host = url.host_str().unwrap_or_default().trim_matches(['[', ']']).to_owned();
        let place = (host, url.port_or_known_default().unwrap_or(443));
        if !self.known.contains_key(&place) {
            let found = dns::addresses(ctx, &place.0, place.1, Vantage::Edge).await;
            let sockets = found.sockets(place.1);
            if let Some(fault) = found.fault {
                return Observed::Unasked(of_whom(fault, &found.observations));
            }
            self.known.insert(place.clone(), sockets);
        }
        let addresses = self.known.get(&place).map(Vec::as_slice).unwrap_or_default();
        let observation: Observation =
            http::get(ctx, &url, addresses, None, Purpose::Verification, Vantage::Edge, None, 1).await;
        match observation.seen {
            Seen::Http(seen) => seen.answer,
            _ => unreachable_kind(),
        }
    }
}

/// A name without addresses is the target's fault only when DNS said so; a resolver that is silent or refuses is not.
fn of_whom(fault: ProbeFault, asked: &[Observation]) -> ProbeFault {
    let said = asked.iter().any(|o| match &o.seen {
        Seen::Dns(seen) => match &seen.answer {
            Observed::Present(_) => true,
            Observed::Denied(Denial::Rcode(answer)) => matches!(answer.rcode, 2 | 3),
            _ => false,
        },
        _ => false,
    });
    if said { fault } else { ProbeFault::Local { detail: fault.to_string() } }
}

/// `http::get` returns HTTP observations only; anything else is our own fault and must not count against the target.
fn unreachable_kind() -> Observed<HttpResponse> {
    Observed::Unasked(ProbeFault::Local { detail: "the probe returned another kind of observation".into() })
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
        Observed::Unasked(ProbeFault::Blocked { reason, .. }) => (Outcome::Failed, reason.clone()),
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
