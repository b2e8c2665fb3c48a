//! The two calls that are made to Stripe: a checkout session and a link to the customer portal.
//!
//! Form-encoded POST with the secret key as bearer and an `Idempotency-Key`, so that a call whose answer was lost can be
//! made again without a second session (<https://docs.stripe.com/api/idempotent_requests>,
//! <https://docs.stripe.com/api/checkout/sessions/create>, <https://docs.stripe.com/api/customer_portal/sessions/create>).

use std::time::Duration;

use serde_json::Value;

use super::BillingSettings;
use crate::outbound;

/// How long one call may take.
const DEADLINE: Duration = Duration::from_secs(15);
const ANSWER: usize = 256 * 1024;

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(crate) enum StripeError {
    /// Stripe said no, and will say so again.
    #[error("Stripe refused: {0}")]
    Refused(String),
    /// It may work later: no answer, or Stripe's own trouble.
    #[error("Stripe could not be asked: {0}")]
    Unavailable(String),
}

/// What a checkout session is made of.
pub(crate) struct NewSession<'a> {
    pub(crate) checkout: &'a str,
    pub(crate) org: &'a str,
    pub(crate) plan: &'a str,
    pub(crate) price: &'a str,
    pub(crate) customer: Option<&'a str>,
    pub(crate) back_to: &'a str,
}

/// Makes a checkout session: its id and the URL where it is paid.
pub(crate) async fn create_session(
    settings: &BillingSettings,
    new: &NewSession<'_>,
) -> Result<(String, String), StripeError> {
    let success = format!("{}?checkout=done", new.back_to);
    let cancel = format!("{}?checkout=cancelled", new.back_to);
    let mut form = vec![
        ("mode", "subscription"),
        ("line_items[0][price]", new.price),
        ("line_items[0][quantity]", "1"),
        ("client_reference_id", new.org),
        ("success_url", success.as_str()),
        ("cancel_url", cancel.as_str()),
        // On the session and on the subscription: each kind of event carries only its own object's metadata.
        ("metadata[checkout]", new.checkout),
        ("metadata[org]", new.org),
        ("metadata[plan]", new.plan),
        ("subscription_data[metadata][checkout]", new.checkout),
        ("subscription_data[metadata][org]", new.org),
        ("subscription_data[metadata][plan]", new.plan),
    ];
    if let Some(customer) = new.customer {
        form.push(("customer", customer));
    }
    let answer = post(settings, "/v1/checkout/sessions", &form, new.checkout).await?;
    match (text(&answer, "id"), text(&answer, "url")) {
        (Some(id), Some(url)) if url.starts_with("https://") || is_test(settings) => Ok((id, url)),
        _ => Err(StripeError::Unavailable("the answer has no session id and URL".into())),
    }
}

/// Makes a link to the customer portal.
pub(crate) async fn create_portal(
    settings: &BillingSettings,
    customer: &str,
    back_to: &str,
    key: &str,
) -> Result<String, StripeError> {
    let form = [("customer", customer), ("return_url", back_to)];
    let answer = post(settings, "/v1/billing_portal/sessions", &form, key).await?;
    text(&answer, "url").ok_or_else(|| StripeError::Unavailable("the answer has no URL".into()))
}

fn is_test(settings: &BillingSettings) -> bool {
    settings.api_base.starts_with("http://")
}

fn text(answer: &Value, name: &str) -> Option<String> {
    answer.get(name)?.as_str().map(str::to_owned)
}

async fn post(
    settings: &BillingSettings,
    path: &str,
    form: &[(&str, &str)],
    key: &str,
) -> Result<Value, StripeError> {
    let call = async {
        let response = outbound::client(&settings.api_base)
            .post(outbound::join(&settings.api_base, path))
            .bearer_auth(settings.secret_key.expose())
            .header("Idempotency-Key", key)
            .form(form)
            .send()
            .await
            .map_err(|e| StripeError::Unavailable(outbound::words(&e)))?;
        let status = response.status();
        let body = outbound::body(response, ANSWER).await.map_err(StripeError::Unavailable)?;
        let answer: Value = serde_json::from_slice(&body).unwrap_or(Value::Null);
        if status.is_success() {
            return Ok(answer);
        }
        let say = answer.pointer("/error/message").and_then(Value::as_str).unwrap_or("no reason given");
        let say = format!("HTTP {}: {}", status.as_u16(), landfall_evidence::redact_text(say));
        // 409 is a call with the same key that is still being worked on, 429 a limit; both pass.
        if status.is_server_error() || matches!(status.as_u16(), 409 | 429) {
            Err(StripeError::Unavailable(say))
        } else {
            Err(StripeError::Refused(say))
        }
    };
    match tokio::time::timeout(DEADLINE, call).await {
        Ok(answer) => answer,
        Err(_) => Err(StripeError::Unavailable("no answer in time".into())),
    }
}
