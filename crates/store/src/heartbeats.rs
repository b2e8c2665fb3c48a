//! Heartbeats, their pings and their flips. What the states mean is decided in the monitor crate; here they are kept.

use jiff::Timestamp;

use crate::{Id, OrgId, Page, Row, Store, StoreError, Tenant, Tx, Value, params};

/// A heartbeat as it is stored.
#[derive(Debug, Clone, PartialEq)]
pub struct HeartbeatRow {
    /// Its id: the secret part of its ping URL.
    pub id: Id,
    /// Whose it is.
    pub org: OrgId,
    /// The name under which configuration files and scripts know it.
    pub external_id: String,
    /// The name in ping URLs with a key.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// What was declared, as JSON.
    pub spec: String,
    /// `file` or `api`.
    pub origin: String,
    /// `new`, `up`, `down`, `paused`.
    pub status: String,
    /// The state machine, as JSON.
    pub state: String,
    /// Pings so far.
    pub pings: u64,
    /// The last one that told of success or failure.
    pub last_ping: Option<Timestamp>,
    /// When it will be down unless something comes.
    pub alert_after: Option<Timestamp>,
    /// The open incident.
    pub incident: Option<Id>,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed by somebody.
    pub updated: Timestamp,
}

/// A heartbeat to be made or changed.
#[derive(Debug, Clone, PartialEq)]
pub struct NewHeartbeat {
    /// The name under which configuration files and scripts know it.
    pub external_id: String,
    /// The name in ping URLs with a key.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// What was declared, as JSON.
    pub spec: String,
    /// `file` or `api`.
    pub origin: String,
    /// The state machine that a new one begins with, as JSON.
    pub state: String,
    /// When a new one will be down unless something comes.
    pub alert_after: Option<Timestamp>,
}

/// A ping as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PingRow {
    /// The heartbeat.
    pub heartbeat: Id,
    /// Counts from 1 for each heartbeat.
    pub n: u64,
    /// When it came.
    pub at: Timestamp,
    /// `start`, `success`, `fail`, `log`, `ignored`.
    pub kind: String,
    /// The HTTP method.
    pub method: String,
    /// `User-Agent`, cut.
    pub agent: Option<String>,
    /// The client's address.
    pub address: Option<String>,
    /// What was sent along, cut.
    pub body: Option<String>,
    /// The run.
    pub rid: Option<String>,
    /// The exit status, when one was told.
    pub exit_status: Option<u8>,
    /// How long the run took that this ping ended.
    pub duration_us: Option<u64>,
}

/// A change of a heartbeat's status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FlipRow {
    /// Its id.
    pub id: Id,
    /// The heartbeat.
    pub heartbeat: Id,
    /// When it changed: for a deadline the deadline itself, not the moment at which it was noticed.
    pub at: Timestamp,
    /// The status before.
    pub before: String,
    /// The status after.
    pub after: String,
    /// `timeout`, `fail`, `ping`.
    pub reason: String,
}

const COLUMNS: &str = "id, org_id, external_id, slug, name, spec, origin, status, state, pings, last_ping_us, alert_after_us, incident_id, created_us, updated_us";

impl HeartbeatRow {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id("id")?,
            org: row.org("org_id")?,
            external_id: row.text("external_id")?,
            slug: row.text("slug")?,
            name: row.text("name")?,
            spec: row.text("spec")?,
            origin: row.text("origin")?,
            status: row.text("status")?,
            state: row.text("state")?,
            pings: row.count("pings")?,
            last_ping: row.opt_time("last_ping_us")?,
            alert_after: row.opt_time("alert_after_us")?,
            incident: row.opt_id("incident_id")?,
            created: row.time("created_us")?,
            updated: row.time("updated_us")?,
        })
    }
}

impl PingRow {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            heartbeat: row.id("heartbeat_id")?,
            n: row.count("n")?,
            at: row.time("at_us")?,
            kind: row.text("kind")?,
            method: row.text("method")?,
            agent: row.opt_text("agent")?,
            address: row.opt_text("address")?,
            body: row.opt_text("body")?,
            rid: row.opt_text("rid")?,
            exit_status: row.opt_int("exit_status")?.and_then(|v| u8::try_from(v).ok()),
            duration_us: row.opt_int("duration_us")?.and_then(|v| u64::try_from(v).ok()),
        })
    }
}

