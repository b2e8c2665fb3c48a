//! Recipes read as far as their truth goes, each with its recording.

use std::collections::BTreeSet;
use std::fs::File;
use std::io::Read;
use std::path::{Path, PathBuf};

use flate2::read::GzDecoder;
use landfall_diagnosis::{Catalogue, Rung};
use landfall_evidence::Evidence;
pub use landfall_lab::recipe::Half;
use serde::Deserialize;

/// A recipe is a page or two of text; this bound keeps a wrong file from filling the memory.
const LARGEST_RECIPE_BYTE: u64 = 1024 * 1024;
/// A recording is a few hundred kilobytes once unpacked; the bound holds a small file that unpacks to a huge one.
const LARGEST_RECORDING_BYTE: u64 = 64 * 1024 * 1024;
/// Folders below the corpus that are looked into: the layer's, and one more.
const DEEPEST_FOLDER: u8 = 4;

/// The worlds of a folder.
#[derive(Debug, Default)]
pub struct Corpus {
    /// Worlds with a recording, by name.
    pub cases: Vec<Case>,
    /// Names of recipes that have no recording yet; they are counted and not scored.
    pub unrecorded: Vec<String>,
}

/// One world: what is true in it, and what an audit of it saw.
#[derive(Debug, Clone)]
pub struct Case {
    /// Folder and file name without its ending: `edge-origin/nginx-closed-port`.
    pub name: String,
    /// The first folder of the name: a layer of the catalogue, `healthy` or `double`.
    pub layer: String,
    /// For people.
    pub title: String,
    /// The recipe.
    pub path: PathBuf,
    /// What is the case in this world.
    pub truth: Truth,
    /// What the audit saw.
    pub evidence: Evidence,
}

/// What is true in a world, and what may and must not be said of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Truth {
    /// All that is broken; empty in a healthy world.
    pub causes: Vec<String>,
    /// Causes that may stand in one tie with a true one, because this evidence cannot separate them.
    pub rivals: Vec<String>,
    /// Causes that must not be named as likely or above.
    pub never: Vec<String>,
    /// The first rung where a request visibly breaks; `None` when none does.
    pub broken: Option<Rung>,
    /// Whether the rules were written beside this world.
    pub half: Half,
    /// Whether the evidence holds anything of a project, a local backend or a log.
    pub inside: bool,
    /// Whether anything wrong is to be seen from outside.
    pub visible: bool,
    /// Changes of meaning that leave the truth as it is, in this world.
    pub variants: Vec<Permission>,
}

impl Truth {
    /// Whether nothing is wrong in this world.
    pub fn is_healthy(&self) -> bool {
        self.causes.is_empty()
    }

    /// Whether a cause is true here.
    pub fn holds(&self, id: &str) -> bool {
        self.causes.iter().any(|cause| cause == id)
    }

    /// Whether a cause is true here, or may stand beside a true one.
    pub fn admits(&self, id: &str) -> bool {
        self.holds(id) || self.rivals.iter().any(|rival| rival == id)
    }
}

/// A change that keeps the truth of some worlds and not of others, so that the recipe has to allow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Permission {
    /// 502 where the recording has 503, and the reverse.
    Status,
}

/// Why a corpus could not be read; every text names the file, and the line where there is one.
#[derive(Debug, thiserror::Error)]
pub enum CorpusError {
    /// A folder or file cannot be read.
    #[error("{}: cannot be read: {source}", path.display())]
    Unreadable {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: std::io::Error,
    },
    /// The folder holds no recipe.
    #[error(
        "{}: there is no recipe (*.toml) in this folder; name the folder of the corpus with --corpus, in this repository scenarios/corpus",
        path.display()
    )]
    Empty {
        /// The folder.
        path: PathBuf,
    },
    /// A recipe says something that cannot be so.
    #[error("{}: {message}", path.display())]
    Recipe {
        /// The recipe.
        path: PathBuf,
        /// What is wrong, where, and the mend.
        message: String,
    },
    /// A recording cannot be used.
    #[error("{}: {message}; record it again with: cargo run -p landfall-corpus --example corpus -- record {name}", path.display())]
    Recording {
        /// The recording.
        path: PathBuf,
        /// The world's name.
        name: String,
        /// What is wrong with it.
        message: String,
    },
}

