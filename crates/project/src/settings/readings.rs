//! Which variables a source file reads, from its syntax tree.
//!
//! Recognised are the reading calls of each language's own library, the settings classes and helpers that its
//! frameworks document, and helpers of the project itself: a function that hands its first parameter on to such a call.

use std::collections::BTreeSet;
use std::ops::ControlFlow;
use std::sync::LazyLock;

use regex::Regex;
use tree_sitter::{Node, Tree};

use crate::source::{Language, Source};
use crate::syntax::{Parsers, arguments, children, string, text, walk};

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
}

/// A call whose argument is a parameter: the function is a helper.
type Helper = (Language, String);

pub(super) fn read(sources: &[Source]) -> Readings {
    let mut parsers = Parsers::default();
    let mut found = Readings::default();
    let mut helpers: BTreeSet<(u8, String)> = BTreeSet::new();
    for (at, source) in sources.iter().enumerate().filter(|(_, s)| may_read(s)) {
        if let Some(tree) = parsers.parse(source) {
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
            let Some(tree) = (!mine.is_empty()).then(|| parsers.parse(source)).flatten() else { continue };
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
fn may_read(source: &Source) -> bool {
    let words: &[&str] = match source.language {
        Language::Python => &["environ", "getenv", "BaseSettings", "config(", "env("],
        Language::JavaScript => &[".env"],
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

    fn python_imports(&mut self) {
        static FROM: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?m)^[ \t]*from[ \t]+(os|decouple|environs|starlette\.config)[ \t]+import[ \t]+\(?([^\n)]*)")
                .expect("a constant that tests use")
        });
        static MODULE: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r"(?m)^[ \t]*import[ \t]+os[ \t]+as[ \t]+(\w+)").expect("a constant that tests use")
        });
        for os in MODULE.captures_iter(self.code).map(|c| c[1].to_owned()).chain(["os".to_owned()]) {
            self.environ.insert(format!("{os}.environ"));
            self.getenv.insert(format!("{os}.getenv"));
        }
        for c in FROM.captures_iter(self.code) {
            for item in c[2].split(',') {
                let mut words = item.split_whitespace();
                let Some(name) = words.next() else { continue };
                let local = words.nth(1).unwrap_or(name).to_owned();
                match (&c[1], name) {
                    ("os", "environ") => self.environ.insert(local),
                    ("os", "getenv") => self.getenv.insert(local),
                    ("os", _) => false,
                    (_, "config" | "Config" | "AutoConfig") => self.config.insert("config".to_owned()),
                    _ => self.config.insert("env".to_owned()),
                };
            }
        }
        if self.code.contains("import environ") {
            self.config.insert("env".to_owned());
        }
    }

    fn python(&mut self, node: Node<'_>) {
        match node.kind() {
            "call" => {
                let Some(function) = node.child_by_field_name("function") else { return };
                let called = self.text(function).split_whitespace().collect::<String>();
                let (object, method) = called.rsplit_once('.').unwrap_or(("", &called));
                let all = arguments(node);
                let positional: Vec<Node<'_>> =
                    all.iter().copied().filter(|a| a.kind() != "keyword_argument").collect();
                let keyword = all.iter().copied().find_map(|a| {
                    let name = a.child_by_field_name("name")?;
                    (a.kind() == "keyword_argument" && self.text(name) == "default")
                        .then(|| a.child_by_field_name("value"))?
                });
                let Some(first) = positional.first().copied() else { return };
                if self.getenv.contains(&called)
                    || (self.environ.contains(object) && matches!(method, "get" | "pop" | "setdefault"))
                {
                    let default =
                        positional.get(1).copied().or(keyword).or_else(|| self.or_right(node, &["or"]));
                    self.note(node, first, default, false);
                } else if self.config.contains(&called) || (object == "env" && self.config.contains("env")) {
                    self.note(
                        node,
                        first,
                        keyword.or_else(|| positional.get(1).copied().filter(|_| object == "env")),
                        false,
                    );
                }
            }
            "subscript" => {
                let Some(value) = node.child_by_field_name("value") else { return };
                let (Some(index), true) =
                    (node.child_by_field_name("subscript"), self.environ.contains(self.text(value)))
                else {
                    return;
                };
                let parent = node.parent();
                let written = parent.is_some_and(|p| {
                    (p.kind() == "assignment" && p.child_by_field_name("left") == Some(node))
                        || p.kind() == "delete_statement"
                });
                if !written {
                    self.note(node, index, None, false);
                }
            }
            "class_definition" => self.settings_class(node),
            _ => {}
        }
    }

    /// A class on pydantic's `BaseSettings`: each field is a variable of its name, in any case, behind `env_prefix`
    /// (docs.pydantic.dev/latest/concepts/pydantic_settings).
    fn settings_class(&mut self, node: Node<'_>) {
        static PREFIX: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"env_prefix\s*=\s*["'](\w*)["']"#).expect("a constant that tests use")
        });
        static ALIAS: LazyLock<Regex> = LazyLock::new(|| {
            Regex::new(r#"\b(?:validation_alias|alias|env)\s*=\s*(?:AliasChoices\(\s*)?["'](\w+)["']"#)
                .expect("a constant that tests use")
        });
        let bases = node.child_by_field_name("superclasses").map_or("", |n| self.text(n));
        let Some(body) = node.child_by_field_name("body").filter(|_| bases.contains("BaseSettings")) else {
            return;
        };
        let prefix = PREFIX.captures(self.text(body)).map_or(String::new(), |c| c[1].to_owned());
        for statement in children(body) {
            let assignment = children(statement).into_iter().find(|n| n.kind() == "assignment");
            let Some(field) = assignment.filter(|_| statement.kind() == "expression_statement") else {
                continue;
            };
            let (Some(name), Some(_)) =
                (field.child_by_field_name("left"), field.child_by_field_name("type"))
            else {
                continue;
            };
            let name = self.text(name);
            if name == "model_config" || name.starts_with('_') {
                continue;
            }
            let right = field.child_by_field_name("right");
            let given = right.map_or("", |n| self.text(n));
            let is_field = given.starts_with("Field(");
            let bare = is_field
                && !given.contains("default")
                && (given.starts_with("Field(...")
                    || given[6..].trim_start().starts_with(')')
                    || given[6..].split(['=', ',', ')']).next().is_some_and(|w| {
                        let w = w.trim();
                        !w.is_empty()
                            && w.chars().all(|c| c.is_alphanumeric() || c == '_')
                            && given.contains('=')
                    }));
            let variable = ALIAS
                .captures(given)
                .map_or_else(|| format!("{prefix}{name}").to_ascii_uppercase(), |c| c[1].to_owned());
            let literal = right.and_then(|n| string(n, self.code)).is_some_and(|text| !text.is_empty());
            self.push(&variable, field.start_byte(), right.is_some() && !bare, literal);
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

    fn rust(&mut self, node: Node<'_>) {
        if node.kind() != "call_expression" {
            return;
        }
        let Some(function) = node.child_by_field_name("function") else { return };
        let called = self.text(function);
        if !(called.ends_with("env::var") || called.ends_with("env::var_os")) {
            return;
        }
        let Some(first) = arguments(node).first().copied() else { return };
        // What follows decides: `?`, `unwrap` and `expect` need it, the rest can do without.
        let after = self.code.get(node.end_byte()..).unwrap_or_default().trim_start();
        let optional =
            [".unwrap_or", ".ok()", ".is_ok", ".is_err", ".or_else", ".map", ".as_deref", ".and_then"];
        let if_let = node.parent().is_some_and(|p| matches!(p.kind(), "let_condition" | "match_expression"));
        let has = optional.iter().any(|method| after.starts_with(method)) || if_let;
        self.note(node, first, None, has);
        let literal = after
            .strip_prefix(".unwrap_or_else(|_| ")
            .or_else(|| after.strip_prefix(".unwrap_or("))
            .is_some_and(|rest| rest.starts_with('"') && !rest.starts_with("\"\""));
        if let Some(last) = self.readings.last_mut().filter(|r| literal && r.offset == node.start_byte()) {
            last.literal_default = true;
        }
    }

    fn go(&mut self, node: Node<'_>) {
        if node.kind() != "call_expression" {
            return;
        }
        let called = node.child_by_field_name("function").map_or("", |f| self.text(f));
        let optional = match called {
            "os.Getenv" | "syscall.Getenv" => false,
            "os.LookupEnv" => true,
            _ => return,
        };
        let Some(first) = arguments(node).first().copied() else { return };
        let falls_back = optional || self.go_falls_back(node);
        self.note(node, first, None, falls_back);
    }

    /// `port := os.Getenv("PORT")` with `if port == "" { port = "8080" }` after it, or `if v := …; v != ""`.
    fn go_falls_back(&self, call: Node<'_>) -> bool {
        let mut outer = call.parent();
        while let Some(node) = outer {
            match node.kind() {
                "short_var_declaration" | "assignment_statement" | "var_spec" => {
                    let left = node.child_by_field_name("left").or_else(|| node.child_by_field_name("name"));
                    let Some(name) = left.map(|l| self.text(l)) else { return false };
                    let rest = self.code.get(node.end_byte()..).unwrap_or_default();
                    let rest = &rest[..rest.find("\nfunc ").unwrap_or(rest.len())];
                    let unset = format!("if {name} == \"\" {{");
                    return match rest.find(&unset) {
                        Some(at) => {
                            let block = &rest[at + unset.len()..];
                            let block = &block[..block.find('}').unwrap_or(block.len())];
                            !["Fatal", "panic(", "os.Exit", "errors.New", "Errorf"]
                                .iter()
                                .any(|w| block.contains(w))
                        }
                        None => rest.trim_start().starts_with(&format!("; {name} != \"\"")),
                    };
                }
                "binary_expression" => return true,
                "argument_list" | "expression_list" => outer = node.parent(),
                _ => return false,
            }
        }
        false
    }

    fn ruby(&mut self, node: Node<'_>) {
        match node.kind() {
            "element_reference" => {
                let object = node.child_by_field_name("object");
                if object.is_none_or(|o| self.text(o) != "ENV") {
                    return;
                }
                let assigned = node.parent().is_some_and(|p| {
                    p.kind().contains("assignment") && p.child_by_field_name("left") == Some(node)
                });
                if let Some(key) = children(node).get(1).copied().filter(|_| !assigned) {
                    let default = self.or_right(node, &["||", "or"]);
                    self.note(node, key, default, false);
                }
            }
            "call" => {
                let receiver = node.child_by_field_name("receiver");
                let method = node.child_by_field_name("method");
                if receiver.is_none_or(|r| self.text(r) != "ENV")
                    || method.is_none_or(|m| self.text(m) != "fetch")
                {
                    return;
                }
                let all = arguments(node);
                let block = node.child_by_field_name("block").is_some();
                if let Some(first) = all.first().copied() {
                    self.note(node, first, all.get(1).copied(), block);
                }
            }
            _ => {}
        }
    }

    fn php(&mut self, node: Node<'_>) {
        match node.kind() {
            "function_call_expression" => {
                let called = node.child_by_field_name("function").map_or("", |f| self.text(f));
                let all = arguments(node);
                let Some(first) = all.first().copied() else { return };
                match called.trim_start_matches('\\') {
                    "getenv" => {
                        let default = self.or_right(node, &["??", "||"]);
                        self.note(node, first, default, false);
                    }
                    "env" => self.note(node, first, all.get(1).copied(), false),
                    _ => {}
                }
            }
            "subscript_expression" => {
                let parts = children(node);
                let (Some(object), Some(index)) = (parts.first(), parts.get(1).copied()) else { return };
                if self.text(*object) == "$_ENV" {
                    let default = self.or_right(node, &["??", "||"]);
                    self.note(node, index, default, false);
                }
            }
            _ => {}
        }
    }

    fn java(&mut self, node: Node<'_>) {
        match node.kind() {
            "method_invocation" => {
                let object = node.child_by_field_name("object").map_or("", |o| self.text(o));
                let name = node.child_by_field_name("name").map_or("", |n| self.text(n));
                let all = arguments(node);
                let Some(first) = all.first().copied() else { return };
                match (object, name) {
                    ("System", "getenv") => {
                        let around = node.parent().and_then(|p| p.parent()).and_then(|p| p.parent());
                        let or_else = around.is_some_and(|a| self.text(a).contains(".orElse("));
                        self.note(node, first, None, or_else);
                    }
                    ("System.getenv()", "getOrDefault") => self.note(node, first, all.get(1).copied(), false),
                    ("System.getenv()", "get") => self.note(node, first, None, false),
                    _ => {}
                }
            }
            "annotation" => {
                let text = self.text(node);
                if text.starts_with("@Value") || text.starts_with("@ConfigProperty") {
                    for (name, offset, default) in placeholders(text) {
                        self.push(
                            &name,
                            node.start_byte() + offset,
                            default.is_some(),
                            default == Some(true),
                        );
                    }
                }
            }
            _ => {}
        }
    }

    fn c_sharp(&mut self, node: Node<'_>) {
        if node.kind() != "invocation_expression" {
            return;
        }
        let called = node.child_by_field_name("function").map_or("", |f| self.text(f));
        if called.ends_with("Environment.GetEnvironmentVariable")
            && let Some(first) = arguments(node).first().copied()
        {
            let default = self.or_right(node, &["??"]);
            self.note(node, first, default, false);
        }
    }

    fn elixir(&mut self, node: Node<'_>) {
        if node.kind() != "call" {
            return;
        }
        let called = node.child_by_field_name("target").map_or("", |t| self.text(t));
        let all = arguments(node);
        let Some(first) = all.first().copied() else { return };
        match called {
            "System.get_env" => {
                let default = all.get(1).copied().or_else(|| self.or_right(node, &["||"]));
                // `System.get_env("X") || raise "…"` needs it.
                let raises = default.is_some_and(|d| self.text(d).trim_start().starts_with("raise"));
                self.note(node, first, default.filter(|_| !raises), false);
            }
            "System.fetch_env!" => self.note(node, first, None, false),
            "System.fetch_env" => self.note(node, first, None, true),
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

/// `${NAME}` and `${NAME:default}` of Spring and Quarkus; a key in lower case is a property and no variable. For each
/// its place, whether a default stands there, and whether that is more than nothing.
pub(super) fn placeholders(text: &str) -> Vec<(String, usize, Option<bool>)> {
    static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"\$\{([A-Z][A-Z0-9_]*)(?::([^}]*))?\}").expect("a constant that tests use")
    });
    PLACEHOLDER
        .captures_iter(text)
        .map(|c| {
            let at = c.get(0).map_or(0, |m| m.start());
            (c[1].to_owned(), at, c.get(2).map(|d| !d.as_str().is_empty()))
        })
        .collect()
}

/// Kotlin has no grammar here: the calls of its library as they are usually written.
fn by_pattern(source: &Source) -> Vec<Reading> {
    static KOTLIN: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r#"System\.getenv\(\s*"(\w+)"\s*\)(\s*\?:\s*("[^"]+")?)?|System\.getenv\(\)\s*(?:\.getOrDefault\(\s*"(\w+)"\s*,|\[\s*"(\w+)"\s*\](\s*\?:)?)"#)
            .expect("a constant that tests use")
    });
    if source.language != Language::Kotlin {
        return Vec::new();
    }
    let mut found: Vec<Reading> = KOTLIN
        .captures_iter(&source.code)
        .filter_map(|c| {
            let name = c.get(1).or_else(|| c.get(4)).or_else(|| c.get(5))?;
            Some(Reading {
                name: name.as_str().to_owned(),
                offset: c.get(0)?.start(),
                has_default: c.get(2).is_some() || c.get(4).is_some() || c.get(6).is_some(),
                literal_default: c.get(3).is_some(),
            })
        })
        .collect();
    for (name, offset, default) in placeholders(&source.code.replace("\\$", " $")) {
        found.push(Reading {
            name,
            offset,
            has_default: default.is_some(),
            literal_default: default == Some(true),
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// Each name with whether a default and a literal default stand beside its first reading.
    fn names(sources: &[Source]) -> BTreeMap<String, (bool, bool)> {
        let mut all = BTreeMap::new();
        for (_, reading) in read(sources).of {
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