impl FlipRow {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id("id")?,
            heartbeat: row.id("heartbeat_id")?,
            at: row.time("at_us")?,
            before: row.text("before")?,
            after: row.text("after")?,
            reason: row.text("reason")?,
        })
    }
}

impl Tenant {
    /// A page of heartbeats, by id.
    ///
    /// # Errors
    /// When the database fails; likewise for all that follow.
    pub async fn heartbeats(&self, page: Page) -> Result<Vec<HeartbeatRow>, StoreError> {
        let after = page.after.map_or_else(String::new, |id| id.to_string());
        let rows = self
            .store
            .query(
                &format!(
                    "SELECT {COLUMNS} FROM heartbeats WHERE org_id = $1 AND id > $2 ORDER BY id LIMIT $3"
                ),
                params![self.org, after, page.fetch()],
            )
            .await?;
        rows.iter().map(HeartbeatRow::of).collect()
    }

    /// One heartbeat.
    pub async fn heartbeat(&self, id: Id) -> Result<HeartbeatRow, StoreError> {
        let row = self
            .store
            .query_opt(
                &format!("SELECT {COLUMNS} FROM heartbeats WHERE org_id = $1 AND id = $2"),
                params![self.org, id],
            )
            .await?;
        row.as_ref().map(HeartbeatRow::of).transpose()?.ok_or(StoreError::Missing { what: "heartbeat" })
    }

    /// One heartbeat by the name under which files and scripts know it.
    pub async fn heartbeat_by_external_id(&self, external_id: &str) -> Result<HeartbeatRow, StoreError> {
        let row = self
            .store
            .query_opt(
                &format!("SELECT {COLUMNS} FROM heartbeats WHERE org_id = $1 AND external_id = $2"),
                params![self.org, external_id],
            )
            .await?;
        row.as_ref().map(HeartbeatRow::of).transpose()?.ok_or(StoreError::Missing { what: "heartbeat" })
    }

    /// How many heartbeats there are.
    pub async fn heartbeat_count(&self) -> Result<u64, StoreError> {
        let row = self
            .store
            .query_opt("SELECT count(*) AS n FROM heartbeats WHERE org_id = $1", params![self.org])
            .await?;
        row.map_or(Ok(0), |r| r.count("n"))
    }

    /// Makes a heartbeat, or changes what is declared of it; state and history stay. `true` when it was made.
    /// Whoever changes one recomputes its deadline in the same transaction, with [`lock`] and [`save`].
    pub async fn put_heartbeat(
        &self,
        tx: &mut Tx,
        new: &NewHeartbeat,
        now: Timestamp,
    ) -> Result<(Id, bool), StoreError> {
        put(tx, self.org, new, now).await
    }

    /// Removes a heartbeat with its history. An open incident of it is closed by whoever calls this.
    pub async fn delete_heartbeat(&self, tx: &mut Tx, id: Id) -> Result<(), StoreError> {
        let gone =
            tx.execute("DELETE FROM heartbeats WHERE org_id = $1 AND id = $2", params![self.org, id]).await?;
        if gone == 0 {
            return Err(StoreError::Missing { what: "heartbeat" });
        }
        tx.execute(
            "DELETE FROM heartbeat_pings WHERE org_id = $1 AND heartbeat_id = $2",
            params![self.org, id],
        )
        .await?;
        tx.execute(
            "DELETE FROM heartbeat_flips WHERE org_id = $1 AND heartbeat_id = $2",
            params![self.org, id],
        )
        .await?;
        Ok(())
    }

