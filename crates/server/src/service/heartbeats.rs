//! Heartbeats.

use landfall_monitor::heartbeat::{self, HeartbeatSpec, State};
use landfall_store::heartbeats::{FlipRow, HeartbeatRow, PingRow};
use landfall_store::{Id, Page};

use super::room::{self, Thing};
use super::{check_external_id, listing, ms, no_errors, tell, wrong};
use crate::api::model::{FlipView, HeartbeatView, Listing, PingView};
use crate::auth::Right;
use crate::{App, Principal, Problem};

/// Heartbeats, oldest first. Their ids are the secrets of their ping URLs, and so is the mark of a next page: whoever may
/// only read gets one page.
///
/// # Errors
/// 403 without the right.
pub async fn list(app: &App, principal: &Principal, page: Page) -> Result<Listing<HeartbeatView>, Problem> {
    principal.require(Right::Read)?;
    let rows = principal.tenant.heartbeats(page).await?;
    let mut listing = listing(rows, page, |h| h.id, |h| view(app, principal, &h));
    if !principal.can(Right::Write) {
        listing.next = None;
    }
    Ok(listing)
}

/// One heartbeat.
///
/// # Errors
/// 403 without the right; 404.
pub async fn get(app: &App, principal: &Principal, external_id: &str) -> Result<HeartbeatView, Problem> {
    principal.require(Right::Read)?;
    Ok(view(app, principal, &principal.tenant.heartbeat_by_external_id(external_id).await?))
}

/// Makes a heartbeat, or changes the one with this external id. `true` when it was made.
///
/// # Errors
/// 403 without the right; 409 when a file owns it; 422.
pub async fn put(
    app: &App,
    principal: &Principal,
    external_id: &str,
    spec: &HeartbeatSpec,
) -> Result<(HeartbeatView, bool), Problem> {
    principal.require(Right::Write)?;
    let mut errors = Vec::new();
    check_external_id("external_id", external_id, &mut errors);
    errors.extend(spec.problems().into_iter().map(|p| wrong(format!("/{}", p.field), p.detail)));
    no_errors(errors)?;
    if !not_of_a_file(principal, external_id).await? {
        room::for_one(app, &principal.tenant, Thing::Heartbeat).await?;
    }
    let (id, made) = heartbeat::put(&principal.tenant, external_id, spec, "api", app.clock.now()).await?;
    tell(
        app,
        principal.tenant.id(),
        "heartbeat",
        id,
        if made { "created" } else { "changed" },
        &principal.name,
    );
    Ok((get(app, principal, external_id).await?, made))
}

/// Removes a heartbeat with its history.
///
/// # Errors
/// 403 without the right; 404; 409 when a file owns it.
pub async fn delete(app: &App, principal: &Principal, external_id: &str) -> Result<(), Problem> {
    principal.require(Right::Write)?;
    not_of_a_file(principal, external_id).await?;
    let row = principal.tenant.heartbeat_by_external_id(external_id).await?;
    heartbeat::delete(&principal.tenant, row.id, app.clock.now()).await?;
    tell(app, principal.tenant.id(), "heartbeat", row.id, "deleted", &principal.name);
    Ok(())
}

/// Pauses or resumes a heartbeat.
///
/// # Errors
/// 403 without the right; 404; 409 when one that is not paused is to be resumed.
pub async fn pause(
    app: &App,
    principal: &Principal,
    external_id: &str,
    paused: bool,
) -> Result<HeartbeatView, Problem> {
    principal.require(Right::Write)?;
    let id: Id = principal.tenant.heartbeat_by_external_id(external_id).await?.id;
    let now = app.clock.now();
    if paused {
        heartbeat::pause(&principal.tenant, id, now).await?;
    } else if !heartbeat::resume(&principal.tenant, id, now).await? {
        return Err(Problem::new(http::StatusCode::CONFLICT, "it is not paused"));
    }
    tell(
        app,
        principal.tenant.id(),
        "heartbeat",
        id,
        if paused { "paused" } else { "resumed" },
        &principal.name,
    );
    get(app, principal, external_id).await
}

