//! Section 2: what each endpoint answered, side by side.

use std::collections::BTreeSet;

use landfall_diagnosis::Diagnosis;
use landfall_evidence::{
    Endpoint, EndpointSource, Evidence, HttpObservation, HttpResponse, Observation, ObservationId, Observed,
    Purpose, Vantage,
};
use serde_json::Value;

use super::outcome;
use crate::model::{Answer, BodyReport, EarlierAttempt, EndpointHealth, Health};
use crate::words;

/// The sides in the order of the columns: what I built, where it runs, what a customer sees.
const SIDES: [Vantage; 3] = [Vantage::Local, Vantage::Origin, Vantage::Edge];

pub(super) fn build(evidence: &Evidence, diagnosis: &Diagnosis) -> Health {
    let refused = refused_by_limiter(evidence);
    let rows = |purposes: &[Purpose], path: &str, endpoint: Option<&Endpoint>| -> Vec<Answer> {
        let mut answers: Vec<Answer> = SIDES
            .into_iter()
            .filter_map(|side| {
                let purpose = purposes.iter().find(|p| evidence.http_at(side, **p, path).is_some())?;
                let (observation, seen) = evidence.http_at(side, *purpose, path)?;
                let earlier = evidence
                    .http_of(side, *purpose)
                    .filter(|(o, s)| s.request.path == path && o.attempt < observation.attempt)
                    .map(|(o, s)| EarlierAttempt {
                        evidence: o.id.clone(),
                        words: outcome_words(s),
                        fell_to_limiter: fell(&refused, o, s),
                    })
                    .collect();
                let mut answer = answer(observation, seen, fell(&refused, observation, seen));
                answer.earlier = earlier;
                answer.as_declared = endpoint.and_then(|e| as_declared(e, *purpose, &answer, seen));
                Some(answer)
            })
            .collect();
        compare_shapes(&mut answers);
        answers
    };

    let mut endpoints: Vec<EndpointHealth> = evidence
        .target
        .endpoints
        .iter()
        .map(|endpoint| {
            let purposes = if endpoint.is_safe() {
                [Purpose::Endpoint, Purpose::RouteExistence]
            } else {
                [Purpose::RouteExistence, Purpose::Endpoint]
            };
            EndpointHealth {
                method: endpoint.method.clone(),
                path: endpoint.path.clone(),
                source: Some(endpoint.source),
                core: endpoint.core,
                answers: rows(&purposes, &endpoint.path, Some(endpoint)),
            }
        })
        .collect();
    let mut controls: Vec<EndpointHealth> = Vec::new();
    let mut others = Vec::new();
    for (observation, seen) in evidence.http() {
        let path = &seen.request.path;
        let row = |purposes: &[Purpose]| EndpointHealth {
            method: seen.request.method.clone(),
            path: path.clone(),
            source: None,
            core: false,
            answers: rows(purposes, path, None),
        };
        match seen.request.purpose {
            Purpose::Endpoint | Purpose::RouteExistence => {
                if !endpoints.iter().any(|e| &e.path == path) {
                    endpoints.push(row(&[seen.request.purpose]));
                }
            }
            Purpose::Control => {
                if !controls.iter().any(|c| &c.path == path) {
                    controls.push(row(&[Purpose::Control]));
                }
            }
            Purpose::AddressParity | Purpose::Version | Purpose::PlainHttp | Purpose::Redirect => {
                others.push(answer(observation, seen, fell(&refused, observation, seen)));
            }
            // The rate-limit probe has a section of its own; verification is not part of an audit.
            Purpose::RateLimit | Purpose::Verification | Purpose::Asset | Purpose::Trial => {}
        }
    }
    let vantages = SIDES
        .into_iter()
        .filter(|side| endpoints.iter().chain(&controls).any(|row| row.from(*side).is_some()))
        .collect();
    Health { vantages, endpoints, controls, others, conclusions: conclusions(evidence, diagnosis) }
}

/// The arguments for a named cause that rest on a control path.
fn conclusions(evidence: &Evidence, diagnosis: &Diagnosis) -> Vec<String> {
    let is_control = |id: &ObservationId| {
        evidence.http().any(|(o, seen)| &o.id == id && seen.request.purpose == Purpose::Control)
    };
    let mut conclusions: Vec<String> = Vec::new();
    for argument in diagnosis.causes.iter().flat_map(|c| &c.evidence_for) {
        if argument.evidence.iter().any(is_control) && !conclusions.contains(&argument.say) {
            conclusions.push(argument.say.clone());
        }
    }
    conclusions
}

/// Observations that the rate-limit probe recognised as the limiter's refusal, the audit's own earlier requests included.
fn refused_by_limiter(evidence: &Evidence) -> BTreeSet<ObservationId> {
    evidence
        .rate_limit()
        .filter_map(|(_, seen)| seen.answer.present())
        .flat_map(|run| run.sequence.iter().filter(|step| step.refused).map(|step| step.observation.clone()))
        .collect()
}

fn fell(refused: &BTreeSet<ObservationId>, observation: &Observation, seen: &HttpObservation) -> bool {
    // 429 means rate limiting and nothing else (RFC 6585 section 4); other codes only where the probe says so.
    refused.contains(&observation.id) || seen.answer.present().is_some_and(|r| r.status == 429)
}

