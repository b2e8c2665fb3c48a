//! The rows of the acceptance case, on evidence as its worlds give it.

use landfall_evidence::{Denial, Observed, Phase, ProjectSign, ProjectSnapshot, SignWord, Silence, Vantage};

use crate::catalogue::Catalogue;
use crate::facts::{FactKey, Facts};
use crate::testworld::*;
use crate::*;

fn failing(diagnosis: &Diagnosis) -> Vec<&str> {
    diagnosis.readiness.checks.iter().filter(|c| c.status != Status::Ok).map(|c| c.id.as_str()).collect()
}

fn issues(diagnosis: &Diagnosis) -> Vec<(&str, Severity)> {
    let weighty = |f: &&Finding| f.severity >= Severity::Medium;
    diagnosis.findings.iter().filter(weighty).map(|f| (f.code.as_str(), f.severity)).collect()
}

#[test]
fn the_undeployed_world_is_summed_up() {
    let diagnosis = undeployed().diagnose();
    assert_eq!(diagnosis.verdict, Verdict::NotLive, "{}", diagnosis.summary);
    let rows: Vec<(&str, Status, Option<Severity>)> =
        diagnosis.components.iter().map(|c| (c.id.as_str(), c.status, c.severity)).collect();
    assert_eq!(
        rows,
        [
            ("local", Status::Ok, None),
            ("production", Status::Fail, Some(Severity::Critical)),
            ("dns", Status::Ok, None),
            ("tls", Status::Ok, None),
            ("rate-limit", Status::Warn, Some(Severity::Medium)),
            ("tests", Status::Fail, Some(Severity::Medium)),
        ]
    );
    assert_eq!(diagnosis.components[1].headline, "not deployed");
    assert!(diagnosis.summary.contains("does not serve the application"), "{}", diagnosis.summary);
    assert_eq!(diagnosis.causes[0].id, "never-deployed");
    assert!(diagnosis.causes[0].confidence >= 0.9);
    assert!(diagnosis.summary.contains(&diagnosis.causes[0].title), "{}", diagnosis.summary);
    assert_eq!(diagnosis.unexplained, [], "everything is accounted for");
}

#[test]
fn the_undeployed_world_has_three_issues() {
    let diagnosis = undeployed().diagnose();
    let expected = [
        ("LF-HTTP-001", Severity::Critical),
        ("LF-RATE-001", Severity::Medium),
        ("LF-TEST-001", Severity::Medium),
    ];
    assert_eq!(issues(&diagnosis), expected, "{:#?}", diagnosis.findings);
    let [production, limit, tests] = [&diagnosis.findings[0], &diagnosis.findings[1], &diagnosis.findings[2]];
    assert_eq!(production.cause.as_deref(), Some("never-deployed"));
    assert!(production.title.ends_with(": 404 on all 5 endpoints"), "{}", production.title);
    assert!(limit.impact.contains("12 calls"), "{}", limit.impact);
    assert!(tests.title.contains("No module named 'run'") && tests.title.contains("from run import app"));
    for finding in &diagnosis.findings {
        assert!(!finding.evidence.is_empty(), "{} has no proof", finding.code);
        assert!(!finding.impact.is_empty() && !finding.remedy.is_empty(), "{}", finding.code);
        assert!(finding_codes().iter().any(|c| c.code == finding.code), "{}", finding.code);
    }
}

#[test]
fn every_proof_names_an_observation() {
    for world in [undeployed(), deployed(), origin_unknown(), world(hollow, Some(hollow), true, 0)] {
        let diagnosis = world.diagnose();
        let known = |id: &landfall_evidence::ObservationId| world.0.find(id).is_some();
        for finding in &diagnosis.findings {
            assert!(finding.evidence.iter().all(known), "{}: {:?}", finding.code, finding.evidence);
        }
        for check in &diagnosis.readiness.checks {
            assert!(check.evidence.iter().all(known), "{}: {:?}", check.id, check.evidence);
        }
        for specification in &diagnosis.specifications {
            assert!(specification.evidence.iter().all(known), "{}", specification.name);
        }
    }
}

