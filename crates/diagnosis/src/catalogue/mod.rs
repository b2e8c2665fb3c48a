//! The catalogue: faults, response signatures, network owners and cause hypotheses, as data.
//!
//! The files are built into the program, each parsed once, when something of it is first asked for. A person who adds an
//! entry needs no Rust; a mistake in a file is reported with the file, the entry and the mend, and the tests load every file.

mod additions;
mod altered;
mod fault;
mod part;

use std::collections::BTreeMap;
use std::sync::{Arc, LazyLock};

use sha2::{Digest, Sha256};

pub use fault::{Discriminator, Fault, Layer, NotObservable, Rung};
use part::Part;

use crate::causes::{Hypothesis, read_hypotheses};
use crate::claims::{Statement, read_statements};
use crate::lines::{LineIndex, LogLine};
use crate::owners::{Owner, OwnerFile};
use crate::signatures::{Signature, SignatureIndex};

/// The files of one catalogue, by name and content.
#[derive(Debug, Clone, Copy)]
pub struct Sources<'a> {
    /// `faults.toml`.
    pub faults: &'a str,
    /// `signatures.toml`.
    pub signatures: &'a str,
    /// `network-owners.toml`.
    pub owners: &'a str,
    /// `log-lines.toml`.
    pub lines: &'a str,
    /// `statements.toml`.
    pub statements: &'a str,
    /// `not-observable.toml`.
    pub not_observable: &'a str,
    /// `chains.toml`.
    pub chains: &'a str,
    /// The files of `causes/`, each with its name.
    pub causes: &'a [(&'a str, &'a str)],
}

/// The hypotheses, one file a layer.
const CAUSES: &[(&str, &str)] = &[
    ("causes/app.toml", include_str!("../../../../catalogue/causes/app.toml")),
    ("causes/delegation.toml", include_str!("../../../../catalogue/causes/delegation.toml")),
    ("causes/dependency.toml", include_str!("../../../../catalogue/causes/dependency.toml")),
    ("causes/edge-origin.toml", include_str!("../../../../catalogue/causes/edge-origin.toml")),
    ("causes/edge.toml", include_str!("../../../../catalogue/causes/edge.toml")),
    ("causes/host.toml", include_str!("../../../../catalogue/causes/host.toml")),
    ("causes/monitor.toml", include_str!("../../../../catalogue/causes/monitor.toml")),
    ("causes/platform.toml", include_str!("../../../../catalogue/causes/platform.toml")),
    ("causes/process.toml", include_str!("../../../../catalogue/causes/process.toml")),
    ("causes/project.toml", include_str!("../../../../catalogue/causes/project.toml")),
    ("causes/rate-limit.toml", include_str!("../../../../catalogue/causes/rate-limit.toml")),
    ("causes/registrar.toml", include_str!("../../../../catalogue/causes/registrar.toml")),
    ("causes/resolver.toml", include_str!("../../../../catalogue/causes/resolver.toml")),
    ("causes/route.toml", include_str!("../../../../catalogue/causes/route.toml")),
    ("causes/tcp.toml", include_str!("../../../../catalogue/causes/tcp.toml")),
    ("causes/tls.toml", include_str!("../../../../catalogue/causes/tls.toml")),
    ("causes/zone.toml", include_str!("../../../../catalogue/causes/zone.toml")),
];

pub(crate) const EMBEDDED: Sources<'static> = Sources {
    faults: include_str!("../../../../catalogue/faults.toml"),
    signatures: include_str!("../../../../catalogue/signatures.toml"),
    owners: include_str!("../../../../catalogue/network-owners.toml"),
    lines: include_str!("../../../../catalogue/log-lines.toml"),
    statements: include_str!("../../../../catalogue/statements.toml"),
    not_observable: include_str!("../../../../catalogue/not-observable.toml"),
    chains: include_str!("../../../../catalogue/chains.toml"),
    causes: CAUSES,
};

