//! `landfall.toml`: read, checked, and turned into what an audit needs.
//!
//! Every problem is reported at once, each with its line and the mend; an unknown key is refused together with the
//! nearest key that exists, because a key that is silently ignored is a check that silently does not run.

mod keys;
mod template;
mod uses;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use landfall_evidence::{Endpoint, EndpointSource, Expectation, Says, UsageProfile};
use serde::Deserialize;
use url::Url;

pub use keys::nearest;
pub use template::template;

/// A `landfall.toml`, checked.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Config {
    /// The file that it came from; relative paths in it count from that file's folder.
    pub file: Option<PathBuf>,
    /// A name for people.
    pub name: Option<String>,
    /// The public base URL.
    pub production: Option<Url>,
    /// The platform's own name for the deployment.
    pub origin: Option<Url>,
    /// The CDN, WAF or proxy that production is meant to stand behind: `cloudflare`.
    pub edge: Option<String>,
    /// The backend on this machine.
    pub local: Option<Url>,
    /// The project folder.
    pub project: Option<PathBuf>,
    /// The pages from which browsers call production.
    pub frontends: Vec<Url>,
    /// Log files of the deployment.
    pub logs: Vec<PathBuf>,
    /// Endpoints that matter, most important first.
    pub endpoints: Vec<Endpoint>,
    /// How the API is used, beside the usual ways: each is held against the rate limit that is found.
    pub uses: Vec<UsageProfile>,
    /// The language model that may put the explanation into other words.
    pub rephrase: Option<crate::rephrase::Rephraser>,
    /// The test command.
    pub test_command: Option<String>,
    /// Its time limit.
    pub test_timeout: Option<Duration>,
    /// Deadline of an audit.
    pub timeout: Option<Duration>,
    /// Requests to production and origin together.
    pub budget: Option<u32>,
    /// Severity from which on the exit status is 1.
    pub fail_on: Option<String>,
    /// Recursive resolvers, `ADDR[:PORT]`.
    pub resolvers: Vec<String>,
    /// Address map entries, `HOST:PORT:ADDR:PORT`.
    pub connect_to: Vec<String>,
    /// Extra root certificates.
    pub ca_files: Vec<PathBuf>,
    /// Name servers that the zone should be at.
    pub expected_ns: Vec<String>,
    /// The RDAP service to ask for the registered domain: a base URL, or `iana`. Nobody is asked without it.
    pub rdap: Option<String>,
    /// The hosts file to read in place of this machine's.
    pub hosts_file: Option<PathBuf>,
    /// Thresholds of findings, by the names of [`landfall_diagnosis::THRESHOLDS`].
    pub thresholds: BTreeMap<String, u64>,
}

/// Everything that is wrong with a configuration file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ConfigError {
    /// The file.
    pub file: String,
    /// The problems, by place.
    pub problems: Vec<Problem>,
}

/// One problem with its place and its mend.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// Line, from 1; 0 when the file as a whole is meant.
    pub line: usize,
    /// Column, from 1; 0 when the line as a whole is meant.
    pub column: usize,
    /// The line itself, for quoting.
    pub source: String,
    /// What is wrong.
    pub what: String,
    /// How to mend it.
    pub mend: Option<String>,
}

impl std::fmt::Display for ConfigError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        for (i, problem) in self.problems.iter().enumerate() {
            if i > 0 {
                writeln!(f)?;
            }
            match problem.line {
                0 => write!(f, "{}: {}", self.file, problem.what)?,
                line => {
                    write!(f, "{}:{line}:{}: {}", self.file, problem.column.max(1), problem.what)?;
                    write!(f, "\n  {line:>4} | {}", problem.source)?;
                }
            }
            if let Some(mend) = &problem.mend {
                write!(f, "\n       = {mend}")?;
            }
        }
        Ok(())
    }
}

impl std::error::Error for ConfigError {}

