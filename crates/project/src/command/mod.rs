//! What a start command says: which server, on which address and port, with which settings.

mod words;

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::{PortSetting, ServerSetting, StartCommand, redact_text};
use regex::Regex;

pub(crate) use words::{Piece, Word, commands};

/// A start command with what the evidence has no field for.
#[derive(Debug, Clone)]
pub(crate) struct Parsed {
    pub(crate) start: StartCommand,
    /// What is served: `run:app` for a Python server, a file for an interpreter.
    pub(crate) target: Option<String>,
}

/// An option: its spellings, and the setting that it is.
struct Flag {
    names: &'static [&'static str],
    setting: &'static str,
}

const fn flag(names: &'static [&'static str], setting: &'static str) -> Flag {
    Flag { names, setting }
}

/// A server program. Settings named `bind`, `host` and `port` become the address; the others are kept by name.
struct Server {
    name: &'static str,
    flags: &'static [Flag],
}

/// Options as each server documents them. `-p` means a port to some and processes to others, so each has its own list.
const SERVERS: &[Server] = &[
    Server {
        name: "gunicorn",
        flags: &[
            flag(&["--bind", "-b"], "bind"),
            flag(&["--workers", "-w"], "workers"),
            flag(&["--threads"], "threads"),
            flag(&["--timeout", "-t"], "timeout_s"),
            flag(&["--graceful-timeout"], "graceful_timeout_s"),
            flag(&["--keep-alive"], "keep_alive_s"),
            flag(&["--worker-class", "-k"], "worker_class"),
            flag(&["--max-requests"], "max_requests"),
            flag(&["--config", "-c"], "config"),
        ],
    },
    Server {
        name: "uvicorn",
        flags: &[
            flag(&["--host"], "host"),
            flag(&["--port"], "port"),
            flag(&["--workers"], "workers"),
            flag(&["--timeout-keep-alive"], "keep_alive_s"),
        ],
    },
    Server {
        name: "hypercorn",
        flags: &[
            flag(&["--bind", "-b"], "bind"),
            flag(&["--workers", "-w"], "workers"),
            flag(&["--worker-class", "-k"], "worker_class"),
            flag(&["--keep-alive"], "keep_alive_s"),
        ],
    },
    Server {
        name: "uwsgi",
        flags: &[
            flag(&["--http-socket", "--http", "--socket", "-s"], "bind"),
            flag(&["--processes", "--workers", "-p"], "workers"),
            flag(&["--threads"], "threads"),
            flag(&["--harakiri"], "timeout_s"),
        ],
    },
    Server { name: "daphne", flags: &[flag(&["--bind", "-b"], "host"), flag(&["--port", "-p"], "port")] },
    Server {
        name: "waitress-serve",
        flags: &[
            flag(&["--listen"], "bind"),
            flag(&["--host"], "host"),
            flag(&["--port"], "port"),
            flag(&["--threads"], "threads"),
        ],
    },
    Server {
        name: "granian",
        flags: &[flag(&["--host"], "host"), flag(&["--port"], "port"), flag(&["--workers"], "workers")],
    },
    Server { name: "flask", flags: &[flag(&["--host", "-h"], "host"), flag(&["--port", "-p"], "port")] },
    Server {
        name: "fastapi",
        flags: &[flag(&["--host"], "host"), flag(&["--port"], "port"), flag(&["--workers"], "workers")],
    },
    Server { name: "runserver", flags: &[] },
    Server { name: "next", flags: &[flag(&["--hostname", "-H"], "host"), flag(&["--port", "-p"], "port")] },
    Server {
        name: "puma",
        flags: &[
            flag(&["--bind", "-b"], "bind"),
            flag(&["--port", "-p"], "port"),
            flag(&["--workers", "-w"], "workers"),
            flag(&["--threads", "-t"], "threads"),
        ],
    },
    Server { name: "rails", flags: &[flag(&["--binding", "-b"], "host"), flag(&["--port", "-p"], "port")] },
];

