//! `landfall serve` as a process: the first account, the configuration file at the start and at SIGHUP, and the end.

use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

/// How long a state is waited for. It is a bound and no measure: a sound server needs a small part of it.
const PATIENCE: Duration = Duration::from_secs(120);

/// A server on a port of its own, with a folder of its own.
struct Server {
    child: Child,
    base: String,
    first_run: Option<String>,
    log: Arc<Mutex<String>>,
    client: reqwest::Client,
}

impl Server {
    fn start(folder: &Path) -> Self {
        let mut child = Command::new(env!("CARGO_BIN_EXE_landfall"))
            .args(["serve", "--listen", "127.0.0.1:0", "--config", "landfall.toml"])
            .current_dir(folder)
            .env_remove("PORT")
            .env_remove("DATABASE_URL")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("landfall starts");
        let log: Arc<Mutex<String>> = Arc::default();
        let (kept, mut said) = (Arc::clone(&log), child.stderr.take().expect("piped"));
        std::thread::spawn(move || {
            let mut piece = [0; 4096];
            while let Ok(n @ 1..) = said.read(&mut piece) {
                let text = String::from_utf8_lossy(&piece[..n]);
                kept.lock().unwrap_or_else(PoisonError::into_inner).push_str(&text);
            }
        });
        let mut out = BufReader::new(child.stdout.take().expect("piped")).lines();
        let line = out.next().expect("it says where it listens").expect("text");
        let address = line.split("(listening on ").nth(1).and_then(|r| r.split(',').next());
        let base = format!("http://{}", address.unwrap_or_else(|| panic!("no address in {line:?}")));
        // Whoever has an account already gets no link; then nothing more is printed.
        let first_run = if folder.join("known").exists() {
            None
        } else {
            out.map_while(Result::ok)
                .find_map(|l| l.split_once("/first-run?token=").map(|(_, token)| token.trim().to_owned()))
        };
        std::fs::write(folder.join("known"), "").expect("written");
        Self { child, base, first_run, log, client: reqwest::Client::new() }
    }

