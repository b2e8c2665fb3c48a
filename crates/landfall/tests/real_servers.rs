//! The audit against servers that we did not write: nginx, Caddy and HAProxy in front of gunicorn with a real Flask
//! application, the zone served by BIND or NSD. Each world has one thing that is true in it, and the audit must say that
//! thing, or own up to what it cannot tell apart; the saved evidence of every world must replay to the same bytes.

#[expect(dead_code, reason = "each test binary uses its own part of the harness")]
mod common;

use common::backend::Backend;
use common::dns::{API, Records};
use common::hostile::Hostile;
use common::json::{array, causes, component, findings, observations, state, text};
use common::pki::Sent;
use common::ports::Closed;
use common::site::{Audit, HOST, ORIGIN, Site};
use common::web::Web;
use serde_json::Value;

/// Hands every request on to the backend, as the usual guides for nginx have it.
fn nginx_proxy(to: impl std::fmt::Display) -> String {
    format!(
        "location / {{ proxy_pass http://{to}; proxy_http_version 1.1; proxy_set_header Host $host;\n\
         proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for; proxy_set_header X-Forwarded-Proto $scheme; }}"
    )
}

fn caddy_proxy(to: impl std::fmt::Display) -> String {
    format!(" reverse_proxy {to}")
}

// ---------------------------------------------------------------------------------------------------- what works

#[test]
fn nginx_in_front_of_the_application_is_live() {
    let site = Site::with_bind(Records::Both);
    let backend = Backend::up(site.path());
    let web = Web::nginx(site.path(), &site.identity(), "", &nginx_proxy(backend.address));
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    is_live(&audit);
    let verified = site.verify(Some(&web));
    assert_eq!(verified.status, 0, "{}{}", verified.stdout, verified.stderr);

    let answered = versions(&audit);
    assert_eq!((answered("HTTP/1.1"), answered("HTTP/2")), (Some("answered"), Some("answered")), "{audit}");
    // This nginx has no HTTP/3 and never offers it, so there is nothing for which to blame anybody.
    assert_ne!(answered("HTTP/3"), Some("answered"), "{audit}");
    // Both families were seen, each with the right chain.
    let handshakes = array(&audit.report["tls"]);
    let edge: Vec<&Value> = handshakes.iter().filter(|t| t["vantage"] == "edge").collect();
    assert_eq!(edge.len(), 2, "{audit}");
    assert!(edge.iter().all(|t| t["name_matches"] == true && array(&t["chain"]).len() == 2), "{edge:#?}");
    // BIND was asked in both of its roles.
    let roles: Vec<&str> =
        array(&audit.report["dns"]["servers"]).iter().map(|s| text(&s["server"]["role"])).collect();
    assert!(roles.contains(&"recursive") && roles.contains(&"authoritative"), "{roles:?}");
}

#[test]
fn caddy_in_front_of_the_application_is_live_in_all_three_versions() {
    let site = Site::with_nsd(Records::Both);
    let backend = Backend::up(site.path());
    let web = Web::caddy(site.path(), &site.identity(), &caddy_proxy(backend.address));
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    is_live(&audit);

    let answered = versions(&audit);
    for version in ["HTTP/1.1", "HTTP/2", "HTTP/3"] {
        assert_eq!(answered(version), Some("answered"), "{version}: {audit}");
    }
    // The answers themselves are of that version, not only the questions.
    for version in ["HTTP/1.1", "HTTP/2", "HTTP/3"] {
        let seen = observations(&audit.evidence, "http", "edge");
        assert!(
            seen.iter().any(|o| o["seen"]["answer"]["detail"]["version"] == version),
            "{version}: {audit}"
        );
    }
    // NSD speaks with authority; BIND, which had to ask it, does not.
    let authority = dns_answers(&audit, "authoritative", "A");
    assert!(!authority.is_empty() && authority.iter().all(|a| a["authoritative"] == true), "{authority:#?}");
    let recursive = dns_answers(&audit, "recursive", "A");
    assert!(!recursive.is_empty() && recursive.iter().all(|a| a["authoritative"] == false), "{recursive:#?}");
}

