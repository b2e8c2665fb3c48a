//! What a hop before the application says of the way behind it: by a code or page of its own, by its cache, and by where
//! it sends people.
//!
//! A status alone names no cause. A closed port is 502 behind nginx and Caddy and 503 behind HAProxy, and nginx gives one
//! page for a refused connection, a failed handshake and a malformed answer. Where a hop does name the reason (a vendor's
//! code, a page that only one failure has) it is kept here as one word; where it does not, the word says only that.

use std::collections::BTreeSet;
use std::sync::OnceLock;

use landfall_evidence::{Evidence, HttpResponse, ObservationId, Observed, Phase, Purpose, Vantage};
use regex::Regex;
use serde_json::Value as Json;
use url::Url;

use super::writer::{Shape, Writer};
use super::{BodyKind, Exchange, Exchanges, FactKey, Facts, body_kind};
use crate::catalogue::Catalogue;
use crate::fields::{ProxyError, joined};
use crate::signatures::{Meaning, SignatureHop};

/// From here on an answer counts as slow. Every proxy's limit lies above; an instant refusal lies far below.
const SLOW_US: u64 = 1_500_000;
/// Below this an answer counts as quick.
const QUICK_US: u64 = 1_000_000;
/// Bodies longer than this are pages that may quote an error, and are not read for codes.
const SHORT_BODY_BYTE: u64 = 16 * 1024;
/// A signature below this weight needs a second sign, and names no reason by itself.
const SURE_PERCENT: u8 = 60;

/// Signatures whose page or code names the reason, with our word for it. The entries tell where each is known from.
///
/// HAProxy answers 503 for any failure before the request could be sent and 502 or 504 only after it (its manual, section
/// 8.5, termination states `SC` and `SH`/`sH`); Caddy answers 504 only when a connected server does not answer.
const SAYS: &[(&str, &str)] = &[
    ("cloudflare-520", "bad-response"),
    ("cloudflare-521", "origin-refused"),
    ("cloudflare-522", "connect-timeout"),
    ("cloudflare-523", "origin-unreachable"),
    ("cloudflare-524", "read-timeout"),
    ("cloudflare-525", "tls-handshake"),
    ("cloudflare-526", "tls-certificate"),
    ("cloudflare-1000", "points-at-itself"),
    ("cloudflare-1005", "address-banned"),
    ("cloudflare-1006", "address-banned"),
    ("cloudflare-1007", "address-banned"),
    ("cloudflare-1008", "address-banned"),
    ("cloudflare-1009", "address-banned"),
    ("cloudflare-1014", "cross-account"),
    ("cloudflare-1016", "dns"),
    ("cloudflare-1019", "points-at-itself"),
    ("cloudflare-1033", "tunnel-down"),
    ("cloudflare-1101", "code-failed"),
    ("cloudflare-1102", "code-failed"),
    ("cloudfront-function-failed", "code-failed"),
    ("cloudfront-geo-block", "address-banned"),
    ("cloudfront-origin-dns", "dns"),
    ("cloudfront-origin-dns-words", "dns"),
    ("cloudfront-502", "tls"),
    ("azure-frontdoor-external-tls", "tls-certificate"),
    ("azure-frontdoor-conn-refused", "origin-refused"),
    ("azure-frontdoor-conn-aborted", "bad-response"),
    ("azure-frontdoor-origin-dns", "dns"),
    ("fastly-first-byte-timeout", "read-timeout"),
    ("fastly-backend-read-error", "bad-response"),
    ("haproxy-503", "no-backend"),
    ("haproxy-502", "bad-response"),
    ("haproxy-504", "read-timeout"),
    ("caddy-504", "read-timeout"),
    ("ngrok-offline", "tunnel-down"),
    ("frp-not-found", "tunnel-down"),
    ("ngrok-not-found-legacy", "tunnel-down"),
    ("ngrok-upstream-refused", "origin-refused"),
    ("localtunnel-down", "tunnel-down"),
    ("netlify-edge-function-crashed", "code-failed"),
    ("netlify-inactivity-timeout", "read-timeout"),
    ("azure-app-service-ip-forbidden", "address-banned"),
    ("crowdsec-ban", "address-banned"),
    ("aws-http-api-503", "origin-timeout"),
    ("vercel-router-external-target-connection-error", "origin-refused"),
    ("vercel-router-external-target-handshake-error", "tls-handshake"),
    ("vercel-router-external-target-error", "bad-response"),
    ("vercel-edge-function-invocation-failed", "code-failed"),
    ("vercel-edge-function-invocation-timeout", "code-failed"),
    ("vercel-middleware-invocation-failed", "code-failed"),
    ("vercel-middleware-invocation-timeout", "code-failed"),
    ("vercel-infinite-loop-detected", "points-at-itself"),
    ("vercel-dns-hostname-not-found", "dns"),
    ("vercel-dns-hostname-empty", "dns"),
    ("vercel-dns-hostname-resolve-failed", "dns"),
    ("vercel-dns-hostname-server-error", "dns"),
    ("vercel-dns-hostname-resolved-private", "dns"),
    ("vercel-middleware-failed-body", "code-failed"),
    ("vercel-middleware-timeout-body", "code-failed"),
    ("vercel-loop-body", "points-at-itself"),
    ("digitalocean-app-unreachable", "origin-refused"),
    ("digitalocean-app-timeout", "read-timeout"),
    ("digitalocean-app-bad-response", "bad-response"),
    ("ngrok-offline-header", "tunnel-down"),
    ("ngrok-refused-header", "origin-refused"),
    ("envoy-stream-timeout", "read-timeout"),
    ("envoy-connect-tls", "tls-handshake"),
    ("sucuri-backend-timeout", "read-timeout"),
    ("squid-page-timeout", "read-timeout"),
    ("squid-page-dns", "dns"),
    ("apigee-tls", "tls-handshake"),
    ("tyk-dns", "dns"),
];

