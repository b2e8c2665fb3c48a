//! Header fields that matter to an API: not the full list for web pages, on which programs do not act.

use jiff::fmt::rfc2822;
use landfall_evidence::{HttpResponse, Purpose, Vantage};

use super::http::ids_of;
use super::{codes, raise, with_severity};
use crate::case::Case;
use crate::facts::is_health_path;
use crate::fields::{CacheReading, CacheWord, Hsts};
use crate::thresholds;
use crate::view::Reading;
use crate::words::in_words;
use crate::{Finding, Severity};

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found = headers(case);
    found.extend(policy(case));
    found.extend(clock(case));
    found
}

/// What is odd about the policy of the first good answer that carries one; clients take the first field line alone (RFC
/// 6797, section 8.1).
fn policy(case: &Case<'_>) -> Option<Finding> {
    let url = case.production().filter(|url| url.scheme() == "https")?;
    let host = url.domain()?;
    let readings = case.view.readings(Vantage::Edge);
    let good = || readings.iter().filter(|r| r.is_good());
    let Some((id, field)) =
        good().find_map(|r| Some((r.id()?, r.response()?.header("strict-transport-security")?)))
    else {
        return over_plain_http(case).filter(|_| good().next().is_some());
    };
    let mut severity = codes::HTTP_HSTS_FAULT.severity;
    let words = match Hsts::parse(field) {
        None => {
            severity = Severity::Low;
            vec![format!("{field:?} is not of its form, so that clients ignore it")]
        }
        Some(policy) if policy.max_age_s == 0 => vec!["max-age=0 takes the policy back".to_owned()],
        Some(policy) if policy.preload => unfit_for_preload(case, host, policy),
        Some(policy) if policy.max_age_s < case.limit(&thresholds::HSTS_AGE) => vec![format!(
            "it is remembered for {} s {}",
            policy.max_age_s,
            case.source(&thresholds::HSTS_AGE)
        )],
        Some(_) => Vec::new(),
    };
    (!words.is_empty()).then(|| {
        let finding = raise(
            &codes::HTTP_HSTS_FAULT,
            format!("Strict-Transport-Security: {}", in_words(&words)),
            "Browsers begin in the clear where they were meant not to; programs do not care.",
            "Send Strict-Transport-Security: max-age=31536000 once every name below is on HTTPS, and preload only on the registered domain.",
            vec![id.clone()],
        );
        with_severity(finding, severity)
    })
}

/// The policy over plain HTTP, where it binds nobody (RFC 6797, section 8.1), and nowhere else.
fn over_plain_http(case: &Case<'_>) -> Option<Finding> {
    let plain = case.evidence().http_of(Vantage::Edge, Purpose::PlainHttp);
    let (o, _) = plain
        .filter_map(|(o, seen)| Some((o, seen.answer.present()?.header("strict-transport-security")?)))
        .next()?;
    Some(raise(
        &codes::HTTP_HSTS_FAULT,
        "Strict-Transport-Security: it is sent over plain HTTP alone, where it binds nobody",
        "Browsers begin in the clear where they were meant not to; programs do not care.",
        "Send it over HTTPS.",
        vec![o.id.clone()],
    ))
}

/// Conditions of hstspreload.org that a policy asking for preloading does not meet, as far as answers show them.
fn unfit_for_preload(case: &Case<'_>, host: &str, policy: Hsts) -> Vec<String> {
    let mut missing = Vec::new();
    if policy.max_age_s < case.limit(&thresholds::HSTS_PRELOAD_AGE) {
        missing.push(format!(
            "its max-age is {} s {}",
            policy.max_age_s,
            case.source(&thresholds::HSTS_PRELOAD_AGE)
        ));
    }
    if !policy.include_subdomains {
        missing.push("includeSubDomains is missing".to_owned());
    }
    if let Some(domain) = psl::domain_str(host).filter(|domain| !domain.eq_ignore_ascii_case(host)) {
        missing.push(format!("only {domain} itself can be entered"));
    }
    let plain = case.evidence().http_of(Vantage::Edge, Purpose::PlainHttp).max_by_key(|(o, _)| o.attempt);
    if let Some(response) =
        plain.and_then(|(o, seen)| seen.answer.present().filter(|_| !case.view.is_refusal(&o.id)))
    {
        let to = response.redirect_to.as_deref().and_then(|to| url::Url::parse(to).ok());
        if !to.is_some_and(|to| to.scheme() == "https" && to.host_str() == Some(host)) {
            missing.push("port 80 does not lead to HTTPS on the same host".to_owned());
        }
    }
    match missing.as_slice() {
        [] => missing,
        _ => vec![format!("it asks for preloading, for which {}", in_words(&missing))],
    }
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

#[cfg(test)]
mod tests {
    use landfall_evidence::Observed;

    use super::*;
    use crate::testworld::{World, deployed};

    fn with_policy(world: World, field: &'static str) -> World {
        world.edit_http(move |seen| {
            if let (Observed::Present(response), true) =
                (&mut seen.answer, seen.request.purpose != Purpose::PlainHttp)
            {
                response.headers.retain(|h| h.name != "strict-transport-security");
                if !field.is_empty() {
                    response.headers.push(landfall_evidence::Header {
                        name: "strict-transport-security".into(),
                        value: field.into(),
                    });
                }
            }
        })
    }

    #[test]
    fn a_policy_is_held_against_what_it_claims() {
        // The host of this world, api.levqor.ai, is no registered domain.
        for (field, severity, parts) in [
            ("max-age=31536000", None, &[][..]),
            ("max-age=31536000; includeSubDomains", None, &[]),
            ("max-age=1d", Some(Severity::Low), &["is not of its form"]),
            ("max-age=0", Some(Severity::Info), &["takes the policy back"]),
            ("max-age=600", Some(Severity::Info), &["remembered for 600 s (threshold 15768000"]),
            (
                "max-age=600; preload",
                Some(Severity::Info),
                &["max-age is 600 s", "includeSubDomains is missing", "only levqor.ai itself"],
            ),
            (
                "max-age=63072000; includeSubDomains; preload",
                Some(Severity::Info),
                &["only levqor.ai itself"],
            ),
        ] {
            let found = with_policy(deployed(), field).findings(codes::HTTP_HSTS_FAULT.code);
            assert_eq!(found.first().map(|f| f.severity), severity, "{field}: {found:?}");
            for part in parts {
                assert!(found[0].title.contains(part), "{field}: {}", found[0].title);
            }
        }
    }

    #[test]
    fn a_policy_over_plain_http_alone_binds_nobody() {
        let world = with_policy(deployed(), "").edit_http(|seen| {
            if let (Observed::Present(response), true) =
                (&mut seen.answer, seen.request.purpose == Purpose::PlainHttp)
            {
                response.headers.push(landfall_evidence::Header {
                    name: "strict-transport-security".into(),
                    value: "max-age=31536000".into(),
                });
            }
        });
        let found = world.findings(codes::HTTP_HSTS_FAULT.code);
        assert!(found[0].title.contains("over plain HTTP alone"), "{found:?}");
    }
}
