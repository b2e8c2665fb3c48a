//! Doubles of the providers. Each checks what the provider documents and answers as the provider does.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};

use jiff::Timestamp;
use serde_json::{Value, json};

use super::{Protocol, Recorded, Reply};
use crate::signature;

type Judged = Result<Reply, (Reply, String)>;

/// A receiver of signed webhooks, as docs/webhooks.md tells people to write one. `now` is its clock.
pub fn webhook(secret: Option<&str>, now: impl Fn() -> Timestamp + Send + Sync + 'static) -> Protocol {
    let secret = secret.map(str::to_owned);
    Arc::new(move |request| {
        let wrong = |say: String| Err((Reply::new(400, say.clone()), say));
        if request.method != "POST" {
            return wrong(format!("{} and not POST", request.method));
        }
        for header in ["content-type", "idempotency-key", "landfall-attempt", "landfall-event", "user-agent"]
        {
            if request.header(header).is_none_or(str::is_empty) {
                return wrong(format!("no header {header}"));
            }
        }
        match (&secret, request.header("landfall-signature")) {
            (None, None) => {}
            (None, Some(_)) => return wrong("signed without a key".into()),
            (Some(_), None) => return wrong("not signed".into()),
            (Some(secret), Some(given)) => {
                if let Err(error) = signature::verify(given, request.body.as_bytes(), secret, now()) {
                    return wrong(error.to_string());
                }
            }
        }
        if request.header("content-type") == Some("application/json") {
            let body = request.json();
            if body["schema"] == "landfall.alert/1" {
                let key = request.header("idempotency-key").unwrap_or_default();
                if body["key"] != key || body["event"] != request.header("landfall-event").unwrap_or_default()
                {
                    return wrong("body and headers disagree".into());
                }
            } else if !body.is_object() && !body.is_array() {
                return wrong("not JSON".into());
            }
        }
        Ok(Reply::new(200, "thanks"))
    })
}

/// Slack's incoming webhooks under `/services/T0/B0/key`.
pub fn slack() -> Protocol {
    Arc::new(|request| {
        let refuse = |status: u16, word: &str, say: &str| {
            Err((Reply::new(status, word), format!("{word}: {say} in {}", request.body)))
        };
        if request.path != "/services/T0/B0/key" {
            return refuse(404, "no_service", "unknown path");
        }
        if request.method != "POST" || !is_json(request) {
            return refuse(400, "invalid_payload", "no POST of JSON");
        }
        let payload = request.json();
        // "text" is the fallback for notifications and screen readers; blocks without it are accepted with a warning.
        let Some(text) = payload["text"].as_str().filter(|t| !t.is_empty()) else {
            return refuse(400, "no_text", "no text");
        };
        if !sound(text) {
            return refuse(400, "invalid_payload", "control characters are not escaped");
        }
        let Some(blocks) = payload["blocks"].as_array() else {
            return refuse(400, "invalid_blocks", "no blocks");
        };
        if blocks.is_empty() || blocks.len() > 50 {
            return refuse(400, "invalid_blocks", "1 to 50 blocks");
        }
        for block in blocks {
            let fine = match block["type"].as_str() {
                Some("header") => text_of(&block["text"], "plain_text", 150),
                Some("section") => text_of(&block["text"], "mrkdwn", 3000),
                Some("context") => block["elements"].as_array().is_some_and(|e| {
                    !e.is_empty() && e.len() <= 10 && e.iter().all(|e| text_of(e, "mrkdwn", 3000))
                }),
                _ => false,
            };
            if !fine {
                return refuse(400, "invalid_blocks", &block.to_string());
            }
        }
        Ok(Reply::new(200, "ok"))
    })
}

fn text_of(object: &Value, kind: &str, limit: usize) -> bool {
    object["type"] == kind
        && object["text"].as_str().is_some_and(|t| {
            !t.is_empty() && t.chars().count() <= limit && (kind == "plain_text" || sound(t))
        })
}

/// Every `<` opens a link `<https://…|words>` and every `&` is an escape.
fn sound(text: &str) -> bool {
    let links = text
        .split('<')
        .skip(1)
        .all(|rest| (rest.starts_with("https://") || rest.starts_with("http://")) && rest.contains('>'));
    let escapes = text
        .split('&')
        .skip(1)
        .all(|r| r.starts_with("amp;") || r.starts_with("lt;") || r.starts_with("gt;"));
    links && escapes
}

