//! What pages of browsers make of production's answers (the CORS protocol of the Fetch standard).

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::{ObservationId, Vantage};

use super::{codes, raise};
use crate::Finding;
use crate::case::Case;
use crate::facts::{CORS_GET, CORS_PREFLIGHT, Exchange, why_refused};
use crate::thresholds;
use crate::words::in_words;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(refused(case));
    found.extend(on_errors(case));
    found.extend(vary(case));
    found.extend(max_age(case));
    found.extend(anyone(case));
    found
}

/// The trials that carry an `Origin`, each with it.
fn asked<'c>(case: &'c Case<'_>) -> impl Iterator<Item = (&'c Exchange<'c>, &'c str)> {
    case.view.exchanges.trials.iter().filter(|x| x.vantage == Vantage::Edge).filter_map(|x| {
        let origin = x.seen.request.headers.iter().find(|h| h.name == "origin")?;
        Some((x, origin.value.as_str()))
    })
}

fn name<'x>(x: &'x Exchange<'_>) -> &'x str {
    x.seen.request.trial.as_ref().map_or("", |trial| trial.name.as_str())
}

/// A sentence's part for each of the reasons of [`why_refused`].
fn say(why: &str) -> &'static str {
    match why {
        "no-header" => "Access-Control-Allow-Origin is missing",
        "wildcard-with-credentials" => "it is * together with credentials",
        "other-origin" => "it names another origin",
        "twice" => "it is there twice or names several",
        "preflight-status" => "the preflight is not answered with success",
        "method" => "the method is not among those allowed",
        _ => "it is refused",
    }
}

fn refused(case: &Case<'_>) -> Option<Finding> {
    let mut by_origin: BTreeMap<&str, (BTreeSet<&'static str>, Vec<ObservationId>)> = BTreeMap::new();
    for (x, origin) in asked(case).filter(|(x, _)| matches!(name(x), CORS_GET | CORS_PREFLIGHT)) {
        // An error says nothing of what a page may do where there is none.
        let Some(response) = x.response() else { continue };
        let plain = case.view.plain_of(x).map(|(_, plain)| plain.status);
        if response.status >= 500 || (name(x) == CORS_GET && plain.is_none_or(|status| status >= 400)) {
            continue;
        }
        let method = x.seen.request.headers.iter().find(|h| h.name == "access-control-request-method");
        let why = why_refused(x, response, origin, method.map(|h| h.value.as_str()));
        if !why.is_empty() {
            let slot = by_origin.entry(origin).or_default();
            slot.0.extend(why);
            slot.1.push(x.id());
        }
    }
    let words: Vec<String> = by_origin
        .iter()
        .map(|(origin, (why, _))| {
            format!("{origin}: {}", in_words(&why.iter().map(|why| say(why)).collect::<Vec<_>>()))
        })
        .collect();
    (!words.is_empty()).then(|| {
        raise(
            &codes::HTTP_CORS_REFUSED,
            format!("A page may not call production from a browser ({})", words.join("; ")),
            "The page shows an error that its developers cannot read; programs work.",
            "Name the page's origin, scheme and port included, in the application's list of allowed origins, and let OPTIONS pass every hop.",
            by_origin.into_values().flat_map(|(_, ids)| ids).collect(),
        )
    })
}

fn on_errors(case: &Case<'_>) -> Option<Finding> {
    let without: Vec<_> = asked(case)
        .filter(|(x, _)| name(x) == CORS_GET)
        .filter_map(|(x, _)| Some((x, x.response()?)))
        .filter(|(_, r)| r.status >= 400 && r.header("access-control-allow-origin").is_none())
        .collect();
    let (first, response) = without.first()?;
    let writer = match &first.writer {
        Some(Ok(writer)) if !first.by_app() => format!(" of the {}", writer.name()),
        _ => String::new(),
    };
    Some(raise(
        &codes::HTTP_CORS_ON_ERRORS,
        format!("The {}{writer} comes without the CORS headers", response.status),
        "Browsers report it as CORS, and the search begins in the wrong place.",
        "Mend the error itself; then let the hop that writes error pages add the CORS headers as well.",
        without.iter().map(|(x, _)| x.id()).collect(),
    ))
}

/// Where the allowed origin is not the same for all who ask, caches have to be told.
fn vary(case: &Case<'_>) -> Option<Finding> {
    let allowed = |response: &landfall_evidence::HttpResponse| {
        response.header("access-control-allow-origin").map(str::to_owned)
    };
    let answers: Vec<_> = asked(case)
        .filter(|(x, _)| name(x) != CORS_PREFLIGHT)
        .filter_map(|(x, origin)| Some((x, origin, x.response().filter(|r| r.status < 400)?)))
        .collect();
    let mut kinds: BTreeSet<Option<String>> = answers.iter().map(|(_, _, r)| allowed(r)).collect();
    kinds.extend(
        answers.iter().filter_map(|(x, _, _)| case.view.plain_of(x)).map(|(_, plain)| allowed(plain)),
    );
    if kinds.len() < 2 {
        return None;
    }
    let silent: Vec<_> = answers
        .iter()
        .filter(|(_, origin, r)| {
            let varies = r.headers.iter().filter(|h| h.name == "vary").any(|h| {
                h.value.split(',').map(str::trim).any(|v| v == "*" || v.eq_ignore_ascii_case("origin"))
            });
            allowed(r).as_deref() == Some(origin) && !varies
        })
        .collect();
    (!silent.is_empty()).then(|| {
        raise(
            &codes::HTTP_CORS_VARY,
            "Access-Control-Allow-Origin depends on the caller, and Vary does not name Origin",
            "A cache gives one page's answer to another, whose browser refuses it: CORS errors that come and go.",
            "Send Vary: Origin on every answer of the path, also on those to callers without an origin.",
            silent.iter().map(|(x, _, _)| x.id()).collect(),
        )
    })
}

fn max_age(case: &Case<'_>) -> Option<Finding> {
    let long = asked(case).filter(|(x, _)| name(x) == CORS_PREFLIGHT).find_map(|(x, _)| {
        let age = x.response()?.header("access-control-max-age")?.trim().parse::<u64>().ok()?;
        (age > case.limit(&thresholds::PREFLIGHT_AGE)).then(|| (x.id(), age))
    });
    let (id, age) = long.filter(|_| case.view.is_deep())?;
    Some(raise(
        &codes::HTTP_CORS_MAX_AGE,
        format!("The preflight may be remembered for {age} s {}", case.source(&thresholds::PREFLIGHT_AGE)),
        "It is asked again sooner than the header says.",
        "Leave it, or write 7200, so that it says what happens.",
        vec![id],
    ))
}

fn anyone(case: &Case<'_>) -> Option<Finding> {
    let (x, _) = asked(case).find(|(x, origin)| {
        name(x) == "cors-stranger"
            && x.response().is_some_and(|r| {
                r.header("access-control-allow-origin") == Some(origin)
                    && r.header("access-control-allow-credentials").is_some_and(|v| v.trim() == "true")
            })
    })?;
    Some(raise(
        &codes::HTTP_CORS_ANYONE,
        "Any page may call with the user's credentials",
        "Every site that a user visits can read what the user's cookies open.",
        "Compare the caller's origin with a list, and send both headers only for those on it.",
        vec![x.id()],
    ))
}
