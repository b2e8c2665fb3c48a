//! Support in the API. The functions take a [`Principal`]; the routes stand at the end.

use std::convert::Infallible;

use axum::extract::{OriginalUri, State};
use axum::response::sse::{self, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use futures_util::StreamExt as _;
use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use landfall_store::support::{Ticket, open_ticket};
use landfall_store::{Id, Page};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use super::bots::code_hash;
use super::chat::{self, Answer, Piece, QUESTION, Question, id};
use crate::api::Paged;
use crate::api::model::Listing;
use crate::extract::{Json, MaybeJson, PathText, Query, page};
use crate::notice::{self, Notice};
use crate::problem::FieldError;
use crate::{App, Principal, Problem, Right};

/// How long a code for linking a chat is good for.
const CODE_LIVES: SignedDuration = SignedDuration::from_mins(15);

/// A cry for a person.
#[derive(Debug, Clone, Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub struct Escalation {
    /// What the matter is, at most 4000 characters.
    #[schema(min_length = 1, max_length = 4000)]
    pub message: String,
    /// The conversation that led to it.
    #[serde(default, rename = "conversationId")]
    pub conversation_id: Option<String>,
    /// Where an answer should go; the asker's own address when absent.
    #[serde(default)]
    #[schema(max_length = 254)]
    pub email: Option<String>,
}

/// A ticket.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
pub struct TicketView {
    /// Its id.
    #[serde(rename = "ticketId")]
    pub ticket_id: String,
    /// `open` or `closed`.
    pub status: String,
    /// What was written.
    pub message: String,
    /// Who opened it.
    pub opened_by: String,
    /// Where an answer goes.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// The conversation that led to it.
    #[serde(rename = "conversationId", skip_serializing_if = "Option::is_none")]
    pub conversation_id: Option<String>,
    /// When it was opened.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it was last changed.
    #[schema(value_type = String, format = DateTime)]
    pub updated: Timestamp,
}

impl From<Ticket> for TicketView {
    fn from(t: Ticket) -> Self {
        Self {
            ticket_id: t.id.to_string(),
            status: t.state,
            message: t.message,
            opened_by: t.opened_by,
            email: t.email,
            conversation_id: t.conversation.map(|c| c.to_string()),
            created: t.created,
            updated: t.updated,
        }
    }
}

/// A code that links a chat.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BotCode {
    /// The code, shown once: it is sent to the bot as `/start CODE`.
    pub code: String,
    /// Until when it is good.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
}

/// What a linked chat may do.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, Serialize, ToSchema)]
#[serde(rename_all = "kebab-case")]
pub enum BotRole {
    /// Looks.
    #[default]
    Reader,
    /// Also acknowledges and starts audits.
    Editor,
}

/// What a code is for.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[serde(default, deny_unknown_fields)]
pub struct BotCodeRequest {
    /// What the chat may do.
    pub role: BotRole,
}

/// A linked chat.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BotLinkView {
    /// `telegram` or `whatsapp`.
    pub provider: String,
    /// The platform's id of the chat.
    pub chat: String,
    /// `reader` or `editor`.
    pub role: String,
    /// Who made the code.
    pub linked_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub linked: Timestamp,
}

