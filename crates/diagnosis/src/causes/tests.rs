//! The engine against whole worlds.

use std::collections::BTreeSet;

use landfall_evidence::*;

use super::rank::{Ranking, rank};
use crate::catalogue::Catalogue;
use crate::facts::{FactKey, Facts};
use crate::testkit::*;
use crate::{Cause, Label, Tie};

fn ranked(evidence: &Evidence) -> Ranking {
    let catalogue = Catalogue::embedded();
    rank(&Facts::derive(evidence, catalogue), catalogue)
}

fn ids(ranking: &Ranking) -> Vec<&str> {
    ranking.causes.iter().map(|cause| cause.id.as_str()).collect()
}

fn cause<'a>(ranking: &'a Ranking, id: &str) -> &'a Cause {
    ranking
        .causes
        .iter()
        .find(|cause| cause.id == id)
        .unwrap_or_else(|| panic!("{id} is not among {:?}", ids(ranking)))
}

fn tie_with<'a>(ranking: &'a Ranking, id: &str) -> &'a Tie {
    ranking
        .ties
        .iter()
        .find(|tie| tie.causes.iter().any(|c| c == id))
        .unwrap_or_else(|| panic!("no tie holds {id}: {:?}", ranking.ties))
}

/// What is true beside the main cause in every world but the last.
const BESIDE: [&str; 2] = ["tests-cannot-import-project", "edge-rate-limit"];

fn has_both_beside(ranking: &Ranking) {
    for id in BESIDE {
        assert_eq!(cause(ranking, id).label, Label::Confirmed, "{id}: {:#?}", cause(ranking, id));
    }
}

/// A claim about production that rests on the local backend alone would be a claim about another machine.
#[test]
fn nothing_that_only_the_local_backend_shows_is_said_of_production() {
    let ranking = ranked(&levqor(Levqor::Undeployed));
    let port = ranking.ruled_out.iter().find(|c| c.id == "listen-port-wrong").expect("it was considered");
    for argument in port.evidence_for.iter().chain(&port.against) {
        let of_production = argument.say.contains("in production");
        let local_only = argument.evidence.iter().all(|id| id.0.contains("/local/"));
        assert!(!(of_production && local_only), "{argument:?}");
    }
}

#[test]
fn nothing_deployed() {
    let ranking = ranked(&levqor(Levqor::Undeployed));
    let first = &ranking.causes[0];
    assert_eq!(first.id, "never-deployed", "{:?}", ids(&ranking));
    assert!(first.confidence >= 0.9, "{}", first.confidence);
    assert_eq!(first.label, Label::Confirmed, "{first:#?}");
    let rival = first.rivals.iter().find(|r| r.id == "domain-not-attached").expect("the rival is named");
    assert!(rival.separated && rival.label == Label::RuledOut, "{rival:?}");
    assert!(rival.why.contains("levqor-backend.replit.app"), "{}", rival.why);
    let port = first
        .rivals
        .iter()
        .find(|r| r.id == "listen-port-wrong")
        .expect("the port change is named as not the cause");
    assert_eq!(
        port.why,
        "the port map 5000→80 makes the literal 5000 work, and the start command now follows ${PORT:-5000}"
    );
    assert!(first.contributing.is_empty(), "{:?}", first.contributing);
    assert!(ranking.ruled_out.iter().any(|c| c.id == "listen-port-wrong"));
    assert!(first.remedy[0].contains("Replit"), "{:?}", first.remedy);
    assert_eq!(ids(&ranking)[1..].iter().copied().collect::<BTreeSet<_>>(), BESIDE.into());
    has_both_beside(&ranking);
    assert!(ranking.ties.is_empty(), "{:?}", ranking.ties);
}

#[test]
fn a_literal_port_that_the_map_does_not_serve_contributes() {
    let mut world = world_of(Levqor::Undeployed);
    let mut snapshot = project();
    snapshot.deploy[0].ports[0].local = 8080;
    let mut evidence = world.build();
    for observation in &mut evidence.observations {
        if let Seen::Project(seen) = &mut observation.seen {
            seen.answer = Observed::Present(Box::new(snapshot.clone()));
        }
    }
    let ranking = ranked(&evidence);
    let first = cause(&ranking, "never-deployed");
    assert!(
        first.contributing.iter().any(|line| line.contains("7a2bc41") && line.contains("5000")),
        "{:?}",
        first.contributing
    );
}

#[test]
fn deployed_and_the_host_not_attached() {
    let ranking = ranked(&levqor(Levqor::HostUnbound));
    let first = &ranking.causes[0];
    assert_eq!(first.id, "domain-not-attached", "{:?}", ids(&ranking));
    assert!(first.confidence >= 0.9 && first.label >= Label::Likely, "{first:#?}");
    let rival = first.rivals.iter().find(|r| r.id == "never-deployed").expect("the rival is named");
    assert!(rival.separated && rival.label == Label::RuledOut, "{rival:?}");
    has_both_beside(&ranking);
}

#[test]
fn without_an_origin_the_two_tie_and_the_question_that_decides_is_named() {
    let ranking = ranked(&levqor(Levqor::OriginUnknown));
    let tie = tie_with(&ranking, "never-deployed");
    assert_eq!(tie.causes, ["never-deployed", "domain-not-attached"]);
    assert!(tie.confidence >= 0.9, "{tie:?}");
    assert!(tie.separate.ask.contains("the platform's own name"), "{tie:?}");
    assert!(tie.separate.how.contains("origin = ") && tie.separate.how.contains("--origin"), "{tie:?}");
    for id in ["never-deployed", "domain-not-attached"] {
        let cause = cause(&ranking, id);
        assert!(cause.label < Label::Likely, "{cause:?}");
        assert!(
            cause.not_known.iter().any(|line| line.contains("the platform's own name")),
            "{:?}",
            cause.not_known
        );
    }
    has_both_beside(&ranking);
}

