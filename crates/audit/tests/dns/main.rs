//! `landfall dns` against servers that we did not write: NSD, BIND and Knot with the zone, a validating Unbound in front.
//! Each world has one thing that is true in it, and the findings must be that thing and nothing else.

mod others;
#[path = "../../../landfall/tests/common/ports.rs"]
#[expect(dead_code, reason = "each test binary uses its own part of the harness")]
mod ports;
#[path = "../../../landfall/tests/common/process.rs"]
mod process;
mod servers;

use landfall_audit::{Config, Depth, Overrides, Plan, Probe, Progress, survey_dns};
use landfall_diagnosis::{Catalogue, Finding, OwnServers, Severity, agreement, diagnose};
use landfall_evidence::{
    Denial, DenialProof, DnsServerRole, DnsTransport, Evidence, Observed, SignatureCheck,
};
use servers::{DELEGATION, Ds, HOST, Kind, RECORDS, Setup, Signing, World};

/// What `landfall dns HOST` collects.
fn survey(world: &World) -> Evidence {
    survey_of(world, HOST)
}

fn survey_of(world: &World, host: &str) -> Evidence {
    collected(world, host, Depth::Whole)
}

fn collected(world: &World, host: &str, depth: Depth) -> Evidence {
    let said = Overrides {
        production: Some(host.to_owned()),
        resolvers: vec![world.resolver.to_string()],
        connect_to: world.map(),
        only: vec![Probe::Dns],
        ..Overrides::default()
    };
    let config = Config { hosts_file: Some(world.folder().join("no-hosts")), ..Config::default() };
    let plan = Plan::new(&config, &said).expect("a plan");
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
    let catalogue = Catalogue::embedded();
    let progress = Progress::default();
    let survey = survey_dns(&plan, catalogue, &progress, depth);
    let evidence = runtime.block_on(survey).expect("the survey runs");
    // What is written is read back the same.
    let again = Evidence::from_json(&evidence.to_json()).expect("it reads back");
    assert_eq!(again.to_json(), evidence.to_json());
    again
}

/// Findings about DNS, those left out that say nothing of a fault of these worlds: no CAA, no IPv6.
fn findings(evidence: &Evidence) -> Vec<Finding> {
    let found = diagnose(evidence, Catalogue::embedded()).findings;
    found.into_iter().filter(|f| f.code.starts_with("LF-DNS-")).collect()
}

fn codes(evidence: &Evidence) -> Vec<(String, Severity)> {
    findings(evidence).into_iter().map(|f| (f.code, f.severity)).collect()
}

/// The findings of a world, and nothing but them.
#[track_caller]
fn check(evidence: &Evidence, want: &[(&str, Severity)]) {
    let found = codes(evidence);
    let got: Vec<(&str, Severity)> = found.iter().map(|(c, s)| (c.as_str(), *s)).collect();
    assert_eq!(
        got,
        want,
        "{:#?}",
        findings(evidence).iter().map(|f| (&f.code, &f.title)).collect::<Vec<_>>()
    );
}

/// A world on every program that serves zones, so that none of them is taken for a rule.
fn on(kind: Kind, other: Kind, setup: Setup) -> Setup {
    let mut setup = setup;
    setup.first.kind = kind;
    setup.second.kind = other;
    setup
}

#[test]
fn a_signed_zone_without_fault_gives_no_finding() {
    for (one, two) in [(Kind::Nsd, Kind::Knot), (Kind::Bind, Kind::Nsd)] {
        let world = World::up(&on(one, two, Setup::signed()));
        let evidence = survey(&world);
        check(&evidence, &[]);
        // Not by silence: every signature was computed, at both servers, and at the zone above.
        let checks = signatures(&evidence);
        assert!(all_hold(&checks), "{checks:?}");
        let secure = evidence.all_dns().filter(|(_, s)| s.answer.present().is_some_and(|a| a.authentic_data));
        assert!(secure.count() > 0, "Unbound agrees");
        denials_cover(&evidence);
    }
    // The same with hashed names.
    let hashed =
        || Setup { signing: Some(Signing { nsec3: Some(0), ..Signing::default() }), ..Setup::signed() };
    for kind in [Kind::Nsd, Kind::Bind, Kind::Knot] {
        denials_cover(&survey(&World::up(&on(kind, kind, hashed()))));
    }
}

