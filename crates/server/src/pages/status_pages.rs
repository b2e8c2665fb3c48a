//! Keeping public status pages, and announcing things on them.

use jiff::Timestamp;
use landfall_store::status::{PostKind, StatusPage, StatusPost};
use maud::{Markup, html};

use super::form::{self, Field, Input, Values, field};
use super::layout::{Page, Shell, framed, heading, trail};
use super::parts::{Tone, clean, foreign, state, time};
use crate::Role;
use crate::problem::FieldError;

/// Everything that can be said of a status page.
pub(crate) const FIELDS: &[Field] = &[
    field("/title", "Title", Input::Line("text"), "").needed(),
    field("/slug", "Name in the URL", Input::Line("text"), "1 to 60 of a-z, 0-9 and -.").needed(),
    field("/about", "A few words below the title", Input::Line("text"), ""),
    field(
        "/label",
        "Only monitors with this label",
        Input::Line("text"),
        "name=value. Empty shows all monitors that are marked as public.",
    ),
    field("/published", "Published", Input::Tick, "A draft is seen by nobody outside."),
    field("/noindex", "Ask search engines to leave it out", Input::Tick, ""),
];

/// The fields of an announcement.
pub(crate) const POST: &[Field] = &[
    field(
        "/kind",
        "What",
        Input::Choice(&[("incident", "Incident"), ("maintenance", "Scheduled maintenance")]),
        "",
    )
    .at_first("incident"),
    field("/title", "Title", Input::Line("text"), "").needed(),
    field("/say", "What to tell people", Input::Text, "").needed(),
    field("/starts", "Begins (UTC)", Input::Line("datetime-local"), "Empty: now."),
    field("/ends", "Ends (UTC)", Input::Line("datetime-local"), "For maintenance."),
];

/// What a form says of a status page, read and held against its rules.
///
/// # Errors
/// The fields that are wrong.
pub(crate) fn check(values: &Values) -> Result<StatusPageForm, Vec<FieldError>> {
    form::to_json(FIELDS, values)?;
    let text = |at: &str| values.get(at).to_owned();
    let form = StatusPageForm {
        slug: text("/slug"),
        title: text("/title"),
        about: text("/about"),
        label: text("/label"),
        noindex: values.ticked("/noindex"),
        published: values.ticked("/published"),
    };
    let mut errors = Vec::new();
    let mut wrong =
        |field: &str, detail: &str| errors.push(FieldError { field: field.into(), detail: detail.into() });
    let fine = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if form.slug.len() > 60 || !form.slug.chars().all(fine) || form.slug.starts_with('-') {
        wrong("/slug", "is not 1 to 60 of a-z, 0-9 and -, with a letter or digit first");
    }
    if form.title.chars().count() > 200 {
        wrong("/title", "has more than 200 characters");
    }
    if form.about.chars().count() > 2000 {
        wrong("/about", "has more than 2000 characters");
    }
    if !form.label.is_empty()
        && form.label.split_once('=').is_none_or(|(n, v)| n.trim().is_empty() || v.trim().is_empty())
    {
        wrong("/label", "is not of the form name=value");
    }
    if errors.is_empty() { Ok(form) } else { Err(errors) }
}

/// A status page as a form says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct StatusPageForm {
    /// Its name in the URL.
    pub(crate) slug: String,
    /// Its title.
    pub(crate) title: String,
    /// Below the title.
    pub(crate) about: String,
    /// The label.
    pub(crate) label: String,
    /// Whether search engines are to leave it out.
    pub(crate) noindex: bool,
    /// Whether it can be seen.
    pub(crate) published: bool,
}

/// A moment of a `datetime-local` field, taken as UTC.
///
/// # Errors
/// What is wrong with it.
pub(crate) fn moment(text: &str) -> Result<Option<Timestamp>, String> {
    if text.is_empty() {
        return Ok(None);
    }
    let civil: Result<jiff::civil::DateTime, _> = text.parse();
    civil
        .ok()
        .and_then(|c| c.to_zoned(jiff::tz::TimeZone::UTC).ok())
        .map(|z| Some(z.timestamp()))
        .ok_or_else(|| format!("{text:?} is not a date with a time, as 2026-11-25T22:00"))
}

/// The values that stand in the form of a page.
pub(crate) fn values(page: &StatusPage) -> Values {
    let mut values = Values::default();
    values.push("/title", &*page.title);
    values.push("/slug", &*page.slug);
    values.push("/about", &*page.about);
    values.push("/label", &*page.label);
    if page.published {
        values.push("/published", "yes");
    }
    if page.noindex {
        values.push("/noindex", "yes");
    }
    values
}

/// The list, with the form for a new one.
pub(crate) fn list_page(
    shell: &Shell,
    pages: &[StatusPage],
    filled: &Values,
    errors: &[FieldError],
) -> Markup {
    let body = html! {
        (heading(html! { "Status pages" }, html! { p.soft { "What the public sees. A monitor appears there once it is marked as public." } }, html! {}))
        section.card aria-label="Status pages" {
            @if pages.is_empty() { p { "None yet." } }
            ul.rows {
                @for page in pages {
                    li {
                        div {
                            a.title href={ "/status-pages/" (page.id) } { (foreign(&page.title)) }
                            div.meta { a href={ "/status/" (page.slug) } { (shell.public_url) "/status/" (page.slug) } }
                        }
                        div.end { @if page.published { (state(Tone::Good, "Published")) } @else { (state(Tone::Idle, "Draft")) } }
                    }
                }
            }
        }
        @if shell.may(Role::Editor) {
            section.card aria-labelledby="new" {
                h2 id="new" { "New status page" }
                (form::summary(FIELDS, errors))
                form method="post" action="/status-pages" {
                    (shell.token())
                    (form::draw(FIELDS, filled, errors))
                    button.primary type="submit" { "Create" }
                }
            }
        }
    };
    framed(shell, &Page::still("Status pages", "status-pages", body))
}

