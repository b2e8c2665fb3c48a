//! What a sequence of answers says of the limiter behind it. Pure.
//!
//! # Policy
//! - What passed in one window before the first refusal is the limit. A window is at least as long as its Retry-After says
//!   (less one second, for that is rounded), and never shorter than one second; what lies further back than that may
//!   belong to an earlier window, and widens the interval in place of being counted.
//! - Answers that were in flight together have no known order, so those sent just after the first refusal and passed count
//!   with those before it.
//! - How many pass at once when the wait is over tells windows, which open whole, from buckets, which refill place by
//!   place. Nothing else about the algorithm shows in one refusal, and the estimate says so.
//! - A policy that the server states is believed where the sequence agrees with it.
//!
//! # Why not the inference of `landfall rate-limit`
//! An audit stops at the first refusal, after a few requests in one burst. Read by [`landfall_limiter::Posterior`] 300 simulated limiters
//! and the 32 refused runs of the corpus said what that changes. It holds more often: the true kind is among those named in 1.00 against
//! 0.82, the limit within its interval in 1.00 against 0.70, because several counters and others' requests are reckoned with. But it
//! says less: "5 requests in 9 to 10 s" becomes 5 to 12 in 1 s to half an hour, for a penalty of 10 s tells nothing of the window
//! before it, and several counters hold as many times more. Of the corpus' windows ten are known within a factor of four, which is
//! what advice is drawn from, and none would be. After one burst the weights of such kinds are nearly those of before any request, so
//! they are left to the run that meets the limit twice. It also takes 0.1 to 0.4 s of a processor, which an audit does not have.

use landfall_evidence::{Interval, LimiterClass, RateEstimate, RateSignal, RateStep};

use super::headers::Stated;

/// Windows are not shorter than this in any limiter that we know of.
const SHORTEST_WINDOW_US: u64 = 1_000_000;

/// Requests without a refusal are counted over this stretch: the shortest period that large edges offer.
pub(super) const COUNTED_US: u64 = 10_000_000;

/// The estimate from a sequence in the order sent.
pub(super) fn infer(steps: &[RateStep], signal: Option<&RateSignal>, stated: &[Stated]) -> RateEstimate {
    let stated = tightest(stated);
    match steps.iter().position(|step| step.refused) {
        None => not_reached(steps, stated),
        Some(first) => reached(steps, first, signal.and_then(|signal| signal.retry_after_s), stated),
    }
}

fn not_reached(steps: &[RateStep], stated: Option<&Stated>) -> RateEstimate {
    let passed: Vec<u64> = steps.iter().filter(|step| passed(step)).map(|step| step.at_us).collect();
    let most =
        passed.iter().map(|from| within(&passed, *from, from.saturating_add(COUNTED_US))).max().unwrap_or(0);
    let mut open = vec!["no request was refused, so the limit is only known from below".to_owned()];
    let (mut limit, mut window_ms, mut confidence_percent) = (Some(Interval::at_least(most)), None, 95);
    if most == 0 {
        (limit, confidence_percent) = (None, 0);
    }
    if let Some(Stated { quota: Some(quota), window_s, .. }) = stated {
        if *quota >= most {
            limit = Some(Interval::exactly(*quota));
            window_ms = window_s.map(|s| Interval::exactly(s.saturating_mul(1000)));
            confidence_percent = 80;
            open = vec!["the limit is what the server states in its headers; it was not reached".to_owned()];
        } else {
            open.push(format!(
                "the server states a quota of {quota}, but {most} requests passed within 10 s"
            ));
        }
    }
    RateEstimate { limit, window_ms, classes: Vec::new(), confidence_percent, open, fit: None }
}

