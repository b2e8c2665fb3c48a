//! Who is asking: a person with a session, or a program with a key.

use std::str::FromStr;

use axum::extract::{FromRequestParts, OriginalUri};
use http::header;
use http::request::Parts;
use landfall_store::{Id, Tenant};

use crate::limits::{Class, Ledger};
use crate::{App, Problem, session};

/// Who is asking, on whose behalf, and with which rights. There is no other way to a [`Tenant`] in a handler.
#[derive(Debug, Clone)]
pub struct Principal {
    /// The store, bound to the organisation that the session or the key belongs to. A header never decides it.
    pub tenant: Tenant,
    /// The person, for a session.
    pub user: Option<Id>,
    /// The key, for a program.
    pub key: Option<Id>,
    /// How to name them in the audit log and in an acknowledgement: an e-mail address, or `key:NAME`.
    pub name: String,
    /// What they may do.
    pub role: Role,
    /// For a key: what it may be used for. A session has all scopes that its role allows.
    pub scopes: Vec<Scope>,
    /// For a session: the token that a form must carry.
    pub csrf: Option<String>,
    /// For a session: its id.
    pub session: Option<Id>,
}

/// What an action needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Right {
    /// To look at things.
    Read,
    /// To change monitors, channels, windows, heartbeats; to acknowledge; to start audits.
    Write,
    /// To change members, keys and settings.
    Admin,
    /// To change billing, owners and the organisation itself. No key has it.
    Own,
    /// To read `/metrics` and `/probe`.
    Metrics,
}

/// What a member may do; each may do what those before it may.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Role {
    /// Looks.
    Reader,
    /// Changes monitors, channels, windows, heartbeats; acknowledges; starts audits.
    Editor,
    /// Also members, keys and settings.
    Admin,
    /// Also billing, and the organisation itself.
    Owner,
}

/// What a key may be used for.
#[derive(
    Debug,
    Clone,
    Copy,
    PartialEq,
    Eq,
    PartialOrd,
    Ord,
    Hash,
    serde::Serialize,
    serde::Deserialize,
    utoipa::ToSchema,
)]
#[serde(rename_all = "kebab-case")]
pub enum Scope {
    /// Reading everything but secrets.
    Read,
    /// Changing monitors, channels, windows, heartbeats; acknowledging; starting audits.
    Write,
    /// Members, keys, settings.
    Admin,
    /// `/metrics` and `/probe`.
    Metrics,
}

impl Role {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Reader => "reader",
            Self::Editor => "editor",
            Self::Admin => "admin",
            Self::Owner => "owner",
        }
    }
}

impl FromStr for Role {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        [Self::Reader, Self::Editor, Self::Admin, Self::Owner]
            .into_iter()
            .find(|r| r.word() == word)
            .ok_or(())
    }
}

impl Scope {
    /// Its word.
    pub fn word(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Write => "write",
            Self::Admin => "admin",
            Self::Metrics => "metrics",
        }
    }
}

impl FromStr for Scope {
    type Err = ();

    fn from_str(word: &str) -> Result<Self, ()> {
        [Self::Read, Self::Write, Self::Admin, Self::Metrics].into_iter().find(|s| s.word() == word).ok_or(())
    }
}

impl Principal {
    /// Whether they may.
    pub fn can(&self, right: Right) -> bool {
        if self.key.is_some() {
            // A wider scope holds the narrower ones; a key for metrics reads nothing else.
            let widest = self.scopes.iter().filter(|s| **s != Scope::Metrics).max();
            return match right {
                Right::Read => widest.is_some(),
                Right::Write => widest >= Some(&Scope::Write),
                Right::Admin => widest >= Some(&Scope::Admin),
                Right::Own => false,
                Right::Metrics => widest >= Some(&Scope::Admin) || self.scopes.contains(&Scope::Metrics),
            };
        }
        self.role
            >= match right {
                Right::Read | Right::Metrics => Role::Reader,
                Right::Write => Role::Editor,
                Right::Admin => Role::Admin,
                Right::Own => Role::Owner,
            }
    }

