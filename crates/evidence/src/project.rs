//! What the project folder shows. Names and shapes of settings only, never their values.

use std::collections::BTreeSet;

use jiff::Timestamp;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use crate::target::Expectation;
use crate::{Observed, ProjectSign};

/// The reading of a project folder.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectObservation {
    /// The folder.
    pub root: String,
    /// What it shows.
    pub answer: Observed<Box<ProjectSnapshot>>,
}

/// What a project folder shows. All paths are relative to the root, with forward slashes.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProjectSnapshot {
    /// The absolute path of the root.
    pub root: String,
    /// Languages and frameworks found, most important first.
    pub stacks: Vec<Stack>,
    /// The file that defines the application.
    pub entry: Option<EntryFile>,
    /// Folders of source code with their file counts.
    pub folders: Vec<Folder>,
    /// Deploy configurations found, one per file and stage.
    pub deploy: Vec<DeployConfig>,
    /// Settings by name.
    pub settings: SettingsInventory,
    /// Routes read from the code.
    pub routes: Vec<Route>,
    /// Schedulers and their jobs.
    pub schedulers: Vec<Scheduler>,
    /// Version control; `None` when the folder is not under git.
    pub git: Option<GitState>,
    /// Hosts and name servers that documents and deploy or infrastructure files name, without repetition. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub hosts: Vec<NamedHost>,
    /// Signs that may keep the application from being served.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub signs: Vec<ProjectSign>,
    /// Paths that the project's own checks ask for: health checks of containers and load balancers, and health paths of its
    /// OpenAPI document. At most 32.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub checks: Vec<NamedCheck>,
    /// Checks that monitors make by their configuration in the folder. At most 64.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub monitors: Vec<MonitorCheck>,
    /// Records that the project's own files give to DNS (Terraform, octoDNS, dnscontrol, CloudFormation, zone files). At most 300.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub records: Vec<PlannedRecord>,
    /// Files of the folder that an ignore file keeps out of the image or upload. At most 500.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub left_out: Vec<LeftOut>,
    /// Files or parts that could not be read or parsed, with the place and the reason.
    pub unread: Vec<String>,
    /// The application as it came up when it was started as its platform would start it; `None` when it was not asked
    /// for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub started: Option<StartRun>,
    /// Routes that the code declares on a router which nothing is seen to mount; a path begins at its router. At most 1,000.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub unmounted: Vec<Route>,
    /// What the framework itself says it has registered, asked after a start; `None` when the application was not started.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub registered: Option<RegisteredRoutes>,
}

impl ProjectSnapshot {
    /// All routes that are known of: those of the code, then what the framework has registered and the code was not seen
    /// to declare.
    pub fn known_routes(&self) -> impl Iterator<Item = &Route> {
        let declared: BTreeSet<String> = self.routes.iter().map(Route::shape).collect();
        let registered = self.registered.as_ref().map(RegisteredRoutes::routes).unwrap_or_default();
        self.routes.iter().chain(registered.iter().filter(move |route| !declared.contains(&route.shape())))
    }
}

/// What a framework says of its own routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RegisteredRoutes {
    /// What was asked, as a command without our own program: `python3 run:app`. Empty when nothing could be asked.
    pub asked: String,
    /// What came of it.
    pub answer: RegisteredAnswer,
}

impl RegisteredRoutes {
    /// The routes that were listed.
    pub fn routes(&self) -> &[Route] {
        match &self.answer {
            RegisteredAnswer::Listed { routes, .. } => routes,
            _ => &[],
        }
    }
}

