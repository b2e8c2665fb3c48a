//! Whatever it is given, the binary ends by itself with a clear result: servers that refuse, stall, flood or lie, and files
//! and flags that are wrong. Calls have a deadline of five seconds, where a phase's own limit is not the subject, and the
//! harness fails any call that lives for a minute.

#[expect(dead_code, reason = "each test binary uses its own part of the harness")]
mod common;

use std::io::{Read, Write};
use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::process::Command;

use common::call::{Run, binary, landfall, landfall_reading};
use common::dns::Records;
use common::hostile::{
    CONTINUATION, DATA, END_HEADERS, HEADERS, Hostile, PING, TlsStream, close, drip, first_request, forever,
    frame,
};
use common::json::{array, brief, observations, state, text};
use common::pki::{Authority, Sent};
use common::ports::{Closed, Full};
use common::process::write;
use common::site::Site;
use common::web::Web;
use serde_json::Value;
use tempfile::TempDir;

fn folder() -> TempDir {
    tempfile::tempdir().expect("a temporary folder")
}

/// One audit of a server that misbehaves.
struct Audit {
    report: Value,
    evidence: Value,
    run: Run,
    _folder: TempDir,
}

impl std::fmt::Display for Audit {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "exit status {} · {}\n{}", self.run.status, brief(&self.report), self.run.stderr)
    }
}

/// Audits `SCHEME://api.example.test`, every port of which is led to `server`. No name is asked of anybody.
fn audit(scheme: &str, server: SocketAddr) -> Audit {
    audit_within("5s", scheme, server, &[])
}

/// Longer than the limits of connect and of a handshake, so that it is they that end the question.
const PAST_TLS: &str = "8s";
/// Longer than the limit of the wait for a first byte.
const PAST_WAIT: &str = "20s";

fn audit_within(deadline: &str, scheme: &str, server: SocketAddr, more: &[&str]) -> Audit {
    let folder = folder();
    let nobody = Closed::new();
    let mut words: Vec<String> = vec!["audit".into(), format!("{scheme}://api.example.test")];
    words.extend(
        ["--quiet", "--timeout", deadline, "--format", "json", "--save-evidence", "evidence.json"]
            .map(str::to_owned),
    );
    words.extend(["--connect-to".into(), format!("api.example.test::{server}")]);
    words.extend(["--resolver".into(), nobody.address().to_string()]);
    words.extend(more.iter().map(|w| (*w).to_owned()));
    let run = landfall(folder.path(), &words);
    let report = serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("no report: {e}\n{run:#?}"));
    let evidence =
        std::fs::read_to_string(folder.path().join("evidence.json")).expect("the evidence is saved");
    let evidence = serde_json::from_str(&evidence).expect("the evidence is JSON");
    Audit { report, evidence, run, _folder: folder }
}

/// The audit ended with a result, and the result is not that all is well.
fn not_fine(audit: &Audit) {
    assert_ne!(audit.report["verdict"], "live", "{audit}");
    assert!([1, 3].contains(&audit.run.status), "{audit}");
    let verdict = text(&audit.report["verdict"]);
    assert!(verdict != "not-live" || audit.run.status == 1, "{audit}");
    assert!(!text(&audit.report["summary"]).is_empty(), "{audit}");
}

/// What became of the requests to production that were really sent.
fn asked(audit: &Audit) -> Vec<&Value> {
    let all = observations(&audit.evidence, "http", "edge").into_iter();
    let asked: Vec<&Value> = all.filter(|o| state(o) != "unasked").collect();
    assert!(!asked.is_empty(), "nothing was asked: {audit}");
    asked
}

/// These servers have nothing on UDP, so a question in HTTP/3 is beside the point.
fn over_tcp(observation: &&&Value) -> bool {
    observation["seen"]["request"]["version"] != "HTTP/3"
}

fn detail(observation: &Value) -> &Value {
    &observation["seen"]["answer"]["detail"]
}

// ------------------------------------------------------------------------------------------ connections and silence

#[test]
fn a_closed_port_is_a_no() {
    let closed = Closed::new();
    let audit = audit("http", closed.address());
    assert_eq!((text(&audit.report["verdict"]), audit.run.status), ("not-live", 1), "{audit}");
    assert!(asked(&audit).iter().all(|o| state(o) == "denied" && detail(o)["how"] == "refused"), "{audit}");
}

#[test]
fn a_firewall_that_drops_is_a_silence_in_connect() {
    let full = Full::new();
    let audit = audit_within(PAST_TLS, "https", full.address(), &[]);
    not_fine(&audit);
    let asked = asked(&audit);
    assert!(
        asked.iter().filter(over_tcp).all(|o| state(o) == "silent" && detail(o)["phase"] == "connect"),
        "{audit}"
    );
    assert!(asked.iter().any(|o| o["seen"]["request"]["purpose"] == "endpoint"), "{audit}");
}

