//! Source texts, read once, and the few things about their syntax that the readers share.
//!
//! This is not a parser. Comments and block strings are blanked out (bytes become spaces, so offsets and lines stay),
//! and the readers look for calls in what remains.

use std::sync::LazyLock;

use regex::Regex;

use crate::tree::{Tree, file_name, side_by_side};
use crate::words::Words;

/// All source text of one project together. More than this is generated.
const MAX_TOTAL_BYTE: u64 = 32 << 20;
/// Source files of one project.
const MAX_SOURCES: usize = 120_000;
/// The longest argument list that is looked at.
const MAX_CALL_BYTE: usize = 16 * 1024;

/// A language that we read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Language {
    Python,
    JavaScript,
    Rust,
    Go,
    Ruby,
    Php,
    Java,
    Kotlin,
    CSharp,
    Elixir,
}

impl Language {
    pub(crate) fn of(path: &str) -> Option<Self> {
        let name = file_name(path);
        let (_, extension) = name.rsplit_once('.')?;
        Some(match extension {
            "py" => Self::Python,
            "js" | "mjs" | "cjs" | "jsx" | "ts" | "mts" | "cts" | "tsx" => Self::JavaScript,
            "rs" => Self::Rust,
            "go" => Self::Go,
            "rb" | "ru" => Self::Ruby,
            "php" => Self::Php,
            "java" => Self::Java,
            "kt" | "kts" => Self::Kotlin,
            "cs" => Self::CSharp,
            "ex" | "exs" => Self::Elixir,
            _ => return None,
        })
    }
}

/// One source file.
#[derive(Debug)]
pub(crate) struct Source {
    pub(crate) path: String,
    pub(crate) language: Language,
    /// The text with comments and block strings blanked out.
    pub(crate) code: String,
    /// Which words of the readers stand in it.
    words: Words,
    /// Whether the file is a pointer of Git LFS in the place of a source.
    pub(crate) is_pointer: bool,
}

/// How a pointer begins (git-lfs specification, docs/spec.md, "The Pointer").
pub(crate) const POINTER: &str = "version https://git-lfs.github.com/spec/";

impl Source {
    pub(crate) fn new(path: &str, language: Language, text: &str) -> Self {
        let code = blank(text, language);
        let words = Words::of_text(&code);
        Self { path: path.to_owned(), language, code, words, is_pointer: text.starts_with(POINTER) }
    }

    /// Whether one of these words stands in the code, in any case.
    pub(crate) fn says(&self, words: Words) -> bool {
        self.words.meets(words)
    }

    /// `file:line` of an offset.
    pub(crate) fn place(&self, offset: usize) -> String {
        format!("{}:{}", self.path, self.line(offset))
    }

    /// The line of an offset, from 1.
    pub(crate) fn line(&self, offset: usize) -> usize {
        self.code.as_bytes()[..offset.min(self.code.len())].iter().filter(|&&b| b == b'\n').count() + 1
    }

    /// The arguments of the call whose opening bracket is at `open`, split at top-level commas.
    /// `None` when the bracket does not close within a sensible length.
    pub(crate) fn arguments(&self, open: usize) -> Option<Vec<&str>> {
        let inner = bracketed(&self.code, open)?;
        Some(split_top(inner))
    }
}

/// The project's own sources, tests left out, in the order of the walk. Files that could not be read are named in
/// `unread`. The texts are read and blanked on as many threads as there are processors: in a large tree this is most of
/// the work.
pub(crate) fn load(tree: &Tree, unread: &mut Vec<String>) -> Vec<Source> {
    let mut wanted: Vec<(&str, Language)> = Vec::new();
    let mut total = 0;
    for file in tree.files.iter().filter(|f| !f.ignored) {
        let Some(language) = Language::of(&file.path).filter(|_| !is_test(&file.path)) else { continue };
        total += file.size_byte;
        if total > MAX_TOTAL_BYTE {
            unread.push(format!("{} and later sources: more than 32 MiB of source text", file.path));
            break;
        }
        if wanted.len() == MAX_SOURCES {
            unread.push(format!("{} and later sources: more than {MAX_SOURCES} source files", file.path));
            break;
        }
        wanted.push((&file.path, language));
    }
    let read = side_by_side(&wanted, |(path, language)| {
        Some(tree.text(path)?.map(|text| Source::new(path, *language, &text)))
    });
    let mut sources = Vec::with_capacity(wanted.len());
    for one in read.into_iter().flatten() {
        match one {
            Ok(source) => sources.push(source),
            Err(reason) => unread.push(reason),
        }
    }
    sources
}

