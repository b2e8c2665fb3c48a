//! What a channel needs to know, how it is checked, and how it is shown.

use std::collections::BTreeMap;
use std::net::IpAddr;

use landfall_store::channels::unmask;
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use url::{Host, Url};

use crate::secret::Secret;
use crate::template::Template;

/// The settings of one channel. In JSON the variant is the key `kind`.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(tag = "kind", rename_all = "lowercase")]
pub enum ChannelConfig {
    /// An HTTP POST to a URL, signed.
    Webhook(Webhook),
    /// A mail.
    Email(Email),
    /// Slack, by an incoming webhook.
    Slack(Slack),
    /// Telegram, by a bot.
    Telegram(Telegram),
    /// WhatsApp, by the Cloud API.
    Whatsapp(Whatsapp),
    /// PagerDuty, by the Events API v2.
    Pagerduty(Pagerduty),
}

/// The kinds there are.
pub const KINDS: [&str; 6] = ["webhook", "email", "slack", "telegram", "whatsapp", "pagerduty"];

/// An HTTP POST to a URL (docs/webhooks.md).
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Webhook {
    /// Where to; `http` or `https`.
    pub url: String,
    /// The key that signs; 16 characters at least. Without one nothing is signed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secret: Option<Secret>,
    /// The key before this one. While it is set, both sign, so that the receiver may change over in its own time.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub previous_secret: Option<Secret>,
    /// Further headers, at most twenty. Their values are kept like secrets.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub headers: BTreeMap<String, Secret>,
    /// The body, with `{{ placeholders }}`; without one it is `landfall.alert/1`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
}

/// A mail.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Email {
    /// Who gets it, at most twenty.
    pub to: Vec<String>,
    /// The channel's own mail server; without one it is the operator's.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub smtp: Option<SmtpSettings>,
}

/// A mail server for sending: the operator's, or a channel's own.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SmtpSettings {
    /// Its name or address.
    pub host: String,
    /// Its port. Without one: 465 for `tls`, 587 for `starttls`, 25 for `none` (RFC 8314, RFC 6409, RFC 5321).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub port: Option<u16>,
    /// How the connection is kept private.
    #[serde(default)]
    pub security: SmtpSecurity,
    /// Who signs in.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub username: Option<String>,
    /// With which password.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub password: Option<Secret>,
    /// The sender: `Landfall <alerts@example.com>`.
    pub from: String,
}

/// How a connection to a mail server is kept private.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum SmtpSecurity {
    /// TLS from the first byte.
    Tls,
    /// `STARTTLS`, and nothing is sent without it.
    #[default]
    Starttls,
    /// In the clear: for a relay on the same machine.
    None,
}

impl SmtpSettings {
    /// The port that is used.
    pub fn port(&self) -> u16 {
        self.port.unwrap_or(match self.security {
            SmtpSecurity::Tls => 465,
            SmtpSecurity::Starttls => 587,
            SmtpSecurity::None => 25,
        })
    }

    /// What is wrong with it, each place as a JSON pointer below `place`.
    pub fn problems(&self, place: &str) -> Vec<FieldProblem> {
        let mut problems = Vec::new();
        let mut wrong =
            |field: &str, mend: &str| problems.push(FieldProblem::new(format!("{place}/{field}"), mend));
        if Host::parse(&self.host).is_err() {
            wrong("host", "give the name or the address of the mail server, without a scheme or a port");
        }
        if self.port == Some(0) {
            wrong("port", "give a port from 1 to 65535");
        }
        if self.from.parse::<lettre::message::Mailbox>().is_err() {
            wrong("from", "give a sender such as `Landfall <alerts@example.com>`");
        }
        if self.username.is_some() != self.password.is_some() {
            wrong("password", "give user name and password together, or neither");
        }
        if self.password.as_ref().is_some_and(Secret::is_mask) {
            wrong("password", ENTER_AGAIN);
        }
        if self.security == SmtpSecurity::None
            && self.password.is_some()
            && !self.host.parse::<IpAddr>().is_ok_and(|a| a.is_loopback())
        {
            wrong("security", "a password is not sent in the clear: use `tls` or `starttls`");
        }
        problems
    }
}