/// Every negative answer of the zone's servers proves what it says: a name that does not exist, and types that are missing.
fn denials_cover(evidence: &Evidence) {
    let (mut no_name, mut no_type) = (0, 0);
    for (_, s) in evidence.all_dns().filter(|(_, s)| s.question.server.role == DnsServerRole::Authoritative) {
        let (answer, count) = match &s.answer {
            Observed::Present(answer) => (answer, &mut no_type),
            Observed::Denied(Denial::Rcode(answer)) => (&**answer, &mut no_name),
            _ => continue,
        };
        if let Some(proof) = answer.signing.as_ref().and_then(|signing| signing.denial.as_ref()) {
            let q = &s.question;
            assert_eq!(*proof, DenialProof::Covers, "{} {} at {:?}", q.name, q.rtype, q.server);
            *count += 1;
        }
    }
    assert!(no_name >= 2 && no_type >= 2, "{no_name} names, {no_type} types at two servers");
}

/// None was left out but those that the audit's own questions brought, which came without keys.
fn all_hold(checks: &[SignatureCheck]) -> bool {
    let held = checks.iter().filter(|check| **check == SignatureCheck::Holds).count();
    let left = checks.iter().filter(|check| **check == SignatureCheck::Unchecked).count();
    held > 20 && left <= 4 && held + left == checks.len()
}

/// What came of every signature that a server of the zone, or of the zone above, gave over its own records.
fn signatures(evidence: &Evidence) -> Vec<SignatureCheck> {
    let servers = evidence.all_dns().filter(|(_, s)| {
        matches!(s.question.server.role, DnsServerRole::Authoritative | DnsServerRole::Parent)
            && s.question.dnssec_ok
            && !s.question.checking_disabled
    });
    let answers = servers.filter_map(|(_, s)| match &s.answer {
        Observed::Present(answer) => Some(answer.clone()),
        Observed::Denied(Denial::Rcode(answer)) => Some((**answer).clone()),
        _ => None,
    });
    answers.filter_map(|a| a.signing).flat_map(|s| s.signatures).map(|s| s.check).collect()
}

#[test]
fn every_usual_algorithm_is_computed() {
    for (algorithm, want) in [
        ("RSASHA256", &[("LF-DNS-033", Severity::Low)] as &[(&str, Severity)]),
        ("RSASHA512", &[("LF-DNS-033", Severity::Low)]),
        ("ECDSAP384SHA384", &[]),
        ("ED25519", &[]),
    ] {
        let signing = Some(Signing { algorithm, ..Signing::default() });
        let world = World::up(&Setup { signing, ..Setup::signed() });
        let evidence = survey(&world);
        check(&evidence, want);
        let checks = signatures(&evidence);
        assert!(all_hold(&checks), "{checks:?}");
    }
}

#[test]
fn an_unsigned_zone_without_fault_gives_no_finding() {
    let world = World::up(&Setup::default());
    check(&survey(&world), &[]);
}

#[test]
fn the_host_may_be_the_top_of_the_zone() {
    let world = World::up(&Setup::signed());
    check(&survey_of(&world, "shop.test"), &[("LF-DNS-007", Severity::Info)]);
}

#[test]
fn expired_signatures_are_found_whatever_the_resolver_says() {
    let signing = Some(Signing { from: "now-60d", until: "now-30d", ..Signing::default() });
    let world = World::up(&Setup { signing, ..Setup::signed() });
    let evidence = survey(&world);
    // Unbound has words for it, and the computation finds the date by itself.
    check(&evidence, &[("LF-DNS-012", Severity::Critical), ("LF-DNS-028", Severity::Critical)]);
    assert_eq!(diagnose(&evidence, Catalogue::embedded()).findings[0].code, "LF-DNS-012");
    let title = title(&evidence, "LF-DNS-028");
    assert!(
        title.starts_with("Signatures of shop.test expired on ") && title.ends_with("all 2 server addresses"),
        "{title}"
    );
}

fn title(evidence: &Evidence, code: &str) -> String {
    findings(evidence).into_iter().find(|f| f.code == code).map(|f| f.title).unwrap_or_default()
}

#[test]
fn signatures_of_the_future_are_found() {
    let signing = Some(Signing { from: "now+10d", until: "now+30d", ..Signing::default() });
    let world = World::up(&Setup { signing, ..Setup::signed() });
    let evidence = survey(&world);
    assert!(title(&evidence, "LF-DNS-028").contains("begin on"), "{}", title(&evidence, "LF-DNS-028"));
}

