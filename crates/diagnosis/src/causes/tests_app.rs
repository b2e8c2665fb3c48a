//! Small worlds of the application's and the check's own faults: each cause in front, its look-alikes behind.

use landfall_evidence::*;

use super::rank::{Ranking, rank};
use crate::Label;
use crate::catalogue::Catalogue;
use crate::facts::Facts;
use crate::testkit::*;

fn ranked(evidence: &Evidence) -> Ranking {
    let catalogue = Catalogue::embedded();
    rank(&Facts::derive(evidence, catalogue), catalogue)
}

fn ids(ranking: &Ranking) -> Vec<&str> {
    ranking.causes.iter().map(|cause| cause.id.as_str()).collect()
}

/// A world whose endpoints are declared and whose random path the application itself refuses.
struct Small(World);

impl Small {
    fn new(paths: &[&str]) -> Self {
        let mut world = World::new("https://api.example.test");
        world.local("http://127.0.0.1:8000");
        for path in paths {
            world.endpoint("GET", path, EndpointSource::Declared, false, &[]);
        }
        let mut small = Self(world);
        for vantage in [Vantage::Local, Vantage::Edge] {
            small.0.http(vantage, Purpose::Control, "/lfz-1", not_found());
        }
        small
    }

    /// The same without a random path, for worlds that have one of another kind.
    fn bare(path: &str) -> Self {
        let mut world = World::new("https://api.example.test");
        world.local("http://127.0.0.1:8000");
        world.endpoint("GET", path, EndpointSource::Declared, false, &[]);
        Self(world)
    }

    fn edge(&mut self, path: &str, answer: HttpResponse) -> &mut Self {
        self.0.http(Vantage::Edge, Purpose::Endpoint, path, answer);
        self
    }

    fn local(&mut self, path: &str, answer: HttpResponse) -> &mut Self {
        self.0.http(Vantage::Local, Purpose::Endpoint, path, answer);
        self
    }

    /// A deciding request that was made.
    fn trial(&mut self, name: &str, vantage: Vantage, plain: &str, answer: HttpResponse) -> &mut Self {
        // As an audit asks it: in lower case.
        let asked = if name == "folded" { plain.to_lowercase() } else { plain.to_owned() };
        self.0.http(vantage, Purpose::Trial, &asked, answer);
        self.change(|seen| seen.request.trial = Some(Trial { name: name.into(), plain: plain.into() }));
        self
    }

    /// Changes the last exchange.
    fn change(&mut self, edit: impl FnOnce(&mut HttpObservation)) -> &mut Self {
        self.0.change_last(edit);
        self
    }

    fn build(&mut self) -> Evidence {
        self.0.build()
    }
}

