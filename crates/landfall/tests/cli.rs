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

fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().expect("a folder");
    for (name, text) in files {
        let path = folder.path().join(name);
        std::fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        std::fs::write(path, text).expect("written");
    }
    folder
}

#[test]
fn init_needs_no_edit_where_the_deploy_files_name_the_host() {
    let folder = project(&[
        ("fly.toml", "app = \"shop-api\"\n[http_service]\ninternal_port = 8080\n"),
        ("Caddyfile", "api.example.com {\n\treverse_proxy localhost:8080\n}\n"),
        ("server.js", "const app = require('express')();\napp.get('/health', (q, s) => s.json({}));\n"),
        (
            "package.json",
            "{\"scripts\": {\"test\": \"node --test\"}, \"dependencies\": {\"express\": \"4.19.2\"}}",
        ),
    ]);
    let text = stdout(&landfall_in(folder.path(), &["init", "--print"]));
    for line in [
        "\nproduction = \"https://api.example.com\"",
        "\norigin = \"https://shop-api.fly.dev\"",
        "\nlocal = \"http://127.0.0.1:3000\"",
        "path = \"/health\"",
        "command = \"npm test\"",
    ] {
        assert!(text.contains(line), "{line} in\n{text}");
    }
}

#[test]
fn fix_shows_a_diff_and_makes_it_only_when_asked() {
    let folder = project(&[
        ("Procfile", "web: gunicorn --bind 127.0.0.1:$PORT app:app\n"),
        ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
        ("requirements.txt", "flask==3.0.3\ngunicorn==22.0.0\n"),
    ]);
    let before = std::fs::read_to_string(folder.path().join("Procfile")).expect("read");
    let shown = landfall_in(folder.path(), &["fix"]);
    assert_eq!(shown.status.code(), Some(1));
    let text = stdout(&shown);
    assert!(
        text.contains(
            "-web: gunicorn --bind 127.0.0.1:$PORT app:app\n+web: gunicorn --bind 0.0.0.0:$PORT app:app\n"
        ),
        "{text}"
    );
    assert_eq!(std::fs::read_to_string(folder.path().join("Procfile")).expect("read"), before);
    assert_eq!(landfall_in(folder.path(), &["fix", "--apply"]).status.code(), Some(0));
    let after = std::fs::read_to_string(folder.path().join("Procfile")).expect("read");
    assert_eq!(after, before.replace("127.0.0.1", "0.0.0.0"));
    let again = landfall_in(folder.path(), &["fix"]);
    assert_eq!(again.status.code(), Some(0));
    assert!(stdout(&again).contains("Nothing that is safe to change"));
    assert_eq!(landfall_in(folder.path(), &["fix", "no-such-folder"]).status.code(), Some(2));
}

#[test]
fn start_runs_the_project_as_its_platform_would_and_ends_it() {
    let server = "import http.server, os, sys\n\nclass H(http.server.BaseHTTPRequestHandler):\n    def do_GET(self):\n        body = b'{\"ok\": true}'\n        self.send_response(200 if self.path == '/health' else 404)\n        self.send_header('content-type', 'application/json')\n        self.send_header('content-length', str(len(body)))\n        self.end_headers()\n        self.wfile.write(body)\n\nport = int(os.environ['PORT'])\nprint('pid', os.getpid(), flush=True)\nhttp.server.ThreadingHTTPServer(('0.0.0.0', port), H).serve_forever()\n";
    let folder = project(&[
        ("Procfile", "web: python3 serve.py\n"),
        ("serve.py", server),
        (
            "landfall.toml",
            "[target]\nname = \"small\"\nproject = \".\"\n[[endpoint]]\npath = \"/health\"\njson_keys = [\"ok\"]\n",
        ),
    ]);
    let output = landfall_in(
        folder.path(),
        &["audit", "--start", "--only", "local,project", "--quiet", "--format", "json", "--with-evidence"],
    );
    let report: serde_json::Value = serde_json::from_str(&stdout(&output)).expect("a report");
    let text = report.to_string();
    assert!(text.contains("\"how\":\"ready\""), "{}", stderr(&output));
    assert!(text.contains("0.0.0.0:"), "{text}");
    let started = find(&report, "started").expect("the start is in the evidence");
    let port = started["port"].as_u64().expect("a port");
    assert!(
        find(&report, "findings").expect("findings").as_array().is_some_and(|all| all
            .iter()
            .all(|f| !f["code"].as_str().unwrap_or_default().starts_with("LF-LOCAL-00"))),
        "{text}"
    );
    let port = u16::try_from(port).expect("a port");
    assert!(std::net::TcpStream::connect(("127.0.0.1", port)).is_err(), "it still listens");
    let both = landfall_in(folder.path(), &["audit", "--start", "--local", "http://127.0.0.1:1"]);
    assert_eq!(both.status.code(), Some(2));
}

/// The first value under a key, at any depth.
fn find<'a>(value: &'a serde_json::Value, key: &str) -> Option<&'a serde_json::Value> {
    match value {
        serde_json::Value::Object(entries) => {
            entries.get(key).or_else(|| entries.values().find_map(|inner| find(inner, key)))
        }
        serde_json::Value::Array(items) => items.iter().find_map(|inner| find(inner, key)),
        _ => None,
    }
}
