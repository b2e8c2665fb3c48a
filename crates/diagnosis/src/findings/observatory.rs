//! The score that MDN's HTTP Observatory would give, as a second opinion.
//!
//! Rules and numbers are those of its source (mdn/mdn-http-observatory, `src/grader/charts.js`, `src/analyzer/tests/`)
//! as our table 3.2 has them: from 100 down by penalties, up by bonuses only when the penalties left 90 or more, never
//! below 0, a letter for each step of five. It judges 2xx, 3xx, 401 and 403 and nothing else. Two of its inputs are not
//! seen from here and count as not given: the preload list of browsers, and what the page looks like after its first
//! 16 KiB.

use landfall_evidence::HttpResponse;
use url::Url;

use crate::fields::{Bare, Cookie, Hsts, Policy, SameSite, joined, list};

/// What the score is made from.
pub(super) struct Scan<'a> {
    /// The answer over HTTPS.
    pub(super) response: &'a HttpResponse,
    /// Its URL.
    pub(super) url: &'a Url,
    /// What port 80 does.
    pub(super) plain: Plain,
    /// Whether the chain is one that clients accept.
    pub(super) trusted: bool,
    /// Whether browsers have the host in their preload list.
    pub(super) preloaded: bool,
    /// The answer to a page that nobody allowed, with that page's origin.
    pub(super) stranger: Option<(&'a HttpResponse, &'a str)>,
}

/// What port 80 does.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Plain {
    /// Nobody answers there.
    NoHttp,
    /// It answers itself.
    Answers,
    /// It redirects: where to first, and whether the way was seen to end on HTTPS.
    Redirects { first: Url, ends_on_https: bool },
    /// The redirect leads to a host whose chain clients refuse.
    BadChain,
}

/// A score with what it is made of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Score {
    /// 0 and above; bonuses can lift it over 100.
    pub(super) points: u32,
    /// The letter.
    pub(super) grade: &'static str,
    /// Every test with its outcome and its points.
    pub(super) marks: Vec<Mark>,
}

/// One test's outcome.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Mark {
    /// The test.
    pub(super) test: &'static str,
    /// Its outcome.
    pub(super) outcome: &'static str,
    /// Points.
    pub(super) points: i32,
}

const fn mark(test: &'static str, outcome: &'static str, points: i32) -> Mark {
    Mark { test, outcome, points }
}

/// Six months, the least that counts, in seconds (the Observatory's own number).
pub(super) const HALF_YEAR_S: u64 = 15_768_000;

/// Bonuses count only from here on.
const EXTRA_CREDIT_FROM: i32 = 90;

/// The score; `None` for an answer that the Observatory does not judge.
pub(super) fn score(scan: &Scan<'_>) -> Option<Score> {
    matches!(scan.response.status, 200..=399 | 401 | 403).then(|| total(marks(scan)))
}

/// Adds up.
pub(super) fn total(marks: Vec<Mark>) -> Score {
    let sum = |wanted: fn(i32) -> bool| marks.iter().map(|m| m.points).filter(|p| wanted(*p)).sum::<i32>();
    let penalised = 100 + sum(|points| points < 0);
    let points =
        if penalised >= EXTRA_CREDIT_FROM { penalised + sum(|points| points > 0) } else { penalised };
    let points = u32::try_from(points).unwrap_or(0);
    Score { points, grade: grade(points), marks }
}

/// The letter for a number of points, rounded down to a multiple of five.
pub(super) fn grade(points: u32) -> &'static str {
    match points - points % 5 {
        100.. => "A+",
        90 | 95 => "A",
        85 => "A-",
        80 => "B+",
        70 | 75 => "B",
        65 => "B-",
        60 => "C+",
        50 | 55 => "C",
        45 => "C-",
        40 => "D+",
        30 | 35 => "D",
        25 => "D-",
        _ => "F",
    }
}

