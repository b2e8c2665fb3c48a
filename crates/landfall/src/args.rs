//! The command line as typed. What it means is decided in `landfall-audit`.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueHint};
use landfall_audit::{FailOn, Overrides, Probe};
use landfall_report::Format;

/// Why is production not serving what I built?
///
/// Audits a backend from the project folder to the public edge, names the broken hop and the cause with proof, says what
/// to do, and verifies that it worked.
#[derive(Debug, Parser)]
#[command(name = "landfall", version, max_term_width = 100, after_help = AFTER, arg_required_else_help = true)]
pub(crate) struct Cli {
    #[command(subcommand)]
    pub(crate) command: Command,
}

const AFTER: &str = "\
Exit status:
  0  nothing at or above --fail-on
  1  something is
  2  the call was wrong (usage, configuration)
  3  the audit could not run, or could verify nothing

Start with:
  landfall audit https://api.example.com
  landfall audit --demo";

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Audit a backend and say why production does not serve it
    Audit(AuditArgs),
    /// Diagnose saved evidence again, without any network
    Diagnose(DiagnoseArgs),
    /// Compare two audits: what got better, what got worse, and which change explains it
    Compare(CompareArgs),
    /// Run the verification procedure: has the repair worked?
    Verify(VerifyArgs),
    /// Say what a code or an id means, and how to check it by hand
    Explain(ExplainArgs),
    /// Write a landfall.toml from what the folder shows
    Init(InitArgs),
    /// Show the changes to the project that are safe to make, as a diff; with --apply, make them
    Fix(FixArgs),
    /// Build a broken world on loopback, to audit it or to look at it
    Lab(LabArgs),
    /// Ask only DNS, and survey the zone server by server
    Dns(DnsArgs),
    /// Ask only TLS
    ///
    /// And more of it than an audit does: versions, cipher suites, groups, sessions, revocation, and whether the next renewal
    /// will succeed; at most 17 connections an address.
    Tls(TlsArgs),
    /// Ask only HTTP
    Http(HttpArgs),
    /// Find out the rate limit, its period and its kind
    ///
    /// Sends GET requests to this one URL: three a second apart, then ten a second until the first refusal; with --deep it
    /// goes on, each request at the time whose answer tells most. Retry-After is always obeyed. It stops at server errors,
    /// challenges and lost connections.
    RateLimit(RateLimitArgs),
    /// Run only the project's tests
    Tests(TestsArgs),
    /// Keep watch: monitors, incidents with their cause, alerts, pages, status page, API
    Serve(ServeArgs),
    /// Run a command, and tell a heartbeat when it starts and how it ends
    Run(RunArgs),
    /// Show what `landfall apply` would change on a server
    Plan(DeclareArgs),
    /// Make a server's monitors, channels, windows and heartbeats be as landfall.toml says
    Apply(ApplyArgs),
    /// Print the JSON Schema of evidence or report files
    Schema(SchemaArgs),
    /// Print shell completions
    Completions(CompletionsArgs),
    /// Print the manual page
    Man,
}

/// What is audited and how it is reached.
#[derive(Debug, Args)]
pub(crate) struct TargetArgs {
    /// The public base URL; from landfall.toml when left out
    #[arg(value_hint = ValueHint::Url)]
    pub(crate) url: Option<String>,
    /// The backend on this machine, for instance http://127.0.0.1:8000
    #[arg(long, value_name = "URL")]
    pub(crate) local: Option<String>,
    /// The platform's own name for the deployment, which needs neither the custom domain nor the edge
    #[arg(long, value_name = "URL")]
    pub(crate) origin: Option<String>,
    /// The project folder
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) project: Option<PathBuf>,
    /// Configuration file; landfall.toml of this folder when there is one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
}

/// How packets travel.
#[derive(Debug, Args)]
#[command(next_help_heading = "Network")]
pub(crate) struct NetworkArgs {
    /// Recursive resolver to ask in place of the system's; may be repeated
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub(crate) resolver: Vec<String>,
    /// Lead connections elsewhere, as of curl --connect-to; HOST may be an address; may be repeated
    #[arg(long, value_name = "HOST:PORT:ADDR:PORT")]
    pub(crate) connect_to: Vec<String>,
    /// Trust the root certificates of this PEM file as well; may be repeated
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath)]
    pub(crate) ca_file: Vec<PathBuf>,
    /// Deadline of the whole call; what is not answered by then is unknown [default: 60s]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// HTTP requests to production and origin together [default: 60]
    #[arg(long, value_name = "REQUESTS")]
    pub(crate) budget: Option<u32>,
}

