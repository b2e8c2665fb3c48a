//! The pages: server-rendered HTML over the same functions that the API stands on. Each page works without any script;
//! with it, it is live.

pub(crate) mod assets;
pub(crate) mod errors;
pub(crate) mod layout;
pub(crate) mod parts;

mod account;
mod channels;
mod door;
mod form;
mod heartbeats;
mod incidents;
mod jobs;
mod judgement;
mod money;
mod monitor;
mod monitor_form;
mod overview;
mod reports;
mod routes;
mod settings;
mod status_pages;
mod windows;

#[cfg(test)]
mod flow;
#[cfg(test)]
mod samples;

pub use door::dress;
pub(crate) use door::stranger;
pub use routes::router;
#[cfg(test)]
pub(crate) use samples::check as check_page;
