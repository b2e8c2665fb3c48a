//! Webhooks: a POST, signed, with a key that an idempotent receiver can go by (docs/webhooks.md).

use std::collections::BTreeMap;

use serde::Serialize;

use super::{Channel, Dispatch, Sending, Sent, judged, said};
use crate::config::Webhook;
use crate::outbound::{Outbound, Post};
use crate::template::Template;
use crate::{Message, signature};

/// The version of the body.
const SCHEMA: &str = "landfall.alert/1";

/// The body of a webhook without a template. Keys are added and never renamed within a version.
#[derive(Debug, Serialize)]
struct Body<'a> {
    schema: &'static str,
    key: &'a str,
    /// Of a storm: the subjects of the letters that it stands for.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    subjects: &'a [String],
    #[serde(flatten)]
    message: &'a Message,
}

/// Body and its type.
fn body(
    config: &Webhook,
    message: &Message,
    key: &str,
    subjects: &[String],
) -> Result<(String, &'static str), String> {
    match &config.body {
        Some(template) => {
            let template = Template::parse(template)?;
            Ok((template.render(message, key), template.content_type()))
        }
        None => {
            let body = Body { schema: SCHEMA, key, subjects, message };
            let body = serde_json::to_string(&body).map_err(|e| format!("the message is no JSON: {e}"))?;
            Ok((body, "application/json"))
        }
    }
}

impl Channel for Webhook {
    fn send<'a>(&'a self, out: &'a Outbound, letter: &'a Dispatch<'a>) -> Sending<'a> {
        Box::pin(async move {
            let (body, content_type) = match body(self, letter.message, letter.key, letter.members) {
                Ok(made) => made,
                Err(mend) => return Sent::refused(format!("the body template cannot be used: {mend}")),
            };
            let mut headers: BTreeMap<String, String> =
                self.headers.iter().map(|(name, value)| (name.clone(), value.reveal().to_owned())).collect();
            headers.insert("Idempotency-Key".into(), letter.key.to_owned());
            headers.insert("Landfall-Attempt".into(), letter.attempt.to_string());
            headers.insert("Landfall-Event".into(), letter.message.event.word().to_owned());
            let secrets: Vec<&str> =
                self.secret.iter().chain(&self.previous_secret).map(|s| s.reveal()).collect();
            if !secrets.is_empty() {
                headers
                    .insert(signature::HEADER.into(), signature::sign(&secrets, letter.now, body.as_bytes()));
            }
            let post = Post { url: &self.url, content_type, headers, body: body.into_bytes() };
            match out.post(post).await {
                Ok(answer) => {
                    // What a receiver says of a success is its own business; a refusal is explained by it.
                    let detail = if answer.status < 300 { String::new() } else { answer.excerpt() };
                    let say = said(&answer, &detail);
                    judged(&answer, letter.now, say)
                }
                Err(say) => Sent::unheard(say),
            }
        })
    }
}

/// What goes out, for snapshots.
#[cfg(test)]
pub(crate) fn rendered(config: &Webhook, message: &Message, key: &str) -> Result<String, String> {
    Ok(body(config, message, key, &[])?.0)
}