/// The newest pings of a heartbeat, newest first. Bodies are shown to those who may change it.
///
/// # Errors
/// 403 without the right; 404.
pub async fn pings(principal: &Principal, external_id: &str) -> Result<Listing<PingView>, Problem> {
    principal.require(Right::Read)?;
    let row = principal.tenant.heartbeat_by_external_id(external_id).await?;
    let pings = principal.tenant.heartbeat_pings(row.id, None, 100).await?;
    let whole = principal.can(Right::Write);
    let view = |p: PingRow| PingView {
        n: p.n,
        at: p.at,
        kind: p.kind,
        method: p.method,
        agent: p.agent,
        address: p.address,
        body: p.body.filter(|_| whole),
        rid: p.rid,
        exit_status: p.exit_status,
        duration_ms: p.duration_us.map(|us| us as f64 / 1000.0),
    };
    Ok(Listing { items: pings.into_iter().map(view).collect(), next: None })
}

/// The newest changes of a heartbeat's status, newest first.
///
/// # Errors
/// 403 without the right; 404.
pub async fn flips(principal: &Principal, external_id: &str) -> Result<Listing<FlipView>, Problem> {
    principal.require(Right::Read)?;
    let row = principal.tenant.heartbeat_by_external_id(external_id).await?;
    let flips = principal.tenant.heartbeat_flips(row.id, 100).await?;
    let view = |f: FlipRow| FlipView { at: f.at, before: f.before, after: f.after, reason: f.reason };
    Ok(Listing { items: flips.into_iter().map(view).collect(), next: None })
}

/// The key of ping URLs by slug.
///
/// # Errors
/// 403 without the right.
pub async fn ping_key(app: &App, principal: &Principal) -> Result<String, Problem> {
    principal.require(Right::Write)?;
    Ok(principal.tenant.ping_key(app.clock.now()).await?)
}

/// Replaces the key of ping URLs by slug.
///
/// # Errors
/// 403 without the right.
pub async fn rotate_ping_key(app: &App, principal: &Principal) -> Result<String, Problem> {
    principal.require(Right::Admin)?;
    Ok(principal.tenant.rotate_ping_key(app.clock.now()).await?)
}

/// Whether there is one, and no file owns it.
async fn not_of_a_file(principal: &Principal, external_id: &str) -> Result<bool, Problem> {
    match principal.tenant.heartbeat_by_external_id(external_id).await {
        Ok(row) if row.origin == "file" => Err(Problem::new(
            http::StatusCode::CONFLICT,
            "a configuration file owns this heartbeat; change it there, and apply it",
        )),
        Ok(_) => Ok(true),
        Err(landfall_store::StoreError::Missing { .. }) => Ok(false),
        Err(error) => Err(error.into()),
    }
}

pub(crate) fn view(app: &App, principal: &Principal, row: &HeartbeatRow) -> HeartbeatView {
    let spec: Option<HeartbeatSpec> = serde_json::from_str(&row.spec).ok();
    let state: Option<State> = serde_json::from_str(&row.state).ok();
    let schedule = spec.as_ref().and_then(|s| s.schedule().ok());
    let (status, due, took) = match (&spec, &state, &schedule) {
        (Some(spec), Some(state), Some(schedule)) => (
            state.shown(spec, schedule, app.clock.now()).to_owned(),
            state.due(schedule),
            state.last_duration_us,
        ),
        _ => (row.status.clone(), None, None),
    };
    let secret = principal.can(Right::Write);
    HeartbeatView {
        id: secret.then(|| row.id.to_string()),
        external_id: row.external_id.clone(),
        origin: row.origin.clone(),
        slug: row.slug.clone(),
        name: row.name.clone(),
        spec: serde_json::from_str(&row.spec).unwrap_or_default(),
        status,
        pings: row.pings,
        last_ping: row.last_ping,
        last_duration_ms: took.and_then(|us| i64::try_from(us).ok()).map(ms),
        due,
        ping_url: secret
            .then(|| format!("{}/ping/{}", app.settings.public_url.trim_end_matches('/'), row.id)),
    }
}