/// Slack, by an incoming webhook.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Slack {
    /// The webhook's URL. Whoever has it can post, so it is a secret.
    pub url: Secret,
}

/// Telegram, by a bot.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Telegram {
    /// The bot's token, as BotFather gave it.
    pub bot_token: Secret,
    /// The chat: a number, or `@channel`.
    pub chat_id: String,
    /// A topic of a forum.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub thread_id: Option<i64>,
    /// A Bot API server of one's own instead of `https://api.telegram.org`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_base: Option<String>,
}

/// WhatsApp, by the Cloud API.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Whatsapp {
    /// The id of the sending number: digits.
    pub phone_number_id: String,
    /// The access token.
    pub access_token: Secret,
    /// Who gets it: numbers with country code, at most twenty.
    pub recipients: Vec<String>,
    /// An approved template with three body parameters: what, why, where to read on. Without one it is plain text, which
    /// WhatsApp delivers only within 24 hours after the recipient wrote last.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub template: Option<String>,
    /// The template's language: `en_US` by default.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub language: Option<String>,
    /// Another base URL, version included, than `https://graph.facebook.com/v23.0`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_base: Option<String>,
}

/// PagerDuty, by the Events API v2.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Pagerduty {
    /// The integration key: 32 characters.
    pub routing_key: Secret,
    /// Another base URL than `https://events.pagerduty.com` (accounts in Europe: `https://events.eu.pagerduty.com`).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub api_base: Option<String>,
}

/// One field that is wrong.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FieldProblem {
    /// Its JSON pointer (RFC 6901) below the settings: `/headers/X-Team`.
    pub pointer: String,
    /// What is wrong, and what would be right.
    pub mend: String,
}

impl FieldProblem {
    fn new(pointer: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { pointer: pointer.into(), mend: mend.into() }
    }
}

const ENTER_AGAIN: &str =
    "enter the secret itself: nothing is stored that the mask could stand for, or the destination changed";
/// Recipients of one channel.
const RECIPIENTS: usize = 20;

impl ChannelConfig {
    /// Reads and checks what somebody declared. `stored` is what the store has under the same name: a secret that comes
    /// back as its mask is taken from there, unless the destination changed, so that nobody can send a secret that they
    /// cannot see to a place of their choice.
    ///
    /// # Errors
    /// Every field that is wrong, with what would be right.
    pub fn read(kind: &str, given: &Value, stored: Option<&Value>) -> Result<Self, Vec<FieldProblem>> {
        let Value::Object(given) = given else {
            return Err(vec![FieldProblem::new("", "give an object with the channel's settings")]);
        };
        let mut given = given.clone();
        if let Some(inner) = given.shift_remove("kind")
            && inner != kind
        {
            return Err(vec![FieldProblem::new(
                "/kind",
                format!("it says {inner}, but the channel is {kind:?}"),
            )]);
        }
        let mut given = Value::Object(given);
        if let Some(stored) = stored.filter(|s| same_destination(kind, &given, s)) {
            unmask(&mut given, stored);
        }
        let config = Self::shape(kind, given)?;
        let problems = config.problems();
        if problems.is_empty() { Ok(config) } else { Err(problems) }
    }

    /// Reads what the store holds. It was checked when it was written.
    pub(crate) fn stored_as(kind: &str, stored: &Value) -> Result<Self, Vec<FieldProblem>> {
        let mut stored = stored.clone();
        if let Value::Object(map) = &mut stored {
            map.shift_remove("kind");
        }
        Self::shape(kind, stored)
    }

