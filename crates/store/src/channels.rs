//! Channels of an organisation, and what became of the letters that went through them.

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::{Id, Page, Row, StoreError, Tenant, json, params};

/// What stands in place of a secret wherever a channel is shown. Whoever sends it back keeps the stored secret.
pub const MASK: &str = "********";

/// A channel as it is stored. [`Self::config`] holds secrets: it goes to the channel itself and nowhere else.
#[derive(Clone, PartialEq)]
pub struct Channel {
    /// Its id.
    pub id: Id,
    /// The name under which configuration files know it.
    pub external_id: String,
    /// Its name for people.
    pub name: String,
    /// `webhook`, `email`, `slack`, `telegram`, `whatsapp`, `pagerduty`.
    pub kind: String,
    /// Its settings, secrets included.
    pub config: Json,
    /// Whether it is used.
    pub enabled: bool,
    /// `file` when a configuration file owns it, else `api`.
    pub origin: String,
    /// When it was made.
    pub created: Timestamp,
    /// When it was last changed.
    pub updated: Timestamp,
    /// When it last delivered something.
    pub last_delivered: Option<Timestamp>,
    /// The last failure since then.
    pub last_error: Option<String>,
}

impl std::fmt::Debug for Channel {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Channel")
            .field("id", &self.id)
            .field("external_id", &self.external_id)
            .field("kind", &self.kind)
            .field("enabled", &self.enabled)
            .finish_non_exhaustive()
    }
}

/// A channel as somebody declares it.
#[derive(Clone, PartialEq)]
pub struct ChannelPut<'a> {
    /// The name under which configuration files know it; it does not change.
    pub external_id: &'a str,
    /// Its name for people.
    pub name: &'a str,
    /// Its kind.
    pub kind: &'a str,
    /// Its settings with their secrets. A secret that is [`MASK`] keeps what is stored.
    pub config: &'a Json,
    /// Whether it is used.
    pub enabled: bool,
    /// `file` or `api`.
    pub origin: &'a str,
}

/// One attempt to deliver a letter.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// Its id.
    pub id: Id,
    /// The letter.
    pub letter: Id,
    /// The channel; `None` for a letter of the server itself.
    pub channel: Option<Id>,
    /// What the letter says in one line.
    pub headline: String,
    /// When the attempt began.
    pub at: Timestamp,
    /// How long it took, in microseconds.
    pub took_us: i64,
    /// `delivered`, `retry`, `refused`.
    pub outcome: String,
    /// The status that the receiver answered with, of HTTP or SMTP.
    pub status: Option<i64>,
    /// In words.
    pub say: String,
}

/// One letter in the outbox, without its text.
#[derive(Debug, Clone, PartialEq)]
pub struct OutboxLetter {
    /// Its id.
    pub id: Id,
    /// The channel; `None` for a letter of the server itself.
    pub channel: Option<Id>,
    /// Its idempotency key.
    pub key: String,
    /// What it is about.
    pub subject: String,
    /// What it says in one line.
    pub headline: String,
    /// `pending`, `delivered`, `dead`, `skipped`.
    pub state: String,
    /// Attempts so far.
    pub attempts: u64,
    /// When it was written.
    pub created: Timestamp,
    /// When it is tried next, while it is pending.
    pub next: Timestamp,
    /// When it was delivered.
    pub delivered: Option<Timestamp>,
    /// What went wrong last.
    pub last_error: Option<String>,
}

const CHANNEL: &str =
    "SELECT c.id, c.external_id, c.name, c.kind, c.config, c.enabled, c.origin, c.created_us, c.updated_us,
    s.last_delivered_us, s.last_error
    FROM channels c LEFT JOIN channel_states s ON s.channel_id = c.id AND s.org_id = c.org_id";

impl Channel {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id("id")?,
            external_id: row.text("external_id")?,
            name: row.text("name")?,
            kind: row.text("kind")?,
            config: row.json("config")?,
            enabled: row.flag("enabled")?,
            origin: row.text("origin")?,
            created: row.time("created_us")?,
            updated: row.time("updated_us")?,
            last_delivered: row.opt_time("last_delivered_us")?,
            last_error: row.opt_text("last_error")?,
        })
    }
}

impl Delivery {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id("id")?,
            letter: row.id("outbox_id")?,
            channel: row.opt_id("channel_id")?,
            headline: headline(row)?,
            at: row.time("at_us")?,
            took_us: row.int("took_us")?,
            outcome: row.text("outcome")?,
            status: row.opt_int("status")?,
            say: row.text("say")?,
        })
    }
}

