//! What the values in `.env` files look like. A value is looked at and forgotten: what leaves is a word for its form,
//! and a keyed digest where the reader's environment holds a salt.

use std::sync::LazyLock;

use hmac::{Hmac, KeyInit, Mac};
use landfall_evidence::{SettingShape, ValueShape};
use regex::Regex;
use sha2::Sha256;

use super::DECLARATION;
use crate::tree::{Tree, file_name};

/// Shapes kept.
const MAX_SHAPES: usize = 500;

/// Prefixes by which vendors let their keys be known, longest first where one begins with another. From the vendors'
/// documentation: docs.stripe.com/keys, docs.github.com "About authentication to GitHub" (token formats),
/// api.slack.com/authentication/token-types, docs.aws.amazon.com/IAM unique identifiers, platform.openai.com/docs,
/// docs.sendgrid.com, ai.google.dev.
pub(super) const PREFIXES: &[&str] = &[
    "sk_live_",
    "sk_test_",
    "pk_live_",
    "pk_test_",
    "rk_live_",
    "rk_test_",
    "whsec_",
    "price_",
    "prod_",
    "github_pat_",
    "ghp_",
    "gho_",
    "ghs_",
    "xoxb-",
    "xoxp-",
    "xapp-",
    "AKIA",
    "ASIA",
    "sk-ant-",
    "sk-proj-",
    "sk-",
    "SG.",
    "AIza",
    "glpat-",
    "npm_",
    "dop_v1_",
    "shpat_",
    "re_",
];

/// Names of files that carry values: `.env` and its variants, but not the examples.
pub(super) fn carries(path: &str) -> bool {
    let name = file_name(path);
    let example =
        ["example", "sample", "template", "dist", "defaults"].iter().any(|word| name.contains(word));
    (name == ".env" || name.starts_with(".env.") || name.ends_with(".env") || name == ".flaskenv") && !example
}

pub(super) fn read(tree: &Tree, salt: Option<&str>) -> Vec<SettingShape> {
    let mut found = Vec::new();
    for file in tree.files.iter().filter(|f| carries(&f.path)).take(20) {
        let Some(Ok(text)) = tree.text(&file.path) else { continue };
        for c in DECLARATION.captures_iter(&text) {
            if found.len() >= MAX_SHAPES {
                return found;
            }
            let line = text[..c.get(1).map_or(0, |m| m.start())].matches('\n').count() + 1;
            let value = unquoted(&c[2]);
            let shape = shape(value);
            let fingerprint =
                salt.filter(|s| !s.is_empty() && shape != ValueShape::Empty).map(|s| digest(s, value));
            found.push(SettingShape {
                name: c[1].to_owned(),
                place: format!("{}:{line}", file.path),
                shape,
                fingerprint,
            });
        }
    }
    found
}

/// A value without its quotes; without quotes, a comment after a space ends it.
pub(super) fn unquoted(text: &str) -> &str {
    let text = text.trim();
    for quote in ['"', '\''] {
        if let Some((inner, _)) = text.strip_prefix(quote).and_then(|rest| rest.split_once(quote)) {
            return inner;
        }
    }
    if text.starts_with('#') {
        return "";
    }
    text.split_once(" #").map_or(text, |(value, _)| value).trim_end()
}