#[test]
fn haproxy_in_front_of_the_application_is_live() {
    let site = Site::with_bind(Records::V4);
    let backend = Backend::up(site.path());
    let web = Web::haproxy(site.path(), &site.identity(), &format!("server one {}", backend.address));
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    is_live(&audit);
    assert_eq!(versions(&audit)("HTTP/2"), Some("answered"), "{audit}");
}

// --------------------------------------------------------------------------------------- the name leads elsewhere

/// The causes that mean: what answers under this name is not this application.
const ELSEWHERE: [&str; 8] = [
    "domain-not-attached",
    "domain-attached-to-other-app",
    "cname-points-to-other-app",
    "a-record-points-to-old-host",
    "never-deployed",
    "ingress-rule-missing",
    "origin-host-header-wrong",
    "deploy-root-directory-wrong",
];

/// nginx knows other hosts; ours falls to its default server.
fn with_default_server(site: &Site, default: &str, rest: &str) -> Web {
    let identity = site.identity();
    let certificate = format!("ssl_certificate {}; ssl_certificate_key {};", identity.chain, identity.key);
    Web::nginx_with(
        site.path(),
        &format!(
            "{certificate}\n\
             server {{ listen 127.0.0.1:TLS ssl http2 default_server; listen [::1]:TLS ssl http2 default_server; server_name _;\n{default}\n}}\n\
             server {{ listen 127.0.0.1:PLAIN default_server; listen [::1]:PLAIN default_server; return 301 https://$host$request_uri; }}\n\
             {rest}"
        ),
    )
}

#[test]
fn a_host_that_nginx_does_not_know_is_not_live() {
    let site = Site::with_bind(Records::Both);
    let backend = Backend::up(site.path());
    let web = with_default_server(&site, "return 404;", "");
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    is_down(&audit);
    leads(&audit, &ELSEWHERE);
    // Nothing that was asked can tell these apart, so none of them is certain, whichever is named first.
    assert!(array(&audit.report["causes"]).iter().all(|c| c["label"] != "confirmed"), "{audit}");
}

#[test]
fn the_name_under_which_the_application_answers_shows_that_the_host_is_not_attached() {
    let site = Site::with_bind(Records::Both);
    let backend = Backend::up(site.path());
    let app = format!(
        "server {{ listen 127.0.0.1:TLS ssl http2; listen [::1]:TLS ssl http2; server_name {ORIGIN};\n{}\n}}\n",
        nginx_proxy(backend.address)
    );
    let web = with_default_server(&site, "return 404;", &app);
    let audit =
        site.audit(Some(&web), &["--local", &backend.url(), "--origin", &format!("https://{ORIGIN}")]);
    is_down(&audit);
    assert_eq!(causes(&audit.report)[0], "domain-not-attached", "{audit}");
    certain_only_of(&audit, &["domain-not-attached", "ingress-rule-missing"]);
    let origin = observations(&audit.evidence, "http", "origin");
    let health =
        origin.iter().find(|o| o["seen"]["request"]["path"] == "/health").expect("the origin was asked");
    assert_eq!(health["seen"]["answer"]["detail"]["status"], 200, "{health:#}");
}

#[test]
fn a_website_in_place_of_the_application_is_not_taken_for_it() {
    let site = Site::with_bind(Records::Both);
    let backend = Backend::up(site.path());
    let pages = site.path().join("pages");
    std::fs::create_dir(&pages).expect("a folder is made");
    let page =
        "<!doctype html><html><head><title>Welcome</title></head><body><h1>Our shop</h1></body></html>\n";
    std::fs::write(pages.join("index.html"), page).expect("the page is written");
    // A single-page website: every path gets the page.
    let default = format!(
        "root {}; types {{ text/html html; }} location / {{ try_files /index.html =404; }}",
        pages.display()
    );
    let web = with_default_server(&site, &default, "");
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    is_down(&audit);
    let mut acceptable = ELSEWHERE.to_vec();
    acceptable.extend(["spa-fallback-swallows-api", "static-hosting-for-dynamic-app", "domain-parked"]);
    leads(&audit, &acceptable);
    certain_only_of(&audit, &["domain-attached-to-other-app"]);
}

// ------------------------------------------------------------------------------------ the application is not there

