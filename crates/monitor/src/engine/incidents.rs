//! From transitions to incidents: which trouble is one, who is told, and in which order.

use std::collections::HashMap;
use std::sync::Arc;

use jiff::Timestamp;
use landfall_notify::{CauseRef, Event, IncidentRef, Message, MonitorRef};
use landfall_store::watch::{self, IncidentRow};
use landfall_store::{Id, OrgId, StoreError, Tx, params};
use url::Url;

use super::Inner;
use super::apply::Applied;
use super::board::Held;
use super::scheduler::later;
use crate::difference::{Change, difference};
use crate::{Check, CheckResult, Monitor, MonitorSpec, Snapshot, incident};

/// Monitors that one message names; beyond that their number is said.
const NAMED: i64 = 20;

/// The scope of an incident that many hosts share.
pub(super) const STORM: &str = "storm";

/// Joining monitors are told of once in so many seconds for one incident.
const JOINED_EVERY_S: i64 = 600;

/// What the results of one batch brought about.
#[derive(Default)]
pub(super) struct Trouble {
    down: Vec<Down>,
    over: Vec<Over>,
    degraded: Vec<(Arc<Monitor>, Timestamp, String)>,
}

struct Down {
    monitor: Arc<Monitor>,
    began: Timestamp,
    at: Timestamp,
    say: String,
    good: Option<Snapshot>,
    bad: Snapshot,
    capture: Option<Id>,
}

struct Over {
    monitor: Arc<Monitor>,
    incident: Id,
    at: Option<Timestamp>,
    say: String,
}

impl Trouble {
    pub(super) fn down(&mut self, monitor: &Arc<Monitor>, held: &Held, result: &CheckResult) {
        self.down.push(Down {
            monitor: Arc::clone(monitor),
            began: held.state.first_failure.unwrap_or(result.started),
            at: result.started,
            say: result.say.clone(),
            good: held.last_good.clone(),
            bad: result.snapshot.clone(),
            capture: held.first_bad,
        });
    }

    pub(super) fn recovered(&mut self, monitor: &Arc<Monitor>, held: &Held, result: &CheckResult) {
        let Some(incident) = held.incident else { return };
        let say = format!("{} is up again: {}", monitor.spec.name, result.say);
        self.over.push(Over { monitor: Arc::clone(monitor), incident, at: Some(result.started), say });
    }

    pub(super) fn left(&mut self, monitor: &Arc<Monitor>, held: &Held, why: &str) {
        let Some(incident) = held.incident else { return };
        let say = format!("{} is no longer part of it: {why}", monitor.spec.name);
        self.over.push(Over { monitor: Arc::clone(monitor), incident, at: None, say });
    }

    pub(super) fn degraded(&mut self, monitor: &Arc<Monitor>, result: &CheckResult) {
        self.degraded.push((Arc::clone(monitor), result.started, result.say.clone()));
    }
}

/// The host that a check asks; monitors of one host share an incident until the cause says otherwise.
pub(super) fn host(spec: &MonitorSpec) -> String {
    let of_url = |url: &str| {
        Url::parse(url)
            .ok()
            .and_then(|u| u.host_str().map(str::to_ascii_lowercase))
            .unwrap_or_else(|| url.to_owned())
    };
    match &spec.check {
        Check::Http(check) => of_url(&check.url),
        Check::Audit(check) => of_url(&check.url),
        Check::Tcp(check) => check.host.to_ascii_lowercase(),
        Check::Tls(check) => check.host.to_ascii_lowercase(),
        Check::Dns(check) => check.name.trim_end_matches('.').to_ascii_lowercase(),
    }
}

