use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::{Response, Version};
use http_body_util::Full;
use landfall_evidence::{
    Denial, HttpResponse, HttpVersion, Observation, Observed, Phase, ProbeFault, Purpose, Silence, Vantage,
};
use tokio::io::AsyncWriteExt as _;

use super::testkit::*;
use super::*;
use crate::net::{Ledger, Limits};

const BASE: &str = "https://api.example.test";
const A: &str = "192.0.2.1";
const B: &str = "192.0.2.2";

async fn fetch(ctx: &Context, url: &str, version: Option<HttpVersion>) -> Observation {
    let url = Url::parse(url).expect("valid");
    let port = url.port_or_known_default().expect("http or https");
    let address = [SocketAddr::new(A.parse().expect("valid"), port)];
    get(ctx, &url, &address, version, Purpose::Endpoint, Vantage::Edge, None, 1).await
}

fn present(observation: &Observation) -> &HttpResponse {
    http(observation).answer.present().unwrap_or_else(|| panic!("{:?}", http(observation).answer))
}

fn denied(observation: &Observation) -> &Denial {
    http(observation).answer.denied().unwrap_or_else(|| panic!("{:?}", http(observation).answer))
}

fn with_limits(mut ctx: Context, change: impl FnOnce(&mut Limits)) -> Context {
    let mut limits = Limits::default();
    change(&mut limits);
    ctx.limits = Arc::new(limits);
    ctx
}

fn of(found: &[Observation], purpose: Purpose) -> Vec<&Observation> {
    found.iter().filter(|o| http(o).request.purpose == purpose).collect()
}

#[tokio::test]
async fn one_exchange_in_each_version_is_told_whole() {
    let app = App::new(|_| text(404, "Not Found"));
    let port = secure(&app, &[b"h2", b"http/1.1"], true).await;
    let ctx = led(&[("192.0.2.1:443", port)]);
    for (asked, got, round_trips) in [
        (None, HttpVersion::H2, 3),
        (Some(HttpVersion::H1), HttpVersion::H1, 3),
        (Some(HttpVersion::H2), HttpVersion::H2, 3),
        (Some(HttpVersion::H3), HttpVersion::H3, 2),
    ] {
        let seen = fetch(&ctx, "https://api.example.test/health?deep=1", asked).await;
        let response = present(&seen);
        assert_eq!((response.version, response.status), (got, 404));
        assert_eq!(response.header("content-type"), Some("text/plain; charset=utf-8"));
        assert_eq!((response.body.text.as_deref(), response.body.complete), (Some("Not Found"), true));
        assert_eq!(seen.id.0, format!("http/edge/GET /health?deep=1/{got}/192.0.2.1"));
        assert_eq!(seen.round_trips, round_trips, "{got}");
        let (request, timings) = (&http(&seen).request, http(&seen).timings);
        assert_eq!((request.version, request.path.as_str()), (got, "/health?deep=1"));
        assert_eq!(request.connected_to, Some(port));
        assert_eq!(timings.connect_us.is_some(), got != HttpVersion::H3);
        assert!(timings.tls_us.is_some() && timings.wait_us.is_some() && timings.transfer_us.is_some());
        assert!(timings.total_us() <= seen.took_us, "a fresh connection lies inside the observation");
        assert_eq!(request.headers.iter().any(|h| h.name == "host"), got == HttpVersion::H1);
    }
    assert!(app.log().iter().all(|got| got.user_agent == "landfall-test/0" && got.line == "GET /health"));
    assert_eq!(ctx.ledger.counts().by_host["api.example.test:443"], 4);
}

#[tokio::test]
async fn the_command_by_hand_goes_where_the_packets_went() {
    let app = App::new(|_| text(200, "ok"));
    let port = secure(&app, &[b"h2"], false).await;
    let seen = fetch(&led(&[("192.0.2.1:443", port)]), "https://api.example.test/a b", None).await;
    assert_eq!(
        seen.by_hand,
        format!(
            "curl -sS -i -k --http2 --connect-to api.example.test:443:{port} https://api.example.test/a%20b"
        )
    );
    let mut ctx = led(&[]);
    ctx.deadline = Instant::now();
    let seen = fetch(&ctx, "http://api.example.test/?a=1&b=2", None).await;
    assert_eq!(
        seen.by_hand,
        "curl -sS -i --resolve api.example.test:80:192.0.2.1 'http://api.example.test/?a=1&b=2'"
    );
    assert_eq!(http(&seen).answer, Observed::Unasked(ProbeFault::DeadlineSpent));
}

