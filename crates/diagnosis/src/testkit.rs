//! Builders of synthetic evidence for tests of this crate.

mod worlds;

use std::collections::BTreeMap;

use jiff::Timestamp;
use landfall_evidence::*;
use url::Url;

pub(crate) use worlds::{Levqor, levqor, project, world_of};

/// When every synthetic audit began.
pub(crate) const STARTED: &str = "2025-11-15T15:51:49Z";

/// Begins an HTTP response.
pub(crate) fn response(status: u16) -> ResponseBuilder {
    ResponseBuilder(HttpResponse {
        version: HttpVersion::H2,
        status,
        headers: Vec::new(),
        body: Body {
            byte_count: 0,
            complete: true,
            cut: None,
            text: Some(String::new()),
            sha256: sha256(""),
            opening: None,
            simhash: None,
            document: None,
            decoded: None,
            read: ReadOnce::default(),
        },
        redirect_to: None,
    })
}

/// An HTTP response in the making.
#[derive(Clone)]
pub(crate) struct ResponseBuilder(HttpResponse);

fn sha256(text: &str) -> String {
    use sha2::{Digest, Sha256};
    Sha256::digest(text).iter().map(|byte| format!("{byte:02x}")).collect()
}

impl ResponseBuilder {
    /// Adds a header field.
    pub(crate) fn header(mut self, name: &str, value: &str) -> Self {
        self.0.headers.push(Header { name: name.into(), value: value.into() });
        self
    }

    /// Sets the body.
    pub(crate) fn body(mut self, text: &str) -> Self {
        self.0.body = Body {
            byte_count: text.len() as u64,
            complete: true,
            cut: None,
            text: Some(text.into()),
            sha256: sha256(text),
            opening: None,
            simhash: None,
            document: None,
            decoded: None,
            read: ReadOnce::default(),
        };
        self
    }

    /// Sets a JSON body with its media type.
    pub(crate) fn json(self, text: &str) -> Self {
        self.header("content-type", "application/json").body(text)
    }

    /// Sets an HTML body with its media type.
    pub(crate) fn html(self, text: &str) -> Self {
        self.header("content-type", "text/html; charset=utf-8").body(text)
    }

    /// Sets the place that a redirect leads to.
    pub(crate) fn redirect(mut self, to: &str) -> Self {
        self.0.redirect_to = Some(to.into());
        self.header("location", to)
    }

    /// The response.
    pub(crate) fn build(self) -> HttpResponse {
        self.0
    }
}

/// Evidence in the making. Observations are a second apart, in the order of the calls.
pub(crate) struct World {
    evidence: Evidence,
    clock_us: u64,
}

impl World {
    /// An audit of a production URL, with nothing observed yet.
    pub(crate) fn new(production: &str) -> Self {
        let url = Url::parse(production).expect("a valid URL");
        Self {
            evidence: Evidence {
                schema: SCHEMA.into(),
                tool: Tool { name: "landfall".into(), version: "0.1.0".into() },
                target: Target {
                    name: url.host_str().unwrap_or("target").into(),
                    production: Some(url),
                    origin: None,
                    edge: None,
                    local: None,
                    project: None,
                    frontends: Vec::new(),
                    endpoints: Vec::new(),
                    uses: Vec::new(),
                },
                started_at: STARTED.parse::<Timestamp>().expect("a valid time"),
                took_us: 5_000_000,
                settings: Settings {
                    timeout_ms: 60_000,
                    budget: 60,
                    skipped: Vec::new(),
                    resolvers: Vec::new(),
                    mapped: false,
                    user_agent: "landfall/0.1.0".into(),
                    proxy_variables: Vec::new(),
                    thresholds: Default::default(),
                },
                requests: Requests { total: 0, by_host: BTreeMap::new() },
                observations: Vec::new(),
            },
            clock_us: 0,
        }
    }

    /// Names the platform's own address of the deployment.
    pub(crate) fn origin(&mut self, url: &str) -> &mut Self {
        self.evidence.target.origin = Some(Url::parse(url).expect("a valid URL"));
        self
    }

    /// Names the local backend.
    pub(crate) fn local(&mut self, url: &str) -> &mut Self {
        self.evidence.target.local = Some(Url::parse(url).expect("a valid URL"));
        self
    }

    /// Adds an endpoint.
    pub(crate) fn endpoint(
        &mut self,
        method: &str,
        path: &str,
        source: EndpointSource,
        core: bool,
        keys: &[&str],
    ) -> &mut Self {
        let json = !keys.is_empty();
        self.evidence.target.endpoints.push(Endpoint {
            method: method.into(),
            path: path.into(),
            source,
            core,
            expect: Expectation {
                status: Vec::new(),
                content_type: json.then(|| "application/json".into()),
                json_keys: keys.iter().map(|key| (*key).to_owned()).collect(),
                within_ms: None,
                ..Expectation::default()
            },
        });
        self
    }

