//! A TCP connection for its own sake.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use landfall_evidence::Observed;

use crate::connect;
use crate::net::Context;

/// Connects to `address` of `host` and closes again. Says how long the connection took.
pub async fn connect(ctx: &Context, host: &str, address: SocketAddr) -> Observed<Duration> {
    let began = Instant::now();
    match connect::tcp(ctx, host, address).await {
        Ok(_) => Observed::Present(began.elapsed()),
        Err(fault) => fault.into_observed(),
    }
}