/// Whether a path is that of a test, by the usual conventions of its language.
pub(crate) fn is_test(path: &str) -> bool {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^(?:test_.*\.py|.*_test\.(?:py|go|rb)|.*_spec\.rb|conftest\.py|.*Tests?\.(?:java|kt|cs|php)|.*_test\.exs|.*\.(?:test|spec)\.[cm]?[jt]sx?)$")
            .expect("the pattern is a constant and covered by tests")
    });
    let mut folders = path.split('/').rev();
    let name = folders.next().unwrap_or_default();
    NAME.is_match(name) || folders.any(|f| matches!(f, "tests" | "test" | "__tests__" | "spec" | "testing"))
}

/// The text with comments (and Python's block strings) replaced by spaces, line ends kept.
fn blank(text: &str, language: Language) -> String {
    let bytes = text.as_bytes();
    let mut out = bytes.to_vec();
    let hash_comments = matches!(language, Language::Python | Language::Ruby | Language::Elixir);
    let block_strings = matches!(language, Language::Python | Language::Elixir);
    let mut i = 0;
    let clear = |out: &mut [u8], from: usize, to: usize| {
        for byte in &mut out[from..to] {
            if *byte != b'\n' {
                *byte = b' ';
            }
        }
    };
    let find = |needle: &[u8], from: usize| {
        bytes[from..]
            .windows(needle.len())
            .position(|w| w == needle)
            .map_or(bytes.len(), |at| from + at + needle.len())
    };
    let line_end =
        |from: usize| bytes[from..].iter().position(|&b| b == b'\n').map_or(bytes.len(), |at| from + at);
    while i < bytes.len() {
        match bytes[i] {
            // `#[…]` is an attribute in PHP.
            b'#' if hash_comments || (language == Language::Php && bytes.get(i + 1) != Some(&b'[')) => {
                let end = line_end(i);
                clear(&mut out, i, end);
                i = end;
            }
            b'/' if !hash_comments && bytes.get(i + 1) == Some(&b'/') => {
                let end = line_end(i);
                clear(&mut out, i, end);
                i = end;
            }
            b'/' if !hash_comments && bytes.get(i + 1) == Some(&b'*') => {
                let end = find(b"*/", i + 2);
                clear(&mut out, i, end);
                i = end;
            }
            quote @ (b'"' | b'\'') if block_strings && bytes[i..].starts_with(&[quote; 3]) => {
                let end = find(&[quote; 3], i + 3);
                clear(&mut out, i, end);
                i = end;
            }
            // Rust's lifetimes and character literals use the same mark; neither can hide a comment for long.
            b'\'' if language == Language::Rust => i += 1,
            // `http://…` in a template or raw string is no comment.
            b'`' if matches!(language, Language::JavaScript | Language::Go) => i = string_end(bytes, i, b'`'),
            quote @ (b'"' | b'\'') => i = string_end(bytes, i, quote),
            _ => i += 1,
        }
    }
    String::from_utf8(out)
        .expect("every byte of a blanked character becomes a space, so the text stays UTF-8")
}

/// The offset after a quoted string that begins at `start`; an unclosed one ends with its line.
pub(crate) fn string_end(bytes: &[u8], start: usize, quote: u8) -> usize {
    let mut i = start + 1;
    while i < bytes.len() {
        match bytes[i] {
            b'\\' => i += 2,
            b'\n' => return i,
            b if b == quote => return i + 1,
            _ => i += 1,
        }
    }
    bytes.len()
}

