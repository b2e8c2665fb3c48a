//! Many alerts at once become one: thirty seconds of a storm are one message and not three hundred.

use std::time::Duration;

use jiff::Timestamp;

use crate::{IncidentRef, Message};

/// Alerts that arise within this time of the first belong together.
pub const WINDOW: Duration = Duration::from_secs(30);

/// So many incidents within [`WINDOW`] are a storm; fewer are told one by one.
pub const STORM: usize = 4;

/// One message that stands for several.
#[derive(Debug, Clone, PartialEq)]
pub struct Group {
    /// What to send.
    pub message: Message,
    /// Which of the messages given it stands for: indexes, ascending. One alone stands for itself, unchanged.
    pub members: Vec<usize>,
}

/// Gathers messages for one channel into as few as can be: those of the same event and organisation that arose within
/// [`WINDOW`] of the first of them become one when they are [`STORM`] or more. The order is that of the first member.
///
/// The grouped message has no incident, for it speaks of several; its `monitor_count` is the sum, and it names the cause
/// when all share one.
pub fn group(messages: &[Message]) -> Vec<Group> {
    let mut order: Vec<usize> = (0..messages.len()).collect();
    order.sort_by_key(|i| messages[*i].at);
    let mut heaps: Vec<Vec<usize>> = Vec::new();
    for i in order {
        let message = &messages[i];
        let fits = |heap: &&mut Vec<usize>| {
            let first = &messages[heap[0]];
            first.event == message.event
                && first.organisation == message.organisation
                && within(first.at, message.at)
        };
        match heaps.iter_mut().rev().find(fits) {
            Some(heap) => heap.push(i),
            None => heaps.push(vec![i]),
        }
    }
    let mut groups = Vec::new();
    for mut heap in heaps {
        heap.sort_unstable();
        if heap.len() >= STORM {
            groups.push(Group { message: one(&heap, messages), members: heap });
        } else {
            groups.extend(heap.into_iter().map(|i| Group { message: messages[i].clone(), members: vec![i] }));
        }
    }
    groups.sort_by_key(|g| g.members[0]);
    groups
}

/// All messages as one, whatever lies between them: the worker has gathered them already. One alone stays itself.
pub(crate) fn collapse(messages: &[Message]) -> Option<Message> {
    match messages {
        [] => None,
        [alone] => Some(alone.clone()),
        _ => Some(one(&(0..messages.len()).collect::<Vec<_>>(), messages)),
    }
}

fn within(first: Timestamp, at: Timestamp) -> bool {
    first.checked_add(WINDOW).is_ok_and(|end| at <= end)
}

fn one(heap: &[usize], messages: &[Message]) -> Message {
    let of: Vec<&Message> = heap.iter().map(|i| &messages[*i]).collect();
    let first = of[0];
    let monitor_count = of.iter().map(|m| m.monitor_count).fold(0, u32::saturating_add);
    let shared =
        first.cause.as_ref().filter(|c| of.iter().all(|m| m.cause.as_ref().is_some_and(|o| o.id == c.id)));
    let began = of.iter().filter_map(|m| m.incident.as_ref()).map(|i| i.began).min();
    let mut notes: Vec<String> = vec![format!(
        "{} incidents within {} seconds; each has a page of its own.",
        of.len(),
        WINDOW.as_secs()
    )];
    if shared.is_none() {
        let mut causes: Vec<(&str, usize)> = Vec::new();
        for title in of.iter().filter_map(|m| m.cause.as_ref()).map(|c| c.title.as_str()) {
            match causes.iter_mut().find(|(t, _)| *t == title) {
                Some((_, n)) => *n += 1,
                None => causes.push((title, 1)),
            }
        }
        causes.sort_by_key(|(_, n)| std::cmp::Reverse(*n));
        notes.extend(causes.iter().take(5).map(|(title, n)| format!("{n} of them: {title}")));
    }
    if let Some(began) = began {
        notes.push(format!("The first began at {}.", crate::sheet::moment(began)));
    }
    let word = first.event.word().to_uppercase();
    let because = shared.map(|c| format!(": {}", c.title)).unwrap_or_default();
    Message {
        event: first.event,
        organisation: first.organisation.clone(),
        headline: format!("{word} {monitor_count} monitors in {} incidents{because}", of.len()),
        incident: None::<IncidentRef>,
        monitors: of.iter().flat_map(|m| m.monitors.iter().cloned()).take(20).collect(),
        monitor_count,
        cause: shared.cloned(),
        rivals: if shared.is_some() { first.rivals.clone() } else { Vec::new() },
        changes: Vec::new(),
        actions: if shared.is_some() { first.actions.clone() } else { Vec::new() },
        notes,
        link: of.iter().find_map(|m| m.link.as_deref()).map(overview),
        at: first.at,
    }
}

