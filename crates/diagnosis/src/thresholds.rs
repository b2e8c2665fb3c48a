//! Numbers at which a finding begins, each with its source; `[thresholds]` of landfall.toml sets others.

use std::collections::BTreeMap;

/// A number at which a finding begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Threshold {
    /// Its key in `[thresholds]`.
    pub name: &'static str,
    /// The number unless the caller sets another, in the unit of the name.
    pub default: u64,
    /// Who says so.
    pub source: &'static str,
}

impl Threshold {
    /// The number that counts in an audit.
    pub(crate) fn of(&self, set: &BTreeMap<String, u64>) -> u64 {
        set.get(self.name).copied().unwrap_or(self.default)
    }

    /// The number with its source, as a sentence ends: `(threshold 10: Zonemaster ZONE…)`.
    pub(crate) fn words(&self, set: &BTreeMap<String, u64>) -> String {
        match set.get(self.name) {
            Some(own) => format!("(threshold {own}: {} in landfall.toml)", self.name),
            None => format!("(threshold {}: {})", self.default, self.source),
        }
    }
}

macro_rules! thresholds {
    ($($constant:ident = $name:literal $default:literal $source:literal;)*) => {
        $(pub(crate) const $constant: Threshold =
            Threshold { name: $name, default: $default, source: $source };)*
        /// Every threshold that can be set.
        pub const THRESHOLDS: &[Threshold] = &[$($constant),*];
    };
}

thresholds! {
    RSA_KEY_BITS = "tls_rsa_bits_min" 2048 "CA/Browser Forum Baseline Requirements section 6.1.5";
    RSA_KEY_BITS_MAX = "tls_rsa_bits_max" 4096 "testssl.sh: larger ones are odd and slow";
    DH_BITS = "tls_dh_bits_min" 2048 "NIST SP 800-52 revision 2 section 3.3.1";
    SCT_SHORT = "tls_sct_min" 2 "Chrome's Certificate Transparency policy, up to 180 days";
    SCT_LONG = "tls_sct_min_long" 3 "Chrome's Certificate Transparency policy, above 180 days";
    CHAIN_LENGTH = "tls_chain_max" 4 "our choice: the longest chain that a public authority hands out";
    CHAIN_SIZE = "tls_chain_max_byte" 10_000 "our choice: with the rest of the flight it passes the 14,600 bytes of a first window (RFC 6928)";
    TICKET_LIFETIME = "tls_ticket_max_s" 86_400 "testssl.sh: above a day";
}
