//! SARIF 2.1.0 (OASIS), one run: a rule for each finding code and each cause, a result for each finding and cause.
//!
//! A result stands at the project file that it speaks of, where there is one, and at the production URL otherwise. The
//! fingerprint is made of rule, target and place, never of values that change from run to run, so that a code-scanning
//! service recognises the same trouble tomorrow.

use landfall_diagnosis::{Cause, Finding, Severity};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

use crate::build::hex;
use crate::json::pretty;
use crate::model::Report;
use crate::words;

pub(crate) fn render(report: &Report) -> String {
    let mut rules = Rules::default();
    let mut results = Vec::new();
    for finding in &report.findings {
        let index = rules.index(&finding.code, || finding_rule(finding));
        results.push(finding_result(report, finding, index));
    }
    for cause in &report.causes {
        let index = rules.index(&cause.id, || cause_rule(cause));
        results.push(cause_result(report, cause, index));
    }
    pretty(&json!({
        "$schema": "https://json.schemastore.org/sarif-2.1.0.json",
        "version": "2.1.0",
        "runs": [{
            "tool": { "driver": {
                "name": report.tool.name,
                "semanticVersion": report.tool.version,
                "rules": rules.rules,
            }},
            "automationDetails": { "id": format!("landfall/{}/", report.target.name) },
            "invocations": [{
                "executionSuccessful": true,
                "startTimeUtc": report.generated_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string(),
            }],
            "columnKind": "unicodeCodePoints",
            "results": results,
            "properties": {
                "verdict": report.verdict,
                "summary": report.summary,
                "evidenceSha256": report.evidence.sha256,
            },
        }],
    }))
}

#[derive(Default)]
struct Rules {
    ids: Vec<String>,
    rules: Vec<Value>,
}

impl Rules {
    fn index(&mut self, id: &str, rule: impl FnOnce() -> Value) -> usize {
        if let Some(index) = self.ids.iter().position(|known| known == id) {
            return index;
        }
        self.ids.push(id.to_owned());
        self.rules.push(rule());
        self.ids.len() - 1
    }
}

fn finding_rule(finding: &Finding) -> Value {
    json!({
        "id": finding.code,
        "shortDescription": { "text": finding.title },
        "help": { "text": format!("{}\nlandfall explain {}", finding.remedy, finding.code) },
        "defaultConfiguration": { "level": level(finding.severity) },
    })
}

fn cause_rule(cause: &Cause) -> Value {
    json!({
        "id": cause.id,
        "shortDescription": { "text": cause.title },
        "help": { "text": format!("{}\nlandfall explain {}", cause.remedy.join("\n"), cause.id) },
        "defaultConfiguration": { "level": level(cause.severity) },
        "properties": { "tags": ["cause", cause.rung] },
    })
}

fn finding_result(report: &Report, finding: &Finding, index: usize) -> Value {
    let place = place_of(report, finding);
    json!({
        "ruleId": finding.code,
        "ruleIndex": index,
        "level": level(finding.severity),
        "message": { "text": sentences(&[&finding.title, &finding.impact, &finding.remedy]) },
        "locations": place.locations(),
        "partialFingerprints": { "landfall/v1": fingerprint(report, &finding.code, &place) },
        "properties": {
            "severity": finding.severity,
            "cause": finding.cause,
            "evidence": finding.evidence,
        },
    })
}

fn cause_result(report: &Report, cause: &Cause, index: usize) -> Value {
    let standing =
        format!("Root cause, {} at {}", words::label(cause.label), words::percent(cause.confidence));
    let strongest = cause.evidence_for.iter().max_by_key(|a| a.weight_db).map_or("", |a| a.say.as_str());
    let place = Place::production(report);
    json!({
        "ruleId": cause.id,
        "ruleIndex": index,
        "level": level(cause.severity),
        "message": { "text": sentences(&[&cause.title, &standing, strongest]) },
        "locations": place.locations(),
        "partialFingerprints": { "landfall/v1": fingerprint(report, &cause.id, &place) },
        "properties": {
            "severity": cause.severity,
            "label": cause.label,
            "confidence": cause.confidence,
            "rung": cause.rung,
        },
    })
}

fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "error",
        Severity::Medium => "warning",
        Severity::Low | Severity::Info => "note",
    }
}

