//! DNS questions and answers, close to the wire.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Observed;

/// One DNS question to one server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsObservation {
    /// What was asked, and of whom.
    pub question: DnsQuestion,
    /// NOERROR is present (records may be empty: NODATA); any other response code is [`Denial::Rcode`](crate::Denial::Rcode).
    pub answer: Observed<DnsAnswer>,
}

/// A question as put.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsQuestion {
    /// The name asked for, lower case, without the final dot.
    pub name: String,
    /// The record type by its mnemonic: `A`, `AAAA`, `CNAME`, `NS`, `SOA`, `CAA`, `TXT`, `MX`, `DS`, `DNSKEY`.
    pub rtype: String,
    /// The server asked.
    pub server: DnsServer,
    /// How it travelled.
    pub transport: DnsTransport,
    /// CD: the resolver was asked to hand out what it could not validate (RFC 4035 section 3.2.2).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub checking_disabled: bool,
    /// DO: signatures were asked for too (RFC 3225).
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub dnssec_ok: bool,
    /// What else was out of the ordinary, on purpose.
    #[serde(default, skip_serializing_if = "DnsManner::is_usual")]
    pub manner: DnsManner,
}

/// How a question differs from the usual one, to learn how a server behaves. Only the deep survey asks so.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DnsManner {
    /// UDP with EDNS version 0, TCP after truncation.
    #[default]
    Usual,
    /// Over TCP at once (RFC 7766 section 5: a server must support it).
    Tcp,
    /// Without EDNS (RFC 6891 section 7).
    NoEdns,
    /// With EDNS version 1, to which a server of version 0 answers BADVERS (RFC 6891 section 6.1.3).
    FutureEdns,
    /// The name in mixed letter case, which the answer has to repeat as sent (RFC 1034 section 3.1, RFC 4343 section 4.1).
    MixedCase,
    /// A zone transfer (RFC 5936), of which only the first message is read and only its SOA kept.
    Transfer,
    /// With RD set to a server of a zone, for the NS records of the root: an open resolver answers (RFC 5358).
    Recursion,
}

impl DnsManner {
    fn is_usual(&self) -> bool {
        *self == Self::Usual
    }
}

impl DnsQuestion {
    /// Whether this is one of the plain questions that say what the world sees: asked of this machine's resolver call, a
    /// recursive resolver or a server that the delegation names, without special flags.
    pub fn is_plain(&self) -> bool {
        let plain_role = matches!(
            self.server.role,
            DnsServerRole::System | DnsServerRole::Recursive | DnsServerRole::Authoritative
        );
        plain_role && !self.checking_disabled && !self.dnssec_ok && self.manner.is_usual()
    }
}

/// A DNS server as the audit knows it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsServer {
    /// What it is to the name in question.
    pub role: DnsServerRole,
    /// Its own name (an NS target), when known.
    pub name: Option<String>,
    /// Its public address and port; `None` for the system's resolver call.
    pub address: Option<SocketAddr>,
    /// Where the packets really went when an address map led them elsewhere (`--connect-to`).
    pub connected_to: Option<SocketAddr>,
}

/// What a DNS server is to the name in question.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DnsServerRole {
    /// `getaddrinfo`: hosts file, resolver configuration and caches of this machine together.
    System,
    /// A recursive resolver, from the system's configuration or given with `--resolver`.
    Recursive,
    /// A server that the zone's NS set or the parent's delegation names, asked without recursion.
    Authoritative,
    /// A server of the zone above, asked for the delegation as published.
    Parent,
    /// A server that the target or the project names for the zone, and to which nobody is sent.
    Expected,
    /// The hosts file of this machine; its path stands in the name.
    HostsFile,
}

/// How a query travelled.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DnsTransport {
    /// One datagram each way.
    Udp,
    /// TCP, either asked for or after a truncated UDP answer.
    Tcp,
    /// The operating system's resolver call; the transport is its own affair.
    SystemCall,
}

/// A DNS response.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsAnswer {
    /// Response code with the EDNS extension (RFC 6895 section 2.3): 0 NOERROR, 3 NXDOMAIN, …
    pub rcode: u16,
    /// Its mnemonic.
    pub rcode_name: String,
    /// AA: the server speaks with authority for the zone.
    pub authoritative: bool,
    /// RA: the server offers recursion.
    pub recursion_available: bool,
    /// AD: the resolver says that it validated DNSSEC.
    pub authentic_data: bool,
    /// TC: the datagram was cut (the answer here is then the one that came over TCP, if it came).
    pub truncated: bool,
    /// Answer section, in the order sent, CNAME chain included. At most 128 records are kept.
    pub answers: Vec<DnsRecord>,
    /// Authority section: the SOA of a negative answer, or a referral.
    pub authority: Vec<DnsRecord>,
    /// Extended DNS errors (RFC 8914).
    pub extended_errors: Vec<ExtendedError>,
    /// Addresses in the additional section of a parent's answer: the glue of its referral.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub glue: Vec<DnsRecord>,
    /// Keys and signatures in the answer, when they were asked for and there are any.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub signing: Option<Box<DnsSigning>>,
}

/// What an answer carries of DNSSEC (RFC 4034).
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsSigning {
    /// DNSKEY records of the answer section.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub keys: Vec<DnsKey>,
    /// RRSIG records of the answer and authority sections.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signatures: Vec<DnsSignature>,
    /// Whether the proof that came with a negative answer covers the question; `None` where nothing was denied, or where it
    /// was not computed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub denial: Option<DenialProof>,
}

