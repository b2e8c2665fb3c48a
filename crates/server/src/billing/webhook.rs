//! `POST /api/webhooks/stripe/checkout-completed` (and `/api/webhooks/stripe`): what Stripe says.
//!
//! Policy. A request whose signature is good is answered within its own transaction: the event is stored under Stripe's id,
//! acted upon, and both are durable when 200 is said. The same event again is 200 without a second effect. What cannot be
//! assigned or understood is stored as well, answered with 200 (sending it again would not help), and shown to the
//! operator. Only a database that does not take the event leads to 503, because then Stripe is to come again. Mails leave
//! through the outbox, never from in here.
//!
//! What is applied: a session counts as paid when its `payment_status` says so, else it waits for
//! `checkout.session.async_payment_succeeded` (<https://docs.stripe.com/checkout/fulfillment>). Stripe does not promise the
//! order of events (<https://docs.stripe.com/webhooks#event-ordering>), so a subscription's state is taken from an event
//! only if it is newer than what is known, and a subscription that ended stays ended.

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use jiff::Timestamp;
use landfall_store::billing::{self, Checkout, Subscription, Unpaid};
use landfall_store::{OrgId, StoreError, Tx};

use super::event::Event;
use super::{BillingSettings, plan, plans, verify};
use crate::notice::{self, Notice};
use crate::{App, Problem};

/// The path that Stripe is given.
pub(crate) const PATH: &str = "/api/webhooks/stripe/checkout-completed";

/// The largest body that is read. Stripe's events are a few kilobytes; one with everything expanded may be more.
const BODY: usize = 512 * 1024;

/// How long storing and applying may take; Stripe waits longer than this.
const DEADLINE: Duration = Duration::from_secs(8);

/// The webhook under both of its paths.
pub fn router() -> Router<App> {
    Router::new().route(PATH, post(receive)).route("/api/webhooks/stripe", post(receive))
}

async fn receive(State(app): State<App>, headers: HeaderMap, body: Body) -> Response {
    let body = match Limited::new(body, BODY).collect().await {
        Ok(body) => body.to_bytes(),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            return Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("an event is at most {BODY} bytes"))
                .into_response();
        }
        Err(_) => return Problem::bad_request("the body broke off").into_response(),
    };
    match take(&app, &headers, &body).await {
        Ok(taken) => {
            let answer = serde_json::json!({ "received": true, "id": taken.id, "outcome": taken.outcome });
            ([(header::CACHE_CONTROL, "no-store")], axum::Json(answer)).into_response()
        }
        Err(problem) => problem.into_response(),
    }
}

/// What became of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Taken {
    /// The event's id.
    pub(crate) id: String,
    /// `applied`, `replayed`, `ignored`, `waiting`, `unassigned`, `unreadable`.
    pub(crate) outcome: &'static str,
}

async fn take(app: &App, headers: &HeaderMap, body: &[u8]) -> Result<Taken, Problem> {
    let settings = &app.settings.billing;
    let now = app.clock.now();
    if !settings.on {
        // Not 404: events that were sent while billing was being set up are worth sending again.
        return Err(Problem::new(StatusCode::SERVICE_UNAVAILABLE, "billing is off on this server"));
    }
    let signature = headers.get("stripe-signature").and_then(|v| v.to_str().ok());
    verify(signature, body, &settings.webhook_secrets, now).map_err(|problem| {
        tracing::warn!(error = %problem, "a webhook was not believed");
        Problem::bad_request(problem.to_string())
    })?;
    let event = Event::parse(body).map_err(Problem::bad_request)?;
    let text = std::str::from_utf8(body).map_err(|_| Problem::bad_request("the body is not UTF-8"))?;
    match tokio::time::timeout(DEADLINE, store(app, &event, text, now)).await {
        Ok(taken) => Ok(taken?),
        Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the event could not be stored in time; send it again",
        )),
    }
}

