//! API keys.

use landfall_store::accounts::{ApiKey, NewKey};
use landfall_store::{Id, Page, StoreError};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{check_name, later, listing, no_errors, wrong};
use crate::api::model::{KeyView, Listing};
use crate::auth::Right;
use crate::{App, Principal, Problem, Scope, keys};

/// A key to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewApiKey {
    /// What it is for.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// What it may be used for; a wider scope holds the narrower ones.
    #[schema(min_items = 1)]
    pub scopes: Vec<Scope>,
    /// Days until it expires, 1 to 3650; never when absent.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 3650)]
    pub expires_days: Option<u32>,
}

/// How a key is rotated.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(deny_unknown_fields, default)]
pub struct Rotate {
    /// For how long the old key still works, in seconds: 0 to 2592000 (thirty days). 86400 by default.
    #[schema(minimum = 0, maximum = 2_592_000)]
    pub overlap_s: Option<u32>,
}

/// Keys, newest first.
///
/// # Errors
/// 403 without the right.
pub async fn list(app: &App, principal: &Principal, page: Page) -> Result<Listing<KeyView>, Problem> {
    principal.require(Right::Admin)?;
    let now = app.clock.now();
    let rows = principal.tenant.keys(page).await?;
    Ok(listing(rows, page, |k| k.id, |k| view(k, None, now)))
}

/// Makes a key. The answer is the only place where the whole key ever stands.
///
/// # Errors
/// 403 without the right; 422.
pub async fn create(app: &App, principal: &Principal, asked: &NewApiKey) -> Result<KeyView, Problem> {
    principal.require(Right::Admin)?;
    let mut errors = Vec::new();
    check_name("/name", &asked.name, &mut errors);
    if asked.scopes.is_empty() {
        errors.push(wrong("/scopes", "is empty; a key needs at least one of read, write, admin, metrics"));
    }
    if asked.expires_days.is_some_and(|d| !(1..=3650).contains(&d)) {
        errors.push(wrong("/expires_days", "is out of range; 1 to 3650, or leave it out"));
    }
    no_errors(errors)?;
    let now = app.clock.now();
    let mut scopes = asked.scopes.clone();
    scopes.sort_unstable();
    scopes.dedup();
    let scopes: Vec<String> = scopes.into_iter().map(|s| s.word().to_owned()).collect();
    let fresh = keys::fresh();
    let new = NewKey {
        name: asked.name.trim(),
        prefix: &fresh.prefix,
        secret_hash: &fresh.hash,
        scopes: &scopes,
        expires: asked.expires_days.map(|d| later(now, u64::from(d) * 24 * 3600)),
    };
    let key = principal.tenant.create_key(&new, &principal.name, now).await?;
    Ok(view(key, Some(fresh.key), now))
}

/// Makes a successor with the same name, scopes and length of life; the old key works on for a while, so that nothing
/// stops while programs are changed over.
///
/// # Errors
/// 403 without the right; 404; 409 when it has a successor already.
pub async fn rotate(app: &App, principal: &Principal, id: Id, asked: Rotate) -> Result<KeyView, Problem> {
    principal.require(Right::Admin)?;
    let overlap = asked.overlap_s.unwrap_or(24 * 3600);
    if overlap > 30 * 24 * 3600 {
        return Err(Problem::invalid(vec![wrong("/overlap_s", "is out of range; 0 to 2592000")]));
    }
    let now = app.clock.now();
    let old = principal.tenant.key(id).await?;
    let fresh = keys::fresh();
    let life = old.expires.map(|e| u64::try_from(e.duration_since(old.created).as_secs()).unwrap_or(0));
    let new = NewKey {
        name: &old.name,
        prefix: &fresh.prefix,
        secret_hash: &fresh.hash,
        scopes: &old.scopes,
        expires: life.map(|l| later(now, l)),
    };
    let until = later(now, overlap.into());
    let made = principal.tenant.rotate_key(id, &new, until, &principal.name, now).await;
    match made {
        Err(StoreError::Conflict) => Err(Problem::conflict(
            "this key was rotated, revoked or has expired already; rotate its successor, or make a new one",
        )),
        made => Ok(view(made?, Some(fresh.key), now)),
    }
}

/// Revokes a key at once.
///
/// # Errors
/// 403 without the right; 404.
pub async fn revoke(app: &App, principal: &Principal, id: Id) -> Result<(), Problem> {
    principal.require(Right::Admin)?;
    Ok(principal.tenant.revoke_key(id, &principal.name, app.clock.now()).await?)
}

fn view(key: ApiKey, whole: Option<String>, now: jiff::Timestamp) -> KeyView {
    let expired = key.expires.is_some_and(|e| e <= now);
    KeyView {
        id: key.id.to_string(),
        name: key.name,
        prefix: key.prefix,
        key: whole,
        scopes: key.scopes.iter().filter_map(|s| s.parse().ok()).collect(),
        status: match (key.revoked, expired, key.successor) {
            (Some(_), _, _) => "revoked",
            (None, true, _) => "expired",
            (None, false, Some(_)) => "rotated",
            (None, false, None) => "active",
        }
        .into(),
        created: key.created,
        created_by: key.created_by,
        expires: key.expires,
        last_used: key.last_used,
        revoked: key.revoked,
        successor: key.successor.map(|s| s.to_string()),
    }
}
