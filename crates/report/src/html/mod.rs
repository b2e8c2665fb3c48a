//! One self-contained page: no script, no request, no font but the reader's own; light and dark, desk, phone and paper.
//!
//! Templates are compiled (maud), so what is not escaped does not type-check, and a content security policy in the page
//! forbids scripts and requests should anything ever slip through.

mod drawing;
mod evidence;
mod judgement;
mod limits;
mod waterfall;

use landfall_diagnosis::{HopState, Severity, Status, Verdict};
use landfall_evidence::ObservationId;
use maud::{DOCTYPE, Markup, PreEscaped, html};

use crate::model::{Outcome, Report};
use crate::text::clean_block;
use crate::words;

const CSS: &str = include_str!("style.css");

/// What the page may do: be styled by its own style sheet.
const POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; form-action 'none'";

pub(crate) fn render(report: &Report) -> String {
    let title =
        format!("{}: {} (Landfall)", report.target.name, words::verdict(report.verdict).to_lowercase());
    let page = html! {
        (DOCTYPE)
        html lang="en" {
            head {
                meta charset="utf-8";
                meta http-equiv="Content-Security-Policy" content=(POLICY);
                meta name="viewport" content="width=device-width, initial-scale=1";
                meta name="color-scheme" content="light dark";
                meta name="generator" content={ (report.tool.name) " " (report.tool.version) };
                title { (title) }
                style { (PreEscaped(CSS)) }
            }
            body {
                a.skip href="#report" { "To the report" }
                header.top {
                    span { strong { "Landfall" } " production audit" }
                    time datetime=(report.generated_at) { (words::time(report.generated_at)) }
                }
                div.frame {
                    (contents(report))
                    main id="report" {
                        (judgement::hero(report))
                        (judgement::components(report))
                        (judgement::actions(report))
                        (judgement::causes(report))
                        (judgement::readiness(report))
                        (judgement::issues(report))
                        (judgement::verification(report))
                        (evidence::environment(report))
                        (evidence::health(report))
                        (evidence::dns(report))
                        (evidence::tls(report))
                        (evidence::rate_limit(report))
                        (evidence::tests(report))
                        (judgement::routing(report))
                        (evidence::specifications(report))
                        (evidence::timing(report))
                        (evidence::observations(report))
                        (colophon(report))
                    }
                }
            }
        }
    };
    // The last door: control characters in foreign text become visible marks, wherever in the page they stand.
    let mut text = clean_block(&page.into_string()).into_owned();
    text.push('\n');
    text
}

fn contents(report: &Report) -> Markup {
    let link = |id: &str, title: &str| html! { li { a href={ "#" (id) } { (title) } } };
    html! {
        nav aria-label="Contents" {
            div {
                h2 { "Answer" }
                ul {
                    (link("report", "Verdict"))
                    @if !report.actions.is_empty() { (link("actions", "What to do")) }
                    @if !report.causes.is_empty() { (link("causes", "Root cause")) }
                    (link("readiness", "Readiness"))
                    (link("issues", "Issues"))
                    @if !report.verification.is_empty() { (link("verification", "Verification")) }
                }
                h2 { "Evidence" }
                ul {
                    (link("environment", "Environment"))
                    (link("health", "Endpoints"))
                    (link("dns", "DNS"))
                    (link("tls", "TLS"))
                    (link("rate-limit", "Rate limit"))
                    (link("tests", "Tests"))
                    (link("routing", "Routing"))
                    (link("specifications", "Specifications"))
                    (link("timing", "Timing"))
                    (link("observations", "Observations"))
                }
            }
        }
    }
}

fn colophon(report: &Report) -> Markup {
    let evidence = &report.evidence;
    html! {
        footer {
            p {
                "Written by " (report.tool.name) " " (report.tool.version) " from "
                (words::count(evidence.observations as u64, "observation", "observations")) " ("
                (evidence.schema) ", SHA-256 " code { (evidence.sha256) } "), judged with catalogue " code { (report.catalogue) } "."
            }
            @if report.settings.mapped {
                p { "An address map led some names or addresses elsewhere: an address shown is not always where the packets went." }
            }
            @if !report.settings.skipped.is_empty() {
                p { "Left out by the caller: " (report.settings.skipped.join(", ")) "." }
            }
        }
    }
}

