//! `Content-Security-Policy` (W3C CSP Level 3), as far as MDN's Observatory judges it.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};

/// Sources by directive. Where several policies are sent a browser enforces all of them; the sources that all allow are
/// what is left, and a directive that only some have is as the ones that have it say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    directives: BTreeMap<String, BTreeSet<String>>,
}

/// A policy shorter than this can mean nothing, in bytes: `img-src` less one, the Observatory's bound.
const SHORTEST_BYTE: usize = 6;

impl Policy {
    /// Reads all field lines together. `None` when there is none, or one cannot be read: it is empty, or has a directive
    /// twice, of which browsers take the first and people usually mean the second.
    pub fn parse(lines: &[&str]) -> Option<Self> {
        let mut all: Option<BTreeMap<String, BTreeSet<String>>> = None;
        // A comma separates policies (section 2.2.2).
        for text in lines.iter().flat_map(|line| line.split(',')).map(str::trim) {
            if text.len() < SHORTEST_BYTE {
                return None;
            }
            let one = policy(text)?;
            all = Some(match all {
                None => one,
                Some(mut so_far) => {
                    for (name, sources) in one {
                        match so_far.get_mut(&name) {
                            Some(known) => known.retain(|source| sources.contains(source)),
                            None => drop(so_far.insert(name, sources)),
                        }
                    }
                    so_far
                }
            });
        }
        let mut directives = all?;
        for sources in directives.values_mut().filter(|sources| sources.is_empty()) {
            sources.insert("'none'".to_owned());
        }
        Some(Self { directives })
    }

    /// The sources of a directive, in lower case.
    pub fn sources(&self, directive: &str) -> Option<&BTreeSet<String>> {
        self.directives.get(directive)
    }

    /// The sources of a fetch directive, of `default-src` in its place, or everything.
    pub fn effective(&self, directive: &str) -> BTreeSet<String> {
        let found = self.sources(directive).or_else(|| self.sources("default-src"));
        found.cloned().unwrap_or_else(|| BTreeSet::from(["*".to_owned()]))
    }

    /// All directives with their sources.
    pub fn directives(&self) -> impl Iterator<Item = (&str, &BTreeSet<String>)> {
        self.directives.iter().map(|(name, sources)| (name.as_str(), sources))
    }
}

fn policy(text: &str) -> Option<BTreeMap<String, BTreeSet<String>>> {
    let mut found = BTreeMap::new();
    for directive in text.split(';').map(str::trim).filter(|d| !d.is_empty()) {
        let mut words = directive.split_whitespace();
        let name = words.next()?.to_ascii_lowercase();
        let mut sources: BTreeSet<String> = words.map(str::to_ascii_lowercase).collect();
        if sources.is_empty() && name.ends_with("-src") {
            sources.insert("'none'".to_owned());
        }
        let reports = matches!(name.as_str(), "report-uri" | "report-to");
        match found.entry(name) {
            Entry::Vacant(slot) => drop(slot.insert(sources)),
            // Of what is sent to report to, the first counts, and nobody is harmed by a second.
            Entry::Occupied(_) if reports => {}
            Entry::Occupied(_) => return None,
        }
    }
    Some(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn policies_are_read_and_joined() {
        let one = Policy::parse(&[
            "Default-Src 'none'; script-src 'self' https://a.test; img-src; report-uri /x; report-uri /y",
        ])
        .expect("a policy");
        assert!(one.sources("default-src").is_some_and(|s| s.contains("'none'")));
        assert_eq!(one.effective("style-src"), BTreeSet::from(["'none'".to_owned()]));
        assert_eq!(one.sources("img-src"), Some(&BTreeSet::from(["'none'".to_owned()])), "no source is none");
        let both = Policy::parse(&["script-src 'self' *", "script-src 'self'"]).expect("policies");
        assert_eq!(both.effective("script-src"), BTreeSet::from(["'self'".to_owned()]));
        assert_eq!(both.effective("img-src"), BTreeSet::from(["*".to_owned()]), "nothing limits it");
        let apart = Policy::parse(&["img-src a.test, img-src b.test"]).expect("policies");
        assert_eq!(apart.effective("img-src"), BTreeSet::from(["'none'".to_owned()]));
    }

    #[test]
    fn what_cannot_be_read() {
        assert_eq!(Policy::parse(&[]), None);
        for wrong in ["", "abc", "script-src 'self'; script-src *", "script-src 'self',"] {
            assert_eq!(Policy::parse(&[wrong]), None, "{wrong:?}");
        }
    }
}
