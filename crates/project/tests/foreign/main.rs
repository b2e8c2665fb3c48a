//! Foreign bytes that a project folder, a log or a run of tests could hold, replayed: nothing panics. What the fuzz targets
//! `project_folder`, `log` and `test_report` (`scripts/fuzz`) find is put into the folders.

mod unpack;

use std::path::Path;

/// Every input of a target.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder)
        .expect("the corpus is there")
        .map(|entry| entry.expect("readable").path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).expect("readable")))
        .collect();
    files.sort();
    assert!(files.len() >= 10, "only {} inputs for {target}", files.len());
    files
}

#[test]
fn folders_are_read() {
    for (name, input) in corpus("project_folder") {
        let folder = tempfile::tempdir().expect("a folder for temporary files");
        assert!(unpack::unpack(&input, folder.path()) > 0, "{name} holds no file");
        unpack::read_all(folder.path());
    }
}

#[test]
fn logs_are_read() {
    for (name, input) in corpus("log") {
        for cut in [false, true] {
            let tail = landfall_project::reduce_log(&input, cut, &|_| false);
            assert!(tail.events.len() <= 200, "{name}: {} events", tail.events.len());
        }
    }
}

#[test]
fn reports_of_test_runs_are_read() {
    for (_, input) in corpus("test_report") {
        landfall_project::read_foreign_report(&String::from_utf8_lossy(&input));
    }
}
