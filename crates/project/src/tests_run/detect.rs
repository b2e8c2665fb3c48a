//! Which command runs the tests.

use crate::command::{Word, commands, quoted};
use crate::source::is_test;
use crate::tree::{Tree, file_name};

/// What to run.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Plan {
    /// As a person would type it.
    pub(super) shown: String,
    /// Program and arguments.
    pub(super) argv: Vec<String>,
    /// `pytest`, `cargo`, …
    pub(super) runner: String,
}

impl Plan {
    fn of(argv: &[&str], runner: &str) -> Self {
        let shown = argv.iter().map(|a| quoted(a)).collect::<Vec<_>>().join(" ");
        Self { shown, argv: argv.iter().map(|a| (*a).to_owned()).collect(), runner: runner.to_owned() }
    }
}

/// The declared command, else what the folder shows.
pub(super) fn plan(tree: &Tree, declared: Option<&str>) -> Option<Plan> {
    match declared.map(str::trim).filter(|text| !text.is_empty()) {
        Some(text) => Some(declared_plan(text)),
        None => detected(tree),
    }
}

/// A plain command is run as it stands; anything that needs a shell gets one.
fn declared_plan(text: &str) -> Plan {
    let parsed = commands(text);
    let plain = |c: char| c.is_alphanumeric() || " -_=+:,./@%'\"[]".contains(c);
    let words: Option<Vec<String>> = match parsed.as_slice() {
        [words] if text.chars().all(plain) => words.iter().map(|w| w.plain().map(str::to_owned)).collect(),
        _ => None,
    };
    // `A=1 pytest` sets a variable, which only a shell does.
    let words = words.filter(|words| words.first().is_some_and(|w| !w.contains('=')));
    let argv = words.unwrap_or_else(|| vec!["/bin/sh".to_owned(), "-c".to_owned(), text.to_owned()]);
    Plan { shown: text.to_owned(), argv, runner: runner_of(&parsed) }
}

fn runner_of(parsed: &[Vec<Word>]) -> String {
    let words = || parsed.iter().flatten().filter_map(Word::plain).map(file_name);
    let known = [
        "pytest",
        "py.test",
        "cargo",
        "npm",
        "pnpm",
        "yarn",
        "go",
        "unittest",
        "manage.py",
        "tox",
        "nox",
        "make",
        "nextest",
        "jest",
        "vitest",
        "mocha",
        "rspec",
        "rails",
        "rake",
        "phpunit",
        "pest",
        "artisan",
        "composer",
        "mvn",
        "mvnw",
        "gradle",
        "gradlew",
        "dotnet",
        "mix",
    ];
    match words().find_map(|word| known.iter().find(|k| **k == word)) {
        Some(&"py.test") => "pytest".to_owned(),
        Some(&"manage.py") => "unittest".to_owned(),
        Some(&"cargo") if words().any(|w| w == "nextest") => "nextest".to_owned(),
        Some(known) => (*known).to_owned(),
        None => words().find(|w| !w.contains('=')).unwrap_or("sh").to_owned(),
    }
}

