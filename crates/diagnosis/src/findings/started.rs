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
                last_line(run)
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

fn last_line(run: &StartRun) -> String {
    let line = run.output_tail.lines().rev().map(str::trim).find(|line| !line.is_empty());
    line.map_or(String::new(), |line| format!(": {}", line.chars().take(200).collect::<String>()))
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
    fn another_command_in_development_is_said() {
        let world = deployed().edit_project(|p| {
            let mut run = run(StartOutcome::Ready { after_us: 1 }, &["0.0.0.0:41000"]);
            run.development = Some("flask run (.replit)".into());
            p.started = Some(run);
        });
        assert!(world.findings("LF-LOCAL-006")[0].title.contains("development runs `flask run"));
    }
}
