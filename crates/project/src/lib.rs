//! All reading of a project folder: stack, deploy configuration, settings, routes, schedulers, history, and the run of
//! its own tests.
//!
//! The folder belongs to somebody else: nothing in it is changed, no symbolic link is followed, every file, list and
//! child process has a bound. Values of settings are never kept, only their names.

mod command;
mod deploy;
mod endpoints;
mod entry;
mod git;
mod hosts;
mod log;
mod process;
mod read;
mod routes;
mod schedulers;
mod settings;
mod signs;
mod source;
mod stack;
mod syntax;
mod tests_run;
mod tree;
mod yaml;

pub use endpoints::endpoints;
pub use log::{read_log, reduce as reduce_log};
pub use read::{hosts, read};
pub use tests_run::{TimedRun, run_tests, test_command};