    fn shape(kind: &str, given: Value) -> Result<Self, Vec<FieldProblem>> {
        Ok(match kind {
            "webhook" => Self::Webhook(shaped(given)?),
            "email" => Self::Email(shaped(given)?),
            "slack" => Self::Slack(shaped(given)?),
            "telegram" => Self::Telegram(shaped(given)?),
            "whatsapp" => Self::Whatsapp(shaped(given)?),
            "pagerduty" => Self::Pagerduty(shaped(given)?),
            _ => {
                let mend = format!("{kind:?} is no kind of channel; there are {}", KINDS.join(", "));
                return Err(vec![FieldProblem::new("/kind", mend)]);
            }
        })
    }

    /// Its kind in one word.
    pub fn kind(&self) -> &'static str {
        match self {
            Self::Webhook(_) => "webhook",
            Self::Email(_) => "email",
            Self::Slack(_) => "slack",
            Self::Telegram(_) => "telegram",
            Self::Whatsapp(_) => "whatsapp",
            Self::Pagerduty(_) => "pagerduty",
        }
    }

    /// Its settings for people and programs that ask: secrets are masked.
    pub fn shown(&self) -> Value {
        serde_json::to_value(self).expect("settings are strings and numbers, which can be written")
    }

    /// Its settings for the store, secrets included.
    pub fn stored(&self) -> Value {
        let mut value = self.shown();
        for (pointer, secret) in self.secrets() {
            if let Some(place) = value.pointer_mut(&pointer) {
                *place = Value::String(secret.reveal().to_owned());
            }
        }
        value
    }

    /// Its secrets and where they stand.
    pub(crate) fn secrets(&self) -> Vec<(String, &Secret)> {
        let mut found = Vec::new();
        match self {
            Self::Webhook(c) => {
                found.extend(c.secret.iter().map(|s| ("/secret".to_owned(), s)));
                found.extend(c.previous_secret.iter().map(|s| ("/previous_secret".to_owned(), s)));
                found.extend(c.headers.iter().map(|(name, s)| (format!("/headers/{}", escaped(name)), s)));
            }
            Self::Email(c) => {
                let password = c.smtp.iter().filter_map(|s| s.password.as_ref());
                found.extend(password.map(|s| ("/smtp/password".to_owned(), s)));
            }
            Self::Slack(c) => found.push(("/url".to_owned(), &c.url)),
            Self::Telegram(c) => found.push(("/bot_token".to_owned(), &c.bot_token)),
            Self::Whatsapp(c) => found.push(("/access_token".to_owned(), &c.access_token)),
            Self::Pagerduty(c) => found.push(("/routing_key".to_owned(), &c.routing_key)),
        }
        found
    }

    fn problems(&self) -> Vec<FieldProblem> {
        let mut problems: Vec<FieldProblem> = self
            .secrets()
            .into_iter()
            .filter(|(place, s)| s.is_mask() && place != "/smtp/password")
            .map(|(place, _)| FieldProblem::new(place, ENTER_AGAIN))
            .collect();
        match self {
            Self::Webhook(c) => webhook(c, &mut problems),
            Self::Email(c) => email(c, &mut problems),
            Self::Slack(c) => {
                if !c.url.is_mask() {
                    base(Some(c.url.reveal()), "/url", &mut problems);
                }
            }
            Self::Telegram(c) => telegram(c, &mut problems),
            Self::Whatsapp(c) => whatsapp(c, &mut problems),
            Self::Pagerduty(c) => {
                let key = c.routing_key.reveal();
                let sound = key.len() == 32 && key.bytes().all(|b| b.is_ascii_alphanumeric());
                if !c.routing_key.is_mask() && !sound {
                    problems.push(FieldProblem::new(
                        "/routing_key",
                        "give the integration key of an Events API v2 integration: 32 letters and digits",
                    ));
                }
                base(c.api_base.as_deref(), "/api_base", &mut problems);
            }
        }
        problems
    }
}

