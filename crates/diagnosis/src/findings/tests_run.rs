//! What the project's own tests say.

use landfall_evidence::{CollectionError, Exit, Observation, TestPurpose, TestRun, TestsObservation};

use super::{codes, raise};
use crate::Finding;
use crate::case::Case;
use crate::words::{count, in_words};

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let Some((observation, seen, run)) = declared(case) else { return Vec::new() };
    let proof = || vec![observation.id.clone()];
    let mut found = Vec::new();
    match outcome(run) {
        TestOutcome::Passed => {}
        TestOutcome::Stopped => found.push(raise(
            &codes::TEST_STOPPED,
            match run.exit {
                Exit::TimedOut { limit_us } => {
                    format!("{} was stopped after {:.0} s", seen.command, limit_us as f64 / 1e6)
                }
                _ => format!("{} was ended by a signal", seen.command),
            },
            "Nothing is known of the tests that had not run.",
            "Run it by hand, find the test that hangs, and give it a time limit of its own.",
            proof(),
        )),
        TestOutcome::Uncollected => {
            let quoted = run.collection_errors.first().map(error_in_words);
            let mended = remedied(case);
            let mut evidence = proof();
            evidence.extend(mended.map(|(o, ..)| o.id.clone()));
            found.push(raise(
                &codes::TEST_COLLECTION,
                match &quoted {
                    Some(quoted) => format!("{} cannot load the tests: {quoted}", seen.command),
                    None => format!("{} cannot load the tests", seen.command),
                },
                match run.counts {
                    // Jest, Vitest, Node's runner and go run the files that do load.
                    Some(counts) if counts.passed + counts.failed > 0 => {
                        "The tests of what cannot be loaded do not run; only the others do."
                    }
                    _ => "No test runs, so nothing guards the next deployment.",
                },
                match run.collection_errors.iter().find_map(|e| e.gap.as_ref()) {
                    Some(gap) => format!(
                        "Put {} on the import path: it holds {}.",
                        folder(&gap.missing_path),
                        gap.defined_in
                    ),
                    None => "Install what the import asks for, or correct it.".into(),
                },
                evidence,
            ));
            if let Some((o, what, mended)) = mended
                && let TestOutcome::Failed { failed, collected } = outcome(mended)
            {
                found.push(raise(
                    &codes::TEST_BEHIND,
                    format!("{what}, {failed} of {} fail", count(collected, "test")),
                    "Mending the import path alone does not make the suite pass.",
                    failed_in_words(mended),
                    vec![o.id.clone()],
                ));
            }
        }
        TestOutcome::Failed { failed, collected } => found.push(raise(
            &codes::TEST_FAILURES,
            format!("{failed} of {} fail", count(collected, "test")),
            "The code does something else than its tests ask for.",
            failed_in_words(run),
            proof(),
        )),
        TestOutcome::NoneRan => found.push(raise(
            &codes::TEST_NONE,
            format!("{} ran no test", seen.command),
            "A suite that tests nothing looks green.",
            "Point the command at the tests, and fail when none is collected.",
            proof(),
        )),
        TestOutcome::Broken { code } => found.push(raise(
            &codes::TEST_FAILURES,
            format!("{} ended with exit status {code}", seen.command),
            "Whether the tests pass is not shown.",
            "Read the end of its output.",
            proof(),
        )),
    }
    found
}

/// How a run ended, as far as readiness goes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum TestOutcome {
    /// Tests ran and none failed.
    Passed,
    /// Test modules could not be loaded.
    Uncollected,
    /// Some failed.
    Failed {
        /// Failures and errors.
        failed: usize,
        /// Tests found.
        collected: usize,
    },
    /// None ran.
    NoneRan,
    /// It did not end by itself.
    Stopped,
    /// It ended with a failure that the counts do not show.
    Broken {
        /// Exit status.
        code: i32,
    },
}

