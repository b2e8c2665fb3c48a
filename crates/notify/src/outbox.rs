//! The durable outbox.

use std::time::Duration;

use jiff::Timestamp;
use landfall_store::{Id, OrgId, StoreError, Tx, Value, json, params};
use serde::{Deserialize, Serialize};

use crate::Message;

/// How long a message is tried before it is given up, when nobody says otherwise.
pub const GIVE_UP: Duration = Duration::from_secs(24 * 3600);

/// One message to one channel.
#[derive(Debug, Clone, PartialEq)]
pub struct Letter<'a> {
    /// The tenant.
    pub org: OrgId,
    /// The channel; `None` for a message of the server itself, whose recipient the payload names.
    pub channel: Option<Id>,
    /// What it is about: messages of one subject to one channel leave in the order of their [`Event::seq`](crate::Event::seq).
    pub subject: &'a str,
    /// What makes it this message and no other: `incident/<id>/down`. The channel is added to it.
    pub key: &'a str,
    /// The message.
    pub message: &'a Message,
}

/// Writes a message into the outbox, in the transaction that makes it true. `false` when it is there already.
///
/// # Errors
/// When the database fails.
pub async fn enqueue(tx: &mut Tx, letter: &Letter<'_>, now: Timestamp) -> Result<bool, StoreError> {
    write(tx, letter, json(letter.message), now).await
}

async fn write(tx: &mut Tx, letter: &Letter<'_>, payload: Value, now: Timestamp) -> Result<bool, StoreError> {
    let channel = letter.channel.map_or_else(|| "server".to_owned(), |c| c.to_string());
    let key = format!("{}/{channel}", letter.key);
    let give_up = now.checked_add(GIVE_UP).unwrap_or(Timestamp::MAX);
    let params = [
        Value::from(Id::new()),
        letter.org.into(),
        letter.channel.into(),
        key.into(),
        letter.subject.into(),
        letter.message.event.seq().into(),
        payload,
        now.into(),
        give_up.into(),
        letter.message.event.word().into(),
    ];
    let written = tx
        .execute(
            "INSERT INTO outbox (id, org_id, channel_id, key, subject, seq, payload, created_us, next_us, give_up_us, event)
             VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $8, $9, $10) ON CONFLICT (key) DO NOTHING",
            &params,
        )
        .await?;
    Ok(written == 1)
}

/// Writes a message for all channels that shall hear of it, in the transaction that makes it true: those with the
/// external ids of `channels`, or all when that is `None`; channels that are switched off are left out. It gives the
/// channels that were written for; one whose letter is there already is not among them.
///
/// # Errors
/// When the database fails.
pub async fn enqueue_for(
    tx: &mut Tx,
    org: OrgId,
    channels: Option<&[String]>,
    subject: &str,
    key: &str,
    message: &Message,
    now: Timestamp,
) -> Result<Vec<Id>, StoreError> {
    let rows = tx
        .query(
            "SELECT id, external_id FROM channels WHERE org_id = $1 AND enabled = 1 ORDER BY id",
            params![org],
        )
        .await?;
    let mut written = Vec::new();
    for row in rows {
        let name = row.text("external_id")?;
        if channels.is_some_and(|wanted| !wanted.contains(&name)) {
            continue;
        }
        let channel = row.id("id")?;
        if enqueue(tx, &Letter { org, channel: Some(channel), subject, key, message }, now).await? {
            written.push(channel);
        }
    }
    Ok(written)
}

/// Writes a mail of the server itself (an invitation, a summary) to people who need no channel. It leaves by the
/// operator's mail server. `false` when it is there already.
///
/// # Errors
/// When the database fails.
pub async fn enqueue_mail(
    tx: &mut Tx,
    org: OrgId,
    to: &[String],
    subject: &str,
    key: &str,
    message: &Message,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let payload = json(&Mailed { to, message });
    write(tx, &Letter { org, channel: None, subject, key, message }, payload, now).await
}

/// A message with its recipients, for letters without a channel.
#[derive(Serialize)]
struct Mailed<'a> {
    to: &'a [String],
    #[serde(flatten)]
    message: &'a Message,
}

/// The recipients that [`enqueue_mail`] wrote.
#[derive(Deserialize)]
pub(crate) struct Recipients {
    #[serde(default)]
    pub(crate) to: Vec<String>,
}
