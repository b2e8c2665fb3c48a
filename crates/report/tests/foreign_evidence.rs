//! Saved evidence that somebody else wrote, replayed: it is refused, or read, diagnosed and shown in every format without a
//! panic. What the fuzz target `evidence` (`scripts/fuzz`) finds is put into the folder.

use std::path::Path;

use landfall_diagnosis::{Catalogue, diagnose};
use landfall_evidence::Evidence;
use landfall_report::{Format, Style};

#[test]
fn foreign_evidence_is_refused_or_shown() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/evidence");
    let style = Style { color: true, width: 40, details: true };
    let mut read = 0;
    for file in std::fs::read_dir(&folder).expect("the corpus is there") {
        let path = file.expect("readable").path();
        let text = std::fs::read(&path).expect("readable");
        let Ok(mut evidence) = Evidence::from_json(&String::from_utf8_lossy(&text)) else { continue };
        evidence.redact();
        let written = evidence.to_json();
        let again = Evidence::from_json(&written).unwrap_or_else(|why| panic!("{}: {why}", path.display()));
        assert_eq!(again.to_json(), written, "{}", path.display());
        let diagnosis = diagnose(&evidence, Catalogue::embedded());
        let report = landfall_report::build(&evidence, &diagnosis);
        for format in Format::ALL {
            assert!(!landfall_report::render(&report, format, &style).is_empty(), "{}", path.display());
        }
        let _ = landfall_report::observations(&evidence, &style);
        read += 1;
    }
    assert!(read >= 10, "only {read} files of evidence could be read");
}
