//! Monitors whose configuration is code or an export: Checkly's constructs and Uptime Kuma's backup.
//!
//! Source: checklyhq.com/docs/constructs (api-check, url-monitor), louislam/uptime-kuma (the backup's `monitorList`).

use std::sync::LazyLock;

use landfall_evidence::Says;
use regex::Regex;
use serde_json::Value;

use super::{Found, is_credential, millis, statuses};
use crate::source::bracketed;

struct Patterns {
    made: Regex,
    url: Regex,
    method: Regex,
    follow: Regex,
    most: Regex,
    header: Regex,
    status: Regex,
    json: Regex,
    text: Regex,
    time: Regex,
    otherwise: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let compile =
        |pattern: &str| Regex::new(pattern).expect("the patterns are constants and covered by tests");
    Patterns {
        made: compile(r"\bnew\s+(ApiCheck|UrlMonitor)\s*(\()"),
        url: compile(r#"\burl\s*:\s*["'`]([^"'`]+)["'`]"#),
        method: compile(r#"\bmethod\s*:\s*["'`](\w+)["'`]"#),
        follow: compile(r"\bfollowRedirects\s*:\s*(true|false)"),
        most: compile(r"\bmaxResponseTime\s*:\s*([\d_]+)"),
        header: compile(r#"\bheaders\s*:|\bbasicAuth\s*:"#),
        status: compile(r"\.statusCode\(\)\s*\.equals\(\s*(\d{3})\s*\)"),
        json: compile(
            r#"\.jsonBody\(\s*["'`]\$\.([\w.]+)["'`]\s*\)\s*\.equals\(\s*["'`]?([^"'`)]+)["'`]?\s*\)"#,
        ),
        text: compile(r#"\.textBody\(\s*\)\s*\.contains\(\s*["'`]([^"'`]+)["'`]\s*\)"#),
        otherwise: compile(
            r"\bshouldFail\s*:\s*true|\bactivated\s*:\s*false|\.statusCode\(\)\s*\.(?:lessThan|greaterThan|notEquals)\(",
        ),
        time: compile(r"\.responseTime\(\)\s*\.lessThan\(\s*([\d_]+)\s*\)"),
    }
});

/// Checkly's API checks and URL monitors.
pub(super) fn checkly(file: &str, text: &str) -> Vec<Found> {
    let p = &*PATTERNS;
    let each = |made: regex::Captures<'_>| {
        let open = made.get(2)?.start();
        let body = bracketed(text, open)?;
        // One that has to fail, is switched off, or compares the status in another way than this reads.
        if p.otherwise.is_match(body) {
            return None;
        }
        let one = |pattern: &Regex| pattern.captures(body).map(|found| found[1].to_owned());
        let limit = |found: Option<String>| found.and_then(|text| millis(&text.replace('_', ""), 1));
        let line = text[..open].matches('\n').count() + 1;
        let says = p.json.captures_iter(body).map(|is| Says::Json(is[1].to_owned(), is[2].trim().to_owned()));
        let texts = p.text.captures_iter(body).map(|is| Says::Text(is[1].to_owned()));
        Some(Found {
            tool: "checkly".to_owned(),
            place: format!("{file}:{line}"),
            url: one(&p.url)?,
            method: one(&p.method),
            status: p.status.captures_iter(body).flat_map(|is| statuses(&is[1])).collect(),
            follows: one(&p.follow).as_deref() != Some("false"),
            says: says.chain(texts).collect(),
            within_ms: limit(one(&p.most)).into_iter().chain(limit(one(&p.time))).min(),
            signs_in: p.header.find(body).is_some_and(|at| {
                body[at.start()..].starts_with("basicAuth") || is_credential(&body[at.start()..])
            }),
            ..Found::default()
        })
    };
    p.made.captures_iter(text).filter_map(each).collect()
}

/// An export of Uptime Kuma.
pub(super) fn kuma(file: &str, text: &str) -> Vec<Found> {
    let Ok(json) = serde_json::from_str::<Value>(text) else { return Vec::new() };
    let monitors = json.get("monitorList").and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
    let each = |monitor: &Value| {
        let said = |key: &str| monitor.get(key).and_then(Value::as_str).filter(|text| !text.is_empty());
        if !matches!(said("type"), Some("http" | "keyword" | "json-query")) || is_off(monitor.get("active"))
            // Such a monitor is content with what fails.
            || !is_off(monitor.get("upsideDown"))
        {
            return None;
        }
        let codes = monitor.get("accepted_statuscodes").and_then(Value::as_array);
        let url = said("url")?;
        let line = text.find(url).map_or(1, |at| text[..at].matches('\n').count() + 1);
        let inverted = !is_off(monitor.get("invertKeyword"));
        Some(Found {
            tool: "uptime-kuma".to_owned(),
            place: format!("{file}:{line}"),
            url: url.to_owned(),
            method: said("method").map(str::to_owned),
            status: codes.into_iter().flatten().filter_map(Value::as_str).flat_map(statuses).collect(),
            follows: monitor.get("maxredirects").and_then(Value::as_u64) != Some(0),
            // Of another type the word is kept and not looked for.
            says: said("keyword")
                .filter(|_| said("type") == Some("keyword"))
                .map(|word| if inverted { Says::Not(word.to_owned()) } else { Says::Text(word.to_owned()) })
                .into_iter()
                .collect(),
            within_ms: monitor
                .get("timeout")
                .and_then(Value::as_f64)
                .and_then(|s| millis(&s.to_string(), 1_000)),
            signs_in: said("basic_auth_user").is_some() || said("headers").is_some_and(is_credential),
            ..Found::default()
        })
    };
    monitors.iter().filter_map(each).collect()
}

/// Whether a switch is off, or not there; the export writes numbers or words.
fn is_off(value: Option<&Value>) -> bool {
    match value {
        None | Some(Value::Null) => true,
        Some(value) => *value == Value::Bool(false) || *value == 0,
    }
}
