//! The organisation, its members, invitations and audit log.

use jiff::Timestamp;
use landfall_notify::{Event, Message, outbox};
use landfall_store::accounts::Invitation;
use landfall_store::{Id, Page, StoreError, Tx, params};
use serde::Deserialize;
use utoipa::ToSchema;

use super::accounts::check_email;
use super::room::{self, Thing};
use super::{check_name, later, listing, no_errors, wrong};
use crate::api::model::{InvitationView, Listing, LogView, MemberView, OrganisationView};
use crate::auth::Right;
use crate::{App, Principal, Problem, Role, session};

/// An invitation to be made.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Invite {
    /// The role that it gives.
    pub role: Role,
    /// Whom it is meant for. The link is mailed there, where the operator has a mail server.
    #[serde(default)]
    #[schema(max_length = 254)]
    pub email: Option<String>,
    /// Days until it expires, 1 to 30. 7 by default.
    #[serde(default)]
    #[schema(minimum = 1, maximum = 30)]
    pub expires_days: Option<u32>,
}

/// What may be changed of an organisation.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct OrganisationChange {
    /// Its name for people.
    #[schema(min_length = 1, max_length = 200)]
    pub name: String,
}

/// The organisation.
///
/// # Errors
/// 403 without the right.
pub async fn get(principal: &Principal) -> Result<OrganisationView, Problem> {
    principal.require(Right::Read)?;
    let org = principal.tenant.org().await?;
    Ok(OrganisationView {
        id: org.id.to_string(),
        slug: org.slug,
        name: org.name,
        plan: org.plan,
        created: org.created,
    })
}

/// Renames the organisation.
///
/// # Errors
/// 403 without the right; 422.
pub async fn change(
    app: &App,
    principal: &Principal,
    asked: &OrganisationChange,
) -> Result<OrganisationView, Problem> {
    principal.require(Right::Admin)?;
    let mut errors = Vec::new();
    check_name("/name", &asked.name, &mut errors);
    no_errors(errors)?;
    principal.tenant.rename_org(asked.name.trim(), &principal.name, app.clock.now()).await?;
    get(principal).await
}

/// Members, oldest first.
///
/// # Errors
/// 403 without the right.
pub async fn members(principal: &Principal, page: Page) -> Result<Listing<MemberView>, Problem> {
    principal.require(Right::Read)?;
    let rows = principal.tenant.members(page).await?;
    Ok(listing(rows, page, |m| m.user.id, |m| member_view(m, principal)))
}

/// One member.
///
/// # Errors
/// 403 without the right; 404.
pub async fn member(principal: &Principal, user: Id) -> Result<MemberView, Problem> {
    principal.require(Right::Read)?;
    Ok(member_view(principal.tenant.member(user).await?, principal))
}

/// Changes a member's role. Only an owner makes or unmakes owners.
///
/// # Errors
/// 403 without the right; 404; 409 for the last owner.
pub async fn set_role(app: &App, principal: &Principal, user: Id, role: Role) -> Result<MemberView, Problem> {
    principal.require(Right::Admin)?;
    let member = principal.tenant.member(user).await?;
    if role == Role::Owner || member.role == Role::Owner.word() {
        principal.require(Right::Own)?;
    }
    left(principal.tenant.set_role(user, Some(role.word()), &principal.name, app.clock.now()).await)?;
    self::member(principal, user).await
}

/// Removes a member, or leaves: everybody may remove themselves.
///
/// # Errors
/// 403 without the right; 404; 409 for the last owner.
pub async fn remove(app: &App, principal: &Principal, user: Id) -> Result<(), Problem> {
    if principal.user != Some(user) {
        principal.require(Right::Admin)?;
        if principal.tenant.member(user).await?.role == Role::Owner.word() {
            principal.require(Right::Own)?;
        }
    }
    left(principal.tenant.set_role(user, None, &principal.name, app.clock.now()).await)
}

/// Invitations that can still be used, newest first.
///
/// # Errors
/// 403 without the right.
pub async fn invitations(
    app: &App,
    principal: &Principal,
    page: Page,
) -> Result<Listing<InvitationView>, Problem> {
    principal.require(Right::Admin)?;
    let rows = principal.tenant.invitations(page, app.clock.now()).await?;
    Ok(listing(rows, page, |i| i.id, |i| invitation_view(i, None)))
}

