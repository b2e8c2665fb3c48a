//! Servers with limiters, each in a folder of its own and ended with the test.

use std::fs::File;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener as Listener, TcpStream};
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use axum::Router;
use axum::extract::Request;
use axum::middleware::{Next, from_fn};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;
use tower_governor::GovernorLayer;
use tower_governor::governor::GovernorConfigBuilder;

/// How long a server may take to come up, or to write its log, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);

pub(crate) struct Server {
    pub(crate) address: SocketAddr,
    folder: TempDir,
    /// Where the server writes a line for each request.
    log: PathBuf,
    children: Vec<Child>,
    /// Lines of a server within this process.
    own: Option<Arc<Mutex<Vec<String>>>>,
    /// What it passes requests on to.
    behind: Vec<Self>,
}

impl Drop for Server {
    fn drop(&mut self) {
        for child in &mut self.children {
            // gunicorn ends its workers when it is asked to end, and not when it is killed.
            let _ = Command::new("kill").arg(child.id().to_string()).status();
            let _ = child.wait();
        }
    }
}

fn free() -> SocketAddr {
    let listener = Listener::bind((Ipv4Addr::LOCALHOST, 0)).expect("loopback");
    listener.local_addr().expect("bound")
}

fn start(command: &mut Command, address: SocketAddr) -> Child {
    let program = command.get_program().to_string_lossy().into_owned();
    let child = command.stderr(Stdio::null()).spawn();
    let mut child =
        child.unwrap_or_else(|e| panic!("{program} does not start ({e}); `scripts/setup test` installs it"));
    let end = Instant::now() + PATIENCE;
    while TcpStream::connect(address).is_err() {
        if let Ok(Some(status)) = child.try_wait() {
            panic!("{program} ended at once: {status}");
        }
        assert!(Instant::now() < end, "{program} does not listen on {address}");
        std::thread::sleep(Duration::from_millis(50));
    }
    child
}

impl Server {
    /// nginx with a zone and a limit before every path. It does not fire where a location answers by `return`.
    pub(crate) fn nginx(zone: &str, limit: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let (at, address) = (folder.path().display(), free());
        let pages = folder.path().join("pages");
        std::fs::create_dir(&pages).expect("made");
        for page in ["index.html", "other"] {
            std::fs::write(pages.join(page), "here\n").expect("written");
        }
        let text = format!(
            "daemon off; pid {at}/pid; error_log {at}/error.log; worker_processes 1;\n\
             events {{ worker_connections 64; }}\n\
             http {{ access_log {at}/access.log; client_body_temp_path {at}/b; proxy_temp_path {at}/p;\n\
             fastcgi_temp_path {at}/f; uwsgi_temp_path {at}/u; scgi_temp_path {at}/s; {zone}\n\
             server {{ listen {address}; {limit} root {at}/pages; }} }}\n"
        );
        let file = folder.path().join("nginx.conf");
        std::fs::write(&file, text).expect("written");
        // Debian keeps it where a user's PATH may not look.
        let program = if PathBuf::from("/usr/sbin/nginx").exists() { "/usr/sbin/nginx" } else { "nginx" };
        let child = start(
            Command::new(program).arg("-c").arg(&file).arg("-p").arg(folder.path()).stdout(Stdio::null()),
            address,
        );
        let log = folder.path().join("access.log");
        Self { address, folder, log, children: vec![child], own: None, behind: Vec::new() }
    }

    /// HAProxy before a page of nginx, refusing with 429 above `limit` by the counter of its stick table.
    pub(crate) fn haproxy(counter: &str, limit: u32) -> Self {
        let mut behind = Self::nginx("", "");
        let address = free();
        let at = behind.folder.path().to_owned();
        let text = format!(
            "global\n log stdout format raw local0 info\ndefaults\n mode http\n log global\n option httplog\n timeout connect 5s\n timeout client 60s\n timeout server 60s\n\
             frontend front\n bind {address}\n stick-table type ip size 1k expire 60s store {counter}\n\
             http-request track-sc0 src\n http-request deny deny_status 429 if {{ sc_http_req_rate(0) gt {limit} }}\n\
             default_backend back\n\
             backend back\n server page {}\n",
            behind.address
        );
        let file = at.join("haproxy.cfg");
        std::fs::write(&file, text).expect("written");
        let program =
            if PathBuf::from("/usr/sbin/haproxy").exists() { "/usr/sbin/haproxy" } else { "haproxy" };
        // Refusals never get to the page behind, so its own log is the one to count.
        behind.log = at.join("haproxy.log");
        let log = File::create(&behind.log).expect("made");
        let child = start(Command::new(program).arg("-db").arg("-f").arg(&file).stdout(log), address);
        behind.children.push(child);
        behind.address = address;
        behind
    }

