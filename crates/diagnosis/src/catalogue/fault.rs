//! The faults of `faults.toml` and the ladder that they hang on.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use serde::Deserialize;

use super::CatalogueError;
use crate::Severity;

/// A rung of the ladder, or one of the places beside it, in the order in which a request climbs.
///
/// `Monitor` comes first because a wrong check must be asked about before anything else; `RateLimit`, `Project` and
/// `Host` are not rungs of the request's way: they explain why a rung is broken, or stand for themselves.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Rung {
    /// The check itself.
    Monitor,
    /// Registration of the domain.
    Registrar,
    /// Delegation and the DNSSEC chain.
    Delegation,
    /// Records in the zone.
    Zone,
    /// Resolvers and caches.
    Resolver,
    /// Address families and routing.
    Route,
    /// Ports and packet filters.
    Tcp,
    /// Between the client and the first server.
    Tls,
    /// CDN, WAF, cache.
    Edge,
    /// From the edge to the origin.
    EdgeOrigin,
    /// The hosting platform's router.
    Platform,
    /// The server process.
    Process,
    /// The application's own behaviour.
    App,
    /// Databases and other services.
    Dependency,
    /// Limits and quotas.
    RateLimit,
    /// Contents of the project.
    Project,
    /// The machine.
    Host,
}

impl Rung {
    /// All rungs, in order.
    pub const ALL: [Self; 17] = [
        Self::Monitor,
        Self::Registrar,
        Self::Delegation,
        Self::Zone,
        Self::Resolver,
        Self::Route,
        Self::Tcp,
        Self::Tls,
        Self::Edge,
        Self::EdgeOrigin,
        Self::Platform,
        Self::Process,
        Self::App,
        Self::Dependency,
        Self::RateLimit,
        Self::Project,
        Self::Host,
    ];

    /// Its name in the catalogue.
    pub fn name(self) -> &'static str {
        match self {
            Self::Monitor => "monitor",
            Self::Registrar => "registrar",
            Self::Delegation => "delegation",
            Self::Zone => "zone",
            Self::Resolver => "resolver",
            Self::Route => "route",
            Self::Tcp => "tcp",
            Self::Tls => "tls",
            Self::Edge => "edge",
            Self::EdgeOrigin => "edge-origin",
            Self::Platform => "platform",
            Self::Process => "process",
            Self::App => "app",
            Self::Dependency => "dependency",
            Self::RateLimit => "rate-limit",
            Self::Project => "project",
            Self::Host => "host",
        }
    }

    /// Whether it lies on the way of a request, from the registrar to the application's dependencies.
    pub fn on_path(self) -> bool {
        !matches!(self, Self::Monitor | Self::RateLimit | Self::Project | Self::Host)
    }
}

impl fmt::Display for Rung {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// A layer as the catalogue describes it.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Layer {
    /// Which one.
    pub id: Rung,
    /// Its place on the way of a request; the check itself is 0.
    pub hop: u8,
    /// For people.
    pub title: String,
    /// The question that it answers with a yes when it is whole.
    pub question: String,
}

/// One distinct root cause of "it works here and production does not serve it".
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Fault {
    /// Stable id.
    pub id: String,
    /// Where it belongs.
    pub layer: Rung,
    /// The cause in one line.
    pub title: String,
    /// Signs that a prober sees without credentials.
    pub outside: Vec<String>,
    /// Signs in the project folder, its configuration, its local server or its logs.
    pub inside: Vec<String>,
    /// Look-alikes and the test that tells each apart.
    pub discriminators: Vec<Discriminator>,
    /// How bad it is.
    pub severity: Severity,
    /// What to do, most likely to be right first.
    pub remedy: Vec<String>,
    /// How to build it on loopback.
    pub reproduce: String,
    /// Standards, vendor pages, public threads.
    pub references: Vec<String>,
    /// What was measured when it was built.
    pub observed: Option<String>,
}

/// A look-alike and the test that tells it apart.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Discriminator {
    /// The other fault's id.
    pub vs: String,
    /// What to do and which answer means what; the first answer named supports the fault that lists the test.
    pub test: String,
}

