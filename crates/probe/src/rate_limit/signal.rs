//! How a response says that a limiter refused the request.

use jiff::Timestamp;
use landfall_evidence::{Header, HttpResponse};

use super::headers;
use crate::net::Refusal;

/// Characters of a refusal's body that are kept.
const BODY_CHARACTERS: usize = 512;

/// The refusal in a response, if it is one.
///
/// 429 always is (RFC 6585, section 4). 503 and 403 are used by limiters too, but also say other things; they count only
/// with a limiter's own headers: a 503 with Retry-After, or either with a quota that is used up.
pub(crate) fn refusal(response: &HttpResponse) -> Option<Refusal> {
    let retry_after_s = retry_after_s(response);
    let used_up = || {
        headers::stated(&response.headers, told_at(response)).iter().any(|stated| stated.remaining == Some(0))
    };
    let refused = match response.status {
        429 => true,
        503 => retry_after_s.is_some() || used_up(),
        403 => used_up(),
        _ => false,
    };
    refused.then(|| Refusal { status: response.status, retry_after_s, body: excerpt(response) })
}

/// The headers of a response that speak of limits, as sent.
pub(crate) fn limit_headers(response: &HttpResponse) -> Vec<Header> {
    response.headers.iter().filter(|header| headers::speaks_of_limits(&header.name)).cloned().collect()
}

/// Retry-After in seconds from the response. A date counts from the server's own Date where it sent one, because the two
/// come from the same clock.
fn retry_after_s(response: &HttpResponse) -> Option<u64> {
    headers::retry_after_s(response.header("retry-after")?, told_at(response))
}

/// The server's time of a response where it tells it, else ours.
pub(super) fn told_at(response: &HttpResponse) -> Timestamp {
    response.header("date").and_then(headers::http_date).unwrap_or_else(Timestamp::now)
}

/// Whether a response is a challenge, by what the two large edges mark those with that they issue to programs.
pub(super) fn is_challenge(response: &HttpResponse) -> bool {
    ["cf-mitigated", "x-vercel-mitigated"].iter().any(|name| response.header(name).is_some())
}

/// The refusal in a response without a limiter's headers, of a status that limiters use: nginx's `limit_req` answers 503
/// unless told otherwise (its documentation, `limit_req_status`), django-ratelimit 403.
///
/// Such a status says other things too. It only counts where the same question was answered just before, and never for a
/// challenge.
pub(super) fn bare_refusal(response: &HttpResponse, answered_just_before: bool) -> Option<Refusal> {
    let possible = matches!(response.status, 503 | 403) && answered_just_before && !is_challenge(response);
    possible.then(|| Refusal {
        status: response.status,
        retry_after_s: retry_after_s(response),
        body: excerpt(response),
    })
}

fn excerpt(response: &HttpResponse) -> Option<String> {
    let text = response.body.text.as_deref().filter(|text| !text.is_empty())?;
    Some(text.chars().take(BODY_CHARACTERS).collect())
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{Body, HttpVersion, ReadOnce};

    use super::*;

    fn response(status: u16, headers: &[(&str, &str)]) -> HttpResponse {
        HttpResponse {
            version: HttpVersion::H2,
            status,
            headers: headers.iter().map(|(n, v)| Header { name: (*n).into(), value: (*v).into() }).collect(),
            body: Body {
                byte_count: 16,
                complete: true,
                cut: None,
                text: Some("error code: 1015".into()),
                sha256: String::new(),
                opening: None,
                simhash: None,
                document: None,
                decoded: None,
                read: ReadOnce::default(),
            },
            redirect_to: None,
        }
    }

    #[test]
    fn a_429_is_a_refusal_with_or_without_its_headers() {
        assert_eq!(refusal(&response(429, &[])).map(|r| r.retry_after_s), Some(None));
        let told = refusal(&response(429, &[("retry-after", "10")])).expect("refused");
        assert_eq!((told.retry_after_s, told.body.as_deref()), (Some(10), Some("error code: 1015")));
    }

    #[test]
    fn a_date_counts_from_the_servers_own_clock() {
        let headers =
            [("date", "Sun, 06 Nov 1994 08:49:37 GMT"), ("retry-after", "Sun, 06 Nov 1994 08:49:49 GMT")];
        assert_eq!(refusal(&response(503, &headers)).and_then(|r| r.retry_after_s), Some(12));
    }

    #[test]
    fn other_statuses_need_a_limiters_headers() {
        assert_eq!(refusal(&response(503, &[])), None, "an outage says the same");
        assert_eq!(refusal(&response(403, &[("retry-after", "10")])), None);
        assert!(refusal(&response(403, &[("x-ratelimit-remaining", "0")])).is_some());
        assert!(refusal(&response(503, &[("ratelimit", "\"burst\";r=0;t=5")])).is_some());
        assert_eq!(refusal(&response(200, &[("x-ratelimit-remaining", "0")])), None);
    }

    #[test]
    fn headers_of_other_subjects_are_left_out() {
        let kept = limit_headers(&response(
            429,
            &[("server", "cloudflare"), ("retry-after", "10"), ("x-ratelimit-limit", "5")],
        ));
        assert_eq!(
            kept.iter().map(|h| h.name.as_str()).collect::<Vec<_>>(),
            ["retry-after", "x-ratelimit-limit"]
        );
    }
}
