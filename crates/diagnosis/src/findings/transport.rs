//! How production is reached: HTTP versions, the name's addresses, port 80.

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::{
    Denial, EndpointSource, HttpObservation, HttpResponse, HttpVersion, Observation, ObservationId, Observed,
    Phase, Purpose, Vantage,
};
use url::Url;

use super::{codes, raise};
use crate::Finding;
use crate::case::Case;
use crate::facts::build_marks;
use crate::fields::{AltSvc, Alternative, joined};
use crate::thresholds;
use crate::view::keys;
use crate::words::in_words;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found = versions(case);
    found.extend(version_fails(case));
    found.extend(addresses_differ(case));
    found.extend(contents_differ(case));
    found.extend(plain_http(case));
    found.extend(off_host(case));
    found.extend(method_lost(case));
    found.extend(long_chain(case));
    found
}

/// HTTP/2 and HTTP/3: offered, not offered, or announced and dead.
fn versions(case: &Case<'_>) -> Vec<Finding> {
    // Port 80 speaks HTTP/1.1 to redirect; that says nothing of what is spoken over TLS.
    let edge: Vec<_> = case
        .evidence()
        .http()
        .filter(|(o, s)| o.vantage == Vantage::Edge && s.request.purpose != Purpose::PlainHttp)
        .collect();
    let spoken: BTreeSet<HttpVersion> =
        edge.iter().filter_map(|(_, s)| Some(s.answer.present()?.version)).collect();
    if spoken.is_empty() || case.production().is_some_and(|url| url.scheme() == "http") {
        return Vec::new();
    }
    let tls_h2 = case.evidence().tls().filter(|(o, _)| o.vantage == Vantage::Edge).filter_map(|(o, s)| {
        let asked = s.question.alpn.iter().any(|p| p == "h2");
        Some((&o.id, s.answer.present().filter(|_| asked)?.alpn.as_deref() == Some("h2")))
    });
    let tls_h2: Vec<(&ObservationId, bool)> = tls_h2.collect();
    let asked_for = |version: HttpVersion| edge.iter().filter(move |(_, s)| s.request.version == version);
    let mut found = Vec::new();
    if !spoken.contains(&HttpVersion::H2) && !tls_h2.iter().any(|(_, h2)| *h2) {
        let mut proof: Vec<ObservationId> = tls_h2.iter().map(|(id, _)| (*id).clone()).collect();
        let refused =
            |s: &Observed<HttpResponse>| matches!(s, Observed::Denied(Denial::VersionNotOffered { .. }));
        proof.extend(
            asked_for(HttpVersion::H2).filter(|(_, s)| refused(&s.answer)).map(|(o, _)| o.id.clone()),
        );
        if !proof.is_empty() {
            found.push(raise(
                &codes::HTTP_NO_H2,
                "HTTP/2 is not offered",
                "Clients open several connections where one would do.",
                "Enable HTTP/2 at the edge.",
                proof,
            ));
        }
    }
    if !spoken.contains(&HttpVersion::H3) {
        let port = case.production().and_then(Url::port_or_known_default);
        let announcing = edge.iter().find_map(|(o, s)| Some((*o, announced(s.answer.present()?)?)));
        let promised = record_promises_h3(case);
        let tried: Vec<_> = asked_for(HttpVersion::H3).filter(|(_, s)| s.answer.was_asked()).collect();
        let proof = |extra: Option<&Observation>| -> Vec<ObservationId> {
            tried.iter().map(|(o, _)| o.id.clone()).chain(extra.map(|o| o.id.clone())).collect()
        };
        // Where the announcement leads to another port, the deep look has asked there.
        let elsewhere = announcing.as_ref().filter(|(_, h3)| Some(h3.port) != port);
        let there = elsewhere.and_then(|(_, h3)| alternative(case, h3.port));
        match (&announcing, there, tried.first()) {
            (Some((o, h3)), Some(there), _) => found.extend(
                there
                    .1
                    .answer
                    .present()
                    .is_none()
                    .then(|| dead(case, h3, &there.1.answer, vec![there.0.id.clone(), o.id.clone()])),
            ),
            (Some(_), None, _) if elsewhere.is_some() => {}
            (Some((o, h3)), None, Some((_, first))) => {
                found.push(dead(case, h3, &first.answer, proof(Some(*o))))
            }
            (None, _, first) => {
                if let (Some((o, _)), Some((_, first))) = (&promised, first) {
                    found.push(raise(
                        &codes::HTTP_RECORD_H3_DEAD,
                        format!("The HTTPS record promises HTTP/3, but: {}", first.answer.describe()),
                        "Clients begin with UDP, wait, and fall back. This network may also be the one that blocks UDP.",
                        "Open UDP 443, or take h3 out of the record's alpn; try from a second network first.",
                        proof(Some(*o)),
                    ));
                } else {
                    found.push(raise(
                        &codes::HTTP_NO_H3,
                        "HTTP/3 is not offered",
                        "One more round trip in each new connection.",
                        "Enable HTTP/3 at the edge where it is on offer.",
                        match edge.iter().find(|(_, s)| s.answer.present().is_some()) {
                            Some((o, _)) => proof(Some(*o)),
                            None => proof(None),
                        },
                    ));
                }
            }
            (Some(_), None, None) => {}
        }
    }
    found
}

