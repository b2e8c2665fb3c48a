//! Alerts: what a message says, the channels that carry it, and the durable outbox between the two.
//!
//! Whoever has something to say writes a row into the outbox in the transaction that makes it true
//! ([`outbox::enqueue`]). A [`Worker`] leases rows, lets the channel send them, and keeps every attempt. A message is sent
//! at least once, under a key that an idempotent receiver can go by; one that cannot be delivered is tried for hours.

pub mod channel;
pub mod config;
mod message;
pub mod outbound;
pub mod outbox;
mod secret;
mod sheet;
pub mod signature;
pub mod storm;
pub mod template;
#[cfg(feature = "testkit")]
pub mod testkit;
pub mod worker;

pub use config::{ChannelConfig, FieldProblem, SmtpSecurity, SmtpSettings};
pub use message::{CauseRef, Event, IncidentRef, Message, MonitorRef};
pub use outbound::{Guard, Outbound, OutboundSettings};
pub use secret::Secret;
pub use storm::group;
pub use worker::{Now, Stats, Worker, WorkerSettings};
