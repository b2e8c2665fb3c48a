//! The command line as a contract: help, exit statuses, schemas, and the small subcommands.

use std::path::{Path, PathBuf};
use std::process::{Command, Output};

fn landfall(args: &[&str]) -> Output {
    landfall_in(Path::new("."), args)
}

fn landfall_in(folder: &Path, args: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_landfall"))
        .args(args)
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("CLICOLOR_FORCE")
        .output()
        .expect("the binary runs")
}

fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).expect("stdout is UTF-8")
}

fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).expect("stderr is UTF-8")
}

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

fn kept(name: &str) -> String {
    root(&format!("scenarios/{name}/evidence.json")).display().to_string()
}

#[test]
fn help_is_as_documented() {
    let help = landfall(&["audit", "--help"]);
    assert!(help.status.success());
    insta::assert_snapshot!("audit_help", stdout(&help));
    insta::assert_snapshot!("help", stdout(&landfall(&["--help"])));
}

#[test]
fn no_command_shows_the_help_and_is_a_usage_error() {
    let output = landfall(&[]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("landfall audit https://api.example.com"));
}

#[test]
fn the_schemas_that_are_checked_in_are_those_of_the_program() {
    for name in ["evidence", "report", "comparison", "claims", "score"] {
        let file = std::fs::read_to_string(root(&format!("docs/schema/{name}.json"))).expect("checked in");
        let said = stdout(&landfall(&["schema", name]));
        assert!(
            said == file,
            "docs/schema/{name}.json is old: landfall schema {name} >docs/schema/{name}.json"
        );
    }
}

#[test]
fn kept_evidence_and_its_report_follow_their_schemas() {
    for name in ["levqor-undeployed", "levqor-deployed"] {
        for kind in ["evidence", "report"] {
            let read = |path: PathBuf| -> serde_json::Value {
                serde_json::from_str(&std::fs::read_to_string(path).expect("readable")).expect("JSON")
            };
            let validator = jsonschema::validator_for(&read(root(&format!("docs/schema/{kind}.json"))))
                .expect("a schema");
            let instance = read(root(&format!("scenarios/{name}/{kind}.json")));
            let errors: Vec<String> = validator.iter_errors(&instance).map(|e| e.to_string()).collect();
            assert!(errors.is_empty(), "{name}/{kind}: {errors:#?}");
        }
    }
}

#[test]
fn exit_statuses_follow_fail_on() {
    let undeployed = kept("levqor-undeployed");
    for (fail_on, status) in [("critical", 1), ("high", 1), ("medium", 1), ("low", 1), ("never", 0)] {
        let output = landfall(&["diagnose", &undeployed, "--fail-on", fail_on]);
        assert_eq!(output.status.code(), Some(status), "--fail-on {fail_on}");
    }
    let deployed = kept("levqor-deployed");
    for (fail_on, status) in [("high", 0), ("medium", 0), ("never", 0)] {
        let output = landfall(&["diagnose", &deployed, "--fail-on", fail_on]);
        assert_eq!(output.status.code(), Some(status), "--fail-on {fail_on}");
    }
    assert_eq!(landfall(&["audit", "--nonsense"]).status.code(), Some(2));
    let folder = tempfile::tempdir().expect("a folder");
    assert_eq!(landfall_in(folder.path(), &["audit"]).status.code(), Some(2), "there is nothing to audit");
}

#[test]
fn files_take_the_format_of_their_extension_and_stdout_its_own() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = |name: &str| folder.path().join(name).display().to_string();
    let names = ["r.md", "r.html", "r.json", "r.xml", "r.sarif", "r.txt"];
    let files: Vec<String> = names.iter().map(|n| file(n)).collect();
    let mut args = vec!["diagnose".to_owned(), kept("levqor-undeployed"), "--format".into(), "json".into()];
    args.extend(files.iter().flat_map(|f| ["-o".to_owned(), f.clone()]));
    let output = landfall(&args.iter().map(String::as_str).collect::<Vec<_>>());
    let begins = |name: &str| std::fs::read_to_string(folder.path().join(name)).expect("written");
    assert!(begins("r.md").starts_with("# "));
    assert!(begins("r.html").starts_with("<!DOCTYPE html>"));
    assert_eq!(begins("r.json"), stdout(&output), "the same truth in a file and on stdout");
    assert!(begins("r.xml").contains("<testsuite"));
    assert!(begins("r.sarif").contains("\"2.1.0\""));
    assert!(begins("r.txt").contains("NOT LIVE"));
}

