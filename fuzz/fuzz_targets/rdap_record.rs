//! The answer of a domain registry, and IANA's list of them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    landfall_probe::rdap::read_foreign_record(&String::from_utf8_lossy(bytes));
});
