//! The formats for machines: JSON, JUnit, SARIF.

use crate::fixture;

use landfall_report::{Format, LoadError, Report, Style, render};
use quick_xml::Reader;
use quick_xml::events::Event;
use serde_json::Value;

fn text(report: &Report, format: Format) -> String {
    render(report, format, &Style::default())
}

/// Without the digest of the evidence, which changes whenever the evidence gains a field.
fn steady(report: &Report, format: Format) -> String {
    text(report, format).replace(&report.evidence.sha256, "[digest of the evidence]")
}

fn all() -> [Report; 4] {
    [fixture::undeployed(), fixture::deployed(), fixture::origin_unknown(), fixture::hostile()]
}

#[test]
fn json_undeployed() {
    insta::assert_snapshot!(steady(&fixture::undeployed(), Format::Json));
}

#[test]
fn junit_undeployed() {
    insta::assert_snapshot!(steady(&fixture::undeployed(), Format::Junit));
}

#[test]
fn junit_origin_unknown() {
    insta::assert_snapshot!(steady(&fixture::origin_unknown(), Format::Junit));
}

#[test]
fn sarif_undeployed() {
    insta::assert_snapshot!(steady(&fixture::undeployed(), Format::Sarif));
}

#[test]
fn every_format_gives_the_same_bytes_again() {
    for (first, again) in all().iter().zip(&all()) {
        for format in Format::ALL {
            assert_eq!(text(first, format), text(again, format), "{format} differs from run to run");
        }
    }
}

#[test]
fn json_holds_the_contract_and_reads_back() {
    let contract = [
        "schema",
        "target",
        "verdict",
        "summary",
        "components",
        "causes",
        "ruled_out",
        "ties",
        "findings",
        "path",
        "rate_limit",
        "readiness",
        "actions",
        "verification",
        "specifications",
        "unexplained",
        "timing",
        "evidence",
    ];
    for report in all() {
        let json = text(&report, Format::Json);
        let value: Value = serde_json::from_str(&json).expect("the renderer writes JSON");
        for key in contract {
            assert!(value.get(key).is_some(), "the contract's key {key:?} is missing");
        }
        assert_eq!(
            Report::from_json(&json).expect("a report reads back"),
            report,
            "nothing is lost on the way"
        );
        assert!(
            !json.chars().any(|c| c != '\n' && c.is_control()),
            "a control character could reach a terminal"
        );
    }
    let value: Value = serde_json::from_str(&text(&fixture::undeployed(), Format::Json)).expect("JSON");
    let limit = &value["rate_limit"];
    for key in ["limit", "window_s", "burst", "algorithm", "hop", "signal", "confidence", "impact"] {
        assert!(limit.get(key).is_some(), "the contract's rate_limit.{key} is missing");
    }
    assert_eq!(limit["window_s"]["low"], 9.1);
    for key in ["total_ms", "critical_path", "requests_sent"] {
        assert!(value["timing"].get(key).is_some(), "the contract's timing.{key} is missing");
    }
    assert_eq!(value["verdict"], "not-live");
    assert_eq!(value["causes"][0]["for"].as_array().map(Vec::len), Some(3));
}

#[test]
fn json_fits_its_own_schema() {
    let schema = Report::json_schema();
    let validator = jsonschema::validator_for(&schema).expect("the schema is a schema");
    let with_evidence = fixture::undeployed().with_evidence(&fixture::broken());
    for report in all().into_iter().chain([with_evidence]) {
        let value = serde_json::to_value(&report).expect("JSON");
        let faults: Vec<String> = validator.iter_errors(&value).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{faults:?}");
    }
}

#[test]
fn evidence_is_a_reference_unless_it_is_asked_for() {
    let report = fixture::undeployed();
    let value: Value = serde_json::from_str(&text(&report, Format::Json)).expect("JSON");
    assert_eq!(value["evidence"]["sha256"].as_str().map(str::len), Some(64));
    assert!(value["evidence"].get("whole").is_none());
    let whole: Value =
        serde_json::from_str(&text(&report.with_evidence(&fixture::broken()), Format::Json)).expect("JSON");
    assert_eq!(whole["evidence"]["whole"]["schema"], "landfall.evidence/1");
}

#[test]
fn what_is_not_a_report_is_refused_with_the_reason() {
    assert!(matches!(Report::from_json("{\"schema\":\"landfall.report/1\""), Err(LoadError::NotJson(_))));
    assert!(
        matches!(Report::from_json("{\"schema\":\"landfall.report/9\"}"), Err(LoadError::Schema { found }) if found == "landfall.report/9")
    );
    assert!(matches!(Report::from_json("{}"), Err(LoadError::Schema { .. })));
}

