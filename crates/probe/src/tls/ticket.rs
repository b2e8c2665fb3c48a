//! How long the tickets of a connection live, read from what the server sent.
//!
//! In TLS 1.2 a ticket comes in the clear, before the server changes its cipher (RFC 5077, section 3.3). In TLS 1.3 it comes
//! encrypted after the handshake (RFC 8446, section 4.6.1); the library reads it, keeps the lifetime to itself, and hands out
//! the secret of the server's side, by which the records are opened here a second time. Nothing but the lifetime leaves
//! this module.

use std::sync::Mutex;

use aws_lc_rs::aead::{self, Aad, LessSafeKey, Nonce, UnboundKey};
use aws_lc_rs::hkdf::{self, KeyType, Prk};
use rustls::{CipherSuite, KeyLog};

/// Record types (RFC 8446, section 5.1).
const CHANGE_CIPHER_SPEC: u8 = 20;
const HANDSHAKE: u8 = 22;
const APPLICATION_DATA: u8 = 23;
/// Handshake message (RFC 8446, section 4; RFC 5077, section 3.3).
const NEW_SESSION_TICKET: u8 = 4;

/// The name under which the library hands out the secret of what the server sends after the handshake (the format of
/// NSS's key log).
const SERVER_SECRET: &str = "SERVER_TRAFFIC_SECRET_0";

/// Keeps the server's secret of one connection, for as long as its tickets are looked at.
#[derive(Default)]
pub(super) struct ServerSecret(Mutex<Vec<u8>>);

impl ServerSecret {
    fn take(&self) -> Vec<u8> {
        std::mem::take(&mut *self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner))
    }
}

impl std::fmt::Debug for ServerSecret {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerSecret")
    }
}

impl KeyLog for ServerSecret {
    fn log(&self, label: &str, _client_random: &[u8], secret: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        // The first connection's: those after it are for taking its session up.
        if label == SERVER_SECRET && kept.is_empty() {
            *kept = secret.to_vec();
        }
    }

    fn will_log(&self, label: &str) -> bool {
        label == SERVER_SECRET
    }
}

/// The longest life of the tickets in what a server sent, in seconds. `None` when there is no ticket in it, or when it cannot
/// be opened.
pub(super) fn lifetime_s(sent: &[u8], suite: Option<CipherSuite>, secret: &ServerSecret) -> Option<u32> {
    let secret = secret.take();
    match secret.as_slice() {
        [] => in_messages(&in_the_clear(sent)),
        secret => in_messages(&opened(sent, Keys::of(suite?, secret)?)),
    }
}

/// Records with their header of five bytes.
fn records(mut sent: &[u8]) -> impl Iterator<Item = (&[u8; 5], &[u8])> {
    std::iter::from_fn(move || {
        let (header, rest) = sent.split_first_chunk::<5>()?;
        let length = usize::from(u16::from_be_bytes([header[3], header[4]]));
        let (content, rest) = rest.split_at_checked(length)?;
        sent = rest;
        Some((header, content))
    })
}

/// Handshake messages of TLS 1.2, up to where they are encrypted.
fn in_the_clear(sent: &[u8]) -> Vec<u8> {
    records(sent)
        .take_while(|(header, _)| header[0] != CHANGE_CIPHER_SPEC)
        .filter(|(header, _)| header[0] == HANDSHAKE)
        .flat_map(|(_, content)| content.iter().copied())
        .collect()
}

/// Handshake messages that TLS 1.3 sends after the handshake. Records of the handshake itself were encrypted by another key
/// and do not open; the first that opens has the number 0 (RFC 8446, section 5.3).
fn opened(sent: &[u8], keys: Keys) -> Vec<u8> {
    let (mut number, mut messages) = (0_u64, Vec::new());
    for (header, content) in records(sent).filter(|(header, _)| header[0] == APPLICATION_DATA) {
        let Some(inner) = keys.open(number, header, content) else { continue };
        number += 1;
        // The type is the last octet that is not padding (section 5.4).
        let Some(end) = inner.iter().rposition(|octet| *octet != 0) else { continue };
        if inner[end] == HANDSHAKE {
            messages.extend_from_slice(&inner[..end]);
        }
    }
    messages
}

fn in_messages(mut messages: &[u8]) -> Option<u32> {
    let mut longest = None;
    while let Some((head, rest)) = messages.split_first_chunk::<4>() {
        let length = usize::from(head[1]) << 16 | usize::from(head[2]) << 8 | usize::from(head[3]);
        let Some((body, rest)) = rest.split_at_checked(length) else { break };
        if head[0] == NEW_SESSION_TICKET {
            // In both versions the lifetime stands first.
            longest = longest.max(body.first_chunk().map(|four| u32::from_be_bytes(*four)));
        }
        messages = rest;
    }
    longest
}

/// Key and nonce of one direction (RFC 8446, sections 5.3 and 7.3).
struct Keys {
    key: LessSafeKey,
    iv: [u8; 12],
}

