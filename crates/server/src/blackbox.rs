//! `/probe`, a drop-in for Prometheus' blackbox_exporter, and the metrics of a check under that exporter's names.
//!
//! The names, labels and types are those of blackbox_exporter (<https://github.com/prometheus/blackbox_exporter>), so that
//! dashboards and alert rules go on working. `probe_failure_info{reason}` is ours: it says why a probe failed, in the
//! closed set of words that the rest of the product uses.
//!
//! Who may ask is who may read `/metrics`: `metrics_from` (loopback by default), and keys with the scope `metrics`. A probe
//! makes this server connect to wherever it is told, so nobody else gets one; the egress guard holds all the same.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::extract::{Query, Request, State};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::{HeaderMap, StatusCode, header};
use landfall_evidence::{HttpVersion, TrustResult};
use landfall_monitor::{
    AuditTarget, Check, CheckResult, DnsCheck, HttpCheck, MonitorSpec, Outcome, Probes, ProbesConfig,
    TcpCheck, TlsCheck,
};
use serde::Deserialize;
use tokio::sync::OnceCell;

use crate::app::App;
use crate::metrics;

/// What a probe may take when the scraper does not say: Prometheus' own default for a scrape.
const TIMEOUT: Duration = Duration::from_secs(10);
/// What is left to the scraper to take the answer in.
const MARGIN: f64 = 0.5;
/// Redirects that the exporter follows.
const REDIRECTS: u8 = 10;

/// `/probe`. The probes are made when the first request comes, with the operator's egress settings.
pub fn router() -> Router<App> {
    route(Arc::default())
}

/// `/probe` over probes that exist already.
pub fn router_with(probes: Arc<Probes>) -> Router<App> {
    route(Arc::new(OnceCell::from(probes)))
}

fn route(probes: Arc<OnceCell<Arc<Probes>>>) -> Router<App> {
    let handler = move |State(app): State<App>, request: Request| {
        let probes = Arc::clone(&probes);
        async move {
            let (mut parts, _) = request.into_parts();
            if let Err(problem) = metrics::reader(&app, &mut parts).await {
                return problem.into_response();
            }
            let Query(asked) = match Query::<Asked>::try_from_uri(&parts.uri) {
                Ok(asked) => asked,
                Err(error) => return (StatusCode::BAD_REQUEST, format!("{error}\n")).into_response(),
            };
            let headers = parts.headers;
            let made = probes.get_or_try_init(|| async {
                let allowed = app.settings.allow_egress.clone();
                // Reading the system's root certificates blocks for some milliseconds.
                let make = move || Probes::new(ProbesConfig::server(allowed)).map(Arc::new);
                tokio::task::spawn_blocking(make).await.map_err(|e| e.to_string())?.map_err(|e| e.to_string())
            });
            match made.await {
                Ok(probes) => probe(&app, probes, &asked, &headers).await,
                Err(error) => {
                    tracing::error!(%error, "the probes cannot be set up");
                    (StatusCode::SERVICE_UNAVAILABLE, "the probes cannot be set up").into_response()
                }
            }
        }
    };
    Router::new().route("/probe", get(handler))
}

/// The query of `/probe`.
#[derive(Debug, Default, Deserialize)]
struct Asked {
    target: Option<String>,
    module: Option<String>,
    hostname: Option<String>,
    debug: Option<String>,
    /// For `dns_udp`: the name to ask for, which a module of the exporter has in its configuration.
    query_name: Option<String>,
    query_type: Option<String>,
}