/// Makes an invitation. With an address, and where the operator has a mail server, it is mailed; otherwise its link stands
/// in the answer and nowhere else.
///
/// # Errors
/// 402 when the plan has no room; 403 without the right; 422.
pub async fn invite(app: &App, principal: &Principal, asked: &Invite) -> Result<InvitationView, Problem> {
    principal.require(if asked.role == Role::Owner { Right::Own } else { Right::Admin })?;
    let mut errors = Vec::new();
    let email =
        asked.email.as_deref().and_then(|e| check_email("/email", e).map_err(|e| errors.push(e)).ok());
    let days = asked.expires_days.unwrap_or(7);
    if !(1..=30).contains(&days) {
        errors.push(wrong("/expires_days", "is out of range; 1 to 30"));
    }
    no_errors(errors)?;
    let token = session::new_token();
    let now = app.clock.now();
    let expires = later(now, u64::from(days) * 24 * 3600);
    room::for_one(app, &principal.tenant, Thing::Invitation).await?;
    let link = format!("{}/join?token={token}", app.settings.public_url.trim_end_matches('/'));
    let (tenant, hash, role) = (&principal.tenant, session::hash(&token), asked.role.word());
    let mut tx = app.store.begin().await?;
    let made = tenant.invite(&mut tx, &hash, email.as_deref(), role, expires, &principal.name, now).await?;
    let mailed = match &email {
        Some(email) if app.settings.mail => mail(&mut tx, principal, &made, email, &link, now).await?,
        _ => false,
    };
    tx.commit().await?;
    // What was mailed stands in no answer: nobody but the invited person needs it.
    Ok(InvitationView { mailed, ..invitation_view(made, (!mailed).then_some(link)) })
}

/// Writes the mail of an invitation into the outbox.
async fn mail(
    tx: &mut Tx,
    principal: &Principal,
    invitation: &Invitation,
    email: &str,
    link: &str,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let org = principal.tenant.id();
    let row = tx.query_opt("SELECT name FROM orgs WHERE id = $1", params![org]).await?;
    let organisation = row.map(|r| r.text("name")).transpose()?.unwrap_or_default();
    let until = invitation.expires.strftime("%Y-%m-%d %H:%M UTC");
    let message = Message {
        event: Event::Notice,
        headline: format!("{} invites you to {organisation} as {}", invitation.invited_by, invitation.role),
        organisation,
        incident: None,
        monitors: Vec::new(),
        monitor_count: 0,
        cause: None,
        rivals: Vec::new(),
        changes: Vec::new(),
        actions: vec![format!("Open the link below. It works once, until {until}.")],
        notes: vec!["If you do not know why you get this, leave it alone: nothing happens.".into()],
        link: Some(link.to_owned()),
        at: now,
    };
    let key = format!("invitation/{}", invitation.id);
    outbox::enqueue_mail(tx, org, &[email.to_owned()], &key, &key, &message, now).await
}

/// Takes an invitation back.
///
/// # Errors
/// 403 without the right; 404.
pub async fn revoke_invitation(app: &App, principal: &Principal, id: Id) -> Result<(), Problem> {
    principal.require(Right::Admin)?;
    Ok(principal.tenant.revoke_invitation(id, &principal.name, app.clock.now()).await?)
}

/// Who changed what, newest first.
///
/// # Errors
/// 403 without the right.
pub async fn log(principal: &Principal, page: Page) -> Result<Listing<LogView>, Problem> {
    principal.require(Right::Admin)?;
    let rows = principal.tenant.log(page).await?;
    Ok(listing(
        rows,
        page,
        |l| l.id,
        |l| LogView {
            id: l.id.to_string(),
            at: l.at,
            actor: l.actor,
            action: l.action,
            kind: l.kind,
            object: l.object.map(|o| o.to_string()),
            say: l.say,
        },
    ))
}

fn left<T>(done: Result<T, StoreError>) -> Result<T, Problem> {
    done.map_err(|error| match error {
        StoreError::Conflict => Problem::conflict(
            "the organisation would be left without an owner; make somebody else an owner first",
        ),
        error => error.into(),
    })
}

fn member_view(member: landfall_store::accounts::Member, principal: &Principal) -> MemberView {
    MemberView {
        you: principal.user == Some(member.user.id),
        id: member.user.id.to_string(),
        email: member.user.email,
        name: member.user.name,
        role: member.role,
        since: member.created,
    }
}

fn invitation_view(invitation: Invitation, link: Option<String>) -> InvitationView {
    InvitationView {
        id: invitation.id.to_string(),
        role: invitation.role,
        email: invitation.email,
        invited_by: invitation.invited_by,
        created: invitation.created,
        expires: invitation.expires,
        link,
        mailed: false,
    }
}
