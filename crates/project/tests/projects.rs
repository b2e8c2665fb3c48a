//! The corpus of small projects in `scenarios/projects`: each is unpacked, read by the real reader and judged by its
//! folder alone, without any network.
//!
//! A project with a fault must show the facts, raise the findings and lead to the fault, and raise nothing else of
//! severity medium or above. A healthy one raises nothing of that severity and names no cause. Where a project says how
//! its tests end, they are really run. The form of the files is told in docs/project.md.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use landfall_diagnosis::{Catalogue, Diagnosis, Severity, diagnose, explain};
use landfall_evidence::{
    DeployConfig, Evidence, Exit, Observation, Observed, PortSetting, ProjectObservation, ProjectSnapshot,
    Requests, SCHEMA, Seen, Settings, Target, TestRun, Tool, Vantage,
};
use serde::Deserialize;

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/projects");

/// One project of the corpus.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Project {
    /// What it is, and what is wrong with it.
    title: String,
    /// Why it is not yet read or judged as it should be. Its differences are then printed and not failed.
    gap: Option<String>,
    #[serde(default)]
    truth: Truth,
    #[serde(default)]
    expect: Expect,
    /// Paths and texts.
    files: BTreeMap<String, String>,
    /// Files with the executable bit.
    #[serde(default)]
    executable: Vec<String>,
    /// Files whose lines end as on Windows.
    #[serde(default)]
    crlf: Vec<String>,
    /// Folders with nothing in them.
    #[serde(default)]
    empty: Vec<String>,
    /// What is done with git, in this order; no repository without it.
    #[serde(default)]
    git: Vec<Step>,
    run: Option<Run>,
}

/// What is true of it. Without a fault the project is healthy.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Truth {
    /// The fault of catalogue/faults.toml; `none` for what spoils something else than serving.
    fault: Option<String>,
    /// Codes that must be raised.
    #[serde(default)]
    finding: Vec<String>,
    /// Signs that must be seen, as `word: beginning of the detail`.
    #[serde(default)]
    signs: Vec<String>,
    /// Causes that must be named: the fault itself, where the folder alone can show it.
    #[serde(default)]
    cause: Vec<String>,
    /// Codes of findings, ids of faults and words of signs that must not appear.
    #[serde(default)]
    never: Vec<String>,
}

/// What must be read. A field that is not given is not looked at; a list may be longer in the project.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
struct Expect {
    /// All languages, in any order, and no other.
    languages: Option<Vec<String>>,
    /// Of the first stack.
    framework: Option<String>,
    framework_version: Option<String>,
    server: Option<String>,
    wanted: Option<String>,
    manifest: Option<String>,
    /// `none` where there must be none.
    lock: Option<String>,
    entry: Option<String>,
    #[serde(default)]
    deploy: Vec<Deploy>,
    /// `METHODS path`; without methods where the code limits none.
    #[serde(default)]
    routes: Vec<String>,
    #[serde(default)]
    not_routes: Vec<String>,
    /// Variables that the code reads without a default.
    #[serde(default)]
    reads: Vec<String>,
    /// And with one.
    #[serde(default)]
    defaults: Vec<String>,
    #[serde(default)]
    declares: Vec<String>,
    #[serde(default)]
    scheduler: Vec<String>,
    #[serde(default)]
    left_out: Vec<String>,
    /// The command that runs the tests.
    tests: Option<String>,
    branch: Option<String>,
    ahead: Option<u32>,
    #[serde(default)]
    uncommitted: Vec<String>,
    #[serde(default)]
    untracked: Vec<String>,
    /// Beginnings of what could not be read. Anything else that could not be read is a difference.
    #[serde(default)]
    unread: Vec<String>,
}

/// What must be read from one deploy file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Deploy {
    file: String,
    platform: Option<String>,
    /// The server program.
    server: Option<String>,
    /// The start command, as written.
    start: Option<String>,
    host: Option<String>,
    /// As people write it: `8080`, `$PORT`, `${PORT:-8080}`, `not said`.
    port: Option<String>,
    /// `[inside, outside]`.
    ports: Option<Vec<(u16, u16)>>,
    health: Option<String>,
    #[serde(default)]
    sets: Vec<String>,
    build: Option<String>,
    root: Option<String>,
    regions: Option<Vec<String>>,
    replicas: Option<u32>,
}

