//! Worlds whose way in fails: on the route, at the port, in TLS. Each is what the audit would see there, further looks
//! included, and beside each stands what tells it from its look-alike.

use landfall_evidence::*;

use super::rank::{Ranking, rank};
use crate::Label;
use crate::catalogue::Catalogue;
use crate::facts::Facts;
use crate::testkit::*;

/// Causes that have a world here.
pub(super) const WEIGHED: &[&str] = &[
    "accept-queue-full",
    "acme-rate-limited",
    "cert-issuance-pending",
    "cert-wildcard-depth",
    "client-certificate-required",
    "ephemeral-ip-changed",
    "hsts-pins-https",
    "https-port-closed",
    "ipv6-only-target",
    "nat-not-forwarded",
    "path-mtu-blackhole",
    "port-not-standard",
    "provider-or-region-outage",
    "tls-sni-unknown",
    "tls-version-unsupported",
];

const AT: &str = "192.0.2.10:443";

fn silence(phase: Phase) -> Silence {
    Silence { phase, waited_us: 5_000_000 }
}

fn world() -> World {
    let mut world = World::new("https://api.example.test");
    world.endpoint("GET", "/health", EndpointSource::Declared, true, &["ok"]);
    let a = records("api.example.test", "A", &["192.0.2.10"], false);
    world.dns_outcome(DnsServerRole::Recursive, "9.9.9.9", "api.example.test", "A", Observed::Present(a));
    let none = records("api.example.test", "AAAA", &[], false);
    world.dns_outcome(
        DnsServerRole::Recursive,
        "9.9.9.9",
        "api.example.test",
        "AAAA",
        Observed::Present(none),
    );
    world
}

