//! Doing what a plan says.

use std::path::Path;

use jiff::Timestamp;
use landfall_store::channels::ChannelPut;
use landfall_store::monitors::{Expect, MonitorFilter, PutMonitor};
use landfall_store::{Id, Page, StoreError, Tenant};

use super::parse::Surroundings;
use super::plan::json;
use super::{Action, ChannelSpec, Declared, Owned, Plan, Problem, parse, plan};
use crate::heartbeat;

/// Things of one page.
const PAGE: u32 = 500;

/// Everything that could be declared, as the store has it.
///
/// # Errors
/// When the database fails; likewise for all that follow.
pub async fn current(tenant: &Tenant) -> Result<Vec<Owned>, StoreError> {
    let mut all = Vec::new();
    let mut after = None;
    loop {
        let mut page = tenant.monitors(&MonitorFilter::default(), Page { after, limit: PAGE }).await?;
        let more = shorten(&mut page);
        after = page.last().map(|m| m.id);
        all.extend(page.into_iter().map(|m| Owned {
            kind: "monitor",
            id: m.id,
            external_id: m.external_id,
            name: m.name,
            origin: m.origin,
            value: m.spec,
        }));
        if !more {
            break;
        }
    }
    let mut after = None;
    loop {
        let mut page = tenant.channels(Page { after, limit: PAGE }).await?;
        let more = shorten(&mut page);
        after = page.last().map(|c| c.id);
        all.extend(page.into_iter().map(|c| Owned {
            kind: "channel",
            id: c.id,
            value: json(&ChannelSpec {
                name: c.name.clone(),
                kind: c.kind,
                enabled: c.enabled,
                config: c.config,
            }),
            external_id: c.external_id,
            name: c.name,
            origin: c.origin,
        }));
        if !more {
            break;
        }
    }
    let mut after = None;
    loop {
        let mut page = tenant.windows(Page { after, limit: PAGE }).await?;
        let more = shorten(&mut page);
        after = page.last().map(|w| w.id);
        all.extend(page.into_iter().map(|w| Owned {
            kind: "window",
            id: w.id,
            external_id: w.external_id,
            name: w.name,
            origin: w.origin,
            value: w.spec,
        }));
        if !more {
            break;
        }
    }
    let mut after = None;
    loop {
        let mut page = tenant.heartbeats(Page { after, limit: PAGE }).await?;
        let more = shorten(&mut page);
        after = page.last().map(|h| h.id);
        for h in page {
            let value = serde_json::from_str(&h.spec)
                .map_err(|e| StoreError::Column { column: "spec".into(), problem: e.to_string() })?;
            all.push(Owned {
                kind: "heartbeat",
                id: h.id,
                external_id: h.external_id,
                name: h.name,
                origin: h.origin,
                value,
            });
        }
        if !more {
            break;
        }
    }
    Ok(all)
}

/// Takes off what shows that there is another page.
fn shorten<T>(page: &mut Vec<T>) -> bool {
    let more = page.len() > PAGE as usize;
    page.truncate(PAGE as usize);
    more
}

/// Makes an organisation's things be as declared, and gives the plan that was carried out. A plan with problems is not
/// begun. When the database fails in between, the same call again does the rest.
pub async fn apply(
    tenant: &Tenant,
    declared: &Declared,
    actor: &str,
    now: Timestamp,
) -> Result<Plan, StoreError> {
    let current = current(tenant).await?;
    let plan = plan(declared, &current);
    if !plan.problems.is_empty() {
        return Ok(plan);
    }
    // Channels first: monitors name them.
    for kind in ["channel", "monitor", "window", "heartbeat"] {
        let todo = |s: &&super::Step| s.kind == kind && matches!(s.action, Action::Create | Action::Change);
        for step in plan.steps.iter().filter(todo) {
            put(tenant, declared, kind, &step.id, actor, now).await?;
        }
    }
    for step in plan.steps.iter().filter(|s| s.action == Action::Delete) {
        let Some(old) = current.iter().find(|o| o.kind == step.kind && o.external_id == step.id) else {
            continue;
        };
        remove(tenant, old.kind, old.id, actor, now).await?;
    }
    Ok(plan)
}

async fn put(
    tenant: &Tenant,
    declared: &Declared,
    kind: &str,
    id: &str,
    actor: &str,
    now: Timestamp,
) -> Result<(), StoreError> {
    match kind {
        "channel" => {
            let Some(spec) = declared.channels.get(id) else { return Ok(()) };
            let config = landfall_notify::ChannelConfig::read(&spec.kind, &spec.config, None)
                .map_or_else(|_| spec.config.clone(), |c| c.stored());
            let put = ChannelPut {
                external_id: id,
                name: spec.name.trim(),
                kind: &spec.kind,
                config: &config,
                enabled: spec.enabled,
                origin: "file",
            };
            tenant.put_channel(&put, now).await?;
        }
        "monitor" => {
            let Some(spec) = declared.monitors.get(id) else { return Ok(()) };
            let value = json(spec);
            let put = PutMonitor {
                external_id: id,
                name: spec.name.trim(),
                kind: spec.check.kind(),
                spec: &value,
                interval_us: i64::from(spec.interval_s) * 1_000_000,
                origin: "file",
            };
            tenant.put_monitor(&put, Expect::Anything, actor, now).await?;
        }
        "window" => {
            let Some(spec) = declared.windows.get(id) else { return Ok(()) };
            let value = json(spec);
            tenant.put_window(id, spec.name.trim(), &value, "file", Expect::Anything, actor, now).await?;
        }
        _ => {
            let Some(spec) = declared.heartbeats.get(id) else { return Ok(()) };
            heartbeat::put(tenant, id, spec, "file", now).await?;
        }
    }
    Ok(())
}

async fn remove(tenant: &Tenant, kind: &str, id: Id, actor: &str, now: Timestamp) -> Result<(), StoreError> {
    let done = match kind {
        "channel" => tenant.delete_channel(id).await,
        "monitor" => tenant.delete_monitor(id, actor, now).await,
        "window" => tenant.delete_window(id, actor, now).await,
        _ => heartbeat::delete(tenant, id, now).await,
    };
    match done {
        // Somebody else was faster.
        Err(StoreError::Missing { .. }) => Ok(()),
        done => done,
    }
}

/// Reads a file again and applies it: for a signal to reload. A file with mistakes changes nothing.
///
/// # Errors
/// With everything that is wrong with the file, or why the database could not be written.
pub async fn reload(file: &Path, tenant: &Tenant, now: Timestamp) -> Result<Plan, Vec<Problem>> {
    let whole = |detail: String| {
        vec![Problem { line: 0, thing: file.display().to_string(), field: String::new(), detail }]
    };
    let text = tokio::fs::read_to_string(file).await.map_err(|e| whole(format!("cannot be read: {e}")))?;
    let declared = parse(&text, &Surroundings::of(file))?;
    let plan = apply(tenant, &declared, "configuration file", now)
        .await
        .map_err(|e| whole(format!("the database failed: {e}")))?;
    if plan.problems.is_empty() { Ok(plan) } else { Err(plan.problems) }
}
