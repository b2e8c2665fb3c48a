//! Reminders for what is not paid, and what follows when nobody pays.
//!
//! Policy: reminders one, seven and fourteen days after the first failure; after [`GRACE_DAYS`] days the subscription is
//! set aside and the organisation falls to the plan that is left. A payment ends it at any time and brings the plan back.
//! A server that slept through a reminder sends the latest one that is due and not all of them. Each is a row of the outbox
//! under a key of its own, so two servers, or one that dies halfway, send nothing twice.

use jiff::Timestamp;
use landfall_store::billing::{self, Unpaid};
use landfall_store::{Store, StoreError};

use super::plans;
use crate::notice::{self, Notice};

/// Days after the first failure on which somebody is reminded.
pub const DAYS: [i64; 3] = [1, 7, 14];

/// Days after the first failure until the plan is lost.
pub const GRACE_DAYS: i64 = 21;

/// Looks at every unpaid invoice: how many there were, and what was done in words.
///
/// # Errors
/// When the database fails; what was written before stays, and the next sweep goes on.
pub async fn dunning_sweep(store: &Store, now: Timestamp) -> Result<(u64, String), StoreError> {
    let open = billing::unpaid(store).await?;
    let (mut reminded, mut downgraded, mut closed) = (0_u64, 0_u64, 0_u64);
    for invoice in &open {
        match one(store, invoice, now).await? {
            Step::Reminded => reminded += 1,
            Step::Downgraded => downgraded += 1,
            Step::Closed => closed += 1,
            Step::Nothing => {}
        }
    }
    let looked = open.len() as u64;
    let say =
        format!("{looked} unpaid invoices: {reminded} reminders, {downgraded} downgrades, {closed} closed");
    Ok((looked, say))
}

enum Step {
    Nothing,
    Reminded,
    Downgraded,
    Closed,
}

async fn one(store: &Store, invoice: &Unpaid, now: Timestamp) -> Result<Step, StoreError> {
    let days = (now.as_second() - invoice.failed.as_second()).div_euclid(86_400);
    let due = DAYS.into_iter().rev().find(|d| *d <= days).unwrap_or(0);
    if days < GRACE_DAYS && due <= invoice.sent {
        return Ok(Step::Nothing);
    }
    let mut tx = billing::begin(store).await?;
    let subscription = match &invoice.subscription {
        Some(id) => billing::subscription(&mut tx, id).await?,
        None => None,
    };
    if subscription.as_ref().is_some_and(|s| s.ended()) {
        // What ended is not asked for any more.
        let id = invoice.subscription.as_deref();
        billing::close_invoice(&mut tx, &invoice.id, invoice.org, id, "void", now).await?;
        tx.commit().await?;
        return Ok(Step::Closed);
    }
    let mail_to = match &invoice.email {
        Some(email) => Some(email.clone()),
        None => billing::email_of(&mut tx, invoice.org).await?,
    };
    let (key, headline, notes, step);
    if days >= GRACE_DAYS {
        if !billing::mark_downgraded(&mut tx, &invoice.id, now).await? {
            return Ok(Step::Nothing);
        }
        if let Some(mut kept) = subscription {
            kept.suspended = Some(now);
            billing::put_subscription(&mut tx, &kept, None, now).await?;
        }
        let (before, plan) = billing::settle_plan(&mut tx, invoice.org, plans::rank).await?;
        key = format!("billing/{}/downgraded", invoice.id);
        headline = format!("Nobody paid for {GRACE_DAYS} days: the plan {before} was changed to {plan}");
        notes = vec!["Nothing was deleted. A payment brings the plan back at once.".to_owned()];
        step = Step::Downgraded;
    } else {
        if !billing::mark_reminded(&mut tx, &invoice.id, due, now).await? {
            return Ok(Step::Nothing);
        }
        key = format!("billing/{}/day-{due}", invoice.id);
        headline = "A payment failed: please look at how you pay".to_owned();
        notes = vec![format!(
            "The payment failed {days} {} ago. Without one the plan is lost in {} days.",
            if days == 1 { "day" } else { "days" },
            GRACE_DAYS - days
        )];
        step = Step::Reminded;
    }
    notice::send(
        &mut tx,
        &Notice {
            org: invoice.org,
            key: &key,
            headline,
            notes,
            actions: vec!["Pay the invoice, or change the way to pay under billing.".into()],
            link: invoice.url.clone(),
            channels: mail_to.is_none(),
            mail_to,
        },
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(step)
}
