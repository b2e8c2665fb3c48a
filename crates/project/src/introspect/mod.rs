//! Asks the framework of a started application which routes it has registered.
//!
//! The process that listens tells how it was started: its interpreter, its arguments, its environment and its folder stand in
//! `/proc`, so that whatever led there (a shell, `npm start`, `poetry run`) need not be understood. The same interpreter then
//! loads the same application once more, in a process of its own that lists the routes and ends without serving. What the
//! application does when it is loaded it does once more, as it does in each worker of the server.
//!
//! Python: `routes.py` loads the application as its server would, and reads Flask's and Quart's `url_map`, Starlette's and
//! FastAPI's `routes`, Django's resolver. Node: `routes.js` is preloaded, and reads Express's routers, or what Fastify has told
//! of its routes, when the application would listen.

use std::ffi::{OsStr, OsString};
use std::fs;
use std::os::unix::ffi::{OsStrExt as _, OsStringExt as _};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use landfall_evidence::{RegisteredAnswer, RegisteredRoutes, Route, StartOutcome, redact_text};
use serde::Deserialize;
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::Command;

use crate::command::{parse_vector, quoted};
use crate::start::{MARK, Started, free_port, servers, sweep, without};
use crate::tests_run::run::{Group, Kept};

const PYTHON: &str = include_str!("routes.py");
const NODE: &str = include_str!("routes.js");

/// An answer of a thousand routes has some 200 KiB.
const MAX_ANSWER: u64 = 4 << 20;
/// How often we look whether the answer is there.
const TICK: Duration = Duration::from_millis(20);
/// Characters of a reason that are kept.
const MAX_REASON: usize = 300;

/// Asks the framework of a started application for its routes, at most for `limit`.
///
/// Never an error: what kept it from being asked, or from answering, stands in the answer.
pub async fn registered(started: &Started, limit: Duration) -> RegisteredRoutes {
    let not_asked = |reason: String| RegisteredRoutes {
        asked: String::new(),
        answer: RegisteredAnswer::NotAsked { reason },
    };
    if !matches!(started.run.outcome, StartOutcome::Ready { .. } | StartOutcome::Elsewhere { .. }) {
        return not_asked("the application did not come up".to_owned());
    }
    let mark = started.mark.clone();
    let found = tokio::task::spawn_blocking(move || {
        let all: Vec<Process> = servers(&mark).into_iter().filter_map(Process::read).collect();
        let told = all.iter().find_map(|process| Some((question(process).ok()?, process.clone())));
        told.ok_or_else(|| match all.first().map(question) {
            Some(Err(reason)) => reason,
            _ => "the process that listens cannot be looked at".to_owned(),
        })
    });
    let (question, process) = match found.await {
        Ok(Ok(found)) => found,
        Ok(Err(reason)) => return not_asked(mask(started, &reason)),
        Err(error) => return not_asked(error.to_string()),
    };
    let asked = mask(started, &question.shown);
    let answer = match put(&question, &process, started, limit).await {
        Ok(answer) => answer,
        Err(reason) => RegisteredAnswer::NotAsked { reason: mask(started, &reason) },
    };
    RegisteredRoutes { asked, answer }
}

fn mask(started: &Started, text: &str) -> String {
    let text = redact_text(&without(text, started.values.iter()));
    text.chars().take(MAX_REASON).collect()
}

/// A process as it was started.
#[derive(Debug, Clone)]
struct Process {
    arguments: Vec<String>,
    environment: Vec<(OsString, OsString)>,
    folder: PathBuf,
}

impl Process {
    /// `None` when it is gone, or belongs to somebody else.
    fn read(pid: u32) -> Option<Self> {
        let parts = |name: &str| -> Option<Vec<Vec<u8>>> {
            let mut bytes = fs::read(format!("/proc/{pid}/{name}")).ok()?;
            if bytes.last() == Some(&0) {
                bytes.pop();
            }
            Some(bytes.split(|b| *b == 0).map(<[u8]>::to_vec).collect())
        };
        let text = |part: &Vec<u8>| String::from_utf8_lossy(part).into_owned();
        let environment = parts("environ")?.into_iter().filter_map(|part| {
            let at = part.iter().position(|b| *b == b'=')?;
            Some((OsString::from_vec(part[..at].to_vec()), OsString::from_vec(part[at + 1..].to_vec())))
        });
        Some(Self {
            arguments: parts("cmdline")?.iter().map(text).collect(),
            environment: environment.collect(),
            folder: fs::read_link(format!("/proc/{pid}/cwd")).ok()?,
        })
    }