#[test]
fn signatures_that_end_soon_or_very_late_are_found() {
    for (until, words) in [("now+2h", "ends at"), ("now+400d", "is valid until")] {
        let signing = Some(Signing { until, ..Signing::default() });
        let world = World::up(&Setup { signing, ..Setup::signed() });
        let evidence = survey(&world);
        check(&evidence, &[("LF-DNS-029", Severity::Medium)]);
        assert!(title(&evidence, "LF-DNS-029").contains(words), "{}", title(&evidence, "LF-DNS-029"));
    }
}

#[test]
fn a_record_changed_after_signing_is_found() {
    let forged = Some(("192.0.2.10", "192.0.2.66"));
    let world = World::up(&Setup { forged, ..Setup::signed() });
    let evidence = survey(&world);
    let found = codes(&evidence);
    assert!(found.contains(&("LF-DNS-030".into(), Severity::Critical)), "{found:?}");
    assert!(found.contains(&("LF-DNS-012".into(), Severity::Critical)), "{found:?}");
    assert!(title(&evidence, "LF-DNS-030").contains("api.shop.test A"), "{}", title(&evidence, "LF-DNS-030"));
}

#[test]
fn a_ds_record_of_another_key_is_found() {
    let world = World::up(&Setup { ds: Ds::Other, ..Setup::signed() });
    let evidence = survey(&world);
    let found = codes(&evidence);
    assert!(found.contains(&("LF-DNS-027".into(), Severity::Critical)), "{found:?}");
    assert!(found.contains(&("LF-DNS-012".into(), Severity::Critical)), "{found:?}");
    assert!(!found.iter().any(|(code, _)| code == "LF-DNS-030"), "the signatures themselves hold: {found:?}");
}

#[test]
fn a_ds_record_of_an_unsigned_zone_is_found() {
    let world = World::up(&Setup { ds: Ds::Other, ..Setup::default() });
    let found = codes(&survey(&world));
    assert!(found.contains(&("LF-DNS-032".into(), Severity::Critical)), "{found:?}");
    assert!(found.contains(&("LF-DNS-012".into(), Severity::Critical)), "{found:?}");
}

#[test]
fn a_signed_zone_without_ds_record_protects_nobody() {
    let world = World::up(&Setup { ds: Ds::None, ..Setup::signed() });
    check(&survey(&world), &[("LF-DNS-031", Severity::Medium)]);
}

#[test]
fn nsec3_with_iterations_is_found_and_without_is_not() {
    for (iterations, want) in [(0, &[] as &[(&str, Severity)]), (12, &[("LF-DNS-034", Severity::Medium)])] {
        let signing = Some(Signing { nsec3: Some(iterations), ..Signing::default() });
        let world = World::up(&Setup { signing, ..Setup::signed() });
        check(&survey(&world), want);
    }
}

#[test]
fn one_server_that_lost_the_zone_is_lame() {
    for kind in [Kind::Nsd, Kind::Bind, Kind::Knot] {
        let mut setup = on(Kind::Nsd, kind, Setup::default());
        setup.second.records = None;
        let world = World::up(&setup);
        let evidence = survey(&world);
        check(&evidence, &[("LF-DNS-006", Severity::High)]);
        let title = title(&evidence, "LF-DNS-006");
        assert!(title.contains("1 of 2") && title.contains("ns2.shop.test"), "{title}");
    }
}

#[test]
fn all_servers_without_the_zone_are_critical() {
    let mut setup = Setup::default();
    (setup.first.records, setup.second.records) = (None, None);
    let world = World::up(&setup);
    let found = codes(&survey(&world));
    assert!(found.contains(&("LF-DNS-006".into(), Severity::Critical)), "{found:?}");
}

#[test]
fn a_stale_secondary_shows_itself_by_serial_and_records() {
    let mut setup = Setup::default();
    setup.second.records =
        Some(RECORDS.replace("2026010101", "2026010100").replace("api A 192.0.2.10", "api A 192.0.2.11"));
    let world = World::up(&setup);
    let evidence = survey(&world);
    let found = codes(&evidence);
    assert!(found.contains(&("LF-DNS-005".into(), Severity::Medium)), "{found:?}");
    assert!(found.iter().any(|(code, _)| code == "LF-DNS-021"), "{found:?}");
    // The serial alone: a change on its way, or a provider that does not move it.
    let mut setup = Setup::default();
    setup.second.records = Some(RECORDS.replace("2026010101", "2026010100"));
    check(&survey(&World::up(&setup)), &[("LF-DNS-021", Severity::Low)]);
    // The records alone: equal serials prove nothing.
    let mut setup = Setup::default();
    setup.second.records = Some(RECORDS.replace("ca.test", "other.test"));
    check(&survey(&World::up(&setup)), &[("LF-DNS-022", Severity::Medium)]);
}

