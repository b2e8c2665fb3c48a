//! What the HTTP exchanges under the public name and the platform's own name show.

use std::collections::{BTreeMap, BTreeSet};

use jiff::fmt::rfc2822;
use landfall_evidence::{
    Denial, EndpointSource, HttpResponse, HttpVersion, Observation, ObservationId, Observed, Purpose, Vantage,
};
use serde_json::Value;

use super::{codes, raise, with_severity};
use crate::attribution;
use crate::case::Case;
use crate::facts::is_health_path;
use crate::signatures::Meaning;
use crate::view::{Fault, Reading, count, faults_in_words, in_words, is_json, json, keys};
use crate::{Finding, Severity};

/// How the title of [`codes::HTTP_NOT_SERVED`] begins until a cause takes its place.
pub(super) const FAILS: &str = "Production fails: ";
/// Above this wait a person on the other side has given up or a sleeping instance has started.
const SLOW_WAIT_US: u64 = 5_000_000;
/// Tokens and certificates are usually allowed a skew of a minute or less.
const CLOCK_SKEW_S: i64 = 60;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(not_served_at_the_edge(case));
    found.extend(not_served_at_the_origin(case));
    found.extend(control(case));
    found.extend(shape(case));
    found.extend(versions(case));
    found.extend(addresses_differ(case));
    found.extend(plain_http(case));
    found.extend(headers(case));
    found.extend(challenged(case));
    found.extend(debug_pages(case));
    found.extend(features_off(case));
    found.extend(slow(case));
    found.extend(clock(case));
    found
}

