//! `landfall schema`

use landfall_audit::ExitStatus;

use crate::args::SchemaArgs;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &SchemaArgs) -> Result<ExitStatus, Failure> {
    let schema = match args.of.as_str() {
        "evidence" => landfall_evidence::Evidence::json_schema(),
        _ => landfall_report::Report::json_schema(),
    };
    output::print(&format!("{schema:#}\n"))?;
    Ok(ExitStatus::Clean)
}
