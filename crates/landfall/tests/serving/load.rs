//! Clients that go on whatever they are answered, and remember it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::api::{Answer, Api, client, send};

/// Pings from several clients, each with a body of its own.
pub(crate) struct Pings {
    stop: CancellationToken,
    clients: JoinSet<()>,
    said: Arc<Said>,
}

#[derive(Default)]
struct Said {
    ok: Mutex<BTreeSet<String>>,
    /// Answers by status; 0 is no answer at all.
    statuses: Mutex<BTreeMap<u16, usize>>,
    next: AtomicUsize,
}

impl Pings {
    /// Begins. The server keeps the last hundred pings of a heartbeat, so there are more heartbeats than pings need.
    pub(crate) fn begin(base: &str, ids: &[String], clients: usize, pause: Duration) -> Self {
        let (stop, said, mut tasks) = (CancellationToken::new(), Arc::new(Said::default()), JoinSet::new());
        for _ in 0..clients {
            let (stop, said, base, ids) = (stop.clone(), Arc::clone(&said), base.to_owned(), ids.to_vec());
            let http = client();
            tasks.spawn(async move {
                while !stop.is_cancelled() {
                    let n = said.next.fetch_add(1, Ordering::Relaxed);
                    let body = format!("ping {n}");
                    let url = format!("{base}/ping/{}", ids[n % ids.len()]);
                    let status = match send(http.post(url).body(body.clone())).await {
                        Ok(answer) if answer.status == 200 => {
                            assert_eq!(answer.text, "OK");
                            said.ok.lock().unwrap_or_else(PoisonError::into_inner).insert(body);
                            200
                        }
                        Ok(answer) => answer.status,
                        Err(_) => 0,
                    };
                    *said
                        .statuses
                        .lock()
                        .unwrap_or_else(PoisonError::into_inner)
                        .entry(status)
                        .or_default() += 1;
                    tokio::time::sleep(pause).await;
                }
            });
        }
        Self { stop, clients: tasks, said }
    }

    pub(crate) fn statuses(&self) -> BTreeMap<u16, usize> {
        self.said.statuses.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    pub(crate) fn count(&self, status: u16) -> usize {
        self.statuses().get(&status).copied().unwrap_or_default()
    }

    /// Stops, and gives the bodies that were answered with OK.
    pub(crate) async fn end(mut self) -> BTreeSet<String> {
        self.stop.cancel();
        while let Some(done) = self.clients.join_next().await {
            done.expect("no client panicked");
        }
        std::mem::take(&mut self.said.ok.lock().unwrap_or_else(PoisonError::into_inner))
    }
}

/// Reads of one path, over and over.
pub(crate) struct Reads {
    stop: CancellationToken,
    task: tokio::task::JoinHandle<()>,
    seen: Arc<Mutex<Vec<Result<Answer, String>>>>,
}

impl Reads {
    pub(crate) fn begin(api: &Api, path: &'static str, pause: Duration) -> Self {
        let (stop, seen) = (CancellationToken::new(), Arc::new(Mutex::new(Vec::new())));
        let api = Api { http: client(), ..api.clone() };
        let (halt, into) = (stop.clone(), Arc::clone(&seen));
        let task = tokio::spawn(async move {
            while !halt.is_cancelled() {
                let answer = send(api.request("GET", path)).await;
                into.lock().unwrap_or_else(PoisonError::into_inner).push(answer);
                tokio::time::sleep(pause).await;
            }
        });
        Self { stop, task, seen }
    }

    /// How many were answered so, up to now.
    pub(crate) fn count(&self, status: u16) -> usize {
        let seen = self.seen.lock().unwrap_or_else(PoisonError::into_inner);
        seen.iter().filter(|a| a.as_ref().is_ok_and(|a| a.status == status)).count()
    }

    /// Stops, and gives everything that was answered.
    pub(crate) async fn end(self) -> Vec<Result<Answer, String>> {
        self.stop.cancel();
        self.task.await.expect("it did not panic");
        std::mem::take(&mut self.seen.lock().unwrap_or_else(PoisonError::into_inner))
    }
}