/// The first acceptance case: five tier-one questions pass, one is refused, and after one wait everything is answered.
#[tokio::test]
async fn a_limiter_of_five_refuses_the_audit_once_and_everything_is_answered() {
    let limiter = Limiter::new(5, Duration::from_secs(4));
    let app = App::new(move |_| if limiter.refuses() { limiter.refusal() } else { text(404, "Not Found") });
    let clear = App::new(|request| redirect(&format!("https://{HOST}{}", request.uri().path())));
    let (port, port80) = (secure(&app, &[b"h2", b"http/1.1"], true).await, plain(&clear).await);
    let addresses =
        ["104.21.14.105", "172.67.158.164", "2606:4700:3032::ac43:9ea4", "2606:4700:3030::6815:e69"];
    let ctx = led(&[
        ("104.21.14.105:443", port),
        ("172.67.158.164:443", port),
        ("[2606:4700:3032::ac43:9ea4]:443", port),
        ("[2606:4700:3030::6815:e69]:443", port),
        ("104.21.14.105:80", port80),
    ]);
    let endpoints = vec![
        endpoint("GET", "/health"),
        endpoint("GET", "/api/support/health"),
        endpoint("GET", "/api/webhooks/stripe/health"),
        endpoint("POST", "/api/webhooks/stripe/checkout-completed"),
    ];
    let site = site(BASE, Vantage::Edge, &addresses, endpoints, Depth::Full);
    let found = survey(&ctx, &site).await;

    let statuses: Vec<_> = found.iter().map(|o| (o.id.0.as_str(), status(o))).collect();
    assert_eq!(found.iter().filter(|o| status(o) == 429).count(), 1, "{statuses:#?}");
    let log = app.log();
    assert_eq!(log.len(), 9, "{log:#?}");
    assert_eq!(clear.log().len(), 1);
    assert_eq!(ctx.ledger.counts().total, 10);

    let deciding = [Purpose::Endpoint, Purpose::Control, Purpose::RouteExistence];
    let first = found.iter().filter(|o| deciding.contains(&http(o).request.purpose));
    let mut first: Vec<_> = first.map(|o| (http(o).request.purpose, status(o))).collect();
    first.sort();
    assert_eq!(
        first,
        [
            (Purpose::Endpoint, 404),
            (Purpose::Endpoint, 404),
            (Purpose::Endpoint, 404),
            (Purpose::Control, 404),
            (Purpose::RouteExistence, 404)
        ]
    );
    for id in [
        "http/edge/GET /health/HTTP/2/104.21.14.105",
        "http/edge/control/HTTP/2/104.21.14.105",
        "http/edge/route-existence GET /api/webhooks/stripe/checkout-completed/HTTP/2/104.21.14.105",
    ] {
        let seen = found.iter().find(|o| o.id.0 == id).unwrap_or_else(|| panic!("{id} in {statuses:#?}"));
        assert_eq!(seen.after, Some("dns/edge".into()));
    }
    let openers = found
        .iter()
        .filter(|o| http(o).timings.tls_us.is_some() && http(o).request.version == HttpVersion::H2);
    let opened = openers
        .filter(|o| http(o).request.address.map(|a| a.ip().to_string()).as_deref() == Some(addresses[0]));
    assert_eq!(opened.count(), 1, "one connection carried the first tier");

    let refused = found.iter().find(|o| status(o) == 429).expect("counted above");
    let again = found.iter().find(|o| o.attempt == 2).expect("asked again");
    assert_eq!(again.after.as_ref(), Some(&refused.id));
    assert_eq!(again.id.0, format!("{}#2", refused.id));
    assert!(again.started_us - refused.ended_us() >= 4_000_000, "Retry-After is obeyed");

    let mut last: BTreeMap<_, _> = BTreeMap::new();
    for seen in found.iter().filter(|o| status(o) == 404) {
        let request = &http(seen).request;
        last.insert((request.purpose, request.address.expect("known").ip(), request.version), ());
    }
    let everywhere: BTreeSet<_> = last.keys().map(|k| k.1).collect();
    assert_eq!(everywhere.len(), 4, "every address was asked");
    assert_eq!(
        last.keys().filter(|k| k.0 == Purpose::AddressParity).count(),
        1,
        "two addresses answered with a version"
    );
    let versions: Vec<_> = last.keys().filter(|k| k.0 == Purpose::Version).map(|k| k.2).collect();
    assert_eq!(versions, [HttpVersion::H1, HttpVersion::H3]);
    let plain = of(&found, Purpose::PlainHttp);
    assert_eq!(present(plain[0]).redirect_to.as_deref(), Some("https://api.example.test/health"));

    let line = crate::rate_limit::connect(&ctx, &site).await;
    let run = crate::rate_limit::probe(&ctx, &site, line, None).await;
    assert_eq!(run.len(), 1, "nothing more is sent");
    assert_eq!(app.log().len(), 9);
    let landfall_evidence::Seen::RateLimit(seen) = &run[0].seen else { panic!("{run:?}") };
    let run = seen.answer.present().expect("it ran");
    assert_eq!(run.stopped, landfall_evidence::RateStop::AlreadyRefused);
    assert_eq!((run.added, run.own_earlier, run.sequence.len()), (0, 9, 9));
    assert_eq!(run.estimate.limit.and_then(|l| l.exact()), Some(5), "{run:#?}");
    let signal = run.signal.as_ref().expect("refused");
    assert_eq!((signal.position, signal.status, signal.retry_after_s), (6, 429, Some(4)));
    assert_eq!(signal.body.as_deref(), Some("error code: 1015"));
}

