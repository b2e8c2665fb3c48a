//! Pings, taken in by the thousand and durable before they are answered.
//!
//! One task writes. It takes whatever has arrived meanwhile, writes it in one transaction, and answers each ping only
//! after the commit: a ping that was answered "OK" survives `kill -9`, and one that could not be written is never
//! answered so.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landfall_store::heartbeats::{self, FlipRow, HeartbeatRow, PingRow};
use landfall_store::{Id, OrgId, Store, StoreError, Tx, billing};
use tokio::sync::{mpsc, oneshot};
use uuid::Uuid;

use super::core::{Action, State, classify};
use super::incident::told;
use super::manage::{spec_of, state_of, write_state};
use super::spec::HeartbeatSpec;
use crate::bus::{Bus, Happened};

/// Bytes of a body that are kept; the rest is cut. Told to clients in `Ping-Body-Limit`.
pub const BODY_BYTE: usize = 10_000;
/// Pings that may wait for the writer. Beyond it the server says that it is busy.
const QUEUE: usize = 8192;
/// Pings of one transaction.
const BATCH: usize = 512;
/// How long a ping waits for its answer.
const WAIT: Duration = Duration::from_secs(15);
/// Pings that are kept of each heartbeat.
const KEPT: u64 = 100;
/// Heartbeats that an organisation may make by pinging names that do not exist yet.
const PROVISIONED: u64 = 2000;

/// Whom a ping is for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Whom {
    /// By its id.
    Id(Uuid),
    /// By ping key and slug.
    Slug {
        /// The organisation's ping key.
        key: String,
        /// The slug.
        slug: String,
        /// Whether one that does not exist is made.
        create: bool,
    },
}

/// A ping that arrived.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ping {
    /// Whom it is for.
    pub whom: Whom,
    /// What its URL says.
    pub action: Action,
    /// The HTTP method, in upper case.
    pub method: String,
    /// The run.
    pub rid: Option<Uuid>,
    /// The body, at most [`BODY_BYTE`].
    pub body: String,
    /// `User-Agent`.
    pub agent: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// When it arrived.
    pub at: Timestamp,
}

/// What became of a ping.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    /// It is written.
    Ok,
    /// It is written, and its heartbeat was made for it.
    Created,
    /// There is no such heartbeat or ping key.
    Missing,
    /// Several heartbeats have this slug.
    Ambiguous,
    /// The organisation has as many heartbeats as it may.
    TooMany,
    /// It could not be written. Nothing of it is kept; the client tries again.
    Unavailable,
}

/// How many heartbeats an organisation on a plan may have.
pub type Room = Arc<dyn Fn(&str) -> u64 + Send + Sync>;

/// What the writer goes by.
struct Terms {
    base: String,
    room: Room,
}

/// The door for pings. Cheap to clone; the writer ends when the last one is dropped.
#[derive(Debug, Clone)]
pub struct Ingest {
    queue: mpsc::Sender<(Ping, oneshot::Sender<Answer>)>,
}

impl Ingest {
    /// Starts the writer. `base` is the server's public URL, for links in alerts.
    pub fn start(store: Store, bus: Bus, base: String) -> (Self, tokio::task::JoinHandle<()>) {
        Self::start_within(store, bus, base, Arc::new(|_| u64::MAX))
    }

    /// Starts the writer, with how many heartbeats each plan has room for: no ping makes one beyond it.
    pub fn start_within(
        store: Store,
        bus: Bus,
        base: String,
        room: Room,
    ) -> (Self, tokio::task::JoinHandle<()>) {
        let (queue, arriving) = mpsc::channel(QUEUE);
        (Self { queue }, tokio::spawn(write(store, bus, Terms { base, room }, arriving)))
    }

    /// Hands a ping in and waits until it is durable.
    pub async fn ping(&self, ping: Ping) -> Answer {
        let (tell, told) = oneshot::channel();
        if self.queue.try_send((ping, tell)).is_err() {
            return Answer::Unavailable;
        }
        match tokio::time::timeout(WAIT, told).await {
            Ok(Ok(answer)) => answer,
            // It may still be written; a ping that comes twice does no harm.
            _ => Answer::Unavailable,
        }
    }
}

