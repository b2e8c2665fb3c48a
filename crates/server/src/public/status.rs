//! A status page: what it shows, and how it looks.

use std::time::Duration;

use jiff::Timestamp;
use landfall_monitor::WindowSpec;
use landfall_store::status::{PostKind, PublicIncident, PublicMonitor, PublicStatus, StatusPost, Sums};
use maud::{DOCTYPE, Markup, html};
use serde_json::{Value, json};

use crate::api::model::BucketView;
use crate::pages::assets::{CSS, ICON, JS};
use crate::pages::parts::{
    Tone, ago, bars, bars_legend, clean, distance, filled, foreign, icon, percent, span, stamp, state, time,
    times, uptime, verdict,
};

/// From when and where a page is seen.
#[derive(Debug, Clone)]
pub(super) struct Seen {
    /// Now.
    pub(super) now: Timestamp,
    /// When the data was read.
    pub(super) read: Timestamp,
    /// Whether reading it anew failed since.
    pub(super) failing: bool,
    /// Where people reach the server.
    pub(super) public_url: String,
}

/// A monitor that was not checked for so many intervals is not known to be up, whatever was true last.
const LATE: i64 = 3;
/// Not before so many microseconds, though: a short interval and one slow round is no blindness.
const LATE_AT_LEAST_US: i64 = 180_000_000;

/// What is known of a monitor now: nothing, when nobody has looked for a while.
fn current(monitor: &PublicMonitor, seen: &Seen) -> &'static str {
    let word = ["up", "degraded", "down", "inconclusive", "paused", "maintenance", "blocked", "new"]
        .into_iter()
        .find(|w| *w == monitor.verdict)
        .unwrap_or("inconclusive");
    let limit = (monitor.interval_us.saturating_mul(LATE)).max(LATE_AT_LEAST_US);
    let age = monitor.last_check.map(|at| seen.read.as_microsecond() - at.as_microsecond());
    match word {
        "up" | "degraded" | "down" if age.is_none_or(|a| a > limit) => "missed",
        word => word,
    }
}

/// The overall state: tone and sentence.
fn overall(status: &PublicStatus, seen: &Seen) -> (Tone, String) {
    let words: Vec<&str> = status.monitors.iter().map(|m| current(m, seen)).collect();
    let count = |w: &str| words.iter().filter(|x| **x == w).count();
    let working = status.posts.iter().any(|p| p.kind == PostKind::Maintenance && p.state == "in-progress");
    let announced = status.posts.iter().any(|p| p.kind == PostKind::Incident && p.closed.is_none());
    let unsure = count("inconclusive") + count("blocked") + count("missed") + count("new");
    if words.is_empty() {
        return (Tone::Idle, "Nothing is shown here yet".into());
    }
    if seen.failing {
        return (Tone::Open, "The current state is not known".into());
    }
    match count("down") {
        0 if announced => (Tone::Warn, "An incident is being handled".into()),
        0 if count("degraded") > 0 => (Tone::Warn, "Some services are degraded".into()),
        0 if working || count("maintenance") > 0 => (Tone::Idle, "Maintenance is under way".into()),
        0 if unsure > 0 => (Tone::Open, "Some services cannot be judged at the moment".into()),
        0 if count("up") == 0 => (Tone::Idle, "Nothing is being checked at the moment".into()),
        0 => (Tone::Good, "All services are up".into()),
        n if n == words.len() => (Tone::Bad, "All services are down".into()),
        1 => (Tone::Bad, "One service is down".into()),
        n => (Tone::Bad, format!("{n} services are down")),
    }
}

/// An opening of a maintenance window as the public sees it: neither its name, which may say more than is for everybody,
/// nor monitors that are not public.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Work {
    monitors: Vec<String>,
    starts: Option<Timestamp>,
    ends: Option<Timestamp>,
    zone: String,
}

/// Openings that begin within so long are shown.
const AHEAD: Duration = Duration::from_secs(7 * 24 * 3600);

