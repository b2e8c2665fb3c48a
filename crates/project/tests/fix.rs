//! The remedy for tests that cannot import their project, with a real pytest: shown as a diff, tried in a copy, written
//! only when it is asked for.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::{Duration, SystemTime};

use landfall_project::{Change, Fix, fix_tests, run_tests};

const LIMIT: Duration = Duration::from_secs(240);

const CODE: (&str, &str) =
    ("prices.py", "def total(items):\n    return sum(item['price'] for item in items)\n");
const TESTS: (&str, &str) = (
    "tests/test_prices.py",
    "from prices import total\n\n\ndef test_sum():\n    assert total([{'price': 1}, {'price': 2}]) == 3\n\n\ndef test_nothing():\n    assert total([]) == 0\n",
);

/// The Python environment with pytest that scripts/lab-venv makes.
fn venv() -> PathBuf {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let venv = std::env::var_os("LANDFALL_LAB_VENV").map_or_else(|| root.join(".lab/venv"), PathBuf::from);
    if !venv.join("bin/pytest").exists() {
        let made = Command::new(root.join("scripts/lab-venv")).status().expect("scripts/lab-venv runs");
        assert!(made.success(), "scripts/lab-venv failed: {made}");
    }
    venv.canonicalize().expect("the environment is there")
}

/// A project with these files, whose environment has pytest.
fn project(files: &[(&str, &str)]) -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (path, text) in files {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    std::os::unix::fs::symlink(venv(), dir.path().join(".venv")).expect("linked");
    dir
}

/// Everything in the folder: names, texts, and when each file was last written.
fn all(root: &Path) -> BTreeMap<String, (String, SystemTime)> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("readable").map(|entry| entry.expect("an entry")) {
            let (kind, path) = (entry.file_type().expect("a kind"), entry.path());
            let name = path.strip_prefix(root).expect("below").display().to_string();
            if kind.is_dir() {
                found.insert(name, (String::new(), SystemTime::UNIX_EPOCH));
                folders.push(path);
            } else if kind.is_file() {
                let written = entry.metadata().expect("known").modified().expect("a time");
                found.insert(name, (fs::read_to_string(&path).expect("a text"), written));
            }
        }
    }
    found
}

/// What is proposed, with nothing in the folder changed by the asking.
async fn proposed(root: &Path) -> Option<Fix> {
    let before = all(root);
    let fix = fix_tests(root, LIMIT).await;
    assert_eq!(all(root), before, "the user's folder is as it was, to the file and the second");
    fix
}

/// The same place, as seen from the working directory.
fn relative(path: &Path) -> PathBuf {
    let here = std::env::current_dir().expect("a working directory");
    let up: PathBuf = here.components().skip(1).map(|_| "..").collect();
    up.join(path.strip_prefix("/").expect("absolute"))
}

/// Tests that pass and errors of collection, as the project's own command gives them.
async fn run(root: &Path) -> (u32, usize) {
    let runs = run_tests(root, None, LIMIT).await;
    let run = runs[0].observation.answer.present().unwrap_or_else(|| panic!("{runs:?}"));
    (run.counts.unwrap_or_default().passed, run.collection_errors.len())
}

#[tokio::test]
async fn a_missing_import_path_is_mended_in_a_copy_and_on_request_in_the_folder() {
    let dir = project(&[CODE, TESTS]);
    assert_eq!(run(dir.path()).await, (0, 1));
    let fix = proposed(dir.path()).await.expect("a remedy");
    assert_eq!(
        fix.tried.as_deref(),
        Some("in a copy with it, 2 tests are collected: 2 pass, 0 fail, 0 end in an error")
    );
    assert_eq!(
        fix.diff(),
        "diff --git a/pytest.ini b/pytest.ini\nnew file mode 100644\n--- /dev/null\n+++ b/pytest.ini\n@@ -0,0 +1,2 @@\n+[pytest]\n+pythonpath = .\n"
    );
    fix.apply(dir.path()).expect("it is written");
    assert_eq!(
        fs::read_to_string(dir.path().join("pytest.ini")).expect("there"),
        "[pytest]\npythonpath = .\n"
    );
    assert_eq!(run(dir.path()).await, (2, 0));
    assert_eq!(proposed(dir.path()).await, None, "nothing is left to mend");
}

#[tokio::test]
async fn a_relative_path_is_as_good() {
    let dir = project(&[CODE, TESTS]);
    let root = relative(dir.path());
    assert!(root.is_relative() && root.join("prices.py").is_file(), "{}", root.display());
    let fix = proposed(&root).await.expect("a remedy");
    fix.apply(&root).expect("it is written");
    assert_eq!(run(&root).await, (2, 0));
}

#[tokio::test]
async fn settings_that_are_there_are_added_to() {
    let settings = "[project]\nname = \"shop\"\n\n[tool.pytest.ini_options]\naddopts = \"-q\"\n";
    let dir = project(&[CODE, TESTS, ("pyproject.toml", settings)]);
    let fix = proposed(dir.path()).await.expect("a remedy");
    assert_eq!(fix.path, "pyproject.toml");
    let Change::Content { before, after } = &fix.change else { panic!("{fix:?}") };
    assert_eq!(before.as_deref(), Some(settings));
    assert!(after.contains("[tool.pytest.ini_options]\npythonpath = [\".\"]\naddopts"), "{after}");
    fix.apply(dir.path()).expect("it is written");
    assert_eq!(run(dir.path()).await, (2, 0));
    assert!(!dir.path().join("pytest.ini").exists());
}

#[tokio::test]
async fn a_failing_test_behind_the_import_error_is_said_with_the_remedy() {
    let failing = TESTS.1.replace("== 0", "== 1");
    let dir = project(&[CODE, (TESTS.0, &failing)]);
    let fix = proposed(dir.path()).await.expect("a remedy");
    assert_eq!(
        fix.tried.as_deref(),
        Some("in a copy with it, 2 tests are collected: 1 pass, 1 fail, 0 end in an error")
    );
}

#[tokio::test]
async fn what_no_import_path_mends_has_no_remedy() {
    // The module is nowhere; it is there and needs another that is nowhere; nothing is wrong.
    let nowhere =
        ("tests/test_prices.py", "from catalogue_of_nobody import total\n\n\ndef test_a():\n    total([])\n");
    let behind = ("prices.py", "import catalogue_of_nobody\n\n\ndef total(items):\n    return 0\n");
    for files in [
        vec![CODE, nowhere],
        vec![behind, TESTS],
        vec![CODE, TESTS, ("pytest.ini", "[pytest]\npythonpath = .\n")],
    ] {
        let dir = project(&files);
        assert_eq!(proposed(dir.path()).await, None, "{files:?}");
    }
}
