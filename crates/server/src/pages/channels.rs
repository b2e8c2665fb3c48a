//! Channels: where alerts go, and the proof of what went.

use maud::{Markup, html};
use serde_json::Value;

use super::form::{self, Field, Input, Values, field};
use super::layout::{Page, Shell, framed, heading, trail};
use super::parts::{Tone, ago, clean, foreign, millis, pager, state, table, time};
use crate::Role;
use crate::api::model::{ChannelView, DeliveryView, Listing};
use crate::problem::FieldError;

/// Kinds: word, name, what is needed.
pub(crate) const KINDS: &[(&str, &str, &str)] = &[
    ("webhook", "Webhook", "Any URL; JSON, signed with HMAC"),
    ("email", "E-mail", "Addresses"),
    ("slack", "Slack", "An incoming webhook"),
    ("telegram", "Telegram", "A bot and a chat"),
    ("whatsapp", "WhatsApp", "The Cloud API of Meta"),
    ("pagerduty", "PagerDuty", "An Events API v2 integration"),
];

const NAME: Field = field("/name", "Name", Input::Line("text"), "For people.").needed();
const KEPT: &str = "A secret. It is shown masked afterwards, and kept as long as it stays masked.";

const WEBHOOK: &[Field] = &[
    field("/config/url", "URL", Input::Line("url"), "").needed(),
    field("/config/secret", "Signing secret", Input::Line("text"), KEPT),
    field(
        "/config/previous_secret",
        "Previous secret",
        Input::Line("text"),
        "While the receiver changes over; both sign.",
    ),
    field("/config/headers", "Headers", Input::Pairs(':'), "One a line: name: value. Values are secrets."),
    field("/config/body", "Body template", Input::Text, "Empty sends the whole message as JSON."),
];
const EMAIL: &[Field] = &[
    field("/config/to", "Recipients", Input::Lines, "One address a line.").needed(),
    field(
        "/config/smtp/host",
        "Mail server",
        Input::Line("text"),
        "Empty uses the one that the operator set.",
    ),
    field("/config/smtp/port", "Port", Input::Number(1, 65_535), ""),
    field(
        "/config/smtp/security",
        "Security",
        Input::Choice(&[
            ("", "—"),
            ("starttls", "STARTTLS"),
            ("tls", "TLS from the first byte"),
            ("none", "None: a relay on this machine"),
        ]),
        "",
    ),
    field("/config/smtp/username", "User name", Input::Line("text"), ""),
    field("/config/smtp/password", "Password", Input::Line("password"), KEPT),
    field("/config/smtp/from", "Sender", Input::Line("text"), "Landfall <alerts@example.com>"),
];
const SLACK: &[Field] = &[field("/config/url", "Webhook URL", Input::Line("text"), KEPT).needed()];
const TELEGRAM: &[Field] = &[
    field("/config/bot_token", "Bot token", Input::Line("text"), KEPT).needed(),
    field("/config/chat_id", "Chat", Input::Line("text"), "Its number, or @name of a channel.").needed(),
    field("/config/thread_id", "Topic", Input::Number(1, i64::MAX), "Of a group with topics."),
];
const WHATSAPP: &[Field] = &[
    field("/config/phone_number_id", "Phone number id", Input::Line("text"), "").needed(),
    field("/config/access_token", "Access token", Input::Line("text"), KEPT).needed(),
    field("/config/recipients", "Recipients", Input::Lines, "One number a line, with country code.").needed(),
    field(
        "/config/template",
        "Message template",
        Input::Line("text"),
        "Outside of the 24 hours after an answer only a template is delivered.",
    ),
    field("/config/language", "Language of the template", Input::Line("text"), "en_US"),
];
const PAGERDUTY: &[Field] =
    &[field("/config/routing_key", "Integration key", Input::Line("text"), KEPT).needed()];
const ENABLED: Field = field("/enabled", "Use this channel", Input::Tick, "");

/// The known kind with this word.
pub(crate) fn kind(word: &str) -> Option<&'static str> {
    KINDS.iter().find(|k| k.0 == word).map(|k| k.0)
}

