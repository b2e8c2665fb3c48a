//! What becomes of a use under a limiter that is known in part.
//!
//! # How what is not known is handled
//! Every quantity that the probe left open is tried at both ends and at its likeliest value, every kind of limiter that
//! still fits, every way in which windows may be cut (the moments that matter are those right after a request of the use), both ways to
//! count refused requests, and both keys (each address for itself, all in one counter) where the key is not known. The *best* case is the trial
//! with the fewest refusals, the *worst* the one with the most. A use is hit *always* when even the best case refuses
//! something, *never* when not even the worst does, and *perhaps* in between, with what decides.

use std::collections::BTreeMap;

use landfall_evidence::UsageProfile;

use super::known::{Choices, Keyed, Known, WINDOW_MS};
use super::limiter::Limiter;
use super::profile::Requests;
use crate::words::in_words;
use crate::{Hit, UseImpact, UseOutcome, UseRequest};

/// Stretch that is looked at of a use that goes on for ever, at least.
const SPAN_MS: u64 = 600_000;

/// Requests of a use that a drawing shows, at most.
const MOST_DRAWN: usize = 60;

/// What one trial gave.
struct Trial {
    choices: Choices,
    outcome: UseOutcome,
}

/// Whether no limiter that fits refuses any request of a use: [`hold`] without the figures.
pub(crate) fn passes(profile: &UsageProfile, known: &Known) -> bool {
    let requests = laid_out(profile, known);
    let (lanes, sent) = (lanes(&requests, known), sent(&requests));
    (looked_long_enough(&requests, known) || sent <= known.limit.low)
        && lanes.iter().all(|(_, times)| !known.may_refuse(times))
}

/// Whether every limiter that fits refuses something of a use: [`hold`] without the figures.
pub(crate) fn is_refused(profile: &UsageProfile, known: &Known) -> bool {
    let requests = laid_out(profile, known);
    known.limit.high.is_some()
        && lanes(&requests, known)
            .iter()
            .all(|(_, times)| known.trials(times).iter().all(|(_, l)| l.refuses_any(times)))
}

/// The requests of a use, over a stretch that shows what recurs.
fn laid_out(profile: &UsageProfile, known: &Known) -> Requests {
    let windows = known.window_ms.high.unwrap_or(WINDOW_MS.1).saturating_mul(3);
    Requests::of(profile, windows.clamp(SPAN_MS, 24 * WINDOW_MS.1))
}

fn sent(requests: &Requests) -> u64 {
    requests.of_one_ms.len() as u64 * requests.addresses
}

/// Whether two whole windows lie within the stretch.
fn looked_long_enough(requests: &Requests, known: &Known) -> bool {
    !requests.endless || requests.span_ms / 2 >= known.window_ms.high.unwrap_or(WINDOW_MS.1)
}

/// The requests as one counter sees them, and how many counters see the same: each address for itself, all together, or both.
fn lanes(requests: &Requests, known: &Known) -> Vec<(u64, Vec<u64>)> {
    let mut lanes = Vec::new();
    if known.keyed != Keyed::Shared || requests.addresses == 1 {
        lanes.push((requests.addresses, requests.of_one_ms.clone()));
    }
    if known.keyed != Keyed::Address && requests.addresses > 1 {
        lanes.push((1, requests.together_ms()));
    }
    lanes
}

/// Holds one use against what is known of a limiter.
pub(crate) fn hold(profile: &UsageProfile, known: &Known) -> UseImpact {
    let requests = laid_out(profile, known);
    let trials = run_all(&requests, known);
    let key = |t: &&Trial| (t.outcome.refused, t.outcome.shut_ms, t.outcome.delay_ms);
    let best = trials.iter().min_by_key(key).map(|t| t.outcome.clone()).unwrap_or_default();
    let worst = trials.iter().max_by_key(key).map(|t| t.outcome.clone()).unwrap_or_default();
    // Nothing bounds the limit from above: then even the best case is only that nothing is refused.
    let best =
        if known.limit.high.is_none() { UseOutcome { refused: 0, ..UseOutcome::default() } } else { best };
    let sent = sent(&requests);
    let hit = match (best.refused, worst.refused) {
        (0, 0) if looked_long_enough(&requests, known) || sent <= known.limit.low => Hit::Never,
        (0, _) => Hit::Perhaps,
        _ => Hit::Always,
    };
    let open = if hit == Hit::Perhaps { reasons(&trials, known) } else { Vec::new() };
    let drawn = drawn(&requests, known);
    let mut held = UseImpact {
        name: profile.name.clone(),
        must_pass: profile.must_pass,
        hit,
        requests: sent,
        span_ms: requests.span_ms,
        endless: requests.endless,
        best,
        worst,
        open,
        words: String::new(),
        drawn,
    };
    held.words = words(&held, known);
    held
}