fn webhook(c: &Webhook, problems: &mut Vec<FieldProblem>) {
    base(Some(&c.url), "/url", problems);
    for (place, secret) in [("/secret", &c.secret), ("/previous_secret", &c.previous_secret)] {
        if secret.as_ref().is_some_and(|s| !s.is_mask() && !(16..=256).contains(&s.reveal().len())) {
            problems.push(FieldProblem::new(place, "give a signing key of 16 to 256 characters"));
        }
    }
    if c.previous_secret.is_some() && c.secret.is_none() {
        problems.push(FieldProblem::new("/previous_secret", "give the present signing key as `secret` too"));
    }
    if c.headers.len() > 20 {
        problems.push(FieldProblem::new("/headers", "give twenty headers at most"));
    }
    // Set by the transport or by Landfall itself; a second value would make the request ambiguous.
    const OURS: [&str; 9] = [
        "host",
        "content-length",
        "transfer-encoding",
        "connection",
        "content-type",
        "idempotency-key",
        "landfall-signature",
        "landfall-attempt",
        "landfall-event",
    ];
    for (name, value) in &c.headers {
        let place = format!("/headers/{}", escaped(name));
        if reqwest::header::HeaderName::from_bytes(name.as_bytes()).is_err() {
            problems.push(FieldProblem::new(place, "that is no header name (RFC 9110, section 5.1)"));
        } else if OURS.contains(&name.to_ascii_lowercase().as_str()) {
            problems.push(FieldProblem::new(place, "this header is set by Landfall; take it out"));
        } else if value.reveal().len() > 4096
            || reqwest::header::HeaderValue::from_str(value.reveal()).is_err()
        {
            let mend = "that cannot stand in a header: visible characters only, no line breaks, 4096 at most";
            problems.push(FieldProblem::new(place, mend));
        }
    }
    if let Some(body) = &c.body
        && let Err(mend) = Template::parse(body)
    {
        problems.push(FieldProblem::new("/body", mend));
    }
}

fn email(c: &Email, problems: &mut Vec<FieldProblem>) {
    recipients(&c.to, "/to", "an address such as `ops@example.com`", problems, |a| {
        a.len() <= 254 && a.parse::<lettre::Address>().is_ok()
    });
    if let Some(smtp) = &c.smtp {
        problems.extend(smtp.problems("/smtp"));
    }
}

fn telegram(c: &Telegram, problems: &mut Vec<FieldProblem>) {
    let token = c.bot_token.reveal();
    let sound = token.split_once(':').is_some_and(|(id, key)| {
        !id.is_empty()
            && id.bytes().all(|b| b.is_ascii_digit())
            && !key.is_empty()
            && key.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_' || b == b'-')
    });
    if !c.bot_token.is_mask() && !sound {
        let mend = "give the token as BotFather gave it: digits, a colon, letters and digits";
        problems.push(FieldProblem::new("/bot_token", mend));
    }
    let chat = c.chat_id.strip_prefix('@').map_or_else(
        || c.chat_id.parse::<i64>().is_ok(),
        |name| !name.is_empty() && name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'_'),
    );
    if !chat {
        let mend = "give the chat's number (groups have negative ones), or a public channel as `@name`";
        problems.push(FieldProblem::new("/chat_id", mend));
    }
    base(c.api_base.as_deref(), "/api_base", problems);
}

fn whatsapp(c: &Whatsapp, problems: &mut Vec<FieldProblem>) {
    let digits = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    if !digits(&c.phone_number_id) {
        let mend = "give the id of the sending number, digits only (it is not the number itself)";
        problems.push(FieldProblem::new("/phone_number_id", mend));
    }
    let token = c.access_token.reveal();
    if token.is_empty() || token.bytes().any(|b| !b.is_ascii_graphic()) {
        problems.push(FieldProblem::new("/access_token", "give the access token, without spaces"));
    }
    recipients(
        &c.recipients,
        "/recipients",
        "a number with country code such as +441632960123",
        problems,
        |n| {
            let n = n.strip_prefix('+').unwrap_or(n);
            digits(n) && (7..=15).contains(&n.len())
        },
    );
    // Names of templates: lower case letters, digits and underscores.
    if c.template.as_ref().is_some_and(|t| {
        t.is_empty()
            || t.len() > 512
            || !t.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'_')
    }) {
        let mend = "give the template's name: lower case letters, digits and underscores";
        problems.push(FieldProblem::new("/template", mend));
    }
    if c.language.as_ref().is_some_and(|l| {
        !(2..=16).contains(&l.len()) || !l.bytes().all(|b| b.is_ascii_alphabetic() || b == b'_')
    }) {
        problems.push(FieldProblem::new("/language", "give a language such as `en_US` or `de`"));
    }
    base(c.api_base.as_deref(), "/api_base", problems);
}

