//! What the zone's servers hold: the same at each of them, sane in itself, and without traps.

use std::collections::{BTreeMap, BTreeSet};
use std::net::IpAddr;

use landfall_evidence::{DnsServerRole, ObservationId};

use super::super::{codes, raise, with_severity};
use super::{At, Survey, by_answer, data, list, message};
use crate::owners::OwnerRole;
use crate::thresholds::{
    CNAME_HOPS, CNAME_RECORDS, NEGATIVE_TTL, SOA_EXPIRE, SOA_MINIMUM, SOA_MINIMUM_MAX, SOA_REFRESH,
    SOA_RETRY, TTL_MIN,
};
use crate::words::in_words;
use crate::{Finding, Severity};

/// Types whose records are compared server by server. The host's addresses have a finding of their own.
const COMPARED: [&str; 6] = ["CNAME", "HTTPS", "MX", "TXT", "CAA", "NS"];

pub(super) fn findings(survey: &Survey<'_>) -> Vec<Finding> {
    let differ = differ(survey);
    let mut found = Vec::new();
    found.extend(serials(survey, differ.is_some()));
    found.extend(differ);
    found.extend(timers(survey));
    found.extend(short_ttl(survey));
    found.extend(chain(survey));
    found.extend(beside_alias(survey));
    found.extend(wildcard(survey));
    found.extend(hints(survey));
    found.extend(mail(survey));
    found.extend(proxied(survey));
    found
}

fn differ(survey: &Survey<'_>) -> Option<Finding> {
    let (mut words, mut ids) = (Vec::new(), Vec::new());
    let names: BTreeSet<&str> = BTreeSet::from([survey.host, survey.zone]);
    for (name, rtype) in names.iter().flat_map(|name| COMPARED.map(|rtype| (*name, rtype))) {
        let answers = survey.own(name, rtype).filter_map(|(at, (o, s))| {
            let answer = message(s).filter(|a| a.authoritative && matches!(a.rcode, 0 | 3))?;
            let set: BTreeSet<String> = data(answer, name, rtype).map(|r| r.data.clone()).collect();
            Some((at, o.id.clone(), set))
        });
        let (sets, seen) = by_answer(answers);
        if sets.len() > 1 {
            let said: Vec<String> = sets
                .iter()
                .map(|(set, at)| {
                    format!("{} from {}", list(set), at.first().map_or(String::new(), At::to_string))
                })
                .collect();
            words.push(format!("{name} {rtype} is {}", in_words(&said)));
            ids.extend(seen);
        }
    }
    (!words.is_empty()).then(|| {
        raise(
            &codes::DNS_RECORDS_DIFFER,
            format!("The zone's own servers hold different records: {}", in_words(&words)),
            "What a client gets depends on the server that its resolver happens to ask.",
            "Find the server that missed the last change and have it transfer the zone.",
            ids,
        )
    })
}

fn soa_fields(text: &str) -> Option<[u64; 5]> {
    let mut numbers = text.split(' ').skip(2).map(|word| word.parse().ok());
    let mut next = || numbers.next().flatten();
    Some([next()?, next()?, next()?, next()?, next()?])
}

fn serials(survey: &Survey<'_>, records_differ: bool) -> Option<Finding> {
    let answers = survey.own(survey.zone, "SOA").filter_map(|(at, (o, s))| {
        let answer = s.answer.present().filter(|a| a.authoritative)?;
        Some((at, o.id.clone(), soa_fields(answer.data_of("SOA").next()?)?[0]))
    });
    let (sets, ids) = by_answer(answers);
    if sets.len() < 2 {
        return None;
    }
    let said: Vec<String> = sets.iter().map(|(serial, at)| format!("{serial} at {}", list(at))).collect();
    let finding = raise(
        &codes::DNS_SERIALS_DIFFER,
        format!("The servers of {} hold different versions of it: {}", survey.zone, in_words(&said)),
        if records_differ {
            "Records differ too: the last change has not reached every server."
        } else {
            "The records that were asked for are the same at all of them; a change may be on its way."
        },
        "Wait for the zone's refresh time, or have the secondary transfer the zone now.",
        ids,
    );
    Some(if records_differ { finding } else { with_severity(finding, Severity::Low) })
}

