//! The worlds of the acceptance case as evidence, for tests of the judgement: what an audit of each would have seen.
//!
//! A test takes a world, changes what its rule looks at, and judges.

use std::net::SocketAddr;

use jiff::{SignedDuration, Timestamp};
use landfall_evidence::*;

use crate::testkit::response;
use crate::{Catalogue, Diagnosis, Finding, diagnose};

pub(crate) const HOST: &str = "api.levqor.ai";
pub(crate) const V4: &str = "104.21.14.105";
pub(crate) const V4_OTHER: &str = "172.67.158.164";
pub(crate) const V6: &str = "2606:4700:3032::ac43:9ea4";

const HEALTH: &str = "/health";
const SUPPORT: &str = "/api/support/health";
const STRIPE: &str = "/api/webhooks/stripe/health";
const POST: &str = "/api/webhooks/stripe/checkout-completed";
const CORE: &str = "/api/v1/projects";
pub(crate) const CONTROL: &str = "/landfall-control-3f9a0c11d2e4";

const FLASK_404: &str = "<!doctype html>\n<html lang=en>\n<title>404 Not Found</title>\n<h1>Not Found</h1>\n<p>The requested URL was not found on the server. If you entered the URL manually please check your spelling and try again.</p>\n";

/// Evidence under construction.
#[derive(Clone)]
pub(crate) struct World(pub(crate) Evidence);

/// What one backend answers on a path.
type Answers = fn(&str) -> HttpResponse;

fn json(status: u16, body: &str) -> HttpResponse {
    response(status).header("content-type", "application/json").body(body).build()
}

