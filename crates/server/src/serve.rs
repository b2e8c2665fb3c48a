//! The whole server in one process: watch, outbox, jobs, pages, API.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::ConnectInfo;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use hyper_util::server::conn::auto;
use hyper_util::server::graceful::GracefulShutdown;
use jiff::Timestamp;
use landfall_monitor::connectivity::Connectivity;
use landfall_monitor::engine::{Engine, Measure, Options, Parts};
use landfall_monitor::heartbeat::Ingest;
use landfall_monitor::jobs::{self, Done, Jobs, Work, Working};
use landfall_monitor::{Bus, Clock, Probes, ProbesConfig, SystemClock, Watch};
use landfall_notify::{Outbound, OutboundSettings, Worker};
use landfall_probe::net::Egress;
use landfall_store::{Id, Store};
use tokio::net::TcpListener;
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;
use tower::ServiceExt as _;

use crate::configuration::{Configuration, own_url};
use crate::{
    App, Liveness, billing, blackbox, declared, health, metrics, pages, ping, public, service, support,
    with_doors,
};

/// How long a client may take to send its request line and headers.
const HEADER_TIME: Duration = Duration::from_secs(10);

/// The largest request line with headers, in bytes. The usual servers stop at 8 to 32 KiB.
const HEADER_BYTE: usize = 32 * 1024;

/// A server that cannot start, in words that name the mend.
#[derive(Debug, thiserror::Error)]
#[error("{0}")]
pub struct ServeError(String);

/// What is told when the server listens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listening {
    /// Where.
    pub address: SocketAddr,
    /// Where people reach it.
    pub public_url: String,
    /// The link for the first account, while there is none.
    pub first_run: Option<String>,
    /// Which database holds everything.
    pub database: &'static str,
}

/// Runs a server until it is told to stop, then drains: no new work, what is under way ends within the time for it.
///
/// # Errors
/// When it cannot start: the port is taken, the database cannot be reached.
pub async fn serve(
    configuration: Configuration,
    stop: CancellationToken,
    listening: impl FnOnce(&Listening),
) -> Result<(), ServeError> {
    let fail = |what: &str, error: &dyn std::fmt::Display| ServeError(format!("{what}: {error}"));
    let store = Store::open(&configuration.database).await.map_err(|e| ServeError(e.to_string()))?;
    let listener = TcpListener::bind(configuration.listen).await.map_err(|e| {
        fail(&format!("cannot listen on {} (set PORT or --listen to another)", configuration.listen), &e)
    })?;
    let address = listener.local_addr().map_err(|e| fail("the listener has no address", &e))?;
    let mut configuration = configuration;
    configuration.jobs.self_url = Some(own_url(address));
    // Port 0 lets the system choose, and links must name what it chose.
    for url in [&mut configuration.settings.public_url, &mut configuration.jobs.public_url] {
        if let Some(host) = url.strip_suffix(":0") {
            *url = format!("{host}:{}", address.port());
        }
    }
    let server = Server::new(configuration, store)?;
    let first_run =
        service::accounts::first_run_link(&server.app).await.map_err(|e| ServeError(e.to_string()))?;
    listening(&Listening {
        address,
        public_url: server.app.settings.public_url.clone(),
        first_run,
        database: server.app.store.kind(),
    });
    server.run(listener, stop).await;
    Ok(())
}

struct Server {
    configuration: Configuration,
    app: App,
    probes: Arc<Probes>,
    worker: Arc<Worker>,
}

impl Server {
    fn new(configuration: Configuration, store: Store) -> Result<Self, ServeError> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let egress = Egress::public_only(configuration.settings.allow_egress.clone());
        let probes = Probes::new(ProbesConfig {
            egress: egress.clone(),
            map: configuration.map.clone(),
            resolvers: configuration.resolvers.clone(),
            ca_files: configuration.ca_files.clone(),
            user_agent: String::new(),
        })
        .map_err(|e| ServeError(e.to_string()))?;
        let outbound = Outbound::new(
            Arc::new(move |ip| egress.allows(ip)),
            OutboundSettings { smtp: configuration.smtp.clone(), ..OutboundSettings::default() },
        )
        .map_err(|e| ServeError(e.to_string()))?;
        let mut live = Liveness::new(clock.now());
        live.server = Id::new().to_string();
        let worker_clock = Arc::clone(&clock);
        let worker = Worker::new(store.clone(), Arc::new(move || worker_clock.now()), outbound, &live.server);
        let app = App {
            store,
            clock,
            bus: Bus::default(),
            watch: Watch::default(),
            settings: Arc::new(configuration.settings.clone()),
            live: Arc::new(live),
        };
        Ok(Self { configuration, app, probes: Arc::new(probes), worker: Arc::new(worker) })
    }

    async fn run(self, listener: TcpListener, stop: CancellationToken) {
        let Self { configuration, app, probes, worker } = self;
        if configuration.smtp.is_none() && (app.settings.billing.on || app.settings.support.mail_to.is_some())
        {
            tracing::warn!("there is no mail server: bills and tickets cannot be mailed; set [server.smtp]");
        }
        // The watch and what stands behind it stop after the door is closed: what was accepted is still answered.
        let inner_stop = CancellationToken::new();
        let engine = tokio::spawn(
            Engine::new(parts(&configuration, &app, Arc::clone(&probes))).run(inner_stop.clone()),
        );
        let worker_stop = inner_stop.clone();
        let letters = {
            let worker = Arc::clone(&worker);
            tokio::spawn(async move { worker.run(worker_stop.cancelled()).await })
        };
        let jobs = Jobs::new(
            jobs_context(&configuration, &app),
            jobs::registry(&configuration.jobs, configuration.settings.billing.on),
        );
        let jobs_stop = inner_stop.clone();
        let jobs = tokio::spawn(async move { jobs.run(jobs_stop).await });
        let providers = tokio::spawn(support::refresh_loop(app.clone()));
        let replies = tokio::spawn(support::reply_loop(app.clone()));
        let declared = tokio::spawn(declared::keep(
            app.clone(),
            configuration.file.clone(),
            configuration.reload.clone(),
        ));
        let plans = app.settings.billing.clone();
        let (ingest, pings) = Ingest::start_within(
            app.store.clone(),
            app.bus.clone(),
            app.settings.public_url.clone(),
            Arc::new(move |plan| u64::from(billing::limits_of_plan(&plans, plan).heartbeats)),
        );
        let router = with_doors(app.clone(), doors(ingest, Arc::clone(&probes)));

        door(listener, router, configuration.connections, stop, &app, configuration.drain).await;

        inner_stop.cancel();
        declared.abort();
        providers.abort();
        replies.abort();
        let rest = async {
            let _ = engine.await;
            let _ = jobs.await;
            let _ = letters.await;
            let _ = pings.await;
        };
        if tokio::time::timeout(configuration.drain, rest).await.is_err() {
            tracing::warn!(
                "not everything ended within the time to drain; what was promised is in the database"
            );
        }
    }
}

