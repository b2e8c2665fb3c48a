//! Assertions: how they are written, and whether they hold.

use std::borrow::Cow;
use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};

use landfall_evidence::redact_text;
use regex::{Regex, RegexBuilder};
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;
use serde_json_path::JsonPath;

use crate::model::{Assertion, Comparison};

/// The compiled form of one regular expression, in bytes at most: enough for anything that a person writes.
const REGEX_BYTE: usize = 256 * 1024;

/// An assertion as it is written: one flat table, of which each kind uses some keys.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Written {
    on: On,
    #[serde(default, deserialize_with = "codes", skip_serializing_if = "Option::is_none")]
    any_of: Option<Vec<String>>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    path: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    header: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    expect: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    max_ms: Option<u32>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    equals: Option<String>,
    #[serde(default, rename = "not-equals", skip_serializing_if = "Option::is_none")]
    not_equals: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    contains: Option<String>,
    #[serde(default, rename = "not-contains", skip_serializing_if = "Option::is_none")]
    not_contains: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    matches: Option<String>,
    #[serde(default, rename = "not-matches", skip_serializing_if = "Option::is_none")]
    not_matches: Option<String>,
    #[serde(default, rename = "at-least", skip_serializing_if = "Option::is_none")]
    at_least: Option<f64>,
    #[serde(default, rename = "at-most", skip_serializing_if = "Option::is_none")]
    at_most: Option<f64>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    exists: Option<bool>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum On {
    #[default]
    Status,
    Header,
    Body,
    Json,
    Time,
    Version,
}

/// Status codes may be written as numbers too.
fn codes<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Vec<String>>, D::Error> {
    #[derive(Deserialize)]
    #[serde(untagged, expecting = "a status code or a range of them, like \"200-299\"")]
    enum Code {
        Number(u16),
        Text(String),
    }
    let codes: Vec<Code> = Vec::deserialize(from)?;
    let text = |code| match code {
        Code::Number(number) => number.to_string(),
        Code::Text(text) => text,
    };
    Ok(Some(codes.into_iter().map(text).collect()))
}

impl Written {
    /// Takes the one comparison out.
    fn comparison(&mut self) -> Result<Comparison, String> {
        let mut all = Vec::new();
        all.extend(self.equals.take().map(Comparison::Equals));
        all.extend(self.not_equals.take().map(Comparison::NotEquals));
        all.extend(self.contains.take().map(Comparison::Contains));
        all.extend(self.not_contains.take().map(Comparison::NotContains));
        all.extend(self.matches.take().map(Comparison::Matches));
        all.extend(self.not_matches.take().map(Comparison::NotMatches));
        all.extend(self.at_least.take().map(Comparison::AtLeast));
        all.extend(self.at_most.take().map(Comparison::AtMost));
        all.extend(self.exists.take().map(Comparison::Exists));
        match (all.pop(), all.is_empty()) {
            (Some(one), true) => Ok(one),
            (None, _) => {
                Err("an assertion on a value needs a comparison: one of equals, not-equals, contains, \
                              not-contains, matches, not-matches, at-least, at-most, exists"
                    .into())
            }
            (Some(_), false) => {
                Err("an assertion has one comparison; write a second assertion for the second".into())
            }
        }
    }

    fn set(&mut self, is: Comparison) {
        match is {
            Comparison::Equals(text) => self.equals = Some(text),
            Comparison::NotEquals(text) => self.not_equals = Some(text),
            Comparison::Contains(text) => self.contains = Some(text),
            Comparison::NotContains(text) => self.not_contains = Some(text),
            Comparison::Matches(text) => self.matches = Some(text),
            Comparison::NotMatches(text) => self.not_matches = Some(text),
            Comparison::AtLeast(number) => self.at_least = Some(number),
            Comparison::AtMost(number) => self.at_most = Some(number),
            Comparison::Exists(there) => self.exists = Some(there),
        }
    }

    /// What is left over after a kind has taken its keys.
    fn left(&self) -> Option<&'static str> {
        [
            ("any_of", self.any_of.is_some()),
            ("name", self.name.is_some()),
            ("path", self.path.is_some()),
            ("header", self.header.is_some()),
            ("expect", self.expect.is_some()),
            ("max_ms", self.max_ms.is_some()),
            ("equals", self.equals.is_some()),
            ("not-equals", self.not_equals.is_some()),
            ("contains", self.contains.is_some()),
            ("not-contains", self.not_contains.is_some()),
            ("matches", self.matches.is_some()),
            ("not-matches", self.not_matches.is_some()),
            ("at-least", self.at_least.is_some()),
            ("at-most", self.at_most.is_some()),
            ("exists", self.exists.is_some()),
        ]
        .into_iter()
        .find_map(|(key, there)| there.then_some(key))
    }
}

