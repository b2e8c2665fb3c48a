//! All network input and output of an audit.
//!
//! A probe asks the world one kind of question and returns [`Observation`](landfall_evidence::Observation)s. It never
//! judges. Every question has a deadline, every answer a bound, and a fault on our side is
//! [`Unasked`](landfall_evidence::Observed::Unasked), never counted against the target.

mod connect;
pub mod dns;
pub mod doors;
mod egress;
pub mod http;
pub mod net;
pub mod rate_limit;
pub mod rdap;
mod shell;
pub mod tcp;
pub mod tls;

pub use shell::shell_word;
