//! Runs the project's own tests, and tries the remedy when they cannot even be loaded.
//!
//! The project's files are not changed: bytecode, caches and reports go elsewhere. (Compilers keep their own build
//! folders; a second copy of those would cost minutes.) A run lives in its own process group, which ends with it, at
//! the time limit, or when the caller drops the future.

mod detect;
mod import_gap;
mod junit;
mod more_runners;
mod node_runners;
mod other_runners;
mod pytest;
mod reports;
pub(crate) mod run;

use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use landfall_evidence::{
    CollectionError, Exit, Observed, ProbeFault, TestCounts, TestPurpose, TestRun, TestsObservation,
    redact_text,
};

use crate::tree::Tree;
use detect::Plan;
use run::Finished;

/// One run and when it was made.
#[derive(Debug, Clone)]
pub struct TimedRun {
    /// The run.
    pub observation: TestsObservation,
    /// When it began.
    pub started: Instant,
    /// From its beginning to its outcome.
    pub took: Duration,
}

/// Import paths added one after the other; a second one is needed when the first uncovers another gap.
const MAX_REMEDIES: usize = 3;
/// Names of failed tests kept.
const MAX_FAILED: usize = 50;
/// Collection errors kept.
const MAX_ERRORS: usize = 50;
/// Output kept in the evidence, in bytes.
const MAX_TAIL: usize = 8 * 1024;
/// A remedy that would get less time than this is not begun.
const LEAST_TIME: Duration = Duration::from_millis(500);

/// What a runner's output says.
#[derive(Debug, Default, PartialEq, Eq)]
struct Outcome {
    counts: Option<TestCounts>,
    failed: Vec<String>,
    errors: Vec<CollectionError>,
}

/// Runs the tests: `command` as the user declares it, else what the folder shows. When modules of the project cannot be
/// imported, the same command runs again with their folder on the import path. All runs together get `limit`.
///
/// Never empty: when there is nothing to run, or nothing to run it with, the one observation says why.
pub async fn run_tests(root: &Path, command: Option<&str>, limit: Duration) -> Vec<TimedRun> {
    let begun = Instant::now();
    let declared = command.map(str::to_owned);
    let folder = root.to_owned();
    let prepared = tokio::task::spawn_blocking(move || {
        let root = folder.canonicalize().map_err(|error| format!("{}: {error}", folder.display()))?;
        let tree = Tree::walk(&root, &crate::git::ignored(&root));
        let plan = detect::plan(&tree, declared.as_deref());
        Ok((root, tree, plan))
    });
    let (root, tree, plan) = match prepared.await {
        Ok(Ok(prepared)) => prepared,
        Ok(Err(detail)) => return vec![unasked(String::new(), ProbeFault::Local { detail }, begun)],
        Err(error) => {
            return vec![unasked(String::new(), ProbeFault::Local { detail: error.to_string() }, begun)];
        }
    };
    let Some(plan) = plan else {
        let fault = ProbeFault::NotConfigured {
            what: "the project's test command".to_owned(),
            mend: "name it in landfall.toml, or with --test-command".to_owned(),
        };
        return vec![unasked(String::new(), fault, begun)];
    };

    let mut runs = vec![one(&root, &tree, &plan, &[], TestPurpose::AsDeclared, limit).await];
    let mut added: Vec<String> = Vec::new();
    while runs.len() <= MAX_REMEDIES {
        let before = added.len();
        for error in runs
            .last()
            .and_then(|r| r.observation.answer.present())
            .into_iter()
            .flat_map(|r| &r.collection_errors)
        {
            if let Some(gap) = error.gap.as_ref().filter(|gap| !added.contains(&gap.missing_path)) {
                added.push(gap.missing_path.clone());
            }
        }
        let left = limit.saturating_sub(begun.elapsed());
        if added.len() == before || left < LEAST_TIME {
            break;
        }
        let joined = added.join(":");
        let what = match added.as_slice() {
            [root] if root == "." => "with the project folder on the import path (PYTHONPATH=.)".to_owned(),
            [folder] => format!("with the folder {folder} on the import path (PYTHONPATH={folder})"),
            _ => format!("with the missing folders on the import path (PYTHONPATH={joined})"),
        };
        runs.push(one(&root, &tree, &plan, &added, TestPurpose::Remedy { what }, left).await);
    }
    runs
}

