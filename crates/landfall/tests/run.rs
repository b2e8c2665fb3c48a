//! `landfall run` against a receiver on loopback: order, status, output, signals, and a receiver that is not there.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpListener;
use std::process::{Command, Output, Stdio};
use std::sync::{Arc, Mutex};

#[derive(Debug, Clone)]
struct Got {
    target: String,
    body: String,
}

/// A receiver that answers with the given statuses in turn, the last one for ever.
struct Receiver {
    url: String,
    got: Arc<Mutex<Vec<Got>>>,
}

impl Receiver {
    fn start(statuses: &'static [u16]) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
        let url = format!("http://{}/ping/secret-id", listener.local_addr().expect("an address"));
        let got: Arc<Mutex<Vec<Got>>> = Arc::default();
        let kept = Arc::clone(&got);
        std::thread::spawn(move || {
            for (i, stream) in listener.incoming().enumerate() {
                let Ok(mut stream) = stream else { return };
                let mut reader = BufReader::new(stream.try_clone().expect("a socket"));
                let mut first = String::new();
                let mut length = 0;
                let mut line = String::new();
                let _ = reader.read_line(&mut first);
                while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                    if let Some((name, value)) = line.split_once(':')
                        && name.eq_ignore_ascii_case("content-length")
                    {
                        length = value.trim().parse().expect("a length");
                    }
                    line.clear();
                }
                let mut body = vec![0; length];
                let _ = reader.read_exact(&mut body);
                let target = first.split(' ').nth(1).unwrap_or_default().to_owned();
                kept.lock()
                    .expect("no panic")
                    .push(Got { target, body: String::from_utf8_lossy(&body).into_owned() });
                let status = statuses[i.min(statuses.len() - 1)];
                let _ =
                    write!(stream, "HTTP/1.1 {status} X\r\ncontent-length: 2\r\nconnection: close\r\n\r\nOK");
            }
        });
        Self { url, got }
    }

    fn got(&self) -> Vec<Got> {
        self.got.lock().expect("no panic").clone()
    }
}

fn run(url: &str, command: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_landfall"))
        .args(["run", "--url", url, "--"])
        .args(command)
        .stdin(Stdio::null())
        .output()
        .expect("landfall runs")
}

#[test]
fn start_and_end_carry_one_rid_and_the_end_the_status_and_the_output() {
    let receiver = Receiver::start(&[200]);
    let done = run(&receiver.url, &["sh", "-c", "echo to stdout; echo to stderr >&2; exit 3"]);
    assert_eq!(done.status.code(), Some(3));
    assert_eq!(String::from_utf8_lossy(&done.stdout), "to stdout\n");
    assert_eq!(String::from_utf8_lossy(&done.stderr), "to stderr\n");
    let got = receiver.got();
    assert_eq!(got.len(), 2, "{got:?}");
    let (start, rid) = got[0].target.split_once("?rid=").expect("a rid");
    assert_eq!((start, rid.len()), ("/ping/secret-id/start", 36));
    assert_eq!(got[1].target, format!("/ping/secret-id/3?rid={rid}"));
    assert!(got[1].body.contains("to stdout\n") && got[1].body.contains("to stderr\n"));
}

#[test]
fn only_the_last_ten_kilobytes_are_sent_and_all_of_it_is_passed_on() {
    let receiver = Receiver::start(&[200]);
    let done = run(&receiver.url, &["sh", "-c", "i=0; while [ $i -lt 20000 ]; do echo $i; i=$((i+1)); done"]);
    assert_eq!(done.status.code(), Some(0));
    assert!(done.stdout.starts_with(b"0\n1\n") && done.stdout.ends_with(b"19999\n"));
    let got = receiver.got();
    assert_eq!(got[1].body.len(), 10_000);
    assert!(got[1].body.ends_with("19999\n"));
}

#[test]
fn a_receiver_that_is_not_there_changes_nothing_but_a_line_on_stderr() {
    let refused = Receiver::start(&[404]);
    let done = run(&refused.url, &["sh", "-c", "echo fine; exit 5"]);
    assert_eq!(done.status.code(), Some(5));
    assert_eq!(String::from_utf8_lossy(&done.stdout), "fine\n");
    let said = String::from_utf8_lossy(&done.stderr).into_owned();
    assert!(
        said.contains("could not be told") && said.contains("404") && !said.contains("secret-id"),
        "{said}"
    );
}

#[test]
fn a_ping_that_fails_is_tried_again() {
    let receiver = Receiver::start(&[200, 503, 200]);
    // The start must have arrived, or the statuses would go to other pings than meant.
    let done = run(&receiver.url, &["sh", "-c", "sleep 1"]);
    assert_eq!(done.status.code(), Some(0));
    let got = receiver.got();
    assert_eq!(got.len(), 3, "{got:?}");
    assert_eq!(got[1].target, got[2].target);
}

#[test]
fn signals_are_passed_on_and_the_status_is_that_of_a_shell() {
    let receiver = Receiver::start(&[200]);
    let killed = run(&receiver.url, &["sh", "-c", "kill -KILL $$"]);
    assert_eq!(killed.status.code(), Some(137));
    assert!(receiver.got().iter().any(|g| g.target.starts_with("/ping/secret-id/137?")));

    let receiver = Receiver::start(&[200]);
    let mut child = Command::new(env!("CARGO_BIN_EXE_landfall"))
        .args(["run", "--url", &receiver.url, "--", "sh", "-c"])
        .arg("trap 'echo got it; exit 7' TERM; echo ready; while :; do sleep 0.05; done")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .expect("landfall runs");
    let mut out = BufReader::new(child.stdout.take().expect("a pipe"));
    let mut line = String::new();
    out.read_line(&mut line).expect("the command is ready");
    assert_eq!(line, "ready\n");
    let sent = Command::new("kill").args(["-TERM", &child.id().to_string()]).status().expect("kill runs");
    assert!(sent.success());
    let mut rest = String::new();
    out.read_to_string(&mut rest).expect("the rest");
    assert_eq!((rest.as_str(), child.wait().expect("it ends").code()), ("got it\n", Some(7)));
    assert!(receiver.got().iter().any(|g| g.target.starts_with("/ping/secret-id/7?")));
}

#[test]
fn a_command_that_is_not_there_is_a_failed_run() {
    let receiver = Receiver::start(&[200]);
    let done = run(&receiver.url, &["/no/such/command"]);
    assert_eq!(done.status.code(), Some(127));
    let got = receiver.got();
    assert!(
        got.iter().any(|g| g.target.starts_with("/ping/secret-id/127?") && g.body.contains("cannot be run"))
    );
    let usage = run("nonsense", &["true"]);
    assert_eq!(usage.status.code(), Some(2));
}

#[test]
fn something_left_behind_does_not_hold_the_end_up() {
    let receiver = Receiver::start(&[200]);
    let done = Command::new(env!("CARGO_BIN_EXE_landfall"))
        .args(["run", "--url", &receiver.url, "--", "sh", "-c", "sleep 300 & echo $!"])
        .stdin(Stdio::null())
        .stderr(Stdio::null())
        .output()
        .expect("landfall runs");
    assert_eq!(done.status.code(), Some(0));
    let left = String::from_utf8_lossy(&done.stdout).trim().to_owned();
    assert!(Command::new("kill").arg(&left).status().expect("kill runs").success(), "it was still there");
    assert_eq!(receiver.got().len(), 2);
}
