//! One monitor: how it is, how it was, and what it is made of.

use maud::{Markup, html};
use serde_json::Value;

use super::layout::{Page, Shell, framed, heading, trail};
use super::overview::incident_row;
use super::parts::{
    Tone, ago, bars, bars_legend, facts, filled, foreign, millis, pager, percent, seconds, table, time,
    uptime, verdict, verdict_state,
};
use crate::Role;
use crate::api::model::{BucketView, IncidentView, Listing, MonitorView, PhasesView, ResultView};

/// What a monitor's page shows.
#[derive(Debug)]
pub(crate) struct MonitorPage {
    /// The monitor.
    pub(crate) monitor: MonitorView,
    /// Hourly sums of the last 24 hours, as far as there are any.
    pub(crate) hours: Vec<BucketView>,
    /// Daily sums of the last 90 days, as far as there are any.
    pub(crate) days: Vec<BucketView>,
    /// Results, newest first.
    pub(crate) results: Listing<ResultView>,
    /// Where the results begin; empty for the newest.
    pub(crate) after: String,
    /// Its latest incidents, newest first.
    pub(crate) incidents: Vec<IncidentView>,
}

/// A monitor's page.
pub(crate) fn page(shell: &Shell, data: &MonitorPage) -> Markup {
    let m = &data.monitor;
    let (tone, word) = verdict(&m.verdict);
    let path = format!("/monitors/{}", m.id);
    let editor = shell.may(Role::Editor);
    let owned = m.origin == "file";
    let tools = html! {
        @if editor {
            @if !m.paused { (shell.press(&format!("{path}/check"), "Check now", "")) }
            (shell.press(&format!("{path}/audit"), "Audit now", ""))
            @if m.paused {
                (shell.press(&format!("{path}/resume"), "Resume", ""))
            } @else {
                (shell.press(&format!("{path}/pause"), "Pause", ""))
            }
            @if !owned { a.button href={ (path) "/edit" } { "Edit" } }
        }
    };
    let below = html! { p.soft { (m.kind) " · " (foreign(&m.target)) } };
    let hours = filled(&data.hours, shell.now, 3600, 24);
    let days = filled(&data.days, shell.now, 86_400, 90);
    let body = html! {
        (trail("/", "Overview"))
        (heading(foreign(&m.name), below, tools))
        div id="now" data-live { (now(shell, m, tone)) }
        section.card aria-labelledby="uptime" {
            h2 { span id="uptime" { "Uptime" } span.note { "inconclusive checks and maintenance do not count" } }
            div id="bars" data-live {
                (period("Last 24 hours", &hours, false, "24 h ago", "now"))
                (period("Last 90 days", &days, true, "90 days ago", "today"))
                (bars_legend())
            }
        }
        section.card aria-labelledby="latency" {
            h2 { span id="latency" { "Latency by phase" } span.note { "the checks in the table below, oldest first" } }
            div id="chart" data-live { (chart(&data.results.items)) }
        }
        section.card aria-labelledby="results" {
            h2 id="results" { "Results" }
            div id="list" data-live {
                @if data.results.items.is_empty() { p { "It has not been checked yet." } }
                @else { (results(&data.results.items)) }
                (pager(&data.results, &path, &[], data.after.is_empty()))
            }
        }
        section.card aria-labelledby="incidents" {
            h2 id="incidents" { "Incidents" }
            div id="troubles" data-live {
                @if data.incidents.is_empty() { p.soft { "None on record." } }
                @else { ul.rows { @for incident in &data.incidents { (incident_row(shell, incident)) } } }
            }
        }
        section.card aria-labelledby="spec" {
            h2 { span id="spec" { "What is checked" } span.note { "external id " code { (m.external_id) } } }
            (spec(m))
            @if owned {
                p.soft { "A configuration file owns this monitor: change it there, and apply the file." }
            } @else if editor {
                (shell.careful(&format!("{path}/delete"), "Delete this monitor", "Its results and incidents stay in the history of the organisation, but nothing watches the target any more."))
            }
        }
    };
    let say = format!("{} is {}", m.name, word);
    framed(
        shell,
        &Page {
            title: &format!("{word}: {}", m.name),
            part: "overview",
            body,
            watch: "monitor incident",
            only: &m.id,
            say: &say,
            stage: "",
            reload_s: None,
        },
    )
}

