//! Changes to a project that are safe to make: each follows from the files alone, touches one place, and says the same
//! thing that the project means already.
//!
//! Not among them: whatever needs a decision (which port, which version), a secret, or the network.

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_evidence::{ProjectSnapshot, SignWord};

use crate::tree::Tree;

/// Files of the copy in which a remedy is tried, and their size together.
const MAX_COPIED: usize = 20_000;
const MAX_COPIED_BYTE: u64 = 256 << 20;

/// One change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Fix {
    /// Why, in one sentence.
    pub why: String,
    /// The file, relative to the project.
    pub path: String,
    /// What is done to it.
    pub change: Change,
    /// What was seen when it was tried, if it was.
    pub tried: Option<String>,
}

/// What is done to a file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// Another content; a file that is not there is made.
    Content {
        /// The content before; `None` when there is no such file.
        before: Option<String>,
        /// The content after.
        after: String,
    },
    /// The executable bit is set.
    Executable,
    /// Another name in the same folder.
    Rename {
        /// The new path.
        to: String,
    },
}

impl Fix {
    /// The change as a diff in git's form, which `git apply` takes.
    pub fn diff(&self) -> String {
        let path = &self.path;
        match &self.change {
            Change::Content { before, after } => {
                let from = if before.is_some() { format!("a/{path}") } else { "/dev/null".to_owned() };
                let created = if before.is_some() { "" } else { "new file mode 100644\n" };
                format!(
                    "diff --git a/{path} b/{path}\n{created}--- {from}\n+++ b/{path}\n{}",
                    hunk(before.as_deref().unwrap_or_default(), after)
                )
            }
            Change::Executable => format!("diff --git a/{path} b/{path}\nold mode 100644\nnew mode 100755\n"),
            Change::Rename { to } => {
                format!(
                    "diff --git a/{path} b/{to}\nsimilarity index 100%\nrename from {path}\nrename to {to}\n"
                )
            }
        }
    }

    /// Makes the change in the project.
    ///
    /// # Errors
    /// In words, when the file is not as it was read, or cannot be written.
    pub fn apply(&self, root: &Path) -> Result<(), String> {
        let path = root.join(&self.path);
        let of = |error: std::io::Error| format!("{}: {error}", self.path);
        match &self.change {
            Change::Content { before, after } => {
                let now = match fs::symlink_metadata(&path) {
                    Ok(meta) if !meta.is_file() => return Err(format!("{}: not a regular file", self.path)),
                    Ok(_) => Some(fs::read_to_string(&path).map_err(of)?),
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => None,
                    Err(error) => return Err(of(error)),
                };
                if now != *before {
                    return Err(format!("{}: changed since it was read; nothing was written", self.path));
                }
                // A half-written file would be worse than none: the new content takes the old one's place at once.
                let folder = path.parent().unwrap_or(root);
                let mut new = tempfile::NamedTempFile::new_in(folder).map_err(of)?;
                std::io::Write::write_all(&mut new, after.as_bytes()).map_err(of)?;
                match fs::metadata(&path) {
                    Ok(meta) => new.as_file().set_permissions(meta.permissions()).map_err(of)?,
                    Err(_) => {
                        use std::os::unix::fs::PermissionsExt;
                        new.as_file().set_permissions(fs::Permissions::from_mode(0o644)).map_err(of)?;
                    }
                }
                new.persist(&path).map(|_| ()).map_err(|error| of(error.error))
            }
            Change::Executable => {
                use std::os::unix::fs::PermissionsExt;
                let mode = fs::metadata(&path).map_err(of)?.permissions().mode();
                // Whoever may read it may run it, as git's 100755 means.
                let mode = mode | ((mode & 0o444) >> 2);
                fs::set_permissions(&path, fs::Permissions::from_mode(mode)).map_err(of)
            }
            Change::Rename { to } => {
                let to = root.join(to);
                if fs::symlink_metadata(&to).is_ok() {
                    return Err(format!("{}: it is there already", to.display()));
                }
                fs::rename(&path, to).map_err(of)
            }
        }
    }
}

