//! Starts the application as its platform would, so that it can be asked before it is deployed.
//!
//! The start command of the deploy configuration is run in the project's folder, in its shell or vector form, with a
//! clean environment: what every process has (PATH, HOME, a locale), the variables that the project declares as far as
//! their values can be had here, and `PORT` on a port that was free. Everything that it starts carries a mark in its
//! environment, so that also a daemon that leaves the process group is found and ended.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use landfall_evidence::{DeployStage, Exit, REDACTED, StartCommand, StartOutcome, StartRun, redact_text};
use tokio::io::AsyncReadExt;
use tokio::net::unix::pipe;
use tokio::process::Command;
use url::Url;

use crate::deploy::{self, Deploy};
use crate::syntax::Trees;
use crate::tests_run::run::{Group, Kept, exit_of, find_program, search_path};
use crate::tree::Tree;

/// The mark in the environment of everything that is started.
pub(crate) const MARK: &str = "LANDFALL_STARTED";
/// Between two looks at whether it is ready.
const TICK: Duration = Duration::from_millis(50);
/// Values shorter than this stand in any text by chance, and are no secret worth the name.
const SHORTEST_SECRET: usize = 8;
/// Output kept in the evidence, in bytes.
const MAX_TAIL: usize = 4 * 1024;

/// An application that was started, or what became of the attempt.
#[derive(Debug)]
pub struct Started {
    /// What happened.
    pub run: StartRun,
    /// Where it answers on this machine.
    pub url: Option<Url>,
    group: Option<Group>,
    pub(crate) mark: String,
    /// The folder it was started in.
    pub(crate) folder: PathBuf,
    /// The values that it was given, which no text of its own may tell.
    pub(crate) values: Vec<String>,
}

impl Started {
    /// Ends everything that was started, and waits until it is gone.
    pub async fn end(mut self) {
        if let Some(mut group) = self.group.take() {
            // A process that hangs inside of the kernel is not waited for longer than the group does itself.
            let _ = group.end().await;
        }
        sweep(&self.mark);
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        drop(self.group.take());
        sweep(&self.mark);
    }
}

/// What to run, found in the folder.
struct Recipe {
    start: StartCommand,
    file: String,
    /// The folder to run it in.
    folder: PathBuf,
    values: BTreeMap<String, String>,
    given: Vec<String>,
    missing: Vec<String>,
    development: Option<String>,
}

/// Starts the project in a folder and waits until it listens, at most `limit`.
///
/// Never an error: an attempt that could not be made says why in its outcome.
pub async fn start(root: &Path, limit: Duration) -> Started {
    let folder = root.to_owned();
    let found = tokio::task::spawn_blocking(move || recipe(&folder)).await;
    let recipe = match found {
        Ok(Ok(recipe)) => recipe,
        Ok(Err(reason)) => return not_started(reason),
        Err(error) => return not_started(error.to_string()),
    };
    match launch(recipe, limit).await {
        Ok(started) => started,
        Err(reason) => not_started(reason),
    }
}

fn not_started(reason: String) -> Started {
    let run = StartRun {
        command: String::new(),
        file: String::new(),
        port: 0,
        given: Vec::new(),
        missing: Vec::new(),
        outcome: StartOutcome::NotStarted { reason: redact_text(&reason) },
        listens: Vec::new(),
        output_tail: String::new(),
        development: None,
    };
    Started { run, url: None, group: None, mark: String::new(), folder: PathBuf::new(), values: Vec::new() }
}

