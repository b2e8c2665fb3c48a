//! Certificates and chains, right and wrong.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener};

use landfall_diagnosis::Severity;
use landfall_evidence::Observed;

use super::authority::{Authority, HOST, Identity, Leaf};
use super::look::{Look, look, look_with};
use super::servers::{self, Tls};

/// nginx with a leaf and its intermediate.
fn serve(authority: &Authority, leaf: &Leaf) -> Tls {
    servers::good(authority, &authority.sign("leaf", leaf))
}

fn look_at(leaf: &Leaf) -> Look {
    let authority = Authority::new();
    let server = serve(&authority, leaf);
    look(&authority, server.address)
}

#[test]
fn an_expired_certificate_is_critical() {
    let look = look_at(&Leaf { days: (-90, -3), ..Leaf::default() });
    look.says("LF-TLS-001", Severity::Critical, "expired on");
    look.lacks(&["LF-TLS-002", "LF-TLS-004", "LF-TLS-007"]);
}

#[test]
fn a_certificate_of_the_future_is_critical() {
    let look = look_at(&Leaf { days: (3, 90), ..Leaf::default() });
    look.says("LF-TLS-002", Severity::Critical, "valid only from");
    look.lacks(&["LF-TLS-001", "LF-TLS-004"]);
}

#[test]
fn an_overdue_renewal_is_judged_by_the_lifetime() {
    let look = look_at(&Leaf { days: (-70, 20), ..Leaf::default() });
    look.says("LF-TLS-007", Severity::Medium, "renewal was due");
}

#[test]
fn a_wrong_name_is_critical_and_a_common_name_is_none() {
    let look = look_at(&Leaf { names: vec!["www.example.test"], ..Leaf::default() });
    look.says("LF-TLS-003", Severity::Critical, "is for www.example.test, not for api.example.test");
    let look = look_at(&Leaf { names: Vec::new(), ..Leaf::default() });
    look.says("LF-TLS-003", Severity::Critical, "in its common name alone");
}

#[test]
fn rsa_of_1024_bits_is_shown_and_named() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf { key: "rsa:1024", ..Leaf::default() });
    let chain = authority.joined("chain.pem", &[&leaf.leaf, &authority.path("intermediate.pem")]);
    let settings = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers DEFAULT:@SECLEVEL=0;";
    let server = servers::nginx(&authority, &chain, &leaf.key, settings);
    let look = look(&authority, server.address);
    look.says("LF-TLS-010", Severity::High, "RSA key of 1024 bits (threshold 2048: CA/Browser Forum");
    look.lacks(&["LF-TLS-015"]);
}

#[test]
fn a_leaf_signed_with_sha1_is_named() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf { digest: "sha1", key: "rsa:2048", ..Leaf::default() });
    let chain = authority.joined("chain.pem", &[&leaf.leaf, &authority.path("intermediate.pem")]);
    let settings = "ssl_protocols TLSv1.2 TLSv1.3; ssl_ciphers DEFAULT:@SECLEVEL=0;";
    let server = servers::nginx(&authority, &chain, &leaf.key, settings);
    let look = look(&authority, server.address);
    look.says("LF-TLS-011", Severity::High, "SHA1");
    look.says("LF-TLS-004", Severity::Critical, "signed in a way that clients no longer take");
}

#[test]
fn order_roots_and_duplicates_are_told_apart() {
    let authority = Authority::new();
    let leaf = authority.sign("leaf", &Leaf::default());
    let (intermediate, root) = (authority.path("intermediate.pem"), authority.path("root.pem"));

    let wrong = authority.joined("wrong.pem", &[&leaf.leaf, &root, &intermediate]);
    let server = servers::nginx(&authority, &wrong, &leaf.key, servers::INTERMEDIATE);
    let seen = look(&authority, server.address);
    seen.says("LF-TLS-008", Severity::Low, "its issuer comes elsewhere");
    seen.finding("LF-TLS-009");

    let rooted = authority.joined("rooted.pem", &[&leaf.leaf, &intermediate, &root]);
    let server = servers::nginx(&authority, &rooted, &leaf.key, servers::INTERMEDIATE);
    let seen = look(&authority, server.address);
    seen.says("LF-TLS-009", Severity::Info, "root that no client needs");
    seen.lacks(&["LF-TLS-008", "LF-TLS-040"]);

    let twice = authority
        .joined("twice.pem", &[&leaf.leaf, &intermediate, &intermediate, &intermediate, &intermediate]);
    let server = servers::nginx(&authority, &twice, &leaf.key, servers::INTERMEDIATE);
    let seen = look(&authority, server.address);
    seen.says("LF-TLS-040", Severity::Info, "5 certificates (threshold 4");
    assert_eq!(seen.handshake().present().and_then(|h| h.chain_count), Some(5), "{seen}");
}

