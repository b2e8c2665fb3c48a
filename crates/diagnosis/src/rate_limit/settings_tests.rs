//! The lines for nginx and HAProxy, run by nginx and HAProxy: what has to pass passes, what is too much gets 429 with Retry-After, and
//! the health path is never refused.

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::path::PathBuf;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use landfall_evidence::UsageProfile;

use super::profile::usual;
use super::settings::Platform;

/// A server with its folder; both go with it.
struct Server {
    child: Child,
    folder: PathBuf,
    port: u16,
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        let _ = fs::remove_dir_all(&self.folder);
    }
}

impl Server {
    fn start(name: &str, command: impl Fn(&PathBuf, u16) -> Command) -> Self {
        let folder = std::env::temp_dir().join(format!("landfall-settings-{name}-{}", std::process::id()));
        fs::create_dir_all(folder.join("www")).expect("a folder");
        for file in ["ok", "health"] {
            fs::write(folder.join("www").join(file), "ok").expect("a file");
        }
        let port = landfall_ports::claimed();
        let log = fs::File::create(folder.join("log")).expect("a log");
        let child = command(&folder, port).stdout(Stdio::null()).stderr(log).spawn();
        let child = child.unwrap_or_else(|e| panic!("{name} is needed (scripts/setup installs it): {e}"));
        let mut server = Self { child, folder, port };
        let deadline = Instant::now() + Duration::from_secs(30);
        while TcpStream::connect(("127.0.0.1", port)).is_err() {
            let ended = server.child.try_wait().expect("its own child");
            let log = || fs::read_to_string(server.folder.join("log")).unwrap_or_default();
            assert!(ended.is_none() && Instant::now() < deadline, "{name} does not serve: {}", log());
            std::thread::sleep(Duration::from_millis(20));
        }
        server
    }

    /// Status line and header fields of one answer, in lower case.
    fn get(&self, path: &str) -> String {
        let mut stream = TcpStream::connect(("127.0.0.1", self.port)).expect("it serves");
        stream.set_read_timeout(Some(Duration::from_secs(10))).expect("a limit");
        write!(stream, "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n").expect("sent");
        let mut answer = Vec::new();
        stream.take(65_536).read_to_end(&mut answer).expect("answered");
        String::from_utf8_lossy(&answer).to_ascii_lowercase()
    }

    fn holds(&self, must_pass: usize) {
        for n in 1..=must_pass {
            let answer = self.get("/ok");
            assert!(answer.starts_with("http/1.1 200"), "request {n} of {must_pass}: {answer}");
        }
        let more: Vec<String> = (0..30).map(|_| self.get("/ok")).collect();
        let refused =
            more.iter().find(|answer| !answer.starts_with("http/1.1 200")).expect("there is a limit");
        assert!(refused.starts_with("http/1.1 429"), "{refused}");
        assert!(refused.contains("\r\nretry-after: "), "{refused}");
        assert!((0..30).all(|_| self.get("/health").starts_with("http/1.1 200")), "health paths are exempt");
    }
}

fn lines(platform: Platform) -> Vec<String> {
    let uses = usual();
    let must: Vec<&UsageProfile> = uses.iter().filter(|p| p.must_pass).collect();
    platform.settings(&must, 10_000, &["/health"]).expect("there is a limit").lines
}

#[test]
fn nginx_does_what_its_lines_are_for() {
    let lines = lines(Platform::Nginx);
    let server_part = lines.iter().position(|l| l.starts_with("limit_req zone")).expect("a limit");
    let (http, server) = lines.split_at(server_part);
    let server = Server::start("nginx", |folder, port| {
        let at = folder.display();
        let config = format!(
            "daemon off;\nmaster_process off;\npid {at}/pid;\nerror_log stderr;\nevents {{}}\nhttp {{\naccess_log off;\n{}\nserver {{\nlisten 127.0.0.1:{port};\nroot {at}/www;\n{}\n}}\n}}\n",
            http.join("\n"),
            server.join("\n")
        );
        let file = folder.join("nginx.conf");
        fs::write(&file, config).expect("written");
        let mut command = Command::new("nginx");
        command.arg("-c").arg(file).arg("-p").arg(folder);
        command
    });
    server.holds(12);
}

#[test]
fn haproxy_does_what_its_lines_are_for() {
    let lines = lines(Platform::Haproxy);
    let server = Server::start("haproxy", |folder, port| {
        let config = format!(
            "defaults\n  mode http\n  timeout client 5s\n  timeout server 5s\n  timeout connect 5s\nfrontend f\n  bind 127.0.0.1:{port}\n  {}\n  http-request return status 200 content-type text/plain string ok\n",
            lines.join("\n  ")
        );
        let file = folder.join("haproxy.cfg");
        fs::write(&file, config).expect("written");
        let mut command = Command::new("haproxy");
        command.arg("-db").arg("-f").arg(file);
        command
    });
    server.holds(12);
}
