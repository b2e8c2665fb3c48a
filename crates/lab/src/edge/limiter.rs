//! The rate rule at the edge: a fixed window per client that starts with its first request.
//!
//! A window is opened by a request that finds none, lasts the period, and lets the first N requests pass. Refused requests
//! neither count nor extend it. The client is its address, whatever address of the edge and version of HTTP it uses.

use std::collections::HashMap;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use crate::world::Limiter;

/// The counters of one rule. The clock is tokio's, which a test can hold still.
pub(super) struct FixedWindow {
    rule: Limiter,
    clients: Mutex<HashMap<IpAddr, Window>>,
}

struct Window {
    opened: Instant,
    passed: u32,
}

/// Clients remembered at most; windows that have closed are forgotten first.
const MAX_CLIENTS: usize = 10_000;

impl FixedWindow {
    pub(super) fn new(rule: Limiter) -> Self {
        Self { rule, clients: Mutex::default() }
    }

    /// Counts one request.
    ///
    /// # Errors
    /// With the time until the window closes, when the request is refused.
    pub(super) fn take(&self, client: IpAddr) -> Result<(), Duration> {
        let now = Instant::now();
        let period = self.rule.period();
        // A panic elsewhere leaves counts that are still true.
        let mut clients = self.clients.lock().unwrap_or_else(PoisonError::into_inner);
        if clients.len() >= MAX_CLIENTS {
            clients.retain(|_, w| now.duration_since(w.opened) < period);
        }
        let window = clients.entry(same_machine(client)).or_insert(Window { opened: now, passed: 0 });
        if now.duration_since(window.opened) >= period {
            *window = Window { opened: now, passed: 0 };
        }
        if window.passed < self.rule.requests.get() {
            window.passed += 1;
            return Ok(());
        }
        Err(period.saturating_sub(now.duration_since(window.opened)))
    }
}

/// One machine is one client here: its IPv6 loopback address counts as its IPv4 one.
fn same_machine(client: IpAddr) -> IpAddr {
    match client.to_canonical() {
        IpAddr::V6(Ipv6Addr::LOCALHOST) => IpAddr::V4(Ipv4Addr::LOCALHOST),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use std::num::NonZeroU32;

    use super::*;

    const HERE: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

    fn five_in_ten() -> FixedWindow {
        FixedWindow::new(Limiter::new(NonZeroU32::new(5).expect("not zero"), Duration::from_secs(10)))
    }

    #[tokio::test(start_paused = true)]
    async fn five_pass_and_the_window_opens_again_ten_seconds_after_the_first() {
        let limiter = five_in_ten();
        for _ in 0..5 {
            assert_eq!(limiter.take(HERE), Ok(()));
            tokio::time::advance(Duration::from_secs(1)).await;
        }
        assert_eq!(limiter.take(HERE), Err(Duration::from_secs(5)));
        tokio::time::advance(Duration::from_millis(4_999)).await;
        assert_eq!(limiter.take(HERE), Err(Duration::from_millis(1)));
        tokio::time::advance(Duration::from_millis(1)).await;
        assert_eq!((0..6).filter(|_| limiter.take(HERE).is_ok()).count(), 5);
    }

    #[tokio::test(start_paused = true)]
    async fn clients_are_counted_apart_and_one_machine_is_one_client() {
        let limiter = five_in_ten();
        let v6: IpAddr = Ipv6Addr::LOCALHOST.into();
        assert_eq!(
            (0..4).map(|i| limiter.take(if i % 2 == 0 { HERE } else { v6 })).filter(Result::is_ok).count(),
            4
        );
        assert!(limiter.take(v6).is_ok() && limiter.take(HERE).is_err() && limiter.take(v6).is_err());
        assert!(limiter.take([127, 0, 0, 2].into()).is_ok());
    }
}