fn reached(
    steps: &[RateStep],
    first: usize,
    retry_after_s: Option<u64>,
    stated: Option<&Stated>,
) -> RateEstimate {
    let trip = Trip::of(steps, first, retry_after_s);
    if trip.passed == 0 {
        return RateEstimate {
            limit: None,
            window_ms: None,
            classes: Vec::new(),
            confidence_percent: 0,
            open: vec![
                "the first request was refused already: others behind the same address used the quota up, or the server \
                 refuses for another reason (maintenance, a ban)"
                    .to_owned(),
            ], fit: None };
    }
    let classes = classes(&trip);
    let mut open = Vec::new();
    let mut limit = Interval { low: trip.certain, high: Some(trip.passed + trip.unanswered) };
    let mut window_ms = Some(window_ms(&trip, &classes));
    let mut confidence_percent = confidence(&trip);

    if let Some(Stated { quota: Some(quota), window_s, .. }) = stated {
        if limit.low <= *quota && limit.high.is_some_and(|high| *quota <= high) {
            limit = Interval::exactly(*quota);
            window_ms = window_s.map(|s| Interval::exactly(s.saturating_mul(1000))).or(window_ms);
            confidence_percent = 99;
        } else {
            open.push(format!(
                "the server states a quota of {quota}, but the refusal came after {limit}: another limit was met first, or \
                 others share the quota"
            ));
            confidence_percent = confidence_percent.min(60);
        }
    }
    if limit.exact().is_none() {
        open.push(
            "the requests before the refusal were spread over more time than one window is known to last, so some of them may \
             belong to an earlier one"
                .to_owned(),
        );
    }
    if trip.unanswered > 0 {
        open.push(format!(
            "{} requests had no answer, and may or may not have been counted",
            trip.unanswered
        ));
    }
    if classes.len() > 1 {
        let names: Vec<_> = classes.iter().map(ToString::to_string).collect();
        open.push(format!(
            "the window and the algorithm cannot be told apart within one refusal ({} fit)",
            names.join(", ")
        ));
    }
    if classes.contains(&LimiterClass::FixedWindow) {
        open.push("a window that is aligned to the clock may be longer: only its end was seen".to_owned());
    }
    open.push(
        "requests of others behind the same address would make the limit look smaller than it is".to_owned(),
    );
    RateEstimate { limit: Some(limit), window_ms, classes, confidence_percent, open, fit: None }
}

/// The first refusal with what came before and after it.
struct Trip {
    /// Passed before it, or in flight together with it.
    passed: u64,
    /// Of these, the ones that no window known can have separated from the refusal.
    certain: u64,
    /// Sent before it and never answered.
    unanswered: u64,
    /// From the first that passed to the refusal.
    span_us: u64,
    /// The same from the first of the certain ones: the only stretch that one window is known to hold.
    certain_span_us: u64,
    retry_after_us: Option<u64>,
    /// From the first that passed to the first that passed once the refusals were over.
    until_open_us: Option<u64>,
    /// How many then passed before the next refusal, or before the sequence ended.
    passed_again: u64,
    /// Whether that was ended by a refusal.
    refused_again: bool,
}

impl Trip {
    fn of(steps: &[RateStep], first: usize, retry_after_s: Option<u64>) -> Self {
        let refused_us = steps[first].at_us;
        let retry_after_us = retry_after_s.map(|s| s.saturating_mul(1_000_000));
        // Nothing is sent once a refusal is known, so what was sent this soon after it was in flight with it.
        let together_us = refused_us.saturating_add(SHORTEST_WINDOW_US * 9 / 10);
        let (before, later): (Vec<_>, Vec<_>) = steps.iter().partition(|step| step.at_us <= together_us);
        let at_us: Vec<u64> = before.iter().filter(|step| passed(step)).map(|step| step.at_us).collect();
        let window_us = retry_after_us.map_or(0, |us| us.saturating_sub(1_000_000)).max(SHORTEST_WINDOW_US);
        let certain = within(&at_us, refused_us.saturating_sub(window_us), together_us);
        let begun_us = at_us.first().copied().unwrap_or(refused_us);
        let since_us = refused_us.saturating_sub(window_us);
        let certain_us = at_us.iter().copied().find(|at| *at >= since_us).unwrap_or(refused_us);

        let reopened = later.iter().position(|step| passed(step));
        let again = reopened.map(|i| &later[i..]).unwrap_or_default();
        let end_us = again.first().map(|step| step.at_us.saturating_add(window_us)).unwrap_or_default();
        let in_window = || again.iter().take_while(|step| step.at_us <= end_us);
        let next_refusal = in_window().position(|step| step.refused);
        Self {
            passed: at_us.len() as u64,
            certain,
            unanswered: before.iter().filter(|step| step.status.is_none()).count() as u64,
            span_us: refused_us.saturating_sub(begun_us),
            certain_span_us: refused_us.saturating_sub(certain_us),
            retry_after_us,
            until_open_us: again.first().map(|step| step.at_us.saturating_sub(begun_us)),
            passed_again: in_window()
                .take(next_refusal.unwrap_or(usize::MAX))
                .filter(|step| passed(step))
                .count() as u64,
            refused_again: next_refusal.is_some(),
        }
    }