/// The changes that are safe to make in this project. Blocks.
pub fn fixes(root: &Path, snapshot: &ProjectSnapshot) -> Vec<Fix> {
    let tree = Tree::walk(root, &crate::git::ignored(root));
    let mut found = Vec::new();
    scripts(&tree, snapshot, &mut found);
    names(&tree, snapshot, &mut found);
    ignored(&tree, snapshot, &mut found);
    loopback(&tree, snapshot, &mut found);
    exec_form(&tree, snapshot, &mut found);
    example(&tree, snapshot, &mut found);
    found
}

fn text(tree: &Tree, path: &str) -> Option<String> {
    // Only what is valid UTF-8 is written back as it was.
    String::from_utf8(fs::read(tree.root.join(path)).ok()?).ok().filter(|_| tree.has(path))
}

fn content(why: String, path: &str, before: String, after: String) -> Option<Fix> {
    (before != after).then(|| Fix {
        why,
        path: path.to_owned(),
        change: Change::Content { before: Some(before), after },
        tried: None,
    })
}

fn signs(
    snapshot: &ProjectSnapshot,
    word: SignWord,
) -> impl Iterator<Item = &landfall_evidence::ProjectSign> {
    snapshot.signs.iter().filter(move |sign| sign.sign == word)
}

fn scripts(tree: &Tree, snapshot: &ProjectSnapshot, found: &mut Vec<Fix>) {
    for sign in signs(snapshot, SignWord::EntryCrlf) {
        let Some(before) = text(tree, &sign.detail) else { continue };
        let after = before.replace("\r\n", "\n");
        found.extend(content(
            format!("{} is run on Linux and has Windows line ends", sign.detail),
            &sign.detail,
            before,
            after,
        ));
    }
    for sign in signs(snapshot, SignWord::EntryNotExecutable).filter(|sign| tree.has(&sign.detail)) {
        found.push(Fix {
            why: format!("{} is run as a program and lacks the executable bit", sign.detail),
            path: sign.detail.clone(),
            change: Change::Executable,
            tried: None,
        });
    }
}

fn names(tree: &Tree, snapshot: &ProjectSnapshot, found: &mut Vec<Fix>) {
    for sign in signs(snapshot, SignWord::DeployConfigMisplaced) {
        let (Some(name), Some(right)) = (sign.file.as_deref(), sign.wanted.as_deref()) else { continue };
        if tree.has(name) && !tree.has(right) {
            found.push(Fix {
                why: format!("the platform looks for {right}"),
                path: name.to_owned(),
                change: Change::Rename { to: right.to_owned() },
                tried: None,
            });
        }
    }
}

/// Exceptions at the end of `.dockerignore`: the last rule that matches decides.
fn ignored(tree: &Tree, snapshot: &ProjectSnapshot, found: &mut Vec<Fix>) {
    let Some(before) = text(tree, ".dockerignore") else { return };
    let mut files: BTreeSet<&str> = BTreeSet::new();
    for sign in signs(snapshot, SignWord::ExcludedFile).filter(|s| s.place.starts_with(".dockerignore:")) {
        files.extend(sign.file.as_deref().filter(|file| tree.has(file)));
    }
    if files.is_empty() {
        return;
    }
    let mut after = before.clone();
    if !after.is_empty() && !after.ends_with('\n') {
        after.push('\n');
    }
    for file in &files {
        after.push_str(&format!("!{file}\n"));
    }
    let named: Vec<&str> = files.into_iter().collect();
    found.extend(content(format!("the image needs {}", named.join(", ")), ".dockerignore", before, after));
}

/// A loopback address beside `$PORT`: whoever takes the port from the platform means to be reached by it.
fn loopback(tree: &Tree, snapshot: &ProjectSnapshot, found: &mut Vec<Fix>) {
    for config in &snapshot.deploy {
        let platforms = ["heroku", "render", "railway", "replit", "app-platform"];
        let bound = config.start.as_ref().and_then(|s| s.bind_host.as_deref());
        if !matches!(bound, Some("127.0.0.1" | "localhost")) || !platforms.contains(&config.platform.as_str())
        {
            continue;
        }
        let Some(before) = text(tree, &config.file) else { continue };
        let mut after = before.clone();
        for host in ["127.0.0.1", "localhost"] {
            for port in ["$PORT", "${PORT"] {
                after = after.replace(&format!("{host}:{port}"), &format!("0.0.0.0:{port}"));
            }
        }
        found.extend(content(
            "nothing outside of its container reaches a server on 127.0.0.1".to_owned(),
            &config.file,
            before,
            after,
        ));
    }
}

