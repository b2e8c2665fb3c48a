//! The bounded walk of a project folder.
//!
//! One walk serves all readers. The folders of one depth are listed side by side and taken over in the order of their
//! names, so that the result never depends on the machine.

use std::collections::{HashMap, HashSet};
use std::fs::{self, File};
use std::io::Read;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicUsize, Ordering};

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
    /// Folders that were listed to their end; the root is empty.
    folders: HashSet<String>,
    /// What lies in them and is neither a file nor a folder that was listed.
    aside: HashSet<String>,
    /// Whether the walk came to its end.
    whole: bool,
    /// What could not be read, in words.
    pub(crate) unread: Vec<String>,
}

impl Tree {
    /// Walks the folder, nearest files first, so that a bound cuts off the depths and not the manifests.
    /// `ignored` holds paths relative to the root that version control ignores; folders among them are not entered.
    pub(crate) fn walk(root: &Path, ignored: &HashSet<String>) -> Self {
        let mut tree = Self { root: root.to_owned(), ..Self::default() };
        let mut level = vec![String::new()];
        // Names are counted while they are listed too, or one depth of a hostile folder would fill the memory.
        let budget = AtomicUsize::new(4 * MAX_ENTRIES);
        let mut seen = 0;
        'walk: for depth in 0..=MAX_DEPTH {
            let listed = side_by_side(&level, |folder| listing(&root.join(folder), &budget));
            let mut next = Vec::new();
            for (folder, entries) in level.into_iter().zip(listed) {
                let entries = match entries {
                    Ok(entries) => entries,
                    Err(error) => {
                        let shown = if folder.is_empty() { "." } else { folder.as_str() };
                        tree.unread.push(format!("{shown}: {error}"));
                        tree.aside.insert(folder);
                        continue;
                    }
                };
                for entry in entries {
                    seen += 1;
                    if seen > MAX_ENTRIES {
                        tree.unread.push(format!(
                            "the folder has more than {MAX_ENTRIES} entries; the deepest were not read"
                        ));
                        break 'walk;
                    }
                    let path = if folder.is_empty() {
                        entry.name.clone()
                    } else {
                        format!("{folder}/{}", entry.name)
                    };
                    match entry.kind {
                        EntryKind::Folder => {
                            let skipped = SKIPPED.contains(&entry.name.as_str()) || ignored.contains(&path);
                            if depth < MAX_DEPTH && !skipped {
                                next.push(path);
                            } else {
                                tree.aside.insert(path);
                            }
                        }
                        EntryKind::File { size_byte } => {
                            tree.index.insert(path.clone(), tree.files.len());
                            tree.files.push(FileInfo { ignored: ignored.contains(&path), path, size_byte });
                        }
                        EntryKind::Other => {
                            tree.aside.insert(path);
                        }
                    }
                }
                tree.folders.insert(folder);
            }
            if next.is_empty() {
                tree.whole = true;
                break;
            }
            level = next;
        }
        tree
    }

    /// Whether something lies at a normal path below the root, links not followed; also what the walk did not enter.
    ///
    /// The walk knows every name of the folders that it listed, and only what it left aside is looked up on the disk:
    /// the code of a large tree names many modules that are not there.
    pub(crate) fn lies(&self, path: &str) -> bool {
        if self.index.contains_key(path) || self.folders.contains(path) {
            return true;
        }
        let on_disk = || fs::symlink_metadata(self.root.join(path)).is_ok();
        if !self.whole {
            return on_disk();
        }
        let ends = path.match_indices('/').map(|(at, _)| at).chain([path.len()]);
        let first_unlisted = ends.map(|end| &path[..end]).find(|part| !self.folders.contains(*part));
        first_unlisted.is_some_and(|part| self.aside.contains(part)) && on_disk()
    }

    /// Whether a folder that the walk entered lies there.
    pub(crate) fn entered(&self, path: &str) -> bool {
        self.folders.contains(path)
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
            let mut bytes = Vec::with_capacity(usize::try_from(info.size_byte).unwrap_or_default() + 1);
            File::open(self.root.join(path))?.take(MAX_FILE_BYTE).read_to_end(&mut bytes)?;
            Ok(String::from_utf8(bytes)
                .unwrap_or_else(|other| String::from_utf8_lossy(other.as_bytes()).into_owned()))
        };
        Some(read().map_err(|error: std::io::Error| format!("{path}: {error}")))
    }
}

