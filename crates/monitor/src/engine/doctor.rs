//! Diagnoses incidents by an audit before their alert goes out, releases alerts whose time is up, and makes the audits
//! that somebody asked for.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use landfall_audit::{Event as AuditEvent, Progress};
use landfall_notify::{CauseRef, Event};
use landfall_store::watch::{self, IncidentRow, QueuedReport};
use landfall_store::{Id, OrgId, StoreError, Tx, json, leases, params};
use serde::{Deserialize, Serialize};
use tokio_util::sync::CancellationToken;

use super::Inner;
use super::incidents::{STORM, headline};
use crate::audit::{AuditRequest, Opinion};
use crate::model::AuditTarget;
use crate::{Check, Happened, MonitorSpec, incident};

/// Between two looks for alerts whose time is up, for incidents without a doctor, and for audits that were asked for.
const ROUND: Duration = Duration::from_millis(500);

/// An audit on request may take so long.
const ASKED_WITHIN: Duration = Duration::from_secs(60);

/// An audit that runs for longer than this was left behind by a server that is gone.
const STALE: Duration = Duration::from_secs(180);

/// Tries at writing a conclusion before the incident is left to the next round.
const TRIES: u32 = 20;

pub(super) async fn run(inner: Arc<Inner>, stop: CancellationToken) {
    loop {
        let now = inner.now();
        if let Err(error) = inner.round(now).await {
            tracing::warn!(%error, "incidents cannot be looked after at the moment");
            // The database is away; asking it twice a second does not bring it back.
            tokio::time::sleep(Duration::from_secs(1)).await;
        }
        tokio::select! {
            () = stop.cancelled() => return,
            // Real time: the clock that is injected decides what is due, not how often one looks.
            () = tokio::time::sleep(ROUND) => {}
        }
    }
}

/// What a diagnosis says for people; stored with its incident.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
struct Advice {
    cause: Option<CauseRef>,
    rivals: Vec<String>,
    actions: Vec<String>,
    notes: Vec<String>,
}

impl Advice {
    fn of(audited: Result<&Opinion, &str>, members: usize, storm: bool) -> Self {
        let audited = match audited {
            Ok(audited) => audited,
            Err(why) => return Self { notes: vec![format!("No cause yet: {why}.")], ..Self::default() },
        };
        let mut notes = Vec::new();
        if audited.cause.is_none() {
            notes.push(format!("The audit names no cause. {}", audited.summary));
        }
        if storm && members > 1 {
            notes.push("Many hosts at once: one of them was audited for all.".into());
        }
        Self {
            cause: audited.cause.clone(),
            rivals: audited.rivals.clone(),
            actions: audited.actions.clone(),
            notes,
        }
    }
}

impl Inner {
    async fn round(self: &Arc<Self>, now: Timestamp) -> Result<(), StoreError> {
        let store = &self.parts.store;
        for id in watch::alerts_due(store, now).await? {
            self.release(id, now).await?;
        }
        for id in watch::undiagnosed(store).await? {
            if let Some(org) = watch::incident_org(store, id).await? {
                self.treat(id, org);
            }
        }
        let stale = now.checked_sub(STALE).unwrap_or(Timestamp::MIN);
        while let Ok(permit) = Arc::clone(&self.audits).try_acquire_owned() {
            let Some(asked) = watch::claim_report(store, now, stale).await? else { break };
            let inner = Arc::clone(self);
            self.tasks.spawn(async move {
                let _permit = permit;
                inner.asked(asked).await;
            });
        }
        Ok(())
    }

    /// Starts the diagnosis of an incident, unless it is under way here or on another server.
    pub(super) fn treat(self: &Arc<Self>, id: Id, org: OrgId) {
        {
            let mut treating = self.treating.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
            if treating.insert(id, org).is_some() {
                return;
            }
        }
        let inner = Arc::clone(self);
        self.tasks.spawn(async move {
            if let Err(error) = inner.diagnose(id).await {
                tracing::warn!(incident = %id, %error, "the diagnosis could not be written; it is tried again");
            }
            inner.treating.lock().unwrap_or_else(std::sync::PoisonError::into_inner).remove(&id);
        });
    }

