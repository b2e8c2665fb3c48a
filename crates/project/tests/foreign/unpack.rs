//! A project folder in one text: files one after the other, a zero byte between them, each with its path in the first line.
//! Shared by the replay of what fuzzing found and by the fuzz target itself.

use std::path::{Component, Path};

use landfall_evidence::Observed;

/// Files of one input at most.
const FILES: usize = 16;

/// Writes the files of an input below a folder and says how many there are. A path that leads out of the folder, or cannot be
/// written, is passed over.
pub(crate) fn unpack(input: &[u8], root: &Path) -> usize {
    let mut written = 0;
    for file in input.split(|byte| *byte == 0).take(FILES) {
        let end = file.iter().position(|byte| *byte == b'\n').unwrap_or(file.len());
        let (Ok(path), text) = (str::from_utf8(&file[..end]), file.get(end + 1..).unwrap_or_default()) else {
            continue;
        };
        let inside = Path::new(path).components().all(|part| matches!(part, Component::Normal(_)));
        if path.is_empty() || path.len() > 100 || path.matches('/').count() > 4 || !inside {
            continue;
        }
        let path = root.join(path);
        let folder = path.parent().unwrap_or(root);
        if std::fs::create_dir_all(folder).is_ok() && std::fs::write(&path, text).is_ok() {
            written += 1;
        }
    }
    written
}

/// Puts a folder through everything that reads one.
pub(crate) fn read_all(root: &Path) {
    let Observed::Present(snapshot) = landfall_project::read(root) else {
        panic!("a folder of our own can be read");
    };
    let _ = landfall_project::endpoints(&snapshot);
    let _ = landfall_project::hosts(root);
    let _ = landfall_project::domains(root);
    let _ = landfall_project::fixes(root, &snapshot);
    let _ = landfall_project::test_command(root);
}
