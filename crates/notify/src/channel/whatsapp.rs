//! WhatsApp, by the Cloud API (developers.facebook.com/documentation/business-messaging/whatsapp).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Channel, Dispatch, Outcome, Round, Sending, Sent, judged, said};
use crate::Message;
use crate::config::Whatsapp;
use crate::outbound::{Outbound, Post};
use crate::sheet::{Sheet, clean, shorten};

/// Characters of a text message (reference of the messages end point, `text.body`).
const TEXT: usize = 4096;
/// Characters of one template parameter: the body of a whole template has 1024 in it, its fixed words included.
const PARAMETER: usize = 300;
const BASE: &str = "https://graph.facebook.com/v23.0";

/// The message without its recipient.
pub(crate) fn rendered(config: &Whatsapp, message: &Message) -> Value {
    let sheet = Sheet::of(message);
    match &config.template {
        None => json!({
            "messaging_product": "whatsapp",
            "recipient_type": "individual",
            "type": "text",
            "text": { "preview_url": false, "body": shorten(&text(&sheet), TEXT) },
        }),
        Some(name) => {
            let why = match &message.cause {
                Some(cause) => cause.title.clone(),
                None => message.notes.first().cloned().unwrap_or_else(|| "The cause is not known yet".into()),
            };
            let link = message.link.clone().unwrap_or_else(|| sheet.foot.clone());
            let parameters: Vec<Value> = [sheet.title.clone(), why, link]
                .iter()
                .map(|text| json!({ "type": "text", "text": parameter(text) }))
                .collect();
            json!({
                "messaging_product": "whatsapp",
                "recipient_type": "individual",
                "type": "template",
                "template": {
                    "name": name,
                    "language": { "code": config.language.as_deref().unwrap_or("en_US") },
                    "components": [{ "type": "body", "parameters": parameters }],
                },
            })
        }
    }
}

/// As plain text, with WhatsApp's marks for bold.
fn text(sheet: &Sheet) -> String {
    let plain = sheet.text();
    match plain.split_once('\n') {
        Some((title, rest)) => format!("*{}*\n{rest}", title.replace('*', "·")),
        None => plain,
    }
}

/// A parameter may hold no line break, no tab and no more than four spaces on end (error 132018); it may not be empty.
fn parameter(text: &str) -> String {
    let words: Vec<&str> = text.split_whitespace().collect();
    let line = clean(&words.join(" "), PARAMETER);
    if line.is_empty() { "–".into() } else { line }
}

impl Channel for Whatsapp {
    fn send<'a>(&'a self, out: &'a Outbound, letter: &'a Dispatch<'a>) -> Sending<'a> {
        Box::pin(async move {
            let payload = rendered(self, letter.message);
            let mut round = Round::new(&self.recipients, letter);
            while let Some(to) = round.next() {
                let sent = self.send_to(out, letter, &payload, to).await;
                round.note(to, sent);
            }
            round.sum()
        })
    }

    /// A pair of business and recipient takes one message in six seconds, with a burst that is paid back later
    /// (error 131056); alerts stay below with one in two seconds.
    fn pace(&self) -> Duration {
        Duration::from_secs(2)
    }

    fn parallel(&self) -> usize {
        1
    }
}

impl Whatsapp {
    async fn send_to(&self, out: &Outbound, letter: &Dispatch<'_>, payload: &Value, to: &str) -> Sent {
        let base = self.api_base.as_deref().unwrap_or(BASE).trim_end_matches('/');
        let mut payload = payload.clone();
        payload["to"] = to.trim_start_matches('+').into();
        let headers =
            BTreeMap::from([("Authorization".to_owned(), format!("Bearer {}", self.access_token.reveal()))]);
        let url = format!("{base}/{}/messages", self.phone_number_id);
        let body = payload.to_string().into_bytes();
        let answer = match out.post(Post { url: &url, content_type: "application/json", headers, body }).await
        {
            Ok(answer) => answer,
            Err(say) => return Sent::unheard(say),
        };
        let reply = answer.json().unwrap_or_default();
        let error = &reply["error"];
        if error.is_null() {
            let sent = judged(&answer, letter.now, said(&answer, ""));
            if sent.outcome == Outcome::Delivered && reply["messages"][0]["id"].as_str().is_none() {
                let say = format!("HTTP {} without a message id", answer.status);
                return Sent { outcome: Outcome::Retry(None), say, ..sent };
            }
            return sent;
        }
        // Meta asks to go by the code and not by the status (support/error-codes).
        let code = error["code"].as_i64().unwrap_or_default();
        let details = error["error_data"]["details"].as_str().or_else(|| error["message"].as_str());
        let hint = match code {
            0 | 190 => "; give a new access token",
            131_030 => "; the recipient is not in the list of the test number",
            131_047 => "; the recipient has not written for 24 hours: set a template",
            132_001 => "; there is no such template in that language",
            _ => "",
        };
        let say = said(&answer, &format!("({code}) {}{hint}", details.unwrap_or_default()));
        let sent = judged(&answer, letter.now, say);
        let outcome = match code {
            // 1 and 2: the service; 4, 80007, 130429, 131048, 131056, 133016: limits; 131000, 131016: unknown, overload.
            1 | 2 | 4 | 80_007 | 130_429 | 131_000 | 131_016 | 131_048 | 131_056 | 133_016 => {
                match sent.outcome {
                    Outcome::Retry(after) => Outcome::Retry(after),
                    _ => Outcome::Retry(None),
                }
            }
            // A missing permission comes with a 500 (code 3), and repeats itself.
            3 => Outcome::Refused,
            _ => sent.outcome,
        };
        Sent { outcome, ..sent }
    }
}
