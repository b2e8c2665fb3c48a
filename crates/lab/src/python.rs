//! Where the Python environment is that runs the backend and its tests.

use std::env;
use std::path::{Path, PathBuf};

use crate::error::LabError;

/// Names the environment when it is not in the usual place.
const VARIABLE: &str = "LANDFALL_LAB_VENV";
/// Where scripts/lab-venv makes it, below the repository's root.
const USUAL: &str = ".lab/venv";
/// What must be in it.
const PROGRAMS: [&str; 3] = ["bin/python", "bin/gunicorn", "bin/pytest"];

/// The environment: as told, else from [`VARIABLE`], else `.lab/venv` in a folder above the working directory or the program.
pub fn find(told: Option<&Path>) -> Result<PathBuf, LabError> {
    if let Some(path) = told.map(Path::to_owned).or_else(|| env::var_os(VARIABLE).map(PathBuf::from)) {
        return first(vec![path]);
    }
    let starts = [env::current_dir().ok(), env::current_exe().ok()];
    let above = starts.iter().flatten().flat_map(|start| start.ancestors()).map(|folder| folder.join(USUAL));
    first(above.collect())
}

/// The environment, and the Python that it was made from.
pub(crate) fn both(told: Option<&Path>) -> Result<[PathBuf; 2], LabError> {
    let venv = find(told)?;
    // https://docs.python.org/3/library/venv.html: bin/python of an environment leads to the interpreter it was made with.
    let base = venv.join("bin/python").canonicalize().ok();
    let base = base.as_deref().and_then(|python| python.parent()?.parent()).unwrap_or(Path::new("/usr"));
    Ok([venv, base.to_owned()])
}

fn first(candidates: Vec<PathBuf>) -> Result<PathBuf, LabError> {
    let whole = |venv: &&PathBuf| PROGRAMS.iter().all(|program| venv.join(program).exists());
    match candidates.iter().find(whole) {
        // Absolute, because programs are started from it in other folders.
        Some(venv) => std::path::absolute(venv).map_err(|source| LabError::File {
            action: "find",
            path: venv.clone(),
            source,
        }),
        None => {
            let mut looked: Vec<String> = candidates.iter().map(|c| c.display().to_string()).collect();
            looked.dedup();
            Err(LabError::NoPython { looked: looked.join(", ") })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_without_the_programs_is_refused_with_the_mend() {
        let folder = tempfile::tempdir().expect("a folder");
        let error = find(Some(folder.path())).expect_err("empty").to_string();
        assert!(error.contains(&folder.path().display().to_string()) && error.contains("./run"), "{error}");
    }
}
