//! From flags, `landfall.toml` and the folder to a plan: what is asked, of whom, within which bounds.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::str::FromStr;
use std::time::Duration;

use landfall_evidence::Target;
use landfall_probe::net::{AddressMap, Egress};
use landfall_probe::rate_limit;
use url::Url;

use crate::config::Config;

/// Deadline of an audit when nobody gives one: long enough to wait out two ten-second rate-limit windows and a test run.
pub const DEFAULT_TIMEOUT: Duration = Duration::from_secs(60);
/// Requests to production and origin together when nobody gives a budget: about twice what an ordinary audit sends.
pub const DEFAULT_BUDGET: u32 = 60;
/// Time limit of the project's tests when nobody gives one.
pub const DEFAULT_TEST_LIMIT: Duration = Duration::from_secs(300);

/// Log files that one audit reads at most: those of a few processes, and of the proxy before them.
pub(crate) const MAX_LOGS: usize = 16;

/// A probe by the name that `--only` and `--skip` take.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Probe {
    /// Name resolution beyond what a connection needs: zone, authoritative servers.
    Dns,
    /// Certificate chains on every address.
    Tls,
    /// Requests to production.
    Http,
    /// Requests to the platform's own name.
    Origin,
    /// Requests to the local backend.
    Local,
    /// The rate-limit sequence.
    RateLimit,
    /// Reading the project folder.
    Project,
    /// Running the project's tests.
    Tests,
}

impl Probe {
    /// All of them, in the order of an audit.
    pub const ALL: [Self; 8] = [
        Self::Dns,
        Self::Tls,
        Self::Http,
        Self::Origin,
        Self::Local,
        Self::RateLimit,
        Self::Project,
        Self::Tests,
    ];

    /// Its name on the command line.
    pub fn name(self) -> &'static str {
        match self {
            Self::Dns => "dns",
            Self::Tls => "tls",
            Self::Http => "http",
            Self::Origin => "origin",
            Self::Local => "local",
            Self::RateLimit => "rate-limit",
            Self::Project => "project",
            Self::Tests => "tests",
        }
    }
}

impl FromStr for Probe {
    type Err = PlanError;

    fn from_str(text: &str) -> Result<Self, PlanError> {
        Self::ALL.into_iter().find(|p| p.name() == text).ok_or_else(|| {
            let known: Vec<&str> = Self::ALL.iter().map(|p| p.name()).collect();
            PlanError(format!("{text:?} is not a probe; use {}", known.join(", ")))
        })
    }
}

/// A call that cannot be carried out, in words that name the mend.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0}")]
pub struct PlanError(pub String);

/// What the caller said on the command line; everything here wins over the file.
#[derive(Debug, Clone, Default)]
pub struct Overrides {
    /// The production URL as typed.
    pub production: Option<String>,
    /// The local URL as typed.
    pub local: Option<String>,
    /// The origin URL as typed.
    pub origin: Option<String>,
    /// The project folder.
    pub project: Option<PathBuf>,
    /// Start the project as its platform would.
    pub start: bool,
    /// Only these probes.
    pub only: Vec<Probe>,
    /// Not these probes.
    pub skip: Vec<Probe>,
    /// Resolvers, `ADDR[:PORT]`.
    pub resolvers: Vec<String>,
    /// Address map entries.
    pub connect_to: Vec<String>,
    /// Extra roots.
    pub ca_files: Vec<PathBuf>,
    /// The test command.
    pub test_command: Option<String>,
    /// Log files of the deployment, beside those of the configuration.
    pub logs: Vec<PathBuf>,
    /// Deadline.
    pub timeout: Option<Duration>,
    /// Budget.
    pub budget: Option<u32>,
    /// Whether one probe alone is run, which then asks more than an audit needs.
    pub deep: bool,
    /// Find out what rate limit there is within these bounds, and ask nothing else over HTTP.
    pub discover: Option<rate_limit::Bounds>,
}