#[test]
fn nginx_whose_upstream_refuses_answers_502() {
    let site = Site::with_bind(Records::Both);
    let backend = Backend::up(site.path());
    let closed = Closed::new();
    let web = Web::nginx(site.path(), &site.identity(), "", &nginx_proxy(closed.address()));
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    refuses_upstream(&audit, 502);
    let verified = site.verify(Some(&web));
    assert_eq!(verified.status, 1, "{}{}", verified.stdout, verified.stderr);
}

#[test]
fn caddy_whose_upstream_refuses_answers_502() {
    let site = Site::with_nsd(Records::Both);
    let backend = Backend::up(site.path());
    let closed = Closed::new();
    let web = Web::caddy(site.path(), &site.identity(), &caddy_proxy(closed.address()));
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    refuses_upstream(&audit, 502);
}

#[test]
fn haproxy_whose_upstream_refuses_answers_503() {
    let site = Site::with_bind(Records::V4);
    let backend = Backend::up(site.path());
    let closed = Closed::new();
    // One try: otherwise HAProxy waits a second between its tries and says nothing else in the end.
    let web =
        Web::haproxy(site.path(), &site.identity(), &format!("retries 0\n  server one {}", closed.address()));
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    refuses_upstream(&audit, 503);
}

#[test]
fn haproxy_without_a_server_answers_503() {
    let site = Site::with_bind(Records::V4);
    let backend = Backend::up(site.path());
    let web = Web::haproxy(site.path(), &site.identity(), "# no server");
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    is_down(&audit);
    assert!(edge_statuses(&audit, "/health").contains(&503), "{audit}");
    leads(
        &audit,
        &[
            "edge-origin-refused",
            "service-has-no-endpoints",
            "platform-health-check-fails",
            "process-crash-loop",
        ],
    );
}

fn refuses_upstream(audit: &Audit, status: u64) {
    is_down(audit);
    assert!(edge_statuses(audit, "/health").iter().all(|s| *s == status), "{audit}");
    leads_or_ties(audit, "edge-origin-refused");
    assert_eq!(component(&audit.report, "local")["status"], "ok", "{audit}");
    assert_eq!(component(&audit.report, "tls")["status"], "ok", "the way to the proxy is fine: {audit}");
}

#[test]
fn nginx_whose_upstream_is_silent_answers_504() {
    let site = Site::with_bind(Records::V4);
    let backend = Backend::up(site.path());
    let silent = Hostile::http(|stream, _| {
        // Holds the connection open without a word until nginx has had enough.
        let _ = std::io::Read::read(stream, &mut [0]);
        Ok(())
    });
    let proxy = format!("proxy_read_timeout 1s; {}", nginx_proxy(silent.address));
    let web = Web::nginx(site.path(), &site.identity(), "", &proxy);
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    is_down(&audit);
    assert!(edge_statuses(&audit, "/health").iter().all(|s| *s == 504), "{audit}");
    leads(
        &audit,
        &[
            "origin-slow-response",
            "edge-origin-timeout",
            "workers-exhausted",
            "worker-timeout",
            "cold-start-timeout",
        ],
    );
}

#[test]
fn a_port_that_refuses_is_named() {
    let site = Site::with_bind(Records::V4);
    let backend = Backend::up(site.path());
    let closed = Closed::new();
    let to = |port: u16| format!("{API}:{port}:{}", closed.address());
    let audit =
        site.audit(None, &["--local", &backend.url(), "--connect-to", &to(443), "--connect-to", &to(80)]);
    is_down(&audit);
    leads_or_ties(&audit, "port-refused");
    assert_eq!(component(&audit.report, "dns")["status"], "ok", "{audit}");
    let refused = observations(&audit.evidence, "http", "edge");
    assert!(refused.iter().any(|o| o["seen"]["answer"]["detail"]["how"] == "refused"), "{audit}");
}

// -------------------------------------------------------------------------------------------------- certificates

