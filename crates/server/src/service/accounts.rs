//! Signing in and out, links that make accounts, passwords and sessions.

use std::net::IpAddr;

use jiff::Timestamp;
use landfall_store::accounts::{Change, NewSession, User, note};
use landfall_store::{Id, Org, OrgId, Page, Store, StoreError, Tx};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::room;
use super::{check_name, later, listing, no_errors, slug, wrong};
use crate::accounts::{Guess, SIGN_IN, check_strength, hash, verify};
use crate::api::model::{Listing, MembershipView, SessionView, WhoView};
use crate::problem::FieldError;
use crate::{App, Principal, Problem, Role, session};

/// From where somebody signs in.
#[derive(Debug, Clone, Default)]
pub struct From {
    /// The client's address, as far as it can be trusted.
    pub address: Option<IpAddr>,
    /// The browser, as it names itself.
    pub agent: Option<String>,
}

/// Somebody who has just signed in.
#[derive(Debug, Clone)]
pub struct SignedIn {
    /// The session's token: goes into [`session::cookie`] and nowhere else.
    pub token: String,
    /// Who.
    pub email: String,
}

/// An address and a password.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct SignIn {
    /// E-mail address.
    #[schema(max_length = 254)]
    pub email: String,
    /// Password.
    #[schema(format = Password, max_length = 256)]
    pub password: String,
}

/// The first account, by the link that the server printed.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct FirstRun {
    /// The token of the link.
    pub token: String,
    /// E-mail address.
    #[schema(max_length = 254)]
    pub email: String,
    /// The person's name.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// Password: 15 characters at least.
    #[schema(format = Password, min_length = 15, max_length = 256)]
    pub password: String,
    /// The organisation's name.
    #[schema(min_length = 1, max_length = 200)]
    pub organisation: String,
}

/// An organisation of one's own, where the operator allows it.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Register {
    /// E-mail address.
    #[schema(max_length = 254)]
    pub email: String,
    /// The person's name.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
    /// Password: 15 characters at least; for somebody who has an account, the one it has.
    #[schema(format = Password, min_length = 15, max_length = 256)]
    pub password: String,
    /// The organisation's name.
    #[schema(min_length = 1, max_length = 200)]
    pub organisation: String,
}

/// Using an invitation.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Join {
    /// The token of the link.
    pub token: String,
    /// E-mail address.
    #[schema(max_length = 254)]
    pub email: String,
    /// The person's name; for somebody who has an account it may be left out.
    #[serde(default)]
    #[schema(max_length = 200)]
    pub name: String,
    /// Password: a new one of 15 characters at least; for somebody who has an account, the one it has.
    #[schema(format = Password, min_length = 15, max_length = 256)]
    pub password: String,
}

/// A new password.
#[derive(Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct NewPassword {
    /// The password until now.
    #[schema(format = Password, max_length = 256)]
    pub current: String,
    /// The password from now on.
    #[schema(format = Password, min_length = 15, max_length = 256)]
    pub new: String,
}

/// What an invitation's link leads to.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InvitationOffer {
    /// The organisation's name.
    pub organisation: String,
    /// The role that it gives.
    pub role: String,
    /// Whom it is meant for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
}

/// The link that makes the first account, with a fresh token; `None` when there is an account already. The server prints
/// it when it starts; an earlier link then works no longer.
///
/// # Errors
/// When the database fails.
pub async fn first_run_link(app: &App) -> Result<Option<String>, StoreError> {
    if app.store.has_users().await? {
        return Ok(None);
    }
    let token = session::new_token();
    app.store.set_first_run(&session::hash(&token), app.clock.now()).await?;
    Ok(Some(format!("{}/first-run?token={token}", app.settings.public_url.trim_end_matches('/'))))
}

/// Whether a first-run token would work now: for the page behind the link.
///
/// # Errors
/// When the database fails.
pub async fn first_run_works(app: &App, token: &str) -> Result<bool, Problem> {
    Ok(app.store.first_run_works(&session::hash(token)).await?)
}