fn run_all(requests: &Requests, known: &Known) -> Vec<Trial> {
    let mut trials = Vec::new();
    for (addresses, times) in lanes(requests, known) {
        let shared = requests.addresses > 1 && addresses == 1;
        let idle = known.idle(&times);
        for (choices, limiter) in known.trials(&times) {
            if idle(&limiter) {
                trials.push(Trial { choices: Choices { shared, ..choices }, outcome: UseOutcome::default() });
                continue;
            }
            let outcome = outcome(&limiter, &times, addresses);
            trials.push(Trial { choices: Choices { shared, ..choices }, outcome });
        }
    }
    trials
}

fn outcome(limiter: &Limiter, times_ms: &[u64], addresses: u64) -> UseOutcome {
    let mut outcome = UseOutcome::default();
    outcome.shut_ms = limiter.put(times_ms, |place, answered| {
        outcome.delay_ms = outcome.delay_ms.max(answered.delay_ms);
        if answered.refused {
            outcome.refused += addresses;
            outcome.first_refused.get_or_insert(place as u64 + 1);
            outcome.first_refused_ms.get_or_insert(answered.at_ms);
        }
    });
    outcome
}

/// What decides whether a use is hit: the choices whose values lead to different ends.
fn reasons(trials: &[Trial], known: &Known) -> Vec<String> {
    let decides = |value: &dyn Fn(&Choices) -> u64| {
        let mut ends: BTreeMap<u64, (bool, bool)> = BTreeMap::new();
        for trial in trials {
            let end = ends.entry(value(&trial.choices)).or_insert((false, true));
            let hit = trial.outcome.refused > 0;
            *end = (end.0 || hit, end.1 && hit);
        }
        let mut ends = ends.into_values();
        let first = ends.next();
        ends.any(|end| Some(end) != first)
    };
    let mut open = Vec::new();
    if decides(&|c| u64::from(c.shared)) {
        open.push("whether its addresses share one counter".to_owned());
    }
    if known.limit.high.is_none() || decides(&|c| c.limit) {
        open.push("the limit, which is known as an interval only".to_owned());
    }
    if decides(&|c| c.window_ms) {
        open.push(if known.window_known {
            "the length of the window, which is known as an interval only".to_owned()
        } else {
            "the length of the window, which is not known".to_owned()
        });
    }
    if decides(&|c| c.class as u64) {
        open.push("the kind of limiter".to_owned());
    }
    if open.is_empty() {
        open.push("the moment at which it begins".to_owned());
    }
    open
}

/// The use under the likeliest limiter, as a drawing shows it: one counter's requests from the beginning.
fn drawn(requests: &Requests, known: &Known) -> Vec<UseRequest> {
    let times =
        if known.keyed == Keyed::Shared { requests.together_ms() } else { requests.of_one_ms.clone() };
    let shown = &times[..times.len().min(MOST_DRAWN)];
    known
        .likeliest()
        .answer(shown)
        .into_iter()
        .map(|r| UseRequest { at_ms: r.at_ms, counted: r.counted, refused: r.refused, delay_ms: r.delay_ms })
        .collect()
}