#[test]
fn an_expired_certificate_is_named_with_its_days() {
    let site = Site::with_bind(Records::Both);
    let backend = Backend::up(site.path());
    let web =
        Web::nginx(site.path(), &site.identity_with(-3, Sent::Chain), "", &nginx_proxy(backend.address));
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    assert_eq!(audit.run.status, 1, "{audit}");
    assert_ne!(audit.report["verdict"], "live", "{audit}");
    assert_eq!(causes(&audit.report)[0], "cert-expired", "{audit}");
    certain_only_of(&audit, &["cert-expired"]);
    let leaf = &leaf(&audit)["days_left"];
    assert!((-4..=-3).contains(&leaf.as_i64().expect("days left")), "{leaf}");
    // The handshake is finished all the same, so that the application behind it is seen.
    assert!(edge_statuses(&audit, "/health").contains(&200), "{audit}");
}

#[test]
fn a_missing_intermediate_is_told_from_an_unknown_authority() {
    let site = Site::with_bind(Records::Both);
    let backend = Backend::up(site.path());
    let web =
        Web::nginx(site.path(), &site.identity_with(80, Sent::LeafOnly), "", &nginx_proxy(backend.address));
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    assert_eq!(audit.run.status, 1, "{audit}");
    assert_ne!(audit.report["verdict"], "live", "{audit}");
    assert_eq!(causes(&audit.report)[0], "cert-chain-incomplete", "{audit}");
    certain_only_of(&audit, &["cert-chain-incomplete"]);
    let tls = &array(&audit.report["tls"])[0];
    assert_eq!(array(&tls["chain"]).len(), 1, "the leaf alone was sent: {tls:#}");
    assert!(edge_statuses(&audit, "/health").contains(&200), "{audit}");
}

#[test]
fn a_certificate_for_another_name_is_named() {
    let site = Site::with_bind(Records::V4);
    let backend = Backend::up(site.path());
    let other = site.identity_for(&["www.example.test"]);
    let web = Web::nginx(site.path(), &other, "", &nginx_proxy(backend.address));
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    assert_eq!(audit.run.status, 1, "{audit}");
    assert_ne!(audit.report["verdict"], "live", "{audit}");
    leads_or_ties(&audit, "cert-name-mismatch");
    assert_eq!(array(&audit.report["tls"])[0]["name_matches"], false, "{audit}");
}

#[test]
fn plain_http_on_the_tls_port_is_named() {
    let site = Site::with_bind(Records::V4);
    let backend = Backend::up(site.path());
    let proxy = nginx_proxy(backend.address);
    let listen = "listen 127.0.0.1:TLS; listen [::1]:TLS; listen 127.0.0.1:PLAIN; listen [::1]:PLAIN;";
    let web = Web::nginx_with(site.path(), &format!("server {{ {listen} server_name {HOST};\n{proxy}\n}}"));
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    is_down(&audit);
    leads_or_ties(&audit, "tls-port-speaks-plain-http");
    let tls = observations(&audit.evidence, "tls", "edge");
    assert!(
        !tls.is_empty() && tls.iter().all(|o| o["seen"]["answer"]["detail"]["how"] == "not-tls"),
        "{tls:#?}"
    );
}

// --------------------------------------------------------------------------------------------------------- names

#[test]
fn a_name_that_is_not_in_the_zone_is_named_and_nothing_is_asked_behind_it() {
    let site = Site::with_bind(Records::NoApi);
    let backend = Backend::up(site.path());
    let audit = site.audit(None, &["--local", &backend.url()]);
    missing_from_the_zone(&audit);
}

#[test]
fn nsd_and_a_recursive_server_agree_that_the_name_is_missing() {
    let site = Site::with_nsd(Records::NoApi);
    let backend = Backend::up(site.path());
    let audit = site.audit(None, &["--local", &backend.url()]);
    missing_from_the_zone(&audit);
}

fn missing_from_the_zone(audit: &Audit) {
    is_down(audit);
    leads_or_ties(audit, "record-missing");
    for role in ["recursive", "authoritative"] {
        let answers = dns_answers(audit, role, "A");
        let host = answers.iter().find(|a| a["rcode_name"] == "NXDOMAIN");
        assert!(host.is_some_and(|a| a["rcode"] == 3), "{role}: {answers:#?}");
    }
    let asked = observations(&audit.evidence, "http", "edge");
    assert!(!asked.is_empty(), "what was not asked is in the evidence too");
    for observation in asked {
        assert_eq!(state(observation), "unasked", "{observation:#}");
        assert_eq!(observation["seen"]["answer"]["detail"]["why"], "blocked", "{observation:#}");
    }
    let sent = &audit.report["timing"]["requests_by_host"];
    assert!(sent.as_object().expect("counts").keys().all(|host| !host.starts_with(HOST)), "{sent}");
    assert_ne!(
        component(&audit.report, "tls")["status"],
        "ok",
        "a chain that nobody saw is no pass: {audit}"
    );
}