    async fn diagnose(self: &Arc<Self>, id: Id) -> Result<(), StoreError> {
        let (store, options) = (&self.parts.store, &self.parts.options);
        let lease = format!("diagnose/{id}");
        let hold = options.diagnose_within * 2 + options.lease;
        if !leases::hold(store, &lease, &options.owner, self.now(), hold).await? {
            return Ok(());
        }
        let mut tx = store.begin().await?;
        let row = watch::incident_locked(store, &mut tx, id).await?;
        let members = watch::incident_members(&mut tx, id, 200).await?;
        drop(tx);
        let Some(row) = row.filter(|r| r.diagnosis == "diagnosing") else { return Ok(()) };
        let specs: Vec<MonitorSpec> =
            members.iter().filter_map(|(_, spec, _)| serde_json::from_str(spec).ok()).collect();
        // The member that says most of its service speaks for the others.
        let request = specs
            .iter()
            .max_by_key(|spec| {
                let web = matches!(spec.check, Check::Http(_) | Check::Audit(_) | Check::Tls(_));
                (web, spec.audit.origin.is_some(), spec.audit.endpoints.len())
            })
            .map(|spec| AuditRequest { spec: spec.clone(), within: options.diagnose_within, whole: false });
        let audited = match request {
            None => Err("its monitors cannot be read".to_owned()),
            Some(request) => {
                let _permit = self.audits.acquire().await;
                self.step("diagnosing");
                self.parts.auditor.audit(request, Progress::default()).await
            }
        };
        self.step("diagnosed");
        let mut pause = Duration::from_millis(100);
        for _ in 0..TRIES {
            match self.conclude(&row, &audited, members.len()).await {
                Ok(()) => break,
                Err(error) if error.is_transient() || matches!(error, StoreError::Conflict) => {
                    tracing::warn!(incident = %id, %error, "the diagnosis waits for the database");
                    tokio::time::sleep(pause).await;
                    pause = (pause * 2).min(Duration::from_secs(3));
                }
                Err(error) => return Err(error),
            }
        }
        leases::release(store, &lease, &options.owner).await
    }

    /// Writes a diagnosis into its incident, and the alert that waited for it.
    async fn conclude(
        &self,
        row: &IncidentRow,
        audited: &Result<Opinion, String>,
        members: usize,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let store = &self.parts.store;
        let mut tx = store.begin().await?;
        let Some(mut row) =
            watch::incident_locked(store, &mut tx, row.id).await?.filter(|r| r.diagnosis == "diagnosing")
        else {
            return Ok(());
        };
        let cause = audited.as_ref().ok().and_then(|a| a.cause.as_ref());
        let (diagnosis, say) = match (audited, cause) {
            (Ok(_), Some(cause)) => (
                "known".to_owned(),
                format!("{} ({}, {:.0} %)", cause.title, cause.label, cause.confidence * 100.0),
            ),
            (Ok(audited), None) => {
                ("unknown".to_owned(), format!("the audit names no cause: {}", audited.summary))
            }
            (Err(why), _) => (why.clone(), format!("no diagnosis: {why}")),
        };
        let report = match audited {
            Ok(audited) => Some(save_report(&mut tx, &row, audited, now).await?),
            Err(_) => None,
        };
        if let Ok(audited) = audited {
            row.severity = audited.severity.clone().unwrap_or(row.severity);
        }
        row.diagnosis.clone_from(&diagnosis);
        let advice = Advice::of(audited.as_ref().map_err(String::as_str), members, row.scope == STORM);
        row.cause_id = cause.map(|c| c.id.clone());
        tx.execute(
            "UPDATE incidents SET diagnosis = $2, cause_id = $3, cause_title = $4, cause_label = $5, confidence = $6,
               report_id = $7, severity = $8, advice = $9, version = version + 1 WHERE id = $1",
            params![
                row.id,
                &diagnosis,
                cause.map(|c| c.id.clone()),
                cause.map(|c| c.title.clone()),
                cause.map(|c| c.label.clone()),
                cause.map(|c| c.confidence),
                report,
                &row.severity,
                json(&advice)
            ],
        )
        .await?;
        incident::note(&mut tx, row.org, row.id, now, "diagnosed", None, &say).await?;
        // The monitors of a storm come in one after the other; its alert waits for them as long as it may.
        let gathering =
            row.scope == STORM && row.alerted.is_none() && row.alert_due.is_some_and(|due| due > now);
        if row.resolved.is_none() && !gathering && !self.merged(&mut tx, &row, now).await? {
            let what = if row.alerted.is_some() { Event::Cause } else { Event::Down };
            self.alert(&mut tx, &row, what, advice, now).await?;
        }
        self.step("before-alert-commit");
        tx.commit().await?;
        self.step("alerted");
        self.tell(&row, "diagnosed", serde_json::json!({ "title": row.title, "say": say }));
        Ok(())
    }

