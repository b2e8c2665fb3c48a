//! What a TLS server sends in answer to a hello. In which pieces it comes must not matter.

#![no_main]

use landfall_probe::tls::read_foreign_answer;

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let whole = read_foreign_answer(bytes, usize::MAX);
    for step in [1, 7, 100] {
        assert_eq!(read_foreign_answer(bytes, step), whole);
    }
});