#[test]
fn an_alias_of_nothing_is_named() {
    let site = Site::with_bind(Records::Dangling);
    let audit = site.audit(None, &[]);
    is_down(&audit);
    leads_or_ties(&audit, "cname-dangling");
    let answers = dns_answers(&audit, "recursive", "A");
    assert!(
        answers.iter().any(|a| a["rcode_name"] == "NXDOMAIN" && a["answers"][0]["rtype"] == "CNAME"),
        "{answers:#?}"
    );
}

#[test]
fn an_alias_into_the_zone_of_a_platform_is_live() {
    // The zone's own server knows the alias and no address; only a recursive server can follow it.
    let site = Site::with_nsd(Records::Alias);
    let backend = Backend::up(site.path());
    let web = Web::nginx(site.path(), &site.identity(), "", &nginx_proxy(backend.address));
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    is_live(&audit);
    let answers = dns_answers(&audit, "authoritative", "A");
    assert!(
        answers.iter().all(|a| array(&a["answers"]).iter().all(|r| r["rtype"] == "CNAME")),
        "{answers:#?}"
    );
}

#[test]
fn aliases_that_go_round_are_named() {
    let site = Site::with_nsd(Records::Loop);
    let audit = site.audit(None, &[]);
    is_down(&audit);
    leads_or_ties(&audit, "cname-loop");
}

#[test]
fn a_zone_whose_server_is_gone_is_not_live() {
    let mut site = Site::with_nsd(Records::Both);
    site.zone.lose_authority();
    let audit = site.audit(None, &[]);
    assert_ne!(audit.report["verdict"], "live", "{audit}");
    assert_eq!(audit.run.status, 1, "{audit}");
    let answers = dns_answers(&audit, "recursive", "A");
    assert!(answers.iter().any(|a| a["rcode_name"] == "SERVFAIL"), "{answers:#?}");
    leads(
        &audit,
        &[
            "delegation-servers-unreachable",
            "delegation-lame",
            "dnssec-chain-broken",
            "dnssec-signatures-expired",
        ],
    );
    // SERVFAIL alone does not say which of these it is.
    assert!(array(&audit.report["causes"]).iter().all(|c| c["label"] != "confirmed"), "{audit}");
}

// -------------------------------------------------------------------------------------------------------- limits

/// Five at once from a quiet start (one, and a burst of four), then one every 200 ms.
const LIMIT_ZONE: &str =
    "limit_req_zone $binary_remote_addr zone=clients:1m rate=5r/s; limit_req_status 429;";
const LIMIT: &str = "limit_req zone=clients burst=4 nodelay;";

#[test]
fn a_limiter_before_every_path_is_measured_politely() {
    let site = Site::with_bind(Records::V4);
    let backend = Backend::up(site.path());
    let server = format!("{LIMIT}\n{}", nginx_proxy(backend.address));
    let web = Web::nginx(site.path(), &site.identity(), LIMIT_ZONE, &server);
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    limited(&audit, &web);
}

#[test]
fn a_limiter_before_one_path_is_measured_politely() {
    let site = Site::with_bind(Records::V4);
    let backend = Backend::up(site.path());
    let proxy = nginx_proxy(backend.address);
    let server =
        format!("{proxy}\n{}", proxy.replacen("location / {", &format!("location = /health {{ {LIMIT}"), 1));
    let web = Web::nginx(site.path(), &site.identity(), LIMIT_ZONE, &server);
    let audit = site.audit(Some(&web), &["--local", &backend.url()]);
    limited(&audit, &web);
}

