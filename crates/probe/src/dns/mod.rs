//! DNS questions, asked by ourselves over UDP and TCP.
//!
//! [`addresses`] finds where to connect, as fast as the fastest resolver answers. [`zone`] asks what stands behind those
//! addresses: the records that recursive resolvers hand out, and what each server of the zone says itself, so that a
//! difference between them can be seen. [`around`] asks for the delegation as published and for controls, [`follow_up`] for
//! what a strange answer calls for. Recursive resolvers, the zone's own servers and the system's resolver call
//! are kept apart in every observation.

mod addresses;
mod around;
mod denial;
mod dnssec;
mod lookup;
mod message;
mod query;
mod survey;
mod system;
mod transport;
mod wire;
mod zone;

use std::net::IpAddr;

pub use addresses::{Addresses, Late, addresses};
pub use around::{Hints, around, follow_up};
pub use lookup::{Family, Found, lookup, question};
pub use survey::{Depth, survey};
pub use system::resolvers;
pub use zone::zone;

/// Reads bytes as the answer of a DNS server, whatever was asked: for the fuzz target, and for the replay of what it found.
#[doc(hidden)]
pub fn read_foreign_bytes(bytes: &[u8]) -> Option<landfall_evidence::DnsAnswer> {
    message::read_anything(bytes)
}

/// A host as the evidence spells it: lower case, without brackets and without the final dot.
fn normal(host: &str) -> String {
    let bare = host.strip_prefix('[').and_then(|h| h.strip_suffix(']')).unwrap_or(host);
    bare.strip_suffix('.').unwrap_or(bare).to_ascii_lowercase()
}

/// Whether a name means this machine by definition (RFC 6761, section 6.3).
fn is_localhost(name: &str) -> bool {
    name == "localhost" || name.ends_with(".localhost")
}

fn literal(name: &str) -> Option<IpAddr> {
    name.parse().ok()
}

#[cfg(test)]
mod hostile_tests;
#[cfg(test)]
mod tests;
