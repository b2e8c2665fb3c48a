//! Answers from what is stored. The same question about the same incident gives the same words.
//!
//! A question is matched against a handful of intents by its words; what matches none is not answered here, and nothing is
//! guessed. Each sentence comes from the incident, from the report of its audit, or from the catalogue.

use std::collections::BTreeSet;

use jiff::Timestamp;
use landfall_diagnosis::Catalogue;
use landfall_store::support::{About, Subject};
use serde_json::Value;

/// What a question is after.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Intent {
    Cause,
    Proof,
    Action,
    Status,
    ByHand,
    Rivals,
    Change,
    Explain,
}

/// Phrases weigh more than words: "what changed" is about the change even though "what" is about anything.
const PHRASES: &[(Intent, i32, &[&str])] = &[
    (
        Intent::Cause,
        3,
        &[
            "what is wrong",
            "what's wrong",
            "what happened",
            "root cause",
            "what broke",
            "why is",
            "why did",
            "why does",
        ],
    ),
    (
        Intent::Proof,
        4,
        &["how do you know", "are you sure", "how sure", "how certain", "what proves", "prove it"],
    ),
    (
        Intent::Action,
        4,
        &[
            "what should i do",
            "what do i do",
            "what can i do",
            "what to do",
            "what now",
            "how do i fix",
            "how to fix",
            "how can i fix",
            "get it back",
        ],
    ),
    (
        Intent::Status,
        4,
        &[
            "still down",
            "is it over",
            "since when",
            "how long",
            "who acknowledged",
            "who is on it",
            "what is down",
        ],
    ),
    (
        Intent::ByHand,
        4,
        &[
            "by hand",
            "check it myself",
            "check myself",
            "verify it",
            "how can i check",
            "how do i check",
            "see for myself",
            "how can i verify",
        ],
    ),
    (
        Intent::Rivals,
        4,
        &["something else", "could it be", "ruled out", "rule out", "what else", "other cause"],
    ),
    (Intent::Change, 4, &["what changed", "what has changed", "what is different", "before and after"]),
    (Intent::Explain, 4, &["what does", "what is a ", "explain "]),
];

const WORDS: &[(Intent, &[&str])] = &[
    (Intent::Cause, &["why", "cause", "reason", "diagnosis"]),
    (Intent::Proof, &["proof", "evidence", "proven", "confidence", "certain", "sure"]),
    (Intent::Action, &["fix", "repair", "solve", "remedy", "mend", "resolve", "action", "actions", "steps"]),
    (
        Intent::Status,
        &[
            "status",
            "state",
            "acknowledged",
            "recovered",
            "resolved",
            "ongoing",
            "duration",
            "started",
            "down",
        ],
    ),
    (Intent::ByHand, &["curl", "dig", "command", "commands", "manually", "verify", "reproduce"]),
    (Intent::Rivals, &["alternatives", "alternative", "rival", "rivals", "hypotheses", "instead"]),
    (Intent::Change, &["changed", "change", "changes", "difference", "diff"]),
];

/// The intents of a question, the strongest first, at most two.
pub(crate) fn intents(question: &str) -> Vec<Intent> {
    let text = question.to_lowercase().replace('’', "'");
    let words: BTreeSet<&str> =
        text.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
    let spaced = format!(" {} ", text.split_whitespace().collect::<Vec<_>>().join(" "));
    let mut scores: Vec<(i32, Intent)> = Vec::new();
    let mut add = |intent: Intent, by: i32| match scores.iter_mut().find(|(_, i)| *i == intent) {
        Some((score, _)) => *score += by,
        None => scores.push((by, intent)),
    };
    for (intent, weight, phrases) in PHRASES {
        if phrases.iter().any(|p| spaced.contains(p)) {
            add(*intent, *weight);
        }
    }
    for (intent, list) in WORDS {
        let hits = list.iter().filter(|w| words.contains(*w)).count();
        if hits > 0 {
            add(*intent, 2 * i32::try_from(hits).unwrap_or(1));
        }
    }
    scores.sort_by(|a, b| b.0.cmp(&a.0).then(a.1.cmp(&b.1)));
    let best = scores.first().map_or(0, |s| s.0);
    scores.into_iter().filter(|s| s.0 * 2 > best).map(|s| s.1).take(2).collect()
}

/// Codes and ids of the catalogue that a question names.
pub(crate) fn named(question: &str, catalogue: &Catalogue) -> Vec<String> {
    question
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .map(|w| w.trim_matches('-'))
        .filter(|w| w.contains('-') && w.len() >= 6)
        .filter(|w| landfall_diagnosis::explain(catalogue, w).is_ok())
        .map(str::to_owned)
        .take(2)
        .collect()
}