/// One step with git.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
enum Step {
    /// Everything that is not ignored, under this message.
    Commit(String),
    /// `[from, to]`, letter case included.
    Move(String, String),
    /// Files written after what was done so far.
    Write(BTreeMap<String, String>),
    /// To a remote named `origin`, as the upstream of the branch.
    Push(String),
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Run {
    /// The program that runs the tests.
    needs: String,
    /// `passed`, `failed`, `collection-error`, `none-ran`.
    outcome: String,
    /// Tests that pass, where the runner counts.
    passed: Option<u32>,
    failed: Option<u32>,
}

fn corpus() -> Vec<(String, Project)> {
    let mut files = Vec::new();
    for folder in sorted(Path::new(CORPUS)) {
        files
            .extend(sorted(&folder).into_iter().filter(|path| path.extension().is_some_and(|e| e == "toml")));
    }
    files
        .into_iter()
        .map(|path| {
            let name = path.strip_prefix(CORPUS).expect("below the corpus").display().to_string();
            let text = fs::read_to_string(&path).expect("a text");
            let project = toml::from_str(&text).unwrap_or_else(|error| panic!("{name}: {error}"));
            (name, project)
        })
        .collect()
}

fn sorted(folder: &Path) -> Vec<PathBuf> {
    let mut paths: Vec<PathBuf> = fs::read_dir(folder)
        .unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
        .map(|entry| entry.expect("an entry").path())
        .collect();
    paths.sort();
    paths
}

/// The project as a folder, away from this repository's own git. The guard ends it; the path is the project.
fn unpack(name: &str, project: &Project) -> (tempfile::TempDir, PathBuf) {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let root = dir.path().join("project");
    fs::create_dir(&root).expect("a folder");
    for folder in &project.empty {
        fs::create_dir_all(root.join(folder)).expect("a folder");
    }
    write(&root, &project.files, &project.crlf);
    for file in &project.executable {
        fs::set_permissions(root.join(file), fs::Permissions::from_mode(0o755))
            .unwrap_or_else(|error| panic!("{name}: {file}: {error}"));
    }
    if !project.git.is_empty() {
        git(&root, 0, &["init", "-q", "-b", "main"]);
    }
    for (step, n) in project.git.iter().zip(0..) {
        match step {
            Step::Commit(message) => {
                git(&root, n, &["add", "-A"]);
                git(&root, n, &["commit", "-q", "-m", message]);
            }
            Step::Move(from, to) => {
                git(&root, n, &["mv", "-f", from, to]);
            }
            Step::Write(files) => write(&root, files, &project.crlf),
            Step::Push(branch) => {
                git(dir.path(), n, &["init", "-q", "--bare", "origin.git"]);
                git(&root, n, &["remote", "add", "origin", "../origin.git"]);
                git(&root, n, &["push", "-q", "-u", "origin", branch]);
            }
        }
    }
    (dir, root)
}

fn write(root: &Path, files: &BTreeMap<String, String>, crlf: &[String]) {
    for (path, text) in files {
        let target = root.join(path);
        fs::create_dir_all(target.parent().expect("a parent")).expect("a folder");
        let text = if crlf.contains(path) { text.replace('\n', "\r\n") } else { text.clone() };
        fs::write(&target, text).unwrap_or_else(|error| panic!("{path}: {error}"));
    }
}

/// The real git, with a fixed person and a time that follows from the step, and without this machine's configuration.
fn git(folder: &Path, step: u32, arguments: &[&str]) {
    let time = format!("2026-01-15T10:{step:02}:00+00:00");
    let done = Command::new("git")
        .args(["-c", "user.name=Ada", "-c", "user.email=ada@example.com", "-c", "core.autocrlf=false"])
        .args(arguments)
        .current_dir(folder)
        .env("GIT_CONFIG_GLOBAL", "/dev/null")
        .env("GIT_CONFIG_NOSYSTEM", "1")
        .env("GIT_AUTHOR_DATE", &time)
        .env("GIT_COMMITTER_DATE", &time)
        .status()
        .expect("git");
    assert!(done.success(), "git {arguments:?}");
}

fn observation(id: String, seen: Seen) -> Observation {
    Observation {
        id: id.as_str().into(),
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
    let read = Seen::Project(ProjectObservation { root: root.clone(), answer });
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
            uses: Vec::new(),
        },
        started_at: "2026-01-16T00:00:00Z".parse().expect("a time"),
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
        observations: std::iter::once(observation("project/read".into(), read)).chain(runs).collect(),
    };
    (snapshot, diagnose(&evidence, Catalogue::embedded()))
}