#[test]
fn the_way_is_drawn_with_the_broken_hop() {
    let diagnosis = undeployed().diagnose();
    let hops: Vec<(HopKind, Option<&str>, HopState)> =
        diagnosis.path.iter().map(|h| (h.hop, h.vendor.as_deref(), h.state)).collect();
    assert_eq!(
        hops,
        [
            (HopKind::Client, None, HopState::Ok),
            (HopKind::Edge, Some("Cloudflare"), HopState::Ok),
            (HopKind::Platform, Some("Google (Replit)"), HopState::Broken),
            (HopKind::App, Some("Flask"), HopState::NotReached),
        ]
    );
    let proof = |i: usize| diagnosis.path[i].proof.join("; ");
    assert!(
        proof(1).contains("cf-ray") && proof(1).contains("104.21.14.105 belongs to Cloudflare"),
        "{}",
        proof(1)
    );
    assert_eq!(diagnosis.path[1].address.as_deref(), Some("104.21.14.105"));
    assert!(
        proof(2).contains("via: 1.1 google") && proof(2).contains("levqor-backend.replit.app"),
        "{}",
        proof(2)
    );
    assert!(proof(3).contains("404 text/html") && proof(3).contains("404 text/plain"), "{}", proof(3));

    let whole = deployed().diagnose();
    assert!(whole.path.iter().all(|h| h.state == HopState::Ok), "{:#?}", whole.path);
    let app = whole.path.last().expect("an application");
    assert!(app.proof.iter().any(|p| p.contains("ok and ts")), "{:?}", app.proof);

    let hollow = world(hollow, Some(hollow), true, 0).diagnose();
    assert_eq!(
        hollow.path.last().map(|h| h.state),
        Some(HopState::Broken),
        "the application itself answers 500"
    );
}

#[test]
fn the_rate_limit_section_has_figures() {
    let limit = undeployed().diagnose().rate_limit.expect("it was probed");
    assert_eq!(limit.limit.and_then(|l| l.exact()), Some(5));
    assert_eq!(limit.hop.as_deref(), Some("edge (Cloudflare)"));
    assert_eq!(limit.signal.as_deref(), Some("HTTP 429 with Retry-After: 10"));
    assert_eq!(limit.statuses.last().map(String::as_str), Some("429"));
    assert_eq!(limit.requests_counted as usize, limit.statuses.len());
    assert_eq!(limit.impact.len(), 6);
    let hits: Vec<String> = limit.uses.iter().map(|held| held.hit.to_string()).collect();
    assert_eq!(hits, ["never", "never", "always", "always", "perhaps", "always"], "{:#?}", limit.impact);
    let recommendation = limit.recommendation.expect("it is too low");
    assert!(
        recommendation.contains("at least 12 requests in 10 s") && recommendation.contains("/health"),
        "{recommendation}"
    );

    assert_eq!(limit.settings.map(|settings| settings.limiter).as_deref(), Some("Cloudflare"));

    let quiet = deployed().diagnose().rate_limit.expect("it was probed");
    assert!(quiet.signal.is_none() && quiet.recommendation.is_none() && quiet.impact.is_empty());
}

#[test]
fn readiness_counts_the_nine_checks() {
    let ids = [
        "local-backend",
        "support-ai",
        "stripe-webhooks",
        "dns",
        "tls",
        "deploy-config",
        "secrets",
        "production-deployed",
        "tests",
    ];
    let diagnosis = undeployed().diagnose();
    assert_eq!(diagnosis.readiness.checks.iter().map(|c| c.id.as_str()).collect::<Vec<_>>(), ids);
    assert_eq!(
        (diagnosis.readiness.passed, diagnosis.readiness.total, diagnosis.readiness.unknown),
        (7, 9, 0)
    );
    assert_eq!(failing(&diagnosis), ["production-deployed", "tests"]);

    let whole = deployed().diagnose();
    assert_eq!((whole.readiness.passed, whole.readiness.total), (9, 9), "{:?}", failing(&whole));
}