/// A mistake in a catalogue file.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{file}: {message}")]
pub struct CatalogueError {
    /// The file, relative to the catalogue folder.
    pub file: String,
    /// Which entry, what is wrong with it, and the mend.
    pub message: String,
}

impl CatalogueError {
    pub(crate) fn new(file: &str, message: impl Into<String>) -> Self {
        Self { file: file.to_owned(), message: message.into() }
    }
}

/// A loaded catalogue.
///
/// Its parts are shared between a catalogue and the altered ones made of it ([`Catalogue::without`],
/// [`Catalogue::perturbed`]), so that making one of those costs next to nothing. Those of the built-in one are read when
/// they are first asked for.
#[derive(Debug, Clone)]
pub struct Catalogue {
    faults: Part<Faults>,
    pub(crate) signatures: Part<SignatureIndex>,
    pub(crate) owners: Part<Vec<Owner>>,
    pub(crate) lines: Part<LineIndex>,
    pub(crate) statements: Part<BTreeMap<String, Statement>>,
    not_observable: Part<BTreeMap<String, NotObservable>>,
    chains: Part<fault::Chains>,
    hypotheses: Part<Hypotheses>,
    hash: Part<String>,
}

/// `faults.toml`: the layers in its order, and the faults by id.
#[derive(Debug, Clone)]
struct Faults {
    layers: Vec<Layer>,
    by_id: BTreeMap<String, Fault>,
}

/// All hypotheses by id, each shared with the catalogues that leave it as it is.
type Hypotheses = BTreeMap<String, Arc<Hypothesis>>;

/// What a reader made of a file of the program itself.
fn sound<T>(read: impl FnOnce(&mut Vec<CatalogueError>) -> T) -> T {
    let mut errors = Vec::new();
    let value = read(&mut errors);
    if !errors.is_empty() {
        // A fault in a built-in file is a fault of this build; the test below keeps it from being shipped.
        let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
        panic!("the built-in catalogue does not load:\n{}", lines.join("\n"));
    }
    value
}

