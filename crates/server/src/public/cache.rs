//! Answers kept in memory: for a few seconds as they are, after that still at once while a fresh one is fetched behind
//! the reader's back (RFC 5861 calls that stale-while-revalidate). When nothing can be read the old answer stays.

use std::collections::HashMap;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use landfall_monitor::Clock;
use landfall_store::StoreError;
use tokio::sync::Semaphore;

/// An answer is given as it is for so long.
pub(super) const FRESH: Duration = Duration::from_secs(5);
/// A reader waits for so long when nothing is there yet.
const PATIENCE: Duration = Duration::from_secs(3);
/// Keys that are remembered. Names that lead nowhere are forgotten first.
const MOST: usize = 5_000;
/// First readings at once, over all keys: a crowd that guesses names must not take the database away from the watch.
const AT_ONCE: usize = 4;

/// What there is under a key.
#[derive(Debug)]
pub(super) enum Found<V> {
    /// This.
    Here(Arc<V>),
    /// Nothing, for sure.
    Missing,
    /// It could not be read, and was never read before.
    Unread,
}

#[derive(Debug)]
struct Entry<V> {
    /// `None`: there is nothing under the key.
    value: Option<Arc<V>>,
    /// When the value was read.
    read: Timestamp,
    /// When reading was last tried.
    tried: Timestamp,
    /// Whether it is being read now.
    busy: bool,
}

/// The cache. Cloning is cheap.
#[derive(Debug)]
pub(super) struct Cache<K, V> {
    entries: Arc<Mutex<HashMap<K, Entry<V>>>>,
    first: Arc<Semaphore>,
}

impl<K, V> Clone for Cache<K, V> {
    fn clone(&self) -> Self {
        Self { entries: Arc::clone(&self.entries), first: Arc::clone(&self.first) }
    }
}

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self { entries: Arc::default(), first: Arc::new(Semaphore::new(AT_ONCE)) }
    }
}

/// Whether something that was tried then is fresh now. A clock that was set back makes everything stale, not fresh.
fn fresh(now: Timestamp, tried: Timestamp) -> bool {
    Duration::try_from(now.duration_since(tried)).is_ok_and(|age| age < FRESH)
}

