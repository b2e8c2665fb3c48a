//! The watch: what is checked, when, what the results mean, and what becomes of trouble.

mod assertion;
mod bus;
pub mod check;
mod clock;
mod difference;
pub mod incident;
mod model;
mod result;
mod validate;
mod watch;

pub use bus::{Bus, Happened};
pub use check::{Checker, Probes, ProbesConfig};
pub use clock::{Clock, ManualClock, SystemClock};
pub use difference::{Change, difference, own_side};
pub use model::{
    Assertion, AuditCheck, AuditEndpoint, AuditTarget, Check, Comparison, DnsCheck, HttpCheck, Monitor,
    MonitorSpec, TcpCheck, TlsCheck,
};
pub use result::{Audited, CheckResult, Facts, Outcome, Reason, Snapshot};
pub use validate::FieldProblem;
pub use watch::Watch;
