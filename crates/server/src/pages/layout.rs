//! The frame round every page, and the headers that every page carries.

use axum::body::Body;
use axum::response::Response;
use http::{HeaderValue, StatusCode, header};
use jiff::Timestamp;
use maud::{DOCTYPE, Markup, html};

use super::assets::{CSS, ICON, JS};
use super::parts::{Tone, clean, icon};
use crate::Role;

/// What a page may do: its own style sheet and script, no other host, no inline code.
pub(crate) const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'";

/// The same for the page from which a checkout begins. Browsers hold redirects that follow a form against `form-action`
/// (w3.org/TR/CSP3, 6.3.1), so the payment pages must be named. Source of the names: docs.stripe.com/security/guide.
pub(crate) const BILLING_POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; form-action 'self' https://checkout.stripe.com https://billing.stripe.com; base-uri 'none'; frame-ancestors 'none'";

/// The chosen look.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Theme {
    /// As the system has it.
    #[default]
    Auto,
    /// Light.
    Light,
    /// Dark.
    Dark,
}

impl Theme {
    /// From the word of the cookie; anything else is the system's.
    pub(crate) fn of(word: &str) -> Self {
        match word {
            "light" => Self::Light,
            "dark" => Self::Dark,
            _ => Self::Auto,
        }
    }

    /// Its word.
    pub(crate) fn word(self) -> &'static str {
        match self {
            Self::Auto => "auto",
            Self::Light => "light",
            Self::Dark => "dark",
        }
    }
}

/// A message about what was just done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Flash {
    /// Whether it went well.
    pub(crate) tone: Tone,
    /// In words.
    pub(crate) say: String,
}

/// Who looks.
#[derive(Debug, Clone)]
pub(crate) struct Person {
    /// E-mail address.
    pub(crate) name: String,
    /// The organisation that they look at.
    pub(crate) organisation: String,
    /// Others that they belong to: id and name.
    pub(crate) others: Vec<(String, String)>,
    /// What they may do here.
    pub(crate) role: Role,
}

/// What every page is drawn with.
#[derive(Debug, Clone)]
pub(crate) struct Shell {
    /// Now.
    pub(crate) now: Timestamp,
    /// Who looks; nobody on the pages before signing in.
    pub(crate) person: Option<Person>,
    /// The token that each form carries.
    pub(crate) csrf: String,
    /// What was just done.
    pub(crate) flash: Option<Flash>,
    /// The chosen look.
    pub(crate) theme: Theme,
    /// Open incidents, shown beside the link to them.
    pub(crate) open_incidents: u32,
    /// The path of this page, to come back to.
    pub(crate) path: String,
    /// Where people reach the server, without a slash at the end.
    pub(crate) public_url: String,
}

impl Shell {
    /// Whether the person may do this.
    pub(crate) fn may(&self, role: Role) -> bool {
        self.person.as_ref().is_some_and(|p| p.role >= role)
    }

    /// The hidden field that each form carries.
    pub(crate) fn token(&self) -> Markup {
        html! { input type="hidden" name="csrf" value=(self.csrf); }
    }

    /// A form that is only a button.
    pub(crate) fn press(&self, action: &str, label: &str, class: &str) -> Markup {
        html! {
            form method="post" action=(action) { (self.token()) button type="submit" class=(class) { (label) } }
        }
    }

    /// A button that wants a second look: without any script it is a fold with the real button inside.
    pub(crate) fn careful(&self, action: &str, label: &str, warning: &str) -> Markup {
        html! {
            details.more {
                summary { (label) }
                div {
                    p { (warning) }
                    (self.press(action, &format!("{label} for good"), "danger"))
                }
            }
        }
    }
}

/// The parts of the site, in the order of the menu: id, path, name.
const PARTS: &[(&str, &str, &str)] = &[
    ("overview", "/", "Overview"),
    ("incidents", "/incidents", "Incidents"),
    ("reports", "/reports", "Audits"),
    ("heartbeats", "/heartbeats", "Heartbeats"),
    ("channels", "/channels", "Channels"),
    ("windows", "/windows", "Maintenance"),
    ("status-pages", "/status-pages", "Status pages"),
    ("jobs", "/jobs", "Jobs"),
    ("settings", "/settings", "Settings"),
];