#[test]
fn must_staple_without_a_staple_is_found_and_with_one_it_is_not() {
    let authority = Authority::new();
    let leaf = Leaf { extensions: "tlsfeature = status_request".into(), ..Leaf::default() };
    let server = serve(&authority, &leaf);
    let seen = look(&authority, server.address);
    seen.says("LF-TLS-031", Severity::High, "demands a stapled status");

    // A responder's answer made by hand, which s_server staples.
    let identity = authority.sign("stapled", &leaf);
    let status = ocsp(&authority, &identity);
    let server = servers::openssl(
        &authority,
        &format!("-cert stapled.pem -key stapled.key -cert_chain intermediate.pem -status_file {status}"),
    );
    let seen = look(&authority, server.address);
    assert!(seen.survey().resumption.present().is_some_and(|r| r.stapled), "{seen}");
    assert!(seen.survey().server_hello.as_ref().is_some_and(|hello| hello.stapled), "{seen}");
    seen.lacks(&["LF-TLS-031"]);
}

/// An OCSP response for a leaf, from the intermediate's own index.
fn ocsp(authority: &Authority, leaf: &Identity) -> String {
    let words = format!(
        "ocsp -index intermediate/index.txt -CA intermediate.pem -rsigner intermediate.pem -rkey intermediate.key -issuer intermediate.pem -cert {} -respout status.der -ndays 3",
        leaf.leaf.display()
    );
    let output = std::process::Command::new("openssl")
        .args(words.split(' '))
        .current_dir(authority.folder())
        .output()
        .expect("openssl");
    assert!(authority.path("status.der").exists(), "{}", String::from_utf8_lossy(&output.stderr));
    "status.der".into()
}

/// A server of one file per path over plain HTTP, for as long as the test runs.
fn files(files: Vec<(&'static str, Vec<u8>)>) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").expect("loopback");
    let address = listener.local_addr().expect("bound");
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let Ok(mut stream) = stream else { continue };
            let mut head = Vec::new();
            let mut part = [0; 1024];
            while !head.windows(4).any(|w| w == b"\r\n\r\n") {
                match stream.read(&mut part) {
                    Ok(0) | Err(_) => break,
                    Ok(count) => head.extend_from_slice(&part[..count]),
                }
            }
            let head = String::from_utf8_lossy(&head).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let (status, body) = match files.iter().find(|(name, _)| *name == path) {
                Some((_, body)) => ("200 OK", body.clone()),
                None => ("404 Not Found", Vec::new()),
            };
            let _ = stream.write_all(
                format!("HTTP/1.1 {status}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len())
                    .as_bytes(),
            );
            let _ = stream.write_all(&body);
        }
    });
    address
}

fn map_of(files: SocketAddr) -> Vec<String> {
    vec![format!("ca.example.test:80:{files}")]
}

#[test]
fn a_missing_intermediate_is_fetched_and_who_fails_is_said() {
    let authority = Authority::new();
    let leaf = authority.sign(
        "leaf",
        &Leaf {
            extensions: "authorityInfoAccess = caIssuers;URI:http://ca.example.test/intermediate.der".into(),
            ..Leaf::default()
        },
    );
    let server = servers::nginx(&authority, &leaf.leaf, &leaf.key, servers::INTERMEDIATE);
    let there = files(vec![("/intermediate.der", authority.intermediate_der())]);
    let seen = look_with(&authority, server.address, &map_of(there));
    let finding = seen.finding("LF-TLS-005");
    assert!(
        finding.impact.contains("Browsers fetch it from http://ca.example.test/intermediate.der"),
        "{seen}"
    );
    assert_eq!(seen.evidence.requests.total, 1, "the fetch is counted: {seen}");

    let empty = files(Vec::new());
    let seen = look_with(&authority, server.address, &map_of(empty));
    let finding = seen.finding("LF-TLS-005");
    assert!(finding.impact.contains("It cannot be fetched") && finding.impact.contains("HTTP 404"), "{seen}");
}

