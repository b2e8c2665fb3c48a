//! Keeping public status pages, and announcing things on them.

use landfall_store::status::PostKind;
use maud::{Markup, html};

use super::form::{self, Field, Input, Values, field};
use super::layout::{Page, Shell, framed, heading, trail};
use super::parts::{Tone, clean, foreign, pager, state, time, times};
use crate::Role;
use crate::api::model::{AnnouncementView, Listing, StatusPageView};
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
    field("/starts", "Begins", Input::Line("datetime-local"), "Empty: now."),
    field("/ends", "Ends", Input::Line("datetime-local"), "For maintenance."),
    field(
        "/zone",
        "Time zone of these times",
        Input::Line("text"),
        "As Europe/Berlin. People see them there and in UTC.",
    )
    .at_first("UTC"),
];

/// The values that stand in the form of a page.
pub(crate) fn values(page: &StatusPageView) -> Values {
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
    pages: &Listing<StatusPageView>,
    first: bool,
    filled: &Values,
    errors: &[FieldError],
) -> Markup {
    let body = html! {
        (heading(html! { "Status pages" }, html! { p.soft { "What the public sees. A monitor appears there once it is marked as public." } }, html! {}))
        section.card aria-label="Status pages" {
            @if pages.items.is_empty() { p { "None yet." } }
            ul.rows {
                @for page in &pages.items {
                    li {
                        div {
                            a.title href={ "/status-pages/" (page.id) } { (foreign(&page.title)) }
                            div.meta { a href={ "/status/" (page.slug) } { (shell.public_url) "/status/" (page.slug) } }
                        }
                        div.end { @if page.published { (state(Tone::Good, "Published")) } @else { (state(Tone::Idle, "Draft")) } }
                    }
                }
            }
            (pager(pages, "/status-pages", &[], first))
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
    pub(crate) page: &'a StatusPageView,
    /// What was announced, newest first.
    pub(crate) posts: &'a Listing<AnnouncementView>,
    /// Whether this is the first page of them.
    pub(crate) first: bool,
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
            @if data.posts.items.is_empty() { p.soft { "None yet. Incidents that the watch sees appear by themselves." } }
            @for post in &data.posts.items { (post_part(shell, post, editor)) }
            (pager(data.posts, &path, &[], data.first))
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

fn post_part(shell: &Shell, post: &AnnouncementView, editor: bool) -> Markup {
    let id = post.id.as_str();
    let kind: PostKind = post.kind.parse().unwrap_or(PostKind::Incident);
    let word = match kind {
        PostKind::Incident => "Incident",
        PostKind::Maintenance => "Maintenance",
    };
    html! {
        div.step {
            h3 { (foreign(&post.title)) }
            p.soft { (word) ", " (clean(&post.state)) " · " (times(post.starts, post.ends, &post.zone)) }
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
                            select id={ "state-" (id) } name="state" { @for s in kind.states() { option value=(s) selected[*s == post.state] { (s) } } }
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