/// Differences, a line each.
#[derive(Default)]
struct Wrong(Vec<String>);

impl Wrong {
    fn is<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, want: Option<T>, got: Option<T>) {
        if want.is_some() && want != got {
            self.0.push(format!("{what}: wanted {want:?}, read {got:?}"));
        }
    }

    fn has(&mut self, what: &str, want: &[String], got: &[String]) {
        let got: BTreeSet<&String> = got.iter().collect();
        for one in want.iter().filter(|one| !got.contains(one)) {
            self.0.push(format!("{what}: no {one:?} in {got:?}"));
        }
    }
}

fn facts(expect: &Expect, root: &Path, seen: &ProjectSnapshot, wrong: &mut Wrong) {
    let stack = seen.stacks.first();
    let framework = stack.and_then(|s| s.framework.as_ref());
    if let Some(want) = &expect.languages {
        let want: BTreeSet<&str> = want.iter().map(String::as_str).collect();
        let got: BTreeSet<&str> = seen.stacks.iter().map(|s| s.language.as_str()).collect();
        wrong.is("languages", Some(want), Some(got));
    }
    wrong.is("framework", expect.framework.clone(), framework.map(|f| f.name.clone()));
    wrong.is(
        "framework_version",
        expect.framework_version.clone(),
        framework.and_then(|f| f.version.clone()),
    );
    wrong.is("server", expect.server.clone(), stack.and_then(|s| Some(s.server.as_ref()?.name.clone())));
    wrong.is("wanted", expect.wanted.clone(), stack.and_then(|s| s.runtime.wanted.clone()));
    wrong.is("manifest", expect.manifest.clone(), stack.and_then(|s| s.manifest.clone()));
    let lock = stack.and_then(|s| s.lock.clone()).unwrap_or_else(|| "none".into());
    wrong.is("lock", expect.lock.clone(), Some(lock));
    wrong.is("entry", expect.entry.clone(), seen.entry.as_ref().map(|e| e.path.clone()));
    for want in &expect.deploy {
        let of_file: Vec<&DeployConfig> = seen.deploy.iter().filter(|d| d.file == want.file).collect();
        // One file may hold several services or stages: one of them has to be as expected.
        let differences: Vec<Vec<String>> = of_file.iter().map(|got| deploy(want, got)).collect();
        if of_file.is_empty() {
            let got: Vec<&str> = seen.deploy.iter().map(|d| d.file.as_str()).collect();
            wrong.0.push(format!("{} is not read; read are {got:?}", want.file));
        } else if let Some(fewest) = differences.into_iter().min_by_key(Vec::len) {
            wrong.0.extend(fewest);
        }
    }
    let routes: Vec<String> = seen
        .routes
        .iter()
        .map(|r| format!("{} {}", r.methods.join(","), r.path).trim_start().to_owned())
        .collect();
    wrong.has("routes", &expect.routes, &routes);
    for route in expect.not_routes.iter().filter(|r| routes.contains(r)) {
        wrong.0.push(format!("routes: {route:?} is none of the application"));
    }
    let read = |with: bool| -> Vec<String> {
        seen.settings.read.iter().filter(|r| r.has_default == with).map(|r| r.name.clone()).collect()
    };
    wrong.has("reads", &expect.reads, &read(false));
    wrong.has("defaults", &expect.defaults, &read(true));
    wrong.has("declares", &expect.declares, &seen.settings.declared);
    let schedulers: Vec<String> = seen.schedulers.iter().map(|s| s.kind.clone()).collect();
    wrong.has("scheduler", &expect.scheduler, &schedulers);
    let left_out: Vec<String> = seen.left_out.iter().map(|l| l.path.clone()).collect();
    wrong.has("left_out", &expect.left_out, &left_out);
    if expect.tests.is_some() {
        wrong.is("tests", expect.tests.clone(), landfall_project::test_command(root));
    }
    let git = seen.git.as_ref();
    wrong.is("branch", expect.branch.clone(), git.and_then(|g| g.branch.clone()));
    wrong.is("ahead", expect.ahead, git.and_then(|g| g.ahead));
    wrong.has("uncommitted", &expect.uncommitted, git.map_or(&[], |g| &g.uncommitted));
    wrong.has("untracked", &expect.untracked, git.map_or(&[], |g| &g.untracked));
    for begin in expect.unread.iter().filter(|b| !seen.unread.iter().any(|u| u.starts_with(b.as_str()))) {
        wrong.0.push(format!("unread: no {begin:?} in {:?}", seen.unread));
    }
    for unread in seen.unread.iter().filter(|u| !expect.unread.iter().any(|b| u.starts_with(b.as_str()))) {
        wrong.0.push(format!("could not be read: {unread}"));
    }
}

