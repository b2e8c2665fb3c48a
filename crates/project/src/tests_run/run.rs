//! One run of a test command, bounded in time and output.

use std::collections::VecDeque;
use std::ffi::OsString;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use landfall_evidence::Exit;
use rustix::process::{Pid, WaitId, WaitIdOptions};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::{Child, Command};

use super::detect::Plan;
use crate::command::quoted;
use crate::process::kill_group;

/// Kept from the beginning of the output, where a runner says what it found, and from its end.
const HEAD: usize = 64 * 1024;
const TAIL: usize = 128 * 1024;
/// A report of some thousand tests fits; a larger one is not read and the output serves instead.
const MAX_JUNIT: u64 = 8 << 20;
/// After the runner has exited and its group is dead, output still on its way gets this long.
const DRAIN: Duration = Duration::from_millis(500);
/// A killed process is gone at once, unless it hangs inside the kernel.
const REAP: Duration = Duration::from_secs(5);
/// How often we look whether the runner has exited.
const TICK: Duration = Duration::from_millis(10);

/// A run that ended, by itself or by our hand.
#[derive(Debug)]
pub(super) struct Finished {
    pub(super) output: String,
    pub(super) exit: Exit,
    /// pytest's report in JUnit form.
    pub(super) junit: Option<String>,
    /// Reports in JUnit form that the command itself has written into the folder.
    pub(super) reports: Vec<String>,
}

/// Runs the plan in the folder, with folders added to Python's import path.
///
/// # Errors
/// In words, when the program is missing or cannot be started: a fault on our side.
pub(super) async fn run(
    root: &Path,
    plan: &Plan,
    paths: &[PathBuf],
    limit: Duration,
) -> Result<Finished, String> {
    let scratch = tempfile::Builder::new()
        .prefix("landfall-tests-")
        .tempdir()
        .map_err(|e| format!("a temporary folder: {e}"))?;
    let finished = attempt(root, plan, paths, limit, Some(scratch.path())).await?;
    // Status 4 is pytest's "usage error". A project may have switched off what our options need; then the run is made
    // again as plainly as it was declared.
    let ours = ["--junitxml", "cache_dir"].iter().any(|option| finished.output.contains(option));
    if finished.exit == (Exit::Code { code: 4 }) && ours {
        return attempt(root, plan, paths, limit, None).await;
    }
    Ok(finished)
}

async fn attempt(
    root: &Path,
    plan: &Plan,
    paths: &[PathBuf],
    limit: Duration,
    scratch: Option<&Path>,
) -> Result<Finished, String> {
    let search = search_path(root);
    let (name, arguments) = plan.argv.split_first().ok_or_else(|| "the test command is empty".to_owned())?;
    let program = find_program(root, name, &search).ok_or_else(|| missing(name))?;

    let (reader, writer) = std::io::pipe().map_err(|e| format!("a pipe: {e}"))?;
    let mut output = pipe::Receiver::from_owned_fd(reader.into()).map_err(|e| format!("a pipe: {e}"))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(root)
        .stdin(Stdio::null())
        // One pipe for both keeps the order in which things were said.
        .stdout(writer.try_clone().map_err(|e| format!("a pipe: {e}"))?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true);
    environment(&mut command, root, paths, search, scratch);
    if plan.runner == "npm" || plan.runner == "pnpm" || plan.runner == "yarn" {
        // Without it several runners watch for changes instead of ending.
        command.env("CI", "1");
    }
    // A test that starts a daemon of its own takes the mark along, so that it is found when the run is over.
    let marked = Marked::new();
    command.env(crate::start::MARK, &marked.0);
    let begun = std::time::SystemTime::now();
    let child = command.spawn().map_err(|error| format!("{name}: {error}"))?;
    // The command holds the writing ends; while they are open the pipe has no end.
    drop(command);
    let mut group = Group::new(child);

    let mut kept = Kept::default();
    let mut open = true;
    let mut buffer = vec![0; 16 * 1024];
    let deadline = tokio::time::sleep(limit);
    tokio::pin!(deadline);
    let timed_out = loop {
        tokio::select! {
            read = output.read(&mut buffer), if open => match read {
                Ok(n) if n > 0 => kept.push(&buffer[..n]),
                _ => open = false,
            },
            () = group.exited() => break false,
            () = &mut deadline => break true,
        }
    };
    // The runner has exited or its time is up; whatever it has left running ends now, while its process id is still
    // its own.
    let status = group.end().await;
    let drain = async {
        while open {
            match output.read(&mut buffer).await {
                Ok(n) if n > 0 => kept.push(&buffer[..n]),
                _ => open = false,
            }
        }
    };
    // A daemon that left the group can hold the pipe open; it does not hold us.
    let _ = tokio::time::timeout(DRAIN, drain).await;

    let exit = if timed_out {
        Exit::TimedOut { limit_us: u64::try_from(limit.as_micros()).unwrap_or(u64::MAX) }
    } else {
        exit_of(status.map_err(|e| format!("{name}: {e}"))?)
    };
    let junit = match scratch {
        Some(scratch) => read_junit(&scratch.join("junit.xml")).await,
        None => None,
    };
    let folder = root.to_owned();
    let reports = tokio::task::spawn_blocking(move || super::reports::written_since(&folder, begun));
    Ok(Finished { output: kept.text(), exit, junit, reports: reports.await.unwrap_or_default() })
}

