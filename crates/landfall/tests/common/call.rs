//! The binary as a person calls it, with a hard limit on its life.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};

/// No call may take longer: one that does hangs, and fails its test.
const LIMIT: Duration = Duration::from_secs(60);

/// What one call gave.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: i32,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

/// Calls `landfall` in `folder`.
pub(crate) fn landfall<S: AsRef<str>>(folder: &Path, words: &[S]) -> Run {
    finish(binary(folder, words), None)
}

/// Calls `landfall` in `folder` with `input` on its standard input.
pub(crate) fn landfall_reading<S: AsRef<str>>(folder: &Path, words: &[S], input: &[u8]) -> Run {
    finish(binary(folder, words), Some(input))
}

/// Calls `landfall` in a network namespace of its own, in which not even loopback is up. `None` where this machine does
/// not permit that.
pub(crate) fn landfall_without_network<S: AsRef<str>>(folder: &Path, words: &[S]) -> Option<Run> {
    let permitted = |flags: &str| {
        let tried = Command::new("unshare").args([flags, "true"]).stderr(Stdio::null()).status();
        tried.is_ok_and(|status| status.success())
    };
    let flags = ["-n", "-rn"].into_iter().find(|flags| permitted(flags))?;
    let mut command = Command::new("unshare");
    command.arg(flags).arg(env!("CARGO_BIN_EXE_landfall"));
    Some(finish(prepared(command, folder, words), None))
}

/// The command for `landfall`, for calls that need something special.
pub(crate) fn binary<S: AsRef<str>>(folder: &Path, words: &[S]) -> Command {
    prepared(Command::new(env!("CARGO_BIN_EXE_landfall")), folder, words)
}

fn prepared<S: AsRef<str>>(mut command: Command, folder: &Path, words: &[S]) -> Command {
    command
        .args(words.iter().map(AsRef::as_ref))
        // No landfall.toml of the checkout, and no setting of whoever runs the tests.
        .current_dir(folder)
        .env("NO_COLOR", "1")
        .env_remove("CLICOLOR_FORCE")
        .env_remove("COLUMNS")
        .process_group(0)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    command
}

fn finish(mut command: Command, input: Option<&[u8]>) -> Run {
    if input.is_some() {
        command.stdin(Stdio::piped());
    }
    let said = format!("{command:?}");
    let mut child = command.spawn().expect("the binary runs");
    let group = i32::try_from(child.id()).ok().and_then(Pid::from_raw).expect("a child has an id");
    if let (Some(mut pipe), Some(input)) = (child.stdin.take(), input) {
        let input = input.to_owned();
        // A child that ends without reading all of it closes the pipe, which is its right.
        std::thread::spawn(move || pipe.write_all(&input));
    }
    let stdout = collected(child.stdout.take().expect("stdout is piped"));
    let stderr = collected(child.stderr.take().expect("stderr is piped"));
    let (ended, end) = mpsc::channel();
    std::thread::spawn(move || ended.send(child.wait()));
    let status = match end.recv_timeout(LIMIT) {
        Ok(status) => status.expect("the child is waited for"),
        Err(_) => {
            let _ = kill_process_group(group, Signal::KILL);
            let (stdout, stderr) = (text(&stdout), text(&stderr));
            panic!(
                "it did not end within {} s: {said}\nstdout:\n{stdout}\nstderr:\n{stderr}",
                LIMIT.as_secs()
            );
        }
    };
    let (stdout, stderr) = (text(&stdout), text(&stderr));
    let status =
        status.code().unwrap_or_else(|| panic!("it was ended by a signal: {said}: {status}\n{stderr}"));
    assert!(!stderr.contains("panicked at"), "it panicked: {said}\n{stderr}");
    Run { status, stdout, stderr }
}

/// Reads a pipe to its end beside us, so that the child never blocks on a full one.
fn collected(mut pipe: impl Read + Send + 'static) -> mpsc::Receiver<Vec<u8>> {
    let (all, read) = mpsc::channel();
    std::thread::spawn(move || {
        let mut bytes = Vec::new();
        let _ = pipe.read_to_end(&mut bytes);
        all.send(bytes)
    });
    read
}

fn text(pipe: &mpsc::Receiver<Vec<u8>>) -> String {
    // Everything of the group that could hold the pipe has ended; the limit only guards the test itself.
    let bytes =
        pipe.recv_timeout(Duration::from_secs(10)).expect("the pipe is closed when the child has ended");
    String::from_utf8(bytes).expect("the output is UTF-8")
}
