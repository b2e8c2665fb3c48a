//! `landfall run`: runs a command and tells a heartbeat when it starts, how it ends, and what it printed last.
//!
//! The command comes first: no ping delays its start, and none that fails changes its exit status.

use std::collections::VecDeque;
use std::io::IsTerminal;
use std::os::unix::process::ExitStatusExt;
use std::process::Stdio;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use landfall_audit::ExitStatus;
use rustix::process::{Pid, Signal, kill_process};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};
use url::Url;
use uuid::Uuid;

use crate::args::RunArgs;
use crate::failure::Failure;

/// How long one ping may take.
const PING: Duration = Duration::from_secs(10);
/// Waits between tries: six tries in all.
const WAITS: [u64; 5] = [1, 2, 4, 8, 16];
/// How long the last ping is tried after the command has ended.
const LAST: Duration = Duration::from_secs(60);
/// Bytes of output that are sent.
const OUTPUT: usize = 10_000;
/// How long output is still read after the command has ended: something it left behind may hold the pipe for ever.
const DRAIN: Duration = Duration::from_millis(500);

pub(super) fn run(args: &RunArgs) -> Result<ExitStatus, Failure> {
    let base = address(&args.url)?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .map_err(|e| Failure::unable(format!("cannot start the runtime: {e}")))?;
    let code = runtime.block_on(work(args, base))?;
    runtime.shutdown_background();
    std::process::exit(code);
}

fn address(text: &str) -> Result<Url, Failure> {
    let wrong = |what: &str| {
        // The address is a secret, so it is not repeated.
        Failure::usage(format!("the ping URL {what}; it looks like https://watch.example.com/ping/UUID"))
    };
    let mut url = Url::parse(text).map_err(|e| wrong(&format!("cannot be read: {e}")))?;
    if !matches!(url.scheme(), "http" | "https") || url.cannot_be_a_base() {
        return Err(wrong("is not http or https"));
    }
    url.set_fragment(None);
    Ok(url)
}

async fn work(args: &RunArgs, base: Url) -> Result<i32, Failure> {
    let pinger = Arc::new(Pinger::new(base)?);
    // Before the command starts, so that no signal is missed.
    let mut signals =
        Signals::listen().map_err(|e| Failure::unable(format!("cannot wait for signals: {e}")))?;
    let output = Arc::new(Tail::default());
    let mut command = Command::new(&args.command[0]);
    command.args(&args.command[1..]).stdin(Stdio::inherit());
    if !args.no_output {
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
    }
    let starting = tokio::spawn({
        let pinger = Arc::clone(&pinger);
        async move { pinger.send("start", Vec::new()).await }
    });
    let code = match command.spawn() {
        Ok(child) => attend(child, &mut signals, &output).await,
        Err(error) => {
            let say = format!("landfall: {} cannot be run: {error}", args.command[0].to_string_lossy());
            anstream::eprintln!("{say}");
            output.keep(say.as_bytes());
            // What shells answer: 127 not found, 126 found and not runnable.
            if error.kind() == std::io::ErrorKind::NotFound { 127 } else { 126 }
        }
    };
    // A start that is on its way may arrive, so that it does not arrive after the end; one that fails is not tried again.
    pinger.ending();
    let _ = starting.await;
    let told = tokio::time::timeout(LAST, pinger.send(&code.to_string(), output.take())).await;
    let problem = match told {
        Ok(Ok(())) => None,
        Ok(Err(problem)) => Some(problem),
        Err(_) => Some("nobody answered in time".to_owned()),
    };
    if let Some(problem) = problem {
        anstream::eprintln!("landfall: the end of the run could not be told: {problem}");
    }
    Ok(code)
}

/// Waits for the command, passing output and signals on: its exit status, as a shell would give it.
async fn attend(mut child: Child, signals: &mut Signals, output: &Arc<Tail>) -> i32 {
    let copies = [
        child.stdout.take().map(|from| tokio::spawn(copy(from, tokio::io::stdout(), Arc::clone(output)))),
        child.stderr.take().map(|from| tokio::spawn(copy(from, tokio::io::stderr(), Arc::clone(output)))),
    ];
    let pid = child.id().and_then(|id| Pid::from_raw(id.cast_signed()));
    let status = loop {
        tokio::select! {
            status = child.wait() => break status,
            signal = signals.next() => {
                if let Some(pid) = pid {
                    // It may be gone this very moment.
                    let _ = kill_process(pid, signal);
                }
            }
        }
    };
    let all = async {
        for copy in copies.into_iter().flatten() {
            let _ = copy.await;
        }
    };
    let _ = tokio::time::timeout(DRAIN, all).await;
    match status {
        Ok(status) => status.code().or_else(|| status.signal().map(|n| 128 + n)).unwrap_or(1),
        Err(error) => {
            anstream::eprintln!("landfall: the command could not be waited for: {error}");
            1
        }
    }
}

/// Passes output on as it comes, and keeps its end. When our own reader is gone the command still gets to write.
async fn copy(mut from: impl AsyncRead + Unpin, mut to: impl AsyncWrite + Unpin, tail: Arc<Tail>) {
    let mut buffer = vec![0; 16 * 1024];
    let mut open = true;
    while let Ok(n) = from.read(&mut buffer).await {
        if n == 0 {
            break;
        }
        tail.keep(&buffer[..n]);
        if open {
            open = to.write_all(&buffer[..n]).await.is_ok() && to.flush().await.is_ok();
        }
    }
}