#[test]
fn actions_say_what_they_clear_alone() {
    let diagnosis = undeployed().diagnose();
    let list: Vec<(Priority, &str)> =
        diagnosis.actions.iter().map(|a| (a.priority, a.because.as_str())).collect();
    assert_eq!(list.len(), 5, "{list:?}");
    let [deploy, tests, limit, watch, document] = diagnosis.actions.as_slice() else {
        unreachable!("five, as counted")
    };
    assert_eq!((deploy.priority, deploy.because.as_str()), (Priority::P0, "never-deployed"));
    assert_eq!(deploy.clears, ["production-deployed"], "deploying alone does not mend the tests");
    assert!(deploy.steps.iter().any(|s| s.contains("publish")), "{:?}", deploy.steps);
    assert_eq!((tests.priority, tests.clears.as_slice()), (Priority::P1, ["tests".to_owned()].as_slice()));
    assert_eq!(
        tests.tried,
        Tried::Works {
            seen: "9 tests collected, 9 passed with the project folder on the import path".into()
        }
    );
    assert_eq!(tests.commands, ["PYTHONPATH=. pytest tests/ --tb=short -q"]);
    assert_eq!((limit.priority, limit.clears.len()), (Priority::P1, 0));
    assert_eq!(watch.priority, Priority::P2);
    assert!(watch.steps[0].contains("every 5 minutes") && watch.steps[0].contains("3 consecutive failures"));
    assert_eq!(document.priority, Priority::P2);
    assert!(document.steps[0].contains("Cloudflare → Google (Replit)"), "{}", document.steps[0]);
}

#[test]
fn a_main_function_that_is_down_is_urgent_and_one_action() {
    let diagnosis = world(hollow, Some(hollow), true, 0).diagnose();
    let urgent: Vec<&Action> = diagnosis.actions.iter().filter(|a| a.priority < Priority::P2).collect();
    assert_eq!(urgent.len(), 1, "{urgent:#?}");
    assert_eq!((urgent[0].priority, urgent[0].because.as_str()), (Priority::P0, "health-check-too-shallow"));
    assert_eq!(urgent[0].clears, ["production-deployed"]);
}

#[test]
fn verification_is_runnable_and_ends_with_the_pace() {
    let diagnosis = undeployed().diagnose();
    let gets: Vec<&VerificationProbe> = diagnosis.verification.iter().map(|v| &v.probe).collect();
    assert_eq!(gets.len(), 5, "four endpoints that may be asked, and the pace");
    let VerificationProbe::Get { url, status, content_type, json_keys } = gets[1] else { panic!("a GET") };
    assert_eq!(url, "https://api.levqor.ai/api/support/health");
    assert_eq!((status.as_slice(), content_type.as_deref()), ([200].as_slice(), Some("application/json")));
    assert_eq!(
        json_keys,
        &["openai_configured", "status", "telegram_configured", "whatsapp_configured"],
        "from what the local backend answers today"
    );
    let VerificationProbe::Pace { url, requests, every_ms, status } = gets[4] else { panic!("the pace") };
    assert_eq!((url.as_str(), *requests, *every_ms), ("https://api.levqor.ai/health", 10, 1000));
    assert_eq!(status.as_slice(), [200]);
    assert!(diagnosis.verification.iter().all(|v| v.request.contains("curl")));
}

#[test]
fn specifications_list_the_stack_and_its_gaps() {
    let value = |diagnosis: &Diagnosis, name: &str| {
        diagnosis.specifications.iter().find(|s| s.name == name).map(|s| s.value.clone()).unwrap_or_default()
    };
    let diagnosis = undeployed().diagnose();
    for (name, want) in [
        ("Framework", "Flask 3.0.0"),
        ("Server", "gunicorn 22.0.0"),
        ("Workers", "2 (set by GUNICORN_WORKERS)"),
        ("Threads", "4 per worker (set by GUNICORN_THREADS)"),
        ("Timeout", "30 s (set by GUNICORN_TIMEOUT)"),
        ("Runtime", "Python 3.11.13 here (the project asks for 3.11)"),
        ("CDN", "Cloudflare"),
        ("Certificate issuer", "Google Trust Services"),
        ("HTTP versions", "HTTP/1.1, HTTP/2, HTTP/3"),
        ("IPv6", "yes, 2 AAAA records; answers"),
    ] {
        assert_eq!(value(&diagnosis, name), want, "{name}");
    }
    assert!(value(&diagnosis, "Schedulers").contains("22 jobs registered in the code"));

    let mut bare = deployed().without(|o| o.vantage == Vantage::Workspace);
    bare.0.target.project = None;
    let diagnosis = bare.diagnose();
    assert_eq!(value(&diagnosis, "Framework"), "not known: no project folder was given");
    assert_eq!(value(&diagnosis, "CDN"), "Cloudflare");
}