fn now(shell: &Shell, m: &MonitorView, tone: Tone) -> Markup {
    html! {
        section class={ "card tone " (tone.class()) } aria-label="Now" {
            dl.stats {
                div { dt { "Verdict" } dd { (verdict_state(&m.verdict)) } }
                div { dt { "Since" } dd { (ago(shell.now, m.since)) } }
                div { dt { "Last check" } dd { @match m.last_check { Some(at) => (ago(shell.now, at)), None => "none yet" } } }
                div { dt { "Next check" } dd { @match m.next_check { Some(at) if !m.paused => (ago(shell.now, at)), _ => "—" } } }
                div { dt { "Took" } dd { @match m.took_ms { Some(ms) => (millis(ms)), None => "—" } } }
                div { dt { "Last up" } dd { @match m.last_up { Some(at) => (ago(shell.now, at)), None => "never seen" } } }
            }
            @if let Some(say) = &m.say {
                p { (foreign(say)) @if let Some(reason) = &m.reason { " " code.soft { (reason) } } }
            }
            @if let Some(incident) = &m.incident {
                p { strong { a href={ "/incidents/" (incident) } { "See the incident, with its cause" } } }
            }
        }
    }
}

fn period(title: &str, buckets: &[BucketView], day: bool, from: &str, to: &str) -> Markup {
    html! {
        div.period {
            h3 { (title) ": " @match uptime(buckets) { Some(share) => (percent(share)), None => span.soft { "no conclusive check" } } }
            (bars(buckets, day, true))
            div.ends { span { (from) } span { (to) } }
        }
    }
}

/// Phases in the order of an exchange: class, name, value.
fn phases(of: &PhasesView) -> [(&'static str, &'static str, Option<f64>); 5] {
    [
        ("resolve", "Resolve", of.resolve_ms),
        ("connect", "Connect", of.connect_ms),
        ("tls", "TLS", of.tls_ms),
        ("wait", "Wait", of.wait_ms),
        ("transfer", "Transfer", of.transfer_ms),
    ]
}

const WIDTH: f64 = 900.0;
const HEIGHT: f64 = 170.0;
/// Room for the figures at the left.
const LEFT: f64 = 58.0;
const TOP: f64 = 16.0;
/// Checks that fit into the drawing.
const MOST: usize = 100;

fn coordinate(value: f64) -> String {
    let text = format!("{value:.1}");
    text.trim_end_matches('0').trim_end_matches('.').to_owned()
}

/// The next round figure at or above a duration.
fn round_up(ms: f64) -> f64 {
    if ms.is_nan() || ms <= 1.0 {
        return 1.0;
    }
    let base = 10f64.powf(ms.log10().floor());
    [1.0, 2.0, 5.0, 10.0].into_iter().map(|f| f * base).find(|top| *top >= ms).unwrap_or(ms)
}

/// Latency by phase, one column a check, oldest at the left. `results` come newest first.
pub(crate) fn chart(results: &[ResultView]) -> Markup {
    let shown: Vec<&ResultView> = results.iter().filter(|r| r.outcome != "missed").take(MOST).collect();
    if shown.is_empty() {
        return html! { p.soft { "Nothing to draw yet." } };
    }
    let top = round_up(shown.iter().map(|r| r.took_ms).fold(0.0, f64::max));
    let column = ((WIDTH - LEFT) / shown.len() as f64).min(24.0);
    let height = |ms: f64| (ms.max(0.0) / top).min(1.0) * HEIGHT;
    let mean = shown.iter().map(|r| r.took_ms).sum::<f64>() / shown.len() as f64;
    let failed = shown.iter().filter(|r| r.outcome == "down").count();
    let label = format!(
        "{} checks, on average {}; {failed} of them failed. The table of results holds the same figures.",
        shown.len(),
        millis(mean)
    );
    html! {
        div.scroll role="group" aria-label="Latency" tabindex="0" {
            svg.chart viewBox={ "0 0 " (WIDTH) " " (HEIGHT + TOP + 4.0) } role="img" aria-label=(label) {
                @for share in [0.0, 0.5, 1.0] {
                    @let y = TOP + HEIGHT - share * HEIGHT;
                    line.axis x1=(LEFT) x2=(WIDTH) y1=(coordinate(y)) y2=(coordinate(y)) {}
                    text x=(LEFT - 6.0) y=(coordinate(y + 4.0)) text-anchor="end" { (millis(share * top)) }
                }
                @for (i, result) in shown.iter().rev().enumerate() {
                    @let x = LEFT + i as f64 * column;
                    g {
                        title { (super::parts::stamp(result.started)) ": " (verdict(&result.outcome).1) ", " (millis(result.took_ms)) }
                        @for (class, from, length) in stack(result) {
                            rect class=(class) x=(coordinate(x + column * 0.12)) width=(coordinate(column * 0.76)) y=(coordinate(TOP + HEIGHT - height(from + length))) height=(coordinate(height(length))) {}
                        }
                        @if result.outcome == "down" {
                            @let middle = x + column / 2.0;
                            path.mark d={ "M" (coordinate(middle - 3.5)) " 3l7 7m0-7l-7 7" } {}
                        }
                    }
                }
            }
        }
        ul.legend {
            @for (class, name, _) in phases(&PhasesView::default()) {
                li { svg viewBox="0 0 10 10" aria-hidden="true" { rect class=(class) width="10" height="10" rx="2" {} } (name) }
            }
            li { svg viewBox="0 0 10 10" aria-hidden="true" { rect.whole width="10" height="10" rx="2" {} } "Other" }
            li { svg.chart viewBox="0 0 10 10" aria-hidden="true" { path.mark d="M1.5 1.5l7 7m0-7l-7 7" {} } "Failed" }
        }
    }
}

