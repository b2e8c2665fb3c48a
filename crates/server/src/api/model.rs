//! The shapes of the API. The pages render these same values, so that both always tell the same truth.
//!
//! Times are RFC 3339 in UTC, durations are integers with their unit in the name. Secrets are never in here.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

/// One page of a list. `next` goes into `?after=` for the page that follows.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct Listing<T> {
    /// The items.
    pub items: Vec<T>,
    /// Where the next page begins; absent on the last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// A monitor, with what is true of it now.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MonitorView {
    /// Its id.
    pub id: String,
    /// The name under which configuration files and scripts know it.
    pub external_id: String,
    /// Its name for people.
    pub name: String,
    /// `http`, `tcp`, `dns`, `tls`, `audit`.
    pub kind: String,
    /// What it watches, for people: a URL without credentials, a host and port.
    pub target: String,
    /// What was declared; secret values masked.
    #[schema(value_type = Object)]
    pub spec: Value,
    /// Whether somebody paused it.
    pub paused: bool,
    /// `file` when a configuration file owns it, else `api`.
    pub origin: String,
    /// `up`, `degraded`, `down`, `inconclusive`, `paused`, `maintenance`, `blocked`, `new`.
    pub verdict: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// What the last check said.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
    /// Why it is not up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// When it was last checked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_check: Option<Timestamp>,
    /// When it was last up.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_up: Option<Timestamp>,
    /// When it will be checked next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_check: Option<Timestamp>,
    /// How long the last check took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
    /// The open incident that it is part of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// Share of conclusive checks in the last 24 hours that were up or degraded, 0 to 1; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime_24h: Option<f64>,
}

/// One result.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ResultView {
    /// Its id.
    pub id: String,
    /// The tick that it belongs to.
    #[schema(value_type = String, format = DateTime)]
    pub scheduled: Timestamp,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: f64,
    /// `up`, `degraded`, `down`, `inconclusive`, `missed`.
    pub outcome: String,
    /// Why it is not up.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
    /// In words.
    pub say: String,
    /// HTTP status.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub status: Option<u16>,
    /// Where the time went, in milliseconds.
    pub phases: PhasesView,
}

/// Where the time of a check went, in milliseconds; a phase that did not happen is absent.
#[derive(Debug, Clone, Copy, Default, Serialize, ToSchema)]
pub struct PhasesView {
    /// Name to addresses.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub resolve_ms: Option<f64>,
    /// TCP connect.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub connect_ms: Option<f64>,
    /// TLS handshake.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub tls_ms: Option<f64>,
    /// Request to first byte.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub wait_ms: Option<f64>,
    /// First byte to last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub transfer_ms: Option<f64>,
}

/// Sums over the results of one minute, hour or day.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct BucketView {
    /// When it begins.
    #[schema(value_type = String, format = DateTime)]
    pub from: Timestamp,
    /// Results by outcome.
    pub up: u64,
    /// Slow or otherwise degraded, though serving.
    pub degraded: u64,
    /// Failed.
    pub down: u64,
    /// Could not be told; not counted as downtime.
    pub inconclusive: u64,
    /// In a maintenance window; not counted.
    pub maintenance: u64,
    /// Ticks at which nothing was checked.
    pub missed: u64,
    /// Share up or degraded among conclusive results, 0 to 1; absent when there was none.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub uptime: Option<f64>,
    /// Mean duration in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub mean_ms: Option<f64>,
    /// Longest duration in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub max_ms: Option<f64>,
}

/// An incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentView {
    /// Its id.
    pub id: String,
    /// `confirming`, `open`, `resolved`.
    pub status: String,
    /// `critical`, `high`, `medium`, `low`.
    pub severity: String,
    /// What is the case.
    pub title: String,
    /// Why, when it is known.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<IncidentCause>,
    /// `diagnosing`, `known`, `unknown`, or why there is no diagnosis.
    pub diagnosis: String,
    /// The report of the audit behind it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub report: Option<String>,
    /// What changed between the last good check and the first bad one.
    pub difference: Vec<ChangeView>,
    /// The monitors that are part of it.
    pub monitors: Vec<IncidentMonitor>,
    /// When the first failing check was made.
    #[schema(value_type = String, format = DateTime)]
    pub began: Timestamp,
    /// When it was confirmed.
    #[schema(value_type = String, format = DateTime)]
    pub confirmed: Timestamp,
    /// When the first alert was written.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub alerted: Option<Timestamp>,
    /// When somebody acknowledged it.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub acknowledged: Option<Timestamp>,
    /// Who.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub acknowledged_by: Option<String>,
    /// When it was over.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub resolved: Option<Timestamp>,
    /// What happened, oldest first; only when one incident is asked for.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub timeline: Vec<TimelineEntry>,
}

