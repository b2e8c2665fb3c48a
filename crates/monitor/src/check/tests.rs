//! Checks against real listeners: every outcome and every reason, and every way to an address that must not be asked.

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::RecordType;
use landfall_evidence::Seen;
use landfall_probe::net::Egress;
use serde_json::json;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::testkit::{
    Authority, Reply, World, answer, data, knows, record, resolver, run, secure, spec, web, within,
};
use crate::result::{CheckResult, Outcome, Reason};

fn ended(result: &CheckResult) -> (Outcome, Option<Reason>) {
    (result.outcome, result.reason)
}

fn ok(_: &str) -> Option<String> {
    Some(answer(
        "200 OK",
        "content-type: application/json\r\nserver: unit\r\nx-version: v7\r\nset-cookie: id=secretvalue\r\n",
        r#"{"status":"ok","n":3,"version":"v7"}"#,
    ))
}

const DOWN: Outcome = Outcome::Down;
const UNSURE: Outcome = Outcome::Inconclusive;

#[tokio::test]
async fn a_good_answer_is_up_and_leaves_a_snapshot() {
    let web = web(ok).await;
    let probes = World::default().led("api.example.test", 80, web.address).probes();
    let monitor = spec(json!({ "kind": "http", "url": "http://api.example.test/health", "assert": [
        { "on": "status", "any_of": ["200-299"] },
        { "on": "header", "name": "Server", "equals": "unit" },
        { "on": "body", "contains": "ok" },
        { "on": "json", "path": "$.n", "at-least": 3 },
        { "on": "json", "path": "$.status", "equals": "ok" },
        { "on": "time", "max_ms": 60000 },
        { "on": "version", "path": "$.version" },
    ] }));
    let result = run(&probes, &monitor).await;
    assert_eq!(ended(&result), (Outcome::Up, None), "{}", result.say);
    assert!(result.say.starts_with("HTTP 200 application/json, 36 bytes in "), "{}", result.say);
    let snapshot = &result.snapshot;
    assert_eq!(
        (snapshot.status, snapshot.body_byte, snapshot.version.as_deref()),
        (Some(200), Some(36), Some("v7"))
    );
    assert_eq!(snapshot.headers.get("server").map(String::as_str), Some("unit"));
    assert!(!snapshot.headers.contains_key("set-cookie") && !snapshot.headers.contains_key("x-version"));
    assert_eq!(snapshot.protocols, ["HTTP/1.1"]);
    assert!(result.timings.connect_us.is_some() && result.timings.wait_us.is_some());
    let request = &web.log()[0];
    assert!(
        request.starts_with("GET /health HTTP/1.1\r\nhost: api.example.test\r\nuser-agent: Landfall/"),
        "{request}"
    );
}

#[tokio::test]
async fn what_is_not_as_asserted_is_down_with_its_reason_and_one_precise_line() {
    let web = web(ok).await;
    let probes = World::default().led("api.example.test", 80, web.address).probes();
    for (assertion, reason, say) in [
        (
            json!({ "on": "status", "any_of": [204, "3xx"] }),
            Reason::Status,
            "HTTP 200 application/json, 36 bytes; expected 204, 3xx",
        ),
        (
            json!({ "on": "header", "name": "server", "contains": "nginx" }),
            Reason::Header,
            "HTTP 200: the header server is \"unit\"; expected to contain \"nginx\"",
        ),
        (
            json!({ "on": "header", "name": "via", "exists": true }),
            Reason::Header,
            "HTTP 200: the header via is not there; expected it to be there",
        ),
        (json!({ "on": "body", "not-matches": "st.tus" }), Reason::Body, "expected not to match \"st.tus\""),
        (
            json!({ "on": "json", "path": "$.status", "equals": "fine" }),
            Reason::Json,
            "HTTP 200: $.status is \"ok\"; expected \"fine\"",
        ),
        (
            json!({ "on": "json", "path": "$.n", "at-most": 2 }),
            Reason::Json,
            "HTTP 200: $.n is \"3\"; expected at most 2",
        ),
        (
            json!({ "on": "version", "header": "X-Version", "expect": "v8" }),
            Reason::Version,
            "HTTP 200: the version is \"v7\" in X-Version; expected \"v8\"",
        ),
        (
            json!({ "on": "version", "header": "x-build", "expect": "v8" }),
            Reason::Version,
            "there is no version marker in x-build",
        ),
    ] {
        let monitor =
            spec(json!({ "kind": "http", "url": "http://api.example.test/", "assert": [assertion] }));
        let result = run(&probes, &monitor).await;
        assert_eq!(ended(&result), (DOWN, Some(reason)), "{}", result.say);
        assert!(result.say.contains(say), "{}", result.say);
        assert_eq!(result.evidence.len(), 1);
    }
}