fn dead(
    case: &Case<'_>,
    h3: &Alternative,
    answer: &Observed<HttpResponse>,
    evidence: Vec<ObservationId>,
) -> Finding {
    let days = h3.max_age_s / 86_400;
    let long = if h3.max_age_s > case.limit(&thresholds::H3_MAX_AGE) {
        format!("; clients keep to the announcement for {days} days {}", case.source(&thresholds::H3_MAX_AGE))
    } else {
        String::new()
    };
    raise(
        &codes::HTTP_H3_DEAD,
        format!("HTTP/3 is announced for UDP {}, but: {}{long}", h3.port, answer.describe()),
        "Clients that follow the announcement lose time before they fall back. This network may also be the one that blocks UDP.",
        "Open the port for UDP, or stop announcing HTTP/3 (Alt-Svc: clear takes it back); try from a second network first.",
        evidence,
    )
}

/// HTTP/3 at the site's own host, as `alt-svc` announces it.
fn announced(response: &HttpResponse) -> Option<Alternative> {
    AltSvc::parse(&joined(response, "alt-svc")?)?.h3().cloned()
}

/// The deep look's question at another port.
fn alternative<'a>(case: &Case<'a>, port: u16) -> Option<(&'a Observation, &'a HttpObservation)> {
    let name = format!("alt-svc-{port}");
    case.evidence().trials().find(|(o, seen)| {
        o.vantage == Vantage::Edge
            && seen.request.trial.as_ref().is_some_and(|trial| trial.name == name)
            && seen.answer.was_asked()
    })
}

/// The HTTPS record that names `h3` among the protocols of the site (RFC 9460, section 7.1).
fn record_promises_h3<'a>(case: &Case<'a>) -> Option<(&'a Observation, &'a str)> {
    let host = case.production_name()?;
    case.evidence().dns().filter(|(_, seen)| seen.question.name == host).find_map(|(o, seen)| {
        let answer = seen.answer.present()?;
        let record = answer.data_of("HTTPS").find(|data| names_h3(data))?;
        Some((o, record))
    })
}

fn names_h3(data: &str) -> bool {
    let alpn = data.split_whitespace().find_map(|word| word.strip_prefix("alpn="));
    alpn.is_some_and(|list| {
        list.trim_matches('"').split(',').any(|protocol| protocol.trim_matches('"') == "h3")
    })
}

