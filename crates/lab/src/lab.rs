//! A world, built and running.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use tempfile::TempDir;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio_rustls::TlsAcceptor;
use url::Url;

use crate::dns::{Role, Zones, serve as serve_dns};
use crate::edge::{Edge, EdgeRequest, serve_quic};
use crate::error::LabError;
use crate::guard::Guard;
use crate::gunicorn::{Backend, Gunicorn};
use crate::listen::{Refusing, loopback_for, refusing, tcp, tcp_and_udp};
use crate::platform::Router;
use crate::scenario::Scenario;
use crate::serve::serve;
use crate::tls::Authority;
use crate::world::{AppKind, Certificate, Deployment, World};
use crate::{project, python, website};

const LOOPBACK: IpAddr = IpAddr::V4(Ipv4Addr::LOCALHOST);

/// How a world is built.
#[derive(Debug, Clone)]
pub struct LabOptions {
    /// The Python environment; `None` looks in `LANDFALL_LAB_VENV` and `.lab/venv` above the working directory.
    pub venv: Option<PathBuf>,
    /// How long a backend may take until it answers. Python starts slowly on a busy machine: 60 s by default.
    pub startup: Duration,
}

impl Default for LabOptions {
    fn default() -> Self {
        Self { venv: None, startup: Duration::from_secs(60) }
    }
}

/// How to reach a world: what an audit is given in place of the internet.
#[derive(Debug, Clone)]
pub struct Access {
    /// The public base URL.
    pub production: Url,
    /// The platform's own name, where it is known.
    pub origin: Option<Url>,
    /// The backend on this machine, where it runs.
    pub local: Option<Url>,
    /// The project folder.
    pub project: Option<PathBuf>,
    /// The landfall.toml in it.
    pub config: PathBuf,
    /// The recursive server.
    pub resolvers: Vec<SocketAddr>,
    /// `HOST:PORT:ADDR:PORT`: where each public address really is, name servers included.
    pub connect_to: Vec<String>,
    /// The one trust anchor, as PEM.
    pub ca_file: PathBuf,
}

/// A running world. Dropped or taken [`down`](Lab::down), nothing is left of it: no task, no process, no file.
pub struct Lab {
    access: Access,
    edge: Arc<Edge>,
    tasks: JoinSet<()>,
    backends: Vec<Gunicorn>,
    _refusing: Option<Refusing>,
    // Stands down before the folder goes, so that it does not clean up what is being cleaned up.
    guard: Option<Guard>,
    folder: Option<TempDir>,
}

impl Lab {
    /// Builds a world and waits until its backends answer.
    ///
    /// # Errors
    /// When a listener cannot be opened, Python or git is missing, or a backend does not come up; nothing is left then.
    pub async fn up(scenario: &Scenario, options: &LabOptions) -> Result<Self, LabError> {
        Builder::new(&scenario.world, options)?.build().await
    }

    /// How to reach it.
    pub fn access(&self) -> &Access {
        &self.access
    }

    /// The folder that holds everything of it.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.as_ref().map_or(Path::new(""), TempDir::path)
    }

    /// What the edge saw so far, in the order answered, refusals included: the truth beside a prober's own count.
    pub fn edge_log(&self) -> Vec<EdgeRequest> {
        self.edge.log()
    }

    /// Takes it down: backends are asked to end, and killed after a grace period.
    pub async fn down(mut self) {
        self.tasks.shutdown().await;
        for backend in std::mem::take(&mut self.backends) {
            backend.stop().await;
        }
    }
}

impl std::fmt::Debug for Lab {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Lab").field("access", &self.access).finish_non_exhaustive()
    }
}

impl Drop for Lab {
    fn drop(&mut self) {
        self.tasks.abort_all();
        self.backends.clear();
        self.guard = None;
        self.folder = None;
    }
}

struct Builder<'a> {
    world: &'a World,
    startup: Duration,
    venv: PathBuf,
    // Declared in the order of their ends: when building fails, processes go before the guard, the guard before the folder.
    tasks: JoinSet<()>,
    backends: Vec<Gunicorn>,
    guard: Guard,
    folder: TempDir,
    connect_to: Vec<String>,
    authority: Authority,
}

impl<'a> Builder<'a> {
    fn new(world: &'a World, options: &LabOptions) -> Result<Self, LabError> {
        let venv = python::find(options.venv.as_deref())?;
        let folder = tempfile::Builder::new().prefix("landfall-lab-").tempdir().map_err(|source| {
            LabError::File { action: "make a folder in", path: std::env::temp_dir(), source }
        })?;
        Ok(Self {
            world,
            startup: options.startup,
            venv,
            tasks: JoinSet::new(),
            backends: Vec::new(),
            guard: Guard::over(folder.path())?,
            folder,
            connect_to: Vec::new(),
            authority: Authority::new()?,
        })
    }

