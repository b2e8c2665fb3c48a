//! Maintenance windows.

use landfall_monitor::WindowSpec;
use landfall_store::monitors::{Expect, Written};
use landfall_store::windows::WindowRow;
use landfall_store::{Id, Page, StoreError};

use super::monitors::{Versioned, changed_meanwhile};
use super::{check_external_id, check_name, fits, listing, no_errors, tell, wrong};
use crate::api::model::{Listing, WindowView};
use crate::auth::Right;
use crate::{App, Principal, Problem};

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
    asked: &WindowSpec,
    expect: Expect,
) -> Result<(Versioned<WindowView>, Written), Problem> {
    principal.require(Right::Write)?;
    let mut errors = Vec::new();
    check_external_id("external_id", external_id, &mut errors);
    check_name("/name", &asked.name, &mut errors);
    let problems = asked.problems();
    let named = errors.iter().any(|e| e.field == "/name");
    for problem in problems.into_iter().filter(|p| p.field != "name" || !named) {
        errors.push(wrong(format!("/{}", problem.field.replace('.', "/")), problem.detail));
    }
    if principal.tenant.window_by_external_id(external_id).await?.is_some_and(|w| w.origin == "file") {
        return Err(Problem::conflict(
            "a configuration file owns this window; change it there, and apply it",
        ));
    }
    no_errors(errors)?;
    let mut loose = Vec::new();
    for unknown in principal.tenant.unknown_monitors(&asked.monitors).await? {
        loose.push(wrong("/monitors", format!("names the monitor {unknown:?}, and there is none")));
    }
    fits(loose)?;
    let spec = serde_json::to_value(asked).map_err(|error| {
        tracing::error!(%error, "a declaration could not be written");
        Problem::new(http::StatusCode::INTERNAL_SERVER_ERROR, "the declaration could not be kept")
    })?;
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
    if principal.tenant.window(id).await?.origin == "file" {
        return Err(Problem::conflict(
            "a configuration file owns this window; take it out there, and apply it",
        ));
    }
    principal.tenant.delete_window(id, &principal.name, app.clock.now()).await?;
    app.watch.nudge();
    tell(app, principal.tenant.id(), "window", id, "deleted", &principal.name);
    Ok(())
}

fn view(app: &App, row: WindowRow) -> WindowView {
    let now = app.clock.now();
    let window = serde_json::from_value::<WindowSpec>(row.spec.clone()).ok().and_then(|s| s.compile().ok());
    WindowView {
        id: row.id.to_string(),
        external_id: row.external_id,
        name: row.name,
        spec: row.spec,
        origin: row.origin,
        active: window.as_ref().is_some_and(|w| w.is_open(now)),
        next: window.and_then(|w| w.next_open(now)),
    }
}
