//! What the recursive server remembers: since when it holds an RRset, so that TTLs count down as a resolver's do.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use hickory_proto::rr::{Name, Record, RecordType};
use tokio::time::Instant;

/// When each RRset entered the cache. The clock is tokio's, which a test can hold still.
#[derive(Default)]
pub(super) struct Cache {
    since: Mutex<HashMap<(Name, RecordType), Instant>>,
}

/// RRsets remembered at most; a flood of names empties the cache rather than fills memory.
const MAX_ENTRIES: usize = 4_096;

impl Cache {
    /// Takes from each record's TTL the time that its RRset has been held; one that has run out is fetched anew.
    pub(super) fn age(&self, records: &mut [Record]) {
        let now = Instant::now();
        // A panic elsewhere leaves times that are still true.
        let mut since = self.since.lock().unwrap_or_else(PoisonError::into_inner);
        if since.len() > MAX_ENTRIES {
            since.clear();
        }
        for record in records {
            let entered = since.entry((record.name.clone(), record.record_type())).or_insert(now);
            let held_s = u32::try_from(now.duration_since(*entered).as_secs()).unwrap_or(u32::MAX);
            match record.ttl.checked_sub(held_s).filter(|left| *left > 0) {
                Some(left) => record.ttl = left,
                None => *entered = now,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use hickory_proto::rr::RData;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_ttl_counts_down_and_starts_again() {
        let cache = Cache::default();
        let name = Name::from_ascii("api.example.test.").expect("a name");
        let fresh = || {
            [Record::from_rdata(name.clone(), 300, RData::A(std::net::Ipv4Addr::new(192, 0, 2, 1).into()))]
        };
        for (wait_s, ttl) in [(0, 300), (100, 200), (199, 1), (1, 300), (10, 290)] {
            tokio::time::advance(Duration::from_secs(wait_s)).await;
            let mut records = fresh();
            cache.age(&mut records);
            assert_eq!(records[0].ttl, ttl);
        }
    }
}
