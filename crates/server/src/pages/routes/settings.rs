//! Settings.

use axum::Router;
use axum::extract::{Path, Query};
use axum::response::Response;
use axum::routing::{get, post};
use http::{HeaderMap, header};
use landfall_store::Page;

use super::After;
use crate::api::model::{InvitationView, KeyView};
use crate::pages::door::{Sent, Visitor, done, fields_of, id};
use crate::pages::parts::Tone;
use crate::pages::settings as draw;
use crate::problem::FieldError;
use crate::service::accounts::{self, NewPassword};
use crate::service::keys::{self, NewApiKey, Rotate};
use crate::service::organisation::{self, Invite, OrganisationChange};
use crate::{App, Client, Problem, Right, Role, Scope, session};

pub(super) fn routes() -> Router<App> {
    Router::new()
        .route("/settings", get(show).post(rename))
        .route("/settings/members", get(members))
        .route("/settings/members/{id}", post(set_role))
        .route("/settings/members/{id}/remove", post(remove))
        .route("/settings/invitations", post(invite))
        .route("/settings/invitations/{id}/revoke", post(revoke_invitation))
        .route("/settings/keys", get(key_list).post(key_create))
        .route("/settings/keys/{id}/rotate", post(key_rotate))
        .route("/settings/keys/{id}/revoke", post(key_revoke))
        .route("/settings/sessions", get(sessions))
        .route("/settings/sessions/{id}/end", post(end_session))
        .route("/settings/password", post(password))
        .route("/settings/log", get(log))
}

/// Rows on one page.
const ROWS: u32 = 100;

async fn show(visitor: Visitor) -> Result<Response, Problem> {
    let org = organisation::get(&visitor.principal).await?;
    Ok(visitor.show(draw::organisation(&visitor.shell, &org, &[])))
}

async fn rename(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    let asked = OrganisationChange { name: values.get("name").into() };
    match organisation::change(&visitor.app, &visitor.principal, &asked).await {
        Ok(_) => Ok(visitor.done("/settings", "Renamed.")),
        Err(problem) => {
            let errors = fields_of(problem)?;
            let org = organisation::get(&visitor.principal).await?;
            Ok(visitor.again(draw::organisation(&visitor.shell, &org, &errors)))
        }
    }
}

async fn member_page(
    visitor: &Visitor,
    fresh: Option<&InvitationView>,
    errors: &[FieldError],
    at: &After,
) -> Result<maud::Markup, Problem> {
    let members = organisation::members(&visitor.principal, at.page(ROWS)?).await?;
    let invitations = if visitor.principal.can(Right::Admin) {
        Some(
            organisation::invitations(&visitor.app, &visitor.principal, Page { after: None, limit: ROWS })
                .await?,
        )
    } else {
        None
    };
    Ok(draw::members(&visitor.shell, &members, invitations.as_ref(), fresh, errors, &at.after))
}

async fn members(visitor: Visitor, Query(at): Query<After>) -> Result<Response, Problem> {
    Ok(visitor.show(member_page(&visitor, None, &[], &at).await?))
}

fn role(word: &str) -> Result<Role, Problem> {
    word.parse().map_err(|()| Problem::bad_request("that is none of the roles"))
}

async fn set_role(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    let role = role(values.get("role"))?;
    organisation::set_role(&visitor.app, &visitor.principal, id(&name, "member")?, role).await?;
    Ok(visitor.done("/settings/members", "The role is set."))
}

async fn remove(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    let id = id(&name, "member")?;
    organisation::remove(&visitor.app, &visitor.principal, id).await?;
    let own = visitor.principal.user == Some(id);
    Ok(visitor.done(if own { "/" } else { "/settings/members" }, "Removed."))
}

async fn invite(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    let email = values.get("email");
    let asked = Invite {
        role: role(values.get("role"))?,
        email: (!email.is_empty()).then(|| email.to_owned()),
        expires_days: None,
    };
    let at = After::default();
    match organisation::invite(&visitor.app, &visitor.principal, &asked).await {
        // The link is shown here and nowhere else, so there is no redirect that could lose it.
        Ok(made) => Ok(visitor.show(member_page(&visitor, Some(&made), &[], &at).await?)),
        Err(problem) => {
            let errors = fields_of(problem)?;
            Ok(visitor.again(member_page(&visitor, None, &errors, &at).await?))
        }
    }
}

