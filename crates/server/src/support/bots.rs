//! The bots: Telegram and WhatsApp ask, the watch answers.
//!
//! Policy. A request that does not carry the platform's proof is 401 and changes nothing. An update is stored under the
//! platform's id in the transaction that acts upon it, so that one that comes again acts once; its answer is owed from then
//! on and sent by [`send_replies`], which tries for an hour. A chat is a stranger until somebody sends it a one-time code;
//! strangers learn how to link and nothing else, and after five wrong codes in ten minutes a chat is not listened to.
//!
//! Telegram: the `secret_token` of `setWebhook` comes back as `X-Telegram-Bot-Api-Secret-Token`
//! (<https://core.telegram.org/bots/api#setwebhook>); updates are told apart by `update_id`
//! (<https://core.telegram.org/bots/api#update>). WhatsApp: registration asks with `hub.mode`, `hub.verify_token` and
//! `hub.challenge`; notifications carry `X-Hub-Signature-256`, HMAC-SHA256 of the body under the app's secret
//! (<https://developers.facebook.com/docs/graph-api/webhooks/getting-started>); messages are told apart by their `id`
//! (<https://developers.facebook.com/docs/whatsapp/cloud-api/webhooks/components>).

use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Query, State};
use axum::response::{IntoResponse, Response};
use axum::routing::post;
use hmac::{Hmac, KeyInit as _, Mac as _};
use http::{HeaderMap, StatusCode, header};
use http_body_util::{BodyExt as _, Limited};
use jiff::{SignedDuration, Timestamp};
use landfall_monitor::incident;
use landfall_store::support::{self, Link, Owed, Redeemed};
use landfall_store::{Id, StoreError, Tx};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{TelegramSettings, WhatsAppSettings};
use crate::service::room;
use crate::{App, Problem, outbound};

/// The largest notification that is read.
const BODY: usize = 256 * 1024;
/// How long storing and acting may take.
const DEADLINE: Duration = Duration::from_secs(8);
/// Messages of one notification that are acted upon; the platforms send few.
const MESSAGES: usize = 50;
/// Characters of a message on both platforms.
const LONGEST: usize = 4096;
/// Wrong codes from one chat, and the time in which they count.
const WRONG_CODES: (u64, SignedDuration) = (5, SignedDuration::from_mins(10));
/// Audits of one organisation that may wait.
const AUDITS: u64 = 5;
/// How often an answer is tried; with doubling pauses that is about an hour.
const TRIES: i64 = 8;

/// The webhooks of both platforms.
pub fn router() -> Router<App> {
    Router::new()
        .route("/api/support/telegram", post(telegram))
        .route("/api/support/whatsapp", post(whatsapp).get(whatsapp_registration))
}

async fn read(body: Body) -> Result<Vec<u8>, Problem> {
    match Limited::new(body, BODY).collect().await {
        Ok(body) => Ok(body.to_bytes().to_vec()),
        Err(error) if error.is::<http_body_util::LengthLimitError>() => {
            Err(Problem::new(StatusCode::PAYLOAD_TOO_LARGE, format!("at most {BODY} bytes")))
        }
        Err(_) => Err(Problem::bad_request("the body broke off")),
    }
}

fn off() -> Problem {
    Problem::new(StatusCode::NOT_FOUND, "this bot is off on this server")
}

fn not_proven() -> Problem {
    Problem::new(StatusCode::UNAUTHORIZED, "the platform's proof is missing or wrong")
}

async fn telegram(State(app): State<App>, headers: HeaderMap, body: Body) -> Response {
    let taken = async {
        let settings = app.settings.support.telegram.as_ref().ok_or_else(off)?;
        let claimed = headers.get("x-telegram-bot-api-secret-token").map_or(&b""[..], |v| v.as_bytes());
        if !settings.webhook_secret.matches(claimed) {
            return Err(not_proven());
        }
        let body = read(body).await?;
        let update: Value =
            serde_json::from_slice(&body).map_err(|_| Problem::bad_request("the body is not JSON"))?;
        let id = update
            .get("update_id")
            .and_then(Value::as_i64)
            .ok_or_else(|| Problem::bad_request("there is no update_id"))?;
        // Other kinds of update carry no command; they are nothing to us, and no error either.
        let (Some(chat), Some(text)) = (
            update.pointer("/message/chat/id").and_then(Value::as_i64),
            update.pointer("/message/text").and_then(Value::as_str),
        ) else {
            return Ok(());
        };
        let from =
            update.pointer("/message/from/username").or_else(|| update.pointer("/message/from/first_name"));
        let incoming = Incoming {
            provider: "telegram",
            update: id.to_string(),
            chat: chat.to_string(),
            from: from.and_then(Value::as_str).unwrap_or("somebody").chars().take(64).collect(),
            text: text.chars().take(LONGEST).collect(),
        };
        take(&app, &[incoming]).await
    };
    done(taken.await)
}

