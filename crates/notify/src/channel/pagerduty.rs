//! PagerDuty, by the Events API v2 (developer.pagerduty.com/docs/events-api-v2-overview).

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{Channel, Dispatch, Outcome, Sending, Sent, judged, said};
use crate::config::Pagerduty;
use crate::outbound::{Outbound, Post};
use crate::sheet::{Sheet, clean, moment, shorten};
use crate::{Event, Message};

/// Limits of the API: the summary and the key, in characters.
const SUMMARY: usize = 1024;
const KEY: usize = 255;

/// The event without its routing key; `None` for what should wake nobody up.
pub(crate) fn rendered(message: &Message, subject: &str) -> Option<Value> {
    let action = match message.event {
        Event::Down | Event::Cause | Event::Joined | Event::Reminder | Event::Degraded | Event::Warning => {
            "trigger"
        }
        Event::Test => "trigger",
        Event::Acknowledged => "acknowledge",
        Event::Up => "resolve",
        Event::Digest | Event::Notice => return None,
    };
    // Everything about one incident meets in one alert; a storm has none, but its down and its up share their subject.
    let about = match &message.incident {
        Some(incident) => format!("landfall/incident/{}", incident.id),
        None => format!("landfall/{subject}"),
    };
    let mut event = json!({ "event_action": action, "dedup_key": shorten(&about, KEY) });
    if action != "trigger" {
        return Some(event);
    }
    let sheet = Sheet::of(message);
    let severity = match message.incident.as_ref().map(|i| i.severity.as_str()) {
        _ if message.event == Event::Test => "info",
        Some("critical") => "critical",
        Some("high") => "error",
        Some("medium") => "warning",
        Some("low") => "info",
        _ => match message.event {
            Event::Warning | Event::Degraded => "warning",
            _ => "error",
        },
    };
    let source = match message.monitors.as_slice() {
        [] => "Landfall".to_owned(),
        [first, ..] => clean(&first.target, 255),
    };
    let mut payload = json!({
        "summary": shorten(&sheet.title, SUMMARY),
        "source": if source.is_empty() { "Landfall" } else { &source },
        "severity": severity,
        "timestamp": message.incident.as_ref().map_or(message.at, |i| i.began).to_string(),
        "class": message.cause.as_ref().map_or("unknown", |c| c.id.as_str()),
        "group": sheet.foot.trim_start_matches("Landfall · "),
        "custom_details": details(message, &sheet),
    });
    if let Some([one]) = message.monitors.get(..1) {
        payload["component"] = clean(&one.name, 255).into();
    }
    event["payload"] = payload;
    event["client"] = "Landfall".into();
    if let Some((words, url)) = &sheet.link {
        event["client_url"] = url.as_str().into();
        event["links"] = json!([{ "href": url, "text": words }]);
    }
    Some(event)
}

fn details(message: &Message, sheet: &Sheet) -> Map<String, Value> {
    let mut details = Map::new();
    let mut set = |key: &str, value: Value| {
        if value.as_array().is_none_or(|a| !a.is_empty()) {
            details.insert(key.to_owned(), value);
        }
    };
    let section = |head: &str| {
        let found = sheet.sections.iter().find(|s| s.head == Some(head));
        found.map(|s| s.lines.clone()).unwrap_or_default()
    };
    if let Some(incident) = &message.incident {
        set("since", moment(incident.began).into());
    }
    match &message.cause {
        Some(cause) => {
            set("cause", clean(&cause.title, 500).into());
            set("cause_id", clean(&cause.id, 80).into());
            set("certainty", format!("{} ({:.2})", clean(&cause.label, 40), cause.confidence).into());
            set("proof", section("Why").into());
        }
        None => set("cause", "not known yet".into()),
    }
    set("not_ruled_out", section("Not ruled out").into());
    set("what_changed", section("What changed").into());
    set("what_to_do_first", section("What to do first").into());
    set("monitors", [section("Monitor"), section("Monitors")].concat().into());
    set("monitor_count", message.monitor_count.into());
    set("notes", message.notes.iter().take(12).map(|n| clean(n, 500)).collect::<Vec<_>>().into());
    details
}

impl Channel for Pagerduty {
    fn send<'a>(&'a self, out: &'a Outbound, letter: &'a Dispatch<'a>) -> Sending<'a> {
        Box::pin(async move {
            let Some(mut event) = rendered(letter.message, letter.subject) else {
                let say = "a pager is not called for summaries and notices";
                return Sent::new(Outcome::Skipped, None, say);
            };
            event["routing_key"] = self.routing_key.reveal().into();
            let sent = self.enqueue(out, letter, &event).await;
            if letter.message.event == Event::Test && sent.outcome == Outcome::Delivered {
                // A test opens an alert to show that it can, and closes it at once.
                let close = json!({
                    "routing_key": self.routing_key.reveal(),
                    "event_action": "resolve",
                    "dedup_key": event["dedup_key"],
                });
                return self.enqueue(out, letter, &close).await;
            }
            sent
        })
    }

    /// Each incident has its alert, which its end resolves; PagerDuty groups them itself.
    fn gathers(&self) -> bool {
        false
    }
}

impl Pagerduty {
    async fn enqueue(&self, out: &Outbound, letter: &Dispatch<'_>, event: &Value) -> Sent {
        let base = self.api_base.as_deref().unwrap_or("https://events.pagerduty.com").trim_end_matches('/');
        let post = Post {
            url: &format!("{base}/v2/enqueue"),
            content_type: "application/json",
            headers: BTreeMap::new(),
            body: event.to_string().into_bytes(),
        };
        let answer = match out.post(post).await {
            Ok(answer) => answer,
            Err(say) => return Sent::unheard(say),
        };
        let reply = answer.json().unwrap_or_default();
        let mut detail = reply["message"].as_str().unwrap_or_default().to_owned();
        for error in reply["errors"].as_array().into_iter().flatten().filter_map(Value::as_str) {
            detail.push_str(&format!("; {error}"));
        }
        if detail.is_empty() {
            detail = answer.excerpt();
        }
        let detail = if answer.status == 202 { "" } else { &detail };
        let sent = judged(&answer, letter.now, said(&answer, detail));
        // Accepted is 202 and nothing else ("Response Codes & Retry Logic").
        if sent.outcome == Outcome::Delivered && answer.status != 202 {
            let say = format!("HTTP {} where PagerDuty accepts with 202", answer.status);
            return Sent { outcome: Outcome::Retry(None), say, ..sent };
        }
        sent
    }
}
