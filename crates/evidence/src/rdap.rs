//! What the registry says of a domain (RFC 9082 and RFC 9083), as far as it tells why a name stopped.

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::Observed;

/// One question to an RDAP service about one registered domain.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RdapObservation {
    /// The registered domain asked about, lower case, without the final dot.
    pub domain: String,
    /// The URL asked.
    pub url: String,
    /// What the service says. "There is no such domain" (HTTP 404, RFC 9082 section 5.3) is an answer as well.
    pub answer: Observed<RdapAnswer>,
}

/// A registry's record of a domain. Persons and contacts are not kept.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RdapAnswer {
    /// Whether the domain is registered; without it the rest is empty.
    pub registered: bool,
    /// Status values as the service spells them (RFC 9083 section 10.2.2): `active`, `client hold`. At most 32.
    pub status: Vec<String>,
    /// When the registration ends or ended.
    pub expires: Option<Timestamp>,
    /// When the record last changed.
    pub changed: Option<Timestamp>,
    /// Name servers that the registration lists, lower case, without the final dot. At most 32.
    pub name_servers: Vec<String>,
}
