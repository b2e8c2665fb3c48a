//! What each endpoint answered, measured against what a good answer looks like.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use landfall_evidence::{
    Endpoint, EndpointSource, Evidence, HttpResponse, ObservationId, Observed, Purpose, Vantage,
};
use regex::Regex;
use serde_json::Value as Json;

use super::http::{has_keys, is_named};
use super::writer::{Form, Shape, Writer};
use super::{BodyKind, Exchange, Exchanges, FactKey, Facts, Why, body_kind, is_health_path, why_absent};
use crate::signatures::Meaning;

const VANTAGES: [Vantage; 3] = [Vantage::Local, Vantage::Origin, Vantage::Edge];

pub(super) fn derive(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    for x in exchanges.all.iter().filter(|x| x.purpose == Purpose::Endpoint) {
        endpoint(x, exchanges, facts);
    }
    for x in exchanges.all.iter().filter(|x| x.purpose == Purpose::RouteExistence) {
        route(x, exchanges, facts);
    }
    local_only(evidence, exchanges, facts);
    spelled(evidence, exchanges, facts);
    shifted(exchanges, facts);
    for vantage in VANTAGES {
        health_and_core(vantage, exchanges, facts);
    }
}

fn endpoint(x: &Exchange<'_>, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let subject = x.subject();
    if x.limited {
        facts.unknown(FactKey::EndpointOutcome, subject, Why::Limited, [x.id()]);
        return;
    }
    let local = exchanges.at(Vantage::Local, Purpose::Endpoint, x.path).and_then(Exchange::response);
    let local = local.filter(|_| x.vantage != Vantage::Local);
    let word = match &x.seen.answer {
        Observed::Unasked(_) => {
            facts.unknown(FactKey::EndpointOutcome, subject, why_absent(&x.seen.answer), [x.id()]);
            return;
        }
        Observed::Present(response) => outcome(x, response, local, exchanges.control(x.vantage)),
        Observed::Denied(_) | Observed::Silent(_) => "no-answer",
    };
    let word = upgrade(x, exchanges, &subject, facts).unwrap_or(word);
    let named = x.endpoint.is_some_and(is_named);
    // A usual path that is not there, moved, or guarded is no fault; one that fails is.
    // Clients follow redirects: whether one is trouble depends on where it ends, which is judged with its chain.
    // Where the target says what the answer holds, a redirect to another spelling is not that answer: whoever calls the
    // path as it is declared makes two requests of each, and loses the body of what is no GET.
    let follows = word == "redirect"
        && x.endpoint.is_some_and(|e| {
            let says = !e.expect.json_keys.is_empty() || e.expect.content_type.is_some();
            e.expect.status.is_empty() && !(says && x.response().is_some_and(|r| respells(x, r)))
        });
    // A platform's own name may well be closed to strangers while the public one serves what it should.
    let closed = x.vantage == Vantage::Origin
        && matches!(word, "forbidden" | "redirect")
        && exchanges.at(Vantage::Edge, Purpose::Endpoint, x.path).is_some_and(|edge| {
            let response = edge.response().filter(|_| !edge.limited);
            response.is_some_and(|r| outcome(edge, r, local, exchanges.control(Vantage::Edge)) == "ok")
        });
    let trouble =
        word != "ok" && !follows && !closed && (named || matches!(word, "app-error" | "gateway-error"));
    facts.known(FactKey::EndpointOutcome, subject.as_str(), word, [x.id()]).symptom = trouble;
    if let (Some(here), Some(there)) = (local, x.response())
        && let (Form::Json(a), Form::Json(b)) = (Shape::of(here).form, Shape::of(there).form)
    {
        facts.known(FactKey::EndpointAsLocal, subject, if a == b { "same" } else { "differs" }, [x.id()]);
    }
}

/// The trial in which a path is asked to become a WebSocket.
const UPGRADE_TRIAL: &str = "upgrade";

