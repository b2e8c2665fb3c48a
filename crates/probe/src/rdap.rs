//! What the registry says of a domain, by RDAP (RFC 9082, RFC 9083): asked only where the operator names the service.
//!
//! The service is a base URL, to which `domain/NAME` is added (RFC 9082, section 3.1.3), or the word `iana`, which first
//! fetches IANA's list of services (RFC 9224) and takes the one for the domain's top level. Nothing is asked of anybody
//! otherwise: the question tells a third party which domain somebody is looking after.

use std::sync::Arc;
use std::time::Instant;

use jiff::Timestamp;
use landfall_evidence::{
    Denial, Header, HttpResponse, Observation, Observed, Phase, ProbeFault, RdapAnswer, RdapObservation,
    Seen, Vantage,
};
use serde_json::Value;
use url::Url;

use crate::connect::micros;
use crate::http::{Fetched, Request, fetch};
use crate::net::{Context, Limits};
use crate::shell::shell_word;

/// The word that stands for IANA's list.
pub const IANA: &str = "iana";
/// Where IANA publishes the services of the top levels (RFC 9224, section 3).
const BOOTSTRAP: &str = "https://data.iana.org/rdap/dns.json";
/// Status values and name servers kept.
const ITEMS: usize = 32;
/// Longest text kept of one, in characters.
const LENGTH: usize = 128;
/// Redirects followed: registries lead to the registrar's service.
const REDIRECTS: u8 = 3;

/// Asks the service of `registry` (a base URL, or [`IANA`]) for the registered domain of `host`; `None` when the host
/// has none.
pub async fn ask(ctx: &Context, registry: &str, host: &str) -> Option<Observation> {
    ask_by(ctx, registry, BOOTSTRAP, host).await
}

async fn ask_by(ctx: &Context, registry: &str, bootstrap: &str, host: &str) -> Option<Observation> {
    let host = host.trim_end_matches('.').to_ascii_lowercase();
    let domain = psl::domain_str(&host)?.to_owned();
    let started = Instant::now();
    let base = if registry == IANA { service(ctx, bootstrap, &domain).await } else { base(registry) };
    let (url, answer, round_trips) = match base.and_then(|base| question(&base, &domain)) {
        Ok(url) => {
            let fetched = get(ctx, url.clone()).await;
            let asked = u32::try_from(fetched.hops.len()).unwrap_or(u32::MAX);
            // A connection and a handshake come before each question.
            (url.to_string(), read(&fetched, &domain), asked.saturating_mul(3))
        }
        Err(fault) => (registry.to_owned(), Observed::Unasked(fault), 0),
    };
    Some(Observation {
        id: format!("rdap/{domain}").into(),
        vantage: Vantage::ThirdParty,
        started_us: ctx.offset_us(started),
        took_us: micros(started.elapsed()),
        after: None,
        round_trips,
        attempt: 1,
        by_hand: format!("curl -sL -H 'accept: application/rdap+json' {}", shell_word(&url)),
        seen: Seen::Rdap(RdapObservation { domain, url, answer }),
    })
}

fn local(detail: String) -> ProbeFault {
    ProbeFault::Local { detail }
}

fn base(text: &str) -> Result<Url, ProbeFault> {
    Url::parse(text)
        .ok()
        .filter(|url| matches!(url.scheme(), "http" | "https") && url.has_host())
        .ok_or_else(|| local(format!("the RDAP service {text:?} is not an http or https URL")))
}

/// `BASE/domain/NAME`.
fn question(base: &Url, domain: &str) -> Result<Url, ProbeFault> {
    let mut url = base.clone();
    url.path_segments_mut()
        .map_err(|()| local(format!("{base} cannot carry a path")))?
        .pop_if_empty()
        .extend(["domain", domain]);
    Ok(url)
}

