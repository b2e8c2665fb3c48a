//! DNS questions and answers, close to the wire.

use std::net::SocketAddr;

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
}

impl DnsQuestion {
    /// Whether this is one of the plain questions that say what the world sees: asked of this machine's resolver call, a
    /// recursive resolver or a server that the delegation names, without special flags.
    pub fn is_plain(&self) -> bool {
        let plain_role = matches!(
            self.server.role,
            DnsServerRole::System | DnsServerRole::Recursive | DnsServerRole::Authoritative
        );
        plain_role && !self.checking_disabled && !self.dnssec_ok
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
