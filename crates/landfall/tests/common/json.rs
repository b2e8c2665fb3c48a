//! Reading reports and evidence in tests: each accessor fails with the value that it did not like.

use serde_json::Value;

pub(crate) fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("not an array: {value}"))
}

pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}"))
}

/// Ids of the named causes, most likely first.
pub(crate) fn causes(report: &Value) -> Vec<&str> {
    array(&report["causes"]).iter().map(|c| text(&c["id"])).collect()
}

/// Codes of the findings.
pub(crate) fn findings(report: &Value) -> Vec<&str> {
    array(&report["findings"]).iter().map(|f| text(&f["code"])).collect()
}

/// The one component with this id.
pub(crate) fn component<'a>(report: &'a Value, id: &str) -> &'a Value {
    array(&report["components"]).iter().find(|c| c["id"] == id).unwrap_or_else(|| panic!("no component {id}"))
}

/// The observations of one kind from one vantage.
pub(crate) fn observations<'a>(evidence: &'a Value, kind: &str, vantage: &str) -> Vec<&'a Value> {
    let all = array(&evidence["observations"]).iter();
    all.filter(|o| o["seen"]["kind"] == kind && o["vantage"] == vantage).collect()
}

/// What became of each question: `present`, `denied`, `silent`, `unasked`.
pub(crate) fn state(observation: &Value) -> &str {
    text(&observation["seen"]["answer"]["state"])
}

/// What a report says in short, for the message of an assertion that failed.
pub(crate) fn brief(report: &Value) -> String {
    let list = |key: &str, fields: &[&str]| {
        array(&report[key])
            .iter()
            .map(|item| {
                format!("\n    {}", fields.iter().map(|f| item[*f].to_string()).collect::<Vec<_>>().join(" "))
            })
            .collect::<String>()
    };
    format!(
        "verdict {} · {}\n  causes:{}\n  ties: {}\n  findings:{}\n  unexplained:{}\n  components:{}",
        report["verdict"],
        report["summary"],
        list("causes", &["id", "label", "confidence"]),
        array(&report["ties"]).iter().map(|t| t["causes"].to_string()).collect::<Vec<_>>().join(" "),
        list("findings", &["code", "severity", "title", "cause"]),
        list("unexplained", &["evidence", "what"]),
        list("components", &["id", "status", "severity", "headline"]),
    )
}