/// One page, to be framed.
pub(crate) struct Page<'a> {
    /// The title in the window; the product's name follows.
    pub(crate) title: &'a str,
    /// Which part of the menu it belongs to.
    pub(crate) part: &'a str,
    /// What it shows.
    pub(crate) body: Markup,
    /// Kinds of events that change it, separated by spaces; the first is the kind of [`Self::only`].
    pub(crate) watch: &'a str,
    /// The one thing that it shows; events of others of its kind do not change it.
    pub(crate) only: &'a str,
    /// What to say aloud when it changes; empty for nothing.
    pub(crate) say: &'a str,
    /// What kind of content stands in it; when that changes the page is loaded anew.
    pub(crate) stage: &'a str,
    /// Seconds after which a browser without script loads it again.
    pub(crate) reload_s: Option<u32>,
}

impl<'a> Page<'a> {
    /// A page that nothing changes by itself.
    pub(crate) fn still(title: &'a str, part: &'a str, body: Markup) -> Self {
        Self { title, part, body, watch: "", only: "", say: "", stage: "", reload_s: None }
    }
}

/// A framed page for somebody who is signed in.
pub(crate) fn framed(shell: &Shell, page: &Page<'_>) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[theme(shell.theme)] {
            (head(page.title, page.reload_s, false))
            body data-watch=[set(page.watch)] data-only=[set(page.only)] data-say=[set(page.say)] data-stage=[set(page.stage)] {
                a.skip href="#content" { "To the content" }
                div.shell {
                    header.bar {
                        (brand())
                        span.grow {}
                        span id="open" data-live { @if shell.open_incidents > 0 { a.count href="/incidents" { (shell.open_incidents) " open" } } }
                        details {
                            summary { "Menu" }
                            div.sheet { (menu(shell, page.part, "small", "Main, small screen")) (who(shell, "small")) }
                        }
                    }
                    header.side {
                        (brand())
                        (menu(shell, page.part, "large", "Main"))
                        (who(shell, "large"))
                    }
                    main id="content" {
                        (flash(shell))
                        (page.body)
                        @if !page.watch.is_empty() { p.live { span id="stream" {} } }
                    }
                }
                p.sr id="said" role="status" aria-live="polite" {}
            }
        }
    }
}

/// A framed page for somebody who is not signed in.
pub(crate) fn alone(shell: &Shell, title: &str, body: Markup) -> Markup {
    html! {
        (DOCTYPE)
        html lang="en" data-theme=[theme(shell.theme)] {
            (head(title, None, true))
            body {
                a.skip href="#content" { "To the content" }
                main.alone id="content" {
                    (brand())
                    (flash(shell))
                    (body)
                }
            }
        }
    }
}

fn set(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The attribute for a chosen look; none follows the system.
pub(crate) fn theme(theme: Theme) -> Option<&'static str> {
    (theme != Theme::Auto).then(|| theme.word())
}

/// The head of every page.
pub(crate) fn head(title: &str, reload_s: Option<u32>, hidden: bool) -> Markup {
    html! {
        head {
            meta charset="utf-8";
            meta name="viewport" content="width=device-width, initial-scale=1";
            meta name="color-scheme" content="light dark";
            @if hidden { meta name="robots" content="noindex"; }
            title { (clean(title)) " · Landfall" }
            link rel="icon" type="image/svg+xml" href=(ICON.href);
            link rel="stylesheet" href=(CSS.href);
            script type="module" src=(JS.href) {}
            @if let Some(s) = reload_s { noscript { meta http-equiv="refresh" content=(s); } }
        }
    }
}

/// The name of the product with its sign, leading home.
pub(crate) fn brand() -> Markup {
    html! { a.brand href="/" { (sign()) "Landfall" } }
}

/// The sign alone.
pub(crate) fn sign() -> Markup {
    html! {
        svg viewBox="0 0 32 32" aria-hidden="true" focusable="false" {
            rect width="32" height="32" rx="7" fill="#1a56b0" {}
            path d="M6 21.5h20M11 26h10" stroke="#fff" stroke-width="2.6" stroke-linecap="round" {}
            path d="M16 6.5v9m-4.2-4.2 4.2 4.2 4.2-4.2" fill="none" stroke="#fff" stroke-width="2.6" stroke-linecap="round" stroke-linejoin="round" {}
        }
    }
}

