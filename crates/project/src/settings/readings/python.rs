//! Readings in Python: the parts of `os` under whatever name they were imported, settings classes, decouple and its like.

use std::sync::LazyLock;

use regex::Regex;
use tree_sitter::Node;

use super::Reader;
use crate::syntax::{arguments, children, string};

impl Reader<'_> {
    pub(super) fn python_imports(&mut self) {
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

    pub(super) fn python(&mut self, node: Node<'_>) {
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
}