fn timers(survey: &Survey<'_>) -> Vec<Finding> {
    let soa = survey.own(survey.zone, "SOA").find_map(|(_, (o, s))| {
        let answer = s.answer.present().filter(|a| a.authoritative)?;
        let record = data(answer, survey.zone, "SOA").next()?;
        Some((o.id.clone(), soa_fields(&record.data)?, u64::from(record.ttl_s)))
    });
    let Some((id, [_, refresh, retry, expire, minimum], ttl)) = soa else { return Vec::new() };
    let mut odd = Vec::new();
    let mut below = |name: &str, value: u64, threshold| {
        if value < survey.limit(threshold) {
            odd.push(format!("{name} {value} s is short {}", survey.source(threshold)));
        }
    };
    below("refresh", refresh, &SOA_REFRESH);
    below("retry", retry, &SOA_RETRY);
    below("expire", expire, &SOA_EXPIRE);
    below("minimum", minimum, &SOA_MINIMUM);
    if minimum > survey.limit(&SOA_MINIMUM_MAX) {
        odd.push(format!("minimum {minimum} s is long {}", survey.source(&SOA_MINIMUM_MAX)));
    }
    if retry >= refresh {
        odd.push(format!("retry {retry} s is not below refresh {refresh} s (RFC 1912 section 2.2)"));
    }
    if expire < refresh {
        odd.push(format!("expire {expire} s is below refresh {refresh} s (Zonemaster ZONE05)"));
    }
    let mut found = Vec::new();
    if !odd.is_empty() {
        found.push(raise(
            &codes::DNS_SOA_TIMERS,
            format!("Timers in the SOA record of {} are unusual: {}", survey.zone, in_words(&odd)),
            "They matter between a primary and its secondaries; managed DNS mostly ignores them.",
            "Change them only where you run the servers yourself.",
            vec![id.clone()],
        ));
    }
    // RFC 2308, section 5: the smaller of the two.
    let remembered = ttl.min(minimum);
    if remembered > survey.limit(&NEGATIVE_TTL) {
        found.push(raise(
            &codes::DNS_NEGATIVE_TTL,
            format!(
                "That a name of {} does not exist is remembered for {remembered} s {}",
                survey.zone,
                survey.source(&NEGATIVE_TTL)
            ),
            "Whoever asks before a record is created does not see it for that long.",
            "Lower the last field of the SOA record, and the TTL of that record, before new names are created.",
            vec![id],
        ));
    }
    found
}

fn short_ttl(survey: &Survey<'_>) -> Option<Finding> {
    let limit = survey.limit(&TTL_MIN);
    let mut shortest: Option<(u32, ObservationId)> = None;
    for rtype in ["A", "AAAA"] {
        for (_, (o, s)) in survey.own(survey.host, rtype) {
            let Some(answer) = s.answer.present().filter(|a| a.authoritative) else { continue };
            for record in answer.answers.iter().filter(|r| matches!(r.rtype.as_str(), "A" | "AAAA" | "CNAME"))
            {
                if u64::from(record.ttl_s) < limit
                    && shortest.as_ref().is_none_or(|(ttl, _)| record.ttl_s < *ttl)
                {
                    shortest = Some((record.ttl_s, o.id.clone()));
                }
            }
        }
    }
    shortest.map(|(ttl, id)| {
        raise(
            &codes::DNS_SHORT_TTL,
            format!(
                "The address of {} is remembered for {ttl} s only {}",
                survey.host,
                survey.source(&TTL_MIN)
            ),
            "Nearly every connection waits for a lookup first, and the servers answer many more questions.",
            "Between moves, 60 to 3600 seconds serve better.",
            vec![id],
        )
    })
}

