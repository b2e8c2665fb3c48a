//! `landfall completions`

use clap::CommandFactory;
use landfall_audit::ExitStatus;

use crate::args::{Cli, CompletionsArgs};
use crate::failure::Failure;
use crate::output;

pub(super) fn run(args: &CompletionsArgs) -> Result<ExitStatus, Failure> {
    let mut text = Vec::new();
    clap_complete::generate(args.shell, &mut Cli::command(), "landfall", &mut text);
    output::print(&String::from_utf8_lossy(&text))?;
    Ok(ExitStatus::Clean)
}