#[derive(Deserialize, Default)]
#[serde(default)]
struct Raw {
    target: RawTarget,
    endpoint: Vec<RawEndpoint>,
    tests: RawTests,
    audit: RawAudit,
    network: RawNetwork,
    rate_limit: uses::RawRateLimit,
    rephrase: Option<RawRephrase>,
    dns: RawDns,
    thresholds: BTreeMap<String, u64>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawTarget {
    name: Option<String>,
    production: Option<toml::Spanned<String>>,
    origin: Option<toml::Spanned<String>>,
    edge: Option<toml::Spanned<String>>,
    local: Option<toml::Spanned<String>>,
    project: Option<PathBuf>,
    frontends: Vec<toml::Spanned<String>>,
    logs: Vec<PathBuf>,
}

#[derive(Deserialize)]
struct RawEndpoint {
    path: toml::Spanned<String>,
    method: Option<toml::Spanned<String>>,
    #[serde(default)]
    core: bool,
    #[serde(default)]
    status: Vec<toml::Spanned<u16>>,
    content_type: Option<String>,
    #[serde(default)]
    json_keys: Vec<String>,
    #[serde(default)]
    contains: Vec<String>,
    timeout: Option<toml::Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawTests {
    command: Option<String>,
    timeout: Option<toml::Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawAudit {
    timeout: Option<toml::Spanned<String>>,
    budget: Option<u32>,
    fail_on: Option<toml::Spanned<String>>,
}

#[derive(Deserialize)]
struct RawRephrase {
    url: toml::Spanned<String>,
    model: String,
    key_env: Option<toml::Spanned<String>>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawNetwork {
    resolvers: Vec<String>,
    connect_to: Vec<String>,
    ca_files: Vec<PathBuf>,
}

#[derive(Deserialize, Default)]
#[serde(default)]
struct RawDns {
    expected_ns: Vec<toml::Spanned<String>>,
    rdap: Option<toml::Spanned<String>>,
    hosts_file: Option<PathBuf>,
}

/// A path and query as the URL of the request has them, where some characters are percent-encoded (URL Standard, sections 4.1
/// and 1.3), so that the endpoint and what was asked for it bear one name.
fn as_requested(path: String) -> String {
    let base = Url::parse("http://host.invalid/").expect("a constant URL");
    match base.join(&path) {
        Ok(url) if url.origin() == base.origin() => url[url::Position::BeforePath..].to_owned(),
        _ => path,
    }
}

/// Methods that may stand in an `[[endpoint]]`.
const METHODS: [&str; 7] = ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS"];
/// Pages that may be named under `frontends`: each costs an audit two requests.
const MOST_FRONTENDS: usize = 4;
/// Values of `fail_on`, as of the command line.
const FAIL_ON: [&str; 5] = ["critical", "high", "medium", "low", "never"];

impl Config {
    /// Reads a file.
    ///
    /// # Errors
    /// With every problem found, each with line and mend; also when the file cannot be read.
    pub fn load(file: &Path) -> Result<Self, ConfigError> {
        let name = file.display().to_string();
        let text = std::fs::read_to_string(file).map_err(|e| ConfigError {
            file: name.clone(),
            problems: vec![Problem {
                line: 0,
                column: 0,
                source: String::new(),
                what: format!("cannot be read: {e}"),
                mend: Some("name another file with --config, or write one with `landfall init`".into()),
            }],
        })?;
        let mut config = Self::parse(&text, &name)?;
        let folder = file.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
        config.project = Some(folder.join(config.project.unwrap_or_else(|| PathBuf::from("."))));
        for file in config.ca_files.iter_mut().chain(&mut config.logs) {
            *file = folder.join(&*file);
        }
        config.hosts_file = config.hosts_file.map(|path| folder.join(path));
        config.file = Some(file.to_owned());
        Ok(config)
    }

    /// Parses the text of a file; `name` is used in errors only.
    ///
    /// # Errors
    /// With every problem found.
    pub fn parse(text: &str, name: &str) -> Result<Self, ConfigError> {
        let mut problems = Problems { text, found: Vec::new() };
        match toml::de::DeTable::parse(text) {
            Ok(table) => keys::check(table.get_ref(), &mut problems),
            Err(error) => problems.add(error.span(), error.message().to_owned(), None),
        }
        problems.done(name)?;
        let mut problems = Problems { text, found: Vec::new() };
        let raw: Raw = match toml::from_str(text) {
            Ok(raw) => raw,
            Err(error) => {
                problems.add(error.span(), error.message().to_owned(), None);
                return Err(problems.error(name));
            }
        };
        let config = Self {
            file: None,
            name: raw.target.name,
            production: problems.url(raw.target.production, "production"),
            origin: problems.url(raw.target.origin, "origin"),
            edge: problems.vendor(raw.target.edge),
            local: problems.url(raw.target.local, "local"),
            project: raw.target.project,
            frontends: problems.frontends(raw.target.frontends),
            logs: raw.target.logs,
            endpoints: raw.endpoint.into_iter().filter_map(|e| problems.endpoint(e)).collect(),
            uses: problems.uses(raw.rate_limit),
            rephrase: raw.rephrase.and_then(|rephrase| problems.rephraser(rephrase)),
            test_command: raw.tests.command,
            test_timeout: problems.duration(raw.tests.timeout),
            timeout: problems.duration(raw.audit.timeout),
            budget: raw.audit.budget,
            fail_on: raw.audit.fail_on.and_then(|v| problems.one_of(v, &FAIL_ON)),
            resolvers: raw.network.resolvers,
            connect_to: raw.network.connect_to,
            ca_files: raw.network.ca_files,
            expected_ns: raw.dns.expected_ns.into_iter().filter_map(|name| problems.server(name)).collect(),
            rdap: raw.dns.rdap.and_then(|service| problems.rdap(service)),
            hosts_file: raw.dns.hosts_file,
            thresholds: raw.thresholds,
        };
        problems.done(name)?;
        Ok(config)
    }
}

/// Collects problems while the rest is still read, so that all are reported at once.
struct Problems<'a> {
    text: &'a str,
    found: Vec<Problem>,
}

impl Problems<'_> {
    /// The language model. A key is named by its variable, so that it never stands in the file.
    fn rephraser(&mut self, raw: RawRephrase) -> Option<crate::rephrase::Rephraser> {
        let is_name = |name: &str| {
            !name.is_empty()
                && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_')
                && !name.starts_with(|c: char| c.is_ascii_digit())
        };
        if let Some(key) = raw.key_env.as_ref().filter(|key| !is_name(key.get_ref())) {
            let mend = "name the environment variable that holds the key, not the key itself".to_owned();
            self.add(Some(key.span()), "key_env is not the name of a variable".to_owned(), Some(mend));
            return None;
        }
        let url = raw.url.get_ref().parse::<Url>().ok().filter(|u| matches!(u.scheme(), "http" | "https"));
        let Some(url) = url else {
            let mend =
                "write the base URL of an interface of OpenAI's form, for instance http://127.0.0.1:11434/v1";
            self.add(
                Some(raw.url.span()),
                "url is not an http or https URL".to_owned(),
                Some(mend.to_owned()),
            );
            return None;
        };
        let key_env = raw.key_env.map(toml::Spanned::into_inner);
        Some(crate::rephrase::Rephraser { url, model: raw.model, key_env })
    }

    fn add(&mut self, span: Option<std::ops::Range<usize>>, what: String, mend: Option<String>) {
        let Some(span) = span else {
            self.found.push(Problem { line: 0, column: 0, source: String::new(), what, mend });
            return;
        };
        let at = span.start.min(self.text.len());
        let before = &self.text.as_bytes()[..at];
        let line = before.iter().filter(|b| **b == b'\n').count() + 1;
        let start = before.iter().rposition(|b| *b == b'\n').map_or(0, |i| i + 1);
        let column = String::from_utf8_lossy(&before[start..]).chars().count() + 1;
        // What is quoted may stand in a terminal or a log, and a URL or a command can carry a credential.
        let source = landfall_evidence::redact_text(self.text.lines().nth(line - 1).unwrap_or_default());
        self.found.push(Problem { line, column, source, what: landfall_evidence::redact_text(&what), mend });
    }

    /// The name of an edge: a word as the catalogue spells them, so that it can be held against the marks of answers.
    fn vendor(&mut self, value: Option<toml::Spanned<String>>) -> Option<String> {
        let value = value?;
        let name = value.get_ref().trim().to_ascii_lowercase();
        let word = |c: char| c.is_ascii_alphanumeric() || c == '-' || c == '.';
        if name.is_empty() || name.len() > 40 || !name.chars().all(word) {
            self.add(
                Some(value.span()),
                format!("edge = {:?} is not the name of an edge", value.get_ref()),
                Some("write the vendor's name in small letters: cloudflare, fastly, aws-cloudfront, akamai, vercel".into()),
            );
            return None;
        }
        Some(name)
    }

    fn found_so_far(&self) -> usize {
        self.found.len()
    }

    fn done(self, file: &str) -> Result<(), ConfigError> {
        if self.found.is_empty() { Ok(()) } else { Err(self.error(file)) }
    }

    fn error(mut self, file: &str) -> ConfigError {
        self.found.sort_by_key(|p| (p.line, p.column));
        ConfigError { file: file.to_owned(), problems: self.found }
    }

    fn url(&mut self, value: Option<toml::Spanned<String>>, key: &str) -> Option<Url> {
        let value = value?;
        match parse_base_url(value.get_ref()) {
            Ok(url) => Some(url),
            Err(problem) => {
                let mend = match key {
                    "frontends" => "write it as frontends = [\"https://app.example.com\"]".to_owned(),
                    _ => format!("write it as {key} = \"https://api.example.com\""),
                };
                self.add(Some(value.span()), format!("{key}: {problem}"), Some(mend));
                None
            }
        }
    }

    /// A name server by its name or address.
    fn server(&mut self, value: toml::Spanned<String>) -> Option<String> {
        let name = value.get_ref().trim().trim_end_matches('.').to_ascii_lowercase();
        let label = |label: &str| {
            !label.is_empty()
                && label.len() <= 63
                && label.chars().all(|c| c.is_ascii_alphanumeric() || "-_".contains(c))
        };
        let is_name = name.len() <= 253 && name.contains('.') && name.split('.').all(label);
        if is_name || name.parse::<std::net::IpAddr>().is_ok() {
            return Some(name);
        }
        let mend =
            "write names or addresses of servers, for instance expected_ns = [\"ns1.provider.example\"]";
        self.add(
            Some(value.span()),
            format!("{:?} is not the name of a server", value.get_ref()),
            Some(mend.into()),
        );
        None
    }

    /// The base URL of an RDAP service, or the word for IANA's list of them.
    fn rdap(&mut self, value: toml::Spanned<String>) -> Option<String> {
        let text = value.get_ref().trim();
        if text == landfall_probe::rdap::IANA {
            return Some(text.to_owned());
        }
        match parse_base_url(text) {
            Ok(url) if text.contains("://") => Some(url.to_string()),
            Ok(_) => {
                let mend = "write the whole base URL, or \"iana\" for the service that IANA lists".to_owned();
                self.add(Some(value.span()), format!("rdap: {text:?} is not a base URL"), Some(mend));
                None
            }
            Err(problem) => {
                let mend = "write the base URL of the registry's RDAP service, or \"iana\"".to_owned();
                self.add(Some(value.span()), format!("rdap: {problem}"), Some(mend));
                None
            }
        }
    }

    /// Pages whose scripts call production. Only the origin of each counts, as in the header that browsers send.
    fn frontends(&mut self, values: Vec<toml::Spanned<String>>) -> Vec<Url> {
        if let Some(first_too_many) = values.get(MOST_FRONTENDS) {
            let mend = "name the origins that matter; each costs two requests".to_owned();
            let what = format!("more than {MOST_FRONTENDS} frontends");
            self.add(Some(first_too_many.span()), what, Some(mend));
        }
        let mut found: Vec<Url> = Vec::new();
        for value in values.into_iter().take(MOST_FRONTENDS) {
            if let Some(mut url) = self.url(Some(value), "frontends") {
                url.set_path("");
                if !found.contains(&url) {
                    found.push(url);
                }
            }
        }
        found
    }

    fn endpoint(&mut self, raw: RawEndpoint) -> Option<Endpoint> {
        let before = self.found.len();
        let path = raw.path.get_ref().clone();
        if !path.starts_with('/') {
            let mend = format!("write it as path = \"/{}\"", path.trim_start_matches('/'));
            self.add(Some(raw.path.span()), format!("path {path:?} does not begin with a slash"), Some(mend));
        } else if path.contains(|c: char| c.is_control() || c == ' ' || c == '#') {
            let mend = "percent-encode what a URL cannot carry (a space is %20)".to_owned();
            self.add(Some(raw.path.span()), format!("path {path:?} cannot stand in a URL"), Some(mend));
        }
        let method = match raw.method {
            None => "GET".to_owned(),
            Some(method) => {
                let upper = method.get_ref().to_ascii_uppercase();
                let spanned = toml::Spanned::new(method.span(), upper);
                self.one_of(spanned, &METHODS).unwrap_or_default()
            }
        };
        for status in &raw.status {
            if !(100..600).contains(status.get_ref()) {
                let mend = "a status is a number from 100 to 599, for instance status = [200]".to_owned();
                self.add(
                    Some(status.span()),
                    format!("{} is not an HTTP status", status.get_ref()),
                    Some(mend),
                );
            }
        }
        let expect = Expectation {
            status: raw.status.into_iter().map(toml::Spanned::into_inner).collect(),
            content_type: raw.content_type.map(|t| t.to_ascii_lowercase()),
            json_keys: raw.json_keys,
            says: raw.contains.into_iter().map(Says::Text).collect(),
            within_ms: self
                .duration(raw.timeout)
                .map(|limit| u64::try_from(limit.as_millis()).unwrap_or(u64::MAX).max(1)),
        };
        let path = as_requested(path);
        let endpoint = Endpoint { method, path, source: EndpointSource::Declared, core: raw.core, expect };
        (self.found.len() == before).then_some(endpoint)
    }

    fn duration(&mut self, value: Option<toml::Spanned<String>>) -> Option<Duration> {
        let value = value?;
        match parse_duration(value.get_ref()) {
            Ok(duration) => Some(duration),
            Err(problem) => {
                self.add(
                    Some(value.span()),
                    problem,
                    Some("write durations as \"30s\", \"5m\" or \"1h30m\"".into()),
                );
                None
            }
        }
    }

    fn one_of(&mut self, value: toml::Spanned<String>, allowed: &[&str]) -> Option<String> {
        if allowed.contains(&value.get_ref().as_str()) {
            return Some(value.into_inner());
        }
        let mend = match keys::nearest(value.get_ref(), allowed.iter().copied()) {
            Some(near) => format!("did you mean {near:?}? (one of {})", allowed.join(", ")),
            None => format!("use one of {}", allowed.join(", ")),
        };
        self.add(Some(value.span()), format!("{:?} is not known here", value.get_ref()), Some(mend));
        None
    }
}

/// A base URL as a person types it: `https://` is added where no scheme is given, the path loses its final slash.
///
/// # Errors
/// In words, when it is not an http or https URL with a host. The text never repeats credentials.
pub fn parse_base_url(text: &str) -> Result<Url, String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Err("the URL is empty".into());
    }
    let with_scheme = if trimmed.contains("://") { trimmed.to_owned() } else { format!("https://{trimmed}") };
    let shown = landfall_evidence::redact_text(trimmed);
    let mut url = Url::parse(&with_scheme).map_err(|e| format!("{shown:?} is not a URL: {e}"))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(format!(
            "{shown:?} has the scheme {:?}; only http and https can be audited",
            url.scheme()
        ));
    }
    if url.host_str().is_none_or(str::is_empty) {
        return Err(format!("{shown:?} names no host"));
    }
    if !url.username().is_empty() || url.password().is_some() {
        return Err("credentials in a URL would end up in logs and reports; leave them out".into());
    }
    url.set_fragment(None);
    url.set_query(None);
    let path = url.path().trim_end_matches('/').to_owned();
    url.set_path(&path);
    Ok(url)
}

