//! What changed between two checks.

use serde::{Deserialize, Serialize};

use crate::Snapshot;

/// One difference.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Change {
    /// What: `address`, `certificate`, `header server`, `status`.
    pub what: String,
    /// As it was.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// As it is.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// What differs.
pub fn difference(good: &Snapshot, bad: &Snapshot) -> Vec<Change> {
    let mut changes = Vec::new();
    let text = |v: Option<u16>| v.map(|v| v.to_string());
    if good.status != bad.status {
        changes.push(Change { what: "status".into(), before: text(good.status), after: text(bad.status) });
    }
    changes
}