fn marks(scan: &Scan<'_>) -> Vec<Mark> {
    let hsts = hsts(scan);
    vec![
        csp(scan),
        cookies(scan.response, hsts.points >= 0),
        cors(scan.response, scan.stranger),
        redirection(scan),
        hsts,
        frame_options(scan.response),
        content_type_options(scan.response),
        referrer_policy(scan.response),
        integrity(scan),
        embedder(scan.response),
        opener(scan.response),
        resource(scan.response),
    ]
}

fn lines<'r>(response: &'r HttpResponse, name: &str) -> Vec<&'r str> {
    response.headers.iter().filter(|h| h.name == name).map(|h| h.value.as_str()).collect()
}

/// Sources that allow about everything.
const BROAD: [&str; 8] =
    ["ftp:", "http:", "https:", "*", "http://*", "http://*.*", "https://*", "https://*.*"];

fn csp(scan: &Scan<'_>) -> Mark {
    const TEST: &str = "Content-Security-Policy";
    let sent = lines(scan.response, "content-security-policy");
    if sent.is_empty() {
        let reports = scan.response.header("content-security-policy-report-only").is_some();
        return mark(TEST, if reports { "only reported" } else { "absent" }, -25);
    }
    let Some(policy) = Policy::parse(&sent) else { return mark(TEST, "invalid", -25) };
    let is_secret = |source: &str| {
        ["'sha256-", "'sha384-", "'sha512-", "'nonce-"].iter().any(|start| source.starts_with(start))
    };
    let (mut script, mut style) = (policy.effective("script-src"), policy.effective("style-src"));
    for sources in [&mut script, &mut style] {
        // Browsers ignore 'unsafe-inline' beside a nonce or a hash (CSP Level 3, section 6.7.3.2).
        if sources.iter().any(|s| is_secret(s)) {
            sources.remove("'unsafe-inline'");
        }
    }
    if script.contains("'strict-dynamic'") {
        if !script.iter().any(|s| is_secret(s)) {
            return mark(TEST, "invalid", -25);
        }
        script.retain(|s| {
            !BROAD.iter().any(|broad| s.starts_with(broad)) && s != "'self'" && s != "'unsafe-inline'"
        });
    }
    let object = policy.effective("object-src");
    let broad = |source: &String| BROAD.contains(&source.as_str());
    let inline = |source: &String| source == "'unsafe-inline'" || source == "data:";
    if script.iter().any(|s| broad(s) || inline(s)) || object.iter().any(broad) {
        return mark(TEST, "unsafe-inline, data: or broad sources for scripts or objects", -20);
    }
    let secure = scan.url.scheme() == "https";
    let plain = |source: &String| source.starts_with("http:") || source.starts_with("ftp:");
    let passive = ["img-src", "media-src"];
    let active = policy
        .directives()
        .filter(|(name, _)| !passive.contains(name) && *name != "script-src")
        .any(|(_, sources)| sources.iter().any(plain))
        || script.iter().any(plain);
    if secure && active {
        return mark(TEST, "http: sources", -20);
    }
    if script.iter().chain(&style).any(|s| s == "'unsafe-eval'") {
        return mark(TEST, "unsafe-eval", -10);
    }
    let passive_plain = passive.iter().any(|name| {
        policy.sources(name).or_else(|| policy.sources("default-src")).is_some_and(|s| s.iter().any(plain))
    });
    if secure && passive_plain {
        return mark(TEST, "http: sources for images or media", -10);
    }
    if style.iter().any(|s| broad(s) || inline(s)) {
        return mark(TEST, "unsafe sources for styles only", 0);
    }
    let none = policy.sources("default-src").is_some_and(|s| s.len() == 1 && s.contains("'none'"));
    if none { mark(TEST, "default-src 'none', nothing unsafe", 10) } else { mark(TEST, "nothing unsafe", 5) }
}

