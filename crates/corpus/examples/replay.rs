//! How fast a recording is judged and the corpus replayed; `bench/replay.py` builds it for speed and runs it.
//!
//! ```text
//! cargo run --release -p landfall-corpus --example replay -- [DIR]
//! ```
//!
//! Ends with 1 when a figure is above its bound.

use std::path::Path;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use landfall_corpus::Corpus;
use landfall_corpus::score::score;
use landfall_diagnosis::{Catalogue, diagnose};
use landfall_evidence::Evidence;

const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/corpus");
/// What judging one recording may take.
const ONE: Duration = Duration::from_millis(5);
/// What replaying the corpus in all variants may take on two cores.
const ALL: Duration = Duration::from_secs(30);
/// Times that each recording is judged; the fastest counts, as the others measure the machine's other work.
const ROUNDS: usize = 5;

fn main() -> ExitCode {
    let folder = std::env::args().nth(1).unwrap_or_else(|| FOLDER.to_owned());
    let catalogue = Catalogue::embedded();
    let began = Instant::now();
    let corpus = match Corpus::load(Path::new(&folder), "", catalogue) {
        Ok(corpus) if !corpus.cases.is_empty() => corpus,
        Ok(_) => {
            eprintln!("error: {folder}: no recording");
            return ExitCode::from(2);
        }
        Err(error) => {
            eprintln!("error: {error}");
            return ExitCode::from(2);
        }
    };
    println!("{} recordings read and unpacked in {:.2} s", corpus.cases.len(), began.elapsed().as_secs_f64());

    let mut judged: Vec<(Duration, &str)> = Vec::new();
    let mut from_text: Vec<(Duration, &str)> = Vec::new();
    for case in &corpus.cases {
        let text = case.evidence.to_json();
        judged
            .push((fastest(|| drop(std::hint::black_box(diagnose(&case.evidence, catalogue)))), &case.name));
        let whole = || {
            let evidence = Evidence::from_json(&text).expect("it was written a moment ago");
            drop(std::hint::black_box(diagnose(&evidence, catalogue)));
        };
        from_text.push((fastest(whole), &case.name));
    }
    let slowest = show("judging one recording", &mut judged);
    show("the same from its JSON text", &mut from_text);

    let began = Instant::now();
    let score = score(&corpus, catalogue, 2);
    let replay = began.elapsed();
    println!(
        "the whole corpus, {} variants on 2 threads: {:.2} s (bound {} s)",
        score.all.variants,
        replay.as_secs_f64(),
        ALL.as_secs()
    );
    if slowest > ONE || replay > ALL {
        eprintln!("a bound is broken: {} ms for one recording, {} s for all", ONE.as_millis(), ALL.as_secs());
        return ExitCode::from(1);
    }
    ExitCode::SUCCESS
}

fn fastest(work: impl Fn()) -> Duration {
    let time = |_| {
        let began = Instant::now();
        work();
        began.elapsed()
    };
    (0..ROUNDS).map(time).min().unwrap_or_default()
}

fn show(what: &str, times: &mut [(Duration, &str)]) -> Duration {
    times.sort_unstable();
    let at = |share: f64| times[((times.len() - 1) as f64 * share) as usize].0.as_secs_f64() * 1e3;
    let (slowest, name) = times[times.len() - 1];
    println!(
        "{what}: median {:.2} ms, 95 % within {:.2} ms, slowest {:.2} ms ({name}; bound {} ms)",
        at(0.5),
        at(0.95),
        slowest.as_secs_f64() * 1e3,
        ONE.as_millis()
    );
    slowest
}
