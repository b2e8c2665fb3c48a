//! Worlds in which the project's own files give the zone a record that it does not have.

use landfall_evidence::*;

use super::rank::{Ranking, rank};
use crate::Label;
use crate::catalogue::Catalogue;
use crate::facts::Facts;
use crate::testkit::*;

const HOST: &str = "api.example.test";

fn record(rtype: &str, data: &[&str], provider: Option<&str>) -> PlannedRecord {
    PlannedRecord {
        name: HOST.to_owned(),
        zone: Some("example.test".to_owned()),
        rtype: rtype.to_owned(),
        data: data.iter().map(|data| (*data).to_owned()).collect(),
        proxied: false,
        provider: provider.map(str::to_owned),
        place: "infra/dns.tf:3".to_owned(),
    }
}

/// A world whose zone is served by Cloudflare's name servers and answers this for the host's A record.
fn world(planned: PlannedRecord, answer: &DnsAnswer) -> World {
    let mut world = World::new(&format!("https://{HOST}"));
    world.endpoint("GET", "/health", EndpointSource::Declared, true, &["ok"]);
    world.project(ProjectSnapshot { records: vec![planned], signs: vec![], ..ProjectSnapshot::default() });
    let names = records("example.test", "NS", &["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"], true);
    world.dns_outcome(DnsServerRole::Authoritative, "ada", "example.test", "NS", Observed::Present(names));
    for (role, server) in [(DnsServerRole::Authoritative, "ada"), (DnsServerRole::Recursive, "9.9.9.9")] {
        let with =
            |answer: DnsAnswer| DnsAnswer { authoritative: role == DnsServerRole::Authoritative, ..answer };
        let outcome = |answer: DnsAnswer| match answer.rcode {
            0 => Observed::Present(with(answer)),
            _ => Observed::Denied(Denial::Rcode(Box::new(with(answer)))),
        };
        world.dns_outcome(role, server, HOST, "A", outcome(answer.clone()));
        let six = match answer.rcode {
            0 => records(HOST, "AAAA", &[], true),
            _ => answer.clone(),
        };
        world.dns_outcome(role, server, HOST, "AAAA", outcome(six));
    }
    world
}

fn ranked(world: &mut World) -> Ranking {
    let catalogue = Catalogue::embedded();
    rank(&Facts::derive(&world.build(), catalogue), catalogue)
}

fn absent() -> DnsAnswer {
    negative(3, "NXDOMAIN", Some("example.test"), true, &[])
}

#[test]
fn a_record_made_at_a_provider_that_does_not_serve_the_zone_went_to_the_wrong_place() {
    let ranking = ranked(&mut world(record("A", &["203.0.113.7"], Some("aws")), &absent()));
    assert_eq!(ranking.causes[0].id, "zone-edited-at-wrong-provider", "{:#?}", ranking.causes);
    assert!(ranking.causes[0].label >= Label::Likely, "{:#?}", ranking.causes[0]);
}

#[test]
fn a_record_of_the_right_provider_that_is_not_there_was_never_made() {
    for provider in [Some("cloudflare"), None] {
        let ranking = ranked(&mut world(record("A", &["203.0.113.7"], provider), &absent()));
        let first = &ranking.causes[0];
        assert_eq!(first.id, "record-missing", "{:#?}", ranking.causes);
        assert!(first.evidence_for.iter().any(|a| a.say.contains("was never carried out")), "{first:#?}");
    }
}

#[test]
fn an_address_that_the_files_do_not_give_is_an_old_one_where_another_site_answers() {
    let other = || {
        response(200).html("<!DOCTYPE html><html><head><title>Welcome to nginx!</title></head><body><h1>Welcome to nginx!</h1></body></html>").build()
    };
    let site = |planned: PlannedRecord| {
        let mut world = world(planned, &records(HOST, "A", &["192.0.2.10"], true));
        for path in ["/health", "/"] {
            world.http(Vantage::Edge, Purpose::Endpoint, path, other());
        }
        world.http(Vantage::Edge, Purpose::Control, "/landfall-control", other());
        ranked(&mut world)
    };
    let score = |ranking: &Ranking| {
        ranking.causes.iter().find(|c| c.id == "a-record-points-to-old-host").map(|c| c.score_db)
    };
    let (differs, same) =
        (site(record("A", &["203.0.113.7"], None)), site(record("A", &["192.0.2.10"], None)));
    assert_eq!(differs.causes[0].id, "a-record-points-to-old-host", "{:#?}", differs.causes);
    assert!(score(&differs) > score(&same), "{:?} {:?}", score(&differs), score(&same));
}

/// Files that nobody deleted after a move say nothing of an application that fails where the zone leads.
#[test]
fn files_of_a_provider_that_was_left_are_no_cause_of_a_failing_application() {
    let mut world =
        world(record("A", &["203.0.113.7"], Some("aws")), &records(HOST, "A", &["192.0.2.10"], true));
    let failing = || {
        response(502).html("<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center><hr><center>nginx</center></body></html>").build()
    };
    for path in ["/health", "/"] {
        world.http(Vantage::Edge, Purpose::Endpoint, path, failing());
    }
    world.http(Vantage::Edge, Purpose::Control, "/landfall-control", failing());
    let ranking = ranked(&mut world);
    let blamed = |id: &str| ranking.causes.iter().any(|c| c.id == id && c.label >= Label::Likely);
    assert!(
        !blamed("zone-edited-at-wrong-provider") && !blamed("a-record-points-to-old-host"),
        "{:#?}",
        ranking.causes
    );
}
