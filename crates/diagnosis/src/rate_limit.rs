//! What the rate-limit probe's run means for ordinary clients.
//!
//! A use is held against the limit by the largest number of its requests that fall into one window. Two ends of the
//! intervals are kept apart: a use is *refused* only when even the largest limit in the shortest window that fits
//! would refuse it, and *passes* only when the smallest limit in the longest window would still let it through.

use landfall_evidence::{Interval, Observation, RateLimitRun, RateSignal, Seen, Vantage};

use crate::attribution;
use crate::case::Case;
use crate::facts::is_health_path;
use crate::signatures::{Meaning, SignatureHop};
use crate::words::in_words;
use crate::{Label, RateLimit};

/// What a recommendation asks for at least: one request a second, and a page opened by somebody who just did another.
const WANTED_PER_MINUTE: u64 = 60;
const WANTED_BURST: u64 = 20;

/// A way of using an API, as a limiter sees it.
struct Profile {
    name: &'static str,
    /// Requests at once.
    batch: u64,
    /// How many times; `None` goes on for ever.
    times: Option<u64>,
    /// From one time to the next, in milliseconds.
    every_ms: u64,
    /// Whether a public API has to stand it. The others are told for information.
    ordinary: bool,
}

/// The kinds of use that a report speaks of.
const PROFILES: &[Profile] = &[
    Profile {
        name: "an uptime monitor that asks every 30 s from 3 places at once",
        batch: 3,
        times: None,
        every_ms: 30_000,
        ordinary: true,
    },
    Profile {
        name: "a phone that retries 3 times in 2 s",
        batch: 1,
        times: Some(3),
        every_ms: 1000,
        ordinary: true,
    },
    Profile {
        name: "a page that opens with 12 calls",
        batch: 12,
        times: Some(1),
        every_ms: 1,
        ordinary: true,
    },
    Profile {
        name: "a loop of 10 requests, 1 s apart",
        batch: 1,
        times: Some(10),
        every_ms: 1000,
        ordinary: false,
    },
    Profile {
        name: "a smoke test of 20 requests, 100 ms apart",
        batch: 1,
        times: Some(20),
        every_ms: 100,
        ordinary: false,
    },
];

/// What becomes of one kind of use.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Outcome {
    Passes { most: u64 },
    Refused { most: u64, refused: u64 },
    Undecided { most: Option<u64> },
}

impl Profile {
    /// The most of its requests that fall into any window of this length.
    fn most_within(&self, window_ms: u64) -> u64 {
        let times = window_ms.saturating_sub(1) / self.every_ms + 1;
        self.batch * self.times.map_or(times, |all| all.min(times))
    }

    /// The most in a window of unknown length: all of it, unless it goes on for ever.
    fn most_ever(&self) -> Option<u64> {
        self.times.map(|times| self.batch * times)
    }

    fn against(&self, limit: Interval, window_ms: Option<Interval>) -> Outcome {
        let shortest = match window_ms {
            Some(window) => self.most_within(window.low.max(1)),
            // A window that is not known may be as short as one batch.
            None => self.batch,
        };
        let longest =
            window_ms.and_then(|w| w.high).map(|high| self.most_within(high)).or_else(|| self.most_ever());
        match limit.high {
            Some(high) if shortest > high => Outcome::Refused { most: shortest, refused: shortest - high },
            _ if longest.is_some_and(|most| most <= limit.low) => {
                Outcome::Passes { most: longest.unwrap_or(0) }
            }
            _ => Outcome::Undecided { most: longest },
        }
    }
}

/// The last run that was made, with its observation.
pub(crate) fn run<'a>(case: &Case<'a>) -> Option<(&'a Observation, &'a RateLimitRun)> {
    let runs = case.evidence().rate_limit().filter_map(|(o, seen)| Some((o, seen.answer.present()?)));
    runs.filter(|(o, _)| o.vantage == Vantage::Edge).last()
}

/// Names of the ordinary uses that the limit refuses for certain. Empty when no refusal was seen.
pub(crate) fn refused_uses(run: &RateLimitRun) -> Vec<&'static str> {
    let Some(limit) = run.estimate.limit.filter(|_| run.signal.is_some()) else { return Vec::new() };
    PROFILES
        .iter()
        .filter(|p| p.ordinary && matches!(p.against(limit, run.estimate.window_ms), Outcome::Refused { .. }))
        .map(|p| p.name)
        .collect()
}

