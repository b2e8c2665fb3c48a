//! Channels, and what became of the letters that went through them.

use jiff::Timestamp;
use landfall_notify::config::ChannelConfig;
use landfall_notify::outbox::{self, Letter};
use landfall_notify::{Event, Message};
use landfall_store::accounts::Change;
use landfall_store::channels::{Channel, ChannelPut, Delivery, OutboxLetter};
use landfall_store::{Id, Page, StoreError};
use serde::Deserialize;
use serde_json::Value as Json;

use super::room::{self, Thing};
use super::{check_external_id, check_name, external_id_of, later, listing, ms, no_errors, tell, wrong};
use crate::api::model::{ChannelView, DeliveryView, Listing, OutboxView};
use crate::auth::Right;
use crate::{App, Principal, Problem};

/// A channel as somebody declares it.
#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ChannelDeclaration {
    /// Its name for people.
    pub name: String,
    /// `webhook`, `email`, `slack`, `telegram`, `whatsapp`, `pagerduty`.
    pub kind: String,
    /// Its settings; a secret that is still masked keeps its value.
    pub config: Json,
    /// Whether it is used.
    #[serde(default = "yes")]
    pub enabled: bool,
}

fn yes() -> bool {
    true
}

/// Channels, oldest first.
///
/// # Errors
/// 403 without the right.
pub async fn list(principal: &Principal, page: Page) -> Result<Listing<ChannelView>, Problem> {
    principal.require(Right::Read)?;
    let rows = principal.tenant.channels(page).await?;
    Ok(listing(rows, page, |c| c.id, view))
}

/// One channel.
///
/// # Errors
/// 403 without the right; 404.
pub async fn get(principal: &Principal, id: Id) -> Result<ChannelView, Problem> {
    principal.require(Right::Read)?;
    Ok(view(principal.tenant.channel(id).await?))
}

/// Makes a channel under an external id that is made from its name.
///
/// # Errors
/// 403 without the right; 422.
pub async fn create(
    app: &App,
    principal: &Principal,
    asked: &ChannelDeclaration,
) -> Result<ChannelView, Problem> {
    let external_id = external_id_of(&asked.name, Id::new());
    Ok(put(app, principal, &external_id, asked).await?.0)
}

/// Makes a channel, or changes the one with this external id: `true` when it was made.
///
/// # Errors
/// 403 without the right; 409 when a configuration file owns it; 422.
pub async fn put(
    app: &App,
    principal: &Principal,
    external_id: &str,
    asked: &ChannelDeclaration,
) -> Result<(ChannelView, bool), Problem> {
    principal.require(Right::Write)?;
    let tenant = &principal.tenant;
    let before = tenant.channel_named(external_id).await?;
    if before.as_ref().is_some_and(|b| b.origin == "file") {
        return Err(file_owned());
    }
    let mut errors = Vec::new();
    check_external_id("external_id", external_id, &mut errors);
    check_name("/name", &asked.name, &mut errors);
    let kept = before.as_ref().filter(|b| b.kind == asked.kind).map(|b| &b.config);
    let config = ChannelConfig::read(&asked.kind, &asked.config, kept).map_err(|problems| {
        // The kind is a field of its own; everything else is a field of the settings.
        errors.extend(problems.into_iter().map(|p| {
            let field = if p.pointer == "/kind" { p.pointer } else { format!("/config{}", p.pointer) };
            wrong(field, p.mend)
        }));
    });
    no_errors(errors)?;
    let Ok(config) = config else { return Err(Problem::bad_request("the settings cannot be used")) };
    if before.is_none() {
        room::for_one(app, tenant, Thing::Channel).await?;
    }
    let put = ChannelPut {
        external_id,
        name: asked.name.trim(),
        kind: &asked.kind,
        config: &config.stored(),
        enabled: asked.enabled,
        origin: "api",
    };
    let now = app.clock.now();
    let (channel, made) = tenant.put_channel(&put, now).await?;
    let action = if made { "created" } else { "changed" };
    changed(app, principal, channel.id, action, &format!("{action} the channel {}", channel.name), now)
        .await?;
    Ok((view(channel), made))
}

/// Switches a channel on or off.
///
/// # Errors
/// 403 without the right; 404; 409 when a configuration file owns it.
pub async fn enable(app: &App, principal: &Principal, id: Id, enabled: bool) -> Result<ChannelView, Problem> {
    principal.require(Right::Write)?;
    let channel = principal.tenant.channel(id).await?;
    if channel.origin == "file" {
        return Err(file_owned());
    }
    if channel.enabled != enabled {
        let now = app.clock.now();
        principal.tenant.enable_channel(id, enabled, now).await?;
        let say = format!("switched the channel {} {}", channel.name, if enabled { "on" } else { "off" });
        changed(app, principal, id, "changed", &say, now).await?;
    }
    get(principal, id).await
}

/// Deletes a channel.
///
/// # Errors
/// 403 without the right; 404; 409 when a configuration file owns it.
pub async fn delete(app: &App, principal: &Principal, id: Id) -> Result<(), Problem> {
    principal.require(Right::Write)?;
    let channel = principal.tenant.channel(id).await?;
    if channel.origin == "file" {
        return Err(file_owned());
    }
    principal.tenant.delete_channel(id).await?;
    changed(app, principal, id, "deleted", &format!("deleted the channel {}", channel.name), app.clock.now())
        .await
}