fn digest(salt: &str, value: &str) -> String {
    let mut mac = Hmac::<Sha256>::new_from_slice(salt.as_bytes()).expect("HMAC takes a key of any length");
    mac.update(value.as_bytes());
    mac.finalize().into_bytes().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

/// The form of a value.
pub(super) fn shape(value: &str) -> ValueShape {
    static URL: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"^([A-Za-z][A-Za-z0-9+.-]{0,40})://\S+$")
            .expect("the pattern is a constant and covered by tests")
    });
    static PLACEHOLDER: LazyLock<Regex> = LazyLock::new(|| {
        Regex::new(r"(?i)^(?:<.*>|\{\{.*\}\}|\$\{.*\}|x{3,}|\.{3,}|\*{3,}|todo|tbd|none|null|changeme|change[-_ ]me.*|replace[-_ ]?(?:me|this|with).*|(?:your|my|enter|insert|put|some)[-_ ].*|.*[-_ ](?:here|goes[-_ ]here)|(?:sk|pk|rk)_(?:test|live)_(?:x+|\.+|your.*|)|placeholder.*|example.*|dummy|fake|secret|password)$")
            .expect("the pattern is a constant and covered by tests")
    });
    let value = value.trim();
    if value.is_empty() {
        return ValueShape::Empty;
    }
    if PLACEHOLDER.is_match(value) {
        return ValueShape::Placeholder;
    }
    if let Some(c) = URL.captures(value) {
        return ValueShape::Url { scheme: c[1].to_ascii_lowercase() };
    }
    if let Some(prefix) = PREFIXES.iter().find(|p| value.starts_with(**p) && value.len() > p.len() + 3) {
        return ValueShape::Key { prefix: (*prefix).to_owned() };
    }
    let first = value.split_whitespace().next().unwrap_or_default();
    let lower = first.to_ascii_lowercase();
    let more = value.split_whitespace().count() > 1;
    if more
        && (matches!(
            lower.as_str(),
            "curl" | "wget" | "export" | "bearer" | "authorization:" | "http" | "set"
        ))
        || lower == "export"
    {
        return ValueShape::Command;
    }
    if value.parse::<f64>().is_ok() && !lower.contains(['n', 'i']) {
        return ValueShape::Number;
    }
    match value.to_ascii_lowercase().as_str() {
        "true" | "false" | "yes" | "no" | "on" | "off" => ValueShape::Switch,
        _ => ValueShape::Text,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::tree;

    #[test]
    fn forms_of_values() {
        let url = |scheme: &str| ValueShape::Url { scheme: scheme.to_owned() };
        let key = |prefix: &str| ValueShape::Key { prefix: prefix.to_owned() };
        for (value, want) in [
            ("", ValueShape::Empty),
            ("your-key-here", ValueShape::Placeholder),
            ("<token>", ValueShape::Placeholder),
            ("changeme", ValueShape::Placeholder),
            ("sk_test_xxxxxxxx", ValueShape::Placeholder),
            ("postgres://u:p@h/d", url("postgres")),
            ("postgresql+asyncpg://u:p@h/d", url("postgresql+asyncpg")),
            ("sk_live_4eC39HqLyjWDarjtT1", key("sk_live_")),
            ("curl -X POST https://api.example.test", ValueShape::Command),
            ("Bearer abc.def", ValueShape::Command),
            ("8080", ValueShape::Number),
            ("true", ValueShape::Switch),
            ("k3jh4kj3h4k", ValueShape::Text),
            ("inf", ValueShape::Text),
        ] {
            assert_eq!(shape(value), want, "{value:?}");
        }
    }

    #[test]
    fn values_never_leave_and_a_salt_makes_places_comparable() {
        let (_dir, tree) = tree(&[
            (".env", "A=hunter2-very-secret # why\nB='hunter2-very-secret'\nC=\n"),
            (".env.production", "export A=\"other\"\n"),
            (".env.example", "A=x\n"),
        ]);
        let plain = read(&tree, None);
        assert_eq!(plain.len(), 4);
        assert!(plain.iter().all(|s| s.fingerprint.is_none()));
        let salted = read(&tree, Some("pepper"));
        assert_eq!(salted[0].fingerprint, salted[1].fingerprint);
        assert_ne!(salted[0].fingerprint, salted[3].fingerprint);
        assert_eq!(salted[2].fingerprint, None, "an empty value has nothing to compare");
        assert_ne!(salted[0].fingerprint, read(&tree, Some("salt"))[0].fingerprint);
        assert_eq!(salted[0].fingerprint.as_ref().map(String::len), Some(16));
        assert!(!serde_json::to_string(&salted).unwrap().contains("hunter2"));
    }
}
