//! The acceptance case, end to end: each world is built from real sockets, the binary audits it, and what it says is held
//! against what is true there.

use std::path::{Path, PathBuf};
use std::process::Command;

use landfall_lab::{Lab, LabOptions, Scenario};
use serde_json::Value;

/// A world that is up, with the binary pointed at it.
struct World {
    scenario: Scenario,
    lab: Lab,
    folder: tempfile::TempDir,
}

/// What one run of the binary gave.
struct Run {
    status: i32,
    stdout: String,
    stderr: String,
}

impl World {
    async fn up(name: &str) -> Self {
        let scenario = landfall_lab::load(name).expect("the scenario exists");
        let lab = Lab::up(&scenario, &LabOptions::default()).await.expect("the world comes up");
        Self { scenario, lab, folder: tempfile::tempdir().expect("a temporary folder") }
    }

    /// Runs `landfall COMMAND ARGS…` with the flags that lead to this world.
    async fn landfall(&self, command: &str, args: &[&str]) -> Run {
        let access = self.lab.access();
        let mut words: Vec<String> = vec![command.into()];
        words.extend(["--config".into(), access.config.display().to_string()]);
        words.extend(["--ca-file".into(), access.ca_file.display().to_string()]);
        for resolver in &access.resolvers {
            words.extend(["--resolver".into(), resolver.to_string()]);
        }
        for entry in &access.connect_to {
            words.extend(["--connect-to".into(), entry.clone()]);
        }
        words.extend(args.iter().map(|a| (*a).to_owned()));
        // The lab's servers run on this runtime, so the wait for the child must not block it.
        tokio::task::spawn_blocking(move || run(&words)).await.expect("the child is waited for")
    }

    async fn audit(&self) -> (Value, Run) {
        let run = self
            .landfall(
                "audit",
                &["--quiet", "--format", "json", "--save-evidence", &self.file("evidence.json")],
            )
            .await;
        let report = serde_json::from_str(&run.stdout)
            .unwrap_or_else(|e| panic!("no JSON report: {e}\n{}\n{}", run.stdout, run.stderr));
        (report, run)
    }

    fn file(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }
}

fn run(words: &[String]) -> Run {
    let output = Command::new(env!("CARGO_BIN_EXE_landfall"))
        .args(words)
        .env("NO_COLOR", "1")
        .output()
        .expect("the binary runs");
    Run {
        status: output.status.code().expect("it exits by itself"),
        stdout: String::from_utf8(output.stdout).expect("stdout is UTF-8"),
        stderr: String::from_utf8(output.stderr).expect("stderr is UTF-8"),
    }
}

fn component<'a>(report: &'a Value, id: &str) -> &'a Value {
    array(&report["components"]).iter().find(|c| c["id"] == id).unwrap_or_else(|| panic!("no component {id}"))
}

fn array(value: &Value) -> &Vec<Value> {
    value.as_array().unwrap_or_else(|| panic!("not an array: {value}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("not a string: {value}")).to_owned()
}

fn check<'a>(report: &'a Value, id: &str) -> &'a Value {
    array(&report["readiness"]["checks"])
        .iter()
        .find(|c| c["id"] == id)
        .unwrap_or_else(|| panic!("no check {id}"))
}

fn cause_ids(report: &Value) -> Vec<String> {
    array(&report["causes"]).iter().map(|c| text(&c["id"])).collect()
}

/// The world's own expectations hold, `verify` says what it should, and the saved evidence replays byte for byte.
async fn holds(world: &World) -> Value {
    let (report, run) = world.audit().await;
    let expected = &world.scenario.expected;
    let differences = expected.differences(&report, run.status);
    assert!(differences.is_empty(), "{}:\n{}\n{report:#}", world.scenario.name, differences.join("\n"));
    replays(world, &run).await;
    let verified = world.landfall("verify", &[]).await;
    assert_eq!(
        verified.status == 0,
        expected.verify.passes,
        "{}: verify said\n{}{}",
        world.scenario.name,
        verified.stdout,
        verified.stderr
    );
    report
}

