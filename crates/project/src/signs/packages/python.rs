//! pip, Poetry, uv and PDM: requirements and lock file, and what modules import.

use std::collections::{BTreeSet, HashMap};
use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;
use serde_json::Value as Json;
use toml::{Table, Value as Toml};

use super::super::{Found, Read, regex, text, uses};
use super::{is_tool, normal};
use crate::source::{Language, Source};
use crate::stack::Names;
use crate::tree::Tree;

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
            if let Some(path) = super::super::beside(file, other.trim_start_matches(['=', ' '])) {
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

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
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
                if super::super::runtimes::satisfies(locked, requirement) == Some(false) {
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
                super::super::exists(tree, first)
                    || super::super::exists(tree, &format!("src/{first}"))
                    || super::super::exists(tree, &format!("{first}.py"))
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
