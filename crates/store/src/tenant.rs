//! The store, bound to one organisation.

use jiff::Timestamp;

use crate::{Id, OrgId, Row, Store, StoreError, Tx, params};

/// The store as one organisation sees it. Every method binds its organisation into the query, so a row of somebody else
/// is simply not there: reading gives none, changing gives [`StoreError::Missing`].
#[derive(Debug, Clone)]
pub struct Tenant {
    pub(crate) store: Store,
    pub(crate) org: OrgId,
}

/// An organisation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Org {
    /// Its id.
    pub id: OrgId,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// The plan that it is on.
    pub plan: String,
    /// When it was made.
    pub created: Timestamp,
}

/// A keyset page: what comes after an id, and how many.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Page {
    /// Only ids beyond this one (greater when ascending, smaller when descending).
    pub after: Option<Id>,
    /// At most so many, 1 to 500.
    pub limit: u32,
}

impl Default for Page {
    fn default() -> Self {
        Self { after: None, limit: 50 }
    }
}

impl Page {
    /// The limit that goes into the query: one more than asked, so that it is seen whether there is a next page.
    pub fn fetch(self) -> i64 {
        i64::from(self.limit.clamp(1, 500)) + 1
    }
}

impl Org {
    pub(crate) fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.org("id")?,
            slug: row.text("slug")?,
            name: row.text("name")?,
            plan: row.text("plan")?,
            created: row.time("created_us")?,
        })
    }
}

impl Store {
    /// Binds the store to an organisation that the store itself named.
    pub fn tenant(&self, org: OrgId) -> Tenant {
        Tenant { store: self.clone(), org }
    }

    /// All organisations, oldest first: for the server's own work.
    ///
    /// # Errors
    /// When the database fails; likewise for all that follow.
    pub async fn orgs(&self) -> Result<Vec<Org>, StoreError> {
        let rows = self.query("SELECT id, slug, name, plan, created_us FROM orgs ORDER BY id", &[]).await?;
        rows.iter().map(Org::of).collect()
    }

    /// The organisation that was made first: the operator's.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn oldest_org(&self) -> Result<Option<OrgId>, StoreError> {
        let row = self.query_opt("SELECT id FROM orgs ORDER BY id LIMIT 1", &[]).await?;
        row.as_ref().map(|r| r.org("id")).transpose()
    }

    /// Makes an organisation, in the caller's transaction.
    ///
    /// # Errors
    /// [`StoreError::Exists`] when the slug is taken.
    pub async fn create_org(tx: &mut Tx, slug: &str, name: &str, now: Timestamp) -> Result<Org, StoreError> {
        let org = Org {
            id: OrgId::fresh(),
            slug: slug.to_owned(),
            name: name.to_owned(),
            plan: "free".into(),
            created: now,
        };
        tx.execute(
            "INSERT INTO orgs (id, slug, name, plan, created_us) VALUES ($1, $2, $3, $4, $5)",
            params![org.id, slug, name, "free", now],
        )
        .await?;
        Ok(org)
    }
}

impl Tenant {
    /// The organisation's id.
    pub fn id(&self) -> OrgId {
        self.org
    }

    /// The store behind it. What is asked there is not bound to the organisation.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The organisation itself.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn org(&self) -> Result<Org, StoreError> {
        let row = self
            .store
            .query_opt("SELECT id, slug, name, plan, created_us FROM orgs WHERE id = $1", params![self.org])
            .await?;
        row.as_ref().map(Org::of).transpose()?.ok_or(StoreError::Missing { what: "organisation" })
    }
}