/// A plan for one audit.
#[derive(Debug, Clone)]
pub struct Plan {
    /// What is audited. Endpoints may still be empty: they are then found in the project or guessed.
    pub target: Target,
    /// Whether the probes ask more than an audit needs (`landfall http` and its like).
    pub deep: bool,
    /// Whether production is asked for its endpoints alone, as a watch does that comes back every few seconds: no other
    /// addresses, no other versions of HTTP, no plain HTTP, and nothing that would decide between causes.
    pub endpoints_alone: bool,
    /// The bounds within which the rate limit is found out; `None` leaves it at an audit's few requests.
    pub discover: Option<rate_limit::Bounds>,
    /// Whether the project is started as its platform would start it, and asked as the local backend.
    pub start: bool,
    /// Deadline of the whole audit.
    pub timeout: Duration,
    /// Requests to production and origin together.
    pub budget: u32,
    /// Probes left out.
    pub skip: BTreeSet<Probe>,
    /// Recursive resolvers; empty means the system's.
    pub resolvers: Vec<SocketAddr>,
    /// Where packets go.
    pub map: AddressMap,
    /// Extra roots.
    pub ca_files: Vec<PathBuf>,
    /// The test command, when one is declared.
    pub test_command: Option<String>,
    /// Its time limit.
    pub test_limit: Duration,
    /// Log files of the deployment, in the order of the calls; a file named twice is read once.
    pub logs: Vec<PathBuf>,
    /// Severity from which on the exit status is 1.
    pub fail_on: String,
    /// Name servers that the zone should be at.
    pub expected_ns: Vec<String>,
    /// The RDAP service to ask: a base URL, or `iana`. Nobody is asked without it.
    pub rdap: Option<String>,
    /// The hosts file to read in place of this machine's.
    pub hosts_file: Option<PathBuf>,
    /// Thresholds of findings that the file sets.
    pub thresholds: BTreeMap<String, u64>,
    /// What may be connected to; anything, unless a server runs the audit for somebody else.
    pub egress: Egress,
}

impl Plan {
    /// Joins what the caller said with what the file says.
    ///
    /// # Errors
    /// When there is nothing to audit, or a value cannot be understood.
    pub fn new(config: &Config, said: &Overrides) -> Result<Self, PlanError> {
        let url = |typed: &Option<String>, filed: &Option<Url>, flag: &str| match typed {
            Some(text) => {
                crate::parse_base_url(text).map(Some).map_err(|e| PlanError(format!("{flag}: {e}")))
            }
            None => Ok(filed.clone()),
        };
        let production = url(&said.production, &config.production, "URL")?;
        let local = url(&said.local, &config.local, "--local")?;
        let origin = url(&said.origin, &config.origin, "--origin")?;
        let project = said.project.clone().or_else(|| config.project.clone());
        // What is to be started lies in the current folder when nothing names another.
        let project = project.or_else(|| said.start.then(|| PathBuf::from(".")));
        if said.start && said.local.is_some() {
            return Err(PlanError(
                "--start starts the local backend itself, so --local has no meaning beside it".to_owned(),
            ));
        }
        if let Some(folder) = &project
            && !folder.is_dir()
        {
            return Err(PlanError(format!(
                "the project folder {} does not exist or is not a folder",
                folder.display()
            )));
        }
        if production.is_none() && local.is_none() && origin.is_none() && project.is_none() {
            return Err(PlanError(
                "nothing to audit: name a URL (landfall audit https://api.example.com), or write a landfall.toml with `landfall init`"
                    .into(),
            ));
        }
        let host = |u: &Option<Url>| u.as_ref().and_then(|u| u.host_str().map(str::to_owned));
        let name = config
            .name
            .clone()
            .or_else(|| host(&production))
            .or_else(|| host(&origin))
            .or_else(|| host(&local));
        let name =
            name.or_else(|| project.as_deref().and_then(folder_name)).unwrap_or_else(|| "backend".into());

        let mut map = AddressMap::default();
        for entry in config.connect_to.iter().chain(&said.connect_to) {
            map.add(entry).map_err(|e| PlanError(format!("--connect-to: {e}")))?;
        }
        let resolvers = if said.resolvers.is_empty() { &config.resolvers } else { &said.resolvers };
        let resolvers = resolvers.iter().map(|r| parse_resolver(r)).collect::<Result<_, _>>()?;

        let mut logs: Vec<PathBuf> = Vec::new();
        for log in config.logs.iter().chain(&said.logs) {
            if !logs.contains(log) {
                logs.push(log.clone());
            }
        }
        if logs.len() > MAX_LOGS {
            return Err(PlanError(format!(
                "{} log files are more than the {MAX_LOGS} that one audit reads; name those of the process that fails",
                logs.len()
            )));
        }

        let mut skip: BTreeSet<Probe> = said.skip.iter().copied().collect();
        if !said.only.is_empty() {
            skip.extend(Probe::ALL.into_iter().filter(|p| !said.only.contains(p)));
        }
        Ok(Self {
            target: Target {
                name,
                production,
                origin,
                edge: config.edge.clone(),
                local,
                project: project.map(|p| p.display().to_string()),
                frontends: config.frontends.clone(),
                endpoints: config.endpoints.clone(),
                uses: config.uses.clone(),
            },
            deep: said.deep,
            endpoints_alone: false,
            discover: said.discover,
            start: said.start,
            timeout: said.timeout.or(config.timeout).unwrap_or(DEFAULT_TIMEOUT),
            budget: said.budget.or(config.budget).unwrap_or(DEFAULT_BUDGET),
            skip,
            resolvers,
            map,
            ca_files: config.ca_files.iter().chain(&said.ca_files).cloned().collect(),
            test_command: said.test_command.clone().or_else(|| config.test_command.clone()),
            test_limit: config.test_timeout.unwrap_or(DEFAULT_TEST_LIMIT),
            logs,
            fail_on: config.fail_on.clone().unwrap_or_else(|| "high".into()),
            expected_ns: config.expected_ns.clone(),
            rdap: config.rdap.clone(),
            hosts_file: config.hosts_file.clone(),
            thresholds: config.thresholds.clone(),
            egress: Egress::anything(),
        })
    }

