//! Incidents: the list, and one with its cause, its proof and its story.

use landfall_report::Report;
use maud::{Markup, html};

use super::judgement;
use super::layout::{Page, Shell, framed, heading, trail};
use super::overview::{diagnosis, incident_row, incident_state};
use super::parts::{ago, clean, foreign, pager, percent, span, state, table, time};
use crate::Role;
use crate::api::model::{IncidentView, Listing};

/// The list.
pub(crate) fn list_page(shell: &Shell, list: &Listing<IncidentView>, status: &str, after: &str) -> Markup {
    let tab = |word: &str, name: &str| {
        let href =
            if word.is_empty() { "/incidents".to_owned() } else { format!("/incidents?status={word}") };
        html! { li { a href=(href) aria-current=[(status == word).then_some("page")] { (name) } } }
    };
    let body = html! {
        (heading(html! { "Incidents" }, html! {}, html! {}))
        nav.tabs aria-label="Which incidents" { ul { (tab("", "All")) (tab("open", "Open")) (tab("resolved", "Resolved")) } }
        section.card aria-label="Incidents" {
            div id="list" data-live {
                @if list.items.is_empty() { p { "None." } }
                @else { ul.rows { @for incident in &list.items { (incident_row(shell, incident)) } } }
                (pager(list, "/incidents", &[("status", status)], after.is_empty()))
            }
        }
    };
    let say = format!("{} open incidents", shell.open_incidents);
    framed(
        shell,
        &Page {
            title: "Incidents",
            part: "incidents",
            body,
            watch: "incident",
            only: "",
            say: &say,
            stage: "",
            reload_s: None,
        },
    )
}

/// One incident. `report` is the audit behind it, when there is one.
pub(crate) fn page(shell: &Shell, incident: &IncidentView, report: Option<&Report>) -> Markup {
    let (tone, word) = incident_state(incident);
    let path = format!("/incidents/{}", incident.id);
    let editor = shell.may(Role::Editor);
    let open = incident.resolved.is_none();
    let tools = html! {
        div.tools id="tools" data-live {
            @if editor && open && incident.acknowledged.is_none() {
                (shell.press(&format!("{path}/acknowledge"), "Acknowledge", "primary"))
            }
            @if let Some(report) = &incident.report { a.button href={ "/reports/" (report) } { "Audit report" } }
        }
    };
    let below = html! {
        p.soft id="when" data-live {
            (incident.severity) " · began " (ago(shell.now, incident.began))
            @match incident.resolved { Some(end) => { " · lasted " (span(incident.began, end)) }, None => { " · for " (span(incident.began, shell.now)) } }
        }
    };
    let body = html! {
        (trail("/incidents", "Incidents"))
        (heading(foreign(&incident.title), below, tools))
        div id="incident" data-live {
            section class={ "card tone " (tone.class()) } aria-labelledby="why" {
                h2 { span id="why" { "Why" } (state(tone, word)) }
                (why(incident))
                @if let Some(report) = report {
                    @if !report.path.is_empty() { (judgement::path(&report.path)) (judgement::path_proof(&report.path)) }
                }
            }
            div.two {
                div {
                    @if let Some(report) = report { (proof(incident, report)) }
                    (difference(incident))
                }
                div {
                    @if let Some(report) = report {
                        @if !report.actions.is_empty() {
                            section.card aria-labelledby="do" {
                                h2 id="do" { "What to do" }
                                (judgement::actions(&report.actions))
                                @if let Some(id) = &incident.report { p { a href={ "/reports/" (id) } { "The whole report" } } }
                            }
                        }
                    }
                    (monitors(shell, incident))
                }
            }
            section.card aria-labelledby="timeline" {
                h2 id="timeline" { "Timeline" }
                (timeline(incident))
            }
        }
        @if editor {
            section.card aria-labelledby="comment" {
                h2 id="comment" { "Add a comment" }
                form method="post" action={ (path) "/comments" } {
                    (shell.token())
                    div.field {
                        label for="say" { "Comment" }
                        textarea id="say" name="say" rows="3" required maxlength="4000" {}
                    }
                    button type="submit" { "Add to the timeline" }
                }
            }
        }
    };
    let say = match &incident.cause {
        Some(cause) => format!("{word}: {}", cause.title),
        None => format!("{word}: {}", incident.title),
    };
    let title = format!("{word}: {}", incident.title);
    framed(
        shell,
        &Page {
            title: &title,
            part: "incidents",
            body,
            watch: "incident monitor report",
            only: &incident.id,
            say: &say,
            stage: "",
            reload_s: None,
        },
    )
}

