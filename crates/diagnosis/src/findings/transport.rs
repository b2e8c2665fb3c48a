//! How production is reached: HTTP versions, the name's addresses, port 80.

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::{
    Denial, HttpResponse, HttpVersion, Observation, ObservationId, Observed, Purpose, Vantage,
};

use super::{codes, raise};
use crate::Finding;
use crate::case::Case;
use crate::words::in_words;

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found = versions(case);
    found.extend(addresses_differ(case));
    found.extend(plain_http(case));
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
        let announcing = edge.iter().find(|(_, s)| {
            s.answer.present().and_then(|r| r.header("alt-svc")).is_some_and(|value| value.contains("h3"))
        });
        let tried: Vec<_> = asked_for(HttpVersion::H3).filter(|(_, s)| s.answer.was_asked()).collect();
        let proof = |extra: Option<&Observation>| -> Vec<ObservationId> {
            tried.iter().map(|(o, _)| o.id.clone()).chain(extra.map(|o| o.id.clone())).collect()
        };
        match (announcing, tried.first()) {
            (Some((o, _)), Some((_, first))) => found.push(raise(
                &codes::HTTP_H3_DEAD,
                format!("HTTP/3 is announced, but: {}", first.answer.describe()),
                "Clients that follow the announcement lose time before they fall back. This network may also be the one that blocks UDP.",
                "Open UDP 443, or stop announcing HTTP/3; try from a second network first.",
                proof(Some(o)),
            )),
            (None, _) => found.push(raise(
                &codes::HTTP_NO_H3,
                "HTTP/3 is not offered",
                "One more round trip in each new connection.",
                "Enable HTTP/3 at the edge where it is on offer.",
                match edge.iter().find(|(_, s)| s.answer.present().is_some()) {
                    Some((o, _)) => proof(Some(o)),
                    None => proof(None),
                },
            )),
            (Some(_), None) => {}
        }
    }
    found
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