async fn get(ctx: &Context, url: Url) -> Fetched {
    // Records and the list are read whole, and are longer than what is kept of a page for people.
    let limits = Limits { body_kept_byte: ctx.limits.body_byte, ..(*ctx.limits).clone() };
    let ctx = &Context { limits: Arc::new(limits), ..ctx.clone() };
    let accept = Header { name: "accept".into(), value: "application/rdap+json, application/json".into() };
    let request = Request {
        method: http::Method::GET,
        url,
        headers: vec![accept],
        body: bytes::Bytes::new(),
        redirects: REDIRECTS,
        family: None,
        connect_to: None,
    };
    fetch(ctx, request, Timestamp::now()).await
}

/// The service for a domain by IANA's list.
async fn service(ctx: &Context, bootstrap: &str, domain: &str) -> Result<Url, ProbeFault> {
    let fetched = get(ctx, base(bootstrap)?).await;
    let answer = &fetched.last().answer;
    let Some(response) = answer.present().filter(|response| response.status == 200) else {
        let what = answer.present().map_or_else(|| answer.describe(), |r| format!("HTTP {}", r.status));
        return Err(local(format!("IANA's list of RDAP services could not be fetched: {what}")));
    };
    let list = json(response).map_err(|why| local(format!("IANA's list of RDAP services: {why}")))?;
    listed(&list, domain).ok_or_else(|| local(format!("IANA lists no RDAP service for {domain}")))
}

/// `{"services": [[["net", "com"], ["https://registry.example/rdap/"]], …]}` (RFC 9224, section 4); the longest match
/// counts, https before http.
fn listed(list: &Value, domain: &str) -> Option<Url> {
    let services = list.get("services")?.as_array()?;
    let fits = |label: &str| domain == label || domain.ends_with(&format!(".{label}"));
    let mut best: Option<(usize, &Value)> = None;
    for service in services {
        let (Some(labels), Some(urls)) = (service.get(0).and_then(Value::as_array), service.get(1)) else {
            continue;
        };
        for label in labels.iter().filter_map(Value::as_str).filter(|label| fits(label)) {
            if best.is_none_or(|(length, _)| label.len() > length) {
                best = Some((label.len(), urls));
            }
        }
    }
    let urls: Vec<Url> =
        best?.1.as_array()?.iter().filter_map(Value::as_str).filter_map(|url| base(url).ok()).collect();
    urls.iter().find(|url| url.scheme() == "https").or(urls.first()).cloned()
}

fn json(response: &HttpResponse) -> Result<Value, String> {
    let text = response.body.text.as_deref().unwrap_or_default();
    if !response.body.complete || text.len() as u64 != response.body.byte_count {
        return Err("the answer is longer than what is read of one".to_owned());
    }
    serde_json::from_str(text).map_err(|error| format!("the answer is not JSON: {error}"))
}

fn read(fetched: &Fetched, domain: &str) -> Observed<RdapAnswer> {
    let response = match &fetched.last().answer {
        Observed::Present(response) => response,
        Observed::Denied(denial) => return Observed::Denied(denial.clone()),
        Observed::Silent(silence) => return Observed::Silent(*silence),
        Observed::Unasked(fault) => return Observed::Unasked(fault.clone()),
    };
    let malformed = |detail: String| Observed::Denied(Denial::Malformed { phase: Phase::Transfer, detail });
    match response.status {
        200 => {}
        // Only where the service says that it speaks RDAP: a mistaken base URL gives 404 for everything.
        404 if rdap_media(response) => return Observed::Present(RdapAnswer::default()),
        status => return malformed(format!("the RDAP service answered HTTP {status}")),
    }
    match json(response) {
        Ok(record) => record_of(&record, domain).map_or_else(malformed, Observed::Present),
        Err(why) => malformed(why),
    }
}

/// Reads a text as a registry's record and as IANA's list: for the fuzz target, and for the replay of what it found.
#[doc(hidden)]
pub fn read_foreign_record(text: &str) {
    let Ok(value) = serde_json::from_str::<Value>(text) else { return };
    if let Ok(answer) = record_of(&value, "example.test") {
        assert!(answer.status.len() <= ITEMS && answer.name_servers.len() <= ITEMS);
    }
    let _ = listed(&value, "example.test");
}

