//! What people are told again, and in sum.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::tz::TimeZone;
use jiff::{Timestamp, ToSpan};
use landfall_notify::{Event, IncidentRef, Message, MonitorRef};
use landfall_store::heartbeats::Listener;
use landfall_store::jobs as stored;
use landfall_store::rollups::{self, Grain, Sums};

use super::{Context, Done, hears, monitors, post, spec_of, target, words};
use crate::heartbeat::HeartbeatSpec;
use crate::incident::note;

pub(super) async fn reminders(c: Context) -> Result<Done, String> {
    let now = c.clock.now();
    let open = stored::unacknowledged(&c.store).await.map_err(words)?;
    let beats = stored::unacknowledged_beats(&c.store).await.map_err(words)?;
    let looked = open.len() + beats.len();
    if looked == 0 {
        return Ok(Done::on(0u64, "no open incident waits for an acknowledgement"));
    }
    let mut reminded = 0;
    let all: BTreeMap<_, _> = match open.is_empty() {
        true => BTreeMap::new(),
        false => monitors(&c.store).await?.into_iter().map(|m| (m.id, m)).collect(),
    };
    for incident in &open {
        let part: Vec<_> = incident
            .monitors
            .iter()
            .filter_map(|id| all.get(id))
            .filter_map(|m| Some((m, spec_of(m)?)))
            .collect();
        let Some(every) = part.iter().filter_map(|(_, spec)| spec.remind_s).min() else { continue };
        let members = part.iter().take(20).map(|(m, spec)| MonitorRef {
            id: m.id.to_string(),
            name: m.name.clone(),
            target: target(spec),
            say: m.verdict.clone().unwrap_or_default(),
        });
        let heard = |l: &Listener| part.iter().any(|(_, spec)| hears(spec, l));
        let whom = Reminder { incident, every, members: members.collect(), count: part.len() };
        reminded += usize::from(whom.write(&c, now, heard).await?);
    }
    for beat in &beats {
        let Ok(spec) = serde_json::from_str::<HeartbeatSpec>(&beat.spec) else {
            tracing::error!(heartbeat = %beat.external_id, "a heartbeat cannot be read");
            continue;
        };
        let Some(every) = spec.remind_s else { continue };
        let member = MonitorRef {
            // As in the alert: the id of a heartbeat is the secret of its ping URL.
            id: beat.external_id.clone(),
            name: beat.name.clone(),
            target: format!("heartbeat {}", beat.slug),
            say: "down".into(),
        };
        let heard =
            |l: &Listener| spec.channels.as_ref().is_none_or(|wanted| wanted.contains(&l.external_id));
        let whom = Reminder { incident: &beat.incident, every, members: vec![member], count: 1 };
        reminded += usize::from(whom.write(&c, now, heard).await?);
    }
    Ok(Done::on(looked, format!("{looked} open incidents looked at, {reminded} told again")))
}

/// Something that people may be told of again.
struct Reminder<'a> {
    incident: &'a stored::OpenIncident,
    /// In seconds.
    every: u32,
    members: Vec<MonitorRef>,
    count: usize,
}