/// Telegram's Bot API for one bot in one chat.
pub fn telegram(token: &str, chat_id: i64) -> Protocol {
    let path = format!("/bot{token}/sendMessage");
    Arc::new(move |request| {
        let refuse = |status: u16, description: &str| {
            let body = json!({ "ok": false, "error_code": status, "description": description });
            Err((Reply::new(status, body.to_string()), format!("{description}: {}", request.body)))
        };
        if request.path != path {
            return refuse(404, "Not Found");
        }
        if !is_json(request) {
            return refuse(400, "Bad Request: message text is empty");
        }
        let payload = request.json();
        if payload["chat_id"] != chat_id {
            return refuse(400, "Bad Request: chat not found");
        }
        let text = payload["text"].as_str().unwrap_or_default();
        if text.trim().is_empty() {
            return refuse(400, "Bad Request: message text is empty");
        }
        if text.encode_utf16().count() > 4096 {
            return refuse(400, "Bad Request: message is too long");
        }
        if payload["parse_mode"] != "HTML" || !payload["link_preview_options"]["is_disabled"].is_boolean() {
            return refuse(400, "Bad Request: unsupported parse_mode");
        }
        if let Err(problem) = telegram_html(text) {
            return refuse(400, &format!("Bad Request: can't parse entities: {problem}"));
        }
        let result =
            json!({ "ok": true, "result": { "message_id": 7, "date": 0, "chat": { "id": chat_id } } });
        Ok(Reply::new(200, result.to_string()))
    })
}

/// Tags that are known and closed in order, and no bare `<`, `>` or `&` (core.telegram.org/bots/api#html-style).
fn telegram_html(text: &str) -> Result<(), String> {
    let mut open: Vec<&str> = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['<', '>', '&']) {
        rest = &rest[at..];
        if rest.starts_with('>') {
            return Err("a bare >".into());
        }
        if rest.starts_with('&') {
            let known = ["&amp;", "&lt;", "&gt;", "&quot;"];
            let entity = known.iter().find(|e| rest.starts_with(**e)).ok_or("an unknown entity")?;
            rest = &rest[entity.len()..];
            continue;
        }
        let end = rest.find('>').ok_or("an unclosed tag")?;
        let tag = &rest[1..end];
        rest = &rest[end + 1..];
        if let Some(name) = tag.strip_prefix('/') {
            if open.pop() != Some(name) {
                return Err(format!("</{name}> closes nothing"));
            }
        } else {
            let name = tag.split(' ').next().unwrap_or_default();
            if !["b", "i", "a", "code", "pre", "u", "s"].contains(&name) {
                return Err(format!("<{name}> is not supported"));
            }
            if name == "a" && !(tag.starts_with("a href=\"http") && tag.ends_with('"')) {
                return Err("a link without a URL".into());
            }
            open.push(name);
        }
    }
    if open.is_empty() { Ok(()) } else { Err(format!("{open:?} are left open")) }
}

