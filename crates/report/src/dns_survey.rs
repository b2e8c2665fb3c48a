//! What `landfall dns` adds to the bare observations: what is wrong, the zone's servers in one table, and what each resolver
//! remembers until when.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;

use jiff::{SignedDuration, Timestamp};
use landfall_diagnosis::{Agreement, Finding, OwnServers};
use landfall_evidence::{
    Denial, DnsAnswer, DnsManner, DnsObservation, DnsServerRole, Evidence, Observation, Observed,
};

use crate::text::{clean, columns, pad, shorten, wrap};
use crate::{Style, words};

/// Widest name of a server in the table.
const SERVER: usize = 40;

/// Lays a deep survey out. `findings` are those about DNS, worst first. The text ends with a newline and an empty line.
pub fn dns_survey(evidence: &Evidence, findings: &[&Finding], style: &Style) -> String {
    let width = style.width.max(40);
    let mut out = String::new();
    let asked = evidence.all_dns().any(|(_, seen)| seen.answer.was_asked());
    if findings.is_empty() {
        // Where no question was put there is nothing to be called well.
        out.push_str(if asked {
            "Nothing is wrong as far as could be seen\n"
        } else {
            "DNS was not asked\n"
        });
    } else {
        let _ = writeln!(out, "What stands out");
    }
    for finding in findings {
        let head = format!("  {} {}  ", pad(words::severity(finding.severity), 8), finding.code);
        let lines = wrap(&clean(&finding.title), width.saturating_sub(columns(&head)));
        for (n, line) in lines.iter().enumerate() {
            let lead = if n == 0 { head.clone() } else { " ".repeat(columns(&head)) };
            let _ = writeln!(out, "{lead}{line}");
        }
    }
    if let Some(worst) = findings.first() {
        let _ = writeln!(out, "  What to do: landfall explain {}", worst.code);
    }
    servers(&mut out, evidence);
    resolvers(&mut out, evidence);
    out.push('\n');
    out
}

type Seen<'a> = (&'a Observation, &'a DnsObservation);

/// The zone's servers, one row an address.
fn servers(out: &mut String, evidence: &Evidence) {
    let Some(zone) = evidence
        .all_dns()
        .find(|(_, s)| s.question.manner == DnsManner::Tcp)
        .map(|(_, s)| s.question.name.clone())
    else {
        return;
    };
    let host = evidence.target.production.as_ref().and_then(|url| url.domain()).unwrap_or_default();
    let mut rows: BTreeMap<String, Vec<Seen<'_>>> = BTreeMap::new();
    for (o, s) in evidence.all_dns() {
        if let (DnsServerRole::Authoritative, Some(name), Some(address)) =
            (s.question.server.role, &s.question.server.name, s.question.server.address)
        {
            rows.entry(format!("{name} {}", address.ip())).or_default().push((o, s));
        }
    }
    let _ = writeln!(out, "\nServers of {}", clean(&zone));
    let name = rows.keys().map(|name| columns(name)).max().unwrap_or(0).clamp(6, SERVER);
    let line = |out: &mut String, cells: [&str; 5], last: &str| {
        let [server, udp, tcp, serial, signed] = cells;
        let server = pad(&shorten(&clean(server), name), name);
        let text = format!(
            "  {server}  {}  {}  {}  {}  {}",
            pad(udp, 8),
            pad(tcp, 8),
            pad(&shorten(&clean(serial), 12), 12),
            pad(signed, 10),
            clean(last)
        );
        let _ = writeln!(out, "{}", text.trim_end());
    };
    line(out, ["server", "UDP", "TCP", "serial", "signed to"], host);
    for (server, seen) in &rows {
        let find = |manner: DnsManner, name: &str, rtype: &str| {
            seen.iter().find(|(_, s)| {
                let q = &s.question;
                q.manner == manner
                    && q.name == name
                    && q.rtype == rtype
                    && (q.dnssec_ok || manner != DnsManner::Usual)
            })
        };
        let udp = find(DnsManner::Usual, &zone, "SOA");
        let tcp = find(DnsManner::Tcp, &zone, "SOA");
        let took = |seen: Option<&Seen<'_>>| match seen {
            None => "-".to_owned(),
            Some((o, s)) => match &s.answer {
                Observed::Present(_) => words::span_us(o.took_us),
                other => outcome(other),
            },
        };
        let soa = udp.and_then(|(_, s)| s.answer.present());
        let serial = soa.and_then(|a| a.data_of("SOA").next()).and_then(|text| text.split(' ').nth(2));
        let signed = soa.and_then(|a| a.signing.as_ref()).and_then(|signing| {
            signing.signatures.iter().filter(|s| s.covers == "SOA").map(|s| s.expiration).max()
        });
        let signed = signed.map_or("no".to_owned(), |until| until.strftime("%Y-%m-%d").to_string());
        let mut addresses = BTreeSet::new();
        for rtype in ["A", "AAAA"] {
            match find(DnsManner::Usual, host, rtype).map(|(_, s)| &s.answer) {
                Some(Observed::Present(answer)) => addresses.extend(data(answer)),
                Some(other) => {
                    addresses.insert(outcome(other));
                }
                None => {}
            }
        }
        let addresses: Vec<String> = addresses.into_iter().collect();
        line(out, [server, &took(udp), &took(tcp), serial.unwrap_or("-"), &signed], &addresses.join(" "));
    }
}