#[test]
fn the_deployed_world_is_live() {
    let diagnosis = deployed().diagnose();
    assert_eq!(diagnosis.verdict, Verdict::Live, "{} {:?}", diagnosis.summary, diagnosis.unexplained);
    assert!(diagnosis.causes.is_empty(), "{:?}", diagnosis.causes.iter().map(|c| &c.id).collect::<Vec<_>>());
    assert_eq!(issues(&diagnosis), []);
    assert!(diagnosis.unexplained.is_empty());
    assert!(diagnosis.actions.iter().all(|a| a.priority == Priority::P2));
}

#[test]
fn each_world_gets_its_verdict() {
    let tie = origin_unknown().diagnose();
    assert_eq!(tie.verdict, Verdict::NotLive);
    let tied: Vec<&str> = tie.ties.iter().flat_map(|t| &t.causes).map(String::as_str).collect();
    assert!(tied.contains(&"never-deployed") && tied.contains(&"domain-not-attached"), "{tied:?}");
    assert!(
        tie.actions[0].priority == Priority::P0 && tie.actions[0].clears.is_empty(),
        "{:?}",
        tie.actions[0]
    );
    assert!(
        tie.components[1].headline.contains("not deployed")
            && tie.components[1].headline.contains("not attached")
    );

    let cases = [
        (
            "host-unbound",
            world(no_deployment, Some(application), false, 5),
            Verdict::NotLive,
            vec!["production-deployed", "tests"],
        ),
        (
            "stale-build",
            world(older_build, Some(older_build), false, 5),
            Verdict::Degraded,
            vec!["production-deployed", "tests"],
        ),
        (
            "wrong-app",
            world(website, Some(application), false, 5),
            Verdict::NotLive,
            vec!["production-deployed", "tests"],
        ),
        (
            "hollow-green",
            world(hollow, Some(hollow), true, 0),
            Verdict::Degraded,
            vec!["production-deployed"],
        ),
        ("deployed, limited", world(application, Some(application), true, 5), Verdict::Live, vec![]),
        (
            "deployed, tests broken",
            world(application, Some(application), false, 0),
            Verdict::Live,
            vec!["tests"],
        ),
        (
            "tests fixed",
            world(no_deployment, Some(no_deployment), true, 5),
            Verdict::NotLive,
            vec!["production-deployed"],
        ),
    ];
    for (name, world, verdict, checks) in cases {
        let diagnosis = world.diagnose();
        assert_eq!(diagnosis.verdict, verdict, "{name}: {} {:?}", diagnosis.summary, diagnosis.unexplained);
        assert_eq!(failing(&diagnosis), checks, "{name}");
        assert_eq!(diagnosis.readiness.total, 9, "{name}");
        assert!(diagnosis.unexplained.is_empty(), "{name}: {:?}", diagnosis.unexplained);
        if verdict != Verdict::Live {
            assert!(diagnosis.findings[0].severity >= Severity::High, "{name}: {:?}", diagnosis.findings[0]);
        }
    }
}

#[test]
fn nothing_is_green_over_something_unexplained() {
    let mut odd = deployed();
    let answer = testkit::response(418).header("server", "cloudflare").build();
    odd.http(Vantage::Edge, landfall_evidence::Purpose::Version, "/health", Observed::Present(answer));
    let diagnosis = odd.diagnose();
    assert_eq!(diagnosis.verdict, Verdict::Degraded, "{}", diagnosis.summary);
    assert_eq!(diagnosis.unexplained.len(), 1, "{:?}", diagnosis.unexplained);
    assert!(diagnosis.unexplained[0].what.contains("answered 418"));
    assert!(diagnosis.summary.contains("unexplained"), "{}", diagnosis.summary);
}

