//! Header fields and bodies with a grammar of their own.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    // As the probe hands them on: bytes that are not UTF-8 are replaced.
    landfall_diagnosis::fields::read_all(&String::from_utf8_lossy(bytes));
});