fn recipients(
    list: &[String],
    place: &str,
    what: &str,
    problems: &mut Vec<FieldProblem>,
    sound: impl Fn(&str) -> bool,
) {
    if list.is_empty() || list.len() > RECIPIENTS {
        problems.push(FieldProblem::new(place, format!("give 1 to {RECIPIENTS} recipients")));
    }
    for (i, one) in list.iter().enumerate().take(RECIPIENTS) {
        if !sound(one) {
            problems.push(FieldProblem::new(format!("{place}/{i}"), format!("give {what}")));
        } else if list[..i].contains(one) {
            problems.push(FieldProblem::new(format!("{place}/{i}"), "it is there twice; take one out"));
        }
    }
}

/// A URL that something is posted to.
fn base(given: Option<&str>, place: &str, problems: &mut Vec<FieldProblem>) {
    let Some(given) = given else { return };
    let mut wrong = |mend: &str| problems.push(FieldProblem::new(place, mend));
    if given.len() > 2048 {
        return wrong("give a URL of 2048 characters at most");
    }
    match Url::parse(given) {
        Err(_) => wrong("give a whole URL, such as https://hooks.example.com/alerts"),
        Ok(url) if !matches!(url.scheme(), "http" | "https") => wrong("give an https:// or http:// URL"),
        Ok(url) if url.host_str().is_none_or(str::is_empty) => wrong("give a URL with a host"),
        Ok(url) if !url.username().is_empty() || url.password().is_some() => {
            wrong("take user name and password out of the URL; a header can carry them");
        }
        Ok(url) if url.fragment().is_some() => {
            wrong("take the part from `#` on out of the URL: it is never sent")
        }
        Ok(_) => {}
    }
}

fn shaped<T: DeserializeOwned>(given: Value) -> Result<T, Vec<FieldProblem>> {
    serde_path_to_error::deserialize(given).map_err(|error| {
        use serde_path_to_error::Segment;
        let mut pointer = String::new();
        for segment in error.path() {
            match segment {
                Segment::Seq { index } => pointer.push_str(&format!("/{index}")),
                Segment::Map { key } => pointer.push_str(&format!("/{}", escaped(key))),
                Segment::Enum { .. } | Segment::Unknown => {}
            }
        }
        vec![FieldProblem::new(pointer, without_values(&error.into_inner().to_string()))]
    })
}

/// serde quotes what it found (`invalid type: string "…"`), which may be a secret in the wrong place.
fn without_values(said: &str) -> String {
    match (said.find(": string \""), said.rfind("\", expected")) {
        (Some(from), Some(to)) if from < to => format!("{}: a string{}", &said[..from], &said[to + 1..]),
        _ => said.to_owned(),
    }
}

/// A key as a part of a JSON pointer (RFC 6901, section 3).
fn escaped(key: &str) -> String {
    key.replace('~', "~0").replace('/', "~1")
}

/// Whether the secrets of `stored` would go to the same place under `given`.
fn same_destination(kind: &str, given: &Value, stored: &Value) -> bool {
    let of = |v: &Value, pointer: &str| v.pointer(pointer).filter(|v| !v.is_null()).cloned();
    let same = |pointers: &[&str]| pointers.iter().all(|p| of(given, p) == of(stored, p));
    if stored.get("kind").is_some_and(|k| k != kind) {
        return false;
    }
    match kind {
        "webhook" => same(&["/url"]),
        "email" => same(&["/smtp/host", "/smtp/port", "/smtp/security"]),
        // The secret is the destination.
        "slack" => true,
        _ => same(&["/api_base"]),
    }
}

