//! Tests that a runner does not find by their names, and tests that cannot import the project where a workflow runs them.
//!
//! Sources: maven.apache.org/surefire (test, includes), docs.pytest.org (python_files; pythonpath and import modes), jestjs.io
//! (testMatch), vitest.dev (include), rspec.info (pattern), docs.phpunit.de (suffix), pkg.go.dev/cmd/go (go test).

use std::collections::BTreeSet;
use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;

use super::{Found, Read, regex, text};
use crate::tree::{Tree, file_name, parent};

/// Test files looked at.
const MAX_FILES: usize = 400;

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    for runner in RUNNERS.iter() {
        unmatched(read.tree, runner, found);
    }
    chosen(read.tree, found);
    unimportable(read.tree, found);
    without_service(read.tree, found);
}

/// By which names a runner finds its tests.
struct Runner {
    name: &'static str,
    /// Files that say that this runner is used, with a word of theirs.
    used: &'static [(&'static str, &'static str)],
    /// Words of those files with which the project chooses other names.
    chooses: &'static [&'static str],
    /// Where files with tests lie.
    lies: Regex,
    /// What a file with tests holds.
    holds: Regex,
    /// The names that are looked for.
    looks_for: Regex,
    /// The same in words.
    says: &'static str,
}

static RUNNERS: LazyLock<Vec<Runner>> = LazyLock::new(|| {
    vec![
        Runner {
            name: "Surefire",
            used: &[("pom.xml", "<project")],
            chooses: &["<include>", "<test>", "failsafe"],
            lies: regex(r"(?:^|/)src/test/(?:java|kotlin)/.*\.(?:java|kt)$"),
            holds: regex(r"(?m)^\s*@(?:Test|ParameterizedTest|RepeatedTest)\b"),
            looks_for: regex(r"^(?:Test\w*|\w*Tests?|\w*TestCase)\.(?:java|kt)$"),
            says: "Test*, *Test, *Tests and *TestCase",
        },
        Runner {
            name: "pytest",
            used: &[
                ("pytest.ini", "pytest"),
                ("pyproject.toml", "pytest"),
                ("requirements.txt", "pytest"),
                ("requirements-dev.txt", "pytest"),
                ("tox.ini", "pytest"),
                ("setup.cfg", "pytest"),
            ],
            chooses: &["python_files"],
            lies: regex(r"(?:^|/)tests?/.*\.py$"),
            holds: regex(r"(?m)^(?:async )?def test_\w+\("),
            looks_for: regex(r"^(?:test_.*|.*_test)\.py$"),
            says: "test_*.py and *_test.py",
        },
        Runner {
            name: "jest",
            used: &[("package.json", "\"jest\"")],
            chooses: &["testMatch", "testRegex", "vitest", "jest --config"],
            lies: regex(r"(?:^|/)(?:tests?|spec|specs)/.*\.[cm]?[jt]sx?$"),
            holds: regex(r#"(?m)^(?:describe|test|it)\(\s*['"`]"#),
            looks_for: regex(r"(?:^|\.)(?:test|spec)\.[cm]?[jt]sx?$"),
            says: "*.test.* and *.spec.*, or files below __tests__",
        },
        Runner {
            name: "vitest",
            used: &[("package.json", "\"vitest\"")],
            chooses: &["include:", "\"include\"", "jest"],
            lies: regex(r"(?:^|/)(?:tests?|spec|specs|__tests__)/.*\.[cm]?[jt]sx?$"),
            holds: regex(r#"(?m)^(?:describe|test|it)\(\s*['"`]"#),
            looks_for: regex(r"\.(?:test|spec)\.[cm]?[jt]sx?$"),
            says: "*.test.* and *.spec.*",
        },
        Runner {
            name: "rspec",
            used: &[("Gemfile", "rspec")],
            chooses: &["--pattern", "pattern ="],
            lies: regex(r"(?:^|/)spec/.*\.rb$"),
            holds: regex(r"(?m)^(?:RSpec\.)?describe\b"),
            looks_for: regex(r"_spec\.rb$"),
            says: "*_spec.rb",
        },
        Runner {
            name: "PHPUnit",
            used: &[("phpunit.xml", "<phpunit"), ("phpunit.xml.dist", "<phpunit")],
            chooses: &["suffix=", "prefix=", "<file>"],
            lies: regex(r"(?:^|/)tests/.*\.php$"),
            holds: regex(r"extends\s+\w*TestCase\b[\s\S]*\bfunction\s+test\w*\("),
            looks_for: regex(r"Test\.php$"),
            says: "*Test.php",
        },
        Runner {
            name: "go test",
            used: &[("go.mod", "module")],
            chooses: &[],
            lies: regex(r"\.go$"),
            holds: regex(r"(?m)^func Test[A-Z]\w*\(\w+ \*testing\.T\)"),
            looks_for: regex(r"_test\.go$"),
            says: "*_test.go",
        },
    ]
});

/// Files in which settings of runners stand beside those by which a runner is known.
const SETTINGS: &[&str] = &[
    "pytest.ini",
    "pyproject.toml",
    "tox.ini",
    "setup.cfg",
    "package.json",
    "jest.config.js",
    "jest.config.ts",
    "jest.config.mjs",
    "jest.config.cjs",
    "jest.config.json",
    "vitest.config.ts",
    "vitest.config.js",
    "vitest.config.mts",
    "vite.config.ts",
    "vite.config.js",
    ".rspec",
    "Rakefile",
    "pom.xml",
    "phpunit.xml",
    "phpunit.xml.dist",
    "vitest.workspace.ts",
];

/// None of the files with tests has a name that the runner looks for. Where some have one, the others may be there on purpose.
fn unmatched(tree: &Tree, runner: &Runner, found: &mut Found) {
    let uses = |(file, word): &(&str, &str)| text(tree, file).is_some_and(|text| text.contains(word));
    if !runner.used.iter().any(uses) {
        return;
    }
    let chosen = SETTINGS.iter().filter_map(|file| text(tree, file));
    if chosen.into_iter().any(|text| runner.chooses.iter().any(|word| text.contains(word))) {
        return;
    }
    let files = tree.files.iter().filter(|f| !f.ignored && runner.lies.is_match(&f.path));
    let mut missed = Vec::new();
    for file in files.take(MAX_FILES) {
        let name = file_name(&file.path);
        if !text(tree, &file.path).is_some_and(|text| runner.holds.is_match(&text)) {
            continue;
        }
        if runner.looks_for.is_match(name) || file.path.contains("__tests__/") && runner.name == "jest" {
            return;
        }
        missed.push(file.path.as_str());
    }
    let Some(first) = missed.first() else { return };
    let more = if missed.len() > 1 { format!(" and {} more", missed.len() - 1) } else { String::new() };
    found.add(
        SignWord::TestsNotMatched,
        *first,
        format!("{}{more}; {} looks for {}", file_name(first), runner.name, runner.says),
    );
}

/// Patterns of the project's own for its tests, of Vitest and Jest, none of which takes a file with tests.
fn chosen(tree: &Tree, found: &mut Found) {
    static PATTERNS: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"(?:\b|")(include|testMatch)"?\s*:\s*\[([^\]]*)\]"#));
    static QUOTED: LazyLock<Regex> = LazyLock::new(|| regex(r#"["'`]([^"'`]+)["'`]"#));
    static HOLDS: LazyLock<Regex> =
        LazyLock::new(|| regex(r#"(?m)^\s{0,4}(?:describe|test|it)(?:\.\w+)?\(\s*['"`]"#));
    let files = [
        "vitest.config.ts",
        "vitest.config.js",
        "vitest.config.mts",
        "vite.config.ts",
        "vite.config.js",
        "jest.config.js",
        "jest.config.ts",
        "jest.config.mjs",
        "jest.config.cjs",
        "jest.config.json",
    ];
    for file in files {
        // Several projects in one file have patterns of their own.
        let Some(config) = text(tree, file).filter(|config| !config.contains("projects")) else { continue };
        // Of a coverage's or an optimizer's `include` nothing is said here.
        let test = if file.starts_with("vit") {
            config.find("test:").map(|at| &config[at..])
        } else {
            Some(config.as_str())
        };
        let Some(hit) = test.and_then(|test| {
            PATTERNS.captures_iter(test).find(|c| {
                !test[..c.get(0).map_or(0, |m| m.start())].contains("coverage") || &c[1] == "testMatch"
            })
        }) else {
            continue;
        };
        let globs: Vec<String> =
            QUOTED.captures_iter(&hit[2]).map(|c| c[1].replace("<rootDir>/", "")).collect();
        let patterns: Vec<Regex> =
            globs.iter().filter_map(|glob| Regex::new(&glob_pattern(glob)?).ok()).collect();
        if globs.is_empty() || patterns.len() < globs.len() {
            continue;
        }
        let tests: Vec<&str> = tree
            .files
            .iter()
            .filter(|f| {
                !f.ignored
                    && [".ts", ".js", ".tsx", ".jsx", ".mjs", ".mts", ".cjs"]
                        .iter()
                        .any(|end| f.path.ends_with(end))
            })
            .map(|f| f.path.as_str())
            .filter(|path| text(tree, path).is_some_and(|text| HOLDS.is_match(&text)))
            .take(MAX_FILES)
            .collect();
        if let Some(first) = tests.first()
            && !tests.iter().any(|path| patterns.iter().any(|pattern| pattern.is_match(path)))
        {
            let more = if tests.len() > 1 { format!(" and {} more", tests.len() - 1) } else { String::new() };
            found.add(
                SignWord::TestsNotMatched,
                file,
                format!("{first}{more}; {file} looks for {}", globs.join(", ")),
            );
        }
    }
}

/// A glob as a pattern of whole paths; `None` of one with parts that are not read here.
fn glob_pattern(glob: &str) -> Option<String> {
    let mut pattern = String::from("^");
    let mut rest = glob.trim_start_matches("./");
    let mut depth = 0;
    while let Some(c) = rest.chars().next() {
        if let Some(after) = rest.strip_prefix("**/") {
            pattern.push_str("(?:.*/)?");
            rest = after;
            continue;
        }
        if let Some(after) =
            rest.strip_prefix("?(").or_else(|| rest.strip_prefix("+(")).or_else(|| rest.strip_prefix("@("))
        {
            // `?(*.)` and its like: an alternative that may be there.
            let end = after.find(')')?;
            let inner: Vec<String> =
                after[..end].split('|').map(|part| regex::escape(part).replace("\\*", "[^/]*")).collect();
            let times = if rest.starts_with('?') { "?" } else { "" };
            pattern.push_str(&format!("(?:{}){times}", inner.join("|")));
            rest = &after[end + 1..];
            continue;
        }
        match c {
            '*' => pattern.push_str(if rest.starts_with("**") { ".*" } else { "[^/]*" }),
            '?' => pattern.push_str("[^/]"),
            '{' => {
                depth += 1;
                pattern.push_str("(?:");
            }
            '}' if depth > 0 => {
                depth -= 1;
                pattern.push(')');
            }
            ',' if depth > 0 => pattern.push('|'),
            '[' => {
                let end = rest.find(']')?;
                pattern.push_str(&rest[..=end]);
                rest = &rest[end + 1..];
                continue;
            }
            '!' | '(' | ')' => return None,
            c => pattern.push_str(&regex::escape(c.encode_utf8(&mut [0; 4]))),
        }
        rest = &rest[if rest.starts_with("**") { 2 } else { c.len_utf8() }..];
    }
    pattern.push('$');
    (depth == 0).then_some(pattern)
}

/// A workflow that installs requirements and runs `pytest`, where a test's import of the project finds nothing: the folder that
/// holds it is put on the import path by nobody.
fn unimportable(tree: &Tree, found: &mut Found) {
    static PYTEST: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)(?:^|[\s;&|])(?:coverage run -m )?pytest\b"));
    static INSTALLS: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?m)pip3? install\b[^\n]*?\s(?:-e\b|--editable|\.(?:\[|\s|/|$))|\buv (?:sync|run|pip install [^\n]*(?:-e|\s\.))|\bpoetry install|\bpdm install|\bhatch\b|\btox\b|\bnox\b|\brye sync|\bpixi\b|PYTHONPATH|setup\.py (?:develop|install)|python3? -m pytest|\bmake\b|\bjust\b|docker|\bflit install|pipenv install -e|\bconda\b",
        )
    });
    static IMPORT: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^(?:from|import)[ \t]+([A-Za-z_]\w*)"));
    // A requirements file may install the project itself (pip, Requirements File Format).
    static ITSELF: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?m)^\s*(?:-e\s|--editable[ =])?\.(?:\[[^\]]*\])?\s*(?:#.*)?$"));
    let listed = || {
        let is_one = |path: &str| file_name(path).starts_with("requirements") && path.ends_with(".txt");
        let mut lists = tree.files.iter().filter(|f| !f.ignored && is_one(&f.path));
        lists.any(|f| text(tree, &f.path).is_some_and(|text| ITSELF.is_match(&text)))
    };
    let workflow = tree.files.iter().find_map(|f| {
        let is_one = parent(&f.path) == ".github/workflows"
            || matches!(f.path.as_str(), ".gitlab-ci.yml" | ".circleci/config.yml");
        let text = text(tree, &f.path).filter(|_| is_one)?;
        let at = PYTEST.find(&text).filter(|_| !INSTALLS.is_match(&text) && !listed())?;
        Some(super::place(&f.path, &text, at.end()))
    });
    let Some(workflow) = workflow else { return };
    let configured = ["pytest.ini", "pyproject.toml", "tox.ini", "setup.cfg", "conftest.py"];
    let says = |file: &&str, words: &[&str]| {
        text(tree, file).is_some_and(|t| words.iter().any(|word| t.contains(word)))
    };
    // A conftest.py at the root puts the root on the path by itself.
    if configured.iter().any(|file| says(file, &["pythonpath", "sys.path", "importlib"])) {
        return;
    }
    let tests: Vec<&str> = tree
        .files
        .iter()
        .map(|f| f.path.as_str())
        .filter(|path| path.starts_with("tests/") || path.starts_with("test/"))
        .filter(|path| path.ends_with(".py"))
        .collect();
    // What a conftest.py of the tests does to the path is theirs.
    if tests.iter().filter(|path| file_name(path) == "conftest.py").any(|path| says(path, &["sys.path"])) {
        return;
    }
    let in_source = |module: &str| {
        [format!("src/{module}/__init__.py"), format!("src/{module}.py")].iter().any(|path| tree.has(path))
    };
    let at_root = |module: &str| {
        [format!("{module}/__init__.py"), format!("{module}.py")].iter().any(|path| tree.has(path))
    };
    // Test folders that are packages, and a conftest.py at the root, put the root on the path (import mode `prepend`).
    let root_on_path = tree.has("conftest.py")
        || tests.iter().any(|path| *path == "tests/__init__.py" || *path == "test/__init__.py");
    let mut wanted: BTreeSet<(String, &str)> = BTreeSet::new();
    for path in tests.iter().take(MAX_FILES) {
        let Some(source) = text(tree, path) else { continue };
        for import in IMPORT.captures_iter(&source) {
            let module = import[1].to_owned();
            if (in_source(&module) && !at_root(&module))
                || (at_root(&module) && !root_on_path && !in_source(&module))
            {
                wanted.insert((module, path));
            }
        }
    }
    if let Some((module, path)) = wanted.first() {
        let folder = if in_source(module) { "src" } else { "the root" };
        found.add(
            SignWord::TestsNotImportable,
            workflow,
            format!("{path} imports {module} from {folder}, and the workflow neither installs the project nor names that folder"),
        );
    }
}