/// The aliases in all answers: alias to target, and what shows it.
fn aliases<'a>(survey: &Survey<'a>) -> BTreeMap<&'a str, (&'a str, ObservationId)> {
    let mut found = BTreeMap::new();
    for (o, s) in &survey.all {
        for record in message(s).into_iter().flat_map(|a| &a.answers).filter(|r| r.rtype == "CNAME") {
            found.entry(record.name.as_str()).or_insert((record.data.as_str(), o.id.clone()));
        }
    }
    found
}

fn chain(survey: &Survey<'_>) -> Vec<Finding> {
    let aliases = aliases(survey);
    let (mut at, mut names, mut ids) = (survey.host, vec![survey.host], Vec::new());
    let mut found = Vec::new();
    while let Some((target, id)) = aliases.get(at) {
        ids.push(id.clone());
        if let Some(again) = names.iter().position(|name| name == target) {
            let mut circle: Vec<&str> = names[again..].to_vec();
            circle.push(target);
            found.push(raise(
                &codes::DNS_CNAME_LOOP,
                format!("{} is an alias in a circle: {}", survey.host, circle.join(" → ")),
                "No client can find production; resolvers answer SERVFAIL.",
                "Let one of the names hold the address records.",
                ids,
            ));
            return found;
        }
        names.push(target);
        at = target;
    }
    let hops = u64::try_from(names.len() - 1).unwrap_or(u64::MAX);
    if hops > survey.limit(&CNAME_HOPS) {
        found.push(raise(
            &codes::DNS_CNAME_LONG,
            format!("{} leads through {hops} aliases {}", survey.host, survey.source(&CNAME_HOPS)),
            "Resolvers give up after about as many, each at a number of its own.",
            "Point the name at the end of the chain.",
            ids,
        ));
    } else if let Some((o, records)) = survey.all.iter().find_map(|(o, s)| {
        let count = message(s)?.answers.iter().filter(|r| r.rtype == "CNAME").count();
        (count as u64 > survey.limit(&CNAME_RECORDS)).then_some((o, count))
    }) {
        found.push(raise(
            &codes::DNS_CNAME_LONG,
            format!("One answer holds {records} aliases {}", survey.source(&CNAME_RECORDS)),
            "Resolvers give up after about as many, each at a number of its own.",
            "Point the name at the end of the chain.",
            vec![o.id.clone()],
        ));
    }
    found
}

/// A CNAME beside other records of the same name, which includes one at the top of the zone (RFC 1034, section 3.6.2).
fn beside_alias(survey: &Survey<'_>) -> Option<Finding> {
    for name in BTreeSet::from([survey.zone, survey.host]) {
        let alias = survey.own(name, "CNAME").find_map(|(at, (o, s))| {
            let answer = s.answer.present().filter(|a| a.authoritative)?;
            data(answer, name, "CNAME").next().map(|r| (at, o.id.clone(), r.data.clone()))
        });
        let Some((at, id, target)) = alias else { continue };
        let mut others = BTreeSet::new();
        for rtype in ["A", "AAAA", "MX", "TXT", "CAA", "HTTPS", "NS", "SOA"] {
            let has = survey.own(name, rtype).any(|(server, (_, s))| {
                server == at && s.answer.present().is_some_and(|a| data(a, name, rtype).next().is_some())
            });
            if has {
                others.insert(rtype);
            }
        }
        if name == survey.zone || !others.is_empty() {
            return Some(raise(
                &codes::DNS_CNAME_BESIDE,
                format!("{name} is an alias of {target} and has other records too: {}", list(&others)),
                "Resolvers that have seen the alias no longer find the other records: mail, verification and the zone itself break by chance.",
                "At the top of a zone use the provider's ALIAS or flattened CNAME, or address records; elsewhere remove one of the two.",
                vec![id],
            ));
        }
    }
    None
}

