//! Content codings: the first byte chooses one, the rest is the body.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    landfall_probe::http::undo_any_coding(bytes);
});