/// The rate-limit section; `None` when it was not probed.
pub(crate) fn assess(case: &Case<'_>) -> Option<RateLimit> {
    let (_, run) = run(case)?;
    let estimate = &run.estimate;
    let limit = estimate.limit.filter(|_| run.signal.is_some());
    Some(RateLimit {
        limit: estimate.limit,
        window_ms: estimate.window_ms,
        burst: None,
        algorithm: estimate.classes.clone(),
        hop: run.signal.as_ref().and_then(|signal| hop(case, signal)),
        signal: run.signal.as_ref().map(signal_in_words),
        confidence_percent: estimate.confidence_percent,
        requests_counted: u32::try_from(run.sequence.len()).unwrap_or(u32::MAX),
        statuses: run
            .sequence
            .iter()
            .map(|s| s.status.map_or_else(|| "no answer".into(), |c| c.to_string()))
            .collect(),
        impact: limit.map(|limit| impact(limit, estimate.window_ms)).unwrap_or_default(),
        recommendation: (!refused_uses(run).is_empty()).then(|| recommendation(case, run)),
        open: estimate.open.clone(),
    })
}

/// The limit in a few words: "5 requests in 10 s".
pub(crate) fn limit_in_words(run: &RateLimitRun) -> Option<String> {
    let limit = run.estimate.limit?;
    Some(match run.estimate.window_ms {
        Some(window) => format!("{limit} requests in {}", window_in_words(window)),
        None => format!("{limit} requests, in a window of unknown length"),
    })
}