#[tokio::test]
async fn what_waits_behind_a_long_wait_is_not_asked_and_says_why() {
    for (retry_after, left) in [("3600", Duration::from_secs(60)), ("30", Duration::from_secs(20))] {
        let app = App::new(move |request| {
            let mut answer = text(if request.uri().path() == "/health" { 429 } else { 200 }, "");
            answer.headers_mut().insert("retry-after", retry_after.parse().expect("valid"));
            answer
        });
        let port = secure(&app, &[b"h2", b"http/1.1"], true).await;
        let mut ctx = led(&[("192.0.2.1:443", port), ("192.0.2.2:443", port), ("192.0.2.1:80", port)]);
        ctx.deadline = Instant::now() + left;
        let site = site(BASE, Vantage::Edge, &[A, B], vec![endpoint("GET", "/health")], Depth::Full);
        let found = survey(&ctx, &site).await;
        assert_eq!(app.log().len(), 2);
        assert!(found.iter().all(|o| o.attempt == 1), "the refusal stands");
        let at_b = found.iter().find(|o| http(o).request.address.is_some_and(|a| a.ip().to_string() == B));
        match (&http(at_b.expect("the other address has its question")).answer, retry_after) {
            (Observed::Unasked(ProbeFault::Blocked { by, .. }), "3600") => {
                assert_eq!(by.0, "http/edge/GET /health/HTTP/2/192.0.2.1");
            }
            (Observed::Unasked(ProbeFault::DeadlineSpent), "30") => {}
            other => panic!("{other:?}"),
        }
    }
}

/// One request at another address in another version answers for both; only a difference is worth more requests.
#[tokio::test]
async fn address_and_version_are_asked_apart_only_when_the_answer_differs() {
    let same = App::new(|_| text(200, "ok"));
    let other = App::new(|_| text(503, "old"));
    for (at_b, parity, versions_at_home) in [(&same, 0, 1), (&other, 1, 2)] {
        let (home, away) = (
            secure(&same, &[b"h2", b"http/1.1"], true).await,
            secure(at_b, &[b"h2", b"http/1.1"], true).await,
        );
        let closed = plain(&same).await;
        let ctx = led(&[("192.0.2.1:443", home), ("192.0.2.2:443", away), ("192.0.2.1:80", closed)]);
        let site = site(BASE, Vantage::Edge, &[A, B], vec![endpoint("GET", "/health")], Depth::Full);
        let found = survey(&ctx, &site).await;
        let at =
            |o: &&&Observation, ip: &str| http(o).request.address.is_some_and(|a| a.ip().to_string() == ip);
        let ids: Vec<_> = found.iter().map(|o| (o.id.0.as_str(), status(o))).collect();
        assert_eq!(of(&found, Purpose::AddressParity).len(), parity, "{ids:#?}");
        let versions = of(&found, Purpose::Version);
        assert_eq!(versions.iter().filter(|o| at(o, B)).count(), 1, "{ids:#?}");
        assert_eq!(versions.iter().filter(|o| at(o, A)).count(), versions_at_home, "{ids:#?}");
    }
}

