//! `landfall`: why is production not serving what I built?
//!
//! This binary only parses the call, hands it to the libraries and prints what they return. One file per subcommand.

mod args;
mod commands;
mod failure;
mod output;
mod progress;

use std::process::ExitCode;

use clap::Parser;

fn main() -> ExitCode {
    let cli = args::Cli::parse();
    let done = commands::run(cli);
    match done {
        Ok(status) => ExitCode::from(status as u8),
        Err(failure) => {
            anstream::eprintln!("{failure}");
            ExitCode::from(failure.status() as u8)
        }
    }
}
