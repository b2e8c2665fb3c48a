//! The answer: verdict, way, cause, actions, readiness, issues, verification.

use landfall_diagnosis::{
    Action, Argument, Cause, HopKind, NextProbe, Priority, Status, Tie, Tried, Verdict,
};
use maud::{Markup, html};

use super::{cite, drawing, icon, of_hop, of_severity, of_status, of_verdict, section, state, table};
use crate::model::Report;
use crate::words;

pub(super) fn hero(report: &Report) -> Markup {
    let tone = of_verdict(report.verdict);
    let tie = first_tie(report);
    html! {
        section class={ "card hero " (tone) } aria-label="Verdict" {
            div.line {
                span class={ "verdict " (tone) } { (icon(tone)) (words::verdict(report.verdict)) }
                span.name { (report.target.name) }
            }
            h1 { (report.summary) }
            @if !report.explanation.shown().is_empty() {
                p.explanation { (report.explanation.shown()) }
                @if let Some(model) = &report.explanation.by { p.explanation.by { "Put into these words by " (model) "." } }
            }
            (drawing::path(&report.path))
            div.answers {
                div {
                    h2 { "Why" }
                    @match (tie, report.causes.first()) {
                        (Some(tie), _) => (undecided(report, tie)),
                        (None, Some(cause)) => {
                            p { strong { (cause.title) } }
                            (standing(cause))
                        },
                        (None, None) => p { (if report.verdict == Verdict::Live { "There is nothing to explain." } else { "No cause stands out from the evidence." }) },
                    }
                }
                div {
                    @let can_wait = tie.is_none() && report.actions.first().is_none_or(|a| a.priority == Priority::P2);
                    h2 { (if can_wait { "Next" } else { "Now" }) }
                    @match (tie, report.actions.first()) {
                        (Some(tie), _) => { p { "Decide first: " (tie.separate.ask) } (how(&tie.separate.how)) },
                        (None, Some(action)) => {
                            p { strong { (format!("{:?}", action.priority)) " " (action.title) } }
                            @if let Some(step) = action.steps.first().filter(|s| s.trim_end_matches('.') != action.title) { p { (step) } }
                            @if let Some(command) = action.commands.first() { pre { code { (command) } } }
                        },
                        (None, None) => p { (if report.verdict == Verdict::Live { "Nothing needs doing." } else { "No action follows from the evidence." }) },
                    }
                }
                div {
                    h2 { "Ready" }
                    (score(report))
                    @for (status, word) in [(Status::Fail, "Failed"), (Status::Unknown, "Unknown")] {
                        @let titles: Vec<&str> = report.readiness.checks.iter().filter(|c| c.status == status).map(|c| c.title.as_str()).collect();
                        @if !titles.is_empty() { p.small { (word) ": " (titles.join(", ")) } }
                    }
                }
            }
        }
    }
}

fn first_tie(report: &Report) -> Option<&Tie> {
    let first = report.causes.first()?;
    report.ties.iter().find(|t| t.causes.contains(&first.id))
}

fn undecided(report: &Report, tie: &Tie) -> Markup {
    html! {
        p { strong { "Undecided" } ", " (words::percent(tie.confidence)) " together:" }
        ul {
            @for id in &tie.causes {
                li {
                    @match report.causes.iter().find(|c| &c.id == id) {
                        Some(cause) => { (cause.title) " " code.soft { (id) } },
                        None => code { (id) },
                    }
                }
            }
        }
    }
}

fn standing(cause: &Cause) -> Markup {
    let tone = if cause.label >= landfall_diagnosis::Label::Likely { "bad" } else { "open" };
    html! {
        div.chips {
            span class={ "chip " (tone) } { (words::label(cause.label)) " " (words::percent(cause.confidence)) }
            span class={ "chip " (of_severity(cause.severity)) } { (words::severity(cause.severity)) }
            code { (cause.id) }
        }
    }
}

fn score(report: &Report) -> Markup {
    let readiness = &report.readiness;
    html! {
        div { span.big { (readiness.passed) " of " (readiness.total) } " checks passed" @if readiness.unknown > 0 { ", " (readiness.unknown) " unknown" } }
        div.meter aria-hidden="true" {
            @for status in [Status::Ok, Status::Warn, Status::Fail, Status::Unknown] {
                @for _ in readiness.checks.iter().filter(|c| c.status == status) { i class=(of_status(status)) {} }
            }
        }
    }
}