pub(crate) fn exit_of(status: std::process::ExitStatus) -> Exit {
    use std::os::unix::process::ExitStatusExt;
    match (status.code(), status.signal()) {
        (Some(code), _) => Exit::Code { code },
        (None, Some(signal)) => Exit::Signal { signal },
        (None, None) => Exit::Code { code: -1 },
    }
}

/// The mark of one run. What carries it ends with the value, also when the caller drops the run.
struct Marked(String);

impl Marked {
    fn new() -> Self {
        static COUNT: std::sync::atomic::AtomicU64 = std::sync::atomic::AtomicU64::new(0);
        let count = COUNT.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        Self(format!("tests-{}-{count}", std::process::id()))
    }
}

impl Drop for Marked {
    fn drop(&mut self) {
        crate::start::sweep(&self.0);
    }
}

/// A child that leads its own process group. Dropping it kills the group.
#[derive(Debug)]
pub(crate) struct Group {
    child: Child,
    /// `None` once the child is reaped: from then on the number may belong to somebody else.
    leader: Option<u32>,
}

impl Group {
    pub(crate) fn new(child: Child) -> Self {
        let leader = child.id();
        Self { child, leader }
    }

    /// Waits until the leader has exited, and leaves it unreaped, so that its process id stays reserved.
    pub(crate) async fn exited(&self) {
        let pid = self.leader.and_then(|id| i32::try_from(id).ok()).and_then(Pid::from_raw);
        let Some(pid) = pid else { return };
        let look = WaitIdOptions::EXITED | WaitIdOptions::NOHANG | WaitIdOptions::NOWAIT;
        // An error means that there is no such child to wait for any more.
        while let Ok(None) = rustix::process::waitid(WaitId::Pid(pid), look) {
            tokio::time::sleep(TICK).await;
        }
    }

    pub(crate) async fn end(&mut self) -> std::io::Result<std::process::ExitStatus> {
        if let Some(leader) = self.leader {
            kill_group(leader);
        }
        // A process in an uninterruptible sleep outlives even a kill for a while; we do not wait for it.
        let status = tokio::time::timeout(REAP, self.child.wait()).await?;
        self.leader = None;
        status
    }
}

impl Group {
    /// The status of a leader that has exited by itself; what it left running ends.
    pub(crate) async fn finish(mut self) -> std::io::Result<std::process::ExitStatus> {
        self.end().await
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        if let Some(leader) = self.leader {
            kill_group(leader);
        }
    }
}

/// The head and the tail of an output of any length.
#[derive(Default)]
pub(crate) struct Kept {
    head: Vec<u8>,
    tail: VecDeque<u8>,
    left_out: u64,
}

impl Kept {
    pub(crate) fn push(&mut self, mut bytes: &[u8]) {
        let room = HEAD - self.head.len();
        let (first, rest) = bytes.split_at(room.min(bytes.len()));
        self.head.extend_from_slice(first);
        bytes = rest;
        self.tail.extend(bytes);
        let over = self.tail.len().saturating_sub(TAIL);
        self.tail.drain(..over);
        self.left_out += over as u64;
    }

