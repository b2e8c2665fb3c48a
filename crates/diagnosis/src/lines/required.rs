//! Texts of which one stands in whatever a pattern finds.
//!
//! Searching a text for all of them at once takes a thousandth of the time of trying every pattern on it.

use regex_syntax::ParserBuilder;
use regex_syntax::hir::{Class, Hir, HirKind};

/// A shorter text stands nearly everywhere and would spare nothing.
const SHORTEST: usize = 3;

/// Texts in lower case of which at least one, in any case of its letters, is part of every text in which `pattern` (bytes,
/// ASCII classes) finds something. Empty when there are none, or the pattern is no pattern.
pub(crate) fn required(pattern: &str) -> Vec<Vec<u8>> {
    let parsed = ParserBuilder::new().unicode(false).utf8(false).build().parse(pattern);
    parsed.ok().and_then(|hir| of(&hir)).unwrap_or_default()
}

/// `None` when nothing that is long enough is required.
fn of(hir: &Hir) -> Option<Vec<Vec<u8>>> {
    match hir.kind() {
        HirKind::Repetition(repetition) if repetition.min > 0 => of(&repetition.sub),
        HirKind::Capture(capture) => of(&capture.sub),
        HirKind::Alternation(branches) => {
            let mut all = Vec::new();
            for branch in branches {
                all.extend(of(branch)?);
            }
            Some(all)
        }
        HirKind::Concat(parts) => of_parts(parts),
        HirKind::Literal(_) => of_parts(std::slice::from_ref(hir)),
        // What may be left out, what takes no room, and a class, which is one byte.
        HirKind::Repetition(_) | HirKind::Look(_) | HirKind::Empty | HirKind::Class(_) => None,
    }
}

/// The best of what a sequence requires: that with the longest shortest text.
fn of_parts(parts: &[Hir]) -> Option<Vec<Vec<u8>>> {
    let mut found: Vec<Vec<Vec<u8>>> = Vec::new();
    let mut run = Vec::new();
    for part in parts {
        match plain(part) {
            Some(bytes) => run.extend(bytes),
            None => {
                found.push(vec![std::mem::take(&mut run)]);
                found.extend(of(part));
            }
        }
    }
    found.push(vec![run]);
    let shortest = |texts: &Vec<Vec<u8>>| texts.iter().map(Vec::len).min().unwrap_or_default();
    found.into_iter().filter(|texts| shortest(texts) >= SHORTEST).max_by_key(shortest)
}

/// The bytes in lower case that a part stands for, whatever their case.
fn plain(part: &Hir) -> Option<Vec<u8>> {
    match part.kind() {
        HirKind::Literal(literal) => Some(literal.0.to_ascii_lowercase()),
        HirKind::Class(Class::Bytes(class)) => {
            let mut bytes = class.ranges().iter().flat_map(|range| range.start()..=range.end());
            let first = bytes.next()?.to_ascii_lowercase();
            bytes.all(|byte| byte.to_ascii_lowercase() == first).then(|| vec![first])
        }
        HirKind::Capture(capture) => plain(&capture.sub),
        HirKind::Concat(parts) => {
            let all: Option<Vec<Vec<u8>>> = parts.iter().map(plain).collect();
            Some(all?.concat())
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(pattern: &str) -> String {
        let found =
            required(pattern).into_iter().map(|text| String::from_utf8(text).expect("these are ASCII"));
        found.collect::<Vec<_>>().join("|")
    }

    #[test]
    fn what_every_match_holds_is_found() {
        assert_eq!(texts("KeyError: '(?P<variable>[A-Z]+)'"), "keyerror: '");
        assert_eq!(texts("(?i)connection refused"), "connection refused");
        assert_eq!(texts("^(?:no such|missing) (?:file|module) named x"), " named x");
        assert_eq!(texts("(?:EADDRINUSE|address already in use)"), "eaddrinuse|address already in use");
        assert_eq!(texts(".*(?:abc|defg){2}"), "abc|defg");
        assert_eq!(texts("wor[kK]er"), "worker");
    }

    #[test]
    fn what_a_match_may_lack_is_not() {
        for pattern in ["(?:foobar)?", "(?:foobar)*x", "ab", "[a-z]+", "(?:foobar|x)", "", "("] {
            assert_eq!(texts(pattern), "", "{pattern}");
        }
        assert_eq!(texts("ba[rz] taken"), " taken");
        assert_eq!(texts("(?:x.*)?(?:port taken)"), "port taken");
    }
}