    fn variable(&self, name: &str) -> Option<&OsStr> {
        self.environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_os_str())
    }

    /// A program by the name under which the process was started, found as its own shell found it.
    fn program(&self, name: &str) -> Option<PathBuf> {
        let search: Vec<PathBuf> =
            self.variable("PATH").map(|path| std::env::split_paths(path).collect()).unwrap_or_default();
        crate::tests_run::run::find_program(&self.folder, name, &search)
    }
}

/// What to run, so that the framework tells.
#[derive(Debug, PartialEq, Eq)]
struct Question {
    language: Language,
    program: PathBuf,
    /// Behind the program: for Python the arguments of `routes.py`, for Node those of the process.
    arguments: Vec<String>,
    /// For a person.
    shown: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Language {
    Python,
    Node,
}

fn base_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// How a process of this command line is asked.
///
/// # Errors
/// In words, when no way is known.
fn question(process: &Process) -> Result<Question, String> {
    let (name, rest) =
        process.arguments.split_first().ok_or("the process that listens has no command line")?;
    let program = |name: &str| {
        process.program(name).ok_or_else(|| format!("{name}: the interpreter cannot be found again"))
    };
    let shown = |words: &[String]| {
        let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
        format!("{} {}", base_name(name), words.join(" "))
    };
    match base_name(name) {
        "node" | "nodejs" => Ok(Question {
            language: Language::Node,
            program: program(name)?,
            arguments: rest.to_vec(),
            shown: shown(rest),
        }),
        python if python.starts_with("python") || python.starts_with("pypy") => {
            let arguments = python_target(rest)?;
            Ok(Question {
                language: Language::Python,
                program: program(name)?,
                shown: shown(&arguments[1..2]),
                arguments,
            })
        }
        other => Err(format!("how a framework under {other} lists its routes is not known here")),
    }
}

/// From the arguments of an interpreter to those of `routes.py`: way, target, options.
fn python_target(arguments: &[String]) -> Result<Vec<String>, String> {
    let mut rest = arguments;
    let (server, rest) = loop {
        match rest {
            [flag, module, rest @ ..] if flag == "-m" => break (module.as_str(), rest),
            // These take a value of their own (docs.python.org/3/using/cmdline.html).
            [flag, _, more @ ..] if flag == "-X" || flag == "-W" => rest = more,
            [flag, more @ ..] if flag.starts_with('-') => rest = more,
            [script, more @ ..] => break (script.as_str(), more),
            [] => return Err("the interpreter was started without a script".to_owned()),
        }
    };
    let words = |all: &[&str]| -> Vec<String> { all.iter().map(|word| (*word).to_owned()).collect() };
    let after = |names: &[&str]| {
        let at = rest.iter().position(|word| names.contains(&word.as_str()))?;
        rest.get(at + 1).cloned()
    };
    let has = |name: &str| rest.iter().any(|word| word == name);
    let name = base_name(server);
    let target = || {
        // Hypercorn may be told the kind of the application in front of it.
        let bare = |word: &String| {
            ["asgi:", "wsgi:"].iter().find_map(|kind| word.strip_prefix(kind)).unwrap_or(word).to_owned()
        };
        let whole: Vec<String> = [name.to_owned()].into_iter().chain(rest.iter().map(bare)).collect();
        parse_vector(&whole).target.ok_or_else(|| format!("the command of {name} names no application"))
    };
    let mut said = match name {
        "flask" => words(&["flask", &target().unwrap_or_default()]),
        "gunicorn" => words(&["object", &target()?]),
        "uvicorn" | "hypercorn" | "daphne" | "granian" | "waitress-serve" => {
            words(&["object", &target()?, "default=app"])
        }
        "fastapi" => {
            let file = rest.iter().find(|word| word.ends_with(".py")).ok_or("fastapi was given no file")?;
            let (folder, stem) = file.rsplit_once('/').unwrap_or(("", file.as_str()));
            let module = format!("{}:app", stem.trim_end_matches(".py"));
            words(&["object", &module, "default=app", &format!("path={folder}")])
        }
        _ if name.ends_with(".py") || server.contains('/') => {
            let mut said = words(&["script", server, "--"]);
            said.extend(rest.iter().cloned());
            return Ok(said);
        }
        other => return Err(format!("how {other} finds its application is not known here")),
    };
    if has("--factory") || has("--call") {
        said.push("factory".to_owned());
    }
    if let Some(folders) = after(&["--app-dir", "--pythonpath"]) {
        said.extend(folders.split(',').map(|folder| format!("path={folder}")));
    }
    Ok(said)
}

/// The mark of one question; what carries it ends with the value.
struct Marked(String);

impl Marked {
    fn new() -> Self {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        Self(format!("routes-{}-{}", std::process::id(), COUNT.fetch_add(1, Ordering::Relaxed)))
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        sweep(&self.0);
    }
}

/// Puts the question and waits for the answer, at most `limit`.
///
/// # Errors
/// In words, when it could not be put: a fault on this side.
async fn put(
    question: &Question,
    process: &Process,
    started: &Started,
    limit: Duration,
) -> Result<RegisteredAnswer, String> {
    let scratch = tempfile::Builder::new()
        .prefix("landfall-routes-")
        .tempdir()
        .map_err(|error| format!("a temporary folder: {error}"))?;
    let answer = scratch.path().join("answer.json");
    let ours = |name: &str, text: &str| -> Result<PathBuf, String> {
        let file = scratch.path().join(name);
        fs::write(&file, text).map_err(|error| format!("{}: {error}", file.display()))?;
        Ok(file)
    };
    let mut command = Command::new(&question.program);
    match question.language {
        Language::Python => command.arg(ours("routes.py", PYTHON)?).arg(&answer),
        Language::Node => command.arg("--require").arg(ours("routes.js", NODE)?),
    };
    let (reader, writer) = std::io::pipe().map_err(|error| format!("a pipe: {error}"))?;
    let mut output =
        pipe::Receiver::from_owned_fd(reader.into()).map_err(|error| format!("a pipe: {error}"))?;
    let marked = Marked::new();
    command
        .args(&question.arguments)
        .current_dir(&process.folder)
        .env_clear()
        .envs(process.environment.iter().map(|(name, value)| (name, value)))
        // A script that listens in spite of us must not find the port of the one that serves.
        .env("PORT", free_port()?.to_string())
        .env(MARK, &marked.0)
        .env("LANDFALL_ROUTES", &answer)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(|error| format!("a pipe: {error}"))?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true);
    let child = command.spawn().map_err(|error| format!("{}: {error}", question.program.display()))?;
    drop(command);
    let mut group = Group::new(child);
    let (mut kept, mut open, mut buffer) = (Kept::default(), true, vec![0; 16 * 1024]);
    let deadline = tokio::time::sleep(limit);
    tokio::pin!(deadline);
    let late = loop {
        tokio::select! {
            read = output.read(&mut buffer), if open => match read {
                Ok(n) if n > 0 => kept.push(&buffer[..n]),
                _ => open = false,
            },
            () = group.exited() => break false,
            () = &mut deadline => break true,
            // One process of several may have answered, while another one goes on.
            () = tokio::time::sleep(TICK) => if answer.exists() { break false },
        }
    };
    let _ = group.end().await;
    drop(marked);
    if let Some(said) = read_answer(&answer)? {
        return Ok(understood(said, process, started));
    }
    Ok(match late {
        true => RegisteredAnswer::Silent { limit_us: u64::try_from(limit.as_micros()).unwrap_or(u64::MAX) },
        false => {
            let text = kept.text();
            let last = text.lines().rev().map(str::trim).find(|line| !line.is_empty());
            let reason = last.unwrap_or("it ended without a word");
            RegisteredAnswer::Failed { reason: mask(started, reason) }
        }
    })
}