    /// Nothing when they may.
    ///
    /// # Errors
    /// 403, saying what is needed.
    pub fn require(&self, right: Right) -> Result<(), Problem> {
        if self.can(right) {
            return Ok(());
        }
        Err(Problem::forbidden(match right {
            Right::Read => "this key may not read; it needs the scope read",
            Right::Write => "this needs the role editor, or a key with the scope write",
            Right::Admin => "this needs the role admin, or a key with the scope admin",
            Right::Own => "this needs an owner, signed in",
            Right::Metrics => "this key may not read metrics; it needs the scope metrics",
        }))
    }

    /// The person, for what a key cannot do.
    ///
    /// # Errors
    /// 403 for a key.
    pub fn person(&self) -> Result<Id, Problem> {
        self.user.ok_or_else(|| Problem::forbidden("this is for a person who is signed in, not for a key"))
    }

    /// Nothing when a form carries this session's token.
    ///
    /// # Errors
    /// 403 otherwise.
    pub fn check_csrf(&self, sent: &str) -> Result<(), Problem> {
        match &self.csrf {
            Some(token) if session::same(token, sent) => Ok(()),
            _ => Err(Problem::forbidden(
                "the form is too old or not ours; load the page again and send it once more",
            )),
        }
    }

    /// Who asks, by the headers of a request. No header but `Authorization` and `Cookie` has any say in it.
    pub(crate) async fn of(parts: &Parts, app: &App) -> Result<Self, Problem> {
        let now = app.clock.now();
        if let Some(sent) = parts.headers.get(header::AUTHORIZATION) {
            // A key that does not work is never made up for by a cookie.
            let key = bearer(sent).ok_or_else(Problem::unauthenticated)?;
            let (key, tenant) =
                app.store.key(&session::hash(key), now).await?.ok_or_else(Problem::unauthenticated)?;
            let scopes: Vec<Scope> = key.scopes.iter().filter_map(|s| s.parse().ok()).collect();
            let role = match scopes.iter().filter(|s| **s != Scope::Metrics).max() {
                Some(Scope::Admin) => Role::Admin,
                Some(Scope::Write) => Role::Editor,
                _ => Role::Reader,
            };
            return Ok(Self {
                tenant,
                user: None,
                key: Some(key.id),
                name: format!("key:{}", key.name),
                role,
                scopes,
                csrf: None,
                session: None,
            });
        }
        let token = session::token(&parts.headers, &app.settings).ok_or_else(Problem::unauthenticated)?;
        let found = app.store.session(&session::hash(token), session::IDLE, now).await?;
        let found = found.ok_or_else(Problem::unauthenticated)?;
        let csrf = session::csrf(token);
        if !parts.method.is_safe() {
            session::own_page(parts_path(parts), &parts.headers, &app.settings, &csrf)?;
        }
        let role = found.role.parse().map_err(|()| Problem::unauthenticated())?;
        Ok(Self {
            tenant: found.tenant,
            user: Some(found.user.id),
            key: None,
            name: found.user.email,
            role,
            scopes: vec![Scope::Read, Scope::Write, Scope::Admin, Scope::Metrics],
            csrf: Some(csrf),
            session: Some(found.id),
        })
    }
}

impl FromRequestParts<App> for Principal {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, app: &App) -> Result<Self, Problem> {
        if let Some(known) = parts.extensions.get::<Self>() {
            return Ok(known.clone());
        }
        let principal = Self::of(parts, app).await?;
        if let Some(ledger) = parts.extensions.get::<Ledger>() {
            let who = principal.key.or(principal.user);
            if let Some(who) = who {
                let class = match Class::of(parts_path(parts)) {
                    Class::Probe => Class::Probe,
                    _ => Class::Principal,
                };
                ledger.take(class, &who.to_string(), app.clock.now())?;
            }
        }
        parts.extensions.insert(principal.clone());
        Ok(principal)
    }
}

/// The path as the client sent it: a nested router sees only the rest.
fn parts_path(parts: &Parts) -> &str {
    parts.extensions.get::<OriginalUri>().map_or_else(|| parts.uri.path(), |o| o.0.path())
}

/// The token of `Authorization: Bearer …` (RFC 6750, section 2.1); the scheme is case-insensitive (RFC 9110, 11.1).
fn bearer(value: &http::HeaderValue) -> Option<&str> {
    let (scheme, token) = value.to_str().ok()?.split_once(' ')?;
    let token = token.trim();
    (scheme.eq_ignore_ascii_case("bearer") && !token.is_empty() && token.len() <= 200).then_some(token)
}
