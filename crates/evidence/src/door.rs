//! Looks at a door that would not open: what else the same address does when the first way in fails.

use std::net::SocketAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{HttpResponse, Observed};

/// One look at a door, made only after the ordinary questions failed there.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoorObservation {
    /// What was tried, and where.
    pub question: DoorQuestion,
    /// What came of it.
    pub answer: Observed<DoorAnswer>,
}

/// What was tried.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoorQuestion {
    /// The kind of look.
    pub ask: DoorAsk,
    /// The name of the host that was asked for; empty where none was sent.
    pub host: String,
    /// The URL, where a request was sent.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub url: Option<String>,
    /// The public address and port.
    pub address: SocketAddr,
    /// Where the packets really went when an address map led them elsewhere.
    pub connected_to: Option<SocketAddr>,
}

/// The kinds of look. None sends more than one small, safe request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DoorAsk {
    /// A connection to the same port once more.
    Again,
    /// The first endpoint at another port of the address.
    OtherPort,
    /// The first endpoint over plain HTTP at the very port that is meant for TLS.
    PlainHere,
    /// A handshake without a server name (RFC 6066, section 3).
    NoName,
    /// A handshake with another name of the target.
    OtherName,
    /// A handshake with a ClientHello that fits into one small packet: no hybrid key share.
    SmallHello,
    /// A ClientHello of TLS 1.0 to 1.2 with the cipher suites of that time.
    LegacyHello,
    /// A ClientHello that no server accepts, so that a refusal of a few bytes is the right answer.
    SmallAnswer,
    /// A handshake that notes whether the server asks for a client certificate.
    ClientCertificate,
    /// The path under which a certificate authority looks for its challenge, over plain HTTP (RFC 8555, section 8.3).
    Challenge,
    /// The registered domain above the host, asked for its Strict-Transport-Security (RFC 6797).
    ParentPolicy,
}

impl DoorAsk {
    /// Its name in the evidence.
    pub fn name(self) -> &'static str {
        match self {
            Self::Again => "again",
            Self::OtherPort => "other-port",
            Self::PlainHere => "plain-here",
            Self::NoName => "no-name",
            Self::OtherName => "other-name",
            Self::SmallHello => "small-hello",
            Self::LegacyHello => "legacy-hello",
            Self::SmallAnswer => "small-answer",
            Self::ClientCertificate => "client-certificate",
            Self::Challenge => "challenge",
            Self::ParentPolicy => "parent-policy",
        }
    }
}

/// What a door showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "what", rename_all = "kebab-case")]
pub enum DoorAnswer {
    /// The connection stood; nothing more was asked.
    Open,
    /// A handshake was finished, or for raw hellos: the server chose a version.
    Tls(DoorTls),
    /// A request was answered.
    Http {
        /// The response, of any status.
        response: Box<HttpResponse>,
    },
}

/// What a handshake at a door showed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DoorTls {
    /// `TLSv1.3`, `TLSv1.2`, `TLSv1.1`, `TLSv1.0` or `SSLv3`.
    pub version: String,
    /// Cipher suite by its IANA name, or its number in hexadecimal where we have no name for it.
    pub cipher_suite: String,
    /// Names that the leaf covers, at most 20; empty where no certificate was read.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub names: Vec<String>,
    /// Whether the server asked for a client certificate. `None` where it was not looked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub certificate_asked: Option<bool>,
    /// The alert with which the server ended the connection after the handshake, without having been asked anything.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub alert_after: Option<String>,
}
