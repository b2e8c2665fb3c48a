//! Telegram, by a bot (core.telegram.org/bots/api#sendmessage).

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Channel, Dispatch, Outcome, Sending, Sent, judged, said};
use crate::Message;
use crate::config::Telegram;
use crate::outbound::{Outbound, Post};
use crate::sheet::{Section, Sheet, shorten};

/// Characters of one message, counted in UTF-16 units. The limit holds after the marks are taken out; they are counted
/// here as well, which errs on the safe side.
const TEXT: usize = 4096;

/// The parameters of `sendMessage`, without the chat.
pub(crate) fn rendered(message: &Message) -> Value {
    json!({
        "text": text(&Sheet::of(message)),
        "parse_mode": "HTML",
        "link_preview_options": { "is_disabled": true },
        // People sleep through a reminder of what they know, and not through an alert.
        "disable_notification": matches!(message.event, crate::Event::Digest | crate::Event::Acknowledged),
    })
}

fn text(sheet: &Sheet) -> String {
    let mut foot = String::new();
    if let Some((words, url)) = &sheet.link {
        foot.push_str(&format!("\n<a href=\"{}\">{}</a>", escaped(url), escaped(words)));
    }
    foot.push_str(&format!("\n<i>{}</i>", escaped(&sheet.foot)));
    let mut out = format!("<b>{}</b>\n", escaped(&shorten(&sheet.title, 400)));
    // Whole lines only, so that no mark is left open; the end always has its place.
    let room = TEXT.saturating_sub(units(&foot) + 2);
    'all: for section in &sheet.sections {
        for line in lines(section) {
            if units(&out) + units(&line) > room {
                out.push_str("…\n");
                break 'all;
            }
            out.push_str(&line);
        }
    }
    out.push_str(&foot);
    out
}

fn lines(section: &Section) -> Vec<String> {
    let mut lines = vec![section.head.map_or_else(|| "\n".to_owned(), |head| format!("\n<b>{head}</b>\n"))];
    lines.extend(section.lead.iter().map(|lead| format!("{}\n", escaped(lead))));
    lines.extend(section.lines.iter().enumerate().map(|(i, line)| {
        let mark = if section.numbered { format!("{}.", i + 1) } else { "•".to_owned() };
        format!("{mark} {}\n", escaped(line))
    }));
    lines
}

fn units(text: &str) -> usize {
    text.encode_utf16().count()
}

/// What HTML style asks for (core.telegram.org/bots/api#html-style), and the quote, for attributes.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}

impl Channel for Telegram {
    fn send<'a>(&'a self, out: &'a Outbound, letter: &'a Dispatch<'a>) -> Sending<'a> {
        Box::pin(async move {
            let base = self.api_base.as_deref().unwrap_or("https://api.telegram.org").trim_end_matches('/');
            let mut payload = rendered(letter.message);
            payload["chat_id"] = match self.chat_id.parse::<i64>() {
                Ok(number) => number.into(),
                Err(_) => self.chat_id.as_str().into(),
            };
            if let Some(thread) = self.thread_id {
                payload["message_thread_id"] = thread.into();
            }
            let url = format!("{base}/bot{}/sendMessage", self.bot_token.reveal());
            let body = payload.to_string().into_bytes();
            let post = Post { url: &url, content_type: "application/json", headers: BTreeMap::new(), body };
            let answer = match out.post(post).await {
                Ok(answer) => answer,
                Err(say) => return Sent::unheard(say),
            };
            let reply = answer.json().unwrap_or_default();
            let description = reply["description"].as_str().unwrap_or_default();
            // "a group was migrated": the chat has another number from now on (ResponseParameters).
            let hint = match reply["parameters"]["migrate_to_chat_id"].as_i64() {
                Some(id) => format!("; the group became a supergroup: set chat_id to {id}"),
                None => match answer.status {
                    401 | 404 => "; the token is not that of a living bot".to_owned(),
                    403 => "; the bot was blocked, removed, or never let into the chat".to_owned(),
                    _ => String::new(),
                },
            };
            let detail = if description.is_empty() { answer.excerpt() } else { description.to_owned() };
            let sent = if reply["ok"] == true {
                judged(&answer, letter.now, said(&answer, ""))
            } else {
                judged(&answer, letter.now, said(&answer, &format!("{detail}{hint}")))
            };
            match sent.outcome {
                // The body names the seconds to wait (ResponseParameters.retry_after).
                Outcome::Retry(after) => {
                    let asked = reply["parameters"]["retry_after"].as_u64().map(Duration::from_secs);
                    Sent { outcome: Outcome::Retry(asked.or(after)), ..sent }
                }
                Outcome::Delivered if reply["ok"] != true => Sent {
                    outcome: Outcome::Retry(None),
                    say: format!("HTTP {} without Telegram's `ok`", answer.status),
                    ..sent
                },
                _ => sent,
            }
        })
    }

    /// One message per second and chat (core.telegram.org/bots/faq, "My bot is hitting limits").
    fn pace(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn parallel(&self) -> usize {
        1
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::tests_support::full;

    #[test]
    fn the_limit_holds_and_no_mark_is_left_open() {
        let mut message = full();
        message.notes = (0..12).map(|n| format!("<{n}>&{}", "😀<".repeat(240))).collect();
        message.changes.clone_from(&message.notes);
        let text = text(&Sheet::of(&message));
        assert!(units(&text) <= TEXT, "{}", units(&text));
        assert!(text.contains('…') && text.ends_with("</i>") && text.contains("Open the incident"));
        for mark in ["b", "i", "a"] {
            let opened =
                text.matches(&format!("<{mark}>")).count() + text.matches(&format!("<{mark} ")).count();
            assert_eq!(opened, text.matches(&format!("</{mark}>")).count(), "{mark}");
        }
    }
}
