//! The worker that empties the outbox.
//!
//! # What holds
//! - **Nothing is lost.** A letter is marked only after its channel answered. A worker that dies in between leaves a lease
//!   that runs out after [`LEASE`]; the next worker sends again, under the same key.
//! - **Nothing is doubled** by two workers: a letter is sent by who holds its lease, which one conditional update gives to
//!   one of them.
//! - **Order.** Of one subject and channel, a letter waits for every smaller one that is still pending: down leaves before
//!   up. A down that is dead holds nothing back; the up is then sent all the same, with a line that says so, because
//!   whoever heard nothing of the outage should hear of it now.
//! - **No stale news.** Reminders, acknowledgements and "more monitors joined" that could not be delivered are skipped once
//!   the incident is over, and a reminder once a later one waits: a channel that comes back after an hour tells the outage
//!   and its end, and not a dozen reminders of it.
//! - **One message for a storm.** When four or more letters of one event arise for a channel within thirty seconds, the
//!   first three leave at once, and the others are gathered until the thirty seconds are over and leave as one. Which
//!   letters those are is written down, so that every attempt carries the same under the same key.
//! - **Patience.** A failure is tried again after 10 s, 20 s, 40 s … 15 min, each with a jitter of a fifth, until the
//!   letter's `give_up_us`, and at once when another letter came through; a `Retry-After` of the receiver holds the whole channel back (six hours at most). What the
//!   receiver refuses for good is dead at once, with its reason. Dead letters stay where people can see and revive them.
//! - **Independence.** Each channel has so many letters under way and no more, one alone while it fails, so one that hangs
//!   delays only itself.
//! - A channel that was switched off skips what waits for it; one that was deleted leaves it dead.

use std::collections::HashMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use jiff::Timestamp;
use landfall_store::{Id, Row, Store, StoreError, Tx, Value, json, params};
use sha2::{Digest as _, Sha256};
use tokio::sync::Notify;
use tokio::task::JoinSet;

use crate::channel::{Dispatch, Outcome, Progress, Sent, mail_server};
use crate::config::ChannelConfig;
use crate::outbound::Outbound;
use crate::outbox::Recipients;
use crate::secret::scrub;
use crate::sheet::{clean, moment};
use crate::storm::{STORM, WINDOW};
use crate::{Event, Message, storm};

/// How long a letter belongs to who leased it. Longer than any attempt takes.
pub const LEASE: Duration = Duration::from_secs(60);
/// The first wait after a failure, and the longest.
pub const BACKOFF: (Duration, Duration) = (Duration::from_secs(10), Duration::from_secs(15 * 60));
/// The longest wait that a receiver may ask for.
const ASKED: Duration = Duration::from_secs(6 * 3600);
/// Between two looks at the outbox when nobody wakes the worker.
const LOOK: Duration = Duration::from_millis(500);

/// Where the time comes from.
pub type Now = Arc<dyn Fn() -> Timestamp + Send + Sync>;

/// What the operator may change about a worker.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct WorkerSettings {
    /// Letters under way at once, over all channels.
    pub parallel: usize,
    /// Between two messages of one channel, at least; the provider's own pace where that is longer.
    pub pace: Duration,
}

impl Default for WorkerSettings {
    fn default() -> Self {
        Self { parallel: 256, pace: Duration::ZERO }
    }
}

/// What one pass did.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Letters that a lease was taken for.
    pub leased: u64,
    /// Letters that the receiver has.
    pub delivered: u64,
    /// Letters that are tried again later.
    pub retried: u64,
    /// Letters that are dead now.
    pub dead: u64,
    /// Letters that were left out on purpose.
    pub skipped: u64,
    /// Letters that were sent, but whose lease had gone to somebody else meanwhile, or that could not be marked.
    pub lost: u64,
}

impl Stats {
    fn add(&mut self, other: Self) {
        self.leased += other.leased;
        self.delivered += other.delivered;
        self.retried += other.retried;
        self.dead += other.dead;
        self.skipped += other.skipped;
        self.lost += other.lost;
    }
}