fn recipe(root: &Path) -> Result<Recipe, String> {
    let root = root.canonicalize().map_err(|error| format!("{}: {error}", root.display()))?;
    let tree = Tree::walk(&root, &crate::git::ignored(&root));
    let mut unread = Vec::new();
    let deploys = deploy::read(&tree, &mut unread);
    let of_stage = |stage: DeployStage| {
        deploys.iter().filter(move |d| d.config.stage == stage && d.config.start.is_some() && !d.is_member())
    };
    // An image's command is written for the image's folders; a platform's own file for this one.
    let chosen: &Deploy = of_stage(DeployStage::Production)
        .min_by_key(|d| {
            (
                matches!(d.config.platform.as_str(), "docker" | "docker-compose" | "kubernetes"),
                d.config.platform == "systemd",
            )
        })
        .ok_or("no deploy configuration of the folder says how the server is started")?;
    let start = chosen.config.start.clone().ok_or("no start command")?;
    if start.raw.contains(REDACTED) {
        return Err(format!("the start command in {} holds a secret, which was masked", chosen.config.file));
    }
    let sources = crate::source::load(&tree, &mut unread);
    let present = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let (settings, _) =
        crate::settings::read(&tree, &sources, &Trees::default(), &deploys, present, &mut unread);
    let mut names: BTreeSet<String> = settings.declared.iter().cloned().collect();
    names.extend(settings.read.iter().map(|r| r.name.clone()));
    names.remove("PORT");
    let mut values = crate::settings::values(&tree, &names);
    for (name, value) in &chosen.values {
        if !value.is_empty() && name != "PORT" {
            values.entry(name.clone()).or_insert_with(|| value.clone());
        }
    }
    let needed: BTreeSet<&String> =
        settings.read.iter().filter(|r| !r.has_default && r.name != "PORT").map(|r| &r.name).collect();
    let development = of_stage(DeployStage::Development)
        .next()
        .and_then(|d| d.config.start.as_ref().map(|s| format!("{} ({})", s.raw, d.config.file)))
        .or_else(|| {
            let json: serde_json::Value = serde_json::from_str(&tree.text("package.json")?.ok()?).ok()?;
            let script = json.get("scripts")?.get("dev")?.as_str()?;
            Some(format!("{} (package.json, dev)", redact_text(script)))
        });
    Ok(Recipe {
        file: chosen.config.file.clone(),
        folder: root,
        given: values.keys().cloned().collect(),
        missing: needed.into_iter().filter(|name| !values.contains_key(*name)).cloned().collect(),
        start,
        values,
        development,
    })
}

/// A port that nothing listens on at this moment. Another program may take it before ours does; then ours says so.
pub(crate) fn free_port() -> Result<u16, String> {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(|e| format!("a free port: {e}"))?;
    listener.local_addr().map(|address| address.port()).map_err(|e| format!("a free port: {e}"))
}

