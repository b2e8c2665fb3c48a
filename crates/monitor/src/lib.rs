//! The watch: what is checked, when, what the results mean, and what becomes of trouble.

mod assertion;
pub mod audit;
mod bus;
pub mod calendar;
pub mod check;
mod clock;
pub mod connectivity;
pub mod declare;
pub mod difference;
pub mod engine;
pub mod heartbeat;
pub mod incident;
pub mod jobs;
mod meters;
mod model;
mod result;
pub mod schedule;
mod validate;
pub mod verdict;
mod watch;
pub mod window;

pub use bus::{Bus, Happened};
pub use check::{Checker, Probes, ProbesConfig};
pub use clock::{Clock, ManualClock, SystemClock};
pub use difference::{Change, difference, own_side};
pub use meters::{Histogram, HistogramReading, Meters};
pub use model::{
    Assertion, AuditCheck, AuditEndpoint, AuditTarget, Check, Comparison, DnsCheck, HttpCheck, Monitor,
    MonitorSpec, TcpCheck, TlsCheck,
};
pub use result::{Audited, CheckResult, Facts, Outcome, Reason, Snapshot};
pub use validate::FieldProblem;
pub use watch::Watch;
pub use window::{Repeat, SpecProblem, Window, WindowSpec};
