//! What the readers of routes share: groups that enclose a place in the text, and paths that are put together.

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;

use crate::source::{Source, literal, split_top};

/// Parts of a text under a prefix of their own.
#[derive(Debug, Default)]
pub(super) struct Groups {
    parts: Vec<(Range<usize>, String)>,
}

impl Groups {
    pub(super) fn add(&mut self, part: Range<usize>, prefix: &str) {
        self.parts.push((part, prefix.to_owned()));
    }

    /// The prefixes around a place, outer ones first, as one path.
    pub(super) fn prefix(&self, at: usize) -> String {
        let mut around: Vec<&(Range<usize>, String)> =
            self.parts.iter().filter(|(part, _)| part.contains(&at)).collect();
        around.sort_by_key(|(part, _)| part.start);
        around.iter().fold(String::new(), |path, (_, prefix)| join(&path, prefix))
    }
}

/// Two parts of a path with one slash between them. The result begins with a slash and ends with one only where it is
/// nothing else.
pub(super) fn join(before: &str, after: &str) -> String {
    let parts = before.split('/').chain(after.split('/')).filter(|part| !part.is_empty());
    let path: String = parts.flat_map(|part| ["/", part]).collect();
    if path.is_empty() { "/".to_owned() } else { path }
}

/// The end of the bracket that opens at `open`, within the file.
pub(super) fn closes(source: &Source, open: usize) -> usize {
    let bytes = source.code.as_bytes();
    let mut depth = 0_usize;
    let mut at = open;
    while at < bytes.len() {
        match bytes[at] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return at;
                }
            }
            quote @ (b'"' | b'`') => at = crate::source::string_end(bytes, at, quote).max(at + 1) - 1,
            _ => {}
        }
        at += 1;
    }
    bytes.len()
}

/// The first literal argument of a call that opens at `open`, however long the call is.
pub(super) fn first_literal(source: &Source, open: usize) -> Option<&str> {
    let rest = source.code.get(open + 1..)?;
    let end = rest.char_indices().map(|(i, _)| i).nth(400).unwrap_or(rest.len());
    let first = split_top(&rest[..end]).into_iter().next()?;
    // The head of a long call has no end: then the literal is what its first quote closes.
    literal(first).or_else(|| {
        let quote = first.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
        let inner = &first[1..];
        Some(&inner[..inner.find(quote)?])
    })
}

/// A pattern that is a constant.
pub(super) fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants and covered by tests")
}

/// The methods named in a text such as `methods: ['GET', 'POST']`.
pub(super) fn methods_in(text: &str) -> Vec<String> {
    static METHOD: LazyLock<Regex> =
        LazyLock::new(|| regex(r"(?i)\b(GET|POST|PUT|PATCH|DELETE|HEAD|OPTIONS)\b"));
    let mut all: Vec<String> = METHOD.captures_iter(text).map(|c| c[1].to_uppercase()).collect();
    all.sort();
    all.dedup();
    all
}
