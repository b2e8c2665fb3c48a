//! For a person at a terminal, perhaps at three in the morning: verdict first, then where, why and what now, all on the
//! first screen; the reasons after that.

mod limits;
mod page;
mod path;

pub use self::limits::limit_impact;

use landfall_diagnosis::{
    Action, Cause, Check, Finding, NextProbe, Priority, Severity, Status, Tie, Tried, Verdict,
};

use self::page::{Ink, Page, span};
use crate::model::Report;
use crate::text::{columns, pad, shorten};
use crate::{Style, words};

/// How many of each kind the short form shows; the long form shows all.
const ARGUMENTS: usize = 4;
const RIVALS: usize = 3;
const RULED_OUT: usize = 3;
const FINDINGS: usize = 8;

pub(crate) fn render(report: &Report, style: &Style) -> String {
    let mut page = Page::new(style);
    head(&mut page, report);
    components(&mut page, report);
    causes(&mut page, report, style.details);
    ties(&mut page, report);
    actions(&mut page, report, style.details);
    readiness(&mut page, report, style.details);
    findings(&mut page, report, style.details);
    limits::draw(&mut page, report, style.details);
    unexplained(&mut page, report);
    if style.details {
        proof(&mut page, report);
        verification(&mut page, report);
    }
    timing(&mut page, report, style.details);
    more(&mut page, report);
    page.finish()
}

fn head(page: &mut Page, report: &Report) {
    let verdict = format!("{} {}", words::verdict_mark(report.verdict), words::verdict(report.verdict));
    let when = words::minute(report.generated_at);
    let room = page.width().saturating_sub(columns(&verdict) + 2 + columns(&when) + 2);
    let name = shorten(&report.target.name, room);
    let gap = page.width().saturating_sub(columns(&verdict) + 2 + columns(&name) + columns(&when));
    page.line(&[
        span(verdict_ink(report.verdict), &verdict),
        span(Ink::Plain, "  "),
        span(Ink::Strong, &name),
        span(Ink::Plain, " ".repeat(gap)),
        span(Ink::Faint, &when),
    ]);
    page.text(2, Ink::Plain, &report.summary);
    page.blank();
    if !report.explanation.shown().is_empty() {
        page.text(2, Ink::Faint, report.explanation.shown());
        if let Some(model) = &report.explanation.by {
            page.text(2, Ink::Faint, &format!("(put into these words by {model})"));
        }
        page.blank();
    }
    path::draw(page, &report.path);
    page.blank();
    let row = |page: &mut Page, label: &str, text: &str| {
        page.item(0, &[(Ink::Strong, &pad(label, 7))], Ink::Plain, text)
    };
    if let Some(why) = why(report) {
        row(page, "Why", &why);
    }
    match (first_tie(report), report.actions.first()) {
        (Some(tie), _) => row(page, "Now", &format!("Decide first: {}.", unstopped(&tie.separate.ask))),
        // What can wait until the morning is not to be done now.
        (None, Some(action)) if action.priority == Priority::P2 => row(page, "Next", &now(action)),
        (None, Some(action)) => row(page, "Now", &now(action)),
        (None, None) if report.verdict == Verdict::Live => row(page, "Now", "Nothing needs doing."),
        (None, None) => {}
    }
    if let Some(tie) = first_tie(report) {
        how(page, 7, &tie.separate.how);
    } else if let Some(command) = report.actions.first().and_then(|a| a.commands.first()) {
        page.command(7, command);
    }
    row(page, "Ready", &ready(report));
}

fn first_tie(report: &Report) -> Option<&Tie> {
    let first = report.causes.first()?;
    report.ties.iter().find(|t| t.causes.contains(&first.id))
}

fn why(report: &Report) -> Option<String> {
    if let Some(tie) = first_tie(report) {
        let named: Vec<String> = tie.causes.iter().map(|id| named(report, id)).collect();
        let named: Vec<&str> = named.iter().map(String::as_str).collect();
        return Some(format!(
            "Undecided, {} together. Either: {}.",
            words::percent(tie.confidence),
            named.join("; or: ")
        ));
    }
    match report.causes.first() {
        Some(cause) => Some(format!("{} ({}).", unstopped(&cause.title), standing(cause))),
        None if report.verdict == Verdict::Live => None,
        None => Some("No cause stands out from the evidence.".to_owned()),
    }
}

