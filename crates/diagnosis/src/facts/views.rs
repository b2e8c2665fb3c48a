//! Two views of one zone, and whether the inside one does harm.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use landfall_evidence::{DnsServerRole, Evidence, Purpose, Vantage};

use super::{FactKey, Facts};

/// A status and a media type.
type Answer = (u16, Option<String>);

/// An inside view of the zone is how many networks are built. It is trouble only where what it leads to does not serve the
/// same: the public zone lacks the name, something at the inside address fails, or the two sides answer differently.
///
/// Asked once everything else is known of the answers.
pub(super) fn split_that_matters(evidence: &Evidence, facts: &mut Facts) {
    let views: Vec<String> = facts.of(FactKey::DnsSplit).map(|fact| fact.subject.clone()).collect();
    if views.is_empty() {
        return;
    }
    // One side lacks the name: the public one, or the one inside that is asked here.
    let lacks = facts.of(FactKey::DnsDifference).any(|fact| match fact.text() {
        Some("more") => true,
        Some("absent" | "empty") => views.contains(&fact.subject),
        _ => false,
    });
    let of = |role: DnsServerRole| -> BTreeSet<IpAddr> {
        let answers = evidence.dns().filter(|(_, s)| s.question.server.role == role);
        let host = evidence.target.production.as_ref().and_then(|url| url.domain());
        answers
            .filter(|(_, s)| host.is_some_and(|host| s.question.name.eq_ignore_ascii_case(host)))
            .filter_map(|(_, s)| s.answer.present())
            .flat_map(|a| {
                a.data_of("A").chain(a.data_of("AAAA")).filter_map(|d| d.parse().ok()).collect::<Vec<_>>()
            })
            .collect()
    };
    let (outside, mut inside) = (of(DnsServerRole::Authoritative), of(DnsServerRole::Recursive));
    inside.retain(|address| !outside.contains(address));
    let at = |subject: &str| -> Option<IpAddr> {
        subject.strip_prefix("edge ")?.parse::<std::net::SocketAddr>().ok().map(|address| address.ip())
    };
    let at_address = [FactKey::TcpOutcome, FactKey::TlsOutcome, FactKey::TlsVerify];
    let fails = at_address.into_iter().flat_map(|key| facts.of(key)).any(|fact| {
        fact.text().is_some_and(|word| word != "ok" && word != "no-route")
            && at(&fact.subject).is_some_and(|address| inside.contains(&address))
    });
    // The answers of both sides to the same path, where both were asked.
    let mut answers: BTreeMap<(&str, bool), BTreeSet<Answer>> = BTreeMap::new();
    for (_, s) in evidence.http().filter(|(o, _)| o.vantage == Vantage::Edge) {
        if matches!(s.request.purpose, Purpose::Endpoint | Purpose::AddressParity)
            && let (Some(address), Some(response)) = (s.request.address, s.answer.present())
            && response.status != 429
        {
            let is_inside = inside.contains(&address.ip());
            if is_inside || outside.contains(&address.ip()) {
                let answer = (response.status, response.media_type());
                answers.entry((s.request.path.as_str(), is_inside)).or_default().insert(answer);
            }
        }
    }
    let differ = answers.iter().any(|((path, is_inside), theirs)| {
        *is_inside && answers.get(&(*path, false)).is_some_and(|others| others.is_disjoint(theirs))
    });
    // Where both sides answer alike, what is wrong is wrong on both.
    let compared =
        answers.keys().any(|(path, is_inside)| *is_inside && answers.contains_key(&(*path, false)));
    let trouble = facts.symptoms().any(|fact| {
        matches!(
            fact.key,
            FactKey::EndpointOutcome
                | FactKey::SiteKind
                | FactKey::RouteLocalOnly
                | FactKey::AddressStates
                | FactKey::FamilyState
                | FactKey::BuildServedIs
                | FactKey::BuildAsLocal
        )
    });
    if lacks || fails || differ || (trouble && !compared) {
        for view in views {
            facts.mark_symptom(FactKey::DnsSplit, &view);
        }
    }
}
