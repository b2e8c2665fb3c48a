//! The Markdown layout: fourteen sections, and nothing foreign that becomes structure.

use crate::fixture;

use landfall_report::{Format, Report, Style, render};
use pulldown_cmark::{Event, HeadingLevel, Options, Parser, Tag, TagEnd};

fn markdown(report: &Report) -> String {
    render(report, Format::Markdown, &Style::default())
}

/// Without the digest of the evidence, which changes whenever the evidence gains a field.
fn steady(report: &Report) -> String {
    markdown(report).replace(&report.evidence.sha256, "[digest of the evidence]")
}

fn parse(text: &str) -> Parser<'_> {
    Parser::new_ext(
        text,
        Options::ENABLE_TABLES
            | Options::ENABLE_STRIKETHROUGH
            | Options::ENABLE_MATH
            | Options::ENABLE_FOOTNOTES,
    )
}

#[test]
fn undeployed() {
    insta::assert_snapshot!(steady(&fixture::undeployed()));
}

#[test]
fn deployed() {
    insta::assert_snapshot!(steady(&fixture::deployed()));
}

#[test]
fn the_fourteen_sections_stand_in_order() {
    for report in [fixture::undeployed(), fixture::deployed(), fixture::origin_unknown(), fixture::hostile()]
    {
        let text = markdown(&report);
        let mut sections = Vec::new();
        let mut inside = None;
        for event in parse(&text) {
            match event {
                Event::Start(Tag::Heading { level: HeadingLevel::H2, .. }) => inside = Some(String::new()),
                Event::End(TagEnd::Heading(_)) => sections.extend(inside.take()),
                Event::Text(text) => {
                    if let Some(title) = &mut inside {
                        title.push_str(&text);
                    }
                }
                _ => {}
            }
        }
        let want = [
            "Executive summary",
            "1. Environment check",
            "2. Health endpoint analysis",
            "3. DNS resolution analysis",
            "4. SSL/TLS certificate analysis",
            "5. Rate limiting analysis",
            "6. Build and test integrity",
            "7. Infrastructure routing analysis",
            "8. Root cause analysis",
            "9. Critical issues summary",
            "10. Deployment readiness checklist",
            "11. Recommended actions",
            "12. Verification procedure",
            "13. Technical specifications",
            "14. Conclusion",
            "Appendix: how the audit ran",
        ];
        assert_eq!(sections, want);
    }
}

#[test]
fn what_the_acceptance_case_asks_for_is_there() {
    let text = markdown(&fixture::undeployed());
    for wanted in [
        "109,013 bytes",
        "| `backend/routes` | 518 |",
        "cf-ray: 99efe9be3fc90000-SEA",
        "the application never saw the request",
        "2606:4700:3032::ac43:9ea4",
        "`ada.ns.cloudflare.com` (Cloudflare)",
        "80 of 90 days (88 %)",
        "which fell to the rate limiter",
        "from run import app",
        "9 collected, 9 passed",
        "is not the cause",
        "**Ready:** 7/9 checks passed",
        "8 of 9 checks would then pass",
        "Issue 3:",
        "every 5 minutes",
    ] {
        assert!(text.contains(wanted), "{wanted:?} is missing");
    }
    assert!(!text.contains("Issue 4:"), "three troubles, not one for each finding");
}

#[test]
fn a_hostile_target_stays_text() {
    let text = markdown(&fixture::hostile());
    for event in parse(&text) {
        match event {
            Event::Html(html) | Event::InlineHtml(html) => panic!("HTML came through: {html}"),
            Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
                panic!("a link came through: {dest_url}")
            }
            Event::InlineMath(math) | Event::DisplayMath(math) => panic!("a formula came through: {math}"),
            // Escaped, the word keeps an asterisk beside it in the same event; as emphasis it would stand alone.
            Event::Text(text) => {
                assert!(
                    !["bold", "heading", "Not a heading", "item"].contains(&text.trim()),
                    "structure came through: {text}"
                );
            }
            _ => {}
        }
    }
    let bad = text.chars().find(|c| *c != '\n' && c.is_control());
    assert_eq!(bad, None, "a control character came through");
    let rows = text.lines().filter(|l| l.starts_with('|'));
    for row in rows {
        let cells = row.replace("\\|", "").matches('|').count();
        assert!(cells >= 3, "a table row lost its cells: {row}");
    }
}
