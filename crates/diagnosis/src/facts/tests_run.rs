//! How the project's own tests ended, and whether the remedy helps.

use std::collections::BTreeSet;
use std::sync::LazyLock;

use landfall_evidence::{Evidence, Exit, ObservationId, TestPurpose, TestRun};
use regex::Regex;

use super::{FactKey, Facts, Why, why_absent};

/// The module that an import error names.
static MISSING_MODULE: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"(?:No module named|Cannot find (?:module|package)|no required module provides package) ['"]?([A-Za-z0-9_.@/-]+)"#)
        .expect("a constant that the tests use")
});

pub(super) fn derive(evidence: &Evidence, facts: &mut Facts) {
    let mut runs: Vec<_> = evidence.tests().collect();
    runs.sort_by(|(a, _), (b, _)| (a.started_us, &a.id).cmp(&(b.started_us, &b.id)));
    let declared: Vec<_> = runs.iter().filter(|(_, s)| s.purpose == TestPurpose::AsDeclared).collect();
    match declared.iter().find(|(_, s)| s.answer.present().is_some()).or(declared.first()) {
        None => {
            facts.unknown(FactKey::TestsOutcome, "", Why::NotRun("the tests were not run".to_owned()), [])
        }
        Some((o, seen)) => {
            let id = || [o.id.clone()];
            facts.known(FactKey::TestsCommand, "", seen.command.as_str(), id());
            match seen.answer.present() {
                None => facts.unknown(FactKey::TestsOutcome, "", why_absent(&seen.answer), id()),
                Some(run) => as_declared(run, &o.id, facts),
            }
        }
    }
    for (o, seen) in &runs {
        if let (TestPurpose::Remedy { what }, Some(run)) = (&seen.purpose, seen.answer.present()) {
            remedy(what, run, &o.id, facts);
        }
    }
}

fn outcome(run: &TestRun) -> &'static str {
    let counts = run.counts.unwrap_or_default();
    let ran = counts.passed + counts.failed + counts.skipped;
    match run.exit {
        Exit::TimedOut { .. } => "timed-out",
        _ if !run.collection_errors.is_empty() => "collection-error",
        _ if counts.failed > 0 || (counts.errors > 0 && ran > 0) => "failed",
        // Tests that are all left out are none that ran.
        _ if run.counts.is_some() && counts.passed == 0 && counts.errors == 0 => "none-ran",
        // pytest says with this status that it found nothing to run.
        Exit::Code { code: 5 } if run.runner == "pytest" => "none-ran",
        Exit::Code { code: 0 } => "passed",
        _ if !run.failed.is_empty() => "failed",
        _ => "crashed",
    }
}

fn as_declared(run: &TestRun, id: &ObservationId, facts: &mut Facts) {
    let id = || [id.clone()];
    let word = outcome(run);
    facts.known(FactKey::TestsOutcome, "", word, id()).symptom = word != "passed";
    facts.known(FactKey::TestsRunner, "", run.runner.as_str(), id());
    if let Some(counts) = run.counts {
        facts.known(FactKey::TestsCollected, "", i64::from(counts.collected), id());
        facts.known(FactKey::TestsFailed, "", i64::from(counts.failed), id());
    }
    if matches!(word, "failed" | "collection-error" | "crashed" | "timed-out") {
        facts.known_list(FactKey::TestsFailure, "", failures(run).into_iter().map(str::to_owned), id());
    }
    let errors = &run.collection_errors;
    facts.known_list(
        FactKey::TestsImport,
        "",
        errors.iter().map(|e| {
            let place = e.line.map_or_else(|| e.file.clone(), |line| format!("{}:{line}", e.file));
            let statement = e.statement.as_deref().map(|s| format!(" `{}`", s.trim())).unwrap_or_default();
            format!("{place}{statement}: {}: {}", e.exception, e.message)
        }),
        id(),
    );
    let gaps: Vec<_> = errors.iter().filter_map(|e| e.gap.as_ref()).collect();
    facts.known_list(FactKey::TestsGap, "", gaps.iter().map(|gap| gap.module.clone()), id());
    facts.known_list(FactKey::TestsGapPath, "", gaps.iter().map(|gap| gap.missing_path.clone()), id());
    let foreign: BTreeSet<String> = errors
        .iter()
        .filter(|e| e.gap.is_none())
        .filter_map(|e| Some(MISSING_MODULE.captures(&e.message)?.get(1)?.as_str().to_owned()))
        // Node: a name that begins as a path is that of a file, not of a package (nodejs.org, "ECMAScript modules").
        .filter(|name| !name.starts_with(['.', '/']))
        .collect();
    facts.known_list(FactKey::TestsForeign, "", foreign, id());
}