/// Makes the first account and its organisation, and signs in.
///
/// # Errors
/// 403 when the link does not work; 422.
pub async fn first_run(app: &App, asked: &FirstRun, from: &From) -> Result<SignedIn, Problem> {
    let token = session::hash(&asked.token);
    let refused =
        || Problem::forbidden("this link does not work any more; restart the server for a fresh one");
    if !app.store.first_run_works(&token).await? {
        return Err(refused());
    }
    let email = checked(&asked.email, Some(&asked.name), &asked.password, Some(&asked.organisation))?;
    let password = hash(asked.password.clone()).await?;
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    match Store::use_first_run(&mut tx, &token, now).await {
        Err(StoreError::Missing { .. }) => return Err(refused()),
        done => done?,
    }
    let user = Store::create_user(&mut tx, &email, asked.name.trim(), &password, now).await?;
    let org = found(&mut tx, &user, asked.organisation.trim(), now).await?;
    tx.commit().await?;
    begin(app, user, org.id, from).await
}

/// Signs in.
///
/// # Errors
/// 401, the same for an unknown address and a wrong password; 429 after too many guesses.
pub async fn sign_in(app: &App, asked: &SignIn, from: &From) -> Result<SignedIn, Problem> {
    let user = proven(app, &asked.email, &asked.password, from).await?;
    let memberships = app.store.memberships(user.id).await?;
    // Somebody who was removed everywhere has nothing to look at; that is theirs to know, after the right password.
    let (org, _) = memberships.first().ok_or_else(|| {
        Problem::forbidden("this account belongs to no organisation any more; ask for an invitation")
    })?;
    begin(app, user, org.id, from).await
}

/// Ends the session of this token.
///
/// # Errors
/// When the database fails.
pub async fn sign_out(app: &App, token: &str) -> Result<(), Problem> {
    Ok(app.store.end_session(&session::hash(token)).await?)
}

/// Makes an organisation, and an account for somebody who has none, where the operator allows it.
///
/// # Errors
/// 403 where it is not allowed; 401 when there is an account with another password; 422.
pub async fn register(app: &App, asked: &Register, from: &From) -> Result<SignedIn, Problem> {
    if !app.settings.open_registration {
        return Err(Problem::forbidden("this server takes new organisations by its operator only"));
    }
    let email = checked(&asked.email, Some(&asked.name), &asked.password, Some(&asked.organisation))?;
    let known = app.store.credentials(&email).await?.is_some();
    let now = app.clock.now();
    let (user, org) = if known {
        let user = proven(app, &email, &asked.password, from).await?;
        let mut tx = app.store.begin().await?;
        let org = found(&mut tx, &user, asked.organisation.trim(), now).await?;
        tx.commit().await?;
        (user, org)
    } else {
        let password = hash(asked.password.clone()).await?;
        let mut tx = app.store.begin().await?;
        let user = Store::create_user(&mut tx, &email, asked.name.trim(), &password, now).await?;
        let org = found(&mut tx, &user, asked.organisation.trim(), now).await?;
        tx.commit().await?;
        (user, org)
    };
    begin(app, user, org.id, from).await
}

/// What an invitation's link leads to.
///
/// # Errors
/// 404 when it does not work (any more).
pub async fn invitation(app: &App, token: &str) -> Result<InvitationOffer, Problem> {
    let found = app.store.invitation(&session::hash(token), app.clock.now()).await?;
    let (invitation, org) = found.ok_or_else(|| Problem::missing("invitation"))?;
    Ok(InvitationOffer { organisation: org.name, role: invitation.role, email: invitation.email })
}

