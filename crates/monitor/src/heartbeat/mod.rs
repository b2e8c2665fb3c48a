//! Heartbeats: jobs elsewhere say when they have run, and silence is what alerts.

mod core;
mod incident;
mod ingest;
mod manage;
mod spec;
mod sweep;

pub use self::core::{Action, Deadline, Flip, Kind, RUNS, Run, State, Status, Why, classify};
pub use self::incident::told;
pub use self::ingest::{Answer, BODY_BYTE, Ingest, Ping, Room, Whom};
pub use self::manage::{delete, pause, put, resume};
pub use self::spec::{BodyFilter, HeartbeatSpec, Otherwise, Schedule, is_slug};
pub use self::sweep::{Swept, sweep};