    /// Flask-Limiter under gunicorn, counting in the memory of each worker.
    pub(crate) fn flask(strategy: &str, limit: &str, workers: u32) -> Self {
        Self::flask_with(strategy, limit, workers, "False")
    }

    /// The same with X-RateLimit fields and Retry-After.
    pub(crate) fn flask_that_states(strategy: &str, limit: &str, workers: u32) -> Self {
        Self::flask_with(strategy, limit, workers, "True")
    }

    /// Two such instances, each counting for itself, behind an nginx that shares the requests out by `balance` (a directive of its upstream; in turn
    /// when it is empty). Which worker of one gunicorn takes a request is the kernel's choice, and a busy machine's may choose one nearly always.
    pub(crate) fn two_flasks_that_state(strategy: &str, limit: &str, balance: &str) -> Self {
        let behind = [(); 2].map(|()| Self::flask_that_states(strategy, limit, 1));
        let [one, two] = [&behind[0], &behind[1]].map(|instance| instance.address);
        let upstream = format!("upstream instances {{ {balance} server {one}; server {two}; }}");
        let mut front = Self::nginx(&upstream, "location / { proxy_pass http://instances; }");
        front.behind = behind.into();
        front
    }

    fn flask_with(strategy: &str, limit: &str, workers: u32, headers: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = free();
        let text = format!(
            "import os, pathlib\n\
             from flask import Flask\n\
             from flask_limiter import Limiter\n\
             from flask_limiter.util import get_remote_address\n\
             app = Flask(__name__)\n\
             limiter = Limiter(get_remote_address, app=app, application_limits=['{limit}'],\n\
             \x20   storage_uri='memory://', strategy='{strategy}', headers_enabled={headers})\n\
             @app.get('/')\n\
             def page():\n\
             \x20   return 'here'\n\
             @app.get('/other')\n\
             def other():\n\
             \x20   return 'there'\n\
             pathlib.Path(f'ready-{{os.getpid()}}').touch()\n"
        );
        std::fs::write(folder.path().join("app.py"), text).expect("written");
        let venv = std::env::var_os("LANDFALL_LIMITER_VENV").map_or_else(
            || PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../.lab/limiter-venv"),
            PathBuf::from,
        );
        let log = folder.path().join("access.log");
        let child = start(
            Command::new(venv.join("bin/gunicorn"))
                .args(["--bind", &address.to_string(), "--workers", &workers.to_string(), "--chdir"])
                .arg(folder.path())
                .args(["--access-logformat", "%(r)s %(s)s ", "--access-logfile"])
                .arg(&log)
                .arg("app:app")
                .stdout(Stdio::null()),
            address,
        );
        // The port is there before any worker is, and the first worker before the others.
        let ready = || {
            let files = std::fs::read_dir(folder.path()).expect("the folder is ours").flatten();
            files.filter(|file| file.file_name().to_string_lossy().starts_with("ready-")).count()
        };
        let end = Instant::now() + PATIENCE;
        while ready() < workers as usize {
            assert!(Instant::now() < end, "gunicorn has {} of {workers} workers", ready());
            std::thread::sleep(Duration::from_millis(50));
        }
        Self { address, folder, log, children: vec![child], own: None, behind: Vec::new() }
    }