/// Sends a test through a channel, by the outbox like everything else; its deliveries tell what became of it.
///
/// # Errors
/// 403 without the right; 404; 409 when it is switched off.
pub async fn test(app: &App, principal: &Principal, id: Id) -> Result<(), Problem> {
    principal.require(Right::Write)?;
    let tenant = &principal.tenant;
    let channel = tenant.channel(id).await?;
    if !channel.enabled {
        return Err(Problem::conflict("the channel is switched off; switch it on, and test it then"));
    }
    let now = app.clock.now();
    let message = Message {
        event: Event::Test,
        organisation: tenant.org().await?.name,
        headline: format!("Test of the channel {}: it works", channel.name),
        incident: None,
        monitors: Vec::new(),
        monitor_count: 0,
        cause: None,
        rivals: Vec::new(),
        changes: Vec::new(),
        actions: Vec::new(),
        notes: vec![format!("{} sent this test.", principal.name)],
        link: Some(format!("{}/channels", app.settings.public_url.trim_end_matches('/'))),
        at: now,
    };
    // Each test is a message of its own: whoever presses twice gets two.
    let key = format!("test/{}", Id::new());
    let letter = Letter { org: tenant.id(), channel: Some(id), subject: &key, key: &key, message: &message };
    let mut tx = app.store.begin().await?;
    outbox::enqueue(&mut tx, &letter, now).await?;
    tx.commit().await?;
    changed(app, principal, id, "tested", &format!("sent a test through the channel {}", channel.name), now)
        .await
}

/// Attempts, newest first, of one channel or of all.
///
/// # Errors
/// 403 without the right.
pub async fn deliveries(
    principal: &Principal,
    channel: Option<Id>,
    page: Page,
) -> Result<Listing<DeliveryView>, Problem> {
    principal.require(Right::Read)?;
    let rows = principal.tenant.deliveries(channel, page).await?;
    Ok(listing(rows, page, |d| d.id, delivery_view))
}

/// Letters, newest first, of one state or of all.
///
/// # Errors
/// 403 without the right.
pub async fn outbox(
    principal: &Principal,
    state: Option<&str>,
    page: Page,
) -> Result<Listing<OutboxView>, Problem> {
    principal.require(Right::Read)?;
    let rows = principal.tenant.outbox(state, page).await?;
    Ok(listing(rows, page, |l| l.id, outbox_view))
}

/// Tries a letter again that was given up.
///
/// # Errors
/// 403 without the right; 404 when there is no such letter, or it was not given up.
pub async fn revive(app: &App, principal: &Principal, id: Id) -> Result<(), Problem> {
    principal.require(Right::Write)?;
    let now = app.clock.now();
    principal.tenant.revive_letter(id, now, later(now, outbox::GIVE_UP.as_secs())).await?;
    let change = Change {
        actor: &principal.name,
        action: "revived",
        kind: "letter",
        object: Some(id),
        say: "has a letter tried again that was given up",
    };
    principal.tenant.log_change(&change, now).await?;
    tell(app, principal.tenant.id(), "outbox", id, "revived", &principal.name);
    Ok(())
}

async fn changed(
    app: &App,
    principal: &Principal,
    id: Id,
    action: &'static str,
    say: &str,
    now: Timestamp,
) -> Result<(), Problem> {
    let change = Change { actor: &principal.name, action, kind: "channel", object: Some(id), say };
    principal.tenant.log_change(&change, now).await.map_err(|e: StoreError| e)?;
    tell(app, principal.tenant.id(), "channel", id, action, &principal.name);
    Ok(())
}

fn file_owned() -> Problem {
    Problem::conflict("a configuration file owns this channel; change it there, and apply it")
}

fn view(channel: Channel) -> ChannelView {
    // What cannot be read is not shown at all: there may be a secret in it.
    let config = ChannelConfig::read(&channel.kind, &channel.config, None);
    ChannelView {
        id: channel.id.to_string(),
        external_id: channel.external_id,
        name: channel.name,
        kind: channel.kind,
        config: config.map_or_else(|_| Json::Object(Default::default()), |c| c.shown()),
        enabled: channel.enabled,
        origin: channel.origin,
        last_delivered: channel.last_delivered,
        last_error: channel.last_error,
    }
}

fn delivery_view(delivery: Delivery) -> DeliveryView {
    DeliveryView {
        id: delivery.id.to_string(),
        channel: delivery.channel.map(|c| c.to_string()),
        headline: delivery.headline,
        at: delivery.at,
        outcome: delivery.outcome,
        say: delivery.say,
        took_ms: ms(delivery.took_us),
    }
}

fn outbox_view(letter: OutboxLetter) -> OutboxView {
    OutboxView {
        id: letter.id.to_string(),
        channel: letter.channel.map(|c| c.to_string()),
        subject: letter.subject,
        headline: letter.headline,
        attempts: letter.attempts,
        created: letter.created,
        next: (letter.state == "pending").then_some(letter.next),
        state: letter.state,
        delivered: letter.delivered,
        last_error: letter.last_error,
    }
}