/// What came of asking a framework for its routes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum RegisteredAnswer {
    /// It listed them.
    Listed {
        /// `flask`, `fastapi`, `starlette`, `django`, `express`, …
        framework: String,
        /// Its version, when it says so.
        #[serde(default, skip_serializing_if = "Option::is_none")]
        version: Option<String>,
        /// The routes, in the framework's own order of trying them, at most 1,000. The place is that of the handler: `file:line`
        /// in the folder, else its dotted name; empty when the framework does not tell.
        routes: Vec<Route>,
        /// Prefixes below which it holds something that lists no routes: static files, an application of another kind.
        #[serde(default, skip_serializing_if = "Vec::is_empty")]
        opaque: Vec<String>,
        /// Whether there were more than are kept.
        #[serde(default, skip_serializing_if = "std::ops::Not::not")]
        more: bool,
    },
    /// The application did not come to the point where it has routes.
    Failed {
        /// Its own word, masked: the last line of a trace.
        reason: String,
    },
    /// It said nothing within the limit.
    Silent {
        /// The limit, in microseconds.
        limit_us: u64,
    },
    /// It was not asked: no way to ask it is known, or this side could not. Says nothing about the application.
    NotAsked {
        /// Why.
        reason: String,
    },
}

/// A path that a check of the project's own asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct NamedCheck {
    /// The path, without its query: `/management/health`.
    pub path: String,
    /// Where it stands: `compose.yaml:7`.
    pub place: String,
}

/// A check that a monitor makes, by its configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct MonitorCheck {
    /// What makes it: `gatus`, `blackbox-exporter`, `checkly`, a Terraform resource's type, `curl` for a script.
    pub tool: String,
    /// Where it stands: `monitoring/gatus.yaml:12`.
    pub place: String,
    /// The host that it asks over HTTPS.
    pub host: String,
    /// The method.
    pub method: String,
    /// Path and query. A check whose query holds credentials is not kept.
    pub path: String,
    /// What it takes for a good answer. An empty `status` is 2xx after redirects, which it follows; one that does not
    /// follow them names its statuses.
    pub expect: Expectation,
}

/// Records of one name and type, as the project's files give them to a zone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedRecord {
    /// The whole name, in lower case and without the final dot; its first label may be `*`. Where `zone` is not known only what
    /// stands before the zone's name: `api`, or `@` for the zone itself.
    pub name: String,
    /// The zone's name, where the files say it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub zone: Option<String>,
    /// `A`, `AAAA` or `CNAME`; an alias of the provider's own kind at the zone's name is `ALIAS`.
    pub rtype: String,
    /// Addresses, or the name that it is an alias of, in lower case and without the final dot. Empty where the files put them
    /// together from what is not in them.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub data: Vec<String>,
    /// Whether the provider answers with its own addresses in place of these.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub proxied: bool,
    /// Who serves the zone if the files are carried out, as `network-owners.toml` names it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub provider: Option<String>,
    /// Where it stands: `infra/dns.tf:12`.
    pub place: String,
}

/// One start of the application, made as its platform would make it.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StartRun {
    /// The start command, masked.
    pub command: String,
    /// The deploy configuration that it came from.
    pub file: String,
    /// The port that it was given in `PORT`.
    pub port: u16,
    /// Names of the variables that it was given.
    pub given: Vec<String>,
    /// Names of the variables that the code needs and no value could be found for.
    pub missing: Vec<String>,
    /// How it went.
    pub outcome: StartOutcome,
    /// Addresses on which its processes listened at the end: `0.0.0.0:8080`.
    pub listens: Vec<String>,
    /// The end of its output until it was ready, at most 4 KiB, masked.
    pub output_tail: String,
    /// How the project is run in development, with the file that says so.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub development: Option<String>,
}

/// How a start went.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "how", rename_all = "kebab-case")]
pub enum StartOutcome {
    /// It listened on the port that it was given.
    Ready {
        /// From the start, in microseconds.
        after_us: u64,
    },
    /// It listened, and on other ports only.
    Elsewhere {
        /// From the start, in microseconds.
        after_us: u64,
    },
    /// It ended before it listened.
    Exited {
        /// How.
        exit: crate::Exit,
    },
    /// It ran, and listened nowhere within the limit.
    Silent {
        /// The limit, in microseconds.
        limit_us: u64,
    },
    /// It could not be started from here.
    NotStarted {
        /// Why.
        reason: String,
    },
}

