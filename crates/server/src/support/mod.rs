//! Support: a chat about *your* incident or report, tickets, and the bots of Telegram and WhatsApp.
//!
//! What is known is said by rules, from what is stored; a model is asked only when the rules have no answer and the
//! operator configured one, it sees masked text alone, has no tools, and its words are labelled as its own. When it fails,
//! the answer says so.

mod bots;
mod chat;
mod model;
mod providers;
mod rules;
#[cfg(test)]
mod tests;

pub mod api;

pub use bots::{Sent, reply_loop, router, send_replies};
pub use chat::{Answer, AnsweredBy, Question, ask};
pub use providers::{REFRESH, refresh, refresh_loop};

use std::time::Duration;

use crate::Secret;

/// What the operator sets for support. Everything is off by default; the chat's rules need no setting.
#[derive(Debug, Clone, Default)]
pub struct SupportSettings {
    /// A model behind an OpenAI-compatible API.
    pub model: Option<ModelSettings>,
    /// The Telegram bot.
    pub telegram: Option<TelegramSettings>,
    /// The WhatsApp number.
    pub whatsapp: Option<WhatsAppSettings>,
    /// Where new tickets are mailed to.
    pub mail_to: Option<String>,
}

/// A model behind an OpenAI-compatible API.
#[derive(Debug, Clone)]
pub struct ModelSettings {
    /// Where it is, with its version: `https://api.openai.com/v1`, `http://127.0.0.1:11434/v1`.
    pub api_base: String,
    /// The key; empty for a service without one.
    pub api_key: Secret,
    /// The model's name.
    pub model: String,
    /// Tokens of an answer at most.
    pub max_tokens: u32,
    /// How long an answer may take.
    pub deadline: Duration,
}

/// The Telegram bot (<https://core.telegram.org/bots/api>).
#[derive(Debug, Clone)]
pub struct TelegramSettings {
    /// Where the Bot API is: `https://api.telegram.org`.
    pub api_base: String,
    /// The bot's token.
    pub token: Secret,
    /// The `secret_token` that was given to `setWebhook`.
    pub webhook_secret: Secret,
}

/// The WhatsApp number, over Meta's Cloud API (<https://developers.facebook.com/docs/whatsapp/cloud-api>).
#[derive(Debug, Clone)]
pub struct WhatsAppSettings {
    /// Where the Graph API is, with its version: `https://graph.facebook.com/v23.0`.
    pub api_base: String,
    /// The id of the phone number that sends.
    pub phone_number_id: String,
    /// The access token.
    pub token: Secret,
    /// The app's secret, under which Meta signs.
    pub app_secret: Secret,
    /// The word that Meta says when the webhook is registered.
    pub verify_token: Secret,
}