/// Empties the outbox. Cheap to clone; clones share what is under way.
#[derive(Clone)]
pub struct Worker {
    inner: Arc<Inner>,
}

struct Inner {
    store: Store,
    now: Now,
    out: Outbound,
    owner: String,
    settings: WorkerSettings,
    /// Letters under way, by channel; the empty name is the server itself.
    busy: Mutex<HashMap<String, usize>>,
    wake: Notify,
}

impl std::fmt::Debug for Worker {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Worker").field("owner", &self.inner.owner).finish_non_exhaustive()
    }
}

/// A letter that is ours to send.
struct Leased {
    /// The letter, or all letters of a bundle.
    members: Vec<Member>,
    org: String,
    channel: Option<Id>,
    key: String,
    subject: String,
    attempt: u32,
    give_up: Timestamp,
    until: Timestamp,
    progress: Progress,
    way: Way,
}

/// One row of the outbox.
struct Member {
    id: Id,
    subject: String,
    payload: String,
}

/// How it leaves.
enum Way {
    Channel(Box<ChannelConfig>),
    Mail,
    /// It does not, and this is why.
    Dead(String),
    Skipped(String),
}

/// Counts a letter of a channel as under way until it is dropped.
struct Slot {
    inner: Arc<Inner>,
    channel: String,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut busy = self.inner.busy.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(n) = busy.get_mut(&self.channel) {
            *n -= 1;
            if *n == 0 {
                busy.remove(&self.channel);
            }
        }
        drop(busy);
        // There is room for another of this channel.
        self.inner.wake.notify_one();
    }
}

impl Worker {
    /// A worker. `owner` names this server; two workers with one name must not live at once.
    pub fn new(store: Store, now: Now, out: Outbound, owner: &str) -> Self {
        Self::with(store, now, out, owner, WorkerSettings::default())
    }

    /// A worker with settings of its own.
    pub fn with(store: Store, now: Now, out: Outbound, owner: &str, settings: WorkerSettings) -> Self {
        let inner = Inner {
            store,
            now,
            out,
            // A server that comes back under its name is not who took the leases of before.
            owner: format!("{owner}/{}", Id::new()),
            settings,
            busy: Mutex::default(),
            wake: Notify::new(),
        };
        Self { inner: Arc::new(inner) }
    }

    /// Says that there is something to send, so that it leaves at once and not at the next look.
    pub fn wake(&self) {
        self.inner.wake.notify_one();
    }

    /// One pass: leases what is due at `now`, sends it, and ends when all of it is marked.
    ///
    /// # Errors
    /// When the database fails; letters whose lease was taken come back when it runs out.
    pub async fn run_once(&self, now: Timestamp) -> Result<Stats, StoreError> {
        let mut stats = Stats::default();
        let mut under_way = JoinSet::new();
        for (letter, slot) in self.lease(now).await? {
            stats.leased += letter.members.len() as u64;
            let inner = Arc::clone(&self.inner);
            under_way.spawn(async move {
                let stats = inner.deliver(letter).await;
                drop(slot);
                stats
            });
        }
        while let Some(done) = under_way.join_next().await {
            // A task that panicked has marked nothing: its letter comes back when the lease runs out.
            stats.add(done.unwrap_or(Stats { lost: 1, ..Stats::default() }));
        }
        Ok(stats)
    }

