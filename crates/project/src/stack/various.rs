//! The manifests of Node, Rust, Go and Ruby: direct dependencies, the runtime asked for, the lock file.

use std::sync::LazyLock;

use landfall_evidence::Dependency;
use regex::Regex;
use toml::{Table, Value};

use super::{Manifest, beside, find, json_names, text};
use crate::tree::Tree;

pub(super) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants and covered by tests")
}

pub(super) fn plain(name: &str, requirement: &str) -> Dependency {
    let digits = requirement.trim_start_matches('=').trim();
    let exact = digits.split('.').count() == 3
        && digits.starts_with(|c: char| c.is_ascii_digit())
        && !digits.contains([' ', '*', 'x', '|']);
    // A dependency taken from a URL can carry a credential there.
    let requirement = if requirement.contains("://") { "URL".to_owned() } else { requirement.to_owned() };
    Dependency { name: name.to_owned(), version: exact.then(|| digits.to_owned()), requirement }
}

pub(super) fn node(tree: &Tree, unread: &mut Vec<String>) -> Option<Manifest> {
    let path = find(tree, "package.json")?;
    let manifest: serde_json::Value = match serde_json::from_str(&text(tree, path, unread)?) {
        Ok(manifest) => manifest,
        Err(error) => {
            unread.push(format!("{path}: {error}"));
            return None;
        }
    };
    let dependencies = manifest.get("dependencies").and_then(serde_json::Value::as_object);
    Some(Manifest {
        dev: json_names(&manifest, "devDependencies").into_keys().collect(),
        path: Some(path.to_owned()),
        lock: beside(
            tree,
            path,
            &["package-lock.json", "pnpm-lock.yaml", "yarn.lock", "bun.lock", "bun.lockb"],
        ),
        dependencies: dependencies
            .into_iter()
            .flatten()
            .filter_map(|(name, v)| Some(plain(name, v.as_str()?)))
            .collect(),
        wanted: manifest
            .get("engines")
            .and_then(|e| e.get("node"))
            .and_then(serde_json::Value::as_str)
            .map(str::to_owned),
    })
}

pub(super) fn rust(tree: &Tree, unread: &mut Vec<String>) -> Option<Manifest> {
    let path = find(tree, "Cargo.toml")?;
    let manifest: Table = match text(tree, path, unread)?.parse() {
        Ok(manifest) => manifest,
        Err(error) => {
            let error: toml::de::Error = error;
            unread.push(format!("{path}: {}", error.message()));
            return None;
        }
    };
    // A workspace keeps the versions in one table; its members only name them.
    let workspace = manifest.get("workspace").and_then(|w| w.get("dependencies"));
    let tables = [manifest.get("dependencies"), workspace];
    let dependencies = tables.into_iter().flatten().filter_map(Value::as_table).flatten();
    let package =
        manifest.get("package").or_else(|| manifest.get("workspace").and_then(|w| w.get("package")));
    Some(Manifest {
        path: Some(path.to_owned()),
        lock: beside(tree, path, &["Cargo.lock"]),
        dependencies: dependencies
            .filter_map(|(name, value)| {
                Some(plain(name, value.as_str().or_else(|| value.get("version")?.as_str())?))
            })
            // A plain number is a caret requirement here, not a pin.
            .map(|d| Dependency { version: d.version.filter(|_| d.requirement.starts_with('=')), ..d })
            .collect(),
        wanted: package.and_then(|p| p.get("rust-version")).and_then(Value::as_str).map(str::to_owned),
        ..Manifest::default()
    })
}

pub(super) fn go(tree: &Tree, unread: &mut Vec<String>) -> Option<Manifest> {
    static REQUIRE: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?m)^\s*(?:require\s+)?([a-z0-9.-]+\.[a-z]+/\S+)\s+(v\S+)(\s*//\s*indirect)?")
    });
    static VERSION: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^go\s+([0-9.]+)"));
    let path = find(tree, "go.mod")?;
    let manifest = text(tree, path, unread)?;
    Some(Manifest {
        path: Some(path.to_owned()),
        lock: beside(tree, path, &["go.sum"]),
        dependencies: REQUIRE
            .captures_iter(&manifest)
            .filter(|c| c.get(3).is_none())
            .map(|c| Dependency {
                name: c[1].to_owned(),
                version: Some(c[2].to_owned()),
                requirement: c[2].to_owned(),
            })
            .collect(),
        wanted: VERSION.captures(&manifest).map(|c| c[1].to_owned()),
        ..Manifest::default()
    })
}

