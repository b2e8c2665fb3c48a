//! Python's manifests: requirements files, pyproject.toml (PEP 621 and Poetry), Pipfile; locks fill in exact versions.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::Dependency;
use regex::Regex;
use toml::{Table, Value};

use super::{Manifest, beside, find, normal, text};
use crate::tree::{Tree, parent};

pub(super) fn read(tree: &Tree, unread: &mut Vec<String>) -> Option<Manifest> {
    let mut manifest = Manifest::default();
    let pyproject =
        find(tree, "pyproject.toml").and_then(|path| table(tree, path, unread).map(|table| (path, table)));
    let requirements = find(tree, "requirements.txt").or_else(|| {
        ["requirements/production.txt", "requirements/prod.txt", "requirements/base.txt"]
            .into_iter()
            .find(|p| tree.has(p))
    });
    if let Some(path) = requirements {
        requirements_file(tree, path, &mut manifest.dependencies, unread, 0);
        manifest.path = Some(path.to_owned());
    }
    if let Some((path, table)) = &pyproject {
        let (dependencies, wanted) = from_pyproject(table);
        manifest.wanted = wanted;
        if manifest.path.is_none() {
            manifest.path = Some((*path).to_owned());
        }
        add(&mut manifest.dependencies, dependencies);
    }
    if manifest.path.is_none() {
        let path = find(tree, "Pipfile")?;
        let table = table(tree, path, unread)?;
        let packages = table.get("packages").and_then(Value::as_table);
        add(
            &mut manifest.dependencies,
            packages.into_iter().flatten().filter_map(|(n, v)| poetry(n, v)).collect(),
        );
        manifest.wanted = table
            .get("requires")
            .and_then(|r| r.get("python_version"))
            .and_then(Value::as_str)
            .map(str::to_owned);
        manifest.path = Some(path.to_owned());
    }
    let path = manifest.path.as_deref()?;
    manifest.lock =
        beside(tree, path, &["uv.lock", "poetry.lock", "pdm.lock", "Pipfile.lock", "requirements.lock"]);
    if let Some(lock) = &manifest.lock {
        let locked = locked(tree, lock, unread);
        for dependency in manifest.dependencies.iter_mut().filter(|d| d.version.is_none()) {
            dependency.version = locked.get(&normal(&dependency.name)).cloned();
        }
    }
    Some(manifest)
}

fn add(to: &mut Vec<Dependency>, more: Vec<Dependency>) {
    for dependency in more {
        if to.iter().all(|known| normal(&known.name) != normal(&dependency.name)) {
            to.push(dependency);
        }
    }
}

fn table(tree: &Tree, path: &str, unread: &mut Vec<String>) -> Option<Table> {
    match text(tree, path, unread)?.parse() {
        Ok(table) => Some(table),
        Err(error) => {
            let error: toml::de::Error = error;
            unread.push(format!("{path}: {}", error.message()));
            None
        }
    }
}

/// Reads a requirements file and the files that it includes (pip's "Requirements File Format").
fn requirements_file(
    tree: &Tree,
    path: &str,
    into: &mut Vec<Dependency>,
    unread: &mut Vec<String>,
    depth: u8,
) {
    let Some(text) = text(tree, path, unread) else { return };
    for line in text.replace("\\\n", " ").lines() {
        // A comment begins a line or follows white space; `#egg=` inside a URL is none.
        let line = line.split(" #").next().unwrap_or_default().trim();
        if line.is_empty() || line.starts_with('#') {
            continue;
        }
        if let Some(other) = line.strip_prefix("-r").or_else(|| line.strip_prefix("--requirement")) {
            let other = other.trim_start_matches(['=', ' ']);
            let folder = parent(path);
            let other = if folder.is_empty() { other.to_owned() } else { format!("{folder}/{other}") };
            if depth < 4 {
                requirements_file(tree, &other, into, unread, depth + 1);
            }
        } else if !line.starts_with('-') {
            add(into, requirement(line).into_iter().collect());
        }
    }
}

/// A dependency specifier (PEP 508): `Flask[async]>=3,<4; python_version > "3.8"`.
fn requirement(line: &str) -> Option<Dependency> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)\s*(?:\[[^\]]*\])?\s*(.*)$")
            .expect("the pattern is a constant and covered by tests")
    });
    let line = line.split(';').next().unwrap_or_default();
    let line = line.split(" --").next().unwrap_or_default().trim();
    let parts = NAME.captures(line)?;
    let requirement = parts[2].trim();
    if !requirement.is_empty() && !requirement.starts_with(['=', '<', '>', '~', '!', '@', '(']) {
        return None;
    }
    // A URL can carry a credential, and its text tells no version.
    let requirement = if requirement.starts_with('@') {
        "@ URL".to_owned()
    } else {
        requirement.trim_matches(['(', ')']).to_owned()
    };
    let version = requirement.trim_start_matches('=').trim();
    let exact = requirement.starts_with("==") && !version.contains(['*', ',']);
    Some(Dependency { name: parts[1].to_owned(), version: exact.then(|| version.to_owned()), requirement })
}