    /// Works until `shutdown` ends, then waits for what is under way. It survives a database that is away.
    pub async fn run(&self, shutdown: impl Future<Output = ()> + Send) {
        let mut under_way = JoinSet::new();
        let mut shutdown = std::pin::pin!(shutdown);
        loop {
            match self.lease((self.inner.now)()).await {
                Ok(letters) => {
                    for (letter, slot) in letters {
                        let inner = Arc::clone(&self.inner);
                        under_way.spawn(async move {
                            inner.deliver(letter).await;
                            drop(slot);
                        });
                    }
                }
                Err(error) => tracing::warn!(%error, "the outbox cannot be read; it is tried again"),
            }
            while under_way.try_join_next().is_some() {}
            tokio::select! {
                () = &mut shutdown => break,
                () = self.inner.wake.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
        }
        // Every attempt has a deadline, so this ends.
        while under_way.join_next().await.is_some() {}
    }

    /// Takes leases on what is due, within what each channel may have under way.
    async fn lease(&self, now: Timestamp) -> Result<Vec<(Leased, Slot)>, StoreError> {
        let inner = &self.inner;
        inner.supersede(now).await?;
        // Channels with something due; each is then leased for by itself, so that one with a thousand letters does not
        // stand before the others. What must wait for a smaller letter, or for its channel, is not looked at again.
        let sql = format!(
            "SELECT o.channel_id, min(o.next_us) AS first FROM outbox o
             LEFT JOIN channel_states s ON s.channel_id = o.channel_id
             WHERE {DUE} AND (s.next_us IS NULL OR s.next_us <= $1)
             GROUP BY o.channel_id ORDER BY first LIMIT 1000"
        );
        let due = inner.store.query(&sql, params![now]).await?;
        let mut leased = Vec::new();
        for row in due {
            let channel = row.opt_id("channel_id")?;
            leased.extend(inner.lease_of(channel, now).await?);
        }
        Ok(leased
            .into_iter()
            .map(|letter| {
                let channel = name_of(letter.channel);
                (letter, Slot { inner: Arc::clone(inner), channel })
            })
            .collect())
    }
}

fn name_of(channel: Option<Id>) -> String {
    channel.map(|c| c.to_string()).unwrap_or_default()
}

/// A letter `o` that may be leased at `$1`: due, held by nobody, and with none before it that is still pending.
const DUE: &str = "o.state = 'pending' AND o.next_us <= $1 AND (o.lease_until_us IS NULL OR o.lease_until_us <= $1)
     AND NOT EXISTS (SELECT 1 FROM outbox p WHERE p.subject = o.subject AND p.state = 'pending'
       AND (p.channel_id = o.channel_id OR (p.channel_id IS NULL AND o.channel_id IS NULL AND p.org_id = o.org_id))
       AND (p.seq < o.seq OR (p.seq = o.seq AND p.id < o.id)))";

impl Inner {
    /// Takes out what has become stale while it waited.
    async fn supersede(&self, now: Timestamp) -> Result<(), StoreError> {
        let (joined, reminder, acknowledged, up) =
            (Event::Joined.seq(), Event::Reminder.seq(), Event::Acknowledged.seq(), Event::Up.seq());
        // Looked for first, without a lock: most passes find none.
        let stale = self
            .store
            .query(
                "SELECT o.id FROM outbox o WHERE o.state = 'pending' AND o.next_us <= $1
                 AND o.seq IN ($2, $3, $4) AND (o.lease_until_us IS NULL OR o.lease_until_us <= $1)
                 AND EXISTS (SELECT 1 FROM outbox l WHERE l.subject = o.subject AND l.channel_id = o.channel_id
                   AND (l.seq = $5 OR (o.seq = $3 AND l.seq = $3 AND l.id > o.id))) LIMIT 500",
                params![now, joined, reminder, acknowledged, up],
            )
            .await?;
        if stale.is_empty() {
            return Ok(());
        }
        let mut tx = self.store.begin().await?;
        for row in stale {
            tx.execute(
                "UPDATE outbox SET state = 'skipped', last_error = $3
                 WHERE id = $1 AND state = 'pending' AND (lease_until_us IS NULL OR lease_until_us <= $2)",
                params![row.id("id")?, now, "not sent: later news of the same incident took its place"],
            )
            .await?;
        }
        tx.commit().await
    }