/// How results are written.
#[derive(Debug, Args)]
#[command(next_help_heading = "Output")]
pub(crate) struct OutputArgs {
    /// Format on stdout: terminal, markdown, html, json, junit or sarif [default: terminal]
    #[arg(long, value_name = "FORMAT")]
    pub(crate) format: Option<Format>,
    /// Write the report to a file as well, in the format of its extension; may be repeated
    #[arg(short, long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) output: Vec<PathBuf>,
    /// Show every argument, passed check and ruled-out cause in the terminal
    #[arg(long)]
    pub(crate) details: bool,
    /// Carry the whole evidence inside the JSON report
    #[arg(long)]
    pub(crate) with_evidence: bool,
    /// Let the language model of [rephrase] in landfall.toml put the explanation into other words
    #[arg(long)]
    pub(crate) rephrase: bool,
    /// Severity from which on the exit status is 1: critical, high, medium, low or never [default: high]
    #[arg(long, value_name = "SEVERITY")]
    pub(crate) fail_on: Option<FailOn>,
}

#[derive(Debug, Args)]
pub(crate) struct AuditArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Run only these probes: dns, tls, http, origin, local, rate-limit, project, tests
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) only: Vec<Probe>,
    /// Leave these probes out
    #[arg(long, value_name = "LIST", value_delimiter = ',')]
    pub(crate) skip: Vec<Probe>,
    /// Start the project as its platform would (PORT on a free port, a clean environment with the declared variables),
    /// audit it as the local backend, and end it
    #[arg(long, conflicts_with = "local")]
    pub(crate) start: bool,
    /// The project's test command; found from the project when left out
    #[arg(long, value_name = "COMMAND")]
    pub(crate) test_command: Option<String>,
    /// A log file of the deployment: its end is read, masked, and weighed with the rest; may be repeated
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) log: Vec<PathBuf>,
    /// Save the evidence, masked, to replay it with `landfall diagnose`
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) save_evidence: Option<PathBuf>,
    /// A folder with signatures and causes of your own, beside the built-in ones
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) catalogue: Option<PathBuf>,
    /// Audit a broken world that is built on loopback for the occasion and removed afterwards
    #[arg(long, conflicts_with_all = ["url", "local", "origin", "project", "config"])]
    pub(crate) demo: bool,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
    /// No progress on stderr
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct DiagnoseArgs {
    /// A file written by --save-evidence; - reads stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) evidence: PathBuf,
    /// Claims to grade against the evidence: proven, consistent, refuted or untested
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) claims: Option<PathBuf>,
    /// A folder with signatures and causes of your own, beside the built-in ones
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) catalogue: Option<PathBuf>,
    #[command(flatten)]
    pub(crate) output: OutputArgs,
}

#[derive(Debug, Args)]
#[command(
    after_help = "Exit status: 0 nothing is worse, 1 something is, 2 a file is neither evidence nor a report."
)]
pub(crate) struct CompareArgs {
    /// The earlier evidence or JSON report
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) old: PathBuf,
    /// The later one; - reads stdin
    #[arg(value_hint = ValueHint::FilePath)]
    pub(crate) new: PathBuf,
    /// Print the comparison as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct VerifyArgs {
    /// A JSON report, or the public base URL; from landfall.toml when left out
    pub(crate) what: Option<String>,
    /// The backend on this machine, whose answers show what production should say
    #[arg(long, value_name = "URL")]
    pub(crate) local: Option<String>,
    /// Configuration file; landfall.toml of this folder when there is one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Try again until everything passes or this time is over, for instance 10m
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) wait: Option<Duration>,
    /// Print the results as JSON
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) network: NetworkArgs,
}

#[derive(Debug, Args)]
pub(crate) struct ExplainArgs {
    /// A finding (LF-TLS-001), a cause (never-deployed) or a signature (cloudflare-marker)
    pub(crate) code: String,
    /// A folder with signatures and causes of your own, beside the built-in ones
    #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
    pub(crate) catalogue: Option<PathBuf>,
}

#[derive(Debug, Args)]
#[command(after_help = "Exit status: 0 nothing to change or all changed, 1 changes are shown and not made.")]
pub(crate) struct FixArgs {
    /// The project folder
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) project: PathBuf,
    /// Make the changes
    #[arg(long)]
    pub(crate) apply: bool,
    /// Run the tests too, and try the remedy of an import path in a copy of the project
    #[arg(long)]
    pub(crate) tests: bool,
}

#[derive(Debug, Args)]
pub(crate) struct InitArgs {
    /// The public base URL
    pub(crate) url: Option<String>,
    /// The project folder
    #[arg(long, value_name = "DIR", default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) project: PathBuf,
    /// Print the file instead of writing it
    #[arg(long)]
    pub(crate) print: bool,
    /// Replace a landfall.toml that is already there
    #[arg(long)]
    pub(crate) force: bool,
}

