//! docs/causes.md: every fault of the catalogue with its observations, its worlds and what the diagnosis makes of them. The
//! page is written by this test (`LANDFALL_WRITE_DOCS=1 cargo test -p landfall-corpus --test causes`), and held to the
//! catalogue and the corpus by it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use landfall_corpus::Corpus;
use landfall_corpus::score::judge;
use landfall_diagnosis::{Catalogue, diagnose};

fn root(path: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..").join(path)
}

/// Faults of the auditing machine itself, which a world of servers cannot have; each has unit worlds in the diagnosis.
const WITHOUT_A_WORLD: [(&str, &str); 2] = [
    (
        "probe-vantage-broken",
        "a world on loopback always answers; tests of the program give it a resolver that does not",
    ),
    (
        "probe-ca-bundle-stale",
        "no lab can show a chain that the roots of a current machine hold and an old one's lack",
    ),
];

/// What came of one world.
fn result(case: &landfall_corpus::Case, catalogue: &Catalogue) -> &'static str {
    let judged = judge(&diagnose(&case.evidence, catalogue), &case.truth, catalogue);
    if judged.top1 && judged.first.len() == 1 {
        "named"
    } else if judged.top1 {
        "in a tie with what cannot be told from it"
    } else if case.truth.causes.len() > 1 && judged.set > 0.0 {
        "named beside the other"
    } else if judged.top3 {
        "among the first three"
    } else {
        "missed"
    }
}

fn page(catalogue: &Catalogue, corpus: &Corpus) -> String {
    let mut worlds: BTreeMap<&str, Vec<(&str, &'static str)>> = BTreeMap::new();
    for case in &corpus.cases {
        let came = result(case, catalogue);
        for cause in &case.truth.causes {
            worlds.entry(cause).or_default().push((&case.name, came));
        }
    }
    let mut out = String::from(
        "# Causes\n\n\
         Every fault that the catalogue describes: what shows it, the recorded worlds of `scenarios/corpus` in which it is true, and\n\
         what the diagnosis says of them. `landfall explain ID` has the whole page of each. This file is written by a test from the\n\
         catalogue and the corpus (`LANDFALL_WRITE_DOCS=1 cargo test -p landfall-corpus --test causes`).\n\n\
         The result of a world is one of: *named* (it comes first, alone), *in a tie* (first, together with what this evidence\n\
         cannot tell from it), *named beside the other* (a world of two faults), *among the first three*, *missed*.\n",
    );
    let known = catalogue.causes().count();
    let shown = catalogue.faults().filter(|f| worlds.contains_key(f.id.as_str())).count();
    let blind = catalogue.faults().filter(|f| catalogue.cause(&f.id).is_none()).count();
    let _ = writeln!(
        out,
        "\n{} faults; {known} are diagnosed, {shown} of them have a world of their own, {blind} cannot be observed yet.",
        catalogue.faults().count()
    );
    for layer in catalogue.layers() {
        let _ = writeln!(out, "\n## {}\n\n{}\n", layer.title, layer.question);
        for fault in catalogue.faults().filter(|f| f.layer == layer.id) {
            let _ = writeln!(out, "### {}\n\n{}\n", fault.id, fault.title);
            match catalogue.cause(&fault.id) {
                Some(cause) => {
                    let told: BTreeSet<&str> =
                        cause.rules().filter(|(weight, _)| *weight >= 10).map(|(_, say)| say).collect();
                    for say in told {
                        let _ = writeln!(out, "- {say}");
                    }
                }
                None => {
                    let why = catalogue.not_observable(&fault.id);
                    let reason = why.map_or("no rule weighs it", |why| why.reason.as_str());
                    let take = why.map_or("", |why| why.would_take.as_str());
                    let _ = writeln!(out, "- not observable: {reason}\n- would take: {take}");
                }
            }
            let list = worlds.get(fault.id.as_str()).map(Vec::as_slice).unwrap_or_default();
            if list.is_empty() {
                let why = WITHOUT_A_WORLD.iter().find(|(id, _)| *id == fault.id).map_or("", |(_, why)| why);
                let _ = writeln!(out, "\nNo world shows it: {why}.\n");
            } else {
                let cells: Vec<String> =
                    list.iter().map(|(name, came)| format!("`{name}` ({came})")).collect();
                let _ = writeln!(out, "\nWorlds: {}.\n", cells.join(", "));
            }
        }
    }
    out
}

#[test]
fn the_page_of_causes_is_that_of_the_catalogue_and_the_corpus() {
    let catalogue = Catalogue::embedded();
    let corpus = Corpus::load(&root("scenarios/corpus"), "", catalogue).expect("the corpus reads");
    let now = page(catalogue, &corpus);
    let file = root("docs/causes.md");
    if std::env::var_os("LANDFALL_WRITE_DOCS").is_some() {
        std::fs::write(&file, &now).expect("the page can be written");
    }
    let there = std::fs::read_to_string(&file).expect("docs/causes.md is part of the repository");
    assert!(
        there == now,
        "docs/causes.md is old; write it anew: LANDFALL_WRITE_DOCS=1 cargo test -p landfall-corpus --test causes"
    );
}

#[test]
fn every_fault_is_diagnosed_or_its_blindness_is_explained() {
    let catalogue = Catalogue::embedded();
    for fault in catalogue.faults() {
        let (rule, blind) = (catalogue.cause(&fault.id).is_some(), catalogue.not_observable(&fault.id));
        assert!(
            rule != blind.is_some(),
            "{}: has a rule: {rule}; stands in not-observable.toml: {}; one of the two has to be the case",
            fault.id,
            blind.is_some()
        );
        if let Some(blind) = blind {
            assert!(!blind.reason.trim().is_empty() && !blind.would_take.trim().is_empty(), "{}", fault.id);
        }
    }
}

#[test]
fn every_diagnosed_fault_has_a_world_from_real_servers() {
    let catalogue = Catalogue::embedded();
    let corpus = Corpus::load(&root("scenarios/corpus"), "", catalogue).expect("the corpus reads");
    let shown: BTreeSet<&str> =
        corpus.cases.iter().flat_map(|case| &case.truth.causes).map(String::as_str).collect();
    let missing: Vec<&str> =
        catalogue.causes().map(|cause| cause.id.as_str()).filter(|id| !shown.contains(id)).collect();
    let excepted = |id: &&str| WITHOUT_A_WORLD.iter().any(|(without, _)| without == id);
    let missing: Vec<&str> = missing.into_iter().filter(|id| !excepted(id)).collect();
    assert!(missing.is_empty(), "no world has {missing:?}");
    assert_eq!(corpus.unrecorded, Vec::<String>::new(), "every recipe is recorded");
    let count = |wanted: fn(&landfall_corpus::Truth) -> bool| {
        corpus.cases.iter().filter(|case| wanted(&case.truth)).count()
    };
    assert!(count(|truth| truth.is_healthy()) >= 30, "healthy and odd-but-healthy worlds");
    assert!(count(|truth| truth.causes.len() == 2) >= 40, "worlds of two faults");
}
