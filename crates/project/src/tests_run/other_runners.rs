//! Outputs of cargo, go, RSpec and Python's unittest, as far as their summaries tell.

use std::sync::LazyLock;

use landfall_evidence::{CollectionError, TestCounts};
use regex::Regex;

use super::{Outcome, more_runners, node_runners, pytest};

/// Collection errors kept of one output.
const MAX_ERRORS: usize = 50;

struct Patterns {
    cargo: Regex,
    cargo_failed: Regex,
    rust_error: Regex,
    rust_place: Regex,
    python_frame: Regex,
    unittest_ran: Regex,
    unittest_end: Regex,
    unittest_failed: Regex,
    go_failed: Regex,
    go_ended: Regex,
    go_build: Regex,
    rspec: Regex,
    rspec_failed: Regex,
    rspec_load: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let compile =
        |pattern: &str| Regex::new(pattern).expect("the patterns are constants and covered by tests");
    Patterns {
        cargo: compile(r"(?m)^test result: \w+\. (\d+) passed; (\d+) failed; (\d+) ignored;"),
        cargo_failed: compile(r"(?m)^test (\S+) \.\.\. FAILED$"),
        rust_error: compile(r"^(error(?:\[E\d+\])?): (.+)$"),
        rust_place: compile(r"^\s*--> ([^:]+):(\d+):\d+$"),
        python_frame: compile(r#"(?m)^\s*File "([^"]+)", line (\d+), in .*\n\s*(.*)$"#),
        unittest_ran: compile(r"(?m)^Ran (\d+) tests? in "),
        unittest_end: compile(r"(?m)^(?:OK|FAILED)(?: \((.*)\))?$"),
        unittest_failed: compile(r"(?m)^(?:FAIL|ERROR): (\S+ \([^)]*\))"),
        go_ended: compile(r"(?m)^--- (PASS|FAIL|SKIP): \S+"),
        go_build: compile(r"(?m)^(?:vet: )?(\S+\.go):(\d+):\d+: (.+)$"),
        go_failed: compile(r"(?m)^\s*--- FAIL: (\S+)"),
        rspec_failed: compile(r"(?m)^rspec (\S+) # "),
        rspec_load: compile(
            r"(?m)^An error occurred while loading (\S+?)\.\s*$\s*^Failure/Error: ([^\n]*)$\s*^(\w+(?:::\w+)*):\s*$\s*^\s+([^\n]+)$(?:\s*^# \./\S+?:(\d+))?",
        ),
        rspec: compile(r"(?m)^(\d+) examples?, (\d+) failures?(?:, (\d+) pending)?(?:, (\d+) errors?)?"),
    }
});

/// Reads the output of a runner that may be any of several: a declared command hides which.
pub(super) fn read(output: &str) -> Outcome {
    let own: [fn(&str) -> Outcome; 5] = [cargo, unittest, node_runners::read, rspec, go];
    for reader in more_runners::READERS.iter().chain(&own) {
        let outcome = reader(output);
        if outcome != Outcome::default() {
            return outcome;
        }
    }
    // `make check` and its like often end in pytest.
    let outcome = pytest::read(output, None);
    if outcome.counts.is_some() { outcome } else { Outcome::default() }
}

fn number(text: Option<regex::Match<'_>>) -> u32 {
    text.and_then(|m| m.as_str().parse().ok()).unwrap_or_default()
}

fn names(pattern: &Regex, output: &str) -> Vec<String> {
    pattern.captures_iter(output).map(|c| c[1].to_owned()).collect()
}

fn cargo(output: &str) -> Outcome {
    let p = &*PATTERNS;
    let mut counts: Option<TestCounts> = None;
    // One line for each test binary, doc-tests included.
    for c in p.cargo.captures_iter(output) {
        let sum = counts.get_or_insert_with(TestCounts::default);
        sum.passed = sum.passed.saturating_add(number(c.get(1)));
        sum.failed = sum.failed.saturating_add(number(c.get(2)));
        sum.skipped = sum.skipped.saturating_add(number(c.get(3)));
        sum.collected = sum.passed.saturating_add(sum.failed).saturating_add(sum.skipped);
    }
    let mut errors = Vec::new();
    let lines: Vec<&str> = output.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        let Some(c) = p.rust_error.captures(line) else { continue };
        // Only compiler errors have a place; "could not compile" and "test failed" repeat what is said elsewhere.
        let Some(place) = lines.get(i + 1).and_then(|next| p.rust_place.captures(next)) else { continue };
        errors.push(CollectionError {
            file: place[1].to_owned(),
            line: place[2].parse().ok(),
            statement: None,
            exception: c[1].to_owned(),
            message: c[2].to_owned(),
            gap: None,
        });
    }
    if !errors.is_empty() {
        let sum = counts.get_or_insert_with(TestCounts::default);
        sum.errors = u32::try_from(errors.len()).unwrap_or(u32::MAX);
    }
    Outcome { counts, failed: names(&p.cargo_failed, output), errors }
}

