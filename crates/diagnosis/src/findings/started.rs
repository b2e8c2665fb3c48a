//! What became of the application when it was started as its platform would start it.

use landfall_evidence::{Exit, StartOutcome, StartRun};

use super::{codes, raise};
use crate::Finding;
use crate::case::Case;
use crate::words::in_words;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let Some((observation, project)) = case.evidence().project() else { return Vec::new() };
    let Some(run) = &project.started else { return Vec::new() };
    let proof = || vec![observation.id.clone()];
    let mut found = Vec::new();
    match &run.outcome {
        StartOutcome::Ready { .. } => {
            if let Some(only) = loopback_only(run) {
                found.push(raise(
                    &codes::LOCAL_ELSEWHERE,
                    format!("Started as {} says, the server listens on {only} only", run.file),
                    "Nothing outside of its own container reaches it.",
                    "Bind 0.0.0.0 or [::].",
                    proof(),
                ));
            }
        }
        StartOutcome::Elsewhere { .. } => found.push(raise(
            &codes::LOCAL_ELSEWHERE,
            format!(
                "Started with PORT={}, the server listens on {}",
                run.port,
                in_words(&run.listens.iter().map(String::as_str).collect::<Vec<_>>())
            ),
            "A platform that chooses the port finds nobody where it looks.",
            "Bind the port that PORT names.",
            proof(),
        )),
        StartOutcome::Exited { exit } => found.push(raise(
            &codes::LOCAL_NO_START,
            format!(
                "Started as {} says, it ends before it serves ({}){}",
                run.file,
                exit_in_words(*exit),
                telling_line(run)
            ),
            "It will end on the platform as well, unless the platform gives it what is missing here.",
            match run.missing.as_slice() {
                [] => "Read the end of its output.".to_owned(),
                missing => format!(
                    "Read the end of its output. No value was found here for {}.",
                    in_words(&missing.iter().map(String::as_str).collect::<Vec<_>>())
                ),
            },
            proof(),
        )),
        StartOutcome::Silent { limit_us } => found.push(raise(
            &codes::LOCAL_NO_START,
            format!("Started as {} says, it listens nowhere after {:.0} s", run.file, *limit_us as f64 / 1e6),
            "A platform gives up on a server that takes so long.",
            "Read the end of its output, and look for what it waits for.",
            proof(),
        )),
        StartOutcome::NotStarted { reason } => found.push(raise(
            &codes::LOCAL_NOT_TRIED,
            format!("The application could not be started from here: {reason}"),
            "Whether its start command works is not known.",
            "Say in a deploy configuration how it is started, or start it by hand and name it with --local.",
            proof(),
        )),
    }
    if let (Some(development), false) =
        (&run.development, matches!(run.outcome, StartOutcome::NotStarted { .. }))
    {
        found.push(raise(
            &codes::LOCAL_DIFFERS,
            format!("The platform runs `{}` ({}), development runs `{development}`", run.command, run.file),
            "What works in development has not been seen to work under the other command.",
            "Nothing by itself.",
            proof(),
        ));
    }
    found
}

/// The addresses, when all of them are reached from this machine alone.
fn loopback_only(run: &StartRun) -> Option<String> {
    let on_port: Vec<&String> =
        run.listens.iter().filter(|a| a.ends_with(&format!(":{}", run.port))).collect();
    let loopback = |a: &&String| a.starts_with("127.") || a.starts_with("[::1]");
    (!on_port.is_empty() && on_port.iter().all(loopback)).then(|| on_port[0].clone())
}

fn exit_in_words(exit: Exit) -> String {
    match exit {
        Exit::Code { code } => format!("exit status {code}"),
        Exit::Signal { signal } => format!("signal {signal}"),
        Exit::TimedOut { .. } => "stopped at a limit".to_owned(),
    }
}

/// The line of the output that tells most: the last that names an error, else the last that speaks of a failure, else
/// the last one. Runtimes end a trace with their version, servers with a farewell, so the very last line seldom tells why.
fn telling_line(run: &StartRun) -> String {
    let lines: Vec<&str> = run.output_tail.lines().map(str::trim).filter(|line| !line.is_empty()).collect();
    let last = |tells: fn(&str) -> bool| lines.iter().rposition(|line| tells(line));
    let Some(at) = last(names_an_error).or_else(|| last(speaks_of_failure)).or(lines.len().checked_sub(1))
    else {
        return String::new();
    };
    // Rust tells the place of a panic in one line and its words in the next (std::panic, "default hook").
    let words = lines.get(at + 1).filter(|_| lines[at].contains("panicked at") && lines[at].ends_with(':'));
    let line = words.map_or(lines[at].to_owned(), |words| format!("{} {words}", lines[at]));
    format!(": {}", line.chars().take(200).collect::<String>())
}

/// How Python, Node, Java, Ruby, PHP, Go and Rust begin the line of an error that nobody caught.
fn names_an_error(line: &str) -> bool {
    let first = line.split_whitespace().take(4);
    let named = |word: &str| {
        let name = word.strip_suffix(':').unwrap_or_default();
        name.ends_with("Error") || name.ends_with("Exception")
    };
    first.clone().any(named)
        || first.clone().any(|word| word == "panic:" || word == "Fatal")
        || line.starts_with("Caused by:")
        || line.contains("panicked at")
        || line.ends_with("Error)")
}

