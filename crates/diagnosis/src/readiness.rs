//! The readiness checklist: is what was built ready, and does production serve it?
//!
//! A check that cannot apply is left out of the total; one that could not be seen is unknown, which is never a pass.
//! That production does not serve what was built is counted once, by `production-deployed`: the checks on features look
//! at production's own answer where it gives a good one, and else at the local backend, which is what would be deployed.

use std::collections::BTreeSet;

use landfall_evidence::{ObservationId, ProjectSnapshot, TestPurpose, Vantage};
use serde_json::Value;

use crate::attribution::vendor_name;
use crate::case::Case;
use crate::components;
use crate::deploy_config::{self, Reach};
use crate::findings::{self, TestOutcome};
use crate::marker::{self, Standing};
use crate::view::{Reading, json, why_unseen};
use crate::words::{count, in_words, lower_first};
use crate::{Check, Finding, Label, Readiness, Severity, Status};

/// First words of `*_configured` members that speak of the model behind a support assistant.
const MODEL_PROVIDERS: &[&str] = &[
    "ai",
    "anthropic",
    "azure",
    "claude",
    "cohere",
    "gemini",
    "groq",
    "llm",
    "mistral",
    "model",
    "ollama",
    "openai",
];

/// Runs every check that applies.
pub(crate) fn readiness(case: &Case<'_>, findings: &[Finding]) -> Readiness {
    let checks: Vec<Check> = [
        local_backend(case),
        support_ai(case),
        stripe_webhooks(case),
        dns(case, findings),
        certificate(case, findings),
        deploy_config(case),
        secrets(case),
        production_deployed(case, findings),
        tests(case),
    ]
    .into_iter()
    .flatten()
    .collect();
    let of = |status: Status| checks.iter().filter(|c| c.status == status).count() as u32;
    Readiness { passed: of(Status::Ok), total: checks.len() as u32, unknown: of(Status::Unknown), checks }
}

fn check(
    id: &str,
    title: &str,
    status: Status,
    note: impl Into<String>,
    evidence: Vec<ObservationId>,
) -> Option<Check> {
    Some(Check { id: id.into(), title: title.into(), status, note: note.into(), evidence })
}

fn local_backend(case: &Case<'_>) -> Option<Check> {
    case.evidence().target.local.as_ref()?;
    let readings = case.view.readings(Vantage::Local);
    let evidence = readings.iter().filter_map(|r| r.id().cloned()).collect();
    let (status, note) = components::endpoints(&readings);
    check("local-backend", "Local backend working", status, note, evidence)
}

