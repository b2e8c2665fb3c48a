//! Meets many simulated limiters and prints what the estimator says of them.
//!
//! `cargo run --release -p landfall-limiter --example limiters -- [RUNS] [SEED]`

use landfall_limiter::Budget;
use landfall_limiter::measure;

fn main() {
    let mut arguments = std::env::args().skip(1);
    let mut number = |otherwise: u64| arguments.next().and_then(|a| a.parse().ok()).unwrap_or(otherwise);
    let (runs, seed) = (number(500), number(1));
    let shorter = Budget { requests: 60, seconds: 90.0, ..Budget::DEEP };
    for (name, budget) in
        [("deep", Budget::DEEP), ("deep, 60 requests, 90 s", shorter), ("default", Budget::DEFAULT)]
    {
        let tally = measure::measure(budget, runs, seed);
        println!("{name}\n{tally}");
    }
}