fn limited(audit: &Audit, web: &Web) {
    // What the audit says that it sent is what nginx received: no more, and no less.
    let counts = audit.report["timing"]["requests_by_host"].as_object().expect("counts by host and port");
    let of_host = counts.iter().filter(|(host, _)| host.starts_with(HOST));
    let said: u64 = of_host.map(|(_, count)| count.as_u64().expect("a count")).sum();
    let lines = web.access_log(usize::try_from(said).expect("a small number"));
    assert_eq!(lines.len() as u64, said, "nginx saw:\n{}\n{audit}", lines.join("\n"));
    let refused = lines.iter().filter(|l| l.contains("\" 429 ")).count();
    assert!(refused <= 1, "{refused} refusals:\n{}\n{audit}", lines.join("\n"));

    // From a quiet start five pass; more do while the places refill.
    let limit = &audit.report["rate_limit"]["limit"];
    let low =
        limit["low"].as_u64().unwrap_or_else(|| panic!("no limit: {}\n{audit}", audit.report["rate_limit"]));
    let high = limit["high"].as_u64();
    assert!(low <= 5 && high.is_none_or(|high| high >= 5), "{limit}\n{}\n{audit}", lines.join("\n"));
    // Five places at five a second: all of them are there again after one second.
    let window = &audit.report["rate_limit"]["window_s"];
    let (from, to) = (window["low"].as_f64(), window["high"].as_f64());
    assert!(from.is_none_or(|low| low <= 1.0) && to.is_none_or(|high| high >= 1.0), "{window}\n{audit}");
    if refused > 0 {
        assert!(high.is_some(), "a refusal bounds the limit: {}", audit.report["rate_limit"]);
        assert!(
            text(&audit.report["rate_limit"]["signal"]).contains("429"),
            "{}",
            audit.report["rate_limit"]
        );
    }
    // A refusal of the limiter says nothing of the application, which is there.
    assert!(["live", "degraded"].contains(&text(&audit.report["verdict"])), "{audit}");
    assert!(edge_statuses(audit, "/health").contains(&200), "{audit}");
}

// ------------------------------------------------------------------------------------------------------- helpers

fn is_live(audit: &Audit) {
    assert_eq!(audit.report["verdict"], "live", "{audit}");
    assert_eq!(audit.run.status, 0, "{audit}");
    assert_eq!(audit.report["causes"], serde_json::json!([]), "{audit}");
    assert_eq!(audit.report["unexplained"], serde_json::json!([]), "{audit}");
    for id in ["production", "local", "dns", "tls"] {
        assert_eq!(component(&audit.report, id)["status"], "ok", "{id}: {audit}");
    }
    let health = endpoint(audit, "/health");
    let edge = array(&health["answers"]).iter().find(|a| a["vantage"] == "edge").expect("asked at the edge");
    assert_eq!(edge["status"], 200, "{edge:#}");
    assert_eq!(edge["as_declared"], true, "{edge:#}");
    assert_eq!(edge["same_shape_as_local"], true, "{edge:#}");
    assert!(!findings(&audit.report).iter().any(|code| code.is_empty()), "{audit}");
}

fn is_down(audit: &Audit) {
    assert_eq!(audit.report["verdict"], "not-live", "{audit}");
    assert_eq!(audit.run.status, 1, "{audit}");
    assert!(!causes(&audit.report).is_empty(), "a fault without a cause: {audit}");
    assert_eq!(component(&audit.report, "production")["status"], "fail", "{audit}");
}

/// The first cause is one of these.
fn leads(audit: &Audit, acceptable: &[&str]) {
    let first = causes(&audit.report).first().copied().unwrap_or("no cause");
    assert!(acceptable.contains(&first), "{first} is none of {acceptable:?}: {audit}");
}

/// This cause comes first, or the first one is tied with it and the report says so.
fn leads_or_ties(audit: &Audit, id: &str) {
    let first = causes(&audit.report).first().copied().unwrap_or("no cause");
    let tied = array(&audit.report["ties"]).iter().map(|tie| array(&tie["causes"])).any(|ids| {
        let has = |id: &str| ids.iter().any(|i| i == id);
        has(id) && has(first)
    });
    assert!(first == id || tied, "{id} is neither first nor tied with {first}: {audit}");
    let known: Vec<&str> =
        array(&audit.report["ties"]).iter().flat_map(|t| array(&t["causes"])).map(text).chain([id]).collect();
    certain_only_of(audit, &known);
}

