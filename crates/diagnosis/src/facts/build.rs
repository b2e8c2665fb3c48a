//! Which build production serves, held against the history and the local backend, and what else a served body says of
//! the deployment: its environment, a pointer in place of a file, an address that was never filled in.
//!
//! A build is told by a field or header whose name says so. An id is a commit's when it has the form of one; whether it
//! is one of this project's is decided by the history alone.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::sync::LazyLock;

use landfall_evidence::{Evidence, GitState, HttpResponse, ObservationId, Purpose, Vantage};
use regex::Regex;
use serde_json::Value as Json;

use super::{Exchanges, FactKey, Facts};

/// Names of JSON fields that tell the build, white space and marks dropped.
const FIELDS: &[&str] = &[
    "appversion",
    "build",
    "buildcommit",
    "buildid",
    "buildnumber",
    "buildsha",
    "commit",
    "commithash",
    "commitid",
    "commitsha",
    "deployedcommit",
    "gitcommit",
    "githash",
    "gitrevision",
    "gitsha",
    "hash",
    "release",
    "rev",
    "revision",
    "sha",
    "sourceversion",
    "tag",
    "version",
];
/// Headers that tell it.
const HEADERS: &[&str] = &[
    "x-app-version",
    "x-build",
    "x-build-id",
    "x-build-sha",
    "x-commit",
    "x-commit-sha",
    "x-git-commit",
    "x-git-sha",
    "x-release",
    "x-revision",
    "x-served-commit",
    "x-version",
];
/// Names of JSON fields that tell the environment.
const ENVIRONMENTS: &[&str] = &[
    "appenv",
    "deployenv",
    "deployment",
    "djangoenv",
    "env",
    "environment",
    "flaskenv",
    "nodeenv",
    "railsenv",
    "stage",
];
/// Longest word that names a build: a commit's id has forty letters, and a tag may stand before it.
const LONGEST_WORD: usize = 60;
/// Names of JSON fields that tell the branch.
const BRANCHES: &[&str] = &["branch", "buildbranch", "gitbranch", "gitref", "ref"];
/// Words that are no production.
const NOT_PRODUCTION: &[&str] = &[
    "dev",
    "development",
    "local",
    "preview",
    "qa",
    "sandbox",
    "stage",
    "staging",
    "stg",
    "test",
    "testing",
    "uat",
];

struct Patterns {
    commit: Regex,
    version: Regex,
    unset: Regex,
    banner: Regex,
    listing: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let compile = |pattern: &str| Regex::new(pattern).expect("a constant that the tests use");
    Patterns {
        commit: compile(r"(?:^|[^0-9a-z])([0-9a-f]{7,40})(?:$|[^0-9a-z])"),
        version: compile(r"^v?(\d{1,6}(?:\.\d{1,6}){1,3})(?:[-+].*)?$"),
        // What bundlers leave where a variable was not set: `"undefined/api"`, or the placeholder itself.
        unset: compile(
            r#"["'`](?:https?://)?undefined/|["'`]undefined["'`]\s*\+\s*["'`]/|%(?:VITE|REACT_APP|PUBLIC|VUE_APP)_[A-Z0-9_]+%|import\.meta\.env\.VITE_[A-Z0-9_]+|process\.env\.(?:NEXT_PUBLIC|REACT_APP|VUE_APP|GATSBY)_[A-Z0-9_]+|["'`]__[A-Z0-9]+_URL__|\$\{(?:VITE|REACT_APP|NEXT_PUBLIC)_[A-Z0-9_]+\}"#,
        ),
        banner: compile(
            r"(?i)\b(?:staging|development|test|preview) (?:environment|site|server|build)\b|\bthis is (?:the )?(?:a )?(?:staging|test|development)\b",
        ),
        listing: compile(
            r"(?i)<title>\s*(?:index of|directory listing for|listing directory)\b|<h1>\s*(?:index of|directory listing for) /",
        ),
    }
});

/// What one answer tells of its build.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
enum Build {
    /// A commit's id, lower case.
    Commit(String),
    /// A version number, with its parts.
    Version(Vec<u64>, String),
    /// Any other word in such a field: it says nothing by itself, and two of them at one path differ.
    Word(String),
}