    /// Several incidents with one cause are one: the younger one's monitors move to the older one. `true` when they did.
    async fn merged(&self, tx: &mut Tx, row: &IncidentRow, now: Timestamp) -> Result<bool, StoreError> {
        let Some(cause) = row.cause_id.as_deref().filter(|_| row.alerted.is_none() && row.scope != STORM)
        else {
            return Ok(false);
        };
        let Some(domain) = row.scope.strip_prefix("host:").map(domain) else { return Ok(false) };
        let others = tx
            .query(
                "SELECT id, scope FROM incidents WHERE org_id = $1 AND cause_id = $2 AND resolved_us IS NULL AND id <> $3 ORDER BY id",
                params![row.org, cause, row.id],
            )
            .await?;
        let mut into = None;
        for other in &others {
            let scope = other.text("scope")?;
            if scope.strip_prefix("host:").map(self::domain) == Some(domain.clone()) {
                into = Some(other.id("id")?);
                break;
            }
        }
        let Some(into) = into else { return Ok(false) };
        let Some(into) =
            watch::incident_locked(&self.parts.store, tx, into).await?.filter(|i| i.resolved.is_none())
        else {
            return Ok(false);
        };
        let members = watch::incident_members(tx, row.id, 10_000).await?;
        for (monitor, _, _) in &members {
            watch::leave_incident(tx, row.id, *monitor, now).await?;
            watch::join_incident(tx, row.org, into.id, *monitor, now).await?;
            tx.execute(
                "UPDATE monitor_states SET incident_id = $2, version = version + 1 WHERE monitor_id = $1 AND incident_id = $3",
                params![*monitor, into.id, row.id],
            )
            .await?;
        }
        tx.execute(
            "UPDATE incidents SET status = 'resolved', resolved_us = $2, version = version + 1 WHERE id = $1",
            params![row.id, now],
        )
        .await?;
        let say = format!("it has the cause of \"{}\" and is one with it", into.title);
        incident::note(tx, row.org, row.id, now, "merged", None, &say).await?;
        let say = format!("\"{}\" has the same cause and is part of this now", row.title);
        incident::note(tx, row.org, into.id, now, "joined", None, &say).await?;
        if into.alerted.is_some() {
            let mut message = self.message(tx, &into, Event::Joined, now).await?;
            message.headline = format!("{}: {say}", into.title);
            self.send(tx, &into, &message, &format!("joined/{}", row.id), now).await?;
        }
        Ok(true)
    }

    /// Writes the alert of an incident whose diagnosis takes too long; the cause follows.
    async fn release(&self, id: Id, now: Timestamp) -> Result<(), StoreError> {
        let store = &self.parts.store;
        let mut tx = store.begin().await?;
        let Some(row) = watch::incident_locked(store, &mut tx, id)
            .await?
            .filter(|r| r.alerted.is_none() && r.resolved.is_none())
        else {
            return Ok(());
        };
        let stored = tx.query_opt("SELECT advice FROM incidents WHERE id = $1", params![id]).await?;
        let advice: Option<Advice> = match stored {
            Some(found) => found.opt_json("advice")?,
            None => None,
        };
        let late = || {
            Advice::of(Err("the diagnosis takes longer than the alert may wait; the cause follows"), 1, false)
        };
        self.alert(&mut tx, &row, Event::Down, advice.unwrap_or_else(late), now).await?;
        self.step("before-alert-commit");
        tx.commit().await?;
        self.step("alerted");
        self.tell(&row, "alerted", serde_json::json!({ "title": row.title }));
        Ok(())
    }

    /// Writes an alert, or the cause that follows one, and that it was written.
    async fn alert(
        &self,
        tx: &mut Tx,
        row: &IncidentRow,
        event: Event,
        advice: Advice,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let mut message = self.message(tx, row, event, now).await?;
        message.cause = advice.cause;
        message.rivals = advice.rivals;
        message.actions = advice.actions;
        message.notes.extend(advice.notes);
        let symptom = message.monitors.first().map(|m| m.say.as_str()).filter(|say| !say.is_empty());
        message.headline = headline(row, message.monitor_count, message.cause.as_ref(), symptom);
        if event == Event::Cause {
            message.headline = match &message.cause {
                Some(cause) => format!(
                    "CAUSE of {}: {} ({}, {:.0} %)",
                    row.title,
                    cause.title,
                    cause.label,
                    cause.confidence * 100.0
                ),
                None => format!("{}: no cause could be proven", row.title),
            };
        }
        let what = if event == Event::Cause { "cause" } else { "down" };
        self.send(tx, row, &message, what, now).await?;
        if event == Event::Down {
            tx.execute(
                "UPDATE incidents SET status = 'open', alerted_us = $2, version = version + 1 WHERE id = $1",
                params![row.id, now],
            )
            .await?;
        }
        incident::note(tx, row.org, row.id, now, "alerted", None, &message.headline).await
    }

