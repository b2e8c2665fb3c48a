//! Code that uses what its own version of a package no longer has: a program that ran before an upgrade and fails after it.
//!
//! The facts are data, `catalogue/project/removed.toml`, each with its source.

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;
use serde::Deserialize;

use super::packages::normal;
use super::{Found, Read};
use crate::source::{Language, is_test};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Catalogue {
    removed: Vec<Entry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Entry {
    ecosystem: String,
    package: String,
    from: String,
    pattern: String,
    what: String,
    when: When,
    fails: String,
    instead: String,
    #[serde(rename = "source")]
    _source: String,
}

/// What fails: the start of the program, or a request alone.
#[derive(Clone, Copy, Deserialize)]
#[serde(rename_all = "kebab-case")]
enum When {
    Start,
    Request,
}

/// A fact, its pattern and version read.
struct Removed {
    entry: Entry,
    language: Language,
    from: Vec<u64>,
    pattern: Regex,
}

static REMOVED: LazyLock<Vec<Removed>> = LazyLock::new(|| {
    let catalogue: Catalogue = toml::from_str(include_str!("../../../../catalogue/project/removed.toml"))
        .expect("the catalogue is part of the program and covered by tests");
    let each = |entry: Entry| Removed {
        language: match entry.ecosystem.as_str() {
            "python" => Language::Python,
            "node" => Language::JavaScript,
            "rust" => Language::Rust,
            "ruby" => Language::Ruby,
            "php" => Language::Php,
            other => panic!("an ecosystem of the catalogue: {other}"),
        },
        from: version(&entry.from).expect("a version of the catalogue"),
        pattern: super::regex(&entry.pattern),
        entry,
    };
    catalogue.removed.into_iter().map(each).collect()
});

/// The numbers of a version: `2.10.1` and `^2.10` alike.
fn version(text: &str) -> Option<Vec<u64>> {
    let numbers: Option<Vec<u64>> = text.split('.').map(|part| part.trim().parse().ok()).collect();
    numbers.filter(|numbers| !numbers.is_empty())
}

/// The least version that a requirement lets in, where it names one.
fn least(requirement: &str) -> Option<Vec<u64>> {
    let first =
        requirement.split([',', ' ', '|']).find(|part| part.contains(|c: char| c.is_ascii_digit()))?;
    // `<3` and `!=2.1` name no least version.
    if first.starts_with('<') || first.starts_with('!') {
        return None;
    }
    let bare = first.trim_start_matches(|c: char| !c.is_ascii_digit());
    let end = bare.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(bare.len());
    version(bare[..end].trim_end_matches('.'))
}

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    for removed in REMOVED.iter() {
        let entry = &removed.entry;
        let wanted = normal(&entry.package);
        let declared = read
            .snapshot
            .stacks
            .iter()
            .flat_map(|stack| &stack.dependencies)
            .find(|d| normal(&d.name) == wanted);
        let Some(declared) = declared else { continue };
        let has = declared.version.as_deref().and_then(least).or_else(|| least(&declared.requirement));
        if has.is_none_or(|has| has < removed.from) {
            continue;
        }
        let mut sources = read.sources.iter().filter(|s| s.language == removed.language && !is_test(&s.path));
        let used = sources.find_map(|source| Some((source, removed.pattern.find(&source.code)?.start())));
        if let Some((source, at)) = used {
            let fails = match entry.when {
                When::Start => "the start fails",
                When::Request => "the request fails",
            };
            let words = match entry.fails.as_str() {
                "" => String::new(),
                words => format!(" with `{words}`"),
            };
            let detail = format!(
                "{} is gone since {} {}, and {fails}{words}; in its place: {}",
                entry.what, entry.package, entry.from, entry.instead
            );
            found.add(SignWord::ApiRemoved, source.place(at), detail);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::{has, lacks};
    use super::*;

    #[test]
    fn the_facts_are_whole() {
        assert!(REMOVED.len() > 10);
        for removed in REMOVED.iter() {
            let entry = &removed.entry;
            assert!(
                !entry.what.is_empty() && !entry.instead.is_empty() && entry._source.contains('/'),
                "{}",
                entry.what
            );
            assert!(entry.what.len() < 100 && entry.instead.len() < 100, "{}: a line", entry.what);
            assert!(!removed.pattern.is_match(""), "{}", entry.pattern);
        }
    }

    #[test]
    fn requirements_and_their_least_version() {
        for (text, expected) in [
            ("==2.1.3", Some(vec![2, 1, 3])),
            ("^5.0.0", Some(vec![5, 0, 0])),
            (">=4,<5", Some(vec![4])),
            ("~> 7.1", Some(vec![7, 1])),
            ("0.8", Some(vec![0, 8])),
            ("<3", None),
            ("*", None),
            ("", None),
            ("git+https://example.test/a.git", None),
        ] {
            assert_eq!(least(text), expected, "{text}");
        }
    }

    #[test]
    fn code_of_an_older_version() {
        let code =
            ("src/main.rs", "fn main() { let app = Router::new().route(\"/api/items/:id\", get(item)); }\n");
        let cargo = |version: &str| {
            format!("[package]\nname = \"a\"\nversion = \"0.1.0\"\n[dependencies]\naxum = \"{version}\"\n")
        };
        has(&[code, ("Cargo.toml", &cargo("0.8.1"))], "api-removed ");
        lacks(&[code, ("Cargo.toml", &cargo("0.7.9"))], "api-removed");
        lacks(
            &[
                (
                    "src/main.rs",
                    "fn main() { let app = Router::new().route(\"/api/items/{id}\", get(item)); }\n",
                ),
                ("Cargo.toml", &cargo("0.8.1")),
            ],
            "api-removed",
        );
    }
}
