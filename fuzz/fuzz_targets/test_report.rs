//! What a run of tests leaves: its output in the forms of all runners, and a report in JUnit XML.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    landfall_project::read_foreign_report(&String::from_utf8_lossy(bytes));
});