    pub(crate) fn text(mut self) -> String {
        if self.left_out > 0 {
            self.head.extend_from_slice(format!("\n[{} bytes left out]\n", self.left_out).as_bytes());
        }
        self.head.extend(self.tail);
        String::from_utf8_lossy(&self.head).into_owned()
    }
}

/// PATH with the project's virtual environment first.
pub(crate) fn search_path(root: &Path) -> Vec<PathBuf> {
    let venv = [".venv/bin", "venv/bin"]
        .into_iter()
        .map(|folder| root.join(folder))
        .filter(|folder| folder.is_dir());
    let path = std::env::var_os("PATH").unwrap_or_default();
    venv.chain(std::env::split_paths(&path)).collect()
}

pub(crate) fn find_program(root: &Path, name: &str, search: &[PathBuf]) -> Option<PathBuf> {
    use std::os::unix::fs::PermissionsExt;
    let runnable =
        |path: &PathBuf| path.metadata().is_ok_and(|m| m.is_file() && m.permissions().mode() & 0o111 != 0);
    if name.contains('/') {
        return Some(root.join(name)).filter(runnable);
    }
    search.iter().map(|folder| folder.join(name)).find(runnable)
}

fn missing(name: &str) -> String {
    let mend = match name {
        "pytest" => "; install it with `python3 -m pip install pytest` in the project's virtual environment",
        _ => "",
    };
    format!("{name}: no such program in .venv/bin, venv/bin or on PATH{mend}")
}

/// The child's environment: our own, with what keeps the project's folder clean and the output plain.
fn environment(
    command: &mut Command,
    root: &Path,
    paths: &[PathBuf],
    search: Vec<PathBuf>,
    scratch: Option<&Path>,
) {
    if let Ok(path) = std::env::join_paths(search) {
        command.env("PATH", path);
    }
    if let Some(venv) = [".venv", "venv"].into_iter().map(|n| root.join(n)).find(|v| v.join("bin").is_dir()) {
        command.env("VIRTUAL_ENV", venv);
    }
    command
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("PY_COLORS", "0")
        .env("NO_COLOR", "1")
        .env("CARGO_TERM_COLOR", "never");
    for name in ["FORCE_COLOR", "CLICOLOR_FORCE"] {
        command.env_remove(name);
    }
    if let Some(scratch) = scratch {
        let option = |text: String| quoted(&text);
        // Another cache folder instead of no cache: options such as --last-failed stay known.
        let ours = format!(
            "-o {} {}",
            option(format!("cache_dir={}", scratch.join("cache").display())),
            option(format!("--junitxml={}", scratch.join("junit.xml").display())),
        );
        let mut options = std::env::var_os("PYTEST_ADDOPTS").unwrap_or_default();
        if !options.is_empty() {
            options.push(" ");
        }
        options.push(ours);
        command.env("PYTEST_ADDOPTS", options);
        command.env("COVERAGE_FILE", scratch.join("coverage"));
        command.env("HYPOTHESIS_STORAGE_DIRECTORY", scratch.join("hypothesis"));
    }
    if !paths.is_empty() {
        let before = std::env::var_os("PYTHONPATH").unwrap_or_default();
        let joined = std::env::join_paths(paths.iter().cloned().chain(std::env::split_paths(&before)));
        command.env("PYTHONPATH", joined.unwrap_or_else(|_| OsString::from(&paths[0])));
    }
}

async fn read_junit(path: &Path) -> Option<String> {
    let file = tokio::fs::File::open(path).await.ok()?;
    let mut bytes = Vec::new();
    file.take(MAX_JUNIT + 1).read_to_end(&mut bytes).await.ok()?;
    (bytes.len() as u64 <= MAX_JUNIT).then(|| String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kept_output_has_its_head_and_its_tail() {
        let mut kept = Kept::default();
        kept.push(b"first ");
        for _ in 0..400 {
            kept.push(&[b'x'; 1024]);
        }
        kept.push(b" last");
        let text = kept.text();
        assert!(text.starts_with("first ") && text.ends_with(" last"));
        assert!(text.contains(" bytes left out]"));
        assert!(text.len() < HEAD + TAIL + 100);
        let mut short = Kept::default();
        short.push(b"all");
        assert_eq!(short.text(), "all");
    }
}