/// The text between the bracket at `open` and its partner.
pub(crate) fn bracketed(code: &str, open: usize) -> Option<&str> {
    let bytes = code.as_bytes();
    let mut depth = 0_usize;
    let mut i = open;
    while i < bytes.len() && i - open <= MAX_CALL_BYTE {
        match bytes[i] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => {
                depth = depth.checked_sub(1)?;
                if depth == 0 {
                    return code.get(open + 1..i);
                }
            }
            quote @ (b'"' | b'\'' | b'`') => {
                i = string_end(bytes, i, quote);
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    None
}

/// Splits at commas that are inside no bracket and no string; empty pieces are dropped.
pub(crate) fn split_top(text: &str) -> Vec<&str> {
    let bytes = text.as_bytes();
    let mut pieces = Vec::new();
    let (mut depth, mut start, mut i) = (0_i32, 0, 0);
    while i < bytes.len() {
        match bytes[i] {
            b'(' | b'[' | b'{' => depth += 1,
            b')' | b']' | b'}' => depth -= 1,
            quote @ (b'"' | b'\'' | b'`') => {
                i = string_end(bytes, i, quote);
                continue;
            }
            b',' if depth == 0 => {
                pieces.push(&text[start..i]);
                start = i + 1;
            }
            _ => {}
        }
        i += 1;
    }
    pieces.push(&text[start..]);
    pieces.into_iter().map(str::trim).filter(|piece| !piece.is_empty()).collect()
}

/// The value of a string literal, when the text is one and nothing else. Prefixes `r` and `u` are accepted; `f` is not,
/// since its value is not in the text.
pub(crate) fn literal(text: &str) -> Option<&str> {
    let text = text.trim();
    let text =
        text.strip_prefix(['r', 'u', 'R', 'U']).filter(|rest| rest.starts_with(['"', '\''])).unwrap_or(text);
    let quote = text.chars().next().filter(|c| matches!(c, '"' | '\'' | '`'))?;
    let inner = text.strip_prefix(quote)?.strip_suffix(quote)?;
    (!inner.contains(quote) && !inner.contains('\n')).then_some(inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_block_strings_vanish_and_places_stay() {
        let source = Source::new(
            "a.py",
            Language::Python,
            "\"\"\"os.environ['DOC']\n\"\"\"\n# x['NO']\na = '# kept' # é gone\nb",
        );
        assert_eq!(source.code.trim_start(), "a = '# kept'          \nb");
        assert_eq!(source.place(source.code.find("b").unwrap()), "a.py:5");
        let js = Source::new("a.js", Language::JavaScript, "x('http://h') // y\n/* z\n */ w");
        assert_eq!(js.code.split_whitespace().collect::<Vec<_>>(), ["x('http://h')", "w"]);
    }

    #[test]
    fn arguments_are_split_at_the_top_level_only() {
        let source = Source::new("a.py", Language::Python, "f('a,b', methods=['GET', 'POST'], x=(1, 2))");
        let arguments = source.arguments(1).unwrap();
        assert_eq!(arguments, ["'a,b'", "methods=['GET', 'POST']", "x=(1, 2)"]);
        assert_eq!(literal(arguments[0]), Some("a,b"));
        assert_eq!(literal("f'/x/{y}'"), None);
        assert!(Source::new("a.py", Language::Python, "f(((").arguments(1).is_none());
    }

    #[test]
    fn tests_are_told_by_folder_or_name() {
        for path in ["tests/a.py", "a/test_b.py", "src/x.test.ts", "pkg/a_test.go", "conftest.py"] {
            assert!(is_test(path), "{path}");
        }
        for path in ["run.py", "backend/latest/a.py", "src/testimonials.ts"] {
            assert!(!is_test(path), "{path}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_text_keeps_its_length_and_lines(text in "(?s).{0,300}") {
            for language in [Language::Python, Language::JavaScript, Language::Rust] {
                let source = Source::new("x", language, &text);
                proptest::prop_assert_eq!(source.code.len(), text.len());
                proptest::prop_assert_eq!(source.code.matches('\n').count(), text.matches('\n').count());
                for (open, _) in source.code.match_indices('(') {
                    let _ = source.arguments(open);
                }
            }
        }
    }
}