/// Sorts a run. Success needs three things: an exit status of 0, tests that ran, and none that failed.
pub(crate) fn outcome(run: &TestRun) -> TestOutcome {
    let Exit::Code { code } = run.exit else { return TestOutcome::Stopped };
    if !run.collection_errors.is_empty() {
        return TestOutcome::Uncollected;
    }
    match run.counts {
        Some(counts) if counts.failed + counts.errors > 0 => TestOutcome::Failed {
            failed: (counts.failed + counts.errors) as usize,
            collected: counts.collected.max(counts.failed + counts.errors) as usize,
        },
        Some(counts) if counts.passed == 0 => TestOutcome::NoneRan,
        _ if !run.failed.is_empty() => {
            TestOutcome::Failed { failed: run.failed.len(), collected: run.failed.len() }
        }
        Some(_) if code == 0 => TestOutcome::Passed,
        // Without counts, an exit status of 0 alone does not show that a test ran.
        None if code == 0 => TestOutcome::NoneRan,
        _ => TestOutcome::Broken { code },
    }
}

/// The run of the project's own command, as it stands.
pub(crate) fn declared<'a>(case: &Case<'a>) -> Option<(&'a Observation, &'a TestsObservation, &'a TestRun)> {
    case.evidence()
        .tests()
        .filter(|(_, seen)| seen.purpose == TestPurpose::AsDeclared)
        .find_map(|(o, seen)| Some((o, seen, seen.answer.present()?)))
}

/// The run with a remedy applied, and what the remedy was; the best one when there are several.
pub(crate) fn remedied<'a>(case: &Case<'a>) -> Option<(&'a Observation, &'a str, &'a TestRun)> {
    case.evidence()
        .tests()
        .filter_map(|(o, seen)| match &seen.purpose {
            TestPurpose::Remedy { what } => Some((o, what.as_str(), seen.answer.present()?)),
            TestPurpose::AsDeclared => None,
        })
        .max_by_key(|(o, _, run)| (outcome(run) == TestOutcome::Passed, std::cmp::Reverse(o.started_us)))
}

/// The failing import, quoted with its place.
pub(crate) fn error_in_words(error: &CollectionError) -> String {
    let place = error.line.map_or_else(|| error.file.clone(), |line| format!("{}:{line}", error.file));
    let statement = error.statement.as_deref().map(|s| format!(" {:?}", s.trim())).unwrap_or_default();
    format!("{}: {} at {place}{statement}", error.exception, error.message)
}

fn failed_in_words(run: &TestRun) -> String {
    if run.failed.is_empty() {
        return "Read the end of its output.".into();
    }
    let shown: Vec<&str> = run.failed.iter().take(5).map(String::as_str).collect();
    let more = run.failed.len() - shown.len();
    let more = if more > 0 { format!(", and {more} more") } else { String::new() };
    format!("Look at {}{more}.", in_words(&shown))
}

/// A folder of the project in words.
pub(crate) fn folder(path: &str) -> String {
    if path == "." { "the project's own folder".into() } else { format!("the folder {path}") }
}

#[cfg(test)]
mod tests {
    use landfall_evidence::TestCounts;

    use super::*;

    fn run(code: i32, counts: Option<(u32, u32, u32, u32)>) -> TestRun {
        TestRun {
            runner: "pytest".into(),
            exit: Exit::Code { code },
            counts: counts.map(|(collected, passed, failed, errors)| TestCounts {
                collected,
                passed,
                failed,
                errors,
                skipped: 0,
            }),
            collection_errors: Vec::new(),
            failed: Vec::new(),
            output_tail: String::new(),
        }
    }

    #[test]
    fn a_run_passes_only_when_tests_ran_and_none_failed() {
        let uncollected = TestRun {
            collection_errors: vec![CollectionError {
                file: "tests/test_a.py".into(),
                line: Some(7),
                statement: Some("from run import app".into()),
                exception: "ModuleNotFoundError".into(),
                message: "No module named 'run'".into(),
                gap: None,
            }],
            ..run(2, Some((0, 0, 0, 1)))
        };
        let stopped = TestRun { exit: Exit::TimedOut { limit_us: 1 }, ..run(0, Some((3, 3, 0, 0))) };
        let cases = [
            (run(0, Some((5, 5, 0, 0))), TestOutcome::Passed),
            (run(1, Some((5, 4, 1, 0))), TestOutcome::Failed { failed: 1, collected: 5 }),
            (run(0, Some((5, 4, 1, 0))), TestOutcome::Failed { failed: 1, collected: 5 }),
            (run(5, Some((0, 0, 0, 0))), TestOutcome::NoneRan),
            (run(0, Some((3, 0, 0, 0))), TestOutcome::NoneRan),
            (run(0, None), TestOutcome::NoneRan),
            (run(4, None), TestOutcome::Broken { code: 4 }),
            (run(3, Some((2, 2, 0, 0))), TestOutcome::Broken { code: 3 }),
            (uncollected.clone(), TestOutcome::Uncollected),
            (stopped, TestOutcome::Stopped),
        ];
        for (run, want) in cases {
            assert_eq!(outcome(&run), want, "{run:?}");
        }
        assert_eq!(
            error_in_words(&uncollected.collection_errors[0]),
            "ModuleNotFoundError: No module named 'run' at tests/test_a.py:7 \"from run import app\""
        );
    }

