//! pytest's output. The JUnit report gives exact counts; the output gives file names, lines and statements.

use std::sync::LazyLock;

use landfall_evidence::{CollectionError, TestCounts};
use regex::Regex;

use super::{Outcome, junit};

struct Patterns {
    section: Regex,
    frame: Regex,
    syntax_place: Regex,
    exception: Regex,
    count: Regex,
    conftest: Regex,
    importing: Regex,
    failed: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let compile =
        |pattern: &str| Regex::new(pattern).expect("the patterns are constants and covered by tests");
    Patterns {
        section: compile(r"^_+ ERROR collecting (.+?) _+$"),
        frame: compile(r"^(?P<file>\S[^:\n]*):(?P<line>\d+): (?:in \S|\w+)"),
        syntax_place: compile(r#"^E\s+File "(?P<file>[^"]+)", line (?P<line>\d+)"#),
        exception: compile(
            r"^E\s+(?P<type>[A-Za-z_][\w.]*(?:Error|Exception|Exit|Interrupt|Warning|Skipped|Failed)):(?: (?P<message>.*))?$",
        ),
        count: compile(r"(\d+) (passed|failed|skipped|xfailed|xpassed|errors?|deselected|warnings?)\b"),
        conftest: compile(
            r"^(?:E\s+)?(?:ImportError|ConftestImportFailure:? \w+) while loading conftest '(?P<file>[^']+)'",
        ),
        importing: compile(r"^ImportError while importing test module '(?P<file>[^']+)'"),
        failed: compile(r"^(?:FAILED|ERROR) (?P<name>\S.*?::.*)$"),
    }
});

/// Reads a run's output and its report.
pub(super) fn read(output: &str, report: Option<&str>) -> Outcome {
    let report = report.and_then(junit::read);
    let mut errors = collection_errors(output);
    let mut failed: Vec<String> = output.lines().filter_map(failed_name).collect();
    if let Some(report) = &report {
        if errors.is_empty() {
            errors = report.collection.iter().map(|(name, text)| from_report(name, text)).collect();
        }
        if failed.is_empty() {
            failed.clone_from(&report.failed);
        }
    }
    failed.dedup();
    let counts = report.map(|r| r.counts).or_else(|| summary(output));
    // A conftest that cannot be loaded ends pytest before it counts anything.
    let counts = counts.or_else(|| {
        let errors = u32::try_from(errors.len()).unwrap_or(u32::MAX);
        (errors > 0).then(|| TestCounts { errors, ..TestCounts::default() })
    });
    Outcome { counts, failed, errors }
}

/// The last line that counts: `2 failed, 3 passed in 0.03s`, framed with `=` or not.
fn summary(output: &str) -> Option<TestCounts> {
    output.lines().rev().find_map(|line| {
        let line = line.trim_matches(['=', ' ']);
        if line.starts_with("no tests ran")
            || (line.starts_with("collected 0 items") && !line.contains("error"))
        {
            return Some(TestCounts::default());
        }
        if !line.contains(" in ") || !line.starts_with(|c: char| c.is_ascii_digit()) {
            return None;
        }
        let mut counts = TestCounts::default();
        let mut any = false;
        for c in PATTERNS.count.captures_iter(line) {
            let number: u32 = c[1].parse().ok()?;
            any = true;
            match &c[2] {
                "passed" | "xpassed" => counts.passed = counts.passed.saturating_add(number),
                "failed" => counts.failed = number,
                "skipped" | "xfailed" => counts.skipped = counts.skipped.saturating_add(number),
                "error" | "errors" => counts.errors = number,
                _ => {}
            }
        }
        counts.collected = counts.passed.saturating_add(counts.failed).saturating_add(counts.skipped);
        any.then_some(counts)
    })
}

/// `FAILED tests/a.py::test[x - y] - message`; the name of a parametrised test may hold what separates the message.
fn failed_name(line: &str) -> Option<String> {
    let name = PATTERNS.failed.captures(line)?.name("name")?.as_str();
    let end = match name.find('[') {
        Some(open) if !name[..open].contains(" - ") => name.find("] - ").map_or(name.len(), |at| at + 1),
        _ => name.find(" - ").unwrap_or(name.len()),
    };
    Some(name[..end].to_owned())
}