fn from_pyproject(table: &Table) -> (Vec<Dependency>, Option<String>) {
    let project = table.get("project");
    let mut dependencies: Vec<Dependency> = project
        .and_then(|p| p.get("dependencies"))
        .and_then(Value::as_array)
        .into_iter()
        .flatten()
        .filter_map(|d| requirement(d.as_str()?))
        .collect();
    let mut wanted =
        project.and_then(|p| p.get("requires-python")).and_then(Value::as_str).map(str::to_owned);
    if let Some(table) = table
        .get("tool")
        .and_then(|t| t.get("poetry"))
        .and_then(|p| p.get("dependencies"))
        .and_then(Value::as_table)
    {
        for (name, value) in table {
            match poetry(name, value) {
                Some(python) if name == "python" => wanted = wanted.or(Some(python.requirement)),
                Some(dependency) => dependencies.push(dependency),
                None => {}
            }
        }
    }
    (dependencies, wanted)
}

/// A dependency in Poetry's and Pipenv's form: `Flask = "3.0.0"`, `Flask = {version = "^3"}`.
fn poetry(name: &str, value: &Value) -> Option<Dependency> {
    let requirement =
        value.as_str().or_else(|| value.get("version").and_then(Value::as_str)).unwrap_or("*").to_owned();
    let digits = requirement.trim_start_matches('=').trim();
    let exact = digits.starts_with(|c: char| c.is_ascii_digit()) && !digits.contains(['*', ',', ' ']);
    Some(Dependency { name: name.to_owned(), version: exact.then(|| digits.to_owned()), requirement })
}

/// Exact versions from a lock: `[[package]]` tables (uv, Poetry, PDM) or Pipenv's JSON.
fn locked(tree: &Tree, path: &str, unread: &mut Vec<String>) -> BTreeMap<String, String> {
    let mut versions = BTreeMap::new();
    if path.ends_with("Pipfile.lock") {
        let lock = text(tree, path, unread)
            .and_then(|t| serde_json::from_str::<serde_json::Value>(&t).ok())
            .unwrap_or_default();
        for (name, package) in
            lock.get("default").and_then(serde_json::Value::as_object).into_iter().flatten()
        {
            if let Some(version) = package.get("version").and_then(serde_json::Value::as_str) {
                versions.insert(normal(name), version.trim_start_matches('=').to_owned());
            }
        }
    } else if path.ends_with("requirements.lock") {
        let mut pins = Vec::new();
        requirements_file(tree, path, &mut pins, unread, 0);
        versions.extend(pins.into_iter().filter_map(|d| Some((normal(&d.name), d.version?))));
    } else if let Some(table) = table(tree, path, unread) {
        for package in table.get("package").and_then(Value::as_array).into_iter().flatten() {
            if let (Some(name), Some(version)) =
                (package.get("name").and_then(Value::as_str), package.get("version").and_then(Value::as_str))
            {
                versions.insert(normal(name), version.to_owned());
            }
        }
    }
    versions
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn shown(files: &[(&str, &str)]) -> (Vec<String>, Option<String>) {
        let (_dir, tree) = tree(files);
        let manifest = read(&tree, &mut Vec::new()).unwrap();
        let list = manifest
            .dependencies
            .iter()
            .map(|d| format!("{} {} [{}]", d.name, d.version.as_deref().unwrap_or("-"), d.requirement))
            .collect();
        (list, manifest.lock)
    }

    #[test]
    fn requirements_with_markers_hashes_extras_and_includes() {
        let (list, _) = shown(&[
            (
                "requirements.txt",
                "# c\n-r more.txt\nFlask[async]==3.0.0 ; python_version > '3.8' # web\ngunicorn==22.0.0 \\\n  --hash=sha256:ab\n\
                 requests>=2,<3\n-e .\n--index-url https://user:secret@pypi.example.test\nlib @ https://u:secret@h.example.test/x.whl\nflask\n???\n",
            ),
            ("more.txt", "Werkzeug~=3.0\n-r requirements.txt\n"),
        ]);
        assert_eq!(
            list,
            [
                "Werkzeug - [~=3.0]",
                "Flask 3.0.0 [==3.0.0]",
                "gunicorn 22.0.0 [==22.0.0]",
                "requests - [>=2,<3]",
                "lib - [@ URL]"
            ]
        );
    }

    #[test]
    fn pyproject_in_both_dialects_with_a_lock() {
        let (list, lock) = shown(&[
            ("pyproject.toml", "[project]\nrequires-python='>=3.11'\ndependencies=['Django>=5']\n"),
            ("uv.lock", "[[package]]\nname='django'\nversion='5.1.2'\n"),
        ]);
        assert_eq!(list, ["Django 5.1.2 [>=5]"]);
        assert_eq!(lock.as_deref(), Some("uv.lock"));
        let (list, _) = shown(&[(
            "pyproject.toml",
            "[tool.poetry.dependencies]\npython='^3.11'\nfastapi={version='^0.110'}\nuvicorn='0.30.1'\n",
        )]);
        assert_eq!(list, ["fastapi - [^0.110]", "uvicorn 0.30.1 [0.30.1]"]);
    }
}