#[derive(Debug, Args)]
pub(crate) struct LabArgs {
    #[command(subcommand)]
    pub(crate) command: LabCommand,
}

#[derive(Debug, Subcommand)]
pub(crate) enum LabCommand {
    /// List the scenarios
    List,
    /// Build a scenario, audit it, compare the result with what is true in it
    Run {
        /// Scenarios by name; all of them when left out
        scenario: Vec<String>,
        /// Write the evidence of each scenario to DIR/NAME/evidence.json
        #[arg(long, value_name = "DIR", value_hint = ValueHint::DirPath)]
        save_evidence: Option<PathBuf>,
    },
    /// Replay the corpus of recorded worlds, and print how often the diagnosis is right
    #[command(after_help = "Exit status: 0, or 1 when a figure is worse than DIR/../gates.toml allows.")]
    Score(ScoreArgs),
    /// Build a scenario and keep it up until interrupted
    Up {
        /// The scenario
        scenario: String,
    },
}

#[derive(Debug, Args)]
pub(crate) struct ScoreArgs {
    /// Format on stdout
    #[arg(long, value_enum, default_value_t = ScoreFormat::Text)]
    pub(crate) format: ScoreFormat,
    /// The folder of recipes and recordings
    #[arg(long, value_name = "DIR", default_value = "scenarios/corpus", value_hint = ValueHint::DirPath)]
    pub(crate) corpus: PathBuf,
    /// Only worlds whose name holds this; figures of a part have no gates
    #[arg(long, value_name = "PART", default_value = "")]
    pub(crate) only: String,
    /// Only what is judged wrongly, world by world
    #[arg(long, conflicts_with = "format")]
    pub(crate) failing: bool,
}

/// Formats of a score.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum ScoreFormat {
    /// Tables for a terminal.
    Text,
    /// One object, its keys those of the documentation.
    Json,
}

