//! Settings: the organisation, its members, keys and log, and one's own sessions.

use maud::{Markup, html};

use super::layout::{BILLING_POLICY, Page, Shell, framed, heading, role};
use super::parts::{Tone, ago, clean, foreign, pager, state, table, time};
use crate::Role;
use crate::api::model::{
    InvitationView, KeyView, Listing, LogView, MemberView, OrganisationView, SessionView,
};
use crate::problem::FieldError;

/// The tabs: path, name, the role that sees them.
const TABS: &[(&str, &str, Role)] = &[
    ("/settings", "Organisation", Role::Reader),
    ("/settings/members", "Members", Role::Reader),
    ("/settings/keys", "API keys", Role::Admin),
    ("/settings/sessions", "My account", Role::Reader),
    ("/settings/log", "Audit log", Role::Admin),
    ("/settings/billing", "Billing", Role::Owner),
    ("/settings/support", "Support", Role::Reader),
];

/// The policy under which the billing page is sent.
pub(crate) const BILLING: &str = BILLING_POLICY;

fn tabbed(shell: &Shell, at: &str, title: &str, body: Markup) -> Markup {
    let body = html! {
        (heading(html! { (title) }, html! {}, html! {}))
        nav.tabs aria-label="Settings" {
            ul {
                @for (path, name, need) in TABS {
                    @if shell.may(*need) { li { a href=(path) aria-current=[(*path == at).then_some("page")] { (name) } } }
                }
            }
        }
        (body)
    };
    framed(shell, &Page::still(title, "settings", body))
}

/// A part that another module draws: billing, support. `at` is its path.
pub(crate) fn slot(shell: &Shell, at: &str, title: &str, body: Markup) -> Markup {
    tabbed(shell, at, title, body)
}

fn wrong(errors: &[FieldError], pointer: &str) -> Markup {
    html! { @for error in errors.iter().filter(|e| e.field == pointer) { p.wrong { (clean(&error.detail)) } } }
}

fn loose(errors: &[FieldError], known: &[&str]) -> Markup {
    html! {
        @for error in errors.iter().filter(|e| !known.contains(&e.field.as_str())) {
            (super::layout::note(Tone::Bad, &format!("{} {}", error.field, error.detail)))
        }
    }
}

/// The organisation.
pub(crate) fn organisation(shell: &Shell, org: &OrganisationView, errors: &[FieldError]) -> Markup {
    let body = html! {
        section.card aria-labelledby="org" {
            h2 id="org" { "Organisation" }
            @if shell.may(Role::Admin) {
                form method="post" action="/settings" {
                    (shell.token())
                    div.field {
                        label for="name" { "Name" }
                        input type="text" id="name" name="name" value=(org.name) required maxlength="200";
                        (wrong(errors, "/name"))
                    }
                    button type="submit" { "Rename" }
                }
            }
            dl.facts {
                dt { "Name" } dd { (foreign(&org.name)) }
                dt { "Name in URLs" } dd { code { (clean(&org.slug)) } }
                dt { "Plan" } dd { (clean(&org.plan)) }
                dt { "Since" } dd { (time(org.created)) }
            }
        }
    };
    tabbed(shell, "/settings", "Settings", body)
}

const ROLES: [Role; 4] = [Role::Reader, Role::Editor, Role::Admin, Role::Owner];

fn role_says(of: Role) -> &'static str {
    match of {
        Role::Reader => "looks",
        Role::Editor => "changes monitors, channels, windows; acknowledges",
        Role::Admin => "also members, keys, settings",
        Role::Owner => "also billing and other owners",
    }
}

