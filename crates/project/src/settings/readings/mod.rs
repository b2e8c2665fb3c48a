//! Which variables a source file reads, from its syntax tree.
//!
//! Recognised are the reading calls of each language's own library, the settings classes and helpers that its
//! frameworks document, and helpers of the project itself: a function that hands its first parameter on to such a call.

mod others;
mod python;

use std::collections::BTreeSet;
use std::ops::ControlFlow;

use tree_sitter::{Node, Tree};

use others::by_pattern;
pub(super) use others::placeholders;

use crate::source::{Language, Source};
use crate::syntax::{Parsers, Trees, arguments, children, string, text, walk};

/// One reading of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Reading {
    pub(super) name: String,
    pub(super) offset: usize,
    /// Whether a default stands beside it.
    pub(super) has_default: bool,
    /// Whether that default is a text that is written out, and not empty.
    pub(super) literal_default: bool,
}

/// What is read, and by which helpers of the project's own.
#[derive(Default)]
pub(super) struct Readings {
    /// By the index of the source.
    pub(super) of: Vec<(usize, Reading)>,
    /// The first source that was not looked into, because the bound was used up.
    pub(super) cut_at: Option<String>,
}

/// A call whose argument is a parameter: the function is a helper.
type Helper = (Language, String);

/// How much source is parsed: work of some seconds. The sources nearest to the root come first.
struct Bound {
    files: usize,
    bytes: usize,
}

const BOUND: Bound = Bound { files: 20_000, bytes: 16 << 20 };

impl Bound {
    /// Whether one more source is within it, which is then used up.
    fn has(&mut self, source: &Source) -> bool {
        let within = self.files > 0 && self.bytes >= source.code.len();
        if within {
            self.files -= 1;
            self.bytes -= source.code.len();
        }
        within
    }
}

pub(super) fn read(sources: &[Source], trees: &Trees<'_>) -> Readings {
    read_within(sources, trees, BOUND)
}

fn read_within(sources: &[Source], trees: &Trees<'_>, mut bound: Bound) -> Readings {
    let mut parsers = Parsers::default();
    let mut found = Readings::default();
    let mut helpers: BTreeSet<(u8, String)> = BTreeSet::new();
    for (at, source) in sources.iter().enumerate().filter(|(_, s)| may_read(s)) {
        if !bound.has(source) {
            found.cut_at = Some(source.path.clone());
            break;
        }
        if let Some(tree) = trees.get(source, &mut parsers) {
            let (readings, own) = of_tree(source, &tree);
            found.of.extend(readings.into_iter().map(|r| (at, r)));
            helpers.extend(own.into_iter().map(|(language, name)| (language as u8, name)));
        } else {
            found.of.extend(by_pattern(source).into_iter().map(|r| (at, r)));
        }
    }
    if !helpers.is_empty() {
        for (at, source) in sources.iter().enumerate() {
            let mine: Vec<&str> = helpers
                .iter()
                .filter(|(l, name)| *l == source.language as u8 && source.code.contains(name.as_str()))
                .map(|(_, name)| name.as_str())
                .collect();
            if mine.is_empty() {
                continue;
            }
            if !bound.has(source) {
                found.cut_at.get_or_insert_with(|| source.path.clone());
                break;
            }
            let Some(tree) = trees.get(source, &mut parsers) else { continue };
            walk(&tree, |node| {
                found.of.extend(helper_call(source, node, &mine).map(|r| (at, r)));
                ControlFlow::Continue(())
            });
        }
    }
    found.of.sort_by_key(|(at, reading)| (*at, reading.offset));
    found
}

/// Whether the text holds any word that a reading begins with; most files hold none and are not parsed.
pub(in crate::settings) fn may_read(source: &Source) -> bool {
    let words: &[&str] = match source.language {
        Language::Python => &["environ", "getenv", "BaseSettings", "config(", "env("],
        Language::JavaScript => &[".env", "getOrThrow", "ConfigService"],
        Language::Rust => &["env::var", "env::var_os"],
        Language::Go => &["Getenv", "LookupEnv"],
        Language::Ruby => &["ENV"],
        Language::Php => &["env(", "_ENV", "_SERVER"],
        Language::Java | Language::Kotlin => &["getenv", "@Value", "@ConfigProperty"],
        Language::CSharp => &["GetEnvironmentVariable"],
        Language::Elixir => &["_env"],
    };
    words.iter().any(|word| source.code.contains(word))
}

fn is_name(text: &str) -> bool {
    !text.is_empty()
        && text.len() <= 100
        && !text.starts_with(|c: char| c.is_ascii_digit())
        && text.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_')
}

