//! The small projects of `scenarios/projects`: each is read, and judged by the folder alone.
//!
//! A project with one true fault must show the fact, raise the finding, name the fault, and raise nothing else of
//! severity medium or above. A healthy one raises nothing of severity medium or above at all. Where a project says how
//! its tests end, they are really run.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use landfall_diagnosis::{Catalogue, Diagnosis, Label, Severity, diagnose, explain};
use landfall_evidence::{
    Evidence, Exit, Observation, Observed, ProjectObservation, ProjectSnapshot, Requests, SCHEMA, Seen,
    Settings, Target, TestRun, Tool, Vantage,
};
use serde::Deserialize;

const PROJECTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/projects");

/// What is true of one project.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expected {
    /// What is wrong with it, for people.
    #[serde(default)]
    about: String,
    #[serde(default)]
    healthy: bool,
    /// Whether it is put under git first.
    #[serde(default)]
    git: bool,
    /// The web framework of its first stack.
    framework: Option<String>,
    /// Routes as `METHODS path`; there may be more.
    #[serde(default)]
    routes: Vec<String>,
    /// Signs as `word: beginning of the detail`.
    #[serde(default)]
    facts: Vec<String>,
    /// Codes of findings.
    #[serde(default)]
    findings: Vec<String>,
    /// The fault of the catalogue that a finding leads to.
    fault: Option<String>,
    /// The cause that the diagnosis names.
    cause: Option<String>,
    /// How its tests end: passed, failed, collection-error, none-ran.
    run: Option<String>,
    /// The program that the run needs.
    needs: Option<String>,
}

fn all() -> Vec<(String, Expected)> {
    let mut names: Vec<PathBuf> = fs::read_dir(PROJECTS)
        .expect("the corpus of projects")
        .map(|entry| entry.expect("an entry").path())
        .filter(|path| path.extension().is_some_and(|end| end == "toml"))
        .collect();
    names.sort();
    names
        .into_iter()
        .map(|path| {
            let text = fs::read_to_string(&path).expect("a text");
            let expected = toml::from_str(&text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
            (path.file_stem().expect("a name").to_string_lossy().into_owned(), expected)
        })
        .collect()
}

fn copy(from: &Path, to: &Path) {
    fs::create_dir_all(to).expect("a folder");
    for entry in fs::read_dir(from).expect("a folder of the corpus") {
        let entry = entry.expect("an entry");
        let target = to.join(entry.file_name());
        if entry.file_type().expect("a kind").is_dir() {
            copy(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), &target).expect("a copy");
        }
    }
}

/// A copy, away from this repository's own git.
fn place(name: &str, expected: &Expected) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a temporary folder");
    copy(&Path::new(PROJECTS).join(name), dir.path());
    if expected.git {
        for arguments in [
            &["init", "-q", "-b", "main"][..],
            &["add", "-A"],
            &["-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "-q", "-m", "all"],
        ] {
            let done = Command::new("git").args(arguments).current_dir(dir.path()).status();
            assert!(done.expect("git").success(), "{name}: git {arguments:?}");
        }
    }
    dir
}

fn observation(id: &str, seen: Seen) -> Observation {
    Observation {
        id: id.into(),
        vantage: Vantage::Workspace,
        started_us: 0,
        took_us: 1,
        after: None,
        round_trips: 0,
        attempt: 1,
        by_hand: "ls".to_owned(),
        seen,
    }
}

fn judge(root: &Path, runs: Vec<Observation>) -> (ProjectSnapshot, Diagnosis) {
    let answer = landfall_project::read(root);
    let Observed::Present(snapshot) = &answer else { panic!("{answer:?}") };
    let snapshot = (**snapshot).clone();
    let root = root.display().to_string();
    let project =
        observation("project/read", Seen::Project(ProjectObservation { root: root.clone(), answer }));
    let evidence = Evidence {
        schema: SCHEMA.to_owned(),
        tool: Tool { name: "landfall".into(), version: "0".into() },
        target: Target {
            name: "project".into(),
            production: None,
            origin: None,
            edge: None,
            local: None,
            project: Some(root),
            frontends: Vec::new(),
            endpoints: Vec::new(),
        },
        started_at: "2026-01-01T00:00:00Z".parse().expect("a time"),
        took_us: 1,
        settings: Settings {
            timeout_ms: 1,
            budget: 0,
            skipped: Vec::new(),
            resolvers: Vec::new(),
            mapped: false,
            user_agent: String::new(),
            proxy_variables: Vec::new(),
            thresholds: Default::default(),
        },
        requests: Requests::default(),
        observations: std::iter::once(project).chain(runs).collect(),
    };
    (snapshot, diagnose(&evidence, Catalogue::embedded()))
}