async fn whatsapp(State(app): State<App>, headers: HeaderMap, body: Body) -> Response {
    let taken = async {
        let settings = app.settings.support.whatsapp.as_ref().ok_or_else(off)?;
        let body = read(body).await?;
        if !signed(settings, headers.get("x-hub-signature-256").map_or(&b""[..], |v| v.as_bytes()), &body) {
            return Err(not_proven());
        }
        let note: Value =
            serde_json::from_slice(&body).map_err(|_| Problem::bad_request("the body is not JSON"))?;
        if note.get("object").and_then(Value::as_str) != Some("whatsapp_business_account") {
            return Err(Problem::bad_request("the notification is not of a WhatsApp Business account"));
        }
        take(&app, &whatsapp_messages(settings, &note)).await
    };
    done(taken.await)
}

/// Whether the app's secret signed this body.
fn signed(settings: &WhatsAppSettings, claimed: &[u8], body: &[u8]) -> bool {
    if settings.app_secret.is_empty() {
        return false;
    }
    let Some(claimed) = claimed.strip_prefix(b"sha256=").and_then(|h| hex::decode(h).ok()) else {
        return false;
    };
    let mut mac = Hmac::<Sha256>::new_from_slice(settings.app_secret.expose().as_bytes())
        .expect("HMAC takes keys of any length");
    mac.update(body);
    // Compares in constant time.
    mac.verify_slice(&claimed).is_ok()
}

/// The text messages of a notification that came to our number. Statuses of what we sent are in there too; they are skipped.
fn whatsapp_messages(settings: &WhatsAppSettings, note: &Value) -> Vec<Incoming> {
    let list = |value: &Value, pointer: &str| {
        value.pointer(pointer).and_then(Value::as_array).cloned().unwrap_or_default()
    };
    let mut found = Vec::new();
    for entry in list(note, "/entry") {
        for change in list(&entry, "/changes") {
            let ours = change.pointer("/value/metadata/phone_number_id").and_then(Value::as_str)
                == Some(settings.phone_number_id.as_str());
            if !ours {
                continue;
            }
            let name = change
                .pointer("/value/contacts/0/profile/name")
                .and_then(Value::as_str)
                .unwrap_or("somebody");
            for message in list(&change, "/value/messages") {
                let text = |pointer: &str| message.pointer(pointer).and_then(Value::as_str);
                if let (Some(id), Some(from), Some(body)) = (text("/id"), text("/from"), text("/text/body")) {
                    found.push(Incoming {
                        provider: "whatsapp",
                        update: id.chars().take(255).collect(),
                        chat: from.chars().take(64).collect(),
                        from: name.chars().take(64).collect(),
                        text: body.chars().take(LONGEST).collect(),
                    });
                }
            }
        }
    }
    found.truncate(MESSAGES);
    found
}

#[derive(serde::Deserialize)]
struct Registration {
    #[serde(rename = "hub.mode")]
    mode: Option<String>,
    #[serde(rename = "hub.verify_token")]
    token: Option<String>,
    #[serde(rename = "hub.challenge")]
    challenge: Option<String>,
}

