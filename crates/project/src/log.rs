//! The end of a log file, brought down to its telling lines.
//!
//! Which lines are kept is decided by words that programs of every kind use for errors, starts, listening, exits and
//! signals, and by whether the caller knows the line; nothing here knows a program. Lines that differ only in times and
//! ids are counted, not repeated. Bounds: the last [`TAIL_BYTE`] of the file, [`LINE_BYTE`] of a line, [`EVENTS`] events of
//! [`TEXT`] characters.

mod fields;
mod frames;
mod names;

use std::collections::HashMap;
use std::fs::File;
use std::io::{Read, Seek, SeekFrom};
use std::path::Path;
use std::sync::LazyLock;

use jiff::Timestamp;
use landfall_evidence::{LogEvent, LogTail, Observed, OtherLetters, ProbeFault, redact_log_line};
use regex::{Regex, RegexSet};

/// What is read at most of a file: its end. A crash loop of an hour fits many times over.
pub(crate) const TAIL_BYTE: u64 = 4 << 20;
/// What is read at most of one line.
pub(crate) const LINE_BYTE: usize = 8 << 10;
/// What is read at most of a line that is one JSON object: cut it is none, and the trace of a JVM alone may take more.
pub(crate) const OBJECT_BYTE: usize = 128 << 10;
/// Events kept at most: the first ones tell how it began, the last ones how it stands.
pub(crate) const EVENTS: usize = 200;
/// Of those, this many are the first.
const FIRST: usize = 60;
/// Characters kept of a line.
pub(crate) const TEXT: usize = 300;
/// Different lines looked at before further ones are only counted.
const DISTINCT: usize = 4000;
/// Lines looked at of a trace that stands in one field. A JVM names the cause below the frames of what it caused.
const FRAMES: usize = 400;
/// How many times a platform's words before a line may stand one behind the other: compose, then a time.
const PREFIXES: usize = 3;
/// How much of the file's beginning decides whether it is text.
const SNIFF: usize = 8 << 10;

struct Patterns {
    telling: RegexSet,
    request: Regex,
    haproxy: Regex,
    time: Regex,
    changing: Regex,
    escape: Regex,
    frame: Regex,
    node_frame: Regex,
    prefix: Regex,
}

