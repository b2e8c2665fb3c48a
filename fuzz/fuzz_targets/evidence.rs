//! A saved evidence file: read, masked, written and read again, diagnosed, and shown in every format.

#![no_main]

use landfall_diagnosis::{Catalogue, diagnose};
use landfall_evidence::Evidence;
use landfall_report::{Format, Style};

/// Everything is shown, in the narrowest form.
const STYLE: Style = Style { color: true, width: 40, details: true };

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let Ok(mut evidence) = Evidence::from_json(&text) else { return };
    evidence.redact();
    let written = evidence.to_json();
    let again = Evidence::from_json(&written).expect("what was written can be read");
    assert_eq!(again.to_json(), written);
    let diagnosis = diagnose(&evidence, Catalogue::embedded());
    let report = landfall_report::build(&evidence, &diagnosis);
    for format in Format::ALL {
        let _ = landfall_report::render(&report, format, &STYLE);
    }
    let _ = landfall_report::observations(&evidence, &STYLE);
});
