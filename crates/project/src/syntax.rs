//! Syntax trees of source files, by tree-sitter's grammars.
//!
//! A file with mistakes still gives a tree: what the grammar cannot place stands under an `ERROR` node, and the rest is
//! read. So a reader that looks for calls finds those around a mistake, and a mistake never ends a reading.

use std::collections::HashMap;
use std::ops::ControlFlow;
use std::sync::OnceLock;
use std::time::{Duration, Instant};

use tree_sitter::{Node, ParseOptions, Parser, Tree};

use crate::source::{Language, Source};

/// The longest time for one file. A file of one mebibyte takes about a tenth of it.
const LIMIT: Duration = Duration::from_secs(2);

/// The parsers of one thread, made when they are needed.
#[derive(Default)]
pub(crate) struct Parsers {
    made: Vec<(&'static str, Parser)>,
}

impl Parsers {
    /// The tree of a source, comments and block strings blanked. `None` for a language without a grammar, and for a
    /// text that takes too long.
    pub(crate) fn parse(&mut self, source: &Source) -> Option<Tree> {
        let tsx = source.path.ends_with("tsx");
        let typed = source.path.rsplit('.').next().is_some_and(|end| matches!(end, "ts" | "mts" | "cts"));
        let (name, grammar) = match source.language {
            Language::Python => ("python", tree_sitter_python::LANGUAGE),
            Language::JavaScript if tsx => ("tsx", tree_sitter_typescript::LANGUAGE_TSX),
            Language::JavaScript if typed => ("typescript", tree_sitter_typescript::LANGUAGE_TYPESCRIPT),
            Language::JavaScript => ("javascript", tree_sitter_javascript::LANGUAGE),
            Language::Rust => ("rust", tree_sitter_rust::LANGUAGE),
            Language::Go => ("go", tree_sitter_go::LANGUAGE),
            Language::Ruby => ("ruby", tree_sitter_ruby::LANGUAGE),
            Language::Php => ("php", tree_sitter_php::LANGUAGE_PHP),
            Language::Java => ("java", tree_sitter_java::LANGUAGE),
            Language::CSharp => ("c-sharp", tree_sitter_c_sharp::LANGUAGE),
            Language::Elixir => ("elixir", tree_sitter_elixir::LANGUAGE),
            Language::Kotlin => return None,
        };
        let at = match self.made.iter().position(|(made, _)| *made == name) {
            Some(at) => at,
            None => {
                let mut parser = Parser::new();
                parser.set_language(&grammar.into()).ok()?;
                self.made.push((name, parser));
                self.made.len() - 1
            }
        };
        let parser = &mut self.made[at].1;
        let deadline = Instant::now() + LIMIT;
        let mut over = |_: &tree_sitter::ParseState| Instant::now() >= deadline;
        let bytes = source.code.as_bytes();
        let tree = parser.parse_with_options(
            &mut |offset, _| bytes.get(offset..).unwrap_or_default(),
            None,
            Some(ParseOptions::new().progress_callback(&mut over)),
        );
        // A parse that was given up would be continued by the next call.
        parser.reset();
        tree
    }
}

/// Sources' bytes whose trees are kept: the trees take some ten times as much.
const MAX_KEPT_BYTE: usize = 4 << 20;

/// The trees of sources that more than one reader looks into, so that each is parsed once. All others are parsed when
/// they are asked for, and dropped: the trees of a whole project would not be bounded memory.
#[derive(Debug, Default)]
pub(crate) struct Trees<'s> {
    kept: HashMap<&'s str, OnceLock<Option<Tree>>>,
}

impl<'s> Trees<'s> {
    /// Keeps the trees of these sources once they were asked for, as far as the bound reaches.
    pub(crate) fn of(shared: impl Iterator<Item = &'s Source>) -> Self {
        let mut left = MAX_KEPT_BYTE;
        let mut kept = HashMap::new();
        for source in shared {
            if let Some(rest) = left.checked_sub(source.code.len()) {
                left = rest;
                kept.insert(source.path.as_str(), OnceLock::new());
            }
        }
        Self { kept }
    }

    /// The tree of a source, as [`Parsers::parse`] makes it.
    pub(crate) fn get(&self, source: &Source, parsers: &mut Parsers) -> Option<Tree> {
        match self.kept.get(source.path.as_str()) {
            Some(slot) => slot.get_or_init(|| parsers.parse(source)).clone(),
            None => parsers.parse(source),
        }
    }
}