#[tokio::test]
async fn http11_uses_a_few_connections_and_asks_everything() {
    let app = App::new(|_| text(200, "ok"));
    let port = plain(&app).await;
    let ctx = led(&[("192.0.2.1:80", port)]);
    let endpoints = ["/a", "/b", "/c", "/d", "/e", "/f", "/g"].map(|path| endpoint("GET", path)).to_vec();
    let site = site("http://api.example.test", Vantage::Edge, &[A], endpoints, Depth::Full);
    let found = survey(&ctx, &site).await;
    assert_eq!(found.len(), 8, "plain http has no other versions and no port 80 of its own");
    assert!(found.iter().all(|o| status(o) == 200));
    assert!(app.log().iter().all(|got| got.version == Version::HTTP_11));
    let connections = found.iter().filter(|o| http(o).timings.connect_us.is_some()).count();
    assert!((1..=3).contains(&connections), "{connections}");
    for reused in found.iter().filter(|o| http(o).timings.connect_us.is_none()) {
        assert_eq!(reused.round_trips, 1);
        assert_ne!(
            reused.after,
            Some("dns/edge".into()),
            "it waited for the answer before it on its connection"
        );
    }
}

#[tokio::test]
async fn a_server_that_closes_after_every_answer_is_asked_everything_all_the_same() {
    let port = drip("HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok", "", Duration::ZERO).await;
    let ctx = led(&[("192.0.2.1:80", port)]);
    let endpoints = ["/a", "/b", "/c", "/d", "/e"].map(|path| endpoint("GET", path)).to_vec();
    let site = site("http://api.example.test", Vantage::Local, &[A], endpoints, Depth::Endpoints);
    let found = survey(&ctx, &site).await;
    assert_eq!(found.len(), 6);
    assert!(found.iter().all(|o| status(o) == 200));
    assert_eq!(ctx.ledger.left(), ctx.ledger.budget(), "local requests are free");
}

#[tokio::test]
async fn a_version_that_the_server_does_not_offer_is_denied_and_quic_is_silent_soon() {
    let app = App::new(|_| text(200, "ok"));
    let port = secure(&app, &[b"http/1.1"], false).await;
    let ctx = led(&[("192.0.2.1:443", port), ("192.0.2.1:80", port)]);
    let site = site(BASE, Vantage::Edge, &[A], vec![endpoint("GET", "/health")], Depth::Full);
    let found = survey(&ctx, &site).await;
    let versions: BTreeMap<_, _> =
        of(&found, Purpose::Version).iter().map(|o| (http(o).request.version, *o)).collect();
    assert_eq!(versions.len(), 2);
    let chosen = Some("http/1.1".to_owned());
    assert_eq!(denied(versions[&HttpVersion::H2]), &Denial::VersionNotOffered { chosen });
    assert_eq!(
        http(versions[&HttpVersion::H3]).answer,
        Observed::Silent(Silence { phase: Phase::Tls, waited_us: 2_000_000 })
    );
    assert_eq!(present(of(&found, Purpose::Endpoint)[0]).version, HttpVersion::H1);
}

#[tokio::test]
async fn a_dead_first_address_is_told_and_the_next_one_is_asked() {
    let app = App::new(|_| text(200, "ok"));
    let port = plain(&app).await;
    let closed =
        tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback").local_addr().expect("bound");
    let ctx = led(&[("192.0.2.1:80", closed), ("192.0.2.2:80", port)]);
    let site = site(
        "http://api.example.test",
        Vantage::Edge,
        &[A, B],
        vec![endpoint("GET", "/health")],
        Depth::Full,
    );
    let found = survey(&ctx, &site).await;
    let parity = of(&found, Purpose::AddressParity);
    assert_eq!((parity.len(), denied(parity[0])), (1, &Denial::Refused));
    assert_eq!(http(parity[0]).request.address.map(|a| a.ip().to_string()).as_deref(), Some(A));
    assert_eq!(found.len(), 3);
    assert_eq!(status(of(&found, Purpose::Endpoint)[0]), 200);
    assert_eq!(status(of(&found, Purpose::Control)[0]), 200);
}

