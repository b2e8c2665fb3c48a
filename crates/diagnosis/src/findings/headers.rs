//! Header fields that matter to an API: not the full list for web pages, on which programs do not act.

use jiff::fmt::rfc2822;
use landfall_evidence::{HttpResponse, Vantage};

use super::http::ids_of;
use super::{codes, raise};
use crate::Finding;
use crate::case::Case;
use crate::facts::is_health_path;
use crate::fields::{CacheReading, CacheWord};
use crate::thresholds;
use crate::view::Reading;
use crate::words::in_words;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found = headers(case);
    found.extend(clock(case));
    found
}

fn headers(case: &Case<'_>) -> Vec<Finding> {
    let good: Vec<&Reading<'_>> =
        case.view.readings(Vantage::Edge).into_iter().filter(|r| r.is_good()).collect();
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
            let attributes: Vec<String> =
                h.value.split(';').skip(1).map(|a| a.trim().to_ascii_lowercase()).collect();
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
            format!(
                "{} comes from a cache",
                in_words(&cached.iter().map(|r| r.endpoint.path.as_str()).collect::<Vec<_>>())
            ),
            "It says what was true some time ago, and stays green over a dead origin.",
            "Answer health paths with Cache-Control: no-store, and exclude them from the edge's cache.",
            ids_of(&cached),
        ));
    }
    found
}

fn from_cache(response: &HttpResponse) -> bool {
    CacheReading::of_response(response).is_some_and(|reading| reading.word == CacheWord::Stored)
}

fn clock(case: &Case<'_>) -> Option<Finding> {
    static PARSER: rfc2822::DateTimeParser = rfc2822::DateTimeParser::new();
    let (o, response) =
        case.evidence().http().filter(|(o, _)| o.vantage == Vantage::Edge).find_map(|(o, seen)| {
            let response = seen.answer.present()?;
            // A cached answer carries the date of the day on which it was made.
            (response.header("date").is_some() && !from_cache(response)).then_some((o, response))
        })?;
    let said = PARSER.parse_timestamp(response.header("date")?).ok()?.as_second();
    let ours = case.evidence().started_at.as_second() + i64::try_from(o.ended_us() / 1_000_000).ok()?;
    let apart = (said - ours).abs();
    (apart.unsigned_abs() > case.limit(&thresholds::CLOCK)).then(|| {
        raise(
            &codes::HTTP_CLOCK,
            format!(
                "Production's clock and this machine's are {apart} s apart {}",
                case.source(&thresholds::CLOCK)
            ),
            "Signed tokens may be refused; dates in this report may be off.",
            "Compare both with a third clock, and synchronise the wrong one.",
            vec![o.id.clone()],
        )
    })
}
