//! Sections 7 to 14: what it means and what to do.

use landfall_diagnosis::{Cause, HopKind, HopState, NextProbe, Status, Verdict};

use super::Page;
use super::escape::{code, text};
use crate::model::Report;
use crate::words;

pub(super) fn routing(page: &mut Page, report: &Report) {
    page.heading(2, "7. Infrastructure routing analysis");
    if report.path.is_empty() {
        page.paragraph("The way of a request is not known.");
        return;
    }
    let drawing: Vec<String> = report
        .path
        .iter()
        .map(|hop| {
            let vendor = hop.vendor.as_deref().map(|v| format!(" {v}")).unwrap_or_default();
            let mark = if hop.state == HopState::Ok { "" } else { words::hop_mark(hop.state) };
            let state = if hop.state == HopState::Ok {
                String::new()
            } else {
                format!(" [{mark} {}]", words::hop_state(hop.state))
            };
            crate::text::clean(&format!("{}{vendor}{state}", words::hop_kind(hop.hop))).into_owned()
        })
        .collect();
    page.fenced("", &drawing.join(" → "));
    page.table(
        &["Hop", "Run by", "Address", "State", "Proof"],
        report.path.iter().map(|hop| {
            vec![
                words::hop_kind(hop.hop).to_owned(),
                match (&hop.vendor, hop.hop) {
                    (Some(vendor), _) => text(vendor),
                    (None, HopKind::Client) => "this machine".to_owned(),
                    (None, _) => "not known".to_owned(),
                },
                hop.address.as_deref().map(code).unwrap_or_default(),
                format!("{} {}", words::hop_mark(hop.state), words::hop_state(hop.state)),
                text(&hop.told().join("; ")),
            ]
        }),
    );
}

pub(super) fn root_cause(page: &mut Page, report: &Report) {
    page.heading(2, "8. Root cause analysis");
    if report.causes.is_empty() {
        page.paragraph(if report.verdict == Verdict::Live {
            "There is nothing to explain."
        } else {
            "No cause stands out from the evidence."
        });
    }
    for tie in &report.ties {
        let ids: Vec<String> = tie.causes.iter().map(|c| code(c)).collect();
        page.field(
            "Undecided",
            &format!("{}, {} together", ids.join(" or "), words::percent(tie.confidence)),
        );
        decide(page, &tie.separate);
    }
    for (i, cause) in report.causes.iter().enumerate() {
        full_cause(page, i + 1, cause);
    }
    if !report.ruled_out.is_empty() {
        page.heading(3, "Considered and ruled out");
        page.table(
            &["Cause", "Claim", "Why not"],
            report.ruled_out.iter().map(|c| {
                let why: Vec<&str> = c.against.iter().map(|a| a.say.as_str()).collect();
                let why = if why.is_empty() {
                    format!("{}, {} dB", words::label(c.label), c.score_db)
                } else {
                    text(&why.join("; "))
                };
                vec![code(&c.id), text(&c.title), why]
            }),
        );
    }
    if !report.unexplained.is_empty() {
        page.heading(3, "Not explained");
        page.list(report.unexplained.iter().map(|u| format!("{} ({})", text(&u.what), code(&u.evidence.0))));
    }
}

fn full_cause(page: &mut Page, number: usize, cause: &Cause) {
    page.heading(3, &format!("Cause {number}: {}", cause.title));
    page.field(
        "Held",
        &format!(
            "{} at {}, severity {}, rung {} ({}, {} dB)",
            words::label(cause.label),
            words::percent(cause.confidence),
            words::severity(cause.severity),
            text(&cause.rung),
            code(&cause.id),
            cause.score_db
        ),
    );
    for (title, arguments) in [("For", &cause.evidence_for), ("Against", &cause.against)] {
        if !arguments.is_empty() {
            page.field(title, "");
            page.list(arguments.iter().map(|a| {
                let ids: Vec<String> = a.evidence.iter().map(|id| code(&id.0)).collect();
                let ids = if ids.is_empty() { String::new() } else { format!(" ({})", ids.join(", ")) };
                format!("{:+} dB: {}{ids}", a.weight_db, text(&a.say))
            }));
        }
    }
    for (title, lines) in [("Not known", &cause.not_known), ("Adds to it", &cause.contributing)] {
        if !lines.is_empty() {
            page.field(title, "");
            page.list(lines.iter().map(|l| text(l)));
        }
    }
    if !cause.rivals.is_empty() {
        page.table(
            &["Rival", "Claim", "Standing", "Why"],
            cause.rivals.iter().map(|r| {
                let separated = if r.separated { "" } else { " (not told apart)" };
                vec![
                    code(&r.id),
                    text(&r.title),
                    format!("{}{separated}", words::label(r.label)),
                    text(&r.why),
                ]
            }),
        );
    }
    if let Some(probe) = &cause.next_probe {
        decide(page, probe);
    }
    for (title, lines) in [("Remedy", &cause.remedy), ("How to see that it worked", &cause.verify)] {
        if !lines.is_empty() {
            page.field(title, "");
            page.numbered(lines.iter().map(|l| text(l)));
        }
    }
}

