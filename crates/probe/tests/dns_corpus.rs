//! Foreign bytes that a DNS server could send, replayed: nothing panics, and what is kept has its bounds. What the fuzz target
//! `dns_message` (`scripts/fuzz`) finds is put into the folder.

use std::path::Path;

use landfall_probe::dns::read_foreign_bytes;

#[test]
fn every_message_of_the_corpus_is_read_within_bounds() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus/dns_message");
    let mut read = 0;
    for entry in std::fs::read_dir(&folder).expect("the corpus is there").flatten() {
        let path = entry.path();
        let bytes = std::fs::read(&path).expect("readable");
        let name = path.display();
        // A long message costs too much to be tried in every form.
        let tries = if bytes.len() > 2_000 { 4 } else { 200 };
        // Cut anywhere, too: a datagram ends where it ends.
        for end in (0..=bytes.len()).rev().take(tries).chain([0, bytes.len() / 2]) {
            let Some(answer) = read_foreign_bytes(&bytes[..end]) else { continue };
            for records in [&answer.answers, &answer.authority, &answer.glue] {
                assert!(records.len() <= 128, "{name}");
                assert!(records.iter().all(|r| r.data.chars().count() <= 1024), "{name}");
                assert!(records.iter().all(|r| !r.data.chars().any(char::is_control)), "{name}");
            }
            assert!(answer.extended_errors.len() <= 8, "{name}");
            let signing = answer.signing.unwrap_or_default();
            assert!(signing.keys.len() <= 32 && signing.signatures.len() <= 32, "{name}");
        }
        // Every octet turned over, one at a time.
        for at in 0..bytes.len().min(tries) {
            let mut bytes = bytes.clone();
            bytes[at] ^= 0xff;
            let _ = read_foreign_bytes(&bytes);
        }
        read += 1;
    }
    assert!(read >= 20, "{read} messages");
}
