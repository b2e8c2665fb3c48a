//! How the zone's servers behave: TCP, EDNS, letter case, transfers, recursion.

use std::collections::BTreeSet;

use landfall_evidence::{Denial, DnsManner, DnsObservation, ObservationId, Observed};

use super::super::{codes, raise, with_severity};
use super::delegation::per_server;
use super::{At, Survey, message};
use crate::{Finding, FindingCode, Severity};

pub(super) fn findings(survey: &Survey<'_>) -> Vec<Finding> {
    // Only a server that speaks for the zone can be blamed for how it does so; others are lame.
    let speaking = survey.speaking();
    let sane = survey.case.view.vantage_is_sane();
    let failed = |manner, bad: &dyn Fn(&DnsObservation) -> bool| {
        let (mut servers, mut ids) = (BTreeSet::new(), Vec::new());
        for (at, (o, s)) in survey.in_manner(manner).filter(|(at, _)| speaking.contains(at)) {
            if bad(s) {
                servers.insert(at);
                ids.push(o.id.clone());
            }
        }
        (servers, ids)
    };
    // A question that our side could not put says nothing.
    let unanswered = |s: &DnsObservation| match &s.answer {
        Observed::Present(_) | Observed::Unasked(_) => false,
        Observed::Silent(_) => sane,
        Observed::Denied(Denial::Rcode(_)) => false,
        Observed::Denied(_) => true,
    };
    let mut found = Vec::new();
    let mut raise_at = |code: &FindingCode,
                        (bad, ids): (BTreeSet<At>, Vec<ObservationId>),
                        title: &str,
                        impact: &str,
                        remedy: &str| {
        if !bad.is_empty() {
            found.push(per_server(survey, raise(code, title, impact, remedy, ids), &bad));
        }
    };
    raise_at(
        &codes::DNS_NO_TCP,
        failed(DnsManner::Tcp, &unanswered),
        "DNS over TCP does not work",
        "Answers that do not fit a datagram (many addresses, signatures, long TXT records) never arrive.",
        "Let TCP port 53 pass to the name server.",
    );
    raise_at(
        &codes::DNS_EDNS,
        failed(DnsManner::NoEdns, &unanswered),
        "Questions without EDNS are not answered",
        "Old resolvers and boxes on the way cannot resolve the name.",
        "Update the name server, or the firewall that looks into DNS.",
    );
    // RFC 6891, section 6.1.3: BADVERS, which is 16. An old server may say FORMERR or NOTIMP, as to any EDNS.
    raise_at(
        &codes::DNS_EDNS,
        failed(DnsManner::FutureEdns, &|s| unanswered(s) || message(s).is_some_and(|a| a.rcode != 16)),
        "A later version of EDNS is not answered with BADVERS",
        "Harmless until there is a later version; it shows an old server, or a firewall that looks into DNS.",
        "Update the name server, or the firewall that looks into DNS.",
    );
    raise_at(
        &codes::DNS_LETTER_CASE,
        failed(DnsManner::MixedCase, &|s| matches!(s.answer, Observed::Denied(Denial::Malformed { .. }))),
        "The name is not repeated in the letters of the question",
        "Resolvers that mix the case against forged answers throw the answer away.",
        "Update the name server, or the firewall that looks into DNS.",
    );
    raise_at(
        &codes::DNS_TRANSFER,
        failed(DnsManner::Transfer, &|s| {
            s.answer.present().is_some_and(|a| a.data_of("SOA").next().is_some())
        }),
        "The whole zone is handed out to everybody",
        "Every name in it is public: internal hosts, test systems, what is about to be announced.",
        "Allow transfers (AXFR) to the zone's own secondaries only.",
    );
    raise_at(
        &codes::DNS_OPEN_RESOLVER,
        failed(DnsManner::Recursion, &|s| {
            s.answer.present().is_some_and(|a| {
                a.recursion_available && !a.authoritative && a.answers.iter().any(|r| r.rtype == "NS")
            })
        }),
        "A server of the zone resolves names for everybody",
        "It is of use for attacks on others (RFC 5358), and what it remembers can be poisoned.",
        "Switch recursion off, or allow it to your own networks only.",
    );
    found.extend(intolerant(survey, &speaking));
    found
}

/// Servers that answer without EDNS alone.
fn intolerant(survey: &Survey<'_>, speaking: &BTreeSet<At>) -> Option<Finding> {
    let plain: BTreeSet<At> = survey
        .in_manner(DnsManner::NoEdns)
        .filter(|(_, (_, s))| s.answer.present().is_some())
        .map(|(at, _)| at)
        .collect();
    let silent: Vec<(At, ObservationId)> = survey
        .own(survey.zone, "SOA")
        .filter(|(at, (_, s))| matches!(s.answer, Observed::Silent(_)) && plain.contains(at))
        .map(|(at, (o, _))| (at, o.id.clone()))
        .collect();
    if silent.is_empty() {
        return None;
    }
    let bad: BTreeSet<At> = silent.iter().map(|(at, _)| at.clone()).collect();
    let finding = raise(
        &codes::DNS_EDNS,
        "Questions with EDNS are not answered",
        "Resolvers wait for a time-out and then try without, if they try at all.",
        "Update the name server, or the firewall that looks into DNS.",
        silent.into_iter().map(|(_, id)| id).collect(),
    );
    let all = speaking.union(&bad).count();
    let title = format!("{}: {}", finding.title, super::whose(&bad, all));
    Some(super::graded(Finding { title, ..with_severity(finding, Severity::High) }, &bad, all))
}
