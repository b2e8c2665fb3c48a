//! Checks that monitors make of production, where their configuration lies in the project: what they ask, how, and what
//! they take for a good answer. An audit makes the same requests, so that an alarm of a monitor that asks wrongly can be
//! told from one of an application that fails.
//!
//! A check that sends credentials is left out: nobody here has them. So are checks of plain HTTP, of other protocols, and
//! those whose URL is put together from variables.

mod hosted;
mod scripts;
mod terraform;
mod uptime;

use landfall_evidence::{Expectation, MonitorCheck, Says, redact_text, redact_url};
use url::Url;

use crate::tree::{Tree, file_name};
use crate::yaml::documents;

/// Checks that are kept.
const MAX_CHECKS: usize = 64;
/// Files that are read for them.
const MAX_FILES: usize = 200;
/// What a text has to say, of one check.
const MAX_SAYS: usize = 16;
/// The longest text that a check looks for.
const MAX_TEXT: usize = 300;
/// Statuses of success, named one by one: those of a check that takes no redirect for a good answer.
const SUCCESS: [u16; 8] = [200, 201, 202, 203, 204, 205, 206, 226];
/// Statuses of redirects that lead on.
const REDIRECTS: [u16; 5] = [301, 302, 303, 307, 308];

/// Reads the checks of a folder, in the order of its files.
pub(crate) fn read(tree: &Tree) -> Vec<MonitorCheck> {
    let mut found = Vec::new();
    let mut modules = uptime::Modules::default();
    let kept = tree.files.iter().filter(|file| !file.ignored && is_read(&file.path)).take(MAX_FILES);
    let texts: Vec<(&str, String)> =
        kept.filter_map(|file| Some((file.path.as_str(), tree.text(&file.path)?.ok()?))).collect();
    let mut yaml = Vec::new();
    for (path, text) in &texts {
        let kind = kind(path);
        match kind {
            // A file that does not parse is named by the reader of deploy files.
            Kind::Yaml if uptime::may_hold(text) => {
                let Ok(all) = documents(text) else { continue };
                all.iter().for_each(|document| modules.read(document));
                yaml.push((*path, all));
            }
            Kind::Yaml => {}
            Kind::Terraform => found.extend(terraform::read(path, text)),
            Kind::Script => found.extend(hosted::checkly(path, text)),
            Kind::Json => found.extend(hosted::kuma(path, text)),
            Kind::Shell => {}
        }
        if matches!(kind, Kind::Shell) || scripts::is_workflow(path) {
            found.extend(scripts::read(path, text));
        }
    }
    for (path, all) in &yaml {
        found.extend(all.iter().flat_map(|document| uptime::read(path, document, &modules)));
    }
    let mut checks = Vec::new();
    for check in found.into_iter().filter_map(Found::check) {
        // The same request with the same expectation, written twice, is one check.
        let same = |known: &MonitorCheck| {
            (&known.host, &known.method, &known.path, &known.expect)
                == (&check.host, &check.method, &check.path, &check.expect)
        };
        if checks.len() < MAX_CHECKS && !checks.iter().any(same) {
            checks.push(check);
        }
    }
    checks
}

enum Kind {
    Yaml,
    Terraform,
    Script,
    Json,
    Shell,
}

fn kind(path: &str) -> Kind {
    let name = file_name(path);
    match name.rsplit_once('.').map(|(_, end)| end) {
        Some("tf" | "tofu") => Kind::Terraform,
        Some("ts" | "js" | "mjs") => Kind::Script,
        Some("json") => Kind::Json,
        Some("yml" | "yaml") => Kind::Yaml,
        _ => Kind::Shell,
    }
}

fn is_read(path: &str) -> bool {
    let name = file_name(path).to_ascii_lowercase();
    let ends = |all: &[&str]| all.iter().any(|end| name.ends_with(end));
    ends(&[".yml", ".yaml", ".tf", ".tofu", ".sh", ".bash"])
        || (ends(&[".ts", ".js", ".mjs"])
            && (name.contains(".check.") || path.contains("__checks__") || name.contains("checkly")))
        || (ends(&[".json"]) && name.contains("kuma"))
}