#[tokio::test]
async fn without_a_word_on_the_status_only_2xx_is_right() {
    let web = web(|_| Some(answer("404 Not Found", "content-type: text/plain\r\n", "Not Found"))).await;
    let probes = World::default().led("api.example.test", 80, web.address).probes();
    let result = run(&probes, &spec(json!({ "kind": "http", "url": "http://api.example.test/" }))).await;
    assert_eq!(ended(&result), (DOWN, Some(Reason::Status)));
    assert_eq!(result.say, "HTTP 404 text/plain, 9 bytes; expected 200-299");
    assert_eq!(result.status, Some(404));
    let both = json!([{ "on": "status", "any_of": ["404"] }, { "on": "body", "equals": "Not Found" }]);
    let result =
        run(&probes, &spec(json!({ "kind": "http", "url": "http://api.example.test/", "assert": both })))
            .await;
    assert_eq!(result.outcome, Outcome::Up);
}

#[tokio::test]
async fn slow_is_degraded_or_down_as_declared() {
    let web = web(|_| {
        std::thread::sleep(std::time::Duration::from_millis(40));
        ok("")
    })
    .await;
    let probes = World::default().led("api.example.test", 80, web.address).probes();
    let soft = spec(json!({ "kind": "http", "url": "http://api.example.test/", "degraded_ms": 20 }));
    let result = run(&probes, &soft).await;
    assert_eq!(ended(&result), (Outcome::Degraded, Some(Reason::Slow)), "{}", result.say);
    assert!(result.say.ends_with("; slower than 20 ms"), "{}", result.say);
    let hard = json!([{ "on": "time", "max_ms": 20 }]);
    let hard = spec(json!({ "kind": "http", "url": "http://api.example.test/", "assert": hard }));
    assert_eq!(ended(&run(&probes, &hard).await), (DOWN, Some(Reason::Slow)));
}

#[tokio::test]
async fn limiters_and_challenges_are_inconclusive() {
    let web = web(|request| {
        Some(match request.split(' ').nth(1) {
            Some("/429") => answer("429 Too Many Requests", "retry-after: 7\r\n", "slow down"),
            Some("/503") => {
                answer("503 Service Unavailable", "retry-after: 7\r\nx-ratelimit-remaining: 0\r\n", "")
            }
            Some("/maintenance") => answer("503 Service Unavailable", "retry-after: 7\r\n", "back soon"),
            _ => answer(
                "403 Forbidden",
                "server: cloudflare\r\ncf-mitigated: challenge\r\ncontent-type: text/html\r\n",
                "<title>Just a moment...</title>",
            ),
        })
    })
    .await;
    let probes = World::default().led("api.example.test", 80, web.address).probes();
    let at = |path: &str| spec(json!({ "kind": "http", "url": format!("http://api.example.test{path}") }));
    let result = run(&probes, &at("/429")).await;
    assert_eq!(ended(&result), (UNSURE, Some(Reason::RateLimited)));
    assert_eq!(result.say, "HTTP 429: a rate limiter refused the check; it asks to wait 7");
    assert_eq!(ended(&run(&probes, &at("/503")).await), (UNSURE, Some(Reason::RateLimited)));
    assert_eq!(ended(&run(&probes, &at("/maintenance")).await), (DOWN, Some(Reason::Status)));
    assert_eq!(ended(&run(&probes, &at("/challenge")).await), (UNSURE, Some(Reason::Challenge)));
    let wanted = spec(
        json!({ "kind": "http", "url": "http://api.example.test/429", "assert": [{ "on": "status", "any_of": [429] }] }),
    );
    assert_eq!(run(&probes, &wanted).await.outcome, Outcome::Up, "who asks for a 429 gets one");
}

#[tokio::test]
async fn connections_that_come_to_nothing_are_down() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").expect("loopback");
    let refused = closed.local_addr().expect("bound");
    drop(closed);
    let silent = web(|_| None).await;
    let hangs_up = web(|_| Some(String::new())).await;
    let short = web(|_| Some("HTTP/1.1 200 OK\r\ncontent-length: 99\r\n\r\nonly this".into())).await;
    let garbage = web(|_| Some("SMTP says hello\r\n\r\n".into())).await;
    let flood = web(|_| {
        Some(format!("HTTP/1.1 200 OK\r\n{}\r\n", format!("x-pad: {}\r\n", "y".repeat(900)).repeat(100)))
    })
    .await;
    for (address, reason, say) in [
        (refused, Reason::ConnectionError, "connection refused"),
        (silent.address, Reason::Timeout, "no answer in wait after"),
        (hangs_up.address, Reason::ConnectionError, "closed in wait"),
        (short.address, Reason::ConnectionError, "stopped short after 9 bytes"),
        (garbage.address, Reason::Malformed, "malformed answer"),
        (flood.address, Reason::Malformed, "over the bound"),
    ] {
        let probes = World::default().led("api.example.test", 80, address).probes();
        let timeout = if reason == Reason::Timeout { 400 } else { 5000 };
        let monitor = within(spec(json!({ "kind": "http", "url": "http://api.example.test/" })), timeout);
        let result = run(&probes, &monitor).await;
        assert_eq!(ended(&result), (DOWN, Some(reason)), "{}", result.say);
        assert!(result.say.contains(say), "{}", result.say);
        assert!(!crate::own_side(&result), "{}", result.say);
    }
}

