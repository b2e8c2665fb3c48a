//! What bodies and headers show beside the answer itself: what a page loads, what a cookie asks for, whether the bytes
//! are coded as they say, and whether they came whole.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use landfall_evidence::{Evidence, HttpResponse, ObservationId, Purpose, Vantage};
use regex::Regex;
use serde_json::Value as Json;
use url::Url;

use super::asks;
use super::http::is_named;
use super::{BodyKind, Exchange, Exchanges, FactKey, Facts, body_kind};
use crate::signatures::Meaning;

/// URLs of one page that are listed at most.
const MOST_URLS: usize = 5;
/// From this age on, a page that browsers keep outlives any deploy, and nobody meant it: two weeks.
const KEPT_S: u64 = 14 * 86_400;
/// A worker script that is kept for longer than this is never looked at again in time (browsers cap it at a day).
const WORKER_KEPT_S: u64 = 86_400;
/// Bodies longer than this are "large": what is cut within them may be cut by a time-out or a full disk.
const LARGE_BYTE: u64 = 8 * 1024;
/// JSON values looked at in one answer.
const MOST_VALUES: usize = 2_000;

pub(super) fn pattern(text: &str) -> Regex {
    Regex::new(text).expect("a built-in pattern compiles; the tests use every one")
}

/// An http or https URL of this machine, of a container's name, or of a name that only an internal network knows.
pub(super) static LOCAL_URL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)\b(?:https?|wss?)://(?:localhost|127\.0\.0\.1|0\.0\.0\.0|\[::1\]|host\.docker\.internal|(?:[a-z0-9-]+\.)+(?:local|internal|localhost|lan)|10\.\d{1,3}\.\d{1,3}\.\d{1,3}|192\.168\.\d{1,3}\.\d{1,3}|[a-z][a-z0-9_-]*:\d{2,5})(?::\d{1,5})?(?:[/"'`\s\\]|$)"#,
    )
});
static TAG: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?is)<([a-z][a-z0-9]*)\b([^>]*)>"));
static ATTRIBUTE: LazyLock<Regex> = LazyLock::new(|| {
    pattern(r#"(?is)\b(src|href|action|data|rel|content|type)\s*=\s*(?:"([^"]*)"|'([^']*)'|([^\s"'>]+))"#)
});
static SCRIPT: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?is)<script\b[^>]*>(.*?)(?:</script>|$)"));
/// Whether a page runs scripts of other files.
static HAS_SOURCE: LazyLock<Regex> = LazyLock::new(|| pattern(r"(?is)<script\b[^>]*\bsrc\s*="));
static UPGRADES: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?is)<meta\b[^>]*content-security-policy[^>]*upgrade-insecure-requests"));
/// A call from a script to plain HTTP.
static PLAIN_CALL: LazyLock<Regex> = LazyLock::new(|| {
    pattern(
        r#"(?i)(?:fetch|axios(?:\.\w+)?|open|EventSource|WebSocket|baseURL\s*[:=]|API_URL\s*[:=]|API_BASE\s*[:=])\s*\(?\s*(?:["'`](?:GET|POST)["'`]\s*,\s*)?["'`]((?:http|ws)://[^"'`\s]+)"#,
    )
});
static REGISTERS: LazyLock<Regex> =
    LazyLock::new(|| pattern(r#"(?i)serviceWorker\s*\.\s*register\(\s*["'`]([^"'`]+)["'`]"#));
static CACHE_FIRST: LazyLock<Regex> =
    LazyLock::new(|| pattern(r"(?i)caches\s*\.\s*match|CacheFirst|cache-first|precacheAndRoute"));

pub(super) fn derive(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let mut workers: BTreeSet<String> = BTreeSet::new();
    for x in exchanges.all.iter().filter(|x| x.vantage != Vantage::Local) {
        let Some(response) = x.seen.answer.present().filter(|_| !x.limited) else { continue };
        debug(x, facts);
        coding(x, response, facts);
        cookies(x, response, facts);
        workers.extend(page(evidence, x, response, facts));
    }
    for x in exchanges.all.iter().filter(|x| x.vantage == Vantage::Edge && workers.contains(x.path)) {
        if let Some(response) = x.response().filter(|r| r.status == 200) {
            worker(x, response, facts);
        }
    }
    for vantage in [Vantage::Local, Vantage::Origin, Vantage::Edge] {
        cuts(vantage, exchanges, facts);
        health_names(vantage, exchanges, facts);
        empty(vantage, exchanges, facts);
    }
}

/// A development page faces the public, whatever else works.
fn debug(x: &Exchange<'_>, facts: &mut Facts) {
    let by_signature = x.reading.best().is_some_and(|m| {
        m.weight_percent >= 80
            && m.signature.meaning == Meaning::DebugMode
            && m.signature.hop.is_application()
    });
    // The page of a refused host is shown in detail only in debug mode.
    let host_page = x.reading.best().is_some_and(|m| {
        m.weight_percent >= 80
            && matches!(m.signature.id.as_str(), "django-disallowed-host-debug" | "rails-host-blocked-dev")
    });
    if by_signature || host_page {
        facts.known(FactKey::PageDebug, x.subject(), true, [x.id()]).symptom = true;
        if let Some(best) = x.reading.best() {
            facts.known(FactKey::PageDebugBy, x.subject(), best.signature.vendor.as_str(), [x.id()]);
        }
    }
}

/// Whether the bytes are coded as `content-encoding` says. Brotli has no mark of its own and is not judged.
fn coding(x: &Exchange<'_>, response: &HttpResponse, facts: &mut Facts) {
    let said = response.header("content-encoding").map(|v| v.trim().to_ascii_lowercase());
    let Some(opening) = response.body.opening.as_deref() else { return };
    let real = match opening {
        _ if opening.starts_with("1f8b") => Some("gzip"),
        "28b52ffd" => Some("zstd"),
        // A zlib stream: deflate with a window of 32 KiB, by its usual four levels (RFC 1950, section 2.2).
        _ if ["7801", "785e", "789c", "78da"].iter().any(|mark| opening.starts_with(mark)) => Some("deflate"),
        _ => None,
    };
    let textual = response.media_type().is_some_and(|media| {
        media.starts_with("text/") || media.ends_with("json") || media.ends_with("javascript")
    });
    let word = match (said.as_deref(), real) {
        (Some("gzip" | "x-gzip"), Some("gzip")) | (Some("zstd"), Some("zstd")) => "fits",
        (Some("deflate"), Some("deflate")) => "fits",
        // Deflate without its wrapper begins with any byte.
        (Some("deflate"), None) if !is_text(opening) => return,
        (Some("gzip" | "x-gzip" | "zstd" | "deflate"), _) => "not-so",
        (None | Some("identity" | ""), Some(_)) if textual => "unsaid",
        _ => return,
    };
    let named = x.endpoint.is_some_and(is_named);
    facts.known(FactKey::BodyCoding, x.subject(), word, [x.id()]).symptom = word != "fits" && named;
}

/// Whether the first bytes are printable, as those of JSON, HTML and plain text are.
fn is_text(opening: &str) -> bool {
    let bytes = opening.as_bytes().chunks(2).filter_map(|pair| std::str::from_utf8(pair).ok());
    bytes
        .filter_map(|pair| u8::from_str_radix(pair, 16).ok())
        .all(|b| b.is_ascii_graphic() || b.is_ascii_whitespace())
}

/// Cookies that a browser refuses to keep or never sends back to this host (RFC 6265bis, section 5.6).
fn cookies(x: &Exchange<'_>, response: &HttpResponse, facts: &mut Facts) {
    let Ok(url) = Url::parse(&x.seen.request.url) else { return };
    let Some(host) = url.host_str() else { return };
    let mut found: BTreeSet<&'static str> = BTreeSet::new();
    let mut names: BTreeSet<String> = BTreeSet::new();
    for header in response.headers.iter().filter(|h| h.name == "set-cookie") {
        let mut parts = header.value.split(';').map(str::trim);
        let name =
            parts.next().and_then(|pair| pair.split_once('=')).map(|(name, _)| name).unwrap_or_default();
        let attributes: Vec<(String, &str)> = parts
            .map(|part| part.split_once('=').unwrap_or((part, "")))
            .map(|(key, value)| (key.trim().to_ascii_lowercase(), value.trim()))
            .collect();
        let value = |key: &str| attributes.iter().find(|(k, _)| k == key).map(|(_, value)| *value);
        // One that is taken away, and one of a hop or a counter that nobody's login hangs on.
        let ends = value("max-age").is_some_and(|v| v.starts_with('-') || v == "0")
            || value("expires").is_some_and(|v| v.contains("1970"));
        if ends || is_beside(name) {
            continue;
        }
        let secure = value("secure").is_some();
        let mut misfits: Vec<&'static str> = Vec::new();
        if value("samesite").is_some_and(|v| v.eq_ignore_ascii_case("none")) && !secure {
            misfits.push("none-without-secure");
        }
        // A redirect to https is not the page on which the cookie is needed.
        if secure && url.scheme() == "http" && !(300..400).contains(&response.status) {
            misfits.push("secure-over-http");
        }
        if let Some(domain) = value("domain").map(|d| d.trim_start_matches('.').to_ascii_lowercase())
            && !domain.is_empty()
        {
            let covers =
                host == domain || host.strip_suffix(domain.as_str()).is_some_and(|rest| rest.ends_with('.'));
            if matches!(domain.as_str(), "localhost" | "127.0.0.1") {
                misfits.push("local-domain");
            } else if !covers {
                misfits.push("other-domain");
            }
        }
        let prefixed = name.starts_with("__Host-")
            && (value("domain").is_some() || value("path") != Some("/"))
            || (name.starts_with("__Host-") || name.starts_with("__Secure-")) && !secure;
        if prefixed {
            misfits.push("prefix-broken");
        }
        if !misfits.is_empty() {
            names.insert(name.chars().take(60).collect());
            found.extend(misfits);
        }
    }
    let subject = x.subject();
    if !found.is_empty() {
        facts.known_list(FactKey::CookieName, subject.as_str(), names, [x.id()]);
        facts.known_list(
            FactKey::CookieMisfit,
            subject.as_str(),
            found.into_iter().map(str::to_owned),
            [x.id()],
        );
        facts.mark_symptom(FactKey::CookieMisfit, &subject);
    } else if response.headers.iter().any(|h| h.name == "set-cookie") {
        facts.known(FactKey::CookieMisfit, subject, "none", [x.id()]);
    }
}

/// Cookies of load balancers, protection, statistics, language and consent: the application works without them.
fn is_beside(name: &str) -> bool {
    const EXACT: &[&str] = &[
        "serverid",
        "gclb",
        "datadome",
        "lang",
        "locale",
        "language",
        "theme",
        "consent",
        "cookieconsent",
        "__cflb",
        "__cf_bm",
        "_cfuvid",
        "cf_clearance",
        "ak_bmsc",
        "bm_sz",
        "bm_sv",
        "_abck",
    ];
    const BEGINS: &[&str] = &[
        "awsalb",
        "arraffinity",
        "bigipserver",
        "incap_ses",
        "visid_incap",
        "_ga",
        "_gid",
        "_fbp",
        "_pk_",
        "_hj",
    ];
    let name = name.trim().to_ascii_lowercase();
    EXACT.contains(&name.as_str()) || BEGINS.iter().any(|start| name.starts_with(start))
}

/// What a page or a script names. Returns the paths of service workers that it registers.
fn page(evidence: &Evidence, x: &Exchange<'_>, response: &HttpResponse, facts: &mut Facts) -> Vec<String> {
    let subject = x.subject();
    let Ok(base) = Url::parse(&x.seen.request.url) else { return Vec::new() };
    let public = evidence.target.production.as_ref().is_some_and(|url| !is_local_host(url));
    let mut local: BTreeSet<String> = BTreeSet::new();
    if public
        && let Some(to) = response.redirect_to.as_deref().and_then(|to| Url::parse(to).ok())
        && is_local_host(&to)
    {
        local.insert(to[..url::Position::BeforePath].to_owned());
    }
    let text = response.body.text.as_deref().filter(|_| (200..300).contains(&response.status));
    let is_debug = facts.get(FactKey::PageDebug, &subject).is_some();
    let Some(text) = text.filter(|_| !is_debug) else {
        note_local(facts, &subject, local, x.id());
        return Vec::new();
    };
    let media = response.media_type().unwrap_or_default();
    let mut workers = Vec::new();
    let mut plain: BTreeSet<String> = BTreeSet::new();
    match body_kind(response) {
        BodyKind::Html => {
            let page = asks::without_html_comments(text);
            let text = page.as_str();
            let whole = !HAS_SOURCE.is_match(text);
            for tag in TAG.captures_iter(text) {
                let (name, attributes) = (tag[1].to_ascii_lowercase(), attributes(&tag[2]));
                let value = |key: &str| attributes.get(key).map(String::as_str);
                let target = match name.as_str() {
                    "script" | "iframe" | "img" | "source" | "video" | "audio" | "embed" => value("src"),
                    "link" | "a" => value("href"),
                    "form" => value("action"),
                    "object" => value("data"),
                    "meta" => value("content"),
                    _ => None,
                };
                let Some(target) = target else { continue };
                let leads = LOCAL_URL.find(target).is_some_and(|found| found.start() == 0);
                let after = tag.get(0).map_or(text.len(), |all| all.end());
                if public && leads && !(name == "a" && shows_itself(&text[after..], target)) {
                    local.insert(shorten(target));
                }
                let loads = match name.as_str() {
                    "script" | "iframe" | "embed" | "object" => true,
                    "link" => value("rel").is_some_and(|rel| {
                        rel.split_whitespace().any(|word| {
                            matches!(
                                word.to_ascii_lowercase().as_str(),
                                "stylesheet" | "preload" | "modulepreload" | "manifest"
                            )
                        })
                    }),
                    _ => false,
                };
                if loads && target.get(..7).is_some_and(|head| head.eq_ignore_ascii_case("http://")) {
                    plain.insert(shorten(target));
                }
            }
            for script in SCRIPT.captures_iter(text) {
                scan_script(&script[1], public, whole, &mut local, &mut plain);
                workers.extend(worker_paths(&script[1], &base));
            }
            kept(x, response, facts);
        }
        // A server without a list of media types sends scripts as plain text.
        _ if media.ends_with("javascript") || x.purpose == Purpose::Asset || is_script_path(x.path) => {
            scan_script(text, public, true, &mut local, &mut plain);
            workers.extend(worker_paths(text, &base));
        }
        // What health says of the parts behind it is not for a browser to follow.
        BodyKind::Json if public && !super::is_health_path(x.path) => {
            if let Some(json) = response.body.json() {
                let mut left = MOST_VALUES;
                json_links(json, &mut left, &mut local);
            }
        }
        _ => {}
    }
    plain.retain(|url| Url::parse(url).is_ok_and(|url| !is_local_host(&url)));
    if base.scheme() == "https" && !plain.is_empty() && !upgrades(response, text) {
        facts.known_list(
            FactKey::PageHttpUrls,
            subject.as_str(),
            plain.into_iter().take(MOST_URLS),
            [x.id()],
        );
        facts.mark_symptom(FactKey::PageHttpUrls, &subject);
    }
    note_local(facts, &subject, local, x.id());
    workers
}

/// Whether a path names a script by its ending.
fn is_script_path(path: &str) -> bool {
    let path = path.split(['?', '#']).next().unwrap_or(path);
    path.ends_with(".js") || path.ends_with(".mjs")
}

fn note_local(facts: &mut Facts, subject: &str, local: BTreeSet<String>, id: ObservationId) {
    if !local.is_empty() {
        facts.known_list(FactKey::PageLocalUrls, subject, local.into_iter().take(MOST_URLS), [id]);
        facts.mark_symptom(FactKey::PageLocalUrls, subject);
    }
}

fn attributes(text: &str) -> BTreeMap<String, String> {
    ATTRIBUTE
        .captures_iter(text)
        .filter_map(|found| {
            let value = found.get(2).or_else(|| found.get(3)).or_else(|| found.get(4))?;
            Some((found[1].to_ascii_lowercase(), value.as_str().to_owned()))
        })
        .collect()
}

/// Whether a link shows the very address that it leads to, as instructions do: that is for the reader's own machine.
fn shows_itself(after: &str, target: &str) -> bool {
    let shown = after.split("</a").next().unwrap_or_default();
    let host = target.split("://").nth(1).unwrap_or(target).split(['/', '?', '#']).next().unwrap_or(target);
    shown.len() < 400 && shown.contains(host)
}

/// Whether the page has browsers ask plain addresses by https (Upgrade Insecure Requests, section 3).
fn upgrades(response: &HttpResponse, text: &str) -> bool {
    const DIRECTIVE: &str = "upgrade-insecure-requests";
    let says = |header: &&landfall_evidence::Header| {
        header.name == "content-security-policy" && header.value.to_ascii_lowercase().contains(DIRECTIVE)
    };
    response.headers.iter().any(|header| says(&header)) || UPGRADES.is_match(text)
}

/// Whether a URL leads to a local or internal host.
pub(super) fn names_local(url: &str) -> bool {
    let closed = format!("{}/", url.trim_end_matches('/'));
    LOCAL_URL.is_match(&closed)
}

/// `whole` is false where scripts of other files may use the names of this one.
fn scan_script(
    text: &str,
    public: bool,
    whole: bool,
    local: &mut BTreeSet<String>,
    plain: &mut BTreeSet<String>,
) {
    let code = asks::without_comments(text);
    if public {
        local.extend(asks::asked(&code, &LOCAL_URL, whole).into_iter().take(MOST_URLS).map(shorten));
    }
    let calls = PLAIN_CALL.captures_iter(&code).filter_map(|found| found.get(1));
    plain.extend(
        calls
            .filter(|url| !asks::is_for_another_place(&code, url.start()))
            .take(MOST_URLS)
            .map(|url| shorten(url.as_str())),
    );
}

/// Links in the application's own JSON: whole values only, since prose may speak of localhost.
fn json_links(json: &Json, left: &mut usize, local: &mut BTreeSet<String>) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    match json {
        Json::String(text)
            if LOCAL_URL.find(text).is_some_and(|found| found.start() == 0) && !text.contains(' ') =>
        {
            local.insert(shorten(text));
        }
        Json::Array(items) => items.iter().for_each(|item| json_links(item, left, local)),
        Json::Object(fields) => fields
            .iter()
            // The servers of an API description are for the reader to choose from.
            .filter(|(name, _)| *name != "servers" && *name != "example" && *name != "examples")
            .for_each(|(_, value)| json_links(value, left, local)),
        _ => {}
    }
}

/// A URL up to its path, without what a reader does not need.
fn shorten(url: &str) -> String {
    let url = url.trim_end_matches(|c: char| !c.is_ascii_alphanumeric() && c != '/' && c != ']');
    url.split(['?', '#']).next().unwrap_or(url).chars().take(120).collect()
}

/// Whether a URL leads to this machine, whoever opens it.
fn is_local_host(url: &Url) -> bool {
    match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback() || ip.is_unspecified(),
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        None => false,
    }
}