impl std::fmt::Display for Build {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Commit(id) => f.write_str(id),
            Self::Version(_, text) | Self::Word(text) => f.write_str(text),
        }
    }
}

pub(super) fn derive(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let git = evidence.project().and_then(|(o, snapshot)| Some((o.id.clone(), snapshot.git.as_ref()?)));
    let mut served: BTreeMap<Vantage, (Build, BTreeSet<ObservationId>)> = BTreeMap::new();
    for vantage in [Vantage::Local, Vantage::Origin, Vantage::Edge] {
        if let Some(found) = of_vantage(vantage, exchanges, facts) {
            served.insert(vantage, found);
        }
        bodies(vantage, evidence, exchanges, facts);
    }
    // A commit and a version say nothing of each other.
    if let (Some((edge, edge_ids)), Some((origin, origin_ids))) =
        (served.get(&Vantage::Edge), served.get(&Vantage::Origin))
    {
        let same = match (edge, origin) {
            (Build::Commit(a), Build::Commit(b)) => {
                Some(a.starts_with(b.as_str()) || b.starts_with(a.as_str()))
            }
            (Build::Version(a, _), Build::Version(b, _)) => Some(a == b),
            _ => None,
        };
        if let Some(same) = same {
            let both: Vec<ObservationId> = edge_ids.iter().chain(origin_ids).cloned().collect();
            facts.known(FactKey::PairBuild, "", if same { "same" } else { "differs" }, both);
        }
    }
    for vantage in [Vantage::Origin, Vantage::Edge] {
        let nothing = (Build::Word(String::new()), BTreeSet::new());
        let (build, ids) = served.get(&vantage).unwrap_or(&nothing);
        let subject = vantage.to_string();
        let mut placed = None;
        if let (Build::Commit(id), Some((project, git))) = (build, &git) {
            let with: Vec<ObservationId> = ids.iter().cloned().chain([project.clone()]).collect();
            // Commits that change nothing that is built are no reason for an older one, unless nothing deploys what is
            // checked out.
            let elsewhere = facts.is(FactKey::GitDeployBranchIs, "", "differs") == Some(true);
            placed = match place(id, git) {
                Some("head-alike") if elsewhere => Some("ancestor"),
                word => word,
            };
            match &placed {
                Some(word) => {
                    let old = matches!(*word, "ancestor" | "other-branch");
                    facts.known(FactKey::BuildServedIs, subject.as_str(), *word, with.clone()).symptom = old;
                }
                None => {
                    let why = super::Why::Undecided("the history that was read does not reach it".to_owned());
                    facts.unknown(FactKey::BuildServedIs, subject.as_str(), why, with.clone());
                }
            }
            let others = git
                .branches
                .iter()
                .filter(|b| b.commit.starts_with(id.as_str()) && Some(&b.name) != git.branch.as_ref())
                .map(|b| b.name.clone());
            facts.known_list(FactKey::BuildServedBranch, subject.as_str(), others, with.clone());
            if let Some(upstream) = upstream(git) {
                facts.known(
                    FactKey::BuildServedUpstream,
                    subject.as_str(),
                    upstream.starts_with(id.as_str()),
                    with,
                );
            }
        }
        if let (Some((name, branch_ids)), Some((project, git))) = (branch(vantage, exchanges), &git)
            && placed.is_none()
            && git.branch.as_ref().is_some_and(|own| *own != name)
            && git.branches.iter().any(|b| b.name == name)
        {
            let with: Vec<ObservationId> = branch_ids.into_iter().chain([project.clone()]).collect();
            facts.known_list(FactKey::BuildServedBranch, subject.as_str(), [name], with.clone());
            facts.known(FactKey::BuildServedIs, subject.as_str(), "other-branch", with).symptom = true;
            placed = Some("other-branch");
        }
        if let Some((here, local_ids)) = served.get(&Vantage::Local) {
            let word = match (build, here) {
                (Build::Commit(a), Build::Commit(b)) => {
                    let same = a.starts_with(b.as_str()) || b.starts_with(a.as_str());
                    Some(if same { "same" } else { "differs" })
                }
                (Build::Version(a, _), Build::Version(b, _)) => Some(match a.cmp(b) {
                    std::cmp::Ordering::Less => "older",
                    std::cmp::Ordering::Equal => "same",
                    std::cmp::Ordering::Greater => "newer",
                }),
                _ => None,
            };
            if let Some(word) = word {
                let both: Vec<ObservationId> = ids.iter().chain(local_ids).cloned().collect();
                let settled = placed.is_some();
                let old = word == "older" || (word == "differs" && !settled);
                facts.known(FactKey::BuildAsLocal, subject.as_str(), word, both).symptom = old;
            }
        }
    }
    if let Some((project, git)) = &git {
        let head_on_remote = upstream(git).map(|up| up == git.head).or(git.ahead.map(|n| n == 0));
        if let Some(yes) = head_on_remote {
            facts.known(FactKey::GitHeadOnRemote, "", yes, [project.clone()]);
        }
    }
}