/// Everything beside the API.
fn doors(ingest: Ingest, probes: Arc<Probes>) -> Router<App> {
    Router::new()
        .merge(health::router())
        .merge(metrics::router())
        .merge(blackbox::router_with(probes))
        .merge(billing::router())
        .merge(support::router())
        .merge(ping::router(ingest))
        .merge(pages::router())
        .merge(public::router())
}

fn parts(configuration: &Configuration, app: &App, probes: Arc<Probes>) -> Parts {
    let live = Arc::clone(&app.live);
    Parts {
        store: app.store.clone(),
        clock: Arc::clone(&app.clock),
        bus: app.bus.clone(),
        watch: app.watch.clone(),
        checker: probes.clone(),
        auditor: probes,
        connectivity: Arc::new(Connectivity::new(configuration.canaries.clone())),
        options: Options {
            owner: app.live.server.clone(),
            in_flight: configuration.checks,
            audits: configuration.audits,
            public_url: app.settings.public_url.clone(),
            ..Options::default()
        },
        steps: None,
        measures: Some(Arc::new(move |measure| match measure {
            Measure::Lag(lag) => live.meters.check_began(lag),
            Measure::Missed(ticks) => live.meters.missed(ticks),
            Measure::Round(now) => live.watch_ticked(now),
            Measure::Checked => {}
        })),
    }
}

fn jobs_context(configuration: &Configuration, app: &App) -> jobs::Context {
    let dunning: Option<Arc<dyn Work>> =
        configuration.settings.billing.on.then(|| Arc::new(Dunning(app.store.clone())) as Arc<dyn Work>);
    jobs::Context {
        store: app.store.clone(),
        clock: Arc::clone(&app.clock),
        bus: app.bus.clone(),
        settings: Arc::new(configuration.jobs.clone()),
        dunning,
    }
}

struct Dunning(Store);

impl Work for Dunning {
    fn work(&self, now: Timestamp) -> Working<'_> {
        Box::pin(async move {
            let (on, say) = billing::dunning_sweep(&self.0, now).await.map_err(|e| e.to_string())?;
            Ok(Done::on(on, say))
        })
    }
}

/// Accepts connections until it is told to stop, then lets those that are open finish.
async fn door(
    listener: TcpListener,
    router: Router,
    connections: usize,
    stop: CancellationToken,
    app: &App,
    drain: Duration,
) {
    let mut builder = auto::Builder::new(TokioExecutor::new());
    builder.http1().timer(TokioTimer::new()).header_read_timeout(HEADER_TIME).max_buf_size(HEADER_BYTE);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_header_list_size(u32::try_from(HEADER_BYTE).unwrap_or(u32::MAX))
        .max_concurrent_streams(128)
        .keep_alive_interval(Duration::from_secs(30));
    let graceful = GracefulShutdown::new();
    let permits = Arc::new(Semaphore::new(connections));
    loop {
        let accepted = tokio::select! {
            () = stop.cancelled() => break,
            accepted = accept(&listener, &permits) => accepted,
        };
        let (stream, peer, permit) = match accepted {
            Ok(accepted) => accepted,
            Err(error) => {
                // Out of file descriptors, most likely: waiting is all that helps.
                tracing::error!(%error, "a connection cannot be accepted");
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            }
        };
        let router = router.clone();
        let service = hyper::service::service_fn(move |request: http::Request<hyper::body::Incoming>| {
            let mut request = request.map(axum::body::Body::new);
            request.extensions_mut().insert(ConnectInfo(peer));
            router.clone().oneshot(request)
        });
        let _ = stream.set_nodelay(true);
        let connection = builder.serve_connection_with_upgrades(TokioIo::new(stream), service).into_owned();
        let connection = graceful.watch(connection);
        tokio::spawn(async move {
            // What goes wrong on one connection is that client's affair.
            let _ = connection.await;
            drop(permit);
        });
    }
    app.live.drain();
    drop(listener);
    if tokio::time::timeout(drain, graceful.shutdown()).await.is_err() {
        tracing::info!("connections that were still open were closed");
    }
}

async fn accept(
    listener: &TcpListener,
    permits: &Arc<Semaphore>,
) -> std::io::Result<(tokio::net::TcpStream, SocketAddr, tokio::sync::OwnedSemaphorePermit)> {
    let permit = Arc::clone(permits).acquire_owned().await.map_err(std::io::Error::other)?;
    let (stream, peer) = listener.accept().await?;
    Ok((stream, peer, permit))
}
