//! `landfall dns` against servers that we did not write: NSD, BIND and Knot with the zone, a validating Unbound in front.
//! Each world has one thing that is true in it, and the findings must be that thing and nothing else.

#[path = "../../../landfall/tests/common/ports.rs"]
#[expect(dead_code, reason = "each test binary uses its own part of the harness")]
mod ports;
#[path = "../../../landfall/tests/common/process.rs"]
#[expect(dead_code, reason = "each test binary uses its own part of the harness")]
mod process;
mod servers;

use landfall_audit::{Config, Depth, Overrides, Plan, Probe, Progress, survey_dns};
use landfall_diagnosis::{Catalogue, Finding, Severity, diagnose};
use landfall_evidence::Evidence;
use servers::{DELEGATION, Ds, HOST, Kind, RECORDS, Serve, Setup, Signing, World};

/// What `landfall dns HOST` collects.
fn survey(world: &World) -> Evidence {
    survey_of(world, HOST)
}

fn survey_of(world: &World, host: &str) -> Evidence {
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
    runtime
        .block_on(survey_dns(&plan, catalogue, &Progress::default(), Depth::Whole))
        .expect("the survey runs")
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

#[test]
fn a_signed_zone_without_fault_gives_no_finding() {
    let world = World::up(&Setup::signed());
    let evidence = survey(&world);
    check(&evidence, &[]);
}