/// A file that a rule of `.dockerignore`, `.gcloudignore` or the like leaves out.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct LeftOut {
    /// The file.
    pub path: String,
    /// Where the rule stands, `file:line`.
    pub place: String,
}

/// A host name that the project names.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
pub struct NamedHost {
    /// The name, lower case, without the final dot.
    pub name: String,
    /// What it is named as.
    pub role: HostRole,
    /// The first place, `file:line`.
    pub place: String,
}

/// What a host is named as.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum HostRole {
    /// The host of a URL or of a declared domain.
    Host,
    /// A name server of the zone.
    NameServer,
    /// What an alias at the zone's own name (`@ CNAME …`) points at.
    ApexAlias,
    /// A host that this machine is told the address of: an entry under `extra_hosts` or in a hosts file of the project.
    Override,
    /// The host of a URL that begins with `http://`: it is a [`HostRole::Host`] too, and whoever follows that URL comes
    /// without TLS.
    Plain,
}

/// One language or framework.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Stack {
    /// `python`, `node`, `rust`, `go`, …
    pub language: String,
    /// Web framework with its pinned version.
    pub framework: Option<Dependency>,
    /// Application server with its pinned version.
    pub server: Option<Dependency>,
    /// The runtime.
    pub runtime: Runtime,
    /// The manifest read: `requirements.txt`.
    pub manifest: Option<String>,
    /// The lock file, if there is one.
    pub lock: Option<String>,
    /// Direct dependencies.
    pub dependencies: Vec<Dependency>,
    /// Names of packages that are declared for development alone.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub dev_dependencies: Vec<String>,
}

/// A language runtime.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Runtime {
    /// Its name: `Python`.
    pub name: String,
    /// The version that the project asks for, as written.
    pub wanted: Option<String>,
    /// The version on this machine.
    pub present: Option<String>,
}

/// A direct dependency.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Dependency {
    /// Its name as published: `Flask`.
    pub name: String,
    /// The exact version when it is pinned: `3.0.0`.
    pub version: Option<String>,
    /// The requirement as written: `==3.0.0`.
    pub requirement: String,
}

/// The file that defines the application.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct EntryFile {
    /// Path.
    pub path: String,
    /// Size in bytes.
    pub size_byte: u64,
    /// What it defines: `app`.
    pub defines: Option<String>,
}

/// A folder with source files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Folder {
    /// Path.
    pub path: String,
    /// Files below it, at any depth, ignored ones left out.
    pub files: u64,
}

/// What a deploy configuration is for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "kebab-case")]
pub enum DeployStage {
    /// What runs in production.
    Production,
    /// What runs on a developer's machine or in the workspace.
    Development,
}

/// One deploy configuration.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct DeployConfig {
    /// The file it came from: `.replit`.
    pub file: String,
    /// The platform: `replit`, `heroku`, `fly`, `docker`, …
    pub platform: String,
    /// What it is for.
    pub stage: DeployStage,
    /// How the server is started.
    pub start: Option<StartCommand>,
    /// Port maps.
    pub ports: Vec<PortMap>,
    /// The path that the platform's own health check asks for.
    pub health_path: Option<String>,
    /// Names of the variables that it sets.
    pub sets: Vec<String>,
    /// Whether these are all that the process gets: no file of variables and no secret as a whole is added, and the platform has no
    /// settings of its own beside the file.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub sets_all: bool,
    /// The platform's own address of the deployment, when the file names it.
    pub default_host: Option<String>,
    /// The command that builds, as written.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub build: Option<String>,
    /// The folder that is built, relative to the root of the project; `None` for the root itself.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub root: Option<String>,
    /// Regions, by the platform's own names.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub regions: Vec<String>,
    /// Instances: the fewest, where the file gives a range.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub replicas: Option<u32>,
}

