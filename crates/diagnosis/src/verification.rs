//! The requests that prove a repair: every endpoint once, and then a pace that a monitor would keep.

use landfall_evidence::{Endpoint, Vantage};
use url::Url;

use crate::case::Case;
use crate::facts::is_health_path;
use crate::view::{is_json, keys};
use crate::words::in_words;
use crate::{Verification, VerificationProbe};

/// Endpoints asked at most.
const MOST_ENDPOINTS: usize = 12;
/// The pace check: the seed's loop.
const PACE_REQUESTS: u32 = 10;
const PACE_EVERY_MS: u64 = 1000;

/// All requests, in the order in which they are to be made; empty when no production URL is known.
pub(crate) fn verification(case: &Case<'_>) -> Vec<Verification> {
    let Some(base) = case.production() else { return Vec::new() };
    let endpoints: Vec<&Endpoint> = case
        .view
        .readings(Vantage::Edge)
        .into_iter()
        .map(|r| r.endpoint)
        .filter(|e| e.is_safe())
        .take(MOST_ENDPOINTS)
        .collect();
    let mut steps: Vec<Verification> = endpoints.iter().map(|e| get(case, base, e)).collect();
    let paced = endpoints.iter().find(|e| is_health_path(&e.path)).or(endpoints.first());
    steps.extend(paced.map(|e| pace(base, e)));
    steps
}

fn get(case: &Case<'_>, base: &Url, endpoint: &Endpoint) -> Verification {
    let url = url_of(base, &endpoint.path);
    let local =
        case.view.reading(Vantage::Local, endpoint).filter(|r| r.is_good()).and_then(|r| r.response());
    let status = statuses(endpoint);
    // What the local backend answers today is what should be seen, unless the target says it itself.
    let json_keys =
        match (&endpoint.expect.json_keys, local.filter(|r| (200..300).contains(&r.status)).and_then(keys)) {
            (declared, _) if !declared.is_empty() => declared.clone(),
            (_, Some(seen)) => seen,
            _ => Vec::new(),
        };
    let content_type = endpoint
        .expect
        .content_type
        .clone()
        .or_else(|| local.filter(|r| is_json(r)).and_then(|r| r.media_type()));
    let mut expect = vec![format!("status {}", either(&status))];
    expect.extend(content_type.as_ref().map(|t| t.to_string()));
    if !json_keys.is_empty() {
        expect.push(format!("a JSON object with {}", in_words(&json_keys)));
    }
    Verification {
        title: format!("{} answers", endpoint.path),
        request: format!("curl -sS -i {}", quoted(&url)),
        expect: expect.join(", "),
        probe: VerificationProbe::Get { url, status, content_type, json_keys },
    }
}

fn pace(base: &Url, endpoint: &Endpoint) -> Verification {
    let url = url_of(base, &endpoint.path);
    let status = statuses(endpoint);
    Verification {
        title: format!("{PACE_REQUESTS} requests a second apart are not refused"),
        request: format!(
            "for i in $(seq 1 {PACE_REQUESTS}); do curl -sS -o /dev/null -w '%{{http_code}}\\n' {}; sleep 1; done",
            quoted(&url)
        ),
        expect: format!("{PACE_REQUESTS} times status {}", either(&status)),
        probe: VerificationProbe::Pace { url, requests: PACE_REQUESTS, every_ms: PACE_EVERY_MS, status },
    }
}

/// The URL of an endpoint: its path takes the place of whatever path the base has, as in the audit's own requests.
pub(crate) fn url_of(base: &Url, path_and_query: &str) -> String {
    let (path, query) = path_and_query.split_once('?').map_or((path_and_query, None), |(p, q)| (p, Some(q)));
    let mut url = base.clone();
    url.set_path(path);
    url.set_query(query);
    url.set_fragment(None);
    url.to_string()
}

fn statuses(endpoint: &Endpoint) -> Vec<u16> {
    if endpoint.expect.status.is_empty() { vec![200] } else { endpoint.expect.status.clone() }
}

fn either(status: &[u16]) -> String {
    status.iter().map(u16::to_string).collect::<Vec<_>>().join(" or ")
}

/// A word for a POSIX shell. URLs are already percent-encoded, but may hold an apostrophe.
pub(crate) fn quoted(text: &str) -> String {
    let plain = |c: char| {
        c.is_ascii_alphanumeric() || matches!(c, '/' | ':' | '.' | '-' | '_' | '%' | '=' | ',' | '@' | '+')
    };
    if !text.is_empty() && text.chars().all(plain) {
        text.to_owned()
    } else {
        format!("'{}'", text.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_quoted_for_a_shell_only_when_needed() {
        let cases = [
            ("https://api.example.test/health", "https://api.example.test/health"),
            ("https://api.example.test/a?b=1&c=2", "'https://api.example.test/a?b=1&c=2'"),
            ("it's", r"'it'\''s'"),
            ("", "''"),
        ];
        for (text, want) in cases {
            assert_eq!(quoted(text), want);
        }
    }
}
