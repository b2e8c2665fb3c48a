//! Packages: lock files against manifests, loose versions, development packages in production's code.

mod node;
mod others;
mod php;
mod python;

use super::{Found, Read};
use crate::stack::Names;

/// A name in its comparable form (PEP 503).
pub(super) fn normal(name: &str) -> String {
    let mut out = String::new();
    for c in name.trim().chars() {
        let c = if matches!(c, '_' | '.') { '-' } else { c.to_ascii_lowercase() };
        if !(c == '-' && out.ends_with('-')) {
            out.push(c);
        }
    }
    out
}

pub(super) fn read(read: &Read<'_>, found: &mut Found) {
    node::read(read, found);
    python::read(read, found);
    php::read(read, found);
    others::read(read.tree, found);
}

fn compare(wanted: &Names, locked: &Names, out: &mut Vec<(String, String)>) {
    for (name, version) in wanted {
        match locked.get(name) {
            None => out.push((name.clone(), "not in the lock file".to_owned())),
            Some(other) if other != version => {
                out.push((name.clone(), format!("{version} is asked for, {other} is locked")));
            }
            Some(_) => {}
        }
    }
    out.extend(
        locked
            .keys()
            .filter(|n| !wanted.contains_key(*n))
            .map(|n| (n.clone(), "locked and no longer asked for".to_owned())),
    );
}

/// Scripts that no server runs.
fn is_tool(path: &str) -> bool {
    path.split('/').any(|p| {
        matches!(
            p,
            "scripts" | "tools" | "docs" | "examples" | "notebooks" | "bench" | "migrations" | "alembic"
        )
    }) || matches!(path, "setup.py" | "noxfile.py" | "tasks.py" | "fabfile.py" | "conftest.py")
}

#[cfg(test)]
mod tests;