/// All fields of a kind.
pub(crate) fn fields(kind: &str) -> Vec<Field> {
    let own = match kind {
        "email" => EMAIL,
        "slack" => SLACK,
        "telegram" => TELEGRAM,
        "whatsapp" => WHATSAPP,
        "pagerduty" => PAGERDUTY,
        _ => WEBHOOK,
    };
    [&[NAME][..], own, &[ENABLED]].concat()
}

/// What the form says: `name`, `enabled` and `config`. Fields that hold numbers for people but are texts in the protocol
/// stay texts.
///
/// # Errors
/// The fields that cannot be read.
pub(crate) fn read(kind: &str, values: &Values) -> Result<Value, Vec<FieldError>> {
    let mut json = form::to_json(&fields(kind), values)?;
    if json.get("config").is_none() {
        json["config"] = Value::Object(serde_json::Map::new());
    }
    Ok(json)
}

fn kind_name(kind: &str) -> &str {
    KINDS.iter().find(|k| k.0 == kind).map_or(kind, |k| k.1)
}

fn standing(channel: &ChannelView) -> (Tone, &'static str) {
    match (channel.enabled, &channel.last_error, &channel.last_delivered) {
        (false, _, _) => (Tone::Idle, "Off"),
        (true, Some(_), _) => (Tone::Bad, "Failing"),
        (true, None, Some(_)) => (Tone::Good, "Delivers"),
        (true, None, None) => (Tone::Open, "Not tried yet"),
    }
}

/// The list.
pub(crate) fn list_page(shell: &Shell, list: &Listing<ChannelView>, after: &str) -> Markup {
    let tools = html! { @if shell.may(Role::Editor) { a.button.primary href="/channels/new" { "New channel" } } a.button href="/channels/deliveries" { "Delivery log" } };
    let body = html! {
        (heading(html! { "Channels" }, html! { p.soft { "Where alerts go." } }, tools))
        section.card aria-label="Channels" {
            div id="list" data-live {
                @if list.items.is_empty() { p { "None yet: nobody hears of an incident." } }
                ul.rows {
                    @for c in &list.items {
                        @let (tone, word) = standing(c);
                        li {
                            div {
                                a.title href={ "/channels/" (c.id) } { (foreign(&c.name)) }
                                div.meta {
                                    (kind_name(&c.kind))
                                    @if let Some(at) = c.last_delivered { " · delivered " (ago(shell.now, at)) }
                                    @if let Some(error) = &c.last_error { " · " (foreign(error)) }
                                }
                            }
                            div.end { (state(tone, word)) }
                        }
                    }
                }
                (pager(list, "/channels", &[], after.is_empty()))
            }
        }
    };
    framed(
        shell,
        &Page {
            title: "Channels",
            part: "channels",
            body,
            watch: "channel outbox",
            only: "",
            say: "",
            stage: "",
            reload_s: None,
        },
    )
}

/// A form to make or to change a channel.
#[derive(Debug)]
pub(crate) struct ChannelForm<'a> {
    /// Its kind.
    pub(crate) kind: &'a str,
    /// The one that is changed.
    pub(crate) of: Option<&'a ChannelView>,
    /// What stands in the fields.
    pub(crate) values: &'a Values,
    /// What is wrong.
    pub(crate) errors: &'a [FieldError],
}

/// The page that makes one.
pub(crate) fn new_page(shell: &Shell, data: &ChannelForm<'_>) -> Markup {
    let body = html! {
        (trail("/channels", "Channels"))
        (heading(html! { "New channel" }, html! {}, html! {}))
        nav aria-label="Kind of channel" {
            ul.kinds {
                @for (word, name, what) in KINDS {
                    li { a href={ "/channels/new?kind=" (word) } aria-current=[(*word == data.kind).then_some("true")] { strong { (name) } span { (what) } } }
                }
            }
        }
        (the_form(shell, data, "/channels"))
    };
    framed(shell, &Page::still("New channel", "channels", body))
}

