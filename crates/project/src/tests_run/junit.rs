//! pytest's report in JUnit XML.

use landfall_evidence::TestCounts;
use quick_xml::Reader;
use quick_xml::escape::resolve_predefined_entity;
use quick_xml::events::{BytesStart, Event};

/// What the report says.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) counts: TestCounts,
    /// Failed tests as `class::name`.
    pub(super) failed: Vec<String>,
    /// Modules that could not be collected: dotted name and traceback.
    pub(super) collection: Vec<(String, String)>,
}

/// Tests of one report that are looked at; more are not counted but left to the output's own summary.
const MAX_CASES: u32 = 200_000;

#[derive(Default)]
struct Case {
    class: String,
    name: String,
    failure: bool,
    error: bool,
    skipped: bool,
    /// The error came after the test itself had passed.
    teardown: bool,
    collection: bool,
    text: String,
}

/// Reads a report; `None` when it is not one, or is cut off.
pub(super) fn read(text: &str) -> Option<Report> {
    let mut reader = Reader::from_str(text);
    let mut report = Report::default();
    let mut case: Option<Case> = None;
    let mut complete = false;
    let mut cases = 0;
    loop {
        match reader.read_event().ok()? {
            Event::Start(element) => begin(&reader, &element, &mut case),
            Event::Empty(element) => {
                begin(&reader, &element, &mut case);
                match element.name().as_ref() {
                    b"testcase" => finish(case.take(), &mut report),
                    b"testsuite" | b"testsuites" => complete = true,
                    _ => {}
                }
            }
            Event::Text(part) => add(&mut case, &part.decode().ok()?),
            Event::CData(part) => add(&mut case, &part.decode().ok()?),
            Event::GeneralRef(entity) => {
                if let Ok(Some(c)) = entity.resolve_char_ref() {
                    add(&mut case, c.encode_utf8(&mut [0; 4]));
                } else if let Some(known) = resolve_predefined_entity(&entity.decode().ok()?) {
                    add(&mut case, known);
                }
            }
            Event::End(element) => match element.name().as_ref() {
                b"testcase" => {
                    finish(case.take(), &mut report);
                    cases += 1;
                    if cases > MAX_CASES {
                        return None;
                    }
                }
                b"testsuite" | b"testsuites" => complete = true,
                _ => {}
            },
            Event::Eof => return complete.then_some(report),
            _ => {}
        }
    }
}

fn attribute(reader: &Reader<&[u8]>, element: &BytesStart<'_>, name: &str) -> String {
    let value = element.try_get_attribute(name).ok().flatten();
    value
        .and_then(|v| v.decode_and_unescape_value(reader.decoder()).ok().map(|v| v.into_owned()))
        .unwrap_or_default()
}

fn begin(reader: &Reader<&[u8]>, element: &BytesStart<'_>, case: &mut Option<Case>) {
    match (element.name().as_ref(), case.as_mut()) {
        (b"testcase", _) => {
            let (class, name) = (attribute(reader, element, "classname"), attribute(reader, element, "name"));
            *case = Some(Case { class, name, ..Case::default() });
        }
        (b"failure", Some(case)) => case.failure = true,
        (b"skipped", Some(case)) => case.skipped = true,
        (b"error", Some(case)) => {
            case.error = true;
            let message = attribute(reader, element, "message");
            case.collection = message == "collection failure";
            case.teardown = message.starts_with("failed on teardown");
        }
        _ => {}
    }
}

fn add(case: &mut Option<Case>, text: &str) {
    // Only a collection error's text is used; captured output of tests can be long.
    if let Some(case) = case.as_mut().filter(|c| c.collection && c.text.len() < 64 * 1024) {
        case.text.push_str(text);
    }
}

fn finish(case: Option<Case>, report: &mut Report) {
    let Some(case) = case else { return };
    let counts = &mut report.counts;
    if case.collection {
        counts.errors += 1;
        report.collection.push((case.name, case.text));
        return;
    }
    counts.collected += 1;
    if case.failure {
        counts.failed += 1;
    } else if case.skipped {
        counts.skipped += 1;
    } else if !case.error || case.teardown {
        counts.passed += 1;
    }
    counts.errors += u32::from(case.error);
    if case.failure || case.error {
        let name = if case.class.is_empty() { case.name } else { format!("{}::{}", case.class, case.name) };
        report.failed.push(name);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recorded_mixed_run() {
        let report = read(include_str!("../../tests/data/mixed.xml")).unwrap();
        // The test whose fixture fails on teardown has one entry; it passed, and there was an error.
        assert_eq!(report.counts, TestCounts { collected: 8, passed: 3, failed: 2, errors: 2, skipped: 2 });
        assert_eq!(report.failed[1], "tests.test_mixed.TestGroup::test_each[a b]");
        assert!(report.collection.is_empty());
    }

    #[test]
    fn a_recorded_collection_error_keeps_its_traceback() {
        let report = read(include_str!("../../tests/data/import-error.xml")).unwrap();
        assert_eq!(report.counts, TestCounts { errors: 1, ..TestCounts::default() });
        let [(name, text)] = report.collection.as_slice() else { panic!("{report:?}") };
        assert_eq!(name, "tests.test_tenancy_security");
        assert!(text.contains("in <module>\n    from run import app\nE   ModuleNotFoundError"), "{text}");
    }

    #[test]
    fn an_empty_run_counts_nothing_and_a_cut_report_is_none() {
        assert_eq!(read(include_str!("../../tests/data/no-tests.xml")).unwrap(), Report::default());
        let whole = include_str!("../../tests/data/mixed.xml");
        for cut in [0, 10, whole.len() / 2, whole.len() - 40] {
            assert_eq!(read(&whole[..cut]), None, "{cut}");
        }
        assert_eq!(read("not xml <"), None);
    }
}