async fn whatsapp_registration(State(app): State<App>, Query(asked): Query<Registration>) -> Response {
    let Some(settings) = &app.settings.support.whatsapp else { return off().into_response() };
    let known = asked.mode.as_deref() == Some("subscribe")
        && settings.verify_token.matches(asked.token.unwrap_or_default().as_bytes());
    match asked.challenge.filter(|c| known && c.len() <= 256) {
        Some(challenge) => (
            [
                (header::CONTENT_TYPE, "text/plain; charset=utf-8"),
                (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
            ],
            challenge,
        )
            .into_response(),
        None => Problem::forbidden("the word of verification is wrong").into_response(),
    }
}

fn done(taken: Result<(), Problem>) -> Response {
    match taken {
        Ok(()) => axum::Json(json!({ "ok": true })).into_response(),
        Err(problem) => problem.into_response(),
    }
}

/// One message of a chat.
struct Incoming {
    provider: &'static str,
    update: String,
    chat: String,
    from: String,
    text: String,
}

async fn take(app: &App, all: &[Incoming]) -> Result<(), Problem> {
    let work = async {
        for incoming in all {
            act(app, incoming).await?;
        }
        Ok::<_, StoreError>(())
    };
    match tokio::time::timeout(DEADLINE, work).await {
        Ok(ended) => {
            ended?;
            app.live.replies.notify_one();
            Ok(())
        }
        Err(_) => Err(Problem::new(
            StatusCode::SERVICE_UNAVAILABLE,
            "it could not be stored in time; send it again",
        )),
    }
}

async fn act(app: &App, incoming: &Incoming) -> Result<(), StoreError> {
    let now = app.clock.now();
    let mut tx = app.store.begin().await?;
    if !support::record_update(&mut tx, incoming.provider, &incoming.update, &incoming.chat, now).await? {
        return Ok(());
    }
    let (outcome, reply, nudge) = command(app, &mut tx, incoming, now).await?;
    let reply: Option<String> = reply.map(|r| r.chars().take(LONGEST).collect());
    support::conclude_update(&mut tx, incoming.provider, &incoming.update, outcome, reply.as_deref()).await?;
    tx.commit().await?;
    if nudge {
        app.watch.nudge();
    }
    Ok(())
}

type Acted = (&'static str, Option<String>, bool);

fn say(outcome: &'static str, reply: impl Into<String>) -> Result<Acted, StoreError> {
    Ok((outcome, Some(reply.into()), false))
}

const HELP: &str =
    "/status: how it stands\n/audit NAME: look at a monitor's target now\n/ack ID: acknowledge an incident";
const STRANGER: &str =
    "This chat is not linked. Make a code under Settings, Bots, and send it here as /start CODE.";

async fn command(app: &App, tx: &mut Tx, incoming: &Incoming, now: Timestamp) -> Result<Acted, StoreError> {
    let mut words = incoming.text.split_whitespace();
    let first = words.next().unwrap_or_default().trim_start_matches('/').to_lowercase();
    // In groups Telegram writes /status@NameOfTheBot.
    let name = first.split('@').next().unwrap_or_default().to_owned();
    let rest = words.collect::<Vec<_>>().join(" ");
    if name == "start" && !rest.is_empty() {
        return start(tx, incoming, &rest, now).await;
    }
    let Some(link) = support::link_of(tx, incoming.provider, &incoming.chat).await? else {
        return say("stranger", STRANGER);
    };
    match name.as_str() {
        "status" => status(app, tx, &link).await,
        "audit" => audit(app, tx, incoming, &link, &rest, now).await,
        "ack" => ack(tx, incoming, &link, &rest, now).await,
        "help" | "start" => say("answered", HELP),
        _ => say("answered", format!("I do not know that. {HELP}")),
    }
}

/// The hash under which a code is kept. Blanks, dashes and case are what typing adds.
pub(crate) fn code_hash(code: &str) -> String {
    let plain: String = code.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_uppercase();
    hex::encode(Sha256::digest(plain.as_bytes()))
}

async fn start(tx: &mut Tx, incoming: &Incoming, code: &str, now: Timestamp) -> Result<Acted, StoreError> {
    let since = now.checked_sub(WRONG_CODES.1).unwrap_or(Timestamp::MIN);
    let hash = code_hash(code);
    match support::redeem(tx, incoming.provider, &incoming.chat, &hash, (WRONG_CODES.0, since), now).await? {
        Redeemed::Linked(link) => say(
            "linked",
            format!(
                "This chat is linked ({} rights; the code was made by {}).\n{HELP}",
                link.role, link.linked_by
            ),
        ),
        Redeemed::Wrong => {
            say("wrong-code", "That code is not valid: it may have been used, or be too old. Make a new one.")
        }
        // No answer: whoever guesses learns nothing, not even that it was noticed.
        Redeemed::Locked => Ok(("ignored", None, false)),
    }
}

async fn status(app: &App, tx: &mut Tx, link: &Link) -> Result<Acted, StoreError> {
    let standing = support::standing(tx, link.org).await?;
    let mut text = if standing.monitors.is_empty() {
        "There are no monitors yet.".to_owned()
    } else {
        let counts: Vec<String> = standing.monitors.iter().map(|(v, n)| format!("{n} {v}")).collect();
        format!("Monitors: {}.", counts.join(", "))
    };
    if standing.incidents.is_empty() {
        text.push_str("\nNo incident is open.");
    }
    for (id, title, cause, acked) in standing.incidents.iter().take(10) {
        text.push_str(&format!("\n\n{title}\n{}", cause.as_deref().unwrap_or("cause not known")));
        match acked {
            Some(by) => text.push_str(&format!("\nacknowledged by {by}")),
            None => text.push_str(&format!("\n/ack {}", short(*id))),
        }
    }
    if standing.incidents.len() > 10 {
        text.push_str("\n\nand more");
    }
    text.push_str(&format!("\n\n{}", app.settings.public_url.trim_end_matches('/')));
    say("answered", text)
}

/// The end of an id: two that were made in the same second differ there.
fn short(id: Id) -> String {
    let text = id.0.simple().to_string();
    text[text.len() - 8..].to_owned()
}

fn may_change(link: &Link) -> bool {
    link.role == "editor"
}

const READ_ONLY: &str = "This chat may only look. Link it again with a code for editors.";

async fn ack(
    tx: &mut Tx,
    incoming: &Incoming,
    link: &Link,
    typed: &str,
    now: Timestamp,
) -> Result<Acted, StoreError> {
    if !may_change(link) {
        return say("answered", READ_ONLY);
    }
    let found = support::incidents_like(tx, link.org, typed).await?;
    let [incident] = found.as_slice() else {
        return say(
            "answered",
            if found.is_empty() {
                "There is no open incident with that id. /status lists them."
            } else {
                "More than one open incident fits; give more of its id."
            },
        );
    };
    let actor = format!("{}:{}", incoming.provider, incoming.from);
    if incident::acknowledge_in(tx, link.org, *incident, &actor, now).await? {
        say("answered", format!("Acknowledged {}. Reminders stop.", short(*incident)))
    } else {
        say("answered", "It was acknowledged before.")
    }
}

async fn audit(
    app: &App,
    tx: &mut Tx,
    incoming: &Incoming,
    link: &Link,
    typed: &str,
    now: Timestamp,
) -> Result<Acted, StoreError> {
    if !may_change(link) {
        return say("answered", READ_ONLY);
    }
    let named = Some(typed).filter(|t| !t.is_empty());
    let found = support::auditable(tx, link.org, named).await?;
    let [(id, external, name, spec)] = found.as_slice() else {
        let names: Vec<&str> = found.iter().map(|m| m.1.as_str()).collect();
        return say(
            "answered",
            match (found.is_empty(), named) {
                (true, Some(_)) => "There is no HTTP monitor of that name.".to_owned(),
                (true, None) => "There is no HTTP monitor to audit.".to_owned(),
                (false, _) => format!("Which one? {}", names.join(", ")),
            },
        );
    };
    let Some(target) = spec.pointer("/check/url").and_then(Value::as_str) else {
        return say("answered", format!("{name} has no URL that could be audited."));
    };
    if !room::has_audit(tx, app, link.org, now).await? {
        return say("answered", "The plan's audits of the last 24 hours are used up.");
    }
    let actor = format!("{}:{}", incoming.provider, incoming.from);
    match support::queue_audit(tx, link.org, *id, target, &actor, AUDITS, now).await? {
        Some(report) => Ok((
            "answered",
            Some(format!("The audit of {external} begins. Its report will be {}.", short(report))),
            true,
        )),
        None => say("answered", "Enough audits are waiting already; try again when they are done."),
    }
}

/// How a round of sending ended.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Sent {
    /// Answers that were delivered.
    pub sent: u64,
    /// Answers that will be tried again.
    pub later: u64,
    /// Answers that were given up.
    pub dead: u64,
}

/// Sends the answers that are due.
///
/// # Errors
/// When the database fails; what is owed stays owed.
pub async fn send_replies(app: &App) -> Result<Sent, StoreError> {
    let mut counts = Sent::default();
    let now = app.clock.now();
    for owed in support::claim_replies(&app.store, now, 60_000_000).await? {
        let ended = match owed.provider.as_str() {
            "telegram" => match &app.settings.support.telegram {
                Some(settings) => send_telegram(settings, &owed).await,
                None => Err(Refusal::forever("the bot is off")),
            },
            _ => match &app.settings.support.whatsapp {
                Some(settings) => send_whatsapp(settings, &owed).await,
                None => Err(Refusal::forever("the number is off")),
            },
        };
        let now = app.clock.now();
        let (state, next, error) = match &ended {
            Ok(()) => {
                counts.sent += 1;
                ("sent", now, None)
            }
            Err(refusal) if refusal.forever || owed.attempts + 1 >= TRIES => {
                counts.dead += 1;
                tracing::warn!(provider = %owed.provider, error = %refusal.say, "an answer was given up");
                ("dead", now, Some(refusal.say.as_str()))
            }
            Err(refusal) => {
                counts.later += 1;
                let pause = refusal.after_s.unwrap_or(30 << owed.attempts.clamp(0, 6)).clamp(1, 3600);
                let next = now.checked_add(SignedDuration::from_secs(pause)).unwrap_or(Timestamp::MAX);
                ("pending", next, Some(refusal.say.as_str()))
            }
        };
        support::reply_ended(&app.store, &owed, state, next, error).await?;
    }
    Ok(counts)
}

/// Sends what is owed for as long as the server lives: at once when something came in, else every half minute.
pub async fn reply_loop(app: App) {
    loop {
        if let Err(error) = send_replies(&app).await {
            tracing::warn!(%error, "answers to chats could not be sent");
        }
        let next = app.clock.now().checked_add(SignedDuration::from_secs(30)).unwrap_or(Timestamp::MAX);
        tokio::select! {
            () = app.clock.sleep_until(next) => {}
            () = app.live.replies.notified() => {}
        }
    }
}

struct Refusal {
    say: String,
    forever: bool,
    after_s: Option<i64>,
}

impl Refusal {
    fn forever(say: &str) -> Self {
        Self { say: say.into(), forever: true, after_s: None }
    }
}

/// `sendMessage` (<https://core.telegram.org/bots/api#sendmessage>), as plain text: what a monitor said may look like markup.
async fn send_telegram(settings: &TelegramSettings, owed: &Owed) -> Result<(), Refusal> {
    let url = outbound::join(&settings.api_base, &format!("bot{}/sendMessage", settings.token.expose()));
    let chat: Value = owed.chat.parse::<i64>().map_or_else(|_| owed.chat.clone().into(), Value::from);
    let body =
        json!({ "chat_id": chat, "text": owed.reply, "link_preview_options": { "is_disabled": true } });
    let (status, answer) = call(outbound::client(&settings.api_base).post(url).json(&body)).await?;
    if status.is_success() && answer.get("ok") == Some(&Value::Bool(true)) {
        return Ok(());
    }
    // "In case of exceeding flood control, the number of seconds left to wait" (ResponseParameters).
    Err(refused(status, answer.pointer("/parameters/retry_after").and_then(Value::as_i64)))
}

/// A text message (<https://developers.facebook.com/docs/whatsapp/cloud-api/messages/text-messages>). It answers a message
/// of the person's own, so it is within the 24 hours in which free text is allowed.
async fn send_whatsapp(settings: &WhatsAppSettings, owed: &Owed) -> Result<(), Refusal> {
    let url = outbound::join(&settings.api_base, &format!("{}/messages", settings.phone_number_id));
    let body = json!({
        "messaging_product": "whatsapp",
        "recipient_type": "individual",
        "to": owed.chat,
        "type": "text",
        "text": { "preview_url": false, "body": owed.reply },
    });
    let request =
        outbound::client(&settings.api_base).post(url).bearer_auth(settings.token.expose()).json(&body);
    let (status, answer) = call(request).await?;
    if status.is_success() && answer.pointer("/messages/0/id").is_some() {
        return Ok(());
    }
    Err(refused(status, None))
}

async fn call(request: reqwest::RequestBuilder) -> Result<(StatusCode, Value), Refusal> {
    let later = |say: String| Refusal { say, forever: false, after_s: None };
    let call = async {
        let response = request.send().await.map_err(|e| later(outbound::words(&e)))?;
        let status = response.status();
        let body = outbound::body(response, 64 * 1024).await.map_err(later)?;
        Ok((status, serde_json::from_slice(&body).unwrap_or(Value::Null)))
    };
    match tokio::time::timeout(Duration::from_secs(10), call).await {
        Ok(ended) => ended,
        Err(_) => Err(later("no answer in time".into())),
    }
}

fn refused(status: StatusCode, after_s: Option<i64>) -> Refusal {
    // Too many requests and the platform's own trouble pass; a chat that is gone or a message that is refused does not.
    // A token that is refused may be mended by the operator, so it is tried on.
    let passes =
        status.is_server_error() || status.is_success() || matches!(status.as_u16(), 401 | 408 | 429);
    Refusal { say: format!("HTTP {}", status.as_u16()), forever: !passes, after_s }
}
