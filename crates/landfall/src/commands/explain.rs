//! `landfall explain`

use landfall_audit::ExitStatus;

use crate::args::ExplainArgs;
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &ExplainArgs) -> Result<ExitStatus, Failure> {
    let catalogue = super::catalogue(args.catalogue.as_deref())?;
    match landfall_diagnosis::explain(&catalogue, &args.code) {
        Ok(page) => {
            output::print(&landfall_report::page(&page, &output::style()))?;
            Ok(ExitStatus::Clean)
        }
        Err(unknown) => Err(Failure::usage(unknown)),
    }
}
