//! `landfall.toml` and claims that somebody else wrote, replayed: refused or read, without a panic. What the fuzz target
//! `configuration` (`scripts/fuzz`) finds is put into the folder.

use std::path::Path;

use landfall_audit::Config;
use landfall_diagnosis::{Catalogue, Claims};

#[test]
fn foreign_configurations_are_refused_or_read() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/configuration");
    let (mut read, mut refused) = (0, 0);
    for file in std::fs::read_dir(&folder).expect("the corpus is there") {
        let text = std::fs::read(file.expect("readable").path()).expect("readable");
        let text = String::from_utf8_lossy(&text);
        match Config::parse(&text, "landfall.toml") {
            Ok(_) => read += 1,
            Err(_) => refused += 1,
        }
        let _ = Claims::parse(&text, Catalogue::embedded());
    }
    assert!(read >= 5 && refused >= 5, "{read} read and {refused} refused");
}
