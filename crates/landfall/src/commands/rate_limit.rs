//! `landfall rate-limit`: how many requests pass, in what time, and what kind of limiter says no.

use std::time::Duration;

use landfall_audit::{Bounds, ExitStatus, Overrides, Plan, Probe, collect};
use landfall_diagnosis::{Catalogue, diagnose};
use landfall_report::Format;

use super::{one_probe, wait_for};
use crate::args::RateLimitArgs;
use crate::failure::Failure;
use crate::{output, progress};

/// Beside the run itself: to resolve, to connect, and to wait for the last answer.
const AROUND: Duration = Duration::from_secs(20);

pub(super) fn run(args: &RateLimitArgs) -> Result<ExitStatus, Failure> {
    let probe = &args.probe;
    let config = one_probe::config_of(probe)?;
    let usual = if args.deep { Bounds::DEEP } else { Bounds::DEFAULT };
    let bounds = Bounds {
        requests: probe.target.network.budget.unwrap_or(usual.requests),
        time: args.max_seconds.map_or(usual.time, Duration::from_secs),
        ..usual
    };
    let said = probe.target.overrides();
    let timeout = said.timeout.unwrap_or(bounds.time + AROUND);
    let said = Overrides {
        only: vec![Probe::RateLimit],
        discover: Some(bounds),
        budget: Some(bounds.requests),
        timeout: Some(timeout),
        ..said
    };
    let plan = Plan::new(&config, &said)?;
    if plan.target.production.is_none() {
        return Err(Failure::usage("name the URL whose rate limit is to be found out".to_owned()));
    }
    let catalogue = Catalogue::embedded();
    if probe.format == Format::Terminal {
        catalogue.read_ahead();
    }
    let evidence = wait_for(async {
        let (progress, _bar) = progress::show(probe.quiet);
        Ok(collect(&plan, catalogue, &progress).await?)
    })?;
    if probe.format == Format::Terminal {
        output::print(&landfall_report::limiter(&evidence, &output::style()))?;
        let diagnosis = diagnose(&evidence, catalogue);
        if let Some(limit) = &diagnosis.rate_limit {
            output::print(&landfall_report::limit_impact(limit, &output::style()))?;
        }
        let found: Vec<_> = diagnosis.findings.iter().filter(|f| f.code.starts_with("LF-RATE-")).collect();
        output::print(&landfall_report::remarks(&found, &output::style()))?;
        return Ok(one_probe::status(&evidence));
    }
    one_probe::show(&evidence, probe.format)
}