/// A version that the server takes up and then cannot carry through, where another version gets an answer at the same
/// address. A closed port and a version that is not offered are told elsewhere, and so is UDP that is silent.
fn version_fails(case: &Case<'_>) -> Option<Finding> {
    let mut answered: BTreeMap<Option<std::net::IpAddr>, BTreeSet<HttpVersion>> = BTreeMap::new();
    let mut failed: BTreeMap<HttpVersion, (String, Vec<ObservationId>)> = BTreeMap::new();
    let asked: Vec<_> = case
        .evidence()
        .http()
        .filter(|(o, s)| o.vantage == Vantage::Edge && s.request.purpose != Purpose::PlainHttp)
        .filter(|(o, _)| !case.view.is_refusal(&o.id))
        .collect();
    let address = |seen: &HttpObservation| seen.request.address.map(|a| a.ip());
    for (_, seen) in &asked {
        if let Some(response) = seen.answer.present().filter(|r| r.body.complete || !is_short(r)) {
            answered.entry(address(seen)).or_default().insert(response.version);
        }
    }
    // HTTP/3 that fails is told by what announces it: clients fall back from it, and from the others they do not.
    for (o, seen) in asked.iter().filter(|(_, seen)| seen.request.version != HttpVersion::H3) {
        let version = seen.request.version;
        let why = match &seen.answer {
            Observed::Denied(
                denial @ (Denial::Reset { phase: Phase::Wait | Phase::Transfer }
                | Denial::Closed { phase: Phase::Wait | Phase::Transfer }
                | Denial::Malformed { phase: Phase::Wait | Phase::Transfer, .. }),
            ) => denial.to_string(),
            Observed::Silent(silence) if silence.phase == Phase::Wait && case.view.vantage_is_sane() => {
                silence.to_string()
            }
            Observed::Present(response) if is_short(response) && version == HttpVersion::H2 => {
                response.body.cut.clone().unwrap_or_default()
            }
            _ => continue,
        };
        let here = answered.get(&address(seen));
        let same = here.is_some_and(|versions| versions.contains(&version));
        if here.is_some_and(|versions| versions.iter().any(|v| *v != version)) && !same {
            failed.entry(version).or_insert_with(|| (why, Vec::new())).1.push(o.id.clone());
        }
    }
    let (version, (why, mut ids)) = failed.into_iter().next()?;
    let works = answered.values().flatten().find(|v| **v != version)?;
    ids.extend(
        asked
            .iter()
            .find(|(_, s)| s.answer.present().is_some_and(|r| r.version == *works))
            .map(|(o, _)| o.id.clone()),
    );
    Some(raise(
        &codes::HTTP_VERSION_FAILS,
        format!("{version} is offered and fails ({why}), {works} works"),
        "Clients take the highest version that is offered: browsers fail, and a check that asks in another version stays green.",
        format!("Mend {version} at the hop that offers it, or stop offering it until then."),
        ids,
    ))
}

fn is_short(response: &HttpResponse) -> bool {
    response.body.cut.as_deref().is_some_and(|cut| cut.contains("stopped short"))
}

/// The same question at every address of the name.
fn addresses_differ(case: &Case<'_>) -> Option<Finding> {
    let mut outcomes: BTreeMap<String, Vec<(String, ObservationId)>> = BTreeMap::new();
    for (o, seen) in case.evidence().http_of(Vantage::Edge, Purpose::AddressParity) {
        let outcome = match &seen.answer {
            Observed::Present(_) if case.view.is_refusal(&o.id) => continue,
            Observed::Present(response) => response.status.to_string(),
            Observed::Denied(_) => seen.answer.describe(),
            Observed::Silent(_) if case.view.vantage_is_sane() => seen.answer.describe(),
            _ => continue,
        };
        let address = seen.request.address.map_or_else(|| "an address".to_owned(), |a| a.ip().to_string());
        outcomes.entry(outcome).or_default().push((address, o.id.clone()));
    }
    // The addresses that were used for the endpoints themselves speak for the majority.
    let first = case.view.readings(Vantage::Edge).into_iter().find_map(|r| {
        let (o, seen) = r.at?;
        let response = seen.answer.present().filter(|_| !case.view.is_refusal(&o.id))?;
        Some((response.status.to_string(), seen.request.address?.ip().to_string(), o.id.clone()))
    });
    if let Some((outcome, address, id)) = first {
        outcomes.entry(outcome).or_default().push((address, id));
    }
    if outcomes.len() < 2 {
        return None;
    }
    let words: Vec<String> = outcomes
        .iter()
        .map(|(outcome, at)| {
            let addresses: BTreeSet<&str> = at.iter().map(|(a, _)| a.as_str()).collect();
            format!("{}: {outcome}", in_words(&addresses.into_iter().collect::<Vec<_>>()))
        })
        .collect();
    Some(raise(
        &codes::HTTP_ADDRESSES_DIFFER,
        format!("The name's addresses answer differently ({})", words.join("; ")),
        "What a client gets depends on the address that it picks.",
        "Remove the addresses that are not of this deployment from DNS, or deploy to all of them.",
        outcomes.into_values().flatten().map(|(_, id)| id).collect(),
    ))
}

