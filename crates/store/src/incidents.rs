//! Incidents, read by the organisation that they belong to.

use std::collections::HashMap;

use jiff::Timestamp;
use serde_json::Value as Json;

use crate::accounts::before;
use crate::{Id, Page, Row, StoreError, Tenant, Value, params};

/// An incident.
#[derive(Debug, Clone, PartialEq)]
pub struct IncidentRow {
    /// Its id.
    pub id: Id,
    /// `confirming`, `open`, `resolved`.
    pub status: String,
    /// `critical`, `high`, `medium`, `low`.
    pub severity: String,
    /// What is the case.
    pub title: String,
    /// The cause: id, words, label, confidence.
    pub cause: Option<(String, String, String, f64)>,
    /// `diagnosing`, `known`, `unknown`, or why there is none.
    pub diagnosis: String,
    /// The report behind it.
    pub report: Option<Id>,
    /// What changed between the last good check and the first bad one.
    pub difference: Option<Json>,
    /// When the first failing check was made.
    pub began: Timestamp,
    /// When it was confirmed.
    pub confirmed: Timestamp,
    /// When the first alert was written.
    pub alerted: Option<Timestamp>,
    /// When and by whom it was acknowledged.
    pub acknowledged: Option<(Timestamp, String)>,
    /// When it was over.
    pub resolved: Option<Timestamp>,
}

/// A monitor's part in an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentMonitorRow {
    /// The monitor.
    pub monitor: Id,
    /// Its name.
    pub name: String,
    /// When it joined.
    pub joined: Timestamp,
    /// When it was up again.
    pub left: Option<Timestamp>,
}

/// One event of an incident.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IncidentEventRow {
    /// When.
    pub at: Timestamp,
    /// `first-failure`, `confirmed`, …
    pub kind: String,
    /// Who.
    pub actor: Option<String>,
    /// In words.
    pub say: String,
}

/// Which incidents a list shows.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct IncidentFilter {
    /// Only with this status.
    pub status: Option<String>,
    /// Only those that this monitor is or was part of.
    pub monitor: Option<Id>,
}

const COLUMNS: &str = "i.id, i.status, i.severity, i.title, i.cause_id, i.cause_title, i.cause_label, i.confidence, i.diagnosis,
    i.report_id, i.difference, i.began_us, i.confirmed_us, i.alerted_us, i.acked_us, i.acked_by, i.resolved_us";

impl IncidentRow {
    fn of(row: &Row) -> Result<Self, StoreError> {
        let cause = match row.opt_text("cause_id")? {
            None => None,
            Some(id) => {
                let title = row.opt_text("cause_title")?.unwrap_or_else(|| id.clone());
                let label = row.opt_text("cause_label")?.unwrap_or_else(|| "possible".into());
                Some((id, title, label, row.opt_real("confidence")?.unwrap_or(0.0)))
            }
        };
        let acknowledged = match row.opt_time("acked_us")? {
            None => None,
            Some(at) => Some((at, row.opt_text("acked_by")?.unwrap_or_default())),
        };
        Ok(Self {
            id: row.id("id")?,
            status: row.text("status")?,
            severity: row.text("severity")?,
            title: row.text("title")?,
            cause,
            diagnosis: row.text("diagnosis")?,
            report: row.opt_id("report_id")?,
            difference: row.opt_json("difference")?,
            began: row.time("began_us")?,
            confirmed: row.time("confirmed_us")?,
            alerted: row.opt_time("alerted_us")?,
            acknowledged,
            resolved: row.opt_time("resolved_us")?,
        })
    }
}

impl Tenant {
    /// Incidents, newest first, one more than asked when there is a next page.
    ///
    /// # Errors
    /// When the database fails; likewise for all that follow.
    pub async fn incidents(
        &self,
        filter: &IncidentFilter,
        page: Page,
    ) -> Result<Vec<IncidentRow>, StoreError> {
        let rows = self
            .store
            .query(
                &format!(
                    "SELECT {COLUMNS} FROM incidents i WHERE i.org_id = $1 AND i.id < $2 AND ($3 = '' OR i.status = $3)
                     AND ($4 = '' OR EXISTS (SELECT 1 FROM incident_monitors im
                          WHERE im.incident_id = i.id AND im.monitor_id = $4 AND im.org_id = $1))
                     ORDER BY i.id DESC LIMIT $5"
                ),
                params![
                    self.org,
                    before(page),
                    filter.status.clone().unwrap_or_default(),
                    filter.monitor.map_or_else(String::new, |m| m.to_string()),
                    page.fetch()
                ],
            )
            .await?;
        rows.iter().map(IncidentRow::of).collect()
    }

    /// One incident.
    ///
    /// # Errors
    /// [`StoreError::Missing`] when the organisation has none.
    pub async fn incident(&self, id: Id) -> Result<IncidentRow, StoreError> {
        let row = self
            .store
            .query_opt(
                &format!("SELECT {COLUMNS} FROM incidents i WHERE i.org_id = $1 AND i.id = $2"),
                params![self.org, id],
            )
            .await?;
        row.as_ref().map(IncidentRow::of).transpose()?.ok_or(StoreError::Missing { what: "incident" })
    }

    /// The monitors of some incidents, by incident, in the order of their joining; at most a hundred for each.
    pub async fn incident_monitors(
        &self,
        incidents: &[Id],
    ) -> Result<HashMap<Id, Vec<IncidentMonitorRow>>, StoreError> {
        if incidents.is_empty() {
            return Ok(HashMap::new());
        }
        let places: Vec<String> = (2..incidents.len() + 2).map(|n| format!("${n}")).collect();
        let mut values: Vec<Value> = vec![self.org.into()];
        values.extend(incidents.iter().map(|i| Value::from(*i)));
        // A storm may have thousands: a page of incidents must stay a page.
        let rows = self
            .store
            .query(
                &format!(
                    "SELECT * FROM (
                       SELECT im.incident_id, im.monitor_id, COALESCE(m.name, '') AS name, im.joined_us, im.left_us,
                         row_number() OVER (PARTITION BY im.incident_id ORDER BY im.joined_us, im.monitor_id) AS n
                       FROM incident_monitors im LEFT JOIN monitors m ON m.id = im.monitor_id AND m.org_id = $1
                       WHERE im.org_id = $1 AND im.incident_id IN ({})
                     ) numbered WHERE n <= 100 ORDER BY incident_id, n",
                    places.join(", ")
                ),
                &values,
            )
            .await?;
        let mut found: HashMap<Id, Vec<IncidentMonitorRow>> = HashMap::new();
        for row in &rows {
            found.entry(row.id("incident_id")?).or_default().push(IncidentMonitorRow {
                monitor: row.id("monitor_id")?,
                name: row.text("name")?,
                joined: row.time("joined_us")?,
                left: row.opt_time("left_us")?,
            });
        }
        Ok(found)
    }

    /// What happened in an incident, oldest first; the last five hundred events.
    pub async fn incident_events(&self, incident: Id) -> Result<Vec<IncidentEventRow>, StoreError> {
        let rows = self
            .store
            .query(
                "SELECT at_us, kind, actor, say FROM incident_events WHERE org_id = $1 AND incident_id = $2
                 ORDER BY at_us DESC, id DESC LIMIT 500",
                params![self.org, incident],
            )
            .await?;
        rows.iter()
            .rev()
            .map(|r| {
                Ok(IncidentEventRow {
                    at: r.time("at_us")?,
                    kind: r.text("kind")?,
                    actor: r.opt_text("actor")?,
                    say: r.text("say")?,
                })
            })
            .collect()
    }
}
