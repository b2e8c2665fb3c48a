//! What was read and judged, held against what the file of the project says.

use std::collections::BTreeSet;
use std::path::Path;

use landfall_diagnosis::{Catalogue, Diagnosis, Severity, explain};
use landfall_evidence::{DeployConfig, PortSetting, ProjectSnapshot};

use crate::format::{Deploy, Expect, Truth};

/// Differences, a line each.
#[derive(Default)]
pub(crate) struct Wrong(pub(crate) Vec<String>);

impl Wrong {
    pub(crate) fn is<T: PartialEq + std::fmt::Debug>(&mut self, what: &str, want: Option<T>, got: Option<T>) {
        if want.is_some() && want != got {
            self.0.push(format!("{what}: wanted {want:?}, read {got:?}"));
        }
    }

    pub(crate) fn has(&mut self, what: &str, want: &[String], got: &[String]) {
        let got: BTreeSet<&String> = got.iter().collect();
        for one in want.iter().filter(|one| !got.contains(one)) {
            self.0.push(format!("{what}: no {one:?} in {got:?}"));
        }
    }
}

pub(crate) fn facts(expect: &Expect, root: &Path, seen: &ProjectSnapshot, wrong: &mut Wrong) {
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

pub(crate) fn truths(truth: &Truth, seen: &ProjectSnapshot, diagnosis: &Diagnosis, wrong: &mut Wrong) {
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
