//! What a line of a log says, by patterns that are data (`log-lines.toml`; its head describes the fields).

mod likeness;
pub(crate) mod required;

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::OnceLock;

use aho_corasick::AhoCorasick;
use regex::bytes::{Regex, RegexBuilder};
use serde::Deserialize;

use crate::catalogue::CatalogueError;

const FILE: &str = "log-lines.toml";

/// What stands in a pattern for the status of its entry.
const STATUS: &str = "%status%";

/// Bytes that the compiled form of one pattern may take.
const PATTERN_BYTE: usize = 4 << 20;

/// Named groups that become facts.
pub(crate) const GROUPS: &[&str] = &[
    "variable",
    "module",
    "host",
    "listen",
    "exit",
    "signal",
    "exception",
    "errno",
    "path",
    "upstream",
    "published",
];

/// What a line stands for in the life of a process.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineRole {
    /// A process begins.
    Start,
    /// It serves.
    Up,
    /// It ends.
    Exit,
    /// It fails before it can serve.
    Boot,
}

/// What a line is a sign of by itself, though every route that is asked may answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum LineTrouble {
    /// A build or deploy failed: production is what was there before.
    Deploy,
    /// An authority gave no certificate: the one at hand will end.
    Certificate,
    /// Browsers are kept from what they ask for (by their page's origin, by mixed content, by a cookie that they drop, by a lost
    /// upgrade or a broken body), and an audit is none.
    Browsers,
    /// A check of a monitor failed, by the monitor's own log.
    Check,
    /// A resolver or a name server did not give a name's answer, by its own log.
    Names,
}

/// One entry: what a line says that one of its patterns finds.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LogLine {
    /// The word that `log.says` gives. Several entries may share it.
    pub id: String,
    /// Patterns, of which one is enough. `%status%` in one stands for [`Self::status`].
    #[serde(default)]
    pub matches: Vec<String>,
    /// The statuses, as a pattern, by which this entry differs from those with the same patterns.
    pub status: Option<String>,
    /// Ids of entries whose own patterns with `%status%` are this one's as well.
    #[serde(default)]
    pub like: Vec<String>,
    /// What it says, for people: it follows "the log says that".
    pub means: String,
    /// A pattern for the project's frame of the exception's trace, which must be found as well.
    pub place: Option<String>,
    /// A pattern for the name of a package that the exception's trace goes through, of which one must be found as well.
    pub through: Option<String>,
    /// A pattern that no line of this meaning shows.
    pub unless: Option<String>,
    /// What it stands for in the life of a process.
    pub role: Option<LineRole>,
    /// What it is a sign of by itself.
    pub trouble: Option<LineTrouble>,
    /// Whether a domain that the line names has to be the target's: a resolver's log is full of what strangers' zones lack.
    #[serde(default)]
    pub own: bool,
    /// Words of other entries that are past once this was said: a certificate that came ends what had failed before it.
    #[serde(default)]
    pub ends: Vec<String>,
    /// Whether it may be read in the body of a failing answer.
    #[serde(default = "yes")]
    pub page: bool,
    /// Real lines that the entry must find; the tests hold each against it.
    #[serde(default)]
    pub examples: Vec<String>,
    /// Where the patterns come from.
    pub source: String,
}

fn yes() -> bool {
    true
}

/// All entries, made ready when the first log is read.
#[derive(Debug)]
pub(crate) struct LineIndex {
    lines: Vec<LogLine>,
    compiled: OnceLock<Compiled>,
    likeness: OnceLock<likeness::Likeness>,
}

/// The patterns behind a search for the texts that they require: a line is tried on those alone that it can match. All
/// patterns in one automaton meet a new state at nearly every byte, and a state of over a thousand patterns is large.
#[derive(Debug)]
struct Compiled {
    search: AhoCorasick,
    /// For each text of the search, the patterns that require it or one of its rivals.
    of_text: Vec<Vec<usize>>,
    /// Patterns that require no text.
    always: Vec<usize>,
    patterns: Vec<Pattern>,
    places: Vec<Option<Regex>>,
    unless: Vec<Option<Regex>>,
    through: Vec<Option<Regex>>,
}