#[tokio::test]
async fn a_body_past_the_bound_is_looked_at_as_far_as_it_was_read() {
    let web = web(|_| {
        Some(answer("200 OK", "content-type: text/plain\r\n", &format!("begin{}", "x".repeat(1_200_000))))
    })
    .await;
    let probes = World::default().led("api.example.test", 80, web.address).probes();
    let asserted =
        |assertion| spec(json!({ "kind": "http", "url": "http://api.example.test/", "assert": [assertion] }));
    let result = run(&probes, &asserted(json!({ "on": "body", "contains": "begin" }))).await;
    assert_eq!(result.outcome, Outcome::Up, "{}", result.say);
    let result = run(&probes, &asserted(json!({ "on": "json", "path": "$.a", "exists": true }))).await;
    assert_eq!(ended(&result), (DOWN, Some(Reason::Json)));
    assert!(result.say.contains("longer than the 1048576 bytes"), "{}", result.say);
    let Seen::Http(seen) = &result.evidence[0].seen else { panic!("HTTP") };
    let kept = seen.answer.present().and_then(|r| r.body.text.as_ref()).map(String::len);
    assert_eq!(kept, Some(16 * 1024));
}

#[tokio::test]
async fn a_certificate_that_a_client_would_refuse_is_down_and_nothing_is_sent() {
    let (trusted, stranger) = (Authority::new(), Authority::new());
    for (config, say) in [
        (trusted.server("api.example.test", -90, -5), "the certificate expired on "),
        (trusted.server("api.example.test", 5, 90), "the certificate is not valid before "),
        (
            trusted.server("www.example.test", -5, 90),
            "the certificate is for www.example.test and not for api.example.test",
        ),
        (stranger.server("api.example.test", -5, 90), "Test Authority"),
    ] {
        let web = secure(config, ok).await;
        let world = World { ca_files: vec![trusted.path()], ..World::default() };
        let probes = world.led("api.example.test", 443, web.address).probes();
        let monitor = spec(
            json!({ "kind": "http", "url": "https://api.example.test/", "headers": { "authorization": "Bearer t0psecret-token" } }),
        );
        let result = run(&probes, &monitor).await;
        assert_eq!(ended(&result), (DOWN, Some(Reason::Certificate)), "{}", result.say);
        assert!(result.say.contains(say), "{}", result.say);
        assert!(web.log().is_empty(), "the token must not go to whom nobody vouches for");
        assert!(result.snapshot.certificate.is_some());
        assert!(result.evidence.iter().any(|o| matches!(o.seen, Seen::Tls(_))));

        let monitor = spec(json!({ "kind": "tls", "host": "api.example.test" }));
        let result = run(&probes, &monitor).await;
        assert_eq!(ended(&result), (DOWN, Some(Reason::Certificate)), "{}", result.say);
        assert!(result.say.contains(say), "{}", result.say);
    }
}

#[tokio::test]
async fn a_certificate_that_ends_soon_is_degraded_and_a_good_one_is_up() {
    let authority = Authority::new();
    let web = secure(authority.server("api.example.test", -5, 20), ok).await;
    let world = World { ca_files: vec![authority.path()], ..World::default() };
    let probes = world.led("api.example.test", 443, web.address).probes();
    let http = |days: u16| {
        spec(json!({ "kind": "http", "url": "https://api.example.test/", "certificate_days": days }))
    };
    let good = run(&probes, &http(7)).await;
    assert_eq!(good.outcome, Outcome::Up, "{}", good.say);
    assert_eq!(good.snapshot.protocols, ["TLSv1.3", "HTTP/1.1"]);
    assert!(good.timings.tls_us.is_some() && good.facts.tls.is_some());
    let soon = run(&probes, &http(30)).await;
    assert_eq!(ended(&soon), (Outcome::Degraded, Some(Reason::CertificateExpiring)), "{}", soon.say);
    assert!(soon.say.contains("30 days are wanted"), "{}", soon.say);
    let tls = run(&probes, &spec(json!({ "kind": "tls", "host": "api.example.test" }))).await;
    assert_eq!(tls.outcome, Outcome::Up, "{}", tls.say);
    assert_eq!(tls.snapshot.certificate, good.snapshot.certificate);
    assert_eq!(tls.snapshot.issuer.as_deref(), Some("Test Authority"));
    let tls =
        run(&probes, &spec(json!({ "kind": "tls", "host": "api.example.test", "certificate_days": 30 })))
            .await;
    assert_eq!(ended(&tls), (Outcome::Degraded, Some(Reason::CertificateExpiring)));
}

