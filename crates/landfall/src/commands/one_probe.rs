//! `landfall dns`, `tls`, `http`, `rate-limit`: one probe alone.

use landfall_audit::{Config, ExitStatus, Overrides, Plan, Probe};
use landfall_diagnosis::Catalogue;
use landfall_report::Format;

use super::{config, wait_for};
use crate::args::OneProbeArgs;
use crate::failure::Failure;
use crate::{output, progress};

pub(super) fn run(args: &OneProbeArgs, only: &[Probe]) -> Result<ExitStatus, Failure> {
    let config = config_of(args)?;
    // What costs connections of its own is asked when one probe alone is asked for, and not in every audit.
    let said = Overrides { only: only.to_vec(), deep: true, ..args.target.overrides() };
    let plan = Plan::new(&config, &said)?;
    if args.format == Format::Terminal {
        Catalogue::embedded().read_ahead();
    }
    let evidence = wait_for(async {
        let (progress, _bar) = progress::show(args.quiet);
        Ok(landfall_audit::collect(&plan, Catalogue::embedded(), &progress).await?)
    })?;
    let shown = show(&evidence, args.format)?;
    if args.format == Format::Terminal {
        let diagnosis = landfall_diagnosis::diagnose(&evidence, Catalogue::embedded());
        if let Some(limit) = diagnosis.rate_limit.as_ref().filter(|_| only.contains(&Probe::RateLimit)) {
            output::print(&landfall_report::limit_impact(limit, &output::style()))?;
        }
        let of_probe =
            |code: &str| only.iter().flat_map(|probe| areas(*probe)).any(|area| code.starts_with(area));
        let found: Vec<_> = diagnosis.findings.iter().filter(|f| of_probe(&f.code)).collect();
        output::print(&landfall_report::remarks(&found, &output::style()))?;
    }
    Ok(shown)
}

/// The configuration of a call. A URL on the command line means that one target; the file's other names would only add noise.
pub(super) fn config_of(args: &OneProbeArgs) -> Result<Config, Failure> {
    match (&args.target.url, &args.target.config) {
        (Some(_), None) => Ok(Config::default()),
        (_, named) => config(named.as_deref()),
    }
}

/// Findings that one probe's own observations bear out. Causes need more than one probe and are left to an audit.
fn areas(probe: Probe) -> &'static [&'static str] {
    match probe {
        Probe::Dns => &["LF-DNS-"],
        Probe::Tls => &["LF-TLS-"],
        Probe::Http => &["LF-HTTP-", "LF-PATH-"],
        Probe::RateLimit => &["LF-RATE-"],
        Probe::Origin | Probe::Local | Probe::Project | Probe::Tests => &[],
    }
}

/// Prints bare observations: no cause is named from one probe alone.
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
    Ok(status(evidence))
}

/// The exit status of a call that only observes.
pub(super) fn status(evidence: &landfall_evidence::Evidence) -> ExitStatus {
    let asked = evidence.observations.iter().any(|o| o.seen.was_asked());
    if asked { ExitStatus::Clean } else { ExitStatus::Nothing }
}
