//! The story of one outage, told in a real browser: `landfall serve` watches a world that breaks and is repaired, and
//! Chromium does what a person would do. The story itself is `e2e/story.mjs`; here stands what it plays in.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::io::{BufRead as _, BufReader, Read as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use landfall_lab::{Access, Lab, LabOptions};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// How long the whole story may take on a busy machine before it counts as hanging.
const PATIENCE: Duration = Duration::from_secs(1_200);

/// Which of two worlds stands behind an address.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Behind {
    Deployed,
    Broken,
}

/// Two worlds under the same names and addresses. What is asked for goes through relays to the one that is true now, so that
/// for whoever watches one world breaks and is repaired.
struct Stage {
    deployed: Lab,
    broken: Lab,
    behind: watch::Sender<Behind>,
    connect_to: Vec<String>,
    /// Where `GET /broken` and `GET /repaired` switch.
    control: SocketAddr,
    tasks: JoinSet<()>,
}

impl Stage {
    async fn up() -> Self {
        let world = |name: &'static str| async move {
            let scenario = landfall_lab::load(name).expect("the scenario exists");
            Lab::up(&scenario, &LabOptions::default()).await.expect("the world comes up")
        };
        let (deployed, broken) =
            tokio::join!(world("levqor-deployed"), world("levqor-undeployed-limit-raised"));
        let (behind, _) = watch::channel(Behind::Deployed);
        let mut tasks = JoinSet::new();
        let there: HashMap<String, SocketAddr> = entries(broken.access()).collect();
        let mut connect_to = Vec::new();
        for (public, here) in entries(deployed.access()) {
            let relay = match there.get(&public) {
                // The names are the same in both worlds, so their servers need not change.
                Some(there) if !public.ends_with(":53") => {
                    relay([here, *there], behind.subscribe(), &mut tasks).await
                }
                _ => here,
            };
            connect_to.push(format!("{public}:{relay}"));
        }
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let control = listener.local_addr().expect("an address");
        tasks.spawn(switch(listener, behind.clone()));
        Self { deployed, broken, behind, connect_to, control, tasks }
    }

    async fn down(mut self) {
        self.tasks.shutdown().await;
        self.deployed.down().await;
        self.broken.down().await;
    }
}

/// `HOST:PORT` and where it really is, for each entry of the address map.
fn entries(access: &Access) -> impl Iterator<Item = (String, SocketAddr)> + '_ {
    access.connect_to.iter().map(|entry| {
        entry
            .match_indices(':')
            .find_map(|(at, _)| Some((entry[..at].to_owned(), entry[at + 1..].parse().ok()?)))
            .unwrap_or_else(|| panic!("{entry} ends with an address"))
    })
}

fn now(behind: &watch::Receiver<Behind>, ends: [SocketAddr; 2]) -> SocketAddr {
    match *behind.borrow() {
        Behind::Deployed => ends[0],
        Behind::Broken => ends[1],
    }
}

/// Relays TCP and UDP of one address: where it listens.
async fn relay(
    ends: [SocketAddr; 2],
    behind: watch::Receiver<Behind>,
    tasks: &mut JoinSet<()>,
) -> SocketAddr {
    // HTTP/3 is announced with the port of HTTP/2, so both kinds must stand on one number.
    let (tcp, udp) = loop {
        let tcp = TcpListener::bind((ends[0].ip(), 0)).await.expect("loopback");
        if let Ok(udp) = UdpSocket::bind(tcp.local_addr().expect("an address")).await {
            break (tcp, udp);
        }
    };
    let address = tcp.local_addr().expect("an address");
    let behind_udp = behind.clone();
    tasks.spawn(async move {
        let mut open = JoinSet::new();
        while let Ok((mut client, _)) = tcp.accept().await {
            let mut behind = behind.clone();
            open.spawn(async move {
                behind.mark_unchanged();
                let Ok(mut server) = TcpStream::connect(now(&behind, ends)).await else { return };
                // What is open when the world changes is cut, as it is when a deployment goes away.
                tokio::select! {
                    _ = tokio::io::copy_bidirectional(&mut client, &mut server) => {}
                    _ = behind.changed() => {}
                }
            });
            while open.try_join_next().is_some() {}
        }
    });
    tasks.spawn(datagrams(Arc::new(udp), ends, behind_udp));
    address
}

/// Each client gets a socket of its own towards the server, so that answers find their way back.
async fn datagrams(udp: Arc<UdpSocket>, ends: [SocketAddr; 2], behind: watch::Receiver<Behind>) {
    let mut flows: HashMap<(SocketAddr, SocketAddr), Arc<UdpSocket>> = HashMap::new();
    let mut back = JoinSet::new();
    let mut buffer = vec![0; 65_536];
    loop {
        // An ICMP error of an earlier datagram may surface here; it says nothing of the next one.
        let Ok((length, client)) = udp.recv_from(&mut buffer).await else { continue };
        let end = now(&behind, ends);
        if let Entry::Vacant(flow) = flows.entry((client, end)) {
            let out = UdpSocket::bind((end.ip(), 0)).await.expect("loopback");
            out.connect(end).await.expect("loopback");
            let out = Arc::new(out);
            flow.insert(Arc::clone(&out));
            let udp = Arc::clone(&udp);
            back.spawn(async move {
                let mut buffer = vec![0; 65_536];
                while let Ok(length) = out.recv(&mut buffer).await {
                    let _ = udp.send_to(&buffer[..length], client).await;
                }
            });
        }
        let _ = flows[&(client, end)].send(&buffer[..length]).await;
    }
}