fn collection_errors(output: &str) -> Vec<CollectionError> {
    let p = &*PATTERNS;
    let mut errors = Vec::new();
    let lines: Vec<&str> = output.lines().collect();
    let mut i = 0;
    while i < lines.len() {
        let collecting = p.section.captures(lines[i]).map(|c| c[1].to_owned());
        let file = collecting.or_else(|| p.conftest.captures(lines[i]).map(|c| c["file"].to_owned()));
        i += 1;
        let Some(file) = file else { continue };
        let from = i;
        // A section ends where the next one, or the summary, begins.
        while i < lines.len()
            && !lines[i].starts_with("____")
            && !lines[i].starts_with("====")
            && !lines[i].starts_with("!!!!")
        {
            i += 1;
        }
        errors.push(section(&file, &lines[from..i]));
    }
    errors
}

fn from_report(name: &str, text: &str) -> CollectionError {
    let lines: Vec<&str> = text.lines().collect();
    let file = lines.iter().find_map(|line| PATTERNS.importing.captures(line)).map(|c| c["file"].to_owned());
    let dotted = format!("{}.py", name.replace('.', "/"));
    // The report names the module with dots; where the traceback has the path, it must end like it.
    let file = file.and_then(|f| f.ends_with(&dotted).then(|| dotted.clone())).unwrap_or(dotted);
    section(&file, &lines)
}

/// Reads one traceback of the short form.
fn section(file: &str, lines: &[&str]) -> CollectionError {
    let p = &*PATTERNS;
    let same = |frame: &str| {
        frame == file || frame.ends_with(&format!("/{file}")) || file.ends_with(&format!("/{frame}"))
    };
    let mut frames: Vec<(&str, u32, Option<String>)> = Vec::new();
    let mut syntax: Option<(u32, Option<String>)> = None;
    let mut exception: Option<(String, String)> = None;
    for (i, line) in lines.iter().enumerate() {
        if let Some(c) = p.frame.captures(line) {
            let statement =
                lines.get(i + 1).filter(|next| next.starts_with(' ')).map(|next| next.trim().to_owned());
            if let (Some(file), Ok(number)) = (c.name("file"), c["line"].parse()) {
                frames.push((file.as_str(), number, statement));
            }
        } else if let Some(c) = p.syntax_place.captures(line) {
            let statement =
                lines.get(i + 1).and_then(|next| next.strip_prefix('E')).map(|next| next.trim().to_owned());
            if same(&c["file"]) {
                syntax = c["line"].parse().ok().map(|number| (number, statement));
            }
        } else if let Some(c) = p.exception.captures(line) {
            // The last one is what was raised in the end; earlier ones are its causes.
            exception =
                Some((c["type"].to_owned(), c.name("message").map_or("", |m| m.as_str()).trim().to_owned()));
        }
    }
    // The test file's own line tells a person more than the machinery below it.
    let frame = frames.iter().rev().find(|(frame, ..)| same(frame));
    let (line, statement) = match (syntax, frame) {
        (Some((line, statement)), _) => (Some(line), statement),
        (None, Some((_, line, statement))) => (Some(*line), statement.clone()),
        (None, None) => (None, None),
    };
    let (exception, message) = exception.unwrap_or_else(|| {
        let said = lines.iter().rev().find_map(|l| l.strip_prefix('E')).map(|l| l.trim().to_owned());
        ("error".to_owned(), said.unwrap_or_else(|| "the module could not be collected".to_owned()))
    });
    CollectionError { file: relative(file, &frames), line, statement, exception, message, gap: None }
}

