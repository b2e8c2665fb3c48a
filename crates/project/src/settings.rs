//! Settings by name: what the code reads, what the example file declares, what is present. Values are looked at only
//! for being empty or not, and never kept.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::LazyLock;

use landfall_evidence::{SettingRead, SettingsInventory};
use regex::Regex;

use crate::source::{Language, Source, keyword, literal};
use crate::tree::Tree;

/// Files that declare settings without carrying them.
const EXAMPLES: &[&str] = &[".env.example", ".env.sample", ".env.template", "env.example", ".env.dist"];
/// Files that carry settings in development.
const PRESENT: &[&str] = &[".env", ".env.local"];
/// Names kept; a project that reads more has a generated file.
const MAX_NAMES: usize = 500;

struct Patterns {
    python_call: Regex,
    python_index: Regex,
    python_config: Regex,
    node: Regex,
    rust: Regex,
    go: Regex,
    ruby: Regex,
    declaration: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let compile =
        |pattern: &str| Regex::new(pattern).expect("the patterns are constants and covered by tests");
    Patterns {
        python_call: compile(r"\b(?:os\.)?(?:environ\.(?:get|pop)|getenv)\s*(\()"),
        python_index: compile(r#"\b(?:os\.)?environ\s*\[\s*["']([A-Za-z_]\w*)["']\s*\]\s*(=[^=])?"#),
        python_config: compile(r"(?:^|[^\w.])(?:config|env(?:\.(?:str|int|bool|float|list|url|db))?)\s*(\()"),
        node: compile(
            r#"\b(?:process|import\.meta|Bun)\.env(?:\.([A-Za-z_]\w*)|\[\s*["']([A-Za-z_]\w*)["']\s*\])\s*(\|\||\?\?|=[^=])?"#,
        ),
        rust: compile(
            r#"\benv::(?:var|var_os)\(\s*"([A-Za-z_]\w*)"\s*\)(\s*\.(?:unwrap_or|ok\(\)\s*\.unwrap_or))?"#,
        ),
        go: compile(r#"\bos\.(?:Getenv|LookupEnv)\(\s*"([A-Za-z_]\w*)"\s*\)"#),
        ruby: compile(
            r#"\bENV(?:\[\s*["']([A-Za-z_]\w*)["']\s*\]\s*(\|\|)?|\.fetch\(\s*["']([A-Za-z_]\w*)["']\s*(,)?)"#,
        ),
        declaration: compile(r"(?m)^[ \t]*(?:export[ \t]+)?([A-Za-z_]\w*)[ \t]*=[ \t]*(.*)$"),
    }
});

/// Reads the settings of a project. `environment` tells whether this process has a non-empty variable of that name.
pub(crate) fn read(
    tree: &Tree,
    sources: &[Source],
    environment: impl Fn(&str) -> bool,
    unread: &mut Vec<String>,
) -> SettingsInventory {
    let mut read: BTreeMap<String, SettingRead> = BTreeMap::new();
    for source in sources {
        for (name, offset, has_default) in readings(source) {
            if read.len() >= MAX_NAMES && !read.contains_key(&name) {
                continue;
            }
            read.entry(name.clone())
                // One reading without a default is enough to need the variable.
                .and_modify(|known| known.has_default &= has_default)
                .or_insert_with(|| SettingRead { name, place: source.place(offset), has_default });
        }
    }

    let mut texts = |path: &str| match tree.text(path)? {
        Ok(text) => Some(text),
        Err(reason) => {
            unread.push(reason);
            None
        }
    };
    let declared_in = EXAMPLES.iter().find(|path| tree.has(path));
    let declared: Vec<String> = declared_in
        .and_then(|path| texts(path))
        .map(|text| unique(declarations(&text).map(|(name, _)| name)))
        .unwrap_or_default();
    let carried: BTreeSet<String> = PRESENT
        .iter()
        .filter_map(|path| texts(path))
        .flat_map(|text| {
            declarations(&text).filter(|(_, filled)| *filled).map(|(name, _)| name).collect::<Vec<_>>()
        })
        .collect();
    let known: BTreeSet<&String> = read.keys().chain(&declared).collect();
    let present =
        known.into_iter().filter(|name| carried.contains(*name) || environment(name)).cloned().collect();
    SettingsInventory {
        read: read.into_values().collect(),
        declared,
        declared_in: declared_in.map(|path| (*path).to_owned()),
        present,
    }
}

/// `NAME=value` lines: the name, and whether the value is more than nothing.
fn declarations(text: &str) -> impl Iterator<Item = (String, bool)> {
    PATTERNS.declaration.captures_iter(text).take(MAX_NAMES).map(|c| {
        let value = c[2].trim();
        let value = if value.starts_with('#') { "" } else { value };
        (c[1].to_owned(), !value.trim_matches(['"', '\'']).is_empty())
    })
}

fn unique(names: impl Iterator<Item = String>) -> Vec<String> {
    let mut seen = BTreeSet::new();
    names.filter(|name| seen.insert(name.clone())).collect()
}

/// Readings in one file: the name, where, and whether a default stands beside it.
fn readings(source: &Source) -> Vec<(String, usize, bool)> {
    let p = &*PATTERNS;
    let code = source.code.as_str();
    let mut found = Vec::new();
    match source.language {
        Language::Python => {
            let mut calls = |pattern: &Regex, decouple: bool| {
                for c in pattern.captures_iter(code) {
                    let (Some(all), Some(open)) = (c.get(0), c.get(1)) else { continue };
                    let Some(arguments) = source.arguments(open.start()) else { continue };
                    let Some(name) = arguments.first().and_then(|a| literal(a)).filter(|n| is_name(n)) else {
                        continue;
                    };
                    let after =
                        &code[(open.start() + arguments_length(code, open.start())).min(code.len())..];
                    let default = if decouple {
                        keyword(&arguments, "default").is_some()
                    } else {
                        arguments.len() > 1 || after.trim_start_matches([')', ' ']).starts_with("or ")
                    };
                    found.push((name.to_owned(), all.start(), default));
                }
            };
            calls(&p.python_call, false);
            // `config("X")` and `env("X")` mean settings only where those libraries are imported.
            if [
                "from decouple import",
                "import environ",
                "from environs import",
                "from starlette.config import",
            ]
            .iter()
            .any(|import| code.contains(import))
            {
                calls(&p.python_config, true);
            }
            for c in p.python_index.captures_iter(code).filter(|c| c.get(2).is_none()) {
                found.push((c[1].to_owned(), c.get(0).map_or(0, |m| m.start()), false));
            }
        }
        Language::JavaScript => {
            for c in p.node.captures_iter(code) {
                let sign = c.get(3).map(|m| m.as_str());
                if sign.is_some_and(|s| s.starts_with('=')) {
                    continue;
                }
                if let Some(name) = c.get(1).or_else(|| c.get(2)) {
                    found.push((name.as_str().to_owned(), name.start(), sign.is_some()));
                }
            }
        }
        Language::Rust => {
            for c in p.rust.captures_iter(code) {
                found.push((c[1].to_owned(), c.get(0).map_or(0, |m| m.start()), c.get(2).is_some()));
            }
        }
        Language::Go => {
            for c in p.go.captures_iter(code) {
                found.push((c[1].to_owned(), c.get(0).map_or(0, |m| m.start()), false));
            }
        }
        Language::Ruby => {
            for c in p.ruby.captures_iter(code) {
                if let Some(name) = c.get(1).or_else(|| c.get(3)) {
                    found.push((
                        name.as_str().to_owned(),
                        name.start(),
                        c.get(2).or_else(|| c.get(4)).is_some(),
                    ));
                }
            }
        }
    }
    // In the order of the text, so that the first place is the first in the file.
    found.sort_by_key(|(_, offset, _)| *offset);
    found
}

fn arguments_length(code: &str, open: usize) -> usize {
    crate::source::bracketed(code, open).map_or(1, |inner| inner.len() + 1)
}

fn is_name(text: &str) -> bool {
    !text.is_empty() && text.len() <= 100 && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    fn read_all(files: &[(&str, &str)], environment: &[&str]) -> SettingsInventory {
        let (_dir, tree) = tree(files);
        let sources = crate::source::load(&tree, &mut Vec::new());
        read(&tree, &sources, |name| environment.contains(&name), &mut Vec::new())
    }

    fn shown(inventory: &SettingsInventory) -> Vec<String> {
        inventory
            .read
            .iter()
            .map(|r| format!("{} {} {}", r.name, r.place, if r.has_default { "default" } else { "needed" }))
            .collect()
    }

    #[test]
    fn python_in_its_spellings() {
        let code = "import os\nA = os.environ['A']\nB = os.environ.get('B')\nC = os.environ.get(\n    \"C\",\n    \"x\",\n)\n\
                    D = os.getenv('D', 2)\nos.environ['E'] = '1'\n# os.environ['F']\nG = os.environ.get('G') or 'y'\nH = config('H')\nA2 = os.environ.get('A', '')\n";
        assert_eq!(
            shown(&read_all(&[("a.py", code)], &[])),
            [
                "A a.py:2 needed",
                "B a.py:3 needed",
                "C a.py:4 default",
                "D a.py:8 default",
                "G a.py:11 default"
            ]
        );
        let code = "from decouple import config\nH = config('H')\nI = config('I', default=1, cast=int)\n";
        assert_eq!(shown(&read_all(&[("a.py", code)], &[])), ["H a.py:2 needed", "I a.py:3 default"]);
    }

    #[test]
    fn other_languages() {
        let files = [
            ("a.ts", "const x = process.env.A ?? 'b'; process.env['B']; process.env.C = '1'"),
            ("b.rs", "std::env::var(\"D\").unwrap_or_default(); env::var(\"E\")"),
            ("c.go", "os.Getenv(\"F\")"),
            ("d.rb", "ENV['G'] || 1; ENV.fetch('H', 2); ENV.fetch('I')"),
            ("tests/t.py", "import os\nos.environ['NOT']"),
        ];
        assert_eq!(
            shown(&read_all(&files, &[])),
            [
                "A a.ts:1 default",
                "B a.ts:1 needed",
                "D b.rs:1 default",
                "E b.rs:1 needed",
                "F c.go:1 needed",
                "G d.rb:1 default",
                "H d.rb:1 default",
                "I d.rb:1 needed"
            ]
        );
    }

    #[test]
    fn declared_and_present_are_names_and_an_empty_value_is_not_present() {
        let inventory = read_all(
            &[
                (".env.example", "# c\nA=\nexport B=your-key\n#C=1\nA=2\n"),
                (".env", "A=\"\"\nB=super-secret-value\nZ=unrelated\n"),
                ("a.py", "import os\nos.environ['D']\n"),
            ],
            &["D", "Z"],
        );
        assert_eq!(inventory.declared, ["A", "B"]);
        assert_eq!(inventory.declared_in.as_deref(), Some(".env.example"));
        assert_eq!(inventory.present, ["B", "D"]);
        assert!(!serde_json::to_string(&inventory).unwrap().contains("super-secret"));
    }
}
