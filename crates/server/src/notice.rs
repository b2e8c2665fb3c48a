//! Messages of the server itself: a payment, a ticket. They leave through the outbox like every other message.

use jiff::Timestamp;
use landfall_notify::outbox::{self, Letter};
use landfall_notify::{Event, Message};
use landfall_store::{Id, OrgId, StoreError, Tx, params};

/// One notice.
pub(crate) struct Notice<'a> {
    /// Whom it concerns.
    pub(crate) org: OrgId,
    /// What makes it this notice and no other: `billing/in_1/day-7`.
    pub(crate) key: &'a str,
    /// One line.
    pub(crate) headline: String,
    /// Further lines.
    pub(crate) notes: Vec<String>,
    /// What to do, a line each.
    pub(crate) actions: Vec<String>,
    /// Where to read on.
    pub(crate) link: Option<String>,
    /// The address that it is mailed to, besides the organisation's channels.
    pub(crate) mail_to: Option<String>,
    /// Whether the organisation's channels hear of it too.
    pub(crate) channels: bool,
}

/// Writes a notice into the outbox, in the transaction that makes it true: to the mail address, when there is one, and to
/// the organisation's channels. Returns to how many it goes; with the same key again it goes to none.
///
/// # Errors
/// When the database fails.
pub(crate) async fn send(tx: &mut Tx, notice: &Notice<'_>, now: Timestamp) -> Result<u64, StoreError> {
    let org = tx.query_opt("SELECT name FROM orgs WHERE id = $1", params![notice.org]).await?;
    let message = Message {
        event: Event::Notice,
        organisation: org.map(|r| r.text("name")).transpose()?.unwrap_or_default(),
        headline: notice.headline.clone(),
        incident: None,
        monitors: Vec::new(),
        monitor_count: 0,
        cause: None,
        rivals: Vec::new(),
        changes: Vec::new(),
        actions: notice.actions.clone(),
        notes: notice.notes.clone(),
        link: notice.link.clone(),
        at: now,
    };
    let mut written = 0;
    if let Some(address) = &notice.mail_to {
        let to = std::slice::from_ref(address);
        let mailed = outbox::enqueue_mail(tx, notice.org, to, notice.key, notice.key, &message, now).await?;
        written += u64::from(mailed);
    }
    let mut to: Vec<Id> = Vec::new();
    if notice.channels {
        let rows = tx
            .query(
                "SELECT id FROM channels WHERE org_id = $1 AND enabled = 1 ORDER BY id LIMIT 100",
                params![notice.org],
            )
            .await?;
        for row in &rows {
            to.push(row.id("id")?);
        }
    }
    for channel in to {
        let letter = Letter {
            org: notice.org,
            channel: Some(channel),
            subject: notice.key,
            key: notice.key,
            message: &message,
        };
        written += u64::from(outbox::enqueue(tx, &letter, now).await?);
    }
    Ok(written)
}