/// Uses an invitation, with an account for somebody who has none, and signs in.
///
/// # Errors
/// 404 when it does not work; 401 when there is an account with another password; 409 when they are a member; 422.
pub async fn join(app: &App, asked: &Join, from: &From) -> Result<SignedIn, Problem> {
    let token = session::hash(&asked.token);
    if app.store.invitation(&token, app.clock.now()).await?.is_none() {
        return Err(Problem::missing("invitation"));
    }
    let email = checked(&asked.email, None, &asked.password, None)?;
    let known = match app.store.credentials(&email).await? {
        Some(_) => Some(proven(app, &email, &asked.password, from).await?),
        None => None,
    };
    let password = match known {
        Some(_) => None,
        None => {
            checked(&asked.email, Some(&asked.name), &asked.password, None)?;
            Some(hash(asked.password.clone()).await?)
        }
    };
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    let (org, role) = Store::use_invitation(&mut tx, &token, now).await?;
    room::to_join(&mut tx, app, org, now).await?;
    let user = match (known, password) {
        (Some(user), _) => user,
        (None, password) => {
            let password = password.unwrap_or_default();
            Store::create_user(&mut tx, &email, asked.name.trim(), &password, now).await?
        }
    };
    match Store::add_member(&mut tx, org, user.id, &role, now).await {
        Err(StoreError::Exists { .. }) => {
            return Err(Problem::conflict(
                "you are a member already; sign in, and the invitation stays for somebody else",
            ));
        }
        done => done?,
    }
    let say = format!("{} joined as {role}", user.email);
    let change =
        Change { actor: &user.email, action: "joined", kind: "member", object: Some(user.id), say: &say };
    note(&mut tx, org, &change, now).await?;
    tx.commit().await?;
    begin(app, user, org, from).await
}

/// Changes the password; all other sessions of the person end, and this one gets a new token.
///
/// # Errors
/// 401 when the current password is wrong; 422.
pub async fn change_password(
    app: &App,
    principal: &Principal,
    asked: &NewPassword,
    from: &From,
) -> Result<SignedIn, Problem> {
    let user = principal.person()?;
    check_strength("/new", &asked.new).map_err(|e| Problem::invalid(vec![e]))?;
    let known = proven(app, &principal.name, &asked.current, from).await?;
    let password = hash(asked.new.clone()).await?;
    app.store.set_password(user, &password, None, app.clock.now()).await?;
    begin(app, known, principal.tenant.id(), from).await
}

/// Who asks.
///
/// # Errors
/// When the database fails.
pub async fn who(app: &App, principal: &Principal) -> Result<WhoView, Problem> {
    let org = principal.tenant.org().await?;
    let memberships = match principal.user {
        Some(user) => app.store.memberships(user).await?,
        None => Vec::new(),
    };
    Ok(WhoView {
        name: principal.name.clone(),
        role: principal.role,
        scopes: principal.scopes.clone(),
        organisation: org.slug,
        organisation_name: org.name,
        csrf: principal.csrf.clone(),
        organisations: memberships
            .into_iter()
            .map(|(org, role)| MembershipView { slug: org.slug, name: org.name, role })
            .collect(),
    })
}

/// Lets the session look at another organisation of the same person.
///
/// # Errors
/// 404 when they are no member of it.
pub async fn switch(app: &App, principal: &Principal, slug: &str) -> Result<(), Problem> {
    let user = principal.person()?;
    let session = principal.session.ok_or_else(Problem::unauthenticated)?;
    Ok(app.store.switch_session(session, user, slug).await?)
}

/// The person's sessions, newest first.
///
/// # Errors
/// 403 for a key.
pub async fn sessions(app: &App, principal: &Principal, page: Page) -> Result<Listing<SessionView>, Problem> {
    let user = principal.person()?;
    let rows = app.store.sessions(user, session::IDLE, app.clock.now(), page).await?;
    Ok(listing(
        rows,
        page,
        |s| s.id,
        |s| SessionView {
            current: Some(s.id) == principal.session,
            id: s.id.to_string(),
            created: s.created,
            seen: s.seen,
            expires: s.expires,
            address: s.address,
            agent: s.agent,
        },
    ))
}