/// Lets the story break and repair the world.
async fn switch(listener: TcpListener, behind: watch::Sender<Behind>) {
    while let Ok((mut stream, _)) = listener.accept().await {
        let mut head = Vec::new();
        while !head.ends_with(b"\r\n\r\n") {
            match stream.read_u8().await {
                Ok(byte) => head.push(byte),
                Err(_) => break,
            }
        }
        let status = if head.starts_with(b"GET /broken ") {
            behind.send_replace(Behind::Broken);
            "204 No Content"
        } else if head.starts_with(b"GET /repaired ") {
            behind.send_replace(Behind::Deployed);
            "204 No Content"
        } else {
            "404 Not Found"
        };
        let _ = stream.write_all(format!("HTTP/1.1 {status}\r\nconnection: close\r\n\r\n").as_bytes()).await;
    }
}

/// A program that does not outlive the test.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// `landfall serve` with the flags that lead into the stage: the program, its URL, and the link of the first run.
fn serve(stage: &Stage, folder: &Path) -> (Running, String, String) {
    // The links that it prints hold the port, so the port is chosen before.
    let port = landfall_ports::claimed();
    let log = std::fs::File::create(folder.join("serve.log")).expect("a log");
    let mut command = Command::new(env!("CARGO_BIN_EXE_landfall"));
    command
        .current_dir(folder)
        .args(["serve", "--listen", &format!("127.0.0.1:{port}"), "--allow-egress", "127.0.0.0/8"])
        .args(["--database", &folder.join("story.sqlite3").display().to_string()]);
    for resolver in &stage.deployed.access().resolvers {
        command.args(["--resolver", &resolver.to_string()]);
    }
    for entry in &stage.connect_to {
        command.args(["--connect-to", entry]);
    }
    for lab in [&stage.deployed, &stage.broken] {
        command.arg("--ca-file").arg(&lab.access().ca_file);
    }
    let mut child = Running(command.stdout(Stdio::piped()).stderr(log).spawn().expect("the binary runs"));
    let mut lines = BufReader::new(child.0.stdout.take().expect("a pipe")).lines();
    let link = lines
        .find_map(|line| {
            let line = line.expect("stdout is UTF-8");
            line.contains("/first-run?").then(|| line.trim().to_owned())
        })
        .unwrap_or_else(|| panic!("no first-run link; it said {}", log_of(folder)));
    (child, format!("http://127.0.0.1:{port}"), link)
}

fn log_of(folder: &Path) -> String {
    std::fs::read_to_string(folder.join("serve.log")).unwrap_or_default()
}

fn scripts() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../e2e")
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_from_the_first_run_to_the_status_page() {
    assert!(
        scripts().join("node_modules/playwright-core").is_dir(),
        "Playwright is not installed: run scripts/setup test"
    );
    let stage = Stage::up().await;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let (server, url, link) = serve(&stage, folder.path());
    let access = stage.deployed.access();
    let mut command = Command::new("node");
    command
        .arg("story.mjs")
        .current_dir(scripts())
        .env("STORY_URL", url)
        .env("STORY_FIRST_RUN", link)
        .env("STORY_CONTROL", format!("http://{}", stage.control))
        .env("STORY_TARGET", access.production.as_str())
        .env("STORY_ORIGIN", access.origin.as_ref().expect("the origin is known here").as_str())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let mut story = Running(command.spawn().expect("node runs"));
    // Both pipes are read all the time: a full one would stop the story.
    let mut out = story.0.stdout.take().expect("a pipe");
    let mut err = story.0.stderr.take().expect("a pipe");
    let told = tokio::task::spawn_blocking(move || {
        let error = std::thread::spawn(move || {
            let mut text = String::new();
            let _ = err.read_to_string(&mut text);
            text
        });
        let mut text = String::new();
        let _ = out.read_to_string(&mut text);
        text + &error.join().expect("the reader ends")
    });
    let pid = story.0.id();
    let Ok(told) = tokio::time::timeout(PATIENCE, told).await else {
        drop(story);
        panic!("the story (process {pid}) hung; the server said\n{}", log_of(folder.path()));
    };
    let told = told.expect("the output is read");
    let status = story.0.wait().expect("it ended");
    println!("{told}");
    let log = log_of(folder.path());
    assert!(status.success(), "the story ended with {status}:\n{told}\nthe server said\n{log}");
    for bad in ["panicked", " ERROR "] {
        assert!(!log.contains(bad), "the server said {bad}:\n{log}");
    }
    drop(server);
    assert_eq!(*stage.behind.borrow(), Behind::Deployed, "the story leaves the world repaired");
    stage.down().await;
}