/// One name in a folder.
struct Entry {
    name: String,
    kind: EntryKind,
}

enum EntryKind {
    Folder,
    File {
        size_byte: u64,
    },
    /// A symbolic link, a pipe, a device.
    Other,
}

/// The names in a folder in their order, as long as the budget lasts.
fn listing(folder: &Path, budget: &AtomicUsize) -> std::io::Result<Vec<Entry>> {
    let one = |left: usize| left.checked_sub(1);
    let mut names: Vec<_> = fs::read_dir(folder)?
        .flatten()
        .take_while(|_| budget.fetch_update(Ordering::Relaxed, Ordering::Relaxed, one).is_ok())
        .collect();
    // The order of a directory is the file system's; evidence must not depend on it.
    names.sort_by_key(fs::DirEntry::file_name);
    let entries = names.into_iter().filter_map(|entry| {
        // `file_type` does not follow symbolic links, so a link is neither a file nor a folder here.
        let kind = entry.file_type().ok()?;
        let kind = if kind.is_dir() {
            EntryKind::Folder
        } else if kind.is_file() {
            EntryKind::File { size_byte: entry.metadata().map_or(0, |m| m.len()) }
        } else {
            EntryKind::Other
        };
        Some(Entry { name: entry.file_name().to_string_lossy().into_owned(), kind })
    });
    Ok(entries.collect())
}

/// Does the same to each of many things on as many threads as there are processors, eight at most, and keeps the order.
pub(crate) fn side_by_side<T: Sync, R: Send>(all: &[T], each: impl Fn(&T) -> R + Sync) -> Vec<R> {
    /// Fewer than this are not worth a thread.
    const SHARE: usize = 64;
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(8);
    let share = all.len().div_ceil(threads).max(SHARE);
    if all.len() <= share {
        return all.iter().map(each).collect();
    }
    std::thread::scope(|scope| {
        let each = &each;
        let parts: Vec<_> = all
            .chunks(share)
            .map(|part| scope.spawn(move || part.iter().map(each).collect::<Vec<R>>()))
            .collect();
        parts
            .into_iter()
            // A panic is the caller's, as it would be on one thread.
            .flat_map(|part| part.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic)))
            .collect()
    })
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

    #[cfg(unix)]
    #[test]
    fn what_lies_there_is_what_the_disk_says() {
        let dir = folder(&[
            ("a/b/c.py", ""),
            ("run.py", "x"),
            ("node_modules/x/y.js", ""),
            ("gen/y.py", ""),
            (".env", "A=1"),
        ]);
        std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("linked")).unwrap();
        let tree = Tree::walk(dir.path(), &HashSet::from(["gen".to_owned(), ".env".to_owned()]));
        for path in [
            "a",
            "a/b",
            "a/b/c.py",
            "a/b/c.py/d",
            "a/c",
            "a/c/d/e",
            "run.py",
            "run",
            "node_modules",
            "node_modules/x/y.js",
            "node_modules/z",
            "gen/y.py",
            "gen/z.py",
            ".env",
            "linked",
            "linked/b/c.py",
            "linked/d",
            "nothing",
        ] {
            let there = fs::symlink_metadata(dir.path().join(path)).is_ok();
            assert_eq!(tree.lies(path), there, "{path}");
        }
        assert!(tree.entered("a/b") && !tree.entered("gen") && !tree.entered("linked"));
    }

    #[test]
    fn many_things_at_once_keep_their_order() {
        let all: Vec<usize> = (0..1_000).collect();
        assert_eq!(side_by_side(&all, |n| n * 2), all.iter().map(|n| n * 2).collect::<Vec<_>>());
    }

    #[test]
    fn a_long_file_is_refused_with_its_name() {
        let (_dir, tree) = tree(&[("big.py", &"x".repeat(MAX_FILE_BYTE as usize + 1))]);
        assert_eq!(tree.text("big.py").unwrap().unwrap_err(), "big.py: longer than 1 MiB, not read");
    }
}
