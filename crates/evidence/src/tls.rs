//! TLS handshakes and certificates as sent.

use std::net::SocketAddr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Observed;

/// A handshake made to see the certificate chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsObservation {
    /// What was offered, and to whom.
    pub question: TlsQuestion,
    /// The handshake; it is finished even when the chain is not trusted, so that everything can be seen.
    pub answer: Observed<TlsHandshake>,
}

/// What we offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsQuestion {
    /// The name sent as SNI and checked against the certificate.
    pub host: String,
    /// The public address and port.
    pub address: SocketAddr,
    /// Where the packets really went when an address map led them elsewhere.
    pub connected_to: Option<SocketAddr>,
    /// ALPN protocols offered, most wanted first.
    pub alpn: Vec<String>,
}

/// A finished handshake.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsHandshake {
    /// `TLSv1.3` or `TLSv1.2`.
    pub version: String,
    /// Cipher suite by its IANA name.
    pub cipher_suite: String,
    /// Key exchange group, for instance `X25519MLKEM768`.
    pub group: Option<String>,
    /// The protocol that the server chose by ALPN.
    pub alpn: Option<String>,
    /// The chain in the order sent, leaf first if the server is right. At most 16 certificates are kept.
    pub chain: Vec<Certificate>,
    /// Certificates that were sent but cannot be parsed, one line each: position in the chain (from 1), size, problem.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unparsed: Vec<String>,
    /// The verdict of path building against each root store that we have, at the audit's time.
    pub trust: Vec<TrustPath>,
    /// Whether the leaf's subject alternative names cover the host (RFC 9525). Independent of trust.
    pub name_matches: bool,
    /// Certificates sent in all, those beyond the ones kept included; `None` in evidence of versions that did not count.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_count: Option<u32>,
    /// Their size together, in bytes.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub chain_byte: Option<u32>,
}

/// A certificate as sent (RFC 5280).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Certificate {
    /// Subject as a one-line distinguished name.
    pub subject: String,
    /// Issuer as a one-line distinguished name.
    pub issuer: String,
    /// Subject common name alone, if it has one.
    pub subject_cn: Option<String>,
    /// Issuer organisation, or its common name where there is none.
    pub issuer_organisation: Option<String>,
    /// Serial number, hexadecimal.
    pub serial: String,
    /// Start of validity.
    pub not_before: Timestamp,
    /// End of validity.
    pub not_after: Timestamp,
    /// Its public key.
    pub key: PublicKey,
    /// Signature algorithm by its usual name: `ecdsa-with-SHA256`.
    pub signature: String,
    /// Subject alternative names: host names and addresses as text.
    pub san: Vec<String>,
    /// basicConstraints cA.
    pub is_ca: bool,
    /// Subject equals issuer.
    pub self_issued: bool,
    /// caIssuers URLs of the authority information access extension.
    pub aia_issuers: Vec<String>,
    /// SHA-256 over the DER bytes, hexadecimal.
    pub sha256: String,
    /// What else its extensions say; `None` in evidence of versions that did not look.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub more: Option<CertificateDetails>,
}

/// What the extensions of a certificate say beyond names and issuer.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct CertificateDetails {
    /// Size as sent, in bytes.
    pub size_byte: u32,
    /// Certificate Transparency logs whose signed timestamps it carries (RFC 6962, section 3.3), by the hexadecimal id.
    pub sct_logs: Vec<String>,
    /// The TLS feature extension with status_request (RFC 7633): a client may refuse it without a stapled status.
    pub must_staple: bool,
    /// CRL distribution points that are http URLs (RFC 5280, section 4.2.1.13).
    pub crl_urls: Vec<String>,
    /// OCSP responders (RFC 5280, section 4.2.2.1).
    pub ocsp_urls: Vec<String>,
    /// The exponent of an RSA key, when it fits into 32 bits.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub rsa_exponent: Option<u32>,
}

/// A public key.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PublicKey {
    /// `ECDSA`, `RSA`, `Ed25519` or the object identifier.
    pub algorithm: String,
    /// Size in bits, when known.
    pub size_bit: Option<u32>,
    /// Named curve, for instance `P-256`.
    pub curve: Option<String>,
}

/// The verdict of one root store on a chain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TrustPath {
    /// Which store, with its version: `webpki-roots 1.0.7`, `system (142 roots)`, `--ca-file lab-root.pem`.
    pub store: String,
    /// What it says.
    pub result: TrustResult,
}

/// What path validation said.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "verdict", rename_all = "kebab-case")]
pub enum TrustResult {
    /// A path was found.
    Trusted {
        /// Subjects from the leaf to the trust anchor.
        path: Vec<String>,
    },
    /// No path holds.
    Refused {
        /// The reason, sorted.
        reason: TrustRefusal,
        /// The verifier's own words.
        detail: String,
    },
}

/// Why path validation failed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum TrustRefusal {
    /// The validity has ended.
    Expired,
    /// The validity has not begun.
    NotYetValid,
    /// No path to a root: a private or unknown authority.
    UnknownIssuer,
    /// The leaf signed itself.
    SelfSigned,
    /// The leaf names an issuer whose certificate was not sent, and it is not a root of this store.
    IncompleteChain,
    /// The certificate is not for this host.
    NameMismatch,
    /// Something else; see the detail.
    Other,
}
