//! The server: a thin door to the same libraries that the command line uses.
//!
//! `api` speaks JSON, `pages` HTML and `public` what anybody may see; all three stand on `service`, so that the pages
//! can do nothing that the API cannot. `auth` turns a session or a key into a [`auth::Principal`], and only a principal
//! has a [`landfall_store::Tenant`].

mod accounts;
mod app;
mod auth;
pub mod blackbox;
mod configuration;
mod declared;
mod extract;
mod keys;
mod live;
mod notice;
mod outbound;
mod problem;
mod router;
mod secret;
mod serve;
mod settings;
#[cfg(test)]
mod testing;

pub mod api;
pub mod billing;
pub mod health;
pub mod limits;
pub mod metrics;
pub mod pages;
pub mod ping;
pub mod public;
pub mod service;
pub mod session;
pub mod support;

pub use app::App;
pub use auth::{Principal, Right, Role, Scope};
pub use configuration::{Configuration, ConfigurationError};
pub use limits::Client;
pub use live::{Liveness, ProviderState};
pub use problem::{FieldError, Problem};
pub use router::{doors, router, with_doors};
pub use secret::Secret;
pub use serve::{Listening, ServeError, serve};
pub use settings::Settings;
