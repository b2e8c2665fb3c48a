//! Packages: lock files against manifests, loose versions, development packages in production's code.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;
use serde_json::Value as Json;
use toml::{Table, Value as Toml};

use super::plan::Plan;
use super::{Found, Read, place, regex, text, uses};
use crate::source::{Language, Source};
use crate::stack::{Names, json_names};
use crate::tree::Tree;
use crate::yaml::{Node, documents};

/// A name in its comparable form (PEP 503).
fn normal(name: &str) -> String {
    let mut out = String::new();
    for c in name.trim().chars() {
        let c = if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() };
        if !(c == '-' && out.ends_with('-')) {
            out.push(c);
        }
    }
    out
}

pub(super) fn read(read: &Read<'_>, _plans: &[Plan], found: &mut Found) {
    node(read, found);
    python(read, found);
    php_classes(read, found);
    others(read.tree, found);
}

/// npm, pnpm and yarn.
fn node(read: &Read<'_>, found: &mut Found) {
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

fn compare(wanted: &Names, locked: &Names, out: &mut Vec<(String, String)>) {
    for (name, version) in wanted {
        match locked.get(name) {
            None => out.push((name.clone(), "not in the lock file".to_owned())),
            Some(other) if other != version => {
                out.push((name.clone(), format!("{version} is asked for, {other} is locked")));
            }
            Some(_) => {}
        }
    }
    out.extend(
        locked
            .keys()
            .filter(|n| !wanted.contains_key(*n))
            .map(|n| (n.clone(), "locked and no longer asked for".to_owned())),
    );
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
    if let Some(start) = super::files::script(tree, "start") {
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

struct Patterns {
    requirement: Regex,
    ranged: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| Patterns {
    requirement: regex(r"(?m)^[ \t]*([A-Za-z0-9][\w.-]*)(?:\[[^\]]*\])?[ \t]*([^;#\n]*)"),
    ranged: regex(r"[<>~^*]|!="),
});

/// The requirements of a file in pip's format: normal name to requirement, with the files that it includes.
fn requirements(tree: &Tree, file: &str, depth: usize, into: &mut Names) {
    let Some(text) = text(tree, file).filter(|_| depth < 5) else { return };
    for line in text.lines() {
        let line = line.trim();
        if let Some(other) = line.strip_prefix("-r").or_else(|| line.strip_prefix("--requirement")) {
            if let Some(path) = super::beside(file, other.trim_start_matches(['=', ' '])) {
                requirements(tree, &path, depth + 1, into);
            }
            continue;
        }
        if line.starts_with(['-', '#']) || line.contains("://") {
            continue;
        }
        if let Some(c) = PATTERNS.requirement.captures(line) {
            into.insert(
                normal(&c[1]),
                c[2].split("--hash")
                    .next()
                    .unwrap_or_default()
                    .trim()
                    .trim_end_matches('\\')
                    .trim()
                    .to_owned(),
            );
        }
    }
}

/// Names of a PEP 508 list.
fn listed(value: Option<&Toml>) -> Names {
    let mut names = Names::new();
    for item in value.and_then(Toml::as_array).into_iter().flatten().filter_map(Toml::as_str) {
        if let Some(c) = PATTERNS.requirement.captures(item) {
            names.insert(normal(&c[1]), c[2].trim().to_owned());
        }
    }
    names
}

fn table_names(value: Option<&Toml>) -> Names {
    let table = value.and_then(Toml::as_table);
    table
        .into_iter()
        .flatten()
        .filter(|(name, _)| name.as_str() != "python")
        .map(|(name, v)| {
            let wanted = v.as_str().or_else(|| v.get("version")?.as_str()).unwrap_or_default();
            (normal(name), wanted.to_owned())
        })
        .collect()
}

fn python(read: &Read<'_>, found: &mut Found) {
    let tree = read.tree;
    let mut main = Names::new();
    let mut dev = Names::new();
    let mut manifest = None;
    if tree.has("requirements.txt") {
        requirements(tree, "requirements.txt", 0, &mut main);
        manifest = Some("requirements.txt");
        loose_requirements(tree, &main, found);
    } else if let Some(file) =
        ["requirements/production.txt", "requirements/prod.txt", "requirements/base.txt"]
            .iter()
            .find(|f| tree.has(f))
    {
        requirements(tree, file, 0, &mut main);
        manifest = Some(file);
    }
    for file in [
        "requirements-dev.txt",
        "dev-requirements.txt",
        "requirements_dev.txt",
        "requirements/dev.txt",
        "requirements-test.txt",
        "requirements/test.txt",
    ] {
        requirements(tree, file, 0, &mut dev);
    }
    let mut pyproject_main = Names::new();
    if let Some(table) = text(tree, "pyproject.toml").and_then(|t| t.parse::<Table>().ok()) {
        let project = table.get("project");
        pyproject_main.extend(listed(project.and_then(|p| p.get("dependencies"))));
        let optional = project.and_then(|p| p.get("optional-dependencies")).and_then(Toml::as_table);
        for (_, list) in optional.into_iter().flatten() {
            dev.extend(listed(Some(list)));
        }
        for (_, list) in table.get("dependency-groups").and_then(Toml::as_table).into_iter().flatten() {
            dev.extend(listed(Some(list)));
        }
        let poetry = table.get("tool").and_then(|t| t.get("poetry"));
        pyproject_main.extend(table_names(poetry.and_then(|p| p.get("dependencies"))));
        dev.extend(table_names(poetry.and_then(|p| p.get("dev-dependencies"))));
        for (_, group) in poetry.and_then(|p| p.get("group")).and_then(Toml::as_table).into_iter().flatten() {
            dev.extend(table_names(group.get("dependencies")));
        }
        let uv = table.get("tool").and_then(|t| t.get("uv"));
        dev.extend(listed(uv.and_then(|u| u.get("dev-dependencies"))));
        if !pyproject_main.is_empty() {
            manifest.get_or_insert("pyproject.toml");
            python_lock(tree, "pyproject.toml", &pyproject_main, found);
        }
    }
    if let Some(table) = text(tree, "Pipfile").and_then(|t| t.parse::<Table>().ok()) {
        let names = table_names(table.get("packages"));
        dev.extend(table_names(table.get("dev-packages")));
        if let Some(lock) = text(tree, "Pipfile.lock").and_then(|t| serde_json::from_str::<Json>(&t).ok()) {
            let locked: BTreeSet<String> = lock
                .get("default")
                .and_then(Json::as_object)
                .into_iter()
                .flatten()
                .map(|(n, _)| normal(n))
                .collect();
            for name in names.keys().filter(|n| !locked.contains(*n)) {
                found.add(
                    SignWord::LockOutOfStep,
                    "Pipfile",
                    format!("{name}: not in the lock file (Pipfile.lock)"),
                );
            }
        } else if !names.is_empty() {
            found.add(SignWord::LockMissing, "Pipfile", "no Pipfile.lock beside Pipfile");
        }
        manifest.get_or_insert("Pipfile");
        main.extend(names);
    }
    if tree.has("requirements.in") && tree.has("requirements.txt") {
        let mut wanted = Names::new();
        requirements(tree, "requirements.in", 0, &mut wanted);
        for name in wanted.keys().filter(|n| !main.contains_key(*n)) {
            found.add(
                SignWord::LockOutOfStep,
                "requirements.in",
                format!("{name}: not in the compiled file (requirements.txt)"),
            );
        }
    }
    let locks: Vec<&str> =
        ["poetry.lock", "uv.lock", "Pipfile.lock", "pdm.lock"].into_iter().filter(|l| tree.has(l)).collect();
    if locks.len() > 1 {
        found.add(SignWord::LockSeveral, locks[0], locks.join(", "));
    }
    main.extend(pyproject_main);
    if let Some(manifest) = manifest {
        python_imports(read, manifest, &main, &dev, found);
    }
}

/// Whether a requirement leaves one version alone.
fn is_exact(version: &str) -> bool {
    version.starts_with("==") && !PATTERNS.ranged.is_match(version) || version.starts_with('@')
}

/// Requirements without an exact version. A file that pip-compile or a lock tool wrote pins everything.
fn loose_requirements(tree: &Tree, main: &Names, found: &mut Found) {
    let locked = ["poetry.lock", "uv.lock", "Pipfile.lock", "pdm.lock"].iter().any(|l| tree.has(l));
    if locked || main.is_empty() {
        return;
    }
    let loose: Vec<&str> = main.iter().filter(|(_, v)| !is_exact(v)).map(|(n, _)| n.as_str()).collect();
    if !loose.is_empty() {
        found.add(SignWord::DependencyUnpinned, "requirements.txt", loose.join(", "));
        if loose.len() == main.len() {
            found.add(
                SignWord::LockMissing,
                "requirements.txt",
                "no version is exact, and there is no lock file",
            );
        }
    }
}

/// pyproject.toml against poetry.lock, uv.lock or pdm.lock.
fn python_lock(tree: &Tree, manifest: &str, wanted: &Names, found: &mut Found) {
    let lock = ["uv.lock", "poetry.lock", "pdm.lock"].into_iter().find(|lock| tree.has(lock));
    let Some(lock) = lock else {
        if !tree.has("requirements.txt") {
            found.add(SignWord::LockMissing, manifest, "no lock file beside pyproject.toml");
            let loose: Vec<&str> =
                wanted.iter().filter(|(_, v)| !v.starts_with("==")).map(|(n, _)| n.as_str()).collect();
            if !loose.is_empty() {
                found.add(SignWord::DependencyUnpinned, manifest, loose.join(", "));
            }
        }
        return;
    };
    let Some(table) = text(tree, lock).and_then(|t| t.parse::<Table>().ok()) else {
        found.add(SignWord::LockOutOfStep, lock, format!("{lock}: it does not parse"));
        return;
    };
    let packages: Vec<&Toml> = table.get("package").and_then(Toml::as_array).into_iter().flatten().collect();
    let version_of = |name: &str| {
        packages
            .iter()
            .find(|p| p.get("name").and_then(Toml::as_str).is_some_and(|n| normal(n) == name))
            .and_then(|p| p.get("version")?.as_str())
    };
    for (name, requirement) in wanted {
        match version_of(name) {
            None => {
                found.add(SignWord::LockOutOfStep, manifest, format!("{name}: not in the lock file ({lock})"))
            }
            Some(locked) => {
                if super::runtimes::satisfies(locked, requirement) == Some(false) {
                    found.add(
                        SignWord::LockOutOfStep,
                        manifest,
                        format!("{name}: {requirement} is asked for, {locked} is locked ({lock})"),
                    );
                }
            }
        }
    }
}

/// Import names whose package is called otherwise.
const OTHER_NAMES: &[(&str, &[&str])] = &[
    ("attr", &["attrs"]),
    ("bs4", &["beautifulsoup4"]),
    ("celery", &["celery"]),
    ("cv2", &["opencv-python", "opencv-python-headless", "opencv-contrib-python"]),
    ("crypto", &["pycryptodome", "pycrypto"]),
    ("dateutil", &["python-dateutil"]),
    ("decouple", &["python-decouple"]),
    ("docx", &["python-docx"]),
    ("dotenv", &["python-dotenv", "dotenv"]),
    ("environ", &["django-environ"]),
    ("corsheaders", &["django-cors-headers"]),
    ("flask-sqlalchemy", &["flask-sqlalchemy"]),
    ("git", &["gitpython"]),
    (
        "google",
        &[
            "google-cloud-storage",
            "google-api-python-client",
            "google-auth",
            "protobuf",
            "google-generativeai",
            "google-genai",
        ],
    ),
    ("jose", &["python-jose"]),
    ("jwt", &["pyjwt"]),
    ("magic", &["python-magic"]),
    ("multipart", &["python-multipart"]),
    ("mysqldb", &["mysqlclient"]),
    ("openssl", &["pyopenssl"]),
    ("pil", &["pillow"]),
    ("psycopg2", &["psycopg2", "psycopg2-binary"]),
    ("psycopg", &["psycopg", "psycopg-binary"]),
    ("rest-framework", &["djangorestframework"]),
    ("serial", &["pyserial"]),
    ("skimage", &["scikit-image"]),
    ("sklearn", &["scikit-learn"]),
    ("slugify", &["python-slugify"]),
    ("socketio", &["python-socketio"]),
    ("telegram", &["python-telegram-bot"]),
    ("yaml", &["pyyaml"]),
    ("zmq", &["pyzmq"]),
    ("pkg-resources", &["setuptools"]),
    ("mpl-toolkits", &["matplotlib"]),
    ("fitz", &["pymupdf"]),
    ("ldap", &["python-ldap"]),
    ("levenshtein", &["python-levenshtein", "levenshtein"]),
];

/// Packages that others bring along: an import of one is no sign while its bringer is declared.
const BROUGHT: &[(&str, &[&str])] = &[
    ("werkzeug", &["flask", "quart"]),
    ("jinja2", &["flask", "fastapi", "quart", "starlette", "ansible"]),
    ("markupsafe", &["flask", "jinja2"]),
    ("itsdangerous", &["flask"]),
    ("click", &["flask", "uvicorn", "celery", "typer"]),
    ("starlette", &["fastapi"]),
    ("pydantic", &["fastapi", "pydantic-settings", "openai", "langchain"]),
    ("anyio", &["fastapi", "starlette", "httpx"]),
    ("typing-extensions", &["fastapi", "pydantic", "sqlalchemy"]),
    ("sqlalchemy", &["flask-sqlalchemy", "sqlmodel", "alembic", "flask-migrate"]),
    ("alembic", &["flask-migrate"]),
    ("urllib3", &["requests", "boto3"]),
    ("certifi", &["requests", "httpx"]),
    ("botocore", &["boto3"]),
    ("asgiref", &["django"]),
    ("sqlparse", &["django"]),
    ("six", &["python-dateutil"]),
    (
        "numpy",
        &["pandas", "scipy", "scikit-learn", "matplotlib", "torch", "tensorflow", "opencv-python", "xgboost"],
    ),
    ("kombu", &["celery"]),
    ("h11", &["uvicorn", "httpx"]),
    ("httpx", &["openai", "anthropic"]),
    ("dateutil", &["pandas", "boto3", "matplotlib"]),
    ("pytz", &["django", "pandas"]),
    ("wtforms", &["flask-wtf"]),
    ("setuptools", &[]),
];

/// Modules of Python itself (docs.python.org/3/py-modindex.html), those since removed included.
const STANDARD: &str = "__future__ _thread abc aifc argparse array ast asynchat asyncio asyncore atexit audioop base64 bdb binascii bisect builtins bz2 cProfile calendar cgi cgitb chunk cmath cmd code codecs codeop collections colorsys compileall concurrent configparser contextlib contextvars copy copyreg crypt csv ctypes curses dataclasses datetime dbm decimal difflib dis distutils doctest email encodings ensurepip enum errno faulthandler fcntl filecmp fileinput fnmatch fractions ftplib functools gc getopt getpass gettext glob graphlib grp gzip hashlib heapq hmac html http idlelib imaplib imghdr imp importlib inspect io ipaddress itertools json keyword lib2to3 linecache locale logging lzma mailbox mailcap marshal math mimetypes mmap modulefinder msilib multiprocessing netrc nntplib numbers operator optparse os ossaudiodev pathlib pdb pickle pickletools pipes pkgutil platform plistlib poplib posix posixpath pprint profile pstats pty pwd py_compile pyclbr pydoc queue quopri random re readline reprlib resource rlcompleter runpy sched secrets select selectors shelve shlex shutil signal site smtpd smtplib sndhdr socket socketserver spwd sqlite3 ssl stat statistics string stringprep struct subprocess sunau symtable sys sysconfig syslog tabnanny tarfile telnetlib tempfile termios test textwrap threading time timeit tkinter token tokenize tomllib trace traceback tracemalloc tty turtle turtledemo types typing unicodedata unittest urllib uu uuid venv warnings wave weakref webbrowser winreg winsound wsgiref xdrlib xml xmlrpc zipapp zipfile zipimport zlib zoneinfo annotationlib compression";

fn python_imports(read: &Read<'_>, manifest: &str, main: &Names, dev: &Names, found: &mut Found) {
    static STDLIB: LazyLock<BTreeSet<&str>> = LazyLock::new(|| STANDARD.split(' ').collect());
    let tree = read.tree;
    let local: BTreeSet<String> = tree
        .files
        .iter()
        .filter(|f| f.path.ends_with(".py"))
        .flat_map(|f| {
            let stem = crate::tree::file_name(&f.path).trim_end_matches(".py").to_owned();
            f.path.split('/').map(str::to_owned).chain([stem])
        })
        .collect();
    let mut on_disk: HashMap<String, bool> = HashMap::new();
    let whole = all_installed(tree, manifest, main);
    for source in read.sources.iter().filter(|s| s.language == Language::Python && !is_tool(&s.path)) {
        for (module, offset, top) in uses::python_modules(source) {
            let first = module.split('.').next().unwrap_or_default();
            if first.is_empty() || STDLIB.contains(first) || local.contains(first) {
                continue;
            }
            // An import within a function may be one of several ways: it says something where the list holds everything that is installed.
            if !top && (whole.is_none() || is_guarded(source, offset)) {
                continue;
            }
            // A generated or linked package on disk is local too.
            let on_disk = *on_disk.entry(first.to_owned()).or_insert_with(|| {
                super::exists(tree, first)
                    || super::exists(tree, &format!("src/{first}"))
                    || super::exists(tree, &format!("{first}.py"))
            });
            if on_disk {
                continue;
            }
            let name = normal(first);
            let packages: Vec<String> = OTHER_NAMES
                .iter()
                .find(|(import, _)| *import == name)
                .map_or_else(|| vec![name.clone()], |(_, all)| all.iter().map(|p| (*p).to_owned()).collect());
            let in_list = |list: &Names| {
                packages.iter().any(|p| list.contains_key(p))
                    // Extensions are often called after what they extend: `flask_cors`, `django_filters`.
                    || list.keys().any(|k| k.replace('-', "") == name.replace('-', "") || k.strip_prefix("python-") == Some(&name) || k.strip_prefix("py") == Some(&name))
                    // Builds of one thing for several machines have a word more: `faiss-cpu`, `tensorflow-gpu`, `psycopg2-binary`.
                    || list.keys().any(|k| k.strip_prefix(name.as_str()).is_some_and(|rest| rest.starts_with('-')) || k.strip_suffix(name.as_str()).is_some_and(|rest| rest.ends_with('-')))
            };
            let installed =
                |all: &BTreeSet<String>| all.contains(&name) || packages.iter().any(|p| all.contains(p));
            if in_list(main) || (!top && whole.as_ref().is_some_and(installed)) {
                continue;
            }
            let brought = BROUGHT
                .iter()
                .find(|(p, _)| *p == name)
                .is_some_and(|(_, by)| by.is_empty() || by.iter().any(|b| main.contains_key(*b)));
            if brought {
                continue;
            }
            let shown = packages.first().cloned().unwrap_or_default();
            if in_list(dev) {
                found.add(SignWord::DevDependencyAtRuntime, source.place(offset), shown);
            } else {
                found.add(
                    SignWord::DependencyUndeclared,
                    source.place(offset),
                    format!("{shown} is not in {manifest}"),
                );
            }
        }
    }
}

/// Fewest requirements of a frozen environment: a server brings several packages of its own.
const FROZEN: usize = 5;

/// Everything that is installed, by normal names, where a lock file or a frozen list of requirements says so.
fn all_installed(tree: &Tree, manifest: &str, main: &Names) -> Option<BTreeSet<String>> {
    static NAME: LazyLock<Regex> = LazyLock::new(|| regex(r#"(?m)^name = "([^"]+)""#));
    for lock in ["poetry.lock", "uv.lock", "pdm.lock"] {
        if let Some(lock) = text(tree, lock) {
            return Some(NAME.captures_iter(&lock).map(|c| normal(&c[1])).collect());
        }
    }
    let frozen =
        manifest.ends_with(".txt") && main.len() >= FROZEN && main.values().all(|version| is_exact(version));
    frozen.then(|| main.keys().cloned().collect())
}

/// Whether an import stands below a condition, or below a `try` that may catch its failure, up to the function that holds it.
fn is_guarded(source: &Source, offset: usize) -> bool {
    let indent_of = |line: &str| line.len() - line.trim_start().len();
    let before = &source.code[..offset];
    let (above, own) = before.rsplit_once('\n').unwrap_or(("", before));
    let mut indent = indent_of(&format!("{own}x"));
    for line in above.lines().rev().filter(|line| !line.trim().is_empty()) {
        if indent_of(line) >= indent {
            continue;
        }
        indent = indent_of(line);
        let header = line.trim_start();
        if ["try", "except", "if ", "elif ", "else", "with suppress", "with contextlib"]
            .iter()
            .any(|word| header.starts_with(word))
        {
            return true;
        }
        if indent == 0 {
            break;
        }
    }
    false
}

/// Scripts that no server runs.
fn is_tool(path: &str) -> bool {
    path.split('/').any(|p| {
        matches!(
            p,
            "scripts" | "tools" | "docs" | "examples" | "notebooks" | "bench" | "migrations" | "alembic"
        )
    }) || matches!(path, "setup.py" | "noxfile.py" | "tasks.py" | "fabfile.py" | "conftest.py")
}

/// Classes of packages that Composer installs for development alone, named by code that production loads: Laravel and Symfony make
/// such classes when they start (getcomposer.org/doc/04-schema.md, require-dev and autoload).
fn php_classes(read: &Read<'_>, found: &mut Found) {
    let tree = read.tree;
    let Some(manifest) = text(tree, "composer.json").and_then(|t| serde_json::from_str::<Json>(&t).ok())
    else {
        return;
    };
    let dev = json_names(&manifest, "require-dev");
    if dev.is_empty() {
        return;
    }
    // The lock file says under which names a package's classes lie; without it they mostly lie under its own.
    let locked = text(tree, "composer.lock").and_then(|t| serde_json::from_str::<Json>(&t).ok());
    let locked = locked.as_ref().and_then(|lock| lock.get("packages-dev")).and_then(Json::as_array);
    let mut spaces: Vec<(String, &str)> = Vec::new();
    for package in dev.keys() {
        let of_lock =
            locked.into_iter().flatten().find(|of| of.get("name").and_then(Json::as_str) == Some(package));
        let psr4 = of_lock.and_then(|of| of.pointer("/autoload/psr-4")).and_then(Json::as_object);
        match psr4 {
            Some(names) => spaces.extend(names.keys().map(|name| (name.clone(), package.as_str()))),
            None => {
                let words =
                    |part: &str| part.split(['-', '_']).map(crate::signs::capital).collect::<String>();
                if let Some((vendor, name)) = package.split_once('/') {
                    spaces.push((format!("{}\\{}\\", words(vendor), words(name)), package));
                }
            }
        }
    }
    let loaded = |path: &str| {
        ["app/", "src/", "bootstrap/", "config/", "routes/"].iter().any(|folder| path.starts_with(folder))
    };
    for source in read
        .sources
        .iter()
        .filter(|s| s.language == Language::Php && loaded(&s.path) && !crate::source::is_test(&s.path))
    {
        // Who asks first may name what is not there, and so may whoever asks for the environment; what a class is made of is
        // needed whatever is asked in it.
        let asks = ["class_exists", "isLocal(", "environment('local')", "'dev' => true"]
            .iter()
            .any(|word| source.code.contains(word));
        let is_parent = |at: usize| {
            let named = source.code[at..].split([';', ' ', ':', '\n']).next().unwrap_or_default();
            let class = named.rsplit('\\').next().unwrap_or_default();
            !class.is_empty() && source.code.contains(&format!("extends {class}"))
        };
        for (space, package) in &spaces {
            let named = source
                .code
                .match_indices(space.as_str())
                .filter(|(at, _)| source.code[..*at].ends_with(['\\', ' ', '[', '(', ',', '\n', '\t']))
                .find(|(at, _)| !asks || is_parent(*at));
            if let Some((at, _)) = named {
                found.add(SignWord::DevDependencyAtRuntime, source.place(at), *package);
            }
        }
    }
}

/// Ruby and Rust.
fn others(tree: &Tree, found: &mut Found) {
    static GEM: LazyLock<Regex> = LazyLock::new(|| regex(r#"(?m)^\s*gem\s+["']([^"']+)["']"#));
    if let Some(gemfile) = text(tree, "Gemfile") {
        match text(tree, "Gemfile.lock") {
            Some(lock) => {
                let section = lock.split("DEPENDENCIES").nth(1).unwrap_or_default();
                for c in GEM.captures_iter(&gemfile) {
                    let listed = section
                        .lines()
                        .any(|l| l.trim().trim_end_matches('!').split(' ').next() == Some(&c[1]));
                    if !listed {
                        found.add(
                            SignWord::LockOutOfStep,
                            "Gemfile",
                            format!("{}: not in the lock file (Gemfile.lock)", &c[1]),
                        );
                    }
                }
            }
            None => found.add(SignWord::LockMissing, "Gemfile", "no Gemfile.lock beside Gemfile"),
        }
    }
    if let (Some(manifest), Some(lock)) = (text(tree, "Cargo.toml"), text(tree, "Cargo.lock"))
        && let Ok(table) = manifest.parse::<Table>()
    {
        for (name, value) in table.get("dependencies").and_then(Toml::as_table).into_iter().flatten() {
            let real = value.get("package").and_then(Toml::as_str).unwrap_or(name);
            if !lock.contains(&format!("name = \"{real}\"")) {
                found.add(
                    SignWord::LockOutOfStep,
                    "Cargo.toml",
                    format!("{real}: not in the lock file (Cargo.lock)"),
                );
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn locks_and_manifests() {
        let manifest = ("package.json", r#"{"dependencies":{"express":"^4.18.0","zod":"3.22.0"}}"#);
        let lock = r#"{"lockfileVersion":3,"packages":{"":{"dependencies":{"express":"^4.18.0"}}}}"#;
        has(&[manifest, ("package-lock.json", lock)], "lock-out-of-step zod: not in the lock file");
        let good =
            r#"{"lockfileVersion":3,"packages":{"":{"dependencies":{"express":"^4.18.0","zod":"3.22.0"}}}}"#;
        lacks(&[manifest, ("package-lock.json", good)], "lock-out-of-step");
        has(
            &[manifest, ("package-lock.json", good), ("yarn.lock", "express@^4.18.0:\nzod@3.22.0:\n")],
            "lock-several package-lock.json, yarn.lock",
        );
        has(&[manifest], "dependency-unpinned express");
        let pnpm = "lockfileVersion: '9.0'\nimporters:\n  .:\n    dependencies:\n      express:\n        specifier: ^4.17.0\n        version: 4.17.1\n      zod: {specifier: 3.22.0, version: 3.22.0}\n";
        has(
            &[manifest, ("pnpm-lock.yaml", pnpm)],
            "lock-out-of-step express: ^4.18.0 is asked for, ^4.17.0 is locked",
        );
        let poetry = "[tool.poetry.dependencies]\npython = \"^3.11\"\nflask = \"^3.0\"\nredis = \"^5.0\"\n";
        has(
            &[
                ("pyproject.toml", poetry),
                ("poetry.lock", "[[package]]\nname = \"flask\"\nversion = \"3.0.0\"\n"),
            ],
            "lock-out-of-step redis: not in the lock file",
        );
        has(
            &[
                ("pyproject.toml", poetry),
                (
                    "poetry.lock",
                    "[[package]]\nname = \"flask\"\nversion = \"2.0.0\"\n[[package]]\nname = \"redis\"\nversion = \"5.0.1\"\n",
                ),
            ],
            "lock-out-of-step flask: ^3.0 is asked for, 2.0.0",
        );
    }

    #[test]
    fn loose_and_exact_requirements() {
        has(&[("requirements.txt", "flask>=2\ngunicorn==22.0.0\n")], "dependency-unpinned flask");
        lacks(
            &[(
                "requirements.txt",
                "flask==3.0.0 ; python_version > '3.8'\ngunicorn==22.0.0 --hash=sha256:aa\n",
            )],
            "dependency-unpinned",
        );
    }

    #[test]
    fn imports_within_functions_count_where_everything_installed_is_listed() {
        let frozen = (
            "requirements.txt",
            "Flask==3.1.0\nblinker==1.9.0\nclick==8.1.7\ngunicorn==23.0.0\nWerkzeug==3.1.3\n",
        );
        let within = |line: &str| format!("def total():\n    rows = []\n{line}\n    return rows\n");
        let import = within("    from babel.numbers import format_currency");
        has(
            &[frozen, ("orders.py", &import)],
            "dependency-undeclared babel is not in requirements.txt @orders.py:3",
        );
        lacks(&[("requirements.txt", "flask\n"), ("orders.py", &import)], "dependency-undeclared");
        for fine in [
            "    try:\n        import babel\n    except ImportError:\n        babel = None",
            "    if rich:\n        import babel",
            "    import json",
            "    from werkzeug.utils import secure_filename",
        ] {
            lacks(&[frozen, ("orders.py", &within(fine))], "dependency-undeclared");
        }
        let lock = ("poetry.lock", "[[package]]\nname = \"Babel\"\nversion = \"2.16\"\n");
        let pyproject = ("pyproject.toml", "[tool.poetry.dependencies]\nflask = \"^3\"\n");
        lacks(&[pyproject, lock, ("orders.py", &import)], "dependency-undeclared");
        // A package that another one brings, under a name other than its module's.
        let brought = ("poetry.lock", "[[package]]\nname = \"pyyaml\"\nversion = \"6\"\n");
        lacks(&[pyproject, brought, ("orders.py", &within("    import yaml"))], "dependency-undeclared");
        has(
            &[pyproject, ("poetry.lock", "[[package]]\nname = \"flask\"\n"), ("orders.py", &import)],
            "dependency-undeclared babel is not in pyproject.toml",
        );
    }

    #[test]
    fn php_classes_of_development_packages() {
        let manifest = (
            "composer.json",
            "{\"require\":{\"laravel/framework\":\"^11\"},\"require-dev\":{\"laravel/telescope\":\"^5.2\",\"barryvdh/laravel-debugbar\":\"^3\"}}",
        );
        let provider =
            ("app/Providers/T.php", "<?php\nuse Laravel\\Telescope\\Telescope;\nclass T extends X {}\n");
        has(&[manifest, provider], "dev-dependency-at-runtime laravel/telescope @app/Providers/T.php:2");
        lacks(&[manifest, ("tests/TTest.php", provider.1)], "dev-dependency-at-runtime");
        lacks(
            &[
                manifest,
                ("app/P.php", "<?php\nif (class_exists(\\Laravel\\Telescope\\Telescope::class)) { x(); }\n"),
            ],
            "dev-dependency-at-runtime",
        );
        // As Laravel's documentation has it: registered where it is installed.
        let local = "<?php\nuse Laravel\\Telescope\\TelescopeServiceProvider;\nclass AppServiceProvider extends ServiceProvider {\n  function register() { if ($this->app->environment('local')) { x(TelescopeServiceProvider::class); } }\n}\n";
        lacks(&[manifest, ("app/Providers/A.php", local)], "dev-dependency-at-runtime");
        let made = "<?php\nuse Laravel\\Telescope\\TelescopeApplicationServiceProvider;\nclass T extends TelescopeApplicationServiceProvider {\n  function f() { return $this->app->environment('local'); }\n}\n";
        has(&[manifest, ("app/Providers/T.php", made)], "dev-dependency-at-runtime laravel/telescope");
        let lock = (
            "composer.lock",
            "{\"packages-dev\":[{\"name\":\"barryvdh/laravel-debugbar\",\"autoload\":{\"psr-4\":{\"Barryvdh\\\\Debugbar\\\\\":\"src/\"}}}]}",
        );
        has(
            &[
                manifest,
                lock,
                ("config/app.php", "<?php return [Barryvdh\\Debugbar\\ServiceProvider::class];\n"),
            ],
            "dev-dependency-at-runtime barryvdh/laravel-debugbar @config/app.php:1",
        );
    }

    #[test]
    fn what_runtime_code_imports() {
        let manifest = (
            "package.json",
            r#"{"dependencies":{"express":"1.0.0"},"devDependencies":{"dotenv":"1.0.0","vite":"1.0.0"},"scripts":{"start":"node server.js"}}"#,
        );
        has(
            &[manifest, ("server.js", "require('dotenv').config()\nconst e = require('express')\n")],
            "dev-dependency-at-runtime dotenv",
        );
        has(&[manifest, ("server.js", "const x = require('pg')\n")], "dependency-undeclared pg");
        lacks(
            &[
                manifest,
                ("server.js", "const e = require('express'), fs = require('fs'), q = require('node:path')\n"),
                ("vite.config.js", "import 'vite'\n"),
            ],
            "dev-dependency-at-runtime",
        );
        let python = ("requirements.txt", "flask==3.0.0\n");
        has(
            &[python, ("requirements-dev.txt", "requests==2.0\n"), ("app.py", "import requests\n")],
            "dev-dependency-at-runtime requests",
        );
        has(
            &[python, ("app.py", "import yaml\n")],
            "dependency-undeclared pyyaml is not in requirements.txt",
        );
        lacks(
            &[
                python,
                ("app.py", "import os, json\nfrom werkzeug import x\nfrom lib.a import b\n"),
                ("lib/a.py", ""),
            ],
            "dependency-undeclared",
        );
    }
}