fn worker_paths(script: &str, base: &Url) -> Vec<String> {
    REGISTERS
        .captures_iter(script)
        .filter_map(|found| base.join(&found[1]).ok())
        .filter(|url| url.host_str() == base.host_str())
        .map(|url| url[url::Position::BeforePath..url::Position::AfterQuery].to_owned())
        .collect()
}

/// How long a browser may keep an answer without asking again, in seconds.
fn kept_for(response: &HttpResponse) -> Option<u64> {
    let value = response.header("cache-control")?.to_ascii_lowercase();
    let words: Vec<&str> = value.split(',').map(str::trim).collect();
    if words.iter().any(|word| matches!(*word, "no-store" | "no-cache")) {
        return None;
    }
    words
        .iter()
        .find_map(|word| word.strip_prefix("max-age="))
        .and_then(|age| age.trim_matches('"').parse().ok())
}

/// A page that browsers keep for a week or longer; its name stays the same when its content changes. Only the page of a build: a
/// document that loads nothing may be kept for as long as its author likes.
fn kept(x: &Exchange<'_>, response: &HttpResponse, facts: &mut Facts) {
    static LOADS: LazyLock<Regex> = LazyLock::new(|| {
        pattern(r#"(?i)<script\b|<link\b[^>]*rel\s*=\s*["']?(?:stylesheet|modulepreload|manifest)"#)
    });
    let path = x.path.split(['?', '#']).next().unwrap_or_default();
    let of_a_build = path == "/"
        || path.ends_with("/index.html")
        || response.body.text.as_deref().is_some_and(|text| LOADS.is_match(text));
    if !of_a_build {
        return;
    }
    if let Some(age) = kept_for(response).filter(|age| *age >= KEPT_S) {
        let subject = x.subject();
        facts.known(FactKey::PageKept, subject.as_str(), "html", [x.id()]).symptom = true;
        facts.known(FactKey::PageKeptS, subject, i64::try_from(age).unwrap_or(i64::MAX), [x.id()]);
    }
}

/// A service worker that answers from its cache first, and that browsers themselves keep.
fn worker(x: &Exchange<'_>, response: &HttpResponse, facts: &mut Facts) {
    let text = response.body.text.as_deref().unwrap_or_default();
    let subject = x.subject();
    facts.known(FactKey::PageWorker, subject.as_str(), x.path, [x.id()]);
    let cache_first = CACHE_FIRST.is_match(text);
    let takes_over = text.contains("skipWaiting") || text.contains("unregister");
    facts.known(FactKey::PageWorkerTakesOver, subject.as_str(), takes_over, [x.id()]);
    if let Some(age) = kept_for(response).filter(|age| *age >= WORKER_KEPT_S && cache_first) {
        facts.known(FactKey::PageKept, subject.as_str(), "worker", [x.id()]).symptom = true;
        facts.known(FactKey::PageKeptS, subject, i64::try_from(age).unwrap_or(i64::MAX), [x.id()]);
    }
}

/// Which of a vantage's bodies ended early.
fn cuts(vantage: Vantage, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let subject = vantage.to_string();
    let (mut cut, mut whole, mut large_whole) = (Vec::new(), Vec::new(), false);
    for x in exchanges.site(vantage) {
        let Some(response) = x.response() else { continue };
        let body = &response.body;
        let by_bound = body.cut.as_deref().is_some_and(|why| why.contains("bound"));
        if super::endpoint::breaks_off(response) {
            let received = i64::try_from(body.byte_count).unwrap_or(i64::MAX);
            facts.known(FactKey::CutReceived, x.subject().as_str(), received, [x.id()]);
            facts.known(FactKey::CutFraming, x.subject(), "content", [x.id()]);
            cut.push((x.id(), body.byte_count));
        } else if body.complete {
            // An empty body cannot be cut, and a HEAD has none.
            if body.byte_count > 0 {
                whole.push(x.id());
                large_whole |= body.byte_count >= LARGE_BYTE;
            }
        } else if !by_bound {
            let at = x.subject();
            let promised = response.header("content-length").and_then(|v| v.trim().parse::<i64>().ok());
            facts.known(
                FactKey::CutReceived,
                at.as_str(),
                i64::try_from(body.byte_count).unwrap_or(i64::MAX),
                [x.id()],
            );
            let stalled = body.cut.as_deref().is_some_and(|why| why.starts_with("not complete after"));
            let how = if stalled { "stalled" } else { "closed" };
            facts.known(FactKey::CutHow, at.as_str(), how, [x.id()]);
            if let Some(promised) = promised {
                facts.known(FactKey::CutPromised, at.as_str(), promised, [x.id()]);
            }
            facts.known(
                FactKey::CutFraming,
                at,
                if promised.is_some() { "length" } else { "chunked" },
                [x.id()],
            );
            cut.push((x.id(), body.byte_count));
        }
    }
    if cut.is_empty() {
        return;
    }
    let ids: Vec<ObservationId> = cut.iter().map(|(id, _)| id.clone()).chain(whole.iter().cloned()).collect();
    let large_only = cut.iter().all(|(_, received)| *received >= LARGE_BYTE);
    let word = match (whole.is_empty(), large_only) {
        (true, _) => "always",
        (false, true) if !large_whole => "large-only",
        (false, _) => "some",
    };
    facts.known(FactKey::CutPattern, subject, word, ids);
}

/// Words by which health answers name what an application depends on.
const DEPENDENCIES: &[&str] = &[
    "database",
    "db",
    "postgres",
    "postgresql",
    "mysql",
    "mariadb",
    "mongo",
    "mongodb",
    "sqlite",
    "redis",
    "cache",
    "memcached",
    "queue",
    "rabbitmq",
    "kafka",
    "broker",
    "celery",
    "worker",
    "elasticsearch",
    "opensearch",
    "search",
    "storage",
    "s3",
    "smtp",
    "mail",
    "email",
    "upstream",
    "payment",
    "stripe",
    "dependencies",
    "dependency",
    "sql",
    "sqlserver",
    "mssql",
    "oracle",
    "cockroach",
    "cockroachdb",
    "dynamodb",
    "cassandra",
    "clickhouse",
    "datasource",
    "r2dbc",
    "neo4j",
    "couchdb",
    "couchbase",
    "firestore",
    "supabase",
    "valkey",
    "dragonfly",
    "rabbit",
    "amqp",
    "activemq",
    "nats",
    "pulsar",
    "zookeeper",
    "sidekiq",
    "horizon",
    "meilisearch",
    "typesense",
    "solr",
    "consul",
    "etcd",
    "temporal",
    "minio",
    "blob",
    "bucket",
    "gcs",
    "payments",
    "paypal",
    "mailer",
    "sendgrid",
    "twilio",
    "openai",
    "auth0",
    "keycloak",
    "oidc",
    "ldap",
    "sms",
];
/// Words that say of a dependency that it does not work.
const BAD_WORDS: &[&str] = &[
    "error",
    "down",
    "fail",
    "failed",
    "failing",
    "failure",
    "unreachable",
    "unavailable",
    "unhealthy",
    "timeout",
    "disconnected",
    "refused",
    "not ok",
    "critical",
    "degraded",
    "outage",
];

/// Dependencies that a failing health answer names, and whether other routes of that vantage work meanwhile.
fn health_names(vantage: Vantage, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let mut names: BTreeSet<String> = BTreeSet::new();
    let mut ids: BTreeSet<ObservationId> = BTreeSet::new();
    let (mut failing, mut others) = (Vec::new(), Vec::new());
    for x in exchanges.of(vantage, Purpose::Endpoint) {
        let Some(word) = facts.text(FactKey::EndpointOutcome, &x.subject()) else { continue };
        let fails = matches!(word, "app-error" | "gateway-error" | "error-in-body" | "unexpected-status");
        if super::is_health_path(x.path) && fails {
            failing.push(x.id());
            if let Some(text) = x.response().and_then(|r| r.body.text.as_deref()) {
                let found = failing_dependencies(text);
                if !found.is_empty() {
                    ids.insert(x.id());
                }
                names.extend(found);
            }
        } else if !super::is_health_path(x.path) && matches!(word, "ok" | "late") {
            others.push(x.id());
        }
    }
    if failing.is_empty() {
        return;
    }
    let subject = vantage.to_string();
    let deep = !names.is_empty() && !others.is_empty();
    facts.known_list(FactKey::HealthNames, subject.as_str(), names, ids);
    if !others.is_empty() {
        facts.known(FactKey::HealthTooDeep, subject, deep, failing.into_iter().chain(others));
    }
}

/// The dependencies that a body calls failing.
fn failing_dependencies(text: &str) -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    match serde_json::from_str::<Json>(text) {
        Ok(json) => {
            let mut left = MOST_VALUES;
            walk_health(&json, None, &mut left, &mut found);
        }
        Err(_) if text.len() < 400 => {
            let lower = text.to_ascii_lowercase();
            let words: BTreeSet<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
            if BAD_WORDS.iter().any(|bad| words.contains(bad)) {
                found.extend(
                    DEPENDENCIES.iter().filter(|name| words.contains(*name)).map(|name| (*name).to_owned()),
                );
            }
        }
        Err(_) => {}
    }
    found
}

