//! Maintenance windows as their organisation sees and changes them.

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::accounts::beyond;
use crate::monitors::{Expect, Written, later};
use crate::{Id, Page, Row, StoreError, Tenant, params};

/// A maintenance window.
#[derive(Debug, Clone, PartialEq)]
pub struct WindowRow {
    /// Its id.
    pub id: Id,
    /// The name under which configuration files know it.
    pub external_id: String,
    /// Its name for people.
    pub name: String,
    /// What was declared.
    pub spec: Json,
    /// `file` or `api`.
    pub origin: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
}

const COLUMNS: &str = "id, external_id, name, spec, origin, created_us, updated_us";

impl WindowRow {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id("id")?,
            external_id: row.text("external_id")?,
            name: row.text("name")?,
            spec: row.json("spec")?,
            origin: row.text("origin")?,
            created: row.time("created_us")?,
            updated: row.time("updated_us")?,
        })
    }
}

impl Tenant {
    /// Windows in the order of their making.
    ///
    /// # Errors
    /// When the database fails; likewise for all that follow.
    pub async fn windows(&self, page: Page) -> Result<Vec<WindowRow>, StoreError> {
        let rows = self
            .store
            .query(
                &format!("SELECT {COLUMNS} FROM windows WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3"),
                params![self.org, beyond(page), page.fetch()],
            )
            .await?;
        rows.iter().map(WindowRow::of).collect()
    }

    /// One window by its id.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub async fn window(&self, id: Id) -> Result<WindowRow, StoreError> {
        let row = self
            .store
            .query_opt(
                &format!("SELECT {COLUMNS} FROM windows WHERE org_id = $1 AND id = $2"),
                params![self.org, id],
            )
            .await?;
        row.as_ref().map(WindowRow::of).transpose()?.ok_or(StoreError::Missing { what: "window" })
    }

    /// One window by its external id, or none.
    pub async fn window_by_external_id(&self, external_id: &str) -> Result<Option<WindowRow>, StoreError> {
        let row = self
            .store
            .query_opt(
                &format!("SELECT {COLUMNS} FROM windows WHERE org_id = $1 AND external_id = $2"),
                params![self.org, external_id],
            )
            .await?;
        row.as_ref().map(WindowRow::of).transpose()
    }

    /// Makes a window or changes the one with the same external id.
    ///
    /// # Errors
    /// [`StoreError::Conflict`] when it is not as expected.
    #[expect(clippy::too_many_arguments, reason = "a window has so many parts")]
    pub async fn put_window(
        &self,
        external_id: &str,
        name: &str,
        spec: &Json,
        origin: &str,
        expect: Expect,
        actor: &str,
        now: Timestamp,
    ) -> Result<(Id, Written), StoreError> {
        let mut tx = self.store.begin().await?;
        let sql = format!(
            "SELECT {COLUMNS} FROM windows WHERE org_id = $1 AND external_id = $2 {}",
            self.store.for_update()
        );
        let found = tx.query_opt(&sql, params![self.org, external_id]).await?;
        let found = found.as_ref().map(WindowRow::of).transpose()?;
        let (id, written) = match found {
            None if matches!(expect, Expect::Unchanged(_)) => return Err(StoreError::Conflict),
            None => {
                let id = Id::new();
                tx.execute(
                    "INSERT INTO windows (id, org_id, external_id, name, spec, origin, created_us, updated_us)
                     VALUES ($1, $2, $3, $4, $5, $6, $7, $7)",
                    params![id, self.org, external_id, name, crate::json(spec), origin, now],
                )
                .await?;
                (id, Written::Created)
            }
            Some(_) if expect == Expect::Absent => return Err(StoreError::Conflict),
            Some(row) if matches!(expect, Expect::Unchanged(at) if at != row.updated) => {
                return Err(StoreError::Conflict);
            }
            Some(row) if row.spec == *spec && row.name == name && row.origin == origin => {
                (row.id, Written::Same)
            }
            Some(row) => {
                tx.execute(
                    "UPDATE windows SET name = $3, spec = $4, origin = $5, updated_us = $6 WHERE org_id = $1 AND id = $2",
                    params![self.org, row.id, name, crate::json(spec), origin, later(row.updated, now)],
                )
                .await?;
                (row.id, Written::Changed)
            }
        };
        let action = match written {
            Written::Created => "created",
            Written::Changed => "changed",
            Written::Same => return Ok((id, written)),
        };
        let say = format!("{action} the maintenance window {name}");
        self.note(&mut tx, actor, action, "window", Some(id), &say, now).await?;
        tx.commit().await?;
        Ok((id, written))
    }

    /// Deletes a window.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when there is none.
    pub async fn delete_window(&self, id: Id, actor: &str, now: Timestamp) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        let row = tx
            .query_opt(
                "DELETE FROM windows WHERE org_id = $1 AND id = $2 RETURNING name",
                params![self.org, id],
            )
            .await?
            .ok_or(StoreError::Missing { what: "window" })?;
        let say = format!("deleted the maintenance window {}", row.text("name")?);
        self.note(&mut tx, actor, "deleted", "window", Some(id), &say, now).await?;
        tx.commit().await
    }
}
