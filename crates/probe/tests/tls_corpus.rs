//! Foreign bytes that a TLS server could send, replayed: nothing panics, what is kept has its bounds, and it does not matter
//! where the network cuts. What the fuzz targets `tls_answer` and `tls_certificate` (`scripts/fuzz`) find is put into the
//! folders.
//!
//! The answers named `openssl-…` are what `openssl s_server` of OpenSSL 3.0 sent to `openssl s_client`; those named `hand-…`
//! are made by hand.

use std::path::Path;

use landfall_probe::tls::{read_foreign_answer, read_foreign_certificate};

/// Turned, cut and doubled forms of one file.
const MUTATIONS: u64 = 400;

/// A small generator with a fixed seed, so that a run that fails is the same in every run (xorshift64*, Vigna 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        let drawn = self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33;
        usize::try_from(drawn).unwrap_or(0) % bound.max(1)
    }

    fn mutate(&mut self, bytes: &[u8]) -> Vec<u8> {
        let mut bytes = bytes.to_vec();
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len());
            match self.below(5) {
                0 => bytes.truncate(at),
                1 if !bytes.is_empty() => bytes[at] ^= 1 << self.below(8),
                // Lengths are where readers go wrong.
                2 if !bytes.is_empty() => bytes[at] = [0x00, 0x01, 0x7f, 0x80, 0xff][self.below(5)],
                3 => {
                    let end = at + self.below(bytes.len() - at + 1);
                    let part = bytes[at..end].to_vec();
                    bytes.splice(at..at, part);
                }
                _ => {
                    let end = at + self.below(bytes.len() - at + 1);
                    bytes.drain(at..end);
                }
            }
        }
        bytes
    }
}

fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../fuzz/corpus").join(target);
    let mut files: Vec<_> = std::fs::read_dir(&folder).expect("the corpus is there").flatten().collect();
    files.sort_by_key(std::fs::DirEntry::file_name);
    files
        .into_iter()
        .map(|entry| entry.path())
        .map(|path| (path.display().to_string(), std::fs::read(&path).expect("readable")))
        .collect()
}

#[test]
fn every_answer_is_read_within_bounds_wherever_the_network_cuts() {
    let files = corpus("tls_answer");
    for (name, bytes) in &files {
        let whole = read_foreign_answer(bytes, usize::MAX);
        for step in [1, 2, 5, 61, 1460] {
            assert_eq!(read_foreign_answer(bytes, step), whole, "{name} in pieces of {step}");
        }
        for end in 0..bytes.len() {
            let _ = read_foreign_answer(&bytes[..end], usize::MAX);
        }
        let mut random = Random(0x1f5c_ab0b);
        for _ in 0..MUTATIONS {
            let mutated = random.mutate(bytes);
            let whole = read_foreign_answer(&mutated, usize::MAX);
            assert_eq!(read_foreign_answer(&mutated, 1 + random.below(64)), whole, "{name}: {mutated:02x?}");
        }
    }
    assert!(files.len() >= 30, "{} answers", files.len());
}

#[test]
fn answers_of_a_real_server_say_what_it_did() {
    let files = corpus("tls_answer");
    for (name, part) in [
        ("openssl-tls12-ecdhe", "version: 771"),
        ("openssl-tls12-dhe", "dh_bit: Some(2048)"),
        ("openssl-tls12-alpn", "alpn: Some(\"http/1.1\")"),
        ("openssl-tls12-client-certificate", "certificate_asked: true"),
        ("openssl-tls12-fragments", "done: true"),
        ("openssl-tls13", "version: 772"),
        // P-384, for which the server asked again.
        ("openssl-tls13-retry", "group: Some(24)"),
        ("openssl-tls10", "version: 769"),
        ("openssl-tls11", "version: 770"),
        ("openssl-alert-version", "Alert(70)"),
        ("openssl-alert-no-suite", "Alert(40)"),
        ("openssl-alert-alpn", "Alert(120)"),
        ("hand-http", "not TLS"),
        ("hand-warning-then-hello", "version: 771"),
        ("hand-length-beyond", "none of TLS"),
    ] {
        let (_, bytes) = files
            .iter()
            .find(|(path, _)| path.ends_with(&format!("/{name}.bin")))
            .unwrap_or_else(|| panic!("{name} is missing"));
        let said = read_foreign_answer(bytes, usize::MAX);
        assert!(said.contains(part), "{name}: {said}");
    }
}

#[test]
fn certificates_turned_over_are_read_or_refused() {
    let files = corpus("tls_certificate");
    for (name, der) in &files {
        let read = read_foreign_certificate(der);
        if name.contains("/certificate-") {
            let read = read.unwrap_or_else(|why| panic!("{name}: {why}"));
            assert!(read.subject.contains("api.example.test"), "{name}: {}", read.subject);
        }
        let mut random = Random(0x7e57);
        for _ in 0..MUTATIONS {
            let _ = read_foreign_certificate(&random.mutate(der));
        }
    }
    assert!(files.len() >= 3, "{} certificates", files.len());
}