#[tokio::test]
async fn a_port_that_does_not_speak_tls_is_a_tls_error() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let address = listener.local_addr().expect("bound");
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let _ = stream.read(&mut [0; 2048]).await;
            let _ = stream.write_all(b"SSH-2.0-OpenSSH_9.9\r\n").await;
        }
    });
    let probes = World::default().led("api.example.test", 443, address).probes();
    for check in [
        json!({ "kind": "http", "url": "https://api.example.test/" }),
        json!({ "kind": "tls", "host": "api.example.test" }),
    ] {
        let result = run(&probes, &spec(check)).await;
        assert_eq!(ended(&result), (DOWN, Some(Reason::TlsError)), "{}", result.say);
        assert!(result.say.contains("SSH-2.0"), "{}", result.say);
    }
}

#[tokio::test]
async fn names_that_do_not_resolve_are_down_and_resolvers_that_do_not_answer_are_not() {
    let dns = resolver(|name, _, _| match name.split('.').next() {
        Some("gone") => Reply::Code(ResponseCode::NXDomain),
        Some("broken") => Reply::Code(ResponseCode::ServFail),
        Some("refused") => Reply::Code(ResponseCode::Refused),
        Some("silent") => Reply::Silence,
        _ => Reply::Data(Vec::new()),
    })
    .await;
    let probes = World { resolvers: vec![dns], ..World::default() }.probes();
    for (host, expected) in [
        ("gone", (DOWN, Some(Reason::DnsError))),
        ("broken", (DOWN, Some(Reason::DnsError))),
        ("empty", (DOWN, Some(Reason::DnsError))),
        ("refused", (UNSURE, Some(Reason::DnsSilent))),
        ("silent", (UNSURE, Some(Reason::DnsSilent))),
    ] {
        for check in [
            json!({ "kind": "http", "url": format!("https://{host}.example.test/") }),
            json!({ "kind": "tcp", "host": format!("{host}.example.test"), "port": 443 }),
            json!({ "kind": "tls", "host": format!("{host}.example.test") }),
            json!({ "kind": "dns", "name": format!("{host}.example.test") }),
        ] {
            let timeout = if host == "silent" { 800 } else { 5000 };
            let result = run(&probes, &within(spec(check), timeout)).await;
            assert_eq!(ended(&result), expected, "{host}: {}", result.say);
            assert_eq!(crate::own_side(&result), expected.0 == UNSURE);
            assert!(result.say.contains(host), "{}", result.say);
            assert!(!result.evidence.is_empty());
        }
    }
}

#[tokio::test]
async fn a_second_resolver_answers_for_a_first_one_that_does_not() {
    let dead = resolver(|_, _, _| Reply::Silence).await;
    let broken = resolver(|_, _, _| Reply::Code(ResponseCode::Refused)).await;
    let web = web(ok).await;
    let alive = knows(&[("api.example.test", "127.0.0.1")]).await;
    let probes = World { resolvers: vec![dead, broken, alive], ..World::default() }.probes();
    let url = format!("http://api.example.test:{}/", web.address.port());
    let result = run(&probes, &spec(json!({ "kind": "http", "url": url }))).await;
    assert_eq!(result.outcome, Outcome::Up, "{}", result.say);
    assert_eq!(result.snapshot.addresses, ["127.0.0.1".parse::<std::net::IpAddr>().expect("valid")]);
    let url = format!("http://api.example.test:{}/", web.address.port());
    let six = run(&probes, &spec(json!({ "kind": "http", "url": url, "family": 6 }))).await;
    assert_eq!(ended(&six), (DOWN, Some(Reason::DnsError)), "{}", six.say);
}

#[tokio::test]
async fn dns_records_are_held_against_what_is_expected() {
    let dns = resolver(|_, rtype, _| Reply::Data(data(rtype))).await;
    let probes = World { resolvers: vec![dns], ..World::default() }.probes();
    for (check, expected) in [
        (json!({ "kind": "dns", "name": "example.test" }), (Outcome::Up, None)),
        (json!({ "kind": "dns", "name": "example.test", "contains": ["192.0.2.2"] }), (Outcome::Up, None)),
        (
            json!({ "kind": "dns", "name": "example.test", "contains": ["192.0.2.9"] }),
            (DOWN, Some(Reason::Records)),
        ),
        (
            json!({ "kind": "dns", "name": "example.test", "exactly": ["192.0.2.2", "192.0.2.1"] }),
            (Outcome::Up, None),
        ),
        (
            json!({ "kind": "dns", "name": "example.test", "exactly": ["192.0.2.2"] }),
            (DOWN, Some(Reason::Records)),
        ),
        (
            json!({ "kind": "dns", "name": "example.test", "rtype": "txt", "exactly": ["v=spf1 -all"] }),
            (Outcome::Up, None),
        ),
        (
            json!({ "kind": "dns", "name": "example.test", "rtype": "CNAME", "exactly": ["app.host.test."] }),
            (Outcome::Up, None),
        ),
        (
            json!({ "kind": "dns", "name": "example.test", "rtype": "MX", "contains": ["10 mail.example.test"] }),
            (Outcome::Up, None),
        ),
        (json!({ "kind": "dns", "name": "example.test", "rtype": "CAA" }), (DOWN, Some(Reason::DnsError))),
    ] {
        let result = run(&probes, &spec(check.clone())).await;
        assert_eq!(ended(&result), expected, "{check}: {}", result.say);
    }
    let soa = run(&probes, &spec(json!({ "kind": "dns", "name": "example.test", "rtype": "SOA" }))).await;
    assert_eq!(soa.facts.dns_serial, Some(2026));
}

