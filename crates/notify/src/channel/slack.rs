//! Slack, by an incoming webhook (docs.slack.dev, "Sending messages using incoming webhooks").

use std::collections::BTreeMap;
use std::time::Duration;

use serde_json::{Value, json};

use super::{Channel, Dispatch, Outcome, Sending, Sent, judged, said};
use crate::Message;
use crate::config::Slack;
use crate::outbound::{Outbound, Post};
use crate::sheet::{Sheet, shorten};

/// Limits of Block Kit (docs.slack.dev/reference/block-kit/blocks): a header's text, a section's text.
const HEADER: usize = 150;
const SECTION: usize = 3000;

/// The payload of one message.
pub(crate) fn rendered(message: &Message) -> Value {
    let sheet = Sheet::of(message);
    let mut blocks = vec![json!({
        "type": "header",
        "text": { "type": "plain_text", "text": shorten(&sheet.title, HEADER), "emoji": false },
    })];
    if sheet.title.chars().count() > HEADER {
        blocks.push(section(&escaped(&sheet.title)));
    }
    for part in &sheet.sections {
        let mut text = String::new();
        if let Some(head) = part.head {
            text.push_str(&format!("*{head}*\n"));
        }
        if let Some(lead) = &part.lead {
            text.push_str(&format!("{}\n", escaped(lead)));
        }
        for (i, line) in part.lines.iter().enumerate() {
            let mark = if part.numbered { format!("{}.", i + 1) } else { "•".to_owned() };
            let line = format!("{mark} {}\n", escaped(line));
            // Whole lines only: cutting inside of `&amp;` would show the reader the escape.
            if text.chars().count() + line.chars().count() > SECTION - 2 {
                text.push('…');
                break;
            }
            text.push_str(&line);
        }
        blocks.push(section(text.trim_end()));
    }
    let mut foot = escaped(&sheet.foot);
    if let Some((words, url)) = &sheet.link {
        // A bar would end the URL, and an angle bracket the link.
        let url = escaped(url).replace('|', "%7C");
        foot = format!("<{url}|{words}> · {foot}");
    }
    blocks.push(json!({ "type": "context", "elements": [{ "type": "mrkdwn", "text": foot }] }));
    json!({ "text": escaped(&sheet.title), "blocks": blocks })
}

fn section(text: &str) -> Value {
    json!({ "type": "section", "text": { "type": "mrkdwn", "text": text } })
}

/// The three characters that Slack gives a meaning (docs.slack.dev/messaging/formatting-message-text, "Escaping text").
/// Marks such as `*` stay: they cannot make a link or a mention.
fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

impl Channel for Slack {
    fn send<'a>(&'a self, out: &'a Outbound, letter: &'a Dispatch<'a>) -> Sending<'a> {
        Box::pin(async move {
            let post = Post {
                url: self.url.reveal(),
                content_type: "application/json",
                headers: BTreeMap::new(),
                body: rendered(letter.message).to_string().into_bytes(),
            };
            let answer = match out.post(post).await {
                Ok(answer) => answer,
                Err(say) => return Sent::unheard(say),
            };
            // Refusals come as 400, 403, 404 and 410 with a word in the body (api.slack.com/changelog/
            // 2016-05-17-changes-to-errors-for-incoming-webhooks); a success is 200 with `ok`.
            let word = answer.excerpt();
            let meaning = match word.as_str() {
                "ok" => "",
                "no_service" | "no_team" | "invalid_token" => {
                    ": the webhook was removed or switched off; make a new one"
                }
                "channel_not_found" => ": the channel is gone; make a webhook for another",
                "channel_is_archived" => ": the channel is archived",
                "action_prohibited" => ": the workspace does not let this webhook post there",
                _ => "",
            };
            let say = said(&answer, &format!("{word}{meaning}"));
            let sent = judged(&answer, letter.now, say);
            // Anything else with a 200 is a page of something in between and not Slack.
            if sent.outcome == Outcome::Delivered && word != "ok" {
                return Sent {
                    outcome: Outcome::Retry(None),
                    say: format!("HTTP {} without Slack's `ok`", answer.status),
                    ..sent
                };
            }
            sent
        })
    }

    /// One message per second and channel (docs.slack.dev/apis/web-api/rate-limits, "Incoming webhooks").
    fn pace(&self) -> Duration {
        Duration::from_secs(1)
    }

    fn parallel(&self) -> usize {
        1
    }
}