#[test]
fn an_older_build() {
    let ranking = ranked(&levqor(Levqor::StaleBuild));
    let first = &ranking.causes[0];
    assert_eq!(first.id, "deploy-failed-old-build-live", "{:?}", ids(&ranking));
    assert!(
        first.evidence_for.iter().any(|a| a.say.contains("/api/webhooks/stripe/health")),
        "{:?}",
        first.evidence_for
    );
    let rival =
        |id: &str| first.rivals.iter().find(|r| r.id == id).unwrap_or_else(|| panic!("{id} is a rival"));
    assert_eq!(rival("uncommitted-or-unpushed").label, Label::RuledOut);
    assert!(!rival("auto-deploy-off-or-wrong-branch").separated, "nothing that we see tells the two apart");
    assert_ne!(first.label, Label::Confirmed);
    assert!(first.next_probe.is_some());
    has_both_beside(&ranking);
}

#[test]
fn an_older_build_whose_404_is_not_the_local_one() {
    let mut evidence = levqor(Levqor::StaleBuild);
    let other = r#"{"error":{"type":"NotFound","status":404,"correlation_id":"6b1"}}"#;
    for observation in &mut evidence.observations {
        if let Seen::Http(seen) = &mut observation.seen
            && observation.vantage != Vantage::Local
            && let Observed::Present(answer) = &mut seen.answer
            && answer.status == 404
        {
            answer.headers.retain(|h| h.name != "content-type");
            answer.headers.push(Header { name: "content-type".into(), value: "application/json".into() });
            answer.body = response(404).json(other).build().body;
        }
    }
    assert_eq!(ids(&ranked(&evidence))[0], "deploy-failed-old-build-live");
}

#[test]
fn a_route_that_was_never_committed() {
    let mut evidence = levqor(Levqor::StaleBuild);
    for observation in &mut evidence.observations {
        if let Seen::Project(seen) = &mut observation.seen
            && let Observed::Present(snapshot) = &mut seen.answer
            && let Some(git) = &mut snapshot.git
        {
            git.untracked.push("backend/routes/stripe.py".into());
        }
    }
    let ranking = ranked(&evidence);
    assert_eq!(ids(&ranking)[0], "uncommitted-or-unpushed");
    let rival =
        ranking.causes[0].rivals.iter().find(|r| r.id == "deploy-failed-old-build-live").expect("a rival");
    assert!(rival.separated, "{rival:?}");
}

#[test]
fn without_git_the_three_ways_to_an_old_build_are_not_told_apart() {
    let mut evidence = levqor(Levqor::StaleBuild);
    evidence.observations.retain(|o| !matches!(o.seen, Seen::Project(_)));
    let ranking = ranked(&evidence);
    let tie = tie_with(&ranking, "deploy-failed-old-build-live");
    assert_eq!(tie.causes[0], "deploy-failed-old-build-live");
    assert!(tie.causes.iter().any(|id| id == "uncommitted-or-unpushed"), "{tie:?}");
}

#[test]
fn the_name_leads_to_the_website() {
    let ranking = ranked(&levqor(Levqor::WrongApp));
    let first = &ranking.causes[0];
    assert_eq!(first.id, "domain-attached-to-other-app", "{:?}", ids(&ranking));
    assert!(first.confidence >= 0.9 && first.label >= Label::Likely, "{first:#?}");
    let rival = first.rivals.iter().find(|r| r.id == "spa-fallback-swallows-api").expect("a rival");
    assert!(rival.separated && rival.label == Label::RuledOut, "{rival:?}");
}

#[test]
fn health_green_over_a_core_route_that_fails() {
    let ranking = ranked(&levqor(Levqor::HollowGreen));
    // Nothing names what the core route fails of, and the same health routes are green where it is served.
    assert_eq!(
        ids(&ranking)[..2],
        ["health-check-too-shallow", "unhandled-exception"],
        "{:?}",
        ids(&ranking)
    );
    has_both_beside(&ranking);
}

#[test]
fn all_repaired_means_no_cause_at_all() {
    let evidence = levqor(Levqor::Deployed);
    let facts = Facts::derive(&evidence, Catalogue::embedded());
    let symptoms: Vec<_> = facts.symptoms().map(|f| (f.key, f.subject.clone(), f.value.clone())).collect();
    assert!(symptoms.is_empty(), "{symptoms:?}");
    assert!(ids(&ranked(&evidence)).is_empty());
}

/// A site known by its address alone: guessed paths, no project, no origin.
fn plain_site(status: u16) -> Evidence {
    let mut world = World::new("https://shop.example.test");
    for path in ["/", "/health"] {
        world.endpoint("GET", path, EndpointSource::Guessed, false, &[]);
    }
    let name = "shop.example.test";
    for (rtype, data) in [("A", "192.0.2.10"), ("AAAA", "2001:db8::10")] {
        world.dns_outcome(
            DnsServerRole::Recursive,
            "192.0.2.53",
            name,
            rtype,
            Observed::Present(records(name, rtype, &[data], false)),
        );
    }
    world.tls("192.0.2.10:443", Observed::Present(handshake(trusted(), true, &[name])));
    let page = |status: u16, text: &str| response(status).html(text).header("server", "nginx").build();
    world.http(Vantage::Edge, Purpose::Endpoint, "/", page(status, "<!doctype html><title>Shop</title>"));
    world.http(
        Vantage::Edge,
        Purpose::Endpoint,
        "/health",
        page(404, "<!doctype html><title>Not here</title>"),
    );
    world.http(
        Vantage::Edge,
        Purpose::Control,
        "/lfz-1",
        page(404, "<!doctype html><title>Not here</title>"),
    );
    world.build()
}

#[test]
fn a_healthy_site_without_project_or_origin_has_no_cause() {
    let evidence = plain_site(200);
    assert!(ids(&ranked(&evidence)).is_empty());
    for gone in 0..evidence.observations.len() {
        let mut less = evidence.clone();
        let removed = less.observations.remove(gone);
        assert!(ids(&ranked(&less)).is_empty(), "without {}", removed.id);
    }
}

