//! Monitors that a team runs itself, configured in YAML: Gatus, Upptime, and the blackbox exporter with Prometheus.
//!
//! Source: the README of TwiN/gatus (endpoints, conditions, client configuration), upptime.js.org/docs/configuration and upptime's src/update.ts (statuses),
//! prometheus/blackbox_exporter CONFIGURATION.md, prometheus-operator's API reference (Probe).

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::Says;
use regex::Regex;

use super::{Found, SUCCESS, is_credential, millis, statuses};
use crate::yaml::Node;

/// Whether a text may be one of these configurations: whether it is worth its parsing.
pub(super) fn may_hold(text: &str) -> bool {
    (text.contains("conditions:") && text.contains("[STATUS]"))
        || text.contains("sites:")
        || text.contains("scrape_configs:")
        || text.contains("prober:")
        || text.contains("kind: Probe")
}

/// The checks of one document.
pub(super) fn read(file: &str, document: &Node, modules: &Modules) -> Vec<Found> {
    let mut found = gatus(file, document);
    if file.contains("upptime") {
        found.extend(upptime(file, document));
    }
    found.extend(prometheus(file, document, modules));
    found
}

struct Patterns {
    status: Regex,
    any: Regex,
    time: Regex,
    json: Regex,
    has: Regex,
    part: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let compile =
        |pattern: &str| Regex::new(pattern).expect("the patterns are constants and covered by tests");
    Patterns {
        status: compile(r"^\[STATUS\]\s*(==|<|<=)\s*(\d{3})$"),
        any: compile(r"^\[STATUS\]\s*==\s*any\(([\d,\s]+)\)$"),
        time: compile(r"^\[RESPONSE_TIME\]\s*<=?\s*(\d+)$"),
        json: compile(r"^\[BODY\]\.([A-Za-z_][\w.-]*)\s*==\s*(.+)$"),
        has: compile(r"^has\(\[BODY\]\.([A-Za-z_][\w-]*)\)\s*==\s*true$"),
        part: compile(r"^\[BODY\]\s*==\s*pat\(\*([^*?\[\]]+)\*\)$"),
    }
});

/// Gatus: `endpoints`, each with a URL and conditions.
fn gatus(file: &str, document: &Node) -> Vec<Found> {
    let endpoints = document.get("endpoints").map(Node::items).unwrap_or_default();
    endpoints
        .iter()
        .filter(|e| e.get("conditions").is_some())
        .filter_map(|e| gatus_endpoint(file, e))
        .collect()
}

fn gatus_endpoint(file: &str, endpoint: &Node) -> Option<Found> {
    let p = &*PATTERNS;
    let text = |path: &[&str]| endpoint.at(path).and_then(Node::text);
    if text(&["enabled"]) == Some("false") || endpoint.get("dns").is_some() {
        return None;
    }
    let url = endpoint.get("url")?;
    let mut found = Found {
        tool: "gatus".to_owned(),
        place: format!("{file}:{}", url.line),
        url: url.text()?.to_owned(),
        method: text(&["method"]).map(str::to_owned),
        follows: text(&["client", "ignore-redirect"]) != Some("true"),
        // Its client waits for ten seconds when nothing is said; an audit waits longer.
        within_ms: Some(text(&["client", "timeout"]).and_then(|text| millis(text, 1_000)).unwrap_or(10_000)),
        signs_in: endpoint.at(&["client", "oauth2"]).is_some() || sends_credentials(endpoint.get("headers")),
        ..Found::default()
    };
    for condition in endpoint.get("conditions").map(Node::items).unwrap_or_default() {
        let Some(condition) = condition.text().map(str::trim) else { continue };
        if let Some(is) = p.status.captures(condition) {
            let bound: u16 = is[2].parse().unwrap_or(200);
            match &is[1] {
                "==" => found.status.push(bound),
                less => {
                    let last = if less == "<" { bound.saturating_sub(1) } else { bound };
                    found.status.extend(200..=last.min(599));
                }
            }
        } else if let Some(is) = p.any.captures(condition) {
            found.status.extend(is[1].split(',').flat_map(statuses));
        } else if let Some(is) = p.time.captures(condition) {
            let limit = is[1].parse().ok();
            found.within_ms = limit.into_iter().chain(found.within_ms).min();
        } else if let Some(is) = p.has.captures(condition) {
            found.json_keys.push(is[1].to_owned());
        } else if let Some(is) = p.part.captures(condition) {
            found.says.push(Says::Text(is[1].to_owned()));
        } else if let Some(is) = p.json.captures(condition)
            && !is[2].contains(['(', '['])
        {
            found.says.push(Says::Json(is[1].to_owned(), is[2].trim_matches(['"', '\'']).to_owned()));
        }
    }
    Some(found)
}

