//! `landfall dns`: the zone server by server, what is wrong with it, and until when caches remember something else.

use jiff::Timestamp;
use landfall_audit::{Depth, ExitStatus, Overrides, Plan, Probe, survey_dns, with_public_resolvers};
use landfall_diagnosis::{Agreement, Catalogue, agreement, diagnose};
use landfall_report::Format;

use super::watch::{Rhythm, Round};
use super::{one_probe, wait_for};
use crate::args::DnsArgs;
use crate::failure::Failure;
use crate::{output, progress};

pub(super) fn run(args: &DnsArgs) -> Result<ExitStatus, Failure> {
    let probe = &args.probe;
    let config = one_probe::config_of(probe)?;
    let said = Overrides { only: vec![Probe::Dns], ..probe.target.overrides() };
    let mut plan = Plan::new(&config, &said)?;
    if args.public {
        plan = with_public_resolvers(plan)?;
    }
    if let Some(interval) = args.watch {
        return wait_for(watch(&plan, Rhythm::new(interval, args.watch_for, probe.quiet)));
    }
    let catalogue = Catalogue::embedded();
    if probe.format == Format::Terminal {
        catalogue.read_ahead();
    }
    let evidence = wait_for(async {
        let (progress, _bar) = progress::show(probe.quiet);
        Ok(survey_dns(&plan, catalogue, &progress, Depth::Whole).await?)
    })?;
    if probe.format == Format::Terminal {
        let diagnosis = diagnose(&evidence, catalogue);
        let found: Vec<_> = diagnosis.findings.iter().filter(|f| f.code.starts_with("LF-DNS-")).collect();
        output::print(&landfall_report::dns_survey(&evidence, &found, &output::style()))?;
    }
    one_probe::show(&evidence, probe.format)
}

/// Asks until all agree. Prints what each says when it changes, and ends with status 1 when time is over first.
async fn watch(plan: &Plan, rhythm: Rhythm) -> Result<ExitStatus, Failure> {
    let host = plan.target.production.as_ref().and_then(|url| url.domain()).unwrap_or_default().to_owned();
    if host.is_empty() {
        return Err(Failure::usage("--watch needs a name: an address has no records to wait for".to_owned()));
    }
    let mut before = Agreement::default();
    let round = async || {
        let quiet = landfall_audit::Progress::default();
        let evidence = survey_dns(plan, Catalogue::embedded(), &quiet, Depth::Agreement).await?;
        let now = agreement(&evidence, &host);
        for line in landfall_report::agreement_changes(&before, &now, Timestamp::now()) {
            output::print(&format!("{line}\n"))?;
        }
        let whole = now.is_whole();
        before = now;
        Ok::<_, Failure>(if whole { Round::Done } else { Round::Goes })
    };
    rhythm.until_done("everybody sees what the zone says", "Not everybody agrees yet.", round).await
}
