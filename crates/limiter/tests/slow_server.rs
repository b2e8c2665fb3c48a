//! A server that is slow by itself delays answers, as a queue does.

use landfall_evidence::LimiterClass;
use landfall_limiter::{Exchange, Posterior, Random};

#[test]
fn refusals_of_a_slow_server_are_not_taken_for_a_queue() {
    for seed in 1..4 {
        let mut random = Random::new(seed);
        let mut posterior = Posterior::new(seed);
        let (mut sent, mut passed) = (0.0, 0);
        for n in 0..24 {
            // Most answers take about as long as a queue of five a second would make them wait.
            let latency = if n == 0 { 0.01 } else { 0.21 + 0.02 * random.normal().abs() };
            let refused = passed == 5;
            passed = if refused { 0 } else { passed + 1 };
            let answered = sent + if refused { 0.01 } else { latency };
            posterior.observe(Exchange {
                sent,
                answered,
                refused,
                retry_after: None,
                date: None,
                left: None,
                reset: None,
            });
            sent = answered + if refused { 4.0 } else { 0.01 + 0.3 * random.unit() };
        }
        let fit = posterior.fit();
        assert!(!fit.set.contains(&LimiterClass::LeakyBucket), "seed {seed}: {fit:?}");
    }
}
