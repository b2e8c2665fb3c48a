//! A recipe's world, built and running.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use landfall_ports::Port;
use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::process::Command;
use tokio::task::JoinSet;

use super::actor::{self, Actor};
use super::format::{Kind, RESERVED, Recipe, VisitSpec, public};
use super::placeholders::{self, Values};
use super::ports::{self, Closed, Silent};
use super::process::{Place, Process, find};
use super::{git, pki, zones};
use crate::dns::{Role, Zones, serve as serve_dns};
use crate::error::LabError;
use crate::guard::Guard;
use crate::lab::{Lab, LabOptions};
use crate::listen::tcp_and_udp;
use crate::{project, python};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);
/// A visit that takes longer has seen enough.
const VISIT_S: &str = "20";
/// A world is built again this often when somebody else took one of its ports meanwhile.
const TRIES: usize = 3;

/// How to reach a world: what an audit of it is given.
#[derive(Debug, Clone)]
pub struct Access {
    /// The landfall.toml.
    pub config: PathBuf,
    /// The project folder.
    pub project: Option<PathBuf>,
    /// Recursive servers.
    pub resolvers: Vec<SocketAddr>,
    /// `HOST:PORT:ADDR:PORT`: where each public address really is.
    pub connect_to: Vec<String>,
    /// The trust anchors, as PEM.
    pub ca_file: PathBuf,
    /// Log files.
    pub logs: Vec<PathBuf>,
    /// Probes left out.
    pub skip: Vec<String>,
    /// The folder of the whole world.
    pub folder: PathBuf,
    /// The Python environment that its programs run in, and the Python that it was made from: both differ from machine to
    /// machine and stand in tracebacks.
    pub python: [PathBuf; 2],
    /// Every port of the world by a name that is the same in each run.
    pub ports: Vec<(String, u16)>,
}

/// A running world. Dropped or taken [`down`](Running::down), nothing is left of it: no task, no process, no file.
pub struct Running {
    access: Access,
    inside: Inside,
}

enum Inside {
    Recipe(Box<Parts>),
    World(Box<Lab>),
}

/// What stands. Declared in the order of their ends: processes go before the guard, the guard before the folder.
struct Parts {
    tasks: JoinSet<()>,
    processes: Vec<Process>,
    _closed: Vec<Closed>,
    _silent: Vec<Silent>,
    _ports: Vec<Port>,
    guard: Guard,
    folder: TempDir,
}

impl Running {
    /// Builds the world of a recipe and waits until all its servers are ready. `file` is what errors call the recipe.
    ///
    /// # Errors
    /// When a program is missing or does not come up, or a file cannot be written; nothing is left then.
    pub async fn up(recipe: &Recipe, options: &LabOptions) -> Result<Self, LabError> {
        if let Some(name) = &recipe.world {
            return Self::world(name, recipe, options).await;
        }
        let mut tries = 0;
        loop {
            tries += 1;
            match build(recipe, options).await {
                Err(error) if tries < TRIES && in_use(&error) => {}
                built => return built,
            }
        }
    }

    async fn world(name: &str, recipe: &Recipe, options: &LabOptions) -> Result<Self, LabError> {
        let lab = Lab::up(&crate::scenario::load(name)?, options).await?;
        let of = lab.access();
        let mut named: BTreeMap<u16, String> = BTreeMap::new();
        for entry in &of.connect_to {
            if let Some(port) = entry.rsplit(':').next().and_then(|p| p.parse().ok()) {
                named
                    .entry(port)
                    .or_insert_with(|| entry.rsplitn(3, ':').nth(2).unwrap_or_default().to_owned());
            }
        }
        for resolver in &of.resolvers {
            named.insert(resolver.port(), "resolver".into());
        }
        if let Some(port) = of.local.as_ref().and_then(url::Url::port) {
            named.insert(port, "local".into());
        }
        let access = Access {
            config: of.config.clone(),
            project: of.project.clone(),
            resolvers: of.resolvers.clone(),
            connect_to: of.connect_to.clone(),
            ca_file: of.ca_file.clone(),
            logs: Vec::new(),
            skip: recipe.audit.skip.clone(),
            folder: lab.folder().to_owned(),
            python: python::both(options.venv.as_deref())?,
            ports: named.into_iter().map(|(port, name)| (name, port)).collect(),
        };
        Ok(Self { access, inside: Inside::World(Box::new(lab)) })
    }