#[test]
fn a_server_that_accepts_and_says_nothing_is_a_silence_in_wait() {
    let mute = Hostile::serve(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let audit = audit_within(PAST_WAIT, "http", mute.address, &[]);
    not_fine(&audit);
    assert!(asked(&audit).iter().all(|o| state(o) == "silent" && detail(o)["phase"] == "wait"), "{audit}");
}

#[test]
fn a_deadline_that_cuts_a_wait_short_says_nothing_of_the_target() {
    let mute = Hostile::serve(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    for scheme in ["http", "https"] {
        let audit = audit(scheme, mute.address);
        // The server was not given its time, so this is our doing: unknown, and nobody is blamed.
        assert_eq!((text(&audit.report["verdict"]), audit.run.status), ("unknown", 3), "{scheme}: {audit}");
        assert_eq!(audit.report["causes"], serde_json::json!([]), "{scheme}: {audit}");
        assert!(text(&audit.report["summary"]).contains("deadline"), "{scheme}: {audit}");
    }
}

#[test]
fn a_server_that_never_shakes_hands_is_a_silence_in_tls() {
    let mute = Hostile::serve(|mut stream| {
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let audit = audit_within(PAST_TLS, "https", mute.address, &[]);
    not_fine(&audit);
    let tls = observations(&audit.evidence, "tls", "edge");
    assert!(tls.iter().any(|o| state(o) == "silent" && detail(o)["phase"] == "tls"), "{audit}");
}

#[test]
fn a_server_that_closes_at_once_is_a_no() {
    let closing = Hostile::serve(|stream| {
        let _ = close(&stream);
    });
    for scheme in ["http", "https"] {
        let audit = audit(scheme, closing.address);
        not_fine(&audit);
        let how = |o: &Value| ["closed", "reset"].contains(&detail(o)["how"].as_str().unwrap_or_default());
        assert!(asked(&audit).iter().any(|o| state(o) == "denied" && how(o)), "{scheme}: {audit}");
    }
}

// ----------------------------------------------------------------------------------------------------- what is sent

#[test]
fn garbage_in_place_of_tls_is_quoted() {
    let garbage = Hostile::serve(|mut stream| {
        let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n");
        let _ = stream.read_to_end(&mut Vec::new());
    });
    let audit = audit("https", garbage.address);
    not_fine(&audit);
    let tls = observations(&audit.evidence, "tls", "edge");
    let told = tls.iter().find(|o| detail(o)["how"] == "not-tls").unwrap_or_else(|| panic!("{tls:#?}"));
    assert!(text(&detail(told)["first_bytes"]).starts_with("SSH-2.0"), "{told:#}");
}

#[test]
fn random_bytes_in_place_of_tls_and_of_http_are_survived() {
    let garbage = Hostile::serve(|mut stream| {
        let bytes: Vec<u8> = (0_u32..4096).map(|i| (i.wrapping_mul(2_654_435_761) >> 13) as u8).collect();
        let _ = stream.write_all(&bytes);
        let _ = close(&stream);
    });
    for scheme in ["http", "https"] {
        let audit = audit(scheme, garbage.address);
        not_fine(&audit);
        assert!(asked(&audit).iter().filter(over_tcp).all(|o| state(o) == "denied"), "{scheme}: {audit}");
        let ids = common::json::causes(&audit.report);
        assert!(!ids.contains(&"tls-port-speaks-plain-http"), "this is no HTTP: {audit}");
    }
}

#[test]
fn endless_headers_end_at_a_bound() {
    let flood = Hostile::http(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\n")?;
        forever(stream, format!("x-filler: {}\r\n", "a".repeat(1000)).as_bytes())
    });
    let audit = audit("http", flood.address);
    not_fine(&audit);
    for observation in asked(&audit) {
        assert_eq!(state(observation), "denied", "{observation:#}");
        assert!(["too-large", "malformed"].contains(&text(&detail(observation)["how"])), "{observation:#}");
    }
}

#[test]
fn one_header_line_without_an_end_ends_at_a_bound() {
    let flood = Hostile::http(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\nx-filler: ")?;
        forever(stream, &[b'a'; 4096])
    });
    let audit = audit("http", flood.address);
    not_fine(&audit);
    assert!(asked(&audit).iter().all(|o| state(o) == "denied"), "{audit}");
}

#[test]
fn an_endless_body_is_cut_at_a_bound() {
    let flood = Hostile::http(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\n\r\n")?;
        forever(stream, &[b'a'; 64 * 1024])
    });
    let audit = audit("http", flood.address);
    assert!([0, 1, 3].contains(&audit.run.status), "{audit}");
    for observation in asked(&audit) {
        let body = &detail(observation)["body"];
        assert_eq!(body["complete"], false, "{observation:#}");
        assert!(body["byte_count"].as_u64().expect("a count") <= 1024 * 1024, "{body}");
        assert!(!text(&body["cut"]).is_empty(), "{body}");
    }
    assert!(
        audit.run.stdout.len() < 8 * 1024 * 1024,
        "the report carries no megabytes: {}",
        audit.run.stdout.len()
    );
}

#[test]
fn endless_chunks_are_cut_at_a_bound() {
    let flood = Hostile::http(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n")?;
        forever(stream, b"1\r\na\r\n")
    });
    let audit = audit("http", flood.address);
    assert!([0, 1, 3].contains(&audit.run.status), "{audit}");
    assert!(
        asked(&audit).iter().all(|o| state(o) != "present" || detail(o)["body"]["complete"] == false),
        "{audit}"
    );
}

#[test]
fn headers_that_drip_end_at_the_deadline() {
    let slow = Hostile::http(|stream, _| drip(stream, b"HTTP/1.1 200 OK\r\nx-filler: "));
    let audit = audit("http", slow.address);
    not_fine(&audit);
    let http = observations(&audit.evidence, "http", "edge");
    assert!(!http.is_empty() && http.iter().all(|o| ["silent", "unasked"].contains(&state(o))), "{audit}");
}

#[test]
fn a_body_that_drips_ends_at_the_deadline() {
    let slow = Hostile::http(|stream, _| {
        stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\ncontent-type: text/plain\r\n\r\n")?;
        drip(stream, b"still coming ")
    });
    let audit = audit("http", slow.address);
    for observation in asked(&audit) {
        assert!(
            state(observation) == "silent" || detail(observation)["body"]["complete"] == false,
            "{observation:#}"
        );
    }
}