async fn store(app: &App, event: &Event, body: &str, now: Timestamp) -> Result<Taken, StoreError> {
    let settings = &app.settings.billing;
    let mut tx = billing::begin(&app.store).await?;
    let stored = billing::Event {
        id: &event.id,
        kind: &event.kind,
        created: event.created,
        live: event.live,
        customer: event.customer(),
        body,
    };
    if !billing::record(&mut tx, &stored, now).await? {
        return Ok(Taken { id: event.id.clone(), outcome: "replayed" });
    }
    let place = Place { settings, public_url: &app.settings.public_url, now };
    let done = apply(&mut tx, &place, event).await?;
    billing::conclude(&mut tx, &event.id, done.org, done.outcome, &done.say).await?;
    // A customer who is known from now on may explain what came before.
    if let (Some(customer), Some(_)) = (done.newly_linked, done.org) {
        for earlier in billing::unassigned_of(&mut tx, &customer).await? {
            let Ok(late) = Event::parse(earlier.body.as_bytes()) else { continue };
            let late_done = apply(&mut tx, &place, &late).await?;
            billing::conclude(&mut tx, &late.id, late_done.org, late_done.outcome, &late_done.say).await?;
        }
    }
    tx.commit().await?;
    match done.outcome {
        "unassigned" | "unreadable" => {
            tracing::warn!(event = %event.id, kind = %event.kind, say = %done.say, "an event needs a person");
        }
        outcome => tracing::info!(event = %event.id, kind = %event.kind, outcome, "an event was taken"),
    }
    Ok(Taken { id: event.id.clone(), outcome: done.outcome })
}

struct Place<'a> {
    settings: &'a BillingSettings,
    public_url: &'a str,
    now: Timestamp,
}

impl Place<'_> {
    fn link(&self) -> Option<String> {
        Some(format!("{}/settings/billing", self.public_url.trim_end_matches('/')))
    }
}

struct Done {
    org: Option<OrgId>,
    outcome: &'static str,
    say: String,
    newly_linked: Option<String>,
}

impl Done {
    fn new(org: Option<OrgId>, outcome: &'static str, say: impl Into<String>) -> Self {
        Self { org, outcome, say: say.into(), newly_linked: None }
    }

    fn linked(mut self, customer: Option<&str>, new: bool) -> Self {
        self.newly_linked = customer.filter(|_| new).map(str::to_owned);
        self
    }
}

async fn apply(tx: &mut Tx, place: &Place<'_>, event: &Event) -> Result<Done, StoreError> {
    if place.settings.live_mode().is_some_and(|live| live != event.live) {
        let (event_is, key_is) = if event.live { ("live", "test") } else { ("test", "live") };
        return Ok(Done::new(
            None,
            "ignored",
            format!("a {event_is}-mode event, and the key is for {key_is} mode"),
        ));
    }
    match event.kind.as_str() {
        "checkout.session.completed"
        | "checkout.session.async_payment_succeeded"
        | "checkout.session.async_payment_failed"
        | "checkout.session.expired" => session(tx, place, event).await,
        "customer.subscription.created"
        | "customer.subscription.updated"
        | "customer.subscription.paused"
        | "customer.subscription.resumed"
        | "customer.subscription.deleted" => subscription(tx, place, event).await,
        "invoice.paid" | "invoice.payment_succeeded" => invoice_paid(tx, place, event).await,
        "invoice.payment_failed" => invoice_failed(tx, place, event).await,
        "invoice.voided" | "invoice.marked_uncollectible" => invoice_void(tx, place, event).await,
        kind => Ok(Done::new(None, "ignored", format!("nothing is done about {kind}"))),
    }
}

/// The organisation that an event is about, with the checkout that led to it.
async fn owner(tx: &mut Tx, event: &Event) -> Result<(Option<OrgId>, Option<Checkout>), StoreError> {
    if let Some(id) = event.metadata("checkout")
        && let Some(checkout) = billing::checkout_by_id(tx, id).await?
    {
        return Ok((Some(checkout.org), Some(checkout)));
    }
    if let Some(org) = event.metadata("org")
        && let Some(org) = billing::org_named(tx, org).await?
    {
        return Ok((Some(org), None));
    }
    // Whoever has a payment link can write any reference into it; of our own sessions it is ours.
    if let (Some(org), None) = (event.text("/client_reference_id"), event.text("/payment_link"))
        && let Some(org) = billing::org_named(tx, org).await?
    {
        return Ok((Some(org), None));
    }
    match event.customer() {
        Some(customer) => Ok((billing::org_of_customer(tx, customer).await?, None)),
        None => Ok((None, None)),
    }
}

