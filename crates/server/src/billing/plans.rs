//! Plans and what they allow.

use landfall_store::{StoreError, Tenant};

use super::BillingSettings;
use crate::Problem;

/// A plan.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Plan {
    /// Its id, in settings, in the store and in Stripe's metadata.
    pub id: &'static str,
    /// Its name for people.
    pub name: &'static str,
    /// Its place among the plans; the free one is 0.
    pub rank: u32,
    /// What it allows.
    pub limits: Limits,
}

/// What a plan allows; counts are of things that exist at the same time.
#[derive(Debug, Clone, Copy, PartialEq, Eq, serde::Serialize, utoipa::ToSchema)]
pub struct Limits {
    /// Monitors.
    pub monitors: u32,
    /// The shortest interval of a monitor, in seconds.
    pub interval_min_s: u32,
    /// Heartbeats.
    pub heartbeats: u32,
    /// Members.
    pub members: u32,
    /// Channels.
    pub channels: u32,
    /// Audits that are started by hand, in a day.
    pub audits_per_day: u32,
    /// Messages to the support chat, in a day.
    pub support_per_day: u32,
}

impl Limits {
    /// No limits but those of the machine: without billing.
    pub const NONE: Self = Self {
        monitors: u32::MAX,
        interval_min_s: 10,
        heartbeats: u32::MAX,
        members: u32::MAX,
        channels: u32::MAX,
        audits_per_day: u32::MAX,
        support_per_day: u32::MAX,
    };
}

/// All plans, smallest first.
pub const PLANS: &[Plan] = &[
    Plan {
        id: "free",
        name: "Free",
        rank: 0,
        limits: Limits {
            monitors: 10,
            interval_min_s: 60,
            heartbeats: 10,
            members: 2,
            channels: 3,
            audits_per_day: 20,
            support_per_day: 20,
        },
    },
    Plan {
        id: "team",
        name: "Team",
        rank: 1,
        limits: Limits {
            monitors: 200,
            interval_min_s: 30,
            heartbeats: 200,
            members: 20,
            channels: 50,
            audits_per_day: 500,
            support_per_day: 500,
        },
    },
    Plan {
        id: "business",
        name: "Business",
        rank: 2,
        limits: Limits {
            monitors: 5_000,
            interval_min_s: 10,
            heartbeats: 5_000,
            members: 500,
            channels: 500,
            audits_per_day: 10_000,
            support_per_day: 5_000,
        },
    },
];

/// The plan with this id.
pub fn plan(id: &str) -> Option<&'static Plan> {
    PLANS.iter().find(|p| p.id == id)
}

/// The place of a plan among the plans.
pub(crate) fn rank(id: &str) -> Option<u32> {
    plan(id).map(|p| p.rank)
}

/// What an organisation may have. A plan that this version does not know allows what the free one does.
///
/// # Errors
/// When the database fails.
pub async fn limits_of(settings: &BillingSettings, tenant: &Tenant) -> Result<Limits, StoreError> {
    if !settings.on {
        return Ok(Limits::NONE);
    }
    Ok(limits_of_plan(settings, &tenant.org().await?.plan))
}

/// What a plan allows on a server with these settings.
pub fn limits_of_plan(settings: &BillingSettings, name: &str) -> Limits {
    if settings.on { plan(name).unwrap_or(&PLANS[0]).limits } else { Limits::NONE }
}

/// Whether one more thing fits into a limit: `have` things are there already.
///
/// # Errors
/// 402 with what the limit is and how to lift it.
pub fn check_room(what: &str, have: u64, limit: u32) -> Result<(), Problem> {
    if have < u64::from(limit) {
        return Ok(());
    }
    Err(Problem::new(
        http::StatusCode::PAYMENT_REQUIRED,
        format!(
            "your plan allows {limit} {what}, and there are {have}; remove one, or choose a larger plan under billing"
        ),
    ))
}
