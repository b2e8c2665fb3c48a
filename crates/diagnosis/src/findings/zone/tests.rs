//! What no server that we did not write can be brought to do, told as evidence.

use landfall_evidence::{
    Denial, DnsAnswer, DnsManner, DnsObservation, DnsRecord, DnsServer, DnsServerRole, Observed, Phase, Seen,
    Vantage,
};

use crate::Severity;
use crate::testworld::{HOST, V4, World, deployed, dns_answer, dns_seen};

const ZONE: &str = "levqor.ai";

fn record(name: &str, rtype: &str, data: &str) -> DnsRecord {
    DnsRecord { name: name.into(), rtype: rtype.into(), ttl_s: 300, data: data.into() }
}

fn present(records: Vec<DnsRecord>) -> Observed<DnsAnswer> {
    Observed::Present(dns_answer(0, true, records))
}

fn rcode(code: u16) -> Observed<DnsAnswer> {
    Observed::Denied(Denial::Rcode(Box::new(dns_answer(code, true, Vec::new()))))
}

fn server(role: DnsServerRole, name: &str, ip: &str) -> DnsServer {
    let address = format!("{ip}:53").parse().expect("an address");
    DnsServer { role, name: Some(name.into()), address: Some(address), connected_to: None }
}

const ONE: (&str, &str) = ("art.ns.cloudflare.com", "108.162.194.10");
const TWO: (&str, &str) = ("ivy.ns.cloudflare.com", "108.162.195.20");

/// A deep survey of a healthy zone at two servers; `edit` changes each of its observations.
fn deep(edit: impl Fn(&mut DnsObservation)) -> World {
    let soa = || record(ZONE, "SOA", "art.ns.cloudflare.com dns.cloudflare.com 7 14400 3600 604800 300");
    let ns = || vec![record(ZONE, "NS", ONE.0), record(ZONE, "NS", TWO.0)];
    let mut world = deployed();
    let mut push = |mut seen: DnsObservation, signed: bool, manner: DnsManner| {
        seen.question.dnssec_ok = signed;
        seen.question.manner = manner;
        edit(&mut seen);
        let q = &seen.question;
        let id =
            format!("deep/{:?}/{:?}/{}/{}/{:?}", q.server.role, q.server.address, q.rtype, q.name, manner);
        world.push(&id, Vantage::Edge, Seen::Dns(seen));
    };
    for (name, ip) in [ONE, TWO] {
        let at = server(DnsServerRole::Authoritative, name, ip);
        let signed = [
            (ZONE, "SOA", vec![soa()]),
            (ZONE, "NS", ns()),
            (HOST, "CNAME", Vec::new()),
            (ZONE, "CNAME", Vec::new()),
            (HOST, "MX", Vec::new()),
        ];
        for (name, rtype, records) in signed {
            push(dns_seen(&at, name, rtype, present(records)), true, DnsManner::Usual);
        }
        for manner in [DnsManner::Tcp, DnsManner::NoEdns, DnsManner::MixedCase] {
            push(dns_seen(&at, ZONE, "SOA", present(vec![soa()])), false, manner);
        }
        push(dns_seen(&at, ZONE, "SOA", rcode(16)), false, DnsManner::FutureEdns);
        push(dns_seen(&at, ZONE, "AXFR", rcode(5)), false, DnsManner::Transfer);
        push(dns_seen(&at, ".", "NS", rcode(5)), false, DnsManner::Recursion);
    }
    let parent = server(DnsServerRole::Parent, "a0.nic.ai", "199.115.152.1");
    push(dns_seen(&parent, ZONE, "NS", present(ns())), true, DnsManner::Usual);
    push(dns_seen(&parent, ZONE, "DS", present(Vec::new())), true, DnsManner::Usual);
    world
}

fn of_survey(world: World) -> Vec<(String, Severity)> {
    let found = world.diagnose().findings.into_iter();
    found
        .filter(|f| f.code.starts_with("LF-DNS-") && f.code != "LF-DNS-047")
        .map(|f| (f.code, f.severity))
        .collect()
}

fn first(seen: &DnsObservation) -> bool {
    seen.question.server.name.as_deref() == Some(ONE.0)
}