#[test]
fn a_delegation_to_a_server_that_the_zone_does_not_name_is_found() {
    let records = RECORDS.replace("@ NS ns2\n", "");
    let world = World::up(&Setup::default().with(&records));
    let evidence = survey(&world);
    let found = codes(&evidence);
    assert!(found.contains(&("LF-DNS-015".into(), Severity::High)), "{found:?}");
    let delegation = DELEGATION.replace("shop NS ns2.shop\n", "").replace("ns2.shop A 198.51.100.54\n", "");
    let world = World::up(&Setup { delegation, ..Setup::default() });
    check(&survey(&world), &[("LF-DNS-015", Severity::Low)]);
}

#[test]
fn old_glue_is_found() {
    let delegation = DELEGATION.replace("ns2.shop A 198.51.100.54", "ns2.shop A 203.0.113.9");
    let world = World::up(&Setup { delegation, ..Setup::default() });
    let found = codes(&survey(&world));
    assert!(found.contains(&("LF-DNS-017".into(), Severity::High)), "{found:?}");
}

#[test]
fn name_servers_without_address_too_few_or_private_are_found() {
    let records = RECORDS.replace("@ NS ns2\n", "@ NS gone\n").replace("ns2 A 198.51.100.54\n", "");
    let delegation = DELEGATION
        .replace("shop NS ns2.shop\n", "shop NS gone.shop\n")
        .replace("ns2.shop A 198.51.100.54\n", "");
    let world = World::up(&Setup { delegation, ..Setup::default().with(&records) });
    check(&survey(&world), &[("LF-DNS-016", Severity::High)]);

    let records = RECORDS.replace("@ NS ns2\n", "").replace("ns2 A 198.51.100.54\n", "");
    let delegation = DELEGATION.replace("shop NS ns2.shop\n", "").replace("ns2.shop A 198.51.100.54\n", "");
    let world = World::up(&Setup { delegation, ..Setup::default().with(&records) });
    check(&survey(&world), &[("LF-DNS-019", Severity::High)]);

    let records = RECORDS.replace("198.51.100.54", "10.1.2.3");
    let delegation = DELEGATION.replace("198.51.100.54", "10.1.2.3");
    let world = World::up(&Setup { delegation, ..Setup::default().with(&records) });
    let found = codes(&survey(&world));
    assert!(found.contains(&("LF-DNS-018".into(), Severity::High)), "{found:?}");
}

#[test]
fn nxdomain_and_nodata_are_told_apart() {
    let world = World::up(&Setup::signed());
    let found = codes(&survey_of(&world, "gone.shop.test"));
    assert_eq!(found, [("LF-DNS-001".to_owned(), Severity::Critical)]);
    let records = format!("{RECORDS}empty TXT \"here\"\n");
    let world = World::up(&Setup::signed().with(&records));
    let found = codes(&survey_of(&world, "empty.shop.test"));
    assert_eq!(found, [("LF-DNS-002".to_owned(), Severity::Critical)]);
}

#[test]
fn aliases_that_lead_nowhere_in_a_circle_or_far_are_found() {
    let records = RECORDS.replace("api A 192.0.2.10\napi AAAA 2001:db8::10\n", "api CNAME gone\n");
    let world = World::up(&Setup::default().with(&records));
    let found = codes(&survey(&world));
    assert_eq!(found, [("LF-DNS-013".to_owned(), Severity::Critical)]);

    let records =
        RECORDS.replace("api A 192.0.2.10\napi AAAA 2001:db8::10\n", "api CNAME again\nagain CNAME api\n");
    let world = World::up(&Setup::default().with(&records));
    let evidence = survey(&world);
    assert_eq!(
        title(&evidence, "LF-DNS-036"),
        "api.shop.test is an alias in a circle: api.shop.test → again.shop.test → api.shop.test"
    );

    let mut chain = String::from("api CNAME c1\n");
    for n in 1..12 {
        chain.push_str(&format!("c{n} CNAME c{}\n", n + 1));
    }
    let records = RECORDS.replace("api A 192.0.2.10\napi AAAA 2001:db8::10\n", &chain) + "c12 A 192.0.2.10\n";
    let world = World::up(&Setup::default().with(&records));
    let found = codes(&survey(&world));
    assert!(found.contains(&("LF-DNS-037".into(), Severity::Medium)), "{found:?}");
}

