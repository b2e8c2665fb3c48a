//! The answer of a DNS server: decoded, its records put into words, its keys and signatures computed.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let _ = landfall_probe::dns::read_foreign_bytes(bytes);
});