fn named(report: &Report, id: &str) -> String {
    match report.causes.iter().find(|c| c.id == id) {
        Some(cause) => format!("{} ({id})", unstopped(&cause.title)),
        None => id.to_owned(),
    }
}

/// "never-deployed, confirmed, 97 %".
fn standing(cause: &Cause) -> String {
    format!("{}, {}, {}", cause.id, words::label(cause.label), words::percent(cause.confidence))
}

fn now(action: &Action) -> String {
    // A remedy of one step is its own title.
    let step = action.steps.first().filter(|s| unstopped(s) != unstopped(&action.title));
    let step = step.map(|s| format!(": {}", unstopped(s))).unwrap_or_default();
    format!("{:?} {}{step}.", action.priority, unstopped(&action.title))
}

/// Without its full stop, to stand inside a sentence of ours.
fn unstopped(text: &str) -> &str {
    text.trim_end().trim_end_matches('.')
}

fn ready(report: &Report) -> String {
    let readiness = &report.readiness;
    let mut text = format!("{} of {} checks", readiness.passed, readiness.total);
    for (status, word) in [(Status::Fail, "failed"), (Status::Unknown, "unknown")] {
        let titles: Vec<&str> =
            readiness.checks.iter().filter(|c| c.status == status).map(|c| c.title.as_str()).collect();
        if !titles.is_empty() {
            text.push_str(&format!("; {word}: {}", words::list(&titles)));
        }
    }
    text
}

fn components(page: &mut Page, report: &Report) {
    if report.components.is_empty() {
        return;
    }
    page.heading("COMPONENTS", "");
    let names = report.components.iter().map(|c| columns(&c.name)).max().unwrap_or(0).min(24);
    for component in &report.components {
        let state =
            format!("{} {}", words::status_mark(component.status), pad(words::status(component.status), 9));
        let name = format!("{}  ", pad(&shorten(&component.name, names), names));
        let severity = component.severity.map(|s| format!(" ({})", words::severity(s))).unwrap_or_default();
        let label = [(status_ink(component.status), state.as_str()), (Ink::Plain, name.as_str())];
        page.item(2, &label, Ink::Plain, &format!("{}{severity}", component.headline));
    }
}

fn causes(page: &mut Page, report: &Report, details: bool) {
    if report.causes.is_empty() && report.ruled_out.is_empty() {
        return;
    }
    page.heading(if report.causes.is_empty() { "RULED OUT" } else { "WHY" }, "");
    for (i, cause) in report.causes.iter().enumerate() {
        let tied = report.ties.iter().any(|t| t.causes.contains(&cause.id));
        if i > 0 {
            page.blank();
        }
        let number = format!("{}. ", i + 1);
        page.item(2, &[(Ink::Strong, number.as_str())], Ink::Strong, &cause.title);
        page.text(5, Ink::Faint, &format!("{}, {}", standing(cause), words::severity(cause.severity)));
        argue(page, cause, if details || i == 0 || tied { usize::MAX } else { 1 }, details);
    }
    let shown = if details { report.ruled_out.len() } else { RULED_OUT };
    if !report.ruled_out.is_empty() && !report.causes.is_empty() {
        page.blank();
        page.text(2, Ink::Plain, "Not the cause:");
    }
    for cause in report.ruled_out.iter().take(shown) {
        let because =
            cause.against.iter().min_by_key(|a| a.weight_db).map_or(cause.title.as_str(), |a| a.say.as_str());
        page.item(2, &[(Ink::Faint, "○ ")], Ink::Plain, &format!("{}: {because}", cause.id));
    }
    if let Some(rest) = report.ruled_out.len().checked_sub(shown).filter(|n| *n > 0) {
        page.text(4, Ink::Faint, &format!("and {rest} more that were ruled out"));
    }
}

fn argue(page: &mut Page, cause: &Cause, most: usize, details: bool) {
    let shown = |n: usize| if details { usize::MAX } else { n.min(most) };
    for argument in cause.evidence_for.iter().take(shown(ARGUMENTS)) {
        page.item(5, &[(Ink::Good, "+ ")], Ink::Plain, &argument.say);
    }
    for argument in cause.against.iter().take(shown(ARGUMENTS)) {
        page.item(5, &[(Ink::Bad, "- ")], Ink::Plain, &format!("against it: {}", argument.say));
    }
    if most == 1 && !details {
        return;
    }
    for unknown in cause.not_known.iter().take(shown(RIVALS)) {
        page.item(5, &[(Ink::Open, "? ")], Ink::Plain, &format!("not known: {unknown}"));
    }
    for rival in cause.rivals.iter().take(shown(RIVALS)) {
        let verb = if rival.separated { "rather than" } else { "not told apart from" };
        page.item(
            5,
            &[(Ink::Faint, "≠ ")],
            Ink::Plain,
            &format!("{verb} {} ({}): {}", rival.id, words::label(rival.label), rival.why),
        );
    }
    for circumstance in &cause.contributing {
        page.item(5, &[(Ink::Faint, "· ")], Ink::Plain, &format!("adds to it: {circumstance}"));
    }
}

