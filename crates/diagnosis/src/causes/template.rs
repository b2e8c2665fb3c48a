//! Texts with places for facts: `{config.bind}`, `{site.status@edge}`, `{target.host|the host}`.
//!
//! The word after `@` narrows the subject, the words after `|` stand in when the fact is not known. A `#` before the
//! name prints of whom the fact speaks, without the vantage: `{#route.local_only}` gives the paths.

use std::collections::BTreeSet;

use crate::facts::{Fact, FactKey, Facts};

/// Values shown for one place before the rest is only counted.
const SHOWN: usize = 4;

struct Place<'a> {
    key: FactKey,
    subjects: bool,
    at: Option<&'a str>,
    fallback: Option<&'a str>,
}

fn parse(inner: &str) -> Result<Place<'_>, String> {
    let (rest, fallback) = match inner.split_once('|') {
        Some((rest, fallback)) => (rest, Some(fallback)),
        None => (inner, None),
    };
    let (name, at) = match rest.split_once('@') {
        Some((name, at)) => (name, Some(at)),
        None => (rest, None),
    };
    let (name, subjects) = match name.strip_prefix('#') {
        Some(name) => (name, true),
        None => (name, false),
    };
    let key = FactKey::parse(name).ok_or_else(|| super::condition::unknown_key(name))?;
    Ok(Place { key, subjects, at, fallback })
}

/// Splits a text into literal pieces and the insides of its braces. A dollar before the brace keeps it literal, since
/// commands contain `${PORT}`.
fn pieces(text: &str) -> Vec<Result<&str, &str>> {
    let mut found = Vec::new();
    let mut literal = 0;
    let mut from = 0;
    while let Some(open) = text[from..].find('{').map(|at| from + at) {
        let close = text[open..].find('}').map(|at| open + at);
        match close {
            Some(close) if !text[..open].ends_with('$') => {
                found.push(Ok(&text[literal..open]));
                found.push(Err(&text[open + 1..close]));
                literal = close + 1;
                from = close + 1;
            }
            Some(close) => from = close + 1,
            None => break,
        }
    }
    found.push(Ok(&text[literal..]));
    found
}

/// Whether every place names a fact.
pub(crate) fn check(text: &str) -> Result<(), String> {
    for piece in pieces(text) {
        if let Err(inner) = piece {
            parse(inner).map_err(|message| format!("in the text {text:?}: {message}"))?;
        }
    }
    Ok(())
}

/// Fills the places. Facts that made the condition true are preferred to others of the same key.
pub(crate) fn fill(text: &str, facts: &Facts, by: &[&Fact]) -> String {
    let mut out = String::new();
    for piece in pieces(text) {
        match piece {
            Ok(literal) => out.push_str(literal),
            Err(inner) => match parse(inner) {
                Ok(place) => out.push_str(&value(&place, facts, by)),
                Err(_) => out.push_str(inner),
            },
        }
    }
    out
}

fn value(place: &Place<'_>, facts: &Facts, by: &[&Fact]) -> String {
    let fits = |fact: &&&Fact| {
        fact.key == place.key && place.at.is_none_or(|at| crate::facts::subject_matches(&fact.subject, at))
    };
    let show = |fact: &Fact| {
        let word = fact.known()?.to_string();
        let subject =
            || fact.subject.split_once(' ').map_or_else(|| fact.subject.clone(), |(_, rest)| rest.to_owned());
        Some(if place.subjects { subject() } else { word })
    };
    let mut words: BTreeSet<String> = by.iter().filter(fits).filter_map(|fact| show(fact)).collect();
    if words.is_empty() {
        // Where some of the facts are signs of trouble, it is those that the text is about.
        words = facts.at(place.key, place.at).filter(|fact| fact.symptom).filter_map(show).collect();
    }
    if words.is_empty() {
        words = facts.at(place.key, place.at).filter_map(show).collect();
    }
    match words.len() {
        0 => place.fallback.unwrap_or("(not known)").to_owned(),
        n if n <= SHOWN => words.into_iter().collect::<Vec<_>>().join(", "),
        n => {
            let shown: Vec<String> = words.into_iter().take(SHOWN).collect();
            format!("{} and {} more", shown.join(", "), n - SHOWN)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_filled_and_shell_variables_stay() {
        let mut facts = Facts::default();
        facts.known(FactKey::ConfigBind, "", "127.0.0.1", []);
        facts.known(FactKey::SiteStatus, "edge", 404_i64, []);
        let text =
            "binds {config.bind}:${PORT}, edge says {site.status@edge}, origin {site.status@origin|nothing}";
        assert_eq!(fill(text, &facts, &[]), "binds 127.0.0.1:${PORT}, edge says 404, origin nothing");
        assert!(check(text).is_ok());
        facts.known(FactKey::RouteLocalOnly, "edge /a", "yes", []);
        facts.known(FactKey::RouteLocalOnly, "origin /a", "yes", []);
        assert_eq!(fill("missing: {#route.local_only}", &facts, &[]), "missing: /a");
        let message = check("{config.bnid}").expect_err("a name that does not exist");
        assert!(message.contains("did you mean config.bind"), "{message}");
        assert_eq!(fill("an open { brace", &facts, &[]), "an open { brace");
    }
}
