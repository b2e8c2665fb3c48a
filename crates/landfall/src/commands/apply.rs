//! `landfall apply`: makes a server's things be as the file declares.

use landfall_audit::ExitStatus;

use super::plan;
use crate::args::ApplyArgs;
use crate::failure::Failure;

pub(super) fn run(args: &ApplyArgs) -> Result<ExitStatus, Failure> {
    let args = &args.declare;
    let declared = plan::read(args)?;
    let done = super::wait_for(plan::ask(args, "apply", &declared))?;
    plan::show(args, &done, "was")
}
