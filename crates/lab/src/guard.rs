//! A watchman for a world: a small shell that outlives us if we are killed, ends the world's processes and removes its
//! folder.
//!
//! It reads the process groups from a pipe that we hold. When the pipe closes without the word `down`, we have died, by
//! whatever signal, and it cleans up. It has a process group of its own, so that a Ctrl-C meant for us does not reach it.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::process::{Child, ChildStdin, Command, Stdio};

use crate::error::LabError;

const SCRIPT: &str = r#"
groups=
while read -r word; do
  if [ "$word" = down ]; then exit 0; fi
  groups="$groups $word"
done
for group in $groups; do kill -s KILL -- "-$group" 2>/dev/null; done
rm -rf -- "$1"
"#;

/// The watchman of one world. Dropped, it stands down.
pub(crate) struct Guard {
    child: Child,
    pipe: Option<ChildStdin>,
}

impl Guard {
    /// Starts watching over a folder.
    pub(crate) fn over(folder: &Path) -> Result<Self, LabError> {
        let mut child = Command::new("sh")
            .args(["-c", SCRIPT, "landfall-lab-guard"])
            .arg(folder)
            .current_dir("/")
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .process_group(0)
            .spawn()
            .map_err(|source| LabError::NoProgram { program: "sh", source })?;
        let pipe = child.stdin.take();
        Ok(Self { child, pipe })
    }

    /// Puts a process group under watch.
    pub(crate) fn watch(&mut self, group: u32) {
        self.tell(&group.to_string());
    }

    fn tell(&mut self, word: &str) {
        if let Some(pipe) = &mut self.pipe {
            // A watchman that was killed cannot be told; the world itself is ended by its owner all the same.
            let _ = writeln!(pipe, "{word}");
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.tell("down");
        self.pipe = None;
        let _ = self.child.wait();
    }
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, Instant};

    use super::*;

    fn within(limit: Duration, mut happened: impl FnMut() -> bool) -> bool {
        let end = Instant::now() + limit;
        while Instant::now() < end {
            if happened() {
                return true;
            }
            std::thread::sleep(Duration::from_millis(5));
        }
        false
    }

    #[test]
    fn a_closed_pipe_ends_the_group_and_removes_the_folder() {
        let folder = tempfile::tempdir().expect("a folder");
        let path = folder.path().to_owned();
        let mut sleeper = Command::new("sleep").arg("600").process_group(0).spawn().expect("sleep starts");
        let mut guard = Guard::over(&path).expect("starts");
        guard.watch(sleeper.id());
        guard.pipe = None;
        assert!(within(Duration::from_secs(20), || sleeper.try_wait().is_ok_and(|s| s.is_some())));
        assert!(within(Duration::from_secs(20), || !path.exists()));
    }

    #[test]
    fn a_guard_that_stands_down_touches_nothing() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut sleeper = Command::new("sleep").arg("600").process_group(0).spawn().expect("sleep starts");
        let mut guard = Guard::over(folder.path()).expect("starts");
        guard.watch(sleeper.id());
        drop(guard);
        assert!(folder.path().exists());
        assert!(sleeper.try_wait().expect("our child").is_none());
        sleeper.kill().expect("still runs");
        sleeper.wait().expect("ends");
    }
}
