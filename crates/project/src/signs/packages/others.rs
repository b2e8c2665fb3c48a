//! Lock files of Ruby and Rust, by the names in them.

use std::sync::LazyLock;

use landfall_evidence::SignWord;
use regex::Regex;
use toml::{Table, Value as Toml};

use super::super::{Found, regex, text};
use crate::tree::Tree;

/// Ruby and Rust.
pub(super) fn read(tree: &Tree, found: &mut Found) {
    static GEM: LazyLock<Regex> = LazyLock::new(|| regex(r#"(?m)^\s*gem\s+["']([^"']+)["']"#));
    if let Some(gemfile) = text(tree, "Gemfile") {
        match text(tree, "Gemfile.lock") {
            Some(lock) => {
                let section = lock.split("DEPENDENCIES").nth(1).unwrap_or_default();
                for c in GEM.captures_iter(&gemfile) {
                    let listed = section
                        .lines()
                        .any(|l| l.trim().trim_end_matches('!').split(' ').next() == Some(&c[1]));
                    if !listed {
                        found.add(
                            SignWord::LockOutOfStep,
                            "Gemfile",
                            format!("{}: not in the lock file (Gemfile.lock)", &c[1]),
                        );
                    }
                }
            }
            None => found.add(SignWord::LockMissing, "Gemfile", "no Gemfile.lock beside Gemfile"),
        }
    }
    if let (Some(manifest), Some(lock)) = (text(tree, "Cargo.toml"), text(tree, "Cargo.lock"))
        && let Ok(table) = manifest.parse::<Table>()
    {
        for (name, value) in table.get("dependencies").and_then(Toml::as_table).into_iter().flatten() {
            let real = value.get("package").and_then(Toml::as_str).unwrap_or(name);
            if !lock.contains(&format!("name = \"{real}\"")) {
                found.add(
                    SignWord::LockOutOfStep,
                    "Cargo.toml",
                    format!("{real}: not in the lock file (Cargo.lock)"),
                );
            }
        }
    }
}
