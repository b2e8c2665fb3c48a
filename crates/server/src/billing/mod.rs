//! Billing over Stripe; off by default, and then nothing is limited.
//!
//! What Stripe says arrives at [`webhook`], is stored first and applied in the same transaction; which plan an
//! organisation is on follows from its subscriptions alone. Nothing is fulfilled before something said that it is paid.

mod dunning;
mod event;
mod plans;
mod signature;
mod stripe;
#[cfg(test)]
mod tests;
mod webhook;

pub mod api;

use std::collections::BTreeMap;

pub use dunning::{DAYS, GRACE_DAYS, dunning_sweep};
pub use plans::{Limits, PLANS, Plan, check_room, limits_of, limits_of_plan, plan};
pub use signature::{SignatureProblem, TOLERANCE_S, verify};
pub use webhook::router;

use crate::Secret;

/// What the operator sets for billing.
#[derive(Debug, Clone)]
pub struct BillingSettings {
    /// Whether there is billing at all. Without it every organisation has every limit lifted.
    pub on: bool,
    /// Stripe's secret key (`sk_…` or a restricted `rk_…`).
    pub secret_key: Secret,
    /// Signing secrets of the webhook endpoint (`whsec_…`); several while one is rolled. Any of them will do.
    pub webhook_secrets: Vec<Secret>,
    /// The price of each plan that can be bought, by the plan's id: `team = "price_…"`.
    pub prices: BTreeMap<String, String>,
    /// Where Stripe is. Another address is for tests.
    pub api_base: String,
}

impl Default for BillingSettings {
    fn default() -> Self {
        Self {
            on: false,
            secret_key: Secret::default(),
            webhook_secrets: Vec::new(),
            prices: BTreeMap::new(),
            api_base: "https://api.stripe.com".into(),
        }
    }
}

impl BillingSettings {
    /// Everything that is wrong with these settings, in words; empty when billing is off or all is well. Checked when the
    /// server starts, so that a buyer is not the first to find out.
    pub fn problems(&self) -> Vec<String> {
        let mut problems = Vec::new();
        if !self.on {
            return problems;
        }
        let key = self.secret_key.expose();
        if !(key.starts_with("sk_") || key.starts_with("rk_")) {
            problems.push("billing.secret_key must be Stripe's secret key: it begins with sk_ or rk_".into());
        }
        if self.webhook_secrets.iter().all(Secret::is_empty) {
            problems.push("billing.webhook_secrets is empty: no event could be believed".into());
        }
        for secret in self.webhook_secrets.iter().filter(|s| !s.is_empty()) {
            if !secret.expose().starts_with("whsec_") {
                problems.push(
                    "a value of billing.webhook_secrets is no signing secret: those begin with whsec_".into(),
                );
            }
        }
        for (name, price) in &self.prices {
            if plan(name).is_none_or(|p| p.rank == 0) {
                problems.push(format!("billing.prices names the plan {name:?}, which cannot be bought"));
            }
            if !price.starts_with("price_") {
                problems
                    .push(format!("billing.prices.{name} must be the id of a price: it begins with price_"));
            }
        }
        for plan in PLANS.iter().filter(|p| p.rank > 0 && !self.prices.contains_key(p.id)) {
            problems.push(format!("billing.prices has no price for the plan {:?}", plan.id));
        }
        problems
    }

    /// The plan that a price buys.
    pub(crate) fn plan_of_price(&self, price: &str) -> Option<&'static Plan> {
        self.prices.iter().find(|(_, p)| *p == price).and_then(|(name, _)| plan(name))
    }

    /// Whether the key is for real money; `None` when it does not say.
    pub(crate) fn live_mode(&self) -> Option<bool> {
        let key = self.secret_key.expose();
        let rest = key.strip_prefix("sk_").or_else(|| key.strip_prefix("rk_"))?;
        if rest.starts_with("live_") {
            Some(true)
        } else if rest.starts_with("test_") {
            Some(false)
        } else {
            None
        }
    }
}