/// What one answer is made of, as far as it can be compared with another.
struct Contents {
    marks: Vec<(String, String)>,
    keys: Option<Vec<String>>,
    simhash: Option<u64>,
}

impl Contents {
    fn of(path: &str, response: &HttpResponse) -> Self {
        let simhash = response.body.simhash.as_deref();
        Self {
            marks: build_marks(path, response),
            keys: keys(response).filter(|_| response.body.complete),
            simhash: simhash.and_then(|hex| u64::from_str_radix(hex, 16).ok()),
        }
    }

    /// In what another answer to the same question differs, in words. A text that is a little longer, a time or an id in
    /// it, and a body that cannot be read say nothing.
    fn differs(&self, other: &Self, case: &Case<'_>) -> Option<String> {
        for (field, mark) in &self.marks {
            if let Some((_, there)) = other.marks.iter().find(|(f, m)| f == field && m != mark) {
                return Some(format!("{field} is {mark} and {there}"));
            }
        }
        match (&self.keys, &other.keys) {
            (Some(here), Some(there)) => {
                let only: Vec<&String> = here
                    .iter()
                    .filter(|key| !there.contains(key))
                    .chain(there.iter().filter(|key| !here.contains(key)))
                    .collect();
                return (!only.is_empty()).then(|| format!("only some have {}", in_words(&only)));
            }
            (Some(_), None) | (None, Some(_)) => return Some("only some answer with JSON".to_owned()),
            (None, None) => {}
        }
        let bits = (self.simhash? ^ other.simhash?).count_ones();
        let far = u64::from(bits) > case.limit(&thresholds::SIMHASH);
        far.then(|| format!("the texts differ by {bits} of 64 bits {}", case.source(&thresholds::SIMHASH)))
    }
}

/// Answers of one status whose contents are of different builds or pages.
fn contents_differ(case: &Case<'_>) -> Option<Finding> {
    let home = case.view.readings(Vantage::Edge).into_iter().find_map(|r| {
        let (o, seen) = r.at?;
        let response = r.response().filter(|_| r.is_good() && !case.view.is_refusal(&o.id))?;
        Some((o, seen, response))
    })?;
    let (o, seen, response) = home;
    let here = Contents::of(&seen.request.path, response);
    let mut words = Vec::new();
    let mut ids = vec![o.id.clone()];
    for (there, other) in case.evidence().http() {
        let question = matches!(other.request.purpose, Purpose::AddressParity | Purpose::Version)
            && there.vantage == Vantage::Edge
            && other.request.path == seen.request.path
            && other.request.address.map(|a| a.ip()) != seen.request.address.map(|a| a.ip())
            && !case.view.is_refusal(&there.id);
        let Some(answer) = other.answer.present().filter(|a| question && a.status == response.status) else {
            continue;
        };
        if let Some(why) = here.differs(&Contents::of(&other.request.path, answer), case) {
            let at =
                other.request.address.map_or_else(|| "another address".to_owned(), |a| a.ip().to_string());
            words.push(format!("{at}: {why}"));
            ids.push(there.id.clone());
        }
    }
    words.dedup();
    let first = seen.request.address.map_or_else(|| "the first address".to_owned(), |a| a.ip().to_string());
    (!words.is_empty()).then(|| {
        raise(
            &codes::HTTP_CONTENTS_DIFFER,
            format!(
                "The name's addresses serve different contents on {}, beside {first} ({})",
                seen.request.path,
                words.join("; ")
            ),
            "Which build a client gets depends on the address that it picks.",
            "Deploy to all of them, or take the addresses that are not of this deployment out of DNS.",
            ids,
        )
    })
}

/// The answer of port 80, when it redirects.
fn plain_redirect<'a>(case: &Case<'a>) -> Option<(&'a Observation, &'a HttpResponse, Url)> {
    if case.production()?.scheme() != "https" {
        return None;
    }
    let (o, seen) =
        case.evidence().http_of(Vantage::Edge, Purpose::PlainHttp).max_by_key(|(o, _)| o.attempt)?;
    let response = seen.answer.present().filter(|_| !case.view.is_refusal(&o.id))?;
    Some((o, response, Url::parse(response.redirect_to.as_deref()?).ok()?))
}

