//! `landfall serve`, the real binary on real databases, while everything around it fails: what was acknowledged is
//! there, what was promised is sent once, and no fault of ours becomes anybody's downtime.

#[expect(dead_code, reason = "each test binary uses its own part of the harness")]
mod common;
mod serving;

use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use common::ports;
use landfall_notify::testkit::{Fault, Receiver, Reply};
use landfall_store::Store;
use landfall_store::testkit::{Postgres, fresh_postgres_database};
use rustix::process::Signal;
use serde_json::{Value, json};
use serving::api::{Api, client, send};
use serving::load::{Pings, Reads};
use serving::names::{Mood, Resolver};
use serving::process::{Server, finished, landfall, landfall_beside};
use serving::wire::Wire;
use serving::{until, within};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// The targets and receivers of these tests are on loopback, which a server asks only when it is told so.
const ALLOW: [&str; 2] = ["--allow-egress", "127.0.0.0/8"];

fn http(url: &str) -> Value {
    json!({ "kind": "http", "url": url })
}

fn broken() -> Fault {
    Fault::Reply(Reply::new(500, "broken"))
}

/// Events that a webhook took, in order.
fn events(receiver: &Receiver) -> Vec<String> {
    receiver.requests().iter().map(|r| r.header("landfall-event").unwrap_or_default().to_owned()).collect()
}

async fn number(store: &Store, sql: &str) -> i64 {
    store.query(sql, &[]).await.expect("it answers")[0].int("n").expect("a number")
}

// ---------------------------------------------------------------------------------------------------------------------
// Start and end.