/// Cookies, the worst one counts. `hsts`: whether the policy keeps clients off plain HTTP.
pub(super) fn cookies(response: &HttpResponse, hsts: bool) -> Mark {
    const TEST: &str = "cookies";
    // Heroku's router sets it and no application can change it (mozilla/http-observatory#282).
    let all: Vec<Cookie> = lines(response, "set-cookie")
        .into_iter()
        .filter_map(Cookie::parse)
        .filter(|cookie| cookie.name != "heroku-session-affinity")
        .collect();
    let mut worst: Option<Mark> = None;
    let mut worse = |outcome: &'static str, points: i32| {
        if worst.is_none_or(|so_far| points < so_far.points) {
            worst = Some(mark(TEST, outcome, points));
        }
    };
    for cookie in &all {
        let session = cookie.is_session();
        if cookie.same_site == Some(SameSite::Invalid)
            || (cookie.same_site == Some(SameSite::None) && !cookie.secure)
        {
            worse("SameSite is invalid", -20);
        }
        match (cookie.secure, session, hsts) {
            (true, ..) => {}
            (false, false, true) => worse("without Secure, under HSTS", -5),
            (false, true, true) => worse("session without Secure, under HSTS", -10),
            (false, false, false) => worse("without Secure", -20),
            (false, true, false) => worse("session without Secure", -40),
        }
        if session && !cookie.http_only {
            worse("session without HttpOnly", -30);
        }
        if cookie.is_anti_csrf() && cookie.same_site.is_none() {
            worse("anti-CSRF token without SameSite", -20);
        }
    }
    worst.unwrap_or_else(|| match all.as_slice() {
        [] => mark(TEST, "none", 0),
        all if all.iter().all(|c| c.same_site.is_some()) => mark(TEST, "all good, with SameSite", 5),
        _ => mark(TEST, "all good", 0),
    })
}

/// CORS: only the combination that opens everything costs.
pub(super) fn cors(response: &HttpResponse, stranger: Option<(&HttpResponse, &str)>) -> Mark {
    const TEST: &str = "CORS";
    let open = stranger.is_some_and(|(answer, origin)| {
        answer.header("access-control-allow-origin") == Some(origin)
            && answer.header("access-control-allow-credentials").is_some_and(|v| v.trim() == "true")
    });
    match response.header("access-control-allow-origin") {
        _ if open => mark(TEST, "any origin, with credentials", -50),
        None => mark(TEST, "not used", 0),
        Some("*") => mark(TEST, "public", 0),
        Some(_) => mark(TEST, "restricted", 0),
    }
}

fn redirection(scan: &Scan<'_>) -> Mark {
    const TEST: &str = "redirection to HTTPS";
    match &scan.plain {
        Plain::NoHttp => mark(TEST, "no port 80", 0),
        Plain::Answers => mark(TEST, "missing", -20),
        Plain::BadChain => mark(TEST, "to a bad certificate", -20),
        Plain::Redirects { ends_on_https: false, .. } => mark(TEST, "not to HTTPS", -20),
        Plain::Redirects { first, .. } if first.scheme() != "https" => {
            mark(TEST, "over another http: URL", -10)
        }
        Plain::Redirects { first, .. } if first.host_str() != scan.url.host_str() => {
            mark(TEST, "off the host", -5)
        }
        Plain::Redirects { .. } => mark(TEST, "to HTTPS on the same host", 0),
    }
}

/// HSTS.
pub(super) fn hsts(scan: &Scan<'_>) -> Mark {
    const TEST: &str = "Strict-Transport-Security";
    if scan.preloaded {
        return mark(TEST, "preloaded", 5);
    }
    if scan.url.scheme() != "https" {
        return mark(TEST, "no HTTPS", -20);
    }
    if !scan.trusted {
        return mark(TEST, "under a bad certificate", -20);
    }
    // A client takes the first field line (RFC 6797, section 8.1).
    match scan.response.header("strict-transport-security").map(Hsts::parse) {
        None => mark(TEST, "absent", -20),
        Some(None) => mark(TEST, "invalid", -20),
        Some(Some(policy)) if policy.max_age_s < HALF_YEAR_S => mark(TEST, "less than six months", -10),
        Some(Some(_)) => mark(TEST, "six months or more", 0),
    }
}

