//! Fourteen sections, in the order in which a person would write them: what was looked at, then each layer, then what it
//! means and what to do.

mod escape;
mod judgement;
mod observations;

use self::escape::{block, code, line_start, text};
use crate::model::Report;
use crate::words;

pub(crate) fn render(report: &Report) -> String {
    let mut page = Page::default();
    head(&mut page, report);
    observations::environment(&mut page, report);
    observations::health(&mut page, report);
    observations::dns(&mut page, report);
    observations::tls(&mut page, report);
    observations::rate_limit(&mut page, report);
    observations::tests(&mut page, report);
    judgement::routing(&mut page, report);
    judgement::root_cause(&mut page, report);
    judgement::issues(&mut page, report);
    judgement::readiness(&mut page, report);
    judgement::actions(&mut page, report);
    judgement::verification(&mut page, report);
    judgement::specifications(&mut page, report);
    judgement::conclusion(&mut page, report);
    judgement::appendix(&mut page, report);
    page.out
}

fn head(page: &mut Page, report: &Report) {
    let target = &report.target;
    page.heading(1, &format!("Production audit: {}", target.name));
    page.field("Time", &text(&words::time(report.generated_at)));
    page.field("Written by", &text(&format!("{} {}", report.tool.name, report.tool.version)));
    for (label, url) in [
        ("Production", &target.production),
        ("Platform's own name", &target.origin),
        ("Local", &target.local),
    ] {
        if let Some(url) = url {
            page.field(label, &code(url.as_str()));
        }
    }
    page.heading(2, "Executive summary");
    page.table(
        &["Component", "Status", "Severity"],
        report.components.iter().map(|c| {
            vec![
                format!("**{}**", text(&c.name)),
                format!(
                    "{} {}: {}",
                    words::status_mark(c.status),
                    words::status(c.status),
                    text(&c.headline)
                ),
                c.severity.map_or("none", words::severity).to_owned(),
            ]
        }),
    );
    page.field(
        "Overall status",
        &format!(
            "{} {}. {}",
            words::verdict_mark(report.verdict),
            words::verdict(report.verdict),
            text(&report.summary)
        ),
    );
    if !report.explanation.shown().is_empty() {
        page.field("In plain words", &text(report.explanation.shown()));
        if let Some(model) = &report.explanation.by {
            page.field("Put into these words by", &text(model));
        }
    }
}

/// The text as it grows. Everything foreign passes [`escape`] before it comes here.
#[derive(Default)]
struct Page {
    out: String,
}

impl Page {
    fn blank(&mut self) {
        if !self.out.is_empty() && !self.out.ends_with("\n\n") {
            self.out.push('\n');
        }
    }

    /// A heading with foreign or own text, escaped here.
    fn heading(&mut self, level: usize, title: &str) {
        self.blank();
        self.out.push_str(&"#".repeat(level));
        self.out.push(' ');
        self.out.push_str(&escape::heading(title));
        self.out.push_str("\n\n");
    }

    /// A paragraph of Markdown.
    fn paragraph(&mut self, markdown: &str) {
        self.blank();
        self.out.push_str(&line_start(markdown));
        self.out.push_str("\n\n");
    }

    /// A paragraph that begins with a label in bold.
    fn field(&mut self, label: &str, markdown: &str) {
        self.paragraph(format!("**{label}:** {markdown}").trim_end());
    }

    /// A bullet list of Markdown items.
    fn list<I: IntoIterator<Item = String>>(&mut self, items: I) {
        self.blank();
        for item in items {
            self.out.push_str(&format!("- {}\n", line_start(&item)));
        }
        self.blank();
    }

    /// A numbered list of Markdown items.
    fn numbered<I: IntoIterator<Item = String>>(&mut self, items: I) {
        self.blank();
        for (i, item) in items.into_iter().enumerate() {
            self.out.push_str(&format!("{}. {}\n", i + 1, line_start(&item)));
        }
        self.blank();
    }

    /// A fenced block.
    fn fenced(&mut self, language: &str, raw: &str) {
        self.blank();
        self.out.push_str(&block(language, raw));
        self.out.push('\n');
    }

    /// A table of Markdown cells; nothing when there is no row.
    fn table<I: IntoIterator<Item = Vec<String>>>(&mut self, head: &[&str], rows: I) {
        let mut rows = rows.into_iter().peekable();
        if rows.peek().is_none() {
            return;
        }
        self.blank();
        self.out.push_str(&format!("| {} |\n|{}\n", head.join(" | "), " --- |".repeat(head.len())));
        for row in rows {
            self.out.push_str(&format!("| {} |\n", row.join(" | ")));
        }
        self.out.push('\n');
    }

    /// The closing line of a section: the component's state in the diagnosis's words.
    fn conclusion(&mut self, report: &Report, component: &str) {
        if let Some(c) = report.component(component) {
            self.field(
                "Conclusion",
                &format!(
                    "{} {}: {}",
                    words::status_mark(c.status),
                    words::status(c.status),
                    text(&c.headline)
                ),
            );
        }
    }

    /// The findings that rest on observations of one kind.
    fn findings(&mut self, report: &Report, kind: crate::model::Kind) {
        let found: Vec<String> = report
            .findings_about(kind)
            .map(|f| format!("{} ({}): {}", code(&f.code), words::severity(f.severity), text(&f.title)))
            .collect();
        if !found.is_empty() {
            self.field("Found here", "");
            self.list(found);
        }
    }
}