const NGINX_502: &str = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx/1.22.1</center>\r\n</body>\r\n</html>\r\n";

/// A host behind nginx with nothing behind nginx.
fn bad_gateway() -> World {
    let mut world = World::new("https://api.example.test");
    world.endpoint("GET", "/health", EndpointSource::Declared, false, &["ok"]);
    let name = "api.example.test";
    for (rtype, data) in [("A", "192.0.2.10"), ("AAAA", "2001:db8::10")] {
        world.dns_outcome(
            DnsServerRole::Recursive,
            "192.0.2.53",
            name,
            rtype,
            Observed::Present(records(name, rtype, &[data], false)),
        );
    }
    for (purpose, path) in [(Purpose::Endpoint, "/health"), (Purpose::Control, "/lfz-1")] {
        world.http(
            Vantage::Edge,
            purpose,
            path,
            response(502).header("server", "nginx/1.22.1").html(NGINX_502).build(),
        );
    }
    world
}

#[test]
fn a_bad_gateway_page_is_a_tie() {
    let ranking = ranked(&bad_gateway().build());
    let tie = tie_with(&ranking, "edge-origin-refused");
    assert!(tie.causes.len() >= 2 && tie.causes.len() <= 4, "{tie:?}");
    assert!(tie.causes.iter().any(|id| id == "process-crash-loop"), "{tie:?}");
    let timeout = ranking.causes[0].rivals.iter().find(|r| r.id == "edge-origin-timeout").expect("a rival");
    assert!(timeout.label == Label::RuledOut, "{timeout:?}");
}

#[test]
fn a_bad_gateway_with_a_loopback_bind_names_the_bind() {
    let mut world = bad_gateway();
    let mut snapshot = project();
    if let Some(start) = &mut snapshot.deploy[0].start {
        start.bind_host = Some("127.0.0.1".into());
    }
    let ranking = ranked(&world.project(snapshot).build());
    assert_eq!(ids(&ranking)[0], "bind-loopback-only");
    let label = ranking.causes[0].label;
    assert!(matches!(label, Label::Likely | Label::Confirmed), "{:#?}", ranking.causes[0]);
}

#[test]
fn a_bad_gateway_with_a_port_that_the_platform_ignores_names_the_port() {
    let mut world = bad_gateway();
    let mut snapshot = project();
    snapshot.deploy[0].platform = "heroku".into();
    snapshot.deploy[0].ports.clear();
    if let Some(start) = &mut snapshot.deploy[0].start {
        start.bind_port = PortSetting::Literal { port: 5000 };
    }
    let ranking = ranked(&world.project(snapshot).build());
    assert_eq!(ids(&ranking)[0], "listen-port-wrong");
}

