//! `landfall verify`

use std::path::Path;

use landfall_audit::{Config, ExitStatus, Outcome, Overrides, Plan, Probe, Verified};
use landfall_diagnosis::{Catalogue, Verification};
use landfall_report::Report;

use super::{config, wait_for};
use crate::args::VerifyArgs;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: VerifyArgs) -> Result<ExitStatus, Failure> {
    wait_for(async move {
        let (plan, checks) = prepare(&args).await?;
        if checks.is_empty() {
            return Err(Failure::unable(
                "there is nothing to verify: no endpoint is known; declare [[endpoint]] in landfall.toml",
            ));
        }
        let results = landfall_audit::verify_until(&plan, &checks, args.wait, |results, pause| {
            let done = results.iter().filter(|r| r.outcome == Outcome::Passed).count();
            eprintln!("landfall: {done} of {} passed; trying again in {} s", results.len(), pause.as_secs());
        })
        .await?;
        finish(&results, args.json)
    })
}

fn finish(results: &[Verified], json: bool) -> Result<ExitStatus, Failure> {
    if json {
        let text = serde_json::to_string_pretty(results)
            .map_err(|e| Failure::unable(format!("cannot write JSON: {e}")))?;
        output::print(&format!("{text}\n"))?;
    } else {
        output::print(&landfall_report::verified(
            &results
                .iter()
                .map(|r| (r.outcome_word(), r.title.as_str(), r.expect.as_str(), r.seen.as_str()))
                .collect::<Vec<_>>(),
            &output::style(),
        ))?;
    }
    Ok(ExitStatus::of_verified(results))
}

/// The checks come from a JSON report, or are drawn up anew from the target and from what the local backend answers.
async fn prepare(args: &VerifyArgs) -> Result<(Plan, Vec<Verification>), Failure> {
    let file = args.what.as_deref().filter(|what| Path::new(what).is_file());
    let mut said = Overrides {
        local: args.local.clone(),
        resolvers: args.network.resolver.clone(),
        connect_to: args.network.connect_to.clone(),
        ca_files: args.network.ca_file.clone(),
        timeout: args.network.timeout,
        budget: args.network.budget,
        ..Overrides::default()
    };
    match file {
        Some(file) => {
            let text = std::fs::read_to_string(file)
                .map_err(|e| Failure::usage(format!("{file}: cannot be read: {e}")))?;
            let report: Report = Report::from_json(&text).map_err(|e| {
                Failure::usage(format!("{file}: {e}\n  write one with: landfall audit URL -o report.json"))
            })?;
            said.production = report.target.production.as_ref().map(ToString::to_string);
            let config =
                if args.config.is_some() { config(args.config.as_deref())? } else { Config::default() };
            Ok((Plan::new(&config, &said)?, report.verification))
        }
        None => {
            said.production.clone_from(&args.what);
            said.only = vec![Probe::Local, Probe::Project];
            let config = config(args.config.as_deref())?;
            let plan = Plan::new(&config, &said)?;
            let evidence = landfall_audit::collect(
                &plan,
                landfall_diagnosis::Catalogue::embedded(),
                &landfall_audit::Progress::default(),
            )
            .await?;
            let (diagnosis, _) = landfall_audit::report(&evidence, Catalogue::embedded());
            Ok((plan, diagnosis.verification))
        }
    }
}
