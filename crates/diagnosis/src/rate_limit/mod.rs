//! What the rate-limit probe's run means for clients.
//!
//! [`limiter`] is the arithmetic of each kind of limiter, [`known`] is what the probe found of one, [`profile`] turns ways of using an API into request times, [`impact`]
//! holds one against what is known of the other, [`advice`] finds the figures that would let them through, and [`settings`] writes them
//! down for the limiter at hand.

mod advice;
mod impact;
mod known;
mod limiter;
mod profile;
mod settings;
#[cfg(test)]
mod settings_tests;
mod told;

use landfall_evidence::{Interval, Observation, RateLimitRun, RateSignal, Seen, UsageProfile, Vantage};

pub use self::told::{Hit, LimitSettings, UseImpact, UseOutcome, UseRequest};

use self::advice::Held;
use self::known::{Keyed, Known};
use self::settings::Platform;
use crate::attribution;
use crate::case::Case;
use crate::facts::is_health_path;
use crate::signatures::{Meaning, SignatureHop};
use crate::{Label, RateLimit};

/// The last run that was made, with its observation.
pub(crate) fn run<'a>(case: &Case<'a>) -> Option<(&'a Observation, &'a RateLimitRun)> {
    let runs = case.evidence().rate_limit().filter_map(|(o, seen)| Some((o, seen.answer.present()?)));
    runs.filter(|(o, _)| o.vantage == Vantage::Edge).last()
}

/// Every use, usual and declared, with what becomes of it. Empty when no refusal was seen.
fn held(case: &Case<'_>, run: &RateLimitRun) -> Vec<Held> {
    let Some(known) = known(case, run) else { return Vec::new() };
    let declared = case.evidence().target.uses.iter().cloned();
    profile::usual()
        .into_iter()
        .chain(declared)
        .map(|p| {
            let held = impact::hold(&p, &known);
            (p, held)
        })
        .collect()
}

fn known(case: &Case<'_>, run: &RateLimitRun) -> Option<Known> {
    let shared = case.causes.iter().any(|c| c.id == "rate-limit-keyed-on-proxy" && c.label >= Label::Likely);
    Known::of(run, if shared { Keyed::Shared } else { Keyed::Unknown })
}

/// Names of the uses that an API has to stand and the limit refuses for certain. Empty when no refusal was seen.
pub(crate) fn refused_uses(case: &Case<'_>, run: &RateLimitRun) -> Vec<String> {
    let Some(known) = known(case, run) else { return Vec::new() };
    profile::usual()
        .into_iter()
        .chain(case.evidence().target.uses.iter().cloned())
        .filter(|profile| profile.must_pass && impact::is_refused(profile, &known))
        .map(|profile| profile.name)
        .collect()
}

/// Whether a use that an API has to stand may be refused.
pub(crate) fn meets_somebody(case: &Case<'_>, run: &RateLimitRun) -> bool {
    known(case, run).is_some_and(|known| {
        let declared = case.evidence().target.uses.iter().cloned();
        let mut uses = profile::usual().into_iter().chain(declared).filter(|profile| profile.must_pass);
        uses.any(|profile| !impact::passes(&profile, &known))
    })
}

/// The rate-limit section; `None` when it was not probed.
pub(crate) fn assess(case: &Case<'_>) -> Option<RateLimit> {
    let (_, run) = run(case)?;
    let estimate = &run.estimate;
    let uses = held(case, run);
    let health = health_paths(case);
    let (mut recommendation, mut slower, mut settings) = (None, Vec::new(), None);
    if let (Some(known), Some(signal)) = (known(case, run), &run.signal) {
        let now = limit_in_words(run).unwrap_or_else(|| "the present limit".into());
        recommendation = advice::in_figures(&uses, &known, &now, &health, signal);
        slower = advice::slower(&uses, &known);
        if recommendation.is_some() {
            let must: Vec<&UsageProfile> = uses.iter().map(|(p, _)| p).filter(|p| p.must_pass).collect();
            settings =
                platform(case, signal).and_then(|p| p.settings(&must, advice::window_ms(&known), &health));
        }
    }
    let mut open = estimate.open.clone();
    open.extend(known(case, run).and_then(|known| not_known(&known, run.signal.as_ref()?.retry_after_s)));
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
        impact: uses.iter().map(|(_, held)| held.words.clone()).collect(),
        recommendation,
        open,
        uses: uses.into_iter().map(|(_, held)| held).collect(),
        slower,
        settings,
    })
}

/// What is said instead of figures where the window is known too loosely for any.
fn not_known(known: &Known, retry_after_s: Option<u64>) -> Option<String> {
    if known.window_known {
        return None;
    }
    let opens =
        retry_after_s.map_or(String::new(), |s| format!(" (a refusal says that it opens again after {s} s)"));
    Some(format!(
        "the length of the window is not known{opens}, so how slowly to ask cannot be said: `landfall rate-limit --deep` measures it"
    ))
}