fn unittest(output: &str) -> Outcome {
    let p = &*PATTERNS;
    let Some(ran) = p.unittest_ran.captures(output) else { return Outcome::default() };
    let ran = number(ran.get(1));
    let detail = p
        .unittest_end
        .captures_iter(output)
        .last()
        .and_then(|c| c.get(1).map(|m| m.as_str().to_owned()))
        .unwrap_or_default();
    let part = |name: &str| {
        detail
            .split(", ")
            .find_map(|p| p.strip_prefix(name)?.strip_prefix('=')?.parse::<u32>().ok())
            .unwrap_or_default()
    };
    let (failed, errors) = (part("failures"), part("errors"));
    let skipped = part("skipped").saturating_add(part("expected failures"));
    let passed = ran.saturating_sub(failed).saturating_sub(errors).saturating_sub(skipped);
    // A module that cannot be imported stands in for its tests as one that fails.
    let unloaded: Vec<CollectionError> = unittest_unloaded(output);
    let stand_ins = u32::try_from(unloaded.len()).unwrap_or(u32::MAX);
    let counts = TestCounts { collected: ran.saturating_sub(stand_ins), passed, failed, errors, skipped };
    let failed =
        names(&p.unittest_failed, output).into_iter().filter(|n| !n.contains("_FailedTest")).collect();
    Outcome { counts: Some(counts), failed, errors: unloaded }
}

/// `ImportError: Failed to import test module: NAME`, with the traceback below it.
fn unittest_unloaded(output: &str) -> Vec<CollectionError> {
    let p = &*PATTERNS;
    output
        .split("ImportError: Failed to import test module: ")
        .skip(1)
        .take(MAX_ERRORS)
        .map(|part| {
            // The traceback ends where the next section or the summary begins.
            let part = part.split("\n=====").next().unwrap_or(part);
            let part = part.split("\nRan ").next().unwrap_or(part);
            let module = part.lines().next().unwrap_or_default().trim();
            let place = p.python_frame.captures_iter(part).filter(|c| !c[1].contains("/unittest/")).last();
            let raised = part.lines().rev().find_map(|line| {
                let (exception, message) = line.split_once(": ")?;
                let named = !exception.is_empty()
                    && exception.chars().all(|c| c.is_alphanumeric() || c == '.' || c == '_');
                named.then(|| (exception.to_owned(), message.to_owned()))
            });
            let (exception, message) = raised.unwrap_or_else(|| ("ImportError".to_owned(), String::new()));
            CollectionError {
                file: place.as_ref().map_or_else(|| module.to_owned(), |c| c[1].to_owned()),
                line: place.as_ref().and_then(|c| c[2].parse().ok()),
                statement: place.map(|c| c[3].trim().to_owned()),
                exception,
                message,
                gap: None,
            }
        })
        .collect()
}

fn rspec(output: &str) -> Outcome {
    let p = &*PATTERNS;
    let Some(c) = p.rspec.captures_iter(output).last() else { return Outcome::default() };
    let (collected, failed, skipped) = (number(c.get(1)), number(c.get(2)), number(c.get(3)));
    let passed = collected.saturating_sub(failed).saturating_sub(skipped);
    let counts = TestCounts { collected, passed, failed, errors: number(c.get(4)), skipped };
    // A file that cannot be loaded is told with the line that failed, the error and the first place in the project.
    let errors = p.rspec_load.captures_iter(output).take(MAX_ERRORS).map(|c| CollectionError {
        file: c[1].trim_start_matches("./").to_owned(),
        line: c.get(5).and_then(|line| line.as_str().parse().ok()),
        statement: Some(c[2].trim().to_owned()),
        exception: c[3].to_owned(),
        message: c[4].trim().to_owned(),
        gap: None,
    });
    let errors = errors.collect();
    Outcome { counts: Some(counts), failed: names(&p.rspec_failed, output), errors }
}

