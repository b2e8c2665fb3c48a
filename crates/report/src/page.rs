//! A page of explanation, and the results of a verification.

use std::fmt::Write as _;

use landfall_diagnosis::{Grade, GradedClaim, Page};

use crate::Style;
use crate::text::{clean, wrap, wrap_hanging};

/// Lays out what a code or an id means. The text ends with a newline.
pub fn page(page: &Page, style: &Style) -> String {
    let width = style.width.max(40);
    let mut out = format!("{} ({})\n", clean(&page.id), clean(&page.kind));
    for line in wrap(&clean(&page.title), width) {
        let _ = writeln!(out, "{line}");
    }
    for section in &page.sections {
        let _ = writeln!(out, "\n{}", clean(&section.heading));
        for item in &section.items {
            for (n, line) in wrap_hanging(&clean(item), width - 4, width - 4).iter().enumerate() {
                let _ = writeln!(out, "  {} {line}", if n == 0 { "-" } else { " " });
            }
        }
    }
    out
}

/// Lays out graded claims, each with its reason and what would settle it. The text ends with a newline.
pub fn claims(graded: &[GradedClaim], style: &Style) -> String {
    let width = style.width.max(40);
    let mut out = String::new();
    for (n, claim) in graded.iter().enumerate() {
        let _ = writeln!(out, "{:>2}. {:<10}  {}", n + 1, claim.grade.name(), clean(&claim.says));
        let mut lines: Vec<(&str, String)> = Vec::new();
        if clean(&claim.means) != clean(&claim.says) {
            lines.push(("taken as", claim.means.clone()));
        }
        lines.extend(claim.why.iter().enumerate().map(|(n, why)| {
            let proof = why.evidence.first().map(|id| format!(" [{id}]")).unwrap_or_default();
            (if n == 0 { "because" } else { "" }, format!("{}{proof}", why.say))
        }));
        lines.extend(claim.beyond.iter().map(|text| ("but", text.clone())));
        lines.extend(claim.open.iter().map(|open| ("to settle", format!("{}: {}", open.ask, open.how))));
        for (label, text) in lines {
            for (line_n, line) in wrap(&clean(&text), width.saturating_sub(15)).iter().enumerate() {
                let _ = writeln!(out, "    {:<9}  {line}", if line_n == 0 { label } else { "" });
            }
        }
    }
    let count = |grade: Grade| graded.iter().filter(|claim| claim.grade == grade).count();
    let words: Vec<String> = [Grade::Proven, Grade::Consistent, Grade::Refuted, Grade::Untested]
        .into_iter()
        .map(|grade| format!("{} {}", count(grade), grade.name()))
        .collect();
    let _ = writeln!(out, "\n{} claims: {}", graded.len(), words.join(", "));
    out
}

/// One verified request: outcome word, title, what was expected, what was seen.
pub type VerifiedRow<'a> = (&'a str, &'a str, &'a str, &'a str);

/// Lays out the results of a verification. The text ends with a newline.
pub fn verified(rows: &[VerifiedRow<'_>], style: &Style) -> String {
    let width = style.width.max(40);
    let mut out = String::new();
    for (n, (outcome, title, expect, seen)) in rows.iter().enumerate() {
        let _ = writeln!(out, "{:>2}. {outcome:<7}  {}", n + 1, clean(title));
        for (label, text) in [("expected", expect), ("seen", seen)] {
            for (line_n, line) in wrap(&clean(text), width.saturating_sub(15)).iter().enumerate() {
                let _ = writeln!(out, "    {:<9}  {line}", if line_n == 0 { label } else { "" });
            }
        }
    }
    let passed = rows.iter().filter(|r| r.0 == "passed").count();
    let _ = writeln!(out, "\n{passed} of {} passed", rows.len());
    out
}
