//! Signs: what the files show that may keep an application from being served, as closed words with a place.
//!
//! Everything here reads and nothing judges: each word is found in projects that serve well too. Patterns over source
//! text are no parser; they look for the usual forms, and what they do not see is not said to be absent.

mod charts;
mod code;
mod compose;
mod data_files;
mod databases;
mod deploys;
mod files;
mod handlers;
#[cfg(test)]
mod harmless_tests;
mod hollow;
mod ignore;
mod images;
mod limits;
mod listens;
mod natives;
mod other_locks;
mod other_runtimes;
mod packages;
mod paths;
mod plan;
mod pods;
mod proxy;
mod removed;
mod runtimes;
mod scale;
mod stops;
mod targets;
mod test_files;
mod units;
mod uses;

use std::collections::BTreeMap;
use std::fs;

use landfall_evidence::{ProjectSign, ProjectSnapshot, SignWord, redact_text};
use regex::Regex;

use crate::deploy::Deploy;
use crate::source::Source;
use crate::tree::{Tree, parent};

/// Signs of one word; more of the same say nothing new.
const MAX_PER_WORD: usize = 12;
/// The longest detail.
const MAX_DETAIL: usize = 200;

/// What the readers have found already.
pub(crate) struct Read<'a> {
    pub(crate) tree: &'a Tree,
    pub(crate) sources: &'a [Source],
    pub(crate) deploys: &'a [Deploy],
    pub(crate) snapshot: &'a ProjectSnapshot,
    /// What they noticed on the way.
    pub(crate) noticed: &'a [(SignWord, String, String)],
}

/// The signs of a project, by word and place.
pub(crate) fn read(read: &Read<'_>) -> (Vec<ProjectSign>, Vec<Built>) {
    let mut found = Found::default();
    let plans = plan::read(read.tree, &mut found);
    files::read(read, &plans, &mut found);
    packages::read(read, &mut found);
    runtimes::read(read, &plans, &mut found);
    deploys::read(read, &plans, &mut found);
    images::read(read, &plans, &mut found);
    code::read(read, &plans, &mut found);
    proxy::read(read, &mut found);
    hollow::read(read, &mut found);
    listens::read(read, &mut found);
    other_locks::read(read, &mut found);
    other_runtimes::read(read.tree, &mut found);
    targets::read(read, &mut found);
    charts::read(read.tree, &mut found);
    pods::read(read, &mut found);
    compose::read(read, &mut found);
    units::read(read, &mut found);
    paths::read(read, &mut found);
    data_files::read(read, &mut found);
    test_files::read(read, &mut found);
    stops::read(read, &plans, &mut found);
    natives::read(read, &mut found);
    databases::read(read, &mut found);
    limits::read(read, &mut found);
    handlers::read(read, &mut found);
    scale::read(read, &mut found);
    removed::read(read, &mut found);
    for (word, place, detail) in read.noticed {
        found.add(*word, place.as_str(), detail.as_str());
    }
    let built = plans
        .iter()
        .filter(|plan| !plan.workflow)
        .map(|plan| Built {
            file: plan.file.clone(),
            build: plan.build.as_ref().map(|said| said.text.clone()),
            root: plan.root.as_ref().map(|said| said.text.clone()),
            replicas: plan.least.as_ref().and_then(|(count, _)| u32::try_from(*count).ok()),
        })
        .collect();
    (found.into_signs(), built)
}

/// What a deploy file says of building and scale.
pub(crate) struct Built {
    pub(crate) file: String,
    pub(crate) build: Option<String>,
    pub(crate) root: Option<String>,
    pub(crate) replicas: Option<u32>,
}

/// Files that do not reach an image or upload.
pub(crate) fn left_out(tree: &Tree) -> Vec<landfall_evidence::LeftOut> {
    files::left_out(tree)
}

/// The collector: bounded, without repetition, in a fixed order.
#[derive(Debug, Default)]
pub(crate) struct Found {
    signs: BTreeMap<SignWord, Vec<ProjectSign>>,
}

impl Found {
    /// Adds a sign.
    pub(crate) fn add(&mut self, word: SignWord, place: impl Into<String>, detail: impl Into<String>) {
        self.add_sign(ProjectSign::new(word, place, detail));
    }

    /// Adds a sign that is about a file.
    pub(crate) fn add_about(
        &mut self,
        word: SignWord,
        place: impl Into<String>,
        detail: impl Into<String>,
        file: &str,
        wanted: Option<&str>,
    ) {
        let sign = ProjectSign::new(word, place, detail);
        self.add_sign(ProjectSign { file: Some(file.to_owned()), wanted: wanted.map(str::to_owned), ..sign });
    }

    fn add_sign(&mut self, mut sign: ProjectSign) {
        sign.detail = redact_text(&sign.detail).chars().take(MAX_DETAIL).collect();
        let of_word = self.signs.entry(sign.sign).or_default();
        // The same thing at a second place is still one sign.
        if of_word.len() < MAX_PER_WORD && of_word.iter().all(|known| known.detail != sign.detail) {
            of_word.push(sign);
        }
    }

    /// Whether a word was found.
    pub(crate) fn has(&self, word: SignWord) -> bool {
        self.signs.contains_key(&word)
    }