    async fn lease_of(&self, channel: Option<Id>, now: Timestamp) -> Result<Vec<Leased>, StoreError> {
        let row = match channel {
            Some(id) => {
                self.store
                    .query_opt(
                        "SELECT c.kind, c.config, c.enabled, s.last_error FROM channels c
                         LEFT JOIN channel_states s ON s.channel_id = c.id WHERE c.id = $1",
                        params![id],
                    )
                    .await?
            }
            None => None,
        };
        let (way, parallel, pace) = self.way(channel, row.as_ref())?;
        // What is not sent anyway need not wait for its turn.
        let sends = matches!(way, Way::Channel(_) | Way::Mail);
        let room = self.room(channel, parallel);
        if room == 0 {
            return Ok(Vec::new());
        }
        // No lock is taken before it is known that there is room.
        let mut tx = self.store.begin().await?;
        let limit = if pace.is_zero() || !sends { room } else { 1 };
        if let (Some(id), false, true) = (channel, pace.is_zero(), sends) {
            // The pace is kept in the database, so that two servers keep it together.
            let mine = tx
                .query(
                    "INSERT INTO channel_states (channel_id, org_id, next_us)
                     SELECT c.id, c.org_id, $2 FROM channels c WHERE c.id = $1
                     ON CONFLICT (channel_id) DO UPDATE SET next_us = $2
                     WHERE channel_states.next_us <= $3 RETURNING channel_id",
                    params![id, later(now, pace), now],
                )
                .await?;
            if mine.is_empty() {
                return Ok(Vec::new());
            }
        }
        let until = later(now, LEASE);
        let gathers = matches!(&way, Way::Channel(config) if config.channel().gathers());
        let mut leased = Vec::new();
        if let (Some(id), true) = (channel, gathers) {
            self.gather(&mut tx, id, now).await?;
            leased.extend(self.bundle(&mut tx, id, now, until, &way).await?);
        }
        let limit = limit.saturating_sub(leased.len());
        let (filter, name) = match channel {
            Some(id) => ("o.channel_id = $3", Value::from(id)),
            None => ("o.channel_id IS NULL AND $3 = ''", Value::from("")),
        };
        let sql = format!(
            "SELECT o.id, o.org_id, o.key, o.subject, o.payload, o.attempts, o.give_up_us, o.progress FROM outbox o
             WHERE {filter} AND {DUE} {}
             ORDER BY o.next_us, o.id LIMIT $2 {}",
            if gathers { "AND o.bundle IS NULL" } else { "" },
            self.store.skip_locked()
        );
        let rows = tx.query(&sql, &[now.into(), limit.into(), name]).await?;
        for row in &rows {
            let id = row.id("id")?;
            let changed = tx
                .execute(
                    "UPDATE outbox SET lease_owner = $2, lease_until_us = $3, attempts = attempts + 1
                     WHERE id = $1 AND state = 'pending' AND (lease_until_us IS NULL OR lease_until_us <= $4)",
                    params![id, self.owner.as_str(), until, now],
                )
                .await?;
            if changed == 1 {
                let (subject, payload) = (row.text("subject")?, row.text("payload")?);
                leased.push(Leased {
                    members: vec![Member { id, subject: subject.clone(), payload }],
                    org: row.text("org_id")?,
                    channel,
                    key: row.text("key")?,
                    subject,
                    attempt: u32::try_from(row.int("attempts")?.saturating_add(1)).unwrap_or(u32::MAX),
                    give_up: row.time("give_up_us")?,
                    until,
                    progress: row.opt_json("progress")?.unwrap_or_default(),
                    way: way.again(),
                });
            }
        }
        // Nothing is sent after all: what was put off stays so, and the pace is no worse for one turn.
        tx.commit().await?;
        if leased.is_empty() {
            return Ok(leased);
        }
        *self.busy.lock().unwrap_or_else(PoisonError::into_inner).entry(name_of(channel)).or_default() +=
            leased.len();
        Ok(leased)
    }