    /// The newest pings of a heartbeat, newest first; `before` is the number of a ping.
    pub async fn heartbeat_pings(
        &self,
        id: Id,
        before: Option<u64>,
        limit: u32,
    ) -> Result<Vec<PingRow>, StoreError> {
        let rows = self
            .store
            .query(
                "SELECT heartbeat_id, n, at_us, kind, method, agent, address, body, rid, exit_status, duration_us
                 FROM heartbeat_pings WHERE org_id = $1 AND heartbeat_id = $2 AND n < $3 ORDER BY n DESC LIMIT $4",
                params![self.org, id, before.map_or(i64::MAX, |n| i64::try_from(n).unwrap_or(i64::MAX)), limit],
            )
            .await?;
        rows.iter().map(PingRow::of).collect()
    }

    /// The newest changes of a heartbeat's status, newest first.
    pub async fn heartbeat_flips(&self, id: Id, limit: u32) -> Result<Vec<FlipRow>, StoreError> {
        let rows = self
            .store
            .query(
                "SELECT id, heartbeat_id, at_us, before, after, reason FROM heartbeat_flips
                 WHERE org_id = $1 AND heartbeat_id = $2 ORDER BY at_us DESC, id DESC LIMIT $3",
                params![self.org, id, limit],
            )
            .await?;
        rows.iter().map(FlipRow::of).collect()
    }

    /// The key of ping URLs by slug; made when there is none yet.
    pub async fn ping_key(&self, now: Timestamp) -> Result<String, StoreError> {
        let mut tx = self.store.begin().await?;
        tx.execute(
            "INSERT INTO ping_keys (org_id, key, created_us) VALUES ($1, $2, $3) ON CONFLICT (org_id) DO NOTHING",
            params![self.org, fresh_key()?, now],
        )
        .await?;
        let row = tx.query_opt("SELECT key FROM ping_keys WHERE org_id = $1", params![self.org]).await?;
        tx.commit().await?;
        row.ok_or(StoreError::Missing { what: "ping key" })?.text("key")
    }

    /// Replaces the ping key: URLs with the old one no longer work.
    pub async fn rotate_ping_key(&self, now: Timestamp) -> Result<String, StoreError> {
        let key = fresh_key()?;
        self.store
            .execute(
                "INSERT INTO ping_keys (org_id, key, created_us) VALUES ($1, $2, $3)
                 ON CONFLICT (org_id) DO UPDATE SET key = $2, created_us = $3",
                params![self.org, key.as_str(), now],
            )
            .await?;
        Ok(key)
    }
}

/// 26 characters of 5 bits each: 130 bits, and never of the form of a UUID.
fn fresh_key() -> Result<String, StoreError> {
    const ALPHABET: &[u8; 32] = b"abcdefghijkmnopqrstuvwxyz2345679";
    let mut random = [0u8; 26];
    getrandom::fill(&mut random).map_err(|e| StoreError::failed(format!("no randomness: {e}")))?;
    Ok(random.iter().map(|b| char::from(ALPHABET[usize::from(b % 32)])).collect())
}

/// Makes a heartbeat or changes what is declared of it. `true` when it was made.
///
/// # Errors
/// When the database fails; likewise for all that follow.
pub async fn put(
    tx: &mut Tx,
    org: OrgId,
    new: &NewHeartbeat,
    now: Timestamp,
) -> Result<(Id, bool), StoreError> {
    let id = Id::new();
    let rows = tx
        .query(
            "INSERT INTO heartbeats (id, org_id, external_id, slug, name, spec, origin, status, state, alert_after_us, created_us, updated_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7, 'new', $8, $9, $10, $10)
             ON CONFLICT (org_id, external_id) DO UPDATE SET slug = $4, name = $5, spec = $6, origin = $7, updated_us = $10
             RETURNING id",
            params![
                id,
                org,
                new.external_id.as_str(),
                new.slug.as_str(),
                new.name.as_str(),
                new.spec.as_str(),
                new.origin.as_str(),
                new.state.as_str(),
                new.alert_after,
                now
            ],
        )
        .await?;
    let stored = rows.first().ok_or(StoreError::Missing { what: "heartbeat" })?.id("id")?;
    Ok((stored, stored == id))
}

