//! Whether this server's own connection works: a failure that may be ours is never counted against a target.
//!
//! With canaries (addresses that the operator named) they are asked. Without, the other monitors are the witnesses: when
//! several hosts are watched and none of them has answered for a while, it is more likely that we are cut off than that
//! all of them fell silent at once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use tokio::net::TcpStream;

/// How long a canary may take to accept a connection.
const PATIENCE: Duration = Duration::from_secs(3);

/// How long an answer of the canaries is good for.
const FRESH: Duration = Duration::from_secs(5);

/// Without canaries: how recently one of the others must have answered.
const WITNESS: Duration = Duration::from_secs(120);

/// The connectivity guard.
#[derive(Debug)]
pub struct Connectivity {
    canaries: Vec<SocketAddr>,
    asked: tokio::sync::Mutex<Option<(Timestamp, bool)>>,
    answered: Mutex<BTreeMap<String, Timestamp>>,
}

/// What the guard says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Connected {
    /// Something else answers: the failure is the target's.
    Yes,
    /// Nothing answers: the failure says nothing of the target. In words.
    No(String),
    /// There is no canary and no other host: it cannot be told, and the target's silence stands.
    Unwitnessed,
}

impl Connectivity {
    /// A guard with these canaries, or none.
    pub fn new(canaries: Vec<SocketAddr>) -> Self {
        Self { canaries, asked: tokio::sync::Mutex::default(), answered: Mutex::default() }
    }

    /// Notes that a host answered something, whatever it was.
    pub fn heard(&self, host: &str, at: Timestamp) {
        let mut answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        if answered.len() >= 4096 && !answered.contains_key(host) {
            // Enough witnesses; the oldest is the least use.
            if let Some(oldest) = answered.iter().min_by_key(|(_, at)| **at).map(|(host, _)| host.clone()) {
                answered.remove(&oldest);
            }
        }
        answered.insert(host.to_owned(), at);
    }

    /// Whether this server is connected, asked because `host` did not answer.
    pub async fn check(&self, host: &str, now: Timestamp) -> Connected {
        if self.canaries.is_empty() { self.witnesses(host, now) } else { self.ask(now).await }
    }

    fn witnesses(&self, host: &str, now: Timestamp) -> Connected {
        let answered = self.answered.lock().unwrap_or_else(PoisonError::into_inner);
        let mut others = answered.iter().filter(|(name, _)| *name != host).peekable();
        if others.peek().is_none() {
            return Connected::Unwitnessed;
        }
        let recent = |at: Timestamp| now.duration_since(at).unsigned_abs() <= WITNESS;
        if others.any(|(_, at)| recent(*at)) {
            return Connected::Yes;
        }
        Connected::No(format!("none of the watched hosts has answered for {} s", WITNESS.as_secs()))
    }

    async fn ask(&self, now: Timestamp) -> Connected {
        // Many checks fail in the same moment; one asks and the others wait for its answer.
        let mut asked = self.asked.lock().await;
        let fresh = asked.filter(|(at, _)| now.duration_since(*at).unsigned_abs() < FRESH);
        let connected = match fresh {
            Some((_, connected)) => connected,
            None => {
                let tries = self.canaries.iter().map(|at| {
                    Box::pin(async move {
                        match tokio::time::timeout(PATIENCE, TcpStream::connect(at)).await {
                            Ok(Ok(_)) => Ok(()),
                            // A refusal came from the other side, so the way there works.
                            Ok(Err(e)) if e.kind() == std::io::ErrorKind::ConnectionRefused => Ok(()),
                            _ => Err(()),
                        }
                    })
                });
                futures_util::future::select_ok(tries).await.is_ok()
            }
        };
        *asked = Some((fresh.map_or(now, |(at, _)| at), connected));
        if connected {
            Connected::Yes
        } else {
            Connected::No(format!("none of the {} canaries can be reached", self.canaries.len()))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).expect("valid")
    }

    #[tokio::test]
    async fn the_others_are_the_witnesses() {
        let guard = Connectivity::new(Vec::new());
        assert_eq!(guard.check("a", at(1000)).await, Connected::Unwitnessed);
        guard.heard("a", at(1000));
        assert_eq!(guard.check("a", at(1001)).await, Connected::Unwitnessed, "it cannot witness for itself");
        guard.heard("b", at(1000));
        assert_eq!(guard.check("a", at(1060)).await, Connected::Yes);
        assert!(matches!(guard.check("a", at(1200)).await, Connected::No(_)), "b was silent too for long");
    }

    #[tokio::test]
    async fn a_canary_decides() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let there = listener.local_addr().expect("bound");
        assert_eq!(Connectivity::new(vec![there]).check("a", at(1)).await, Connected::Yes);
        drop(listener);
        assert_eq!(
            Connectivity::new(vec![there]).check("a", at(1)).await,
            Connected::Yes,
            "a refusal is an answer"
        );
    }
}
