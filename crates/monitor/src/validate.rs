//! Whether a monitor makes sense, and how it may be shown.

use std::collections::BTreeMap;
use std::str::FromStr as _;

use http::{HeaderName, HeaderValue, Method};
use landfall_evidence::{REDACTED, redact_url};
use serde_json::Value;
use url::Url;

use crate::assertion::{codes_of, compile_path, compile_regex};
use crate::check::{OPEN_HEADERS, parse_server};
use crate::model::{Assertion, AuditEndpoint, Check, Comparison, DnsCheck, HttpCheck, MonitorSpec};

/// One thing that is wrong: where, as a JSON pointer (RFC 6901), and what would be right.
pub type FieldProblem = (String, String);

const NAME_CHARACTERS: usize = 200;
const URL_BYTE: usize = 2048;
const HEADERS: usize = 32;
const HEADER_BYTE: usize = 8 * 1024;
const BODY_BYTE: usize = 64 * 1024;
const ASSERTIONS: usize = 32;
const TEXT_BYTE: usize = 4 * 1024;
const LIST: usize = 64;
const LABELS: usize = 32;
const ENDPOINTS: usize = 16;

/// Headers that the connection decides and not the caller: those of one hop (RFC 9110, section 7.6.1), and those that
/// would make one request look like two.
const NOT_YOURS: &[&str] = &[
    "connection",
    "content-length",
    "expect",
    "host",
    "http2-settings",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "te",
    "trailer",
    "transfer-encoding",
    "upgrade",
];

/// Record types that can be asked for.
const RECORD_TYPES: &[&str] = &["A", "AAAA", "CNAME", "NS", "SOA", "CAA", "TXT", "MX"];

struct Problems(Vec<FieldProblem>);

impl Problems {
    fn add(&mut self, at: &str, what: impl Into<String>) {
        self.0.push((at.to_owned(), what.into()));
    }

    fn bounds<T: PartialOrd + std::fmt::Display>(&mut self, at: &str, value: T, from: T, to: T) {
        if value < from || value > to {
            self.add(at, format!("{value} is out of bounds: give {from} to {to}"));
        }
    }

    fn at_most(&mut self, at: &str, count: usize, most: usize, what: &str) {
        if count > most {
            self.add(at, format!("{count} {what} are too many: give at most {most}"));
        }
    }

    fn host(&mut self, at: &str, host: &str) {
        match url::Host::parse(host) {
            Ok(_) if host.len() <= 255 && !host.contains('%') => {}
            _ => match host.parse::<std::net::IpAddr>() {
                Ok(_) => {}
                Err(_) => self
                    .add(at, "this is not a host name or an address: give one without scheme, port and path"),
            },
        }
    }

    fn url(&mut self, at: &str, text: &str, credentials: bool) {
        if text.len() > URL_BYTE {
            return self.add(at, format!("the URL is longer than {URL_BYTE} bytes"));
        }
        match Url::parse(text) {
            Err(error) => self.add(
                at,
                format!("this is not a URL ({error}): give a full one, like https://api.example.com/health"),
            ),
            Ok(url) => {
                if !matches!(url.scheme(), "http" | "https") {
                    self.add(at, format!("the scheme {} cannot be asked: give http or https", url.scheme()));
                } else if url.host_str().is_none_or(str::is_empty) {
                    self.add(at, "the URL names no host");
                }
                if url.port() == Some(0) {
                    self.add(at, "port 0 cannot be asked: give 1 to 65535");
                }
                if !credentials && (!url.username().is_empty() || url.password().is_some()) {
                    self.add(at, "credentials in this URL would end up in reports: leave them out");
                }
            }
        }
    }

    fn text(&mut self, at: &str, text: &str) {
        if text.len() > TEXT_BYTE {
            self.add(at, format!("the text is longer than {TEXT_BYTE} bytes"));
        }
    }

    fn header_name(&mut self, at: &str, name: &str) {
        if HeaderName::from_str(name).is_err() {
            self.add(at, "this is not a header name: give letters, digits and hyphens");
        }
    }

