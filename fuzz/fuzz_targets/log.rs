//! The end of a log, as an application and everything beside it write it.

#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| {
    let whole = landfall_project::reduce_log(bytes, false, &|_| false);
    assert!(whole.events.len() <= 200);
    let _ = landfall_project::reduce_log(bytes, true, &|line| line.len() % 2 == 0);
});
