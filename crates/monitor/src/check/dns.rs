//! A DNS question as a check.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use landfall_evidence::{DnsAnswer, DnsRecord, Observed, Seen, Timings};
use landfall_probe::dns::question;

use super::judge::{self, Said};
use super::{Probes, masked, micros, result};
use crate::assertion::quoted;
use crate::model::DnsCheck;
use crate::result::{CheckResult, Outcome, Reason};

/// The server of a monitor, `ADDR[:PORT]`, IPv6 in brackets when it has a port.
pub(crate) fn parse_server(text: &str) -> Option<SocketAddr> {
    let bare = text.strip_prefix('[').and_then(|t| t.strip_suffix(']')).unwrap_or(text);
    text.parse().ok().or_else(|| bare.parse::<IpAddr>().ok().map(|ip| SocketAddr::new(ip, 53)))
}

/// Data in one spelling, so that what a person writes compares with what a server sends: text without its quotes, names
/// in lower case and without the final dot, addresses in their canonical form.
fn plain(rtype: &str, data: &str) -> String {
    let data = data.trim();
    match rtype {
        "TXT" => data.split("\" \"").collect::<String>().trim_matches('"').replace("\\\"", "\""),
        "A" | "AAAA" => data.parse::<IpAddr>().map_or_else(|_| data.to_owned(), |ip| ip.to_string()),
        "CAA" => data.replace('"', "").to_ascii_lowercase(),
        _ => {
            let words = data.split_whitespace().map(|word| word.trim_end_matches('.').to_ascii_lowercase());
            words.collect::<Vec<_>>().join(" ")
        }
    }
}

pub(super) async fn check(
    probes: &Probes,
    check: &DnsCheck,
    timeout: Duration,
    now: Timestamp,
) -> CheckResult {
    let ctx = probes.context(timeout);
    let rtype = check.rtype.to_ascii_uppercase();
    let named = match check.server.as_deref().map(|text| parse_server(text).ok_or(text)).transpose() {
        Ok(named) => named,
        Err(text) => {
            let say = format!("{text:?} is not ADDR or ADDR:PORT of a DNS server");
            return CheckResult::new(now, Outcome::Inconclusive, Some(Reason::Local), say);
        }
    };
    let began = Instant::now();
    let asked = question(&ctx, named, &check.name, &rtype).await;
    let took = began.elapsed();
    let observations = match asked {
        Ok(observations) => observations,
        Err(fault) => {
            return CheckResult::new(now, Outcome::Inconclusive, Some(Reason::Local), fault.to_string());
        }
    };
    let answer = observations.last().and_then(|observation| match &observation.seen {
        Seen::Dns(seen) => Some(&seen.answer),
        _ => None,
    });
    let unasked =
        Observed::Unasked(landfall_evidence::ProbeFault::Local { detail: "nothing was asked".into() });
    let answer = answer.unwrap_or(&unasked);
    let at = check.server.as_deref().unwrap_or("the resolver");
    let fault = match (named, answer) {
        (_, Observed::Present(_)) => None,
        (Some(_), answer) => judge::server(answer, &check.name, at),
        (None, answer) => Some(judge::name(answer, &check.name)),
    };
    let mut records: Vec<String> = answer
        .present()
        .map(|answer| answer.data_of(&rtype).map(|data| plain(&rtype, data)).collect())
        .unwrap_or_default();
    records.sort_unstable();
    records.dedup();
    let said = fault.or_else(|| held_against(check, &rtype, &records, took));
    let mut result = result(now, said, || {
        format!("{rtype} of {}: {} in {:.1} ms", check.name, list(&records), took.as_secs_f64() * 1e3)
    });
    result.timings = Timings { resolve_us: Some(micros(took)), ..Timings::default() };
    if let Observed::Present(answer) = answer {
        let count = |records: &[DnsRecord]| u32::try_from(records.len()).unwrap_or(u32::MAX);
        result.facts.dns_records = Some((count(&answer.answers), count(&answer.authority)));
        result.facts.dns_serial = serial(answer);
    }
    result.facts.address = named.map(|at| at.ip());
    result.snapshot.records = records;
    if result.outcome != Outcome::Up {
        result.evidence = masked(observations, &[]);
    }
    result
}

/// What the records are held against.
fn held_against(check: &DnsCheck, rtype: &str, records: &[String], took: Duration) -> Option<Said> {
    if records.is_empty() {
        return Some(Said::down(Reason::DnsError, format!("{} has no {rtype} records", check.name)));
    }
    let wanted = |list: &[String]| {
        let mut list: Vec<_> = list.iter().map(|data| plain(rtype, data)).collect();
        list.sort_unstable();
        list.dedup();
        list
    };
    let missing: Vec<_> =
        wanted(&check.contains).into_iter().filter(|data| !records.contains(data)).collect();
    if !missing.is_empty() {
        let say =
            format!("{rtype} of {}: {}; expected {} among them", check.name, list(records), list(&missing));
        return Some(Said::down(Reason::Records, say));
    }
    let exactly = wanted(&check.exactly);
    if !exactly.is_empty() && exactly != records {
        let say =
            format!("{rtype} of {}: {}; expected exactly {}", check.name, list(records), list(&exactly));
        return Some(Said::down(Reason::Records, say));
    }
    let limit = check.degraded_ms.filter(|limit| took > Duration::from_millis((*limit).into()))?;
    let say =
        format!("{rtype} of {} answered in {} ms; slower than {limit} ms", check.name, took.as_millis());
    Some(Said::degraded(Reason::Slow, say))
}

/// A few of the records for one line.
fn list(records: &[String]) -> String {
    let mut shown: Vec<String> =
        records.iter().take(4).map(|data| quoted(data).trim_matches('"').to_owned()).collect();
    if records.len() > shown.len() {
        shown.push(format!("{} more", records.len() - shown.len()));
    }
    shown.join(", ")
}

/// The serial of a SOA record (RFC 1035, section 3.3.13), wherever the answer holds it.
fn serial(answer: &DnsAnswer) -> Option<u32> {
    let mut soa = answer.answers.iter().chain(&answer.authority).filter(|r| r.rtype == "SOA");
    soa.next()?.data.split(' ').nth(2)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn data_compares_in_one_spelling() {
        for (rtype, written, sent) in [
            ("TXT", "v=spf1 -all", "\"v=spf1 -all\""),
            ("TXT", "ab", "\"a\" \"b\""),
            ("MX", "10 Mail.Example.Test.", "10 mail.example.test"),
            ("CNAME", "App.Example.test.", "app.example.test"),
            ("AAAA", "2001:DB8:0::1", "2001:db8::1"),
            ("CAA", "0 issue \"pki.goog\"", "0 issue \"pki.goog\""),
            ("CAA", "0 issue pki.goog", "0 issue \"pki.goog\""),
        ] {
            assert_eq!(plain(rtype, written), plain(rtype, sent), "{rtype}");
        }
    }

    #[test]
    fn servers_take_the_usual_forms() {
        assert_eq!(parse_server("9.9.9.9"), "9.9.9.9:53".parse().ok());
        assert_eq!(parse_server("127.0.0.1:5353"), "127.0.0.1:5353".parse().ok());
        assert_eq!(parse_server("2620:fe::fe"), "[2620:fe::fe]:53".parse().ok());
        assert_eq!(parse_server("[2620:fe::fe]:54"), "[2620:fe::fe]:54".parse().ok());
        assert_eq!(parse_server("dns.google"), None);
    }
}
