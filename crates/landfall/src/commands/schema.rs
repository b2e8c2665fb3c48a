//! `landfall schema`

use landfall_audit::ExitStatus;

use crate::args::SchemaArgs;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &SchemaArgs) -> Result<ExitStatus, Failure> {
    let schema = match args.of.as_str() {
        "evidence" => landfall_evidence::Evidence::json_schema(),
        "comparison" => landfall_diagnosis::Comparison::json_schema(),
        "claims" => landfall_diagnosis::claims_json_schema(),
        "score" => landfall_corpus::score::Score::json_schema(),
        _ => landfall_report::Report::json_schema(),
    };
    output::print(&format!("{schema:#}\n"))?;
    Ok(ExitStatus::Clean)
}