/// Members and invitations. `fresh` is an invitation that was made just now: its link is shown this once.
pub(crate) fn members(
    shell: &Shell,
    members: &Listing<MemberView>,
    invitations: Option<&Listing<InvitationView>>,
    fresh: Option<&InvitationView>,
    errors: &[FieldError],
    after: &str,
) -> Markup {
    let admin = shell.may(Role::Admin);
    let mine = shell.person.as_ref().map(|p| p.role);
    let body = html! {
        @if let Some(link) = fresh.and_then(|i| i.link.as_ref()) {
            section.card.tone.good aria-labelledby="fresh" {
                h2 id="fresh" { "Invitation link" }
                p { "Send it to the person yourself. It works once, and it is shown only now." }
                (copy("invitation-link", "Invitation link", link))
            }
        }
        @if let Some(email) = fresh.filter(|i| i.mailed).and_then(|i| i.email.as_ref()) {
            section.card.tone.good aria-labelledby="fresh" {
                h2 id="fresh" { "Invitation" }
                p { "It is on its way to " (foreign(email)) ". The link in it works once." }
            }
        }
        section.card aria-labelledby="members" {
            h2 id="members" { "Members" }
            (table("Members", &["Who", "Role", "Since", "Change"], html! {
                @for m in &members.items {
                    tr {
                        th scope="row" { (foreign(&m.name)) @if m.you { " (you)" } div.soft.small { (foreign(&m.email)) } }
                        td { (clean(&m.role)) }
                        td { (ago(shell.now, m.since)) }
                        td {
                            @if admin {
                                div.tools {
                                    form.tools method="post" action={ "/settings/members/" (m.id) } {
                                        (shell.token())
                                        label.sr for={ "role-" (m.id) } { "Role of " (clean(&m.email)) }
                                        select id={ "role-" (m.id) } name="role" {
                                            @for r in ROLES { option value=(role(r)) selected[role(r) == m.role] disabled[Some(r) > mine] { (role(r)) } }
                                        }
                                        button.slim type="submit" { "Set" }
                                    }
                                }
                            }
                            @if admin || m.you {
                                (shell.careful(&format!("/settings/members/{}/remove", m.id), if m.you { "Leave" } else { "Remove" }, "The account stays, but it cannot see this organisation any more."))
                            }
                        }
                    }
                }
            }))
            (pager(members, "/settings/members", &[], after.is_empty()))
        }
        @if admin {
            section.card aria-labelledby="invite" {
                h2 id="invite" { "Invite somebody" }
                (loose(errors, &["/email", "/role"]))
                form method="post" action="/settings/invitations" {
                    (shell.token())
                    div.field {
                        label for="invite-email" { "E-mail, as a note" }
                        input type="email" id="invite-email" name="email" maxlength="254" autocomplete="off";
                        (wrong(errors, "/email"))
                    }
                    div.field {
                        label for="invite-role" { "Role" }
                        select id="invite-role" name="role" {
                            @for r in ROLES { @if Some(r) <= mine { option value=(role(r)) { (role(r)) ": " (role_says(r)) } } }
                        }
                        (wrong(errors, "/role"))
                    }
                    button.primary type="submit" { "Make an invitation link" }
                }
            }
        }
        @if let Some(invitations) = invitations.filter(|i| !i.items.is_empty()) {
            section.card aria-labelledby="open-invitations" {
                h2 id="open-invitations" { "Open invitations" }
                ul.rows {
                    @for i in &invitations.items {
                        li {
                            div {
                                strong { (foreign(i.email.as_deref().unwrap_or("anybody with the link"))) }
                                div.meta { "as " (clean(&i.role)) " · by " (foreign(&i.invited_by)) " · until " (time(i.expires)) }
                            }
                            (shell.press(&format!("/settings/invitations/{}/revoke", i.id), "Revoke", "slim danger"))
                        }
                    }
                }
            }
        }
    };
    tabbed(shell, "/settings/members", "Members", body)
}

/// A text to copy.
fn copy(id: &str, label: &str, text: &str) -> Markup {
    html! {
        div.copy {
            label.sr for=(id) { (label) }
            input id=(id) type="text" readonly value=(text);
            button type="button" data-copy=(id) { "Copy" }
        }
    }
}

const SCOPES: [(&str, &str); 4] = [
    ("read", "Read everything but secrets"),
    ("write", "Change monitors, channels, windows, heartbeats; acknowledge; start audits"),
    ("admin", "Members, keys, settings"),
    ("metrics", "/metrics and /probe"),
];