#[tokio::test]
async fn every_question_says_that_the_door_is_closed() {
    let closed =
        tokio::net::TcpListener::bind("127.0.0.1:0").await.expect("loopback").local_addr().expect("bound");
    let ctx = led(&[("192.0.2.1:443", closed), ("192.0.2.1:80", closed)]);
    let site = site(
        BASE,
        Vantage::Edge,
        &[A],
        vec![endpoint("GET", "/health"), endpoint("POST", "/x")],
        Depth::Full,
    );
    let found = survey(&ctx, &site).await;
    for purpose in [Purpose::Endpoint, Purpose::RouteExistence, Purpose::Control, Purpose::PlainHttp] {
        assert_eq!(denied(of(&found, purpose)[0]), &Denial::Refused);
    }
    assert_eq!(ctx.ledger.counts().total, 0, "nothing was sent");
}

#[tokio::test]
async fn without_an_address_nothing_is_asked_and_the_reason_is_told() {
    let mut site = site(BASE, Vantage::Edge, &[], vec![endpoint("GET", "/health")], Depth::Full);
    let fault = ProbeFault::Blocked { by: "dns/edge".into(), reason: "NXDOMAIN".into() };
    site.fault = Some(fault.clone());
    let found = survey(&led(&[]), &site).await;
    assert_eq!(found.len(), 2);
    assert!(
        found
            .iter()
            .all(|o| http(o).answer == Observed::Unasked(fault.clone()) && http(o).request.address.is_none())
    );
}

#[tokio::test]
async fn the_budget_ends_the_questions() {
    let app = App::new(|_| text(200, "ok"));
    let port = plain(&app).await;
    let mut ctx = led(&[("192.0.2.1:80", port)]);
    ctx.ledger = Arc::new(Ledger::new(2));
    let endpoints = ["/a", "/b", "/c"].map(|path| endpoint("GET", path)).to_vec();
    let site = site("http://api.example.test", Vantage::Edge, &[A], endpoints, Depth::Endpoints);
    let found = survey(&ctx, &site).await;
    let spent = Observed::Unasked(ProbeFault::BudgetSpent { budget: 2 });
    assert_eq!(found.iter().filter(|o| http(o).answer == spent).count(), 2);
    assert_eq!(app.log().len(), 2);
}

#[tokio::test]
async fn redirects_are_followed_on_the_host_and_a_loop_ends_visibly() {
    let app = App::new(|request| match request.uri().path() {
        "/start" => redirect("/one"),
        "/one" => redirect("/two"),
        "/two" => redirect("/one"),
        "/deep" => redirect("/deep/1"),
        path if path.starts_with("/deep/") => redirect(&format!("{path}1")),
        "/away" => redirect("https://elsewhere.example.test/start"),
        _ => text(200, "ok"),
    });
    let port = plain(&app).await;
    let ctx = led(&[("192.0.2.1:80", port)]);
    let endpoints = ["/start", "/deep", "/away"].map(|path| endpoint("GET", path)).to_vec();
    let site = site("http://api.example.test", Vantage::Origin, &[A], endpoints, Depth::Endpoints);
    let found = survey(&ctx, &site).await;
    let hops: Vec<_> = of(&found, Purpose::Redirect).iter().map(|o| http(o).request.path.clone()).collect();
    assert_eq!(hops.iter().filter(|p| ["/one", "/two"].contains(&p.as_str())).count(), 2, "{hops:?}");
    assert_eq!(hops.iter().filter(|p| p.starts_with("/deep/")).count(), ctx.limits.redirects);
    let two = found.iter().find(|o| http(o).request.path == "/two").expect("followed");
    assert_eq!(present(two).redirect_to.as_deref(), Some("http://api.example.test/one"), "the loop shows");
    assert_eq!(two.vantage, Vantage::Origin);
    let away = found.iter().find(|o| http(o).request.path == "/away").expect("asked");
    assert_eq!(present(away).redirect_to.as_deref(), Some("https://elsewhere.example.test/start"));
    assert!(!found.iter().any(|o| http(o).request.url.contains("elsewhere")), "other hosts are left alone");
}

#[tokio::test]
async fn endless_and_oversized_headers_are_cut_off() {
    let endless = drip("HTTP/1.1 200 OK\r\n", "x-more: and more and more and more\r\n", Duration::ZERO).await;
    let seen = fetch(&led(&[("192.0.2.1:80", endless)]), "http://api.example.test/", None).await;
    assert_eq!(denied(&seen), &Denial::TooLarge { what: "headers".into(), limit: 65_536 });

    let many = raw(|mut stream| async move {
        if read_request(&mut stream).await {
            let fields: String = (0..200).map(|i| format!("x-{i}: 1\r\n")).collect();
            let _ = stream
                .write_all(format!("HTTP/1.1 200 OK\r\n{fields}content-length: 0\r\n\r\n").as_bytes())
                .await;
        }
    })
    .await;
    let seen = fetch(&led(&[("192.0.2.1:80", many)]), "http://api.example.test/", None).await;
    assert_eq!(denied(&seen), &Denial::TooLarge { what: "header count".into(), limit: 128 });

    let app = App::new(|_| {
        Response::builder().header("x-large", "a".repeat(100_000)).body(Full::default()).expect("valid")
    });
    let port = secure(&app, &[b"h2"], false).await;
    let seen = fetch(&led(&[("192.0.2.1:443", port)]), BASE, None).await;
    assert_eq!(denied(&seen), &Denial::TooLarge { what: "headers".into(), limit: 65_536 });
}