fn walk_health(json: &Json, name: Option<&str>, left: &mut usize, found: &mut BTreeSet<String>) {
    if *left == 0 {
        return;
    }
    *left -= 1;
    let bad = |text: &str| {
        let lower = text.to_ascii_lowercase();
        BAD_WORDS.iter().any(|word| lower.contains(word))
    };
    match json {
        Json::Object(fields) => {
            // `{"name": "database", "status": "down"}` names itself within.
            let own = ["name", "component", "check", "service"]
                .iter()
                .find_map(|key| fields.get(*key).and_then(Json::as_str))
                .and_then(dependency);
            let state = fields.get("status").or_else(|| fields.get("state"));
            for (key, value) in fields {
                let here = dependency(key).or(own).or(name);
                walk_health(value, here, left, found);
            }
            if let (Some(own), Some(Json::String(state))) = (own, state)
                && bad(state)
            {
                found.insert(own.to_owned());
            }
        }
        Json::Array(items) => items.iter().for_each(|item| walk_health(item, name, left, found)),
        Json::String(text) => {
            if let Some(name) = name.filter(|_| bad(text)) {
                found.insert(name.to_owned());
            } else if bad(text) {
                let lower = text.to_ascii_lowercase();
                let words: BTreeSet<&str> = lower.split(|c: char| !c.is_ascii_alphanumeric()).collect();
                found.extend(
                    DEPENDENCIES.iter().filter(|name| words.contains(*name)).map(|name| (*name).to_owned()),
                );
            }
        }
        Json::Bool(false) => {
            found.extend(name.map(str::to_owned));
        }
        _ => {}
    }
}

