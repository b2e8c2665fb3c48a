//! The bounded walk of a project folder.

use std::collections::{HashMap, HashSet, VecDeque};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};

/// Entries looked at in one walk. Monorepos of some 100,000 files are read whole; a folder with more is not read to its end
/// and the snapshot says so.
const MAX_ENTRIES: usize = 250_000;
/// Folders deeper than this hold generated code, or a loop that somebody built.
const MAX_DEPTH: usize = 24;
/// The longest file that is read as text. Hand-written sources stay far below.
const MAX_FILE_BYTE: u64 = 1 << 20;

/// Folders that hold no code of the project, by name.
const SKIPPED: &[&str] = &[
    ".git",
    ".hg",
    ".svn",
    ".venv",
    "venv",
    ".tox",
    ".nox",
    "node_modules",
    "__pycache__",
    "target",
    ".mypy_cache",
    ".pytest_cache",
    ".ruff_cache",
    ".next",
    ".nuxt",
    "dist",
    ".cache",
    ".idea",
    ".vscode",
    ".pythonlibs",
    ".upm",
    ".local",
    "site-packages",
    ".terraform",
    "vendor",
    ".eggs",
];

/// One regular file.
#[derive(Debug, Clone)]
pub(crate) struct FileInfo {
    /// Relative to the root, with forward slashes.
    pub(crate) path: String,
    /// Size in bytes.
    pub(crate) size_byte: u64,
    /// Whether version control ignores it: readable (`.env`), but not counted as the project's.
    pub(crate) ignored: bool,
}

/// The files of a project, shallow ones first.
#[derive(Debug, Default)]
pub(crate) struct Tree {
    pub(crate) root: PathBuf,
    pub(crate) files: Vec<FileInfo>,
    index: HashMap<String, usize>,
    /// What could not be read, in words.
    pub(crate) unread: Vec<String>,
}

impl Tree {
    /// Walks the folder, nearest files first, so that a bound cuts off the depths and not the manifests.
    /// `ignored` holds paths relative to the root that version control ignores; folders among them are not entered.
    pub(crate) fn walk(root: &Path, ignored: &HashSet<String>) -> Self {
        let mut tree = Self { root: root.to_owned(), ..Self::default() };
        let mut queue = VecDeque::from([(root.to_owned(), String::new(), 0)]);
        let mut seen = 0;
        'walk: while let Some((folder, prefix, depth)) = queue.pop_front() {
            let entries = match fs::read_dir(&folder) {
                Ok(entries) => entries,
                Err(error) => {
                    let shown = if prefix.is_empty() { "." } else { prefix.trim_end_matches('/') };
                    tree.unread.push(format!("{shown}: {error}"));
                    continue;
                }
            };
            let mut names: Vec<_> = Vec::new();
            for entry in entries.flatten() {
                seen += 1;
                if seen > MAX_ENTRIES {
                    tree.unread.push(format!(
                        "the folder has more than {MAX_ENTRIES} entries; the deepest were not read"
                    ));
                    break 'walk;
                }
                names.push(entry);
            }
            // The order of a directory is the file system's; evidence must not depend on it.
            names.sort_by_key(fs::DirEntry::file_name);
            for entry in names {
                let name = entry.file_name().to_string_lossy().into_owned();
                // `file_type` does not follow symbolic links, so a link is neither a file nor a folder here.
                let Ok(kind) = entry.file_type() else { continue };
                let path = format!("{prefix}{name}");
                if kind.is_dir() {
                    if depth < MAX_DEPTH && !SKIPPED.contains(&name.as_str()) && !ignored.contains(&path) {
                        queue.push_back((entry.path(), format!("{path}/"), depth + 1));
                    }
                } else if kind.is_file() {
                    let size_byte = entry.metadata().map_or(0, |m| m.len());
                    tree.index.insert(path.clone(), tree.files.len());
                    tree.files.push(FileInfo { ignored: ignored.contains(&path), path, size_byte });
                }
            }
        }
        tree
    }

    /// The part of the tree below a folder, with paths from there.
    pub(crate) fn below(&self, folder: &str) -> Self {
        let mut inner = Self { root: self.root.join(folder), ..Self::default() };
        for file in &self.files {
            let Some(path) = file.path.strip_prefix(folder).and_then(|rest| rest.strip_prefix('/')) else {
                continue;
            };
            inner.index.insert(path.to_owned(), inner.files.len());
            inner.files.push(FileInfo { path: path.to_owned(), ..file.clone() });
        }
        inner
    }

    /// A file by its path.
    pub(crate) fn get(&self, path: &str) -> Option<&FileInfo> {
        self.index.get(path).map(|&i| &self.files[i])
    }

    /// Whether the walk found this regular file.
    pub(crate) fn has(&self, path: &str) -> bool {
        self.index.contains_key(path)
    }

    /// The text of a file that the walk found, invalid UTF-8 replaced. `None` when there is no such file.
    ///
    /// # Errors
    /// In words, beginning with the path, when it is too long or cannot be read.
    pub(crate) fn text(&self, path: &str) -> Option<Result<String, String>> {
        let info = self.get(path)?;
        if info.size_byte > MAX_FILE_BYTE {
            return Some(Err(format!("{path}: longer than 1 MiB, not read")));
        }
        let read = || {
            let mut bytes = Vec::new();
            File::open(self.root.join(path))?.take(MAX_FILE_BYTE).read_to_end(&mut bytes)?;
            Ok(String::from_utf8_lossy(&bytes).into_owned())
        };
        Some(read().map_err(|error: std::io::Error| format!("{path}: {error}")))
    }
}