/// The peer never pauses, so without the bound no limit in time would be met: the thread is not handed back.
#[tokio::test]
async fn interim_responses_are_borne_with_up_to_a_bound() {
    let endless = drip("", "HTTP/1.1 100 Continue\r\n\r\n", Duration::ZERO).await;
    let seen = fetch(&led(&[("192.0.2.1:80", endless)]), "http://api.example.test/", None).await;
    assert_eq!(denied(&seen), &Denial::TooLarge { what: "interim responses".into(), limit: 100 });

    let patient = raw(|mut stream| async move {
        if read_request(&mut stream).await {
            let interim = "HTTP/1.1 102 Processing\r\n\r\n".repeat(100);
            let answer = "HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nok";
            let _ = stream.write_all([&interim, answer].concat().as_bytes()).await;
        }
    })
    .await;
    let seen = fetch(&led(&[("192.0.2.1:80", patient)]), "http://api.example.test/", None).await;
    assert_eq!((present(&seen).status, present(&seen).body.text.as_deref()), (200, Some("ok")));
}

/// RFC 9114 section 7.2.2: HEADERS frames, type 1, whose field section is `:status: 103`, line 24 of the static table
/// (RFC 9204, appendix A).
#[tokio::test]
async fn interim_responses_over_http3_are_bounded_too() {
    static HINTS: [u8; 5_000] = {
        let mut bytes = [0; 5_000];
        let mut at = 0;
        while at < bytes.len() {
            (bytes[at], bytes[at + 1], bytes[at + 4]) = (0x01, 0x03, 0xd8);
            at += 5;
        }
        bytes
    };
    let port = raw_h3(&[0x01, 0x03, 0, 0, 0xd8], &HINTS).await;
    let seen = fetch(&led(&[("192.0.2.1:443", port)]), BASE, Some(HttpVersion::H3)).await;
    assert_eq!(denied(&seen), &Denial::TooLarge { what: "interim responses".into(), limit: 100 });
}

/// RFC 9114 section 7.2.2: a HEADERS frame, type 1, here with an announced length of 2^30 bytes that keep coming.
#[tokio::test]
async fn an_endless_http3_header_block_is_cut_off() {
    static FILLER: [u8; 65_536] = [0; 65_536];
    let port = raw_h3(&[0x01, 0xc0, 0, 0, 0, 0x40, 0, 0, 0], &FILLER).await;
    let seen = fetch(&led(&[("192.0.2.1:443", port)]), BASE, Some(HttpVersion::H3)).await;
    assert_eq!(denied(&seen), &Denial::TooLarge { what: "headers".into(), limit: 65_536 });
}

#[tokio::test]
async fn an_endless_body_is_cut_at_the_bound() {
    let endless = drip("HTTP/1.1 200 OK\r\n\r\n", "all work and no play ", Duration::ZERO).await;
    let seen = fetch(&led(&[("192.0.2.1:80", endless)]), "http://api.example.test/", None).await;
    let body = &present(&seen).body;
    assert_eq!((body.byte_count, body.complete), (1024 * 1024, false));
    assert_eq!(body.cut.as_deref(), Some("cut at the bound of 1048576 bytes"));
    assert_eq!(body.text.as_ref().map(String::len), Some(16 * 1024));
}

#[tokio::test]
async fn garbage_is_malformed_and_on_the_tls_port_it_is_not_tls() {
    let garbage = drip("\u{1}\u{2} this is not HTTP\r\n\r\n", "", Duration::ZERO).await;
    let seen = fetch(&led(&[("192.0.2.1:80", garbage)]), "http://api.example.test/", None).await;
    assert!(matches!(denied(&seen), Denial::Malformed { phase: Phase::Wait, .. }), "{:?}", denied(&seen));

    let clear = plain(&App::new(|_| text(200, "ok"))).await;
    let seen = fetch(&led(&[("192.0.2.1:443", clear)]), BASE, None).await;
    let Denial::NotTls { first_bytes } = denied(&seen) else { panic!("{:?}", denied(&seen)) };
    assert!(first_bytes.starts_with("HTTP/1.1 400"), "{first_bytes}");
}