#[test]
fn a_revoked_certificate_is_critical_and_an_absent_list_is_no_verdict() {
    let authority = Authority::new();
    let leaf = Leaf {
        extensions: "crlDistributionPoints = URI:http://ca.example.test/list.crl".into(),
        ..Leaf::default()
    };
    let identity = authority.sign("leaf", &leaf);
    let server = servers::good(&authority, &identity);

    let clean = files(vec![("/list.crl", authority.list())]);
    let seen = look_with(&authority, server.address, &map_of(clean));
    let check = seen.survey().revocation.as_ref().expect("the leaf names a list");
    let list = check.answer.present().unwrap_or_else(|| panic!("{seen}"));
    assert_eq!((list.revoked_at, list.signature_holds, list.entries), (None, Some(true), 0), "{seen}");
    seen.lacks(&["LF-TLS-032", "LF-TLS-033"]);

    authority.revoke(&identity);
    let listed = files(vec![("/list.crl", authority.list())]);
    let seen = look_with(&authority, server.address, &map_of(listed));
    seen.says("LF-TLS-032", Severity::Critical, "was revoked on");

    let absent = files(Vec::new());
    let seen = look_with(&authority, server.address, &map_of(absent));
    seen.says("LF-TLS-033", Severity::Low, "HTTP 404");
    seen.lacks(&["LF-TLS-032"]);

    let nonsense = files(vec![("/list.crl", b"<html>login</html>".to_vec())]);
    let seen = look_with(&authority, server.address, &map_of(nonsense));
    seen.says("LF-TLS-033", Severity::Low, "no list in DER");
}

#[test]
fn an_authority_that_nobody_knows_is_told_from_a_leaf_that_signed_itself() {
    let authority = Authority::new();
    let stranger = Authority::new();
    let identity = stranger.sign("leaf", &Leaf::default());
    let server = servers::good(&stranger, &identity);
    let seen = look(&authority, server.address);
    seen.says("LF-TLS-004", Severity::Critical, "an authority that no root store knows");

    let output = std::process::Command::new("openssl")
        .args([
            "req",
            "-x509",
            "-newkey",
            "ec",
            "-pkeyopt",
            "ec_paramgen_curve:P-256",
            "-nodes",
            "-keyout",
            "self.key",
        ])
        .args(["-out", "self.pem", "-days", "30", "-subj", &format!("/CN={HOST}")])
        .args(["-addext", &format!("subjectAltName=DNS:{HOST}")])
        .current_dir(authority.folder())
        .output()
        .expect("openssl");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let server = servers::nginx(
        &authority,
        &authority.path("self.pem"),
        &authority.path("self.key"),
        servers::INTERMEDIATE,
    );
    let seen = look(&authority, server.address);
    seen.says("LF-TLS-004", Severity::Critical, "is self-signed");
    assert!(matches!(seen.handshake(), Observed::Present(_)), "{seen}");
}

#[test]
fn a_renewal_is_waited_for_until_every_address_shows_it() {
    let authority = Authority::new();
    let intermediate = authority.path("intermediate.pem");
    let server = |name: &str, leaf: &Leaf| {
        let identity = authority.sign(name, leaf);
        let chain = authority.joined(&format!("{name}-chain.pem"), &[&identity.leaf, &intermediate]);
        servers::nginx(&authority, &chain, &identity.key, servers::INTERMEDIATE)
    };
    let old = server("old", &Leaf { days: (-80, 10), ..Leaf::default() });
    let new = server("new", &Leaf::default());
    let wrong = server("wrong", &Leaf { names: vec!["www.example.test"], ..Leaf::default() });
    let leaves = |server: &Tls| landfall_diagnosis::leaves(&look(&authority, server.address).evidence);

    let first = leaves(&old);
    let waited_for = first.to_be_replaced();
    assert!(waited_for.len() == 1 && !first.all_renewed(&waited_for), "{first:?}");
    let mistaken = leaves(&wrong);
    assert!(!mistaken.all_renewed(&waited_for), "new, but of another name: {mistaken:?}");
    let second = leaves(&new);
    assert!(second.all_renewed(&waited_for), "{second:?}");
}

#[test]
fn a_challenge_that_is_shut_out_foretells_the_next_renewal() {
    let authority = Authority::new();
    let tls = serve(&authority, &Leaf { days: (-70, 20), ..Leaf::default() });
    let plain = |location: &str| {
        servers::nginx_with(
            &authority,
            &format!("server {{ listen 127.0.0.1:@PORT@; server_name {HOST};\n{location} }}"),
        )
    };
    let challenge_at = |server: &Tls| {
        let to = format!("{HOST}:80:{}", server.address);
        look_with(&authority, tls.address, &[to])
    };
    let shut = challenge_at(&plain("location ^~ /.well-known/ { deny all; } location / { return 200 ok; }"));
    shut.says(
        "LF-TLS-045",
        Severity::Medium,
        "the path of the challenge is closed over IPv4 (127.0.0.1) (403",
    );
    assert!(shut.finding("LF-TLS-045").impact.contains("renewal has been due since"), "{shut}");
    let away = challenge_at(&plain("location / { return 302 http://login.example.test:8080/; }"));
    away.says("LF-TLS-045", Severity::Medium, "redirected to http://login.example.test:8080/");
    // Nothing is in the way: a token that nobody laid down is not found, and a redirect to HTTPS is followed.
    for location in ["location / { return 404; }", "location / { return 301 https://$host$request_uri; }"] {
        challenge_at(&plain(location)).lacks(&["LF-TLS-045"]);
    }
}