/// The folder of a path, without a trailing slash; empty for the root.
pub(crate) fn parent(path: &str) -> &str {
    path.rsplit_once('/').map_or("", |(folder, _)| folder)
}

/// The last component of a path.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit_once('/').map_or(path, |(_, name)| name)
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;

    /// A folder with these files.
    pub(crate) fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
        let dir = tempfile::tempdir().unwrap();
        for (path, text) in files {
            let path = dir.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        dir
    }

    /// The walk of a folder with these files.
    pub(crate) fn tree(files: &[(&str, &str)]) -> (tempfile::TempDir, Tree) {
        let dir = folder(files);
        let tree = Tree::walk(dir.path(), &HashSet::new());
        (dir, tree)
    }

    #[test]
    fn walks_shallow_first_and_skips_what_is_not_the_projects() {
        let dir = folder(&[
            ("a/b/c.py", ""),
            ("run.py", "x"),
            ("node_modules/x.js", ""),
            ("gen/y.py", ""),
            (".env", "A=1"),
        ]);
        let ignored = HashSet::from(["gen".to_owned(), ".env".to_owned()]);
        let tree = Tree::walk(dir.path(), &ignored);
        let paths: Vec<_> = tree.files.iter().map(|f| f.path.as_str()).collect();
        assert_eq!(paths, [".env", "run.py", "a/b/c.py"]);
        assert!(tree.get(".env").unwrap().ignored);
        assert_eq!(tree.get("run.py").unwrap().size_byte, 1);
    }

    #[cfg(unix)]
    #[test]
    fn symbolic_links_are_not_followed() {
        let outside = folder(&[("secret.py", "x")]);
        let dir = folder(&[("run.py", "")]);
        std::os::unix::fs::symlink(outside.path(), dir.path().join("linked")).unwrap();
        std::os::unix::fs::symlink(dir.path(), dir.path().join("loop")).unwrap();
        std::os::unix::fs::symlink(outside.path().join("secret.py"), dir.path().join("secret.py")).unwrap();
        let tree = Tree::walk(dir.path(), &HashSet::new());
        assert_eq!(tree.files.len(), 1);
        assert!(tree.text("secret.py").is_none());
    }

    #[test]
    fn a_long_file_is_refused_with_its_name() {
        let (_dir, tree) = tree(&[("big.py", &"x".repeat(MAX_FILE_BYTE as usize + 1))]);
        assert_eq!(tree.text("big.py").unwrap().unwrap_err(), "big.py: longer than 1 MiB, not read");
    }
}