/// A check as its configuration has it.
#[derive(Debug, Default)]
struct Found {
    tool: String,
    place: String,
    url: String,
    method: Option<String>,
    /// Statuses that it accepts; empty is 2xx.
    status: Vec<u16>,
    follows: bool,
    says: Vec<Says>,
    json_keys: Vec<String>,
    within_ms: Option<u64>,
    /// Whether it sends credentials.
    signs_in: bool,
}

impl Found {
    fn check(self) -> Option<MonitorCheck> {
        if self.signs_in || self.url.contains(['$', '{', '<']) {
            return None;
        }
        let url = Url::parse(self.url.trim()).ok().filter(|url| url.scheme() == "https")?;
        if !url.username().is_empty() || url.password().is_some() || url.port().is_some() {
            return None;
        }
        let host = url.host_str()?.trim_end_matches('.').to_ascii_lowercase();
        let method = self.method.unwrap_or_else(|| "GET".to_owned()).to_ascii_uppercase();
        // What is masked in a report cannot be asked.
        if holds_secret(&url) {
            return None;
        }
        let path = url[url::Position::BeforePath..url::Position::AfterQuery].to_owned();
        let mut status = self.status;
        match (status.is_empty(), self.follows) {
            (true, true) => {}
            (true, false) => status = SUCCESS.to_vec(),
            // Where it follows, a redirect is judged by where it ends, which is not among the statuses it names.
            (false, true) if SUCCESS.iter().any(|good| status.contains(good)) => {
                status.extend(REDIRECTS);
            }
            (false, _) => {}
        }
        status.sort_unstable();
        status.dedup();
        let mut says: Vec<Says> = self.says.into_iter().filter(fits).take(MAX_SAYS).collect();
        // A secret that a check looks for would be in the report.
        says.retain(|says| {
            let text = says.to_string();
            redact_text(&text) == text
        });
        let expect = Expectation {
            status,
            json_keys: self.json_keys.into_iter().take(MAX_SAYS).collect(),
            within_ms: self.within_ms.filter(|limit| *limit > 0),
            says,
            ..Expectation::default()
        };
        Some(MonitorCheck { tool: self.tool, place: self.place, host, method, path, expect })
    }
}

/// Whether a URL's query carries what a report masks.
fn holds_secret(url: &Url) -> bool {
    let values = |url: &Url| url.query_pairs().map(|(_, value)| value.into_owned()).collect::<Vec<_>>();
    values(&redact_url(url)) != values(url)
}

fn fits(says: &Says) -> bool {
    let short = |text: &str| !text.is_empty() && text.len() <= MAX_TEXT;
    match says {
        Says::Text(text) | Says::Not(text) | Says::Pattern(text) => short(text),
        Says::Json(path, value) => short(path) && value.len() <= MAX_TEXT,
    }
}

/// `200-299`, `200`, `2xx`.
fn statuses(text: &str) -> Vec<u16> {
    let text = text.trim().trim_matches('"');
    if let Some((from, to)) = text.split_once('-') {
        let (Ok(from), Ok(to)) = (from.trim().parse::<u16>(), to.trim().parse::<u16>()) else {
            return Vec::new();
        };
        return if (100..600).contains(&from) && to < 600 { (from..=to).collect() } else { Vec::new() };
    }
    if let Some(class) =
        text.to_ascii_lowercase().strip_suffix("xx").and_then(|class| class.parse::<u16>().ok())
    {
        return if (1..6).contains(&class) { (class * 100..class * 100 + 100).collect() } else { Vec::new() };
    }
    text.parse().ok().filter(|status| (100..600).contains(status)).into_iter().collect()
}

/// `10s`, `500ms`, `2m`; a bare number is in `unit_ms`.
fn millis(text: &str, unit_ms: u64) -> Option<u64> {
    let text = text.trim();
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let unit_ms = match unit.trim() {
        "" => unit_ms,
        "ms" => 1,
        "s" => 1_000,
        "m" => 60_000,
        _ => return None,
    };
    let number: f64 = number.parse().ok()?;
    let millis = number * unit_ms as f64;
    (millis.is_finite() && (0.0..=3.6e6).contains(&millis)).then_some(millis as u64)
}

/// Whether a header's name is one that carries credentials.
fn is_credential(header: &str) -> bool {
    let lower = header.to_ascii_lowercase();
    ["authorization", "cookie", "token", "api-key", "apikey", "secret"]
        .iter()
        .any(|word| lower.contains(word))
}

#[cfg(test)]
mod tests;