#[tokio::test]
async fn a_dns_server_that_the_monitor_names_is_what_is_watched() {
    let silent = resolver(|_, _, _| Reply::Silence).await;
    let refuses = resolver(|_, _, _| Reply::Code(ResponseCode::Refused)).await;
    let good = resolver(|_, rtype, _| Reply::Data(data(rtype))).await;
    let probes = World { resolvers: vec![silent], ..World::default() }.probes();
    for (server, expected) in [
        (silent, (DOWN, Some(Reason::Timeout))),
        (refuses, (DOWN, Some(Reason::DnsError))),
        (good, (Outcome::Up, None)),
    ] {
        let monitor = spec(json!({ "kind": "dns", "name": "example.test", "server": server.to_string() }));
        let timeout = if server == silent { 500 } else { 5000 };
        assert_eq!(ended(&run(&probes, &within(monitor, timeout)).await), expected);
    }
    let guarded = World { egress: Egress::public_only(Vec::new()), ..World::default() }.probes();
    let monitor = spec(json!({ "kind": "dns", "name": "example.test", "server": good.to_string() }));
    assert_eq!(ended(&run(&guarded, &monitor).await), (UNSURE, Some(Reason::Forbidden)));
}

#[tokio::test]
async fn tcp_is_up_when_the_connection_stands() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback");
    let port = listener.local_addr().expect("bound").port();
    let probes = World::default().probes();
    let monitor = spec(json!({ "kind": "tcp", "host": "127.0.0.1", "port": port }));
    let result = run(&probes, &monitor).await;
    assert_eq!(result.outcome, Outcome::Up, "{}", result.say);
    drop(listener);
    let result = run(&probes, &monitor).await;
    assert_eq!(ended(&result), (DOWN, Some(Reason::ConnectionError)), "{}", result.say);
    assert_eq!(result.say, format!("127.0.0.1:{port}: connection refused"));
}

#[tokio::test]
async fn redirects_are_followed_across_hosts_and_credentials_stay_at_home() {
    let other = web(ok).await;
    let home = web(|request| {
        let to =
            |status: &str, location: &str| Some(answer(status, &format!("location: {location}\r\n"), ""));
        match request.split(' ').nth(1) {
            Some("/same") => to("302 Found", "/end"),
            Some("/303") => to("303 See Other", "/end"),
            Some("/307") => to("307 Temporary Redirect", "/end"),
            Some("/away") => to("308 Permanent Redirect", "http://other.example.test/x#frag"),
            Some("/loop") => to("302 Found", "/loop"),
            Some("/chain") => to("302 Found", "/chain?more=1"),
            Some("/file") => to("302 Found", "file:///etc/passwd"),
            Some("/broken") => to("302 Found", "http://[::1"),
            Some(path) if path.starts_with("/chain") => to("302 Found", &format!("{path}1")),
            _ => ok(""),
        }
    })
    .await;
    let probes = World::default()
        .led("api.example.test", 80, home.address)
        .led("other.example.test", 80, other.address)
        .probes();
    let monitor = |path: &str, method: &str| {
        spec(
            json!({ "kind": "http", "url": format!("http://user:hunter2pw@api.example.test{path}"), "method": method,
            "headers": { "X-Api-Key": "k3y-0123456789", "accept": "application/json", "content-type": "text/plain" },
            "body": "payload" }),
        )
    };
    for (path, method, then) in
        [("/same", "POST", "GET"), ("/303", "PUT", "GET"), ("/307", "POST", "POST"), ("/same", "PUT", "PUT")]
    {
        let before = home.log().len();
        let result = run(&probes, &monitor(path, method)).await;
        assert_eq!(result.outcome, Outcome::Up, "{}", result.say);
        assert_eq!(result.snapshot.redirects, ["http://api.example.test/end"]);
        let log = home.log();
        let last = log.last().expect("a request");
        assert_eq!(log.len(), before + 2);
        assert!(last.starts_with(&format!("{then} /end ")), "{last}");
        assert_eq!(last.ends_with("payload"), then == method, "{last}");
        assert_eq!(last.contains("content-type"), then == method, "{last}");
        // Basic user:hunter2pw
        assert!(
            last.contains("authorization: Basic dXNlcjpodW50ZXIycHc=") && last.contains("k3y-0123456789"),
            "{last}"
        );
    }
    let result = run(&probes, &monitor("/away", "POST")).await;
    assert_eq!(result.outcome, Outcome::Up, "{}", result.say);
    let away = &other.log()[0];
    assert!(away.starts_with("POST /x HTTP/1.1") && away.ends_with("payload"), "{away}");
    assert!(away.contains("accept: application/json"), "{away}");
    assert!(!away.contains("authorization") && !away.contains("k3y-") && !away.contains("frag"), "{away}");

    for (path, say) in [
        ("/loop", "go round in a circle at http://api.example.test/loop"),
        ("/chain", "more than 5 redirects"),
        ("/file", "the redirect leads to a file URL"),
        ("/broken", "is not a URL"),
    ] {
        let result = run(&probes, &monitor(path, "GET")).await;
        assert_eq!(ended(&result), (DOWN, Some(Reason::Redirect)), "{}", result.say);
        assert!(result.say.contains(say), "{}", result.say);
    }
    let stays = spec(
        json!({ "kind": "http", "url": "http://api.example.test/same", "redirects": 0, "assert": [{ "on": "status", "any_of": [302] }] }),
    );
    assert_eq!(run(&probes, &stays).await.outcome, Outcome::Up);
}

