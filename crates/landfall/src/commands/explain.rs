//! `landfall explain`

use landfall_audit::ExitStatus;
use landfall_diagnosis::Catalogue;

use crate::args::ExplainArgs;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &ExplainArgs) -> Result<ExitStatus, Failure> {
    match landfall_diagnosis::explain(Catalogue::embedded(), &args.code) {
        Ok(page) => {
            output::print(&landfall_report::page(&page, &output::style()))?;
            Ok(ExitStatus::Clean)
        }
        Err(unknown) => Err(Failure::usage(unknown)),
    }
}
