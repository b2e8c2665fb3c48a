//! The tool of those who write causes and worlds.
//!
//! ```text
//! cargo run -p landfall-corpus --example corpus -- record [PATH-PART…]   records the recipes whose path contains a part
//!                                                                      (without any: those that have no recording; `/` records all)
//! cargo run -p landfall-corpus --example corpus -- show PATH-PART…       replays recordings: what was seen, what is named
//! cargo run -p landfall-corpus --example corpus -- facts PATH-PART       every fact of a recording
//! cargo run -p landfall-corpus --example corpus -- check [PATH-PART…]    one line a recording: right, wrong, undecided
//! cargo run -p landfall-corpus --example corpus -- score [PATH-PART]     the score of these worlds with their variants
//! cargo run -p landfall-corpus --example corpus -- up PATH-PART          keeps a world up until Ctrl-C
//! ```
//!
//! The catalogue is read from `catalogue/` of this repository when it runs, so that a change there needs no build.
//! `--half tuned` or `--half aside` takes only those recipes; whoever tunes rules says `--half tuned`.

use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::Arc;

use landfall_corpus::record;
use landfall_diagnosis::{Catalogue, Diagnosis, Label, diagnose, inspect, questions};
use landfall_evidence::Evidence;
use landfall_lab::LabOptions;
use landfall_lab::recipe::{Half, Recipe, Running};
use tokio::task::JoinSet;

fn main() -> ExitCode {
    let mut words: Vec<String> = std::env::args().skip(1).collect();
    let half = match words.iter().position(|word| word == "--half") {
        None => None,
        Some(at) if words.get(at + 1).is_some_and(|h| h == "tuned") => {
            words.drain(at..at + 2);
            Some(Half::Tuned)
        }
        Some(at) if words.get(at + 1).is_some_and(|h| h == "aside") => {
            words.drain(at..at + 2);
            Some(Half::Aside)
        }
        Some(_) => {
            eprintln!("--half takes tuned or aside");
            return ExitCode::from(2);
        }
    };
    let Some((verb, parts)) = words.split_first() else {
        eprintln!(
            "say record, show, facts, check, score or up; see the head of crates/corpus/examples/corpus.rs"
        );
        return ExitCode::from(2);
    };
    let done = match verb.as_str() {
        "record" => record_all(parts, half),
        "show" => show_all(parts, half, false),
        "facts" => show_all(parts, half, true),
        "check" => check_all(parts, half),
        "score" => score_all(parts),
        "up" => up(parts),
        other => Err(format!("{other:?} is not record, show, facts, check, score or up")),
    };
    match done {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::from(1),
        Err(problem) => {
            eprintln!("{problem}");
            ExitCode::from(2)
        }
    }
}

/// Every recipe whose path below `scenarios/corpus` contains one of the parts.
fn recipes(parts: &[String], half: Option<Half>) -> Result<Vec<PathBuf>, String> {
    let folder = landfall_corpus::checkout().join("scenarios/corpus");
    let mut found = Vec::new();
    let mut open = vec![folder.clone()];
    while let Some(at) = open.pop() {
        let entries = std::fs::read_dir(&at).map_err(|e| format!("{}: {e}", at.display()))?;
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|end| end == "toml") {
                let below = path.strip_prefix(&folder).unwrap_or(&path).display().to_string();
                if parts.is_empty() || parts.iter().any(|part| below.contains(part.as_str())) {
                    found.push(path);
                }
            }
        }
    }
    if let Some(half) = half {
        // A recipe that does not load stays: whoever asked for it shall see why.
        found.retain(|path| Recipe::load(path).map_or(true, |recipe| recipe.truth.half == half));
    }
    found.sort();
    if found.is_empty() { Err("no recipe has such a path".into()) } else { Ok(found) }
}

/// The catalogue of this repository as it is now.
fn catalogue() -> Result<landfall_audit::Loaded, String> {
    landfall_audit::load_catalogue(Some(&landfall_corpus::checkout().join("catalogue")))
        .map_err(|error| error.to_string())
}

fn short(path: &Path) -> String {
    let folder = landfall_corpus::checkout().join("scenarios/corpus");
    path.strip_prefix(folder).unwrap_or(path).with_extension("").display().to_string()
}

fn runtime() -> Result<tokio::runtime::Runtime, String> {
    tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| e.to_string())
}

/// Worlds that stand at the same time: most of a recording is waiting for what never answers.
const AT_ONCE: usize = 3;