/// Windows that are open now (without a beginning, which nobody asks for), and the next openings of all of them.
fn works(status: &PublicStatus, seen: &Seen) -> Vec<Work> {
    let mut found = Vec::new();
    for text in &status.windows {
        let Ok(spec) = serde_json::from_str::<WindowSpec>(text) else { continue };
        let Ok(window) = spec.compile() else { continue };
        let concerned = status.monitors.iter().filter(|m| spec.applies(&m.external_id, &m.labels));
        let monitors: Vec<String> = concerned.map(|m| m.name.clone()).collect();
        if monitors.is_empty() {
            continue;
        }
        let end = |at: Timestamp| window.open_until(at).filter(|end| *end < Timestamp::MAX);
        if window.is_open(seen.now) {
            let (monitors, zone) = (monitors.clone(), spec.zone.clone());
            found.push(Work { monitors, starts: None, ends: end(seen.now), zone });
        }
        let latest = seen.now.checked_add(AHEAD).unwrap_or(Timestamp::MAX);
        if let Some(next) = window.next_open(seen.now).filter(|next| *next <= latest) {
            found.push(Work { monitors, starts: Some(next), ends: end(next), zone: spec.zone });
        }
    }
    found.sort_by_key(|w| w.starts);
    found
}

fn work_part(work: &Work, seen: &Seen) -> Markup {
    html! {
        div.step {
            h3 { "Maintenance of " (foreign(&names(&work.monitors))) }
            p {
                (state(Tone::Idle, post_state(if work.starts.is_none() { "in-progress" } else { "scheduled" }))) " "
                span.soft.small {
                    @match (work.starts, work.ends) {
                        (Some(starts), ends) => { (times(starts, ends, &work.zone)) ", " (distance(seen.now, starts)) }
                        (None, Some(ends)) => { "until " (times(ends, None, &work.zone)) }
                        (None, None) => {}
                    }
                }
            }
            @if work.monitors.len() > 2 { p.soft.small { (foreign(&work.monitors.join(", "))) } }
        }
    }
}

/// The title of an incident that the watch saw.
pub(super) fn incident_title(incident: &PublicIncident) -> String {
    names(&incident.monitors)
}

fn names(monitors: &[String]) -> String {
    match monitors {
        [] => "a service".into(),
        [one] => one.clone(),
        [one, two] => format!("{one} and {two}"),
        [one, rest @ ..] => format!("{one} and {} more", rest.len()),
    }
}

/// A state of an announcement, for people.
pub(super) fn post_state(word: &str) -> &'static str {
    match word {
        "investigating" => "being investigated",
        "identified" => "cause identified",
        "monitoring" => "repaired, being watched",
        "resolved" => "resolved",
        "scheduled" => "scheduled",
        "in-progress" => "in progress",
        "completed" => "completed",
        _ => "announced",
    }
}

fn post_tone(post: &StatusPost) -> Tone {
    match (post.kind, post.state.as_str()) {
        (_, "resolved" | "completed") => Tone::Good,
        (PostKind::Incident, "monitoring") => Tone::Warn,
        (PostKind::Incident, _) => Tone::Bad,
        (PostKind::Maintenance, _) => Tone::Idle,
    }
}

fn bucket(sums: &Sums, now: Timestamp) -> BucketView {
    let told = sums.up + sums.degraded + sums.down;
    BucketView {
        from: Timestamp::from_microsecond(sums.from_us).unwrap_or(now),
        up: sums.up,
        degraded: sums.degraded,
        down: sums.down,
        inconclusive: sums.inconclusive,
        maintenance: sums.maintenance,
        missed: sums.missed,
        uptime: (told > 0).then(|| (sums.up + sums.degraded) as f64 / told as f64),
        mean_ms: None,
        max_ms: None,
    }
}

fn days(monitor: &PublicMonitor, seen: &Seen) -> Vec<BucketView> {
    let known: Vec<BucketView> = monitor.days.iter().map(|s| bucket(s, seen.now)).collect();
    filled(&known, seen.read, 86_400, 90)
}