/// Opens a ticket and tells the operator and the organisation's channels of it.
///
/// # Errors
/// 403 for keys that only read, 404 for a conversation that is not there, 422 for what is not valid.
pub async fn escalate(app: &App, who: &Principal, asked: &Escalation) -> Result<TicketView, Problem> {
    // A person may always ask for help; a program that only reads may not.
    who.require(if who.key.is_some() { Right::Write } else { Right::Read })?;
    let message = asked.message.trim();
    if message.is_empty() || message.chars().count() > QUESTION {
        return Err(Problem::invalid(vec![FieldError {
            field: "/message".into(),
            detail: "must have 1 to 4000 characters".into(),
        }]));
    }
    let email = asked.email.clone().or_else(|| who.name.contains('@').then(|| who.name.clone()));
    if let Some(email) = email.as_deref().filter(|e| !plausible(e)) {
        return Err(Problem::invalid(vec![FieldError {
            field: "/email".into(),
            detail: format!("{email:?} is not an e-mail address"),
        }]));
    }
    let conversation = match &asked.conversation_id {
        Some(text) => Some(who.tenant.conversation(id("/conversationId", text)?).await?),
        None => None,
    };
    let now = app.clock.now();
    let ticket = Ticket {
        id: Id::new(),
        conversation: conversation.as_ref().map(|c| c.id),
        about: conversation.and_then(|c| c.about),
        opened_by: who.name.clone(),
        email,
        // Tickets are read by the operator, who is not of this organisation.
        message: landfall_evidence::redact_text(message),
        state: "open".into(),
        created: now,
        updated: now,
    };
    let key = format!("support/ticket/{}", ticket.id);
    let about = ticket.about.map(|a| format!("About {} {}.", a.kind(), a.id()));
    let mut tx = app.store.begin().await?;
    open_ticket(&mut tx, who.tenant.id(), &ticket).await?;
    notice::send(
        &mut tx,
        &Notice {
            org: who.tenant.id(),
            key: &key,
            headline: format!(
                "Ticket by {}: {}",
                ticket.opened_by,
                ticket.message.chars().take(80).collect::<String>()
            ),
            notes: [Some(ticket.message.clone()), about].into_iter().flatten().collect(),
            actions: Vec::new(),
            link: Some(format!(
                "{}/support/tickets/{}",
                app.settings.public_url.trim_end_matches('/'),
                ticket.id
            )),
            mail_to: app.settings.support.mail_to.clone(),
            channels: true,
        },
        now,
    )
    .await?;
    tx.commit().await?;
    Ok(ticket.into())
}

/// Whether a text may be an address: the mail server decides the rest.
fn plausible(email: &str) -> bool {
    let fits = email.len() <= 254
        && !email.chars().any(|c| c.is_whitespace() || c.is_control() || "<>,;".contains(c));
    fits && email
        .split_once('@')
        .is_some_and(|(name, host)| !name.is_empty() && host.contains('.') && !host.contains('@'))
}

/// The organisation's tickets, newest first.
///
/// # Errors
/// 422 for an unknown state.
pub async fn tickets(
    who: &Principal,
    state: Option<&str>,
    page: Page,
) -> Result<Listing<TicketView>, Problem> {
    who.require(Right::Read)?;
    if state.is_some_and(|s| !matches!(s, "open" | "closed")) {
        return Err(Problem::invalid(vec![FieldError {
            field: "status".into(),
            detail: "is open or closed".into(),
        }]));
    }
    let mut found = who.tenant.tickets(state, page).await?;
    let most = page.limit.clamp(1, 500) as usize;
    let more = found.len() > most;
    found.truncate(most);
    let next = found.last().filter(|_| more).map(|t| t.id.to_string());
    Ok(Listing { items: found.into_iter().map(TicketView::from).collect(), next })
}

/// One ticket.
///
/// # Errors
/// 404 when it is not there, or somebody else's.
pub async fn ticket(who: &Principal, ticket: &str) -> Result<TicketView, Problem> {
    who.require(Right::Read)?;
    let id = ticket.parse().map_err(|_| Problem::missing("ticket"))?;
    Ok(who.tenant.ticket(id).await?.into())
}

/// Closes a ticket; closing it again changes nothing.
///
/// # Errors
/// As [`ticket`]; 403 for readers.
pub async fn close_ticket(app: &App, who: &Principal, ticket: &str) -> Result<TicketView, Problem> {
    who.require(Right::Write)?;
    let id = ticket.parse().map_err(|_| Problem::missing("ticket"))?;
    who.tenant.close_ticket(id, app.clock.now()).await?;
    Ok(who.tenant.ticket(id).await?.into())
}