    /// Adds an observation.
    pub(crate) fn observe(&mut self, id: &str, vantage: Vantage, seen: Seen) -> &mut Self {
        self.clock_us += 1_000_000;
        let taken = self
            .evidence
            .observations
            .iter()
            .filter(|o| o.id.0 == id || o.id.0.starts_with(&format!("{id}#")))
            .count();
        let id = if taken == 0 { id.to_owned() } else { format!("{id}#{}", taken + 1) };
        self.evidence.observations.push(Observation {
            id: ObservationId(id),
            vantage,
            started_us: self.clock_us,
            took_us: 20_000,
            after: None,
            round_trips: 1,
            attempt: u32::try_from(taken + 1).unwrap_or(1),
            by_hand: "curl".into(),
            seen,
        });
        self
    }

    /// An HTTP exchange with any outcome.
    pub(crate) fn http_outcome(
        &mut self,
        vantage: Vantage,
        purpose: Purpose,
        path: &str,
        answer: Observed<HttpResponse>,
    ) -> &mut Self {
        let target = &self.evidence.target;
        let (base, address) = match vantage {
            Vantage::Local => (&target.local, "127.0.0.1:8000"),
            Vantage::Origin => (&target.origin, "34.117.33.233:443"),
            _ => (&target.production, "104.21.14.105:443"),
        };
        let url = base.as_ref().map_or_else(|| "https://example.test/".to_owned(), ToString::to_string);
        let seen = HttpObservation {
            request: HttpRequest {
                method: "GET".into(),
                url: format!("{}{path}", url.trim_end_matches('/')),
                path: path.into(),
                version: if vantage == Vantage::Local { HttpVersion::H1 } else { HttpVersion::H2 },
                address: answer.was_asked().then(|| address.parse().expect("a valid address")),
                connected_to: None,
                purpose,
                trial: None,
                headers: Vec::new(),
            },
            timings: Timings { wait_us: answer.present().map(|_| 20_000), ..Timings::default() },
            answer,
        };
        self.observe(&format!("http/{vantage}/{purpose:?} {path}"), vantage, Seen::Http(seen))
    }

    /// An HTTP exchange with a response.
    pub(crate) fn http(
        &mut self,
        vantage: Vantage,
        purpose: Purpose,
        path: &str,
        response: HttpResponse,
    ) -> &mut Self {
        self.http_outcome(vantage, purpose, path, Observed::Present(response))
    }

    /// Changes the last observation, when it is an HTTP exchange.
    pub(crate) fn change_last(&mut self, edit: impl FnOnce(&mut HttpObservation)) -> &mut Self {
        if let Some(Observation { seen: Seen::Http(seen), .. }) = self.evidence.observations.last_mut() {
            edit(seen);
        }
        self
    }

    /// Says within how many milliseconds an endpoint must answer.
    pub(crate) fn within(&mut self, path: &str, limit_ms: u64) -> &mut Self {
        for endpoint in self.evidence.target.endpoints.iter_mut().filter(|e| e.path == path) {
            endpoint.expect.within_ms = Some(limit_ms);
        }
        self
    }

    /// Says which statuses of an endpoint are good.
    pub(crate) fn expect_status(&mut self, path: &str, statuses: &[u16]) -> &mut Self {
        for endpoint in self.evidence.target.endpoints.iter_mut().filter(|e| e.path == path) {
            endpoint.expect.status = statuses.to_vec();
        }
        self
    }

    /// Changes the last observation, which must be an HTTP exchange.
    pub(crate) fn at_address(&mut self, address: &str) -> &mut Self {
        if let Some(Observation { seen: Seen::Http(seen), .. }) = self.evidence.observations.last_mut() {
            seen.request.address = Some(address.parse().expect("a valid address"));
        }
        self
    }

    /// A DNS question with any outcome.
    pub(crate) fn dns_outcome(
        &mut self,
        role: DnsServerRole,
        server: &str,
        name: &str,
        rtype: &str,
        answer: Observed<DnsAnswer>,
    ) -> &mut Self {
        let vantage = if role == DnsServerRole::Recursive { Vantage::ThirdParty } else { Vantage::Edge };
        let seen = DnsObservation {
            question: DnsQuestion {
                name: name.into(),
                rtype: rtype.into(),
                server: DnsServer { role, name: Some(server.into()), address: None, connected_to: None },
                transport: if role == DnsServerRole::System {
                    DnsTransport::SystemCall
                } else {
                    DnsTransport::Udp
                },
                checking_disabled: false,
                dnssec_ok: false,
                manner: DnsManner::Usual,
            },
            answer,
        };
        self.observe(&format!("dns/{role:?}/{server} {rtype} {name}"), vantage, Seen::Dns(seen))
    }