/// Locks heartbeats until the end of the transaction, in the order of their ids so that two lockers never wait for each
/// other. Ids that do not exist are left out.
pub async fn lock(store: &Store, tx: &mut Tx, ids: &[Id]) -> Result<Vec<HeartbeatRow>, StoreError> {
    let mut ids: Vec<String> = ids.iter().map(Id::to_string).collect();
    ids.sort_unstable();
    ids.dedup();
    let mut found = Vec::with_capacity(ids.len());
    for chunk in ids.chunks(64) {
        // Padded to a few lengths, so that few statements are prepared.
        let places = if chunk.len() == 1 { 1 } else { chunk.len().next_power_of_two() };
        let names: Vec<String> = (1..=places).map(|i| format!("${i}")).collect();
        let values: Vec<Value> =
            (0..places).map(|i| Value::from(chunk[i.min(chunk.len() - 1)].as_str())).collect();
        let sql = format!(
            "SELECT {COLUMNS} FROM heartbeats WHERE id IN ({}) ORDER BY id {}",
            names.join(", "),
            store.for_update()
        );
        for row in tx.query(&sql, &values).await? {
            found.push(HeartbeatRow::of(&row)?);
        }
    }
    Ok(found)
}

/// Which organisation a ping key belongs to.
pub async fn org_of_key(tx: &mut Tx, key: &str) -> Result<Option<OrgId>, StoreError> {
    let row = tx.query_opt("SELECT org_id FROM ping_keys WHERE key = $1", params![key]).await?;
    row.map(|r| r.org("org_id")).transpose()
}

/// The heartbeats of this slug, at most two: more than one makes a URL ambiguous.
pub async fn by_slug(tx: &mut Tx, org: OrgId, slug: &str) -> Result<Vec<Id>, StoreError> {
    let rows = tx
        .query(
            "SELECT id FROM heartbeats WHERE org_id = $1 AND slug = $2 ORDER BY id LIMIT 2",
            params![org, slug],
        )
        .await?;
    rows.iter().map(|r| r.id("id")).collect()
}

/// How many heartbeats an organisation has.
pub async fn count(tx: &mut Tx, org: OrgId) -> Result<u64, StoreError> {
    let row = tx.query_opt("SELECT count(*) AS n FROM heartbeats WHERE org_id = $1", params![org]).await?;
    row.map_or(Ok(0), |r| r.count("n"))
}

/// Writes the state of a locked heartbeat back.
pub async fn save(tx: &mut Tx, row: &HeartbeatRow) -> Result<(), StoreError> {
    tx.execute(
        "UPDATE heartbeats SET status = $2, state = $3, pings = $4, last_ping_us = $5, alert_after_us = $6, incident_id = $7
         WHERE id = $1",
        params![
            row.id,
            row.status.as_str(),
            row.state.as_str(),
            row.pings,
            row.last_ping,
            row.alert_after,
            row.incident
        ],
    )
    .await?;
    Ok(())
}

/// Keeps pings.
pub async fn insert_pings(tx: &mut Tx, pings: &[(OrgId, PingRow)]) -> Result<(), StoreError> {
    const WIDTH: usize = 12;
    let mut rest = pings;
    while !rest.is_empty() {
        // Two lengths of statement: many at once, and one by one for what is left.
        let take = if rest.len() >= 16 { 16 } else { 1 };
        let (chunk, tail) = rest.split_at(take);
        rest = tail;
        let rows: Vec<String> = (0..take)
            .map(|r| {
                let places: Vec<String> = (1..=WIDTH).map(|c| format!("${}", r * WIDTH + c)).collect();
                format!("({})", places.join(", "))
            })
            .collect();
        let mut values = Vec::with_capacity(take * WIDTH);
        for (org, ping) in chunk {
            values.extend([
                Value::from(ping.heartbeat),
                ping.n.into(),
                (*org).into(),
                ping.at.into(),
                ping.kind.as_str().into(),
                ping.method.as_str().into(),
                ping.agent.clone().into(),
                ping.address.clone().into(),
                ping.body.clone().into(),
                ping.rid.clone().into(),
                ping.exit_status.map(i32::from).into(),
                ping.duration_us.into(),
            ]);
        }
        let sql = format!(
            "INSERT INTO heartbeat_pings (heartbeat_id, n, org_id, at_us, kind, method, agent, address, body, rid, exit_status, duration_us) VALUES {}",
            rows.join(", ")
        );
        tx.execute(&sql, &values).await?;
    }
    Ok(())
}

