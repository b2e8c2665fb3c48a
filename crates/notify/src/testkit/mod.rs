//! Receivers for tests: they record what comes, are strict about the protocol that they speak, and fail on demand.

mod doubles;
mod exim;
mod receiver;

use std::sync::Arc;

pub use doubles::{pagerduty, slack, telegram, webhook, whatsapp};
pub use exim::{Exim, Mail};
pub use receiver::{Authority, Fault, Protocol, Receiver, Recorded, Reply};

use crate::{Guard, Outbound, OutboundSettings};

/// A guard for tests: loopback and nothing else.
pub fn loopback_only() -> Guard {
    Arc::new(|ip| if ip.is_loopback() { Ok(()) } else { Err(format!("{ip} is not on loopback")) })
}

/// A way out that reaches loopback and nothing else.
pub fn outbound(settings: OutboundSettings) -> Outbound {
    Outbound::new(loopback_only(), settings).expect("TLS can be set up")
}