/// The head of the remote branch that the checked-out one is called after.
fn upstream(git: &GitState) -> Option<&str> {
    let name = git.branch.as_ref()?;
    git.branches.iter().find(|b| b.remote.is_some() && &b.name == name).map(|b| b.commit.as_str())
}

/// The branch that a vantage says it was built from.
fn branch(vantage: Vantage, exchanges: &Exchanges<'_>) -> Option<(String, BTreeSet<ObservationId>)> {
    let mut found: BTreeMap<String, BTreeSet<ObservationId>> = BTreeMap::new();
    for x in exchanges.all.iter().filter(|x| x.vantage == vantage) {
        let Some(response) = x.response().filter(|r| r.status < 400) else { continue };
        for (name, value) in response.body.json().and_then(Json::as_object).into_iter().flatten() {
            let plain: String =
                name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
            if let Some(word) =
                value.as_str().filter(|w| BRANCHES.contains(&plain.as_str()) && w.len() <= LONGEST_WORD)
            {
                let word = word.trim_start_matches("refs/heads/").trim_start_matches("origin/");
                found.entry(word.to_owned()).or_default().insert(x.id());
            }
        }
    }
    found.into_iter().next()
}

/// Commits that a history is read back to; a shorter one was read to its beginning.
const HISTORY: usize = 200;

/// Where a served commit stands in the project's history.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Placed<'a> {
    /// It is the one that is checked out.
    Head,
    /// It lies so many commits before that, of which so many change what is built: documentation and tests make no other
    /// build.
    Behind { commits: usize, built: usize },
    /// It is the head of this branch; `ahead` where that is the remote one of the branch that is checked out.
    Branch { name: &'a str, ahead: bool },
    /// A history that was read to its beginning does not have it.
    NotInHistory,
}

/// Places a commit, whole or shortened; `None` where the history that was read does not reach it.
pub(crate) fn placed<'a>(id: &str, git: &'a GitState) -> Option<Placed<'a>> {
    if git.head.is_empty() {
        return None;
    }
    if git.head.starts_with(id) {
        return Some(Placed::Head);
    }
    if let Some(commits) = git.commits.iter().position(|c| c.id.starts_with(id)) {
        let built = git.commits[..commits].iter().filter(|c| c.changes_build).count();
        return Some(Placed::Behind { commits, built });
    }
    if let Some(branch) = git.branches.iter().find(|b| b.commit.starts_with(id)) {
        let ahead = upstream(git).is_some_and(|up| up.starts_with(id));
        return Some(Placed::Branch { name: &branch.name, ahead });
    }
    (!git.commits.is_empty() && git.commits.len() < HISTORY).then_some(Placed::NotInHistory)
}

/// The word for it, as `build.served_is` has it.
fn place(id: &str, git: &GitState) -> Option<&'static str> {
    Some(match placed(id, git)? {
        Placed::Head => "head",
        Placed::Behind { built: 0, .. } => "head-alike",
        Placed::Behind { .. } => "ancestor",
        Placed::Branch { ahead: true, .. } => "ahead",
        Placed::Branch { .. } => "other-branch",
        Placed::NotInHistory => "not-in-history",
    })
}

/// A path, and the field that tells the build there.
type Field = (String, String);
/// The address that told a build, the build, and the observation.
type Told = (Option<SocketAddr>, Build, ObservationId);

