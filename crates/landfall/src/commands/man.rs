//! `landfall man`

use clap::CommandFactory;
use landfall_audit::ExitStatus;

use crate::args::Cli;
use crate::failure::Failure;
use crate::output;

pub(super) fn run() -> Result<ExitStatus, Failure> {
    let mut page = Vec::new();
    clap_mangen::Man::new(Cli::command())
        .render(&mut page)
        .map_err(|e| Failure::unable(format!("cannot write the manual page: {e}")))?;
    output::print(&String::from_utf8_lossy(&page))?;
    Ok(ExitStatus::Clean)
}
