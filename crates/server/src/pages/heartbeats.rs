//! Heartbeats: jobs elsewhere that report to us.

use maud::{Markup, html};
use serde_json::Value;

use super::form::{self, Field, Input, Values, field};
use super::layout::{Page, Shell, framed, heading, trail};
use super::parts::{Tone, ago, clean, facts, foreign, millis, pager, seconds, state, table, time};
use crate::Role;
use crate::api::model::{HeartbeatView, Listing, PingView};
use crate::problem::FieldError;

/// Everything that can be said of a heartbeat.
pub(crate) const FIELDS: &[Field] = &[
    field("/name", "Name", Input::Line("text"), "For people.").needed(),
    field(
        "/slug",
        "Name in ping URLs",
        Input::Line("text"),
        "a-z, 0-9, - and _. Empty makes one out of the name.",
    ),
    field(
        "/period_s",
        "Expected every (s)",
        Input::Number(60, 31_536_000),
        "A day when empty; not together with cron.",
    ),
    field("/cron", "Or at the times of cron", Input::Line("text"), "Five fields: 30 2 * * 1-5"),
    field("/zone", "Time zone of cron", Input::Line("text"), "An IANA name: Europe/Berlin").at_first("UTC"),
    field("/grace_s", "Grace (s)", Input::Number(60, 31_536_000), "How much later than due it may come.")
        .at_first("3600"),
    field(
        "/max_duration_s",
        "A run may take (s)",
        Input::Number(1, 31_536_000),
        "Empty: within the grace time.",
    ),
    field(
        "/remind_s",
        "Remind every (s)",
        Input::Number(300, 2_592_000),
        "While it is down and nobody has acknowledged. Empty: it is told once.",
    ),
    field(
        "/alert_new_s",
        "Alert when it is never pinged within (s)",
        Input::Number(60, 31_536_000),
        "Empty: a new one waits for ever.",
    ),
    field(
        "/post_only",
        "Only POST counts",
        Input::Tick,
        "Then previews and scanners that follow the link do no harm.",
    ),
    field("/manual_resume", "Stays paused until somebody resumes it", Input::Tick, ""),
    field(
        "/channels",
        "Channels that hear of it",
        Input::Lines,
        "External ids, one a line. Empty means all enabled ones.",
    ),
    field("/labels", "Labels", Input::Pairs('='), "One a line: team=core"),
];

/// What stands at first in the form.
pub(crate) fn fresh() -> Values {
    let mut values = form::fresh(FIELDS);
    values.push("/period_s", "86400");
    values
}

/// Status: tone and word.
fn standing(word: &str) -> (Tone, &'static str) {
    match word {
        "up" => (Tone::Good, "Up"),
        "late" => (Tone::Warn, "Late"),
        "started" => (Tone::Idle, "Running"),
        "down" => (Tone::Bad, "Down"),
        "paused" => (Tone::Idle, "Paused"),
        "new" => (Tone::Idle, "Never pinged"),
        _ => (Tone::Open, "Unknown"),
    }
}

fn expected(spec: &Value) -> Option<String> {
    let text = |key: &str| spec.get(key).and_then(Value::as_str);
    if let Some(cron) = text("cron") {
        return Some(format!("at {cron} ({})", text("zone").unwrap_or("UTC")));
    }
    spec.get("period_s").and_then(Value::as_u64).map(|s| format!("every {}", seconds(s)))
}

/// The list.
pub(crate) fn list_page(shell: &Shell, list: &Listing<HeartbeatView>, after: &str) -> Markup {
    let down = list.items.iter().filter(|h| h.status == "down").count();
    let tools =
        html! { @if shell.may(Role::Editor) { a.button.primary href="/heartbeats/new" { "New heartbeat" } } };
    let body = html! {
        (heading(html! { "Heartbeats" }, html! { p.soft { "Scheduled jobs that say when they have run. Silence is what alerts." } }, tools))
        section.card aria-label="Heartbeats" {
            div id="list" data-live {
                @if list.items.is_empty() {
                    p { "None yet. Make one, and let the job call its URL when it is done, or run the job as " code { "landfall run --url URL -- COMMAND" } "." }
                } @else {
                    ul.rows { @for beat in &list.items { (row(shell, beat)) } }
                }
                (pager(list, "/heartbeats", &[], after.is_empty()))
            }
        }
    };
    let say = format!("{down} heartbeats down");
    framed(
        shell,
        &Page {
            title: "Heartbeats",
            part: "heartbeats",
            body,
            watch: "heartbeat",
            only: "",
            say: &say,
            stage: "",
            reload_s: None,
        },
    )
}

fn row(shell: &Shell, beat: &HeartbeatView) -> Markup {
    let (tone, word) = standing(&beat.status);
    html! {
        li {
            div {
                a.title href={ "/heartbeats/" (beat.external_id) } { (foreign(&beat.name)) }
                div.meta {
                    (clean(&expected(&beat.spec).unwrap_or_else(|| "daily".into()))) " · "
                    @match beat.last_ping { Some(at) => { "last ping " (ago(shell.now, at)) }, None => "no ping yet" }
                    @if let Some(due) = beat.due { " · due " (ago(shell.now, due)) }
                }
            }
            div.end { (state(tone, word)) }
        }
    }
}