/// A start command.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct StartCommand {
    /// As written, on one line.
    pub raw: String,
    /// Whether a shell runs it, so that `${PORT}` is expanded. An argument vector without a shell passes it on literally.
    pub shell: bool,
    /// The server program: `gunicorn`.
    pub server: Option<String>,
    /// The address that it binds: `0.0.0.0`.
    pub bind_host: Option<String>,
    /// The port that it binds.
    pub bind_port: PortSetting,
    /// Worker processes, threads, timeout and the like, by name.
    pub settings: Vec<ServerSetting>,
}

/// Where a port comes from.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "from", rename_all = "kebab-case")]
pub enum PortSetting {
    /// A number in the command.
    Literal {
        /// The port.
        port: u16,
    },
    /// A variable, perhaps with a default.
    Variable {
        /// The variable: `PORT`.
        name: String,
        /// The default in the command.
        default: Option<u16>,
    },
    /// The command does not say.
    #[default]
    Unsaid,
}

impl std::fmt::Display for PortSetting {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Literal { port } => write!(f, "{port}"),
            Self::Variable { name, default: Some(default) } => write!(f, "${{{name}:-{default}}}"),
            Self::Variable { name, default: None } => write!(f, "${name}"),
            Self::Unsaid => f.write_str("not said"),
        }
    }
}

/// One setting of the application server.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ServerSetting {
    /// `workers`, `threads`, `timeout_s`.
    pub name: String,
    /// Its value, or the default behind the variable.
    pub value: Option<String>,
    /// The variable that sets it: `GUNICORN_WORKERS`.
    pub variable: Option<String>,
}

/// A port map of a platform.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct PortMap {
    /// The port inside, where the application listens.
    pub local: u16,
    /// The port that the public reaches.
    pub external: u16,
}

/// Settings by name. Values never enter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingsInventory {
    /// Variables that the code reads.
    pub read: Vec<SettingRead>,
    /// Variables that `.env.example` or its like declares.
    pub declared: Vec<String>,
    /// The file that declares them.
    pub declared_in: Option<String>,
    /// Variables that are present (a `.env` file or this process's environment), among those read or declared.
    pub present: Vec<String>,
    /// What the values in `.env` files look like. Never the values. At most 500.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub shapes: Vec<SettingShape>,
    /// Variables among those read that the project's platform sets by itself, by its documentation
    /// (catalogue/project/platform-variables.toml). Where no deploy file tells the platform, any may be it.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub provided: Vec<ProvidedSetting>,
}

/// A variable that nobody has to declare.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct ProvidedSetting {
    /// The variable.
    pub name: String,
    /// A platform that sets it, as it is called in [`DeployConfig::platform`].
    pub platform: String,
}

impl SettingsInventory {
    /// Whether the platform sets a variable of this name by itself.
    pub fn is_provided(&self, name: &str) -> bool {
        self.provided.iter().any(|provided| provided.name == name)
    }
}

/// What the value of a variable looks like, in one file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingShape {
    /// The variable.
    pub name: String,
    /// `file:line`.
    pub place: String,
    /// What it looks like.
    pub shape: ValueShape,
    /// The first 16 hexadecimal digits of HMAC-SHA-256 of the value, keyed by the variable `LANDFALL_SALT` of the
    /// reader's own environment, so that whoever holds the salt can compare two places. `None` without a salt: an
    /// unkeyed digest of a short value could be guessed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub fingerprint: Option<String>,
}

/// What a value looks like.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize, JsonSchema)]
#[serde(tag = "is", rename_all = "kebab-case")]
pub enum ValueShape {
    /// Nothing.
    Empty,
    /// A word that stands for a value still to come: `changeme`, `your-key-here`, `<token>`.
    Placeholder,
    /// A URL.
    Url {
        /// Its scheme: `postgres`.
        scheme: String,
    },
    /// A command line or a header, pasted whole.
    Command,
    /// A number.
    Number,
    /// `true`, `no`, `on` and the like.
    Switch,
    /// A key of a known vendor, by its prefix.
    Key {
        /// The prefix: `sk_live_`.
        prefix: String,
    },
    /// Anything else.
    Text,
}

