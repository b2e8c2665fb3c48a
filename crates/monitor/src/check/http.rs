//! An HTTP exchange as a check: the exchange, and what is asserted of it.

use std::borrow::Cow;
use std::time::{Duration, Instant};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use bytes::Bytes;
use http::Method;
use jiff::Timestamp;
use jiff::civil::DateTime;
use jiff::tz::TimeZone;
use landfall_diagnosis::Catalogue;
use landfall_evidence::{Denial, Header, HttpResponse, Observed, redact_header, redact_url};
use landfall_probe::dns::Family;
use landfall_probe::http::{Cut, End, Fetched, Request, fetch};
use serde_json::Value;
use url::Url;

use super::judge::{self, Said};
use super::{EVIDENCE_BODY_BYTE, Probes, expiring, hide, masked, result, show_certificate, sorted};
use crate::assertion::{Patterns, as_text, codes_of, expected, quoted};
use crate::model::{Assertion, HttpCheck};
use crate::result::{CheckResult, Facts, Outcome, Reason, Snapshot};

/// Headers that tell hops and versions apart and do not change from one request to the next.
const TELLING: &[&str] = &[
    "cache-control",
    "cf-cache-status",
    "cf-mitigated",
    "content-encoding",
    "content-type",
    "location",
    "server",
    "strict-transport-security",
    "via",
    "x-amzn-errortype",
    "x-azure-externalerror",
    "x-cache",
    "x-do-failure-code",
    "x-powered-by",
    "x-railway-fallback",
    "x-render-routing",
    "x-vercel-error",
];

/// Headers of which everybody knows the values, so that seeing one in an answer gives nothing away.
pub(crate) const OPEN_HEADERS: &[&str] = &[
    "accept",
    "accept-encoding",
    "accept-language",
    "cache-control",
    "content-type",
    "pragma",
    "user-agent",
];

pub(super) async fn check(
    probes: &Probes,
    check: &HttpCheck,
    connect_to: Option<&str>,
    timeout: Duration,
    now: Timestamp,
) -> CheckResult {
    let request = match request(check) {
        Ok(request) => Request { connect_to: connect_to.map(str::to_owned), ..request },
        Err(why) => return CheckResult::new(now, Outcome::Inconclusive, Some(Reason::Local), why),
    };
    let ctx = probes.context(timeout);
    let began = Instant::now();
    let fetched = fetch(&ctx, request, now).await;
    let took = began.elapsed();

    let last = fetched.last();
    let mut snapshot = snapshot(&fetched);
    let said = match exchange(&fetched, timeout) {
        Some(said) => Some(said),
        None => match last.answer.present() {
            Some(response) => answer(probes, check, &fetched, response, took, now, &mut snapshot),
            None => None,
        },
    };
    let response = last.answer.present();
    let mut result = result(now, said, || {
        let shown = response.map(shown).unwrap_or_default();
        format!("{shown} in {} ms", took.as_millis())
    });
    result.timings = fetched.timings();
    result.status = response.map(|response| response.status);
    result.snapshot = snapshot;
    result.facts = Facts {
        address: last.address.map(|address| address.ip()),
        http_version: response.map(|response| response.version),
        content_length: response.and_then(|r| r.header("content-length")).and_then(|text| text.parse().ok()),
        last_modified: response.and_then(|r| r.header("last-modified")).and_then(http_date),
        tls: last.certificate.as_ref().map(|c| (c.session.clone(), c.judged.clone())),
        dns_records: None,
        dns_serial: None,
        unreachable: matches!(last.answer, Observed::Denied(Denial::Unreachable { .. })),
    };
    // Whatever the target repeats of what it was sent is hidden; so no line and no evidence carries it on.
    let secrets = secrets(check);
    let secrets: Vec<&str> = secrets.iter().map(Cow::as_ref).collect();
    hide(&mut result.say, &secrets);
    result.snapshot.headers.values_mut().for_each(|value| hide(value, &secrets));
    result.snapshot.redirects.iter_mut().for_each(|url| hide(url, &secrets));
    if let Some(version) = &mut result.snapshot.version {
        hide(version, &secrets);
    }
    if result.outcome != Outcome::Up {
        result.evidence = masked(fetched.observations(&ctx, EVIDENCE_BODY_BYTE), &secrets);
    }
    result
}