/// What `routes.py` and `routes.js` write.
#[derive(Debug, Deserialize)]
#[serde(untagged)]
enum Said {
    Failed {
        failed: String,
    },
    Unknown {
        unknown: String,
    },
    Listed {
        framework: String,
        version: Option<String>,
        routes: Vec<SaidRoute>,
        opaque: Vec<String>,
        more: bool,
    },
}

#[derive(Debug, Deserialize)]
struct SaidRoute {
    path: String,
    methods: Vec<String>,
    handler: Option<String>,
    file: Option<String>,
    line: Option<u32>,
}

/// `None` when there is no answer.
fn read_answer(file: &Path) -> Result<Option<Said>, String> {
    use std::io::Read as _;
    let Ok(opened) = fs::File::open(file) else { return Ok(None) };
    let mut text = String::new();
    opened.take(MAX_ANSWER).read_to_string(&mut text).map_err(|error| format!("the answer: {error}"))?;
    serde_json::from_str(&text).map(Some).map_err(|error| format!("the answer: {error}"))
}

fn understood(said: Said, process: &Process, started: &Started) -> RegisteredAnswer {
    match said {
        Said::Failed { failed } => RegisteredAnswer::Failed { reason: mask(started, &failed) },
        Said::Unknown { unknown } => RegisteredAnswer::NotAsked {
            reason: mask(started, &format!("its routes cannot be listed here: {unknown}")),
        },
        Said::Listed { framework, version, routes, mut opaque, more } => {
            for prefix in &mut opaque {
                if let Some(before) = before_a_value(prefix, &started.values) {
                    *prefix = before;
                }
            }
            opaque.extend(routes.iter().filter_map(|route| before_a_value(&route.path, &started.values)));
            opaque.sort();
            opaque.dedup();
            let told = routes.into_iter().filter(|r| before_a_value(&r.path, &started.values).is_none());
            let routes = told.map(|route| Route {
                methods: route.methods,
                path: route.path,
                place: place(route.file.as_deref(), route.line, &process.folder, &started.folder)
                    .or(route.handler)
                    .unwrap_or_default(),
            });
            RegisteredAnswer::Listed { framework, version, routes: routes.collect(), opaque, more }
        }
    }
}