#[derive(Debug)]
struct Pattern {
    entry: usize,
    text: String,
    /// Compiled when a line may match it; `None` for what does not compile, which `check` tells.
    compiled: OnceLock<Option<Regex>>,
}

impl Pattern {
    fn regex(&self) -> Option<&Regex> {
        self.compiled.get_or_init(|| one(&self.text).ok()).as_ref()
    }
}

impl Compiled {
    fn new(lines: &[LogLine]) -> Self {
        let mut patterns = Vec::new();
        let mut of_text: BTreeMap<Vec<u8>, Vec<usize>> = BTreeMap::new();
        let mut always = Vec::new();
        for (entry, text) in
            lines.iter().enumerate().flat_map(|(at, l)| l.matches.iter().map(move |t| (at, t)))
        {
            let required = required::required(text);
            if required.is_empty() {
                always.push(patterns.len());
            }
            for part in required {
                of_text.entry(part).or_default().push(patterns.len());
            }
            patterns.push(Pattern { entry, text: text.clone(), compiled: OnceLock::new() });
        }
        let search = AhoCorasick::builder().ascii_case_insensitive(true).build(of_text.keys());
        let optional = |text: &Option<String>| text.as_deref().and_then(|text| one(text).ok());
        Self {
            search: search
                .expect("catalogues are bounded where they are read, far below what a search can hold"),
            of_text: of_text.into_values().collect(),
            always,
            patterns,
            places: lines.iter().map(|line| optional(&line.place)).collect(),
            unless: lines.iter().map(|line| optional(&line.unless)).collect(),
            through: lines.iter().map(|line| optional(&line.through)).collect(),
        }
    }

    /// The patterns of such entries that find something in a text, in their order.
    fn matches<'a>(
        &'a self,
        text: &'a str,
        such: impl Fn(usize) -> bool,
    ) -> impl Iterator<Item = (&'a Pattern, &'a Regex)> {
        let found = self.search.find_overlapping_iter(text);
        let mut may: BTreeSet<usize> =
            found.flat_map(|f| &self.of_text[f.pattern().as_usize()]).copied().collect();
        may.extend(&self.always);
        may.into_iter().filter_map(move |at| {
            let pattern = &self.patterns[at];
            if !such(pattern.entry) {
                return None;
            }
            Some((pattern, pattern.regex().filter(|regex| regex.is_match(text.as_bytes()))?))
        })
    }
}

/// What one entry found in a line.
#[derive(Debug)]
pub(crate) struct Said<'a> {
    /// The entry.
    pub(crate) line: &'a LogLine,
    /// The named groups that matched.
    pub(crate) names: Vec<(String, String)>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    line: Vec<LogLine>,
}

/// A line with quotes as whoever wrote the message meant them: logfmt and loggers that quote a message put a backslash before its own.
fn unescaped(text: &str) -> Cow<'_, str> {
    if text.contains("\\\"") { Cow::Owned(text.replace("\\\"", "\"")) } else { Cow::Borrowed(text) }
}

fn one(pattern: &str) -> Result<Regex, regex::Error> {
    // Logs are written in ASCII words; without Unicode's classes the patterns compile many times faster.
    RegexBuilder::new(pattern).unicode(false).size_limit(PATTERN_BYTE).build()
}

impl LogLine {
    /// What is wrong with its patterns.
    fn mistakes(&self) -> Vec<String> {
        let strange = |pattern: &String| match one(pattern) {
            Err(error) => Some(error.to_string()),
            Ok(found) => {
                let name = found.capture_names().flatten().find(|name| !GROUPS.contains(name))?;
                Some(format!("the group {name:?} is none of {}", GROUPS.join(", ")))
            }
        };
        let patterns = self.matches.iter().chain(&self.place).chain(&self.unless).chain(&self.through);
        patterns.filter_map(|p| Some(format!("in {p:?}: {}", strange(p)?))).collect()
    }
}

/// Whether an entry of a person's own file is sound by itself.
pub(crate) fn check_line(entry: toml::Value) -> Result<(), String> {
    let line: LogLine = entry.try_into().map_err(|error: toml::de::Error| error.message().to_owned())?;
    line.mistakes().into_iter().next().map_or(Ok(()), Err)
}