/// Makes a one-time code that links a chat.
///
/// # Errors
/// 403 for those who may not change anything, 404 when no bot is set.
pub async fn bot_code(app: &App, who: &Principal, asked: BotCodeRequest) -> Result<BotCode, Problem> {
    who.require(Right::Write)?;
    if app.settings.support.telegram.is_none() && app.settings.support.whatsapp.is_none() {
        return Err(Problem::new(StatusCode::NOT_FOUND, "there is no bot on this server"));
    }
    let mut bytes = [0_u8; 12];
    getrandom::fill(&mut bytes)
        .map_err(|_| Problem::new(StatusCode::SERVICE_UNAVAILABLE, "no random numbers"))?;
    // Thirty-two signs without those that are mistaken for others; twelve of them are 60 bits.
    const SIGNS: &[u8; 32] = b"0123456789ABCDEFGHJKMNPQRSTVWXYZ";
    let plain: Vec<char> = bytes.iter().map(|b| char::from(SIGNS[usize::from(b & 31)])).collect();
    let code: String = plain.chunks(4).map(|c| c.iter().collect::<String>()).collect::<Vec<_>>().join("-");
    let now = app.clock.now();
    let expires = now.checked_add(CODE_LIVES).unwrap_or(Timestamp::MAX);
    let role = match asked.role {
        BotRole::Reader => "reader",
        BotRole::Editor => "editor",
    };
    who.tenant.add_bot_code(&code_hash(&code), role, &who.name, now, expires).await?;
    Ok(BotCode { code, expires })
}

/// The chats that are linked.
///
/// # Errors
/// When the database fails.
pub async fn bot_links(who: &Principal) -> Result<Vec<BotLinkView>, Problem> {
    who.require(Right::Read)?;
    let links = who.tenant.bot_links().await?;
    Ok(links
        .into_iter()
        .map(|(provider, chat, link)| BotLinkView {
            provider,
            chat,
            role: link.role,
            linked_by: link.linked_by,
            linked: link.linked,
        })
        .collect())
}

/// Cuts a chat off.
///
/// # Errors
/// 403 for readers, 404 when it is not linked, or linked to somebody else.
pub async fn unlink_bot(who: &Principal, provider: &str, chat: &str) -> Result<(), Problem> {
    who.require(Right::Write)?;
    Ok(who.tenant.unlink_bot(provider, chat).await?)
}

/// The routes below `/api/v1`.
pub fn routes() -> OpenApiRouter<App> {
    OpenApiRouter::new()
        .routes(routes!(post_chat))
        .routes(routes!(post_escalate))
        .routes(routes!(list_tickets))
        .routes(routes!(get_ticket))
        .routes(routes!(post_close))
        .routes(routes!(post_bot_code))
        .routes(routes!(list_bot_links))
        .routes(routes!(delete_bot_link))
}

/// Ask about an incident or a report
///
/// Rules answer from what is stored. A question that they do not understand goes to a language model, when the operator
/// set one; `answered_by` says who answered. With `stream`, the answer comes as server-sent events: `words` with pieces of
/// a model's text, then `done` with the whole answer, which takes the place of the pieces.
#[utoipa::path(post, path = "/support/chat", tag = "support", operation_id = "askSupport", request_body = Question,
    responses((status = 200, content((Answer = "application/json"), (String = "text/event-stream")))))]
async fn post_chat(
    State(app): State<App>,
    who: Principal,
    Json(question): Json<Question>,
) -> Result<Response, Problem> {
    if !question.stream {
        return Ok(Json(chat::ask(&app, &who, &question).await?).into_response());
    }
    let pieces = chat::ask_streaming(app, who, question).await?;
    let events = pieces.map(|piece| {
        let event = match &piece {
            Piece::Words(text) => {
                sse::Event::default().event("words").json_data(serde_json::json!({ "text": text }))
            }
            Piece::Done(answer) => sse::Event::default().event("done").json_data(answer),
            Piece::Failed(problem) => sse::Event::default().event("problem").json_data(problem),
        };
        // These are texts and flags, which can always be written as JSON.
        Ok::<_, Infallible>(event.unwrap_or_else(|_| sse::Event::default().event("problem").data("{}")))
    });
    Ok(Sse::new(events).keep_alive(KeepAlive::default()).into_response())
}