    /// express-rate-limit, whose window begins with the first request. `headers` is a draft of the RateLimit fields.
    pub(crate) fn express(limit: u32, window: Duration, headers: &str) -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let address = free();
        let at = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/servers/express");
        assert!(at.join("node_modules/express-rate-limit").exists(), "`scripts/setup test` installs it");
        let log = folder.path().join("access.log");
        let child = start(
            Command::new("node")
                .arg(at.join("server.js"))
                .args([address.port().to_string(), limit.to_string(), window.as_millis().to_string()])
                .arg(headers)
                .stdout(File::create(&log).expect("made")),
            address,
        );
        Self { address, folder, log, children: vec![child], own: None, behind: Vec::new() }
    }

    /// tower_governor before an axum server: a bucket of `burst` that gets one place back every `place`.
    pub(crate) async fn governor(burst: u32, place: Duration) -> Self {
        let config = GovernorConfigBuilder::default().period(place).burst_size(burst).finish();
        let limiter = GovernorLayer::new(config.expect("neither is 0"));
        let log = Arc::new(Mutex::new(Vec::new()));
        let lines = log.clone();
        let write = from_fn(move |request: Request, next: Next| {
            let lines = lines.clone();
            async move {
                let head = format!("{} {} HTTP/1.1", request.method(), request.uri());
                let answer = next.run(request).await;
                lines.lock().expect("no panic").push(format!("{head} {} ", answer.status().as_u16()));
                answer
            }
        });
        let app = Router::new().fallback(|| async { "ok" }).layer(limiter).layer(write);
        let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let service = app.into_make_service_with_connect_info::<SocketAddr>();
        tokio::spawn(async move { axum::serve(listener, service).await });
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("none");
        Self { address, folder, log: file, children: Vec::new(), own: Some(log), behind: Vec::new() }
    }

    /// An edge rule: more than `limit` requests within `window` of the first, and everything is refused for `penalty`.
    pub(crate) async fn edge(limit: u32, window: Duration, penalty: Duration) -> Self {
        let mut state: (Option<Instant>, u32, Option<Instant>) = (None, 0, None);
        Self::answering(move |_| {
            let now = Instant::now();
            let (began, count, until) = &mut state;
            if until.is_some_and(|until| now < until) {
                return REFUSED.to_owned();
            }
            if began.is_none_or(|began| now >= began + window) {
                (*began, *count) = (Some(now), 0);
            }
            *count += 1;
            if *count > limit {
                (*began, *until) = (None, Some(now + penalty));
                return REFUSED.to_owned();
            }
            PASSED.to_owned()
        })
        .await
    }

    /// Always the same answer.
    pub(crate) async fn always(answer: &'static str) -> Self {
        Self::answering(move |_| answer.to_owned()).await
    }

    /// Refuses once after `limit` requests, and closes every connection from then on without a word.
    pub(crate) async fn bans_after(limit: usize) -> Self {
        Self::answering(move |n| match n {
            n if n < limit => PASSED.to_owned(),
            n if n == limit => REFUSED.to_owned(),
            _ => String::new(),
        })
        .await
    }

    /// A server that answers the n-th request (from 0) as told; nothing means that it hangs up.
    async fn answering(answer: impl FnMut(usize) -> String + Send + 'static) -> Self {
        let listener = TcpListener::bind((IpAddr::V4(Ipv4Addr::LOCALHOST), 0)).await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        let log = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::new(Mutex::new(answer));
        let lines = log.clone();
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let (lines, shared) = (lines.clone(), shared.clone());
                tokio::spawn(async move {
                    let mut got = Vec::new();
                    let mut buffer = [0; 2048];
                    loop {
                        while !got.ends_with(b"\r\n\r\n") {
                            match stream.read(&mut buffer).await {
                                Ok(n) if n > 0 => got.extend_from_slice(&buffer[..n]),
                                _ => return,
                            }
                        }
                        let head =
                            String::from_utf8_lossy(&got).lines().next().unwrap_or_default().to_owned();
                        let said = {
                            let mut lines = lines.lock().expect("no panic");
                            let said = (shared.lock().expect("no panic"))(lines.len());
                            let status = said.split(' ').nth(1).unwrap_or("-").to_owned();
                            lines.push(format!("{head} {status} "));
                            said
                        };
                        if said.is_empty() || stream.write_all(said.as_bytes()).await.is_err() {
                            return;
                        }
                        got.clear();
                    }
                });
            }
        });
        let folder = tempfile::tempdir().expect("a folder");
        let file = folder.path().join("none");
        Self { address, folder, log: file, children: Vec::new(), own: Some(log), behind: Vec::new() }
    }

    /// The lines of the server's log, once there are `count` of them or no more come.
    pub(crate) fn log(&self, count: usize) -> Vec<String> {
        if let Some(own) = &self.own {
            return own.lock().expect("no panic").clone();
        }
        let end = Instant::now() + Duration::from_secs(5);
        loop {
            let text = std::fs::read_to_string(&self.log).unwrap_or_default();
            let lines: Vec<String> =
                text.lines().filter(|line| line.contains("HTTP/1")).map(str::to_owned).collect();
            if lines.len() >= count || Instant::now() >= end {
                return lines;
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }
}

const PASSED: &str = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
const REFUSED: &str = "HTTP/1.1 429 Too Many Requests\r\ncontent-length: 0\r\n\r\n";
