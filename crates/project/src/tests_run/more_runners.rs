//! Outputs of nextest, minitest, PHPUnit, Maven, Gradle, `dotnet test` and ExUnit, as far as their summaries tell.
//!
//! Sources: nexte.st "Reporting test results"; minitest's `Minitest::SummaryReporter`; docs.phpunit.de "The
//! Command-Line Test Runner"; maven.apache.org/surefire; docs.gradle.org "Testing in Java"; learn.microsoft.com "dotnet
//! test"; hexdocs.pm/ex_unit `ExUnit.CLIFormatter`.

use std::sync::LazyLock;

use landfall_evidence::{CollectionError, TestCounts};
use regex::Regex;

use super::Outcome;

type Reader = fn(&str) -> Outcome;

/// The readers, each of which gives nothing for another runner's output.
pub(super) const READERS: &[Reader] = &[nextest, maven, gradle, dotnet, phpunit, minitest, exunit];

/// Errors and names kept of one output.
const MAX: usize = 50;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants and covered by tests")
}

fn number(c: &regex::Captures<'_>, group: usize) -> u32 {
    c.get(group).and_then(|m| m.as_str().parse().ok()).unwrap_or_default()
}

fn names(pattern: &Regex, output: &str) -> Vec<String> {
    let mut all: Vec<String> = Vec::new();
    for c in pattern.captures_iter(output).take(MAX) {
        if !all.contains(&c[1].to_owned()) {
            all.push(c[1].to_owned());
        }
    }
    all
}

fn with(collected: u32, failed: u32, errors: u32, skipped: u32) -> TestCounts {
    let passed = collected.saturating_sub(failed).saturating_sub(errors).saturating_sub(skipped);
    TestCounts { collected, passed, failed, errors, skipped }
}

/// Compiler errors in lines such as `FILE:(12,5): error CS0103: message`.
fn compile_errors(pattern: &Regex, output: &str, exception: &str) -> Vec<CollectionError> {
    let mut all: Vec<CollectionError> = Vec::new();
    for c in pattern.captures_iter(output) {
        let error = CollectionError {
            file: c[1].to_owned(),
            line: c[2].parse().ok(),
            statement: None,
            exception: exception.to_owned(),
            message: c[3].trim().to_owned(),
            gap: None,
        };
        if all.len() < MAX && !all.contains(&error) {
            all.push(error);
        }
    }
    all
}

fn uncompiled(errors: Vec<CollectionError>) -> Outcome {
    let count = u32::try_from(errors.len()).unwrap_or(u32::MAX);
    Outcome {
        counts: Some(TestCounts { errors: count, ..TestCounts::default() }),
        failed: Vec::new(),
        errors,
    }
}

fn nextest(output: &str) -> Outcome {
    static SUMMARY: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?m)^\s*Summary \[[^\]]*\]\s+(?:\d+/)?(\d+) tests? run: (\d+) passed[^,\n]*(?:, (\d+) failed)?[^\n]*?(\d+) skipped",
        )
    });
    static FAILED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^\s*FAIL \[[^\]]*\](?: \([^)]*\))? (.+)$"));
    let Some(c) = SUMMARY.captures_iter(output).last() else { return Outcome::default() };
    let (run, passed, skipped) = (number(&c, 1), number(&c, 2), number(&c, 4));
    let counts = TestCounts {
        collected: run.saturating_add(skipped),
        passed,
        failed: run.saturating_sub(passed),
        errors: 0,
        skipped,
    };
    Outcome { counts: Some(counts), failed: names(&FAILED, output), errors: Vec::new() }
}

fn minitest(output: &str) -> Outcome {
    static SUMMARY: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?m)^(\d+) (?:runs|tests), \d+ assertions, (\d+) failures, (\d+) errors(?:, (\d+) (?:skips|pendings))?",
        )
    });
    static FAILED: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^(?:\s*\d+\) )?(?:Failure|Error):\s*\n?\s*(\S+#\S+?)(?: \[|:|\()"));
    let Some(c) = SUMMARY.captures_iter(output).last() else { return Outcome::default() };
    let counts = with(number(&c, 1), number(&c, 2), number(&c, 3), number(&c, 4));
    Outcome { counts: Some(counts), failed: names(&FAILED, output), errors: Vec::new() }
}