/// Programs that run the project's own code, in which the address is usually set.
const INTERPRETERS: &[&str] =
    &["python", "node", "npm", "yarn", "pnpm", "bun", "deno", "ruby", "java", "go", "php", "cargo"];

const GENERIC: Server = Server {
    name: "",
    flags: &[
        flag(&["--bind", "--listen"], "bind"),
        flag(&["--host"], "host"),
        flag(&["--port", "-p"], "port"),
    ],
};

/// Reads a command that a shell runs.
pub(crate) fn parse_shell(script: &str) -> Parsed {
    let script = script.trim();
    from_commands(one_line(script), true, &commands(script))
}

/// Reads an argument vector. `["sh", "-c", SCRIPT]` is a shell's command; anything else is run as it stands.
pub(crate) fn parse_vector(arguments: &[String]) -> Parsed {
    let raw = one_line(&arguments.iter().map(|a| quoted(a)).collect::<Vec<_>>().join(" "));
    let words: Vec<Word> = arguments.iter().map(|a| Word::from_argument(a)).collect();
    from_commands(raw, false, &[words])
}

fn from_commands(raw: String, shell: bool, commands: &[Vec<Word>]) -> Parsed {
    let mut assigned = BTreeMap::new();
    let mut best: Option<(u8, Found)> = None;
    read_commands(commands, shell, &mut assigned, &mut best, 0);
    let start = StartCommand {
        raw: redact_text(&raw),
        shell,
        server: None,
        bind_host: None,
        bind_port: PortSetting::Unsaid,
        settings: Vec::new(),
    };
    match best {
        Some((_, found)) => {
            Parsed { start: StartCommand { raw: start.raw, ..found.start }, target: found.target }
        }
        None => Parsed { start, target: None },
    }
}

struct Found {
    start: StartCommand,
    target: Option<String>,
}

/// Looks through a list of commands for the one that serves: an application server before an interpreter before
/// anything else, the later one among equals, since what comes first prepares.
fn read_commands(
    commands: &[Vec<Word>],
    shell: bool,
    assigned: &mut BTreeMap<String, String>,
    best: &mut Option<(u8, Found)>,
    depth: u8,
) {
    for words in commands {
        let words = strip_wrappers(words, assigned);
        let Some(program) = words.first().and_then(Word::plain).map(base_name) else { continue };
        if matches!(program, "sh" | "bash" | "ash" | "dash" | "zsh") && depth < 4 {
            // `-c`, also inside a cluster such as `-lc`.
            let flag = |w: &Word| {
                w.plain().is_some_and(|t| t.starts_with('-') && !t.starts_with("--") && t.ends_with('c'))
            };
            if let Some(script) = words.iter().position(flag).and_then(|at| words.get(at + 1)) {
                read_commands(&self::commands(&script.script()), true, assigned, best, depth + 1);
                continue;
            }
        }
        let (rank, found) = read_simple(program, &words, shell, assigned);
        if best.as_ref().is_none_or(|(other, _)| rank >= *other) {
            *best = Some((rank, found));
        }
    }
}

/// Removes what only wraps another command, and notes assignments that later commands see.
fn strip_wrappers(words: &[Word], assigned: &mut BTreeMap<String, String>) -> Vec<Word> {
    let mut rest = words;
    loop {
        let Some(first) = rest.first() else { return Vec::new() };
        if let Some((name, value)) = assignment(first) {
            // Before a command the assignment is for that command alone, so it does not change how its words expand.
            if rest.len() == 1 {
                assigned.insert(name, value);
            }
            rest = &rest[1..];
            continue;
        }
        let skip = match first.plain().map(base_name) {
            Some("exec" | "env" | "nohup" | "time" | "command" | "dumb-init" | "tini") => 1,
            Some("export") => {
                for (name, value) in rest.iter().filter_map(assignment) {
                    assigned.insert(name, value);
                }
                return Vec::new();
            }
            Some("poetry" | "pipenv" | "uv" | "pdm" | "hatch" | "rye") if is(rest.get(1), "run") => 2,
            Some("bundle") if is(rest.get(1), "exec") => 2,
            Some("npx" | "bunx") => 1,
            Some(
                "doppler"
                | "dotenv"
                | "infisical"
                | "opentelemetry-instrument"
                | "newrelic-admin"
                | "ddtrace-run",
            ) => match rest.iter().position(|w| is(Some(w), "--")) {
                Some(at) => at + 1,
                None if is(rest.get(1), "run-program") => 2,
                None => 1,
            },
            _ => return rest.to_vec(),
        };
        rest = rest.get(skip..).unwrap_or_default();
        // `tini --` and `env -i` put their own options before the command.
        while rest.first().and_then(Word::plain).is_some_and(|t| t.starts_with('-')) {
            rest = &rest[1..];
        }
    }
}

