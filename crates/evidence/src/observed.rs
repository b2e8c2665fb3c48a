//! The four things that can become of a question.

use std::net::IpAddr;

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::{DnsAnswer, ObservationId};

/// What became of one question put to one target from one vantage.
///
/// A yes, a no, a silence and a question that we failed to ask are four different values; nothing downstream may fold
/// one into another.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "state", content = "detail", rename_all = "kebab-case")]
pub enum Observed<T> {
    /// The target's side answered with the thing asked for. An HTTP response of any status is present.
    Present(T),
    /// The target's side answered, and the answer was no (connection refused, NXDOMAIN, a TLS alert).
    Denied(Denial),
    /// Nothing came back before the deadline of this phase. The vantage's own health decides what that means.
    Silent(Silence),
    /// Our side could not or would not ask. Says nothing about the target.
    Unasked(ProbeFault),
}

impl<T> Observed<T> {
    /// The value, if there is one.
    pub fn present(&self) -> Option<&T> {
        match self {
            Self::Present(value) => Some(value),
            _ => None,
        }
    }

    /// The refusal, if the target's side said no.
    pub fn denied(&self) -> Option<&Denial> {
        match self {
            Self::Denied(denial) => Some(denial),
            _ => None,
        }
    }

    /// Whether the question reached the wire at all. `false` means that the observation says nothing of the target.
    pub fn was_asked(&self) -> bool {
        !matches!(self, Self::Unasked(_))
    }

    /// The same outcome with the present value transformed.
    pub fn map<U>(self, f: impl FnOnce(T) -> U) -> Observed<U> {
        match self {
            Self::Present(value) => Observed::Present(f(value)),
            Self::Denied(denial) => Observed::Denied(denial),
            Self::Silent(silence) => Observed::Silent(silence),
            Self::Unasked(fault) => Observed::Unasked(fault),
        }
    }

    /// The outcome in a few words for a person, without the present value: "refused", "silent in tls after 5.0 s".
    pub fn describe(&self) -> String {
        match self {
            Self::Present(_) => "answered".into(),
            Self::Denied(denial) => denial.to_string(),
            Self::Silent(silence) => silence.to_string(),
            Self::Unasked(fault) => format!("not asked: {fault}"),
        }
    }
}

/// The step of an exchange. Timings are slices: each phase is counted from the end of the one before.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum Phase {
    /// Name to addresses.
    Resolve,
    /// TCP SYN to established, or the QUIC path where there is no separate step.
    Connect,
    /// ClientHello to a finished handshake (for QUIC: the whole handshake).
    Tls,
    /// Request sent to the first byte of the response.
    Wait,
    /// First byte to the last byte that we read.
    Transfer,
    /// A child process (tests, version commands).
    Run,
}

impl std::fmt::Display for Phase {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(match self {
            Self::Resolve => "resolve",
            Self::Connect => "connect",
            Self::Tls => "tls",
            Self::Wait => "wait",
            Self::Transfer => "transfer",
            Self::Run => "run",
        })
    }
}

/// A deadline that passed with nothing heard.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Silence {
    /// The phase that ran out of time.
    pub phase: Phase,
    /// How long we waited in that phase, in microseconds.
    pub waited_us: u64,
}

impl std::fmt::Display for Silence {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "no answer in {} after {:.1} s", self.phase, self.waited_us as f64 / 1e6)
    }
}

