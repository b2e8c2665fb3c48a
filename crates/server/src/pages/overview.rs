//! What is wrong now, and then everything that is watched.

use std::collections::BTreeMap;

use maud::{Markup, html};

use super::layout::{Page, Shell, framed, heading};
use super::parts::{
    Tone, ago, bars, bars_legend, filled, foreign, icon, pager, percent, seconds, span, verdict,
    verdict_state,
};
use crate::Role;
use crate::api::model::{BucketView, IncidentView, JobView, Listing, MonitorView};

/// What the overview shows.
#[derive(Debug)]
pub(crate) struct Overview {
    /// Open incidents, worst first.
    pub(crate) troubles: Vec<IncidentView>,
    /// One page of the monitors that match the filter.
    pub(crate) monitors: Listing<MonitorView>,
    /// The last 24 hours by monitor, hour by hour, as far as there are sums.
    pub(crate) hours: BTreeMap<String, Vec<BucketView>>,
    /// Monitors by verdict, over all of them.
    pub(crate) counts: BTreeMap<String, u64>,
    /// What is looked for.
    pub(crate) filter: Filter,
    /// Jobs of the server that failed or are overdue; only for an admin of the operator's organisation.
    pub(crate) jobs: Vec<JobView>,
}

/// What a list of monitors is narrowed down to.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Filter {
    /// A verdict.
    pub(crate) verdict: String,
    /// A label: `name=value`.
    pub(crate) label: String,
    /// A part of the name or of the external id.
    pub(crate) text: String,
    /// Where the page begins.
    pub(crate) after: String,
}

impl Filter {
    fn is_set(&self) -> bool {
        !(self.verdict.is_empty() && self.label.is_empty() && self.text.is_empty())
    }