/// A workflow whose tests need a database or cache on the runner's own machine, which has none running that it does not start
/// (docs.github.com, About service containers; the runner images' lists: PostgreSQL and MySQL are installed and stopped).
fn without_service(tree: &Tree, found: &mut Found) {
    static RUNS: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"(?m)^[^#\n]*?\b((?:bin/)?rails test|rake test|rspec|pytest|manage\.py test|go test|npm (?:run )?test|npm t\b|yarn test|pnpm test|mvn\b[^\n]*\b(?:test|verify)|gradlew?\b[^\n]*\b(?:test|check|build)|phpunit|artisan test|pest\b|mix test|cargo test|dotnet test)\b",
        )
    });
    const STARTS: &[&str] = &[
        "services:",
        "docker",
        "postgresql start",
        "start postgresql",
        "start mysql",
        "mysql start",
        "start redis",
        "redis-server",
        "setup-postgres",
        "setup-redis",
        "setup-mysql",
        "shogo82148/actions-setup",
        "supabase",
        "pg_ctl",
        "testcontainers",
        "compose",
        "ankane/setup",
        "DATABASE_URL",
        "PGHOST",
        "start mariadb",
        "tox",
        "nox",
        "self-hosted",
    ];
    let Some(service) = needed_by_tests(tree) else { return };
    let workflows = tree.files.iter().filter(|f| {
        parent(&f.path) == ".github/workflows" && (f.path.ends_with(".yml") || f.path.ends_with(".yaml"))
    });
    for file in workflows.take(30) {
        let Some(workflow) = text(tree, &file.path) else { continue };
        let Some(run) = RUNS.captures(&workflow).and_then(|line| line.get(1)) else { continue };
        if STARTS.iter().any(|word| workflow.contains(word)) {
            return;
        }
        let at = super::place(&file.path, &workflow, run.end());
        // The command alone, without what is handed to it: that may hold what is nobody's business.
        let command = match run.as_str().split_whitespace().collect::<Vec<_>>().as_slice() {
            [first, .., last] if run.as_str().len() > 20 => format!("{first} … {last}"),
            words => words.join(" "),
        };
        found.add(SignWord::TestsServiceAbsent, at, format!("{command}: {service}"));
        return;
    }
}