#[test]
fn a_body_that_stops_short_is_not_complete() {
    let short = Hostile::http(|stream, _| {
        stream.write_all(
            b"HTTP/1.1 200 OK\r\ncontent-type: application/json\r\ncontent-length: 100\r\n\r\n{\"ok\":true",
        )?;
        close(stream)
    });
    let audit = audit("http", short.address);
    not_fine(&audit);
    for observation in asked(&audit) {
        let cut = state(observation) == "denied" || detail(observation)["body"]["complete"] == false;
        assert!(cut, "{observation:#}");
    }
}

#[test]
fn nonsense_of_http_is_a_no_and_not_a_crash() {
    for head in [
        "HTTP/1.1 999999 What\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: -1\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 99999999999999999999999\r\n\r\n",
        "HTTP/1.1 200 OK\r\ncontent-length: 1\r\ncontent-length: 2\r\n\r\nab",
        "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\nzz\r\n",
        "HTTP/1.1 200 OK\r\n: no name\r\n\r\n",
        "\r\n\r\n\r\n",
        "ICY 200 OK\r\n\r\n",
    ] {
        let strange = Hostile::http(move |stream, _| {
            stream.write_all(head.as_bytes())?;
            close(stream)
        });
        let audit = audit("http", strange.address);
        assert_ne!(audit.report["verdict"], "live", "{head:?}: {audit}");
        assert!([1, 3].contains(&audit.run.status), "{head:?}: {audit}");
    }
}

#[test]
fn hundred_continue_for_ever_ends() {
    let strange = Hostile::http(|stream, _| forever(stream, b"HTTP/1.1 100 Continue\r\n\r\n"));
    let audit = audit("http", strange.address);
    not_fine(&audit);
}

/// Audits a server that speaks HTTP/2 over TLS, and nothing else.
fn audit_h2(script: impl Fn(&mut TlsStream) -> std::io::Result<()> + Send + Sync + 'static) -> Audit {
    let folder = folder();
    let authority = Authority::new();
    let identity = authority.leaf(folder.path(), &["api.example.test"], 80, Sent::Chain);
    let root = authority.root_file(folder.path());
    let server = Hostile::tls(&identity, "h2", script);
    audit_within("5s", "https", server.address, &["--ca-file", &root])
}

/// The requests in HTTP/2 to which the server answered as it does.
fn asked_in_h2(audit: &Audit) -> Vec<&Value> {
    let h2: Vec<&Value> =
        asked(audit).into_iter().filter(|o| o["seen"]["request"]["version"] == "HTTP/2").collect();
    assert!(!h2.is_empty(), "nothing was asked in HTTP/2: {audit}");
    h2
}

#[test]
fn a_flood_of_continuations_in_http2_ends_at_a_bound() {
    let audit = audit_h2(|stream| {
        let id = first_request(stream)?;
        // 0x88 is `:status: 200` (RFC 7541, appendix A).
        stream.write_all(&frame(HEADERS, 0, id, &[0x88]))?;
        // A literal field without indexing, name and value new: x-filler (RFC 7541, section 6.2.2).
        let field = [&b"\x00\x08x-filler\x64"[..], &[b'a'; 100]].concat();
        forever(stream, &frame(CONTINUATION, 0, id, &field))
    });
    not_fine(&audit);
    assert!(asked_in_h2(&audit).iter().all(|o| state(o) == "denied"), "{audit}");
}

#[test]
fn continuations_without_content_in_http2_end_too() {
    let audit = audit_h2(|stream| {
        let id = first_request(stream)?;
        stream.write_all(&frame(HEADERS, 0, id, &[0x88]))?;
        forever(stream, &frame(CONTINUATION, 0, id, &[]))
    });
    not_fine(&audit);
    assert!(asked_in_h2(&audit).iter().all(|o| state(o) != "present"), "{audit}");
}

#[test]
fn an_endless_body_in_http2_is_cut_at_a_bound() {
    let audit = audit_h2(|stream| {
        let id = first_request(stream)?;
        stream.write_all(&frame(HEADERS, END_HEADERS, id, &[0x88]))?;
        // Without regard to the client's window, as a hostile server has none.
        forever(stream, &frame(DATA, 0, id, &[b'a'; 16 * 1024]))
    });
    assert!([0, 1, 3].contains(&audit.run.status), "{audit}");
    for observation in asked_in_h2(&audit) {
        let cut = state(observation) != "present" || detail(observation)["body"]["complete"] == false;
        assert!(cut, "{observation:#}");
    }
}

#[test]
fn a_flood_of_pings_in_http2_ends_at_the_deadline() {
    let audit = audit_h2(|stream| {
        first_request(stream)?;
        forever(stream, &frame(PING, 0, 0, &[0; 8]))
    });
    not_fine(&audit);
    assert!(observations(&audit.evidence, "http", "edge").iter().all(|o| state(o) != "present"), "{audit}");
}

#[test]
fn garbage_inside_tls_is_a_no() {
    let audit = audit_h2(|stream| {
        stream.write_all(&[0xff; 4096])?;
        stream.flush()
    });
    not_fine(&audit);
    assert!(asked_in_h2(&audit).iter().all(|o| state(o) == "denied"), "{audit}");
}

#[test]
fn a_redirect_loop_of_nginx_is_seen_and_not_followed_for_ever() {
    let site = Site::with_bind(Records::V4);
    let web = Web::nginx(site.path(), &site.identity(), "", "return 301 https://$host$request_uri;");
    let audit = site.audit(Some(&web), &["--timeout", "5s"]);
    assert_eq!((text(&audit.report["verdict"]), audit.run.status), ("not-live", 1), "{audit}");
    assert!(common::json::causes(&audit.report).contains(&"edge-redirect-loop"), "{audit}");
    // Each hop that was followed is on record, and nginx saw no more requests than the report owns up to.
    let counts = audit.report["timing"]["requests_by_host"].as_object().expect("counts");
    let said: u64 = counts.values().map(|c| c.as_u64().expect("a count")).sum();
    assert_eq!(web.access_log(usize::try_from(said).expect("a small number")).len() as u64, said, "{audit}");
}

