//! Alerts: what a message says, the channels that carry it, and the durable outbox between the two.
//!
//! Whoever has something to say writes a row into the outbox in the transaction that makes it true
//! ([`outbox::enqueue`]). A worker leases rows, lets the channel send them, and keeps every attempt. A message is sent at
//! least once, under a key that an idempotent receiver can go by; one that cannot be delivered is tried for hours.

mod message;
pub mod outbox;

pub use message::{CauseRef, Event, IncidentRef, Message, MonitorRef};