async fn session(tx: &mut Tx, place: &Place<'_>, event: &Event) -> Result<Done, StoreError> {
    let now = place.now;
    let Some(id) = event.text("/id") else {
        return Ok(Done::new(None, "unreadable", "the session has no id"));
    };
    let (Some(org), mut checkout) = owner(tx, event).await? else {
        return Ok(Done::new(None, "unassigned", "the session names no organisation of this server"));
    };
    if checkout.is_none() {
        checkout = billing::checkout_by_session(tx, id).await?;
    }
    let email = event.text("/customer_details/email").or_else(|| event.text("/customer_email"));
    let new = match event.customer() {
        Some(customer) => billing::link_customer(tx, customer, org, email, now).await?,
        None => false,
    };
    let done = match checkout {
        Some(checkout) => session_of(tx, place, event, id, &checkout, email).await?,
        None => match event.metadata("plan").and_then(plan).filter(|p| p.rank > 0) {
            Some(plan) => {
                let adopted = billing::adopt_checkout(tx, org, plan.id, id, now).await?;
                session_of(tx, place, event, id, &adopted, email).await?
            }
            None => Done::new(Some(org), "unassigned", "the session names no plan that is sold here"),
        },
    };
    Ok(done.linked(event.customer(), new))
}

async fn session_of(
    tx: &mut Tx,
    place: &Place<'_>,
    event: &Event,
    id: &str,
    checkout: &Checkout,
    email: Option<&str>,
) -> Result<Done, StoreError> {
    let (org, now) = (checkout.org, place.now);
    if checkout.state == "fulfilled" {
        return Ok(Done::new(Some(org), "ignored", "the session was fulfilled before"));
    }
    let plan_name = plan(&checkout.plan).map_or(checkout.plan.as_str(), |p| p.name);
    match event.kind.as_str() {
        "checkout.session.expired" => {
            billing::set_checkout(tx, checkout.id, id, "expired", now).await?;
            return Ok(Done::new(Some(org), "applied", "the checkout was left without paying"));
        }
        "checkout.session.async_payment_failed" => {
            billing::set_checkout(tx, checkout.id, id, "failed", now).await?;
            let key = format!("billing/session/{id}/failed");
            notice::send(
                tx,
                &Notice {
                    org,
                    key: &key,
                    headline: format!("The payment for the plan {plan_name} failed"),
                    notes: vec!["The bank did not confirm the payment, so the plan was not changed.".into()],
                    actions: vec!["Start the checkout again, with another way to pay.".into()],
                    link: place.link(),
                    mail_to: email.map(str::to_owned),
                    channels: email.is_none(),
                },
                now,
            )
            .await?;
            return Ok(Done::new(Some(org), "applied", "the payment failed; the buyer is told"));
        }
        _ => {}
    }
    let status = event.text("/payment_status").unwrap_or("");
    let succeeded = event.kind == "checkout.session.async_payment_succeeded";
    if !(succeeded || matches!(status, "paid" | "no_payment_required")) {
        if checkout.state != "failed" {
            billing::set_checkout(tx, checkout.id, id, "waiting", now).await?;
        }
        return Ok(Done::new(Some(org), "waiting", format!("payment_status is {status:?}: not paid yet")));
    }
    let Some(bought) = event.refers("/subscription") else {
        return Ok(Done::new(Some(org), "unreadable", "the session is paid but has no subscription"));
    };
    let known = billing::subscription(tx, bought).await?;
    if known.as_ref().is_some_and(|k| k.org != org) {
        return Ok(Done::new(Some(org), "unreadable", "the subscription belongs to another organisation"));
    }
    let mut kept = known.unwrap_or_else(|| Subscription {
        id: bought.to_owned(),
        org,
        plan: checkout.plan.clone(),
        status: "active".into(),
        paid: None,
        suspended: None,
        known: (Timestamp::UNIX_EPOCH, 0),
    });
    // A session says nothing of the subscription's later life: only what no event has said yet is taken from it.
    if kept.known.0 == Timestamp::UNIX_EPOCH && kept.status == "incomplete" {
        kept.status = "active".into();
    }
    kept.paid = kept.paid.or(Some(event.created));
    billing::put_subscription(tx, &kept, event.customer(), now).await?;
    billing::set_checkout(tx, checkout.id, id, "fulfilled", now).await?;
    let (_, plan_now) = billing::settle_plan(tx, org, plans::rank).await?;
    if kept.counts() {
        let key = format!("billing/session/{id}/fulfilled");
        notice::send(
            tx,
            &Notice {
                org,
                key: &key,
                headline: format!("The plan {plan_name} is active"),
                notes: vec!["The payment arrived. Thank you.".into()],
                actions: Vec::new(),
                link: place.link(),
                mail_to: email.map(str::to_owned),
                channels: false,
            },
            now,
        )
        .await?;
    }
    Ok(Done::new(Some(org), "applied", format!("paid; the organisation is on the plan {plan_now}")))
}