/// The dependency that a key or a name stands for: its words end at signs and where small letters meet a capital
/// (`primaryDatabase`).
fn dependency(key: &str) -> Option<&'static str> {
    let mut spaced = String::with_capacity(key.len() + 4);
    let mut before = ' ';
    for c in key.chars() {
        if c.is_ascii_uppercase() && before.is_ascii_lowercase() {
            spaced.push(' ');
        }
        spaced.push(c.to_ascii_lowercase());
        before = c;
    }
    // `PostgreSQL` and `RabbitMQ` are one word, whatever their capitals.
    let whole = key.to_ascii_lowercase();
    let of = |text: &str| {
        let words: Vec<&str> = text.split(|c: char| !c.is_ascii_alphanumeric()).collect();
        DEPENDENCIES.iter().find(|name| words.contains(*name)).copied()
    };
    of(&whole).or_else(|| of(&spaced))
}

/// Whether a path that nobody can have defined gets a good status and nothing else.
fn empty(vantage: Vantage, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let Some(control) = exchanges.control(vantage) else { return };
    let Some(response) = control.response() else { return };
    let empty = response.status == 200 && response.body.complete && response.body.byte_count == 0;
    facts.known(FactKey::SiteEmpty, vantage.to_string(), empty, [control.id()]);
}