/// What the rules say, or `None` when they have no answer.
pub(crate) fn answer(question: &str, subject: Option<&Subject>, now: Timestamp) -> Option<String> {
    let catalogue = Catalogue::embedded();
    let mut parts: Vec<String> = Vec::new();
    let named = named(question, catalogue);
    let intents = intents(question);
    for id in &named {
        if let Ok(page) = landfall_diagnosis::explain(catalogue, id) {
            let mut text = format!("{} ({}): {}.", page.id, page.kind, page.title);
            for section in page.sections.iter().take(4) {
                text.push_str(&format!("\n{}:", section.heading));
                section.items.iter().take(5).for_each(|item| text.push_str(&format!("\n- {item}")));
            }
            parts.push(text);
        }
    }
    let about_it: Vec<Intent> = intents.into_iter().filter(|i| *i != Intent::Explain).collect();
    if named.is_empty() || !about_it.is_empty() {
        match subject {
            Some(subject) => {
                parts.extend(about_it.iter().map(|intent| one(*intent, subject, catalogue, now)));
            }
            None if !about_it.is_empty() => {
                parts.push(
                    "Nothing is open and no audit was made yet, so there is nothing to speak of.".into(),
                );
            }
            None => {}
        }
    }
    (!parts.is_empty()).then(|| parts.join("\n\n"))
}

/// What the rules can be asked, for somebody whose question they did not understand.
pub(crate) const CAN_SAY: &str = "I can say what the cause is, what proves it, what to do, how it stands, what changed, \
what else was considered, and how to check it by hand; and I can explain a code such as LF-TLS-001 or never-deployed.";

fn what(subject: &Subject) -> &'static str {
    match subject.about {
        About::Incident(_) => "incident",
        About::Report(_) => "report",
    }
}

fn one(intent: Intent, subject: &Subject, catalogue: &Catalogue, now: Timestamp) -> String {
    match intent {
        Intent::Cause | Intent::Explain => cause(subject),
        Intent::Proof => proof(subject),
        Intent::Action => action(subject, catalogue),
        Intent::Status => status(subject, now),
        Intent::ByHand => by_hand(subject, catalogue),
        Intent::Rivals => rivals(subject),
        Intent::Change => change(subject),
    }
}

fn no_cause(subject: &Subject) -> String {
    match (subject.status.as_str(), subject.diagnosis.as_deref()) {
        ("queued" | "running", _) => "The audit is not done yet, so the cause is not known yet.".into(),
        (_, Some("diagnosing")) => {
            "The cause is not known yet: the audit behind this incident is still running.".into()
        }
        (_, Some("unknown")) => {
            "The cause is not known: the evidence does not decide between the possible ones.".into()
        }
        (_, Some(why)) if why != "known" => format!("The cause is not known: {why}."),
        _ => format!("No cause is named in this {}.", what(subject)),
    }
}

fn cause(subject: &Subject) -> String {
    let Some((id, title, label, confidence)) = &subject.cause else { return no_cause(subject) };
    let mut text =
        format!("The cause is {label}, with {:.0} % confidence: {title} ({id}).", confidence * 100.0);
    if let Some(summary) = text_at(subject.report.as_ref(), "/summary") {
        text.push_str(&format!("\nIn one sentence: {summary}"));
    }
    if label != "confirmed"
        && let Some(ask) = text_at(subject.report.as_ref(), "/causes/0/next_probe/ask")
    {
        text.push_str(&format!("\nWhat would decide it: {ask}"));
    }
    text
}

fn proof(subject: &Subject) -> String {
    let for_it = texts(subject.report.as_ref(), "/causes/0/for", "say");
    if for_it.is_empty() {
        return match &subject.cause {
            None => no_cause(subject),
            Some((id, ..)) => format!(
                "A cause is named ({id}), but its evidence is not stored with this {}.",
                what(subject)
            ),
        };
    }
    let mut text = String::from("What speaks for it:");
    for_it.iter().take(8).for_each(|say| text.push_str(&format!("\n- {say}")));
    let against = texts(subject.report.as_ref(), "/causes/0/against", "say");
    if !against.is_empty() {
        text.push_str("\nWhat speaks against it:");
        against.iter().take(5).for_each(|say| text.push_str(&format!("\n- {say}")));
    }
    let unknown = strings(subject.report.as_ref(), "/causes/0/not_known");
    if !unknown.is_empty() {
        text.push_str("\nWhat is not known:");
        unknown.iter().take(5).for_each(|say| text.push_str(&format!("\n- {say}")));
    }
    text
}

fn section(catalogue: &Catalogue, id: &str, heading: &str) -> Vec<String> {
    let page = landfall_diagnosis::explain(catalogue, id).ok();
    page.and_then(|p| p.sections.into_iter().find(|s| s.heading == heading))
        .map(|s| s.items)
        .unwrap_or_default()
}

fn action(subject: &Subject, catalogue: &Catalogue) -> String {
    let actions = subject.report.as_ref().and_then(|r| r.pointer("/actions")).and_then(Value::as_array);
    let mut text = String::new();
    for action in actions.into_iter().flatten().take(3) {
        let title = text_at(Some(action), "/title").unwrap_or_default();
        let priority = text_at(Some(action), "/priority").unwrap_or_default();
        text.push_str(&format!("{}{priority}: {title}", if text.is_empty() { "" } else { "\n" }));
        strings(Some(action), "/steps").iter().take(6).for_each(|step| text.push_str(&format!("\n- {step}")));
        strings(Some(action), "/commands").iter().take(4).for_each(|c| text.push_str(&format!("\n  $ {c}")));
    }
    if !text.is_empty() {
        return text;
    }
    match &subject.cause {
        Some((id, title, ..)) => {
            let remedy = section(catalogue, id, "Remedy");
            if remedy.is_empty() {
                return format!("The cause is {title} ({id}), and no remedy is known for it here.");
            }
            format!("For the cause {id}:\n- {}", remedy.join("\n- "))
        }
        None => format!("{} So there is no remedy to name; an audit may find out more.", no_cause(subject)),
    }
}