    /// Whether fewer passed after the wait than a whole window holds.
    fn opened_by_places(&self) -> bool {
        self.until_open_us.is_some() && self.refused_again && self.passed_again < self.certain
    }

    /// Whether more passed at once after the wait than the one place that a bucket's Retry-After promises.
    fn opened_whole(&self) -> bool {
        self.retry_after_us.is_some() && self.passed_again >= 2 && !self.opened_by_places()
    }
}

fn classes(trip: &Trip) -> Vec<LimiterClass> {
    use LimiterClass::{FixedWindow, Penalty, SlidingCounter, SlidingLog, TokenBucket};
    if trip.opened_by_places() {
        vec![TokenBucket, SlidingCounter, SlidingLog]
    } else if trip.opened_whole() {
        vec![FixedWindow, SlidingLog, Penalty, SlidingCounter]
    } else {
        vec![FixedWindow, SlidingLog, TokenBucket, SlidingCounter, Penalty]
    }
}

/// The window, or the time to refill everything, so that it holds whichever of the classes is the true one.
///
/// A window ends when Retry-After does, which is rounded up to whole seconds, and began no later than with the first
/// request that passed. For a bucket Retry-After is the time to one place, less what had been refilled already.
fn window_ms(trip: &Trip, classes: &[LimiterClass]) -> Interval {
    let ms = |us: u64| us / 1000;
    let up = |us: u64| us.div_ceil(1000);
    let Some(wait_us) = trip.retry_after_us else {
        return Interval { low: ms(trip.certain_span_us), high: trip.until_open_us.map(up) };
    };
    let places = trip.passed.max(1);
    let window = Interval {
        low: ms(wait_us.saturating_sub(1_000_000).max(trip.certain_span_us)),
        high: Some(up(trip.span_us.saturating_add(wait_us))),
    };
    let refill = Interval {
        low: ms(wait_us.saturating_sub(1_000_000).saturating_mul(places)),
        high: Some(up(trip.span_us.saturating_add(wait_us).saturating_mul(places))),
    };
    match (classes.first(), classes.contains(&LimiterClass::TokenBucket)) {
        (Some(LimiterClass::TokenBucket), _) => refill,
        (_, true) => Interval { low: window.low.min(refill.low), high: refill.high },
        (_, false) => window,
    }
}

/// Percent. What speaks against an exact count is a boundary between two windows that fell among the requests counted;
/// its chance is their share of the window. A second window that held as many speaks for it.
fn confidence(trip: &Trip) -> u8 {
    if trip.certain < trip.passed || trip.unanswered > 0 {
        return 60;
    }
    if trip.passed_again >= trip.passed {
        return 98;
    }
    let window_us = trip.retry_after_us.unwrap_or(SHORTEST_WINDOW_US).max(SHORTEST_WINDOW_US);
    let share = trip.span_us.saturating_mul(50) / window_us;
    95 - u8::try_from(share.min(45)).unwrap_or(45)
}

fn passed(step: &RateStep) -> bool {
    step.status.is_some() && !step.refused
}

/// How many of these times lie in the closed interval.
fn within(times: &[u64], from: u64, to: u64) -> u64 {
    times.iter().filter(|at| (from..=to).contains(*at)).count() as u64
}