/// The page.
pub(super) fn page(status: &PublicStatus, seen: &Seen) -> Markup {
    let (tone, sentence) = overall(status, seen);
    let path = format!("/status/{}", status.page.slug);
    let (open, over): (Vec<&StatusPost>, Vec<&StatusPost>) =
        status.posts.iter().partition(|p| p.closed.is_none());
    let (planned, open): (Vec<&StatusPost>, Vec<&StatusPost>) =
        open.into_iter().partition(|p| p.kind == PostKind::Maintenance && p.state == "scheduled");
    let (current, past): (Vec<&PublicIncident>, Vec<&PublicIncident>) =
        status.incidents.iter().partition(|i| i.resolved.is_none());
    let (under_way, ahead): (Vec<Work>, Vec<Work>) =
        works(status, seen).into_iter().partition(|w| w.starts.is_none());
    html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                @if status.page.noindex { meta name="robots" content="noindex"; }
                meta name="description" content=(clean(&sentence));
                title { (clean(&status.page.title)) ": " (sentence) }
                link rel="icon" type="image/svg+xml" href=(ICON.href);
                link rel="stylesheet" href=(CSS.href);
                link rel="alternate" type="application/rss+xml" title=(clean(&status.page.title)) href={ (path) "/rss" };
                script type="module" src=(JS.href) {}
                noscript { meta http-equiv="refresh" content="60"; }
            }
            body {
                a.skip href="#content" { "To the content" }
                div.public {
                    header {
                        h1 { (foreign(&status.page.title)) }
                        nav aria-label="Other formats" { a href={ (path) "/rss" } { "RSS" } " · " a href={ (path) "/json" } { "JSON" } }
                    }
                    main id="content" {
                        @if !status.page.about.is_empty() { p.soft { (foreign(&status.page.about)) } }
                        @if seen.failing {
                            div.flash.open role="status" {
                                (icon(Tone::Open))
                                p { "Our own database cannot be read at the moment. What you see is from " (time(seen.read)) " (" (distance(seen.now, seen.read)) ")." }
                            }
                        }
                        p class={ "banner " (tone.class()) } role="status" { (icon(tone)) (sentence) }
                        @if !open.is_empty() || !current.is_empty() || !under_way.is_empty() {
                            section class={ "card tone " (if open.is_empty() && current.is_empty() { "idle" } else { "bad" }) } aria-labelledby="now" {
                                h2 id="now" { "Now" }
                                @for post in &open { (announcement(post, seen)) }
                                @for incident in &current { (automatic(incident, seen)) }
                                @for work in &under_way { (work_part(work, seen)) }
                            }
                        }
                        @if !planned.is_empty() || !ahead.is_empty() {
                            section.card aria-labelledby="planned" {
                                h2 id="planned" { "Scheduled maintenance" }
                                @for post in &planned { (announcement(post, seen)) }
                                @for work in &ahead { (work_part(work, seen)) }
                            }
                        }
                        section.card aria-labelledby="services" {
                            h2 { span id="services" { "Services" } span.note { "the last 90 days" } }
                            @for monitor in &status.monitors { (service(monitor, seen)) }
                            @if status.monitors.is_empty() { p { "No service is shown here yet." } } @else { (bars_legend()) }
                        }
                        section.card aria-labelledby="past" {
                            h2 { span id="past" { "Past incidents" } span.note { "the last 30 days" } }
                            @if over.is_empty() && past.is_empty() { p.soft { "None." } }
                            @for post in &over { (announcement(post, seen)) }
                            @for incident in &past { (automatic(incident, seen)) }
                        }
                    }
                    footer.soft.small {
                        p { "Updated " (ago(seen.now, seen.read)) " (" (stamp(seen.read)) "). Days that nobody watched are drawn as such, and are never counted as up." }
                    }
                }
            }
        }
    }
}