#[test]
fn a_wildcard_is_seen_and_its_signature_holds() {
    let records = format!("{RECORDS}* A 192.0.2.99\n");
    let world = World::up(&Setup::signed().with(&records));
    let evidence = survey(&world);
    check(&evidence, &[("LF-DNS-035", Severity::Info)]);
    assert!(all_hold(&signatures(&evidence)), "{:?}", signatures(&evidence));
}

#[test]
fn answers_too_large_for_a_datagram_come_over_tcp() {
    let mut records = RECORDS.to_owned();
    for n in 1..=90 {
        records.push_str(&format!("api A 203.0.113.{n}\n"));
    }
    for kind in [Kind::Nsd, Kind::Bind, Kind::Knot] {
        let world = World::up(&on(kind, Kind::Nsd, Setup::signed().with(&records)));
        let evidence = survey(&world);
        check(&evidence, &[]);
        let whole = evidence.all_dns().filter(|(_, s)| {
            s.question.transport == DnsTransport::Tcp
                && s.answer.present().is_some_and(|a| a.data_of("A").count() == 91)
        });
        assert!(whole.count() >= 2, "each server sends the whole set over TCP");
    }
}

#[test]
fn transfers_to_everybody_and_open_resolvers_are_found() {
    let mut setup = on(Kind::Nsd, Kind::Bind, Setup::default());
    setup.first.options = "  provide-xfr: 0.0.0.0/0 NOKEY".into();
    setup.second.options = "allow-transfer { none; };".into();
    check(&survey(&World::up(&setup)), &[("LF-DNS-042", Severity::Info)]);

    let mut setup = on(Kind::Nsd, Kind::Bind, Setup::default());
    // What it does not know itself it asks the root's server of this world.
    setup.second.options = "recursion yes; allow-recursion { any; }; allow-query-cache { any; }; \
         forward only; forwarders port PARENT { 127.0.0.1; };"
        .into();
    let world = World::up(&setup);
    let evidence = survey(&world);
    check(&evidence, &[("LF-DNS-043", Severity::Medium)]);
    let title = title(&evidence, "LF-DNS-043");
    assert!(title.contains("ns2.shop.test") && title.contains("1 of 2"), "{title}");
}

#[test]
fn timers_and_ttls_are_held_against_their_sources() {
    let records = RECORDS.replace("14400 3600 604800 300", "1200 1800 3600 7200");
    let world = World::up(&Setup::default().with(&records));
    let evidence = survey(&world);
    let found = codes(&evidence);
    assert!(found.contains(&("LF-DNS-023".into(), Severity::Info)), "{found:?}");
    let title = title(&evidence, "LF-DNS-023");
    for word in [
        "refresh 1200 s is short (threshold 14400: Zonemaster ZONE02",
        "retry 1800 s is not below refresh",
        "expire 3600 s is short",
    ] {
        assert!(title.contains(word), "{title}");
    }
    let records = RECORDS.replace("api A", "api 5 A").replace("api AAAA", "api 5 AAAA");
    let world = World::up(&Setup::default().with(&records));
    check(&survey(&world), &[("LF-DNS-025", Severity::Low)]);
}

#[test]
fn hints_mail_and_service_records_are_read() {
    let records = format!(
        "{RECORDS}api HTTPS 1 . alpn=h2,h3 ipv4hint=192.0.2.77\napi MX 10 mail\nmail CNAME real\nreal A 192.0.2.12\n"
    );
    let world = World::up(&Setup::default().with(&records));
    check(&survey(&world), &[("LF-DNS-044", Severity::Medium), ("LF-DNS-045", Severity::Medium)]);
}

