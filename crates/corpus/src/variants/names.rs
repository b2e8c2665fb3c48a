//! Other names, addresses and versions, the same everywhere in the evidence.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use landfall_evidence::Evidence;
use regex::{Captures, Regex};

use super::prng::Prng;
use super::rewritten;

/// Products whose version stands in `Server` and on their pages. Languages are left out: their version may be the fault.
static PRODUCT: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(
        r"\b(nginx|openresty|Apache|Tengine|LiteSpeed|Werkzeug|gunicorn|lighttpd)/(\d+)\.(\d+)((?:\.\d+)*)",
    )
    .expect("a literal pattern")
});

/// The label before the reserved ending `.test` (RFC 6761), which is the registered domain of every world.
static LABEL: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"(?i)\b([a-z0-9](?:[a-z0-9-]*[a-z0-9])?)\.test\b").expect("a literal pattern")
});

/// Addresses for documentation (RFC 5737): what recipes call public.
const BLOCKS: [&str; 3] = ["192.0.2.", "198.51.100.", "203.0.113."];

/// Every product in another minor version, the same one wherever it stands. `None` when none is told.
pub(super) fn versions(evidence: &Evidence, prng: &mut Prng) -> Option<Evidence> {
    let mut chosen: BTreeMap<String, String> = BTreeMap::new();
    rewritten(evidence, |text| {
        PRODUCT
            .replace_all(&text, |found: &Captures<'_>| {
                let minor = 1 + prng.below(7);
                let fresh = || {
                    let old: usize = found[3].parse().unwrap_or(0);
                    let patch = if found[4].is_empty() { String::new() } else { format!(".{minor}") };
                    format!("{}/{}.{}{patch}", &found[1], &found[2], old + minor)
                };
                chosen.entry(found[0].to_owned()).or_insert_with(fresh).clone()
            })
            .into_owned()
    })
}

/// Another registered domain. Each label before `.test` gets the same ending, so that names which were alike, misspelt
/// or doubled still are. `None` for a target outside `.test`.
pub(super) fn hosts(evidence: &Evidence) -> Option<Evidence> {
    let host = evidence.target.production.as_ref()?.host_str()?;
    if !LABEL.is_match(host) {
        return None;
    }
    rewritten(evidence, |text| LABEL.replace_all(&text, "${1}quay.test").into_owned())
}

/// Another block of addresses. `None` where the first is not used, or where no other is free.
pub(super) fn addresses(evidence: &Evidence) -> Option<Evidence> {
    rewritten(evidence, |text| {
        let free = BLOCKS[1..].iter().find(|block| !text.contains(**block));
        match free {
            // Not inside a longer number: 1192.0.2. is no address of the block.
            Some(block) => Regex::new(r"\b192\.0\.2\.(\d{1,3})\b")
                .expect("a literal pattern")
                .replace_all(&text, format!("{block}${{1}}"))
                .into_owned(),
            None => text,
        }
    })
}

#[cfg(test)]
mod tests {
    use super::super::testkit;
    use super::*;

    /// The world under a name and an address as recipes have them.
    fn evidence() -> Evidence {
        let case = testkit::case();
        let host =
            case.evidence.target.production.as_ref().and_then(|u| u.host_str()).expect("a host").to_owned();
        let text =
            case.evidence.to_json().replace(&host, "api.example.test").replace("104.21.14.105", "192.0.2.10");
        Evidence::from_json(&text).expect("still evidence")
    }

    #[test]
    fn a_host_is_renamed_everywhere() {
        let before = evidence();
        let after = hosts(&before).expect("a name under .test");
        assert!(before.to_json().contains("api.example.test"));
        let text = after.to_json();
        assert!(!text.contains("example.test"));
        assert_eq!(
            text.matches("api.examplequay.test").count(),
            before.to_json().matches("api.example.test").count()
        );
        assert_eq!(
            after.target.production.as_ref().map(url::Url::as_str),
            Some("https://api.examplequay.test/")
        );
        assert_eq!(hosts(&testkit::case().evidence), None, "this world is not under .test");
    }

    #[test]
    fn names_that_were_alike_stay_alike() {
        let renamed = |text: &str| LABEL.replace_all(text, "${1}quay.test").into_owned();
        assert_eq!(renamed("api.exmaple.test api.example.test"), "api.exmaplequay.test api.examplequay.test");
        assert_eq!(renamed("api.example.test.example.test"), "api.examplequay.test.examplequay.test");
        assert_eq!(renamed("pytest.testing"), "pytest.testing");
    }

    #[test]
    fn addresses_move_to_a_free_block() {
        let before = evidence();
        let after = addresses(&before).expect("an address of the block");
        assert!(!after.to_json().contains("192.0.2."));
        let taken = Evidence::from_json(&before.to_json().replace("api.example.test", "198.51.100.7"))
            .expect("evidence");
        assert!(addresses(&taken).expect("another is free").to_json().contains("203.0.113.10"));
    }

    #[test]
    fn a_version_is_another_one_wherever_it_stands() {
        let mut before = evidence();
        before.settings.user_agent = "nginx/1.22.1 and again nginx/1.22.1, Python/3.11".to_owned();
        let after = versions(&before, &mut Prng::new("x", 1)).expect("a version is told");
        let words: Vec<&str> = after.settings.user_agent.split(' ').collect();
        assert_ne!(words[0], "nginx/1.22.1");
        assert!(words[0].starts_with("nginx/1.2"), "{words:?}");
        assert_eq!(format!("{},", words[0]), words[3]);
        assert_eq!(words[4], "Python/3.11");
    }
}
