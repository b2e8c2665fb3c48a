//! The channels: one trait, a file each.

mod email;
mod pagerduty;
mod slack;
mod telegram;
mod webhook;
mod whatsapp;

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use crate::config::ChannelConfig;
use crate::outbound::{Answer, Outbound};
use crate::{Message, sheet};

pub(crate) use email::mail_server;

/// One letter on its way to a channel.
#[derive(Debug, Clone, Copy)]
pub struct Dispatch<'a> {
    /// What it says.
    pub message: &'a Message,
    /// Its idempotency key, the same in every attempt.
    pub key: &'a str,
    /// What it is about: down and up of one outage have it in common.
    pub subject: &'a str,
    /// Which attempt this is, from 1.
    pub attempt: u32,
    /// When it is sent.
    pub now: Timestamp,
    /// What it is about when it stands for several letters of a storm: the subject of each.
    pub members: &'a [String],
    /// How far earlier attempts came.
    pub progress: &'a Progress,
}

/// Recipients of a letter that are done with.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// Who has it.
    #[serde(default)]
    pub reached: Vec<String>,
    /// Who will never have it, for the receiver refused.
    #[serde(default)]
    pub refused: Vec<String>,
}

impl Progress {
    fn has(&self, to: &String) -> bool {
        self.reached.contains(to) || self.refused.contains(to)
    }
}

/// What became of an attempt.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sent {
    /// What it means for the letter.
    pub outcome: Outcome,
    /// The receiver's status, of HTTP or SMTP.
    pub status: Option<u16>,
    /// In words, for people.
    pub say: String,
    /// Recipients that are done with, those of earlier attempts included.
    pub progress: Progress,
}

/// What an attempt means for its letter.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The receiver has it.
    Delivered,
    /// It may well work later; not before this time, where the receiver named one.
    Retry(Option<Duration>),
    /// It will never work as it is.
    Refused,
    /// This channel has no form for such a message, and nothing was sent.
    Skipped,
}

impl Sent {
    fn new(outcome: Outcome, status: Option<u16>, say: impl Into<String>) -> Self {
        Self { outcome, status, say: say.into(), progress: Progress::default() }
    }

    /// Nothing was heard from the receiver.
    pub(crate) fn unheard(say: impl Into<String>) -> Self {
        Self::new(Outcome::Retry(None), None, say)
    }

    /// It cannot be sent as it is.
    pub(crate) fn refused(say: impl Into<String>) -> Self {
        Self::new(Outcome::Refused, None, say)
    }
}

/// The future of a channel's answer.
pub type Sending<'a> = Pin<Box<dyn Future<Output = Sent> + Send + 'a>>;

/// A way to people: the settings of each kind are one.
pub trait Channel: Send + Sync {
    /// Sends a letter. It ends within the deadline of `out`, and says no secret.
    fn send<'a>(&'a self, out: &'a Outbound, letter: &'a Dispatch<'a>) -> Sending<'a>;

    /// Between two messages, at least; what the provider documents.
    fn pace(&self) -> Duration {
        Duration::ZERO
    }

    /// Whether a storm is told in one message. A receiver that pairs ends with beginnings by itself wants each.
    fn gathers(&self) -> bool {
        true
    }

    /// Letters that may be under way at once.
    fn parallel(&self) -> usize {
        4
    }
}

impl ChannelConfig {
    /// The channel behind the settings.
    pub fn channel(&self) -> &dyn Channel {
        match self {
            Self::Webhook(c) => c,
            Self::Email(c) => c,
            Self::Slack(c) => c,
            Self::Telegram(c) => c,
            Self::Whatsapp(c) => c,
            Self::Pagerduty(c) => c,
        }
    }
}

/// The rule for HTTP that holds where a provider says nothing else: 2xx is delivered; 408, 425, 429 and 5xx are tried
/// again (RFC 9110, RFC 8470, RFC 6585), and so is 3xx never: a redirect would leave the address that was checked.
/// Every other status is a refusal that repeats itself.
fn judged(answer: &Answer, now: Timestamp, say: String) -> Sent {
    let outcome = match answer.status {
        200..=299 => Outcome::Delivered,
        408 | 425 | 429 | 500..=599 => Outcome::Retry(retry_after(answer.retry_after.as_deref(), now)),
        _ => Outcome::Refused,
    };
    Sent::new(outcome, Some(answer.status), say)
}

/// A status with what the receiver says of it.
fn said(answer: &Answer, detail: &str) -> String {
    let detail = sheet::clean(detail, 300);
    if detail.is_empty() {
        format!("HTTP {}", answer.status)
    } else {
        format!("HTTP {}: {detail}", answer.status)
    }
}

/// `Retry-After`: seconds, or a date (RFC 9110, section 10.2.3).
fn retry_after(value: Option<&str>, now: Timestamp) -> Option<Duration> {
    let value = value?.trim();
    if let Ok(seconds) = value.parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let at = jiff::fmt::rfc2822::parse(&value.replace("GMT", "+0000")).ok()?.timestamp();
    Duration::try_from(at.duration_since(now)).ok()
}