fn deploy(want: &Deploy, got: &DeployConfig) -> Vec<String> {
    let mut wrong = Wrong::default();
    let start = got.start.as_ref();
    let at = |field: &str| format!("{} {field}", want.file);
    wrong.is(&at("platform"), want.platform.clone(), Some(got.platform.clone()));
    wrong.is(&at("server"), want.server.clone(), start.and_then(|s| s.server.clone()));
    wrong.is(&at("start"), want.start.clone(), start.map(|s| s.raw.clone()));
    wrong.is(&at("host"), want.host.clone(), start.and_then(|s| s.bind_host.clone()));
    let port = start.map_or(PortSetting::Unsaid, |s| s.bind_port.clone());
    wrong.is(&at("port"), want.port.clone(), Some(port.to_string()));
    let ports = got.ports.iter().map(|map| (map.local, map.external)).collect();
    wrong.is(&at("ports"), want.ports.clone(), Some(ports));
    wrong.is(&at("health"), want.health.clone(), got.health_path.clone());
    wrong.has(&at("sets"), &want.sets, &got.sets);
    wrong.is(&at("build"), want.build.clone(), got.build.clone());
    wrong.is(&at("root"), want.root.clone(), got.root.clone());
    wrong.is(&at("regions"), want.regions.clone(), Some(got.regions.clone()));
    wrong.is(&at("replicas"), want.replicas, got.replicas);
    wrong.0
}