fn rdap_media(response: &HttpResponse) -> bool {
    response.media_type().is_some_and(|media| media == "application/rdap+json")
}

/// Reads a domain object (RFC 9083, section 5.3).
fn record_of(record: &Value, domain: &str) -> Result<RdapAnswer, String> {
    let is_domain = record.get("objectClassName").and_then(Value::as_str) == Some("domain");
    let name = record.get("ldhName").and_then(Value::as_str).map(normal);
    if !is_domain || name.as_deref().is_some_and(|name| name != domain) {
        return Err(format!("the answer is no RDAP record of {domain}"));
    }
    let items = |key: &str| record.get(key).and_then(Value::as_array).into_iter().flatten().take(ITEMS);
    let event = |action: &str| {
        let mut dates = items("events")
            .filter(|event| event.get("eventAction").and_then(Value::as_str) == Some(action))
            .filter_map(|event| event.get("eventDate")?.as_str()?.parse::<Timestamp>().ok());
        dates.next()
    };
    Ok(RdapAnswer {
        registered: true,
        status: items("status").filter_map(Value::as_str).map(short).collect(),
        expires: event("expiration"),
        changed: event("last changed"),
        name_servers: items("nameservers").filter_map(|ns| ns.get("ldhName")?.as_str()).map(normal).collect(),
    })
}