async fn probe(app: &App, probes: &Probes, asked: &Asked, headers: &HeaderMap) -> Response {
    let bad = |text: String| (StatusCode::BAD_REQUEST, text + "\n").into_response();
    let timeout = match timeout(headers) {
        Ok(timeout) => timeout,
        Err(text) => return bad(text),
    };
    let Some(target) = asked.target.as_deref().filter(|target| !target.is_empty()) else {
        return bad("Target parameter is missing".into());
    };
    let module = asked.module.as_deref().unwrap_or("http_2xx");
    let (check, connect_to) = match declared(module, target, asked) {
        Ok(declared) => declared,
        Err(text) => return bad(text),
    };
    let spec = spec(check, timeout);
    if let Some((at, what)) = spec.problems().into_iter().next() {
        return bad(format!("{}: {what}", at.trim_start_matches("/check")));
    }
    let result = probes.check_at(&spec, connect_to.as_deref(), app.clock.now()).await;
    let mut samples = samples(&spec.check, &result);
    let help = "Returns the timeout of this probe in seconds";
    samples.push(Sample::new("probe_timeout_seconds", help, timeout.as_secs_f64()));
    let metrics = exposition([(&[][..], samples)]);
    let body = if asked.debug.as_deref() == Some("true") {
        let module = serde_json::to_string_pretty(&spec.shown()).unwrap_or_default();
        format!(
            "Logs for the probe:\n{} after {:.6} s: {}\n\n\n\nMetrics that would have been returned:\n{metrics}\n\n\nModule configuration:\n{module}\n",
            result.outcome.word(),
            seconds(result.took_us),
            result.say,
        )
    } else {
        metrics
    };
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], body).into_response()
}

/// The scraper's own timeout, less a moment to take the answer in.
fn timeout(headers: &HeaderMap) -> Result<Duration, String> {
    let Some(value) = headers.get("x-prometheus-scrape-timeout-seconds") else { return Ok(TIMEOUT) };
    let seconds =
        value.to_str().ok().and_then(|text| text.parse::<f64>().ok()).filter(|s| s.is_finite() && *s > 0.0);
    let seconds = seconds.ok_or("Failed to parse timeout from Prometheus header")?;
    let left = if seconds > MARGIN { seconds - MARGIN } else { seconds };
    Ok(Duration::from_secs_f64(left.clamp(0.1, 60.0)))
}

/// The check that a module makes of a target, and the host to connect to where it is another than the named one.
fn declared(module: &str, target: &str, asked: &Asked) -> Result<(Check, Option<String>), String> {
    let hostname = asked.hostname.as_deref().filter(|name| !name.is_empty());
    Ok(match module {
        "http_2xx" | "http" | "https_2xx" | "http_post_2xx" => {
            let method = if module == "http_post_2xx" { "POST" } else { "GET" };
            let full = if target.contains("://") { target.to_owned() } else { format!("http://{target}") };
            let (url, connect_to) = match hostname {
                None => (full, None),
                Some(hostname) => {
                    let mut url = url::Url::parse(&full).map_err(|error| format!("target: {error}"))?;
                    let connect_to = url.host_str().map(str::to_owned);
                    url.set_host(Some(hostname)).map_err(|error| format!("hostname: {error}"))?;
                    (url.to_string(), connect_to)
                }
            };
            let check = HttpCheck {
                url,
                method: method.into(),
                headers: BTreeMap::new(),
                body: None,
                redirects: REDIRECTS,
                assert: Vec::new(),
                degraded_ms: None,
                certificate_days: 0,
                family: None,
            };
            (Check::Http(check), connect_to)
        }
        "tcp_connect" | "tcp" => {
            let (host, port) = host_and_port(target)?;
            (Check::Tcp(TcpCheck { host, port, degraded_ms: None }), None)
        }
        "tls_connect" | "tcp_connect_tls" | "tls" => {
            let (host, port) = host_and_port(target)?;
            let connect_to = hostname.map(|_| host.clone());
            let host = hostname.map_or(host, str::to_owned);
            (Check::Tls(TlsCheck { host, port, certificate_days: 0 }), connect_to)
        }
        "dns_udp" | "dns" => {
            let check = DnsCheck {
                name: asked.query_name.clone().unwrap_or_else(|| ".".into()),
                rtype: asked.query_type.clone().unwrap_or_else(|| "NS".into()),
                server: Some(target.to_owned()),
                contains: Vec::new(),
                exactly: Vec::new(),
                degraded_ms: None,
            };
            (Check::Dns(check), None)
        }
        unknown => return Err(format!("Unknown module {unknown:?}")),
    })
}