/// The slices of one column from the bottom up: class, where it begins, how long it is.
fn stack(result: &ResultView) -> Vec<(&'static str, f64, f64)> {
    let mut at = 0.0;
    let mut slices = Vec::new();
    for (class, _, length) in phases(&result.phases) {
        if let Some(length) = length.filter(|l| *l > 0.0) {
            slices.push((class, at, length));
            at += length;
        }
    }
    if result.took_ms > at {
        slices.push(("whole", at, result.took_ms - at));
    }
    slices
}

fn results(results: &[ResultView]) -> Markup {
    let cell = |ms: Option<f64>| html! { td.r { @match ms { Some(ms) => (millis(ms)), None => span.soft { "—" } } } };
    let rows = html! {
        @for r in results {
            tr {
                td { (time(r.started)) }
                td { (verdict_state(&r.outcome)) }
                td { (foreign(&r.say)) @if let Some(reason) = &r.reason { " " code.soft { (reason) } } }
                td.r { (millis(r.took_ms)) }
                @for (_, _, ms) in phases(&r.phases) { (cell(ms)) }
            }
        }
    };
    table(
        "Results",
        &["Began", "Outcome", "What it said", "Took", "Resolve", "Connect", "TLS", "Wait", "Transfer"],
        rows,
    )
}

fn spec(m: &MonitorView) -> Markup {
    let number = |key: &str| m.spec.get(key).and_then(Value::as_u64);
    let list = |key: &str| {
        let items: Vec<&str> = m
            .spec
            .get(key)
            .and_then(Value::as_array)
            .into_iter()
            .flatten()
            .filter_map(Value::as_str)
            .collect();
        (!items.is_empty()).then(|| foreign(&items.join(", ")))
    };
    let labels = m.spec.get("labels").and_then(Value::as_object).filter(|l| !l.is_empty()).map(|labels| {
        html! { ul.chips { @for (name, value) in labels { li { span.chip { (foreign(name)) "=" (foreign(value.as_str().unwrap_or_default())) } } } } }
    });
    let check = m.spec.get("check").and_then(Value::as_object);
    let tries = match (number("fail_after"), number("recover_after")) {
        (Some(fail), Some(recover)) => {
            let row = |n, one: &str, many: &str| {
                if n == 1 { one.to_owned() } else { format!("{n} {many} in a row") }
            };
            Some(
                html! { "down after " (row(fail, "the first failure", "failures")) ", up again after " (row(recover, "the first success", "successes")) },
            )
        }
        _ => None,
    };
    html! {
        (facts(&[
            ("Interval", number("interval_s").map(|s| html! { (seconds(s)) @if let Some(retry) = number("retry_s") { ", while failing " (seconds(retry)) } })),
            ("Timeout", number("timeout_ms").map(|ms| html! { (millis(ms as f64)) })),
            ("Verdict", tries),
            ("Reminders", number("remind_s").map(|s| html! { "every " (seconds(s)) " while it is down" })),
            ("Needs", list("depends_on")),
            ("Channels", Some(list("channels").unwrap_or_else(|| html! { "all enabled ones" }))),
            ("Labels", labels),
            ("Public", Some(html! { (if m.spec.get("public") == Some(&Value::Bool(true)) { "shown on status pages" } else { "no" }) })),
        ]))
        @if let Some(check) = check {
            details.more {
                summary { "The check itself" }
                dl.facts {
                    @for (name, value) in check {
                        dt { (name) }
                        dd { @match value { Value::String(text) => (foreign(text)), other => code { (super::parts::clean(&other.to_string())) } } }
                    }
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn axes_end_at_round_figures() {
        assert_eq!(round_up(0.0), 1.0);
        assert_eq!(round_up(83.0), 100.0);
        assert_eq!(round_up(101.0), 200.0);
        assert_eq!(round_up(4700.0), 5000.0);
        assert_eq!(round_up(f64::NAN), 1.0);
    }
}