fn phpunit(output: &str) -> Outcome {
    static PASSED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^OK \((\d+) tests?, \d+ assertions?\)"));
    static SUMMARY: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^Tests: (\d+), Assertions: \d+([^\n]*)\.\s*$"));
    static PART: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(Failures|Errors|Skipped|Incomplete|Risky): (\d+)"));
    static FAILED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^\d+\) (\S+::\S+)"));
    static FATAL: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?m)^(?:PHP )?(?:Fatal|Parse) error:\s+(?:Uncaught (\w+): )?([^\n]+?) in (\S+\.php)(?::(\d+)| on line (\d+))\s*$",
        )
    });
    if !output.contains("PHPUnit") {
        return Outcome::default();
    }
    if output.contains("No tests executed!") {
        return Outcome { counts: Some(TestCounts::default()), ..Outcome::default() };
    }
    if let Some(c) = PASSED.captures_iter(output).last() {
        return Outcome { counts: Some(with(number(&c, 1), 0, 0, 0)), ..Outcome::default() };
    }
    let Some(c) = SUMMARY.captures_iter(output).last() else {
        // A file that cannot be loaded ends the whole run, in PHP's own words (php.net, "Errors in PHP 7"), which are
        // said twice where the command line logs errors.
        let mut errors: Vec<CollectionError> = Vec::new();
        for c in FATAL.captures_iter(output).take(MAX) {
            let line = c.get(4).or_else(|| c.get(5)).and_then(|line| line.as_str().parse().ok());
            let error = CollectionError {
                file: c[3].to_owned(),
                line,
                statement: None,
                exception: c.get(1).map_or("Fatal error", |name| name.as_str()).to_owned(),
                message: c[2].trim().to_owned(),
                gap: None,
            };
            if !errors.contains(&error) {
                errors.push(error);
            }
        }
        return if errors.is_empty() { Outcome::default() } else { uncompiled(errors) };
    };
    let part =
        |name: &str| PART.captures_iter(&c[2]).filter(|p| &p[1] == name).map(|p| number(&p, 2)).sum::<u32>();
    let counts = with(number(&c, 1), part("Failures"), part("Errors"), part("Skipped") + part("Incomplete"));
    Outcome { counts: Some(counts), failed: names(&FAILED, output), errors: Vec::new() }
}

fn maven(output: &str) -> Outcome {
    static SUMMARY: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)Tests run: (\d+), Failures: (\d+), Errors: (\d+), Skipped: (\d+)\s*$"));
    static FAILED: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^\[ERROR\]\s+(\w[\w.$]*\.\w+)(?::\d+|\s+--|\s+Time)"));
    static COMPILE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^\[ERROR\] (\S+\.(?:java|kt)):\[(\d+),\d+\] (.+)$"));
    if !output.contains("[INFO]") && !output.contains("[ERROR]") {
        return Outcome::default();
    }
    let errors = compile_errors(&COMPILE, output, "compilation error");
    if !errors.is_empty() {
        return uncompiled(errors);
    }
    match SUMMARY.captures_iter(output).last() {
        Some(c) => Outcome {
            counts: Some(with(number(&c, 1), number(&c, 2), number(&c, 3), number(&c, 4))),
            failed: names(&FAILED, output),
            errors: Vec::new(),
        },
        None if output.contains("No tests to run") => {
            Outcome { counts: Some(TestCounts::default()), ..Outcome::default() }
        }
        None => Outcome::default(),
    }
}

fn gradle(output: &str) -> Outcome {
    static SUMMARY: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^(\d+) tests? completed(?:, (\d+) failed)?(?:, (\d+) skipped)?"));
    static FAILED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^(\S+ > .+?) FAILED$"));
    static COMPILE: LazyLock<Regex> = LazyLock::new(|| {
        // Older versions print the compiler's first line behind the name of the task.
        regex(
            r"(?m)^(?::[\w:-]+)?(?:e: )?(?:file://)?([^:\s]\S*?\.(?:java|kt)):(\d+)(?::\d+)?:? (?:error: )?(.+)$",
        )
    });
    if !output.contains("BUILD ")
        || !(output.contains("> Task")
            || output.contains("Gradle")
            || output.contains("BUILD FAILED in")
            || output.contains("BUILD SUCCESSFUL in"))
    {
        return Outcome::default();
    }
    if let Some(c) = SUMMARY.captures_iter(output).last() {
        let counts = with(number(&c, 1), number(&c, 2), 0, number(&c, 3));
        return Outcome { counts: Some(counts), failed: names(&FAILED, output), errors: Vec::new() };
    }
    let errors = compile_errors(&COMPILE, output, "compilation error");
    if errors.is_empty() { Outcome::default() } else { uncompiled(errors) }
}