/// The shorter spelling of an absolute file, when a frame uses it.
fn relative(file: &str, frames: &[(&str, u32, Option<String>)]) -> String {
    if !file.starts_with('/') {
        return file.to_owned();
    }
    frames
        .iter()
        .map(|(frame, ..)| *frame)
        .find(|frame| !frame.starts_with('/') && file.ends_with(&format!("/{frame}")))
        .unwrap_or(file)
        .to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(outcome: &Outcome) -> Vec<String> {
        outcome
            .errors
            .iter()
            .map(|e| {
                format!(
                    "{}:{} `{}` {}: {}",
                    e.file,
                    e.line.unwrap_or(0),
                    e.statement.as_deref().unwrap_or("?"),
                    e.exception,
                    e.message
                )
            })
            .collect()
    }

    #[test]
    fn the_import_error_of_the_acceptance_case() {
        let text = include_str!("../../tests/data/import-error.txt");
        let expected = [
            "tests/test_tenancy_security.py:7 `from run import app` ModuleNotFoundError: No module named 'run'",
        ];
        let report = include_str!("../../tests/data/import-error.xml");
        for outcome in [read(text, None), read(text, Some(report)), read("", Some(report))] {
            assert_eq!(shown(&outcome), expected);
            assert_eq!(outcome.counts.unwrap(), TestCounts { errors: 1, ..TestCounts::default() });
            assert!(outcome.failed.is_empty());
        }
    }

    #[test]
    fn several_broken_modules_in_both_traceback_styles() {
        let expected = [
            "tests/test_name.py:2 `VALUE = undefined_name` NameError: name 'undefined_name' is not defined",
            "tests/test_syntax.py:1 `def test_a(:` SyntaxError: invalid syntax",
            "tests/test_third.py:1 `import requests_that_is_missing` ModuleNotFoundError: No module named 'requests_that_is_missing'",
        ];
        for text in [
            include_str!("../../tests/data/broken-short.txt"),
            include_str!("../../tests/data/broken-long.txt"),
        ] {
            let outcome = read(text, None);
            assert_eq!(shown(&outcome), expected);
            assert_eq!(outcome.counts.unwrap().errors, 3);
        }
    }

    #[test]
    fn without_tracebacks_the_report_serves() {
        let outcome = read(
            include_str!("../../tests/data/broken-no-tb.txt"),
            Some(include_str!("../../tests/data/broken-no-tb.xml")),
        );
        assert_eq!(outcome.errors.len(), 3);
        assert_eq!(outcome.errors[2].line, Some(1));
        assert_eq!(outcome.errors[0].message, "name 'undefined_name' is not defined");
    }

    #[test]
    fn a_gap_behind_another_module_is_told_at_the_tests_own_line() {
        let outcome = read(include_str!("../../tests/data/nested.txt"), None);
        assert_eq!(
            shown(&outcome),
            ["tests/test_core.py:2 `import core` ModuleNotFoundError: No module named 'helpers'"]
        );
        let outcome = read(include_str!("../../tests/data/src-layout.txt"), None);
        assert_eq!(
            shown(&outcome),
            [
                "tests/test_prices.py:1 `from shop.prices import price` ModuleNotFoundError: No module named 'shop'"
            ]
        );
    }

    #[test]
    fn a_conftest_that_cannot_be_loaded() {
        let outcome = read(include_str!("../../tests/data/conftest.txt"), None);
        assert_eq!(
            shown(&outcome),
            ["tests/conftest.py:1 `from run import app` ModuleNotFoundError: No module named 'run'"]
        );
        assert_eq!(outcome.counts.unwrap(), TestCounts { errors: 1, ..TestCounts::default() });
    }

    #[test]
    fn counts_and_names_of_a_mixed_run() {
        let text = include_str!("../../tests/data/mixed.txt");
        let outcome = read(text, Some(include_str!("../../tests/data/mixed.xml")));
        assert_eq!(
            outcome.counts.unwrap(),
            TestCounts { collected: 8, passed: 3, failed: 2, errors: 2, skipped: 2 }
        );
        assert_eq!(
            outcome.failed,
            [
                "tests/test_mixed.py::test_fails",
                "tests/test_mixed.py::TestGroup::test_each[a b]",
                "tests/test_mixed.py::test_needs_fixture",
                "tests/test_mixed.py::test_teardown"
            ]
        );
        assert!(outcome.errors.is_empty());
        // The summary alone cannot tell that the error on setup is a test of its own.
        assert_eq!(
            summary(text).unwrap(),
            TestCounts { collected: 7, passed: 3, failed: 2, errors: 2, skipped: 2 }
        );
    }

    #[test]
    fn no_tests_is_a_count_of_nothing() {
        for text in
            [include_str!("../../tests/data/no-tests.txt"), include_str!("../../tests/data/no-folder.txt")]
        {
            assert_eq!(read(text, None).counts, Some(TestCounts::default()));
        }
        assert_eq!(read(include_str!("../../tests/data/passed.txt"), None).counts.unwrap().passed, 1);
        assert_eq!(read("Segmentation fault", None).counts, None);
    }

    #[test]
    fn names_with_separators_inside() {
        assert_eq!(failed_name("FAILED a.py::t[x - y] - boom").as_deref(), Some("a.py::t[x - y]"));
        assert_eq!(failed_name("FAILED a.py::t - list[0] - x").as_deref(), Some("a.py::t"));
        assert_eq!(failed_name("ERROR tests/a.py"), None);
    }

    proptest::proptest! {
        #[test]
        fn no_output_makes_it_panic(text in "(?s)(?:[_=E!]{0,6} ?(?:ERROR collecting a|a.py:1: in b|E   X: y|1 passed in 1s|.{0,20})\n){0,12}") {
            let _ = read(&text, Some(&text));
        }
    }
}
