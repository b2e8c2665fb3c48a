//! Parts of a report inside our own pages: the way of a request, causes, actions. All of it is read from the report's
//! JSON; nothing is judged here.

use landfall_diagnosis::{Action, Cause, Hop, HopKind, HopState, Label, Status, Tie, Tried};
use landfall_report::Report;
use maud::{Markup, html};
use serde_json::Value;

use super::parts::{Tone, foreign, percent, state};

/// Reads a stored report; `None` when a newer version wrote it in another shape.
pub(crate) fn read(json: Option<&Value>) -> Option<Report> {
    serde_json::from_value(json?.clone()).ok()
}

/// A report's verdict: tone and words.
pub(crate) fn verdict(word: &str) -> (Tone, &'static str) {
    match word {
        "live" => (Tone::Good, "Live"),
        "degraded" => (Tone::Warn, "Degraded"),
        "not-live" => (Tone::Bad, "Not live"),
        _ => (Tone::Open, "Unknown"),
    }
}

fn hop_name(hop: &Hop) -> &str {
    match (&hop.vendor, hop.hop) {
        (Some(vendor), kind) if !matches!(kind, HopKind::Client | HopKind::App) => vendor,
        (_, kind) => hop_kind(kind),
    }
}

fn hop_kind(kind: HopKind) -> &'static str {
    match kind {
        HopKind::Client => "Client",
        HopKind::Edge => "Edge",
        HopKind::Platform => "Platform",
        HopKind::Balancer => "Balancer",
        HopKind::Origin => "Server",
        HopKind::App => "Application",
    }
}

fn hop_state(state: HopState) -> (Tone, &'static str) {
    match state {
        HopState::Ok => (Tone::Good, "Passed on"),
        HopState::Broken => (Tone::Bad, "Breaks here"),
        HopState::NotReached => (Tone::Idle, "Not reached"),
        HopState::Unknown => (Tone::Open, "Not seen"),
    }
}

/// The way of a request as a row of boxes (a column on a phone). It is a list, so that it reads well aloud, too.
pub(crate) fn path(hops: &[Hop]) -> Markup {
    html! {
        ol.way aria-label="The way of a request" {
            @for hop in hops {
                @let (tone, word) = hop_state(hop.state);
                li class={ (tone.class()) @if hop.state == HopState::NotReached { " cut" } } {
                    div.name { (foreign(hop_name(hop))) }
                    @match (&hop.vendor, hop.hop) {
                        (Some(vendor), HopKind::Client | HopKind::App) => div.soft.small { (foreign(vendor)) },
                        (Some(_), kind) => div.soft.small { (hop_kind(kind)) },
                        _ => {},
                    }
                    @if let Some(address) = &hop.address { div.where { (foreign(address)) } }
                    (state(tone, word))
                }
            }
        }
    }
}

/// What proves each hop's state.
pub(crate) fn path_proof(hops: &[Hop]) -> Markup {
    html! {
        @if hops.iter().any(|h| !h.proof.is_empty()) {
            details.more id="path-proof" {
                summary { "How this is known" }
                dl.facts {
                    @for hop in hops.iter().filter(|h| !h.proof.is_empty()) {
                        dt { (foreign(hop_name(hop))) }
                        dd { @for (i, proof) in hop.proof.iter().enumerate() { @if i > 0 { br; } (foreign(proof)) } }
                    }
                }
            }
        }
    }
}

fn label(label: Label) -> (Tone, &'static str) {
    match label {
        Label::Confirmed => (Tone::Bad, "confirmed"),
        Label::Likely => (Tone::Warn, "likely"),
        Label::Possible => (Tone::Open, "possible"),
        Label::NotAssessed => (Tone::Idle, "not assessed"),
        Label::RuledOut => (Tone::Idle, "ruled out"),
    }
}