#[tokio::test(flavor = "multi_thread")]
async fn starts_with_no_configuration_at_all() {
    within(90, async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut tries = 0;
        let server = loop {
            // Somebody else may take the port between the two.
            let [port] = ports::free::<1>();
            let mut command = landfall(folder.path());
            command.arg("serve").env("PORT", port.to_string());
            if tries < 3 && tokio::net::TcpListener::bind(("0.0.0.0", port)).await.is_err() {
                tries += 1;
                continue;
            }
            break (port, Server::of(command).await);
        };
        let (port, server) = server;
        let said = server.process.stdout();
        assert!(said.contains(&format!("is serving http://localhost:{port} ")), "{said}");
        assert!(said.contains(&format!("listening on 0.0.0.0:{port}, SQLite)")), "{said}");
        assert!(said.contains(&format!("  http://localhost:{port}/first-run?token=")), "{said}");
        assert!(folder.path().join("landfall.sqlite3").is_file());

        let http = client();
        let token = server.token.as_deref().expect("a link");
        let page =
            send(http.get(format!("{}/first-run?token={token}", server.base))).await.expect("answered");
        assert_eq!(page.status, 200, "{page:?}");
        assert!(page.header("content-type").starts_with("text/html"), "{page:?}");
        let api = Api::first(&server).await;
        assert_eq!(api.get("/session").await["organisation_name"], "Example");
        let again = json!({
            "token": token, "email": "eve@example.test", "name": "Eve",
            "password": "a long enough password", "organisation": "Eve",
        });
        let again = send(http.post(format!("{}/api/v1/first-run", server.base)).json(&again)).await;
        assert_eq!(again.expect("answered").status, 403, "the link works once");
        until("readiness", 20, async || {
            let ready = send(http.get(format!("{}/readyz", server.base))).await.expect("answered");
            if ready.status == 200 { Ok(()) } else { Err(ready.text) }
        })
        .await;
        assert!(!server.process.stderr().contains(token), "a log is no place for the link");
        let base = server.base.clone();
        server.kill().await;

        // The second start knows the account, and offers no link.
        let mut command = landfall(folder.path());
        command.arg("serve").env("PORT", port.to_string());
        let server = Server::of(command).await;
        assert_eq!((server.token.clone(), &server.base), (None, &base));
        assert_eq!(api.get("/session").await["organisation_name"], "Example");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_keeps_it_from_starting_is_said() {
    within(90, async {
        let folder = tempfile::tempdir().expect("a folder");
        let held = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let held = held.local_addr().map(|a| (a, held)).expect("bound");
        let nobody = ports::Closed::new();
        let database = format!("postgres://user:hunter2hunter2@{}/landfall", nobody.address());
        let missing = folder.path().join("no/such/folder/db.sqlite3").display().to_string();
        let junk = folder.path().join("junk.sqlite3");
        std::fs::write(
            &junk,
            "this is not a database, whatever its name says, and it is long enough to be read".repeat(20),
        )
        .expect("written");
        let junk = junk.display().to_string();
        let listen = held.0.to_string();
        for (words, status, said) in [
            (vec!["--listen", listen.as_str()], 3, "cannot listen on"),
            (vec!["--port", "0", "--database", database.as_str()], 3, "cannot be reached"),
            (vec!["--port", "0", "--database", missing.as_str()], 3, "cannot be reached"),
            (vec!["--port", "0", "--database", junk.as_str()], 3, "not a database"),
            (vec!["--port", "0", "--database", "mysql://127.0.0.1/x"], 3, "not a database URL"),
            (vec!["--port", "0", "--listen", "nowhere"], 2, "is not ADDR"),
        ] {
            let mut command = landfall(folder.path());
            command.arg("serve").args(&words);
            let (code, _, stderr) = finished(command).await;
            assert_eq!(code, Some(status), "{words:?}: {stderr}");
            assert!(stderr.contains("landfall: ") && stderr.contains(said), "{words:?}: {stderr}");
            assert!(!stderr.contains("hunter2"), "{words:?}: {stderr}");
        }
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_answers_what_is_under_way_and_ends_clean() {
    within(90, async {
        let folder = tempfile::tempdir().expect("a folder");
        let mut server = Server::start(folder.path(), &[]).await;
        let body = json!({ "email": "a@example.test", "password": "b" }).to_string();
        let mut open = TcpStream::connect(server.address()).await.expect("connected");
        let head = format!(
            "POST /api/v1/session HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\n\
             content-length: {}\r\nexpect: 100-continue\r\n\r\n",
            body.len()
        );
        open.write_all(head.as_bytes()).await.expect("sent");
        // The server asks for the body, so a handler has the request.
        let mut seen = [0; 25];
        open.read_exact(&mut seen).await.expect("it goes on");
        assert_eq!(&seen, b"HTTP/1.1 100 Continue\r\n\r\n");
        // A connection that waits for nothing holds nothing up.
        let idle = TcpStream::connect(server.address()).await.expect("connected");

        server.signal(Signal::TERM);
        let address = server.address();
        until("a closed door", 20, async || match TcpStream::connect(address).await {
            Err(_) => Ok(()),
            Ok(_) => Err("it still accepts"),
        })
        .await;
        open.write_all(body.as_bytes()).await.expect("sent");
        let mut answer = String::new();
        open.read_to_string(&mut answer).await.expect("the whole answer");
        assert!(answer.starts_with("HTTP/1.1 401 "), "{answer}");
        assert!(answer.contains("the e-mail address or the password is wrong"), "{answer}");
        assert_eq!(server.process.ended().await.code(), Some(0), "{}", server.process.stderr());
        drop(idle);
    })
    .await;
}

// ---------------------------------------------------------------------------------------------------------------------
// kill -9.

/// Pings under load, `kill -9`, a restart: everything that was answered with OK is there.
async fn nothing_acknowledged_is_lost(database: &str) {
    const BEATS: usize = 32;
    let folder = tempfile::tempdir().expect("a folder");
    let server = Server::start(folder.path(), &["--database", database]).await;
    let api = Api::first(&server).await;
    let ids = api.heartbeats(BEATS).await;
    let mut acknowledged = std::collections::BTreeSet::new();
    let mut running = (server, api);
    // Twice, so that what the first restart made of the database is killed too.
    for round in 1..=2 {
        let (server, api) = running;
        let pings = Pings::begin(&server.base, &ids, 8, Duration::from_millis(1));
        until("load", 30, async || {
            let ok = pings.count(200);
            if ok >= 400 { Ok(()) } else { Err(pings.statuses()) }
        })
        .await;
        server.kill().await;
        until(
            "the end of answers",
            10,
            async || if pings.count(0) > 0 { Ok(()) } else { Err(pings.statuses()) },
        )
        .await;
        let seen = pings.statuses();
        assert!(seen.keys().all(|status| matches!(status, 0 | 200)), "{seen:?}");
        let ok = pings.end().await;
        assert!(ok.len() >= 400);
        acknowledged.extend(ok);
        let server = Server::start(folder.path(), &["--database", database]).await;
        assert_eq!(server.token, None, "the account is there");
        let api = api.at(&server);
        if round == 2 {
            let kept = api.pings(BEATS).await;
            let lost: Vec<&String> = acknowledged.difference(&kept).collect();
            assert!(lost.is_empty(), "{} of {} pings are lost: {lost:?}", lost.len(), acknowledged.len());
        }
        running = (server, api);
    }
    let store = Store::open(&place(folder.path(), database)).await.expect("opens");
    assert_eq!(store.integrity().await.expect("checked"), None);
}

fn place(folder: &Path, database: &str) -> String {
    if database.contains("://") { database.to_owned() } else { folder.join(database).display().to_string() }
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_acknowledged_ping_on_sqlite() {
    within(90, nothing_acknowledged_is_lost("beats.sqlite3")).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn kill_9_loses_no_acknowledged_ping_on_postgresql() {
    within(90, nothing_acknowledged_is_lost(&fresh_postgres_database())).await;
}

// ---------------------------------------------------------------------------------------------------------------------
// Two servers.

#[tokio::test(flavor = "multi_thread")]
async fn two_servers_share_the_work_and_one_takes_over() {
    within(150, async {
        const MONITORS: usize = 12;
        let folder = tempfile::tempdir().expect("a folder");
        let database = fresh_postgres_database();
        let words = ["--database", &database, ALLOW[0], ALLOW[1]];
        let (target, sick, hook) =
            (Receiver::start().await, Receiver::start().await, Receiver::start().await);
        let first = Server::start(folder.path(), &words).await;
        let api = Api::first(&first).await;
        let store = Store::open(&database).await.expect("opens");
        let mut monitors = Vec::new();
        for n in 0..MONITORS {
            let check = http(&format!("{}/m/{n}", target.base));
            monitors.push(api.monitor(&format!("m{n}"), check, json!({ "timeout_ms": 9000 })).await);
        }
        let ill = api.monitor("ill", http(&format!("{}/", sick.base)), json!({ "retry_s": null })).await;
        api.webhook(&format!("{}/hook", hook.base)).await;
        api.verdict(&ill, "up").await;
        let holders = async || -> BTreeMap<String, usize> {
            let rows = store
                .query(
                    "SELECT owner, count(*) AS n FROM leases WHERE name LIKE 'shard/%' GROUP BY owner",
                    &[],
                )
                .await
                .expect("it answers");
            rows.iter()
                .map(|r| (r.text("owner").expect("text"), r.int("n").expect("a count") as usize))
                .collect()
        };
        let alone = holders().await;
        assert_eq!(alone.values().copied().collect::<Vec<_>>(), [16], "{alone:?}");
        let first_name = alone.into_keys().next().expect("one");

        let second = Server::start(folder.path(), &words).await;
        until("an even share", 40, async || {
            let held = holders().await;
            if held.len() == 2 && held.values().all(|n| *n == 8) { Ok(()) } else { Err(held) }
        })
        .await;
        // Both work now: whoever does not hold the sick monitor's part stays.
        let shard = u8::from_str_radix(&ill[ill.len() - 2..], 16).expect("a UUID") % 16;
        let owner = store
            .query(&format!("SELECT owner FROM leases WHERE name = 'shard/{shard:02}'"), &[])
            .await
            .expect("it answers")[0]
            .text("owner")
            .expect("text");
        let (victim, heir) = if owner == first_name { (first, second) } else { (second, first) };
        let api = api.at(&heir);

        // One check for each tick of each monitor, whichever server makes it: the target saw as many as there are results.
        until("as many results as checks", 30, async || {
            let mut seen = Vec::new();
            for (n, monitor) in monitors.iter().enumerate() {
                let path = format!("/m/{n}");
                let asked = target.requests().iter().filter(|r| r.path == path).count();
                let kept = api.items(&format!("/monitors/{monitor}/results?limit=500")).await.len();
                if asked != kept {
                    seen.push((n, asked, kept));
                }
            }
            if seen.is_empty() { Ok(()) } else { Err(seen) }
        })
        .await;

        sick.break_down(broken());
        until("the alert", 60, async || {
            let seen = events(&hook);
            if seen.iter().any(|e| e == "down") { Ok(()) } else { Err(seen) }
        })
        .await;
        // A server that dies between the receiver's answer and its own note of it sends again (docs/webhooks.md).
        until("the note that the alert arrived", 60, async || {
            match number(&store, "SELECT count(*) AS n FROM outbox WHERE state = 'delivered'").await {
                0 => Err("none is noted"),
                _ => Ok(()),
            }
        })
        .await;
        let before = number(&store, "SELECT count(*) AS n FROM results").await;
        victim.kill().await;
        until("the other takes over", 40, async || {
            let held = holders().await;
            if held.len() == 1 && held.values().all(|n| *n == 16) && !held.contains_key(&owner) {
                Ok(())
            } else {
                Err(held)
            }
        })
        .await;
        sick.heal();
        until("the end of the incident", 60, async || {
            let seen = events(&hook);
            if seen.last().is_some_and(|e| e == "up") { Ok(()) } else { Err(seen) }
        })
        .await;
        // The cause may come in a letter of its own when the audit took longer than the alert may wait.
        let told: Vec<String> = events(&hook).into_iter().filter(|e| e != "cause").collect();
        assert_eq!(told, ["down", "up"], "no alert twice, none lost");
        assert_eq!(hook.keys().len(), hook.requests().len(), "each under a key of its own");
        for monitor in &monitors {
            until("checks of every monitor by the heir", 40, async || {
                let seen = api.get(&format!("/monitors/{monitor}")).await;
                if seen["verdict"] == "up" { Ok(()) } else { Err(seen) }
            })
            .await;
        }
        assert!(number(&store, "SELECT count(*) AS n FROM results").await > before);

        // No tick is checked again once it was well, whichever server made the check. A check that failed, on a machine
        // that was busy for longer than its time limit, is tried again at the same tick, and that is right.
        let doubled = store
            .query(
                "SELECT monitor_id, scheduled_us, count(*) AS n FROM results WHERE outcome IN ('up', 'degraded')
                 GROUP BY monitor_id, scheduled_us HAVING count(*) > 1",
                &[],
            )
            .await
            .expect("it answers");
        let doubled: Vec<String> = doubled
            .iter()
            .map(|r| {
                format!(
                    "{} {} {}",
                    r.text("monitor_id").unwrap_or_default(),
                    r.int("scheduled_us").unwrap_or(0),
                    r.int("n").unwrap_or(0)
                )
            })
            .collect();
        assert!(doubled.is_empty(), "{doubled:?}");
        let runs = number(&store, "SELECT count(*) AS n FROM job_runs").await;
        let ticks = number(
            &store,
            "SELECT count(*) AS n FROM (SELECT DISTINCT name, scheduled_us FROM job_runs) AS ticks",
        )
        .await;
        assert!(runs > 0);
        assert_eq!(runs, ticks, "a job runs once at each of its ticks");
        assert_eq!(number(&store, "SELECT count(*) AS n FROM incidents").await, 1);
    })
    .await;
}

// ---------------------------------------------------------------------------------------------------------------------
// Databases that fail.

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_is_away_for_a_while_costs_nobody_anything() {
    within(150, async {
        const BEATS: usize = 48;
        let folder = tempfile::tempdir().expect("a folder");
        let postgres = Postgres::start();
        postgres.psql("postgres", "CREATE DATABASE landfall");
        let (target, hook) = (Receiver::start().await, Receiver::start().await);
        let server =
            Server::start(folder.path(), &["--database", &postgres.url("landfall"), ALLOW[0], ALLOW[1]])
                .await;
        let api = Api::first(&server).await;
        api.webhook(&format!("{}/hook", hook.base)).await;
        let monitor = api.monitor("api", http(&format!("{}/", target.base)), json!({})).await;
        let ids = api.heartbeats(BEATS).await;
        api.verdict(&monitor, "up").await;

        let pings = Pings::begin(&server.base, &ids, 2, Duration::from_millis(40));
        let lists = Reads::begin(&api, "/api/v1/monitors", Duration::from_millis(200));
        let alive = Reads::begin(&api, "/healthz", Duration::from_millis(200));
        let ready = Reads::begin(&api, "/readyz", Duration::from_millis(200));
        let works = Reads::begin(&api, "/health", Duration::from_millis(200));
        until("load", 30, async || {
            let seen = (pings.count(200), lists.count(200), ready.count(200), works.count(200));
            if seen.0 > 20 && seen.1 > 3 && seen.2 > 3 && seen.3 > 3 { Ok(()) } else { Err(seen) }
        })
        .await;

        postgres.stop();
        let checks = target.requests().len();
        until("the truth about the database", 60, async || {
            let seen = (pings.count(503), lists.count(503), ready.count(503), works.count(503));
            if seen.0 > 3 && seen.1 > 3 && seen.2 > 3 && seen.3 > 3 { Ok(()) } else { Err(seen) }
        })
        .await;
        until("checks go on without it", 60, async || {
            let seen = target.requests().len();
            if seen >= checks + 2 { Ok(()) } else { Err(seen) }
        })
        .await;
        let (ok_then, lists_then) = (pings.count(200), lists.count(200));
        postgres.run();
        until("everything works again", 60, async || {
            let seen = (pings.count(200), lists.count(200));
            if seen.0 > ok_then + 20 && seen.1 > lists_then + 3 { Ok(()) } else { Err(seen) }
        })
        .await;
        until("readiness", 30, async || {
            let now = send(api.request("GET", "/readyz")).await.expect("answered");
            let function = send(api.request("GET", "/health")).await.expect("answered");
            if (now.status, function.status) == (200, 200) { Ok(()) } else { Err((now.text, function.text)) }
        })
        .await;

        // While it was away every answer told the truth, and told it in the form that was promised.
        for answer in alive.end().await {
            assert_eq!(answer.expect("liveness is always answered").status, 200);
        }
        for answer in ready.end().await {
            let answer = answer.expect("readiness is always answered");
            assert!(matches!(answer.status, 200 | 503), "{answer:?}");
            assert_eq!(answer.json()["ok"], answer.status == 200, "{answer:?}");
            if answer.status == 503 {
                assert_eq!(answer.json()["failed"], json!(["database"]), "{answer:?}");
                assert!(!answer.text.contains("127.0.0.1"), "{answer:?}");
            }
        }
        for answer in works.end().await {
            let answer = answer.expect("function is always answered");
            assert!(matches!(answer.status, 200 | 503), "{answer:?}");
            assert_eq!(answer.json()["ok"], answer.status == 200, "{answer:?}");
        }
        for answer in lists.end().await {
            let answer = answer.expect("the API always answers");
            assert!(matches!(answer.status, 200 | 503), "{answer:?}");
            if answer.status == 503 {
                assert_eq!(answer.header("content-type"), "application/problem+json", "{answer:?}");
                assert!(answer.header("retry-after").parse::<u32>().is_ok_and(|s| s > 0), "{answer:?}");
                assert_eq!(answer.json()["status"], 503);
                assert!(!answer.text.contains("ostgres"), "{answer:?}");
            }
        }
        let seen = pings.statuses();
        assert!(seen.keys().all(|status| matches!(status, 200 | 503)), "{seen:?}");
        let acknowledged = pings.end().await;
        let kept = api.pings(BEATS).await;
        let lost: Vec<&String> = acknowledged.difference(&kept).collect();
        assert!(lost.is_empty(), "{} of {} pings are lost: {lost:?}", lost.len(), acknowledged.len());

        // What was checked meanwhile has been written, and nobody was called down for it.
        let results = api.results(&monitor, 3).await;
        assert!(
            results.iter().all(|r| matches!(r["outcome"].as_str(), Some("up" | "missed"))),
            "{results:#?}"
        );
        assert_eq!(api.get(&format!("/monitors/{monitor}")).await["verdict"], "up");
        assert_eq!(api.items("/incidents").await, Vec::<Value>::new());
        assert_eq!(hook.requests(), [], "nobody was told anything");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_database_that_does_not_answer_holds_nothing_up() {
    within(120, async {
        let folder = tempfile::tempdir().expect("a folder");
        let database = url::Url::parse(&fresh_postgres_database()).expect("a URL");
        let wire = Wire::to(database.port().expect("a port")).await;
        let over = format!("postgres://postgres@{}{}", wire.address, database.path());
        let (target, hook) = (Receiver::start().await, Receiver::start().await);
        let mut command = landfall(folder.path());
        command.args(["serve", "--listen", "127.0.0.1", "--port", "0", "--database", &over]).args(ALLOW);
        command.env("LANDFALL_REQUEST_TIMEOUT", "5s");
        let server = Server::of(command).await;
        let api = Api::first(&server).await;
        api.webhook(&format!("{}/hook", hook.base)).await;
        let monitor = api.monitor("api", http(&format!("{}/", target.base)), json!({})).await;
        let id = api.heartbeats(1).await.remove(0);
        api.verdict(&monitor, "up").await;

        wire.cut();
        let checks = target.requests().len();
        let get = async |path: &str| send(api.request("GET", path)).await.expect("answered");
        let ping =
            async || send(api.http.post(format!("{}/ping/{id}", server.base))).await.expect("answered");
        let (alive, ready, health, list, pinged) = tokio::join!(
            get("/healthz"),
            async {
                until("the truth", 20, async || {
                    let ready = get("/readyz").await;
                    if ready.status == 503 { Ok(ready) } else { Err(ready.text) }
                })
                .await
            },
            get("/health"),
            get("/api/v1/monitors"),
            ping()
        );
        assert_eq!(alive.status, 200);
        assert_eq!((ready.status, &ready.json()["failed"]), (503, &json!(["database"])), "{ready:?}");
        assert_eq!(health.status, 503, "{health:?}");
        assert_eq!((list.status, list.header("content-type")), (503, "application/problem+json"), "{list:?}");
        assert!(!list.header("retry-after").is_empty(), "{list:?}");
        assert_eq!(pinged.status, 503, "{pinged:?}");
        until("checks go on without it", 60, async || {
            let seen = target.requests().len();
            if seen >= checks + 3 { Ok(()) } else { Err(seen) }
        })
        .await;

        wire.mend();
        until("everything works again", 60, async || {
            let seen = (
                get("/readyz").await.status,
                get("/health").await.status,
                get("/api/v1/monitors").await.status,
            );
            if seen == (200, 200, 200) { Ok(()) } else { Err(seen) }
        })
        .await;
        until("pings again", 60, async || {
            let seen = ping().await;
            if seen.status == 200 { Ok(()) } else { Err(seen) }
        })
        .await;
        let results = api.results(&monitor, checks + 2).await;
        assert!(
            results.iter().all(|r| matches!(r["outcome"].as_str(), Some("up" | "missed"))),
            "{results:#?}"
        );
        assert_eq!(api.items("/incidents").await, Vec::<Value>::new());
        assert_eq!(hook.requests(), [], "nobody was told anything");
    })
    .await;
}

/// A small file system in a mount namespace of its own. Both end with this value.
struct SmallDisk {
    holder: std::process::Child,
    place: &'static str,
}

impl SmallDisk {
    fn new() -> Self {
        use std::io::{BufRead as _, BufReader};
        let place = "/mnt";
        let mut holder = std::process::Command::new("unshare")
            .args(["-m", "--propagation", "private", "sh", "-c"])
            .arg(format!("mount -t tmpfs -o size=12m,mode=0700 none {place} && echo mounted && exec cat"))
            .stdin(std::process::Stdio::piped())
            .stdout(std::process::Stdio::piped())
            .stderr(std::process::Stdio::inherit())
            .spawn()
            .expect("unshare is there (package util-linux)");
        let mut line = String::new();
        let _ = BufReader::new(holder.stdout.as_mut().expect("piped")).read_line(&mut line);
        assert_eq!(
            line, "mounted\n",
            "a tmpfs cannot be mounted in a mount namespace of its own: this test needs root or CAP_SYS_ADMIN"
        );
        Self { holder, place }
    }

    /// The same folder as seen from here.
    fn seen(&self, name: &str) -> std::path::PathBuf {
        format!("/proc/{}/root{}/{name}", self.holder.id(), self.place).into()
    }

    /// Leaves no byte.
    fn fill(&self) {
        use std::io::Write as _;
        let mut file =
            std::fs::File::options().create(true).append(true).open(self.seen("filler")).expect("opened");
        for size in [1 << 16, 1 << 12, 1] {
            let bytes = vec![b'x'; size];
            while file.write_all(&bytes).is_ok() {}
        }
    }

    fn free(&self) {
        std::fs::remove_file(self.seen("filler")).expect("removed");
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = self.holder.kill();
        let _ = self.holder.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_full_disk_is_said_and_nothing_is_corrupt_afterwards() {
    within(120, async {
        const BEATS: usize = 16;
        let folder = tempfile::tempdir().expect("a folder");
        let disk = SmallDisk::new();
        let (target, hook) = (Receiver::start().await, Receiver::start().await);
        let start = || {
            let mut command = landfall_beside(disk.holder.id(), folder.path());
            command.args(["serve", "--listen", "127.0.0.1", "--port", "0"]).args(ALLOW);
            command.args(["--database", &format!("{}/db.sqlite3", disk.place)]);
            command
        };
        let server = Server::of(start()).await;
        let api = Api::first(&server).await;
        api.webhook(&format!("{}/hook", hook.base)).await;
        let monitor = api.monitor("api", http(&format!("{}/", target.base)), json!({})).await;
        let ids = api.heartbeats(BEATS).await;
        api.verdict(&monitor, "up").await;
        let pings = Pings::begin(&server.base, &ids, 2, Duration::from_millis(40));
        until("load", 30, async || if pings.count(200) > 20 { Ok(()) } else { Err(pings.statuses()) }).await;

        // A write-ahead log that has pages to use again takes some writes still; then there is no more room.
        until("a full disk", 60, async || {
            disk.fill();
            let seen = pings.statuses();
            if seen.get(&503).is_some_and(|n| *n > 10) { Ok(()) } else { Err(seen) }
        })
        .await;
        until("the truth about it", 20, async || {
            disk.fill();
            let health = send(api.request("GET", "/health")).await.expect("answered");
            if health.status == 503 { Ok(health) } else { Err(health.text) }
        })
        .await;
        let health = send(api.request("GET", "/health")).await.expect("answered");
        assert_eq!((health.status, &health.json()["failed"]), (503, &json!(["writes"])), "{health:?}");
        let alive = send(api.request("GET", "/healthz")).await.expect("answered");
        assert_eq!(alive.status, 200);
        // What is there can still be read, by programs and by people.
        assert_eq!(api.get(&format!("/monitors/{monitor}")).await["name"], "api");
        let page = send(api.http.get(format!("{}/sign-in", server.base))).await.expect("answered");
        assert_eq!(page.status, 200, "{page:?}");
        let refused =
            api.post("/monitors", &json!({ "name": "more", "check": http("http://127.0.0.1:9/") })).await;
        assert_eq!(
            (refused.status, refused.header("content-type")),
            (503, "application/problem+json"),
            "{refused:?}"
        );
        assert!(!refused.header("retry-after").is_empty(), "{refused:?}");

        // Killed while it is full, which is when a write that was cut short would show.
        server.kill().await;
        let seen = pings.statuses();
        assert!(seen.keys().all(|status| matches!(status, 0 | 200 | 503)), "{seen:?}");
        let acknowledged = pings.end().await;
        disk.free();
        let server = Server::of(start()).await;
        let api = api.at(&server);
        let pings = Pings::begin(&server.base, &ids, 2, Duration::from_millis(40));
        until("pings again", 30, async || if pings.count(200) > 5 { Ok(()) } else { Err(pings.statuses()) })
            .await;
        let more = pings.end().await;
        let kept = api.pings(BEATS).await;
        let lost: Vec<&String> = acknowledged.union(&more).filter(|p| !kept.contains(*p)).collect();
        assert!(lost.is_empty(), "{} pings are lost: {lost:?}", lost.len());

        // And once more without a restart: full, free, and everything goes on by itself.
        disk.fill();
        let pings = Pings::begin(&server.base, &ids, 2, Duration::from_millis(40));
        until("a full disk", 60, async || {
            disk.fill();
            let seen = pings.statuses();
            if seen.get(&503).is_some_and(|n| *n > 3) { Ok(()) } else { Err(seen) }
        })
        .await;
        disk.free();
        let ok = pings.count(200);
        until(
            "pings again",
            30,
            async || if pings.count(200) > ok + 5 { Ok(()) } else { Err(pings.statuses()) },
        )
        .await;
        drop(pings.end().await);
        until("function", 20, async || {
            let health = send(api.request("GET", "/health")).await.expect("answered");
            if health.status == 200 { Ok(()) } else { Err(health.text) }
        })
        .await;
        let before = api.items(&format!("/monitors/{monitor}/results?limit=500")).await.len();
        let results = api.results(&monitor, before + 1).await;
        assert!(
            results.iter().all(|r| matches!(r["outcome"].as_str(), Some("up" | "missed"))),
            "{results:#?}"
        );
        let store = Store::open(&disk.seen("db.sqlite3").display().to_string()).await.expect("opens");
        let rows = store.query("PRAGMA integrity_check", &[]).await.expect("it answers");
        assert_eq!(rows[0].text("integrity_check").expect("text"), "ok");
        assert_eq!(hook.requests(), [], "nobody was told anything");
    })
    .await;
}

// ---------------------------------------------------------------------------------------------------------------------
// Networks that fail.

#[tokio::test(flavor = "multi_thread")]
async fn a_resolver_that_is_gone_is_nobodys_downtime_and_a_name_that_is_gone_is() {
    within(120, async {
        let folder = tempfile::tempdir().expect("a folder");
        let (target, hook) = (Receiver::start().await, Receiver::start().await);
        let resolver = Resolver::start(Mood::Loopback);
        let at = resolver.address.to_string();
        let server = Server::start(folder.path(), &["--resolver", &at, ALLOW[0], ALLOW[1]]).await;
        let api = Api::first(&server).await;
        api.webhook(&format!("{}/hook", hook.base)).await;
        let url = format!("http://api.example.test:{}/", target.port);
        let monitor = api.monitor("api", http(&url), json!({})).await;
        api.verdict(&monitor, "up").await;
        assert!(resolver.asked() > 0, "the server asks the resolver that it was given");

        resolver.be(Mood::Silent);
        let before = api.items(&format!("/monitors/{monitor}/results?limit=500")).await.len();
        let results = api.results(&monitor, before + 3).await;
        let silent: Vec<(&Value, &Value)> =
            results[..2].iter().map(|r| (&r["outcome"], &r["reason"])).collect();
        assert_eq!(silent, [(&json!("inconclusive"), &json!("dns_silent")); 2], "{results:#?}");
        assert_eq!(api.items("/incidents").await, Vec::<Value>::new());
        assert_eq!(hook.requests(), [], "nobody was told anything");

        resolver.be(Mood::Nothing);
        let down = api.verdict(&monitor, "down").await;
        assert_eq!(down["reason"], "dns_error", "{down:#}");
        hook.received(1).await;
        let alert = hook.requests()[0].json();
        assert_eq!(alert["event"], "down", "{alert:#}");
        assert_eq!(alert["cause"]["id"], "record-missing", "{alert:#}");
        assert!(
            alert["headline"].as_str().is_some_and(|h| h.starts_with("DOWN api.example.test: ")),
            "{alert:#}"
        );

        resolver.be(Mood::Loopback);
        api.verdict(&monitor, "up").await;
        until("the end", 20, async || {
            let seen = events(&hook);
            if seen == ["down", "up"] { Ok(()) } else { Err(seen) }
        })
        .await;
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_is_cut_off_blames_itself() {
    within(120, async {
        let folder = tempfile::tempdir().expect("a folder");
        let hook = Receiver::start().await;
        // No answer to any packet: that of the target, and that of the canary.
        let (target, canary) = (ports::Full::new(), ports::Full::new());
        let at = canary.address().to_string();
        let server = Server::start(folder.path(), &["--canary", &at, ALLOW[0], ALLOW[1]]).await;
        let api = Api::first(&server).await;
        api.webhook(&format!("{}/hook", hook.base)).await;
        let more = json!({ "timeout_ms": 1000 });
        let monitor = api.monitor("api", http(&format!("http://{}/", target.address())), more).await;
        // On a busy machine a check may still be under way at the tick after it, which is then recorded as missed.
        let results = api.results(&monitor, 3).await;
        assert!(results.iter().any(|r| r["outcome"] == "inconclusive"), "{results:#?}");
        for result in results.iter().filter(|r| r["outcome"] != "missed") {
            assert_eq!(
                (&result["outcome"], &result["reason"]),
                (&json!("inconclusive"), &json!("own_connection")),
                "{result:#}"
            );
        }
        assert_eq!(api.get(&format!("/monitors/{monitor}")).await["verdict"], "inconclusive");
        assert_eq!(api.items("/incidents").await, Vec::<Value>::new());
        assert_eq!(hook.requests(), [], "nobody was told anything");

        // The way out is back (a refusal came from the other side), and the target is as silent as before: now it counts.
        drop(canary);
        api.verdict(&monitor, "down").await;
        hook.received(1).await;
        assert_eq!(events(&hook), ["down"]);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_channel_that_is_away_gets_everything_once_and_in_order() {
    within(120, async {
        let folder = tempfile::tempdir().expect("a folder");
        let (target, hook) = (Receiver::start().await, Receiver::start().await);
        let server = Server::start(folder.path(), &ALLOW).await;
        let api = Api::first(&server).await;
        let channel = api.webhook(&format!("{}/hook", hook.base)).await;
        let monitor = api.monitor("api", http(&format!("{}/", target.base)), json!({})).await;
        api.verdict(&monitor, "up").await;

        hook.break_down(Fault::Close);
        target.break_down(broken());
        hook.received(1).await;
        target.heal();
        api.verdict(&monitor, "up").await;
        let failing = hook.requests().len();
        hook.heal();
        until("both letters", 60, async || {
            let seen = api.items(&format!("/deliveries?channel={channel}")).await;
            let delivered = seen.iter().filter(|d| d["outcome"] == "delivered").count();
            if delivered >= 2 { Ok(()) } else { Err(seen) }
        })
        .await;
        let requests = hook.requests();
        let through: Vec<&str> =
            requests[failing..].iter().map(|r| r.header("landfall-event").unwrap_or_default()).collect();
        assert_eq!(through.iter().filter(|e| **e == "down").count(), 1, "{through:?}");
        assert_eq!(through.iter().filter(|e| **e == "up").count(), 1, "{through:?}");
        assert_eq!((through.first(), through.last()), (Some(&"down"), Some(&"up")), "down before up");
        let down: Vec<Option<&str>> = requests
            .iter()
            .filter(|r| r.header("landfall-event") == Some("down"))
            .map(|r| r.header("idempotency-key"))
            .collect();
        assert!(
            down.len() >= 2 && down.iter().all(|key| *key == down[0]),
            "one key for all attempts: {down:?}"
        );
        // The log tells every attempt, newest first.
        let log = api.items(&format!("/deliveries?channel={channel}")).await;
        let outcomes: Vec<&str> = log.iter().filter_map(|d| d["outcome"].as_str()).collect();
        assert_eq!(outcomes.len(), requests.len(), "{log:#?}");
        assert_eq!(outcomes.last(), Some(&"retry"), "{log:#?}");
        assert_eq!(outcomes.iter().filter(|o| **o == "retry").count(), failing, "{log:#?}");
        let view = api.items("/channels").await;
        assert!(view[0]["last_delivered"].is_string() && view[0]["last_error"].is_null(), "{view:#?}");
    })
    .await;
}

// ---------------------------------------------------------------------------------------------------------------------
// Clients that misbehave, and those that do not.

#[tokio::test(flavor = "multi_thread")]
async fn bounds_hold_and_hold_nobody_else_up() {
    within(90, async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(folder.path(), &[]).await;
        let api = Api::first(&server).await;
        let address = server.address();

        // A header that comes a byte at a time is not waited for for ever.
        let slow = tokio::spawn(async move {
            let mut stream = TcpStream::connect(address).await.expect("connected");
            stream.write_all(b"GET /healthz HTTP/1.1\r\nhost: localhost\r\nx-slow: ").await.expect("sent");
            let (mut read, mut write) = stream.into_split();
            let drip = tokio::spawn(async move {
                while write.write_all(b"x").await.is_ok() {
                    tokio::time::sleep(Duration::from_millis(500)).await;
                }
            });
            let mut said = Vec::new();
            // A reset is as good an end as a closed connection.
            let _ = read.read_to_end(&mut said).await;
            drip.abort();
            String::from_utf8_lossy(&said).into_owned()
        });
        let mut idle = Vec::new();
        for _ in 0..200 {
            idle.push(TcpStream::connect(address).await.expect("connected"));
        }
        // Half of them have begun to say something.
        for stream in idle.iter_mut().step_by(2) {
            stream.write_all(b"GET / HTTP/1.1\r\n").await.expect("sent");
        }
        for _ in 0..20 {
            assert_eq!(api.get("/session").await["organisation_name"], "Example");
        }

        let fresh = client();
        let long =
            send(fresh.get(format!("{}/healthz", server.base)).header("x-long", "x".repeat(64 * 1024))).await;
        assert_eq!(long.expect("answered").status, 431);
        let many = (0..400)
            .fold(fresh.get(format!("{}/healthz", server.base)), |r, n| r.header(format!("x-{n}"), "1"));
        let many = send(many).await.expect("answered");
        assert_eq!(many.status, 431, "{many:?}");
        let large = json!({ "name": "x".repeat(3 * 1024 * 1024) });
        let large = api.post("/monitors", &large).await;
        assert_eq!(
            (large.status, large.header("content-type")),
            (413, "application/problem+json"),
            "{large:?}"
        );
        let deep = format!("{}{}", "[".repeat(100_000), "]".repeat(100_000));
        let deep =
            api.request("POST", "/api/v1/monitors").header("content-type", "application/json").body(deep);
        let deep = send(deep).await.expect("answered");
        assert!(matches!(deep.status, 400 | 422), "{deep:?}");

        let said = slow.await.expect("it did not panic");
        assert!(said.is_empty() || said.starts_with("HTTP/1.1 408"), "{said}");
        assert_eq!(send(api.request("GET", "/healthz")).await.expect("answered").status, 200);
        drop(idle);
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn plan_apply_and_run_work_against_it() {
    within(90, async {
        let folder = tempfile::tempdir().expect("a folder");
        let server = Server::start(folder.path(), &[]).await;
        let api = Api::first(&server).await;
        let project = tempfile::tempdir().expect("a folder");
        let file = project.path().join("landfall.toml");
        let declare = |name: &str| {
            let text = format!(
                "[[channel]]\nid = \"ops\"\nname = \"Ops\"\nkind = \"webhook\"\nconfig = {{ url = \"https://hooks.example.com/x\" }}\n\n\
                 [[monitor]]\nid = \"api\"\nname = \"{name}\"\ninterval_s = 300\nchannels = [\"ops\"]\n\
                 check = {{ kind = \"http\", url = \"https://api.example.com/health\" }}\n\n\
                 [[heartbeat]]\nid = \"nightly\"\nname = \"Nightly\"\nperiod_s = 86400\n"
            );
            std::fs::write(&file, text).expect("written");
        };
        let call = async |what: &str| {
            let mut command = landfall(project.path());
            command.args([what, "--server", &server.base, "--json"]).env("LANDFALL_KEY", &api.key);
            let (code, stdout, stderr) = finished(command).await;
            assert_eq!(code, Some(0), "{what}: {stdout}{stderr}");
            assert!(!stdout.contains(&api.key) && !stderr.contains(&api.key));
            let plan: Value = serde_json::from_str(&stdout).expect("a plan");
            let steps = plan["steps"].as_array().expect("steps").iter();
            steps.map(|s| s["action"].as_str().unwrap_or_default().to_owned()).collect::<Vec<_>>()
        };
        declare("The API");
        assert_eq!(call("plan").await, ["create"; 3]);
        assert_eq!(api.items("/monitors").await, Vec::<Value>::new(), "a plan changes nothing");
        assert_eq!(call("apply").await, ["create"; 3]);
        let made = api.items("/monitors").await;
        assert_eq!((&made[0]["name"], &made[0]["origin"]), (&json!("The API"), &json!("file")));
        assert_eq!(call("plan").await, ["unchanged"; 3]);
        assert_eq!(call("apply").await, ["unchanged"; 3]);
        assert_eq!(api.items("/monitors").await[0]["id"], made[0]["id"]);
        declare("The public API");
        let mut changed = call("apply").await;
        changed.sort();
        assert_eq!(changed, ["change", "unchanged", "unchanged"]);
        let renamed = api.items("/monitors").await;
        assert_eq!(renamed.len(), 1);
        assert_eq!((&renamed[0]["name"], &renamed[0]["id"]), (&json!("The public API"), &made[0]["id"]));
        // A wrong key is the caller's mistake, and the file stays unapplied.
        let mut command = landfall(project.path());
        command.args(["apply", "--server", &server.base, "--key", "lf_wrong"]);
        let (code, _, stderr) = finished(command).await;
        assert_eq!(code, Some(2), "{stderr}");

        let beat = api.get("/heartbeats/by-external-id/nightly").await;
        let url = format!("{}/ping/{}", server.base, beat["id"].as_str().expect("an id"));
        for (command, status) in [("echo done; exit 0", 0), ("echo broken >&2; exit 3", 3)] {
            let mut run = landfall(project.path());
            run.args(["run", "--url", &url, "--", "sh", "-c", command]);
            let (code, _, stderr) = finished(run).await;
            assert_eq!((code, stderr.contains("could not be told")), (Some(status), false), "{stderr}");
        }
        let pings = api.items("/heartbeats/by-external-id/nightly/pings").await;
        let told: Vec<(&str, &str)> = pings
            .iter()
            .rev()
            .map(|p| (p["kind"].as_str().unwrap_or_default(), p["body"].as_str().unwrap_or_default().trim()))
            .collect();
        assert_eq!(told, [("start", ""), ("success", "done"), ("start", ""), ("fail", "broken")]);
        assert_eq!(api.get("/heartbeats/by-external-id/nightly").await["status"], "down");
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn addresses_inside_are_refused_through_the_whole_server() {
    within(120, async {
        let folder = tempfile::tempdir().expect("a folder");
        let inside = Receiver::start().await;
        let resolver = Resolver::start(Mood::Loopback);
        let at = resolver.address.to_string();
        // Nothing is allowed here.
        let server = Server::start(folder.path(), &["--resolver", &at]).await;
        let api = Api::first(&server).await;
        let port = inside.port;
        let checks = [
            http(&format!("http://127.0.0.1:{port}/")),
            http(&format!("http://localhost:{port}/")),
            http(&format!("http://[::1]:{port}/")),
            http(&format!("http://[::ffff:127.0.0.1]:{port}/")),
            http(&format!("http://2130706433:{port}/")),
            http(&format!("http://0.0.0.0:{port}/")),
            http("http://10.0.0.1/"),
            http("http://172.16.0.1/"),
            http("http://192.168.0.1/"),
            http("http://100.64.0.1/"),
            http("http://169.254.169.254/latest/meta-data/"),
            http("http://[fd00:ec2::254]/latest/meta-data/"),
            http("http://[fe80::1]/"),
            // A public name with a private address.
            http(&format!("http://rebind.example.test:{port}/")),
            json!({ "kind": "tcp", "host": "127.0.0.1", "port": port }),
            json!({ "kind": "tcp", "host": "rebind.example.test", "port": port }),
            json!({ "kind": "tls", "host": "127.0.0.1", "port": port }),
            json!({ "kind": "dns", "name": "example.test", "server": "127.0.0.1:53" }),
        ];
        let mut monitors = Vec::new();
        for (n, check) in checks.iter().enumerate() {
            monitors.push((check, api.monitor(&format!("m{n}"), check.clone(), json!({})).await));
        }
        let channel = api.webhook(&format!("http://127.0.0.1:{port}/hook")).await;
        assert_eq!(api.post(&format!("/channels/{channel}/test"), &json!({})).await.status, 202);
        let audit = api.post("/reports", &json!({ "url": format!("http://127.0.0.1:{port}") })).await;
        assert_eq!(audit.status, 202, "{audit:?}");
        let audit = audit.json()["id"].as_str().expect("an id").to_owned();

        for (check, monitor) in &monitors {
            let results = api.results(monitor, 1).await;
            assert_eq!(
                (&results[0]["outcome"], &results[0]["reason"]),
                (&json!("inconclusive"), &json!("forbidden")),
                "{check}: {results:#?}"
            );
        }
        let tried = until("the attempt", 30, async || {
            let seen = api.items(&format!("/deliveries?channel={channel}")).await;
            seen.first().cloned().ok_or(seen)
        })
        .await;
        assert_ne!(tried["outcome"], "delivered", "{tried:#}");
        let report = until("the audit", 60, async || {
            let seen = api.get(&format!("/reports/{audit}")).await;
            if matches!(seen["status"].as_str(), Some("done" | "failed")) { Ok(seen) } else { Err(seen) }
        })
        .await;
        assert!(matches!(report["verdict"].as_str(), None | Some("unknown")), "{report:#}");
        assert_eq!(inside.requests(), [], "nothing inside was asked");
        assert_eq!(
            api.items("/incidents").await,
            Vec::<Value>::new(),
            "a refusal of ours is nobody's downtime"
        );
    })
    .await;
}