/// A duration such as `30s`, `5m` or `1h30m`.
///
/// # Errors
/// In words, when it has another form, is negative or zero.
pub fn parse_duration(text: &str) -> Result<Duration, String> {
    let span: jiff::SignedDuration =
        text.trim().parse().map_err(|_| format!("{text:?} is not a duration"))?;
    match Duration::try_from(span) {
        Ok(duration) if !duration.is_zero() => Ok(duration),
        _ => Err(format!("{text:?} is not a positive duration")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[target]
name = "Levqor Backend"
production = "api.levqor.ai"
origin = "https://levqor-backend.replit.app/"
local = "http://127.0.0.1:8000"
frontends = ["https://app.levqor.ai/start", "app.levqor.ai", "http://localhost:3000"]

[[endpoint]]
path = "/health"
timeout = "2500ms"
content_type = "application/json"
json_keys = ["ok", "ts"]
contains = ["ready"]

[[endpoint]]
path = "/api/webhooks/stripe/checkout-completed"
method = "post"

[tests]
command = "pytest tests/ --tb=short -q"
timeout = "60s"

[audit]
timeout = "1m30s"
budget = 40
fail_on = "medium"

[network]
resolvers = ["127.0.0.1:5353"]
connect_to = ["104.21.14.105:443:127.0.0.1:8443"]
ca_files = ["root.pem"]
"#;

    #[test]
    fn a_whole_file_is_understood() {
        let config = Config::parse(GOOD, "landfall.toml").expect("valid");
        assert_eq!(config.production.expect("given").as_str(), "https://api.levqor.ai/");
        assert_eq!(config.origin.expect("given").host_str(), Some("levqor-backend.replit.app"));
        assert_eq!(config.endpoints.len(), 2);
        assert_eq!(config.endpoints[1].method, "POST");
        assert_eq!(config.timeout, Some(Duration::from_secs(90)));
        assert_eq!(config.endpoints[0].expect.within_ms, Some(2_500));
        assert_eq!(config.endpoints[0].expect.says, [Says::Text("ready".to_owned())]);
        let frontends: Vec<&str> = config.frontends.iter().map(Url::as_str).collect();
        assert_eq!(frontends, ["https://app.levqor.ai/", "http://localhost:3000/"], "origins, each once");
        assert_eq!(config.budget, Some(40));
        assert_eq!(config.connect_to.len(), 1);
    }

    #[test]
    fn an_unknown_key_is_refused_with_the_nearest_right_one() {
        let error = Config::parse("[target]\nproducton = \"https://a.example.test\"\n", "landfall.toml")
            .expect_err("typo");
        insta::assert_snapshot!(error, @r#"
        landfall.toml:2:1: unknown key "producton" in [target]
             2 | producton = "https://a.example.test"
               = did you mean "production"? (known here: name, production, origin, edge, local, project, frontends, logs)
        "#);
    }

    #[test]
    fn every_problem_is_reported_at_once() {
        let text = "[target]\nproduction = \"ftp://a.example.test\"\n[[endpoint]]\npath = \"health\"\n[[endpoint]]\npath = \"/x\"\nmethod = \"GTE\"\nstatus = [999]\n[tests]\ntimeout = \"soon\"\n";
        let error = Config::parse(text, "landfall.toml").expect_err("bad");
        assert_eq!(error.problems.iter().map(|p| p.line).collect::<Vec<_>>(), [2, 4, 7, 8, 10], "{error}");
    }

    #[test]
    fn endpoints_bear_the_name_that_their_requests_have() {
        for (written, asked) in [
            ("/x?f=a%20eq%20'b'", "/x?f=a%20eq%20%27b%27"),
            ("/caf\u{e9}", "/caf%C3%A9"),
            ("/a?b=c&d", "/a?b=c&d"),
            ("//other.example.test/a", "//other.example.test/a"),
        ] {
            let config = Config::parse(&format!("[[endpoint]]\npath = \"{written}\"\n"), "x").expect("valid");
            assert_eq!(config.endpoints[0].path, asked, "{written}");
        }
    }

    #[test]
    fn dns_says_where_the_zone_should_be_and_whom_to_ask() {
        let text = "[dns]\nexpected_ns = [\"NS1.Provider.example.\", \"192.0.2.53\"]\nrdap = \"https://rdap.example/v1/\"\nhosts_file = \"hosts\"\n";
        let config = Config::parse(text, "landfall.toml").expect("valid");
        assert_eq!(config.expected_ns, ["ns1.provider.example", "192.0.2.53"]);
        assert_eq!(config.rdap.as_deref(), Some("https://rdap.example/v1"));
        assert_eq!(config.hosts_file, Some(PathBuf::from("hosts")));
        let iana = Config::parse("[dns]\nrdap = \"iana\"\n", "x").expect("valid");
        assert_eq!(iana.rdap.as_deref(), Some("iana"));
        let bad = "[dns]\nexpected_ns = [\"ns1\", \"a b.c\"]\nrdap = \"rdap.example\"\nexpected_sn = []\n";
        let error = Config::parse(bad, "x").expect_err("bad");
        assert!(error.to_string().contains("did you mean \"expected_ns\"?"), "{error}");
        let bad = bad.replace("expected_sn = []\n", "");
        let error = Config::parse(&bad, "x").expect_err("bad");
        assert_eq!(error.problems.iter().map(|p| p.line).collect::<Vec<_>>(), [2, 2, 3], "{error}");
        let error =
            Config::parse("[dns]\nrdap = \"https://u:pass1234@rdap.example\"\n", "x").expect_err("bad");
        assert!(!error.to_string().contains("pass1234"), "{error}");
    }

    #[test]
    fn credentials_are_refused_and_not_repeated() {
        let error = Config::parse("[target]\nproduction = \"https://admin:hunter2@a.example.test\"\n", "x")
            .expect_err("bad");
        assert!(!error.to_string().contains("hunter2"), "{error}");
    }

    #[test]
    fn broken_toml_has_its_place() {
        let error = Config::parse("[target\nname = 1\n", "landfall.toml").expect_err("bad");
        assert_eq!(error.problems[0].line, 1, "{error}");
        let error = Config::parse("[target]\nname = 1\n", "landfall.toml").expect_err("bad");
        assert_eq!(error.problems[0].line, 2, "{error}");
    }

    #[test]
    fn base_urls_are_taken_as_typed() {
        assert_eq!(parse_base_url("api.example.test").expect("valid").as_str(), "https://api.example.test/");
        assert_eq!(parse_base_url("http://a.test/v1/?x=1#y").expect("valid").as_str(), "http://a.test/v1");
        for bad in ["", "ftp://x", "https://", "https://u:p@x"] {
            assert!(parse_base_url(bad).is_err(), "{bad}");
        }
    }
}
