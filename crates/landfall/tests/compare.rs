//! `landfall compare` as a person types it: what it prints, what it returns, and what it says of a wrong file.

use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

fn landfall(args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_landfall"))
        .args(args)
        .env("NO_COLOR", "1")
        .env_remove("CLICOLOR_FORCE")
        .stdin(Stdio::null())
        .output()
        .expect("the binary runs")
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn kept(name: &str) -> String {
    root(&format!("scenarios/{name}/evidence.json")).display().to_string()
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is UTF-8")
}

#[test]
fn nothing_worse_is_0_and_something_worse_is_1() {
    let better = landfall(&["compare", &kept("levqor-undeployed"), &kept("levqor-deployed")]);
    assert_eq!(better.status.code(), Some(0), "{}", stderr(&better));
    assert!(stdout(&better).contains("NOT LIVE → LIVE"));
    assert!(stdout(&better).ends_with("Nothing is worse.\n"));
    let worse = landfall(&["compare", &kept("levqor-deployed"), &kept("levqor-stale-build")]);
    assert_eq!(worse.status.code(), Some(1), "{}", stderr(&worse));
    assert!(stdout(&worse).contains("deploy-failed-old-build-live"));
    assert!(stdout(&worse).ends_with("Something is worse.\n"));
}

#[test]
fn a_report_compares_as_the_evidence_it_was_made_of() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let file = folder.path().join("new.json");
    let made = landfall(&["diagnose", &kept("levqor-stale-build"), "--format", "json", "--fail-on", "never"]);
    std::fs::write(&file, &made.stdout).expect("written");
    let by_report = landfall(&["compare", &kept("levqor-deployed"), &file.display().to_string(), "--json"]);
    let by_evidence = landfall(&["compare", &kept("levqor-deployed"), &kept("levqor-stale-build"), "--json"]);
    assert_eq!(by_report.status.code(), Some(1), "{}", stderr(&by_report));
    assert_eq!(stdout(&by_report), stdout(&by_evidence));
    let json: serde_json::Value = serde_json::from_slice(&by_report.stdout).expect("JSON");
    assert_eq!(json["schema"], "landfall.comparison/1");
    assert_eq!(json["worse"], true);
}

#[test]
fn a_file_that_is_neither_is_named_with_its_place() {
    let folder = tempfile::tempdir().expect("a temporary folder");
    let good = kept("levqor-deployed");
    let bad = |name: &str, text: &[u8]| {
        let file = folder.path().join(name);
        std::fs::write(&file, text).expect("written");
        let output = landfall(&["compare", &good, &file.display().to_string()]);
        assert_eq!(output.status.code(), Some(2), "{}", stderr(&output));
        assert!(output.stdout.is_empty());
        let message = stderr(&output);
        assert!(message.contains(name), "{message}");
        message
    };
    assert!(bad("cut.json", b"{\"schema\": \"landfall.evid").contains("not complete JSON"));
    assert!(bad("other.json", b"{\"a\": 1}").contains("schema"));
    assert!(bad("report.json", b"{\"schema\": \"landfall.report/1\"}").contains("not a Landfall report"));
    assert!(bad("future.json", b"{\"schema\": \"landfall.report/9\"}").contains("landfall.report/9"));
    assert!(bad("bytes.json", &[0xff, 0x00]).contains("UTF-8"));
    let missing = landfall(&["compare", &good, "/nowhere/at/all.json"]);
    assert_eq!(missing.status.code(), Some(2));
    assert!(stderr(&missing).contains("/nowhere/at/all.json: cannot be read"));
    assert_eq!(landfall(&["compare", "-", "-"]).status.code(), Some(2));
}