/// With `-v` every test has its line; without it go names what failed and counts nothing. Code that does not compile
/// is named as `FILE:LINE:COLUMN: message` under the package's name.
fn go(output: &str) -> Outcome {
    let p = &*PATTERNS;
    let errors: Vec<CollectionError> = p
        .go_build
        .captures_iter(output)
        .filter(|_| output.contains("[build failed]") || output.contains("[setup failed]"))
        .take(MAX_ERRORS)
        .map(|c| CollectionError {
            file: c[1].to_owned(),
            line: c[2].parse().ok(),
            statement: None,
            exception: "build failed".to_owned(),
            message: c[3].to_owned(),
            gap: None,
        })
        .collect();
    // Subtests are indented and belong to the test above them.
    let ended = |word: &str| {
        p.go_ended.captures_iter(output).filter(|c| &c[1] == word).count().try_into().unwrap_or(u32::MAX)
    };
    let (passed, failed, skipped): (u32, u32, u32) = (ended("PASS"), ended("FAIL"), ended("SKIP"));
    let failing_names = names(&p.go_failed, output);
    let none = output.contains("[no test files]") && !output.contains("\nok ") && !output.starts_with("ok ");
    let counted = passed + skipped > 0 || !errors.is_empty() || (none && failed == 0);
    let counts = counted.then(|| TestCounts {
        collected: passed.saturating_add(failed).saturating_add(skipped),
        passed,
        failed,
        errors: errors.len().try_into().unwrap_or(u32::MAX),
        skipped,
    });
    Outcome { counts, failed: failing_names, errors }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(output: &str) -> (u32, u32, u32, u32, u32) {
        let c = read(output).counts.unwrap();
        (c.collected, c.passed, c.failed, c.errors, c.skipped)
    }

    #[test]
    fn cargo_sums_its_binaries_and_names_compiler_errors() {
        let text = "test a::b ... ok\ntest a::c ... FAILED\n\ntest result: FAILED. 1 passed; 1 failed; 1 ignored; 0 measured; 0 filtered out\n\
                    test result: ok. 2 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out\n";
        assert_eq!(counts(text), (5, 3, 1, 0, 1));
        assert_eq!(read(text).failed, ["a::c"]);
        let text =
            "error[E0432]: unresolved import `x`\n --> src/lib.rs:3:5\n  |\nerror: could not compile `a`\n";
        let outcome = read(text);
        assert_eq!((outcome.errors[0].file.as_str(), outcome.errors[0].line), ("src/lib.rs", Some(3)));
        assert_eq!(outcome.counts.unwrap().errors, 1);
    }

    #[test]
    fn the_others_by_their_summaries() {
        assert_eq!(
            counts(
                "FAIL: test_a (shop.tests.T)\n\nRan 5 tests in 0.1s\n\nFAILED (failures=1, errors=1, skipped=1)\n"
            ),
            (5, 2, 1, 1, 1)
        );
        assert_eq!(counts("Ran 2 tests in 0.1s\n\nOK\n"), (2, 2, 0, 0, 0));
        let unloaded = read(
            "E\n======\nERROR: tests.test_a (unittest.loader._FailedTest)\n------\nImportError: Failed to import test module: tests.test_a\nTraceback (most recent call last):\n  File \"/usr/lib/python3.11/unittest/loader.py\", line 407, in _find_test_path\n    module = self._get_module_from_name(name)\n  File \"/p/tests/test_a.py\", line 3, in <module>\n    from mailer import send\nImportError: cannot import name 'send' from 'mailer'\n\n\n------\nRan 1 test in 0.001s\n\nFAILED (errors=1)\n",
        );
        let error = &unloaded.errors[0];
        assert_eq!((error.file.as_str(), error.line), ("/p/tests/test_a.py", Some(3)));
        assert_eq!(error.message, "cannot import name 'send' from 'mailer'");
        assert!(unloaded.failed.is_empty());
        assert_eq!(counts("10 examples, 2 failures, 1 pending\n"), (10, 7, 2, 0, 1));
        assert_eq!(
            read("2 examples, 1 failure\n\nFailed examples:\n\nrspec ./spec/a_spec.rb:9 # a holds\n").failed,
            ["./spec/a_spec.rb:9"]
        );
        let unloaded = read(
            "\nAn error occurred while loading ./spec/a_spec.rb.\nFailure/Error: require 'slugs'\n\nLoadError:\n  cannot load such file -- slugs\n# ./spec/a_spec.rb:3:in `<top (required)>'\nNo examples found.\n\n0 examples, 0 failures, 1 error occurred outside of examples\n",
        );
        let error = &unloaded.errors[0];
        assert_eq!((error.file.as_str(), error.line), ("spec/a_spec.rb", Some(3)));
        assert_eq!(error.statement.as_deref(), Some("require 'slugs'"));
        assert_eq!(
            (error.exception.as_str(), error.message.as_str()),
            ("LoadError", "cannot load such file -- slugs")
        );
        let go = read("--- FAIL: TestA (0.00s)\nFAIL\tx\t0.01s\n");
        assert_eq!((go.counts, go.failed), (None, vec!["TestA".to_owned()]));
        assert_eq!(
            counts(
                "=== RUN   TestA\n--- PASS: TestA (0.00s)\n    --- PASS: TestA/b (0.00s)\n--- SKIP: TestC (0.00s)\nPASS\nok  \tshop\t0.01s\n"
            ),
            (2, 1, 0, 0, 1)
        );
        assert_eq!(counts("?   \tshop\t[no test files]\n"), (0, 0, 0, 0, 0));
        let broken =
            read("# shop [shop.test]\n./a_test.go:6:2: undefined: total\nFAIL\tshop [build failed]\nFAIL\n");
        assert_eq!((broken.errors[0].file.as_str(), broken.errors[0].line), ("./a_test.go", Some(6)));
        assert_eq!(read("nothing to see"), Outcome::default());
    }
}