/// Ends one of the person's sessions.
///
/// # Errors
/// 404 when they have no such session.
pub async fn revoke_session(app: &App, principal: &Principal, id: Id) -> Result<(), Problem> {
    Ok(app.store.revoke_session(principal.person()?, id).await?)
}

/// Whoever proves to be the owner of an account.
async fn proven(app: &App, email: &str, password: &str, from: &From) -> Result<User, Problem> {
    let email = normal(email);
    let guess = Guess::count(app, SIGN_IN, &email, from.address).await?;
    let known = app.store.credentials(&email).await?;
    let kept = known.as_ref().map(|k| k.password.clone());
    let right = verify(password.to_owned(), kept).await?;
    match known {
        Some(known) if right => {
            guess.right(app).await?;
            Ok(known.user)
        }
        _ => Err(Problem::wrong_password()),
    }
}

async fn begin(app: &App, user: User, org: OrgId, from: &From) -> Result<SignedIn, Problem> {
    let token = session::new_token();
    let now = app.clock.now();
    let address = from.address.map(|a| a.to_string());
    let agent: Option<String> =
        from.agent.as_ref().map(|a| a.chars().filter(|c| !c.is_control()).take(200).collect());
    let new = NewSession {
        token_hash: &session::hash(&token),
        user: user.id,
        org,
        expires: later(now, session::ABSOLUTE.as_secs()),
        address: address.as_deref(),
        agent: agent.as_deref(),
    };
    app.store.create_session(&new, now).await?;
    Ok(SignedIn { token, email: user.email })
}

/// A new organisation with its first owner.
async fn found(tx: &mut Tx, owner: &User, name: &str, now: Timestamp) -> Result<Org, Problem> {
    // The slug is not secret and not chosen; a random tail keeps it free without asking whether it is taken.
    let tail = &session::hash(&session::new_token())[..6];
    let slug = match slug(name) {
        s if s.is_empty() => format!("org-{tail}"),
        s => format!("{s}-{tail}"),
    };
    let org = Store::create_org(tx, &slug, name, now).await?;
    Store::add_member(tx, org.id, owner.id, Role::Owner.word(), now).await?;
    let say = format!("{} made the organisation {name}", owner.email);
    let change = Change {
        actor: &owner.email,
        action: "created",
        kind: "organisation",
        object: Some(org.id.id()),
        say: &say,
    };
    note(tx, org.id, &change, now).await?;
    Ok(org)
}

/// An address as the store has it.
fn normal(email: &str) -> String {
    email.trim().to_lowercase()
}

pub(crate) fn check_email(field: &str, email: &str) -> Result<String, FieldError> {
    let email = normal(email);
    let well_formed = email.split_once('@').is_some_and(|(local, domain)| {
        !local.is_empty() && !domain.contains('@') && domain.split('.').all(|l| !l.is_empty())
    });
    // RFC 5321, 4.5.3.1.3: a path has at most 256 octets, two of which are its brackets.
    if !well_formed || email.len() > 254 || email.chars().any(|c| c.is_whitespace() || c.is_control()) {
        return Err(wrong(field, "is not an e-mail address; like name@example.com"));
    }
    Ok(email)
}

fn checked(
    email: &str,
    name: Option<&str>,
    password: &str,
    organisation: Option<&str>,
) -> Result<String, Problem> {
    let mut errors = Vec::new();
    let email = check_email("/email", email).unwrap_or_else(|e| {
        errors.push(e);
        String::new()
    });
    if let Some(name) = name {
        check_name("/name", name, &mut errors);
    }
    if let Err(error) = check_strength("/password", password) {
        errors.push(error);
    }
    if let Some(organisation) = organisation {
        check_name("/organisation", organisation, &mut errors);
    }
    no_errors(errors)?;
    Ok(email)
}
