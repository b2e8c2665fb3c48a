//! JUnit XML, in the shape that the common CI systems read: one suite, a test case for the verdict, for each readiness
//! check, each component and each unexplained observation.
//!
//! A failed check is a `<failure>`. An unknown one is an `<error>` with the reason and never a pass, nor `<skipped>`,
//! which most systems show as green.

use landfall_diagnosis::{Status, Verdict};
use quick_xml::Writer;
use quick_xml::events::{BytesDecl, BytesEnd, BytesStart, BytesText, Event};

use crate::model::Report;
use crate::text::{clean, clean_block};
use crate::words;

struct Case {
    class: &'static str,
    name: String,
    outcome: Outcome,
}

enum Outcome {
    Pass { note: String },
    Failure { kind: String, message: String, detail: String },
    Error { kind: String, message: String, detail: String },
}

pub(crate) fn render(report: &Report) -> String {
    let cases = cases(report);
    let failures = cases.iter().filter(|c| matches!(c.outcome, Outcome::Failure { .. })).count().to_string();
    let errors = cases.iter().filter(|c| matches!(c.outcome, Outcome::Error { .. })).count().to_string();
    let tests = cases.len().to_string();
    let time = format!("{:.3}", report.timing.total_ms / 1e3);
    let at = report.generated_at.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let counts = [
        ("tests", tests.as_str()),
        ("failures", &failures),
        ("errors", &errors),
        ("skipped", "0"),
        ("time", &time),
    ];

    let mut xml = Xml(Writer::new_with_indent(Vec::new(), b' ', 2));
    xml.put(Event::Decl(BytesDecl::new("1.0", Some("UTF-8"), None)));
    xml.open("testsuites", &[&[("name", "landfall")], &counts[..]].concat());
    xml.open("testsuite", &[&[("name", "landfall")], &counts[..], &[("timestamp", at.as_str())]].concat());
    xml.open("properties", &[]);
    for (name, value) in properties(report) {
        xml.empty("property", &[("name", &name), ("value", &value)]);
    }
    xml.close("properties");
    for case in &cases {
        let attributes = [("classname", case.class), ("name", case.name.as_str()), ("time", "0.000")];
        match &case.outcome {
            Outcome::Pass { note } if note.is_empty() => xml.empty("testcase", &attributes),
            Outcome::Pass { note } => {
                xml.open("testcase", &attributes);
                xml.text("system-out", &[], note);
                xml.close("testcase");
            }
            Outcome::Failure { kind, message, detail } => {
                xml.open("testcase", &attributes);
                xml.text("failure", &[("type", kind), ("message", message)], detail);
                xml.close("testcase");
            }
            Outcome::Error { kind, message, detail } => {
                xml.open("testcase", &attributes);
                xml.text("error", &[("type", kind), ("message", message)], detail);
                xml.close("testcase");
            }
        }
    }
    xml.close("testsuite");
    xml.close("testsuites");
    xml.finish()
}

fn properties(report: &Report) -> Vec<(String, String)> {
    let mut properties = vec![
        ("target".to_owned(), report.target.name.clone()),
        ("verdict".to_owned(), words::verdict(report.verdict).to_lowercase()),
        ("summary".to_owned(), report.summary.clone()),
        ("readiness".to_owned(), format!("{} of {}", report.readiness.passed, report.readiness.total)),
        ("evidence.sha256".to_owned(), report.evidence.sha256.clone()),
    ];
    for cause in &report.causes {
        let standing = format!("{}, {}", words::label(cause.label), words::percent(cause.confidence));
        properties.push((format!("cause.{}", cause.id), standing));
    }
    properties
}

fn cases(report: &Report) -> Vec<Case> {
    let mut cases = vec![verdict(report)];
    for check in &report.readiness.checks {
        let todo: Vec<String> = report
            .actions
            .iter()
            .filter(|a| a.clears.contains(&check.id))
            .map(|a| format!("{:?}: {}", a.priority, a.title))
            .collect();
        cases.push(Case {
            class: "landfall.readiness",
            name: check.title.clone(),
            outcome: of_status(check.status, &check.id, &check.note, &todo.join("\n")),
        });
    }
    for component in &report.components {
        let severity =
            component.severity.map(|s| format!("severity {}", words::severity(s))).unwrap_or_default();
        cases.push(Case {
            class: "landfall.component",
            name: component.name.clone(),
            outcome: of_status(component.status, &component.id, &component.headline, &severity),
        });
    }
    for item in &report.unexplained {
        cases.push(Case {
            class: "landfall.unexplained",
            name: item.evidence.to_string(),
            outcome: Outcome::Error {
                kind: "unexplained".to_owned(),
                message: item.what.clone(),
                detail: "Nothing accounts for this observation, so nothing counts as green.".to_owned(),
            },
        });
    }
    cases
}

fn verdict(report: &Report) -> Case {
    let kind = words::verdict(report.verdict).to_lowercase().replace(' ', "-");
    let causes: Vec<String> =
        report.causes.iter().map(|c| format!("{} ({}, {})", c.title, c.id, words::label(c.label))).collect();
    let (message, detail) = (report.summary.clone(), causes.join("\n"));
    let outcome = match report.verdict {
        Verdict::Live => Outcome::Pass { note: message },
        Verdict::Degraded | Verdict::NotLive => Outcome::Failure { kind, message, detail },
        Verdict::Unknown => Outcome::Error { kind, message, detail },
    };
    Case { class: "landfall.verdict", name: report.target.name.clone(), outcome }
}

fn of_status(status: Status, id: &str, note: &str, more: &str) -> Outcome {
    let (kind, message) = (id.to_owned(), note.to_owned());
    let detail = if more.is_empty() { note.to_owned() } else { format!("{note}\n{more}") };
    match status {
        Status::Ok => Outcome::Pass { note: String::new() },
        Status::Warn => Outcome::Pass { note: format!("warning: {detail}") },
        Status::Fail => Outcome::Failure { kind, message, detail },
        Status::Unknown => Outcome::Error { kind, message: format!("unknown: {message}"), detail },
    }
}

/// A writer into memory, which cannot fail.
struct Xml(Writer<Vec<u8>>);

const IN_MEMORY: &str = "writing into a vector does not fail";

impl Xml {
    fn put(&mut self, event: Event<'_>) {
        self.0.write_event(event).expect(IN_MEMORY);
    }

    fn start<'a>(name: &'a str, attributes: &[(&str, &str)]) -> BytesStart<'a> {
        let mut start = BytesStart::new(name);
        for (key, value) in attributes {
            start.push_attribute((*key, &*clean(value)));
        }
        start
    }

    fn open(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.put(Event::Start(Self::start(name, attributes)));
    }

    fn empty(&mut self, name: &str, attributes: &[(&str, &str)]) {
        self.put(Event::Empty(Self::start(name, attributes)));
    }

    fn close(&mut self, name: &str) {
        self.put(Event::End(BytesEnd::new(name)));
    }

    fn text(&mut self, name: &str, attributes: &[(&str, &str)], text: &str) {
        self.open(name, attributes);
        self.put(Event::Text(BytesText::new(&clean_block(text))));
        self.close(name);
    }

    fn finish(self) -> String {
        let mut text = String::from_utf8(self.0.into_inner()).expect("only UTF-8 text was written");
        text.push('\n');
        text
    }
}