fn why(incident: &IncidentView) -> Markup {
    html! {
        @match &incident.cause {
            Some(cause) => {
                p.big { (foreign(&cause.title)) }
                ul.chips {
                    li { span.chip { (cause.label) } }
                    li { span.chip { (percent(cause.confidence)) " of belief" } }
                    li { code.soft { (clean(&cause.id)) } }
                }
            },
            None => p { (diagnosis(&incident.diagnosis)) @if incident.diagnosis == "diagnosing" { " " span.spin aria-hidden="true" {} } },
        }
        @if let (Some(at), Some(by)) = (incident.acknowledged, &incident.acknowledged_by) {
            p.soft { "Acknowledged by " (foreign(by)) ", " (time(at)) }
        }
    }
}

fn proof(incident: &IncidentView, report: &Report) -> Markup {
    let id = incident.cause.as_ref().map(|c| c.id.as_str());
    let main = report.causes.iter().position(|c| Some(c.id.as_str()) == id).unwrap_or(0);
    let mut order: Vec<usize> = (0..report.causes.len()).filter(|i| *i != main).collect();
    if main < report.causes.len() {
        order.insert(0, main);
    }
    html! {
        @if !report.causes.is_empty() {
            section.card aria-labelledby="proof" {
                h2 id="proof" { "Proof and rivals" }
                @for i in order { div.step { (judgement::cause(&report.causes[i], i, judgement::is_tied(&report.ties, &report.causes[i].id))) } }
                (judgement::ties(&report.ties))
            }
        } @else {
            section.card aria-labelledby="proof" {
                h2 id="proof" { "No cause was earned by the evidence" }
                p { (foreign(&report.summary)) }
                (judgement::ties(&report.ties))
            }
        }
    }
}

fn difference(incident: &IncidentView) -> Markup {
    let cell = |value: &Option<String>| html! { td.wide { @match value { Some(text) => code { (clean(text)) }, None => span.soft { "nothing" } } } };
    html! {
        section.card aria-labelledby="difference" {
            h2 id="difference" { "Last good check against the first bad one" }
            @if incident.difference.is_empty() {
                p.soft { "Nothing that is compared has changed, or there was no good check to compare with." }
            } @else {
                (table("Difference", &["What", "Last good", "First bad"], html! {
                    @for change in &incident.difference {
                        tr { th scope="row" { (foreign(&change.what)) } (cell(&change.before)) (cell(&change.after)) }
                    }
                }))
            }
        }
    }
}

fn monitors(shell: &Shell, incident: &IncidentView) -> Markup {
    html! {
        section.card aria-labelledby="part" {
            h2 { span id="part" { "Monitors" } span.note { (incident.monitors.len()) } }
            ul.rows {
                @for monitor in incident.monitors.iter().take(100) {
                    li {
                        a.title href={ "/monitors/" (monitor.id) } { (foreign(&monitor.name)) }
                        div.meta.end {
                            @match monitor.left {
                                Some(at) => { "up again " (ago(shell.now, at)) },
                                None => { "since " (ago(shell.now, monitor.joined)) },
                            }
                        }
                    }
                }
            }
            @if incident.monitors.len() > 100 { p.soft { "and " (incident.monitors.len() - 100) " more" } }
        }
    }
}

fn timeline(incident: &IncidentView) -> Markup {
    let tone = |kind: &str| match kind {
        "first-failure" | "confirmed" | "opened" | "joined" => "bad",
        "resolved" | "left" => "good",
        "diagnosed" | "alerted" => "open",
        _ => "",
    };
    html! {
        @if incident.timeline.is_empty() { p.soft { "Nothing is written yet." } }
        ol.line {
            @for entry in &incident.timeline {
                li class=(tone(&entry.kind)) {
                    p { (foreign(&entry.say)) }
                    p.soft.small {
                        (time(entry.at)) " · " (entry.kind.replace('-', " "))
                        @if let Some(actor) = &entry.actor { " · " (foreign(actor)) }
                    }
                }
            }
        }
    }
}