pub(super) fn ruby(tree: &Tree, unread: &mut Vec<String>) -> Option<Manifest> {
    static GEM: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"(?m)^\s*gem\s+["']([^"']+)["'](?:\s*,\s*["']([^"']+)["'])?"#));
    static VERSION: LazyLock<Regex> = LazyLock::new(|| regex(r#"(?m)^\s*ruby\s+["']([^"']+)["']"#));
    static LOCKED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^ {4}(\S+) \(([0-9][^)\s]*)\)"));
    let path = find(tree, "Gemfile")?;
    let manifest = text(tree, path, unread)?;
    let lock = beside(tree, path, &["Gemfile.lock"]);
    let locked = lock.as_deref().and_then(|lock| text(tree, lock, unread)).unwrap_or_default();
    let exact = |name: &str| LOCKED.captures_iter(&locked).find(|c| &c[1] == name).map(|c| c[2].to_owned());
    Some(Manifest {
        path: Some(path.to_owned()),
        dependencies: GEM
            .captures_iter(&manifest)
            .map(|c| {
                let dependency = plain(&c[1], c.get(2).map_or("", |m| m.as_str()));
                Dependency { version: dependency.version.or_else(|| exact(&c[1])), ..dependency }
            })
            .collect(),
        lock,
        wanted: VERSION.captures(&manifest).map(|c| c[1].to_owned()),
        ..Manifest::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn names(manifest: &Manifest) -> Vec<(&str, Option<&str>)> {
        manifest.dependencies.iter().map(|d| (d.name.as_str(), d.version.as_deref())).collect()
    }

    #[test]
    fn node_and_its_lock() {
        let (_dir, tree) = tree(&[
            (
                "package.json",
                r#"{"engines":{"node":">=20"},"dependencies":{"express":"4.19.2","koa":"^2.0.0","x":"git+https://u:p@h.example.test/x"},"devDependencies":{"morgan":"1"}}"#,
            ),
            ("pnpm-lock.yaml", ""),
        ]);
        let manifest = node(&tree, &mut Vec::new()).unwrap();
        assert_eq!(names(&manifest), [("express", Some("4.19.2")), ("koa", None), ("x", None)]);
        assert_eq!(manifest.dependencies[2].requirement, "URL");
        assert_eq!(manifest.dev, ["morgan"]);
        assert_eq!(
            (manifest.wanted.as_deref(), manifest.lock.as_deref()),
            (Some(">=20"), Some("pnpm-lock.yaml"))
        );
    }

    #[test]
    fn rust_and_ruby() {
        let (_dir, tree) = tree(&[
            (
                "Cargo.toml",
                "[package]\nrust-version='1.90'\n[dependencies]\naxum={version='0.8'}\nhyper='=1.0.0'\n",
            ),
            ("Gemfile", "ruby '3.3.0'\ngem \"rails\", \"~> 7.1\"\ngem 'puma'\n"),
            ("Gemfile.lock", "GEM\n  specs:\n    puma (6.4.2)\n      nio4r\n    rails (7.1.3)\n"),
        ]);
        assert_eq!(names(&rust(&tree, &mut Vec::new()).unwrap()), [("axum", None), ("hyper", Some("1.0.0"))]);
        let ruby = ruby(&tree, &mut Vec::new()).unwrap();
        assert_eq!(names(&ruby), [("rails", Some("7.1.3")), ("puma", Some("6.4.2"))]);
        assert_eq!(ruby.wanted.as_deref(), Some("3.3.0"));
    }

    #[test]
    fn a_broken_manifest_is_named() {
        let (_dir, tree) = tree(&[("package.json", "{"), ("Cargo.toml", "[")]);
        let mut unread = Vec::new();
        assert!(node(&tree, &mut unread).is_none() && rust(&tree, &mut unread).is_none());
        assert!(
            unread[0].starts_with("package.json: ") && unread[1].starts_with("Cargo.toml: "),
            "{unread:?}"
        );
    }
}