/// Cloudflare's own codes, as in the header `cf-error-type` or in the text of its page. Its documentation of 1xxx errors.
fn cloudflare_word(code: u16) -> Option<&'static str> {
    Some(match code {
        520 => "bad-response",
        521 => "origin-refused",
        522 => "connect-timeout",
        523 => "origin-unreachable",
        524 => "read-timeout",
        525 => "tls-handshake",
        526 => "tls-certificate",
        1000 | 1019 => "points-at-itself",
        1005..=1009 => "address-banned",
        1010..=1012 | 1020 => "rule-blocked",
        1014 => "cross-account",
        1016 => "dns",
        1033 => "tunnel-down",
        1101 | 1102 => "code-failed",
        _ => return None,
    })
}

/// What a hop said, with its code.
struct Said {
    word: &'static str,
    code: String,
}

pub(super) fn derive(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    for x in exchanges
        .all
        .iter()
        .filter(|x| matches!(x.purpose, Purpose::Endpoint | Purpose::Control | Purpose::RouteExistence))
    {
        let subject = x.subject();
        pace(x, &subject, facts);
        let Some(response) = x.response() else { continue };
        facts.known(FactKey::HttpHeaderByte, subject.as_str(), header_byte(response), [x.id()]);
        if x.vantage != Vantage::Local
            && let Some(said) = said(x, response)
        {
            facts.known(FactKey::EdgeSays, subject.as_str(), said.word, [x.id()]);
            facts.known(FactKey::EdgeCode, subject.as_str(), said.code, [x.id()]);
        }
        if (response.status >= 500 || matches!(response.status, 402 | 429)) && quota_text(response) {
            facts.known(FactKey::HttpQuota, subject.as_str(), "yes", [x.id()]);
        }
    }
    for vantage in [Vantage::Edge, Vantage::Origin] {
        vendors(vantage, exchanges, facts);
        wall(vantage, exchanges, facts);
    }
}

/// What only the comparison of names shows: needs the facts of single exchanges and of sites.
pub(super) fn compare(
    evidence: &Evidence,
    catalogue: &Catalogue,
    exchanges: &Exchanges<'_>,
    facts: &mut Facts,
) {
    for x in exchanges.of(Vantage::Edge, Purpose::Endpoint) {
        cached(x, exchanges, facts);
    }
    mixed(exchanges, facts);
    in_path(evidence, catalogue, exchanges, facts);
}