/// An endpoint that is expected to give 101 is a WebSocket: a plain GET does not tell whether it works, a handshake does.
/// Returns the word that the handshake gives the endpoint, where one was made.
fn upgrade(
    x: &Exchange<'_>,
    exchanges: &Exchanges<'_>,
    subject: &str,
    facts: &mut Facts,
) -> Option<&'static str> {
    x.endpoint.filter(|endpoint| endpoint.expect.status.contains(&101))?;
    let trial = exchanges.trials.iter().find(|t| {
        let request = t.seen.request.trial.as_ref();
        t.vantage == x.vantage
            && request.is_some_and(|trial| trial.name == UPGRADE_TRIAL && trial.plain == x.path)
    });
    let asked = trial.filter(|t| t.seen.answer.was_asked());
    let (word, ids) = match asked {
        Some(trial) if trial.response().is_some_and(|r| r.status == 101) => {
            ("upgraded", vec![x.id(), trial.id()])
        }
        Some(trial) => ("refused", vec![x.id(), trial.id()]),
        None => ("unasked", vec![x.id()]),
    };
    let trouble = word == "refused" && matches!(x.vantage, Vantage::Edge | Vantage::Origin);
    facts.known(FactKey::EndpointUpgrade, subject, word, ids).symptom = trouble;
    (word == "upgraded").then_some("ok")
}

/// Whether an answer only says that the path is served in another protocol, as that of a WebSocket to a plain GET (RFC 9110,
/// section 15.5.22). Where the user says what is right, this is not.
pub(crate) fn wants_another_protocol(endpoint: Option<&Endpoint>, status: u16) -> bool {
    status == 426
        && endpoint.is_none_or(|e| matches!(e.source, EndpointSource::Discovered | EndpointSource::Guessed))
}

/// The word for a response. JSON is due where the target says so, or where the local backend gives it.
fn outcome(
    x: &Exchange<'_>,
    response: &HttpResponse,
    local: Option<&HttpResponse>,
    control: Option<&Exchange<'_>>,
) -> &'static str {
    let expect = x.endpoint.map(|e| e.expect.clone()).unwrap_or_default();
    let json_due = expect.content_type.as_deref().is_some_and(|media| media.contains("json"))
        || !expect.json_keys.is_empty()
        || expect.says.iter().any(|says| matches!(says, landfall_evidence::Says::Json(..)))
        || local.is_some_and(|here| expect.accepts_status(here.status) && body_kind(here) == BodyKind::Json);
    let is_late = expect.within_ms.is_some_and(|limit| x.seen.timings.total_us() / 1_000 > limit);
    let good = || if is_late { "late" } else { "ok" };
    if expect.accepts_status(response.status) {
        if x.seen.request.method == "HEAD" {
            // It has no body to be judged (RFC 9110, section 9.3.2).
            return good();
        }
        // Some walls give their riddle with a good status.
        if x.meaning() == Some(Meaning::WafChallenge) {
            return "challenged";
        }
        if is_miscoded(response) {
            return "bad-encoding";
        }
        // Nothing, and nothing for a path that nobody can have defined: nobody stands behind either.
        let blank = |r: &HttpResponse| r.status == 200 && r.body.complete && r.body.byte_count == 0;
        if blank(response) && control.and_then(Exchange::response).is_some_and(blank) {
            return "empty";
        }
        // A redirect that the check lists is judged by where it leads; the page beside it is for people. One that leads
        // nowhere else was asked for by nobody.
        if (300..400).contains(&response.status) && response.header("location").is_some() {
            let to_itself = response.redirect_to.as_deref().is_some_and(|to| to == x.seen.request.url);
            return if to_itself { "redirect" } else { good() };
        }
        if json_due && body_kind(response) == BodyKind::Html {
            return "html-for-json";
        }
        if !response.body.complete && response.body.cut.as_deref().is_none_or(|cut| !cut.contains("bound")) {
            return "cut";
        }
        if breaks_off(response) {
            return "cut";
        }
        let media_fits =
            expect.content_type.as_ref().is_none_or(|wanted| response.media_type().as_ref() == Some(wanted));
        return if !media_fits {
            "wrong-type"
        } else if (200..300).contains(&response.status)
            && tells_failure(response, &expect.json_keys)
            && !is_about_errors(x.path)
        {
            // Said before what it lacks: an answer that tells of a failure has none of what a good one holds.
            "error-in-body"
        } else if !has_keys(response, &expect.json_keys) || expect.unsaid(&response.body).next().is_some() {
            "wrong-shape"
        } else {
            good()
        };
    }
    if wants_another_protocol(x.endpoint, response.status) {
        return good();
    }
    match (x.meaning(), response.status) {
        (Some(Meaning::WafChallenge), _) => "challenged",
        (Some(Meaning::WafBlocked), _) => "blocked",
        (Some(Meaning::HostRejected), _) | (_, 421) => "host-refused",
        (_, 400 | 403) if refuses_host(response) => "host-refused",
        // Without a place to go on to it is a word that a client can do nothing with (RFC 9110, section 15.4).
        (_, 300..=399) if response.header("location").is_some() => "redirect",
        (_, 401 | 403) => "forbidden",
        (_, 404 | 410) => "not-found",
        (_, 405 | 501) => "method-refused",
        (_, 502 | 503 | 504 | 520..=530) if !x.by_app() => "gateway-error",
        (_, 500..) if super::edge::made_by_hop(x, response) => "gateway-error",
        (_, 500..) => "app-error",
        _ => "unexpected-status",
    }
}