/// Nothing is called confirmed but what is true here.
fn certain_only_of(audit: &Audit, truth: &[&str]) {
    for cause in array(&audit.report["causes"]) {
        assert!(cause["label"] != "confirmed" || truth.contains(&text(&cause["id"])), "{cause:#}\n{audit}");
    }
}

fn endpoint<'a>(audit: &'a Audit, path: &str) -> &'a Value {
    let all = array(&audit.report["health"]["endpoints"]);
    all.iter()
        .find(|e| e["path"] == path)
        .unwrap_or_else(|| panic!("{path} is not among the endpoints: {audit}"))
}

/// Statuses of the edge's answers for a path, limiter's refusals left out.
fn edge_statuses(audit: &Audit, path: &str) -> Vec<u64> {
    let answers = array(&endpoint(audit, path)["answers"]).iter();
    answers
        .filter(|a| a["vantage"] == "edge" && a["fell_to_limiter"] == false)
        .filter_map(|a| a["status"].as_u64())
        .collect()
}

/// What became of each HTTP version at the edge.
fn versions<'a>(audit: &'a Audit) -> impl Fn(&str) -> Option<&'a str> {
    |version| {
        let rows = array(&audit.report["dns"]["http_versions"]);
        rows.iter().find(|row| row["asked"] == version).map(|row| text(&row["outcome"]))
    }
}

/// The answers of one kind of server to questions of one type about the host, NXDOMAIN included.
fn dns_answers<'a>(audit: &'a Audit, role: &str, rtype: &str) -> Vec<&'a Value> {
    let all = array(&audit.evidence["observations"])
        .iter()
        .filter(|o| o["seen"]["kind"] == "dns")
        .map(|o| &o["seen"]);
    let these = all.filter(|seen| {
        let question = &seen["question"];
        question["name"] == HOST && question["rtype"] == rtype && question["server"]["role"] == role
    });
    these.map(|seen| &seen["answer"]["detail"]).collect()
}

fn leaf(audit: &Audit) -> &Value {
    &array(&array(&audit.report["tls"])[0]["chain"])[0]
}

// ------------------------------------------------------------------------------------------- monitors of the project

/// Three checks of a folder's own monitors against one nginx that serves well: each asks wrongly in its own way.
#[test]
fn a_monitor_of_the_project_that_asks_wrongly_is_named_with_its_place() {
    const SERVED: &str = "default_type application/json;
        location = /api/items { return 200 '{\"items\": []}'; }
        location = /health { if ($request_method = HEAD) { return 405; } return 200 '{\"status\": \"healthy\"}'; }
        location = /api/ping { return 200 '{\"status\": \"healthy\"}'; }
        location / { return 404 '{\"error\": \"not found\"}'; }";
    let code = "from flask import Flask\napp = Flask(__name__)\n\n@app.get('/api/items')\ndef items():\n    return {'items': []}\n\n@app.get('/health')\ndef health():\n    return {'status': 'healthy'}\n\n@app.get('/api/ping')\ndef ping():\n    return {'status': 'healthy'}\n";
    let gatus =
        |path: &str, more: &str| format!("endpoints:\n  - name: api\n    url: https://{HOST}{path}\n{more}");
    let worlds = [
        (gatus("/healthz", "    conditions: [\"[STATUS] == 200\"]\n"), "monitor-wrong-url", "/healthz"),
        (
            gatus("/api/ping", "    conditions: [\"[STATUS] == 200\", \"[BODY].status == UP\"]\n"),
            "monitor-keyword-brittle",
            "/api/ping",
        ),
        (
            gatus("/health", "    method: HEAD\n    conditions: [\"[STATUS] == 200\"]\n"),
            "monitor-uses-head",
            "/health",
        ),
    ];
    let site = Site::with_bind(Records::Both);
    let web = Web::nginx(site.path(), &site.identity(), "", SERVED);
    for (config, cause, path) in worlds {
        let project = site.path().join(cause);
        std::fs::create_dir_all(project.join("monitoring")).expect("a folder");
        std::fs::write(project.join("app.py"), code).expect("written");
        std::fs::write(project.join("requirements.txt"), "flask==3.0.0\n").expect("written");
        std::fs::write(project.join("monitoring/gatus.yaml"), config).expect("written");
        let report = report_with_project(&site, Some(&web), &project);
        let asked = array(&report["target"]["endpoints"]).iter().find(|e| e["path"] == path);
        assert_eq!(asked.map(|e| &e["source"]), Some(&Value::from("monitored")), "{cause}: {report:#}");
        let first = &report["causes"][0];
        assert_eq!(first["id"], cause, "{:#}", report["causes"]);
        let told =
            array(&first["for"]).iter().any(|a| text(&a["say"]).contains("gatus (monitoring/gatus.yaml:3)"));
        assert!(told, "{first:#}");
    }
}

