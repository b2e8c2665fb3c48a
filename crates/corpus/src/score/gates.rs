//! Figures that may not get worse, as they are committed beside the corpus.
//!
//! ```toml
//! [at_least]
//! top1 = 0.97
//! "halves.aside.top1" = 0.9
//! [at_most]
//! healthy_named = 0
//! ```

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use super::Score;

/// The committed figures.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Gates {
    /// Keys of the score's JSON, dots between levels, and the least that each may be.
    #[serde(default)]
    at_least: BTreeMap<String, f64>,
    /// The same for the most.
    #[serde(default)]
    at_most: BTreeMap<String, f64>,
}

/// Why the gates could not be read.
#[derive(Debug, thiserror::Error)]
pub enum GatesError {
    /// The file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The file is not what it should be.
    #[error("{}: {message}", path.display())]
    Wrong {
        /// The file.
        path: PathBuf,
        /// What is wrong, with the line.
        message: String,
    },
}

/// A figure that is worse than committed.
#[derive(Debug, Clone, PartialEq)]
pub struct MissedGate {
    /// The figure's key.
    pub key: String,
    /// For people: "top1 is 0.91 and must be at least 0.97".
    pub message: String,
}

impl Gates {
    /// Reads a file of gates.
    ///
    /// # Errors
    /// When it cannot be read or has another form; with the file and the line.
    pub fn load(path: &Path) -> Result<Self, GatesError> {
        let text = std::fs::read_to_string(path)
            .map_err(|source| GatesError::Unreadable { path: path.to_owned(), source })?;
        Self::parse(&text).map_err(|message| GatesError::Wrong { path: path.to_owned(), message })
    }

    fn parse(text: &str) -> Result<Self, String> {
        toml::from_str(text).map_err(|e| e.to_string())
    }

    /// The gates that a score misses. A figure that the corpus cannot show, or that does not exist, is missed as well:
    /// nothing passes unseen.
    pub fn missed(&self, score: &Score) -> Vec<MissedGate> {
        let json =
            serde_json::to_value(score).expect("a score has string keys only, so it always serialises");
        let mut missed = Vec::new();
        let mut ask = |key: &String, limit: f64, holds: fn(f64, f64) -> bool, words: &str| {
            let pointer = format!("/{}", key.replace('.', "/"));
            let message = match json.pointer(&pointer) {
                None => format!("{key} is no figure of the score"),
                Some(value) => match value.as_f64() {
                    Some(value) if holds(value, limit) => return,
                    Some(value) => format!("{key} is {value} and must be {words} {limit}"),
                    None => format!("{key} is not known, since no world of this corpus shows it"),
                },
            };
            missed.push(MissedGate { key: key.clone(), message });
        };
        for (key, limit) in &self.at_least {
            ask(key, *limit, |value, limit| value >= limit, "at least");
        }
        for (key, limit) in &self.at_most {
            ask(key, *limit, |value, limit| value <= limit, "at most");
        }
        missed
    }
}

#[cfg(test)]
mod tests {
    use landfall_diagnosis::Catalogue;

    use super::*;
    use crate::Corpus;
    use crate::score::score;
    use crate::variants::testkit;

    #[test]
    fn a_worse_figure_an_unknown_one_and_a_wrong_name_are_missed() {
        let corpus = Corpus { cases: vec![testkit::healthy()], unrecorded: Vec::new() };
        let score = score(&corpus, Catalogue::embedded(), 1);
        let gates = Gates::parse(
            "[at_least]\nscenarios = 1\nvariants = 1000\ntop1 = 0.5\n[at_most]\n\"halves.tuned.healthy_named\" = 0\nhealthy_nmed = 0\n",
        )
        .expect("gates");
        let messages: Vec<String> = gates.missed(&score).into_iter().map(|gate| gate.message).collect();
        assert_eq!(messages.len(), 3, "{messages:?}");
        assert!(messages[0].starts_with("top1 is not known"));
        assert!(messages[1].starts_with("variants is ") && messages[1].ends_with("must be at least 1000"));
        assert_eq!(messages[2], "healthy_nmed is no figure of the score");
    }

    #[test]
    fn a_wrong_file_is_an_error_with_its_line() {
        assert!(Gates::parse("[at_lest]\ntop1 = 1\n").expect_err("a typo").contains("line 1"));
        assert!(Gates::parse("[at_least]\ntop1 = \"1\"\n").expect_err("a text").contains("line 2"));
        let missing = Gates::load(Path::new("/nowhere/gates.toml")).expect_err("no file");
        assert!(missing.to_string().starts_with("/nowhere/gates.toml: cannot be read"));
    }
}
