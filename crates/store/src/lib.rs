//! What Landfall remembers: one schema and one set of queries over SQLite and PostgreSQL.
//!
//! [`Store`] is the door; [`Tenant`] is the same door bound to one organisation, and the only way to what belongs to one.
//! Queries of the server itself (the schedule, the jobs, the outbox worker) are free functions of their modules that take
//! a [`Store`] or a [`Tx`] and are never called for a request.

mod db;
mod error;
mod ids;
mod migrate;
mod postgres;
mod tenant;
mod value;

pub mod accounts;
pub mod billing;
pub mod channels;
pub mod heartbeats;
pub mod incidents;
pub mod jobs;
pub mod leases;
pub mod monitors;
pub mod reports;
pub mod results;
pub mod rollups;
pub mod status;
pub mod support;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod watch;
pub mod windows;

pub use db::{Store, Tx};
pub use error::StoreError;
pub use ids::{Id, OrgId};
pub use tenant::{Org, Page, Tenant};
pub use value::{Row, Value, json};
