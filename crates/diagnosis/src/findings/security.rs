//! Security headers, judged by what acts on them.
//!
//! An API is called by programs, which obey none of the headers that protect pages. So an API is measured by its own
//! profile: Strict-Transport-Security, X-Content-Type-Options, CORS with credentials, cookies, and Cache-Control on JSON.
//! The first four take the points of MDN's Observatory; the last takes five, our own choice (a JSON answer that says
//! nothing may be kept by any cache that wants to, RFC 9111 section 4.2.2). The Observatory's number stands beside it.

use landfall_evidence::{HttpResponse, Observation, Observed, Purpose, TrustResult, Vantage};
use url::Url;

use super::observatory::{self, Plain, Scan, Score};
use super::{codes, raise};
use crate::Finding;
use crate::case::Case;
use crate::facts::{BodyKind, body_kind};
use crate::view::{Reading, is_json};

/// Points for JSON that says nothing of caching.
const UNSAID_CACHING: i32 = -5;

pub(super) fn findings(case: &Case<'_>) -> Option<Finding> {
    let view = Look::of(case).filter(|_| case.view.is_deep())?;
    if !view.is_api || view.missing.is_empty() {
        return None;
    }
    Some(raise(
        &codes::HTTP_HEADERS_OF_AN_API,
        format!("Headers of an API: {}", view.in_words()),
        "Each of these acts on clients that API answers meet; the headers of pages are left out on purpose.",
        "Send Strict-Transport-Security, X-Content-Type-Options: nosniff and, on JSON that is made for one caller, Cache-Control: no-store.",
        vec![view.observation.id.clone()],
    ))
}

/// One line for the table of specifications, with the observation that it rests on.
pub(crate) fn headers_in_words<'a>(case: &Case<'a>) -> Option<(String, &'a Observation)> {
    let look = Look::of(case)?;
    Some((look.in_words(), look.observation))
}

struct Look<'a> {
    observation: &'a Observation,
    path: &'a str,
    is_api: bool,
    points: i32,
    missing: Vec<String>,
    observatory: Option<Score>,
}

impl<'a> Look<'a> {
    /// Looks at the first good answer of production. `None` when there is none that the Observatory would judge.
    fn of(case: &Case<'a>) -> Option<Self> {
        let readings = case.view.readings(Vantage::Edge);
        let good: Vec<&Reading<'a>> =
            readings.into_iter().filter(|r| r.is_good() && r.endpoint.is_safe()).collect();
        let (observation, seen, response) = good.iter().find_map(|r| {
            let (observation, seen) = r.at?;
            Some((observation, seen, seen.answer.present()?))
        })?;
        let url = Url::parse(&seen.request.url).ok()?;
        let stranger = case.view.trial("cors-stranger").and_then(|x| {
            let origin = x.seen.request.headers.iter().find(|h| h.name == "origin")?;
            Some((x.response()?, origin.value.as_str()))
        });
        let scan = Scan {
            response,
            url: &url,
            plain: plain(case),
            trusted: trusted(case),
            preloaded: false,
            stranger,
        };
        let observatory = observatory::score(&scan)?;
        let pages = good.iter().filter_map(|r| r.response()).any(|r| body_kind(r) == BodyKind::Html);
        let is_api = is_json(response) && !pages;
        let hsts = observatory::hsts(&scan);
        let of_api = [
            hsts,
            observatory::content_type_options(response),
            observatory::cors(response, stranger),
            observatory::cookies(response, hsts.points >= 0),
        ];
        let mut missing: Vec<String> = of_api
            .iter()
            .filter(|mark| mark.points < 0)
            .map(|mark| format!("{} {} ({})", mark.test, mark.outcome, mark.points))
            .collect();
        let mut points: i32 = 100 + of_api.iter().map(|mark| mark.points.min(0)).sum::<i32>();
        if is_json(response) && !says_caching(response) {
            missing.push(format!("Cache-Control absent on JSON ({UNSAID_CACHING})"));
            points += UNSAID_CACHING;
        }
        Some(Self {
            observation,
            path: &seen.request.path,
            is_api,
            points: points.max(0),
            missing,
            observatory: Some(observatory),
        })
    }

    fn in_words(&self) -> String {
        let second = self
            .observatory
            .as_ref()
            .map(|score| format!("MDN Observatory would give {} ({})", score.points, score.grade));
        let second = second.unwrap_or_default();
        if !self.is_api {
            return format!("{second} for {}", self.path);
        }
        let missing =
            if self.missing.is_empty() { "nothing missing".to_owned() } else { self.missing.join(", ") };
        format!("{} of 100 for {}: {missing}; as a second opinion, {second}", self.points, self.path)
    }
}

fn says_caching(response: &HttpResponse) -> bool {
    response.header("cache-control").is_some() || response.header("expires").is_some()
}

/// Whether some store trusts the chain at every address that showed one.
fn trusted(case: &Case<'_>) -> bool {
    case.evidence()
        .tls()
        .filter(|(o, _)| o.vantage == Vantage::Edge)
        .filter_map(|(_, seen)| seen.answer.present())
        .all(|shown| {
            shown.name_matches && shown.trust.iter().any(|t| matches!(t.result, TrustResult::Trusted { .. }))
        })
}

/// What port 80 did. Where nobody asked, there is nothing to take points for.
fn plain(case: &Case<'_>) -> Plain {
    let asked = case
        .evidence()
        .http_of(Vantage::Edge, Purpose::PlainHttp)
        .filter(|(o, _)| !case.view.is_refusal(&o.id))
        .max_by_key(|(o, _)| o.attempt);
    match asked.map(|(_, seen)| &seen.answer) {
        Some(Observed::Present(response)) => {
            match response.redirect_to.as_deref().and_then(|to| Url::parse(to).ok()) {
                Some(first)
                    if first.host_str() == case.production().and_then(Url::host_str) && !trusted(case) =>
                {
                    Plain::BadChain
                }
                // The way further is not followed; a first step to HTTPS is taken for one that stays there.
                Some(first) => Plain::Redirects { ends_on_https: first.scheme() == "https", first },
                None => Plain::Answers,
            }
        }
        _ => Plain::NoHttp,
    }
}