/// The request that a check declares.
///
/// # Errors
/// What cannot be sent; validation refuses it beforehand.
fn request(check: &HttpCheck) -> Result<Request, String> {
    let mut url = Url::parse(&check.url).map_err(|error| format!("the URL cannot be read: {error}"))?;
    let mut headers: Vec<Header> = check
        .headers
        .iter()
        .map(|(name, value)| Header { name: name.to_ascii_lowercase(), value: value.clone() })
        .collect();
    if !url.username().is_empty() || url.password().is_some() {
        let decode = |text: &str| {
            url::form_urlencoded::parse(format!("x={}", text.replace('+', "%2B")).as_bytes())
                .next()
                .map(|(_, value)| value.into_owned())
                .unwrap_or_default()
        };
        let pair = format!("{}:{}", decode(url.username()), decode(url.password().unwrap_or_default()));
        if !headers.iter().any(|h| h.name == "authorization") {
            // RFC 7617, section 2.
            headers.push(Header {
                name: "authorization".into(),
                value: format!("Basic {}", STANDARD.encode(pair)),
            });
        }
        // Both fail only for URLs without a host.
        let _ = url.set_username("");
        let _ = url.set_password(None);
    }
    let method = Method::from_bytes(check.method.to_ascii_uppercase().as_bytes())
        .map_err(|_| format!("{:?} is not a method", check.method))?;
    Ok(Request {
        method,
        url,
        headers,
        body: check.body.clone().map(Bytes::from).unwrap_or_default(),
        redirects: check.redirects,
        family: match check.family {
            Some(4) => Some(Family::V4),
            Some(6) => Some(Family::V6),
            _ => None,
        },
        connect_to: None,
    })
}

/// Everything that the check sends and that is nobody else's business.
fn secrets(check: &HttpCheck) -> Vec<Cow<'_, str>> {
    /// Shorter texts occur by chance.
    const SHORTEST: usize = 6;
    let mut all: Vec<Cow<'_, str>> = Vec::new();
    for (name, value) in &check.headers {
        if OPEN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
            continue;
        }
        all.push(value.as_str().into());
        // "Bearer abc": the token may come back alone.
        all.extend(value.split_once(' ').map(|(_, rest)| Cow::Borrowed(rest)));
    }
    all.extend(check.body.as_deref().map(Cow::Borrowed));
    if check.url.contains('@')
        && let Ok(url) = Url::parse(&check.url)
        && let Some(password) = url.password()
    {
        all.push(STANDARD.encode(format!("{}:{password}", url.username())).into());
        all.push(password.to_owned().into());
    }
    all.retain(|secret| secret.trim().len() >= SHORTEST);
    // The longest first, so that a part of one does not spoil the whole.
    all.sort_by_key(|secret| std::cmp::Reverse(secret.len()));
    all
}