fn frame_options(response: &HttpResponse) -> Mark {
    const TEST: &str = "X-Frame-Options";
    let sent = lines(response, "content-security-policy");
    if Policy::parse(&sent).is_some_and(|policy| policy.sources("frame-ancestors").is_some()) {
        return mark(TEST, "by frame-ancestors", 5);
    }
    let value = response.header("x-frame-options").map(|v| v.trim().to_ascii_lowercase());
    match value.as_deref() {
        None => mark(TEST, "absent", -20),
        Some("deny" | "sameorigin") => mark(TEST, "DENY or SAMEORIGIN", 5),
        Some(value) if value.starts_with("allow-from") => mark(TEST, "ALLOW-FROM", 0),
        Some(_) => mark(TEST, "invalid", -20),
    }
}

/// `nosniff`.
pub(super) fn content_type_options(response: &HttpResponse) -> Mark {
    const TEST: &str = "X-Content-Type-Options";
    match response.header("x-content-type-options").map(|v| v.trim().to_ascii_lowercase()) {
        None => mark(TEST, "absent", -5),
        Some(value) if value == "nosniff" => mark(TEST, "nosniff", 0),
        Some(_) => mark(TEST, "invalid", -5),
    }
}

fn referrer_policy(response: &HttpResponse) -> Mark {
    const TEST: &str = "Referrer-Policy";
    const PRIVATE: [&str; 4] =
        ["no-referrer", "same-origin", "strict-origin", "strict-origin-when-cross-origin"];
    const UNSAFE: [&str; 4] =
        ["origin", "origin-when-cross-origin", "unsafe-url", "no-referrer-when-downgrade"];
    let Some(value) = joined(response, "referrer-policy") else { return mark(TEST, "absent", 0) };
    // The last word that is known counts (Referrer Policy, section 11.1).
    let known = value
        .split(',')
        .map(|word| word.trim().to_ascii_lowercase())
        .rfind(|word| PRIVATE.contains(&word.as_str()) || UNSAFE.contains(&word.as_str()));
    match known {
        Some(word) if PRIVATE.contains(&word.as_str()) => mark(TEST, "private", 5),
        Some(_) => mark(TEST, "unsafe", -5),
        None => mark(TEST, "invalid", -5),
    }
}

/// Subresource integrity of the scripts of a page.
fn integrity(scan: &Scan<'_>) -> Mark {
    const TEST: &str = "subresource integrity";
    let kind = scan.response.media_type().unwrap_or_default();
    if !matches!(kind.as_str(), "text/html" | "application/xhtml+xml") {
        return mark(TEST, "not a page", 0);
    }
    let scripts = scripts(scan.response.body.text.as_deref().unwrap_or_default());
    if scripts.is_empty() {
        return mark(TEST, "no scripts", 0);
    }
    let (mut worst, mut foreign, mut own) = (0, false, false);
    for script in &scripts {
        let relative_scheme = script.src.starts_with("//");
        let absolute = script.src.starts_with("http://") || script.src.starts_with("https://");
        let same_site =
            !absolute || Url::parse(&script.src).is_ok_and(|to| site_of(&to) == site_of(scan.url));
        if !relative_scheme && same_site {
            own |= script.integrity && (!absolute || script.src.starts_with("https://"));
            continue;
        }
        foreign = true;
        worst = worst.min(match (script.integrity, script.src.starts_with("https://")) {
            (true, true) => 0,
            (true, false) => -20,
            (false, true) => -5,
            (false, false) => -50,
        });
    }
    match (worst, foreign) {
        (-50, _) => mark(TEST, "external scripts over http without it", -50),
        (-20, _) => mark(TEST, "external scripts over http", -20),
        (-5, _) => mark(TEST, "external scripts without it", -5),
        (_, true) => mark(TEST, "external scripts with it", 5),
        _ if own => mark(TEST, "own scripts with it", 5),
        _ => mark(TEST, "own scripts only", 0),
    }
}