impl LineIndex {
    /// Reads the file; mistakes go to `errors`.
    pub(crate) fn read(text: &str, errors: &mut Vec<CatalogueError>) -> Self {
        let mut lines = match toml::from_str::<File>(text) {
            Ok(file) => file.line,
            Err(error) => {
                errors.push(CatalogueError::new(FILE, error.to_string()));
                Vec::new()
            }
        };
        let shared: Vec<(String, String)> = lines
            .iter()
            .flat_map(|line| line.matches.iter().map(|pattern| (line.id.clone(), pattern.clone())))
            .filter(|(_, pattern)| pattern.contains(STATUS))
            .collect();
        for line in &mut lines {
            let lent = shared.iter().filter(|(id, _)| line.like.contains(id)).map(|(_, pattern)| pattern);
            line.matches.extend(lent.cloned());
            if let Some(status) = &line.status {
                line.matches.iter_mut().for_each(|pattern| *pattern = pattern.replace(STATUS, status));
            }
        }
        for (position, line) in lines.iter().enumerate() {
            let mut mistake = |message: String| {
                errors.push(CatalogueError::new(
                    FILE,
                    format!("line {} ({}): {message}", position + 1, line.id),
                ));
            };
            if line.id.is_empty() || line.id == "nothing" {
                mistake(
                    "an id is a word, and not \"nothing\", which stands for a log that says none".to_owned(),
                );
            }
            if let Some(strange) = line.ends.iter().find(|id| !lines.iter().any(|other| other.id == **id)) {
                mistake(format!("ends names {strange:?}, which no entry has as its id"));
            }
            if let Some(strange) = line.like.iter().find(|id| !shared.iter().any(|(other, _)| other == *id)) {
                mistake(format!("like names {strange:?}, which has no pattern with {STATUS}"));
            }
            if line.matches.iter().any(|pattern| pattern.contains(STATUS)) {
                mistake(format!("a pattern has {STATUS}, and the entry gives no status"));
            }
            if line.matches.is_empty() {
                mistake("matches is empty; give at least one regular expression".to_owned());
            }
        }
        Self { lines, compiled: OnceLock::new(), likeness: OnceLock::new() }
    }

    /// Mistakes in the patterns themselves. Apart from [`Self::read`], because compiling takes longer than anything
    /// else of the catalogue and most evidence has no log.
    #[cfg(test)]
    pub(crate) fn check(&self) -> Vec<CatalogueError> {
        let mut errors = Vec::new();
        for line in &self.lines {
            for mistake in line.mistakes() {
                errors.push(CatalogueError::new(FILE, format!("{}: {mistake}", line.id)));
            }
        }
        errors
    }

    pub(crate) fn iter(&self) -> impl Iterator<Item = &LogLine> {
        self.lines.iter()
    }

    /// Whether an entry has this id; "nothing" is known as well.
    pub(crate) fn knows(&self, id: &str) -> bool {
        id == "nothing" || self.lines.iter().any(|line| line.id == id)
    }

    fn compiled(&self) -> &Compiled {
        self.compiled.get_or_init(|| Compiled::new(&self.lines))
    }

    /// Whether a pattern finds something in a line; what an entry asks of its place is left out.
    pub(crate) fn knows_line(&self, text: &str) -> bool {
        self.compiled().matches(&unescaped(text), |_| true).next().is_some()
    }

    /// The entries that a line resembles, the nearest first.
    pub(crate) fn nearest(&self, text: &str) -> Vec<&LogLine> {
        let likeness = self.likeness.get_or_init(|| likeness::Likeness::new(&self.lines));
        let near = likeness.nearest(&unescaped(text));
        near.into_iter().map(|alike| &self.lines[alike.entry]).collect()
    }