/// After so long no further recipient is begun with, so that a letter never outlives its lease.
const BUDGET: Duration = Duration::from_secs(30);

/// Recipients that are sent to one after the other, and what became of each. Who is done with is never sent to again.
struct Round<'a> {
    recipients: &'a [String],
    at: usize,
    began: tokio::time::Instant,
    progress: Progress,
    reached: Option<Sent>,
    retry: Option<Sent>,
    refused: Vec<(&'a str, Sent)>,
}

impl<'a> Round<'a> {
    fn new(recipients: &'a [String], letter: &Dispatch<'_>) -> Self {
        Self {
            recipients,
            at: 0,
            began: tokio::time::Instant::now(),
            progress: letter.progress.clone(),
            reached: None,
            retry: None,
            refused: Vec::new(),
        }
    }

    /// Who is next.
    fn next(&mut self) -> Option<&'a str> {
        // What keeps one from being reached mostly keeps all: silence, or a receiver that asked for time.
        if self.retry.as_ref().is_some_and(|r| r.status.is_none() || r.outcome != Outcome::Retry(None)) {
            return None;
        }
        while let Some(to) = self.recipients.get(self.at) {
            self.at += 1;
            if self.progress.has(to) {
                continue;
            }
            if self.began.elapsed() > BUDGET {
                self.retry.get_or_insert_with(|| Sent::unheard("the receiver is too slow for all at once"));
                return None;
            }
            return Some(to);
        }
        None
    }

    fn note(&mut self, to: &'a str, sent: Sent) {
        match sent.outcome {
            Outcome::Delivered | Outcome::Skipped => {
                self.progress.reached.push(to.to_owned());
                self.reached = Some(sent);
            }
            Outcome::Refused => {
                self.progress.refused.push(to.to_owned());
                self.refused.push((to, sent));
            }
            Outcome::Retry(_) => self.retry = Some(sent),
        }
    }

    /// What it means for the letter: while one can still be reached it is tried again, and it is refused when none was.
    fn sum(self) -> Sent {
        let complaints: Vec<String> =
            self.refused.iter().map(|(to, sent)| format!("{to}: {}", sent.say)).collect();
        let many = self.recipients.len() > 1;
        let mut sent = match (self.retry, self.reached) {
            (Some(mut sent), _) => {
                if many {
                    let left = self.recipients.iter().filter(|r| !self.progress.has(r)).count();
                    sent.say = format!("{left} of {} not reached yet: {}", self.recipients.len(), sent.say);
                }
                sent
            }
            (None, Some(sent)) => sent,
            (None, None) if !self.progress.reached.is_empty() => {
                Sent::new(Outcome::Delivered, None, "all others were reached by an earlier attempt")
            }
            (None, None) => {
                let status = self.refused.first().and_then(|(_, sent)| sent.status);
                let mut sent = Sent::new(Outcome::Refused, status, "");
                if !many {
                    sent.say = self.refused.first().map(|(_, s)| s.say.clone()).unwrap_or_default();
                }
                sent
            }
        };
        if !complaints.is_empty() && (many || sent.outcome != Outcome::Refused) {
            let complaints = format!("refused for {}", complaints.join("; "));
            sent.say = if sent.say.is_empty() { complaints } else { format!("{}; {complaints}", sent.say) };
        }
        sent.say = sheet::clean(&sent.say, 1000);
        sent.progress = self.progress;
        sent
    }
}

#[cfg(test)]
mod renderings;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now: Timestamp = "2026-11-25T02:14:05Z".parse().expect("valid");
        let of = |v: &str| retry_after(Some(v), now).map(|d| d.as_secs());
        assert_eq!(of("120"), Some(120));
        assert_eq!(of(" 0 "), Some(0));
        assert_eq!(of("Wed, 25 Nov 2026 02:15:05 GMT"), Some(60));
        assert_eq!(of("Wed, 25 Nov 2026 02:13:05 GMT"), None, "it has passed");
        assert_eq!(of("soon"), None);
        assert_eq!(of("-5"), None);
        assert_eq!(retry_after(None, now), None);
    }

    #[test]
    fn what_is_final_and_what_is_not() {
        let now: Timestamp = "2026-11-25T02:14:05Z".parse().expect("valid");
        let of = |status: u16, after: Option<&str>| {
            let answer = Answer { status, retry_after: after.map(str::to_owned), body: Vec::new() };
            judged(&answer, now, String::new()).outcome
        };
        for status in [200, 202, 204] {
            assert_eq!(of(status, None), Outcome::Delivered);
        }
        for status in [301, 302, 307, 400, 401, 403, 404, 405, 410, 422] {
            assert_eq!(of(status, Some("5")), Outcome::Refused, "{status}");
        }
        for status in [408, 425, 429, 500, 502, 503, 504] {
            assert_eq!(of(status, None), Outcome::Retry(None), "{status}");
            assert_eq!(of(status, Some("7")), Outcome::Retry(Some(Duration::from_secs(7))), "{status}");
        }
    }
}