async fn launch(recipe: Recipe, limit: Duration) -> Result<Started, String> {
    let port = free_port()?;
    // The port was free when it was taken, so no two starts of one process carry the same mark.
    let mark = format!("{}-{port}", std::process::id());
    let search = search_path(&recipe.folder);
    let (program, arguments): (PathBuf, Vec<String>) = if recipe.start.shell {
        ("/bin/sh".into(), vec!["-c".to_owned(), recipe.start.raw.clone()])
    } else {
        // Without a shell a variable stays the text that it is, as it would on the platform.
        let words: Vec<String> =
            crate::command::commands(&recipe.start.raw).into_iter().flatten().map(|w| w.script()).collect();
        let (name, rest) = words.split_first().ok_or("the start command is empty")?;
        let program =
            find_program(&recipe.folder, name, &search).ok_or(format!("{name}: no such program"))?;
        (program, rest.to_vec())
    };
    let (reader, writer) = std::io::pipe().map_err(|e| format!("a pipe: {e}"))?;
    let mut output = pipe::Receiver::from_owned_fd(reader.into()).map_err(|e| format!("a pipe: {e}"))?;
    let mut command = Command::new(program);
    command
        .args(arguments)
        .current_dir(&recipe.folder)
        .env_clear()
        .stdin(Stdio::null())
        .stdout(writer.try_clone().map_err(|e| format!("a pipe: {e}"))?)
        .stderr(writer)
        .process_group(0)
        .kill_on_drop(true);
    for name in [
        "HOME",
        "LANG",
        "TMPDIR",
        "USER",
        "PYENV_ROOT",
        "JAVA_HOME",
        "GOPATH",
        "GOCACHE",
        "RUSTUP_HOME",
        "CARGO_HOME",
    ] {
        if let Some(value) = std::env::var_os(name) {
            command.env(name, value);
        }
    }
    if let Ok(path) = std::env::join_paths(&search) {
        command.env("PATH", path);
    }
    command
        .envs(&recipe.values)
        .env("PORT", port.to_string())
        .env(MARK, &mark)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    let begun = Instant::now();
    let child = command.spawn().map_err(|error| format!("{}: {error}", recipe.start.raw))?;
    drop(command);
    let group = Group::new(child);
    let mut kept = Kept::default();
    let mut buffer = vec![0; 16 * 1024];
    let mut open = true;
    let deadline = tokio::time::Instant::now() + limit;
    let mut group = Some(group);
    let outcome = loop {
        let exited = {
            let Some(leader) = &group else { return Err("the process is gone".to_owned()) };
            tokio::select! {
                read = output.read(&mut buffer), if open => {
                    match read {
                        Ok(n) if n > 0 => kept.push(&buffer[..n]),
                        _ => open = false,
                    }
                    false
                }
                () = leader.exited() => true,
                () = tokio::time::sleep(TICK) => false,
            }
        };
        let after_us = u64::try_from(begun.elapsed().as_micros()).unwrap_or(u64::MAX);
        let listens = listening(&mark);
        if listens.iter().any(|a| a.port() == port) {
            break StartOutcome::Ready { after_us };
        }
        if exited && listens.is_empty() {
            let Some(ended) = group.take() else { continue };
            let status = ended.finish().await;
            let exit = status.map_or(Exit::Code { code: -1 }, exit_of);
            break StartOutcome::Exited { exit };
        }
        if tokio::time::Instant::now() >= deadline {
            break match listens.is_empty() {
                true => {
                    StartOutcome::Silent { limit_us: u64::try_from(limit.as_micros()).unwrap_or(u64::MAX) }
                }
                false => StartOutcome::Elsewhere { after_us },
            };
        }
        // A server that listens on another port will not come to ours; it gets a moment to open both.
        if !listens.is_empty() && begun.elapsed() > limit / 4 {
            break StartOutcome::Elsewhere { after_us };
        }
    };
    // What was said until now; the pipe is kept open by whoever serves, and is drained no further.
    let drained = tokio::time::timeout(Duration::from_millis(100), async {
        while open {
            match output.read(&mut buffer).await {
                Ok(n) if n > 0 => kept.push(&buffer[..n]),
                _ => open = false,
            }
        }
    });
    let _ = drained.await;
    if group.is_some() {
        // A server that talks must not stall on a full pipe.
        tokio::spawn(async move {
            let mut sink = vec![0; 16 * 1024];
            while output.read(&mut sink).await.is_ok_and(|n| n > 0) {}
        });
    }
    let listens = listening(&mark);
    let answers = listens.iter().find(|a| a.port() == port).or(listens.first()).map(SocketAddr::port);
    let text = redact_text(&without(&kept.text(), recipe.values.values()));
    let tail: String = {
        let from = text.char_indices().rev().nth(MAX_TAIL).map_or(0, |(at, _)| at);
        text[from..].to_owned()
    };
    let run = StartRun {
        command: recipe.start.raw,
        file: recipe.file,
        port,
        given: recipe.given,
        missing: recipe.missing,
        outcome,
        listens: listens.iter().map(SocketAddr::to_string).collect(),
        output_tail: tail,
        development: recipe.development,
    };
    let url = answers.and_then(|port| Url::parse(&format!("http://127.0.0.1:{port}")).ok());
    let values = recipe.values.into_values().collect();
    Ok(Started { run, url, group, mark, folder: recipe.folder, values })
}

/// A text without the values that the process was given: what it prints of its settings must not reach the evidence.
pub(crate) fn without<'a>(text: &str, values: impl Iterator<Item = &'a String>) -> String {
    let mut values: Vec<&String> = values.filter(|value| value.chars().count() >= SHORTEST_SECRET).collect();
    // The longest first, as a shorter one may be a part of it.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.into_iter().fold(text.to_owned(), |text, value| text.replace(value.as_str(), REDACTED))
}

/// The processes that carry the mark.
pub(crate) fn marked(mark: &str) -> Vec<u32> {
    let needle = format!("{MARK}={mark}");
    let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
    entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<u32>().ok())
        .filter(|pid| {
            // Others' environments cannot be read, and are not ours.
            fs::read(format!("/proc/{pid}/environ"))
                .is_ok_and(|bytes| bytes.split(|b| *b == 0).any(|entry| entry == needle.as_bytes()))
        })
        .collect()
}