    fn comparison(&mut self, at: &str, is: &Comparison) {
        match is {
            Comparison::Equals(text)
            | Comparison::NotEquals(text)
            | Comparison::Contains(text)
            | Comparison::NotContains(text) => self.text(at, text),
            Comparison::Matches(pattern) | Comparison::NotMatches(pattern) => {
                let key = if matches!(is, Comparison::Matches(_)) { "matches" } else { "not-matches" };
                let at = format!("{at}/{key}");
                self.text(&at, pattern);
                if pattern.len() <= TEXT_BYTE
                    && let Err(why) = compile_regex(pattern)
                {
                    self.add(&at, why.replace('\n', " "));
                }
            }
            Comparison::AtLeast(number) | Comparison::AtMost(number) => {
                if !number.is_finite() {
                    self.add(at, "the limit is not a number");
                }
            }
            Comparison::Exists(_) => {}
        }
    }

    fn path(&mut self, at: &str, path: &str) {
        self.text(at, path);
        if path.len() <= TEXT_BYTE
            && let Err(why) = compile_path(path)
        {
            self.add(at, why);
        }
    }
}

impl MonitorSpec {
    /// Everything that is wrong with it, each with the place as a JSON pointer and with what would be right. Empty when
    /// it can be checked as it stands.
    pub fn problems(&self) -> Vec<FieldProblem> {
        let mut p = Problems(Vec::new());
        let characters = self.name.chars().count();
        if self.name.trim().is_empty() || characters > NAME_CHARACTERS {
            p.add("/name", format!("give a name of 1 to {NAME_CHARACTERS} characters"));
        } else if self.name.chars().any(char::is_control) {
            p.add("/name", "the name holds control characters: leave them out");
        }
        p.bounds("/interval_s", self.interval_s, 10, 86_400);
        p.bounds("/timeout_ms", self.timeout_ms, 100, 60_000);
        p.bounds("/fail_after", self.fail_after, 1, 20);
        p.bounds("/recover_after", self.recover_after, 1, 20);
        if let Some(retry) = self.retry_s {
            p.bounds("/retry_s", retry, 5, self.interval_s.max(5));
        }
        if let Some(remind) = self.remind_s {
            p.bounds("/remind_s", remind, 300, 30 * 86_400);
        }
        let names = |p: &mut Problems, at: &str, list: &[String]| {
            p.at_most(at, list.len(), LIST, "entries");
            for (i, name) in list.iter().enumerate() {
                if name.is_empty() || name.len() > 200 {
                    p.add(&format!("{at}/{i}"), "an external id has 1 to 200 characters");
                }
            }
        };
        names(&mut p, "/depends_on", &self.depends_on);
        names(&mut p, "/channels", self.channels.as_deref().unwrap_or_default());
        p.at_most("/labels", self.labels.len(), LABELS, "labels");
        for (key, value) in &self.labels {
            if key.is_empty() || key.len() > 100 || value.len() > 200 || key.chars().any(char::is_control) {
                let at = format!("/labels/{}", escaped(key));
                p.add(&at, "a label has a key of 1 to 100 and a value of at most 200 characters");
            }
        }
        if let Some(origin) = &self.audit.origin {
            p.url("/audit/origin", origin, false);
        }
        p.at_most("/audit/endpoints", self.audit.endpoints.len(), ENDPOINTS, "endpoints");
        for (i, endpoint) in self.audit.endpoints.iter().enumerate() {
            audit_endpoint(&mut p, &format!("/audit/endpoints/{i}"), endpoint);
        }
        match &self.check {
            Check::Http(check) => http(&mut p, check),
            Check::Tcp(check) => {
                p.host("/check/host", &check.host);
                p.bounds("/check/port", check.port, 1, u16::MAX);
                limit(&mut p, "/check/degraded_ms", check.degraded_ms);
            }
            Check::Dns(check) => dns(&mut p, check),
            Check::Tls(check) => {
                p.host("/check/host", &check.host);
                p.bounds("/check/port", check.port, 1, u16::MAX);
                p.bounds("/check/certificate_days", check.certificate_days, 0, 365);
            }
            Check::Audit(check) => {
                p.url("/check/url", &check.url, false);
                // An audit asks dozens of questions, and each one is a request to somebody's production.
                p.bounds("/interval_s", self.interval_s, 300, 86_400);
            }
        }
        p.0
    }