/// Whether a JSON body was sent as whole and ends in the middle of its text: the program that wrote it stopped (RFC 8259, section 2:
/// one value, and nothing after it is missing).
pub(super) fn breaks_off(response: &HttpResponse) -> bool {
    let json =
        response.media_type().is_some_and(|media| media == "application/json" || media.ends_with("+json"));
    let Some(text) = response.body.text.as_deref().filter(|_| json && response.body.complete) else {
        return false;
    };
    // What was not kept to its end may be whole.
    text.len() as u64 == response.body.byte_count
        && text.trim_start().starts_with(['{', '['])
        && serde_json::from_str::<serde::de::IgnoredAny>(text).is_err_and(|error| error.is_eof())
}

/// Whether the bytes are not coded as the header says, or coded though it says nothing; a client that believes the
/// header cannot read them.
fn is_miscoded(response: &HttpResponse) -> bool {
    let Some(opening) = response.body.opening.as_deref() else { return false };
    let said = response.header("content-encoding").map(|v| v.trim().to_ascii_lowercase());
    let gzip = opening.starts_with("1f8b");
    match said.as_deref() {
        Some("gzip" | "x-gzip") => !gzip,
        Some("zstd") => opening != "28b52ffd",
        None | Some("identity") => {
            gzip && response.media_type().is_some_and(|media| {
                media.starts_with("text/") || media.ends_with("json") || media.ends_with("javascript")
            })
        }
        Some(_) => false,
    }
}

/// Words with which handlers of their own refuse a request for its host name, whatever the framework.
static HOST_REFUSAL: LazyLock<Regex> = LazyLock::new(|| {
    let bad =
        r"(?:invalid|unknown|disallowed|untrusted|unrecogni[sz]ed|unexpected|blocked|forbidden|bad|illegal)";
    let not = r"(?:is |was )?(?:not (?:allowed|permitted|recogni[sz]ed|in (?:the )?allowed|trusted)|invalid|disallowed)";
    Regex::new(&format!(
        r#"(?i)\b(?:{bad} (?:http_?)?host(?:[ _-]?(?:name|header))?\b|host(?:[ _-]?(?:name|header))?:? (?:[("'`]*[\w.:-]+\.[\w:-]+[)"'`]* )?{not}\b|disallowedhost)"#
    ))
    .expect("a built-in pattern compiles; the tests use it")
});

/// Whether a refusal says that it is for the host name.
fn refuses_host(response: &HttpResponse) -> bool {
    let head = response.body.text.as_deref().map(|text| text.chars().take(2048).collect::<String>());
    head.is_some_and(|text| HOST_REFUSAL.is_match(&text))
}

/// Whether a redirect changes nothing but the final slash or the case of the path.
fn respells(x: &Exchange<'_>, response: &HttpResponse) -> bool {
    let fold = |path: &str| path.trim_end_matches('/').to_ascii_lowercase();
    let Some(to) = response.redirect_to.as_deref().and_then(|to| url::Url::parse(to).ok()) else {
        return false;
    };
    let path = x.path.split(['?', '#']).next().unwrap_or(x.path);
    to.path() != path && fold(to.path()) == fold(path)
}