struct Octets(usize);

impl KeyType for Octets {
    fn len(&self) -> usize {
        self.0
    }
}

impl Keys {
    fn of(suite: CipherSuite, secret: &[u8]) -> Option<Self> {
        let (hash, cipher) = match suite {
            CipherSuite::TLS13_AES_128_GCM_SHA256 => (hkdf::HKDF_SHA256, &aead::AES_128_GCM),
            CipherSuite::TLS13_AES_256_GCM_SHA384 => (hkdf::HKDF_SHA384, &aead::AES_256_GCM),
            CipherSuite::TLS13_CHACHA20_POLY1305_SHA256 => (hkdf::HKDF_SHA256, &aead::CHACHA20_POLY1305),
            _ => return None,
        };
        let secret = Prk::new_less_safe(hash, secret);
        let key = expand(&secret, b"tls13 key", cipher.key_len())?;
        let iv = expand(&secret, b"tls13 iv", 12)?.try_into().ok()?;
        Some(Self { key: LessSafeKey::new(UnboundKey::new(cipher, &key).ok()?), iv })
    }

    fn open(&self, number: u64, header: &[u8; 5], content: &[u8]) -> Option<Vec<u8>> {
        let mut nonce = self.iv;
        for (octet, of_number) in nonce[4..].iter_mut().zip(number.to_be_bytes()) {
            *octet ^= of_number;
        }
        let mut content = content.to_vec();
        let nonce = Nonce::assume_unique_for_key(nonce);
        let opened = self.key.open_in_place(nonce, Aad::from(header), &mut content).ok()?.len();
        content.truncate(opened);
        Some(content)
    }
}

/// HKDF-Expand-Label without a context (RFC 8446, section 7.1).
fn expand(secret: &Prk, label: &[u8], length: usize) -> Option<Vec<u8>> {
    let (length_octets, label_octet) =
        (u16::try_from(length).ok()?.to_be_bytes(), [u8::try_from(label.len()).ok()?]);
    let mut out = vec![0; length];
    secret.expand(&[&length_octets, &label_octet, label, &[0]], Octets(length)).ok()?.fill(&mut out).ok()?;
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn secret(hex: &str) -> ServerSecret {
        let digit = |c: u8| u8::try_from(char::from(c).to_digit(16).expect("hexadecimal")).expect("below 16");
        let bytes = hex.as_bytes().chunks(2).map(|pair| digit(pair[0]) << 4 | digit(pair[1])).collect();
        ServerSecret(Mutex::new(bytes))
    }

    /// What `openssl s_server` sent, with the secrets that `openssl s_client -keylogfile` wrote down beside it. Its tickets
    /// live for two hours.
    #[test]
    fn tickets_of_a_real_server_are_read() {
        let cases: [(&[u8], CipherSuite, &str); 3] = [
            (
                include_bytes!("../../../../fuzz/corpus/tls_answer/openssl-tls13-tickets-aes128.bin"),
                CipherSuite::TLS13_AES_128_GCM_SHA256,
                "af0b29a40d8ac222b6fcc585f303c8829fcd7bb10b218a24ebb2e4ab200f8349",
            ),
            (
                include_bytes!("../../../../fuzz/corpus/tls_answer/openssl-tls13-tickets-aes256.bin"),
                CipherSuite::TLS13_AES_256_GCM_SHA384,
                "602c5e3b6ed432aedf18f5ec7191a91d8c5cb1edc657643a6a8f8e4dd4ee3d521e6d0e6f5e91e1b096d34201f386cdd3",
            ),
            (
                include_bytes!("../../../../fuzz/corpus/tls_answer/openssl-tls13-tickets-chacha.bin"),
                CipherSuite::TLS13_CHACHA20_POLY1305_SHA256,
                "18e849f3eb2518d93fb9e3090bdfd205af1b60a34843b78f4472bb26bc4d1d3b",
            ),
        ];
        for (sent, suite, key) in cases {
            assert_eq!(lifetime_s(sent, Some(suite), &secret(key)), Some(7_200), "{suite:?}");
            let mut other = secret(key);
            other.0.get_mut().expect("not poisoned")[0] ^= 1;
            assert_eq!(
                lifetime_s(sent, Some(suite), &other),
                None,
                "{suite:?}: another secret opens nothing"
            );
            // Wherever the line was cut.
            for end in 0..sent.len() {
                let read = lifetime_s(&sent[..end], Some(suite), &secret(key));
                assert!(matches!(read, None | Some(7_200)), "{suite:?}, {end}");
            }
        }
        let old = include_bytes!("../../../../fuzz/corpus/tls_answer/openssl-tls12-ticket.bin");
        assert_eq!(lifetime_s(old, None, &ServerSecret::default()), Some(7_200));
        let without =
            include_bytes!("../../../../fuzz/corpus/tls_answer/openssl-tls12-client-certificate.bin");
        assert_eq!(lifetime_s(without, None, &ServerSecret::default()), None);
    }
}