impl Inner {
    /// Writes incidents and letters for what a batch brought about, in its transaction.
    pub(super) async fn incidents(
        &self,
        tx: &mut Tx,
        applied: &mut Applied,
        trouble: Trouble,
    ) -> Result<(), StoreError> {
        let mut by_org: HashMap<OrgId, Vec<Down>> = HashMap::new();
        for down in trouble.down {
            by_org.entry(down.monitor.org).or_default().push(down);
        }
        for (org, downs) in by_org {
            self.went_down(tx, applied, org, downs).await?;
        }
        for over in trouble.over {
            self.is_over(tx, applied, over).await?;
        }
        for (monitor, at, say) in trouble.degraded {
            self.became_degraded(tx, &monitor, at, &say).await?;
        }
        Ok(())
    }

    async fn went_down(
        &self,
        tx: &mut Tx,
        applied: &mut Applied,
        org: OrgId,
        downs: Vec<Down>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let options = &self.parts.options;
        let since = now.checked_sub(options.storm_within).unwrap_or(Timestamp::MIN);
        let recent = watch::confirmed_since(tx, org, since).await?;
        let hosts: std::collections::BTreeSet<String> = downs.iter().map(|d| host(&d.monitor.spec)).collect();
        let storm = recent.len() + hosts.len() > options.storm;
        for down in &downs {
            let host = host(&down.monitor.spec);
            let scope = if storm { STORM.to_owned() } else { format!("host:{host}") };
            let title =
                if storm { "many hosts are down at once".to_owned() } else { format!("{host} is down") };
            let new = IncidentRow {
                id: Id::new(),
                org,
                status: "confirming".into(),
                severity: "high".into(),
                title,
                scope,
                diagnosis: "diagnosing".into(),
                cause_id: None,
                began: down.began,
                confirmed: now,
                alert_due: Some(later(now, options.diagnose_within)),
                alerted: None,
                resolved: None,
            };
            let (row, is_new) = watch::open_incident(&self.parts.store, tx, &new).await?;
            let joined = watch::join_incident(tx, org, row.id, down.monitor.id, now).await?;
            applied.set_incident(tx, down.monitor.id, Some(row.id)).await?;
            if let Some(capture) = down.capture {
                tx.execute("UPDATE captures SET incident_id = $2 WHERE id = $1", params![capture, row.id])
                    .await?;
            }
            if is_new {
                self.opened(tx, applied, &row, down).await?;
            } else if joined {
                self.joined(tx, applied, &row, down, now).await?;
            }
        }
        Ok(())
    }

    async fn opened(
        &self,
        tx: &mut Tx,
        applied: &mut Applied,
        row: &IncidentRow,
        down: &Down,
    ) -> Result<(), StoreError> {
        let changes = down.good.as_ref().map(|good| difference(good, &down.bad)).unwrap_or_default();
        if let Some(good) = &down.good {
            let body = serde_json::to_string(good).expect("a snapshot can be written as JSON");
            let at = good.at.unwrap_or(down.began);
            watch::capture(tx, row.org, Some(down.monitor.id), Some(row.id), "last-good", at, &body).await?;
        }
        let stored = serde_json::to_string(&changes).expect("a difference can be written as JSON");
        tx.execute("UPDATE incidents SET difference = $2 WHERE id = $1", params![row.id, stored]).await?;
        let name = &down.monitor.spec.name;
        let first = format!("{name}: first failing check, its evidence is kept");
        incident::note(tx, row.org, row.id, down.began, "first-failure", None, &first).await?;
        let said = match down.monitor.spec.fail_after {
            0 | 1 => format!("{name} failed: {}", down.say),
            times => format!("{name} failed {times} times in a row: {}", down.say),
        };
        incident::note(tx, row.org, row.id, down.at, "confirmed", None, &said).await?;
        applied.new_incidents.push((row.id, row.org));
        let detail = serde_json::json!({ "title": row.title, "monitor": name });
        applied.tell(row.org, "incident", row.id, "opened", detail);
        Ok(())
    }