    /// Whether a probe is to run.
    pub fn runs(&self, probe: Probe) -> bool {
        !self.skip.contains(&probe)
    }
}

fn folder_name(folder: &Path) -> Option<String> {
    let whole = std::path::absolute(folder).ok()?;
    Some(whole.file_name()?.to_string_lossy().into_owned())
}

fn parse_resolver(text: &str) -> Result<SocketAddr, PlanError> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    SocketAddr::from_str(text).or_else(|_| IpAddr::from_str(bare).map(|ip| SocketAddr::new(ip, 53))).map_err(|_| {
        PlanError(format!("--resolver: {text:?} is not ADDR or ADDR:PORT (examples: 9.9.9.9, 127.0.0.1:5353, [2620:fe::fe]:53)"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_alone_is_enough_and_nothing_is_too_little() {
        let said = Overrides { production: Some("api.example.test".into()), ..Overrides::default() };
        let plan = Plan::new(&Config::default(), &said).expect("a URL is enough");
        assert_eq!(plan.target.name, "api.example.test");
        assert!(plan.runs(Probe::RateLimit));
        let error = Plan::new(&Config::default(), &Overrides::default()).expect_err("nothing");
        assert!(error.to_string().contains("landfall init"), "{error}");
    }

    #[test]
    fn only_means_not_the_others() {
        let said = Overrides {
            production: Some("api.example.test".into()),
            only: vec![Probe::Dns, Probe::Tls],
            skip: vec![Probe::Tls],
            ..Overrides::default()
        };
        let plan = Plan::new(&Config::default(), &said).expect("valid");
        assert!(plan.runs(Probe::Dns) && !plan.runs(Probe::Tls) && !plan.runs(Probe::Http));
    }

    #[test]
    fn the_command_line_wins_over_the_file() {
        let config = Config {
            production: Some("https://a.test".parse().expect("valid")),
            budget: Some(5),
            ..Config::default()
        };
        let said =
            Overrides { production: Some("https://b.test".into()), budget: Some(9), ..Overrides::default() };
        let plan = Plan::new(&config, &said).expect("valid");
        assert_eq!(plan.target.production.expect("given").host_str(), Some("b.test"));
        assert_eq!(plan.budget, 9);
    }

    #[test]
    fn logs_of_the_file_and_the_call_are_read_once_each_and_have_a_bound() {
        let config = Config { logs: vec!["a.log".into()], ..Config::default() };
        let logs = |names: &[&str]| Overrides {
            production: Some("https://a.test".into()),
            logs: names.iter().map(PathBuf::from).collect(),
            ..Overrides::default()
        };
        let plan = Plan::new(&config, &logs(&["b.log", "a.log"])).expect("valid");
        assert_eq!(plan.logs, [PathBuf::from("a.log"), PathBuf::from("b.log")]);
        let many: Vec<String> = (0..MAX_LOGS).map(|n| format!("{n}.log")).collect();
        let many: Vec<&str> = many.iter().map(String::as_str).collect();
        let error = Plan::new(&config, &logs(&many)).expect_err("too many");
        assert!(error.to_string().contains("17 log files"), "{error}");
    }

    #[test]
    fn resolvers_take_the_usual_forms() {
        assert_eq!(parse_resolver("9.9.9.9").expect("valid").port(), 53);
        assert_eq!(parse_resolver("127.0.0.1:5353").expect("valid").port(), 5353);
        assert_eq!(parse_resolver("[2620:fe::fe]").expect("valid").port(), 53);
        assert_eq!(parse_resolver("2620:fe::fe").expect("valid").port(), 53);
        assert!(parse_resolver("dns.google").is_err());
    }
}