fn detected(tree: &Tree) -> Option<Plan> {
    let text = |path: &str| tree.text(path).and_then(Result::ok).unwrap_or_default();
    let configured = tree.has("pytest.ini")
        || text("pyproject.toml").contains("[tool.pytest")
        || text("setup.cfg").contains("[tool:pytest]")
        || text("tox.ini").contains("[pytest]");
    let python_tests = || {
        tree.files
            .iter()
            .filter(|f| !f.ignored && is_test(&f.path) && f.path.ends_with(".py"))
            .map(|f| f.path.as_str())
    };
    let pytest_named = |path: &str| {
        let name = file_name(path);
        name.starts_with("test_") || name.ends_with("_test.py")
    };
    // Files of the standard library's own runner, and nothing that asks for another.
    let unittest = !configured
        && python_tests().any(pytest_named)
        && python_tests().filter(|p| pytest_named(p)).all(|p| {
            let text = text(p);
            text.contains("unittest.TestCase") && !text.contains("import pytest")
        })
        && !["requirements.txt", "requirements-dev.txt", "pyproject.toml", "Pipfile"]
            .iter()
            .any(|f| text(f).contains("pytest"));
    if unittest {
        let folder = ["tests", "test"].into_iter().find(|f| tree.has(&format!("{f}/__init__.py")));
        let mut argv = vec!["python3", "-m", "unittest", "discover"];
        if folder.is_none() {
            argv.extend(
                ["tests", "test"]
                    .into_iter()
                    .find(|f| python_tests().any(|p| p.starts_with(&format!("{f}/"))))
                    .map(|f| vec!["-s", f, "-t", "."])
                    .into_iter()
                    .flatten(),
            );
            if argv.len() > 4 && !tree.has(&format!("{}/__init__.py", argv[5])) {
                // Without a package the tests are top-level modules of their own folder.
                argv.truncate(6);
            }
        }
        return Some(Plan::of(&argv, "unittest"));
    }
    if configured || python_tests().any(pytest_named) {
        // A folder named on the command line keeps pytest from walking the whole tree.
        let folder =
            ["tests", "test"].into_iter().find(|f| python_tests().any(|p| p.starts_with(&format!("{f}/"))));
        return Some(match folder {
            Some(folder) => Plan::of(&["pytest", &format!("{folder}/"), "--tb=short", "-q"], "pytest"),
            None => Plan::of(&["pytest", "--tb=short", "-q"], "pytest"),
        });
    }
    if tree.has("manage.py") && tree.files.iter().any(|f| !f.ignored && file_name(&f.path) == "tests.py") {
        return Some(Plan::of(&["python", "manage.py", "test"], "unittest"));
    }
    if tree.has("Cargo.toml") {
        // A nextest configuration says which runner the project means.
        if tree.has(".config/nextest.toml") {
            return Some(Plan::of(&["cargo", "nextest", "run"], "nextest"));
        }
        return Some(Plan::of(&["cargo", "test"], "cargo"));
    }
    let script = serde_json::from_str::<serde_json::Value>(&text("package.json"))
        .ok()
        .and_then(|manifest| manifest.get("scripts")?.get("test")?.as_str().map(str::to_owned));
    // `npm init` writes a script that only says that there is none.
    if script.is_some_and(|script| !script.trim().is_empty() && !script.contains("no test specified")) {
        return Some(Plan::of(&["npm", "test"], "npm"));
    }
    if tree.has("package.json") && tree.files.iter().any(|f| !f.ignored && node_test(tree, &f.path)) {
        return Some(Plan::of(&["node", "--test"], "node"));
    }
    if tree.has("go.mod") {
        // Without -v go does not say how many tests there are.
        return Some(Plan::of(&["go", "test", "-v", "./..."], "go"));
    }
    let specs = || {
        tree.files.iter().any(|f| !f.ignored && f.path.starts_with("spec/") && f.path.ends_with("_spec.rb"))
    };
    if !tree.has("Gemfile") && specs() {
        return Some(Plan::of(&["rspec"], "rspec"));
    }
    if tree.has("Gemfile") {
        if specs() {
            return Some(Plan::of(&["bundle", "exec", "rspec"], "rspec"));
        }
        if tree.has("bin/rails") {
            return Some(Plan::of(&["bundle", "exec", "rails", "test"], "rails"));
        }
    }
    let under = |folder: &str, end: &str| {
        tree.files.iter().any(|f| !f.ignored && f.path.starts_with(folder) && f.path.ends_with(end))
    };
    if under("test/", "_test.rb") || under("test/", ".rb") && tree.has("Rakefile") {
        // Each file ends in minitest's own autorun; one process loads them all.
        if tree.has("Rakefile") && text("Rakefile").contains("TestTask") {
            return Some(Plan::of(&["rake", "test"], "rake"));
        }
        let load = "Dir['./test/**/*_test.rb'].sort.each { |file| require file }";
        return Some(Plan::of(&["ruby", "-Ilib", "-Itest", "-e", load], "minitest"));
    }
    if tree.has("composer.json") || tree.has("phpunit.xml") || tree.has("phpunit.xml.dist") {
        if tree.has("artisan") {
            return Some(Plan::of(&["php", "artisan", "test"], "artisan"));
        }
        if under("tests/", "Test.php") {
            // Composer installs it for the project; without Composer it is the machine's own.
            let program = if tree.has("composer.json") { "vendor/bin/phpunit" } else { "phpunit" };
            return Some(Plan::of(&[program], "phpunit"));
        }
    }
    if tree.has("pom.xml") {
        let program = if tree.has("mvnw") { "./mvnw" } else { "mvn" };
        return Some(Plan::of(&[program, "-B", "-q", "test"], "mvn"));
    }
    if tree.has("build.gradle") || tree.has("build.gradle.kts") {
        let program = if tree.has("gradlew") { "./gradlew" } else { "gradle" };
        return Some(Plan::of(&[program, "test", "--console=plain"], "gradle"));
    }
    if tree.files.iter().any(|f| f.path.ends_with(".sln") || f.path.ends_with(".csproj")) {
        return Some(Plan::of(&["dotnet", "test"], "dotnet"));
    }
    if tree.has("mix.exs") && under("test/", "_test.exs") {
        return Some(Plan::of(&["mix", "test"], "mix"));
    }
    None
}

