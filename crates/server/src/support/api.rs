//! Support in the API. The functions take a [`Principal`]; the routes stand at the end.

use http::StatusCode;
use jiff::{SignedDuration, Timestamp};
use landfall_store::support::{About, Ticket, open_ticket};
use landfall_store::{Id, Page};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::bots::code_hash;
use super::chat::{QUESTION, id};
use crate::api::model::Listing;
use crate::notice::{self, Notice};
use crate::problem::FieldError;
use crate::{App, Principal, Problem, Role, Scope};

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

fn writes(who: &Principal, least: Role) -> Result<(), Problem> {
    if who.role < least {
        return Err(Problem::forbidden("your role does not allow this"));
    }
    if who.key.is_some() && !(who.scopes.contains(&Scope::Write) || who.scopes.contains(&Scope::Admin)) {
        return Err(Problem::forbidden("this key may only read"));
    }
    Ok(())
}

/// Opens a ticket and tells the operator and the organisation's channels of it.
///
/// # Errors
/// 403 for keys that only read, 404 for a conversation that is not there, 422 for what is not valid.
pub async fn escalate(app: &App, who: &Principal, asked: &Escalation) -> Result<TicketView, Problem> {
    writes(who, Role::Reader)?;
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
    let id = ticket.parse().map_err(|_| Problem::missing("ticket"))?;
    Ok(who.tenant.ticket(id).await?.into())
}

/// Closes a ticket; closing it again changes nothing.
///
/// # Errors
/// As [`ticket`]; 403 for readers.
pub async fn close_ticket(app: &App, who: &Principal, ticket: &str) -> Result<TicketView, Problem> {
    writes(who, Role::Editor)?;
    let id = ticket.parse().map_err(|_| Problem::missing("ticket"))?;
    who.tenant.close_ticket(id, app.clock.now()).await?;
    Ok(who.tenant.ticket(id).await?.into())
}

/// Makes a one-time code that links a chat.
///
/// # Errors
/// 403 for those who may not change anything, 404 when no bot is set.
pub async fn bot_code(app: &App, who: &Principal, asked: BotCodeRequest) -> Result<BotCode, Problem> {
    writes(who, Role::Editor)?;
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
    writes(who, Role::Editor)?;
    Ok(who.tenant.unlink_bot(provider, chat).await?)
}

/// What is spoken of, for a link.
pub(crate) fn about_path(about: About) -> String {
    match about {
        About::Incident(id) => format!("/incidents/{id}"),
        About::Report(id) => format!("/reports/{id}"),
    }
}