/// One heartbeat with its last pings.
pub(crate) fn page(shell: &Shell, beat: &HeartbeatView, pings: &[PingView]) -> Markup {
    let (tone, word) = standing(&beat.status);
    let path = format!("/heartbeats/{}", beat.external_id);
    let editor = shell.may(Role::Editor);
    let owned = beat.origin == "file";
    let tools = html! {
        @if editor {
            @if beat.status == "paused" { (shell.press(&format!("{path}/resume"), "Resume", "")) }
            @else { (shell.press(&format!("{path}/pause"), "Pause", "")) }
            @if !owned { a.button href={ (path) "/edit" } { "Edit" } }
        }
    };
    let spec = &beat.spec;
    let number = |key: &str| spec.get(key).and_then(Value::as_u64);
    let body = html! {
        (trail("/heartbeats", "Heartbeats"))
        (heading(foreign(&beat.name), html! { p.soft { (clean(&expected(spec).unwrap_or_else(|| "daily".into()))) } }, tools))
        div id="now" data-live {
            section class={ "card tone " (tone.class()) } aria-label="Now" {
                dl.stats {
                    div { dt { "Status" } dd { (state(tone, word)) } }
                    div { dt { "Last ping" } dd { @match beat.last_ping { Some(at) => (ago(shell.now, at)), None => "none" } } }
                    div { dt { "Due" } dd { @match beat.due { Some(at) => (ago(shell.now, at)), None => "—" } } }
                    div { dt { "Last run took" } dd { @match beat.last_duration_ms { Some(ms) => (millis(ms)), None => "—" } } }
                    div { dt { "Pings" } dd { (beat.pings) } }
                }
            }
        }
        @if let Some(url) = &beat.ping_url {
            section.card aria-labelledby="url" {
                h2 id="url" { "Ping URL" }
                p.soft.small { "Whoever knows it can ping. Append " code { "/start" } ", " code { "/fail" } " or an exit status." }
                div.copy {
                    label.sr for="ping-url" { "Ping URL" }
                    input id="ping-url" type="text" readonly value=(url);
                    button type="button" data-copy="ping-url" { "Copy" }
                }
                pre { "curl -fsS -m 10 --retry 5 " (clean(url)) "\nlandfall run --url " (clean(url)) " -- ./job" }
            }
        }
        section.card aria-labelledby="pings" {
            h2 id="pings" { "Last pings" }
            div id="list" data-live {
                @if pings.is_empty() { p { "None yet." } } @else { (ping_table(pings)) }
            }
        }
        section.card aria-labelledby="spec" {
            h2 id="spec" { "What is expected" }
            (facts(&[
                ("Expected", expected(spec).map(|e| html! { (clean(&e)) })),
                ("Grace", number("grace_s").map(|s| html! { (seconds(s)) })),
                ("A run may take", number("max_duration_s").map(|s| html! { (seconds(s)) })),
                ("Name in URLs", Some(html! { code { (clean(&beat.slug)) } })),
            ]))
            @if owned { p.soft { "A configuration file owns this heartbeat: change it there, and apply the file." } } @else if editor {
                (shell.careful(&format!("{path}/delete"), "Delete this heartbeat", "Its URL stops working at once; a job that still calls it gets 404."))
            }
        }
    };
    let title = format!("{word}: {}", beat.name);
    framed(
        shell,
        &Page {
            title: &title,
            part: "heartbeats",
            body,
            watch: "heartbeat",
            only: beat.id.as_deref().unwrap_or_default(),
            say: &title,
            stage: "",
            reload_s: None,
        },
    )
}

fn ping_table(pings: &[PingView]) -> Markup {
    let tone = |kind: &str| match kind {
        "success" => (Tone::Good, "Success"),
        "fail" => (Tone::Bad, "Failure"),
        "start" => (Tone::Idle, "Start"),
        "log" => (Tone::Idle, "Log"),
        _ => (Tone::Open, "Ignored"),
    };
    table(
        "Last pings",
        &["When", "What", "From", "Run took", "Said"],
        html! {
            @for (i, ping) in pings.iter().enumerate() {
                @let (tone, word) = tone(&ping.kind);
                tr {
                    td { (time(ping.at)) }
                    td { (state(tone, word)) @if let Some(exit) = ping.exit_status { " " span.soft { "exit " (exit) } } }
                    td { (ping.method) @if let Some(address) = &ping.address { " from " (foreign(address)) } @if let Some(agent) = &ping.agent { div.soft.small { (foreign(agent)) } } }
                    td.r { @match ping.duration_ms { Some(ms) => (millis(ms)), None => "—" } }
                    td {
                        @if let Some(body) = ping.body.as_ref().filter(|b| !b.is_empty()) {
                            details id={ "ping-" (i) } { summary { (super::parts::shorten(&clean(body), 40)) } pre { (clean_block(body)) } }
                        }
                    }
                }
            }
        },
    )
}

/// As [`clean`], but lines stay lines.
fn clean_block(text: &str) -> String {
    text.lines().map(clean).collect::<Vec<_>>().join("\n")
}

/// The form; `of` is the id and name of the one that is changed.
pub(crate) fn form_page(
    shell: &Shell,
    of: Option<(&str, &str)>,
    values: &Values,
    errors: &[FieldError],
) -> Markup {
    let title = of.map_or_else(|| "New heartbeat".to_owned(), |(_, name)| format!("Edit {name}"));
    let action = of.map_or_else(|| "/heartbeats".to_owned(), |(id, _)| format!("/heartbeats/{id}"));
    let body = html! {
        (trail("/heartbeats", "Heartbeats"))
        (heading(foreign(&title), html! {}, html! {}))
        (form::summary(FIELDS, errors))
        form.card method="post" action=(action) {
            (shell.token())
            (form::draw(FIELDS, values, errors))
            button.primary type="submit" { (if of.is_some() { "Save" } else { "Create" }) }
        }
    };
    framed(shell, &Page::still(&title, "heartbeats", body))
}