fn window_in_words(window: Interval) -> String {
    // The estimate's ends are good to a round trip or so; more digits would claim more than was measured.
    let seconds = |ms: u64| {
        let text = format!("{:.1}", ms as f64 / 1000.0);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match window.high {
        Some(high) if high == window.low => format!("{} s", seconds(high)),
        Some(high) => format!("{} to {} s", seconds(window.low), seconds(high)),
        None => format!("{} s or more", seconds(window.low)),
    }
}

fn impact(limit: Interval, window_ms: Option<Interval>) -> Vec<String> {
    PROFILES
        .iter()
        .map(|profile| match profile.against(limit, window_ms) {
            Outcome::Passes { most } => {
                format!("{}: passes ({most} of at most {limit} in one window)", profile.name)
            }
            Outcome::Refused { most, refused } => {
                format!("{}: refused, at least {refused} of {most} in one window", profile.name)
            }
            Outcome::Undecided { most: Some(most) } => {
                format!(
                    "{}: not decided (up to {most} may fall into one window, the limit is {limit})",
                    profile.name
                )
            }
            Outcome::Undecided { most: None } => {
                format!("{}: not decided, the window is not known", profile.name)
            }
        })
        .collect()
}

fn recommendation(case: &Case<'_>, run: &RateLimitRun) -> String {
    let health: Vec<&str> = case
        .evidence()
        .target
        .endpoints
        .iter()
        .map(|e| e.path.as_str())
        .filter(|p| is_health_path(p))
        .collect();
    let exempt = if health.is_empty() {
        "exempt the path that monitors ask".to_owned()
    } else {
        format!("exempt the health paths ({})", in_words(&health))
    };
    let now = limit_in_words(run).unwrap_or_else(|| "the present limit".into());
    format!(
        "Allow at least {WANTED_PER_MINUTE} requests a minute for each client with a burst of at least {WANTED_BURST} (now: {now}), and {exempt} or allow the monitor's addresses."
    )
}

fn signal_in_words(signal: &RateSignal) -> String {
    match signal.retry_after_s {
        Some(seconds) => format!("HTTP {} with Retry-After: {seconds}", signal.status),
        None => format!("HTTP {} without Retry-After", signal.status),
    }
}

/// The hop that wrote the refusal: by its signature, or by the markers that other answers carry and it lacks.
pub(crate) fn hop(case: &Case<'_>, signal: &RateSignal) -> Option<String> {
    let response = |o: &Observation| match &o.seen {
        Seen::Http(seen) => seen.answer.present().cloned(),
        _ => None,
    };
    let refusal = case.evidence().find(&signal.observation).and_then(response)?;
    let catalogue = case.catalogue();
    let name = |hop: SignatureHop, vendor: &str| {
        let hop = if hop.is_application() { "application" } else { hop.name() };
        format!("{hop} ({})", attribution::vendor_name(vendor))
    };
    if let Some(author) =
        attribution::author(&refusal, catalogue).filter(|a| a.meaning == Meaning::RateLimited && !a.tied)
    {
        return Some(name(author.hop, author.vendor));
    }
    let of_refusal = attribution::passed(&refusal, catalogue);
    let others: Vec<_> = case
        .evidence()
        .http()
        .filter(|(o, _)| o.vantage == Vantage::Edge)
        .filter(|(o, _)| !case.view.is_refusal(&o.id))
        .filter_map(|(_, seen)| Some(attribution::passed(seen.answer.present()?, catalogue)))
        .collect();
    let outermost = of_refusal.first()?;
    let has = |vendor: &str| of_refusal.iter().any(|p| p.vendor == vendor);
    let deeper_missing = others.iter().flatten().any(|p| !has(p.vendor));
    if deeper_missing {
        return Some(name(outermost.hop, outermost.vendor));
    }
    // All the markers of other answers are there, so it came from behind the innermost of them.
    let innermost = of_refusal.last()?;
    (!others.is_empty()).then(|| format!("behind {}", attribution::vendor_name(innermost.vendor)))
}

/// The cause on the rate-limit axis, when the engine names one.
pub(crate) fn cause<'a>(case: &Case<'a>) -> Option<&'a crate::Cause> {
    case.causes.iter().find(|c| c.rung == "rate-limit" && c.label >= Label::Possible)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outcomes(limit: Interval, window: Option<Interval>) -> Vec<&'static str> {
        PROFILES
            .iter()
            .map(|p| match p.against(limit, window) {
                Outcome::Passes { .. } => "passes",
                Outcome::Refused { .. } => "refused",
                Outcome::Undecided { .. } => "undecided",
            })
            .collect()
    }

    #[test]
    fn uses_are_held_against_limits_with_both_ends_of_the_intervals() {
        let exactly = Interval::exactly;
        // monitor, phone, page, loop, smoke test
        let cases: &[(Interval, Option<Interval>, [&str; 5])] = &[
            (exactly(5), Some(exactly(10_000)), ["passes", "passes", "refused", "refused", "refused"]),
            (exactly(60), Some(exactly(60_000)), ["passes"; 5]),
            (exactly(2), Some(exactly(60_000)), ["refused"; 5]),
            (exactly(12), Some(exactly(10_000)), ["passes", "passes", "passes", "passes", "refused"]),
            (exactly(5), None, ["undecided", "passes", "refused", "undecided", "undecided"]),
            (
                Interval { low: 5, high: Some(15) },
                Some(exactly(10_000)),
                ["passes", "passes", "undecided", "undecided", "refused"],
            ),
            (Interval::at_least(20), Some(exactly(10_000)), ["passes"; 5]),
            (
                exactly(5),
                Some(Interval { low: 1000, high: None }),
                ["undecided", "passes", "refused", "undecided", "refused"],
            ),
        ];
        for (limit, window, want) in cases {
            assert_eq!(outcomes(*limit, *window), want, "{limit} in {window:?}");
        }
    }

    #[test]
    fn the_figures_say_how_many_are_refused() {
        let lines = impact(Interval::exactly(5), Some(Interval::exactly(10_000)));
        assert!(lines[2].contains("at least 7 of 12"), "{}", lines[2]);
        assert!(lines[3].contains("at least 5 of 10"), "{}", lines[3]);
        assert!(lines[0].contains("passes (3 of at most 5"), "{}", lines[0]);
    }

    #[test]
    fn windows_are_written_without_needless_digits() {
        assert_eq!(window_in_words(Interval::exactly(10_000)), "10 s");
        assert_eq!(window_in_words(Interval { low: 500, high: Some(1250) }), "0.5 to 1.2 s");
        assert_eq!(window_in_words(Interval { low: 9000, high: Some(10_001) }), "9 to 10 s");
        assert_eq!(window_in_words(Interval::at_least(60_000)), "60 s or more");
    }
}
