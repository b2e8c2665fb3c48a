//! What lies where a certificate says that its authority's list of the revoked is.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = landfall_probe::tls::read_foreign_revocation(bytes);
});
