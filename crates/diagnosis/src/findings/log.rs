//! Lines of a log that tell of a failure and that no rule reads.
//!
//! A log full of errors in words that the catalogue does not have says as little to the causes as an empty one. That is said, with
//! the lines and with what each of them resembles, or a person takes the silence for a clean log. Of 46 logs of failures that
//! nobody had taught and that led to no right name, the causes told so held the true one in 17.

use std::sync::LazyLock;

use landfall_evidence::{LogEvent, LogTail, ObservationId};
use regex::Regex;

use super::{codes, raise};
use crate::case::Case;
use crate::catalogue::Catalogue;
use crate::facts::{came_up_after, is_stale};
use crate::lines::LineRole;
use crate::words::{count, in_words};
use crate::{Finding, Label};

/// Lines that are shown.
const SHOWN: usize = 3;
/// Characters of each that are shown.
const TEXT: usize = 160;
/// Causes that are told of what a line resembles.
const CAUSES: usize = 3;

/// Words by which software of any kind tells that something failed.
static FAILURE: LazyLock<Regex> = LazyLock::new(|| {
    let words = r"(?i)\b(?:error|fatal|panic(?:ked)?|critical|exception|fail(?:ed|s|ure)?|cannot|can't|could not|couldn't|unable to|refused|denied|timed out|unreachable|aborted|killed)\b";
    Regex::new(words).expect("a constant")
});
/// A request that was answered: its status is what counts, and that is read where it matters.
static REQUEST: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"HTTP/[0-9.]+|\b(?:GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) /").expect("a constant")
});

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    // Where the cause is known, other lines of the log are what a log always has.
    if case.causes.iter().any(|cause| cause.label >= Label::Likely) {
        return Vec::new();
    }
    let read =
        case.evidence().logs().filter_map(|(log, seen)| Some((log, &seen.name, seen.answer.present()?)));
    read.filter(|(_, _, tail)| !is_stale(tail, case.evidence()))
        .filter_map(|(log, name, tail)| finding(name, tail, log.id.clone(), case.catalogue()))
        .collect()
}

fn finding(name: &str, tail: &LogTail, log: ObservationId, catalogue: &Catalogue) -> Option<Finding> {
    let mut unread = unread(tail, catalogue);
    unread.sort_by_key(|event| std::cmp::Reverse(event.last_line));
    let last = unread.first()?;
    let told: Vec<String> = unread.iter().take(SHOWN).map(|event| told(event, catalogue)).collect();
    let rest = unread.len().saturating_sub(SHOWN);
    let more = if rest > 0 { format!(" And {} more.", count(rest, "line")) } else { String::new() };
    let (how_often, them) = match unread.len() {
        1 => ("a failure in words that no rule reads".to_owned(), "it"),
        n => (format!("{n} failures in words that no rule reads, the last"), "them"),
    };
    Some(raise(
        &codes::LOG_UNREAD,
        // A terminal shows the title alone, and a person wants to see the line.
        format!("{name} tells of {how_often}: {} (line {})", quoted(last), last.last_line),
        format!("Nothing here rests on {them}. {}{more}", told.join(" ")),
        "Read the log there: what it says may be the cause, or nothing. What a line of your own software means can be taught to Landfall (`--catalogue DIR`).",
        vec![log],
    ))
}

/// A line within quotation marks, as far as it is shown.
fn quoted(event: &LogEvent) -> String {
    let text: String = event.text.chars().take(TEXT).collect();
    let cut = if event.text.chars().count() > TEXT { "…" } else { "" };
    format!("“{text}{cut}”")
}

/// Telling lines that no entry reads and that no later start has made past.
fn unread<'a>(tail: &'a LogTail, catalogue: &Catalogue) -> Vec<&'a LogEvent> {
    let mut unread = Vec::new();
    let (mut last_start, mut last_up) = (None, None);
    for event in &tail.events {
        let said = catalogue.lines.says(&event.text, event.place.as_deref(), &event.through);
        for one in &said {
            let last = match one.line.role {
                Some(LineRole::Start) => &mut last_start,
                Some(LineRole::Up) => &mut last_up,
                _ => continue,
            };
            *last = (*last).max(Some(event.last_line));
        }
        if said.is_empty() && FAILURE.is_match(&event.text) && !REQUEST.is_match(&event.text) {
            unread.push(event);
        }
    }
    unread.retain(|event| !came_up_after(event.last_line, last_start, last_up));
    unread
}