    /// The monitor as JSON for people who may see it but not what it sends: values of headers, the body, and credentials
    /// in URLs are masked. [`MonitorSpec::keep_secrets`] is the way back.
    pub fn shown(&self) -> Value {
        let mut copy = self.clone();
        match &mut copy.check {
            Check::Http(check) => {
                for (name, value) in &mut check.headers {
                    if !OPEN_HEADERS.contains(&name.to_ascii_lowercase().as_str()) {
                        REDACTED.clone_into(value);
                    }
                }
                if check.body.is_some() {
                    check.body = Some(REDACTED.to_owned());
                }
                check.url = shown_url(&check.url);
            }
            Check::Audit(check) => check.url = shown_url(&check.url),
            Check::Tcp(_) | Check::Dns(_) | Check::Tls(_) => {}
        }
        // A monitor is plain data with text keys, which always serialises.
        serde_json::to_value(&copy).unwrap_or(Value::Null)
    }

    /// Puts back what [`MonitorSpec::shown`] masked, where an edited copy still has the mask: somebody who changes the
    /// interval does not have to know the token. A secret is put back only while it goes to the same origin; otherwise
    /// whoever may edit could have it sent to a host of their own.
    pub fn keep_secrets(&mut self, before: &Self) {
        let (Check::Http(new), Check::Http(old)) = (&mut self.check, &before.check) else { return };
        if new.url == shown_url(&old.url) {
            new.url.clone_from(&old.url);
        }
        let origin = |url: &str| Url::parse(url).map(|url| url.origin()).ok();
        if origin(&new.url).is_none_or(|new| Some(new) != origin(&old.url)) {
            return;
        }
        for (name, value) in &mut new.headers {
            let kept = old.headers.iter().find(|(before, _)| before.eq_ignore_ascii_case(name));
            if value == REDACTED
                && let Some((_, kept)) = kept
            {
                value.clone_from(kept);
            }
        }
        if new.body.as_deref() == Some(REDACTED) {
            new.body.clone_from(&old.body);
        }
    }

    /// What is watched, in a few words without secrets: "GET https://api.example.com/health".
    pub fn target_words(&self) -> String {
        match &self.check {
            Check::Http(check) => format!("{} {}", check.method.to_ascii_uppercase(), shown_url(&check.url)),
            Check::Tcp(check) => format!("TCP {}:{}", check.host, check.port),
            Check::Dns(check) => format!("DNS {} {}", check.rtype.to_ascii_uppercase(), check.name),
            Check::Tls(check) => format!("TLS {}:{}", check.host, check.port),
            Check::Audit(check) => format!("audit of {}", shown_url(&check.url)),
        }
    }
}

fn shown_url(text: &str) -> String {
    Url::parse(text).map_or_else(
        |_| landfall_evidence::redact_text(text),
        |url| {
            let clean = redact_url(&url);
            if clean == url { text.to_owned() } else { clean.to_string() }
        },
    )
}

/// A key inside a JSON pointer (RFC 6901, section 3).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

fn limit(p: &mut Problems, at: &str, limit: Option<u32>) {
    if let Some(limit) = limit {
        p.bounds(at, limit, 1, 60_000);
    }
}

fn method(p: &mut Problems, at: &str, text: &str) {
    match Method::from_bytes(text.as_bytes()) {
        Ok(Method::CONNECT) => p.add(at, "CONNECT asks a proxy for a tunnel and cannot be checked"),
        Ok(Method::TRACE) => {
            p.add(at, "TRACE sends what it is sent back, secrets included, and cannot be checked")
        }
        Ok(_) if text.len() <= 20 => {}
        _ => p.add(at, "this is not a method: give GET, HEAD, POST, PUT, PATCH, DELETE or OPTIONS"),
    }
}