impl OutboxLetter {
    fn of(row: &Row) -> Result<Self, StoreError> {
        Ok(Self {
            id: row.id("id")?,
            channel: row.opt_id("channel_id")?,
            key: row.text("key")?,
            subject: row.text("subject")?,
            headline: headline(row)?,
            state: row.text("state")?,
            attempts: row.count("attempts")?,
            created: row.time("created_us")?,
            next: row.time("next_us")?,
            delivered: row.opt_time("delivered_us")?,
            last_error: row.opt_text("last_error")?,
        })
    }
}

/// The headline out of a stored message; the letter may have been swept away meanwhile.
fn headline(row: &Row) -> Result<String, StoreError> {
    let payload = row.opt_text("payload")?.and_then(|t| serde_json::from_str::<Json>(&t).ok());
    Ok(payload.and_then(|p| p.get("headline").and_then(Json::as_str).map(str::to_owned)).unwrap_or_default())
}

/// Puts stored secrets back where `new` holds [`MASK`]. Where nothing is stored under the same path the mask stays.
pub fn unmask(new: &mut Json, stored: &Json) {
    match (new, stored) {
        (Json::String(text), Json::String(kept)) if text == MASK => text.clone_from(kept),
        (Json::Object(new), Json::Object(stored)) => {
            for (key, value) in new {
                if let Some(kept) = stored.get(key) {
                    unmask(value, kept);
                }
            }
        }
        (Json::Array(new), Json::Array(stored)) => {
            for (value, kept) in new.iter_mut().zip(stored) {
                unmask(value, kept);
            }
        }
        _ => {}
    }
}

impl Tenant {
    /// Channels in the order of their making.
    ///
    /// # Errors
    /// When the database fails; likewise for all that follow. The last of a full page has a successor when one more
    /// than `page.limit` comes back.
    pub async fn channels(&self, page: Page) -> Result<Vec<Channel>, StoreError> {
        let sql = format!("{CHANNEL} WHERE c.org_id = $1 AND c.id > $2 ORDER BY c.id LIMIT $3");
        let after = page.after.map(|a| a.to_string()).unwrap_or_default();
        let rows = self.store.query(&sql, params![self.org, after, page.fetch()]).await?;
        rows.iter().map(Channel::of).collect()
    }

    /// One channel.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the organisation has no such channel.
    pub async fn channel(&self, id: Id) -> Result<Channel, StoreError> {
        let sql = format!("{CHANNEL} WHERE c.org_id = $1 AND c.id = $2");
        let row = self.store.query_opt(&sql, params![self.org, id]).await?;
        row.as_ref().map(Channel::of).transpose()?.ok_or(StoreError::Missing { what: "channel" })
    }

