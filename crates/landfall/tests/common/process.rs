//! Server processes: each in a group of its own, waited for until it answers, and killed as a group when dropped.

use std::fs::File;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process_group};

use super::ports;

/// How long a server may take until it answers. gunicorn on a busy machine with one core needs several seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// How often a starting server is looked at.
const LOOK: Duration = Duration::from_millis(20);
/// New ports are tried this often when somebody else took the ones that were chosen.
const TRIES: usize = 5;

/// A program of this machine, and where it comes from when it is missing.
#[derive(Clone, Copy)]
pub(crate) struct Program {
    pub(crate) name: &'static str,
    /// The Debian and Ubuntu package.
    pub(crate) package: &'static str,
}

/// A running server.
pub(crate) struct Server {
    child: Child,
    log: PathBuf,
}

impl Server {
    /// Starts `command`, whose output goes to `log`, and waits until `ready` says yes. `Err` is its log when an address
    /// that it was given is in use.
    pub(crate) fn start(
        program: Program,
        mut command: Command,
        log: PathBuf,
        mut ready: impl FnMut(&str) -> bool,
    ) -> Result<Self, String> {
        let output = File::create(&log).expect("the log can be written");
        let child = command
            .stdout(output.try_clone().expect("a file handle can be copied"))
            .stderr(output)
            .process_group(0)
            .spawn()
            .unwrap_or_else(|e| match e.kind() {
                ErrorKind::NotFound => panic!(
                    "{} is not installed; apt-get install {}, or run ./test once",
                    program.name, program.package
                ),
                _ => panic!("{} cannot be started: {e}", program.name),
            });
        let mut server = Self { child, log };
        let end = Instant::now() + PATIENCE;
        loop {
            let ended = server.child.try_wait().expect("a child can be waited for");
            let log = server.log();
            // Some end then, some go on without that port: neither is the server that was wanted.
            if log.to_lowercase().contains("in use") {
                return Err(log);
            }
            if let Some(status) = ended {
                panic!("{} ended with {status} before it answered:\n{log}", program.name);
            }
            if ready(&log) {
                return Ok(server);
            }
            assert!(
                Instant::now() < end,
                "{} does not answer after {} s:\n{log}",
                program.name,
                PATIENCE.as_secs()
            );
            std::thread::sleep(LOOK);
        }
    }

    /// What it has written to stdout and stderr so far.
    pub(crate) fn log(&self) -> String {
        String::from_utf8_lossy(&std::fs::read(&self.log).unwrap_or_default()).into_owned()
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // ESRCH: nobody is left in the group, which is what we want.
            let _ = kill_process_group(group, Signal::KILL);
        }
        let _ = self.child.wait();
    }
}

/// Starts a server on free ports; again on others when somebody took one of them in the meantime.
pub(crate) fn on_free_ports<const N: usize, T>(mut start: impl FnMut([u16; N]) -> Result<T, String>) -> T {
    let mut last = String::new();
    for _ in 0..TRIES {
        match start(ports::free()) {
            Ok(started) => return started,
            Err(log) => last = log,
        }
    }
    panic!("{TRIES} times the ports were taken by somebody else:\n{last}");
}

/// The program's path: of PATH, or of the folders for administrators, which a user's PATH often lacks.
pub(crate) fn command(program: Program) -> Command {
    let usual = std::env::var_os("PATH").unwrap_or_default();
    let folders =
        std::env::split_paths(&usual).chain(["/usr/sbin".into(), "/sbin".into(), "/usr/local/sbin".into()]);
    let found = folders.map(|folder| folder.join(program.name)).find(|file| file.is_file());
    let mut command = Command::new(found.unwrap_or_else(|| program.name.into()));
    command.stdin(Stdio::null());
    command
}

/// Whether something accepts connections there.
pub(crate) fn accepts(address: SocketAddr) -> bool {
    TcpStream::connect_timeout(&address, Duration::from_secs(1)).is_ok()
}

/// Writes a file of a server's folder and gives its path as text for a configuration file.
pub(crate) fn write(folder: &Path, name: &str, text: &str) -> String {
    let file = folder.join(name);
    std::fs::write(&file, text).unwrap_or_else(|e| panic!("{} cannot be written: {e}", file.display()));
    file.display().to_string()
}
