//! The server: a thin door to the same libraries that the command line uses.
//!
//! `api` speaks JSON, `pages` HTML and `public` what anybody may see; all three stand on `service`, so that the pages
//! can do nothing that the API cannot. `auth` turns a session or a key into a [`auth::Principal`], and only a principal
//! has a [`landfall_store::Tenant`].

mod app;
mod auth;
pub mod blackbox;
mod problem;
mod settings;

pub mod api;

pub use app::App;
pub use auth::{Principal, Role, Scope};
pub use problem::Problem;
pub use settings::Settings;