fn speaks_of_failure(line: &str) -> bool {
    let line = line.to_ascii_lowercase();
    [
        "error",
        "fatal",
        "cannot",
        "can't",
        "failed",
        "failure",
        "not found",
        "no such",
        "denied",
        "refused",
        "in use",
    ]
    .iter()
    .any(|word| line.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testworld::deployed;

    fn run(outcome: StartOutcome, listens: &[&str]) -> StartRun {
        StartRun {
            command: "gunicorn run:app".into(),
            file: "Procfile".into(),
            port: 41_000,
            given: vec![],
            missing: vec!["DATABASE_URL".into()],
            outcome,
            listens: listens.iter().map(|a| (*a).to_owned()).collect(),
            output_tail: "Traceback\nKeyError: 'DATABASE_URL'\n".into(),
            development: None,
        }
    }

    #[test]
    fn each_way_of_starting_has_its_finding() {
        for (outcome, listens, code, part) in [
            (StartOutcome::Ready { after_us: 1 }, vec!["0.0.0.0:41000"], "", ""),
            (
                StartOutcome::Ready { after_us: 1 },
                vec!["127.0.0.1:41000"],
                "LF-LOCAL-004",
                "127.0.0.1:41000 only",
            ),
            (
                StartOutcome::Elsewhere { after_us: 1 },
                vec!["0.0.0.0:5000"],
                "LF-LOCAL-004",
                "listens on 0.0.0.0:5000",
            ),
            (
                StartOutcome::Exited { exit: Exit::Code { code: 3 } },
                vec![],
                "LF-LOCAL-003",
                "KeyError: 'DATABASE_URL'",
            ),
            (StartOutcome::Silent { limit_us: 30_000_000 }, vec![], "LF-LOCAL-003", "after 30 s"),
            (StartOutcome::NotStarted { reason: "no shell".into() }, vec![], "LF-LOCAL-005", "no shell"),
        ] {
            let world = deployed().edit_project(|p| p.started = Some(run(outcome.clone(), &listens)));
            let found: Vec<_> =
                world.diagnose().findings.into_iter().filter(|f| f.code.starts_with("LF-LOCAL-")).collect();
            match code {
                "" => assert!(found.is_empty(), "{found:?}"),
                code => {
                    assert_eq!(found.iter().map(|f| f.code.as_str()).collect::<Vec<_>>(), [code]);
                    assert!(found[0].title.contains(part), "{}", found[0].title);
                }
            }
        }
    }

    #[test]
    fn the_line_that_tells_why_is_shown_and_not_the_farewell() {
        for (output, shown) in [
            ("", ""),
            ("Traceback\nKeyError: 'DATABASE_URL'\n", ": KeyError: 'DATABASE_URL'"),
            (
                "  throw err;\n  ^\n\nError: Cannot find module 'express'\nRequire stack:\n- /srv/a.js\n  code: 'MODULE_NOT_FOUND'\n}\n\nNode.js v20.1.0\n",
                ": Error: Cannot find module 'express'",
            ),
            (
                "ModuleNotFoundError: No module named 'app'\n[2026-01-01] [7] [INFO] Worker exiting (pid: 7)\n[2026-01-01] [1] [ERROR] Reason: Worker failed to boot.\n",
                ": ModuleNotFoundError: No module named 'app'",
            ),
            (
                "Exception in thread \"main\" java.lang.IllegalStateException: no port\n\tat a.B.c(B.java:3)\nCaused by: java.net.BindException: Permission denied\n\tat d\n\t... 9 more\n",
                ": Caused by: java.net.BindException: Permission denied",
            ),
            (
                "thread 'main' panicked at src/main.rs:3:5:\nPORT is not set\nnote: run with `RUST_BACKTRACE=1`\n",
                ": thread 'main' panicked at src/main.rs:3:5: PORT is not set",
            ),
            (
                "panic: listen tcp :80: bind: permission denied\n\ngoroutine 1 [running]:\nexit status 2\n",
                ": panic: listen tcp :80: bind: permission denied",
            ),
            ("sh: 1: gunicorn: not found\nbye\n", ": sh: 1: gunicorn: not found"),
            ("starting\nbye\n", ": bye"),
        ] {
            let mut run = run(StartOutcome::Exited { exit: Exit::Code { code: 1 } }, &[]);
            run.output_tail = output.to_owned();
            assert_eq!(telling_line(&run), shown);
        }
    }

    #[test]
    fn another_command_in_development_is_said() {
        let world = deployed().edit_project(|p| {
            let mut run = run(StartOutcome::Ready { after_us: 1 }, &["0.0.0.0:41000"]);
            run.development = Some("flask run (.replit)".into());
            p.started = Some(run);
        });
        assert!(world.findings("LF-LOCAL-006")[0].title.contains("development runs `flask run"));
    }
}