    fn query(&self) -> [(&'static str, &str); 3] {
        [("verdict", &self.verdict), ("label", &self.label), ("q", &self.text)]
    }
}

/// Verdicts in the order of their weight.
pub(crate) const VERDICTS: [&str; 8] =
    ["down", "degraded", "inconclusive", "blocked", "up", "maintenance", "paused", "new"];

/// The overview.
pub(crate) fn page(shell: &Shell, data: &Overview) -> Markup {
    let all: u64 = data.counts.values().sum();
    let down = data.counts.get("down").copied().unwrap_or(0);
    let say = format!("{} open incidents, {down} monitors down", data.troubles.len());
    let title = if data.troubles.is_empty() {
        "Overview".into()
    } else {
        format!("({}) Overview", data.troubles.len())
    };
    let tools = html! {
        @if shell.may(Role::Editor) && all > 0 {
            a.button href="/add" { "Audit a URL" }
            a.button.primary href="/monitors/new" { "New monitor" }
        }
    };
    let body = html! {
        (heading(html! { "Overview" }, html! {}, tools))
        div id="jobs" data-live {
            @if !data.jobs.is_empty() {
                section.card.tone.warn aria-labelledby="jobs-title" {
                    h2 id="jobs-title" { "This server's own work" }
                    ul.rows {
                        @for job in &data.jobs {
                            li {
                                div {
                                    a.title href="/jobs" { (job.title) }
                                    @if let Some(say) = &job.say { div.meta { (foreign(say)) } }
                                }
                                div.end { (super::parts::state(Tone::Warn, if job.status == "failed" { "Failed" } else { "Overdue" })) }
                            }
                        }
                    }
                }
            }
        }
        @if all == 0 {
            (start(shell))
        } @else {
            div id="troubles" data-live { (troubles(shell, &data.troubles, &data.counts)) }
            (list(shell, data))
        }
    };
    framed(
        shell,
        &Page {
            title: &title,
            part: "overview",
            body,
            watch: "monitor incident job",
            only: "",
            say: &say,
            stage: "",
            reload_s: None,
        },
    )
}

/// What a newcomer sees: one field that leads to the first audit.
fn start(shell: &Shell) -> Markup {
    html! {
        section.card aria-labelledby="first" {
            h2 id="first" { "Add your first target" }
            @if shell.may(Role::Editor) {
                div.empty {
                    p { "Give the URL of something that should be in production. Landfall audits it at once, says what is wrong and why, and can then keep watch over it." }
                    (audit_form(shell, ""))
                    p.soft.small { "Or " a href="/monitors/new" { "describe a monitor yourself" } ", or " a href="/heartbeats/new" { "let a scheduled job report to you" } "." }
                }
            } @else {
                p { "Nothing is watched yet. Somebody with the role of an editor can add the first target." }
            }
        }
    }
}

/// The form that starts an audit.
pub(crate) fn audit_form(shell: &Shell, url: &str) -> Markup {
    html! {
        form method="post" action="/reports" {
            (shell.token())
            div.field {
                label for="audit-url" { "Production URL" }
                input type="url" id="audit-url" name="url" value=(url) placeholder="https://api.example.com/health" required maxlength="2000" autocomplete="url" aria-describedby="audit-hint";
                p.hint id="audit-hint" { "Only GET and HEAD are sent, a few dozen requests in all." }
            }
            button.primary type="submit" { "Audit now" }
        }
    }
}

/// The page that begins with a URL.
pub(crate) fn add_page(shell: &Shell, url: &str) -> Markup {
    let body = html! {
        (heading(html! { "Add a target" }, html! { p.soft { "First an audit, so that you know where you stand; then a monitor out of it." } }, html! {}))
        section.card { h2 { "Audit a URL" } (audit_form(shell, url)) }
        p.soft { "You know already what you want? " a href="/monitors/new" { "Describe a monitor" } "." }
    };
    framed(shell, &Page::still("Add a target", "overview", body))
}

fn troubles(shell: &Shell, troubles: &[IncidentView], counts: &BTreeMap<String, u64>) -> Markup {
    html! {
        @if troubles.is_empty() {
            @let sure = ["inconclusive", "blocked", "down", "degraded"].iter().all(|v| counts.get(*v).copied().unwrap_or(0) == 0);
            div.card.tone.good[sure].open[!sure] {
                @if sure {
                    span.state.good { (icon(Tone::Good)) "No open incident" }
                } @else {
                    span.state.open { (icon(Tone::Open)) "No open incident, though not every monitor is up" }
                }
            }
        } @else {
            section.card.tone.bad aria-labelledby="now" {
                h2 { span id="now" { "What is wrong now" } }
                ul.rows {
                    @for incident in troubles { (incident_row(shell, incident)) }
                }
            }
        }
    }
}

/// One incident in a list.
pub(crate) fn incident_row(shell: &Shell, incident: &IncidentView) -> Markup {
    let (tone, word) = incident_state(incident);
    html! {
        li {
            div {
                a.title href={ "/incidents/" (incident.id) } { (foreign(&incident.title)) }
                div.meta {
                    @match &incident.cause {
                        Some(cause) => { "Cause: " strong { (foreign(&cause.title)) } " (" (cause.label) ", " (percent(cause.confidence)) ")" },
                        None => (diagnosis(&incident.diagnosis)),
                    }
                }
                div.meta {
                    (incident.severity) " · "
                    @match incident.monitors.len() { 1 => { "1 monitor" }, n => { (n) " monitors" } }
                    " · began " (ago(shell.now, incident.began))
                    @if let Some(end) = incident.resolved { ", lasted " (span(incident.began, end)) }
                    @if let Some(by) = &incident.acknowledged_by { " · acknowledged by " (foreign(by)) }
                }
            }
            div.end { (super::parts::state(tone, word)) }
        }
    }
}

/// How an incident stands.
pub(crate) fn incident_state(incident: &IncidentView) -> (Tone, &'static str) {
    match (incident.status.as_str(), &incident.acknowledged) {
        ("resolved", _) => (Tone::Good, "Resolved"),
        ("confirming", _) => (Tone::Open, "Being confirmed"),
        (_, Some(_)) => (Tone::Warn, "Acknowledged"),
        _ => (Tone::Bad, "Open"),
    }
}

/// Where the search for the cause stands.
pub(crate) fn diagnosis(word: &str) -> Markup {
    html! {
        @match word {
            "diagnosing" => { "Cause: being looked for" },
            "unknown" => { "Cause: the audit could not name one" },
            "known" => { "Cause: known" },
            other => { "Cause: not known (" (foreign(other)) ")" },
        }
    }
}

fn list(shell: &Shell, data: &Overview) -> Markup {
    let filter = &data.filter;
    html! {
        section.card aria-labelledby="all" {
            h2 { span id="all" { "Monitors" } span.note { (summary(&data.counts)) } }
            form.filter method="get" action="/" role="search" {
                div.field {
                    label for="q" { "Name or external id" }
                    input type="search" id="q" name="q" value=(filter.text) maxlength="200";
                }
                div.field.slimmer {
                    label for="verdict" { "Verdict" }
                    select id="verdict" name="verdict" {
                        option value="" { "any" }
                        @for word in VERDICTS {
                            option value=(word) selected[filter.verdict == word] {
                                (verdict(word).1) " (" (data.counts.get(word).copied().unwrap_or(0)) ")"
                            }
                        }
                    }
                }
                div.field.slimmer {
                    label for="label" { "Label" }
                    input type="text" id="label" name="label" value=(filter.label) placeholder="team=core" maxlength="200";
                }
                div.tools {
                    button type="submit" { "Filter" }
                    @if filter.is_set() { a href="/" { "Clear" } }
                }
            }
            div id="monitors" data-live {
                @if data.monitors.items.is_empty() {
                    p { "No monitor matches." }
                } @else {
                    ul.rows.monitors { @for monitor in &data.monitors.items { (row(shell, monitor, data.hours.get(&monitor.id))) } }
                    (bars_legend())
                }
                (pager(&data.monitors, "/", &filter.query(), filter.after.is_empty()))
            }
        }
    }
}

fn summary(counts: &BTreeMap<String, u64>) -> String {
    let parts: Vec<String> = VERDICTS
        .iter()
        .filter_map(|v| {
            counts.get(*v).filter(|n| **n > 0).map(|n| format!("{n} {}", verdict(v).1.to_lowercase()))
        })
        .collect();
    parts.join(", ")
}

fn row(shell: &Shell, monitor: &MonitorView, hours: Option<&Vec<BucketView>>) -> Markup {
    let hours = filled(hours.map_or(&[], Vec::as_slice), shell.now, 3600, 24);
    html! {
        li {
            div.v { (verdict_state(&monitor.verdict)) }
            div.n {
                a.title href={ "/monitors/" (monitor.id) } { (foreign(&monitor.name)) }
                div.meta {
                    (monitor.kind) " · " (foreign(&monitor.target))
                    @if monitor.verdict != "up" { @if let Some(say) = &monitor.say { " · " (foreign(say)) } }
                }
            }
            div.b { (bars(&hours, false, false)) }
            div.u.num.end {
                @match monitor.uptime_24h { Some(share) => (percent(share)), None => span.soft { "—" span.sr { "no uptime yet" } } }
            }
            div.c.meta.end {
                @match monitor.last_check {
                    Some(at) => (ago(shell.now, at)),
                    None => { "not yet" },
                }
                @if let Some(every) = monitor.spec.get("interval_s").and_then(serde_json::Value::as_u64) {
                    br; "every " (seconds(every))
                }
            }
        }
    }
}
