//! Lists of structured fields (RFC 9651, section 4.2).

/// A member of a list with its parameters, in order. A parameter that is named twice counts by its last value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Item {
    /// The member's own value.
    pub value: Bare,
    /// Parameters: key and value. A key without a value is [`Bare::Boolean`] true.
    pub parameters: Vec<(String, Bare)>,
}

/// A bare item (RFC 9651, section 3.3).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Bare {
    /// An integer of at most 15 digits.
    Integer(i64),
    /// A decimal, as written: nothing here computes with one.
    Decimal(String),
    /// A string, its escapes undone.
    String(String),
    /// A token.
    Token(String),
    /// A byte sequence, as written between the colons.
    Bytes(String),
    /// A boolean.
    Boolean(bool),
    /// A date, in seconds since 1970.
    Date(i64),
    /// A display string, its percent signs left as written.
    Display(String),
}

impl Bare {
    /// The text of a string or token.
    pub fn text(&self) -> Option<&str> {
        match self {
            Self::String(text) | Self::Token(text) => Some(text),
            _ => None,
        }
    }

    /// The value of an integer.
    pub fn integer(&self) -> Option<i64> {
        match self {
            Self::Integer(value) => Some(*value),
            _ => None,
        }
    }
}

impl Item {
    /// A parameter by its key.
    pub fn parameter(&self, key: &str) -> Option<&Bare> {
        self.parameters.iter().rev().find(|(k, _)| k == key).map(|(_, value)| value)
    }

    /// Whether a parameter is there and true.
    pub fn is_true(&self, key: &str) -> bool {
        self.parameter(key) == Some(&Bare::Boolean(true))
    }
}

/// Reads a list of items. `None` when the field is not one: the standard has it ignored as a whole then (section 4.2). An
/// inner list is refused too, for no field that is read here has any.
pub fn list(field: &str) -> Option<Vec<Item>> {
    let mut input = Input(field.as_bytes());
    let mut items = Vec::new();
    input.skip(b" ");
    if input.0.is_empty() {
        return Some(items);
    }
    loop {
        items.push(input.item()?);
        input.skip(b" \t");
        match input.next() {
            None => return Some(items),
            Some(b',') => {}
            Some(_) => return None,
        }
        input.skip(b" \t");
        // A comma at the end has no member behind it.
        if input.0.is_empty() {
            return None;
        }
    }
}

struct Input<'a>(&'a [u8]);

impl<'a> Input<'a> {
    fn peek(&self) -> Option<u8> {
        self.0.first().copied()
    }

    fn next(&mut self) -> Option<u8> {
        let (first, rest) = self.0.split_first()?;
        self.0 = rest;
        Some(*first)
    }

    fn skip(&mut self, these: &[u8]) {
        while self.peek().is_some_and(|b| these.contains(&b)) {
            self.0 = &self.0[1..];
        }
    }

