//! Audits: the list, one that runs, and one that is done.

use landfall_report::Report;
use maud::{Markup, html};

use super::judgement;
use super::layout::{Page, Shell, framed, heading, trail};
use super::overview::audit_form;
use super::parts::{Tone, ago, foreign, icon, pager, span, state, table};
use crate::Role;
use crate::api::model::{Listing, ReportView};

/// What a stored report may do when it is shown: nothing but be styled by its own style sheet. The sandbox takes its
/// origin away, so that nothing in it could ever act for the person who reads it.
pub(crate) const SANDBOX: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

/// How an audit stands: tone and words.
fn standing(report: &ReportView) -> (Tone, &'static str) {
    match (report.status.as_str(), report.verdict.as_deref()) {
        ("queued", _) => (Tone::Idle, "Queued"),
        ("running", _) => (Tone::Idle, "Running"),
        ("failed", _) => (Tone::Open, "Could not run"),
        (_, verdict) => judgement::verdict(verdict.unwrap_or("unknown")),
    }
}

/// The list, with the form that starts one.
pub(crate) fn list_page(shell: &Shell, list: &Listing<ReportView>, after: &str) -> Markup {
    let body = html! {
        (heading(html! { "Audits" }, html! {}, html! {}))
        @if shell.may(Role::Editor) {
            section.card aria-labelledby="start" { h2 id="start" { "Audit now" } (audit_form(shell, "")) }
        }
        section.card aria-labelledby="made" {
            h2 id="made" { "Reports" }
            div id="list" data-live {
                @if list.items.is_empty() { p { "None yet." } }
                @else { ul.rows { @for report in &list.items { (row(shell, report)) } } }
                (pager(list, "/reports", &[], after.is_empty()))
            }
        }
    };
    framed(
        shell,
        &Page {
            title: "Audits",
            part: "reports",
            body,
            watch: "report",
            only: "",
            say: "",
            stage: "",
            reload_s: None,
        },
    )
}

fn row(shell: &Shell, report: &ReportView) -> Markup {
    let (tone, word) = standing(report);
    html! {
        li {
            div {
                a.title href={ "/reports/" (report.id) } { (foreign(&report.target)) }
                @if let Some(summary) = report.summary.as_ref().or(report.problem.as_ref()) { div.meta { (foreign(summary)) } }
                div.meta {
                    (ago(shell.now, report.created))
                    @if report.incident.is_some() { " · for an incident" } @else if report.monitor.is_some() { " · for a monitor" }
                }
            }
            div.end { (state(tone, word)) }
        }
    }
}

/// One audit, in whatever state it is.
pub(crate) fn page(shell: &Shell, view: &ReportView, report: Option<&Report>) -> Markup {
    let (tone, word) = standing(view);
    let path = format!("/reports/{}", view.id);
    let busy = matches!(view.status.as_str(), "queued" | "running");
    let done = view.status == "done";
    let tools = html! {
        @if done {
            a.button href={ (path) "/full" } { "Full report" }
            a.button href={ (path) "/download/json" } download { "JSON" }
            a.button href={ (path) "/download/markdown" } download { "Markdown" }
        }
        @if !busy && shell.may(Role::Editor) {
            form method="post" action="/reports" {
                (shell.token())
                input type="hidden" name="url" value=(view.target);
                button type="submit" { "Audit again" }
            }
        }
    };
    let below = html! {
        p.soft {
            "asked for " (ago(shell.now, view.created))
            @if let Some(end) = view.ended { ", took " (span(view.created, end)) }
            @if let Some(incident) = &view.incident { " · " a href={ "/incidents/" (incident) } { "incident" } }
            @if let Some(monitor) = &view.monitor { " · " a href={ "/monitors/" (monitor) } { "monitor" } }
        }
    };
    let body = html! {
        (trail("/reports", "Audits"))
        (heading(html! { "Audit of " (foreign(&view.target)) }, below, tools))
        @if busy { (progress(view)) }
        @else if done { (result(shell, view, report, tone, word)) }
        @else {
            section.card.tone.open aria-label="Result" {
                h2 { (state(tone, word)) }
                p { @match &view.problem { Some(problem) => (foreign(problem)), None => "No reason was kept." } }
                p.soft { "This says nothing of the target." }
            }
        }
    };
    let title = format!("{word}: audit of {}", view.target);
    let say = match &view.summary {
        Some(summary) => format!("{word}. {summary}"),
        None => word.to_owned(),
    };
    framed(
        shell,
        &Page {
            title: &title,
            part: "reports",
            body,
            watch: "report",
            only: &view.id,
            say: &say,
            stage: if busy { "busy" } else { "ended" },
            reload_s: busy.then_some(3),
        },
    )
}

