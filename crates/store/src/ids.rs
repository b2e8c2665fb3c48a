//! Names of things.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Serialize};
use uuid::Uuid;

use crate::value::Value;
use crate::{Row, StoreError};

/// The id of a stored thing: a UUID version 7 (RFC 9562), so that ids sort by the time of making and make keyset pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Id(pub Uuid);

impl Id {
    /// A new id.
    pub fn new() -> Self {
        Self(Uuid::now_v7())
    }
}

impl Default for Id {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for Id {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.hyphenated().fmt(f)
    }
}

impl FromStr for Id {
    type Err = uuid::Error;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        Uuid::parse_str(text).map(Self)
    }
}

impl From<Id> for Value {
    fn from(id: Id) -> Self {
        Self::Text(id.to_string())
    }
}

/// The id of a tenant. There is no way to make one from a request: only the store gives it, for a session or a key that
/// it knows, so that a query cannot be bound to a tenant that the caller merely named.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize)]
#[serde(transparent)]
pub struct OrgId(Id);

impl OrgId {
    pub(crate) fn fresh() -> Self {
        Self(Id::new())
    }

    /// The id as text, for logs and links.
    pub fn id(self) -> Id {
        self.0
    }
}

impl fmt::Display for OrgId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl From<OrgId> for Value {
    fn from(id: OrgId) -> Self {
        id.0.into()
    }
}

impl Row {
    /// An id.
    ///
    /// # Errors
    /// When there is no such column or it holds none; likewise for all that follow.
    pub fn id(&self, name: &str) -> Result<Id, StoreError> {
        self.word(name)
    }

    /// An id or NULL.
    pub fn opt_id(&self, name: &str) -> Result<Option<Id>, StoreError> {
        match self.opt_text(name)? {
            None => Ok(None),
            Some(_) => self.word(name).map(Some),
        }
    }

    /// The tenant that the row belongs to.
    pub(crate) fn org(&self, name: &str) -> Result<OrgId, StoreError> {
        Ok(OrgId(self.id(name)?))
    }
}