fn words(held: &UseImpact, known: &Known) -> String {
    let name = &held.name;
    let of = match held.endless {
        true => format!("{} in the first {}", held.requests, span(held.span_ms)),
        false => held.requests.to_string(),
    };
    match held.hit {
        Hit::Never if held.worst.delay_ms > 0 => {
            format!("{name}: never refused, and held back by up to {}", span(held.worst.delay_ms))
        }
        Hit::Never => format!("{name}: never refused"),
        // At worst of a window between a second and an hour is no figure for anybody.
        Hit::Perhaps if !known.window_known => format!(
            "{name}: perhaps refused; it depends on {}",
            in_words(&held.open.iter().map(String::as_str).collect::<Vec<_>>())
        ),
        Hit::Perhaps => format!(
            "{name}: perhaps refused, at worst {}; it depends on {}",
            figures(&held.worst, &of, Some(held.worst.shut_ms), false),
            in_words(&held.open.iter().map(String::as_str).collect::<Vec<_>>())
        ),
        Hit::Always => {
            let at_least = if held.best.refused == held.worst.refused && known.limit.is_exact() {
                String::new()
            } else {
                "at least ".to_owned()
            };
            let varies = held.best.shut_ms != held.worst.shut_ms;
            let shut = known.window_known.then_some(held.worst.shut_ms);
            let figures = figures(&held.best, &of, shut, varies);
            format!("{name}: refused, {at_least}{figures}")
        }
    }
}

/// "7 of 12, request 6 first and at once, shut for up to 10 s".
fn figures(outcome: &UseOutcome, of: &str, shut_ms: Option<u64>, up_to: bool) -> String {
    let first = match (outcome.first_refused, outcome.first_refused_ms) {
        (Some(place), Some(0)) => format!(", request {place} first and at once"),
        (Some(place), Some(at)) => format!(", request {place} first, after {}", span(at)),
        _ => String::new(),
    };
    let up_to = if up_to { "up to " } else { "" };
    let shut = shut_ms.map_or(String::new(), |ms| format!(", shut for {up_to}{}", span(ms)));
    format!("{} of {of}{first}{shut}", outcome.refused)
}

/// A stretch of time for people: "0.4 s", "10 s", "5 min".
pub(crate) fn span(ms: u64) -> String {
    match ms {
        0..60_000 => {
            // More digits would claim more than was measured.
            let text = format!("{:.1}", ms as f64 / 1000.0);
            format!("{} s", text.strip_suffix(".0").unwrap_or(&text))
        }
        60_000..7_200_000 => format!("{} min", (ms + 30_000) / 60_000),
        _ => format!("{} h", (ms + 1_800_000) / 3_600_000),
    }
}

#[cfg(test)]
pub(super) mod tests {
    use landfall_evidence::LimiterClass;

    use super::super::known::Range;
    use super::super::profile::usual;
    use super::*;

    pub(crate) fn known(
        classes: &[LimiterClass],
        limit: Range,
        window_ms: Option<Range>,
        keyed: Keyed,
    ) -> Known {
        Known {
            classes: classes.to_vec(),
            limit,
            window_ms: window_ms.unwrap_or(Range { low: 1000, likely: 60_000, high: Some(3_600_000) }),
            window_known: window_ms.is_some(),
            penalty_ms: None,
            counters: (2, 2),
            alignment: None,
            keyed,
        }
    }

    fn hits(known: &Known) -> Vec<Hit> {
        usual().iter().map(|profile| hold(profile, known).hit).collect()
    }

    use Hit::{Always, Never, Perhaps};
    use LimiterClass::*;