fn outcome(run: &TestRun) -> &'static str {
    let counts = run.counts.unwrap_or_default();
    match run.exit {
        Exit::TimedOut { .. } | Exit::Signal { .. } => "stopped",
        _ if !run.collection_errors.is_empty() => "collection-error",
        _ if counts.failed + counts.errors > 0 || !run.failed.is_empty() => "failed",
        _ if counts.passed == 0 => "none-ran",
        Exit::Code { code: 0 } => "passed",
        Exit::Code { .. } => "broken",
    }
}

/// What the folder shows beside what is expected; a line for each difference.
fn differences(expected: &Expected, snapshot: &ProjectSnapshot, diagnosis: &Diagnosis) -> Vec<String> {
    let mut wrong = Vec::new();
    let framework = snapshot.stacks.first().and_then(|s| s.framework.as_ref()).map(|f| f.name.clone());
    if expected.framework.is_some() && expected.framework != framework {
        wrong.push(format!("the framework is {framework:?}"));
    }
    let routes: Vec<String> =
        snapshot.routes.iter().map(|r| format!("{} {}", r.methods.join(","), r.path)).collect();
    for route in expected.routes.iter().filter(|r| !routes.contains(r)) {
        wrong.push(format!("no route {route:?} in {routes:?}"));
    }
    let signs: Vec<String> =
        snapshot.signs.iter().map(|s| format!("{}: {} @{}", s.sign.name(), s.detail, s.place)).collect();
    for fact in expected.facts.iter().filter(|fact| !signs.iter().any(|s| s.starts_with(fact.as_str()))) {
        wrong.push(format!("no fact {fact:?} in {signs:#?}"));
    }
    for code in &expected.findings {
        if !diagnosis.findings.iter().any(|f| f.code == *code) {
            wrong.push(format!("no finding {code}"));
        }
    }
    for finding in diagnosis.findings.iter().filter(|f| f.severity >= Severity::Medium) {
        if !expected.findings.contains(&finding.code) {
            wrong.push(format!("beside it: {} {}", finding.code, finding.title));
        }
    }
    if let Some(fault) = &expected.fault {
        if explain(Catalogue::embedded(), fault).is_err() {
            wrong.push(format!("the catalogue has no fault {fault}"));
        }
        // Codes that were there before name their fault in words.
        let named =
            diagnosis.findings.iter().any(|f| f.remedy.contains(&format!("`landfall explain {fault}`")));
        let in_words = expected.findings.iter().all(|code| code.as_str() < "LF-PROJ-011");
        if !named && !in_words {
            wrong.push(format!("no finding leads to {fault}"));
        }
    }
    if let Some(cause) = &expected.cause {
        let named: Vec<&str> =
            diagnosis.causes.iter().filter(|c| c.label >= Label::Possible).map(|c| c.id.as_str()).collect();
        if !named.contains(&cause.as_str()) {
            wrong.push(format!("the causes are {named:?}"));
        }
    }
    let may_be_unread = expected.findings.iter().any(|code| code == "LF-PROJ-023");
    if !snapshot.unread.is_empty() && !may_be_unread {
        wrong.push(format!("unread: {:?}", snapshot.unread));
    }
    wrong
}

#[test]
fn every_project_shows_its_fault_and_nothing_else() {
    let all = all();
    let healthy = all.iter().filter(|(_, expected)| expected.healthy).count();
    assert!(healthy >= 20, "{healthy} healthy projects");
    assert!(all.len() - healthy >= 60, "{} projects with a fault", all.len() - healthy);
    let mut wrong = Vec::new();
    for (name, expected) in all.iter().filter(|(_, expected)| expected.run.is_none()) {
        assert!(expected.healthy != (!expected.findings.is_empty()), "{name}: healthy or with a finding");
        assert!(expected.healthy || !expected.about.is_empty(), "{name} says what is wrong");
        let dir = place(name, expected);
        let (snapshot, diagnosis) = judge(dir.path(), Vec::new());
        wrong.extend(
            differences(expected, &snapshot, &diagnosis).into_iter().map(|line| format!("{name}: {line}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[tokio::test]
async fn the_tests_of_projects_are_really_run() {
    let mut wrong = Vec::new();
    for (name, expected) in all() {
        let Some(want) = expected.run.as_deref() else { continue };
        let dir = place(&name, &expected);
        let limit = Duration::from_secs(240);
        let runs = landfall_project::run_tests(dir.path(), None, limit).await;
        let Some(run) = runs[0].observation.answer.present() else {
            let needs = expected.needs.as_deref().unwrap_or("its runner");
            panic!("{name}: {:?}: is {needs} there? See scripts/setup.", runs[0].observation.answer)
        };
        if outcome(run) != want {
            wrong.push(format!("{name}: {} and not {want}: {run:#?}", outcome(run)));
        }
        let seen: Vec<Observation> = (0..)
            .zip(&runs)
            .map(|(n, run)| observation(&format!("tests/{n}"), Seen::Tests(run.observation.clone())))
            .collect();
        let (snapshot, diagnosis) = judge(dir.path(), seen);
        wrong.extend(
            differences(&expected, &snapshot, &diagnosis).into_iter().map(|line| format!("{name}: {line}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