struct Reader<'s> {
    source: &'s Source,
    code: &'s str,
    /// Local names of the parts of Python's `os`: `environ`, `getenv`, and aliases of the module.
    environ: BTreeSet<String>,
    getenv: BTreeSet<String>,
    /// Names of Python's settings helpers that are imported here.
    config: BTreeSet<String>,
    readings: Vec<Reading>,
    helpers: Vec<Helper>,
}

fn of_tree(source: &Source, tree: &Tree) -> (Vec<Reading>, Vec<Helper>) {
    let mut reader = Reader {
        source,
        code: &source.code,
        environ: BTreeSet::new(),
        getenv: BTreeSet::new(),
        config: BTreeSet::new(),
        readings: Vec::new(),
        helpers: Vec::new(),
    };
    if source.language == Language::Python {
        reader.python_imports();
    }
    walk(tree, |node| {
        match source.language {
            Language::Python => reader.python(node),
            Language::JavaScript => reader.javascript(node),
            Language::Rust => reader.rust(node),
            Language::Go => reader.go(node),
            Language::Ruby => reader.ruby(node),
            Language::Php => reader.php(node),
            Language::Java => reader.java(node),
            Language::CSharp => reader.c_sharp(node),
            Language::Elixir => reader.elixir(node),
            Language::Kotlin => {}
        }
        ControlFlow::Continue(())
    });
    (reader.readings, reader.helpers)
}

impl<'s> Reader<'s> {
    fn text(&self, node: Node<'_>) -> &'s str {
        text(node, self.code)
    }

    /// Notes a reading of what `name` says, or the helper around it when that is a parameter.
    fn note(&mut self, at: Node<'_>, name: Node<'_>, default: Option<Node<'_>>, or_else: bool) {
        if let Some(value) = string(name, self.code) {
            if is_name(value) {
                let literal = default.and_then(|d| string(d, self.code)).is_some_and(|text| !text.is_empty());
                self.readings.push(Reading {
                    name: value.to_owned(),
                    offset: at.start_byte(),
                    has_default: default.is_some() || or_else,
                    literal_default: literal,
                });
            }
        } else if matches!(name.kind(), "identifier" | "variable_name") {
            let parameter = self.text(name);
            if let Some(helper) = enclosing(at, parameter, self.code) {
                self.helpers.push((self.source.language, helper));
            }
        }
    }

    fn push(&mut self, name: &str, offset: usize, has_default: bool, literal_default: bool) {
        if is_name(name) {
            self.readings.push(Reading { name: name.to_owned(), offset, has_default, literal_default });
        }
    }

    /// The right side of an operator such as `||` whose left side is this node.
    fn or_right<'t>(&self, node: Node<'t>, operators: &[&str]) -> Option<Node<'t>> {
        let mut inner = node;
        let mut outer = node.parent()?;
        while matches!(outer.kind(), "parenthesized_expression" | "non_null_expression" | "as_expression") {
            (inner, outer) = (outer, outer.parent()?);
        }
        if outer.child_by_field_name("left").is_some_and(|left| left == inner) {
            let right = outer.child_by_field_name("right")?;
            let between = self.code.get(inner.end_byte()..right.start_byte())?.trim();
            return operators.contains(&between).then_some(right);
        }
        // PHP's `?:` has its condition and its alternative.
        let is_condition = outer.child_by_field_name("condition").is_some_and(|c| c == inner);
        (is_condition
            && outer.child_by_field_name("body").is_none()
            && outer.kind() == "conditional_expression")
            .then(|| outer.child_by_field_name("alternative"))
            .flatten()
    }

    fn javascript(&mut self, node: Node<'_>) {
        const OBJECTS: &[&str] = &["process.env", "import.meta.env", "Bun.env"];
        match node.kind() {
            "member_expression" | "subscript_expression" => {
                let Some(object) = node.child_by_field_name("object") else { return };
                let bare = self.text(object).replace('?', "");
                if !OBJECTS.contains(&bare.as_str()) {
                    return;
                }
                let written = node.parent().is_some_and(|p| {
                    (p.kind() == "assignment_expression" && p.child_by_field_name("left") == Some(node))
                        || (p.kind() == "unary_expression" && self.text(p).starts_with("delete"))
                });
                if written {
                    return;
                }
                let default = self.or_right(node, &["||", "??"]);
                if let Some(property) = node.child_by_field_name("property") {
                    let literal = default.and_then(|d| string(d, self.code)).is_some_and(|t| !t.is_empty());
                    self.push(self.text(property), node.start_byte(), default.is_some(), literal);
                } else if let Some(index) = node.child_by_field_name("index") {
                    self.note(node, index, default, false);
                }
            }
            // Nest's ConfigService (docs.nestjs.com/techniques/configuration), which reads the environment: a name in capitals.
            "call_expression" => {
                let (Some(function), Some(of)) =
                    (node.child_by_field_name("function"), node.child_by_field_name("arguments"))
                else {
                    return;
                };
                let Some(method) = function.child_by_field_name("property").map(|p| self.text(p)) else {
                    return;
                };
                let object = function.child_by_field_name("object").map(|o| self.text(o)).unwrap_or_default();
                let service = object.to_ascii_lowercase().ends_with("config")
                    || object.to_ascii_lowercase().ends_with("configservice");
                if !(method == "getOrThrow" || (method == "get" && self.code.contains("ConfigService")))
                    || !service
                {
                    return;
                }
                let given = arguments(of);
                let Some(name) = given.first().and_then(|first| string(*first, self.code)) else { return };
                let capitals =
                    name.bytes().all(|b| b.is_ascii_uppercase() || b.is_ascii_digit() || b == b'_');
                if capitals {
                    // What `get` does not find is undefined, which its caller may provide for.
                    let has_default = method == "get";
                    self.push(name, node.start_byte(), has_default, false);
                }
            }
            // `const { PORT = 3000, DATABASE_URL: url } = process.env`
            "variable_declarator" => {
                let (Some(name), Some(value)) =
                    (node.child_by_field_name("name"), node.child_by_field_name("value"))
                else {
                    return;
                };
                if name.kind() != "object_pattern" || !OBJECTS.contains(&self.text(value)) {
                    return;
                }
                for part in children(name) {
                    let (key, default) = match part.kind() {
                        "shorthand_property_identifier_pattern" => (Some(part), None),
                        "object_assignment_pattern" => {
                            (part.child_by_field_name("left"), part.child_by_field_name("right"))
                        }
                        "pair_pattern" => (
                            part.child_by_field_name("key"),
                            part.child_by_field_name("value")
                                .filter(|v| v.kind() == "assignment_pattern")
                                .and_then(|v| v.child_by_field_name("right")),
                        ),
                        _ => (None, None),
                    };
                    if let Some(key) = key {
                        let literal =
                            default.and_then(|d| string(d, self.code)).is_some_and(|t| !t.is_empty());
                        self.push(self.text(key), key.start_byte(), default.is_some(), literal);
                    }
                }
            }
            _ => {}
        }
    }
}