fn is(word: Option<&Word>, text: &str) -> bool {
    word.and_then(Word::plain) == Some(text)
}

fn assignment(word: &Word) -> Option<(String, String)> {
    let script = word.script();
    let (name, value) = script.split_once('=')?;
    let good = !name.is_empty()
        && !name.starts_with(|c: char| c.is_ascii_digit())
        && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_');
    good.then(|| (name.to_owned(), value.to_owned()))
}

fn base_name(program: &str) -> &str {
    program.rsplit('/').next().unwrap_or(program)
}

fn read_simple(
    program: &str,
    words: &[Word],
    shell: bool,
    assigned: &BTreeMap<String, String>,
) -> (u8, Found) {
    let is_python = program.starts_with("python");
    // `python -m gunicorn …` is `gunicorn …`; `python manage.py runserver …` is Django's own server.
    let mut program = program;
    let mut arguments = &words[1..];
    if is_python {
        while arguments.first().and_then(Word::plain).is_some_and(|t| t.starts_with('-') && t != "-m") {
            arguments = &arguments[1..];
        }
        if is(arguments.first(), "-m") {
            if let Some(module) = arguments.get(1).and_then(Word::plain) {
                program = module;
                arguments = &arguments[2..];
            }
        } else if is(arguments.get(1), "runserver") {
            program = "runserver";
            arguments = &arguments[2..];
        }
    }
    let runs_server = match program {
        // Without their verb these are tools: `flask db upgrade`, `next build`.
        "flask" => arguments.iter().any(|w| is(Some(w), "run")),
        "fastapi" => arguments.iter().any(|w| is(Some(w), "run") || is(Some(w), "dev")),
        "next" => arguments.iter().any(|w| is(Some(w), "start") || is(Some(w), "dev")),
        "rails" => arguments.iter().any(|w| is(Some(w), "server") || is(Some(w), "s")),
        _ => true,
    };
    let server = SERVERS.iter().find(|s| s.name == program).filter(|_| runs_server);
    let interpreter = INTERPRETERS.iter().find(|i| **i == program || (is_python && **i == "python"));
    let (rank, known) = match (server, interpreter) {
        (Some(server), _) => (3, server),
        (None, Some(_)) => (2, &GENERIC),
        (None, None)
            if matches!(
                program,
                "cd" | "echo" | "mkdir" | "set" | "test" | "[" | "source" | "." | "export"
            ) =>
        {
            (0, &GENERIC)
        }
        (None, None) => (1, &GENERIC),
    };
    let mut start = StartCommand {
        raw: String::new(),
        shell,
        server: server.map(|s| s.name).or(interpreter.copied()).map(str::to_owned),
        bind_host: None,
        bind_port: PortSetting::Unsaid,
        settings: Vec::new(),
    };
    read_flags(known, arguments, assigned, &mut start);
    let positional = arguments.iter().find(|w| !w.script().starts_with('-'));
    if let ("runserver", Some(address)) = (program, positional) {
        let address = resolve(address, assigned);
        // A bare port is allowed here: `runserver 8000`.
        if let Some(port) = port_of(&address) {
            start.bind_port = port;
        } else {
            bind(&address, &mut start);
        }
    }
    let target = match (server, interpreter) {
        (Some(server), _) => match server.name {
            "flask" => arguments
                .iter()
                .position(|w| is(Some(w), "--app") || is(Some(w), "-A"))
                .and_then(|at| arguments.get(at + 1)?.plain())
                .map(str::to_owned),
            "runserver" | "next" | "puma" | "rails" | "fastapi" => None,
            _ => served(arguments),
        },
        (None, Some(_)) => arguments
            .iter()
            .filter_map(Word::plain)
            .find(|w| w.contains('.') && !w.starts_with('-'))
            .map(str::to_owned),
        _ => None,
    };
    (rank, Found { start, target })
}