/// Whether an answer began late, or not at all although the connection stood.
fn pace(x: &Exchange<'_>, subject: &str, facts: &mut Facts) {
    let slow = match &x.seen.answer {
        Observed::Silent(silence) => silence.phase == Phase::Wait,
        Observed::Present(_) => match x.seen.timings.wait_us {
            Some(wait) if wait >= SLOW_US => true,
            Some(wait) if wait < QUICK_US => false,
            _ => return,
        },
        _ => return,
    };
    facts.known(FactKey::HttpSlow, subject, slow, [x.id()]);
}

/// The header block as HTTP/1.1 writes it: status line, fields and line ends, in bytes. Masked values count as they stand.
fn header_byte(response: &HttpResponse) -> i64 {
    let fields: usize = response.headers.iter().map(|h| h.name.len() + h.value.len() + 4).sum();
    i64::try_from(fields + 19).unwrap_or(i64::MAX)
}

/// The one word for what a hop says, where it says anything.
fn said(x: &Exchange<'_>, response: &HttpResponse) -> Option<Said> {
    if let Some(code) = response.header("cf-error-type").and_then(|value| value.trim().parse::<u16>().ok())
        && let Some(word) = cloudflare_word(code)
    {
        return Some(Said { word, code: code.to_string() });
    }
    let status = response.status;
    if status < 400 {
        return None;
    }
    // A proxy's own word, in a vocabulary that all of them share, beats whatever its page looks like.
    if let Some(error) = joined(response, "proxy-status").and_then(|field| ProxyError::parse(&field))
        && let Some(word) = error.word()
    {
        return Some(Said { word, code: error.error });
    }
    let named = x.reading.writers.iter().filter(|m| m.weight_percent >= SURE_PERCENT).find_map(|m| {
        let (_, word) = SAYS.iter().find(|(id, _)| *id == m.signature.id)?;
        Some(Said { word, code: code_of(response, status) })
    });
    if let Some(said) = named {
        return Some(said);
    }
    if let Some(code) = cloudflare_text(response)
        && let Some(word) = cloudflare_word(code)
    {
        return Some(Said { word, code: code.to_string() });
    }
    let best = x.reading.best().filter(|m| m.weight_percent >= SURE_PERCENT);
    let generic = |word| Some(Said { word, code: status.to_string() });
    match best.map(|m| m.signature.meaning) {
        Some(Meaning::WafChallenge) => return generic("challenge"),
        Some(Meaning::WafBlocked) => return generic("rule-blocked"),
        Some(Meaning::RequestTooLarge) => return generic(size_word(x)),
        _ => {}
    }
    if status == 400 && says_header_too_large(response) {
        return generic(size_word(x));
    }
    if x.by_app() {
        return None;
    }
    if (502..=504).contains(&status)
        && let Some(word) = reason_text(response)
    {
        return generic(word);
    }
    match (status, best.map(|m| m.signature.meaning)) {
        // Statuses that only one family of edges uses, and only for these reasons.
        (520..=526, _) => Some(Said { word: cloudflare_word(status)?, code: status.to_string() }),
        (451, _) => generic("address-banned"),
        (508, _) => generic("points-at-itself"),
        (413 | 414 | 431, _) => generic(size_word(x)),
        (502..=504, Some(Meaning::OriginDnsFailure)) => generic("dns"),
        (502..=504, Some(Meaning::OriginTlsFailure)) => generic("tls"),
        (504, _) => generic("origin-timeout"),
        (502, Some(Meaning::AppCrashed)) | (503, _) => generic("unavailable"),
        (502, _) => generic("bad-gateway"),
        _ => None,
    }
}

/// Phrases of proxies that name the reason in the page itself, with our word. Envoy writes the reset reason and the
/// transport's own failure into its local reply, with the system's error number (111 refused, 110 timed out; Envoy's
/// source/common/router/router.cc and its FAQ of response flags); Squid writes the system's error into its page
/// (errors/templates/ERR_CONNECT_FAIL, `%E`).
const REASONS: &[(&str, &str)] = &[
    ("certificate_verify_failed", "tls-certificate"),
    ("transport failure reason: tls_error", "tls-handshake"),
    ("delayed connect error: 111", "origin-refused"),
    ("(111) connection refused", "origin-refused"),
    ("delayed connect error: 110", "connect-timeout"),
    ("reset reason: connection timeout", "connect-timeout"),
    ("(110) connection timed out", "connect-timeout"),
    ("reset reason: connection termination", "bad-response"),
    ("reset reason: protocol error", "bad-response"),
    ("upstream request timeout", "read-timeout"),
];