fn off_host(case: &Case<'_>) -> Option<Finding> {
    let (o, _, to) = plain_redirect(case)?;
    let host = to.host_str().filter(|host| Some(*host) != case.production().and_then(Url::host_str))?;
    Some(raise(
        &codes::HTTP_OFF_HOST,
        format!("Port 80 redirects to {host} first"),
        "The host's own Strict-Transport-Security is never seen, so the next visit begins in the clear again.",
        "Redirect to https:// on the same host first, and from there to the other one.",
        vec![o.id.clone()],
    ))
}

fn method_lost(case: &Case<'_>) -> Option<Finding> {
    let changing: Vec<&str> = case
        .evidence()
        .target
        .endpoints
        .iter()
        .filter(|e| !e.is_safe() && e.source != EndpointSource::Guessed)
        .map(|e| e.path.as_str())
        .collect();
    let (o, response, _) = plain_redirect(case)?;
    (matches!(response.status, 301 | 302) && !changing.is_empty()).then(|| {
        raise(
            &codes::HTTP_METHOD_LOST,
            format!(
                "Port 80 redirects with {}, which turns POST into GET ({})",
                response.status,
                in_words(&changing)
            ),
            "A webhook or client that is set up with http:// arrives as a GET without its body.",
            "Redirect with 308, and set up callers with https://.",
            vec![o.id.clone()],
        )
    })
}

fn long_chain(case: &Case<'_>) -> Option<Finding> {
    let hops: BTreeMap<&str, (&Observation, &HttpResponse)> = case
        .evidence()
        .http()
        .filter(|(o, seen)| {
            o.vantage == Vantage::Edge
                && matches!(seen.request.purpose, Purpose::Endpoint | Purpose::Redirect)
        })
        .filter_map(|(o, seen)| Some((seen.request.url.as_str(), (o, seen.answer.present()?))))
        .collect();
    let mut longest: Option<(usize, &str, Vec<ObservationId>)> = None;
    for (o, seen) in case.evidence().http_of(Vantage::Edge, Purpose::Endpoint) {
        let mut ids = vec![o.id.clone()];
        let mut next = seen.answer.present().and_then(|r| r.redirect_to.as_deref());
        let mut count = 0;
        // A loop is told by its cause; a chain is no longer than the list that it is taken from.
        while let Some(to) = next.filter(|_| count <= hops.len()) {
            count += 1;
            let Some((hop, response)) = hops.get(to) else { break };
            ids.push(hop.id.clone());
            next = response.redirect_to.as_deref();
        }
        let looped = count > hops.len();
        if count as u64 > case.limit(&thresholds::REDIRECTS)
            && !looped
            && longest.as_ref().is_none_or(|(most, ..)| count > *most)
        {
            longest = Some((count, &seen.request.path, ids));
        }
    }
    let (count, path, ids) = longest?;
    Some(raise(
        &codes::HTTP_LONG_CHAIN,
        format!("{path} is reached after {count} redirects {}", case.source(&thresholds::REDIRECTS)),
        "Each costs a round trip, and clients that follow few give up.",
        "Redirect once, to the final URL.",
        ids,
    ))
}

fn plain_http(case: &Case<'_>) -> Option<Finding> {
    if case.production()?.scheme() != "https" {
        return None;
    }
    let (o, seen) =
        case.evidence().http_of(Vantage::Edge, Purpose::PlainHttp).max_by_key(|(o, _)| o.attempt)?;
    let response = seen.answer.present()?;
    let to_https = response.redirect_to.as_deref().is_some_and(|to| to.starts_with("https://"));
    (!to_https && !case.view.is_refusal(&o.id)).then(|| {
        raise(
            &codes::HTTP_NO_REDIRECT,
            format!("Port 80 answers {} and does not lead to HTTPS", response.status),
            "A client that is sent to http:// speaks in the clear and never learns of HTTPS.",
            "Redirect http:// to https:// on the same host (308 keeps the method).",
            vec![o.id.clone()],
        )
    })
}