/// What went wrong before there was an answer to hold anything against; `None` when there is one.
fn exchange(fetched: &Fetched, timeout: Duration) -> Option<Said> {
    let last = fetched.last();
    let host = last.url.host_str().unwrap_or_default();
    if let Some(none) = &last.unresolved {
        return Some(judge::name(none, host));
    }
    if let Some(problem) = last.certificate.as_ref().and_then(|c| c.problem.as_ref()) {
        return Some(Said::down(Reason::Certificate, problem.say.clone()));
    }
    let whom = last.address.map_or_else(
        || host.to_owned(),
        |at| {
            if at.ip().to_string() == host.trim_matches(['[', ']']) {
                at.to_string()
            } else {
                format!("{host} ({at})")
            }
        },
    );
    if let Some(said) = judge::fault(&last.answer, &whom) {
        return Some(said);
    }
    let to = last.answer.present().and_then(|r| r.redirect_to.as_deref()).map(bare).unwrap_or_default();
    match &fetched.end {
        End::Hop => {}
        End::TooManyRedirects => {
            let count = fetched.hops.len() - 1;
            return Some(Said::down(
                Reason::Redirect,
                format!("more than {count} redirects, the next to {to}"),
            ));
        }
        End::Loop => {
            return Some(Said::down(Reason::Redirect, format!("the redirects go round in a circle at {to}")));
        }
        End::Nowhere(why) => return Some(Said::down(Reason::Redirect, why.clone())),
    }
    match &last.cut {
        None | Some(Cut::Bound(_)) => None,
        Some(Cut::Short(count, error)) => Some(Said::down(
            Reason::ConnectionError,
            format!("{whom}: the answer stopped short after {count} bytes ({error})"),
        )),
        Some(Cut::Slow(_) | Cut::Deadline) => {
            let seconds = timeout.as_secs_f64();
            Some(Said::down(
                Reason::Timeout,
                format!("{whom}: the answer was not complete within {seconds:.1} s"),
            ))
        }
    }
}

/// A URL for a line: scheme, host and path.
fn bare(url: &str) -> String {
    Url::parse(url)
        .map_or_else(|_| quoted(url), |url| redact_url(&url)[..url::Position::AfterPath].to_owned())
}

/// The answer against what is asserted of it.
fn answer(
    probes: &Probes,
    check: &HttpCheck,
    fetched: &Fetched,
    response: &HttpResponse,
    took: Duration,
    now: Timestamp,
    snapshot: &mut Snapshot,
) -> Option<Said> {
    let asserted = asserted(&probes.patterns, &check.assert, response, took, snapshot);
    let suspicious = asserted.is_some() || judge::may_be_challenge(response);
    // Who says that a 429 is right has it as the target's own word.
    let expects = check.assert.iter().any(|assertion| match assertion {
        Assertion::Status { any_of } => {
            !(200..300).contains(&response.status) && status_in(any_of, response.status)
        }
        _ => false,
    });
    if suspicious
        && !expects
        && let Some(said) = judge::between(Catalogue::embedded(), response)
    {
        return Some(said);
    }
    asserted
        .or_else(|| {
            let certificates = fetched.hops.iter().filter_map(|hop| hop.certificate.as_ref());
            certificates.filter_map(|c| expiring(&c.judged, check.certificate_days, now)).next()
        })
        .or_else(|| {
            let limit = check.degraded_ms.filter(|limit| took > Duration::from_millis((*limit).into()))?;
            Some(Said::degraded(
                Reason::Slow,
                format!("{} in {} ms; slower than {limit} ms", shown(response), took.as_millis()),
            ))
        })
}

/// "HTTP 404 text/plain, 9 bytes".
fn shown(response: &HttpResponse) -> String {
    let media = response.media_type().filter(|m| m.len() < 80).map(|m| format!(" {m}")).unwrap_or_default();
    let count = response.body.byte_count;
    let bytes = if count == 1 { "1 byte".to_owned() } else { format!("{count} bytes") };
    let more = if response.body.complete { "" } else { " and more" };
    format!("HTTP {}{media}, {bytes}{more}", response.status)
}

fn status_in(any_of: &[String], status: u16) -> bool {
    any_of.iter().filter_map(|entry| codes_of(entry).ok()).any(|(from, to)| (from..=to).contains(&status))
}