#[derive(Deserialize)]
struct RawRecipe {
    title: String,
    truth: RawTruth,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct RawTruth {
    causes: Vec<String>,
    #[serde(default)]
    rivals: Vec<String>,
    #[serde(default)]
    never: Vec<String>,
    #[serde(default)]
    broken: String,
    half: Half,
    #[serde(default = "yes")]
    inside: bool,
    #[serde(default = "yes")]
    visible: bool,
    #[serde(default)]
    variants: Vec<Permission>,
}

fn yes() -> bool {
    true
}

impl Corpus {
    /// Reads every world below a folder whose name holds `only`; an empty text means all.
    ///
    /// # Errors
    /// The first file that cannot be read or is wrong. A recipe without a recording is not an error: it is listed.
    pub fn load(folder: &Path, only: &str, catalogue: &Catalogue) -> Result<Self, CorpusError> {
        let mut recipes = Vec::new();
        recipes_below(folder, DEEPEST_FOLDER, &mut recipes)?;
        if recipes.is_empty() {
            return Err(CorpusError::Empty { path: folder.to_owned() });
        }
        recipes.sort();
        let mut corpus = Self::default();
        for path in recipes {
            let name = name_of(folder, &path);
            if !name.contains(only) {
                continue;
            }
            let (title, truth) = read_recipe(&path, catalogue)?;
            let recording = path.with_extension("json.gz");
            if !recording.exists() {
                corpus.unrecorded.push(name);
                continue;
            }
            let evidence = read_recording(&recording, &name)?;
            let layer = name.split('/').next().unwrap_or_default().to_owned();
            corpus.cases.push(Case { name, layer, title, path, truth, evidence });
        }
        Ok(corpus)
    }
}

fn recipes_below(folder: &Path, depth: u8, found: &mut Vec<PathBuf>) -> Result<(), CorpusError> {
    let unreadable = |source| CorpusError::Unreadable { path: folder.to_owned(), source };
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let path = entry.map_err(unreadable)?.path();
        if path.is_dir() {
            if depth > 0 {
                recipes_below(&path, depth - 1, found)?;
            }
        } else if path.extension().is_some_and(|ending| ending == "toml") {
            found.push(path);
        }
    }
    Ok(())
}

fn name_of(folder: &Path, path: &Path) -> String {
    let inner = path.strip_prefix(folder).unwrap_or(path).with_extension("");
    let parts: Vec<String> = inner.iter().map(|part| part.to_string_lossy().into_owned()).collect();
    parts.join("/")
}

fn read_recipe(path: &Path, catalogue: &Catalogue) -> Result<(String, Truth), CorpusError> {
    let wrong = |message: String| CorpusError::Recipe { path: path.to_owned(), message };
    let bytes = bounded(open(path)?, path, LARGEST_RECIPE_BYTE)?
        .ok_or_else(|| wrong(format!("is larger than {LARGEST_RECIPE_BYTE} bytes, which no recipe is")))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("is not UTF-8 text".to_owned()))?;
    let raw: RawRecipe = toml::from_str(&text).map_err(|e| wrong(e.to_string()))?;
    let truth = check(raw.truth, catalogue).map_err(|message| wrong(format!("[truth] {message}")))?;
    Ok((raw.title, truth))
}