/// The reason that a proxy's page gives in its own words.
fn reason_text(response: &HttpResponse) -> Option<&'static str> {
    let text = response.body.text.as_deref().filter(|_| response.body.byte_count <= SHORT_BODY_BYTE)?;
    reason_of(text)
}

fn reason_of(text: &str) -> Option<&'static str> {
    let lower = text.to_ascii_lowercase();
    // Only pages that such a proxy writes: an application may speak of its own database in like words.
    let theirs = lower.trim_start().starts_with("upstream ") || lower.contains("squid");
    REASONS.iter().find(|(phrase, _)| theirs && lower.contains(phrase)).map(|(_, word)| *word)
}

/// A request whose path is this short, and that has no body, is nobody's limit. What is refused as too large all the same
/// has grown on the way.
const SMALL_PATH_BYTE: usize = 512;

/// Whether it is the request that is too large, or what a hop made of it.
fn size_word(x: &Exchange<'_>) -> &'static str {
    if x.path.len() < SMALL_PATH_BYTE { "grew" } else { "too-large" }
}

/// The code that a vendor gives beside the status, else the status.
fn code_of(response: &HttpResponse, status: u16) -> String {
    let header = response.header("x-vercel-error").map(|code| code.chars().take(64).collect::<String>());
    header.or_else(|| cloudflare_text(response).map(|code| code.to_string())).unwrap_or(status.to_string())
}

/// The code in the text of a page of Cloudflare's: `error code: 1016`, `Error 1016`.
fn cloudflare_text(response: &HttpResponse) -> Option<u16> {
    static CODE: OnceLock<Regex> = OnceLock::new();
    let pattern = CODE.get_or_init(|| {
        Regex::new(r"(?i)\berror\s*(?:code)?\s*:?\s*(?:<[^>]*>\s*)*(1\d{3})\b").expect("a constant pattern")
    });
    let text = response.body.text.as_deref().filter(|_| response.body.byte_count <= SHORT_BODY_BYTE)?;
    let code: u16 = pattern.captures(text)?.get(1)?.as_str().parse().ok()?;
    let lower = text.to_ascii_lowercase();
    let theirs = response.header("cf-ray").is_some()
        || response.header("server").is_some_and(|server| server.eq_ignore_ascii_case("cloudflare"))
        || lower.contains("cloudflare")
        || lower.contains("cross-user banned")
        || lower.trim().starts_with("error code: ");
    theirs.then_some(code)
}

/// nginx's text for a request line or header field over its buffers (ngx_http_special_response.c, status 494).
fn says_header_too_large(response: &HttpResponse) -> bool {
    response.body.text.as_deref().is_some_and(|text| text.contains("Request Header Or Cookie Too Large"))
}

/// Whether an error of the application speaks of a vendor's quota, which some pass on with the vendor's own status.
pub(super) fn quota_text(response: &HttpResponse) -> bool {
    static TEXT: OnceLock<Regex> = OnceLock::new();
    let pattern = TEXT.get_or_init(|| {
        Regex::new(
            r"(?i)quota (?:has been |is |was )?(?:exceeded|exhausted|used up|reached)|exceeded (?:your|the) (?:current |monthly |daily )?quota|insufficient[_ ]quota|quota[_ ]?exceeded|out of (?:quota|credits?)|(?:usage|monthly|daily|plan) limit (?:exceeded|reached)|rate limit (?:exceeded|reached) (?:for|at|from) (?:the )?(?:provider|vendor|upstream|model|api)|credit balance is too low|(?:upstream|provider|vendor|api)[^\n]{0,60}\b(?:429|402)\b|\b(?:429|402)\b[^\n]{0,60}(?:upstream|provider|vendor)",
        )
        .expect("a constant pattern")
    });
    body_kind(response) != BodyKind::Html
        && response.body.text.as_deref().is_some_and(|text| pattern.is_match(text))
}

/// Edges whose marks the answers of a name carry.
fn vendors(vantage: Vantage, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let (mut names, mut ids) = (BTreeSet::new(), BTreeSet::new());
    for x in exchanges.site(vantage).filter(|x| x.seen.answer.present().is_some()) {
        let of_edges = x.reading.markers.iter().chain(&x.reading.writers);
        names.extend(
            of_edges
                .filter(|m| m.signature.hop == SignatureHop::Edge && m.weight_percent >= SURE_PERCENT)
                .map(|m| m.signature.vendor.clone()),
        );
        ids.insert(x.id());
    }
    facts.known_list(FactKey::EdgeVendors, vantage.to_string(), names, ids);
}

/// Where products that put a login before other people's sites send those who have no session. Each vendor's
/// documentation of its login flow.
const ACCESS_HOSTS: &[&str] = &[
    ".cloudflareaccess.com",
    "login.microsoftonline.com",
    "accounts.google.com",
    ".okta.com",
    ".oktapreview.com",
    ".auth0.com",
    ".onelogin.com",
    ".pingone.com",
    ".duosecurity.com",
    ".amazoncognito.com",
    ".zscaler.net",
    ".pomerium.app",
    ".authentik.company",
];

/// Names under which people put their own login services.
const LOGIN_LABELS: &[&str] =
    &["login", "auth", "sso", "access", "accounts", "idp", "signin", "id", "oauth", "keycloak", "authelia"];

/// Every path, the random one too, sends to a login on another host.
fn wall(vantage: Vantage, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let answered: Vec<&Exchange<'_>> = exchanges
        .site(vantage)
        .filter(|x| matches!(x.purpose, Purpose::Endpoint | Purpose::Control) && x.response().is_some())
        .collect();
    let control = answered.iter().any(|x| x.purpose == Purpose::Control);
    if !control || answered.len() < 2 {
        return;
    }
    let (mut kinds, mut hosts) = (BTreeSet::new(), BTreeSet::new());
    for x in &answered {
        let Some((kind, host)) = x.response().and_then(|response| login_elsewhere(x, response)) else {
            return;
        };
        kinds.insert(kind);
        hosts.insert(host);
    }
    if hosts.len() == 1
        && let Some(kind) = kinds.first()
    {
        let ids: Vec<ObservationId> = answered.iter().map(|x| x.id()).collect();
        facts.known(FactKey::RedirectWall, vantage.to_string(), *kind, ids.clone());
        facts.known_list(FactKey::RedirectWallHost, vantage.to_string(), hosts, ids);
    }
}

fn login_elsewhere(x: &Exchange<'_>, response: &HttpResponse) -> Option<(&'static str, String)> {
    if !matches!(response.status, 301 | 302 | 303 | 307 | 308) {
        return None;
    }
    let to = Url::parse(response.redirect_to.as_deref()?).ok()?;
    let from = Url::parse(&x.seen.request.url).ok()?;
    let (host, own) = (to.host_str()?.to_ascii_lowercase(), from.host_str()?);
    if host == own {
        return None;
    }
    let of_product =
        ACCESS_HOSTS.iter().any(|end| host.ends_with(end) || host == end.trim_start_matches('.'));
    let product_cookie = response.headers.iter().any(|h| {
        h.name == "set-cookie"
            && ["CF_AppSession=", "CF_Authorization="].iter().any(|c| h.value.starts_with(c))
    });
    let path = to.path().to_ascii_lowercase();
    let label = host.split('.').next().unwrap_or_default();
    let login = LOGIN_LABELS.contains(&label)
        || ["/login", "/signin", "/sign-in", "/authorize", "/sso", "/saml", "/oauth"]
            .iter()
            .any(|p| path.contains(p));
    if of_product || product_cookie || path.starts_with("/cdn-cgi/access/") {
        Some(("access-product", host))
    } else {
        login.then_some(("login-host", host))
    }
}

/// Names of JSON fields that say which build is running.
const BUILD_FIELDS: &[&str] = &[
    "version",
    "build",
    "build_id",
    "buildId",
    "commit",
    "git_sha",
    "gitSha",
    "sha",
    "revision",
    "release",
    "git_commit",
];
/// Names of JSON fields that say whose answer it is.
const PERSON_FIELDS: &[&str] = &[
    "user",
    "user_id",
    "userId",
    "username",
    "email",
    "account",
    "account_id",
    "authorization",
    "identity",
    "owner",
    "me",
    "customer",
];
/// Cookies that edges and balancers set themselves; they say nothing of a person (each vendor's list of its cookies).
const HOP_COOKIES: &[&str] = &[
    "__cf",
    "cf_",
    "_cfuvid",
    "AWSALB",
    "AWSELB",
    "incap_ses",
    "visid_incap",
    "nlbi_",
    "ak_bmsc",
    "bm_",
    "GCLB",
    "ARRAffinity",
    "SERVERID",
    "fly-",
];

/// What the cache at the edge did with one endpoint: an error kept, an old build kept, or somebody's own answer kept.
fn cached(x: &Exchange<'_>, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let subject = x.subject();
    let Some(response) = x.response() else { return };
    let hit = facts.is(FactKey::CacheState, &subject, "hit");
    let Some(hit) = hit else { return };
    facts.known(FactKey::CacheError, subject.as_str(), hit && response.status >= 400, [x.id()]);
    if !hit {
        return;
    }
    let other = [Vantage::Origin, Vantage::Local].into_iter().find_map(|vantage| {
        exchanges.at(vantage, Purpose::Endpoint, x.path).filter(|o| o.response().is_some())
    });
    if let Some(trial) = exchanges.trials.iter().find(|t| busts(t, x)) {
        let word = match trial.response() {
            None => None,
            Some(fresh) => match (build(response), build(fresh)) {
                (Some(kept), Some(now)) if kept != now => Some("other-build"),
                (Some(_), Some(_)) => Some("same"),
                _ if Shape::of(fresh) != Shape::of(response) => Some("other-answer"),
                _ => Some("same"),
            },
        };
        if let Some(word) = word {
            facts.known(FactKey::CacheBust, subject.as_str(), word, [x.id(), trial.id()]);
        }
    }
    let mut ids = BTreeSet::from([x.id()]);
    let there = other.and_then(Exchange::response);
    ids.extend(other.filter(|_| there.is_some()).map(Exchange::id));
    // What nobody without credentials may have at all was given to this stranger.
    let only_refused = x.endpoint.is_some_and(|endpoint| {
        let status = &endpoint.expect.status;
        !status.is_empty() && status.iter().all(|s| matches!(s, 401 | 403))
    });
    let given = only_refused && (200..300).contains(&response.status);
    if let Some(reason) = private(response, there).or(given.then_some("guarded")) {
        facts.known(FactKey::CachePrivate, subject.as_str(), reason, ids.clone()).symptom = true;
    }
    if let Some(there) = there
        && let (Some(kept), Some(now)) = (build(response), build(there))
    {
        let stale = kept != now;
        facts.known(FactKey::CacheStale, subject, stale, ids).symptom = stale;
    }
}

/// Whether a trial asked this endpoint's path with a query that no cache has seen.
fn busts(trial: &Exchange<'_>, x: &Exchange<'_>) -> bool {
    let request = trial.seen.request.trial.as_ref();
    trial.vantage == x.vantage && request.is_some_and(|t| t.name == "bust" && t.plain == x.path)
}

/// Why a cached answer should not have been kept for everybody.
fn private(kept: &HttpResponse, there: Option<&HttpResponse>) -> Option<&'static str> {
    if !(200..300).contains(&kept.status) {
        return None;
    }
    if there.is_some_and(|there| matches!(there.status, 401 | 403)) {
        return Some("guarded");
    }
    let of_person = |h: &landfall_evidence::Header| {
        h.name == "set-cookie" && !HOP_COOKIES.iter().any(|name| h.value.starts_with(name))
    };
    if kept.headers.iter().any(of_person) {
        return Some("cookie");
    }
    let control = kept.header("cache-control").unwrap_or_default().to_ascii_lowercase();
    if control.split(',').any(|part| part.trim() == "private") {
        return Some("marked-private");
    }
    let there = there?;
    if let (Some(here), Some(other)) = (kept.body.text.as_deref(), there.body.text.as_deref())
        && body_kind(kept) == BodyKind::Text
        && body_kind(there) == BodyKind::Text
    {
        return (here != other && is_nobody(other) && !is_nobody(here)).then_some("identity");
    }
    let (here, there) = (object(kept)?, object(there)?);
    let named = |json: &Json| match json {
        Json::Null | Json::Bool(_) => false,
        Json::String(text) => !text.is_empty() && !is_nobody(text),
        _ => true,
    };
    PERSON_FIELDS
        .iter()
        .any(|name| here.get(*name).is_some_and(named) && !there.get(*name).is_some_and(named))
        .then_some("identity")
}