    /// Looks for storms among the letters of a channel that were never tried: when [`STORM`] or more of one event arise
    /// within [`WINDOW`], all but the first are put off to its end, and then become one bundle.
    async fn gather(&self, tx: &mut Tx, channel: Id, now: Timestamp) -> Result<(), StoreError> {
        let sql = format!(
            "SELECT o.event, min(o.created_us) AS first FROM outbox o
             WHERE o.channel_id = $2 AND o.attempts = 0 AND o.bundle IS NULL AND {DUE}
             AND o.event IN ('down', 'degraded', 'cause', 'joined', 'reminder', 'acknowledged', 'up')
             GROUP BY o.event"
        );
        for row in tx.query(&sql, params![now, channel]).await? {
            let (event, first) = (row.text("event")?, row.time("first")?);
            let recent = tx
                .query_opt(
                    "SELECT count(*) AS n FROM outbox WHERE channel_id = $1 AND event = $2
                     AND created_us > $3 AND created_us <= $4",
                    params![channel, event.as_str(), earlier(first, WINDOW), later(first, WINDOW)],
                )
                .await?;
            let recent = recent.map(|r| r.int("n")).transpose()?.unwrap_or_default();
            let storm = i64::try_from(STORM).unwrap_or(i64::MAX);
            let over = now >= later(first, WINDOW);
            if recent < storm {
                continue;
            }
            let sql = format!(
                "SELECT o.id FROM outbox o WHERE o.channel_id = $2 AND o.event = $3 AND o.attempts = 0
                 AND o.bundle IS NULL AND o.created_us <= $4 AND {DUE} ORDER BY o.id LIMIT 2000 {}",
                self.store.skip_locked()
            );
            let ids = tx.query(&sql, params![now, channel, event.as_str(), later(first, WINDOW)]).await?;
            let waiting = i64::try_from(ids.len()).unwrap_or(i64::MAX);
            if waiting < 2 && over {
                continue;
            }
            // The first ones of a storm are told at once and alone.
            let alone =
                if over { 0 } else { usize::try_from(storm - 1 - (recent - waiting).max(0)).unwrap_or(0) };
            let mut bundle = None;
            for row in ids.iter().skip(alone) {
                let id = row.id("id")?;
                if over {
                    let bundle = *bundle.get_or_insert(id);
                    tx.execute("UPDATE outbox SET bundle = $2 WHERE id = $1", params![id, bundle]).await?;
                } else {
                    let end = later(first, WINDOW);
                    tx.execute("UPDATE outbox SET next_us = $2 WHERE id = $1", params![id, end]).await?;
                }
            }
        }
        Ok(())
    }

    /// Leases one bundle of a channel, whole: the same letters and the same key in every attempt.
    async fn bundle(
        &self,
        tx: &mut Tx,
        channel: Id,
        now: Timestamp,
        until: Timestamp,
        way: &Way,
    ) -> Result<Option<Leased>, StoreError> {
        let sql = format!(
            "SELECT o.bundle FROM outbox o WHERE o.channel_id = $2 AND o.bundle IS NOT NULL AND {DUE} ORDER BY o.id LIMIT 1"
        );
        let Some(row) = tx.query_opt(&sql, params![now, channel]).await? else { return Ok(None) };
        let bundle = row.text("bundle")?;
        let sql = format!(
            "SELECT o.id, o.org_id, o.subject, o.payload, o.attempts, o.give_up_us, o.progress FROM outbox o
             WHERE o.channel_id = $1 AND o.bundle = $2 AND o.state = 'pending' ORDER BY o.id {}",
            self.store.for_update()
        );
        let rows = tx.query(&sql, params![channel, bundle.as_str()]).await?;
        let mut leased: Option<Leased> = None;
        for row in &rows {
            let id = row.id("id")?;
            let changed = tx
                .execute(
                    "UPDATE outbox SET lease_owner = $2, lease_until_us = $3, attempts = attempts + 1
                     WHERE id = $1 AND state = 'pending' AND (lease_until_us IS NULL OR lease_until_us <= $4)",
                    params![id, self.owner.as_str(), until, now],
                )
                .await?;
            if changed == 0 {
                continue;
            }
            let member = Member { id, subject: row.text("subject")?, payload: row.text("payload")? };
            match &mut leased {
                Some(leased) => leased.members.push(member),
                None => {
                    leased = Some(Leased {
                        members: vec![member],
                        org: row.text("org_id")?,
                        channel: Some(channel),
                        key: format!("storm/{bundle}/{channel}"),
                        subject: format!("storm/{bundle}"),
                        attempt: u32::try_from(row.int("attempts")?.saturating_add(1)).unwrap_or(u32::MAX),
                        give_up: row.time("give_up_us")?,
                        until,
                        progress: row.opt_json("progress")?.unwrap_or_default(),
                        way: way.again(),
                    });
                }
            }
        }
        Ok(leased)
    }