fn service(monitor: &PublicMonitor, seen: &Seen) -> Markup {
    let (tone, word) = verdict(current(monitor, seen));
    let days = days(monitor, seen);
    html! {
        div.service {
            div.line1 { h3 { (foreign(&monitor.name)) } (state(tone, word)) }
            (bars(&days, true, true))
            div.ends {
                span { "90 days ago" }
                span { @match uptime(&days) { Some(share) => { (percent(share)) " up" }, None => "no conclusive check" } }
                span { "today" }
            }
        }
    }
}

fn automatic(incident: &PublicIncident, seen: &Seen) -> Markup {
    let (tone, word) =
        if incident.resolved.is_some() { (Tone::Good, "Resolved") } else { (Tone::Bad, "Ongoing") };
    html! {
        div.step {
            h3 { (foreign(&incident_title(incident))) }
            p { (state(tone, word)) " " span.soft.small { @if incident.resolved.is_some() { "began " } @else { "since " } (time(incident.began)) @match incident.resolved {
                Some(end) => { ", lasted " (span(incident.began, end)) },
                None => { ", for " (span(incident.began, seen.now)) },
            } } }
            @if incident.monitors.len() > 2 { p.soft.small { (foreign(&incident.monitors.join(", "))) } }
        }
    }
}

fn announcement(post: &StatusPost, seen: &Seen) -> Markup {
    html! {
        div.step {
            h3 { (foreign(&post.title)) }
            p {
                (state(post_tone(post), post_state(&post.state))) " "
                span.soft.small {
                    (times(post.starts, post.ends, &post.zone))
                    @if post.starts > seen.now { ", " (distance(seen.now, post.starts)) }
                }
            }
            ol.line {
                @for update in &post.updates {
                    li { p { strong { (post_state(&update.state)) ": " } (foreign(&update.say)) } p.soft.small { (time(update.at)) } }
                }
            }
        }
    }
}

/// The same for programs.
pub(super) fn json(status: &PublicStatus, seen: &Seen) -> Value {
    let (tone, sentence) = overall(status, seen);
    let word = match tone {
        Tone::Good => "up",
        Tone::Warn => "degraded",
        Tone::Bad => "down",
        Tone::Open => "unknown",
        Tone::Idle => "maintenance",
    };
    json!({
        "title": status.page.title,
        "status": word,
        "summary": sentence,
        "read_at": seen.read.to_string(),
        "stale": seen.failing,
        "monitors": status.monitors.iter().map(|m| json!({
            "id": m.id.to_string(),
            "name": m.name,
            "verdict": match current(m, seen) { "missed" => "unknown", word => word },
            "last_check": m.last_check.map(|t| t.to_string()),
            "uptime_90d": Sums::uptime(&m.days),
        })).collect::<Vec<_>>(),
        "incidents": status.incidents.iter().map(|i| json!({
            "id": i.id.to_string(),
            "monitors": i.monitors,
            "began": i.began.to_string(),
            "resolved": i.resolved.map(|t| t.to_string()),
        })).collect::<Vec<_>>(),
        "maintenance": works(status, seen).iter().map(|w| json!({
            "monitors": w.monitors,
            "open": w.starts.is_none(),
            "starts": w.starts.map(|t| t.to_string()),
            "ends": w.ends.map(|t| t.to_string()),
            "zone": w.zone,
        })).collect::<Vec<_>>(),
        "announcements": status.posts.iter().map(|p| json!({
            "id": p.id.to_string(),
            "kind": p.kind.word(),
            "title": p.title,
            "state": p.state,
            "starts": p.starts.to_string(),
            "ends": p.ends.map(|t| t.to_string()),
            "zone": p.zone,
            "closed": p.closed.map(|t| t.to_string()),
            "updates": p.updates.iter().map(|u| json!({ "at": u.at.to_string(), "state": u.state, "say": u.say })).collect::<Vec<_>>(),
        })).collect::<Vec<_>>(),
    })
}
