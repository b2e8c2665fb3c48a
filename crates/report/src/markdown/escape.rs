//! Foreign text inside Markdown (CommonMark 0.31 with the tables of GitHub Flavored Markdown).

use std::borrow::Cow;

use crate::text::{clean, clean_block};

/// Text on one line that shows as it is: nothing in it opens a tag, an emphasis, a link, a code span, a table cell or a
/// formula. What would open a block at the start of a line is the affair of [`line_start`].
pub(super) fn text(raw: &str) -> String {
    let raw = clean(raw);
    let raw = raw.trim();
    let mut out = String::with_capacity(raw.len() + 8);
    let mut before = None;
    let mut chars = raw.chars().peekable();
    while let Some(c) = chars.next() {
        let after = chars.peek().copied();
        let word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
        match c {
            '<' => out.push_str("&lt;"),
            '&' if after.is_some_and(|c| c.is_ascii_alphanumeric() || c == '#') => out.push_str("&amp;"),
            '\\' | '`' | '*' | '[' | ']' | '|' | '~' | '$' => out.extend(['\\', c]),
            // Between letters an underscore is no emphasis, and names read better bare.
            '_' if !(word(before) && word(after)) => out.extend(['\\', c]),
            c => out.push(c),
        }
        before = Some(c);
    }
    out
}

/// Markdown of one line that begins no list, heading, quotation or rule where it is put at the start of a line.
pub(super) fn line_start(markdown: &str) -> Cow<'_, str> {
    let ends = |rest: &str| rest.is_empty() || rest.starts_with(' ');
    let hashes = markdown.len() - markdown.trim_start_matches('#').len();
    let digits = markdown.len() - markdown.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let opens = match markdown.chars().next() {
        Some('-' | '+') => ends(&markdown[1..]) || markdown[1..].starts_with('-'),
        Some('#') => ends(&markdown[hashes..]),
        Some('>' | '=') => true,
        _ => false,
    };
    if opens {
        return Cow::Owned(format!("\\{markdown}"));
    }
    let (number, rest) = markdown.split_at(digits);
    if digits > 0 && rest.starts_with(['.', ')']) && ends(&rest[1..]) {
        return Cow::Owned(format!("{number}\\{rest}"));
    }
    Cow::Borrowed(markdown)
}

/// Text behind a heading's marks.
pub(super) fn heading(raw: &str) -> String {
    let text = text(raw);
    // A run of hashes at the end of a heading is not part of it (CommonMark, section 4.2).
    match text.strip_suffix('#') {
        Some(rest) => format!("{rest}\\#"),
        None => text,
    }
}

/// A code span with exactly this text on one line. Safe inside a table cell.
pub(super) fn code(raw: &str) -> String {
    let raw = clean(raw);
    let raw = raw.trim();
    if raw.is_empty() {
        return "(empty)".to_owned();
    }
    let fence = "`".repeat(longest_run(raw, '`') + 1);
    // One space on either side is taken off again (CommonMark, section 6.1).
    let gap = if raw.starts_with('`') || raw.ends_with('`') { " " } else { "" };
    // A table is cut into cells before code spans are seen, so the pipe is escaped there too (GFM, section 4.10); outside
    // a table the backslash would show, so a pipe turns the span into plain text.
    if raw.contains('|') {
        return text(raw);
    }
    format!("{fence}{gap}{raw}{gap}{fence}")
}

/// A fenced block with this text.
pub(super) fn block(language: &str, raw: &str) -> String {
    let raw = clean_block(raw);
    let raw = raw.trim_end_matches('\n');
    let fence = "`".repeat((longest_run(raw, '`') + 1).max(3));
    format!("{fence}{language}\n{raw}\n{fence}\n")
}

fn longest_run(text: &str, wanted: char) -> usize {
    let mut longest = 0;
    let mut run = 0;
    for c in text.chars() {
        run = if c == wanted { run + 1 } else { 0 };
        longest = longest.max(run);
    }
    longest
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser};

    use super::*;

    /// The text that a reader sees, and whether anything but one paragraph of text came out.
    fn seen(markdown: &str) -> (String, bool) {
        let mut shown = String::new();
        let mut plain = true;
        for event in Parser::new_ext(markdown, Options::all()) {
            match event {
                Event::Text(text) => shown.push_str(&text),
                Event::Code(text) => shown.push_str(&text),
                Event::Start(pulldown_cmark::Tag::Paragraph)
                | Event::End(pulldown_cmark::TagEnd::Paragraph) => {}
                _ => plain = false,
            }
        }
        (shown, plain)
    }

    #[test]
    fn names_stay_readable() {
        assert_eq!(text("openai_configured is true"), "openai_configured is true");
        assert_eq!(text("a | b"), "a \\| b");
        assert_eq!(line_start("1. first"), "1\\. first");
        assert_eq!(line_start("3.11 and -2 dB"), "3.11 and -2 dB");
        assert_eq!(line_start("-2 dB"), "-2 dB");
        assert_eq!(line_start("- item"), "\\- item");
        assert_eq!(line_start("--- "), "\\--- ");
        assert_eq!(heading("C #"), "C \\#");
        assert_eq!(code("a`b"), "``a`b``");
        assert_eq!(code(""), "(empty)");
        assert_eq!(block("", "```\nx"), "````\n```\nx\n````\n");
    }

    proptest! {
        // Only characters with a meaning in Markdown, to make trouble likely.
        #[test]
        fn text_shows_as_it_is(raw in "[a`*_\\[\\]()<>&#!|~$+=.:0-9\\\\ -]{1,40}") {
            let raw = raw.split_whitespace().collect::<Vec<_>>().join(" ");
            prop_assume!(!raw.is_empty());
            let (shown, plain) = seen(&line_start(&text(&raw)));
            prop_assert!(plain, "{:?} became more than text: {:?}", raw, text(&raw));
            // Smart punctuation is an option of the parser, not a way out.
            prop_assert_eq!(fold(&shown), fold(&raw));
        }

        #[test]
        fn a_block_ends_where_it_should(raw in "[a`~ \n]{0,60}") {
            let blocks = Parser::new(&format!("{}\nafter\n", block("", &raw))).filter(|e| matches!(e, Event::Start(pulldown_cmark::Tag::CodeBlock(_)))).count();
            prop_assert_eq!(blocks, 1);
        }
    }

    fn fold(text: &str) -> String {
        text.chars()
            .filter_map(|c| match c {
                '–' | '—' | '-' => None,
                '…' | '.' => None,
                '‘' | '’' | '“' | '”' => Some('"'),
                c => Some(c),
            })
            .collect()
    }
}