    /// One channel by its external id, or none.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn channel_named(&self, external_id: &str) -> Result<Option<Channel>, StoreError> {
        let sql = format!("{CHANNEL} WHERE c.org_id = $1 AND c.external_id = $2");
        let row = self.store.query_opt(&sql, params![self.org, external_id]).await?;
        row.as_ref().map(Channel::of).transpose()
    }

    /// Makes a channel, or changes the one of the same external id; its id stays. `true` when it was made.
    ///
    /// Secrets that come as [`MASK`] keep their stored value, as long as the kind stays the same.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn put_channel(
        &self,
        put: &ChannelPut<'_>,
        now: Timestamp,
    ) -> Result<(Channel, bool), StoreError> {
        let mut tx = self.store.begin().await?;
        let sql = format!(
            "SELECT id, kind, config FROM channels WHERE org_id = $1 AND external_id = $2 {}",
            self.store.for_update()
        );
        let known = tx.query_opt(&sql, params![self.org, put.external_id]).await?;
        let mut config = put.config.clone();
        if let Some(row) = &known
            && row.text("kind")? == put.kind
        {
            unmask(&mut config, &row.json("config")?);
        }
        tx.execute(
            "INSERT INTO channels (id, org_id, external_id, name, kind, config, enabled, origin, created_us, updated_us)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $9)
             ON CONFLICT (org_id, external_id) DO UPDATE
             SET name = $4, kind = $5, config = $6, enabled = $7, origin = $8, updated_us = $9",
            params![
                Id::new(),
                self.org,
                put.external_id,
                put.name,
                put.kind,
                json(&config),
                put.enabled,
                put.origin,
                now
            ],
        )
        .await?;
        tx.commit().await?;
        let made = known.is_none();
        let channel = self.channel_named(put.external_id).await?;
        Ok((channel.ok_or(StoreError::Missing { what: "channel" })?, made))
    }

    /// Switches a channel on or off.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the organisation has no such channel.
    pub async fn enable_channel(&self, id: Id, enabled: bool, now: Timestamp) -> Result<(), StoreError> {
        let changed = self
            .store
            .execute(
                "UPDATE channels SET enabled = $3, updated_us = $4 WHERE org_id = $1 AND id = $2",
                params![self.org, id, enabled, now],
            )
            .await?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Missing { what: "channel" }) }
    }

    /// Removes a channel. Its letters that are still waiting end as `dead` when the worker comes to them; the log of
    /// its deliveries stays.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the organisation has no such channel.
    pub async fn delete_channel(&self, id: Id) -> Result<(), StoreError> {
        let mut tx = self.store.begin().await?;
        let gone =
            tx.execute("DELETE FROM channels WHERE org_id = $1 AND id = $2", params![self.org, id]).await?;
        if gone == 0 {
            return Err(StoreError::Missing { what: "channel" });
        }
        tx.execute("DELETE FROM channel_states WHERE org_id = $1 AND channel_id = $2", params![self.org, id])
            .await?;
        tx.commit().await
    }

    /// Attempts, newest first, of one channel or of all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn deliveries(&self, channel: Option<Id>, page: Page) -> Result<Vec<Delivery>, StoreError> {
        const WHAT: &str = "SELECT d.id, d.outbox_id, d.channel_id, d.at_us, d.took_us, d.outcome, d.status, d.say, o.payload
             FROM deliveries d LEFT JOIN outbox o ON o.id = d.outbox_id AND o.org_id = d.org_id
             WHERE d.org_id = $1 AND d.id < $2";
        let rows = match channel {
            Some(channel) => {
                let sql = format!("{WHAT} AND d.channel_id = $4 ORDER BY d.id DESC LIMIT $3");
                let params = params![self.org, before(page), page.fetch(), channel];
                self.store.query(&sql, params).await?
            }
            None => {
                let sql = format!("{WHAT} ORDER BY d.id DESC LIMIT $3");
                self.store.query(&sql, params![self.org, before(page), page.fetch()]).await?
            }
        };
        rows.iter().map(Delivery::of).collect()
    }

    /// Letters, newest first, of one state (`pending`, `delivered`, `dead`, `skipped`) or of all.
    ///
    /// # Errors
    /// When the database fails.
    pub async fn outbox(&self, state: Option<&str>, page: Page) -> Result<Vec<OutboxLetter>, StoreError> {
        const WHAT: &str = "SELECT id, channel_id, key, subject, payload, state, attempts, created_us, next_us, delivered_us, last_error
             FROM outbox WHERE org_id = $1 AND id < $2";
        let rows = match state {
            Some(state) => {
                let sql = format!("{WHAT} AND state = $4 ORDER BY id DESC LIMIT $3");
                self.store.query(&sql, params![self.org, before(page), page.fetch(), state]).await?
            }
            None => {
                let sql = format!("{WHAT} ORDER BY id DESC LIMIT $3");
                self.store.query(&sql, params![self.org, before(page), page.fetch()]).await?
            }
        };
        rows.iter().map(OutboxLetter::of).collect()
    }

    /// Puts a dead letter back, to be tried again from now until `give_up`.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the organisation has no such letter, or it is not dead.
    pub async fn revive_letter(&self, id: Id, now: Timestamp, give_up: Timestamp) -> Result<(), StoreError> {
        let changed = self
            .store
            .execute(
                "UPDATE outbox SET state = 'pending', next_us = $3, give_up_us = $4, lease_owner = NULL, lease_until_us = NULL
                 WHERE org_id = $1 AND id = $2 AND state = 'dead'",
                params![self.org, id, now, give_up],
            )
            .await?;
        if changed == 1 { Ok(()) } else { Err(StoreError::Missing { what: "dead letter" }) }
    }
}

/// Ids are hexadecimal, so `g` is beyond all of them.
fn before(page: Page) -> String {
    page.after.map_or_else(|| "g".to_owned(), |a| a.to_string())
}