/// A feature's reading: production's own answer where it is good, else the local backend's.
fn feature<'v, 'a>(case: &'v Case<'a>, wanted: impl Fn(&Reading<'a>) -> bool) -> Vec<&'v Reading<'a>> {
    [Vantage::Edge, Vantage::Local]
        .into_iter()
        .flat_map(|vantage| case.view.readings(vantage))
        .filter(|r| wanted(r))
        .collect()
}

fn seen_where(reading: &Reading<'_>) -> &'static str {
    if reading.vantage == Vantage::Edge {
        "in production"
    } else {
        "on the local backend; production was not seen to answer"
    }
}

/// The members `<word>_configured` of a good JSON answer, in the order sent.
fn configured_members(reading: &Reading<'_>) -> Vec<(String, bool)> {
    let Some(Value::Object(body)) = reading.response().filter(|_| reading.is_good()).and_then(json) else {
        return Vec::new();
    };
    body.iter()
        .filter_map(|(key, value)| Some((key.strip_suffix("_configured")?.to_owned(), value.as_bool()?)))
        .collect()
}

fn support_ai(case: &Case<'_>) -> Option<Check> {
    let provider = |reading: &Reading<'_>| {
        configured_members(reading).into_iter().find(|(stem, _)| {
            let first = stem.split('_').next().unwrap_or(stem);
            MODEL_PROVIDERS.contains(&first)
        })
    };
    let reading = *feature(case, |r| provider(r).is_some()).first()?;
    let (stem, configured) = provider(reading)?;
    let (status, word) = if configured { (Status::Ok, "is") } else { (Status::Fail, "is not") };
    let note =
        format!("{} says that {stem} {word} configured, {}", reading.endpoint.path, seen_where(reading));
    check("support-ai", "Support AI configured", status, note, reading.id().cloned().into_iter().collect())
}

fn stripe_webhooks(case: &Case<'_>) -> Option<Check> {
    const ID: &str = "stripe-webhooks";
    const TITLE: &str = "Stripe webhooks ready";
    let is_webhook = |path: &str| {
        path.to_ascii_lowercase().contains("stripe") && path.to_ascii_lowercase().contains("webhook")
    };
    let readings = feature(case, |r| is_webhook(&r.endpoint.path));
    if readings.is_empty() {
        let in_code =
            case.evidence().project().filter(|(_, p)| p.known_routes().any(|r| is_webhook(&r.path)));
        let (observation, _) = in_code?;
        let note = "the code has a webhook route, but no endpoint of the target asks for it";
        return check(ID, TITLE, Status::Unknown, note, vec![observation.id.clone()]);
    }
    // A health route says more than the mere existence of the route that Stripe posts to.
    let best = readings
        .iter()
        .filter(|r| r.is_good())
        .max_by_key(|r| (r.endpoint.is_safe(), r.vantage == Vantage::Edge));
    if let Some(good) = best {
        let what = if good.endpoint.is_safe() { "answers as it should" } else { "exists" };
        let note = format!("{} {what}, {}", good.endpoint.path, seen_where(good));
        return check(ID, TITLE, Status::Ok, note, good.id().cloned().into_iter().collect());
    }
    let bad = readings.iter().find_map(|r| Some((r, r.fault()?)));
    match bad {
        Some((reading, fault)) => {
            let note = format!("{}: {fault} ({})", reading.endpoint.path, reading.vantage);
            check(ID, TITLE, Status::Fail, note, reading.id().cloned().into_iter().collect())
        }
        None => check(
            ID,
            TITLE,
            Status::Unknown,
            why_unseen(&readings).unwrap_or_else(|| "not asked".into()),
            Vec::new(),
        ),
    }
}

fn worst(findings: &[Finding], area: &str) -> Option<Severity> {
    findings.iter().filter(|f| f.code.starts_with(area)).map(|f| f.severity).max()
}

fn evidence_of(findings: &[Finding], area: &str, from: Severity) -> Vec<ObservationId> {
    findings
        .iter()
        .filter(|f| f.code.starts_with(area) && f.severity >= from)
        .flat_map(|f| f.evidence.clone())
        .collect()
}

fn dns(case: &Case<'_>, findings: &[Finding]) -> Option<Check> {
    case.production_name()?;
    let seen = components::dns(case, findings);
    let status = match (seen.status, worst(findings, "LF-DNS-")) {
        (Status::Unknown, _) => Status::Unknown,
        (_, Some(Severity::High | Severity::Critical)) => Status::Fail,
        _ => Status::Ok,
    };
    let mut evidence = evidence_of(findings, "LF-DNS-", Severity::High);
    if evidence.is_empty() {
        evidence = components::address_evidence(case);
    }
    check("dns", "DNS configured", status, seen.headline, evidence)
}

fn certificate(case: &Case<'_>, findings: &[Finding]) -> Option<Check> {
    let url = case.production()?;
    if url.scheme() != "https" {
        return None;
    }
    let seen = components::tls(case, findings);
    let status = match (seen.status, worst(findings, "LF-TLS-")) {
        (Status::Unknown, _) => Status::Unknown,
        (_, Some(Severity::High | Severity::Critical)) => Status::Fail,
        _ => Status::Ok,
    };
    let mut note = seen.headline;
    if status == Status::Ok
        && let Some(vendor) = components::edge_vendor(case)
    {
        note = format!("{note}; it is the edge's ({}), and says nothing of the origin", vendor_name(vendor));
    }
    let evidence = case
        .evidence()
        .tls()
        .filter(|(o, _)| o.vantage == Vantage::Edge)
        .map(|(o, _)| o.id.clone())
        .collect();
    check("tls", "SSL certificate valid", status, note, evidence)
}

fn deploy_config(case: &Case<'_>) -> Option<Check> {
    let (observation, project) = case.evidence().project()?;
    let judged: Vec<(&str, Reach)> = deploy_config::production(project)
        .map(|config| (config.file.as_str(), deploy_config::reach(config)))
        .collect();
    let no = judged.iter().find_map(|(file, reach)| match reach {
        Reach::No(why) => Some((Status::Fail, format!("{file}: {why}"))),
        _ => None,
    });
    let yes = || {
        judged.iter().find_map(|(file, reach)| match reach {
            Reach::Yes(why) => Some((Status::Ok, format!("{file}: {why}"))),
            _ => None,
        })
    };
    let unknown = || {
        judged.iter().find_map(|(file, reach)| match reach {
            Reach::Unknown(why) => Some((Status::Unknown, format!("{file}: {why}"))),
            _ => None,
        })
    };
    let (status, note) = no.or_else(yes).or_else(unknown)?;
    check("deploy-config", "Deployment configuration right", status, note, vec![observation.id.clone()])
}

/// Settings that the code reads without a default and that the project declares: each must be present, or vouched for
/// by the running backend (`"openai_configured": true` for OPENAI_API_KEY).
fn secrets(case: &Case<'_>) -> Option<Check> {
    const ID: &str = "secrets";
    const TITLE: &str = "Environment secrets set";
    let (observation, project) = case.evidence().project()?;
    let needed = needed_settings(project);
    if needed.is_empty() {
        return None;
    }
    let present: BTreeSet<&str> = project.settings.present.iter().map(String::as_str).collect();
    let speaking: Vec<&Reading<'_>> = feature(case, |r| !configured_members(r).is_empty());
    let members: Vec<(String, bool)> = speaking.first().map(|r| configured_members(r)).unwrap_or_default();
    let said = |name: &str| {
        let lower = name.to_ascii_lowercase();
        members
            .iter()
            .find(|(stem, _)| lower == *stem || lower.starts_with(&format!("{stem}_")))
            .map(|(_, yes)| *yes)
    };
    let mut evidence = vec![observation.id.clone()];
    let (mut vouched, mut optional, mut missing) = (Vec::new(), Vec::new(), Vec::new());
    for name in needed.iter().copied().filter(|name| !present.contains(name)) {
        match said(name) {
            Some(true) => vouched.push(name),
            // The backend calls itself well without it, so it can do without it.
            Some(false) => optional.push(name),
            None => missing.push(name),
        }
    }
    if !vouched.is_empty() || !optional.is_empty() {
        evidence.extend(speaking.first().and_then(|r| r.id().cloned()));
    }
    let mut note = Vec::new();
    let here = needed.len() - vouched.len() - optional.len() - missing.len();
    if here > 0 {
        note.push(format!("{here} of {} present", count(needed.len(), "needed setting")));
    }
    if !vouched.is_empty() {
        note.push(format!(
            "{} not visible here, but the running backend reports them as configured",
            in_words(&vouched)
        ));
    }
    if !optional.is_empty() {
        note.push(format!(
            "{} not set; the backend reports that feature as not configured and itself as well",
            in_words(&optional)
        ));
    }
    let status = if missing.is_empty() {
        Status::Ok
    } else if present.is_empty() {
        note.push(format!("nothing is known of the environment; needed: {}", in_words(&missing)));
        Status::Unknown
    } else {
        note.push(format!("not present: {}", in_words(&missing)));
        Status::Fail
    };
    note.push("names only, and of this machine: the deployment keeps its own set".into());
    check(ID, TITLE, status, note.join("; "), evidence)
}

/// Names that the code reads without a default and the project declares, in the order declared.
fn needed_settings(project: &ProjectSnapshot) -> Vec<&str> {
    let settings = &project.settings;
    settings
        .declared
        .iter()
        .map(String::as_str)
        .filter(|name| settings.read.iter().any(|read| read.name == *name && !read.has_default))
        .filter(|name| !settings.is_provided(name))
        .collect()
}

fn production_deployed(case: &Case<'_>, findings: &[Finding]) -> Option<Check> {
    const ID: &str = "production-deployed";
    const TITLE: &str = "Production deployed";
    case.production()?;
    let readings = case.view.readings(Vantage::Edge);
    let evidence: Vec<ObservationId> = readings.iter().filter_map(|r| r.id().cloned()).collect();
    let down = findings.iter().find(|f| f.severity == Severity::Critical && findings::concerns_production(f));
    if let Some(finding) = down {
        return check(ID, TITLE, Status::Fail, finding.title.clone(), finding.evidence.clone());
    }
    let (status, note) = components::endpoints(&readings);
    // What is not shown to be whole is not deployed; what is not shown at all is unknown.
    let status = match status {
        Status::Warn => Status::Fail,
        Status::Unknown if case.production_is_whole() => Status::Ok,
        other => other,
    };
    if status != Status::Fail
        && let Some((status, why, shown)) = not_the_newest(case)
    {
        return check(ID, TITLE, status, format!("{note}; {why}"), [evidence, shown].concat());
    }
    check(ID, TITLE, status, note, evidence)
}

/// Why what serves, well as it may, is not what was built last: a cause keeps the newest build from it. A mark of another
/// build alone does not say so: a local backend in its development mode has other bytes too. A cause that is no more than
/// possible leaves it open.
fn not_the_newest(case: &Case<'_>) -> Option<(Status, String, Vec<ObservationId>)> {
    let cause = case.main_cause().filter(|cause| case.of_the_build.contains(cause.id.as_str()))?;
    let shown = cause.evidence_for.iter().flat_map(|argument| argument.evidence.clone()).collect();
    let why = match marker::standing(case, Vantage::Edge) {
        Some((Standing::Other(proof), _)) => proof,
        _ => lower_first(&cause.title),
    };
    Some(if cause.label >= Label::Likely || case.in_a_tie(&cause.id) {
        (Status::Fail, format!("the newest build does not serve: {why}"), shown)
    } else {
        (Status::Unknown, format!("whether the newest build serves is open: {why}"), shown)
    })
}

fn tests(case: &Case<'_>) -> Option<Check> {
    const ID: &str = "tests";
    const TITLE: &str = "Tests passing";
    case.evidence().target.project.as_ref()?;
    let Some((observation, _, run)) = findings::declared_tests(case) else {
        let asked = case.evidence().tests().find(|(_, seen)| seen.purpose == TestPurpose::AsDeclared);
        let (note, evidence) = match asked {
            Some((o, seen)) => (seen.answer.describe(), vec![o.id.clone()]),
            None => ("no test command was found".to_owned(), Vec::new()),
        };
        return check(ID, TITLE, Status::Unknown, note, evidence);
    };
    let evidence = vec![observation.id.clone()];
    let (status, note) = match findings::test_outcome(run) {
        TestOutcome::Passed => {
            (Status::Ok, format!("{} passed", count(run.counts.map_or(0, |c| c.passed) as usize, "test")))
        }
        TestOutcome::Uncollected => {
            let remedy = findings::remedied_tests(case)
                .filter(|(.., run)| findings::test_outcome(run) == TestOutcome::Passed);
            let note = match (run.collection_errors.first(), remedy) {
                (Some(error), Some((_, what, _))) => {
                    format!("{}: {}; it works {what}", error.exception, error.message)
                }
                (Some(error), None) => format!("{}: {}", error.exception, error.message),
                (None, _) => "the tests cannot be loaded".into(),
            };
            (Status::Fail, note)
        }
        TestOutcome::Failed { failed, collected } => {
            (Status::Fail, format!("{failed} of {} fail", count(collected, "test")))
        }
        TestOutcome::NoneRan => (Status::Fail, "no test ran".into()),
        TestOutcome::Stopped => (Status::Fail, "the run did not end by itself".into()),
        TestOutcome::Broken { code } => (Status::Fail, format!("the command ended with exit status {code}")),
    };
    check(ID, TITLE, status, note, evidence)
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{
        Denial, EndpointSource, Observed, ProbeFault, ProjectSnapshot, Seen, SettingRead,
    };

    use crate::Status;
    use crate::testkit::response;
    use crate::testworld::{World, application, deployed, no_deployment, older_build, undeployed, world};

    fn status(world: &World, id: &str) -> Option<Status> {
        world.diagnose().readiness.checks.into_iter().find(|c| c.id == id).map(|c| c.status)
    }

    fn note(world: &World, id: &str) -> String {
        world.diagnose().readiness.checks.into_iter().find(|c| c.id == id).map(|c| c.note).unwrap_or_default()
    }

    type Edit = fn(&mut ProjectSnapshot);

    #[test]
    fn the_deploy_configuration_is_judged_by_address_and_port() {
        let cases: &[(&str, Option<Status>, Edit)] = &[
            ("follows PORT", Some(Status::Ok), |_| {}),
            ("loopback", Some(Status::Fail), |p| {
                p.deploy[0].start.as_mut().expect("a start").bind_host = Some("127.0.0.1".into())
            }),
            ("no shell", Some(Status::Fail), |p| p.deploy[0].start.as_mut().expect("a start").shell = false),
            ("no start command", Some(Status::Unknown), |p| p.deploy[0].start = None),
            ("no configuration", None, |p| p.deploy.clear()),
        ];
        for (name, want, edit) in cases {
            assert_eq!(status(&undeployed().edit_project(edit), "deploy-config"), *want, "{name}");
        }
    }

    #[test]
    fn settings_must_be_present_or_vouched_for() {
        let need = |p: &mut ProjectSnapshot, name: &str| {
            p.settings.read.push(SettingRead {
                name: name.into(),
                place: "a.py:1".into(),
                has_default: false,
            });
            p.settings.declared.push(name.into());
        };
        let present = undeployed();
        assert_eq!(status(&present, "secrets"), Some(Status::Ok));
        assert!(
            note(&present, "secrets").contains("3 of 3 needed settings present"),
            "{}",
            note(&present, "secrets")
        );

        let vouched = undeployed().edit_project(|p| p.settings.present.retain(|n| n != "OPENAI_API_KEY"));
        assert_eq!(status(&vouched, "secrets"), Some(Status::Ok), "the backend says openai_configured: true");
        assert!(note(&vouched, "secrets").contains("OPENAI_API_KEY not visible here"));

        let optional = undeployed().edit_project(|p| need(p, "WHATSAPP_API_URL"));
        assert_eq!(
            status(&optional, "secrets"),
            Some(Status::Ok),
            "the backend does without it, and says so"
        );

        let missing = undeployed().edit_project(|p| need(p, "DATABASE_URL"));
        assert_eq!(status(&missing, "secrets"), Some(Status::Fail));
        assert!(note(&missing, "secrets").contains("not present: DATABASE_URL"));

        let blind = undeployed().edit_project(|p| p.settings.present.clear());
        assert_eq!(status(&blind, "secrets"), Some(Status::Unknown), "nothing is known of the environment");

        let none = undeployed().edit_project(|p| p.settings.read.clear());
        assert_eq!(status(&none, "secrets"), None, "not applicable");
    }

    #[test]
    fn features_are_judged_in_production_first_and_by_the_local_backend_else() {
        assert_eq!(status(&undeployed(), "support-ai"), Some(Status::Ok));
        assert!(note(&undeployed(), "support-ai").contains("on the local backend"));
        assert!(note(&deployed(), "support-ai").contains("in production"));
        let off = |w: World| {
            let body = r#"{"openai_configured":false,"status":"ok","telegram_configured":true,"whatsapp_configured":false}"#;
            w.edit_response("/api/support/health", |r| r.body = response(200).body(body).build().body)
        };
        assert_eq!(
            status(&off(deployed()), "support-ai"),
            Some(Status::Fail),
            "production's own word counts"
        );
        let stale = world(older_build, Some(older_build), false, 5);
        assert_eq!(
            status(&stale, "stripe-webhooks"),
            Some(Status::Ok),
            "counted once, under production-deployed"
        );
        assert_eq!(status(&stale, "production-deployed"), Some(Status::Fail));

        let mut other = undeployed();
        other.0.target.endpoints.retain(|e| e.path == "/health");
        assert_eq!(status(&other, "support-ai"), None);
        assert_eq!(status(&other, "stripe-webhooks"), None);
        assert_eq!(other.diagnose().readiness.total, 7, "what does not apply is not counted");
    }

    #[test]
    fn tests_that_were_left_out_are_unknown_and_not_passed() {
        let mut skipped = deployed();
        for o in &mut skipped.0.observations {
            if let Seen::Tests(seen) = &mut o.seen {
                seen.answer = Observed::Unasked(ProbeFault::Skipped);
            }
        }
        let readiness = skipped.diagnose().readiness;
        assert_eq!(status(&skipped, "tests"), Some(Status::Unknown));
        assert_eq!((readiness.passed, readiness.total, readiness.unknown), (8, 9, 1));
    }

    #[test]
    fn dns_and_certificate_pass_only_when_they_were_seen_good() {
        let refused = deployed().edit_dns(|s| {
            if s.question.name == "api.levqor.ai" {
                s.answer = Observed::Denied(Denial::Rcode(Box::new(crate::testworld::dns_answer(
                    3,
                    true,
                    Vec::new(),
                ))));
            }
        });
        assert_eq!(status(&refused, "dns"), Some(Status::Fail));
        let mismatch = deployed().edit_tls(|h| h.name_matches = false);
        assert_eq!(status(&mismatch, "tls"), Some(Status::Fail));
        let unseen = deployed().without(|o| matches!(o.seen, Seen::Tls(_)));
        assert_eq!(status(&unseen, "tls"), Some(Status::Unknown));
        assert!(note(&deployed(), "tls").contains("the edge's (Cloudflare)"), "{}", note(&deployed(), "tls"));
    }

    #[test]
    fn one_good_endpoint_does_not_make_a_deployment() {
        let guessed = |edge: fn(&str) -> landfall_evidence::HttpResponse| {
            let mut world = world(edge, None, true, 0);
            world.0.target.endpoints.iter_mut().for_each(|e| e.source = EndpointSource::Discovered);
            status(&world, "production-deployed")
        };
        assert_eq!(guessed(application), Some(Status::Ok));
        assert_eq!(guessed(older_build), Some(Status::Fail));
        assert_eq!(guessed(no_deployment), Some(Status::Fail));
    }
}