fn progress(view: &ReportView) -> Markup {
    html! {
        section.card aria-labelledby="progress-title" {
            h2 id="progress-title" { "In progress" }
            div id="state" data-live {
                p role="status" {
                    span.spin aria-hidden="true" {} " "
                    @if view.status == "queued" { "It waits for its turn." } @else { "Landfall is asking. Most audits end within a minute." }
                }
            }
            ol.line id="progress" aria-live="polite" aria-relevant="additions" aria-label="Steps so far" {}
            p.soft.small { "This page shows the report by itself once it is there. " noscript { "It is loaded again every three seconds." } }
        }
    }
}

fn result(shell: &Shell, view: &ReportView, report: Option<&Report>, tone: Tone, word: &str) -> Markup {
    html! {
        section class={ "card tone " (tone.class()) } aria-labelledby="verdict" {
            h2 id="verdict" { (state(tone, word)) }
            p.big { (foreign(view.summary.as_deref().unwrap_or("No summary was kept."))) }
            @if let Some(report) = report { @if !report.path.is_empty() { (judgement::path(&report.path)) (judgement::path_proof(&report.path)) } }
        }
        @if view.monitor.is_none() && shell.may(Role::Editor) {
            section.card aria-labelledby="watch" {
                h2 id="watch" { "Keep watch over it" }
                p { "A monitor checks this URL once a minute and tells you, with the cause, when three checks in a row fail." }
                form method="post" action="/monitors" {
                    (shell.token())
                    input type="hidden" name="kind" value="http";
                    input type="hidden" name="/check/url" value=(view.target);
                    input type="hidden" name="/name" value=(host(&view.target));
                    button.primary type="submit" { "Make a monitor" }
                    " " a href=(prefilled(&view.target)) { "Change the details first" }
                }
            }
        }
        @match report {
            Some(report) => (parts(report)),
            None => p.soft { "The report is of a version that this page cannot lay out; the full report and the JSON hold all of it." },
        }
    }
}

/// A URL's host, for a name.
fn host(target: &str) -> String {
    url::Url::parse(target)
        .ok()
        .and_then(|u| u.host_str().map(str::to_owned))
        .unwrap_or_else(|| target.to_owned())
}

fn prefilled(target: &str) -> String {
    let query = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("kind", "http")
        .append_pair("/check/url", target)
        .append_pair("/name", &host(target))
        .finish();
    format!("/monitors/new?{query}")
}

fn parts(report: &Report) -> Markup {
    let why = !report.causes.is_empty() || !report.unexplained.is_empty();
    html! {
        @if why {
            div.two {
                div {
                    @if !report.causes.is_empty() {
                        section.card aria-labelledby="causes" {
                            h2 id="causes" { "Cause" }
                            @for (i, cause) in report.causes.iter().enumerate() { div.step { (judgement::cause(cause, i, judgement::is_tied(&report.ties, &cause.id))) } }
                            (judgement::ties(&report.ties))
                        }
                    }
                    @if !report.unexplained.is_empty() {
                        section.card.tone.open aria-labelledby="unexplained" {
                            h2 id="unexplained" { (icon(Tone::Open)) "Not explained" span.note { (report.unexplained.len()) } }
                            p { "Nothing is green while an observation is without an explanation. The full report lists them." }
                        }
                    }
                }
                div { (to_do(report)) (components(report)) }
            }
        } @else {
            // With nothing to explain the two columns are what to do, and how the parts are.
            div.two { div { (to_do(report)) } div { (components(report)) } }
        }
        section.card aria-labelledby="readiness" {
            h2 { span id="readiness" { "Readiness" } span.note { (report.readiness.passed) " of " (report.readiness.total) " passed, " (report.readiness.unknown) " unknown" } }
            (table("Readiness", &["Check", "State", "Why"], html! {
                @for check in &report.readiness.checks {
                    tr { th scope="row" { (foreign(&check.title)) } td { (judgement::status(check.status)) } td { (foreign(&check.note)) } }
                }
            }))
        }
        @if !report.findings.is_empty() {
            section.card aria-labelledby="findings" {
                h2 { span id="findings" { "Findings" } span.note { (report.findings.len()) } }
                (table("Findings", &["Code", "Severity", "What"], html! {
                    @for f in &report.findings {
                        tr { th scope="row" { code { (f.code) } } td { (format!("{:?}", f.severity).to_lowercase()) } td { (foreign(&f.title)) } }
                    }
                }))
            }
        }
    }
}

fn to_do(report: &Report) -> Markup {
    html! {
        section.card aria-labelledby="do" {
            h2 id="do" { "What to do" }
            @if report.actions.is_empty() { p.soft { "Nothing." } }
            (judgement::actions(&report.actions))
        }
    }
}

fn components(report: &Report) -> Markup {
    html! {
        section.card aria-labelledby="components" {
            h2 id="components" { "Components" }
            ul.rows {
                @for c in &report.components {
                    li { div { strong { (foreign(&c.name)) } div.meta { (foreign(&c.headline)) } } div.end { (judgement::status(c.status)) } }
                }
            }
        }
    }
}