/// The command that [`run_tests`] runs in this folder when none is declared; `None` when the folder shows no tests.
/// Blocks.
pub fn test_command(root: &Path) -> Option<String> {
    let tree = Tree::walk(root, &crate::git::ignored(root));
    detect::plan(&tree, None).map(|plan| plan.shown)
}

/// Reads a text as everything that a run of tests leaves: for the fuzz target, and for the replay of what it found.
#[doc(hidden)]
pub fn read_foreign_report(text: &str) {
    let _ = pytest::read(text, Some(text));
    let _ = other_runners::read(text);
    let _ = reports::outcome(&[text.to_owned()]);
}

fn unasked(command: String, fault: ProbeFault, started: Instant) -> TimedRun {
    let observation =
        TestsObservation { command, purpose: TestPurpose::AsDeclared, answer: Observed::Unasked(fault) };
    TimedRun { observation, started, took: started.elapsed() }
}

async fn one(
    root: &Path,
    tree: &Tree,
    plan: &Plan,
    paths: &[String],
    purpose: TestPurpose,
    limit: Duration,
) -> TimedRun {
    let started = Instant::now();
    let command = if paths.is_empty() {
        plan.shown.clone()
    } else {
        format!("PYTHONPATH={} {}", paths.join(":"), plan.shown)
    };
    let paths: Vec<PathBuf> =
        paths.iter().map(|p| if p == "." { root.to_owned() } else { root.join(p) }).collect();
    let answer = match run::run(root, plan, &paths, limit).await {
        Ok(finished) => read(tree, plan, finished),
        Err(detail) => Observed::Unasked(ProbeFault::Local { detail }),
    };
    TimedRun {
        observation: TestsObservation { command: redact_text(&command), purpose, answer },
        started,
        took: started.elapsed(),
    }
}

/// Reads a finished run.
fn read(tree: &Tree, plan: &Plan, finished: Finished) -> Observed<TestRun> {
    let output = plain(&finished.output);
    // A version manager's shim and a shell both answer 127 for a program that is not there.
    if finished.exit == (Exit::Code { code: 127 })
        && (output.contains("not found") || output.contains("No such file"))
    {
        let line = output
            .lines()
            .find(|l| l.contains("not found") || l.contains("No such file"))
            .unwrap_or_default();
        return Observed::Unasked(ProbeFault::Local {
            detail: format!("{}: {}", plan.shown, redact_text(line.trim())),
        });
    }
    let is_pytest = plan.runner == "pytest" || finished.junit.is_some();
    let mut outcome = if is_pytest {
        pytest::read(&output, finished.junit.as_deref())
    } else {
        other_runners::read(&output)
    };
    // A command that writes JUnit XML has counted for us, whatever it prints.
    if outcome.counts.is_none()
        && outcome.errors.is_empty()
        && let Some(written) = reports::outcome(&finished.reports)
    {
        outcome = written;
    }
    outcome.failed.truncate(MAX_FAILED);
    outcome.errors.truncate(MAX_ERRORS);
    for error in &mut outcome.errors {
        // Some runners name their files by the whole path, which says nothing more and differs from place to place.
        if let Ok(inside) = Path::new(&error.file).strip_prefix(&tree.root) {
            error.file = inside.display().to_string();
        }
        error.gap = import_gap::find(tree, &error.exception, &error.message);
        error.message = redact_text(&error.message);
        error.statement = error.statement.take().map(|s| redact_text(&s));
    }
    Observed::Present(TestRun {
        runner: if is_pytest { "pytest".to_owned() } else { plan.runner.clone() },
        exit: finished.exit,
        counts: outcome.counts,
        collection_errors: outcome.errors,
        failed: outcome.failed,
        output_tail: tail(&redact_text(&output)),
    })
}

