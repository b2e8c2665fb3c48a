//! The signature of a webhook: HMAC-SHA256 (RFC 2104, FIPS 180-4) over `timestamp.body` (docs/webhooks.md).

use std::time::Duration;

use hmac::{Hmac, KeyInit, Mac};
use jiff::Timestamp;
use sha2::Sha256;

/// The header: `t=1764036845,v1=5257a869…`, with one `v1` for each key that signs.
pub const HEADER: &str = "Landfall-Signature";

/// How far a timestamp may be off, for [`verify`] and for receivers.
pub const TOLERANCE: Duration = Duration::from_secs(300);

/// The value of [`HEADER`] for a body that is sent at `at`.
pub fn sign(secrets: &[&str], at: Timestamp, body: &[u8]) -> String {
    let mut value = format!("t={}", at.as_second());
    for secret in secrets {
        value.push_str(",v1=");
        value.push_str(&hex::encode(mac(secret, at.as_second(), body).finalize().into_bytes()));
    }
    value
}

/// Why a signature is not accepted.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Unverified {
    /// The header is not of the form `t=…,v1=…`.
    #[error("the signature header is not of the form t=SECONDS,v1=HEX")]
    Malformed,
    /// The timestamp is too far from now, in either direction.
    #[error("the signature's timestamp is more than five minutes off")]
    Stale,
    /// No signature fits.
    #[error("no signature fits the body and the key")]
    Mismatch,
}

/// Checks a signature as a receiver does.
///
/// # Errors
/// When it is not to be trusted.
pub fn verify(header: &str, body: &[u8], secret: &str, now: Timestamp) -> Result<(), Unverified> {
    let mut at = None;
    let mut signatures = Vec::new();
    // More keys than two never sign; a longer list would only cost the receiver time.
    for part in header.split(',').take(8) {
        match part.trim().split_once('=') {
            Some(("t", seconds)) => at = seconds.parse::<i64>().ok(),
            Some(("v1", signature)) => signatures.push(signature),
            _ => {}
        }
    }
    let at = at.ok_or(Unverified::Malformed)?;
    if signatures.is_empty() {
        return Err(Unverified::Malformed);
    }
    if now.as_second().abs_diff(at) > TOLERANCE.as_secs() {
        return Err(Unverified::Stale);
    }
    let fits = |signature: &&str| {
        let bytes = hex::decode(signature).unwrap_or_default();
        // Compared in constant time.
        mac(secret, at, body).verify_slice(&bytes).is_ok()
    };
    if signatures.iter().any(fits) { Ok(()) } else { Err(Unverified::Mismatch) }
}

fn mac(secret: &str, seconds: i64, body: &[u8]) -> Hmac<Sha256> {
    let mut mac = Hmac::<Sha256>::new_from_slice(secret.as_bytes()).expect("HMAC takes keys of any length");
    mac.update(seconds.to_string().as_bytes());
    mac.update(b".");
    mac.update(body);
    mac
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("a valid moment")
    }

    #[test]
    fn the_value_is_what_openssl_computes() {
        // printf '1764036845.{"a":1}' | openssl dgst -sha256 -hmac 0123456789abcdef
        let openssl = "5b69f5835a74102d059ad18599f77c1934f960d8927b754bedc9705a837530f6";
        assert_eq!(
            sign(&["0123456789abcdef"], at(1_764_036_845), br#"{"a":1}"#),
            format!("t=1764036845,v1={openssl}")
        );
    }

    #[test]
    fn either_key_verifies_during_a_rotation_and_nothing_else_does() {
        let header = sign(&["new-new-new-new-", "old-old-old-old-"], at(1000), b"body");
        for key in ["new-new-new-new-", "old-old-old-old-"] {
            assert_eq!(verify(&header, b"body", key, at(1299)), Ok(()));
            assert_eq!(verify(&header, b"body", key, at(701)), Ok(()), "a clock behind");
            assert_eq!(verify(&header, b"bodY", key, at(1000)), Err(Unverified::Mismatch));
            assert_eq!(verify(&header, b"body", key, at(1301)), Err(Unverified::Stale));
            assert_eq!(verify(&header, b"body", key, at(699)), Err(Unverified::Stale));
        }
        assert_eq!(verify(&header, b"body", "another-key-----", at(1000)), Err(Unverified::Mismatch));
        let moved = header.replace("t=1000", "t=1001");
        assert_eq!(verify(&moved, b"body", "new-new-new-new-", at(1000)), Err(Unverified::Mismatch));
        for bad in ["", "t=1000", "v1=aa", "t=x,v1=aa", "nonsense"] {
            assert_eq!(verify(bad, b"body", "k", at(1000)), Err(Unverified::Malformed), "{bad:?}");
        }
        assert_eq!(verify("t=1000,v1=zz", b"body", "k", at(1000)), Err(Unverified::Mismatch));
    }
}
