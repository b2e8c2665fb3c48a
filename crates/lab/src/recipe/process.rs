//! Server programs: how each kind is started under an ordinary user, when it counts as ready, and how it ends.

use std::collections::BTreeMap;
use std::fs::File;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::format::{Kind, ServerSpec, Then};
use super::placeholders::Values;
use super::ports::listens;
use crate::error::LabError;
use crate::project;

/// How often a starting or ending process is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// How long a worker is given to take a connection before its process is looked at again.
const TAKE: Duration = Duration::from_millis(500);
/// What an ending process may take before it is killed.
const GRACE: Duration = Duration::from_secs(3);
/// The part of a log that is quoted in an error.
const LOG_TAIL_BYTE: usize = 6_000;

/// A running server. Dropped, its process group is killed.
pub(super) struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// What a server is started in.
pub(super) struct Place<'a> {
    pub(super) values: &'a Values,
    pub(super) venv: &'a Path,
    /// Whether there is a project folder.
    pub(super) project: bool,
}

impl Process {
    /// Starts a server; it may not be ready yet.
    pub(super) fn start(spec: &ServerSpec, place: &Place<'_>) -> Result<Self, LabError> {
        let values = place.values;
        let own = values.dir.join("servers").join(&spec.name);
        make_folder(&own)?;
        let log = values.log(&spec.name);
        let file = |source| LabError::File { action: "write", path: log.clone(), source };
        project::write(&log, b"")?;
        let output = File::options().append(true).open(&log).map_err(file)?;
        let (program, args) = command(spec, place, &own)?;
        let cwd = match &spec.cwd {
            Some(cwd) => values.dir.join(cwd),
            None if place.project => values.dir.join("project"),
            None => values.dir.clone(),
        };
        make_folder(&cwd)?;
        let path = format!(
            "{}:/usr/local/bin:/usr/bin:/bin:/usr/local/sbin:/usr/sbin:/sbin",
            place.venv.join("bin").display()
        );
        let usual = [
            ("PATH", path.as_str()),
            ("LANG", "C.UTF-8"),
            ("PYTHONDONTWRITEBYTECODE", "1"),
            ("PYTHONUNBUFFERED", "1"),
        ];
        let own_text = own.display().to_string();
        let child = Command::new(&program)
            .args(args)
            .current_dir(cwd)
            .env_clear()
            .envs(usual)
            .envs([("HOME", &own_text), ("XDG_DATA_HOME", &own_text), ("XDG_CONFIG_HOME", &own_text)])
            .envs(spec.env.iter().map(|(k, v)| (k, values.fill(v))).collect::<BTreeMap<_, _>>())
            .stdin(Stdio::null())
            .stdout(Stdio::from(output.try_clone().map_err(file)?))
            .stderr(Stdio::from(output))
            .process_group(0)
            .spawn()
            .map_err(|source| LabError::Backend {
                what: format!("server {}", spec.name),
                problem: format!("cannot be started: {}: {source}; is it installed?", program.display()),
                log: String::new(),
            })?;
        Ok(Self { name: spec.name.clone(), child, log })
    }

    /// The process group: the id of its leader.
    pub(super) fn group(&self) -> u32 {
        self.child.id()
    }

    /// Waits until the server is what the recipe calls ready. `ports` are those that it must listen on.
    pub(super) async fn ready(
        &mut self,
        spec: &ServerSpec,
        ports: &[u16],
        limit: Duration,
    ) -> Result<(), LabError> {
        let until = Instant::now() + limit;
        loop {
            let ended = self.child.try_wait().ok().flatten();
            let done = match spec.ready.as_str() {
                "none" => true,
                "exit" => ended.is_some(),
                "listen" => {
                    if let Some(status) = ended {
                        return Err(self.error(format!("ended with {status} before it listened")));
                    }
                    // Caddy's TCP ports listen before its QUIC ones do; this is its last word before it serves.
                    let quic =
                        spec.kind != Kind::Caddy || self.log_text().contains("serving initial configuration");
                    let listening = quic && ports.iter().all(|port| listens(*port));
                    // The master listens before its workers have imported anything, and goes on listening for a while when
                    // they cannot.
                    let workers = matches!(spec.kind, Kind::Gunicorn | Kind::Uvicorn);
                    listening && (!workers || taken(ports).await)
                }
                other => {
                    let wanted = other.strip_prefix("log:").unwrap_or(other);
                    let found = self.log_text().contains(wanted);
                    if let (false, Some(status)) = (found, ended) {
                        return Err(self.error(format!("ended with {status} and never wrote {wanted:?}")));
                    }
                    found
                }
            };
            if done {
                break;
            }
            if Instant::now() >= until {
                return Err(self.error(format!(
                    "was not ready ({}) within {} s",
                    spec.ready,
                    limit.as_secs()
                )));
            }
            sleep(LOOK).await;
        }
        match spec.then {
            None => {}
            Some(Then::Stop) => self.signal(Signal::STOP),
            Some(Then::Term) => {
                self.signal(Signal::TERM);
                self.end(GRACE).await;
            }
            Some(Then::Kill) => {
                self.signal(Signal::KILL);
                self.end(GRACE).await;
            }
        }
        Ok(())
    }

    /// Asks the group to end, and kills what is left of it after a grace period.
    pub(super) async fn stop(mut self) {
        self.signal(Signal::CONT);
        self.signal(Signal::TERM);
        self.end(GRACE).await;
    }

    async fn end(&mut self, limit: Duration) -> Option<ExitStatus> {
        let until = Instant::now() + limit;
        loop {
            if let Ok(Some(status)) = self.child.try_wait() {
                return Some(status);
            }
            if Instant::now() >= until {
                return None;
            }
            sleep(LOOK).await;
        }
    }

    fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // ESRCH: nobody is left in the group, which is what we want.
            let _ = kill_process_group(group, signal);
        }
    }

    fn log_text(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }

    fn error(&self, problem: String) -> LabError {
        let log = self.log_text();
        let mut from = log.len().saturating_sub(LOG_TAIL_BYTE);
        while !log.is_char_boundary(from) {
            from += 1;
        }
        LabError::Backend {
            what: format!("server {}", self.name),
            problem,
            log: log[from..].trim().to_owned(),
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.signal(Signal::KILL);
        let _ = self.child.wait();
    }
}

/// Whether somebody takes a connection from the queue. It is closed without a word, which leaves nothing in any log.
async fn taken(ports: &[u16]) -> bool {
    for port in ports {
        let asked = timeout(TAKE, async {
            let mut stream = TcpStream::connect(("127.0.0.1", *port)).await?;
            stream.shutdown().await?;
            stream.read(&mut [0; 1]).await
        });
        if !matches!(asked.await, Ok(Ok(0))) {
            return false;
        }
    }
    true
}

fn make_folder(path: &Path) -> Result<(), LabError> {
    std::fs::create_dir_all(path).map_err(|source| LabError::File {
        action: "make",
        path: path.to_owned(),
        source,
    })
}

/// Program and arguments of a server, its configuration written.
fn command(spec: &ServerSpec, place: &Place<'_>, own: &Path) -> Result<(PathBuf, Vec<String>), LabError> {
    let values = place.values;
    let fill = |text: &String| values.fill(text);
    let args = spec.args.iter().map(fill);
    let conf = spec.conf.as_ref().map(fill).unwrap_or_default();
    let run = spec.run.as_ref().map(fill).unwrap_or_default();
    let write = |name: &str, text: &str| -> Result<String, LabError> {
        let path = own.join(name);
        project::write(&path, text.as_bytes())?;
        Ok(path.display().to_string())
    };
    let words = |words: &[&str]| words.iter().map(ToString::to_string).collect::<Vec<_>>();
    let python = place.venv.join("bin/python");
    let port = values.ports.get(&spec.name).copied().unwrap_or_default();
    let own_text = own.display().to_string();
    let (program, mut all) = match spec.kind {
        Kind::Nginx => {
            let file = write("nginx.conf", &nginx(&conf, &own_text))?;
            (find("nginx"), words(&["-p", &own_text, "-e", "stderr", "-c", &file]))
        }
        Kind::Haproxy => {
            let file = write("haproxy.cfg", &conf)?;
            (find("haproxy"), words(&["-db", "-f", &file]))
        }
        Kind::Caddy => {
            let file = write("Caddyfile", &conf)?;
            (find("caddy"), words(&["run", "--adapter", "caddyfile", "--config", &file]))
        }
        Kind::Named => {
            let file = write("named.conf", &conf)?;
            (find("named"), words(&["-g", "-n", "1", "-c", &file]))
        }
        Kind::Nsd => {
            let file = write("nsd.conf", &conf)?;
            (find("nsd"), words(&["-d", "-c", &file]))
        }
        Kind::Unbound => {
            let file = write("unbound.conf", &conf)?;
            (find("unbound"), words(&["-d", "-p", "-c", &file]))
        }
        Kind::Gunicorn => {
            let mut all = words(&["-m", "gunicorn"]);
            let bound = spec.args.iter().any(|a| a.starts_with("--bind") || a.starts_with("-b"));
            if !bound {
                all.extend(words(&["--bind", &format!("127.0.0.1:{port}")]));
            }
            all.push(run);
            (python, all)
        }
        Kind::Uvicorn => {
            let mut all = words(&["-m", "uvicorn"]);
            if !spec.args.iter().any(|a| a.starts_with("--port")) {
                all.extend(words(&["--host", "127.0.0.1", "--port", &port.to_string()]));
            }
            all.push(run);
            (python, all)
        }
        Kind::Node => (find("node"), vec![run]),
        Kind::Command => {
            let program = if run.contains('/') {
                PathBuf::from(run)
            } else {
                let of_venv = place.venv.join("bin").join(&run);
                if of_venv.is_file() { of_venv } else { find(&run) }
            };
            (program, Vec::new())
        }
        Kind::Actor => (PathBuf::new(), Vec::new()),
    };
    all.extend(args);
    Ok((program, all))
}

/// nginx's whole file. One process under our own user: no privileges are needed, and the group ends with it.
fn nginx(conf: &str, own: &str) -> String {
    let head = format!("daemon off; master_process off; pid {own}/pid; error_log stderr warn;\n");
    if conf.lines().any(|line| line.trim_start().starts_with("events")) {
        return format!("{head}{conf}\n");
    }
    format!(
        "{head}events {{ worker_connections 512; }}\n\
         http {{ access_log {own}/access.log;\n\
         client_body_temp_path {own}/body; proxy_temp_path {own}/proxy; fastcgi_temp_path {own}/fastcgi;\n\
         uwsgi_temp_path {own}/uwsgi; scgi_temp_path {own}/scgi;\n{conf}\n}}\n"
    )
}

/// A program's path: of PATH, or of the folders for administrators, which a user's PATH often lacks.
pub(super) fn find(name: &str) -> PathBuf {
    let usual = std::env::var_os("PATH").unwrap_or_default();
    let more = ["/usr/sbin", "/sbin", "/usr/local/sbin"].map(PathBuf::from);
    let found =
        std::env::split_paths(&usual).chain(more).map(|folder| folder.join(name)).find(|f| f.is_file());
    found.unwrap_or_else(|| name.into())
}
