//! Scores the corpus, as `landfall lab score` does, without building the whole program:
//!
//! ```text
//! cargo run -p landfall-corpus --example score -- [--format json|text] [--corpus DIR] [--only PART] [--failing]
//! ```
//!
//! The catalogue is read from this repository's folder as it is now, so that a change of a rule needs no build.
//!
//! Ends with 1 when a gate of `scenarios/gates.toml` is missed, with 2 when the call was wrong.

use std::path::Path;
use std::process::ExitCode;
use std::time::Instant;

use landfall_corpus::Corpus;
use landfall_corpus::score::{Gates, score};
use landfall_diagnosis::Catalogue;

fn main() -> ExitCode {
    match run() {
        Ok(code) => code,
        Err(message) => {
            eprintln!("error: {message}");
            ExitCode::from(2)
        }
    }
}

fn run() -> Result<ExitCode, String> {
    let (mut json, mut failing) = (false, false);
    let root = landfall_corpus::checkout();
    let (mut folder, mut only) = (root.join("scenarios/corpus").display().to_string(), String::new());
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or_else(|| format!("{argument} wants a value"));
        match argument.as_str() {
            "--format" => {
                json = match value()?.as_str() {
                    "json" => true,
                    "text" => false,
                    other => return Err(format!("--format is json or text, not {other:?}")),
                }
            }
            "--corpus" => folder = value()?,
            "--only" => only = value()?,
            "--failing" => failing = true,
            other => {
                return Err(format!("{other:?} is not one of --format, --corpus, --only, --failing"));
            }
        }
    }
    let loaded = landfall_audit::load_catalogue(Some(&root.join("catalogue"))).map_err(|e| e.to_string())?;
    let catalogue: &Catalogue = &loaded;
    let began = Instant::now();
    let corpus = Corpus::load(Path::new(&folder), &only, catalogue).map_err(|e| e.to_string())?;
    let read = began.elapsed();
    let score = score(&corpus, catalogue, 2);
    match (json, failing) {
        (true, _) => print!("{}", score.to_json()),
        (false, true) => print!("{}", score.failing_to_text()),
        (false, false) => print!("{}", score.to_text()),
    }
    eprintln!(
        "read in {:.1} s, judged in {:.1} s",
        read.as_secs_f64(),
        (began.elapsed() - read).as_secs_f64()
    );
    // The gates are for the whole corpus of this repository; a part of it, or another one, has none.
    let gates = Path::new(&folder).join("../gates.toml");
    if !only.is_empty() || !gates.exists() {
        return Ok(ExitCode::SUCCESS);
    }
    let missed = Gates::load(&gates).map_err(|e| e.to_string())?.missed(&score);
    for gate in &missed {
        eprintln!("gate missed: {}", gate.message);
    }
    Ok(if missed.is_empty() { ExitCode::SUCCESS } else { ExitCode::from(1) })
}