#[test]
fn certificates() {
    let cases = [
        (refused(TrustRefusal::Expired), true, "cert-expired"),
        (refused(TrustRefusal::NotYetValid), true, "cert-not-yet-valid"),
        (refused(TrustRefusal::IncompleteChain), true, "cert-chain-incomplete"),
        (refused(TrustRefusal::SelfSigned), true, "cert-self-signed"),
        (trusted(), false, "cert-name-mismatch"),
    ];
    for (result, name_matches, want) in cases {
        let mut world = World::new("https://api.example.test");
        world.endpoint("GET", "/health", EndpointSource::Declared, false, &["ok"]);
        world.tls(
            "192.0.2.10:443",
            Observed::Present(handshake(result, name_matches, &["other.example.test"])),
        );
        let good =
            response(200).json(r#"{"ok":true}"#).header("date", "Sat, 15 Nov 2025 15:51:51 GMT").build();
        world.http(Vantage::Edge, Purpose::Endpoint, "/health", good).at_address("192.0.2.10:443");
        let ranking = ranked(&world.build());
        assert_eq!(ids(&ranking), [want]);
        assert!(
            ranking.causes[0].label >= Label::Likely && ranking.causes[0].confidence >= 0.8,
            "{:#?}",
            ranking.causes[0]
        );
    }
}

#[test]
fn a_port_for_tls_that_speaks_plain_http() {
    let mut world = World::new("https://api.example.test");
    world.endpoint("GET", "/health", EndpointSource::Declared, false, &["ok"]);
    let denial = || Denial::NotTls { first_bytes: "HTTP/1.1 400 Bad Request".into() };
    world.tls("192.0.2.10:443", Observed::Denied(denial()));
    world.http_outcome(Vantage::Edge, Purpose::Endpoint, "/health", Observed::Denied(denial()));
    assert_eq!(ids(&ranked(&world.build())), ["tls-port-speaks-plain-http"]);
}

fn dns_world(answers: &[(DnsServerRole, Observed<DnsAnswer>)]) -> Evidence {
    let mut world = World::new("https://api.example.test");
    world.endpoint("GET", "/health", EndpointSource::Declared, false, &["ok"]);
    for (role, answer) in answers {
        for rtype in ["A", "AAAA"] {
            world.dns_outcome(*role, "server", "api.example.test", rtype, answer.clone());
        }
    }
    let blocked = ProbeFault::Blocked { by: "dns".into(), reason: "the name does not resolve".into() };
    world.http_outcome(Vantage::Edge, Purpose::Endpoint, "/health", Observed::Unasked(blocked));
    world.build()
}

#[test]
fn names_that_do_not_resolve() {
    use DnsServerRole::{Authoritative, Recursive};
    let no = |answer: DnsAnswer| Observed::Denied(Denial::Rcode(Box::new(answer)));
    let silent = || Observed::Silent(Silence { phase: Phase::Wait, waited_us: 3_000_000 });
    let nxdomain = |authoritative| negative(3, "NXDOMAIN", Some("example.test"), authoritative, &[]);
    let nodata = |authoritative| negative(0, "NOERROR", Some("example.test"), authoritative, &[]);
    let servfail = |ede: &[u16]| negative(2, "SERVFAIL", None, false, ede);
    let cases = [
        (vec![(Recursive, no(nxdomain(false))), (Authoritative, no(nxdomain(true)))], "record-missing"),
        (
            vec![
                (Recursive, Observed::Present(nodata(false))),
                (Authoritative, Observed::Present(nodata(true))),
            ],
            "record-type-missing",
        ),
        (
            vec![
                (Recursive, no(servfail(&[]))),
                (Authoritative, no(negative(5, "REFUSED", None, false, &[20]))),
            ],
            "delegation-lame",
        ),
        (vec![(Recursive, no(servfail(&[]))), (Authoritative, silent())], "delegation-servers-unreachable"),
        (
            vec![
                (Recursive, no(servfail(&[9]))),
                (Authoritative, Observed::Present(records("api.example.test", "A", &["192.0.2.10"], true))),
            ],
            "dnssec-chain-broken",
        ),
    ];
    for (answers, want) in cases.into_iter().chain(aliases()) {
        let ranking = ranked(&dns_world(&answers));
        assert_eq!(ids(&ranking), [want]);
        // Here nobody looked for the name with the zone's name twice, so a record that is missing is no more than possible.
        let least = if want == "record-missing" { Label::Possible } else { Label::Likely };
        assert!(ranking.causes[0].label >= least, "{:#?}", ranking.causes[0]);
    }
    let above = negative(3, "NXDOMAIN", Some("test"), false, &[]);
    let ranking = ranked(&dns_world(&[(Recursive, no(above))]));
    let tie = tie_with(&ranking, "domain-expired");
    assert!(tie.causes.iter().any(|id| id == "domain-misspelt-in-config"), "{tie:?}");
}

/// What servers of one kind say.
type Said = (DnsServerRole, Observed<DnsAnswer>);

/// Aliases that lead nowhere: the last name on the way gives the response code (RFC 6604 section 3), and an authoritative
/// server follows only as far as its own zones go.
fn aliases() -> Vec<(Vec<Said>, &'static str)> {
    use DnsServerRole::{Authoritative, Recursive};
    let no = |answer: DnsAnswer| Observed::Denied(Denial::Rcode(Box::new(answer)));
    let alias = |authoritative| records("api.example.test", "CNAME", &["gone.example.test"], authoritative);
    let dangling = |authoritative| {
        let mut answer = negative(3, "NXDOMAIN", Some("example.test"), authoritative, &[]);
        answer.answers = alias(authoritative).answers;
        answer
    };
    let round = || {
        let mut answer = alias(true);
        answer.answers.extend(records("gone.example.test", "CNAME", &["api.example.test"], true).answers);
        answer
    };
    let servfail = || negative(2, "SERVFAIL", None, false, &[]);
    vec![
        (vec![(Recursive, no(dangling(false))), (Authoritative, no(dangling(true)))], "cname-dangling"),
        (
            vec![(Recursive, no(dangling(false))), (Authoritative, Observed::Present(alias(true)))],
            "cname-dangling",
        ),
        (vec![(Recursive, no(servfail())), (Authoritative, Observed::Present(round()))], "cname-loop"),
    ]
}

#[test]
fn an_alias_that_only_a_resolver_can_follow_is_no_fault() {
    let mut world = small(&[("/health", false)]);
    let alias = records("api.example.test", "CNAME", &["app.platform.test"], true);
    let mut followed = records("api.example.test", "CNAME", &["app.platform.test"], false);
    followed.answers.extend(records("app.platform.test", "A", &["192.0.2.10"], false).answers);
    for rtype in ["A", "AAAA"] {
        for (role, answer) in [(DnsServerRole::Authoritative, &alias), (DnsServerRole::Recursive, &followed)]
        {
            world.dns_outcome(role, "server", "api.example.test", rtype, Observed::Present(answer.clone()));
        }
    }
    healthy(&mut world, Vantage::Edge, "/health");
    let ranking = ranked(&world.build());
    assert!(ranking.causes.is_empty(), "{:#?}", ranking.causes);
}

#[test]
fn servfail_alone_leaves_its_three_reasons_open() {
    let servfail = negative(2, "SERVFAIL", None, false, &[]);
    let answer = Observed::Denied(Denial::Rcode(Box::new(servfail)));
    let ranking = ranked(&dns_world(&[(DnsServerRole::Recursive, answer)]));
    let tie = tie_with(&ranking, "delegation-servers-unreachable");
    for id in ["delegation-lame", "dnssec-chain-broken"] {
        assert!(tie.causes.iter().any(|i| i == id), "{tie:?}");
    }
    assert!(ranking.causes.iter().all(|c| c.label <= Label::Possible), "{:#?}", ranking.causes);
}

#[test]
fn what_is_neither_tls_nor_http_is_not_called_http() {
    let mut world = World::new("https://api.example.test");
    world.endpoint("GET", "/health", EndpointSource::Declared, false, &["ok"]);
    let denial = || Denial::NotTls { first_bytes: "SSH-2.0-OpenSSH_9.2p1".into() };
    world.tls("192.0.2.10:443", Observed::Denied(denial()));
    world.http_outcome(Vantage::Edge, Purpose::Endpoint, "/health", Observed::Denied(denial()));
    assert!(!ids(&ranked(&world.build())).contains(&"tls-port-speaks-plain-http"));
}

fn transport_world(answer: &Observed<HttpResponse>, resolver: Option<Observed<DnsAnswer>>) -> Evidence {
    let mut world = World::new("https://api.example.test");
    world.endpoint("GET", "/health", EndpointSource::Declared, false, &["ok"]);
    if let Some(resolver) = resolver {
        for rtype in ["A", "AAAA"] {
            world.dns_outcome(
                DnsServerRole::Recursive,
                "192.0.2.53",
                "api.example.test",
                rtype,
                resolver.clone(),
            );
        }
    }
    world.http_outcome(Vantage::Edge, Purpose::Endpoint, "/health", answer.clone());
    world.http_outcome(Vantage::Edge, Purpose::Control, "/lfz-1", answer.clone());
    world.build()
}

#[test]
fn a_refusal_and_a_silence_are_different_things() {
    let found = || Some(Observed::Present(records("api.example.test", "A", &["192.0.2.10"], false)));
    let refusal = ranked(&transport_world(&Observed::Denied(Denial::Refused), found()));
    assert_eq!(ids(&refusal), ["port-refused"]);
    assert!(refusal.causes[0].label >= Label::Likely);

    let silence = Observed::Silent(Silence { phase: Phase::Connect, waited_us: 5_000_000 });
    let heard = ranked(&transport_world(&silence, found()));
    assert_eq!(ids(&heard), ["firewall-drops-packets"]);
    assert!(
        heard.causes[0].rivals.iter().any(|r| r.id == "probe-vantage-broken" && r.separated),
        "{:#?}",
        heard.causes[0].rivals
    );

    let deaf = ranked(&transport_world(&silence, None));
    let tie = tie_with(&deaf, "firewall-drops-packets");
    assert!(tie.causes.iter().any(|id| id == "probe-vantage-broken"), "{tie:?}");
    assert!(tie.separate.how.contains("another network"), "{tie:?}");
}

#[test]
fn a_question_that_was_never_put_says_nothing_of_the_target() {
    let fault = Observed::Unasked(ProbeFault::Local { detail: "too many open files".into() });
    assert!(ids(&ranked(&transport_world(&fault, None))).is_empty());
}

#[test]
fn a_family_that_this_machine_lacks_is_no_stale_record() {
    let mut world = World::new("https://api.example.test");
    world.tls("192.0.2.10:443", Observed::Present(handshake(trusted(), true, &["api.example.test"])));
    world.tls("[2001:db8::10]:443", Observed::Unasked(ProbeFault::NoRoute { family: "IPv6".into() }));
    assert!(ids(&ranked(&world.build())).is_empty());

    let mut world = World::new("https://api.example.test");
    world.tls("192.0.2.10:443", Observed::Present(handshake(trusted(), true, &["api.example.test"])));
    world.tls("[2001:db8::10]:443", Observed::Denied(Denial::Refused));
    assert_eq!(ids(&ranked(&world.build())), ["aaaa-record-stale"]);
}

#[test]
fn challenges_and_blocks_at_the_edge() {
    let challenge = response(403)
        .header("server", "cloudflare")
        .header("cf-ray", "1-SEA")
        .header("cf-mitigated", "challenge");
    let challenge = challenge.html("<title>Just a moment...</title>").build();
    let block = response(403).header("server", "cloudflare").header("cf-ray", "1-SEA");
    let block = block.html("<title>Attention Required! | Cloudflare</title>").build();
    for (answer, want) in [(challenge, "edge-bot-challenge"), (block, "edge-waf-blocks")] {
        let found = Observed::Present(records("api.example.test", "A", &["104.21.14.105"], false));
        let ranking = ranked(&transport_world(&Observed::Present(answer), Some(found)));
        assert_eq!(ids(&ranking), [want]);
        assert!(ranking.causes[0].label >= Label::Likely, "{:#?}", ranking.causes[0]);
    }
}

#[test]
fn a_redirect_to_itself() {
    let answer = response(301).redirect("https://api.example.test/health").build();
    let mut world = World::new("https://api.example.test");
    world.endpoint("GET", "/health", EndpointSource::Declared, false, &["ok"]);
    world.http(Vantage::Edge, Purpose::Endpoint, "/health", answer);
    assert_eq!(ids(&ranked(&world.build())), ["edge-redirect-loop"]);
}

#[test]
fn answers_that_only_ever_met_the_limiter_leave_everything_unknown() {
    let refusal = response(429).header("server", "cloudflare").header("cf-ray", "1-SEA").build();
    let evidence = transport_world(&Observed::Present(refusal), None);
    let facts = Facts::derive(&evidence, Catalogue::embedded());
    assert!(facts.get(FactKey::SiteKind, "edge").is_some_and(|fact| fact.known().is_none()));
    assert!(facts.get(FactKey::EndpointOutcome, "edge /health").is_some_and(|fact| fact.known().is_none()));
    assert!(
        ids(&ranked(&evidence)).iter().all(|id| id.contains("rate-limit")),
        "{:?}",
        ids(&ranked(&evidence))
    );
}

/// A cheap fixed shuffle: the order must not matter, so any other order will do.
fn shuffled(evidence: &Evidence, seed: u64) -> Evidence {
    let mut other = evidence.clone();
    let mut state = seed;
    for i in (1..other.observations.len()).rev() {
        state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        let j = usize::try_from(state >> 33).unwrap_or(0) % (i + 1);
        other.observations.swap(i, j);
    }
    other
}

#[test]
fn the_order_of_observations_plays_no_part() {
    for kind in Levqor::ALL {
        let evidence = levqor(kind);
        let facts = Facts::derive(&evidence, Catalogue::embedded());
        let want = format!("{:?}", ranked(&evidence));
        for seed in 1..6 {
            let other = shuffled(&evidence, seed);
            assert_eq!(facts, Facts::derive(&other, Catalogue::embedded()), "{kind:?}, seed {seed}");
            assert_eq!(want, format!("{:?}", ranked(&other)), "{kind:?}, seed {seed}");
        }
    }
}

fn true_causes(kind: Levqor) -> &'static [&'static str] {
    match kind {
        Levqor::Undeployed | Levqor::OriginUnknown => &["never-deployed"],
        Levqor::HostUnbound => &["domain-not-attached"],
        Levqor::StaleBuild => &["deploy-failed-old-build-live"],
        Levqor::WrongApp => &["domain-attached-to-other-app"],
        Levqor::HollowGreen => &["health-check-too-shallow", "unhandled-exception"],
        Levqor::Deployed => &[],
    }
}