fn decide(page: &mut Page, probe: &NextProbe) {
    page.field("To decide", &text(&probe.ask));
    if words::is_command(&probe.how) {
        page.fenced("sh", &probe.how)
    } else {
        page.paragraph(&text(&probe.how))
    }
    page.list(probe.means.iter().map(|m| text(m)));
}

pub(super) fn issues(page: &mut Page, report: &Report) {
    page.heading(2, "9. Critical issues summary");
    if report.issues.is_empty() {
        page.paragraph("No issue of medium or higher severity.");
    }
    for (i, issue) in report.issues.iter().enumerate() {
        page.heading(3, &format!("Issue {}: {}", i + 1, issue.title));
        let mut lines = vec![format!("**Severity:** {}", words::severity(issue.severity))];
        lines.extend(issue.impact.iter().map(|t| format!("**Impact:** {}", text(t))));
        lines.extend(issue.action.iter().map(|t| format!("**Action:** {}", text(t))));
        lines.extend(issue.cause.iter().map(|c| format!("**Cause:** {}", code(c))));
        if !issue.findings.is_empty() {
            let codes: Vec<String> = issue.findings.iter().map(|c| code(c)).collect();
            lines.push(format!("**Findings:** {}", codes.join(", ")));
        }
        page.list(lines);
    }
    let told = |code: &String| report.issues.iter().any(|i| i.findings.contains(code));
    let rest = report.findings.iter().filter(|f| !told(&f.code));
    page.table(
        &["Also seen", "Severity", "What", "Impact"],
        rest.map(|f| {
            vec![code(&f.code), words::severity(f.severity).to_owned(), text(&f.title), text(&f.impact)]
        }),
    );
}

pub(super) fn readiness(page: &mut Page, report: &Report) {
    let readiness = &report.readiness;
    page.heading(2, "10. Deployment readiness checklist");
    page.table(
        &["Check", "Status", "Notes"],
        readiness.checks.iter().map(|c| {
            vec![
                text(&c.title),
                format!("{} {}", words::status_mark(c.status), words::check(c.status)),
                text(&c.note),
            ]
        }),
    );
    let unknown =
        if readiness.unknown > 0 { format!(", {} unknown", readiness.unknown) } else { String::new() };
    page.field("Ready", &format!("{}/{} checks passed{unknown}", readiness.passed, readiness.total));
}

pub(super) fn actions(page: &mut Page, report: &Report) {
    page.heading(2, "11. Recommended actions");
    if report.actions.is_empty() {
        page.paragraph("Nothing needs doing.");
    }
    for (i, action) in report.actions.iter().enumerate() {
        page.heading(3, &format!("{}. {:?}: {}", i + 1, action.priority, action.title));
        page.numbered(action.steps.iter().map(|s| text(s)));
        if !action.commands.is_empty() {
            page.fenced("sh", &action.commands.join("\n"));
        }
        let clears: Vec<String> = action.clears.iter().map(|id| text(report.check_title(id))).collect();
        page.list([
            format!("**Because of:** {}", code(&action.because)),
            format!(
                "**Clears:** {}",
                if clears.is_empty() { "no check".to_owned() } else { clears.join(", ") }
            ),
            format!("**Tried:** {}", text(words::tried(&action.tried).trim_start_matches("tried: "))),
        ]);
    }
}

pub(super) fn verification(page: &mut Page, report: &Report) {
    page.heading(2, "12. Verification procedure");
    if report.verification.is_empty() {
        page.paragraph("There is nothing to verify.");
        return;
    }
    let mut script = String::new();
    for (i, step) in report.verification.iter().enumerate() {
        let line = |t: &str| crate::text::clean(t).into_owned();
        script.push_str(&format!(
            "# {}. {}\n{}\n# Expected: {}\n\n",
            i + 1,
            line(&step.title),
            step.request,
            line(&step.expect)
        ));
    }
    page.fenced("sh", script.trim_end());
    page.paragraph("`landfall verify report.json` runs all of them.");
}