/// Whether a text speaks of a visitor that nobody knows.
fn is_nobody(text: &str) -> bool {
    let text = text.trim().to_ascii_lowercase();
    text.is_empty()
        || ["anonymous", "guest", "nobody", "none", "null", "unknown", "stranger"]
            .iter()
            .any(|w| text.contains(w))
}

fn object(response: &HttpResponse) -> Option<&serde_json::Map<String, Json>> {
    response.body.json()?.as_object()
}

/// Header fields that say which build is running.
const BUILD_HEADERS: &[&str] = &[
    "x-build",
    "x-build-id",
    "x-version",
    "x-app-version",
    "x-release",
    "x-commit",
    "x-git-sha",
    "x-revision",
];

/// The build that an answer names: in a header field, in a field of its JSON, in a line of text such as `version 3`, or by
/// the hashed names of the assets that a page loads. Words without a digit (`dev`, `local`) name none.
fn build(response: &HttpResponse) -> Option<String> {
    static LINE: OnceLock<Regex> = OnceLock::new();
    static ASSET: OnceLock<Regex> = OnceLock::new();
    let names_one = |text: &str| text.len() <= 64 && text.chars().any(|c| c.is_ascii_digit());
    let header = BUILD_HEADERS.iter().find_map(|name| response.header(name)).filter(|text| names_one(text));
    if let Some(header) = header {
        return Some(header.to_owned());
    }
    if let Some(fields) = object(response) {
        return BUILD_FIELDS.iter().find_map(|name| {
            let text = match fields.get(*name)? {
                Json::String(text) => text.clone(),
                Json::Number(number) => number.to_string(),
                _ => return None,
            };
            names_one(&text).then_some(text)
        });
    }
    let text = response.body.text.as_deref()?;
    if body_kind(response) == BodyKind::Html {
        let assets = ASSET.get_or_init(|| {
            Regex::new(r"[\w/-]+[.-][0-9A-Za-z_-]{6,32}\.(?:js|css)\b").expect("a constant pattern")
        });
        let found: BTreeSet<&str> = assets.find_iter(text).take(40).map(|m| m.as_str()).collect();
        return (!found.is_empty()).then(|| found.into_iter().collect::<Vec<_>>().join(" "));
    }
    let line = LINE.get_or_init(|| {
        Regex::new(r"(?i)^\W*(?:version|build|release|rev(?:ision)?|commit)\W{1,3}([\w.+-]{1,48})\s*$")
            .expect("a constant pattern")
    });
    line.captures(text)?.get(1).map(|m| m.as_str().to_owned()).filter(|text| names_one(text))
}