#[tokio::test]
async fn what_the_monitor_sends_is_in_no_line_and_no_evidence_even_if_the_target_repeats_it() {
    let web = web(|request| {
        Some(answer(
            "500 Oops",
            &format!("x-echo: {}\r\nserver: k3y-0123456789\r\n", request.lines().next().unwrap_or_default()),
            request,
        ))
    })
    .await;
    let probes = World::default().led("api.example.test", 80, web.address).probes();
    let monitor = spec(
        json!({ "kind": "http", "url": "http://user:hunter2pw@api.example.test/h?token=t0kenvalue", "method": "POST",
        "headers": { "x-custom": "k3y-0123456789", "authorization": "Bearer abcdef-0815" }, "body": "the whole secret body",
        "assert": [{ "on": "header", "name": "x-echo", "equals": "a" }, { "on": "status", "any_of": [500] }] }),
    );
    let result = run(&probes, &monitor).await;
    assert_eq!(ended(&result), (DOWN, Some(Reason::Header)), "{}", result.say);
    let everything = format!(
        "{} {} {} {}",
        result.say,
        serde_json::to_string(&result.evidence).expect("serialises"),
        serde_json::to_string(&result.snapshot).expect("serialises"),
        monitor.shown(),
    ) + &monitor.target_words();
    for secret in
        ["k3y-0123456789", "abcdef-0815", "the whole secret body", "hunter2pw", "dXNlcjpodW50", "t0kenvalue"]
    {
        assert!(!everything.contains(secret), "{secret} in {everything}");
    }
    assert!(everything.contains("[redacted]"));
}

#[tokio::test]
async fn an_audit_is_a_check_too() {
    let web = web(|request| {
        Some(match request.split(' ').nth(1) {
            Some("/" | "/health") => answer("200 OK", "content-type: text/plain\r\n", "fine"),
            _ => answer("404 Not Found", "content-type: text/plain\r\n", "no such thing"),
        })
    })
    .await;
    let probes = World { egress: Egress::public_only(Vec::new()), ..World::default() }
        .led("api.example.test", 80, web.address)
        .probes();
    let monitor = within(spec(json!({ "kind": "audit", "url": "http://api.example.test" })), 3000);
    let result = run(&probes, &monitor).await;
    let audited = result.audit.as_ref().expect("an audit ran");
    assert!(audited.report.contains("landfall"), "{}", audited.report);
    assert!(!audited.evidence.observations.is_empty());
    assert_eq!(result.say, audited.diagnosis.summary);
    assert_ne!(result.reason, Some(Reason::Local), "{}", result.say);
    assert!(
        web.log().iter().any(|request| request.starts_with("GET /health")),
        "it went to the mapped place"
    );
    // The audit obeys the guard as well.
    let inside = World { egress: Egress::public_only(Vec::new()), ..World::default() }.probes();
    let monitor = within(
        spec(json!({ "kind": "http", "url": format!("http://127.0.0.1:{}/health", web.address.port()) })),
        3000,
    );
    let before = web.log().len();
    let audited = inside
        .diagnose(&monitor, std::time::Duration::from_secs(3), &landfall_audit::Progress::default())
        .await
        .expect("it runs");
    assert!(serde_json::to_string(&audited.evidence).expect("serialises").contains("forbidden"));
    assert_eq!(web.log().len(), before, "nothing was asked");
}

