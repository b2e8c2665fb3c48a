//! Clocks: this machine's, and those that servers write into their Date headers (RFC 9110, section 6.6.1).

use std::collections::{BTreeMap, BTreeSet};

use landfall_evidence::{Evidence, HttpResponse, Observation, ObservationId, Vantage};

use super::{Exchanges, FactKey, Facts};
use crate::fields::age_s;

/// Seconds within which two clocks agree: a Date header has whole seconds, and an answer takes some.
const AGREES_S: i64 = 10;

/// Seconds by which two clocks have to differ to be trouble: tokens and signatures are refused from some minutes on.
const DIFFER_S: i64 = 120;

pub(super) fn derive(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    against_servers(evidence, facts);
    among_servers(evidence, exchanges, facts);
}

/// The moment at which an answer left its server by that server's clock, in seconds, as near to `here` as its fields allow: what a cache
/// gives keeps the date of its origin, and says how long ago that was (RFC 9111, section 5.1). Some edges write a date of their own
/// and keep the age all the same.
fn dated_s(response: &HttpResponse, here: i64) -> Option<i64> {
    let date = jiff::fmt::rfc2822::parse(response.header("date")?).ok()?.timestamp().as_second();
    let age = age_s(response).and_then(|age| i64::try_from(age).ok()).unwrap_or(0);
    [date, date.saturating_add(age)].into_iter().min_by_key(|at| here.saturating_sub(*at).saturating_abs())
}

/// This machine's clock minus that of the server that gave an answer, in seconds.
fn offset_s(evidence: &Evidence, observation: &Observation, response: Option<&HttpResponse>) -> Option<i64> {
    let ended_s = i64::try_from(observation.ended_us() / 1_000_000).unwrap_or(i64::MAX);
    let here = evidence.started_at.as_second().saturating_add(ended_s);
    Some(here.saturating_sub(dated_s(response?, here)?))
}

/// The one in the middle, so that one wrong server does not count.
fn median(mut offsets: Vec<i64>) -> Option<i64> {
    offsets.sort_unstable();
    offsets.get(offsets.len() / 2).copied()
}

/// This machine's clock against all servers' together.
fn against_servers(evidence: &Evidence, facts: &mut Facts) {
    let (mut offsets, mut ids) = (Vec::new(), BTreeSet::new());
    for (observation, seen) in
        evidence.http().filter(|(o, _)| matches!(o.vantage, Vantage::Edge | Vantage::Origin))
    {
        let Some(offset) = offset_s(evidence, observation, seen.answer.present()) else { continue };
        offsets.push(offset);
        ids.insert(observation.id.clone());
    }
    if let Some(median) = median(offsets) {
        // One of the two clocks is wrong, and which one it is nobody says so far.
        facts.known(FactKey::ClockOffset, "", median, ids).symptom = median.abs() >= DIFFER_S;
    }
}

/// A server whose clock differs while another one agrees with this machine's: then it is that server's clock.
fn among_servers(evidence: &Evidence, exchanges: &Exchanges<'_>, facts: &mut Facts) {
    let mut offsets: BTreeMap<String, (Vec<i64>, Vec<ObservationId>)> = BTreeMap::new();
    for x in exchanges.all.iter().filter(|x| x.vantage != Vantage::Local) {
        let Some(offset) = offset_s(evidence, x.observation, x.seen.answer.present()) else { continue };
        let slot = offsets.entry(x.vantage.to_string()).or_default();
        slot.0.push(offset);
        slot.1.push(x.id());
    }
    let medians: Vec<(String, i64, Vec<ObservationId>)> =
        offsets.into_iter().filter_map(|(vantage, (all, ids))| Some((vantage, median(all)?, ids))).collect();
    if medians.iter().any(|(_, offset, _)| offset.abs() <= AGREES_S) {
        for (vantage, offset, ids) in medians {
            facts.known(FactKey::ClockServer, vantage, offset, ids).symptom = offset.abs() >= DIFFER_S;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// By how much an answer of 22:39:10 seems to come from another time.
    fn off(headers: &[(&str, &str)]) -> Option<i64> {
        let all =
            headers.iter().fold(crate::testkit::response(200), |all, (name, value)| all.header(name, value));
        let here: jiff::Timestamp = "2026-11-25T22:39:10Z".parse().expect("a time");
        dated_s(&all.build(), here.as_second()).map(|at| here.as_second() - at)
    }

    #[test]
    fn the_age_of_what_a_cache_gives_is_no_fault_of_a_clock() {
        assert_eq!(off(&[("date", "Wed, 25 Nov 2026 22:39:10 GMT")]), Some(0));
        assert_eq!(off(&[("date", "Wed, 25 Nov 2026 21:39:10 GMT"), ("age", "3600")]), Some(0));
        // An edge that dates each answer anew.
        assert_eq!(off(&[("date", "Wed, 25 Nov 2026 22:39:09 GMT"), ("age", "3600")]), Some(1));
        assert_eq!(off(&[("date", "Wed, 25 Nov 2026 21:39:10 GMT")]), Some(3600));
        assert_eq!(off(&[("age", "3600")]), None);
        assert_eq!(off(&[("date", "yesterday")]), None);
    }
}