impl Catalogue {
    /// The catalogue built into the program. Nothing of it is read yet; [`Catalogue::read_ahead`] does that.
    pub fn embedded() -> &'static Self {
        static CATALOGUE: LazyLock<Catalogue> = LazyLock::new(|| {
            let faults = Part::later(|| sound(|errors| Faults::read(EMBEDDED.faults, errors)));
            let (of_chains, of_others, of_causes) = (faults.clone(), faults.clone(), faults.clone());
            Catalogue {
                faults,
                signatures: Part::later(|| sound(|e| SignatureIndex::read(EMBEDDED.signatures, e))),
                owners: Part::later(|| sound(|e| OwnerFile::read(EMBEDDED.owners, e))),
                lines: Part::later(|| sound(|e| LineIndex::read(EMBEDDED.lines, e))),
                statements: Part::later(|| sound(|e| read_statements(EMBEDDED.statements, e))),
                not_observable: Part::later(move || {
                    sound(|e| fault::read_not_observable(EMBEDDED.not_observable, &of_others.by_id, e))
                }),
                chains: Part::later(move || {
                    sound(|e| fault::read_chains(EMBEDDED.chains, &of_chains.by_id, e))
                }),
                hypotheses: Part::later(move || {
                    sound(|e| shared(read_hypotheses(EMBEDDED.causes, &of_causes.by_id, e)))
                }),
                hash: Part::later(|| hash_of(&EMBEDDED)),
            }
        });
        &CATALOGUE
    }

    /// Begins to read, on threads of its own, what a diagnosis needs, for a caller who has to wait for something else first. A
    /// diagnosis that comes sooner waits for the rest, or reads it itself.
    pub fn read_ahead(&'static self) {
        let parts: [fn(&Self); 2] = [
            |all| _ = (all.hypotheses.len(), all.chains.len()),
            |all| _ = (all.signatures.ready(), all.owners.len(), all.hash.len()),
        ];
        for read in parts {
            // Without a thread the diagnosis reads it: nothing is lost but time.
            let _ = std::thread::Builder::new().name("catalogue".into()).spawn(move || read(self));
        }
    }

    /// The built-in catalogue with the entries of other files added. An entry with the id of a built-in one stands in its
    /// place. `files` have the names of the built-in ones (`faults.toml`, `signatures.toml`, `causes/NAME.toml`, …), with
    /// their text.
    ///
    /// # Errors
    /// Every mistake that was found, each with its file and entry.
    pub fn with_additions(files: &[(String, String)]) -> Result<Self, Vec<CatalogueError>> {
        additions::read(&EMBEDDED, files)
    }

    /// Reads a catalogue from the text of its files.
    ///
    /// # Errors
    /// Every mistake that was found, each with its file and entry.
    pub fn parse(sources: &Sources<'_>) -> Result<Self, Vec<CatalogueError>> {
        let mut errors = Vec::new();
        let faults = Faults::read(sources.faults, &mut errors);
        let signatures = SignatureIndex::read(sources.signatures, &mut errors);
        let owners = OwnerFile::read(sources.owners, &mut errors);
        let lines = LineIndex::read(sources.lines, &mut errors);
        let statements = read_statements(sources.statements, &mut errors);
        let not_observable = fault::read_not_observable(sources.not_observable, &faults.by_id, &mut errors);
        let chains = fault::read_chains(sources.chains, &faults.by_id, &mut errors);
        let hypotheses = read_hypotheses(sources.causes, &faults.by_id, &mut errors);
        for hypothesis in hypotheses.values() {
            for word in hypothesis.line_words().filter(|word| !lines.knows(word)) {
                let message = format!(
                    "{}: log.says and http.says never say {word:?}; it is not an id of log-lines.toml",
                    hypothesis.id
                );
                errors.push(CatalogueError::new("causes", message));
            }
        }
        if errors.is_empty() {
            Ok(Self {
                faults: Part::of(faults),
                signatures: Part::of(signatures),
                owners: Part::of(owners),
                lines: Part::of(lines),
                statements: Part::of(statements),
                not_observable: Part::of(not_observable),
                chains: Part::of(chains),
                hypotheses: Part::of(shared(hypotheses)),
                hash: Part::of(hash_of(sources)),
            })
        } else {
            Err(errors)
        }
    }

    /// Names this version of the catalogue: the first 16 hexadecimal digits of a SHA-256 over its files.
    pub fn hash(&self) -> &str {
        &self.hash
    }

    /// Whether an entry of `log-lines.toml` may have something to say of a line of a log, so that whoever reads a log keeps
    /// it.
    pub fn knows_log_line(&self, line: &str) -> bool {
        self.lines.knows_line(line)
    }

    /// Causes for which a log's saying so speaks, those first for which it speaks most.
    pub(crate) fn causes_that_hear(&self, word: &str) -> Vec<&str> {
        let mut hearing: Vec<(i32, &str)> =
            self.causes().filter_map(|h| Some((h.hears(word)?, h.id.as_str()))).collect();
        hearing.sort_by_key(|(weight, id)| (std::cmp::Reverse(*weight), *id));
        hearing.into_iter().map(|(_, id)| id).collect()
    }

    /// The layers of the ladder, as the catalogue lists them.
    pub fn layers(&self) -> impl Iterator<Item = &Layer> {
        self.faults.layers.iter()
    }

    /// A fault by its id.
    pub fn fault(&self, id: &str) -> Option<&Fault> {
        self.faults.by_id.get(id)
    }

    /// All faults, by id.
    pub fn faults(&self) -> impl Iterator<Item = &Fault> {
        self.faults.by_id.values()
    }

    /// Why no observation shows a fault, when the catalogue admits that none does.
    pub fn not_observable(&self, id: &str) -> Option<&NotObservable> {
        self.not_observable.get(id)
    }

    /// Whether a fault may show itself through another, which is then just as true and less deep.
    pub fn leads_to(&self, from: &str, to: &str) -> bool {
        self.chains.get(from).is_some_and(|chain| chain.contains(to))
    }

    /// A signature by its id.
    pub fn signature(&self, id: &str) -> Option<&Signature> {
        self.signatures.by_id(id)
    }

    /// All signatures, in the order of the file.
    pub fn signatures(&self) -> impl Iterator<Item = &Signature> {
        self.signatures.iter()
    }

    /// The hypothesis behind a cause, when the engine knows that cause.
    pub fn cause(&self, id: &str) -> Option<&Hypothesis> {
        self.hypotheses.get(id).map(Arc::as_ref)
    }

    /// All hypotheses, by id.
    pub fn causes(&self) -> impl Iterator<Item = &Hypothesis> {
        self.hypotheses.values().map(Arc::as_ref)
    }

    /// Whether this vendor leaves marks that can be seen, or missed: header fields on every answer, or addresses that are
    /// known to be its own.
    pub(crate) fn knows_vendor(&self, vendor: &str) -> bool {
        let alike = |name: &str| name == vendor || name.split('-').any(|part| part == vendor);
        let marks = |s: &&Signature| s.meaning == crate::signatures::Meaning::HopMarker && alike(&s.vendor);
        self.signatures().find(marks).is_some()
            || self
                .owners()
                .any(|owner| alike(&owner.vendor) && !(owner.ipv4.is_empty() && owner.ipv6.is_empty()))
    }

    /// What lines of a log say, in the order of the file.
    pub fn log_lines(&self) -> impl Iterator<Item = &LogLine> {
        self.lines.iter()
    }

    /// All network owners, in the order of the file.
    pub fn owners(&self) -> impl Iterator<Item = &Owner> {
        self.owners.iter()
    }
}