/// The function around a node whose first parameter has this name.
fn enclosing(node: Node<'_>, parameter: &str, code: &str) -> Option<String> {
    let mut outer = node.parent();
    while let Some(node) = outer {
        let list = node.child_by_field_name("parameters");
        if let Some(list) = list {
            let first = children(list).into_iter().next().map(|p| text(p, code))?;
            let first = first.trim_start_matches('$');
            let same = first == parameter
                || first
                    .strip_prefix(parameter)
                    .is_some_and(|rest| rest.starts_with(|c: char| !c.is_alphanumeric() && c != '_'));
            if !same {
                return None;
            }
            let named =
                node.child_by_field_name("name").or_else(|| node.parent()?.child_by_field_name("name"))?;
            return Some(text(named, code).to_owned());
        }
        outer = node.parent();
    }
    None
}

/// A call of one of the project's own helpers with a literal name.
fn helper_call(source: &Source, node: Node<'_>, helpers: &[&str]) -> Option<Reading> {
    let code = source.code.as_str();
    if !matches!(node.kind(), "call" | "call_expression" | "function_call_expression" | "method_invocation") {
        return None;
    }
    let function = node.child_by_field_name("function").or_else(|| node.child_by_field_name("name"))?;
    let called = text(function, code).rsplit(['.', ':']).next().unwrap_or_default();
    if !helpers.contains(&called) {
        return None;
    }
    let all = arguments(node);
    let name = string(*all.first()?, code).filter(|n| is_name(n))?;
    let default = all.get(1);
    Some(Reading {
        name: name.to_owned(),
        offset: node.start_byte(),
        has_default: default.is_some(),
        literal_default: default.and_then(|d| string(*d, code)).is_some_and(|t| !t.is_empty()),
    })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    #[test]
    fn the_bound_cuts_off_and_names_where() {
        let source = |path: &str| Source::new(path, Language::Python, "import os\nos.environ['A']\n");
        let sources = [source("a.py"), Source::new("b.py", Language::Python, "x = 1\n"), source("c.py")];
        let read = |files, bytes| {
            let found = read_within(&sources, &Trees::default(), Bound { files, bytes });
            (found.of.len(), found.cut_at)
        };
        assert_eq!(read(2, 1_000), (2, None), "a file that reads nothing is not counted");
        assert_eq!(read(1, 1_000), (1, Some("c.py".to_owned())));
        assert_eq!(read(9, 30), (1, Some("c.py".to_owned())));
    }

    /// Each name with whether a default and a literal default stand beside its first reading.
    fn names(sources: &[Source]) -> BTreeMap<String, (bool, bool)> {
        let mut all = BTreeMap::new();
        for (_, reading) in read(sources, &Trees::default()).of {
            all.entry(reading.name).or_insert((reading.has_default, reading.literal_default));
        }
        all
    }

    #[track_caller]
    fn check(path: &str, code: &str, expected: &[&str]) {
        let source = Source::new(path, Language::of(path).expect("a language"), code);
        let shown: Vec<String> = names(&[source])
            .into_iter()
            .map(|(name, (default, literal))| {
                format!(
                    "{name}{}",
                    if literal {
                        " text"
                    } else if default {
                        " default"
                    } else {
                        ""
                    }
                )
            })
            .collect();
        assert_eq!(shown, expected, "{code}");
    }

    #[test]
    fn python_by_its_imports() {
        check(
            "a.py",
            "import os as o\nfrom os import environ as env, getenv\nA = o.environ['A']\nB = env.get('B') or 'x'\nC = getenv('C', '')\n\
             print('os.environ[\"NO\"]')\ndel o.environ['D']\nother.environ['NO']\no.environ['E'] = '1'\nF = o.environ.get(key)\nG = o.getenv('G', default='t')\n",
            &["A", "B text", "C default", "G text"],
        );
    }

    #[test]
    fn settings_classes_and_helpers() {
        check(
            "a.py",
            "from pydantic_settings import BaseSettings\nclass S(BaseSettings):\n    model_config = SettingsConfigDict(env_prefix='APP_')\n    name: str\n    port: int = 8000\n    key: str = Field(..., alias='API_KEY')\n    level: str = Field('x')\n",
            &["API_KEY", "APP_LEVEL default", "APP_NAME", "APP_PORT default"],
        );
        check(
            "a.go",
            "package main\nfunc get(key, fallback string) string {\n\tif v := os.Getenv(key); v != \"\" { return v }\n\treturn fallback\n}\nfunc main() {\n\tget(\"A\", \"x\")\n\tport := os.Getenv(\"PORT\")\n\tif port == \"\" {\n\t\tport = \"8080\"\n\t}\n\tk := os.Getenv(\"KEY\")\n\tif k == \"\" {\n\t\tlog.Fatal(\"no key\")\n\t}\n}\n",
            &["A text", "KEY", "PORT default"],
        );
        check(
            "a.js",
            "function need(name) { const v = process.env[name]; if (!v) throw new Error(name); return v }\nneed('DATABASE_URL')\n",
            &["DATABASE_URL"],
        );
    }

    #[test]
    fn javascript_in_its_spellings() {
        check(
            "a.ts",
            "const a = process.env.A!; const b = (process.env.B) ?? 'x'; const { C = 1, D: d, E } = process.env;\nprocess.env.F = '1'; const s = \"process.env.NO\"; import.meta.env['G'] || ''; process?.env?.H",
            &["A", "B text", "C default", "D", "E", "G default", "H"],
        );
    }

    #[test]
    fn the_other_languages() {
        check(
            "a.rb",
            "ENV['A'] || 'x'; ENV.fetch('B'); ENV.fetch('C') { 1 }; ENV['D'] = '1'; ENV.fetch('E', 'k')",
            &["A text", "B", "C default", "E text"],
        );
        check(
            "a.rs",
            "fn f() { let a = env::var(\"A\").unwrap(); let b = std::env::var(\"B\").unwrap_or_else(|_| \"x\".into()); if let Ok(c) = env::var(\"C\") {} }",
            &["A", "B text", "C default"],
        );
        check(
            "a.php",
            "<?php $a = getenv('A') ?: 'x'; $b = $_ENV['B'] ?? null; $c = env('C'); $d = env('D', 'y'); // getenv('NO')",
            &["A text", "B default", "C", "D text"],
        );
        check(
            "A.java",
            "class A { @Value(\"${B:x}\") String b; String a = System.getenv(\"A\"); String c = System.getenv().getOrDefault(\"C\", \"\"); }",
            &["A", "B text", "C default"],
        );
        check(
            "A.kt",
            "val a = System.getenv(\"A\") ?: \"x\"\nval b = System.getenv(\"B\")",
            &["A text", "B"],
        );
        check(
            "A.cs",
            "var a = Environment.GetEnvironmentVariable(\"A\") ?? \"x\"; var b = System.Environment.GetEnvironmentVariable(\"B\");",
            &["A text", "B"],
        );
        check(
            "a.exs",
            "System.get_env(\"A\") || raise \"no\"\nSystem.fetch_env!(\"B\")\nSystem.get_env(\"C\", \"x\")\n",
            &["A", "B", "C text"],
        );
    }
}