fn wildcard(survey: &Survey<'_>) -> Option<Finding> {
    survey.all.iter().find_map(|(o, s)| {
        let q = &s.question;
        let control = q.server.role == DnsServerRole::Authoritative && q.name.starts_with("landfall-");
        let answer = s.answer.present().filter(|a| control && a.authoritative)?;
        let record = answer.answers.iter().find(|r| r.name == q.name && matches!(r.rtype.as_str(), "A" | "CNAME"))?;
        let beside = q.name.split_once('.')?.1;
        Some(raise(
            &codes::DNS_WILDCARD,
            format!("Every name under {beside} exists: a wildcard leads to {}", record.data),
            "A misspelt host is answered by whatever stands there, so that an answer alone does not show that the name was set up.",
            "Remove the wildcard if it is not needed.",
            vec![o.id.clone()],
        ))
    })
}

/// Address hints of a service record against the address records (RFC 9460, section 7.3).
fn hints(survey: &Survey<'_>) -> Option<Finding> {
    let (own, _) = survey.addresses_of(survey.host)?;
    let mut found = None;
    for (_, (o, s)) in survey.own(survey.host, "HTTPS") {
        let Some(answer) = s.answer.present() else { continue };
        for record in data(answer, survey.host, "HTTPS") {
            // Another target has addresses of its own.
            let mut words = record.data.split(' ');
            let elsewhere = words.nth(1).is_none_or(|target| target != "." && target != survey.host);
            let hints: BTreeSet<IpAddr> = record
                .data
                .split(' ')
                .filter_map(|word| word.strip_prefix("ipv4hint=").or_else(|| word.strip_prefix("ipv6hint=")))
                .flat_map(|list| list.split(','))
                .filter_map(|text| text.parse().ok())
                .collect();
            let stray: Vec<&IpAddr> = hints.difference(&own).collect();
            if !elsewhere && !own.is_empty() && !stray.is_empty() {
                found = Some(raise(
                    &codes::DNS_HTTPS_HINTS,
                    format!(
                        "The HTTPS record of {} hints at {}, its address records are {}",
                        survey.host,
                        list(stray),
                        list(&own)
                    ),
                    "Browsers may connect to the hint; curl and most programs never look at it: it works here and not there.",
                    "Let the hints follow the address records, or leave them out.",
                    vec![o.id.clone()],
                ));
            }
        }
    }
    found
}

fn mail(survey: &Survey<'_>) -> Option<Finding> {
    let targets: BTreeSet<&str> = survey
        .own(survey.host, "MX")
        .filter_map(|(_, (_, s))| s.answer.present())
        .flat_map(|answer| answer.data_of("MX"))
        .filter_map(|text| Some(text.split_once(' ')?.1))
        .collect();
    let bad = survey.all.iter().find(|(_, s)| {
        targets.contains(s.question.name.as_str())
            && message(s).is_some_and(|a| data(a, &s.question.name, "CNAME").next().is_some())
    });
    bad.map(|(o, s)| {
        raise(
            &codes::DNS_MX_ALIAS,
            format!("The mail server of {} is an alias: {}", survey.host, s.question.name),
            "Some senders refuse to deliver to it (RFC 2181 section 10.3).",
            "Name the mail server by the name that holds its address records.",
            vec![o.id.clone()],
        )
    })
}

/// A name that leads to an edge network hides the origin from DNS.
fn proxied(survey: &Survey<'_>) -> Option<Finding> {
    let (own, ids) = survey.addresses_of(survey.host)?;
    let catalogue = survey.case.catalogue();
    let vendors: BTreeSet<&str> = own
        .iter()
        .filter_map(|ip| catalogue.owner_of_address(*ip))
        .filter(|owner| owner.role == OwnerRole::Edge)
        .map(|owner| owner.vendor.as_str())
        .collect();
    (!vendors.is_empty()).then(|| {
        raise(
            &codes::DNS_PROXIED,
            format!("{} leads to {}, behind which DNS does not show the origin", survey.host, list(vendors)),
            "Where the edge sends requests is set at the edge, and can be wrong while every record is right.",
            "Compare the origin setting at the edge with the address that the platform shows.",
            ids,
        )
    })
}