/// Why.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentCause {
    /// Stable id, for `landfall explain`.
    pub id: String,
    /// In words.
    pub title: String,
    /// `confirmed`, `likely`, `possible`.
    pub label: String,
    /// 0 to 1.
    pub confidence: f64,
}

/// One difference between two checks.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub struct ChangeView {
    /// What: `address`, `certificate`, `header server`, `status`.
    pub what: String,
    /// As it was at the last good check.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub before: Option<String>,
    /// As it was at the first bad one.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub after: Option<String>,
}

/// A monitor's part in an incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct IncidentMonitor {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// When it joined.
    #[schema(value_type = String, format = DateTime)]
    pub joined: Timestamp,
    /// When it was up again.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub left: Option<Timestamp>,
}

/// One event of an incident.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct TimelineEntry {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `first-failure`, `confirmed`, `diagnosed`, `alerted`, `joined`, `acknowledged`, `comment`, `left`, `resolved`, …
    pub kind: String,
    /// Who did it, if a person or a key did.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub actor: Option<String>,
    /// In words.
    pub say: String,
}

/// An audit.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ReportView {
    /// Its id.
    pub id: String,
    /// `queued`, `running`, `done`, `failed`.
    pub status: String,
    /// The production URL.
    pub target: String,
    /// The monitor that it was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// The incident that it was made for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub incident: Option<String>,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended: Option<Timestamp>,
    /// `live`, `degraded`, `not-live`, `unknown`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub verdict: Option<String>,
    /// One sentence.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub summary: Option<String>,
    /// The first cause.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cause: Option<String>,
    /// Why there is no report, when it failed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub problem: Option<String>,
    /// The report itself (`landfall.report/1`); only when one is asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Object>)]
    pub report: Option<Value>,
}

/// A channel, without its secrets.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct ChannelView {
    /// Its id.
    pub id: String,
    /// The name under which configuration files know it.
    pub external_id: String,
    /// Its name for people.
    pub name: String,
    /// `webhook`, `email`, `slack`, `telegram`, `whatsapp`, `pagerduty`.
    pub kind: String,
    /// Its settings; secrets are masked.
    #[schema(value_type = Object)]
    pub config: Value,
    /// Whether it is used.
    pub enabled: bool,
    /// `file` when a configuration file owns it, else `api`.
    pub origin: String,
    /// When it last delivered something.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_delivered: Option<Timestamp>,
    /// The last failure since then.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}

/// One attempt of a delivery.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct DeliveryView {
    /// Its id.
    pub id: String,
    /// The channel.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What was sent.
    pub headline: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `delivered`, `retry`, `refused`.
    pub outcome: String,
    /// In words.
    pub say: String,
    /// Milliseconds that it took.
    pub took_ms: f64,
}

/// A maintenance window.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WindowView {
    /// Its id.
    pub id: String,
    /// The name under which configuration files know it.
    pub external_id: String,
    /// Its name for people.
    pub name: String,
    /// What was declared.
    #[schema(value_type = Object)]
    pub spec: Value,
    /// `file` or `api`.
    pub origin: String,
    /// Whether it is open now.
    pub active: bool,
    /// When it opens next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next: Option<Timestamp>,
}

/// A public status page.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct StatusPageView {
    /// Its id.
    pub id: String,
    /// Its name in the URL.
    pub slug: String,
    /// Where the public finds it.
    pub url: String,
    /// Its title.
    pub title: String,
    /// A few words below the title.
    pub about: String,
    /// Only public monitors that carry this label (`name=value`); empty shows all public ones.
    pub label: String,
    /// Whether search engines are asked to leave it out.
    pub noindex: bool,
    /// Whether it can be seen.
    pub published: bool,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
}

/// An announcement on a status page.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AnnouncementView {
    /// Its id.
    pub id: String,
    /// The status page that it stands on.
    pub page: String,
    /// `incident` or `maintenance`.
    pub kind: String,
    /// Its title.
    pub title: String,
    /// `investigating`, `identified`, `monitoring`, `resolved`; `scheduled`, `in-progress`, `completed`.
    pub state: String,
    /// When it began or will begin.
    #[schema(value_type = String, format = DateTime)]
    pub starts: Timestamp,
    /// When planned work will end.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ends: Option<Timestamp>,
    /// The IANA zone in which its times are shown beside UTC.
    pub zone: String,
    /// When it was closed.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub closed: Option<Timestamp>,
    /// What was written about it, newest first.
    pub updates: Vec<AnnouncementUpdateView>,
}

