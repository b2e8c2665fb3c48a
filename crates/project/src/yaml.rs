//! YAML documents with the line of every node: compose files, Render blueprints, Kubernetes manifests, workflows.
//!
//! The events of the scanner are turned into a tree here rather than by the library's own loader, because the text is
//! somebody else's: depth, nodes and what aliases may multiply all have a bound, and every node keeps its line.

use std::collections::HashMap;

use yaml_rust2::Event;
use yaml_rust2::parser::Parser;
use yaml_rust2::scanner::TScalarStyle;

/// Nodes of one file, those that aliases repeat included.
const MAX_NODES: usize = 50_000;
/// Levels; a hand-written file has about ten.
const MAX_DEPTH: usize = 64;
/// Documents of one file.
const MAX_DOCUMENTS: usize = 200;

/// One node.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Node {
    /// From 1.
    pub(crate) line: usize,
    pub(crate) value: Value,
}

/// What a node holds.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Value {
    /// A scalar as written, without its quotes; an empty one stands for null.
    Text(String),
    List(Vec<Node>),
    Map(Vec<(String, Node)>),
}

impl Node {
    /// The value of a key.
    pub(crate) fn get(&self, key: &str) -> Option<&Node> {
        self.entries().iter().find(|(name, _)| name == key).map(|(_, node)| node)
    }

    /// The value behind several keys.
    pub(crate) fn at(&self, path: &[&str]) -> Option<&Node> {
        path.iter().try_fold(self, |node, key| node.get(key))
    }

    /// The text of a scalar; `None` for null.
    pub(crate) fn text(&self) -> Option<&str> {
        match &self.value {
            Value::Text(text) if !text.is_empty() && text != "~" && text != "null" => Some(text),
            _ => None,
        }
    }

    /// The items of a list; of anything else, none.
    pub(crate) fn items(&self) -> &[Node] {
        match &self.value {
            Value::List(items) => items,
            _ => &[],
        }
    }

    /// The entries of a mapping; of anything else, none.
    pub(crate) fn entries(&self) -> &[(String, Node)] {
        match &self.value {
            Value::Map(entries) => entries,
            _ => &[],
        }
    }

    /// A port, when the scalar is one.
    pub(crate) fn port(&self) -> Option<u16> {
        self.text()?.parse().ok().filter(|port| *port != 0)
    }
}

/// A collection that is still open.
enum Open {
    List { line: usize, anchor: usize, items: Vec<Node> },
    Map { line: usize, anchor: usize, entries: Vec<(String, Node)>, key: Option<(String, usize)> },
}

/// Reads all documents of a text.
///
/// # Errors
/// In words, with the line, when it is not YAML, repeats a key, or is larger than a configuration can be.
pub(crate) fn documents(text: &str) -> Result<Vec<Node>, String> {
    let mut parser = Parser::new_from_str(text);
    let mut documents = Vec::new();
    let mut open: Vec<Open> = Vec::new();
    let mut anchors: HashMap<usize, Node> = HashMap::new();
    let mut nodes = 0;
    loop {
        let (event, mark) = parser
            .next_token()
            .map_err(|error| format!("line {}: {}", error.marker().line(), error.info()))?;
        let line = mark.line();
        let done = match event {
            Event::StreamEnd => return Ok(documents),
            Event::Nothing | Event::StreamStart | Event::DocumentStart | Event::DocumentEnd => continue,
            Event::Scalar(text, style, anchor, _) => {
                let text = if style == TScalarStyle::Plain && (text == "~" || text == "null") {
                    String::new()
                } else {
                    text
                };
                (Node { line, value: Value::Text(text) }, anchor)
            }
            Event::Alias(anchor) => match anchors.get(&anchor) {
                Some(node) => {
                    nodes += count(node);
                    (Node { line, ..node.clone() }, 0)
                }
                None => return Err(format!("line {line}: an alias of something that is not complete")),
            },
            Event::SequenceStart(anchor, _) => {
                open.push(Open::List { line, anchor, items: Vec::new() });
                if open.len() > MAX_DEPTH {
                    return Err(format!("line {line}: more than {MAX_DEPTH} levels"));
                }
                continue;
            }
            Event::MappingStart(anchor, _) => {
                open.push(Open::Map { line, anchor, entries: Vec::new(), key: None });
                if open.len() > MAX_DEPTH {
                    return Err(format!("line {line}: more than {MAX_DEPTH} levels"));
                }
                continue;
            }
            Event::SequenceEnd | Event::MappingEnd => match open.pop() {
                Some(Open::List { line, anchor, items }) => {
                    (Node { line, value: Value::List(items) }, anchor)
                }
                Some(Open::Map { line, anchor, entries, .. }) => {
                    (Node { line, value: Value::Map(merged(entries)) }, anchor)
                }
                None => return Err(format!("line {line}: an end without a beginning")),
            },
        };
        let (node, anchor) = done;
        nodes += 1;
        if nodes > MAX_NODES {
            return Err(format!("line {line}: more than {MAX_NODES} values"));
        }
        if anchor > 0 {
            anchors.insert(anchor, node.clone());
        }
        match open.last_mut() {
            None if documents.len() < MAX_DOCUMENTS => documents.push(node),
            None => return Err(format!("line {line}: more than {MAX_DOCUMENTS} documents")),
            Some(Open::List { items, .. }) => items.push(node),
            Some(Open::Map { entries, key, .. }) => match key.take() {
                None => {
                    let Value::Text(name) = node.value else {
                        return Err(format!("line {line}: a list or mapping as a key"));
                    };
                    if name != "<<" && entries.iter().any(|(known, _)| *known == name) {
                        return Err(format!("line {line}: the key {name:?} stands there twice"));
                    }
                    *key = Some((name, line));
                }
                Some((name, at)) => entries.push((name, Node { line: at, ..node })),
            },
        }
    }
}

