//! Validation.

use crate::{Check, MonitorSpec};

impl MonitorSpec {
    /// What is watched, for people.
    pub fn target_words(&self) -> String {
        match &self.check {
            Check::Http(c) => c.url.clone(),
            Check::Audit(c) => c.url.clone(),
            Check::Tcp(c) => format!("{}:{}", c.host, c.port),
            Check::Tls(c) => format!("{}:{}", c.host, c.port),
            Check::Dns(c) => format!("{} {}", c.name, c.rtype),
        }
    }
}