/// One thing that was written about an announcement.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct AnnouncementUpdateView {
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The state from then on.
    pub state: String,
    /// Who wrote it; the public does not see it.
    pub author: String,
    /// What.
    pub say: String,
}

/// A check that somebody asked for.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CheckAskedView {
    /// The monitor.
    pub monitor: String,
    /// When it was asked for.
    #[schema(value_type = String, format = DateTime)]
    pub asked: Timestamp,
    /// What comes next, in words.
    pub say: String,
}

/// A heartbeat.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct HeartbeatView {
    /// Its id: the secret part of its ping URL. Shown to those who may change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The name under which configuration files and scripts know it.
    pub external_id: String,
    /// `file` when a configuration file owns it, else `api`.
    pub origin: String,
    /// The name in ping URLs with a key.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// What was declared.
    #[schema(value_type = Object)]
    pub spec: Value,
    /// `new`, `up`, `late`, `started`, `down`, `paused`.
    pub status: String,
    /// Pings so far.
    pub pings: u64,
    /// The last one.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_ping: Option<Timestamp>,
    /// How long the last run took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_duration_ms: Option<f64>,
    /// When it will be late.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub due: Option<Timestamp>,
    /// The URL to ping; shown to those who may change it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub ping_url: Option<String>,
}

/// A ping.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PingView {
    /// Counts from 1 for each heartbeat.
    pub n: u64,
    /// When it came.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// `start`, `success`, `fail`, `log`, `ignored`.
    pub kind: String,
    /// The HTTP method.
    pub method: String,
    /// `User-Agent`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
    /// The client's address.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// What was sent along; shown to those who may change the heartbeat.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub body: Option<String>,
    /// The run.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub rid: Option<String>,
    /// The exit status, when one was told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub exit_status: Option<u8>,
    /// How long the run took that this ping ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub duration_ms: Option<f64>,
}

/// A change of a heartbeat's status.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct FlipView {
    /// When: for a deadline the deadline itself.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// The status before.
    pub before: String,
    /// The status after.
    pub after: String,
    /// `timeout`, `run-too-long`, `never-pinged`, `fail`, `ping`.
    pub reason: String,
}

/// The key of ping URLs by slug.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct PingKeyView {
    /// The key.
    pub key: String,
}

/// A run of a job.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobRunView {
    /// The tick that it belongs to.
    #[schema(value_type = String, format = DateTime)]
    pub scheduled: Timestamp,
    /// When it began.
    #[schema(value_type = String, format = DateTime)]
    pub started: Timestamp,
    /// When it ended.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub ended: Option<Timestamp>,
    /// `running`, `ok`, `failed`, `off`.
    pub outcome: String,
    /// What it did, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
    /// Items that it worked on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worked_on: Option<u64>,
}

/// A job of the server itself.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct JobView {
    /// Its name.
    pub name: String,
    /// What it does.
    pub title: String,
    /// `every 15 min`, `daily 03:00 UTC`.
    pub schedule: String,
    /// `ok`, `failed`, `never-run`, `overdue`, `off`.
    pub status: String,
    /// What the last run did, in words.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub say: Option<String>,
    /// Items that the last run worked on.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub worked_on: Option<u64>,
    /// When it last ran.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_run: Option<Timestamp>,
    /// When it last succeeded.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_success: Option<Timestamp>,
    /// How long the last run took, in milliseconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub took_ms: Option<f64>,
    /// When it runs next.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next_run: Option<Timestamp>,
}

/// Who asks.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct WhoView {
    /// An e-mail address, or `key:NAME`.
    pub name: String,
    /// The role in the organisation.
    pub role: crate::Role,
    /// For a key: what it may be used for.
    pub scopes: Vec<crate::Scope>,
    /// The organisation's name in URLs.
    pub organisation: String,
    /// The organisation's name for people.
    pub organisation_name: String,
    /// For a session: the token that a write from a program must carry in `X-CSRF-Token`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub csrf: Option<String>,
    /// All organisations of the person.
    pub organisations: Vec<MembershipView>,
}

/// A person's place in one organisation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MembershipView {
    /// The organisation's name in URLs.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// The person's role there.
    pub role: String,
}