fn ids_of(readings: &[&Reading<'_>]) -> Vec<ObservationId> {
    readings.iter().filter_map(|r| r.id().cloned()).collect()
}

fn is_kind(reading: &Reading<'_>, kind: fn(&Fault) -> bool) -> bool {
    reading.fault().is_some_and(kind)
}

/// How bad it is that these of the endpoints are not served.
fn weight_of(bad: &[&Reading<'_>], total: usize) -> Severity {
    if bad.len() == total {
        Severity::Critical
    } else if bad.iter().any(|r| r.endpoint.core || r.endpoint.source == EndpointSource::Declared) || bad.len() * 2 > total {
        Severity::High
    } else {
        Severity::Medium
    }
}

fn not_served_at_the_edge(case: &Case<'_>) -> Vec<Finding> {
    let readings = case.view.readings(Vantage::Edge);
    let total = readings.len();
    let bad: Vec<&Reading<'_>> = readings.iter().copied().filter(|r| r.fault().is_some()).collect();
    let mut found = Vec::new();
    let html: Vec<&Reading<'_>> = bad.iter().copied().filter(|r| is_kind(r, |f| *f == Fault::Html)).collect();
    let failing: Vec<&Reading<'_>> =
        bad.iter().copied().filter(|r| is_kind(r, |f| matches!(f, Fault::SaysFailing(_)))).collect();
    let other: Vec<&Reading<'_>> = bad
        .iter()
        .copied()
        .filter(|r| !is_kind(r, |f| *f == Fault::Html || matches!(f, Fault::SaysFailing(_))))
        .collect();
    let all = !case.view.serves(Vantage::Edge);
    let impact = |group: &[&Reading<'_>]| {
        if all {
            "No client gets an answer from the application: production is down for everybody.".to_owned()
        } else if group.iter().any(|r| r.endpoint.core) {
            "The main function fails for every client, while other endpoints work.".to_owned()
        } else {
            "Clients of these endpoints fail.".to_owned()
        }
    };
    // When nothing is good, each group is part of one total outage.
    let severity = |group: &[&Reading<'_>]| if all { Severity::Critical } else { weight_of(group, total) };
    if !other.is_empty() {
        found.push(with_severity(
            raise(
                &codes::HTTP_NOT_SERVED,
                format!("{FAILS}{}", faults_in_words(&other, total)),
                impact(&other),
                remedy_for_not_served(case, &other),
                ids_of(&other),
            ),
            severity(&other),
        ));
    }
    if !html.is_empty() {
        found.push(with_severity(
            raise(
                &codes::HTTP_HTML_FOR_JSON,
                format!("Production answers with {}", faults_in_words(&html, total)),
                impact(&html),
                "Point the name at the API's own deployment, and have monitors check the media type and a key of the body.",
                ids_of(&html),
            ),
            severity(&html),
        ));
    }
    if !failing.is_empty() {
        found.push(raise(
            &codes::HTTP_SAYS_FAILING,
            format!("Production answers with {}", faults_in_words(&failing, total)),
            "Monitors and balancers that read the status alone take it for healthy.",
            "Repair what the body names, and answer 503 while it lasts.",
            ids_of(&failing),
        ));
    }
    found
}

fn remedy_for_not_served(case: &Case<'_>, bad: &[&Reading<'_>]) -> String {
    if let Some(tie) = case.main_cause().and_then(|cause| case.tie_of(&cause.id)) {
        return format!("First find out which it is: {}", tie.separate.ask);
    }
    match bad.iter().find_map(|r| r.at).map(|(o, _)| &o.by_hand) {
        Some(command) => format!("Repeat it by hand ({command}) and read the log of the hop that answered."),
        None => "Repeat it by hand and read the log of the hop that answered.".into(),
    }
}

/// What fails under the platform's own name too belongs to the same fault, so it is only noted.
fn not_served_at_the_origin(case: &Case<'_>) -> Option<Finding> {
    let readings = case.view.readings(Vantage::Origin);
    let total = readings.len();
    let bad: Vec<&Reading<'_>> = readings.into_iter().filter(|r| r.fault().is_some()).collect();
    (!bad.is_empty()).then(|| {
        raise(
            &codes::HTTP_ORIGIN_NOT_SERVED,
            format!("The platform's own name fails too: {}", faults_in_words(&bad, total)),
            if case.view.serves(Vantage::Edge) {
                "Whoever uses that name fails; the public name is what counts."
            } else {
                "The fault lies in the deployment, not in the custom domain or the edge."
            },
            "Repair the deployment first, then look at the public name again.",
            ids_of(&bad),
        )
    })
}

/// What a path that nobody defined is answered with.
fn control(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some((observation, control)) = case.view.control(Vantage::Edge) else { return found };
    let proof = vec![observation.id.clone()];
    let readings = case.view.readings(Vantage::Edge);
    let alike: Vec<&Reading<'_>> =
        readings.iter().copied().filter(|r| !r.is_good() && r.response().is_some_and(|response| same_answer(response, control))).collect();
    if !alike.is_empty() && alike.len() == readings.len() {
        let mut evidence = proof.clone();
        evidence.extend(ids_of(&alike));
        found.push(raise(
            &codes::HTTP_CONTROL_ALIKE,
            format!("A path that nobody defined gets the same {} as {}", control.status, count(alike.len(), "endpoint")),
            "Whatever answers does not look at the path: it is not the application, or it has none of these routes.",
            "Find out which hop answers before changing any route.",
            evidence,
        ));
    }
    if (200..300).contains(&control.status) {
        found.push(raise(
            &codes::HTTP_SOFT_404,
            format!("A path that nobody defined is answered {}", control.status),
            "A success status alone proves nothing here; a missing route looks like a working one.",
            "Answer 404 for unknown paths, at least below the API's prefix.",
            proof,
        ));
    } else if control.status >= 500 && !case.view.is_refusal(&observation.id) && case.view.serves(Vantage::Edge) {
        found.push(raise(
            &codes::HTTP_MASKED_404,
            format!("A path that nobody defined is answered {}", control.status),
            "A missing route looks like a crash, and strangers' requests raise the error rate.",
            "Let the framework's own HTTP errors (404, 405) pass the catch-all error handler.",
            proof,
        ));
    }
    found
}

/// Whether two answers are the same as far as a router's fixed page goes.
fn same_answer(a: &HttpResponse, b: &HttpResponse) -> bool {
    a.status == b.status && a.media_type() == b.media_type() && a.body.sha256 == b.body.sha256
}

/// Members that the local backend sends and production does not.
fn shape(case: &Case<'_>) -> Option<Finding> {
    let mut words = Vec::new();
    let mut evidence = Vec::new();
    for edge in case.view.readings(Vantage::Edge).into_iter().filter(|r| r.is_good()) {
        let Some(local) = case.view.reading(Vantage::Local, edge.endpoint).filter(|r| r.is_good()) else { continue };
        let (Some(here), Some(there)) = (local.response().and_then(keys), edge.response().and_then(keys)) else { continue };
        let missing: Vec<String> = here.into_iter().filter(|key| !there.contains(key)).collect();
        if !missing.is_empty() {
            words.push(format!("{} lacks {}", edge.endpoint.path, in_words(&missing)));
            evidence.extend([edge.id(), local.id()].into_iter().flatten().cloned());
        }
    }
    (!words.is_empty()).then(|| {
        raise(
            &codes::HTTP_SHAPE,
            format!("Production's JSON is not the local backend's: {}", in_words(&words)),
            "Clients written against the local backend fail; usually an older build is live.",
            "Compare the deployed build with the checked-out commit, and deploy.",
            evidence,
        )
    })
}

/// HTTP/2 and HTTP/3: offered, not offered, or announced and dead.
fn versions(case: &Case<'_>) -> Vec<Finding> {
    let edge: Vec<_> = case.evidence().http().filter(|(o, _)| o.vantage == Vantage::Edge).collect();
    let spoken: BTreeSet<HttpVersion> = edge.iter().filter_map(|(_, s)| Some(s.answer.present()?.version)).collect();
    if spoken.is_empty() || case.production().is_some_and(|url| url.scheme() == "http") {
        return Vec::new();
    }
    let tls_h2 = case.evidence().tls().filter(|(o, _)| o.vantage == Vantage::Edge).filter_map(|(o, s)| {
        let asked = s.question.alpn.iter().any(|p| p == "h2");
        Some((&o.id, s.answer.present().filter(|_| asked)?.alpn.as_deref() == Some("h2")))
    });
    let tls_h2: Vec<(&ObservationId, bool)> = tls_h2.collect();
    let asked_for = |version: HttpVersion| edge.iter().filter(move |(_, s)| s.request.version == version);
    let mut found = Vec::new();
    if !spoken.contains(&HttpVersion::H2) && !tls_h2.iter().any(|(_, h2)| *h2) {
        let mut proof: Vec<ObservationId> = tls_h2.iter().map(|(id, _)| (*id).clone()).collect();
        let refused = |s: &Observed<HttpResponse>| matches!(s, Observed::Denied(Denial::VersionNotOffered { .. }));
        proof.extend(asked_for(HttpVersion::H2).filter(|(_, s)| refused(&s.answer)).map(|(o, _)| o.id.clone()));
        if !proof.is_empty() {
            found.push(raise(
                &codes::HTTP_NO_H2,
                "HTTP/2 is not offered",
                "Clients open several connections where one would do.",
                "Enable HTTP/2 at the edge.",
                proof,
            ));
        }
    }
    if !spoken.contains(&HttpVersion::H3) {
        let announcing = edge.iter().find(|(_, s)| {
            s.answer.present().and_then(|r| r.header("alt-svc")).is_some_and(|value| value.contains("h3"))
        });
        let tried: Vec<_> = asked_for(HttpVersion::H3).filter(|(_, s)| s.answer.was_asked()).collect();
        let proof = |extra: Option<&Observation>| -> Vec<ObservationId> {
            tried.iter().map(|(o, _)| o.id.clone()).chain(extra.map(|o| o.id.clone())).collect()
        };
        match (announcing, tried.first()) {
            (Some((o, _)), Some((_, first))) => found.push(raise(
                &codes::HTTP_H3_DEAD,
                format!("HTTP/3 is announced, but: {}", first.answer.describe()),
                "Clients that follow the announcement lose time before they fall back. This network may also be the one that blocks UDP.",
                "Open UDP 443, or stop announcing HTTP/3; try from a second network first.",
                proof(Some(o)),
            )),
            (None, _) => found.push(raise(
                &codes::HTTP_NO_H3,
                "HTTP/3 is not offered",
                "One more round trip in each new connection.",
                "Enable HTTP/3 at the edge where it is on offer.",
                match edge.iter().find(|(_, s)| s.answer.present().is_some()) {
                    Some((o, _)) => proof(Some(o)),
                    None => proof(None),
                },
            )),
            (Some(_), None) => {}
        }
    }
    found
}

/// The same question at every address of the name.
fn addresses_differ(case: &Case<'_>) -> Option<Finding> {
    let mut outcomes: BTreeMap<String, Vec<(String, ObservationId)>> = BTreeMap::new();
    for (o, seen) in case.evidence().http_of(Vantage::Edge, Purpose::AddressParity) {
        let outcome = match &seen.answer {
            Observed::Present(_) if case.view.is_refusal(&o.id) => continue,
            Observed::Present(response) => response.status.to_string(),
            Observed::Denied(_) => seen.answer.describe(),
            Observed::Silent(_) if case.view.vantage_is_sane() => seen.answer.describe(),
            _ => continue,
        };
        let address = seen.request.address.map_or_else(|| "an address".to_owned(), |a| a.ip().to_string());
        outcomes.entry(outcome).or_default().push((address, o.id.clone()));
    }
    // The addresses that were used for the endpoints themselves speak for the majority.
    let first = case.view.readings(Vantage::Edge).into_iter().find_map(|r| {
        let (o, seen) = r.at?;
        let response = seen.answer.present().filter(|_| !case.view.is_refusal(&o.id))?;
        Some((response.status.to_string(), seen.request.address?.ip().to_string(), o.id.clone()))
    });
    if let Some((outcome, address, id)) = first {
        outcomes.entry(outcome).or_default().push((address, id));
    }
    if outcomes.len() < 2 {
        return None;
    }
    let words: Vec<String> = outcomes
        .iter()
        .map(|(outcome, at)| {
            let addresses: BTreeSet<&str> = at.iter().map(|(a, _)| a.as_str()).collect();
            format!("{}: {outcome}", in_words(&addresses.into_iter().collect::<Vec<_>>()))
        })
        .collect();
    Some(raise(
        &codes::HTTP_ADDRESSES_DIFFER,
        format!("The name's addresses answer differently ({})", words.join("; ")),
        "What a client gets depends on the address that it picks.",
        "Remove the addresses that are not of this deployment from DNS, or deploy to all of them.",
        outcomes.into_values().flatten().map(|(_, id)| id).collect(),
    ))
}

fn plain_http(case: &Case<'_>) -> Option<Finding> {
    if case.production()?.scheme() != "https" {
        return None;
    }
    let (o, seen) = case.evidence().http_of(Vantage::Edge, Purpose::PlainHttp).max_by_key(|(o, _)| o.attempt)?;
    let response = seen.answer.present()?;
    let to_https = response.redirect_to.as_deref().is_some_and(|to| to.starts_with("https://"));
    (!to_https && !case.view.is_refusal(&o.id)).then(|| {
        raise(
            &codes::HTTP_NO_REDIRECT,
            format!("Port 80 answers {} and does not lead to HTTPS", response.status),
            "A client that is sent to http:// speaks in the clear and never learns of HTTPS.",
            "Redirect http:// to https:// on the same host (308 keeps the method).",
            vec![o.id.clone()],
        )
    })
}

/// Headers that matter to an API: not the full list for web pages.
fn headers(case: &Case<'_>) -> Vec<Finding> {
    let good: Vec<&Reading<'_>> = case.view.readings(Vantage::Edge).into_iter().filter(|r| r.is_good()).collect();
    let with = |test: &dyn Fn(&Reading<'_>, &HttpResponse) -> bool| -> Vec<&Reading<'_>> {
        good.iter().copied().filter(|r| r.response().is_some_and(|response| test(r, response))).collect()
    };
    let mut found = Vec::new();
    let https = case.production().is_some_and(|url| url.scheme() == "https");
    let without_hsts = with(&|_, r| r.header("strict-transport-security").is_none());
    if https && !without_hsts.is_empty() {
        found.push(raise(
            &codes::HTTP_NO_HSTS,
            "No Strict-Transport-Security header",
            "Browsers are not told to use HTTPS alone; programs do not care.",
            "Send Strict-Transport-Security: max-age=31536000 once every name below is on HTTPS.",
            ids_of(&without_hsts),
        ));
    }
    let cors = with(&|_, r| {
        r.header("access-control-allow-origin") == Some("*")
            && r.header("access-control-allow-credentials").is_some_and(|v| v.eq_ignore_ascii_case("true"))
    });
    if !cors.is_empty() {
        found.push(raise(
            &codes::HTTP_CORS_CREDENTIALS,
            "CORS allows every origin together with credentials",
            "Browsers refuse the combination, so the calls that it was meant for fail.",
            "Answer with the caller's origin from an allow list, and Vary: Origin.",
            ids_of(&cors),
        ));
    }
    let cookies = with(&|_, r| {
        r.headers.iter().filter(|h| h.name == "set-cookie").any(|h| {
            let attributes: Vec<String> = h.value.split(';').skip(1).map(|a| a.trim().to_ascii_lowercase()).collect();
            !attributes.iter().any(|a| a == "secure") || !attributes.iter().any(|a| a == "httponly")
        })
    });
    if !cookies.is_empty() {
        found.push(raise(
            &codes::HTTP_COOKIE,
            "A cookie is set without Secure or HttpOnly",
            "It travels over plain HTTP, or scripts of a page can read it.",
            "Set both attributes, and SameSite.",
            ids_of(&cookies),
        ));
    }
    let cached = with(&|r, response| is_health_path(&r.endpoint.path) && from_cache(response));
    if !cached.is_empty() {
        found.push(raise(
            &codes::HTTP_CACHED,
            format!("{} comes from a cache", in_words(&cached.iter().map(|r| r.endpoint.path.as_str()).collect::<Vec<_>>())),
            "It says what was true some time ago, and stays green over a dead origin.",
            "Answer health paths with Cache-Control: no-store, and exclude them from the edge's cache.",
            ids_of(&cached),
        ));
    }
    found
}

fn from_cache(response: &HttpResponse) -> bool {
    let age = response.header("age").and_then(|age| age.trim().parse::<u64>().ok()).is_some_and(|age| age > 0);
    let says_hit = |name: &str| {
        response.header(name).is_some_and(|v| {
            let v = v.to_ascii_lowercase();
            v.starts_with("hit") || v.starts_with("stale") || v.contains("; hit")
        })
    };
    age || ["cf-cache-status", "x-cache", "x-vercel-cache", "cache-status"].iter().any(|name| says_hit(name))
}

fn challenged(case: &Case<'_>) -> Option<Finding> {
    let readings = case.view.readings(Vantage::Edge);
    let stopped: Vec<(&Reading<'_>, &str)> = readings
        .iter()
        .filter(|r| matches!(r.meaning, Some(Meaning::WafChallenge | Meaning::WafBlocked)))
        .filter_map(|r| Some((*r, attribution::author(r.response()?, case.catalogue())?.vendor)))
        .collect();
    let (_, vendor) = stopped.first()?;
    let paths: Vec<&str> = stopped.iter().map(|(r, _)| r.endpoint.path.as_str()).collect();
    let finding = raise(
        &codes::HTTP_CHALLENGED,
        format!("A security rule of {} answers in place of the application on {}", attribution::vendor_name(vendor), in_words(&paths)),
        "Programs cannot pass it: if it is not meant for this audit alone, API clients are shut out. Nothing is known of the application behind it.",
        "Except the API's paths from the challenge, or allow this audit's User-Agent, and ask again.",
        ids_of(&stopped.iter().map(|(r, _)| *r).collect::<Vec<_>>()),
    );
    Some(if stopped.len() == readings.len() { with_severity(finding, Severity::High) } else { finding })
}

fn debug_pages(case: &Case<'_>) -> Option<Finding> {
    let exposing: Vec<(&Observation, &str)> = case
        .evidence()
        .http()
        .filter(|(o, _)| matches!(o.vantage, Vantage::Edge | Vantage::Origin))
        .filter_map(|(o, seen)| {
            let author = attribution::author(seen.answer.present()?, case.catalogue())?;
            (author.meaning == Meaning::DebugMode).then_some((o, author.vendor))
        })
        .collect();
    let (_, vendor) = exposing.first()?;
    Some(raise(
        &codes::HTTP_DEBUG,
        format!("A development error page of {} is exposed", attribution::vendor_name(vendor)),
        "It shows source code and settings to everybody, and may run commands.",
        "Turn debug mode off in production.",
        exposing.iter().map(|(o, _)| o.id.clone()).collect(),
    ))
}

/// Members such as `"whatsapp_configured": false`, from production where it answers, else from the local backend.
fn features_off(case: &Case<'_>) -> Option<Finding> {
    let vantage = if case.view.serves(Vantage::Edge) { Vantage::Edge } else { Vantage::Local };
    let mut names = Vec::new();
    let mut evidence = Vec::new();
    for reading in case.view.readings(vantage).into_iter().filter(|r| r.is_good()) {
        let Some(Value::Object(body)) = reading.response().and_then(json) else { continue };
        let before = names.len();
        names.extend(body.iter().filter(|(_, v)| **v == Value::Bool(false)).filter_map(|(k, _)| Some(k.strip_suffix("_configured")?.to_owned())));
        if names.len() > before {
            evidence.extend(reading.id().cloned());
        }
    }
    (!names.is_empty()).then(|| {
        raise(
            &codes::HTTP_FEATURE_OFF,
            format!("Not configured ({}): {}", if vantage == Vantage::Edge { "production" } else { "local backend" }, in_words(&names)),
            "That feature does nothing.",
            "Set its settings if the feature is wanted.",
            evidence,
        )
    })
}

fn slow(case: &Case<'_>) -> Option<Finding> {
    let slow: Vec<(&Reading<'_>, u64)> = case
        .view
        .readings(Vantage::Edge)
        .into_iter()
        .filter_map(|r| Some((r, r.at?.1.timings.wait_us?)))
        .filter(|(r, wait)| r.response().is_some() && *wait > SLOW_WAIT_US)
        .collect();
    let worst = slow.iter().map(|(_, wait)| *wait).max()?;
    Some(raise(
        &codes::HTTP_SLOW,
        format!("The first byte took {:.1} s", worst as f64 / 1e6),
        "Clients with short timeouts give up; webhooks are sent twice.",
        "Repeat it: if the second request is fast, keep an instance awake; if not, profile the endpoint.",
        ids_of(&slow.iter().map(|(r, _)| *r).collect::<Vec<_>>()),
    ))
}

fn clock(case: &Case<'_>) -> Option<Finding> {
    static PARSER: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new();
    let (o, response) = case.evidence().http().filter(|(o, _)| o.vantage == Vantage::Edge).find_map(|(o, seen)| {
        let response = seen.answer.present()?;
        // A cached answer carries the date of the day on which it was made.
        (response.header("date").is_some() && !from_cache(response)).then_some((o, response))
    })?;
    let said = PARSER.parse_timestamp(response.header("date")?).ok()?.as_second();
    let ours = case.evidence().started_at.as_second() + i64::try_from(o.ended_us() / 1_000_000).ok()?;
    let apart = (said - ours).abs();
    (apart > CLOCK_SKEW_S).then(|| {
        raise(
            &codes::HTTP_CLOCK,
            format!("Production's clock and this machine's are {apart} s apart"),
            "Signed tokens may be refused; dates in this report may be off.",
            "Compare both with a third clock, and synchronise the wrong one.",
            vec![o.id.clone()],
        )
    })
}

/// Whether an answer is JSON, for the description of an application's own style.
pub(super) fn style(response: &HttpResponse) -> String {
    if is_json(response) {
        return "JSON".into();
    }
    match response.media_type() {
        Some(media_type) => format!("{} bytes of {media_type}", response.body.byte_count),
        None => format!("{} bytes without a media type", response.body.byte_count),
    }
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{Header, Phase, Seen, Silence};

    use super::*;
    use crate::testkit::response as build;
    use crate::testworld::{application, deployed, hollow, no_deployment, older_build, undeployed, website, world};
    use crate::{Verdict, testworld::World};

    fn codes(world: &World) -> Vec<(String, Severity)> {
        let all = world.diagnose().findings;
        all.into_iter().filter(|f| f.code.starts_with("LF-HTTP-")).map(|f| (f.code, f.severity)).collect()
    }

    fn set(response: &mut HttpResponse, name: &str, value: &str) {
        response.headers.retain(|h| h.name != name);
        response.headers.push(Header { name: name.into(), value: value.into() });
    }

    /// The findings that an edit adds to the deployed world.
    fn added(edit: impl Fn(World) -> World) -> Vec<(String, Severity)> {
        let usual = codes(&deployed());
        codes(&edit(deployed())).into_iter().filter(|f| !usual.contains(f)).collect()
    }

    #[test]
    fn a_whole_production_has_only_remarks() {
        let usual: Vec<String> = codes(&deployed()).into_iter().map(|(code, _)| code).collect();
        assert_eq!(usual, ["LF-HTTP-012", "LF-HTTP-020"], "no HSTS, and WhatsApp is not configured");
    }

    #[test]
    fn what_is_not_served_weighs_by_what_is_left() {
        let of = |edge: fn(&str) -> HttpResponse| {
            let found = world(edge, None, true, 0).diagnose().findings;
            found.into_iter().find(|f| matches!(f.code.as_str(), "LF-HTTP-001" | "LF-HTTP-003")).map(|f| (f.code, f.severity))
        };
        assert_eq!(of(no_deployment), Some(("LF-HTTP-001".into(), Severity::Critical)));
        assert_eq!(of(website), Some(("LF-HTTP-003".into(), Severity::Critical)));
        assert_eq!(of(hollow), Some(("LF-HTTP-001".into(), Severity::High)), "the main function");
        assert_eq!(of(older_build), Some(("LF-HTTP-001".into(), Severity::High)), "declared endpoints");
        assert_eq!(of(application), None);
    }

    #[test]
    fn one_finding_a_vantage_names_all_paths() {
        let diagnosis = world(older_build, None, true, 0).diagnose();
        let found: Vec<_> = diagnosis.findings.iter().filter(|f| f.code == "LF-HTTP-001").collect();
        assert_eq!(found.len(), 1);
        assert!(found[0].title.contains("/api/webhooks/stripe/health and /api/webhooks/stripe/checkout-completed"), "{}", found[0].title);
        assert_eq!(found[0].evidence.len(), 2);
    }

    #[test]
    fn the_origin_and_the_control_are_noted_below_the_main_finding() {
        let got = codes(&undeployed());
        assert!(got.contains(&("LF-HTTP-002".into(), Severity::Low)), "{got:?}");
        assert!(got.contains(&("LF-HTTP-004".into(), Severity::Low)), "{got:?}");
        let unbound = world(no_deployment, Some(application), false, 5).diagnose();
        let has = |code: &str| unbound.findings.iter().any(|f| f.code == code);
        assert!(has("LF-PATH-002") && !has("LF-HTTP-002"));
        assert!(has("LF-PATH-001"), "the application never saw the request");
    }

    type Edit = fn(World) -> World;

    #[test]
    fn each_http_rule_fires_on_its_own_fault_alone() {
        use Severity::{High, Info, Low, Medium};
        let cases: &[(&str, &[(&str, Severity)], Edit)] = &[
            ("an older shape", &[("LF-HTTP-005", Medium)], |w| {
                w.edit_response("/api/support/health", |r| *r = with_body(r, r#"{"openai_configured":true,"whatsapp_configured":false}"#))
            }),
            ("more members than here", &[], |w| {
                w.edit_response("/health", |r| *r = with_body(r, r#"{"ok":true,"ts":1,"build":"x"}"#))
            }),
            ("a failure in the body", &[("LF-HTTP-006", High)], |w| {
                w.edit_response("/health", |r| *r = with_body(r, r#"{"ok":false,"ts":1}"#))
            }),
            ("no HTTP/2", &[("LF-HTTP-007", Info)], |w| {
                w.edit_tls(|h| h.alpn = Some("http/1.1".into())).edit_http(|s| match &mut s.answer {
                    Observed::Present(r) if r.version == HttpVersion::H2 => r.version = HttpVersion::H1,
                    _ => {}
                })
            }),
            ("no HTTP/3", &[("LF-HTTP-008", Info)], |w| {
                w.edit_http(|s| {
                    if s.request.version == HttpVersion::H3 {
                        s.answer = Observed::Denied(Denial::Refused);
                    } else if let Observed::Present(r) = &mut s.answer {
                        r.headers.retain(|h| h.name != "alt-svc");
                    }
                })
            }),
            ("HTTP/3 announced and dead", &[("LF-HTTP-009", Low)], |w| {
                w.edit_http(|s| {
                    if s.request.version == HttpVersion::H3 {
                        s.answer = Observed::Silent(Silence { phase: Phase::Connect, waited_us: 2_000_000 });
                    }
                })
            }),
            ("one address differs", &[("LF-HTTP-010", Medium)], |w| {
                w.edit_http(|s| {
                    let other = s.request.address.is_some_and(|a| a.ip().to_string() == "172.67.158.164");
                    if other && s.request.purpose == Purpose::AddressParity {
                        s.answer = Observed::Present(build(502).build());
                    }
                })
            }),
            ("one address refused by the limiter", &[], |w| {
                w.edit_http(|s| {
                    if s.request.purpose == Purpose::AddressParity {
                        s.answer = Observed::Present(crate::testworld::refusal());
                    }
                })
            }),
            ("content on port 80", &[("LF-HTTP-011", Low)], |w| plain(w, |_| Observed::Present(build(200).body("hello").build()))),
            ("port 80 redirects to itself", &[("LF-HTTP-011", Low)], |w| {
                plain(w, |r| Observed::Present(HttpResponse { redirect_to: Some("http://api.levqor.ai/".into()), ..r }))
            }),
            ("port 80 closed", &[], |w| plain(w, |_| Observed::Denied(Denial::Refused))),
            ("CORS", &[("LF-HTTP-013", Low)], |w| {
                w.edit_response("/health", |r| {
                    set(r, "access-control-allow-origin", "*");
                    set(r, "access-control-allow-credentials", "true");
                })
            }),
            ("a bare cookie", &[("LF-HTTP-014", Low)], |w| w.edit_response("/health", |r| set(r, "set-cookie", "s=1; Path=/; Secure"))),
            ("a good cookie", &[], |w| {
                w.edit_response("/health", |r| set(r, "set-cookie", "s=1; Path=/; Secure; HttpOnly; SameSite=Lax"))
            }),
            ("from a cache", &[("LF-HTTP-015", Medium)], |w| w.edit_response("/health", |r| set(r, "cf-cache-status", "HIT"))),
            ("an age", &[("LF-HTTP-015", Medium)], |w| w.edit_response("/health", |r| set(r, "age", "59148"))),
            ("a soft 404", &[("LF-HTTP-016", Low)], |w| control(w, 200)),
            ("a masked 404", &[("LF-HTTP-017", Low)], |w| control(w, 500)),
            ("a slow start", &[("LF-HTTP-021", Low)], |w| w.edit_http(|s| s.timings.wait_us = Some(6_000_000))),
            ("another clock", &[("LF-HTTP-022", Info)], |w| {
                w.edit_http(|s| {
                    if let Observed::Present(r) = &mut s.answer {
                        set(r, "date", "Sat, 15 Nov 2025 15:40:00 GMT");
                    }
                })
            }),
        ];
        for (name, want, edit) in cases {
            let want: Vec<(String, Severity)> = want.iter().map(|(code, s)| ((*code).to_owned(), *s)).collect();
            assert_eq!(added(edit), want, "{name}");
        }
    }

    fn with_body(response: &HttpResponse, body: &str) -> HttpResponse {
        HttpResponse { body: build(200).body(body).build().body, ..response.clone() }
    }

    fn plain(world: World, answer: fn(HttpResponse) -> Observed<HttpResponse>) -> World {
        world.edit_http(|s| {
            if let (Purpose::PlainHttp, Observed::Present(r)) = (s.request.purpose, &s.answer) {
                s.answer = answer(r.clone());
            }
        })
    }

    fn control(world: World, status: u16) -> World {
        world.edit_http(|s| {
            if let (Purpose::Control, Observed::Present(r)) = (s.request.purpose, &mut s.answer) {
                r.status = status;
            }
        })
    }

    #[test]
    fn a_challenge_is_not_an_outage() {
        let challenge = || {
            let page = build(403).header("server", "cloudflare").header("cf-mitigated", "challenge");
            page.header("cf-ray", "99-SEA").header("content-type", "text/html").body("<title>Just a moment...</title>").build()
        };
        let all = deployed().edit_http(|s| s.answer = Observed::Present(challenge())).diagnose();
        assert_eq!(all.verdict, Verdict::Unknown, "{}", all.summary);
        let found = all.findings.iter().find(|f| f.code == "LF-HTTP-018").expect("it is said");
        assert_eq!(found.severity, Severity::High);
        assert!(found.title.contains("Cloudflare"), "{}", found.title);
        let one = deployed().edit_response("/api/support/health", |r| *r = challenge());
        assert_eq!(one.findings("LF-HTTP-018")[0].severity, Severity::Medium);
    }

    #[test]
    fn a_guessed_path_is_never_bad_by_itself() {
        let mut world = deployed();
        for endpoint in &mut world.0.target.endpoints {
            endpoint.source = EndpointSource::Guessed;
            endpoint.expect = landfall_evidence::Expectation::default();
        }
        let guarded = world.edit_response("/health", |r| r.status = 404);
        let diagnosis = guarded.diagnose();
        assert_ne!(diagnosis.verdict, Verdict::NotLive, "{}", diagnosis.summary);
        assert!(!diagnosis.findings.iter().any(|f| f.code == "LF-HTTP-001"), "{:?}", diagnosis.findings);
    }

    #[test]
    fn a_limiter_that_never_let_a_question_pass_is_named() {
        let hidden = deployed().edit_response("/api/support/health", |r| *r = crate::testworld::refusal());
        let diagnosis = hidden.diagnose();
        assert!(diagnosis.findings.iter().any(|f| f.code == "LF-RATE-004"));
        assert_eq!(diagnosis.verdict, Verdict::Unknown, "not seen is not good: {}", diagnosis.summary);
        let mut repeated = hidden.clone();
        let good = application("/api/support/health");
        repeated.http(Vantage::Edge, Purpose::Endpoint, "/api/support/health", Observed::Present(good));
        if let Some(last) = repeated.0.observations.last_mut() {
            last.attempt = 2;
            assert!(matches!(last.seen, Seen::Http(_)));
        }
        let diagnosis = repeated.diagnose();
        assert!(!diagnosis.findings.iter().any(|f| f.code == "LF-RATE-004"));
        assert_eq!(diagnosis.verdict, Verdict::Live, "{} {:?}", diagnosis.summary, diagnosis.unexplained);
    }
}
