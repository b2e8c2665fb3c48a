//! Stripe's signatures.
//!
//! `Stripe-Signature: t=1492774577,v1=5257a8…,v1=…,v0=…`: HMAC-SHA256 under the endpoint's secret over `t`, a dot and the
//! body as it came, in hex. There are several `v1` while a secret is rolled; other schemes are ignored, so that nobody can
//! talk us down to a weaker one. Source: <https://docs.stripe.com/webhooks#verify-manually>.

use hmac::{Hmac, KeyInit as _, Mac as _};
use jiff::Timestamp;
use sha2::Sha256;
use subtle::ConstantTimeEq as _;

use crate::Secret;

/// How far the signature's time may lie from ours, in seconds, in the past and in the future alike. Stripe's own libraries
/// default to 300 and look at the past only; a time far in the future would otherwise be a signature that never ages.
pub const TOLERANCE_S: i64 = 300;

/// Signatures that are looked at; the header is bounded by the server, this bounds the work.
const MOST: usize = 16;

/// Why a request is not believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum SignatureProblem {
    /// There is no header.
    #[error("the header Stripe-Signature is missing")]
    Missing,
    /// It cannot be read.
    #[error("the header Stripe-Signature is malformed: {0}")]
    Malformed(&'static str),
    /// No signature fits any secret.
    #[error(
        "no signature fits: is this endpoint's signing secret among the configured ones, and is the body untouched?"
    )]
    Mismatch,
    /// The signature is good, but too old.
    #[error("the signature is {age_s} s old; {TOLERANCE_S} s are allowed")]
    Stale {
        /// Its age in seconds.
        age_s: i64,
    },
    /// The signature is good, but from the future.
    #[error(
        "the signature is from {ahead_s} s in the future; {TOLERANCE_S} s are allowed: is the clock right?"
    )]
    Future {
        /// How far ahead it is, in seconds.
        ahead_s: i64,
    },
}

/// Whether one of the secrets signed this body at about this time.
///
/// # Errors
/// Why it is not believed.
pub fn verify(
    header: Option<&str>,
    body: &[u8],
    secrets: &[Secret],
    now: Timestamp,
) -> Result<(), SignatureProblem> {
    let header = header.ok_or(SignatureProblem::Missing)?;
    let mut at = None;
    let mut claimed: Vec<[u8; 32]> = Vec::new();
    for part in header.split(',') {
        let Some((scheme, value)) = part.trim().split_once('=') else {
            return Err(SignatureProblem::Malformed("each part is NAME=VALUE"));
        };
        match scheme {
            "t" if at.is_some() => return Err(SignatureProblem::Malformed("t comes twice")),
            "t" => {
                // The text is what was signed, so it is kept as it came; only plain digits can be a time.
                let digits =
                    !value.is_empty() && value.len() <= 12 && value.bytes().all(|b| b.is_ascii_digit());
                let seconds = if digits { value.parse::<i64>().ok() } else { None };
                at = Some((value, seconds.ok_or(SignatureProblem::Malformed("t is no time in seconds"))?));
            }
            "v1" if claimed.len() < MOST => {
                let mut bytes = [0; 32];
                if hex::decode_to_slice(value, &mut bytes).is_ok() {
                    claimed.push(bytes);
                }
            }
            _ => {}
        }
    }
    let (text, at) = at.ok_or(SignatureProblem::Malformed("t is missing"))?;
    if claimed.is_empty() {
        return Err(SignatureProblem::Malformed("there is no v1 of 64 hex digits"));
    }
    let mut fits = subtle::Choice::from(0);
    for secret in secrets.iter().filter(|s| !s.is_empty()) {
        let mut mac = Hmac::<Sha256>::new_from_slice(secret.expose().as_bytes())
            .expect("HMAC takes keys of any length");
        mac.update(text.as_bytes());
        mac.update(b".");
        mac.update(body);
        let expected = mac.finalize().into_bytes();
        for claimed in &claimed {
            fits |= expected.as_slice().ct_eq(claimed);
        }
    }
    if !bool::from(fits) {
        return Err(SignatureProblem::Mismatch);
    }
    let age_s = now.as_second() - at;
    if age_s > TOLERANCE_S {
        return Err(SignatureProblem::Stale { age_s });
    }
    if age_s < -TOLERANCE_S {
        return Err(SignatureProblem::Future { ahead_s: -age_s });
    }
    Ok(())
}