    fn log(&self) -> String {
        self.log.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    fn signal(&self, name: &str) {
        let done = Command::new("kill").args([name, &self.child.id().to_string()]).status();
        assert!(done.expect("kill is there").success());
    }

    /// Makes the first account, and a key with which the test goes on.
    async fn key(&self) -> String {
        let token = self.first_run.clone().expect("a first-run link");
        let body = json!({ "token": token, "email": "me@example.com", "name": "Me",
                           "password": "correct horse battery staple", "organisation": "Mine" });
        let made = self
            .client
            .post(format!("{}/api/v1/first-run", self.base))
            .json(&body)
            .send()
            .await
            .expect("answers");
        assert_eq!(made.status(), 201);
        let cookie = made.headers()["set-cookie"].to_str().expect("text").split(';').next().expect("a pair");
        let made = self
            .client
            .post(format!("{}/api/v1/keys", self.base))
            .header("cookie", cookie)
            .header("sec-fetch-site", "same-origin")
            .json(&json!({ "name": "test", "scopes": ["write"] }))
            .send()
            .await
            .expect("answers");
        assert_eq!(made.status(), 201);
        let made: Value = made.json().await.expect("JSON");
        made["key"].as_str().expect("the key").to_owned()
    }

    async fn list(&self, key: &str, what: &str) -> Vec<Value> {
        let url = format!("{}/api/v1/{what}", self.base);
        let answer = self.client.get(url).bearer_auth(key).send().await.expect("answers");
        assert_eq!(answer.status(), 200);
        let mut page: Value = answer.json().await.expect("JSON");
        serde_json::from_value(page["items"].take()).expect("a list")
    }

    /// Monitors by external id and name, once they are as expected.
    async fn monitors(&self, key: &str, expected: &[(&str, &str)]) -> Vec<Value> {
        let started = Instant::now();
        loop {
            let all = self.list(key, "monitors").await;
            let text = |m: &Value, k: &str| m[k].as_str().unwrap_or_default().to_owned();
            let seen: Vec<_> = all.iter().map(|m| (text(m, "external_id"), text(m, "name"))).collect();
            if seen.iter().map(|(a, b)| (a.as_str(), b.as_str())).eq(expected.iter().copied()) {
                return all;
            }
            assert!(
                started.elapsed() < PATIENCE,
                "{expected:?} was expected, {seen:?} is there\n{}",
                self.log()
            );
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    }

    /// Waits until the log says something again after `before` of it.
    async fn says(&self, before: usize, text: &str) -> String {
        let started = Instant::now();
        loop {
            let log = self.log();
            if log[before..].contains(text) {
                return log[before..].to_owned();
            }
            assert!(started.elapsed() < PATIENCE, "{text:?} was expected in\n{}", &log[before..]);
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }

    /// Asks it to stop, and waits until it has.
    fn stop(mut self) -> std::process::ExitStatus {
        self.signal("-TERM");
        self.child.wait().expect("it ends")
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn monitor(id: &str, name: &str) -> String {
    // A discard port on loopback: nobody answers there, and nothing leaves the machine.
    format!(
        "[[monitor]]\nid = \"{id}\"\nname = \"{name}\"\ncheck = {{ kind = \"tcp\", host = \"127.0.0.1\", port = 9 }}\n"
    )
}

#[tokio::test]
async fn the_file_is_applied_at_the_start_and_at_sighup_and_a_bad_one_changes_nothing() {
    let folder = tempfile::tempdir().expect("a folder");
    let file = folder.path().join("landfall.toml");
    let write = |text: &str| std::fs::write(&file, text).expect("written");
    let more = "[[channel]]\nid = \"ops\"\nname = \"Ops\"\nkind = \"webhook\"\nconfig = { url = \"https://example.com/hook\" }\n\
                [[window]]\nid = \"night\"\nname = \"Night\"\nall = true\nrepeat = \"daily\"\nstart = \"02:00\"\nduration_min = 30\n\
                [[heartbeat]]\nid = \"backup\"\nname = \"Backup\"\n";
    write(&format!("[server]\ndrain = \"5s\"\n{}{}{more}", monitor("api", "API"), monitor("web", "Web")));
    let server = Server::start(folder.path());
    server.says(0, "waits for the first organisation").await;
    let key = server.key().await;
    let before = server.monitors(&key, &[("api", "API"), ("web", "Web")]).await;
    for (what, id) in [("channels", "ops"), ("windows", "night"), ("heartbeats", "backup")] {
        assert_eq!(server.list(&key, what).await[0]["external_id"], id, "{what}");
    }
    assert_eq!(before[0]["origin"], "file");

    // Two mistakes in two monitors: both are told, and nothing changes.
    let said = server.log().len();
    write(&format!(
        "[server]\n{}{}{}",
        monitor("api", "Another name"),
        "[[monitor]]\nid = \"x\"\nname = \"X\"\ncheck = { kind = \"carrier-pigeon\" }\n",
        "[[monitor]]\nid = \"y\"\nname = \"Y\"\nintervall_s = 60\ncheck = { kind = \"tcp\", host = \"127.0.0.1\", port = 9 }\n",
    ));
    server.signal("-HUP");
    let log = server.says(said, "was not applied").await;
    for said in
        ["landfall.toml: line 6: ", "carrier-pigeon", "landfall.toml: line 13: ", "intervall_s", "problems=2"]
    {
        assert!(log.contains(said), "{said} in\n{log}");
    }
    server.monitors(&key, &[("api", "API"), ("web", "Web")]).await;

    // Renamed, one taken out, one new: the id stays.
    write(&format!("{}{}", monitor("api", "The API"), monitor("new", "New")));
    server.signal("-HUP");
    let after = server.monitors(&key, &[("api", "The API"), ("new", "New")]).await;
    assert_eq!(after[0]["id"], before[0]["id"]);
    assert!(server.list(&key, "channels").await.is_empty(), "what the file no longer declares is gone");
    assert_eq!(server.stop().code(), Some(0));

    // A restart applies what was written meanwhile; a file about the server alone takes nothing away.
    write(&format!("{}{}", monitor("api", "API again"), monitor("new", "New")));
    let server = Server::start(folder.path());
    let again = server.monitors(&key, &[("api", "API again"), ("new", "New")]).await;
    assert_eq!(again[0]["id"], before[0]["id"]);
    assert_eq!(server.stop().code(), Some(0));
    write("[server]\ndrain = \"5s\"\n");
    let server = Server::start(folder.path());
    server.says(0, "the file declares nothing").await;
    server.monitors(&key, &[("api", "API again"), ("new", "New")]).await;
    assert_eq!(server.stop().code(), Some(0));
}
