//! What only `landfall http` asks: questions that a diagnosis does not need and a person who looks at HTTP alone does.
//!
//! Each is a trial, one difference from the plain request, so that nothing downstream takes its answer for what a client
//! gets. All of them go one after the other over one connection, where the version can, and the first refusal by a
//! limiter ends them.

use std::collections::BTreeSet;
use std::hash::{BuildHasher as _, RandomState};
use std::time::Instant;

use http::Method;
use landfall_evidence::{Header, HttpVersion, Observation, Purpose, Seen};

use super::exchange::{Began, Question, Seat, Turn, response};
use super::link::Dial;
use super::{Depth, Site, TrialRequest, refused_by_limiter};
use crate::net::Context;

/// Origins of pages that nobody can have meant to allow: RFC 2606 keeps `.invalid` for names that do not exist.
const STRANGER: &str = "https://landfall-control.invalid";

/// Where applications usually say what they are: the routes that they define, and the build.
const SELF_DESCRIPTIONS: [&str; 2] = ["/openapi.json", "/version"];

/// Content codings in use on the web that are asked for one by one (IANA's registry of content codings).
const CODINGS: [&str; 3] = ["gzip", "br", "zstd"];

/// Alternative services that are tried at most; an announcement may hold any number.
const ALTERNATIVES: usize = 2;

/// Asks a site the further questions, after [`super::survey`] has asked the plain ones; `seen` is what that brought.
///
/// About ten requests. Nothing is asked of a site whose plain questions no hop answered, for the further ones would say
/// the same, or of one whose limiter had the last word.
pub async fn deep(ctx: &Context, site: &Site, seen: &[Observation]) -> Vec<Observation> {
    let mut found: Vec<Observation> = Vec::new();
    let Some(plain) = plain(site, seen) else { return found };
    let Seen::Http(http) = &plain.seen else { return found };
    let Some(address) = http.request.address else { return found };
    let Some(dial) = Dial::to(&site.base, address, None) else { return found };
    let path = http.request.path.clone();
    let mut seat = Seat::new(dial, None);
    seat.connect(ctx).await;
    for wanted in questions(&path) {
        let question = question(site, &wanted);
        let after = found.last().map_or_else(|| plain.id.clone(), |before| before.id.clone());
        let turn = Turn { began: Began::At(Instant::now()), after: Some(after), attempt: 1 };
        let answer = seat.ask(ctx, &question, turn).await;
        let over = !asked(&answer) || response(&answer).is_some_and(refused_by_limiter);
        found.push(answer);
        if over {
            return found;
        }
    }
    found.extend(alternatives(ctx, site, &plain, &path, seen).await);
    found
}

/// The answer that the trials are held against: that of the first safe endpoint that is served, else of the first one.
fn plain(site: &Site, seen: &[Observation]) -> Option<Observation> {
    if site.depth != Depth::Full {
        return None;
    }
    let place =
        |path: &str| site.endpoints.iter().position(|e| e.is_safe() && e.method == "GET" && e.path == path);
    let answered = seen.iter().filter(|o| o.vantage == site.vantage).filter_map(|o| match &o.seen {
        Seen::Http(http)
            if http.request.purpose == Purpose::Endpoint && http.request.version != HttpVersion::H3 =>
        {
            let response = http.answer.present().filter(|r| !refused_by_limiter(r))?;
            let served = (200..300).contains(&response.status);
            Some(((!served, place(&http.request.path)?, o.started_us), o))
        }
        _ => None,
    });
    answered.min_by_key(|(rank, _)| *rank).map(|(_, o)| o.clone())
}

fn asked(observation: &Observation) -> bool {
    matches!(&observation.seen, Seen::Http(http) if http.answer.was_asked())
}