    /// Makes an audit that somebody asked for.
    async fn asked(self: &Arc<Self>, asked: QueuedReport) {
        let progress = {
            let (inner, asked) = (Arc::clone(self), asked.clone());
            Progress::to(move |event| {
                let (what, step) = match event {
                    AuditEvent::Begin(step) => ("begin", step.to_string()),
                    AuditEvent::End(step) => ("end", step.to_string()),
                    AuditEvent::Wait(wait) => ("wait", format!("{:.0} s", wait.as_secs_f64())),
                    // Only the command of its own searches; an audit's few requests have no such moments.
                    AuditEvent::Limit(_) => return,
                };
                inner.parts.bus.tell(Happened {
                    org: asked.org,
                    kind: "report",
                    id: asked.id,
                    what: "progress",
                    detail: serde_json::json!({ "event": what, "step": step }),
                });
            })
        };
        let audited = match self.request(&asked).await {
            Ok(request) => self.parts.auditor.audit(request, progress).await,
            Err(why) => Err(why),
        };
        let mut pause = Duration::from_millis(100);
        for _ in 0..TRIES {
            match self.finish(&asked, &audited).await {
                Ok(()) => break,
                Err(error) => tracing::warn!(report = %asked.id, %error, "the report waits for the database"),
            }
            tokio::time::sleep(pause).await;
            pause = (pause * 2).min(Duration::from_secs(3));
        }
        let detail = serde_json::json!({ "status": if audited.is_ok() { "done" } else { "failed" } });
        self.parts.bus.tell(Happened { org: asked.org, kind: "report", id: asked.id, what: "ended", detail });
    }

    async fn request(&self, asked: &QueuedReport) -> Result<AuditRequest, String> {
        let spec = match asked.monitor {
            None => None,
            Some(id) => watch::monitor_of(&self.parts.store, id)
                .await
                .map_err(|e| e.to_string())?
                .filter(|row| row.org == asked.org)
                .and_then(|row| serde_json::from_str::<MonitorSpec>(&row.spec).ok()),
        };
        match spec {
            Some(spec) => Ok(AuditRequest { spec, within: ASKED_WITHIN, whole: true }),
            None => AuditRequest::asked(&asked.target, AuditTarget::default(), ASKED_WITHIN),
        }
    }

    async fn finish(
        &self,
        asked: &QueuedReport,
        audited: &Result<Opinion, String>,
    ) -> Result<(), StoreError> {
        let now = self.now();
        let values = match audited {
            Ok(a) => params![
                asked.id,
                now,
                "done",
                &a.verdict,
                &a.summary,
                a.cause.as_ref().map(|c| c.id.clone()),
                &a.report,
                &a.evidence,
                None::<String>
            ]
            .to_vec(),
            Err(why) => params![
                asked.id,
                now,
                "failed",
                None::<String>,
                None::<String>,
                None::<String>,
                None::<String>,
                None::<String>,
                why
            ]
            .to_vec(),
        };
        self.parts
            .store
            .execute(
                "UPDATE reports SET ended_us = $2, status = $3, verdict = $4, summary = $5, cause_id = $6, report = $7,
                   evidence = $8, problem = $9 WHERE id = $1",
                &values,
            )
            .await?;
        Ok(())
    }

    fn tell(&self, row: &IncidentRow, what: &'static str, detail: serde_json::Value) {
        self.parts.bus.tell(Happened { org: row.org, kind: "incident", id: row.id, what, detail });
    }
}

/// Keeps the report behind an incident.
async fn save_report(
    tx: &mut Tx,
    row: &IncidentRow,
    audited: &Opinion,
    now: Timestamp,
) -> Result<Id, StoreError> {
    let id = Id::new();
    let target = watch::incident_members(tx, row.id, 1).await?;
    let target = target
        .first()
        .and_then(|(_, spec, _)| serde_json::from_str::<MonitorSpec>(spec).ok())
        .and_then(|spec| crate::check::web_url(&spec.check))
        .unwrap_or_else(|| row.scope.clone());
    tx.execute(
        "INSERT INTO reports (id, org_id, incident_id, status, target, requested_by, created_us, started_us, ended_us,
           verdict, summary, cause_id, report, evidence)
         VALUES ($1, $2, $3, 'done', $4, 'watch', $5, $5, $5, $6, $7, $8, $9, $10)",
        params![
            id,
            row.org,
            row.id,
            target,
            now,
            &audited.verdict,
            &audited.summary,
            audited.cause.as_ref().map(|c| c.id.clone()),
            &audited.report,
            &audited.evidence
        ],
    )
    .await?;
    Ok(id)
}

/// The registrable domain of a host, or the host itself where there is none.
fn domain(host: &str) -> String {
    psl::domain_str(host).unwrap_or(host).to_owned()
}