#[test]
fn a_redirect_elsewhere_is_recorded_and_nobody_goes_there() {
    let other = Hostile::http(|stream, _| stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    let to = format!("http://{}/stolen", other.address);
    let location = to.clone();
    let redirecting = Hostile::http(move |stream, _| {
        write!(stream, "HTTP/1.1 302 Found\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n")
    });
    let audit = audit("http", redirecting.address);
    let sent = audit.report["timing"]["requests_by_host"].as_object().expect("counts");
    assert!(sent.keys().all(|host| host.starts_with("api.example.test")), "{sent:?}");
    assert!(asked(&audit).iter().any(|o| detail(o)["redirect_to"] == to.as_str()), "{audit}");
}

// ------------------------------------------------------------------------------------------------------------ names

#[test]
fn a_resolver_that_is_not_there_says_nothing_of_the_target() {
    let nobody = Closed::new();
    unresolved(nobody.address());
}

#[test]
fn a_resolver_that_is_silent_says_nothing_of_the_target() {
    let mute = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    unresolved(mute.local_addr().expect("it is bound"));
}

#[test]
fn a_resolver_that_talks_nonsense_says_nothing_of_the_target() {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a socket");
    let address = socket.local_addr().expect("it is bound");
    std::thread::spawn(move || {
        let mut query = [0; 512];
        while let Ok((length, from)) = socket.recv_from(&mut query) {
            // The right id, so that it is taken for the answer, and then bytes that are no message.
            let mut answer = query[..length.min(2)].to_vec();
            answer.extend([0x81, 0x80, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xc0, 0x0c]);
            let _ = socket.send_to(&answer, from);
        }
    });
    unresolved(address);
}

/// Without an address nothing can be said of production: unknown is no pass, and no verdict on the target either.
fn unresolved(resolver: SocketAddr) {
    let folder = folder();
    let resolver = resolver.to_string();
    let run = landfall(
        folder.path(),
        &[
            "audit",
            "https://api.example.test",
            "--quiet",
            "--timeout",
            "5s",
            "--format",
            "json",
            "--resolver",
            &resolver,
        ],
    );
    let report: Value =
        serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("no report: {e}\n{run:#?}"));
    assert_eq!((text(&report["verdict"]), run.status), ("unknown", 3), "{}\n{}", brief(&report), run.stderr);
}

// ------------------------------------------------------------------------------------------- what reaches the reader

/// Secrets that a server, a configuration or a command line may carry; none of them may come out again.
const SECRETS: [&str; 6] =
    ["hunter2-cookie", "hunter2-bearer", "hunter2-body", "hunter2-query", "hunter2-user", "hunter2-env"];