    async fn joined(
        &self,
        tx: &mut Tx,
        applied: &mut Applied,
        row: &IncidentRow,
        down: &Down,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let say = format!("{} is down as well: {}", down.monitor.spec.name, down.say);
        incident::note(tx, row.org, row.id, now, "joined", None, &say).await?;
        let detail = serde_json::json!({ "title": row.title, "monitor": down.monitor.spec.name });
        applied.tell(row.org, "incident", row.id, "joined", detail);
        if row.alerted.is_some() {
            let bucket = now.as_second().div_euclid(JOINED_EVERY_S);
            let mut message = self.message(tx, row, Event::Joined, now).await?;
            message.headline = format!("{}: {say}", row.title);
            self.send(tx, row, &message, &format!("joined/{bucket}"), now).await?;
        }
        Ok(())
    }

    async fn is_over(&self, tx: &mut Tx, applied: &mut Applied, over: Over) -> Result<(), StoreError> {
        let now = self.now();
        let Some(row) = watch::incident_locked(&self.parts.store, tx, over.incident).await? else {
            return Ok(());
        };
        applied.set_incident(tx, over.monitor.id, None).await?;
        let left = watch::leave_incident(tx, row.id, over.monitor.id, now).await?;
        if row.resolved.is_some() {
            return Ok(());
        }
        incident::note(tx, row.org, row.id, over.at.unwrap_or(now), "left", None, &over.say).await?;
        if left > 0 {
            let detail = serde_json::json!({ "title": row.title, "left": left });
            applied.tell(row.org, "incident", row.id, "left", detail);
            return Ok(());
        }
        tx.execute(
            "UPDATE incidents SET status = 'resolved', resolved_us = $2, version = version + 1 WHERE id = $1",
            params![row.id, now],
        )
        .await?;
        let say = match row.alerted {
            Some(_) => "everything is up again",
            None => "it was over before an alert went out",
        };
        incident::note(tx, row.org, row.id, now, "resolved", None, say).await?;
        applied.tell(row.org, "incident", row.id, "resolved", serde_json::json!({ "title": row.title }));
        if row.alerted.is_some() {
            let row = IncidentRow { resolved: Some(now), ..row };
            let mut message = self.message(tx, &row, Event::Up, now).await?;
            message.headline = format!("UP {}", up_words(&row, &over));
            message.notes.push(format!("It lasted {}.", lasted(row.began, now)));
            self.send(tx, &row, &message, "up", now).await?;
        }
        Ok(())
    }

    async fn became_degraded(
        &self,
        tx: &mut Tx,
        monitor: &Monitor,
        at: Timestamp,
        say: &str,
    ) -> Result<(), StoreError> {
        let message = Message {
            event: Event::Degraded,
            organisation: watch::org_name(tx, monitor.org).await?,
            headline: format!("DEGRADED {}: {say}", monitor.spec.name),
            incident: None,
            monitors: vec![named(monitor.id, &monitor.spec, say.to_owned())],
            monitor_count: 1,
            cause: None,
            rivals: Vec::new(),
            changes: Vec::new(),
            actions: Vec::new(),
            notes: Vec::new(),
            link: Some(format!("{}/monitors/{}", self.parts.options.public_url, monitor.id)),
            at,
        };
        let subject = format!("monitor/{}", monitor.id);
        let key = format!("{subject}/degraded/{}", at.as_microsecond());
        landfall_notify::outbox::enqueue_for(
            tx,
            monitor.org,
            monitor.spec.channels.as_deref(),
            &subject,
            &key,
            &message,
            self.now(),
        )
        .await?;
        Ok(())
    }

