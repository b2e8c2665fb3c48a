//! Which hop spoke, as far as comparison shows it.

use landfall_evidence::{Purpose, Vantage};

use super::http::style;
use super::{codes, raise};
use crate::Finding;
use crate::attribution;
use crate::case::Case;
use crate::facts::Writer;
use crate::fields::{ProxyError, joined};
use crate::marker::{self, Standing};
use crate::words::{all_of, in_words};

pub(super) fn findings(case: &Case<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(not_the_application(case));
    found.extend(origin_differs(case));
    found.extend(proxy_status(case));
    found.extend(other_build(case));
    found
}

/// The application's own 404 looks different, so it never saw the request.
fn not_the_application(case: &Case<'_>) -> Option<Finding> {
    let readings = case.view.readings(Vantage::Edge);
    let bad = readings.iter().find(|r| r.fault().is_some() && r.response().is_some())?;
    if case.view.serves(Vantage::Edge) {
        return None;
    }
    let (edge_id, edge) = case.view.control(Vantage::Edge).map(|(o, r)| (&o.id, r))?;
    if bad.writer == Some(Writer::App) {
        return None;
    }
    let author = bad.response().and_then(|r| attribution::author(r, case.catalogue()));
    let mut evidence = vec![edge_id.clone()];
    evidence.extend(bad.id().cloned());
    let mut reasons = Vec::new();
    if let Some((o, local)) = case.view.control(Vantage::Local) {
        let different = local.status != edge.status || local.media_type() != edge.media_type();
        if different {
            evidence.push(o.id.clone());
            reasons.push(format!(
                "it answers an unknown path with {} and {}, production with {} and {}",
                local.status,
                style(local),
                edge.status,
                style(edge)
            ));
        }
    }
    if let Some(author) = author.filter(|a| a.is_before_the_application()) {
        reasons.push(format!(
            "the answer has the form of {} ({})",
            attribution::vendor_name(author.vendor),
            author.proof()
        ));
    }
    (!reasons.is_empty()).then(|| {
        raise(
            &codes::PATH_NOT_THE_APP,
            format!("The application never saw the request: {}", reasons.join("; ")),
            "No change to the application's code can repair this.",
            "Look at the hop that the routing section marks.",
            evidence,
        )
    })
}

/// An intermediary's own word for its failure.
fn proxy_status(case: &Case<'_>) -> Option<Finding> {
    let told: Vec<_> = case
        .evidence()
        .http_of(Vantage::Edge, Purpose::Endpoint)
        .filter_map(|(o, seen)| {
            let response = seen.answer.present()?;
            Some((o, response.status, ProxyError::parse(&joined(response, "proxy-status")?)?))
        })
        .collect();
    let (_, status, error) = told.first()?;
    Some(raise(
        &codes::PATH_PROXY_STATUS,
        format!("The {status} is a proxy's: {}", error.in_words()),
        "It is the word of the hop that met the fault; the application's own code did not write this answer.",
        "Look at the way from that hop to the next one.",
        told.iter().map(|(o, ..)| o.id.clone()).collect(),
    ))
}

/// Production proven to be another build than the project's.
fn other_build(case: &Case<'_>) -> Option<Finding> {
    let (Standing::Other(proof), evidence) = marker::standing(case, Vantage::Edge)? else { return None };
    Some(raise(
        &codes::PATH_OTHER_BUILD,
        format!("Production serves another build than the project's: {proof}"),
        "What was built here is not what answers there.",
        "Compare the newest deployment in the platform with the checked-out commit; deploy it, or purge the edge's cache.",
        evidence,
    ))
}

fn origin_differs(case: &Case<'_>) -> Option<Finding> {
    let origin: Vec<_> = case.view.readings(Vantage::Origin).into_iter().filter(|r| r.is_good()).collect();
    let edge: Vec<_> =
        case.view.readings(Vantage::Edge).into_iter().filter(|r| r.fault().is_some()).collect();
    let both: Vec<_> =
        origin.iter().filter(|o| edge.iter().any(|e| e.endpoint.path == o.endpoint.path)).collect();
    let host = case.evidence().target.origin.as_ref()?.host_str()?;
    (!both.is_empty()).then(|| {
        let paths: Vec<&str> = both.iter().map(|r| r.endpoint.path.as_str()).collect();
        let all = both.len() == case.view.readings(Vantage::Edge).len() && both.len() > 1;
        let what = if all { all_of(both.len(), "endpoint") } else { in_words(&paths) };
        raise(
            &codes::PATH_ORIGIN_DIFFERS,
            format!("{host} serves {what}, the public name does not"),
            "The deployment is up; only the way from the public name to it is broken.",
            "Bind the custom domain to the deployment in the platform, then check the edge's origin setting and DNS.",
            both.iter().filter_map(|r| r.id().cloned()).chain(edge.iter().filter_map(|r| r.id().cloned())).collect(),
        )
    })
}