/// Some endpoints are answered under the public name as at the origin, and others are not although the origin serves
/// them: what differs goes by the path.
fn mixed(exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let (mut same, mut better, mut ids) = (0_usize, 0_usize, BTreeSet::new());
    for x in exchanges.of(Vantage::Edge, Purpose::Endpoint) {
        match facts.text(FactKey::PairPath, x.path) {
            Some("same") if facts.text(FactKey::EndpointOutcome, &x.subject()) == Some("ok") => same += 1,
            Some("origin-better") => better += 1,
            Some("differs" | "same") | None => continue,
            Some(_) => same += 1,
        }
        ids.insert(x.id());
        ids.extend(exchanges.at(Vantage::Origin, Purpose::Endpoint, x.path).map(Exchange::id));
    }
    if same + better >= 2 {
        facts.known(FactKey::PairMixed, "", same > 0 && better > 0, ids);
    }
}

/// Whether the edge that the target names is on the way: by its marks on the answers, and by who owns the addresses.
fn in_path(evidence: &Evidence, catalogue: &Catalogue, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let Some((expected, by, mut ids)) = expected(evidence) else { return };
    facts.known(FactKey::EdgeExpected, "", expected.as_str(), ids.iter().cloned());
    facts.known(FactKey::EdgeExpectedBy, "", by, ids.iter().cloned());
    let answered: Vec<&Exchange<'_>> =
        exchanges.site(Vantage::Edge).filter(|x| x.seen.answer.present().is_some()).collect();
    if answered.is_empty() {
        return;
    }
    ids.extend(answered.iter().map(|x| x.id()));
    let marks = |x: &&Exchange<'_>| {
        let readings = x.reading.markers.iter().chain(&x.reading.writers);
        readings.into_iter().any(|m| same_vendor(&m.signature.vendor, &expected))
            || x.seen.answer.present().is_some_and(|response| {
                response.headers.iter().any(|h| {
                    matches!(h.name.as_str(), "via" | "server" | "x-served-by" | "x-cache")
                        && h.value.to_ascii_lowercase().contains(&expected)
                })
            })
    };
    let marked = answered.iter().any(marks);
    // The zone may lead to the edge's network while a middlebox strips its marks.
    // A cloud's network is not the edge that the same company sells: `aws` owns load balancers too, `aws-cloudfront` not.
    let owns = |owner: &str| is_of_vendor(owner, &expected);
    let owned = [FactKey::DnsOwner, FactKey::DnsCnameOwner]
        .into_iter()
        .any(|key| facts.text(key, "").is_some_and(owns));
    let in_path = marked || owned;
    // A word that no signature and no owner has can be neither seen nor missed.
    let known = catalogue.knows_vendor(&expected);
    if in_path || known {
        facts.known(FactKey::EdgeInPath, "", in_path, ids).symptom = !in_path;
    }
}

