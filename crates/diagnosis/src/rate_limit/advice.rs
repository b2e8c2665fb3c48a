//! What to set, with figures that were tried in the simulator before they are said.
//!
//! A figure is the smallest that lets every use through that the API has to stand, under every kind of limiter that still fits, in its
//! worst case. A limit that no kind at hand can be given is not recommended: a bucket is advised by its burst and its rate, everything else by
//! a number of requests in a window.

use landfall_evidence::{LimiterClass, RateSignal, UsageProfile};

use super::impact::{self, span};
use super::known::{Keyed, Known, Range};
use crate::words::{count, in_words};
use crate::{Hit, UseImpact};

/// The largest limit that is tried: beyond it a limit is no limit of ordinary clients.
const MOST: u64 = 4096;

/// The window that figures are given for where the limiter's own is not known.
const USUAL_WINDOW_MS: u64 = 60_000;

/// A use with what becomes of it.
pub(super) type Held = (UsageProfile, UseImpact);

/// A limit that lets everything through that it has to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Need {
    /// Requests that pass at once from a quiet start.
    pub(crate) limit: u64,
    /// In which window, or the time in which a bucket of that size fills up.
    pub(crate) window_ms: u64,
}

/// The least limit of these kinds that lets all uses through which have to pass; `None` when not even [`MOST`] does.
pub(crate) fn least(uses: &[&UsageProfile], known: impl Fn(u64) -> Known) -> Option<u64> {
    let passes = |limit: u64| uses.iter().all(|profile| impact::passes(profile, &known(limit)));
    if !passes(MOST) {
        return None;
    }
    let (mut refuses, mut passing) = (0, MOST);
    while passing - refuses > 1 {
        let middle = refuses + (passing - refuses) / 2;
        if passes(middle) { passing = middle } else { refuses = middle }
    }
    Some(passing)
}

/// Whether only buckets fit.
pub(crate) fn is_bucket(known: &Known) -> bool {
    known.classes.iter().all(|c| matches!(c, LimiterClass::TokenBucket | LimiterClass::LeakyBucket))
}

/// The window that figures are given for.
pub(crate) fn window_ms(known: &Known) -> u64 {
    match known.window_known {
        true => known.window_ms.likely.max(1),
        false => USUAL_WINDOW_MS,
    }
}

/// The limit that the uses need of the limiter at hand. Once it is keyed on each client's own address, so that is assumed where all
/// share a counter now.
pub(crate) fn need(uses: &[&UsageProfile], known: &Known) -> Option<Need> {
    let keyed = if known.keyed == Keyed::Shared { Keyed::Address } else { known.keyed };
    if is_bucket(known) && known.window_known {
        // The rate stays, the burst grows: a bucket of `limit` fills up in as many of the present places.
        let filled_in = |limit: u64| {
            (u128::from(window_ms(known)) * u128::from(limit)).div_ceil(u128::from(known.limit.low)) as u64
        };
        let bucket = |limit: u64| Known {
            limit: Range::exactly(limit),
            window_ms: Range::exactly(filled_in(limit).max(1)),
            keyed,
            ..known.clone()
        };
        if let Some(limit) = least(uses, bucket) {
            return Some(Need { limit, window_ms: filled_in(limit).max(1) });
        }
    }
    let window_ms = window_ms(known);
    let windowed = |limit: u64| Known {
        limit: Range::exactly(limit),
        window_ms: Range::exactly(window_ms),
        window_known: true,
        keyed,
        ..known.clone()
    };
    least(uses, windowed).map(|limit| Need { limit, window_ms })
}

/// The uses that the API has to stand and perhaps does not.
pub(super) fn hit(held: &[Held]) -> Vec<&UsageProfile> {
    held.iter().filter(|(p, i)| p.must_pass && i.hit != Hit::Never).map(|(p, _)| p).collect()
}