/// Keeps a change of status.
pub async fn insert_flip(tx: &mut Tx, org: OrgId, flip: &FlipRow) -> Result<(), StoreError> {
    tx.execute(
        "INSERT INTO heartbeat_flips (id, heartbeat_id, org_id, at_us, before, after, reason) VALUES ($1, $2, $3, $4, $5, $6, $7)",
        params![
            flip.id,
            flip.heartbeat,
            org,
            flip.at,
            flip.before.as_str(),
            flip.after.as_str(),
            flip.reason.as_str()
        ],
    )
    .await?;
    Ok(())
}

/// Heartbeats whose deadline has passed, the most overdue first.
pub async fn due(store: &Store, now: Timestamp, limit: u32) -> Result<Vec<Id>, StoreError> {
    let rows = store
        .query(
            "SELECT id FROM heartbeats WHERE alert_after_us IS NOT NULL AND alert_after_us < $1
             ORDER BY alert_after_us LIMIT $2",
            params![now, limit],
        )
        .await?;
    rows.iter().map(|r| r.id("id")).collect()
}

/// Removes all but the newest `keep` pings of a heartbeat.
pub async fn prune_pings(tx: &mut Tx, id: Id, newest: u64, keep: u64) -> Result<u64, StoreError> {
    tx.execute(
        "DELETE FROM heartbeat_pings WHERE heartbeat_id = $1 AND n <= $2",
        params![id, newest.saturating_sub(keep)],
    )
    .await
}

/// Specifications of an organisation's maintenance windows, as JSON.
pub async fn window_specs(tx: &mut Tx, org: OrgId) -> Result<Vec<String>, StoreError> {
    let rows = tx.query("SELECT spec FROM windows WHERE org_id = $1 ORDER BY id", params![org]).await?;
    rows.iter().map(|r| r.text("spec")).collect()
}

/// An enabled channel.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listener {
    /// Its id.
    pub id: Id,
    /// The name under which configuration files know it.
    pub external_id: String,
    /// `webhook`, `email`, …
    pub kind: String,
}

/// The organisation's name, and its enabled channels.
pub async fn audience(tx: &mut Tx, org: OrgId) -> Result<(String, Vec<Listener>), StoreError> {
    let name = tx.query_opt("SELECT name FROM orgs WHERE id = $1", params![org]).await?;
    let name = name.ok_or(StoreError::Missing { what: "organisation" })?.text("name")?;
    let rows = tx
        .query(
            "SELECT id, external_id, kind FROM channels WHERE org_id = $1 AND enabled = 1 ORDER BY id",
            params![org],
        )
        .await?;
    let listener = |r: &Row| {
        Ok(Listener { id: r.id("id")?, external_id: r.text("external_id")?, kind: r.text("kind")? })
    };
    Ok((name, rows.iter().map(listener).collect::<Result<_, StoreError>>()?))
}

/// Makes a heartbeat of this slug for a ping that asked for it. Its external id is the slug, or begins with it when that
/// is taken by another one.
pub async fn provision(
    tx: &mut Tx,
    org: OrgId,
    slug: &str,
    spec: &impl serde::Serialize,
    state: &impl serde::Serialize,
    now: Timestamp,
) -> Result<Id, StoreError> {
    let id = Id::new();
    for external_id in [slug.to_owned(), format!("{slug}-{}", id.0.simple())] {
        let made = tx
            .execute(
                "INSERT INTO heartbeats (id, org_id, external_id, slug, name, spec, origin, status, state, created_us, updated_us)
                 VALUES ($1, $2, $3, $4, $4, $5, 'api', 'new', $6, $7, $7) ON CONFLICT (org_id, external_id) DO NOTHING",
                params![id, org, external_id, slug, crate::json(spec), crate::json(state), now],
            )
            .await?;
        if made == 1 {
            return Ok(id);
        }
        // Another server may have made it a moment ago.
        if let Some(there) = by_slug(tx, org, slug).await?.first() {
            return Ok(*there);
        }
    }
    Err(StoreError::Conflict)
}