impl Reminder<'_> {
    /// Whether it was time, and nothing had changed meanwhile.
    async fn write(
        self,
        c: &Context,
        now: Timestamp,
        heard: impl Fn(&Listener) -> bool,
    ) -> Result<bool, String> {
        let incident = self.incident;
        // Never more often than every five minutes, whatever was declared.
        let wait = Duration::from_secs(u64::from(self.every.max(300)));
        if incident.told.checked_add(wait).is_ok_and(|due| due > now) {
            return Ok(false);
        }
        let minutes = now.duration_since(incident.began).as_mins();
        let message = Message {
            event: Event::Reminder,
            organisation: String::new(),
            headline: format!("STILL DOWN for {} {}", span(minutes), incident.title),
            incident: Some(IncidentRef {
                id: incident.id.to_string(),
                title: incident.title.clone(),
                severity: incident.severity.clone(),
                began: incident.began,
                ended: None,
            }),
            monitors: self.members,
            monitor_count: u32::try_from(self.count).unwrap_or(u32::MAX),
            cause: None,
            rivals: Vec::new(),
            changes: Vec::new(),
            actions: Vec::new(),
            notes: vec!["Acknowledge the incident to end the reminders.".into()],
            link: Some(format!("{}/incidents/{}", c.settings.public_url.trim_end_matches('/'), incident.id)),
            at: now,
        };
        let subject = format!("incident/{}", incident.id);
        let key = format!("{subject}/reminder/{}", incident.told.as_microsecond());
        let mut tx = c.store.begin().await.map_err(words)?;
        // Acknowledged, resolved or reminded meanwhile: then there is nothing to say.
        if !stored::reminded(&mut tx, incident, now).await.map_err(words)? {
            return Ok(false);
        }
        let sent = post(&mut tx, incident.org, &subject, &key, message, now, heard).await.map_err(words)?;
        let say = format!("reminded {sent} channel(s)");
        note(&mut tx, incident.org, incident.id, now, "reminded", None, &say).await.map_err(words)?;
        tx.commit().await.map_err(words)?;
        Ok(true)
    }
}

/// What a summary is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Span {
    Day,
    Week,
    Month,
}

impl Span {
    /// The whole days, weeks or months before a moment, in UTC.
    fn before(self, now: Timestamp) -> (Timestamp, Timestamp) {
        let today = TimeZone::UTC.to_datetime(now).date();
        let (from, to) = match self {
            Self::Day => (today.yesterday().unwrap_or(today), today),
            Self::Week => {
                let monday = today.saturating_sub(i64::from(today.weekday().to_monday_zero_offset()).days());
                (monday.saturating_sub(7.days()), monday)
            }
            Self::Month => {
                let first = today.first_of_month();
                (first.yesterday().unwrap_or(first).first_of_month(), first)
            }
        };
        let start = |date: jiff::civil::Date| {
            TimeZone::UTC.to_timestamp(date.at(0, 0, 0, 0)).unwrap_or(Timestamp::MIN)
        };
        (start(from), start(to))
    }

    fn word(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Week => "week",
            Self::Month => "month",
        }
    }
}

/// Kinds of channels that wake people up: a summary is nothing for them.
const PAGERS: [&str; 2] = ["pagerduty", "whatsapp"];