fn read_flags(
    server: &Server,
    arguments: &[Word],
    assigned: &BTreeMap<String, String>,
    start: &mut StartCommand,
) {
    let mut i = 0;
    while i < arguments.len() {
        let hit = server.flags.iter().find_map(|flag| {
            flag.names.iter().find_map(|name| {
                if is(arguments.get(i), name) {
                    return arguments.get(i + 1).map(|value| (flag, value.clone(), 2));
                }
                let attached = if name.starts_with("--") { format!("{name}=") } else { (*name).to_owned() };
                // `-w4`: a short option may carry its value; `-workers` is somebody's typing error and not `-w orkers`.
                let value = arguments[i].strip_prefix(&attached)?;
                let short = !name.starts_with("--");
                (!short
                    || value
                        .script()
                        .starts_with(|c: char| c.is_ascii_digit() || matches!(c, '$' | ':' | '[')))
                .then_some((flag, value, 1))
            })
        });
        let Some((flag, value, used)) = hit else {
            i += 1;
            continue;
        };
        i += used;
        let value = resolve(&value, assigned);
        match flag.setting {
            "bind" => bind(&value, start),
            "host" => start.bind_host = Some(value.script()),
            "port" => start.bind_port = port_of(&value).unwrap_or_default(),
            name => start.settings.push(setting(name, &value)),
        }
    }
}

/// The word with variables that earlier commands of the same script have set replaced by their values.
fn resolve(word: &Word, assigned: &BTreeMap<String, String>) -> Word {
    if assigned.is_empty() {
        return word.clone();
    }
    let script: String = word
        .0
        .iter()
        .map(|piece| match piece {
            Piece::Variable { name, .. } => {
                assigned.get(name).cloned().unwrap_or_else(|| Word(vec![piece.clone()]).script())
            }
            Piece::Text(text) => text.clone(),
        })
        .collect();
    Word::from_argument(&script)
}

fn setting(name: &str, value: &Word) -> ServerSetting {
    let (value, variable) = match value.0.as_slice() {
        [Piece::Variable { name, default }] => (default.clone(), Some(name.clone())),
        _ => (Some(value.script()), None),
    };
    ServerSetting { name: name.to_owned(), value, variable }
}

fn port_of(word: &Word) -> Option<PortSetting> {
    match word.0.as_slice() {
        [Piece::Text(text)] => text.parse().ok().map(|port| PortSetting::Literal { port }),
        [Piece::Variable { name, default }] => Some(PortSetting::Variable {
            name: name.clone(),
            default: default.as_deref().and_then(|d| d.parse().ok()),
        }),
        _ => None,
    }
}

/// Reads an address: `HOST:PORT`, `:PORT`, `*:PORT`, `[::]:PORT`, `tcp://HOST:PORT`, `unix:PATH`, any part a variable.
fn bind(word: &Word, start: &mut StartCommand) {
    let word = ["tcp://", "http://"]
        .iter()
        .find_map(|scheme| word.strip_prefix(scheme))
        .unwrap_or_else(|| word.clone());
    if ["unix:", "fd://"].iter().any(|scheme| word.strip_prefix(scheme).is_some()) {
        start.bind_host = Some(word.script());
        start.bind_port = PortSetting::Unsaid;
        return;
    }
    let any = |host: &str| match host {
        "" | "*" => "0.0.0.0".to_owned(),
        host => host.to_owned(),
    };
    match word.0.as_slice() {
        // The whole address in one variable: its default tells the usual port, the variable decides.
        [Piece::Variable { name, default }] => {
            let (host, port) = default.as_deref().and_then(|d| d.rsplit_once(':')).unzip();
            start.bind_host = host.map(any);
            start.bind_port =
                PortSetting::Variable { name: name.clone(), default: port.and_then(|p| p.parse().ok()) };
        }
        [before @ .., Piece::Variable { name, default }] => {
            let host = Word(before.to_vec()).script();
            start.bind_host = Some(any(host.strip_suffix(':').unwrap_or(&host)));
            start.bind_port = PortSetting::Variable {
                name: name.clone(),
                default: default.as_deref().and_then(|d| d.parse().ok()),
            };
        }
        _ => {
            let text = word.script();
            match text.rsplit_once(':').map(|(host, port)| (host, port.parse())) {
                Some((host, Ok(port))) => {
                    start.bind_host = Some(any(host));
                    start.bind_port = PortSetting::Literal { port };
                }
                _ => start.bind_host = Some(text),
            }
        }
    }
}