fn the_form(shell: &Shell, data: &ChannelForm<'_>, action: &str) -> Markup {
    let fields = fields(data.kind);
    html! {
        (form::summary(&fields, data.errors))
        form.card method="post" action=(action) {
            (shell.token())
            input type="hidden" name="kind" value=(data.kind);
            h2 { (kind_name(data.kind)) }
            (form::draw(&fields, data.values, data.errors))
            button.primary type="submit" { (if data.of.is_some() { "Save" } else { "Create" }) }
        }
    }
}

/// One channel: test, settings, and what went through it.
pub(crate) fn page(
    shell: &Shell,
    data: &ChannelForm<'_>,
    channel: &ChannelView,
    log: &Listing<DeliveryView>,
) -> Markup {
    let path = format!("/channels/{}", channel.id);
    let (tone, word) = standing(channel);
    let editor = shell.may(Role::Editor);
    let tools = html! { @if editor { (shell.press(&format!("{path}/test"), "Send a test", "primary")) } };
    let body = html! {
        (trail("/channels", "Channels"))
        (heading(foreign(&channel.name), html! { p.soft { (kind_name(&channel.kind)) " · external id " code { (clean(&channel.external_id)) } } }, tools))
        div id="now" data-live {
            section class={ "card tone " (tone.class()) } aria-label="Now" {
                dl.stats {
                    div { dt { "State" } dd { (state(tone, word)) } }
                    div { dt { "Last delivered" } dd { @match channel.last_delivered { Some(at) => (ago(shell.now, at)), None => "never" } } }
                }
                @if let Some(error) = &channel.last_error { p.t-bad { (foreign(error)) } }
            }
        }
        section.card aria-labelledby="log" {
            h2 id="log" { "Delivery log" }
            div id="list" data-live { (log_table(log, &[])) (pager(log, &path, &[], true)) }
        }
        @if editor {
            @if channel.origin == "file" { p.soft { "A configuration file owns this channel." } }
            (the_form(shell, data, &path))
            (shell.careful(&format!("{path}/delete"), "Delete this channel", "Messages that still wait for it are given up."))
        }
    };
    framed(
        shell,
        &Page {
            title: &channel.name,
            part: "channels",
            body,
            watch: "channel outbox",
            only: "",
            say: "",
            stage: "",
            reload_s: None,
        },
    )
}

/// All deliveries.
pub(crate) fn log_page(
    shell: &Shell,
    log: &Listing<DeliveryView>,
    names: &[(String, String)],
    after: &str,
) -> Markup {
    let body = html! {
        (trail("/channels", "Channels"))
        (heading(html! { "Delivery log" }, html! { p.soft { "Every attempt, kept." } }, html! {}))
        section.card aria-label="Deliveries" {
            div id="list" data-live { (log_table(log, names)) (pager(log, "/channels/deliveries", &[], after.is_empty())) }
        }
    };
    framed(
        shell,
        &Page {
            title: "Delivery log",
            part: "channels",
            body,
            watch: "outbox",
            only: "",
            say: "",
            stage: "",
            reload_s: None,
        },
    )
}

fn log_table(log: &Listing<DeliveryView>, names: &[(String, String)]) -> Markup {
    let tone = |outcome: &str| match outcome {
        "delivered" => (Tone::Good, "Delivered"),
        "retry" => (Tone::Warn, "Tried again later"),
        "refused" => (Tone::Bad, "Refused"),
        _ => (Tone::Open, "Unknown"),
    };
    let name = |id: &Option<String>| {
        let Some(id) = id else { return "the server itself".to_owned() };
        names.iter().find(|(known, _)| known == id).map_or_else(String::new, |(_, name)| name.clone())
    };
    html! {
        @if log.items.is_empty() { p { "Nothing was sent yet." } }
        @else {
            (table("Deliveries", &["When", "Outcome", "Message", "Answer", "Took"], html! {
                @for d in &log.items {
                    @let (tone, word) = tone(&d.outcome);
                    tr {
                        td { (time(d.at)) }
                        td { (state(tone, word)) }
                        td { (foreign(&d.headline)) @if !names.is_empty() { div.soft.small { (foreign(&name(&d.channel))) } } }
                        td { (foreign(&d.say)) }
                        td.r { (millis(d.took_ms)) }
                    }
                }
            }))
        }
    }
}