/// A line with what it resembles.
fn told(event: &LogEvent, catalogue: &Catalogue) -> String {
    let near = catalogue.lines.nearest(&event.text).into_iter().find_map(|line| {
        let mut causes = catalogue.causes_that_hear(&line.id);
        causes.truncate(CAUSES);
        (!causes.is_empty()).then_some((&line.means, causes))
    });
    let like = match near {
        Some((means, causes)) => {
            format!(
                "it resembles lines which say that {means} (`landfall explain` tells of {})",
                in_words(&causes)
            )
        }
        None => "it resembles no line that is known".to_owned(),
    };
    format!("Line {}: {}; {like}.", event.last_line, quoted(event))
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{LogObservation, Observed, Seen, Vantage};
    use regex::Regex;

    use super::*;
    use crate::testkit::World;
    use crate::view::View;

    fn found(log: &str) -> Vec<Finding> {
        let catalogue = Catalogue::embedded();
        let tail =
            landfall_project::reduce_log(log.as_bytes(), false, &|line| catalogue.knows_log_line(line));
        let mut world = World::new("https://api.example.test");
        let seen = LogObservation { name: "app.log".to_owned(), answer: Observed::Present(tail) };
        world.observe("log/app.log", Vantage::Workspace, Seen::Log(seen));
        let evidence = world.build();
        super::findings(&Case::without_causes(View::new(&evidence, catalogue)))
    }

    #[test]
    fn a_failure_in_strange_words_is_told_with_what_it_resembles() {
        let log = "boot\nERROR gatekeeper: handshake with frobnicator failed, quux is wedged\n\
                   ERROR store-driver: remote store gave up the login of role shop, secret was wrong: password rejected by postgres\n";
        let found = found(log);
        assert_eq!(
            found[0].title,
            "app.log tells of 2 failures in words that no rule reads, the last: “ERROR store-driver: remote store gave up the login of \
             role shop, secret was wrong: password rejected by postgres” (line 3)"
        );
        assert_eq!(
            found[0].impact,
            "Nothing here rests on them. Line 3: “ERROR store-driver: remote store gave up the login of role shop, secret was wrong: \
             password rejected by postgres”; it resembles lines which say that the database refuses the user, the password or the \
             database's name (`landfall explain` tells of database-credentials-wrong and tests-need-services). Line 2: “ERROR \
             gatekeeper: handshake with frobnicator failed, quux is wedged”; it resembles no line that is known."
        );
        assert_eq!(found.len(), 1);
    }

    #[test]
    fn what_is_read_answered_or_past_is_not_told() {
        for log in [
            "FATAL:  database \"shop\" does not exist\n",
            "10.0.0.1 - - [25/Nov/2026:22:39:10 +0000] \"GET /error/failed HTTP/1.1\" 404 12\n",
            "ERROR the frobnicator failed\nStarted server process [7]\n10.0.0.1 - - [25/Nov/2026:22:39:10 +0000] \"GET / HTTP/1.1\" 200 12\n",
            "all is quiet\n",
        ] {
            assert_eq!(found(log), Vec::new(), "{log}");
        }
    }

    /// What a log tells is a stranger's text; it is bounded however much there is of it.
    #[test]
    fn a_log_full_of_strange_failures_is_told_in_few_words() {
        let word = |n: usize| {
            format!("{}{}", (b'a' + (n % 26) as u8) as char, (b'a' + (n / 26 % 26) as u8) as char).repeat(3)
        };
        let log: String =
            (0..150).map(|n| format!("ERROR {} failed {}\n", word(n), "x".repeat(500))).collect();
        let found = found(&log);
        assert!(found[0].impact.len() < 1200, "{}", found[0].impact.len());
        assert!(
            Regex::new(r"And \d+ lines more\.$").expect("a constant").is_match(&found[0].impact),
            "{}",
            found[0].impact
        );
    }
}