/// The build that a vantage serves, and whether its answers agree on it.
fn of_vantage(
    vantage: Vantage,
    exchanges: &Exchanges<'_>,
    facts: &mut Facts,
) -> Option<(Build, BTreeSet<ObservationId>)> {
    // Per path and field: a field that differs from path to path by nature (a row's version) is no sign.
    let mut seen: BTreeMap<Field, Vec<Told>> = BTreeMap::new();
    for (observation, http) in exchanges.tries.iter().filter(|(o, _)| o.vantage == vantage) {
        if exchanges.refused.contains(&observation.id) {
            continue;
        }
        let Some(response) = http.answer.present().filter(|r| r.status < 400) else { continue };
        for (field, build) in builds(&http.request.path, response) {
            seen.entry((http.request.path.clone(), field)).or_default().push((
                http.request.address,
                build,
                observation.id.clone(),
            ));
        }
    }
    let subject = vantage.to_string();
    let mut mixed: Option<(&'static str, BTreeSet<ObservationId>)> = None;
    for answers in seen.values() {
        let all: BTreeSet<&Build> = answers.iter().map(|(_, build, _)| build).collect();
        if all.len() < 2 {
            continue;
        }
        let mut by_address: BTreeMap<Option<SocketAddr>, BTreeSet<&Build>> = BTreeMap::new();
        for (address, build, _) in answers {
            by_address.entry(*address).or_default().insert(build);
        }
        let one = by_address.values().any(|builds| builds.len() > 1);
        let word = if one { "at-one-address" } else { "by-address" };
        if mixed.as_ref().is_none_or(|(so_far, _)| *so_far == "by-address" && one) {
            mixed = Some((word, answers.iter().map(|(_, _, id)| id.clone()).collect()));
        }
    }
    if let Some((word, ids)) = mixed {
        facts.known(FactKey::BuildMixed, subject.as_str(), word, ids).symptom = vantage != Vantage::Local;
    } else if seen.values().any(|answers| answers.len() >= 3) {
        let ids: BTreeSet<ObservationId> = seen.values().flatten().map(|(_, _, id)| id.clone()).collect();
        facts.known(FactKey::BuildMixed, subject.as_str(), "no", ids);
    }
    // A commit says more than a version; among equals the field of the plainest name.
    let mut all: Vec<(u8, &Field, &Told)> = seen
        .iter()
        .flat_map(|(key, answers)| answers.iter().map(move |answer| (key, answer)))
        .filter(|(_, answer)| !matches!(answer.1, Build::Word(_)))
        .map(|(key, answer)| (u8::from(!matches!(answer.1, Build::Commit(_))), key, answer))
        .collect();
    all.sort_by(|a, b| (a.0, a.1, &a.2.1).cmp(&(b.0, b.1, &b.2.1)));
    let (_, _, (_, build, _)) = all.first()?;
    let ids: BTreeSet<ObservationId> = all
        .iter()
        .filter(|(_, _, (_, other, _))| other == build)
        .map(|(_, _, (_, _, id))| id.clone())
        .collect();
    let build = build.clone();
    facts.known(FactKey::BuildServed, subject, build.to_string(), ids.clone());
    Some((build, ids))
}

/// The marks of a build that a response carries, with the field that carries each. For comparison alone: a mark is a word.
pub(crate) fn marks(path: &str, response: &HttpResponse) -> Vec<(String, String)> {
    builds(path, response).into_iter().map(|(field, build)| (field, build.to_string())).collect()
}

/// What a response tells of its build, by the field that tells it.
fn builds(path: &str, response: &HttpResponse) -> Vec<(String, Build)> {
    let mut found = Vec::new();
    for header in response.headers.iter().filter(|h| HEADERS.contains(&h.name.as_str())) {
        found.extend(build(&header.value, true).map(|b| (header.name.clone(), b)));
    }
    if let Some(Json::Object(fields)) = response.body.json() {
        for (name, value) in fields {
            fields_of("", name, value, &mut found);
            // `{"build": {"commit": "…"}}`. Its name is part of the field's: two versions in one body are of two things.
            for (inner, value) in value.as_object().into_iter().flatten() {
                fields_of(&format!("{name}."), inner, value, &mut found);
            }
        }
    }
    if let Some(text) = response.body.text.as_deref().filter(|_| response.body.json().is_none()) {
        // A version file is often the id alone; a page carries it in a meta element.
        let whole = text.trim();
        let lower = path.to_ascii_lowercase();
        let named =
            ["version", "build", "commit", "release", "revision"].iter().any(|word| lower.contains(word));
        if !whole.is_empty() && whole.len() <= LONGEST_WORD && (named || whole.len() >= 7) {
            let word = || named.then(|| Build::Word(whole.to_owned()));
            found.extend(build(whole, named).or_else(word).map(|b| ("body".to_owned(), b)));
        }
        static META: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"(?i)<meta[^>]+name=["'](?:build|commit|version|release|revision|git-sha)["'][^>]+content=["']([^"']{3,60})["']"#)
                .expect("a constant that the tests use")
        });
        found.extend(META.captures(text).and_then(|c| build(&c[1], true)).map(|b| ("meta".to_owned(), b)));
    }
    found
}