fn short(text: &str) -> String {
    text.chars().take(LENGTH).map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

fn normal(name: &str) -> String {
    short(name.trim_end_matches('.')).to_ascii_lowercase()
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    use tokio::net::TcpListener;

    use super::*;
    use crate::net::test_context;

    /// A server that gives each path its answer, as media type and body; 404 without RDAP's media type elsewhere.
    async fn serve(answers: Vec<(&'static str, u16, &'static str, String)>) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").await.expect("loopback");
        let address = listener.local_addr().expect("bound");
        tokio::spawn(async move {
            while let Ok((mut stream, _)) = listener.accept().await {
                let mut request = Vec::new();
                let mut buffer = [0; 2048];
                while !request.windows(4).any(|w| w == b"\r\n\r\n") {
                    match stream.read(&mut buffer).await {
                        Ok(0) | Err(_) => break,
                        Ok(n) => request.extend_from_slice(&buffer[..n]),
                    }
                }
                let text = String::from_utf8_lossy(&request).into_owned();
                let path = text.split(' ').nth(1).unwrap_or_default();
                let missing = ("", 404, "text/html", "<h1>no</h1>".to_owned());
                let (_, status, media, body) =
                    answers.iter().find(|(wanted, ..)| *wanted == path).unwrap_or(&missing);
                let head = format!(
                    "HTTP/1.1 {status} X\r\ncontent-type: {media}\r\ncontent-length: {}\r\nconnection: close\r\n\r\n",
                    body.len()
                );
                let _ = stream.write_all([head.as_bytes(), body.as_bytes()].concat().as_slice()).await;
            }
        });
        address
    }

    fn seen(observation: &Observation) -> &RdapObservation {
        match &observation.seen {
            Seen::Rdap(seen) => seen,
            other => panic!("{other:?}"),
        }
    }

    const RDAP: &str = "application/rdap+json";

    fn record() -> String {
        serde_json::json!({
            "objectClassName": "domain", "ldhName": "EXAMPLE.TEST.", "status": ["client hold", "active"],
            "events": [
                { "eventAction": "expiration", "eventDate": "2027-01-02T03:04:05Z" },
                { "eventAction": "last changed", "eventDate": "nonsense" },
            ],
            "nameservers": [{ "objectClassName": "nameserver", "ldhName": "NS1.Example.net" }],
            "entities": [{ "vcardArray": ["vcard", [["fn", {}, "text", "A Person"]]] }],
            "remarks": [{ "description": ["x".repeat(30_000)] }],
        })
        .to_string()
    }

    #[tokio::test]
    async fn a_record_is_read_without_its_persons() {
        let at = serve(vec![("/rdap/domain/example.test", 200, RDAP, record())]).await;
        let asked =
            ask(&test_context(), &format!("http://{at}/rdap/"), "api.example.test").await.expect("a domain");
        let seen = seen(&asked);
        assert_eq!((asked.id.0.as_str(), seen.domain.as_str()), ("rdap/example.test", "example.test"));
        let answer = seen.answer.present().unwrap_or_else(|| panic!("{seen:?}"));
        assert!(answer.registered);
        assert_eq!(answer.status, ["client hold", "active"]);
        assert_eq!(answer.expires.map(|t| t.to_string()).as_deref(), Some("2027-01-02T03:04:05Z"));
        assert_eq!(answer.changed, None);
        assert_eq!(answer.name_servers, ["ns1.example.net"]);
    }

    #[tokio::test]
    async fn no_such_domain_is_an_answer_and_other_refusals_are_none() {
        let at = serve(vec![
            ("/domain/gone.test", 404, RDAP, r#"{"errorCode":404}"#.to_owned()),
            ("/domain/busy.test", 429, RDAP, "{}".to_owned()),
            ("/domain/other.test", 200, RDAP, record()),
            ("/domain/words.test", 200, "text/html", "<html>".to_owned()),
        ])
        .await;
        let ctx = test_context();
        let base = format!("http://{at}");
        let gone = ask(&ctx, &base, "www.gone.test").await.expect("a domain");
        assert_eq!(seen(&gone).answer.present(), Some(&RdapAnswer::default()));
        for (host, why) in [
            ("busy.test", "HTTP 429"),
            ("other.test", "no RDAP record of other.test"),
            ("words.test", "not JSON"),
            ("elsewhere.test", "HTTP 404"),
        ] {
            let asked = ask(&ctx, &base, host).await.expect("a domain");
            let said = seen(&asked).answer.describe();
            assert!(said.contains(why), "{host}: {said}");
        }
        assert_eq!(ask(&ctx, &base, "localhost").await, None);
        let asked = ask(&ctx, "ftp://x", "gone.test").await.expect("a domain");
        assert!(!seen(&asked).answer.was_asked());
    }

    #[tokio::test]
    async fn the_list_of_services_leads_to_the_one_for_the_top_level() {
        let at = serve(vec![("/domain/example.test", 200, RDAP, record())]).await;
        let list = serde_json::json!({ "services": [
            [["example"], ["https://127.0.0.1:1/"]],
            [["test"], [format!("http://{at}/")]],
        ] });
        let list_at = serve(vec![("/dns.json", 200, "application/json", list.to_string())]).await;
        let bootstrap = format!("http://{list_at}/dns.json");
        let asked = ask_by(&test_context(), IANA, &bootstrap, "api.example.test").await.expect("a domain");
        assert!(seen(&asked).answer.present().is_some_and(|a| a.registered), "{asked:?}");
        let asked = ask_by(&test_context(), IANA, &bootstrap, "api.example.invalid").await.expect("a domain");
        assert!(seen(&asked).answer.describe().contains("lists no RDAP service"), "{asked:?}");
    }

    #[test]
    fn the_longest_label_and_https_win() {
        let list = serde_json::json!({ "services": [
            [["uk"], ["https://uk.test/"]],
            [["co.uk"], ["http://co.test/", "https://co.test/x/"]],
            ["broken"],
        ] });
        assert_eq!(listed(&list, "a.co.uk").map(|u| u.to_string()).as_deref(), Some("https://co.test/x/"));
        assert_eq!(listed(&list, "a.uk").map(|u| u.to_string()).as_deref(), Some("https://uk.test/"));
        assert_eq!(listed(&list, "a.auk"), None);
        assert_eq!(
            question(&base("https://co.test/x/").expect("valid"), "a.co.uk").expect("valid").as_str(),
            "https://co.test/x/domain/a.co.uk"
        );
    }
}