/// The recommendation in words; `None` when every use passes that has to.
pub(super) fn in_figures(
    held: &[Held],
    known: &Known,
    now: &str,
    health: &[&str],
    signal: &RateSignal,
) -> Option<String> {
    if hit(held).is_empty() {
        return None;
    }
    let uses: Vec<&UsageProfile> = held.iter().map(|(p, _)| p).filter(|p| p.must_pass).collect();
    let mut said = Vec::new();
    if known.keyed == Keyed::Shared {
        said.push("Key the limiter on each client's own address: now all share one counter.".to_owned());
    }
    said.push(match need(&uses, known) {
        Some(need) if is_bucket(known) && known.window_known => format!(
            "Allow a burst of at least {} at the present rate of one request in {} for each client (now: {now}): then every use passes that the API has to stand.",
            need.limit,
            span((need.window_ms / need.limit).max(1)),
        ),
        Some(need) => format!(
            "Allow at least {} in {} for each client (now: {now}): then every use passes that the API has to stand. {} leave room for the same once more.",
            count(usize::try_from(need.limit).unwrap_or(usize::MAX), "request"),
            span(need.window_ms),
            need.limit.saturating_mul(2),
        ),
        None => format!("No limit up to {MOST} requests lets these uses through (now: {now}): let known clients pass by a token or address."),
    });
    said.push(if health.is_empty() {
        "Exempt the path that monitors ask.".to_owned()
    } else {
        format!("Exempt the health paths ({}).", in_words(health))
    });
    let asks = match (signal.status, signal.retry_after_s) {
        (429, Some(_)) => None,
        (429, None) => Some("Send Retry-After with each refusal."),
        _ => Some("Answer refusals with 429 and Retry-After."),
    };
    said.extend(asks.map(str::to_owned));
    Some(said.join(" "))
}

/// For each use that is hit: how it would have to ask so as to pass under the present limit, tried in its worst case.
pub(super) fn slower(held: &[Held], known: &Known) -> Vec<String> {
    held.iter().filter(|(_, impact)| impact.hit != Hit::Never).filter_map(|(p, _)| pace(p, known)).collect()
}

fn pace(profile: &UsageProfile, known: &Known) -> Option<String> {
    let passes = |profile: &UsageProfile| impact::passes(profile, known);
    let name = &profile.name;
    // How slowly to ask follows from the window, so there is nothing to say where it is not known.
    if !known.window_known && (profile.every_ms.is_some() || profile.spacing_ms > 0) {
        return None;
    }
    if let Some(every) = profile.every_ms {
        // Longer pauses help only where one visit passes by itself.
        let with = |every_ms: u64| UsageProfile { every_ms: Some(every_ms), ..profile.clone() };
        let slowest = known.window_ms.high?.saturating_mul(2).max(every.saturating_mul(64));
        let least = smallest(every, slowest, 1000, |ms| passes(&with(ms)))?;
        return Some(format!(
            "{name}: passes under the present limit when it asks every {} or less often",
            span(least)
        ));
    }
    if profile.people > 1 || profile.requests < 2 {
        return None;
    }
    if profile.spacing_ms == 0 {
        let with = |requests: u64| UsageProfile {
            requests: u32::try_from(requests).unwrap_or(u32::MAX),
            ..profile.clone()
        };
        // The other way round: the largest number that passes.
        let most = u64::from(profile.requests);
        let refused = smallest(1, most, 1, |n| !passes(&with(n)))?;
        return (refused > 1).then(|| {
            let most = refused - 1;
            format!("{name}: passes under the present limit with at most {most} at once, when it bundles its calls or keeps answers")
        });
    }
    let with = |spacing_ms: u64| UsageProfile { spacing_ms, ..profile.clone() };
    let slowest = known.window_ms.high?.saturating_mul(2);
    let least = smallest(profile.spacing_ms, slowest, 100, |ms| passes(&with(ms)))?;
    Some(format!(
        "{name}: passes under the present limit when its requests come at least {} apart",
        span(least)
    ))
}

/// The smallest multiple of `step` above `low` and up to `high` at which something holds that holds from there on.
fn smallest(low: u64, high: u64, step: u64, holds: impl Fn(u64) -> bool) -> Option<u64> {
    let (mut no, mut yes) = (low / step, high.div_ceil(step));
    if yes <= no || !holds(yes * step) {
        return None;
    }
    while yes - no > 1 {
        let middle = no + (yes - no) / 2;
        if holds(middle * step) { yes = middle } else { no = middle }
    }
    Some(yes * step)
}

#[cfg(test)]
mod tests {
    use super::super::impact::hold;
    use super::super::impact::tests::known;
    use super::super::profile::usual;
    use super::*;
    use LimiterClass::*;

    fn held(known: &Known) -> Vec<Held> {
        usual()
            .into_iter()
            .map(|p| {
                let held = hold(&p, known);
                (p, held)
            })
            .collect()
    }

    fn signal(status: u16, retry_after_s: Option<u64>) -> RateSignal {
        RateSignal {
            position: 6,
            status,
            retry_after_s,
            headers: Vec::new(),
            body: None,
            observation: "x".into(),
        }
    }