impl TryFrom<Written> for Assertion {
    type Error = String;

    fn try_from(mut written: Written) -> Result<Self, String> {
        let missing = |key: &str, on: &str| format!("an assertion on {on} needs `{key}`");
        let (on, assertion) = match written.on {
            On::Status => {
                let any_of = written.any_of.take().ok_or_else(|| missing("any_of", "the status"))?;
                ("the status", Self::Status { any_of })
            }
            On::Header => {
                let name = written.name.take().ok_or_else(|| missing("name", "a header"))?;
                ("a header", Self::Header { name, is: written.comparison()? })
            }
            On::Body => ("the body", Self::Body { is: written.comparison()? }),
            On::Json => {
                let path = written.path.take().ok_or_else(|| missing("path", "JSON"))?;
                ("JSON", Self::Json { path, is: written.comparison()? })
            }
            On::Time => (
                "the time",
                Self::Time { max_ms: written.max_ms.take().ok_or_else(|| missing("max_ms", "the time"))? },
            ),
            On::Version => {
                let (header, path) = (written.header.take(), written.path.take());
                ("the version", Self::Version { header, path, expect: written.expect.take() })
            }
        };
        match written.left() {
            Some(key) => Err(format!("an assertion on {on} has no key `{key}`")),
            None => Ok(assertion),
        }
    }
}

impl From<Assertion> for Written {
    fn from(assertion: Assertion) -> Self {
        let mut written = Self::default();
        match assertion {
            Assertion::Status { any_of } => written.any_of = Some(any_of),
            Assertion::Header { name, is } => {
                (written.on, written.name) = (On::Header, Some(name));
                written.set(is);
            }
            Assertion::Body { is } => {
                written.on = On::Body;
                written.set(is);
            }
            Assertion::Json { path, is } => {
                (written.on, written.path) = (On::Json, Some(path));
                written.set(is);
            }
            Assertion::Time { max_ms } => (written.on, written.max_ms) = (On::Time, Some(max_ms)),
            Assertion::Version { header, path, expect } => {
                written.on = On::Version;
                (written.header, written.path, written.expect) = (header, path, expect);
            }
        }
        written
    }
}

/// The codes that one entry of `any_of` names.
///
/// # Errors
/// What would be right.
pub(crate) fn codes_of(entry: &str) -> Result<(u16, u16), String> {
    let code = |text: &str| text.trim().parse::<u16>().ok().filter(|code| (100..=599).contains(code));
    let range = match entry.split_once('-') {
        Some((from, to)) => code(from).zip(code(to)),
        // "2xx" is what people write.
        None => {
            match entry.trim().to_ascii_lowercase().strip_suffix("xx").and_then(|c| c.parse::<u16>().ok()) {
                Some(class @ 1..=5) => Some((class * 100, class * 100 + 99)),
                _ => code(entry).map(|code| (code, code)),
            }
        }
    };
    range.filter(|(from, to)| from <= to).ok_or_else(|| {
        format!("{entry:?} is not a status code from 100 to 599, a range like \"200-299\", or a class like \"2xx\"")
    })
}

/// Compiles a regular expression within its bound.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn compile_regex(text: &str) -> Result<Regex, String> {
    RegexBuilder::new(text)
        .size_limit(REGEX_BYTE)
        .build()
        .map_err(|error| format!("the regular expression cannot be used: {error}"))
}

/// Compiles a JSONPath (RFC 9535).
///
/// # Errors
/// What is wrong with it.
pub(crate) fn compile_path(text: &str) -> Result<JsonPath, String> {
    JsonPath::parse(text).map_err(|error| format!("{text:?} is not a JSONPath (RFC 9535): {error}"))
}

/// Patterns that are compiled already; they come back with every check.
#[derive(Debug, Default)]
pub(crate) struct Patterns {
    regexes: Mutex<HashMap<String, Arc<Regex>>>,
    paths: Mutex<HashMap<String, Arc<JsonPath>>>,
}

/// Patterns that are kept of each kind.
const KEPT: usize = 4096;

fn kept<T>(
    all: &Mutex<HashMap<String, Arc<T>>>,
    text: &str,
    compile: impl Fn(&str) -> Result<T, String>,
) -> Result<Arc<T>, String> {
    if let Some(known) = all.lock().unwrap_or_else(PoisonError::into_inner).get(text) {
        return Ok(Arc::clone(known));
    }
    let fresh = Arc::new(compile(text)?);
    let mut all = all.lock().unwrap_or_else(PoisonError::into_inner);
    if all.len() >= KEPT {
        all.clear();
    }
    all.insert(text.to_owned(), Arc::clone(&fresh));
    Ok(fresh)
}