/// What stands on the page of one status page.
#[derive(Debug)]
pub(crate) struct OnePage<'a> {
    /// The page.
    pub(crate) page: &'a StatusPage,
    /// What was announced, newest first.
    pub(crate) posts: &'a [StatusPost],
    /// What stands in its form.
    pub(crate) values: &'a Values,
    /// What is wrong there.
    pub(crate) errors: &'a [FieldError],
    /// What stands in the form of an announcement.
    pub(crate) post: &'a Values,
    /// What is wrong there.
    pub(crate) post_errors: &'a [FieldError],
}

/// One status page: announcements, badges, settings.
pub(crate) fn page(shell: &Shell, data: &OnePage<'_>) -> Markup {
    let path = format!("/status-pages/{}", data.page.id);
    let editor = shell.may(Role::Editor);
    let url = format!("/status/{}", data.page.slug);
    let body = html! {
        (trail("/status-pages", "Status pages"))
        (heading(foreign(&data.page.title), html! { p.soft { a href=(url) { (shell.public_url) (url) } } }, html! {}))
        section.card aria-labelledby="posts" {
            h2 id="posts" { "Announcements" }
            @if data.posts.is_empty() { p.soft { "None yet. Incidents that the watch sees appear by themselves." } }
            @for post in data.posts { (post_part(shell, post, editor)) }
        }
        @if editor {
            section.card aria-labelledby="announce" {
                h2 id="announce" { "Announce something" }
                (form::summary(POST, data.post_errors))
                form method="post" action={ (path) "/posts" } {
                    (shell.token())
                    (form::draw(POST, data.post, data.post_errors))
                    button.primary type="submit" { "Publish" }
                }
            }
            section.card aria-labelledby="page" {
                h2 id="page" { "The page itself" }
                (form::summary(FIELDS, data.errors))
                form method="post" action=(path) {
                    (shell.token())
                    @for f in FIELDS { (Field { at: renamed(f.at), ..*f }.draw(&renamed_values(data.values), &renamed_errors(data.errors))) }
                    button type="submit" { "Save" }
                }
                (shell.careful(&format!("{path}/delete"), "Delete this status page", "Its address answers 404 from then on, and its announcements are gone."))
            }
        }
        section.card aria-labelledby="badges" {
            h2 id="badges" { "Badges" }
            p { "Every public monitor has a badge. Its id stands in the address of its page." }
            pre { (shell.public_url) "/badge/ID.svg\n" (shell.public_url) "/badge/ID.svg?uptime=30d\n" (shell.public_url) "/badge/ID/shields.json" }
        }
    };
    framed(shell, &Page::still(&data.page.title, "status-pages", body))
}

/// Two forms stand on one page and both have a title; ids must not meet, so the page's own fields get other names.
fn renamed(at: &'static str) -> &'static str {
    match at {
        "/title" => "/page/title",
        "/slug" => "/page/slug",
        "/about" => "/page/about",
        "/label" => "/page/label",
        "/published" => "/page/published",
        _ => "/page/noindex",
    }
}

fn renamed_values(values: &Values) -> Values {
    let mut out = Values::default();
    for f in FIELDS {
        for value in values.all(f.at) {
            out.push(renamed(f.at), value);
        }
    }
    out
}

fn renamed_errors(errors: &[FieldError]) -> Vec<FieldError> {
    errors
        .iter()
        .map(|e| FieldError { field: format!("/page{}", e.field), detail: e.detail.clone() })
        .collect()
}

/// The values of the page's own form under the names of [`FIELDS`].
pub(crate) fn unrenamed(values: &Values) -> Values {
    let mut out = Values::default();
    for f in FIELDS {
        for value in values.all(renamed(f.at)) {
            out.push(f.at, value);
        }
    }
    out
}

fn post_part(shell: &Shell, post: &StatusPost, editor: bool) -> Markup {
    let id = post.id.to_string();
    let kind = match post.kind {
        PostKind::Incident => "Incident",
        PostKind::Maintenance => "Maintenance",
    };
    html! {
        div.step {
            h3 { (foreign(&post.title)) }
            p.soft { (kind) ", " (clean(&post.state)) " · " (time(post.starts)) @if let Some(end) = post.ends { " to " (time(end)) } }
            ol.line {
                @for u in &post.updates { li { p { strong { (clean(&u.state)) ": " } (foreign(&u.say)) } p.soft.small { (time(u.at)) " · " (foreign(&u.author)) } } }
            }
            @if editor {
                details.more {
                    summary { "Write an update" }
                    form method="post" action={ "/status-posts/" (id) } {
                        (shell.token())
                        div.field {
                            label for={ "state-" (id) } { "State from now on" }
                            select id={ "state-" (id) } name="state" { @for s in post.kind.states() { option value=(s) selected[*s == post.state] { (s) } } }
                        }
                        div.field {
                            label for={ "say-" (id) } { "What to tell people" }
                            textarea id={ "say-" (id) } name="say" rows="3" required maxlength="4000" {}
                        }
                        button type="submit" { "Publish the update" }
                    }
                }
            }
        }
    }
}