impl Faults {
    fn read(text: &str, errors: &mut Vec<CatalogueError>) -> Self {
        let (layers, by_id) = fault::read(text, errors);
        Self { layers, by_id }
    }
}

fn shared(hypotheses: BTreeMap<String, Hypothesis>) -> Hypotheses {
    hypotheses.into_iter().map(|(id, hypothesis)| (id, Arc::new(hypothesis))).collect()
}

fn hash_of(sources: &Sources<'_>) -> String {
    let mut hasher = Sha256::new();
    for text in [
        sources.faults,
        sources.signatures,
        sources.owners,
        sources.lines,
        sources.statements,
        sources.not_observable,
        sources.chains,
    ] {
        hasher.update((text.len() as u64).to_be_bytes());
        hasher.update(text);
    }
    for (name, text) in sources.causes {
        for part in [name, text] {
            hasher.update((part.len() as u64).to_be_bytes());
            hasher.update(part);
        }
    }
    hasher.finalize().iter().take(8).map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_built_in_catalogue_loads_whole() {
        let catalogue = Catalogue::parse(&EMBEDDED).unwrap_or_else(|errors| {
            let lines: Vec<String> = errors.iter().map(ToString::to_string).collect();
            panic!("{}", lines.join("\n"))
        });
        assert_eq!(catalogue.faults().count(), 200);
        assert!(catalogue.signatures().count() >= 604);
        assert!(catalogue.owners().count() >= 100);
        assert!(catalogue.causes().count() >= 30, "{} causes", catalogue.causes().count());
        assert_eq!(catalogue.hash().len(), 16);
    }

    #[test]
    fn every_file_of_the_causes_folder_is_built_in() {
        let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../catalogue/causes");
        let mut on_disk: Vec<String> = std::fs::read_dir(folder)
            .expect("the folder is part of the repository")
            .map(|entry| format!("causes/{}", entry.expect("readable").file_name().to_string_lossy()))
            .collect();
        on_disk.sort();
        let built_in: Vec<&str> = CAUSES.iter().map(|(name, _)| *name).collect();
        assert_eq!(on_disk, built_in);
    }

    #[test]
    fn another_text_is_another_version() {
        let mut other = EMBEDDED;
        let changed = [CAUSES, &[("causes/more.toml", "")]].concat();
        other.causes = &changed;
        assert_ne!(hash_of(&EMBEDDED), hash_of(&other));
    }
}