/// Texts as sentences behind each other.
fn sentences(texts: &[&str]) -> String {
    let mut out = String::new();
    for text in texts.iter().map(|t| t.trim()).filter(|t| !t.is_empty()) {
        if !out.is_empty() {
            out.push(' ');
        }
        out.push_str(text);
        if !text.ends_with(['.', '!', '?']) {
            out.push('.');
        }
    }
    out
}

/// Where a result stands.
struct Place {
    uri: String,
    in_project: bool,
    line: Option<u32>,
}

impl Place {
    fn production(report: &Report) -> Self {
        let target = &report.target;
        let url = [&target.production, &target.origin, &target.local].into_iter().flatten().next();
        Self { uri: url.map(|u| u.as_str().to_owned()).unwrap_or_default(), in_project: false, line: None }
    }

    fn file(path: &str, line: Option<u32>) -> Self {
        Self { uri: uri_path(path), in_project: true, line: line.filter(|l| *l > 0) }
    }

    fn locations(&self) -> Value {
        if self.uri.is_empty() {
            return json!([]);
        }
        let mut physical = json!({ "artifactLocation": { "uri": self.uri } });
        if self.in_project {
            physical["artifactLocation"]["uriBaseId"] = json!("%SRCROOT%");
            // Code-scanning services ask for a region; the first line stands for the file.
            physical["region"] = json!({ "startLine": self.line.unwrap_or(1) });
        }
        json!([{ "physicalLocation": physical }])
    }
}

/// The project file that a finding speaks of: the one that a test run could not load, or one that the finding names.
fn place_of(report: &Report, finding: &Finding) -> Place {
    let runs = report.tests.iter().filter(|t| finding.evidence.contains(&t.evidence));
    if let Some(error) = runs.filter_map(|t| t.run.as_ref()).flat_map(|r| &r.collection_errors).next() {
        return Place::file(&error.file, error.line);
    }
    let env = &report.environment;
    let from_project = env.evidence.as_ref().is_some_and(|id| finding.evidence.contains(id));
    if from_project {
        let named = known_files(report).into_iter().find(|file| {
            [&finding.title, &finding.impact, &finding.remedy].into_iter().any(|text| mentions(text, file))
        });
        if let Some(file) = named {
            return Place::file(file, None);
        }
    }
    Place::production(report)
}

fn known_files(report: &Report) -> Vec<&str> {
    let env = &report.environment;
    let mut files: Vec<&str> = env.deploy.iter().map(|d| d.file.as_str()).collect();
    files.extend(env.entry.as_ref().map(|e| e.path.as_str()));
    files.extend(env.stacks.iter().flat_map(|s| [&s.manifest, &s.lock]).flatten().map(String::as_str));
    files.extend(env.settings.declared_in.as_deref());
    files
}

/// Whether a text names a file, as a word of its own.
fn mentions(text: &str, file: &str) -> bool {
    let inside = |c: char| c.is_alphanumeric() || matches!(c, '/' | '_' | '-');
    !file.is_empty()
        && text
            .match_indices(file)
            .any(|(at, _)| !text[..at].ends_with(inside) && !text[at + file.len()..].starts_with(inside))
}

/// A relative path as a URI reference (RFC 3986 section 3.3): everything but unreserved characters and slashes encoded.
fn uri_path(path: &str) -> String {
    let mut uri = String::new();
    for byte in path.trim_start_matches("./").bytes() {
        if byte.is_ascii_alphanumeric() || matches!(byte, b'/' | b'-' | b'.' | b'_' | b'~') {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri
}

fn fingerprint(report: &Report, rule: &str, place: &Place) -> String {
    let target = report.target.production.as_ref().map(|u| u.as_str()).unwrap_or_default();
    // The NUL keeps neighbouring fields from running into each other.
    let digest = Sha256::digest(format!("{rule}\0{target}\0{}", place.uri).as_bytes());
    hex(&digest[..16])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_named_as_words() {
        assert!(mentions("the port in .replit changed", ".replit"));
        assert!(mentions("run.py: defines app", "run.py"));
        assert!(!mentions("rerun.py defines app", "run.py"));
        assert!(!mentions("backend/run.py", "run.py"));
    }

    #[test]
    fn paths_become_uris() {
        assert_eq!(uri_path("./tests/a b.py"), "tests/a%20b.py");
        assert_eq!(uri_path("ä"), "%C3%A4");
    }
}