impl<K, V> Cache<K, V>
where
    K: Hash + Eq + Clone + Send + 'static,
    V: Send + Sync + 'static,
{
    fn lock(&self) -> MutexGuard<'_, HashMap<K, Entry<V>>> {
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// What there is under a key. `load` reads it; `older` remakes a value that could not be read anew, from the old value
    /// and the moment when that was read.
    pub(super) async fn get<F>(
        &self,
        clock: Arc<dyn Clock>,
        key: K,
        load: impl FnOnce() -> F + Send + 'static,
        older: impl FnOnce(&V, Timestamp) -> V + Send + 'static,
    ) -> Found<V>
    where
        F: Future<Output = Result<Option<V>, StoreError>> + Send,
    {
        let now = clock.now();
        {
            let mut entries = self.lock();
            if let Some(entry) = entries.get_mut(&key) {
                match &entry.value {
                    None if fresh(now, entry.tried) => return Found::Missing,
                    None => {}
                    Some(value) => {
                        let value = Arc::clone(value);
                        if !fresh(now, entry.tried) && !entry.busy {
                            entry.busy = true;
                            let this = self.clone();
                            // Nobody waits for it: whoever asked has the old value.
                            tokio::spawn(async move { this.renew(clock, key, load, older).await });
                        }
                        return Found::Here(value);
                    }
                }
            }
        }
        let read = async {
            let _turn = self.first.acquire().await;
            // Somebody may have read it while this one waited for its turn.
            if let Some(Entry { value: Some(value), tried, .. }) = self.lock().get(&key)
                && fresh(now, *tried)
            {
                return Ok(Some(Arc::clone(value)));
            }
            load().await.map(|value| value.map(Arc::new))
        };
        let Ok(Ok(value)) = tokio::time::timeout(PATIENCE, read).await else { return Found::Unread };
        let mut entries = self.lock();
        if entries.len() >= MOST {
            entries.retain(|_, e| e.value.is_some());
            if entries.len() >= MOST {
                entries.retain(|_, e| fresh(now, e.tried));
            }
        }
        entries.insert(key, Entry { value: value.clone(), read: now, tried: now, busy: false });
        value.map_or(Found::Missing, Found::Here)
    }

    async fn renew<F>(
        &self,
        clock: Arc<dyn Clock>,
        key: K,
        load: impl FnOnce() -> F,
        older: impl FnOnce(&V, Timestamp) -> V,
    ) where
        F: Future<Output = Result<Option<V>, StoreError>>,
    {
        let read = tokio::time::timeout(PATIENCE, load()).await;
        let now = clock.now();
        let mut entries = self.lock();
        let Some(entry) = entries.get_mut(&key) else { return };
        entry.busy = false;
        entry.tried = now;
        match read {
            Ok(Ok(value)) => {
                entry.value = value.map(Arc::new);
                entry.read = now;
            }
            _ => {
                if let Some(old) = &entry.value {
                    entry.value = Some(Arc::new(older(old, entry.read)));
                }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use landfall_monitor::ManualClock;

    use super::*;

    type Texts = Cache<&'static str, String>;

    async fn ask(cache: &Texts, clock: &ManualClock, answer: Result<Option<&'static str>, ()>) -> String {
        let load = move || async move {
            match answer {
                Ok(text) => Ok(text.map(str::to_owned)),
                Err(()) => Err(StoreError::Failed { detail: "stopped".into() }),
            }
        };
        let older = |old: &String, read: Timestamp| format!("{}, read at {}", &old[..1], read.as_second());
        match cache.get(Arc::new(clock.clone()), "key", load, older).await {
            Found::Here(text) => (*text).clone(),
            Found::Missing => "missing".into(),
            Found::Unread => "unread".into(),
        }
    }

    async fn renewed(cache: &Texts) {
        while cache.lock().get("key").is_some_and(|e| e.busy) {
            tokio::task::yield_now().await;
        }
    }

    #[tokio::test]
    async fn an_old_answer_is_given_at_once_and_renewed_behind() {
        let clock = ManualClock::at(Timestamp::from_second(1000).expect("in range"));
        let cache = Texts::default();
        assert_eq!(ask(&cache, &clock, Err(())).await, "unread");
        assert_eq!(ask(&cache, &clock, Ok(None)).await, "missing");
        assert_eq!(ask(&cache, &clock, Ok(Some("a"))).await, "missing", "for a few seconds");
        clock.advance(FRESH);
        assert_eq!(ask(&cache, &clock, Ok(Some("a"))).await, "a");
        assert_eq!(ask(&cache, &clock, Ok(Some("b"))).await, "a", "fresh");
        clock.advance(FRESH);
        assert_eq!(ask(&cache, &clock, Ok(Some("b"))).await, "a", "stale, but at once");
        renewed(&cache).await;
        assert_eq!(ask(&cache, &clock, Ok(Some("c"))).await, "b");
    }

    #[tokio::test]
    async fn while_nothing_can_be_read_the_old_answer_says_its_age() {
        let clock = ManualClock::at(Timestamp::from_second(1000).expect("in range"));
        let cache = Texts::default();
        assert_eq!(ask(&cache, &clock, Ok(Some("a"))).await, "a");
        for _ in 0..3 {
            clock.advance(FRESH);
            ask(&cache, &clock, Err(())).await;
            renewed(&cache).await;
            assert_eq!(ask(&cache, &clock, Err(())).await, "a, read at 1000");
        }
        clock.advance(FRESH);
        ask(&cache, &clock, Ok(Some("b"))).await;
        renewed(&cache).await;
        assert_eq!(ask(&cache, &clock, Err(())).await, "b");
    }

    #[test]
    fn a_clock_that_was_set_back_makes_nothing_fresh() {
        let at = |s| Timestamp::from_second(s).expect("in range");
        assert!(fresh(at(1004), at(1000)));
        assert!(!fresh(at(1005), at(1000)));
        assert!(!fresh(at(999), at(1000)));
    }
}
