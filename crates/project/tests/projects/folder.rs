//! The files of the corpus, and each project as a folder with its history.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::format::{Project, Step};

const CORPUS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/projects");

pub(crate) fn corpus() -> Vec<(String, Project)> {
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
pub(crate) fn unpack(name: &str, project: &Project) -> (tempfile::TempDir, PathBuf) {
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

/// Puts packages of scripts/runner-modules into the project's `node_modules`, each as a link into a store with all that
/// it needs itself, which is how pnpm installs.
pub(crate) fn install(root: &Path, packages: &[String]) {
    let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let store = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/runners/node_modules");
    if !store.join(".landfall-lock").is_file() {
        let made = Command::new(repository.join("scripts/runner-modules")).status();
        assert!(made.expect("scripts/runner-modules runs").success(), "scripts/runner-modules failed");
    }
    let modules = root.join("node_modules");
    fs::create_dir_all(modules.join(".bin")).expect("a folder");
    for package in packages {
        for name in [package.clone(), format!(".bin/{package}")] {
            let installed = store.join(&name);
            assert!(installed.exists(), "scripts/runner-modules installs no {name}");
            symlink(installed, modules.join(name)).expect("a link");
        }
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
