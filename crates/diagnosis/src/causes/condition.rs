//! Conditions over facts, with three answers: true, false, and unknown with the reasons.
//!
//! A condition on a fact asks whether any fact of that key (and subject) passes. When none passes and one of them is
//! unknown, or when there is no such fact at all, the answer is unknown: what was not asked is never false.

use std::collections::BTreeSet;

use landfall_evidence::SignWord;
use regex::Regex;
use serde::Deserialize;

use crate::facts::{Fact, FactKey, Facts, Knowledge, Value, subject_matches};
use crate::signatures::Meaning;

/// A condition as written in a file.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RawCondition {
    fact: Option<String>,
    at: Option<String>,
    is: Option<Scalar>,
    #[serde(rename = "in")]
    one_of: Option<Vec<Scalar>>,
    ge: Option<i64>,
    le: Option<i64>,
    matches: Option<String>,
    known: Option<bool>,
    #[serde(default)]
    every: bool,
    all: Option<Vec<RawCondition>>,
    any: Option<Vec<RawCondition>>,
    not: Option<Box<RawCondition>>,
}

/// A word, a number, or a truth value, which stands for the words `yes` and `no`.
#[derive(Debug, Clone, Deserialize)]
#[serde(untagged)]
enum Scalar {
    Flag(bool),
    Number(i64),
    Text(String),
}

impl Scalar {
    fn text(&self) -> String {
        match self {
            Self::Flag(yes) => if *yes { "yes" } else { "no" }.to_owned(),
            Self::Number(number) => number.to_string(),
            Self::Text(text) => text.clone(),
        }
    }
}

/// A condition ready to be asked.
#[derive(Debug, Clone)]
pub(crate) enum Condition {
    /// Nothing is asked.
    Always,
    /// On the facts of one key.
    Fact {
        /// The key.
        key: FactKey,
        /// The subject, or its first words.
        at: Option<String>,
        /// What must be the case.
        test: Test,
        /// Whether every such fact must pass, not merely one.
        every: bool,
    },
    /// All must be true.
    All(Vec<Condition>),
    /// One must be true.
    Any(Vec<Condition>),
    /// The opposite; unknown stays unknown.
    Not(Box<Condition>),
}

/// What a fact's value must be.
#[derive(Debug, Clone)]
pub(crate) enum Test {
    /// One of these words. A list passes when one of its items does.
    OneOf(Vec<String>),
    /// At least.
    AtLeast(i64),
    /// At most.
    AtMost(i64),
    /// Matched whole.
    Matches(Regex),
    /// Known at all. This is the one test that turns not knowing into a no.
    Known(bool),
}