fn count(node: &Node) -> usize {
    1 + match &node.value {
        Value::Text(_) => 0,
        Value::List(items) => items.iter().map(count).sum(),
        Value::Map(entries) => entries.iter().map(|(_, node)| count(node)).sum(),
    }
}

/// The merge key `<<` of YAML 1.1, which compose files use: entries of another mapping, unless they are given here.
fn merged(entries: Vec<(String, Node)>) -> Vec<(String, Node)> {
    if entries.iter().all(|(name, _)| name != "<<") {
        return entries;
    }
    let (from, mut own): (Vec<_>, Vec<_>) = entries.into_iter().partition(|(name, _)| name == "<<");
    for (_, source) in &from {
        let maps = if source.items().is_empty() { std::slice::from_ref(source) } else { source.items() };
        for (name, node) in maps.iter().flat_map(Node::entries) {
            if own.iter().all(|(known, _)| known != name) {
                own.push((name.clone(), node.clone()));
            }
        }
    }
    own
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn values_keep_their_lines() {
        let text = "services:\n  - type: web # x\n    name: \"api\"\n    envVars:\n      - {key: A, value: '1'}\n---\nb: |\n  one\n  two\n";
        let all = documents(text).unwrap();
        assert_eq!(all.len(), 2);
        let web = &all[0].get("services").unwrap().items()[0];
        assert_eq!(web.get("name").and_then(Node::text), Some("api"));
        assert_eq!(web.get("name").unwrap().line, 3);
        assert_eq!(web.at(&["envVars"]).unwrap().items()[0].get("key").and_then(Node::text), Some("A"));
        assert_eq!(all[1].get("b").and_then(Node::text), Some("one\ntwo\n"));
    }

    #[test]
    fn merge_keys_and_aliases() {
        let all = documents("x: &x {a: 1, b: 2}\ny:\n  <<: *x\n  b: 3\n").unwrap();
        let y = all[0].get("y").unwrap();
        assert_eq!(
            (y.get("a").and_then(Node::text), y.get("b").and_then(Node::text)),
            (Some("1"), Some("3"))
        );
    }

    #[test]
    fn what_is_no_configuration_is_refused_with_its_line() {
        for (text, part) in [
            ("a:\n\t- b\n", "line 2"),
            ("a: 1\na: 2\n", "line 2: the key \"a\""),
            ("a: [1, 2\nb: 3\n", "line"),
            ("a: b: c\n", "line 1"),
            ("a: *nobody\n", "line 1"),
        ] {
            let error = documents(text).unwrap_err();
            assert!(error.contains(part), "{text:?}: {error}");
        }
        let deep = "[".repeat(100_000);
        assert!(documents(&deep).is_err());
        let mut bomb = String::from("a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n");
        for i in 1..9 {
            let before = format!("*a{}", i - 1);
            bomb.push_str(&format!("a{i}: &a{i} [{}]\n", vec![before; 10].join(", ")));
        }
        assert!(documents(&bomb).unwrap_err().contains("more than"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_ends(text in "(?s)[ \\-:\\[\\]{}&*a-c\n#'\"|>]{0,120}") {
            let _ = documents(&text);
        }
    }
}