#[cfg(test)]
mod tests {
    use landfall_store::channels::MASK;
    use serde_json::json;

    use super::*;

    fn places(kind: &str, given: Value) -> Vec<String> {
        match ChannelConfig::read(kind, &given, None) {
            Ok(_) => Vec::new(),
            Err(problems) => problems.into_iter().map(|p| p.pointer).collect(),
        }
    }

    #[test]
    fn each_kind_is_read_and_shown_without_its_secrets() {
        let given = [
            (
                "webhook",
                json!({ "url": "https://h.example/a?b=c", "secret": "SECRET-0123456789", "headers": { "X-A/b": "SECRET-h" } }),
            ),
            (
                "email",
                json!({ "to": ["ops@example.com"], "smtp": { "host": "mail.example.com", "username": "u", "password": "SECRET-p", "from": "L <l@example.com>" } }),
            ),
            ("slack", json!({ "url": "https://hooks.slack.com/services/T/B/SECRET" })),
            ("telegram", json!({ "bot_token": "12:SECRET", "chat_id": "-100123" })),
            (
                "whatsapp",
                json!({ "phone_number_id": "1055", "access_token": "SECRET-EAA", "recipients": ["+441632960123"], "template": "alert_1" }),
            ),
            ("pagerduty", json!({ "routing_key": "SECRET7890123456789012345678901a" })),
        ];
        for (kind, given) in given {
            let given = match kind {
                // A header name with a slash is none; the pointer of a sound one is tried below.
                "webhook" => {
                    let mut g = given;
                    g["headers"] = json!({ "X~A": "SECRET-h" });
                    g
                }
                _ => given,
            };
            let config = ChannelConfig::read(kind, &given, None).unwrap_or_else(|p| panic!("{kind}: {p:?}"));
            assert_eq!(config.kind(), kind);
            let shown = config.shown().to_string();
            assert!(!shown.contains("SECRET") && shown.contains(MASK), "{shown}");
            assert!(!format!("{config:?}").contains("SECRET"), "{config:?}");
            let mut stored = config.stored();
            assert_eq!(ChannelConfig::stored_as(kind, &stored).expect("reads"), config);
            stored.as_object_mut().expect("an object").shift_remove("kind");
            for (key, value) in given.as_object().expect("an object") {
                if key != "smtp" {
                    assert_eq!(stored.get(key), Some(value), "{kind} {key}");
                }
            }
            // What is shown can be sent back.
            let again = ChannelConfig::read(kind, &config.shown(), Some(&config.stored())).expect("kept");
            assert_eq!(again, config);
            assert!(ChannelConfig::read(kind, &config.shown(), None).is_err(), "a mask is no secret");
        }
    }

    #[test]
    fn a_kept_secret_does_not_travel_to_another_destination() {
        let stored = json!({ "kind": "telegram", "bot_token": "12:SECRET", "chat_id": "5" });
        let given = json!({ "bot_token": MASK, "chat_id": "6" });
        assert!(ChannelConfig::read("telegram", &given, Some(&stored)).is_ok());
        let given = json!({ "bot_token": MASK, "chat_id": "6", "api_base": "https://evil.example" });
        let problems = ChannelConfig::read("telegram", &given, Some(&stored)).expect_err("another place");
        assert_eq!(problems[0].pointer, "/bot_token");
        let stored = json!({ "url": "https://a.example/", "headers": { "Authorization": "SECRET" } });
        let given = json!({ "url": "https://evil.example/", "headers": { "Authorization": MASK } });
        let problems = ChannelConfig::read("webhook", &given, Some(&stored)).expect_err("another place");
        assert_eq!(problems[0].pointer, "/headers/Authorization");
    }