/// What error pages call themselves. A title is one of these, a status, or both, perhaps with the name of the site behind a
/// bar; a page *about* errors says more, and is none.
const ERROR_NAMES: &str = r"(?:(?:page |this page (?:could|can) ?)?not (?:be )?found|bad request|unauthorized|forbidden|access denied|method not allowed|gone|too many requests|not implemented|internal server error|server error|bad gateway|service (?:temporarily )?unavailable|gateway time-?out|application error|something went wrong)";

/// Titles and whole texts of error pages, which some handlers send with a good status.
static ERROR_TEXT: LazyLock<Regex> = LazyLock::new(|| {
    let head = r"^\s*(?:<!doctype html[^>]*>\s*)?(?:<html[^>]*>\s*)?(?:<head[^>]*>\s*)?(?:<meta[^>]*>\s*)*";
    let status = format!(r"(?:(?:http )?error\s*)?(?:4\d\d|50[0-4])(?:\s*[-:|–]?\s*{ERROR_NAMES})?");
    let named = format!(r"(?:{status}|{ERROR_NAMES}(?:\s*\(\d+\))?|error)[.!]?\s*(?:[|:–-][^<]*)?");
    let closed = r"(?:site |down |under |scheduled )*(?:for )?maintenance\s*(?:[|:-][^<]*)?";
    let text = r"^\s*(?:internal server error|bad gateway|service unavailable|application error|an? (?:unexpected |internal )?error (?:has )?occurred|traceback \(most recent call last\))";
    Regex::new(&format!(r"(?is){head}<title>\s*(?:{named}|{closed})</title>|{text}"))
        .expect("a built-in pattern compiles; the tests use it")
});

/// Whether a good status carries a body that says that something is wrong.
fn tells_failure(response: &HttpResponse, expected: &[String]) -> bool {
    let Some(Json::Object(fields)) = response.body.json() else {
        return response.body.text.as_deref().is_some_and(|text| ERROR_TEXT.is_match(text));
    };
    let is_false = |name: &str| fields.get(name) == Some(&Json::Bool(false));
    let bad_status = ["status", "result"].iter().any(|name| {
        let word = fields.get(*name).and_then(Json::as_str).unwrap_or_default().to_ascii_lowercase();
        matches!(word.as_str(), "error" | "fail" | "failed" | "failure" | "down" | "unhealthy" | "critical")
    });
    // A number in the place of the status that should have been sent, with words: `{"code":500,"msg":"…"}`.
    let numbered =
        ["code", "status", "statusCode", "status_code", "errorCode", "error_code"].iter().any(|name| {
            fields.get(*name).and_then(Json::as_u64).is_some_and(|number| (400..600).contains(&number))
                && !expected.iter().any(|key| key == name)
        });
    let worded = ["msg", "message", "error", "errorMessage", "error_message", "detail", "title"]
        .iter()
        .any(|name| fields.get(*name).is_some_and(Json::is_string));
    // A response object has a result or an error, never both (jsonrpc.org, specification 2.0, section 5).
    let remote = fields.contains_key("jsonrpc") && fields.get("error").is_some_and(Json::is_object);
    let error = fields.get("error").is_some_and(|value| match value {
        Json::Null | Json::Bool(false) => false,
        Json::String(text) => {
            !matches!(text.trim().to_ascii_lowercase().as_str(), "" | "none" | "null" | "false" | "no" | "ok")
        }
        Json::Array(items) => !items.is_empty(),
        Json::Object(fields) => !fields.is_empty(),
        Json::Number(number) => number.as_f64().is_some_and(|n| n != 0.0),
        Json::Bool(true) => true,
    });
    let failed = lists_errors(fields) && !expected.iter().any(|key| key == "errors");
    // A record of something that failed (a build, a payment) is a good answer about it.
    let record = ["id", "_id", "uuid", "created_at", "createdAt"].iter().any(|key| fields.contains_key(*key));
    // Where a good answer is declared to have the field, it is part of what is served.
    let declared = expected.iter().any(|key| key == "error");
    let (bad_status, error) = (bad_status && !record, error && !record && !declared);
    let numbered = numbered && worded && !record;
    is_false("ok")
        || is_false("success")
        || is_false("healthy")
        || bad_status
        || error
        || failed
        || numbered
        || remote
}

