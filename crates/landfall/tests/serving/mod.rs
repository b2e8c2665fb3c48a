//! The server as a process of its own, and what the tests do with it over HTTP.

pub(crate) mod api;
pub(crate) mod load;
pub(crate) mod names;
pub(crate) mod process;

use std::time::{Duration, Instant};

/// Between two looks at something that is waited for.
const LOOK: Duration = Duration::from_millis(50);

/// Waits for a state. Fails the test with the last thing that was seen when it does not come.
pub(crate) async fn until<T, S: std::fmt::Debug>(
    what: &str,
    seconds: u64,
    mut look: impl AsyncFnMut() -> Result<T, S>,
) -> T {
    let end = Instant::now() + Duration::from_secs(seconds);
    loop {
        match look().await {
            Ok(found) => return found,
            Err(seen) => {
                assert!(
                    Instant::now() < end,
                    "{what} did not come about within {seconds} s; last seen: {seen:?}"
                )
            }
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// The whole life of a test. One that takes longer hangs; its processes end with it.
pub(crate) async fn within<T>(seconds: u64, test: impl Future<Output = T>) -> T {
    match tokio::time::timeout(Duration::from_secs(seconds), Box::pin(test)).await {
        Ok(done) => done,
        Err(_) => panic!("the test did not end within {seconds} s"),
    }
}
