//! The project folder on disk: the embedded files, their git history, the settings that are present, and landfall.toml.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use url::Url;

use crate::error::LabError;
use crate::files;
use crate::world::{Commit, ProjectFolder, TargetSpec};

/// Copies the embedded folder `from` into `to`, over what is there.
pub(crate) fn copy(from: &str, to: &Path) -> Result<(), LabError> {
    let mut any = false;
    for (name, bytes) in files::below(from) {
        write(&to.join(name), bytes)?;
        any = true;
    }
    if any { Ok(()) } else { Err(missing(from)) }
}

/// The settings of the world's dotenv file.
pub(crate) fn dotenv(project: &ProjectFolder) -> Result<BTreeMap<String, String>, LabError> {
    let text = files::text(&project.dotenv).ok_or_else(|| missing(&project.dotenv))?;
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
    Ok(lines
        .filter_map(|line| line.split_once('='))
        .map(|(k, v)| (k.trim().to_owned(), v.trim().to_owned()))
        .collect())
}

/// Makes the folder with its history. What the lab adds for itself is kept out of git, so that the folder is clean and the
/// commit ids are the same in every run.
pub(crate) fn make(project: &ProjectFolder, folder: &Path, venv: &Path) -> Result<(), LabError> {
    copy(&project.files, folder)?;
    let git = Git { folder, author: &project.author };
    git.run(&["init", "--quiet", "--initial-branch=main"], None)?;
    write(&folder.join(".git/info/exclude"), b"/.venv\n/landfall.toml\n")?;
    for commit in project.commit.iter().chain(&project.repair) {
        apply(commit, &project.files, folder, &git)?;
    }
    let dotenv = files::get(&project.dotenv).ok_or_else(|| missing(&project.dotenv))?;
    write(&folder.join(".env"), dotenv)?;
    let link = folder.join(".venv");
    std::os::unix::fs::symlink(venv, &link).map_err(|source| LabError::File {
        action: "link",
        path: link.clone(),
        source,
    })
}

fn apply(commit: &Commit, base: &str, folder: &Path, git: &Git<'_>) -> Result<(), LabError> {
    for overlay in &commit.overlay {
        copy(overlay, folder)?;
    }
    for (name, source) in &commit.replace {
        write(&folder.join(name), files::get(source).ok_or_else(|| missing(source))?)?;
    }
    let date = commit.date.to_string();
    git.run(&["add", "--all"], Some(&date))?;
    git.run(&["commit", "--quiet", "--allow-empty", "--message", &commit.subject], Some(&date))?;
    for name in commit.replace.keys() {
        let usual = format!("{base}/{name}");
        write(&folder.join(name), files::get(&usual).ok_or_else(|| missing(&usual))?)?;
    }
    Ok(())
}

/// git in one folder, deaf to the configuration of the person who runs the lab.
pub(crate) struct Git<'a> {
    /// The folder.
    pub(crate) folder: &'a Path,
    /// Author and committer, `Name <address>`.
    pub(crate) author: &'a str,
}

impl Git<'_> {
    /// One command.
    pub(crate) fn run(&self, args: &[&str], date: Option<&str>) -> Result<(), LabError> {
        let (name, email) = self.author.trim_end_matches('>').split_once(" <").unwrap_or((self.author, ""));
        let mut command = Command::new("git");
        for inherited in
            ["GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_OBJECT_DIRECTORY", "GIT_TEMPLATE_DIR"]
        {
            command.env_remove(inherited);
        }
        command
            .args([
                "-c",
                "commit.gpgsign=false",
                "-c",
                "core.autocrlf=false",
                "-c",
                "core.hooksPath=/dev/null",
            ])
            .args(args)
            .current_dir(self.folder)
            .envs([
                ("GIT_CONFIG_GLOBAL", "/dev/null"),
                ("GIT_CONFIG_NOSYSTEM", "1"),
                ("GIT_TERMINAL_PROMPT", "0"),
            ])
            .envs([("GIT_AUTHOR_NAME", name), ("GIT_AUTHOR_EMAIL", email)])
            .envs([("GIT_COMMITTER_NAME", name), ("GIT_COMMITTER_EMAIL", email)])
            .stdin(Stdio::null());
        if let Some(date) = date {
            command.envs([("GIT_AUTHOR_DATE", date), ("GIT_COMMITTER_DATE", date)]);
        }
        let output = command.output().map_err(|source| LabError::NoProgram { program: "git", source })?;
        if output.status.success() {
            return Ok(());
        }
        Err(LabError::Program {
            command: format!("git {}", args.join(" ")),
            status: output.status.to_string(),
            output: String::from_utf8_lossy(&output.stderr).trim().to_owned(),
        })
    }
}

/// Writes landfall.toml and returns its path.
pub(crate) fn write_config(
    target: &TargetSpec,
    origin: Option<&Url>,
    local: Option<&Url>,
    folder: &Path,
) -> Result<PathBuf, LabError> {
    let path = folder.join("landfall.toml");
    write(&path, config(target, origin, local).as_bytes())?;
    Ok(path)
}

