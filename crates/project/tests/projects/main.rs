//! The corpus of small projects in `scenarios/projects`: each is unpacked, read by the real reader and judged by its
//! folder alone, without any network.
//!
//! A project with a fault must show the facts, raise the findings and lead to the fault, and raise nothing else of
//! severity medium or above. A healthy one raises nothing of that severity and names no cause. Where a project says how
//! its tests end, they are really run. The form of the files is told in docs/project.md.

mod differences;
mod folder;
mod format;
mod holdings;

use std::path::Path;
use std::sync::Mutex;
use std::time::Duration;

use landfall_diagnosis::{Catalogue, Diagnosis, diagnose};
use landfall_evidence::{
    CollectionError, Evidence, Exit, Observation, Observed, ProjectObservation, ProjectSnapshot, Requests,
    SCHEMA, Seen, Settings, Target, TestRun, Tool, Vantage,
};

use differences::{Wrong, facts, truths};
use folder::{corpus, install, unpack};
use format::Project;

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

fn told(error: &CollectionError) -> String {
    let line = error.line.map(|line| format!(":{line}")).unwrap_or_default();
    let statement = error.statement.as_ref().map(|s| format!(" `{s}`")).unwrap_or_default();
    format!("{}{line}{statement}: {}: {}", error.file, error.exception, error.message)
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
        if project.truth.fault.is_some() == project.truth.finding.is_empty() {
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
    let all = Mutex::new(Vec::new());
    let waiting = Mutex::new(corpus.iter().filter(|(name, project)| project.run.is_some() && chosen(name)));
    // Two at a time: most runners wait for a virtual machine or a compiler of one thread.
    let worker = || async {
        loop {
            let next = waiting.lock().expect("unbroken").next();
            let Some((name, project)) = next else { break };
            let wrong = run(name, project).await;
            all.lock().expect("unbroken").push((name.as_str(), project, wrong));
        }
    };
    tokio::join!(worker(), worker());
    settle(all.into_inner().expect("unbroken"));
}

async fn run(name: &str, project: &Project) -> Wrong {
    let mut wrong = Wrong::default();
    let Some(want) = &project.run else { return wrong };
    let (_guard, root) = unpack(name, project);
    if !want.installed.is_empty() {
        install(&root, &want.installed);
    }
    let runs = landfall_project::run_tests(&root, None, Duration::from_secs(240)).await;
    let Some(run) = runs[0].observation.answer.present() else {
        panic!("{name}: {:?}: is {} there? See scripts/setup.", runs[0].observation.answer, want.needs)
    };
    if outcome(run) != want.outcome {
        wrong.0.push(format!("the tests end {} and not {}: {run:#?}", outcome(run), want.outcome));
    }
    wrong.is("passed", want.passed, run.counts.map(|c| c.passed));
    wrong.is("failed", want.failed, run.counts.map(|c| c.failed));
    wrong.is("skipped", want.skipped, run.counts.map(|c| c.skipped));
    wrong.has("names", &want.names, &run.failed);
    let errors: Vec<String> = run.collection_errors.iter().map(told).collect();
    for want in want.errors.iter().filter(|want| !errors.iter().any(|e| e.starts_with(want.as_str()))) {
        wrong.0.push(format!("errors: no {want:?} in {errors:?}"));
    }
    let seen: Vec<Observation> = (0..)
        .zip(&runs)
        .map(|(n, run)| observation(format!("tests/{n}"), Seen::Tests(run.observation.clone())))
        .collect();
    let (seen, diagnosis) = judge(&root, seen);
    facts(&project.expect, &root, &seen, &mut wrong);
    truths(&project.truth, &seen, &diagnosis, &mut wrong);
    wrong
}