/// How to ask: a command to paste, or a sentence.
fn how(text: &str) -> Markup {
    html! { @if words::is_command(text) { pre { code { (text) } } } @else { p { (text) } } }
}

pub(super) fn components(report: &Report) -> Markup {
    section(
        "components",
        "Components",
        "",
        html! {
            ul.grid {
                @for c in &report.components {
                    li class=(of_status(c.status)) {
                        span.title { (c.name) }
                        (state(of_status(c.status), words::status(c.status)))
                        @if let Some(severity) = c.severity { " " span class={ "chip " (of_severity(severity)) } { (words::severity(severity)) } }
                        div.small.soft { (c.headline) }
                    }
                }
            }
        },
    )
}

pub(super) fn actions(report: &Report) -> Markup {
    if report.actions.is_empty() {
        return html! {};
    }
    section("actions", "What to do", "", html! { @for a in &report.actions { (action(report, a)) } })
}

fn action(report: &Report, action: &Action) -> Markup {
    html! {
        div.action {
            span.prio { (format!("{:?}", action.priority)) }
            div {
                h3 { (action.title) }
                @match action.steps.as_slice() {
                    [] => {},
                    [step] => p { (step) },
                    steps => ol { @for step in steps { li { (step) } } },
                }
                @if !action.commands.is_empty() { pre { code { (action.commands.join("\n")) } } }
                div.chips {
                    @for id in &action.clears { span class="chip good" { "clears: " (report.check_title(id)) } }
                    @match &action.tried {
                        Tried::Works { seen } => span.small { (state("good", "tried, works")) ": " (seen) },
                        Tried::Fails { seen } => span.small { (state("bad", "tried, does not work")) ": " (seen) },
                        Tried::NotTried => span.chip { "not tried" },
                    }
                    span.small.soft { "reason: " code { (action.because) } }
                }
            }
        }
    }
}

pub(super) fn causes(report: &Report) -> Markup {
    if report.causes.is_empty() && report.ruled_out.is_empty() && report.unexplained.is_empty() {
        return html! {};
    }
    section(
        "causes",
        if report.causes.is_empty() { "Ruled out" } else { "Root cause" },
        "",
        html! {
            @for tie in &report.ties {
                div { (undecided(report, tie)) (decide(&tie.separate)) }
            }
            @for (i, c) in report.causes.iter().enumerate() {
                div class=(if i > 0 || !report.ties.is_empty() { "part" } else { "" }) { (cause(report, c)) }
            }
            @if !report.ruled_out.is_empty() {
                div class=(if report.causes.is_empty() { "" } else { "part" }) {
                    @if !report.causes.is_empty() { h3 { "Considered and ruled out" } }
                    (table("Causes that were ruled out", &["Cause", "Why not"], html! {
                        @for c in &report.ruled_out {
                            tr {
                                td { (c.title) br; code.soft { (c.id) } }
                                td {
                                    @for argument in &c.against { div { (argument.say) (cite(report, &argument.evidence)) } }
                                    @if c.against.is_empty() { (words::label(c.label)) }
                                }
                            }
                        }
                    }))
                }
            }
            @if !report.unexplained.is_empty() {
                div.part {
                    h3 { "Not explained" }
                    p.soft { "While these stand, nothing counts as green." }
                    ul { @for u in &report.unexplained { li { (u.what) (cite(report, std::slice::from_ref(&u.evidence))) } } }
                }
            }
        },
    )
}

fn cause(report: &Report, cause: &Cause) -> Markup {
    html! {
        h3 { (cause.title) }
        (standing(cause))
        ul.args {
            @for a in &cause.evidence_for { (argument(report, "for", "+", "For", a)) }
            @for a in &cause.against { (argument(report, "against", "−", "Against", a)) }
            @for unknown in &cause.not_known {
                li { span class="sign unknown" aria-hidden="true" { "?" } div { "Not known: " (unknown) } }
            }
            @for circumstance in &cause.contributing {
                li { span.sign aria-hidden="true" { "·" } div { "Adds to it: " (circumstance) } }
            }
        }
        @if !cause.rivals.is_empty() {
            h4 { "Rivals" }
            (table("Rivals", &["Look-alike", "Standing", "Why"], html! {
                @for r in &cause.rivals {
                    tr {
                        td { (r.title) br; code.soft { (r.id) } }
                        td.nowrap { (words::label(r.label)) @if !r.separated { br; span.soft { "not told apart" } } }
                        td { (r.why) }
                    }
                }
            }))
        }
        @if let Some(probe) = &cause.next_probe { @if report.ties.iter().all(|t| &t.separate != probe) { (decide(probe)) } }
        @for (title, lines) in [("Remedy", &cause.remedy), ("How to see that it worked", &cause.verify)] {
            @if !lines.is_empty() {
                h4 { (title) }
                ol { @for line in lines { li { (line) } } }
            }
        }
    }
}