#[test]
fn secrets_of_a_server_reach_no_output() {
    let leaking = Hostile::http(|stream, _| {
        let body = "{\"ok\":true,\"api_key\":\"hunter2-body\",\"password\":\"hunter2-body\"}";
        write!(
            stream,
            "HTTP/1.1 200 OK\r\ncontent-type: application/json\r\nset-cookie: session=hunter2-cookie; HttpOnly\r\n\
             authorization: Bearer hunter2-bearer\r\nlink: <https://x.example.test/?access_token=hunter2-query>; rel=next\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    let folder = folder();
    let files = ["live.txt", "live.md", "live.html", "live.json", "live.xml", "live.sarif", "evidence.json"];
    let mut words: Vec<String> =
        vec!["audit".into(), "http://api.example.test".into(), "--timeout".into(), "5s".into()];
    words.extend([
        "--with-evidence".into(),
        "--connect-to".into(),
        format!("api.example.test::{}", leaking.address),
    ]);
    words.extend([
        "--resolver".into(),
        leaking.address.to_string(),
        "--save-evidence".into(),
        "evidence.json".into(),
    ]);
    words.extend(files[..6].iter().flat_map(|file| ["-o".to_owned(), (*file).to_owned()]));
    let mut command = binary(folder.path(), &words);
    command
        .env("OPENAI_API_KEY", "hunter2-env")
        .env("HTTPS_PROXY", "http://hunter2-user:hunter2-env@127.0.0.1:9");
    let output = command.output().expect("the binary runs");
    let kept = files.map(|file| {
        std::fs::read_to_string(folder.path().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
    });
    let mut texts = vec![
        String::from_utf8_lossy(&output.stdout).into_owned(),
        String::from_utf8_lossy(&output.stderr).into_owned(),
    ];
    texts.extend(kept);
    for secret in SECRETS {
        for (text, what) in texts.iter().zip(["stdout", "stderr"].into_iter().chain(files)) {
            assert!(!text.contains(secret), "{secret} in {what}");
        }
    }
    assert!(texts[8].contains("set-cookie"), "the header itself was seen");
}

#[test]
fn credentials_in_a_url_are_refused_and_not_repeated() {
    let folder = folder();
    for words in [
        &["audit", "https://hunter2-user:hunter2-env@api.example.test"][..],
        &["audit", "https://api.example.test", "--local", "http://hunter2-user:hunter2-env@127.0.0.1:8000"],
        &["audit", "https://api.example.test", "--origin", "ftp://hunter2-user:hunter2-env@127.0.0.1"],
        &["http", "https://hunter2-user:hunter2-env@api.example.test"],
        &["verify", "https://hunter2-user:hunter2-env@api.example.test"],
        &["init", "https://hunter2-user:hunter2-env@api.example.test", "--print"],
    ] {
        let run = landfall(folder.path(), words);
        assert_eq!(run.status, 2, "{words:?}: {run:#?}");
        assert!(!run.stderr.is_empty(), "{words:?}");
        for secret in SECRETS {
            assert!(!run.stderr.contains(secret) && !run.stdout.contains(secret), "{words:?}: {run:#?}");
        }
    }
}

#[test]
fn a_quoted_line_of_the_configuration_is_masked() {
    let folder = folder();
    write(
        folder.path(),
        "landfall.toml",
        "[target]\nproducton = \"https://hunter2-user:hunter2-env@api.example.test/?token=hunter2-query\"\n",
    );
    let run = landfall(folder.path(), &["audit"]);
    assert_eq!(run.status, 2, "{run:#?}");
    assert!(run.stderr.contains("landfall.toml:2"), "{}", run.stderr);
    for secret in SECRETS {
        assert!(!run.stderr.contains(secret), "{}", run.stderr);
    }
}

#[test]
fn what_a_server_sends_cannot_drive_the_terminal_or_the_page() {
    let body = "\u{1b}]0;owned\u{7}\u{1b}[2J<script>alert(1)</script>| a | b |\u{202e}\u{9b}31m";
    let hostile = Hostile::http(move |stream, _| {
        write!(
            stream,
            "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\nx-evil: <img src=x onerror=alert(1)> | `x`\r\n\
             server: nginx\u{1b}[2J\r\ncontent-length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    let plain = Hostile::http(move |stream, _| {
        write!(
            stream,
            "HTTP/1.1 404 Not Found\r\ncontent-type: text/plain\r\nx-evil: <img src=x onerror=alert(1)> | `x`\r\n\
             content-length: {}\r\n\r\n{body}",
            body.len()
        )
    });
    // A control byte in a header makes the whole answer malformed; without it the body and the tags come through.
    for server in [&hostile, &plain] {
        let folder = folder();
        let run = landfall(
            folder.path(),
            &[
                "audit",
                "http://api.example.test",
                "--timeout",
                "5s",
                "--resolver",
                &server.address.to_string(),
                "--connect-to",
                &format!("api.example.test::{}", server.address),
                "-o",
                "live.md",
                "-o",
                "live.html",
                "-o",
                "live.xml",
            ],
        );
        let read = |file: &str| {
            std::fs::read_to_string(folder.path().join(file)).unwrap_or_else(|e| panic!("{file}: {e}"))
        };
        for (what, output) in
            [("stdout", &run.stdout), ("stderr", &run.stderr), ("markdown", &read("live.md"))]
        {
            let control =
                output.chars().find(|c| (c.is_control() && !matches!(c, '\n' | '\t')) || *c == '\u{202e}');
            assert_eq!(control, None, "{what}:\n{output}");
        }
        let html = read("live.html");
        assert!(
            !html.contains("<script>alert") && !html.contains("<img src=x"),
            "the page carries the server's markup"
        );
        assert!(!html.contains('\u{1b}'), "the page carries control characters");
        // XML 1.0 section 2.2: no control characters but tab, line feed and carriage return.
        let xml = read("live.xml");
        assert!(!xml.chars().any(|c| c < ' ' && !matches!(c, '\n' | '\r' | '\t')), "{xml}");
    }
}

#[test]
fn a_closed_pipe_is_a_normal_end() {
    let evidence = some_evidence();
    for format in ["terminal", "json", "html"] {
        let words = ["diagnose", "evidence.json", "--format", format];
        let whole = landfall(evidence.path(), &words);
        // As a shell does it: head takes one line and goes.
        let line = format!(
            "set -o pipefail; \"$0\" diagnose evidence.json --format {format} | head -n 1; echo \"${{PIPESTATUS[0]}}\""
        );
        let piped = Command::new("bash")
            .args(["-c", &line, env!("CARGO_BIN_EXE_landfall")])
            .current_dir(evidence.path())
            .env("NO_COLOR", "1")
            .output()
            .expect("bash runs");
        let (stdout, stderr) =
            (String::from_utf8_lossy(&piped.stdout), String::from_utf8_lossy(&piped.stderr));
        assert_eq!(
            stdout.lines().last(),
            Some(whole.status.to_string().as_str()),
            "{format}: {stdout}{stderr}"
        );
        assert_eq!(stderr, "", "{format}");
        // And a reader that is gone before the first byte.
        let mut gone = binary(evidence.path(), &words).spawn().expect("the binary runs");
        drop(gone.stdout.take());
        let mut said = String::new();
        gone.stderr.take().expect("stderr is piped").read_to_string(&mut said).expect("it is UTF-8");
        assert_eq!(gone.wait().expect("it ends").code(), Some(whole.status), "{format}: {said}");
        assert_eq!(said, "", "{format}");
    }
}

// ---------------------------------------------------------------------------------------------------- evidence files

/// A folder with evidence.json of a small audit.
fn some_evidence() -> TempDir {
    let closed = Closed::new();
    let Audit { _folder: folder, .. } = audit("http", closed.address());
    folder
}

/// `diagnose` of `bytes` ends with status 2; what it said on stderr.
fn refused(bytes: &[u8]) -> String {
    let folder = folder();
    std::fs::write(folder.path().join("evidence.json"), bytes).expect("the file is written");
    let run = landfall(folder.path(), &["diagnose", "evidence.json"]);
    assert_eq!(run.status, 2, "{run:#?}");
    assert_eq!(run.stdout, "", "no report is made of it");
    assert!(run.stderr.contains("evidence.json"), "the file is named: {}", run.stderr);
    // The same through a pipe.
    let piped = landfall_reading(folder.path(), &["diagnose", "-"], bytes);
    assert_eq!(piped.status, 2, "{piped:#?}");
    run.stderr
}

#[test]
fn evidence_cut_in_half_is_refused_with_its_place() {
    let kept = some_evidence();
    let whole = std::fs::read(kept.path().join("evidence.json")).expect("it was saved");
    let half = &whole[..whole.len() / 2];
    let said = refused(half);
    let line = half.iter().filter(|b| **b == b'\n').count() + 1;
    assert!(said.contains(&format!("line {line}")) && said.contains("column"), "line {line}: {said}");
    assert!(said.contains("landfall audit"), "the mend is named: {said}");
}

#[test]
fn what_is_not_evidence_is_refused() {
    let said = refused(b"{\"schema\":\"landfall.evidence/99\",\"observations\":[]}");
    assert!(said.contains("landfall.evidence/99") && said.contains("landfall.evidence/1"), "{said}");
    let said = refused(b"{\"name\":\"left-pad\",\"version\":\"1.0.0\"}");
    assert!(said.contains("schema"), "{said}");
    let said = refused(b"{\"schema\":\"landfall.evidence/1\",\"tool\":17}");
    assert!(said.contains("line 1") && said.contains("column"), "{said}");
    let said = refused(b"[1, 2, 3]");
    assert!(said.contains("line 1"), "{said}");
    let said = refused(b"");
    assert!(said.contains("line 1") || said.contains("empty"), "{said}");
    let said = refused(b"\xff\xfe{\x00}\x00");
    assert!(said.contains("UTF-8"), "{said}");
    // Nesting that would exhaust the stack of a parser without a bound.
    let deep = [b"{\"schema\":".to_vec(), vec![b'['; 200_000]].concat();
    refused(&deep);
}

/// Evidence is a file that anybody may have edited. Every field is set to what no audit would write, one field name at a
/// time; a diagnosis may then be wrong, but it ends, and what it prints stays text.
#[test]
fn no_field_of_an_evidence_file_can_crash_or_hang_a_diagnosis() {
    let site = Site::with_bind(Records::Both);
    let answer = "default_type application/json; return 200 '{\"ok\":true,\"ts\":1}\\n';";
    let web = Web::nginx(site.path(), &site.identity(), "", answer);
    let whole = site.audit(Some(&web), &[]).evidence;
    let mut names = std::collections::BTreeSet::new();
    let kinds = ["dns", "tls", "http", "rate-limit"];
    let seen: Vec<&str> = array(&whole["observations"]).iter().map(|o| text(&o["seen"]["kind"])).collect();
    assert!(kinds.iter().all(|kind| seen.contains(kind)), "the evidence has something of everything");
    collect_names(&whole, &mut names);
    let names: Vec<&String> = names.iter().collect();
    // Each worker takes every fourth name and keeps its files to itself.
    let counts: Vec<(u32, u32)> = std::thread::scope(|scope| {
        let workers: Vec<_> = (0..4)
            .map(|n| {
                let (whole, names) = (&whole, names.iter().skip(n).step_by(4).copied());
                scope.spawn(move || lie_about(whole, names))
            })
            .collect();
        workers.into_iter().map(|worker| worker.join().expect("every lie was survived")).collect()
    });
    // Types that do not fit are refused, and the others really went through the whole diagnosis.
    let (read, refused) = counts.iter().fold((0, 0), |sum, count| (sum.0 + count.0, sum.1 + count.1));
    assert!(read > 50 && refused > 50, "{read} read, {refused} refused");
}

/// Diagnoses the evidence with each of these fields falsified; how many were read, and how many refused.
fn lie_about<'a>(whole: &Value, names: impl Iterator<Item = &'a String>) -> (u32, u32) {
    let folder = folder();
    let (mut read, mut refused) = (0, 0);
    for name in names {
        for lie in [
            serde_json::json!(u64::MAX),
            serde_json::json!(0),
            serde_json::json!("\u{1b}[2J\u{0}<script>alert(1)</script> | ` \u{202e} \r\n# x"),
            serde_json::json!(""),
            serde_json::json!([]),
            Value::Null,
        ] {
            let mut evidence = whole.clone();
            if !replace(&mut evidence, name, &lie) {
                continue;
            }
            write(folder.path(), "lie.json", &evidence.to_string());
            let run = landfall(folder.path(), &["diagnose", "lie.json", "-o", "lie.md", "-o", "lie.html"]);
            match run.status {
                2 => refused += 1,
                0 | 1 | 3 => read += 1,
                other => panic!("{name} = {lie}: exit status {other}: {run:#?}"),
            }
            let control = run.stdout.chars().find(|c| c.is_control() && *c != '\n');
            assert_eq!(control, None, "{name} = {lie}:\n{}", run.stdout);
            if run.status != 2 {
                let html =
                    std::fs::read_to_string(folder.path().join("lie.html")).expect("the page is written");
                assert!(!html.contains("<script>alert"), "{name} = {lie}: the page carries markup");
            }
        }
    }
    (read, refused)
}

/// Names of all members, at any depth.
fn collect_names(value: &Value, into: &mut std::collections::BTreeSet<String>) {
    match value {
        Value::Object(fields) => fields.iter().for_each(|(name, value)| {
            into.insert(name.clone());
            collect_names(value, into);
        }),
        Value::Array(items) => items.iter().for_each(|item| collect_names(item, into)),
        _ => {}
    }
}

/// Sets every member of this name whose type the lie has, or which may be absent; whether there was one.
fn replace(value: &mut Value, name: &str, lie: &Value) -> bool {
    match value {
        Value::Object(fields) => {
            let mut changed = false;
            for (key, value) in fields {
                let fits = std::mem::discriminant(value) == std::mem::discriminant(lie)
                    || value.is_null()
                    || lie.is_null();
                if key == name && fits && value != lie {
                    *value = lie.clone();
                    changed = true;
                } else {
                    changed |= replace(value, name, lie);
                }
            }
            changed
        }
        Value::Array(items) => {
            items.iter_mut().fold(false, |changed, item| changed | replace(item, name, lie))
        }
        _ => false,
    }
}

#[test]
fn evidence_whose_links_go_round_ends() {
    let kept = some_evidence();
    let mut evidence: Value = serde_json::from_str(
        &std::fs::read_to_string(kept.path().join("evidence.json")).expect("it was saved"),
    )
    .expect("it is JSON");
    let observations = evidence["observations"].as_array_mut().expect("a list");
    let ids: Vec<Value> = observations.iter().map(|o| o["id"].clone()).collect();
    for (i, observation) in observations.iter_mut().enumerate() {
        observation["after"] = ids[(i + 1) % ids.len()].clone();
    }
    write(kept.path(), "round.json", &evidence.to_string());
    for format in ["terminal", "json", "html", "markdown"] {
        let run = landfall(kept.path(), &["diagnose", "round.json", "--format", format]);
        assert_eq!(run.status, 1, "{run:#?}");
    }
}

#[test]
fn an_evidence_file_that_cannot_be_read_is_named() {
    let folder = folder();
    std::fs::create_dir(folder.path().join("folder.json")).expect("a folder is made");
    for file in ["missing.json", "folder.json"] {
        let run = landfall(folder.path(), &["diagnose", file]);
        assert_eq!(run.status, 2, "{run:#?}");
        assert!(run.stderr.contains(file), "{}", run.stderr);
    }
}

#[test]
fn a_report_is_no_evidence_and_evidence_is_no_report() {
    let kept = some_evidence();
    let closed = Closed::new();
    let resolver = closed.address().to_string();
    let run =
        landfall(kept.path(), &["diagnose", "evidence.json", "-o", "report.json", "--fail-on", "never"]);
    assert!([0, 3].contains(&run.status), "{run:#?}");
    let run = landfall(kept.path(), &["diagnose", "report.json"]);
    assert_eq!(run.status, 2, "{run:#?}");
    assert!(run.stderr.contains("landfall.report/1"), "{}", run.stderr);
    let run = landfall(kept.path(), &["verify", "evidence.json", "--resolver", &resolver]);
    assert_eq!(run.status, 2, "{run:#?}");
}

// ----------------------------------------------------------------------------------------- configuration and flags

/// `audit` with this landfall.toml ends with status 2; what it said on stderr.
fn refused_config(toml: &[u8]) -> String {
    let folder = folder();
    std::fs::write(folder.path().join("landfall.toml"), toml).expect("the file is written");
    let run = landfall(folder.path(), &["audit", "--timeout", "5s"]);
    assert_eq!(run.status, 2, "{}: {run:#?}", String::from_utf8_lossy(toml));
    assert_eq!(run.stdout, "");
    run.stderr
}

#[test]
fn a_wrong_key_is_refused_with_its_line_and_the_nearest_right_one() {
    let said = refused_config(b"[target]\nname = \"x\"\nproducton = \"https://api.example.test\"\n");
    assert!(
        said.contains("landfall.toml:3:1") && said.contains("producton") && said.contains("\"production\""),
        "{said}"
    );
    let said = refused_config(b"[targt]\nproduction = \"https://api.example.test\"\n");
    assert!(said.contains("landfall.toml:1") && said.contains("[target]"), "{said}");
    let said = refused_config(b"[[endpoint]]\npath = \"/health\"\nstaus = [200]\n");
    assert!(said.contains("landfall.toml:3:1") && said.contains("\"status\""), "{said}");
    let said = refused_config(b"production = \"https://api.example.test\"\n");
    assert!(said.contains("landfall.toml:1") && said.contains("[target]"), "{said}");
}

#[test]
fn wrong_values_are_refused_with_their_line() {
    for (toml, line, word) in [
        ("[target\nname = \"x\"\n", 1, ""),
        ("[target]\nname = \"x\n", 2, ""),
        ("[target]\nproduction = 17\n", 2, "string"),
        ("[target]\nproduction = \"ftp://api.example.test\"\n", 2, "http"),
        ("[target]\nproduction = \"https://\"\n", 2, "https://api.example.com"),
        ("[[endpoint]]\npath = \"health\"\n", 2, "/health"),
        ("[[endpoint]]\npath = \"/x\"\nmethod = \"GRAB\"\n", 3, "GET"),
        ("[[endpoint]]\nmethod = \"GET\"\n", 1, "path"),
        ("[audit]\ntimeout = \"soon\"\n", 2, "30s"),
        ("[audit]\ntimeout = 5\n", 2, "string"),
        ("[audit]\nbudget = -1\n", 2, ""),
        ("[audit]\nfail_on = \"hihg\"\n", 2, "high"),
        ("[target]\nname = \"a\"\nname = \"b\"\n", 3, "name"),
    ] {
        let said = refused_config(toml.as_bytes());
        assert!(said.contains(&format!("landfall.toml:{line}")) && said.contains(word), "{toml:?}: {said}");
    }
    let said = refused_config(b"[target]\nname = \"\xff\"\n");
    assert!(said.contains("landfall.toml"), "{said}");
}

#[test]
fn a_wrong_flag_value_is_refused_with_the_flag_and_an_example() {
    let folder = folder();
    write(folder.path(), "no.pem", "this is no certificate\n");
    write(folder.path(), "empty.pem", "");
    write(folder.path(), "broken.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
    let target = "https://api.example.test";
    for (words, words_said) in [
        (&["--connect-to", "api.example.test:443"][..], &["--connect-to", "HOST:PORT:ADDR:PORT"][..]),
        (&["--connect-to", "a:1:localhost:2"], &["--connect-to", "not an IP address"]),
        (&["--connect-to", "a:99999:127.0.0.1:2"], &["--connect-to", "not a port"]),
        (&["--resolver", "dns.example.test"], &["--resolver", "9.9.9.9"]),
        (&["--resolver", "127.0.0.1:99999"], &["--resolver"]),
        (&["--fail-on", "hgih"], &["--fail-on", "critical"]),
        (&["--timeout", "soon"], &["--timeout", "30s"]),
        (&["--timeout", "0s"], &["--timeout"]),
        (&["--timeout=-5s"], &["--timeout"]),
        (&["--budget", "many"], &["--budget"]),
        (&["--only", "everything"], &["--only", "dns"]),
        (&["--format", "pdf"], &["--format", "html"]),
        (&["--ca-file", "no.pem"], &["no.pem"]),
        (&["--ca-file", "empty.pem"], &["empty.pem"]),
        (&["--ca-file", "broken.pem"], &["broken.pem"]),
        (&["--ca-file", "missing.pem"], &["missing.pem"]),
        (&["--project", "missing"], &["missing"]),
        (&["--project", "no.pem"], &["no.pem"]),
        (&["--config", "missing.toml"], &["missing.toml"]),
        (&["--local", "127.0.0.1:port"], &["--local"]),
        (&["--origin", ""], &["--origin"]),
        (&["--no-such-flag"], &["--no-such-flag"]),
    ] {
        // If one of them were let through, the audit must stay on this machine.
        let nobody = Closed::new();
        let there = nobody.address().to_string();
        let mut all = vec!["audit", target, "--timeout", "5s", "--quiet"];
        if !words.contains(&"--resolver") {
            all.extend(["--resolver", &there]);
        }
        // The last one counts for clap; a flag that may stand once only must not stand twice.
        if words[0].starts_with("--timeout") {
            all.drain(2..4);
        }
        all.extend(words);
        let run = landfall(folder.path(), &all);
        assert_eq!(run.status, 2, "{words:?}: {run:#?}");
        for word in words_said {
            assert!(run.stderr.contains(word), "{words:?} lacks {word:?}: {}", run.stderr);
        }
    }
}

#[test]
fn wrong_urls_are_refused() {
    let folder = folder();
    for url in [
        "",
        "https://",
        "ftp://api.example.test",
        "https://api example.test",
        "https://[::1",
        "http://:80",
        "javascript:alert(1)",
    ] {
        let run = landfall(folder.path(), &["audit", url, "--timeout", "5s", "--resolver", "127.0.0.1:9"]);
        assert_eq!(run.status, 2, "{url:?}: {run:#?}");
        assert!(!run.stderr.is_empty(), "{url:?}");
    }
    let run = landfall(folder.path(), &["audit"]);
    assert_eq!(run.status, 2, "nothing to audit: {run:#?}");
    assert!(run.stderr.contains("landfall audit https://"), "{}", run.stderr);
}

#[test]
fn an_output_file_whose_extension_names_no_format_is_refused_before_anything_is_asked() {
    let server = Hostile::http(|stream, _| stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n"));
    let folder = folder();
    let there = server.address.to_string();
    let to = format!("api.example.test::{there}");
    let call = |file: &str| {
        let words = [
            "audit",
            "http://api.example.test",
            "--timeout",
            "5s",
            "--resolver",
            &there,
            "--connect-to",
            &to,
            "-o",
            file,
        ];
        landfall(folder.path(), &words)
    };
    for file in ["report.pdf", "report"] {
        let run = call(file);
        assert_eq!(run.status, 2, "{run:#?}");
        assert!(run.stderr.contains(file) && run.stderr.contains(".html"), "{}", run.stderr);
        assert!(!folder.path().join(file).exists());
    }
    let run = call("no/such/folder/report.md");
    assert!([2, 3].contains(&run.status), "{run:#?}");
    assert!(run.stderr.contains("no/such/folder/report.md"), "{}", run.stderr);
}

#[test]
fn other_commands_refuse_what_they_do_not_know() {
    let folder = folder();
    for words in [
        &["explain", "LF-NOPE-999"][..],
        &["explain", "never-deployd"],
        &["lab", "run", "no-such-world"],
        &["verify", "https://api.example.test", "--wait", "soon"],
        &["tests", "missing-folder"],
        &["schema", "diagram"],
        &["completions", "tcsh-ng"],
        &["no-such-command"],
        &["dns"],
        &["diagnose"],
    ] {
        let run = landfall(folder.path(), words);
        assert_eq!(run.status, 2, "{words:?}: {run:#?}");
        assert!(!run.stderr.is_empty(), "{words:?}");
    }
    let run = landfall(folder.path(), &["explain", "never-deployd"]);
    assert!(run.stderr.contains("never-deployed"), "the nearest right one is named: {}", run.stderr);
}

#[test]
fn init_does_not_overwrite() {
    let folder = folder();
    write(folder.path(), "landfall.toml", "# mine\n");
    let run = landfall(folder.path(), &["init", "https://api.example.test"]);
    assert_eq!(run.status, 2, "{run:#?}");
    assert!(run.stderr.contains("landfall.toml") && run.stderr.contains("--force"), "{}", run.stderr);
    assert_eq!(
        std::fs::read_to_string(folder.path().join("landfall.toml")).expect("it is there"),
        "# mine\n"
    );
}