/// Elements by name with their attributes, from a document that is checked to be well formed.
fn elements(xml: &str) -> Vec<(String, Vec<(String, String)>)> {
    let mut reader = Reader::from_str(xml);
    let mut found = Vec::new();
    loop {
        let event = reader.read_event().expect("well-formed XML");
        match event {
            Event::Start(e) | Event::Empty(e) => {
                let attributes = e
                    .attributes()
                    .map(|a| {
                        let a = a.expect("well-formed attributes");
                        let key = String::from_utf8_lossy(a.key.as_ref()).into_owned();
                        (key, a.unescape_value().expect("known entities").into_owned())
                    })
                    .collect();
                found.push((String::from_utf8_lossy(e.name().as_ref()).into_owned(), attributes));
            }
            Event::Eof => break,
            _ => {}
        }
    }
    found
}

#[test]
fn junit_is_well_formed_and_never_shows_an_unknown_as_a_pass() {
    for report in all() {
        let xml = text(&report, Format::Junit);
        let elements = elements(&xml);
        let count = |name: &str| elements.iter().filter(|(n, _)| n == name).count();
        let suite = &elements.iter().find(|(n, _)| n == "testsuite").expect("one suite").1;
        let attribute = |key: &str| {
            suite.iter().find(|(k, _)| k == key).map(|(_, v)| v.parse::<usize>().expect("a number"))
        };
        assert_eq!(attribute("tests"), Some(count("testcase")));
        assert_eq!(attribute("failures"), Some(count("failure")));
        assert_eq!(attribute("errors"), Some(count("error")));
        let unknown = report.readiness.unknown as usize + report.unexplained.len();
        assert!(count("error") >= unknown, "{} errors for {unknown} unknowns", count("error"));
        assert_eq!(count("skipped"), 0);
        assert!(!xml.chars().any(|c| c != '\n' && c.is_control()));
    }
    assert!(!text(&fixture::deployed(), Format::Junit).contains("<failure"));
}

#[test]
fn sarif_has_what_a_scanning_service_needs() {
    for report in all() {
        let value: Value = serde_json::from_str(&text(&report, Format::Sarif)).expect("JSON");
        assert_eq!(value["version"], "2.1.0");
        let run = &value["runs"][0];
        let rules = run["tool"]["driver"]["rules"].as_array().expect("rules");
        let results = run["results"].as_array().expect("results");
        assert_eq!(results.len(), report.findings.len() + report.causes.len());
        for result in results {
            let index = result["ruleIndex"].as_u64().expect("an index") as usize;
            assert_eq!(rules[index]["id"], result["ruleId"]);
            assert!(matches!(result["level"].as_str(), Some("error" | "warning" | "note")));
            assert!(result["message"]["text"].as_str().is_some_and(|t| !t.is_empty()));
            let uri = result["locations"][0]["physicalLocation"]["artifactLocation"]["uri"]
                .as_str()
                .expect("a place");
            assert!(!uri.contains(|c: char| c.is_control() || c == ' ' || c == '<'), "not a URI: {uri}");
            assert_eq!(result["partialFingerprints"]["landfall/v1"].as_str().map(str::len), Some(32));
        }
    }
    let value: Value = serde_json::from_str(&text(&fixture::undeployed(), Format::Sarif)).expect("JSON");
    let results = value["runs"][0]["results"].as_array().expect("results");
    let tests = results.iter().find(|r| r["ruleId"] == "LF-TEST-001").expect("the finding on the tests");
    let place = &tests["locations"][0]["physicalLocation"];
    assert_eq!(place["artifactLocation"]["uri"], "tests/test_tenancy_security.py");
    assert_eq!(place["region"]["startLine"], 7);
}

#[test]
fn fingerprints_do_not_depend_on_the_run() {
    let prints = |report: &Report| -> Vec<String> {
        let value: Value = serde_json::from_str(&text(report, Format::Sarif)).expect("JSON");
        let results = value["runs"][0]["results"].as_array().expect("results").clone();
        results.iter().map(|r| r["partialFingerprints"]["landfall/v1"].to_string()).collect()
    };
    let first = fixture::undeployed();
    let mut later = first.clone();
    later.generated_at = "2025-11-16T08:00:00Z".parse().expect("a timestamp");
    later.timing.total_ms = 1.0;
    assert_eq!(prints(&first), prints(&later));
}