fn ties(page: &mut Page, report: &Report) {
    if report.ties.is_empty() {
        return;
    }
    page.heading("UNDECIDED", "");
    for tie in &report.ties {
        let ids: Vec<&str> = tie.causes.iter().map(String::as_str).collect();
        page.text(
            2,
            Ink::Plain,
            &format!("{}, {} together.", ids.join(" or "), words::percent(tie.confidence)),
        );
        decide(page, &tie.separate);
    }
}

fn decide(page: &mut Page, probe: &NextProbe) {
    page.text(2, Ink::Plain, &format!("To decide: {}", probe.ask));
    how(page, 4, &probe.how);
    for meaning in &probe.means {
        page.item(4, &[(Ink::Faint, "· ")], Ink::Plain, meaning);
    }
}

/// How to ask: a command to paste, or a sentence.
fn how(page: &mut Page, indent: usize, how: &str) {
    if words::is_command(how) { page.command(indent, how) } else { page.text(indent, Ink::Plain, how) }
}

fn actions(page: &mut Page, report: &Report, details: bool) {
    if report.actions.is_empty() {
        return;
    }
    page.heading("WHAT TO DO", "");
    for (i, action) in report.actions.iter().enumerate() {
        let priority = format!("{:?}  ", action.priority);
        let ink = if i == 0 { Ink::Bad } else { Ink::Strong };
        page.item(2, &[(ink, priority.as_str())], Ink::Strong, &action.title);
        for (n, step) in action.steps.iter().enumerate() {
            let number = if action.steps.len() > 1 { format!("{}. ", n + 1) } else { String::new() };
            page.item(6, &[(Ink::Plain, number.as_str())], Ink::Plain, step);
        }
        for command in &action.commands {
            page.command(6, command);
        }
        let mut notes = Vec::new();
        if !action.clears.is_empty() {
            let titles: Vec<&str> = action.clears.iter().map(|id| report.check_title(id)).collect();
            notes.push(format!("clears: {}", words::list(&titles)));
        }
        if details || !action.commands.is_empty() || action.tried != Tried::NotTried {
            notes.push(words::tried(&action.tried));
        }
        if !notes.is_empty() {
            page.text(6, Ink::Faint, &notes.join("; "));
        }
    }
}

fn readiness(page: &mut Page, report: &Report, details: bool) {
    let readiness = &report.readiness;
    let mut note = format!("{} of {} checks passed", readiness.passed, readiness.total);
    if readiness.unknown > 0 {
        note.push_str(&format!(", {} unknown", readiness.unknown));
    }
    page.heading("READINESS", &note);
    let open = |c: &&Check| details || c.status != Status::Ok;
    for check in readiness.checks.iter().filter(open) {
        let state = format!("{} {}", words::status_mark(check.status), pad(words::check(check.status), 9));
        let ink = status_ink(check.status);
        let text = if check.note.is_empty() {
            check.title.clone()
        } else {
            format!("{}: {}", check.title, check.note)
        };
        page.item(2, &[(ink, state.as_str())], Ink::Plain, &text);
    }
}

fn findings(page: &mut Page, report: &Report, details: bool) {
    if report.findings.is_empty() {
        return;
    }
    page.heading("FINDINGS", "");
    let mut worst_first: Vec<&Finding> = report.findings.iter().collect();
    worst_first.sort_by_key(|f| std::cmp::Reverse(f.severity));
    let shown = if details { worst_first.len() } else { FINDINGS };
    for finding in worst_first.iter().take(shown) {
        let severity = format!("{} ", pad(words::severity(finding.severity), 8));
        let code = format!("{}  ", shorten(&finding.code, 16));
        let label = [(severity_ink(finding.severity), severity.as_str()), (Ink::Faint, code.as_str())];
        page.item(2, &label, Ink::Plain, &finding.title);
    }
    if let Some(rest) = worst_first.len().checked_sub(shown).filter(|n| *n > 0) {
        page.text(2, Ink::Faint, &format!("and {rest} more, none of them worse"));
    }
}