#[test]
fn a_name_server_that_is_an_alias_is_found() {
    let records = RECORDS.replace("ns2 A 198.51.100.54\n", "ns2 CNAME ns3\nns3 A 198.51.100.54\n");
    let world = World::up(&on(Kind::Knot, Kind::Knot, Setup::default().with(&records)));
    let found = codes(&survey(&world));
    assert!(found.contains(&("LF-DNS-020".into(), Severity::High)), "{found:?}");
}

#[test]
fn a_resolver_that_remembers_gives_a_clock_time() {
    // Unbound holds another answer, as after a change of the zone.
    let resolver =
        "  local-zone: \"api.shop.test.\" static\n  local-data: \"api.shop.test. 1800 A 203.0.113.66\"\n"
            .to_owned();
    let world = World::up(&Setup { resolver, ..Setup::default() });
    let evidence = survey(&world);
    let found = codes(&evidence);
    assert!(found.contains(&("LF-DNS-026".into(), Severity::Low)), "{found:?}");
    let title = title(&evidence, "LF-DNS-026");
    let end = evidence.started_at.checked_add(jiff::SignedDuration::from_mins(30)).expect("in range");
    assert!(
        title.contains("1 of 1 resolvers") && title.contains(&end.strftime("%H:%M").to_string()),
        "{title}"
    );
    assert!(found.contains(&("LF-DNS-004".into(), Severity::Medium)), "{found:?}");
}

#[test]
fn a_filtering_resolver_is_found() {
    let resolver =
        "  local-zone: \"api.shop.test.\" redirect\n  local-data: \"api.shop.test. 60 A 0.0.0.0\"\n"
            .to_owned();
    let world = World::up(&Setup { resolver, ..Setup::default() });
    let found = codes(&survey(&world));
    assert!(found.contains(&("LF-DNS-049".into(), Severity::Medium)), "{found:?}");
}

#[test]
fn a_hosts_file_that_says_otherwise_is_found() {
    let world = World::up(&Setup::default());
    std::fs::write(world.folder().join("no-hosts"), "127.0.0.1 api.shop.test\n").expect("it can be written");
    check(&survey(&world), &[("LF-DNS-046", Severity::Medium)]);
}

#[test]
fn thresholds_of_the_file_count() {
    let world = World::up(&Setup::default());
    let mut evidence = survey(&world);
    evidence.settings.thresholds.insert("dns_soa_refresh_min_s".into(), 20_000);
    check(&evidence, &[("LF-DNS-023", Severity::Info)]);
    assert!(
        title(&evidence, "LF-DNS-023").contains("(threshold 20000: dns_soa_refresh_min_s in landfall.toml)")
    );
}

#[test]
fn a_watch_ends_when_all_agree() {
    let world = World::up(&Setup::default());
    let now = agreement(&collected(&world, HOST, Depth::Agreement), HOST);
    assert!(now.is_whole() && now.said.len() == 6, "two servers and a resolver, two families: {now:?}");
    assert_eq!(now.by(), None);

    let resolver =
        "  local-zone: \"api.shop.test.\" redirect\n  local-data: \"api.shop.test. 1800 A 203.0.113.66\"\n"
            .to_owned();
    let world = World::up(&Setup { resolver, ..Setup::default() });
    let evidence = collected(&world, HOST, Depth::Agreement);
    let now = agreement(&evidence, HOST);
    let left = now.by().expect("somebody is late").duration_since(evidence.started_at).as_mins();
    assert!(!now.is_whole() && now.zone == OwnServers::Agree && (29..=31).contains(&left), "{now:?}");
    // Only what agreement needs was asked of the zone's servers.
    assert!(evidence.all_dns().all(|(_, s)| s.question.manner == landfall_evidence::DnsManner::Usual));

    let mut setup = Setup::default();
    setup.second.records = Some(RECORDS.replace("api A 192.0.2.10", "api A 192.0.2.11"));
    let now = agreement(&collected(&World::up(&setup), HOST, Depth::Agreement), HOST);
    assert!(now.zone == OwnServers::Differ && !now.is_whole(), "{now:?}");

    // Servers that refuse do not differ: they say nothing.
    let mut setup = Setup::default();
    setup.first.records = None;
    setup.second.records = None;
    let now = agreement(&collected(&World::up(&setup), HOST, Depth::Agreement), HOST);
    assert!(now.zone == OwnServers::Unheard && !now.is_whole(), "{now:?}");
    assert!(now.without_answer.len() == 2, "{now:?}");
    assert!(now.without_answer.values().all(|what| what.contains("REFUSED")), "{now:?}");
}
