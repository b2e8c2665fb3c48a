//! Recipes come up with real servers of every kind, are audited, and leave nothing behind.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use landfall_corpus::record;
use landfall_diagnosis::{Catalogue, Label, diagnose};
use landfall_evidence::{Evidence, Observed, Vantage};
use landfall_lab::LabOptions;
use landfall_lab::recipe::{Kind, Recipe, Running};
use tokio::io::{AsyncBufReadExt, BufReader};

fn recipe(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../../scenarios/corpus").join(format!("{name}.toml"))
}

async fn recorded(name: &str) -> Evidence {
    record::record(&recipe(name), Catalogue::embedded(), &LabOptions::default())
        .await
        .unwrap_or_else(|error| panic!("{name}: {error}"))
}

/// The statuses that production answered with, each with its HTTP version and path.
fn answers(evidence: &Evidence) -> Vec<String> {
    evidence
        .http()
        .filter(|(observation, _)| observation.vantage == Vantage::Edge)
        .filter_map(|(observation, seen)| match &seen.answer {
            Observed::Present(response) => Some({
                let id = observation.id.to_string();
                format!("{} = {}", id.strip_prefix("http/").unwrap_or(&id), response.status)
            }),
            _ => None,
        })
        .collect()
}

/// One world of each kind of server, and an answer that only that server can have given.
const KINDS: [(&str, &[Kind], &str); 9] = [
    ("healthy/nginx-gunicorn", &[Kind::Nginx, Kind::Gunicorn], "edge/GET /api/items/HTTP/2/192.0.2.10 = 200"),
    ("healthy/haproxy", &[Kind::Haproxy], "edge/plain-http GET /health/HTTP/1.1/192.0.2.10 = 301"),
    ("healthy/caddy-h3", &[Kind::Caddy], "edge/GET /health/HTTP/3/192.0.2.10 = 200"),
    ("healthy/uvicorn", &[Kind::Uvicorn], "edge/GET /api/items/HTTP/2/192.0.2.10 = 200"),
    ("healthy/node", &[Kind::Node], "edge/GET /api/items/HTTP/2/192.0.2.10 = 200"),
    ("healthy/dnssec", &[Kind::Named], "edge/GET /health/HTTP/2/192.0.2.10 = 200"),
    ("healthy/nsd-unbound", &[Kind::Nsd, Kind::Unbound], "edge/GET /health/HTTP/2/192.0.2.10 = 200"),
    ("healthy/cloudflare-passed", &[Kind::Actor], "edge/GET /health/HTTP/1.1/192.0.2.10 = 200"),
    ("healthy/python-server", &[Kind::Command], "edge/GET //HTTP/2/192.0.2.10 = 200"),
];

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_world_of_every_kind_of_server_comes_up_and_is_audited() {
    let mut seen = Vec::new();
    // Three at a time: each has processes of its own, and some start slowly on a busy machine.
    for some in KINDS.chunks(3) {
        let mut running = tokio::task::JoinSet::new();
        for (name, kinds, answer) in some {
            running.spawn(async move { (*name, *kinds, *answer, recorded(name).await) });
        }
        while let Some(done) = running.join_next().await {
            let (name, kinds, answer, evidence) = done.expect("no panic");
            let has: Vec<Kind> =
                Recipe::load(&recipe(name)).expect("loads").server.iter().map(|s| s.kind).collect();
            assert!(kinds.iter().all(|kind| has.contains(kind)), "{name}: {has:?}");
            seen.extend_from_slice(kinds);
            let all = answers(&evidence);
            assert!(all.iter().any(|a| a == answer), "{name}: {all:?}");
            let causes = diagnose(&evidence, Catalogue::embedded()).causes;
            let named: Vec<&str> =
                causes.iter().filter(|c| c.label >= Label::Likely).map(|c| c.id.as_str()).collect();
            assert!(named.is_empty(), "{name}: {named:?}");
        }
    }
    let every = [
        Kind::Nginx,
        Kind::Haproxy,
        Kind::Caddy,
        Kind::Gunicorn,
        Kind::Uvicorn,
        Kind::Node,
        Kind::Named,
        Kind::Nsd,
        Kind::Unbound,
        Kind::Actor,
        Kind::Command,
    ];
    assert!(every.iter().all(|kind| seen.contains(kind)), "{seen:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_recording_names_no_port_and_no_folder_of_this_run_and_is_kept_byte_for_byte() {
    let evidence = recorded("healthy/git-ahead").await;
    let text = evidence.to_json();
    assert!(!text.contains("landfall-lab-"), "a temporary folder is left");
    assert_eq!(evidence.target.project.as_deref(), Some("/srv/project"));
    let local = evidence.target.local.as_ref().and_then(url::Url::port).expect("declared with its port");
    assert!((40_001..40_020).contains(&local), "{local}");
    // A port of the range that worlds take theirs from, behind a loopback address.
    let left: Vec<&str> = text
        .split("127.0.0.1:")
        .skip(1)
        .map(|rest| rest.split(|c: char| !c.is_ascii_digit()).next().unwrap_or_default())
        .filter(|port| !port.is_empty() && !port.starts_with("400"))
        .collect();
    assert!(left.is_empty(), "{left:?}");
    let folder = tempfile::tempdir().expect("a folder");
    let (one, two) = (folder.path().join("one.json.gz"), folder.path().join("two.json.gz"));
    record::write(&one, &evidence).expect("written");
    record::write(&two, &record::read(&one).expect("read")).expect("written");
    assert_eq!(std::fs::read(one).expect("there"), std::fs::read(two).expect("there"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_address_without_a_server_refuses_and_a_silent_one_is_silent() {
    let world = |more: &str| {
        format!(
            "title = \"nobody\"\n[truth]\ncauses = []\nhalf = \"tuned\"\ninside = false\n\
             [audit]\nconfig = '[target]\nproduction = \"https://api.example.test\"'\n{more}"
        )
        .replace("config = '", "config = '''")
        .replace("test\"'\n", "test\"'''\n")
    };
    let folder = tempfile::tempdir().expect("a folder");
    let (refused, dropped) = (folder.path().join("refused.toml"), folder.path().join("dropped.toml"));
    std::fs::write(&refused, world("")).expect("written");
    std::fs::write(&dropped, world("[[silent]]\npublic = \"192.0.2.10:443\"\n")).expect("written");
    let options = LabOptions::default();
    let (refused, dropped) = tokio::join!(
        record::record(&refused, Catalogue::embedded(), &options),
        record::record(&dropped, Catalogue::embedded(), &options)
    );
    let first = |evidence: &Evidence| {
        let edge = evidence.http().find(|(o, _)| o.id.0.starts_with("http/edge/GET //"));
        serde_json::to_string(&edge.expect("asked").1.answer).expect("serialises")
    };
    let (refused, dropped) = (first(&refused.expect("recorded")), first(&dropped.expect("recorded")));
    assert!(refused.contains("\"refused\""), "{refused}");
    assert!(dropped.contains("\"silent\"") && dropped.contains("\"connect\""), "{dropped}");
}

/// Processes whose working folder or command line lies below a folder.
fn processes_below(folder: &Path) -> Vec<String> {
    let needle = folder.display().to_string();
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").expect("procfs").flatten() {
        let below = std::fs::read_link(entry.path().join("cwd")).is_ok_and(|cwd| cwd.starts_with(folder));
        let command = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        let command = String::from_utf8_lossy(&command).replace('\0', " ");
        if below || command.contains(&needle) {
            found.push(command);
        }
    }
    found
}

/// A killed process stays visible until its parent has been told; nothing but time makes that so.
async fn gone(folder: &Path) -> bool {
    let end = Instant::now() + Duration::from_secs(20);
    while Instant::now() < end {
        if processes_below(folder).is_empty() && !folder.exists() {
            return true;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    false
}

const STANDS: &str = "the world stands in ";

#[tokio::test]
async fn taken_down_or_killed_a_world_leaves_nothing() {
    let recipe = Recipe::load(&recipe("healthy/nginx-gunicorn")).expect("loads");
    let running = Running::up(&recipe, &LabOptions::default()).await.expect("comes up");
    let folder = running.access().folder.clone();
    assert!(processes_below(&folder).len() >= 3, "{:?}", processes_below(&folder));
    running.down().await;
    assert!(gone(&folder).await, "{:?}", processes_below(&folder));

    let mut child = tokio::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "a_world_until_it_is_killed", "--ignored", "--nocapture"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .expect("starts");
    let mut lines = BufReader::new(child.stdout.take().expect("piped")).lines();
    let folder = loop {
        let line = lines.next_line().await.expect("text").expect("the world came up");
        if let Some((_, folder)) = line.split_once(STANDS) {
            break PathBuf::from(folder);
        }
    };
    assert!(!processes_below(&folder).is_empty() && folder.exists());
    child.kill().await.expect("killed");
    assert!(gone(&folder).await, "{:?}", processes_below(&folder));
}

#[tokio::test]
#[ignore = "the other half of taken_down_or_killed_a_world_leaves_nothing, which starts it"]
async fn a_world_until_it_is_killed() {
    let recipe = Recipe::load(&recipe("healthy/nginx-gunicorn")).expect("loads");
    let running = Running::up(&recipe, &LabOptions::default()).await.expect("comes up");
    println!("{STANDS}{}", running.access().folder.display());
    // The bound only matters to somebody who runs this half alone.
    tokio::time::sleep(Duration::from_secs(120)).await;
}

#[tokio::test]
async fn a_server_that_does_not_come_up_is_named_with_its_log_and_leaves_nothing() {
    let text = std::fs::read_to_string(recipe("healthy/nginx-gunicorn")).expect("there");
    let broken = text.replace(
        "from flask import Flask",
        "raise RuntimeError('no database address')\nfrom flask import Flask",
    );
    let recipe = Recipe::parse("broken.toml", &broken).expect("a valid recipe");
    let error = Running::up(&recipe, &LabOptions::default()).await.expect_err("it cannot start").to_string();
    assert!(error.contains("server app ended with") && error.contains("no database address"), "{error}");
}