/// The answer to a condition.
#[derive(Debug, Clone)]
pub(crate) enum Truth<'a> {
    /// It holds, by these facts.
    True(Vec<&'a Fact>),
    /// It does not, by these facts.
    False(Vec<&'a Fact>),
    /// It is not known, for these reasons.
    Unknown(BTreeSet<String>),
}

impl RawCondition {
    /// Checks names and values.
    pub(crate) fn build(self) -> Result<Condition, String> {
        let composed = [self.all.is_some(), self.any.is_some(), self.not.is_some(), self.fact.is_some()];
        if composed.iter().filter(|given| **given).count() != 1 {
            return Err("a condition has exactly one of `fact`, `all`, `any`, `not`".to_owned());
        }
        let several = |parts: Vec<Self>| parts.into_iter().map(Self::build).collect::<Result<Vec<_>, _>>();
        if let Some(parts) = self.all {
            return Ok(Condition::All(several(parts)?));
        }
        if let Some(parts) = self.any {
            return Ok(Condition::Any(several(parts)?));
        }
        if let Some(part) = self.not {
            return Ok(Condition::Not(Box::new(part.build()?)));
        }
        let name = self.fact.unwrap_or_default();
        let key = FactKey::parse(&name).ok_or_else(|| unknown_key(&name))?;
        let mut tests = Vec::new();
        if let Some(word) = &self.is {
            tests.push(Test::OneOf(vec![word.text()]));
        }
        if let Some(words) = &self.one_of {
            tests.push(Test::OneOf(words.iter().map(Scalar::text).collect()));
        }
        tests.extend(self.ge.map(Test::AtLeast));
        tests.extend(self.le.map(Test::AtMost));
        if let Some(pattern) = &self.matches {
            let whole = Regex::new(&format!("^(?:{pattern})$")).map_err(|e| format!("{name}: {e}"))?;
            tests.push(Test::Matches(whole));
        }
        tests.extend(self.known.map(Test::Known));
        if tests.len() != 1 {
            return Err(format!(
                "{name}: a test is exactly one of `is`, `in`, `ge`, `le`, `matches`, `known`"
            ));
        }
        let test = tests.remove(0);
        if let Test::OneOf(words) = &test {
            for word in words {
                check_word(key, word)?;
            }
        }
        Ok(Condition::Fact { key, at: self.at, test, every: self.every })
    }
}

fn check_word(key: FactKey, word: &str) -> Result<(), String> {
    let fits = match key {
        FactKey::HttpMeaning | FactKey::SiteMeaning | FactKey::TrialMeaning => Meaning::parse(word).is_some(),
        FactKey::ProjectSigns => word == "none" || SignWord::parse(word).is_some(),
        _ => key.values().is_empty() || key.values().contains(&word),
    };
    if fits {
        Ok(())
    } else {
        Err(format!(
            "{key} never says {word:?}, so this can never fire; it says: {}",
            key.values().join(", ")
        ))
    }
}

/// What to say of a key that does not exist, with the nearest one that does.
pub(super) fn unknown_key(name: &str) -> String {
    let nearest = FactKey::ALL.iter().min_by_key(|key| edit_distance(name, key.name()));
    let hint = nearest.map(|key| format!("; did you mean {key}?")).unwrap_or_default();
    format!("there is no fact {name:?}{hint}")
}

/// Levenshtein distance in characters.
pub(crate) fn edit_distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = row[0];
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let substituted = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = substituted.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

impl Test {
    fn passes(&self, value: &Value) -> bool {
        let any_item = |passes: &dyn Fn(&str) -> bool| match value {
            Value::Text(text) => passes(text),
            Value::Number(number) => passes(&number.to_string()),
            Value::List(items) => items.iter().any(|item| passes(item)),
        };
        let number = match value {
            Value::Number(number) => Some(*number),
            Value::List(items) => i64::try_from(items.len()).ok(),
            Value::Text(_) => None,
        };
        match self {
            Self::OneOf(words) => any_item(&|text| words.iter().any(|word| word == text)),
            Self::Matches(pattern) => any_item(&|text| pattern.is_match(text)),
            Self::AtLeast(bound) => number.is_some_and(|n| n >= *bound),
            Self::AtMost(bound) => number.is_some_and(|n| n <= *bound),
            Self::Known(wanted) => *wanted,
        }
    }
}

impl Condition {
    /// Asks the condition of the facts.
    pub(crate) fn ask<'a>(&'a self, facts: &'a Facts) -> Truth<'a> {
        match self {
            Self::Always => Truth::True(Vec::new()),
            Self::Fact { key, at, test: Test::Known(wanted), .. } => {
                let known: Vec<&Fact> =
                    facts.at(*key, at.as_deref()).filter(|fact| fact.known().is_some()).collect();
                if known.is_empty() != *wanted { Truth::True(known) } else { Truth::False(known) }
            }
            Self::Fact { key, at, test, every } => ask_fact(facts, *key, at.as_deref(), test, *every),
            Self::All(parts) => {
                let (mut held, mut open) = (Vec::new(), BTreeSet::new());
                for part in parts {
                    match part.ask(facts) {
                        Truth::True(by) => held.extend(by),
                        Truth::False(by) => return Truth::False(by),
                        Truth::Unknown(reasons) => open.extend(reasons),
                    }
                }
                if open.is_empty() { Truth::True(held) } else { Truth::Unknown(open) }
            }
            Self::Any(parts) => {
                let (mut failed, mut open) = (Vec::new(), BTreeSet::new());
                for part in parts {
                    match part.ask(facts) {
                        Truth::True(by) => return Truth::True(by),
                        Truth::False(by) => failed.extend(by),
                        Truth::Unknown(reasons) => open.extend(reasons),
                    }
                }
                if open.is_empty() { Truth::False(failed) } else { Truth::Unknown(open) }
            }
            Self::Not(part) => match part.ask(facts) {
                Truth::True(by) => Truth::False(by),
                Truth::False(by) => Truth::True(by),
                unknown @ Truth::Unknown(_) => unknown,
            },
        }
    }

    /// The words that it asks of what logs and error pages say.
    pub(crate) fn line_words(&self) -> Vec<&str> {
        match self {
            Self::Fact {
                key: FactKey::LogSays | FactKey::LogSaidBefore | FactKey::HttpSays,
                test: Test::OneOf(words),
                ..
            } => words.iter().map(String::as_str).collect(),
            Self::Fact { .. } | Self::Always => Vec::new(),
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::line_words).collect(),
            Self::Not(part) => part.line_words(),
        }
    }

    /// Whether what a log says is part of what makes it true.
    pub(super) fn hears(&self, word: &str) -> bool {
        match self {
            Self::Fact { key: FactKey::LogSays, test: Test::OneOf(words), .. } => {
                words.iter().any(|w| w == word)
            }
            Self::Fact { .. } | Self::Always | Self::Not(_) => false,
            Self::All(parts) | Self::Any(parts) => parts.iter().any(|part| part.hears(word)),
        }
    }

    /// Every key that the condition names.
    #[cfg(test)]
    pub(super) fn keys(&self) -> Vec<FactKey> {
        match self {
            Self::Always => Vec::new(),
            Self::Fact { key, .. } => vec![*key],
            Self::All(parts) | Self::Any(parts) => parts.iter().flat_map(Self::keys).collect(),
            Self::Not(part) => part.keys(),
        }
    }
}

