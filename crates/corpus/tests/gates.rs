//! The score may not get worse: the whole corpus against the figures of `scenarios/gates.toml`.

use std::path::Path;

use landfall_corpus::Corpus;
use landfall_corpus::score::{Gates, score};
use landfall_diagnosis::Catalogue;

const SCENARIOS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios");

#[test]
fn no_figure_is_worse_than_committed() {
    let scenarios = Path::new(SCENARIOS);
    let catalogue = Catalogue::embedded();
    let corpus =
        Corpus::load(&scenarios.join("corpus"), "", catalogue).unwrap_or_else(|error| panic!("{error}"));
    let gates = Gates::load(&scenarios.join("gates.toml")).unwrap_or_else(|error| panic!("{error}"));
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let score = score(&corpus, catalogue, threads);
    let missed: Vec<String> = gates.missed(&score).into_iter().map(|gate| gate.message).collect();
    assert!(missed.is_empty(), "worse than committed:\n  {}\n\n{}", missed.join("\n  "), score.to_text());
}
