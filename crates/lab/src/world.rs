//! What a world is made of: the typed form of `[world]` in world.toml. Unknown keys are refused.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::num::NonZeroU32;
use std::time::Duration;

use serde::Deserialize;
use url::Url;

/// A world, part by part.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct World {
    /// The zones.
    pub dns: Dns,
    /// Certificates by a name that edge and platform refer to.
    pub certificate: BTreeMap<String, Certificate>,
    /// The CDN in front.
    pub edge: Edge,
    /// The hosting platform behind it.
    pub platform: Platform,
    /// What runs on the platform, by a name that its routes refer to.
    #[serde(default)]
    pub deployment: BTreeMap<String, Deployment>,
    /// The backend on this machine.
    pub local: LocalBackend,
    /// The project folder.
    pub project: ProjectFolder,
    /// What landfall.toml in the project folder says.
    pub target: TargetSpec,
}

/// The zones of a world. Names outside them do not exist, and the recursive server says so.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Dns {
    /// The zones, all served by one authoritative server.
    pub zone: Vec<Zone>,
}

/// One zone.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Zone {
    /// Its apex: `example.test.`
    pub origin: String,
    /// One record a line in the form of a master file (RFC 1035 section 5.1): `NAME TTL TYPE DATA`, names absolute.
    pub records: Vec<String>,
}

/// A leaf certificate and the chain sent with it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Certificate {
    /// Subject common name.
    pub common_name: String,
    /// Subject alternative DNS names.
    pub names: Vec<String>,
    /// Days since `notBefore`.
    pub age_days: u16,
    /// Days until `notAfter`; negative for an expired one.
    pub left_days: i16,
    /// What is sent.
    #[serde(default)]
    pub chain: Chain,
}

/// What a server sends of its chain.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Chain {
    /// Leaf, intermediate, and the root as cross-signed by an older root.
    #[default]
    CrossSigned,
    /// Leaf and intermediate.
    WithIntermediate,
    /// The leaf alone: the intermediate is missing.
    LeafOnly,
}

/// The CDN in front: Cloudflare's behaviour as seen from a client.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Edge {
    /// Its public addresses, each with a listener of its own.
    pub addresses: Vec<IpAddr>,
    /// The hosts that it serves; any other gets its error 1001.
    pub hosts: Vec<String>,
    /// The data centre at the end of `cf-ray`: an IATA code.
    pub colo: String,
    /// Key of [`World::certificate`].
    pub certificate: String,
    /// The rate rule, if there is one.
    pub limiter: Option<Limiter>,
}

/// A rate rule: a fixed window that starts with a client's first request.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Limiter {
    /// Requests that pass in one window.
    pub requests: NonZeroU32,
    /// The window, written `"10s"`.
    period: jiff::SignedDuration,
}

impl Limiter {
    /// A rule of `requests` in `period`.
    pub fn new(requests: NonZeroU32, period: Duration) -> Self {
        Self { requests, period: period.try_into().unwrap_or(jiff::SignedDuration::MAX) }
    }

    /// The window; never zero in a loaded world.
    pub fn period(&self) -> Duration {
        self.period.unsigned_abs()
    }
}

/// The hosting platform: a router by host name in front of deployments.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Platform {
    /// Its own name for the deployment.
    pub name: String,
    /// The public address of that name.
    pub address: IpAddr,
    /// Key of [`World::certificate`].
    pub certificate: String,
    /// Whether its router runs; otherwise connections to it are refused.
    #[serde(default = "yes")]
    pub running: bool,
    /// Host name to key of [`World::deployment`]. A host that is not here has no deployment.
    #[serde(default)]
    pub routes: BTreeMap<String, String>,
}

/// Something that runs on the platform.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Deployment {
    /// What it is.
    pub kind: AppKind,
    /// Folders below `scenarios/` copied over the project in this order: another build of it.
    #[serde(default)]
    pub overlay: Vec<String>,
    /// Settings, over those of the project's dotenv file.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// Kinds of application.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum AppKind {
    /// The project itself, by gunicorn.
    Backend,
    /// A website with a page for every path.
    Website,
}

