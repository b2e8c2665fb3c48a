//! `landfall serve`

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;

use landfall_audit::ExitStatus;
use landfall_server::{Configuration, Listening, serve};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing_subscriber::EnvFilter;

use crate::args::ServeArgs;
use crate::failure::Failure;

pub(super) fn run(args: &ServeArgs) -> Result<ExitStatus, Failure> {
    let usual = Path::new("landfall.toml");
    let file = args.config.as_deref().or_else(|| usual.is_file().then_some(usual));
    let configuration =
        Configuration::read(file, |name| said(args, name).or_else(|| std::env::var(name).ok()))
            .map_err(Failure::usage)?;
    log();
    let mut runtime = tokio::runtime::Builder::new_multi_thread();
    // An audit is one deep future; the default of 2 MiB is near for it in a debug build.
    runtime.thread_stack_size(4 * 1024 * 1024);
    if let Some(threads) = configuration.threads {
        runtime.worker_threads(threads);
    }
    let runtime = runtime
        .enable_all()
        .build()
        .map_err(|e| Failure::unable(format!("cannot start the runtime: {e}")))?;
    let done = runtime.block_on(async {
        let stop = CancellationToken::new();
        let signals = signals(stop.clone(), Arc::clone(&configuration.reload)).map_err(Failure::unable)?;
        let served = serve(configuration, stop, announce).await.map_err(Failure::unable);
        signals.abort();
        served
    });
    runtime.shutdown_timeout(std::time::Duration::from_secs(1));
    done.map(|()| ExitStatus::Clean)
}

/// What the command line says, under the names that the environment has.
fn said(args: &ServeArgs, name: &str) -> Option<String> {
    let list = |values: &[String]| (!values.is_empty()).then(|| values.join(","));
    match name {
        "LANDFALL_LISTEN" => args.listen.clone(),
        "LANDFALL_PORT" => args.port.map(|p| p.to_string()),
        "LANDFALL_DATABASE" => args.database.clone(),
        "LANDFALL_PUBLIC_URL" => args.public_url.clone(),
        "LANDFALL_ALLOW_EGRESS" => list(&args.allow_egress),
        "LANDFALL_CANARIES" => list(&args.canary),
        "LANDFALL_RESOLVERS" => list(&args.resolver),
        "LANDFALL_CONNECT_TO" => list(&args.connect_to),
        "LANDFALL_CA_FILES" => {
            list(&args.ca_file.iter().map(|f| f.display().to_string()).collect::<Vec<_>>())
        }
        _ => None,
    }
}

fn announce(listening: &Listening) {
    let mut text = format!(
        "landfall {} is serving {} (listening on {}, {})\n",
        env!("CARGO_PKG_VERSION"),
        listening.public_url,
        listening.address,
        listening.database,
    );
    if let Some(link) = &listening.first_run {
        text.push_str(&format!(
            "\nNobody has an account yet. Make the first one here (works once, for a day):\n\n  {link}\n\n"
        ));
    }
    // A closed standard output is no reason not to serve.
    let mut out = std::io::stdout().lock();
    let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
}

/// SIGTERM and SIGINT drain; a second one ends at once. SIGHUP has the configuration file read again.
fn signals(stop: CancellationToken, reload: Arc<Notify>) -> std::io::Result<tokio::task::JoinHandle<()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut hang_up = signal(SignalKind::hangup())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut interrupt = signal(SignalKind::interrupt())?;
    Ok(tokio::spawn(async move {
        loop {
            tokio::select! {
                _ = terminate.recv() => break,
                _ = interrupt.recv() => break,
                _ = hang_up.recv() => reload.notify_one(),
            }
        }
        tracing::info!("stopping: no new work, what is under way ends");
        stop.cancel();
        tokio::select! {
            _ = terminate.recv() => {}
            _ = interrupt.recv() => {}
        }
        tracing::warn!("stopped at once");
        std::process::exit(130);
    }))
}

/// Logs go to stderr; `LANDFALL_LOG` filters them, `LANDFALL_LOG_FORMAT=json` makes them lines of JSON.
fn log() {
    let filter = EnvFilter::try_from_env("LANDFALL_LOG").unwrap_or_else(|_| EnvFilter::new("info"));
    let base = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr);
    let json = std::env::var("LANDFALL_LOG_FORMAT").is_ok_and(|f| f == "json");
    // Somebody else may have set a logger (in tests): theirs stays.
    let _ = if json { base.json().try_init() } else { base.with_ansi(false).try_init() };
}
