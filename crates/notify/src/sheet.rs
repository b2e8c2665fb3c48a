//! A message laid out for people, before any channel gives it its form: what, since when, why, and what to do first.

use jiff::{SignedDuration, Timestamp};

use crate::{Event, Message};

/// A message as headed lists of lines.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sheet {
    /// One line.
    pub(crate) title: String,
    /// What it says, most important first.
    pub(crate) sections: Vec<Section>,
    /// Where to read on: words and URL.
    pub(crate) link: Option<(String, String)>,
    /// Who it is from.
    pub(crate) foot: String,
}

/// One part of a sheet.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Section {
    /// What is above it.
    pub(crate) head: Option<&'static str>,
    /// A line that stands by itself.
    pub(crate) lead: Option<String>,
    /// The list below it.
    pub(crate) lines: Vec<String>,
    /// Whether the list is in an order that matters.
    pub(crate) numbered: bool,
}

/// Lines of one list; what is beyond is counted.
const LINES: usize = 12;
/// Characters of one line. A peer's text may be in it.
const LINE: usize = 500;

impl Sheet {
    pub(crate) fn of(message: &Message) -> Self {
        let mut sections = Vec::new();
        sections.extend(when(message));
        sections.extend(why(message));
        sections.extend(list("Not ruled out", None, &message.rivals, false));
        sections.extend(list("What changed", None, &message.changes, false));
        sections.extend(list("What to do first", None, &message.actions, true));
        sections.extend(what(message));
        if !message.notes.is_empty() {
            let lines = cut(&message.notes);
            sections.push(Section { head: None, lead: None, lines, numbered: false });
        }
        Self {
            title: clean(&message.headline, 400),
            sections,
            link: message.link.as_ref().map(|url| (words(message).to_owned(), url.clone())),
            foot: format!("Landfall · {}", clean(&message.organisation, 100)),
        }
    }

    /// Plain text.
    pub(crate) fn text(&self) -> String {
        let mut out = self.title.clone();
        out.push('\n');
        for section in &self.sections {
            out.push('\n');
            if let Some(head) = section.head {
                out.push_str(head);
                out.push('\n');
            }
            if let Some(lead) = &section.lead {
                out.push_str(lead);
                out.push('\n');
            }
            for (i, line) in section.lines.iter().enumerate() {
                let mark = if section.numbered { format!("{}.", i + 1) } else { "-".to_owned() };
                out.push_str(&format!("{mark} {line}\n"));
            }
        }
        if let Some((words, url)) = &self.link {
            out.push_str(&format!("\n{words}: {url}\n"));
        }
        out.push_str(&format!("\n{}\n", self.foot));
        out
    }
}

fn words(message: &Message) -> &'static str {
    match message.event {
        Event::Digest => "The whole summary",
        Event::Notice | Event::Test => "Open",
        _ if message.incident.is_some() => "Open the incident",
        _ => "Open",
    }
}

fn when(message: &Message) -> Option<Section> {
    let incident = message.incident.as_ref()?;
    let began = moment(incident.began);
    let lead = match (message.event, incident.ended) {
        (Event::Up, Some(ended)) => {
            format!("Down from {began} to {}: {}.", moment(ended), span(incident.began, ended))
        }
        (Event::Up, None) => format!("Down from {began} to {}.", moment(message.at)),
        (Event::Warning, _) => format!("Seen since {began}. Nothing is down yet."),
        (Event::Degraded, _) => format!("Degraded since {began}."),
        (_, _) if message.at > incident.began => {
            format!("Down since {began}, for {} now.", span(incident.began, message.at))
        }
        _ => format!("Down since {began}."),
    };
    Some(Section { head: None, lead: Some(lead), lines: Vec::new(), numbered: false })
}

fn why(message: &Message) -> Option<Section> {
    let Some(cause) = &message.cause else {
        let unknown = matches!(message.event, Event::Down | Event::Reminder);
        return unknown.then(|| Section {
            head: Some("Why"),
            lead: Some("Not known yet; the alert did not wait for it.".into()),
            lines: Vec::new(),
            numbered: false,
        });
    };
    let lead = format!(
        "{} ({}, {} %) [{}]",
        clean(&cause.title, LINE),
        clean(&cause.label, 40),
        percent(cause.confidence),
        clean(&cause.id, 80)
    );
    let head = if message.event == Event::Up { "Why it was" } else { "Why" };
    Some(Section { head: Some(head), lead: Some(lead), lines: cut(&cause.proof), numbered: false })
}

