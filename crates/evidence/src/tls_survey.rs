//! A survey of one TLS endpoint: what it accepts beyond the one handshake that a client makes.

use std::net::SocketAddr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{Observed, TrustPath};

/// A survey of one address under one name.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsSurveyObservation {
    /// The name sent as SNI.
    pub host: String,
    /// The public address and port.
    pub address: SocketAddr,
    /// Where the packets really went when an address map led them elsewhere.
    pub connected_to: Option<SocketAddr>,
    /// What was learnt. `Present` as soon as one question was answered; each answer in it stands for itself.
    pub answer: Observed<Box<TlsSurvey>>,
}

/// What the connections of one survey showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct TlsSurvey {
    /// Protocol versions, oldest first.
    pub versions: Vec<VersionStanding>,
    /// Classes of cipher suites that clients of today do without, up to TLS 1.2.
    pub suites: Vec<SuiteStanding>,
    /// The prime of a finite-field Diffie-Hellman exchange that the server showed, in bits; the smallest one seen.
    pub dh_bit: Option<u32>,
    /// What the server's answer to a hello of TLS 1.2 shows; `None` when it gave none.
    pub server_hello: Option<ServerHelloShown>,
    /// Elliptic curves below 224 bits (RFC 8422 section 5.1.1 retires them), and the one that was taken.
    pub weak_groups: GroupStanding,
    /// The hybrid of X25519 and ML-KEM-768.
    pub post_quantum: GroupStanding,
    /// A ClientHello of the size that the hybrid needs, sent in two segments.
    pub large_hello: LargeHello,
    /// A handshake without a server name.
    pub without_name: Observed<WithoutName>,
    /// Two handshakes of which the second takes up the first one's session.
    pub resumption: Observed<Resumption>,
    /// Whether the leaf's serial number is on its authority's list; `None` when the leaf names no list.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub revocation: Option<RevocationCheck>,
    /// The issuer's certificate as fetched from where the leaf says; `None` when nothing was missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub issuer: Option<IssuerFetch>,
    /// TCP connections made to the address for all of this.
    pub connections: u32,
    /// The most of them that were open at the same time.
    pub at_once: u32,
    /// Bytes that came back over the connections with a hello written by hand.
    pub read_byte: u64,
}

/// A protocol version.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub enum TlsVersion {
    /// RFC 6101, prohibited by RFC 7568.
    #[serde(rename = "SSLv3")]
    Ssl3,
    /// RFC 2246, deprecated by RFC 8996.
    #[serde(rename = "TLSv1.0")]
    Tls10,
    /// RFC 4346, deprecated by RFC 8996.
    #[serde(rename = "TLSv1.1")]
    Tls11,
    /// RFC 5246.
    #[serde(rename = "TLSv1.2")]
    Tls12,
    /// RFC 8446.
    #[serde(rename = "TLSv1.3")]
    Tls13,
}

impl TlsVersion {
    /// All of them, oldest first.
    pub const ALL: [Self; 5] = [Self::Ssl3, Self::Tls10, Self::Tls11, Self::Tls12, Self::Tls13];

    /// The number on the wire (RFC 8446, section 4.2.1).
    pub fn number(self) -> u16 {
        match self {
            Self::Ssl3 => 0x0300,
            Self::Tls10 => 0x0301,
            Self::Tls11 => 0x0302,
            Self::Tls12 => 0x0303,
            Self::Tls13 => 0x0304,
        }
    }

    /// The version with this number on the wire.
    pub fn from_number(number: u16) -> Option<Self> {
        Self::ALL.into_iter().find(|version| version.number() == number)
    }
}

impl std::fmt::Display for TlsVersion {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Ssl3 => "SSLv3",
            Self::Tls10 => "TLSv1.0",
            Self::Tls11 => "TLSv1.1",
            Self::Tls12 => "TLSv1.2",
            Self::Tls13 => "TLSv1.3",
        })
    }
}

/// A class of cipher suites. One suite can be of several.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SuiteClass {
    /// Authenticates nobody.
    Anonymous,
    /// Encrypts nothing.
    Null,
    /// Keys of 40 or 56 bits, made weak on purpose.
    Export,
    /// RC4 (prohibited by RFC 7465).
    Rc4,
    /// Triple DES with its blocks of 64 bits.
    TripleDes,
    /// The session key is sent under the certificate's RSA key: no forward secrecy.
    StaticRsa,
    /// Finite-field Diffie-Hellman.
    Dhe,
    /// A block cipher in CBC mode with MAC-then-encrypt.
    Cbc,
}

impl SuiteClass {
    /// All of them, the worst first.
    pub const ALL: [Self; 8] = [
        Self::Anonymous,
        Self::Null,
        Self::Export,
        Self::Rc4,
        Self::TripleDes,
        Self::StaticRsa,
        Self::Dhe,
        Self::Cbc,
    ];
}

impl std::fmt::Display for SuiteClass {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Anonymous => "anonymous",
            Self::Null => "NULL",
            Self::Export => "EXPORT",
            Self::Rc4 => "RC4",
            Self::TripleDes => "3DES",
            Self::StaticRsa => "static RSA",
            Self::Dhe => "DHE",
            Self::Cbc => "CBC",
        })
    }
}