fn ask_fact<'a>(facts: &'a Facts, key: FactKey, at: Option<&'a str>, test: &Test, every: bool) -> Truth<'a> {
    let (mut passed, mut failed, mut open) = (Vec::new(), Vec::new(), BTreeSet::new());
    // A claim about production must not rest on the backend of this machine: its facts count only where a rule names them.
    let of_production = |fact: &&Fact| at.is_some() || !subject_matches(&fact.subject, "local");
    for fact in facts.at(key, at).filter(of_production) {
        match &fact.value {
            Knowledge::Known(value) if test.passes(value) => passed.push(fact),
            Knowledge::Known(_) => failed.push(fact),
            Knowledge::Unknown(why) => {
                open.insert(why.to_string());
            }
        }
    }
    if passed.is_empty() && failed.is_empty() && open.is_empty() {
        open.insert("it was not asked".to_owned());
    }
    if every {
        match (failed.is_empty(), open.is_empty()) {
            (false, _) => Truth::False(failed),
            (true, true) => Truth::True(passed),
            (true, false) => Truth::Unknown(open),
        }
    } else if !passed.is_empty() {
        Truth::True(passed)
    } else if open.is_empty() {
        Truth::False(failed)
    } else {
        Truth::Unknown(open)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::facts::Why;

    fn condition(text: &str) -> Result<Condition, String> {
        #[derive(Deserialize)]
        struct File {
            c: RawCondition,
        }
        toml::from_str::<File>(&format!("c = {text}")).map_err(|e| e.to_string())?.c.build()
    }

    fn facts() -> Facts {
        let mut facts = Facts::default();
        facts.known(FactKey::SiteStatus, "edge", 404_i64, []);
        facts.known(FactKey::SiteKind, "edge", "nothing-here", []);
        facts.unknown(FactKey::SiteKind, "origin", Why::NotRun("nobody asked".to_owned()), []);
        facts.known_list(FactKey::DnsEde, "", ["22".to_owned(), "23".to_owned()], []);
        facts
    }

    #[test]
    fn truth_has_three_values() {
        let cases = [
            (r#"{ fact = "site.kind", at = "edge", is = "nothing-here" }"#, "true"),
            (r#"{ fact = "site.kind", at = "edge", is = "application" }"#, "false"),
            (r#"{ fact = "site.kind", at = "origin", is = "application" }"#, "unknown"),
            (r#"{ fact = "site.kind", is = "application" }"#, "unknown"),
            (r#"{ fact = "site.kind", is = "nothing-here" }"#, "true"),
            (r#"{ fact = "site.kind", is = "nothing-here", every = true }"#, "unknown"),
            (r#"{ fact = "site.kind", is = "application", every = true }"#, "false"),
            (r#"{ fact = "tests.outcome", is = "failed" }"#, "unknown"),
            (r#"{ not = { fact = "tests.outcome", is = "failed" } }"#, "unknown"),
            (r#"{ not = { fact = "site.kind", at = "edge", is = "application" } }"#, "true"),
            (r#"{ fact = "site.status", ge = 400 }"#, "true"),
            (r#"{ fact = "site.status", le = 400 }"#, "false"),
            (r#"{ fact = "site.status", in = [404, 410] }"#, "true"),
            (r#"{ fact = "site.kind", at = "edge", matches = "nothing.*" }"#, "true"),
            (r#"{ fact = "site.kind", at = "edge", matches = "nothing" }"#, "false"),
            (r#"{ fact = "dns.ede", is = "23" }"#, "true"),
            (r#"{ fact = "tests.outcome", known = true }"#, "false"),
            (r#"{ fact = "site.kind", at = "origin", known = false }"#, "true"),
            (
                r#"{ all = [{ fact = "site.status", is = 404 }, { fact = "tests.outcome", is = "failed" }] }"#,
                "unknown",
            ),
            (
                r#"{ all = [{ fact = "site.status", is = 200 }, { fact = "tests.outcome", is = "failed" }] }"#,
                "false",
            ),
            (
                r#"{ any = [{ fact = "site.status", is = 404 }, { fact = "tests.outcome", is = "failed" }] }"#,
                "true",
            ),
            (
                r#"{ any = [{ fact = "site.status", is = 200 }, { fact = "tests.outcome", is = "failed" }] }"#,
                "unknown",
            ),
        ];
        let facts = facts();
        for (text, want) in cases {
            let condition = condition(text).unwrap_or_else(|message| panic!("{text}: {message}"));
            let got = match condition.ask(&facts) {
                Truth::True(_) => "true",
                Truth::False(_) => "false",
                Truth::Unknown(reasons) => {
                    assert!(!reasons.is_empty(), "{text}: an unknown has a reason");
                    "unknown"
                }
            };
            assert_eq!(got, want, "{text}");
        }
    }

    #[test]
    fn mistakes_are_named() {
        let cases = [
            (r#"{ fact = "site.knid", is = "application" }"#, "did you mean site.kind?"),
            (r#"{ fact = "site.kind", is = "nowhere" }"#, "can never fire"),
            (r#"{ fact = "site.meaning", is = "no-deploymnet" }"#, "can never fire"),
            (r#"{ fact = "site.kind" }"#, "exactly one of `is`"),
            (r#"{ fact = "site.kind", is = "application", ge = 1 }"#, "exactly one of `is`"),
            (r#"{ fact = "site.kind", is = "application", any = [] }"#, "exactly one of `fact`"),
            (r#"{ fact = "config.bind", matches = "(" }"#, "config.bind"),
            (r#"{ fact = "site.kind", equals = "application" }"#, "unknown field"),
        ];
        for (text, want) in cases {
            let message = condition(text).expect_err(text);
            assert!(message.contains(want), "{text}: {message}");
        }
    }
}