/// How the target's side said no.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum Denial {
    /// The address answered the SYN with a reset: nothing listens on that port.
    Refused,
    /// A router said that the host or network cannot be reached (ICMP unreachable, EHOSTUNREACH).
    Unreachable {
        /// What the operating system reported.
        detail: String,
    },
    /// The connection was reset after it was established.
    Reset {
        /// Where in the exchange it happened.
        phase: Phase,
    },
    /// The peer closed the connection without completing its answer.
    Closed {
        /// Where in the exchange it happened.
        phase: Phase,
    },
    /// The peer ended the handshake with an alert (RFC 8446, section 6.2).
    TlsAlert {
        /// The alert number, when the library tells it.
        code: u8,
        /// Its name in the RFC's spelling, for instance `unrecognized_name`.
        name: String,
    },
    /// What came back on the TLS port was not TLS.
    NotTls {
        /// The first bytes as printable text, at most 64.
        first_bytes: String,
    },
    /// The peer broke its own protocol (bad HTTP framing, unparsable DNS message, h2 error).
    Malformed {
        /// Where in the exchange it happened.
        phase: Phase,
        /// What was wrong with it.
        detail: String,
    },
    /// The answer went past one of our bounds and was cut off.
    TooLarge {
        /// Which bound: "headers", "header count", "interim responses", "body", "records".
        what: String,
        /// The bound, in bytes or in items as `what` says.
        limit: u64,
    },
    /// The peer speaks TLS but not the HTTP version that was asked for (ALPN chose another, or `no_application_protocol`).
    VersionNotOffered {
        /// The ALPN protocol that the peer chose, if it chose one.
        chosen: Option<String>,
    },
    /// A DNS response code other than NOERROR (RFC 1035 section 4.1.1, RFC 6895 section 2.3).
    Rcode(Box<DnsAnswer>),
}

impl std::fmt::Display for Denial {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused => f.write_str("connection refused"),
            Self::Unreachable { detail } => write!(f, "unreachable ({detail})"),
            Self::Reset { phase } => write!(f, "connection reset in {phase}"),
            Self::Closed { phase } => {
                write!(f, "connection closed in {phase} before the answer was complete")
            }
            Self::TlsAlert { code, name } => write!(f, "TLS alert {code} ({name})"),
            Self::NotTls { first_bytes } => write!(f, "not TLS: the peer sent \"{first_bytes}\""),
            Self::Malformed { phase, detail } => write!(f, "malformed answer in {phase}: {detail}"),
            Self::TooLarge { what, limit } => write!(f, "{what} over the bound of {limit}"),
            Self::VersionNotOffered { chosen: Some(chosen) } => {
                write!(f, "version not offered (the peer chose {chosen})")
            }
            Self::VersionNotOffered { chosen: None } => f.write_str("version not offered"),
            Self::Rcode(answer) => f.write_str(&answer.rcode_name),
        }
    }
}

/// Why a question was not asked. Never counts against the target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "why", rename_all = "kebab-case")]
pub enum ProbeFault {
    /// The target does not say what to ask; `mend` tells how to say it.
    NotConfigured {
        /// What is missing, for instance "the platform's own name for the deployment".
        what: String,
        /// How to supply it.
        mend: String,
    },
    /// The caller left it out (`--skip`, `--only`).
    Skipped,
    /// An earlier observation made the question pointless.
    Blocked {
        /// The observation in the way.
        by: ObservationId,
        /// In words: "the name does not resolve".
        reason: String,
    },
    /// The request budget was spent.
    BudgetSpent {
        /// The budget, in requests.
        budget: u32,
    },
    /// The audit's deadline passed before its turn came.
    DeadlineSpent,
    /// This machine has no route for that address family.
    NoRoute {
        /// "IPv4" or "IPv6".
        family: String,
    },
    /// The address is one that this server does not ask.
    Forbidden {
        /// The address.
        address: IpAddr,
        /// What kind of address it is, to follow "it is": "private (RFC 1918)".
        #[serde(rename = "address_kind")]
        why: String,
    },
    /// A fault on our side: no socket, no such program, no permission.
    Local {
        /// What the operating system or library reported.
        detail: String,
    },
}

impl std::fmt::Display for ProbeFault {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::NotConfigured { what, mend } => write!(f, "{what} is not known ({mend})"),
            Self::Skipped => f.write_str("left out by the caller"),
            Self::Blocked { reason, .. } => f.write_str(reason),
            Self::BudgetSpent { budget } => write!(f, "the budget of {budget} requests was spent"),
            Self::DeadlineSpent => f.write_str("the audit's deadline had passed"),
            Self::NoRoute { family } => write!(f, "this machine has no {family} route"),
            Self::Forbidden { address, why } => {
                write!(f, "this server does not ask {address}: it is {why}")
            }
            Self::Local { detail } => write!(f, "fault on this side: {detail}"),
        }
    }
}
