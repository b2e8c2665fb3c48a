//! The watch: what is checked, when, what the results mean, and what becomes of trouble.

mod bus;
mod clock;
pub mod incident;
mod meters;
mod model;
mod result;
mod watch;

pub use bus::{Bus, Happened};
pub use clock::{Clock, ManualClock, SystemClock};
pub use meters::{Histogram, HistogramReading, Meters};
pub use model::{
    Assertion, AuditCheck, AuditEndpoint, AuditTarget, Check, Comparison, DnsCheck, HttpCheck, Monitor,
    MonitorSpec, TcpCheck, TlsCheck,
};
pub use result::{CheckResult, Outcome, Reason, Snapshot};
pub use watch::Watch;