/// The service on the own machine that the settings for tests name.
fn needed_by_tests(tree: &Tree) -> Option<String> {
    // Rails: the section of tests, where no address is left to a variable.
    static RAILS: LazyLock<Regex> = LazyLock::new(|| regex(r"(?m)^test:\n((?:[ \t]+[^\n]*\n?)*)"));
    if let Some(config) = text(tree, "config/database.yml") {
        let section = RAILS.captures(&config)?.get(1)?.as_str().to_owned();
        let adapter =
            ["postgresql", "mysql2", "trilogy"].into_iter().find(|adapter| config.contains(adapter))?;
        let open = !section.contains("ENV")
            && !config
                .lines()
                .take_while(|l| !l.starts_with("test:"))
                .any(|l| l.contains("ENV[") && l.contains("url"));
        return (open && !section.contains("sqlite")).then(|| format!("{adapter} of config/database.yml"));
    }
    // Tests that themselves name an address of this machine.
    static LOCAL: LazyLock<Regex> = LazyLock::new(|| {
        regex(
            r"\b(postgres(?:ql)?|mysql|mariadb|redis|mongodb|amqp)(?:\+\w+)?://(?:[^@/\s]*@)?(?:localhost|127\.0\.0\.1)",
        )
    });
    let tests = tree.files.iter().filter(|f| !f.ignored && crate::source::is_test(&f.path)).take(MAX_FILES);
    tests.filter_map(|f| Some((f, text(tree, &f.path)?))).find_map(|(f, code)| {
        let scheme = LOCAL.captures(&code)?;
        // An address that is only the default of a variable may be another one there.
        let mocked = ["environ", "getenv", "process.env", "ENV[", "Getenv", "fakeredis", "mock"]
            .iter()
            .any(|word| code.contains(word));
        (!mocked).then(|| format!("{} of {}", &scheme[1], f.path))
    })
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};

    #[test]
    fn patterns_of_the_projects_own() {
        let config = |include: &str| {
            format!(
                "export default defineConfig({{\n  test: {{ include: [{include}], passWithNoTests: true }},\n}});\n"
            )
        };
        let test = ("src/orders.spec.ts", "import {{ test }} from 'vitest';\ntest('a', () => {{}});\n");
        has(
            &[("vitest.config.ts", &config("'test/**/*.test.ts'")), test],
            "tests-not-matched src/orders.spec.ts; vitest.config.ts looks for test/**/*.test.ts @vitest.config.ts",
        );
        for fine in [
            "'src/**/*.spec.ts'",
            "'**/*.{test,spec}.?(c|m)[jt]s?(x)'",
            "'test/**/*.test.ts', 'src/**/*.spec.ts'",
        ] {
            lacks(&[("vitest.config.ts", &config(fine)), test], "tests-not-matched");
        }
    }

    #[test]
    fn services_that_a_workflow_does_not_start() {
        let workflow =
            |more: &str| format!("on: push\njobs:\n  t:\n{more}    steps:\n    - run: bin/rails test\n");
        let config = (
            "config/database.yml",
            "default: &default\n  adapter: postgresql\ntest:\n  <<: *default\n  host: localhost\n  database: a\nproduction:\n  url: <%= ENV[\"DATABASE_URL\"] %>\n",
        );
        has(
            &[(".github/workflows/ci.yml", &workflow("")), config],
            "tests-service-absent bin/rails test: postgresql of config/database.yml @.github/workflows/ci.yml:5",
        );
        lacks(
            &[
                (
                    ".github/workflows/ci.yml",
                    &workflow("    services:\n      postgres: { image: postgres }\n"),
                ),
                config,
            ],
            "tests-service-absent",
        );
        let open =
            ("config/database.yml", config.1.replace("host: localhost", "url: <%= ENV[\"TEST_URL\"] %>"));
        lacks(&[(".github/workflows/ci.yml", &workflow("")), (open.0, &open.1)], "tests-service-absent");
        let python = (
            "on: push\njobs:\n  t:\n    steps:\n    - run: pytest\n",
            "REDIS = 'redis://localhost:6379/0'\ndef test_a(): pass\n",
        );
        has(
            &[(".github/workflows/ci.yml", python.0), ("tests/test_a.py", python.1)],
            "tests-service-absent pytest: redis of tests/test_a.py",
        );
        lacks(
            &[
                (".github/workflows/ci.yml", python.0),
                ("tests/test_a.py", "import os\nREDIS = os.environ.get('R', 'redis://localhost:6379/0')\n"),
            ],
            "tests-service-absent",
        );
    }

    #[test]
    fn names_that_runners_do_not_look_for() {
        let java = "class X {\n    @Test\n    void adds() {}\n}\n";
        let pom = ("pom.xml", "<project></project>");
        has(
            &[pom, ("src/test/java/a/OrderShould.java", java)],
            "tests-not-matched OrderShould.java; Surefire looks for Test*, *Test, *Tests and *TestCase @src/test/java/a/OrderShould.java",
        );
        lacks(
            &[pom, ("src/test/java/a/OrderShould.java", java), ("src/test/java/a/OrderTest.java", java)],
            "tests-not-matched",
        );
        let chosen = ("pom.xml", "<project><include>**/*Should.java</include></project>");
        lacks(&[chosen, ("src/test/java/a/OrderShould.java", java)], "tests-not-matched");
        let jest = ("package.json", "{\"devDependencies\":{\"jest\":\"29\"}}");
        let script = "describe('a', () => {});\n";
        has(&[jest, ("test/orders.js", script)], "tests-not-matched orders.js; jest looks for");
        for fine in ["test/orders.test.js", "__tests__/orders.js", "test/orders.spec.ts"] {
            lacks(&[jest, (fine, script)], "tests-not-matched");
        }
        let go = "package a\nfunc TestAdd(t *testing.T) {}\n";
        has(
            &[("go.mod", "module a\n"), ("add_tests.go", go)],
            "tests-not-matched add_tests.go; go test looks for",
        );
        lacks(&[("go.mod", "module a\n"), ("add_test.go", go)], "tests-not-matched");
        let php = "<?php\nclass Orders extends TestCase {\n  public function testAdd() {}\n}\n";
        has(
            &[("phpunit.xml", "<phpunit/>"), ("tests/Orders.php", php)],
            "tests-not-matched Orders.php; PHPUnit looks for",
        );
        lacks(&[("phpunit.xml", "<phpunit/>"), ("tests/OrdersTest.php", php)], "tests-not-matched");
    }

    #[test]
    fn tests_that_cannot_import_the_project() {
        let of =
            |run: &str| format!("on: push\njobs:\n  t:\n    steps:\n    - run: {run}\n    - run: pytest\n");
        let bare = of("pip install -r requirements.txt");
        let layout = [("src/shop/__init__.py", ""), ("tests/test_a.py", "from shop.pricing import total\n")];
        let with = |workflow: &str, more: (&str, &str)| {
            let mut all = layout.map(|(p, t)| (p.to_owned(), t.to_owned())).to_vec();
            all.push((".github/workflows/t.yml".to_owned(), workflow.to_owned()));
            all.push((more.0.to_owned(), more.1.to_owned()));
            all
        };
        let check = |files: Vec<(String, String)>, is_there: bool| {
            let files: Vec<(&str, &str)> = files.iter().map(|(p, t)| (p.as_str(), t.as_str())).collect();
            if is_there {
                has(&files, "tests-not-importable tests/test_a.py imports shop from src")
            } else {
                lacks(&files, "tests-not-importable")
            }
        };
        check(with(&bare, ("README.md", "")), true);
        for installs in [
            "pip install -e .",
            "pip install .[test]",
            "uv sync",
            "pip install -r r.txt && pip install --no-deps .",
        ] {
            check(with(&of(installs), ("README.md", "")), false);
        }
        check(with(&bare, ("pytest.ini", "[pytest]\npythonpath = src\n")), false);
        check(with(&bare, ("tests/conftest.py", "import sys\nsys.path.insert(0, 'src')\n")), false);
        // At the root, a conftest.py there is enough.
        let flat = [
            ("shop/__init__.py", ""),
            ("tests/test_a.py", "from shop import total\n"),
            (".github/workflows/t.yml", bare.as_str()),
        ];
        has(&flat, "tests-not-importable tests/test_a.py imports shop from the root");
        let mut fine = flat.to_vec();
        fine.push(("conftest.py", ""));
        lacks(&fine, "tests-not-importable");
    }
}
