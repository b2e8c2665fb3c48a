//! `landfall tests`

use landfall_audit::{Config, ExitStatus, Overrides, Plan, Probe};

use super::wait_for;
use crate::args::TestsArgs;
use crate::failure::Failure;
use crate::progress;

pub(super) fn run(args: &TestsArgs) -> Result<ExitStatus, Failure> {
    let file = args.project.join("landfall.toml");
    let config = if file.is_file() { Config::load(&file)? } else { Config::default() };
    let said = Overrides {
        project: Some(args.project.clone()),
        only: vec![Probe::Project, Probe::Tests],
        test_command: args.test_command.clone(),
        ..Overrides::default()
    };
    let mut plan = Plan::new(&config, &said)?;
    if let Some(limit) = args.timeout {
        plan.test_limit = limit;
    }
    // Alone, the tests are the audit, so their limit is its deadline, with time for a second run that tries a remedy.
    plan.timeout = plan.test_limit * 2;
    let evidence = wait_for(async {
        let (progress, _bar) = progress::show(args.quiet);
        Ok(landfall_audit::collect(&plan, landfall_diagnosis::Catalogue::embedded(), &progress).await?)
    })?;
    super::one_probe::show(&evidence, args.format)
}
