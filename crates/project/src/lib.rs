//! All reading of a project folder: stack, deploy configuration, settings, routes, schedulers, history, and the run of
//! its own tests.
//!
//! The folder belongs to somebody else: nothing in it is changed, no symbolic link is followed, every file, list and
//! child process has a bound. Values of settings are never kept, only their names.

mod checks;
mod command;
mod deploy;
mod described;
mod domains;
mod endpoints;
mod entry;
mod fix;
mod git;
mod hcl;
mod hosts;
mod introspect;
mod log;
mod monitors;
mod process;
mod read;
mod records;
mod routes;
mod schedulers;
mod settings;
mod signs;
mod source;
mod stack;
mod start;
mod syntax;
mod tests_run;
mod tree;
mod words;
mod yaml;

pub use described::openapi_paths;
pub use domains::{Named, domains};
pub use endpoints::{add_monitored, endpoints};
pub use fix::{Change, Fix, fix_tests, fixes};
pub use introspect::registered;
pub use log::{read_log, reduce as reduce_log};
pub use read::{hosts, read};
pub use start::{Started, start};
pub use tests_run::{TimedRun, read_foreign_report, run_tests, test_command};
