//! The organisation, its members, invitations and audit log.

use axum::extract::{OriginalUri, State};
use http::StatusCode;
use serde::Deserialize;
use utoipa::ToSchema;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Paged;
use super::model::{InvitationView, Listing, LogView, MemberView, OrganisationView};
use crate::extract::{Json, Paging, PathId, Query};
use crate::service::organisation::{self, Invite, OrganisationChange};
use crate::{App, Principal, Problem, Role};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(get, change))
        .routes(routes!(members))
        .routes(routes!(member, set_role, remove))
        .routes(routes!(invitations, invite))
        .routes(routes!(revoke_invitation))
        .routes(routes!(log))
}

/// What may be changed of a member.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct MemberChange {
    /// The role.
    role: Role,
}

/// The organisation
#[utoipa::path(get, path = "/organisation", tag = "organisation", operation_id = "getOrganisation",
    responses((status = 200, body = OrganisationView)))]
async fn get(principal: Principal) -> Result<Json<OrganisationView>, Problem> {
    organisation::get(&principal).await.map(Json)
}

/// Rename the organisation
#[utoipa::path(patch, path = "/organisation", tag = "organisation", operation_id = "changeOrganisation",
    request_body = OrganisationChange, responses((status = 200, body = OrganisationView)))]
async fn change(
    State(app): State<App>,
    principal: Principal,
    Json(asked): Json<OrganisationChange>,
) -> Result<Json<OrganisationView>, Problem> {
    organisation::change(&app, &principal, &asked).await.map(Json)
}

/// Members
#[utoipa::path(get, path = "/members", tag = "organisation", operation_id = "listMembers", params(Paging),
    responses((status = 200, body = Listing<MemberView>)))]
async fn members(
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Paged<MemberView>, Problem> {
    Ok(Paged::new(organisation::members(&principal, paging.page()?).await?, &uri))
}

/// A member
#[utoipa::path(get, path = "/members/{id}", tag = "organisation", operation_id = "getMember",
    params(("id" = String, Path, description = "The person.", format = Uuid)),
    responses((status = 200, body = MemberView)))]
async fn member(principal: Principal, PathId(id): PathId) -> Result<Json<MemberView>, Problem> {
    organisation::member(&principal, id).await.map(Json)
}

/// Change a member's role
#[utoipa::path(patch, path = "/members/{id}", tag = "organisation", operation_id = "changeMember",
    params(("id" = String, Path, description = "The person.", format = Uuid)), request_body = MemberChange,
    responses((status = 200, body = MemberView), (status = 409, description = "It is the last owner.")))]
async fn set_role(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
    Json(asked): Json<MemberChange>,
) -> Result<Json<MemberView>, Problem> {
    organisation::set_role(&app, &principal, id, asked.role).await.map(Json)
}

/// Remove a member, or leave
#[utoipa::path(delete, path = "/members/{id}", tag = "organisation", operation_id = "removeMember",
    params(("id" = String, Path, description = "The person.", format = Uuid)),
    responses((status = 204, description = "They are no member any more."), (status = 409, description = "It is the last owner.")))]
async fn remove(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<StatusCode, Problem> {
    organisation::remove(&app, &principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Invitations that can still be used, newest first
#[utoipa::path(get, path = "/invitations", tag = "organisation", operation_id = "listInvitations", params(Paging),
    responses((status = 200, body = Listing<InvitationView>)))]
async fn invitations(
    State(app): State<App>,
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Paged<InvitationView>, Problem> {
    Ok(Paged::new(organisation::invitations(&app, &principal, paging.page()?).await?, &uri))
}

/// Invite somebody
///
/// The answer holds the link, and nothing will show it again.
#[utoipa::path(post, path = "/invitations", tag = "organisation", operation_id = "invite", request_body = Invite,
    responses((status = 201, body = InvitationView)))]
async fn invite(
    State(app): State<App>,
    principal: Principal,
    Json(asked): Json<Invite>,
) -> Result<(StatusCode, Json<InvitationView>), Problem> {
    Ok((StatusCode::CREATED, Json(organisation::invite(&app, &principal, &asked).await?)))
}

/// Take an invitation back
#[utoipa::path(delete, path = "/invitations/{id}", tag = "organisation", operation_id = "revokeInvitation",
    params(("id" = String, Path, description = "The invitation.", format = Uuid)),
    responses((status = 204, description = "Its link works no more.")))]
async fn revoke_invitation(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<StatusCode, Problem> {
    organisation::revoke_invitation(&app, &principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Who changed what, newest first
#[utoipa::path(get, path = "/log", tag = "organisation", operation_id = "listLog", params(Paging),
    responses((status = 200, body = Listing<LogView>)))]
async fn log(
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Paged<LogView>, Problem> {
    Ok(Paged::new(organisation::log(&principal, paging.page()?).await?, &uri))
}