/// Of several policies, the one that a burst meets first.
fn tightest(stated: &[Stated]) -> Option<&Stated> {
    stated.iter().filter(|stated| stated.quota.is_some()).min_by_key(|stated| stated.quota)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_of_an_earlier_window_do_not_lengthen_the_one_that_was_met() {
        let step = |at_us: u64, refused| RateStep {
            at_us,
            status: Some(if refused { 429 } else { 200 }),
            refused,
            observation: format!("at {at_us}").into(),
        };
        let mut steps: Vec<RateStep> = (0..4).map(|n| step(n * 10, false)).collect();
        steps.extend((0..5).map(|n| step(2_000_000 + n * 10_000, false)));
        steps.push(step(2_060_000, true));
        let estimate = infer(&steps, None, &[]);
        assert_eq!(estimate.limit, Some(Interval { low: 5, high: Some(9) }));
        assert_eq!(
            estimate.window_ms.map(|w| w.low),
            Some(60),
            "only the last five share a window with the refusal"
        );
    }

    /// A limiter of known parameters, and the time that it says to wait.
    trait Limiter {
        fn take(&mut self, at_us: u64) -> Result<(), u64>;
    }

    struct FixedWindow {
        limit: u64,
        period_us: u64,
        opened_us: Option<u64>,
        count: u64,
    }

    impl Limiter for FixedWindow {
        fn take(&mut self, at_us: u64) -> Result<(), u64> {
            if self.opened_us.is_none_or(|opened| at_us >= opened + self.period_us) {
                (self.opened_us, self.count) = (Some(at_us), 0);
            }
            let end = self.opened_us.expect("opened above") + self.period_us;
            if self.count == self.limit {
                return Err((end - at_us).div_ceil(1_000_000));
            }
            self.count += 1;
            Ok(())
        }
    }

    struct TokenBucket {
        burst: u64,
        place_us: u64,
        /// The theoretical arrival time of GCRA: when the bucket will be full again.
        full_us: u64,
    }

    impl Limiter for TokenBucket {
        fn take(&mut self, at_us: u64) -> Result<(), u64> {
            let full = self.full_us.max(at_us) + self.place_us;
            let allowed = at_us + self.burst * self.place_us;
            if full > allowed {
                return Err((full - allowed).div_ceil(1_000_000));
            }
            self.full_us = full;
            Ok(())
        }
    }

    /// Sends as the gate does: `count` requests `gap_us` apart, and after each refusal the wait that was asked for.
    fn run(limiter: &mut dyn Limiter, count: usize, gap_us: u64) -> (Vec<RateStep>, Option<RateSignal>) {
        let (mut now, mut steps, mut signal) = (1_000_000, Vec::new(), None);
        for i in 0..count {
            let outcome = limiter.take(now);
            let observation = format!("request {i}").as_str().into();
            let status = Some(if outcome.is_ok() { 200 } else { 429 });
            steps.push(RateStep { at_us: now, status, refused: outcome.is_err(), observation });
            now += gap_us;
            if let Err(wait_s) = outcome {
                signal.get_or_insert(RateSignal {
                    position: u32::try_from(i + 1).expect("short"),
                    status: 429,
                    retry_after_s: Some(wait_s),
                    headers: Vec::new(),
                    body: None,
                    observation: format!("request {i}").as_str().into(),
                });
                now += wait_s * 1_000_000 + 100_000;
            }
        }
        (steps, signal)
    }

    fn holds(interval: Option<Interval>, value: u64) -> bool {
        interval.is_some_and(|i| i.low <= value && i.high.is_none_or(|high| value <= high))
    }

    #[test]
    fn a_fixed_window_that_opened_again_is_measured() {
        let mut limiter = FixedWindow { limit: 5, period_us: 10_000_000, opened_us: None, count: 0 };
        let (steps, signal) = run(&mut limiter, 11, 12_000);
        assert_eq!(steps.iter().filter(|s| s.refused).count(), 1);
        let estimate = infer(&steps, signal.as_ref(), &[]);
        assert_eq!(estimate.limit, Some(Interval::exactly(5)));
        assert!(holds(estimate.window_ms, 10_000), "{:?}", estimate.window_ms);
        assert_eq!(estimate.classes.first(), Some(&LimiterClass::FixedWindow));
        assert!(!estimate.classes.contains(&LimiterClass::TokenBucket), "five passed at once after one wait");
        assert!(estimate.confidence_percent >= 95);
        assert!(estimate.open.iter().any(|o| o.contains("one refusal")));
    }

    #[test]
    fn a_token_bucket_is_told_by_how_it_opens_again() {
        let mut limiter = TokenBucket { burst: 5, place_us: 2_000_000, full_us: 0 };
        let (steps, signal) = run(&mut limiter, 9, 12_000);
        let estimate = infer(&steps, signal.as_ref(), &[]);
        assert_eq!(estimate.limit, Some(Interval::exactly(5)));
        assert_eq!(estimate.classes.first(), Some(&LimiterClass::TokenBucket));
        assert!(holds(estimate.window_ms, 10_000), "{:?}", estimate.window_ms);
    }

    #[test]
    fn one_refusal_alone_leaves_the_algorithm_open() {
        for limiter in [
            &mut FixedWindow { limit: 7, period_us: 60_000_000, opened_us: None, count: 0 }
                as &mut dyn Limiter,
            &mut TokenBucket { burst: 7, place_us: 8_600_000, full_us: 0 },
        ] {
            let (steps, signal) = run(limiter, 8, 40_000);
            let estimate = infer(&steps, signal.as_ref(), &[]);
            assert_eq!(estimate.limit, Some(Interval::exactly(7)));
            assert!(holds(estimate.window_ms, 60_000), "{:?}", estimate.window_ms);
            assert!(estimate.classes.contains(&LimiterClass::FixedWindow));
            assert!(estimate.classes.contains(&LimiterClass::TokenBucket));
        }
    }

    #[test]
    fn requests_of_an_earlier_window_widen_the_interval_and_are_not_counted() {
        let mut limiter = FixedWindow { limit: 5, period_us: 2_000_000, opened_us: None, count: 0 };
        let (mut steps, _) = run(&mut limiter, 3, 10_000);
        let mut late = FixedWindow { limit: 5, period_us: 2_000_000, opened_us: None, count: 0 };
        let (more, signal) = run(&mut late, 6, 10_000);
        steps.extend(more.into_iter().map(|step| RateStep { at_us: step.at_us + 5_000_000, ..step }));
        let estimate = infer(&steps, signal.as_ref(), &[]);
        assert_eq!(estimate.limit, Some(Interval { low: 5, high: Some(8) }));
        assert!(estimate.confidence_percent <= 60);
    }

    #[test]
    fn answers_in_flight_together_have_no_order() {
        let step = |at_us, refused, i: u32| RateStep {
            at_us,
            status: Some(if refused { 429 } else { 200 }),
            refused,
            observation: format!("request {i}").into(),
        };
        let steps =
            [step(0, false, 0), step(10, true, 1), step(20, false, 2), step(30, true, 3), step(40, false, 4)];
        assert_eq!(infer(&steps, None, &[]).limit, Some(Interval::exactly(3)));
    }

    #[test]
    fn without_a_refusal_the_limit_is_known_from_below() {
        let mut limiter = FixedWindow { limit: 100, period_us: 60_000_000, opened_us: None, count: 0 };
        let (steps, _) = run(&mut limiter, 15, 30_000);
        let estimate = infer(&steps, None, &[]);
        assert_eq!(estimate.limit, Some(Interval::at_least(15)));
        assert!(estimate.classes.is_empty() && estimate.window_ms.is_none());

        let stated =
            Stated { quota: Some(100), window_s: Some(60), remaining: Some(85), ..Stated::default() };
        let estimate = infer(&steps, None, &[stated]);
        assert_eq!(
            (estimate.limit, estimate.window_ms),
            (Some(Interval::exactly(100)), Some(Interval::exactly(60_000)))
        );

        let absurd = Stated { quota: Some(3), window_s: None, remaining: None, ..Stated::default() };
        assert_eq!(infer(&steps, None, &[absurd]).limit, Some(Interval::at_least(15)));
        assert_eq!(infer(&[], None, &[]).limit, None);
    }

    #[test]
    fn a_first_request_refused_says_nothing_of_the_limit() {
        let step = RateStep { at_us: 9, status: Some(503), refused: true, observation: "a".into() };
        let estimate = infer(&[step], None, &[]);
        assert_eq!((estimate.limit, estimate.confidence_percent), (None, 0));
        assert!(!estimate.open.is_empty());
    }

    #[test]
    fn a_stated_policy_is_believed_where_the_sequence_agrees() {
        let mut limiter = FixedWindow { limit: 5, period_us: 10_000_000, opened_us: None, count: 0 };
        let (steps, signal) = run(&mut limiter, 6, 12_000);
        let agreed = Stated { quota: Some(5), window_s: Some(10), remaining: Some(0), ..Stated::default() };
        let estimate = infer(&steps, signal.as_ref(), &[agreed]);
        assert_eq!((estimate.window_ms, estimate.confidence_percent), (Some(Interval::exactly(10_000)), 99));
        let other = Stated { quota: Some(100), window_s: Some(60), remaining: None, ..Stated::default() };
        let estimate = infer(&steps, signal.as_ref(), &[other]);
        assert_eq!(estimate.limit, Some(Interval::exactly(5)));
        assert!(estimate.open.iter().any(|o| o.contains("quota of 100")));
    }
}