/// What of a path lies before a value that the process was given, where it has one: a path may be made with a secret (a
/// webhook's token), which must not be told. Below what is left, nothing is known of the routes.
fn before_a_value(path: &str, values: &[String]) -> Option<String> {
    let mut told = String::new();
    for part in path.split_inclusive('/') {
        told.push_str(part);
        if without(&told, values.iter()) != told {
            told.truncate(told.len() - part.len());
            return Some(told);
        }
    }
    None
}

/// `file:line` of a handler that is the project's own.
fn place(file: Option<&str>, line: Option<u32>, folder: &Path, root: &Path) -> Option<String> {
    let whole = folder.join(file?).canonicalize().ok()?;
    let inside = whole.strip_prefix(root).ok()?;
    // Packages that lie in the folder are not the project.
    let foreign = inside.components().any(|part| {
        matches!(part.as_os_str().as_bytes(), b"site-packages" | b"dist-packages" | b"node_modules")
    });
    (!foreign).then(|| format!("{}:{}", inside.display(), line.unwrap_or(1)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(command: &str) -> String {
        let arguments: Vec<String> = command.split(' ').map(str::to_owned).collect();
        match python_target(&arguments) {
            Ok(words) => words.join(" "),
            Err(reason) => format!("({reason})"),
        }
    }

    #[test]
    fn every_server_says_which_application_it_serves() {
        for (command, expected) in [
            ("/v/bin/gunicorn --bind 0.0.0.0:80 -w 2 run:app", "object run:app"),
            ("/v/bin/gunicorn -k uvicorn.workers.UvicornWorker pkg.main:app", "object pkg.main:app"),
            ("-m gunicorn --pythonpath src pkg.wsgi", "object pkg.wsgi path=src"),
            ("/v/bin/gunicorn run:create_app()", "object run:create_app()"),
            ("-u -X dev -m uvicorn --factory main:make --port 1", "object main:make default=app factory"),
            ("/v/bin/uvicorn --app-dir api main:app", "object main:app default=app path=api"),
            ("/v/bin/hypercorn asgi:main:app", "object main:app default=app"),
            ("/v/bin/flask --app site run -p 80", "flask site"),
            ("-m flask run", "flask "),
            ("/v/bin/fastapi run app/main.py --port 80", "object main:app default=app path=app"),
            ("app.py --debug", "script app.py -- --debug"),
            ("manage.py runserver 80", "script manage.py -- runserver 80"),
            ("/v/bin/gunicorn -c gunicorn.conf.py", "(the command of gunicorn names no application)"),
            ("-m celery worker", "(how celery finds its application is not known here)"),
        ] {
            assert_eq!(asked(command), expected, "{command}");
        }
    }

    #[test]
    fn a_path_made_with_a_value_is_told_up_to_it() {
        let values = ["tok-5f3a9c21".to_owned(), "80".to_owned()];
        assert_eq!(before_a_value("/hooks/tok-5f3a9c21/paid", &values).as_deref(), Some("/hooks/"));
        assert_eq!(before_a_value("/tok-5f3a9c21", &values).as_deref(), Some("/"));
        assert_eq!(before_a_value("/items/80", &values), None, "too short for a secret");
    }

    #[test]
    fn another_interpreter_is_not_asked() {
        let process = Process {
            arguments: vec!["/usr/bin/ruby".into(), "bin/puma".into()],
            environment: Vec::new(),
            folder: "/".into(),
        };
        assert!(question(&process).unwrap_err().contains("under ruby"));
    }
}
