//! Configuration as code: monitors, channels, windows and heartbeats in `landfall.toml`.
//!
//! [`parse`] reads the file and tells everything that is wrong with it, each with its line. [`plan`] says what would
//! change, without changing anything. [`apply`] does it. What a file owns is marked so, and only that is ever removed;
//! the key `id` is what a thing is known by, so that a change of its name keeps its history.

mod apply;
mod parse;
mod plan;

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

pub use apply::{apply, current, reload};
pub use parse::{Sources, Surroundings, parse};
pub use plan::{Action, Change, Owned, Plan, Step, plan};

use crate::heartbeat::HeartbeatSpec;
use crate::{MonitorSpec, WindowSpec};

/// Everything that a file declares, by the ids that it gives.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Declared {
    /// `[[monitor]]`.
    pub monitors: BTreeMap<String, MonitorSpec>,
    /// `[[channel]]`.
    pub channels: BTreeMap<String, ChannelSpec>,
    /// `[[window]]`.
    pub windows: BTreeMap<String, WindowSpec>,
    /// `[[heartbeat]]`.
    pub heartbeats: BTreeMap<String, HeartbeatSpec>,
}

/// A channel as a file declares it.
#[derive(Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelSpec {
    /// Name for people.
    pub name: String,
    /// `webhook`, `email`, `slack`, `telegram`, `whatsapp`, `pagerduty`.
    pub kind: String,
    /// Whether it is used.
    #[serde(default = "yes")]
    pub enabled: bool,
    /// Its settings, secrets included.
    pub config: Json,
}

fn yes() -> bool {
    true
}

impl std::fmt::Debug for ChannelSpec {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        // The settings hold secrets.
        f.debug_struct("ChannelSpec")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .finish_non_exhaustive()
    }
}

/// One thing that is wrong with a declaration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Problem {
    /// The line, from 1; 0 when no line is known.
    pub line: usize,
    /// What it is about: `monitor "api"`.
    pub thing: String,
    /// The place in it: `check.url`; empty for the thing as a whole.
    pub field: String,
    /// What is wrong, and what would be right.
    pub detail: String,
}

impl std::fmt::Display for Problem {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        if self.line > 0 {
            write!(f, "line {}: ", self.line)?;
        }
        match (self.thing.as_str(), self.field.as_str()) {
            ("", _) => write!(f, "{}", self.detail),
            (thing, "") => write!(f, "{thing}: {}", self.detail),
            (thing, field) => write!(f, "{thing}, {field}: {}", self.detail),
        }
    }
}

/// Whether a text may be the id of a thing: what could be a file name, so that it is safe in URLs, logs and shells.
pub fn is_id(text: &str) -> bool {
    let fine = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    text.len() <= 100 && text.starts_with(|c: char| c.is_ascii_alphanumeric()) && text.chars().all(fine)
}

impl Declared {
    /// What is wrong with it in itself, by thing and field; names of things elsewhere are looked at by [`plan`].
    pub fn problems(&self) -> Vec<Problem> {
        let mut found = Vec::new();
        let mut wrong = |kind: &str, id: &str, field: &str, detail: String| {
            let field = field.trim_start_matches('/').replace('/', ".");
            found.push(Problem { line: 0, thing: format!("{kind} {id:?}"), field, detail });
        };
        let ids = self
            .monitors
            .keys()
            .map(|id| ("monitor", id))
            .chain(self.channels.keys().map(|id| ("channel", id)))
            .chain(self.windows.keys().map(|id| ("window", id)))
            .chain(self.heartbeats.keys().map(|id| ("heartbeat", id)));
        for (kind, id) in ids {
            if !is_id(id) {
                wrong(kind, id, "id", "use 1 to 100 of A-Z a-z 0-9 - _ . and a letter or digit first".into());
            }
        }
        for (id, spec) in &self.monitors {
            for (field, detail) in spec.problems() {
                wrong("monitor", id, &field, detail);
            }
            if spec.depends_on.contains(id) {
                wrong("monitor", id, "depends_on", "it names itself".into());
            }
        }
        for (id, spec) in &self.channels {
            if spec.name.trim().is_empty() || spec.name.chars().count() > 200 {
                wrong("channel", id, "name", "give it a name of 1 to 200 characters".into());
            }
            if let Err(problems) = landfall_notify::ChannelConfig::read(&spec.kind, &spec.config, None) {
                for problem in problems {
                    let field = match problem.pointer.as_str() {
                        "/kind" => "kind".to_owned(),
                        pointer => format!("config{pointer}"),
                    };
                    wrong("channel", id, &field, problem.mend);
                }
            }
        }
        for (id, spec) in &self.windows {
            for problem in spec.problems() {
                wrong("window", id, &problem.field, problem.detail);
            }
        }
        for (id, spec) in &self.heartbeats {
            for problem in spec.problems() {
                wrong("heartbeat", id, &problem.field, problem.detail);
            }
        }
        found
    }
}

#[cfg(test)]
mod tests;