fn config(target: &TargetSpec, origin: Option<&Url>, local: Option<&Url>) -> String {
    let quoted = |text: &str| toml::Value::from(text).to_string();
    let base = |url: &Url| quoted(url.as_str().trim_end_matches('/'));
    let mut lines = vec!["[target]".to_owned(), format!("name = {}", quoted(&target.name))];
    lines.push(format!("production = {}", base(&target.production)));
    if let Some(origin) = origin {
        lines.push(
            "# The deployment's own name, which needs neither the custom domain nor the edge.".to_owned(),
        );
        lines.push(format!("origin = {}", base(origin)));
    }
    lines.extend(local.map(|local| format!("local = {}", base(local))));
    lines.push("project = \".\"".to_owned());
    for endpoint in &target.endpoint {
        lines.extend([
            String::new(),
            "[[endpoint]]".to_owned(),
            format!("path = {}", quoted(&endpoint.path)),
        ]);
        lines.extend(endpoint.method.as_deref().map(|m| format!("method = {}", quoted(m))));
        lines.extend(endpoint.content_type.as_deref().map(|t| format!("content_type = {}", quoted(t))));
        if !endpoint.json_keys.is_empty() {
            let keys: Vec<String> = endpoint.json_keys.iter().map(|k| quoted(k)).collect();
            lines.push(format!("json_keys = [{}]", keys.join(", ")));
        }
        if !endpoint.status.is_empty() {
            lines.push(format!("status = {:?}", endpoint.status));
        }
        if endpoint.core {
            lines.push("core = true".to_owned());
        }
    }
    lines.extend([
        String::new(),
        "[tests]".to_owned(),
        format!("command = {}", quoted(&target.tests.command)),
    ]);
    lines.push(format!("timeout = {}", quoted(&target.tests.timeout)));
    lines.push(String::new());
    lines.join("\n")
}

/// Writes a file, with the folders above it.
pub(crate) fn write(path: &Path, bytes: &[u8]) -> Result<(), LabError> {
    let fail = |source: io::Error| LabError::File { action: "write", path: path.to_owned(), source };
    if let Some(parent) = path.parent() {
        fs::create_dir_all(parent).map_err(fail)?;
    }
    fs::write(path, bytes).map_err(fail)
}

fn missing(path: &str) -> LabError {
    LabError::Description {
        file: path.to_owned(),
        problem: "a world refers to it, but there is no such file or folder".into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn git(folder: &Path, args: &[&str]) -> String {
        let output = Command::new("git").args(args).current_dir(folder).output().expect("git runs");
        assert!(output.status.success(), "{output:?}");
        String::from_utf8(output.stdout).expect("text")
    }

    #[test]
    fn the_folder_is_clean_and_its_history_shows_the_literal_port() {
        let scenario = crate::scenario::load("levqor-undeployed").expect("loads");
        let (one, two) = (tempfile::tempdir().expect("a folder"), tempfile::tempdir().expect("a folder"));
        for folder in [&one, &two] {
            make(&scenario.world.project, folder.path(), Path::new("/nowhere/venv")).expect("made");
            write_config(&scenario.world.target, None, None, folder.path()).expect("written");
        }
        let folder = one.path();
        assert_eq!(git(folder, &["status", "--porcelain"]), "");
        assert_eq!(git(folder, &["rev-parse", "HEAD"]), git(two.path(), &["rev-parse", "HEAD"]));
        assert!(git(folder, &["show", "HEAD~1:.replit"]).contains("\"0.0.0.0:5000\""));
        assert!(fs::read_to_string(folder.join(".replit")).expect("there").contains("0.0.0.0:${PORT:-5000}"));
        assert!(fs::read_to_string(folder.join(".env")).expect("there").contains("OPENAI_API_KEY="));
        assert!(folder.join(".venv").symlink_metadata().expect("there").is_symlink());
        assert!(git(folder, &["log", "--format=%ae"]).lines().all(|l| l == "dev@levqor.ai"));
    }

    #[test]
    fn the_config_is_toml_and_says_what_the_world_says() {
        let scenario = crate::scenario::load("levqor-undeployed").expect("loads");
        let url = |text: &str| Url::parse(text).expect("a URL");
        let local = url("http://127.0.0.1:8000");
        let text = config(&scenario.world.target, scenario.world.origin().as_ref(), Some(&local));
        let table: toml::Table = toml::from_str(&text).expect("valid");
        assert_eq!(table["target"]["origin"].as_str(), Some("https://levqor-backend.replit.app"));
        assert_eq!(table["target"]["local"].as_str(), Some("http://127.0.0.1:8000"));
        assert_eq!(table["tests"]["command"].as_str(), Some("pytest tests/ --tb=short -q"));
        let endpoints = table["endpoint"].as_array().expect("a list");
        assert!(endpoints.iter().any(|e| e.get("method").and_then(toml::Value::as_str) == Some("POST")));
        assert!(endpoints.iter().all(|e| e.get("core").is_none()));
        let hollow = crate::scenario::load("levqor-hollow-green").expect("loads");
        assert!(config(&hollow.world.target, None, None).contains("core = true"));
        let without = config(&scenario.world.target, None, None);
        assert!(!without.contains("replit.app") && !without.contains("local ="));
    }
}
