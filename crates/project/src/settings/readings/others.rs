//! Readings in Rust, Go, Ruby, PHP, Java, C# and Elixir; Kotlin, which has no grammar here; placeholders of Spring.

use std::sync::LazyLock;

use regex::Regex;
use tree_sitter::Node;

use super::{Reader, Reading};
use crate::source::{Language, Source};
use crate::syntax::{arguments, children};

impl Reader<'_> {
    pub(super) fn rust(&mut self, node: Node<'_>) {
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

    pub(super) fn go(&mut self, node: Node<'_>) {
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

    pub(super) fn ruby(&mut self, node: Node<'_>) {
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

    pub(super) fn php(&mut self, node: Node<'_>) {
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

    pub(super) fn java(&mut self, node: Node<'_>) {
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

    pub(super) fn c_sharp(&mut self, node: Node<'_>) {
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

    pub(super) fn elixir(&mut self, node: Node<'_>) {
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

/// `${NAME}` and `${NAME:default}` of Spring and Quarkus; a key in lower case is a property and no variable. For each
/// its place, whether a default stands there, and whether that is more than nothing.
pub(in crate::settings) fn placeholders(text: &str) -> Vec<(String, usize, Option<bool>)> {
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
pub(super) fn by_pattern(source: &Source) -> Vec<Reading> {
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
