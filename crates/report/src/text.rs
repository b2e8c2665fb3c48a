//! The door that every text passes on its way out, and the wrapping of lines.

use std::borrow::Cow;

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

/// Text on one line, safe to show: line breaks and tabs become spaces, other control characters and characters that
/// turn the direction of the text become visible marks.
pub(crate) fn clean(text: &str) -> Cow<'_, str> {
    filter(text, false)
}

/// The same for text of several lines: line feeds stay, a carriage return before one goes.
pub(crate) fn clean_block(text: &str) -> Cow<'_, str> {
    filter(text, true)
}

fn filter(text: &str, keep_lines: bool) -> Cow<'_, str> {
    if !text.chars().any(|c| is_unsafe(c) && !(keep_lines && c == '\n')) {
        return Cow::Borrowed(text);
    }
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '\r' if chars.peek() == Some(&'\n') => {}
            '\n' if keep_lines => out.push('\n'),
            '\n' | '\r' | '\t' => out.push(' '),
            // The Control Pictures block shows each C0 control at U+2400 plus its code, DEL at U+2421.
            '\0'..='\x1f' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
            '\x7f' => out.push('\u{2421}'),
            c if is_unsafe(c) => out.push('\u{fffd}'),
            c => out.push(c),
        }
    }
    Cow::Owned(out)
}

/// Whether a character can change how the rest of the text is shown: C0 and C1 controls (ECMA-48), the bidirectional
/// overrides and isolates (UAX #9), line and paragraph separators, the byte order mark, and
/// the noncharacters that XML 1.0 does not allow.
pub(crate) fn is_unsafe(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200e}' | '\u{200f}' | '\u{061c}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}' | '\u{fffe}' | '\u{ffff}')
}

/// Columns that a text takes on a terminal. Sequences that a terminal may or may not join count as their parts, so that
/// a line is never wider than this says.
pub(crate) fn columns(text: &str) -> usize {
    let parts: usize = text.chars().map(char_columns).sum();
    parts.max(text.width())
}

fn char_columns(c: char) -> usize {
    c.width().unwrap_or(1)
}

/// Breaks text into lines of at most `width` columns, at spaces where it can.
///
/// Control characters are made visible first. A word longer than a line is broken inside, except a URL, which stays
/// whole so that it can be copied. Never gives an empty list; a width below 2 counts as 2, the width of the widest
/// character.
pub fn wrap(text: &str, width: usize) -> Vec<String> {
    wrap_hanging(text, width, width)
}

/// The same with another width for the first line, which shares its row with a label.
pub(crate) fn wrap_hanging(text: &str, first: usize, rest: usize) -> Vec<String> {
    let text = clean(text);
    let (first, rest) = (first.max(2), rest.max(2));
    let mut lines = Vec::new();
    let mut line = String::new();
    let mut used = 0;
    for word in text.split(' ').filter(|w| !w.is_empty()) {
        let mut width = if lines.is_empty() { first } else { rest };
        let need = columns(word);
        let gap = usize::from(used > 0);
        if used > 0 && used + gap + need > width {
            lines.push(std::mem::take(&mut line));
            used = 0;
            width = rest;
        }
        if used > 0 {
            line.push(' ');
            used += 1;
        }
        if used + need <= width || is_url(word) {
            line.push_str(word);
            used += need;
            continue;
        }
        for c in word.chars() {
            let need = char_columns(c);
            if used > 0 && used + need > width {
                lines.push(std::mem::take(&mut line));
                used = 0;
                width = rest;
            }
            line.push(c);
            used += need;
        }
    }
    if !line.is_empty() || lines.is_empty() {
        lines.push(line);
    }
    lines
}

fn is_url(word: &str) -> bool {
    let word = word.trim_start_matches(['(', '"', '\'', '<', '[']);
    word.starts_with("https://") || word.starts_with("http://")
}

/// Shortens a text to a number of columns, with an ellipsis where something is left out.
pub(crate) fn shorten(text: &str, width: usize) -> String {
    let text = clean(text);
    if columns(&text) <= width {
        return text.into_owned();
    }
    let mut out = String::new();
    let mut used = 0;
    for c in text.chars() {
        let need = char_columns(c);
        if used + need + 1 > width {
            break;
        }
        out.push(c);
        used += need;
    }
    while out.ends_with(' ') {
        out.pop();
    }
    out.push('…');
    out
}

/// Text filled up with spaces to a number of columns.
pub(crate) fn pad(text: &str, width: usize) -> String {
    let mut out = text.to_owned();
    out.extend(std::iter::repeat_n(' ', width.saturating_sub(columns(text))));
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_become_visible() {
        assert_eq!(clean("a\x1b[31mb\r\nc\td\u{9b}2J\u{202e}x\x7f"), "a␛[31mb c d\u{fffd}2J\u{fffd}x␡");
        assert_eq!(clean_block("one\r\ntwo\x07\n"), "one\ntwo␇\n");
        assert!(matches!(clean("plain"), Cow::Borrowed(_)));
    }

    #[test]
    fn words_stay_whole_where_they_can() {
        assert_eq!(wrap("one two three", 7), ["one two", "three"]);
        assert_eq!(wrap("", 7), [""]);
        assert_eq!(wrap("abcdefghij kl", 4), ["abcd", "efgh", "ij", "kl"]);
        assert_eq!(
            wrap("see https://api.example.test/long now", 10),
            ["see", "https://api.example.test/long", "now"]
        );
        assert_eq!(wrap_hanging("aa bb cc dd", 2, 5), ["aa", "bb cc", "dd"]);
    }

    #[test]
    fn wide_characters_count_double() {
        assert_eq!(wrap("日本語日本", 4), ["日本", "語日", "本"]);
        assert_eq!(shorten("日本語", 5), "日本…");
        assert_eq!(pad("日", 4), "日  ");
    }

    proptest! {
        #[test]
        fn ordinary_text_never_passes_the_width(text in "[ -~äöüß–…日本語✓✗]{0,300}", width in 2usize..120) {
            prop_assume!(!text.contains("://"));
            for line in wrap(&text, width) {
                prop_assert!(columns(&line) <= width, "{line:?} is wider than {width}");
            }
        }

        #[test]
        fn wrapping_loses_nothing_but_spaces(text in "[ -~äöü日本]{0,200}", width in 2usize..60) {
            let kept: String = wrap(&text, width).concat().chars().filter(|c| *c != ' ').collect();
            let had: String = text.chars().filter(|c| *c != ' ').collect();
            prop_assert_eq!(kept, had);
        }

        #[test]
        fn any_text_is_survived_and_made_safe(text in any::<String>(), width in 0usize..90) {
            for line in wrap(&text, width) {
                prop_assert!(!line.chars().any(is_unsafe));
            }
            let short = shorten(&text, width);
            prop_assert!(columns(&short) <= width.max(1), "{:?}", short);
            prop_assert!(!clean_block(&text).chars().any(|c| c != '\n' && is_unsafe(c)));
        }
    }
}