fn record_all(parts: &[String], half: Option<Half>) -> Result<bool, String> {
    let mut chosen = recipes(parts, half)?;
    if parts.is_empty() {
        chosen.retain(|path| !record::recording_of(path).exists());
    }
    let catalogue: Arc<_> = catalogue()?.into();
    runtime()?.block_on(async {
        let mut waiting = chosen.into_iter();
        let mut standing = JoinSet::new();
        let mut whole = true;
        loop {
            while standing.len() < AT_ONCE
                && let Some(path) = waiting.next()
            {
                let catalogue = Arc::clone(&catalogue);
                standing.spawn(async move {
                    let done = record_one(&path, &catalogue).await;
                    (path, done)
                });
            }
            let done = tokio::select! {
                done = standing.join_next() => done,
                // Dropped worlds take themselves down.
                _ = tokio::signal::ctrl_c() => return Err("stopped; nothing is left of the worlds".to_owned()),
            };
            match done {
                None => return Ok(whole),
                Some(Ok((path, Ok(line)))) => println!("{} {line}", short(&path)),
                Some(Ok((path, Err(problem)))) => {
                    whole = false;
                    println!("{} NOT recorded: {problem}", short(&path));
                }
                Some(Err(crash)) => {
                    whole = false;
                    println!("a recording crashed: {crash}");
                }
            }
        }
    })
}

async fn record_one(path: &Path, catalogue: &Catalogue) -> Result<String, String> {
    let began = std::time::Instant::now();
    let options = LabOptions::default();
    let evidence = record::record(path, catalogue, &options).await.map_err(|e| e.to_string())?;
    record::write(&record::recording_of(path), &evidence).map_err(|e| e.to_string())?;
    let recipe = Recipe::load(path).map_err(|e| e.to_string())?;
    let diagnosis = diagnose(&evidence, catalogue);
    Ok(format!(
        "recorded in {:.1} s, {} observations: {}",
        began.elapsed().as_secs_f32(),
        evidence.observations.len(),
        verdict(&recipe, &diagnosis).1
    ))
}

/// Whether the diagnosis says what is true, in one line.
fn verdict(recipe: &Recipe, diagnosis: &Diagnosis) -> (bool, String) {
    let truth = &recipe.truth;
    let named: Vec<&str> =
        diagnosis.causes.iter().filter(|c| c.label >= Label::Likely).map(|c| c.id.as_str()).collect();
    let mut wrong = Vec::new();
    for id in truth.never.iter().filter(|id| named.contains(&id.as_str())) {
        wrong.push(format!("names {id}, which must never be"));
    }
    if truth.causes.is_empty() {
        wrong.extend(
            diagnosis
                .causes
                .iter()
                .map(|c| format!("healthy, but {} ({:?}, {} db)", c.id, c.label, c.score_db)),
        );
    } else {
        let first = diagnosis.causes.first().map(|c| c.id.as_str());
        let tie: Vec<&str> = diagnosis
            .ties
            .iter()
            .find(|tie| first.is_some_and(|first| tie.causes.iter().any(|id| id == first)))
            .map(|tie| tie.causes.iter().map(String::as_str).collect())
            .unwrap_or_else(|| first.into_iter().collect());
        let holds = |id: &str| truth.causes.iter().any(|cause| cause == id);
        let mine = |id: &str| holds(id) || truth.rivals.iter().any(|rival| rival == id);
        if !tie.iter().any(|id| holds(id)) {
            wrong.push(format!(
                "first is {}",
                if tie.is_empty() { "nothing".into() } else { tie.join(" = ") }
            ));
        } else {
            wrong.extend(tie.iter().filter(|id| !mine(id)).map(|id| format!("tied with {id}")));
        }
        for cause in &truth.causes {
            if !diagnosis.causes.iter().any(|c| c.id == *cause) {
                wrong.push(format!("{cause} is not among the causes"));
            }
        }
    }
    let broken = diagnosis.first_broken.as_deref().unwrap_or_default();
    if broken != truth.broken {
        wrong.push(format!("first broken rung {broken:?}, true {:?}", truth.broken));
    }
    if wrong.is_empty() {
        let first = diagnosis.causes.first();
        let label = first.map_or("nothing named".to_owned(), |c| format!("{} {:?}", c.id, c.label));
        (true, format!("right ({label})"))
    } else {
        (false, format!("WRONG: {}", wrong.join("; ")))
    }
}

fn check_all(parts: &[String], half: Option<Half>) -> Result<bool, String> {
    let catalogue = catalogue()?;
    let (mut right, mut all) = (0, 0);
    for path in recipes(parts, half)? {
        let recipe = Recipe::load(&path).map_err(|e| e.to_string())?;
        let recording = record::recording_of(&path);
        all += 1;
        if !recording.exists() {
            println!("{}: not recorded", short(&path));
            continue;
        }
        let evidence = record::read(&recording).map_err(|e| e.to_string())?;
        let (fine, line) = verdict(&recipe, &diagnose(&evidence, &catalogue));
        right += usize::from(fine);
        println!("{}: {line}", short(&path));
    }
    println!("{right} of {all} right");
    Ok(right == all)
}