    /// How to reach it.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// Takes it down: servers are asked to end, and killed after a grace period.
    pub async fn down(self) {
        match self.inside {
            Inside::World(lab) => lab.down().await,
            Inside::Recipe(mut parts) => {
                parts.tasks.shutdown().await;
                let mut ending = JoinSet::new();
                for process in std::mem::take(&mut parts.processes) {
                    ending.spawn(process.stop());
                }
                while ending.join_next().await.is_some() {}
            }
        }
    }
}

impl std::fmt::Debug for Running {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Running").field("access", &self.access).finish_non_exhaustive()
    }
}

/// Whether a server, or a listener of ours, found its port taken.
fn in_use(error: &LabError) -> bool {
    match error {
        LabError::Listen { source, .. } => source.kind() == std::io::ErrorKind::AddrInUse,
        LabError::Backend { log, .. } => log.to_lowercase().contains("in use"),
        _ => false,
    }
}

async fn build(recipe: &Recipe, options: &LabOptions) -> Result<Running, LabError> {
    let folder = tempfile::Builder::new().prefix("landfall-lab-").tempdir().map_err(|source| {
        LabError::File { action: "make a folder in", path: std::env::temp_dir(), source }
    })?;
    let guard = Guard::over(folder.path())?;
    let parts = Parts {
        tasks: JoinSet::new(),
        processes: Vec::new(),
        _closed: Vec::new(),
        _silent: Vec::new(),
        _ports: Vec::new(),
        guard,
        folder,
    };
    let venv = python::find(options.venv.as_deref())?;
    let dir = parts.folder.path().to_owned();
    let certificates = pki::make(&recipe.certificates(), &recipe.audit.trust, &dir.join("pki"))?;
    let values =
        Values { dir, ca: certificates.anchors, ports: BTreeMap::new(), certificates: certificates.files };
    let builder =
        Builder { recipe, venv, startup: options.startup, parts, values, connect_to: BTreeMap::new() };
    builder.build().await
}

struct Builder<'a> {
    recipe: &'a Recipe,
    venv: PathBuf,
    startup: Duration,
    parts: Parts,
    values: Values,
    /// Public address and port (`None`: every port) to where it really is.
    connect_to: BTreeMap<(IpAddr, Option<u16>), SocketAddr>,
}

