//! Who is asking: a person with a session, or a program with a key.

use landfall_store::{Id, Tenant};

/// Who is asking, on whose behalf, and with which rights. There is no other way to a [`Tenant`] in a handler.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The store, bound to the organisation that the session or the key belongs to. A header never decides it.
    pub tenant: Tenant,
    /// The person, for a session.
    pub user: Option<Id>,
    /// The key, for a program.
    pub key: Option<Id>,
    /// How to name them in the audit log and in an acknowledgement: an e-mail address, or `key:NAME`.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// For a key: what it may be used for. A session has all scopes that its role allows.
    pub scopes: Vec<Scope>,
    /// For a session: the token that a form must carry.
    pub csrf: Option<String>,
}

/// What a member may do; each may do what those before it may.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Reader,
    /// Changes monitors, channels, windows, heartbeats; acknowledges; starts audits.
    Editor,
    /// Also members, keys and settings.
    Admin,
    /// Also billing, and the organisation itself.
    Owner,
}

/// What a key may be used for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Reading everything but secrets.
    Read,
    /// Changing monitors, channels, windows, heartbeats; acknowledging; starting audits.
    Write,
    /// Members, keys, settings.
    Admin,
    /// `/metrics` and `/probe`.
    Metrics,
}
