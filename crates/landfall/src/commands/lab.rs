//! `landfall lab`

use std::path::Path;

use landfall_audit::{Config, ExitStatus, FailOn, Overrides, Plan, Progress};
use landfall_corpus::Corpus;
use landfall_corpus::score::{Gates, score as score_of};
use landfall_diagnosis::{Catalogue, Severity};
use landfall_lab::{Access, Lab, LabOptions, Scenario};

use super::wait_for;
use crate::args::{LabArgs, LabCommand, ScoreArgs, ScoreFormat};
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: LabArgs) -> Result<ExitStatus, Failure> {
    match args.command {
        LabCommand::List => list(),
        LabCommand::Run { scenario, save_evidence } => wait_for(run_all(scenario, save_evidence)),
        LabCommand::Score(args) => score(&args),
        LabCommand::Up { scenario } => up(&scenario),
    }
}

/// How to reach a world, in the words of the command line.
pub(super) fn overrides(access: &Access) -> Overrides {
    Overrides {
        production: Some(access.production.to_string()),
        origin: access.origin.as_ref().map(ToString::to_string),
        local: access.local.as_ref().map(ToString::to_string),
        project: access.project.clone(),
        resolvers: access.resolvers.iter().map(ToString::to_string).collect(),
        connect_to: access.connect_to.clone(),
        ca_files: vec![access.ca_file.clone()],
        ..Overrides::default()
    }
}

fn list() -> Result<ExitStatus, Failure> {
    let scenarios = landfall_lab::scenarios();
    let widest = scenarios.iter().map(|s| s.name.len()).max().unwrap_or(0);
    let lines: String = scenarios.iter().map(|s| format!("{:widest$}  {}\n", s.name, s.title)).collect();
    output::print(&lines)?;
    Ok(ExitStatus::Clean)
}

async fn run_all(names: Vec<String>, save: Option<std::path::PathBuf>) -> Result<ExitStatus, Failure> {
    let chosen: Vec<Scenario> = match names.as_slice() {
        [] => landfall_lab::scenarios(),
        names => {
            names.iter().map(|n| landfall_lab::load(n).map_err(Failure::usage)).collect::<Result<_, _>>()?
        }
    };
    let mut wrong = 0;
    for scenario in &chosen {
        let differences = run_one(scenario, save.as_deref()).await?;
        let word = if differences.is_empty() { "as expected" } else { "NOT as expected" };
        output::print(&format!("{}: {word}\n", scenario.name))?;
        for difference in &differences {
            output::print(&format!("  {difference}\n"))?;
        }
        wrong += usize::from(!differences.is_empty());
    }
    output::print(&format!("{} of {} scenarios as expected\n", chosen.len() - wrong, chosen.len()))?;
    Ok(if wrong == 0 { ExitStatus::Clean } else { ExitStatus::Failing })
}

async fn run_one(scenario: &Scenario, save: Option<&Path>) -> Result<Vec<String>, Failure> {
    let lab = Lab::up(scenario, &LabOptions::default()).await.map_err(Failure::unable)?;
    let plan = Plan::new(&Config::load(&lab.access().config)?, &overrides(lab.access()))?;
    let collected = landfall_audit::collect(&plan, Catalogue::embedded(), &Progress::default()).await;
    lab.down().await;
    let evidence = collected?;
    if let Some(folder) = save {
        let folder = folder.join(&scenario.name);
        std::fs::create_dir_all(&folder)
            .map_err(|e| Failure::unable(format!("cannot make {}: {e}", folder.display())))?;
        output::write(&folder.join("evidence.json"), &evidence.to_json())?;
    }
    let (diagnosis, report) = landfall_audit::report(&evidence, Catalogue::embedded());
    let exit = ExitStatus::of(&diagnosis, FailOn::From(Severity::High));
    let report =
        serde_json::to_value(&report).map_err(|e| Failure::unable(format!("cannot write JSON: {e}")))?;
    Ok(scenario.expected.differences(&report, exit as i32))
}

/// Threads that replay a corpus; judging is all computing, and more than the machine has would gain nothing.
const MOST_THREADS: usize = 8;

fn score(args: &ScoreArgs) -> Result<ExitStatus, Failure> {
    let catalogue = Catalogue::embedded();
    let corpus = Corpus::load(&args.corpus, &args.only, catalogue).map_err(Failure::usage)?;
    if corpus.cases.is_empty() {
        return Err(Failure::usage(format!(
            "{}: no recorded world is called {:?}",
            args.corpus.display(),
            args.only
        )));
    }
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(MOST_THREADS);
    let score = score_of(&corpus, catalogue, threads);
    output::print(&match (args.format, args.failing) {
        (_, true) => score.failing_to_text(),
        (ScoreFormat::Text, false) => score.to_text(),
        (ScoreFormat::Json, false) => score.to_json(),
    })?;
    let gates = args.corpus.join("../gates.toml");
    if !args.only.is_empty() || !gates.is_file() {
        return Ok(ExitStatus::Clean);
    }
    let missed = Gates::load(&gates).map_err(Failure::usage)?.missed(&score);
    for gate in &missed {
        eprintln!("gate missed: {}", gate.message);
    }
    Ok(if missed.is_empty() { ExitStatus::Clean } else { ExitStatus::Failing })
}

fn up(name: &str) -> Result<ExitStatus, Failure> {
    let scenario = landfall_lab::load(name).map_err(Failure::usage)?;
    wait_for(async {
        let lab = Lab::up(&scenario, &LabOptions::default()).await.map_err(Failure::unable)?;
        output::print(&invitation(&scenario, lab.access()))?;
        // wait_for returns at Ctrl-C and drops the lab, which takes the world down.
        std::future::pending::<()>().await;
        lab.down().await;
        Ok(ExitStatus::Clean)
    })
    .or_else(|failure| if failure.is_interrupted() { Ok(ExitStatus::Clean) } else { Err(failure) })
}

fn invitation(scenario: &Scenario, access: &Access) -> String {
    let mut flags = vec![
        format!("--config {}", access.config.display()),
        format!("--ca-file {}", access.ca_file.display()),
    ];
    flags.extend(access.resolvers.iter().map(|r| format!("--resolver {r}")));
    flags.extend(access.connect_to.iter().map(|c| format!("--connect-to '{c}'")));
    // The server has a configuration of its own.
    let watch = flags[1..].join(" \\\n    ");
    let flags = flags.join(" \\\n    ");
    format!(
        "{}: {}\nThe world is up. In another terminal:\n\n  landfall audit \\\n    {flags}\n\n  landfall verify \\\n    {flags}\n\n  landfall serve --listen 127.0.0.1 --allow-egress 127.0.0.0/8 --allow-egress ::1 \\\n    {watch}\n\nCtrl-C takes it down.\n",
        scenario.name, scenario.title
    )
}
