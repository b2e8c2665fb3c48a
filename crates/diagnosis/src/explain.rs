//! What a code or an id means, and how to check it by hand.

use crate::Catalogue;

/// A page of explanation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Page {
    /// The code or id.
    pub id: String,
    /// What kind of thing it is: "finding", "cause", "signature".
    pub kind: String,
    /// One line.
    pub title: String,
    /// The rest, by heading; empty sections are left out.
    pub sections: Vec<Section>,
}

/// One part of a page.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// Its heading.
    pub heading: String,
    /// Its items, one sentence or command each.
    pub items: Vec<String>,
}

/// The page for a finding code, a cause id or a signature id.
///
/// # Errors
/// In words, with the nearest ids, when there is none.
pub fn explain(catalogue: &Catalogue, code: &str) -> Result<Page, String> {
    let wanted = code.trim();
    finding(wanted).or_else(|| cause(catalogue, wanted)).or_else(|| signature(catalogue, wanted)).ok_or_else(
        || {
            let near = near(catalogue, wanted);
            let hint = if near.is_empty() {
                "codes look like LF-TLS-001, causes like never-deployed, signatures like cloudflare-marker"
                    .to_owned()
            } else {
                format!("did you mean {}?", near.join(", "))
            };
            format!("{wanted:?} is not a finding, cause or signature; {hint}")
        },
    )
}

fn page(id: &str, kind: &str, title: &str, sections: Vec<(&str, Vec<String>)>) -> Page {
    let sections = sections
        .into_iter()
        .filter(|(_, items)| !items.is_empty())
        .map(|(heading, items)| Section { heading: heading.into(), items })
        .collect();
    Page { id: id.into(), kind: kind.into(), title: title.into(), sections }
}

fn finding(code: &str) -> Option<Page> {
    let found = crate::finding_codes().iter().find(|f| f.code.eq_ignore_ascii_case(code))?;
    Some(page(
        found.code,
        "finding",
        found.title,
        vec![("What it means", vec![found.meaning.into()]), ("Check by hand", vec![found.by_hand.into()])],
    ))
}

fn cause(catalogue: &Catalogue, id: &str) -> Option<Page> {
    let fault = catalogue.fault(id)?;
    let known =
        if catalogue.cause(id).is_some() { "cause" } else { "cause, described but not yet diagnosed" };
    let apart = fault.discriminators.iter().map(|d| format!("{}: {}", d.vs, d.test)).collect();
    Some(page(
        &fault.id,
        known,
        &fault.title,
        vec![
            ("Seen from outside", fault.outside.clone()),
            ("Seen from inside", fault.inside.clone()),
            ("Told apart from", apart),
            ("Remedy", fault.remedy.clone()),
            ("Build it yourself", vec![fault.reproduce.clone()]),
            ("Measured", fault.observed.clone().into_iter().collect()),
            ("Read more", fault.references.clone()),
        ],
    ))
}

fn signature(catalogue: &Catalogue, id: &str) -> Option<Page> {
    let found = catalogue.signature(id)?;
    let mut matches = Vec::new();
    if !found.status.is_empty() {
        matches.push(format!(
            "status {}",
            found.status.iter().map(u16::to_string).collect::<Vec<_>>().join(", ")
        ));
    }
    matches.extend(found.headers.iter().map(|(name, value)| format!("header {name}: {value}")));
    matches.extend(found.body_contains.iter().map(|text| format!("body contains {text:?}")));
    matches.extend(found.body_regex.iter().map(|pattern| format!("body matches {pattern}")));
    matches.extend(found.body_exact.iter().map(|text| format!("body is exactly {text:?}")));
    Some(page(
        &found.id,
        "signature",
        &found.note,
        vec![
            ("Says", vec![format!("{} ({}): {}", found.vendor, found.hop.name(), found.meaning.name())]),
            ("Matches when all of this holds", matches),
            ("Weight", vec![format!("{:.0} %", found.confidence * 100.0)]),
            ("Known from", vec![found.source.clone()]),
        ],
    ))
}

/// Ids that share the beginning or contain what was typed; at most five.
fn near(catalogue: &Catalogue, wanted: &str) -> Vec<String> {
    let wanted = wanted.to_ascii_lowercase();
    if wanted.len() < 3 {
        return Vec::new();
    }
    let ids = crate::finding_codes()
        .iter()
        .map(|f| f.code)
        .chain(catalogue.faults().map(|f| f.id.as_str()))
        .chain(catalogue.signatures().map(|s| s.id.as_str()));
    let head: String = wanted.chars().take(5).collect();
    let mut near: Vec<(bool, &str)> = ids
        .map(|id| (id, id.to_ascii_lowercase()))
        .filter(|(_, lower)| lower.contains(&wanted) || lower.starts_with(&head))
        .map(|(id, lower)| (!lower.contains(&wanted), id))
        .collect();
    near.sort();
    near.into_iter().take(5).map(|(_, id)| id.to_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_code_cause_and_signature_has_a_page() {
        let catalogue = Catalogue::embedded();
        let ids = crate::finding_codes()
            .iter()
            .map(|f| f.code)
            .chain(catalogue.faults().map(|f| f.id.as_str()))
            .chain(catalogue.signatures().map(|s| s.id.as_str()));
        for id in ids {
            let page = explain(catalogue, id).expect(id);
            assert!(!page.title.is_empty() && !page.sections.is_empty(), "{id}");
        }
    }

    #[test]
    fn an_unknown_id_is_answered_with_its_neighbours() {
        let error = explain(Catalogue::embedded(), "never-deploid").expect_err("no such id");
        assert!(error.contains("never-deployed"), "{error}");
    }
}