/// The edge that production is meant to stand behind, where it is declared, and the observations that say so.
fn expected(evidence: &Evidence) -> Option<(String, &'static str, BTreeSet<ObservationId>)> {
    let declared = evidence.target.edge.as_deref()?;
    Some((declared.trim().to_ascii_lowercase(), "landfall.toml", BTreeSet::new()))
}

/// Whether two spellings name one vendor: `aws-cloudfront` and `cloudfront`.
pub(crate) fn same_vendor(a: &str, b: &str) -> bool {
    is_of_vendor(a, b) || is_of_vendor(b, a)
}

/// Whether a name is a vendor's own or one that says more: `aws-cloudfront` is of `aws`, and `aws` not of `aws-cloudfront`.
fn is_of_vendor(name: &str, vendor: &str) -> bool {
    name == vendor || name.split('-').any(|part| part == vendor)
}

/// Words of `edge.says` where the hop names a fault of its own or of the way behind it that no process at the origin can
/// bring about.
pub(super) fn is_named(word: &str) -> bool {
    matches!(
        word,
        "tls-handshake"
            | "tls-certificate"
            | "dns"
            | "tunnel-down"
            | "points-at-itself"
            | "cross-account"
            | "code-failed"
    )
}

/// Whether an error was made by a hop before the application: it names a fault of its own, or its writer is known for an
/// edge, a balancer or a web server. A platform's word that the application failed is not among these.
pub(super) fn made_by_hop(x: &Exchange<'_>, response: &HttpResponse) -> bool {
    let by_writer = matches!(x.writer, Some(Ok(Writer::Edge | Writer::Balancer | Writer::Server)));
    by_writer || said(x, response).is_some_and(|said| is_named(said.word))
}

