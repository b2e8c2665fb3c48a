//! Each finding about HTTP: the evidence that raises it, and the nearest evidence that does not.

use landfall_evidence::{
    Decoded, Denial, DnsObservation, EndpointSource, Header, HttpObservation, HttpResponse, HttpVersion,
    Observed, Phase, Purpose, Seen, Silence, Trial, Vantage,
};

use crate::catalogue::Catalogue;
use crate::testkit::{World, response};
use crate::{Finding, Sure, diagnose};

const PAGE: &str = "https://app.example.test";

fn good() -> HttpResponse {
    response(200).header("cache-control", "no-store").json(r#"{"ok":true}"#).build()
}

/// Production with one endpoint that is well.
fn world() -> World {
    with(good())
}

fn with(answer: HttpResponse) -> World {
    let mut world = World::new("https://api.example.test");
    world.endpoint("GET", "/health", EndpointSource::Declared, false, &[]);
    world.http(Vantage::Edge, Purpose::Endpoint, "/health", answer);
    world
}

/// Adds a trial of the endpoint, or of another path in its name.
fn trial(world: &mut World, name: &str, path: &str, headers: &[(&str, &str)], answer: HttpResponse) {
    world.http(Vantage::Edge, Purpose::Trial, path, answer).change_last(|seen| {
        seen.request.trial = Some(Trial { name: name.into(), plain: "/health".into() });
        seen.request.headers = headers
            .iter()
            .map(|(name, value)| Header { name: (*name).into(), value: (*value).into() })
            .collect();
        match name {
            "head" => seen.request.method = "HEAD".into(),
            "cors-preflight" => seen.request.method = "OPTIONS".into(),
            _ => {}
        }
    });
}

fn findings(world: &mut World) -> Vec<Finding> {
    diagnose(&world.build(), Catalogue::embedded()).findings
}

/// The title of a finding, when it is raised.
fn raised(world: &mut World, code: &str) -> Option<String> {
    findings(world).into_iter().find(|f| f.code == code).map(|f| {
        assert!(!f.evidence.is_empty() && !f.impact.is_empty() && !f.remedy.is_empty(), "{f:?}");
        f.title
    })
}

fn seen(world: &mut World, purpose: Purpose, edit: impl FnOnce(&mut HttpObservation)) {
    world.http(Vantage::Edge, purpose, "/health", good()).change_last(edit);
}

#[test]
fn a_version_that_breaks_off_where_another_answers() {
    let broken = |version: HttpVersion, answer: Denial| {
        let mut world = world();
        world.change_last(|s| s.request.version = HttpVersion::H1);
        world.change_last(|s| {
            s.answer = s.answer.clone().map(|r| HttpResponse { version: HttpVersion::H1, ..r })
        });
        seen(&mut world, Purpose::Version, |s| {
            s.request.version = version;
            s.answer = Observed::Denied(answer);
        });
        raised(&mut world, "LF-HTTP-023")
    };
    let malformed = || Denial::Malformed { phase: Phase::Wait, detail: "PROTOCOL_ERROR".into() };
    let title = broken(HttpVersion::H2, malformed()).expect("raised");
    assert!(title.contains("HTTP/2 is offered and fails") && title.contains("HTTP/1.1 works"), "{title}");
    assert_eq!(broken(HttpVersion::H2, Denial::VersionNotOffered { chosen: None }), None, "a choice");
    assert_eq!(broken(HttpVersion::H2, Denial::Refused), None, "a door that is closed");
    assert_eq!(broken(HttpVersion::H3, malformed()), None, "clients fall back from it");
}

fn h3(alt_svc: Option<&str>, record: Option<&str>, port: Option<u16>) -> World {
    let mut answer = response(200).header("cache-control", "no-store").json("{}");
    if let Some(field) = alt_svc {
        answer = answer.header("alt-svc", field);
    }
    let mut world = with(answer.build());
    seen(&mut world, Purpose::Version, |s| {
        s.request.version = HttpVersion::H3;
        s.answer = Observed::Silent(Silence { phase: Phase::Tls, waited_us: 2_000_000 });
    });
    if let Some(port) = port {
        trial(&mut world, &format!("alt-svc-{port}"), "/health", &[], good());
        world.change_last(|s| {
            s.request.version = HttpVersion::H3;
            s.answer = Observed::Denied(Denial::Refused);
        });
    }
    if let Some(record) = record {
        let answer = crate::testkit::records("api.example.test", "HTTPS", &[record], true);
        let role = landfall_evidence::DnsServerRole::Recursive;
        world.dns_outcome(role, "192.0.2.53", "api.example.test", "HTTPS", Observed::Present(answer));
    }
    world
}

#[test]
fn http3_that_is_announced_is_held_against_what_udp_does() {
    let title = raised(&mut h3(Some("h3=\":443\"; ma=86400"), None, None), "LF-HTTP-009").expect("raised");
    assert!(
        title.contains("UDP 443") && title.contains("no answer in tls") && !title.contains("days"),
        "{title}"
    );
    let title = raised(&mut h3(Some("h3=\":443\"; ma=7776000"), None, None), "LF-HTTP-009").expect("raised");
    assert!(title.contains("90 days (threshold 2592000"), "{title}");
    let title = raised(&mut h3(Some("h3=\":8443\""), None, Some(8443)), "LF-HTTP-009").expect("raised");
    assert!(title.contains("UDP 8443") && title.contains("refused"), "{title}");
    let elsewhere = &mut h3(Some("h3=\":8443\""), None, None);
    assert_eq!(raised(elsewhere, "LF-HTTP-009"), None, "port 443 was asked, and 8443 was announced");
    for nothing in [Some("clear"), Some("h3=443"), None] {
        assert_eq!(raised(&mut h3(nothing, None, None), "LF-HTTP-009"), None, "{nothing:?}");
        assert!(raised(&mut h3(nothing, None, None), "LF-HTTP-008").is_some());
    }
    let title = raised(&mut h3(None, Some("1 . alpn=h3,h2 ipv4hint=192.0.2.1"), None), "LF-HTTP-024")
        .expect("raised");
    assert!(title.contains("record promises"), "{title}");
    assert_eq!(raised(&mut h3(None, Some("1 . alpn=\"h2\""), None), "LF-HTTP-024"), None);
}

#[test]
fn contents_at_two_addresses() {
    let other = |home: HttpResponse, there: HttpResponse| {
        let mut world = with(home);
        world.http(Vantage::Edge, Purpose::AddressParity, "/health", there).at_address("104.21.14.106:443");
        raised(&mut world, "LF-HTTP-025")
    };
    let json = |text: &str| response(200).json(text).build();
    let title = other(json(r#"{"version":"1.2.0"}"#), json(r#"{"version":"1.3.0"}"#)).expect("raised");
    assert!(title.contains("104.21.14.106: version is 1.2.0 and 1.3.0"), "{title}");
    assert!(
        other(json(r#"{"ok":true}"#), json(r#"{"ok":true,"queue":1}"#)).is_some_and(|t| t.contains("queue"))
    );
    assert_eq!(
        other(json(r#"{"at":1}"#), json(r#"{"at":2}"#)),
        None,
        "a time that differs is no other build"
    );
    let text = |hash: &str| {
        let mut page = response(200).html("<p>a page</p>").build();
        page.body.simhash = Some(hash.into());
        page
    };
    assert_eq!(other(text("00000000000003ff"), text("0000000000000000")), None, "ten bits");
    assert!(
        other(text("00000000000007ff"), text("0000000000000000")).is_some_and(|t| t.contains("11 of 64"))
    );
    assert_eq!(other(text("zz"), text("0000000000000000")), None, "a hash that is none");
    assert_eq!(other(json("{}"), response(503).build()), None, "another status is another finding");
}

#[test]
fn head_beside_get() {
    let head = |answer: HttpResponse| {
        let mut world = world();
        trial(&mut world, "warm", "/health", &[], good());
        trial(&mut world, "head", "/health", &[], answer);
        raised(&mut world, "LF-HTTP-026")
    };
    let length = |n: &str| {
        response(200).header("content-type", "application/json").header("content-length", n).build()
    };
    assert_eq!(head(length("11")), None);
    assert!(head(response(405).build()).is_some_and(|t| t.contains("HEAD /health is answered 405, GET 200")));
    assert!(head(length("12")).is_some_and(|t| t.contains("content-length (12 for 11)")));
    assert_eq!(head(response(200).build()), None, "fields may be left out (RFC 9110, section 9.3.2)");
    assert_eq!(head(response(429).build()), None, "a limiter's refusal");
}

#[test]
fn codings_that_cannot_be_undone() {
    let coded = |edit: &dyn Fn(&mut HttpResponse)| {
        let mut world = world();
        trial(&mut world, "warm", "/health", &[], good());
        let mut answer = response(200).header("content-encoding", "gzip").json("").build();
        answer.body.decoded = Some(Box::new(Decoded {
            coding: "gzip".into(),
            byte_count: 11,
            sha256: good().body.sha256,
            problem: None,
            broken: false,
        }));
        edit(&mut answer);
        trial(&mut world, "coding-gzip", "/health", &[("accept-encoding", "gzip")], answer);
        raised(&mut world, "LF-HTTP-030")
    };
    let decoded = |answer: &mut HttpResponse, edit: &dyn Fn(&mut Decoded)| {
        edit(answer.body.decoded.as_mut().expect("there"));
    };
    assert_eq!(coded(&|_| {}), None);
    let title = coded(&|a| {
        decoded(a, &|d| (d.problem, d.broken) = (Some("the bytes are not of this coding: x".into()), true));
    });
    assert!(title.is_some_and(|t| t.contains("/health as gzip")));
    assert_eq!(coded(&|a| decoded(a, &|d| d.problem = Some("our bound".into()))), None, "our bound is ours");
    assert!(
        coded(&|a| decoded(a, &|d| d.sha256 = "00".repeat(32))).is_some_and(|t| t.contains("not the same"))
    );
    let short = coded(&|a| {
        a.body.complete = false;
        a.body.cut = Some("the peer stopped short after 5 bytes: x".into());
        decoded(a, &|d| d.problem = Some("the coded body is not whole".into()));
    });
    assert!(short.is_some_and(|t| t.contains("stopped short")));
}

#[test]
fn text_that_is_not_compressed_and_caches() {
    let long = format!("{{\"text\":\"{}\"}}", "word ".repeat(400));
    let plain = || response(200).header("cache-control", "no-store").json(&long).build();
    let mut world = with(plain());
    trial(&mut world, "warm", "/health", &[], plain());
    for name in ["coding-gzip", "coding-br", "coding-zstd"] {
        trial(&mut world, name, "/health", &[], plain());
    }
    assert!(raised(&mut world, "LF-HTTP-031").is_some_and(|t| t.contains("threshold 1000: ")));

    let stale = |kept: &str, fresh: &str, again: &str, field: (&str, &str)| {
        let answer = |body: &str| response(200).header(field.0, field.1).json(body).build();
        let mut world = with(answer(kept));
        trial(&mut world, "warm", "/health", &[], answer(again));
        let fresh = response(200).header("cf-cache-status", "MISS").json(fresh).build();
        trial(&mut world, "bust", "/health?landfall-fresh=1", &[], fresh);
        raised(&mut world, "LF-HTTP-032")
    };
    let hit = ("cf-cache-status", "HIT");
    assert!(
        stale("{\"a\":1}", "{\"a\":2}", "{\"a\":1}", hit).is_some_and(|t| t.contains("cf-cache-status: HIT"))
    );
    assert_eq!(stale("{\"a\":1}", "{\"a\":1}", "{\"a\":1}", hit), None, "the same");
    assert_eq!(stale("{\"a\":1}", "{\"a\":3}", "{\"a\":2}", hit), None, "it changes by itself");
    assert_eq!(stale("{\"a\":1}", "{\"a\":2}", "{\"a\":1}", ("cf-cache-status", "DYNAMIC")), None, "no copy");

    let cookie = |field: &str| {
        let answer =
            response(200).header("set-cookie", "sid=[redacted]; Secure; HttpOnly").header("x-cache", field);
        raised(&mut with(answer.json("{}").build()), "LF-HTTP-033")
    };
    assert!(cookie("HIT").is_some() && cookie("MISS").is_none());
}

#[test]
fn bodies_and_waits() {
    assert!(raised(&mut with(response(200).build()), "LF-HTTP-041").is_some());
    assert_eq!(raised(&mut with(response(204).build()), "LF-HTTP-041"), None);
    let mut large = good();
    large.body.byte_count = 1_000_001;
    assert!(raised(&mut with(large), "LF-HTTP-042").is_some());
    let text = |kind: &str| {
        let answer = || response(200).header("content-type", kind).body("grüße").build();
        let mut world = with(answer());
        trial(&mut world, "warm", "/health", &[], answer());
        raised(&mut world, "LF-HTTP-043")
    };
    assert!(text("text/plain").is_some());
    assert_eq!(text("text/plain; charset=utf-8"), None);
    assert_eq!(text("application/json"), None, "JSON is UTF-8");
    let warm = |wait_us: u64| {
        let mut world = world();
        trial(&mut world, "warm", "/health", &[], good());
        world.change_last(|s| s.timings.wait_us = Some(wait_us));
        raised(&mut world, "LF-HTTP-044")
    };
    assert!(warm(900_000).is_some_and(|t| t.contains("threshold 800: ")));
    assert_eq!(warm(800_000), None);
}

#[test]
fn thresholds_are_the_callers_to_set() {
    let mut world = world();
    trial(&mut world, "warm", "/health", &[], good());
    world.change_last(|s| s.timings.wait_us = Some(900_000));
    let mut evidence = world.build();
    let titles = |evidence: &landfall_evidence::Evidence| -> Vec<String> {
        let all = diagnose(evidence, Catalogue::embedded()).findings;
        all.into_iter().filter(|f| f.code == "LF-HTTP-044").map(|f| f.title).collect()
    };
    evidence.settings.thresholds.insert("http_warm_wait_max_ms".into(), 1000);
    assert_eq!(titles(&evidence), [""; 0]);
    evidence.settings.thresholds.insert("http_warm_wait_max_ms".into(), 500);
    assert!(titles(&evidence)[0].ends_with("(threshold 500: http_warm_wait_max_ms in landfall.toml)"));
}

#[test]
fn errors_that_programs_cannot_read() {
    let form = |answer: HttpResponse| {
        let mut world = world();
        trial(
            &mut world,
            "error-form",
            "/landfall-control-1",
            &[("accept", "application/problem+json")],
            answer,
        );
        raised(&mut world, "LF-HTTP-040")
    };
    let problem =
        |body: &str| response(404).header("content-type", "application/problem+json").body(body).build();
    assert_eq!(form(problem(r#"{"type":"about:blank","title":"Not Found","status":404}"#)), None);
    assert!(form(problem(r#"{"status":500}"#)).is_some_and(|t| t.contains("\"status\" says 500")));
    assert!(form(problem("[]")).is_some_and(|t| t.contains("no JSON object")));
    assert_eq!(form(response(404).json(r#"{"detail":"Not Found"}"#).build()), None, "other JSON can be read");
}

#[test]
fn pages_and_their_origins() {
    let cors = |name: &str, answer: HttpResponse| {
        let mut world = world();
        trial(&mut world, "warm", "/health", &[], good());
        let origin = if name == "cors-stranger" { "https://landfall-control.invalid" } else { PAGE };
        trial(
            &mut world,
            name,
            "/health",
            &[("origin", origin), ("access-control-request-method", "PUT")],
            answer,
        );
        world
    };
    let allowed = |origin: &str| response(200).json("{}").header("access-control-allow-origin", origin);
    let get = |answer: HttpResponse, code: &str| raised(&mut cors("cors-get", answer), code);
    assert!(get(response(200).json("{}").build(), "LF-HTTP-034").is_some_and(|t| t.contains("is missing")));
    assert!(
        get(allowed("https://b.test").build(), "LF-HTTP-034").is_some_and(|t| t.contains("another origin"))
    );
    assert_eq!(get(allowed("*").build(), "LF-HTTP-034"), None);
    assert_eq!(get(response(502).build(), "LF-HTTP-034"), None, "an outage is no setting");
    assert!(get(response(502).build(), "LF-HTTP-038").is_some_and(|t| t.contains("502")));
    assert!(get(allowed(PAGE).build(), "LF-HTTP-035").is_some(), "the plain answer has none");
    assert_eq!(get(allowed(PAGE).header("vary", "Accept, origin").build(), "LF-HTTP-035"), None);
    assert_eq!(get(allowed("*").build(), "LF-HTTP-035"), None);
    let preflight = |age: &str| {
        let answer = response(204)
            .header("access-control-allow-origin", PAGE)
            .header("access-control-allow-methods", "PUT")
            .header("access-control-max-age", age);
        raised(&mut cors("cors-preflight", answer.build()), "LF-HTTP-036")
    };
    assert!(preflight("86400").is_some_and(|t| t.contains("7200")));
    assert_eq!(preflight("7200"), None);
    let status = |status: u16| raised(&mut cors("cors-preflight", response(status).build()), "LF-HTTP-034");
    assert!(status(405).is_some_and(|t| t.contains("preflight is not answered with success")));
    let stranger = |credentials: &str| {
        let answer = allowed("https://landfall-control.invalid")
            .header("access-control-allow-credentials", credentials);
        raised(&mut cors("cors-stranger", answer.build()), "LF-HTTP-037")
    };
    assert!(stranger("true").is_some());
    assert_eq!(stranger("false"), None);
}

#[test]
fn redirects() {
    let plain = |status: u16, to: &str, method: &str| {
        let mut world = world();
        world.endpoint(method, "/hook", EndpointSource::Declared, false, &[]);
        world.http(Vantage::Edge, Purpose::PlainHttp, "/health", response(status).redirect(to).build());
        world
    };
    let own = "https://api.example.test/health";
    assert!(raised(&mut plain(301, own, "POST"), "LF-HTTP-028").is_some_and(|t| t.contains("/hook")));
    assert_eq!(raised(&mut plain(308, own, "POST"), "LF-HTTP-028"), None);
    assert_eq!(raised(&mut plain(301, own, "GET"), "LF-HTTP-028"), None, "nothing there is posted to");
    assert!(raised(&mut plain(301, "https://www.example.test/", "GET"), "LF-HTTP-029").is_some());
    assert_eq!(raised(&mut plain(301, own, "GET"), "LF-HTTP-029"), None);
    let chain = |hops: usize| {
        let to = |n: usize| format!("https://api.example.test/{n}");
        let mut world = with(response(302).redirect(&to(1)).build());
        for n in 1..hops {
            world.http(
                Vantage::Edge,
                Purpose::Redirect,
                &format!("/{n}"),
                response(302).redirect(&to(n + 1)).build(),
            );
        }
        world.http(Vantage::Edge, Purpose::Redirect, &format!("/{hops}"), good());
        raised(&mut world, "LF-HTTP-027")
    };
    assert_eq!(chain(3), None);
    assert!(chain(4).is_some_and(|t| t.contains("4 redirects (threshold 3: ")));
    let mut looped = with(response(302).redirect("https://api.example.test/a").build());
    looped.http(
        Vantage::Edge,
        Purpose::Redirect,
        "/a",
        response(302).redirect("https://api.example.test/a").build(),
    );
    assert_eq!(raised(&mut looped, "LF-HTTP-027"), None, "a loop is another matter");
}

#[test]
fn headers_of_an_api_with_the_observatory_as_a_second_opinion() {
    let deep = |answer: HttpResponse| {
        let mut world = with(answer.clone());
        trial(&mut world, "warm", "/health", &[], answer);
        raised(&mut world, "LF-HTTP-039")
    };
    let title = deep(good()).expect("raised");
    assert!(
        title.contains("75 of 100") && title.contains("Strict-Transport-Security absent (-20)"),
        "{title}"
    );
    assert!(title.contains("MDN Observatory would give 30 (D)"), "{title}");
    let whole = response(200)
        .header("strict-transport-security", "max-age=31536000")
        .header("x-content-type-options", "nosniff")
        .header("cache-control", "no-store")
        .json("{}");
    assert_eq!(deep(whole.clone().build()), None, "nothing that acts on an API is missing");
    let unsaid = response(200).header("strict-transport-security", "max-age=31536000").json("{}").build();
    assert!(deep(unsaid).is_some_and(|t| t.contains("90 of 100") && t.contains("Cache-Control absent")));
    assert_eq!(deep(response(200).html("<p>a page</p>").build()), None, "pages have no API profile");
    let diagnosis = diagnose(&with(whole.build()).build(), Catalogue::embedded());
    let row = diagnosis.specifications.iter().find(|s| s.name == "Security headers").expect("a row");
    assert!(row.value.starts_with("100 of 100") && row.value.contains("MDN Observatory"), "{}", row.value);
}

#[test]
fn a_hop_is_certain_by_two_kinds_of_proof_and_says_what_it_hides() {
    let path = |headers: &[(&str, &str)], address: &str| {
        let answer = headers.iter().fold(response(200).json("{}"), |r, (n, v)| r.header(n, v)).build();
        let mut world = with(answer);
        world.at_address(address);
        diagnose(&world.build(), Catalogue::embedded()).path
    };
    let edge = |hops: &[crate::Hop]| {
        let hop = hops.iter().find(|h| h.vendor.as_deref() == Some("Cloudflare")).expect("named").clone();
        (hop.certainty.clone().expect("a vendor is named").level, hop)
    };
    let marked = [("cf-ray", "99efe9be1d2c3b4a-SEA"), ("server", "cloudflare"), ("cf-cache-status", "HIT")];
    let (both, hop) = edge(&path(&marked, "104.21.14.105:443"));
    assert_eq!(both, Sure::Certain, "{hop:?}");
    assert!(
        hop.told().iter().any(|line| line.starts_with("certain by") && line.contains("address")),
        "{hop:?}"
    );
    assert!(hop.hides.iter().any(|h| h.contains("stored copy (cf-cache-status: HIT)")), "{hop:?}");
    assert!(hop.hides.iter().any(|h| h.contains("the origin's address")), "{hop:?}");
    let (header, _) = edge(&path(&marked[..2], "192.0.2.1:443"));
    assert_eq!(header, Sure::Likely, "an origin can send any header");
    let (address, _) = edge(&path(&[], "104.21.14.105:443"));
    assert_eq!(address, Sure::Likely);
}

#[test]
fn a_proxys_own_word_names_the_fault_and_the_hop() {
    let failed = |field: &str| {
        let answer = response(502).header("proxy-status", field).html("<h1>Bad gateway</h1>").build();
        diagnose(&with(answer).build(), Catalogue::embedded())
    };
    let told = failed("edge.example.net; error=connection_refused; next-hop=\"10.0.0.7:8000\"");
    let finding = told.findings.iter().find(|f| f.code == "LF-PATH-003").expect("raised");
    assert!(finding.title.contains("edge.example.net reports connection_refused (next hop 10.0.0.7:8000)"));
    assert_eq!(told.causes.first().map(|c| c.id.as_str()), Some("edge-origin-refused"), "{:#?}", told.causes);
    let broken = told.path.iter().find(|h| h.state == crate::HopState::Broken).expect("one is");
    assert!(broken.proof.iter().any(|p| p.starts_with("Proxy-Status: ")), "{broken:?}");
    let silent = failed("edge.example.net; received-status=502");
    assert!(silent.findings.iter().all(|f| f.code != "LF-PATH-003"));
}

#[test]
fn another_build_is_a_finding_and_a_row() {
    let mut world = with(response(200).json(r#"{"version":"1.2.0"}"#).build());
    world.local("http://127.0.0.1:8000");
    world.http(
        Vantage::Local,
        Purpose::Endpoint,
        "/health",
        response(200).json(r#"{"version":"1.3.0"}"#).build(),
    );
    assert!(raised(&mut world, "LF-PATH-004").is_some_and(|t| t.contains("1.2.0")));
    let diagnosis = diagnose(&world.build(), Catalogue::embedded());
    let row = diagnosis.specifications.iter().find(|s| s.name == "Build").expect("a row");
    assert!(row.value.starts_with("proven another"), "{}", row.value);
    let unmarked = diagnose(&self::world().build(), Catalogue::embedded());
    let row = unmarked.specifications.iter().find(|s| s.name == "Build").expect("a row");
    assert!(row.value.starts_with("cannot be told: its answers name no commit"), "{}", row.value);
}

/// The record's question has to be a plain one for it to count.
#[test]
fn the_https_record_is_read_from_plain_questions() {
    let mut world = h3(None, Some("1 . alpn=h3"), None);
    let evidence = world.build();
    let asked = evidence.observations.iter().any(|o| {
        matches!(&o.seen, Seen::Dns(DnsObservation { question, .. }) if question.rtype == "HTTPS" && question.is_plain())
    });
    assert!(asked);
}