static PATTERNS: LazyLock<Patterns> = LazyLock::new(|| {
    let one = |pattern: &str| Regex::new(pattern).expect("a constant pattern, covered by the tests");
    Patterns {
        telling: RegexSet::new([
            // Something is wrong.
            r"(?i)error|exception|\bfatal|critical|panic|\bfail(?:ed|ure|s|ing)?\b|\bwarn|\bemerg|\balert\b|abort",
            r"\bE[A-Z]{4,}\b|Errno|errno",
            r"(?i)\bmust be (?:set|provided|defined)|NotPresent|could not (?:load|resolve|determine)|already running|not (?:set|provided|configured|present)\b",
            // A build is refused.
            r"(?i)\bforbidden\b|\block ?file\b|\brequires? (?:go|rustc|python|node|php|ruby)\b|your (?:ruby|php|node) version",
            r"(?i)no such|permission denied|not found|not defined|cannot|can't|could not|unable to|denied|refused|timed? ?out|unreachable|killed|out of memory|oom|segfault|core dumped|missing|invalid|expired|too many|exhausted|no space|read-only|unhealthy|back-?off|not supported|does not exist|not available|unavailable|not callable|unrecognized|required|violat|undefined|rejected|blocked request|quota|limit",
            r"(?i)no module named|\bexceed|insufficient|depleted|used up|mismatch|\bpending\b|\bverif(?:y|ied|ication)|unhealthy|\bno (?:\w+ )?(?:workers?|consumers?)\b",
            // What it says of a refusal or a lack without any of those words.
            r"(?i)exceed|too (?:large|long|big)|unauthori[sz]ed|forbidden|prohibited|blocked|mismatch|unsupported|d(?:oes|id)(?: not|n't) (?:match|have)|is not (?:enabled|valid)|must (?:not|install|support)|listen queue|queuefull|detected issues|no basic auth|no available|bad gateway|throttled|prevents|dns problem|couldn't|: no module|no open|not have any|unknown|segmentation|insufficient|suspended|verif(?:y|ication)|queue full|number of threads|low on resource|never became|not satisfy|not allowed|doesn't exist|be detected|scaled down|skipp(?:ed|ing)|CSRF|skew",
            // A certificate comes, or is waited for; Render's word for a start.
            r"(?i)certificate|\bacme\b|==> running",
            // It starts, and where it listens.
            r"(?i)\bstart(?:ed|ing|up)?\b|boot(?:ed|ing)|listening|running (?:on|at|in)|\bserving\b|serve at|\bready\b|\bbind|worker|restart|deploy|development server|debug mode",
            r"(?i)\bLocal:\s+https?://|\bNetwork:\s+https?://|no open (?:https? |tcp )?ports?",
            r"(?i)\b(?:on|at) (?:https?://)?(?:0\.0\.0\.0|\[::1?\]|127\.0\.0\.1|localhost|\*):\d{2,5}/?\s*$|\b(?:on|at) port:? ?\d{2,5}\b",
            // What a start does before it serves.
            r"(?i)\bmigrat|\bloading\b|\bwarming\b|\bdownloading\b|\bwaiting for\b|\binitiali[sz]ing\b|creating (?:a )?new",
            // It ends.
            r"(?i)\bexit|stopp|shut(?:ting)? ?down|crash|terminat|signal|\bSIG[A-Z]+\b|state changed|\bcompleted\b|draining|^Node\.js v\d",
            // In whatever language the rest is: an address of this machine with its port, and a host that gave an error status.
            r"https?://(?:0\.0\.0\.0|\[::1?\]|127\.0\.0\.1|localhost|\*):\d{2,5}\b|(?i)[a-z0-9]\.[a-z]{2,}\b.{0,40}\b[45]\d\d\b",
            // Words of single programs: Kafka and AMQP clients, Oracle, the JVM, make, Go, the kernel, glibc, Node and Kubernetes.
            r"(?i)expected a|\bbrokers?\b|no listener|no servers|main manifest|don't know how|requires cgo|MemoryPressure|free or corruption|NODE_MODULE_VERSION|ErrImageNeverPull|was not possible|not installed|\bORA-\d|\bunexpectedly\b",
            // Settings being read, which say what a trace is about.
            r"environ|getenv|process\.env|ENV\[",
        ])
        .expect("constant patterns, covered by the tests"),
        request: one(r#"(?:^|["\s])(GET|HEAD|POST|PUT|PATCH|DELETE|OPTIONS) (/[^\s"?]*)\S*(?: HTTP/[0-9.]+)?(?:" ?| )(?:- )?([1-5]\d\d)\b"#),
        // HAProxy's log tells how a session ended by letters alone (manual, section 8.5): who ended it, and in which state.
        haproxy: one(
            r" (?P<server>[^\s/]+/\S+) (?:-?\d+/){2,4}\+?-?\d+ (?P<status>(?:[1-5]\d\d|-1) )?\+?\d+ .{0,80}?(?P<state>[CSPLRDUIKcs][RQCHDLT-](?:[NIDVEOUR-][NIURPD-])?) \d+/\d+/\d+/\d+/\+?\d+ \d+/\d+",
        ),
        time: one(
            r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d:\d\d(?:[.,]\d+)?(?: ?(?:Z|UTC|[+-]\d\d:?\d\d))?|\d\d/[A-Z][a-z]{2}/\d{4}[: ]\d\d:\d\d:\d\d(?: [+-]\d{4})?|[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d",
        ),
        changing: one(r"(?i)\bpid[:= ]*\d+|\[\d+\]|\(\d+\)|0x[0-9a-f]+|\b[0-9a-f]{8,}\b|\d{4,}|\d+\.\d+ ?m?s\b"),
        escape: one(r"\x1b\[[0-9;?]*[ -/]*[@-~]"),
        frame: one(r#"^\s*(?:\| *)?File "([^"]+)", line (\d+)"#),
        node_frame: one(r"^\s+at (?:.*\()?((?:file://)?/?[^():]+):(\d+):\d+\)?(?: \{)?$"),
        // What platforms write before a program's own line: Heroku (`TIME app[web.1]: `), Fly (`TIME app[ID] fra [info]`),
        // Railway (`TIME [err]  `), DigitalOcean (`[web] [TIME] `), docker compose (`web-1  | `), journald
        // (`Nov 25 20:56:08 host unit[7]: `), kubectl --timestamps.
        prefix: one(
            r"^(?:\d{4}-\d\d-\d\dT[0-9:.]+(?:Z|[+-]\d\d:?\d\d) (?:(?:app|heroku)\[[\w.-]+\]: |app\[\w+\] [a-z]{3} \[\w+\] ?|\[(?:inf|err|wrn|dbg)\] {0,2})?|[\w.-]+ +\| ?|\[[\w.-]+\] \[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d\] |[A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d [\w.-]+ [\w@./-]+\[\d+\]: )",
        ),
    }
});

/// Reads the end of a log file.
///
/// `known` says of a line, as it would be kept, whether somebody can tell what it means; it is asked of those that show none
/// of the words by which a line is kept otherwise. What cannot be read (no such file, a folder, not text) is unasked, with
/// the reason and the mend.
pub fn read_log(file: &Path, known: &dyn Fn(&str) -> bool) -> Observed<LogTail> {
    match tail(file) {
        Ok((bytes, size_byte, cut)) => match sniff(file, &bytes) {
            Ok(()) => Observed::Present(LogTail { size_byte, ..reduce(&bytes, cut, known) }),
            Err(detail) => Observed::Unasked(ProbeFault::Local { detail }),
        },
        Err(detail) => Observed::Unasked(ProbeFault::Local { detail }),
    }
}

fn tail(file: &Path) -> Result<(Vec<u8>, u64, bool), String> {
    let shown = file.display();
    let told = |error: std::io::Error| format!("the log {shown} cannot be read: {error}");
    let about = std::fs::metadata(file).map_err(|error| {
        format!("the log {shown} cannot be read: {error} (name a file with --log, or remove it from `logs` in landfall.toml)")
    })?;
    // A pipe or a device would make us wait for whoever writes to it.
    if !about.is_file() {
        return Err(format!(
            "the log {shown} is not a regular file; save it first, and name that file with --log"
        ));
    }
    let mut open = File::open(file).map_err(told)?;
    let from = about.len().saturating_sub(TAIL_BYTE);
    open.seek(SeekFrom::Start(from)).map_err(told)?;
    let mut bytes = Vec::new();
    open.take(TAIL_BYTE).read_to_end(&mut bytes).map_err(told)?;
    Ok((bytes, about.len(), from > 0))
}

fn sniff(file: &Path, bytes: &[u8]) -> Result<(), String> {
    let shown = file.display();
    if bytes.starts_with(&[0x1f, 0x8b]) {
        return Err(format!("the log {shown} is compressed; unpack it first: gzip -dc {shown} > app.log"));
    }
    let begin = &bytes[..bytes.len().min(SNIFF)];
    if let Some(at) = begin.iter().position(|byte| *byte == 0) {
        return Err(format!(
            "the log {shown} is not text: a NUL byte at {at}; a log in UTF-16 has to be converted first: iconv -f UTF-16 -t UTF-8"
        ));
    }
    let strange =
        String::from_utf8_lossy(begin).chars().filter(|c| *c == char::REPLACEMENT_CHARACTER).count();
    if strange * 10 > begin.len().max(100) {
        return Err(format!("the log {shown} is not text; name the log itself with --log"));
    }
    Ok(())
}

/// A trace that is being read: the frames so far, and the line after the last one.
#[derive(Default)]
struct Trace {
    open: bool,
    frames: bool,
    own: Option<String>,
    wants_code: bool,
    /// Packages of the frames so far, the innermost first. Python names what was thrown after them.
    through: Vec<String>,
}

struct Reducer<'a> {
    known: &'a dyn Fn(&str) -> bool,
    events: Vec<LogEvent>,
    places: HashMap<String, usize>,
    dropped: u64,
    trace: Trace,
    /// The event that the frames of a Node trace, which follow it, belong to.
    thrown: Option<usize>,
    names: names::Names,
    first_at: Option<Timestamp>,
    last_at: Option<Timestamp>,
}

/// Brings the text of a log down to its telling lines. `cut` says that the first line is the end of another.
///
/// `known` as for [`read_log`].
pub fn reduce(bytes: &[u8], cut: bool, known: &dyn Fn(&str) -> bool) -> LogTail {
    let mut reducer = Reducer {
        known,
        events: Vec::new(),
        places: HashMap::new(),
        dropped: 0,
        trace: Trace::default(),
        thrown: None,
        names: names::Names::default(),
        first_at: None,
        last_at: None,
    };
    let mut count = 0;
    let skip = usize::from(cut);
    for line in bytes.split(|byte| *byte == b'\n').skip(skip).filter(|line| !line.is_empty()) {
        count += 1;
        let line = String::from_utf8_lossy(&line[..line.len().min(OBJECT_BYTE)]);
        reducer.line(count, line.trim_end_matches('\r'));
    }
    let masked = |name: &str| clip(&redact_log_line(name));
    let other_letters = reducer.names.in_other_letters();
    let other_letters = other_letters
        .into_iter()
        .map(|(line, there, asked)| OtherLetters { line, there: masked(there), asked: masked(asked) })
        .collect();
    let mut events = reducer.events;
    let mut dropped = reducer.dropped;
    if events.len() > EVENTS {
        // Events stand by their first occurrence; what matters of the rest is what came last.
        let mut rest = events.split_off(FIRST);
        rest.sort_by_key(|event| std::cmp::Reverse(event.last_line));
        dropped += rest.iter().skip(EVENTS - FIRST).map(|event| event.count).sum::<u64>();
        rest.truncate(EVENTS - FIRST);
        events.extend(rest);
        events.sort_by_key(|event| event.line);
    }
    LogTail {
        size_byte: bytes.len() as u64,
        read_byte: bytes.len() as u64,
        lines: count,
        first_at: reducer.first_at,
        last_at: reducer.last_at,
        events,
        other_letters,
        dropped,
    }
}

impl Reducer<'_> {
    fn line(&mut self, number: u64, raw: &str) {
        let p = &*PATTERNS;
        let line: String =
            p.escape.replace_all(raw, "").chars().map(|c| if c.is_control() { ' ' } else { c }).collect();
        if let Some(found) = p.time.find(&line)
            && let Some(at) = timestamp(found.as_str())
        {
            self.first_at.get_or_insert(at);
            self.last_at = Some(at);
        }
        let bare = behind_platform(&line);
        let structured = bare.starts_with('{').then(|| serde_json::from_str(bare).ok()).flatten();
        if let Some(serde_json::Value::Object(fields)) = structured
            && self.fields(number, &fields)
        {
            return;
        }
        let line = &line[..boundary(&line, LINE_BYTE)];
        let bare = behind_platform(line);
        if self.names.line(number, bare) || self.in_trace(bare) {
            return;
        }
        if let Some(request) = p.request.captures(line) {
            let status = &request[3];
            // Failing paths are told one by one; the others only that they are served.
            let key =
                if status.starts_with('5') { format!("{status} {}", &request[2]) } else { status.to_owned() };
            self.keep(number, key, format!("{} {} answered {status}", &request[1], &request[2]), None);
            // What a proxy adds to such a line (Envoy's flags, gorouter's reason) says why.
            if status.starts_with(['4', '5']) && (self.known)(&clip(line.trim())) {
                self.keep(number, normal(line), line.to_owned(), None);
            }
            return;
        }
        if let Some(session) = p.haproxy.captures(line) {
            let part = |name: &str| session.name(name).map_or("", |part| part.as_str());
            let key = format!("haproxy {} {}{}", part("server"), part("status"), part("state"));
            self.keep(number, key, line.to_owned(), None);
            return;
        }
        if !self.tells(line) {
            return;
        }
        let key = normal(line);
        let place =
            self.trace.frames.then(|| self.trace.own.take().unwrap_or_else(|| "(library)".to_owned()));
        let through = std::mem::take(&mut self.trace).through;
        self.thrown = self.keep(number, key, line.to_owned(), place);
        if let Some(event) = self.thrown.and_then(|at| self.events.get_mut(at))
            && !through.is_empty()
        {
            event.through = through;
        }
    }

    fn tells(&self, line: &str) -> bool {
        PATTERNS.telling.is_match(line) || (self.known)(&clip(line.trim()))
    }

    /// A line that is one JSON object: its words are put together, because the message may stand behind hundreds of
    /// characters of headers. Whether it was told here.
    fn fields(&mut self, number: u64, object: &serde_json::Map<String, serde_json::Value>) -> bool {
        if let Some(at) = fields::time(object) {
            self.first_at.get_or_insert(at);
            self.last_at = Some(at);
        }
        let Some(reading) = fields::read(object) else { return false };
        let mut is_told = false;
        for line in reading.access.iter().chain(&reading.foreign) {
            self.line(number, line);
            is_told = true;
        }
        let Some(told) = reading.told.filter(|told| self.tells(&told.text) || !told.trace.is_empty()) else {
            return is_told;
        };
        self.trace = Trace::default();
        self.thrown = None;
        if self.tells(&told.text) {
            self.thrown = self.keep(number, normal(&told.text), told.text.clone(), None);
        }
        for line in told.trace.iter().take(FRAMES).filter(|line| !line.trim().is_empty()) {
            let is_head = told.text.contains(line.trim()) && !self.trace.frames;
            if !is_head && !self.in_trace(line) {
                self.line(number, line);
            }
        }
        self.trace = Trace::default();
        true
    }

    /// Whether a line is part of a trace, which is told by its exception and one frame.
    fn in_trace(&mut self, line: &str) -> bool {
        let p = &*PATTERNS;
        if line.contains("Traceback (most recent call last)") || line.contains("Exception Group Traceback") {
            self.trace = Trace { open: true, ..Trace::default() };
            return true;
        }
        if let Some(frame) = p.frame.captures(line) {
            let file = &frame[1];
            if let Some(package) = frames::package(line)
                && self.trace.through.first() != Some(&package)
            {
                self.trace.through.retain(|name| *name != package);
                self.trace.through.insert(0, package);
                self.trace.through.truncate(frames::PACKAGES);
            }
            self.trace.open = true;
            self.trace.frames = true;
            self.trace.wants_code = !is_library(file);
            if self.trace.wants_code {
                self.trace.own = Some(format!("{file}:{}", &frame[2]));
            }
            return true;
        }
        if self.trace.open && line.starts_with("    ") {
            if self.trace.wants_code
                && let Some(own) = &mut self.trace.own
                && !line.trim_matches([' ', '^', '~']).is_empty()
            {
                own.push(' ');
                own.push_str(line.trim());
                self.trace.wants_code = false;
            }
            return true;
        }
        // Everywhere else what was thrown comes first, and its frames follow.
        if let Some(event) = self.thrown.and_then(|at| self.events.get_mut(at))
            && event.through.len() < frames::PACKAGES
            && let Some(package) = frames::package(line)
            && !event.through.contains(&package)
        {
            event.through.push(package);
        }
        if frames::is_bare(line) && !(self.known)(&clip(line.trim())) {
            return true;
        }
        if let Some(frame) = p.node_frame.captures(line) {
            if let Some(event) = self.thrown.and_then(|at| self.events.get_mut(at)) {
                let own = !is_library(&frame[1]);
                let empty = event.place.as_deref().is_none_or(|place| place == "(library)");
                if empty {
                    event.place = Some(if own {
                        clip(&format!("{}:{}", &frame[1], &frame[2]))
                    } else {
                        "(library)".to_owned()
                    });
                }
            }
            return true;
        }
        line.trim_start().starts_with("at ") && line.starts_with(' ')
    }

    fn keep(&mut self, number: u64, key: String, text: String, place: Option<String>) -> Option<usize> {
        let text = clip(&redact_log_line(text.trim()));
        let place = place.map(|place| clip(&redact_log_line(&place)));
        if let Some(at) = self.places.get(&key) {
            let event = &mut self.events[*at];
            event.count += 1;
            event.last_line = number;
            event.text = text;
            event.place = place.or(event.place.take());
            return Some(*at);
        }
        if self.events.len() >= DISTINCT {
            self.dropped += 1;
            return None;
        }
        self.places.insert(key, self.events.len());
        self.events.push(LogEvent {
            line: number,
            last_line: number,
            count: 1,
            text,
            place,
            through: Vec::new(),
        });
        Some(self.events.len() - 1)
    }
}

/// Where a text of at most so many bytes ends.
fn boundary(text: &str, most_byte: usize) -> usize {
    (0..=most_byte.min(text.len())).rev().find(|at| text.is_char_boundary(*at)).unwrap_or(0)
}

/// A line without what platforms write before it.
fn behind_platform(line: &str) -> &str {
    let mut bare = line;
    for _ in 0..PREFIXES {
        let Some(found) = PATTERNS.prefix.find(bare) else { break };
        bare = &bare[found.end()..];
    }
    bare
}

/// Whether a source file belongs to the runtime or to an installed package.
fn is_library(file: &str) -> bool {
    [
        "site-packages",
        "dist-packages",
        "/lib/python",
        "node_modules",
        "node:",
        ".pyx",
        "/bin/gunicorn",
        "/bin/uvicorn",
        "/bin/flask",
    ]
    .iter()
    .any(|part| file.contains(part))
        || file.starts_with('<')
}

/// A line without what differs each time that it is written.
fn normal(line: &str) -> String {
    let key = PATTERNS.time.replace_all(line, "#");
    PATTERNS.changing.replace_all(&key, "#").into_owned()
}

fn clip(text: &str) -> String {
    beginning(text, TEXT).to_owned()
}

/// At most so many characters from the beginning of a text.
fn beginning(text: &str, most: usize) -> &str {
    text.char_indices().nth(most).map_or(text, |(at, _)| &text[..at])
}

/// A time with a date and an offset, in the forms that servers write. One without an offset is not taken for UTC.
fn timestamp(text: &str) -> Option<Timestamp> {
    let text = text.replace(',', ".").replace(" UTC", "Z");
    let with = |format: &str| jiff::fmt::strtime::parse(format, &text).ok()?.to_timestamp().ok();
    text.parse::<Timestamp>()
        .ok()
        .or_else(|| with("%Y-%m-%d %H:%M:%S %z"))
        .or_else(|| with("%Y-%m-%d %H:%M:%S%.f %z"))
        .or_else(|| with("%d/%b/%Y:%H:%M:%S %z"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(log: &str) -> Vec<(u64, String)> {
        reduce(log.as_bytes(), false, &|_| false)
            .events
            .into_iter()
            .map(|event| (event.count, event.text))
            .collect()
    }

    #[test]
    fn a_line_that_somebody_knows_is_kept_without_any_of_the_words() {
        let log = "[info] Running ShopWeb.Endpoint with Bandit 1.8.0 at :::4000 (http)\n\
                   {\"level\":\"info\",\"msg\":\"Running ShopWeb.Endpoint with Bandit 1.8.0\"}\n\
                   hello world\n";
        assert!(texts(log).is_empty());
        let found = reduce(log.as_bytes(), false, &|line| line.contains("Bandit"));
        let kept: Vec<&str> = found.events.iter().map(|event| event.text.as_str()).collect();
        let plain = "[info] Running ShopWeb.Endpoint with Bandit 1.8.0 at :::4000 (http)";
        assert_eq!(kept, [plain, "info Running ShopWeb.Endpoint with Bandit 1.8.0"]);
    }

    #[test]
    fn what_a_proxy_adds_to_a_failing_request_is_kept_where_somebody_knows_it() {
        let log = "[2026-11-26T10:00:00.000Z] \"GET /a HTTP/1.1\" 503 UH no_healthy_upstream - \"-\" 0 19 0 -\n\
                   [2026-11-26T10:00:01.000Z] \"GET /a HTTP/1.1\" 503 UH no_healthy_upstream - \"-\" 0 19 0 -\n\
                   [2026-11-26T10:00:02.000Z] \"GET /b HTTP/1.1\" 200 - via_upstream - \"-\" 0 19 0 -\n";
        assert_eq!(
            texts(log),
            [(2, "GET /a answered 503".to_owned()), (1, "GET /b answered 200".to_owned())]
        );
        let found = reduce(log.as_bytes(), false, &|line| line.contains("upstream")).events;
        assert_eq!(found.len(), 3, "{found:?}");
        assert_eq!(found[1].count, 2);
        assert!(found[1].text.ends_with("503 UH no_healthy_upstream - \"-\" 0 19 0 -"), "{found:?}");
    }

    #[test]
    fn lines_that_differ_in_times_and_ids_are_counted_and_codes_are_kept_apart() {
        let log = "[2026-11-25 20:56:08 +0000] [7512] [INFO] Booting worker with pid: 7512\n\
                   [2026-11-25 20:56:09 +0000] [8] [INFO] Booting worker with pid: 8\n\
                   [2026-11-25 20:56:09 +0000] [7511] [ERROR] Worker (pid:7512) exited with code 3.\n\
                   [2026-11-25 20:56:09 +0000] [7511] [ERROR] Worker (pid:7513) exited with code 1.\n\
                   hello world\n";
        let found = reduce(log.as_bytes(), false, &|_| false);
        assert_eq!(found.events.len(), 3, "{found:#?}");
        assert_eq!((found.events[0].count, found.events[0].line, found.events[0].last_line), (2, 1, 2));
        assert_eq!(found.lines, 5);
        assert_eq!(found.first_at.expect("a time").to_string(), "2026-11-25T20:56:08Z");
        assert_eq!(found.last_at.expect("a time").to_string(), "2026-11-25T20:56:09Z");
    }

    #[test]
    fn a_session_that_haproxy_tells_by_letters_is_kept_and_a_plain_one_is_not() {
        let line = |server: &str, times: &str, status: &str, state: &str| {
            format!(
                "Nov 25 20:56:08 lb haproxy[7]: 192.0.2.1:40{times_len} [25/Nov/2026:20:56:08.123] web {server} {times} {status} 217 - - {state} 1/1/0/0/3 0/0 \"GET /api HTTP/1.1\"\n",
                times_len = times.len()
            )
        };
        let log = line("app/one", "0/0/-1/-1/4", "503", "SC--")
            + &line("app/one", "0/0/-1/-1/17", "503", "SC--")
            + &line("app/one", "0/0/1/-1/8001", "504", "sH--")
            + &line("app/one", "0/0/1/3/4", "200", "----");
        let found = texts(&log);
        assert_eq!(found.len(), 2, "{found:#?}");
        assert_eq!(found[0].0, 2);
        assert!(found[0].1.contains(" SC-- ") && found[1].1.contains(" sH-- "), "{found:#?}");
    }

    /// Captured from HAProxy 2.6 with `option httplog`, `option tcplog`, a server's check and cookies' letters.
    #[test]
    fn haproxy_tells_of_a_closed_port_and_a_bad_answer_in_every_format() {
        let log = "127.0.0.1:60922 [26/Nov/2026:01:18:30.080] web~ closed/one 0/0/-1/-1/3003 503 217 - - SC-- 1/1/0/0/3 0/0 \"GET /closed HTTP/1.1\"\n\
                   127.0.0.1:47192 [26/Nov/2026:01:18:33.092] web checked/<NOSRV> 0/-1/-1/-1/0 503 217 - - SCDN 1/1/0/0/0 0/0 \"GET /checked HTTP/1.1\"\n\
                   127.0.0.1:47206 [26/Nov/2026:01:18:33.166] web bad/bad 0/0/0/-1/0 502 209 - - PH-- 1/1/0/0/0 0/0 \"GET /orders/404 HTTP/1.1\"\n\
                   127.0.0.1:38080 [26/Nov/2026:01:18:35.515] web closed/one 0/-1/3007 217 SC 1/1/0/0/3 0/0\n\
                   127.0.0.1:38172 [26/Nov/2026:01:18:40.905] web bad/bad 0/0/19 51 -- 1/1/0/0/0 0/0\n\
                   Server checked/one is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check duration: 0ms. 0 active and 0 backup servers left.\n\
                   Connect from 127.0.0.1:48014 to 127.0.0.1:28100 (web/HTTP)\n";
        let found = texts(log);
        let has = |part: &str| found.iter().any(|(_, text)| text.contains(part));
        for part in [" SC-- ", " SCDN ", " PH-- ", " 217 SC 1/1", "Layer4 connection problem"] {
            assert!(has(part), "{part}: {found:#?}");
        }
        assert_eq!(found.len(), 5, "{found:#?}");
    }

    #[test]
    fn json_lines_are_told_by_their_words() {
        let headers = "x".repeat(600);
        let long = format!(
            r#"{{"level":50,"req":{{"method":"GET","url":"/api/a","headers":{{"cookie":"{headers}"}}}},"err":{{"type":"Error","message":"connect ECONNREFUSED 10.0.0.5:5432","stack":"Error: connect ECONNREFUSED 10.0.0.5:5432\n    at connect (/app/src/db.js:7:3)"}},"msg":"request errored"}}"#
        );
        let log = format!(
            "{}\n{}\n{}\n{}\n",
            r#"{"level":30,"time":1764118568123,"req":{"method":"GET","url":"/health?x=1"},"res":{"statusCode":200},"msg":"request completed"}"#,
            long,
            r#"2026-11-25T20:56:08.1Z app[web.1]: {"level":"error","logger":"http.log.error","msg":"dial tcp 127.0.0.1:3000: connect: connection refused","request":{"method":"GET","uri":"/"},"status":502}"#,
            r#"{"level":"info","msg":"a quiet word"}"#,
        );
        let found = reduce(log.as_bytes(), false, &|_| false).events;
        let told: Vec<&str> = found.iter().map(|event| event.text.as_str()).collect();
        assert_eq!(
            told,
            [
                "GET /health answered 200",
                "error request errored: Error: connect ECONNREFUSED 10.0.0.5:5432",
                "GET / answered 502",
                "error dial tcp 127.0.0.1:3000: connect: connection refused",
            ]
        );
        assert_eq!(found[1].place.as_deref(), Some("/app/src/db.js:7"));
    }

    #[test]
    fn a_trace_behind_a_platforms_prefix_is_one_event() {
        let log: String = [
            "Traceback (most recent call last):",
            "  File \"/app/a.py\", line 4, in <module>",
            "    URL = os.environ['DATABASE_URL']",
            "KeyError: 'DATABASE_URL'",
        ]
        .iter()
        .map(|line| format!("2026-11-25T20:56:08.123456+00:00 app[web.1]: {line}\n"))
        .collect();
        let found = reduce(log.as_bytes(), false, &|_| false).events;
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].place.as_deref(), Some("/app/a.py:4 URL = os.environ['DATABASE_URL']"));
    }

    #[test]
    fn a_python_trace_becomes_its_exception_with_the_innermost_frame_of_the_project() {
        let log = "Traceback (most recent call last):\n  File \"/venv/lib/python3.11/site-packages/gunicorn/util.py\", line 3, in x\n    importlib.import_module(module)\n  File \"/app/envmiss.py\", line 4, in <module>\n    URL = os.environ['DATABASE_URL']\n          ~~~~~~~~~~^^^^^^^^^^^^^^^^\n  File \"<frozen os>\", line 679, in __getitem__\nKeyError: 'DATABASE_URL'\nTraceback (most recent call last):\n  File \"/venv/lib/python3.11/site-packages/gunicorn/util.py\", line 3, in x\n    importlib.import_module(module)\nModuleNotFoundError: No module named 'nosuch'\n";
        let found = reduce(log.as_bytes(), false, &|_| false).events;
        assert_eq!(found[0].text, "KeyError: 'DATABASE_URL'");
        assert_eq!(found[0].place.as_deref(), Some("/app/envmiss.py:4 URL = os.environ['DATABASE_URL']"));
        assert_eq!(found[1].place.as_deref(), Some("(library)"));
        assert_eq!(found.len(), 2, "{found:#?}");
    }

    #[test]
    fn a_node_trace_names_the_projects_frame() {
        let log = "Error: Cannot find module './dist/server'\nRequire stack:\n- /app/own.js\n    at Module._resolveFilename (node:internal/modules/cjs/loader:1140:15)\n    at Object.<anonymous> (/app/own.js:1:1)\n    at Module._compile (node:internal/modules/cjs/loader:1364:14)\n";
        let found = reduce(log.as_bytes(), false, &|_| false).events;
        assert_eq!(found[0].place.as_deref(), Some("/app/own.js:1"), "{found:#?}");
    }

    #[test]
    fn a_trace_names_the_packages_that_it_goes_through_from_the_throw_outwards() {
        let through = |log: &str| {
            let found = reduce(log.as_bytes(), false, &|_| false).events;
            found.into_iter().find(|event| !event.through.is_empty()).map(|e| (e.text, e.through, e.place))
        };
        let python = "Traceback (most recent call last):\n  File \"/venv/lib/python3.12/site-packages/starlette/routing.py\", line 7, in app\n  File \"/app/orders.py\", line 22, in listed\n    rows = await session.execute(q)\n  File \"/venv/lib/python3.12/site-packages/sqlalchemy/engine.py\", line 9, in connect\n  File \"/venv/lib/python3.12/site-packages/asyncpg/connect_utils.py\", line 1049, in _connect\n    raise last_error\n  File \"uvloop/loop.pyx\", line 2039, in create_connection\nConnectionRefusedError: [Errno 111] Connection refused\n";
        let (text, packages, place) = through(python).expect("an event with packages");
        assert_eq!(text, "ConnectionRefusedError: [Errno 111] Connection refused");
        assert_eq!(packages, ["asyncpg", "sqlalchemy", "starlette"]);
        assert_eq!(place.as_deref(), Some("/app/orders.py:22 rows = await session.execute(q)"));
        let node = "Error: connect ECONNREFUSED 10.0.0.9:7777\n    at TCPConnectWrap.afterConnect [as oncomplete] (node:net:1611:16)\n    at Client._connect (/app/node_modules/pg/lib/client.js:132:11)\n    at list (/app/src/orders.js:7:3) {\n  code: 'ECONNREFUSED'\n}\n";
        let (_, packages, place) = through(node).expect("an event with packages");
        assert_eq!((packages, place.as_deref()), (vec!["pg".to_owned()], Some("/app/src/orders.js:7")));
        let go = "panic: dial tcp: lookup store: no such host\n\ngoroutine 1 [running]:\nmain.main()\n\t/app/error/main.go:20 +0x1a\ngithub.com/lib/pq.(*conn).dial(0xc0)\n\t/go/pkg/mod/github.com/lib/pq@v1.10.9/conn.go:325 +0x1d\n";
        let found = reduce(go.as_bytes(), false, &|_| false).events;
        assert_eq!(found.len(), 1, "{found:#?}");
        assert_eq!(found[0].through, ["github.com/lib/pq"]);
        let field = r#"{"level":"error","msg":"orders","err":{"name":"Error","message":"connect ECONNREFUSED","stack":"Error: connect ECONNREFUSED\n    at Socket.x (/app/node_modules/ioredis/built/Redis.js:1:2)"}}"#;
        assert_eq!(through(field).expect("an event with packages").1, ["ioredis"]);
    }

    #[test]
    fn a_file_that_is_there_in_other_letters_is_told_with_both_names() {
        let log = "2026-11-25T22:19:02.4Z [err]  Error: Cannot find module './models/user'\n$ git ls-files | grep -i models/user\nmodels/User.js\n";
        let found = reduce(log.as_bytes(), false, &|_| false);
        let other = OtherLetters { line: 3, there: "models/User.js".into(), asked: "./models/user".into() };
        assert_eq!(found.other_letters, [other]);
        assert!(
            found.events.iter().all(|event| event.line == 1),
            "the listing is no telling line: {found:#?}"
        );
    }

    #[test]
    fn an_address_with_its_port_and_a_vendors_status_are_kept_in_any_language() {
        let log = "Servidor escuchando en http://0.0.0.0:8080\n\
                   vertaling mislukt: api-free.deepl.test gaf 456\n\
                   guten Morgen\n";
        let kept: Vec<String> = texts(log).into_iter().map(|(_, text)| text).collect();
        assert_eq!(
            kept,
            ["Servidor escuchando en http://0.0.0.0:8080", "vertaling mislukt: api-free.deepl.test gaf 456"]
        );
    }

    #[test]
    fn requests_are_told_by_status_and_failing_ones_by_path_too() {
        let line = |path: &str, status: u16| {
            format!(
                "10.0.0.1 - - [25/Nov/2026:20:56:06 +0000] \"GET {path} HTTP/1.1\" {status} 12 \"-\" \"curl\"\n"
            )
        };
        let log =
            [line("/a?token=abc", 200), line("/b", 200), line("/pay?card=1", 500), line("/x", 500)].concat();
        assert_eq!(
            texts(&log),
            [
                (2, "GET /b answered 200".to_owned()),
                (1, "GET /pay answered 500".to_owned()),
                (1, "GET /x answered 500".to_owned())
            ]
        );
    }

    #[test]
    fn what_is_kept_is_masked_clipped_and_free_of_control_characters() {
        let long = format!(
            "\u{1b}[31merror\u{1b}[0m postgres://app:hunter2@db/shop for jane@example.test {}\u{7}\r\n",
            "x".repeat(20_000)
        );
        let found = reduce(long.as_bytes(), false, &|_| false).events;
        assert_eq!(found[0].text.chars().count(), TEXT);
        assert!(
            found[0].text.starts_with("error postgres://[redacted]@db/shop for [redacted] x"),
            "{}",
            found[0].text
        );
    }

    #[test]
    fn many_different_lines_keep_the_first_and_the_last() {
        let letters =
            |n: usize| -> String { format!("{n:05}").bytes().map(|b| char::from(b'a' + b - b'0')).collect() };
        let log: String = (0..1000).map(|n| format!("error {}\n", letters(n))).collect();
        let found = reduce(log.as_bytes(), false, &|_| false);
        assert_eq!(found.events.len(), EVENTS);
        assert_eq!(found.dropped, 1000 - EVENTS as u64);
        assert_eq!(found.events[0].text, format!("error {}", letters(0)));
        assert_eq!(found.events[EVENTS - 1].text, format!("error {}", letters(999)));
    }

    #[test]
    fn what_is_no_log_is_refused_with_a_mend_and_a_long_one_is_read_from_its_end() {
        let folder = tempfile::tempdir().expect("a folder");
        let file = |name: &str, bytes: &[u8]| {
            let path = folder.path().join(name);
            std::fs::write(&path, bytes).expect("written");
            path
        };
        for (path, want) in [
            (folder.path().join("none.log"), "name a file with --log"),
            (folder.path().to_owned(), "not a regular file"),
            (file("x.gz", &[0x1f, 0x8b, 8, 0]), "gzip -dc"),
            (file("x.bin", b"abc\0def"), "not text"),
        ] {
            match read_log(&path, &|_| false) {
                Observed::Unasked(ProbeFault::Local { detail }) => assert!(detail.contains(want), "{detail}"),
                other => panic!("{path:?}: {other:?}"),
            }
        }
        let mut long = "x".repeat(usize::try_from(TAIL_BYTE).expect("it fits") + 50).into_bytes();
        long.extend(b"\nerror at the end\n");
        let found = read_log(&file("long.log", &long), &|_| false);
        let found = found.present().expect("it is text");
        assert_eq!(found.lines, 1);
        assert_eq!(found.size_byte, long.len() as u64);
        assert_eq!(found.read_byte, TAIL_BYTE);
        let empty = read_log(&file("empty.log", b""), &|_| false);
        assert_eq!(empty.present().expect("an empty log is a log").lines, 0);
    }
}
