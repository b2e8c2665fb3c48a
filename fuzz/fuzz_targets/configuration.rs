//! `landfall.toml`, and a file of claims.

#![no_main]

use landfall_audit::Config;
use landfall_diagnosis::{Catalogue, Claims};

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    let _ = Config::parse(&text, "landfall.toml");
    let _ = Claims::parse(&text, Catalogue::embedded());
});
