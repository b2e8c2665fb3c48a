//! Signing in and out, links that make accounts, and sessions.

use axum::extract::{OriginalUri, State};
use axum::response::{IntoResponse, Response};
use http::{HeaderMap, StatusCode, header};
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Paged;
use super::model::{Listing, SessionView, WhoView};
use crate::extract::{Json, Paging, PathId, Query};
use crate::service::accounts::{self, From, SignedIn};
use crate::{App, Client, Principal, Problem, session};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(who, sign_in, sign_out, switch))
        .routes(routes!(first_run))
        .routes(routes!(register))
        .routes(routes!(join))
        .routes(routes!(password))
        .routes(routes!(sessions))
        .routes(routes!(revoke))
}

/// Another organisation to look at.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(super) struct Switch {
    /// Its name in URLs.
    organisation: String,
}

/// From where a request comes.
pub(crate) fn from(client: Client, headers: &HeaderMap) -> From {
    let agent = headers.get(header::USER_AGENT).and_then(|v| v.to_str().ok()).map(str::to_owned);
    From { address: client.0, agent }
}

/// A page of another site must not sign anybody in: whoever is signed in to somebody else's account works for them.
fn not_from_elsewhere(app: &App, headers: &HeaderMap) -> Result<(), Problem> {
    if session::from_own_page(headers, &app.settings) == Some(false) {
        return Err(Problem::forbidden("a page of another site sent this; it was not carried out"));
    }
    Ok(())
}

/// Answers with the new session's cookie, and ends the one that came along: the token changes with the rights.
async fn signed_in(
    app: &App,
    headers: &HeaderMap,
    status: StatusCode,
    signed: &SignedIn,
) -> Result<Response, Problem> {
    if let Some(old) = session::token(headers, &app.settings) {
        accounts::sign_out(app, old).await?;
    }
    let cookie = session::cookie(&app.settings, &signed.token);
    Ok((status, [(header::SET_COOKIE, cookie), (header::CACHE_CONTROL, NO_STORE)]).into_response())
}

const NO_STORE: http::HeaderValue = http::HeaderValue::from_static("no-store");

/// Who asks
///
/// The person or the key, the organisation, and for a session its form token.
#[utoipa::path(get, path = "/session", tag = "session", operation_id = "who", responses((status = 200, body = WhoView)))]
async fn who(State(app): State<App>, principal: Principal) -> Result<Json<WhoView>, Problem> {
    accounts::who(&app, &principal).await.map(Json)
}

/// Sign in
///
/// Sets the session's cookie. After five wrong passwords the wait doubles with each.
#[utoipa::path(post, path = "/session", tag = "session", operation_id = "signIn", security(()), request_body = accounts::SignIn,
    responses((status = 204, description = "Signed in; the cookie is set.")))]
async fn sign_in(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Json(asked): Json<accounts::SignIn>,
) -> Result<Response, Problem> {
    not_from_elsewhere(&app, &headers)?;
    let signed = accounts::sign_in(&app, &asked, &from(client, &headers)).await?;
    signed_in(&app, &headers, StatusCode::NO_CONTENT, &signed).await
}

/// Sign out
#[utoipa::path(delete, path = "/session", tag = "session", operation_id = "signOut",
    responses((status = 204, description = "The session is over.")))]
async fn sign_out(
    State(app): State<App>,
    principal: Principal,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    principal.person()?;
    if let Some(token) = session::token(&headers, &app.settings) {
        accounts::sign_out(&app, token).await?;
    }
    Ok((StatusCode::NO_CONTENT, [(header::SET_COOKIE, session::no_cookie(&app.settings))]).into_response())
}

/// Look at another organisation
#[utoipa::path(patch, path = "/session", tag = "session", operation_id = "switchOrganisation", request_body = Switch,
    responses((status = 204, description = "The session looks at it now.")))]
async fn switch(
    State(app): State<App>,
    principal: Principal,
    Json(asked): Json<Switch>,
) -> Result<Response, Problem> {
    accounts::switch(&app, &principal, &asked.organisation).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

/// Make the first account
///
/// With the token of the link that the server prints while it has no account.
#[utoipa::path(post, path = "/first-run", tag = "session", operation_id = "firstRun", security(()),
    request_body = accounts::FirstRun, responses((status = 201, description = "Made, and signed in.")))]
async fn first_run(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Json(asked): Json<accounts::FirstRun>,
) -> Result<Response, Problem> {
    not_from_elsewhere(&app, &headers)?;
    let signed = accounts::first_run(&app, &asked, &from(client, &headers)).await?;
    signed_in(&app, &headers, StatusCode::CREATED, &signed).await
}

/// Make an organisation of one's own
///
/// Where the operator allows it.
#[utoipa::path(post, path = "/registration", tag = "session", operation_id = "register", security(()),
    request_body = accounts::Register, responses((status = 201, description = "Made, and signed in.")))]
async fn register(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Json(asked): Json<accounts::Register>,
) -> Result<Response, Problem> {
    not_from_elsewhere(&app, &headers)?;
    let signed = accounts::register(&app, &asked, &from(client, &headers)).await?;
    signed_in(&app, &headers, StatusCode::CREATED, &signed).await
}

/// Use an invitation
#[utoipa::path(post, path = "/invitations/accept", tag = "session", operation_id = "acceptInvitation", security(()),
    request_body = accounts::Join, responses((status = 201, description = "A member now, and signed in.")))]
async fn join(
    State(app): State<App>,
    client: Client,
    headers: HeaderMap,
    Json(asked): Json<accounts::Join>,
) -> Result<Response, Problem> {
    not_from_elsewhere(&app, &headers)?;
    let signed = accounts::join(&app, &asked, &from(client, &headers)).await?;
    signed_in(&app, &headers, StatusCode::CREATED, &signed).await
}

/// Change the password
///
/// All other sessions of the person end.
#[utoipa::path(put, path = "/session/password", tag = "session", operation_id = "changePassword",
    request_body = accounts::NewPassword, responses((status = 204, description = "Changed; a new cookie is set.")))]
async fn password(
    State(app): State<App>,
    principal: Principal,
    client: Client,
    headers: HeaderMap,
    Json(asked): Json<accounts::NewPassword>,
) -> Result<Response, Problem> {
    let signed = accounts::change_password(&app, &principal, &asked, &from(client, &headers)).await?;
    signed_in(&app, &headers, StatusCode::NO_CONTENT, &signed).await
}

/// The person's sessions
#[utoipa::path(get, path = "/sessions", tag = "session", operation_id = "listSessions", params(Paging),
    responses((status = 200, body = Listing<SessionView>)))]
async fn sessions(
    State(app): State<App>,
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Paged<SessionView>, Problem> {
    let listing = accounts::sessions(&app, &principal, paging.page()?).await?;
    Ok(Paged::new(listing, &uri))
}

/// End a session
#[utoipa::path(delete, path = "/sessions/{id}", tag = "session", operation_id = "endSession",
    params(("id" = String, Path, description = "The session.", format = Uuid)),
    responses((status = 204, description = "It is over.")))]
async fn revoke(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<StatusCode, Problem> {
    accounts::revoke_session(&app, &principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}