fn truths(truth: &Truth, seen: &ProjectSnapshot, diagnosis: &Diagnosis, wrong: &mut Wrong) {
    let signs: Vec<String> =
        seen.signs.iter().map(|s| format!("{}: {} @{}", s.sign.name(), s.detail, s.place)).collect();
    for sign in truth.signs.iter().filter(|sign| !signs.iter().any(|s| s.starts_with(sign.as_str()))) {
        wrong.0.push(format!("no sign {sign:?} in {signs:#?}"));
    }
    for code in &truth.finding {
        if !diagnosis.findings.iter().any(|f| f.code == *code) {
            wrong.0.push(format!("no finding {code}; signs {signs:#?}"));
        }
    }
    for finding in diagnosis.findings.iter().filter(|f| f.severity >= Severity::Medium) {
        if !truth.finding.contains(&finding.code) {
            wrong.0.push(format!("beside it: {} {}", finding.code, finding.title));
        }
    }
    let causes: Vec<&str> = diagnosis.causes.iter().map(|c| c.id.as_str()).collect();
    for cause in &truth.cause {
        if !causes.contains(&cause.as_str()) {
            wrong.0.push(format!("cause {cause} is not named: {causes:?}"));
        }
    }
    for cause in causes.iter().filter(|c| !truth.cause.iter().any(|t| t == *c)) {
        wrong.0.push(format!("cause {cause} is named"));
    }
    for never in &truth.never {
        let found = diagnosis.findings.iter().find(|f| f.code == *never).map(|f| f.title.clone());
        let sign = signs.iter().find(|s| s.split(':').next() == Some(never)).cloned();
        if let Some(what) = found.or(sign) {
            wrong.0.push(format!("never: {never}: {what}"));
        }
    }
    let Some(fault) = truth.fault.as_deref().filter(|fault| *fault != "none") else { return };
    if explain(Catalogue::embedded(), fault).is_err() {
        wrong.0.push(format!("the catalogue has no fault {fault}"));
    }
    let named = diagnosis
        .findings
        .iter()
        .filter(|f| truth.finding.contains(&f.code))
        .any(|f| f.remedy.contains(&format!("`landfall explain {fault}`")));
    // The oldest codes and those of tests say what is wrong in words and name no fault.
    let in_words =
        truth.finding.iter().all(|code| code.as_str() < "LF-PROJ-011" || code.starts_with("LF-TEST-"));
    if !named && !in_words && !truth.cause.iter().any(|cause| cause == fault) {
        wrong.0.push(format!("no finding leads to {fault}"));
    }
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

/// What the corpus has to hold at least once: words of the issue with what shows them.
const STACKS: &[(&str, &str)] = &[
    ("python", "flask"),
    ("python", "django"),
    ("python", "fastapi"),
    ("python", "starlette"),
    ("node", "express"),
    ("node", "fastify"),
    ("node", "koa"),
    ("node", "@nestjs/core"),
    ("node", "next"),
    ("rust", "axum"),
    ("rust", "actix-web"),
    ("rust", "rocket"),
    ("go", ""),
    ("go", "github.com/gin-gonic/gin"),
    ("go", "github.com/labstack/echo/v4"),
    ("go", "github.com/gofiber/fiber/v2"),
    ("go", "github.com/go-chi/chi/v5"),
    ("ruby", "rails"),
    ("ruby", "sinatra"),
    ("php", ""),
    ("php", "laravel/framework"),
    ("php", "symfony/framework-bundle"),
    ("java", "org.springframework.boot:spring-boot-starter-web"),
    ("java", "io.quarkus:quarkus-rest"),
    ("dotnet", "Microsoft.NET.Sdk.Web"),
    ("elixir", "phoenix"),
];

/// Endings of the paths of files that the corpus has to hold.
const FILES: &[&str] = &[
    "requirements.txt",
    "poetry.lock",
    "uv.lock",
    "Pipfile.lock",
    "package-lock.json",
    "pnpm-lock.yaml",
    "yarn.lock",
    "Cargo.lock",
    "go.sum",
    "Gemfile.lock",
    "composer.lock",
    "mix.lock",
    "build.gradle.kts",
    ".kt",
    ".replit",
    "Procfile",
    "Dockerfile",
    ".dockerignore",
    "compose.yaml",
    "fly.toml",
    "vercel.json",
    "netlify.toml",
    "render.yaml",
    "railway.toml",
    "railway.json",
    "app.yaml",
    ".do/app.yaml",
    "service.yaml",
    "app.json",
    "kustomization.yaml",
    "Chart.yaml",
    ".service",
    "nginx/default.conf",
    "Caddyfile",
    "wrangler.toml",
    "wrangler.jsonc",
    "pnpm-workspace.yaml",
];

#[test]
fn the_corpus_holds_every_stack_and_deploy_file() {
    let corpus = corpus();
    let healthy = corpus.iter().filter(|(_, project)| project.truth.fault.is_none()).count();
    let gaps = corpus.iter().filter(|(_, project)| project.gap.is_some()).count();
    let (mut stacks, mut platforms) = (BTreeSet::new(), BTreeSet::new());
    let mut titles = BTreeSet::new();
    let mut missing = Vec::new();
    for (name, project) in &corpus {
        if project.title.is_empty() || !titles.insert(&project.title) {
            missing.push(format!("{name}: a title of its own"));
        }
        let (_guard, root) = unpack(name, project);
        let Observed::Present(seen) = landfall_project::read(&root) else { panic!("{name} can be read") };
        for stack in &seen.stacks {
            let framework = stack.framework.as_ref().map(|f| f.name.to_ascii_lowercase()).unwrap_or_default();
            stacks.insert((stack.language.clone(), framework));
        }
        platforms.extend(seen.deploy.iter().map(|deploy| deploy.platform.clone()));
    }
    for (language, framework) in STACKS {
        if !stacks.contains(&((*language).to_owned(), framework.to_ascii_lowercase())) {
            missing.push(format!("{language} {framework}"));
        }
    }
    for end in FILES {
        if !corpus.iter().any(|(_, project)| project.files.keys().any(|path| path.ends_with(end))) {
            missing.push(format!("a file {end}"));
        }
    }
    for platform in [
        "replit",
        "heroku",
        "docker",
        "docker-compose",
        "fly",
        "vercel",
        "netlify",
        "render",
        "railway",
        "google-app-engine",
        "google-cloud-run",
        "app-platform",
        "kubernetes",
        "helm",
        "systemd",
        "nginx",
        "caddy",
        "cloudflare-workers",
    ] {
        if !platforms.contains(platform) {
            missing.push(format!("the platform {platform} among {platforms:?}"));
        }
    }
    println!("{} projects with a fault, {healthy} healthy, {gaps} gaps", corpus.len() - healthy);
    assert!(missing.is_empty(), "missing: {}", missing.join(", "));
    assert!(corpus.len() - healthy >= 60, "{} projects with a fault", corpus.len() - healthy);
    assert!(healthy >= 20, "{healthy} healthy projects");
}

/// Prints the differences of projects with a gap, and fails with those of all others.
fn settle(all: Vec<(&str, &Project, Wrong)>) {
    let mut lines = Vec::new();
    for (name, project, wrong) in all {
        match &project.gap {
            Some(gap) if wrong.0.is_empty() => {
                lines.push(format!("{name}: its gap is closed and should be taken out: {gap}"));
            }
            Some(gap) => println!("gap: {name}: {gap}: {}", wrong.0.join("; ")),
            None => lines.extend(wrong.0.into_iter().map(|line| format!("{name}: {line}"))),
        }
    }
    assert!(lines.is_empty(), "{} differences\n{}", lines.len(), lines.join("\n"));
}

/// `PROJECT=part-of-a-name` looks at some of them.
fn chosen(name: &str) -> bool {
    std::env::var("PROJECT").map_or(true, |part| name.contains(&part))
}

#[test]
fn every_project_shows_its_fault_and_nothing_else() {
    let corpus = corpus();
    let mut all = Vec::new();
    for (name, project) in corpus.iter().filter(|(name, project)| project.run.is_none() && chosen(name)) {
        let mut wrong = Wrong::default();
        if project.truth.fault.is_some() != !project.truth.finding.is_empty() {
            wrong.0.push("a fault has its finding, and a healthy project neither".to_owned());
        }
        let (_guard, root) = unpack(name, project);
        let (seen, diagnosis) = judge(&root, Vec::new());
        facts(&project.expect, &root, &seen, &mut wrong);
        truths(&project.truth, &seen, &diagnosis, &mut wrong);
        all.push((name.as_str(), project, wrong));
    }
    settle(all);
}

#[tokio::test]
async fn the_tests_of_projects_are_really_run() {
    let corpus = corpus();
    let mut all = Vec::new();
    for (name, project) in corpus.iter().filter(|(name, _)| chosen(name)) {
        let Some(want) = &project.run else { continue };
        let mut wrong = Wrong::default();
        let (_guard, root) = unpack(name, project);
        let runs = landfall_project::run_tests(&root, None, Duration::from_secs(240)).await;
        let Some(run) = runs[0].observation.answer.present() else {
            panic!("{name}: {:?}: is {} there? See scripts/setup.", runs[0].observation.answer, want.needs)
        };
        if outcome(run) != want.outcome {
            wrong.0.push(format!("the tests end {} and not {}: {run:#?}", outcome(run), want.outcome));
        }
        wrong.is("passed", want.passed, run.counts.map(|c| c.passed));
        wrong.is("failed", want.failed, run.counts.map(|c| c.failed));
        let seen: Vec<Observation> = (0..)
            .zip(&runs)
            .map(|(n, run)| observation(format!("tests/{n}"), Seen::Tests(run.observation.clone())))
            .collect();
        let (seen, diagnosis) = judge(&root, seen);
        facts(&project.expect, &root, &seen, &mut wrong);
        truths(&project.truth, &seen, &diagnosis, &mut wrong);
        all.push((name.as_str(), project, wrong));
    }
    settle(all);
}