fn menu(shell: &Shell, part: &str, id: &str, label: &str) -> Markup {
    html! {
        nav.main aria-label=(label) {
            ul id={ "menu-" (id) } data-live {
                @for (id, path, name) in PARTS {
                    li {
                        a href=(path) aria-current=[(part == *id).then_some("page")] {
                            (name)
                            @if *id == "incidents" && shell.open_incidents > 0 {
                                span.count { (shell.open_incidents) span.sr { " open" } }
                            }
                        }
                    }
                }
            }
        }
    }
}

fn who(shell: &Shell, id: &str) -> Markup {
    html! {
        @if let Some(person) = &shell.person {
            div.who {
                strong.wide { bdi { (clean(&person.organisation)) } }
                div.soft.wide { bdi { (clean(&person.name)) } ", " (role(person.role)) }
                @if !person.others.is_empty() {
                    form method="post" action="/switch" {
                        (shell.token())
                        label.sr for={ "organisation-" (id) } { "Other organisation" }
                        div.pair {
                            select id={ "organisation-" (id) } name="organisation" {
                                @for (org, name) in &person.others { option value=(org) { (clean(name)) } }
                            }
                            button.slim type="submit" { "Switch" }
                        }
                    }
                }
                (themes(shell))
                form method="post" action="/sign-out" { (shell.token()) button.slim type="submit" { "Sign out" } }
            }
        }
    }
}

fn themes(shell: &Shell) -> Markup {
    let button = |theme: Theme, name: &str| {
        html! {
            button type="submit" name="theme" value=(theme.word()) aria-pressed=(shell.theme == theme) { (name) }
        }
    };
    html! {
        form method="post" action="/theme" {
            (shell.token())
            input type="hidden" name="next" value=(shell.path);
            div.themes role="group" aria-label="Colours" {
                (button(Theme::Auto, "System"))
                (button(Theme::Light, "Light"))
                (button(Theme::Dark, "Dark"))
            }
        }
    }
}

/// A role for people.
pub(crate) fn role(role: Role) -> &'static str {
    match role {
        Role::Reader => "reader",
        Role::Editor => "editor",
        Role::Admin => "admin",
        Role::Owner => "owner",
    }
}

fn flash(shell: &Shell) -> Markup {
    html! { @if let Some(flash) = &shell.flash { (note(flash.tone, &flash.say)) } }
}

/// With a capital first: problems of the API begin small, since they follow a title there.
pub(crate) fn sentence(text: &str) -> String {
    let mut rest = text.chars();
    rest.next().map_or_else(String::new, |first| first.to_uppercase().chain(rest).collect())
}

/// A note across the page.
pub(crate) fn note(tone: Tone, say: &str) -> Markup {
    html! {
        div class={ "flash " (tone.class()) } role=(if tone == Tone::Bad { "alert" } else { "status" }) {
            (icon(tone))
            p { (sentence(&clean(say))) }
        }
    }
}

/// The heading of a page, with what can be done beside it.
pub(crate) fn heading(title: Markup, below: Markup, tools: Markup) -> Markup {
    html! {
        div.head {
            div { h1 { (title) } (below) }
            div.tools { (tools) }
        }
    }
}

/// Where a page stands below another.
pub(crate) fn trail(path: &str, name: &str) -> Markup {
    html! { p.trail { a href=(path) { "← " (name) } } }
}

/// An answer with a page in it, never stored.
pub(crate) fn respond(status: StatusCode, page: Markup) -> Response {
    respond_with(status, page, POLICY)
}

/// The same under another content security policy.
pub(crate) fn respond_with(status: StatusCode, page: Markup, policy: &'static str) -> Response {
    let mut response = Response::new(Body::from(page.into_string()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(header::CONTENT_TYPE, HeaderValue::from_static("text/html; charset=utf-8"));
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    guard(headers, policy);
    response
}

/// The headers that keep a page to itself.
pub(crate) fn guard(headers: &mut http::HeaderMap, policy: &'static str) {
    headers.insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(policy));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    headers.insert(header::X_FRAME_OPTIONS, HeaderValue::from_static("DENY"));
    headers.insert(header::REFERRER_POLICY, HeaderValue::from_static("same-origin"));
    headers.insert("cross-origin-opener-policy", HeaderValue::from_static("same-origin"));
    headers.insert(
        "permissions-policy",
        HeaderValue::from_static("camera=(), geolocation=(), microphone=(), payment=(), usb=()"),
    );
}
