//! Billing in the API: what an organisation is on, a checkout, the customer portal.
//!
//! The functions take a [`Principal`], so that the API's handlers and the pages' forms do the same.

use std::time::Duration;

use axum::extract::State;
use http::StatusCode;
use jiff::Timestamp;
use landfall_store::{Id, billing as stored};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::stripe::{self, NewSession, StripeError};
use super::{Limits, PLANS, Plan, limits_of, plan};
use crate::api::model::Listing;
use crate::extract::Json;
use crate::service::jobs::operator;
use crate::{App, Principal, Problem, Right};

/// A session of Stripe lives for a day; one that is offered again should not be about to end.
const REUSE: Duration = Duration::from_secs(12 * 3600);

/// What an organisation is on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BillingView {
    /// Whether there is billing on this server.
    pub on: bool,
    /// The plan's id.
    pub plan: String,
    /// What it allows.
    pub limits: Limits,
    /// Subscriptions, with Stripe's word for their state.
    pub subscriptions: Vec<SubscriptionView>,
    /// Invoices that nobody has paid.
    pub unpaid_invoices: u64,
    /// The plans that can be bought.
    #[schema(value_type = Vec<Object>)]
    pub plans: Vec<Plan>,
}

/// A subscription.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SubscriptionView {
    /// The plan that it buys.
    pub plan: String,
    /// `active`, `past_due`, `canceled`, …
    pub status: String,
    /// Whether it counts: it runs, and it is paid for.
    pub counts: bool,
}

/// An event of the payment provider that needs a person.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BillingEventView {
    /// The provider's id of it; its dashboard shows the rest.
    pub id: String,
    /// Its type.
    pub kind: String,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub received: Timestamp,
    /// `unassigned`: no organisation fits. `unreadable`: of a known type, and not understood.
    pub outcome: String,
    /// Why, in words.
    pub say: String,
}

/// Which plan is to be bought.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct CheckoutRequest {
    /// The plan's id.
    pub plan: String,
}

/// Where to go on.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct GoTo {
    /// The URL, at Stripe.
    pub url: String,
}

fn on(app: &App) -> Result<(), Problem> {
    if app.settings.billing.on {
        return Ok(());
    }
    Err(Problem::new(StatusCode::NOT_FOUND, "there is no billing on this server: everything is included"))
}

/// What the organisation is on.
///
/// # Errors
/// 403 for those who are not owners or admins, 503 when the database fails.
pub async fn show(app: &App, who: &Principal) -> Result<BillingView, Problem> {
    who.require(Right::Admin)?;
    let settings = &app.settings.billing;
    let subscriptions = who.tenant.subscriptions().await?;
    Ok(BillingView {
        on: settings.on,
        plan: who.tenant.org().await?.plan,
        limits: limits_of(settings, &who.tenant).await?,
        subscriptions: subscriptions
            .iter()
            .map(|s| SubscriptionView { plan: s.plan.clone(), status: s.status.clone(), counts: s.counts() })
            .collect(),
        unpaid_invoices: who.tenant.unpaid_invoices().await?,
        plans: PLANS.iter().filter(|p| settings.prices.contains_key(p.id)).copied().collect(),
    })
}

/// Events that need a person, newest first, at most a hundred. Their content stays in the database and with the provider.
///
/// # Errors
/// 403 for everybody but owners of the first organisation, signed in: they run the server.
pub async fn events(app: &App, who: &Principal) -> Result<Listing<BillingEventView>, Problem> {
    who.require(Right::Own)?;
    operator(app, who).await?;
    let events = stored::needing_a_person(&app.store).await?;
    let view = |e: stored::StoredEvent| BillingEventView {
        id: e.id,
        kind: e.kind,
        received: e.received,
        outcome: e.outcome,
        say: e.say,
    };
    Ok(Listing { items: events.into_iter().map(view).collect(), next: None })
}