/// Visits every named node, outer ones first. Iterative, since a text can nest deeper than a stack.
pub(crate) fn walk<'t>(tree: &'t Tree, mut visit: impl FnMut(Node<'t>) -> ControlFlow<()>) {
    let mut cursor = tree.walk();
    loop {
        if cursor.node().is_named() && visit(cursor.node()).is_break() {
            return;
        }
        if cursor.goto_first_child() {
            continue;
        }
        while !cursor.goto_next_sibling() {
            if !cursor.goto_parent() {
                return;
            }
        }
    }
}

/// The text of a node.
pub(crate) fn text<'s>(node: Node<'_>, code: &'s str) -> &'s str {
    code.get(node.byte_range()).unwrap_or_default()
}

/// The value of a string literal without parts that are computed.
pub(crate) fn string<'s>(node: Node<'_>, code: &'s str) -> Option<&'s str> {
    let kind = node.kind();
    (kind.contains("string") || kind == "encapsed_string")
        .then(|| crate::source::literal(text(node, code)))
        .flatten()
        .filter(|value| !value.contains("${") && !value.contains("#{"))
}

/// The named children of a node, comments left out.
pub(crate) fn children<'t>(node: Node<'t>) -> Vec<Node<'t>> {
    let mut cursor = node.walk();
    node.named_children(&mut cursor).filter(|child| !child.kind().contains("comment")).collect()
}

/// The arguments of a call: the named children of its argument list, unwrapped where the grammar wraps them.
pub(crate) fn arguments<'t>(call: Node<'t>) -> Vec<Node<'t>> {
    let list = call.child_by_field_name("arguments").or_else(|| {
        children(call).into_iter().find(|child| matches!(child.kind(), "arguments" | "argument_list"))
    });
    let Some(list) = list else { return Vec::new() };
    children(list)
        .into_iter()
        .map(|argument| match argument.kind() {
            "argument" => children(argument).into_iter().last().unwrap_or(argument),
            _ => argument,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_language_has_its_grammar_and_mistakes_do_not_end_a_reading() {
        for (path, text) in [
            ("a.py", "import os\nx = os.environ['A'\ny = f(1)\n"),
            ("a.js", "const x = process.env.A; ]"),
            ("a.ts", "const x: string = process.env.A!"),
            ("a.tsx", "const x = <a href={process.env.A}/>"),
            ("a.rs", "fn main() { env::var(\"A\") }"),
            ("a.go", "package main\nfunc main() { os.Getenv(\"A\") "),
            ("a.rb", "ENV['A']"),
            ("a.php", "<?php getenv('A');"),
            ("A.java", "class A { String a = System.getenv(\"A\"); }"),
            ("A.cs", "var a = Environment.GetEnvironmentVariable(\"A\");"),
            ("a.ex", "System.get_env(\"A\")"),
        ] {
            let source = Source::new(path, Language::of(path).unwrap(), text);
            let tree = Parsers::default().parse(&source).expect(path);
            let mut nodes = 0;
            walk(&tree, |_| {
                nodes += 1;
                ControlFlow::Continue(())
            });
            assert!(nodes > 3, "{path}: {}", tree.root_node().to_sexp());
        }
    }

    #[test]
    fn what_is_shared_is_parsed_once() {
        let source = |path: &str| Source::new(path, Language::Python, "x = 1\n");
        let (shared, other) = (source("a.py"), source("b.py"));
        let trees = Trees::of([&shared].into_iter());
        let first = |tree: &Tree| tree.root_node().child(0).expect("a statement").id();
        let get = |source: &Source| trees.get(source, &mut Parsers::default()).expect("a tree");
        // A copy of a tree has the same nodes below its root, which lies in the copy itself.
        let (one, again) = (get(&shared), get(&shared));
        assert_eq!(first(&one), first(&again));
        assert_ne!(first(&one), first(&get(&source("c.py"))), "another parse has others");
        assert_eq!(trees.kept.len(), 1);
        assert!(trees.get(&other, &mut Parsers::default()).is_some());
    }

    #[test]
    fn nesting_of_any_depth_ends() {
        let source = Source::new("a.py", Language::Python, &"(".repeat(20_000));
        let tree = Parsers::default().parse(&source);
        if let Some(tree) = tree {
            walk(&tree, |_| ControlFlow::Continue(()));
        }
    }
}