/// Everything that a URL or a host can be written as and that must not be asked. PORT stands for a listener's port.
const FORBIDDEN: &[&str] = &[
    "http://127.0.0.1:PORT/",
    "http://127.0.0.1:PORT/redirect?to=x",
    "http://127.1:PORT/",
    "http://127.0.1:PORT/",
    "http://2130706433:PORT/",
    "http://0x7f000001:PORT/",
    "http://0x7f.1:PORT/",
    "http://0x7f.0.0.0x1:PORT/",
    "http://0177.0.0.1:PORT/",
    "http://0177.0000.0000.0001:PORT/",
    "http://017700000001:PORT/",
    "http://127.0.0.1.:PORT/",
    "http://%31%32%37.0.0.1:PORT/",
    "http://127%2E0%2E0%2E1:PORT/",
    "http://\u{ff11}\u{ff12}\u{ff17}.0.0.1:PORT/",
    "http://127\u{3002}0\u{3002}0\u{3002}1:PORT/",
    "http://127.0.0.2:PORT/",
    "http://127.255.255.254:PORT/",
    "http://user:pw@127.0.0.1:PORT/",
    "http://localhost:PORT/",
    "http://LOCALHOST:PORT/",
    "http://localhost.:PORT/",
    "http://api.localhost:PORT/",
    "http://0.0.0.0:PORT/",
    "http://0:PORT/",
    "http://[::1]:PORT/",
    "http://[0:0:0:0:0:0:0:1]:PORT/",
    "http://[::]:PORT/",
    "http://[::ffff:127.0.0.1]:PORT/",
    "http://[::ffff:7f00:1]:PORT/",
    "http://[::127.0.0.1]:PORT/",
    "http://[64:ff9b::7f00:1]:PORT/",
    "http://[64:ff9b:1::1]:PORT/",
    "http://[2002:7f00:1::1]:PORT/",
    "http://[2001:0:7f00:1::1]:PORT/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://[fd20:ce::254]/computeMetadata/v1/",
    "http://[fe80::1]:PORT/",
    "http://[fec0::1]:PORT/",
    "http://[fc00::1]:PORT/",
    "http://[ff02::1]:PORT/",
    "http://[2001:db8::1]:PORT/",
    "http://[100::1]:PORT/",
    "http://[3fff::1]:PORT/",
    "http://[5f00::1]:PORT/",
    "http://169.254.169.254/latest/meta-data/",
    "http://2852039166/latest/meta-data/",
    "http://0xa9fea9fe/latest/meta-data/",
    "http://0251.0376.0251.0376/latest/meta-data/",
    "http://169.254.43518/latest/meta-data/",
    "http://[::ffff:169.254.169.254]/latest/meta-data/",
    "http://168.63.129.16/machine",
    "http://100.100.100.200/latest/meta-data/",
    "http://10.0.0.1/",
    "http://10.1/",
    "http://172.16.0.1/",
    "http://172.31.255.255/",
    "http://192.168.1.1/",
    "http://192.168.257/",
    "http://100.64.0.1/",
    "http://192.0.0.1/",
    "http://192.0.2.1/",
    "http://198.18.0.1/",
    "http://198.51.100.1/",
    "http://203.0.113.1/",
    "http://224.0.0.1/",
    "http://239.255.255.250/",
    "http://240.0.0.1/",
    "http://255.255.255.255/",
    "https://127.0.0.1:PORT/",
    "https://[::1]:PORT/",
];

#[tokio::test]
async fn no_spelling_of_a_private_address_reaches_a_listener() {
    assert!(FORBIDDEN.len() >= 50);
    let web = web(ok).await;
    let probes = World { egress: Egress::public_only(Vec::new()), ..World::default() }.probes();
    for url in FORBIDDEN {
        let url = url.replace("PORT", &web.address.port().to_string());
        let monitor = within(spec(json!({ "kind": "http", "url": url })), 5000);
        let result = run(&probes, &monitor).await;
        assert_eq!(ended(&result), (UNSURE, Some(Reason::Forbidden)), "{url}: {}", result.say);
        assert!(result.say.starts_with("this server does not ask "), "{}", result.say);
    }
    assert!(web.log().is_empty());
    // The same host as a TCP and a TLS check.
    for host in [
        "127.0.0.1",
        "0x7f.1",
        "2130706433",
        "0177.0.0.1",
        "localhost",
        "::1",
        "[::1]",
        "::ffff:127.0.0.1",
        "169.254.169.254",
    ] {
        for kind in ["tcp", "tls"] {
            let monitor =
                within(spec(json!({ "kind": kind, "host": host, "port": web.address.port() })), 5000);
            let result = run(&probes, &monitor).await;
            assert_eq!(ended(&result), (UNSURE, Some(Reason::Forbidden)), "{kind} {host}: {}", result.say);
        }
    }
}