fn check(raw: RawTruth, catalogue: &Catalogue) -> Result<Truth, String> {
    for (key, ids) in [("causes", &raw.causes), ("rivals", &raw.rivals), ("never", &raw.never)] {
        if let Some(id) = ids.iter().find(|id| catalogue.fault(id).is_none()) {
            return Err(format!("{key}: {id:?} is not a fault of catalogue/faults.toml"));
        }
        if let Some(id) = ids.iter().enumerate().find(|(at, id)| ids[..*at].contains(id)).map(|(_, id)| id) {
            return Err(format!("{key}: {id:?} stands there twice"));
        }
    }
    let both: BTreeSet<&String> = raw.causes.iter().chain(&raw.rivals).collect();
    if both.len() != raw.causes.len() + raw.rivals.len() {
        return Err(
            "a cause stands under `causes` and under `rivals`; a rival is one that is not true here".into()
        );
    }
    if let Some(id) = raw.never.iter().find(|id| both.contains(id)) {
        return Err(format!(
            "{id:?} stands under `never` and is true or admitted here; take it out of one of them"
        ));
    }
    if raw.causes.is_empty() && !raw.rivals.is_empty() {
        return Err("a healthy world has no `rivals`: any name given to it is wrong".into());
    }
    let broken = match raw.broken.as_str() {
        "" => None,
        name => Some(Rung::ALL.into_iter().find(|rung| rung.name() == name).ok_or_else(|| {
            let names: Vec<&str> = Rung::ALL.iter().map(|rung| rung.name()).collect();
            format!(
                "broken: {name:?} is no rung; it is one of {}, or empty when none is broken",
                names.join(", ")
            )
        })?),
    };
    if raw.causes.is_empty() && broken.is_some() {
        return Err("`broken` names a rung and `causes` is empty; what is broken has a cause".into());
    }
    Ok(Truth {
        causes: raw.causes,
        rivals: raw.rivals,
        never: raw.never,
        broken,
        half: raw.half,
        inside: raw.inside,
        visible: raw.visible,
        variants: raw.variants,
    })
}

fn read_recording(path: &Path, name: &str) -> Result<Evidence, CorpusError> {
    let wrong =
        |message: String| CorpusError::Recording { path: path.to_owned(), name: name.to_owned(), message };
    let bytes = bounded(GzDecoder::new(open(path)?), path, LARGEST_RECORDING_BYTE)
        .map_err(|e| wrong(format!("is not a whole gzip file ({e})")))?
        .ok_or_else(|| wrong(format!("unpacks to more than {LARGEST_RECORDING_BYTE} bytes")))?;
    let text = String::from_utf8(bytes).map_err(|_| wrong("does not unpack to UTF-8 text".to_owned()))?;
    Evidence::from_json(&text).map_err(|e| wrong(e.to_string()))
}

fn open(path: &Path) -> Result<File, CorpusError> {
    File::open(path).map_err(|source| CorpusError::Unreadable { path: path.to_owned(), source })
}

