//! The worlds of the acceptance case, as evidence.

use landfall_evidence::*;

use super::{World, handshake, records, response, trusted};

/// The seven worlds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Levqor {
    /// Nothing is deployed.
    Undeployed,
    /// Deployed, and the custom host is not attached.
    HostUnbound,
    /// As one of the two, with no origin known.
    OriginUnknown,
    /// An older build is live.
    StaleBuild,
    /// The name leads to the website.
    WrongApp,
    /// Health is green, the core route fails.
    HollowGreen,
    /// All repaired.
    Deployed,
}

impl Levqor {
    /// All worlds.
    pub(crate) const ALL: [Self; 7] = [
        Self::Undeployed,
        Self::HostUnbound,
        Self::OriginUnknown,
        Self::StaleBuild,
        Self::WrongApp,
        Self::HollowGreen,
        Self::Deployed,
    ];
}

const PRODUCTION: &str = "https://api.levqor.ai";
const HOST: &str = "api.levqor.ai";
const CORE: &str = "/api/intelligence/status";
const HOOK: &str = "/api/webhooks/stripe/checkout-completed";
const FLASK_404: &str = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.</p>\n";

/// One world's evidence.
pub(crate) fn levqor(kind: Levqor) -> Evidence {
    world_of(kind).build()
}

/// One world, still open to additions.
pub(crate) fn world_of(kind: Levqor) -> World {
    let mut world = World::new(PRODUCTION);
    world.local("http://127.0.0.1:8000");
    if kind != Levqor::OriginUnknown {
        world.origin("https://levqor-backend.replit.app");
    }
    for (path, keys) in [
        ("/health", &["ok", "ts"][..]),
        ("/api/support/health", &["status"]),
        ("/api/webhooks/stripe/health", &["ok"]),
    ] {
        world.endpoint("GET", path, EndpointSource::Declared, false, keys);
    }
    world.endpoint("GET", CORE, EndpointSource::Declared, true, &["ok"]);
    world.endpoint("POST", HOOK, EndpointSource::Declared, false, &[]);
    dns(&mut world);
    for address in ["104.21.14.105:443", "[2606:4700:3032::ac43:9ea4]:443"] {
        world.tls(address, Observed::Present(handshake(trusted(), true, &["levqor.ai", "*.levqor.ai"])));
    }
    for path in paths() {
        ask(&mut world, Vantage::Local, path, app(path, Vantage::Local));
    }
    for path in paths() {
        let origin = match kind {
            Levqor::Undeployed => nothing(),
            Levqor::StaleBuild if path.contains("stripe/health") => app("/lfz-0123456789ab", Vantage::Origin),
            Levqor::HollowGreen if path == CORE => core_failure(Vantage::Origin),
            _ => app(path, Vantage::Origin),
        };
        if kind == Levqor::OriginUnknown {
            let fault = ProbeFault::NotConfigured {
                what: "the platform's own name for the deployment".into(),
                mend: "set origin in landfall.toml".into(),
            };
            world.http_outcome(Vantage::Origin, purpose(path), path, Observed::Unasked(fault));
        } else {
            ask(&mut world, Vantage::Origin, path, origin);
        }
        let edge = match kind {
            Levqor::Undeployed | Levqor::HostUnbound | Levqor::OriginUnknown => through_edge(nothing()),
            Levqor::StaleBuild if path.contains("stripe/health") => app("/lfz-0123456789ab", Vantage::Edge),
            Levqor::WrongApp => website(),
            Levqor::HollowGreen if path == CORE => core_failure(Vantage::Edge),
            _ => app(path, Vantage::Edge),
        };
        ask(&mut world, Vantage::Edge, path, edge);
    }
    let repaired = kind == Levqor::Deployed;
    limiter(&mut world, !repaired);
    world.project(project());
    tests(&mut world, !repaired);
    world
}

fn paths() -> [&'static str; 6] {
    ["/health", "/api/support/health", "/api/webhooks/stripe/health", CORE, HOOK, "/lfz-0123456789ab"]
}

fn purpose(path: &str) -> Purpose {
    match path {
        HOOK => Purpose::RouteExistence,
        _ if path.starts_with("/lfz-") => Purpose::Control,
        _ => Purpose::Endpoint,
    }
}

fn ask(world: &mut World, vantage: Vantage, path: &str, answer: HttpResponse) {
    world.http(vantage, purpose(path), path, answer);
}

