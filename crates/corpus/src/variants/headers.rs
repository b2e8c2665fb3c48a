//! Headers that say nothing: more of them, in another order, a second off.

use std::collections::BTreeMap;

use jiff::fmt::rfc2822;
use jiff::{SignedDuration, Timestamp};
use landfall_evidence::{Evidence, Header, Observed, Seen, Vantage};

use super::prng::Prng;

/// Harmless headers with the kinds of value that they carry. No signature of the catalogue reads one of these names,
/// which a test below holds true.
const HARMLESS: &[(&str, &[&str])] = &[
    ("referrer-policy", &["no-referrer", "strict-origin-when-cross-origin", "same-origin"]),
    ("permissions-policy", &["geolocation=()", "interest-cohort=()"]),
    ("cross-origin-opener-policy", &["same-origin", "unsafe-none"]),
    ("x-permitted-cross-domain-policies", &["none"]),
    ("x-download-options", &["noopen"]),
    ("content-language", &["en", "de-CH"]),
    ("x-correlation-id", &["7b1f0c52", "c0ffee00-0000-4000-8000-000000000001"]),
    ("x-response-time", &["3ms", "12ms"]),
    ("origin-agent-cluster", &["?1"]),
    ("x-dns-prefetch-control", &["off"]),
];

/// Every answer of an outer side gets the same two to four names more, as a server's configuration would add them; the
/// order of names changes, that of one name's values does not; clocks differ by a second. `None` when nobody answered.
///
/// The local backend's answers get nothing more, and no other side gets a name that it sends: a header that only the
/// application here and an answer there have in common is a sign that the application wrote it, and not noise.
pub(super) fn noise(evidence: &Evidence, prng: &mut Prng) -> Option<Evidence> {
    let of_local = |name: &str| {
        let mut answers = evidence.http().filter(|(o, _)| o.vantage == Vantage::Local);
        answers.any(|(_, seen)| seen.answer.present().is_some_and(|response| response.header(name).is_some()))
    };
    let harmless: Vec<_> = HARMLESS.iter().copied().filter(|(name, _)| !of_local(name)).collect();
    let mut other = evidence.clone();
    let mut more: BTreeMap<Vantage, Vec<usize>> = BTreeMap::new();
    let mut changed = false;
    for observation in &mut other.observations {
        let vantage = observation.vantage;
        let Seen::Http(seen) = &mut observation.seen else { continue };
        let Observed::Present(response) = &mut seen.answer else { continue };
        let count = 2 + prng.below(3);
        let names = more.entry(vantage).or_insert_with(|| prng.positions(count, harmless.len()));
        for (name, values) in names.iter().map(|at| harmless[*at]) {
            if vantage != Vantage::Local && response.header(name).is_none() {
                let value = values[prng.below(values.len())].to_owned();
                response.headers.push(Header { name: name.to_owned(), value });
            }
        }
        shuffle(&mut response.headers, prng);
        for header in response.headers.iter_mut().filter(|h| h.name == "date") {
            let seconds = i64::try_from(prng.below(3)).expect("below three") - 1;
            header.value = moved(&header.value, seconds).unwrap_or_else(|| header.value.clone());
        }
        changed = true;
    }
    changed.then_some(other)
}

/// The headers in another order. Values of one name keep theirs: a list spread over lines has an order (RFC 9110 5.3).
fn shuffle(headers: &mut Vec<Header>, prng: &mut Prng) {
    let mut names: Vec<String> = headers.iter().map(|h| h.name.clone()).collect();
    prng.shuffle(&mut names);
    let mut by_name: BTreeMap<String, std::collections::VecDeque<Header>> = BTreeMap::new();
    for header in headers.drain(..) {
        by_name.entry(header.name.clone()).or_default().push_back(header);
    }
    headers.extend(names.iter().filter_map(|name| by_name.get_mut(name)?.pop_front()));
}

/// An HTTP date (RFC 9110 section 5.6.7) some seconds later; `None` when it is not one.
fn moved(value: &str, seconds: i64) -> Option<String> {
    let when: Timestamp = rfc2822::parse(value).ok()?.timestamp();
    let when = when.checked_add(SignedDuration::from_secs(seconds)).ok()?;
    rfc2822::DateTimePrinter::new().timestamp_to_rfc9110_string(&when).ok()
}

#[cfg(test)]
mod tests {
    use landfall_diagnosis::Catalogue;

    use super::super::testkit;
    use super::*;

    #[test]
    fn no_signature_reads_a_harmless_header() {
        for signature in Catalogue::embedded().signatures() {
            for (name, _) in HARMLESS {
                assert!(!signature.headers.contains_key(*name), "{} reads {name}", signature.id);
            }
        }
    }

    #[test]
    fn noise_adds_and_reorders_and_loses_nothing() {
        let before = testkit::case().evidence;
        let after = noise(&before, &mut Prng::new("x", 1)).expect("somebody answered");
        let mut reordered = 0;
        for ((observation, old), (_, new)) in before.http().zip(after.http()) {
            let (Some(old), Some(new)) = (old.answer.present(), new.answer.present()) else { continue };
            assert_eq!(new.headers.len() > old.headers.len(), observation.vantage != Vantage::Local);
            for header in &old.headers {
                let values = |headers: &[Header]| {
                    headers
                        .iter()
                        .filter(|h| h.name == header.name)
                        .map(|h| h.value.clone())
                        .collect::<Vec<_>>()
                };
                if header.name == "date" {
                    assert_eq!(values(&new.headers).len(), 1);
                } else {
                    assert_eq!(values(&new.headers), values(&old.headers), "{}", header.name);
                }
            }
            reordered += usize::from(new.headers[0].name != old.headers[0].name);
        }
        assert!(reordered > 0);
    }

    #[test]
    fn dates_move_by_seconds() {
        assert_eq!(
            moved("Sun, 06 Nov 1994 08:49:37 GMT", 25).as_deref(),
            Some("Sun, 06 Nov 1994 08:50:02 GMT")
        );
        assert_eq!(moved("yesterday", 1), None);
    }
}