fn show_all(parts: &[String], half: Option<Half>, facts: bool) -> Result<bool, String> {
    if parts.is_empty() {
        return Err("say which: a part of its path".into());
    }
    let catalogue = catalogue()?;
    let mut all = true;
    for path in recipes(parts, half)? {
        let recipe = Recipe::load(&path).map_err(|e| e.to_string())?;
        let evidence = record::read(&record::recording_of(&path)).map_err(|e| e.to_string())?;
        all &= show(&path, &recipe, &evidence, &catalogue, facts);
    }
    Ok(all)
}

fn show(path: &Path, recipe: &Recipe, evidence: &Evidence, catalogue: &Catalogue, facts: bool) -> bool {
    let diagnosis = diagnose(evidence, catalogue);
    let inner = inspect(evidence, catalogue);
    let truth = &recipe.truth;
    println!("== {}: {}", short(path), recipe.title);
    println!(
        "   truth: {:?}, rivals {:?}, never {:?}, broken {:?}",
        truth.causes, truth.rivals, truth.never, truth.broken
    );
    println!(
        "   rungs: {}",
        inner
            .rungs
            .iter()
            .map(|(rung, state)| format!("{} {state}", rung.name()))
            .collect::<Vec<_>>()
            .join(", ")
    );
    for fact in inner.facts.iter().filter(|fact| facts || fact.symptom) {
        let value = match &fact.value {
            Ok(value) => value.clone(),
            Err(why) => format!("? {why}"),
        };
        let by = fact.explained_by.as_ref().map(|id| format!("  <- {id}")).unwrap_or_default();
        let mark = if fact.symptom { "symptom" } else { "fact   " };
        println!("   {mark} {} [{}] = {value}{by}", fact.key, fact.subject);
    }
    for cause in &diagnosis.causes {
        println!("   cause {} {:?} {} db, {:.2}", cause.id, cause.label, cause.score_db, cause.confidence);
        for argument in &cause.evidence_for {
            println!("      {:+} {}", argument.weight_db, argument.say);
        }
        for argument in &cause.against {
            println!("      {:+} {}", argument.weight_db, argument.say);
        }
        for unknown in &cause.not_known {
            println!("       ? {unknown}");
        }
        for rival in &cause.rivals {
            println!("      rival {} {:?}: {}", rival.id, rival.label, rival.why);
        }
    }
    for tie in &diagnosis.ties {
        println!("   tie {:?}; {}", tie.causes, tie.separate.ask);
    }
    let out: Vec<String> = diagnosis.ruled_out.iter().map(|c| format!("{} {}", c.id, c.score_db)).collect();
    if !out.is_empty() {
        println!("   ruled out: {}", out.join(", "));
    }
    for question in questions(evidence, catalogue) {
        println!(
            "   question {} {} at {:?}, worth {}: {}",
            question.name,
            question.path,
            question.vantage,
            question.value,
            question.causes.join(", ")
        );
    }
    for finding in &diagnosis.findings {
        println!(
            "   finding {} {:?}{}",
            finding.code,
            finding.severity,
            finding.cause.as_ref().map(|c| format!("  <- {c}")).unwrap_or_default()
        );
    }
    for other in &diagnosis.unexplained {
        println!("   unexplained {other:?}");
    }
    let (fine, line) = verdict(recipe, &diagnosis);
    println!("   {line}");
    fine
}

/// What `landfall lab score` prints, for the worlds whose path contains the part, with their variants.
fn score_all(parts: &[String]) -> Result<bool, String> {
    let catalogue = catalogue()?;
    let only = parts.first().map_or("", String::as_str);
    let folder = landfall_corpus::checkout().join("scenarios/corpus");
    let corpus = landfall_corpus::Corpus::load(&folder, only, &catalogue).map_err(|e| e.to_string())?;
    let threads = std::thread::available_parallelism().map_or(1, std::num::NonZero::get);
    let score = landfall_corpus::score::score(&corpus, &catalogue, threads);
    println!("{}", score.failing_to_text());
    println!("{}", score.to_text());
    Ok(true)
}

fn up(parts: &[String]) -> Result<bool, String> {
    let chosen = recipes(parts, None)?;
    let [path] = chosen.as_slice() else {
        return Err(format!("{} recipes have such a path; name one", chosen.len()));
    };
    let recipe = Recipe::load(path).map_err(|e| e.to_string())?;
    runtime()?.block_on(async {
        let running = Running::up(&recipe, &LabOptions::default()).await.map_err(|e| e.to_string())?;
        let access = running.access();
        println!("folder {}", access.folder.display());
        for (name, port) in &access.ports {
            println!("port {name} 127.0.0.1:{port}");
        }
        let mut command = format!("landfall audit --config {}", access.config.display());
        for resolver in &access.resolvers {
            command.push_str(&format!(" --resolver {resolver}"));
        }
        for entry in &access.connect_to {
            command.push_str(&format!(" --connect-to '{entry}'"));
        }
        command.push_str(&format!(" --ca-file {}", access.ca_file.display()));
        println!("{command}\nCtrl-C takes it down");
        let _ = tokio::signal::ctrl_c().await;
        running.down().await;
        Ok(true)
    })
}