/// A variable in an exec form: the same words, run by a shell that the server takes the place of.
fn exec_form(tree: &Tree, snapshot: &ProjectSnapshot, found: &mut Vec<Fix>) {
    if signs(snapshot, SignWord::AppWithoutShell).all(|s| s.place != "Dockerfile") {
        return;
    }
    let Some(before) = text(tree, "Dockerfile") else { return };
    let lines: Vec<String> = before
        .split_inclusive('\n')
        .map(|line| {
            let rewritten = || {
                let words: Vec<String> =
                    serde_json::from_str(line.trim().strip_prefix("CMD")?.trim()).ok()?;
                let variable = words.iter().any(|w| w.contains('$'));
                if !variable || words.iter().any(|w| w.contains(['"', '\'', '\\', ' ', '`'])) {
                    return None;
                }
                let script = format!("exec {}", words.join(" "));
                let form = serde_json::to_string(&["sh", "-c", &script]).ok()?.replace("\",\"", "\", \"");
                Some(format!("CMD {form}{}", if line.ends_with('\n') { "\n" } else { "" }))
            };
            rewritten().unwrap_or_else(|| line.to_owned())
        })
        .collect();
    found.extend(content(
        "without a shell the server gets the text of the variable".to_owned(),
        "Dockerfile",
        before,
        lines.concat(),
    ));
}

/// Names that the code needs, in the example file.
fn example(tree: &Tree, snapshot: &ProjectSnapshot, found: &mut Vec<Fix>) {
    let settings = &snapshot.settings;
    let set: BTreeSet<&String> =
        snapshot.deploy.iter().flat_map(|d| &d.sets).chain(&settings.declared).collect();
    let missing: Vec<&str> = settings
        .read
        .iter()
        .filter(|r| {
            !r.has_default && !set.contains(&r.name) && r.name != "PORT" && !settings.is_provided(&r.name)
        })
        // What is nearly there under another name needs a decision.
        .filter(|r| {
            !signs(snapshot, SignWord::SettingNearMiss).any(|s| s.detail.starts_with(&format!("{} ", r.name)))
        })
        .map(|r| r.name.as_str())
        .collect();
    if missing.is_empty() {
        return;
    }
    let path = settings.declared_in.as_deref().unwrap_or(".env.example");
    let before = text(tree, path);
    if before.is_none() && fs::symlink_metadata(tree.root.join(path)).is_ok() {
        return;
    }
    let mut after = before.clone().unwrap_or_default();
    if !after.is_empty() && !after.ends_with('\n') {
        after.push('\n');
    }
    for name in &missing {
        after.push_str(&format!("{name}=\n"));
    }
    found.push(Fix {
        why: format!("the code needs {} and the example file does not say so", missing.join(", ")),
        path: path.to_owned(),
        change: Change::Content { before, after },
        tried: None,
    });
}