/// The application, as it answers on this machine.
pub(crate) fn application(path: &str) -> HttpResponse {
    match path {
        HEALTH => json(200, r#"{"ok":true,"ts":1763221933}"#),
        SUPPORT => json(
            200,
            r#"{"openai_configured":true,"status":"ok","telegram_configured":true,"whatsapp_configured":false}"#,
        ),
        STRIPE => json(
            200,
            r#"{"endpoint":"/api/webhooks/stripe/checkout-completed","ok":true,"service":"stripe_checkout_webhook"}"#,
        ),
        POST => json(405, r#"{"error":{"type":"MethodNotAllowed","status":405,"correlation_id":"a"}}"#),
        CORE => json(401, r#"{"error":{"type":"Unauthorized","status":401,"correlation_id":"a"}}"#),
        _ => response(404).header("content-type", "text/html; charset=utf-8").body(FLASK_404).build(),
    }
}

/// The platform's router without a deployment for the host.
pub(crate) fn no_deployment(_: &str) -> HttpResponse {
    response(404)
        .header("content-type", "text/plain; charset=utf-8")
        .header("content-length", "9")
        .body("Not Found")
        .build()
}

/// An older build: no webhook routes.
pub(crate) fn older_build(path: &str) -> HttpResponse {
    match path {
        STRIPE | POST => json(404, r#"{"error":{"type":"NotFound","status":404,"correlation_id":"b"}}"#),
        _ => application(path),
    }
}

/// Health is green, the core route fails.
pub(crate) fn hollow(path: &str) -> HttpResponse {
    match path {
        CORE => json(500, r#"{"error":{"type":"InternalServerError","status":500,"correlation_id":"c"}}"#),
        _ => application(path),
    }
}

/// A website on every path.
pub(crate) fn website(_: &str) -> HttpResponse {
    let page = "<!doctype html><html><head><title>Levqor</title></head><body><div id=\"__next\">Automation</div></body></html>";
    response(200).header("content-type", "text/html; charset=utf-8").body(page).build()
}

fn at_the_edge(mut response: HttpResponse) -> HttpResponse {
    let mut add =
        |name: &str, value: &str| response.headers.push(Header { name: name.into(), value: value.into() });
    add("via", "1.1 google");
    add("server", "cloudflare");
    add("cf-ray", "99efe9be3fc9322f-SEA");
    add("cf-cache-status", "DYNAMIC");
    add("alt-svc", "h3=\":443\"; ma=86400");
    add("date", "Sat, 15 Nov 2025 15:51:50 GMT");
    response
}

fn on_the_platform(mut response: HttpResponse) -> HttpResponse {
    response.headers.push(Header { name: "via".into(), value: "1.1 google".into() });
    response
}

/// The limiter's refusal, made by the edge itself.
pub(crate) fn refusal() -> HttpResponse {
    let body = "error code: 1015";
    let response =
        response(429).header("content-type", "text/plain; charset=UTF-8").header("retry-after", "10");
    response.header("server", "cloudflare").header("cf-ray", "99efe9c7-SEA").body(body).build()
}

/// Nothing is deployed; the tests cannot be loaded; five requests pass in ten seconds.
pub(crate) fn undeployed() -> World {
    world(no_deployment, Some(no_deployment), false, 5)
}

/// As undeployed, and nobody knows the platform's own name.
pub(crate) fn origin_unknown() -> World {
    world(no_deployment, None, false, 5)
}

/// All repaired.
pub(crate) fn deployed() -> World {
    world(application, Some(application), true, 0)
}

/// A world by what answers at the edge and under the platform's own name. A limit of 0 is one that was not met.
pub(crate) fn world(edge: Answers, origin: Option<Answers>, tests_fixed: bool, limit: u64) -> World {
    let endpoint = |method: &str, path: &str, keys: &[&str]| Endpoint {
        method: method.into(),
        path: path.into(),
        source: EndpointSource::Declared,
        core: path == CORE,
        expect: Expectation {
            status: if path == CORE { vec![200, 401] } else { Vec::new() },
            content_type: (method == "GET").then(|| "application/json".into()),
            json_keys: keys.iter().map(|k| (*k).into()).collect(),
            within_ms: None,
            ..Expectation::default()
        },
    };
    let url = |text: &str| Some(text.parse().expect("a URL"));
    let target = Target {
        name: "Levqor Backend".into(),
        production: url("https://api.levqor.ai/"),
        origin: origin.and_then(|_| url("https://levqor-backend.replit.app/")),
        edge: None,
        local: url("http://127.0.0.1:8000/"),
        project: Some("/home/runner/workspace".into()),
        frontends: Vec::new(),
        uses: Vec::new(),
        endpoints: vec![
            endpoint("GET", HEALTH, &["ok", "ts"]),
            endpoint("GET", SUPPORT, &[]),
            endpoint("GET", STRIPE, &["endpoint", "ok", "service"]),
            endpoint("POST", POST, &[]),
            endpoint("GET", CORE, &[]),
        ],
    };
    let mut world = World(Evidence {
        schema: SCHEMA.into(),
        tool: Tool { name: "landfall".into(), version: "0.0.0".into() },
        target,
        started_at: now(),
        took_us: 12_000_000,
        settings: Settings {
            timeout_ms: 60_000,
            budget: 60,
            skipped: Vec::new(),
            resolvers: Vec::new(),
            mapped: true,
            user_agent: "Landfall".into(),
            proxy_variables: Vec::new(),
            thresholds: Default::default(),
        },
        requests: Requests::default(),
        observations: Vec::new(),
    });
    world.dns();
    for address in [V4, V4_OTHER] {
        world.tls(Vantage::Edge, HOST, address);
    }
    world.site(Vantage::Local, application);
    if let Some(origin) = origin {
        world.tls(Vantage::Origin, "levqor-backend.replit.app", "34.111.179.208");
        world.site(Vantage::Origin, origin);
    }
    world.site(Vantage::Edge, edge);
    world.comparisons(edge);
    world.limiter(edge, limit);
    world.project();
    world.tests(tests_fixed);
    world
}

pub(crate) fn now() -> Timestamp {
    "2025-11-15T15:51:49Z".parse().expect("a time")
}

impl World {
    /// The diagnosis of this world.
    pub(crate) fn diagnose(&self) -> Diagnosis {
        diagnose(&self.0, Catalogue::embedded())
    }

    /// The findings of one code.
    pub(crate) fn findings(&self, code: &str) -> Vec<Finding> {
        self.diagnose().findings.into_iter().filter(|f| f.code == code).collect()
    }

    /// Adds an observation.
    pub(crate) fn push(&mut self, id: &str, vantage: Vantage, seen: Seen) -> ObservationId {
        let n = self.0.observations.len() as u64;
        let id = ObservationId::from(id);
        self.0.observations.push(Observation {
            id: id.clone(),
            vantage,
            started_us: n * 1000,
            took_us: 500,
            after: None,
            round_trips: 1,
            attempt: 1,
            by_hand: "curl".into(),
            seen,
        });
        id
    }

    /// Removes observations.
    pub(crate) fn without(mut self, wanted: impl Fn(&Observation) -> bool) -> Self {
        self.0.observations.retain(|o| !wanted(o));
        self
    }

    /// Changes every DNS observation.
    pub(crate) fn edit_dns(mut self, edit: impl Fn(&mut DnsObservation)) -> Self {
        for o in &mut self.0.observations {
            if let Seen::Dns(seen) = &mut o.seen {
                edit(seen);
            }
        }
        self
    }

    /// Changes every TLS handshake of the edge.
    pub(crate) fn edit_tls(mut self, edit: impl Fn(&mut TlsHandshake)) -> Self {
        for o in self.0.observations.iter_mut().filter(|o| o.vantage == Vantage::Edge) {
            if let Seen::Tls(TlsObservation { answer: Observed::Present(handshake), .. }) = &mut o.seen {
                edit(handshake);
            }
        }
        self
    }

    /// Changes HTTP observations of the edge.
    pub(crate) fn edit_http(mut self, edit: impl Fn(&mut HttpObservation)) -> Self {
        for o in self.0.observations.iter_mut().filter(|o| o.vantage == Vantage::Edge) {
            if let Seen::Http(seen) = &mut o.seen {
                edit(seen);
            }
        }
        self
    }

    /// Changes the responses of the edge on one path, for all purposes.
    pub(crate) fn edit_response(self, path: &str, edit: impl Fn(&mut HttpResponse)) -> Self {
        self.edit_http(|seen| {
            if seen.request.path == path
                && let Observed::Present(response) = &mut seen.answer
            {
                edit(response);
            }
        })
    }

    /// Changes the project's snapshot.
    pub(crate) fn edit_project(mut self, edit: impl Fn(&mut ProjectSnapshot)) -> Self {
        for o in &mut self.0.observations {
            if let Seen::Project(ProjectObservation { answer: Observed::Present(snapshot), .. }) = &mut o.seen
            {
                edit(snapshot);
            }
        }
        self
    }

    /// Changes the run of the project's own test command.
    pub(crate) fn edit_tests(mut self, edit: impl Fn(&mut TestRun)) -> Self {
        for o in &mut self.0.observations {
            if let Seen::Tests(seen) = &mut o.seen
                && let (TestPurpose::AsDeclared, Observed::Present(run)) = (&seen.purpose, &mut seen.answer)
            {
                edit(run);
            }
        }
        self
    }

    /// Changes the rate-limit probe's run.
    pub(crate) fn edit_limit(mut self, edit: impl Fn(&mut RateLimitRun)) -> Self {
        for o in &mut self.0.observations {
            if let Seen::RateLimit(RateLimitObservation { answer: Observed::Present(run), .. }) = &mut o.seen
            {
                edit(run);
            }
        }
        self
    }

    fn dns(&mut self) {
        let recursive = DnsServer {
            role: DnsServerRole::Recursive,
            name: None,
            address: Some("192.0.2.53:53".parse().expect("an address")),
            connected_to: None,
        };
        let authoritative = DnsServer {
            role: DnsServerRole::Authoritative,
            name: Some("kiki.ns.cloudflare.com".into()),
            address: Some("173.245.58.128:53".parse().expect("an address")),
            connected_to: None,
        };
        let records: [(&str, &str, u32, &[&str]); 5] = [
            (HOST, "A", 300, &[V4, V4_OTHER]),
            (HOST, "AAAA", 300, &[V6, "2606:4700:3030::6815:e69"]),
            ("levqor.ai", "NS", 86_400, &["kiki.ns.cloudflare.com", "rob.ns.cloudflare.com"]),
            (
                "levqor.ai",
                "SOA",
                1800,
                &["kiki.ns.cloudflare.com dns.cloudflare.com 2388641523 10000 2400 604800 1800"],
            ),
            (
                "levqor.ai",
                "CAA",
                300,
                &["0 issue \"pki.goog; cansignhttpexchanges=yes\"", "0 issue \"letsencrypt.org\""],
            ),
        ];
        for server in [recursive, authoritative] {
            for (name, rtype, ttl_s, data) in records {
                let aa = server.role == DnsServerRole::Authoritative;
                let record = |data: &&str| DnsRecord {
                    name: name.into(),
                    rtype: rtype.into(),
                    ttl_s,
                    data: (*data).into(),
                };
                let answer = dns_answer(0, aa, data.iter().map(record).collect());
                let id = format!("dns/{:?}/{name}/{rtype}", server.role);
                self.push(
                    &id,
                    Vantage::Edge,
                    Seen::Dns(dns_seen(&server, name, rtype, Observed::Present(answer))),
                );
            }
        }
    }

    fn tls(&mut self, vantage: Vantage, host: &str, address: &str) {
        let seen = TlsObservation {
            question: TlsQuestion {
                host: host.into(),
                address: socket(address),
                connected_to: None,
                alpn: vec!["h2".into(), "http/1.1".into()],
            },
            answer: Observed::Present(handshake(host)),
        };
        self.push(&format!("tls/{vantage}/{address}"), vantage, Seen::Tls(seen));
    }

    /// The first tier at one vantage: endpoints, control, routes.
    fn site(&mut self, vantage: Vantage, answers: Answers) {
        for endpoint in self.0.target.endpoints.clone() {
            let purpose = if endpoint.is_safe() { Purpose::Endpoint } else { Purpose::RouteExistence };
            self.http(
                vantage,
                purpose,
                &endpoint.path,
                Observed::Present(pass(vantage, answers(&endpoint.path))),
            );
        }
        self.http(vantage, Purpose::Control, CONTROL, Observed::Present(pass(vantage, answers(CONTROL))));
    }

    /// Other addresses, versions, port 80.
    fn comparisons(&mut self, answers: Answers) {
        let answer = || Observed::Present(at_the_edge(answers(HEALTH)));
        self.http_at(Vantage::Edge, Purpose::AddressParity, HEALTH, V4_OTHER, HttpVersion::H2, answer());
        self.http_at(Vantage::Edge, Purpose::AddressParity, HEALTH, V6, HttpVersion::H2, answer());
        for version in [HttpVersion::H1, HttpVersion::H3] {
            let answer = answer().map(|r| HttpResponse { version, ..r });
            self.http_at(Vantage::Edge, Purpose::Version, HEALTH, V4, version, answer);
        }
        let redirect = HttpResponse {
            redirect_to: Some("https://api.levqor.ai/health".into()),
            ..response(301).header("server", "cloudflare").header("cf-ray", "99efe9be-SEA").build()
        };
        self.http_at(
            Vantage::Edge,
            Purpose::PlainHttp,
            HEALTH,
            V4,
            HttpVersion::H1,
            Observed::Present(redirect),
        );
    }

    fn limiter(&mut self, answers: Answers, limit: u64) {
        let mut sequence = Vec::new();
        let own: Vec<(ObservationId, u16)> = self
            .0
            .http()
            .filter(|(o, s)| o.vantage == Vantage::Edge && s.request.purpose == Purpose::Endpoint)
            .filter_map(|(o, s)| Some((o.id.clone(), s.answer.present()?.status)))
            .collect();
        let own_earlier = own.len() as u32;
        for (observation, status) in own {
            let at_us = sequence.len() as u64 * 100_000;
            sequence.push(RateStep { at_us, status: Some(status), refused: false, observation });
        }
        let mut signal = None;
        let added = if limit == 0 { 6 } else { limit + 1 };
        for n in 1..=added {
            let refused = n > limit && limit > 0;
            let response = if refused { refusal() } else { at_the_edge(answers(HEALTH)) };
            let status = response.status;
            let id = format!("http/edge/rate-limit {n}");
            let seen =
                http_seen(Purpose::RateLimit, HEALTH, V4, HttpVersion::H2, Observed::Present(response));
            let observation = self.push(&id, Vantage::Edge, Seen::Http(seen));
            if refused {
                signal = Some(RateSignal {
                    position: sequence.len() as u32 + 1,
                    status,
                    retry_after_s: Some(10),
                    headers: Vec::new(),
                    body: Some("error code: 1015".into()),
                    observation: observation.clone(),
                });
            }
            sequence.push(RateStep {
                at_us: 20_000_000 + n * 100_000,
                status: Some(status),
                refused,
                observation,
            });
        }
        let estimate = RateEstimate {
            limit: Some(if limit == 0 { Interval::at_least(added) } else { Interval::exactly(limit) }),
            window_ms: (limit > 0).then(|| Interval::exactly(10_000)),
            classes: if limit > 0 {
                vec![LimiterClass::FixedWindow, LimiterClass::SlidingLog]
            } else {
                Vec::new()
            },
            confidence_percent: 90,
            open: Vec::new(),
            fit: None,
        };
        let stopped = if limit > 0 { RateStop::FirstRefusal } else { RateStop::SequenceComplete };
        let run = RateLimitRun { sequence, own_earlier, added: added as u32, signal, stopped, estimate };
        let seen = RateLimitObservation {
            url: "https://api.levqor.ai/health".into(),
            answer: Observed::Present(run),
        };
        self.push("rate-limit/edge", Vantage::Edge, Seen::RateLimit(seen));
    }

    fn project(&mut self) {
        let seen = ProjectObservation {
            root: "/home/runner/workspace".into(),
            answer: Observed::Present(Box::new(snapshot())),
        };
        self.push("project/read", Vantage::Workspace, Seen::Project(seen));
    }

    fn tests(&mut self, fixed: bool) {
        let passed = |n| TestCounts { collected: n, passed: n, ..TestCounts::default() };
        let run = |exit, counts, collection_errors| TestRun {
            runner: "pytest".into(),
            exit: Exit::Code { code: exit },
            counts: Some(counts),
            collection_errors,
            failed: Vec::new(),
            output_tail: String::new(),
        };
        let command = "pytest tests/ --tb=short -q";
        if fixed {
            let seen = TestsObservation {
                command: command.into(),
                purpose: TestPurpose::AsDeclared,
                answer: Observed::Present(run(0, passed(9), Vec::new())),
            };
            self.push("tests/run", Vantage::Workspace, Seen::Tests(seen));
            return;
        }
        let error = CollectionError {
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
        };
        let errors = TestCounts { errors: 1, ..TestCounts::default() };
        let declared = TestsObservation {
            command: command.into(),
            purpose: TestPurpose::AsDeclared,
            answer: Observed::Present(run(2, errors, vec![error])),
        };
        self.push("tests/run", Vantage::Workspace, Seen::Tests(declared));
        let remedy = TestsObservation {
            command: format!("PYTHONPATH=. {command}"),
            purpose: TestPurpose::Remedy { what: "with the project folder on the import path".into() },
            answer: Observed::Present(run(0, passed(9), Vec::new())),
        };
        self.push("tests/run#2", Vantage::Workspace, Seen::Tests(remedy));
    }

    /// Adds an HTTP exchange over HTTP/2 at the usual address.
    pub(crate) fn http(
        &mut self,
        vantage: Vantage,
        purpose: Purpose,
        path: &str,
        answer: Observed<HttpResponse>,
    ) -> ObservationId {
        let (address, version) = match vantage {
            Vantage::Local => ("127.0.0.1", HttpVersion::H1),
            Vantage::Origin => ("34.111.179.208", HttpVersion::H2),
            _ => (V4, HttpVersion::H2),
        };
        self.http_at(vantage, purpose, path, address, version, answer)
    }

    fn http_at(
        &mut self,
        vantage: Vantage,
        purpose: Purpose,
        path: &str,
        address: &str,
        version: HttpVersion,
        answer: Observed<HttpResponse>,
    ) -> ObservationId {
        let id = format!("http/{vantage}/{purpose:?} {path}/{version}/{address}");
        self.push(&id, vantage, Seen::Http(http_seen(purpose, path, address, version, answer)))
    }
}

fn pass(vantage: Vantage, response: HttpResponse) -> HttpResponse {
    match vantage {
        Vantage::Edge => at_the_edge(response),
        Vantage::Origin => on_the_platform(response),
        _ => HttpResponse { version: HttpVersion::H1, ..response },
    }
}

fn socket(address: &str) -> SocketAddr {
    SocketAddr::new(address.parse().expect("an address"), 443)
}

fn http_seen(
    purpose: Purpose,
    path: &str,
    address: &str,
    version: HttpVersion,
    answer: Observed<HttpResponse>,
) -> HttpObservation {
    HttpObservation {
        request: HttpRequest {
            method: "GET".into(),
            url: format!("https://{HOST}{path}"),
            path: path.into(),
            version,
            address: Some(socket(address)),
            connected_to: None,
            purpose,
            trial: None,
            headers: Vec::new(),
        },
        answer,
        timings: Timings { wait_us: Some(40_000), ..Timings::default() },
    }
}

pub(crate) fn dns_answer(rcode: u16, authoritative: bool, answers: Vec<DnsRecord>) -> DnsAnswer {
    DnsAnswer {
        rcode,
        rcode_name: match rcode {
            0 => "NOERROR",
            2 => "SERVFAIL",
            3 => "NXDOMAIN",
            5 => "REFUSED",
            _ => "OTHER",
        }
        .into(),
        authoritative,
        recursion_available: !authoritative,
        authentic_data: false,
        truncated: false,
        answers,
        authority: Vec::new(),
        extended_errors: Vec::new(),
        glue: Vec::new(),
        signing: None,
    }
}

pub(crate) fn dns_seen(
    server: &DnsServer,
    name: &str,
    rtype: &str,
    answer: Observed<DnsAnswer>,
) -> DnsObservation {
    let question = DnsQuestion {
        name: name.into(),
        rtype: rtype.into(),
        server: server.clone(),
        transport: DnsTransport::Udp,
        checking_disabled: false,
        dnssec_ok: false,
        manner: DnsManner::Usual,
    };
    DnsObservation { question, answer }
}

fn handshake(host: &str) -> TlsHandshake {
    let (name, age_days, left_days) =
        if host == HOST { ("levqor.ai", 10, 80) } else { ("*.replit.app", 31, 59) };
    let days = |n: i64| SignedDuration::from_hours(24 * n);
    let certificate = |subject: &str, issuer: &str, age: i64, left: i64, is_ca: bool| Certificate {
        subject: format!("CN={subject}"),
        issuer: format!("CN={issuer}"),
        subject_cn: Some(subject.into()),
        issuer_organisation: Some("Google Trust Services".into()),
        serial: "01".into(),
        not_before: now() - days(age),
        not_after: now() + days(left),
        key: PublicKey { algorithm: "ECDSA".into(), size_bit: Some(256), curve: Some("P-256".into()) },
        signature: "ecdsa-with-SHA256".into(),
        san: if is_ca { Vec::new() } else { vec![name.into(), format!("*.{name}")] },
        is_ca,
        self_issued: false,
        aia_issuers: Vec::new(),
        sha256: format!("hash of {subject}"),
        more: None,
    };
    let chain = vec![
        certificate(name, "WE1", age_days, left_days, false),
        certificate("WE1", "GTS Root R4", 500, 1200, true),
        certificate("GTS Root R4", "GlobalSign Root CA", 700, 800, true),
    ];
    let path = chain.iter().map(|c| c.subject.clone()).collect();
    TlsHandshake {
        version: "TLSv1.3".into(),
        cipher_suite: "TLS_AES_256_GCM_SHA384".into(),
        group: Some("X25519MLKEM768".into()),
        alpn: Some("h2".into()),
        chain,
        unparsed: Vec::new(),
        trust: vec![
            TrustPath { store: "--ca-file lab-root.pem".into(), result: TrustResult::Trusted { path } },
            TrustPath {
                store: "webpki-roots 1.0.7".into(),
                result: TrustResult::Refused {
                    reason: TrustRefusal::UnknownIssuer,
                    detail: "UnknownIssuer".into(),
                },
            },
        ],
        name_matches: true,
        chain_count: None,
        chain_byte: None,
    }
}

fn start(port: PortSetting, shell: bool) -> StartCommand {
    let setting = |name: &str, value: &str, variable: &str| ServerSetting {
        name: name.into(),
        value: Some(value.into()),
        variable: Some(variable.into()),
    };
    StartCommand {
        raw: "gunicorn --bind … run:app".into(),
        shell,
        server: Some("gunicorn".into()),
        bind_host: Some("0.0.0.0".into()),
        bind_port: port,
        settings: vec![
            setting("workers", "2", "GUNICORN_WORKERS"),
            setting("threads", "4", "GUNICORN_THREADS"),
            setting("timeout_s", "30", "GUNICORN_TIMEOUT"),
        ],
    }
}

fn snapshot() -> ProjectSnapshot {
    let pinned = |name: &str, version: &str| Dependency {
        name: name.into(),
        version: Some(version.into()),
        requirement: format!("=={version}"),
    };
    let read = |name: &str| SettingRead { name: name.into(), place: "run.py:25".into(), has_default: false };
    let names = ["OPENAI_API_KEY", "STRIPE_SECRET_KEY", "SESSION_SECRET"];
    ProjectSnapshot {
        root: "/home/runner/workspace".into(),
        stacks: vec![Stack {
            language: "python".into(),
            framework: Some(pinned("Flask", "3.0.0")),
            server: Some(pinned("gunicorn", "22.0.0")),
            runtime: Runtime {
                name: "Python".into(),
                wanted: Some("3.11".into()),
                present: Some("3.11.13".into()),
            },
            manifest: Some("requirements.txt".into()),
            lock: None,
            dependencies: vec![pinned("Flask", "3.0.0"), pinned("gunicorn", "22.0.0")],
            dev_dependencies: Vec::new(),
        }],
        entry: Some(EntryFile { path: "run.py".into(), size_byte: 2000, defines: Some("app".into()) }),
        deploy: vec![DeployConfig {
            file: ".replit".into(),
            platform: "replit".into(),
            stage: DeployStage::Production,
            start: Some(start(PortSetting::Variable { name: "PORT".into(), default: Some(5000) }, true)),
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
        settings: SettingsInventory {
            shapes: Vec::new(),
            provided: Vec::new(),
            read: names.iter().map(|n| read(n)).collect(),
            declared: names.iter().map(|n| (*n).into()).collect(),
            declared_in: Some(".env.example".into()),
            present: names.iter().map(|n| (*n).into()).collect(),
        },
        schedulers: vec![Scheduler {
            kind: "APScheduler".into(),
            place: "backend/services/scheduler.py:12".into(),
            jobs: 22,
            starts_at_import: false,
            gated_by: None,
        }],
        git: Some(GitState {
            head: "0123456789abcdef".into(),
            branch: Some("main".into()),
            commits: Vec::new(),
            branches: Vec::new(),
            default_branch: None,
            routes_written: Vec::new(),
            deploy_history: vec![HistoricChange {
                commit: "0123456".into(),
                at: None,
                subject: "Bind the deployment to the port the platform hands out".into(),
                file: ".replit".into(),
                start_before: Some(start(PortSetting::Literal { port: 5000 }, false)),
                start_after: Some(start(
                    PortSetting::Variable { name: "PORT".into(), default: Some(5000) },
                    true,
                )),
            }],
            head_at: None,
            uncommitted: Vec::new(),
            untracked: Vec::new(),
            ahead: None,
            behind: None,
        }),
        ..ProjectSnapshot::default()
    }
}