/// The registrable domain of a URL's host.
fn site_of(url: &Url) -> Option<String> {
    let host = url.host_str()?;
    Some(psl::domain_str(host).unwrap_or(host).to_owned())
}

struct Script {
    src: String,
    integrity: bool,
}

/// Scripts of a page that are loaded from somewhere. An attribute's value may stand in either quote or in none.
fn scripts(html: &str) -> Vec<Script> {
    let lower = html.to_ascii_lowercase();
    let mut found = Vec::new();
    for (at, _) in lower.match_indices("<script") {
        let end = lower[at..].find('>').map_or(lower.len(), |length| at + length);
        let attribute = |name: &str| -> Option<String> {
            let from = at + lower[at..end].find(&format!("{name}="))? + name.len() + 1;
            let value = &html[from..end];
            let quote = value.chars().next().filter(|c| matches!(c, '"' | '\''));
            let inside = match quote {
                Some(quote) => value[1..].split(quote).next(),
                None => value.split(|c: char| c.is_whitespace()).next(),
            };
            inside.map(str::to_owned)
        };
        if let Some(src) = attribute("src").filter(|src| !src.is_empty()) {
            found
                .push(Script { src, integrity: attribute("integrity").is_some_and(|hash| !hash.is_empty()) });
        }
    }
    found
}

/// The token of a field that is one structured item; several field lines are none.
fn token(response: &HttpResponse, name: &str) -> Option<Result<String, ()>> {
    let lines = lines(response, name);
    let (first, more) = lines.split_first()?;
    let item = list(first).filter(|items| more.is_empty() && items.len() == 1);
    Some(match item.and_then(|mut items| items.pop()).map(|item| item.value) {
        Some(Bare::Token(token)) => Ok(token),
        _ => Err(()),
    })
}

fn cross(test: &'static str, value: Option<Result<String, ()>>, strict: &[&str], lax: &[&str]) -> Mark {
    match value {
        None => mark(test, "absent", 0),
        Some(Ok(word)) if strict.contains(&word.as_str()) => mark(test, "strict", 10),
        Some(Ok(word)) if lax.contains(&word.as_str()) => mark(test, "open", 0),
        Some(_) => mark(test, "invalid", -5),
    }
}

fn embedder(response: &HttpResponse) -> Mark {
    let value = token(response, "cross-origin-embedder-policy");
    cross("Cross-Origin-Embedder-Policy", value, &["require-corp", "credentialless"], &["unsafe-none"])
}

fn opener(response: &HttpResponse) -> Mark {
    let value = token(response, "cross-origin-opener-policy");
    let lax = ["same-origin-allow-popups", "noopener-allow-popups", "unsafe-none"];
    cross("Cross-Origin-Opener-Policy", value, &["same-origin"], &lax)
}