    /// A message about an incident, with what the database knows of it.
    pub(super) async fn message(
        &self,
        tx: &mut Tx,
        row: &IncidentRow,
        event: Event,
        at: Timestamp,
    ) -> Result<Message, StoreError> {
        let members = watch::incident_members(tx, row.id, NAMED).await?;
        let count = watch::incident_size(tx, row.id).await?;
        let monitors = members
            .iter()
            .filter_map(|(id, spec, say)| {
                let spec: MonitorSpec = serde_json::from_str(spec).ok()?;
                Some(named(*id, &spec, say.clone().unwrap_or_default()))
            })
            .collect();
        let difference =
            tx.query_opt("SELECT difference FROM incidents WHERE id = $1", params![row.id]).await?;
        let changes: Vec<Change> = match difference {
            Some(found) => found.opt_json("difference")?.unwrap_or_default(),
            None => Vec::new(),
        };
        Ok(Message {
            event,
            organisation: watch::org_name(tx, row.org).await?,
            headline: String::new(),
            incident: Some(IncidentRef {
                id: row.id.to_string(),
                title: row.title.clone(),
                severity: row.severity.clone(),
                began: row.began,
                ended: row.resolved,
            }),
            monitors,
            monitor_count: u32::try_from(count).unwrap_or(u32::MAX),
            cause: None,
            rivals: Vec::new(),
            changes: changes.iter().take(8).map(change_words).collect(),
            actions: Vec::new(),
            notes: Vec::new(),
            link: Some(format!("{}/incidents/{}", self.parts.options.public_url, row.id)),
            at,
        })
    }

    /// Writes a message about an incident to the channels of its monitors. `what` makes it this one and no other.
    pub(super) async fn send(
        &self,
        tx: &mut Tx,
        row: &IncidentRow,
        message: &Message,
        what: &str,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        // Monitors that name no channel speak to all of them.
        let members = watch::incident_members(tx, row.id, 1_000).await?;
        let mut names: Option<Vec<String>> = Some(Vec::new());
        for (_, spec, _) in &members {
            let Ok(spec) = serde_json::from_str::<MonitorSpec>(spec) else { continue };
            match (spec.channels, &mut names) {
                (None, names) => *names = None,
                (Some(some), Some(names)) => names.extend(some),
                (Some(_), None) => {}
            }
        }
        let subject = format!("incident/{}", row.id);
        let key = format!("{subject}/{what}");
        landfall_notify::outbox::enqueue_for(tx, row.org, names.as_deref(), &subject, &key, message, now)
            .await?;
        Ok(())
    }
}

/// The headline of an alert: what, and why when it is known; else what the first monitor saw.
pub(super) fn headline(
    row: &IncidentRow,
    count: u32,
    cause: Option<&CauseRef>,
    symptom: Option<&str>,
) -> String {
    let what = row.title.strip_suffix(" is down").unwrap_or(&row.title);
    let more = if count > 1 { format!(" ({count} monitors)") } else { String::new() };
    match (cause, symptom) {
        (Some(cause), _) => {
            format!("DOWN {what}{more}: {} ({}, {:.0} %)", cause.title, cause.label, cause.confidence * 100.0)
        }
        (None, Some(symptom)) => format!("DOWN {what}{more}: {symptom}"),
        (None, None) => format!("DOWN {what}{more}"),
    }
}

fn up_words(row: &IncidentRow, over: &Over) -> String {
    match over.at {
        Some(_) => row.title.strip_suffix(" is down").unwrap_or(&row.title).to_owned(),
        None => over.say.clone(),
    }
}

fn change_words(change: &Change) -> String {
    match (&change.before, &change.after) {
        (Some(before), Some(after)) => format!("{}: {before} → {after}", change.what),
        (Some(before), None) => format!("{}: {before} → gone", change.what),
        (None, Some(after)) => format!("{}: new, {after}", change.what),
        (None, None) => change.what.clone(),
    }
}

fn named(id: Id, spec: &MonitorSpec, say: String) -> MonitorRef {
    MonitorRef { id: id.to_string(), name: spec.name.clone(), target: spec.target_words(), say }
}

/// A duration for people, to the two largest units.
pub(super) fn lasted(from: Timestamp, to: Timestamp) -> String {
    let s = to.duration_since(from).as_secs().max(0);
    match s {
        0..60 => format!("{s} s"),
        60..3_600 => format!("{} min {} s", s / 60, s % 60),
        3_600..86_400 => format!("{} h {} min", s / 3_600, s % 3_600 / 60),
        _ => format!("{} d {} h", s / 86_400, s % 86_400 / 3_600),
    }
}
