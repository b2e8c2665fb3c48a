//! What would change: pure, without a database.

use std::collections::BTreeMap;

use landfall_store::Id;
use serde::{Deserialize, Serialize};
use serde_json::Value as Json;

use super::{ChannelSpec, Declared, Problem};
use crate::{MonitorSpec, WindowSpec};

/// A thing as the store has it.
#[derive(Clone, PartialEq)]
pub struct Owned {
    /// `monitor`, `channel`, `window`, `heartbeat`.
    pub kind: &'static str,
    /// Its id in the store.
    pub id: Id,
    /// The id by which files know it.
    pub external_id: String,
    /// Its name for people.
    pub name: String,
    /// `file` or `api`.
    pub origin: String,
    /// What was declared, secrets included.
    pub value: Json,
}

/// What happens to a thing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Action {
    /// It is made.
    Create,
    /// It is changed; its id and its history stay.
    Change,
    /// It is removed.
    Delete,
    /// It is as declared.
    Unchanged,
}

/// One field that changes. Secrets are masked.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Change {
    /// The place: `check.url`.
    pub field: String,
    /// What is there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub before: Option<Json>,
    /// What will be there.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub after: Option<Json>,
}

/// What happens to one thing.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Step {
    /// What.
    pub action: Action,
    /// `monitor`, `channel`, `window`, `heartbeat`.
    pub kind: String,
    /// The id that the file gives.
    pub id: String,
    /// Its name for people.
    pub name: String,
    /// The fields that change.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub changes: Vec<Change>,
}

/// What would change.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// What happens to each thing: made, changed and unchanged in the order of kinds and ids, then removed.
    pub steps: Vec<Step>,
    /// Why it cannot be done. While there is one, nothing is.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub problems: Vec<Problem>,
}

impl Plan {
    /// How many things this happens to.
    pub fn count(&self, action: Action) -> usize {
        self.steps.iter().filter(|s| s.action == action).count()
    }

    /// Whether nothing would change.
    pub fn is_empty(&self) -> bool {
        self.count(Action::Unchanged) == self.steps.len()
    }

    /// In a few words: "2 to make, 1 to change, 0 to remove, 5 as they are".
    pub fn say(&self) -> String {
        format!(
            "{} to make, {} to change, {} to remove, {} as they are",
            self.count(Action::Create),
            self.count(Action::Change),
            self.count(Action::Delete),
            self.count(Action::Unchanged)
        )
    }
}

/// A declared thing: its JSON with secrets and without.
struct Wanted {
    name: String,
    value: Json,
    shown: Json,
}

/// What stands for a secret.
const MASK: &str = landfall_store::channels::MASK;

/// What would change in a store that has these things.
pub fn plan(declared: &Declared, current: &[Owned]) -> Plan {
    let mut plan = Plan { steps: Vec::new(), problems: declared.problems() };
    let there: BTreeMap<(&str, &str), &Owned> =
        current.iter().map(|o| ((o.kind, o.external_id.as_str()), o)).collect();
    let wanted = wanted(declared);
    for ((kind, id), new) in &wanted {
        let (action, changes) = match there.get(&(*kind, id.as_str())) {
            None => (Action::Create, Vec::new()),
            Some(old) => {
                let mut changes = Vec::new();
                if old.origin != "file" {
                    changes.push(Change {
                        field: "origin".into(),
                        before: Some(old.origin.clone().into()),
                        after: Some("file".into()),
                    });
                }
                let before = normal(kind, &old.value);
                differ("", &before, &new.value, &shown(kind, &before), &new.shown, &mut changes);
                (if changes.is_empty() { Action::Unchanged } else { Action::Change }, changes)
            }
        };
        plan.steps.push(Step {
            action,
            kind: (*kind).to_owned(),
            id: id.clone(),
            name: new.name.clone(),
            changes,
        });
    }
    let gone = |o: &&Owned| o.origin == "file" && !wanted.contains_key(&(o.kind, o.external_id.clone()));
    for old in current.iter().filter(gone) {
        plan.steps.push(Step {
            action: Action::Delete,
            kind: old.kind.to_owned(),
            id: old.external_id.clone(),
            name: old.name.clone(),
            changes: Vec::new(),
        });
    }
    let is_known = |kind: &'static str, id: &String| {
        wanted.contains_key(&(kind, id.clone()))
            || current.iter().any(|o| o.kind == kind && o.external_id == *id && o.origin != "file")
    };
    let mut refer = |thing: String, field: &str, kind: &'static str, names: &[String]| {
        for name in names.iter().filter(|n| !is_known(kind, n)) {
            let detail = format!("there is no {kind} {name:?}, neither in the file nor on the server");
            plan.problems.push(Problem { line: 0, thing: thing.clone(), field: field.to_owned(), detail });
        }
    };
    for (id, spec) in &declared.monitors {
        refer(format!("monitor {id:?}"), "depends_on", "monitor", &spec.depends_on);
        refer(format!("monitor {id:?}"), "channels", "channel", spec.channels.as_deref().unwrap_or_default());
    }
    for (id, spec) in &declared.windows {
        // A window may be for heartbeats as well.
        let names: Vec<String> =
            spec.monitors.iter().filter(|m| !is_known("heartbeat", m)).cloned().collect();
        refer(format!("window {id:?}"), "monitors", "monitor", &names);
    }
    for (id, spec) in &declared.heartbeats {
        refer(
            format!("heartbeat {id:?}"),
            "channels",
            "channel",
            spec.channels.as_deref().unwrap_or_default(),
        );
    }
    plan
}

