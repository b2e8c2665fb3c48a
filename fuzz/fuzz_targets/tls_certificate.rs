//! A certificate in DER, as a server sends it or as lies where a certificate says its issuer's is.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = landfall_probe::tls::read_foreign_certificate(bytes);
});
