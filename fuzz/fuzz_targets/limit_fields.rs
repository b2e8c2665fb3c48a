//! Header fields that speak of limits, each line as `name: value`: RateLimit in its spellings, Retry-After, and the dates in
//! them.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    landfall_probe::rate_limit::read_foreign_fields(&String::from_utf8_lossy(bytes));
});