fn data(answer: &DnsAnswer) -> impl Iterator<Item = String> {
    answer
        .answers
        .iter()
        .filter(|r| matches!(r.rtype.as_str(), "A" | "AAAA" | "CNAME"))
        .map(|r| r.data.clone())
}

/// One word for what is no answer.
fn outcome(answer: &Observed<DnsAnswer>) -> String {
    match answer {
        Observed::Present(_) => "answers".to_owned(),
        Observed::Denied(Denial::Rcode(answer)) => answer.rcode_name.clone(),
        Observed::Denied(_) => "refused".to_owned(),
        Observed::Silent(_) => "silent".to_owned(),
        Observed::Unasked(_) => "unasked".to_owned(),
    }
}

/// What resolvers give for the host, how long they will, and what they say of signatures.
fn resolvers(out: &mut String, evidence: &Evidence) {
    let host = evidence.target.production.as_ref().and_then(|url| url.domain()).unwrap_or_default();
    let mut headed = false;
    for (o, s) in evidence.all_dns() {
        let q = &s.question;
        let ours = q.server.role == DnsServerRole::Recursive
            && q.name == host
            && q.dnssec_ok
            && q.manner == DnsManner::Usual
            && !q.checking_disabled
            && matches!(q.rtype.as_str(), "A" | "AAAA");
        if !ours {
            continue;
        }
        if !headed {
            let _ = writeln!(out, "\nResolvers");
            headed = true;
        }
        let what = match &s.answer {
            Observed::Present(answer) => {
                let found: Vec<String> = data(answer).collect();
                let ttl = answer.answers.iter().filter(|r| r.rtype != "RRSIG").map(|r| r.ttl_s).max();
                let kept =
                    ttl.map(|ttl| format!(", kept until {}", until(evidence, o, ttl))).unwrap_or_default();
                let valid = if answer.authentic_data { ", validated" } else { "" };
                let found = if found.is_empty() { "no such record".to_owned() } else { found.join(" ") };
                format!("{found}{kept}{valid}")
            }
            Observed::Denied(Denial::Rcode(answer)) => {
                let mut text = answer.rcode_name.clone();
                for error in &answer.extended_errors {
                    let _ = write!(text, ", extended error {} {}", error.code, error.text);
                }
                if let Some(soa) = answer.authority.iter().find(|r| r.rtype == "SOA") {
                    let _ = write!(text, ", kept until {}", until(evidence, o, soa.ttl_s));
                }
                text
            }
            other => other.describe(),
        };
        let at = q.server.address.map(|at| at.to_string()).unwrap_or_default();
        let _ = writeln!(out, "  {}  {}  {}", pad(&at, 21), pad(&q.rtype, 4), clean(&what));
    }
}

fn until(evidence: &Evidence, o: &Observation, ttl_s: u32) -> String {
    let after = SignedDuration::from_micros(
        i64::try_from(o.started_us.saturating_add(o.took_us)).unwrap_or(i64::MAX),
    ) + SignedDuration::from_secs(i64::from(ttl_s));
    match evidence.started_at.checked_add(after) {
        Ok(end) => clock(end, evidence.started_at),
        Err(_) => "an unknown time".to_owned(),
    }
}

/// A clock time; the day too when it is another one than today.
fn clock(at: Timestamp, now: Timestamp) -> String {
    let day = |t: Timestamp| t.strftime("%Y-%m-%d").to_string();
    at.strftime(if day(at) == day(now) { "%H:%M:%S UTC" } else { "%Y-%m-%d %H:%M UTC" }).to_string()
}