fn http(p: &mut Problems, check: &HttpCheck) {
    p.url("/check/url", &check.url, true);
    method(p, "/check/method", &check.method);
    p.at_most("/check/headers", check.headers.len(), HEADERS, "headers");
    let mut seen: BTreeMap<String, ()> = BTreeMap::new();
    for (name, value) in &check.headers {
        let at = format!("/check/headers/{}", escaped(name));
        p.header_name(&at, name);
        let lower = name.to_ascii_lowercase();
        if NOT_YOURS.contains(&lower.as_str()) || lower.starts_with("proxy-") {
            p.add(&at, format!("{lower} belongs to the connection and cannot be set"));
        }
        if HeaderValue::from_str(value).is_err() {
            p.add(
                &at,
                "the value holds characters that a header cannot carry: give visible ASCII on one line",
            );
        }
        if value.len() > HEADER_BYTE {
            p.add(&at, format!("the value is longer than {HEADER_BYTE} bytes"));
        }
        if value == REDACTED {
            p.add(&at, "this is the mask and not a value: give the value again");
        }
        if seen.insert(lower, ()).is_some() {
            p.add(&at, "this header is there twice in another spelling: leave one out");
        }
    }
    if let Some(body) = &check.body {
        if body.len() > BODY_BYTE {
            p.add("/check/body", format!("the body is longer than {BODY_BYTE} bytes"));
        }
        if body == REDACTED {
            p.add("/check/body", "this is the mask and not a body: give the body again");
        }
    }
    p.bounds("/check/redirects", check.redirects, 0, 10);
    limit(p, "/check/degraded_ms", check.degraded_ms);
    p.bounds("/check/certificate_days", check.certificate_days, 0, 365);
    if !matches!(check.family, None | Some(4 | 6)) {
        p.add("/check/family", "give 4 or 6, or leave it out for both");
    }
    p.at_most("/check/assert", check.assert.len(), ASSERTIONS, "assertions");
    for (i, assertion) in check.assert.iter().enumerate() {
        let at = format!("/check/assert/{i}");
        match assertion {
            Assertion::Status { any_of } => {
                let at = format!("{at}/any_of");
                if any_of.is_empty() {
                    p.add(&at, "give at least one status, like \"200\" or \"200-299\"");
                }
                p.at_most(&at, any_of.len(), LIST, "entries");
                for (n, entry) in any_of.iter().enumerate() {
                    if let Err(why) = codes_of(entry) {
                        p.add(&format!("{at}/{n}"), why);
                    }
                }
            }
            Assertion::Header { name, is } => {
                p.header_name(&format!("{at}/name"), name);
                p.comparison(&at, is);
            }
            Assertion::Body { is } => p.comparison(&at, is),
            Assertion::Json { path, is } => {
                p.path(&format!("{at}/path"), path);
                p.comparison(&at, is);
            }
            Assertion::Time { max_ms } => p.bounds(&format!("{at}/max_ms"), *max_ms, 1, 60_000),
            Assertion::Version { header, path, expect } => {
                match (header, path) {
                    (Some(name), None) => p.header_name(&format!("{at}/header"), name),
                    (None, Some(path)) => p.path(&format!("{at}/path"), path),
                    _ => p.add(&at, "a version is in one place: give either `header` or `path`"),
                }
                if let Some(expect) = expect {
                    p.text(&format!("{at}/expect"), expect);
                }
            }
        }
    }
}

fn dns(p: &mut Problems, check: &DnsCheck) {
    let name = check.name.strip_suffix('.').unwrap_or(&check.name);
    let label = |l: &str| {
        !l.is_empty()
            && l.len() <= 63
            && l.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'*'))
    };
    if check.name != "." && (name.is_empty() || name.len() > 253 || !name.split('.').all(label)) {
        p.add(
            "/check/name",
            "this is not a domain name: give labels of letters, digits and hyphens, joined by dots",
        );
    }
    if !RECORD_TYPES.contains(&check.rtype.to_ascii_uppercase().as_str()) {
        p.add(
            "/check/rtype",
            format!("this record type cannot be asked for: give one of {}", RECORD_TYPES.join(", ")),
        );
    }
    if let Some(server) = &check.server
        && parse_server(server).is_none_or(|at| at.port() == 0)
    {
        p.add("/check/server", "give ADDR or ADDR:PORT, like 9.9.9.9 or [2620:fe::fe]:53");
    }
    for (at, list) in [("/check/contains", &check.contains), ("/check/exactly", &check.exactly)] {
        p.at_most(at, list.len(), LIST, "values");
        for (i, value) in list.iter().enumerate() {
            p.text(&format!("{at}/{i}"), value);
        }
    }
    if !check.contains.is_empty() && !check.exactly.is_empty() {
        p.add("/check/exactly", "`exactly` says it all: leave `contains` out");
    }
    limit(p, "/check/degraded_ms", check.degraded_ms);
}

