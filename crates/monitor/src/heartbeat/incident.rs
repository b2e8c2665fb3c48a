//! A heartbeat that goes down or comes back: the incident and the letters, in the transaction of the flip.

use jiff::Timestamp;
use landfall_notify::outbox::{self, Letter};
use landfall_notify::{Event, IncidentRef, Message, MonitorRef};
use landfall_store::heartbeats::{self, HeartbeatRow};
use landfall_store::{Id, StoreError, Tx, params};

use super::core::{Flip, Status, Why};
use super::spec::HeartbeatSpec;
use crate::incident::note;

/// Opens or resolves the incident of a heartbeat and writes the letters, for a flip that is news. The row's `incident` is
/// set; whoever calls this saves the row in the same transaction. `base` is the server's public URL, for links.
///
/// # Errors
/// When the database fails.
pub async fn told(
    tx: &mut Tx,
    row: &mut HeartbeatRow,
    spec: &HeartbeatSpec,
    flip: &Flip,
    now: Timestamp,
    base: &str,
) -> Result<(), StoreError> {
    if !flip.is_news() {
        return Ok(());
    }
    match flip.after {
        Status::Down if row.incident.is_none() => opened(tx, row, spec, flip, now, base).await,
        Status::Up => resolved(tx, row, spec, flip, now, base).await,
        _ => Ok(()),
    }
}

fn what(name: &str, why: Why) -> String {
    match why {
        Why::Overdue => format!("heartbeat {name} is overdue"),
        Why::RunTooLong => format!("heartbeat {name} began a run that does not end"),
        Why::NeverPinged => format!("heartbeat {name} was never pinged"),
        Why::Failed | Why::Pinged => format!("heartbeat {name} reported a failure"),
    }
}

fn say(row: &HeartbeatRow, why: Why) -> String {
    let last = row
        .last_ping
        .map_or_else(|| "never".to_owned(), |at| at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string());
    match why {
        Why::Overdue => format!("no ping came in time; the last one came {last}"),
        Why::RunTooLong => {
            format!("a run started and did not report its end in time; the last end came {last}")
        }
        Why::NeverPinged => "no ping has come since it was made".to_owned(),
        Why::Failed | Why::Pinged => "the job reported that it failed".to_owned(),
    }
}

async fn opened(
    tx: &mut Tx,
    row: &mut HeartbeatRow,
    spec: &HeartbeatSpec,
    flip: &Flip,
    now: Timestamp,
    base: &str,
) -> Result<(), StoreError> {
    let incident = Id::new();
    let title = what(&row.name, flip.why);
    let say = say(row, flip.why);
    tx.execute(
        "INSERT INTO incidents (id, org_id, status, severity, title, scope, diagnosis, began_us, confirmed_us, alerted_us)
         VALUES ($1, $2, 'open', 'high', $3, $4, $5, $6, $7, $7)",
        params![
            incident,
            row.org,
            title.as_str(),
            // Not its id, which is the secret of its ping URL.
            format!("heartbeat:{}", row.external_id),
            "a heartbeat comes from inside: there is no address to audit",
            flip.at,
            now
        ],
    )
    .await?;
    row.incident = Some(incident);
    note(tx, row.org, incident, flip.at, "confirmed", None, &say).await?;
    let began = IncidentRef {
        id: incident.to_string(),
        title: title.clone(),
        severity: "high".into(),
        began: flip.at,
        ended: None,
    };
    let letter =
        Words { event: Event::Down, headline: format!("DOWN {title}"), say, incident: began, at: flip.at };
    let sent = letter.write(tx, row, spec, now, base).await?;
    note(tx, row.org, incident, now, "alerted", None, &format!("alerted {sent} channel(s)")).await
}

async fn resolved(
    tx: &mut Tx,
    row: &mut HeartbeatRow,
    spec: &HeartbeatSpec,
    flip: &Flip,
    now: Timestamp,
    base: &str,
) -> Result<(), StoreError> {
    let Some(incident) = row.incident.take() else { return Ok(()) };
    let changed = tx
        .query(
            "UPDATE incidents SET status = 'resolved', resolved_us = $3, version = version + 1
             WHERE id = $1 AND org_id = $2 AND resolved_us IS NULL RETURNING title, began_us",
            params![incident, row.org, flip.at],
        )
        .await?;
    let Some(found) = changed.first() else { return Ok(()) };
    let (title, began) = (found.text("title")?, found.time("began_us")?);
    let say = "a ping reported success".to_owned();
    note(tx, row.org, incident, flip.at, "resolved", None, &say).await?;
    let over =
        IncidentRef { id: incident.to_string(), title, severity: "high".into(), began, ended: Some(flip.at) };
    let headline = format!("UP heartbeat {} is back", row.name);
    Words { event: Event::Up, headline, say, incident: over, at: flip.at }
        .write(tx, row, spec, now, base)
        .await
        .map(drop)
}

struct Words {
    event: Event,
    headline: String,
    say: String,
    incident: IncidentRef,
    at: Timestamp,
}

impl Words {
    /// To how many channels.
    async fn write(
        self,
        tx: &mut Tx,
        row: &HeartbeatRow,
        spec: &HeartbeatSpec,
        now: Timestamp,
        base: &str,
    ) -> Result<usize, StoreError> {
        let (organisation, channels) = heartbeats::audience(tx, row.org).await?;
        let subject = format!("incident/{}", self.incident.id);
        let key = format!("{subject}/{}", self.event.word());
        let message = Message {
            event: self.event,
            organisation,
            headline: self.headline,
            link: Some(format!("{}/incidents/{}", base.trim_end_matches('/'), self.incident.id)),
            incident: Some(self.incident),
            monitors: vec![MonitorRef {
                // The id of a heartbeat is the secret of its ping URL, so it is known here by its other name.
                id: row.external_id.clone(),
                name: row.name.clone(),
                target: format!("heartbeat {}", row.slug),
                say: self.say,
            }],
            monitor_count: 1,
            cause: None,
            rivals: Vec::new(),
            changes: Vec::new(),
            actions: Vec::new(),
            notes: Vec::new(),
            at: self.at,
        };
        let mut sent = 0;
        for channel in channels {
            if spec.channels.as_ref().is_some_and(|wanted| !wanted.contains(&channel.external_id)) {
                continue;
            }
            let letter = Letter {
                org: row.org,
                channel: Some(channel.id),
                subject: &subject,
                key: &key,
                message: &message,
            };
            outbox::enqueue(tx, &letter, now).await?;
            sent += 1;
        }
        Ok(sent)
    }
}