impl Patterns {
    fn regex(&self, text: &str) -> Result<Arc<Regex>, String> {
        kept(&self.regexes, text, compile_regex)
    }

    pub(crate) fn path(&self, text: &str) -> Result<Arc<JsonPath>, String> {
        kept(&self.paths, text, compile_path)
    }

    /// Whether a comparison holds of the values of one thing; none when it is not there.
    ///
    /// # Errors
    /// When the pattern cannot be compiled, which validation should have refused.
    pub(crate) fn holds(&self, is: &Comparison, values: &[Cow<'_, str>]) -> Result<bool, String> {
        let number = |text: &Cow<'_, str>| text.trim().parse::<f64>().ok();
        Ok(match is {
            Comparison::Equals(want) => values.iter().any(|value| value == want),
            Comparison::NotEquals(want) => values.iter().all(|value| value != want),
            Comparison::Contains(want) => values.iter().any(|value| value.contains(want.as_str())),
            Comparison::NotContains(want) => values.iter().all(|value| !value.contains(want.as_str())),
            Comparison::Matches(pattern) => {
                let pattern = self.regex(pattern)?;
                values.iter().any(|value| pattern.is_match(value))
            }
            Comparison::NotMatches(pattern) => {
                let pattern = self.regex(pattern)?;
                values.iter().all(|value| !pattern.is_match(value))
            }
            Comparison::AtLeast(least) => values.iter().filter_map(number).any(|n| n >= *least),
            Comparison::AtMost(most) => values.iter().filter_map(number).any(|n| n <= *most),
            Comparison::Exists(there) => values.is_empty() != *there,
        })
    }
}

/// A comparison in words that follow "expected": "\"ok\"", "to contain \"ok\"".
pub(crate) fn expected(is: &Comparison) -> String {
    match is {
        Comparison::Equals(text) => quoted(text),
        Comparison::NotEquals(text) => format!("anything but {}", quoted(text)),
        Comparison::Contains(text) => format!("to contain {}", quoted(text)),
        Comparison::NotContains(text) => format!("not to contain {}", quoted(text)),
        Comparison::Matches(text) => format!("to match {}", quoted(text)),
        Comparison::NotMatches(text) => format!("not to match {}", quoted(text)),
        Comparison::AtLeast(number) => format!("at least {number}"),
        Comparison::AtMost(number) => format!("at most {number}"),
        Comparison::Exists(true) => "it to be there".into(),
        Comparison::Exists(false) => "it not to be there".into(),
    }
}

/// A text from outside for one line: masked, short, in quotes, without control characters.
pub(crate) fn quoted(text: &str) -> String {
    const CHARACTERS: usize = 80;
    let head: String = text.chars().take(CHARACTERS * 4).collect();
    let masked = redact_text(&head);
    let mut short: String =
        masked.chars().take(CHARACTERS).map(|c| if c.is_control() { ' ' } else { c }).collect();
    if masked.chars().count() > CHARACTERS || text.chars().count() > CHARACTERS * 4 {
        short.push('…');
    }
    format!("\"{short}\"")
}

/// A JSON value as text: a string as it is, everything else as JSON.
pub(crate) fn as_text(value: &Value) -> Cow<'_, str> {
    match value {
        Value::String(text) => Cow::Borrowed(text),
        other => Cow::Owned(other.to_string()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn all() -> Vec<Assertion> {
        let text = || "x".to_owned();
        vec![
            Assertion::Status { any_of: vec!["200".into(), "300-399".into()] },
            Assertion::Header { name: "server".into(), is: Comparison::Equals(text()) },
            Assertion::Header { name: "server".into(), is: Comparison::NotEquals(text()) },
            Assertion::Body { is: Comparison::Contains(text()) },
            Assertion::Body { is: Comparison::NotContains(text()) },
            Assertion::Body { is: Comparison::Matches(text()) },
            Assertion::Body { is: Comparison::NotMatches(text()) },
            Assertion::Json { path: "$.n".into(), is: Comparison::AtLeast(1.5) },
            Assertion::Json { path: "$.n".into(), is: Comparison::AtMost(2.0) },
            Assertion::Json { path: "$.n".into(), is: Comparison::Exists(false) },
            Assertion::Time { max_ms: 500 },
            Assertion::Version { header: Some("x-version".into()), path: None, expect: Some(text()) },
            Assertion::Version { header: None, path: Some("$.version".into()), expect: None },
        ]
    }

    #[test]
    fn every_assertion_survives_json_and_toml() {
        #[derive(Debug, PartialEq, Serialize, Deserialize)]
        struct Table {
            assert: Vec<Assertion>,
        }
        let table = Table { assert: all() };
        let json = serde_json::to_string(&table).expect("serialises");
        assert_eq!(serde_json::from_str::<Table>(&json).expect("reads"), table, "{json}");
        let file = toml::to_string(&table).expect("serialises");
        assert_eq!(toml::from_str::<Table>(&file).expect("reads"), table, "{file}");
    }

    #[test]
    fn what_is_written_wrongly_is_refused_with_the_mend() {
        for (json, says) in [
            (r#"{"on":"header","name":"a","equals":"b","colour":"red"}"#, "unknown field `colour`"),
            (r#"{"on":"header","name":"a"}"#, "needs a comparison"),
            (r#"{"on":"header","equals":"b"}"#, "needs `name`"),
            (r#"{"on":"body","equals":"b","contains":"c"}"#, "has one comparison"),
            (
                r#"{"on":"status","any_of":["200"],"equals":"200"}"#,
                "an assertion on the status has no key `equals`",
            ),
            (r#"{"on":"time"}"#, "needs `max_ms`"),
            (r#"{"on":"time","max_ms":5,"path":"$"}"#, "no key `path`"),
            (r#"{"on":"weather"}"#, "unknown variant `weather`"),
            (r#"{"name":"a"}"#, "missing field `on`"),
            (r#"{"on":"status","any_of":[{}]}"#, "a status code or a range"),
        ] {
            let error = serde_json::from_str::<Assertion>(json).expect_err(json).to_string();
            assert!(error.contains(says), "{json}: {error}");
        }
        let numbers: Assertion =
            serde_json::from_str(r#"{"on":"status","any_of":[200,"301-308"]}"#).expect("valid");
        assert_eq!(numbers, Assertion::Status { any_of: vec!["200".into(), "301-308".into()] });
    }

    #[test]
    fn codes_are_single_ranges_or_classes() {
        for (entry, range) in
            [("200", (200, 200)), ("200-299", (200, 299)), ("2xx", (200, 299)), ("5XX", (500, 599))]
        {
            assert_eq!(codes_of(entry), Ok(range));
        }
        for wrong in ["", "99", "600", "200-", "299-200", "abc", "0xx", "6xx", "20-300"] {
            assert!(codes_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn comparisons_hold_as_they_say() {
        let patterns = Patterns::default();
        let holds = |is: Comparison, values: &[&str]| {
            let values: Vec<_> = values.iter().map(|v| Cow::Borrowed(*v)).collect();
            patterns.holds(&is, &values).expect("compiles")
        };
        use Comparison as C;
        let text = |t: &str| t.to_owned();
        assert!(holds(C::Equals(text("a")), &["b", "a"]) && !holds(C::Equals(text("a")), &[]));
        assert!(holds(C::NotEquals(text("a")), &[]) && !holds(C::NotEquals(text("a")), &["b", "a"]));
        assert!(holds(C::Contains(text("k")), &["ok"]) && !holds(C::Contains(text("k")), &["no"]));
        assert!(holds(C::NotContains(text("k")), &[]) && !holds(C::NotContains(text("k")), &["ok"]));
        assert!(holds(C::Matches(text("^o.$")), &["ok"]) && !holds(C::Matches(text("^o.$")), &["oops"]));
        assert!(
            holds(C::NotMatches(text("^o.$")), &["oops"]) && !holds(C::NotMatches(text("^o.$")), &["ok"])
        );
        assert!(
            holds(C::AtLeast(2.0), &["2"])
                && !holds(C::AtLeast(2.0), &["1.9"])
                && !holds(C::AtLeast(0.0), &["x"])
        );
        assert!(
            holds(C::AtMost(2.0), &["-3"]) && !holds(C::AtMost(2.0), &["2.1"]) && !holds(C::AtMost(2.0), &[])
        );
        assert!(holds(C::Exists(true), &[""]) && !holds(C::Exists(true), &[]));
        assert!(holds(C::Exists(false), &[]) && !holds(C::Exists(false), &["x"]));
        assert!(patterns.holds(&C::Matches(text("(")), &[]).is_err());
        assert!(compile_regex(&format!("(?:{}){{1000}}", "\\w".repeat(100))).is_err(), "bounded");
    }

    #[test]
    fn quotes_are_short_masked_and_on_one_line() {
        assert_eq!(quoted("a\nb"), "\"a b\"");
        assert_eq!(quoted(&"x".repeat(81)).chars().count(), 83);
        assert!(!quoted("API_TOKEN=abcdef").contains("abcdef"));
    }
}