/// Holds an answer against the assertions in the order that tells most: status, headers, body, JSON, version, time.
/// Writes the version marker into the snapshot.
fn asserted(
    patterns: &Patterns,
    assertions: &[Assertion],
    response: &HttpResponse,
    took: Duration,
    snapshot: &mut Snapshot,
) -> Option<Said> {
    let mut findings: Vec<Said> = Vec::new();
    if !assertions.iter().any(|a| matches!(a, Assertion::Status { .. }))
        && !(200..300).contains(&response.status)
    {
        findings.push(Said::down(Reason::Status, format!("{}; expected 200-299", shown(response))));
    }
    let mut json: Option<Result<Value, String>> = None;
    for assertion in assertions {
        match one(patterns, assertion, response, took, &mut json, snapshot) {
            Ok(None) => {}
            Ok(Some(said)) => findings.push(said),
            Err(why) => findings.push(Said::inconclusive(Reason::Local, why)),
        }
    }
    let order = |reason: Reason| match reason {
        Reason::Status => 0,
        Reason::Header => 1,
        Reason::Body => 2,
        Reason::Json => 3,
        Reason::Version => 4,
        Reason::Slow => 5,
        _ => 6,
    };
    findings.into_iter().min_by_key(|said| order(said.reason))
}

fn one(
    patterns: &Patterns,
    assertion: &Assertion,
    response: &HttpResponse,
    took: Duration,
    json: &mut Option<Result<Value, String>>,
    snapshot: &mut Snapshot,
) -> Result<Option<Said>, String> {
    Ok(match assertion {
        Assertion::Status { any_of } => (!status_in(any_of, response.status)).then(|| {
            Said::down(Reason::Status, format!("{}; expected {}", shown(response), any_of.join(", ")))
        }),
        Assertion::Header { name, is } => {
            let name = name.to_ascii_lowercase();
            let values: Vec<Cow<'_, str>> =
                response.headers.iter().filter(|h| h.name == name).map(|h| h.value.as_str().into()).collect();
            if patterns.holds(is, &values)? {
                None
            } else {
                let is_now = values.first().map_or_else(
                    || "is not there".to_owned(),
                    |value| format!("is {}", quoted(&redact_header(&name, value))),
                );
                let say = format!(
                    "HTTP {}: the header {name} {is_now}; expected {}",
                    response.status,
                    expected(is)
                );
                Some(Said::down(Reason::Header, say))
            }
        }
        Assertion::Body { is } => match body(response) {
            Err(why) => Some(Said::down(
                Reason::Body,
                format!("HTTP {}: {why}; expected {}", response.status, expected(is)),
            )),
            Ok(text) => {
                let values = if text.is_empty() { Vec::new() } else { vec![Cow::Borrowed(text)] };
                let holds = match is {
                    // An empty body is a body all the same, except to the question whether there is one.
                    crate::model::Comparison::Exists(_) => patterns.holds(is, &values)?,
                    _ => patterns.holds(is, &[Cow::Borrowed(text)])?,
                };
                (!holds).then(|| {
                    let begins = if text.is_empty() {
                        "is empty".into()
                    } else {
                        format!("begins with {}", quoted(text))
                    };
                    let say = format!("{}: the body {begins}; expected {}", shown(response), expected(is));
                    Said::down(Reason::Body, say)
                })
            }
        },
        Assertion::Json { path, is } => {
            let pattern = patterns.path(path)?;
            match parsed(json, response) {
                Err(why) => Some(Said::down(
                    Reason::Json,
                    format!("HTTP {}: {why}; expected {path} {}", response.status, expected(is)),
                )),
                Ok(value) => {
                    let found = pattern.query(value).first();
                    let values: Vec<_> = found.iter().map(|value| as_text(value)).collect();
                    if patterns.holds(is, &values)? {
                        None
                    } else {
                        let is_now = values.first().map_or_else(
                            || "is not there".to_owned(),
                            |value| format!("is {}", quoted(value)),
                        );
                        let say =
                            format!("HTTP {}: {path} {is_now}; expected {}", response.status, expected(is));
                        Some(Said::down(Reason::Json, say))
                    }
                }
            }
        }
        Assertion::Time { max_ms } => (took > Duration::from_millis((*max_ms).into())).then(|| {
            let say = format!("{} in {} ms; expected at most {max_ms} ms", shown(response), took.as_millis());
            Said::down(Reason::Slow, say)
        }),
        Assertion::Version { header, path, expect } => {
            let found = match (header, path) {
                (Some(name), _) => response.header(&name.to_ascii_lowercase()).map(str::to_owned),
                (None, Some(path)) => {
                    let pattern = patterns.path(path)?;
                    parsed(json, response)
                        .ok()
                        .and_then(|value| pattern.query(value).first().map(|v| as_text(v).into_owned()))
                }
                (None, None) => return Err("the version assertion names neither a header nor a path".into()),
            };
            let place = header.as_deref().or(path.as_deref()).unwrap_or_default();
            let said = expect.as_ref().filter(|want| found.as_ref() != Some(*want)).map(|want| {
                let is_now = found.as_ref().map_or_else(
                    || "there is no version marker".to_owned(),
                    |v| format!("the version is {}", quoted(v)),
                );
                let say = format!("HTTP {}: {is_now} in {place}; expected {}", response.status, quoted(want));
                Said::down(Reason::Version, say)
            });
            snapshot.version = found.map(|version| quoted(&version).trim_matches('"').to_owned());
            said
        }
    })
}

