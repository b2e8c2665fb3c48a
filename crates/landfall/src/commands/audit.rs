//! `landfall audit`

use landfall_audit::{Config, ExitStatus, FailOn, Overrides, Plan};
use landfall_diagnosis::Catalogue;
use landfall_evidence::Evidence;
use landfall_lab::{Lab, LabOptions};

use super::{config, wait_for};
use crate::args::AuditArgs;
use crate::failure::Failure;
use crate::{output, progress};

/// The world that `--demo` builds: the acceptance case.
const DEMO: &str = "levqor-undeployed";

pub(super) fn run(args: AuditArgs) -> Result<ExitStatus, Failure> {
    let catalogue = super::catalogue(args.catalogue.as_deref())?;
    catalogue.read_ahead();
    let (evidence, fail_on) =
        if args.demo { wait_for(demo(&args, &catalogue))? } else { wait_for(real(&args, &catalogue))? };
    if let Some(file) = &args.save_evidence {
        output::write(file, &evidence.to_json())?;
    }
    let (diagnosis, mut report) = landfall_audit::report(&evidence, &catalogue);
    if args.output.rephrase {
        let config = config(args.target.config.as_deref())?;
        super::rephrase(&mut report, &diagnosis, &catalogue, &config)?;
    }
    if args.output.with_evidence {
        report = report.with_evidence(&evidence);
    }
    output::deliver(&report, &args.output)?;
    Ok(ExitStatus::of(&diagnosis, args.output.fail_on.unwrap_or(fail_on)))
}

async fn real(args: &AuditArgs, catalogue: &Catalogue) -> Result<(Evidence, FailOn), Failure> {
    let config = config(args.target.config.as_deref())?;
    let said = Overrides {
        only: args.only.clone(),
        skip: args.skip.clone(),
        test_command: args.test_command.clone(),
        logs: args.log.clone(),
        start: args.start,
        ..args.target.overrides()
    };
    collect(&config, &said, catalogue, args.quiet).await
}

async fn demo(args: &AuditArgs, catalogue: &Catalogue) -> Result<(Evidence, FailOn), Failure> {
    let scenario = landfall_lab::load(DEMO).map_err(Failure::unable)?;
    if !args.quiet {
        eprintln!("landfall: building the world {DEMO} on loopback");
    }
    let lab = Lab::up(&scenario, &LabOptions::default()).await.map_err(Failure::unable)?;
    let config = Config::load(&lab.access().config)?;
    let said = Overrides {
        only: args.only.clone(),
        skip: args.skip.clone(),
        logs: args.log.clone(),
        ..super::lab::overrides(lab.access())
    };
    let collected = collect(&config, &said, catalogue, args.quiet).await;
    lab.down().await;
    collected
}

async fn collect(
    config: &Config,
    said: &Overrides,
    catalogue: &Catalogue,
    quiet: bool,
) -> Result<(Evidence, FailOn), Failure> {
    let plan = Plan::new(config, said)?;
    let fail_on: FailOn = plan.fail_on.parse().map_err(Failure::usage)?;
    let (progress, _bar) = progress::show(quiet);
    Ok((landfall_audit::collect(&plan, catalogue, &progress).await?, fail_on))
}