fn audit_endpoint(p: &mut Problems, at: &str, endpoint: &AuditEndpoint) {
    if let Some(text) = &endpoint.method {
        method(p, &format!("{at}/method"), text);
    }
    if !endpoint.path.starts_with('/')
        || endpoint.path.len() > URL_BYTE
        || endpoint.path.chars().any(char::is_control)
    {
        p.add(&format!("{at}/path"), "give a path that begins with a slash, like /health");
    }
    p.at_most(&format!("{at}/status"), endpoint.status.len(), LIST, "statuses");
    for (i, status) in endpoint.status.iter().enumerate() {
        p.bounds(&format!("{at}/status/{i}"), *status, 100, 599);
    }
    p.at_most(&format!("{at}/json_keys"), endpoint.json_keys.len(), LIST, "keys");
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn read(check: &Value) -> MonitorSpec {
        serde_json::from_value(json!({ "name": "m", "check": check })).expect("it has the shape of a monitor")
    }

    fn places(spec: &MonitorSpec) -> Vec<String> {
        spec.problems()
            .into_iter()
            .map(|(at, what)| {
                assert!(what.len() > 10 && !what.contains('\n'), "{at}: {what}");
                at
            })
            .collect()
    }

    #[test]
    fn every_kind_survives_json_and_toml_and_refuses_unknown_keys() {
        let checks = [
            json!({ "kind": "http", "url": "https://a.test/", "method": "POST", "headers": { "x-a": "b" }, "body": "c",
                "redirects": 0, "assert": [{ "on": "status", "any_of": ["200"] }], "degraded_ms": 5,
                "certificate_days": 9, "family": 6 }),
            json!({ "kind": "tcp", "host": "a.test", "port": 25, "degraded_ms": 5 }),
            json!({ "kind": "dns", "name": "a.test", "rtype": "TXT", "server": "9.9.9.9", "contains": ["x"], "degraded_ms": 5 }),
            json!({ "kind": "tls", "host": "a.test", "port": 8443, "certificate_days": 3 }),
            json!({ "kind": "audit", "url": "https://a.test" }),
        ];
        for check in checks {
            let mut spec = read(&check);
            spec.interval_s = 300;
            spec.retry_s = Some(20);
            spec.channels = Some(vec!["ops".into()]);
            spec.labels = BTreeMap::from([("team".to_owned(), "core".to_owned())]);
            spec.audit.endpoints =
                vec![AuditEndpoint { path: "/health".into(), core: true, ..AuditEndpoint::default() }];
            assert_eq!(spec.problems(), []);
            let text = serde_json::to_string(&spec).expect("serialises");
            assert_eq!(serde_json::from_str::<MonitorSpec>(&text).expect("reads"), spec, "{text}");
            let text = toml::to_string(&spec).expect("serialises");
            assert_eq!(toml::from_str::<MonitorSpec>(&text).expect("reads"), spec, "{text}");
            let mut odd = check.clone();
            odd["colour"] = json!("red");
            let odd = json!({ "name": "m", "check": odd });
            let error = serde_json::from_value::<MonitorSpec>(odd).expect_err("unknown key").to_string();
            assert!(error.contains("unknown field `colour`"), "{check}: {error}");
        }
        let odd = json!({ "name": "m", "check": { "kind": "tcp", "host": "a", "port": 1 }, "colour": 1 });
        assert!(serde_json::from_value::<MonitorSpec>(odd).is_err());
        let odd = json!({ "name": "m", "check": { "kind": "icmp", "host": "a" } });
        assert!(serde_json::from_value::<MonitorSpec>(odd).expect_err("kind").to_string().contains("icmp"));
    }

    #[test]
    fn what_is_wrong_is_named_by_its_place() {
        let long = "x".repeat(3000);
        for (check, place) in [
            (json!({ "kind": "http", "url": "ftp://a.test/" }), "/check/url"),
            (json!({ "kind": "http", "url": "a.test/health" }), "/check/url"),
            (json!({ "kind": "http", "url": "https://" }), "/check/url"),
            (json!({ "kind": "http", "url": "file:///etc/passwd" }), "/check/url"),
            (json!({ "kind": "http", "url": "https://a.test:0/" }), "/check/url"),
            (json!({ "kind": "http", "url": format!("https://a.test/{long}") }), "/check/url"),
            (json!({ "kind": "http", "url": "https://a.test/", "method": "GE T" }), "/check/method"),
            (json!({ "kind": "http", "url": "https://a.test/", "method": "CONNECT" }), "/check/method"),
            (json!({ "kind": "http", "url": "https://a.test/", "method": "TRACE" }), "/check/method"),
            (
                json!({ "kind": "http", "url": "https://a.test/", "headers": { "Host": "b.test" } }),
                "/check/headers/Host",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "headers": { "Transfer-Encoding": "chunked" } }),
                "/check/headers/Transfer-Encoding",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "headers": { "content-length": "0" } }),
                "/check/headers/content-length",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "headers": { "a b": "c" } }),
                "/check/headers/a b",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "headers": { "x/y~": "c" } }),
                "/check/headers/x~1y~0",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "headers": { "x": "a\r\nHost: b" } }),
                "/check/headers/x",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "headers": { "x": "[redacted]" } }),
                "/check/headers/x",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "headers": { "X-A": "1", "x-a": "2" } }),
                "/check/headers/x-a",
            ),
            (json!({ "kind": "http", "url": "https://a.test/", "redirects": 11 }), "/check/redirects"),
            (json!({ "kind": "http", "url": "https://a.test/", "family": 5 }), "/check/family"),
            (json!({ "kind": "http", "url": "https://a.test/", "degraded_ms": 0 }), "/check/degraded_ms"),
            (
                json!({ "kind": "http", "url": "https://a.test/", "certificate_days": 400 }),
                "/check/certificate_days",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "assert": [{ "on": "status", "any_of": [] }] }),
                "/check/assert/0/any_of",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "assert": [{ "on": "status", "any_of": ["ok"] }] }),
                "/check/assert/0/any_of/0",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "assert": [{ "on": "body", "matches": "(" }] }),
                "/check/assert/0/matches",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "assert": [{ "on": "body", "not-matches": "(?:\\w{100}){1000}" }] }),
                "/check/assert/0/not-matches",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "assert": [{ "on": "json", "path": "status", "equals": "a" }] }),
                "/check/assert/0/path",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "assert": [{ "on": "header", "name": "a:b", "exists": true }] }),
                "/check/assert/0/name",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "assert": [{ "on": "time", "max_ms": 0 }] }),
                "/check/assert/0/max_ms",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "assert": [{ "on": "version" }] }),
                "/check/assert/0",
            ),
            (
                json!({ "kind": "http", "url": "https://a.test/", "assert": vec![json!({ "on": "time", "max_ms": 1 }); 33] }),
                "/check/assert",
            ),
            (json!({ "kind": "tcp", "host": "https://a.test", "port": 1 }), "/check/host"),
            (json!({ "kind": "tcp", "host": "", "port": 1 }), "/check/host"),
            (json!({ "kind": "tcp", "host": "a.test", "port": 0 }), "/check/port"),
            (json!({ "kind": "tls", "host": "a.test:443" }), "/check/host"),
            (json!({ "kind": "dns", "name": "a..test" }), "/check/name"),
            (json!({ "kind": "dns", "name": "a.test", "rtype": "AXFR" }), "/check/rtype"),
            (json!({ "kind": "dns", "name": "a.test", "server": "dns.google" }), "/check/server"),
            (
                json!({ "kind": "dns", "name": "a.test", "contains": ["a"], "exactly": ["a"] }),
                "/check/exactly",
            ),
            (json!({ "kind": "audit", "url": "https://u:p@a.test/" }), "/check/url"),
        ] {
            let mut spec = read(&check);
            spec.interval_s = 300;
            assert_eq!(places(&spec), [place], "{check}");
        }
        for host in ["a.test", "192.0.2.1", "2001:db8::1", "[2001:db8::1]", "xn--bcher-kva.test", "localhost"]
        {
            let spec = read(&json!({ "kind": "tcp", "host": host, "port": 1 }));
            assert_eq!(places(&spec), Vec::<String>::new(), "{host}");
        }
    }

    #[test]
    fn the_bounds_of_the_monitor_itself_are_kept() {
        let mut spec = read(&json!({ "kind": "audit", "url": "https://a.test" }));
        spec.name = " ".into();
        spec.interval_s = 9;
        spec.timeout_ms = 60_001;
        spec.fail_after = 0;
        spec.recover_after = 21;
        spec.retry_s = Some(60);
        spec.remind_s = Some(299);
        spec.depends_on = vec![String::new()];
        spec.labels = BTreeMap::from([(String::new(), "x".to_owned())]);
        spec.audit.origin = Some("ftp://x".into());
        spec.audit.endpoints =
            vec![AuditEndpoint { path: "health".into(), status: vec![99], ..AuditEndpoint::default() }];
        assert_eq!(
            places(&spec),
            [
                "/name",
                "/interval_s",
                "/timeout_ms",
                "/fail_after",
                "/recover_after",
                "/retry_s",
                "/remind_s",
                "/depends_on/0",
                "/labels/",
                "/audit/origin",
                "/audit/endpoints/0/path",
                "/audit/endpoints/0/status/0",
                "/interval_s"
            ]
        );
    }

    #[test]
    fn secrets_are_masked_and_an_edited_copy_gets_them_back_for_the_same_origin_only() {
        let spec = read(
            &json!({ "kind": "http", "url": "https://me:hunter2@a.test/h?token=abcdef123&page=2",
            "headers": { "X-Custom": "very secret", "Accept": "text/html" }, "body": "{\"password\":\"x\"}" }),
        );
        let shown = spec.shown();
        let text = shown.to_string();
        for secret in ["hunter2", "abcdef123", "very secret", "password"] {
            assert!(!text.contains(secret), "{text}");
        }
        assert!(text.contains("text/html") && text.contains("page=2"), "{text}");
        assert!(spec.target_words().starts_with("GET https://a.test/h?token="), "{}", spec.target_words());

        let mut edited: MonitorSpec = serde_json::from_value(shown.clone()).expect("a monitor");
        edited.interval_s = 30;
        assert!(!edited.problems().is_empty(), "masks are no values");
        edited.keep_secrets(&spec);
        assert_eq!(edited.check, spec.check);
        assert_eq!(edited.problems(), []);

        let mut stolen: MonitorSpec = serde_json::from_value(shown).expect("a monitor");
        let Check::Http(check) = &mut stolen.check else { panic!("HTTP") };
        check.url = "https://thief.test/".into();
        stolen.keep_secrets(&spec);
        assert!(!serde_json::to_string(&stolen).expect("serialises").contains("very secret"));
        assert_eq!(places(&stolen), ["/check/headers/X-Custom", "/check/body"]);
    }

    proptest::proptest! {
        #[test]
        fn no_text_makes_validation_panic(text in ".{0,60}") {
            for check in [
                json!({ "kind": "http", "url": text, "method": text, "headers": { text.clone(): text },
                    "assert": [{ "on": "json", "path": text, "matches": text }, { "on": "status", "any_of": [text] }] }),
                json!({ "kind": "tcp", "host": text, "port": 1 }),
                json!({ "kind": "dns", "name": text, "rtype": text, "server": text }),
            ] {
                let spec = read(&check);
                let _ = (spec.problems(), spec.shown(), spec.target_words());
            }
        }
    }
}
