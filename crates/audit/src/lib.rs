//! Plan and run an audit: which probes, in which order, how many at once; evidence in, report out.

mod catalogue;
pub mod config;
mod discover;
mod dns;
mod outcome;
mod plan;
mod progress;
mod rephrase;
mod run;
mod verify;

pub use catalogue::{CatalogueFolderError, Loaded, load as load_catalogue};
pub use config::{Config, ConfigError, parse_base_url, parse_duration};
pub use discover::{Discovered, discover};
pub use dns::{PUBLIC_RESOLVERS, survey_dns, with_public_resolvers};
pub use landfall_probe::dns::Depth;
pub use landfall_probe::rate_limit::{Bounds, Moment};
pub use outcome::{ExitStatus, FailOn, report};
pub use plan::{DEFAULT_BUDGET, DEFAULT_TEST_LIMIT, DEFAULT_TIMEOUT, Overrides, Plan, PlanError, Probe};
pub use progress::{Event, Progress, Step};
pub use rephrase::{Rephrased, Rephraser, rephrase};
pub use run::{USER_AGENT, collect};
pub use verify::{Outcome, Verified, verify_until};
