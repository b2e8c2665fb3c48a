//! The history of a recipe's project: real commits, and a bare repository upstream where something is pushed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;

use super::format::CommitSpec;
use super::placeholders::Values;
use crate::error::LabError;
use crate::project::{self, Git};

const AUTHOR: &str = "Dana Miller <dana@example.test>";
/// When the first commit is made, where the recipe does not say; each later one an hour after.
const FIRST: i64 = 1_793_523_600;

/// Makes the repository in `folder`.
pub(super) fn make(commits: &[CommitSpec], folder: &Path, values: &Values) -> Result<(), LabError> {
    let git = Git { folder, author: AUTHOR };
    git.run(&["init", "--quiet", "--initial-branch=main"], None)?;
    project::write(&folder.join(".git/info/exclude"), b"/.venv\n")?;
    let upstream = values.dir.join("upstream.git");
    let mut pushed = false;
    let mut branch = "main".to_owned();
    for (n, commit) in commits.iter().enumerate() {
        if let Some(other) = commit.branch.as_ref().filter(|b| **b != branch) {
            // An unborn branch cannot be left, only renamed.
            let born = git.run(&["rev-parse", "--verify", "--quiet", "HEAD"], None).is_ok();
            let known = git.run(&["rev-parse", "--verify", "--quiet", other], None).is_ok();
            match (born, known) {
                (false, _) => git.run(&["symbolic-ref", "HEAD", &format!("refs/heads/{other}")], None)?,
                (true, true) => git.run(&["checkout", "--quiet", other], None)?,
                (true, false) => git.run(&["checkout", "--quiet", "-b", other], None)?,
            }
            branch.clone_from(other);
        }
        write(&commit.files, folder, values)?;
        for path in &commit.delete {
            let path = folder.join(path);
            fs::remove_file(&path).map_err(|source| LabError::File { action: "remove", path, source })?;
        }
        let Some(message) = &commit.message else { continue };
        let usual = FIRST + 3_600 * i64::try_from(n).unwrap_or(0);
        let date = commit.date.or_else(|| jiff::Timestamp::from_second(usual).ok()).unwrap_or_default();
        let date = date.to_string();
        git.run(&["add", "--all"], Some(&date))?;
        git.run(&["commit", "--quiet", "--allow-empty", "--message", message], Some(&date))?;
        if commit.push || commit.behind {
            if !pushed {
                let at = upstream.display().to_string();
                git.run(&["init", "--quiet", "--bare", "--initial-branch=main", &at], None)?;
                git.run(&["remote", "add", "origin", &at], None)?;
                pushed = true;
            }
            git.run(&["push", "--quiet", "--set-upstream", "origin", &branch], None)?;
        }
        if commit.behind {
            git.run(&["reset", "--quiet", "--hard", "HEAD~1"], None)?;
        }
    }
    Ok(())
}

/// Writes files of the project.
pub(super) fn write(
    files: &BTreeMap<String, String>,
    folder: &Path,
    values: &Values,
) -> Result<(), LabError> {
    for (path, text) in files {
        project::write(&folder.join(path), values.fill_ports(text).as_bytes())?;
    }
    Ok(())
}