#[test]
fn nothing_seen_is_not_fine() {
    let mut blind = deployed().without(|o| o.vantage != Vantage::Workspace);
    let diagnosis = blind.diagnose();
    assert_eq!(diagnosis.verdict, Verdict::Unknown, "{}", diagnosis.summary);
    for id in ["production", "dns", "tls", "rate-limit", "local"] {
        let row = diagnosis.components.iter().find(|c| c.id == id).expect("all six rows are always there");
        assert_eq!(row.status, Status::Unknown, "{id}");
        assert!(row.headline.contains("not asked"), "{id}: {}", row.headline);
    }
    let unknown =
        |id: &str| diagnosis.readiness.checks.iter().any(|c| c.id == id && c.status == Status::Unknown);
    assert!(unknown("production-deployed") && unknown("dns") && unknown("tls"), "{:?}", diagnosis.readiness);
    assert_eq!(diagnosis.readiness.passed + diagnosis.readiness.unknown, diagnosis.readiness.total);

    blind.0.target.production = None;
    blind.0.target.local = None;
    let diagnosis = blind.diagnose();
    assert_eq!(diagnosis.verdict, Verdict::Unknown);
    assert!(diagnosis.path.is_empty() && diagnosis.verification.is_empty());
    assert!(
        diagnosis.readiness.checks.iter().all(|c| c.id != "local-backend" && c.id != "dns"),
        "not applicable"
    );
}

#[test]
fn silence_counts_only_when_this_machine_hears_anything() {
    let silent = |seen: &mut landfall_evidence::HttpObservation| {
        seen.answer = Observed::Silent(Silence { phase: Phase::Connect, waited_us: 5_000_000 });
    };
    let heard = deployed().edit_http(silent);
    assert_eq!(
        heard.diagnose().verdict,
        Verdict::NotLive,
        "DNS and TLS answered, so the silence is production's"
    );
    let deaf = deployed()
        .without(|o| {
            matches!(
                o.seen,
                landfall_evidence::Seen::Dns(_)
                    | landfall_evidence::Seen::Tls(_)
                    | landfall_evidence::Seen::RateLimit(_)
            ) || o.vantage == Vantage::Origin
        })
        .edit_http(silent);
    let diagnosis = deaf.diagnose();
    assert_eq!(diagnosis.verdict, Verdict::Unknown, "{}", diagnosis.summary);

    let refused = deployed().edit_http(|seen| seen.answer = Observed::Denied(Denial::Refused));
    let diagnosis = refused.diagnose();
    assert_eq!(diagnosis.verdict, Verdict::NotLive);
    assert_eq!(diagnosis.path[1].state, HopState::Broken, "{:#?}", diagnosis.path);
}

#[test]
fn the_same_evidence_gives_the_same_bytes() {
    let world = undeployed();
    let text = |d: &Diagnosis| serde_json::to_string(d).expect("it serialises");
    let first = text(&world.diagnose());
    assert_eq!(first, text(&world.diagnose()));
    let replayed = landfall_evidence::Evidence::from_json(&world.0.to_json()).expect("it reads back");
    assert_eq!(first, text(&diagnose(&replayed, Catalogue::embedded())));
}

/// A world as an audit without any configuration sees it: guessed paths, nothing else known.
fn zero_configuration(mut world: World) -> World {
    use landfall_evidence::{Endpoint, EndpointSource, Expectation, Purpose, Seen};
    let keep = |o: &landfall_evidence::Observation| match &o.seen {
        Seen::Http(seen) => {
            o.vantage == Vantage::Edge
                && (seen.request.path == "/health" || seen.request.purpose == Purpose::Control)
        }
        Seen::Project(_) | Seen::Tests(_) | Seen::RateLimit(_) | Seen::Door(_) | Seen::Log(_) => false,
        Seen::Dns(_) | Seen::Rdap(_) | Seen::Tls(_) | Seen::TlsSurvey(_) => o.vantage == Vantage::Edge,
    };
    let edge = world.0.http_at(Vantage::Edge, Purpose::Control, CONTROL).map(|(_, s)| s.answer.clone());
    world = world.without(|o| !keep(o));
    world.0.target.local = None;
    world.0.target.origin = None;
    world.0.target.project = None;
    world.0.target.endpoints = ["/", "/health", "/healthz"]
        .map(|path| Endpoint {
            method: "GET".into(),
            path: path.into(),
            source: EndpointSource::Guessed,
            core: false,
            expect: Expectation::default(),
        })
        .into();
    for path in ["/", "/healthz"] {
        world.http(Vantage::Edge, Purpose::Endpoint, path, edge.clone().expect("the control was asked"));
    }
    world
}