    /// How letters of a channel leave, how many at once, and how far apart.
    fn way(&self, channel: Option<Id>, row: Option<&Row>) -> Result<(Way, usize, Duration), StoreError> {
        let Some(row) = row else {
            let way = match channel {
                None => Way::Mail,
                Some(_) => Way::Dead("the channel was deleted".into()),
            };
            return Ok((way, 4, Duration::ZERO));
        };
        if !row.flag("enabled")? {
            return Ok((Way::Skipped("not sent: the channel was switched off".into()), 16, Duration::ZERO));
        }
        let (kind, config) = (row.text("kind")?, row.json("config")?);
        Ok(match ChannelConfig::stored_as(&kind, &config) {
            Ok(config) => {
                // One at a time finds out whether a channel that failed works again; more would only hang as well.
                let failing = row.opt_text("last_error")?.is_some();
                let parallel = if failing { 1 } else { config.channel().parallel() };
                let pace = config.channel().pace();
                (Way::Channel(Box::new(config)), parallel, pace.max(self.settings.pace))
            }
            Err(problems) => {
                let first =
                    problems.first().map(|p| format!("{}: {}", p.pointer, p.mend)).unwrap_or_default();
                (Way::Dead(format!("the channel's settings cannot be used ({first})")), 16, Duration::ZERO)
            }
        })
    }

    fn room(&self, channel: Option<Id>, parallel: usize) -> usize {
        let busy = self.busy.lock().unwrap_or_else(PoisonError::into_inner);
        let all: usize = busy.values().sum();
        let own = busy.get(&name_of(channel)).copied().unwrap_or_default();
        parallel.saturating_sub(own).min(self.settings.parallel.saturating_sub(all))
    }

    /// Sends one letter and marks it.
    async fn deliver(&self, letter: Leased) -> Stats {
        let began = (self.now)();
        let clock = std::time::Instant::now();
        let sent = self.send(&letter, began).await;
        let took = clock.elapsed();
        match self.mark(&letter, &sent, began, took).await {
            Ok(stats) => stats,
            Err(error) => {
                // It comes back when its lease runs out, and is then sent again under its key.
                tracing::warn!(%error, key = %letter.key, "an attempt could not be written down");
                Stats { lost: 1, ..Stats::default() }
            }
        }
    }

    async fn send(&self, letter: &Leased, now: Timestamp) -> Sent {
        match &letter.way {
            Way::Dead(why) => return Sent::refused(why),
            Way::Skipped(why) => {
                return Sent { outcome: Outcome::Skipped, ..Sent::refused(why) };
            }
            Way::Channel(_) | Way::Mail => {}
        }
        let mut messages: Vec<Message> = Vec::new();
        for member in &letter.members {
            match serde_json::from_str(&member.payload) {
                Ok(message) => messages.push(message),
                Err(error) => return Sent::refused(format!("the letter cannot be read: {error}")),
            }
        }
        let Some(mut message) = storm::collapse(&messages) else {
            return Sent::refused("the letter is empty");
        };
        let members: Vec<String> = match letter.members.as_slice() {
            [_] => Vec::new(),
            all => all.iter().map(|m| m.subject.clone()).collect(),
        };
        if message.event == Event::Up
            && let Some(line) = self.unheard(letter).await
        {
            message.notes.push(line);
        }
        let dispatch = Dispatch {
            message: &message,
            key: &letter.key,
            subject: &letter.subject,
            members: &members,
            attempt: letter.attempt,
            now,
            progress: &letter.progress,
        };
        match &letter.way {
            Way::Channel(config) => {
                let mut sent = config.channel().send(&self.out, &dispatch).await;
                let secrets: Vec<&str> = config.secrets().into_iter().map(|(_, s)| s.reveal()).collect();
                sent.say = scrub(&sent.say, &secrets);
                sent
            }
            _ => {
                let to =
                    letter.members.first().and_then(|m| serde_json::from_str::<Recipients>(&m.payload).ok());
                let to = to.map(|r| r.to).unwrap_or_default();
                if to.is_empty() {
                    return Sent::refused("the letter names no recipient");
                }
                match &self.out.settings.smtp {
                    Some(server) => {
                        let mut sent = mail_server(server, &self.out, &dispatch, &to).await;
                        let password = server.password.as_ref().map(|p| p.reveal()).unwrap_or_default();
                        sent.say = scrub(&sent.say, &[password]);
                        sent
                    }
                    None => Sent::unheard("no mail server is set by the operator"),
                }
            }
        }
    }

