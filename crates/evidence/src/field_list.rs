//! The lists that field values are made of.

/// The parts of a field value between separators, such as the elements of a list (RFC 9110 section 5.6.1) or the parameters of
/// one element (section 5.6.6), as written, white space and empty parts with them.
///
/// A separator inside a quoted string is part of it, and so is the character behind a backslash there (quoted-pair, section
/// 5.6.4). `None` when a quoted string is not closed: where it was to end cannot be known, so no part of such a value means
/// anything (RFC 9651 section 4.2 has a value that fails to parse ignored as a whole).
pub fn split_unquoted(value: &str, separator: char) -> Option<Vec<&str>> {
    let (mut parts, mut from, mut quoted, mut escaped) = (Vec::new(), 0, false, false);
    for (at, c) in value.char_indices() {
        match c {
            _ if escaped => escaped = false,
            '\\' if quoted => escaped = true,
            '"' => quoted = !quoted,
            c if c == separator && !quoted => {
                parts.push(&value[from..at]);
                from = at + c.len_utf8();
            }
            _ => {}
        }
    }
    parts.push(&value[from..]);
    (!quoted).then_some(parts)
}

#[cfg(test)]
mod tests {
    use super::split_unquoted;

    #[test]
    fn separators_count_outside_quoted_strings() {
        for (value, parts) in [
            ("", vec![""]),
            ("a", vec!["a"]),
            (" a ,,b", vec![" a ", "", "b"]),
            ("a,", vec!["a", ""]),
            (r#""a,b", c"#, vec![r#""a,b""#, " c"]),
            (r#""a\",b",c"#, vec![r#""a\",b""#, "c"]),
            (r#""a\\",c"#, vec![r#""a\\""#, "c"]),
            // Outside a quoted string a backslash is a character like others.
            (r"a\,b", vec![r"a\", "b"]),
            ("ä,\"ö,\"", vec!["ä", "\"ö,\""]),
        ] {
            assert_eq!(split_unquoted(value, ','), Some(parts), "{value}");
        }
        assert_eq!(split_unquoted("a;b,c", ';'), Some(vec!["a", "b,c"]));
    }

    #[test]
    fn a_quoted_string_that_is_not_closed_spoils_the_value() {
        for value in ["\"", "a,\"b", "\"a\", \"", r#""a\""#, "a\"b,c"] {
            assert_eq!(split_unquoted(value, ','), None, "{value}");
        }
    }
}