/// The backend on this machine.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct LocalBackend {
    /// Whether it runs.
    #[serde(default = "yes")]
    pub running: bool,
    /// Settings, over those of the project's dotenv file.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
}

/// The project folder and its history.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ProjectFolder {
    /// The folder below `scenarios/` that it is copied from.
    pub files: String,
    /// The file below `scenarios/` that becomes `.env`.
    pub dotenv: String,
    /// Author of the commits, `Name <address>`.
    pub author: String,
    /// The commits, oldest first; the folder is left as the last one has it.
    pub commit: Vec<Commit>,
    /// A commit on top: repairs.
    #[serde(default)]
    pub repair: Vec<Commit>,
}

/// One commit.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Commit {
    /// The first line of its message.
    pub subject: String,
    /// When, for author and committer.
    pub date: jiff::Timestamp,
    /// Folders below `scenarios/` copied over the project from this commit on.
    #[serde(default)]
    pub overlay: Vec<String>,
    /// Path in the project to the file below `scenarios/` that stands there in this commit alone.
    #[serde(default)]
    pub replace: BTreeMap<String, String>,
}

/// What landfall.toml says.
#[derive(Debug, Clone, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TargetSpec {
    /// For people.
    pub name: String,
    /// The public base URL.
    pub production: Url,
    /// Whether the platform's own name is given to the audit.
    #[serde(default = "yes")]
    pub origin_known: bool,
    /// The endpoints that matter.
    pub endpoint: Vec<EndpointSpec>,
    /// The test command.
    pub tests: TestsSpec,
}

/// One endpoint that matters, as landfall.toml has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct EndpointSpec {
    /// Its path.
    pub path: String,
    /// The method, GET when it is not given.
    pub method: Option<String>,
    /// Media type of a good answer.
    pub content_type: Option<String>,
    /// Keys at the top of a JSON answer.
    #[serde(default)]
    pub json_keys: Vec<String>,
    /// Acceptable statuses; none means 200 to 299.
    #[serde(default)]
    pub status: Vec<u16>,
    /// Whether it is the product's main function.
    #[serde(default)]
    pub core: bool,
}

/// The test command, as landfall.toml has it.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct TestsSpec {
    /// The command line.
    pub command: String,
    /// Its time limit, as text: `60s`.
    pub timeout: String,
}

fn yes() -> bool {
    true
}

impl World {
    /// Whether every reference in it leads somewhere; the error says which does not.
    pub(crate) fn check(&self) -> Result<(), String> {
        for (who, key) in
            [("world.edge", &self.edge.certificate), ("world.platform", &self.platform.certificate)]
        {
            if !self.certificate.contains_key(key) {
                return Err(format!(
                    "{who}: certificate = {key:?}, but there is no [world.certificate.{key}]"
                ));
            }
        }
        for (host, key) in &self.platform.routes {
            if !self.deployment.contains_key(key) {
                return Err(format!(
                    "world.platform.routes: {host:?} leads to {key:?}, but there is no [world.deployment.{key}]"
                ));
            }
        }
        if self.edge.addresses.is_empty() {
            return Err("world.edge: addresses is empty".into());
        }
        if self.edge.limiter.is_some_and(|l| l.period.is_zero() || l.period.is_negative()) {
            return Err("world.edge.limiter: period must be longer than nothing, for instance \"10s\"".into());
        }
        if self.project.commit.is_empty() {
            return Err("world.project: there is no [[world.project.commit]]".into());
        }
        crate::dns::Zones::parse(&self.dns).map(drop)
    }

    /// Base URL of the platform's own name.
    pub(crate) fn origin(&self) -> Option<Url> {
        Url::parse(&format!("https://{}", self.platform.name)).ok()
    }
}
