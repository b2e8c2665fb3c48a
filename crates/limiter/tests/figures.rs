//! How often the estimator is right about simulated limiters of every kind, held to gates.
//!
//! The seeds are fixed, so the figures are the same on every machine up to the last bits of its logarithms. The first
//! number of a gate is what is wanted (the design of the estimator), the second what is reached and must stay.
//!
//! They take minutes of both processors, so that `./test` runs all that is in `measured` beside the tests that wait for
//! servers, and leaves it out there.

use landfall_evidence::LimiterClass;
use landfall_limiter::Budget;
use landfall_limiter::measure::{Shares, Tally, measure, measure_such};
use landfall_limiter::simulate::Configuration;

const RUNS: u64 = 500;
const SEED: u64 = 1;

/// A share that must not fall below what is reached.
fn at_least(what: &str, share: f64, wanted: f64, reached: f64) {
    let standing = if share >= wanted { "as wanted" } else { "below what is wanted" };
    println!("{what}: {share:.3} (wanted {wanted}, gate {reached}): {standing}");
    assert!(share >= reached, "{what} fell to {share:.3}, below {reached}");
}

fn at_most(what: &str, share: f64, wanted: f64, reached: f64) {
    let standing = if share <= wanted { "as wanted" } else { "above what is wanted" };
    println!("{what}: {share:.3} (wanted {wanted}, gate {reached}): {standing}");
    assert!(share <= reached, "{what} rose to {share:.3}, above {reached}");
}

fn within_bounds(tally: &Tally, budget: Budget) {
    assert_eq!(tally.outcomes.len() as u64, RUNS);
    politely(tally, budget);
    let classes = tally.outcomes.iter().filter(|o| o.truth.others > 0.0).count();
    assert!(classes as u64 > RUNS / 5, "a quarter is used by others: {classes}");
}

fn politely(tally: &Tally, budget: Budget) {
    for outcome in &tally.outcomes {
        assert!(outcome.requests <= budget.requests && outcome.refusals <= budget.refusals, "{outcome:?}");
        assert_eq!(outcome.impolite, 0, "sent before Retry-After allowed: {outcome:?}");
        // The last request may be under way when time ends.
        assert!(outcome.seconds <= budget.seconds + 31.0, "{outcome:?}");
    }
}

mod measured {
    use super::*;

    #[test]
    fn deep_runs_tell_the_kind_the_limit_and_the_period() {
        let tally = measure(Budget::DEEP, RUNS, SEED);
        println!("{tally}");
        within_bounds(&tally, Budget::DEEP);
        let Shares { class_right, in_set, limit_exact, period_close, .. } = tally.short();
        at_least("to a minute: kind", class_right, 0.96, 0.97);
        at_least("to a minute: kind in the set", in_set, 0.99, 0.995);
        at_least("to a minute: limit", limit_exact, 0.98, 0.97);
        at_least("to a minute: period", period_close, 0.93, 0.94);
        let Shares { class_right, in_set, limit_exact, .. } = tally.quiet();
        at_least("all periods: kind", class_right, 0.91, 0.945);
        at_least("all periods: kind in the set", in_set, 0.99, 0.995);
        at_least("all periods: limit", limit_exact, 0.98, 0.97);
        let Shares { in_set, confidently_wrong, .. } = tally.shared();
        at_least("used by others: kind in the set", in_set, 0.88, 0.99);
        at_most("used by others: confidently wrong", confidently_wrong, 0.04, 0.01);
        at_most("all: confidently wrong", tally.all().confidently_wrong, 0.01, 0.004);
        at_most("refusals", tally.mean(|o| f64::from(o.refusals)), 8.0, 7.7);
        // What answers state of the limit, of what is left and of the reset.
        let Shares { in_set, limit_exact, period_close, .. } = tally.stated();
        at_least("stated: kind in the set", in_set, 0.99, 0.99);
        at_least("stated: limit", limit_exact, 0.98, 0.98);
        at_least("stated: period", period_close, 0.93, 0.98);
    }

    /// As behind a balancer's round robin: what passes looks much as if one counter of the sum of their limits took it all.
    #[test]
    fn counters_that_take_turns_are_not_taken_for_one() {
        let tally = measure_such(Budget::DEEP, RUNS, SEED, |of| {
            (of.class == LimiterClass::SeveralCounters).then_some(Configuration { in_turn: true, ..of })
        });
        println!("{tally}");
        assert!(tally.outcomes.len() as u64 > RUNS / 10, "one kind of seven: {}", tally.outcomes.len());
        politely(&tally, Budget::DEEP);
        let Shares { class_right, in_set, limit_exact, confidently_wrong, .. } = tally.all();
        at_least("in turn: kind", class_right, 0.7, 0.7);
        at_least("in turn: kind in the set", in_set, 0.99, 0.99);
        at_least("in turn: limit", limit_exact, 0.98, 0.98);
        at_most("in turn: confidently wrong", confidently_wrong, 0.01, 0.02);
        let stated = tally.stated();
        at_least("in turn, stated: kind", stated.class_right, 0.99, 0.99);
        at_least("in turn, stated: limit", stated.limit_exact, 0.99, 0.99);
    }

    #[test]
    fn short_deep_runs_keep_the_true_kind_in_the_set() {
        let budget = Budget { requests: 60, seconds: 90.0, ..Budget::DEEP };
        let tally = measure(budget, RUNS, SEED);
        println!("{tally}");
        within_bounds(&tally, budget);
        at_least("to a minute: kind in the set", tally.short().in_set, 0.97, 0.99);
        let Shares { class_right, in_set, limit_exact, limit_sure, .. } = tally.quiet();
        at_most("all periods: surer of the limit than right", limit_sure - limit_exact, 0.0, 0.0);
        at_least("all periods: kind", class_right, 0.76, 0.84);
        at_least("all periods: kind in the set", in_set, 0.96, 0.99);
        at_least("all periods: limit", limit_exact, 0.97, 0.93);
        at_least("used by others: kind in the set", tally.shared().in_set, 0.86, 0.99);
        at_most("all: confidently wrong", tally.all().confidently_wrong, 0.01, 0.01);
    }

    #[test]
    fn the_first_refusal_bounds_the_limit() {
        let tally = measure(Budget::DEFAULT, RUNS, SEED);
        println!("{tally}");
        within_bounds(&tally, Budget::DEFAULT);
        at_least("to a minute: kind in the set", tally.short().in_set, 0.98, 0.99);
        at_least("all periods: limit within its interval", tally.quiet().limit_within, 0.98, 0.98);
        at_least("used by others: limit within its interval", tally.shared().limit_within, 0.98, 0.97);
        at_most("all: confidently wrong", tally.all().confidently_wrong, 0.01, 0.01);
        at_most("requests", tally.mean(|o| f64::from(o.requests)), 23.0, 23.0);
        assert!(tally.outcomes.iter().all(|o| o.refusals <= 1), "the first refusal is the last request");
    }
}