/// The list of incidents, from the page of one: `https://watch.example.com/incidents/0190…` without its last part.
fn overview(link: &str) -> String {
    match link.rsplit_once('/') {
        Some((list, _)) if list.matches('/').count() > 2 => list.to_owned(),
        _ => link.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Event;
    use crate::message::tests_support::{down, full};

    fn at(message: &Message, later_s: i64, n: usize) -> Message {
        let mut message = message.clone();
        message.at = Timestamp::from_second(message.at.as_second() + later_s).expect("valid");
        if let Some(incident) = &mut message.incident {
            incident.id = format!("i{n}");
        }
        message
    }

    #[test]
    fn three_hundred_alerts_are_one_and_count_right() {
        let messages: Vec<Message> = (0..300).map(|n| at(&full(), i64::from(n) / 12, n as usize)).collect();
        let groups = group(&messages);
        assert_eq!(groups.len(), 1);
        assert_eq!(groups[0].members.len(), 300);
        assert_eq!(groups[0].message.monitor_count, 300);
        assert_eq!(groups[0].message.monitors.len(), 20);
        assert_eq!(
            groups[0].message.cause.as_ref().map(|c| c.id.as_str()),
            Some("never-deployed"),
            "they share it"
        );
        assert_eq!(groups[0].message.link.as_deref(), Some("https://watch.example.com/incidents"));
    }

    #[test]
    fn few_stay_themselves_and_every_message_is_in_one_group() {
        let up = Message { event: Event::Up, ..down() };
        let messages = vec![
            at(&down(), 0, 0),
            at(&up, 1, 1),
            at(&down(), 2, 2),
            at(&down(), 29, 3),
            // Outside of the window of the first.
            at(&down(), 31, 4),
            at(&Message { organisation: "Other".into(), ..down() }, 3, 5),
        ];
        let groups = group(&messages);
        assert_eq!(groups.len(), 6, "three downs within the window are no storm");
        for (i, g) in groups.iter().enumerate() {
            assert_eq!((g.members.as_slice(), &g.message), ([i].as_slice(), &messages[i]));
        }
        let mut more = messages.clone();
        more.push(at(&down(), 30, 6));
        let groups = group(&more);
        assert_eq!(groups[0].members, [0, 2, 3, 6]);
        let mut all: Vec<usize> = groups.iter().flat_map(|g| g.members.clone()).collect();
        all.sort_unstable();
        assert_eq!(all, (0..7).collect::<Vec<_>>());
        assert!(group(&[]).is_empty());
    }

    #[test]
    fn different_causes_are_counted_and_none_is_claimed() {
        let mut messages: Vec<Message> = (0..4).map(|n| at(&full(), 0, n)).collect();
        messages[3].cause = None;
        let grouped = &group(&messages)[0].message;
        assert_eq!(grouped.cause, None);
        assert!(grouped.actions.is_empty(), "what helps one may harm another");
        assert!(grouped.notes.iter().any(|n| n.starts_with("3 of them: ")), "{:?}", grouped.notes);
    }
}