#[tokio::test]
async fn a_peer_that_leaves_early_is_closed_and_a_half_body_is_kept() {
    let gone = drip("", "", Duration::ZERO).await;
    let seen = fetch(&led(&[("192.0.2.1:80", gone)]), "http://api.example.test/", None).await;
    assert_eq!(denied(&seen), &Denial::Closed { phase: Phase::Wait });

    let half = drip("HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\nonly this", "", Duration::ZERO).await;
    let seen = fetch(&led(&[("192.0.2.1:80", half)]), "http://api.example.test/", None).await;
    let body = &present(&seen).body;
    assert_eq!((body.byte_count, body.complete, body.text.as_deref()), (9, false, Some("only this")));
    assert!(
        body.cut.as_deref().is_some_and(|cut| cut.starts_with("the peer stopped short after 9 bytes")),
        "{:?}",
        body.cut
    );
}

#[tokio::test]
async fn a_drip_is_bounded_by_the_phase_that_it_spends() {
    let pause = Duration::from_millis(10);
    let body = drip("HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n", ".", pause).await;
    let ctx =
        with_limits(led(&[("192.0.2.1:80", body)]), |limits| limits.transfer = Duration::from_millis(300));
    let seen = fetch(&ctx, "http://api.example.test/", None).await;
    assert_eq!(present(&seen).body.cut.as_deref(), Some("not complete after 0.3 s"));

    let head = drip("HTTP/1.1 200 OK\r\nx-slow: ", ".", pause).await;
    let ctx = with_limits(led(&[("192.0.2.1:80", head)]), |limits| limits.wait = Duration::from_millis(300));
    let seen = fetch(&ctx, "http://api.example.test/", None).await;
    assert_eq!(http(&seen).answer, Observed::Silent(Silence { phase: Phase::Wait, waited_us: 300_000 }));
    assert_eq!(http(&seen).timings.wait_us, None);
}

#[tokio::test]
async fn a_coded_body_is_digested_and_not_shown() {
    let app = App::new(|_| {
        Response::builder()
            .header("content-encoding", "gzip")
            .body(Full::new(Bytes::from_static(b"looks like text")))
            .expect("valid")
    });
    let port = plain(&app).await;
    let seen = fetch(&led(&[("192.0.2.1:80", port)]), "http://api.example.test/", None).await;
    let body = &present(&seen).body;
    assert_eq!((body.byte_count, body.text.as_deref(), body.complete), (15, None, true));
}

#[test]
fn paths_stay_on_the_host_whatever_they_look_like() {
    let site = site(BASE, Vantage::Edge, &[A], Vec::new(), Depth::Full);
    assert_eq!(site.url("//elsewhere.example.test/x?y=1#z").host_str(), Some("api.example.test"));
    assert_eq!(site.url("/a?b=c").as_str(), "https://api.example.test/a?b=c");
    assert_eq!(site.first_question(Purpose::Version).path(), "/");
}

#[tokio::test]
async fn a_trial_differs_in_what_it_says_and_in_nothing_else() {
    let app = App::new(|_| text(200, "ok"));
    let port = secure(&app, &[b"h2", b"http/1.1"], false).await;
    let ctx = led(&[("192.0.2.1:443", port)]);
    let site = site(BASE, Vantage::Edge, &[A], vec![endpoint("GET", "/health")], Depth::Endpoints);
    let wanted = |method: &str| TrialRequest {
        name: "other".into(),
        serial: None,
        method: method.into(),
        path: "/health/".into(),
        plain: "/health".into(),
        headers: vec![landfall_evidence::Header { name: "user-agent".into(), value: "Mozilla/5.0".into() }],
        host: Some("other.example.test".into()),
    };
    let seen = trial(&ctx, &site, &wanted("GET")).await;
    let request = &http(&seen).request;
    assert_eq!(present(&seen).version, HttpVersion::H1, "only HTTP/1.1 has a Host header of its own");
    assert_eq!(seen.id.0, "http/edge/trial other GET /health//HTTP/1.1/192.0.2.1");
    assert_eq!(request.trial.as_ref().map(|t| t.plain.as_str()), Some("/health"));
    let said = |name: &str| {
        let values: Vec<&str> =
            request.headers.iter().filter(|h| h.name == name).map(|h| h.value.as_str()).collect();
        values.join(" and ")
    };
    assert_eq!((said("host").as_str(), said("user-agent").as_str()), ("other.example.test", "Mozilla/5.0"));
    assert_eq!(app.log()[0].user_agent, "Mozilla/5.0");
    assert!(seen.by_hand.contains("-H 'host: other.example.test'"), "{}", seen.by_hand);
    assert!(seen.by_hand.contains("-H 'user-agent: Mozilla/5.0'"), "{}", seen.by_hand);

    let refused = trial(&ctx, &site, &wanted("DELETE")).await;
    assert!(
        matches!(&http(&refused).answer, Observed::Unasked(ProbeFault::Local { detail }) if detail.contains("DELETE")),
        "{refused:?}"
    );
    assert_eq!(app.log().len(), 1, "what may change something is not sent");
}

