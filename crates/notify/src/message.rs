//! What an alert says, before any channel lays it out.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One message. It is stored in the outbox as JSON, so keys are added and never renamed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Message {
    /// What happened.
    pub event: Event,
    /// The organisation's name, for the subject line.
    pub organisation: String,
    /// One line: "DOWN api.example.com: the application was never deployed (confirmed, 99 %)".
    pub headline: String,
    /// The incident, where there is one.
    pub incident: Option<IncidentRef>,
    /// The monitors concerned, at most twenty.
    pub monitors: Vec<MonitorRef>,
    /// How many monitors there are in all; more than [`Self::monitors`] in a storm.
    pub monitor_count: u32,
    /// Why, when it is known.
    pub cause: Option<CauseRef>,
    /// Rivals that the evidence does not separate from the cause, and the observation that would.
    #[serde(default)]
    pub rivals: Vec<String>,
    /// What changed between the last good check and the first bad one, a line each.
    #[serde(default)]
    pub changes: Vec<String>,
    /// What to do first, a line each.
    #[serde(default)]
    pub actions: Vec<String>,
    /// Further lines for people: what is still being looked into, how long it took.
    #[serde(default)]
    pub notes: Vec<String>,
    /// Where to read on.
    pub link: Option<String>,
    /// When it happened (not when it is sent).
    pub at: Timestamp,
}

/// What happened.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Event {
    /// An incident was confirmed.
    Down,
    /// The cause of an incident that was alerted without one.
    Cause,
    /// More monitors joined an incident.
    Joined,
    /// An incident is still open.
    Reminder,
    /// An incident was acknowledged.
    Acknowledged,
    /// An incident is over.
    Up,
    /// A monitor is slow or otherwise degraded.
    Degraded,
    /// A certificate, a DNS record or a version drifted; nothing is down yet.
    Warning,
    /// Somebody pressed "send a test".
    Test,
    /// A summary of a day, a week or a month.
    Digest,
    /// A message of the server itself: an invitation, a ticket, a payment.
    Notice,
}

impl Event {
    /// Its word in JSON and on the wire.
    pub fn word(self) -> &'static str {
        match self {
            Self::Down => "down",
            Self::Cause => "cause",
            Self::Joined => "joined",
            Self::Reminder => "reminder",
            Self::Acknowledged => "acknowledged",
            Self::Up => "up",
            Self::Degraded => "degraded",
            Self::Warning => "warning",
            Self::Test => "test",
            Self::Digest => "digest",
            Self::Notice => "notice",
        }
    }

    /// Where it stands among the messages of one incident: a smaller one leaves first.
    pub fn seq(self) -> i64 {
        match self {
            Self::Down | Self::Degraded | Self::Warning | Self::Test | Self::Digest | Self::Notice => 10,
            Self::Cause => 20,
            Self::Joined => 30,
            Self::Reminder => 40,
            Self::Acknowledged => 50,
            Self::Up => 90,
        }
    }
}

/// The incident that a message speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct IncidentRef {
    /// Its id.
    pub id: String,
    /// Its title.
    pub title: String,
    /// `critical`, `high`, `medium`, `low`.
    pub severity: String,
    /// When the first failing check was made.
    pub began: Timestamp,
    /// When it was over.
    pub ended: Option<Timestamp>,
}

/// A monitor that a message speaks of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct MonitorRef {
    /// Its id.
    pub id: String,
    /// Its name.
    pub name: String,
    /// What it watches: a URL without credentials, a host and port.
    pub target: String,
    /// What its last check said.
    pub say: String,
}

/// Why something is down.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct CauseRef {
    /// Stable id: `never-deployed`.
    pub id: String,
    /// In words.
    pub title: String,
    /// `confirmed`, `likely`, `possible`.
    pub label: String,
    /// 0 to 1.
    pub confidence: f64,
    /// The rung of the ladder that is broken.
    pub rung: String,
    /// The proof, a line each.
    pub proof: Vec<String>,
}

#[cfg(test)]
pub(crate) mod tests_support {
    use super::*;

    pub(crate) fn down() -> Message {
        let began: Timestamp = "2026-11-25T02:04:05Z".parse().expect("valid");
        Message {
            event: Event::Down,
            organisation: "Levqor".into(),
            headline: "DOWN api.levqor.example".into(),
            incident: Some(IncidentRef {
                id: "01900000-0000-7000-8000-000000000001".into(),
                title: "api.levqor.example is down".into(),
                severity: "critical".into(),
                began,
                ended: None,
            }),
            monitors: vec![MonitorRef {
                id: "01900000-0000-7000-8000-00000000000a".into(),
                name: "API".into(),
                target: "https://api.levqor.example/health".into(),
                say: "404 Not Found".into(),
            }],
            monitor_count: 1,
            cause: None,
            rivals: Vec::new(),
            changes: Vec::new(),
            actions: Vec::new(),
            notes: Vec::new(),
            link: Some("https://watch.example.com/incidents/01900000-0000-7000-8000-000000000001".into()),
            at: "2026-11-25T02:14:05Z".parse().expect("valid"),
        }
    }

    pub(crate) fn full() -> Message {
        let mut message = down();
        message.cause = Some(CauseRef {
            id: "never-deployed".into(),
            title: "the application was never deployed".into(),
            label: "confirmed".into(),
            confidence: 0.99,
            rung: "deployment".into(),
            proof: vec!["every path answers 404".into()],
        });
        message.incident.as_mut().expect("it has one").ended = Some(message.at);
        message.rivals = vec!["a wrong host name; its Host header would tell".into()];
        message.changes = vec!["the platform's name appeared in `server`".into()];
        message.actions = vec!["deploy the application".into()];
        message.notes = vec!["diagnosed in 2.1 s".into()];
        message
    }
}
