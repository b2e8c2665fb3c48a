//! Maintenance windows.

use landfall_store::monitors::{Expect, Written};
use landfall_store::windows::WindowRow;
use landfall_store::{Id, Page, StoreError};
use serde::Deserialize;
use serde_json::Value as Json;

use super::monitors::{Versioned, changed_meanwhile};
use super::{check_external_id, check_name, listing, no_errors, tell};
use crate::api::model::{Listing, WindowView};
use crate::auth::Right;
use crate::{App, Principal, Problem};

/// A window as somebody declares it.
#[derive(Debug, Clone, Deserialize)]
pub struct WindowDeclaration {
    /// Its name for people.
    pub name: String,
    /// When it is open and for which monitors.
    #[serde(flatten)]
    pub spec: serde_json::Map<String, Json>,
}

/// Windows, oldest first.
///
/// # Errors
/// 403 without the right.
pub async fn list(app: &App, principal: &Principal, page: Page) -> Result<Listing<WindowView>, Problem> {
    principal.require(Right::Read)?;
    let rows = principal.tenant.windows(page).await?;
    Ok(listing(rows, page, |w| w.id, |w| view(app, w)))
}

/// One window.
///
/// # Errors
/// 403 without the right; 404.
pub async fn get(app: &App, principal: &Principal, id: Id) -> Result<Versioned<WindowView>, Problem> {
    principal.require(Right::Read)?;
    let row = principal.tenant.window(id).await?;
    Ok(Versioned { version: row.updated, value: view(app, row) })
}

/// Makes a window, or changes the one with this external id.
///
/// # Errors
/// 403 without the right; 412 when it is not as expected; 422.
pub async fn put(
    app: &App,
    principal: &Principal,
    external_id: &str,
    asked: &WindowDeclaration,
    expect: Expect,
) -> Result<(Versioned<WindowView>, Written), Problem> {
    principal.require(Right::Write)?;
    let mut errors = Vec::new();
    check_external_id("external_id", external_id, &mut errors);
    check_name("/name", &asked.name, &mut errors);
    no_errors(errors)?;
    let spec = Json::Object(asked.spec.clone());
    let done = principal
        .tenant
        .put_window(external_id, asked.name.trim(), &spec, "api", expect, &principal.name, app.clock.now())
        .await;
    let (id, written) = match done {
        Err(StoreError::Conflict) if expect != Expect::Anything => return Err(changed_meanwhile()),
        done => done?,
    };
    if written != Written::Same {
        app.watch.nudge();
        tell(app, principal.tenant.id(), "window", id, "changed", &principal.name);
    }
    Ok((get(app, principal, id).await?, written))
}

/// Deletes a window.
///
/// # Errors
/// 403 without the right; 404.
pub async fn delete(app: &App, principal: &Principal, id: Id) -> Result<(), Problem> {
    principal.require(Right::Write)?;
    principal.tenant.delete_window(id, &principal.name, app.clock.now()).await?;
    app.watch.nudge();
    tell(app, principal.tenant.id(), "window", id, "deleted", &principal.name);
    Ok(())
}

fn view(_app: &App, row: WindowRow) -> WindowView {
    WindowView {
        id: row.id.to_string(),
        external_id: row.external_id,
        name: row.name,
        spec: row.spec,
        origin: row.origin,
        active: false,
        next: None,
    }
}