pub(super) async fn digest(c: Context, span: Span) -> Result<Done, String> {
    let now = c.clock.now();
    let (from, to) = span.before(now);
    let mut by_org: BTreeMap<_, Vec<_>> = BTreeMap::new();
    for monitor in monitors(&c.store).await? {
        by_org.entry(monitor.org).or_default().push(monitor);
    }
    let (mut written, mut letters) = (0u64, 0);
    for org in c.store.orgs().await.map_err(words)? {
        let Some(monitors) = by_org.get(&org.id) else { continue };
        // Days are the coarsest sums, and a week or a month is made of whole ones; results of the last minutes before
        // midnight are in them, because they are computed anew when results come late.
        let sums = rollups::sums(&c.store, org.id, Grain::Day, from, to).await.map_err(words)?;
        let (opened, resolved, open) =
            stored::incident_counts(&c.store, org.id, from, to).await.map_err(words)?;
        let mut total = Sums::default();
        sums.values().for_each(|s| total.merge(s));
        let mut rows: Vec<(&str, Option<f64>, Sums)> = monitors
            .iter()
            .map(|m| {
                let sums = sums.get(&m.id).copied().unwrap_or_default();
                (m.name.as_str(), sums.uptime(), sums)
            })
            .collect();
        // The worst first; what could not be told stands last.
        rows.sort_by(|a, b| a.1.unwrap_or(2.0).total_cmp(&b.1.unwrap_or(2.0)).then_with(|| a.0.cmp(b.0)));
        let mut notes =
            vec![format!("Incidents: {opened} opened, {resolved} resolved, {open} open at the end.")];
        notes.extend(rows.iter().take(20).map(|(name, uptime, sums)| match uptime {
            Some(uptime) => format!(
                    "{name}: {} up, {} of {} checks failed{}",
                    percent(*uptime),
                    sums.down,
                    sums.up + sums.degraded + sums.down,
                    sums.took_sum_us
                        .checked_div(sums.took_count)
                        .map_or_else(String::new, |us| format!(", {} ms on average", us / 1000))
                ),
            None => format!("{name}: no check said anything"),
        }));
        if rows.len() > 20 {
            notes.push(format!("… and {} more, all of them no worse.", rows.len() - 20));
        }
        let from_day = TimeZone::UTC.to_datetime(from).date();
        let overall = total
            .uptime()
            .map_or_else(|| "no check said anything".to_owned(), |u| format!("{} up", percent(u)));
        let message = Message {
            event: Event::Digest,
            organisation: String::new(),
            headline: format!("The {} from {from_day}: {overall}, {opened} incident(s)", span.word()),
            incident: None,
            monitors: Vec::new(),
            monitor_count: u32::try_from(monitors.len()).unwrap_or(u32::MAX),
            cause: None,
            rivals: Vec::new(),
            changes: Vec::new(),
            actions: Vec::new(),
            notes,
            link: Some(c.settings.public_url.clone()),
            at: now,
        };
        let subject = format!("digest/{}", span.word());
        let key = format!("digest/{}/{}/{from_day}", org.id, span.word());
        let mut tx = c.store.begin().await.map_err(words)?;
        let quiet = |l: &landfall_store::heartbeats::Listener| !PAGERS.contains(&l.kind.as_str());
        letters += post(&mut tx, org.id, &subject, &key, message, now, quiet).await.map_err(words)?;
        tx.commit().await.map_err(words)?;
        written += 1;
    }
    Ok(match written {
        0 => Done::on(0u64, "no organisation has monitors, so there is nothing to sum up"),
        n => Done::on(
            n,
            format!(
                "{n} summaries of the {} from {}, {letters} letters",
                span.word(),
                TimeZone::UTC.to_datetime(from).date()
            ),
        ),
    })
}

/// A share as people read it; never rounded up to all.
fn percent(share: f64) -> String {
    if share >= 1.0 {
        return "100 %".into();
    }
    format!("{:.2} %", (share * 10_000.0).floor() / 100.0)
}

fn span(minutes: i64) -> String {
    match minutes {
        m if m < 120 => format!("{m} min"),
        m if m < 48 * 60 => format!("{} h", m / 60),
        m => format!("{} days", m / 1440),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_are_whole_days_weeks_and_months_before_now() {
        let now: Timestamp = "2026-03-04T07:05:00Z".parse().expect("a Wednesday");
        let words = |span: Span| {
            let (from, to) = span.before(now);
            (from.to_string(), to.to_string())
        };
        assert_eq!(words(Span::Day), ("2026-03-03T00:00:00Z".into(), "2026-03-04T00:00:00Z".into()));
        assert_eq!(words(Span::Week), ("2026-02-23T00:00:00Z".into(), "2026-03-02T00:00:00Z".into()));
        assert_eq!(words(Span::Month), ("2026-02-01T00:00:00Z".into(), "2026-03-01T00:00:00Z".into()));
    }

    #[test]
    fn a_share_is_never_rounded_up_to_all() {
        assert_eq!(percent(0.999_999), "99.99 %");
        assert_eq!(percent(1.0), "100 %");
        assert_eq!(percent(0.0), "0.00 %");
        assert_eq!((span(5), span(180), span(3000)), ("5 min".into(), "3 h".into(), "2 days".into()));
    }
}
