//! The terminal layout: what the first screen says, and what no line may do.

use crate::fixture;

use landfall_report::{Format, Report, Style, render};
use unicode_width::UnicodeWidthStr;

fn at(report: &Report, width: usize) -> String {
    render(report, Format::Terminal, &Style { width, ..Style::default() })
}

#[test]
fn undeployed_at_80_columns() {
    insta::assert_snapshot!(at(&fixture::undeployed(), 80));
}

#[test]
fn deployed_at_80_columns() {
    insta::assert_snapshot!(at(&fixture::deployed(), 80));
}

#[test]
fn origin_unknown_at_80_columns() {
    insta::assert_snapshot!(at(&fixture::origin_unknown(), 80));
}

#[test]
fn undeployed_with_details() {
    insta::assert_snapshot!(render(
        &fixture::undeployed(),
        Format::Terminal,
        &Style { details: true, ..Style::default() }
    ));
}

#[test]
fn the_first_screen_answers_what_where_why_and_what_now() {
    let screen = |report: &Report| at(report, 80).lines().take(24).collect::<Vec<_>>().join("\n");
    let first = screen(&fixture::undeployed());
    for answer in [
        "NOT LIVE",
        "BROKEN HERE",
        "never-deployed",
        "P0 Deploy the backend",
        "7 of 9 checks",
        "Tests passing",
    ] {
        assert!(first.contains(answer), "{answer:?} is missing from the first screen:\n{first}");
    }
    let tie = screen(&fixture::origin_unknown());
    for answer in ["never-deployed", "domain-not-attached", "94 %", "--origin", "Production deployed"] {
        assert!(tie.contains(answer), "{answer:?} is missing from the first screen:\n{tie}");
    }
}

#[test]
fn no_line_is_wider_than_the_terminal_unless_it_is_to_be_pasted() {
    for report in [fixture::undeployed(), fixture::deployed(), fixture::origin_unknown(), fixture::hostile()]
    {
        for width in [40, 60, 80, 100] {
            for line in at(&report, width).lines() {
                let to_paste = line.trim_start().starts_with("$ ") || line.contains("https://");
                assert!(to_paste || line.width() <= width, "{} > {width}: {line:?}", line.width());
            }
        }
    }
}

#[test]
fn colour_adds_codes_and_nothing_else() {
    let report = fixture::undeployed();
    let plain = at(&report, 80);
    let coloured = render(&report, Format::Terminal, &Style { color: true, ..Style::default() });
    assert!(coloured.contains("\u{1b}["), "colour writes codes");
    assert!(!plain.contains('\u{1b}'), "without colour there are none");
    assert_eq!(strip(&coloured), plain);
}

/// Removes `ESC [ … m`, the only sequence that the renderer writes.
fn strip(text: &str) -> String {
    let mut out = String::new();
    let mut parts = text.split("\u{1b}[");
    out.push_str(parts.next().unwrap_or_default());
    for part in parts {
        out.push_str(part.split_once('m').map_or(part, |(_, rest)| rest));
    }
    out
}

#[test]
fn a_hostile_target_cannot_steer_the_terminal() {
    let report = fixture::hostile();
    for (color, details) in [(false, false), (true, false), (true, true)] {
        let text = strip(&render(&report, Format::Terminal, &Style { color, details, width: 80 }));
        let bad =
            text.chars().find(|c| *c != '\n' && (c.is_control() || ('\u{202a}'..='\u{202e}').contains(c)));
        assert_eq!(bad, None, "a control character reached the terminal");
        assert!(text.contains("␛[2J"), "the attack is shown for what it is");
    }
}
