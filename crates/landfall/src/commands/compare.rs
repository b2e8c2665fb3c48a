//! `landfall compare`

use std::path::Path;

use landfall_audit::ExitStatus;
use landfall_diagnosis::Catalogue;
use landfall_evidence::Evidence;
use landfall_report::Report;
use serde::Deserialize;

use crate::args::CompareArgs;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &CompareArgs) -> Result<ExitStatus, Failure> {
    if args.old.as_os_str() == "-" && args.new.as_os_str() == "-" {
        return Err(Failure::usage("only one of the two files can come from stdin"));
    }
    let (old, new) = (load(&args.old)?, load(&args.new)?);
    let found = landfall_diagnosis::compare(&old.standing(), &new.standing());
    let text = if args.json {
        landfall_report::comparison_json(&found)
    } else {
        landfall_report::comparison(&found, &output::style())
    };
    output::print(&text)?;
    Ok(ExitStatus::of_comparison(&found))
}

/// A report from a file that holds one, or that holds the evidence for one. Evidence is judged again, so that both sides
/// are judged by the same rules wherever that is possible.
fn load(file: &Path) -> Result<Report, Failure> {
    #[derive(Deserialize)]
    struct Head {
        schema: Option<String>,
    }
    let name = file.display();
    let text = super::diagnose::read(file)?;
    let schema = serde_json::from_str::<Head>(&text).ok().and_then(|head| head.schema);
    let judged = |evidence: &Evidence| landfall_audit::report(evidence, Catalogue::embedded()).1;
    if schema.as_deref().is_some_and(|schema| schema.starts_with("landfall.report/")) {
        let report = Report::from_json(&text).map_err(|e| Failure::usage(format!("{name}: {e}")))?;
        return Ok(report.evidence.whole.as_deref().map(judged).unwrap_or(report));
    }
    let evidence = Evidence::from_json(&text).map_err(|e| {
        Failure::usage(format!(
            "{name}: {e}\n  compare reads files written by --save-evidence and by --format json"
        ))
    })?;
    Ok(judged(&evidence))
}