type Case = (&'static str, &'static [(&'static str, Severity)], fn(&mut DnsObservation));

#[test]
fn each_rule_of_the_survey_fires_on_its_own_fault_alone() {
    let cases: &[Case] = &[
        ("healthy", &[], |_| {}),
        ("TCP refused everywhere", &[("LF-DNS-039", Severity::High)], |s| {
            if s.question.manner == DnsManner::Tcp {
                s.answer = Observed::Denied(Denial::Refused);
            }
        }),
        ("TCP refused at one server", &[("LF-DNS-039", Severity::Medium)], |s| {
            if s.question.manner == DnsManner::Tcp && first(s) {
                s.answer = Observed::Denied(Denial::Refused);
            }
        }),
        ("TCP that we could not ask says nothing", &[], |s| {
            if s.question.manner == DnsManner::Tcp {
                s.answer = Observed::Unasked(landfall_evidence::ProbeFault::DeadlineSpent);
            }
        }),
        ("a later EDNS taken for the present one", &[("LF-DNS-040", Severity::Medium)], |s| {
            if s.question.manner == DnsManner::FutureEdns {
                s.answer = present(vec![record(ZONE, "SOA", "a b 7 14400 3600 604800 300")]);
            }
        }),
        ("letters changed", &[("LF-DNS-041", Severity::Medium)], |s| {
            if s.question.manner == DnsManner::MixedCase {
                let detail = "the answer repeats the name as levqor.ai.".to_owned();
                s.answer = Observed::Denied(Denial::Malformed { phase: Phase::Resolve, detail });
            }
        }),
        ("an open resolver", &[("LF-DNS-043", Severity::High)], |s| {
            if s.question.manner == DnsManner::Recursion {
                let mut answer = dns_answer(0, false, vec![record(".", "NS", "a.root-servers.net")]);
                answer.recursion_available = true;
                s.answer = Observed::Present(answer);
            }
        }),
        ("an authoritative root is no open resolver", &[], |s| {
            if s.question.manner == DnsManner::Recursion {
                s.answer = present(vec![record(".", "NS", "a.root-servers.net")]);
            }
        }),
        ("an alias beside mail records", &[("LF-DNS-038", Severity::High)], |s| {
            if s.question.name == HOST && s.question.rtype == "CNAME" {
                s.answer = present(vec![record(HOST, "CNAME", "app.replit.app")]);
            } else if s.question.name == HOST && s.question.rtype == "MX" {
                s.answer = present(vec![record(HOST, "MX", "10 mail.levqor.ai")]);
            }
        }),
        ("an alias at the top of the zone", &[("LF-DNS-038", Severity::High)], |s| {
            if s.question.name == ZONE && s.question.rtype == "CNAME" {
                s.answer = present(vec![record(ZONE, "CNAME", "app.replit.app")]);
            }
        }),
        ("no delegation", &[("LF-DNS-014", Severity::Critical)], |s| {
            if s.question.server.role == DnsServerRole::Parent && s.question.rtype == "NS" {
                s.answer = rcode(3);
            }
        }),
        (
            "a lame server at a provider that gives zones away",
            &[
                ("LF-DNS-048", Severity::Critical),
                ("LF-DNS-006", Severity::High),
                ("LF-DNS-015", Severity::High),
            ],
            |s| {
                if first(s) {
                    s.question.server.name = Some("ns1.digitalocean.com".into());
                    s.answer = rcode(5);
                } else if s.question.server.role == DnsServerRole::Parent && s.question.rtype == "NS" {
                    s.answer =
                        present(vec![record(ZONE, "NS", "ns1.digitalocean.com"), record(ZONE, "NS", TWO.0)]);
                }
            },
        ),
    ];
    for (name, want, edit) in cases {
        let got = of_survey(deep(edit));
        let got: Vec<(&str, Severity)> = got.iter().map(|(c, s)| (c.as_str(), *s)).collect();
        assert_eq!(&got, want, "{name}");
    }
}

#[test]
fn without_a_survey_no_rule_of_it_fires() {
    let world = deployed();
    assert!(of_survey(world).is_empty());
    // Questions with signatures alone are those of an ordinary audit.
    let mut world = deployed();
    let at = server(DnsServerRole::Authoritative, ONE.0, ONE.1);
    let mut seen = dns_seen(&at, HOST, "A", present(vec![record(HOST, "A", V4)]));
    seen.question.dnssec_ok = true;
    world.push("dns/signed", Vantage::Edge, Seen::Dns(seen));
    assert!(of_survey(world).is_empty());
}