fn fields_of(within: &str, name: &str, value: &Json, found: &mut Vec<(String, Build)>) {
    let plain: String =
        name.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase();
    if !FIELDS.contains(&plain.as_str()) {
        return;
    }
    let named_commit = plain.contains("commit")
        || plain.contains("sha")
        || plain.contains("rev")
        || plain == "hash"
        || plain.contains("githash");
    let text = match value {
        Json::String(text) if text.len() <= LONGEST_WORD => text.clone(),
        Json::Number(number) => number.to_string(),
        _ => return,
    };
    let word = || (!text.trim().is_empty()).then(|| Build::Word(text.trim().to_owned()));
    if let Some(build) = build(&text, named_commit).or_else(word) {
        found.push((format!("{within}{plain}"), build));
    }
}

/// A commit's id or a version number. Digits alone are a commit only where the name says so: they may be a date.
fn build(text: &str, named: bool) -> Option<Build> {
    let text = text.trim().to_ascii_lowercase();
    if let Some(c) = PATTERNS.version.captures(&text) {
        let parts = c[1].split('.').map_while(|p| p.parse().ok()).collect();
        // `1.4.0+3f2c1ab` names its commit as well, and that says more.
        let commit = text.split(['+', '-']).skip(1).find_map(|part| commit(part, false));
        return Some(commit.unwrap_or(Build::Version(parts, text)));
    }
    commit(&text, named)
}

fn commit(text: &str, named: bool) -> Option<Build> {
    let id = PATTERNS.commit.captures(text)?.get(1)?.as_str();
    let mixed = id.contains(|c: char| c.is_ascii_digit()) && id.contains(|c: char| c.is_ascii_alphabetic());
    (mixed || named || id.len() == 40).then(|| Build::Commit(id.to_owned()))
}