#[cfg(test)]
mod tests {
    use super::reason_of;

    #[test]
    fn a_proxy_names_the_reason_in_its_own_words_and_an_application_does_not() {
        let envoy = |reason: &str| {
            format!("upstream connect error or disconnect/reset before headers. reset reason: {reason}")
        };
        for (reason, word) in [
            (
                "remote connection failure, transport failure reason: delayed connect error: 111",
                Some("origin-refused"),
            ),
            ("connection timeout", Some("connect-timeout")),
            ("connection termination", Some("bad-response")),
            (
                "remote connection failure, transport failure reason: TLS_error:|268435581:SSL routines:OPENSSL_internal:CERTIFICATE_VERIFY_FAILED:TLS_error_end",
                Some("tls-certificate"),
            ),
            (
                "remote connection failure, transport failure reason: TLS_error:|268435703:SSL routines:OPENSSL_internal:WRONG_VERSION_NUMBER:TLS_error_end",
                Some("tls-handshake"),
            ),
            // The failure alone may be a refusal or a silence.
            ("connection failure", None),
        ] {
            assert_eq!(reason_of(&envoy(reason)), word, "{reason}");
        }
        assert_eq!(reason_of("upstream request timeout"), Some("read-timeout"));
        assert_eq!(reason_of("could not reach the database: (111) Connection refused"), None);
        assert_eq!(reason_of(""), None);
    }
}