/// One cause with its proof, its rivals, and what would separate them; the latter not for one of a tie, for which it is
/// said once, below.
pub(crate) fn cause(cause: &Cause, index: usize, tied: bool) -> Markup {
    let (tone, word) = label(cause.label);
    let argument = |sign: &str, class: &str, told: &str, say: &str| {
        html! { li { span class={ "sign " (class) } aria-hidden="true" { (sign) } span { span.sr { (told) ": " } (foreign(say)) } } }
    };
    html! {
        h3 { (foreign(&cause.title)) }
        ul.chips {
            li { span class={ "chip " (tone.class()) } { (word) } }
            li { span.chip { (percent(cause.confidence)) " of belief" } }
            li { code.soft { (cause.id) } }
        }
        ul.args {
            @for a in &cause.evidence_for { (argument("+", "for", "speaks for it", &a.say)) }
            @for a in &cause.against { (argument("−", "against", "speaks against it", &a.say)) }
            @for say in &cause.not_known { (argument("?", "unknown", "not known", say)) }
        }
        @if !cause.contributing.is_empty() {
            p.soft { "It adds to it: " (foreign(&cause.contributing.join("; "))) }
        }
        @if !cause.rivals.is_empty() {
            details.more id={ "rivals-" (index) } open {
                summary {
                    // One that is not separated has not lost.
                    @if cause.rivals.iter().all(|r| r.separated) { "Rivals, and why they lost" } @else { "Rivals" }
                }
                ul {
                    @for rival in &cause.rivals {
                        li {
                            strong { (foreign(&rival.title)) } " (" (label(rival.label).1) "): " (foreign(&rival.why))
                            @if !rival.separated { " " span.chip.open { "not separated" } }
                        }
                    }
                }
            }
        }
        @if let Some(next) = cause.next_probe.as_ref().filter(|_| !tied) { (separate("What would decide", &next.ask, &next.how, &next.means)) }
    }
}

fn separate(title: &str, ask: &str, how: &str, means: &[String]) -> Markup {
    html! {
        p { strong { (title) ": " } (foreign(ask)) }
        @if !how.is_empty() { pre { (super::parts::clean(how)) } }
        @if !means.is_empty() { ul.soft { @for m in means { li { (foreign(m)) } } } }
    }
}

/// Whether a cause is one of those that the evidence cannot tell apart.
pub(crate) fn is_tied(ties: &[Tie], id: &str) -> bool {
    ties.iter().any(|t| t.causes.iter().any(|c| c == id))
}

/// Causes that the evidence cannot tell apart.
pub(crate) fn ties(ties: &[Tie]) -> Markup {
    html! {
        @for tie in ties {
            div.step {
                p { "The evidence cannot tell these apart: " @for (i, id) in tie.causes.iter().enumerate() { @if i > 0 { ", " } code { (id) } } }
                (separate("What would separate them", &tie.separate.ask, &tie.separate.how, &tie.separate.means))
            }
        }
    }
}

/// What to do.
pub(crate) fn actions(actions: &[Action]) -> Markup {
    html! {
        @for action in actions {
            div.step {
                h3 { span.chip.bad[action.priority == landfall_diagnosis::Priority::P0].warn[action.priority == landfall_diagnosis::Priority::P1] { (format!("{:?}", action.priority)) } " " (foreign(&action.title)) }
                @if !action.steps.is_empty() { ol { @for step in &action.steps { li { (foreign(step)) } } } }
                @for command in &action.commands { pre { (super::parts::clean(command)) } }
                @match &action.tried {
                    Tried::Works { seen } => p.small.t-good { "Tried: works. " (foreign(seen)) },
                    Tried::Fails { seen } => p.small.t-bad { "Tried: does not work. " (foreign(seen)) },
                    Tried::NotTried => p.small.soft { "Not tried." },
                }
            }
        }
    }
}

/// A component's or check's state.
pub(crate) fn status(of: Status) -> Markup {
    let (tone, word) = match of {
        Status::Ok => (Tone::Good, "OK"),
        Status::Warn => (Tone::Warn, "Warning"),
        Status::Fail => (Tone::Bad, "Fails"),
        Status::Unknown => (Tone::Open, "Unknown"),
    };
    state(tone, word)
}