    /// What a line says, each entry once, in the order of the file. `place` and `through` as the log's reader found them.
    pub(crate) fn says(&self, text: &str, place: Option<&str>, through: &[String]) -> Vec<Said<'_>> {
        self.says_by(text, place, through, |_| true)
    }

    /// What a line of an error page says. Most entries are of words that pages use for other things, and are not tried.
    pub(crate) fn page_says(&self, text: &str) -> Vec<Said<'_>> {
        self.says_by(text, Some(text), &[], |line| line.page)
    }

    fn says_by(
        &self,
        text: &str,
        place: Option<&str>,
        through: &[String],
        such: impl Fn(&LogLine) -> bool,
    ) -> Vec<Said<'_>> {
        let compiled = self.compiled();
        let text: &str = &unescaped(text);
        let mut told: BTreeMap<usize, usize> = BTreeMap::new();
        let mut found: Vec<Said<'_>> = Vec::new();
        for (Pattern { entry, .. }, pattern) in compiled.matches(text, |entry| such(&self.lines[entry])) {
            let line = &self.lines[*entry];
            let placed = line.place.is_none()
                || compiled.places[*entry]
                    .as_ref()
                    .zip(place)
                    .is_some_and(|(pattern, place)| pattern.is_match(place.as_bytes()));
            let excluded =
                compiled.unless[*entry].as_ref().is_some_and(|pattern| pattern.is_match(text.as_bytes()));
            let by_package = line.through.is_none()
                || compiled.through[*entry]
                    .as_ref()
                    .is_some_and(|pattern| through.iter().any(|name| pattern.is_match(name.as_bytes())));
            if !placed || !by_package || excluded {
                continue;
            }
            let names = pattern.captures(text.as_bytes()).map_or_else(Vec::new, |captures| {
                pattern
                    .capture_names()
                    .flatten()
                    .filter_map(|name| {
                        let found = captures.name(name)?.as_bytes();
                        Some((name.to_owned(), String::from_utf8_lossy(found).into_owned()))
                    })
                    .collect()
            });
            // Of several patterns of one entry each may capture another name.
            match told.get(entry) {
                Some(at) => {
                    let known: &mut Vec<(String, String)> = &mut found[*at].names;
                    let new = names.into_iter().filter(|(name, _)| known.iter().all(|(n, _)| n != name));
                    known.extend(new.collect::<Vec<_>>());
                }
                None => {
                    told.insert(*entry, found.len());
                    found.push(Said { line, names });
                }
            }
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::catalogue::Catalogue;

    #[test]
    fn every_pattern_compiles_and_its_groups_are_known() {
        let errors = Catalogue::embedded().lines.check();
        assert!(errors.is_empty(), "{errors:#?}");
    }

    #[test]
    fn a_message_that_is_quoted_says_the_same() {
        let lines = &Catalogue::embedded().lines;
        let words =
            |text: &str| lines.says(text, None, &[]).iter().map(|s| s.line.id.clone()).collect::<Vec<_>>();
        let said = r#"FATAL:  database "shop" does not exist"#;
        assert!(!words(said).is_empty());
        let quoted = format!(r#"level=error msg="{}""#, said.replace('"', r#"\""#));
        assert_eq!(words(&quoted), words(said));
        assert!(lines.knows_line(&quoted));
    }

    #[test]
    fn words_that_differ_by_a_status_alone_share_their_patterns() {
        let entry =
            |id: &str, more: &str| format!("[[line]]\nid = {id:?}\nmeans = 'm'\nsource = 's'\n{more}\n");
        let read = |text: &str| {
            let mut errors = Vec::new();
            let index = LineIndex::read(text, &mut errors);
            (index, errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("; "))
        };
        let gone = entry("gone", "matches = ['check got (?:%status%)$']\nstatus = '404|410'");
        let (index, errors) = read(&(gone.clone() + &entry("refused", "like = ['gone']\nstatus = '403'")));
        assert_eq!(errors, "");
        let says =
            |text: &str| index.says(text, None, &[]).iter().map(|s| s.line.id.clone()).collect::<Vec<_>>();
        assert_eq!(says("check got 410"), ["gone"]);
        assert_eq!(says("check got 403"), ["refused"]);
        assert!(says("check got 200").is_empty());

        let (_, errors) = read(&(gone + &entry("lost", "matches = ['got %status%']\nlike = ['lots']")));
        assert!(
            errors.contains("line 2 (lost): like names \"lots\"") && errors.contains("gives no status"),
            "{errors}"
        );
        assert!(read(&entry("empty", "status = '1'")).1.contains("matches is empty"));
    }

    #[test]
    fn the_search_for_required_texts_loses_no_match() {
        let lines = &Catalogue::embedded().lines;
        let compiled = lines.compiled();
        for text in lines.iter().flat_map(|line| &line.examples) {
            let found: Vec<&str> =
                compiled.matches(text, |_| true).map(|(pattern, _)| pattern.text.as_str()).collect();
            let all =
                compiled.patterns.iter().filter(|p| p.regex().is_some_and(|r| r.is_match(text.as_bytes())));
            assert_eq!(found, all.map(|pattern| pattern.text.as_str()).collect::<Vec<_>>(), "{text}");
        }
        let (free, all) = (compiled.always.len(), compiled.patterns.len());
        assert!(free * 50 < all, "{free} of {all} patterns require no text and are tried on every line");
    }

    #[test]
    fn texts_name_only_groups_that_a_pattern_of_theirs_captures() {
        for line in Catalogue::embedded().lines.iter() {
            for name in GROUPS.iter().filter(|name| line.means.contains(&format!("{{{name}}}"))) {
                let captured = line.matches.iter().any(|pattern| pattern.contains(&format!("(?P<{name}>")));
                assert!(captured, "{}: {name} is named and never captured", line.id);
            }
        }
    }

    #[test]
    fn every_example_is_found_by_its_entry() {
        let lines = &Catalogue::embedded().lines;
        let mut missed = Vec::new();
        for line in lines.iter() {
            for example in &line.examples {
                // A pattern of the frame beside the line is tested with the captured logs.
                let said = lines.says(example, Some(example), &[]);
                if line.place.is_none()
                    && line.through.is_none()
                    && said.iter().all(|one| one.line.id != line.id)
                {
                    missed.push(format!("{}: {example:?}", line.id));
                }
            }
        }
        assert!(missed.is_empty(), "not found by their entries: {missed:#?}");
    }

    #[test]
    fn mistakes_are_named() {
        let read = |text: &str| {
            let mut errors = Vec::new();
            let index = LineIndex::read(text, &mut errors);
            errors.extend(index.check());
            errors.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n")
        };
        let entry = |id: &str, matches: &str| {
            format!("[[line]]\nid = \"{id}\"\nmatches = [{matches}]\nmeans = \"m\"\nsource = \"s\"\n")
        };
        assert_eq!(read(&entry("x", "'a'")), "");
        assert!(read(&entry("x", "")).contains("matches is empty"));
        assert!(read(&entry("nothing", "'a'")).contains("not \"nothing\""));
        assert!(read(&entry("x", "'('")).contains("unclosed group"));
        assert!(read(&entry("x", "'(?P<colour>a)'")).contains("none of variable"));
        assert!(read("[[line]]\nid = \"x\"\nmtaches = []\n").contains("mtaches"));
    }

    /// Lines of drivers, proxies and supervisors as they are written, and what each must and must not say.
    #[test]
    fn drivers_and_proxies_are_read_in_their_own_words() {
        let atlas = "MongooseServerSelectionError: Could not connect to any servers in your MongoDB Atlas cluster. One common reason is that you're trying to access the database from an IP that isn't whitelisted.";
        let cases: &[(&str, &[&str], &[&str])] = &[
            // HAProxy 2.6, captured.
            (
                "web~ app/one 0/0/-1/-1/3003 503 217 - - SC-- 1/1/0/0/3 0/0 \"GET /a HTTP/1.1\"",
                &["proxy-origin-refused"],
                &["proxy-bad-response"],
            ),
            (
                "web app/one 0/0/-1/-1/3003 503 217 - - SCDN 1/1/0/0/3 0/0 \"GET /a HTTP/1.1\"",
                &["proxy-origin-refused"],
                &[],
            ),
            ("web closed/one 0/-1/3007 217 SC 1/1/0/0/3 0/0", &["proxy-origin-refused"], &[]),
            ("web bad/bad 0/0/0 209 PH 1/1/0/0/0 0/0", &["proxy-bad-response"], &["proxy-origin-refused"]),
            (
                "web bad/bad 0/0/0/-1/0 502 209 - - SH-- 1/1/0/0/0 0/0 \"GET /a HTTP/1.1\"",
                &["proxy-bad-response"],
                &[],
            ),
            ("web bad/bad 0/0/2002 198 sH 1/1/0/0/0 0/0", &["proxy-origin-slow"], &[]),
            (
                "Server app/one is DOWN, reason: Layer4 connection problem, info: \"Connection refused\", check duration: 0ms.",
                &["proxy-origin-refused"],
                &["health-check-fails"],
            ),
            // nginx, ngx_http_limit_conn_module.c and ngx_http_limit_req_module.c.
            (
                "[error] 7#7: *3 limiting connections by zone \"addr\", client: 192.0.2.9",
                &["proxy-limits"],
                &[],
            ),
            (
                "[error] 7#7: *3 limiting requests, excess: 5.320 by zone \"one\", client: 192.0.2.9",
                &["proxy-limits"],
                &[],
            ),
            // A Go program's own database is no server behind a proxy.
            ("dial tcp 127.0.0.1:3000: connect: connection refused", &["proxy-origin-refused"], &[]),
            (
                "dial tcp 10.0.0.5:5432: connect: connection refused",
                &["database-refused"],
                &["proxy-origin-refused"],
            ),
            (
                "Get \"https://maps.vendor.test/v1\": dial tcp 192.0.2.7:443: connect: connection refused",
                &[],
                &["proxy-origin-refused"],
            ),
            (
                "http: TLS handshake error from 192.0.2.7:40110: remote error: tls: unknown certificate",
                &[],
                &["proxy-origin-tls"],
            ),
            (atlas, &["database-not-admitted"], &[]),
            ("Can't reach database server at `db.example.test:5432`", &["database-refused"], &[]),
            (
                "HikariPool-1 - Connection is not available, request timed out after 30000ms.",
                &["database-exhausted"],
                &[],
            ),
            ("SequelizeAccessDeniedError: ER_ACCESS_DENIED_ERROR", &["database-auth"], &[]),
            ("ERROR: relation missing (SQLSTATE 42P01)", &["schema-behind"], &[]),
            (
                "MaxRetriesPerRequestError: Reached the max retries per request limit (which is 20).",
                &["service-refused"],
                &[],
            ),
            (
                "maps.vendor.test answered 503 Service Unavailable",
                &["vendor-failing"],
                &["vendor-refuses-key"],
            ),
            ("GET /report.json answered 503", &["answers-500"], &["vendor-failing"]),
            (
                "systemd[1]: api.service: Main process exited, code=exited, status=1/FAILURE",
                &["exits-with-error"],
                &[],
            ),
        ];
        for (text, wants, never) in cases {
            let said: Vec<&str> = Catalogue::embedded()
                .lines
                .says(text, None, &[])
                .iter()
                .map(|said| said.line.id.as_str())
                .collect();
            for want in *wants {
                assert!(said.contains(want), "{text}: {said:?} without {want}");
            }
            for never in *never {
                assert!(!said.contains(never), "{text}: {said:?} with {never}");
            }
        }
    }

    #[test]
    fn a_place_and_an_exception_to_a_rule_decide() {
        let says = |text: &str, place: Option<&str>| -> Vec<String> {
            Catalogue::embedded()
                .lines
                .says(text, place, &[])
                .iter()
                .map(|said| said.line.id.clone())
                .collect()
        };
        let read = Some("/app/a.py:4 URL = os.environ['DATABASE_URL']");
        assert!(says("KeyError: 'DATABASE_URL'", read).contains(&"variable-missing".to_owned()));
        assert!(
            !says("KeyError: 'DATABASE_URL'", Some("/app/a.py:9 row['DATABASE_URL']"))
                .contains(&"variable-missing".to_owned())
        );
        assert!(!says("KeyError: 'DATABASE_URL'", None).contains(&"variable-missing".to_owned()));
        assert!(says("web exited with code 1", None).contains(&"exits-with-error".to_owned()));
        let worker = says("[ERROR] Worker (pid:7) exited with code 1.", None);
        assert!(
            !worker.contains(&"exits-with-error".to_owned()) && worker.contains(&"worker-exited".to_owned()),
            "{worker:?}"
        );
    }
}
