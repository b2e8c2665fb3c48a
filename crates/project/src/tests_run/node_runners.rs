//! Outputs of Jest, Vitest, Mocha and Node's own runner.
//!
//! Sources: runs of Jest 30, Vitest 3 and 4, Mocha 11 and 12 and Node 20, which `scenarios/projects/node` repeats; the
//! summaries are those of jestjs.io "CLI", vitest.dev "Reporters", mochajs.org "Reporters", nodejs.org "Test runner".

use std::sync::LazyLock;

use landfall_evidence::{CollectionError, TestCounts};
use regex::Regex;

use super::Outcome;

/// Errors and names kept of one output.
const MAX: usize = 50;
/// Lines of a title, of a block about one error: a longer one is cut.
const MAX_TITLE: usize = 8;
const MAX_BLOCK: usize = 400;

fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants and covered by tests")
}

pub(super) fn read(output: &str) -> Outcome {
    let readers: [fn(&str) -> Outcome; 4] = [jest, vitest, own, mocha];
    readers.iter().map(|read| read(output)).find(|o| *o != Outcome::default()).unwrap_or_default()
}

/// A summary such as `1 failed | 2 passed | 1 skipped | 1 todo`.
fn parts(summary: &str) -> TestCounts {
    static PART: LazyLock<Regex> = LazyLock::new(|| regex(r"(\d+) (passed|failed|skipped|todo|pending)"));
    let mut counts = TestCounts::default();
    for c in PART.captures_iter(summary) {
        add(&mut counts, &c[2], c[1].parse().unwrap_or_default());
    }
    counts
}

fn add(counts: &mut TestCounts, what: &str, n: u32) {
    let field = match what {
        "passed" | "passing" | "pass" => &mut counts.passed,
        "failed" | "failing" | "fail" => &mut counts.failed,
        "skipped" | "pending" | "todo" => &mut counts.skipped,
        _ => return,
    };
    *field = field.saturating_add(n);
    counts.collected = counts.collected.saturating_add(n);
}

/// Counts with files that could not be loaded. A file without a test is one of them beside other tests, and alone it
/// means that no test ran.
fn with_errors(mut counts: TestCounts, failed: Vec<String>, errors: Vec<CollectionError>) -> Outcome {
    let empty = |error: &CollectionError| {
        error.message.starts_with("Your test suite must contain at least one test")
            || error.message.starts_with("No test suite found in file")
    };
    if counts.collected == 0 && !errors.is_empty() && errors.iter().all(empty) {
        return Outcome { counts: Some(counts), ..Outcome::default() };
    }
    counts.errors = counts.errors.saturating_add(u32::try_from(errors.len()).unwrap_or(u32::MAX));
    Outcome { counts: Some(counts), failed, errors }
}

fn keep(names: &mut Vec<String>, name: &str) {
    // Runners repeat the failures of a long run at its end.
    if names.len() < MAX && !names.iter().any(|n| n == name) {
        names.push(name.to_owned());
    }
}

/// The error that a block of lines tells: its name and text, its place in the project, and the line of code there.
fn told(file: &str, block: &[&str]) -> CollectionError {
    static NAMED: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"^\s*(?:#\s*)?(?:Exception during run: )?((?:[A-Z]\w*)?Error)(?: \[\w+\])?: (.+)$")
    });
    // `at f (FILE:1:2)`, `❯ f FILE:1:2`; `FILE:1` above a frame of code that does not parse.
    static FRAME: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"^\s*(?:#\s*)?(?:at|❯) (?:.*[ (])?(?:file://)?([^\s()]+?\.\w+):(\d+)(?::\d+)?\)?$")
    });
    static HEAD: LazyLock<Regex> =
        LazyLock::new(|| regex(r"^\s*(?:#\s*)?(?:Exception during run: )?(/\S+\.\w+):(\d+)$"));
    static UNPARSED: LazyLock<Regex> = LazyLock::new(|| regex(r"^(/\S+?): (.+ \((\d+):\d+\))$"));
    static MARKED: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*>?\s*(\d+)\s*\|\s?(.*)$"));

    let named = block.iter().find_map(|line| NAMED.captures(line));
    let (exception, mut message) = match &named {
        Some(c) => (c[1].to_owned(), c[2].to_owned()),
        None => {
            let first = block.iter().map(|line| line.trim()).find(|line| !line.is_empty());
            ("Error".to_owned(), first.unwrap_or_default().to_owned())
        }
    };
    let own = |path: &str| !path.starts_with("node:") && !path.contains("node_modules/");
    let (mut at, mut line) = (file.to_owned(), None);
    if let Some((path, text, number)) =
        UNPARSED.captures(&message).map(|c| (c[1].to_owned(), c[2].to_owned(), c[3].to_owned()))
    {
        (at, line, message) = (nearer(file, &path), number.parse().ok(), text);
    } else if let Some(c) = block
        .iter()
        .find_map(|l| HEAD.captures(l))
        .filter(|c| own(&c[1]))
        .or_else(|| block.iter().filter_map(|l| FRAME.captures(l)).find(|c| own(&c[1])))
    {
        (at, line) = (nearer(file, &c[1]), c[2].parse().ok());
    }
    let statement = block
        .iter()
        .filter_map(|l| MARKED.captures(l))
        .find(|c| line.is_some() && c[1].parse::<u32>().ok() == line)
        .map(|c| c[2].trim().to_owned());
    CollectionError { file: at, line, statement, exception, message, gap: None }
}