    fn into_signs(self) -> Vec<ProjectSign> {
        self.signs.into_values().flatten().collect()
    }
}

/// Whether requests come to the application through another server: its platform's, or a proxy of the project's own.
fn stands_behind_a_proxy(read: &Read<'_>) -> bool {
    const BARE: [&str; 4] = ["docker", "docker-compose", "systemd", "nixpacks"];
    let platform = deploys::production(read).into_iter().any(|d| !BARE.contains(&d.config.platform.as_str()));
    platform
        || read.tree.files.iter().filter(|file| !file.ignored).any(|file| {
            let name = crate::tree::file_name(&file.path);
            (name.ends_with(".conf") || name == "Caddyfile")
                && text(read.tree, &file.path)
                    .is_some_and(|text| text.contains("proxy_pass") || text.contains("reverse_proxy"))
        })
}

/// A word with its first letter as a capital.
fn capital(word: &str) -> String {
    let mut letters = word.chars();
    letters.next().map(|first| first.to_uppercase().chain(letters).collect()).unwrap_or_default()
}

/// A pattern that is a constant.
fn regex(pattern: &str) -> Regex {
    Regex::new(pattern).expect("the patterns are constants and covered by tests")
}

/// `file:line` of an offset in a text.
fn place(file: &str, text: &str, offset: usize) -> String {
    let line = text.as_bytes()[..offset.min(text.len())].iter().filter(|&&b| b == b'\n').count() + 1;
    format!("{file}:{line}")
}

/// Whether a path below the root exists, links not followed. Unlike the walk this sees build outputs and ignored folders.
fn exists(tree: &Tree, path: &str) -> bool {
    inside(path).is_some_and(|path| tree.lies(&path))
}

/// Whether a path below the root is a folder.
fn is_folder(tree: &Tree, path: &str) -> bool {
    inside(path).is_some_and(|path| {
        path.is_empty()
            || tree.entered(&path)
            || (tree.lies(&path) && fs::symlink_metadata(tree.root.join(&path)).is_ok_and(|m| m.is_dir()))
    })
}

/// A path as the project's own: relative, normal, and not leading out of it.
fn inside(path: &str) -> Option<String> {
    let mut parts: Vec<&str> = Vec::new();
    for part in path.trim_start_matches('/').split('/') {
        match part {
            "" | "." => {}
            ".." => {
                parts.pop()?;
            }
            part => parts.push(part),
        }
    }
    Some(parts.join("/"))
}

/// A path beside another file, normal.
pub(crate) fn beside(file: &str, relative: &str) -> Option<String> {
    inside(&format!("{}/{relative}", parent(file)))
}

/// Files that are searched for one word.
const MAX_SEARCHED: usize = 400;

/// Whether a file with one of these endings shows a pattern.
fn any_file(tree: &Tree, endings: &[&str], pattern: &Regex) -> bool {
    let is_one = |path: &str| endings.iter().any(|end| path.ends_with(end));
    let mut files = tree.files.iter().filter(|file| !file.ignored && is_one(&file.path)).take(MAX_SEARCHED);
    files.any(|file| text(tree, &file.path).is_some_and(|text| pattern.is_match(&text)))
}

/// The text of a file of the walk, when it can be read.
fn text(tree: &Tree, path: &str) -> Option<String> {
    tree.text(path)?.ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::folder;
    use landfall_evidence::Observed;

    /// The signs of a folder with these files, as `word detail`.
    pub(super) fn signs(files: &[(&str, &str)]) -> Vec<String> {
        let dir = folder(files);
        let Observed::Present(seen) = crate::read(dir.path()) else { panic!("a folder can be read") };
        seen.signs.iter().map(|s| format!("{} {} @{}", s.sign.name(), s.detail, s.place)).collect()
    }

    /// Whether one of the signs begins so.
    #[track_caller]
    pub(super) fn has(files: &[(&str, &str)], begins: &str) {
        let found = signs(files);
        assert!(found.iter().any(|s| s.starts_with(begins)), "{begins:?} is not in {found:#?}");
    }

    /// That none of the signs is of this word.
    #[track_caller]
    pub(super) fn lacks(files: &[(&str, &str)], word: &str) {
        let found = signs(files);
        let of_word = format!("{word} ");
        assert!(found.iter().all(|s| !s.starts_with(&of_word)), "{word:?} is in {found:#?}");
    }

    #[test]
    fn paths_never_lead_out() {
        assert_eq!(inside("./a//b/../c"), Some("a/c".to_owned()));
        assert_eq!(inside("../x"), None);
        assert_eq!(inside("a/../../x"), None);
        assert_eq!(beside("src/a.js", "../b"), Some("b".to_owned()));
    }

    #[test]
    fn the_same_detail_is_one_sign_and_there_is_a_bound() {
        let mut found = Found::default();
        found.add(SignWord::DevServer, "a:1", "x");
        found.add(SignWord::DevServer, "b:1", "x");
        for i in 0..100 {
            found.add(SignWord::EnvNotRead, "c", format!("N{i}"));
        }
        let signs = found.into_signs();
        assert_eq!(signs.len(), 1 + MAX_PER_WORD);
    }

    #[test]
    fn an_empty_folder_shows_nothing() {
        assert!(signs(&[]).is_empty());
    }
}