fn dotnet(output: &str) -> Outcome {
    static SUMMARY: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?m)^\s*(?:Passed|Failed|Skipped)!\s+-\s+Failed:\s+(\d+), Passed:\s+(\d+), Skipped:\s+(\d+), Total:\s+(\d+)",
        )
    });
    static FAILED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^\s+Failed (\S+) \["));
    static COMPILE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^\s*(\S+\.[cf]s)\((\d+),\d+\): error (\w+\d+: .+?)(?: \[|$)"));
    let errors = compile_errors(&COMPILE, output, "compilation error");
    if !errors.is_empty() {
        return uncompiled(errors);
    }
    let mut counts: Option<TestCounts> = None;
    // One line a test project.
    for c in SUMMARY.captures_iter(output) {
        let sum = counts.get_or_insert_with(TestCounts::default);
        sum.failed = sum.failed.saturating_add(number(&c, 1));
        sum.passed = sum.passed.saturating_add(number(&c, 2));
        sum.skipped = sum.skipped.saturating_add(number(&c, 3));
        sum.collected = sum.collected.saturating_add(number(&c, 4));
    }
    match counts {
        None if output.contains("No test is available in") => {
            Outcome { counts: Some(TestCounts::default()), ..Outcome::default() }
        }
        None => Outcome::default(),
        counts => Outcome { counts, failed: names(&FAILED, output), errors: Vec::new() },
    }
}

fn exunit(output: &str) -> Outcome {
    static SUMMARY: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?m)^(?:(\d+) doctests?, )?(?:(\d+) properties, )?(\d+) tests?, (\d+) failures?(?:, (\d+) invalid)?(?:, (\d+) skipped)?(?:, (\d+) excluded)?",
        )
    });
    static FAILED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^\s+\d+\) (test .+ \([\w.]+\))$"));
    static COMPILE: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?m)^\*\* \((?:CompileError|SyntaxError|TokenMissingError)\) ([^:\s]+):(\d+)(?::\d+)?: (.+)$")
    });
    static NOTHING: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^(?:There are no tests to run$|Finished in [^\n]*\n0 failures$)"));
    // Since Elixir 1.15 the compiler says where before it says that the module is not compiled.
    static LOGGED: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^\s*error: ([^\n]+)\n(?:[^\n└]*\n){0,8}[^\n└]*└─ ([^:\s]+):(\d+)"));
    let mut errors = compile_errors(&COMPILE, output, "CompileError");
    if errors.is_empty() && output.contains("(errors have been logged)") {
        let logged = LOGGED.captures_iter(output).take(MAX).map(|c| CollectionError {
            file: c[2].to_owned(),
            line: c[3].parse().ok(),
            statement: None,
            exception: "CompileError".to_owned(),
            message: c[1].trim().to_owned(),
            gap: None,
        });
        errors.extend(logged);
    }
    if !errors.is_empty() {
        return uncompiled(errors);
    }
    if NOTHING.is_match(output) {
        return Outcome { counts: Some(TestCounts::default()), ..Outcome::default() };
    }
    let Some(c) = SUMMARY.captures_iter(output).last() else { return Outcome::default() };
    let collected = number(&c, 1).saturating_add(number(&c, 2)).saturating_add(number(&c, 3));
    let counts = with(collected, number(&c, 4), number(&c, 5), number(&c, 6).saturating_add(number(&c, 7)));
    Outcome { counts: Some(counts), failed: names(&FAILED, output), errors: Vec::new() }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(output: &str, counts: (u32, u32, u32, u32, u32), failed: &[&str]) {
        let outcome = READERS.iter().map(|r| r(output)).find(|o| *o != Outcome::default()).expect("a reader");
        let c = outcome.counts.expect("counts");
        assert_eq!((c.collected, c.passed, c.failed, c.errors, c.skipped), counts, "{output}");
        assert_eq!(outcome.failed, failed);
    }

    #[test]
    fn summaries() {
        check(
            "        PASS [   0.004s] shop tests::a\n        FAIL [   0.005s] shop tests::b\n     Summary [   0.010s] 3 tests run: 2 passed, 1 failed, 1 skipped\n",
            (4, 2, 1, 0, 1),
            &["shop tests::b"],
        );
        check(
            "  1) Failure:\nTestItem#test_price [test/item_test.rb:9]:\nExpected: 2\n  Actual: 3\n\n3 runs, 4 assertions, 1 failures, 0 errors, 1 skips\n",
            (3, 1, 1, 0, 1),
            &["TestItem#test_price"],
        );
        check("PHPUnit 11.0.0 by Sebastian Bergmann.\n\nOK (3 tests, 5 assertions)\n", (3, 3, 0, 0, 0), &[]);
        check(
            "PHPUnit 11.0.0\n\n1) ItemTest::testPrice\nFailed asserting\n\nFAILURES!\nTests: 4, Assertions: 5, Failures: 1, Errors: 1, Skipped: 1.\n",
            (4, 1, 1, 1, 1),
            &["ItemTest::testPrice"],
        );
        check("PHPUnit 11.0.0\n\nNo tests executed!\n", (0, 0, 0, 0, 0), &[]);
        check(
            "[INFO] Tests run: 1, Failures: 0, Errors: 0, Skipped: 0, Time elapsed: 0.1 s - in A\n[ERROR]   ItemTest.price:12 expected: <2> but was: <3>\n[ERROR] Tests run: 3, Failures: 1, Errors: 0, Skipped: 1\n",
            (3, 1, 1, 0, 1),
            &["ItemTest.price"],
        );
        check(
            "> Task :test FAILED\nItemTest > price() FAILED\n    org.opentest4j.AssertionFailedError\n\n3 tests completed, 1 failed\n\nBUILD FAILED in 3s\n",
            (3, 2, 1, 0, 0),
            &["ItemTest > price()"],
        );
        check(
            "  Failed Shop.Tests.Price [5 ms]\nFailed!  - Failed:     1, Passed:     2, Skipped:     0, Total:     3, Duration: 9 ms\nPassed!  - Failed:     0, Passed:     1, Skipped:     0, Total:     1\n",
            (4, 3, 1, 0, 0),
            &["Shop.Tests.Price"],
        );
        check(
            "  1) test price (Shop.ItemTest)\n     test/item_test.exs:4\n\nFinished in 0.03 seconds\n1 doctest, 3 tests, 1 failure, 1 excluded\n",
            (4, 2, 1, 0, 1),
            &["test price (Shop.ItemTest)"],
        );
    }

    #[test]
    fn exunit_without_a_test() {
        for output in [
            "There are no tests to run\n",
            "Generated sluice app\n\nFinished in 0.00 seconds (0.00s async, 0.00s sync)\n0 failures\n\nRandomized with seed 801401\n",
        ] {
            check(output, (0, 0, 0, 0, 0), &[]);
        }
    }

    #[test]
    fn code_that_does_not_compile_is_a_collection_error() {
        for (output, file, line) in [
            (
                "[ERROR] /p/src/test/java/A.java:[10,5] cannot find symbol\n[ERROR] x\n",
                "/p/src/test/java/A.java",
                10,
            ),
            (
                "> Task :compileTestJava FAILED\n/p/A.java:7: error: cannot find symbol\nBUILD FAILED in 1s\n",
                "/p/A.java",
                7,
            ),
            (
                ":compileJava\n:compileTestJava/p/A.java:7: error: cannot find symbol\n FAILED\nBUILD FAILED in 1s\n",
                "/p/A.java",
                7,
            ),
            ("/p/Item.cs(3,9): error CS0103: The name 'x' does not exist [/p/a.csproj]\n", "/p/Item.cs", 3),
            (
                "PHP Fatal error:  Uncaught Error: Class \"Shop\\Base\" not found in /p/tests/ATest.php:5\nStack trace:\n#0 /usr/share/php/PHPUnit/Util/FileLoader.php(66): include_once()\n",
                "/p/tests/ATest.php",
                5,
            ),
            (
                "PHPUnit 9.6.7\n\nPHP Parse error:  syntax error, unexpected token \"}\" in /p/src/a.php on line 3\n",
                "/p/src/a.php",
                3,
            ),
            ("** (CompileError) lib/item.ex:4: undefined function x/0\n", "lib/item.ex", 4),
            (
                "    error: undefined variable \"far\"\n    │\n  3 │   test \"x\", do: assert far\n    │                  ^^^\n    │\n    └─ test/item_test.exs:3:24: ItemTest.\"test x\"/1\n\n\n== Compilation error in file test/item_test.exs ==\n** (CompileError) test/item_test.exs: cannot compile module ItemTest (errors have been logged)\n",
                "test/item_test.exs",
                3,
            ),
        ] {
            let outcome = READERS.iter().map(|r| r(output)).find(|o| *o != Outcome::default()).expect(output);
            assert_eq!((outcome.errors[0].file.as_str(), outcome.errors[0].line), (file, Some(line)));
        }
    }

    #[test]
    fn outputs_of_others_are_left_to_others() {
        for output in [
            "3 passed in 0.1s",
            "ok  \tshop\t0.01s",
            "10 examples, 2 failures\n",
            "test result: ok. 1 passed; 0 failed; 0 ignored;",
        ] {
            assert!(READERS.iter().all(|r| r(output) == Outcome::default()), "{output}");
        }
    }
}