#[test]
fn evidence_can_travel_inside_the_report() {
    let output = landfall(&["diagnose", &kept("levqor-undeployed"), "--format", "json", "--with-evidence"]);
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("JSON");
    let inside = serde_json::to_string(&report["evidence"]["whole"]).expect("JSON");
    let kept = std::fs::read_to_string(kept("levqor-undeployed")).expect("readable");
    let kept: serde_json::Value = serde_json::from_str(&kept).expect("JSON");
    assert_eq!(inside, serde_json::to_string(&kept).expect("JSON"));
}

#[test]
fn the_terminal_report_fits_eighty_columns_without_colour() {
    for name in ["levqor-undeployed", "levqor-deployed"] {
        let text = stdout(&landfall(&["diagnose", &kept(name)]));
        assert!(!text.contains('\u{1b}'), "no escape codes");
        for line in text.lines().filter(|l| !l.trim_start().starts_with('$')) {
            assert!(line.chars().count() <= 80, "{line:?}");
        }
    }
}

#[test]
fn explain_knows_findings_causes_and_signatures() {
    for (code, word) in
        [("LF-TLS-001", "expired"), ("never-deployed", "Remedy"), ("cloudflare-marker", "cf-ray")]
    {
        let output = landfall(&["explain", code]);
        assert!(output.status.success() && stdout(&output).contains(word), "{code}: {}", stdout(&output));
    }
    let output = landfall(&["explain", "never-deploid"]);
    assert_eq!(output.status.code(), Some(2));
    assert!(stderr(&output).contains("never-deployed"), "{}", stderr(&output));
}

#[test]
fn init_writes_what_the_folder_shows_and_never_overwrites_by_itself() {
    let folder = tempfile::tempdir().expect("a folder");
    std::fs::create_dir(folder.path().join("tests")).expect("made");
    std::fs::write(folder.path().join("requirements.txt"), "Flask==3.0.0\npytest==8.0.0\n").expect("written");
    std::fs::write(
        folder.path().join("app.py"),
        "from flask import Flask\napp = Flask(__name__)\n\n@app.get('/health')\ndef health():\n    return {'ok': True}\n",
    )
    .expect("written");
    let output = landfall_in(folder.path(), &["init", "https://api.example.test"]);
    assert!(output.status.success(), "{}", stderr(&output));
    let written = std::fs::read_to_string(folder.path().join("landfall.toml")).expect("written");
    for line in ["production = \"https://api.example.test\"", "path = \"/health\"", "pytest"] {
        assert!(written.contains(line), "{line} in\n{written}");
    }
    let again = landfall_in(folder.path(), &["init"]);
    assert_eq!(again.status.code(), Some(2));
    assert!(stderr(&again).contains("--force"));
    assert!(landfall_in(folder.path(), &["init", "--force", "https://b.example.test"]).status.success());
}

#[test]
fn completions_and_the_manual_page_name_every_command() {
    let man = stdout(&landfall(&["man"]));
    for shell in ["bash", "zsh", "fish"] {
        let script = stdout(&landfall(&["completions", shell]));
        for command in
            ["audit", "diagnose", "verify", "explain", "init", "lab", "dns", "tls", "http", "tests"]
        {
            assert!(script.contains(command), "{command} in the completions of {shell}");
            assert!(man.contains(command), "{command} in the manual page");
        }
    }
}