/// WhatsApp's Cloud API for one number and one token.
pub fn whatsapp(phone_number_id: &str, token: &str) -> Protocol {
    let (path, bearer) = (format!("/{phone_number_id}/messages"), format!("Bearer {token}"));
    Arc::new(move |request| {
        if request.header("authorization") != Some(bearer.as_str()) {
            return graph(401, 190, "Invalid OAuth access token", &request.body);
        }
        if request.path != path {
            return graph(400, 33, "no such phone number", &request.path);
        }
        let payload = request.json();
        let to = payload["to"].as_str().unwrap_or_default();
        if payload["messaging_product"] != "whatsapp" || payload["recipient_type"] != "individual" {
            return graph(400, 100, "messaging_product is required", &request.body);
        }
        if to.is_empty() || !to.bytes().all(|b| b.is_ascii_digit()) {
            return graph(400, 131_009, "to is no number", &request.body);
        }
        match payload["type"].as_str() {
            Some("text") => {
                let body = payload["text"]["body"].as_str().unwrap_or_default();
                if body.is_empty() || body.chars().count() > 4096 {
                    return graph(400, 100, "text.body must be 1 to 4096 characters", &request.body);
                }
            }
            Some("template") => {
                let template = &payload["template"];
                if template["name"].as_str().is_none() || template["language"]["code"].as_str().is_none() {
                    return graph(400, 131_008, "template name and language are required", &request.body);
                }
                let parameters = template["components"][0]["parameters"].as_array();
                if template["components"][0]["type"] != "body" || parameters.is_none_or(|p| p.len() != 3) {
                    return graph(400, 132_000, "the template has three parameters", &request.body);
                }
                for one in parameters.into_iter().flatten() {
                    let text = one["text"].as_str().unwrap_or_default();
                    if one["type"] != "text"
                        || text.is_empty()
                        || text.contains(['\n', '\t'])
                        || text.contains("     ")
                    {
                        return graph(
                            400,
                            132_018,
                            "a parameter has new lines, tabs or too many spaces",
                            text,
                        );
                    }
                }
            }
            _ => return graph(400, 100, "type is required", &request.body),
        }
        let reply = json!({
            "messaging_product": "whatsapp",
            "contacts": [{ "input": to, "wa_id": to }],
            "messages": [{ "id": format!("wamid.{to}") }],
        });
        Ok(Reply::new(200, reply.to_string()))
    })
}

fn graph(status: u16, code: i64, details: &str, about: &str) -> Judged {
    let body = json!({ "error": {
        "message": format!("(#{code}) {details}"), "type": "OAuthException", "code": code,
        "error_data": { "messaging_product": "whatsapp", "details": details }, "fbtrace_id": "A1",
    } });
    Err((Reply::new(status, body.to_string()), format!("({code}) {details}: {about}")))
}

/// PagerDuty's Events API v2 for one integration. It keeps which alerts are open: a resolve of none is a fault here.
pub fn pagerduty(routing_key: &str) -> Protocol {
    let key = routing_key.to_owned();
    let open: Mutex<BTreeSet<String>> = Mutex::default();
    Arc::new(move |request| {
        let refuse = |say: &str| {
            let body =
                json!({ "status": "invalid event", "message": "Event object is invalid", "errors": [say] });
            Err((Reply::new(400, body.to_string()), format!("{say}: {}", request.body)))
        };
        if request.path != "/v2/enqueue" || request.method != "POST" || !is_json(request) {
            return refuse("not a POST of JSON to /v2/enqueue");
        }
        if request.body.len() > 512 * 1024 {
            return refuse("larger than 512 KB");
        }
        let event = request.json();
        if event["routing_key"] != key.as_str() || key.len() != 32 {
            return refuse("invalid routing key");
        }
        let dedup = event["dedup_key"].as_str().unwrap_or_default().to_owned();
        if dedup.is_empty() || dedup.chars().count() > 255 {
            return refuse("dedup_key must be 1 to 255 characters");
        }
        let mut open = open.lock().unwrap_or_else(PoisonError::into_inner);
        match event["event_action"].as_str() {
            Some("trigger") => {
                let payload = &event["payload"];
                let text = |name: &str| payload[name].as_str().unwrap_or_default();
                if text("summary").is_empty() || text("summary").chars().count() > 1024 {
                    return refuse("payload.summary must be 1 to 1024 characters");
                }
                if text("source").is_empty() {
                    return refuse("payload.source is required");
                }
                if !["critical", "error", "warning", "info"].contains(&text("severity")) {
                    return refuse("payload.severity is none of the four");
                }
                if text("timestamp").parse::<Timestamp>().is_err() || !payload["custom_details"].is_object() {
                    return refuse("payload.timestamp or custom_details is wrong");
                }
                open.insert(dedup.clone());
            }
            Some("acknowledge") if open.contains(&dedup) => {}
            Some("resolve") if open.remove(&dedup) => {}
            _ => return refuse("an action without an open alert"),
        }
        let body = json!({ "status": "success", "message": "Event processed", "dedup_key": dedup });
        Ok(Reply::new(202, body.to_string()))
    })
}

fn is_json(request: &Recorded) -> bool {
    request.header("content-type").is_some_and(|t| t.starts_with("application/json"))
        && !request.json().is_null()
}
