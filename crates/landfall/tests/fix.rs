//! `landfall fix --tests`, as its user runs it, in a project whose pytest is a real one and cannot import its package.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::time::SystemTime;

/// Two tests, of which one fails once they can be loaded.
const FILES: &[(&str, &str)] = &[
    ("src/shop/__init__.py", ""),
    ("src/shop/prices.py", "def total(items):\n    return sum(item['price'] for item in items)\n"),
    (
        "tests/test_prices.py",
        "from shop.prices import total\n\n\ndef test_sum():\n    assert total([{'price': 1}, {'price': 2}]) == 3\n\n\ndef test_nothing():\n    assert total([]) == 1\n",
    ),
    (
        "pyproject.toml",
        "[project]\nname = \"shop\"\nversion = \"1.0\"\n\n[tool.pytest.ini_options]\naddopts = \"-q\"\n",
    ),
];

/// The Python environment with pytest that scripts/lab-venv makes.
fn venv() -> PathBuf {
    landfall_lab::python_environment(None).unwrap_or_else(|e| panic!("{e}"))
}

fn project() -> tempfile::TempDir {
    let dir = tempfile::tempdir().expect("a folder");
    for (path, text) in FILES {
        let path = dir.path().join(path);
        fs::create_dir_all(path.parent().expect("a parent")).expect("made");
        fs::write(path, text).expect("written");
    }
    std::os::unix::fs::symlink(venv(), dir.path().join(".venv")).expect("linked");
    dir
}

/// Everything in the folder: names, texts, and when each file was last written. Links are not followed.
fn all(root: &Path) -> BTreeMap<PathBuf, Option<(String, SystemTime)>> {
    let mut found = BTreeMap::new();
    let mut folders = vec![root.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(&folder).expect("readable").map(|entry| entry.expect("an entry")) {
            let (kind, path) = (entry.file_type().expect("a kind"), entry.path());
            let file = kind.is_file().then(|| {
                let written = entry.metadata().expect("known").modified().expect("a time");
                (fs::read_to_string(&path).expect("a text"), written)
            });
            if kind.is_dir() {
                folders.push(path.clone());
            }
            found.insert(path, file);
        }
    }
    found
}

fn landfall(folder: &Path, args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command.args(args).current_dir(folder).env("NO_COLOR", "1").env_remove("CLICOLOR_FORCE");
    let Output { status, stdout, stderr } = command.output().expect("the binary runs");
    assert!(stderr.is_empty(), "{}", String::from_utf8_lossy(&stderr));
    (status.code(), String::from_utf8(stdout).expect("UTF-8"))
}

fn pytest(folder: &Path) -> String {
    let run = Command::new(venv().join("bin/pytest"))
        .args(["tests/", "-p", "no:cacheprovider"])
        .current_dir(folder)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .output()
        .expect("pytest runs");
    String::from_utf8_lossy(&run.stdout).into_owned()
}

#[test]
fn tests_that_cannot_import_are_mended_when_asked_and_what_stands_behind_is_said_before() {
    let dir = project();
    assert!(pytest(dir.path()).contains("ModuleNotFoundError: No module named 'shop'"));

    // Shown: the folder is as it was, to the file and the second.
    let before = all(dir.path());
    let (status, shown) = landfall(dir.path(), &["fix", "--tests"]);
    assert_eq!(all(dir.path()), before, "{shown}");
    assert_eq!(status, Some(1), "{shown}");
    for line in [
        "# the tests import modules that lie in src\n",
        "# tried: in a copy with it, 2 tests are collected: 1 pass, 1 fail, 0 end in an error\n",
        "\n--- a/pyproject.toml\n+++ b/pyproject.toml\n",
        "\n [tool.pytest.ini_options]\n+pythonpath = [\"src\"]\n addopts = \"-q\"\n",
        "\n# Nothing was changed. landfall fix --tests --apply makes these changes.\n",
    ] {
        assert!(shown.contains(line), "{line:?} in\n{shown}");
    }
    // Without `--tests` they are not run, and there is nothing else to mend.
    let (status, plain) = landfall(dir.path(), &["fix"]);
    assert_eq!((status, plain.as_str()), (Some(0), "Nothing that is safe to change.\n"));
    assert_eq!(all(dir.path()), before);

    // What was shown is a patch, reasons and all.
    let copy = project();
    let patch = copy.path().join("shown.patch");
    fs::write(&patch, &shown).expect("written");
    let applied = Command::new("git").args(["apply", "shown.patch"]).current_dir(copy.path()).status();
    assert!(applied.expect("git runs").success(), "{shown}");

    let (status, applied) = landfall(dir.path(), &["fix", "--tests", "--apply"]);
    assert_eq!(status, Some(0), "{applied}");
    assert!(applied.ends_with("# One file was changed.\n"), "{applied}");
    let after = fs::read_to_string(dir.path().join("pyproject.toml")).expect("there");
    assert_eq!(after, fs::read_to_string(copy.path().join("pyproject.toml")).expect("there"));
    let changed: Vec<PathBuf> = all(dir.path())
        .into_iter()
        .filter(|(path, file)| before.get(path) != Some(file))
        .map(|(path, _)| path)
        .collect();
    assert_eq!(changed, [dir.path().join("pyproject.toml")], "one file was written and none was added");

    // The tests load now, and fail as was said.
    let now = pytest(dir.path());
    assert!(now.contains("1 failed, 1 passed"), "{now}");
    let (status, again) = landfall(dir.path(), &["fix", "--tests"]);
    assert_eq!((status, again.as_str()), (Some(0), "Nothing that is safe to change.\n"));
}