/// What became another between two rounds of a watch, one line each, and at the end until when the last one is late.
pub fn agreement_changes(before: &Agreement, after: &Agreement, now: Timestamp) -> Vec<String> {
    let mut lines = Vec::new();
    let stamp = now.strftime("%H:%M:%S UTC").to_string();
    for ((who, rtype), says) in &after.said {
        if before.said.get(&(who.clone(), rtype.clone())) == Some(says) {
            continue;
        }
        let says: Vec<&str> = says.iter().map(String::as_str).collect();
        let says = if says.is_empty() { "nothing".to_owned() } else { says.join(" ") };
        let late = after.late.get(who).map(|end| format!(" (remembered until {})", clock(*end, now)));
        lines.push(format!("{stamp}  {who} gives {says} for {rtype}{}", late.unwrap_or_default()));
    }
    for (who, rtype) in before.said.keys().filter(|key| !after.said.contains_key(*key)) {
        if !after.without_answer.contains_key(who) {
            lines.push(format!("{stamp}  {who} gives no answer for {rtype}"));
        }
    }
    for (who, instead) in &after.without_answer {
        if before.without_answer.get(who) != Some(instead) {
            lines.push(format!("{stamp}  {who}, a server of the zone: {instead}"));
        }
    }
    match after.by() {
        Some(by)
            if before.by().is_none_or(|old| old.duration_since(by).abs() > SignedDuration::from_secs(2)) =>
        {
            lines.push(format!("{stamp}  everybody asked sees it by {}", clock(by, now)));
        }
        None if after.is_whole() => lines.push(format!("{stamp}  everybody asked sees what the zone says")),
        None if before.zone != after.zone || before == &Agreement::default() => match after.zone {
            OwnServers::Differ => lines.push(format!("{stamp}  the zone's own servers do not agree yet")),
            OwnServers::Unheard => {
                lines.push(format!("{stamp}  none of the zone's own servers has answered for the name"));
            }
            OwnServers::Agree => {}
        },
        _ => {}
    }
    // Names and data are from outside.
    lines.iter().map(|line| clean(line).into_owned()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_watch_tells_what_changed_and_until_when() {
        let at = |s: i64| Timestamp::from_second(1_700_000_000 + s).expect("in range");
        let key = |who: &str| (who.to_owned(), "A".to_owned());
        let set = |ip: &str| BTreeSet::from([ip.to_owned()]);
        let first = Agreement {
            said: BTreeMap::from([(key("ns1"), set("192.0.2.1")), (key("9.9.9.9:53"), set("192.0.2.9"))]),
            late: BTreeMap::from([("9.9.9.9:53".to_owned(), at(60))]),
            zone: OwnServers::Agree,
            ..Agreement::default()
        };
        assert_eq!(
            agreement_changes(&Agreement::default(), &first, at(0)),
            [
                "22:13:20 UTC  9.9.9.9:53 gives 192.0.2.9 for A (remembered until 22:14:20 UTC)",
                "22:13:20 UTC  ns1 gives 192.0.2.1 for A",
                "22:13:20 UTC  everybody asked sees it by 22:14:20 UTC",
            ]
        );
        assert!(agreement_changes(&first, &first, at(10)).is_empty(), "nothing new");
        let last = Agreement {
            said: BTreeMap::from([(key("ns1"), set("192.0.2.1")), (key("9.9.9.9:53"), set("192.0.2.1"))]),
            late: BTreeMap::new(),
            zone: OwnServers::Agree,
            ..Agreement::default()
        };
        assert_eq!(
            agreement_changes(&first, &last, at(61)),
            [
                "22:14:21 UTC  9.9.9.9:53 gives 192.0.2.1 for A",
                "22:14:21 UTC  everybody asked sees what the zone says",
            ]
        );
        let refused = Agreement {
            without_answer: BTreeMap::from([("ns1".to_owned(), "REFUSED".to_owned())]),
            ..Agreement::default()
        };
        assert_eq!(
            agreement_changes(&last, &refused, at(71)),
            [
                "22:14:31 UTC  9.9.9.9:53 gives no answer for A",
                "22:14:31 UTC  ns1, a server of the zone: REFUSED",
                "22:14:31 UTC  none of the zone's own servers has answered for the name",
            ]
        );
        assert!(agreement_changes(&refused, &refused, at(81)).is_empty(), "told once");
    }
}