/// Whether an object is an answer that says, in the form of GraphQL or of JSON:API, that what was asked for failed: a list
/// of errors that is not empty, and no data, or a field of it empty (spec.graphql.org, October 2021, sections 7.1.2 and
/// 6.4.4; jsonapi.org, 1.1, "Top Level").
fn lists_errors(fields: &serde_json::Map<String, Json>) -> bool {
    let described = |error: &Json| {
        error.as_object().is_some_and(|e| {
            ["message", "title", "detail", "code"].iter().any(|key| e.get(*key).is_some_and(Json::is_string))
        })
    };
    let errors = fields.get("errors").and_then(Json::as_array);
    let lacking = match fields.get("data") {
        None | Some(Json::Null) => true,
        Some(Json::Object(data)) => data.values().any(Json::is_null),
        Some(_) => false,
    };
    lacking && errors.is_some_and(|errors| !errors.is_empty() && errors.iter().all(described))
}

/// Whether a path names an error's number, as pages about errors do: `/docs/errors/503`, `/codes/404.html`.
fn is_about_errors(path: &str) -> bool {
    path.split(|c: char| !c.is_ascii_alphanumeric()).any(|part| {
        part.len() == 3 && part.starts_with(['4', '5']) && part.bytes().all(|byte| byte.is_ascii_digit())
    })
}

/// Whether a route that must not be called with its own method is there.
fn route(x: &Exchange<'_>, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let subject = x.subject();
    let Some(response) = x.response() else {
        let why = if x.limited { Why::Limited } else { why_absent(&x.seen.answer) };
        facts.unknown(FactKey::RouteState, subject, why, [x.id()]);
        return;
    };
    let undecided = |why: &str| Why::Undecided(why.to_owned());
    let control = exchanges.control(x.vantage).and_then(Exchange::response).map(Shape::of);
    let as_unknown_path = control.as_ref().is_some_and(|shape| *shape == Shape::of(response));
    let state = match (&x.writer, response.status) {
        (Some(Ok(Writer::App)), 404 | 410) => Ok("missing"),
        (Some(Ok(Writer::App)), 500..) => Err(undecided("the application failed before it could tell")),
        (Some(Ok(Writer::App)), _) if as_unknown_path => Err(undecided("it answers as for a random path")),
        (Some(Ok(Writer::App)), _) | (Some(Err(_)) | None, 405) if !as_unknown_path => Ok("exists"),
        (Some(Ok(writer)), _) if *writer != Writer::App => {
            Err(undecided(&format!("the {} answered, the application was not reached", writer.name())))
        }
        _ => Err(undecided("the answer does not show who wrote it")),
    };
    match state {
        Ok(word) => {
            facts.known(FactKey::RouteState, subject, word, [x.id()]).symptom = word == "missing";
        }
        Err(why) => facts.unknown(FactKey::RouteState, subject, why, [x.id()]),
    }
}

/// Routes that the local backend has and the application in production says that it has not.
fn local_only(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let mut fresh: (BTreeSet<String>, BTreeSet<ObservationId>) = Default::default();
    for x in exchanges.all.iter().filter(|x| x.vantage != Vantage::Local) {
        if !matches!(x.purpose, Purpose::Endpoint | Purpose::RouteExistence) {
            continue;
        }
        let Some(local) = exchanges.at(Vantage::Local, x.purpose, x.path) else { continue };
        let key = if x.purpose == Purpose::Endpoint { FactKey::EndpointOutcome } else { FactKey::RouteState };
        let (here, there) = (facts.text(key, &local.subject()), facts.text(key, &x.subject()));
        let (has, lacks) =
            if x.purpose == Purpose::Endpoint { ("ok", "not-found") } else { ("exists", "missing") };
        if here != Some(has) || there.is_none() {
            continue;
        }
        let ids = [x.id(), local.id()];
        let missing = there == Some(lacks) && x.by_app();
        if missing {
            facts.known(FactKey::RouteLocalOnly, x.subject(), "yes", ids).symptom = true;
            fresh_file(evidence, x.path, &mut fresh);
        } else if there == Some(has) {
            facts.known(FactKey::RouteLocalOnly, x.subject(), "no", ids);
        }
    }
    facts.known_list(FactKey::RouteFresh, "", fresh.0, fresh.1);
}