/// A section with its heading and a note beside it.
fn section(id: &str, title: &str, note: &str, body: Markup) -> Markup {
    html! {
        section.card id=(id) aria-labelledby={ (id) "-title" } {
            h2 { span id={ (id) "-title" } { (title) } @if !note.is_empty() { span.note { (note) } } }
            (body)
        }
    }
}

/// A table that scrolls by itself where it is wider than the page, reachable by keyboard.
fn table(label: &str, head: &[&str], rows: Markup) -> Markup {
    html! {
        div.scroll role="region" aria-label=(label) tabindex="0" {
            table {
                thead { tr { @for name in head { th scope="col" { (name) } } } }
                tbody { (rows) }
            }
        }
    }
}

/// Links beyond this many are folded away: the first ones prove the claim, the rest only repeat it.
const CITED: usize = 2;

/// Links to the observations behind a claim.
fn cite(report: &Report, ids: &[ObservationId]) -> Markup {
    let link = |id: &ObservationId| {
        html! {
            @match report.timing.observations.iter().position(|o| &o.evidence == id) {
                Some(row) => a href={ "#o" (row) } { (id.0) },
                None => code { (id.0) },
            }
        }
    };
    let list = |ids: &[ObservationId]| {
        html! { @for (i, id) in ids.iter().enumerate() { @if i > 0 { ", " } (link(id)) } }
    };
    // Folding one link away would take more room than showing it.
    let (shown, folded) = if ids.len() > CITED + 1 { ids.split_at(CITED) } else { (ids, &ids[..0]) };
    html! {
        @if !shown.is_empty() { span.cite { (list(shown)) } }
        @if !folded.is_empty() {
            details.cite { summary { "and " (folded.len()) " more" } (list(folded)) }
        }
    }
}

/// A mark in a disc, for the eye only; the word beside it says the same.
fn icon(tone: &str) -> Markup {
    html! {
        svg.icon viewBox="0 0 20 20" aria-hidden="true" focusable="false" {
            circle.disc cx="10" cy="10" r="10" {}
            (glyph(tone))
        }
    }
}

/// The mark itself, drawn in a square of 20 units.
fn glyph(tone: &str) -> Markup {
    html! {
        @match tone {
            "good" => path.glyph d="M5.5 10.5l3 3 6-6.5" {},
            "bad" => path.glyph d="M6.5 6.5l7 7M13.5 6.5l-7 7" {},
            "warn" => {
                path.glyph d="M10 5v6" {}
                circle.dot cx="10" cy="14.6" r="1.4" {}
            },
            "open" => {
                path.glyph d="M7.4 7.6a2.6 2.6 0 1 1 3.6 2.4c-.7.3-1 .8-1 1.5" {}
                circle.dot cx="10" cy="14.8" r="1.4" {}
            },
            _ => path.glyph d="M6 10h8" {},
        }
    }
}

/// A state as mark and word.
fn state(tone: &str, word: &str) -> Markup {
    html! { span class={ "state " (tone) } { (icon(tone)) (word) } }
}

fn of_status(status: Status) -> &'static str {
    match status {
        Status::Ok => "good",
        Status::Warn => "warn",
        Status::Fail => "bad",
        Status::Unknown => "open",
    }
}

fn of_verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Live => "good",
        Verdict::Degraded => "warn",
        Verdict::NotLive => "bad",
        Verdict::Unknown => "open",
    }
}

fn of_severity(severity: Severity) -> &'static str {
    match severity {
        Severity::Critical | Severity::High => "bad",
        Severity::Medium => "warn",
        Severity::Low | Severity::Info => "idle",
    }
}

fn of_hop(state: HopState) -> &'static str {
    match state {
        HopState::Ok => "good",
        HopState::Broken => "bad",
        HopState::NotReached => "idle",
        HopState::Unknown => "open",
    }
}

fn of_outcome(outcome: Outcome) -> &'static str {
    match outcome {
        Outcome::Answered => "good",
        Outcome::Denied => "bad",
        Outcome::Silent => "warn",
        Outcome::Unasked => "open",
    }
}