fn wanted(declared: &Declared) -> BTreeMap<(&'static str, String), Wanted> {
    let mut all = BTreeMap::new();
    let mut add = |kind: &'static str, id: &String, name: &str, value: Json| {
        let shown = shown(kind, &value);
        all.insert((kind, id.clone()), Wanted { name: name.to_owned(), value, shown });
    };
    for (id, spec) in &declared.monitors {
        add("monitor", id, &spec.name, json(spec));
    }
    for (id, spec) in &declared.channels {
        add("channel", id, &spec.name, normal("channel", &json(spec)));
    }
    for (id, spec) in &declared.windows {
        add("window", id, &spec.name, json(spec));
    }
    for (id, spec) in &declared.heartbeats {
        add("heartbeat", id, &spec.name, json(spec));
    }
    all
}

pub(super) fn json<T: Serialize>(value: &T) -> Json {
    // All specifications are plain data with text keys.
    serde_json::to_value(value).unwrap_or(Json::Null)
}

/// A stored value as this version writes it, so that only what means something else is a change.
fn normal(kind: &str, value: &Json) -> Json {
    let again = |same: Option<Json>| same.unwrap_or_else(|| value.clone());
    match kind {
        "monitor" => again(serde_json::from_value::<MonitorSpec>(value.clone()).ok().map(|s| json(&s))),
        "window" => again(serde_json::from_value::<WindowSpec>(value.clone()).ok().map(|s| json(&s))),
        "heartbeat" => again(
            serde_json::from_value::<crate::heartbeat::HeartbeatSpec>(value.clone()).ok().map(|s| json(&s)),
        ),
        "channel" => again(serde_json::from_value::<ChannelSpec>(value.clone()).ok().map(|mut spec| {
            if let Ok(config) = landfall_notify::ChannelConfig::read(&spec.kind, &spec.config, None) {
                spec.config = config.stored();
            }
            json(&spec)
        })),
        _ => value.clone(),
    }
}

/// A value without its secrets.
fn shown(kind: &str, value: &Json) -> Json {
    match kind {
        "monitor" => serde_json::from_value::<MonitorSpec>(value.clone()).map_or(Json::Null, |s| s.shown()),
        "channel" => {
            let Ok(mut spec) = serde_json::from_value::<ChannelSpec>(value.clone()) else {
                return Json::Null;
            };
            spec.config = landfall_notify::ChannelConfig::read(&spec.kind, &spec.config, None)
                .map_or(Json::String(MASK.into()), |c| c.shown());
            json(&spec)
        }
        _ => value.clone(),
    }
}

/// Fields that differ; what is shown comes from the masked pair.
fn differ(place: &str, old: &Json, new: &Json, old_shown: &Json, new_shown: &Json, found: &mut Vec<Change>) {
    if old == new {
        return;
    }
    if let (Json::Object(old), Json::Object(new)) = (old, new) {
        let keys = old.keys().chain(new.keys().filter(|k| !old.contains_key(*k)));
        for key in keys {
            let here = if place.is_empty() { key.clone() } else { format!("{place}.{key}") };
            let null = Json::Null;
            differ(
                &here,
                old.get(key).unwrap_or(&null),
                new.get(key).unwrap_or(&null),
                old_shown.get(key).unwrap_or(&null),
                new_shown.get(key).unwrap_or(&null),
                found,
            );
        }
        return;
    }
    let masked = |real: &Json, shown: &Json| match real {
        Json::Null => None,
        _ if shown.is_null() => Some(Json::String(MASK.into())),
        _ => Some(shown.clone()),
    };
    let (before, mut after) = (masked(old, old_shown), masked(new, new_shown));
    if before == after {
        // Two secrets, or two URLs that differ in theirs.
        after = Some(Json::String("(another secret)".into()));
    }
    found.push(Change { field: place.to_owned(), before, after });
}