/// The health paths that matter here, as declared or found.
fn health_paths<'a>(case: &Case<'a>) -> Vec<&'a str> {
    let endpoints = case.evidence().target.endpoints.iter();
    endpoints.map(|e| e.path.as_str()).filter(|path| is_health_path(path)).collect()
}

/// The limiter at hand, when it is one whose settings we know: the writer of the refusal, or, where that is no proxy, the limiter
/// that the project depends on.
fn platform(case: &Case<'_>, signal: &RateSignal) -> Option<Platform> {
    let writer = refusal(case, signal)
        .and_then(|response| attribution::author(&response, case.catalogue()))
        .filter(|author| author.is_before_the_application() && !author.tied);
    match writer {
        Some(author) => Platform::named(author.vendor),
        None => limiter_of_the_project(case),
    }
}

/// The limiter among the project's dependencies, when there is one only.
pub(crate) fn limiter_of_the_project(case: &Case<'_>) -> Option<Platform> {
    let (_, project) = case.evidence().project()?;
    let mut found: Vec<Platform> = project
        .stacks
        .iter()
        .flat_map(|stack| &stack.dependencies)
        .filter_map(|dependency| Platform::named(&dependency.name))
        .filter(|p| matches!(p, Platform::FlaskLimiter | Platform::ExpressRateLimit))
        .collect();
    found.sort_unstable();
    found.dedup();
    (found.len() == 1).then(|| found[0])
}

/// The limit in a few words: "5 requests in 10 s".
pub(crate) fn limit_in_words(run: &RateLimitRun) -> Option<String> {
    let limit = run.estimate.limit?;
    Some(match run.estimate.window_ms {
        Some(window) if known::is_narrow(window.low, window.high) => {
            format!("{limit} requests in {}", window_in_words(window))
        }
        _ => format!("{limit} requests, in a window of unknown length"),
    })
}

fn window_in_words(window: Interval) -> String {
    // The estimate's ends are good to a round trip or so; more digits would claim more than was measured.
    let seconds = |ms: u64| {
        let text = format!("{:.1}", ms as f64 / 1000.0);
        text.trim_end_matches('0').trim_end_matches('.').to_owned()
    };
    match window.high {
        // Ends that read the same are one.
        Some(high) if seconds(high) == seconds(window.low) => format!("{} s", seconds(high)),
        Some(high) => format!("{} to {} s", seconds(window.low), seconds(high)),
        None => format!("{} s or more", seconds(window.low)),
    }
}

fn signal_in_words(signal: &RateSignal) -> String {
    match signal.retry_after_s {
        Some(seconds) => format!("HTTP {} with Retry-After: {seconds}", signal.status),
        None => format!("HTTP {} without Retry-After", signal.status),
    }
}

/// The refusal itself.
fn refusal(case: &Case<'_>, signal: &RateSignal) -> Option<landfall_evidence::HttpResponse> {
    match &case.evidence().find(&signal.observation)?.seen {
        Seen::Http(seen) => seen.answer.present().cloned(),
        _ => None,
    }
}

/// The hop that wrote the refusal: by its signature, or by the markers that other answers carry and it lacks.
pub(crate) fn hop(case: &Case<'_>, signal: &RateSignal) -> Option<String> {
    let refusal = refusal(case, signal)?;
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

    #[test]
    fn what_is_not_known_is_said_with_what_would_tell() {
        let known = |window_known| Known {
            window_known,
            ..impact::tests::known(
                &[landfall_evidence::LimiterClass::FixedWindow],
                known::Range::exactly(5),
                None,
                Keyed::Unknown,
            )
        };
        let said = not_known(&known(false), Some(2)).expect("the window is not known");
        assert!(said.contains("opens again after 2 s") && said.contains("--deep"), "{said}");
        assert!(!not_known(&known(false), None).expect("not known").contains("opens again"));
        assert_eq!(not_known(&known(true), Some(2)), None);
    }

    #[test]
    fn windows_are_written_without_needless_digits() {
        assert_eq!(window_in_words(Interval::exactly(10_000)), "10 s");
        assert_eq!(window_in_words(Interval { low: 500, high: Some(1250) }), "0.5 to 1.2 s");
        assert_eq!(window_in_words(Interval { low: 9000, high: Some(10_001) }), "9 to 10 s");
        assert_eq!(window_in_words(Interval { low: 11_980, high: Some(12_031) }), "12 s");
        assert_eq!(window_in_words(Interval::at_least(60_000)), "60 s or more");
    }
}
