//! Nothing is left of a world: no process, no folder, no listener.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::{Duration, Instant};

use landfall_lab::{Lab, LabOptions, load};
use tokio::io::{AsyncBufReadExt, BufReader};

use crate::clients::{EDGE, led, up};

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

fn folder_of(lab: &Lab) -> PathBuf {
    lab.access().ca_file.parent().expect("it lies in the world's folder").to_owned()
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

#[tokio::test]
async fn down_leaves_nothing() {
    let lab = up(&load("levqor-deployed").expect("exists")).await;
    let (folder, edge) = (folder_of(&lab), led(lab.access(), EDGE, 443));
    assert!(
        processes_below(&folder).len() >= 6,
        "two masters with two workers each: {:?}",
        processes_below(&folder)
    );
    lab.down().await;
    assert!(gone(&folder).await, "{:?}", processes_below(&folder));
    assert!(tokio::net::TcpStream::connect(edge).await.is_err());
}

#[tokio::test]
async fn dropped_in_the_middle_of_an_audit_it_leaves_nothing() {
    let lab = up(&load("levqor-undeployed").expect("exists")).await;
    let folder = folder_of(&lab);
    drop(lab);
    assert!(gone(&folder).await, "{:?}", processes_below(&folder));
}

/// SIGKILL, or a Ctrl-C that nobody handles: no destructor runs, and still nothing is left.
#[tokio::test]
async fn killed_it_leaves_nothing() {
    let mut child = tokio::process::Command::new(std::env::current_exe().expect("this test"))
        .args(["--exact", "leftovers::a_world_until_it_is_killed", "--ignored", "--nocapture"])
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

const STANDS: &str = "the world stands in ";

#[tokio::test]
#[ignore = "the other half of killed_it_leaves_nothing, which starts it"]
async fn a_world_until_it_is_killed() {
    let lab = up(&load("levqor-undeployed").expect("exists")).await;
    println!("{STANDS}{}", folder_of(&lab).display());
    // The bound only matters to somebody who runs this half alone.
    tokio::time::sleep(Duration::from_secs(120)).await;
}

#[tokio::test]
async fn a_world_that_fails_to_come_up_leaves_nothing() {
    let mut scenario = load("levqor-host-unbound").expect("exists");
    let broken = scenario.world.deployment.get_mut("backend").expect("it has one");
    broken.env.insert("MAX_CONTENT_LENGTH".into(), "many".into());
    let before: Vec<PathBuf> = lab_folders();
    let error = Lab::up(&scenario, &LabOptions::default())
        .await
        .expect_err("the deployment cannot start")
        .to_string();
    assert!(
        error.contains("deployment backend ended") && error.contains("invalid literal for int()"),
        "{error}"
    );
    // Other tests build worlds at the same time; only one that shows this deployment's log is ours.
    for folder in lab_folders().iter().filter(|f| !before.contains(f)) {
        let log = std::fs::read_to_string(folder.join("deployment-backend.log")).unwrap_or_default();
        assert!(!log.contains("invalid literal for int()"), "{} was left", folder.display());
    }
}

fn lab_folders() -> Vec<PathBuf> {
    let entries = std::fs::read_dir(std::env::temp_dir()).expect("a temporary folder").flatten();
    entries
        .map(|e| e.path())
        .filter(|p| p.file_name().is_some_and(|n| n.to_string_lossy().starts_with("landfall-lab-")))
        .collect()
}

#[tokio::test]
async fn two_worlds_stand_side_by_side() {
    let scenario = load("levqor-undeployed").expect("exists");
    let (one, two) = tokio::join!(up(&scenario), up(&scenario));
    assert_ne!(one.access().local, two.access().local);
    assert_ne!(one.access().connect_to, two.access().connect_to);
    assert_ne!(
        std::fs::read(&one.access().ca_file).expect("an anchor"),
        std::fs::read(&two.access().ca_file).expect("an anchor"),
        "each world has an authority of its own"
    );
    tokio::join!(one.down(), two.down());
}
