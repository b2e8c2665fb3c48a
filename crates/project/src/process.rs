//! Short child processes (`git`, `python3 --version`) with a time limit and a bound on their output.

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

/// What a child said.
#[derive(Debug)]
pub(crate) struct Said {
    pub(crate) success: bool,
    pub(crate) stdout: Vec<u8>,
    pub(crate) stderr: String,
}

/// Why a child said nothing of use.
#[derive(Debug, PartialEq, Eq, thiserror::Error)]
pub(crate) enum Failure {
    #[error("no such program")]
    Missing,
    #[error("no answer within {} s", .0.as_secs_f32())]
    TimedOut(Duration),
    #[error("more than {0} bytes of output")]
    TooMuch(usize),
    #[error("{0}")]
    Os(String),
}

/// Ends a whole process group at once, since a child may have children of its own.
pub(crate) fn kill_group(leader: u32) {
    let pid = i32::try_from(leader).ok().and_then(rustix::process::Pid::from_raw);
    if let Some(pid) = pid {
        // The group may be gone already, which is what is wanted.
        let _ = rustix::process::kill_process_group(pid, rustix::process::Signal::KILL);
    }
}

/// Kills and reaps the child on every way out.
struct Guard(Child);

impl Drop for Guard {
    fn drop(&mut self) {
        kill_group(self.0.id());
        let _ = self.0.wait();
    }
}

/// Runs a command to its end, in its own process group, with at most `max` bytes of output.
///
/// # Errors
/// When the program is missing, runs past `limit` or says more than `max`; it is killed in the last two cases.
pub(crate) fn run(
    command: &mut Command,
    input: Option<Vec<u8>>,
    limit: Duration,
    max: usize,
) -> Result<Said, Failure> {
    let deadline = Instant::now() + limit;
    let child = command
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .process_group(0)
        .spawn()
        .map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Failure::Missing,
            _ => Failure::Os(error.to_string()),
        })?;
    let mut child = Guard(child);

    if let (Some(bytes), Some(mut pipe)) = (input, child.0.stdin.take()) {
        // A child that stops reading must not block us; the thread ends with the pipe.
        thread::spawn(move || pipe.write_all(&bytes));
    }
    let stdout = drain(child.0.stdout.take(), max);
    let stderr = drain(child.0.stderr.take(), 16 * 1024);

    let late = |_| Failure::TimedOut(limit);
    let stdout = stdout.recv_timeout(remaining(deadline)).map_err(late)?;
    if stdout.len() > max {
        return Err(Failure::TooMuch(max));
    }
    let stderr = stderr.recv_timeout(remaining(deadline)).map_err(late)?;
    let status = loop {
        match child.0.try_wait() {
            Ok(Some(status)) => break status,
            Ok(None) if Instant::now() >= deadline => return Err(Failure::TimedOut(limit)),
            // Both pipes are closed, so the child is on its way out.
            Ok(None) => thread::sleep(Duration::from_millis(2)),
            Err(error) => return Err(Failure::Os(error.to_string())),
        }
    };
    Ok(Said { success: status.success(), stdout, stderr: String::from_utf8_lossy(&stderr).trim().to_owned() })
}

fn remaining(deadline: Instant) -> Duration {
    deadline.saturating_duration_since(Instant::now())
}

/// Reads a pipe in a thread of its own, one byte past `max` at most; the rest is read and dropped, so that a child
/// whose diagnostics are long does not stall on a full pipe.
fn drain<R: Read + Send + 'static>(pipe: Option<R>, max: usize) -> mpsc::Receiver<Vec<u8>> {
    let (sender, receiver) = mpsc::channel();
    thread::spawn(move || {
        let mut kept = Vec::new();
        if let Some(mut pipe) = pipe {
            let _ = pipe.by_ref().take(max as u64 + 1).read_to_end(&mut kept);
            if kept.len() > max {
                // Reported at once: an endless talker would otherwise hold its caller until the time limit.
                let _ = sender.send(kept);
                let _ = std::io::copy(&mut pipe, &mut std::io::sink());
                return;
            }
        }
        let _ = sender.send(kept);
    });
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Command {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        command
    }

    #[test]
    fn output_status_and_input_pass_through() {
        let said =
            run(&mut shell("cat; echo err >&2; exit 3"), Some(b"in".to_vec()), Duration::from_secs(10), 100)
                .unwrap();
        assert_eq!(
            (said.success, said.stdout.as_slice(), said.stderr.as_str()),
            (false, b"in".as_slice(), "err")
        );
    }

    #[test]
    fn a_missing_program_a_silent_one_and_an_endless_one_end() {
        let limit = Duration::from_millis(100);
        assert_eq!(
            run(&mut Command::new("landfall-no-such-program"), None, limit, 10).unwrap_err(),
            Failure::Missing
        );
        assert_eq!(run(&mut shell("sleep 60"), None, limit, 10).unwrap_err(), Failure::TimedOut(limit));
        let flood = run(&mut shell("while :; do echo flood; done"), None, Duration::from_secs(30), 1000);
        assert_eq!(flood.unwrap_err(), Failure::TooMuch(1000));
    }
}
