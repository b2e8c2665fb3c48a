//! Test files in which no test can fail.
//!
//! A test that calls the code and asserts nothing still fails when that throws, so it is not hollow. Hollow is a test
//! that only asserts constants, passes, or does nothing at all.

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::{Found, Read, regex, text};
use crate::source::{Language, Source, is_test};

/// Test files looked at.
const MAX_FILES: usize = 400;

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    let files = read.tree.files.iter().filter(|f| !f.ignored && is_test(&f.path));
    for file in files.take(MAX_FILES) {
        let Some(language) = Language::of(&file.path) else { continue };
        let Some(text) = text(read.tree, &file.path) else { continue };
        let source = Source::new(&file.path, language, &text);
        let bodies = bodies(&source);
        if !bodies.is_empty() && bodies.iter().all(|(_, body)| is_hollow(body)) {
            let at = source.place(bodies[0].0);
            let many = if bodies.len() == 1 {
                "its one test".to_owned()
            } else {
                format!("all {} tests", bodies.len())
            };
            found.add(SignWord::TestsAssertNothing, at, format!("{many} of {}", file.path));
        }
    }
}

/// The bodies of the tests in a file, with their places.
fn bodies(source: &Source) -> Vec<(usize, String)> {
    static PYTHON: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^([ \t]*)(?:async[ \t]+)?def[ \t]+test\w*[ \t]*\([^)]*\)[^:\n]*:"));
    static SCRIPT: LazyLock<Regex> = LazyLock::new(|| {
        regex(r"(?m)^[ \t]*(?:it|test)[ \t]*(\()[^\n]*?(?:=>|function[ \t]*\w*[ \t]*\([^)]*\))[ \t]*(\{)?")
    });
    static GO: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^func[ \t]+Test\w*\([^)]*\)[ \t]*\{"));
    static RUST: LazyLock<Regex> = LazyLock::new(|| regex(r"#\[(?:\w+::)?test\][^{]*\{"));
    static RUBY: LazyLock<Regex> = LazyLock::new(|| {
        regex(r#"(?m)^([ \t]*)(?:def[ \t]+test_\w+|(?:it|test|specify)[ \t(]+["'][^\n]*\bdo)[ \t]*$"#)
    });
    let code = source.code.as_str();
    let braced = |pattern: &Regex| {
        pattern
            .find_iter(code)
            .filter_map(|m| Some((m.start(), crate::source::bracketed(code, m.end() - 1)?.to_owned())))
            .collect()
    };
    let indented = |pattern: &Regex| {
        pattern
            .captures_iter(code)
            .filter_map(|c| {
                let (all, indent) = (c.get(0)?, c[1].len());
                let rest = &code[all.end()..];
                let body: Vec<&str> = rest
                    .lines()
                    .enumerate()
                    .take_while(|(n, line)| {
                        *n == 0 || line.trim().is_empty() || line.len() - line.trim_start().len() > indent
                    })
                    .map(|(_, line)| line)
                    .collect();
                Some((all.start(), body.join("\n")))
            })
            .collect()
    };
    match source.language {
        Language::Python => indented(&PYTHON),
        Language::Ruby => indented(&RUBY),
        // An arrow may lead to one expression instead of a block; it ends with the call of `test`.
        Language::JavaScript => SCRIPT
            .captures_iter(code)
            .filter_map(|c| {
                let (all, call) = (c.get(0)?, c.get(1)?.start());
                let body = match c.get(2) {
                    Some(brace) => crate::source::bracketed(code, brace.start())?,
                    None => {
                        let call_end = call + 1 + crate::source::bracketed(code, call)?.len();
                        code.get(all.end()..call_end)?.trim()
                    }
                };
                Some((all.start(), body.to_owned()))
            })
            .collect(),
        Language::Go => braced(&GO),
        Language::Rust => braced(&RUST),
        _ => Vec::new(),
    }
}

fn is_hollow(body: &str) -> bool {
    static CONSTANT: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r#"^(?:pass|\.\.\.|assert\s*\(?\s*(?:True|true|1|1\s*==\s*1|not False|True is True)\s*\)?(?:\s*,.*)?|self\.assert(?:True\(\s*True|False\(\s*False|Equals?\(\s*(?:1\s*,\s*1|True\s*,\s*True))\s*\)|assert!\(\s*true\s*\)|assert_eq!\(\s*1\s*,\s*1\s*\)|assert(?:\.ok|\.equal|\.strictEqual)?\(\s*(?:true|1\s*,\s*1|true\s*,\s*true)\s*\)|expect\(\s*(true|1|'\w*')\s*\)\.(?:toBe|toEqual|to\.equal|to\.be)\(?\.?(?:true|1|'\w*')?\)?(?:\.toBeTruthy\(\))?|expect\(\s*true\s*\)\.toBeTruthy\(\)|expect\(true\)\.to (?:eq|be)\(?\s*\(?true\)?\)?|assert true|assert_equal\s*\(?1, 1\)?|print\(.*\)|console\.log\(.*\)|puts .*|return|t\.Log\(.*\)|"[^"]*"|'[^']*')$"#,
        )
    });
    body.lines()
        .map(|line| line.trim().trim_end_matches(';'))
        .filter(|line| !line.is_empty())
        .all(|line| CONSTANT.is_match(line))
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn tests_that_cannot_fail() {
        has(
            &[(
                "tests/test_a.py",
                "def test_one():\n    \"\"\"Later.\"\"\"\n    assert True\n\nclass TestB:\n    def test_two(self):\n        pass\n",
            )],
            "tests-assert-nothing all 2 tests of tests/test_a.py @tests/test_a.py:1",
        );
        has(
            &[("a.test.js", "test('works', () => {\n  expect(true).toBe(true);\n});\n")],
            "tests-assert-nothing its one test",
        );
        has(
            &[("a.test.js", "test('works', () => expect(true).toBe(true));\nit('is', () => {});\n")],
            "tests-assert-nothing all 2 tests",
        );
        has(&[("a_test.go", "package a\nfunc TestA(t *testing.T) {\n}\n")], "tests-assert-nothing");
        has(&[("tests/a.rs", "#[test]\nfn works() {\n    assert!(true);\n}\n")], "tests-assert-nothing");
        has(
            &[(
                "test/a_test.rb",
                "class ATest < Minitest::Test\n  def test_a\n    assert true\n  end\nend\n",
            )],
            "tests-assert-nothing",
        );
    }

    #[test]
    fn tests_that_can_fail() {
        for (path, code) in [
            (
                "tests/test_a.py",
                "def test_one():\n    assert True\n\ndef test_two():\n    assert total([1]) == 1\n",
            ),
            ("tests/test_a.py", "def test_smoke():\n    import app\n    app.create()\n"),
            ("a.test.js", "test('adds', () => { expect(add(1, 2)).toBe(3) })\n"),
            ("a.test.js", "test('later', () => {});\ntest('adds', () => expect(add(1, 2)).toBe(3));\n"),
            (
                "a_test.go",
                "package a\nfunc TestA(t *testing.T) {\n\tif Add(1, 2) != 3 { t.Fatal(\"x\") }\n}\n",
            ),
            ("tests/conftest.py", "def pytest_configure(config):\n    pass\n"),
        ] {
            lacks(&[(path, code)], "tests-assert-nothing");
        }
    }
}