    /// A handshake with the verdict of one root store.
    pub(crate) fn tls(&mut self, address: &str, answer: Observed<TlsHandshake>) -> &mut Self {
        let host = self
            .evidence
            .target
            .production
            .as_ref()
            .and_then(|url| url.host_str())
            .unwrap_or("example.test")
            .to_owned();
        let address = address.parse().expect("a valid address");
        let seen = TlsObservation {
            question: TlsQuestion {
                host,
                address,
                connected_to: None,
                alpn: vec!["h2".into(), "http/1.1".into()],
            },
            answer,
        };
        self.observe(&format!("tls/edge/{address}"), Vantage::Edge, Seen::Tls(seen))
    }

    /// The project folder.
    pub(crate) fn project(&mut self, snapshot: ProjectSnapshot) -> &mut Self {
        let seen =
            ProjectObservation { root: snapshot.root.clone(), answer: Observed::Present(Box::new(snapshot)) };
        self.observe("project", Vantage::Workspace, Seen::Project(seen))
    }

    /// A run of the tests.
    pub(crate) fn tests(&mut self, purpose: TestPurpose, run: TestRun) -> &mut Self {
        let seen = TestsObservation {
            command: "pytest tests/ --tb=short -q".into(),
            purpose,
            answer: Observed::Present(run),
        };
        self.observe("tests", Vantage::Workspace, Seen::Tests(seen))
    }

    /// The evidence.
    pub(crate) fn build(&mut self) -> Evidence {
        self.evidence.clone()
    }
}

/// A DNS answer with records of one type.
pub(crate) fn records(name: &str, rtype: &str, data: &[&str], authoritative: bool) -> DnsAnswer {
    let record =
        |data: &&str| DnsRecord { name: name.into(), rtype: rtype.into(), ttl_s: 300, data: (*data).into() };
    DnsAnswer {
        rcode: 0,
        rcode_name: "NOERROR".into(),
        authoritative,
        recursion_available: !authoritative,
        authentic_data: false,
        truncated: false,
        answers: data.iter().map(record).collect(),
        authority: Vec::new(),
        extended_errors: Vec::new(),
        glue: Vec::new(),
        signing: None,
    }
}

/// A DNS answer that says no, with the SOA of a zone when one is given.
pub(crate) fn negative(
    rcode: u16,
    name: &str,
    soa: Option<&str>,
    authoritative: bool,
    ede: &[u16],
) -> DnsAnswer {
    let mut answer = records("", "A", &[], authoritative);
    answer.rcode = rcode;
    answer.rcode_name = name.into();
    answer.authority = soa
        .map(|zone| DnsRecord {
            name: zone.into(),
            rtype: "SOA".into(),
            ttl_s: 300,
            data: "ns.example.test hostmaster 1 1 1 1 1".into(),
        })
        .into_iter()
        .collect();
    answer.extended_errors =
        ede.iter().map(|code| ExtendedError { code: *code, text: String::new() }).collect();
    answer
}

/// A handshake with one leaf, judged by one store.
pub(crate) fn handshake(result: TrustResult, name_matches: bool, san: &[&str]) -> TlsHandshake {
    let time = |text: &str| text.parse::<Timestamp>().expect("a valid time");
    let expired = matches!(result, TrustResult::Refused { reason: TrustRefusal::Expired, .. });
    TlsHandshake {
        version: "TLSv1.3".into(),
        cipher_suite: "TLS_AES_128_GCM_SHA256".into(),
        group: Some("X25519MLKEM768".into()),
        alpn: Some("h2".into()),
        chain: vec![Certificate {
            subject: format!("CN={}", san.first().unwrap_or(&"example.test")),
            issuer: "C=US, O=Google Trust Services, CN=WE1".into(),
            subject_cn: san.first().map(|name| (*name).to_owned()),
            issuer_organisation: Some("Google Trust Services".into()),
            serial: "01".into(),
            not_before: time("2025-11-05T15:25:57Z"),
            not_after: time(if expired { "2025-11-10T00:00:00Z" } else { "2026-02-03T16:24:26Z" }),
            key: PublicKey { algorithm: "ECDSA".into(), size_bit: Some(256), curve: Some("P-256".into()) },
            signature: "ecdsa-with-SHA256".into(),
            san: san.iter().map(|name| (*name).to_owned()).collect(),
            is_ca: false,
            self_issued: false,
            aia_issuers: vec!["http://i.pki.goog/we1.crt".into()],
            sha256: sha256("leaf"),
            more: None,
        }],
        unparsed: Vec::new(),
        trust: vec![TrustPath { store: "webpki-roots 1.0".into(), result }],
        name_matches,
        chain_count: None,
        chain_byte: None,
    }
}

/// A path that a root store accepts.
pub(crate) fn trusted() -> TrustResult {
    TrustResult::Trusted { path: vec!["leaf".into(), "root".into()] }
}

/// A refusal by a root store.
pub(crate) fn refused(reason: TrustRefusal) -> TrustResult {
    TrustResult::Refused { reason, detail: "as the verifier says".into() }
}