fn questions(path: &str) -> Vec<TrialRequest> {
    let trial = |name: &str, method: &str, at: String, headers: &[(&str, &str)]| TrialRequest {
        name: name.to_owned(),
        serial: None,
        method: method.to_owned(),
        path: at,
        plain: path.to_owned(),
        headers: headers
            .iter()
            .map(|(name, value)| Header { name: (*name).to_owned(), value: (*value).to_owned() })
            .collect(),
        host: None,
    };
    let mut all = vec![
        // HEAD is GET without the content (RFC 9110, section 9.3.2).
        trial("head", "HEAD", path.to_owned(), &[]),
        // The connection stands by now, so this one shows the wait of a warm server alone.
        trial("warm", "GET", path.to_owned(), &[]),
        trial("bust", "GET", busting(path), &[]),
    ];
    all.extend(CODINGS.map(|coding| {
        trial(&format!("coding-{coding}"), "GET", path.to_owned(), &[("accept-encoding", coding)])
    }));
    all.push(trial("cors-stranger", "GET", path.to_owned(), &[("origin", STRANGER)]));
    let nowhere = format!("/landfall-control-{:012x}", random() & 0xffff_ffff_ffff);
    all.push(trial(
        "error-form",
        "GET",
        nowhere,
        &[("accept", "application/problem+json, application/json")],
    ));
    all.extend(SELF_DESCRIPTIONS.map(|at| trial("self", "GET", at.to_owned(), &[])));
    all
}

fn random() -> u64 {
    RandomState::new().hash_one(0_u8)
}

/// The same path with a query that no cache has seen. What an earlier run asked may still lie in one.
fn busting(path: &str) -> String {
    let join = if path.contains('?') { '&' } else { '?' };
    format!("{path}{join}landfall-fresh={:08x}", random() & 0xffff_ffff)
}

fn question(site: &Site, wanted: &TrialRequest) -> Question {
    wanted.question(site, Method::from_bytes(wanted.method.as_bytes()).unwrap_or(Method::GET))
}

/// Asks over HTTP/3 where `alt-svc` sends clients, when that is another port of the same host: the port of the site itself
/// was asked already. Another host is left alone.
async fn alternatives(
    ctx: &Context,
    site: &Site,
    plain: &Observation,
    path: &str,
    seen: &[Observation],
) -> Vec<Observation> {
    let own = site.base.port_or_known_default();
    let fields = seen
        .iter()
        .filter(|o| o.vantage == site.vantage)
        .filter_map(response)
        .flat_map(|r| r.headers.iter().filter(|h| h.name == "alt-svc").map(|h| h.value.as_str()));
    let ports: BTreeSet<u16> = fields.flat_map(other_ports).filter(|port| Some(*port) != own).collect();
    let mut found = Vec::new();
    let Seen::Http(http) = &plain.seen else { return found };
    let Some(address) = http.request.address else { return found };
    for port in ports.into_iter().take(ALTERNATIVES) {
        let mut at = address;
        at.set_port(port);
        let Some(dial) = Dial::to(&site.base, at, Some(HttpVersion::H3)) else { continue };
        let wanted = TrialRequest {
            name: format!("alt-svc-{port}"),
            serial: None,
            method: "GET".to_owned(),
            path: path.to_owned(),
            plain: path.to_owned(),
            headers: Vec::new(),
            host: None,
        };
        let turn = Turn { began: Began::WithConnection, after: Some(plain.id.clone()), attempt: 1 };
        let mut seat = Seat::new(dial, None);
        seat.connect(ctx).await;
        found.push(seat.ask(ctx, &question(site, &wanted), turn).await);
    }
    found
}

/// The ports to which an `alt-svc` field leads HTTP/3 on the same host: `h3=":8443"` (RFC 7838, section 3; RFC 9114,
/// section 3.1.1).
fn other_ports(field: &str) -> impl Iterator<Item = u16> {
    field.split(',').filter_map(|entry| {
        let authority = entry.trim().strip_prefix("h3=\"")?;
        authority.split('"').next()?.strip_prefix(':')?.parse().ok()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ports_of_the_same_host_only() {
        let ports = |field: &str| other_ports(field).collect::<Vec<_>>();
        assert_eq!(ports("h3=\":8443\"; ma=86400, h3-29=\":443\", h2=\":444\", h3=\":9\""), [8443, 9]);
        for other in
            ["clear", "", "h3", "h3=", "h3=\"alt.example.test:443\"", "h3=\":99999\"", "h3=\":\"", ",;,=\""]
        {
            assert_eq!(ports(other), [0_u16; 0], "{other}");
        }
    }

    #[test]
    fn a_query_that_is_there_is_kept() {
        assert!(busting("/a?b=c").starts_with("/a?b=c&landfall-fresh="));
        assert!(busting("/a").starts_with("/a?landfall-fresh="));
        assert_ne!(busting("/a"), busting("/a"), "no cache can have seen it");
    }
}
