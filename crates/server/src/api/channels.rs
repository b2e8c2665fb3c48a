//! Channels, deliveries and the outbox.

use axum::extract::{OriginalUri, State};
use http::StatusCode;
use landfall_store::Id;
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::Paged;
use super::model::{ChannelView, DeliveryView, Listing, OutboxView};
use crate::extract::{Json, Paging, PathId, PathText, Query, page};
use crate::service::channels::{self, ChannelDeclaration};
use crate::{App, Principal, Problem};

pub(super) fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(list, create))
        .routes(routes!(get, change, delete))
        .routes(routes!(put))
        .routes(routes!(test))
        .routes(routes!(deliveries))
        .routes(routes!(outbox))
        .routes(routes!(revive))
}

/// What may be changed of a channel without declaring it anew.
#[derive(Debug, Clone, Copy, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
struct ChannelChange {
    /// Whether it is used.
    enabled: bool,
}

/// Which attempts are shown.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct DeliveryQuery {
    /// `next` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    after: Option<Id>,
    /// How many items, 1 to 500; 50 by default.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only of this channel.
    #[param(value_type = Option<String>, format = Uuid)]
    channel: Option<Id>,
}

/// Which letters are shown.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct OutboxQuery {
    /// `next` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    after: Option<Id>,
    /// How many items, 1 to 500; 50 by default.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only in this state: `pending`, `delivered`, `dead`, `skipped`.
    state: Option<String>,
}

/// Channels
#[utoipa::path(get, path = "/channels", tag = "channels", operation_id = "listChannels", params(Paging),
    responses((status = 200, body = Listing<ChannelView>)))]
async fn list(
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(paging): Query<Paging>,
) -> Result<Paged<ChannelView>, Problem> {
    Ok(Paged::new(channels::list(&principal, paging.page()?).await?, &uri))
}

/// Make a channel
///
/// Its external id is made from its name; to choose it, and to be able to repeat the call, PUT it.
#[utoipa::path(post, path = "/channels", tag = "channels", operation_id = "createChannel",
    request_body(content = Object), responses((status = 201, body = ChannelView)))]
async fn create(
    State(app): State<App>,
    principal: Principal,
    Json(asked): Json<ChannelDeclaration>,
) -> Result<(StatusCode, Json<ChannelView>), Problem> {
    Ok((StatusCode::CREATED, Json(channels::create(&app, &principal, &asked).await?)))
}

/// A channel
#[utoipa::path(get, path = "/channels/{id}", tag = "channels", operation_id = "getChannel",
    params(("id" = String, Path, description = "The channel.", format = Uuid)),
    responses((status = 200, body = ChannelView)))]
async fn get(principal: Principal, PathId(id): PathId) -> Result<Json<ChannelView>, Problem> {
    channels::get(&principal, id).await.map(Json)
}

/// Switch a channel on or off
#[utoipa::path(patch, path = "/channels/{id}", tag = "channels", operation_id = "changeChannel",
    params(("id" = String, Path, description = "The channel.", format = Uuid)), request_body = ChannelChange,
    responses((status = 200, body = ChannelView), (status = 409, description = "A file owns it.")))]
async fn change(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
    Json(asked): Json<ChannelChange>,
) -> Result<Json<ChannelView>, Problem> {
    channels::enable(&app, &principal, id, asked.enabled).await.map(Json)
}

/// Delete a channel
#[utoipa::path(delete, path = "/channels/{id}", tag = "channels", operation_id = "deleteChannel",
    params(("id" = String, Path, description = "The channel.", format = Uuid)),
    responses((status = 204, description = "Nothing goes through it any more."), (status = 409, description = "A file owns it.")))]
async fn delete(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<StatusCode, Problem> {
    channels::delete(&app, &principal, id).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Declare a channel
///
/// Makes it, or changes the one with this external id.
#[utoipa::path(put, path = "/channels/by-external-id/{external_id}", tag = "channels", operation_id = "putChannel",
    params(("external_id" = String, Path, description = "The external id.")), request_body(content = Object),
    responses((status = 200, body = ChannelView, description = "It is as declared."), (status = 201, body = ChannelView),
        (status = 409, description = "A file owns it.")))]
async fn put(
    State(app): State<App>,
    principal: Principal,
    PathText(external_id): PathText,
    Json(asked): Json<ChannelDeclaration>,
) -> Result<(StatusCode, Json<ChannelView>), Problem> {
    let (channel, made) = channels::put(&app, &principal, &external_id, &asked).await?;
    Ok((if made { StatusCode::CREATED } else { StatusCode::OK }, Json(channel)))
}

/// Send a test through a channel
///
/// It goes the way of every alert; the deliveries of the channel tell what became of it.
#[utoipa::path(post, path = "/channels/{id}/test", tag = "channels", operation_id = "testChannel",
    params(("id" = String, Path, description = "The channel.", format = Uuid)),
    responses((status = 202, description = "It is on its way."), (status = 409, description = "The channel is switched off.")))]
async fn test(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<StatusCode, Problem> {
    channels::test(&app, &principal, id).await?;
    Ok(StatusCode::ACCEPTED)
}

/// Attempts of deliveries, newest first
#[utoipa::path(get, path = "/deliveries", tag = "channels", operation_id = "listDeliveries", params(DeliveryQuery),
    responses((status = 200, body = Listing<DeliveryView>)))]
async fn deliveries(
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<DeliveryQuery>,
) -> Result<Paged<DeliveryView>, Problem> {
    let page = page(query.after, query.limit)?;
    Ok(Paged::new(channels::deliveries(&principal, query.channel, page).await?, &uri))
}

/// Letters of the outbox, newest first
#[utoipa::path(get, path = "/outbox", tag = "channels", operation_id = "listOutbox", params(OutboxQuery),
    responses((status = 200, body = Listing<OutboxView>)))]
async fn outbox(
    principal: Principal,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<OutboxQuery>,
) -> Result<Paged<OutboxView>, Problem> {
    let page = page(query.after, query.limit)?;
    Ok(Paged::new(channels::outbox(&principal, query.state.as_deref(), page).await?, &uri))
}

/// Try a letter again that was given up
#[utoipa::path(post, path = "/outbox/{id}/retry", tag = "channels", operation_id = "retryLetter",
    params(("id" = String, Path, description = "The letter.", format = Uuid)),
    responses((status = 202, description = "It is tried again, for a day.")))]
async fn revive(
    State(app): State<App>,
    principal: Principal,
    PathId(id): PathId,
) -> Result<StatusCode, Problem> {
    channels::revive(&app, &principal, id).await?;
    Ok(StatusCode::ACCEPTED)
}