async fn write(
    store: Store,
    bus: Bus,
    terms: Terms,
    mut arriving: mpsc::Receiver<(Ping, oneshot::Sender<Answer>)>,
) {
    let mut waiting = Vec::with_capacity(BATCH);
    while arriving.recv_many(&mut waiting, BATCH).await > 0 {
        let (pings, tells): (Vec<Ping>, Vec<_>) = waiting.drain(..).unzip();
        let answers = match batch(&store, &pings, &terms).await {
            Ok((answers, told)) => {
                told.into_iter().for_each(|happened| bus.tell(happened));
                answers
            }
            Err(error @ (StoreError::Unreachable { .. } | StoreError::Full { .. })) => {
                tracing::error!(%error, pings = pings.len(), "pings cannot be written");
                vec![Answer::Unavailable; pings.len()]
            }
            // One ping of the batch may be to blame, or two servers got into each other's way.
            Err(_) => one_by_one(&store, &pings, &terms, &bus).await,
        };
        for (tell, answer) in tells.into_iter().zip(answers) {
            // Who no longer waits has given up; the ping is kept all the same.
            let _ = tell.send(answer);
        }
    }
}

async fn one_by_one(store: &Store, pings: &[Ping], terms: &Terms, bus: &Bus) -> Vec<Answer> {
    let mut answers = Vec::with_capacity(pings.len());
    for ping in pings {
        match batch(store, std::slice::from_ref(ping), terms).await {
            Ok((answer, told)) => {
                told.into_iter().for_each(|happened| bus.tell(happened));
                answers.extend(answer);
            }
            Err(error) => {
                tracing::error!(%error, "a ping cannot be written");
                answers.push(Answer::Unavailable);
            }
        }
    }
    answers
}

/// A heartbeat as it changes within a batch.
struct Loaded {
    row: HeartbeatRow,
    spec: HeartbeatSpec,
    state: State,
}

async fn batch(
    store: &Store,
    pings: &[Ping],
    terms: &Terms,
) -> Result<(Vec<Answer>, Vec<Happened>), StoreError> {
    let mut tx = store.begin().await?;
    let mut finder = Finder::default();
    let mut whom = Vec::with_capacity(pings.len());
    for ping in pings {
        whom.push(finder.find(&mut tx, ping, &terms.room).await?);
    }
    let ids: Vec<Id> = whom.iter().filter_map(|w| w.as_ref().ok().map(|(id, _)| *id)).collect();
    let mut loaded: HashMap<Id, Loaded> = HashMap::new();
    for row in heartbeats::lock(store, &mut tx, &ids).await? {
        let (spec, state) = (spec_of(&row)?, state_of(&row)?);
        loaded.insert(row.id, Loaded { row, spec, state });
    }
    let mut answers = Vec::with_capacity(pings.len());
    let (mut kept, mut happened, mut pruned) = (Vec::with_capacity(pings.len()), Vec::new(), Vec::new());
    for (ping, whom) in pings.iter().zip(whom) {
        let (id, made) = match whom {
            Ok(found) => found,
            Err(answer) => {
                answers.push(answer);
                continue;
            }
        };
        let Some(beat) = loaded.get_mut(&id) else {
            answers.push(Answer::Missing);
            continue;
        };
        let org = beat.row.org;
        let ping_row = beat.take(&mut tx, ping, &terms.base, &mut happened).await?;
        if beat.row.pings.is_multiple_of(KEPT) {
            pruned.push((id, beat.row.pings));
        }
        kept.push((org, ping_row));
        answers.push(if made { Answer::Created } else { Answer::Ok });
    }
    for beat in loaded.values_mut() {
        write_state(&mut beat.row, &beat.state, &beat.spec);
        heartbeats::save(&mut tx, &beat.row).await?;
    }
    heartbeats::insert_pings(&mut tx, &kept).await?;
    for (id, newest) in pruned {
        heartbeats::prune_pings(&mut tx, id, newest, KEPT).await?;
    }
    tx.commit().await?;
    Ok((answers, happened))
}