#[test]
fn with_less_evidence_nothing_false_is_confirmed_and_nothing_is_invented() {
    for kind in Levqor::ALL {
        let evidence = levqor(kind);
        for gone in 0..evidence.observations.len() {
            let mut less = evidence.clone();
            let removed = less.observations.remove(gone);
            let ranking = ranked(&less);
            for cause in ranking.causes.iter().filter(|cause| cause.label == Label::Confirmed) {
                let id = cause.id.as_str();
                assert!(
                    true_causes(kind).contains(&id) || BESIDE.contains(&id),
                    "{kind:?} without {}: {id} is confirmed",
                    removed.id
                );
            }
            if kind == Levqor::Deployed {
                assert!(ranking.causes.is_empty(), "{kind:?} without {}: {:?}", removed.id, ids(&ranking));
            }
        }
    }
}

#[test]
fn one_vantage_at_a_time_never_confirms_what_is_false() {
    for kind in Levqor::ALL {
        let evidence = levqor(kind);
        for gone in [Vantage::Local, Vantage::Origin, Vantage::Edge, Vantage::Workspace, Vantage::ThirdParty]
        {
            let mut less = evidence.clone();
            less.observations.retain(|o| o.vantage != gone);
            for cause in ranked(&less).causes.iter().filter(|cause| cause.label == Label::Confirmed) {
                let id = cause.id.as_str();
                assert!(
                    true_causes(kind).contains(&id) || BESIDE.contains(&id),
                    "{kind:?} without {gone}: {id} is confirmed"
                );
            }
        }
    }
}