    async fn build(mut self) -> Result<Lab, LabError> {
        let world = self.world;
        let workspace = self.path("workspace");
        project::make(&world.project, &workspace, &self.venv)?;
        // Backends start together: each takes a second of Python imports.
        let local = if world.local.running { Some(self.start_local(&workspace)?) } else { None };
        let deployments = self.start_deployments().await?;
        let resolvers = self.start_dns().await?;
        let (platform, refusing) = self.start_platform(&deployments).await?;
        let edge = self.start_edge(platform).await?;
        for backend in &mut self.backends {
            backend.ready(self.startup).await?;
        }
        let ca_file = self.path("anchor.pem");
        project::write(&ca_file, self.authority.anchor_pem().as_bytes())?;
        let local = local.and_then(|address| Url::parse(&format!("http://{address}")).ok());
        let origin = world.origin().filter(|_| world.target.origin_known);
        let config = project::write_config(&world.target, origin.as_ref(), local.as_ref(), &workspace)?;
        let access = Access {
            production: world.target.production.clone(),
            origin,
            local,
            project: Some(workspace),
            config,
            resolvers: vec![resolvers],
            connect_to: self.connect_to,
            ca_file,
        };
        Ok(Lab {
            access,
            edge,
            tasks: self.tasks,
            backends: self.backends,
            _refusing: refusing,
            guard: Some(self.guard),
            folder: Some(self.folder),
        })
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    fn start_local(&mut self, workspace: &Path) -> Result<SocketAddr, LabError> {
        let mut env = project::dotenv(&self.world.project)?;
        env.extend(self.world.local.env.clone());
        self.start_backend("local", "local backend".into(), workspace, env)
    }

    /// Starts what runs on the platform: where each deployment listens.
    async fn start_deployments(&mut self) -> Result<BTreeMap<String, SocketAddr>, LabError> {
        let world = self.world;
        let mut listening = BTreeMap::new();
        for (name, deployment) in &world.deployment {
            let address = match deployment.kind {
                AppKind::Backend => self.start_deployment(name, deployment)?,
                AppKind::Website => {
                    let listener = tcp(LOOPBACK, "website").await?;
                    let address = bound(&listener, "website")?;
                    self.tasks.spawn(serve(listener, None, website::handler()));
                    address
                }
            };
            listening.insert(name.clone(), address);
        }
        Ok(listening)
    }

    /// A build of the project in a folder of its own, with its settings in the environment, as platforms do it.
    fn start_deployment(&mut self, name: &str, deployment: &Deployment) -> Result<SocketAddr, LabError> {
        let folder = self.path(&format!("deployment-{name}"));
        project::copy(&self.world.project.files, &folder)?;
        for overlay in &deployment.overlay {
            project::copy(overlay, &folder)?;
        }
        let mut env = project::dotenv(&self.world.project)?;
        env.extend(deployment.env.clone());
        self.start_backend(&format!("deployment-{name}"), format!("deployment {name}"), &folder, env)
    }

    fn start_backend(
        &mut self,
        id: &str,
        what: String,
        folder: &Path,
        mut env: BTreeMap<String, String>,
    ) -> Result<SocketAddr, LabError> {
        // The database lies outside the project folder, which must look untouched.
        env.entry("SQLITE_PATH".into())
            .or_insert_with(|| self.path(&format!("{id}.sqlite3")).display().to_string());
        let log = self.path(&format!("{id}.log"));
        let backend = Gunicorn::start(Backend { what, folder, venv: &self.venv, env, log })?;
        self.guard.watch(backend.group());
        let address = backend.address;
        self.backends.push(backend);
        Ok(address)
    }

    /// Starts both name servers: where the recursive one listens.
    async fn start_dns(&mut self) -> Result<SocketAddr, LabError> {
        let describe = |problem| LabError::Description { file: "world.toml".into(), problem };
        let zones = Arc::new(Zones::parse(&self.world.dns).map_err(describe)?);
        // One listener a family, since a prober that means an IPv6 server opens an IPv6 socket.
        let mut listening: BTreeMap<IpAddr, SocketAddr> = BTreeMap::new();
        for public in zones.name_servers() {
            let ip = loopback_for(public).await;
            let authoritative = match listening.get(&ip) {
                Some(address) => *address,
                None => {
                    self.start_name_server(Role::Authoritative, &zones, ip, "authoritative name server")
                        .await?
                }
            };
            listening.insert(ip, authoritative);
            self.lead(public, 53, authoritative);
        }
        self.start_name_server(Role::Recursive, &zones, LOOPBACK, "recursive name server").await
    }

    async fn start_name_server(
        &mut self,
        role: Role,
        zones: &Arc<Zones>,
        ip: IpAddr,
        what: &'static str,
    ) -> Result<SocketAddr, LabError> {
        let (tcp, udp) = tcp_and_udp(ip, what).await?;
        let address = bound(&tcp, what)?;
        let udp = UdpSocket::from_std(udp).map_err(|source| LabError::Listen { what, source })?;
        self.tasks.spawn(serve_dns(role, Arc::clone(zones), tcp, udp));
        Ok(address)
    }

    /// Starts the platform's router: where the edge reaches it.
    async fn start_platform(
        &mut self,
        deployments: &BTreeMap<String, SocketAddr>,
    ) -> Result<(SocketAddr, Option<Refusing>), LabError> {
        let platform = &self.world.platform;
        if !platform.running {
            let refusing = refusing("stopped platform")?;
            self.lead(platform.address, 443, refusing.address);
            self.lead(platform.address, 80, refusing.address);
            return Ok((refusing.address, Some(refusing)));
        }
        let routes = platform
            .routes
            .iter()
            .filter_map(|(host, name)| Some((host.to_ascii_lowercase(), *deployments.get(name)?)));
        let router = Router::new(routes.collect());
        let behind_edge = tcp(LOOPBACK, "platform").await?;
        let address = bound(&behind_edge, "platform")?;
        self.tasks.spawn(serve(behind_edge, None, router.handler()));

        let identity = self.authority.issue(self.certificate(&platform.certificate))?;
        let acceptor = TlsAcceptor::from(identity.server(&[b"h2", b"http/1.1"])?);
        let ip = loopback_for(platform.address).await;
        let own_name = tcp(ip, "platform's own name").await?;
        self.lead(platform.address, 443, bound(&own_name, "platform's own name")?);
        self.tasks.spawn(serve(own_name, Some(acceptor), router.handler()));
        let clear = tcp(ip, "platform's port 80").await?;
        self.lead(platform.address, 80, bound(&clear, "platform's port 80")?);
        self.tasks.spawn(serve(clear, None, Router::in_the_clear()));
        Ok((address, None))
    }

    async fn start_edge(&mut self, platform: SocketAddr) -> Result<Arc<Edge>, LabError> {
        let world = self.world;
        let edge = Edge::new(&world.edge, platform);
        let identity = self.authority.issue(self.certificate(&world.edge.certificate))?;
        let acceptor = TlsAcceptor::from(identity.server(&[b"h2", b"http/1.1"])?);
        let quic = identity.quic_server()?;
        for public in &world.edge.addresses {
            let ip = loopback_for(*public).await;
            let (over_tls, over_quic) = tcp_and_udp(ip, "edge").await?;
            self.lead(*public, 443, bound(&over_tls, "edge")?);
            let runtime = quinn::default_runtime().ok_or_else(|| LabError::Listen {
                what: "edge",
                source: std::io::Error::other("there is no async runtime"),
            })?;
            let endpoint = quinn::Endpoint::new(
                quinn::EndpointConfig::default(),
                Some(quic.clone()),
                over_quic,
                runtime,
            )
            .map_err(|source| LabError::Listen { what: "edge's HTTP/3", source })?;
            self.tasks.spawn(serve(over_tls, Some(acceptor.clone()), edge.over_tls()));
            self.tasks.spawn(serve_quic(endpoint, Arc::clone(&edge)));
            let clear = tcp(ip, "edge's port 80").await?;
            self.lead(*public, 80, bound(&clear, "edge's port 80")?);
            self.tasks.spawn(serve(clear, None, edge.in_the_clear()));
        }
        Ok(edge)
    }

    fn certificate(&self, key: &str) -> &'a Certificate {
        self.world.certificate.get(key).expect("World::check found every certificate that is referred to")
    }

    fn lead(&mut self, public: IpAddr, port: u16, to: SocketAddr) {
        let bracketed = |ip: IpAddr| if ip.is_ipv6() { format!("[{ip}]") } else { ip.to_string() };
        self.connect_to.push(format!("{}:{port}:{}:{}", bracketed(public), bracketed(to.ip()), to.port()));
    }
}

fn bound(listener: &tokio::net::TcpListener, what: &'static str) -> Result<SocketAddr, LabError> {
    listener.local_addr().map_err(|source| LabError::Listen { what, source })
}