/// A session.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct SessionView {
    /// Its id (not its token).
    pub id: String,
    /// Whether it is the one that asks.
    pub current: bool,
    /// When the person signed in.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it was last used, to the minute.
    #[schema(value_type = String, format = DateTime)]
    pub seen: Timestamp,
    /// When it ends at the latest.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
    /// From where.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub address: Option<String>,
    /// The browser, as it names itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub agent: Option<String>,
}

/// An API key.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct KeyView {
    /// Its id.
    pub id: String,
    /// What it is for.
    pub name: String,
    /// How it begins.
    pub prefix: String,
    /// The whole key; only in the answer that makes it.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key: Option<String>,
    /// What it may be used for.
    pub scopes: Vec<crate::Scope>,
    /// `active`, `rotated` (works on for a while), `expired`, `revoked`.
    pub status: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// By whom.
    pub created_by: String,
    /// Until when it works.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub expires: Option<Timestamp>,
    /// When it was last used, to the minute.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub last_used: Option<Timestamp>,
    /// When it was revoked.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub revoked: Option<Timestamp>,
    /// The key that took over.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub successor: Option<String>,
}

/// The organisation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OrganisationView {
    /// Its id.
    pub id: String,
    /// Its name in URLs.
    pub slug: String,
    /// Its name for people.
    pub name: String,
    /// The plan that it is on.
    pub plan: String,
    /// When it was made.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
}

/// A member.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct MemberView {
    /// The person's id.
    pub id: String,
    /// E-mail address.
    pub email: String,
    /// The person's name.
    pub name: String,
    /// `reader`, `editor`, `admin`, `owner`.
    pub role: String,
    /// Since when.
    #[schema(value_type = String, format = DateTime)]
    pub since: Timestamp,
    /// Whether it is the one who asks.
    pub you: bool,
}

/// An invitation.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct InvitationView {
    /// Its id.
    pub id: String,
    /// The role that it gives.
    pub role: String,
    /// Whom it is meant for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub email: Option<String>,
    /// Who made it.
    pub invited_by: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// Until when it works.
    #[schema(value_type = String, format = DateTime)]
    pub expires: Timestamp,
    /// The link to be sent; only in the answer that makes it, and only when it was not mailed.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub link: Option<String>,
    /// Whether the server mails it; in the answer that makes it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(default = false)]
    pub mailed: bool,
}

/// One line of the audit log.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct LogView {
    /// Its id.
    pub id: String,
    /// When.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// Who: an e-mail address or `key:NAME`.
    pub actor: String,
    /// `created`, `changed`, `deleted`, …
    pub action: String,
    /// `monitor`, `member`, …
    pub kind: String,
    /// Its id.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub object: Option<String>,
    /// In words.
    pub say: String,
}

/// Share of conclusive checks that were up or degraded, 0 to 1; absent where there was none.
#[derive(Debug, Clone, Copy, Serialize, ToSchema)]
pub struct UptimeView {
    /// Over the last 24 hours.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub day: Option<f64>,
    /// Over the last seven days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub week: Option<f64>,
    /// Over the last 30 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_30: Option<f64>,
    /// Over the last 90 days.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub days_90: Option<f64>,
}

/// Kept evidence.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct CaptureView {
    /// Its id.
    pub id: String,
    /// The monitor that it is of.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub monitor: Option<String>,
    /// What it is of: the first failing attempt, the last good check.
    pub kind: String,
    /// When it was taken.
    #[schema(value_type = String, format = DateTime)]
    pub at: Timestamp,
    /// What was seen, masked.
    pub body: Value,
}

/// A letter in the outbox.
#[derive(Debug, Clone, Serialize, ToSchema)]
pub struct OutboxView {
    /// Its id.
    pub id: String,
    /// The channel; absent for a letter of the server itself.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub channel: Option<String>,
    /// What it is about.
    pub subject: String,
    /// What it says in one line.
    pub headline: String,
    /// `pending`, `delivered`, `dead`, `skipped`.
    pub state: String,
    /// Attempts so far.
    pub attempts: u64,
    /// When it was written.
    #[schema(value_type = String, format = DateTime)]
    pub created: Timestamp,
    /// When it is tried next, while it is pending.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub next: Option<Timestamp>,
    /// When it was delivered.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>, format = DateTime)]
    pub delivered: Option<Timestamp>,
    /// What went wrong last.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub last_error: Option<String>,
}
