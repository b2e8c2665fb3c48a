//! Foreign bytes of registries, authorities and limiters, replayed: nothing panics. What the fuzz targets `rdap_record`,
//! `tls_revocation` and `limit_fields` (`scripts/fuzz`) find is put into the folders.

use std::path::Path;

/// Every input of a target.
fn corpus(target: &str) -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let files = std::fs::read_dir(&folder).expect("the corpus is there");
    let inputs: Vec<_> =
        files.map(|file| std::fs::read(file.expect("readable").path()).expect("readable")).collect();
    assert!(inputs.len() >= 10, "only {} inputs for {target}", inputs.len());
    inputs
}

#[test]
fn records_of_registries_are_read() {
    for input in corpus("rdap_record") {
        landfall_probe::rdap::read_foreign_record(&String::from_utf8_lossy(&input));
    }
}

#[test]
fn what_authorities_publish_is_read() {
    for input in corpus("tls_revocation") {
        for end in 0..=input.len() {
            landfall_probe::tls::read_foreign_revocation(&input[..end]);
        }
    }
}

#[test]
fn fields_that_speak_of_limits_are_read() {
    for input in corpus("limit_fields") {
        landfall_probe::rate_limit::read_foreign_fields(&String::from_utf8_lossy(&input));
    }
}