fn good() -> HttpResponse {
    response(200).json(r#"{"ok":true}"#).header("x-app-build", "7").build()
}

fn not_found() -> HttpResponse {
    response(404).json(r#"{"error":{"type":"NotFound","status":404}}"#).header("x-app-build", "7").build()
}

fn status(code: u16) -> ResponseBuilder {
    response(code).header("x-app-build", "7")
}

type Make = fn() -> Evidence;

/// Every cause with a world of its own, and the label that it must have at least.
pub(super) const WORLDS: &[(&str, Label, Make)] = &[
    ("route-trailing-slash", Label::Likely, || {
        let mut w = Small::new(&["/items"]);
        w.0.expect_status("/items", &[200]);
        w.edge("/items", status(307).redirect("https://api.example.test/items/").build());
        w.0.http(Vantage::Edge, Purpose::Redirect, "/items/", good());
        w.build()
    }),
    ("route-trailing-slash", Label::Likely, || {
        let mut w = Small::new(&["/Health"]);
        w.edge("/Health", not_found()).local("/Health", not_found());
        w.trial("slash", Vantage::Edge, "/Health", not_found());
        w.trial("folded", Vantage::Edge, "/Health", good());
        w.build()
    }),
    ("route-missing", Label::Likely, || {
        let mut w = Small::new(&["/v2/items"]);
        w.edge("/v2/items", not_found()).local("/v2/items", not_found());
        for trial in ["slash", "folded", "stripped", "doubled"] {
            w.trial(trial, Vantage::Edge, "/v2/items", not_found());
        }
        w.build()
    }),
    ("route-prefix-mismatch", Label::Likely, || {
        let mut w = Small::new(&["/api/items"]);
        w.edge("/api/items", not_found()).local("/api/items", good());
        w.trial("stripped", Vantage::Edge, "/api/items", not_found());
        w.trial("doubled", Vantage::Edge, "/api/items", good());
        w.build()
    }),
    ("monitor-wrong-url", Label::Likely, || {
        let mut w = Small::new(&["/healthz"]);
        w.edge("/healthz", not_found()).local("/healthz", not_found());
        w.trial("health", Vantage::Edge, "/healthz", good());
        w.build()
    }),
    ("redirect-downgrades-scheme", Label::Likely, || {
        let mut w = Small::new(&["/items", "/health"]);
        w.edge("/items", status(307).redirect("http://api.example.test/items/").build());
        w.edge("/health", good());
        w.build()
    }),
    ("method-not-allowed", Label::Likely, || {
        let mut w = Small::new(&["/orders"]);
        w.edge("/orders", status(405).header("allow", "POST, OPTIONS").build());
        w.local("/orders", status(405).header("allow", "POST, OPTIONS").build());
        w.build()
    }),
    ("monitor-uses-head", Label::Likely, || {
        let mut w = Small::new(&[]);
        w.0.endpoint("HEAD", "/health", EndpointSource::Declared, false, &[]);
        w.edge("/health", status(405).header("allow", "GET").build());
        w.change(|seen| seen.request.method = "HEAD".into());
        w.trial("get", Vantage::Edge, "/health", good());
        w.build()
    }),
    ("redirect-turns-post-into-get", Label::Likely, || {
        let mut w = Small::new(&["/health"]);
        w.0.endpoint("POST", "/orders", EndpointSource::Declared, true, &[]);
        w.edge("/health", good());
        let moved = status(301).redirect("https://api.example.test/orders/").build();
        w.0.http(Vantage::Edge, Purpose::RouteExistence, "/orders", moved);
        w.build()
    }),
    ("host-allow-list-rejects", Label::Confirmed, || {
        let mut w = Small::new(&["/health"]);
        let refused = || {
            response(400)
                .header("content-type", "text/plain; charset=utf-8")
                .body("Invalid host header")
                .build()
        };
        w.edge("/health", refused()).local("/health", good());
        w.trial("own-host", Vantage::Local, "/health", refused());
        w.build()
    }),
    ("cors-origin-not-allowed", Label::Likely, || {
        let mut w = Small::new(&["/items"]);
        w.edge("/items", good());
        w.trial("cors-get", Vantage::Edge, "/items", good());
        w.change(|seen| {
            seen.request
                .headers
                .push(Header { name: "origin".into(), value: "https://app.example.test".into() });
        });
        w.build()
    }),
    ("auth-on-health", Label::Likely, || {
        let mut w = Small::new(&["/health", "/items"]);
        w.edge("/health", status(401).header("www-authenticate", "Basic").build()).local("/health", good());
        w.edge("/items", good()).local("/items", good());
        w.build()
    }),
    ("monitor-expects-200-on-protected-path", Label::Likely, || {
        let mut w = Small::new(&["/admin/stats", "/items"]);
        let asked = || status(401).header("www-authenticate", "Bearer").build();
        w.edge("/admin/stats", asked()).local("/admin/stats", asked());
        w.edge("/items", good()).local("/items", good());
        w.build()
    }),
    ("app-forbids", Label::Likely, || {
        let mut w = Small::new(&["/items", "/health"]);
        let refused = || status(403).json(r#"{"error":"not from this network"}"#).build();
        w.edge("/items", refused())
            .local("/items", refused())
            .edge("/health", good())
            .local("/health", good());
        for trial in ["browser", "curl"] {
            w.trial(trial, Vantage::Edge, "/items", refused());
        }
        w.build()
    }),
    ("monitor-blocked-by-edge", Label::Likely, || {
        let mut w = Small::new(&["/health"]);
        let page = || {
            response(403).header("content-type", "text/html").body("<html><body><h1>403 Forbidden</h1>\nRequest forbidden by administrative rules.\n</body></html>\n").build()
        };
        w.edge("/health", page()).local("/health", good());
        for trial in ["browser", "curl"] {
            w.trial(trial, Vantage::Edge, "/health", good());
        }
        w.build()
    }),
    ("empty-200-from-proxy", Label::Likely, || {
        let mut w = Small::bare("/health");
        let nothing = || response(200).header("server", "Caddy").build();
        w.edge("/health", nothing()).local("/health", good());
        w.0.http(Vantage::Edge, Purpose::Control, "/lfz-2", nothing());
        w.build()
    }),
    ("debug-mode-on", Label::Likely, || {
        let mut w = Small::new(&["/health"]);
        w.edge("/health", good());
        let page = "<!DOCTYPE html>\n<title>Page not found at /x</title><p>Using the URLconf defined in <code>shop.urls</code>, Django tried</p><p>You're seeing this error because you have <code>DEBUG = True</code></p>";
        w.0.http(Vantage::Edge, Purpose::Control, "/lfz-2", response(404).html(page).build());
        w.build()
    }),
    ("health-check-too-deep", Label::Likely, || {
        let mut w = Small::new(&["/health", "/items"]);
        let sick = || status(503).json(r#"{"status":"error","database":"unreachable"}"#).build();
        w.edge("/health", sick()).local("/health", good()).edge("/items", good()).local("/items", good());
        w.build()
    }),
    ("canonical-host-loop", Label::Likely, || {
        let mut w = Small::new(&["/"]);
        w.edge("/", response(301).redirect("https://www.api.example.test/").build());
        w.trial(
            "other-host",
            Vantage::Edge,
            "/",
            response(301).redirect("https://api.example.test/").build(),
        );
        w.change(|seen| {
            seen.request.headers.push(Header { name: "host".into(), value: "www.api.example.test".into() });
        });
        w.build()
    }),
    ("monitor-expects-200-but-redirects", Label::Likely, || {
        let mut w = Small::new(&["/health"]);
        w.0.expect_status("/health", &[200]);
        w.edge("/health", status(302).redirect("https://api.example.test/api/v1/health").build());
        w.local("/health", status(302).redirect("http://127.0.0.1:8000/api/v1/health").build());
        w.0.http(Vantage::Edge, Purpose::Redirect, "/api/v1/health", good());
        w.build()
    }),
    ("base-url-hardcoded-local", Label::Likely, || {
        let mut w = Small::new(&["/"]);
        w.edge(
            "/",
            response(200)
                .html("<!doctype html><title>Shop</title><script>fetch('http://localhost:5000/api')</script>")
                .build(),
        );
        w.build()
    }),
    ("mixed-content-blocked", Label::Likely, || {
        let mut w = Small::new(&["/"]);
        w.edge(
            "/",
            response(200)
                .html(
                    "<!doctype html><title>Shop</title><script src='http://cdn.example.test/a.js'></script>",
                )
                .build(),
        );
        w.build()
    }),
    ("session-cookie-not-kept", Label::Likely, || {
        let mut w = Small::new(&["/login"]);
        w.edge(
            "/login",
            status(200)
                .html("<!doctype html><form></form>")
                .header("set-cookie", "sid=x; Domain=localhost; Path=/")
                .build(),
        );
        w.build()
    }),
    ("service-worker-serves-old-build", Label::Likely, || {
        let mut w = Small::new(&["/"]);
        w.edge("/", response(200).html("<!doctype html><title>Shop</title><script>navigator.serviceWorker.register('/sw.js')</script>").build());
        let worker = "self.addEventListener('fetch', e => e.respondWith(caches.match(e.request).then(r => r || fetch(e.request))))";
        let script = response(200)
            .header("content-type", "text/javascript")
            .header("cache-control", "public, max-age=31536000")
            .body(worker)
            .build();
        w.0.http(Vantage::Edge, Purpose::Asset, "/sw.js", script);
        w.build()
    }),
    ("response-encoding-broken", Label::Likely, || {
        let mut w = Small::new(&["/items"]);
        let mut coded = good();
        coded.headers.push(Header { name: "content-encoding".into(), value: "gzip".into() });
        coded.body.text = None;
        coded.body.opening = Some("7b226f6b".into());
        w.edge("/items", coded).local("/items", good());
        w.build()
    }),
    ("response-truncated", Label::Likely, || {
        let mut w = Small::new(&["/export", "/health"]);
        let mut cut = status(200).header("content-type", "text/csv").body(&"a,b\n".repeat(4_000)).build();
        cut.body.complete = false;
        cut.body.cut = Some("the peer closed the connection before the end".into());
        w.edge("/export", cut).edge("/health", good()).local("/health", good());
        w.build()
    }),
    ("monitor-keyword-brittle", Label::Likely, || {
        let mut w = Small::new(&[]);
        w.0.endpoint("GET", "/health", EndpointSource::Declared, false, &["ok"]);
        let answer = || status(200).json(r#"{"status":"up"}"#).build();
        w.edge("/health", answer()).local("/health", answer());
        w.build()
    }),
    ("monitor-timeout-too-short", Label::Likely, || {
        let mut w = Small::new(&["/report"]);
        w.0.within("/report", 2_000);
        let slow = |seen: &mut HttpObservation| seen.timings.wait_us = Some(3_100_000);
        w.edge("/report", good()).change(slow).local("/report", good()).change(slow);
        w.build()
    }),
    ("monitor-sees-cached-page", Label::Likely, || {
        let mut w = Small::new(&["/health"]);
        let mut hit = good();
        hit.headers.push(Header { name: "x-cache".into(), value: "HIT".into() });
        w.edge("/health", hit);
        let page = "<html>\r\n<head><title>502 Bad Gateway</title></head>\r\n<body>\r\n<center><h1>502 Bad Gateway</h1></center>\r\n<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n";
        let dead =
            || response(502).header("server", "nginx").header("content-type", "text/html").body(page).build();
        w.0.http(Vantage::Edge, Purpose::Control, "/lfz-2", dead());
        w.trial("bust", Vantage::Edge, "/health", dead());
        w.build()
    }),
    ("monitor-flaps-on-one-sample", Label::Likely, || {
        let mut w = Small::new(&["/health", "/items"]);
        w.0.http_outcome(
            Vantage::Edge,
            Purpose::Endpoint,
            "/health",
            Observed::Denied(Denial::Reset { phase: Phase::Wait }),
        );
        w.edge("/items", good());
        for _ in 0..5 {
            w.trial("again", Vantage::Edge, "/health", good());
        }
        w.build()
    }),
    ("probe-ca-bundle-stale", Label::Likely, || {
        let mut w = Small::new(&["/health"]);
        w.edge("/health", good());
        let mut shake = handshake(trusted(), true, &["api.example.test"]);
        let refused = TrustResult::Refused { reason: TrustRefusal::UnknownIssuer, detail: String::new() };
        shake.trust.push(TrustPath { store: "system (3 roots)".into(), result: refused });
        w.0.tls("192.0.2.10:443", Observed::Present(shake));
        w.build()
    }),
    ("system-proxy-in-path", Label::Likely, || {
        let mut w = Small::new(&["/health"]);
        w.edge("/health", good());
        let refused = TrustResult::Refused { reason: TrustRefusal::UnknownIssuer, detail: String::new() };
        let mut shake = handshake(refused, true, &["api.example.test"]);
        shake.chain[0].issuer = "CN=Zscaler Intermediate Root CA, O=Zscaler Inc.".into();
        shake.chain[0].issuer_organisation = Some("Zscaler Inc.".into());
        w.0.tls("192.0.2.10:443", Observed::Present(shake));
        w.build()
    }),
];

#[test]
fn each_world_has_its_cause_in_front() {
    let mut wrong = Vec::new();
    for (n, (want, least, make)) in WORLDS.iter().enumerate() {
        let ranking = ranked(&make());
        match ranking.causes.first() {
            Some(first) if first.id == *want && first.label >= *least => {}
            Some(first) => wrong.push(format!(
                "{n} {want}: {} is {:?}, {} db; all {:?}; rivals {:?}",
                first.id,
                first.label,
                first.score_db,
                ids(&ranking),
                first.rivals.iter().map(|r| (&r.id, r.label)).collect::<Vec<_>>()
            )),
            None => wrong.push(format!("{n} {want}: nothing is named; symptoms {:?}", {
                let facts = Facts::derive(&make(), Catalogue::embedded());
                facts
                    .symptoms()
                    .map(|f| format!("{} {} {:?}", f.key, f.subject, f.known()))
                    .collect::<Vec<_>>()
            })),
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// Odd, and as it should be: nothing is named.
const HEALTHY: &[(&str, Make)] = &[
    ("an empty health answer of an application that knows its paths", || {
        let mut w = Small::new(&["/ping"]);
        w.edge("/ping", status(200).build()).local("/ping", status(200).build());
        w.build()
    }),
    ("a redirect that the check expects", || {
        let mut w = Small::new(&[]);
        w.0.endpoint("GET", "/", EndpointSource::Declared, false, &[]);
        w.0.expect_status("/", &[301]);
        w.edge("/", response(301).redirect("https://www.api.example.test/").build());
        w.build()
    }),
    ("the apex sends to www", || {
        let mut w = Small::new(&["/"]);
        w.edge("/", response(301).redirect("https://www.api.example.test/").build());
        w.trial(
            "other-host",
            Vantage::Edge,
            "/",
            response(200).html("<!doctype html><title>Shop</title>").build(),
        );
        w.change(|seen| {
            seen.request.headers.push(Header { name: "host".into(), value: "www.api.example.test".into() });
        });
        w.build()
    }),
    ("guarded on every route, and the check expects it", || {
        let mut w = Small::new(&["/items"]);
        w.0.expect_status("/items", &[401]);
        w.edge("/items", status(401).header("www-authenticate", "Bearer").build());
        w.build()
    }),
    ("HEAD is answered", || {
        let mut w = Small::new(&[]);
        w.0.endpoint("HEAD", "/health", EndpointSource::Declared, false, &["ok"]);
        w.edge("/health", status(200).header("content-type", "application/json").build());
        w.change(|seen| seen.request.method = "HEAD".into());
        w.build()
    }),
    ("a POST path that refuses GET", || {
        let mut w = Small::new(&["/health"]);
        w.0.endpoint("POST", "/hook", EndpointSource::Declared, false, &[]);
        w.edge("/health", good());
        let refused = status(405).header("allow", "POST, OPTIONS").build();
        w.0.http(Vantage::Edge, Purpose::RouteExistence, "/hook", refused);
        w.build()
    }),
    ("a page with hashed scripts, a worker that takes over, and cookies in order", || {
        let mut w = Small::new(&["/"]);
        let page = "<!doctype html><title>Error tracking</title><a href='http://partner.example.test/'>x</a><script src='/a.9f2c.js'></script><script>navigator.serviceWorker.register('/sw.js')</script>";
        w.edge(
            "/",
            response(200)
                .html(page)
                .header("cache-control", "no-cache")
                .header("set-cookie", "sid=x; Path=/; Secure; SameSite=Lax")
                .build(),
        );
        let script = |text: &str, cache: &str| {
            response(200)
                .header("content-type", "text/javascript")
                .header("cache-control", cache)
                .body(text)
                .build()
        };
        w.0.http(
            Vantage::Edge,
            Purpose::Asset,
            "/a.9f2c.js",
            script("fetch('/api')", "public, max-age=31536000, immutable"),
        );
        w.0.http(
            Vantage::Edge,
            Purpose::Asset,
            "/sw.js",
            script("self.skipWaiting(); caches.match(1)", "no-cache"),
        );
        w.build()
    }),
    ("proxy variables are set, and everything answers", || {
        let mut w = Small::new(&["/health"]);
        w.edge("/health", good());
        let mut evidence = w.build();
        evidence.settings.proxy_variables = vec!["HTTPS_PROXY".into()];
        evidence
    }),
    ("a browser may call", || {
        let mut w = Small::new(&["/items"]);
        w.edge("/items", good());
        let mut allowed = good();
        allowed.headers.push(Header { name: "access-control-allow-origin".into(), value: "*".into() });
        w.trial("cors-get", Vantage::Edge, "/items", allowed);
        w.change(|seen| {
            seen.request
                .headers
                .push(Header { name: "origin".into(), value: "https://app.example.test".into() });
        });
        w.build()
    }),
];

#[test]
fn what_is_odd_and_right_has_no_cause() {
    let mut wrong = Vec::new();
    for (what, make) in HEALTHY {
        let ranking = ranked(&make());
        if !ranking.causes.is_empty() {
            wrong.push(format!("{what}: {:?}", ids(&ranking)));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}