fn resource(response: &HttpResponse) -> Mark {
    let value = token(response, "cross-origin-resource-policy");
    cross("Cross-Origin-Resource-Policy", value, &["same-origin", "same-site"], &["cross-origin"])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testkit::response;

    const STRANGER: &str = "https://landfall-control.invalid";

    fn url() -> Url {
        Url::parse("https://api.example.test/health").expect("valid")
    }

    fn to(first: &str, ends_on_https: bool) -> Plain {
        Plain::Redirects { first: Url::parse(first).expect("valid"), ends_on_https }
    }

    fn scanned<'a>(response: &'a HttpResponse, edit: impl FnOnce(&mut Scan<'a>)) -> Vec<Mark> {
        let url = Box::leak(Box::new(url()));
        let plain = to("https://api.example.test/health", true);
        let mut scan = Scan { response, url, plain, trusted: true, preloaded: false, stranger: None };
        edit(&mut scan);
        marks(&scan)
    }

    /// The points of one test for an answer with these fields.
    fn points(test: &str, fields: &[(&str, &str)]) -> i32 {
        let answer =
            fields.iter().fold(response(200).json("{}"), |r, (name, value)| r.header(name, value)).build();
        of(test, &scanned(&answer, |_| {}))
    }

    fn of(test: &str, marks: &[Mark]) -> i32 {
        marks.iter().find(|m| m.test == test).unwrap_or_else(|| panic!("no {test}")).points
    }

    #[test]
    fn every_row_of_content_security_policy() {
        let csp = |value: &str| points("Content-Security-Policy", &[("content-security-policy", value)]);
        assert_eq!(points("Content-Security-Policy", &[]), -25);
        assert_eq!(
            points(
                "Content-Security-Policy",
                &[("content-security-policy-report-only", "default-src 'self'")]
            ),
            -25
        );
        for (value, want) in [
            ("x", -25),
            ("script-src 'self'; script-src *", -25),
            ("default-src 'self'; script-src 'strict-dynamic'", -25),
            ("default-src 'self' http://a.test", -20),
            ("default-src 'self' 'unsafe-inline'", -20),
            ("default-src 'self'; script-src data:", -20),
            ("default-src 'self'; object-src *", -20),
            ("script-src 'self'", -20), // objects are not limited
            ("default-src https:", -20),
            ("default-src 'self' 'unsafe-eval'", -10),
            ("default-src 'self'; img-src http://a.test", -10),
            ("default-src 'self'; style-src 'unsafe-inline'", 0),
            ("default-src 'self'", 5),
            ("default-src 'self'; script-src 'self' 'unsafe-inline' 'nonce-abc'", 5),
            ("default-src 'self'; script-src 'strict-dynamic' 'nonce-abc' https: 'unsafe-inline'", 5),
            ("default-src 'none'", 10),
            ("default-src 'none'; img-src 'self'", 10),
        ] {
            assert_eq!(csp(value), want, "{value}");
        }
    }

    #[test]
    fn every_row_of_cookies() {
        let with = |hsts: bool, value: &str| {
            let hsts = if hsts { "max-age=31536000" } else { "" };
            let fields: Vec<(&str, &str)> = [("strict-transport-security", hsts), ("set-cookie", value)]
                .into_iter()
                .filter(|(_, value)| !value.is_empty())
                .collect();
            points("cookies", &fields)
        };
        for (value, under_hsts, without) in [
            ("", 0, 0),
            ("sessionid=x; Secure; HttpOnly; SameSite=Lax", 5, 5),
            ("sessionid=x; Secure; HttpOnly", 0, 0),
            ("lang=x", -5, -20),
            ("sessionid=x; HttpOnly", -10, -40),
            ("sessionid=x; Secure", -30, -30),
            ("lang=x; Secure; SameSite=Maybe", -20, -20),
            ("lang=x; SameSite=None", -20, -20),
            ("csrftoken=x; Secure", -20, -20),
            ("csrftoken=x; Secure; SameSite=Strict", 5, 5),
            ("heroku-session-affinity=x", 0, 0),
        ] {
            assert_eq!((with(true, value), with(false, value)), (under_hsts, without), "{value}");
        }
    }

    #[test]
    fn every_row_of_cors() {
        assert_eq!(points("CORS", &[]), 0);
        assert_eq!(points("CORS", &[("access-control-allow-origin", "*")]), 0);
        assert_eq!(points("CORS", &[("access-control-allow-origin", "https://app.example.test")]), 0);
        let plain = response(200).json("{}").build();
        let open = response(200)
            .header("access-control-allow-origin", STRANGER)
            .header("access-control-allow-credentials", "true")
            .build();
        assert_eq!(of("CORS", &scanned(&plain, |scan| scan.stranger = Some((&open, STRANGER)))), -50);
        let without = response(200).header("access-control-allow-origin", STRANGER).build();
        assert_eq!(of("CORS", &scanned(&plain, |scan| scan.stranger = Some((&without, STRANGER)))), 0);
    }

    #[test]
    fn every_row_of_redirection() {
        let answer = response(200).json("{}").build();
        for (plain, want) in [
            (Plain::NoHttp, 0),
            (Plain::Answers, -20),
            (Plain::BadChain, -20),
            (to("http://www.example.test/", false), -20),
            (to("http://www.example.test/", true), -10),
            (to("https://www.example.test/", true), -5),
            (to("https://api.example.test/", true), 0),
        ] {
            let marks = scanned(&answer, |scan| scan.plain = plain.clone());
            assert_eq!(of("redirection to HTTPS", &marks), want, "{plain:?}");
        }
    }

    #[test]
    fn every_row_of_transport_security() {
        const TEST: &str = "Strict-Transport-Security";
        let with = |value: &str| points(TEST, &[("strict-transport-security", value)]);
        assert_eq!(points(TEST, &[]), -20);
        assert_eq!(with("includeSubDomains"), -20);
        assert_eq!(with("max-age=15767999"), -10);
        assert_eq!(with("max-age=15768000"), 0);
        let good = response(200).header("strict-transport-security", "max-age=31536000").build();
        assert_eq!(of(TEST, &scanned(&good, |scan| scan.preloaded = true)), 5);
        assert_eq!(of(TEST, &scanned(&good, |scan| scan.trusted = false)), -20);
        let plain = Url::parse("http://api.example.test/").expect("valid");
        let scan = Scan {
            response: &good,
            url: &plain,
            plain: Plain::Answers,
            trusted: true,
            preloaded: false,
            stranger: None,
        };
        assert_eq!(hsts(&scan).points, -20);
    }

    #[test]
    fn every_row_of_the_other_fields() {
        for (test, name, value, want) in [
            ("X-Frame-Options", "x-frame-options", "DENY", 5),
            ("X-Frame-Options", "x-frame-options", " sameorigin ", 5),
            ("X-Frame-Options", "x-frame-options", "ALLOW-FROM https://a.test", 0),
            ("X-Frame-Options", "x-frame-options", "always", -20),
            ("X-Frame-Options", "content-security-policy", "frame-ancestors 'none'", 5),
            ("X-Frame-Options", "x-other", "", -20),
            ("X-Content-Type-Options", "x-content-type-options", "nosniff", 0),
            ("X-Content-Type-Options", "x-content-type-options", "none", -5),
            ("X-Content-Type-Options", "x-other", "", -5),
            ("Referrer-Policy", "referrer-policy", "no-referrer", 5),
            ("Referrer-Policy", "referrer-policy", "unsafe-url, strict-origin-when-cross-origin", 5),
            ("Referrer-Policy", "referrer-policy", "unsafe-url", -5),
            ("Referrer-Policy", "referrer-policy", "never", -5),
            ("Referrer-Policy", "x-other", "", 0),
            (
                "Cross-Origin-Embedder-Policy",
                "cross-origin-embedder-policy",
                "require-corp; report-to=\"x\"",
                10,
            ),
            ("Cross-Origin-Embedder-Policy", "cross-origin-embedder-policy", "unsafe-none", 0),
            ("Cross-Origin-Embedder-Policy", "cross-origin-embedder-policy", "\"require-corp\"", -5),
            ("Cross-Origin-Embedder-Policy", "x-other", "", 0),
            ("Cross-Origin-Opener-Policy", "cross-origin-opener-policy", "same-origin", 10),
            ("Cross-Origin-Opener-Policy", "cross-origin-opener-policy", "unsafe-none", 0),
            ("Cross-Origin-Opener-Policy", "cross-origin-opener-policy", "whimsy", -5),
            ("Cross-Origin-Resource-Policy", "cross-origin-resource-policy", "same-site", 10),
            ("Cross-Origin-Resource-Policy", "cross-origin-resource-policy", "same-origin", 10),
            ("Cross-Origin-Resource-Policy", "cross-origin-resource-policy", "cross-origin", 0),
            ("Cross-Origin-Resource-Policy", "cross-origin-resource-policy", "all", -5),
        ] {
            assert_eq!(points(test, &[(name, value)]), want, "{name}: {value}");
        }
    }

    #[test]
    fn every_row_of_subresource_integrity() {
        let page =
            |html: &str| of("subresource integrity", &scanned(&response(200).html(html).build(), |_| {}));
        for (html, want) in [
            ("<p>no scripts</p>", 0),
            ("<script src=/a.js></script>", 0),
            ("<script src='https://cdn.example.test/a.js'></script>", 0),
            ("<script src=\"/a.js\" integrity=\"sha384-x\"></script>", 5),
            ("<script src=\"https://cdn.other.test/a.js\"></script>", -5),
            ("<script src=\"https://cdn.other.test/a.js\" integrity='sha384-x' crossorigin></script>", 5),
            ("<SCRIPT SRC=\"http://cdn.other.test/a.js\" integrity=sha384-x></SCRIPT>", -20),
            ("<script src=//cdn.other.test/a.js></script>", -50),
            ("<script src=http://cdn.other.test/a.js></script>", -50),
        ] {
            assert_eq!(page(html), want, "{html}");
        }
        assert_eq!(points("subresource integrity", &[]), 0, "JSON has no scripts");
        for cut in ["<script src=", "<script src=\"/a", "<script", "<script src=é", "<script integrity="] {
            assert_eq!(page(cut).signum().max(0), 0, "{cut}");
        }
    }

    #[test]
    fn bonuses_count_only_from_ninety_on_and_nothing_falls_below_zero() {
        let sum = |points: &[i32]| total(points.iter().map(|p| mark("x", "y", *p)).collect());
        assert_eq!((sum(&[-10, 5, 10]).points, sum(&[-10, 5, 10]).grade), (105, "A+"));
        assert_eq!((sum(&[-15, 5, 10]).points, sum(&[-15, 5, 10]).grade), (85, "A-"));
        assert_eq!((sum(&[-50, -40, -30]).points, sum(&[-50, -40, -30]).grade), (0, "F"));
        for (points, want) in [
            (135, "A+"),
            (100, "A+"),
            (99, "A"),
            (90, "A"),
            (85, "A-"),
            (80, "B+"),
            (75, "B"),
            (70, "B"),
            (65, "B-"),
            (60, "C+"),
            (55, "C"),
            (50, "C"),
            (45, "C-"),
            (40, "D+"),
            (35, "D"),
            (30, "D"),
            (25, "D-"),
            (20, "F"),
            (0, "F"),
        ] {
            assert_eq!(grade(points), want, "{points}");
        }
    }

    #[test]
    fn a_bare_json_api_is_a_c_for_headers_that_nobody_acts_on() {
        // The example under table 3.2: −25 CSP, −20 X-Frame-Options, −5 nosniff; then also without HSTS and redirect.
        let url = url();
        let good = response(200).json("{}").header("strict-transport-security", "max-age=31536000").build();
        let bare = response(200).json("{}").build();
        let scan = |response, plain| {
            let scan = Scan { response, url: &url, plain, trusted: true, preloaded: false, stranger: None };
            score(&scan).map(|score| (score.points, score.grade))
        };
        assert_eq!(scan(&good, to("https://api.example.test/", true)), Some((50, "C")));
        assert_eq!(scan(&bare, Plain::Answers), Some((10, "F")));
        let [guarded, missing, broken] = [401, 404, 502].map(|status| response(status).build());
        assert!(scan(&guarded, Plain::NoHttp).is_some());
        assert_eq!(scan(&missing, Plain::NoHttp), None, "anything else is not judged");
        assert_eq!(scan(&broken, Plain::Answers), None);
    }
}