/// The application that a Python server is told to serve: `run:app`, `pkg.wsgi`.
fn served(arguments: &[Word]) -> Option<String> {
    static OBJECT: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[A-Za-z_][\w.]*:[A-Za-z_][\w.]*(?:\(.*\))?$")
            .expect("the pattern is a constant and covered by tests")
    });
    static MODULE: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^[A-Za-z_][\w.]*$").expect("the pattern is a constant and covered by tests")
    });
    // A word with a variable in it is never the target, but it keeps its place.
    let plain: Vec<&str> = arguments.iter().map(|w| w.plain().unwrap_or("$")).collect();
    if let Some(object) = plain.iter().find(|w| OBJECT.is_match(w)) {
        return Some((*object).to_owned());
    }
    // A module alone stands first or last; in between it could be the value of an option.
    let first = plain.first().filter(|w| MODULE.is_match(w));
    let last = plain
        .last()
        .filter(|w| MODULE.is_match(w) && !plain.iter().rev().nth(1).is_some_and(|p| p.starts_with('-')));
    first.or(last).map(|w| (*w).to_owned())
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// An argument as a person would type it in a shell.
pub(crate) fn quoted(argument: &str) -> String {
    let safe = |b: u8| b.is_ascii_alphanumeric() || b"-_=+:,./@%".contains(&b);
    if !argument.is_empty() && argument.bytes().all(safe) {
        argument.to_owned()
    } else {
        format!("'{}'", argument.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(parsed: &Parsed) -> String {
        let start = &parsed.start;
        let settings: Vec<String> = start
            .settings
            .iter()
            .map(|s| {
                format!(
                    "{}={}/{}",
                    s.name,
                    s.value.as_deref().unwrap_or("?"),
                    s.variable.as_deref().unwrap_or("-")
                )
            })
            .collect();
        format!(
            "{} {} {} {} [{}] {}",
            if start.shell { "shell" } else { "vector" },
            start.server.as_deref().unwrap_or("-"),
            start.bind_host.as_deref().unwrap_or("-"),
            start.bind_port,
            settings.join(" "),
            parsed.target.as_deref().unwrap_or("-"),
        )
    }

    fn shell(script: &str, expected: &str) {
        assert_eq!(shown(&parse_shell(script)), expected, "{script}");
    }

    fn vector(arguments: &[&str], expected: &str) {
        let arguments: Vec<String> = arguments.iter().map(|a| (*a).to_owned()).collect();
        assert_eq!(shown(&parse_vector(&arguments)), expected, "{arguments:?}");
    }

    #[test]
    fn gunicorn_in_its_many_spellings() {
        shell(
            "gunicorn --workers ${GUNICORN_WORKERS:-2} --threads ${GUNICORN_THREADS:-4} --timeout ${GUNICORN_TIMEOUT:-30} --bind 0.0.0.0:${PORT:-5000} run:app",
            "shell gunicorn 0.0.0.0 ${PORT:-5000} [workers=2/GUNICORN_WORKERS threads=4/GUNICORN_THREADS timeout_s=30/GUNICORN_TIMEOUT] run:app",
        );
        shell("gunicorn -w4 -b :$PORT app.wsgi", "shell gunicorn 0.0.0.0 $PORT [workers=4/-] app.wsgi");
        shell(
            "python3 -m gunicorn --bind=[::]:8000 a.b:create_app()",
            "shell gunicorn [::] 8000 [] a.b:create_app",
        );
        shell(
            "python3 -m gunicorn --bind=[::]:8000 'a.b:create_app()'",
            "shell gunicorn [::] 8000 [] a.b:create_app()",
        );
        shell("gunicorn run:app", "shell gunicorn - not said [] run:app");
        shell("gunicorn --bind unix:/run/a.sock x:y", "shell gunicorn unix:/run/a.sock not said [] x:y");
        shell("gunicorn -b $BIND x:y", "shell gunicorn - $BIND [] x:y");
        shell("gunicorn -b ${BIND:-0.0.0.0:9000} x:y", "shell gunicorn 0.0.0.0 ${BIND:-9000} [] x:y");
    }

    #[test]
    fn vectors_do_not_expand_unless_a_shell_is_called() {
        vector(
            &["gunicorn", "--bind", "0.0.0.0:${PORT:-5000}", "run:app"],
            "vector gunicorn 0.0.0.0 ${PORT:-5000} [] run:app",
        );
        vector(
            &["sh", "-c", "gunicorn --bind 0.0.0.0:${PORT:-5000} run:app"],
            "shell gunicorn 0.0.0.0 ${PORT:-5000} [] run:app",
        );
        vector(
            &["/bin/bash", "-lc", "exec gunicorn -b 0.0.0.0:5000 run:app"],
            "shell gunicorn 0.0.0.0 5000 [] run:app",
        );
    }

    #[test]
    fn chains_prefixes_and_assignments() {
        shell(
            "cd api && flask db upgrade && exec poetry run gunicorn --bind 0.0.0.0:8080 x:y",
            "shell gunicorn 0.0.0.0 8080 [] x:y",
        );
        shell("export PORT=5000; gunicorn -b 0.0.0.0:$PORT x:y", "shell gunicorn 0.0.0.0 5000 [] x:y");
        shell(
            "A=1 B='2 3' uvicorn main:app --host 0.0.0.0 --port 80",
            "shell uvicorn 0.0.0.0 80 [] main:app",
        );
        shell("tini -- gunicorn -b 0.0.0.0:80 x:y", "shell gunicorn 0.0.0.0 80 [] x:y");
        shell("gunicorn x:y & nginx -g 'daemon off;'", "shell gunicorn - not said [] x:y");
        shell("bash -c \"gunicorn -b 0.0.0.0:$PORT x:y\"", "shell gunicorn 0.0.0.0 $PORT [] x:y");
    }

    #[test]
    fn other_servers_and_interpreters() {
        shell("flask --app run run -h 0.0.0.0 -p 5000", "shell flask 0.0.0.0 5000 [] run");
        shell("python manage.py runserver 0.0.0.0:8000", "shell runserver 0.0.0.0 8000 [] -");
        shell("python manage.py migrate && python manage.py runserver $PORT", "shell runserver - $PORT [] -");
        shell("python run.py", "shell python - not said [] run.py");
        shell("node --enable-source-maps server.js", "shell node - not said [] server.js");
        shell("npm start", "shell npm - not said [] -");
        shell(
            "uwsgi --http :8000 --processes 4 --threads 2",
            "shell uwsgi 0.0.0.0 8000 [workers=4/- threads=2/-] -",
        );
        shell("hypercorn -b 0.0.0.0:80 a:b", "shell hypercorn 0.0.0.0 80 [] a:b");
        shell("next start -p ${PORT:-3000}", "shell next - ${PORT:-3000} [] -");
        shell("./server --port 8080", "shell - - 8080 [] -");
        shell("", "shell - - not said [] -");
    }

    #[test]
    fn a_secret_in_the_command_is_masked() {
        let parsed = parse_shell("API_TOKEN=abcdef123456 gunicorn run:app");
        assert!(!parsed.start.raw.contains("abcdef123456"), "{}", parsed.start.raw);
    }
}