fn unexplained(page: &mut Page, report: &Report) {
    if report.unexplained.is_empty() {
        return;
    }
    page.heading("UNEXPLAINED", "While these stand, nothing counts as green.");
    for item in &report.unexplained {
        page.item(2, &[(Ink::Open, "? ")], Ink::Plain, &format!("{} ({})", item.what, item.evidence));
    }
}

fn proof(page: &mut Page, report: &Report) {
    if report.path.iter().all(|h| h.proof.is_empty()) {
        return;
    }
    page.heading("PROOF OF THE PATH", "");
    for hop in &report.path {
        let name = match &hop.vendor {
            Some(vendor) => format!("{} ({vendor}): ", words::hop_kind(hop.hop)),
            None => format!("{}: ", words::hop_kind(hop.hop)),
        };
        page.text(2, Ink::Plain, &format!("{name}{}", hop.proof.join("; ")));
    }
}

fn verification(page: &mut Page, report: &Report) {
    if report.verification.is_empty() {
        return;
    }
    page.heading("VERIFICATION", "");
    for request in &report.verification {
        page.text(2, Ink::Plain, &format!("{}: expect {}", request.title, request.expect));
        page.command(4, &request.request);
    }
}

fn timing(page: &mut Page, report: &Report, details: bool) {
    let timing = &report.timing;
    page.heading("TIMING", "");
    let mut text = format!("{} in all", words::span_ms(timing.total_ms));
    if !timing.critical_path.is_empty() {
        text.push_str(&format!(
            "; longest chain on the network {} ({}, {})",
            words::span_ms(timing.critical_path_ms),
            words::count(timing.critical_path.len() as u64, "step", "steps"),
            words::count(timing.round_trips, "round trip", "round trips"),
        ));
    }
    let waited: f64 = timing.critical_path.iter().map(|s| s.waited_ms).sum();
    if waited >= 1_000.0 {
        text.push_str(&format!(", {} of it waiting between questions", words::span_ms(waited)));
    }
    let hosts: Vec<String> = timing.requests_by_host.iter().map(|(host, n)| format!("{host} {n}")).collect();
    text.push_str(&format!("; {} sent", words::count(timing.requests_sent, "request", "requests")));
    if !hosts.is_empty() {
        text.push_str(&format!(" ({})", hosts.join(", ")));
    }
    page.text(2, Ink::Plain, &text);
    if details {
        for step in &timing.critical_path {
            if step.waited_ms >= 1.0 {
                page.item(
                    4,
                    &[(Ink::Faint, &pad(&words::span_ms(step.waited_ms), 9))],
                    Ink::Faint,
                    "waiting",
                );
            }
            page.item(4, &[(Ink::Plain, &pad(&words::span_ms(step.took_ms), 9))], Ink::Plain, &step.label);
        }
    }
}

fn more(page: &mut Page, report: &Report) {
    page.heading("MORE", "");
    let mut row = |command: &str, what: &str| {
        let command = format!("{}  ", pad(command, 36));
        page.item(2, &[(Ink::Command, command.as_str())], Ink::Plain, what);
    };
    if let Some(first) =
        report.causes.first().map(|c| &c.id).or_else(|| report.findings.first().map(|f| &f.code))
    {
        row(&format!("landfall explain {}", shorten(first, 60)), "what it means, and how to check by hand");
    }
    if !report.verification.is_empty() {
        let when = if report.verdict == Verdict::Live { "to ask again" } else { "after the repair" };
        row("landfall verify report.json", when);
    }
    row("-o report.html, -o report.md", "all sections, with the evidence");
}

fn verdict_ink(verdict: Verdict) -> Ink {
    match verdict {
        Verdict::Live => Ink::Good,
        Verdict::Degraded => Ink::Warn,
        Verdict::NotLive => Ink::Bad,
        Verdict::Unknown => Ink::Open,
    }
}

fn status_ink(status: Status) -> Ink {
    match status {
        Status::Ok => Ink::Good,
        Status::Warn => Ink::Warn,
        Status::Fail => Ink::Bad,
        Status::Unknown => Ink::Open,
    }
}

fn severity_ink(severity: Severity) -> Ink {
    match severity {
        Severity::Critical | Severity::High => Ink::Bad,
        Severity::Medium => Ink::Warn,
        Severity::Low => Ink::Plain,
        Severity::Info => Ink::Faint,
    }
}
