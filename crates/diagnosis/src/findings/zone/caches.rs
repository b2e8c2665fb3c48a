//! What resolvers still remember, until when, and where this machine is told another story.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use jiff::Timestamp;
use landfall_evidence::{DnsManner, DnsServerRole, ObservationId, Observed};

use super::super::{codes, raise};
use super::{At, Survey, addresses, list, message};
use crate::Finding;
use crate::agreement::{ends, says};
use crate::words::in_words;

pub(super) fn findings(survey: &Survey<'_>) -> Vec<Finding> {
    let mut found = Vec::new();
    found.extend(spreading(survey));
    found.extend(other_view(survey));
    found.extend(filtered(survey));
    found
}

/// A clock time; the day too when it is not the day of the audit.
fn clock(at: Timestamp, now: Timestamp) -> String {
    let day = |t: Timestamp| t.strftime("%Y-%m-%d").to_string();
    let form = if day(at) == day(now) { "%H:%M:%S UTC" } else { "%Y-%m-%d %H:%M UTC" };
    at.strftime(form).to_string()
}

/// Resolvers that hand out what the zone's servers no longer say. Where those disagree among themselves, nothing is stale.
fn spreading(survey: &Survey<'_>) -> Option<Finding> {
    let (mut late, mut ids) = (BTreeMap::<At, Timestamp>::new(), Vec::new());
    let mut words = Vec::new();
    let mut asked = BTreeSet::new();
    for rtype in ["A", "AAAA"] {
        let mut own: BTreeSet<BTreeSet<String>> = BTreeSet::new();
        for (_, (o, s)) in survey.own(survey.host, rtype) {
            if let Some(answer) = message(s).filter(|a| a.authoritative && matches!(a.rcode, 0 | 3)) {
                own.insert(says(answer, survey.host));
                ids.push(o.id.clone());
            }
        }
        let Some(own) = own.pop_first().filter(|_| own.is_empty()) else { continue };
        for (o, s) in survey.asked(DnsServerRole::Recursive, survey.host, rtype) {
            let at = At::of(&s.question.server);
            asked.insert(at.clone());
            let Some(answer) = message(s).filter(|a| matches!(a.rcode, 0 | 3)) else { continue };
            let theirs = says(answer, survey.host);
            // Balancers hand out a part of a set, or another part each time: only nothing in common is another answer.
            if theirs == own || !theirs.is_disjoint(&own) || same_owner(survey, &theirs, &own) {
                continue;
            }
            let Some(end) = ends(survey.case.evidence().started_at, o, answer) else { continue };
            words.push(format!(
                "{at} gives {} for {rtype} until {}",
                list(&theirs),
                clock(end, survey.case.evidence().started_at)
            ));
            let latest = late.entry(at).or_insert(end);
            *latest = end.max(*latest);
            ids.push(o.id.clone());
        }
    }
    let last = *late.values().max()?;
    let now = survey.case.evidence().started_at;
    Some(raise(
        &codes::DNS_SPREADING,
        format!(
            "{} of {} resolvers asked still remember another {}; they see what the zone says by {}: {}",
            late.len(),
            asked.len(),
            survey.host,
            clock(last, now),
            in_words(&words)
        ),
        "Their users reach the old place until then. Other resolvers may remember for as long as the old TTL.",
        format!(
            "Wait until {}; if a resolver still differs then, look for a second zone or a filter.",
            clock(last, now)
        ),
        ids,
    ))
}

/// Addresses of one edge network change from answer to answer and from place to place.
fn same_owner(survey: &Survey<'_>, one: &BTreeSet<String>, other: &BTreeSet<String>) -> bool {
    let owner = |text: &String| {
        let ip: IpAddr = text.parse().ok()?;
        survey.case.catalogue().owner_of_address(ip).map(|o| o.vendor.as_str())
    };
    !one.is_empty() && one.iter().all(|a| owner(a).is_some_and(|v| other.iter().any(|b| owner(b) == Some(v))))
}

/// This machine's hosts file or resolver call says otherwise than the zone.
fn other_view(survey: &Survey<'_>) -> Option<Finding> {
    let mut public: BTreeSet<IpAddr> = BTreeSet::new();
    let (mut local, mut ids) = (BTreeMap::<String, BTreeSet<IpAddr>>::new(), Vec::new());
    for (o, s) in &survey.all {
        let q = &s.question;
        if q.name != survey.host || q.manner != DnsManner::Usual {
            continue;
        }
        let Some(answer) = s.answer.present() else { continue };
        match q.server.role {
            DnsServerRole::Authoritative | DnsServerRole::Recursive => public.extend(addresses(answer)),
            DnsServerRole::HostsFile | DnsServerRole::System => {
                let who = match (q.server.role, &q.server.name) {
                    (DnsServerRole::HostsFile, Some(path)) => path.clone(),
                    _ => "this machine's resolver call".to_owned(),
                };
                let set = addresses(answer);
                if !set.is_empty() {
                    local.entry(who).or_default().extend(set);
                    ids.push(o.id.clone());
                }
            }
            _ => {}
        }
    }
    let words: Vec<String> = local
        .iter()
        .filter(|(_, set)| !public.is_empty() && set.is_disjoint(&public))
        .map(|(who, set)| format!("{who} leads to {}", list(set)))
        .collect();
    (!words.is_empty()).then(|| {
        raise(
            &codes::DNS_OTHER_VIEW,
            format!(
                "This machine sees another {}: {}, DNS says {}",
                survey.host,
                in_words(&words),
                list(&public)
            ),
            "What works or fails here says nothing of what users see.",
            "Remove the entry, or check from a machine that does not have it.",
            ids,
        )
    })
}

/// Resolvers that answer by a policy of their own (RFC 8914, codes 15 to 18), or with an address that leads nowhere.
fn filtered(survey: &Survey<'_>) -> Option<Finding> {
    let (mut words, mut ids): (BTreeSet<String>, Vec<ObservationId>) = Default::default();
    for (o, s) in &survey.all {
        let q = &s.question;
        if q.server.role != DnsServerRole::Recursive || q.name != survey.host {
            continue;
        }
        let Some(answer) = message(s) else { continue };
        let at = At::of(&q.server);
        if let Some(error) = answer.extended_errors.iter().find(|e| (15..=18).contains(&e.code)) {
            let name = match error.code {
                15 => "blocked",
                16 => "censored",
                17 => "filtered",
                _ => "prohibited",
            };
            words.insert(format!("{at} says {name} (extended error {})", error.code));
            ids.push(o.id.clone());
        } else if matches!(s.answer, Observed::Present(_))
            && addresses(answer).iter().any(IpAddr::is_unspecified)
        {
            words.insert(format!("{at} gives {}", list(addresses(answer))));
            ids.push(o.id.clone());
        }
    }
    (!words.is_empty()).then(|| {
        raise(
            &codes::DNS_FILTERED,
            format!("A resolver answers for {} by a policy of its own: {}", survey.host, list(words)),
            "Its users cannot reach production, whatever the zone says.",
            "Ask the operator of that resolver to take the name off its list.",
            ids,
        )
    })
}