fn good() -> HttpResponse {
    response(200).json(r#"{"ok":true}"#).header("date", "Sat, 15 Nov 2025 15:51:55 GMT").build()
}

/// What every question over the connection meets.
fn meets(world: &mut World, handshake: Observed<TlsHandshake>, request: Observed<HttpResponse>) {
    world.tls(AT, handshake);
    for purpose in [Purpose::Endpoint, Purpose::Control] {
        let path = if purpose == Purpose::Control { "/landfall-control-1" } else { "/health" };
        world.http_outcome(Vantage::Edge, purpose, path, request.clone()).at_address(AT);
    }
}

fn denied(world: &mut World, denial: &Denial) {
    meets(world, Observed::Denied(denial.clone()), Observed::Denied(denial.clone()));
}

fn silent(world: &mut World, phase: Phase) {
    meets(world, Observed::Silent(silence(phase)), Observed::Silent(silence(phase)));
}

fn plain(world: &mut World, answer: Observed<HttpResponse>) {
    world.http_outcome(Vantage::Edge, Purpose::PlainHttp, "/health", answer).at_address("192.0.2.10:80");
}

fn door(world: &mut World, ask: DoorAsk, port: u16, answer: Observed<DoorAnswer>) {
    let url = matches!(ask, DoorAsk::OtherPort | DoorAsk::Challenge | DoorAsk::ParentPolicy)
        .then(|| format!("http://api.example.test:{port}/health"));
    let seen = DoorObservation {
        question: DoorQuestion {
            ask,
            host: "api.example.test".into(),
            url,
            address: ([192, 0, 2, 10], port).into(),
            connected_to: None,
        },
        answer,
    };
    world.observe(&format!("door/edge/{}/{port}", ask.name()), Vantage::Edge, Seen::Door(seen));
}

fn page(response: HttpResponse) -> Observed<DoorAnswer> {
    Observed::Present(DoorAnswer::Http { response: Box::new(response) })
}

fn shown(version: &str, asked: Option<bool>) -> Observed<DoorAnswer> {
    Observed::Present(DoorAnswer::Tls(DoorTls {
        version: version.into(),
        cipher_suite: "TLS_RSA_WITH_AES_128_CBC_SHA".into(),
        names: Vec::new(),
        certificate_asked: asked,
        alert_after: None,
    }))
}

fn alert(code: u8, name: &str) -> Denial {
    Denial::TlsAlert { code, name: name.into() }
}

fn ranked(world: &mut World) -> Ranking {
    let catalogue = Catalogue::embedded();
    rank(&Facts::derive(&world.build(), catalogue), catalogue)
}

/// The first cause is this one, alone in front, at "likely" or above.
#[track_caller]
fn is(world: &mut World, want: &str) -> Ranking {
    let ranking = ranked(world);
    let first = ranking.causes.first().unwrap_or_else(|| panic!("{want}: nothing is named"));
    let all: Vec<(&str, i32, Label)> =
        ranking.causes.iter().map(|c| (c.id.as_str(), c.score_db, c.label)).collect();
    assert!(first.id == want && first.label >= Label::Likely, "{want}: {all:?}");
    ranking
}

#[track_caller]
fn names(ranking: &Ranking, id: &str) -> bool {
    ranking.causes.iter().any(|cause| cause.id == id && cause.label >= Label::Likely)
}

#[test]
fn a_refused_port_and_what_the_neighbours_say() {
    let mut w = world();
    denied(&mut w, &Denial::Refused);
    plain(&mut w, Observed::Denied(Denial::Refused));
    for port in [3000, 8080] {
        door(&mut w, DoorAsk::OtherPort, port, Observed::Denied(Denial::Refused));
    }
    is(&mut w, "port-refused");

    let mut w = world();
    denied(&mut w, &Denial::Refused);
    plain(&mut w, Observed::Denied(Denial::Refused));
    door(&mut w, DoorAsk::OtherPort, 3000, page(good()));
    door(&mut w, DoorAsk::OtherPort, 8080, Observed::Denied(Denial::Refused));
    is(&mut w, "port-not-standard");

    for answer in [good(), response(301).redirect("https://api.example.test/health").build()] {
        let mut w = world();
        denied(&mut w, &Denial::Refused);
        plain(&mut w, Observed::Present(answer));
        is(&mut w, "https-port-closed");
    }
}

#[test]
fn silence_is_a_firewall_or_a_queue() {
    let mut w = world();
    silent(&mut w, Phase::Connect);
    plain(&mut w, Observed::Silent(silence(Phase::Connect)));
    door(&mut w, DoorAsk::Again, 443, Observed::Silent(silence(Phase::Connect)));
    is(&mut w, "firewall-drops-packets");

    let mut w = world();
    silent(&mut w, Phase::Connect);
    door(&mut w, DoorAsk::Again, 443, Observed::Present(DoorAnswer::Open));
    is(&mut w, "accept-queue-full");

    let mut w = world();
    w.tls(AT, Observed::Silent(silence(Phase::Connect)));
    w.http(Vantage::Edge, Purpose::Endpoint, "/health", good()).at_address(AT);
    is(&mut w, "accept-queue-full");
}

#[test]
fn a_home_router_answers_in_place_of_the_server() {
    let mut w = world();
    denied(&mut w, &Denial::Refused);
    let login =
        response(200).html("<html><head><title>RouterOS router configuration page</title></head></html>");
    plain(&mut w, Observed::Present(login.build()));
    is(&mut w, "nat-not-forwarded");
}

#[test]
fn a_host_with_ipv6_alone_is_seen_with_and_without_it() {
    let zone = |reached: bool| {
        let mut w = World::new("https://api.example.test");
        w.endpoint("GET", "/health", EndpointSource::Declared, true, &["ok"]);
        for (rtype, data) in [("A", &[][..]), ("AAAA", &["2001:db8::10"][..])] {
            let answer = records("api.example.test", rtype, data, true);
            w.dns_outcome(
                DnsServerRole::Authoritative,
                "ns1.example.test",
                "api.example.test",
                rtype,
                Observed::Present(answer.clone()),
            );
            w.dns_outcome(
                DnsServerRole::Recursive,
                "9.9.9.9",
                "api.example.test",
                rtype,
                Observed::Present(answer),
            );
        }
        let at = "[2001:db8::10]:443";
        if reached {
            w.tls(at, Observed::Present(handshake(trusted(), true, &["api.example.test"])));
            w.http(Vantage::Edge, Purpose::Endpoint, "/health", good()).at_address(at);
        } else {
            w.tls(at, Observed::Unasked(ProbeFault::NoRoute { family: "IPv6".into() }));
        }
        w
    };
    is(&mut zone(false), "ipv6-only-target");
    // That this machine has IPv6 helps nobody who has not.
    is(&mut zone(true), "ipv6-only-target");
}

#[test]
fn a_machine_that_came_back_elsewhere() {
    let moved = |to: &str| {
        let mut w = world();
        w.origin("https://vm.provider.test");
        silent(&mut w, Phase::Connect);
        door(&mut w, DoorAsk::Again, 443, Observed::Silent(silence(Phase::Connect)));
        w.http(Vantage::Origin, Purpose::Endpoint, "/health", good()).at_address(to);
        w
    };
    is(&mut moved("192.0.77.4:443"), "ephemeral-ip-changed");
    assert!(!names(&ranked(&mut moved("192.0.2.10:443")), "ephemeral-ip-changed"), "the same address");
}

#[test]
fn a_platform_whose_own_router_is_away() {
    let mut w = world();
    w.origin("https://app.up.railway.app");
    silent(&mut w, Phase::Connect);
    door(&mut w, DoorAsk::Again, 443, Observed::Silent(silence(Phase::Connect)));
    w.http_outcome(Vantage::Origin, Purpose::Endpoint, "/health", Observed::Silent(silence(Phase::Connect)));
    let ranking = ranked(&mut w);
    let tie = ranking.causes.iter().take(4).any(|c| c.id == "provider-or-region-outage");
    assert!(tie, "{:?}", ranking.causes.iter().map(|c| (&c.id, c.score_db)).collect::<Vec<_>>());
}

#[test]
fn large_packets_vanish() {
    let mut w = world();
    silent(&mut w, Phase::Tls);
    door(&mut w, DoorAsk::SmallAnswer, 443, Observed::Denied(alert(40, "handshake_failure")));
    door(&mut w, DoorAsk::SmallHello, 443, Observed::Silent(silence(Phase::Tls)));
    is(&mut w, "path-mtu-blackhole");

    let mut w = world();
    silent(&mut w, Phase::Tls);
    door(&mut w, DoorAsk::SmallAnswer, 443, Observed::Silent(silence(Phase::Tls)));
    assert!(!names(&ranked(&mut w), "path-mtu-blackhole"), "the server answers nothing at all");
}

#[test]
fn a_body_that_stalls_at_its_first_packets() {
    let mut w = world();
    w.endpoint("GET", "/report", EndpointSource::Declared, true, &[]);
    w.tls(AT, Observed::Present(handshake(trusted(), true, &["api.example.test"])));
    w.http(Vantage::Edge, Purpose::Endpoint, "/health", good()).at_address(AT);
    let mut stalled = response(200).html(&"x".repeat(1200)).build();
    stalled.body.complete = false;
    stalled.body.cut = Some("not complete after 10.0 s".into());
    w.http(Vantage::Edge, Purpose::Endpoint, "/report", stalled).at_address(AT);
    is(&mut w, "path-mtu-blackhole");
}

#[test]
fn a_name_that_the_server_does_not_know() {
    let mut w = world();
    denied(&mut w, &alert(112, "unrecognized_name"));
    door(&mut w, DoorAsk::NoName, 443, Observed::Denied(alert(112, "unrecognized_name")));
    door(&mut w, DoorAsk::LegacyHello, 443, Observed::Denied(alert(112, "unrecognized_name")));
    is(&mut w, "tls-sni-unknown");

    let mut w = world();
    denied(&mut w, &alert(40, "handshake_failure"));
    door(&mut w, DoorAsk::OtherName, 443, shown("TLSv1.3", Some(false)));
    door(&mut w, DoorAsk::LegacyHello, 443, Observed::Denied(alert(40, "handshake_failure")));
    door(&mut w, DoorAsk::ClientCertificate, 443, Observed::Denied(alert(40, "handshake_failure")));
    assert_eq!(ranked(&mut w).causes.first().map(|c| c.id.as_str()), Some("tls-sni-unknown"));
}

#[test]
fn versions_that_nobody_speaks_any_more() {
    for first in [alert(70, "protocol_version"), alert(40, "handshake_failure")] {
        let mut w = world();
        denied(&mut w, &first);
        door(&mut w, DoorAsk::NoName, 443, Observed::Denied(first.clone()));
        door(&mut w, DoorAsk::LegacyHello, 443, shown("TLSv1.0", None));
        let ranking = is(&mut w, "tls-version-unsupported");
        assert!(
            ranking.causes[0].evidence_for.iter().any(|a| a.say.contains("TLSv1.0")),
            "{:#?}",
            ranking.causes[0]
        );
    }
}

#[test]
fn a_client_certificate_is_asked_for() {
    let mut w = world();
    let page = "<html>\r\n<head><title>400 No required SSL certificate was sent</title></head>\r\n<body>\r\n<center><h1>400 Bad Request</h1></center>\r\n<center>No required SSL certificate was sent</center>\r\n<hr><center>nginx/1.26.3</center>\r\n</body>\r\n</html>\r\n";
    let refusal =
        response(400).header("server", "nginx/1.26.3").header("content-type", "text/html").body(page).build();
    meets(
        &mut w,
        Observed::Present(handshake(trusted(), true, &["api.example.test"])),
        Observed::Present(refusal),
    );
    door(&mut w, DoorAsk::ClientCertificate, 443, shown("TLSv1.3", Some(true)));
    is(&mut w, "client-certificate-required");

    let mut w = world();
    meets(
        &mut w,
        Observed::Present(handshake(trusted(), true, &["api.example.test"])),
        Observed::Denied(alert(116, "certificate_required")),
    );
    door(&mut w, DoorAsk::ClientCertificate, 443, shown("TLSv1.3", Some(true)));
    is(&mut w, "client-certificate-required");

    let mut w = world();
    denied(&mut w, &alert(40, "handshake_failure"));
    door(&mut w, DoorAsk::ClientCertificate, 443, Observed::Denied(alert(40, "handshake_failure")));
    assert!(!names(&ranked(&mut w), "client-certificate-required"), "an alert alone says nothing of it");
}

#[test]
fn a_wildcard_one_level_too_high() {
    let mut w = World::new("https://a.b.example.test");
    w.endpoint("GET", "/health", EndpointSource::Declared, true, &["ok"]);
    w.tls(AT, Observed::Present(handshake(trusted(), false, &["*.example.test", "example.test"])));
    w.http(Vantage::Edge, Purpose::Endpoint, "/health", good()).at_address(AT);
    is(&mut w, "cert-wildcard-depth");
}

#[test]
fn a_certificate_that_is_not_there_yet() {
    let mut w = world();
    let mut fake = handshake(refused(TrustRefusal::SelfSigned), false, &["f00.ba4.traefik.default"]);
    fake.chain[0].subject = "CN=TRAEFIK DEFAULT CERT".into();
    fake.chain[0].issuer = "CN=TRAEFIK DEFAULT CERT".into();
    fake.chain[0].self_issued = true;
    fake.chain[0].aia_issuers.clear();
    meets(&mut w, Observed::Present(fake), Observed::Present(good()));
    door(&mut w, DoorAsk::Challenge, 80, page(response(403).body("Forbidden").build()));
    is(&mut w, "cert-issuance-pending");
}

#[test]
fn an_authority_that_has_had_enough() {
    let says = |text: &str| {
        let mut w = world();
        let mut own = handshake(refused(TrustRefusal::SelfSigned), true, &["api.example.test"]);
        own.chain[0].aia_issuers.clear();
        meets(&mut w, Observed::Present(own), Observed::Present(good()));
        let event =
            LogEvent { line: 1, last_line: 1, count: 1, text: text.into(), place: None, through: Vec::new() };
        let tail = LogTail { lines: 10, events: vec![event], ..LogTail::default() };
        let seen = LogObservation { name: "proxy.log".into(), answer: Observed::Present(tail) };
        w.observe("log/proxy.log", Vantage::Workspace, Seen::Log(seen));
        w
    };
    let limited = "HTTP 429 urn:ietf:params:acme:error:rateLimited - too many certificates already issued";
    is(&mut says(limited), "acme-rate-limited");
    let refused = "urn:ietf:params:acme:error:unauthorized :: Invalid response from http://api.example.test/";
    assert!(!names(&ranked(&mut says(refused)), "acme-rate-limited"));
    is(&mut says(refused), "cert-issuance-pending");
}

#[test]
fn browsers_that_remember_https() {
    let mut w = world();
    denied(&mut w, &Denial::Refused);
    plain(&mut w, Observed::Present(good()));
    let policy = "max-age=31536000; includeSubDomains";
    let apex = response(200).header("strict-transport-security", policy).html("<html>home</html>").build();
    door(&mut w, DoorAsk::ParentPolicy, 443, page(apex));
    let ranking = ranked(&mut w);
    let found: Vec<&str> = ranking.causes.iter().map(|c| c.id.as_str()).collect();
    assert!(found.contains(&"hsts-pins-https") && found.contains(&"https-port-closed"), "{found:?}");

    // The same without a policy is the closed port alone.
    let mut w = world();
    denied(&mut w, &Denial::Refused);
    plain(&mut w, Observed::Present(good()));
    door(&mut w, DoorAsk::ParentPolicy, 443, page(response(200).html("<html>home</html>").build()));
    assert!(!names(&is(&mut w, "https-port-closed"), "hsts-pins-https"));
}

#[test]
fn a_healthy_world_with_odd_doors_has_no_cause() {
    let mut w = world();
    meets(
        &mut w,
        Observed::Present(handshake(trusted(), true, &["api.example.test"])),
        Observed::Present(good()),
    );
    // A policy, a closed port 80 and a client certificate that is asked for and not needed are all well.
    plain(&mut w, Observed::Denied(Denial::Refused));
    door(&mut w, DoorAsk::ClientCertificate, 443, shown("TLSv1.3", Some(true)));
    let found = ranked(&mut w).causes;
    assert!(found.is_empty(), "{found:#?}");
}