/// The report of an audit that reads a folder and runs nothing of it.
fn report_with_project(site: &Site, web: Option<&Web>, project: &std::path::Path) -> Value {
    let mut words: Vec<String> =
        ["audit", "https://api.example.test", "--project", &project.display().to_string()]
            .into_iter()
            .chain(["--skip", "tests,rate-limit", "--quiet", "--format", "json", "--fail-on", "never"])
            .map(str::to_owned)
            .collect();
    words.extend(site.flags(web));
    let run = common::call::landfall(project, &words);
    serde_json::from_str(&run.stdout).unwrap_or_else(|e| panic!("{e}: {}", run.stderr))
}

// ---------------------------------------------------------------------------------------------- the project's own records

/// A folder with one file below `infra/`.
fn folder_with(site: &Site, name: &str, file: &str, text: &str) -> std::path::PathBuf {
    let project = site.path().join(name);
    std::fs::create_dir_all(project.join("infra")).expect("a folder");
    std::fs::write(project.join("infra").join(file), text).expect("written");
    project
}

fn terraform(name: &str) -> String {
    format!(
        "resource \"digitalocean_domain\" \"main\" {{\n  name = \"example.test\"\n}}\n\nresource \"digitalocean_record\" \"api\" {{\n  domain = digitalocean_domain.main.id\n  type = \"A\"\n  name = \"{name}\"\n  value = \"192.0.2.77\"\n}}\n"
    )
}

#[test]
fn a_record_that_the_projects_files_give_and_the_zone_lacks_is_told_with_its_place() {
    for (records, name, cause, say) in [
        (
            Records::NoApi,
            "api",
            "record-missing",
            "infra/dns.tf:5 gives the zone the record, and it is not there",
        ),
        (
            Records::Doubled,
            "api.example.test",
            "record-name-doubled",
            "infra/dns.tf:5 gives a whole name where the zone's name is appended",
        ),
    ] {
        let site = Site::with_bind(records);
        let project = folder_with(&site, cause, "dns.tf", &terraform(name));
        let report = report_with_project(&site, None, &project);
        let first = &report["causes"][0];
        assert_eq!(first["id"], cause, "{:#}", report["causes"]);
        let told = array(&first["for"]).iter().any(|a| text(&a["say"]).contains(say));
        assert!(told, "{first:#}");
        assert_eq!(report["unexplained"], serde_json::json!([]), "{cause}");
        let finding = array(&report["findings"]).iter().find(|f| f["code"] == "LF-DNS-051");
        assert!(
            finding.is_some_and(|f| text(&f["title"]).starts_with("infra/dns.tf:5 ")),
            "{:#}",
            report["findings"]
        );
    }
}

#[test]
fn a_record_that_differs_from_the_projects_files_is_told_and_leaves_production_live() {
    let site = Site::with_nsd(Records::Both);
    let backend = Backend::up(site.path());
    let web = Web::nginx(site.path(), &site.identity(), "", &nginx_proxy(backend.address));
    let zone = "api:\n  type: A\n  value: 192.0.2.77\n";
    let project = folder_with(&site, "differs", "example.test.yaml", zone);
    let report = report_with_project(&site, Some(&web), &project);
    assert_eq!(report["verdict"], "live", "{report:#}");
    assert_eq!(report["causes"], serde_json::json!([]));
    let finding = array(&report["findings"]).iter().find(|f| f["code"] == "LF-DNS-051").expect("it is told");
    let title = text(&finding["title"]);
    assert!(title.ends_with("and infra/example.test.yaml:1 says 192.0.2.77"), "{title}");
}
