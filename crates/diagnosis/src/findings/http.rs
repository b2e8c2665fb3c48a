//! What the HTTP exchanges under the public name and the platform's own name show.

use landfall_evidence::{EndpointSource, HttpResponse, Observation, ObservationId, Vantage};
use serde_json::Value;

use super::{codes, raise, with_severity};
use crate::attribution;
use crate::case::Case;
use crate::signatures::Meaning;
use crate::thresholds;
use crate::view::{Fault, Reading, faults_in_words, is_json, json, keys};
use crate::words::{all_of, in_words};
use crate::{Finding, Severity};

/// How the title of [`codes::HTTP_NOT_SERVED`] begins until a cause takes its place.
pub(super) const FAILS: &str = "Production fails: ";
pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(not_served_at_the_edge(case));
    found.extend(not_served_at_the_origin(case));
    found.extend(control(case));
    found.extend(shape(case));
    found.extend(challenged(case));
    found.extend(debug_pages(case));
    found.extend(features_off(case));
    found.extend(slow(case));
    found
}

pub(super) fn ids_of(readings: &[&Reading<'_>]) -> Vec<ObservationId> {
    readings.iter().filter_map(|r| r.id().cloned()).collect()
}

fn is_kind(reading: &Reading<'_>, kind: fn(&Fault) -> bool) -> bool {
    reading.fault().is_some_and(kind)
}

/// How bad it is that these of the endpoints are not served.
fn weight_of(bad: &[&Reading<'_>], total: usize) -> Severity {
    if bad.len() == total {
        Severity::Critical
    } else if bad.iter().any(|r| r.endpoint.core || r.endpoint.source == EndpointSource::Declared)
        || bad.len() * 2 > total
    {
        Severity::High
    } else {
        Severity::Medium
    }
}

fn not_served_at_the_edge(case: &Case<'_>) -> Vec<Finding> {
    let readings = case.view.readings(Vantage::Edge);
    let total = readings.len();
    let bad: Vec<&Reading<'_>> = readings.iter().copied().filter(|r| r.fault().is_some()).collect();
    let mut found = Vec::new();
    let html: Vec<&Reading<'_>> = bad.iter().copied().filter(|r| is_kind(r, |f| *f == Fault::Html)).collect();
    let failing: Vec<&Reading<'_>> =
        bad.iter().copied().filter(|r| is_kind(r, |f| matches!(f, Fault::SaysFailing(_)))).collect();
    let other: Vec<&Reading<'_>> = bad
        .iter()
        .copied()
        .filter(|r| !is_kind(r, |f| *f == Fault::Html || matches!(f, Fault::SaysFailing(_))))
        .collect();
    let all = !case.view.serves(Vantage::Edge);
    let impact = |group: &[&Reading<'_>]| {
        if all {
            "No client gets an answer from the application: production is down for everybody.".to_owned()
        } else if group.iter().any(|r| r.endpoint.core) {
            "The main function fails for every client, while other endpoints work.".to_owned()
        } else {
            "Clients of these endpoints fail.".to_owned()
        }
    };
    // When nothing is good, each group is part of one total outage.
    let severity = |group: &[&Reading<'_>]| if all { Severity::Critical } else { weight_of(group, total) };
    if !other.is_empty() {
        found.push(with_severity(
            raise(
                &codes::HTTP_NOT_SERVED,
                format!("{FAILS}{}", faults_in_words(&other, total)),
                impact(&other),
                remedy_for_not_served(case, &other),
                ids_of(&other),
            ),
            severity(&other),
        ));
    }
    if !html.is_empty() {
        found.push(with_severity(
            raise(
                &codes::HTTP_HTML_FOR_JSON,
                format!("Production answers with {}", faults_in_words(&html, total)),
                impact(&html),
                "Point the name at the API's own deployment, and have monitors check the media type and a key of the body.",
                ids_of(&html),
            ),
            severity(&html),
        ));
    }
    if !failing.is_empty() {
        found.push(raise(
            &codes::HTTP_SAYS_FAILING,
            format!("Production answers with {}", faults_in_words(&failing, total)),
            "Monitors and balancers that read the status alone take it for healthy.",
            "Repair what the body names, and answer 503 while it lasts.",
            ids_of(&failing),
        ));
    }
    found
}

fn remedy_for_not_served(case: &Case<'_>, bad: &[&Reading<'_>]) -> String {
    if let Some(tie) = case.main_cause().and_then(|cause| case.tie_of(&cause.id)) {
        return format!("First find out which it is: {}", tie.separate.ask);
    }
    match bad.iter().find_map(|r| r.at).map(|(o, _)| &o.by_hand) {
        Some(command) => format!("Repeat it by hand ({command}) and read the log of the hop that answered."),
        None => "Repeat it by hand and read the log of the hop that answered.".into(),
    }
}

/// What fails under the platform's own name too belongs to the same fault, so it is only noted.
fn not_served_at_the_origin(case: &Case<'_>) -> Option<Finding> {
    let readings = case.view.readings(Vantage::Origin);
    let total = readings.len();
    let bad: Vec<&Reading<'_>> = readings.into_iter().filter(|r| r.fault().is_some()).collect();
    (!bad.is_empty()).then(|| {
        raise(
            &codes::HTTP_ORIGIN_NOT_SERVED,
            format!("The platform's own name fails too: {}", faults_in_words(&bad, total)),
            if case.view.serves(Vantage::Edge) {
                "Whoever uses that name fails; the public name is what counts."
            } else {
                "The fault lies in the deployment, not in the custom domain or the edge."
            },
            "Repair the deployment first, then look at the public name again.",
            ids_of(&bad),
        )
    })
}

/// What a path that nobody defined is answered with.
fn control(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    let Some((observation, control)) = case.view.control(Vantage::Edge) else { return found };
    let proof = vec![observation.id.clone()];
    let readings = case.view.readings(Vantage::Edge);
    let alike: Vec<&Reading<'_>> = readings
        .iter()
        .copied()
        .filter(|r| !r.is_good() && r.response().is_some_and(|response| same_answer(response, control)))
        .collect();
    if !alike.is_empty() && alike.len() == readings.len() {
        let mut evidence = proof.clone();
        evidence.extend(ids_of(&alike));
        found.push(raise(
            &codes::HTTP_CONTROL_ALIKE,
            format!("A path that nobody defined gets the same {} as {}", control.status, all_of(alike.len(), "endpoint")),
            "Whatever answers does not look at the path: it is not the application, or it has none of these routes.",
            "Find out which hop answers before changing any route.",
            evidence,
        ));
    }
    if (200..300).contains(&control.status) {
        found.push(raise(
            &codes::HTTP_SOFT_404,
            format!("A path that nobody defined is answered {}", control.status),
            "A success status alone proves nothing here; a missing route looks like a working one.",
            "Answer 404 for unknown paths, at least below the API's prefix.",
            proof,
        ));
    } else if control.status >= 500
        && !case.view.is_refusal(&observation.id)
        && case.view.serves(Vantage::Edge)
    {
        found.push(raise(
            &codes::HTTP_MASKED_404,
            format!("A path that nobody defined is answered {}", control.status),
            "A missing route looks like a crash, and strangers' requests raise the error rate.",
            "Let the framework's own HTTP errors (404, 405) pass the catch-all error handler.",
            proof,
        ));
    }
    found
}

/// Whether two answers are the same as far as a router's fixed page goes.
fn same_answer(a: &HttpResponse, b: &HttpResponse) -> bool {
    a.status == b.status && a.media_type() == b.media_type() && a.body.sha256 == b.body.sha256
}

/// Members that the local backend sends and production does not.
fn shape(case: &Case<'_>) -> Option<Finding> {
    let mut words = Vec::new();
    let mut evidence = Vec::new();
    for edge in case.view.readings(Vantage::Edge).into_iter().filter(|r| r.is_good()) {
        let Some(local) = case.view.reading(Vantage::Local, edge.endpoint).filter(|r| r.is_good()) else {
            continue;
        };
        let (Some(here), Some(there)) = (local.response().and_then(keys), edge.response().and_then(keys))
        else {
            continue;
        };
        let missing: Vec<String> = here.into_iter().filter(|key| !there.contains(key)).collect();
        if !missing.is_empty() {
            words.push(format!("{} lacks {}", edge.endpoint.path, in_words(&missing)));
            evidence.extend([edge.id(), local.id()].into_iter().flatten().cloned());
        }
    }
    (!words.is_empty()).then(|| {
        raise(
            &codes::HTTP_SHAPE,
            format!("Production's JSON is not the local backend's: {}", in_words(&words)),
            "Clients written against the local backend fail; usually an older build is live.",
            "Compare the deployed build with the checked-out commit, and deploy.",
            evidence,
        )
    })
}

fn challenged(case: &Case<'_>) -> Option<Finding> {
    let readings = case.view.readings(Vantage::Edge);
    let stopped: Vec<(&Reading<'_>, &str)> = readings
        .iter()
        .filter(|r| matches!(r.meaning, Some(Meaning::WafChallenge | Meaning::WafBlocked)))
        .filter_map(|r| Some((*r, attribution::author(r.response()?, case.catalogue())?.vendor)))
        .collect();
    let (_, vendor) = stopped.first()?;
    let paths: Vec<&str> = stopped.iter().map(|(r, _)| r.endpoint.path.as_str()).collect();
    let finding = raise(
        &codes::HTTP_CHALLENGED,
        format!(
            "A security rule of {} answers in place of the application on {}",
            attribution::vendor_name(vendor),
            in_words(&paths)
        ),
        "Programs cannot pass it: if it is not meant for this audit alone, API clients are shut out. Nothing is known of the application behind it.",
        "Except the API's paths from the challenge, or allow this audit's User-Agent, and ask again.",
        ids_of(&stopped.iter().map(|(r, _)| *r).collect::<Vec<_>>()),
    );
    Some(if stopped.len() == readings.len() { with_severity(finding, Severity::High) } else { finding })
}

fn debug_pages(case: &Case<'_>) -> Option<Finding> {
    let exposing: Vec<(&Observation, &str)> = case
        .evidence()
        .http()
        .filter(|(o, _)| matches!(o.vantage, Vantage::Edge | Vantage::Origin))
        .filter_map(|(o, seen)| {
            let author = attribution::author(seen.answer.present()?, case.catalogue())?;
            (author.meaning == Meaning::DebugMode).then_some((o, author.vendor))
        })
        .collect();
    let (_, vendor) = exposing.first()?;
    Some(raise(
        &codes::HTTP_DEBUG,
        format!("A development error page of {} is exposed", attribution::vendor_name(vendor)),
        "It shows source code and settings to everybody, and may run commands.",
        "Turn debug mode off in production.",
        exposing.iter().map(|(o, _)| o.id.clone()).collect(),
    ))
}

/// Members such as `"whatsapp_configured": false`, from production where it answers, else from the local backend.
fn features_off(case: &Case<'_>) -> Option<Finding> {
    let vantage = if case.view.serves(Vantage::Edge) { Vantage::Edge } else { Vantage::Local };
    let mut names = Vec::new();
    let mut evidence = Vec::new();
    for reading in case.view.readings(vantage).into_iter().filter(|r| r.is_good()) {
        let Some(Value::Object(body)) = reading.response().and_then(json) else { continue };
        let before = names.len();
        names.extend(
            body.iter()
                .filter(|(_, v)| **v == Value::Bool(false))
                .filter_map(|(k, _)| Some(k.strip_suffix("_configured")?.to_owned())),
        );
        if names.len() > before {
            evidence.extend(reading.id().cloned());
        }
    }
    (!names.is_empty()).then(|| {
        raise(
            &codes::HTTP_FEATURE_OFF,
            format!(
                "Not configured ({}): {}",
                if vantage == Vantage::Edge { "production" } else { "local backend" },
                in_words(&names)
            ),
            "That feature does nothing.",
            "Set its settings if the feature is wanted.",
            evidence,
        )
    })
}

fn slow(case: &Case<'_>) -> Option<Finding> {
    let slow: Vec<(&Reading<'_>, u64)> = case
        .view
        .readings(Vantage::Edge)
        .into_iter()
        .filter_map(|r| Some((r, r.at?.1.timings.wait_us?)))
        .filter(|(r, wait)| r.response().is_some() && *wait > case.limit(&thresholds::COLD_WAIT) * 1000)
        .collect();
    let worst = slow.iter().map(|(_, wait)| *wait).max()?;
    Some(raise(
        &codes::HTTP_SLOW,
        format!("The first byte took {:.1} s {}", worst as f64 / 1e6, case.source(&thresholds::COLD_WAIT)),
        "Clients with short timeouts give up; webhooks are sent twice.",
        "Repeat it: if the second request is fast, keep an instance awake; if not, profile the endpoint.",
        ids_of(&slow.iter().map(|(r, _)| *r).collect::<Vec<_>>()),
    ))
}

/// Whether an answer is JSON, for the description of an application's own style.
pub(super) fn style(response: &HttpResponse) -> String {
    if is_json(response) {
        return "JSON".into();
    }
    match response.media_type() {
        Some(media_type) => format!("{} bytes of {media_type}", response.body.byte_count),
        None => format!("{} bytes without a media type", response.body.byte_count),
    }
}

#[cfg(test)]
mod tests {
    use landfall_evidence::{Denial, Header, HttpVersion, Observed, Phase, Purpose, Silence};

    use super::*;
    use crate::testkit::response as build;
    use crate::testworld::{
        application, deployed, hollow, no_deployment, older_build, undeployed, website, world,
    };
    use crate::{Verdict, testworld::World};

    fn codes(world: &World) -> Vec<(String, Severity)> {
        let all = world.diagnose().findings;
        all.into_iter().filter(|f| f.code.starts_with("LF-HTTP-")).map(|f| (f.code, f.severity)).collect()
    }

    fn set(response: &mut HttpResponse, name: &str, value: &str) {
        response.headers.retain(|h| h.name != name);
        response.headers.push(Header { name: name.into(), value: value.into() });
    }

    /// The findings that an edit adds to the deployed world.
    fn added(edit: impl Fn(World) -> World) -> Vec<(String, Severity)> {
        let usual = codes(&deployed());
        codes(&edit(deployed())).into_iter().filter(|f| !usual.contains(f)).collect()
    }

    #[test]
    fn a_whole_production_has_only_remarks() {
        let usual: Vec<String> = codes(&deployed()).into_iter().map(|(code, _)| code).collect();
        let want = ["LF-HTTP-028", "LF-HTTP-012", "LF-HTTP-020"];
        assert_eq!(usual, want, "301 on port 80, no HSTS, and WhatsApp is not configured");
    }

    #[test]
    fn what_is_not_served_weighs_by_what_is_left() {
        let of = |edge: fn(&str) -> HttpResponse| {
            let found = world(edge, None, true, 0).diagnose().findings;
            found
                .into_iter()
                .find(|f| matches!(f.code.as_str(), "LF-HTTP-001" | "LF-HTTP-003"))
                .map(|f| (f.code, f.severity))
        };
        assert_eq!(of(no_deployment), Some(("LF-HTTP-001".into(), Severity::Critical)));
        assert_eq!(of(website), Some(("LF-HTTP-003".into(), Severity::Critical)));
        assert_eq!(of(hollow), Some(("LF-HTTP-001".into(), Severity::High)), "the main function");
        assert_eq!(of(older_build), Some(("LF-HTTP-001".into(), Severity::High)), "declared endpoints");
        assert_eq!(of(application), None);
    }

    #[test]
    fn one_finding_a_vantage_names_all_paths() {
        let diagnosis = world(older_build, None, true, 0).diagnose();
        let found: Vec<_> = diagnosis.findings.iter().filter(|f| f.code == "LF-HTTP-001").collect();
        assert_eq!(found.len(), 1);
        assert!(
            found[0]
                .title
                .contains("/api/webhooks/stripe/health and /api/webhooks/stripe/checkout-completed"),
            "{}",
            found[0].title
        );
        assert_eq!(found[0].evidence.len(), 2);
    }

    #[test]
    fn the_origin_and_the_control_are_noted_below_the_main_finding() {
        let got = codes(&undeployed());
        assert!(got.contains(&("LF-HTTP-002".into(), Severity::Low)), "{got:?}");
        assert!(got.contains(&("LF-HTTP-004".into(), Severity::Low)), "{got:?}");
        let unbound = world(no_deployment, Some(application), false, 5).diagnose();
        let has = |code: &str| unbound.findings.iter().any(|f| f.code == code);
        assert!(has("LF-PATH-002") && !has("LF-HTTP-002"));
        assert!(has("LF-PATH-001"), "the application never saw the request");
    }

    type Case = (&'static str, &'static [(&'static str, Severity)], fn(World) -> World);

    #[test]
    fn each_http_rule_fires_on_its_own_fault_alone() {
        use Severity::{High, Info, Low, Medium};
        let cases: &[Case] = &[
            ("an older shape", &[("LF-HTTP-005", Medium)], |w| {
                w.edit_response("/api/support/health", |r| {
                    *r = with_body(r, r#"{"openai_configured":true,"whatsapp_configured":false}"#)
                })
            }),
            ("more members than here", &[], |w| {
                w.edit_response("/health", |r| *r = with_body(r, r#"{"ok":true,"ts":1,"build":"x"}"#))
            }),
            ("a failure in the body", &[("LF-HTTP-006", High)], |w| {
                w.edit_response("/health", |r| *r = with_body(r, r#"{"ok":false,"ts":1}"#))
            }),
            ("no HTTP/2", &[("LF-HTTP-007", Info)], |w| {
                w.edit_tls(|h| h.alpn = Some("http/1.1".into())).edit_http(|s| match &mut s.answer {
                    Observed::Present(r) if r.version == HttpVersion::H2 => r.version = HttpVersion::H1,
                    _ => {}
                })
            }),
            ("no HTTP/3", &[("LF-HTTP-008", Info)], |w| {
                w.edit_http(|s| {
                    if s.request.version == HttpVersion::H3 {
                        s.answer = Observed::Denied(Denial::Refused);
                    } else if let Observed::Present(r) = &mut s.answer {
                        r.headers.retain(|h| h.name != "alt-svc");
                    }
                })
            }),
            ("HTTP/3 announced and dead", &[("LF-HTTP-009", Low)], |w| {
                w.edit_http(|s| {
                    if s.request.version == HttpVersion::H3 {
                        s.answer = Observed::Silent(Silence { phase: Phase::Connect, waited_us: 2_000_000 });
                    }
                })
            }),
            ("one address differs", &[("LF-HTTP-010", Medium)], |w| {
                w.edit_http(|s| {
                    let other = s.request.address.is_some_and(|a| a.ip().to_string() == "172.67.158.164");
                    if other && s.request.purpose == Purpose::AddressParity {
                        s.answer = Observed::Present(build(502).build());
                    }
                })
            }),
            ("one address refused by the limiter", &[], |w| {
                w.edit_http(|s| {
                    if s.request.purpose == Purpose::AddressParity {
                        s.answer = Observed::Present(crate::testworld::refusal());
                    }
                })
            }),
            ("content on port 80", &[("LF-HTTP-011", Low)], |w| {
                plain(w, |_| Observed::Present(build(200).body("hello").build()))
            }),
            ("port 80 redirects to itself", &[("LF-HTTP-011", Low)], |w| {
                plain(w, |r| {
                    Observed::Present(HttpResponse { redirect_to: Some("http://api.levqor.ai/".into()), ..r })
                })
            }),
            ("port 80 closed", &[], |w| plain(w, |_| Observed::Denied(Denial::Refused))),
            ("CORS", &[("LF-HTTP-013", Low)], |w| {
                w.edit_response("/health", |r| {
                    set(r, "access-control-allow-origin", "*");
                    set(r, "access-control-allow-credentials", "true");
                })
            }),
            ("a bare cookie", &[("LF-HTTP-014", Low)], |w| {
                w.edit_response("/health", |r| set(r, "set-cookie", "s=1; Path=/; Secure"))
            }),
            ("a good cookie", &[], |w| {
                w.edit_response("/health", |r| {
                    set(r, "set-cookie", "s=1; Path=/; Secure; HttpOnly; SameSite=Lax")
                })
            }),
            ("from a cache", &[("LF-HTTP-015", Medium)], |w| {
                w.edit_response("/health", |r| set(r, "cf-cache-status", "HIT"))
            }),
            ("an age", &[("LF-HTTP-015", Medium)], |w| {
                w.edit_response("/health", |r| set(r, "age", "59148"))
            }),
            ("a soft 404", &[("LF-HTTP-016", Low)], |w| control(w, 200)),
            ("a masked 404", &[("LF-HTTP-017", Low)], |w| control(w, 500)),
            ("a slow start", &[("LF-HTTP-021", Low)], |w| {
                w.edit_http(|s| s.timings.wait_us = Some(6_000_000))
            }),
            ("another clock", &[("LF-HTTP-022", Info)], |w| {
                w.edit_http(|s| {
                    if let Observed::Present(r) = &mut s.answer {
                        set(r, "date", "Sat, 15 Nov 2025 15:40:00 GMT");
                    }
                })
            }),
        ];
        for (name, want, edit) in cases {
            let want: Vec<(String, Severity)> =
                want.iter().map(|(code, s)| ((*code).to_owned(), *s)).collect();
            assert_eq!(added(edit), want, "{name}");
        }
    }

    fn with_body(response: &HttpResponse, body: &str) -> HttpResponse {
        HttpResponse { body: build(200).body(body).build().body, ..response.clone() }
    }

    fn plain(world: World, answer: fn(HttpResponse) -> Observed<HttpResponse>) -> World {
        world.edit_http(|s| {
            if let (Purpose::PlainHttp, Observed::Present(r)) = (s.request.purpose, &s.answer) {
                s.answer = answer(r.clone());
            }
        })
    }

    fn control(world: World, status: u16) -> World {
        world.edit_http(|s| {
            if let (Purpose::Control, Observed::Present(r)) = (s.request.purpose, &mut s.answer) {
                r.status = status;
            }
        })
    }

    #[test]
    fn a_challenge_is_not_an_outage() {
        let challenge = || {
            let page = build(403).header("server", "cloudflare").header("cf-mitigated", "challenge");
            page.header("cf-ray", "99-SEA")
                .header("content-type", "text/html")
                .body("<title>Just a moment...</title>")
                .build()
        };
        let all = deployed().edit_http(|s| s.answer = Observed::Present(challenge())).diagnose();
        assert_eq!(all.verdict, Verdict::Unknown, "{}", all.summary);
        let found = all.findings.iter().find(|f| f.code == "LF-HTTP-018").expect("it is said");
        assert_eq!(found.severity, Severity::High);
        assert!(found.title.contains("Cloudflare"), "{}", found.title);
        let one = deployed().edit_response("/api/support/health", |r| *r = challenge());
        assert_eq!(one.findings("LF-HTTP-018")[0].severity, Severity::Medium);
    }

    #[test]
    fn a_guessed_path_is_never_bad_by_itself() {
        let mut world = deployed();
        for endpoint in &mut world.0.target.endpoints {
            endpoint.source = EndpointSource::Guessed;
            endpoint.expect = landfall_evidence::Expectation::default();
        }
        let guarded = world.edit_response("/health", |r| r.status = 404);
        let diagnosis = guarded.diagnose();
        assert_ne!(diagnosis.verdict, Verdict::NotLive, "{}", diagnosis.summary);
        assert!(!diagnosis.findings.iter().any(|f| f.code == "LF-HTTP-001"), "{:?}", diagnosis.findings);
    }

    #[test]
    fn a_limiter_that_never_let_a_question_pass_is_named() {
        let hidden = deployed().edit_response("/api/support/health", |r| *r = crate::testworld::refusal());
        let diagnosis = hidden.diagnose();
        assert!(diagnosis.findings.iter().any(|f| f.code == "LF-RATE-004"));
        assert_eq!(diagnosis.verdict, Verdict::Unknown, "not seen is not good: {}", diagnosis.summary);
        let mut repeated = hidden.clone();
        let good = application("/api/support/health");
        repeated.http(Vantage::Edge, Purpose::Endpoint, "/api/support/health", Observed::Present(good));
        if let Some(last) = repeated.0.observations.last_mut() {
            last.id = format!("{}#2", last.id).into();
            last.attempt = 2;
        }
        let diagnosis = repeated.diagnose();
        assert!(!diagnosis.findings.iter().any(|f| f.code == "LF-RATE-004"));
        assert_eq!(diagnosis.verdict, Verdict::Live, "{} {:?}", diagnosis.summary, diagnosis.unexplained);
    }
}
