//! What answers state of the requests left is believed where it is said of the limiter that refuses, and only there.

use landfall_evidence::LimiterClass;
use landfall_limiter::{Budget, Exchange, Fit, Next, Plan, StatedReset};

/// Ten seconds of five requests, from the first of them on, as one of `counters` has it.
struct Window {
    begin: f64,
    count: u32,
}

impl Window {
    fn takes(&mut self, at: f64) -> bool {
        if at >= self.begin + 10.0 {
            (self.begin, self.count) = (at, 0);
        }
        let passes = self.count < 5;
        self.count += u32::from(passes);
        passes
    }
}

/// Meets five requests in ten seconds of each of `counters` in turn; `states` makes of what is left and of the number of all
/// requests so far the quota and the number that answers state.
fn meet(budget: Budget, counters: usize, seed: u64, states: impl Fn(u32, u32) -> (u32, u32)) -> Fit {
    meet_by(budget, counters, seed, |sent| sent as usize % counters, states, |_, _| None)
}

/// The same where `taken_by` says which counter takes the request after so many, and `resets` makes of the seconds to the end of its
/// window and of the number of all requests so far the reset that the answer states.
fn meet_by(
    budget: Budget,
    counters: usize,
    seed: u64,
    taken_by: impl Fn(u32) -> usize,
    states: impl Fn(u32, u32) -> (u32, u32),
    resets: impl Fn(f64, u32) -> Option<StatedReset>,
) -> Fit {
    let mut windows: Vec<Window> =
        (0..counters).map(|_| Window { begin: f64::NEG_INFINITY, count: 0 }).collect();
    let mut plan = Plan::new(budget, 50.0, seed);
    let (mut now, mut sent) = (50.0, 0);
    loop {
        match plan.next(now) {
            Next::Stop(_) => return plan.fit(),
            Next::Wait(until) => now = until.max(now + 1e-4),
            Next::Send => {
                let window = &mut windows[taken_by(sent)];
                let passes = window.takes(now + 0.01);
                let retry_after = (!passes).then(|| (window.begin + 10.0 - now).ceil());
                sent += 1;
                let (quota, left) = states(5 - window.count, sent);
                plan.state(quota, None);
                let answered = now + 0.02;
                let reset = resets(window.begin + 10.0 - now, sent);
                let (date, left) = (None, Some(left));
                plan.observe(Exchange {
                    sent: now,
                    answered,
                    refused: !passes,
                    retry_after,
                    date,
                    left,
                    reset,
                });
                now = answered;
            }
        }
    }
}

#[test]
fn a_count_that_goes_up_and_down_is_that_of_several_counters() {
    for seed in 1..4 {
        let fit = meet(Budget::DEEP, 2, seed, |left, _| (5, left));
        assert_eq!(fit.best().0, LimiterClass::SeveralCounters, "seed {seed}: {fit:?}");
        let limit = fit.limit.expect("it was met").likely;
        assert_eq!(limit, 10.0, "seed {seed}: {fit:?}");
    }
}

/// One worker takes two requests of three, so that it is full long before the other: how many pass looks like a smaller limit,
/// and what each states of its own does not.
#[test]
fn counters_that_state_are_believed_more_than_short_trips() {
    for seed in 1..4 {
        let unequal = |sent: u32| usize::from(sent % 3 == 2);
        let fit = meet_by(Budget::DEEP, 2, seed, unequal, |left, _| (5, left), |_, _| None);
        assert_eq!(fit.limit.expect("it was met").likely, 10.0, "seed {seed}: {fit:?}");
    }
}

#[test]
fn before_any_refusal_what_is_left_tells_of_several_counters() {
    let few = Budget { requests: 6, ..Budget::DEFAULT };
    let fit = meet(few, 2, 1, |left, _| (5, left));
    assert_eq!(fit.best().0, LimiterClass::SeveralCounters, "{fit:?}");
}

#[test]
fn a_limiter_in_front_is_not_taken_for_the_one_that_states() {
    // The application behind states its own hundred, of which each request that comes takes one.
    for seed in 1..4 {
        let fit = meet(Budget::DEEP, 1, seed, |_, sent| (100, 100 - sent.min(100)));
        let limit = fit.limit.expect("it was met");
        assert_eq!(limit.likely, 5.0, "seed {seed}: {fit:?}");
        assert_ne!(fit.best().0, LimiterClass::SeveralCounters, "seed {seed}: {fit:?}");
    }
}

/// One counter that states its reset so, before any release.
fn first_refusal(seed: u64, resets: impl Fn(f64, u32) -> Option<StatedReset>) -> Fit {
    meet_by(Budget::DEFAULT, 1, seed, |_| 0, |left, _| (5, left), resets)
}

#[test]
fn a_reset_tells_how_long_a_window_is_before_it_ends() {
    for seed in 1..4 {
        let fit = first_refusal(seed, |left, _| Some(StatedReset::In(left.ceil())));
        let period = fit.period.expect("it was met");
        assert!(period.low <= 10.0 && 10.0 <= period.high, "seed {seed}: {fit:?}");
        assert!((period.likely / 10.0 - 1.0).abs() < 0.02, "seed {seed}: {fit:?}");
        // What a log would state is the same until the first place is free again.
        assert!(fit.set.contains(&LimiterClass::FixedWindow), "seed {seed}: {fit:?}");
        assert!(fit.set.contains(&LimiterClass::SlidingLog), "seed {seed}: {fit:?}");
    }
}

#[test]
fn a_reset_that_means_something_else_is_set_aside() {
    type Resets = fn(f64, u32) -> Option<StatedReset>;
    let kinds: [(&str, Resets); 4] = [
        ("always the same", |_, _| Some(StatedReset::In(60.0))),
        ("anything", |_, sent| Some(StatedReset::In(f64::from(sent * 37 % 101)))),
        ("long ago", |_, _| Some(StatedReset::In(0.0))),
        ("of the day", |_, sent| Some(StatedReset::In(f64::from(50_000 - sent)))),
    ];
    for (name, resets) in kinds {
        for seed in 1..4 {
            let fit = meet_by(Budget::DEEP, 1, seed, |_| 0, |left, _| (5, left), resets);
            assert_eq!(fit.best().0, LimiterClass::FixedWindow, "{name}, seed {seed}: {fit:?}");
            assert_eq!(fit.limit.expect("it was met").likely, 5.0, "{name}, seed {seed}: {fit:?}");
            let period = fit.period.expect("it was met").likely;
            assert!((period / 10.0 - 1.0).abs() < 0.05, "{name}, seed {seed}: {fit:?}");
        }
    }
}

/// A server may state any number as its quota, and several counters have several times as many.
#[test]
fn the_largest_quota_is_no_obstacle() {
    for counters in [1, 2] {
        let fit = meet(Budget::DEEP, counters, 7, |left, _| (u32::MAX, left));
        assert_eq!(fit.limit.map(|limit| limit.likely), Some(5.0 * counters as f64), "{fit:?}");
    }
}

/// A quota of the whole interface, in the thousands or beyond all measure, says nothing of a limiter in front that refuses after five.
#[test]
fn a_quota_that_cannot_be_met_is_weighed_like_any_other_claim() {
    for quota in [5_000, 1_000_000, u32::MAX] {
        for seed in 1..4 {
            for budget in [Budget::DEEP, Budget::DEFAULT] {
                let fit = meet(budget, 1, seed, |_, sent| (quota, quota - sent));
                let limit = fit.limit.expect("it was met");
                assert_eq!(limit.likely, 5.0, "quota {quota}, seed {seed}: {fit:?}");
            }
        }
    }
}