fn outcome_words(seen: &HttpObservation) -> String {
    match &seen.answer {
        Observed::Present(response) => match words::reason(response.status) {
            Some(reason) => format!("HTTP {} {reason}", response.status),
            None => format!("HTTP {}", response.status),
        },
        other => other.describe(),
    }
}

fn answer(observation: &Observation, seen: &HttpObservation, fell_to_limiter: bool) -> Answer {
    let response = seen.answer.present();
    Answer {
        evidence: observation.id.clone(),
        vantage: observation.vantage,
        purpose: seen.request.purpose,
        method: seen.request.method.clone(),
        url: seen.request.url.clone(),
        outcome: outcome(&seen.answer),
        words: outcome_words(seen),
        status: response.map(|r| r.status),
        reason: response.and_then(|r| words::reason(r.status)).map(str::to_owned),
        version: response.map(|r| r.version),
        asked_version: seen.request.version,
        address: seen.request.address,
        connected_to: seen.request.connected_to,
        headers: response.map(|r| r.headers.clone()).unwrap_or_default(),
        media_type: response.and_then(HttpResponse::media_type),
        redirect_to: response.and_then(|r| r.redirect_to.clone()),
        body: response.map(body),
        as_declared: None,
        same_shape_as_local: None,
        timings: seen.timings,
        took_us: observation.took_us,
        fell_to_limiter,
        earlier: Vec::new(),
    }
}

fn body(response: &HttpResponse) -> BodyReport {
    let body = &response.body;
    BodyReport {
        byte_count: body.byte_count,
        complete: body.complete,
        cut: body.cut.clone(),
        text: body.text.clone(),
        is_json: body.complete && parsed(body.text.as_deref()).is_some(),
        sha256: body.sha256.clone(),
    }
}

fn parsed(text: Option<&str>) -> Option<Value> {
    serde_json::from_str(text?).ok()
}

/// Whether an answer meets the endpoint's declaration. `None` where the question has no meaning: nothing came back, the
/// limiter answered, only the existence of the route was asked, or a guessed path does not exist.
fn as_declared(
    endpoint: &Endpoint,
    purpose: Purpose,
    answer: &Answer,
    seen: &HttpObservation,
) -> Option<bool> {
    let status = answer.status?;
    if answer.fell_to_limiter || purpose != Purpose::Endpoint {
        return None;
    }
    if endpoint.source == EndpointSource::Guessed && status == 404 {
        return None;
    }
    let expect = &endpoint.expect;
    let body = parsed(answer.body.as_ref().and_then(|b| b.text.as_deref()));
    let type_fits = expect.content_type.is_none() || expect.content_type == answer.media_type;
    let keys_fit = expect.json_keys.iter().all(|key| body.as_ref().is_some_and(|b| b.get(key).is_some()));
    let says_fit = seen.request.method == "HEAD"
        || seen.answer.present().is_none_or(|response| expect.unsaid(&response.body).next().is_none());
    Some(expect.accepts_status(status) && type_fits && keys_fit && says_fit)
}

fn compare_shapes(answers: &mut [Answer]) {
    let value = |answer: &Answer| {
        let body = answer.body.as_ref().filter(|b| b.complete)?;
        Some((parsed(body.text.as_deref()), answer.media_type.clone()))
    };
    let Some((Some(local), _)) = answers.iter().find(|a| a.vantage == Vantage::Local).and_then(value) else {
        return;
    };
    for answer in answers.iter_mut().filter(|a| a.vantage != Vantage::Local && !a.fell_to_limiter) {
        answer.same_shape_as_local = match value(answer) {
            Some((Some(other), _)) => Some(same_shape(&local, &other)),
            Some((None, _)) => Some(false),
            None => None,
        };
    }
}

/// Same keys and same types. A null fits every type, and arrays are compared by their first elements: both differ from
/// one healthy answer to the next.
fn same_shape(a: &Value, b: &Value) -> bool {
    match (a, b) {
        (Value::Null, _) | (_, Value::Null) => true,
        (Value::Object(a), Value::Object(b)) => {
            a.len() == b.len()
                && a.iter().all(|(key, value)| b.get(key).is_some_and(|other| same_shape(value, other)))
        }
        (Value::Array(a), Value::Array(b)) => match (a.first(), b.first()) {
            (Some(a), Some(b)) => same_shape(a, b),
            _ => true,
        },
        _ => std::mem::discriminant(a) == std::mem::discriminant(b),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn shapes_are_keys_and_types_not_values() {
        let cases = [
            (json!({"ok": true, "ts": 1}), json!({"ts": 2, "ok": false}), true),
            (json!({"ok": true}), json!({"ok": "true"}), false),
            (json!({"ok": true}), json!({"ok": true, "more": 1}), false),
            (json!([{"a": 1}]), json!([]), true),
            (json!([{"a": 1}]), json!([{"b": 1}]), false),
            (json!({"last": null}), json!({"last": 5}), true),
            (json!("Not Found"), json!({}), false),
        ];
        for (a, b, want) in cases {
            assert_eq!(same_shape(&a, &b), want, "{a} against {b}");
        }
    }
}
