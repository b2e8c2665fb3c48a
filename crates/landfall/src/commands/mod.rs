//! One file per subcommand; each only joins libraries.

mod apply;
mod audit;
mod compare;
mod completions;
mod diagnose;
mod dns;
mod explain;
mod fix;
mod init;
mod lab;
mod man;
mod one_probe;
mod plan;
mod rate_limit;
mod run;
mod schema;
mod serve;
mod tests;
mod verify;

use std::future::Future;
use std::path::Path;

use landfall_audit::{Config, ExitStatus};

use crate::args::{Cli, Command};
use crate::failure::Failure;

pub(crate) fn run(cli: Cli) -> Result<ExitStatus, Failure> {
    use landfall_audit::Probe;
    match cli.command {
        Command::Audit(args) => audit::run(args),
        Command::Diagnose(args) => diagnose::run(&args),
        Command::Compare(args) => compare::run(&args),
        Command::Verify(args) => verify::run(args),
        Command::Explain(args) => explain::run(&args),
        Command::Init(args) => init::run(&args),
        Command::Fix(args) => fix::run(&args),
        Command::Lab(args) => lab::run(args),
        Command::Dns(args) => dns::run(&args),
        Command::Tls(args) => one_probe::run(&args, &[Probe::Tls]),
        Command::Http(args) => one_probe::run(&args, &[Probe::Http, Probe::Origin, Probe::Local]),
        Command::RateLimit(args) => rate_limit::run(&args),
        Command::Tests(args) => tests::run(&args),
        Command::Serve(args) => serve::run(&args),
        Command::Run(args) => run::run(&args),
        Command::Plan(args) => plan::run(&args),
        Command::Apply(args) => apply::run(&args),
        Command::Schema(args) => schema::run(&args),
        Command::Completions(args) => completions::run(&args),
        Command::Man => man::run(),
    }
}

/// Runs asynchronous work to its end, or until the person at the terminal interrupts it.
fn wait_for<T>(work: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .map_err(|e| Failure::unable(format!("cannot start the runtime: {e}")))?;
    let done = runtime.block_on(async {
        tokio::select! {
            done = work => done,
            // Dropping the work stops what it started: probes, test processes, the lab.
            _ = tokio::signal::ctrl_c() => Err(Failure::interrupted()),
        }
    });
    // A blocking call into the system (getaddrinfo) cannot be cancelled; it must not hold up the end.
    runtime.shutdown_background();
    done
}

/// The built-in catalogue, with the entries of a folder when one is named.
fn catalogue(folder: Option<&Path>) -> Result<landfall_audit::Loaded, Failure> {
    landfall_audit::load_catalogue(folder).map_err(Failure::usage)
}

/// Lets the language model of the configuration put the explanation into other words. What goes wrong is said on stderr,
/// and the explanation stays as it is.
fn rephrase(
    report: &mut landfall_report::Report,
    diagnosis: &landfall_diagnosis::Diagnosis,
    catalogue: &landfall_diagnosis::Catalogue,
    config: &Config,
) -> Result<(), Failure> {
    let Some(rephraser) = &config.rephrase else {
        return Err(Failure::usage(
            "--rephrase: no language model is named; write into landfall.toml:\n  [rephrase]\n  url = \"http://127.0.0.1:11434/v1\"\n  model = \"NAME\"\n  # key_env = \"VARIABLE_THAT_HOLDS_THE_KEY\"",
        ));
    };
    let done =
        wait_for(async { Ok(landfall_audit::rephrase(rephraser, config, diagnosis, catalogue).await?) })?;
    match done {
        landfall_audit::Rephrased::Text(text) => {
            report.explanation.rephrased = Some(text);
            report.explanation.by = Some(rephraser.model.clone());
        }
        landfall_audit::Rephrased::Kept(why) => eprintln!("landfall: {why}"),
    }
    Ok(())
}

/// The configuration file named, or landfall.toml of this folder, or none.
fn config(named: Option<&Path>) -> Result<Config, Failure> {
    let usual = Path::new("landfall.toml");
    match named {
        Some(file) => Ok(Config::load(file)?),
        None if usual.is_file() => Ok(Config::load(usual)?),
        None => Ok(Config::default()),
    }
}
