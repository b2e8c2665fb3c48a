//! npm, pnpm and yarn: manifest and lock file, and what the server's code imports.

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::SignWord;
use serde_json::Value as Json;

use super::super::{Found, Read, place, text, uses};
use super::compare;
use crate::source::{Language, Source};
use crate::stack::{Names, json_names};
use crate::tree::Tree;
use crate::yaml::{Node, documents};

/// Manifest, lock files and imports.
pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    let tree = read.tree;
    let Some(manifest_text) = text(tree, "package.json") else { return };
    let Ok(manifest) = serde_json::from_str::<Json>(&manifest_text) else { return };
    let main = json_names(&manifest, "dependencies");
    let dev = json_names(&manifest, "devDependencies");
    let optional: Names = json_names(&manifest, "optionalDependencies")
        .into_iter()
        .chain(json_names(&manifest, "peerDependencies"))
        .collect();
    let locks: Vec<&str> =
        ["package-lock.json", "npm-shrinkwrap.json", "yarn.lock", "pnpm-lock.yaml", "bun.lock", "bun.lockb"]
            .into_iter()
            .filter(|lock| tree.has(lock))
            .collect();
    if locks.len() > 1 {
        found.add(SignWord::LockSeveral, locks[0], locks.join(", "));
    }
    let all: Names = main.iter().chain(&dev).map(|(k, v)| (k.clone(), v.clone())).collect();
    if locks.is_empty() && !main.is_empty() {
        found.add(SignWord::LockMissing, "package.json", "no lock file beside package.json");
        let loose: Vec<&str> = main
            .iter()
            .filter(|(_, v)| {
                v.starts_with(['^', '~', '>', '*'])
                    || v.as_str() == "latest"
                    || v.is_empty()
                    || v.ends_with(".x")
            })
            .map(|(name, _)| name.as_str())
            .collect();
        if !loose.is_empty() {
            found.add(SignWord::DependencyUnpinned, "package.json", loose.join(", "));
        }
    }
    for lock in locks {
        let Some(lock_text) = text(tree, lock) else { continue };
        for (name, why) in node_differences(lock, &lock_text, &all) {
            let at = manifest_text
                .find(&format!("\"{name}\""))
                .map_or("package.json".to_owned(), |at| place("package.json", &manifest_text, at));
            found.add(SignWord::LockOutOfStep, at, format!("{name}: {why} ({lock})"));
        }
    }
    imports(read, &manifest, &main, &dev, &optional, found);
}

/// Packages on which manifest and lock disagree.
fn node_differences(lock: &str, text: &str, all: &Names) -> Vec<(String, String)> {
    let mut out = Vec::new();
    match lock {
        "package-lock.json" | "npm-shrinkwrap.json" => {
            let Ok(json) = serde_json::from_str::<Json>(text) else {
                return vec![("package-lock.json".to_owned(), "it does not parse".to_owned())];
            };
            if let Some(root) = json.get("packages").and_then(|p| p.get("")) {
                let locked: Names = json_names(root, "dependencies")
                    .into_iter()
                    .chain(json_names(root, "devDependencies"))
                    .collect();
                compare(all, &locked, &mut out);
            } else if let Some(packages) = json.get("dependencies").and_then(Json::as_object) {
                let names: BTreeSet<&String> = packages.keys().collect();
                out.extend(
                    all.keys()
                        .filter(|n| !names.contains(n))
                        .map(|n| (n.clone(), "not in the lock file".to_owned())),
                );
            }
        }
        "pnpm-lock.yaml" => {
            let Ok(all_documents) = documents(text) else {
                return vec![("pnpm-lock.yaml".to_owned(), "it does not parse".to_owned())];
            };
            let mut locked = Names::new();
            for document in &all_documents {
                let root = document.at(&["importers", "."]).unwrap_or(document);
                for key in ["dependencies", "devDependencies"] {
                    for (name, node) in root.get(key).map(Node::entries).unwrap_or_default() {
                        let specifier = node.get("specifier").and_then(Node::text).unwrap_or_default();
                        locked.insert(name.clone(), specifier.to_owned());
                    }
                }
            }
            locked.retain(|_, specifier| !specifier.is_empty());
            if !locked.is_empty() {
                compare(all, &locked, &mut out);
            }
        }
        "yarn.lock" => {
            for (name, wanted) in all {
                let listed = text.contains(&format!("{name}@"));
                let exact = text.contains(&format!("{name}@{wanted}"))
                    || text.contains(&format!("{name}@npm:{wanted}"));
                if !listed {
                    out.push((name.clone(), "not in the lock file".to_owned()));
                } else if !exact && !wanted.contains(':') {
                    out.push((name.clone(), format!("{wanted} is asked for and not locked")));
                }
            }
        }
        "bun.lock" => {
            for name in all.keys().filter(|name| !text.contains(&format!("\"{name}\""))) {
                out.push((name.clone(), "not in the lock file".to_owned()));
            }
        }
        _ => {}
    }
    out
}