/// Runners name a test file from the project's folder, and Node by its whole path: the shorter name is kept.
fn nearer(file: &str, path: &str) -> String {
    if !file.is_empty() && path.ends_with(&format!("/{file}")) { file.to_owned() } else { path.to_owned() }
}

fn jest(output: &str) -> Outcome {
    static SUMMARY: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^Tests: +(.*?)\d+ total$"));
    static NONE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^No tests found(?:, exiting with code \d+| related to )"));
    static FAIL: LazyLock<Regex> = LazyLock::new(|| regex(r"^ ?FAIL +(?:.* )?(\S+?)(?: \([\d.]+ m?s\))?$"));
    // In colour the word has a space on either side.
    static WORD: LazyLock<Regex> = LazyLock::new(|| regex(r"^ ?(?:FAIL|PASS) "));
    let Some(c) = SUMMARY.captures_iter(output).last() else {
        let counts = NONE.is_match(output).then(TestCounts::default);
        return Outcome { counts, ..Outcome::default() };
    };
    let counts = parts(&c[1]);
    let (mut failed, mut errors) = (Vec::new(), Vec::new());
    let mut file = "";
    let lines: Vec<&str> = output.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        if let Some(c) = FAIL.captures(line) {
            file = c.get(1).map_or("", |m| m.as_str());
        } else if WORD.is_match(line) {
            file = "";
        } else if let Some(title) = line.strip_prefix("  ● ").filter(|_| !file.is_empty()) {
            match title.trim() {
                "Test suite failed to run" => {
                    let ends = |line: &&&str| {
                        !(line.starts_with("  ● ")
                            || WORD.is_match(line)
                            || line.starts_with("Test Suites: "))
                    };
                    let block: Vec<&str> =
                        lines[i + 1..].iter().take(MAX_BLOCK).take_while(ends).copied().collect();
                    let error = told(file, &block);
                    if errors.len() < MAX && !errors.contains(&error) {
                        errors.push(error);
                    }
                }
                "Console" => {}
                title => keep(&mut failed, title),
            }
        }
    }
    with_errors(counts, failed, errors)
}