/// The file that defines a route, when it was changed or added and never committed.
fn fresh_file(evidence: &Evidence, path: &str, fresh: &mut (BTreeSet<String>, BTreeSet<ObservationId>)) {
    let Some((observation, snapshot)) = evidence.project() else { return };
    let Some(git) = &snapshot.git else { return };
    for route in snapshot.known_routes().filter(|route| route.path == path) {
        let file = crate::words::file_of(&route.place);
        if git.uncommitted.iter().chain(&git.untracked).any(|name| name == file) {
            fresh.0.insert(file.to_owned());
            fresh.1.insert(observation.id.clone());
        }
    }
}

/// Paths that are not found while the code has the same one in another spelling.
fn spelled(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let Some((observation, snapshot)) = evidence.project() else { return };
    let fold = |path: &str| {
        let words: Vec<&str> = path.split('/').filter(|word| !word.is_empty()).collect();
        words.join("/").to_ascii_lowercase()
    };
    for x in exchanges.all.iter().filter(|x| x.purpose == Purpose::Endpoint) {
        if facts.text(FactKey::EndpointOutcome, &x.subject()) != Some("not-found")
            || snapshot.known_routes().any(|route| route.path == x.path)
        {
            continue;
        }
        let wanted = fold(x.path);
        let other = snapshot.known_routes().find(|route| !wanted.is_empty() && fold(&route.path) == wanted);
        if let Some(route) = other {
            let ids = [x.id(), observation.id.clone()];
            facts.known(FactKey::RouteSpelled, x.subject(), route.path.as_str(), ids);
        }
    }
}

/// Paths that are missing in production while the same path with one segment more or less in front gives the answer
/// that the local backend gives for the missing one.
fn shifted(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let shorter = |long: &str, short: &str| {
        let rest = long.strip_prefix('/').and_then(|rest| rest.split_once('/'));
        rest.is_some_and(|(first, rest)| !first.is_empty() && short.strip_prefix('/') == Some(rest))
    };
    for vantage in [Vantage::Edge, Vantage::Origin] {
        for x in exchanges.of(vantage, Purpose::Endpoint) {
            let Some(local) = exchanges.at(Vantage::Local, Purpose::Endpoint, x.path) else { continue };
            let at = |y: &Exchange<'_>| facts.text(FactKey::EndpointOutcome, &y.subject());
            if at(x) != Some("not-found") || at(local) != Some("ok") {
                continue;
            }
            let want = local.response().map(Shape::of);
            let other = exchanges.of(vantage, Purpose::Endpoint).find(|y| {
                let here = exchanges.at(Vantage::Local, Purpose::Endpoint, y.path);
                (shorter(x.path, y.path) || shorter(y.path, x.path))
                    && y.response().map(Shape::of) == want
                    && here.is_some_and(|here| at(here) == Some("not-found"))
            });
            if let Some(other) = other {
                let ids = [x.id(), local.id(), other.id()];
                let subject = x.subject();
                facts.known(FactKey::RoutePrefix, subject, "shifted", ids);
            }
        }
    }
}

