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
    H3_MAX_AGE = "http_h3_max_age_max_s" 2_592_000 "our choice: 30 days, after which a fault has outlived its announcement";
    COMPRESS = "http_compress_min_byte" 1000 "our choice: below it headers weigh more";
    HEALTH_SIZE = "http_health_max_byte" 1_000_000 "our choice: 1 MB every few seconds";
    WARM_WAIT = "http_warm_wait_max_ms" 800 "our choice: ten calls in a row take eight seconds";
    COLD_WAIT = "http_cold_wait_max_ms" 5000 "our choice: a sleeping instance that starts";
    REDIRECTS = "http_redirects_max" 3 "our choice: one is usual, and some clients follow five";
    SIMHASH = "http_simhash_max_bit" 10 "internet.nl's measure for the pages of two address families";
    PREFLIGHT_AGE = "http_preflight_max_age_max_s" 7200 "Chromium's cap (MDN, Access-Control-Max-Age)";
    CLOCK = "http_clock_max_s" 60 "our choice: the skew that tokens are usually allowed";
    HSTS_AGE = "http_hsts_min_s" 15_768_000 "MDN Observatory and SSL Labs: half a year";
    HSTS_PRELOAD_AGE = "http_hsts_preload_min_s" 31_536_000 "hstspreload.org, submission requirements";
    NAME_SERVERS = "dns_name_servers_min" 2 "RFC 1034 section 4.1, Zonemaster DELEGATION01";
    CNAME_HOPS = "dns_cname_hops_max" 10 "Zonemaster CNAME_MAX_CHAIN_LENGTH";
    CNAME_RECORDS = "dns_cname_records_max" 9 "Zonemaster CNAME_MAX_RECORDS";
    SOA_REFRESH = "dns_soa_refresh_min_s" 14400 "Zonemaster ZONE02, RIPE-203";
    SOA_RETRY = "dns_soa_retry_min_s" 3600 "Zonemaster ZONE04, RIPE-203";
    SOA_EXPIRE = "dns_soa_expire_min_s" 604_800 "Zonemaster ZONE05, RIPE-203";
    SOA_MINIMUM = "dns_soa_minimum_min_s" 300 "Zonemaster ZONE06";
    SOA_MINIMUM_MAX = "dns_soa_minimum_max_s" 86_400 "Zonemaster ZONE06, RFC 2308 section 5";
    NEGATIVE_TTL = "dns_negative_ttl_max_s" 3600 "our choice: an hour of NXDOMAIN after the repair";
    TTL_MIN = "dns_ttl_min_s" 30 "our choice: below it every caller asks each time";
    SIGNATURE_LEFT = "dns_signature_left_min_s" 43_200 "Zonemaster DNSSEC04, REMAINING_SHORT: 12 hours";
    SIGNATURE_LEFT_MAX = "dns_signature_left_max_s" 15_552_000 "Zonemaster DNSSEC04, REMAINING_LONG: 180 days";
    NSEC3_ITERATIONS = "dns_nsec3_iterations_max" 0 "RFC 9276 section 3.1";
    RSA_BITS = "dns_rsa_bits_min" 2048 "Zonemaster DNSSEC14; NIST SP 800-57 part 3";
    RSA_KEY_BITS = "tls_rsa_bits_min" 2048 "CA/Browser Forum Baseline Requirements section 6.1.5";
    RSA_KEY_BITS_MAX = "tls_rsa_bits_max" 4096 "testssl.sh: larger ones are odd and slow";
    DH_BITS = "tls_dh_bits_min" 2048 "NIST SP 800-52 revision 2 section 3.3.1";
    SCT_SHORT = "tls_sct_min" 2 "Chrome's Certificate Transparency policy, up to 180 days";
    SCT_LONG = "tls_sct_min_long" 3 "Chrome's Certificate Transparency policy, above 180 days";
    CHAIN_LENGTH = "tls_chain_max" 4 "our choice: the longest chain that a public authority hands out";
    CHAIN_SIZE = "tls_chain_max_byte" 10_000 "our choice: with the rest of the flight it passes the 14,600 bytes of a first window (RFC 6928)";
    TICKET_LIFETIME = "tls_ticket_max_s" 86_400 "testssl.sh: above a day";
}