/// A fault that nothing shows yet.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct NotObservable {
    /// The fault.
    pub id: String,
    /// Why nothing that is asked shows it.
    pub reason: String,
    /// The observation that would.
    pub would_take: String,
}

/// Reads `not-observable.toml`; mistakes go to `errors`.
pub(super) fn read_not_observable(
    text: &str,
    faults: &BTreeMap<String, Fault>,
    errors: &mut Vec<CatalogueError>,
) -> BTreeMap<String, NotObservable> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        #[serde(default)]
        fault: Vec<NotObservable>,
    }
    const FILE: &str = "not-observable.toml";
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            errors.push(CatalogueError::new(FILE, error.to_string()));
            return BTreeMap::new();
        }
    };
    let mut found = BTreeMap::new();
    for entry in file.fault {
        let id = entry.id.clone();
        if !faults.contains_key(&id) {
            errors.push(CatalogueError::new(FILE, format!("{id}: no fault of faults.toml has this id")));
        }
        if found.insert(id.clone(), entry).is_some() {
            errors.push(CatalogueError::new(FILE, format!("{id}: is listed twice")));
        }
    }
    found
}

/// What may lead to what, whole: for each fault all that it may show itself through.
pub(super) type Chains = BTreeMap<String, BTreeSet<String>>;

/// Reads `chains.toml` and follows it to its end; mistakes go to `errors`.
pub(super) fn read_chains(
    text: &str,
    faults: &BTreeMap<String, Fault>,
    errors: &mut Vec<CatalogueError>,
) -> Chains {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct File {
        chain: Vec<Chain>,
    }
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Chain {
        to: String,
        from: Vec<String>,
    }
    const FILE: &str = "chains.toml";
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            errors.push(CatalogueError::new(FILE, error.to_string()));
            return Chains::new();
        }
    };
    let mut chains = Chains::new();
    for chain in &file.chain {
        for id in chain.from.iter().chain([&chain.to]).filter(|id| !faults.contains_key(*id)) {
            errors.push(CatalogueError::new(FILE, format!("{id}: no fault of faults.toml has this id")));
        }
        for from in &chain.from {
            chains.entry(from.clone()).or_default().insert(chain.to.clone());
        }
    }
    loop {
        let mut more: Vec<(String, String)> = Vec::new();
        for (from, to) in &chains {
            let further = to.iter().filter_map(|id| chains.get(id)).flatten().filter(|id| !to.contains(*id));
            more.extend(further.map(|id| (from.clone(), id.clone())));
        }
        if more.is_empty() {
            break;
        }
        for (from, to) in more {
            chains.entry(from).or_default().insert(to);
        }
    }
    for id in chains.iter().filter(|(from, to)| to.contains(*from)).map(|(from, _)| from) {
        errors.push(CatalogueError::new(FILE, format!("{id}: leads to itself")));
    }
    chains
}

/// Reads `faults.toml`; mistakes go to `errors`.
pub(super) fn read(text: &str, errors: &mut Vec<CatalogueError>) -> (Vec<Layer>, BTreeMap<String, Fault>) {
    #[derive(Deserialize)]
    struct File {
        layer: Vec<Layer>,
        fault: Vec<Fault>,
    }
    const FILE: &str = "faults.toml";
    let file: File = match toml::from_str(text) {
        Ok(file) => file,
        Err(error) => {
            errors.push(CatalogueError::new(FILE, error.to_string()));
            return (Vec::new(), BTreeMap::new());
        }
    };
    let mut faults = BTreeMap::new();
    for fault in file.fault {
        let id = fault.id.clone();
        if faults.insert(id.clone(), fault).is_some() {
            errors.push(CatalogueError::new(
                FILE,
                format!("the id {id:?} is used twice; ids are never reused"),
            ));
        }
    }
    for fault in faults.values() {
        for discriminator in &fault.discriminators {
            if !faults.contains_key(&discriminator.vs) {
                errors.push(CatalogueError::new(
                    FILE,
                    format!(
                        "{}: the look-alike {:?} is not a fault of this file",
                        fault.id, discriminator.vs
                    ),
                ));
            }
        }
    }
    (file.layer, faults)
}