/// What kinds of failure the run's own words show. The summary names one reason a test; without one the whole end of
/// the output is looked at.
fn failures(run: &TestRun) -> BTreeSet<&'static str> {
    static KINDS: LazyLock<[(&str, Regex); 3]> = LazyLock::new(|| {
        let compile = |pattern: &str| Regex::new(pattern).expect("a constant that the tests use");
        [
            (
                "service",
                compile(
                    r"(?i)connection ?refused|(?-i:\bECONNREFUSED\b)|could not connect to|can't connect to|OperationalError|ServerSelectionTimeout|name or service not known|(?-i:\bENOTFOUND\b)|getaddrinfo|max retries exceeded|connection error|ConnectionError|no route to host|network is unreachable|NoBrokersAvailable|dial tcp",
                ),
            ),
            (
                "variable",
                compile(
                    r"KeyError: '[A-Z][A-Z0-9_]{2,}'|(?i:environment variable|env var).{0,60}(?i:not set|missing|required)|[A-Z][A-Z0-9]*_[A-Z0-9_]+ (?:is |must be )?(?:not set|missing|required|undefined)",
                ),
            ),
            (
                "assertion",
                compile(
                    r"AssertionError|\bassert \S|assertion failed|AssertionFailed|Expected .{0,80}(?:to|received|but)|expect\(|ERR_ASSERTION|assertion `",
                ),
            ),
        ]
    });
    // pytest: `FAILED tests/test_a.py::test_b - AssertionError: …`, `ERROR tests/… - …`.
    let summary: Vec<&str> = run
        .output_tail
        .lines()
        .filter(|line| (line.starts_with("FAILED ") || line.starts_with("ERROR ")) && line.contains(" - "))
        .filter_map(|line| line.split_once(" - ").map(|(_, reason)| reason))
        .collect();
    let texts: Vec<&str> = if summary.is_empty() { vec![run.output_tail.as_str()] } else { summary };
    let mut kinds = BTreeSet::new();
    for text in texts {
        let found = KINDS.iter().find(|(_, pattern)| pattern.is_match(text)).map(|(kind, _)| *kind);
        kinds.insert(found.unwrap_or("other"));
    }
    kinds
}

fn remedy(what: &str, run: &TestRun, id: &ObservationId, facts: &mut Facts) {
    let id = || [id.clone()];
    let counts = run.counts.unwrap_or_default();
    let word = match run.exit {
        Exit::Code { .. } if run.collection_errors.is_empty() && counts.collected > 0 => "collects",
        Exit::Code { .. } => "still-broken",
        Exit::Signal { .. } | Exit::TimedOut { .. } => {
            facts.unknown(
                FactKey::TestsRemedy,
                "",
                Why::Undecided("the run with the remedy did not end by itself".to_owned()),
                id(),
            );
            return;
        }
    };
    facts.known(FactKey::TestsRemedy, "", word, id());
    facts.known(FactKey::TestsRemedyWhat, "", what, id());
    facts.known(FactKey::TestsRemedyCollected, "", i64::from(counts.collected), id());
    facts.known(FactKey::TestsRemedyFailed, "", i64::from(counts.failed), id()).symptom = counts.failed > 0;
}

#[cfg(test)]
mod tests {
    use landfall_evidence::TestCounts;

    use super::*;

    fn kinds(output: &str) -> Vec<&'static str> {
        let run = TestRun {
            runner: "pytest".to_owned(),
            exit: Exit::Code { code: 1 },
            counts: None,
            collection_errors: Vec::new(),
            failed: Vec::new(),
            output_tail: output.to_owned(),
        };
        failures(&run).into_iter().collect()
    }

    #[test]
    fn tests_that_are_all_left_out_are_none_that_ran() {
        let of = |passed: u32, skipped: u32| {
            let counts = TestCounts { collected: passed + skipped, passed, skipped, ..TestCounts::default() };
            outcome(&TestRun {
                runner: "mix".to_owned(),
                exit: Exit::Code { code: 0 },
                counts: Some(counts),
                collection_errors: Vec::new(),
                failed: Vec::new(),
                output_tail: String::new(),
            })
        };
        assert_eq!((of(0, 3), of(1, 2), of(0, 0)), ("none-ran", "passed", "none-ran"));
    }

    #[test]
    fn why_tests_fail() {
        for (output, want) in [
            (
                "FAILED tests/test_a.py::test_b - ConnectionRefusedError: [Errno 111] Connection refused\n",
                vec!["service"],
            ),
            ("FAILED tests/test_a.py::test_b - assert 2 == 3\n", vec!["assertion"]),
            (
                "ERROR tests/test_a.py - KeyError: 'DATABASE_URL'\nFAILED x - AssertionError: no\n",
                vec!["assertion", "variable"],
            ),
            ("FAILED tests/test_a.py::test_b - RuntimeError: x\n", vec!["other"]),
            // "ModuleNotFoundError" holds the letters of ENOTFOUND, and says nothing of a service.
            ("E   ModuleNotFoundError: No module named 'app'\nERROR tests/test_a.py\n", vec!["other"]),
            ("Error: connect ECONNREFUSED 127.0.0.1:5432\n", vec!["service"]),
            ("AssertionError [ERR_ASSERTION]: Expected values to be strictly equal\n", vec!["assertion"]),
        ] {
            assert_eq!(kinds(output), want, "{output}");
        }
    }
}