/// When the tests cannot import the project, the setting of pytest that puts its folders on the import path, tried in a
/// copy. Nothing when the tests load, or when the copy's do not load with it either.
pub async fn fix_tests(root: &Path, limit: Duration) -> Option<Fix> {
    // The copy links to what is installed here, and a relative link would lead into the copy.
    let root = &root.canonicalize().ok()?;
    let runs = crate::run_tests(root, None, limit).await;
    let first = runs.first()?.observation.answer.present()?;
    if first.runner != "pytest" {
        return None;
    }
    let folders: BTreeSet<String> = runs
        .iter()
        .filter_map(|run| run.observation.answer.present())
        .flat_map(|run| &run.collection_errors)
        .filter_map(|error| error.gap.as_ref().map(|gap| gap.missing_path.clone()))
        .collect();
    if folders.is_empty() {
        return None;
    }
    let listed: Vec<&str> = folders.iter().map(String::as_str).collect();
    let folder = root.to_owned();
    let (path, before, after) = {
        let read = |name: &str| fs::read_to_string(folder.join(name)).ok();
        match (read("pytest.ini"), read("pyproject.toml")) {
            (Some(text), _) if text.contains("[pytest]") && !text.contains("pythonpath") => {
                let after =
                    text.replacen("[pytest]\n", &format!("[pytest]\npythonpath = {}\n", listed.join(" ")), 1);
                ("pytest.ini", Some(text), after)
            }
            (None, Some(text))
                if text.contains("[tool.pytest.ini_options]") && !text.contains("pythonpath") =>
            {
                let quoted: Vec<String> = listed.iter().map(|f| format!("{f:?}")).collect();
                let head = "[tool.pytest.ini_options]\n";
                let after = text.replacen(head, &format!("{head}pythonpath = [{}]\n", quoted.join(", ")), 1);
                ("pyproject.toml", Some(text), after)
            }
            (None, _) => ("pytest.ini", None, format!("[pytest]\npythonpath = {}\n", listed.join(" "))),
            _ => return None,
        }
    };
    let mut fix = Fix {
        why: format!("the tests import modules that lie in {}", listed.join(", ")),
        path: path.to_owned(),
        change: Change::Content { before, after },
        tried: None,
    };
    let copied = tokio::task::spawn_blocking({
        let folder = root.to_owned();
        move || copy(&folder)
    });
    let scratch = copied.await.ok()?.ok()?;
    fix.apply(scratch.path()).ok()?;
    let tried = crate::run_tests(scratch.path(), None, limit).await;
    let run = tried.first()?.observation.answer.present()?;
    let counts = run.counts.unwrap_or_default();
    if !run.collection_errors.is_empty() || counts.collected == 0 {
        return None;
    }
    fix.tried = Some(format!(
        "in a copy with it, {} tests are collected: {} pass, {} fail, {} end in an error",
        counts.collected, counts.passed, counts.failed, counts.errors
    ));
    Some(fix)
}

/// A copy of the project's own files; installed packages are linked, since they are read only.
///
/// # Errors
/// In words, when the project is too large to copy, or a file cannot be.
fn copy(root: &Path) -> Result<tempfile::TempDir, String> {
    let tree = Tree::walk(root, &crate::git::ignored(root));
    let total: u64 = tree.files.iter().map(|f| f.size_byte).sum();
    if tree.files.len() > MAX_COPIED || total > MAX_COPIED_BYTE {
        return Err("the project is too large to be copied".to_owned());
    }
    let scratch = tempfile::Builder::new()
        .prefix("landfall-copy-")
        .tempdir()
        .map_err(|e| format!("a temporary folder: {e}"))?;
    for file in &tree.files {
        let to: PathBuf = scratch.path().join(&file.path);
        if let Some(folder) = to.parent() {
            fs::create_dir_all(folder).map_err(|e| format!("{}: {e}", file.path))?;
        }
        fs::copy(root.join(&file.path), &to).map_err(|e| format!("{}: {e}", file.path))?;
    }
    for name in [".venv", "venv", "node_modules", "vendor"] {
        let installed = root.join(name);
        if installed.is_dir() && fs::symlink_metadata(scratch.path().join(name)).is_err() {
            std::os::unix::fs::symlink(&installed, scratch.path().join(name))
                .map_err(|e| format!("{name}: {e}"))?;
        }
    }
    Ok(scratch)
}