/// Starts a checkout: where it is paid.
///
/// # Errors
/// 403 for those who are not owners; 404 without billing; 409 when a subscription runs already; 422 for an unknown plan;
/// 502 or 503 when Stripe refuses or does not answer.
pub async fn checkout(app: &App, who: &Principal, request: &CheckoutRequest) -> Result<GoTo, Problem> {
    who.require(Right::Own)?;
    on(app)?;
    let settings = &app.settings.billing;
    let chosen = plan(&request.plan).filter(|p| p.rank > 0);
    let (Some(chosen), Some(price)) = (chosen, settings.prices.get(&request.plan)) else {
        let sold: Vec<&str> = settings.prices.keys().map(String::as_str).collect();
        return Err(Problem::invalid(vec![crate::problem::FieldError {
            field: "/plan".into(),
            detail: format!("is none of the plans that can be bought: {}", sold.join(", ")),
        }]));
    };
    if who.tenant.subscriptions().await?.iter().any(|s| s.counts() || s.suspended.is_some() && !s.ended()) {
        return Err(Problem::new(
            StatusCode::CONFLICT,
            "a subscription runs already; change it in the customer portal, so that nothing is paid twice",
        ));
    }
    let now = app.clock.now();
    let since = now.checked_sub(REUSE).unwrap_or(jiff::Timestamp::MIN);
    let started = who.tenant.start_checkout(chosen.id, &who.name, since, now).await?;
    if let Some(url) = started.url {
        return Ok(GoTo { url });
    }
    let (id, org) = (started.id.to_string(), who.tenant.id().to_string());
    let customer = who.tenant.customer().await?;
    let new = NewSession {
        checkout: &id,
        org: &org,
        plan: chosen.id,
        price,
        customer: customer.as_deref(),
        back_to: &back_to(app),
    };
    match stripe::create_session(settings, &new).await {
        Ok((session, url)) => {
            who.tenant.checkout_opened(started.id, &session, &url).await?;
            Ok(GoTo { url })
        }
        Err(error) => {
            if matches!(error, StripeError::Refused(_)) {
                // The same key would bring the same refusal for a day.
                who.tenant.checkout_refused(started.id, now).await?;
            }
            Err(gateway(&error))
        }
    }
}

/// A link to the customer portal, where cards, invoices and plans are changed.
///
/// # Errors
/// As [`checkout`]; 409 when nothing was ever bought.
pub async fn portal(app: &App, who: &Principal) -> Result<GoTo, Problem> {
    who.require(Right::Own)?;
    on(app)?;
    let Some(customer) = who.tenant.customer().await? else {
        return Err(Problem::new(StatusCode::CONFLICT, "nothing was bought yet; start with a checkout"));
    };
    let url = stripe::create_portal(&app.settings.billing, &customer, &back_to(app), &Id::new().to_string())
        .await
        .map_err(|error| gateway(&error))?;
    Ok(GoTo { url })
}

fn back_to(app: &App) -> String {
    format!("{}/settings/billing", app.settings.public_url.trim_end_matches('/'))
}

fn gateway(error: &StripeError) -> Problem {
    tracing::error!(%error, "a call to Stripe failed");
    match error {
        // The reason is the operator's: a wrong price, a wrong key.
        StripeError::Refused(_) => Problem::new(
            StatusCode::BAD_GATEWAY,
            "the payment provider refused the request; the operator finds the reason in the log",
        ),
        StripeError::Unavailable(_) => Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "the payment provider cannot be asked at the moment; try again",
        ),
    }
}

/// The routes below `/api/v1`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get))
        .routes(routes!(get_events))
        .routes(routes!(post_checkout))
        .routes(routes!(post_portal))
}

/// What the organisation is on
#[utoipa::path(get, path = "/billing", tag = "billing", operation_id = "getBilling",
    responses((status = 200, body = BillingView)))]
async fn get(State(app): State<App>, who: Principal) -> Result<Json<BillingView>, Problem> {
    show(&app, &who).await.map(Json)
}

/// List payment events that need a person
///
/// For owners of the server's first organisation.
#[utoipa::path(get, path = "/billing/events", tag = "billing", operation_id = "listBillingEvents",
    responses((status = 200, body = Listing<BillingEventView>)))]
async fn get_events(
    State(app): State<App>,
    who: Principal,
) -> Result<Json<Listing<BillingEventView>>, Problem> {
    events(&app, &who).await.map(Json)
}

/// Start a checkout
///
/// Gives the URL at the payment provider. The plan changes when the payment arrives, and not when this returns.
#[utoipa::path(post, path = "/billing/checkout", tag = "billing", operation_id = "startCheckout",
    request_body = CheckoutRequest, responses((status = 200, body = GoTo)))]
async fn post_checkout(
    State(app): State<App>,
    who: Principal,
    Json(asked): Json<CheckoutRequest>,
) -> Result<Json<GoTo>, Problem> {
    checkout(&app, &who, &asked).await.map(Json)
}

/// Open the customer portal
///
/// Gives the URL at the payment provider where cards, invoices and the plan are changed.
#[utoipa::path(post, path = "/billing/portal", tag = "billing", operation_id = "openPortal",
    responses((status = 200, body = GoTo)))]
async fn post_portal(State(app): State<App>, who: Principal) -> Result<Json<GoTo>, Problem> {
    portal(&app, &who).await.map(Json)
}
