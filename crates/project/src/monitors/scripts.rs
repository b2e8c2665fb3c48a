//! Smoke tests: what `curl` and `wget` ask in shell scripts and in the steps of workflows.
//!
//! Source: the manual pages curl(1) (--fail, --head, --location, --max-time) and wget(1) (--spider). The time-outs of wget are for each
//! phase and for idle time, and none for the whole request.

use std::sync::LazyLock;

use landfall_evidence::Says;
use regex::Regex;

use super::{Found, REDIRECTS, SUCCESS, is_credential, millis};
use crate::tree::file_name;

static GREP: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r#"\|\s*grep\s+((?:-\w+\s+)*)(?:'([^']+)'|"((?:[^"\\]|\\.)+)"|([\w:.-]+))"#)
        .expect("a constant pattern, covered by tests")
});

/// Options by which something is sent, or which ask in a way that a GET here does not. `-T` is an upload of curl; of wget it is
/// the time-out of each phase.
const SENDS: &[&str] =
    &["--data", "--form", "--json", "--post-", "--body-", "--upload-file", "--max-redirect=0"];

/// What makes the outcome of a command of no account.
static FORGIVEN: LazyLock<Regex> = LazyLock::new(|| {
    Regex::new(r"\|\|\s*(?::(?:\s|$)|true\b|exit 0\b|echo\b|printf\b)")
        .expect("a constant pattern, covered by tests")
});

/// Whether a file is a workflow of a continuous integration.
pub(super) fn is_workflow(path: &str) -> bool {
    path.starts_with(".github/workflows/") || file_name(path) == ".gitlab-ci.yml"
}

/// The requests of a script, with its lines joined where they go on.
pub(super) fn read(file: &str, text: &str) -> Vec<Found> {
    let mut found = Vec::new();
    let mut lines = text.lines().enumerate();
    while let Some((at, line)) = lines.next() {
        let mut whole = line.trim().to_owned();
        while whole.ends_with('\\') {
            whole.pop();
            let Some((_, next)) = lines.next() else { break };
            whole.push(' ');
            whole.push_str(next.trim());
        }
        if whole.starts_with('#') || !whole.contains("https://") {
            continue;
        }
        found.extend(request(&whole).map(|check| Found { place: format!("{file}:{}", at + 1), ..check }));
    }
    found
}

/// The one request of a command line. One that sends something, or takes any answer, checks nothing that a GET shows.
fn request(line: &str) -> Option<Found> {
    let at = ["curl ", "wget "].iter().filter_map(|name| line.find(name)).min()?;
    let (command, rest) = line[at..].split_once(' ')?;
    // A query has its own `&`, within quotes or not.
    let end = [" |", ";", " &&"].iter().filter_map(|mark| rest.find(mark)).min();
    let (own, behind) = end.map_or((rest, ""), |end| rest.split_at(end));
    if FORGIVEN.is_match(behind) {
        return None;
    }
    let mut check = Found { tool: command.to_owned(), ..Found::default() };
    let (mut fails, mut sends) = (command == "wget", false);
    let mut says_alone = false;
    let mut words = own.split_whitespace().map(|word| word.trim_matches(['"', '\'', ')', '(']));
    while let Some(word) = words.next() {
        let short = |flag: char| word.starts_with('-') && !word.starts_with("--") && word.contains(flag);
        if word.starts_with("https://") {
            check.url = word.to_owned();
        } else if let Some(value) = word.strip_prefix("--max-time=") {
            check.within_ms = millis(value, 1_000);
        } else if matches!(word, "--max-time" | "-m") {
            check.within_ms = words.next().and_then(|value| millis(value, 1_000));
        } else if matches!(
            word,
            "-H" | "--header" | "-b" | "--cookie" | "-u" | "--user" | "--oauth2-bearer" | "-n" | "--netrc"
        ) || ["--user=", "--http-user=", "--password="]
            .iter()
            .any(|option| word.starts_with(option))
        {
            check.signs_in |=
                word != "-H" && word != "--header" || is_credential(words.next().unwrap_or_default());
        } else if let Some(header) = word.strip_prefix("--header=") {
            check.signs_in |= is_credential(header);
        } else if matches!(word, "-X" | "--request") {
            check.method = words.next().map(str::to_owned);
        } else if let Some(method) = word.strip_prefix("--method=").or_else(|| word.strip_prefix("-X")) {
            check.method = Some(method.to_owned());
        } else if SENDS.iter().any(|option| word.starts_with(option)) || (word == "-T" && command == "curl") {
            sends = true;
        } else if word == "--fail" || word == "--fail-with-body" {
            fails = true;
        } else if word == "--head" || word == "--spider" {
            check.method = Some("HEAD".to_owned());
        } else if word == "--location" {
            check.follows = true;
        } else if short('d') || short('F') {
            sends = true;
        } else {
            // Options of one letter stand together, and the last of them may take the next word.
            if short('X') && word.ends_with('X') {
                check.method = words.next().map(str::to_owned);
            }
            check.signs_in |= short('u') || short('b');
            fails |= short('f');
            check.follows |= short('L');
            if short('I') {
                check.method = Some("HEAD".to_owned());
            }
        }
    }
    if let Some(grep) = GREP.captures(behind).filter(|_| behind.starts_with(" |")) {
        let wanted =
            (2..=4).find_map(|group| grep.get(group)).map(|text| text.as_str().replace("\\\"", "\""))?;
        let flags = grep.get(1).map_or("", |flags| flags.as_str());
        // A negated search, and one for the status line, are other questions.
        if !flags.contains('v') && !wanted.starts_with("HTTP") {
            // Without --fail the word counts, whatever the status is.
            says_alone = !fails;
            fails = true;
            let pattern = if flags.contains('F') {
                regex::escape(&wanted)
            } else if flags.contains(['E', 'P']) {
                wanted
            } else {
                basic(&wanted)
            };
            let fold = if flags.contains('i') { "(?i)" } else { "" };
            check.says.push(Says::Pattern(format!("{fold}{pattern}")));
        }
    }
    if sends || !fails || check.url.is_empty() {
        return None;
    }
    // curl calls a redirect that it does not follow a success; wget follows.
    check.follows |= command == "wget";
    if says_alone {
        check.status = (100..600).collect();
    } else if !check.follows {
        check.status = SUCCESS.iter().chain(&REDIRECTS).copied().collect();
    }
    Some(check)
}

/// A basic regular expression (POSIX, section 9.3) in the extended form: its brackets and braces stand for themselves.
fn basic(pattern: &str) -> String {
    let mut out = String::new();
    let mut letters = pattern.chars();
    while let Some(letter) = letters.next() {
        match letter {
            '\\' => match letters.next() {
                Some(special @ ('(' | ')' | '{' | '}' | '|' | '+' | '?')) => out.push(special),
                Some(other) => out.extend(['\\', other]),
                None => {}
            },
            '(' | ')' | '{' | '}' | '|' | '+' | '?' => out.extend(['\\', letter]),
            letter => out.push(letter),
        }
    }
    out
}