/// The body as text.
///
/// # Errors
/// Why it is none.
fn body(response: &HttpResponse) -> Result<&str, String> {
    match (&response.body.text, response.header("content-encoding")) {
        (Some(text), _) => Ok(text),
        (None, Some(coding)) if !coding.eq_ignore_ascii_case("identity") => {
            Err(format!("the body is sent in the coding {} and cannot be read", quoted(coding)))
        }
        (None, _) => Err("the body is not text".into()),
    }
}

/// The body as JSON, parsed once.
fn parsed<'a>(
    json: &'a mut Option<Result<Value, String>>,
    response: &HttpResponse,
) -> Result<&'a Value, String> {
    let parse = || {
        let text = body(response)?;
        if !response.body.complete {
            return Err(format!(
                "the body is longer than the {} bytes that are read",
                response.body.byte_count
            ));
        }
        serde_json::from_str(text).map_err(|error| format!("the body is not JSON ({error})"))
    };
    json.get_or_insert_with(parse).as_ref().map_err(Clone::clone)
}

fn snapshot(fetched: &Fetched) -> Snapshot {
    let last = fetched.last();
    let mut snapshot = Snapshot { addresses: sorted(last.addresses.clone()), ..Snapshot::default() };
    if let Some(certificate) = &last.certificate {
        snapshot.protocols.push(certificate.session.version());
        show_certificate(&mut snapshot, &certificate.judged);
    }
    snapshot.redirects = fetched.hops.iter().skip(1).map(|hop| redact_url(&hop.url).to_string()).collect();
    if let Some(response) = last.answer.present() {
        snapshot.protocols.push(response.version.to_string());
        snapshot.status = Some(response.status);
        snapshot.body = Some(response.body.sha256.clone());
        snapshot.body_byte = Some(response.body.byte_count);
        for header in &response.headers {
            if TELLING.contains(&header.name.as_str()) {
                let value = if header.name == "location" {
                    response.redirect_to.as_deref().map_or_else(String::new, bare)
                } else {
                    redact_header(&header.name, &header.value)
                };
                snapshot
                    .headers
                    .entry(header.name.clone())
                    .or_insert_with(|| value.chars().take(200).collect());
            }
        }
    }
    snapshot
}

/// An HTTP-date in the form that servers must send (RFC 9110, section 5.6.7).
fn http_date(text: &str) -> Option<Timestamp> {
    let date = DateTime::strptime("%a, %d %b %Y %H:%M:%S GMT", text.trim()).ok()?;
    Some(date.to_zoned(TimeZone::UTC).ok()?.timestamp())
}
