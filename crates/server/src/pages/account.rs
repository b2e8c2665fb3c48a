//! The pages before signing in: first run, signing in, joining an organisation.

use maud::{Markup, html};

use super::layout::{Shell, alone, note};
use super::parts::{Tone, clean, foreign};
use crate::problem::FieldError;

struct Ask<'a> {
    name: &'a str,
    label: &'a str,
    kind: &'a str,
    auto: &'a str,
    hint: &'a str,
    value: &'a str,
}

fn ask(of: &Ask<'_>, errors: &[FieldError]) -> Markup {
    let pointer = format!("/{}", of.name);
    let wrong: Vec<&str> = errors.iter().filter(|e| e.field == pointer).map(|e| e.detail.as_str()).collect();
    let hint = format!("{}-hint", of.name);
    let wrong_id = format!("{}-wrong", of.name);
    let mut by = Vec::new();
    if !of.hint.is_empty() {
        by.push(hint.as_str());
    }
    if !wrong.is_empty() {
        by.push(wrong_id.as_str());
    }
    let by = by.join(" ");
    html! {
        div.field {
            label for=(of.name) { (of.label) }
            input type=(of.kind) id=(of.name) name=(of.name) value=(of.value) autocomplete=(of.auto) required maxlength="300" aria-invalid=[(!wrong.is_empty()).then_some("true")] aria-describedby=[(!by.is_empty()).then_some(by.as_str())];
            @if !of.hint.is_empty() { p.hint id=(hint) { (of.hint) } }
            @if !wrong.is_empty() { p.wrong id=(wrong_id) { (clean(&wrong.join("; "))) } }
        }
    }
}

/// What somebody filled in before, without passwords.
#[derive(Debug, Clone, Copy, Default)]
pub(crate) struct Filled<'a> {
    /// E-mail address.
    pub(crate) email: &'a str,
    /// Name of the person.
    pub(crate) name: &'a str,
    /// Name of the organisation.
    pub(crate) organisation: &'a str,
}

const PASSWORD: &str = "At least 12 characters. A sentence is good.";

fn trouble(problem: &str, errors: &[FieldError]) -> Markup {
    html! {
        @if !problem.is_empty() { (note(Tone::Bad, problem)) }
        @let loose: Vec<&FieldError> = errors.iter().filter(|e| !["/email", "/name", "/password", "/organisation"].contains(&e.field.as_str())).collect();
        @for error in loose { (note(Tone::Bad, &error.detail)) }
    }
}

/// Signing in. `next` is where to go afterwards.
pub(crate) fn sign_in(shell: &Shell, filled: Filled<'_>, next: &str, problem: &str) -> Markup {
    let body = html! {
        section.card {
            h1 { "Sign in" }
            (trouble(problem, &[]))
            form method="post" action="/sign-in" {
                (shell.token())
                input type="hidden" name="next" value=(next);
                (ask(&Ask { name: "email", label: "E-mail", kind: "email", auto: "username", hint: "", value: filled.email }, &[]))
                (ask(&Ask { name: "password", label: "Password", kind: "password", auto: "current-password", hint: "", value: "" }, &[]))
                button.primary type="submit" { "Sign in" }
            }
        }
    };
    alone(shell, "Sign in", body)
}

/// The first account, through the link that the server printed.
pub(crate) fn first_run(
    shell: &Shell,
    token: &str,
    filled: Filled<'_>,
    problem: &str,
    errors: &[FieldError],
) -> Markup {
    let body = html! {
        section.card {
            h1 { "Welcome to Landfall" }
            p { "This link works once: it makes the first account, which owns everything here." }
            (trouble(problem, errors))
            form method="post" action="/first-run" {
                (shell.token())
                input type="hidden" name="token" value=(token);
                (ask(&Ask { name: "organisation", label: "Organisation", kind: "text", auto: "organization", hint: "A team or a product; it may change.", value: filled.organisation }, errors))
                (ask(&Ask { name: "name", label: "Your name", kind: "text", auto: "name", hint: "", value: filled.name }, errors))
                (ask(&Ask { name: "email", label: "E-mail", kind: "email", auto: "username", hint: "", value: filled.email }, errors))
                (ask(&Ask { name: "password", label: "Password", kind: "password", auto: "new-password", hint: PASSWORD, value: "" }, errors))
                button.primary type="submit" { "Create the account" }
            }
        }
    };
    alone(shell, "First run", body)
}

/// Registering an organisation, where the operator allows that.
pub(crate) fn register(shell: &Shell, filled: Filled<'_>, problem: &str, errors: &[FieldError]) -> Markup {
    let body = html! {
        section.card {
            h1 { "Register" }
            (trouble(problem, errors))
            form method="post" action="/register" {
                (shell.token())
                (ask(&Ask { name: "organisation", label: "Organisation", kind: "text", auto: "organization", hint: "", value: filled.organisation }, errors))
                (ask(&Ask { name: "name", label: "Your name", kind: "text", auto: "name", hint: "", value: filled.name }, errors))
                (ask(&Ask { name: "email", label: "E-mail", kind: "email", auto: "username", hint: "", value: filled.email }, errors))
                (ask(&Ask { name: "password", label: "Password", kind: "password", auto: "new-password", hint: PASSWORD, value: "" }, errors))
                button.primary type="submit" { "Register" }
            }
            p.soft { "You have an account? " a href="/sign-in" { "Sign in" } "." }
        }
    };
    alone(shell, "Register", body)
}

/// Joining an organisation through an invitation.
pub(crate) fn join(
    shell: &Shell,
    token: &str,
    organisation: &str,
    role: &str,
    filled: Filled<'_>,
    problem: &str,
    errors: &[FieldError],
) -> Markup {
    let body = html! {
        section.card {
            h1 { "Join " (foreign(organisation)) }
            p { "You were invited as " strong { (clean(role)) } ". If you have an account here already, give its address and password." }
            (trouble(problem, errors))
            form method="post" action="/join" {
                (shell.token())
                input type="hidden" name="token" value=(token);
                (ask(&Ask { name: "name", label: "Your name", kind: "text", auto: "name", hint: "", value: filled.name }, errors))
                (ask(&Ask { name: "email", label: "E-mail", kind: "email", auto: "username", hint: "", value: filled.email }, errors))
                (ask(&Ask { name: "password", label: "Password", kind: "password", auto: "new-password", hint: PASSWORD, value: "" }, errors))
                button.primary type="submit" { "Join" }
            }
        }
    };
    alone(shell, "Join", body)
}

/// A page that only says something: an error, a link that does not work any more.
pub(crate) fn message(shell: &Shell, title: &str, say: &str, link: Option<(&str, &str)>) -> Markup {
    let body = html! {
        section.card {
            h1 { (clean(title)) }
            p { (clean(say)) }
            @if let Some((href, name)) = link { p { a href=(href) { (name) } } }
        }
    };
    alone(shell, title, body)
}