/// Output without terminal sequences and other control characters, and without the line about our own report file.
fn plain(output: &str) -> String {
    static SEQUENCE: std::sync::LazyLock<regex::Regex> = std::sync::LazyLock::new(|| {
        // ECMA-48 control sequences and operating system commands.
        regex::Regex::new(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\-_])")
            .expect("the pattern is a constant and covered by tests")
    });
    let text = SEQUENCE.replace_all(output, "").replace("\r\n", "\n").replace('\r', "\n");
    text.lines()
        .filter(|line| !(line.starts_with("---") && line.contains("generated xml file: ")))
        .map(|line| line.chars().filter(|c| *c == '\t' || !c.is_control()).collect::<String>())
        .collect::<Vec<_>>()
        .join("\n")
}

/// The last lines that fit.
fn tail(text: &str) -> String {
    let text = text.trim_matches('\n');
    if text.len() <= MAX_TAIL {
        return text.to_owned();
    }
    let mut from = text.len() - MAX_TAIL;
    while !text.is_char_boundary(from) {
        from += 1;
    }
    let cut = &text[from..];
    // Begin with a whole line, unless the output is one endless line.
    cut.find('\n').filter(|at| *at < MAX_TAIL / 2).map_or(cut, |at| &cut[at + 1..]).to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::{folder, tree};

    fn plan(command: &str) -> Plan {
        let (_dir, tree) = tree(&[]);
        detect::plan(&tree, Some(command)).unwrap()
    }

    fn finished(output: &str, code: i32) -> Finished {
        Finished { output: output.to_owned(), exit: Exit::Code { code }, junit: None, reports: Vec::new() }
    }

    #[test]
    fn the_recorded_import_error_names_the_gap() {
        let (_dir, tree) = tree(&[("run.py", "app = 1"), ("tests/test_tenancy_security.py", "")]);
        let recorded = Finished {
            output: include_str!("../../tests/data/import-error.txt").to_owned(),
            exit: Exit::Code { code: 2 },
            junit: Some(include_str!("../../tests/data/import-error.xml").to_owned()),
            reports: Vec::new(),
        };
        let Observed::Present(run) = read(&tree, &plan("pytest tests/ --tb=short -q"), recorded) else {
            panic!("it ran")
        };
        assert_eq!(run.runner, "pytest");
        assert_eq!(run.counts.unwrap(), TestCounts { errors: 1, ..TestCounts::default() });
        let [error] = run.collection_errors.as_slice() else { panic!("{:?}", run.collection_errors) };
        assert_eq!((error.file.as_str(), error.line), ("tests/test_tenancy_security.py", Some(7)));
        assert_eq!(error.statement.as_deref(), Some("from run import app"));
        assert_eq!(error.exception, "ModuleNotFoundError");
        let gap = error.gap.as_ref().unwrap();
        assert_eq!(
            (gap.module.as_str(), gap.defined_in.as_str(), gap.missing_path.as_str()),
            ("run", "run.py", ".")
        );
        assert!(run.output_tail.contains("1 error in") && !run.output_tail.contains("generated xml"));
    }

    #[test]
    fn a_program_that_is_not_there_is_our_fault() {
        let (_dir, tree) = tree(&[]);
        let seen = read(&tree, &plan("pytest"), finished("pyenv: pytest: command not found\n", 127));
        assert!(matches!(seen, Observed::Unasked(ProbeFault::Local { .. })));
        let seen = read(&tree, &plan("pytest"), finished("3 passed in 0.1s\n", 0));
        assert_eq!(seen.present().unwrap().counts.unwrap().passed, 3);
    }

    #[test]
    fn output_is_masked_cleaned_and_cut() {
        let (_dir, tree) = tree(&[]);
        let long = format!("{}\nAPI_TOKEN=abcdef123456\n\x1b[31mred\x1b[0m\x07 end", "x\n".repeat(50_000));
        let run = read(&tree, &plan("make check"), finished(&long, 1)).present().unwrap().clone();
        assert!(run.output_tail.len() <= MAX_TAIL);
        assert!(
            run.output_tail.ends_with("\nred end"),
            "{:?}",
            &run.output_tail[run.output_tail.len() - 60..]
        );
        assert!(!run.output_tail.contains("abcdef123456"));
        assert_eq!((run.runner.as_str(), run.counts), ("make", None));
    }

    #[tokio::test]
    async fn no_tests_and_no_folder_are_told_apart_from_failure() {
        let empty = folder(&[("README.md", "")]);
        let runs = run_tests(empty.path(), None, Duration::from_secs(10)).await;
        assert_eq!(runs.len(), 1);
        assert!(matches!(&runs[0].observation.answer, Observed::Unasked(ProbeFault::NotConfigured { .. })));
        let runs = run_tests(Path::new("/landfall/no/such/folder"), None, Duration::from_secs(10)).await;
        assert!(matches!(&runs[0].observation.answer, Observed::Unasked(ProbeFault::Local { .. })));
        let runs = run_tests(empty.path(), Some("landfall-no-such-runner -q"), Duration::from_secs(10)).await;
        let Observed::Unasked(ProbeFault::Local { detail }) = &runs[0].observation.answer else {
            panic!("{runs:?}")
        };
        assert!(detail.contains("landfall-no-such-runner"), "{detail}");
    }

    /// A project with a stand-in for pytest in its virtual environment, which is looked at before PATH.
    fn with_pytest(script: &str, files: &[(&str, &str)]) -> tempfile::TempDir {
        use std::os::unix::fs::PermissionsExt;
        let dir = folder(&[("tests/test_a.py", ""), (".venv/bin/pytest", script)]);
        for (path, text) in files {
            std::fs::write(dir.path().join(path), text).unwrap();
        }
        std::fs::set_permissions(dir.path().join(".venv/bin/pytest"), std::fs::Permissions::from_mode(0o755))
            .unwrap();
        dir
    }

    #[tokio::test]
    async fn the_remedy_is_tried_and_is_the_second_observation() {
        let script = "#!/bin/sh\nif [ -n \"$PYTHONPATH\" ] && [ -f \"${PYTHONPATH%%:*}/run.py\" ]; then echo '4 passed in 0.1s'; exit 0; fi\n\
                      echo '_____ ERROR collecting tests/test_a.py _____'\necho 'tests/test_a.py:3: in <module>'\necho '    from run import app'\n\
                      echo \"E   ModuleNotFoundError: No module named 'run'\"\necho '1 error in 0.1s'\nexit 2\n";
        let dir = with_pytest(script, &[("run.py", "app = 1\n")]);
        let runs = run_tests(dir.path(), None, Duration::from_secs(60)).await;
        let [first, second] = runs.as_slice() else { panic!("{runs:?}") };
        assert_eq!(first.observation.command, "pytest tests/ --tb=short -q");
        assert_eq!(first.observation.purpose, TestPurpose::AsDeclared);
        assert_eq!(first.observation.answer.present().unwrap().exit, Exit::Code { code: 2 });
        assert_eq!(second.observation.command, "PYTHONPATH=. pytest tests/ --tb=short -q");
        let what = "with the project folder on the import path (PYTHONPATH=.)".to_owned();
        assert_eq!(second.observation.purpose, TestPurpose::Remedy { what });
        assert_eq!(second.observation.answer.present().unwrap().counts.unwrap().passed, 4);
        assert!(second.started >= first.started + first.took);
    }

    #[tokio::test]
    async fn a_remedy_that_does_not_help_is_not_tried_twice() {
        let script = "#!/bin/sh\necho '_____ ERROR collecting tests/test_a.py _____'\necho 'tests/test_a.py:3: in <module>'\necho '    from run import app'\n\
                      echo \"E   ModuleNotFoundError: No module named 'run'\"\nexit 2\n";
        let dir = with_pytest(script, &[("run.py", "app = 1\n")]);
        assert_eq!(run_tests(dir.path(), None, Duration::from_secs(60)).await.len(), 2);
    }

    #[tokio::test]
    async fn the_whole_process_group_ends_at_the_limit() {
        let script = "#!/bin/sh\nsleep 600 &\necho $! > child.pid\necho started\nwait\n";
        let dir = with_pytest(script, &[]);
        let limit = Duration::from_secs(4);
        let runs = run_tests(dir.path(), None, limit).await;
        let run = runs[0].observation.answer.present().unwrap();
        assert!(matches!(run.exit, Exit::TimedOut { limit_us } if limit_us <= 4_000_000), "{:?}", run.exit);
        assert_eq!(run.output_tail, "started");
        assert_gone(dir.path()).await;
    }

    #[tokio::test]
    async fn the_whole_process_group_ends_with_the_future() {
        let script = "#!/bin/sh\nsleep 600 &\necho $! > child.tmp && mv child.tmp child.pid\nwait\n";
        let dir = with_pytest(script, &[]);
        let begun = async {
            while !dir.path().join("child.pid").exists() {
                tokio::time::sleep(Duration::from_millis(5)).await;
            }
        };
        tokio::select! {
            runs = run_tests(dir.path(), None, Duration::from_secs(120)) => panic!("it should still run: {runs:?}"),
            () = begun => {}
        }
        assert_gone(dir.path()).await;
    }

    /// Waits until the grandchild is dead; a test that waits for ever is a failed test.
    async fn assert_gone(root: &Path) {
        let pid = std::fs::read_to_string(root.join("child.pid")).unwrap();
        let pid = rustix::process::Pid::from_raw(pid.trim().parse().unwrap()).unwrap();
        // An orphan is reaped by whoever is its parent now; a zombie is as dead as one that is gone.
        let stat = format!("/proc/{}/stat", pid.as_raw_nonzero());
        loop {
            let zombie = std::fs::read_to_string(&stat)
                .is_ok_and(|s| s.rsplit(')').next().is_some_and(|r| r.trim_start().starts_with('Z')));
            if zombie || rustix::process::test_kill_process(pid).is_err() {
                break;
            }
            tokio::time::sleep(Duration::from_millis(5)).await;
        }
    }

    #[tokio::test]
    async fn endless_output_is_bounded_and_a_stray_daemon_does_not_hold_the_run() {
        let script = "#!/bin/sh\nsleep 600 &\nyes 'a line of output' | head -c 3000000\necho\necho '2 failed, 1 passed in 0.1s'\nexit 1\n";
        let dir = with_pytest(script, &[]);
        let runs = run_tests(dir.path(), None, Duration::from_secs(60)).await;
        let run = runs[0].observation.answer.present().unwrap();
        assert_eq!(run.exit, Exit::Code { code: 1 });
        assert_eq!(
            run.counts.unwrap(),
            TestCounts { collected: 3, passed: 1, failed: 2, errors: 0, skipped: 0 }
        );
        assert!(run.output_tail.len() <= MAX_TAIL);
    }

    #[tokio::test]
    async fn a_hostile_suite_ends_with_all_that_it_started() {
        // Fifty processes in sessions of their own, a question, a gigabyte of output, and no end.
        let seconds = 600_000 + std::process::id();
        let script = format!(
            "#!/bin/sh\nfor i in $(seq 50); do setsid sleep {seconds} & done\nprintf 'Continue? '\nread answer\necho \"got [$answer]\"\nyes | head -c 1000000000\nsleep {seconds}\n"
        );
        let dir = with_pytest(&script, &[]);
        let runs = run_tests(dir.path(), None, Duration::from_secs(4)).await;
        let run = runs[0].observation.answer.present().unwrap();
        assert!(matches!(run.exit, Exit::TimedOut { .. }), "{:?}", run.exit);
        assert!(run.output_tail.len() <= MAX_TAIL);
        let needle = format!("sleep\0{seconds}\0");
        let left = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
            std::fs::read(entry.path().join("cmdline")).is_ok_and(|line| line == needle.as_bytes())
        });
        assert_eq!(left.count(), 0, "processes outlive the run");
    }

    #[tokio::test]
    async fn the_environment_keeps_the_folder_clean_and_standard_input_is_empty() {
        let script = "#!/bin/sh\ncat\necho \"[$PYTHONDONTWRITEBYTECODE] [$PYTEST_ADDOPTS]\"\nexit 0\n";
        let dir = with_pytest(script, &[]);
        let runs = run_tests(dir.path(), None, Duration::from_secs(60)).await;
        let run = runs[0].observation.answer.present().unwrap();
        assert!(run.output_tail.starts_with("[1] ["), "{}", run.output_tail);
        assert!(run.output_tail.contains("--junitxml="), "{}", run.output_tail);
        assert_eq!(run.counts, None);
    }
}