/// Ask a person
///
/// Opens a ticket. The operator and the organisation's channels are told.
#[utoipa::path(post, path = "/support/escalate", tag = "support", operation_id = "escalate", request_body = Escalation,
    responses((status = 201, body = TicketView)))]
async fn post_escalate(
    State(app): State<App>,
    who: Principal,
    Json(asked): Json<Escalation>,
) -> Result<(StatusCode, Json<TicketView>), Problem> {
    Ok((StatusCode::CREATED, Json(escalate(&app, &who, &asked).await?)))
}

/// Which tickets are shown.
#[derive(Debug, Clone, Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
struct TicketQuery {
    /// `next` of the page before.
    #[param(value_type = Option<String>, format = Uuid)]
    after: Option<Id>,
    /// How many items, 1 to 500; 50 by default.
    #[param(minimum = 1, maximum = 500)]
    limit: Option<u32>,
    /// Only `open` or only `closed` ones.
    status: Option<String>,
}

/// Tickets, newest first
#[utoipa::path(get, path = "/support/tickets", tag = "support", operation_id = "listTickets", params(TicketQuery),
    responses((status = 200, body = Listing<TicketView>)))]
async fn list_tickets(
    who: Principal,
    OriginalUri(uri): OriginalUri,
    Query(query): Query<TicketQuery>,
) -> Result<Paged<TicketView>, Problem> {
    let listing = tickets(&who, query.status.as_deref(), page(query.after, query.limit)?).await?;
    Ok(Paged::new(listing, &uri))
}

/// A ticket
#[utoipa::path(get, path = "/support/tickets/{id}", tag = "support", operation_id = "getTicket",
    params(("id" = String, Path, description = "The ticket.", format = Uuid)),
    responses((status = 200, body = TicketView)))]
async fn get_ticket(who: Principal, PathText(id): PathText) -> Result<Json<TicketView>, Problem> {
    ticket(&who, &id).await.map(Json)
}

/// Close a ticket
///
/// Once is enough: again changes nothing.
#[utoipa::path(post, path = "/support/tickets/{id}/close", tag = "support", operation_id = "closeTicket",
    params(("id" = String, Path, description = "The ticket.", format = Uuid)),
    responses((status = 200, body = TicketView)))]
async fn post_close(
    State(app): State<App>,
    who: Principal,
    PathText(id): PathText,
) -> Result<Json<TicketView>, Problem> {
    close_ticket(&app, &who, &id).await.map(Json)
}

/// Make a code that links a chat
///
/// It is shown once, is good for fifteen minutes, and is sent to the bot as `/start CODE`.
#[utoipa::path(post, path = "/support/bots/codes", tag = "support", operation_id = "makeBotCode",
    request_body(content = Option<BotCodeRequest>), responses((status = 201, body = BotCode)))]
async fn post_bot_code(
    State(app): State<App>,
    who: Principal,
    MaybeJson(asked): MaybeJson<BotCodeRequest>,
) -> Result<(StatusCode, Json<BotCode>), Problem> {
    Ok((StatusCode::CREATED, Json(bot_code(&app, &who, asked.unwrap_or_default()).await?)))
}

/// Linked chats
#[utoipa::path(get, path = "/support/bots/links", tag = "support", operation_id = "listBotLinks",
    responses((status = 200, body = Listing<BotLinkView>)))]
async fn list_bot_links(who: Principal) -> Result<Json<Listing<BotLinkView>>, Problem> {
    Ok(Json(Listing { items: bot_links(&who).await?, next: None }))
}

/// Cut a chat off
#[utoipa::path(delete, path = "/support/bots/links/{provider}/{chat}", tag = "support", operation_id = "unlinkBot",
    params(("provider" = String, Path, description = "`telegram` or `whatsapp`."),
        ("chat" = String, Path, description = "The platform's id of the chat.")),
    responses((status = 204, description = "It is cut off.")))]
async fn delete_bot_link(
    who: Principal,
    axum::extract::Path((provider, chat)): axum::extract::Path<(String, String)>,
) -> Result<StatusCode, Problem> {
    unlink_bot(&who, &provider, &chat).await?;
    Ok(StatusCode::NO_CONTENT)
}