impl Loaded {
    async fn take(
        &mut self,
        tx: &mut Tx,
        ping: &Ping,
        base: &str,
        happened: &mut Vec<Happened>,
    ) -> Result<PingRow, StoreError> {
        let kind = classify(&self.spec, self.state.status, ping.action, &ping.method, &ping.body);
        let (flip, took) = self.state.apply(kind, ping.rid, ping.at);
        self.row.pings += 1;
        self.row.last_ping = self.state.last_ping;
        if let Some(flip) = flip {
            let flip_row = FlipRow {
                id: Id::new(),
                heartbeat: self.row.id,
                at: flip.at,
                before: flip.before.word().to_owned(),
                after: flip.after.word().to_owned(),
                reason: flip.why.word().to_owned(),
            };
            heartbeats::insert_flip(tx, self.row.org, &flip_row).await?;
            told(tx, &mut self.row, &self.spec, &flip, ping.at, base).await?;
        }
        happened.push(Happened {
            org: self.row.org,
            kind: "heartbeat",
            id: self.row.id,
            what: if flip.is_some() { "flipped" } else { "pinged" },
            detail: serde_json::json!({ "external_id": self.row.external_id, "status": self.state.status, "ping": kind }),
        });
        Ok(PingRow {
            heartbeat: self.row.id,
            n: self.row.pings,
            at: ping.at,
            kind: kind.word().to_owned(),
            method: ping.method.clone(),
            agent: ping.agent.as_deref().map(|a| clean(a, 200)),
            address: ping.address.clone(),
            body: (!ping.body.is_empty()).then(|| clean(&ping.body, BODY_BYTE)),
            rid: ping.rid.map(|r| r.to_string()),
            exit_status: match ping.action {
                Action::Exit(status) => Some(status),
                _ => None,
            },
            duration_us: took,
        })
    }
}

/// Finds whom pings are for; keys and slugs are asked for once a batch.
#[derive(Default)]
struct Finder {
    orgs: HashMap<String, Option<OrgId>>,
    slugs: HashMap<(OrgId, String), Vec<Id>>,
}

impl Finder {
    async fn find(
        &mut self,
        tx: &mut Tx,
        ping: &Ping,
        room: &Room,
    ) -> Result<Result<(Id, bool), Answer>, StoreError> {
        let (key, slug, create) = match &ping.whom {
            Whom::Id(id) => return Ok(Ok((Id(*id), false))),
            Whom::Slug { key, slug, create } => (key, slug, *create),
        };
        let org = match self.orgs.get(key) {
            Some(org) => *org,
            None => {
                let org = heartbeats::org_of_key(tx, key).await?;
                self.orgs.insert(key.clone(), org);
                org
            }
        };
        let Some(org) = org else { return Ok(Err(Answer::Missing)) };
        let place = (org, slug.clone());
        let found = match self.slugs.get(&place) {
            Some(found) => found.clone(),
            None => {
                let found = heartbeats::by_slug(tx, org, slug).await?;
                self.slugs.insert(place.clone(), found.clone());
                found
            }
        };
        Ok(match found[..] {
            [id] => Ok((id, false)),
            [] if create => {
                let held = billing::holdings(tx, org, ping.at).await?;
                if held.heartbeats >= PROVISIONED.min(room(&held.plan)) {
                    return Ok(Err(Answer::TooMany));
                }
                let spec = HeartbeatSpec { slug: Some(slug.clone()), ..HeartbeatSpec::named(slug.clone()) };
                let id = heartbeats::provision(tx, org, slug, &spec, &State::new(ping.at), ping.at).await?;
                self.slugs.insert(place, vec![id]);
                Ok((id, true))
            }
            [] => Err(Answer::Missing),
            _ => Err(Answer::Ambiguous),
        })
    }
}

/// Cut at a character, and without NUL, which PostgreSQL cannot keep in a text.
fn clean(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text[..end].replace('\0', "\u{fffd}")
}