/// The application's answer as it looks from one vantage.
fn app(path: &str, vantage: Vantage) -> HttpResponse {
    let (status, body) = match path {
        "/health" => (200, r#"{"ok":true,"ts":1763221933}"#),
        "/api/support/health" => (
            200,
            r#"{"openai_configured":true,"status":"ok","telegram_configured":true,"whatsapp_configured":false}"#,
        ),
        "/api/webhooks/stripe/health" => (
            200,
            r#"{"endpoint":"/api/webhooks/stripe/checkout-completed","ok":true,"service":"stripe_checkout_webhook"}"#,
        ),
        CORE => (200, r#"{"ok":true,"status":"operational"}"#),
        HOOK => (
            405,
            "<!doctype html>\n<html lang=en>\n<title>405 Method Not Allowed</title>\n<h1>Method Not Allowed</h1>\n<p>The method is not allowed for the requested URL.</p>\n",
        ),
        _ => (404, FLASK_404),
    };
    let plain = response(status);
    let plain = if body.starts_with('{') { plain.json(body) } else { plain.html(body) };
    let plain =
        plain.header("access-control-allow-origin", "https://levqor.ai").header("x-frame-options", "DENY");
    match vantage {
        Vantage::Local => plain.header("server", "gunicorn").build(),
        Vantage::Edge => through_edge(plain.build()),
        _ => behind_google(plain.build()),
    }
}

fn core_failure(vantage: Vantage) -> HttpResponse {
    let plain = response(500).json(r#"{"error":"internal_error"}"#);
    let plain = plain
        .header("access-control-allow-origin", "https://levqor.ai")
        .header("x-frame-options", "DENY")
        .build();
    if vantage == Vantage::Edge { through_edge(plain) } else { behind_google(plain) }
}

fn nothing() -> HttpResponse {
    let plain = response(404)
        .header("content-type", "text/plain; charset=utf-8")
        .header("content-length", "9")
        .body("Not Found")
        .build();
    behind_google(plain)
}

fn behind_google(mut plain: HttpResponse) -> HttpResponse {
    if plain.header("via").is_none() {
        plain.headers.push(Header { name: "via".into(), value: "1.1 google".into() });
    }
    plain.headers.push(Header { name: "date".into(), value: "Sat, 15 Nov 2025 15:51:58 GMT".into() });
    plain
}

fn through_edge(plain: HttpResponse) -> HttpResponse {
    let mut plain = behind_google(plain);
    for (name, value) in [
        ("server", "cloudflare"),
        ("cf-ray", "99efe9be3fc9322f-SEA"),
        ("cf-cache-status", "DYNAMIC"),
        ("alt-svc", "h3=\":443\"; ma=86400"),
        ("nel", "{\"report_to\":\"cf-nel\"}"),
    ] {
        plain.headers.push(Header { name: name.into(), value: value.into() });
    }
    plain
}

fn website() -> HttpResponse {
    let page = "<!DOCTYPE html><html><head><title>Levqor</title><script src=\"/_next/static/x.js\"></script></head><body>Welcome</body></html>";
    let page = response(200).html(page).header("x-powered-by", "Next.js").header("server", "cloudflare");
    page.header("cf-ray", "99efe9be3fc9322f-SEA").header("date", "Sat, 15 Nov 2025 15:51:58 GMT").build()
}

fn dns(world: &mut World) {
    let a = ["104.21.14.105", "172.67.158.164"];
    let aaaa = ["2606:4700:3032::ac43:9ea4", "2606:4700:3030::6815:e69"];
    for (role, server) in
        [(DnsServerRole::Recursive, "192.0.2.53"), (DnsServerRole::Authoritative, "ada.ns.cloudflare.com")]
    {
        let authoritative = role == DnsServerRole::Authoritative;
        world.dns_outcome(role, server, HOST, "A", Observed::Present(records(HOST, "A", &a, authoritative)));
        world.dns_outcome(
            role,
            server,
            HOST,
            "AAAA",
            Observed::Present(records(HOST, "AAAA", &aaaa, authoritative)),
        );
        let ns =
            records("levqor.ai", "NS", &["ada.ns.cloudflare.com", "bob.ns.cloudflare.com"], authoritative);
        world.dns_outcome(role, server, "levqor.ai", "NS", Observed::Present(ns));
    }
}

fn limiter(world: &mut World, tight: bool) {
    let sent = if tight { 5 } else { 23 };
    let mut sequence: Vec<RateStep> = Vec::new();
    let mut signal = None;
    for position in 1..=sent {
        sequence.push(RateStep {
            at_us: position * 100_000,
            status: Some(404),
            refused: false,
            observation: ObservationId("http/edge/Endpoint /health".into()),
        });
    }
    if tight {
        let refusal = response(429).header("server", "cloudflare").header("cf-ray", "99efe9be3fc9322f-SEA");
        let refusal = refusal.header("retry-after", "10").html("<html>slow down</html>").build();
        world.http(Vantage::Edge, Purpose::RateLimit, "/api/support/health", refusal);
        let id = ObservationId("http/edge/RateLimit /api/support/health".into());
        sequence.push(RateStep { at_us: 600_000, status: Some(429), refused: true, observation: id.clone() });
        signal = Some(RateSignal {
            position: 6,
            status: 429,
            retry_after_s: Some(10),
            headers: vec![Header { name: "retry-after".into(), value: "10".into() }],
            body: Some("<html>slow down</html>".into()),
            observation: id,
        });
    }
    let run = RateLimitRun {
        own_earlier: 4,
        added: 2,
        stopped: if tight { RateStop::FirstRefusal } else { RateStop::SequenceComplete },
        estimate: RateEstimate {
            limit: Some(if tight { Interval::exactly(5) } else { Interval::at_least(23) }),
            window_ms: tight.then(|| Interval::exactly(10_000)),
            classes: if tight { vec![LimiterClass::FixedWindow] } else { Vec::new() },
            confidence_percent: 90,
            open: Vec::new(),
            fit: None,
        },
        sequence,
        signal,
    };
    let seen = RateLimitObservation {
        url: format!("{PRODUCTION}/api/support/health"),
        answer: Observed::Present(run),
    };
    world.observe("rate-limit/edge", Vantage::Edge, Seen::RateLimit(seen));
}

fn start(raw: &str, shell: bool, bind_port: PortSetting) -> StartCommand {
    StartCommand {
        raw: raw.into(),
        shell,
        server: Some("gunicorn".into()),
        bind_host: Some("0.0.0.0".into()),
        bind_port,
        settings: Vec::new(),
    }
}

/// The project folder of the case: clean, pushed, with the port change in its history.
pub(crate) fn project() -> ProjectSnapshot {
    let variable = PortSetting::Variable { name: "PORT".into(), default: Some(5000) };
    let now = start("gunicorn --bind 0.0.0.0:${PORT:-5000} run:app", true, variable);
    let before = start("gunicorn --bind 0.0.0.0:5000 run:app", false, PortSetting::Literal { port: 5000 });
    ProjectSnapshot {
        root: "/home/runner/workspace".into(),
        entry: Some(EntryFile { path: "run.py".into(), size_byte: 4096, defines: Some("app".into()) }),
        deploy: vec![DeployConfig {
            file: ".replit".into(),
            platform: "replit".into(),
            stage: DeployStage::Production,
            start: Some(now.clone()),
            ports: vec![PortMap { local: 5000, external: 80 }],
            health_path: None,
            sets: Vec::new(),
            default_host: None,
            build: None,
            root: None,
            regions: Vec::new(),
            replicas: None,
            sets_all: false,
        }],
        routes: vec![Route {
            methods: vec!["GET".into()],
            path: "/api/webhooks/stripe/health".into(),
            place: "backend/routes/stripe.py:12".into(),
        }],
        git: Some(GitState {
            head: "7a2bc41".into(),
            head_at: None,
            branch: Some("main".into()),
            uncommitted: Vec::new(),
            untracked: Vec::new(),
            ahead: Some(0),
            behind: Some(0),
            commits: Vec::new(),
            branches: Vec::new(),
            default_branch: None,
            routes_written: Vec::new(),
            deploy_history: vec![HistoricChange {
                commit: "7a2bc41".into(),
                at: None,
                subject: "Bind to PORT".into(),
                file: ".replit".into(),
                start_before: Some(before),
                start_after: Some(now),
            }],
        }),
        ..ProjectSnapshot::default()
    }
}

fn tests(world: &mut World, broken: bool) {
    let good = TestRun {
        runner: "pytest".into(),
        exit: Exit::Code { code: 0 },
        counts: Some(TestCounts { collected: 9, passed: 9, ..TestCounts::default() }),
        collection_errors: Vec::new(),
        failed: Vec::new(),
        output_tail: "9 passed".into(),
    };
    if !broken {
        world.tests(TestPurpose::AsDeclared, good);
        return;
    }
    world.tests(
        TestPurpose::AsDeclared,
        TestRun {
            exit: Exit::Code { code: 2 },
            counts: Some(TestCounts { errors: 1, ..TestCounts::default() }),
            collection_errors: vec![CollectionError {
                file: "tests/test_tenancy_security.py".into(),
                line: Some(7),
                statement: Some("from run import app".into()),
                exception: "ModuleNotFoundError".into(),
                message: "No module named 'run'".into(),
                gap: Some(ImportGap {
                    module: "run".into(),
                    defined_in: "run.py".into(),
                    missing_path: ".".into(),
                }),
            }],
            output_tail: "1 error".into(),
            ..good.clone()
        },
    );
    world.tests(TestPurpose::Remedy { what: "with the project folder on the import path".into() }, good);
}
