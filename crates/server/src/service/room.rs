//! Whether a plan has room for one more.
//!
//! Without billing there is always room, and nothing is counted. What exists when a plan becomes smaller stays; nothing is
//! added until there is room again.

use jiff::Timestamp;
use landfall_monitor::declare::{Action, Declared, Plan};
use landfall_store::billing::{self as stored, Holdings};
use landfall_store::{OrgId, StoreError, Tenant, Tx, reports};

use crate::billing::{Limits, check_room, limits_of_plan};
use crate::{App, Problem};

/// What is counted.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Thing {
    /// A monitor.
    Monitor,
    /// A heartbeat.
    Heartbeat,
    /// A channel.
    Channel,
    /// An invitation: it counts as the member that it will be.
    Invitation,
}

/// Whether one more of these may be made.
///
/// # Errors
/// 402 when the plan has no room.
pub(crate) async fn for_one(app: &App, tenant: &Tenant, thing: Thing) -> Result<(), Problem> {
    if !app.settings.billing.on {
        return Ok(());
    }
    let held = tenant.holdings(app.clock.now()).await?;
    let limits = limits_of_plan(&app.settings.billing, &held.plan);
    match thing {
        Thing::Monitor => check_room("monitors", held.monitors, limits.monitors),
        Thing::Heartbeat => check_room("heartbeats", held.heartbeats, limits.heartbeats),
        Thing::Channel => check_room("channels", held.channels, limits.channels),
        Thing::Invitation => {
            check_room("members (open invitations count)", held.members + held.invitations, limits.members)
        }
    }
}

/// Whether somebody who has an invitation may become a member, within the transaction that makes them one.
///
/// # Errors
/// 402 when the plan has no room; it is for the organisation to mend.
pub(crate) async fn to_join(tx: &mut Tx, app: &App, org: OrgId, now: Timestamp) -> Result<(), Problem> {
    if !app.settings.billing.on {
        return Ok(());
    }
    let held = stored::holdings(tx, org, now).await?;
    if held.members < u64::from(limits_of_plan(&app.settings.billing, &held.plan).members) {
        return Ok(());
    }
    Err(Problem::new(
        http::StatusCode::PAYMENT_REQUIRED,
        "the organisation's plan has no room for another member; ask whoever invited you to make room",
    ))
}

/// Whether a monitor may be checked this often; one that is left as often as it was may stay.
///
/// # Errors
/// 402 when the plan does not check that often.
pub(crate) async fn for_interval(
    app: &App,
    tenant: &Tenant,
    interval_s: u32,
    before: Option<u32>,
) -> Result<(), Problem> {
    if !app.settings.billing.on || before.is_some_and(|b| b <= interval_s) {
        return Ok(());
    }
    let limits = crate::billing::limits_of(&app.settings.billing, tenant).await?;
    often(interval_s, limits.interval_min_s).map_or(Ok(()), |say| Err(payment(say)))
}

/// Whether an audit may be started by hand.
///
/// # Errors
/// 402 when the plan's audits of the last 24 hours are used up.
pub(crate) async fn for_audit(app: &App, tenant: &Tenant) -> Result<(), Problem> {
    if !app.settings.billing.on {
        return Ok(());
    }
    let limits = crate::billing::limits_of(&app.settings.billing, tenant).await?;
    let made = tenant.audits_since(a_day_before(app.clock.now())).await?;
    if made < u64::from(limits.audits_per_day) {
        return Ok(());
    }
    Err(payment(format!(
        "your plan allows {} audits in 24 hours, and {made} were made; wait, or choose a larger plan under billing",
        limits.audits_per_day
    )))
}

/// Whether an audit may be started for a chat, within the transaction that starts it.
///
/// # Errors
/// When the database fails.
pub(crate) async fn has_audit(
    tx: &mut Tx,
    app: &App,
    org: OrgId,
    now: Timestamp,
) -> Result<bool, StoreError> {
    if !app.settings.billing.on {
        return Ok(true);
    }
    let held = stored::holdings(tx, org, now).await?;
    let made = reports::audits_since(tx, org, a_day_before(now)).await?;
    Ok(made < u64::from(limits_of_plan(&app.settings.billing, &held.plan).audits_per_day))
}

fn a_day_before(now: Timestamp) -> Timestamp {
    now.checked_sub(std::time::Duration::from_secs(24 * 3600)).unwrap_or(Timestamp::MIN)
}

/// Everything in a plan of declarations for which there is no room, in words.
///
/// # Errors
/// When the database fails.
pub(crate) async fn for_declarations(
    app: &App,
    tenant: &Tenant,
    declared: &Declared,
    plan: &Plan,
) -> Result<Vec<String>, Problem> {
    if !app.settings.billing.on {
        return Ok(Vec::new());
    }
    let held = tenant.holdings(app.clock.now()).await?;
    let limits = limits_of_plan(&app.settings.billing, &held.plan);
    Ok(of_plan(&held, limits, declared, plan))
}

fn of_plan(held: &Holdings, limits: Limits, declared: &Declared, plan: &Plan) -> Vec<String> {
    let count = |kind: &str, action: Action| {
        plan.steps.iter().filter(|s| s.kind == kind && s.action == action).count() as u64
    };
    let mut found = Vec::new();
    for (kind, have, limit) in [
        ("monitor", held.monitors, limits.monitors),
        ("heartbeat", held.heartbeats, limits.heartbeats),
        ("channel", held.channels, limits.channels),
    ] {
        let more = count(kind, Action::Create);
        let then = (have + more).saturating_sub(count(kind, Action::Delete));
        if more > 0 && then > u64::from(limit) {
            found.push(format!(
                "your plan allows {limit} {kind}s, and there would be {then}; remove some, or choose a larger plan under billing"
            ));
        }
    }
    for step in plan.steps.iter().filter(|s| s.kind == "monitor") {
        let new = step.action == Action::Create
            || step.changes.iter().any(|c| c.field == "interval_s" || c.field == "origin");
        let Some(spec) = declared.monitors.get(&step.id).filter(|_| new) else { continue };
        if let Some(say) = often(spec.interval_s, limits.interval_min_s) {
            found.push(format!("monitor {:?}: {say}", step.id));
        }
    }
    found
}

fn often(interval_s: u32, least: u32) -> Option<String> {
    (interval_s < least).then(|| {
        format!(
            "your plan checks every {least} s at most often, and interval_s is {interval_s}; raise it, or choose a larger plan under billing"
        )
    })
}

fn payment(say: String) -> Problem {
    Problem::new(http::StatusCode::PAYMENT_REQUIRED, say)
}