async fn revoke_invitation(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    organisation::revoke_invitation(&visitor.app, &visitor.principal, id(&name, "invitation")?).await?;
    Ok(visitor.done("/settings/members", "The invitation does not work any more."))
}

async fn key_page(
    visitor: &Visitor,
    fresh: Option<&KeyView>,
    errors: &[FieldError],
    at: &After,
) -> Result<maud::Markup, Problem> {
    let list = keys::list(&visitor.app, &visitor.principal, at.page(ROWS)?).await?;
    Ok(draw::keys(&visitor.shell, &list, fresh, errors, &at.after))
}

async fn key_list(visitor: Visitor, Query(at): Query<After>) -> Result<Response, Problem> {
    Ok(visitor.show(key_page(&visitor, None, &[], &at).await?))
}

async fn key_create(sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    let mut errors = Vec::new();
    let days = values.get("days");
    let expires_days = if days.is_empty() { None } else { days.parse().ok() };
    if !days.is_empty() && expires_days.is_none() {
        errors.push(FieldError {
            field: "/expires_days".into(),
            detail: format!("{days:?} is not a number of days"),
        });
    }
    let scopes: Vec<Scope> = values.all("scope").filter_map(|s| s.parse().ok()).collect();
    let asked = NewApiKey { name: values.get("name").into(), scopes, expires_days };
    let at = After::default();
    if errors.is_empty() {
        match keys::create(&visitor.app, &visitor.principal, &asked).await {
            Ok(made) => return Ok(visitor.show(key_page(&visitor, Some(&made), &[], &at).await?)),
            Err(problem) => errors = fields_of(problem)?,
        }
    }
    Ok(visitor.again(key_page(&visitor, None, &errors, &at).await?))
}

async fn key_rotate(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    let made = keys::rotate(&visitor.app, &visitor.principal, id(&name, "key")?, Rotate::default()).await?;
    Ok(visitor.show(key_page(&visitor, Some(&made), &[], &After::default()).await?))
}

async fn key_revoke(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    keys::revoke(&visitor.app, &visitor.principal, id(&name, "key")?).await?;
    Ok(visitor.done("/settings/keys", "The key is refused from now on."))
}

async fn session_page(
    visitor: &Visitor,
    problem: &str,
    errors: &[FieldError],
    at: &After,
) -> Result<maud::Markup, Problem> {
    let list = accounts::sessions(&visitor.app, &visitor.principal, at.page(ROWS)?).await?;
    Ok(draw::sessions(&visitor.shell, &list, problem, errors))
}

async fn sessions(visitor: Visitor, Query(at): Query<After>) -> Result<Response, Problem> {
    Ok(visitor.show(session_page(&visitor, "", &[], &at).await?))
}

async fn end_session(Path(name): Path<String>, sent: Sent) -> Result<Response, Problem> {
    let visitor = sent.visitor;
    accounts::revoke_session(&visitor.app, &visitor.principal, id(&name, "session")?).await?;
    Ok(visitor.done("/settings/sessions", "That session is over."))
}

async fn password(client: Client, headers: HeaderMap, sent: Sent) -> Result<Response, Problem> {
    let Sent { visitor, values } = sent;
    let from = crate::api::session::from(client, &headers);
    let asked = NewPassword { current: values.raw("current").into(), new: values.raw("new").into() };
    match accounts::change_password(&visitor.app, &visitor.principal, &asked, &from).await {
        Ok(signed) => {
            let say = "The password is changed, and all other sessions are over.";
            let mut response = done(&visitor.app, "/settings/sessions", Tone::Good, say);
            let cookie = session::cookie(&visitor.app.settings, &signed.token);
            response.headers_mut().append(header::SET_COOKIE, cookie);
            Ok(response)
        }
        Err(problem) if matches!(problem.status, 401 | 422 | 429) => {
            let detail = if problem.errors.is_empty() { problem.detail.as_str() } else { "" };
            Ok(visitor.again(session_page(&visitor, detail, &problem.errors, &After::default()).await?))
        }
        Err(problem) => Err(problem),
    }
}

async fn log(visitor: Visitor, Query(at): Query<After>) -> Result<Response, Problem> {
    let list = organisation::log(&visitor.principal, at.page(ROWS)?).await?;
    Ok(visitor.show(draw::log(&visitor.shell, &list, &at.after)))
}