/// A variable that the code reads.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct SettingRead {
    /// Its name.
    pub name: String,
    /// `file:line` of the first reading.
    pub place: String,
    /// Whether the code carries a default for it.
    pub has_default: bool,
}

/// A route read from the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Route {
    /// Methods, upper case; empty when the code does not limit them.
    pub methods: Vec<String>,
    /// Path as written, prefix included where it is known.
    pub path: String,
    /// `file:line`.
    pub place: String,
}

impl Route {
    /// Its path's [`path_shape`].
    pub fn shape(&self) -> String {
        path_shape(&self.path)
    }
}

/// A path with all its parameters alike and without a slash at the end, so that `/items/{id}`, `/items/:item` and
/// `/items/<int:id>/` are one.
pub fn path_shape(path: &str) -> String {
    let alike = path.split('/').filter(|part| !part.is_empty()).map(|part| {
        let parameter = part.starts_with([':', '<', '{', '*', '(']) || part.contains(['{', '<']);
        if parameter { "{}" } else { part }
    });
    format!("/{}", alike.collect::<Vec<_>>().join("/"))
}

/// A scheduler found in the code.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Scheduler {
    /// `APScheduler`, `celery beat`, `cron`, …
    pub kind: String,
    /// `file:line` where it is made.
    pub place: String,
    /// Jobs registered in the code.
    pub jobs: u32,
    /// Whether it starts when the module is imported, and so once in every worker process.
    pub starts_at_import: bool,
    /// The variable that decides whether that start happens: `RUN_SCHEDULER`. `None` when nothing guards it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub gated_by: Option<String>,
}

/// The state of version control.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct GitState {
    /// The commit checked out; empty in a repository without commits.
    pub head: String,
    /// Its time.
    pub head_at: Option<Timestamp>,
    /// The branch, unless the head is detached.
    pub branch: Option<String>,
    /// Files changed but not committed, at most 50 names.
    pub uncommitted: Vec<String>,
    /// Files not tracked and not ignored, at most 50 names.
    pub untracked: Vec<String>,
    /// Commits that the upstream branch lacks; `None` without an upstream.
    pub ahead: Option<u32>,
    /// Commits that this branch lacks; `None` without an upstream.
    pub behind: Option<u32>,
    /// Changes to deploy configuration, newest first, at most 10.
    pub deploy_history: Vec<HistoricChange>,
    /// The commits that lead to the head, newest first, the head included; at most 200.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub commits: Vec<Commit>,
    /// Heads of branches, local and remote, at most 50.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub branches: Vec<BranchHead>,
    /// The branch that the remote calls its own: what `origin/HEAD` names, without the remote's name.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub default_branch: Option<String>,
    /// When the lines of routes were last written, newest first, at most 40; files that differ from the head are left out.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub routes_written: Vec<RouteWritten>,
}

/// When the line of a route was last written.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct RouteWritten {
    /// `file:line`, as in [`Route::place`].
    pub place: String,
    /// The full id of the commit that wrote it.
    pub commit: String,
    /// When that was committed.
    pub at: Timestamp,
}

/// One commit of the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct Commit {
    /// The full id.
    pub id: String,
    /// Whether it changes anything but documentation and tests, so that a deploy of it would differ.
    pub changes_build: bool,
}

/// The head of one branch.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct BranchHead {
    /// Its name, without the remote's: `main`.
    pub name: String,
    /// The remote, for a remote branch.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub remote: Option<String>,
    /// The full id of its newest commit.
    pub commit: String,
}

/// A change to a deploy configuration in the history.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
pub struct HistoricChange {
    /// Abbreviated commit.
    pub commit: String,
    /// When.
    pub at: Option<Timestamp>,
    /// First line of its message.
    pub subject: String,
    /// The file.
    pub file: String,
    /// The start command before, parsed.
    pub start_before: Option<StartCommand>,
    /// The start command after, parsed.
    pub start_after: Option<StartCommand>,
}