#[tokio::test]
async fn the_deep_look_goes_over_one_connection_and_is_held_against_what_is_served() {
    let app = App::new(|request| match request.uri().path() {
        "/health" if request.method() == http::Method::HEAD => text(405, ""),
        "/health" => {
            let mut answer = text(200, "{}");
            answer.headers_mut().insert("alt-svc", "h3=\":9\"".parse().expect("valid"));
            answer
        }
        _ => text(404, "no such path"),
    });
    let port = secure(&app, &[b"h2"], false).await;
    let ctx = led(&[("192.0.2.1:443", port)]);
    let site =
        site(BASE, Vantage::Edge, &[A], vec![endpoint("GET", "/"), endpoint("GET", "/health")], Depth::Full);
    let plain = survey(&ctx, &site).await;
    let before = app.log().len();
    let seen = super::deep(&ctx, &site, &plain).await;
    let name = |o: &Observation| http(o).request.trial.as_ref().map(|t| (t.name.clone(), t.plain.clone()));
    let names: Vec<String> = seen.iter().filter_map(|o| name(o).map(|(name, _)| name)).collect();
    assert_eq!(
        names,
        [
            "head",
            "warm",
            "bust",
            "coding-gzip",
            "coding-br",
            "coding-zstd",
            "cors-stranger",
            "error-form",
            "self",
            "self",
            "alt-svc-9"
        ]
    );
    assert!(seen.iter().all(|o| name(o).is_some_and(|(_, plain)| plain == "/health")), "/ is not served");
    assert_eq!(status(&seen[0]), 405);
    // The first trial made the connection; the others were asked over it.
    assert!(http(&seen[0]).timings.tls_us.is_some());
    assert!(
        seen[1..10].iter().all(|o| http(o).timings.tls_us.is_none() && http(o).timings.connect_us.is_none())
    );
    assert_eq!(app.log().len() - before, 10, "the eleventh found nobody at its port");
    assert!(http(&seen[10]).answer.present().is_none());
    let again = super::deep(&ctx, &site, &plain).await;
    let ids = |all: &[Observation]| all.iter().map(|o| o.id.0.clone()).collect::<Vec<_>>();
    assert_eq!(ids(&seen), ids(&again), "ids are those of the questions");
}

#[tokio::test]
async fn the_deep_look_ends_at_a_refusal_and_asks_nothing_of_a_silent_site() {
    let limiter = Arc::new(super::testkit::Limiter::new(4, Duration::from_secs(60)));
    let refusing = Arc::clone(&limiter);
    let app = App::new(move |_| if refusing.refuses() { refusing.refusal() } else { text(200, "ok") });
    let port = secure(&app, &[b"h2"], false).await;
    let ctx = led(&[("192.0.2.1:443", port)]);
    let site = site(BASE, Vantage::Edge, &[A], vec![endpoint("GET", "/health")], Depth::Full);
    let mut first = site.clone();
    first.depth = Depth::Endpoints;
    let plain = survey(&ctx, &first).await;
    let seen = super::deep(&ctx, &site, &plain).await;
    assert_eq!(seen.iter().map(status).collect::<Vec<_>>(), [200, 200, 429]);
    assert!(super::deep(&ctx, &site, &[]).await.is_empty(), "there is nothing to hold a trial against");
    assert!(super::deep(&ctx, &first, &plain).await.is_empty(), "only a full look goes deeper");
}