/// Every format of a replay is the same, byte for byte, as the live one; there is no network to help it.
async fn replays(world: &World, live: &Run) {
    let evidence = world.file("evidence.json");
    let replay = |format: &'static str| {
        let words = ["diagnose", &evidence, "--format", format].map(str::to_owned);
        async move { tokio::task::spawn_blocking(move || run(&words)).await.expect("the child is waited for") }
    };
    let json = replay("json").await;
    assert_eq!(json.stdout, live.stdout, "the JSON report replays");
    assert_eq!(json.status, live.status);
    for format in ["terminal", "markdown", "html", "junit", "sarif"] {
        assert_eq!(replay(format).await.stdout, replay(format).await.stdout, "{format} is deterministic");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn undeployed_gives_every_row_of_the_acceptance_table() {
    let world = World::up("levqor-undeployed").await;
    let report = holds(&world).await;

    // Executive summary.
    for (id, status, severity) in [
        ("local", "ok", Value::Null),
        ("production", "fail", "critical".into()),
        ("dns", "ok", Value::Null),
        ("tls", "ok", Value::Null),
        ("rate-limit", "warn", "medium".into()),
        ("tests", "fail", "medium".into()),
    ] {
        let component = component(&report, id);
        assert_eq!(component["status"], status, "{component}");
        assert_eq!(component["severity"], severity, "{component}");
    }
    assert_eq!(report["verdict"], "not-live");

    // 1: environment.
    let environment = &report["environment"];
    assert_eq!(environment["entry"]["path"], "run.py");
    assert!(environment["entry"]["size_byte"].as_u64().expect("a size") > 0);
    let folders: Vec<String> = array(&environment["folders"]).iter().map(|f| text(&f["path"])).collect();
    for folder in ["backend/routes", "backend/services", "backend/utils", "backend/models", "backend/billing"]
    {
        assert!(folders.iter().any(|f| f == folder), "{folder} in {folders:?}");
    }
    assert!(text(&environment["stacks"][0]["runtime"]["present"]).starts_with("3."), "{environment}");

    // 2: health, side by side.
    for endpoint in array(&report["health"]["endpoints"]) {
        let answers = array(&endpoint["answers"]);
        let of = |vantage: &str| answers.iter().find(|a| a["vantage"] == vantage);
        let (local, edge) = (of("local").expect("asked locally"), of("edge").expect("asked at the edge"));
        assert_eq!(edge["status"], 404, "{edge}");
        assert_eq!(edge["body"]["byte_count"], 9);
        assert_eq!(edge["body"]["text"], "Not Found");
        let headers = array(&edge["headers"]);
        let header = |name: &str| headers.iter().find(|h| h["name"] == name).map(|h| text(&h["value"]));
        assert_eq!(header("server").as_deref(), Some("cloudflare"));
        assert_eq!(header("via").as_deref(), Some("1.1 google"));
        assert!(header("cf-ray").expect("a ray").ends_with("-SEA"));
        if endpoint["method"] == "GET" {
            assert_ne!(local["status"], 404, "{local}");
        }
        assert!(edge["timings"]["wait_us"].as_u64().expect("a wait") > 0);
    }

    // 3: DNS.
    let dns = &report["dns"];
    let families: Vec<usize> = array(&dns["families"]).iter().map(|f| array(&f["addresses"]).len()).collect();
    assert_eq!(families, [2, 2], "{dns}");
    assert!(
        array(&dns["nameservers"])
            .iter()
            .all(|n| n["owner"].as_str().is_some_and(|o| o.to_lowercase().contains("cloudflare")))
    );
    let roles: Vec<String> = array(&dns["servers"]).iter().map(|s| text(&s["server"]["role"])).collect();
    assert!(
        roles.contains(&"recursive".to_owned()) && roles.contains(&"authoritative".to_owned()),
        "{roles:?}"
    );
    let versions: Vec<(String, String)> =
        array(&dns["http_versions"]).iter().map(|v| (text(&v["asked"]), text(&v["outcome"]))).collect();
    for version in ["HTTP/1.1", "HTTP/2", "HTTP/3"] {
        assert!(versions.contains(&(version.into(), "answered".into())), "{versions:?}");
    }

    // 4: the chain on every address.
    let edge_tls: Vec<&Value> = array(&report["tls"]).iter().filter(|t| t["vantage"] == "edge").collect();
    assert_eq!(edge_tls.len(), 4, "one handshake for each address");
    for tls in edge_tls {
        let sent = array(&tls["chain"]);
        let chain: Vec<&Value> = sent.iter().map(|c| &c["certificate"]).collect();
        assert_eq!(chain.len(), 3);
        assert!(text(&chain[0]["subject"]).contains("levqor.ai"));
        assert!(text(&chain[1]["subject"]).contains("WE1"));
        assert!(text(&chain[2]["issuer"]).contains("GlobalSign"), "the root comes cross-signed");
        assert_eq!(chain[0]["signature"], "ecdsa-with-SHA256");
        assert_eq!(chain[0]["key"]["size_bit"], 256);
        assert_eq!(tls["name_matches"], true);
        let days = sent[0]["days_left"].as_i64().expect("days left");
        assert!((79..=80).contains(&days), "{days}");
        assert_eq!(
            sent[0]["lifetime_days"], 90,
            "and as a share of the lifetime: {}",
            sent[0]["left_percent"]
        );
        let trusted = array(&tls["trust"]).iter().any(|t| t["result"]["verdict"] == "trusted");
        assert!(trusted, "{tls}");
    }

    // 5: the rate limit, with the audit's own requests in the count.
    let limit = &report["rate_limit"];
    assert_eq!(limit["limit"]["low"], 5, "{limit}");
    assert_eq!(limit["limit"]["high"], 5, "{limit}");
    assert!(text(&limit["signal"]).contains("429"));
    assert!(text(&limit["hop"]).to_lowercase().contains("cloudflare"), "{limit}");
    assert!(!array(&limit["impact"]).is_empty() && limit["recommendation"].is_string(), "{limit}");
    let statuses: Vec<String> = array(&limit["statuses"]).iter().map(text).collect();
    assert_eq!(statuses[..6], ["404", "404", "404", "404", "404", "429"], "{statuses:?}");
    assert_eq!(statuses.iter().filter(|s| *s == "429").count(), 1, "it was polite: {statuses:?}");

    // 6: the tests, with the remedy tried.
    let tests = array(&report["tests"]);
    assert_eq!(tests.len(), 2, "{tests:#?}");
    let first = &tests[0]["run"];
    assert_eq!(tests[0]["command"], "pytest tests/ --tb=short -q");
    assert_eq!(first["exit"]["code"], 2);
    let error = &array(&first["collection_errors"])[0];
    assert_eq!(error["exception"], "ModuleNotFoundError");
    assert_eq!(error["statement"], "from run import app");
    assert_eq!(error["gap"]["defined_in"], "run.py");
    let counts = &tests[1]["run"]["counts"];
    assert!(counts["collected"].as_u64().expect("a count") >= 5, "{counts}");
    assert_eq!(counts["collected"], counts["passed"], "{counts}");

    // 7: the way, with the broken hop.
    let path = array(&report["path"]);
    assert_eq!(path[0]["hop"], "client");
    let vendors: Vec<String> =
        path.iter().filter_map(|h| h["vendor"].as_str()).map(str::to_lowercase).collect();
    assert!(
        vendors.iter().any(|v| v.contains("cloudflare"))
            && vendors.iter().any(|v| v.contains("google") || v.contains("replit"))
    );
    assert_eq!(path.iter().filter(|h| h["state"] == "broken").count(), 1, "{path:#?}");
    assert_eq!(path.last().expect("hops")["hop"], "app");
    assert_eq!(path.last().expect("hops")["state"], "not-reached");
    assert!(path.iter().skip(1).filter(|h| h["state"] == "ok").all(|h| !array(&h["proof"]).is_empty()));

    // 8: the cause, with its rival refuted by the observation that the hand-written report never made.
    let cause = &array(&report["causes"])[0];
    assert_eq!(cause["id"], "never-deployed");
    assert!(cause["confidence"].as_f64().expect("a share") >= 0.9, "{cause}");
    let rival = array(&cause["rivals"])
        .iter()
        .find(|r| r["id"] == "domain-not-attached")
        .expect("the rival is named");
    assert_eq!(rival["separated"], true, "{rival}");
    let everything = report.to_string();
    assert!(everything.contains("listen-port-wrong"), "the bind port is spoken of");
    assert!(!cause_ids(&report).contains(&"listen-port-wrong".to_owned()), "and it is not the cause");

    // 9: three issues, worst first.
    let issues = array(&report["issues"]);
    let serious: Vec<&Value> =
        issues.iter().filter(|i| i["severity"] != "info" && i["severity"] != "low").collect();
    assert_eq!(serious.len(), 3, "{issues:#?}");
    assert_eq!(serious[0]["severity"], "critical");
    assert!(
        serious.iter().all(|i| !array(&i["impact"]).is_empty() && !array(&i["action"]).is_empty()),
        "{serious:#?}"
    );

    // 10: readiness.
    assert_eq!((&report["readiness"]["passed"], &report["readiness"]["total"]), (&7.into(), &9.into()));
    assert_eq!(check(&report, "production-deployed")["status"], "fail");
    assert_eq!(check(&report, "tests")["status"], "fail");

    // 11: actions. Deploying alone clears one of the two failing checks.
    let actions = array(&report["actions"]);
    let of = |priority: &str| actions.iter().filter(|a| a["priority"] == priority).collect::<Vec<_>>();
    assert_eq!(of("P0").len(), 1, "{actions:#?}");
    assert_eq!(of("P0")[0]["clears"], serde_json::json!(["production-deployed"]));
    assert_eq!(of("P1").len(), 2, "{actions:#?}");
    assert!(
        of("P1")
            .iter()
            .any(|a| a["clears"] == serde_json::json!(["tests"]) && a["tried"]["state"] == "works")
    );
    assert!(
        of("P2").iter().any(|a| a.to_string().contains("5 minutes") && a.to_string().contains('3')),
        "{actions:#?}"
    );

    // 12: four runnable requests.
    assert_eq!(array(&report["verification"]).len(), 4, "{:#}", report["verification"]);
    assert!(array(&report["verification"]).iter().all(|v| text(&v["request"]).contains("curl")));

    // 13: specifications.
    let specifications = array(&report["specifications"]);
    let value = |name: &str| {
        let found = specifications.iter().find(|s| text(&s["name"]).to_lowercase().contains(name));
        text(&found.unwrap_or_else(|| panic!("no {name} in {specifications:#?}"))["value"])
    };
    assert!(value("framework").contains("Flask") && value("framework").contains("3.0.0"));
    assert!(value("server").to_lowercase().contains("gunicorn") && value("server").contains("22.0.0"));
    assert!(
        value("workers").contains('2') && value("threads").contains('4') && value("timeout").contains("30")
    );
    assert!(value("issuer").contains("Google Trust Services"));
    assert!(value("scheduler").contains("19"), "{}", value("scheduler"));

    // 14 and the layout: the fourteen sections of the Markdown report, and the first screen of the terminal's.
    let evidence = world.file("evidence.json");
    let words = ["diagnose", &evidence, "--format", "markdown"].map(str::to_owned);
    let markdown = run(&words).stdout;
    for n in 1..=14 {
        assert!(markdown.contains(&format!("\n## {n}. ")), "section {n}");
    }
    let terminal = run(&["diagnose", &evidence].map(str::to_owned)).stdout;
    let screen: String = terminal.lines().take(24).collect::<Vec<_>>().join("\n");
    assert!(screen.contains("never") && screen.contains("Cloudflare"), "{screen}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn host_unbound_is_told_by_the_origins_answer() {
    let report = holds(&World::up("levqor-host-unbound").await).await;
    assert_eq!(cause_ids(&report)[0], "domain-not-attached");
    assert!(array(&report["causes"])[0]["confidence"].as_f64().expect("a share") >= 0.9);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn origin_unknown_names_both_rivals_and_what_would_decide() {
    let report = holds(&World::up("levqor-origin-unknown").await).await;
    let tie = &array(&report["ties"])[0];
    let mut ids: Vec<String> = array(&tie["causes"]).iter().map(text).collect();
    ids.sort();
    assert!(
        ["domain-not-attached", "never-deployed"].iter().all(|id| ids.iter().any(|i| i == id)),
        "{ids:?}"
    );
    assert!(tie["confidence"].as_f64().expect("a share") >= 0.9, "{tie}");
    assert!(text(&tie["separate"]["how"]).contains("origin"), "{tie}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_stale_build_is_told_from_an_absent_one() {
    let report = holds(&World::up("levqor-stale-build").await).await;
    assert!(!cause_ids(&report).contains(&"never-deployed".to_owned()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_wrong_app_is_not_taken_for_health() {
    let report = holds(&World::up("levqor-wrong-app").await).await;
    assert_eq!(cause_ids(&report)[0], "domain-attached-to-other-app");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn green_health_does_not_hide_a_core_route_that_fails() {
    let report = holds(&World::up("levqor-hollow-green").await).await;
    assert!(cause_ids(&report).contains(&"health-check-too-shallow".to_owned()));
    assert_ne!(report["verdict"], "live");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deployed_is_live_with_nothing_to_do_and_no_cause() {
    let report = holds(&World::up("levqor-deployed").await).await;
    assert_eq!(report["verdict"], "live");
    assert_eq!(report["causes"], serde_json::json!([]));
    assert_eq!((&report["readiness"]["passed"], &report["readiness"]["total"]), (&9.into(), &9.into()));
    assert_eq!(report["unexplained"], serde_json::json!([]));
}

/// Between the first world and the last: each repair clears its own check and no other.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_repair_clears_its_own_check() {
    let between = landfall_lab::scenarios().into_iter().filter(|s| {
        s.name.starts_with("levqor-") && !s.truth.repaired.is_empty() && s.name != "levqor-deployed"
    });
    let mut seen = 0;
    for scenario in between {
        holds(&World::up(&scenario.name).await).await;
        seen += 1;
    }
    assert!(seen >= 3, "worlds with one repair each: {seen}");
}

/// A report without the fingerprint of the catalogue that it was made with: every edit of the catalogue moves that one, and
/// what this test holds is what the report says.
fn without_fingerprint(report: &str) -> String {
    let named =
        |line: &&str| !line.starts_with("**Catalogue:**") && !line.trim_start().starts_with("\"catalogue\":");
    report.lines().filter(named).collect::<Vec<_>>().join("\n")
}

/// The evidence of the first and the last world is kept in the repository and gives the same report with no network.
#[test]
fn kept_evidence_replays_to_the_kept_report() {
    let scenarios = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios");
    for name in ["levqor-undeployed", "levqor-deployed"] {
        let folder: PathBuf = scenarios.join(name);
        let evidence = folder.join("evidence.json").display().to_string();
        for (format, file) in [("markdown", "report.md"), ("json", "report.json")] {
            let words = ["diagnose", &evidence, "--format", format].map(str::to_owned);
            let kept =
                std::fs::read_to_string(folder.join(file)).expect("the report is kept beside its evidence");
            assert!(
                without_fingerprint(&run(&words).stdout) == without_fingerprint(&kept),
                "{name}/{file} differs: renew it with scripts/keep-evidence after a deliberate change"
            );
        }
    }
}