/// What bodies say of the deployment.
fn bodies(vantage: Vantage, evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let public = vantage != Vantage::Local;
    let host = evidence.target.production.as_ref().and_then(|url| url.domain()).unwrap_or_default();
    // A host that is called after its environment is meant to be that.
    let names = host.rsplit_once('.').map_or("", |(names, _)| names);
    let meant = names.split(['.', '-']).any(|part| NOT_PRODUCTION.contains(&part));
    let mut environments: BTreeMap<String, BTreeSet<ObservationId>> = BTreeMap::new();
    for x in exchanges.all.iter().filter(|x| x.vantage == vantage && x.purpose != Purpose::RateLimit) {
        let Some(response) = x.response() else { continue };
        let subject = x.subject();
        if let Some(text) = response.body.text.as_deref() {
            if text.starts_with("version https://git-lfs.github.com/spec/") {
                facts.known(FactKey::BodyPointer, subject.as_str(), true, [x.id()]).symptom = public;
            }
            if let Some(found) = PATTERNS.unset.find(text).filter(|_| response.status < 400 && public) {
                let shown: String = found.as_str().chars().take(60).collect();
                facts.known(FactKey::PageUnsetUrl, subject.as_str(), shown, [x.id()]).symptom = true;
            }
            if PATTERNS.listing.is_match(text) {
                facts.known(FactKey::PageListing, subject.as_str(), true, [x.id()]);
            }
            if is_source(x.path, text, response) {
                facts.known(FactKey::BodySource, subject.as_str(), true, [x.id()]).symptom = public;
            }
            if PATTERNS.banner.is_match(text) && response.status < 400 {
                environments.entry("staging".to_owned()).or_default().insert(x.id());
            }
            if let Some(Json::Object(fields)) = response.body.json() {
                for (name, value) in fields {
                    let plain: String = name
                        .chars()
                        .filter(char::is_ascii_alphanumeric)
                        .collect::<String>()
                        .to_ascii_lowercase();
                    if let Some(word) = value.as_str().filter(|_| ENVIRONMENTS.contains(&plain.as_str())) {
                        environments.entry(word.trim().to_ascii_lowercase()).or_default().insert(x.id());
                    }
                }
            }
        }
        for name in ["x-environment", "x-env", "x-app-env", "x-stage"] {
            if let Some(word) = response.header(name) {
                environments.entry(word.trim().to_ascii_lowercase()).or_default().insert(x.id());
            }
        }
    }
    let subject = vantage.to_string();
    let other = environments.iter().find(|(word, _)| NOT_PRODUCTION.contains(&word.as_str()));
    if let Some((word, ids)) = other.or(environments.iter().next()) {
        let wrong = other.is_some() && public && !meant;
        let shown: String = word.chars().take(40).collect();
        facts.known(FactKey::BuildEnvironment, subject.as_str(), shown, ids.clone());
        facts
            .known(
                FactKey::BuildEnvironmentIs,
                subject,
                if other.is_some() { "other" } else { "production" },
                ids.clone(),
            )
            .symptom = wrong;
    }
}