#[test]
fn without_any_configuration_only_what_was_seen_is_said() {
    let live = zero_configuration(deployed()).diagnose();
    assert_eq!(live.verdict, Verdict::Live, "{} {:?}", live.summary, live.unexplained);
    let down = zero_configuration(undeployed()).diagnose();
    assert_eq!(
        down.verdict,
        Verdict::Unknown,
        "these bytes are known from two kinds of hop: {}",
        down.summary
    );
    assert_eq!(down.actions[0].title, "Tell which endpoints matter");
    assert!(down.path.iter().all(|h| h.state != HopState::Broken));
}

#[test]
fn with_any_answer_missing_nothing_false_is_said() {
    use landfall_evidence::Seen;
    for (world, never) in [(undeployed(), Verdict::Live), (deployed(), Verdict::NotLive)] {
        for n in 0..world.0.observations.len() {
            let mut less = world.clone();
            let gone = less.0.observations.remove(n);
            if matches!(gone.seen, Seen::Project(_) | Seen::Tests(_)) || gone.vantage == Vantage::Local {
                continue;
            }
            let diagnosis = less.diagnose();
            assert_ne!(diagnosis.verdict, never, "without {}: {}", gone.id, diagnosis.summary);
            let count =
                |status| diagnosis.readiness.checks.iter().filter(|c| c.status == status).count() as u32;
            assert_eq!(diagnosis.readiness.passed, count(Status::Ok), "without {}", gone.id);
            assert_eq!(diagnosis.readiness.unknown, count(Status::Unknown), "without {}", gone.id);
        }
    }
}

/// A fault that shows in no answer is named, with its remedy, and production stays what it is seen to be.
#[test]
fn a_fault_that_no_answer_shows_is_named_beside_a_live_production() {
    for (sign, cause, remedy) in [
        (SignWord::WorkerNotDeployed, "dependency-service-missing", "worker"),
        (SignWord::ExitsOnSignal, "no-graceful-shutdown", "SIGTERM"),
    ] {
        let add = |p: &mut ProjectSnapshot| p.signs.push(ProjectSign::new(sign, "a.yml:1", "what is wrong"));
        let diagnosis = deployed().edit_project(add).diagnose();
        assert_eq!(diagnosis.verdict, Verdict::Live, "{cause}: {}", diagnosis.summary);
        assert_eq!(diagnosis.causes.first().map(|c| (c.id.as_str(), c.label)), Some((cause, Label::Likely)));
        let all = format!("{:?}", diagnosis.actions);
        assert!(all.contains(remedy), "the remedy of {cause} is among the actions: {all}");
        // Where something fails, it is weighed with the failure like any other sign.
        let facts = Facts::derive(&undeployed().edit_project(add).0, Catalogue::embedded());
        assert!(facts.of(FactKey::ProjectDefect).next().is_none());
    }
}

/// What the next deployment is refused for is named while production is well, and breaks nothing on the way.
#[test]
fn a_lock_file_out_of_step_is_named_beside_a_live_production() {
    let out_of_step = |p: &mut ProjectSnapshot| {
        let detail = "undici: not in the lock file (package-lock.json)";
        p.signs.push(ProjectSign::new(SignWord::LockOutOfStep, "package-lock.json", detail));
    };
    let diagnosis = deployed().edit_project(out_of_step).diagnose();
    assert_eq!(diagnosis.verdict, Verdict::Live, "{}", diagnosis.summary);
    let named: Vec<(&str, Label)> = diagnosis.causes.iter().map(|c| (c.id.as_str(), c.label)).collect();
    assert_eq!(named, [("lockfile-out-of-sync", Label::Likely)]);
    assert_eq!(diagnosis.first_broken.as_deref(), Some("project"), "and nothing on the way");
    let all: String = format!("{:?}", diagnosis.actions);
    assert!(all.contains("lock"), "the remedy is among the actions: {all}");
    // Where production fails, the folder's fault is weighed with the failure and is no symptom of its own.
    let failing = undeployed().edit_project(out_of_step);
    let facts = Facts::derive(&failing.0, Catalogue::embedded());
    assert!(facts.of(FactKey::ProjectDefect).next().is_none());
}