fn host_and_port(target: &str) -> Result<(String, u16), String> {
    let wrong = || format!("target {target:?} is not HOST:PORT");
    let (host, port) = target.rsplit_once(':').ok_or_else(wrong)?;
    Ok((host.to_owned(), port.parse().map_err(|_| wrong())?))
}

fn spec(check: Check, timeout: Duration) -> MonitorSpec {
    MonitorSpec {
        name: "probe".into(),
        check,
        interval_s: 60,
        timeout_ms: u32::try_from(timeout.as_millis()).unwrap_or(60_000),
        fail_after: 1,
        recover_after: 1,
        retry_s: None,
        remind_s: None,
        depends_on: Vec::new(),
        channels: None,
        labels: BTreeMap::new(),
        audit: AuditTarget::default(),
        public: false,
    }
}

/// One value of one metric. All of them are gauges.
#[derive(Debug, Clone, PartialEq)]
pub struct Sample {
    /// Its family.
    pub name: &'static str,
    /// What the family means.
    pub help: &'static str,
    /// Labels of its own.
    pub labels: Vec<(&'static str, String)>,
    /// The value.
    pub value: f64,
}

impl Sample {
    fn new(name: &'static str, help: &'static str, value: f64) -> Self {
        Self { name, help, labels: Vec::new(), value }
    }