fn status(subject: &Subject, now: Timestamp) -> String {
    let mut text = format!("{}: {}.", subject.title, subject.status);
    match subject.ended {
        Some(ended) => text.push_str(&format!(
            "\nIt began {} and was over {} ({}).",
            clock(subject.began),
            clock(ended),
            long(subject.began, ended)
        )),
        None => {
            text.push_str(&format!("\nIt began {} ({} ago).", clock(subject.began), long(subject.began, now)))
        }
    }
    match &subject.acknowledged {
        Some((at, by)) => text.push_str(&format!("\n{by} acknowledged it {}.", clock(*at))),
        None if matches!(subject.about, About::Incident(_)) && subject.ended.is_none() => {
            text.push_str("\nNobody has acknowledged it.");
        }
        None => {}
    }
    for (name, verdict, say) in subject.monitors.iter().take(10) {
        let say = if say.is_empty() { String::new() } else { format!(": {say}") };
        text.push_str(&format!("\n- {name} is {verdict}{say}"));
    }
    text
}

fn by_hand(subject: &Subject, catalogue: &Catalogue) -> String {
    let checks = subject.report.as_ref().and_then(|r| r.pointer("/verification")).and_then(Value::as_array);
    let mut lines = Vec::new();
    for check in checks.into_iter().flatten().take(6) {
        if let Some(request) = text_at(Some(check), "/request") {
            let title = text_at(Some(check), "/title").unwrap_or_default();
            let expect = text_at(Some(check), "/expect").unwrap_or_default();
            lines.push(format!("{title}\n  $ {request}\n  expect: {expect}"));
        }
    }
    if !lines.is_empty() {
        return format!("By hand:\n{}", lines.join("\n"));
    }
    let outside =
        subject.cause.as_ref().map(|c| section(catalogue, &c.0, "Seen from outside")).unwrap_or_default();
    if outside.is_empty() {
        return format!(
            "No commands are stored with this {}; an audit of the target gives them.",
            what(subject)
        );
    }
    format!(
        "No commands are stored with this {}. What its cause looks like from outside:\n- {}",
        what(subject),
        outside.join("\n- ")
    )
}

fn rivals(subject: &Subject) -> String {
    let list = subject.report.as_ref().and_then(|r| r.pointer("/causes/0/rivals")).and_then(Value::as_array);
    let mut text = String::new();
    for rival in list.into_iter().flatten().take(8) {
        let title = text_at(Some(rival), "/title").unwrap_or_default();
        let label = text_at(Some(rival), "/label").unwrap_or_default();
        let why = text_at(Some(rival), "/why").unwrap_or_default();
        text.push_str(&format!("\n- {title} ({label}): {why}"));
    }
    if text.is_empty() {
        return format!("No rivals are stored with this {}.", what(subject));
    }
    format!("What else was considered:{text}")
}

fn change(subject: &Subject) -> String {
    let list = subject.difference.as_ref().and_then(Value::as_array);
    let mut text = String::new();
    for change in list.into_iter().flatten().take(20) {
        let at = |name: &str| text_at(Some(change), &format!("/{name}")).unwrap_or("absent");
        text.push_str(&format!("\n- {}: {} before, {} after", at("what"), at("before"), at("after")));
    }
    if text.is_empty() {
        return "No difference between the last good check and the first bad one is stored, so what changed is not known.".into();
    }
    format!("Between the last good check and the first bad one:{text}")
}

fn text_at<'a>(value: Option<&'a Value>, pointer: &str) -> Option<&'a str> {
    value?.pointer(pointer)?.as_str().filter(|s| !s.is_empty())
}

fn strings<'a>(value: Option<&'a Value>, pointer: &str) -> Vec<&'a str> {
    let list = value.and_then(|v| v.pointer(pointer)).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(Value::as_str).collect()
}

fn texts<'a>(value: Option<&'a Value>, pointer: &str, field: &str) -> Vec<&'a str> {
    let list = value.and_then(|v| v.pointer(pointer)).and_then(Value::as_array);
    list.into_iter().flatten().filter_map(|v| v.get(field)?.as_str()).collect()
}

fn clock(at: Timestamp) -> String {
    at.strftime("on %Y-%m-%d at %H:%M UTC").to_string()
}

fn long(from: Timestamp, to: Timestamp) -> String {
    let s = (to.as_second() - from.as_second()).max(0);
    match s {
        0..60 => format!("{s} s"),
        60..3600 => format!("{} min", s / 60),
        3600..172_800 => format!("{} h {} min", s / 3600, s % 3600 / 60),
        _ => format!("{} days", s / 86_400),
    }
}