fn health_and_core(vantage: Vantage, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let mut health: Vec<(String, ObservationId)> = Vec::new();
    let mut core: Vec<(String, ObservationId)> = Vec::new();
    let mut key_fails = false;
    for x in exchanges.of(vantage, Purpose::Endpoint) {
        let Some(endpoint) = x.endpoint else { continue };
        let Some(word) = facts.text(FactKey::EndpointOutcome, &x.subject()) else { continue };
        if is_health_path(x.path) && !endpoint.core {
            if is_named(endpoint) || word != "not-found" {
                health.push((word.to_owned(), x.id()));
            }
        } else if endpoint.core || is_named(endpoint) {
            key_fails |= endpoint.core && matches!(word, "app-error" | "gateway-error");
            core.push((word.to_owned(), x.id()));
        }
    }
    let subject = vantage.to_string();
    let ids = |list: &[(String, ObservationId)]| list.iter().map(|(_, id)| id.clone()).collect::<Vec<_>>();
    let health_word = (!health.is_empty()).then(|| {
        if health.iter().all(|(word, _)| matches!(word.as_str(), "ok" | "late")) { "ok" } else { "failing" }
    });
    if let Some(word) = health_word {
        facts.known(FactKey::HealthState, subject.as_str(), word, ids(&health));
    }
    let worst = ["app-error", "gateway-error", "not-found"]
        .into_iter()
        .find(|bad| core.iter().any(|(word, _)| word == bad));
    let core_word = worst.unwrap_or(if core.iter().all(|(word, _)| matches!(word.as_str(), "ok" | "late")) {
        "ok"
    } else {
        "other"
    });
    if core.is_empty() {
        return;
    }
    let core_ids = ids(&core);
    facts.known(FactKey::CoreState, subject.as_str(), core_word, core_ids.clone());
    if let Some(health_word) = health_word {
        // Only a route that the target calls its main function shows that health looks at too little; any other one that
        // fails has failed, and no more.
        let contradicts = health_word == "ok" && key_fails;
        let both: Vec<ObservationId> = ids(&health).into_iter().chain(core_ids).collect();
        facts.known(FactKey::HealthContradicts, subject, contradicts, both).symptom =
            contradicts && vantage != Vantage::Local;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::testkit::{World, response};

    #[test]
    fn a_path_that_is_served_in_another_protocol_is_well_unless_the_user_says_otherwise() {
        for (source, word) in [
            (EndpointSource::Discovered, "ok"),
            (EndpointSource::Declared, "unexpected-status"),
            (EndpointSource::Monitored, "unexpected-status"),
        ] {
            let mut world = World::new("https://api.example.test");
            world.endpoint("GET", "/live", source, false, &[]);
            let answer = response(426).header("upgrade", "websocket").body("Upgrade Required").build();
            world.http(Vantage::Edge, Purpose::Endpoint, "/live", answer);
            let facts = Facts::derive(&world.build(), Catalogue::embedded());
            assert_eq!(facts.text(FactKey::EndpointOutcome, "edge /live"), Some(word), "{source:?}");
        }
    }

    #[test]
    fn a_redirect_to_itself_is_no_good_answer_where_redirects_are() {
        let word = |to: &str| {
            let mut world = World::new("https://api.example.test");
            world.endpoint("GET", "/", EndpointSource::Discovered, false, &[]);
            world.expect_status("/", &[200, 307]);
            world.http(Vantage::Edge, Purpose::Endpoint, "/", response(307).redirect(to).build());
            let facts = Facts::derive(&world.build(), Catalogue::embedded());
            facts.text(FactKey::EndpointOutcome, "edge /").map(str::to_owned)
        };
        assert_eq!(word("https://api.example.test/").as_deref(), Some("redirect"));
        assert_eq!(word("https://api.example.test/start").as_deref(), Some("ok"));
    }

    #[test]
    fn json_that_ends_in_the_middle_is_cut_whatever_its_framing_says() {
        let off = |text: &str| breaks_off(&response(200).json(text).build());
        for cut in ["{\"orders\":[{\"id\":1},{\"id\":2,\"cust", "[1,2", "{\"a\":"] {
            assert!(off(cut), "{cut}");
        }
        for whole in ["{\"orders\":[]}", "", "not json", "{\"a\":1}}", "{a:1}"] {
            assert!(!off(whole), "{whole}");
        }
        let mut kept = response(200).json("{\"orders\":[1,").build();
        kept.body.byte_count += 100;
        assert!(!breaks_off(&kept), "only its beginning was kept");
    }

    #[test]
    fn a_page_of_an_error_is_told_from_a_page_about_errors() {
        let tells = |title: &str| {
            let page = format!("<!doctype html><html lang=en><head><title>{title}</title></head>");
            tells_failure(&response(200).html(&page).build(), &[])
        };
        for title in
            ["404: This page could not be found", "404 - Page not found - Example", "Server Error (500)"]
        {
            assert!(tells(title), "{title}");
        }
        for title in [
            "502 Bad Gateway, explained",
            "500 errors and how to mend them",
            "Errors we have met",
            "404 Media",
        ] {
            assert!(!tells(title), "{title}");
        }
    }

    #[test]
    fn a_refusal_of_the_host_may_name_it() {
        let refuses = |text: &str| refuses_host(&response(403).html(text).build());
        assert!(refuses("Host api.example.test is not allowed"));
        assert!(refuses("The host \"api.example.test\" is not permitted here"));
        assert!(refuses("Invalid Host header"));
        assert!(!refuses("The host of the party is not allowed to bet"));
    }

    #[test]
    fn a_number_or_a_word_in_the_place_of_the_status_is_a_failure() {
        let tells = |text: &str, keys: &[String]| tells_failure(&response(200).json(text).build(), keys);
        assert!(tells(r#"{"code":500,"msg":"internal error","data":null}"#, &[]));
        assert!(tells(r#"{"statusCode":503,"message":"Service Unavailable"}"#, &[]));
        assert!(tells(r#"{"result":"failure"}"#, &[]));
        assert!(tells(r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32603,"message":"Internal error"}}"#, &[]));
        assert!(!tells(r#"{"code":0,"msg":"success","data":[]}"#, &[]));
        assert!(!tells(r#"{"code":452,"name":"Harbour"}"#, &[]), "a number without words is a number");
        assert!(!tells(r#"{"id":7,"code":404,"message":"a record of a request"}"#, &[]));
        assert!(!tells(r#"{"code":404,"message":"x"}"#, &["code".to_owned()]), "declared to be there");
    }

    #[test]
    fn a_list_of_errors_without_data_is_a_failure() {
        let tells = |text: &str, keys: &[String]| tells_failure(&response(200).json(text).build(), keys);
        for text in [
            r#"{"errors":[{"message":"Internal server error","path":["venues"]}],"data":{"venues":null}}"#,
            r#"{"data":null,"errors":[{"message":"no"}]}"#,
            r#"{"errors":[{"status":"500","title":"Server error"}]}"#,
        ] {
            assert!(tells(text, &[]), "{text}");
        }
        for text in [
            r#"{"data":{"venues":[]},"errors":[{"message":"one of forty was left out"}]}"#,
            r#"{"errors":[],"data":null}"#,
            r#"{"errors":["E1","E2"]}"#,
        ] {
            assert!(!tells(text, &[]), "{text}");
        }
        let list = r#"{"errors":[{"code":"E1"}]}"#;
        assert!(!tells(list, &["errors".into()]), "a list that is what the path serves");
    }

    #[test]
    fn a_refusal_that_speaks_of_the_host_is_one_for_the_host() {
        let says = |text: &str| refuses_host(&response(400).body(text).build());
        for text in [
            "Invalid host header",
            "<p>Invalid HTTP_HOST header: 'x'. You may need to add it</p>",
            r#"{"error":"host not allowed"}"#,
            r#"{"message":"Unknown hostname"}"#,
        ] {
            assert!(says(text), "{text}");
        }
        for text in ["Bad Request", "the host of the meeting was not found", "ghost is not allowed"] {
            assert!(!says(text), "{text}");
        }
    }

    #[test]
    fn error_pages_with_a_good_status_are_known_by_their_title() {
        let tells = |text: &str| tells_failure(&response(200).html(text).build(), &[]);
        assert!(tells("<!doctype html><title>500 Internal Server Error</title>"));
        assert!(tells("<html><head><title>Down for maintenance</title></head></html>"));
        assert!(tells("Internal Server Error"));
        assert!(tells("Traceback (most recent call last):\n  File"));
        assert!(!tells("<!doctype html><title>Error tracking for teams</title>"), "a product's name");
        assert!(!tells("<!doctype html><title>Shop</title><p>Internal Server Error is a film</p>"));
        assert!(!tells_failure(&response(200).json(r#"{"ok":true,"error":null}"#).build(), &[]));
    }
}