/// Where an event stands among events of the same second: Stripe's times have no finer grain.
fn rank_of(kind: &str) -> i64 {
    match kind {
        "customer.subscription.created" => 1,
        "customer.subscription.deleted" => 3,
        _ => 2,
    }
}

/// How much a subscription's status is worth, to settle two events of one second.
fn worth(status: &str) -> u8 {
    match status {
        "active" | "trialing" => 3,
        "past_due" => 2,
        "unpaid" | "paused" | "incomplete" => 1,
        _ => 0,
    }
}

async fn subscription(tx: &mut Tx, place: &Place<'_>, event: &Event) -> Result<Done, StoreError> {
    let now = place.now;
    let (Some(id), Some(status)) = (event.text("/id"), event.text("/status")) else {
        return Ok(Done::new(None, "unreadable", "the subscription has no id or no status"));
    };
    let known = billing::subscription(tx, id).await?;
    let org = match &known {
        Some(known) => Some(known.org),
        None => owner(tx, event).await?.0,
    };
    let Some(org) = org else {
        return Ok(Done::new(
            None,
            "unassigned",
            "the subscription belongs to no organisation of this server",
        ));
    };
    let new = match event.customer() {
        Some(customer) => billing::link_customer(tx, customer, org, None, now).await?,
        None => false,
    };
    // The price decides: in the customer portal a plan is changed without touching what we once wrote into the metadata.
    let priced =
        event.prices().into_iter().filter_map(|p| place.settings.plan_of_price(p)).max_by_key(|p| p.rank);
    let bought = priced
        .map(|p| p.id.to_owned())
        .or_else(|| known.as_ref().map(|k| k.plan.clone()))
        .or_else(|| event.metadata("plan").and_then(plan).map(|p| p.id.to_owned()));
    let Some(bought) = bought else {
        return Ok(Done::new(Some(org), "unassigned", "the subscription has no price that is sold here"));
    };
    let status = if event.kind == "customer.subscription.deleted" { "canceled" } else { status };
    let stamp = (event.created, rank_of(&event.kind));
    let mut kept = known.unwrap_or_else(|| Subscription {
        id: id.to_owned(),
        org,
        plan: bought.clone(),
        status: "incomplete".into(),
        paid: None,
        suspended: None,
        known: (Timestamp::UNIX_EPOCH, 0),
    });
    if kept.ended() {
        return Ok(Done::new(
            Some(org),
            "ignored",
            "the subscription has ended; what came before it comes too late",
        ));
    }
    let lowers = worth(status) < worth(&kept.status)
        || plans::rank(&bought).unwrap_or(0) < plans::rank(&kept.plan).unwrap_or(0);
    if stamp < kept.known || (stamp == kept.known && lowers) {
        return Ok(Done::new(Some(org), "ignored", "something newer is known of the subscription")
            .linked(event.customer(), new));
    }
    kept.status = status.to_owned();
    kept.plan = bought;
    kept.known = stamp;
    billing::put_subscription(tx, &kept, event.customer(), now).await?;
    let (before, plan_now) = billing::settle_plan(tx, org, plans::rank).await?;
    if kept.ended() && before != plan_now {
        let key = format!("billing/subscription/{id}/ended");
        let mail_to = billing::email_of(tx, org).await?;
        notice::send(
            tx,
            &Notice {
                org,
                key: &key,
                headline: format!("The subscription ended; the organisation is on the plan {plan_now}"),
                notes: vec![
                    "Nothing was deleted. What is above the plan's limits can be kept but not added to."
                        .into(),
                ],
                actions: Vec::new(),
                link: place.link(),
                channels: mail_to.is_none(),
                mail_to,
            },
            now,
        )
        .await?;
    }
    let say = format!("the subscription is {}; the organisation is on the plan {plan_now}", kept.status);
    Ok(Done::new(Some(org), "applied", say).linked(event.customer(), new))
}

