//! Meets many simulated limiters and prints what the estimator says of them.
//!
//! `cargo run --release -p landfall-limiter --example limiters -- [RUNS] [SEED] [--deep] [--short] [--default] [--stated] [--misses] [--trace] [--several] [--turns]`
//!
//! `--deep` measures the usual deep budget only, `--short` that of 60 requests and 90 seconds, `--default` the run without `--deep`.
//! `--stated` meets only the limiters among them that state what is left.
//! `--several` meets only those of several counters.
//! `--turns` meets those of several counters as if a balancer had each take requests in turn.
//! `--misses` also prints the limiters whose kind or limit was missed without anybody else's traffic, and those of which a wrong kind
//! was certain.
//! `--trace` prints the requests of those as well: seconds from the first one, with a minus where it was refused.

use landfall_limiter::Budget;
use landfall_limiter::measure;

fn main() {
    let (options, numbers): (Vec<String>, Vec<String>) =
        std::env::args().skip(1).partition(|a| a.starts_with("--"));
    let misses = options.iter().any(|o| o == "--misses");
    let trace = options.iter().any(|o| o == "--trace");
    let stated_only = options.iter().any(|o| o == "--stated");
    let several_only = options.iter().any(|o| o == "--several");
    let turns = options.iter().any(|o| o == "--turns");
    let mut arguments = numbers.into_iter();
    let mut number = |otherwise: u64| arguments.next().and_then(|a| a.parse().ok()).unwrap_or(otherwise);
    let (runs, seed) = (number(500), number(1));
    let shorter = Budget { requests: 60, seconds: 90.0, ..Budget::DEEP };
    let budgets = [
        ("--deep", "deep", Budget::DEEP),
        ("--short", "deep, 60 requests, 90 s", shorter),
        ("--default", "default", Budget::DEFAULT),
    ];
    let chosen = |option: &str| options.iter().any(|o| o == option);
    let all = budgets.iter().all(|(option, ..)| !chosen(option));
    for (_, name, budget) in budgets.into_iter().filter(|(option, ..)| all || chosen(option)) {
        let tally = measure::measure_such(budget, runs, seed, |of| {
            let several = of.class == landfall_evidence::LimiterClass::SeveralCounters;
            let chosen = (of.states || !stated_only) && (several || !(several_only || turns));
            chosen.then_some(landfall_limiter::simulate::Configuration { in_turn: turns, ..of })
        });
        println!("{name}\n{tally}");
        if !misses {
            continue;
        }
        for outcome in tally.outcomes.iter().filter(|o| o.truth.others == 0.0 || o.confidently_wrong()) {
            let (kind, share) = outcome.fit.best();
            let limit = outcome.fit.limit.map(|l| (l.likely.round(), l.low, l.high));
            let total = f64::from(outcome.truth.total());
            if kind == outcome.truth.class && limit.is_none_or(|(likely, ..)| likely == total) {
                continue;
            }
            let of = &outcome.truth;
            println!(
                "{} of {total} ({} x {}) per {:.1} s{}{}{}{}: said {kind} ({share:.2}), limit {limit:?} (knowable {:?}), {} requests, {} refusals, {:.0} s, {:?}",
                of.class,
                of.counters,
                of.limit,
                of.visible_period(),
                if of.tells { ", tells" } else { "" },
                if of.others > 0.0 { ", used by others" } else { "" },
                if of.states { format!(", states {:?}", of.resets) } else { String::new() },
                if of.counts_refused { ", counts refused" } else { "" },
                outcome.knowable,
                outcome.requests,
                outcome.refusals,
                outcome.seconds,
                outcome.stop,
            );
            if trace {
                let first = outcome.exchanges.first().map_or(0.0, |e| e.sent);
                let each = |e: &landfall_limiter::Exchange| {
                    format!("{:.1}{}", e.sent - first, if e.refused { "-" } else { "" })
                };
                println!("  {}", outcome.exchanges.iter().map(each).collect::<Vec<_>>().join(" "));
            }
        }
    }
}