/// The lines that differ, with three lines around them. Beginnings and ends that are alike are left out, so two changes
/// far apart stand in one hunk; the changes here are in one place.
fn hunk(before: &str, after: &str) -> String {
    const AROUND: usize = 3;
    let (old, new): (Vec<&str>, Vec<&str>) =
        (before.split_inclusive('\n').collect(), after.split_inclusive('\n').collect());
    let head = old.iter().zip(&new).take_while(|(a, b)| a == b).count();
    let tail = old[head..].iter().rev().zip(new[head..].iter().rev()).take_while(|(a, b)| a == b).count();
    let from = head.saturating_sub(AROUND);
    let (old_end, new_end) = (old.len() - tail, new.len() - tail);
    let after_end = (old_end + AROUND).min(old.len());
    let (old_count, new_count) = (after_end - from, after_end - from + new_end - old_end);
    let start = |count: usize| if count == 0 { from } else { from + 1 };
    let mut out = format!("@@ -{},{old_count} +{},{new_count} @@\n", start(old_count), start(new_count));
    let mut push = |mark: char, line: &str| {
        out.push(mark);
        out.push_str(line.trim_end_matches('\n'));
        out.push('\n');
        if !line.ends_with('\n') {
            out.push_str("\\ No newline at end of file\n");
        }
    };
    old[from..head].iter().for_each(|line| push(' ', line));
    old[head..old_end].iter().for_each(|line| push('-', line));
    new[head..new_end].iter().for_each(|line| push('+', line));
    old[old_end..after_end].iter().for_each(|line| push(' ', line));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::folder;
    use landfall_evidence::Observed;

    fn found(root: &Path) -> Vec<Fix> {
        let Observed::Present(snapshot) = crate::read(root) else { panic!("a folder can be read") };
        fixes(root, &snapshot)
    }

    fn git(root: &Path, arguments: &[&str], input: &str) -> bool {
        use std::io::Write;
        let mut child = std::process::Command::new("git")
            .args(arguments)
            .current_dir(root)
            .stdin(std::process::Stdio::piped())
            .spawn()
            .unwrap();
        child.stdin.take().unwrap().write_all(input.as_bytes()).unwrap();
        child.wait().unwrap().success()
    }

    const FILES: &[(&str, &str)] = &[
        (
            "Dockerfile",
            "FROM python:3.12-slim\nWORKDIR /srv\nCOPY . .\nENTRYPOINT [\"./entry.sh\"]\nCMD [\"gunicorn\", \"--bind\", \"0.0.0.0:${PORT}\", \"app:app\"]",
        ),
        (".dockerignore", "**/*.html"),
        ("entry.sh", "#!/bin/sh\r\nexec \"$@\"\r\n"),
        ("procfile", "web: gunicorn app:app\n"),
        (
            "app.py",
            "import os\nfrom flask import Flask, render_template\napp = Flask(__name__)\nos.environ['API_TOKEN']\n\n@app.get('/')\ndef home():\n    return render_template('home.html')\n",
        ),
        ("templates/home.html", "<p>home\n"),
        ("requirements.txt", "flask==3.0.3\ngunicorn==22.0.0\n"),
    ];

    #[test]
    fn what_is_shown_is_what_git_applies_and_what_is_made() {
        let dir = folder(FILES);
        let fixes = found(dir.path());
        let mut paths: Vec<&str> = fixes.iter().map(|f| f.path.as_str()).collect();
        paths.sort_unstable();
        assert_eq!(
            paths,
            [".dockerignore", ".env.example", "Dockerfile", "entry.sh", "entry.sh", "procfile"]
        );
        let patch: String = fixes.iter().filter(|f| f.change != Change::Executable).map(Fix::diff).collect();
        let by_git = folder(FILES);
        assert!(git(by_git.path(), &["init", "-q"], ""));
        assert!(git(by_git.path(), &["apply", "-"], &patch), "{patch}");
        for fix in &fixes {
            fix.apply(dir.path()).unwrap();
        }
        for path in ["Dockerfile", ".dockerignore", "entry.sh", "Procfile", ".env.example"] {
            let read = |root: &Path| fs::read_to_string(root.join(path)).unwrap();
            assert_eq!(read(dir.path()), read(by_git.path()), "{path}");
        }
        assert!(
            fs::read_to_string(dir.path().join("Dockerfile"))
                .unwrap()
                .ends_with("CMD [\"sh\", \"-c\", \"exec gunicorn --bind 0.0.0.0:${PORT} app:app\"]")
        );
        assert_eq!(found(dir.path()), Vec::new(), "nothing is left to change");
    }

    #[test]
    fn a_file_that_changed_meanwhile_is_left_alone() {
        let dir = folder(FILES);
        let fixes = found(dir.path());
        fs::write(dir.path().join("Dockerfile"), "FROM scratch\n").unwrap();
        let fix = fixes.iter().find(|f| f.path == "Dockerfile").unwrap();
        assert!(fix.apply(dir.path()).unwrap_err().contains("changed since"));
        assert_eq!(fs::read_to_string(dir.path().join("Dockerfile")).unwrap(), "FROM scratch\n");
    }

    #[test]
    fn a_project_without_these_faults_has_nothing_to_change() {
        let dir = folder(&[
            ("app.py", "from flask import Flask\napp = Flask(__name__)\n"),
            ("Procfile", "web: gunicorn -b 0.0.0.0:$PORT app:app\n"),
            ("requirements.txt", "flask==3.0.3\ngunicorn==22.0.0\n"),
        ]);
        assert_eq!(found(dir.path()), Vec::new());
    }
}