/// What NSEC records (RFC 4035 section 5.4) or NSEC3 records (RFC 5155 section 8) prove of a negative answer. Whether their
/// signatures hold stands with the signatures.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", rename_all = "kebab-case")]
pub enum DenialProof {
    /// The name, or its type, does not exist, as the answer says.
    Covers,
    /// The proof leaves it open or says otherwise.
    Lacks {
        /// Which record is missing, or which one contradicts.
        what: String,
    },
    /// It was not computed.
    Unchecked {
        /// Why not.
        why: String,
    },
}

/// A zone's public key, without the key itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsKey {
    /// The zone.
    pub owner: String,
    /// Bit 7 (256) is the zone key flag, bit 15 (1) the secure entry point, bit 8 (128) revoked (RFC 4034 section 2.1.1, RFC 5011
    /// section 7).
    pub flags: u16,
    /// Algorithm number (IANA registry "DNS Security Algorithm Numbers").
    pub algorithm: u8,
    /// Key tag (RFC 4034 appendix B).
    pub tag: u16,
    /// Length in bits: the modulus of RSA, the key as published of other algorithms.
    pub bits: u32,
    /// The digest that a DS record of this key has, upper-case hexadecimal, by digest type: 1 SHA-1, 2 SHA-256, 4 SHA-384
    /// (RFC 4034 section 5.1.4).
    #[serde(deserialize_with = "numbered")]
    pub digests: BTreeMap<u8, String>,
}

/// Reads a map whose keys are numbers. JSON writes them as strings, and below a tagged enum serde keeps them as such.
fn numbered<'de, D: serde::Deserializer<'de>>(from: D) -> Result<BTreeMap<u8, String>, D::Error> {
    let all = BTreeMap::<String, String>::deserialize(from)?;
    all.into_iter()
        .map(|(key, value)| match key.parse() {
            Ok(number) => Ok((number, value)),
            Err(_) => Err(serde::de::Error::custom(format!("{key:?} is no digest type (0 to 255)"))),
        })
        .collect()
}

/// A signature over one record set, without the signature itself.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsSignature {
    /// The name of the set.
    pub owner: String,
    /// The type of the set.
    pub covers: String,
    /// Algorithm number.
    pub algorithm: u8,
    /// Labels of the name as signed; fewer than the owner has mean a wildcard (RFC 4034 section 3.1.3).
    pub labels: u8,
    /// The zone that signed.
    pub signer: String,
    /// Key tag of the key that signed.
    pub tag: u16,
    /// Valid from, in UTC.
    pub inception: Timestamp,
    /// Valid until, in UTC.
    pub expiration: Timestamp,
    /// What the computation over set, key and signature gave; the dates are not part of it.
    pub check: SignatureCheck,
}

/// What came of checking a signature with the zone's key.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum SignatureCheck {
    /// The key was not at hand.
    Unchecked,
    /// The signature is that of the key over the set.
    Holds,
    /// It is not.
    Fails,
    /// The zone's DNSKEY set has no key with this tag and algorithm.
    NoKey,
    /// An algorithm that we cannot compute.
    Unsupported,
}

impl DnsAnswer {
    /// The data of all records of one type in the answer section.
    pub fn data_of<'a>(&'a self, rtype: &'a str) -> impl Iterator<Item = &'a str> {
        self.answers.iter().filter(move |r| r.rtype == rtype).map(|r| r.data.as_str())
    }
}

/// A resource record in presentation form.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DnsRecord {
    /// Owner name, lower case, without the final dot.
    pub name: String,
    /// Type mnemonic.
    pub rtype: String,
    /// Remaining time to live, in seconds.
    pub ttl_s: u32,
    /// Data in presentation form (names without the final dot): `104.21.14.105`, `0 issue "pki.goog"`. Keys and signatures
    /// are left out, and a DNSKEY carries its key tag: `257 3 13 … ; key id = 2371`, `A 13 3 60 20260201000000 20260101000000 2371
    /// example.test …`.
    pub data: String,
}

/// An extended DNS error (RFC 8914).
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ExtendedError {
    /// INFO-CODE.
    pub code: u16,
    /// EXTRA-TEXT, possibly empty.
    pub text: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Evidence holds keys below a tagged enum, where serde hands on the keys of a map as strings.
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind", rename_all = "kebab-case")]
    enum Tagged {
        Key(DnsKey),
    }

    #[test]
    fn digests_by_number_are_read_back_from_below_a_tag() {
        let key = Tagged::Key(DnsKey {
            owner: "example.test".into(),
            flags: 257,
            algorithm: 13,
            tag: 4711,
            bits: 256,
            digests: BTreeMap::from([(1, "AB".to_owned()), (2, "CD".to_owned())]),
        });
        let text = serde_json::to_string(&key).unwrap();
        assert_eq!(serde_json::from_str::<Tagged>(&text).unwrap(), key, "{text}");
        let wrong = text.replace("\"2\"", "\"sha\"");
        let error = serde_json::from_str::<Tagged>(&wrong).unwrap_err().to_string();
        assert!(error.contains("\"sha\" is no digest type"), "{error}");
    }
}