    #[test]
    fn the_least_limit_lets_all_pass_and_one_less_does_not() {
        let uses = usual();
        let must: Vec<&UsageProfile> = uses.iter().filter(|p| p.must_pass).collect();
        let cases: [(&[LimiterClass], u64, u64); 5] = [
            (&[FixedWindow], 5, 10_000),
            (&[SlidingLog, SlidingCounter], 5, 10_000),
            (&[Penalty], 2, 60_000),
            (&[FixedWindow, SlidingLog, TokenBucket], 5, 3_600_000),
            (&[SeveralCounters], 6, 60_000),
        ];
        for (classes, limit, window) in cases {
            for keyed in [Keyed::Address, Keyed::Unknown] {
                let known = known(classes, Range::exactly(limit), Some(Range::exactly(window)), keyed);
                let need = need(&must, &known).expect("there is one");
                let with = |limit| Known {
                    limit: Range::exactly(limit),
                    window_ms: Range::exactly(need.window_ms),
                    ..known.clone()
                };
                assert!(
                    must.iter().all(|p| hold(p, &with(need.limit)).hit == Hit::Never),
                    "{classes:?} {need:?}"
                );
                assert!(
                    must.iter().any(|p| hold(p, &with(need.limit - 1)).hit != Hit::Never),
                    "{classes:?} {need:?}"
                );
            }
        }
    }

    #[test]
    fn a_bucket_is_advised_by_its_burst_and_keeps_its_rate() {
        // nginx, 2 a second with a burst of 4: five at once, one place each half second.
        let known = known(&[TokenBucket], Range::exactly(5), Some(Range::exactly(2500)), Keyed::Address);
        let held = held(&known);
        let text =
            in_figures(&held, &known, "5 requests in 2.5 s", &["/health"], &signal(503, None)).expect("hit");
        assert_eq!(
            text,
            "Allow a burst of at least 12 at the present rate of one request in 0.5 s for each client (now: 5 requests in 2.5 s): then every use passes that the API has to stand. Exempt the health paths (/health). Answer refusals with 429 and Retry-After."
        );
    }

    #[test]
    fn a_window_is_advised_by_its_number() {
        let known = known(
            &[FixedWindow, SlidingLog],
            Range::exactly(5),
            Some(Range::exactly(10_000)),
            Keyed::Address,
        );
        let text = in_figures(&held(&known), &known, "5 requests in 10 s", &[], &signal(429, Some(10)))
            .expect("hit");
        assert_eq!(
            text,
            "Allow at least 12 requests in 10 s for each client (now: 5 requests in 10 s): then every use passes that the API has to stand. 24 leave room for the same once more. Exempt the path that monitors ask."
        );
        let wide = known_wide();
        assert_eq!(in_figures(&held(&wide), &wide, "", &[], &signal(429, Some(10))), None);
    }

    fn known_wide() -> Known {
        known(&[FixedWindow], Range::exactly(60), Some(Range::exactly(60_000)), Keyed::Unknown)
    }

    #[test]
    fn a_window_that_is_not_known_gives_no_pace_and_no_time_of_refusal() {
        let wide = Range { low: 300, likely: 30_000, high: Some(7_200_000) };
        let known = Known {
            window_known: false,
            ..known(&[SlidingLog, Penalty], Range::exactly(2), Some(wide), Keyed::Unknown)
        };
        let held = held(&known);
        assert!(held.iter().any(|(_, impact)| impact.hit == crate::Hit::Perhaps));
        for (_, impact) in &held {
            assert!(
                !impact.words.contains("shut for") && !impact.words.contains("at worst"),
                "{}",
                impact.words
            );
        }
        // How many at once follows from the limit alone.
        assert_eq!(
            slower(&held, &known),
            [
                "a page that opens with 12 calls: passes under the present limit with at most 2 at once, when it bundles its calls or keeps answers"
            ]
        );
        let text = in_figures(&held, &known, "2 requests", &[], &signal(429, Some(2))).expect("hit");
        assert!(text.contains("in 1 min for each client"), "{text}");
    }

    #[test]
    fn the_pace_that_is_named_passes_and_a_faster_one_does_not() {
        let known = known(&[SlidingLog], Range::exactly(5), Some(Range::exactly(10_000)), Keyed::Address);
        let lines = slower(&held(&known), &known);
        assert_eq!(
            lines,
            [
                "a page that opens with 12 calls: passes under the present limit with at most 5 at once, when it bundles its calls or keeps answers",
                "a loop of 10 requests, 1 s apart: passes under the present limit when its requests come at least 2 s apart",
                "a smoke test of 20 requests, 100 ms apart: passes under the present limit when its requests come at least 2 s apart",
            ]
        );
        let tight = super::super::impact::tests::known(
            &[FixedWindow],
            Range::exactly(2),
            Some(Range::exactly(600_000)),
            Keyed::Address,
        );
        let monitor = &slower(&held(&tight), &tight)[0];
        assert!(monitor.ends_with("when it asks every 5 min or less often"), "{monitor}");
    }
}