#[test]
fn the_lab_lists_its_worlds() {
    let list = stdout(&landfall(&["lab", "list"]));
    for name in ["levqor-undeployed", "levqor-host-unbound", "levqor-origin-unknown", "levqor-deployed"] {
        assert!(list.contains(name), "{list}");
    }
    let unknown = landfall(&["lab", "run", "nowhere"]);
    assert_eq!(unknown.status.code(), Some(2));
}

/// A resolver that refuses says nothing of the target: that is unknown, not failed.
#[test]
fn a_resolver_that_refuses_leaves_the_verification_unknown() {
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("known");
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("landfall.toml");
    let text = "[target]\nproduction = \"https://api.example.test\"\n[[endpoint]]\npath = \"/health\"\n";
    std::fs::write(&file, text).expect("written");
    let output = landfall_in(folder.path(), &["verify", "--resolver", &closed.to_string()]);
    assert_eq!(output.status.code(), Some(3), "{}{}", stdout(&output), stderr(&output));
    assert!(stdout(&output).contains("unknown"), "{}", stdout(&output));
}

/// Nobody listens there, so that nothing changes: the watch ends when its time is over, with status 1.
#[test]
fn a_watch_without_a_change_ends_with_its_time() {
    let closed = std::net::UdpSocket::bind("127.0.0.1:0").expect("a port").local_addr().expect("known");
    let gone = std::net::TcpListener::bind("127.0.0.1:0").expect("a port").local_addr().expect("known");
    for (command, line, end) in [
        ("tls", "no certificate: connection refused", "Not every address shows a new certificate yet."),
        ("http", "does not answer: connection refused", "Nothing has changed."),
    ] {
        let output = landfall(&[
            command,
            "https://api.example.test",
            "--connect-to",
            &format!("api.example.test:443:{gone}"),
            "--resolver",
            &closed.to_string(),
            "--watch=1s",
            "--watch-for=1ms",
        ]);
        let said = stdout(&output);
        assert_eq!(output.status.code(), Some(1), "{command}: {said}{}", stderr(&output));
        assert!(said.contains(line) && said.ends_with(&format!("{end}\n")), "{command}: {said}");
    }
}

/// The server turns from 503 to 200 once the watch has told of the first.
#[test]
fn a_watch_ends_when_an_endpoint_answers_otherwise() {
    use std::io::{BufRead as _, Read as _, Write as _};
    use std::sync::Arc;
    use std::sync::atomic::{AtomicBool, Ordering};

    let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a port");
    let at = listener.local_addr().expect("known");
    let deployed = Arc::new(AtomicBool::new(false));
    let now = Arc::clone(&deployed);
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let now = Arc::clone(&now);
            std::thread::spawn(move || {
                let mut stream = stream;
                let (mut asked, mut part) = (Vec::new(), [0; 4096]);
                while let Ok(count @ 1..) = stream.read(&mut part) {
                    asked.extend_from_slice(&part[..count]);
                    if asked.ends_with(b"\r\n\r\n") {
                        asked.clear();
                        let status =
                            if now.load(Ordering::SeqCst) { "200 OK" } else { "503 Service Unavailable" };
                        let _ = write!(stream, "HTTP/1.1 {status}\r\ncontent-length: 2\r\n\r\nok");
                    }
                }
            });
        }
    });
    let mut watch = Command::new(env!("CARGO_BIN_EXE_landfall"))
        .args(["http", "http://api.example.test", "--watch=1s", "--watch-for=60s", "--connect-to"])
        .arg(format!("api.example.test:80:{at}"))
        .env("NO_COLOR", "1")
        .stdout(std::process::Stdio::piped())
        .spawn()
        .expect("the binary runs");
    let mut lines = std::io::BufReader::new(watch.stdout.take().expect("piped")).lines();
    let first = lines.next().expect("a line").expect("read");
    assert!(first.contains("answers 503"), "{first}");
    deployed.store(true, Ordering::SeqCst);
    let rest: Vec<String> = lines.map(|line| line.expect("read")).collect();
    assert!(rest.iter().any(|line| line.contains("answers 200")), "{rest:?}");
    assert_eq!(watch.wait().expect("it ends").code(), Some(0), "{rest:?}");
}