pub(super) fn specifications(page: &mut Page, report: &Report) {
    page.heading(2, "13. Technical specifications");
    let mut groups: Vec<&str> = Vec::new();
    for row in &report.specifications {
        if !groups.contains(&row.group.as_str()) {
            groups.push(&row.group);
        }
    }
    for group in groups {
        page.heading(3, group);
        page.table(
            &["What", "Value"],
            report
                .specifications
                .iter()
                .filter(|s| s.group == group)
                .map(|s| vec![text(&s.name), text(&s.value)]),
        );
    }
}

pub(super) fn conclusion(page: &mut Page, report: &Report) {
    page.heading(2, "14. Conclusion");
    page.field("Current status", &format!("{}. {}", words::verdict(report.verdict), text(&report.summary)));
    match report.causes.first() {
        Some(cause) if report.ties.iter().any(|t| t.causes.contains(&cause.id)) => {
            page.field("Root cause", "undecided; see section 8 for the observation that decides");
        }
        Some(cause) => page.field(
            "Root cause",
            &format!(
                "{} ({}, {} at {})",
                text(&cause.title),
                code(&cause.id),
                words::label(cause.label),
                words::percent(cause.confidence)
            ),
        ),
        None => page.field("Root cause", if report.verdict == Verdict::Live { "none" } else { "not known" }),
    }
    page.field("Next step", &report.actions.first().map_or_else(|| "none".to_owned(), |a| text(&a.title)));
    page.field("What remains after it", &remains(report));
}

/// The checks that the first action does not clear. The first action alone seldom makes everything right, and a reader
/// who stops here should know.
fn remains(report: &Report) -> String {
    let cleared = report.actions.first().map(|a| a.clears.as_slice()).unwrap_or_default();
    let open = report.readiness.checks.iter().filter(|c| c.status != Status::Ok);
    let (clears, left): (Vec<_>, Vec<_>) = open.partition(|c| cleared.contains(&c.id));
    let after = report.readiness.passed as usize + clears.len();
    let score = format!("{after} of {} checks would then pass", report.readiness.total);
    if left.is_empty() {
        return if clears.is_empty() {
            "nothing: every check passes".to_owned()
        } else {
            format!("nothing: {score}")
        };
    }
    let titles: Vec<String> =
        left.iter().map(|c| format!("{} ({})", text(&c.title), words::check(c.status))).collect();
    format!("{}; {score}", titles.join(", "))
}

pub(super) fn appendix(page: &mut Page, report: &Report) {
    let timing = &report.timing;
    page.heading(2, "Appendix: how the audit ran");
    let hosts: Vec<String> =
        timing.requests_by_host.iter().map(|(host, n)| format!("{} {n}", code(host))).collect();
    page.field("Wall time", &words::span_ms(timing.total_ms));
    page.field(
        "Requests sent",
        &format!("{} of a budget of {} ({})", timing.requests_sent, report.settings.budget, hosts.join(", ")),
    );
    if !timing.critical_path.is_empty() {
        page.field(
            "Critical path",
            &format!(
                "{} over {}",
                words::span_ms(timing.critical_path_ms),
                words::count(timing.round_trips, "round trip", "round trips")
            ),
        );
        page.table(
            &["Step", "Start", "Waited before", "Length", "Round trips"],
            timing.critical_path.iter().map(|s| {
                vec![
                    text(&s.label),
                    words::span_ms(s.start_ms),
                    words::span_ms(s.waited_ms),
                    words::span_ms(s.took_ms),
                    s.round_trips.to_string(),
                ]
            }),
        );
    }
    if report.settings.mapped {
        page.paragraph("An address map led some names or addresses elsewhere, so the addresses shown are not always where the packets went.");
    }
    if !report.settings.skipped.is_empty() {
        page.field("Left out by the caller", &text(&report.settings.skipped.join(", ")));
    }
    page.field(
        "Evidence",
        &format!(
            "{}, {}, SHA-256 {}",
            words::count(report.evidence.observations as u64, "observation", "observations"),
            code(&report.evidence.schema),
            code(&report.evidence.sha256)
        ),
    );
    page.field("Catalogue", &code(&report.catalogue));
    page.table(
        &["Observation", "Outcome", "Time", "By hand"],
        timing
            .observations
            .iter()
            .map(|o| vec![code(&o.evidence.0), text(&o.words), words::span_us(o.took_us), code(&o.by_hand)]),
    );
}
