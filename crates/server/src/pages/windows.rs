//! Maintenance windows.

use maud::{Markup, html};
use serde_json::Value;

use super::form::{self, Field, Input, Values, field};
use super::layout::{Page, Shell, framed, heading, trail};
use super::parts::{Tone, ago, clean, foreign, pager, seconds, state};
use crate::Role;
use crate::api::model::{Listing, WindowView};
use crate::problem::FieldError;

const DAYS: &[(&str, &str)] = &[
    ("mon", "Monday"),
    ("tue", "Tuesday"),
    ("wed", "Wednesday"),
    ("thu", "Thursday"),
    ("fri", "Friday"),
    ("sat", "Saturday"),
    ("sun", "Sunday"),
];

/// Everything that can be said of a window.
pub(crate) const FIELDS: &[Field] = &[
    field("/name", "Name", Input::Line("text"), "").needed(),
    field("/all", "For all monitors", Input::Tick, ""),
    field("/monitors", "Or for these monitors", Input::Lines, "External ids, one a line."),
    field("/labels", "Or for monitors with all of these labels", Input::Pairs('='), "One a line: team=core"),
    field(
        "/repeat",
        "Repeats",
        Input::Choice(&[
            ("once", "Not at all"),
            ("daily", "Daily"),
            ("weekly", "On days of the week"),
            ("monthly", "On days of the month"),
            ("cron", "At the times of cron"),
        ]),
        "",
    )
    .at_first("once"),
    field(
        "/start",
        "Opens",
        Input::Line("text"),
        "2026-11-25T22:00 for once, 22:00 otherwise; not for cron.",
    ),
    field("/end", "Closes", Input::Line("text"), "For once; or give the duration."),
    field("/duration_min", "Duration (min)", Input::Number(1, 44_640), ""),
    field("/days", "Days of the week", Input::Choices(DAYS), ""),
    field(
        "/days_of_month",
        "Days of the month",
        Input::Lines,
        "1 to 31, or -1 for the last one; one a line.",
    ),
    field("/cron", "Cron", Input::Line("text"), "Five fields; each of its times opens the window."),
    field("/zone", "Time zone", Input::Line("text"), "An IANA name: Europe/Berlin").at_first("UTC"),
    field("/first", "First date", Input::Line("date"), ""),
    field("/last", "Last date", Input::Line("date"), ""),
];

/// The spec that a form says.
///
/// # Errors
/// The fields that cannot be read.
pub(crate) fn spec(values: &Values) -> Result<Value, Vec<FieldError>> {
    let mut json = form::to_json(FIELDS, values)?;
    if let Some(days) = json.get_mut("days_of_month").and_then(Value::as_array_mut) {
        for day in days {
            let text = day.as_str().unwrap_or_default().to_owned();
            let number: i8 = text.parse().map_err(|_| {
                vec![FieldError { field: "/days_of_month".into(), detail: format!("{text:?} is not a day") }]
            })?;
            *day = number.into();
        }
    }
    Ok(json)
}

/// In words, when it opens.
pub(crate) fn words(spec: &Value) -> String {
    let text = |key: &str| spec.get(key).and_then(Value::as_str).unwrap_or_default();
    let list = |key: &str| {
        let items: Vec<String> = spec
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .map(|v| v.as_str().map_or_else(|| v.to_string(), str::to_owned))
            .collect();
        items.join(", ")
    };
    let long = match spec.get("duration_min").and_then(Value::as_u64) {
        Some(minutes) => format!(", for {}", seconds(minutes * 60)),
        None if !text("end").is_empty() => format!(" until {}", text("end")),
        None => String::new(),
    };
    let when = match text("repeat") {
        "daily" => format!("daily at {}", text("start")),
        "weekly" => format!("{} at {}", list("days"), text("start")),
        "monthly" => format!("on day {} of the month at {}", list("days_of_month"), text("start")),
        "cron" => format!("at {}", text("cron")),
        _ => text("start").to_owned(),
    };
    format!("{when}{long} ({})", if text("zone").is_empty() { "UTC" } else { text("zone") })
}

fn whom(spec: &Value) -> String {
    if spec.get("all") == Some(&Value::Bool(true)) {
        return "all monitors".into();
    }
    let monitors = spec.get("monitors").and_then(Value::as_array).map_or(0, Vec::len);
    let labels = spec.get("labels").and_then(Value::as_object).into_iter().flatten();
    let labels: Vec<String> =
        labels.map(|(k, v)| format!("{k}={}", v.as_str().unwrap_or_default())).collect();
    match (monitors, labels.is_empty()) {
        (0, true) => "no monitor".into(),
        (1, true) => "1 monitor".into(),
        (n, true) => format!("{n} monitors"),
        (0, false) => format!("monitors with {}", labels.join(", ")),
        (n, false) => format!("{n} monitors, and those with {}", labels.join(", ")),
    }
}

/// The list.
pub(crate) fn list_page(shell: &Shell, list: &Listing<WindowView>, after: &str) -> Markup {
    let editor = shell.may(Role::Editor);
    let tools = html! { @if editor { a.button.primary href="/windows/new" { "New window" } } };
    let body = html! {
        (heading(html! { "Maintenance" }, html! { p.soft { "While a window is open its monitors are checked, but nothing counts and nobody is woken." } }, tools))
        section.card aria-label="Maintenance windows" {
            div id="list" data-live {
                @if list.items.is_empty() { p { "None." } }
                ul.rows {
                    @for w in &list.items {
                        li {
                            div {
                                @if editor { a.title href={ "/windows/" (w.id) "/edit" } { (foreign(&w.name)) } } @else { strong { (foreign(&w.name)) } }
                                div.meta { (clean(&words(&w.spec))) " · " (clean(&whom(&w.spec))) }
                                @if let Some(next) = w.next { @if !w.active { div.meta { "opens " (ago(shell.now, next)) } } }
                            }
                            div.end {
                                @if w.active { (state(Tone::Warn, "Open now")) }
                                @else if w.next.is_some() { (state(Tone::Idle, "Planned")) }
                                @else { (state(Tone::Idle, "Over")) }
                            }
                        }
                    }
                }
                (pager(list, "/windows", &[], after.is_empty()))
            }
        }
    };
    framed(
        shell,
        &Page {
            title: "Maintenance",
            part: "windows",
            body,
            watch: "window",
            only: "",
            say: "",
            stage: "",
            reload_s: None,
        },
    )
}

/// The form; `of` is the id and name of the one that is changed.
pub(crate) fn form_page(
    shell: &Shell,
    of: Option<(&str, &str)>,
    values: &Values,
    errors: &[FieldError],
) -> Markup {
    let title = of.map_or_else(|| "New maintenance window".to_owned(), |(_, name)| format!("Edit {name}"));
    let action = of.map_or_else(|| "/windows".to_owned(), |(id, _)| format!("/windows/{id}"));
    let body = html! {
        (trail("/windows", "Maintenance"))
        (heading(foreign(&title), html! {}, html! {}))
        (form::summary(FIELDS, errors))
        form.card method="post" action=(action) {
            (shell.token())
            (form::draw(FIELDS, values, errors))
            button.primary type="submit" { (if of.is_some() { "Save" } else { "Create" }) }
        }
        @if let Some((id, _)) = of {
            (shell.careful(&format!("/windows/{id}/delete"), "Delete this window", "If it is open now, its monitors count again at once."))
        }
    };
    framed(shell, &Page::still(&title, "windows", body))
}