/// The last bytes of both outputs, in the order in which they came.
#[derive(Default)]
struct Tail(Mutex<VecDeque<u8>>);

impl Tail {
    fn keep(&self, bytes: &[u8]) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        kept.extend(&bytes[bytes.len().saturating_sub(OUTPUT)..]);
        let beyond = kept.len().saturating_sub(OUTPUT);
        kept.drain(..beyond);
    }

    fn take(&self) -> Vec<u8> {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        std::mem::take(&mut *kept).into()
    }
}

/// Signals that are passed on.
struct Signals {
    terminate: tokio::signal::unix::Signal,
    interrupt: tokio::signal::unix::Signal,
    hang_up: tokio::signal::unix::Signal,
    /// At a terminal an interrupt reaches the command by itself.
    at_terminal: bool,
}

impl Signals {
    fn listen() -> std::io::Result<Self> {
        Ok(Self {
            terminate: signal(SignalKind::terminate())?,
            interrupt: signal(SignalKind::interrupt())?,
            hang_up: signal(SignalKind::hangup())?,
            at_terminal: std::io::stdin().is_terminal(),
        })
    }

    async fn next(&mut self) -> Signal {
        loop {
            tokio::select! {
                _ = self.terminate.recv() => return Signal::TERM,
                _ = self.hang_up.recv() => return Signal::HUP,
                _ = self.interrupt.recv() => {
                    if !self.at_terminal {
                        return Signal::INT;
                    }
                }
            }
        }
    }
}

/// Sends pings of one run.
struct Pinger {
    base: Url,
    rid: Uuid,
    client: reqwest::Client,
    ended: tokio::sync::watch::Sender<bool>,
}

impl Pinger {
    fn new(base: Url) -> Result<Self, Failure> {
        let client = reqwest::Client::builder()
            .timeout(PING)
            .redirect(reqwest::redirect::Policy::limited(3))
            .user_agent(concat!("landfall-run/", env!("CARGO_PKG_VERSION")))
            .build()
            .map_err(|e| Failure::unable(format!("no HTTP client can be made: {e}")))?;
        Ok(Self { base, rid: Uuid::new_v4(), client, ended: tokio::sync::watch::Sender::new(false) })
    }

    /// The command has ended: a start ping is tried no further.
    fn ending(&self) {
        self.ended.send_replace(true);
    }

    async fn send(&self, tail: &str, body: Vec<u8>) -> Result<(), String> {
        let mut url = self.base.clone();
        let path = format!("{}/{tail}", url.path().trim_end_matches('/'));
        url.set_path(&path);
        url.query_pairs_mut().append_pair("rid", &self.rid.to_string());
        let is_start = tail == "start";
        let mut problem = String::new();
        for wait in WAITS.into_iter().map(Some).chain([None]) {
            match self.once(&url, body.clone()).await {
                Try::Done => return Ok(()),
                Try::Refused(what) => return Err(what),
                Try::Again(what) => problem = what,
            }
            let Some(wait) = wait else { break };
            if is_start {
                let mut ended = self.ended.subscribe();
                tokio::select! {
                    () = tokio::time::sleep(Duration::from_secs(wait)) => {}
                    _ = ended.wait_for(|ended| *ended) => break,
                }
            } else {
                tokio::time::sleep(Duration::from_secs(wait)).await;
            }
        }
        Err(problem)
    }

    async fn once(&self, url: &Url, body: Vec<u8>) -> Try {
        match self.client.post(url.clone()).body(body).send().await {
            Ok(answer) => match answer.status().as_u16() {
                200..=299 => Try::Done,
                status @ (408 | 429 | 500..=599) => Try::Again(format!("the server answered {status}")),
                status => Try::Refused(format!("the server answered {status}; look at the ping URL")),
            },
            // The error would name the address, which is a secret.
            Err(error) if error.is_timeout() => Try::Again("the server did not answer in time".into()),
            Err(error) if error.is_connect() => Try::Again("the server cannot be reached".into()),
            Err(_) => Try::Again("the server did not answer properly".into()),
        }
    }
}

enum Try {
    Done,
    Again(String),
    Refused(String),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_end_of_the_output_is_kept() {
        let tail = Tail::default();
        for i in 0..5000 {
            tail.keep(format!("{i}\n").as_bytes());
        }
        tail.keep(&[b'x'; 30_000]);
        tail.keep(b"the end");
        let kept = tail.take();
        assert_eq!(kept.len(), OUTPUT);
        assert!(kept.ends_with(b"xthe end") && kept.starts_with(b"xxx"));
    }

    #[test]
    fn the_address_is_checked_and_never_repeated() {
        assert!(address("https://watch.example.com/ping/secret-id?create=1").is_ok());
        for wrong in ["secret-id", "ftp://host/secret-id", "mailto:secret-id@host", ""] {
            let problem = address(wrong).expect_err("refused").to_string();
            assert!(!problem.contains("secret-id"), "{problem}");
        }
    }
}