#[cfg(test)]
mod tests {
    use landfall_evidence::EndpointSource;

    use super::*;
    use crate::catalogue::Catalogue;
    use crate::testkit::{World, response};

    fn facts_of(path: &str, answer: HttpResponse) -> Facts {
        let mut world = World::new("https://shop.example.test");
        world.endpoint("GET", path, EndpointSource::Declared, false, &[]);
        world.http(Vantage::Edge, Purpose::Endpoint, path, answer);
        Facts::derive(&world.build(), Catalogue::embedded())
    }

    fn list(facts: &Facts, key: FactKey, path: &str) -> String {
        let fact = facts.get(key, &format!("edge {path}"));
        fact.and_then(|fact| fact.known()).map(ToString::to_string).unwrap_or_default()
    }

    #[test]
    fn local_urls_count_where_a_browser_would_follow_them() {
        let page =
            |body: &str| list(&facts_of("/", response(200).html(body).build()), FactKey::PageLocalUrls, "/");
        assert_eq!(
            page("<!doctype html><script>fetch('http://localhost:5000/api')</script>"),
            "http://localhost:5000/"
        );
        assert_eq!(
            page("<!doctype html><script src=\"http://backend:8000/app.js\"></script>"),
            "http://backend:8000/app.js"
        );
        assert_eq!(page("<!doctype html><a href=http://127.0.0.1:3000/x>x</a>"), "http://127.0.0.1:3000/x");
        assert_eq!(page("<!doctype html><pre>curl http://localhost:8000/</pre>"), "", "prose is no link");
        assert_eq!(page("<!doctype html><script>fetch('/api')</script>"), "");
        assert_eq!(page("<!doctype html><!-- <script src='http://localhost:35729/l.js'></script> -->"), "");
        let told = "<!doctype html><a href='http://localhost:3000/'><code>http://localhost:3000</code></a>";
        assert_eq!(page(told), "", "instructions are for the reader's own machine");
        assert_eq!(
            page("<!doctype html><meta name=description content='See http://localhost:3000 here'>"),
            ""
        );
        let json = response(200)
            .json(r#"{"next":"http://localhost:8000/items?page=2","note":"see http://localhost:1/ "}"#);
        assert_eq!(
            list(&facts_of("/items", json.build()), FactKey::PageLocalUrls, "/items"),
            "http://localhost:8000/items"
        );
        let away = response(302).redirect("http://127.0.0.1:8000/login").build();
        assert_eq!(list(&facts_of("/a", away), FactKey::PageLocalUrls, "/a"), "http://127.0.0.1:8000");
    }

    #[test]
    fn plain_http_counts_where_a_browser_blocks_it() {
        let page =
            |body: &str| list(&facts_of("/", response(200).html(body).build()), FactKey::PageHttpUrls, "/");
        assert_eq!(
            page("<!doctype html><script src='http://cdn.example.test/a.js'></script>"),
            "http://cdn.example.test/a.js"
        );
        assert_eq!(
            page("<!doctype html><link rel=stylesheet href=http://cdn.example.test/a.css>"),
            "http://cdn.example.test/a.css"
        );
        assert_eq!(
            page("<!doctype html><script>axios.get('http://api.example.test/x')</script>"),
            "http://api.example.test/x"
        );
        assert_eq!(
            page("<!doctype html><a href='http://other.example.test/'>x</a>"),
            "",
            "a link is no load"
        );
        assert_eq!(page("<!doctype html><link rel=canonical href='http://shop.example.test/'>"), "");
        let old =
            "<!doctype html><!--[if lt IE 9]><script src='http://x.example.test/a.js'></script><![endif]-->";
        assert_eq!(page(old), "");
        let csp =
            "<!doctype html><meta http-equiv=content-security-policy content=upgrade-insecure-requests>";
        assert_eq!(page(&format!("{csp}<script src='http://cdn.example.test/a.js'></script>")), "");
        assert_eq!(page("<!doctype html><svg xmlns='http://www.w3.org/2000/svg'></svg>"), "");
    }

    #[test]
    fn cookies_that_a_browser_drops() {
        let misfit = |cookie: &str| {
            list(
                &facts_of("/", response(200).header("set-cookie", cookie).build()),
                FactKey::CookieMisfit,
                "/",
            )
        };
        assert_eq!(misfit("sid=1; Path=/; SameSite=None"), "none-without-secure");
        assert_eq!(misfit("sid=1; Domain=localhost"), "local-domain");
        assert_eq!(misfit("sid=1; Domain=.other.test; Secure"), "other-domain");
        assert_eq!(misfit("__Host-sid=1; Path=/app; Secure"), "prefix-broken");
        assert_eq!(misfit("sid=1; Domain=.example.test; SameSite=None; Secure"), "none");
        assert_eq!(misfit("sid=1; HttpOnly"), "none", "a host may choose not to ask for Secure");
        assert_eq!(misfit("sid=; Domain=other.test; Max-Age=0"), "none", "it is taken away");
        assert_eq!(misfit("AWSALBCORS=x; SameSite=None"), "none", "the balancer's, not a session's");
    }

    #[test]
    fn bytes_that_are_not_coded_as_they_say() {
        let coded = |said: Option<&str>, opening: &str| {
            let mut answer = response(200).header("content-type", "application/json").build();
            answer.headers.extend(
                said.map(|v| landfall_evidence::Header { name: "content-encoding".into(), value: v.into() }),
            );
            answer.body.byte_count = 20;
            answer.body.text = None;
            answer.body.opening = Some(opening.into());
            list(&facts_of("/a", answer), FactKey::BodyCoding, "/a")
        };
        assert_eq!(coded(Some("gzip"), "1f8b0800"), "fits");
        assert_eq!(coded(Some("gzip"), "7b226f6b"), "not-so");
        assert_eq!(coded(None, "1f8b0800"), "unsaid");
        assert_eq!(coded(Some("br"), "8b058069"), "");
        assert_eq!(coded(Some("deflate"), "ab56ca4f"), "", "raw deflate begins with any byte");
        assert_eq!(coded(Some("deflate"), "7b226f6b"), "not-so");
    }

    #[test]
    fn a_page_that_browsers_keep_for_ever() {
        let kept = |cache: &str| {
            let page = response(200).html("<!doctype html><title>x</title>").header("cache-control", cache);
            list(&facts_of("/", page.build()), FactKey::PageKept, "/")
        };
        assert_eq!(kept("public, max-age=31536000, immutable"), "html");
        assert_eq!(kept("public, max-age=300"), "");
        assert_eq!(kept("no-cache, max-age=31536000"), "");
        let at = |path: &str, text: &str| {
            let page = response(200).html(text).header("cache-control", "public, max-age=31536000");
            list(&facts_of(path, page.build()), FactKey::PageKept, path)
        };
        assert_eq!(at("/app", "<!doctype html><script src=/a.1f.js></script>"), "html");
        assert_eq!(
            at("/law/7", "<!doctype html><title>Article 7</title><p>text"),
            "",
            "nothing that a build replaces"
        );
    }

    #[test]
    fn health_answers_name_what_fails() {
        let names = |text: &str| failing_dependencies(text).into_iter().collect::<Vec<_>>().join(" ");
        assert_eq!(
            names(r#"{"status":"error","checks":{"database":"unreachable","redis":"ok"}}"#),
            "database"
        );
        assert_eq!(names(r#"{"ok":false,"db":false}"#), "db");
        assert_eq!(
            names(r#"{"checks":[{"name":"redis","status":"DOWN"},{"name":"db","status":"UP"}]}"#),
            "redis"
        );
        assert_eq!(names(r#"{"status":"fail","error":"database connection refused"}"#), "database");
        assert_eq!(names("database unreachable"), "database");
        assert_eq!(names(r#"{"ok":false}"#), "");
        assert_eq!(
            names(r#"{"primaryDatabase":{"status":"DOWN"},"PostgreSQL":"up","diskSpace":"up"}"#),
            "database"
        );
        assert_eq!(
            names(r#"{"entries":{"RabbitMQ":{"status":"Unhealthy"},"npgsql":{"status":"Healthy"}}}"#),
            "rabbitmq"
        );
    }
}