/// API keys. `fresh` was made just now: the whole key is shown this once.
pub(crate) fn keys(
    shell: &Shell,
    keys: &Listing<KeyView>,
    fresh: Option<&KeyView>,
    errors: &[FieldError],
    after: &str,
) -> Markup {
    let tone = |status: &str| match status {
        "active" => Tone::Good,
        "rotated" | "expiring" | "replaced" => Tone::Warn,
        _ => Tone::Idle,
    };
    let body = html! {
        @if let Some(key) = fresh.and_then(|k| k.key.as_ref()) {
            section.card.tone.good aria-labelledby="fresh" {
                h2 id="fresh" { "The new key" }
                p { "Copy it now: only its hash is kept, so it is never shown again." }
                (copy("new-key", "New API key", key))
            }
        }
        section.card aria-labelledby="keys" {
            h2 id="keys" { "API keys" }
            @if keys.items.is_empty() { p { "None yet." } }
            ul.rows {
                @for k in &keys.items {
                    li {
                        div {
                            strong { (foreign(&k.name)) } " " code { (clean(&k.prefix)) "…" }
                            div.meta {
                                @for (i, scope) in k.scopes.iter().enumerate() { @if i > 0 { ", " } (scope.word()) }
                                " · by " (foreign(&k.created_by)) " " (ago(shell.now, k.created))
                                @match k.last_used { Some(at) => { " · used " (ago(shell.now, at)) }, None => " · never used" }
                                @if let Some(at) = k.expires { " · expires " (ago(shell.now, at)) }
                            }
                            @if k.revoked.is_none() {
                                div.tools {
                                    (shell.press(&format!("/settings/keys/{}/rotate", k.id), "Rotate", "slim"))
                                    (shell.careful(&format!("/settings/keys/{}/revoke", k.id), "Revoke", "Programs that use it are refused from now on."))
                                }
                            }
                        }
                        div.end { (state(tone(&k.status), &clean(&k.status))) }
                    }
                }
            }
            (pager(keys, "/settings/keys", &[], after.is_empty()))
        }
        section.card aria-labelledby="new" {
            h2 id="new" { "New key" }
            (loose(errors, &["/name", "/scopes", "/expires_days"]))
            form method="post" action="/settings/keys" {
                (shell.token())
                div.field { label for="key-name" { "What it is for" } input type="text" id="key-name" name="name" required maxlength="200"; (wrong(errors, "/name")) }
                fieldset {
                    legend { "What it may do" }
                    @for (word, says) in SCOPES {
                        label.tick { input type="checkbox" name="scope" value=(word) checked[word == "read"]; span { strong { (word) } " " (says) } }
                    }
                    (wrong(errors, "/scopes"))
                }
                div.field { label for="key-days" { "Expires after days" } input type="number" id="key-days" name="days" min="1" max="3650"; p.hint { "Empty: never." } (wrong(errors, "/expires_days")) }
                button.primary type="submit" { "Create" }
            }
        }
    };
    tabbed(shell, "/settings/keys", "API keys", body)
}

/// One's own account: sessions and password.
pub(crate) fn sessions(
    shell: &Shell,
    sessions: &Listing<SessionView>,
    problem: &str,
    errors: &[FieldError],
) -> Markup {
    let body = html! {
        section.card aria-labelledby="sessions" {
            h2 id="sessions" { "Where you are signed in" }
            ul.rows {
                @for s in &sessions.items {
                    li {
                        div {
                            strong.wide { (foreign(&super::parts::shorten(s.agent.as_deref().unwrap_or("unknown program"), 120))) }
                            div.meta { (foreign(s.address.as_deref().unwrap_or("unknown address"))) " · seen " (ago(shell.now, s.seen)) " · signed in " (ago(shell.now, s.created)) }
                        }
                        div.end {
                            @if s.current { span.chip.good { "this one" } }
                            @else { (shell.press(&format!("/settings/sessions/{}/end", s.id), "End", "slim danger")) }
                        }
                    }
                }
            }
            (pager(sessions, "/settings/sessions", &[], true))
        }
        section.card aria-labelledby="password" {
            h2 id="password" { "Change the password" }
            @if !problem.is_empty() { (super::layout::note(Tone::Bad, problem)) }
            (loose(errors, &["/new", "/current"]))
            form method="post" action="/settings/password" {
                (shell.token())
                div.field { label for="current" { "Current password" } input type="password" id="current" name="current" autocomplete="current-password" required maxlength="300"; (wrong(errors, "/current")) }
                div.field { label for="new" { "New password" } input type="password" id="new" name="new" autocomplete="new-password" required maxlength="300"; (wrong(errors, "/new")) }
                p.hint { "All your other sessions end." }
                button type="submit" { "Change it" }
            }
        }
    };
    tabbed(shell, "/settings/sessions", "My account", body)
}

/// The audit log.
pub(crate) fn log(shell: &Shell, log: &Listing<LogView>, after: &str) -> Markup {
    let body = html! {
        section.card aria-label="Audit log" {
            @if log.items.is_empty() { p { "Nothing yet." } } @else {
                (table("Audit log", &["When", "Who", "What"], html! {
                    @for entry in &log.items {
                        tr { td { (time(entry.at)) } td { (foreign(&entry.actor)) } td { (foreign(&entry.say)) " " code.soft { (clean(&entry.action)) } } }
                    }
                }))
            }
            (pager(log, "/settings/log", &[], after.is_empty()))
        }
    };
    tabbed(shell, "/settings/log", "Audit log", body)
}
