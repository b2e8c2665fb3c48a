//! `landfall dns`, `tls`, `http`, `rate-limit`: one probe alone.

use landfall_audit::{ExitStatus, Overrides, Plan, Probe};
use landfall_report::Format;

use super::{config, wait_for};
use crate::args::OneProbeArgs;
use crate::failure::Failure;
use crate::{output, progress};

pub(super) fn run(args: &OneProbeArgs, only: &[Probe]) -> Result<ExitStatus, Failure> {
    // A URL on the command line means that one target; the file's other names would only add noise.
    let config = match (&args.target.url, &args.target.config) {
        (Some(_), None) => landfall_audit::Config::default(),
        (_, named) => config(named.as_deref())?,
    };
    // What costs connections of its own is asked when TLS alone is asked for, and not in every audit.
    let survey_tls = only.contains(&Probe::Tls);
    let said = Overrides { only: only.to_vec(), survey_tls, ..args.target.overrides() };
    let plan = Plan::new(&config, &said)?;
    let evidence = wait_for(async {
        let (progress, _bar) = progress::show(args.quiet);
        Ok(landfall_audit::collect(&plan, landfall_diagnosis::Catalogue::embedded(), &progress).await?)
    })?;
    show(&evidence, args.format)
}

/// Prints bare observations: no diagnosis is made from one probe alone.
pub(super) fn show(evidence: &landfall_evidence::Evidence, format: Format) -> Result<ExitStatus, Failure> {
    match format {
        Format::Json => output::print(&evidence.to_json())?,
        Format::Terminal => output::print(&landfall_report::observations(evidence, &output::style()))?,
        other => {
            return Err(Failure::usage(format!(
                "--format {other}: one probe alone is shown as terminal or json"
            )));
        }
    }
    let asked = evidence.observations.iter().any(|o| o.seen.was_asked());
    Ok(if asked { ExitStatus::Clean } else { ExitStatus::Nothing })
}
