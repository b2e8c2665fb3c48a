//! The page: well formed, self-contained, and closed to what a target may send.

use crate::fixture;

use landfall_report::{Format, Report, Style, render};
use quick_xml::Reader;
use quick_xml::events::Event;

const VOID: [&str; 4] = ["br", "meta", "link", "img"];

fn html(report: &Report) -> String {
    render(report, Format::Html, &Style::default())
}

fn all() -> [Report; 4] {
    [fixture::undeployed(), fixture::deployed(), fixture::origin_unknown(), fixture::hostile()]
}

/// Every element with its attributes, after a check that each one that opens also closes, in order.
fn elements(page: &str) -> Vec<(String, Vec<(String, String)>)> {
    // The style sheet is no markup; a browser reads it as raw text.
    let (before, rest) = page.split_once("<style>").expect("a style sheet");
    let (_, after) = rest.split_once("</style>").expect("its end");
    let text = format!("{before}{after}");
    let mut reader = Reader::from_str(&text);
    reader.config_mut().check_end_names = false;
    let (mut open, mut found): (Vec<String>, Vec<_>) = (Vec::new(), Vec::new());
    loop {
        match reader.read_event().expect("well-formed markup") {
            Event::Start(e) => {
                let name = String::from_utf8_lossy(e.name().as_ref()).into_owned();
                let attributes = e
                    .attributes()
                    .map(|a| {
                        let a = a.expect("well-formed attributes");
                        let key = String::from_utf8_lossy(a.key.as_ref()).into_owned();
                        (key, a.unescape_value().expect("known entities").into_owned())
                    })
                    .collect();
                if !VOID.contains(&name.as_str()) {
                    open.push(name.clone());
                }
                found.push((name, attributes));
            }
            Event::End(e) => {
                let name = String::from_utf8_lossy(e.name().as_ref()).into_owned();
                assert_eq!(open.pop().as_ref(), Some(&name), "an element closes that is not open");
            }
            Event::Eof => break,
            _ => {}
        }
    }
    assert!(open.is_empty(), "not closed: {open:?}");
    found
}

#[test]
fn the_page_is_well_formed_and_asks_nobody_for_anything() {
    for report in all() {
        let page = html(&report);
        for (name, attributes) in elements(&page) {
            assert!(
                !["script", "img", "link", "iframe", "object", "embed", "form", "base"]
                    .contains(&name.as_str()),
                "<{name}> in the page"
            );
            for (key, value) in attributes {
                assert!(!key.starts_with("on") && key != "src" && key != "srcset", "{key} in the page");
                assert!(key != "href" || value.starts_with('#'), "a link leads out of the page: {value}");
            }
        }
        assert!(!page.contains("url(") && !page.contains("@import"), "the style sheet loads something");
        assert!(page.contains("default-src 'none'"), "the policy is missing");
    }
}

#[test]
fn every_link_has_its_target_and_every_id_is_unique() {
    for report in all() {
        let elements = elements(&html(&report));
        let values = |wanted: &str| -> Vec<String> {
            let of = |attributes: &[(String, String)]| {
                attributes.iter().filter(|(k, _)| k == wanted).map(|(_, v)| v.clone()).collect::<Vec<_>>()
            };
            elements.iter().flat_map(|(_, a)| of(a)).collect()
        };
        let ids = values("id");
        let mut unique = ids.clone();
        unique.sort();
        unique.dedup();
        assert_eq!(unique.len(), ids.len(), "an id stands twice");
        for href in values("href") {
            assert!(ids.iter().any(|id| href[1..] == **id), "{href} leads nowhere");
        }
        for label in values("aria-labelledby") {
            assert!(ids.contains(&label), "{label} labels nothing");
        }
    }
}

#[test]
fn a_hostile_target_opens_no_element() {
    let benign = elements(&html(&fixture::undeployed()));
    let hostile = html(&fixture::hostile());
    assert!(hostile.contains("&lt;script&gt;"), "the attack is shown for what it is");
    assert!(!hostile.chars().any(|c| c != '\n' && c.is_control()));
    assert!(!hostile.contains('\u{202e}'), "the direction of text was turned");
    let known: std::collections::BTreeSet<&String> = benign.iter().map(|(name, _)| name).collect();
    for (name, _) in elements(&hostile) {
        assert!(known.contains(&name), "the attack opened <{name}>");
    }
}

#[test]
fn the_page_has_what_a_reader_needs() {
    let page = html(&fixture::undeployed());
    for wanted in [
        "<!DOCTYPE html>",
        "<html lang=\"en\">",
        "name=\"viewport\"",
        "<title>api.levqor.ai: not live",
        "prefers-color-scheme: dark",
        "@media print",
    ] {
        assert!(page.contains(wanted), "{wanted} is missing");
    }
    let elements = elements(&page);
    let count = |name: &str| elements.iter().filter(|(n, _)| n == name).count();
    assert_eq!(count("h1"), 1);
    assert_eq!(count("main"), 1);
    for (name, attributes) in &elements {
        if name == "svg" {
            let spoken = attributes.iter().any(|(k, _)| k == "aria-label" || k == "aria-hidden");
            assert!(spoken, "a drawing has no text beside it");
        }
    }
}

/// The part of the page on the rate limit, one element a line.
fn rate_limit(report: &Report) -> String {
    let page = html(report);
    let start = page.find("id=\"rate-limit\"").expect("the section");
    let end = start + page[start..].find("</section>").expect("its end");
    page[start..end].replace("><", ">\n<")
}

#[test]
fn the_limit_the_uses_and_the_refusals_are_drawn() {
    insta::assert_snapshot!(rate_limit(&fixture::undeployed()));
}

#[test]
fn a_drawing_says_in_words_what_it_shows_and_needs_no_colour() {
    let part = rate_limit(&fixture::undeployed());
    let drawings = part.matches("<svg class=\"limits\"").count();
    assert_eq!(drawings, 3, "the audit's own run, and the two uses that are hit");
    assert_eq!(part.matches("role=\"img\" aria-label=\"").count(), drawings, "{part}");
    // What passes is a disc, what is refused a cross.
    assert_eq!(part.matches("class=\"refused\"").count(), 1 + 7 + 5, "{part}");
    assert_eq!(part.matches("class=\"passed\"").count(), 5 + 5 + 5, "{part}");
    let quiet = rate_limit(&fixture::deployed());
    assert!(!quiet.contains("<svg class=\"limits\""), "{quiet}");
}