fn what(message: &Message) -> Option<Section> {
    if message.monitors.is_empty() {
        return None;
    }
    let head = match message.monitor_count {
        0 | 1 => "Monitor",
        _ => "Monitors",
    };
    let mut lines: Vec<String> = message
        .monitors
        .iter()
        .take(20)
        .map(|m| {
            let mut line = clean(&m.name, 120);
            if m.target != m.name && !m.target.is_empty() {
                line.push_str(&format!(" ({})", clean(&m.target, 200)));
            }
            if !m.say.is_empty() {
                line.push_str(&format!(": {}", clean(&m.say, 200)));
            }
            line
        })
        .collect();
    let more = (message.monitor_count as usize).saturating_sub(lines.len());
    if more > 0 {
        lines.push(format!("and {more} more"));
    }
    Some(Section { head: Some(head), lead: None, lines, numbered: false })
}

fn list(head: &'static str, lead: Option<String>, lines: &[String], numbered: bool) -> Option<Section> {
    if lines.is_empty() {
        return None;
    }
    Some(Section { head: Some(head), lead, lines: cut(lines), numbered })
}

fn cut(lines: &[String]) -> Vec<String> {
    let mut kept: Vec<String> = lines.iter().take(LINES).map(|l| clean(l, LINE)).collect();
    let more = lines.len().saturating_sub(LINES);
    if more > 0 {
        kept.push(format!("and {more} more"));
    }
    kept
}

/// One line of at most `limit` characters: line breaks and control characters become spaces.
pub(crate) fn clean(text: &str, limit: usize) -> String {
    let line: String = text
        .chars()
        // Marks that reorder text could make one host read as another.
        .filter(|c| !matches!(*c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'))
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect();
    shorten(line.trim(), limit)
}

/// At most `limit` characters, the last of which is an ellipsis when something was cut off.
pub(crate) fn shorten(text: &str, limit: usize) -> String {
    if text.chars().count() <= limit {
        return text.to_owned();
    }
    let mut kept: String = text.chars().take(limit.saturating_sub(1)).collect();
    kept.push('…');
    kept
}

/// Whole percents, never 100 for what is not certain.
fn percent(confidence: f64) -> u32 {
    let percent = (confidence.clamp(0.0, 1.0) * 100.0).round() as u32;
    if confidence < 1.0 { percent.min(99) } else { percent }
}

/// `2026-11-25 02:14:05 UTC`.
pub(crate) fn moment(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

/// `3 min 20 s`, `2 h 5 min`, `3 d 4 h`.
pub(crate) fn span(from: Timestamp, to: Timestamp) -> String {
    let seconds = to.duration_since(from).max(SignedDuration::ZERO).as_secs();
    let pair = |big: i64, big_unit: &str, small: i64, small_unit: &str| {
        if small == 0 {
            format!("{big} {big_unit}")
        } else {
            format!("{big} {big_unit} {small} {small_unit}")
        }
    };
    match seconds {
        0..60 => format!("{seconds} s"),
        60..3600 => pair(seconds / 60, "min", seconds % 60, "s"),
        3600..86_400 => pair(seconds / 3600, "h", seconds % 3600 / 60, "min"),
        _ => pair(seconds / 86_400, "d", seconds % 86_400 / 3600, "h"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_read_as_people_say_them() {
        let from = Timestamp::from_second(1000).expect("valid");
        let of = |s: i64| span(from, Timestamp::from_second(1000 + s).expect("valid"));
        for (seconds, says) in [
            (-5, "0 s"),
            (59, "59 s"),
            (60, "1 min"),
            (61, "1 min 1 s"),
            (3600, "1 h"),
            (7500, "2 h 5 min"),
            (86_400, "1 d"),
            (100_000, "1 d 3 h"),
        ] {
            assert_eq!(of(seconds), says);
        }
    }

    #[test]
    fn what_is_not_certain_is_never_a_hundred_percent() {
        assert_eq!((percent(0.999), percent(1.0), percent(f64::NAN)), (99, 100, 0));
    }

    #[test]
    fn a_hostile_text_stays_one_line() {
        assert_eq!(clean(" a\r\nBcc: x\u{202e}y\u{0} ", 50), "a  Bcc: xy");
        assert_eq!(shorten("äöü", 2), "ä…");
        assert_eq!(shorten("äöü", 3), "äöü");
    }
}