#[tokio::test]
async fn no_name_redirect_or_changing_answer_leads_inside() {
    let inside = web(ok).await;
    let port = inside.address.port();
    // A public site that redirects inside: the operator's map gives it a place.
    let outside = web(move |request| {
        let to = match request.split(' ').nth(1) {
            Some("/address") => format!("http://127.0.0.1:{port}/"),
            Some("/name") => format!("http://inside.example.test:{port}/"),
            Some("/short") => format!("http://127.1:{port}/"),
            Some("/metadata") => "http://169.254.169.254/latest/meta-data/".to_owned(),
            _ => format!("//[::ffff:127.0.0.1]:{port}/"),
        };
        Some(answer("302 Found", &format!("location: {to}\r\n"), ""))
    })
    .await;
    let dns = resolver(|name, rtype, _| {
        let of = |text: &str| {
            let ip: std::net::IpAddr = text.parse().expect("an address");
            let fits = ip.is_ipv4() == (rtype == RecordType::A);
            Reply::Data(fits.then(|| record(ip)).into_iter().collect())
        };
        match name {
            "inside.example.test" => of("127.0.0.1"),
            "six.example.test" => of("::1"),
            "mapped.example.test" => of("::ffff:127.0.0.1"),
            "metadata.example.test" => of("169.254.169.254"),
            "private.example.test" => of("10.0.0.7"),
            _ => Reply::Code(ResponseCode::NXDomain),
        }
    })
    .await;
    let world =
        || World { egress: Egress::public_only(Vec::new()), resolvers: vec![dns], ..World::default() };
    let probes = world().led("outside.example.test", 80, outside.address).probes();
    for name in ["inside", "six", "mapped", "metadata", "private"] {
        let monitor = within(
            spec(json!({ "kind": "http", "url": format!("http://{name}.example.test:{port}/") })),
            5000,
        );
        assert_eq!(ended(&run(&probes, &monitor).await), (UNSURE, Some(Reason::Forbidden)), "{name}");
        for kind in ["tcp", "tls"] {
            let monitor = within(
                spec(json!({ "kind": kind, "host": format!("{name}.example.test"), "port": port })),
                5000,
            );
            assert_eq!(
                ended(&run(&probes, &monitor).await),
                (UNSURE, Some(Reason::Forbidden)),
                "{kind} {name}"
            );
        }
    }
    for path in ["address", "name", "short", "metadata", "mapped"] {
        let monitor = within(
            spec(json!({ "kind": "http", "url": format!("http://outside.example.test/{path}") })),
            5000,
        );
        let result = run(&probes, &monitor).await;
        assert_eq!(ended(&result), (UNSURE, Some(Reason::Forbidden)), "{path}: {}", result.say);
        assert_eq!(result.snapshot.redirects.len(), 1, "the redirect is in the evidence, but not asked");
    }
    // The first look-up gives a harmless address, every later one the machine itself. There is only one look-up between
    // the question and the connection, so whatever it says is what is judged.
    let changing = resolver(|_, rtype, n| {
        let ip = if n < 2 { [192, 0, 2, 1] } else { [127, 0, 0, 1] };
        let harmless = rtype == RecordType::A;
        Reply::Data(harmless.then(|| record(ip.into())).into_iter().collect())
    })
    .await;
    let allowed = vec!["192.0.2.0/24".parse().expect("a block")];
    let egress = Egress::public_only(allowed);
    let world = World {
        egress,
        resolvers: vec![changing],
        map: vec![format!("192.0.2.1:{port}:{}", outside.address)],
        ..World::default()
    };
    let probes = world.probes();
    let monitor = within(
        spec(json!({ "kind": "http", "url": format!("http://rebind.example.test:{port}/"), "redirects": 0 })),
        5000,
    );
    assert_eq!(
        ended(&run(&probes, &monitor).await),
        (DOWN, Some(Reason::Status)),
        "the first answer is the outside's"
    );
    for _ in 0..2 {
        assert_eq!(ended(&run(&probes, &monitor).await), (UNSURE, Some(Reason::Forbidden)));
    }
    assert!(inside.log().is_empty());
}

#[tokio::test]
async fn what_the_operator_allows_or_maps_is_asked() {
    let web = web(ok).await;
    let port = web.address.port();
    let egress = Egress::public_only(vec!["127.0.0.0/8".parse().expect("a block")]);
    let probes = World { egress, ..World::default() }.probes();
    let monitor = spec(json!({ "kind": "http", "url": format!("http://127.0.0.1:{port}/") }));
    assert_eq!(run(&probes, &monitor).await.outcome, Outcome::Up);
    // The map makes one name trusted, not the address that it leads to.
    let world = World { egress: Egress::public_only(Vec::new()), ..World::default() };
    let probes = world.led("api.example.test", 80, web.address).probes();
    assert_eq!(
        run(&probes, &spec(json!({ "kind": "http", "url": "http://api.example.test/" }))).await.outcome,
        Outcome::Up
    );
    assert_eq!(ended(&run(&probes, &monitor).await), (UNSURE, Some(Reason::Forbidden)));
}

#[tokio::test]
async fn a_monitor_that_cannot_be_asked_is_our_fault() {
    let probes = World::default().probes();
    let mut monitor = spec(json!({ "kind": "http", "url": "http://api.example.test/" }));
    let crate::Check::Http(check) = &mut monitor.check else { panic!("HTTP") };
    check.url = "nonsense".into();
    assert_eq!(ended(&run(&probes, &monitor).await), (UNSURE, Some(Reason::Local)));
}