/// Whether the body is the text of a program: a static host gives the file where a server would run it.
fn is_source(path: &str, text: &str, response: &HttpResponse) -> bool {
    let path = path.split('?').next().unwrap_or(path);
    let named = [".py", ".php", ".rb", ".jsp"].iter().any(|end| path.ends_with(end));
    let media = response.media_type().unwrap_or_default();
    let begins = [
        "<?php",
        "#!/usr/bin/env",
        "from flask",
        "import os",
        "require 'sinatra'",
        "from fastapi",
        "from django",
    ]
    .iter()
    .any(|start| text.trim_start().starts_with(start));
    response.status == 200 && begins && (named || !media.ends_with("html"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;
    use crate::testkit::{World, response};
    use landfall_evidence::{BranchHead, Commit};

    fn commit_of(letter: char) -> String {
        std::iter::repeat_n(letter, 39).chain(['0']).collect()
    }

    fn git() -> GitState {
        let commits = [('a', true), ('b', false), ('c', true), ('d', true)];
        GitState {
            head: commit_of('a'),
            head_at: None,
            branch: Some("main".to_owned()),
            uncommitted: Vec::new(),
            untracked: Vec::new(),
            ahead: Some(1),
            behind: Some(0),
            deploy_history: Vec::new(),
            commits: commits.iter().map(|(c, b)| Commit { id: commit_of(*c), changes_build: *b }).collect(),
            branches: vec![
                BranchHead {
                    name: "main".to_owned(),
                    remote: Some("origin".to_owned()),
                    commit: commit_of('b'),
                },
                BranchHead { name: "release".to_owned(), remote: None, commit: commit_of('e') },
            ],
            default_branch: None,
            routes_written: Vec::new(),
        }
    }

    #[test]
    fn a_served_commit_is_placed_in_the_history() {
        let git = git();
        for (id, want) in [
            ("aaaaaaa", Some("head")),
            ("bbbbbbb", Some("ancestor")),
            ("ccccccc", Some("ancestor")),
            ("eeeeeee", Some("other-branch")),
            ("fffffff", Some("not-in-history")),
        ] {
            assert_eq!(place(id, &git), want, "{id}");
        }
        let paper = GitState {
            commits: vec![
                Commit { id: commit_of('a'), changes_build: false },
                Commit { id: commit_of('c'), changes_build: true },
            ],
            ..git
        };
        assert_eq!(place("ccccccc", &paper), Some("head-alike"));
    }

    #[test]
    fn ids_and_versions() {
        let shown = |text: &str, named| build(text, named).map(|b| format!("{b:?}"));
        assert_eq!(shown("3f2c1ab", false).unwrap(), "Commit(\"3f2c1ab\")");
        assert_eq!(shown("20250101", false), None);
        assert_eq!(shown("1234567", true).unwrap(), "Commit(\"1234567\")");
        assert_eq!(shown("main-3f2c1ab", false).unwrap(), "Commit(\"3f2c1ab\")");
        assert_eq!(shown("v1.4.0", false).unwrap(), "Version([1, 4, 0], \"v1.4.0\")");
        assert_eq!(shown("1.4.0+3f2c1ab", false).unwrap(), "Commit(\"3f2c1ab\")");
        assert_eq!(shown("staging", false), None);
    }

    fn facts(edge: &str, local: &str) -> Facts {
        let mut world = World::new("https://api.example.test");
        world.http(Vantage::Edge, Purpose::Endpoint, "/version", response(200).json(edge).build());
        world.http(Vantage::Local, Purpose::Endpoint, "/version", response(200).json(local).build());
        Facts::derive(&world.build(), Catalogue::embedded())
    }

    #[test]
    fn production_against_the_local_backend() {
        let older = facts(r#"{"version":"1.2.9"}"#, r#"{"version":"1.2.10"}"#);
        assert_eq!(older.text(FactKey::BuildAsLocal, "edge"), Some("older"));
        assert!(older.get(FactKey::BuildAsLocal, "edge").unwrap().symptom);
        let other = facts(r#"{"commit":"3f2c1ab"}"#, r#"{"commit":"dev"}"#);
        assert_eq!(other.text(FactKey::BuildServed, "edge"), Some("3f2c1ab"));
        assert!(other.get(FactKey::BuildAsLocal, "edge").is_none());
        let same = facts(r#"{"commit":"3f2c1ab00"}"#, r#"{"commit":"3f2c1ab"}"#);
        assert_eq!(same.symptoms().filter(|f| f.key == FactKey::BuildAsLocal).count(), 0);
    }

    #[test]
    fn two_words_at_one_path_are_two_builds() {
        let world = |second: &str| {
            let mut world = World::new("https://api.example.test");
            world.http(
                Vantage::Edge,
                Purpose::Endpoint,
                "/version",
                response(200).json(r#"{"build":"blue"}"#).build(),
            );
            world.http(Vantage::Edge, Purpose::Version, "/version", response(200).json(second).build());
            Facts::derive(&world.build(), Catalogue::embedded())
        };
        assert_eq!(world(r#"{"build":"green"}"#).text(FactKey::BuildMixed, "edge"), Some("at-one-address"));
        assert!(world(r#"{"build":"blue"}"#).symptoms().all(|f| f.key != FactKey::BuildMixed));
        assert!(world(r#"{"build":"blue"}"#).get(FactKey::BuildServed, "edge").is_none());
    }

    #[test]
    fn a_version_file_may_be_short() {
        let mut world = World::new("https://api.example.test");
        for (vantage, text) in [(Vantage::Edge, "1.0.0\n"), (Vantage::Local, "1.1.0\n")] {
            world.http(vantage, Purpose::Endpoint, "/version", response(200).body(text).build());
        }
        let facts = Facts::derive(&world.build(), Catalogue::embedded());
        assert_eq!(facts.text(FactKey::BuildAsLocal, "edge"), Some("older"));
    }

    #[test]
    fn what_bodies_show() {
        let staging = facts(r#"{"environment":"Staging"}"#, "{}");
        assert_eq!(staging.text(FactKey::BuildEnvironmentIs, "edge"), Some("other"));
        let fine = facts(r#"{"environment":"production"}"#, r#"{"environment":"development"}"#);
        assert!(fine.symptoms().all(|f| f.key != FactKey::BuildEnvironmentIs));
        let mut world = World::new("https://staging.example.test");
        world.http(
            Vantage::Edge,
            Purpose::Endpoint,
            "/v",
            response(200).json(r#"{"env":"staging"}"#).build(),
        );
        let meant = Facts::derive(&world.build(), Catalogue::embedded());
        assert!(meant.symptoms().all(|f| f.key != FactKey::BuildEnvironmentIs));
    }
}