    /// What an up has to add when its down never arrived.
    async fn unheard(&self, letter: &Leased) -> Option<String> {
        let sql = "SELECT created_us, last_error FROM outbox
             WHERE subject = $1 AND channel_id = $2 AND seq = $3 AND state = 'dead' ORDER BY id LIMIT 1";
        let params = params![letter.subject.as_str(), letter.channel, Event::Down.seq()];
        // A line that is missing is no reason not to send.
        let row = self.store.query_opt(sql, params).await.ok()??;
        let at = row.time("created_us").ok()?;
        let why = row.opt_text("last_error").ok()?.unwrap_or_default();
        Some(format!("The alert of {} could not be delivered here: {}", moment(at), clean(&why, 200)))
    }

    async fn mark(
        &self,
        letter: &Leased,
        sent: &Sent,
        began: Timestamp,
        took: Duration,
    ) -> Result<Stats, StoreError> {
        let now = (self.now)();
        let count = letter.members.len() as u64;
        let mut stats = Stats::default();
        let mut held = None;
        let (state, outcome, next) = match sent.outcome {
            Outcome::Delivered => {
                stats.delivered = count;
                ("delivered", "delivered", now)
            }
            Outcome::Refused => {
                stats.dead = count;
                ("dead", "refused", now)
            }
            Outcome::Skipped => {
                stats.skipped = count;
                ("skipped", "refused", now)
            }
            Outcome::Retry(_) if now >= letter.give_up => {
                stats.dead = count;
                ("dead", "retry", now)
            }
            Outcome::Retry(asked) => {
                stats.retried = count;
                let asked = asked.map(|a| a.min(ASKED));
                held = asked;
                let wait = wait(&letter.key, letter.attempt).max(asked.unwrap_or_default());
                // The last try is made right when time is up.
                ("pending", "retry", later(now, wait).min(letter.give_up))
            }
        };
        let say = match (state, outcome) {
            ("dead", "retry") => format!("given up after {} attempts: {}", letter.attempt, sent.say),
            _ => sent.say.clone(),
        };
        let delivered = state == "delivered";
        let mut tx = self.store.begin().await?;
        let mut changed = 0;
        let progress = if sent.progress == Progress::default() { Value::Null } else { json(&sent.progress) };
        for member in &letter.members {
            changed += tx
                .execute(
                    "UPDATE outbox SET state = $4, next_us = $5, last_error = $6, delivered_us = $7, progress = $8,
                     lease_owner = NULL, lease_until_us = NULL
                     WHERE id = $1 AND lease_owner = $2 AND lease_until_us = $3 AND state = 'pending'",
                    params![
                        member.id,
                        self.owner.as_str(),
                        letter.until,
                        state,
                        next,
                        (!delivered).then_some(say.as_str()),
                        delivered.then_some(now),
                        progress.clone()
                    ],
                )
                .await?;
            tx.execute(
                "INSERT INTO deliveries (id, outbox_id, org_id, channel_id, at_us, took_us, outcome, status, say)
                 VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                params![
                    Id::new(),
                    member.id,
                    letter.org.as_str(),
                    letter.channel,
                    began,
                    i64::try_from(took.as_micros()).unwrap_or(i64::MAX),
                    outcome,
                    sent.status.map(i64::from),
                    say.as_str()
                ],
            )
            .await?;
        }
        if let (Some(channel), Way::Channel(_)) = (letter.channel, &letter.way)
            && sent.outcome != Outcome::Skipped
        {
            if delivered {
                // It failed before and works again: what waits for it need not sit out its wait.
                tx.execute(
                    "UPDATE outbox SET next_us = $2 WHERE channel_id = $1 AND state = 'pending' AND next_us > $2
                     AND attempts > 0 AND lease_owner IS NULL AND EXISTS
                     (SELECT 1 FROM channel_states s WHERE s.channel_id = $1 AND s.last_error IS NOT NULL)",
                    params![channel, now],
                )
                .await?;
            }
            let held = held.map_or(Value::Int(0), |h| later(now, h).into());
            let (delivered_at, error, error_at) =
                if delivered { (Some(now), None, None) } else { (None, Some(say.as_str()), Some(now)) };
            // `FROM channels`: a channel that was deleted meanwhile gets no state.
            tx.execute(
                "INSERT INTO channel_states (channel_id, org_id, next_us, last_delivered_us, last_error, last_error_us)
                 SELECT c.id, c.org_id, $2, $3, $4, $5 FROM channels c WHERE c.id = $1
                 ON CONFLICT (channel_id) DO UPDATE SET
                 next_us = CASE WHEN channel_states.next_us < $2 THEN $2 ELSE channel_states.next_us END,
                 last_delivered_us = COALESCE($3, channel_states.last_delivered_us), last_error = $4, last_error_us = $5",
                params![channel, held, delivered_at, error, error_at],
            )
            .await?;
        }
        tx.commit().await?;
        if changed == 0 {
            return Ok(Stats { lost: count, ..Stats::default() });
        }
        Ok(stats)
    }
}

impl Way {
    fn again(&self) -> Self {
        match self {
            Self::Channel(config) => Self::Channel(config.clone()),
            Self::Mail => Self::Mail,
            Self::Dead(why) => Self::Dead(why.clone()),
            Self::Skipped(why) => Self::Skipped(why.clone()),
        }
    }
}

fn later(now: Timestamp, by: Duration) -> Timestamp {
    now.checked_add(by).unwrap_or(Timestamp::MAX)
}

fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    at.checked_sub(by).unwrap_or(Timestamp::MIN)
}