    fn while_(&mut self, is_part: impl Fn(u8) -> bool) -> &'a [u8] {
        let end = self.0.iter().position(|b| !is_part(*b)).unwrap_or(self.0.len());
        let (taken, rest) = self.0.split_at(end);
        self.0 = rest;
        taken
    }

    fn item(&mut self) -> Option<Item> {
        let value = self.bare()?;
        let mut parameters: Vec<(String, Bare)> = Vec::new();
        while self.peek() == Some(b';') {
            self.next();
            self.skip(b" ");
            let key = self.key()?;
            let value = if self.peek() == Some(b'=') {
                self.next();
                self.bare()?
            } else {
                Bare::Boolean(true)
            };
            parameters.push((key, value));
        }
        Some(Item { value, parameters })
    }

    fn key(&mut self) -> Option<String> {
        if !self.peek().is_some_and(|b| b.is_ascii_lowercase() || b == b'*') {
            return None;
        }
        let key = self.while_(|b| {
            b.is_ascii_lowercase() || b.is_ascii_digit() || matches!(b, b'_' | b'-' | b'.' | b'*')
        });
        Some(String::from_utf8_lossy(key).into_owned())
    }

    fn bare(&mut self) -> Option<Bare> {
        match self.peek()? {
            b'-' | b'0'..=b'9' => self.number(),
            b'"' => self.string().map(Bare::String),
            b'?' => {
                self.next();
                match self.next()? {
                    b'0' => Some(Bare::Boolean(false)),
                    b'1' => Some(Bare::Boolean(true)),
                    _ => None,
                }
            }
            b'@' => {
                self.next();
                match self.number()? {
                    Bare::Integer(at) => Some(Bare::Date(at)),
                    _ => None,
                }
            }
            b':' => {
                self.next();
                let inside = self.while_(|b| b.is_ascii_alphanumeric() || matches!(b, b'+' | b'/' | b'='));
                (self.next()? == b':').then(|| Bare::Bytes(String::from_utf8_lossy(inside).into_owned()))
            }
            b'%' => {
                self.next();
                self.string().map(Bare::Display)
            }
            b'*' | b'A'..=b'Z' | b'a'..=b'z' => {
                let token = self.while_(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~:/".contains(&b));
                Some(Bare::Token(String::from_utf8_lossy(token).into_owned()))
            }
            _ => None,
        }
    }

    /// At most 15 digits for an integer; 12 before and 3 after the point for a decimal (section 4.2.4).
    fn number(&mut self) -> Option<Bare> {
        let sign = if self.peek() == Some(b'-') {
            self.next();
            "-"
        } else {
            ""
        };
        let digits = self.while_(|b| b.is_ascii_digit());
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        if digits.is_empty() {
            return None;
        }
        if self.peek() == Some(b'.') {
            self.next();
            let fraction = self.while_(|b| b.is_ascii_digit());
            let fits = digits.len() <= 12 && (1..=3).contains(&fraction.len());
            return fits.then(|| Bare::Decimal(format!("{sign}{}.{}", text(digits), text(fraction))));
        }
        if digits.len() > 15 {
            return None;
        }
        format!("{sign}{}", text(digits)).parse().ok().map(Bare::Integer)
    }

    fn string(&mut self) -> Option<String> {
        if self.next()? != b'"' {
            return None;
        }
        let mut out = Vec::new();
        loop {
            match self.next()? {
                b'"' => return Some(String::from_utf8_lossy(&out).into_owned()),
                b'\\' => match self.next()? {
                    escaped @ (b'"' | b'\\') => out.push(escaped),
                    _ => return None,
                },
                plain @ 0x20..=0x7e => out.push(plain),
                _ => return None,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_are_read_as_the_standard_has_them() {
        let found =
            list("ExampleCache; hit; ttl=376, \"a \\\"b\\\"\";x=?0;y=-1.5 ,:aGk=:, @1659578233, %\"f%c3\"")
                .expect("a list");
        assert_eq!(found.len(), 5);
        assert_eq!(found[0].value, Bare::Token("ExampleCache".into()));
        assert!(found[0].is_true("hit"));
        assert_eq!(found[0].parameter("ttl").and_then(Bare::integer), Some(376));
        assert_eq!(found[1].value.text(), Some("a \"b\""));
        assert_eq!(found[1].parameter("x"), Some(&Bare::Boolean(false)));
        assert_eq!(found[1].parameter("y"), Some(&Bare::Decimal("-1.5".into())));
        assert_eq!(found[2].value, Bare::Bytes("aGk=".into()));
        assert_eq!(found[3].value, Bare::Date(1_659_578_233));
        assert_eq!(list(""), Some(Vec::new()));
        assert_eq!(
            list("a;x=1;x=2").expect("a list")[0].parameter("x"),
            Some(&Bare::Integer(2)),
            "the last counts"
        );
    }

    #[test]
    fn what_is_no_list_is_refused_as_a_whole() {
        for wrong in [
            "a,",
            ",a",
            "a b",
            "a;",
            "a;X=1",
            "a;x=",
            "\"open",
            "\"bad\\escape\"",
            "?2",
            "-",
            "1.",
            "1.2345",
            "1234567890123456",
            "1234567890123.1",
            "@1.5",
            ":open",
            "(a b)",
            "é",
            "%x",
            "a;x=\u{7f}",
            "\u{0}",
        ] {
            assert_eq!(list(wrong), None, "{wrong:?}");
        }
    }
}
