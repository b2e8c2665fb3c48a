//! The catalogue that an audit uses: the built-in one, or that one with a person's own entries.

use std::ops::Deref;
use std::path::{Path, PathBuf};

use landfall_diagnosis::{Catalogue, CatalogueError};

/// Files of a catalogue are a few hundred kilobytes; this bound keeps a wrong folder from filling the memory.
const LARGEST_BYTE: u64 = 16 * 1024 * 1024;
/// Files of one folder that are read at most.
const MOST_FILES: usize = 1_000;

/// A catalogue that is ready for use.
#[derive(Debug)]
pub enum Loaded {
    /// The one built into the program.
    BuiltIn(&'static Catalogue),
    /// That one with entries of a folder.
    Extended(Box<Catalogue>),
}

impl Loaded {
    /// See [`Catalogue::read_ahead`]. One with entries of a folder is read already.
    pub fn read_ahead(&self) {
        match self {
            Self::BuiltIn(catalogue) => catalogue.read_ahead(),
            Self::Extended(_) => {}
        }
    }
}

impl Deref for Loaded {
    type Target = Catalogue;

    fn deref(&self) -> &Catalogue {
        match self {
            Self::BuiltIn(catalogue) => catalogue,
            Self::Extended(catalogue) => catalogue,
        }
    }
}

/// Why a folder is not a catalogue.
#[derive(Debug, thiserror::Error)]
pub enum CatalogueFolderError {
    /// The folder or a file in it cannot be read.
    #[error("{}: {source}", path.display())]
    Unreadable {
        /// Which.
        path: PathBuf,
        /// What the operating system says.
        source: std::io::Error,
    },
    /// Nothing in it is a file of a catalogue.
    #[error("{}: holds no file of a catalogue: faults.toml, signatures.toml, causes/NAME.toml and their like", .0.display())]
    Empty(PathBuf),
    /// A file is far too large.
    #[error("{}: is larger than {} MiB, which no file of a catalogue is", .0.display(), LARGEST_BYTE / 1024 / 1024)]
    TooLarge(PathBuf),
    /// There are far too many files.
    #[error("{}: holds more than {MOST_FILES} files of causes", .0.display())]
    TooMany(PathBuf),
    /// Mistakes in its files.
    #[error("the catalogue in {} does not load:{}", folder.display(), lines(mistakes))]
    Mistakes {
        /// The folder.
        folder: PathBuf,
        /// Every mistake that was found.
        mistakes: Vec<CatalogueError>,
    },
}

fn lines(mistakes: &[CatalogueError]) -> String {
    mistakes.iter().map(|mistake| format!("\n  {mistake}")).collect()
}

/// The built-in catalogue, with the entries of `folder` when one is given. An entry with the id of a built-in one stands in
/// its place.
///
/// # Errors
/// When the folder cannot be read, holds nothing of a catalogue, or has mistakes; all of them are named.
pub fn load(folder: Option<&Path>) -> Result<Loaded, CatalogueFolderError> {
    let Some(folder) = folder else { return Ok(Loaded::BuiltIn(Catalogue::embedded())) };
    let mut files = Vec::new();
    let mut names = listed(folder, "")?;
    if folder.join("causes").is_dir() {
        names.extend(listed(&folder.join("causes"), "causes/")?);
    }
    for name in names {
        let path = folder.join(&name);
        let unreadable = |source| CatalogueFolderError::Unreadable { path: path.clone(), source };
        if std::fs::metadata(&path).map_err(unreadable)?.len() > LARGEST_BYTE {
            return Err(CatalogueFolderError::TooLarge(path));
        }
        files.push((name, std::fs::read_to_string(&path).map_err(unreadable)?));
    }
    if files.is_empty() {
        return Err(CatalogueFolderError::Empty(folder.to_owned()));
    }
    let catalogue = Catalogue::with_additions(&files)
        .map_err(|mistakes| CatalogueFolderError::Mistakes { folder: folder.to_owned(), mistakes })?;
    Ok(Loaded::Extended(Box::new(catalogue)))
}

/// The names of the TOML files of a folder, sorted.
fn listed(folder: &Path, prefix: &str) -> Result<Vec<String>, CatalogueFolderError> {
    let unreadable = |source| CatalogueFolderError::Unreadable { path: folder.to_owned(), source };
    let mut names = Vec::new();
    for entry in std::fs::read_dir(folder).map_err(unreadable)? {
        let name = entry.map_err(unreadable)?.file_name().to_string_lossy().into_owned();
        if name.ends_with(".toml") && !name.starts_with('.') {
            names.push(format!("{prefix}{name}"));
        }
        if names.len() > MOST_FILES {
            return Err(CatalogueFolderError::TooMany(folder.to_owned()));
        }
    }
    names.sort();
    Ok(names)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_is_laid_over_the_built_in_catalogue() {
        let repository = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalogue/causes/tcp.toml");
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::create_dir(folder.path().join("causes")).expect("made");
        std::fs::copy(repository, folder.path().join("causes/tcp.toml")).expect("copied");
        let loaded = load(Some(folder.path())).unwrap_or_else(|e| panic!("{e}"));
        assert_eq!(loaded.causes().count(), Catalogue::embedded().causes().count());
        assert!(matches!(load(None), Ok(Loaded::BuiltIn(_))));
    }

    #[test]
    fn the_repositorys_own_folder_is_a_catalogue() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../catalogue");
        let loaded = load(Some(&folder)).unwrap_or_else(|e| panic!("{e}"));
        let embedded = Catalogue::embedded();
        assert!(loaded.causes().map(|cause| &cause.id).eq(embedded.causes().map(|cause| &cause.id)));
        assert_eq!(loaded.signatures().count(), embedded.signatures().count());
    }

    #[test]
    fn what_is_wrong_with_a_folder_is_said_with_its_place() {
        let folder = tempfile::tempdir().expect("a folder");
        let said = |path: &Path| load(Some(path)).expect_err("it does not load").to_string();
        assert!(said(&folder.path().join("absent")).contains("absent: No such file"));
        assert!(said(folder.path()).contains("holds no file of a catalogue"));
        std::fs::write(folder.path().join("signatures.toml"), "[[signature]]\nid = \"ours\"\n")
            .expect("written");
        assert!(
            said(folder.path()).contains("signatures.toml: ours: missing field"),
            "{}",
            said(folder.path())
        );
    }
}