/// The invoice's id, its subscription as far as it is known, and whose it is.
async fn invoice(
    tx: &mut Tx,
    event: &Event,
) -> Result<Result<(String, Option<Subscription>, OrgId), Done>, StoreError> {
    let Some(id) = event.text("/id") else {
        return Ok(Err(Done::new(None, "unreadable", "the invoice has no id")));
    };
    let known = match event.invoice_subscription() {
        Some(subscription) => billing::subscription(tx, subscription).await?,
        None => None,
    };
    let org = match &known {
        Some(known) => Some(known.org),
        None => owner(tx, event).await?.0,
    };
    Ok(match org {
        Some(org) => Ok((id.to_owned(), known, org)),
        None => Err(Done::new(None, "unassigned", "the invoice belongs to no organisation of this server")),
    })
}

async fn invoice_paid(tx: &mut Tx, place: &Place<'_>, event: &Event) -> Result<Done, StoreError> {
    let now = place.now;
    let (id, known, org) = match invoice(tx, event).await? {
        Ok(found) => found,
        Err(done) => return Ok(done),
    };
    let new = match event.customer() {
        Some(customer) => {
            billing::link_customer(tx, customer, org, event.text("/customer_email"), now).await?
        }
        None => false,
    };
    let subscription = event.invoice_subscription();
    billing::close_invoice(tx, &id, org, subscription, "paid", now).await?;
    let priced =
        event.prices().into_iter().filter_map(|p| place.settings.plan_of_price(p)).max_by_key(|p| p.rank);
    let kept = match (known, subscription) {
        (Some(known), _) => Some(known),
        (None, Some(subscription)) => {
            let bought = priced.or_else(|| event.metadata("plan").and_then(plan));
            bought.map(|plan| Subscription {
                id: subscription.to_owned(),
                org,
                plan: plan.id.into(),
                // Its own event says how it stands.
                status: "incomplete".into(),
                paid: None,
                suspended: None,
                known: (Timestamp::UNIX_EPOCH, 0),
            })
        }
        (None, None) => None,
    };
    let Some(mut kept) = kept else {
        return Ok(Done::new(Some(org), "ignored", "paid, and for no subscription that is sold here")
            .linked(event.customer(), new));
    };
    kept.paid = kept.paid.or(Some(event.created));
    kept.suspended = None;
    billing::put_subscription(tx, &kept, event.customer(), now).await?;
    let (_, plan_now) = billing::settle_plan(tx, org, plans::rank).await?;
    Ok(Done::new(
        Some(org),
        "applied",
        format!("the invoice is paid; the organisation is on the plan {plan_now}"),
    )
    .linked(event.customer(), new))
}

async fn invoice_failed(tx: &mut Tx, place: &Place<'_>, event: &Event) -> Result<Done, StoreError> {
    let now = place.now;
    let (id, known, org) = match invoice(tx, event).await? {
        Ok(found) => found,
        Err(done) => return Ok(done),
    };
    if known.as_ref().is_none_or(|k| k.paid.is_none()) {
        // The very first payment: nothing was given yet, so there is nothing to be reminded of. Checkout tells the buyer.
        return Ok(Done::new(Some(org), "ignored", "a first payment failed; nothing had been given for it"));
    }
    let unpaid = Unpaid {
        id,
        org,
        subscription: event.invoice_subscription().map(str::to_owned),
        email: event.text("/customer_email").map(str::to_owned),
        url: event.text("/hosted_invoice_url").filter(|u| u.starts_with("https://")).map(str::to_owned),
        failed: event.created,
        sent: 0,
    };
    if billing::fail_invoice(tx, &unpaid, now).await? {
        Ok(Done::new(Some(org), "applied", "the payment failed; reminders follow until it is paid"))
    } else {
        Ok(Done::new(Some(org), "ignored", "the invoice was paid or closed meanwhile"))
    }
}

async fn invoice_void(tx: &mut Tx, place: &Place<'_>, event: &Event) -> Result<Done, StoreError> {
    let (id, _, org) = match invoice(tx, event).await? {
        Ok(found) => found,
        Err(done) => return Ok(done),
    };
    if billing::invoice_state(tx, &id).await?.as_deref() == Some("paid") {
        return Ok(Done::new(Some(org), "ignored", "the invoice was paid"));
    }
    billing::close_invoice(tx, &id, org, event.invoice_subscription(), "void", place.now).await?;
    Ok(Done::new(Some(org), "applied", "nobody has to pay the invoice any more"))
}