    fn with(mut self, label: &'static str, value: impl Into<String>) -> Self {
        self.labels.push((label, value.into()));
        self
    }
}

/// One check alone in the text format of Prometheus.
pub fn render(check: &Check, result: &CheckResult) -> String {
    exposition([(&[][..], samples(check, result))])
}

/// Samples in the text format of Prometheus, family by family. Each group's labels go onto all of its samples: a page of
/// many monitors has one group for each.
pub fn exposition<'a>(groups: impl IntoIterator<Item = (&'a [(&'a str, String)], Vec<Sample>)>) -> String {
    let mut families: BTreeMap<&'static str, (&'static str, String)> = BTreeMap::new();
    for (common, samples) in groups {
        for sample in samples {
            let (_, lines) = families.entry(sample.name).or_insert_with(|| (sample.help, String::new()));
            lines.push_str(sample.name);
            let all = common.iter().map(|(k, v)| (*k, v)).chain(sample.labels.iter().map(|(k, v)| (*k, v)));
            let labels: Vec<String> =
                all.map(|(key, value)| format!("{key}=\"{}\"", escaped(value))).collect();
            if !labels.is_empty() {
                // Writing to a String cannot fail.
                let _ = write!(lines, "{{{}}}", labels.join(","));
            }
            let _ = writeln!(lines, " {}", sample.value);
        }
    }
    let mut text = String::new();
    for (name, (help, lines)) in families {
        let _ = write!(text, "# HELP {name} {help}\n# TYPE {name} gauge\n{lines}");
    }
    text
}

/// A label's value (<https://prometheus.io/docs/instrumenting/exposition_formats/>).
fn escaped(value: &str) -> String {
    value.replace('\\', "\\\\").replace('"', "\\\"").replace('\n', "\\n")
}

fn seconds(us: u64) -> f64 {
    us as f64 / 1e6
}

/// The metrics of one check, under the names of blackbox_exporter.
pub fn samples(check: &Check, result: &CheckResult) -> Vec<Sample> {
    let success = matches!(result.outcome, Outcome::Up | Outcome::Degraded);
    let (facts, timings) = (&result.facts, &result.timings);
    let resolve = seconds(timings.resolve_us.unwrap_or(0));
    let mut all = vec![
        Sample::new(
            "probe_success",
            "Displays whether or not the probe was a success",
            f64::from(u8::from(success)),
        ),
        Sample::new(
            "probe_duration_seconds",
            "Returns how long the probe took to complete in seconds",
            seconds(result.took_us),
        ),
        Sample::new(
            "probe_dns_lookup_time_seconds",
            "Returns the time taken for probe dns lookup in seconds",
            if matches!(check, Check::Dns(_)) { 0.0 } else { resolve },
        ),
        Sample::new(
            "probe_ip_protocol",
            "Specifies whether probe ip protocol is IP4 or IP6",
            match facts.address {
                None => 0.0,
                Some(ip) if ip.is_ipv4() => 4.0,
                Some(_) => 6.0,
            },
        ),
        Sample::new(
            "probe_ip_addr_hash",
            "Specifies the hash of IP address. It's useful to detect if the IP address changes.",
            facts.address.map_or(0.0, |ip| f64::from(address_hash(ip))),
        ),
    ];
    if let Some(reason) = result.reason.filter(|_| !success) {
        let help = "Says why the probe failed, or could not tell";
        all.push(Sample::new("probe_failure_info", help, 1.0).with("reason", reason.word()));
    }
    match check {
        Check::Http(_) => http(&mut all, result),
        Check::Tcp(_) | Check::Tls(_) => all.push(regex(false)),
        Check::Dns(_) => dns(&mut all, result),
        Check::Audit(_) => {}
    }
    tls(&mut all, result);
    all
}

fn regex(failed: bool) -> Sample {
    Sample::new(
        "probe_failed_due_to_regex",
        "Indicates if probe failed due to regex",
        f64::from(u8::from(failed)),
    )
}

fn http(all: &mut Vec<Sample>, result: &CheckResult) {
    let (facts, timings) = (&result.facts, &result.timings);
    let phases = [
        ("resolve", timings.resolve_us),
        ("connect", timings.connect_us),
        ("tls", timings.tls_us),
        ("processing", timings.wait_us),
        ("transfer", timings.transfer_us),
    ];
    let help = "Duration of http request by phase, summed over all redirects";
    for (phase, us) in phases {
        let sample = Sample::new("probe_http_duration_seconds", help, seconds(us.unwrap_or(0)));
        all.push(sample.with("phase", phase));
    }
    let version = match facts.http_version {
        None => 0.0,
        Some(HttpVersion::H10) => 1.0,
        Some(HttpVersion::H1) => 1.1,
        Some(HttpVersion::H2) => 2.0,
        Some(HttpVersion::H3) => 3.0,
    };
    let body = result.snapshot.body_byte.map_or(0.0, |n| n as f64);
    let mismatch =
        matches!(result.reason, Some(landfall_monitor::Reason::Body | landfall_monitor::Reason::Header));
    all.extend([
        Sample::new(
            "probe_http_status_code",
            "Response HTTP status code",
            f64::from(result.status.unwrap_or(0)),
        ),
        Sample::new("probe_http_version", "Returns the version of HTTP of the probe response", version),
        Sample::new(
            "probe_http_ssl",
            "Indicates if SSL was used for the final redirect",
            f64::from(u8::from(facts.tls.is_some())),
        ),
        Sample::new(
            "probe_http_redirects",
            "The number of redirects",
            result.snapshot.redirects.len() as f64,
        ),
        Sample::new(
            "probe_http_content_length",
            "Length of http content response",
            // The exporter says -1 for a response without the header, and 0 for none at all.
            match (facts.content_length, result.status) {
                (Some(length), _) => length as f64,
                (None, Some(_)) => -1.0,
                (None, None) => 0.0,
            },
        ),
        Sample::new("probe_http_uncompressed_body_length", "Length of uncompressed response body", body),
        regex(mismatch),
    ]);
    if let Some(at) = facts.last_modified {
        all.push(Sample::new(
            "probe_http_last_modified_timestamp_seconds",
            "Returns the Last-Modified HTTP response header in unixtime",
            at.as_second() as f64,
        ));
    }
}

fn dns(all: &mut Vec<Sample>, result: &CheckResult) {
    // The answer came in one question over UDP, so there is nothing to resolve and nothing to connect.
    let help = "Duration of DNS request by phase";
    let request = seconds(result.timings.resolve_us.unwrap_or(0));
    for (phase, value) in [("resolve", 0.0), ("connect", 0.0), ("request", request)] {
        all.push(Sample::new("probe_dns_duration_seconds", help, value).with("phase", phase));
    }
    let (answers, authority) = result.facts.dns_records.unwrap_or_default();
    let answered = result.facts.dns_records.is_some();
    all.extend([
        Sample::new(
            "probe_dns_answer_rrs",
            "Returns number of entries in the answer resource record list",
            f64::from(answers),
        ),
        Sample::new(
            "probe_dns_authority_rrs",
            "Returns number of entries in the authority resource record list",
            f64::from(authority),
        ),
        Sample::new(
            "probe_dns_query_succeeded",
            "Displays whether or not the query was executed successfully",
            f64::from(u8::from(answered)),
        ),
    ]);
    if let Some(serial) = result.facts.dns_serial {
        all.push(Sample::new("probe_dns_serial", "Returns the serial number of the zone", f64::from(serial)));
    }
}

fn tls(all: &mut Vec<Sample>, result: &CheckResult) {
    let Some((session, judged)) = &result.facts.tls else { return };
    let earliest = judged.chain.iter().map(|certificate| certificate.not_after).min();
    if let Some(earliest) = earliest {
        let earliest = earliest.as_second() as f64;
        let trusted = judged.trust.iter().any(|path| matches!(path.result, TrustResult::Trusted { .. }));
        all.push(Sample::new(
            "probe_ssl_earliest_cert_expiry",
            "Returns last SSL chain expiry in unixtime",
            earliest,
        ));
        // The exporter says the year 1 where no chain verifies.
        all.push(Sample::new(
            "probe_ssl_last_chain_expiry_timestamp_seconds",
            "Returns last SSL chain expiry in timestamp",
            if trusted { earliest } else { -62_135_596_800.0 },
        ));
    }
    if let Some(leaf) = judged.leaf() {
        let names: Vec<&str> =
            leaf.san.iter().map(String::as_str).filter(|name| name.parse::<IpAddr>().is_err()).collect();
        all.push(
            Sample::new("probe_ssl_last_chain_info", "Contains SSL leaf certificate information", 1.0)
                .with("fingerprint_sha256", leaf.sha256.clone())
                .with("issuer", leaf.issuer.clone())
                .with("serialnumber", leaf.serial.clone())
                .with("subject", leaf.subject.clone())
                .with("subjectalternative", names.join(",")),
        );
    }
    let version = session.version().replace("TLSv", "TLS ");
    let help = "Returns the TLS version used or NaN when unknown";
    all.push(Sample::new("probe_tls_version_info", help, 1.0).with("version", version));
    let help = "Returns the TLS cipher negotiated during handshake";
    all.push(Sample::new("probe_tls_cipher_info", help, 1.0).with("cipher", session.cipher_suite()));
}

/// FNV-1a over the address' octets, as the exporter hashes it.
fn address_hash(ip: IpAddr) -> u32 {
    let hash = |octets: &[u8]| {
        octets
            .iter()
            .fold(0x811c_9dc5_u32, |hash, octet| (hash ^ u32::from(*octet)).wrapping_mul(0x0100_0193))
    };
    match ip {
        IpAddr::V4(ip) => hash(&ip.octets()),
        IpAddr::V6(ip) => hash(&ip.octets()),
    }
}

#[cfg(test)]
mod tests;