#[derive(Debug, Args)]
pub(crate) struct OneProbeArgs {
    #[command(flatten)]
    pub(crate) target: TargetArgs,
    /// Format on stdout: terminal or json (evidence)
    #[arg(long, value_name = "FORMAT", default_value = "terminal")]
    pub(crate) format: Format,
    /// No progress on stderr
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RateLimitArgs {
    #[command(flatten)]
    pub(crate) probe: OneProbeArgs,
    /// Go on after the first refusal, to tell the kinds of limiter apart: at most 120 requests, 25 refusals and 300 s
    #[arg(long)]
    pub(crate) deep: bool,
    /// Time that it may take, in seconds [default: 90, with --deep 300]
    #[arg(long, value_name = "SECONDS", value_parser = clap::value_parser!(u64).range(5..=3600))]
    pub(crate) max_seconds: Option<u64>,
}

#[derive(Debug, Args)]
pub(crate) struct DnsArgs {
    #[command(flatten)]
    pub(crate) probe: OneProbeArgs,
    /// Ask the public resolvers 1.1.1.1, 8.8.8.8 and 9.9.9.9 as well
    #[arg(long)]
    pub(crate) public: bool,
    /// Ask again at this interval until everybody sees what the zone says, and tell what changed
    #[arg(long, value_name = "INTERVAL", value_parser = duration, num_args = 0..=1, default_missing_value = "10s", require_equals = true)]
    pub(crate) watch: Option<Duration>,
    /// How long --watch goes on at most
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h", requires = "watch")]
    pub(crate) watch_for: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct TlsArgs {
    #[command(flatten)]
    pub(crate) probe: OneProbeArgs,
    /// Look again at this interval until every address shows a new certificate that holds, and tell what changed
    #[arg(long, value_name = "INTERVAL", value_parser = duration, num_args = 0..=1, default_missing_value = "10s", require_equals = true)]
    pub(crate) watch: Option<Duration>,
    /// How long --watch goes on at most
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h", requires = "watch")]
    pub(crate) watch_for: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct HttpArgs {
    #[command(flatten)]
    pub(crate) probe: OneProbeArgs,
    /// Ask production's endpoints again at this interval until one answers with another status or build mark
    #[arg(long, value_name = "INTERVAL", value_parser = duration, num_args = 0..=1, default_missing_value = "10s", require_equals = true)]
    pub(crate) watch: Option<Duration>,
    /// How long --watch goes on at most
    #[arg(long, value_name = "DURATION", value_parser = duration, default_value = "1h", requires = "watch")]
    pub(crate) watch_for: Duration,
}

#[derive(Debug, Args)]
pub(crate) struct TestsArgs {
    /// The project folder
    #[arg(default_value = ".", value_hint = ValueHint::DirPath)]
    pub(crate) project: PathBuf,
    /// The test command; found from the project when left out
    #[arg(long, value_name = "COMMAND")]
    pub(crate) test_command: Option<String>,
    /// Time limit [default: 5m]
    #[arg(long, value_name = "DURATION", value_parser = duration)]
    pub(crate) timeout: Option<Duration>,
    /// Format on stdout: terminal or json (evidence)
    #[arg(long, value_name = "FORMAT", default_value = "terminal")]
    pub(crate) format: Format,
    /// No progress on stderr
    #[arg(short, long)]
    pub(crate) quiet: bool,
}

#[derive(Debug, Args)]
pub(crate) struct RunArgs {
    /// The heartbeat's ping URL
    #[arg(long, env = "LANDFALL_PING_URL", hide_env_values = true, value_hint = ValueHint::Url)]
    pub(crate) url: String,
    /// Leave the command's output alone: it is neither kept nor sent, and a terminal stays a terminal
    #[arg(long)]
    pub(crate) no_output: bool,
    /// The command and its arguments
    #[arg(last = true, required = true, value_hint = ValueHint::CommandWithArguments)]
    pub(crate) command: Vec<std::ffi::OsString>,
}

#[derive(Debug, Args)]
pub(crate) struct DeclareArgs {
    /// The server
    #[arg(long, env = "LANDFALL_SERVER", value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) server: String,
    /// An API key with the scope write
    #[arg(long, env = "LANDFALL_KEY", hide_env_values = true)]
    pub(crate) key: String,
    /// The file
    #[arg(long, value_name = "FILE", default_value = "landfall.toml", value_hint = ValueHint::FilePath)]
    pub(crate) config: PathBuf,
    /// Print the plan as JSON
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, Args)]
pub(crate) struct ApplyArgs {
    #[command(flatten)]
    pub(crate) declare: DeclareArgs,
}

#[derive(Debug, Args)]
pub(crate) struct SchemaArgs {
    /// Which file's schema
    #[arg(value_parser = ["evidence", "report", "comparison", "claims", "score"])]
    pub(crate) of: String,
}

#[derive(Debug, Args)]
pub(crate) struct CompletionsArgs {
    /// The shell
    pub(crate) shell: clap_complete::Shell,
}

impl TargetArgs {
    /// What the caller said, for the plan.
    pub(crate) fn overrides(&self) -> Overrides {
        let network = &self.network;
        Overrides {
            production: self.url.clone(),
            local: self.local.clone(),
            origin: self.origin.clone(),
            project: self.project.clone(),
            resolvers: network.resolver.clone(),
            connect_to: network.connect_to.clone(),
            ca_files: network.ca_file.clone(),
            timeout: network.timeout,
            budget: network.budget,
            ..Overrides::default()
        }
    }
}

fn duration(text: &str) -> Result<Duration, String> {
    landfall_audit::parse_duration(text).map_err(|problem| format!("{problem}; write it as 30s, 5m or 1h30m"))
}

/// Everything can also be set in `[server]` of landfall.toml and by LANDFALL_* variables; see docs/server.md.
#[derive(Debug, Args)]
pub(crate) struct ServeArgs {
    /// Where to listen [default: 0.0.0.0]
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub(crate) listen: Option<String>,
    /// Port to listen on; $PORT when left out [default: 8000]
    #[arg(long, value_name = "PORT")]
    pub(crate) port: Option<u16>,
    /// SQLite file or postgres:// URL [default: landfall.sqlite3]
    #[arg(long, value_name = "FILE|URL")]
    pub(crate) database: Option<String>,
    /// The URL under which people reach it; links in alerts begin with it
    #[arg(long, value_name = "URL", value_hint = ValueHint::Url)]
    pub(crate) public_url: Option<String>,
    /// Configuration file; landfall.toml of this folder when there is one
    #[arg(long, value_name = "FILE", value_hint = ValueHint::FilePath)]
    pub(crate) config: Option<PathBuf>,
    /// Private range that monitors and channels may reach all the same; may be repeated
    #[arg(long, value_name = "NET")]
    pub(crate) allow_egress: Vec<String>,
    /// Address of which at least one answers while this server's own connection is sound; may be repeated
    #[arg(long, value_name = "ADDR:PORT")]
    pub(crate) canary: Vec<String>,
    /// Recursive resolver to ask in place of the system's; may be repeated
    #[arg(long, value_name = "ADDR[:PORT]")]
    pub(crate) resolver: Vec<String>,
    /// Lead connections elsewhere, as of curl --connect-to; HOST may be an address; may be repeated
    #[arg(long, value_name = "HOST:PORT:ADDR:PORT")]
    pub(crate) connect_to: Vec<String>,
    /// Trust the root certificates of this PEM file as well; may be repeated
    #[arg(long, value_name = "PEM", value_hint = ValueHint::FilePath)]
    pub(crate) ca_file: Vec<PathBuf>,
}
