//! Checks.

use crate::{CheckResult, Reason};

/// Whether a failure looks like our own connection.
pub fn own_side(result: &CheckResult) -> bool {
    matches!(
        result.reason,
        Some(Reason::Timeout | Reason::DnsSilent | Reason::ConnectionError | Reason::DnsError)
    )
}