    type Case = (&'static str, fn(&mut TestRun));

    #[test]
    fn each_outcome_has_its_finding() {
        use crate::testworld::deployed;
        let cases: &[Case] = &[
            ("LF-TEST-002", |run| {
                *run = TestRun { failed: vec!["test_a".into()], ..self::run(1, Some((5, 4, 1, 0))) }
            }),
            ("LF-TEST-003", |run| *run = self::run(5, Some((0, 0, 0, 0)))),
            ("LF-TEST-004", |run| run.exit = Exit::TimedOut { limit_us: 60_000_000 }),
        ];
        let codes = |world: &crate::testworld::World| -> Vec<String> {
            let all = world.diagnose().findings;
            all.into_iter().filter(|f| f.code.starts_with("LF-TEST-")).map(|f| f.code).collect()
        };
        for (code, edit) in cases {
            let world = deployed().edit_tests(edit);
            assert_eq!(codes(&world), [*code]);
            assert!(
                world.diagnose().actions.iter().any(|a| a.clears == ["tests"]),
                "{code} has an action that clears it"
            );
        }
        assert_eq!(codes(&deployed()), Vec::<String>::new());
    }

    #[test]
    fn a_suite_of_which_a_part_runs_is_not_said_to_run_no_test() {
        use crate::testworld::deployed;
        let error = |message: &str| CollectionError {
            file: "cart.test.js".into(),
            line: Some(1),
            statement: None,
            exception: "Error".into(),
            message: message.into(),
            gap: None,
        };
        for (counts, begin) in
            [((4, 4, 0, 1), "The tests of what cannot be loaded do not run"), ((0, 0, 0, 1), "No test runs")]
        {
            let world = deployed().edit_tests(|run| {
                *run = self::run(1, Some(counts));
                run.collection_errors = vec![error("Cannot find module './carts' from 'cart.test.js'")];
            });
            let diagnosis = world.diagnose();
            let found = diagnosis.findings.iter().find(|f| f.code == "LF-TEST-001").expect("a finding");
            assert!(found.impact.starts_with(begin), "{}", found.impact);
            // A path is no package that could be installed.
            assert!(!format!("{diagnosis:?}").contains("a package is not installed"));
        }
    }

    #[test]
    fn a_remedy_that_uncovers_failures_clears_nothing_alone() {
        use landfall_evidence::Seen;

        use crate::Tried;
        use crate::testworld::undeployed;
        let mut world = undeployed();
        for o in &mut world.0.observations {
            if let Seen::Tests(TestsObservation { purpose: TestPurpose::Remedy { .. }, answer, .. }) =
                &mut o.seen
            {
                *answer = landfall_evidence::Observed::Present(TestRun {
                    failed: vec!["test_a".into()],
                    ..run(1, Some((9, 7, 2, 0)))
                });
            }
        }
        let diagnosis = world.diagnose();
        assert!(
            diagnosis
                .findings
                .iter()
                .any(|f| f.code == "LF-TEST-005" && f.title.contains("2 of 9 tests fail"))
        );
        let import = diagnosis.actions.iter().find(|a| a.title.contains("import path")).expect("an action");
        assert!(
            matches!(&import.tried, Tried::Works { seen } if seen.contains("9 tests collected") && seen.contains("2 fail"))
        );
        assert!(import.clears.is_empty(), "mending the import alone does not make the suite pass");
    }
}