impl Builder<'_> {
    async fn build(mut self) -> Result<Running, LabError> {
        let recipe = self.recipe;
        self.special_ports().await?;
        let authoritative = self.start_dns().await?;
        let wanted = self.wanted_ports();
        for (name, port) in ports::choose(wanted.into_iter())? {
            self.values.ports.insert(name, port.number());
            self.parts._ports.push(port);
        }
        self.lead_addresses(authoritative)?;
        let project = self.write_files()?;
        for spec in &recipe.server {
            self.start(spec, project.is_some()).await?;
        }
        for visit in &recipe.visit {
            self.visit(visit).await?;
        }
        let logs = self.write_logs()?;
        let config = self.values.dir.join("landfall.toml");
        project::write(&config, self.values.fill(&recipe.audit.config).as_bytes())?;
        let resolvers = self.resolvers();
        let bracketed = |ip: &IpAddr| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
        let connect_to = self
            .connect_to
            .iter()
            .map(|((ip, port), to)| {
                let port = port.map(|p| p.to_string()).unwrap_or_default();
                format!("{}:{port}:{}:{}", bracketed(ip), bracketed(&to.ip()), to.port())
            })
            .collect();
        let access = Access {
            config,
            project,
            resolvers,
            connect_to,
            ca_file: self.values.ca.clone(),
            logs,
            skip: recipe.audit.skip.clone(),
            folder: self.values.dir.clone(),
            python: python::both(Some(&self.venv))?,
            ports: self.values.ports.iter().map(|(name, port)| (name.clone(), *port)).collect(),
        };
        Ok(Running { access, inside: Inside::Recipe(Box::new(self.parts)) })
    }

    /// `closed` and `silent`.
    async fn special_ports(&mut self) -> Result<(), LabError> {
        let closed = ports::closed(LOOPBACK)?;
        self.values.ports.insert("closed".into(), closed.address.port());
        self.parts._closed.push(closed);
        // A silent port takes a moment to fill, so it is made only where it is used.
        let silent = ports::silent(LOOPBACK).await?;
        self.values.ports.insert("silent".into(), silent.address.port());
        self.parts._silent.push(silent);
        Ok(())
    }

    /// Starts the lab's name servers; where the authoritative one listens, with the public addresses that lead to it.
    async fn start_dns(&mut self) -> Result<(SocketAddr, Vec<IpAddr>), LabError> {
        let describe = |problem| LabError::Recipe { file: self.recipe.title.clone(), problem };
        let dns = zones::of(&self.recipe.record, self.recipe.resolver.is_some())
            .map_err(|(problem, _)| describe(problem))?;
        let zones = Arc::new(Zones::parse(&dns).map_err(describe)?);
        let public = zones.name_servers();
        let authoritative = self.name_server(Role::Authoritative, &zones, "dns").await?;
        self.name_server(Role::Recursive, &zones, "resolver").await?;
        Ok((authoritative, public))
    }

    async fn name_server(
        &mut self,
        role: Role,
        zones: &Arc<Zones>,
        name: &str,
    ) -> Result<SocketAddr, LabError> {
        const WHAT: &str = "name server";
        let fail = |source| LabError::Listen { what: WHAT, source };
        let (tcp, udp) = tcp_and_udp(LOOPBACK, WHAT).await?;
        let address = tcp.local_addr().map_err(fail)?;
        let udp = UdpSocket::from_std(udp).map_err(fail)?;
        self.parts.tasks.spawn(serve_dns(role, Arc::clone(zones), tcp, udp));
        self.values.ports.insert(name.into(), address.port());
        Ok(address)
    }

    /// Every port name that a text of the recipe mentions and the lab does not have yet.
    fn wanted_ports(&self) -> BTreeSet<String> {
        let recipe = self.recipe;
        let mut wanted: BTreeSet<String> = recipe.server.iter().map(|s| s.name.clone()).collect();
        for server in &recipe.server {
            let texts = server.conf.iter().chain(&server.run).chain(&server.args).chain(server.env.values());
            wanted.extend(texts.flat_map(|text| placeholders::ports(text)));
            wanted.extend(
                server.public.iter().filter_map(|p| p.split_once('=')).map(|(_, name)| name.to_owned()),
            );
            wanted.extend(server.answer.iter().filter_map(|a| a.forward.clone()));
        }
        wanted.extend(placeholders::ports(&recipe.audit.config));
        wanted.extend(recipe.visit.iter().flat_map(|v| placeholders::ports(&v.url)));
        if let Some(resolver) = &recipe.resolver {
            wanted.extend(resolver.r#use.all().iter().cloned());
            wanted.extend(resolver.authority.iter().flat_map(|text| placeholders::ports(text)));
        }
        // In files only what belongs to a server is a port.
        let names: Vec<&str> = recipe.server.iter().map(|s| s.name.as_str()).collect();
        let in_files = recipe.files.values().chain(recipe.git.iter().flat_map(|c| c.files.values()));
        wanted.extend(
            in_files
                .flat_map(|text| placeholders::ports(text))
                .filter(|port| placeholders::owner(port, names.iter().copied()).is_some()),
        );
        wanted.retain(|name| !RESERVED.contains(&name.as_str()));
        wanted
    }

    fn port(&self, name: &str) -> u16 {
        self.values.ports.get(name).copied().expect("Recipe::check and wanted_ports know every port name")
    }

    /// Leads every public address of the recipe to its server, and those without one to a closed port.
    fn lead_addresses(
        &mut self,
        (authoritative, name_servers): (SocketAddr, Vec<IpAddr>),
    ) -> Result<(), LabError> {
        let recipe = self.recipe;
        let describe = |(problem, _)| LabError::Recipe { file: recipe.title.clone(), problem };
        let closed = self.values.ports.get("closed").copied().unwrap_or_default();
        let silent = self.values.ports.get("silent").copied().unwrap_or_default();
        let mut all = Vec::new();
        for ip in self.mentioned() {
            let to = if ip.is_ipv6() {
                let closed = ports::closed(Ipv6Addr::LOCALHOST.into())?;
                let to = closed.address;
                self.values.ports.insert(format!("closed-{ip}"), to.port());
                self.parts._closed.push(closed);
                to
            } else {
                (LOOPBACK, closed).into()
            };
            all.push(((ip, None), to));
        }
        for ip in name_servers {
            all.push(((ip, Some(53)), authoritative));
        }
        for spec in &recipe.closed {
            let at = public(&spec.public).map_err(describe)?;
            all.push(((at.ip(), Some(at.port())), (LOOPBACK, closed).into()));
        }
        for spec in &recipe.silent {
            let at = public(&spec.public).map_err(describe)?;
            all.push(((at.ip(), Some(at.port())), (LOOPBACK, silent).into()));
        }
        for server in &recipe.server {
            for entry in &server.public {
                let (address, name) = entry.split_once('=').unwrap_or((entry, &server.name));
                let at = public(address).map_err(describe)?;
                let ip = if at.is_ipv6() { IpAddr::V6(Ipv6Addr::LOCALHOST) } else { LOOPBACK };
                all.push(((at.ip(), Some(at.port())), (ip, self.port(name)).into()));
            }
        }
        for entry in recipe.resolver.iter().flat_map(|r| &r.authority) {
            let wrong = || LabError::Recipe {
                file: recipe.title.clone(),
                problem: format!("resolver: authority {entry:?} is not ADDR:PORT=ADDR:PORT"),
            };
            let (address, to) = entry.split_once('=').ok_or_else(wrong)?;
            let at = public(address).map_err(describe)?;
            let to: SocketAddr = self.values.fill(to).parse().map_err(|_| wrong())?;
            all.push(((at.ip(), Some(at.port())), to));
        }
        self.connect_to.extend(all);
        Ok(())
    }

    /// Every address that stands in the recipe and is not loopback.
    fn mentioned(&self) -> BTreeSet<IpAddr> {
        let recipe = self.recipe;
        let texts = recipe
            .record
            .iter()
            .map(|r| r.value.as_str())
            .chain(recipe.server.iter().filter_map(|s| s.conf.as_deref()))
            .chain(recipe.files.iter().filter(|(p, _)| !p.starts_with("project/")).map(|(_, t)| t.as_str()))
            .chain([recipe.audit.config.as_str(), "192.0.2.10"]);
        let of = |text: &str| {
            text.split(|c: char| !(c.is_ascii_hexdigit() || c == '.' || c == ':'))
                .filter_map(|word| word.trim_end_matches('.').parse::<IpAddr>().ok())
                .filter(|ip| !ip.is_loopback() && !ip.is_unspecified())
                .collect::<Vec<_>>()
        };
        texts.flat_map(of).collect()
    }

    /// Writes the files and makes the project's history; the project folder, when there is one.
    fn write_files(&self) -> Result<Option<PathBuf>, LabError> {
        let recipe = self.recipe;
        let folder = self.values.dir.join("project");
        for (path, text) in &recipe.files {
            let text = if path.starts_with("project/") {
                self.values.fill_ports(text)
            } else {
                self.values.fill(text)
            };
            project::write(&self.values.dir.join(path), text.as_bytes())?;
        }
        if !recipe.has_project() {
            return Ok(None);
        }
        std::fs::create_dir_all(&folder).map_err(|source| LabError::File {
            action: "make",
            path: folder.clone(),
            source,
        })?;
        if !recipe.git.is_empty() {
            git::make(&recipe.git, &folder, &self.values)?;
        }
        if !recipe.audit.skip.iter().any(|probe| probe == "tests") {
            link(&self.venv, &folder.join(".venv"))?;
        }
        Ok(Some(folder))
    }

    async fn start(&mut self, spec: &super::format::ServerSpec, project: bool) -> Result<(), LabError> {
        if spec.kind == Kind::Actor {
            let tls = match &spec.tls {
                Some(name) => {
                    let files = self.values.certificates.get(name);
                    Some(pki::server(name, files.expect("Recipe::check found every certificate"))?)
                }
                None => None,
            };
            let handshake = actor::handshake(&spec.handshake)
                .map_err(|problem| LabError::Recipe { file: self.recipe.title.clone(), problem })?;
            let one = Arc::new(Actor::new(&spec.answer, handshake, tls, &self.values)?);
            let listeners = actor::listen(self.port(&spec.name)).await?;
            self.parts.tasks.spawn(one.serve(listeners));
            return Ok(());
        }
        let place = Place { values: &self.values, venv: &self.venv, project };
        let process = Process::start(spec, &place)?;
        self.parts.guard.watch(process.group());
        self.parts.processes.push(process);
        let own = format!("{}-", spec.name);
        let others: Vec<&str> = self.recipe.server.iter().map(|s| s.name.as_str()).collect();
        let texts = || spec.conf.iter().chain(&spec.run).chain(&spec.args).chain(spec.env.values());
        let named: BTreeSet<String> = texts().flat_map(|text| placeholders::ports(text)).collect();
        // Its own port, unless it only speaks of others: a configuration without {port:NAME} listens there not.
        let takes = |name: &String| {
            (*name == spec.name || name.starts_with(&own))
                && placeholders::owner(name, others.iter().copied()) == Some(spec.name.as_str())
        };
        let mut wanted: BTreeSet<&String> = named.iter().filter(|n| takes(n)).collect();
        if matches!(spec.kind, Kind::Gunicorn | Kind::Uvicorn) && spec.args.iter().all(|a| !a.contains("-b"))
        {
            wanted.insert(&spec.name);
        }
        let ports: Vec<u16> = wanted.into_iter().map(|name| self.port(name)).collect();
        let process = self.parts.processes.last_mut().expect("pushed a moment ago");
        process.ready(spec, &ports, self.startup).await
    }

    /// Asks once by curl, whatever comes of it: what the world is like for its visitors is the recipe's business.
    async fn visit(&self, visit: &VisitSpec) -> Result<(), LabError> {
        for _ in 0..visit.times {
            let mut command = Command::new(find("curl"));
            command.args([
                "--silent",
                "--insecure",
                "--noproxy",
                "*",
                "--max-time",
                VISIT_S,
                "--output",
                "/dev/null",
            ]);
            if let Some(method) = &visit.method {
                command.args(if method == "HEAD" { vec!["--head"] } else { vec!["--request", method] });
            }
            let url = self.values.fill(&visit.url);
            match &visit.host {
                None => {
                    command.arg(&url);
                }
                Some(host) => {
                    // The name in URL and SNI, the packets to loopback.
                    let parsed = url::Url::parse(&url).ok();
                    let port = parsed.as_ref().and_then(url::Url::port_or_known_default).unwrap_or(443);
                    let named = parsed.and_then(|mut u| u.set_host(Some(host)).ok().map(|()| u.to_string()));
                    command.args(["--resolve", &format!("{host}:{port}:127.0.0.1")]);
                    command.args(["--header", &format!("host: {host}")]);
                    command.arg(named.unwrap_or(url));
                }
            }
            for (name, value) in &visit.headers {
                command.args(["--header", &format!("{name}: {value}")]);
            }
            command.kill_on_drop(true);
            command.status().await.map_err(|source| LabError::NoProgram { program: "curl", source })?;
        }
        Ok(())
    }

    /// Writes the log files that the audit is given.
    fn write_logs(&self) -> Result<Vec<PathBuf>, LabError> {
        let mut written = Vec::new();
        for (name, source) in &self.recipe.logs {
            let to = self.values.dir.join("logs").join(name);
            let filled = self.values.fill(source);
            let of_file = source.starts_with("{log:") || source.starts_with("{dir}/");
            if of_file && !filled.contains('\n') {
                // The file itself, which goes on growing: a deployment writes of the audit's own requests as well.
                if let Some(folder) = to.parent() {
                    std::fs::create_dir_all(folder).map_err(|source| LabError::File {
                        action: "make",
                        path: folder.to_owned(),
                        source,
                    })?;
                }
                link(Path::new(filled.trim()), &to)?;
            } else {
                project::write(&to, filled.as_bytes())?;
            }
            written.push(to);
        }
        Ok(written)
    }

    fn resolvers(&self) -> Vec<SocketAddr> {
        let named = self.recipe.resolver.iter().flat_map(|r| r.r#use.all());
        let mut all: Vec<SocketAddr> = named.map(|name| (LOOPBACK, self.port(name)).into()).collect();
        if all.is_empty() {
            all.push((LOOPBACK, self.port("resolver")).into());
        }
        all
    }
}

fn link(to: &Path, at: &Path) -> Result<(), LabError> {
    std::os::unix::fs::symlink(to, at).map_err(|source| LabError::File {
        action: "link",
        path: at.to_owned(),
        source,
    })
}