/// Modules of Node itself (nodejs.org/api), besides those under `node:`.
const NODE_MODULES: &[&str] = &[
    "assert",
    "async_hooks",
    "buffer",
    "child_process",
    "cluster",
    "console",
    "constants",
    "crypto",
    "dgram",
    "diagnostics_channel",
    "dns",
    "domain",
    "events",
    "fs",
    "http",
    "http2",
    "https",
    "inspector",
    "module",
    "net",
    "os",
    "path",
    "perf_hooks",
    "process",
    "punycode",
    "querystring",
    "readline",
    "repl",
    "stream",
    "string_decoder",
    "sys",
    "timers",
    "tls",
    "trace_events",
    "tty",
    "url",
    "util",
    "v8",
    "vm",
    "wasi",
    "worker_threads",
    "zlib",
];

/// Frameworks that bundle what they import, so that a development package may stand in their pages' code.
const BUNDLERS: &[&str] =
    &["next", "nuxt", "@sveltejs/kit", "astro", "gatsby", "@remix-run/dev", "@angular/core"];

/// Imports of the server's code against what is installed in production.
fn imports(read: &Read<'_>, manifest: &Json, main: &Names, dev: &Names, optional: &Names, found: &mut Found) {
    if BUNDLERS.iter().any(|name| main.contains_key(*name) || dev.contains_key(*name)) {
        return;
    }
    let own = manifest.get("name").and_then(Json::as_str).unwrap_or_default();
    let reached = reached_scripts(read);
    let members = Members::of(read.tree);
    for source in
        read.sources.iter().filter(|s| s.language == Language::JavaScript && reached.contains(&s.path))
    {
        for (name, offset) in uses::js_specifiers(source) {
            let before = source.code[..offset].rsplit('\n').next().unwrap_or_default();
            if name.starts_with(['.', '/', '#'])
                || name.starts_with("node:")
                || name.starts_with("@/")
                || name.starts_with("~/")
            {
                continue;
            }
            // A type import vanishes when TypeScript is compiled.
            if before.contains("import type") || before.contains("try") {
                continue;
            }
            let mut parts = name.split('/');
            let first = parts.next().unwrap_or_default();
            let package = match parts.next() {
                Some(second) if first.starts_with('@') => format!("{first}/{second}"),
                _ => first.to_owned(),
            };
            if NODE_MODULES.contains(&package.as_str())
                || package == own
                || package.is_empty()
                || package.contains(':')
            {
                continue;
            }
            let at = source.place(offset);
            if main.contains_key(&package)
                || optional.contains_key(&package)
                || members.names(&source.path, &package)
            {
                continue;
            }
            if dev.contains_key(&package) {
                found.add(SignWord::DevDependencyAtRuntime, at, package);
            } else {
                found.add(SignWord::DependencyUndeclared, at, package);
            }
        }
    }
}

/// The packages of a workspace: their folders with the names that each depends on, and their own names.
struct Members {
    folders: Vec<(String, BTreeSet<String>)>,
    own: BTreeSet<String>,
}

impl Members {
    fn of(tree: &Tree) -> Self {
        let mut members = Self { folders: Vec::new(), own: BTreeSet::new() };
        let manifests = tree.files.iter().filter(|f| !f.ignored && f.path.ends_with("/package.json"));
        for file in manifests.take(200) {
            let Some(json) = text(tree, &file.path).and_then(|t| serde_json::from_str::<Json>(&t).ok())
            else {
                continue;
            };
            members.own.extend(json.get("name").and_then(Json::as_str).map(str::to_owned));
            let names = ["dependencies", "optionalDependencies", "peerDependencies"]
                .iter()
                .flat_map(|key| json_names(&json, key).into_keys())
                .collect();
            members.folders.push((crate::tree::parent(&file.path).to_owned(), names));
        }
        members
    }

    /// Whether a package of the workspace, or one that the member of this file depends on, has the name.
    fn names(&self, file: &str, package: &str) -> bool {
        let holds = |folder: &str| file.strip_prefix(folder).is_some_and(|rest| rest.starts_with('/'));
        self.own.contains(package)
            || self.folders.iter().any(|(folder, names)| holds(folder) && names.contains(package))
    }
}

/// The scripts that the started one imports, itself included; empty where nothing is started by a file.
fn reached_scripts(read: &Read<'_>) -> BTreeSet<String> {
    let tree = read.tree;
    let mut queue: Vec<String> = read
        .deploys
        .iter()
        .filter_map(|d| d.target.as_deref())
        .map(|t| t.trim_start_matches("./").to_owned())
        .chain(read.snapshot.entry.iter().map(|e| e.path.clone()))
        .filter(|path| tree.has(path))
        .collect();
    if let Some(start) = super::super::files::script(tree, "start") {
        queue.extend(
            start.split_whitespace().map(|w| w.trim_start_matches("./").to_owned()).filter(|w| tree.has(w)),
        );
    }
    let cases = uses::Cases::of(tree);
    let by_path: BTreeMap<&str, &Source> = read.sources.iter().map(|s| (s.path.as_str(), s)).collect();
    let mut seen = BTreeSet::new();
    while let Some(path) = queue.pop() {
        let Some(source) = by_path.get(path.as_str()).filter(|s| s.language == Language::JavaScript) else {
            continue;
        };
        if !seen.insert(path) {
            continue;
        }
        queue.extend(uses::relative_imports(tree, &cases, source));
    }
    seen
}