    #[test]
    fn uses_are_held_against_both_ends_of_what_is_known() {
        let exactly = Range::exactly;
        let ten = Some(exactly(10_000));
        // monitor, phone, page, office, loop, smoke test
        for (class, limit, window, keyed, want) in [
            (FixedWindow, exactly(5), ten, Keyed::Unknown, [Never, Never, Always, Always, Perhaps, Always]),
            (SlidingLog, exactly(5), ten, Keyed::Unknown, [Never, Never, Always, Always, Always, Always]),
            (
                FixedWindow,
                exactly(2),
                Some(exactly(60_000)),
                Keyed::Unknown,
                [Perhaps, Perhaps, Always, Always, Always, Always],
            ),
            (
                FixedWindow,
                exactly(2),
                Some(exactly(60_000)),
                Keyed::Address,
                [Never, Perhaps, Always, Always, Always, Always],
            ),
            (FixedWindow, exactly(60), Some(exactly(60_000)), Keyed::Unknown, [Never; 6]),
            (
                TokenBucket,
                exactly(20),
                Some(exactly(2000)),
                Keyed::Unknown,
                [Never, Never, Never, Never, Never, Never],
            ),
            (SlidingLog, exactly(5), None, Keyed::Address, [Perhaps, Never, Always, Always, Perhaps, Always]),
            (
                SlidingLog,
                Range { low: 5, likely: 5, high: Some(15) },
                ten,
                Keyed::Address,
                [Never, Never, Perhaps, Always, Perhaps, Always],
            ),
            (
                SlidingLog,
                Range { low: 5, likely: 5, high: None },
                ten,
                Keyed::Address,
                [Never, Never, Perhaps, Perhaps, Perhaps, Perhaps],
            ),
        ] {
            let known = known(&[class], limit, window, keyed);
            assert_eq!(hits(&known), want, "{known:?}");
        }
    }

    #[test]
    fn kinds_that_fit_both_leave_it_open_where_they_differ() {
        let five = Range::exactly(5);
        // A loop of ten at one a second: a bucket of 5 refilled in 5 s lets all of them through, a log of 5 in 10 s does not.
        let both = known(
            &[TokenBucket, SlidingLog],
            five,
            Some(Range { low: 5000, likely: 5000, high: Some(10_000) }),
            Keyed::Address,
        );
        let held = hold(&usual()[4], &both);
        assert_eq!(held.hit, Perhaps);
        assert!(held.words.contains("at worst 5 of 10, request 6 first, after 5 s"), "{}", held.words);
        assert!(held.open.iter().any(|o| o.contains("window")), "{:?}", held.open);
    }

    #[test]
    fn the_figures_say_how_many_when_first_and_for_how_long() {
        let known = known(&[SlidingLog], Range::exactly(5), Some(Range::exactly(10_000)), Keyed::Address);
        let page = hold(&usual()[2], &known);
        assert_eq!(
            page.words,
            "a page that opens with 12 calls: refused, 7 of 12, request 6 first and at once, shut for 10 s"
        );
        assert_eq!(page.drawn.len(), 12);
        assert_eq!(page.drawn.iter().filter(|r| r.refused).count(), 7);
        let shaped = Known {
            classes: vec![LeakyBucket],
            limit: Range::exactly(21),
            window_ms: Range::exactly(2100),
            ..known
        };
        let page = hold(&usual()[2], &shaped);
        assert_eq!(
            page.words,
            "a page that opens with 12 calls: never refused, and held back by up to 1.1 s"
        );
    }

    #[test]
    fn a_penalty_lasts_and_its_unknown_length_does_not_hide_the_hit() {
        let mut limiter = known(&[Penalty], Range::exactly(5), Some(Range::exactly(10_000)), Keyed::Address);
        limiter.penalty_ms = Some(Range::exactly(3_600_000));
        let page = hold(&usual()[2], &limiter);
        assert_eq!((page.hit, page.worst.shut_ms), (Always, 3_600_000));
        assert!(page.words.ends_with("shut for 60 min"), "{}", page.words);
    }

    #[test]
    fn one_address_of_many_is_not_blamed_for_the_others_unless_they_share_a_counter() {
        let monitor = &usual()[0];
        let tight = Range::exactly(2);
        let window = Some(Range::exactly(10_000));
        let apart = hold(monitor, &known(&[FixedWindow], tight, window, Keyed::Address));
        let shared = hold(monitor, &known(&[FixedWindow], tight, window, Keyed::Shared));
        let unknown = hold(monitor, &known(&[FixedWindow], tight, window, Keyed::Unknown));
        assert_eq!((apart.hit, shared.hit, unknown.hit), (Never, Always, Perhaps));
        assert_eq!(unknown.open, ["whether its addresses share one counter"]);
        assert!(shared.words.contains("in the first 10 min"), "{}", shared.words);
    }
}
