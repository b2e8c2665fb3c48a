//! Real backends: the Flask project served by gunicorn in a process group of its own.
//!
//! The listening socket is opened here and handed over as the server's standard input (`--bind fd://0`), so that the port
//! is ours from the beginning and two worlds can never be given the same one.

use std::collections::BTreeMap;
use std::fs::File;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use bytes::Bytes;
use http::Request;
use rustix::process::{Pid, Signal, kill_process_group};
use tokio::time::{Instant, timeout};

use crate::error::LabError;
use crate::forward::forward;

/// What to start.
pub(crate) struct Backend<'a> {
    /// For error messages: `local backend`.
    pub(crate) what: String,
    /// The folder that holds run.py.
    pub(crate) folder: &'a Path,
    /// The Python environment.
    pub(crate) venv: &'a Path,
    /// All settings; nothing else is taken from our own environment.
    pub(crate) env: BTreeMap<String, String>,
    /// Where its log goes.
    pub(crate) log: PathBuf,
}

/// A running backend. Dropped, its process group is killed.
pub(crate) struct Gunicorn {
    /// Where it listens.
    pub(crate) address: SocketAddr,
    what: String,
    log: PathBuf,
    child: Child,
}

/// The part of a log that is quoted in an error.
const LOG_TAIL_BYTE: usize = 6_000;
/// How often a starting or stopping process is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// gunicorn's own graceful timeout is 30 s; nothing here is worth waiting for so long.
const GRACE: Duration = Duration::from_secs(5);

impl Gunicorn {
    /// Starts the server. It may not answer yet: see [`Self::ready`].
    pub(crate) fn start(backend: Backend<'_>) -> Result<Self, LabError> {
        let listen = |source| LabError::Listen { what: "backend", source };
        let socket = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(listen)?;
        let address = socket.local_addr().map_err(listen)?;
        let file = |source| LabError::File { action: "write", path: backend.log.clone(), source };
        let log = File::create(&backend.log).map_err(file)?;
        let setting =
            |name: &str, default: &str| backend.env.get(name).cloned().unwrap_or_else(|| default.to_owned());
        let child = Command::new(backend.venv.join("bin/python"))
            .args(["-m", "gunicorn", "--bind", "fd://0"])
            .args([
                "--workers",
                &setting("GUNICORN_WORKERS", "2"),
                "--threads",
                &setting("GUNICORN_THREADS", "4"),
            ])
            .args(["--timeout", &setting("GUNICORN_TIMEOUT", "30"), "run:app"])
            .current_dir(backend.folder)
            .env_clear()
            .envs([
                ("PATH", "/usr/local/bin:/usr/bin:/bin"),
                ("LANG", "C.UTF-8"),
                ("PYTHONDONTWRITEBYTECODE", "1"),
            ])
            .env("HOME", backend.folder)
            .envs(&backend.env)
            .stdin(Stdio::from(OwnedFd::from(socket)))
            .stdout(Stdio::from(log.try_clone().map_err(file)?))
            .stderr(Stdio::from(log))
            .process_group(0)
            .spawn()
            .map_err(|source| LabError::NoProgram { program: "python", source })?;
        Ok(Self { address, what: backend.what, log: backend.log, child })
    }

    /// The process group: the id of its leader.
    pub(crate) fn group(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the application answers a request; `/health` of this project needs nothing but a worker.
    pub(crate) async fn ready(&mut self, limit: Duration) -> Result<(), LabError> {
        // The socket listens from the start, so one request simply waits until a worker takes it.
        let request = Request::get("/health").header("host", "localhost").body(Bytes::new());
        let request = request.expect("a literal request is valid");
        let address = self.address;
        let ended = |status| format!("ended with {status} before it answered");
        let problem = tokio::select! {
            answer = timeout(limit, forward(address, request)) => match answer {
                Ok(Ok(answer)) if answer.status().is_success() => return Ok(()),
                Ok(Ok(answer)) => format!("answers GET /health with {}", answer.status()),
                // A worker that dies at import drops the connection before its master gives up, and the master first waits
                // up to its graceful timeout for the workers that it was still starting.
                Ok(Err(why)) => match self.end(limit).await {
                    Some(status) => ended(status),
                    None => format!("does not answer GET /health ({why:?})"),
                },
                Err(_) => format!("did not answer GET /health within {} s", limit.as_secs_f32()),
            },
            Some(status) = self.end(limit) => ended(status),
        };
        Err(LabError::Backend { what: self.what.clone(), problem, log: tail(&self.log) })
    }

    /// How the master ended, or `None` when it still runs after `limit`.
    async fn end(&mut self, limit: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + limit;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Asks the group to end, and kills what is left of it after a grace period.
    pub(crate) async fn stop(mut self) {
        self.signal(Signal::TERM);
        self.end(GRACE).await;
        // Dropped here: workers that outlived their master are killed with the group.
    }

    fn signal(&self, signal: Signal) {
        let group = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw);
        if let Some(group) = group {
            // ESRCH: nobody is left in the group, which is what we want.
            let _ = kill_process_group(group, signal);
        }
    }
}

impl Drop for Gunicorn {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        // Returns at once for a master that was waited for before.
        let _ = self.child.wait();
    }
}

/// The end of a log, for people.
fn tail(log: &Path) -> String {
    let bytes = std::fs::read(log).unwrap_or_default();
    let from = bytes.len().saturating_sub(LOG_TAIL_BYTE);
    String::from_utf8_lossy(&bytes[from..]).trim().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_backend_that_cannot_start_shows_its_log() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("run.py"), "raise RuntimeError('no database address')\n")
            .expect("written");
        let venv = crate::python::find(None).expect("scripts/lab-venv was run");
        let backend = Backend {
            what: "local backend".into(),
            folder: folder.path(),
            venv: &venv,
            env: BTreeMap::new(),
            log: folder.path().join("log"),
        };
        let mut backend = Gunicorn::start(backend).expect("starts");
        let error = backend.ready(Duration::from_secs(60)).await.expect_err("no application").to_string();
        assert!(
            error.contains("local backend ended with") && error.contains("no database address"),
            "{error}"
        );
    }
}
