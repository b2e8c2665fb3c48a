//! Findings of one probe alone, below its tables: what is noticed, what it means, what to do, and where to read on.

use std::fmt::Write as _;

use landfall_diagnosis::Finding;

use crate::Style;
use crate::text::{clean, wrap_hanging};
use crate::words;

/// Columns before the text of a finding.
const INDENT: usize = 12;

/// Lays out findings, worst first as they come. Empty when there is none.
pub fn remarks(findings: &[&Finding], style: &Style) -> String {
    let mut out = String::new();
    if findings.is_empty() {
        return out;
    }
    let width = style.width.max(40);
    let _ = writeln!(out, "\nFindings");
    for finding in findings {
        let pad = " ".repeat(INDENT);
        let mut say = |first: &str, text: &str| {
            let lines =
                wrap_hanging(&clean(text), width.saturating_sub(INDENT), width.saturating_sub(INDENT));
            for (n, line) in lines.iter().enumerate() {
                let _ = writeln!(out, "{}{line}", if n == 0 { first } else { &pad });
            }
        };
        let severity = format!("  {:<width$}", words::severity(finding.severity), width = INDENT - 2);
        say(&severity, &finding.title);
        say(&pad, &finding.impact);
        say(&pad, &format!("To do: {}", finding.remedy));
        say(&pad, &format!("landfall explain {}", finding.code));
    }
    out
}

#[cfg(test)]
mod tests {
    use landfall_diagnosis::Severity;

    use super::*;

    #[test]
    fn each_finding_says_what_to_do_and_where_to_read_on() {
        let finding = Finding {
            code: "LF-HTTP-030".into(),
            severity: Severity::High,
            title: "A compressed answer cannot be read (/health as gzip:\u{1b}[31m the bytes are not of this coding)".into(),
            impact: "Browsers fail.".into(),
            remedy: "Compress in one place only.".into(),
            evidence: Vec::new(),
            cause: None,
        };
        let style = Style { width: 60, ..Style::default() };
        let text = remarks(&[&finding], &style);
        assert!(text.starts_with("\nFindings\n  high"), "{text}");
        assert!(text.contains("            To do: Compress in one place only.\n"), "{text}");
        assert!(text.ends_with("            landfall explain LF-HTTP-030\n"), "{text}");
        assert!(!text.contains('\u{1b}') && text.lines().all(|l| l.chars().count() <= 60), "{text}");
        assert_eq!(remarks(&[], &style), "");
    }
}