/// Upptime: `sites`. What takes longer than `maxResponseTime` is degraded, and not down.
fn upptime(file: &str, document: &Node) -> Vec<Found> {
    let sites = document.get("sites").map(Node::items).unwrap_or_default();
    let site = |site: &Node| {
        let text = |key: &str| site.get(key).and_then(Node::text).map(str::to_owned);
        // `tcp-ping`, `ssl` and `ws` are no requests.
        if text("check").is_some_and(|check| check != "http") {
            return None;
        }
        let url = site.get("url")?;
        let says = [
            text("__dangerous__body_down").map(Says::Not),
            text("__dangerous__body_down_if_text_missing").map(Says::Text),
        ];
        let expected = site.get("expectedStatusCodes").map(Node::items).unwrap_or_default();
        let mut status: Vec<u16> = expected.iter().filter_map(Node::text).flat_map(statuses).collect();
        if status.is_empty() {
            // What it takes for good unless it is told: 2xx and 3xx.
            status = SUCCESS.iter().copied().chain(300..=308).collect();
        }
        Some(Found {
            tool: "upptime".to_owned(),
            place: format!("{file}:{}", url.line),
            url: url.text()?.to_owned(),
            method: text("method"),
            status,
            follows: text("maxRedirects").as_deref() != Some("0"),
            says: says.into_iter().flatten().collect(),
            signs_in: site
                .get("headers")
                .is_some_and(|headers| headers.items().iter().filter_map(Node::text).any(is_credential)),
            ..Found::default()
        })
    };
    sites.iter().filter_map(site).collect()
}

/// The modules of blackbox exporters in the folder, by name.
#[derive(Debug, Default)]
pub(super) struct Modules(BTreeMap<String, Module>);

#[derive(Debug, Clone, Default)]
struct Module {
    method: Option<String>,
    status: Vec<u16>,
    follows: bool,
    says: Vec<Says>,
    within_ms: Option<u64>,
    signs_in: bool,
}

impl Modules {
    /// Takes the modules of one document.
    pub(super) fn read(&mut self, document: &Node) {
        // The chart of the exporter holds the same below `config`.
        let of_document = [document.get("modules"), document.at(&["config", "modules"])];
        for (name, module) in of_document.into_iter().flatten().flat_map(Node::entries) {
            if module.get("prober").and_then(Node::text) == Some("http") {
                self.0.insert(name.clone(), Module::of(module));
            }
        }
    }

    /// A module by its name. The exporter's own `http_2xx` stands for one whose file is not here, where its name says so.
    fn get(&self, name: &str) -> Option<Module> {
        let usual = || name.starts_with("http_2xx") || name.starts_with("https_2xx");
        self.0.get(name).cloned().or_else(|| usual().then(|| Module { follows: true, ..Module::default() }))
    }
}

impl Module {
    fn of(module: &Node) -> Self {
        let http = |key: &str| module.at(&["http", key]);
        let text = |key: &str| http(key).and_then(Node::text);
        let patterns = |key: &str| {
            let all = http(key).map(Node::items).unwrap_or_default();
            all.iter().filter_map(Node::text).map(str::to_owned).collect::<Vec<_>>()
        };
        let codes = http("valid_status_codes").map(Node::items).unwrap_or_default();
        let follows =
            text("follow_redirects") != Some("false") && text("no_follow_redirects") != Some("true");
        Self {
            method: text("method").map(str::to_owned),
            status: codes.iter().filter_map(Node::text).flat_map(statuses).collect(),
            follows,
            says: patterns("fail_if_body_not_matches_regexp").into_iter().map(Says::Pattern).collect(),
            within_ms: module.get("timeout").and_then(Node::text).and_then(|text| millis(text, 1_000)),
            signs_in: ["basic_auth", "authorization", "bearer_token", "bearer_token_file", "oauth2"]
                .iter()
                .any(|key| http(key).is_some())
                || sends_credentials(http("headers")),
        }
    }

    fn check(&self, place: String, url: &str) -> Found {
        Found {
            tool: "blackbox-exporter".to_owned(),
            place,
            // A target without a scheme is asked over plain HTTP.
            url: url.to_owned(),
            method: self.method.clone(),
            status: self.status.clone(),
            follows: self.follows,
            says: self.says.clone(),
            within_ms: self.within_ms,
            signs_in: self.signs_in,
            ..Found::default()
        }
    }
}

/// Prometheus asking a blackbox exporter: jobs of `/probe`, and the operator's `Probe`.
fn prometheus(file: &str, document: &Node, modules: &Modules) -> Vec<Found> {
    let mut found = Vec::new();
    let jobs = document.get("scrape_configs").map(Node::items).unwrap_or_default();
    for job in jobs.iter().filter(|job| job.get("metrics_path").and_then(Node::text) == Some("/probe")) {
        let named = job.at(&["params", "module"]);
        let name = named.and_then(|n| n.text().or_else(|| n.items().first()?.text())).unwrap_or("http_2xx");
        let Some(module) = modules.get(name) else { continue };
        let groups = job.get("static_configs").map(Node::items).unwrap_or_default();
        let targets = groups.iter().filter_map(|group| group.get("targets")).flat_map(Node::items);
        found.extend(targets.filter_map(|t| Some(module.check(format!("{file}:{}", t.line), t.text()?))));
    }
    if document.get("kind").and_then(Node::text) == Some("Probe") {
        let name = document.at(&["spec", "module"]).and_then(Node::text).unwrap_or("http_2xx");
        let targets =
            document.at(&["spec", "targets", "staticConfig", "static"]).map(Node::items).unwrap_or_default();
        if let Some(module) = modules.get(name) {
            found.extend(
                targets.iter().filter_map(|t| Some(module.check(format!("{file}:{}", t.line), t.text()?))),
            );
        }
    }
    found
}

fn sends_credentials(headers: Option<&Node>) -> bool {
    headers.is_some_and(|headers| headers.entries().iter().any(|(name, _)| is_credential(name)))
}