    #[test]
    fn each_wrong_field_is_named() {
        for (kind, given, wanted) in [
            ("webhook", json!({}), ""),
            ("webhook", json!({ "url": "ftp://x" }), "/url"),
            ("webhook", json!({ "url": "https://u:p@x/" }), "/url"),
            ("webhook", json!({ "url": "https://x/#a" }), "/url"),
            ("webhook", json!({ "url": "https://x/", "secret": "short" }), "/secret"),
            (
                "webhook",
                json!({ "url": "https://x/", "previous_secret": "0123456789abcdef" }),
                "/previous_secret",
            ),
            ("webhook", json!({ "url": "https://x/", "headers": { "A b": "c" } }), "/headers/A b"),
            ("webhook", json!({ "url": "https://x/", "headers": { "A": "c\nd" } }), "/headers/A"),
            (
                "webhook",
                json!({ "url": "https://x/", "headers": { "Content-Length": "9" } }),
                "/headers/Content-Length",
            ),
            ("webhook", json!({ "url": "https://x/", "headers": { "A": 5 } }), "/headers/A"),
            ("webhook", json!({ "url": "https://x/", "body": "{{ nope }}" }), "/body"),
            ("webhook", json!({ "url": "https://x/", "typo": 1 }), "/typo"),
            ("email", json!({ "to": [] }), "/to"),
            ("email", json!({ "to": ["a@b.c", "nobody"] }), "/to/1"),
            ("email", json!({ "to": ["a@b.c", "a@b.c"] }), "/to/1"),
            ("email", json!({ "to": ["a@b.c\r\nBcc: x@y.z"] }), "/to/0"),
            ("email", json!({ "to": ["a@b.c"], "smtp": { "host": "m", "from": "x" } }), "/smtp/from"),
            ("email", json!({ "to": ["a@b.c"], "smtp": { "host": "h:25", "from": "x@y.z" } }), "/smtp/host"),
            (
                "email",
                json!({ "to": ["a@b.c"], "smtp": { "host": "h", "from": "x@y.z", "username": "u" } }),
                "/smtp/password",
            ),
            (
                "email",
                json!({ "to": ["a@b.c"], "smtp": { "host": "h", "from": "x@y.z", "username": "u", "password": "p", "security": "none" } }),
                "/smtp/security",
            ),
            ("slack", json!({ "url": "hooks.slack.com/x" }), "/url"),
            ("telegram", json!({ "bot_token": "nope", "chat_id": "1" }), "/bot_token"),
            ("telegram", json!({ "bot_token": "1:a/../b", "chat_id": "1" }), "/bot_token"),
            ("telegram", json!({ "bot_token": "1:a", "chat_id": "me" }), "/chat_id"),
            (
                "whatsapp",
                json!({ "phone_number_id": "1/2", "access_token": "x", "recipients": ["+441632960123"] }),
                "/phone_number_id",
            ),
            (
                "whatsapp",
                json!({ "phone_number_id": "1", "access_token": "x y", "recipients": ["+441632960123"] }),
                "/access_token",
            ),
            (
                "whatsapp",
                json!({ "phone_number_id": "1", "access_token": "x", "recipients": ["12"] }),
                "/recipients/0",
            ),
            (
                "whatsapp",
                json!({ "phone_number_id": "1", "access_token": "x", "recipients": ["+441632960123"], "template": "A B" }),
                "/template",
            ),
            ("pagerduty", json!({ "routing_key": "short" }), "/routing_key"),
            ("fax", json!({}), "/kind"),
            ("slack", json!([]), ""),
            ("slack", json!({ "kind": "telegram", "url": "https://x/" }), "/kind"),
        ] {
            assert_eq!(places(kind, given.clone()), [wanted], "{kind} {given}");
        }
    }

    #[test]
    fn what_serde_quotes_is_left_out() {
        let problems = ChannelConfig::read(
            "telegram",
            &json!({ "bot_token": "1:a", "chat_id": "1", "thread_id": "SECRET" }),
            None,
        );
        let problems = problems.expect_err("no number");
        assert_eq!(problems[0].pointer, "/thread_id");
        assert!(!problems[0].mend.contains("SECRET"), "{problems:?}");
    }
}