#[test]
fn shares_are_shares() {
    for kind in Levqor::ALL {
        let ranking = ranked(&levqor(kind));
        for cause in &ranking.causes {
            assert!((0.0..=0.99).contains(&cause.confidence), "{}: {}", cause.id, cause.confidence);
            assert_eq!((cause.confidence * 100.0).round() / 100.0, cause.confidence);
            for argument in cause.evidence_for.iter().chain(&cause.against) {
                assert!(!argument.say.contains("(not known)"), "{}: {}", cause.id, argument.say);
            }
            for line in cause.remedy.iter().chain(&cause.verify) {
                assert!(!line.contains("(not known)") && !line.contains("{target"), "{}: {line}", cause.id);
            }
        }
    }
}

/// Keys that hypotheses read must be drawn by some module; this catches a rule that can never fire for want of code.
#[test]
fn every_key_that_a_rule_reads_is_drawn_somewhere() {
    let mut folders = vec![std::path::PathBuf::from(concat!(env!("CARGO_MANIFEST_DIR"), "/src/facts"))];
    let mut sources = String::new();
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).expect("the folder is part of the repository") {
            let path = entry.expect("readable").path();
            if path.is_dir() {
                folders.push(path);
            } else {
                sources += &std::fs::read_to_string(path).expect("it is text");
            }
        }
    }
    for hypothesis in Catalogue::embedded().causes() {
        for key in super::hypothesis::keys_read(hypothesis) {
            assert!(sources.contains(&format!("FactKey::{key:?}")), "{}: nothing draws {key}", hypothesis.id);
        }
    }
}

/// A world with a working application behind every name, to be spoilt in one point.
fn small(paths: &[(&str, bool)]) -> World {
    let mut world = World::new("https://api.example.test");
    world.local("http://127.0.0.1:8000").origin("https://app.up.railway.app");
    for (path, core) in paths {
        world.endpoint("GET", path, EndpointSource::Declared, *core, &["ok"]);
    }
    world
}