fn vitest(output: &str) -> Outcome {
    static SUMMARY: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^ +Tests  (.+)$"));
    static UNHANDLED: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^ +Errors  (\d+) errors?$"));
    static NONE: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^No test files found, exiting with code \d+$"));
    // A file as a whole is named twice. A project's name may stand before it.
    static SUITE: LazyLock<Regex> = LazyLock::new(|| regex(r"^ FAIL  (?:.* )?(\S+) \[ (.+) \]$"));
    static TEST: LazyLock<Regex> = LazyLock::new(|| regex(r"^ FAIL  (.+ > .+)$"));
    // How many tests a file holds: those of one that did not load are not known.
    static HOLDS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^ ❯ (?:.* )?(\S+) \(([1-9]\d*) tests?\b"));
    if !output.contains(" Test Files  ") {
        let counts = NONE.is_match(output).then(TestCounts::default);
        return Outcome { counts, ..Outcome::default() };
    }
    let Some(c) = SUMMARY.captures_iter(output).last() else { return Outcome::default() };
    let mut counts = parts(&c[1]);
    let unhandled = UNHANDLED.captures(output).and_then(|c| c[1].parse().ok()).unwrap_or(0);
    counts.errors = unhandled;
    let loaded: Vec<String> = HOLDS.captures_iter(output).map(|c| c[1].to_owned()).collect();
    let (mut failed, mut errors) = (Vec::new(), Vec::new());
    // Files that fail in the same way stand under one another, above the one error.
    let mut unloaded: Vec<&str> = Vec::new();
    let lines: Vec<&str> = output.lines().collect();
    for (i, line) in lines.iter().enumerate() {
        if let Some(c) = SUITE.captures(line) {
            let file = c.get(1).map_or("", |m| m.as_str());
            if loaded.iter().any(|l| l == file) {
                // Its tests are there; what is done before or after them failed.
                keep(&mut failed, file);
                counts.errors = counts.errors.saturating_add(1);
            } else {
                unloaded.push(file);
            }
        } else if let Some(c) = TEST.captures(line) {
            keep(&mut failed, &c[1]);
        }
        if unloaded.is_empty() || lines.get(i + 1).is_some_and(|next| next.starts_with(" FAIL  ")) {
            continue;
        }
        let ends = |line: &&&str| !(line.starts_with(" FAIL  ") || line.starts_with("⎯⎯⎯"));
        let block: Vec<&str> = lines[i + 1..].iter().take(MAX_BLOCK).take_while(ends).copied().collect();
        for file in unloaded.drain(..) {
            if errors.len() < MAX {
                errors.push(told(file, &block));
            }
        }
    }
    with_errors(counts, failed, errors)
}

fn mocha(output: &str) -> Outcome {
    static SUMMARY: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^ +(\d+) (passing|failing|pending)(?: \(.*\))?$"));
    static TITLE: LazyLock<Regex> = LazyLock::new(|| regex(r"^  \d+\) (.+)$"));
    if let Some(at) = output.find(" Exception during run: ") {
        // Nothing runs when one file cannot be loaded.
        let block: Vec<&str> = output[at..].trim_start().lines().take(MAX_BLOCK).collect();
        return with_errors(TestCounts::default(), Vec::new(), vec![told_by_node("", &block)]);
    }
    let mut counts: Option<TestCounts> = None;
    for c in SUMMARY.captures_iter(output) {
        add(counts.get_or_insert_default(), &c[2], c[1].parse().unwrap_or_default());
    }
    if counts.is_none() && output.lines().any(|line| line.starts_with("Error: No test files found")) {
        counts = Some(TestCounts::default());
    }
    // Below the counts each failure stands under its title: the suites, one to a line, and the test with a colon.
    let mut failed = Vec::new();
    let lines: Vec<&str> = output.lines().skip_while(|line| !line.trim_end().ends_with(" failing")).collect();
    for (i, line) in lines.iter().enumerate() {
        let Some(first) = TITLE.captures(line).map(|c| c[1].to_owned()) else { continue };
        let mut title = first;
        for more in lines[i + 1..].iter().take(MAX_TITLE) {
            if title.ends_with(':') || more.trim().is_empty() {
                break;
            }
            title = format!("{title} {}", more.trim());
        }
        if let Some(title) = title.strip_suffix(':') {
            keep(&mut failed, title);
        }
    }
    Outcome { counts, failed, errors: Vec::new() }
}

/// Node's own words about a module that it cannot load, of which only the paths of the files say where.
fn told_by_node(file: &str, block: &[&str]) -> CollectionError {
    static IMPORTED: LazyLock<Regex> = LazyLock::new(|| regex(r"^(.+) imported from (\S+)$"));
    let mut error = told(file, block);
    let imported = IMPORTED.captures(&error.message).map(|c| (c[1].to_owned(), c[2].to_owned()));
    if let Some((_, by)) = imported.filter(|_| error.line.is_none()) {
        error.file = nearer(file, &by);
    }
    error
}

/// Node's own runner, in both of its forms: TAP and `spec`.
fn own(output: &str) -> Outcome {
    static COUNT: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^(?:#|ℹ) (tests|pass|fail|skipped|cancelled|todo) (\d+)$"));
    static TAP: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*not ok \d+ - (.+?)(?: # .*)?$"));
    static SPEC: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*✖ (.+?) \([\d.]+ms\)(?: # .*)?$"));
    static ENDED: LazyLock<Regex> = LazyLock::new(|| regex(r"^\s*(?:(?:not )?ok \d+ - |✖ |✔ |\.\.\.$)"));
    if !COUNT.is_match(output) {
        return Outcome::default();
    }
    let mut counts = TestCounts::default();
    for c in COUNT.captures_iter(output) {
        let n = c[2].parse().unwrap_or_default();
        if &c[1] == "cancelled" {
            counts.errors = n;
        }
        add(&mut counts, &c[1], n);
    }
    let (mut failed, mut errors, mut unloaded) = (Vec::new(), Vec::new(), Vec::new());
    let lines: Vec<&str> = output.lines().take_while(|line| *line != "✖ failing tests:").collect();
    // What was printed since the last test ended: an error there is that of loading the file.
    let mut since = 0;
    for (i, line) in lines.iter().enumerate() {
        let name = TAP.captures(line).or_else(|| SPEC.captures(line)).map(|c| c[1].to_owned());
        // TAP's directive for a test that is expected to fail, which is no failure.
        if let Some(name) = name.filter(|_| !line.ends_with("# TODO")) {
            // What belongs to the test before is indented; Node's own words are not.
            let block: Vec<&str> = lines[since..i]
                .iter()
                .skip_while(|l| l.is_empty() || l.starts_with(' '))
                .take(MAX_BLOCK)
                .copied()
                .collect();
            let detail: Vec<&str> =
                lines[i + 1..].iter().take(12).take_while(|l| l.trim() != "...").copied().collect();
            // A suite fails with the tests in it, which are named themselves.
            let suite = detail.iter().any(|l| l.contains("failureType: 'subtestsFailed'"));
            let whole_file = detail.iter().any(|l| l.trim() == "'test failed'" || l.contains("exitCode: "));
            let load = whole_file && block.iter().any(|l| l.contains("Error"));
            if load && errors.len() < MAX {
                errors.push(told_by_node(&name, &block));
                unloaded.push(name);
            } else if !suite && TAP.is_match(line) {
                keep(&mut failed, &name);
            }
        }
        if ENDED.is_match(line) {
            since = i + 1;
        }
    }
    // `spec` lists at its end the tests alone, without the suites around them.
    for c in output.lines().skip(lines.len()).filter_map(|line| SPEC.captures(line)) {
        if !unloaded.contains(&c[1].to_owned()) {
            keep(&mut failed, &c[1]);
        }
    }
    // A file that cannot be loaded is counted as one test that fails.
    let unloaded = u32::try_from(errors.len()).unwrap_or(u32::MAX).min(counts.failed);
    counts.failed -= unloaded;
    counts.collected = counts.collected.saturating_sub(unloaded);
    with_errors(counts, failed, errors)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Collected, passed, failed, errors, skipped.
    fn counts(outcome: &Outcome) -> (u32, u32, u32, u32, u32) {
        let c = outcome.counts.expect("counts");
        (c.collected, c.passed, c.failed, c.errors, c.skipped)
    }

    fn places(outcome: &Outcome) -> Vec<(&str, Option<u32>, &str, &str)> {
        let all = outcome.errors.iter();
        all.map(|e| (e.file.as_str(), e.line, e.exception.as_str(), e.message.as_str())).collect()
    }

    #[test]
    fn jest_counts_and_names_what_failed() {
        let output = "FAIL test/slug.test.js (6.1 s)\n  slug\n    ✓ lower (32 ms)\n    ✕ several  spaces (35 ms)\n\n  ● Console\n\n    console.log\n\n  ● slug › several  spaces\n\n    expect(received).toBe(expected)\n\nTest Suites: 1 failed, 1 total\nTests:       1 failed, 1 skipped, 1 todo, 1 passed, 4 total\nSnapshots:   0 total\n";
        let outcome = read(output);
        assert_eq!(counts(&outcome), (4, 1, 1, 0, 2));
        assert_eq!(outcome.failed, ["slug › several  spaces"]);
        assert!(outcome.errors.is_empty());
    }

    #[test]
    fn jest_says_why_a_file_does_not_load() {
        let output = "FAIL miss/slug.test.js\n  ● Test suite failed to run\n\n    Cannot find module '../slugs' from 'miss/slug.test.js'\n\n    > 1 | const { slug } = require('../slugs');\n        |                  ^\n      2 | test('lower', () => {});\n\n      at Resolver._throwModNotFoundError (../node_modules/jest-resolve/build/index.js:1031:11)\n      at Object.require (miss/slug.test.js:1:18)\n\nFAIL a/syn.test.js\n  ● Test suite failed to run\n\n    Jest encountered an unexpected token\n\n    Details:\n\n    SyntaxError: /p/a/syn.test.js: Unexpected token (2:0)\n\n      1 | test('a', () => {\n    > 2 |\n        | ^\n\n      at constructor (../node_modules/@babel/parser/src/parse-error.ts:96:45)\n\nFAIL a/throws.test.js\n  ● Test suite failed to run\n\n    TypeError: Cannot read properties of undefined (reading 'trim')\n\n    > 1 | exports.slug = (t) => t.trim();\n        |                         ^\n\n      at trim (slug.js:1:25)\n      at Object.slug (a/throws.test.js:5:1)\n\nPASS miss/other.test.js\n\nTest Suites: 3 failed, 1 passed, 4 total\nTests:       1 passed, 1 total\n";
        let outcome = read(output);
        // In colour, without the colours.
        assert_eq!(read(&output.replace("\nPASS", "\n PASS ").replace("FAIL", " FAIL ")), outcome);
        assert_eq!(counts(&outcome), (1, 1, 0, 3, 0));
        assert_eq!(
            places(&outcome),
            [
                (
                    "miss/slug.test.js",
                    Some(1),
                    "Error",
                    "Cannot find module '../slugs' from 'miss/slug.test.js'"
                ),
                ("a/syn.test.js", Some(2), "SyntaxError", "Unexpected token (2:0)"),
                ("slug.js", Some(1), "TypeError", "Cannot read properties of undefined (reading 'trim')"),
            ]
        );
        assert_eq!(outcome.errors[0].statement.as_deref(), Some("const { slug } = require('../slugs');"));
        assert_eq!(outcome.errors[2].statement.as_deref(), Some("exports.slug = (t) => t.trim();"));
    }

    #[test]
    fn no_test_is_neither_an_error_nor_a_pass() {
        let jest_empty = "FAIL none/empty.test.js\n  ● Test suite failed to run\n\n    Your test suite must contain at least one test.\n\n      at onResult (../node_modules/@jest/core/build/index.js:1054:18)\n\nTest Suites: 1 failed, 1 total\nTests:       0 total\n";
        let vitest_empty = "\n FAIL  none/empty.test.js [ none/empty.test.js ]\nError: No test suite found in file /p/none/empty.test.js\n⎯⎯⎯⎯\n\n Test Files  1 failed (1)\n      Tests  no tests\n";
        for output in [
            "No tests found, exiting with code 1\nRun with `--passWithNoTests` to exit with code 0\n",
            jest_empty,
            "\nNo test files found, exiting with code 1\n\nfilter: nothere\n",
            vitest_empty,
            "\n\n  0 passing (1ms)\n\n",
            "Error: No test files found: \"test\"\n",
            "1..0\n# tests 0\n# suites 0\n# pass 0\n# fail 0\n# cancelled 0\n# skipped 0\n# todo 0\n",
        ] {
            let outcome = read(output);
            assert_eq!(counts(&outcome), (0, 0, 0, 0, 0), "{output}");
            assert!(outcome.errors.is_empty() && outcome.failed.is_empty(), "{output}");
        }
        // Beside tests that run, a file without any is an error, as the runner says.
        let beside = jest_empty.replace("Tests:       0 total", "Tests:       2 passed, 2 total");
        assert_eq!(counts(&read(&beside)), (2, 2, 0, 1, 0));
    }

    #[test]
    fn vitest_tells_a_file_that_does_not_load_from_a_hook_that_fails() {
        // Vitest 4; the two files fail in the same way.
        let output = " RUN  v4.1.12 /p\n\n ❯ miss/slug.test.js (0 test)\n ❯ miss/more.test.js (0 test)\n ❯ db/a.test.js (1 test | 1 skipped) 4ms\n   ↓ a\n ✓ miss/other.test.js (1 test) 36ms\n\n⎯⎯⎯⎯⎯⎯ Failed Suites 3 ⎯⎯⎯⎯⎯⎯⎯\n\n FAIL  miss/slug.test.js [ miss/slug.test.js ]\n FAIL  |api| miss/more.test.js [ miss/more.test.js ]\nError: Cannot find module '../slugs.js' imported from /p/miss/slug.test.js\n ❯ miss/slug.test.js:2:1\n      1| import { expect, test } from 'vitest';\n      2| import { slug } from '../slugs.js';\n       | ^\n\n⎯⎯⎯⎯[1/2]⎯\n\n FAIL  db/a.test.js [ db/a.test.js ]\nError: connect ECONNREFUSED 127.0.0.1:1\n⎯⎯⎯⎯[2/2]⎯\n\n\n Test Files  3 failed | 1 passed (4)\n      Tests  1 passed | 1 skipped (2)\n     Errors  1 error\n   Start at  15:23:31\n";
        let outcome = read(output);
        // Two files, one hook, one error that nothing caught.
        assert_eq!(counts(&outcome), (2, 1, 0, 4, 1));
        assert_eq!(outcome.failed, ["db/a.test.js"]);
        let message = "Cannot find module '../slugs.js' imported from /p/miss/slug.test.js";
        assert_eq!(places(&outcome)[0], ("miss/slug.test.js", Some(2), "Error", message));
        assert_eq!(outcome.errors[0].statement.as_deref(), Some("import { slug } from '../slugs.js';"));
        assert_eq!(outcome.errors.len(), 2);
    }

    #[test]
    fn vitest_counts_and_names_what_failed() {
        let output = " ❯ fail/slug.test.js (4 tests | 1 failed | 2 skipped) 8ms\n\n⎯⎯⎯⎯⎯⎯⎯ Failed Tests 1 ⎯⎯⎯⎯⎯⎯⎯\n\n FAIL  fail/slug.test.js > slug > several  spaces\nAssertionError: expected 'a--b' to be 'a-b'\n\n Test Files  1 failed (1)\n      Tests  1 failed | 1 passed | 1 skipped | 1 todo (4)\n   Start at  15:30:16\n";
        let outcome = read(output);
        assert_eq!(counts(&outcome), (4, 1, 1, 0, 2));
        assert_eq!(outcome.failed, ["fail/slug.test.js > slug > several  spaces"]);
        assert_eq!(counts(&read(" Test Files  1 passed (1)\n      Tests  4 passed (4)\n")), (4, 4, 0, 0, 0));
    }

    #[test]
    fn mocha_joins_the_lines_of_a_title() {
        let output = "\n\n  slug\n    ✔ lower\n    1) several  spaces\n    - later\n    deep\n      2) \"before all\" hook for \"x\"\n\n\n  1 passing (97ms)\n  1 pending\n  3 failing\n\n  1) slug\n       several  spaces:\n\n      AssertionError [ERR_ASSERTION]: 'a--b' == 'a-b'\n      + expected - actual\n\n      at Context.<anonymous> (mfail/slug.test.js:5:38)\n\n  2) slug\n       deep\n         \"before all\" hook for \"x\":\n     Error: connect ECONNREFUSED 127.0.0.1:6379\n\n  3) at the top:\n     Error: no\n";
        let outcome = read(output);
        assert_eq!(counts(&outcome), (5, 1, 3, 0, 1));
        assert_eq!(
            outcome.failed,
            ["slug several  spaces", "slug deep \"before all\" hook for \"x\"", "at the top"]
        );
    }

    #[test]
    fn mocha_stops_at_the_first_file_that_does_not_load() {
        for (output, want) in [
            (
                "\n Exception during run: Error: Cannot find module '../slugs'\nRequire stack:\n- /p/test/slug.js\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1207:15)\n    at require (node:internal/modules/helpers:182:18)\n    at Object.<anonymous> (/p/test/slug.js:3:18)\n    at async exports.loadFilesAsync (/p/node_modules/mocha/lib/nodejs/esm-utils.cjs:182:20) {\n  code: 'MODULE_NOT_FOUND'\n}\n",
                ("/p/test/slug.js", Some(3), "Error", "Cannot find module '../slugs'"),
            ),
            (
                "\n Exception during run: Error [ERR_MODULE_NOT_FOUND]: Cannot find module '/p/nope.mjs' imported from /p/test/a.mjs\n    at finalizeResolution (node:internal/modules/esm/resolve:283:11)\n",
                (
                    "/p/test/a.mjs",
                    None,
                    "Error",
                    "Cannot find module '/p/nope.mjs' imported from /p/test/a.mjs",
                ),
            ),
            (
                "\n Exception during run: /p/test/b.js:2\n\n\n\nSyntaxError: Unexpected end of input\n    at wrapSafe (node:internal/modules/cjs/loader:1464:18)\n",
                ("/p/test/b.js", Some(2), "SyntaxError", "Unexpected end of input"),
            ),
        ] {
            let outcome = read(output);
            assert_eq!(counts(&outcome), (0, 0, 0, 1, 0), "{output}");
            assert_eq!(places(&outcome), [want]);
        }
    }

    #[test]
    fn nodes_own_runner_in_both_forms() {
        let tap = "TAP version 13\n# node:internal/modules/cjs/loader:1210\n#   throw err;\n#   ^\n# Error: Cannot find module '../nope.js'\n# Require stack:\n# - /p/c.test.cjs\n#     at Module._load (node:internal/modules/cjs/loader:1038:27)\n#     at Object.<anonymous> (/p/c.test.cjs:2:15)\n# Node.js v20.20.2\n# Subtest: /p/c.test.cjs\nnot ok 1 - /p/c.test.cjs\n  ---\n  location: '/p/c.test.cjs:1:1'\n  failureType: 'testCodeFailure'\n  exitCode: 1\n  error: 'test failed'\n  ...\n# Subtest: outer\n    # Subtest: fails\n    not ok 1 - fails\n      ---\n      failureType: 'testCodeFailure'\n      error: 'x'\n      ...\n    # Subtest: later\n    ok 2 - later # SKIP\n      ---\n      ...\n    1..2\nnot ok 2 - outer\n  ---\n  failureType: 'subtestsFailed'\n  ...\n1..2\n# tests 3\n# suites 1\n# pass 0\n# fail 2\n# cancelled 0\n# skipped 1\n# todo 0\n";
        let spec = "▶ outer\n  ✖ fails (1.09ms)\n    TypeError [Error]: x\n        at TestContext.<anonymous> (/p/a.test.cjs:2:79)\n\n  ﹣ later (0.13ms) # SKIP\n✖ outer (87.4ms)\nnode:internal/modules/cjs/loader:1210\n  throw err;\n  ^\n\nError: Cannot find module '../nope.js'\nRequire stack:\n- /p/c.test.cjs\n    at Object.<anonymous> (/p/c.test.cjs:2:15)\n\nNode.js v20.20.2\n✖ /p/c.test.cjs (1234.81ms)\n  'test failed'\n\nℹ tests 3\nℹ suites 1\nℹ pass 0\nℹ fail 2\nℹ cancelled 0\nℹ skipped 1\nℹ todo 0\n\n✖ failing tests:\n\ntest at c.test.cjs:1:1\n✖ /p/c.test.cjs (1234.81ms)\n  'test failed'\n\ntest at a.test.cjs:2:53\n✖ fails (1.09ms)\n";
        for output in [tap, spec] {
            let outcome = read(output);
            assert_eq!(counts(&outcome), (2, 0, 1, 1, 1), "{output}");
            assert_eq!(
                places(&outcome),
                [("/p/c.test.cjs", Some(2), "Error", "Cannot find module '../nope.js'")]
            );
            assert_eq!(outcome.failed, ["fails"]);
        }
        assert_eq!(
            counts(&read("# tests 3\n# pass 2\n# fail 1\n# cancelled 0\n# skipped 0\n# todo 0\n")),
            (3, 2, 1, 0, 0)
        );
    }

    #[test]
    fn outputs_of_others_are_left_to_others() {
        for output in ["3 passed in 0.1s", "ok  \tshop\t0.01s", "Tests run: 1, Failures: 0", "nothing"] {
            assert_eq!(read(output), Outcome::default(), "{output}");
        }
    }
}