/// What is known of one thing that a server may offer.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "standing", rename_all = "kebab-case")]
pub enum Standing {
    /// The server took it.
    Offered,
    /// The server declined it at least twice, on connections of their own; how, in words.
    NotOffered {
        /// One entry an answer: "alert 70 (protocol_version)", "chose TLSv1.2".
        said: Vec<String>,
    },
    /// It was asked, and no two answers agree on a refusal: a reset, a close and a silence are none.
    Open {
        /// What came back.
        why: String,
    },
    /// It was not asked; says nothing of the server.
    Unasked {
        /// Why.
        why: String,
    },
}

impl Standing {
    /// Whether the server took it.
    pub fn is_offered(&self) -> bool {
        matches!(self, Self::Offered)
    }
}

impl std::fmt::Display for Standing {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Offered => f.write_str("offered"),
            Self::NotOffered { .. } => f.write_str("not offered"),
            Self::Open { why } => write!(f, "open: {why}"),
            Self::Unasked { why } => write!(f, "not asked: {why}"),
        }
    }
}

/// Whether a version is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct VersionStanding {
    /// The version.
    pub version: TlsVersion,
    /// Whether it is offered.
    #[serde(flatten)]
    pub standing: Standing,
}

/// Whether any suite of a class is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SuiteStanding {
    /// The class.
    pub class: SuiteClass,
    /// The suite of it that the server chose, by its IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<String>,
    /// Whether one is offered.
    #[serde(flatten)]
    pub standing: Standing,
}

/// Whether any key exchange group of a kind is offered.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GroupStanding {
    /// The group that the server chose, by its IANA name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub group: Option<String>,
    /// Whether one is offered.
    #[serde(flatten)]
    pub standing: Standing,
}

/// What a server's answer to a hello of TLS 1.2 shows in clear.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerHelloShown {
    /// The version chosen, as [`TlsVersion`] shows it.
    pub version: String,
    /// The suite chosen, by its IANA name or its number.
    pub cipher_suite: String,
    /// The elliptic curve of the key exchange, by its IANA name or its number.
    pub group: Option<String>,
    /// What was chosen by ALPN when HTTP/1.1 alone was offered.
    pub alpn: Option<String>,
    /// renegotiation_info (RFC 5746).
    pub secure_renegotiation: bool,
    /// extended_master_secret (RFC 7627).
    pub extended_master_secret: bool,
    /// Compression was taken (prohibited with TLS 1.3; CRIME).
    pub compression: bool,
    /// An OCSP response came with the certificate (RFC 6066, section 8); asked for.
    pub stapled: bool,
    /// Signed certificate timestamps sent beside the certificate (RFC 6962, section 3.3.1); asked for.
    pub sct_count: u32,
    /// A client certificate was asked for.
    pub certificate_asked: bool,
}

/// A ClientHello that does not fit into one segment.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct LargeHello {
    /// Its size in bytes, records and all.
    pub sent_byte: u32,
    /// The version that the server chose for it, or what came instead.
    pub answer: Observed<String>,
    /// Whether a small hello got an answer from the same server in the same survey.
    pub small_answered: bool,
}

/// What a client that sends no name is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct WithoutName {
    /// SHA-256 of the leaf, hexadecimal.
    pub sha256: Option<String>,
    /// The names that it covers, at most 20.
    pub names: Vec<String>,
}

/// What became of a session that was to be resumed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Resumption {
    /// The version of both handshakes.
    pub version: String,
    /// Tickets that the server sent within half a second of the handshake, or 1 for a session of TLS 1.2.
    pub tickets: u32,
    /// How long the server says that one lives, in seconds; 0 when it does not say, and never above the seven days of
    /// RFC 8446, section 4.6.1.
    pub lifetime_s: Option<u32>,
    /// Early data that a ticket allows, in bytes (RFC 8446, section 4.6.1); 0 for none.
    pub early_data_byte: u32,
    /// Whether the second handshake was an abbreviated one; `None` when there was nothing to resume.
    pub resumed: Option<bool>,
    /// What the server chose when HTTP/1.1 alone was offered by ALPN.
    pub alpn: Option<String>,
    /// Whether a certificate status came with the first handshake, asked for.
    pub stapled: bool,
}

/// A look at a certificate revocation list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevocationCheck {
    /// Where the leaf says that its authority's list is.
    pub url: String,
    /// The list, as far as it matters here.
    pub answer: Observed<RevocationList>,
}

/// A certificate revocation list (RFC 5280, section 5).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RevocationList {
    /// Its issuer.
    pub issuer: String,
    /// When it was made.
    pub this_update: Timestamp,
    /// When the next one is due.
    pub next_update: Option<Timestamp>,
    /// Serial numbers on it.
    pub entries: u32,
    /// When the leaf was revoked, if it is on the list.
    pub revoked_at: Option<Timestamp>,
    /// Whether the list's signature is that of the leaf's issuer; `None` when the issuer's certificate is not at hand.
    pub signature_holds: Option<bool>,
}

/// The issuer's certificate, fetched from where the certificate says (RFC 5280, section 4.2.2.1).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssuerFetch {
    /// The URL.
    pub url: String,
    /// What came of it.
    pub answer: Observed<IssuerFetched>,
}

/// An issuer's certificate as fetched.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct IssuerFetched {
    /// Its subject.
    pub subject: String,
    /// What each root store says of the chain with it.
    pub trust: Vec<TrustPath>,
}