fn good() -> HttpResponse {
    response(200).json(r#"{"ok":true}"#).header("x-app-build", "7").build()
}

fn own_404() -> HttpResponse {
    response(404).json(r#"{"error":{"type":"NotFound","status":404}}"#).header("x-app-build", "7").build()
}

/// Asks every path and a random one.
fn ask(world: &mut World, vantage: Vantage, answers: &[(&str, HttpResponse)], control: HttpResponse) {
    for (path, answer) in answers {
        world.http(vantage, Purpose::Endpoint, path, answer.clone());
    }
    world.http(vantage, Purpose::Control, "/lfz-1", control);
}

fn healthy(world: &mut World, vantage: Vantage, path: &str) {
    ask(world, vantage, &[(path, good())], own_404());
}

type Spoil = fn() -> Evidence;

fn bad_gateway_with(edit: fn(&mut ProjectSnapshot)) -> Evidence {
    let mut snapshot = project();
    edit(&mut snapshot);
    bad_gateway().project(snapshot).build()
}

fn limited(status: u16, hop_header: Option<(&str, &str)>) -> Evidence {
    let mut world = small(&[("/health", false)]);
    healthy(&mut world, Vantage::Local, "/health");
    healthy(&mut world, Vantage::Edge, "/health");
    let mut refusal = response(status).header("retry-after", "5");
    if let Some((name, value)) = hop_header {
        refusal = refusal.header(name, value);
    }
    world.http(Vantage::Edge, Purpose::RateLimit, "/health", refusal.build());
    let id = ObservationId("http/edge/RateLimit /health".into());
    let step =
        |at_us, status, refused| RateStep { at_us, status: Some(status), refused, observation: id.clone() };
    let run = RateLimitRun {
        sequence: vec![step(1, 200, false), step(2, status, true)],
        own_earlier: 1,
        added: 1,
        signal: Some(RateSignal {
            position: 2,
            status,
            retry_after_s: Some(5),
            headers: Vec::new(),
            body: None,
            observation: id.clone(),
        }),
        stopped: RateStop::FirstRefusal,
        estimate: RateEstimate {
            limit: None,
            window_ms: None,
            classes: Vec::new(),
            confidence_percent: 50,
            open: Vec::new(),
            fit: None,
        },
    };
    let seen = RateLimitObservation {
        url: "https://api.example.test/health".into(),
        answer: Observed::Present(run),
    };
    world.observe("rate-limit", Vantage::Edge, Seen::RateLimit(seen)).build()
}

fn tests_only(run: TestRun) -> Evidence {
    World::new("https://api.example.test").tests(TestPurpose::AsDeclared, run).build()
}

fn run(code: i32, counts: TestCounts) -> TestRun {
    TestRun {
        runner: "pytest".into(),
        exit: Exit::Code { code },
        counts: Some(counts),
        collection_errors: Vec::new(),
        failed: Vec::new(),
        output_tail: String::new(),
    }
}

/// One small world for each cause that the worlds above do not have, with the place where it must stand.
const SMALL_WORLDS: &[(&str, Spoil)] = &[
    ("app-rate-limit-too-low", || limited(429, Some(("x-app-build", "7")))),
    ("limit-reported-as-503", || limited(503, None)),
    ("tests-fail-for-real", || {
        tests_only(run(1, TestCounts { collected: 9, passed: 7, failed: 2, ..TestCounts::default() }))
    }),
    ("tests-not-run", || tests_only(run(5, TestCounts::default()))),
    ("local-baseline-broken", || {
        let mut world = small(&[("/health", false)]);
        healthy(&mut world, Vantage::Edge, "/health");
        world
            .http_outcome(Vantage::Local, Purpose::Endpoint, "/health", Observed::Denied(Denial::Refused))
            .build()
    }),
    ("local-baseline-is-other-service", || {
        let mut world = small(&[("/health", false)]);
        healthy(&mut world, Vantage::Edge, "/health");
        let page = || response(404).html("<html>another program</html>").build();
        ask(&mut world, Vantage::Local, &[("/health", page())], page());
        world.build()
    }),
    ("spa-fallback-swallows-api", || {
        let mut world = small(&[("/api/health", false)]);
        healthy(&mut world, Vantage::Local, "/api/health");
        let page = || response(200).html("<!doctype html><div id=root></div>").build();
        for vantage in [Vantage::Origin, Vantage::Edge] {
            ask(&mut world, vantage, &[("/api/health", page())], page());
        }
        world.build()
    }),
    ("error-masked-as-200", || {
        let mut world = small(&[("/health", false)]);
        let masked = response(200).json(r#"{"ok":false,"error":"database"}"#).build();
        ask(&mut world, Vantage::Edge, &[("/health", masked)], own_404());
        world.build()
    }),
    ("auth-on-health", || {
        let mut world = small(&[("/health", false)]);
        healthy(&mut world, Vantage::Local, "/health");
        let guarded = response(401).json(r#"{"detail":"credentials"}"#).header("x-app-build", "7").build();
        ask(&mut world, Vantage::Edge, &[("/health", guarded)], own_404());
        world.build()
    }),
    ("edge-cache-stale", || {
        let mut world = small(&[("/health", false), ("/new", false)]);
        for vantage in [Vantage::Local, Vantage::Origin] {
            ask(&mut world, vantage, &[("/health", good()), ("/new", good())], own_404());
        }
        let mut old = own_404();
        old.headers.push(Header { name: "x-cache".into(), value: "HIT".into() });
        ask(&mut world, Vantage::Edge, &[("/health", good()), ("/new", old)], own_404());
        world.build()
    }),
    ("a-record-points-to-old-host", || {
        let mut world = small(&[("/health", false), ("/new", false)]);
        let found = || Observed::Present(records("api.example.test", "A", &["44.200.1.1"], false));
        for rtype in ["A", "AAAA"] {
            world.dns_outcome(DnsServerRole::Recursive, "192.0.2.53", "api.example.test", rtype, found());
        }
        for vantage in [Vantage::Local, Vantage::Origin] {
            ask(&mut world, vantage, &[("/health", good()), ("/new", good())], own_404());
        }
        ask(&mut world, Vantage::Edge, &[("/health", good()), ("/new", own_404())], own_404());
        world.build()
    }),
    ("cname-points-to-other-app", || {
        let mut world = small(&[("/health", false)]);
        let mut found = records("api.example.test", "CNAME", &["shop.onrender.com"], false);
        found.answers.extend(records("shop.onrender.com", "A", &["192.0.2.10"], false).answers);
        for rtype in ["A", "AAAA"] {
            world.dns_outcome(
                DnsServerRole::Recursive,
                "192.0.2.53",
                "api.example.test",
                rtype,
                Observed::Present(found.clone()),
            );
        }
        healthy(&mut world, Vantage::Origin, "/health");
        let page = || response(200).html("<!doctype html><title>Shop</title>").build();
        ask(&mut world, Vantage::Edge, &[("/health", page())], page());
        world.build()
    }),
    ("partial-rollout", || {
        let mut world = small(&[("/health", false)]);
        healthy(&mut world, Vantage::Edge, "/health");
        for status in [404, 200, 404] {
            let answer = if status == 200 { good() } else { own_404() };
            world.http(Vantage::Edge, Purpose::RateLimit, "/health", answer);
        }
        healthy(&mut world, Vantage::Origin, "/health");
        for status in [404, 200] {
            let answer = if status == 200 { good() } else { own_404() };
            world.http(Vantage::Origin, Purpose::RateLimit, "/health", answer);
        }
        world.build()
    }),
    ("app-stopped-or-paused", || {
        let mut world = small(&[("/health", false)]);
        let paused = || response(503).header("x-vercel-error", "DEPLOYMENT_PAUSED").build();
        ask(&mut world, Vantage::Edge, &[("/health", paused())], paused());
        world.build()
    }),
    ("domain-verification-pending", || levqor(Levqor::HostUnbound)),
    ("edge-origin-timeout", || {
        let mut world = small(&[("/health", false)]);
        let timeout = || response(522).header("server", "cloudflare").header("cf-ray", "1-SEA").build();
        ask(&mut world, Vantage::Edge, &[("/health", timeout())], timeout());
        world.build()
    }),
    ("start-command-wrong", || {
        bad_gateway_with(|snapshot| {
            if let Some(entry) = &mut snapshot.entry {
                entry.path = "server/main.py".into();
            }
        })
    }),
    ("platform-port-mapping-wrong", || {
        bad_gateway_with(|snapshot| {
            snapshot.deploy[0].ports[0].local = 8080;
            if let Some(start) = &mut snapshot.deploy[0].start {
                start.bind_port = PortSetting::Literal { port: 5000 };
            }
        })
    }),
    ("env-var-missing", || {
        let mut world = small(&[("/health", false)]);
        healthy(&mut world, Vantage::Local, "/health");
        let failing = || response(500).json(r#"{"error":"internal"}"#).header("x-app-build", "7").build();
        ask(&mut world, Vantage::Edge, &[("/health", failing())], failing());
        let mut snapshot = project();
        snapshot.settings.read.push(SettingRead {
            name: "DATABASE_URL".into(),
            place: "db.py:3".into(),
            has_default: false,
        });
        world.project(snapshot).build()
    }),
    ("route-missing", || {
        let mut world = small(&[("/health", false), ("/v2", false)]);
        for vantage in [Vantage::Local, Vantage::Edge] {
            ask(&mut world, vantage, &[("/health", good()), ("/v2", own_404())], own_404());
        }
        world.build()
    }),
    ("route-prefix-mismatch", || {
        let mut world = small(&[("/api/health", false), ("/health", false)]);
        ask(&mut world, Vantage::Local, &[("/api/health", good()), ("/health", own_404())], own_404());
        ask(&mut world, Vantage::Edge, &[("/api/health", own_404()), ("/health", good())], own_404());
        world.build()
    }),
    ("process-crash-loop", || bad_gateway().build()),
    ("domain-misspelt-in-config", || {
        let above = negative(3, "NXDOMAIN", Some("test"), false, &[]);
        let mut evidence =
            dns_world(&[(DnsServerRole::Recursive, Observed::Denied(Denial::Rcode(Box::new(above))))]);
        let mut near = World::new("https://api.example.test");
        let mut snapshot = project();
        snapshot.deploy[0].default_host = Some("api.exmaple.test".into());
        evidence.observations.extend(near.project(snapshot).build().observations);
        evidence
    }),
];

/// Causes that explain the world beside or behind the first one, and are not expected in front.
const NOT_IN_FRONT: &[&str] =
    &["domain-verification-pending", "process-crash-loop", "env-var-missing", "a-record-points-to-old-host"];

#[test]
fn each_small_world_has_its_cause() {
    for (want, spoil) in SMALL_WORLDS {
        let ranking = ranked(&spoil());
        let first = ranking.causes.first();
        if NOT_IN_FRONT.contains(want) {
            let weighed =
                ids(&ranking).contains(want) || first.is_some_and(|c| c.rivals.iter().any(|r| r.id == *want));
            assert!(weighed, "{want}: {:?}", ids(&ranking));
        } else {
            assert_eq!(first.map(|c| c.id.as_str()), Some(*want), "{:#?}", ranking.causes);
        }
    }
}

/// The causes that the recipes of the corpus name as true; those worlds are recorded from real servers and scored there.
fn causes_of_the_corpus() -> BTreeSet<String> {
    let mut found = BTreeSet::new();
    let mut folders = vec![concat!(env!("CARGO_MANIFEST_DIR"), "/../../scenarios/corpus").into()];
    while let Some(folder) = folders.pop() {
        let folder: std::path::PathBuf = folder;
        for entry in std::fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|end| end == "toml") {
                let text = std::fs::read_to_string(&path).expect("a recipe is text");
                let line = text.lines().find(|line| line.starts_with("causes"));
                found.extend(
                    line.into_iter().flat_map(|l| l.split('"').skip(1).step_by(2)).map(str::to_owned),
                );
            }
        }
    }
    found
}

#[test]
fn every_cause_is_weighed_in_some_world() {
    let mut weighed: BTreeSet<String> = BTreeSet::new();
    let mut worlds: Vec<Evidence> = Levqor::ALL.into_iter().map(levqor).collect();
    worlds.extend(SMALL_WORLDS.iter().map(|(_, spoil)| spoil()));
    worlds.extend(super::tests_app::WORLDS.iter().map(|(_, _, make)| make()));
    for evidence in &worlds {
        let ranking = ranked(evidence);
        for cause in ranking.causes.iter().chain(&ranking.ruled_out) {
            weighed.insert(cause.id.clone());
            weighed.extend(cause.rivals.iter().map(|rival| rival.id.clone()));
        }
    }
    weighed.extend(causes_of_the_corpus());
    // Those that have a test of their own above.
    for id in [
        "aaaa-record-stale",
        "bind-loopback-only",
        "cert-chain-incomplete",
        "cert-expired",
        "cert-name-mismatch",
        "cert-not-yet-valid",
        "cert-self-signed",
        "cname-dangling",
        "cname-loop",
        "delegation-lame",
        "delegation-servers-unreachable",
        "dnssec-chain-broken",
        "edge-bot-challenge",
        "edge-redirect-loop",
        "edge-waf-blocks",
        "firewall-drops-packets",
        "port-refused",
        "probe-vantage-broken",
        "record-missing",
        "record-type-missing",
        "tls-port-speaks-plain-http",
    ] {
        weighed.insert(id.to_owned());
    }
    weighed.extend(super::doors_tests::WEIGHED.iter().map(|id| (*id).to_owned()));
    let missing: Vec<&str> =
        Catalogue::embedded().causes().map(|h| h.id.as_str()).filter(|id| !weighed.contains(*id)).collect();
    assert!(missing.is_empty(), "no world has {missing:?}");
}