fn argument(report: &Report, class: &str, sign: &str, word: &str, argument: &Argument) -> Markup {
    html! {
        li {
            span class={ "sign " (class) } aria-label=(word) { (sign) }
            div {
                (argument.say) " " span class="soft small nowrap" { (format!("{:+} dB", argument.weight_db)) }
                (cite(report, &argument.evidence))
            }
        }
    }
}

fn decide(probe: &NextProbe) -> Markup {
    html! {
        h4 { "To decide" }
        p { (probe.ask) }
        (how(&probe.how))
        ul { @for meaning in &probe.means { li { (meaning) } } }
    }
}

pub(super) fn readiness(report: &Report) -> Markup {
    section(
        "readiness",
        "Readiness",
        "",
        html! {
            (score(report))
            (table("Readiness checks", &["Check", "Status", "Why"], html! {
                @for c in &report.readiness.checks {
                    tr {
                        th scope="row" { (c.title) }
                        td { (state(of_status(c.status), words::check(c.status))) }
                        td { (c.note) (cite(report, &c.evidence)) }
                    }
                }
            }))
        },
    )
}

pub(super) fn issues(report: &Report) -> Markup {
    let told = |code: &String| report.issues.iter().any(|i| i.findings.contains(code));
    section(
        "issues",
        "Issues",
        "",
        html! {
            @if report.issues.is_empty() { p { "No issue of medium or higher severity." } }
            @for (i, issue) in report.issues.iter().enumerate() {
                div class=(if i > 0 { "part" } else { "" }) {
                    h3 { (issue.title) }
                    div.chips {
                        span class={ "chip " (of_severity(issue.severity)) } { (words::severity(issue.severity)) }
                        @for code in issue.cause.iter().chain(&issue.findings) { code { (code) } }
                    }
                    dl.facts {
                        @for impact in &issue.impact { dt { "Impact" } dd { (impact) } }
                        @for action in &issue.action { dt { "Action" } dd { (action) } }
                    }
                    @let ids: Vec<_> = report.findings.iter().filter(|f| issue.findings.contains(&f.code)).flat_map(|f| f.evidence.clone()).collect();
                    (cite(report, &ids))
                }
            }
            @if report.findings.iter().any(|f| !told(&f.code)) {
                div.part {
                    h3 { "Also seen" }
                    (table("Lesser findings", &["Finding", "Severity", "Impact"], html! {
                        @for f in report.findings.iter().filter(|f| !told(&f.code)) {
                            tr {
                                td { (f.title) br; code.soft { (f.code) } (cite(report, &f.evidence)) }
                                td { (words::severity(f.severity)) }
                                td { (f.impact) }
                            }
                        }
                    }))
                }
            }
        },
    )
}

pub(super) fn verification(report: &Report) -> Markup {
    if report.verification.is_empty() {
        return html! {};
    }
    section(
        "verification",
        "Verification",
        "landfall verify report.json runs all of them",
        html! {
            @for (i, v) in report.verification.iter().enumerate() {
                div class=(if i > 0 { "part" } else { "" }) {
                    h3 { (v.title) }
                    pre { code { (v.request) } }
                    p.small { span.soft { "Expected: " } (v.expect) }
                }
            }
        },
    )
}

pub(super) fn routing(report: &Report) -> Markup {
    section(
        "routing",
        "Routing",
        "",
        html! {
            @if report.path.is_empty() { p { "The way of a request is not known." } }
            @else {
                (table("Hops", &["Hop", "Run by", "Address", "State", "Proof"], html! {
                    @for hop in &report.path {
                        tr {
                            th scope="row" { (words::hop_kind(hop.hop)) }
                            td {
                                @match (&hop.vendor, hop.hop) {
                                    (Some(vendor), _) => (vendor),
                                    (None, HopKind::Client) => "this machine",
                                    (None, _) => span.soft { "not known" },
                                }
                            }
                            td { @if let Some(address) = &hop.address { code { (address) } } }
                            td { (state(of_hop(hop.state), words::hop_state(hop.state))) }
                            td { @for line in hop.told() { div { (line) } } }
                        }
                    }
                }))
            }
        },
    )
}
