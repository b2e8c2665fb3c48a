//! `landfall serve`, started, listened to, and ended with the test whatever becomes of it.

use std::io::{BufRead as _, BufReader, Read};
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process, kill_process_group};

use super::until;

/// How long a server may take to start. A debug build on a busy machine needs a few seconds.
const START: u64 = 45;

/// What a process has written so far.
#[derive(Clone, Default)]
struct Heard(Arc<Mutex<String>>);

impl Heard {
    fn of(pipe: impl Read + Send + 'static) -> Self {
        let heard = Self::default();
        let into = heard.clone();
        std::thread::spawn(move || {
            let mut lines = BufReader::new(pipe);
            let mut line = Vec::new();
            while lines.read_until(b'\n', &mut line).is_ok_and(|n| n > 0) {
                into.0
                    .lock()
                    .unwrap_or_else(PoisonError::into_inner)
                    .push_str(&String::from_utf8_lossy(&line));
                line.clear();
            }
        });
        heard
    }

    fn text(&self) -> String {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// A process in a group of its own.
pub(crate) struct Process {
    child: Child,
    out: Heard,
    err: Heard,
}

impl Process {
    fn start(mut command: Command) -> Self {
        let mut child = command
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .process_group(0)
            .spawn()
            .expect("the binary runs");
        let out = Heard::of(child.stdout.take().expect("piped"));
        let err = Heard::of(child.stderr.take().expect("piped"));
        Self { child, out, err }
    }

    fn pid(&self) -> Pid {
        i32::try_from(self.child.id()).ok().and_then(Pid::from_raw).expect("a child has an id")
    }

    /// Waits for its end.
    pub(crate) async fn ended(&mut self) -> ExitStatus {
        let (child, err) = (&mut self.child, &self.err);
        until("the end of the process", 60, async || {
            child.try_wait().expect("it can be waited for").ok_or_else(|| err.text())
        })
        .await
    }

    pub(crate) fn stdout(&self) -> String {
        self.out.text()
    }

    pub(crate) fn stderr(&self) -> String {
        self.err.text()
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // ESRCH: nobody is left in the group, which is what is wanted.
        let _ = kill_process_group(self.pid(), Signal::KILL);
        let _ = self.child.wait();
        if !std::thread::panicking() {
            let said = self.err.text();
            assert!(!said.contains("panicked"), "the program panicked:\n{said}");
        } else {
            eprintln!("--- the program said:\n{}\n{}", self.out.text(), self.err.text());
        }
    }
}

/// The binary in a folder, with nothing of the environment of whoever runs the tests.
pub(crate) fn landfall(folder: &Path) -> Command {
    clean(Command::new(env!("CARGO_BIN_EXE_landfall")), folder)
}

/// The binary in the mount namespace of another process.
pub(crate) fn landfall_beside(process: u32, folder: &Path) -> Command {
    let mut command = Command::new("nsenter");
    command.args(["-t", &process.to_string(), "-m", "--", env!("CARGO_BIN_EXE_landfall")]);
    clean(command, folder)
}

fn clean(mut command: Command, folder: &Path) -> Command {
    command.env_clear().env("PATH", std::env::var_os("PATH").unwrap_or_default()).env("NO_COLOR", "1");
    command.current_dir(folder);
    command
}

/// Runs a command to its end.
pub(crate) async fn finished(command: Command) -> (Option<i32>, String, String) {
    let mut process = Process::start(command);
    let status = process.ended().await;
    // The pipes are read by threads that end with them.
    let mut before = (process.stdout(), process.stderr());
    loop {
        tokio::time::sleep(Duration::from_millis(50)).await;
        let now = (process.stdout(), process.stderr());
        if now == before {
            return (status.code(), now.0, now.1);
        }
        before = now;
    }
}

/// A running `landfall serve`.
pub(crate) struct Server {
    pub(crate) process: Process,
    /// `http://127.0.0.1:PORT`.
    pub(crate) base: String,
    /// The token of the first-run link, while nobody has an account.
    pub(crate) token: Option<String>,
}

impl Server {
    /// Starts one on a free port, and waits until it says that it serves.
    pub(crate) async fn start(folder: &Path, words: &[&str]) -> Self {
        let mut command = landfall(folder);
        command.args(["serve", "--listen", "127.0.0.1", "--port", "0"]).args(words);
        Self::of(command).await
    }

    /// Starts one with this command.
    pub(crate) async fn of(command: Command) -> Self {
        let mut process = Process::start(command);
        let said = until("the server", START, async || {
            let said = process.stdout();
            if let Some(status) = process.child.try_wait().expect("it can be waited for") {
                panic!("the server ended with {status}:\n{}", process.stderr());
            }
            if said.contains(" is serving ") { Ok(said) } else { Err(process.stderr()) }
        })
        .await;
        let at =
            said.split("(listening on ").nth(1).and_then(|t| t.split(',').next()).expect("where it listens");
        let port = at.rsplit(':').next().expect("a port").to_owned();
        let base = format!("http://127.0.0.1:{port}");
        // The link comes with the same write, but a pipe may cut it in two.
        let token = if said.contains("first one here") || process.stdout().contains("Nobody has") {
            let said = until("the link", 5, async || {
                let said = process.stdout();
                if said.contains("/first-run?token=") && said.ends_with("\n\n") {
                    Ok(said)
                } else {
                    Err(said)
                }
            })
            .await;
            said.split("/first-run?token=")
                .nth(1)
                .and_then(|t| t.split_whitespace().next())
                .map(str::to_owned)
        } else {
            None
        };
        Self { process, base, token }
    }

    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.base.trim_start_matches("http://").parse().expect("an address")
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill_process(self.process.pid(), signal).expect("the server is there");
    }

    /// `kill -9`, and it is gone.
    pub(crate) async fn kill(mut self) {
        self.signal(Signal::KILL);
        self.process.ended().await;
    }
}
