//! What a TLS server sends: the first byte chooses the size of the pieces in which an answer to a hello comes, and 0 reads the
//! rest as a certificate. The pieces must not matter.

#![no_main]

use landfall_probe::tls::{read_foreign_answer, read_foreign_certificate};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let Some((step, bytes)) = bytes.split_first() else { return };
    match *step {
        0 => drop(read_foreign_certificate(bytes)),
        step => assert_eq!(
            read_foreign_answer(bytes, usize::from(step)),
            read_foreign_answer(bytes, usize::MAX)
        ),
    }
});