/// Whether a file is a test of Node's own runner (nodejs.org/api/test.html): by its import, since its names are those of
/// other runners too.
fn node_test(tree: &Tree, path: &str) -> bool {
    is_test(path)
        && [".js", ".mjs", ".cjs", ".ts"].iter().any(|end| path.ends_with(end))
        && tree.text(path).and_then(Result::ok).is_some_and(|text| text.contains("node:test"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn found(files: &[(&str, &str)]) -> Option<String> {
        let (_dir, tree) = tree(files);
        plan(&tree, None).map(|p| p.shown)
    }

    #[test]
    fn what_the_folder_shows() {
        let some = |text: &str| Some(text.to_owned());
        assert_eq!(found(&[("tests/test_a.py", "")]), some("pytest tests/ --tb=short -q"));
        assert_eq!(found(&[("pkg/test_a.py", "")]), some("pytest --tb=short -q"));
        assert_eq!(found(&[("pyproject.toml", "[tool.pytest.ini_options]\n")]), some("pytest --tb=short -q"));
        assert_eq!(found(&[("tests/data.py", "")]), None);
        assert_eq!(found(&[("manage.py", ""), ("shop/tests.py", "")]), some("python manage.py test"));
        assert_eq!(found(&[("Cargo.toml", "")]), some("cargo test"));
        assert_eq!(found(&[("package.json", r#"{"scripts":{"test":"vitest run"}}"#)]), some("npm test"));
        assert_eq!(
            found(&[(
                "package.json",
                r#"{"scripts":{"test":"echo \"Error: no test specified\" && exit 1"}}"#
            )]),
            None
        );
        assert_eq!(found(&[("go.mod", "")]), some("go test -v ./..."));
        assert_eq!(found(&[("Cargo.toml", ""), (".config/nextest.toml", "")]), some("cargo nextest run"));
        assert_eq!(
            found(&[("package.json", "{}"), ("a.test.mjs", "import test from 'node:test'")]),
            some("node --test")
        );
        assert_eq!(found(&[("package.json", "{}"), ("a.test.mjs", "import { test } from 'vitest'")]), None);
        assert_eq!(found(&[("Rakefile", "Rake::TestTask.new"), ("test/a_test.rb", "")]), some("rake test"));
        assert_eq!(found(&[("composer.json", "{}"), ("tests/ATest.php", "")]), some("vendor/bin/phpunit"));
        assert_eq!(found(&[("phpunit.xml", ""), ("tests/ATest.php", "")]), some("phpunit"));
        assert_eq!(found(&[("spec/a_spec.rb", "")]), some("rspec"));
        assert_eq!(found(&[("Gemfile", ""), ("spec/a_spec.rb", "")]), some("bundle exec rspec"));
        assert_eq!(found(&[("composer.json", "{}"), ("artisan", "")]), some("php artisan test"));
        assert_eq!(found(&[("pom.xml", "")]), some("mvn -B -q test"));
        assert_eq!(found(&[("build.gradle", ""), ("gradlew", "")]), some("./gradlew test --console=plain"));
        assert_eq!(found(&[("Api.sln", "")]), some("dotnet test"));
        assert_eq!(found(&[("mix.exs", ""), ("test/a_test.exs", "")]), some("mix test"));
        let case = "import unittest\nclass T(unittest.TestCase): pass\n";
        assert_eq!(found(&[("test_a.py", case)]), some("python3 -m unittest discover"));
        assert_eq!(found(&[("tests/test_a.py", case)]), some("python3 -m unittest discover -s tests"));
        assert_eq!(
            found(&[("tests/__init__.py", ""), ("tests/test_a.py", case)]),
            some("python3 -m unittest discover")
        );
        assert_eq!(
            found(&[("tests/test_a.py", case), ("requirements.txt", "pytest==8")]),
            some("pytest tests/ --tb=short -q")
        );
        assert_eq!(found(&[]), None);
    }

    #[test]
    fn a_declared_command_gets_a_shell_only_when_it_needs_one() {
        let declared = |text: &str| {
            let plan = declared_plan(text);
            (plan.argv[0].clone(), plan.runner)
        };
        let of = |program: &str, runner: &str| (program.to_owned(), runner.to_owned());
        assert_eq!(declared("pytest tests/ -k 'a b'"), of("pytest", "pytest"));
        assert_eq!(declared("python -m pytest"), of("python", "pytest"));
        assert_eq!(declared("A=1 pytest"), of("/bin/sh", "pytest"));
        assert_eq!(declared("cd api && poetry run pytest"), of("/bin/sh", "pytest"));
        assert_eq!(declared("pytest $ARGS"), of("/bin/sh", "pytest"));
        assert_eq!(declared("make check"), of("make", "make"));
        assert_eq!(declared("./check"), of("./check", "check"));
        assert_eq!(declared_plan("pytest -k 'a b'").argv, ["pytest", "-k", "a b"]);
    }
}