/// Ends what carries the mark and is still there.
pub(crate) fn sweep(mark: &str) {
    if mark.is_empty() {
        return;
    }
    // A process may start another one between the look and the end; a second and third look find that.
    for _ in 0..5 {
        let left = marked(mark);
        if left.is_empty() {
            return;
        }
        for pid in left {
            let pid = i32::try_from(pid).ok().and_then(rustix::process::Pid::from_raw);
            if let Some(pid) = pid {
                let _ = rustix::process::kill_process(pid, rustix::process::Signal::KILL);
            }
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

/// The addresses on which marked processes listen.
fn listening(mark: &str) -> Vec<SocketAddr> {
    let inodes: BTreeSet<String> = marked(mark).into_iter().flat_map(sockets).collect();
    if inodes.is_empty() {
        return Vec::new();
    }
    let found: BTreeSet<SocketAddr> =
        listeners().into_iter().filter(|(inode, _)| inodes.contains(inode)).map(|(_, at)| at).collect();
    found.into_iter().collect()
}

/// The marked processes that hold a listening socket, the oldest first: a server's first process before its workers.
pub(crate) fn servers(mark: &str) -> Vec<u32> {
    let listeners: BTreeSet<String> = listeners().into_iter().map(|(inode, _)| inode).collect();
    let mut found: Vec<u32> = marked(mark)
        .into_iter()
        .filter(|pid| sockets(*pid).iter().any(|inode| listeners.contains(inode)))
        .collect();
    found.sort_unstable();
    found
}

/// The sockets among a process's descriptors, by their inodes (proc(5), /proc/pid/fd).
fn sockets(pid: u32) -> Vec<String> {
    let Ok(entries) = fs::read_dir(format!("/proc/{pid}/fd")) else { return Vec::new() };
    let links = entries.flatten().filter_map(|entry| fs::read_link(entry.path()).ok());
    links
        .filter_map(|to| Some(to.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned()))
        .collect()
}

/// Every listening socket of this machine by its inode (proc(5), /proc/net/tcp).
fn listeners() -> Vec<(String, SocketAddr)> {
    let mut found = Vec::new();
    for table in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let Ok(text) = fs::read_to_string(table) else { continue };
        for line in text.lines().skip(1) {
            let fields: Vec<&str> = line.split_whitespace().collect();
            // State 0A is LISTEN.
            if let ([_, local, _, "0A", ..], Some(inode)) = (fields.as_slice(), fields.get(9)) {
                found.extend(address(local).map(|at| ((*inode).to_owned(), at)));
            }
        }
    }
    found
}

/// `0100007F:1F90`: the address in the machine's byte order, word by word, and the port.
fn address(text: &str) -> Option<SocketAddr> {
    let (host, port) = text.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let words: Vec<u32> = (0..host.len() / 8)
        .map(|n| u32::from_str_radix(&host[n * 8..n * 8 + 8], 16).map(u32::from_be))
        .collect::<Result<_, _>>()
        .ok()?;
    // `from_be` on a little-endian machine gives the bytes in network order.
    match words.as_slice() {
        [one] => Some(SocketAddr::from((Ipv4Addr::from(one.to_be_bytes()), port))),
        [a, b, c, d] => {
            let mut bytes = [0_u8; 16];
            for (at, word) in [a, b, c, d].into_iter().enumerate() {
                bytes[at * 4..at * 4 + 4].copy_from_slice(&word.to_be_bytes());
            }
            Some(SocketAddr::from((std::net::Ipv6Addr::from(bytes), port)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tree::tests::folder;

    const SERVER: &str = "import http.server, os, sys\nprint('serving', flush=True)\nhost, port = sys.argv[1].split(':')\nhttp.server.HTTPServer((host, int(port)), http.server.SimpleHTTPRequestHandler).serve_forever()\n";

    #[test]
    fn what_a_program_prints_of_its_settings_is_not_kept() {
        let values = ["hunter2-hunter2", "hunter2-hunter2-long", "on"].map(str::to_owned);
        let told = without("using hunter2-hunter2-long and hunter2-hunter2, on", values.iter());
        assert_eq!(told, format!("using {REDACTED} and {REDACTED}, on"));
    }

    #[test]
    fn addresses_of_the_kernel() {
        assert_eq!(address("0100007F:1F90").unwrap().to_string(), "127.0.0.1:8080");
        assert_eq!(address("00000000:0050").unwrap().to_string(), "0.0.0.0:80");
        assert_eq!(address("00000000000000000000000001000000:0050").unwrap().to_string(), "[::1]:80");
        assert!(address("xyz").is_none());
    }

    #[tokio::test]
    async fn it_is_started_on_a_free_port_with_a_clean_environment_and_ended_whole() {
        let dir = folder(&[
            ("Procfile", "web: python3 serve.py 0.0.0.0:$PORT\n"),
            (
                "serve.py",
                &format!(
                    "import os, subprocess\nassert os.environ['GREETING'] == 'hello there'\nassert 'CARGO_MANIFEST_DIR' not in os.environ\nsubprocess.Popen(['sleep', '600'], start_new_session=True)\n{SERVER}"
                ),
            ),
            (".env", "GREETING=\"hello there\"\nUNRELATED=1\n"),
            (".env.example", "GREETING=\nAPI_TOKEN=your-token-here\n"),
            ("a.py", "import os\nos.environ['API_TOKEN']\n"),
        ]);
        let started = start(dir.path(), Duration::from_secs(60)).await;
        assert!(matches!(started.run.outcome, StartOutcome::Ready { .. }), "{:?}", started.run);
        assert_eq!(started.run.given, ["GREETING"]);
        assert_eq!(started.run.missing, ["API_TOKEN"]);
        assert_eq!(started.run.listens, [format!("0.0.0.0:{}", started.run.port)]);
        let mark = started.mark.clone();
        assert!(marked(&mark).len() >= 2, "the server and the process that left the group");
        let address = ("127.0.0.1", started.run.port);
        assert!(std::net::TcpStream::connect(address).is_ok());
        started.end().await;
        assert_eq!(marked(&mark), Vec::<u32>::new());
        assert!(std::net::TcpStream::connect(address).is_err());
    }

    #[tokio::test]
    async fn a_server_that_ignores_port_is_seen_where_it_listens() {
        let elsewhere = free_port().unwrap();
        let dir = folder(&[
            ("Procfile", &format!("web: python3 serve.py 127.0.0.1:{elsewhere}\n")),
            ("serve.py", SERVER),
        ]);
        let started = start(dir.path(), Duration::from_secs(20)).await;
        assert!(matches!(started.run.outcome, StartOutcome::Elsewhere { .. }), "{:?}", started.run);
        assert_eq!(started.run.listens, [format!("127.0.0.1:{elsewhere}")]);
        assert_eq!(started.url.as_ref().and_then(Url::port), Some(elsewhere));
        started.end().await;
    }

    #[tokio::test]
    async fn what_ends_what_stays_silent_and_what_is_not_there() {
        let dir =
            folder(&[("Procfile", "web: python3 -c 'import sys; print(\"no database\"); sys.exit(3)'\n")]);
        let started = start(dir.path(), Duration::from_secs(30)).await;
        assert_eq!(started.run.outcome, StartOutcome::Exited { exit: Exit::Code { code: 3 } });
        assert!(started.run.output_tail.contains("no database"), "{:?}", started.run);
        started.end().await;

        let dir = folder(&[("Procfile", "web: sleep 600\n")]);
        let started = start(dir.path(), Duration::from_millis(300)).await;
        assert!(matches!(started.run.outcome, StartOutcome::Silent { .. }), "{:?}", started.run);
        started.end().await;

        let dir = folder(&[("app.py", "")]);
        let started = start(dir.path(), Duration::from_secs(1)).await;
        assert!(
            matches!(&started.run.outcome, StartOutcome::NotStarted { reason } if reason.contains("how the server is started"))
        );
        let dir = folder(&[("Dockerfile", "FROM x\nCMD [\"landfall-no-such-program\"]\n")]);
        let started = start(dir.path(), Duration::from_secs(1)).await;
        assert!(
            matches!(&started.run.outcome, StartOutcome::NotStarted { reason } if reason.contains("no such program"))
        );
    }
}