/// The wait after the `attempt`th failure of a letter: doubled each time, with a jitter of a fifth that comes from the
/// letter's key, so that a thousand letters that failed together do not come back together, and a test is the same twice.
fn wait(key: &str, attempt: u32) -> Duration {
    let doubled = BACKOFF.0.saturating_mul(1 << attempt.saturating_sub(1).min(16)).min(BACKOFF.1);
    let hash = Sha256::digest(format!("{key}#{attempt}").as_bytes());
    let jitter = f64::from(hash[0]) / 255.0 * 0.4 - 0.2;
    doubled.mul_f64(1.0 + jitter).clamp(BACKOFF.0, BACKOFF.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_grow_within_their_bounds_and_spread() {
        let first: Vec<Duration> = (0..100).map(|n| wait(&format!("k{n}"), 3)).collect();
        assert!(first.iter().all(|w| (32..=48).contains(&w.as_secs())), "40 s with a fifth: {first:?}");
        assert!(first.iter().collect::<std::collections::HashSet<_>>().len() > 50, "they spread");
        for attempt in 1..200 {
            let w = wait("k", attempt);
            assert!(w >= BACKOFF.0 && w <= BACKOFF.1, "{attempt}: {w:?}");
        }
        assert!(wait("k", u32::MAX) >= BACKOFF.1.mul_f64(0.8));
    }
}