/// All bytes of a reader, or `None` when there are more than `most`.
fn bounded(reader: impl Read, path: &Path, most: u64) -> Result<Option<Vec<u8>>, CorpusError> {
    let mut bytes = Vec::new();
    reader
        .take(most + 1)
        .read_to_end(&mut bytes)
        .map_err(|source| CorpusError::Unreadable { path: path.to_owned(), source })?;
    Ok((bytes.len() as u64 <= most).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use flate2::Compression;
    use flate2::write::GzEncoder;

    use super::*;

    const EVIDENCE: &str = include_str!("../../../scenarios/levqor-undeployed/evidence.json");
    const RECIPE: &str = r#"
title = "a name without a deployment"
[truth]
causes = ["never-deployed"]
rivals = ["app-stopped-or-paused"]
never = ["cert-expired"]
broken = "platform"
half = "aside"
variants = ["status"]
[[server]]
name = "not read here"
"#;

    fn zipped(bytes: &[u8]) -> Vec<u8> {
        let mut encoder = GzEncoder::new(Vec::new(), Compression::fast());
        encoder.write_all(bytes).expect("memory takes it");
        encoder.finish().expect("memory takes it")
    }

    fn folder(files: &[(&str, &[u8])]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().expect("a temporary folder");
        for (name, bytes) in files {
            let path = folder.path().join(name);
            std::fs::create_dir_all(path.parent().expect("inside the folder")).expect("made");
            std::fs::write(path, bytes).expect("written");
        }
        folder
    }

    fn load(files: &[(&str, &[u8])]) -> Result<Corpus, String> {
        let folder = folder(files);
        Corpus::load(folder.path(), "", Catalogue::embedded())
            .map_err(|e| e.to_string().replace(&*folder.path().to_string_lossy(), "corpus"))
    }

    #[test]
    fn a_recipe_is_read_with_its_recording_and_one_without_is_listed() {
        let corpus = load(&[
            ("platform/none.toml", RECIPE.as_bytes()),
            ("platform/none.json.gz", &zipped(EVIDENCE.as_bytes())),
            ("platform/later.toml", RECIPE.as_bytes()),
        ])
        .expect("a good corpus");
        assert_eq!(corpus.unrecorded, ["platform/later"]);
        let [case] = corpus.cases.as_slice() else { panic!("one case") };
        assert_eq!((case.name.as_str(), case.layer.as_str()), ("platform/none", "platform"));
        assert_eq!(case.truth.broken, Some(Rung::Platform));
        assert_eq!(case.truth.half, Half::Aside);
        assert!(case.truth.inside, "inside evidence is the rule");
        assert_eq!(case.truth.variants, [Permission::Status]);
        assert!(case.truth.holds("never-deployed") && !case.truth.holds("app-stopped-or-paused"));
        assert!(case.truth.admits("app-stopped-or-paused") && !case.truth.admits("cert-expired"));
        assert!(case.evidence.observations.len() > 10);
    }

    #[test]
    fn only_a_part_of_the_corpus_can_be_read() {
        let folder = folder(&[("a/one.toml", RECIPE.as_bytes()), ("b/two.toml", b"not even a recipe")]);
        let corpus =
            Corpus::load(folder.path(), "a/", Catalogue::embedded()).expect("the other is not looked at");
        assert_eq!(corpus.unrecorded, ["a/one"]);
    }

    #[test]
    fn mistakes_are_named_with_their_place() {
        let with = |from: &str, to: &str| {
            assert!(RECIPE.contains(from));
            load(&[("a/x.toml", RECIPE.replace(from, to).as_bytes())]).expect_err("a mistake")
        };
        let unknown = with("\"cert-expired\"", "\"cert-expird\"");
        assert_eq!(
            unknown,
            "corpus/a/x.toml: [truth] never: \"cert-expird\" is not a fault of catalogue/faults.toml"
        );
        assert!(with("broken = \"platform\"", "broken = \"origin\"").contains("\"origin\" is no rung"));
        assert!(with("half = \"aside\"", "half = \"a side\"").contains("line 8"));
        assert!(
            with("rivals = [\"app-stopped-or-paused\"]", "rivals = [\"never-deployed\"]")
                .contains("under `rivals`")
        );
        assert!(with("never = [\"cert-expired\"]", "never = [\"never-deployed\"]").contains("under `never`"));
        assert!(with("causes = [\"never-deployed\"]", "causes = []").contains("has no `rivals`"));
        assert!(with("variants", "variant").contains("unknown field `variant`"));
        assert!(load(&[]).expect_err("nothing there").contains("no recipe"));
        let missing = Corpus::load(Path::new("/nowhere/at/all"), "", Catalogue::embedded());
        assert!(missing.expect_err("no folder").to_string().starts_with("/nowhere/at/all: cannot be read"));
    }

    #[test]
    fn a_broken_recording_is_an_error_and_not_a_panic() {
        let broken = |bytes: &[u8]| {
            load(&[("a/x.toml", RECIPE.as_bytes()), ("a/x.json.gz", bytes)]).expect_err("a mistake")
        };
        assert!(broken(b"plain text").contains("not a whole gzip file"));
        let whole = zipped(EVIDENCE.as_bytes());
        assert!(broken(&whole[..whole.len() / 2]).contains("not a whole gzip file"));
        assert!(broken(&zipped(b"{\"schema\": \"other/1\"}")).contains("other/1"));
        assert!(broken(&zipped(&[0xff, 0xfe])).contains("UTF-8"));
        assert!(broken(&zipped(&EVIDENCE.as_bytes()[..900])).contains("complete JSON"));
        let message = broken(&zipped(b"[]"));
        assert!(message.contains("record it again with"), "{message}");
    }
}
